//! Logistic regression with full inference.

use alnm_selection::SelectionError;
use alnm_stats::calibration::brier;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::distribution::{chi_squared_upper_tail, normal_quantile, normal_two_sided};
use alnm_stats::missing::Missing;
use alnm_stats::{Interval, TestResult};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::error::{ModelError, Result};
use crate::firth::penalised_maximum;
use crate::irls::{Likelihood, Maximum, expit};
use crate::{FeatureTable, Labels};

/// Parameters of the fit.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `level` | 0.95 | level of the Wald intervals | (0, 1) |
/// | `missing` | refuse | what to do with rows that lack a value | |
/// | `intercept` | true | whether the model has an intercept | |
/// | `weights` | all 1 | prior weight of each row | 0 or more |
/// | `offset` | all 0 | fixed part of the linear predictor | finite |
/// | `max_iterations` | 100 | Newton steps | 1 or more |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogisticParams {
    /// Level of the Wald intervals.
    pub level: f64,
    /// What to do with rows that lack a value.
    pub missing: Missing,
    /// Whether the model has an intercept.
    pub intercept: bool,
    /// Prior weight of each row.
    pub weights: Option<Vec<f64>>,
    /// Fixed part of the linear predictor of each row.
    pub offset: Option<Vec<f64>>,
    /// Largest number of Newton steps.
    pub max_iterations: usize,
}

impl Default for LogisticParams {
    fn default() -> Self {
        Self {
            level: 0.95,
            missing: Missing::Refuse,
            intercept: true,
            weights: None,
            offset: None,
            max_iterations: 100,
        }
    }
}

/// How the coefficients of a logistic regression were estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimation {
    /// By maximum likelihood.
    MaximumLikelihood,
    /// By Firth's penalised likelihood, finite where predictors separate the outcome.
    Firth,
}

/// Name of the intercept among the terms.
pub const INTERCEPT: &str = "(Intercept)";

/// A coefficient with its Wald inference at the optimum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// Name of the predictor, or [`INTERCEPT`].
    pub name: String,
    /// Coefficient: log odds ratio per unit.
    pub estimate: f64,
    /// Standard error from the Fisher information.
    pub standard_error: f64,
    /// Wald statistic.
    pub z: f64,
    /// Two-sided Wald p-value.
    pub p_value: f64,
    /// Wald interval of the coefficient.
    pub interval: Interval,
}

/// A fitted logistic regression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogisticModel {
    /// Coefficients: the intercept first, then the predictors in the order of the columns.
    pub terms: Vec<Term>,
    /// Predictors that depend on earlier ones and were left out, as R does.
    pub aliased: Vec<String>,
    /// Covariance of the coefficients.
    pub covariance: Array2<f64>,
    /// Number of rows used.
    pub rows: usize,
    /// Number of events among them.
    pub events: usize,
    /// Deviance, −2 ln L.
    pub deviance: f64,
    /// Deviance of the model with only the intercept (and the offset).
    pub null_deviance: f64,
    /// Newton steps taken.
    pub iterations: usize,
    /// Whether the optimum was reached. False for separated data.
    pub converged: bool,
    /// Whether the predictors separate the outcome. Coefficients and errors of maximum likelihood then grow with every
    /// iteration and mean nothing; the deviance is that of the limit.
    pub separated: bool,
    /// How the coefficients were estimated.
    pub estimation: Estimation,
    /// Risks of the rows used.
    pub fitted: Vec<f64>,
    /// Outcomes of the rows used.
    pub outcomes: Labels,
}

/// Data of a fit, ready for the likelihood.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) names: Vec<String>,
    pub(crate) columns: Vec<Vec<f64>>,
    pub(crate) y: Vec<f64>,
    pub(crate) weights: Vec<f64>,
    pub(crate) offset: Vec<f64>,
    pub(crate) aliased: Vec<String>,
    pub(crate) labels: Labels,
}

impl Prepared {
    /// Applies the missing value policy, adds the intercept and drops dependent columns.
    pub(crate) fn new(table: &FeatureTable, labels: &Labels, params: &LogisticParams) -> Result<Self> {
        table.require_rows(labels.len())?;
        if !(params.level > 0.0 && params.level < 1.0) {
            return Err(ModelError::Parameter { name: "confidence level", range: "(0, 1)", value: params.level });
        }
        let rows = match params.missing {
            Missing::Refuse => (0..table.rows()).collect(),
            Missing::Omit => table.complete_rows(),
        };
        let table = table.select_rows(&rows);
        table.require_finite()?;
        let labels = labels.select(&rows);
        labels.require_both("logistic regression")?;
        let per_row = |values: &Option<Vec<f64>>, default: f64, what: &'static str| -> Result<Vec<f64>> {
            match values {
                None => Ok(vec![default; rows.len()]),
                Some(v) if rows.iter().all(|&r| r < v.len()) => Ok(rows.iter().map(|&r| v[r]).collect()),
                Some(v) => Err(SelectionError::Shape { what, left: v.len(), right: rows.len() }.into()),
            }
        };
        let weights = per_row(&params.weights, 1.0, "weights and rows")?;
        let offset = per_row(&params.offset, 0.0, "offsets and rows")?;
        if let Some(&value) = weights.iter().find(|w| !w.is_finite() || **w < 0.0) {
            return Err(ModelError::Parameter { name: "weight", range: "0 or more", value });
        }
        if let Some(&value) = offset.iter().find(|o| !o.is_finite()) {
            return Err(ModelError::Parameter { name: "offset", range: "finite numbers", value });
        }
        let mut names = Vec::new();
        let mut columns: Vec<Vec<f64>> = Vec::new();
        if params.intercept {
            names.push(INTERCEPT.to_owned());
            columns.push(vec![1.0; rows.len()]);
        }
        names.extend(table.names().iter().cloned());
        columns.extend(table.values().columns().into_iter().map(|c| c.to_vec()));
        let y = labels.to_values();
        let kept = Likelihood { columns: &columns, y: &y, weights: &weights, offset: &offset }.independent_columns();
        let aliased = (0..names.len()).filter(|j| !kept.contains(j)).map(|j| names[j].clone()).collect();
        Ok(Self {
            names: kept.iter().map(|&j| names[j].clone()).collect(),
            columns: kept.iter().map(|&j| columns[j].clone()).collect(),
            y,
            weights,
            offset,
            aliased,
            labels,
        })
    }

    pub(crate) fn likelihood(&self) -> Likelihood<'_> {
        Likelihood { columns: &self.columns, y: &self.y, weights: &self.weights, offset: &self.offset }
    }

    /// The maximum of the model with only the intercept.
    pub(crate) fn null_maximum(&self, max_iterations: usize) -> Maximum {
        let intercept = usize::from(self.names.first().is_some_and(|n| n == INTERCEPT));
        let columns = &self.columns[..intercept];
        Likelihood { columns, ..self.likelihood() }.maximise(&vec![0.0; intercept], max_iterations, STEP_TOLERANCE)
    }
}

/// Newton's method squares the error with each step: a step of 10⁻⁸ standard errors leaves none.
pub(crate) const STEP_TOLERANCE: f64 = 1e-16;

impl LogisticModel {
    /// Fits by maximum likelihood.
    ///
    /// Separated data are not an error: the model says so in [`LogisticModel::separated`].
    ///
    /// # Errors
    /// [`ModelError::Statistics`] for labels of one class, [`ModelError::Selection`] for a missing value under
    /// [`Missing::Refuse`] or tables of the wrong size, [`ModelError::Parameter`].
    ///
    /// ```
    /// use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams};
    /// use ndarray::array;
    /// let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
    /// let labels = Labels::new(vec![false, false, true, false, true, true]);
    /// let model = LogisticModel::fit(&table, &labels, &LogisticParams::default())?;
    /// assert!(model.converged && model.term("size")?.estimate > 0.0);
    /// # Ok::<(), alnm_models::ModelError>(())
    /// ```
    pub fn fit(table: &FeatureTable, labels: &Labels, params: &LogisticParams) -> Result<Self> {
        Self::from_prepared(&Prepared::new(table, labels, params)?, params)
    }

    /// Fits by maximum likelihood or, where the predictors separate the outcome, by Firth's penalised likelihood, so
    /// that every coefficient is finite. [`LogisticModel::estimation`] says which it was; standard errors are those of
    /// the Fisher information in both cases.
    ///
    /// # Errors
    /// [`ModelError::NotConverged`] for a penalised fit without an optimum, and as [`LogisticModel::fit`].
    ///
    /// ```
    /// use alnm_models::logistic::Estimation;
    /// use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams};
    /// use ndarray::array;
    /// let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
    /// let labels = Labels::new(vec![false, false, false, true, true, true]);
    /// let model = LogisticModel::fit_finite(&table, &labels, &LogisticParams::default())?;
    /// assert_eq!(model.estimation, Estimation::Firth);
    /// assert!(model.term("size")?.estimate < 5.0);
    /// # Ok::<(), alnm_models::ModelError>(())
    /// ```
    pub fn fit_finite(table: &FeatureTable, labels: &Labels, params: &LogisticParams) -> Result<Self> {
        let data = Prepared::new(table, labels, params)?;
        let model = Self::from_prepared(&data, params)?;
        if !model.separated {
            return Ok(model);
        }
        let maximum = Maximum { separated: true, ..penalised_maximum(&data)? };
        Ok(Self::at(&data, maximum, Estimation::Firth, params))
    }

    pub(crate) fn from_prepared(data: &Prepared, params: &LogisticParams) -> Result<Self> {
        let start = vec![0.0; data.columns.len()];
        let maximum = data.likelihood().maximise(&start, params.max_iterations, STEP_TOLERANCE);
        Ok(Self::at(data, maximum, Estimation::MaximumLikelihood, params))
    }

    /// The model of estimated coefficients.
    fn at(data: &Prepared, maximum: Maximum, estimation: Estimation, params: &LogisticParams) -> Self {
        let likelihood = data.likelihood();
        let covariance = likelihood.covariance(&maximum.beta);
        let z = normal_quantile(0.5 + params.level / 2.0);
        let terms = data
            .names
            .iter()
            .zip(&maximum.beta)
            .enumerate()
            .map(|(j, (name, &estimate))| {
                let standard_error = covariance[j][j].sqrt();
                Term {
                    name: name.clone(),
                    estimate,
                    standard_error,
                    z: estimate / standard_error,
                    p_value: normal_two_sided(estimate / standard_error),
                    interval: Interval {
                        lower: estimate - z * standard_error,
                        upper: estimate + z * standard_error,
                        level: params.level,
                    },
                }
            })
            .collect();
        let fitted = likelihood.linear_predictor(&maximum.beta).into_iter().map(expit).collect();
        let k = data.names.len();
        Self {
            terms,
            aliased: data.aliased.clone(),
            covariance: Array2::from_shape_fn((k, k), |(i, j)| covariance[i][j]),
            rows: data.y.len(),
            events: data.labels.positives(),
            deviance: maximum.deviance,
            null_deviance: data.null_maximum(params.max_iterations).deviance,
            iterations: maximum.iterations,
            converged: maximum.converged,
            separated: maximum.separated,
            estimation,
            fitted,
            outcomes: data.labels.clone(),
        }
    }

    /// The term of the given name.
    ///
    /// # Errors
    /// [`ModelError::Unknown`].
    pub fn term(&self, name: &str) -> Result<&Term> {
        self.terms.iter().find(|t| t.name == name).ok_or_else(|| ModelError::Unknown {
            what: "term",
            name: name.to_owned(),
            known: self.terms.iter().map(|t| t.name.clone()).collect(),
        })
    }

    /// Names of the predictors with a coefficient.
    #[must_use]
    pub fn predictors(&self) -> Vec<String> {
        self.terms.iter().filter(|t| t.name != INTERCEPT).map(|t| t.name.clone()).collect()
    }

    /// Linear predictor of every row. Columns are found by name; a missing value gives NaN.
    ///
    /// # Errors
    /// [`ModelError::Selection`] names the column that the table lacks.
    pub fn linear_predictor(&self, table: &FeatureTable) -> Result<Vec<f64>> {
        let mut eta = vec![0.0; table.rows()];
        for term in &self.terms {
            if term.name == INTERCEPT {
                eta.iter_mut().for_each(|e| *e += term.estimate);
            } else {
                eta.iter_mut().zip(table.column(&term.name)?).for_each(|(e, x)| *e += term.estimate * x);
            }
        }
        Ok(eta)
    }

    /// Risk of every row.
    ///
    /// # Errors
    /// As [`LogisticModel::linear_predictor`].
    pub fn predict(&self, table: &FeatureTable) -> Result<Vec<f64>> {
        Ok(self.linear_predictor(table)?.into_iter().map(expit).collect())
    }

    /// ln L.
    #[must_use]
    pub fn log_likelihood(&self) -> f64 {
        -self.deviance / 2.0
    }

    /// Akaike's information criterion.
    #[must_use]
    pub fn aic(&self) -> f64 {
        self.deviance + 2.0 * self.terms.len() as f64
    }

    /// Schwarz' information criterion.
    #[must_use]
    pub fn bic(&self) -> f64 {
        self.deviance + (self.rows as f64).ln() * self.terms.len() as f64
    }

    /// Rows minus coefficients.
    #[must_use]
    pub fn residual_degrees_of_freedom(&self) -> usize {
        self.rows - self.terms.len()
    }

    /// Likelihood ratio test against the model with only the intercept.
    #[must_use]
    pub fn likelihood_ratio_test(&self) -> TestResult {
        let df = self.predictors().len() as f64;
        likelihood_ratio(self.null_deviance - self.deviance, df)
    }

    /// Likelihood ratio test of this model against a smaller one of the same rows that is nested in it.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] when the other model is not smaller or was fitted to another number of rows.
    pub fn compare_nested(&self, smaller: &Self) -> Result<TestResult> {
        if smaller.terms.len() >= self.terms.len() || smaller.rows != self.rows {
            return Err(ModelError::Parameter {
                name: "coefficients of the nested model",
                range: "fewer than the larger model has, on the same rows",
                value: smaller.terms.len() as f64,
            });
        }
        Ok(likelihood_ratio(smaller.deviance - self.deviance, (self.terms.len() - smaller.terms.len()) as f64))
    }

    /// Pseudo R² and the Brier score of the rows that the model was fitted to.
    ///
    /// # Errors
    /// None for a model fitted by this crate.
    pub fn explained(&self) -> Result<ExplainedVariation> {
        let n = self.rows as f64;
        let cox_snell = 1.0 - ((self.deviance - self.null_deviance) / n).exp();
        let groups = self.outcomes.split(&self.fitted)?;
        let mean = alnm_stats::describe::mean;
        Ok(ExplainedVariation {
            mcfadden: 1.0 - self.deviance / self.null_deviance,
            cox_snell,
            nagelkerke: cox_snell / (1.0 - (-self.null_deviance / n).exp()),
            tjur: mean(&groups.positive) - mean(&groups.negative),
            brier: brier(&self.outcomes, &self.fitted)?.score,
        })
    }
}

pub(crate) fn likelihood_ratio(statistic: f64, df: f64) -> TestResult {
    TestResult {
        method: "Likelihood ratio test".to_owned(),
        statistic,
        degrees_of_freedom: vec![df],
        p_value: chi_squared_upper_tail(statistic, df),
        estimate: Vec::new(),
        confidence_interval: None,
    }
}

/// Share of variation that a model explains.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ExplainedVariation {
    /// McFadden's R², 1 − ln L/ln L₀.
    pub mcfadden: f64,
    /// Cox and Snell's R².
    pub cox_snell: f64,
    /// Nagelkerke's R².
    pub nagelkerke: f64,
    /// Tjur's R²: mean risk of events minus that of non-events.
    pub tjur: f64,
    /// Brier score.
    pub brier: f64,
}

impl Tabulate for LogisticModel {
    const COLUMNS: &'static [&'static str] = &["term", "estimate", "SE", "z", "p", "odds ratio", "lower", "upper"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let row = |t: &Term| {
            cells![
                &t.name,
                t.estimate,
                t.standard_error,
                t.z,
                t.p_value,
                t.estimate.exp(),
                t.interval.lower.exp(),
                t.interval.upper.exp()
            ]
        };
        self.terms.iter().map(row).collect()
    }
}

impl Tabulate for ExplainedVariation {
    const COLUMNS: &'static [&'static str] = &["McFadden", "Cox-Snell", "Nagelkerke", "Tjur", "Brier score"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![self.mcfadden, self.cox_snell, self.nagelkerke, self.tjur, self.brier]]
    }
}
