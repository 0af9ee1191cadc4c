//! Grey level size zone based features: connected groups of voxels of one level, by their number of voxels.
//!
//! s_ij counts the zones of level i with j voxels, connected with all 26 neighbours (8 within a slice); N_s is the
//! number of zones, N_v the number of voxels. The formulas are those of [`crate::size_matrix::SizeMatrix`].

use super::feature::{Aggregation, Definition, IbsiFamily, IbsiFeature, means, values};
use super::texture::{Texture, TexturePart};
use super::zones::{ZoneMatrix, zones};

/// The features of the family in the order of the reference manual: code, tag, name and formula.
pub(crate) const DEFINITIONS: &[Definition<ZoneMatrix>] = &[
    Definition::new("5QRC", "szm_sze", "Small zone emphasis", |m| m.counts.small_emphasis()),
    Definition::new("48P8", "szm_lze", "Large zone emphasis", |m| m.counts.large_emphasis()),
    Definition::new("XMSY", "szm_lgze", "Low grey level zone emphasis", |m| m.counts.low_level_emphasis()),
    Definition::new("5GN9", "szm_hgze", "High grey level zone emphasis", |m| m.counts.high_level_emphasis()),
    Definition::new("5RAI", "szm_szlge", "Small zone low grey level emphasis", |m| m.counts.small_low_emphasis()),
    Definition::new("HW1V", "szm_szhge", "Small zone high grey level emphasis", |m| m.counts.small_high_emphasis()),
    Definition::new("YH51", "szm_lzlge", "Large zone low grey level emphasis", |m| m.counts.large_low_emphasis()),
    Definition::new("J17V", "szm_lzhge", "Large zone high grey level emphasis", |m| m.counts.large_high_emphasis()),
    Definition::new("JNSA", "szm_glnu", "Grey level non-uniformity", |m| m.counts.level_non_uniformity()),
    Definition::new("Y1RO", "szm_glnu_norm", "Normalised grey level non-uniformity", |m| {
        m.counts.level_non_uniformity_normalised()
    }),
    Definition::new("4JP3", "szm_zsnu", "Zone size non-uniformity", |m| m.counts.size_non_uniformity()),
    Definition::new("VB3A", "szm_zsnu_norm", "Normalised zone size non-uniformity", |m| {
        m.counts.size_non_uniformity_normalised()
    }),
    Definition::new("P30P", "szm_z_perc", "Zone percentage", |m| m.counts.total() / m.voxels),
    Definition::new("BYLV", "szm_gl_var", "Grey level variance", |m| m.counts.level_variance()),
    Definition::new("3NSA", "szm_zs_var", "Zone size variance", |m| m.counts.size_variance()),
    Definition::new("GU8N", "szm_zs_entr", "Zone size entropy", |m| m.counts.entropy()),
];

/// The features by an aggregation method without directions.
pub(crate) fn features(texture: &Texture, aggregation: Aggregation) -> Vec<IbsiFeature> {
    let scope = texture.scope(aggregation);
    let matrix = |part: &TexturePart| ZoneMatrix::new(&zones(part, scope.fixed_axis), |zone| zone.size);
    let sets = scope.sets(&|part| vec![values(DEFINITIONS, &matrix(part))]);
    means(DEFINITIONS, IbsiFamily::Glszm, aggregation, &sets)
}
