//! Grey level co-occurrence based features: how often levels i and j are neighbours.
//!
//! Symbols: p_ij the share of pairs of neighbouring voxels with levels i and j, each pair counted in both orders; μ and
//! σ² mean and variance of its marginal p_i; p_{i-j}(k) and p_{i+j}(k) the distributions of |i - j| and i + j;
//! entropies in bits, 0 log 0 = 0. Neighbours are at Chebyshev distance 1, directions are not weighted.
//!
//! A region of one level has correlation 1 and information correlations 0. A region without any pair has no values
//! (NaN); a direction or slice without pairs is left out of averages.

use rayon::prelude::*;

use super::feature::{Aggregation, Definition, IbsiFamily, IbsiFeature, means, values};
use super::texture::Texture;
use crate::glcm::pair_counts;
use crate::level_map::{LevelMap, Offset, directions};

/// A co-occurrence matrix with its marginal distributions.
#[derive(Debug, Clone)]
pub(crate) struct IbsiCooccurrenceMatrix {
    /// Levels of the rows and columns, ascending.
    levels: Vec<f64>,
    /// p_ij, row by row; symmetric.
    p: Vec<f64>,
    /// p_i.
    marginal: Vec<f64>,
    /// p_{i-j}(k) at index k.
    difference: Vec<f64>,
    /// p_{i+j}(k) at index k.
    sum: Vec<f64>,
    mean: f64,
    /// N_g.
    level_count: f64,
}

impl IbsiCooccurrenceMatrix {
    /// The matrix of pairs counted in one order, row by row over the ascending `levels`; `None` without pairs.
    fn new(levels: &[u32], counts: &[u64], level_count: u32) -> Option<Self> {
        let n = levels.len();
        let pairs: u64 = counts.iter().sum();
        if pairs == 0 {
            return None;
        }
        let share = 0.5 / pairs as f64;
        let highest = levels[n - 1] as usize;
        let mut matrix = Self {
            levels: levels.iter().map(|&level| f64::from(level)).collect(),
            p: vec![0.0; n * n],
            marginal: vec![0.0; n],
            difference: vec![0.0; highest],
            sum: vec![0.0; 2 * highest + 1],
            mean: 0.0,
            level_count: f64::from(level_count),
        };
        for row in 0..n {
            for column in 0..n {
                let p = (counts[row * n + column] + counts[column * n + row]) as f64 * share;
                matrix.p[row * n + column] = p;
                matrix.marginal[row] += p;
                matrix.difference[levels[row].abs_diff(levels[column]) as usize] += p;
                matrix.sum[(levels[row] + levels[column]) as usize] += p;
            }
        }
        matrix.mean = matrix.levels.iter().zip(&matrix.marginal).map(|(level, p)| level * p).sum();
        Some(matrix)
    }

    /// Σ p_{i-j}(k) · term(k).
    fn over_differences(&self, term: impl Fn(f64) -> f64) -> f64 {
        weighted(&self.difference, term)
    }

    /// Σ p_{i+j}(k) · term(k).
    fn over_sums(&self, term: impl Fn(f64) -> f64) -> f64 {
        weighted(&self.sum, term)
    }

    /// Σ p_ij · i · j.
    fn autocorrelation(&self) -> f64 {
        let row_sum = |row: &[f64]| row.iter().zip(&self.levels).map(|(p, j)| p * j).sum::<f64>();
        self.p.chunks_exact(self.levels.len()).zip(&self.levels).map(|(row, i)| i * row_sum(row)).sum()
    }

    /// σ².
    fn variance(&self) -> f64 {
        self.levels.iter().zip(&self.marginal).map(|(level, p)| p * (level - self.mean).powi(2)).sum()
    }

    /// (Σ p_ij i j - μ²) / σ²; 1 for one level.
    fn correlation(&self) -> f64 {
        if self.levels.len() == 1 {
            return 1.0;
        }
        let deviations = |row: &[f64]| row.iter().zip(&self.levels).map(|(p, j)| p * (j - self.mean)).sum::<f64>();
        let rows = self.p.chunks_exact(self.levels.len()).zip(&self.levels);
        rows.map(|(row, i)| (i - self.mean) * deviations(row)).sum::<f64>() / self.variance()
    }

    /// Σ p_{i+j}(k) (k - 2μ)^power.
    fn cluster(&self, power: i32) -> f64 {
        self.over_sums(|k| (k - 2.0 * self.mean).powi(power))
    }

    /// -Σ p_ij log₂(p_i p_j). Both marginals are the same, so that it is twice the marginal's entropy, as is
    /// -Σ p_i p_j log₂(p_i p_j): HXY1 = HXY2 = 2 HX.
    fn entropy_if_independent(&self) -> f64 {
        2.0 * entropy(&self.marginal)
    }

    /// (HXY - HXY1) / HX; 0 for one level.
    fn first_information_correlation(&self) -> f64 {
        let marginal = entropy(&self.marginal);
        if marginal == 0.0 { 0.0 } else { (entropy(&self.p) - self.entropy_if_independent()) / marginal }
    }

    /// √(1 - exp(-2 (HXY2 - HXY))); the difference is not negative but for rounding.
    fn second_information_correlation(&self) -> f64 {
        let gain = (self.entropy_if_independent() - entropy(&self.p)).max(0.0);
        (1.0 - (-2.0 * gain).exp()).sqrt()
    }
}

fn weighted(p: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    p.iter().enumerate().filter(|(_, p)| **p > 0.0).map(|(k, p)| p * term(k as f64)).sum()
}

/// -Σ p log₂ p.
fn entropy(p: &[f64]) -> f64 {
    0.0 - p.iter().filter(|p| **p > 0.0).map(|p| p * p.log2()).sum::<f64>()
}

/// The features of the family in the order of the reference manual: code, tag, name and formula.
pub(crate) const DEFINITIONS: &[Definition<IbsiCooccurrenceMatrix>] = &[
    Definition::new("GYBY", "cm_joint_max", "Joint maximum", |m| m.p.iter().copied().fold(0.0, f64::max)),
    Definition::new("60VM", "cm_joint_avg", "Joint average", |m| m.mean),
    Definition::new("UR99", "cm_joint_var", "Joint variance", IbsiCooccurrenceMatrix::variance),
    Definition::new("TU9B", "cm_joint_entr", "Joint entropy", |m| entropy(&m.p)),
    Definition::new("TF7R", "cm_diff_avg", "Difference average", |m| m.over_differences(|k| k)),
    Definition::new("D3YU", "cm_diff_var", "Difference variance", |m| {
        let mean = m.over_differences(|k| k);
        m.over_differences(|k| (k - mean).powi(2))
    }),
    Definition::new("NTRS", "cm_diff_entr", "Difference entropy", |m| entropy(&m.difference)),
    Definition::new("ZGXS", "cm_sum_avg", "Sum average", |m| m.over_sums(|k| k)),
    Definition::new("OEEB", "cm_sum_var", "Sum variance", |m| m.cluster(2)),
    Definition::new("P6QZ", "cm_sum_entr", "Sum entropy", |m| entropy(&m.sum)),
    Definition::new("8ZQL", "cm_energy", "Angular second moment", |m| m.p.iter().map(|p| p * p).sum()),
    Definition::new("ACUI", "cm_contrast", "Contrast", |m| m.over_differences(|k| k * k)),
    Definition::new("8S9J", "cm_dissimilarity", "Dissimilarity", |m| m.over_differences(|k| k)),
    Definition::new("IB1Z", "cm_inv_diff", "Inverse difference", |m| m.over_differences(|k| 1.0 / (1.0 + k))),
    Definition::new("NDRX", "cm_inv_diff_norm", "Normalised inverse difference", |m| {
        m.over_differences(|k| 1.0 / (1.0 + k / m.level_count))
    }),
    Definition::new("WF0Z", "cm_inv_diff_mom", "Inverse difference moment", |m| {
        m.over_differences(|k| 1.0 / (1.0 + k * k))
    }),
    Definition::new("1QCO", "cm_inv_diff_mom_norm", "Normalised inverse difference moment", |m| {
        m.over_differences(|k| 1.0 / (1.0 + (k / m.level_count).powi(2)))
    }),
    // Σ_{k > 0} p_{i-j}(k) / k²
    Definition::new("E8JP", "cm_inv_var", "Inverse variance", |m| {
        m.over_differences(|k| if k > 0.0 { 1.0 / (k * k) } else { 0.0 })
    }),
    Definition::new("NI2N", "cm_corr", "Correlation", IbsiCooccurrenceMatrix::correlation),
    Definition::new("QWB0", "cm_auto_corr", "Autocorrelation", IbsiCooccurrenceMatrix::autocorrelation),
    Definition::new("DG8W", "cm_clust_tend", "Cluster tendency", |m| m.cluster(2)),
    Definition::new("7NFM", "cm_clust_shade", "Cluster shade", |m| m.cluster(3)),
    Definition::new("AE86", "cm_clust_prom", "Cluster prominence", |m| m.cluster(4)),
    Definition::new(
        "R8DG",
        "cm_info_corr1",
        "Information correlation 1",
        IbsiCooccurrenceMatrix::first_information_correlation,
    ),
    Definition::new(
        "JN9H",
        "cm_info_corr2",
        "Information correlation 2",
        IbsiCooccurrenceMatrix::second_information_correlation,
    ),
];

/// Pairs in one direction.
fn pairs(map: &LevelMap, offset: Offset) -> Vec<u64> {
    pair_counts(map, offset).into_iter().map(u64::from).collect()
}

/// Pairs in all of several directions.
fn merged_pairs(map: &LevelMap, offsets: &[Offset]) -> Vec<u64> {
    let mut total = vec![0; map.gray_levels().len().pow(2)];
    for &offset in offsets {
        total.iter_mut().zip(pair_counts(map, offset)).for_each(|(total, count)| *total += u64::from(count));
    }
    total
}

/// The features by an aggregation method that knows directions.
pub(crate) fn features(texture: &Texture, aggregation: Aggregation) -> Vec<IbsiFeature> {
    let scope = texture.scope(aggregation);
    let sets = scope.sets(&|part| {
        let offsets = directions(part.map.shape, &[1], scope.fixed_axis).unwrap_or_default();
        let set = |counts: Vec<u64>| {
            let matrix = IbsiCooccurrenceMatrix::new(part.map.gray_levels(), &counts, texture.level_count);
            matrix.map(|matrix| values(DEFINITIONS, &matrix))
        };
        if scope.merges_directions {
            return set(merged_pairs(&part.map, &offsets)).into_iter().collect();
        }
        offsets.par_iter().filter_map(|&offset| set(pairs(&part.map, offset))).collect::<Vec<_>>()
    });
    means(DEFINITIONS, IbsiFamily::Glcm, aggregation, &sets)
}
