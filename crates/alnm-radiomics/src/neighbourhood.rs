//! One pass over the neighbours of a region's voxels, for the dependence and the tone difference matrix.

use std::ops::AddAssign;

use alnm_imaging::vectorised;

use crate::level_map::{Cell, Cells, LevelMap, Offset};
use crate::tally::Tally;

/// What the pass counts, by level in the order of [`LevelMap::gray_levels`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Neighbourhoods {
    /// Voxels by level and number of dependent neighbours: one row for each level.
    pub(crate) dependences: Vec<f64>,
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
        let largest_sum = highest * steps.len() as u64;
        let levels = map.level_cells();
        if let (Cells::Narrow(positions), Cells::Narrow(levels)) = (&map.cells, &*levels)
            && steps.len() < usize::from(u8::MAX)
            && u16::try_from(largest_sum).is_ok()
        {
            let grid = Grid { map, positions, levels, steps: &steps };
            return count_on::<u8, u8, u16, BYTES>(&grid, counting);
        }
        let (positions, levels) = (map.cells.widened(), levels.widened());
        let grid = Grid { map, positions: &positions, levels: &levels, steps: &steps };
        // Sums of levels are whole numbers, whose doubles are exact too. Only more than 10⁷ levels come so far.
        if u32::try_from(largest_sum).is_ok() {
            count_on::<u32, u32, u32, WORDS>(&grid, counting)
        } else {
            count_on::<u32, u32, f64, WORDS>(&grid, counting)
        }
    }
}

/// A region with the positions of its levels and the levels themselves, and the steps to neighbours.
struct Grid<'a, C> {
    map: &'a LevelMap,
    positions: &'a [C],
    levels: &'a [C],
    steps: &'a [isize],
}

/// A number of neighbours.
trait NeighbourCount: Copy + Default + From<bool> + AddAssign + Into<u32> {}
impl NeighbourCount for u8 {}
impl NeighbourCount for u32 {}

/// A sum of levels of type `C`.
trait LevelSum<C>: Copy + Default + From<C> + AddAssign + Into<f64> {}
impl LevelSum<u8> for u16 {}
impl LevelSum<u32> for u32 {}
impl LevelSum<u32> for f64 {}

/// Which neighbours are dependent: none, those of the same level, those whose level differs by α at most.
const NO: u8 = 0;
const EQUAL: u8 = 1;
const NEAR: u8 = 2;

/// Voxels whose neighbours are looked at together.
const BYTES: usize = 32;
const WORDS: usize = 16;

/// Numbers of neighbours are counted as `N`, sums of levels as `S`, for `TOGETHER` voxels at once.
fn count_on<C: Cell, N: NeighbourCount, S: LevelSum<C>, const TOGETHER: usize>(
    grid: &Grid<'_, C>,
    counting: Counting,
) -> Neighbourhoods {
    let arch = pulp::Arch::new();
    match counting {
        Counting::Dependences { alpha: 0 } => vectorised!(arch, pass::<C, N, S, TOGETHER, EQUAL, false>(grid, 0)),
        Counting::Dependences { alpha } => vectorised!(arch, pass::<C, N, S, TOGETHER, NEAR, false>(grid, alpha)),
        Counting::Tones => vectorised!(arch, pass::<C, N, S, TOGETHER, NO, true>(grid, 0)),
        Counting::Both { alpha: 0 } => vectorised!(arch, pass::<C, N, S, TOGETHER, EQUAL, true>(grid, 0)),
        Counting::Both { alpha } => vectorised!(arch, pass::<C, N, S, TOGETHER, NEAR, true>(grid, alpha)),
    }
}

/// What is found of voxels that are looked at together.
struct Found<N, S, const TOGETHER: usize> {
    dependent: [N; TOGETHER],
    neighbours: [N; TOGETHER],
    sums: [S; TOGETHER],
}

#[inline(always)]
fn pass<C: Cell, N: NeighbourCount, S: LevelSum<C>, const TOGETHER: usize, const DEPENDENT: u8, const TONES: bool>(
    grid: &Grid<'_, C>,
    alpha: u32,
) -> Neighbourhoods {
    let count = grid.map.gray_levels().len();
    let columns = grid.steps.len() + 1;
    let mut dependences = Tally::new(if DEPENDENT == NO { 0 } else { count * columns });
    let mut isolated = vec![0; if TONES { count } else { 0 }];
    let mut differences = vec![0.0; if TONES { count } else { 0 }];
    let mut cells = [0; TOGETHER];
    for row in &grid.map.rows {
        for start in row.clone().step_by(TOGETHER) {
            let length = TOGETHER.min(row.end - start);
            let own: &[C; TOGETHER] = LevelMap::together(grid.levels, start, 0);
            let found: Found<N, S, TOGETHER> =
                look_around::<C, N, S, TOGETHER, DEPENDENT, TONES>(grid, start, own, alpha);
            let positions: &[C; TOGETHER] = LevelMap::together(grid.positions, start, 0);
            if DEPENDENT != NO {
                for place in 0..TOGETHER {
                    let position = positions[place].into().wrapping_sub(1);
                    cells[place] = position.wrapping_mul(columns as u32).wrapping_add(found.dependent[place].into());
                }
                dependences.count(&cells[..length]);
            }
            if TONES {
                let mut of_voxels = [0.0; TOGETHER];
                let mut alone = false;
                for place in 0..TOGETHER {
                    let neighbours: u32 = found.neighbours[place].into();
                    let mean = found.sums[place].into() / f64::from(neighbours);
                    let difference = (f64::from(own[place].into()) - mean).abs();
                    of_voxels[place] = if neighbours > 0 { difference } else { 0.0 };
                    alone |= neighbours == 0;
                }
                for place in 0..length {
                    differences[positions[place].into() as usize - 1] += of_voxels[place];
                }
                if alone {
                    for place in (0..length).filter(|&place| found.neighbours[place].into() == 0) {
                        isolated[positions[place].into() as usize - 1] += 1;
                    }
                }
            }
        }
    }
    Neighbourhoods { dependences: dependences.counts().map(f64::from).collect(), isolated, differences }
}

/// Looks at the neighbours of the voxels with levels `own` from `start` on.
#[inline(always)]
fn look_around<
    C: Cell,
    N: NeighbourCount,
    S: LevelSum<C>,
    const TOGETHER: usize,
    const DEPENDENT: u8,
    const TONES: bool,
>(
    grid: &Grid<'_, C>,
    start: usize,
    own: &[C; TOGETHER],
    alpha: u32,
) -> Found<N, S, TOGETHER> {
    let mut found = Found {
        dependent: [N::default(); TOGETHER],
        neighbours: [N::default(); TOGETHER],
        sums: [S::default(); TOGETHER],
    };
    for &step in grid.steps {
        let others: &[C; TOGETHER] = LevelMap::together(grid.levels, start, step);
        for place in 0..TOGETHER {
            let (level, other) = (own[place], others[place]);
            found.dependent[place] += match DEPENDENT {
                NO => N::default(),
                EQUAL => N::from(level == other),
                _ => N::from((other > C::default()) & (level.into().abs_diff(other.into()) <= alpha)),
            };
            if TONES {
                found.neighbours[place] += N::from(other > C::default());
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
            prop_assert_eq!((&both.isolated, &both.differences), (&tones.isolated, &tones.differences));
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
