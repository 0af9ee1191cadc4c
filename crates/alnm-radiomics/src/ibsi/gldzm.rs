//! Grey level distance zone based features: connected groups of voxels of one level, by their distance to the border.
//!
//! d_ij counts the zones of level i at distance j: the least number of steps across faces (within the slice, for the
//! methods that work in slices) from one of their voxels to a voxel outside of the morphological mask. N_s is the
//! number of zones, N_v the number of voxels. The formulas are those of [`crate::size_matrix::SizeMatrix`] with
//! distances as sizes.

use super::feature::{Aggregation, Definition, IbsiFamily, IbsiFeature, means, values};
use super::texture::{Texture, TexturePart};
use super::zones::{ZoneMatrix, zones};

/// The features of the family in the order of the reference manual: code, tag, name and formula.
pub(crate) const DEFINITIONS: &[Definition<ZoneMatrix>] = &[
    Definition::new("0GBI", "dzm_sde", "Small distance emphasis", |m| m.counts.small_emphasis()),
    Definition::new("MB4I", "dzm_lde", "Large distance emphasis", |m| m.counts.large_emphasis()),
    Definition::new("S1RA", "dzm_lgze", "Low grey level zone emphasis", |m| m.counts.low_level_emphasis()),
    Definition::new("K26C", "dzm_hgze", "High grey level zone emphasis", |m| m.counts.high_level_emphasis()),
    Definition::new("RUVG", "dzm_sdlge", "Small distance low grey level emphasis", |m| m.counts.small_low_emphasis()),
    Definition::new("DKNJ", "dzm_sdhge", "Small distance high grey level emphasis", |m| m.counts.small_high_emphasis()),
    Definition::new("A7WM", "dzm_ldlge", "Large distance low grey level emphasis", |m| m.counts.large_low_emphasis()),
    Definition::new("KLTH", "dzm_ldhge", "Large distance high grey level emphasis", |m| m.counts.large_high_emphasis()),
    Definition::new("VFT7", "dzm_glnu", "Grey level non-uniformity", |m| m.counts.level_non_uniformity()),
    Definition::new("7HP3", "dzm_glnu_norm", "Normalised grey level non-uniformity", |m| {
        m.counts.level_non_uniformity_normalised()
    }),
    Definition::new("V294", "dzm_zdnu", "Zone distance non-uniformity", |m| m.counts.size_non_uniformity()),
    Definition::new("IATH", "dzm_zdnu_norm", "Normalised zone distance non-uniformity", |m| {
        m.counts.size_non_uniformity_normalised()
    }),
    Definition::new("VIWW", "dzm_z_perc", "Zone percentage", |m| m.counts.total() / m.voxels),
    Definition::new("QK93", "dzm_gl_var", "Grey level variance", |m| m.counts.level_variance()),
    Definition::new("7WT1", "dzm_zd_var", "Zone distance variance", |m| m.counts.size_variance()),
    Definition::new("GBDU", "dzm_zd_entr", "Zone distance entropy", |m| m.counts.entropy()),
];

/// The features by an aggregation method without directions.
pub(crate) fn features(texture: &Texture, aggregation: Aggregation) -> Vec<IbsiFeature> {
    let scope = texture.scope(aggregation);
    let matrix = |part: &TexturePart| ZoneMatrix::new(&zones(part, scope.fixed_axis), |zone| zone.distance);
    let sets = scope.sets(&|part| vec![values(DEFINITIONS, &matrix(part))]);
    means(DEFINITIONS, IbsiFamily::Gldzm, aggregation, &sets)
}
