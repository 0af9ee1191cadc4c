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
use crate::level_map::{LevelMap, Offset, directions};
use crate::size_matrix::{SizeMatrix, dense_cells};
use crate::tally::Tally;
use crate::weighting::WeightingNorm;

/// What runs are counted over.
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

/// The features of the class in the order of PyRadiomics' columns: name, IBSI code where the definition is the same, and
/// the formula over a [`SizeMatrix`].
pub const FORMULAS: &[Formula<SizeMatrix>] = &[
    Formula::new("GrayLevelNonUniformity", Some("R5YN"), SizeMatrix::level_non_uniformity),
    Formula::new("GrayLevelNonUniformityNormalized", Some("OVBL"), SizeMatrix::level_non_uniformity_normalised),
    Formula::new("GrayLevelVariance", Some("8CE5"), SizeMatrix::level_variance),
    Formula::new("HighGrayLevelRunEmphasis", Some("G3QZ"), SizeMatrix::high_level_emphasis),
    Formula::new("LongRunEmphasis", Some("W4KF"), SizeMatrix::large_emphasis),
    Formula::new("LongRunHighGrayLevelEmphasis", Some("3KUM"), SizeMatrix::large_high_emphasis),
    Formula::new("LongRunLowGrayLevelEmphasis", Some("IVPO"), SizeMatrix::large_low_emphasis),
    Formula::new("LowGrayLevelRunEmphasis", Some("V3SW"), SizeMatrix::low_level_emphasis),
    Formula::new("RunEntropy", Some("HJ9O"), SizeMatrix::entropy),
    Formula::new("RunLengthNonUniformity", Some("W92Y"), SizeMatrix::size_non_uniformity),
    Formula::new("RunLengthNonUniformityNormalized", Some("IC23"), SizeMatrix::size_non_uniformity_normalised),
    Formula::new("RunPercentage", Some("9ZK5"), SizeMatrix::percentage),
    Formula::new("RunVariance", Some("SXLW"), SizeMatrix::size_variance),
    Formula::new("ShortRunEmphasis", Some("22OV"), SizeMatrix::small_emphasis),
    Formula::new("ShortRunHighGrayLevelEmphasis", Some("GD3A"), SizeMatrix::small_high_emphasis),
    Formula::new("ShortRunLowGrayLevelEmphasis", Some("HTZT"), SizeMatrix::small_low_emphasis),
];

/// Runs along `offset`: one row for each level that occurs, column j for length j + 1. All 0 when no line along the
/// direction holds two voxels of the region, since the region then has no extent in it.
///
/// A run of length L passes through the lengths 1 to L, voxel by voxel, so the number of voxels with a run of length l
/// behind them is the number of runs at least as long.
#[must_use]
pub fn run_counts(map: &LevelMap, offset: Offset) -> Vec<u32> {
    count_runs(map, offset, &mut vec![0; map.two_planes()])
}

/// [`run_counts`] with room for the length of the run behind each voxel, which is overwritten.
fn count_runs(map: &LevelMap, offset: Offset, length: &mut [u32]) -> Vec<u32> {
    let longest = map.shape.into_iter().max().unwrap_or(1);
    // Runs are the same in both directions; backwards, the voxel before comes earlier in raster order.
    let step = map.step(offset).unsigned_abs();
    let mut tally = Tally::new(map.gray_levels.len() * longest);
    let touching = vectorised!(pulp::Arch::new(), count_at_least(map, step, longest, length, &mut tally));
    let mut counts: Vec<u32> = tally.counts().collect();
    if !touching && !any_line_with_two_voxels(map, offset) {
        counts.fill(0);
        return counts;
    }
    for at_least in counts.chunks_exact_mut(longest) {
        for l in 0..longest - 1 {
            at_least[l] -= at_least[l + 1];
        }
    }
    counts
}

/// Counts the voxels of each level by the number of voxels behind them in their run. `length` is room for the length of
/// the run behind each voxel of two planes, [`LevelMap::two_planes`]: a run goes on from the same plane or the one before.
/// Returns whether any voxel has one of the region behind it.
#[inline(always)]
fn count_at_least(map: &LevelMap, step: usize, longest: usize, length: &mut [u32], tally: &mut Tally) -> bool {
    let plane = map.plane();
    let (even, odd) = length.split_at_mut(plane);
    let longest = longest as u32;
    let mut touching = 0;
    let mut cells: Vec<u32> = Vec::new();
    for row in &map.rows {
        let levels = &map.cells[row.clone()];
        let before = LevelMap::neighbours(&map.cells, row, -(step as isize));
        touching |= before.iter().fold(0, |any, &level| any | level);
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
                *cell = (level - 1) * longest + passed;
                *length = passed + 1;
            }
        } else {
            // Along x, the voxel before is one of the same row, and the one before the row is outside the region.
            let mut passed = 0;
            for (cell, (&before, &level)) in cells.iter_mut().zip(before.iter().zip(levels)) {
                passed *= u32::from(before == level);
                *cell = (level - 1) * longest + passed;
                passed += 1;
            }
        }
        tally.count(&cells);
    }
    touching > 0
}

/// Whether any line along `offset` crosses two voxels of the region, adjacent or not.
fn any_line_with_two_voxels(map: &LevelMap, offset: Offset) -> bool {
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
            .any(|steps| map.cells[(voxel as isize + steps as isize * step) as usize] > 0)
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
    let counts = |length: &mut Vec<u32>, &offset: &Offset| -> Vec<f64> {
        count_runs(map, offset, length).into_iter().map(f64::from).collect()
    };
    let matrix = |length: &mut Vec<u32>, offset: &Offset| {
        SizeMatrix::new(dense_cells(&map.gray_levels, &counts(length, offset)))
    };
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
                    *cell += weight * count;
                }
            }
            vec![SizeMatrix::new(dense_cells(&map.gray_levels, &total))]
        }
    };
    Ok(matrices.into_iter().filter(|matrix| matrix.total() > 0.0).collect())
}

/// The values of the selected features of a region, in the order of the selection.
///
/// # Errors
/// As [`matrices`].
pub fn features(map: &LevelMap, settings: &GlrlmSettings, selection: &Selection) -> Result<Vec<ClassValue>> {
    selection.evaluate_mean(FeatureClass::Glrlm, FORMULAS, &matrices(map, settings)?)
}
