//! Landmarks of Nyúl.

use serde::{Deserialize, Serialize};

use super::{ascend, foreground, invalid, mapped};
use crate::error::{ImagingError, Result};
use crate::intensity::percentile_of_sorted;
use crate::progress::Tally;
use crate::region::Roi;
use crate::volume::{Image, Volume};

/// Which percentiles are landmarks, and onto which scale they are brought.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`percentiles`](Self::percentiles) | 1, 10, 20 to 90, 99 | landmarks; the first and the last span the scale | 0 to 100, at least 2, ascending |
/// | [`scale`](Self::scale) | 1 to 100 | where the first and the last landmark lie | ascending |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct NyulParams {
    /// Percentiles that are landmarks. Default 1, 10, 20 to 90 by tens, 99.
    pub percentiles: Vec<f64>,
    /// Where the first and the last landmark lie. Default 1 and 100.
    pub scale: [f64; 2],
}

impl Default for NyulParams {
    fn default() -> Self {
        let percentiles = [1.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 99.0].to_vec();
        Self { percentiles, scale: [1.0, 100.0] }
    }
}

impl NyulParams {
    /// Sets [`NyulParams::percentiles`].
    pub fn with_percentiles(self, percentiles: impl IntoIterator<Item = f64>) -> Self {
        Self { percentiles: percentiles.into_iter().collect(), ..self }
    }

    /// Sets [`NyulParams::scale`].
    pub fn with_scale(self, scale: [f64; 2]) -> Self {
        Self { scale, ..self }
    }

    /// The parameters when all are in range.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] with the first that is not.
    pub fn check(self) -> Result<Nyul> {
        check_percentiles(&self.percentiles)?;
        let [low, high] = self.scale;
        if !(low < high && low.is_finite() && high.is_finite()) {
            return Err(invalid("scale", format!("{low} to {high}"), "it must ascend between finite numbers"));
        }
        Ok(Nyul { params: self })
    }
}

fn check_percentiles(percentiles: &[f64]) -> Result<()> {
    let are_in_range = percentiles.iter().all(|percentile| (0.0..=100.0).contains(percentile));
    if percentiles.len() >= 2 && are_in_range && percentiles.windows(2).all(|pair| pair[0] < pair[1]) {
        return Ok(());
    }
    Err(invalid("percentiles", format!("{percentiles:?}"), "there must be at least two from 0 to 100, ascending"))
}

/// Checked parameters: see [`NyulParams`].
#[derive(Debug, Clone, PartialEq)]
pub struct Nyul {
    params: NyulParams,
}

impl Nyul {
    /// The parameters.
    pub fn params(&self) -> &NyulParams {
        &self.params
    }

    /// The landmarks of an image: percentiles of the region, or of the voxels above 0, interpolated linearly between
    /// order statistics.
    ///
    /// # Errors
    /// [`ImagingError::GeometryMismatch`] when the region lies on another grid; [`ImagingError::InvalidParameter`] when
    /// there is no finite voxel.
    pub fn landmarks(&self, image: &Image, region: Option<Roi<'_>>) -> Result<Vec<f64>> {
        landmarks(&self.params.percentiles, image, region)
    }

    /// The scale of the landmarks of training images: each image's first and last landmark are brought to the ends of
    /// the scale by a straight line, and the others averaged there.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when there is no image, one with another number of landmarks, or one whose
    /// first and last landmark are equal.
    pub fn learn(&self, images: &[Vec<f64>]) -> Result<NyulScale> {
        let NyulParams { percentiles, scale: [low, high] } = &self.params;
        if images.is_empty() {
            return Err(invalid("images", "none".to_owned(), "there must be at least one to learn from"));
        }
        let mut sums = vec![0.0; percentiles.len()];
        for landmarks in images {
            let (first, last) = match landmarks.as_slice() {
                [first, .., last] if landmarks.len() == percentiles.len() && first < last => (first, last),
                _ => {
                    let requirement = "there must be one for each percentile, the last above the first";
                    return Err(invalid("landmarks", format!("{landmarks:?}"), requirement));
                }
            };
            let slope = (high - low) / (last - first);
            sums.iter_mut().zip(landmarks).for_each(|(sum, landmark)| *sum += slope * (landmark - first) + low);
        }
        let scale = sums.iter().map(|sum| sum / images.len() as f64).collect();
        NyulScale::new(percentiles.clone(), scale)
    }
}

fn landmarks(percentiles: &[f64], image: &Image, region: Option<Roi<'_>>) -> Result<Vec<f64>> {
    let values = foreground(image, region)?;
    Ok(percentiles.iter().map(|&percentile| percentile_of_sorted(&values, percentile)).collect())
}

/// Where percentiles lie on the common scale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredNyulScale")]
pub struct NyulScale {
    percentiles: Vec<f64>,
    scale: Vec<f64>,
}

/// A scale as it is written.
#[derive(Deserialize)]
#[serde(rename = "NyulScale", deny_unknown_fields)]
struct StoredNyulScale {
    percentiles: Vec<f64>,
    scale: Vec<f64>,
}

impl TryFrom<StoredNyulScale> for NyulScale {
    type Error = ImagingError;

    fn try_from(StoredNyulScale { percentiles, scale }: StoredNyulScale) -> Result<Self> {
        Self::new(percentiles, scale)
    }
}

impl NyulScale {
    fn new(percentiles: Vec<f64>, scale: Vec<f64>) -> Result<Self> {
        check_percentiles(&percentiles)?;
        if scale.len() == percentiles.len() && ascend(&scale) {
            return Ok(Self { percentiles, scale });
        }
        Err(invalid("scale", format!("{scale:?}"), "there must be a number for each percentile, and none may fall"))
    }

    /// The percentiles that are landmarks.
    #[must_use]
    pub fn percentiles(&self) -> &[f64] {
        &self.percentiles
    }

    /// Where each lies on the common scale.
    #[must_use]
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// The image on the common scale: straight between its landmarks, and on by the first and the last piece beyond
    /// them.
    ///
    /// # Errors
    /// [`ImagingError::GeometryMismatch`] when the region lies on another grid; [`ImagingError::InvalidParameter`] when
    /// there is no finite voxel, or the first two or the last two landmarks are equal, so that no line goes on from
    /// them.
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
        let found = landmarks(&self.percentiles, image, region)?;
        tally.advance(image.geometry().size()[2]);
        let last = found.len() - 1;
        if found[0] >= found[1] || found[last - 1] >= found[last] {
            return Err(invalid("landmarks", format!("{found:?}"), "the first two and the last two must differ"));
        }
        Ok(mapped(image, tally, |value| {
            let above = found.partition_point(|&landmark| landmark < value).clamp(1, last);
            let slope = (self.scale[above] - self.scale[above - 1]) / (found[above] - found[above - 1]);
            slope * (value - found[above - 1]) + self.scale[above - 1]
        }))
    }
}
