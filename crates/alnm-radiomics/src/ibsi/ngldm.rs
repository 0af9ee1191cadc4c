//! Neighbouring grey level dependence based features: how many neighbours have the same level.
//!
//! s_ij counts the voxels of level i with j - 1 neighbours of the same level (coarseness α = 0) at Chebyshev distance
//! 1; N_s is their number. The formulas are those of [`crate::size_matrix::SizeMatrix`] with dependences as sizes.

use super::feature::{Aggregation, Definition, IbsiFamily, IbsiFeature, means, values};
use super::texture::{Texture, TexturePart};
use crate::level_map::{LevelMap, neighbour_offsets};
use crate::size_matrix::{SizeMatrix, dense_cells};

/// The matrix of a part.
fn matrix(part: &TexturePart, fixed_axis: Option<usize>) -> SizeMatrix {
    let map = &part.map;
    let offsets = neighbour_offsets(map.shape, &[1], fixed_axis).unwrap_or_default();
    let steps: Vec<isize> = offsets.into_iter().map(|offset| map.step(offset)).collect();
    let columns = steps.len() + 1;
    let mut counts = vec![0.0; map.gray_levels().len() * columns];
    let mut dependent: Vec<u32> = Vec::new();
    for row in &map.rows {
        let own = &map.cells[row.clone()];
        dependent.clear();
        dependent.resize(row.len(), 0);
        for &step in &steps {
            for ((dependent, level), neighbour) in
                dependent.iter_mut().zip(own).zip(LevelMap::neighbours(&map.cells, row, step))
            {
                *dependent += u32::from(level == neighbour);
            }
        }
        for (&level, &dependent) in own.iter().zip(&dependent) {
            counts[(level as usize - 1) * columns + dependent as usize] += 1.0;
        }
    }
    SizeMatrix::new(dense_cells(map.gray_levels(), &counts))
}

/// Σ (s_ij / N_s)².
fn energy(matrix: &SizeMatrix) -> f64 {
    matrix.cells().iter().map(|cell| (cell.count / matrix.total()).powi(2)).sum()
}

/// The features of the family in the order of the reference manual: code, tag, name and formula.
pub(crate) const DEFINITIONS: &[Definition<SizeMatrix>] = &[
    Definition::new("SODN", "ngl_lde", "Low dependence emphasis", SizeMatrix::small_emphasis),
    Definition::new("IMOQ", "ngl_hde", "High dependence emphasis", SizeMatrix::large_emphasis),
    Definition::new("TL9H", "ngl_lgce", "Low grey level count emphasis", SizeMatrix::low_level_emphasis),
    Definition::new("OAE7", "ngl_hgce", "High grey level count emphasis", SizeMatrix::high_level_emphasis),
    Definition::new("EQ3F", "ngl_ldlge", "Low dependence low grey level emphasis", SizeMatrix::small_low_emphasis),
    Definition::new("JA6D", "ngl_ldhge", "Low dependence high grey level emphasis", SizeMatrix::small_high_emphasis),
    Definition::new("NBZI", "ngl_hdlge", "High dependence low grey level emphasis", SizeMatrix::large_low_emphasis),
    Definition::new("9QMG", "ngl_hdhge", "High dependence high grey level emphasis", SizeMatrix::large_high_emphasis),
    Definition::new("FP8K", "ngl_glnu", "Grey level non-uniformity", SizeMatrix::level_non_uniformity),
    Definition::new(
        "5SPA",
        "ngl_glnu_norm",
        "Normalised grey level non-uniformity",
        SizeMatrix::level_non_uniformity_normalised,
    ),
    Definition::new("Z87G", "ngl_dcnu", "Dependence count non-uniformity", SizeMatrix::size_non_uniformity),
    Definition::new(
        "OKJI",
        "ngl_dcnu_norm",
        "Normalised dependence count non-uniformity",
        SizeMatrix::size_non_uniformity_normalised,
    ),
    // N_s / N_v: every voxel has a dependence, if only on itself.
    Definition::new("6XV8", "ngl_dc_perc", "Dependence count percentage", |_| 1.0),
    Definition::new("1PFV", "ngl_gl_var", "Grey level variance", SizeMatrix::level_variance),
    Definition::new("DNX2", "ngl_dc_var", "Dependence count variance", SizeMatrix::size_variance),
    Definition::new("FCBV", "ngl_dc_entr", "Dependence count entropy", SizeMatrix::entropy),
    Definition::new("CAS9", "ngl_dc_energy", "Dependence count energy", energy),
];

/// The features by an aggregation method without directions.
pub(crate) fn features(texture: &Texture, aggregation: Aggregation) -> Vec<IbsiFeature> {
    let scope = texture.scope(aggregation);
    let sets = scope.sets(&|part| vec![values(DEFINITIONS, &matrix(part, scope.fixed_axis))]);
    means(DEFINITIONS, IbsiFamily::Ngldm, aggregation, &sets)
}
