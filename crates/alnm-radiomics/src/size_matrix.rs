//! What the run length, size zone and dependence matrices have in common: counts by grey level and size.
//!
//! Symbols: P(i, j) the count of level i and size j, N = Σ P the number of runs, zones or voxels, p_g(i) and p_s(j) the
//! sums over sizes and levels.

use crate::entropy::{EPSILON, KnownInformation};

/// A count matrix of grey level × size, kept as its cells that are not 0, with the sums that the features are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct SizeMatrix {
    /// Level, size and count, ascending by level, then by size.
    cells: Vec<SizeCell>,
    /// p_g(i) of the levels that occur, ascending.
    by_level: Vec<Marginal>,
    /// p_s(j) of the sizes that occur, ascending.
    by_size: Vec<Marginal>,
    total: f64,
    level_sums: MarginalSums,
    size_sums: MarginalSums,
    /// Σ P(i, j) times 1 / (i² j²), i² / j², j² / i² and i² j².
    joint_sums: [f64; 4],
    entropy: f64,
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

/// A cell of the matrix of a window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowCell {
    pub(crate) level: u32,
    pub(crate) size: u32,
    pub(crate) count: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Marginal {
    value: f64,
    count: f64,
}

/// Sums over a marginal distribution p(k) of values k.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct MarginalSums {
    /// Σ p(k) times 1 / k², k², k and p(k).
    inverse_square: f64,
    square: f64,
    value: f64,
    count: f64,
}

/// 1 / k².
#[inline(always)]
fn inverse_square(k: f64) -> f64 {
    1.0 / (k * k)
}

impl MarginalSums {
    /// Four sums side by side, each in the order of the values.
    #[inline(always)]
    fn of(marginal: &[Marginal], inverse_square: impl Fn(f64) -> f64) -> Self {
        let mut sums = [0.0; 4];
        for &Marginal { value, count } in marginal {
            let factors = [inverse_square(value), value * value, value, count];
            for (sum, factor) in sums.iter_mut().zip(factors) {
                *sum += count * factor;
            }
        }
        let [inverse_square, square, value, count] = sums;
        Self { inverse_square, square, value, count }
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
    fn of(&self, level: u32, size: u32) -> [f64; 4] {
        if (size as usize) < self.sizes {
            return self.kept[level as usize * self.sizes + size as usize];
        }
        joint_factors(f64::from(level), f64::from(size))
    }
}

impl SizeMatrix {
    /// A matrix from its cells in ascending order of level, then size. Cells with count 0 are left out.
    pub(crate) fn new(cells: impl IntoIterator<Item = SizeCell>) -> Self {
        let mut matrix = Self::empty();
        let mut table = SizeTable::default();
        let joint_sums = matrix.take_cells(cells, &mut table, |cell| joint_factors(cell.level, cell.size));
        let mut known = KnownInformation::new(matrix.cells.len(), matrix.counted(), EPSILON);
        matrix.summarise(joint_sums, &mut table, |count| known.of(count));
        matrix
    }

    /// A matrix without cells.
    pub(crate) fn empty() -> Self {
        Self {
            cells: Vec::new(),
            by_level: Vec::new(),
            by_size: Vec::new(),
            total: 0.0,
            level_sums: MarginalSums::default(),
            size_sums: MarginalSums::default(),
            joint_sums: [0.0; 4],
            entropy: f64::NAN,
        }
    }

    /// Makes this the matrix of the counts of a window, in the memory that it has. `information` is p log₂(p + ε) by
    /// count, for the total of the counts.
    pub(crate) fn refill(
        &mut self,
        counted: impl Iterator<Item = WindowCell>,
        table: &mut WindowSizes,
        factors: &JointFactors,
        information: &[f64],
    ) {
        self.cells.clear();
        self.by_level.clear();
        let mut joint_sums = [0.0; 4];
        let mut of_cells = 0.0;
        let (mut total, mut of_level) = (0, WindowCell { level: 0, size: 0, count: 0 });
        for cell in counted {
            let count = f64::from(cell.count);
            self.cells.push(SizeCell { level: f64::from(cell.level), size: f64::from(cell.size), count });
            if cell.level != of_level.level {
                self.end_level(of_level);
                of_level = WindowCell { count: 0, ..cell };
            }
            of_level.count += cell.count;
            for (sum, factor) in joint_sums.iter_mut().zip(factors.of(cell.level, cell.size)) {
                *sum += count * factor;
            }
            table.counts[cell.size as usize] += cell.count;
            total += cell.count;
            of_cells += information[cell.count as usize];
        }
        self.end_level(of_level);
        table.take(&mut self.by_size);
        let inverse_square = |k: f64| factors.inverse_squares[k as usize];
        self.joint_sums = joint_sums;
        self.total = f64::from(total);
        self.level_sums = MarginalSums::of(&self.by_level, inverse_square);
        self.size_sums = MarginalSums::of(&self.by_size, inverse_square);
        self.entropy = if total == 0 { f64::NAN } else { -of_cells };
    }

    /// Takes the voxels of a level, of which there may be none.
    fn end_level(&mut self, of_level: WindowCell) {
        if of_level.count > 0 {
            self.by_level.push(Marginal { value: f64::from(of_level.level), count: f64::from(of_level.count) });
        }
    }

    /// Takes cells in ascending order of level, then size, in place of those that are there, and returns their joint
    /// sums.
    #[inline(always)]
    fn take_cells(
        &mut self,
        cells: impl IntoIterator<Item = SizeCell>,
        table: &mut SizeTable,
        factors: impl Fn(&SizeCell) -> [f64; 4],
    ) -> [f64; 4] {
        self.cells.clear();
        self.by_level.clear();
        let mut joint_sums = [0.0; 4];
        for cell in cells {
            let SizeCell { level, size, count } = cell;
            if count == 0.0 {
                continue;
            }
            self.cells.push(cell);
            match self.by_level.last_mut() {
                Some(last) if last.value == level => last.count += count,
                _ => self.by_level.push(Marginal { value: level, count }),
            }
            for (sum, factor) in joint_sums.iter_mut().zip(factors(&cell)) {
                *sum += count * factor;
            }
            table.add(size, count);
        }
        joint_sums
    }

    /// N of the cells that are there.
    fn counted(&self) -> f64 {
        self.by_level.iter().map(|level| level.count).sum()
    }

    /// The other sums over the cells that are there. `information` gives p log₂(p + ε) of the share p of a count.
    #[inline(always)]
    fn summarise(&mut self, joint_sums: [f64; 4], table: &mut SizeTable, information: impl FnMut(f64) -> f64) {
        self.joint_sums = joint_sums;
        table.take(&mut self.by_size);
        self.total = self.counted();
        self.level_sums = MarginalSums::of(&self.by_level, inverse_square);
        self.size_sums = MarginalSums::of(&self.by_size, inverse_square);
        let sum: f64 = self.cells.iter().map(|cell| cell.count).map(information).sum();
        self.entropy = if self.cells.is_empty() { f64::NAN } else { -sum };
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
        self.size_sums.inverse_square / self.total
    }

    /// Σ_j p_s(j) j² / N.
    pub(crate) fn large_emphasis(&self) -> f64 {
        self.size_sums.square / self.total
    }

    /// Σ_i p_g(i) / i² / N.
    pub(crate) fn low_level_emphasis(&self) -> f64 {
        self.level_sums.inverse_square / self.total
    }

    /// Σ_i p_g(i) i² / N.
    pub(crate) fn high_level_emphasis(&self) -> f64 {
        self.level_sums.square / self.total
    }

    /// Σ P(i, j) / (i² j²) / N.
    pub(crate) fn small_low_emphasis(&self) -> f64 {
        self.joint_sums[0] / self.total
    }

    /// Σ P(i, j) i² / j² / N.
    pub(crate) fn small_high_emphasis(&self) -> f64 {
        self.joint_sums[1] / self.total
    }

    /// Σ P(i, j) j² / i² / N.
    pub(crate) fn large_low_emphasis(&self) -> f64 {
        self.joint_sums[2] / self.total
    }

    /// Σ P(i, j) i² j² / N.
    pub(crate) fn large_high_emphasis(&self) -> f64 {
        self.joint_sums[3] / self.total
    }

    /// Σ_i p_g(i)² / N.
    pub(crate) fn level_non_uniformity(&self) -> f64 {
        self.level_sums.count / self.total
    }

    /// Σ_i p_g(i)² / N².
    pub(crate) fn level_non_uniformity_normalised(&self) -> f64 {
        self.level_sums.count / (self.total * self.total)
    }

    /// Σ_j p_s(j)² / N.
    pub(crate) fn size_non_uniformity(&self) -> f64 {
        self.size_sums.count / self.total
    }

    /// Σ_j p_s(j)² / N².
    pub(crate) fn size_non_uniformity_normalised(&self) -> f64 {
        self.size_sums.count / (self.total * self.total)
    }

    /// N / Σ_j p_s(j) j: runs or zones for each voxel.
    pub(crate) fn percentage(&self) -> f64 {
        self.total / self.size_sums.value
    }

    /// Variance of the level.
    pub(crate) fn level_variance(&self) -> f64 {
        variance(&self.by_level, &self.level_sums, self.total)
    }

    /// Variance of the size.
    pub(crate) fn size_variance(&self) -> f64 {
        variance(&self.by_size, &self.size_sums, self.total)
    }

    /// -Σ (P / N) log₂(P / N + ε).
    pub(crate) fn entropy(&self) -> f64 {
        self.entropy
    }

    /// Σ (P / N)².
    pub(crate) fn energy(&self) -> f64 {
        self.cells.iter().map(|cell| (cell.count / self.total).powi(2)).sum()
    }
}

/// Σ p(k) (k - μ)² / N with μ = Σ p(k) k / N.
fn variance(marginal: &[Marginal], sums: &MarginalSums, total: f64) -> f64 {
    let mean = sums.value / total;
    marginal.iter().map(|entry| entry.count * ((entry.value - mean) * (entry.value - mean))).sum::<f64>() / total
}

/// Counts by size of a window, in memory that one window after the other uses.
#[derive(Debug, Default)]
pub(crate) struct WindowSizes {
    counts: Vec<u32>,
}

impl WindowSizes {
    /// Makes room for sizes up to `largest`.
    pub(crate) fn resize(&mut self, largest: usize) {
        self.counts.resize(largest + 1, 0);
    }

    /// Puts the counts in ascending order of size in place of what `by_size` holds, and leaves none.
    fn take(&mut self, by_size: &mut Vec<Marginal>) {
        by_size.clear();
        for (size, count) in self.counts.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
            by_size.push(Marginal { value: size as f64, count: f64::from(std::mem::take(count)) });
        }
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

    /// Puts the sums in ascending order of size in place of what `by_size` holds, and leaves the table empty.
    fn take(&mut self, by_size: &mut Vec<Marginal>) {
        by_size.clear();
        for (size, count) in self.small.iter_mut().enumerate().filter(|(_, count)| **count > 0.0) {
            by_size.push(Marginal { value: size as f64, count: std::mem::take(count) });
        }
        self.large.sort_by(|a, b| a.value.total_cmp(&b.value));
        for same in self.large.chunk_by(|a, b| a.value == b.value) {
            by_size.push(Marginal { value: same[0].value, count: same.iter().map(|entry| entry.count).sum() });
        }
        self.large.clear();
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
