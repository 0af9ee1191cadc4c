//! The features of a co-occurrence matrix, from its distributions.

use std::f64::consts::LN_2;

use crate::entropy::{EPSILON, information, offset_information};
use crate::feature::Formula;
use crate::ibsi::definition::glcm;

/// Whose definitions hold where PyRadiomics and the reference manual of the IBSI differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Definitions {
    /// Logarithms of p + ε; the correlation of a matrix whose pairs are all of one level is 1; the second information
    /// correlation is undefined where rounding makes the difference of the entropies negative.
    PyRadiomics,
    /// Logarithms of p; such a matrix has no correlation, unless the region has one level only, for which it is 1; the
    /// difference of the entropies is at least 0.
    Ibsi,
}

impl Definitions {
    /// ε, which is added inside logarithms.
    #[inline(always)]
    pub(crate) const fn epsilon(self) -> f64 {
        match self {
            Self::PyRadiomics => EPSILON,
            Self::Ibsi => 0.0,
        }
    }

    /// The correlation of a matrix whose pairs are all of one level, in a region with `levels` of them.
    #[inline(always)]
    fn correlation_without_spread(self, levels: usize) -> f64 {
        match self {
            Self::Ibsi if levels > 1 => f64::NAN,
            Self::PyRadiomics | Self::Ibsi => 1.0,
        }
    }
}

/// Numbers with their probabilities, side by side.
#[derive(Debug, Clone, Copy)]
pub(super) struct WeightedValues<'a> {
    pub(super) values: &'a [f64],
    pub(super) p: &'a [f64],
}

impl WeightedValues<'_> {
    /// Σ_k p(k) · term(k).
    #[inline(always)]
    fn mean(self, term: impl Fn(f64) -> f64) -> f64 {
        self.values.iter().zip(self.p).map(|(&k, p)| p * term(k)).sum()
    }
}

/// What all features but the maximal correlation are computed from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Distributions<'a> {
    pub(super) x: WeightedValues<'a>,
    pub(super) y: WeightedValues<'a>,
    /// p_{x+y}
    pub(super) sum: WeightedValues<'a>,
    /// p_{x-y}
    pub(super) difference: WeightedValues<'a>,
    pub(super) entropies: Entropies,
    /// Σ p(i, j)²
    pub(super) energy: f64,
    pub(super) maximum: f64,
    /// Σ p(i, j) / (p_x(i) p_y(j)) over the cells that are not 0.
    pub(super) inverse_shares: f64,
    /// N_g, the highest level of the region.
    pub(super) highest_level: f64,
    /// How many levels occur in the region.
    pub(super) levels: usize,
}

/// -Σ p log₂(p + ε) of each distribution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entropies {
    /// HX
    pub(super) x: f64,
    /// HY
    pub(super) y: f64,
    /// HXY
    pub(super) joint: f64,
    pub(super) sum: f64,
    pub(super) difference: f64,
}

/// The values of all features for one matrix. Symbols as in [`crate::glcm`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// Σ p(i, j) i j = (E(X + Y)² - E(X - Y)²) / 4.
    pub(crate) autocorrelation: f64,
    /// Σ_k p_{x+y}(k) (k - μ_x - μ_y)^n for n = 2, 3, 4.
    pub(crate) cluster: [f64; 3],
    /// Σ_k p_{x-y}(k) k².
    pub(crate) contrast: f64,
    /// Cov(X, Y) / (σ_x σ_y + ε), 1 where a deviation is 0; 4 Cov(X, Y) = Var(X + Y) - Var(X - Y).
    pub(crate) correlation: f64,
    /// Σ_k p_{x-y}(k) k.
    pub(crate) difference_average: f64,
    /// -Σ_k p_{x-y}(k) log₂(p_{x-y}(k) + ε).
    pub(crate) difference_entropy: f64,
    /// Variance of p_{x-y}.
    pub(crate) difference_variance: f64,
    /// Σ_k p_{x-y}(k) / (1 + k).
    pub(crate) inverse_difference: f64,
    /// Σ_k p_{x-y}(k) / (1 + k / N_g).
    pub(crate) inverse_difference_normalised: f64,
    /// Σ_k p_{x-y}(k) / (1 + k²).
    pub(crate) inverse_difference_moment: f64,
    /// Σ_k p_{x-y}(k) / (1 + k² / N_g²).
    pub(crate) inverse_difference_moment_normalised: f64,
    /// IMC1 and IMC2.
    pub(crate) information: [f64; 2],
    /// Σ_{k > 0} p_{x-y}(k) / k².
    pub(crate) inverse_variance: f64,
    /// μ_x.
    pub(crate) joint_average: f64,
    /// Σ p(i, j)².
    pub(crate) joint_energy: f64,
    /// -Σ p(i, j) log₂(p(i, j) + ε).
    pub(crate) joint_entropy: f64,
    /// MCC = √(second largest eigenvalue of Q), Q(i, j) = Σ_k p(i, k) p(j, k) / (p_x(i) p_y(k)); 1 for a flat region.
    /// NaN where it was not asked for.
    pub(crate) maximal_correlation: f64,
    /// The largest p(i, j).
    pub(crate) maximum_probability: f64,
    /// Σ_k p_{x+y}(k) k.
    pub(crate) sum_average: f64,
    /// -Σ_k p_{x+y}(k) log₂(p_{x+y}(k) + ε).
    pub(crate) sum_entropy: f64,
    /// Σ_i p_x(i) (i - μ_x)².
    pub(crate) sum_squares: f64,
}

impl Statistics {
    /// The values but for the maximal correlation, by either of the definitions; the entropies `of` the matrix are by
    /// the same. `exact` gives the entropies HXY2 and HXY added up cell by cell, which PyRadiomics' definitions ask for
    /// where their order depends on rounding.
    #[inline(always)]
    pub(super) fn by(definitions: Definitions, of: &Distributions<'_>, exact: impl FnOnce() -> (f64, f64)) -> Self {
        let epsilon = definitions.epsilon();
        let (mean_x, mean_y) = (of.x.mean(|level| level), of.y.mean(|level| level));
        let variance = |marginal: WeightedValues<'_>, mean: f64| marginal.mean(|level| (level - mean) * (level - mean));
        let (variance_x, variance_y) = (variance(of.x, mean_x), variance(of.y, mean_y));
        let [difference_average, contrast] = [of.difference.mean(|k| k), of.difference.mean(|k| k * k)];
        let centre = mean_x + mean_y;
        let cluster = [
            of.sum.mean(|k| (k - centre) * (k - centre)),
            of.sum.mean(|k| (k - centre) * (k - centre) * (k - centre)),
            of.sum.mean(|k| ((k - centre) * (k - centre)) * ((k - centre) * (k - centre))),
        ];
        let deviations = variance_x.sqrt() * variance_y.sqrt();
        let between_means = mean_x - mean_y;
        let covariance = (cluster[0] - (contrast - between_means * between_means)) / 4.0;
        let levels = of.highest_level;
        Self {
            autocorrelation: (of.sum.mean(|k| k * k) - contrast) / 4.0,
            cluster,
            contrast,
            correlation: if deviations == 0.0 {
                definitions.correlation_without_spread(of.levels)
            } else {
                covariance / (deviations + epsilon)
            },
            difference_average,
            difference_entropy: of.entropies.difference,
            difference_variance: of.difference.mean(|k| (k - difference_average) * (k - difference_average)),
            inverse_difference: of.difference.mean(|k| 1.0 / (1.0 + k)),
            inverse_difference_normalised: of.difference.mean(|k| 1.0 / (1.0 + k / levels)),
            inverse_difference_moment: of.difference.mean(|k| 1.0 / (1.0 + k * k)),
            inverse_difference_moment_normalised: of.difference.mean(|k| 1.0 / (1.0 + k * k / (levels * levels))),
            information: [
                first_information_measure(of, epsilon),
                second_information_measure(definitions, of.entropies, exact),
            ],
            inverse_variance: of.difference.mean(|k| if k > 0.0 { 1.0 / (k * k) } else { 0.0 }),
            joint_average: mean_x,
            joint_energy: of.energy,
            joint_entropy: of.entropies.joint,
            maximal_correlation: f64::NAN,
            maximum_probability: of.maximum,
            sum_average: of.sum.mean(|k| k),
            sum_entropy: of.entropies.sum,
            sum_squares: variance_x,
        }
    }
}

/// IMC1 = (HXY - HXY1) / max(HX, HY), 0 where both marginals are certain; HXY1 = -Σ p(i, j) log₂(p_x(i) p_y(j) + ε).
#[inline(always)]
fn first_information_measure(of: &Distributions<'_>, epsilon: f64) -> f64 {
    let Entropies { x, y, joint, .. } = of.entropies;
    let larger = x.max(y);
    let levels = of.x.p.iter().chain(of.y.p).filter(|p| **p > 0.0).count() as f64;
    // With one level in each marginal all entropies are those of one cell, which ε keeps from 0.
    if larger == 0.0 || levels == 2.0 {
        return 0.0;
    }
    // The logarithm of the product is a sum over each marginal. ε adds ε / (p_x p_y ln 2), which matters for rare
    // levels, and each of the two entropies holds ε / ln 2 for each level.
    let hxy1 = x + y - (of.inverse_shares - levels) * epsilon / LN_2;
    (joint - hxy1) / larger
}

/// IMC2 = √(1 - exp(-2 (HXY2 - HXY))), 0 where both are the same; where rounding makes HXY2 smaller, see
/// [`Definitions`]. HXY2 = -Σ_ij p_x(i) p_y(j) log₂(p_x(i) p_y(j) + ε) is HX + HY but for ε.
#[inline(always)]
fn second_information_measure(
    definitions: Definitions,
    entropies: Entropies,
    exact: impl FnOnce() -> (f64, f64),
) -> f64 {
    // Where it comes close to HXY, their order depends on the rounding of PyRadiomics' long sum.
    const CLOSE: f64 = 1e-5;
    let (mut hxy2, mut joint) = (entropies.x + entropies.y, entropies.joint);
    if definitions == Definitions::PyRadiomics && hxy2 - joint < CLOSE {
        (hxy2, joint) = exact();
    }
    match definitions {
        _ if hxy2 == joint => 0.0,
        Definitions::Ibsi if hxy2 < joint => 0.0,
        Definitions::PyRadiomics | Definitions::Ibsi => (1.0 - (-2.0 * (hxy2 - joint)).exp()).sqrt(),
    }
}

/// -Σ_ij p_x(i) p_y(j) log₂(p_x(i) p_y(j) + ε), added up row by row.
pub(super) fn entropy_if_independent(px: &[f64], py: &[f64]) -> f64 {
    let mut total = 0.0;
    for x in px {
        for y in py {
            let p = x * y;
            total += information(p);
        }
    }
    -total
}

/// -Σ p log₂(p + ε).
pub(super) fn entropy(p: &[f64], epsilon: f64) -> f64 {
    0.0 - p.iter().filter(|p| **p > 0.0).map(|&p| offset_information(p, epsilon)).sum::<f64>()
}

/// Name of the feature that takes an eigenvalue, and by far the most time.
pub(crate) const MAXIMAL_CORRELATION: &str = "MCC";
/// Name of the joint average.
pub(crate) const JOINT_AVERAGE: &str = "JointAverage";

/// The features of the class in the order of PyRadiomics' columns: the
/// feature of the IBSI with the same definition, and the formula over a [`Statistics`].
pub const FORMULAS: &[Formula<Statistics>] = &[
    Formula::compliant("Autocorrelation", glcm::AUTOCORRELATION, |m| m.autocorrelation),
    Formula::compliant("ClusterProminence", glcm::CLUSTER_PROMINENCE, |m| m.cluster[2]),
    Formula::compliant("ClusterShade", glcm::CLUSTER_SHADE, |m| m.cluster[1]),
    Formula::compliant("ClusterTendency", glcm::CLUSTER_TENDENCY, |m| m.cluster[0]),
    Formula::compliant("Contrast", glcm::CONTRAST, |m| m.contrast),
    Formula::compliant("Correlation", glcm::CORRELATION, |m| m.correlation),
    Formula::compliant("DifferenceAverage", glcm::DIFFERENCE_AVERAGE, |m| m.difference_average),
    Formula::compliant("DifferenceEntropy", glcm::DIFFERENCE_ENTROPY, |m| m.difference_entropy),
    Formula::compliant("DifferenceVariance", glcm::DIFFERENCE_VARIANCE, |m| m.difference_variance),
    Formula::compliant("Id", glcm::INVERSE_DIFFERENCE, |m| m.inverse_difference),
    Formula::compliant("Idm", glcm::INVERSE_DIFFERENCE_MOMENT, |m| m.inverse_difference_moment),
    Formula::compliant("Idmn", glcm::NORMALISED_INVERSE_DIFFERENCE_MOMENT, |m| m.inverse_difference_moment_normalised),
    Formula::compliant("Idn", glcm::NORMALISED_INVERSE_DIFFERENCE, |m| m.inverse_difference_normalised),
    Formula::compliant("Imc1", glcm::INFORMATION_CORRELATION_1, |m| m.information[0]),
    Formula::compliant("Imc2", glcm::INFORMATION_CORRELATION_2, |m| m.information[1]),
    Formula::compliant("InverseVariance", glcm::INVERSE_VARIANCE, |m| m.inverse_variance),
    Formula::compliant(JOINT_AVERAGE, glcm::JOINT_AVERAGE, |m| m.joint_average),
    Formula::compliant("JointEnergy", glcm::ANGULAR_SECOND_MOMENT, |m| m.joint_energy),
    Formula::compliant("JointEntropy", glcm::JOINT_ENTROPY, |m| m.joint_entropy),
    Formula::pyradiomics_only(MAXIMAL_CORRELATION, |m| m.maximal_correlation),
    Formula::compliant("MaximumProbability", glcm::JOINT_MAXIMUM, |m| m.maximum_probability),
    Formula::compliant("SumAverage", glcm::SUM_AVERAGE, |m| m.sum_average),
    Formula::compliant("SumEntropy", glcm::SUM_ENTROPY, |m| m.sum_entropy),
    Formula::compliant("SumSquares", glcm::JOINT_VARIANCE, |m| m.sum_squares),
    // Σ p_{x+y}(k) (k - 2 μ)², since the mean of the sums is 2 μ.
    Formula::ibsi_only(glcm::SUM_VARIANCE, |m| m.cluster[0]),
    Formula::ibsi_only(glcm::DISSIMILARITY, |m| m.difference_average),
];
