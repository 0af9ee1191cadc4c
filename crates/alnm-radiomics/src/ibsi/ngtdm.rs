//! Neighbourhood grey tone difference based features: how far voxels differ from the mean of their neighbours.
//!
//! Symbols: for each level i, n_i the number of its voxels that have a neighbour in the region, s_i the sum of |i - X̄|
//! over them, X̄ being the mean level of a voxel's neighbours at Chebyshev distance 1; N_{v,c} = Σ n_i, p_i = n_i /
//! N_{v,c}, and N_{g,p} the number of levels with p_i > 0.

use super::feature::{Aggregation, Definition, IbsiFamily, IbsiFeature, means, values};
use super::texture::{Texture, TexturePart};
use crate::level_map::neighbour_offsets;
use crate::neighbourhood::{Counting, Neighbourhoods};

/// A row of the matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
struct IbsiToneRow {
    /// i.
    level: f64,
    /// p_i.
    probability: f64,
    /// s_i.
    difference: f64,
}

/// The matrix: the rows of the levels with p_i > 0, ascending.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IbsiToneDifferenceMatrix {
    rows: Vec<IbsiToneRow>,
    /// N_{v,c}.
    voxels: f64,
}

impl IbsiToneDifferenceMatrix {
    /// The matrix of a part; `None` where no voxel has a neighbour.
    fn new(part: &TexturePart, fixed_axis: Option<usize>) -> Option<Self> {
        let map = &part.map;
        let offsets = neighbour_offsets(map.shape, &[1], fixed_axis).unwrap_or_default();
        let counts = Neighbourhoods::count(map, &offsets, Counting::Tones);
        let voxels: Vec<u32> =
            counts.voxels.iter().zip(&counts.isolated).map(|(voxels, isolated)| voxels - isolated).collect();
        let total = voxels.iter().map(|&voxels| f64::from(voxels)).sum::<f64>();
        let rows = map.gray_levels().iter().zip(voxels).zip(counts.differences).filter(|((_, voxels), _)| *voxels > 0);
        let rows: Vec<IbsiToneRow> = rows
            .map(|((&level, voxels), difference)| IbsiToneRow {
                level: f64::from(level),
                probability: f64::from(voxels) / total,
                difference,
            })
            .collect();
        (!rows.is_empty()).then_some(Self { rows, voxels: total })
    }

    /// Σ_ij term(i, j) over all pairs of levels.
    fn over_pairs(&self, term: impl Fn(&IbsiToneRow, &IbsiToneRow) -> f64) -> f64 {
        self.rows.iter().map(|i| self.rows.iter().map(|j| term(i, j)).sum::<f64>()).sum()
    }

    /// Σ s_i.
    fn summed_difference(&self) -> f64 {
        self.rows.iter().map(|row| row.difference).sum()
    }

    /// Σ p_i s_i.
    fn weighted_difference(&self) -> f64 {
        self.rows.iter().map(|row| row.probability * row.difference).sum()
    }

    /// 1 / Σ p_i s_i; 10⁶ where that sum is 0.
    fn coarseness(&self) -> f64 {
        let sum = self.weighted_difference();
        if sum == 0.0 { 1e6 } else { 1.0 / sum }
    }

    /// Σ_ij p_i p_j (i - j)² / (N_{g,p} (N_{g,p} - 1)) · Σ s_i / N_{v,c}; 0 for one level.
    fn contrast(&self) -> f64 {
        let levels = self.rows.len() as f64;
        if self.rows.len() == 1 {
            return 0.0;
        }
        let spread = self.over_pairs(|i, j| i.probability * j.probability * (i.level - j.level).powi(2));
        spread / (levels * (levels - 1.0)) * self.summed_difference() / self.voxels
    }

    /// Σ p_i s_i / Σ_ij |i p_i - j p_j|; 0 for one level and where the divisor is 0.
    fn busyness(&self) -> f64 {
        let divisor = self.over_pairs(|i, j| (i.level * i.probability - j.level * j.probability).abs());
        if divisor == 0.0 { 0.0 } else { self.weighted_difference() / divisor }
    }

    /// Σ_ij |i - j| (p_i s_i + p_j s_j) / (p_i + p_j) / N_{v,c}.
    fn complexity(&self) -> f64 {
        let term = |i: &IbsiToneRow, j: &IbsiToneRow| {
            (i.level - j.level).abs() * (i.probability * i.difference + j.probability * j.difference)
                / (i.probability + j.probability)
        };
        self.over_pairs(term) / self.voxels
    }

    /// Σ_ij (p_i + p_j) (i - j)² / Σ s_i; 0 where the divisor is 0.
    fn strength(&self) -> f64 {
        let divisor = self.summed_difference();
        let sum = self.over_pairs(|i, j| (i.probability + j.probability) * (i.level - j.level).powi(2));
        if divisor == 0.0 { 0.0 } else { sum / divisor }
    }
}

/// The features of the family in the order of the reference manual: code, tag, name and formula.
pub(crate) const DEFINITIONS: &[Definition<IbsiToneDifferenceMatrix>] = &[
    Definition::new("QCDE", "ngt_coarseness", "Coarseness", IbsiToneDifferenceMatrix::coarseness),
    Definition::new("65HE", "ngt_contrast", "Contrast", IbsiToneDifferenceMatrix::contrast),
    Definition::new("NQ30", "ngt_busyness", "Busyness", IbsiToneDifferenceMatrix::busyness),
    Definition::new("HDEZ", "ngt_complexity", "Complexity", IbsiToneDifferenceMatrix::complexity),
    Definition::new("1X9X", "ngt_strength", "Strength", IbsiToneDifferenceMatrix::strength),
];

/// The features by an aggregation method without directions.
pub(crate) fn features(texture: &Texture, aggregation: Aggregation) -> Vec<IbsiFeature> {
    let scope = texture.scope(aggregation);
    let sets = scope.sets(&|part| {
        let matrix = IbsiToneDifferenceMatrix::new(part, scope.fixed_axis);
        matrix.iter().map(|matrix| values(DEFINITIONS, matrix)).collect()
    });
    means(DEFINITIONS, IbsiFamily::Ngtdm, aggregation, &sets)
}
