//! Grey level run length matrix: runs of neighbouring voxels of one level along a direction.
//!
//! P_δ(i, j) counts the runs of level i and length j along δ. Features are computed for each direction and averaged,
//! or, with a weighting, on the sum of the weighted matrices. Galloway 1975, doi 10.1016/S0146-664X(75)80008-6; IBSI
//! section "Grey level run length". The formulas are those of [`SizeMatrix`].
//!
//! The example of PyRadiomics' manual, runs along the rows of one slice; columns are lengths:
//!
//! ```
//! use alnm_radiomics::LevelMap;
//! use alnm_radiomics::glrlm::run_counts;
//! use ndarray::array;
//!
//! let levels = array![[[5_u32, 2, 5, 4, 4], [3, 3, 3, 1, 3], [2, 1, 1, 1, 3], [4, 2, 2, 2, 3], [3, 5, 3, 3, 2]]];
//! let map = LevelMap::new(levels.view(), 1)?;
//! assert_eq!(run_counts(&map, [0, 0, 1]), [
//!     1, 0, 1, 0, 0,
//!     3, 0, 1, 0, 0,
//!     4, 1, 1, 0, 0,
//!     1, 1, 0, 0, 0,
//!     3, 0, 0, 0, 0,
//! ]);
//! # Ok::<(), alnm_radiomics::RadiomicsError>(())
//! ```

use alnm_imaging::vectorised;
use rayon::prelude::*;

use crate::error::Result;
use crate::feature::{ClassValue, FeatureClass, Formula, Selection};
use crate::ibsi::definition::glrlm;
use crate::level_map::{Cell, LevelMap, Offset, WantedDirections, directions, in_groups, with_cells};
use crate::size_matrix::{SizeMatrix, dense_cells};
use crate::tally::Tally;
use crate::weighting::WeightingNorm;

/// Settings of the run length matrices.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `fixed_axis` | none | the axis (0 = z, 1 = y, 2 = x) that runs do not go along | 0 to 2 |
/// | `weighting` | none | weights of the directions; without, features are averaged over directions | |
/// | `spacing` | 1 mm | distance of voxels (z, y, x) in mm, for the weights | above 0 |
#[derive(Debug, Clone, PartialEq)]
#[must_use]
#[non_exhaustive]
pub struct GlrlmSettings {
    /// The axis (0 = z, 1 = y, 2 = x) that runs do not go along.
    pub fixed_axis: Option<usize>,
    /// Weights of the directions: the length of their step; without, features are averaged over directions.
    pub weighting: Option<WeightingNorm>,
    /// Distance of voxels (z, y, x) in mm, for the weights.
    pub spacing: [f64; 3],
}

impl Default for GlrlmSettings {
    fn default() -> Self {
        Self { fixed_axis: None, weighting: None, spacing: [1.0; 3] }
    }
}

impl GlrlmSettings {
    /// Sets [`GlrlmSettings::fixed_axis`].
    pub fn with_fixed_axis(self, fixed_axis: Option<usize>) -> Self {
        Self { fixed_axis, ..self }
    }

    /// Sets [`GlrlmSettings::weighting`].
    pub fn with_weighting(self, weighting: impl Into<Option<WeightingNorm>>) -> Self {
        Self { weighting: weighting.into(), ..self }
    }

    /// Sets [`GlrlmSettings::spacing`].
    pub fn with_spacing(self, spacing: [f64; 3]) -> Self {
        Self { spacing, ..self }
    }
}

/// The features of the class in the order of PyRadiomics' columns: the
/// feature of the IBSI with the same definition, and the formula over a [`SizeMatrix`].
pub const FORMULAS: &[Formula<SizeMatrix>] = &[
    Formula::compliant("GrayLevelNonUniformity", glrlm::GREY_LEVEL_NON_UNIFORMITY, SizeMatrix::level_non_uniformity),
    Formula::compliant(
        "GrayLevelNonUniformityNormalized",
        glrlm::NORMALISED_GREY_LEVEL_NON_UNIFORMITY,
        SizeMatrix::level_non_uniformity_normalised,
    ),
    Formula::compliant("GrayLevelVariance", glrlm::GREY_LEVEL_VARIANCE, SizeMatrix::level_variance),
    Formula::compliant(
        "HighGrayLevelRunEmphasis",
        glrlm::HIGH_GREY_LEVEL_RUN_EMPHASIS,
        SizeMatrix::high_level_emphasis,
    ),
    Formula::compliant("LongRunEmphasis", glrlm::LONG_RUNS_EMPHASIS, SizeMatrix::large_emphasis),
    Formula::compliant(
        "LongRunHighGrayLevelEmphasis",
        glrlm::LONG_RUN_HIGH_GREY_LEVEL_EMPHASIS,
        SizeMatrix::large_high_emphasis,
    ),
    Formula::compliant(
        "LongRunLowGrayLevelEmphasis",
        glrlm::LONG_RUN_LOW_GREY_LEVEL_EMPHASIS,
        SizeMatrix::large_low_emphasis,
    ),
    Formula::compliant("LowGrayLevelRunEmphasis", glrlm::LOW_GREY_LEVEL_RUN_EMPHASIS, SizeMatrix::low_level_emphasis),
    Formula::compliant("RunEntropy", glrlm::RUN_ENTROPY, SizeMatrix::entropy),
    Formula::compliant("RunLengthNonUniformity", glrlm::RUN_LENGTH_NON_UNIFORMITY, SizeMatrix::size_non_uniformity),
    Formula::compliant(
        "RunLengthNonUniformityNormalized",
        glrlm::NORMALISED_RUN_LENGTH_NON_UNIFORMITY,
        SizeMatrix::size_non_uniformity_normalised,
    ),
    Formula::compliant("RunPercentage", glrlm::RUN_PERCENTAGE, SizeMatrix::percentage),
    Formula::compliant("RunVariance", glrlm::RUN_LENGTH_VARIANCE, SizeMatrix::size_variance),
    Formula::compliant("ShortRunEmphasis", glrlm::SHORT_RUNS_EMPHASIS, SizeMatrix::small_emphasis),
    Formula::compliant(
        "ShortRunHighGrayLevelEmphasis",
        glrlm::SHORT_RUN_HIGH_GREY_LEVEL_EMPHASIS,
        SizeMatrix::small_high_emphasis,
    ),
    Formula::compliant(
        "ShortRunLowGrayLevelEmphasis",
        glrlm::SHORT_RUN_LOW_GREY_LEVEL_EMPHASIS,
        SizeMatrix::small_low_emphasis,
    ),
];

/// Runs along `offset`: one row for each level that occurs, column j for length j + 1. All 0 when no line along the
/// direction holds two voxels of the region, since the region then has no extent in it.
///
/// A run of length L passes through the lengths 1 to L, voxel by voxel, so the number of voxels with a run of length l
/// behind them is the number of runs at least as long.
#[must_use]
pub fn run_counts(map: &LevelMap, offset: Offset) -> Vec<u32> {
    count_runs(map, offset, LoneVoxels::LeftOut, &mut vec![0; map.two_planes()])
}

/// What becomes of the voxels in a direction along which no line holds two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoneVoxels {
    /// They are left out, and the direction with them, as in PyRadiomics.
    LeftOut,
    /// Each is a run of one voxel, as in the reference manual of the IBSI.
    Runs,
}

/// [`run_counts`] with room for the length of the run behind each voxel, which is overwritten.
pub(crate) fn count_runs(map: &LevelMap, offset: Offset, lone: LoneVoxels, length: &mut [u32]) -> Vec<u32> {
    let longest = map.shape.into_iter().max().unwrap_or(1);
    // Runs are the same in both directions; backwards, the voxel before comes earlier in raster order.
    let step = map.step(offset).unsigned_abs();
    let mut tally = Tally::new(map.gray_levels.len() * longest);
    let touching = with_cells!(&map.cells, cells => {
        vectorised!(pulp::Arch::new(), count_at_least(map, cells, step, longest, length, &mut tally))
    });
    let mut counts: Vec<u32> = tally.counts().collect();
    if lone == LoneVoxels::LeftOut && !touching && !any_line_with_two_voxels(map, offset) {
        counts.fill(0);
        return counts;
    }
    of_each_length(&mut counts, longest);
    counts
}

/// Turns numbers of runs that are at least as long, level by level, into numbers of runs of each length.
pub(crate) fn of_each_length(counts: &mut [u32], longest: usize) {
    for at_least in counts.chunks_exact_mut(longest) {
        for l in 0..longest - 1 {
            at_least[l] -= at_least[l + 1];
        }
    }
}

/// Counts the voxels of each level by the number of voxels behind them in their run. `length` is room for the length of
/// the run behind each voxel of two planes, [`LevelMap::two_planes`]: a run goes on from the same plane or the one
/// before. Returns whether any voxel has one of the region behind it.
#[inline(always)]
fn count_at_least<C: Cell>(
    map: &LevelMap,
    level_cells: &[C],
    step: usize,
    longest: usize,
    length: &mut [u32],
    tally: &mut Tally,
) -> bool {
    let plane = map.plane();
    let (even, odd) = length.split_at_mut(plane);
    let longest = longest as u32;
    let mut touching = false;
    let mut cells: Vec<u32> = Vec::new();
    for row in &map.rows {
        let levels = &level_cells[row.clone()];
        let before = LevelMap::neighbours(level_cells, row, -(step as isize));
        touching |= before.iter().fold(false, |any, &level| any | (level > C::default()));
        let (z, behind) = (row.start / plane, row.start - step);
        let (this_plane, last_plane) = if z % 2 == 0 { (&mut *even, &mut *odd) } else { (&mut *odd, &mut *even) };
        let (earlier, own) = this_plane.split_at_mut(row.start % plane);
        let own = &mut own[..row.len()];
        cells.clear();
        cells.resize(row.len(), 0);
        if row.len() <= step {
            let passed: &[u32] = if behind / plane == z { earlier } else { last_plane };
            let passed = &passed[behind % plane..][..row.len()];
            let to = cells.iter_mut().zip(own);
            for ((cell, length), ((&level, &before), &passed)) in to.zip(levels.iter().zip(before).zip(passed)) {
                // A product, since a branch on the levels of neighbours would be guessed wrongly half of the time.
                let passed = passed * u32::from(before == level);
                *cell = (level.into() - 1) * longest + passed;
                *length = passed + 1;
            }
        } else {
            // Along x, the voxel before is one of the same row, and the one before the row is outside the region.
            let mut passed = 0;
            for (cell, (&before, &level)) in cells.iter_mut().zip(before.iter().zip(levels)) {
                passed *= u32::from(before == level);
                *cell = (level.into() - 1) * longest + passed;
                passed += 1;
            }
        }
        tally.count(&cells);
    }
    touching
}

/// Whether any line along `offset` crosses two voxels of the region, adjacent or not.
pub(crate) fn any_line_with_two_voxels(map: &LevelMap, offset: Offset) -> bool {
    let farthest = (0..3).filter(|&axis| offset[axis] != 0).map(|axis| map.shape[axis]).min().unwrap_or(1);
    let step = map.step(offset);
    let inside = |voxel: usize, steps: usize| {
        let place = map.place(voxel);
        (0..3)
            .all(|axis| (0..map.shape[axis] as isize).contains(&(place[axis] as isize + steps as isize * offset[axis])))
    };
    map.rows.iter().cloned().flatten().any(|voxel| {
        (2..farthest)
            .take_while(|&steps| inside(voxel, steps))
            .any(|steps| map.cells.at((voxel as isize + steps as isize * step) as usize) > 0)
    })
}

/// The matrices that the features are averaged over: one for each direction in which the region extends, or, with a
/// weighting, the one weighted sum.
///
/// # Errors
/// [`crate::RadiomicsError::NoNeighbours`] when the region is a single voxel wide along every axis that runs may go
/// along.
pub fn matrices(map: &LevelMap, settings: &GlrlmSettings) -> Result<Vec<SizeMatrix>> {
    let directions = directions(map.shape, &[1], settings.fixed_axis)?;
    let room = || vec![0u32; map.two_planes()];
    let counts = |length: &mut Vec<u32>, &offset: &Offset| count_runs(map, offset, LoneVoxels::LeftOut, length);
    let matrix = |length: &mut Vec<u32>, offset: &Offset| matrix_of_runs(map, &counts(length, offset));
    let matrices: Vec<SizeMatrix> = match settings.weighting {
        None => directions.par_iter().map_init(room, matrix).collect(),
        Some(weighting) => {
            let mut total: Vec<f64> = Vec::new();
            let mut length = room();
            for offset in &directions {
                let weight = weighting.length(*offset, settings.spacing).unwrap_or(1.0);
                let counts = counts(&mut length, offset);
                total.resize(counts.len(), 0.0);
                for (cell, count) in total.iter_mut().zip(counts) {
                    *cell += weight * f64::from(count);
                }
            }
            vec![SizeMatrix::new(dense_cells(&map.gray_levels, &total))]
        }
    };
    Ok(matrices.into_iter().filter(|matrix| matrix.total() > 0.0).collect())
}

/// The matrix of runs by level and length, as [`run_counts`] gives them.
pub(crate) fn matrix_of_runs(map: &LevelMap, counts: &[u32]) -> SizeMatrix {
    SizeMatrix::new(dense_cells(&map.gray_levels, counts))
}

/// The matrices of several directions.
#[derive(Debug, Default)]
pub(crate) struct DirectionalRuns {
    /// Of each direction; empty where they are not wanted.
    pub(crate) each: Vec<SizeMatrix>,
    /// Their sum, where it is wanted.
    pub(crate) merged: Option<SizeMatrix>,
}

/// The runs along `directions`, as the reference manual of the IBSI counts them: of each and in all, as `wanted`. Each
/// direction is counted once.
pub(crate) fn directional_runs(map: &LevelMap, directions: &[Offset], wanted: WantedDirections) -> DirectionalRuns {
    let matrix = |counts: &[f64]| SizeMatrix::new(dense_cells(&map.gray_levels, counts));
    let add = |total: &mut Vec<f64>, counts: &[f64]| {
        total.resize(counts.len(), 0.0);
        total.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
    };
    let of_group = |group: &[Offset]| {
        let mut length = vec![0u32; map.two_planes()];
        let (mut each, mut total) = (Vec::new(), Vec::new());
        for &offset in group {
            let counts = count_runs(map, offset, LoneVoxels::Runs, &mut length);
            let counts: Vec<f64> = counts.into_iter().map(f64::from).collect();
            if wanted.each {
                each.push(matrix(&counts));
            }
            if wanted.merged {
                add(&mut total, &counts);
            }
        }
        (each, total)
    };
    let (mut each, mut total) = (Vec::new(), Vec::new());
    for (of_group, counts) in in_groups(map, directions, of_group) {
        each.extend(of_group);
        add(&mut total, &counts);
    }
    DirectionalRuns { each, merged: wanted.merged.then(|| matrix(&total)) }
}

/// The values of the selected features of a region, in the order of the selection.
///
/// # Errors
/// As [`matrices`].
pub fn features(map: &LevelMap, settings: &GlrlmSettings, selection: &Selection) -> Result<Vec<ClassValue>> {
    selection.evaluate_mean(FeatureClass::Glrlm, FORMULAS, &matrices(map, settings)?)
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;
    use proptest::prelude::*;

    use super::*;
    use crate::level_map::{adjacent_offsets, runs};

    proptest! {
        #[test]
        fn runs_agree_with_walking_along_them(levels in prop::collection::vec(0u32..4, 3 * 4 * 5), depth in 1usize..4) {
            let levels = &levels[..depth * 20];
            prop_assume!(levels.iter().any(|level| *level > 0));
            let shape = [depth, 4, 5];
            let grid = Array3::from_shape_vec(shape, levels.to_vec()).unwrap();
            let inside: Vec<bool> = levels.iter().map(|level| *level > 0).collect();
            let of_region: Vec<u32> = levels.iter().copied().filter(|level| *level > 0).collect();
            let map = LevelMap::with_rim(shape, &runs(&inside, shape), &of_region, [1; 3]).unwrap();
            let at = |voxel: [isize; 3]| grid.get(voxel.map(|index| index as usize)).copied().unwrap_or(0);
            for offset in adjacent_offsets(None) {
                let moved = |voxel: [isize; 3], steps: isize| -> [isize; 3] { std::array::from_fn(|axis| voxel[axis] + steps * offset[axis]) };
                let mut expected = vec![0; map.gray_levels().len() * 5];
                let mut two_on_a_line = false;
                for ((z, y, x), &level) in grid.indexed_iter().filter(|(_, level)| **level > 0) {
                    let voxel = [z, y, x].map(|index| index as isize);
                    two_on_a_line |= (1..5).any(|steps| at(moved(voxel, steps)) > 0);
                    if at(moved(voxel, -1)) != level {
                        let length = (1..).find(|&steps| at(moved(voxel, steps)) != level).unwrap();
                        let row = map.gray_levels().iter().position(|other| *other == level).unwrap();
                        expected[row * 5 + length as usize - 1] += 1;
                    }
                }
                let counted = |lone| count_runs(&map, offset, lone, &mut vec![9; map.two_planes()]);
                prop_assert_eq!(counted(LoneVoxels::Runs), expected.clone());
                let without_lone = if two_on_a_line { expected } else { vec![0; expected.len()] };
                prop_assert_eq!(counted(LoneVoxels::LeftOut), without_lone);
            }
        }
    }
}
