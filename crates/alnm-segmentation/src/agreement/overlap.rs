//! Overlap of two regions, counted in voxels.

use alnm_imaging::{Geometry, LabelMap};
use serde::Serialize;

/// How much two regions A (the reference) and B (the other outline) have in common. N is the number of all voxels of
/// the image.
///
/// Where a measure is a quotient of zeros, because a region has no voxel, it is NaN.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RegionOverlap {
    /// Voxels of the reference, |A|.
    pub reference_voxels: usize,
    /// Voxels of the other outline, |B|.
    pub other_voxels: usize,
    /// Voxels of both, |A ∩ B|.
    pub common_voxels: usize,
    /// Volume of the reference in mm³.
    pub reference_volume: f64,
    /// Volume of the other outline in mm³.
    pub other_volume: f64,
    /// Dice coefficient 2 |A ∩ B| / (|A| + |B|).
    pub dice: f64,
    /// Jaccard coefficient |A ∩ B| / |A ∪ B|.
    pub jaccard: f64,
    /// Volume similarity 2 (|B| − |A|) / (|A| + |B|): 0 for equal volumes, positive when the other outline is larger.
    /// In the literature also 1 − |this| / 2.
    pub volume_similarity: f64,
    /// Cohen's kappa of the voxels of the whole image as "inside" and "outside". It grows with the background that the
    /// image happens to show.
    pub kappa: f64,
    /// Share of the reference that the other outline misses, 1 − |A ∩ B| / |A|.
    pub false_negative_error: f64,
    /// Share of the other outline that lies outside of the reference, 1 − |A ∩ B| / |B|.
    pub false_discovery_rate: f64,
}

/// Voxels of two regions with the label 1.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct VoxelCounts {
    pub(super) reference: usize,
    pub(super) other: usize,
    pub(super) common: usize,
}

impl VoxelCounts {
    pub(super) fn of(reference: &LabelMap, other: &LabelMap) -> Self {
        let mut counts = Self::default();
        for (&a, &b) in reference.as_slice().iter().zip(other.as_slice()) {
            counts.reference += usize::from(a == 1);
            counts.other += usize::from(b == 1);
            counts.common += usize::from(a == 1 && b == 1);
        }
        counts
    }
}

impl RegionOverlap {
    /// The measures of counted voxels in an image of this grid.
    pub(super) fn new(counts: VoxelCounts, grid: &Geometry) -> Self {
        let VoxelCounts { reference, other, common } = counts;
        let [a, b, both] = [reference, other, common].map(|voxels| voxels as f64);
        Self {
            reference_voxels: reference,
            other_voxels: other,
            common_voxels: common,
            reference_volume: a * grid.voxel_volume(),
            other_volume: b * grid.voxel_volume(),
            dice: 2.0 * both / (a + b),
            jaccard: both / (a + b - both),
            volume_similarity: 2.0 * (b - a) / (a + b),
            kappa: kappa(a, b, both, grid.voxel_count() as f64),
            false_negative_error: (a - both) / a,
            false_discovery_rate: (b - both) / b,
        }
    }
}

/// Cohen's kappa of two regions of `a` and `b` out of `all` voxels that have `both` in common.
fn kappa(a: f64, b: f64, both: f64, all: f64) -> f64 {
    let agreeing = (all - a - b + 2.0 * both) / all;
    let by_chance = (a * b + (all - a) * (all - b)) / (all * all);
    (agreeing - by_chance) / (1.0 - by_chance)
}
