//! Updating a model in other patients: intercept, slope, or all coefficients, chosen by a closed testing procedure.
//!
//! ```
//! use alnm_models::model_updating::{UpdateMethod, UpdatingParams};
//! use alnm_models::{FeatureTable, Labels};
//! use ndarray::Array2;
//! let size = |i: usize| ((i * 37) % 100) as f64 / 100.0;
//! let table = FeatureTable::new(vec!["size".into()], Array2::from_shape_fn((200, 1), |(i, _)| size(i)))?;
//! let labels = Labels::new((0..200).map(|i| 0.6 * size(i) + 0.4 * ((i * 53) % 100) as f64 / 100.0 > 0.6).collect());
//! // A model from elsewhere, whose risks are too low here.
//! let log_odds: Vec<f64> = (0..200).map(|i| 4.0 * size(i) - 5.0).collect();
//! let updating = UpdatingParams::default().check()?.closed_test(&table, &labels, &log_odds)?;
//! assert_ne!(updating.chosen, UpdateMethod::Unchanged);
//! let updated = updating.candidate(UpdateMethod::Recalibration);
//! assert!(updated.log_likelihood > updating.candidate(UpdateMethod::Unchanged).log_likelihood);
//! # Ok::<(), alnm_models::ModelError>(())
//! ```

use alnm_selection::SelectionError;
use alnm_stats::TestResult;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::distribution::chi_squared_upper_tail;
use ndarray::Array2;

use crate::error::{ModelError, Result};
use crate::logistic::{LogisticModel, LogisticParams, Term};
use crate::{FeatureTable, Labels};

/// Which coefficients of a model are re-estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum UpdateMethod {
    /// Nothing.
    Unchanged,
    /// The intercept.
    Intercept,
    /// Intercept and slope: all coefficients by one factor (logistic recalibration).
    Recalibration,
    /// All coefficients are estimated anew.
    Refit,
}

/// Parameters of updating, unchecked.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `significance` | 0.05 | level of each test of the closed procedure | (0, 1) |
/// | `level` | 0.95 | confidence level of the intervals | (0, 1) |
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
#[must_use]
pub struct UpdatingParams {
    /// Level of each test.
    pub significance: f64,
    /// Confidence level of the intervals.
    pub level: f64,
}

impl Default for UpdatingParams {
    fn default() -> Self {
        Self { significance: 0.05, level: 0.95 }
    }
}

impl UpdatingParams {
    /// Sets the level of each test.
    pub fn with_significance(self, significance: f64) -> Self {
        Self { significance, ..self }
    }

    /// Sets the confidence level of the intervals.
    pub fn with_level(self, level: f64) -> Self {
        Self { level, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] names the parameter that lies outside its range.
    pub fn check(self) -> Result<Updating> {
        crate::error::require_level(self.level)?;
        if !(self.significance > 0.0 && self.significance < 1.0) {
            let name = "level of significance of the closed test";
            return Err(ModelError::parameter(name, self.significance, "above 0 and below 1"));
        }
        Ok(Updating { params: self })
    }
}

/// Updating with checked parameters; made by [`UpdatingParams::check`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Updating {
    params: UpdatingParams,
}

/// The ways of updating a model, and the one that the closed test chose.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ModelUpdate {
    /// The least change that fits the patients as well as estimating everything anew.
    pub chosen: UpdateMethod,
    /// Likelihood ratio tests of the refitted model against the unchanged one, that with a new intercept, and the
    /// recalibrated one, in this order.
    pub tests: Vec<TestResult>,
    /// The candidates: unchanged, intercept, recalibration, refit.
    pub candidates: Vec<UpdatedModel>,
}

/// A model after an update.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct UpdatedModel {
    /// What was changed.
    pub method: UpdateMethod,
    /// What was estimated: none, the new intercept, intercept and slope, or all coefficients.
    pub terms: Vec<Term>,
    /// Log likelihood of the patients.
    pub log_likelihood: f64,
    /// Risks of the patients, in the order of the rows.
    pub risks: Vec<f64>,
}

impl Updating {
    /// Vergouwe's (2017) closed testing procedure. `log_odds` are the linear predictors of the model as it came, and
    /// `table` holds its variables. With p variables, the refitted model is tested against the unchanged one (p + 1
    /// degrees of freedom); unless the test is significant the model stays unchanged. Else it is tested against that
    /// with a new intercept (p degrees), then against the recalibrated one (p − 1), and the first that is not
    /// significantly worse is chosen. The chance of changing a model that is right is at most the level of the tests.
    ///
    /// # Errors
    /// [`ModelError::Selection`] when numbers of rows do not agree or a value is missing, [`ModelError::Statistics`]
    /// for labels of one class, [`ModelError::Separated`] when the variables or the linear predictor separate the
    /// outcome, [`ModelError::Parameter`] for log odds that are not finite or do not vary.
    pub fn closed_test(&self, table: &FeatureTable, labels: &Labels, log_odds: &[f64]) -> Result<ModelUpdate> {
        table.require_rows(labels.len())?;
        if log_odds.len() != labels.len() {
            let (what, left, right) = ("log odds and rows", log_odds.len(), labels.len());
            return Err(SelectionError::Shape { what, left, right }.into());
        }
        labels.require_both("updating a model")?;
        if let Some(&bad) = log_odds.iter().find(|v| !v.is_finite()) {
            return Err(ModelError::parameter("log odds of a patient", bad, "finite"));
        }
        if log_odds.iter().all(|v| *v == log_odds[0]) {
            return Err(ModelError::parameter("log odds of all patients", log_odds[0], "different between patients"));
        }
        let none = FeatureTable::new(Vec::new(), Array2::zeros((labels.len(), 0)))?;
        let slope = FeatureTable::from_columns(vec![("slope".to_owned(), log_odds.to_vec())])?;
        let params = LogisticParams::default().with_level(self.params.level);
        let unchanged = UpdatedModel {
            method: UpdateMethod::Unchanged,
            terms: Vec::new(),
            log_likelihood: log_likelihood(labels, log_odds),
            risks: log_odds.iter().map(|v| crate::logit::expit(*v)).collect(),
        };
        let candidates = vec![
            unchanged,
            fitted(UpdateMethod::Intercept, &none, labels, &params.clone().with_offset(log_odds.to_vec()))?,
            fitted(UpdateMethod::Recalibration, &slope, labels, &params)?,
            fitted(UpdateMethod::Refit, table, labels, &params)?,
        ];
        let refit = &candidates[3];
        let tests: Vec<TestResult> = candidates[..3].iter().map(|smaller| ratio_test(smaller, refit)).collect();
        let chosen = candidates[..3]
            .iter()
            .zip(&tests)
            .find(|(_, test)| test.p_value.is_nan() || test.p_value > self.params.significance)
            .map_or(UpdateMethod::Refit, |(candidate, _)| candidate.method);
        Ok(ModelUpdate { chosen, tests, candidates })
    }
}

impl ModelUpdate {
    /// The model after one of the updates.
    #[must_use]
    pub fn candidate(&self, method: UpdateMethod) -> &UpdatedModel {
        let place = match method {
            UpdateMethod::Unchanged => 0,
            UpdateMethod::Intercept => 1,
            UpdateMethod::Recalibration => 2,
            UpdateMethod::Refit => 3,
        };
        &self.candidates[place]
    }
}

fn fitted(
    method: UpdateMethod,
    table: &FeatureTable,
    labels: &Labels,
    params: &LogisticParams,
) -> Result<UpdatedModel> {
    let model = LogisticModel::fit(table, labels, params)?;
    if model.separated() {
        return Err(ModelError::Separated { operation: "updating a model" });
    }
    Ok(UpdatedModel {
        method,
        terms: model.terms().to_vec(),
        log_likelihood: model.log_likelihood(),
        risks: model.fitted().to_vec(),
    })
}

/// Likelihood ratio test of the refitted model against one that estimates less. With as many estimates there is nothing
/// to test, and p is NaN.
fn ratio_test(smaller: &UpdatedModel, refit: &UpdatedModel) -> TestResult {
    let statistic = (2.0 * (refit.log_likelihood - smaller.log_likelihood)).max(0.0);
    let df = refit.terms.len().saturating_sub(smaller.terms.len()) as f64;
    let p_value = if df > 0.0 { chi_squared_upper_tail(statistic, df) } else { f64::NAN };
    TestResult::new("Likelihood ratio test", statistic, &[df], p_value)
}

fn log_likelihood(labels: &Labels, log_odds: &[f64]) -> f64 {
    let contributions = labels.as_slice().iter().zip(log_odds).map(|(&event, v)| {
        let toward = if event { *v } else { -v };
        // ln of the probability of what happened.
        toward.min(0.0) - (-toward.abs()).exp().ln_1p()
    });
    contributions.sum()
}

impl Tabulate for ModelUpdate {
    const COLUMNS: &'static [&'static str] = &["update", "estimates", "log likelihood", "p against refit", "chosen"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.candidates
            .iter()
            .enumerate()
            .map(|(k, candidate)| {
                let name = match candidate.method {
                    UpdateMethod::Unchanged => "unchanged",
                    UpdateMethod::Intercept => "intercept",
                    UpdateMethod::Recalibration => "recalibration",
                    UpdateMethod::Refit => "refit",
                };
                let p = self.tests.get(k).map(|test| test.p_value);
                cells![name, candidate.terms.len(), candidate.log_likelihood, p, candidate.method == self.chosen]
            })
            .collect()
    }
}
