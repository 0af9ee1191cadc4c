//! Choice of the LASSO penalty by cross-validation, as `cv.glmnet`.
//!
//! Each fold fits a path of its own; its held-out rows are predicted at the penalties of the path of all rows, with the
//! coefficients interpolated linearly in λ and constant beyond the ends of the fold's path. The mean of a measure over
//! the folds is weighted by their sizes, and its standard error is √(weighted mean of squared deviations /
//! (folds − 1)).

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::roc::{Direction, RocCurve};
use alnm_stats::{Labels, StatsError};
use rayon::prelude::*;

use crate::FeatureTable;
use crate::cross_fitting::in_each_fold;
use crate::elastic_net::{Data, ElasticNet, ElasticNetParams, ElasticNetPath, OutcomeFamily, SparseCoefficients};
use crate::error::Result;
#[cfg(feature = "serde")]
use crate::error::SelectionError;
use crate::folds::Folds;

/// What is averaged over held-out rows to judge a penalty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CvMeasure {
    /// Binomial deviance, with probabilities held 10⁻⁵ away from 0 and 1; smaller is better.
    #[default]
    Deviance,
    /// Area under the ROC curve; larger is better.
    Auc,
    /// Share of rows in the wrong class when probabilities above ½ are called events; smaller is better.
    Misclassification,
    /// Squared error of the probability, summed over both classes, which is twice the Brier score; smaller is better.
    SquaredError,
    /// Absolute error of the probability, summed over both classes; smaller is better.
    AbsoluteError,
}

/// A path of all rows with the cross-validated measure at each of its penalties.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Curve"))]
pub struct CrossValidatedPath(Curve);

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
struct Curve {
    path: ElasticNetPath,
    measure: CvMeasure,
    mean: Vec<f64>,
    standard_error: Vec<f64>,
    index_min: usize,
    index_1se: usize,
}

/// Which penalty of a cross-validated path is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum LambdaChoice {
    /// The one with the best cross-validated measure (glmnet's `lambda.min`).
    #[default]
    Min,
    /// The largest whose measure lies within one standard error of the best (glmnet's `lambda.1se`).
    OneStandardError,
}

impl CrossValidatedPath {
    /// The path of all rows.
    #[must_use]
    pub fn path(&self) -> &ElasticNetPath {
        &self.0.path
    }

    /// The measure that was cross-validated. The AUC is replaced by the deviance when a fold has fewer than ten rows,
    /// as in glmnet.
    #[must_use]
    pub fn measure(&self) -> CvMeasure {
        self.0.measure
    }

    /// Mean of the measure over the folds, weighted by their size, at each penalty of the path.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        &self.0.mean
    }

    /// Standard error of the mean at each penalty of the path.
    #[must_use]
    pub fn standard_error(&self) -> &[f64] {
        &self.0.standard_error
    }

    /// Position of the penalty with the best mean, counted from 0; of several equal ones the largest penalty.
    #[must_use]
    pub fn index_min(&self) -> usize {
        self.0.index_min
    }

    /// Position of the largest penalty whose mean lies within one standard error of the best, counted from 0.
    #[must_use]
    pub fn index_1se(&self) -> usize {
        self.0.index_1se
    }

    /// Position of the chosen penalty, counted from 0.
    #[must_use]
    pub fn index(&self, choice: LambdaChoice) -> usize {
        match choice {
            LambdaChoice::Min => self.0.index_min,
            LambdaChoice::OneStandardError => self.0.index_1se,
        }
    }

    /// The chosen penalty λ.
    #[must_use]
    pub fn lambda(&self, choice: LambdaChoice) -> f64 {
        self.0.path.lambda()[self.index(choice)]
    }

    /// Coefficients of the fit to all rows at the chosen penalty.
    #[must_use]
    pub fn coefficients(&self, choice: LambdaChoice) -> &SparseCoefficients {
        &self.0.path.coefficients()[self.index(choice)]
    }
}

impl ElasticNet {
    /// The path of a binary outcome on all rows, and its measure by cross-validation over `folds`.
    ///
    /// # Errors
    /// As [`ElasticNet::binomial_path`], also within folds (training rows of one class, for instance);
    /// [`SelectionError::Shape`] when folds and rows differ in number; [`SelectionError::Statistics`] when each fold
    /// holds out rows of one class only, so that no AUC is defined.
    pub fn cross_validate(
        &self,
        table: &FeatureTable,
        labels: &Labels,
        folds: &Folds,
        measure: CvMeasure,
    ) -> Result<CrossValidatedPath> {
        table.require_rows(labels.len())?;
        folds.require_rows(table.rows())?;
        labels.require_both("cross-validated LASSO")?;
        table.require_finite()?;
        let measure =
            if measure == CvMeasure::Auc && labels.len() / folds.count() < 10 { CvMeasure::Deviance } else { measure };
        let values = table.values();
        let fit = |names: &[String], rows: &[usize]| -> Result<ElasticNetPath> {
            let part = labels.select(rows);
            part.require_both("a training fold of the LASSO")?;
            let y = part.to_values();
            self.path_of_rows(names, Data { values, rows, y: &y, family: OutcomeFamily::Binomial })
        };
        let all: Vec<usize> = (0..labels.len()).collect();
        let (path, held_out) = rayon::join(
            || fit(table.names(), &all),
            || in_each_fold(folds, |split| fit(&[], &split.training).map(|path| (path, split.held_out.clone()))),
        );
        let (path, held_out) = (path?, held_out?);
        let parts = held_out
            .into_par_iter()
            .map(|(fitted, rows)| {
                let truth = labels.select(&rows);
                let at = |lambda: &f64| {
                    fold_measure(measure, &truth, &fitted.coefficients_at(*lambda).linear_predictor(values, &rows))
                };
                FoldMeasure { size: rows.len() as f64, values: path.lambda().iter().map(at).collect() }
            })
            .collect::<Vec<_>>();
        summarise(path, measure, &parts)
    }
}

/// Cross-validated LASSO or elastic net of a binary outcome: [`ElasticNetParams::check`] and
/// [`ElasticNet::cross_validate`].
///
/// # Errors
/// As both.
///
/// ```
/// use alnm_selection::cross_validation::{CvMeasure, LambdaChoice, cross_validate};
/// use alnm_selection::elastic_net::ElasticNetParams;
/// use alnm_selection::folds::{FoldOrder, Folds};
/// use alnm_selection::{FeatureTable, Labels};
/// use ndarray::Array2;
///
/// let labels = Labels::new((0..60).map(|row| row % 2 == 0).collect());
/// let values = Array2::from_shape_fn((60, 3), |(row, column)| {
///     let noise = ((row * (3 * column + 5)) % 13) as f64;
///     if column == 0 && row % 2 == 0 { noise + 4.0 } else { noise }
/// });
/// let table = FeatureTable::new(vec!["a".into(), "b".into(), "c".into()], values)?;
/// let folds = Folds::stratified(&labels, 5, FoldOrder::Shuffled { seed: 1 })?;
/// let cv = cross_validate(&table, &labels, &folds, CvMeasure::Deviance, &ElasticNetParams::default())?;
/// assert!(cv.lambda(LambdaChoice::OneStandardError) >= cv.lambda(LambdaChoice::Min));
/// assert!(cv.coefficients(LambdaChoice::Min).columns().contains(&0));
/// # Ok::<(), alnm_selection::SelectionError>(())
/// ```
pub fn cross_validate(
    table: &FeatureTable,
    labels: &Labels,
    folds: &Folds,
    measure: CvMeasure,
    params: &ElasticNetParams,
) -> Result<CrossValidatedPath> {
    params.clone().check()?.cross_validate(table, labels, folds, measure)
}

struct FoldMeasure {
    size: f64,
    values: Vec<f64>,
}

fn fold_measure(measure: CvMeasure, truth: &Labels, eta: &[f64]) -> f64 {
    let n = eta.len() as f64;
    let probability = |e: &f64| 1.0 / (1.0 + (-e).exp());
    let pairs = || eta.iter().map(probability).zip(truth.as_slice());
    match measure {
        CvMeasure::Auc => RocCurve::new(truth, eta, Direction::HigherIsPositive).map_or(f64::NAN, |roc| roc.auc()),
        CvMeasure::Deviance => {
            let held = |p: f64| p.clamp(1e-5, 1.0 - 1e-5);
            pairs().map(|(p, &y)| -2.0 * if y { held(p).ln() } else { (1.0 - held(p)).ln() }).sum::<f64>() / n
        }
        CvMeasure::Misclassification => pairs().filter(|(p, y)| (*p > 0.5) != **y).count() as f64 / n,
        CvMeasure::SquaredError => pairs().map(|(p, &y)| 2.0 * (p - f64::from(u8::from(y))).powi(2)).sum::<f64>() / n,
        CvMeasure::AbsoluteError => pairs().map(|(p, &y)| 2.0 * (p - f64::from(u8::from(y))).abs()).sum::<f64>() / n,
    }
}

fn summarise(path: ElasticNetPath, measure: CvMeasure, parts: &[FoldMeasure]) -> Result<CrossValidatedPath> {
    let (mut mean, mut standard_error) = (Vec::new(), Vec::new());
    for k in 0..path.lambda().len() {
        // A fold without a value (the AUC of one class) does not count.
        let valid: Vec<(f64, f64)> = parts.iter().map(|p| (p.size, p.values[k])).filter(|(_, v)| !v.is_nan()).collect();
        let total: f64 = valid.iter().map(|(w, _)| w).sum();
        let m = valid.iter().map(|(w, v)| w * v).sum::<f64>() / total;
        let spread = valid.iter().map(|(w, v)| w * (v - m).powi(2)).sum::<f64>() / total;
        mean.push(m);
        // glmnet divides by the number of all folds, also of those without a value.
        standard_error.push((spread / (parts.len() as f64 - 1.0)).sqrt());
    }
    if mean.iter().any(|m| m.is_nan()) {
        let operation = "cross-validated AUC";
        return Err(StatsError::Undefined {
            operation,
            requirement: "at least one fold must hold out rows of both classes",
        }
        .into());
    }
    let (index_min, index_1se) = choices(measure, &mean, &standard_error);
    Ok(CrossValidatedPath(Curve { path, measure, mean, standard_error, index_min, index_1se }))
}

/// Positions of the best mean and of the largest penalty within one standard error of it.
fn choices(measure: CvMeasure, mean: &[f64], standard_error: &[f64]) -> (usize, usize) {
    // Smaller is better from here on.
    let loss: Vec<f64> = if measure == CvMeasure::Auc { mean.iter().map(|v| -v).collect() } else { mean.to_vec() };
    let best = loss.iter().copied().fold(f64::INFINITY, f64::min);
    let index_min = loss.iter().position(|v| *v <= best).unwrap_or(0);
    let bound = best + standard_error[index_min];
    let index_1se = loss.iter().position(|v| *v <= bound).unwrap_or(index_min);
    (index_min, index_1se)
}

#[cfg(feature = "serde")]
impl TryFrom<Curve> for CrossValidatedPath {
    type Error = SelectionError;

    /// A path as a file states it satisfies what a computed one does.
    fn try_from(read: Curve) -> Result<Self> {
        let refuse = |reason| Err(SelectionError::Inconsistent { what: "cross-validated path", reason });
        let penalties = read.path.lambda().len();
        for (list, values) in [("means", &read.mean), ("standard errors", &read.standard_error)] {
            if values.len() != penalties {
                return refuse(format!("it has {penalties} penalties and {} {list}", values.len()));
            }
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return refuse(format!("one of its {list} is {value}"));
            }
        }
        let expected = choices(read.measure, &read.mean, &read.standard_error);
        if (read.index_min, read.index_1se) != expected {
            return refuse(format!(
                "the chosen penalties are {} and {}, but the means choose {} and {}",
                read.index_min, read.index_1se, expected.0, expected.1
            ));
        }
        Ok(Self(read))
    }
}

impl CvMeasure {
    /// Name of the measure as it stands at the axis of a figure: "binomial deviance".
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Deviance => "binomial deviance",
            Self::Auc => "AUC",
            Self::Misclassification => "misclassification error",
            Self::SquaredError => "squared error",
            Self::AbsoluteError => "absolute error",
        }
    }
}

impl Tabulate for CrossValidatedPath {
    const COLUMNS: &'static [&'static str] = &["lambda", "mean", "standard error", "features", "choice"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let Curve { path, mean, standard_error, index_min, index_1se, .. } = &self.0;
        let features = path.degrees_of_freedom();
        let choice = |k: usize| match (k == *index_min, k == *index_1se) {
            (true, true) => Some("min, 1se"),
            (true, false) => Some("min"),
            (false, true) => Some("1se"),
            (false, false) => None,
        };
        (0..mean.len()).map(|k| cells![path.lambda()[k], mean[k], standard_error[k], features[k], choice(k)]).collect()
    }
}
