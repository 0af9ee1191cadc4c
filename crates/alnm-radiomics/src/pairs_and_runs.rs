//! Pairs and runs along a direction, counted in one pass for the two classes that share it.
//!
//! A voxel and the one behind it are a pair; where both have one level, a run goes on. So a voxel is counted once: by
//! the length of its run where it goes one on, and else by the pair of levels. The pairs of one level are the runs that
//! go on.

use std::ops::Range;

use alnm_imaging::vectorised;

use crate::glrlm::{any_line_with_two_voxels, of_each_length};
use crate::level_map::{BEHIND, Cells, LevelMap, Offset};
use crate::tally::Tally;

/// Pairs and runs along one direction after the other, in the same memory.
#[derive(Debug, Default)]
pub(crate) struct PairsAndRuns {
    /// How often each pair of a voxel and its neighbour at the offset occurs: a table of levels × levels with a row and
    /// a column more in front, for what is outside of the region.
    pub(crate) pairs: Vec<u32>,
    /// Runs by level and length, as [`run_counts`](crate::glrlm::run_counts) gives them.
    pub(crate) runs: Vec<u32>,
    tally: Tally,
    /// What the voxels of a row are counted as.
    in_row: Vec<u16>,
    /// By plane of even and of odd number, the length of the run behind and with each voxel: a run goes on from the same
    /// plane or the one before.
    lengths: [Vec<u16>; 2],
}

/// Voxels that are looked at together.
const TOGETHER: usize = 16;

/// Where in the tally of a pass a voxel is counted: pairs of levels come first, then runs by level and length.
#[derive(Debug, Clone, Copy)]
struct Layout {
    /// A pair's cell is the level of the voxel times the one and that of the voxel behind times the other.
    own: u16,
    behind: u16,
    /// Where the runs of level 0 would begin, which there are none of.
    runs: u16,
    longest: u16,
}

impl Layout {
    /// The cell of a voxel, and the length of its run with it, by its level, that of the voxel behind and the length of
    /// the run behind.
    #[inline(always)]
    fn counted(self, level: u8, before: u8, passed: u16) -> (u16, u16) {
        // A choice by a mask, since a branch on the levels of neighbours would be guessed wrongly half of the time.
        let same = 0u16.wrapping_sub(u16::from(level == before));
        let passed = passed & same;
        let (level, before) = (u16::from(level), u16::from(before));
        let pair = level.wrapping_mul(self.own).wrapping_add(before.wrapping_mul(self.behind));
        let run = self.runs.wrapping_add(level.wrapping_mul(self.longest)).wrapping_add(passed);
        ((run & same) | (pair & !same), passed.wrapping_add(1))
    }
}

impl PairsAndRuns {
    /// Whether a map has so few levels and is so small that what is counted has room in 16 bits.
    pub(crate) fn fits(map: &LevelMap) -> bool {
        let (columns, longest) = (map.gray_levels.len() + 1, longest(map));
        let cells = columns * columns + columns * longest;
        matches!(map.cells, Cells::Narrow(_)) && cells <= usize::from(u16::MAX)
    }

    /// Counts along `offset`; the map [fits](Self::fits).
    pub(crate) fn count(&mut self, map: &LevelMap, offset: Offset) {
        let (levels, longest) = (map.gray_levels.len(), longest(map));
        let columns = levels + 1;
        let Cells::Narrow(cells) = &map.cells else { unreachable!("a map that fits has narrow cells") };
        let step = map.step(offset);
        let (own, behind) = if step < 0 { (columns, 1) } else { (1, columns) };
        let layout = Layout {
            own: own as u16,
            behind: behind as u16,
            runs: ((columns * columns) as u16).wrapping_sub(longest as u16),
            longest: longest as u16,
        };
        self.tally.clear(columns * columns + levels * longest);
        // Behind a plane there is room for voxels that are looked at together with its last ones.
        self.lengths.iter_mut().for_each(|lengths| lengths.resize(map.plane() + BEHIND, 0));
        vectorised!(pulp::Arch::new(), self.tally(map, cells, step.unsigned_abs(), layout));
        self.split(map, offset);
    }

    #[inline(always)]
    fn tally(&mut self, map: &LevelMap, cells: &[u8], step: usize, layout: Layout) {
        for row in &map.rows {
            if row.len() <= step {
                self.tally_row(map, cells, row.clone(), step, layout);
            } else {
                self.tally_along(cells, row, layout);
            }
        }
    }

    /// Counts a row whose voxels behind are of another row.
    #[inline(always)]
    fn tally_row(&mut self, map: &LevelMap, cells: &[u8], row: Range<usize>, step: usize, layout: Layout) {
        let Self { tally, in_row, lengths, .. } = self;
        let plane = map.plane();
        in_row.resize(row.len().next_multiple_of(TOGETHER), 0);
        let (z, in_plane) = (row.start / plane, row.start % plane);
        let (z_behind, behind_in_plane) = ((row.start - step) / plane, (row.start - step) % plane);
        for start in (0..row.len()).step_by(TOGETHER) {
            let levels: &[u8; TOGETHER] = LevelMap::together(cells, row.start + start, 0);
            let before: &[u8; TOGETHER] = LevelMap::together(cells, row.start + start, -(step as isize));
            let passed: [u16; TOGETHER] = *LevelMap::together(&lengths[z_behind % 2], behind_in_plane + start, 0);
            let (mut in_part, mut own) = ([0; TOGETHER], [0; TOGETHER]);
            for voxel in 0..TOGETHER {
                (in_part[voxel], own[voxel]) = layout.counted(levels[voxel], before[voxel], passed[voxel]);
            }
            // Beyond the end of the row lie voxels that come later, or none of the region, whose lengths do not matter.
            lengths[z % 2][in_plane + start..][..TOGETHER].copy_from_slice(&own);
            in_row[start..start + TOGETHER].copy_from_slice(&in_part);
        }
        tally.count(&in_row[..row.len()]);
    }

    /// Counts a row along x: the voxel behind is one of the same row, and the one behind the row is outside of the
    /// region.
    #[inline(always)]
    fn tally_along(&mut self, cells: &[u8], row: &Range<usize>, layout: Layout) {
        let Self { tally, in_row, .. } = self;
        in_row.clear();
        let mut passed = 0;
        let voxels = cells[row.clone()].iter().zip(LevelMap::neighbours(cells, row, -1));
        in_row.extend(voxels.map(|(&level, &before)| {
            let (cell, length) = layout.counted(level, before, passed);
            passed = length;
            cell
        }));
        tally.count(in_row);
    }

    /// Takes pairs and runs out of what was counted.
    fn split(&mut self, map: &LevelMap, offset: Offset) {
        let Self { pairs, runs, tally, .. } = self;
        let (columns, longest) = (map.gray_levels.len() + 1, longest(map));
        let mut counts = tally.counts();
        pairs.resize(columns * columns, 0);
        runs.resize(map.gray_levels.len() * longest, 0);
        for to in [&mut *pairs, &mut *runs] {
            to.iter_mut().zip(&mut counts).for_each(|(to, count)| *to = count);
        }
        for ((level, of_level), &voxels) in runs.chunks_exact_mut(longest).enumerate().zip(&map.level_voxels) {
            // The runs of all other voxels begin with them.
            let going_on = of_level.iter().sum::<u32>();
            of_level[0] = voxels - going_on;
            pairs[(level + 1) * columns + level + 1] = going_on;
        }
        let touching = pairs.chunks_exact(columns).skip(1).any(|row| row[1..].iter().any(|&pairs| pairs > 0));
        if touching || any_line_with_two_voxels(map, offset) {
            of_each_length(runs, longest);
        } else {
            runs.fill(0);
        }
    }
}

/// Voxels of the longest run that has room.
fn longest(map: &LevelMap) -> usize {
    map.shape.into_iter().max().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;
    use proptest::prelude::*;

    use super::*;
    use crate::glcm::pair_counts;
    use crate::glrlm::run_counts;
    use crate::level_map::neighbour_offsets;

    proptest! {
        #[test]
        fn one_pass_counts_what_two_do(levels in prop::collection::vec(0u32..4, 3 * 4 * 7), factor in 1u32..3) {
            prop_assume!(levels.iter().any(|&level| level > 0));
            let levels = Array3::from_shape_vec([3, 4, 7], levels).unwrap().mapv(|level| level * factor);
            let map = LevelMap::new(levels.view(), 1).unwrap();
            prop_assert!(PairsAndRuns::fits(&map));
            let columns = map.gray_levels().len() + 1;
            let mut both = PairsAndRuns::default();
            for offset in neighbour_offsets(map.shape, &[1], None).unwrap() {
                both.count(&map, offset);
                let inside = both.pairs.chunks_exact(columns).skip(1).flat_map(|row| row[1..].iter().copied());
                prop_assert_eq!(inside.collect::<Vec<u32>>(), pair_counts(&map, offset));
                prop_assert_eq!(&both.runs, &run_counts(&map, offset));
            }
        }
    }
}
