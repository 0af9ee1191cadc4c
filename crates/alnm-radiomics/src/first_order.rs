//! First-order statistics: the distribution of grey values in the region.
//!
//! Symbols: X the values, N their number, c the shift of [`FirstOrder::new`], p_i the share of level i after
//! discretisation, ε = 2⁻⁵². IBSI sections "Intensity-based statistics" and "Intensity histogram". Percentiles
//! interpolate linearly between order statistics, as numpy does.
//!
//! ```
//! use alnm_radiomics::Selection;
//! use alnm_radiomics::first_order::{FirstOrder, features};
//!
//! // Four values with their grey levels, no shift, voxels of 1 mm³.
//! let region = FirstOrder::new(&[1.0, 2.0, 2.0, 5.0], &[1, 1, 1, 2], 0.0, 1.0);
//! let features = features(&region, &Selection::Named(vec!["Mean".to_owned(), "Uniformity".to_owned()]))?;
//! assert_eq!((features[0].value, features[1].value), (2.5, 0.625));
//! # Ok::<(), alnm_radiomics::RadiomicsError>(())
//! ```

use alnm_imaging::vector::whole_part;
use alnm_imaging::{Extremes, vectorised};

use crate::entropy::information;
use crate::error::Result;
use crate::feature::{ClassValue, FeatureClass, Formula, Selection};
use crate::ibsi::definition::{intensity_histogram, statistics};
use crate::summation::{sum, sum_of, sums_of};
use crate::tally::Tally;

/// Grey values of a region with the summary that the features need.
#[derive(Debug, Clone)]
pub struct FirstOrder {
    values: Vec<f64>,
    shift: f64,
    voxel_volume: f64,
    pub(crate) mean: f64,
    pub(crate) minimum: f64,
    pub(crate) maximum: f64,
    /// Second, third and fourth moment about the mean.
    pub(crate) moments: [f64; 3],
    /// Σ |X - μ| / N.
    mean_absolute_deviation: f64,
    /// Σ (X + c)².
    energy: f64,
    pub(crate) p10: f64,
    p25: f64,
    pub(crate) median: f64,
    p75: f64,
    pub(crate) p90: f64,
    /// -Σ p_i log₂(p_i + ε).
    entropy: f64,
    /// Σ p_i².
    uniformity: f64,
}

impl FirstOrder {
    /// The values of a region, their grey `levels`, the `shift` added to values in energies (`voxelArrayShift`) and the
    /// volume of a voxel in mm³.
    pub fn new(values: &[f64], levels: &[u32], shift: f64, voxel_volume: f64) -> Self {
        Self::of(values.to_vec(), extremes(values), &level_counts(levels), shift, voxel_volume)
    }

    /// [`FirstOrder::new`] with values that it may keep, their smallest and largest, and the number of voxels of each
    /// level that occurs, ascending by level.
    pub(crate) fn of(
        values: Vec<f64>,
        extremes: [f64; 2],
        level_counts: &[u32],
        shift: f64,
        voxel_volume: f64,
    ) -> Self {
        let total = level_counts.iter().map(|&voxels| voxels as usize).sum::<usize>() as f64;
        let percentiles = Ranks::of(&values, extremes);
        let mut region = Self { values, ..Self::empty(shift, voxel_volume) };
        let level_counts = level_counts.iter().map(|&voxels| voxels as usize);
        region.summarise(extremes, percentiles, level_counts, |count| information(count as f64 / total));
        region
    }

    /// A region without values.
    pub(crate) fn empty(shift: f64, voxel_volume: f64) -> Self {
        Self {
            values: Vec::new(),
            shift,
            voxel_volume,
            mean: f64::NAN,
            minimum: f64::NAN,
            maximum: f64::NAN,
            moments: [f64::NAN; 3],
            mean_absolute_deviation: f64::NAN,
            energy: f64::NAN,
            p10: f64::NAN,
            p25: f64::NAN,
            median: f64::NAN,
            p75: f64::NAN,
            p90: f64::NAN,
            entropy: f64::NAN,
            uniformity: f64::NAN,
        }
    }

    /// Makes this the region of the values that `fill` leaves, whose extremes, percentiles and numbers of voxels by
    /// level, ascending, are known, in the memory that it has. `information` gives p log₂(p + ε) of the share p of a
    /// number of voxels.
    pub(crate) fn refill(
        &mut self,
        fill: impl FnOnce(&mut Vec<f64>),
        extremes: [f64; 2],
        percentiles: [f64; 5],
        level_counts: impl Iterator<Item = usize>,
        information: impl Fn(usize) -> f64,
    ) {
        fill(&mut self.values);
        self.summarise(extremes, percentiles, level_counts, information);
    }

    /// Sums of the values that are there; the rest as [`FirstOrder::refill`].
    fn summarise(
        &mut self,
        extremes: [f64; 2],
        percentiles: [f64; 5],
        level_counts: impl Iterator<Item = usize>,
        information: impl Fn(usize) -> f64,
    ) {
        [self.p10, self.p25, self.median, self.p75, self.p90] = percentiles;
        let count = self.values.len() as f64;
        let (mut entropy, mut uniformity) = (0.0, 0.0);
        for voxels in level_counts {
            let share = voxels as f64 / count;
            entropy += information(voxels);
            uniformity += share * share;
        }
        (self.entropy, self.uniformity) = (-entropy, uniformity);
        [self.minimum, self.maximum] = extremes;
        let values = self.values.as_slice();
        let count = values.len() as f64;
        let shift = self.shift;
        let [total, energy] = sums_of(values, |x| [x, (x + shift) * (x + shift)]);
        let mean = total / count;
        let squared = |x: f64| (x - mean) * (x - mean);
        let about_mean = |x: f64| [squared(x), squared(x) * (x - mean), squared(x) * squared(x), (x - mean).abs()];
        let [second, third, fourth, absolute] = sums_of(values, about_mean).map(|sum| sum / count);
        self.mean = mean;
        self.energy = energy;
        self.moments = [second, third, fourth];
        self.mean_absolute_deviation = absolute;
    }

    /// The values of a region as the reference manual of the IBSI takes them: without shift, and a flat region has no
    /// spread. PyRadiomics leaves what rounding makes of it.
    pub(crate) fn without_rounded_spread(values: Vec<f64>) -> Self {
        let extremes = extremes(&values);
        let mut distribution = Self::of(values, extremes, &[], 0.0, 1.0);
        distribution.leave_out_rounded_spread();
        distribution
    }

    /// Takes the spread that rounding makes out of a flat region.
    pub(crate) fn leave_out_rounded_spread(&mut self) {
        if self.is_flat() {
            self.mean = self.minimum;
            self.moments = [0.0; 3];
            self.mean_absolute_deviation = 0.0;
        }
    }

    fn count(&self) -> f64 {
        self.values.len() as f64
    }

    /// The second moment, 1 where it is 0, as a divisor.
    fn variance_as_divisor(&self) -> f64 {
        let [variance, ..] = self.moments;
        if variance == 0.0 { 1.0 } else { variance }
    }

    /// The third moment over the 3/2 power of the second; 0 where the second is.
    pub(crate) fn skewness(&self) -> f64 {
        self.moments[1] / self.variance_as_divisor().powf(1.5)
    }

    /// P_75 - P_25.
    pub(crate) fn interquartile_range(&self) -> f64 {
        self.p75 - self.p25
    }

    /// Σ |X - μ| / N.
    pub(crate) fn mean_absolute_deviation(&self) -> f64 {
        self.mean_absolute_deviation
    }

    fn is_flat(&self) -> bool {
        self.minimum == self.maximum
    }

    /// The fourth moment over the square of the second, minus 3; 0 for a flat region.
    pub(crate) fn excess_kurtosis(&self) -> f64 {
        if self.is_flat() { 0.0 } else { self.moments[2] / (self.moments[0] * self.moments[0]) - 3.0 }
    }

    /// Σ |X - P_50| / N.
    pub(crate) fn median_absolute_deviation(&self) -> f64 {
        sum_of(&self.values, |x| (x - self.median).abs()) / self.count()
    }

    /// √variance / μ.
    pub(crate) fn coefficient_of_variation(&self) -> f64 {
        self.moments[0].sqrt() / self.mean
    }

    /// (P_75 - P_25) / (P_75 + P_25).
    pub(crate) fn quartile_coefficient_of_dispersion(&self) -> f64 {
        (self.p75 - self.p25) / (self.p75 + self.p25)
    }

    /// Mean absolute deviation of the values between the 10th and the 90th percentile; NaN when there is none.
    pub(crate) fn robust_mean_absolute_deviation(&self) -> f64 {
        // Few values have room without memory being asked for.
        match self.values.len() {
            0..=32 => self.robust_deviation_in(&mut [0.0; 32]),
            33..=128 => self.robust_deviation_in(&mut [0.0; 128]),
            129..=BLOCK => self.robust_deviation_in(&mut [0.0; BLOCK]),
            many => self.robust_deviation_in(&mut vec![0.0; many]),
        }
    }

    /// [`FirstOrder::robust_mean_absolute_deviation`] with room for the values.
    fn robust_deviation_in(&self, room: &mut [f64]) -> f64 {
        let inside = |x: f64| !(x - self.p10 < 0.0 || x - self.p90 > 0.0);
        // Without a branch, which would be guessed wrongly at every tenth value.
        let mut count = 0;
        for &x in &self.values {
            room[count] = x;
            count += usize::from(inside(x));
        }
        let kept = &room[..count];
        let mean = sum(kept) / kept.len() as f64;
        sum_of(kept, |x| (x - mean).abs()) / kept.len() as f64
    }
}

/// Percentiles of values in ascending order, of which `at` gives the one at a place and `count` is the number: at 10,
/// 25, 50, 75 and 90 percent.
pub(crate) fn percentiles_of_sorted(count: usize, at: impl Fn(usize) -> f64) -> [f64; 5] {
    Ranks::FRACTIONS.map(|fraction| {
        let rank = fraction * (count - 1) as f64;
        let below = rank.floor() as usize;
        let low = at(below);
        if below + 1 == count { low } else { interpolate(low, at(below + 1), rank - below as f64) }
    })
}

/// Values that are looked at together.
const BLOCK: usize = 512;

/// Order statistics at 10, 25, 50, 75 and 90 percent.
struct Ranks;

impl Ranks {
    const FRACTIONS: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 0.9];

    /// Percentiles of the values, of which there is at least one, between their extremes. Values are put into intervals
    /// first, so that only those in the interval of a rank have to be ordered.
    fn of(values: &[f64], [low, high]: [f64; 2]) -> [f64; 5] {
        let intervals = (values.len() / 64).clamp(1, 4096);
        let scale = if high > low { intervals as f64 / (high - low) } else { 0.0 };
        let interval = |value: f64| whole_part((value - low) * scale).min(intervals as i32 - 1) as u32;
        let mut tally = Tally::new(intervals);
        let mut of_block = [0; BLOCK];
        vectorised!(pulp::Arch::new(), {
            for block in values.chunks(BLOCK) {
                for (to, &value) in of_block.iter_mut().zip(block) {
                    *to = interval(value);
                }
                tally.count(&of_block[..block.len()]);
            }
        });
        let counts: Vec<usize> = tally.counts().map(|count| count as usize).collect();
        let ranks = Self::FRACTIONS.map(|fraction| fraction * (values.len() - 1) as f64);
        let mut wanted = vec![false; intervals];
        let mut place = 0;
        let mut before = 0;
        for below in ranks.map(|rank| rank.floor() as usize) {
            while before + counts[place] <= below {
                before += counts[place];
                place += 1;
            }
            wanted[place] = true;
            // The next value up may lie in a later interval.
            let next = (place + 1..intervals).find(|&later| counts[later] > 0);
            if let Some(next) = next.filter(|_| before + counts[place] <= below + 1) {
                wanted[next] = true;
            }
        }
        let near = (0..intervals).filter(|&interval| wanted[interval]).map(|interval| counts[interval]).sum();
        let mut near = Vec::with_capacity(near);
        vectorised!(pulp::Arch::new(), {
            for block in values.chunks(BLOCK) {
                for (to, &value) in of_block.iter_mut().zip(block) {
                    *to = interval(value);
                }
                near.extend(
                    block.iter().zip(&of_block).filter(|(_, of)| wanted[**of as usize]).map(|(&value, _)| value),
                );
            }
        });
        let mut start = 0;
        let (mut interval, mut left_out) = (0, 0);
        let mut before = 0;
        ranks.map(|rank| {
            let below = rank.floor() as usize;
            while before + counts[interval] <= below {
                left_out += if wanted[interval] { 0 } else { counts[interval] };
                before += counts[interval];
                interval += 1;
            }
            // Each selection leaves larger values to the right, where the next is made.
            let (_, low, above) = near[start..].select_nth_unstable_by(below - left_out - start, f64::total_cmp);
            let low = *low;
            let high = above.iter().copied().fold(f64::INFINITY, f64::min);
            start = below - left_out;
            if above.is_empty() { low } else { interpolate(low, high, rank - below as f64) }
        })
    }
}

/// Between two order statistics; numpy starts from the nearer one.
fn interpolate(low: f64, high: f64, part: f64) -> f64 {
    if part >= 0.5 { high - (high - low) * (1.0 - part) } else { low + (high - low) * part }
}

/// The smallest and the largest value.
pub(crate) fn extremes(values: &[f64]) -> [f64; 2] {
    Extremes::of(values).map_or([f64::INFINITY, f64::NEG_INFINITY], |extremes| [extremes.low, extremes.high])
}

/// The number of voxels of each level that occurs, ascending by level.
pub(crate) fn level_counts(levels: &[u32]) -> Vec<u32> {
    let mut tally = Tally::new(levels.iter().max().map_or(0, |&highest| highest as usize + 1));
    tally.count(levels);
    tally.counts().filter(|&count| count > 0).collect()
}

/// The features of the class in the order of PyRadiomics' columns: the
/// feature of the IBSI with the same definition, and the formula over a [`FirstOrder`].
pub const FORMULAS: &[Formula<FirstOrder>] = &[
    Formula::compliant("10Percentile", statistics::INTENSITY_PERCENTILE_10, |f| f.p10),
    Formula::compliant("90Percentile", statistics::INTENSITY_PERCENTILE_90, |f| f.p90),
    Formula::compliant("Energy", statistics::INTENSITY_BASED_ENERGY, |f| f.energy),
    Formula::compliant("Entropy", intensity_histogram::DISCRETISED_INTENSITY_ENTROPY, |f| f.entropy),
    Formula::compliant(
        "InterquartileRange",
        statistics::INTENSITY_INTERQUARTILE_RANGE,
        FirstOrder::interquartile_range,
    ),
    // The reference manual of the IBSI subtracts 3.
    Formula::deviating("Kurtosis", statistics::EXCESS_INTENSITY_KURTOSIS, |f| {
        f.moments[2] / f.variance_as_divisor().powi(2)
    }),
    Formula::compliant("Maximum", statistics::MAXIMUM_INTENSITY, |f| f.maximum),
    Formula::compliant(
        "MeanAbsoluteDeviation",
        statistics::INTENSITY_BASED_MEAN_ABSOLUTE_DEVIATION,
        FirstOrder::mean_absolute_deviation,
    ),
    Formula::compliant("Mean", statistics::MEAN_INTENSITY, |f| f.mean),
    Formula::compliant("Median", statistics::MEDIAN_INTENSITY, |f| f.median),
    Formula::compliant("Minimum", statistics::MINIMUM_INTENSITY, |f| f.minimum),
    Formula::compliant("Range", statistics::INTENSITY_RANGE, |f| f.maximum - f.minimum),
    Formula::compliant(
        "RobustMeanAbsoluteDeviation",
        statistics::INTENSITY_BASED_ROBUST_MEAN_ABSOLUTE_DEVIATION,
        FirstOrder::robust_mean_absolute_deviation,
    ),
    Formula::compliant("RootMeanSquared", statistics::ROOT_MEAN_SQUARE_INTENSITY, |f| (f.energy / f.count()).sqrt()),
    Formula::compliant("Skewness", statistics::INTENSITY_SKEWNESS, FirstOrder::skewness),
    Formula::pyradiomics_only("StandardDeviation", |f: &FirstOrder| f.moments[0].sqrt()).only_by_name(),
    Formula::pyradiomics_only("TotalEnergy", |f| f.energy * f.voxel_volume),
    Formula::compliant("Uniformity", intensity_histogram::DISCRETISED_INTENSITY_UNIFORMITY, |f| f.uniformity),
    Formula::compliant("Variance", statistics::INTENSITY_VARIANCE, |f| f.moments[0].sqrt().powi(2)),
    Formula::ibsi_only(statistics::EXCESS_INTENSITY_KURTOSIS, FirstOrder::excess_kurtosis),
    Formula::ibsi_only(statistics::INTENSITY_BASED_MEDIAN_ABSOLUTE_DEVIATION, FirstOrder::median_absolute_deviation),
    Formula::ibsi_only(statistics::INTENSITY_BASED_COEFFICIENT_OF_VARIATION, FirstOrder::coefficient_of_variation),
    Formula::ibsi_only(
        statistics::INTENSITY_BASED_QUARTILE_COEFFICIENT_OF_DISPERSION,
        FirstOrder::quartile_coefficient_of_dispersion,
    ),
];

/// The values of the selected features.
///
/// # Errors
/// [`ParameterError::Unknown`](crate::parameters::ParameterError::Unknown) for a feature that the class does not have.
pub fn features(region: &FirstOrder, selection: &Selection) -> Result<Vec<ClassValue>> {
    selection.evaluate(FeatureClass::FirstOrder, FORMULAS, region)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn percentiles_agree_with_sorting(values in prop::collection::vec(prop_oneof![-100.0f64..100.0, Just(7.0)], 1..600)) {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let expected = Ranks::FRACTIONS.map(|fraction| {
                let rank = fraction * (sorted.len() - 1) as f64;
                let below = rank.floor() as usize;
                interpolate(sorted[below], sorted[(below + 1).min(sorted.len() - 1)], rank - below as f64)
            });
            prop_assert_eq!(Ranks::of(&values, [sorted[0], sorted[sorted.len() - 1]]), expected);
        }
    }

    #[test]
    fn values_of_a_small_region() {
        // numpy 1.26.4: x = [1, 2, 2, 5, 9]; x.mean(), x.var(), np.percentile(x, 90),
        // ((x-x.mean())**3).mean()/x.var()**1.5
        let region = FirstOrder::new(&[5.0, 1.0, 2.0, 9.0, 2.0], &[1, 1, 1, 1, 2], 0.0, 2.0);
        let value = |name: &str| FORMULAS.iter().find(|f| f.name == Some(name)).map(|f| (f.value)(&region)).unwrap();
        approx::assert_relative_eq!(value("Mean"), 3.8);
        approx::assert_relative_eq!(value("Variance"), 8.56, max_relative = 1e-14);
        approx::assert_relative_eq!(value("90Percentile"), 7.4, max_relative = 1e-14);
        approx::assert_relative_eq!(value("Skewness"), 0.8682180138565586, max_relative = 1e-12);
        approx::assert_relative_eq!(value("TotalEnergy"), 230.0);
        approx::assert_relative_eq!(value("Uniformity"), 0.68, max_relative = 1e-14);
    }
}
