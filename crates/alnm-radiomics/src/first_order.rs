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
use alnm_imaging::{Extremes, Voxel, vectorised};

use crate::entropy::information;
use crate::error::Result;
use crate::feature::{ClassValue, FeatureClass, Formula, Selection};
use crate::grey_values::{GreyValues, with_values};
use crate::ibsi::definition::{intensity_histogram, statistics};
use crate::level_map::Cell;
use crate::summation::{sum_of, sum_of_next, sums_of};
use crate::tally::Tally;

/// Grey values of a region with the summary that the features need.
#[derive(Debug, Clone)]
pub struct FirstOrder {
    /// N.
    count: f64,
    deviations: Deviations,
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

/// Deviations for which all values are looked at once more, so that they are found only where they are wanted.
#[derive(Debug, Clone)]
enum Deviations {
    /// Of these values.
    Of(GreyValues),
    Known(KnownDeviations),
}

/// Deviations of values that are not kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KnownDeviations {
    /// Mean absolute deviation of the values between the 10th and the 90th percentile.
    pub(crate) robust: f64,
    /// Mean absolute deviation from the median.
    pub(crate) from_median: f64,
}

/// What a region is made of that is no sum over its values: its extremes, its percentiles at 10, 25, 50, 75 and 90
/// percent, and entropy and uniformity of its levels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) extremes: [f64; 2],
    pub(crate) percentiles: [f64; 5],
    pub(crate) entropy: f64,
    pub(crate) uniformity: f64,
}

/// Means over the values of a region.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Means {
    pub(crate) mean: f64,
    pub(crate) energy: f64,
    /// The means of [`about_mean`].
    pub(crate) about_mean: [f64; 4],
}

impl Means {
    /// Of values, to which `shift` is added in the energy.
    fn of<T: Voxel>(values: &[T], shift: f64) -> Self {
        let count = values.len() as f64;
        let [total, energy] = sums_of(values, |x| value_and_energy(x, shift));
        let mean = total / count;
        Self { mean, energy, about_mean: sums_of(values, |x| about_mean(x, mean)).map(|sum| sum / count) }
    }
}

/// The terms of the sum of values and of their energy.
#[inline(always)]
pub(crate) fn value_and_energy(x: f64, shift: f64) -> [f64; 2] {
    [x, (x + shift) * (x + shift)]
}

/// (x - μ)² to (x - μ)⁴ and |x - μ|.
#[inline(always)]
pub(crate) fn about_mean(x: f64, mean: f64) -> [f64; 4] {
    let difference = x - mean;
    let squared = difference * difference;
    [squared, squared * difference, squared * squared, difference.abs()]
}

/// Whether a value lies between the 10th and the 90th percentile.
#[inline(always)]
pub(crate) fn is_central(x: f64, p10: f64, p90: f64) -> bool {
    !((x - p10 < 0.0) | (x - p90 > 0.0))
}

impl FirstOrder {
    /// The values of a region, their grey `levels`, the `shift` added to values in energies (`voxelArrayShift`) and the
    /// volume of a voxel in mm³.
    pub fn new(values: &[f64], levels: &[u32], shift: f64, voxel_volume: f64) -> Self {
        Self::of(values.to_vec().into(), extremes(values), &level_counts(levels), shift, voxel_volume)
    }

    /// [`FirstOrder::new`] with values that it may keep, their smallest and largest, and the number of voxels of each
    /// level that occurs, ascending by level.
    pub(crate) fn of(
        values: GreyValues,
        extremes: [f64; 2],
        level_counts: &[u32],
        shift: f64,
        voxel_volume: f64,
    ) -> Self {
        let total = level_counts.iter().map(|&voxels| voxels as usize).sum::<usize>() as f64;
        let (count, percentiles) = with_values!(&values, values => (values.len(), Ranks::of(values, extremes)));
        let level_counts = level_counts.iter().map(|&voxels| voxels as usize);
        let order = Order::new(extremes, percentiles, count, level_counts, |count| information(count as f64 / total));
        Self::of_values(values, order, shift, voxel_volume)
    }

    /// A region of values whose order is known.
    pub(crate) fn of_values(values: GreyValues, order: Order, shift: f64, voxel_volume: f64) -> Self {
        let (count, means) = with_values!(&values, values => (values.len() as f64, Means::of(values, shift)));
        Self::with(count, Deviations::Of(values), means, order, voxel_volume)
    }

    /// A region of so many values of which everything is known.
    pub(crate) fn of_known(
        count: f64,
        deviations: KnownDeviations,
        means: Means,
        order: Order,
        voxel_volume: f64,
    ) -> Self {
        Self::with(count, Deviations::Known(deviations), means, order, voxel_volume)
    }

    fn with(count: f64, deviations: Deviations, means: Means, order: Order, voxel_volume: f64) -> Self {
        let Means { mean, energy, about_mean: [second, third, fourth, absolute] } = means;
        let [minimum, maximum] = order.extremes;
        let [p10, p25, median, p75, p90] = order.percentiles;
        Self {
            count,
            deviations,
            voxel_volume,
            mean,
            minimum,
            maximum,
            moments: [second, third, fourth],
            mean_absolute_deviation: absolute,
            energy,
            p10,
            p25,
            median,
            p75,
            p90,
            entropy: order.entropy,
            uniformity: order.uniformity,
        }
    }

    /// The values of a region as the reference manual of the IBSI takes them: without shift, and a flat region has no
    /// spread. PyRadiomics leaves what rounding makes of it.
    pub(crate) fn without_rounded_spread(values: Vec<f64>) -> Self {
        let extremes = extremes(&values);
        let mut distribution = Self::of(values.into(), extremes, &[], 0.0, 1.0);
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
        match &self.deviations {
            Deviations::Of(values) => {
                with_values!(values, values => sum_of(values, |x| (x - self.median).abs())) / self.count
            }
            Deviations::Known(deviations) => deviations.from_median,
        }
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
        match &self.deviations {
            Deviations::Of(values) => with_values!(values, values => self.robust_deviation_of(values)),
            Deviations::Known(deviations) => deviations.robust,
        }
    }

    fn robust_deviation_of<T: Voxel>(&self, values: &[T]) -> f64 {
        let central = CentralValues::new(values, [self.p10, self.p90]);
        let count = vectorised!(pulp::Arch::new(), central.count());
        let mean = central.sum_of(count, |x| x) / count as f64;
        central.sum_of(count, |x| (x - mean).abs()) / count as f64
    }
}

/// The values between the 10th and the 90th percentile, in their order. They are looked for a few at a time, so that
/// those of a large region need no memory of their own.
#[derive(Clone)]
struct CentralValues<'a, T> {
    remaining: &'a [T],
    p10: f64,
    p90: f64,
    /// Some that have been found, of which the first `given` have been given.
    found: Vec<f64>,
    given: usize,
}

impl<'a, T: Voxel> CentralValues<'a, T> {
    fn new(values: &'a [T], [p10, p90]: [f64; 2]) -> Self {
        Self { remaining: values, p10, p90, found: Vec::new(), given: 0 }
    }

    /// How many there are.
    #[inline(always)]
    fn count(&self) -> usize {
        self.remaining.iter().fold(0, |count, x| count + usize::from(is_central(x.to_f64(), self.p10, self.p90)))
    }

    /// The sum of a term of each of them.
    fn sum_of(&self, count: usize, term: impl Fn(f64) -> f64 + Copy) -> f64 {
        let mut remaining = self.clone();
        sum_of_next(count, &mut |room| remaining.fill(room), term)
    }

    /// Gives the next ones, of which there are enough for the room.
    fn fill(&mut self, mut room: &mut [f64]) {
        while !room.is_empty() {
            if self.given == self.found.len() {
                self.find();
            }
            let given = &self.found[self.given..];
            let (to, later) = room.split_at_mut(given.len().min(room.len()));
            to.copy_from_slice(&given[..to.len()]);
            self.given += to.len();
            room = later;
        }
    }

    /// Looks through the next block.
    fn find(&mut self) {
        let Self { remaining, p10, p90, found, given } = self;
        let (block, later) = remaining.split_at(BLOCK.min(remaining.len()));
        *remaining = later;
        found.resize(BLOCK, 0.0);
        // Without a branch, which would be guessed wrongly at every tenth value.
        let mut count = 0;
        for x in block.iter().map(|x| x.to_f64()) {
            found[count] = x;
            count += usize::from(is_central(x, *p10, *p90));
        }
        found.truncate(count);
        *given = 0;
    }
}

impl Order {
    /// Of `count` values: the numbers of voxels by level ascend by level, and `information` gives p log₂(p + ε) of the
    /// share p of a number of voxels.
    pub(crate) fn new(
        extremes: [f64; 2],
        percentiles: [f64; 5],
        count: usize,
        level_counts: impl Iterator<Item = usize>,
        information: impl Fn(usize) -> f64,
    ) -> Self {
        let (mut entropy, mut uniformity) = (0.0, 0.0);
        for voxels in level_counts {
            let share = voxels as f64 / count as f64;
            entropy += information(voxels);
            uniformity += share * share;
        }
        Self { extremes, percentiles, entropy: -entropy, uniformity }
    }
}

/// Where the percentiles at 10, 25, 50, 75 and 90 percent of a number of values lie among them in ascending order: the
/// place of the value below, and how far it is from there to the next one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PercentilePlaces {
    pub(crate) places: [(usize, f64); 5],
}

impl PercentilePlaces {
    /// Of `count` values, of which there is at least one.
    pub(crate) fn of(count: usize) -> Self {
        let last = count - 1;
        let places = Ranks::FRACTIONS.map(|fraction| {
            let rank = fraction * last as f64;
            // A rank is not below 0, so that cutting it off rounds it down.
            let below = rank as usize;
            (below, rank - below as f64)
        });
        Self { places }
    }
}

/// Values that are looked at together.
const BLOCK: usize = 512;

/// Order statistics at 10, 25, 50, 75 and 90 percent.
struct Ranks;

impl Ranks {
    const FRACTIONS: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 0.9];

    /// Percentiles of the values, of which there is at least one, between their extremes. Values are put into intervals
    /// first, so that only those in the interval of a rank have to be ordered.
    fn of<T: Voxel>(values: &[T], [low, high]: [f64; 2]) -> [f64; 5] {
        let intervals = (values.len() / 64).clamp(1, 4096);
        let scale = if high > low { intervals as f64 / (high - low) } else { 0.0 };
        let interval = |value: T| whole_part((value.to_f64() - low) * scale).min(intervals as i32 - 1) as u32;
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
                    block
                        .iter()
                        .zip(&of_block)
                        .filter(|(_, of)| wanted[**of as usize])
                        .map(|(value, _)| value.to_f64()),
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
#[inline(always)]
pub(crate) fn interpolate(low: f64, high: f64, part: f64) -> f64 {
    if part >= 0.5 { high - (high - low) * (1.0 - part) } else { low + (high - low) * part }
}

/// The smallest and the largest value.
pub(crate) fn extremes(values: &[f64]) -> [f64; 2] {
    Extremes::of(values).map_or([f64::INFINITY, f64::NEG_INFINITY], |extremes| [extremes.low, extremes.high])
}

/// The number of voxels of each level that occurs, ascending by level.
pub(crate) fn level_counts<C: Cell>(levels: &[C]) -> Vec<u32> {
    let mut tally = Tally::new(levels.iter().max().map_or(0, |&highest| highest.place() + 1));
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
    Formula::compliant("RootMeanSquared", statistics::ROOT_MEAN_SQUARE_INTENSITY, |f| (f.energy / f.count).sqrt()),
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
