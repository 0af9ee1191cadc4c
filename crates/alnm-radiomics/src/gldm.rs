//! Grey level dependence matrix: how many neighbours have nearly the same level.
//!
//! P(i, j) counts the voxels of level i with j - 1 dependent neighbours, those whose level differs by at most α. Sun
//! and Wee 1983, doi 10.1016/0734-189X(83)90032-4; with distance 1 the neighbouring grey level dependence matrix of
//! IBSI. The formulas are those of [`SizeMatrix`].

use crate::error::Result;
use crate::feature::{ClassValue, Formula, Selection};
use crate::level_map::{LevelMap, neighbour_offsets};
use crate::neighbourhood::{Neighbourhoods, Wanted};
use crate::size_matrix::{SizeMatrix, dense_cells};

/// What dependence is.
#[derive(Debug, Clone, PartialEq)]
pub struct GldmSettings {
    /// Chebyshev distances between neighbours, in voxels.
    pub distances: Vec<u32>,
    /// The axis (0 = z, 1 = y, 2 = x) that neighbours do not step along.
    pub fixed_axis: Option<usize>,
    /// α: the largest difference of levels of dependent voxels.
    pub alpha: u32,
}

/// The features.
pub const FORMULAS: &[Formula<SizeMatrix>] = &[
    Formula::new("DependenceEntropy", Some("FCBV"), SizeMatrix::entropy),
    Formula::new("DependenceNonUniformity", Some("Z87G"), SizeMatrix::size_non_uniformity),
    Formula::new("DependenceNonUniformityNormalized", Some("OKJI"), SizeMatrix::size_non_uniformity_normalised),
    Formula::new("DependenceVariance", Some("DNX2"), SizeMatrix::size_variance),
    Formula::new("GrayLevelNonUniformity", Some("FP8K"), SizeMatrix::level_non_uniformity),
    Formula::new("GrayLevelVariance", Some("1PFV"), SizeMatrix::level_variance),
    Formula::new("HighGrayLevelEmphasis", Some("OAE7"), SizeMatrix::high_level_emphasis),
    Formula::new("LargeDependenceEmphasis", Some("IMOQ"), SizeMatrix::large_emphasis),
    Formula::new("LargeDependenceHighGrayLevelEmphasis", Some("9QMG"), SizeMatrix::large_high_emphasis),
    Formula::new("LargeDependenceLowGrayLevelEmphasis", Some("NBZI"), SizeMatrix::large_low_emphasis),
    Formula::new("LowGrayLevelEmphasis", Some("TL9H"), SizeMatrix::low_level_emphasis),
    Formula::new("SmallDependenceEmphasis", Some("SODN"), SizeMatrix::small_emphasis),
    Formula::new("SmallDependenceHighGrayLevelEmphasis", Some("JA6D"), SizeMatrix::small_high_emphasis),
    Formula::new("SmallDependenceLowGrayLevelEmphasis", Some("EQ3F"), SizeMatrix::small_low_emphasis),
];

/// Dependences of a region's voxels.
///
/// # Errors
/// [`crate::RadiomicsError::NoNeighbours`] when the region is smaller than every distance.
pub fn matrix(map: &LevelMap, settings: &GldmSettings) -> Result<SizeMatrix> {
    let offsets = neighbour_offsets(map.shape, &settings.distances, settings.fixed_axis)?;
    let wanted = Wanted::Dependences { alpha: settings.alpha };
    Ok(of_neighbourhoods(map, &Neighbourhoods::count(map, &offsets, wanted)))
}

/// The matrix of counts that hold dependences.
pub(crate) fn of_neighbourhoods(map: &LevelMap, counts: &Neighbourhoods) -> SizeMatrix {
    SizeMatrix::new(dense_cells(&map.gray_levels, &counts.dependences))
}

/// The selected features of a region.
///
/// # Errors
/// As [`matrix`].
pub fn features(map: &LevelMap, settings: &GldmSettings, selection: &Selection) -> Result<Vec<ClassValue>> {
    Ok(selection.evaluate(FORMULAS, &matrix(map, settings)?))
}
