//! What the run length, size zone and dependence matrices have in common: counts by grey level and size.
//!
//! Symbols: P(i, j) the count of level i and size j, N = Σ P the number of runs, zones or voxels, p_g(i) and p_s(j) the
//! sums over sizes and levels.

use crate::entropy::{EPSILON, KnownInformation};

/// A count matrix of grey level × size, kept as its cells that are not 0, with the features that are made of them.
#[derive(Debug, Clone, PartialEq)]
pub struct SizeMatrix {
    /// Level, size and count, ascending by level, then by size.
    cells: Vec<SizeCell>,
    total: f64,
    /// By [`SizeFeature`].
    features: [f64; SizeFeature::COUNT],
}

/// One cell of a [`SizeMatrix`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct SizeCell {
    /// Grey level i.
    pub level: f64,
    /// Size j, a whole number: length of a run, voxels of a zone, dependent neighbours + 1.
    pub size: f64,
    /// P(i, j).
    pub count: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Marginal {
    value: f64,
    count: f64,
}

/// What features are made of a matrix; the methods of [`SizeMatrix`] say how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SizeFeature {
    SmallEmphasis,
    LargeEmphasis,
    LowLevelEmphasis,
    HighLevelEmphasis,
    SmallLowEmphasis,
    SmallHighEmphasis,
    LargeLowEmphasis,
    LargeHighEmphasis,
    LevelNonUniformity,
    LevelNonUniformityNormalised,
    SizeNonUniformity,
    SizeNonUniformityNormalised,
    Percentage,
    LevelVariance,
    SizeVariance,
    Entropy,
    Energy,
}

impl SizeFeature {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::Energy as usize + 1;
}

/// Sums over matrices that lie side by side, each in the order of its cells: a cell that a matrix does not have adds 0.
#[derive(Debug, Clone)]
pub(crate) struct SizeSums<const N: usize> {
    /// N.
    pub(crate) total: [f64; N],
    pub(crate) levels: MarginalSums<N>,
    pub(crate) sizes: MarginalSums<N>,
    /// Σ P(i, j) times 1 / (i² j²), i² / j², j² / i² and i² j².
    pub(crate) joint: [[f64; N]; 4],
    /// Σ (P / N) log₂(P / N + ε).
    pub(crate) information: [f64; N],
    /// Σ (P / N)².
    pub(crate) energy: [f64; N],
}

/// Sums over a marginal distribution p(k) of values k.
#[derive(Debug, Clone)]
pub(crate) struct MarginalSums<const N: usize> {
    /// Σ p(k) times 1 / k², k², k and p(k).
    inverse_square: [f64; N],
    square: [f64; N],
    value: [f64; N],
    count: [f64; N],
    /// Σ p(k) (k - μ)² with μ = Σ p(k) k / N.
    spread: [f64; N],
}

/// 1 / k².
#[inline(always)]
fn inverse_square(k: f64) -> f64 {
    1.0 / (k * k)
}

impl<const N: usize> MarginalSums<N> {
    pub(crate) const ZERO: Self =
        Self { inverse_square: [0.0; N], square: [0.0; N], value: [0.0; N], count: [0.0; N], spread: [0.0; N] };

    /// Adds the p(k) of a value k, of which 1 / k² is given.
    #[inline(always)]
    pub(crate) fn add(&mut self, value: f64, inverse_square: f64, counts: &[f64; N]) {
        for (n, &count) in counts.iter().enumerate() {
            self.inverse_square[n] += count * inverse_square;
            self.square[n] += count * (value * value);
            self.value[n] += count * value;
            self.count[n] += count * count;
        }
    }

    /// μ, once all values have been added.
    #[inline(always)]
    pub(crate) fn means(&self, totals: &[f64; N]) -> [f64; N] {
        std::array::from_fn(|n| self.value[n] / totals[n])
    }

    /// Adds the p(k) of a value k to the spread about the means.
    #[inline(always)]
    pub(crate) fn add_spread(&mut self, value: f64, counts: &[f64; N], means: &[f64; N]) {
        for (n, (&count, mean)) in counts.iter().zip(means).enumerate() {
            self.spread[n] += count * ((value - mean) * (value - mean));
        }
    }
}

impl MarginalSums<1> {
    fn of(marginal: &[Marginal], total: f64) -> Self {
        let mut sums = Self::ZERO;
        for &Marginal { value, count } in marginal {
            sums.add(value, inverse_square(value), &[count]);
        }
        let means = sums.means(&[total]);
        for &Marginal { value, count } in marginal {
            sums.add_spread(value, &[count], &means);
        }
        sums
    }
}

impl<const N: usize> SizeSums<N> {
    pub(crate) const ZERO: Self = Self {
        total: [0.0; N],
        levels: MarginalSums::ZERO,
        sizes: MarginalSums::ZERO,
        joint: [[0.0; N]; 4],
        information: [0.0; N],
        energy: [0.0; N],
    };

    /// Adds the counts of a level and a size that have these joint factors.
    #[inline(always)]
    pub(crate) fn add_joint(&mut self, factors: [f64; 4], counts: &[f64; N]) {
        for (sums, factor) in self.joint.iter_mut().zip(factors) {
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count * factor;
            }
        }
    }

    /// The features of each matrix, by [`SizeFeature`]; what is not defined is NaN.
    #[inline(always)]
    pub(crate) fn features(&self) -> [[f64; N]; SizeFeature::COUNT] {
        let Self { total, levels, sizes, joint, information, energy } = self;
        let mean = |sums: &[f64; N]| -> [f64; N] { std::array::from_fn(|n| sums[n] / total[n]) };
        let normalised = |sums: &[f64; N]| -> [f64; N] { std::array::from_fn(|n| sums[n] / (total[n] * total[n])) };
        let mut features = [[0.0; N]; SizeFeature::COUNT];
        let mut set = |feature: SizeFeature, values: [f64; N]| features[feature as usize] = values;
        set(SizeFeature::SmallEmphasis, mean(&sizes.inverse_square));
        set(SizeFeature::LargeEmphasis, mean(&sizes.square));
        set(SizeFeature::LowLevelEmphasis, mean(&levels.inverse_square));
        set(SizeFeature::HighLevelEmphasis, mean(&levels.square));
        set(SizeFeature::SmallLowEmphasis, mean(&joint[0]));
        set(SizeFeature::SmallHighEmphasis, mean(&joint[1]));
        set(SizeFeature::LargeLowEmphasis, mean(&joint[2]));
        set(SizeFeature::LargeHighEmphasis, mean(&joint[3]));
        set(SizeFeature::LevelNonUniformity, mean(&levels.count));
        set(SizeFeature::LevelNonUniformityNormalised, normalised(&levels.count));
        set(SizeFeature::SizeNonUniformity, mean(&sizes.count));
        set(SizeFeature::SizeNonUniformityNormalised, normalised(&sizes.count));
        set(SizeFeature::Percentage, std::array::from_fn(|n| total[n] / sizes.value[n]));
        set(SizeFeature::LevelVariance, mean(&levels.spread));
        set(SizeFeature::SizeVariance, mean(&sizes.spread));
        set(SizeFeature::Entropy, std::array::from_fn(|n| if total[n] == 0.0 { f64::NAN } else { -information[n] }));
        set(SizeFeature::Energy, *energy);
        features
    }
}

/// Sizes below are added up in a table, others are put in order.
const TABLE_SIZES: usize = 1024;

/// What a count of a level and a size is multiplied by in the sums over cells: 1 / (i² j²), i² / j², j² / i² and i² j².
#[inline(always)]
fn joint_factors(level: f64, size: f64) -> [f64; 4] {
    [
        1.0 / (level * level * size * size),
        level * level / (size * size),
        size * size / (level * level),
        level * level * size * size,
    ]
}

/// The factors of the sums over cells, kept by level and size: where features of many windows are computed, the same
/// come again and again, and divisions take most of the time.
#[derive(Debug)]
pub(crate) struct JointFactors {
    /// Sizes of a level that are kept, from 0.
    sizes: usize,
    kept: Vec<[f64; 4]>,
    /// 1 / k² of levels and sizes.
    inverse_squares: Vec<f64>,
}

impl JointFactors {
    /// Sizes that are kept at most; larger ones are few in a window.
    const MOST_SIZES: usize = 32;

    /// Factors of levels up to `highest` and of sizes up to `largest`.
    pub(crate) fn new(highest: u32, largest: usize) -> Self {
        let sizes = largest.min(Self::MOST_SIZES) + 1;
        let of_level = |level: u32| (0..sizes).map(move |size| joint_factors(f64::from(level), size as f64));
        let inverse_square = |k: usize| inverse_square(k as f64);
        Self {
            sizes,
            kept: (0..=highest).flat_map(of_level).collect(),
            inverse_squares: (0..=largest.max(highest as usize)).map(inverse_square).collect(),
        }
    }

    /// The factors of a cell, whose level and size are whole numbers.
    #[inline(always)]
    pub(crate) fn of(&self, level: u32, size: u32) -> [f64; 4] {
        if (size as usize) < self.sizes {
            return self.kept[level as usize * self.sizes + size as usize];
        }
        joint_factors(f64::from(level), f64::from(size))
    }

    /// 1 / k² of a level or a size.
    #[inline(always)]
    pub(crate) fn inverse_square(&self, k: u32) -> f64 {
        self.inverse_squares[k as usize]
    }
}

impl SizeMatrix {
    /// A matrix from its cells in ascending order of level, then size. Cells with count 0 are left out.
    pub(crate) fn new(cells: impl IntoIterator<Item = SizeCell>) -> Self {
        let mut kept: Vec<SizeCell> = Vec::new();
        let mut by_level: Vec<Marginal> = Vec::new();
        let mut table = SizeTable::default();
        let mut sums = SizeSums::<1>::ZERO;
        for cell in cells {
            let SizeCell { level, size, count } = cell;
            if count == 0.0 {
                continue;
            }
            kept.push(cell);
            match by_level.last_mut() {
                Some(last) if last.value == level => last.count += count,
                _ => by_level.push(Marginal { value: level, count }),
            }
            sums.add_joint(joint_factors(level, size), &[count]);
            table.add(size, count);
        }
        let total: f64 = by_level.iter().map(|level| level.count).sum();
        let mut known = KnownInformation::new(kept.len(), total, EPSILON);
        let counts = || kept.iter().map(|cell| cell.count);
        sums.total = [total];
        sums.levels = MarginalSums::of(&by_level, total);
        sums.sizes = MarginalSums::of(&table.ascending(), total);
        sums.information = [counts().map(|count| known.of(count)).sum()];
        sums.energy = [counts().map(|count| (count / total).powi(2)).sum()];
        let mut matrix = Self::of_features(sums.features().map(|[value]| value));
        (matrix.cells, matrix.total) = (kept, total);
        matrix
    }

    /// A matrix of which nothing is known but its features.
    pub(crate) fn of_features(features: [f64; SizeFeature::COUNT]) -> Self {
        Self { cells: Vec::new(), total: f64::NAN, features }
    }

    fn feature(&self, feature: SizeFeature) -> f64 {
        self.features[feature as usize]
    }

    /// The cells that are not 0, ascending by level, then by size.
    #[must_use]
    pub fn cells(&self) -> &[SizeCell] {
        &self.cells
    }

    /// N: the number of runs, zones or voxels.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.total
    }

    /// Σ_j p_s(j) / j² / N.
    pub(crate) fn small_emphasis(&self) -> f64 {
        self.feature(SizeFeature::SmallEmphasis)
    }

    /// Σ_j p_s(j) j² / N.
    pub(crate) fn large_emphasis(&self) -> f64 {
        self.feature(SizeFeature::LargeEmphasis)
    }

    /// Σ_i p_g(i) / i² / N.
    pub(crate) fn low_level_emphasis(&self) -> f64 {
        self.feature(SizeFeature::LowLevelEmphasis)
    }

    /// Σ_i p_g(i) i² / N.
    pub(crate) fn high_level_emphasis(&self) -> f64 {
        self.feature(SizeFeature::HighLevelEmphasis)
    }

    /// Σ P(i, j) / (i² j²) / N.
    pub(crate) fn small_low_emphasis(&self) -> f64 {
        self.feature(SizeFeature::SmallLowEmphasis)
    }

    /// Σ P(i, j) i² / j² / N.
    pub(crate) fn small_high_emphasis(&self) -> f64 {
        self.feature(SizeFeature::SmallHighEmphasis)
    }

    /// Σ P(i, j) j² / i² / N.
    pub(crate) fn large_low_emphasis(&self) -> f64 {
        self.feature(SizeFeature::LargeLowEmphasis)
    }

    /// Σ P(i, j) i² j² / N.
    pub(crate) fn large_high_emphasis(&self) -> f64 {
        self.feature(SizeFeature::LargeHighEmphasis)
    }

    /// Σ_i p_g(i)² / N.
    pub(crate) fn level_non_uniformity(&self) -> f64 {
        self.feature(SizeFeature::LevelNonUniformity)
    }

    /// Σ_i p_g(i)² / N².
    pub(crate) fn level_non_uniformity_normalised(&self) -> f64 {
        self.feature(SizeFeature::LevelNonUniformityNormalised)
    }

    /// Σ_j p_s(j)² / N.
    pub(crate) fn size_non_uniformity(&self) -> f64 {
        self.feature(SizeFeature::SizeNonUniformity)
    }

    /// Σ_j p_s(j)² / N².
    pub(crate) fn size_non_uniformity_normalised(&self) -> f64 {
        self.feature(SizeFeature::SizeNonUniformityNormalised)
    }

    /// N / Σ_j p_s(j) j: runs or zones for each voxel.
    pub(crate) fn percentage(&self) -> f64 {
        self.feature(SizeFeature::Percentage)
    }

    /// Variance of the level: Σ_i p_g(i) (i - μ)² / N with μ = Σ_i p_g(i) i / N.
    pub(crate) fn level_variance(&self) -> f64 {
        self.feature(SizeFeature::LevelVariance)
    }

    /// Variance of the size: Σ_j p_s(j) (j - μ)² / N with μ = Σ_j p_s(j) j / N.
    pub(crate) fn size_variance(&self) -> f64 {
        self.feature(SizeFeature::SizeVariance)
    }

    /// -Σ (P / N) log₂(P / N + ε).
    pub(crate) fn entropy(&self) -> f64 {
        self.feature(SizeFeature::Entropy)
    }

    /// Σ (P / N)².
    pub(crate) fn energy(&self) -> f64 {
        self.feature(SizeFeature::Energy)
    }
}

/// Counts by size, added up in the order in which they come.
#[derive(Debug, Default)]
struct SizeTable {
    /// Counts of the sizes below [`TABLE_SIZES`], as far as any has come so far.
    small: Vec<f64>,
    large: Vec<Marginal>,
}

impl SizeTable {
    fn add(&mut self, size: f64, count: f64) {
        let place = size as usize;
        if let Some(sum) = self.small.get_mut(place) {
            *sum += count;
        } else if place < TABLE_SIZES {
            self.small.resize(place + 1, 0.0);
            self.small[place] = count;
        } else {
            self.large.push(Marginal { value: size, count });
        }
    }

    /// The sums in ascending order of size.
    fn ascending(mut self) -> Vec<Marginal> {
        let occurring = self.small.iter().enumerate().filter(|(_, count)| **count > 0.0);
        let mut by_size: Vec<Marginal> =
            occurring.map(|(size, &count)| Marginal { value: size as f64, count }).collect();
        self.large.sort_by(|a, b| a.value.total_cmp(&b.value));
        for same in self.large.chunk_by(|a, b| a.value == b.value) {
            by_size.push(Marginal { value: same[0].value, count: same.iter().map(|entry| entry.count).sum() });
        }
        by_size
    }
}

/// Cells of a dense matrix: one row for each level, the size of column j being j + 1.
pub(crate) fn dense_cells<T: Copy + Into<f64>>(gray_levels: &[u32], counts: &[T]) -> impl Iterator<Item = SizeCell> {
    let columns = counts.len() / gray_levels.len();
    gray_levels.iter().zip(counts.chunks_exact(columns)).flat_map(|(&level, row)| {
        row.iter().enumerate().map(move |(column, &count)| SizeCell {
            level: f64::from(level),
            size: (column + 1) as f64,
            count: count.into(),
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_are_those_of_the_definitions(cells in prop::collection::btree_map((1u32..40, 1u32..2000), 1u32..9, 0..60)) {
            let cells: Vec<SizeCell> = cells
                .into_iter()
                .map(|((level, size), count)| SizeCell { level: f64::from(level), size: f64::from(size), count: f64::from(count) })
                .collect();
            let matrix = SizeMatrix::new(cells.clone());
            let total: f64 = cells.iter().map(|cell| cell.count).sum();
            // Sums over levels and over cells are in the order of the cells; those over sizes are compared through
            // marginals that are made the obvious way.
            let by = |value: fn(&SizeCell) -> f64| {
                let mut values: Vec<f64> = cells.iter().map(value).collect();
                values.sort_by(f64::total_cmp);
                values.dedup();
                let count = |v: f64| cells.iter().filter(|cell| value(cell) == v).map(|cell| cell.count).sum::<f64>();
                values.into_iter().map(|v| (v, count(v))).collect::<Vec<(f64, f64)>>()
            };
            let mean = |marginal: &[(f64, f64)], term: &dyn Fn(f64) -> f64| marginal.iter().fold(0.0, |sum, &(v, count)| sum + count * term(v)) / total;
            let joint = |term: fn(f64, f64) -> f64| cells.iter().fold(0.0, |sum, cell| sum + cell.count * term(cell.level, cell.size)) / total;
            let (levels, sizes) = (by(|cell| cell.level), by(|cell| cell.size));
            let variance = |marginal: &[(f64, f64)]| {
                let middle = mean(marginal, &|v| v);
                mean(marginal, &|v| (v - middle) * (v - middle))
            };
            let expected = [
                mean(&sizes, &|j| 1.0 / (j * j)),
                mean(&sizes, &|j| j * j),
                mean(&levels, &|i| 1.0 / (i * i)),
                mean(&levels, &|i| i * i),
                joint(|i, j| 1.0 / (i * i * j * j)),
                joint(|i, j| i * i / (j * j)),
                joint(|i, j| j * j / (i * i)),
                joint(|i, j| i * i * j * j),
                levels.iter().fold(0.0, |sum, (_, count)| sum + count * count) / total,
                sizes.iter().fold(0.0, |sum, (_, count)| sum + count * count) / (total * total),
                total / sizes.iter().fold(0.0, |sum, (j, count)| sum + count * j),
                variance(&levels),
                variance(&sizes),
            ];
            let found = [
                matrix.small_emphasis(),
                matrix.large_emphasis(),
                matrix.low_level_emphasis(),
                matrix.high_level_emphasis(),
                matrix.small_low_emphasis(),
                matrix.small_high_emphasis(),
                matrix.large_low_emphasis(),
                matrix.large_high_emphasis(),
                matrix.level_non_uniformity(),
                matrix.size_non_uniformity_normalised(),
                matrix.percentage(),
                matrix.level_variance(),
                matrix.size_variance(),
            ];
            for (place, (found, expected)) in found.into_iter().zip(expected).enumerate() {
                prop_assert!(found == expected || (found.is_nan() && expected.is_nan()), "{place}: {found} {expected}");
            }
        }
    }
}
