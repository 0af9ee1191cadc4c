//! Recursive feature elimination (Guyon et al. 2002): fit, drop the least important features, fit again.
//!
//! Any model can rank; [`RidgeRanking`] is the linear one. Elimination on all rows overfits like any selection: take
//! the number of features from [`cross_validated_elimination`], and judge the result in an outer cross-validation.

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::roc::{Direction, RocCurve};
use alnm_stats::{Labels, describe};

use crate::FeatureTable;
use crate::cross_fitting::in_each_fold;
use crate::elastic_net::{ElasticNetParams, LambdaSequence, PathPrecision};
use crate::error::{Result, SelectionError};
use crate::folds::Folds;
use crate::signature::Signature;

/// A fitted model that ranks the features it was fitted to.
pub trait RankingModel {
    /// Importance of every feature, 0 or more, in the order of the columns.
    fn importances(&self) -> Vec<f64>;

    /// Score of every row, larger speaking for the event.
    ///
    /// # Errors
    /// Those of the model.
    fn score(&self, table: &FeatureTable) -> Result<Vec<f64>>;
}

/// Ridge logistic regression that ranks by |coefficient| times standard deviation.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct RidgeRanking {
    score: Signature,
    importances: Vec<f64>,
}

impl RidgeRanking {
    /// Fits with the given penalty λ, glmnet's with `alpha = 0`.
    ///
    /// # Errors
    /// As [`binomial_path`](crate::elastic_net::binomial_path).
    pub fn fit(table: &FeatureTable, labels: &Labels, lambda: f64) -> Result<Self> {
        let ridge = ElasticNetParams::default()
            .with_alpha(0.0)
            .with_lambda(LambdaSequence::Given(vec![lambda]))
            .with_precision(PathPrecision::OptimalityConditions(1e-9))
            .check()?;
        let path = ridge.binomial_path(table, labels)?;
        let coefficients = &path.coefficients()[0];
        let mut importances = vec![0.0; table.columns()];
        for (&j, b) in coefficients.columns().iter().zip(coefficients.values()) {
            importances[j] = b.abs() * describe::standard_deviation(&table.values().column(j).to_vec());
        }
        Ok(Self { score: Signature::of_coefficients("ridge", table.names(), coefficients)?, importances })
    }
}

impl RankingModel for RidgeRanking {
    fn importances(&self) -> Vec<f64> {
        self.importances.clone()
    }

    fn score(&self, table: &FeatureTable) -> Result<Vec<f64>> {
        self.score.apply(table)
    }
}

/// How far and how fast features are eliminated; [`EliminationParams::check`] gives the [`RecursiveElimination`].
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `keep` | 1 | number of features to keep; in cross-validation the smallest number that is judged | 1 to the number of features |
/// | `step` | 1 | number of features dropped after each fit | 1 or more |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
#[must_use]
pub struct EliminationParams {
    /// Number of features to keep.
    pub keep: usize,
    /// Number of features dropped after each fit.
    pub step: usize,
}

impl Default for EliminationParams {
    fn default() -> Self {
        Self { keep: 1, step: 1 }
    }
}

impl EliminationParams {
    /// Sets the number of features to keep.
    pub fn with_keep(mut self, keep: usize) -> Self {
        self.keep = keep;
        self
    }

    /// Sets the number of features dropped after each fit.
    pub fn with_step(mut self, step: usize) -> Self {
        self.step = step;
        self
    }

    /// The elimination with these parameters.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] for a number that is 0.
    pub fn check(self) -> Result<RecursiveElimination> {
        if self.keep < 1 {
            return Err(SelectionError::parameter("number of features to keep", self.keep, "at least 1"));
        }
        if self.step < 1 {
            return Err(SelectionError::parameter(
                "number of features dropped after each fit",
                self.step,
                "at least 1",
            ));
        }
        Ok(RecursiveElimination { params: self })
    }
}

/// A recursive elimination with checked parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecursiveElimination {
    params: EliminationParams,
}

/// Result of an elimination.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Elimination {
    /// The features that are left, in the order of the columns.
    pub selected: Vec<String>,
    /// Every feature of the table with its rank, in the order of the columns.
    pub ranking: Vec<RankedFeature>,
}

/// A feature and its rank.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RankedFeature {
    /// Name of the feature.
    pub feature: String,
    /// 1 for the features that are left, then rising with every round from the last to the first.
    pub rank: usize,
}

/// Eliminates features: [`EliminationParams::check`] and [`RecursiveElimination::eliminate`].
///
/// # Errors
/// As both.
///
/// ```
/// use alnm_selection::recursive_elimination::{EliminationParams, RidgeRanking, eliminate};
/// use alnm_selection::{FeatureTable, Labels};
/// use ndarray::Array2;
/// let labels = Labels::new((0..40).map(|row| row % 2 == 0).collect());
/// let values = Array2::from_shape_fn((40, 3), |(row, column)| {
///     let noise = ((row * (3 * column + 5)) % 13) as f64;
///     if column == 1 && row % 2 == 0 { noise + 5.0 } else { noise }
/// });
/// let table = FeatureTable::new(vec!["a".into(), "b".into(), "c".into()], values)?;
/// let ridge = |table: &FeatureTable, labels: &Labels| RidgeRanking::fit(table, labels, 0.1);
/// let left = eliminate(&table, &labels, EliminationParams::default(), ridge)?;
/// assert_eq!(left.selected, ["b"]);
/// # Ok::<(), alnm_selection::SelectionError>(())
/// ```
pub fn eliminate<M: RankingModel, E: From<SelectionError>>(
    table: &FeatureTable,
    labels: &Labels,
    params: EliminationParams,
    fit: impl Fn(&FeatureTable, &Labels) -> std::result::Result<M, E>,
) -> std::result::Result<Elimination, E> {
    params.check()?.eliminate(table, labels, fit)
}

/// Mean area under the ROC curve by number of features.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct EliminationCurve {
    /// The cross-validated areas, by ascending number of features.
    pub sizes: Vec<EliminationSize>,
    /// The number of features with the largest mean area; of several with equal areas the smallest.
    pub best: usize,
    /// The elimination on all rows down to that number.
    pub elimination: Elimination,
}

/// Cross-validated area of one number of features.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct EliminationSize {
    /// Number of features.
    pub features: usize,
    /// Area under the ROC curve of each fold's held-out rows.
    pub fold_auc: Vec<f64>,
    /// Mean over the folds.
    pub mean_auc: f64,
}

/// Finds the number of features by cross-validation: [`EliminationParams::check`] and
/// [`RecursiveElimination::cross_validate`].
///
/// # Errors
/// As both.
pub fn cross_validated_elimination<M: RankingModel, E: From<SelectionError> + Send>(
    table: &FeatureTable,
    labels: &Labels,
    folds: &Folds,
    params: EliminationParams,
    fit: impl Fn(&FeatureTable, &Labels) -> std::result::Result<M, E> + Sync,
) -> std::result::Result<EliminationCurve, E> {
    params.check()?.cross_validate(table, labels, folds, fit)
}

impl RecursiveElimination {
    /// The parameters.
    pub fn params(&self) -> &EliminationParams {
        &self.params
    }

    /// Eliminates features until the wanted number is left, as scikit-learn's `RFE`. Of equal importances the earlier
    /// column goes first.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] when more features are to be kept than there are, [`SelectionError::Shape`] when
    /// labels and rows differ in number or a model ranks another number of features, and the errors of `fit`.
    pub fn eliminate<M: RankingModel, E: From<SelectionError>>(
        &self,
        table: &FeatureTable,
        labels: &Labels,
        fit: impl Fn(&FeatureTable, &Labels) -> std::result::Result<M, E>,
    ) -> std::result::Result<Elimination, E> {
        let rounds = rounds(table, labels, self.params, &fit, |_, _| Ok(()))?;
        Ok(ranked(table, &rounds))
    }

    /// Finds the number of features by cross-validation of the whole elimination, as scikit-learn's `RFECV`: each fold
    /// eliminates on its training rows and judges every number of features on the rows it held out.
    ///
    /// # Errors
    /// As [`RecursiveElimination::eliminate`] within any fold; [`SelectionError::Statistics`] when a fold holds out
    /// rows of one class only.
    pub fn cross_validate<M: RankingModel, E: From<SelectionError> + Send>(
        &self,
        table: &FeatureTable,
        labels: &Labels,
        folds: &Folds,
        fit: impl Fn(&FeatureTable, &Labels) -> std::result::Result<M, E> + Sync,
    ) -> std::result::Result<EliminationCurve, E> {
        cross_validate(table, labels, folds, self.params, fit)
    }
}

fn cross_validate<M: RankingModel, E: From<SelectionError> + Send>(
    table: &FeatureTable,
    labels: &Labels,
    folds: &Folds,
    params: EliminationParams,
    fit: impl Fn(&FeatureTable, &Labels) -> std::result::Result<M, E> + Sync,
) -> std::result::Result<EliminationCurve, E> {
    table.require_rows(labels.len())?;
    folds.require_rows(table.rows())?;
    let judged: Vec<Vec<(usize, f64)>> = in_each_fold(folds, |split| {
        let (held_out, truth) = (table.select_rows(&split.held_out), labels.select(&split.held_out));
        let area = |model: &M, names: &[String]| -> std::result::Result<f64, E> {
            let scores = model.score(&held_out.select(names)?)?;
            Ok(area_under_curve(&truth, &scores)?)
        };
        let training = table.select_rows(&split.training);
        let rounds = rounds(&training, &labels.select(&split.training), params, &fit, area)?;
        Ok::<_, E>(rounds.into_iter().map(|r| (r.names.len(), r.judgement)).collect())
    })?;
    // All folds pass through the same numbers of features, from many to few.
    let sizes: Vec<EliminationSize> = (0..judged[0].len())
        .rev()
        .map(|k| {
            let fold_auc: Vec<f64> = judged.iter().map(|fold| fold[k].1).collect();
            EliminationSize { features: judged[0][k].0, mean_auc: describe::mean(&fold_auc), fold_auc }
        })
        .collect();
    let largest = sizes.iter().map(|s| s.mean_auc).fold(f64::NEG_INFINITY, f64::max);
    let best = sizes.iter().find(|s| s.mean_auc >= largest).map_or(params.keep, |s| s.features);
    let elimination = EliminationParams { keep: best, ..params }.check()?.eliminate(table, labels, fit)?;
    Ok(EliminationCurve { sizes, best, elimination })
}

fn area_under_curve(truth: &Labels, scores: &[f64]) -> Result<f64> {
    Ok(RocCurve::new(truth, scores, Direction::HigherIsPositive)?.auc())
}

/// A fit on some features, what was judged of it, and the features that went after it.
struct Round<J> {
    names: Vec<String>,
    judgement: J,
    dropped: Vec<String>,
}

fn rounds<M: RankingModel, J, E: From<SelectionError>>(
    table: &FeatureTable,
    labels: &Labels,
    params: EliminationParams,
    fit: &impl Fn(&FeatureTable, &Labels) -> std::result::Result<M, E>,
    judge: impl Fn(&M, &[String]) -> std::result::Result<J, E>,
) -> std::result::Result<Vec<Round<J>>, E> {
    table.require_rows(labels.len())?;
    if params.keep > table.columns() {
        let requirement = "at most the number of features in the table";
        return Err(SelectionError::parameter("number of features to keep", params.keep, requirement).into());
    }
    let mut current = table.clone();
    let mut rounds = Vec::new();
    loop {
        let model = fit(&current, labels)?;
        let importances = model.importances();
        if importances.len() != current.columns() {
            let what = "importances and columns";
            return Err(SelectionError::Shape { what, left: importances.len(), right: current.columns() }.into());
        }
        let surplus = current.columns() - params.keep;
        let mut order: Vec<usize> = (0..importances.len()).collect();
        order.sort_by(|&a, &b| importances[a].total_cmp(&importances[b]));
        let (dropped, kept) = order.split_at(params.step.min(surplus));
        let name = |j: &usize| current.names()[*j].clone();
        let names = current.names().to_vec();
        rounds.push(Round { judgement: judge(&model, &names)?, dropped: dropped.iter().map(name).collect(), names });
        if dropped.is_empty() {
            return Ok(rounds);
        }
        let mut kept = kept.to_vec();
        kept.sort_unstable();
        current = current.select_columns(&kept);
    }
}

fn ranked<J>(table: &FeatureTable, rounds: &[Round<J>]) -> Elimination {
    let last = rounds.len() - 1;
    let rank_of =
        |name: &String| rounds.iter().position(|r| r.dropped.contains(name)).map_or(1, |round| last - round + 1);
    let ranking = table.names().iter().map(|n| RankedFeature { feature: n.clone(), rank: rank_of(n) }).collect();
    Elimination { selected: rounds[last].names.clone(), ranking }
}

impl Tabulate for Elimination {
    const COLUMNS: &'static [&'static str] = &["feature", "rank"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.ranking.iter().map(|r| cells![&r.feature, r.rank]).collect()
    }
}

impl Tabulate for EliminationCurve {
    const COLUMNS: &'static [&'static str] = &["features", "mean AUC"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.sizes.iter().map(|s| cells![s.features, s.mean_auc]).collect()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::folds::FoldOrder;

    fn cohort() -> (FeatureTable, Labels) {
        let labels: Vec<bool> = (0..60).map(|i| (i * 7) % 5 < 2).collect();
        let values = Array2::from_shape_fn((60, 6), |(i, j)| {
            let informative = if j < 2 && labels[i] { 0.35 } else { 0.0 };
            ((i * (7 * j + 3) + j * j) % 23) as f64 / 23.0 + informative
        });
        (
            FeatureTable::new((0..6).map(|j| format!("x{j}")).collect(), values).expect("unique names"),
            Labels::new(labels),
        )
    }

    /// scikit-learn's C = 1/3 is λ = 1/(n C).
    fn ridge(table: &FeatureTable, labels: &Labels) -> Result<RidgeRanking> {
        RidgeRanking::fit(table, labels, 3.0 / table.rows() as f64)
    }

    // scikit-learn 1.9.1, est = LogisticRegression(C=1/3, tol=1e-12, solver="newton-cholesky") on StandardScaler's
    // columns: RFE(est, n_features_to_select=1, step=1), RFE(est, n_features_to_select=2, step=2); the scaler and est
    // in a Pipeline: RFECV(pipeline, step=1, cv=StratifiedKFold(5), scoring="roc_auc",
    // importance_getter="named_steps.lr.coef_")
    #[test]
    fn ranks_equal_scikit_learn() {
        let (table, labels) = cohort();
        let ranks = |params| {
            let e = eliminate(&table, &labels, params, ridge).expect("both classes");
            e.ranking.iter().map(|r| r.rank).collect::<Vec<_>>()
        };
        assert_eq!(ranks(EliminationParams::default()), [1, 2, 3, 5, 4, 6]);
        assert_eq!(ranks(EliminationParams::default().with_keep(2).with_step(2)), [1, 1, 2, 3, 2, 3]);
    }

    #[test]
    fn the_number_of_features_equals_scikit_learn() {
        let (table, labels) = cohort();
        let folds = Folds::stratified(&labels, 5, FoldOrder::AsGiven).expect("enough rows");
        let curve = cross_validated_elimination(&table, &labels, &folds, EliminationParams::default(), ridge)
            .expect("both classes");
        let expected = [0.7355357142857143, 0.9085714285714286, 0.8966071428571428, 0.8675, 0.8675, 0.8789285714285715];
        for (size, mean) in curve.sizes.iter().zip(expected) {
            assert!((size.mean_auc - mean).abs() < 1e-12, "{} features: {} {mean}", size.features, size.mean_auc);
        }
        assert_eq!((curve.best, curve.elimination.selected.as_slice()), (2, &["x0".to_owned(), "x1".to_owned()][..]));
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let (table, labels) = cohort();
        for params in [
            EliminationParams::default().with_keep(0),
            EliminationParams::default().with_keep(7),
            EliminationParams::default().with_step(0),
        ] {
            assert!(eliminate(&table, &labels, params, ridge).is_err());
        }
        assert!(eliminate(&table, &Labels::new(vec![true; 60]), EliminationParams::default(), ridge).is_err());
    }
}
