//! How a variable enters the models of others: a number as it is, a category by one column of 0 and 1 for each level
//! but the first.

use std::ops::Range;

use crate::error::{ImputationError, Result};
use crate::formula::PassiveFormula;
#[cfg(feature = "learning")]
use crate::plan::{ImputationMethod, VariablePlan};

/// Most levels that a categorical variable may have, as in mice.
#[cfg(feature = "learning")]
const MOST_LEVELS: usize = 50;

/// A variable as the models see it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Coded {
    pub(crate) name: String,
    /// The values that a categorical variable takes, ascending; empty for numbers.
    pub(crate) levels: Vec<f64>,
    /// The places of its columns in the design.
    pub(crate) columns: Range<usize>,
    pub(crate) formula: Option<PassiveFormula>,
}

impl Coded {
    /// The coding of a variable by its observed values, with its columns behind those before it.
    #[cfg(feature = "learning")]
    pub(crate) fn new(plan: &VariablePlan, observed: &[f64], first_column: usize) -> Result<Self> {
        let levels = if plan.method.is_categorical() { levels_of(plan, observed)? } else { Vec::new() };
        Ok(Self::of_levels(&plan.name, levels, plan.formula().cloned(), first_column))
    }

    pub(crate) fn of_levels(
        name: &str,
        levels: Vec<f64>,
        formula: Option<PassiveFormula>,
        first_column: usize,
    ) -> Self {
        let width = if levels.is_empty() { 1 } else { levels.len() - 1 };
        Self { name: name.to_owned(), levels, columns: first_column..first_column + width, formula }
    }

    /// Names of the columns of the design.
    #[cfg(feature = "learning")]
    pub(crate) fn column_names(&self) -> Vec<String> {
        match self.levels.get(1..) {
            None => vec![self.name.clone()],
            Some(levels) => levels.iter().map(|level| format!("{}={level}", self.name)).collect(),
        }
    }

    /// Refuses a value that is infinite or no level.
    pub(crate) fn require_known(&self, value: f64) -> Result<()> {
        if value.is_infinite() {
            return Err(ImputationError::column(
                &self.name,
                format!("a value is {value}; it must be finite or missing"),
            ));
        }
        if value.is_nan() || self.levels.is_empty() || self.levels.contains(&value) {
            return Ok(());
        }
        let reason =
            format!("a value is {value}; it must be missing or one of the levels of training, {:?}", self.levels);
        Err(ImputationError::column(&self.name, reason))
    }

    /// Hands each column of the variable with its entry for this value to `set`.
    pub(crate) fn encode(&self, value: f64, mut set: impl FnMut(usize, f64)) {
        if self.levels.is_empty() {
            set(self.columns.start, value);
            return;
        }
        for (column, level) in self.columns.clone().zip(&self.levels[1..]) {
            set(column, f64::from(u8::from(value == *level)));
        }
    }
}

/// Places of the variables of a formula; the check of the plan made sure that all are there.
pub(crate) fn places_of(formula: &PassiveFormula, coded: &[Coded]) -> Vec<usize> {
    formula.variables().iter().filter_map(|name| coded.iter().position(|c| c.name == *name)).collect()
}

/// The distinct values, ascending.
#[cfg(feature = "learning")]
fn levels_of(plan: &VariablePlan, observed: &[f64]) -> Result<Vec<f64>> {
    // 0 and −0 are one level.
    let mut levels: Vec<f64> = observed.iter().map(|value| value + 0.0).collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    let most = if plan.method == ImputationMethod::Logistic { 2 } else { MOST_LEVELS };
    if levels.len() > most {
        let reason = format!(
            "it has {} distinct values; the method {:?} takes at most {most}, so plan it as another kind of variable",
            levels.len(),
            plan.method.name()
        );
        return Err(ImputationError::column(&plan.name, reason));
    }
    Ok(levels)
}
