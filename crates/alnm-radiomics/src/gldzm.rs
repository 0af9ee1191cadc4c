//! Grey level distance zone matrix: connected groups of voxels of one level, by their distance to the border.
//!
//! P(i, j) counts the zones of level i at distance j: the least number of steps across faces (within the slice, for
//! zones in slices) from one of their voxels to a voxel outside of the region's morphological mask. N_s is the number
//! of zones, N_v the number of voxels. The formulas are those of [`SizeMatrix`] with distances as sizes. Thibault et
//! al. 2014, doi 10.1109/TBME.2013.2284600; IBSI section "Grey level distance zone". PyRadiomics does not have the
//! class.

use crate::feature::Formula;
use crate::ibsi::definition::gldzm;
use crate::size_matrix::SizeMatrix;

/// The matrix with the number of voxels, which does not follow from it.
#[derive(Debug, Clone)]
pub(crate) struct DistanceZones {
    /// Zones by level and distance.
    pub(crate) counts: SizeMatrix,
    /// N_v.
    pub(crate) voxels: usize,
}

/// The features of the class: the feature of the IBSI and the formula over a [`DistanceZones`].
pub(crate) const FORMULAS: &[Formula<DistanceZones>] = &[
    Formula::ibsi_only(gldzm::SMALL_DISTANCE_EMPHASIS, |m| m.counts.small_emphasis()),
    Formula::ibsi_only(gldzm::LARGE_DISTANCE_EMPHASIS, |m| m.counts.large_emphasis()),
    Formula::ibsi_only(gldzm::LOW_GREY_LEVEL_ZONE_EMPHASIS, |m| m.counts.low_level_emphasis()),
    Formula::ibsi_only(gldzm::HIGH_GREY_LEVEL_ZONE_EMPHASIS, |m| m.counts.high_level_emphasis()),
    Formula::ibsi_only(gldzm::SMALL_DISTANCE_LOW_GREY_LEVEL_EMPHASIS, |m| m.counts.small_low_emphasis()),
    Formula::ibsi_only(gldzm::SMALL_DISTANCE_HIGH_GREY_LEVEL_EMPHASIS, |m| m.counts.small_high_emphasis()),
    Formula::ibsi_only(gldzm::LARGE_DISTANCE_LOW_GREY_LEVEL_EMPHASIS, |m| m.counts.large_low_emphasis()),
    Formula::ibsi_only(gldzm::LARGE_DISTANCE_HIGH_GREY_LEVEL_EMPHASIS, |m| m.counts.large_high_emphasis()),
    Formula::ibsi_only(gldzm::GREY_LEVEL_NON_UNIFORMITY, |m| m.counts.level_non_uniformity()),
    Formula::ibsi_only(gldzm::NORMALISED_GREY_LEVEL_NON_UNIFORMITY, |m| m.counts.level_non_uniformity_normalised()),
    Formula::ibsi_only(gldzm::ZONE_DISTANCE_NON_UNIFORMITY, |m| m.counts.size_non_uniformity()),
    Formula::ibsi_only(gldzm::NORMALISED_ZONE_DISTANCE_NON_UNIFORMITY, |m| m.counts.size_non_uniformity_normalised()),
    Formula::ibsi_only(gldzm::ZONE_PERCENTAGE, |m| m.counts.total() / m.voxels as f64),
    Formula::ibsi_only(gldzm::GREY_LEVEL_VARIANCE, |m| m.counts.level_variance()),
    Formula::ibsi_only(gldzm::ZONE_DISTANCE_VARIANCE, |m| m.counts.size_variance()),
    Formula::ibsi_only(gldzm::ZONE_DISTANCE_ENTROPY, |m| m.counts.entropy()),
];
