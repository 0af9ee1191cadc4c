//! Intensity histogram features: the distribution of the discretised intensities.
//!
//! Symbols: H the histogram with n_i voxels in bin i of N_g, p_i = n_i / N_v, H' its gradient: one-sided at the ends,
//! (n_{i+1} - n_{i-1}) / 2 between them.

use super::definition::{IbsiFamily, intensity_histogram};
use super::discretisation::Levels;
use super::evaluation::evaluate;
use crate::feature::{FeatureValue, Formula};
use crate::first_order::FirstOrder;

/// A histogram with the distribution of its levels.
#[derive(Debug, Clone)]
pub(crate) struct LevelHistogram {
    distribution: FirstOrder,
    /// n_i for levels from 1 to N_g.
    counts: Vec<f64>,
    /// H'.
    gradient: Vec<f64>,
    voxels: f64,
}

impl LevelHistogram {
    /// The histogram of the levels of at least one voxel.
    pub(crate) fn new(levels: &Levels) -> Self {
        let mut counts = vec![0.0; levels.count as usize];
        for &level in &levels.levels {
            counts[level as usize - 1] += 1.0;
        }
        let values: Vec<f64> = levels.levels.iter().map(|&level| f64::from(level)).collect();
        Self {
            voxels: values.len() as f64,
            distribution: FirstOrder::without_rounded_spread(values),
            gradient: gradient(&counts),
            counts,
        }
    }

    /// The fullest bin; of several, the one closest to the mean, and of two as close, the lower.
    fn mode(&self) -> f64 {
        let fullest = self.counts.iter().copied().fold(0.0, f64::max);
        let levels =
            self.counts.iter().zip(1u32..).filter(|(count, _)| **count == fullest).map(|(_, level)| f64::from(level));
        let distance = |level: f64| (level - self.distribution.mean).abs();
        levels.reduce(|best, level| if distance(level) < distance(best) { level } else { best }).unwrap_or(f64::NAN)
    }

    /// -Σ p_i log₂ p_i.
    fn entropy(&self) -> f64 {
        let bits = |count: &f64| if *count > 0.0 { count / self.voxels * (count / self.voxels).log2() } else { 0.0 };
        0.0 - self.counts.iter().map(bits).sum::<f64>()
    }

    /// Σ p_i².
    fn uniformity(&self) -> f64 {
        self.counts.iter().map(|count| (count / self.voxels).powi(2)).sum()
    }

    /// The first bin whose gradient is the best one, with that gradient.
    fn extreme(&self, is_better: fn(&f64, &f64) -> bool) -> (f64, f64) {
        let mut best = (1.0, self.gradient[0]);
        for (&gradient, level) in self.gradient.iter().zip(1u32..) {
            if is_better(&gradient, &best.1) {
                best = (f64::from(level), gradient);
            }
        }
        best
    }
}

fn gradient(counts: &[f64]) -> Vec<f64> {
    let last = counts.len() - 1;
    let slope = |bin: usize| match bin {
        _ if last == 0 => 0.0,
        0 => counts[1] - counts[0],
        bin if bin == last => counts[last] - counts[last - 1],
        bin => (counts[bin + 1] - counts[bin - 1]) / 2.0,
    };
    (0..=last).map(slope).collect()
}

/// The features of the family in the order of the reference manual, with their formulas.
pub(crate) const FORMULAS: &[Formula<LevelHistogram>] = &[
    Formula::ibsi_only(intensity_histogram::MEAN_DISCRETISED_INTENSITY, |h| h.distribution.mean),
    Formula::ibsi_only(intensity_histogram::DISCRETISED_INTENSITY_VARIANCE, |h| h.distribution.moments[0]),
    Formula::ibsi_only(intensity_histogram::DISCRETISED_INTENSITY_SKEWNESS, |h| h.distribution.skewness()),
    Formula::ibsi_only(intensity_histogram::EXCESS_DISCRETISED_INTENSITY_KURTOSIS, |h| {
        h.distribution.excess_kurtosis()
    }),
    Formula::ibsi_only(intensity_histogram::MEDIAN_DISCRETISED_INTENSITY, |h| h.distribution.median),
    Formula::ibsi_only(intensity_histogram::MINIMUM_DISCRETISED_INTENSITY, |h| h.distribution.minimum),
    Formula::ibsi_only(intensity_histogram::DISCRETISED_INTENSITY_PERCENTILE_10, |h| h.distribution.p10),
    Formula::ibsi_only(intensity_histogram::DISCRETISED_INTENSITY_PERCENTILE_90, |h| h.distribution.p90),
    Formula::ibsi_only(intensity_histogram::MAXIMUM_DISCRETISED_INTENSITY, |h| h.distribution.maximum),
    Formula::ibsi_only(intensity_histogram::INTENSITY_HISTOGRAM_MODE, LevelHistogram::mode),
    Formula::ibsi_only(intensity_histogram::DISCRETISED_INTENSITY_INTERQUARTILE_RANGE, |h| {
        h.distribution.interquartile_range()
    }),
    Formula::ibsi_only(intensity_histogram::DISCRETISED_INTENSITY_RANGE, |h| {
        h.distribution.maximum - h.distribution.minimum
    }),
    Formula::ibsi_only(intensity_histogram::INTENSITY_HISTOGRAM_MEAN_ABSOLUTE_DEVIATION, |h| {
        h.distribution.mean_absolute_deviation()
    }),
    Formula::ibsi_only(intensity_histogram::INTENSITY_HISTOGRAM_ROBUST_MEAN_ABSOLUTE_DEVIATION, |h| {
        h.distribution.robust_mean_absolute_deviation()
    }),
    Formula::ibsi_only(intensity_histogram::INTENSITY_HISTOGRAM_MEDIAN_ABSOLUTE_DEVIATION, |h| {
        h.distribution.median_absolute_deviation()
    }),
    Formula::ibsi_only(intensity_histogram::INTENSITY_HISTOGRAM_COEFFICIENT_OF_VARIATION, |h| {
        h.distribution.coefficient_of_variation()
    }),
    Formula::ibsi_only(intensity_histogram::INTENSITY_HISTOGRAM_QUARTILE_COEFFICIENT_OF_DISPERSION, |h| {
        h.distribution.quartile_coefficient_of_dispersion()
    }),
    Formula::ibsi_only(intensity_histogram::DISCRETISED_INTENSITY_ENTROPY, LevelHistogram::entropy),
    Formula::ibsi_only(intensity_histogram::DISCRETISED_INTENSITY_UNIFORMITY, LevelHistogram::uniformity),
    Formula::ibsi_only(intensity_histogram::MAXIMUM_HISTOGRAM_GRADIENT, |h| h.extreme(f64::gt).1),
    Formula::ibsi_only(intensity_histogram::MAXIMUM_HISTOGRAM_GRADIENT_INTENSITY, |h| h.extreme(f64::gt).0),
    Formula::ibsi_only(intensity_histogram::MINIMUM_HISTOGRAM_GRADIENT, |h| h.extreme(f64::lt).1),
    Formula::ibsi_only(intensity_histogram::MINIMUM_HISTOGRAM_GRADIENT_INTENSITY, |h| h.extreme(f64::lt).0),
];

/// The features of the levels of at least one voxel.
pub(crate) fn features(levels: &Levels) -> Vec<FeatureValue> {
    evaluate(IbsiFamily::IntensityHistogram, FORMULAS, &LevelHistogram::new(levels))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(levels: &[u32]) -> LevelHistogram {
        LevelHistogram::new(&Levels { levels: levels.to_vec(), count: levels.iter().copied().max().unwrap() })
    }

    #[test]
    fn the_mode_is_the_fullest_bin_closest_to_the_mean() {
        assert_eq!(histogram(&[1, 1, 2, 5, 5]).mode(), 1.0);
        assert_eq!(histogram(&[1, 1, 4, 5, 5]).mode(), 5.0);
        assert_eq!(histogram(&[1, 1, 5, 5]).mode(), 1.0);
    }

    #[test]
    fn gradients_are_one_sided_at_the_ends() {
        let histogram = histogram(&[1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 5]);
        assert_eq!(histogram.gradient, [2.0, 2.5, -1.5, -2.5, 1.0]);
        assert_eq!(histogram.extreme(f64::gt), (2.0, 2.5));
        assert_eq!(histogram.extreme(f64::lt), (4.0, -2.5));
    }

    #[test]
    fn one_level_has_every_feature() {
        let features = features(&Levels { levels: vec![1; 3], count: 1 });
        assert!(features.iter().all(|feature| feature.value.is_finite()), "{features:?}");
    }
}
