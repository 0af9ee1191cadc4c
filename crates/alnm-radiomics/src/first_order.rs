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
use crate::summation::{sum, sum_of, sums_of};
use crate::tally::Tally;

/// Grey values of a region with the summary that the features need.
#[derive(Debug, Clone)]
pub struct FirstOrder {
    values: Vec<f64>,
    shift: f64,
    voxel_volume: f64,
    mean: f64,
    minimum: f64,
    maximum: f64,
    /// Second, third and fourth moment about the mean.
    moments: [f64; 3],
    /// Σ |X - μ| / N.
    mean_absolute_deviation: f64,
    /// Σ (X + c)².
    energy: f64,
    p10: f64,
    p25: f64,
    median: f64,
    p75: f64,
    p90: f64,
    /// -Σ p_i log₂(p_i + ε).
    entropy: f64,
    /// Σ p_i².
    uniformity: f64,
}

impl FirstOrder {
    /// The values of a region, their grey `levels`, the `shift` added to values in energies (`voxelArrayShift`) and the
    /// volume of a voxel in mm³.
    pub fn new(values: &[f64], levels: &[u32], shift: f64, voxel_volume: f64) -> Self {
        let mut region = Self::empty(shift, voxel_volume);
        let mut information = |count: usize| information(count as f64 / levels.len() as f64);
        region.refill(values.iter().copied(), Ranks::of(values), level_counts(levels), &mut information);
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

    /// Makes this the region of other values, whose percentiles and numbers of voxels by level, ascending, are known, in
    /// the memory that it has. `information` gives p log₂(p + ε) of the share p of a number of voxels.
    pub(crate) fn refill(
        &mut self,
        values: impl Iterator<Item = f64>,
        percentiles: [f64; 5],
        level_counts: impl Iterator<Item = usize>,
        information: &mut dyn FnMut(usize) -> f64,
    ) {
        self.values.clear();
        self.values.extend(values);
        [self.p10, self.p25, self.median, self.p75, self.p90] = percentiles;
        let count = self.values.len() as f64;
        let (mut entropy, mut uniformity) = (0.0, 0.0);
        for voxels in level_counts {
            let share = voxels as f64 / count;
            entropy += information(voxels);
            uniformity += share * share;
        }
        (self.entropy, self.uniformity) = (-entropy, uniformity);
        self.summarise();
    }

    /// Extremes and sums of the values.
    fn summarise(&mut self) {
        let values = self.values.as_slice();
        let extremes = Extremes::of(values).map(|extremes| [extremes.low, extremes.high]);
        [self.minimum, self.maximum] = extremes.unwrap_or([f64::INFINITY, f64::NEG_INFINITY]);
        let count = values.len() as f64;
        let shift = self.shift;
        let [total, energy] = sums_of(values, |x| [x, (x + shift) * (x + shift)]);
        let mean = total / count;
        let squared = |x: f64| (x - mean) * (x - mean);
        let about_mean =
            |x: f64| [squared(x), squared(x) * (x - mean), squared(x) * squared(x), (x - mean).abs()];
        let [second, third, fourth, absolute] = sums_of(values, about_mean).map(|sum| sum / count);
        self.mean = mean;
        self.energy = energy;
        self.moments = [second, third, fourth];
        self.mean_absolute_deviation = absolute;
    }

    fn count(&self) -> f64 {
        self.values.len() as f64
    }

    /// The second moment, 1 where it is 0, as a divisor.
    fn variance_as_divisor(&self) -> f64 {
        let [variance, ..] = self.moments;
        if variance == 0.0 { 1.0 } else { variance }
    }

    /// Mean absolute deviation of the values between the 10th and the 90th percentile; NaN when there is none.
    fn robust_mean_absolute_deviation(&self) -> f64 {
        let inside = |x: f64| !(x - self.p10 < 0.0 || x - self.p90 > 0.0);
        let kept: Vec<f64> = self.values.iter().copied().filter(|&x| inside(x)).collect();
        let mean = sum(&kept) / kept.len() as f64;
        sum_of(&kept, |x| (x - mean).abs()) / kept.len() as f64
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

    /// Percentiles of the values, of which there is at least one. Values are put into intervals first, so that only
    /// those in the interval of a rank have to be ordered.
    fn of(values: &[f64]) -> [f64; 5] {
        let (low, high) = Extremes::of(values).map_or((0.0, 0.0), |extremes| (extremes.low, extremes.high));
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
                near.extend(block.iter().zip(&of_block).filter(|(_, of)| wanted[**of as usize]).map(|(&value, _)| value));
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

/// The number of voxels of each level that occurs, ascending by level.
fn level_counts(levels: &[u32]) -> impl Iterator<Item = usize> {
    let mut tally = Tally::new(levels.iter().max().map_or(0, |&highest| highest as usize + 1));
    tally.count(levels);
    let counts: Vec<u32> = tally.counts().filter(|&count| count > 0).collect();
    counts.into_iter().map(|count| count as usize)
}

/// The features of the class in the order of PyRadiomics' columns: name, IBSI code where the definition is the same, and
/// the formula over a [`FirstOrder`].
pub const FORMULAS: &[Formula<FirstOrder>] = &[
    Formula::new("10Percentile", Some("QG58"), |f| f.p10),
    Formula::new("90Percentile", Some("8DWT"), |f| f.p90),
    Formula::new("Energy", Some("N8CA"), |f| f.energy),
    Formula::new("Entropy", Some("TLU2"), |f| f.entropy),
    Formula::new("InterquartileRange", Some("SALO"), |f| f.p75 - f.p25),
    // IBSI (code IPH6) subtracts 3.
    Formula::new("Kurtosis", None, |f| f.moments[2] / f.variance_as_divisor().powi(2)),
    Formula::new("Maximum", Some("84IY"), |f| f.maximum),
    Formula::new("MeanAbsoluteDeviation", Some("4FUA"), |f| f.mean_absolute_deviation),
    Formula::new("Mean", Some("Q4LE"), |f| f.mean),
    Formula::new("Median", Some("Y12H"), |f| f.median),
    Formula::new("Minimum", Some("1GSF"), |f| f.minimum),
    Formula::new("Range", Some("2OJQ"), |f| f.maximum - f.minimum),
    Formula::new("RobustMeanAbsoluteDeviation", Some("1128"), FirstOrder::robust_mean_absolute_deviation),
    Formula::new("RootMeanSquared", Some("5ZWQ"), |f| (f.energy / f.count()).sqrt()),
    Formula::new("Skewness", Some("KE2M"), |f| f.moments[1] / f.variance_as_divisor().powf(1.5)),
    Formula::deprecated("StandardDeviation", None, |f| f.moments[0].sqrt()),
    Formula::new("TotalEnergy", None, |f| f.energy * f.voxel_volume),
    Formula::new("Uniformity", Some("BJ5W"), |f| f.uniformity),
    Formula::new("Variance", Some("ECT3"), |f| f.moments[0].sqrt().powi(2)),
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
            prop_assert_eq!(Ranks::of(&values), expected);
        }
    }

    #[test]
    fn values_of_a_small_region() {
        // numpy 1.26.4: x = [1, 2, 2, 5, 9]; x.mean(), x.var(), np.percentile(x, 90),
        // ((x-x.mean())**3).mean()/x.var()**1.5
        let region = FirstOrder::new(&[5.0, 1.0, 2.0, 9.0, 2.0], &[1, 1, 1, 1, 2], 0.0, 2.0);
        let value = |name: &str| FORMULAS.iter().find(|f| f.name == name).map(|f| (f.value)(&region)).unwrap();
        approx::assert_relative_eq!(value("Mean"), 3.8);
        approx::assert_relative_eq!(value("Variance"), 8.56, max_relative = 1e-14);
        approx::assert_relative_eq!(value("90Percentile"), 7.4, max_relative = 1e-14);
        approx::assert_relative_eq!(value("Skewness"), 0.8682180138565586, max_relative = 1e-12);
        approx::assert_relative_eq!(value("TotalEnergy"), 230.0);
        approx::assert_relative_eq!(value("Uniformity"), 0.68, max_relative = 1e-14);
    }
}
