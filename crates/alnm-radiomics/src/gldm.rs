//! Grey level dependence matrix: how many neighbours have nearly the same level.
//!
//! P(i, j) counts the voxels of level i with j - 1 dependent neighbours, those whose level differs by at most α. Sun
//! and Wee 1983, doi 10.1016/0734-189X(83)90032-4; with distance 1 the neighbouring grey level dependence matrix of
//! IBSI. The formulas are those of [`SizeMatrix`].
//!
//! The example of PyRadiomics' manual, one slice with α = 0:
//!
//! ```
//! use alnm_radiomics::LevelMap;
//! use alnm_radiomics::gldm::{GldmSettings, matrix};
//! use ndarray::array;
//!
//! let levels = array![[[5_u32, 2, 5, 4, 4], [3, 3, 3, 1, 3], [2, 1, 1, 1, 3], [4, 2, 2, 2, 3], [3, 5, 3, 3, 2]]];
//! let map = LevelMap::new(levels.view(), 1)?;
//! let matrix = matrix(&map, &GldmSettings::default())?;
//! // Level, dependent neighbours + 1 and number of voxels.
//! let voxels: Vec<[f64; 3]> = matrix.cells().iter().map(|cell| [cell.level, cell.size, cell.count]).collect();
//! assert_eq!(voxels, [
//!     [1.0, 2.0, 1.0], [1.0, 3.0, 2.0], [1.0, 4.0, 1.0],
//!     [2.0, 1.0, 1.0], [2.0, 2.0, 2.0], [2.0, 3.0, 3.0],
//!     [3.0, 1.0, 1.0], [3.0, 2.0, 4.0], [3.0, 3.0, 4.0],
//!     [4.0, 1.0, 1.0], [4.0, 2.0, 2.0],
//!     [5.0, 1.0, 3.0],
//! ]);
//! # Ok::<(), alnm_radiomics::RadiomicsError>(())
//! ```

use crate::error::Result;
use crate::feature::{ClassValue, FeatureClass, Formula, Selection};
use crate::ibsi::definition::ngldm;
use crate::level_map::{LevelMap, neighbour_offsets};
use crate::neighbourhood::{Counting, Neighbourhoods};
use crate::size_matrix::{SizeMatrix, dense_cells};

/// When a neighbour counts as dependent on a voxel.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `distances` | `[1]` | Chebyshev distances between neighbours, in voxels | above 0 |
/// | `fixed_axis` | none | the axis (0 = z, 1 = y, 2 = x) that neighbours do not step along | 0 to 2 |
/// | `alpha` | 0 | α: the largest difference of levels of dependent voxels | from 0 |
#[derive(Debug, Clone, PartialEq)]
#[must_use]
#[non_exhaustive]
pub struct GldmSettings {
    /// Chebyshev distances between neighbours, in voxels.
    pub distances: Vec<u32>,
    /// The axis (0 = z, 1 = y, 2 = x) that neighbours do not step along.
    pub fixed_axis: Option<usize>,
    /// α: the largest difference of levels of dependent voxels.
    pub alpha: u32,
}

impl Default for GldmSettings {
    fn default() -> Self {
        Self { distances: vec![1], fixed_axis: None, alpha: 0 }
    }
}

impl GldmSettings {
    /// Sets [`GldmSettings::distances`].
    pub fn with_distances(self, distances: impl Into<Vec<u32>>) -> Self {
        Self { distances: distances.into(), ..self }
    }

    /// Sets [`GldmSettings::fixed_axis`].
    pub fn with_fixed_axis(self, fixed_axis: Option<usize>) -> Self {
        Self { fixed_axis, ..self }
    }

    /// Sets [`GldmSettings::alpha`].
    pub fn with_alpha(self, alpha: u32) -> Self {
        Self { alpha, ..self }
    }
}

/// The features of the class in the order of PyRadiomics' columns: the
/// feature of the IBSI with the same definition, and the formula over a [`SizeMatrix`].
pub const FORMULAS: &[Formula<SizeMatrix>] = &[
    Formula::compliant("DependenceEntropy", ngldm::DEPENDENCE_COUNT_ENTROPY, SizeMatrix::entropy),
    Formula::compliant(
        "DependenceNonUniformity",
        ngldm::DEPENDENCE_COUNT_NON_UNIFORMITY,
        SizeMatrix::size_non_uniformity,
    ),
    Formula::compliant(
        "DependenceNonUniformityNormalized",
        ngldm::NORMALISED_DEPENDENCE_COUNT_NON_UNIFORMITY,
        SizeMatrix::size_non_uniformity_normalised,
    ),
    Formula::compliant("DependenceVariance", ngldm::DEPENDENCE_COUNT_VARIANCE, SizeMatrix::size_variance),
    Formula::compliant("GrayLevelNonUniformity", ngldm::GREY_LEVEL_NON_UNIFORMITY, SizeMatrix::level_non_uniformity),
    Formula::compliant("GrayLevelVariance", ngldm::GREY_LEVEL_VARIANCE, SizeMatrix::level_variance),
    Formula::compliant("HighGrayLevelEmphasis", ngldm::HIGH_GREY_LEVEL_COUNT_EMPHASIS, SizeMatrix::high_level_emphasis),
    Formula::compliant("LargeDependenceEmphasis", ngldm::HIGH_DEPENDENCE_EMPHASIS, SizeMatrix::large_emphasis),
    Formula::compliant(
        "LargeDependenceHighGrayLevelEmphasis",
        ngldm::HIGH_DEPENDENCE_HIGH_GREY_LEVEL_EMPHASIS,
        SizeMatrix::large_high_emphasis,
    ),
    Formula::compliant(
        "LargeDependenceLowGrayLevelEmphasis",
        ngldm::HIGH_DEPENDENCE_LOW_GREY_LEVEL_EMPHASIS,
        SizeMatrix::large_low_emphasis,
    ),
    Formula::compliant("LowGrayLevelEmphasis", ngldm::LOW_GREY_LEVEL_COUNT_EMPHASIS, SizeMatrix::low_level_emphasis),
    Formula::compliant("SmallDependenceEmphasis", ngldm::LOW_DEPENDENCE_EMPHASIS, SizeMatrix::small_emphasis),
    Formula::compliant(
        "SmallDependenceHighGrayLevelEmphasis",
        ngldm::LOW_DEPENDENCE_HIGH_GREY_LEVEL_EMPHASIS,
        SizeMatrix::small_high_emphasis,
    ),
    Formula::compliant(
        "SmallDependenceLowGrayLevelEmphasis",
        ngldm::LOW_DEPENDENCE_LOW_GREY_LEVEL_EMPHASIS,
        SizeMatrix::small_low_emphasis,
    ),
    Formula::ibsi_only(ngldm::NORMALISED_GREY_LEVEL_NON_UNIFORMITY, SizeMatrix::level_non_uniformity_normalised),
    // N_s / N_v: every voxel has a dependence, if only on itself.
    Formula::ibsi_only(ngldm::DEPENDENCE_COUNT_PERCENTAGE, |_| 1.0),
    Formula::ibsi_only(ngldm::DEPENDENCE_COUNT_ENERGY, SizeMatrix::energy),
];

/// Dependences of a region's voxels.
///
/// # Errors
/// [`crate::RadiomicsError::NoNeighbours`] when the region is smaller than every distance.
pub fn matrix(map: &LevelMap, settings: &GldmSettings) -> Result<SizeMatrix> {
    let offsets = neighbour_offsets(map.shape, &settings.distances, settings.fixed_axis)?;
    let counting = Counting::Dependences { alpha: settings.alpha };
    Ok(of_neighbourhoods(map, &Neighbourhoods::count(map, &offsets, counting)))
}

/// The matrix of counts that hold dependences.
pub(crate) fn of_neighbourhoods(map: &LevelMap, counts: &Neighbourhoods) -> SizeMatrix {
    SizeMatrix::new(dense_cells(&map.gray_levels, &counts.dependences))
}

/// The values of the selected features of a region, in the order of the selection.
///
/// # Errors
/// As [`matrix`].
pub fn features(map: &LevelMap, settings: &GldmSettings, selection: &Selection) -> Result<Vec<ClassValue>> {
    selection.evaluate(FeatureClass::Gldm, FORMULAS, &matrix(map, settings)?)
}
