//! Parameters of a logistic regression, and the design matrix that they make of a table.

use alnm_selection::SelectionError;
use alnm_stats::missing::Missing;

use crate::error::{ModelError, Result, require_level};
use crate::irls::{Likelihood, Maximum};
use crate::logit;
use crate::{FeatureTable, Labels};

/// Name of the intercept among the terms.
pub const INTERCEPT: &str = logit::INTERCEPT;

/// Newton's method squares the error with each step: a step of 10⁻⁸ standard errors leaves none.
pub(crate) const STEP_TOLERANCE: f64 = 1e-16;

/// Parameters of a logistic regression, unchecked.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0.95 | confidence level of the intervals | (0, 1) |
/// | `missing` | refuse | what to do with rows that lack a value | |
/// | `intercept` | true | whether the model has an intercept | |
/// | `weights` | all 1 | prior weight of each row | 0 or more |
/// | `offset` | all 0 | fixed part of the linear predictor of each row | finite |
/// | `max_iterations` | 100 | Newton steps at most | 1 or more |
///
/// ```
/// use alnm_models::LogisticParams;
/// let regression = LogisticParams::default().with_level(0.9).check()?;
/// assert_eq!(regression.params().level, 0.9);
/// assert!(LogisticParams::default().with_level(95.0).check().is_err());
/// # Ok::<(), alnm_models::ModelError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
#[must_use]
pub struct LogisticParams {
    /// Confidence level of the intervals.
    pub level: f64,
    /// What to do with rows that lack a value.
    pub missing: Missing,
    /// Whether the model has an intercept.
    pub intercept: bool,
    /// Prior weight of each row; `None` for equal weights.
    pub weights: Option<Vec<f64>>,
    /// Fixed part of the linear predictor of each row; `None` for none.
    pub offset: Option<Vec<f64>>,
    /// Newton steps at most.
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

impl LogisticParams {
    /// Sets the confidence level of the intervals.
    pub fn with_level(self, level: f64) -> Self {
        Self { level, ..self }
    }

    /// Sets what to do with rows that lack a value.
    pub fn with_missing(self, missing: Missing) -> Self {
        Self { missing, ..self }
    }

    /// Sets whether the model has an intercept.
    pub fn with_intercept(self, intercept: bool) -> Self {
        Self { intercept, ..self }
    }

    /// Sets the prior weight of each row.
    pub fn with_weights(self, weights: Vec<f64>) -> Self {
        Self { weights: Some(weights), ..self }
    }

    /// Sets the fixed part of the linear predictor of each row.
    pub fn with_offset(self, offset: Vec<f64>) -> Self {
        Self { offset: Some(offset), ..self }
    }

    /// Sets the number of Newton steps at most.
    pub fn with_max_iterations(self, max_iterations: usize) -> Self {
        Self { max_iterations, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] names the parameter that lies outside its range.
    pub fn check(self) -> Result<LogisticRegression> {
        require_level(self.level)?;
        if self.max_iterations == 0 {
            return Err(ModelError::parameter("max_iterations", self.max_iterations, "at least 1"));
        }
        if let Some(&weight) = self.weights.iter().flatten().find(|w| !w.is_finite() || **w < 0.0) {
            return Err(ModelError::parameter("weight of a row", weight, "finite and 0 or more"));
        }
        if let Some(&offset) = self.offset.iter().flatten().find(|o| !o.is_finite()) {
            return Err(ModelError::parameter("offset of a row", offset, "finite"));
        }
        Ok(LogisticRegression { params: self })
    }
}

/// Checked parameters of a logistic regression, ready to fit; made by [`LogisticParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticRegression {
    params: LogisticParams,
}

impl LogisticRegression {
    /// The parameters.
    pub fn params(&self) -> &LogisticParams {
        &self.params
    }

    /// Refuses weights or offsets of another number of rows.
    pub(crate) fn require_rows(&self, rows: usize) -> Result<()> {
        for (what, values) in [("weights and rows", &self.params.weights), ("offsets and rows", &self.params.offset)] {
            if let Some(values) = values
                && values.len() != rows
            {
                return Err(SelectionError::Shape { what, left: values.len(), right: rows }.into());
            }
        }
        Ok(())
    }

    /// The regression of some of the rows, with their weights and offsets.
    pub(crate) fn of_rows(&self, rows: &[usize]) -> Self {
        let pick = |values: &Option<Vec<f64>>| values.as_ref().map(|v| rows.iter().map(|&row| v[row]).collect());
        let (weights, offset) = (pick(&self.params.weights), pick(&self.params.offset));
        Self { params: LogisticParams { weights, offset, ..self.params.clone() } }
    }

    /// The rows that are used under the policy for missing values.
    pub(crate) fn used_rows(&self, table: &FeatureTable) -> Vec<usize> {
        match self.params.missing {
            Missing::Omit => table.complete_rows(),
            _ => (0..table.rows()).collect(),
        }
    }
}

/// The data of a fit: columns of the design matrix, outcomes, weights and offsets of the rows used.
#[derive(Debug, Clone)]
pub(crate) struct Design {
    pub(crate) names: Vec<String>,
    pub(crate) columns: Vec<Vec<f64>>,
    pub(crate) y: Vec<f64>,
    pub(crate) weights: Vec<f64>,
    pub(crate) offset: Vec<f64>,
    pub(crate) aliased: Vec<String>,
    pub(crate) labels: Labels,
}

impl Design {
    /// Applies the policy for missing values, adds the intercept and leaves dependent columns out.
    pub(crate) fn new(table: &FeatureTable, labels: &Labels, regression: &LogisticRegression) -> Result<Self> {
        let params = &regression.params;
        table.require_rows(labels.len())?;
        regression.require_rows(table.rows())?;
        let rows = regression.used_rows(table);
        let table = table.select_rows(&rows);
        table.require_finite()?;
        let labels = labels.select(&rows);
        labels.require_both("logistic regression")?;
        let per_row = |values: &Option<Vec<f64>>, default: f64| -> Vec<f64> {
            values.as_ref().map_or_else(|| vec![default; rows.len()], |v| rows.iter().map(|&row| v[row]).collect())
        };
        let (weights, offset) = (per_row(&params.weights, 1.0), per_row(&params.offset, 0.0));
        let mut names = Vec::new();
        let mut columns: Vec<Vec<f64>> = Vec::new();
        if table.names().iter().any(|name| name == INTERCEPT) {
            return Err(ModelError::Repeated { what: "term", name: INTERCEPT.to_owned() });
        }
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

/// The linear predictor of every row: the sum of the coefficients times the columns of the same names.
pub(crate) fn linear_predictor<'a>(
    coefficients: impl Iterator<Item = (&'a str, f64)>,
    table: &FeatureTable,
) -> Result<Vec<f64>> {
    let mut eta = vec![0.0; table.rows()];
    for (name, coefficient) in coefficients {
        if name == INTERCEPT {
            eta.iter_mut().for_each(|e| *e += coefficient);
        } else {
            eta.iter_mut().zip(table.column(name)?).for_each(|(e, x)| *e += coefficient * x);
        }
    }
    Ok(eta)
}
