//! Intensity standardisation of MRI: one scale for images of different scanners, learned on some images and applied to
//! others.
//!
//! | Method | Learned | From |
//! |---|---|---|
//! | [`NyulScale`] | where percentiles lie on the common scale | Nyúl, Udupa and Zhang, IEEE Trans. Med. Imaging 19:143, 2000; the values of intensity-normalization 3.0 |
//! | [`HistogramReference`] | quantiles of the reference | ITK's `HistogramMatchingImageFilter` in single precision |
//! | [`WhiteStripeParams`] | nothing: the mean and spread of a stripe around a mode of each image become 0 and 1 | Shinohara et al., NeuroImage Clin. 6:9, 2014; the values of intensity-normalization 3.0 |
//! | [`SiteScale`] | mean and standard deviation of the other site | z-scores |
//!
//! [`IntensityStandard`] is any of them, as it is saved. What decides the scale of an image is its region of interest
//! (breast, body or reference tissue), or where none is given all voxels above 0; the whole image is mapped.
//!
//! Voxels that are not finite decide nothing and stay as they are. An image whose foreground is empty or has one value
//! has no scale and is refused.

mod histogram_matching;
mod nyul;
mod site;
mod white_stripe;

use rayon::slice::ParallelSliceMut;
use serde::{Deserialize, Serialize};

use crate::error::{ImagingError, Result};
use crate::parallel::for_each_part;
use crate::progress::{ProgressObserver, Tally};
use crate::region::Roi;
use crate::volume::{Image, Volume};

pub use histogram_matching::{HistogramMatching, HistogramMatchingParams, HistogramReference};
pub use nyul::{Nyul, NyulParams, NyulScale};
pub use site::SiteScale;
use white_stripe::DENSITIES;
pub use white_stripe::{Stripe, StripeMode, WhiteStripe, WhiteStripeParams};

const OPERATION: &str = "intensity standardisation";

/// A scale as it is saved, whatever its method.
///
/// ```
/// use alnm_imaging::standardisation::{IntensityStandard, NyulParams};
/// use alnm_imaging::{Geometry, Image, Volume};
///
/// let grid = Geometry::axis_aligned([10, 10, 2], [1.0; 3])?;
/// let voxels = ndarray::Array3::from_shape_fn(grid.shape(), |(z, y, x)| (1 + x + 10 * y + 100 * z) as f32);
/// let image = Image::F32(Volume::new(voxels, grid)?);
/// let nyul = NyulParams::default().check()?;
/// let learned = IntensityStandard::Nyul(nyul.learn(&[nyul.landmarks(&image, None)?])?);
/// let saved = serde_json::to_string(&learned).unwrap();
/// let read: IntensityStandard = serde_json::from_str(&saved).unwrap();
/// assert_eq!(read.apply(&image, None)?, learned.apply(&image, None)?);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
#[non_exhaustive]
pub enum IntensityStandard {
    /// Nyúl's landmarks.
    Nyul(NyulScale),
    /// Quantiles of a reference.
    HistogramMatching(HistogramReference),
    /// A stripe around a mode.
    WhiteStripe(WhiteStripe),
    /// Mean and standard deviation of a site.
    Site(SiteScale),
}

impl IntensityStandard {
    /// Whether a region may decide the scale of an image; for histogram matching all of its voxels do.
    #[must_use]
    pub fn takes_region(&self) -> bool {
        !matches!(self, Self::HistogramMatching(_))
    }

    /// The image on the common scale. A region has no effect where the standard [takes
    /// none](IntensityStandard::takes_region).
    ///
    /// # Errors
    /// [`ImagingError::GeometryMismatch`] when the region lies on another grid; [`ImagingError::InvalidParameter`] when
    /// the intensities that decide the scale are none, or do not vary.
    pub fn apply(&self, image: &Image, region: Option<Roi<'_>>) -> Result<Volume<f32>> {
        self.apply_with(image, region, &|_| {})
    }

    /// As [`IntensityStandard::apply`]; the observer hears of the slices that are gone through, of which a stripe's
    /// mode takes most.
    ///
    /// # Errors
    /// As [`IntensityStandard::apply`].
    pub fn apply_with(
        &self,
        image: &Image,
        region: Option<Roi<'_>>,
        observer: &ProgressObserver<'_>,
    ) -> Result<Volume<f32>> {
        // The scale of the image is found, and the image mapped.
        let passes = match self {
            Self::WhiteStripe(_) => 2 + DENSITIES,
            _ => 2,
        };
        let slices = image.geometry().size()[2];
        let tally = Tally::new(passes * slices, observer);
        match self {
            Self::Nyul(scale) => scale.apply_counted(image, region, &tally),
            Self::HistogramMatching(reference) => reference.apply_counted(image, &tally),
            Self::WhiteStripe(stripe) => stripe.apply_counted(image, region, &tally),
            Self::Site(scale) => scale.apply_counted(image, region, &tally),
        }
    }
}

/// The finite values of the region, or those above 0 of the image, ascending.
fn foreground(image: &Image, region: Option<Roi<'_>>) -> Result<Vec<f64>> {
    let mut values = Vec::new();
    match region {
        Some(region) => {
            region.check_grid(image.geometry(), OPERATION)?;
            region.append_values(image.borrowed().rows(), &mut values);
            values.retain(|value| value.is_finite());
        }
        None => {
            image.borrowed().rows().append(0..image.geometry().voxel_count(), &mut values);
            values.retain(|value| value.is_finite() && *value > 0.0);
        }
    }
    // Values that are equal in this order have the same bits.
    values.par_sort_unstable_by(f64::total_cmp);
    if values.is_empty() {
        return Err(invalid(
            "foreground",
            "empty".to_owned(),
            "the region, or the image above 0, must hold finite voxels",
        ));
    }
    Ok(values)
}

/// Every voxel mapped; those that are not finite stay as they are.
fn mapped(image: &Image, tally: &Tally<'_>, map: impl Fn(f64) -> f64 + Sync) -> Volume<f32> {
    let [width, height, _] = image.geometry().size();
    let source = image.borrowed();
    let mut volume = Volume::filled(image.geometry().clone(), 0.0_f32);
    for_each_part(volume.as_mut_slice(), width * height, &|slice, voxels| {
        let mut values = Vec::with_capacity(voxels.len());
        let start = slice * width * height;
        source.rows().append(start..start + voxels.len(), &mut values);
        for (voxel, value) in voxels.iter_mut().zip(values) {
            *voxel = if value.is_finite() { map(value) as f32 } else { value as f32 };
        }
        tally.advance(1);
    });
    volume
}

fn invalid(parameter: &'static str, value: String, requirement: &'static str) -> ImagingError {
    ImagingError::InvalidParameter { operation: OPERATION, parameter, value, requirement }
}

/// Whether numbers are finite and do not fall.
fn ascend(values: &[f64]) -> bool {
    values.iter().all(|value| value.is_finite()) && values.windows(2).all(|pair| pair[0] <= pair[1])
}
