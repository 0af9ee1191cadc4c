//! Grey level size zone matrix: connected groups of voxels of one level.
//!
//! P(i, j) counts the zones of level i with j voxels, voxels being connected with all their 26 neighbours (8 in a
//! slice). Thibault et al. 2009; IBSI section "Grey level size zone". The formulas are those of [`SizeMatrix`].
//!
//! The example of PyRadiomics' manual, one slice:
//!
//! ```
//! use alnm_radiomics::LevelMap;
//! use alnm_radiomics::glszm::matrix;
//! use ndarray::array;
//!
//! let levels = array![[[5_u32, 2, 5, 4, 4], [3, 3, 3, 1, 3], [2, 1, 1, 1, 3], [4, 2, 2, 2, 3], [3, 5, 3, 3, 2]]];
//! let map = LevelMap::new(levels.view(), 1)?;
//! // Level, size and number of zones.
//! let zones: Vec<[f64; 3]> = matrix(&map, None)?.cells().iter().map(|cell| [cell.level, cell.size, cell.count]).collect();
//! assert_eq!(zones, [
//!     [1.0, 4.0, 1.0],
//!     [2.0, 1.0, 1.0], [2.0, 5.0, 1.0],
//!     [3.0, 1.0, 1.0], [3.0, 3.0, 1.0], [3.0, 5.0, 1.0],
//!     [4.0, 1.0, 1.0], [4.0, 2.0, 1.0],
//!     [5.0, 1.0, 3.0],
//! ]);
//! # Ok::<(), alnm_radiomics::RadiomicsError>(())
//! ```

use crate::error::Result;
use crate::feature::{ClassValue, FeatureClass, Formula, Selection};
use crate::ibsi::definition::glszm;
use crate::level_map::{LevelMap, neighbour_offsets};
use crate::size_matrix::SizeMatrix;
use crate::zones::{KeptPlaces, Zones};

/// The features of the class in the order of PyRadiomics' columns: the
/// feature of the IBSI with the same definition, and the formula over a [`SizeMatrix`].
pub const FORMULAS: &[Formula<SizeMatrix>] = &[
    Formula::compliant("GrayLevelNonUniformity", glszm::GREY_LEVEL_NON_UNIFORMITY, SizeMatrix::level_non_uniformity),
    Formula::compliant(
        "GrayLevelNonUniformityNormalized",
        glszm::NORMALISED_GREY_LEVEL_NON_UNIFORMITY,
        SizeMatrix::level_non_uniformity_normalised,
    ),
    Formula::compliant("GrayLevelVariance", glszm::GREY_LEVEL_VARIANCE, SizeMatrix::level_variance),
    Formula::compliant(
        "HighGrayLevelZoneEmphasis",
        glszm::HIGH_GREY_LEVEL_ZONE_EMPHASIS,
        SizeMatrix::high_level_emphasis,
    ),
    Formula::compliant("LargeAreaEmphasis", glszm::LARGE_ZONE_EMPHASIS, SizeMatrix::large_emphasis),
    Formula::compliant(
        "LargeAreaHighGrayLevelEmphasis",
        glszm::LARGE_ZONE_HIGH_GREY_LEVEL_EMPHASIS,
        SizeMatrix::large_high_emphasis,
    ),
    Formula::compliant(
        "LargeAreaLowGrayLevelEmphasis",
        glszm::LARGE_ZONE_LOW_GREY_LEVEL_EMPHASIS,
        SizeMatrix::large_low_emphasis,
    ),
    Formula::compliant("LowGrayLevelZoneEmphasis", glszm::LOW_GREY_LEVEL_ZONE_EMPHASIS, SizeMatrix::low_level_emphasis),
    Formula::compliant("SizeZoneNonUniformity", glszm::ZONE_SIZE_NON_UNIFORMITY, SizeMatrix::size_non_uniformity),
    Formula::compliant(
        "SizeZoneNonUniformityNormalized",
        glszm::NORMALISED_ZONE_SIZE_NON_UNIFORMITY,
        SizeMatrix::size_non_uniformity_normalised,
    ),
    Formula::compliant("SmallAreaEmphasis", glszm::SMALL_ZONE_EMPHASIS, SizeMatrix::small_emphasis),
    Formula::compliant(
        "SmallAreaHighGrayLevelEmphasis",
        glszm::SMALL_ZONE_HIGH_GREY_LEVEL_EMPHASIS,
        SizeMatrix::small_high_emphasis,
    ),
    Formula::compliant(
        "SmallAreaLowGrayLevelEmphasis",
        glszm::SMALL_ZONE_LOW_GREY_LEVEL_EMPHASIS,
        SizeMatrix::small_low_emphasis,
    ),
    Formula::compliant("ZoneEntropy", glszm::ZONE_SIZE_ENTROPY, SizeMatrix::entropy),
    Formula::compliant("ZonePercentage", glszm::ZONE_PERCENTAGE, SizeMatrix::percentage),
    Formula::compliant("ZoneVariance", glszm::ZONE_SIZE_VARIANCE, SizeMatrix::size_variance),
];

/// The zones of a region; without steps along `fixed_axis` (0 = z, 1 = y, 2 = x).
///
/// # Errors
/// [`crate::RadiomicsError::NoNeighbours`] when the region is a single voxel wide along every other axis.
pub fn matrix(map: &LevelMap, fixed_axis: Option<usize>) -> Result<SizeMatrix> {
    Ok(Zones::new(map, neighbour_offsets(map.shape, &[1], fixed_axis)?, KeptPlaces::None).by_size(map))
}

/// The values of the selected features of a region, in the order of the selection.
///
/// # Errors
/// As [`matrix`].
pub fn features(map: &LevelMap, fixed_axis: Option<usize>, selection: &Selection) -> Result<Vec<ClassValue>> {
    selection.evaluate(FeatureClass::Glszm, FORMULAS, &matrix(map, fixed_axis)?)
}
