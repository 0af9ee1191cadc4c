//! Grey level run length based features: runs of neighbouring voxels of one level along a direction.
//!
//! r_ij counts the runs of level i and length j; N_s is the number of runs, N_v the number of voxels, counted once for
//! each direction that was merged. The formulas are those of [`crate::size_matrix::SizeMatrix`] with lengths as sizes.

use rayon::prelude::*;

use super::feature::{Aggregation, Definition, IbsiFamily, IbsiFeature, means, values};
use super::texture::Texture;
use crate::level_map::{LevelMap, Offset, directions};
use crate::size_matrix::{SizeMatrix, dense_cells};

/// The features of the family in the order of the reference manual: code, tag, name and formula.
pub(crate) const DEFINITIONS: &[Definition<SizeMatrix>] = &[
    Definition::new("22OV", "rlm_sre", "Short runs emphasis", SizeMatrix::small_emphasis),
    Definition::new("W4KF", "rlm_lre", "Long runs emphasis", SizeMatrix::large_emphasis),
    Definition::new("V3SW", "rlm_lgre", "Low grey level run emphasis", SizeMatrix::low_level_emphasis),
    Definition::new("G3QZ", "rlm_hgre", "High grey level run emphasis", SizeMatrix::high_level_emphasis),
    Definition::new("HTZT", "rlm_srlge", "Short run low grey level emphasis", SizeMatrix::small_low_emphasis),
    Definition::new("GD3A", "rlm_srhge", "Short run high grey level emphasis", SizeMatrix::small_high_emphasis),
    Definition::new("IVPO", "rlm_lrlge", "Long run low grey level emphasis", SizeMatrix::large_low_emphasis),
    Definition::new("3KUM", "rlm_lrhge", "Long run high grey level emphasis", SizeMatrix::large_high_emphasis),
    Definition::new("R5YN", "rlm_glnu", "Grey level non-uniformity", SizeMatrix::level_non_uniformity),
    Definition::new(
        "OVBL",
        "rlm_glnu_norm",
        "Normalised grey level non-uniformity",
        SizeMatrix::level_non_uniformity_normalised,
    ),
    Definition::new("W92Y", "rlm_rlnu", "Run length non-uniformity", SizeMatrix::size_non_uniformity),
    Definition::new(
        "IC23",
        "rlm_rlnu_norm",
        "Normalised run length non-uniformity",
        SizeMatrix::size_non_uniformity_normalised,
    ),
    // N_s / N_v; the runs' lengths add up to N_v.
    Definition::new("9ZK5", "rlm_r_perc", "Run percentage", SizeMatrix::percentage),
    Definition::new("8CE5", "rlm_gl_var", "Grey level variance", SizeMatrix::level_variance),
    Definition::new("SXLW", "rlm_rl_var", "Run length variance", SizeMatrix::size_variance),
    Definition::new("HJ9O", "rlm_rl_entr", "Run entropy", SizeMatrix::entropy),
];

/// Runs along `offset`: one row for each level that occurs, column j for length j + 1.
///
/// A run of length L passes through the lengths 1 to L, voxel by voxel, so the number of voxels with a run of length l
/// behind them is the number of runs at least as long. `length` is room for the length behind each voxel.
fn run_counts(map: &LevelMap, offset: Offset, length: &mut [u32]) -> Vec<f64> {
    let longest = map.shape.into_iter().max().unwrap_or(1);
    // Runs are the same in both directions; the voxel behind has to come earlier in raster order.
    let step = map.step(offset).unsigned_abs();
    let mut counts = vec![0.0; map.gray_levels().len() * longest];
    for voxel in map.rows.iter().cloned().flatten() {
        let level = map.cells[voxel];
        let passed = if map.cells[voxel - step] == level { length[voxel - step] } else { 0 };
        length[voxel] = passed + 1;
        counts[(level as usize - 1) * longest + passed as usize] += 1.0;
    }
    for at_least in counts.chunks_exact_mut(longest) {
        for l in 0..longest - 1 {
            at_least[l] -= at_least[l + 1];
        }
    }
    counts
}

/// The features by an aggregation method that knows directions.
pub(crate) fn features(texture: &Texture, aggregation: Aggregation) -> Vec<IbsiFeature> {
    let scope = texture.scope(aggregation);
    let sets = scope.sets(&|part| {
        let map = &part.map;
        let offsets = directions(map.shape, &[1], scope.fixed_axis).unwrap_or_default();
        let room = || vec![0u32; map.cells.len()];
        let set = |counts: &[f64]| values(DEFINITIONS, &SizeMatrix::new(dense_cells(map.gray_levels(), counts)));
        if !scope.merges_directions {
            return offsets
                .par_iter()
                .map_init(room, |length, &offset| set(&run_counts(map, offset, length)))
                .collect::<Vec<_>>();
        }
        let mut length = room();
        let counts = offsets.iter().map(|&offset| run_counts(map, offset, &mut length));
        let total = counts.reduce(|mut total, counts| {
            total.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
            total
        });
        total.iter().map(|total| set(total)).collect()
    });
    means(DEFINITIONS, IbsiFamily::Glrlm, aggregation, &sets)
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_agree_with_walking_along_them(levels in prop::collection::vec(0u32..4, 3 * 4 * 5)) {
            prop_assume!(levels.iter().any(|level| *level > 0));
            let mut grid = Array3::<u32>::zeros([5, 6, 7]);
            grid.slice_mut(ndarray::s![1..4, 1..5, 1..6]).iter_mut().zip(levels).for_each(|(to, from)| *to = from);
            let map = LevelMap::new(grid.view(), 1).unwrap();
            let at = |voxel: [isize; 3]| grid.get(voxel.map(|index| index as usize)).copied().unwrap_or(0);
            for offset in directions(map.shape, &[1], None).unwrap() {
                let moved = |voxel: [isize; 3], steps: isize| -> [isize; 3] { std::array::from_fn(|axis| voxel[axis] + steps * offset[axis]) };
                let mut expected = vec![0.0; map.gray_levels().len() * 7];
                for ((z, y, x), &level) in grid.indexed_iter().filter(|(_, level)| **level > 0) {
                    let voxel = [z, y, x].map(|index| index as isize);
                    if at(moved(voxel, -1)) != level {
                        let length = (1..).find(|&steps| at(moved(voxel, steps)) != level).unwrap();
                        let row = map.gray_levels().iter().position(|other| *other == level).unwrap();
                        expected[row * 7 + length as usize - 1] += 1.0;
                    }
                }
                prop_assert_eq!(run_counts(&map, offset, &mut vec![9; map.cells.len()]), expected);
            }
        }
    }
}
