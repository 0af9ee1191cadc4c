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
use crate::geometry::{Geometry, GeometryDifference, GeometryField};
use crate::volume::{Image, Volume, Voxel};
use crate::with_volume;

pub use grid::{ResampledRoi, RoiResampling, resample_roi, roi_grid, spacing_grid};
use sampling::Sampling;
pub use shrink::{shrink, shrink_offset};

/// How the value between voxels is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
    check_grid::<T>(volume.geometry(), grid)?;
    let sampling = Sampling::new(volume.geometry(), grid);
    match interpolator {
        Interpolator::Nearest => Ok(nearest::sample(volume, &sampling, grid, outside)),
        Interpolator::Linear => Ok(linear::sample(volume, &sampling, grid, outside)),
        Interpolator::BSpline => bspline::sample(volume, &sampling, grid, outside),
        weighted => Ok(weighted::sample(volume, weighted, &sampling, grid, outside)),
    }
}

/// [`resample`] for an image of any type; `outside` is cast to it.
///
/// # Errors
/// As [`resample`].
pub fn resample_image(image: &Image, grid: &Geometry, interpolator: Interpolator, outside: f64) -> Result<Image> {
    fn typed<T: Voxel>(volume: &Volume<T>, grid: &Geometry, interpolator: Interpolator, outside: f64) -> Result<Image> {
        resample(volume, grid, interpolator, T::from_f64(outside)).map(T::into_image)
    }
    with_volume!(image, volume => typed(volume, grid, interpolator, outside))
}

fn check_grid<T>(image: &Geometry, grid: &Geometry) -> Result<()> {
    if image.dimension() != grid.dimension() {
        let difference = GeometryDifference {
            field: GeometryField::Dimension,
            left: image.dimension().to_string(),
            right: grid.dimension().to_string(),
            tolerance: 0.0,
        };
        return Err(ImagingError::GeometryMismatch { operation: "resampling", difference });
    }
    if (grid.voxel_count() as u64).saturating_mul(size_of::<T>() as u64) > MAX_VOXEL_BYTES {
        return Err(ImagingError::InvalidParameter {
            operation: "resampling",
            parameter: "grid",
            value: format!("{:?} voxels", grid.size()),
            requirement: "the result must have at most 16 GiB; choose a larger spacing",
        });
    }
    Ok(())
}
