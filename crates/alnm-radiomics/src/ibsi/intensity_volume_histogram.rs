//! Intensity-volume histogram features: which fraction ν of the region has at least the intensity fraction γ.
//!
//! Discretised intensities i stand for an intensity each: themselves (no discretisation), the centres of their bins
//! (fixed bin size), or their bin numbers (fixed bin number). γ_i is the place of i between the lowest and the highest
//! intensity of the range, ν_i the share of the region's voxels with at least i. The range is that of resegmentation
//! where it is given, else that of the region; with a fixed bin number it is always that of the region.

use super::definition::{IbsiFamily, intensity_volume_histogram};
use super::discretisation::IbsiDiscretisation;
use super::evaluation::evaluate;
use crate::error::{RadiomicsError, Result};
use crate::feature::{FeatureValue, Formula};

/// More steps than this are refused.
const MAXIMUM_STEPS: f64 = 10_000_000.0;

/// A step of the histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    intensity: f64,
    /// γ.
    intensity_fraction: f64,
    /// ν.
    volume_fraction: f64,
}

/// The histogram, ascending by intensity.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IntensityVolumeHistogram {
    steps: Vec<Step>,
    /// The intensity after the last step, which no voxel reaches.
    beyond: f64,
}

impl IntensityVolumeHistogram {
    /// The histogram of the intensities of a region; `range` holds the limits of resegmentation. Without
    /// discretisation, intensities count in steps of 1 from the lower end of the range.
    ///
    /// # Errors
    /// [`RadiomicsError::TooManyLevels`] when the range needs more than ten million steps.
    pub(crate) fn new(
        intensities: &[f64],
        discretisation: IbsiDiscretisation,
        range: Option<[Option<f64>; 2]>,
    ) -> Result<Self> {
        let minimum = intensities.iter().copied().fold(f64::INFINITY, f64::min);
        let maximum = intensities.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let [lower, upper] = range.unwrap_or_default();
        let finite = |limit: Option<f64>, otherwise: f64| limit.filter(|limit| limit.is_finite()).unwrap_or(otherwise);
        let (lower, upper) = (finite(lower, minimum), finite(upper, maximum));
        let (first, width, steps) = match discretisation {
            IbsiDiscretisation::None => (lower, 1.0, (upper - lower).floor() + 1.0),
            IbsiDiscretisation::FixedBinSize(width) => {
                (lower + 0.5 * width, width, ((upper - lower) / width).ceil() + 1.0)
            }
            IbsiDiscretisation::FixedBinNumber(bins) => (1.0, 1.0, f64::from(bins)),
        };
        if steps > MAXIMUM_STEPS {
            return Err(RadiomicsError::TooManyLevels {
                minimum: lower,
                maximum: upper,
                levels: steps,
                limit: MAXIMUM_STEPS as u32,
            });
        }
        let place = |value: f64| match discretisation {
            IbsiDiscretisation::None | IbsiDiscretisation::FixedBinSize(_) => (value - lower) / width,
            IbsiDiscretisation::FixedBinNumber(bins) => f64::from(bins) * (value - minimum) / (maximum - minimum),
        };
        // A flat region lies in the first bin: its place is 0 / 0, which becomes 0.
        let mut counts = vec![0.0; steps as usize];
        for &value in intensities {
            counts[(place(value).floor() as usize).min(steps as usize - 1)] += 1.0;
        }
        let mut remaining = intensities.len() as f64;
        let steps = counts.iter().enumerate().map(|(step, count)| {
            let volume_fraction = remaining / intensities.len() as f64;
            remaining -= count;
            let intensity_fraction = if counts.len() == 1 { 0.0 } else { step as f64 / (counts.len() - 1) as f64 };
            Step { intensity: first + step as f64 * width, intensity_fraction, volume_fraction }
        });
        let steps: Vec<Step> = steps.collect();
        let beyond = first + steps.len() as f64 * width;
        Ok(Self { steps, beyond })
    }

    /// V_x: the largest ν at an intensity fraction of at least `fraction`; 0 where there is none.
    pub(crate) fn volume_at_intensity(&self, fraction: f64) -> f64 {
        self.steps.iter().find(|step| step.intensity_fraction >= fraction).map_or(0.0, |step| step.volume_fraction)
    }

    /// I_x: the lowest intensity with a ν of at most `fraction`; the intensity after the last where there is none.
    pub(crate) fn intensity_at_volume(&self, fraction: f64) -> f64 {
        self.steps.iter().find(|step| step.volume_fraction <= fraction).map_or(self.beyond, |step| step.intensity)
    }

    /// The area under ν over γ, by trapezia.
    fn area(&self) -> f64 {
        let trapezium = |pair: &[Step]| {
            (pair[1].intensity_fraction - pair[0].intensity_fraction)
                * (pair[0].volume_fraction + pair[1].volume_fraction)
                / 2.0
        };
        self.steps.windows(2).map(trapezium).sum()
    }
}

/// The features of the family in the order of the reference manual, with their formulas.
pub(crate) const FORMULAS: &[Formula<IntensityVolumeHistogram>] = &[
    Formula::ibsi_only(intensity_volume_histogram::VOLUME_FRACTION_AT_10_PERCENT_INTENSITY, |h| {
        h.volume_at_intensity(0.1)
    }),
    Formula::ibsi_only(intensity_volume_histogram::VOLUME_FRACTION_AT_90_PERCENT_INTENSITY, |h| {
        h.volume_at_intensity(0.9)
    }),
    Formula::ibsi_only(intensity_volume_histogram::INTENSITY_AT_10_PERCENT_VOLUME, |h| h.intensity_at_volume(0.1)),
    Formula::ibsi_only(intensity_volume_histogram::INTENSITY_AT_90_PERCENT_VOLUME, |h| h.intensity_at_volume(0.9)),
    Formula::ibsi_only(
        intensity_volume_histogram::VOLUME_FRACTION_DIFFERENCE_BETWEEN_10_PERCENT_AND_90_PERCENT_INTENSITY,
        |h| h.volume_at_intensity(0.1) - h.volume_at_intensity(0.9),
    ),
    Formula::ibsi_only(
        intensity_volume_histogram::INTENSITY_DIFFERENCE_BETWEEN_10_PERCENT_AND_90_PERCENT_VOLUME,
        |h| h.intensity_at_volume(0.1) - h.intensity_at_volume(0.9),
    ),
    Formula::ibsi_only(intensity_volume_histogram::AREA_UNDER_THE_IVH_CURVE, IntensityVolumeHistogram::area),
];

/// The features of a histogram.
pub(crate) fn features(histogram: &IntensityVolumeHistogram) -> Vec<FeatureValue> {
    evaluate(IbsiFamily::IntensityVolumeHistogram, FORMULAS, histogram)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_of_a_small_region() {
        let histogram = IntensityVolumeHistogram::new(&[1.0, 1.0, 2.0, 4.0], IbsiDiscretisation::None, None).unwrap();
        let volumes: Vec<f64> = histogram.steps.iter().map(|step| step.volume_fraction).collect();
        assert_eq!(volumes, [1.0, 0.5, 0.25, 0.25]);
        assert_eq!(histogram.volume_at_intensity(0.5), 0.25);
        assert_eq!(histogram.intensity_at_volume(0.5), 2.0);
        assert_eq!(histogram.intensity_at_volume(0.1), 5.0);
    }

    #[test]
    fn a_flat_region_has_every_feature() {
        for discretisation in
            [IbsiDiscretisation::None, IbsiDiscretisation::FixedBinSize(2.5), IbsiDiscretisation::FixedBinNumber(10)]
        {
            let histogram = IntensityVolumeHistogram::new(&[3.0; 4], discretisation, None).unwrap();
            assert!(features(&histogram).iter().all(|feature| feature.value.is_finite()));
        }
    }
}
