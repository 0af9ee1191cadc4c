//! Histogram matching as ITK's.

use serde::{Deserialize, Serialize};

use super::{ascend, invalid, mapped};
use crate::error::{ImagingError, Result};
use crate::progress::Tally;
use crate::volume::{Image, Volume};

/// How quantiles are found.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`levels`](Self::levels) | 256 | bins of the histogram | 2 to 2²⁰ |
/// | [`match_points`](Self::match_points) | 7 | quantiles that are matched between the threshold and the highest | 1 to 1000 |
/// | [`threshold_at_mean`](Self::threshold_at_mean) | true | voxels below the mean are background | |
///
/// ITK's own default is one match point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct HistogramMatchingParams {
    /// Bins of the histogram. Default 256.
    pub levels: usize,
    /// Quantiles that are matched. Default 7.
    pub match_points: usize,
    /// Whether voxels below the mean are background. Default true.
    pub threshold_at_mean: bool,
}

impl Default for HistogramMatchingParams {
    fn default() -> Self {
        Self { levels: 256, match_points: 7, threshold_at_mean: true }
    }
}

impl HistogramMatchingParams {
    /// Sets [`HistogramMatchingParams::levels`].
    pub fn with_levels(self, levels: usize) -> Self {
        Self { levels, ..self }
    }

    /// Sets [`HistogramMatchingParams::match_points`].
    pub fn with_match_points(self, match_points: usize) -> Self {
        Self { match_points, ..self }
    }

    /// Sets [`HistogramMatchingParams::threshold_at_mean`].
    pub fn with_threshold_at_mean(self, threshold_at_mean: bool) -> Self {
        Self { threshold_at_mean, ..self }
    }

    /// The parameters when all are in range.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] with the first that is not.
    pub fn check(self) -> Result<HistogramMatching> {
        if !(2..=1 << 20).contains(&self.levels) {
            return Err(invalid("levels", self.levels.to_string(), "it must lie from 2 to 1048576"));
        }
        if !(1..=1000).contains(&self.match_points) {
            return Err(invalid("match_points", self.match_points.to_string(), "it must lie from 1 to 1000"));
        }
        Ok(HistogramMatching { params: self })
    }
}

/// Checked parameters: see [`HistogramMatchingParams`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistogramMatching {
    params: HistogramMatchingParams,
}

impl HistogramMatching {
    /// The parameters.
    pub fn params(&self) -> &HistogramMatchingParams {
        &self.params
    }

    /// The quantiles of an image, by which others are matched to it.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when the image holds no finite voxel or only one value.
    pub fn reference(&self, image: &Image) -> Result<HistogramReference> {
        let Quantiles { minimum, points } = quantiles(&self.params, image)?;
        Ok(HistogramReference { params: self.params, minimum, points })
    }

    /// The average of the quantiles of training images.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when there is none, or one of other parameters.
    pub fn learn(&self, images: &[HistogramReference]) -> Result<HistogramReference> {
        if images.is_empty() || images.iter().any(|image| image.params != self.params) {
            let requirement = "there must be at least one, all of these parameters";
            return Err(invalid("images", images.len().to_string(), requirement));
        }
        let count = images.len() as f64;
        let minimum = images.iter().map(|image| image.minimum).sum::<f64>() / count;
        let points = (0..self.params.match_points + 2)
            .map(|place| images.iter().map(|image| image.points[place]).sum::<f64>() / count)
            .collect();
        Ok(HistogramReference { params: self.params, minimum, points })
    }
}

/// Quantiles to which images are matched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredReference")]
pub struct HistogramReference {
    params: HistogramMatchingParams,
    minimum: f64,
    points: Vec<f64>,
}

/// Quantiles as they are written.
#[derive(Deserialize)]
#[serde(rename = "HistogramReference", deny_unknown_fields)]
struct StoredReference {
    params: HistogramMatchingParams,
    minimum: f64,
    points: Vec<f64>,
}

impl TryFrom<StoredReference> for HistogramReference {
    type Error = ImagingError;

    fn try_from(StoredReference { params, minimum, points }: StoredReference) -> Result<Self> {
        params.check()?;
        let is_sound = points.len() == params.match_points + 2 && ascend(&points) && minimum <= points[0];
        if is_sound && minimum.is_finite() {
            return Ok(Self { params, minimum, points });
        }
        let value = format!("{minimum} and {points:?}");
        Err(invalid(
            "quantiles",
            value,
            "there must be two more than match points, none of them falling or below the lowest",
        ))
    }
}

impl HistogramReference {
    /// The lowest intensity.
    #[must_use]
    pub fn minimum(&self) -> f64 {
        self.minimum
    }

    /// The threshold of the background, the matched quantiles, and the highest intensity.
    #[must_use]
    pub fn points(&self) -> &[f64] {
        &self.points
    }

    /// The image whose quantiles are those of the reference, straight between them, as ITK does it in single precision.
    /// Whole images are matched: ITK knows no region here but the threshold at the mean.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when the image holds no finite voxel or only one value.
    pub fn apply(&self, image: &Image) -> Result<Volume<f32>> {
        self.apply_counted(image, &Tally::untold())
    }

    /// As [`Self::apply`], in two passes over the slices that are counted.
    pub(super) fn apply_counted(&self, image: &Image, tally: &Tally<'_>) -> Result<Volume<f32>> {
        let Quantiles { minimum, points } = quantiles(&self.params, image)?;
        tally.advance(image.geometry().size()[2]);
        let slope = |from: [f64; 2], to: [f64; 2]| {
            let width = from[1] - from[0];
            if width == 0.0 { 0.0 } else { (to[1] - to[0]) / width }
        };
        let slopes: Vec<f64> = (1..points.len())
            .map(|j| slope([points[j - 1], points[j]], [self.points[j - 1], self.points[j]]))
            .collect();
        let below = slope([minimum, points[0]], [self.minimum, self.points[0]]);
        Ok(mapped(image, tally, |value| {
            let value = f64::from(value as f32);
            match points.iter().position(|&point| value < point) {
                Some(0) => self.minimum + (value - minimum) * below,
                Some(j) => self.points[j - 1] + (value - points[j - 1]) * slopes[j - 1],
                None => self.points[self.points.len() - 1],
            }
        }))
    }
}

/// The lowest intensity of an image, and the points that are matched.
struct Quantiles {
    minimum: f64,
    points: Vec<f64>,
}

fn quantiles(params: &HistogramMatchingParams, image: &Image) -> Result<Quantiles> {
    let mut values = Vec::new();
    image.borrowed().rows().append(0..image.geometry().voxel_count(), &mut values);
    let values: Vec<f32> = values.into_iter().map(|value| value as f32).filter(|value| value.is_finite()).collect();
    let minimum = values.iter().copied().fold(f32::INFINITY, f32::min);
    let maximum = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if minimum >= maximum {
        let value = format!("{} finite voxels of at most one value", values.len());
        return Err(invalid("intensities", value, "they must vary for quantiles to be found"));
    }
    let mean = (values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64) as f32;
    let threshold = if params.threshold_at_mean { mean } else { minimum };
    let histogram = Histogram::new(params.levels, [threshold, maximum], [minimum, maximum], &values);
    let step = 1.0 / (params.match_points as f64 + 1.0);
    let mut points = vec![f64::from(threshold)];
    points.extend((1..=params.match_points).map(|j| histogram.quantile(j as f64 * step)));
    points.push(f64::from(maximum));
    Ok(Quantiles { minimum: minimum.into(), points })
}

/// Bins of equal width between two intensities, the first and the last of which reach to the ends of the image.
struct Histogram {
    lower: Vec<f32>,
    upper: Vec<f32>,
    counts: Vec<usize>,
    total: f64,
}

impl Histogram {
    fn new(levels: usize, [low, high]: [f32; 2], [minimum, maximum]: [f32; 2], values: &[f32]) -> Self {
        let interval = (high - low) / levels as f32;
        let mut lower: Vec<f32> = (0..levels).map(|bin| low + bin as f32 * interval).collect();
        let mut upper: Vec<f32> = (1..=levels).map(|bin| low + bin as f32 * interval).collect();
        lower[0] = minimum;
        upper[levels - 1] = maximum;
        let mut counts = vec![0_usize; levels];
        for &value in values.iter().filter(|&&value| low <= value && value <= high) {
            let bin = lower.partition_point(|&edge| edge <= value).saturating_sub(1);
            counts[bin] += 1;
        }
        let total = counts.iter().sum::<usize>() as f64;
        Self { lower, upper, counts, total }
    }

    /// A quantile, interpolated linearly in its bin; counted from the nearer end.
    fn quantile(&self, share: f64) -> f64 {
        let from_below = share < 0.5;
        let bins: Vec<usize> =
            if from_below { (0..self.counts.len()).collect() } else { (0..self.counts.len()).rev().collect() };
        let (mut counted, mut before) = (0.0, if from_below { 0.0 } else { 1.0 });
        for bin in bins {
            let count = self.counts[bin] as f64;
            counted += count;
            let reached = if from_below { counted / self.total } else { 1.0 - counted / self.total };
            if (from_below && reached >= share) || (!from_below && reached <= share) {
                let (low, high) = (f64::from(self.lower[bin]), f64::from(self.upper[bin]));
                let part = (share - before).abs() / (count / self.total);
                return if from_below { low + part * (high - low) } else { high - part * (high - low) };
            }
            before = reached;
        }
        // Rounding may leave the last bin short of the whole.
        f64::from(if from_below { self.upper[self.counts.len() - 1] } else { self.lower[0] })
    }
}
