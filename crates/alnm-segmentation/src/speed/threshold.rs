//! Speed by smooth thresholds.

use alnm_imaging::{Geometry, Volume};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{SpeedSource, stored};
use crate::error::{Result, SegmentationError};

/// Speed by a lower threshold, an upper one, or both: ITK-SNAP's pre-segmentation "thresholding".
///
/// `g = tanh(s (v − lower)) + tanh(s (upper − v)) − 1`, or one of both terms alone, cut to multiples of 1 / 32767. The
/// slope is s = ln((2 − ε) / ε) / r with ε = 10^(−smoothness), r the distance of the thresholds, or a third of the
/// range of the image's values where there is one threshold.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`lower`](Self::lower) | none | values below make the contour shrink | finite |
/// | [`upper`](Self::upper) | none | values above make the contour shrink | finite, above `lower` |
/// | [`smoothness`](Self::smoothness) | 3 | steepness of the transition; larger is steeper, as in ITK-SNAP | above 0, at most 10 |
///
/// ```
/// use alnm_imaging::{Geometry, Volume};
/// use alnm_segmentation::speed::ThresholdSpeedParams;
///
/// let image = Volume::new(ndarray::array![[[0.0_f32, 40.0, 60.0, 100.0]]], Geometry::axis_aligned([4, 1, 1], [1.0; 3])?)?;
/// let speed = ThresholdSpeedParams::default().with_lower(50.0).check()?.speed(&image)?;
/// assert!(speed.as_slice()[1] < 0.0 && speed.as_slice()[2] > 0.0 && speed.as_slice()[3] > 0.99);
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct ThresholdSpeedParams {
    /// Values below it make the contour shrink.
    pub lower: Option<f64>,
    /// Values above it make the contour shrink.
    pub upper: Option<f64>,
    /// The steepness of the transition. Default 3; above 0, at most 10.
    pub smoothness: f64,
}

impl Default for ThresholdSpeedParams {
    fn default() -> Self {
        Self { lower: None, upper: None, smoothness: 3.0 }
    }
}

impl ThresholdSpeedParams {
    /// Sets [`ThresholdSpeedParams::lower`].
    pub fn with_lower(self, lower: f64) -> Self {
        Self { lower: Some(lower), ..self }
    }

    /// Sets [`ThresholdSpeedParams::upper`].
    pub fn with_upper(self, upper: f64) -> Self {
        Self { upper: Some(upper), ..self }
    }

    /// Sets [`ThresholdSpeedParams::smoothness`].
    pub fn with_smoothness(self, smoothness: f64) -> Self {
        Self { smoothness, ..self }
    }

    /// The rule with these parameters.
    ///
    /// # Errors
    /// [`SegmentationError::Parameter`] when no threshold is given, one is not finite, the lower one is not below the
    /// upper one, or the smoothness lies outside its range.
    pub fn check(self) -> Result<ThresholdSpeed> {
        let given = [self.lower, self.upper];
        if given == [None; 2] {
            return Err(SegmentationError::parameter("thresholds", "none", "a lower one, an upper one, or both"));
        }
        if let Some(bad) = given.into_iter().flatten().find(|threshold| !threshold.is_finite()) {
            return Err(SegmentationError::parameter("threshold", bad, "finite"));
        }
        if let (Some(lower), Some(upper)) = (self.lower, self.upper)
            && lower >= upper
        {
            let value = format!("{lower} with an upper one of {upper}");
            return Err(SegmentationError::parameter("lower threshold", value, "below the upper one"));
        }
        if !(self.smoothness > 0.0 && self.smoothness <= 10.0) {
            return Err(SegmentationError::parameter("smoothness", self.smoothness, "above 0 and at most 10"));
        }
        Ok(ThresholdSpeed { params: self })
    }
}

/// Speed by thresholds that were checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThresholdSpeed {
    params: ThresholdSpeedParams,
}

impl ThresholdSpeed {
    /// The parameters.
    pub fn params(&self) -> ThresholdSpeedParams {
        self.params
    }

    /// The speeds of an image, computed where a contour asks for them: the cost is that of the part of the image that
    /// the contour sees. Only for a single threshold the whole image is looked at, for its range.
    ///
    /// # Errors
    /// [`SegmentationError::Imaging`] when a voxel is not finite; [`SegmentationError::Parameter`] when there is one
    /// threshold and all voxels are equal.
    pub fn of<'a>(&self, image: &'a Volume<f32>) -> Result<ThresholdSpeedSource<'a>> {
        image.check_finite().map_err(|voxel| voxel.during("speed by thresholds"))?;
        let ThresholdSpeedParams { lower, upper, smoothness } = self.params;
        let range = match (lower, upper) {
            (Some(lower), Some(upper)) => upper - lower,
            _ => {
                let [low, high] = extremes(image);
                if low >= high {
                    let requirement =
                        "different in at least two voxels, so that a slope can be found for one threshold";
                    return Err(SegmentationError::parameter("value of all voxels", low, requirement));
                }
                f64::from(high - low) / 3.0
            }
        };
        let rest = 10.0_f64.powf(-smoothness);
        let slope = (((2.0 - rest) / rest).ln() / range) as f32;
        Ok(ThresholdSpeedSource { image, lower: lower.map(|t| t as f32), upper: upper.map(|t| t as f32), slope })
    }

    /// The speed image.
    ///
    /// # Errors
    /// As [`ThresholdSpeed::of`].
    pub fn speed(&self, image: &Volume<f32>) -> Result<Volume<f32>> {
        let source = self.of(image)?;
        let [width, height, _] = image.geometry().size();
        let mut speed = Volume::filled(image.geometry().clone(), 0.0);
        let rows = speed.as_mut_slice().par_chunks_mut(width).enumerate();
        rows.for_each(|(row, speed)| source.fill_row([0, row % height, row / height], speed));
        Ok(speed)
    }
}

pub(super) fn extremes(image: &Volume<f32>) -> [f32; 2] {
    let of = |voxels: &[f32]| voxels.iter().fold([f32::INFINITY, f32::NEG_INFINITY], |[a, b], &v| [a.min(v), b.max(v)]);
    let chunks = image.as_slice().par_chunks(1 << 16).map(of);
    chunks.reduce(|| [f32::INFINITY, f32::NEG_INFINITY], |a, b| [a[0].min(b[0]), a[1].max(b[1])])
}

/// The speeds of an image by thresholds.
#[derive(Debug, Clone, Copy)]
pub struct ThresholdSpeedSource<'a> {
    image: &'a Volume<f32>,
    lower: Option<f32>,
    upper: Option<f32>,
    slope: f32,
}

impl ThresholdSpeedSource<'_> {
    fn speed_of(&self, value: f32) -> f32 {
        let term = |distance: f32| f64::from(distance * self.slope).tanh() as f32;
        let lower = self.lower.map(|threshold| term(value - threshold));
        let upper = self.upper.map(|threshold| term(threshold - value));
        let shift = if lower.is_some() && upper.is_some() { -1.0 } else { 0.0 };
        stored(lower.unwrap_or(0.0) + upper.unwrap_or(0.0) + shift)
    }
}

impl SpeedSource for ThresholdSpeedSource<'_> {
    fn geometry(&self) -> &Geometry {
        self.image.geometry()
    }

    fn fill_row(&self, voxel: [usize; 3], speed: &mut [f32]) {
        self.image.fill_row(voxel, speed);
        speed.iter_mut().for_each(|value| *value = self.speed_of(*value));
    }
}
