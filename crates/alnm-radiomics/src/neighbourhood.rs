//! One pass over the neighbours of a region's voxels, for the dependence and the tone difference matrix.

use std::ops::AddAssign;

use alnm_imaging::vectorised;

use crate::level_map::{LevelMap, Offset};
use crate::tally::Tally;

/// What the pass counts, by level in the order of [`LevelMap::gray_levels`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Neighbourhoods {
    /// Voxels by level and number of dependent neighbours: one row for each level.
    pub(crate) dependences: Vec<f64>,
    /// Voxels.
    pub(crate) voxels: Vec<u32>,
    /// Voxels without a neighbour in the region.
    pub(crate) isolated: Vec<u32>,
    /// Σ |i - Ā| over the voxels, Ā being the mean level of a voxel's neighbours in the region; 0 for a voxel without.
    pub(crate) differences: Vec<f64>,
}

/// What a pass counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counting {
    /// Neighbours whose level differs by no more than α.
    Dependences { alpha: u32 },
    /// Differences to the mean of the neighbours.
    Tones,
    /// Both.
    Both { alpha: u32 },
}

impl Neighbourhoods {
    /// Counts over neighbours at `offsets`; what is not counted stays empty.
    pub(crate) fn count(map: &LevelMap, offsets: &[Offset], counting: Counting) -> Self {
        let steps: Vec<isize> = offsets.iter().map(|&offset| map.step(offset)).collect();
        let highest = u64::from(map.gray_levels()[map.gray_levels().len() - 1]);
        // Sums of levels are whole numbers, whose doubles are exact too.
        let small = u32::try_from(highest * steps.len() as u64).is_ok();
        let arch = pulp::Arch::new();
        match counting {
            Counting::Dependences { alpha: 0 } => vectorised!(arch, pass::<u32, EQUAL, false>(map, &steps, 0)),
            Counting::Dependences { alpha } => vectorised!(arch, pass::<u32, NEAR, false>(map, &steps, alpha)),
            Counting::Tones if small => vectorised!(arch, pass::<u32, NO, true>(map, &steps, 0)),
            // Only more than 10⁷ levels come here, so one copy for all processors will do.
            Counting::Tones => pass::<f64, NO, true>(map, &steps, 0),
            Counting::Both { alpha: 0 } if small => vectorised!(arch, pass::<u32, EQUAL, true>(map, &steps, 0)),
            Counting::Both { alpha } if small => vectorised!(arch, pass::<u32, NEAR, true>(map, &steps, alpha)),
            Counting::Both { alpha } => pass::<f64, NEAR, true>(map, &steps, alpha),
        }
    }
}

/// Which neighbours are dependent: none, those of the same level, those whose level differs by α at most.
const NO: u8 = 0;
const EQUAL: u8 = 1;
const NEAR: u8 = 2;

/// Voxels whose neighbours are looked at together.
const TOGETHER: usize = 16;

/// What is found of voxels that are looked at together.
struct Found<S> {
    dependent: [u32; TOGETHER],
    neighbours: [u32; TOGETHER],
    sums: [S; TOGETHER],
}

/// Neighbours are at `steps`; sums of levels are taken as `S`.
#[inline(always)]
fn pass<S: Copy + Default + From<u32> + AddAssign + Into<f64>, const DEPENDENT: u8, const TONES: bool>(
    map: &LevelMap,
    steps: &[isize],
    alpha: u32,
) -> Neighbourhoods {
    let levels = map.level_cells();
    let count = map.gray_levels().len();
    let columns = steps.len() + 1;
    let mut dependences = Tally::new(if DEPENDENT == NO { 0 } else { count * columns });
    let mut voxels = Tally::new(if TONES { count } else { 0 });
    let mut isolated = vec![0; if TONES { count } else { 0 }];
    let mut differences = vec![0.0; if TONES { count } else { 0 }];
    let mut cells = [0; TOGETHER];
    let mut of_levels = [0; TOGETHER];
    for row in &map.rows {
        for start in row.clone().step_by(TOGETHER) {
            let length = TOGETHER.min(row.end - start);
            let own: &[u32; TOGETHER] = together(&levels, start, 0);
            let found: Found<S> = look_around::<S, DEPENDENT, TONES>(&levels, start, own, steps, alpha);
            let positions: &[u32; TOGETHER] = together(&map.cells, start, 0);
            if DEPENDENT != NO {
                for place in 0..TOGETHER {
                    let position = positions[place].wrapping_sub(1);
                    cells[place] = position.wrapping_mul(columns as u32).wrapping_add(found.dependent[place]);
                }
                dependences.count(&cells[..length]);
            }
            if TONES {
                let mut of_voxels = [0.0; TOGETHER];
                for place in 0..TOGETHER {
                    let neighbours = found.neighbours[place];
                    let difference = (f64::from(own[place]) - found.sums[place].into() / f64::from(neighbours)).abs();
                    of_voxels[place] = if neighbours > 0 { difference } else { 0.0 };
                    of_levels[place] = positions[place].wrapping_sub(1);
                }
                voxels.count(&of_levels[..length]);
                for place in 0..length {
                    differences[of_levels[place] as usize] += of_voxels[place];
                }
                for place in (0..length).filter(|&place| found.neighbours[place] == 0) {
                    isolated[of_levels[place] as usize] += 1;
                }
            }
        }
    }
    Neighbourhoods {
        dependences: dependences.counts().map(f64::from).collect(),
        voxels: voxels.counts().collect(),
        isolated,
        differences,
    }
}

/// The cells `step` from those from `start` on; [`LevelMap::cells`] goes on far enough behind the last voxel.
#[inline(always)]
fn together(cells: &[u32], start: usize, step: isize) -> &[u32; TOGETHER] {
    let first = (start as isize + step) as usize;
    cells[first..first + TOGETHER].as_array().unwrap_or(&[0; TOGETHER])
}

/// Looks at the neighbours of the voxels with levels `own` from `start` on.
#[inline(always)]
fn look_around<S: Copy + Default + From<u32> + AddAssign, const DEPENDENT: u8, const TONES: bool>(
    levels: &[u32],
    start: usize,
    own: &[u32; TOGETHER],
    steps: &[isize],
    alpha: u32,
) -> Found<S> {
    let mut found = Found { dependent: [0; TOGETHER], neighbours: [0; TOGETHER], sums: [S::default(); TOGETHER] };
    for &step in steps {
        let others = together(levels, start, step);
        for place in 0..TOGETHER {
            let (level, other) = (own[place], others[place]);
            found.dependent[place] += match DEPENDENT {
                NO => 0,
                EQUAL => u32::from(level == other),
                _ => u32::from((other > 0) & (level.abs_diff(other) <= alpha)),
            };
            if TONES {
                found.neighbours[place] += u32::from(other > 0);
                found.sums[place] += S::from(other);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;
    use proptest::prelude::*;

    use super::*;
    use crate::level_map::neighbour_offsets;

    proptest! {
        #[test]
        fn one_pass_counts_what_two_do(levels in prop::collection::vec(0u32..5, 4 * 3 * 5), alpha in 0u32..3) {
            prop_assume!(levels.iter().any(|&level| level > 0));
            let levels = Array3::from_shape_vec([4, 3, 5], levels).unwrap();
            let map = LevelMap::new(levels.view(), 1).unwrap();
            let offsets = neighbour_offsets(map.shape, &[1], None).unwrap();
            let both = Neighbourhoods::count(&map, &offsets, Counting::Both { alpha });
            prop_assert_eq!(&both.dependences, &Neighbourhoods::count(&map, &offsets, Counting::Dependences { alpha }).dependences);
            let tones = Neighbourhoods::count(&map, &offsets, Counting::Tones);
            prop_assert_eq!((&both.voxels, &both.isolated, &both.differences), (&tones.voxels, &tones.isolated, &tones.differences));
            // As the definitions say, voxel by voxel.
            let at = |place: [isize; 3]| {
                let inside = (0..3).all(|axis| (0..map.shape[axis] as isize).contains(&place[axis]));
                if inside { levels[place.map(|i| i as usize)] } else { 0 }
            };
            for (position, &level) in map.gray_levels().iter().enumerate() {
                let voxels = levels.indexed_iter().filter(|(_, other)| **other == level);
                let mut difference = 0.0;
                let mut isolated = 0;
                for ((z, y, x), _) in voxels {
                    let near: Vec<u32> = offsets.iter().map(|[dz, dy, dx]| at([z as isize + dz, y as isize + dy, x as isize + dx])).filter(|&other| other > 0).collect();
                    isolated += u32::from(near.is_empty());
                    if !near.is_empty() {
                        difference += (f64::from(level) - f64::from(near.iter().sum::<u32>()) / near.len() as f64).abs();
                    }
                }
                prop_assert_eq!(both.isolated[position], isolated);
                prop_assert!((both.differences[position] - difference).abs() < 1e-12);
            }
        }
    }
}
