//! Grey level co-occurrence matrix: how often levels i and j are neighbours.
//!
//! For each direction δ, P_δ(i, j) counts the voxels of level i whose neighbour at δ has level j. Made symmetric and
//! normalised it is p(i, j); features are computed for each direction and averaged, or, with a weighting, on the sum of
//! the weighted matrices. Haralick et al. 1973, doi 10.1109/TSMC.1973.4309314; IBSI section "Grey level co-occurrence".
//!
//! Symbols: `p_x(i)`, `p_y(j)` the row and column sums, μ their means, `p_{x+y}(k)` and `p_{x-y}(k)` the distributions
//! of i + j and |i - j|, ε = 2⁻⁵², `N_g` the highest level.
//!
//! The example of PyRadiomics' manual, pairs along the rows of one slice:
//!
//! ```
//! use alnm_radiomics::LevelMap;
//! use alnm_radiomics::glcm::pair_counts;
//! use ndarray::array;
//!
//! let levels = array![[[1_u32, 2, 5, 2, 3], [3, 2, 1, 3, 1], [1, 3, 5, 5, 2], [1, 1, 1, 1, 2], [1, 2, 4, 3, 5]]];
//! let map = LevelMap::new(levels.view(), 1)?;
//! let counts = pair_counts(&map, [0, 0, 1]);
//! let symmetric: Vec<u32> = (0..25).map(|cell| counts[cell] + counts[5 * (cell % 5) + cell / 5]).collect();
//! assert_eq!(symmetric, [
//!     6, 4, 3, 0, 0,
//!     4, 0, 2, 1, 3,
//!     3, 2, 0, 1, 2,
//!     0, 1, 1, 0, 0,
//!     0, 3, 2, 0, 2,
//! ]);
//! # Ok::<(), alnm_radiomics::RadiomicsError>(())
//! ```

mod matrix;
mod maximal_correlation;
mod sliding;
mod statistics;

use std::ops::Range;

use alnm_imaging::vectorised;
use rayon::prelude::*;

use crate::error::Result;
use crate::feature::{ClassValue, FeatureClass, Selection};
use crate::level_map::{Cell, LevelMap, Offset, WantedDirections, directions, in_groups, widened, with_cells};
use crate::tally::Tally;
use crate::weighting::WeightingNorm;
pub use matrix::CooccurrenceMatrix;
pub(crate) use matrix::CountCell;
pub(crate) use sliding::{SlidingCooccurrences, WindowDirections};
pub(crate) use statistics::{Definitions, JOINT_AVERAGE, MAXIMAL_CORRELATION};
pub use statistics::{FORMULAS, Statistics};

/// Levels up to which pairs are counted in a table, which then takes 16 MiB.
const MAXIMUM_LEVELS: usize = 2048;

/// Settings of the co-occurrence matrices.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `distances` | `[1]` | Chebyshev distances between neighbours, in voxels | above 0 |
/// | `fixed_axis` | none | the axis (0 = z, 1 = y, 2 = x) that neighbours do not step along | 0 to 2 |
/// | `symmetrical` | `true` | whether each pair is counted in both orders | |
/// | `weighting` | none | weights of the directions; without, features are averaged over directions | |
/// | `spacing` | 1 mm | distance of voxels (z, y, x) in mm, for the weights | above 0 |
#[derive(Debug, Clone, PartialEq)]
#[must_use]
#[non_exhaustive]
pub struct GlcmSettings {
    /// Chebyshev distances between neighbours, in voxels.
    pub distances: Vec<u32>,
    /// The axis (0 = z, 1 = y, 2 = x) that neighbours do not step along, for features by slice.
    pub fixed_axis: Option<usize>,
    /// Whether each pair is counted in both orders.
    pub symmetrical: bool,
    /// Weights of the directions; without, features are averaged over directions.
    pub weighting: Option<WeightingNorm>,
    /// Distance of voxels (z, y, x) in mm, for the weights.
    pub spacing: [f64; 3],
}

impl Default for GlcmSettings {
    fn default() -> Self {
        Self { distances: vec![1], fixed_axis: None, symmetrical: true, weighting: None, spacing: [1.0; 3] }
    }
}

impl GlcmSettings {
    /// Sets [`GlcmSettings::distances`].
    pub fn with_distances(self, distances: impl Into<Vec<u32>>) -> Self {
        Self { distances: distances.into(), ..self }
    }

    /// Sets [`GlcmSettings::fixed_axis`].
    pub fn with_fixed_axis(self, fixed_axis: Option<usize>) -> Self {
        Self { fixed_axis, ..self }
    }

    /// Sets [`GlcmSettings::symmetrical`].
    pub fn with_symmetrical(self, symmetrical: bool) -> Self {
        Self { symmetrical, ..self }
    }

    /// Sets [`GlcmSettings::weighting`].
    pub fn with_weighting(self, weighting: impl Into<Option<WeightingNorm>>) -> Self {
        Self { weighting: weighting.into(), ..self }
    }

    /// Sets [`GlcmSettings::spacing`].
    pub fn with_spacing(self, spacing: [f64; 3]) -> Self {
        Self { spacing, ..self }
    }
}

/// How often each pair of levels occurs at `offset`, row by row over the levels that occur.
#[must_use]
pub fn pair_counts(map: &LevelMap, offset: Offset) -> Vec<u32> {
    let columns = map.gray_levels.len() + 1;
    let mut scratch = Scratch::default();
    count_pairs(map, offset, &mut scratch);
    scratch.counts.chunks_exact(columns).skip(1).flat_map(|row| row[1..].iter().copied()).collect()
}

/// Memory that one direction after the other is worked on in.
#[derive(Debug, Default)]
struct Scratch {
    tally: Tally,
    /// Cells of the table that the pairs of a row are counted in.
    in_row: Vec<u32>,
    counts: Vec<u32>,
    cells: Vec<CountCell>,
}

/// [`pair_counts`] with a row and a column more in front: pairs with voxels outside the region are counted there, which
/// costs less than leaving them out. The counts are left in `scratch`.
fn count_pairs(map: &LevelMap, offset: Offset, scratch: &mut Scratch) {
    let columns = map.gray_levels.len() + 1;
    let Scratch { tally, in_row, counts, .. } = scratch;
    tally.clear(columns * columns);
    let step = map.step(offset);
    with_cells!(&map.cells, cells => {
        vectorised!(pulp::Arch::new(), tally_pairs(cells, &map.rows, step, columns as u32, in_row, tally));
    });
    counts.clear();
    counts.extend(tally.counts());
}

#[inline(always)]
fn tally_pairs<C: Cell>(
    cells: &[C],
    rows: &[Range<usize>],
    step: isize,
    columns: u32,
    in_row: &mut Vec<u32>,
    tally: &mut Tally,
) {
    for row in rows {
        let (levels, neighbours) = (&cells[row.clone()], LevelMap::neighbours(cells, row, step));
        if in_row.len() < row.len() {
            in_row.resize(row.len(), 0);
        }
        let in_row = &mut in_row[..row.len()];
        for ((cell, &level), &neighbour) in in_row.iter_mut().zip(levels).zip(neighbours) {
            *cell = level.into() * columns + neighbour.into();
        }
        tally.count(in_row);
    }
}

/// The cells that are not 0 of the counts at `offset`, in ascending order, each pair in both orders when `symmetrical`.
fn pair_cells<'a>(map: &LevelMap, offset: Offset, symmetrical: bool, scratch: &'a mut Scratch) -> &'a [CountCell] {
    if !fits_table(map) {
        scratch.cells.clear();
        sort_pair_cells(map, offset, symmetrical, &mut scratch.cells);
        return &scratch.cells;
    }
    count_pairs(map, offset, scratch);
    let Scratch { counts, cells, .. } = scratch;
    cells_of_table(counts, map.gray_levels.len(), symmetrical, cells);
    cells
}

/// Whether pairs are counted in a table. One with few entries takes longer to read than its entries take to sort.
pub(crate) fn fits_table(map: &LevelMap) -> bool {
    const SPARSE: usize = 16;
    let n = map.gray_levels.len();
    n <= MAXIMUM_LEVELS && map.voxel_count() * SPARSE >= n * n
}

/// The cells that are not 0 of a table of pairs of `n` levels, which has a row and a column more in front.
fn cells_of_table(counts: &[u32], n: usize, symmetrical: bool, cells: &mut Vec<CountCell>) {
    cells.clear();
    let columns = n + 1;
    for i in 1..=n {
        let row = &counts[i * columns..][..columns];
        for j in 1..=n {
            let count = row[j] + if symmetrical { counts[j * columns + i] } else { 0 };
            if count > 0 {
                cells.push((i as u32 - 1, j as u32 - 1, f64::from(count)));
            }
        }
    }
}

/// [`pair_cells`] without a table.
fn sort_pair_cells(map: &LevelMap, offset: Offset, symmetrical: bool, cells: &mut Vec<CountCell>) {
    let step = map.step(offset);
    let mut pairs: Vec<(u32, u32)> = Vec::with_capacity(2 * map.voxel_count());
    with_cells!(&map.cells, cells => for row in &map.rows {
        let neighbours = LevelMap::neighbours(cells, row, step);
        let both = cells[row.clone()].iter().zip(neighbours).map(|(&level, &neighbour)| (widened(level), widened(neighbour)));
        for (level, neighbour) in both.filter(|(_, neighbour): &(u32, u32)| *neighbour > 0) {
            pairs.push((level - 1, neighbour - 1));
            if symmetrical {
                pairs.push((neighbour - 1, level - 1));
            }
        }
    });
    pairs.sort_unstable();
    cells.extend(pairs.chunk_by(|a, b| a == b).map(|same| (same[0].0, same[0].1, same.len() as f64)));
}

/// The matrix of the pairs of a direction, counted in a table with a row and a column more in front; `None` where the
/// region has no neighbours in it. `cells` is room that is overwritten.
pub(crate) fn matrix_of_pairs(
    map: &LevelMap,
    offset: Offset,
    pairs: &[u32],
    symmetrical: bool,
    cells: &mut Vec<CountCell>,
) -> Option<CooccurrenceMatrix> {
    cells_of_table(pairs, map.gray_levels.len(), symmetrical, cells);
    CooccurrenceMatrix::new(map.gray_levels(), map.scale(), cells, Some(offset))
}

/// The matrices that the features are averaged over: one for each direction in which the region has neighbours, or,
/// with a weighting, the one weighted sum.
///
/// # Errors
/// [`crate::RadiomicsError::NoNeighbours`] when the region is smaller than every distance.
pub fn matrices(map: &LevelMap, settings: &GlcmSettings) -> Result<Vec<CooccurrenceMatrix>> {
    of_matrices(map, settings, |matrix| matrix)
}

/// What `evaluate` makes of each of the [`matrices`], in their order.
fn of_matrices<T: Send>(
    map: &LevelMap,
    settings: &GlcmSettings,
    evaluate: impl Fn(CooccurrenceMatrix) -> T + Sync,
) -> Result<Vec<T>> {
    let directions = directions(map.shape, &settings.distances, settings.fixed_axis)?;
    let Some(weighting) = settings.weighting else {
        let of_direction = |scratch: &mut Scratch, &offset: &Offset| {
            let cells = pair_cells(map, offset, settings.symmetrical, scratch);
            CooccurrenceMatrix::new(map.gray_levels(), map.scale(), cells, Some(offset)).map(&evaluate)
        };
        let together = if map.is_small() { directions.len() } else { 1 };
        let evaluated: Vec<Option<T>> =
            directions.par_iter().with_min_len(together).map_init(Scratch::default, of_direction).collect();
        return Ok(evaluated.into_iter().flatten().collect());
    };
    let mut cells: Vec<CountCell> = Vec::new();
    let mut scratch = Scratch::default();
    for offset in directions {
        // W = exp(-length²)
        let weight = weighting.length(offset, settings.spacing).map_or(1.0, |length| (-length * length).exp());
        let weighted = pair_cells(map, offset, settings.symmetrical, &mut scratch)
            .iter()
            .map(|&(i, j, count)| (i, j, weight * count));
        cells.extend(weighted);
    }
    // A stable sort keeps the directions in their order, and with it the rounding of the sums.
    cells.sort_by_key(|&(i, j, _)| (i, j));
    let total = |same: &[CountCell]| (same[0].0, same[0].1, same.iter().map(|(_, _, count)| count).sum());
    let summed: Vec<CountCell> = cells.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).map(total).collect();
    Ok(CooccurrenceMatrix::new(map.gray_levels(), map.scale(), &summed, None).map(evaluate).into_iter().collect())
}

/// The features of the matrices of several directions.
#[derive(Debug, Default)]
pub(crate) struct DirectionalStatistics {
    /// Of each direction in which the region has neighbours; empty where they are not wanted.
    pub(crate) each: Vec<Statistics>,
    /// Of the sum of the matrices; `None` where it is not wanted and where there are no neighbours.
    pub(crate) merged: Option<Statistics>,
}

/// The features of the symmetric matrices of `directions`, without the maximal correlation, by the definitions of the
/// IBSI: of each and of their sum, as `wanted`. Each direction is counted once.
pub(crate) fn directional_statistics(
    map: &LevelMap,
    directions: &[Offset],
    wanted: WantedDirections,
) -> DirectionalStatistics {
    let (levels, scale) = (map.gray_levels(), map.scale());
    let statistics = |cells: &[CountCell], direction| {
        let matrix = CooccurrenceMatrix::by(Definitions::Ibsi, levels, scale, cells, direction);
        matrix.map(|matrix| matrix.statistics(false))
    };
    let n = levels.len();
    let of_group = |group: &[Offset]| {
        let (mut scratch, mut each) = (Scratch::default(), Vec::new());
        // Sums of counts are exact, so that it does not matter how directions are put into groups.
        let mut total = vec![0.0; if wanted.merged { n * n } else { 0 }];
        for &offset in group {
            let cells = pair_cells(map, offset, true, &mut scratch);
            if wanted.each {
                each.extend(statistics(cells, Some(offset)));
            }
            if wanted.merged {
                for &(i, j, count) in cells {
                    total[i as usize * n + j as usize] += count;
                }
            }
        }
        (each, total)
    };
    let groups = in_groups(map, directions, of_group);
    let mut total = vec![0.0; if wanted.merged { n * n } else { 0 }];
    let mut each = Vec::new();
    for (of_group, counts) in groups {
        each.extend(of_group);
        total.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
    }
    let summed: Vec<CountCell> = (0..total.len())
        .filter(|&cell| total[cell] > 0.0)
        .map(|cell| ((cell / n) as u32, (cell % n) as u32, total[cell]))
        .collect();
    DirectionalStatistics { each, merged: statistics(&summed, None).filter(|_| wanted.merged) }
}

/// The values of the selected features of a region, in the order of the selection.
///
/// # Errors
/// As [`matrices`].
pub fn features(map: &LevelMap, settings: &GlcmSettings, selection: &Selection) -> Result<Vec<ClassValue>> {
    let with_correlation = selection.wants(MAXIMAL_CORRELATION, true);
    let statistics = of_matrices(map, settings, |matrix| matrix.statistics(with_correlation))?;
    selection.evaluate_mean(FeatureClass::Glcm, FORMULAS, &statistics)
}

/// The selected features as means over matrices.
pub(crate) fn means(matrices: &[CooccurrenceMatrix], selection: &Selection) -> Result<Vec<ClassValue>> {
    let with_correlation = selection.wants(MAXIMAL_CORRELATION, true);
    let statistics: Vec<Statistics> = matrices.iter().map(|matrix| matrix.statistics(with_correlation)).collect();
    selection.evaluate_mean(FeatureClass::Glcm, FORMULAS, &statistics)
}
