//! A stripe of intensities around a mode.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{foreground, invalid, mapped};
use crate::error::{ImagingError, Result};
use crate::intensity::percentile_of_sorted;
use crate::progress::Tally;
use crate::region::Roi;
use crate::volume::{Image, Volume};

/// Intensities at which the density is looked at.
pub(super) const DENSITIES: usize = 80;

/// Which mode of the intensities the stripe lies around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StripeMode {
    /// The brightest, of the lowest 96 % of the intensities: white matter in T1-weighted images of the brain, fat in
    /// those of the breast without fat suppression.
    Last,
    /// The largest.
    Largest,
    /// The darkest, of the lowest 99 %.
    First,
}

/// Where the stripe lies.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`mode`](Self::mode) | last | the mode | see [`StripeMode`] |
/// | [`width`](Self::width) | 0.05 | share of the intensities on each side of the mode | above 0, at most 0.5 |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct WhiteStripeParams {
    /// The mode. Default [`StripeMode::Last`].
    pub mode: StripeMode,
    /// Share of the intensities on each side of the mode that belong to the stripe. Default 0.05.
    pub width: f64,
}

impl Default for WhiteStripeParams {
    fn default() -> Self {
        Self { mode: StripeMode::Last, width: 0.05 }
    }
}

impl WhiteStripeParams {
    /// Sets [`WhiteStripeParams::mode`].
    pub fn with_mode(self, mode: StripeMode) -> Self {
        Self { mode, ..self }
    }

    /// Sets [`WhiteStripeParams::width`].
    pub fn with_width(self, width: f64) -> Self {
        Self { width, ..self }
    }

    /// The parameters when all are in range.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when the width is not.
    pub fn check(self) -> Result<WhiteStripe> {
        if self.width > 0.0 && self.width <= 0.5 {
            return Ok(WhiteStripe { params: self });
        }
        Err(invalid("width", self.width.to_string(), "it must be above 0 and at most 0.5"))
    }
}

/// Checked parameters: see [`WhiteStripeParams`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WhiteStripeParams", into = "WhiteStripeParams")]
pub struct WhiteStripe {
    params: WhiteStripeParams,
}

impl TryFrom<WhiteStripeParams> for WhiteStripe {
    type Error = ImagingError;

    fn try_from(params: WhiteStripeParams) -> Result<Self> {
        params.check()
    }
}

impl From<WhiteStripe> for WhiteStripeParams {
    fn from(stripe: WhiteStripe) -> Self {
        stripe.params
    }
}

/// The stripe of an image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Stripe {
    /// The mode.
    pub mode: f64,
    /// Lower limit, which does not belong to it.
    pub low: f64,
    /// Upper limit, which does not belong to it.
    pub high: f64,
    /// Voxels in the stripe.
    pub voxels: usize,
    /// Their mean, which becomes 0.
    pub mean: f64,
    /// Their standard deviation (divisor n), which becomes 1.
    pub standard_deviation: f64,
}

impl WhiteStripe {
    /// The parameters.
    pub fn params(&self) -> &WhiteStripeParams {
        &self.params
    }

    /// The stripe of an image.
    ///
    /// The density of the region's intensities, or of those above 0, is that of normal kernels of Scott's width at 80
    /// places between the lowest and the highest; a mode is a place whose density is above that of both neighbours, and
    /// where there is none the place of the highest density.
    ///
    /// # Errors
    /// [`ImagingError::GeometryMismatch`] when the region lies on another grid; [`ImagingError::InvalidParameter`] when
    /// there is no finite voxel, or the intensities of the stripe do not vary.
    pub fn find(&self, image: &Image, region: Option<Roi<'_>>) -> Result<Stripe> {
        self.find_counted(image, region, &Tally::untold())
    }

    /// As [`Self::find`]; counted are passes over the slices, one to find the intensities and one for each density.
    fn find_counted(&self, image: &Image, region: Option<Roi<'_>>, tally: &Tally<'_>) -> Result<Stripe> {
        let slices = image.geometry().size()[2];
        let values = foreground(image, region)?;
        tally.advance(slices);
        let counted = || tally.advance(slices);
        let mode = match self.params.mode {
            StripeMode::Largest => mode(&values, &values, &counted, |_| None),
            StripeMode::Last => mode(&values, up_to(&values, 96.0), &counted, |places| places.last().copied()),
            StripeMode::First => mode(&values, up_to(&values, 99.0), &counted, |places| places.first().copied()),
        };
        let share = values.partition_point(|&value| value < mode) as f64 / values.len() as f64;
        let low = percentile_of_sorted(&values, 100.0 * (share - self.params.width).max(0.0));
        let high = percentile_of_sorted(&values, 100.0 * (share + self.params.width).min(1.0));
        let stripe: Vec<f64> = values.into_iter().filter(|&value| low < value && value < high).collect();
        let count = stripe.len() as f64;
        let mean = stripe.iter().sum::<f64>() / count;
        let variance = stripe.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        if variance.is_nan() || variance == 0.0 {
            return Err(invalid(
                "stripe",
                format!("{low} to {high}"),
                "the intensities in it must vary; make it wider",
            ));
        }
        Ok(Stripe { mode, low, high, voxels: stripe.len(), mean, standard_deviation: variance.sqrt() })
    }

    /// The image with the mean of its stripe at 0 and its standard deviation 1.
    ///
    /// # Errors
    /// As [`WhiteStripe::find`].
    pub fn apply(&self, image: &Image, region: Option<Roi<'_>>) -> Result<Volume<f32>> {
        self.apply_counted(image, region, &Tally::untold())
    }

    /// As [`Self::apply`]; counted are those of the stripe and one pass more.
    pub(super) fn apply_counted(
        &self,
        image: &Image,
        region: Option<Roi<'_>>,
        tally: &Tally<'_>,
    ) -> Result<Volume<f32>> {
        let stripe = self.find_counted(image, region, tally)?;
        Ok(mapped(image, tally, |value| (value - stripe.mean) / stripe.standard_deviation))
    }
}

/// The values up to a percentile of ascending ones.
fn up_to(values: &[f64], percentile: f64) -> &[f64] {
    let limit = percentile_of_sorted(values, percentile);
    &values[..values.partition_point(|&value| value <= limit)]
}

/// The mode that is chosen among the local ones of the density, or else the highest. `found` hears of each density.
fn mode(all: &[f64], values: &[f64], found: &(dyn Fn() + Sync), choose: impl Fn(&[usize]) -> Option<usize>) -> f64 {
    let values = if values.is_empty() { all } else { values };
    let (low, high) = (values[0], values[values.len() - 1]);
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let width = variance.sqrt() * count.powf(-0.2);
    if width.is_nan() || width == 0.0 {
        return low;
    }
    let step = (high - low) / (DENSITIES - 1) as f64;
    let place = |i: usize| if i == DENSITIES - 1 { high } else { low + step * i as f64 };
    let density = |i: usize| {
        let sum = values.iter().map(|value| (-0.5 * ((value - place(i)) / width).powi(2)).exp()).sum::<f64>();
        found();
        sum
    };
    let densities: Vec<f64> = (0..DENSITIES).into_par_iter().map(density).collect();
    let local: Vec<usize> =
        (1..DENSITIES - 1).filter(|&i| densities[i] > densities[i - 1] && densities[i] > densities[i + 1]).collect();
    let mut highest = 0;
    for i in 1..DENSITIES {
        if densities[i] > densities[highest] {
            highest = i;
        }
    }
    place(choose(&local).unwrap_or(highest))
}
