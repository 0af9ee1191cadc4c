//! Stepwise selection by Akaike's criterion and tests of single terms (R's `step` and `drop1`).
//!
//! Stepwise selection overstates the importance of the chosen variables; validate it with the selection inside the
//! resampling, for instance by [`crate::nested_validation`].

use alnm_stats::TestResult;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};

use crate::error::Result;
use crate::logistic::{LogisticModel, LogisticParams, LogisticRegression};
use crate::{FeatureTable, Labels};

/// Where the search starts and which way it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum StepDirection {
    /// From all variables, leaving out one at a time.
    Backward,
    /// From none, adding one at a time.
    Forward,
    /// From none, adding or leaving out one at a time.
    BothFromNone,
}

/// Parameters of a stepwise selection, unchecked.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `direction` | backward | where the search starts and which way it goes | |
/// | `regression` | [`LogisticParams::default`] | how each model is fitted | as there |
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
#[must_use]
pub struct StepwiseParams {
    /// Where the search starts and which way it goes.
    pub direction: StepDirection,
    /// How each model is fitted.
    pub regression: LogisticParams,
}

impl Default for StepwiseParams {
    fn default() -> Self {
        Self { direction: StepDirection::Backward, regression: LogisticParams::default() }
    }
}

impl StepwiseParams {
    /// Sets where the search starts and which way it goes.
    pub fn with_direction(self, direction: StepDirection) -> Self {
        Self { direction, ..self }
    }

    /// Sets how each model is fitted.
    pub fn with_regression(self, regression: LogisticParams) -> Self {
        Self { regression, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`crate::ModelError::Parameter`] names the parameter that lies outside its range.
    pub fn check(self) -> Result<StepwiseSelection> {
        Ok(StepwiseSelection { direction: self.direction, regression: self.regression.check()? })
    }
}

/// A stepwise selection with checked parameters; made by [`StepwiseParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct StepwiseSelection {
    direction: StepDirection,
    regression: LogisticRegression,
}

/// What a stepwise selection chose.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Stepwise {
    variables: Vec<String>,
    model: LogisticModel,
    steps: Vec<StepwiseMove>,
}

impl Stepwise {
    /// The selected variables, in the order of entry; of a backward search, in the order of the columns.
    #[must_use]
    pub fn variables(&self) -> &[String] {
        &self.variables
    }

    /// The logistic regression on the selected variables.
    #[must_use]
    pub fn model(&self) -> &LogisticModel {
        &self.model
    }

    /// What each step did, in order.
    #[must_use]
    pub fn steps(&self) -> &[StepwiseMove] {
        &self.steps
    }
}

/// One step of a stepwise selection.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct StepwiseMove {
    /// The variable that entered or left.
    pub variable: String,
    /// Whether the variable entered.
    pub entered: bool,
    /// Akaike's criterion after the step.
    pub aic: f64,
}

/// Selects variables by Akaike's criterion; checks the parameters first.
///
/// # Errors
/// As [`StepwiseSelection::fit`], and [`crate::ModelError::Parameter`] for a parameter outside its range.
///
/// ```
/// use alnm_models::stepwise::{StepwiseParams, stepwise};
/// use alnm_models::{FeatureTable, Labels};
/// use ndarray::Array2;
/// // The first column follows the outcome, the second does not.
/// let labels = Labels::new((0..60).map(|i| i % 2 == 1).collect());
/// let values = Array2::from_shape_fn((60, 2), |(i, j)| {
///     let noise = ((i * (7 + 4 * j)) % 19) as f64 / 19.0;
///     if j == 0 && i % 2 == 1 { noise + 0.4 } else { noise }
/// });
/// let table = FeatureTable::new(vec!["size".into(), "noise".into()], values)?;
/// let chosen = stepwise(&table, &labels, &StepwiseParams::default())?;
/// assert_eq!(chosen.variables(), ["size"]);
/// assert_eq!(chosen.steps()[0].variable, "noise");
/// # Ok::<(), alnm_models::ModelError>(())
/// ```
pub fn stepwise(table: &FeatureTable, labels: &Labels, params: &StepwiseParams) -> Result<Stepwise> {
    params.clone().check()?.fit(table, labels)
}

impl StepwiseSelection {
    /// Selects variables by Akaike's criterion. Where incomplete rows are omitted, all models use the rows that are
    /// complete in all columns.
    ///
    /// # Errors
    /// As [`LogisticRegression::fit`].
    pub fn fit(&self, table: &FeatureTable, labels: &Labels) -> Result<Stepwise> {
        let direction = self.direction;
        let (table, labels, regression) = complete(table, labels, &self.regression)?;
        let fit = |variables: &[String]| regression.fit(&table.select(variables)?, &labels);
        let mut variables = if direction == StepDirection::Backward { table.names().to_vec() } else { Vec::new() };
        let mut model = fit(&variables)?;
        let mut steps = Vec::new();
        // As in R, variables that depend on the others go first, the last of them before the others.
        while let Some(variable) = model.aliased().last().cloned() {
            variables.retain(|v| *v != variable);
            model = fit(&variables)?;
            steps.push(StepwiseMove { variable, entered: false, aic: model.aic() });
        }
        loop {
            let mut candidates: Vec<(Vec<String>, StepwiseMove, LogisticModel)> = Vec::new();
            let mut consider = |next: Vec<String>, variable: &String, entered: bool| -> Result<()> {
                let candidate = fit(&next)?;
                let step = StepwiseMove { variable: variable.clone(), entered, aic: candidate.aic() };
                candidates.push((next, step, candidate));
                Ok(())
            };
            if direction != StepDirection::Forward {
                for v in &variables {
                    consider(variables.iter().filter(|w| *w != v).cloned().collect(), v, false)?;
                }
            }
            if direction != StepDirection::Backward {
                for v in table.names().iter().filter(|v| !variables.contains(v)) {
                    consider(variables.iter().chain([v]).cloned().collect(), v, true)?;
                }
            }
            let best = candidates.into_iter().min_by(|a, b| a.1.aic.total_cmp(&b.1.aic));
            match best {
                // R asks for a gain of 10⁻⁷, which ends the search where rounding would go back and forth.
                Some((next, step, candidate)) if step.aic < model.aic() - 1e-7 => {
                    variables = next;
                    model = candidate;
                    steps.push(step);
                }
                _ => return Ok(Stepwise { variables, model, steps }),
            }
        }
    }
}

/// The rows that every model of a selection is fitted to, and the regression with their weights and offsets.
fn complete(
    table: &FeatureTable,
    labels: &Labels,
    regression: &LogisticRegression,
) -> Result<(FeatureTable, Labels, LogisticRegression)> {
    table.require_rows(labels.len())?;
    regression.require_rows(labels.len())?;
    let rows = regression.used_rows(table);
    Ok((table.select_rows(&rows), labels.select(&rows), regression.of_rows(&rows)))
}

/// The model without one of its variables.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DroppedTerm {
    /// Name of the variable that was left out.
    pub variable: String,
    /// Likelihood ratio test of the full model against the model without the variable.
    pub test: TestResult,
    /// Akaike's criterion of the model without the variable.
    pub aic: f64,
}

/// Likelihood ratio test of every variable in the full model (R's `drop1(test = "LRT")`).
///
/// # Errors
/// As [`LogisticModel::fit`].
///
/// ```
/// use alnm_models::stepwise::drop_single_terms;
/// use alnm_models::{FeatureTable, Labels, LogisticParams};
/// use ndarray::array;
/// let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
/// let labels = Labels::new(vec![false, false, true, false, true, true]);
/// let dropped = drop_single_terms(&table, &labels, &LogisticParams::default())?;
/// assert_eq!(dropped[0].variable, "size");
/// assert!(dropped[0].test.p_value < 0.2);
/// # Ok::<(), alnm_models::ModelError>(())
/// ```
pub fn drop_single_terms(table: &FeatureTable, labels: &Labels, params: &LogisticParams) -> Result<Vec<DroppedTerm>> {
    let (table, labels, regression) = complete(table, labels, &params.clone().check()?)?;
    let full = regression.fit(&table, &labels)?;
    full.predictors()
        .into_iter()
        .map(|variable| {
            let rest: Vec<String> = table.names().iter().filter(|n| **n != variable).cloned().collect();
            let smaller = regression.fit(&table.select(&rest)?, &labels)?;
            Ok(DroppedTerm { test: full.compare_nested(&smaller)?, aic: smaller.aic(), variable })
        })
        .collect()
}

impl Tabulate for Stepwise {
    const COLUMNS: &'static [&'static str] = &["variable", "entered", "AIC"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.steps.iter().map(|s| cells![&s.variable, s.entered, s.aic]).collect()
    }
}

impl Tabulate for DroppedTerm {
    const COLUMNS: &'static [&'static str] = &["variable", "LR statistic", "p", "AIC"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![&self.variable, self.test.statistic, self.test.p_value, self.aic]]
    }
}
