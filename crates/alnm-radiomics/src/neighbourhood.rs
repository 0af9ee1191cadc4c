//! One pass over the neighbours of a region's voxels, for the dependence and the tone difference matrix.

use std::ops::AddAssign;

use alnm_imaging::vectorised;

use crate::level_map::{LevelMap, Offset};

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
            Counting::Dependences { alpha } => vectorised!(arch, pass::<u32, true, false>(map, &steps, alpha)),
            Counting::Tones if small => vectorised!(arch, pass::<u32, false, true>(map, &steps, 0)),
            // Only more than 10⁷ levels come here, so one copy for all processors will do.
            Counting::Tones => pass::<f64, false, true>(map, &steps, 0),
            Counting::Both { alpha } if small => vectorised!(arch, pass::<u32, true, true>(map, &steps, alpha)),
            Counting::Both { alpha } => pass::<f64, true, true>(map, &steps, alpha),
        }
    }
}

/// Neighbours are at `steps`; sums of levels are taken as `S`.
#[inline(always)]
fn pass<S: Copy + Default + From<u32> + AddAssign + Into<f64>, const DEPENDENCES: bool, const TONES: bool>(
    map: &LevelMap,
    steps: &[isize],
    alpha: u32,
) -> Neighbourhoods {
    let levels = map.level_cells();
    let count = map.gray_levels().len();
    let columns = steps.len() + 1;
    let of_tones = if TONES { count } else { 0 };
    let mut counted = Neighbourhoods {
        dependences: vec![0.0; if DEPENDENCES { count * columns } else { 0 }],
        voxels: vec![0; of_tones],
        isolated: vec![0; of_tones],
        differences: vec![0.0; of_tones],
    };
    let longest = map.rows.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
    let (mut dependent, mut neighbours, mut sums) =
        (vec![0u32; longest], vec![0u32; longest], vec![S::default(); longest]);
    for row in &map.rows {
        let own = &levels[row.clone()];
        let (dependent, neighbours, sums) =
            (&mut dependent[..row.len()], &mut neighbours[..row.len()], &mut sums[..row.len()]);
        dependent.fill(0);
        neighbours.fill(0);
        sums.fill(S::default());
        for &step in steps {
            let others = LevelMap::neighbours(&levels, row, step);
            let counters = dependent.iter_mut().zip(neighbours.iter_mut()).zip(sums.iter_mut());
            for (((dependent, neighbours), sum), (&level, &other)) in counters.zip(own.iter().zip(others)) {
                if DEPENDENCES {
                    *dependent += u32::from((other > 0) & (level.abs_diff(other) <= alpha));
                }
                if TONES {
                    *neighbours += u32::from(other > 0);
                    *sum += S::from(other);
                }
            }
        }
        let positions = &map.cells[row.clone()];
        if DEPENDENCES {
            for (&position, &dependent) in positions.iter().zip(dependent.iter()) {
                counted.dependences[(position as usize - 1) * columns + dependent as usize] += 1.0;
            }
        }
        if TONES {
            for ((&position, &level), (&neighbours, &sum)) in
                positions.iter().zip(own).zip(neighbours.iter().zip(sums.iter()))
            {
                let position = position as usize - 1;
                counted.voxels[position] += 1;
                if neighbours > 0 {
                    counted.differences[position] += (f64::from(level) - sum.into() / f64::from(neighbours)).abs();
                } else {
                    counted.isolated[position] += 1;
                }
            }
        }
    }
    counted
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
