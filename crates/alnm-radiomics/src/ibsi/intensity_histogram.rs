//! Intensity histogram features: the distribution of the discretised intensities.
//!
//! Symbols: H the histogram with n_i voxels in bin i of N_g, p_i = n_i / N_v, H' its gradient: one-sided at the ends,
//! (n_{i+1} - n_{i-1}) / 2 between them.

use super::discretisation::Levels;
use super::feature::{Definition, IbsiFamily, IbsiFeature, evaluate};
use super::statistics::IntensityDistribution;

/// A histogram with the distribution of its levels.
#[derive(Debug, Clone)]
pub(crate) struct LevelHistogram {
    distribution: IntensityDistribution,
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
            distribution: IntensityDistribution::new(&values),
            gradient: gradient(&counts),
            voxels: values.len() as f64,
            counts,
        }
    }

    /// The fullest bin; of several, the one closest to the mean, and of two as close, the lower.
    fn mode(&self) -> f64 {
        let fullest = self.counts.iter().copied().fold(0.0, f64::max);
        let levels =
            self.counts.iter().zip(1u32..).filter(|(count, _)| **count == fullest).map(|(_, level)| f64::from(level));
        let distance = |level: f64| (level - self.distribution.mean()).abs();
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

/// The features of the family in the order of the reference manual: code, tag, name and formula.
pub(crate) const DEFINITIONS: &[Definition<LevelHistogram>] = &[
    Definition::new("X6K6", "ih_mean", "Mean discretised intensity", |h| h.distribution.mean()),
    Definition::new("CH89", "ih_var", "Discretised intensity variance", |h| h.distribution.variance()),
    Definition::new("88K1", "ih_skew", "Discretised intensity skewness", |h| h.distribution.skewness()),
    Definition::new("C3I7", "ih_kurt", "(Excess) discretised intensity kurtosis", |h| h.distribution.excess_kurtosis()),
    Definition::new("WIFQ", "ih_median", "Median discretised intensity", |h| h.distribution.median()),
    Definition::new("1PR8", "ih_min", "Minimum discretised intensity", |h| h.distribution.minimum()),
    Definition::new("GPMT", "ih_p10", "10th discretised intensity percentile", |h| h.distribution.percentile(0.1)),
    Definition::new("OZ0C", "ih_p90", "90th discretised intensity percentile", |h| h.distribution.percentile(0.9)),
    Definition::new("3NCY", "ih_max", "Maximum discretised intensity", |h| h.distribution.maximum()),
    Definition::new("AMMC", "ih_mode", "Intensity histogram mode", LevelHistogram::mode),
    Definition::new("WR0O", "ih_iqr", "Discretised intensity interquartile range", |h| {
        h.distribution.interquartile_range()
    }),
    Definition::new("5Z3W", "ih_range", "Discretised intensity range", |h| {
        h.distribution.maximum() - h.distribution.minimum()
    }),
    Definition::new("D2ZX", "ih_mad", "Intensity histogram mean absolute deviation", |h| {
        h.distribution.mean_absolute_deviation()
    }),
    Definition::new("WRZB", "ih_rmad", "Intensity histogram robust mean absolute deviation", |h| {
        h.distribution.robust_mean_absolute_deviation()
    }),
    Definition::new("4RNL", "ih_medad", "Intensity histogram median absolute deviation", |h| {
        h.distribution.median_absolute_deviation()
    }),
    Definition::new("CWYJ", "ih_cov", "Intensity histogram coefficient of variation", |h| {
        h.distribution.coefficient_of_variation()
    }),
    Definition::new("SLWD", "ih_qcod", "Intensity histogram quartile coefficient of dispersion", |h| {
        h.distribution.quartile_coefficient_of_dispersion()
    }),
    Definition::new("TLU2", "ih_entropy", "Discretised intensity entropy", LevelHistogram::entropy),
    Definition::new("BJ5W", "ih_uniformity", "Discretised intensity uniformity", LevelHistogram::uniformity),
    Definition::new("12CE", "ih_max_grad", "Maximum histogram gradient", |h| h.extreme(f64::gt).1),
    Definition::new("8E6O", "ih_max_grad_g", "Maximum histogram gradient intensity", |h| h.extreme(f64::gt).0),
    Definition::new("VQB3", "ih_min_grad", "Minimum histogram gradient", |h| h.extreme(f64::lt).1),
    Definition::new("RHQZ", "ih_min_grad_g", "Minimum histogram gradient intensity", |h| h.extreme(f64::lt).0),
];

/// The features of the levels of at least one voxel.
pub(crate) fn features(levels: &Levels) -> Vec<IbsiFeature> {
    evaluate(DEFINITIONS, IbsiFamily::IntensityHistogram, None, &LevelHistogram::new(levels))
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
