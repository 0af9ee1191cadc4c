//! Mean and standard deviation of a site.

use serde::{Deserialize, Serialize};

use super::{foreground, invalid, mapped};
use crate::error::{ImagingError, Result};
use crate::progress::Tally;
use crate::region::Roi;
use crate::volume::{Image, Volume};

/// The mean and standard deviation that the foreground of each image gets: 0 and 1 for z-scores, or those of another
/// site's images.
///
/// With mean m and standard deviation s (divisor n) of the image's foreground, and M and S here: M + S · (I − m) / s.
///
/// ```
/// use alnm_imaging::standardisation::SiteScale;
/// use alnm_imaging::{Geometry, Image, Volume};
///
/// let grid = Geometry::axis_aligned([3, 1, 1], [1.0; 3])?;
/// let here = Image::I16(Volume::new(ndarray::array![[[1, 2, 3]]], grid.clone())?);
/// let there = Image::I16(Volume::new(ndarray::array![[[10, 30, 50]]], grid)?);
/// let scale = SiteScale::learn(&[SiteScale::of_image(&there, None)?])?;
/// assert_eq!(scale.apply(&here, None)?.as_slice(), [10.0, 30.0, 50.0]);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredSiteScale")]
pub struct SiteScale {
    mean: f64,
    standard_deviation: f64,
}

/// A scale as it is written.
#[derive(Deserialize)]
#[serde(rename = "SiteScale", deny_unknown_fields)]
struct StoredSiteScale {
    mean: f64,
    standard_deviation: f64,
}

impl TryFrom<StoredSiteScale> for SiteScale {
    type Error = ImagingError;

    fn try_from(StoredSiteScale { mean, standard_deviation }: StoredSiteScale) -> Result<Self> {
        Self::new(mean, standard_deviation)
    }
}

impl SiteScale {
    /// Z-scores: mean 0 and standard deviation 1.
    pub const Z_SCORE: Self = Self { mean: 0.0, standard_deviation: 1.0 };

    /// A mean and a standard deviation.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when the mean is not finite or the standard deviation not above 0.
    pub fn new(mean: f64, standard_deviation: f64) -> Result<Self> {
        if mean.is_finite() && standard_deviation.is_finite() && standard_deviation > 0.0 {
            return Ok(Self { mean, standard_deviation });
        }
        let value = format!("mean {mean} and standard deviation {standard_deviation}");
        Err(invalid("scale", value, "the mean must be finite and the standard deviation above 0"))
    }

    /// The mean and standard deviation of the region of an image, or of its voxels above 0.
    ///
    /// # Errors
    /// As [`SiteScale::apply`].
    pub fn of_image(image: &Image, region: Option<Roi<'_>>) -> Result<Self> {
        let values = foreground(image, region)?;
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        if variance == 0.0 {
            return Err(invalid("intensities", format!("all {mean}"), "they must vary for a scale to be found"));
        }
        Self::new(mean, variance.sqrt())
    }

    /// The averages of the means and of the standard deviations of training images.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when there is none.
    pub fn learn(images: &[Self]) -> Result<Self> {
        if images.is_empty() {
            return Err(invalid("images", "none".to_owned(), "there must be at least one to learn from"));
        }
        let average = |value: fn(&Self) -> f64| images.iter().map(value).sum::<f64>() / images.len() as f64;
        Self::new(average(|scale| scale.mean), average(|scale| scale.standard_deviation))
    }

    /// The mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The standard deviation.
    #[must_use]
    pub fn standard_deviation(&self) -> f64 {
        self.standard_deviation
    }

    /// The image with this mean and standard deviation.
    ///
    /// # Errors
    /// [`ImagingError::GeometryMismatch`] when the region lies on another grid; [`ImagingError::InvalidParameter`] when
    /// there is no finite voxel, or the intensities do not vary.
    pub fn apply(&self, image: &Image, region: Option<Roi<'_>>) -> Result<Volume<f32>> {
        self.apply_counted(image, region, &Tally::untold())
    }

    /// As [`Self::apply`], in two passes over the slices that are counted.
    pub(super) fn apply_counted(
        &self,
        image: &Image,
        region: Option<Roi<'_>>,
        tally: &Tally<'_>,
    ) -> Result<Volume<f32>> {
        let own = Self::of_image(image, region)?;
        tally.advance(image.geometry().size()[2]);
        Ok(mapped(image, tally, |value| {
            self.mean + self.standard_deviation * ((value - own.mean) / own.standard_deviation)
        }))
    }
}
