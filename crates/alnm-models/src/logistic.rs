//! Logistic regression with full inference.

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::describe::mean;
use alnm_stats::distribution::{chi_squared_upper_tail, normal_quantile, normal_two_sided};
use alnm_stats::{Interval, TestResult};
use ndarray::Array2;

use crate::covariance::CovarianceMatrix;
use crate::design::{Design, STEP_TOLERANCE, linear_predictor};
pub use crate::design::{INTERCEPT, LogisticParams, LogisticRegression};
use crate::error::{ModelError, Result};
use crate::irls::Maximum;
use crate::logit::expit;
use crate::penalised::penalised_maximum;
use crate::{FeatureTable, Labels};

/// How the coefficients of a logistic regression were estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Estimation {
    /// By maximum likelihood.
    MaximumLikelihood,
    /// By Firth's penalised likelihood, finite where predictors separate the outcome.
    Firth,
}

/// A coefficient with its Wald inference at the optimum.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Term {
    /// Name of the predictor, or [`INTERCEPT`].
    pub name: String,
    /// Coefficient: log odds ratio per unit of the predictor.
    #[cfg_attr(feature = "serde", serde(with = "alnm_stats::nonfinite"))]
    pub estimate: f64,
    /// Standard error from the Fisher information.
    #[cfg_attr(feature = "serde", serde(with = "alnm_stats::nonfinite"))]
    pub standard_error: f64,
    /// Wald statistic, estimate over standard error.
    #[cfg_attr(feature = "serde", serde(with = "alnm_stats::nonfinite"))]
    pub z: f64,
    /// Two-sided Wald p-value.
    #[cfg_attr(feature = "serde", serde(with = "alnm_stats::nonfinite"))]
    pub p_value: f64,
    /// Wald interval of the coefficient.
    pub interval: Interval,
}

impl Term {
    /// The term of the given name among those of a model.
    pub(crate) fn named<'a>(terms: &'a [Self], name: &str) -> Result<&'a Self> {
        terms.iter().find(|term| term.name == name).ok_or_else(|| ModelError::Unknown {
            what: "term",
            name: name.to_owned(),
            known: terms.iter().map(|term| term.name.clone()).collect(),
        })
    }
}

/// A fitted logistic regression.
///
/// A model that is read with serde is checked: sizes and counts agree, numbers are finite, and the inference follows
/// from the estimates and their covariance. A model of separated data has infinite errors and cannot be read back.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "saved::LogisticForm", into = "saved::LogisticForm"))]
pub struct LogisticModel {
    terms: Vec<Term>,
    aliased: Vec<String>,
    covariance: Option<CovarianceMatrix>,
    rows: usize,
    events: usize,
    deviance: f64,
    null_deviance: f64,
    iterations: usize,
    converged: bool,
    separated: bool,
    estimation: Estimation,
    fitted: Vec<f64>,
    outcomes: Labels,
}

impl LogisticModel {
    /// Fits by maximum likelihood.
    ///
    /// Separated data are not an error: the model says so in [`LogisticModel::separated`].
    ///
    /// # Errors
    /// As [`LogisticRegression::fit`], and [`ModelError::Parameter`] for a parameter outside its range.
    ///
    /// ```
    /// use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams};
    /// use ndarray::array;
    /// let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
    /// let labels = Labels::new(vec![false, false, true, false, true, true]);
    /// let model = LogisticModel::fit(&table, &labels, &LogisticParams::default())?;
    /// assert!(model.converged() && model.term("size")?.estimate > 0.0);
    /// # Ok::<(), alnm_models::ModelError>(())
    /// ```
    pub fn fit(table: &FeatureTable, labels: &Labels, params: &LogisticParams) -> Result<Self> {
        params.clone().check()?.fit(table, labels)
    }

    /// Fits by maximum likelihood or, where the predictors separate the outcome, by Firth's penalised likelihood; every
    /// coefficient is then finite. [`LogisticModel::estimation`] says which it was; standard errors are those of the
    /// Fisher information in both cases.
    ///
    /// # Errors
    /// As [`LogisticRegression::fit_finite`], and [`ModelError::Parameter`] for a parameter outside its range.
    ///
    /// ```
    /// use alnm_models::logistic::Estimation;
    /// use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams};
    /// use ndarray::array;
    /// let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
    /// let labels = Labels::new(vec![false, false, false, true, true, true]);
    /// let model = LogisticModel::fit_finite(&table, &labels, &LogisticParams::default())?;
    /// assert_eq!(model.estimation(), Estimation::Firth);
    /// assert!(model.term("size")?.estimate < 5.0);
    /// # Ok::<(), alnm_models::ModelError>(())
    /// ```
    pub fn fit_finite(table: &FeatureTable, labels: &Labels, params: &LogisticParams) -> Result<Self> {
        params.clone().check()?.fit_finite(table, labels)
    }

    /// The model of estimated coefficients.
    fn at(data: &Design, maximum: Maximum, estimation: Estimation, params: &LogisticParams) -> Self {
        let likelihood = data.likelihood();
        let covariance = likelihood.covariance(&maximum.beta);
        let terms = data
            .names
            .iter()
            .zip(&maximum.beta)
            .enumerate()
            .map(|(j, (name, &estimate))| term(name, estimate, covariance[j][j].sqrt(), params.level))
            .collect();
        let fitted = likelihood.linear_predictor(&maximum.beta).into_iter().map(expit).collect();
        let k = data.names.len();
        let covariance = Array2::from_shape_fn((k, k), |(i, j)| covariance[i][j]);
        Self {
            terms,
            aliased: data.aliased.clone(),
            covariance: CovarianceMatrix::new(covariance).ok(),
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

    /// The coefficients: the intercept first, then the predictors in the order of the columns.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Predictors that depend linearly on earlier ones and were left out, as R does.
    #[must_use]
    pub fn aliased(&self) -> &[String] {
        &self.aliased
    }

    /// Covariance of the coefficients, in the order of [`LogisticModel::terms`]. `None` where the Fisher information
    /// has no finite inverse, which happens when the predictors separate the outcome.
    #[must_use]
    pub fn covariance(&self) -> Option<&CovarianceMatrix> {
        self.covariance.as_ref()
    }

    /// Number of rows used.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of events among the rows used.
    #[must_use]
    pub fn events(&self) -> usize {
        self.events
    }

    /// Deviance, −2 ln L.
    #[must_use]
    pub fn deviance(&self) -> f64 {
        self.deviance
    }

    /// Deviance of the model with only the intercept and the offset.
    #[must_use]
    pub fn null_deviance(&self) -> f64 {
        self.null_deviance
    }

    /// Newton steps taken.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Whether the optimum was reached; false for maximum likelihood on separated data.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// Whether the predictors separate the outcome. Coefficients and errors of maximum likelihood then grow with every
    /// iteration and mean nothing; the deviance is that of the limit.
    #[must_use]
    pub fn separated(&self) -> bool {
        self.separated
    }

    /// How the coefficients were estimated.
    #[must_use]
    pub fn estimation(&self) -> Estimation {
        self.estimation
    }

    /// Risks of the rows used, between 0 and 1.
    #[must_use]
    pub fn fitted(&self) -> &[f64] {
        &self.fitted
    }

    /// Outcomes of the rows used.
    #[must_use]
    pub fn outcomes(&self) -> &Labels {
        &self.outcomes
    }

    /// The term of the given name.
    ///
    /// # Errors
    /// [`ModelError::Unknown`] lists the names that exist.
    pub fn term(&self, name: &str) -> Result<&Term> {
        Term::named(&self.terms, name)
    }

    /// Names of the predictors with a coefficient.
    #[must_use]
    pub fn predictors(&self) -> Vec<String> {
        self.terms.iter().filter(|t| t.name != INTERCEPT).map(|t| t.name.clone()).collect()
    }

    /// Linear predictor (log odds) of every row. Columns are found by name; a missing value gives NaN.
    ///
    /// # Errors
    /// [`ModelError::Selection`] names the column that the table lacks.
    pub fn linear_predictor(&self, table: &FeatureTable) -> Result<Vec<f64>> {
        linear_predictor(self.terms.iter().map(|t| (t.name.as_str(), t.estimate)), table)
    }

    /// Risk of every row, between 0 and 1. Columns are found by name; a missing value gives NaN.
    ///
    /// # Errors
    /// As [`LogisticModel::linear_predictor`].
    pub fn predict(&self, table: &FeatureTable) -> Result<Vec<f64>> {
        Ok(self.linear_predictor(table)?.into_iter().map(expit).collect())
    }

    /// Log likelihood, ln L.
    #[must_use]
    pub fn log_likelihood(&self) -> f64 {
        -self.deviance / 2.0
    }

    /// Akaike's information criterion, −2 ln L + 2k with k coefficients.
    #[must_use]
    pub fn aic(&self) -> f64 {
        self.deviance + 2.0 * self.terms.len() as f64
    }

    /// Schwarz' information criterion, −2 ln L + k ln n with k coefficients and n rows.
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
    /// [`ModelError::Parameter`] when the other model was fitted to another number of rows or is not smaller.
    pub fn compare_nested(&self, smaller: &Self) -> Result<TestResult> {
        if smaller.rows != self.rows {
            let requirement = "that of the larger model: fit both models to the same rows";
            return Err(ModelError::parameter("number of rows of the nested model", smaller.rows, requirement));
        }
        if smaller.terms.len() >= self.terms.len() {
            let name = "number of coefficients of the nested model";
            return Err(ModelError::parameter(name, smaller.terms.len(), "less than that of the larger model"));
        }
        Ok(likelihood_ratio(smaller.deviance - self.deviance, (self.terms.len() - smaller.terms.len()) as f64))
    }

    /// Pseudo R² and the Brier score of the rows that the model was fitted to.
    ///
    /// ```
    /// use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams};
    /// use ndarray::array;
    /// let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
    /// let labels = Labels::new(vec![false, false, true, false, true, true]);
    /// let explained = LogisticModel::fit(&table, &labels, &LogisticParams::default())?.explained();
    /// assert!(explained.cox_snell < explained.nagelkerke && explained.brier < 0.25);
    /// # Ok::<(), alnm_models::ModelError>(())
    /// ```
    #[must_use]
    pub fn explained(&self) -> ExplainedVariation {
        let n = self.rows as f64;
        let cox_snell = 1.0 - ((self.deviance - self.null_deviance) / n).exp();
        let of_class = |class: bool| -> Vec<f64> {
            let rows = self.fitted.iter().zip(self.outcomes.as_slice());
            rows.filter(|(_, outcome)| **outcome == class).map(|(risk, _)| *risk).collect()
        };
        let squared = self.fitted.iter().zip(self.outcomes.to_values()).map(|(p, y)| (p - y).powi(2));
        ExplainedVariation {
            mcfadden: 1.0 - self.deviance / self.null_deviance,
            cox_snell,
            nagelkerke: cox_snell / (1.0 - (-self.null_deviance / n).exp()),
            tjur: mean(&of_class(true)) - mean(&of_class(false)),
            brier: squared.sum::<f64>() / n,
        }
    }
}

impl LogisticRegression {
    /// Fits by maximum likelihood. Separated data are not an error: the model says so in [`LogisticModel::separated`].
    ///
    /// # Errors
    /// [`ModelError::Statistics`] for labels of one class, [`ModelError::Selection`] for a missing value that the
    /// policy refuses or tables of the wrong size, [`ModelError::Repeated`] for a column named [`INTERCEPT`].
    pub fn fit(&self, table: &FeatureTable, labels: &Labels) -> Result<LogisticModel> {
        Ok(self.maximum_likelihood(&Design::new(table, labels, self)?))
    }

    /// Fits by maximum likelihood or, where the predictors separate the outcome, by Firth's penalised likelihood.
    ///
    /// # Errors
    /// [`ModelError::NotConverged`] for a penalised fit without an optimum, and as [`LogisticRegression::fit`].
    pub fn fit_finite(&self, table: &FeatureTable, labels: &Labels) -> Result<LogisticModel> {
        let data = Design::new(table, labels, self)?;
        let model = self.maximum_likelihood(&data);
        if !model.separated {
            return Ok(model);
        }
        let maximum = Maximum { separated: true, ..penalised_maximum(&data)? };
        Ok(LogisticModel::at(&data, maximum, Estimation::Firth, self.params()))
    }

    fn maximum_likelihood(&self, data: &Design) -> LogisticModel {
        let start = vec![0.0; data.columns.len()];
        let maximum = data.likelihood().maximise(&start, self.params().max_iterations, STEP_TOLERANCE);
        LogisticModel::at(data, maximum, Estimation::MaximumLikelihood, self.params())
    }
}

/// Wald inference of an estimate.
pub(crate) fn term(name: &str, estimate: f64, standard_error: f64, level: f64) -> Term {
    let z = normal_quantile(0.5 + level / 2.0);
    Term {
        name: name.to_owned(),
        estimate,
        standard_error,
        z: estimate / standard_error,
        p_value: normal_two_sided(estimate / standard_error),
        interval: Interval { lower: estimate - z * standard_error, upper: estimate + z * standard_error, level },
    }
}

fn likelihood_ratio(statistic: f64, df: f64) -> TestResult {
    TestResult::new("Likelihood ratio test", statistic, &[df], chi_squared_upper_tail(statistic, df))
}

/// Share of variation that a model explains, with the Brier score. L is the likelihood of the model, L₀ that of the
/// model with only the intercept, n the number of rows.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ExplainedVariation {
    /// McFadden's R², 1 − ln L/ln L₀.
    pub mcfadden: f64,
    /// Cox and Snell's R², 1 − (L₀/L)^(2/n).
    pub cox_snell: f64,
    /// Nagelkerke's R², Cox and Snell's over its largest possible value.
    pub nagelkerke: f64,
    /// Tjur's R²: mean risk of events minus that of non-events.
    pub tjur: f64,
    /// Brier score, the mean squared distance of risk and outcome.
    pub brier: f64,
}

/// Refuses terms of a file whose inference does not follow from their estimates and covariance.
#[cfg(feature = "serde")]
pub(crate) fn require_wald(terms: &[Term], covariance: &CovarianceMatrix) -> crate::invariants::Checked {
    use crate::invariants::{finite, require};
    // Files may come from a machine whose functions differ in the last digits.
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs()) + 1e-300;
    require(covariance.size() == terms.len(), || {
        format!("its covariance has {} rows for {} terms", covariance.size(), terms.len())
    })?;
    for (j, t) in terms.iter().enumerate() {
        let Term { name, estimate, standard_error, z, p_value, interval } = t;
        let what = |field: &str| format!("the {field} of {name:?}");
        finite(&what("estimate"), *estimate)?;
        let right = term(name, *estimate, covariance.view()[[j, j]].sqrt(), interval.level);
        for (field, value, expected) in [
            ("standard error", *standard_error, right.standard_error),
            ("z statistic", *z, right.z),
            ("p-value", *p_value, right.p_value),
            ("lower limit", interval.lower, right.interval.lower),
            ("upper limit", interval.upper, right.interval.upper),
        ] {
            require(close(value, expected), || {
                format!("{} is {value}; its estimate and covariance give {expected}", what(field))
            })?;
        }
    }
    Ok(())
}

/// The form in which a model is written and read.
#[cfg(feature = "serde")]
mod saved {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::invariants::{Checked, distinct, finite, require};

    #[derive(Serialize, Deserialize)]
    pub(super) struct LogisticForm {
        terms: Vec<Term>,
        aliased: Vec<String>,
        covariance: Option<Array2<f64>>,
        rows: usize,
        events: usize,
        deviance: f64,
        null_deviance: f64,
        iterations: usize,
        converged: bool,
        separated: bool,
        estimation: Estimation,
        fitted: Vec<f64>,
        outcomes: Labels,
    }

    impl From<LogisticModel> for LogisticForm {
        fn from(m: LogisticModel) -> Self {
            Self {
                terms: m.terms,
                aliased: m.aliased,
                covariance: m.covariance.map(|covariance| covariance.view().to_owned()),
                rows: m.rows,
                events: m.events,
                deviance: m.deviance,
                null_deviance: m.null_deviance,
                iterations: m.iterations,
                converged: m.converged,
                separated: m.separated,
                estimation: m.estimation,
                fitted: m.fitted,
                outcomes: m.outcomes,
            }
        }
    }

    impl TryFrom<LogisticForm> for LogisticModel {
        type Error = String;

        fn try_from(form: LogisticForm) -> Checked<Self> {
            let reason = || "it has no covariance, as when the predictors separate the outcome".to_owned();
            require(form.covariance.is_some(), reason)?;
            let covariance = CovarianceMatrix::new(form.covariance.unwrap_or_default())?;
            let names = form.terms.iter().map(|t| t.name.as_str()).chain(form.aliased.iter().map(String::as_str));
            distinct("term", names)?;
            require_wald(&form.terms, &covariance)?;
            for (name, value) in [("the deviance", form.deviance), ("the null deviance", form.null_deviance)] {
                finite(name, value)?;
                require(value >= 0.0, || format!("{name} is {value}; it must be 0 or more"))?;
            }
            let (rows, labels) = (form.rows, form.outcomes.len());
            require(labels == rows && form.fitted.len() == rows, || {
                format!(
                    "it has {} risks and {labels} outcomes; both must be {rows}, its number of rows",
                    form.fitted.len()
                )
            })?;
            require(form.terms.len() <= rows, || format!("it has {} terms on {rows} rows", form.terms.len()))?;
            let positives = form.outcomes.positives();
            require(positives == form.events && (1..rows).contains(&positives), || {
                format!("its number of events is {}; {positives} of its {rows} outcomes are events", form.events)
            })?;
            let outside = form.fitted.iter().find(|risk| !(0.0..=1.0).contains(*risk));
            require(outside.is_none(), || {
                format!("a fitted risk is {}; it must lie between 0 and 1", outside.copied().unwrap_or_default())
            })?;
            Ok(Self {
                terms: form.terms,
                aliased: form.aliased,
                covariance: Some(covariance),
                rows: form.rows,
                events: form.events,
                deviance: form.deviance,
                null_deviance: form.null_deviance,
                iterations: form.iterations,
                converged: form.converged,
                separated: form.separated,
                estimation: form.estimation,
                fitted: form.fitted,
                outcomes: form.outcomes,
            })
        }
    }
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
