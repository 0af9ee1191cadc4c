//! Minimum redundancy, maximum relevance (mRMR): a ranking of features.
//!
//! Features are selected one after the other, each with the best balance of relevance for the outcome and redundancy
//! with the features selected before it. "mRMR" names a family of such rules: the variants differ in how relevance and
//! redundancy are measured and combined, and they select different features. Which one was used belongs into a paper's
//! methods section.

use alnm_stats::Labels;
use alnm_stats::anova;
use alnm_stats::cells;
use alnm_stats::correlation::{Correlation, correlation};
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::kolmogorov_smirnov::largest_distance;
use rayon::prelude::*;

use crate::FeatureTable;
use crate::discretise::{Discretiser, compact, mutual_information_of};
use crate::error::{Result, SelectionError};

/// A variant of mRMR: how relevance and redundancy are measured and combined.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum MrmrVariant {
    /// Mutual information in bits of discretised features, relevance minus mean redundancy (MID; Peng et al. 2005).
    MutualInformationDifference {
        /// How features are discretised.
        discretisation: Discretiser,
    },
    /// Mutual information, relevance over (mean redundancy + `epsilon`) (MIQ). Peng's program and `pymrmr` use 10⁻⁴.
    MutualInformationQuotient {
        /// How features are discretised.
        discretisation: Discretiser,
        /// Added to the mean redundancy, 0 or more.
        epsilon: f64,
    },
    /// F statistic minus mean |Pearson r| (FCD).
    FCorrelationDifference,
    /// F statistic over mean |Pearson r| (FCQ).
    FCorrelationQuotient,
    /// The Python package `mrmr-selection`: relevance over mean or maximal |Pearson r|, with |r| floored at 0.001. A
    /// denominator of exactly 1 counts as infinite: a copy of a feature comes last, where the rounding of its
    /// correlation in Python decides.
    MrmrSelection {
        /// Relevance measure.
        relevance: Relevance,
        /// Whether redundancy is the mean or the maximum over the selected features.
        denominator: Denominator,
    },
    /// The R package `mRMRe`: continuous mutual information −½ ln(1 − ρ²) in nats, relevance minus mean redundancy.
    ContinuousMutualInformation {
        /// Correlation that estimates ρ, with a 0/1 outcome.
        correlation: ContinuousCorrelation,
    },
}

/// Relevance of `mrmr-selection`.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Relevance {
    /// One-way F statistic.
    F,
    /// Two-sample Kolmogorov-Smirnov distance.
    KolmogorovSmirnov,
    /// Given, one value per feature in the order of the columns, for instance the importances of a random forest.
    Given(Vec<f64>),
}

/// Denominator of `mrmr-selection`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Denominator {
    /// Mean redundancy.
    Mean,
    /// Maximal redundancy.
    Maximum,
}

/// Correlation behind the continuous mutual information.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ContinuousCorrelation {
    /// Pearson's r.
    Pearson,
    /// Spearman's ρ with midranks. mRMRe's "spearman" breaks ties by order and differs.
    Spearman,
}

/// A ranking of features by mRMR.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MrmrRanking {
    /// Relevance of every feature of the table, in the order of the columns.
    pub relevance: Vec<f64>,
    /// The selected features, best first.
    pub selected: Vec<MrmrFeature>,
}

/// A feature in the ranking.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MrmrFeature {
    /// Name of the feature.
    pub feature: String,
    /// Its column, counted from 0.
    pub column: usize,
    /// Score at the step at which it was selected.
    pub score: f64,
    /// Mean or maximal redundancy with the features selected before it; 0 for the first.
    pub redundancy: f64,
}

/// The variant of mRMR and the number of features; [`MrmrParams::check`] gives the [`Mrmr`] that ranks.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `variant` | given to [`MrmrParams::new`] | how relevance and redundancy are measured and combined | |
/// | `count` | given to [`MrmrParams::new`] | number of features to select; fewer when there are not as many | 1 or more |
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
#[must_use]
pub struct MrmrParams {
    /// How relevance and redundancy are measured and combined.
    pub variant: MrmrVariant,
    /// Number of features to select.
    pub count: usize,
}

impl MrmrParams {
    /// The given variant with `count` features.
    pub fn new(variant: MrmrVariant, count: usize) -> Self {
        Self { variant, count }
    }

    /// The ranking with these parameters.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] for a count of 0, a negative epsilon, or a discretisation outside its range.
    pub fn check(self) -> Result<Mrmr> {
        if self.count == 0 {
            return Err(SelectionError::parameter("number of features of mRMR", 0_usize, "at least 1"));
        }
        match &self.variant {
            MrmrVariant::MutualInformationDifference { discretisation } => discretisation.check()?,
            MrmrVariant::MutualInformationQuotient { discretisation, epsilon } => {
                discretisation.check()?;
                if !(epsilon.is_finite() && *epsilon >= 0.0) {
                    let name = "epsilon of the mutual information quotient";
                    return Err(SelectionError::parameter(name, *epsilon, "a finite number that is at least 0"));
                }
            }
            MrmrVariant::MrmrSelection { relevance: Relevance::Given(values), .. } => {
                if let Some(&bad) = values.iter().find(|value| !value.is_finite()) {
                    return Err(SelectionError::parameter("given relevance", bad, "a finite number"));
                }
            }
            _ => {}
        }
        Ok(Mrmr { params: self })
    }
}

/// An mRMR ranking with checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Mrmr {
    params: MrmrParams,
}

/// Ranks features by mRMR: [`MrmrParams::check`] and [`Mrmr::rank`].
///
/// # Errors
/// As both.
///
/// ```
/// use alnm_selection::mrmr::{MrmrParams, MrmrVariant, mrmr};
/// use alnm_selection::{FeatureTable, Labels};
/// use ndarray::Array2;
/// let labels = Labels::new((0..40).map(|row| row % 2 == 0).collect());
/// let values = Array2::from_shape_fn((40, 3), |(row, column)| {
///     let noise = ((row * (3 * column + 5)) % 13) as f64;
///     if column == 2 && row % 2 == 0 { noise + 6.0 } else { noise }
/// });
/// let table = FeatureTable::new(vec!["a".into(), "b".into(), "c".into()], values)?;
/// let ranking = mrmr(&table, &labels, &MrmrParams::new(MrmrVariant::FCorrelationQuotient, 2))?;
/// assert_eq!(ranking.selected.len(), 2);
/// assert_eq!(ranking.selected[0].feature, "c");
/// # Ok::<(), alnm_selection::SelectionError>(())
/// ```
pub fn mrmr(table: &FeatureTable, labels: &Labels, params: &MrmrParams) -> Result<MrmrRanking> {
    params.clone().check()?.rank(table, labels)
}

impl Mrmr {
    /// The parameters.
    pub fn params(&self) -> &MrmrParams {
        &self.params
    }

    /// Ranks the features, best first, until the wanted number is selected. Of exactly equal scores the earlier column
    /// is taken.
    ///
    /// A feature that does not vary has relevance and redundancy 0. Its quotient is 0, so that it comes after all
    /// features with some relevance. Its difference is 0 too, which by definition stands before features whose
    /// redundancy exceeds their relevance (so do Peng's program, `pymrmr` and `mRMRe` rank it, unless they drop it
    /// first): leave constants out before, by [`crate::variance_filter`]. [`Discretiser::Quantiles`] cuts ties, and so
    /// a constant, by the order of the rows.
    ///
    /// # Errors
    /// [`SelectionError::Shape`] when labels and rows, or given relevances and columns, differ in number;
    /// [`SelectionError::NonFinite`] for a missing value; [`SelectionError::Statistics`] for labels of one class.
    pub fn rank(&self, table: &FeatureTable, labels: &Labels) -> Result<MrmrRanking> {
        rank(table, labels, &self.params.variant, self.params.count)
    }
}

fn rank(table: &FeatureTable, labels: &Labels, variant: &MrmrVariant, count: usize) -> Result<MrmrRanking> {
    table.require_rows(labels.len())?;
    table.require_finite()?;
    labels.require_both("mRMR")?;
    let columns = table.contiguous_columns();
    let y = labels.to_values();
    match variant {
        MrmrVariant::MutualInformationDifference { discretisation } => {
            Ok(mutual_information(table, &columns, labels, *discretisation, count, Combination::Difference))
        }
        MrmrVariant::MutualInformationQuotient { discretisation, epsilon } => {
            let combination = Combination::Quotient { epsilon: *epsilon };
            Ok(mutual_information(table, &columns, labels, *discretisation, count, combination))
        }
        MrmrVariant::FCorrelationDifference | MrmrVariant::FCorrelationQuotient => {
            let combination = if *variant == MrmrVariant::FCorrelationDifference {
                Combination::Difference
            } else {
                Combination::Quotient { epsilon: 0.0 }
            };
            let relevance = f_statistics(&columns, labels)?;
            let units = unit_columns(&columns);
            Ok(greedy(table, relevance, count, combination, Pool::Mean, |a, b| absolute_correlation(&units, a, b)))
        }
        MrmrVariant::MrmrSelection { relevance, denominator } => {
            let relevance = match relevance {
                Relevance::F => f_statistics(&columns, labels)?,
                Relevance::KolmogorovSmirnov => columns
                    .par_iter()
                    .map(|c| Ok(labels.split(c).map(|g| largest_distance(&g.negative, &g.positive))?))
                    .collect::<Result<Vec<_>>>()?,
                Relevance::Given(values) if values.len() == columns.len() => values.clone(),
                Relevance::Given(values) => {
                    return Err(SelectionError::Shape {
                        what: "relevances and columns",
                        left: values.len(),
                        right: columns.len(),
                    });
                }
            };
            let units = unit_columns(&columns);
            let pool = if *denominator == Denominator::Mean { Pool::Mean } else { Pool::Maximum };
            Ok(greedy(table, relevance, count, Combination::MrmrSelection, pool, |a, b| {
                absolute_correlation(&units, a, b).max(0.001)
            }))
        }
        MrmrVariant::ContinuousMutualInformation { correlation: kind } => {
            let ranked = |v: &[f64]| match kind {
                ContinuousCorrelation::Pearson => v.to_vec(),
                ContinuousCorrelation::Spearman => alnm_stats::rank::midranks(v),
            };
            let columns: Vec<Vec<f64>> = columns.iter().map(|c| ranked(c)).collect();
            let y = ranked(&y);
            let information = |rho: f64| -0.5 * (1.0 - rho * rho).max(1e-300).ln();
            let relevance = columns
                .iter()
                .map(|c| Ok(information(nan_as_zero(correlation(c, &y, Correlation::Pearson)?))))
                .collect::<Result<Vec<_>>>()?;
            let units = unit_columns(&columns);
            Ok(greedy(table, relevance, count, Combination::Difference, Pool::Mean, |a, b| {
                information(absolute_correlation(&units, a, b))
            }))
        }
    }
}

fn nan_as_zero(v: f64) -> f64 {
    if v.is_nan() { 0.0 } else { v }
}

/// F statistic of every column between the classes; 0 for a column that does not vary.
fn f_statistics(columns: &[Vec<f64>], labels: &Labels) -> Result<Vec<f64>> {
    columns
        .par_iter()
        .map(|c| {
            let groups = labels.split(c)?;
            Ok(nan_as_zero(anova::one_way(&[&groups.negative, &groups.positive])?.statistic))
        })
        .collect()
}

/// Columns centred and scaled to length 1; zeros for a column that does not vary.
fn unit_columns(columns: &[Vec<f64>]) -> Vec<Vec<f64>> {
    columns
        .par_iter()
        .map(|c| {
            if c.iter().all(|v| *v == c[0]) {
                return vec![0.0; c.len()];
            }
            let mean = alnm_stats::describe::mean(c);
            let length = c.iter().map(|v| (v - mean).powi(2)).sum::<f64>().sqrt();
            c.iter().map(|v| (v - mean) / length).collect()
        })
        .collect()
}

fn absolute_correlation(units: &[Vec<f64>], a: usize, b: usize) -> f64 {
    let dot: f64 = units[a].iter().zip(&units[b]).map(|(x, y)| x * y).sum();
    // Columns that are equal up to sign correlate exactly, whatever the rounding of the product.
    let twins = |sign: f64| units[a].iter().zip(&units[b]).all(|(x, y)| *x == sign * y);
    if dot.abs() > 1.0 - 1e-9 && twins(dot.signum()) { 1.0 } else { dot.abs().min(1.0) }
}

fn mutual_information(
    table: &FeatureTable,
    columns: &[Vec<f64>],
    labels: &Labels,
    discretisation: Discretiser,
    count: usize,
    combination: Combination,
) -> MrmrRanking {
    let levels: Vec<(Vec<usize>, usize)> = columns.par_iter().map(|c| compact(&discretisation.levels(c))).collect();
    let outcome: Vec<usize> = labels.as_slice().iter().map(|&l| usize::from(l)).collect();
    let relevance = levels.par_iter().map(|(l, k)| mutual_information_of(l, *k, &outcome, 2)).collect();
    greedy(table, relevance, count, combination, Pool::Mean, |a, b| {
        mutual_information_of(&levels[a].0, levels[a].1, &levels[b].0, levels[b].1)
    })
}

#[derive(Clone, Copy)]
enum Combination {
    Difference,
    Quotient {
        epsilon: f64,
    },
    /// As a quotient; a redundancy of exactly 1 counts as infinite, and features without relevance are left out.
    MrmrSelection,
}

impl Combination {
    fn score(self, relevance: f64, redundancy: f64) -> f64 {
        match self {
            Self::Difference => relevance - redundancy,
            // What says nothing of the outcome is worth nothing, also where it is redundant with nothing.
            Self::Quotient { .. } if relevance == 0.0 => 0.0,
            Self::Quotient { epsilon } if redundancy + epsilon == 0.0 => f64::INFINITY,
            Self::Quotient { epsilon } => relevance / (redundancy + epsilon),
            Self::MrmrSelection if redundancy == 1.0 => 0.0,
            Self::MrmrSelection => relevance / redundancy,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Pool {
    Mean,
    Maximum,
}

/// Forward selection. Redundancies are computed once per selected feature and accumulated.
fn greedy(
    table: &FeatureTable,
    relevance: Vec<f64>,
    count: usize,
    combination: Combination,
    pool: Pool,
    redundancy: impl Fn(usize, usize) -> f64 + Sync,
) -> MrmrRanking {
    let mut candidates: Vec<usize> = match combination {
        Combination::MrmrSelection => (0..relevance.len()).filter(|&j| relevance[j] > 0.0).collect(),
        _ => (0..relevance.len()).collect(),
    };
    let mut pooled = vec![0.0f64; relevance.len()];
    let mut selected: Vec<MrmrFeature> = Vec::new();
    while selected.len() < count && !candidates.is_empty() {
        let steps = selected.len() as f64;
        let value = |j: usize| match (selected.is_empty(), pool) {
            (true, _) => (relevance[j], 0.0),
            (false, Pool::Mean) => (combination.score(relevance[j], pooled[j] / steps), pooled[j] / steps),
            (false, Pool::Maximum) => (combination.score(relevance[j], pooled[j]), pooled[j]),
        };
        let mut best = (0, f64::NEG_INFINITY, 0.0);
        for (place, &j) in candidates.iter().enumerate() {
            let (score, redundant) = value(j);
            if score > best.1 || place == 0 {
                best = (place, score, redundant);
            }
        }
        let column = candidates.remove(best.0);
        selected.push(MrmrFeature {
            feature: table.names()[column].clone(),
            column,
            score: best.1,
            redundancy: best.2,
        });
        let added: Vec<f64> = candidates.par_iter().with_min_len(64).map(|&j| redundancy(j, column)).collect();
        for (&j, r) in candidates.iter().zip(added) {
            pooled[j] = if pool == Pool::Maximum { pooled[j].max(r) } else { pooled[j] + r };
        }
    }
    MrmrRanking { relevance, selected }
}

impl Tabulate for MrmrRanking {
    const COLUMNS: &'static [&'static str] = &["rank", "feature", "score", "redundancy", "relevance"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.selected
            .iter()
            .enumerate()
            .map(|(k, f)| cells![k + 1, &f.feature, f.score, f.redundancy, self.relevance[f.column]])
            .collect()
    }
}
