//! Stepwise selection by Akaike's criterion and tests of single terms (R's `step` and `drop1`).
//!
//! Stepwise selection overstates the chosen variables; validate it with the selection inside the resampling.

use alnm_stats::TestResult;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::missing::Missing;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::logistic::{LogisticModel, LogisticParams};
use crate::{FeatureTable, Labels};

/// Where the search starts and which way it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepDirection {
    /// From all variables, leaving out one at a time.
    Backward,
    /// From none, adding one at a time.
    Forward,
    /// From none, adding or leaving out one at a time.
    BothFromNone,
}

/// A stepwise selection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stepwise {
    /// The selected variables, in the order of entry (of the columns, going backward).
    pub variables: Vec<String>,
    /// The final model.
    pub model: LogisticModel,
    /// What each step did.
    pub steps: Vec<StepwiseMove>,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepwiseMove {
    /// The variable.
    pub variable: String,
    /// Whether it entered.
    pub entered: bool,
    /// Akaike's criterion after the step.
    pub aic: f64,
}

/// Selects variables by Akaike's criterion. Under [`Missing::Omit`] all models use the rows that are complete in all
/// columns.
///
/// # Errors
/// As [`LogisticModel::fit`].
pub fn stepwise(
    table: &FeatureTable,
    labels: &Labels,
    direction: StepDirection,
    params: &LogisticParams,
) -> Result<Stepwise> {
    let rows = match params.missing {
        Missing::Refuse => (0..table.rows()).collect(),
        Missing::Omit => table.complete_rows(),
    };
    let (table, labels) = (table.select_rows(&rows), labels.select(&rows));
    let fit = |variables: &[String]| LogisticModel::fit(&table.select(variables)?, &labels, params);
    let mut variables = if direction == StepDirection::Backward { table.names().to_vec() } else { Vec::new() };
    let mut model = fit(&variables)?;
    let mut steps = Vec::new();
    // As in R, variables that depend on the others go first, the last of them before the others.
    while let Some(variable) = model.aliased.last().cloned() {
        variables.retain(|v| *v != variable);
        model = fit(&variables)?;
        steps.push(StepwiseMove { variable, entered: false, aic: model.aic() });
    }
    loop {
        let mut candidates: Vec<(Vec<String>, StepwiseMove, LogisticModel)> = Vec::new();
        let mut consider = |next: Vec<String>, variable: &String, entered: bool| -> Result<()> {
            let candidate = fit(&next)?;
            candidates.push((
                next,
                StepwiseMove { variable: variable.clone(), entered, aic: candidate.aic() },
                candidate,
            ));
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

/// A term left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DroppedTerm {
    /// Name of the variable.
    pub variable: String,
    /// Likelihood ratio test of the model without it.
    pub test: TestResult,
    /// Akaike's criterion without it.
    pub aic: f64,
}

/// Likelihood ratio test of every variable in the full model (R's `drop1(test = "LRT")`).
///
/// # Errors
/// As [`LogisticModel::fit`].
pub fn drop_single_terms(table: &FeatureTable, labels: &Labels, params: &LogisticParams) -> Result<Vec<DroppedTerm>> {
    let rows = match params.missing {
        Missing::Refuse => (0..table.rows()).collect(),
        Missing::Omit => table.complete_rows(),
    };
    let (table, labels) = (table.select_rows(&rows), labels.select(&rows));
    let full = LogisticModel::fit(&table, &labels, params)?;
    full.predictors()
        .into_iter()
        .map(|variable| {
            let rest: Vec<String> = table.names().iter().filter(|n| **n != variable).cloned().collect();
            let smaller = LogisticModel::fit(&table.select(&rest)?, &labels, params)?;
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
