//! Resampling onto another grid, as ITK's `ResampleImageFilter` does it with the identity transform.
//!
//! A voxel of the new grid takes the value of the image at its centre: nearest neighbour, linear, cubic B-spline,
//! windowed sinc or Gaussian. The arithmetic is in double precision; integer images are clamped to their type's range
//! and truncated towards zero, as in ITK. A voxel whose centre lies outside the image (more than half a voxel beyond
//! the first or last centre on an axis) takes the value `outside`.
//!
//! ```
//! use alnm_imaging::resample::{Interpolator, resample, spacing_grid};
//! use alnm_imaging::{Geometry, Volume};
//!
//! let image = Volume::filled(Geometry::axis_aligned([20, 20, 8], [0.5, 0.5, 2.0])?, 100_i16);
//! let grid = spacing_grid(image.geometry(), [1.0, 1.0, 1.0])?;
//! let isotropic = resample(&image, &grid, Interpolator::BSpline, 0)?;
//! assert_eq!(isotropic.geometry().size(), [10, 10, 16]);
//! # Ok::<(), alnm_imaging::ImagingError>(())
//! ```

mod bspline;
mod grid;
mod linear;
mod nearest;
mod sampling;
mod shrink;
mod weighted;

use serde::{Deserialize, Serialize};

use crate::error::{ImagingError, Result};
use crate::format::MAX_VOXEL_BYTES;
use crate::geometry::Geometry;
use crate::geometry_difference::{GeometryDifference, GeometryField};
use crate::progress::{ProgressObserver, Tally};
use crate::volume::{Image, ImageRef, Volume, Voxel, with_volume_ref};

pub use grid::{ResampledRoi, RoiResampling, RoiResamplingParams, resample_roi, roi_grid, spacing_grid};
pub use sampling::PointMap;
use sampling::Sampling;
pub use shrink::{shrink, shrink_offset};

/// The method by which values between voxels are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Interpolator {
    /// The nearest voxel; half way between two the one with the larger index. The only one for labels.
    Nearest,
    /// Weighted by distance from the two neighbours on each axis; the outer half voxel repeats the edge.
    Linear,
    /// The interpolating cubic B-spline with mirrored borders.
    #[default]
    BSpline,
    /// A Gaussian with σ = 0.8 voxels, cut off at four σ.
    Gaussian,
    /// The value that weighs most under a Gaussian with σ = 1 voxel, cut off at one σ.
    LabelGaussian,
    /// A sinc of five voxels to each side in Hamming's window.
    HammingSinc,
    /// The same in the window of a cosine.
    CosineSinc,
    /// The same in Welch's window, a parabola.
    WelchSinc,
    /// The same in Lanczos' window, a sinc.
    LanczosSinc,
    /// The same in Blackman's window.
    BlackmanSinc,
}

/// The image on another grid, with `outside` where the grid leaves the image.
///
/// # Errors
/// [`ImagingError::GeometryMismatch`] when one of the two is two-dimensional and the other is not;
/// [`ImagingError::InvalidParameter`] when the grid has more voxels than may be held; [`ImagingError::InvalidVoxel`]
/// when a B-spline is asked for and a voxel is not finite, since it would reach every other.
pub fn resample<T: Voxel>(
    volume: &Volume<T>,
    grid: &Geometry,
    interpolator: Interpolator,
    outside: T,
) -> Result<Volume<T>> {
    let resampled = resample_ref(T::image_ref(volume), grid, interpolator, outside.to_f64(), &|_| {})?;
    Ok(T::from_image(resampled).expect("resampling keeps the type of the voxels"))
}

/// [`resample`] for an image of any type; `outside` is cast to it.
///
/// # Errors
/// As [`resample`].
pub fn resample_image(image: &Image, grid: &Geometry, interpolator: Interpolator, outside: f64) -> Result<Image> {
    resample_image_with(image, grid, interpolator, outside, &|_| {})
}

/// As [`resample_image`]; the observer hears of the rows of voxels that are gone through.
///
/// # Errors
/// As [`resample`].
pub fn resample_image_with(
    image: &Image,
    grid: &Geometry,
    interpolator: Interpolator,
    outside: f64,
    observer: &ProgressObserver<'_>,
) -> Result<Image> {
    resample_ref(image.borrowed(), grid, interpolator, outside, observer)
}

/// The image on another grid, through a map: a voxel of the grid takes the value of the image at the point, in mm, to
/// which `map` takes the voxel's centre. So ITK's `ResampleImageFilter` works with a transform. `outside` stands where
/// the map leaves the image.
///
/// # Errors
/// As [`resample`].
///
/// ```
/// use alnm_imaging::resample::{Interpolator, resample_mapped};
/// use alnm_imaging::{Geometry, Volume};
///
/// let grid = Geometry::axis_aligned([4, 4, 2], [1.0; 3])?;
/// let image = Volume::new(ndarray::Array3::from_shape_fn((2, 4, 4), |(_, _, x)| x as f32), grid.clone())?;
/// let shift = |[x, y, z]: [f64; 3]| [x + 0.5, y, z];
/// let shifted = resample_mapped(&image.into(), &grid, &shift, Interpolator::Linear, -1.0)?;
/// assert_eq!(shifted.cast::<f32>().as_slice()[..4], [0.5, 1.5, 2.5, -1.0]);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
pub fn resample_mapped(
    image: &Image,
    grid: &Geometry,
    map: &PointMap<'_>,
    interpolator: Interpolator,
    outside: f64,
) -> Result<Image> {
    check_grid(image.borrowed(), grid)?;
    let sampling = Sampling::mapped(image.geometry(), grid, map);
    resample_with(image.borrowed(), Resampling { sampling, grid, interpolator, outside, observer: &|_| {} })
}

fn resample_ref(
    image: ImageRef<'_>,
    grid: &Geometry,
    interpolator: Interpolator,
    outside: f64,
    observer: &ProgressObserver<'_>,
) -> Result<Image> {
    check_grid(image, grid)?;
    let sampling = Sampling::new(image.geometry(), grid);
    resample_with(image, Resampling { sampling, grid, interpolator, outside, observer })
}

/// Resamples onto a grid that was checked, since already the places on its axes take memory.
fn resample_with(image: ImageRef<'_>, work: Resampling<'_>) -> Result<Image> {
    if work.interpolator == Interpolator::Nearest {
        return Ok(with_volume_ref!(image, volume => work.nearest(volume)));
    }
    match image {
        ImageRef::U8(volume) => work.interpolated(volume),
        ImageRef::U16(volume) => work.interpolated(volume),
        ImageRef::I16(volume) => work.interpolated(volume),
        ImageRef::F32(volume) => work.interpolated(volume),
        ImageRef::F64(volume) => work.interpolated(volume),
        ImageRef::I8(volume) => work.interpolated_as_doubles(volume),
        ImageRef::U32(volume) => work.interpolated_as_doubles(volume),
        ImageRef::I32(volume) => work.interpolated_as_doubles(volume),
        ImageRef::U64(volume) => work.interpolated_as_doubles(volume),
        ImageRef::I64(volume) => work.interpolated_as_doubles(volume),
    }
}

/// A resampling that is about to be done.
struct Resampling<'a> {
    sampling: Sampling<'a>,
    grid: &'a Geometry,
    interpolator: Interpolator,
    outside: f64,
    observer: &'a ProgressObserver<'a>,
}

impl Resampling<'_> {
    /// Counts the rows of the grid.
    fn tally(&self) -> Tally<'_> {
        let [_, height, depth] = self.grid.size();
        Tally::new(height * depth, self.observer)
    }

    fn nearest<T: Voxel>(&self, volume: &Volume<T>) -> Image {
        nearest::sample(volume, &self.sampling, self.grid, T::from_f64(self.outside), &self.tally()).into()
    }

    fn interpolated<T: Voxel>(&self, volume: &Volume<T>) -> Result<Image> {
        self.sample(volume, T::PIXEL_TYPE.is_float()).map(Image::from)
    }

    /// Voxel types that images seldom have are interpolated as doubles, which is what is computed with, and stored as
    /// their own type in the end: the same values by code that is there already.
    fn interpolated_as_doubles<T: Voxel>(&self, volume: &Volume<T>) -> Result<Image> {
        let resampled = self.sample(&volume.cast::<f64>(), T::PIXEL_TYPE.is_float())?;
        Ok(resampled.cast::<T>().into())
    }

    fn sample<T: Voxel>(&self, volume: &Volume<T>, is_float: bool) -> Result<Volume<T>> {
        let Self { sampling, grid, interpolator, observer, .. } = self;
        let outside = T::from_f64(self.outside);
        match *interpolator {
            Interpolator::Linear => Ok(linear::sample(volume, sampling, grid, outside, &self.tally())),
            Interpolator::BSpline => bspline::sample(volume, sampling, grid, outside, is_float, observer),
            weighted => Ok(weighted::sample(volume, weighted, sampling, grid, outside, &self.tally())),
        }
    }
}

fn check_grid(image: ImageRef<'_>, grid: &Geometry) -> Result<()> {
    if image.geometry().dimension() != grid.dimension() {
        let difference = GeometryDifference {
            field: GeometryField::Dimension,
            left: image.geometry().dimension().to_string(),
            right: grid.dimension().to_string(),
            tolerance: 0.0,
        };
        return Err(ImagingError::GeometryMismatch { operation: "resampling", difference });
    }
    if (grid.voxel_count() as u64).saturating_mul(image.voxel_bytes() as u64) > MAX_VOXEL_BYTES {
        return Err(ImagingError::InvalidParameter {
            operation: "resampling",
            parameter: "grid",
            value: format!("{:?} voxels", grid.size()),
            requirement: "the result must have at most 16 GiB; choose a larger spacing",
        });
    }
    Ok(())
}
