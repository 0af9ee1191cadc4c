//! Choice of the LASSO penalty by cross-validation, as `cv.glmnet`.
//!
//! Each fold fits its own path; held-out rows are predicted at the penalties of the full data by linear interpolation
//! of the coefficients in λ, clamped at the fold's ends. The mean over folds is weighted by fold size, and its standard
//! error is √(weighted mean of squared deviations / (folds − 1)).

use alnm_stats::Labels;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::roc::{Direction, RocCurve};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::FeatureTable;
use crate::elastic_net::{Data, ElasticNetParams, ElasticNetPath, Family, SparseCoefficients, path_of_rows};
use crate::error::{Result, SelectionError};
use crate::folds::Folds;

/// What is averaged over held-out rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum CvMeasure {
    /// Binomial deviance, probabilities held 10⁻⁵ away from 0 and 1; squared error for a Gaussian outcome.
    #[default]
    Deviance,
    /// Area under the ROC curve; larger is better.
    Auc,
    /// Share of wrong classes at probability ½.
    Misclassification,
    /// Squared error, summed over both classes (twice the Brier score).
    SquaredError,
    /// Absolute error, summed over both classes.
    AbsoluteError,
}

/// A cross-validated path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrossValidatedPath {
    /// Path of all rows.
    pub path: ElasticNetPath,
    /// The measure. AUC with fewer than ten rows a fold is replaced by the deviance, as in glmnet.
    pub measure: CvMeasure,
    /// Mean of the measure over folds at each penalty.
    pub mean: Vec<f64>,
    /// Standard error of the mean.
    pub standard_error: Vec<f64>,
    /// Position of the best mean; of several, the largest penalty.
    pub index_min: usize,
    /// Position of the largest penalty whose mean is within one standard error of the best.
    pub index_1se: usize,
}

/// Which penalty to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum LambdaChoice {
    /// The one with the best cross-validated measure (`lambda.min`).
    #[default]
    Min,
    /// The largest within one standard error of the best (`lambda.1se`).
    OneStandardError,
}

impl CrossValidatedPath {
    /// Position of the chosen penalty.
    #[must_use]
    pub fn index(&self, choice: LambdaChoice) -> usize {
        match choice {
            LambdaChoice::Min => self.index_min,
            LambdaChoice::OneStandardError => self.index_1se,
        }
    }

    /// The chosen penalty.
    #[must_use]
    pub fn lambda(&self, choice: LambdaChoice) -> f64 {
        self.path.lambda[self.index(choice)]
    }

    /// Coefficients of all rows at the chosen penalty.
    #[must_use]
    pub fn coefficients(&self, choice: LambdaChoice) -> &SparseCoefficients {
        &self.path.coefficients[self.index(choice)]
    }
}

/// Cross-validated LASSO or elastic net of a binary outcome.
///
/// # Errors
/// As [`crate::elastic_net::binomial_path`], also within folds (a training part of one class, for instance), and
/// [`SelectionError::Shape`] when folds and rows differ in number.
pub fn cross_validate(
    table: &FeatureTable,
    labels: &Labels,
    folds: &Folds,
    measure: CvMeasure,
    params: &ElasticNetParams,
) -> Result<CrossValidatedPath> {
    table.require_rows(labels.len())?;
    table.require_rows(folds.rows())?;
    labels.require_both("cross-validated LASSO")?;
    table.require_finite()?;
    let measure =
        if measure == CvMeasure::Auc && labels.len() / folds.count() < 10 { CvMeasure::Deviance } else { measure };
    let columns = table.contiguous_columns();
    let fit = |names: &[String], rows: &[usize]| -> Result<ElasticNetPath> {
        let part = labels.select(rows);
        part.require_both("a training fold of the LASSO")?;
        path_of_rows(names, Data { columns: &columns, rows, y: &part.to_values(), family: Family::Binomial }, params)
    };
    let all: Vec<usize> = (0..labels.len()).collect();
    let (path, held_out) = rayon::join(
        || fit(table.names(), &all),
        || {
            (0..folds.count())
                .into_par_iter()
                .map(|fold| fit(&[], &folds.training_rows(fold)))
                .collect::<Result<Vec<_>>>()
        },
    );
    let (path, held_out) = (path?, held_out?);
    let parts = held_out
        .into_par_iter()
        .enumerate()
        .map(|(fold, fitted)| {
            let rows = folds.test_rows(fold);
            let truth = labels.select(&rows);
            let at = |lambda: &f64| {
                fold_measure(measure, &truth, &fitted.coefficients_at(*lambda).linear_predictor(&columns, &rows))
            };
            FoldMeasure { size: rows.len() as f64, values: path.lambda.iter().map(at).collect() }
        })
        .collect::<Vec<_>>();
    Ok(summarise(path, measure, &parts))
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

fn summarise(path: ElasticNetPath, measure: CvMeasure, parts: &[FoldMeasure]) -> CrossValidatedPath {
    let (mut mean, mut standard_error) = (Vec::new(), Vec::new());
    for k in 0..path.lambda.len() {
        // A fold without a value (the AUC of one class) does not count.
        let valid: Vec<(f64, f64)> = parts.iter().map(|p| (p.size, p.values[k])).filter(|(_, v)| !v.is_nan()).collect();
        let total: f64 = valid.iter().map(|(w, _)| w).sum();
        let m = valid.iter().map(|(w, v)| w * v).sum::<f64>() / total;
        let spread = valid.iter().map(|(w, v)| w * (v - m).powi(2)).sum::<f64>() / total;
        mean.push(m);
        // glmnet divides by the number of all folds, also of those without a value.
        standard_error.push((spread / (parts.len() as f64 - 1.0)).sqrt());
    }
    // Smaller is better from here on.
    let loss: Vec<f64> = if measure == CvMeasure::Auc { mean.iter().map(|v| -v).collect() } else { mean.clone() };
    let best = loss.iter().copied().fold(f64::INFINITY, f64::min);
    let index_min = loss.iter().position(|v| *v <= best).unwrap_or(0);
    let bound = best + standard_error[index_min];
    let index_1se = loss.iter().position(|v| *v <= bound).unwrap_or(index_min);
    CrossValidatedPath { path, measure, mean, standard_error, index_min, index_1se }
}

impl CvMeasure {
    /// Name as printed on an axis.
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

/// Refuses folds that do not fit the rows; used by pipelines before they fit.
pub(crate) fn require_folds(folds: &Folds, rows: usize) -> Result<()> {
    if folds.rows() == rows {
        Ok(())
    } else {
        Err(SelectionError::Shape { what: "folds and rows", left: folds.rows(), right: rows })
    }
}

impl Tabulate for CrossValidatedPath {
    const COLUMNS: &'static [&'static str] = &["lambda", "mean", "standard error", "features", "choice"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let features = self.path.degrees_of_freedom();
        let choice = |k| match (k == self.index_min, k == self.index_1se) {
            (true, true) => Some("min, 1se"),
            (true, false) => Some("min"),
            (false, true) => Some("1se"),
            (false, false) => None,
        };
        (0..self.mean.len())
            .map(|k| cells![self.path.lambda[k], self.mean[k], self.standard_error[k], features[k], choice(k)])
            .collect()
    }
}
