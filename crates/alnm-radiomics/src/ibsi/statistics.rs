//! Intensity-based statistical features: the distribution of the intensities in the region.
//!
//! Symbols: X the intensities of the intensity mask, N_v their number, μ their mean, P_q their percentiles,
//! interpolated linearly between order statistics.

use super::feature::{Definition, IbsiFamily, IbsiFeature, evaluate};
use crate::summation::{sum, sum_of};

/// Values with the summaries that the features need.
#[derive(Debug, Clone)]
pub(crate) struct IntensityDistribution {
    /// In ascending order.
    sorted: Vec<f64>,
    mean: f64,
    /// Second, third and fourth moment about the mean.
    moments: [f64; 3],
}

impl IntensityDistribution {
    /// The distribution of `values`, in any order; at least one.
    pub(crate) fn new(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let count = sorted.len() as f64;
        let mean = sum(&sorted) / count;
        let squared = |x: f64| (x - mean) * (x - mean);
        let moments = [
            sum_of(&sorted, squared) / count,
            sum_of(&sorted, |x| squared(x) * (x - mean)) / count,
            sum_of(&sorted, |x| squared(x) * squared(x)) / count,
        ];
        Self { sorted, mean, moments }
    }

    fn count(&self) -> f64 {
        self.sorted.len() as f64
    }

    /// μ.
    pub(crate) fn mean(&self) -> f64 {
        self.mean
    }

    /// Σ (X - μ)² / N_v.
    pub(crate) fn variance(&self) -> f64 {
        self.moments[0]
    }

    /// The third moment over the 3/2 power of the variance; 0 for a flat region.
    pub(crate) fn skewness(&self) -> f64 {
        if self.is_flat() { 0.0 } else { self.moments[1] / self.moments[0].powf(1.5) }
    }

    /// The fourth moment over the square of the variance, minus 3; 0 for a flat region.
    pub(crate) fn excess_kurtosis(&self) -> f64 {
        if self.is_flat() { 0.0 } else { self.moments[2] / (self.moments[0] * self.moments[0]) - 3.0 }
    }

    fn is_flat(&self) -> bool {
        self.minimum() == self.maximum()
    }

    /// The smallest value.
    pub(crate) fn minimum(&self) -> f64 {
        self.sorted[0]
    }

    /// The largest value.
    pub(crate) fn maximum(&self) -> f64 {
        self.sorted[self.sorted.len() - 1]
    }

    /// P_q for q from 0 to 1.
    pub(crate) fn percentile(&self, q: f64) -> f64 {
        let rank = q * (self.sorted.len() - 1) as f64;
        let below = self.sorted[rank.floor() as usize];
        let above = self.sorted[rank.ceil() as usize];
        below + (above - below) * rank.fract()
    }

    /// P_50.
    pub(crate) fn median(&self) -> f64 {
        self.percentile(0.5)
    }

    /// P_75 - P_25.
    pub(crate) fn interquartile_range(&self) -> f64 {
        self.percentile(0.75) - self.percentile(0.25)
    }

    /// Σ |X - μ| / N_v.
    pub(crate) fn mean_absolute_deviation(&self) -> f64 {
        sum_of(&self.sorted, |x| (x - self.mean).abs()) / self.count()
    }

    /// The mean absolute deviation of the values from P_10 to P_90.
    pub(crate) fn robust_mean_absolute_deviation(&self) -> f64 {
        let (low, high) = (self.percentile(0.1), self.percentile(0.9));
        let inside =
            &self.sorted[self.sorted.partition_point(|&x| x < low)..self.sorted.partition_point(|&x| x <= high)];
        let mean = sum(inside) / inside.len() as f64;
        sum_of(inside, |x| (x - mean).abs()) / inside.len() as f64
    }

    /// Σ |X - P_50| / N_v.
    pub(crate) fn median_absolute_deviation(&self) -> f64 {
        let median = self.median();
        sum_of(&self.sorted, |x| (x - median).abs()) / self.count()
    }

    /// √variance / μ.
    pub(crate) fn coefficient_of_variation(&self) -> f64 {
        self.variance().sqrt() / self.mean
    }

    /// (P_75 - P_25) / (P_75 + P_25).
    pub(crate) fn quartile_coefficient_of_dispersion(&self) -> f64 {
        self.interquartile_range() / (self.percentile(0.75) + self.percentile(0.25))
    }

    /// Σ X².
    pub(crate) fn energy(&self) -> f64 {
        sum_of(&self.sorted, |x| x * x)
    }
}

/// The features of the family in the order of the reference manual: code, tag, name and formula.
pub(crate) const DEFINITIONS: &[Definition<IntensityDistribution>] = &[
    Definition::new("Q4LE", "stat_mean", "Mean intensity", IntensityDistribution::mean),
    Definition::new("ECT3", "stat_var", "Intensity variance", IntensityDistribution::variance),
    Definition::new("KE2M", "stat_skew", "Intensity skewness", IntensityDistribution::skewness),
    Definition::new("IPH6", "stat_kurt", "(Excess) intensity kurtosis", IntensityDistribution::excess_kurtosis),
    Definition::new("Y12H", "stat_median", "Median intensity", IntensityDistribution::median),
    Definition::new("1GSF", "stat_min", "Minimum intensity", IntensityDistribution::minimum),
    Definition::new("QG58", "stat_p10", "10th intensity percentile", |d| d.percentile(0.1)),
    Definition::new("8DWT", "stat_p90", "90th intensity percentile", |d| d.percentile(0.9)),
    Definition::new("84IY", "stat_max", "Maximum intensity", IntensityDistribution::maximum),
    Definition::new("SALO", "stat_iqr", "Intensity interquartile range", IntensityDistribution::interquartile_range),
    Definition::new("2OJQ", "stat_range", "Intensity range", |d| d.maximum() - d.minimum()),
    Definition::new(
        "4FUA",
        "stat_mad",
        "Intensity-based mean absolute deviation",
        IntensityDistribution::mean_absolute_deviation,
    ),
    Definition::new(
        "1128",
        "stat_rmad",
        "Intensity-based robust mean absolute deviation",
        IntensityDistribution::robust_mean_absolute_deviation,
    ),
    Definition::new(
        "N72L",
        "stat_medad",
        "Intensity-based median absolute deviation",
        IntensityDistribution::median_absolute_deviation,
    ),
    Definition::new(
        "7TET",
        "stat_cov",
        "Intensity-based coefficient of variation",
        IntensityDistribution::coefficient_of_variation,
    ),
    Definition::new(
        "9S40",
        "stat_qcod",
        "Intensity-based quartile coefficient of dispersion",
        IntensityDistribution::quartile_coefficient_of_dispersion,
    ),
    Definition::new("N8CA", "stat_energy", "Intensity-based energy", IntensityDistribution::energy),
    Definition::new("5ZWQ", "stat_rms", "Root mean square intensity", |d| (d.energy() / d.count()).sqrt()),
];

/// The features of the intensities of an intensity mask; at least one.
pub(crate) fn features(intensities: &[f64]) -> Vec<IbsiFeature> {
    evaluate(DEFINITIONS, IbsiFamily::Statistics, None, &IntensityDistribution::new(intensities))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_and_a_flat_region_have_every_feature() {
        for values in [&[3.0][..], &[3.0; 5]] {
            let features = features(values);
            assert!(features.iter().all(|feature| feature.value.is_finite()), "{features:?}");
        }
    }

    #[test]
    fn values_of_a_small_distribution() {
        // numpy 1.26.4: x = [1, 2, 2, 5, 9]; np.percentile(x, 90), x.var(), scipy.stats.kurtosis(x), np.abs(x -
        // 2).mean()
        let distribution = IntensityDistribution::new(&[5.0, 1.0, 2.0, 9.0, 2.0]);
        approx::assert_relative_eq!(distribution.percentile(0.9), 7.4, max_relative = 1e-14);
        approx::assert_relative_eq!(distribution.variance(), 8.56, max_relative = 1e-14);
        approx::assert_relative_eq!(distribution.skewness(), 0.8682180138565586, max_relative = 1e-12);
        approx::assert_relative_eq!(distribution.median_absolute_deviation(), 2.2, max_relative = 1e-14);
    }
}
