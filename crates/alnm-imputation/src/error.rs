//! What can go wrong with missing values.

use alnm_models::ModelError;
use alnm_selection::SelectionError;
use alnm_stats::{ParameterValue, StatsError};
use thiserror::Error;

/// Result of a computation of this crate.
pub type Result<T> = std::result::Result<T, ImputationError>;

/// Why values could not be imputed or results could not be pooled. Each message names what is wrong, its value, and
/// what it must be or what would fix it.
///
/// ```
/// use alnm_imputation::{ChainedEquationsParams, VariablePlan};
/// let refused = ChainedEquationsParams::new(vec![VariablePlan::numeric("age")]).with_imputations(1).check().unwrap_err();
/// assert_eq!(refused.to_string(), "number of imputations is 1; it must be at least 2, so that results can be pooled");
/// ```
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ImputationError {
    /// A statistic could not be computed.
    #[error(transparent)]
    Statistics(#[from] StatsError),
    /// A table, folds or a selection do not fit.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// A model could not be fitted or applied.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A parameter lies outside its range.
    #[error("{name} is {value}; it must be {requirement}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: ParameterValue,
        /// What the value must be; completes the sentence "it must be".
        requirement: &'static str,
    },
    /// The plan of a variable contradicts itself or the other plans.
    #[error("the plan of the variable {variable:?} cannot be used: {reason}")]
    Plan {
        /// Name of the variable.
        variable: String,
        /// What is wrong and what would fix it.
        reason: String,
    },
    /// The values of a column cannot be imputed or used.
    #[error("the column {column:?} cannot be used: {reason}")]
    Column {
        /// Name of the column.
        column: String,
        /// What is wrong and what would fix it.
        reason: String,
    },
    /// A formula cannot be read.
    #[error("the formula {text:?} cannot be read: {reason}")]
    Formula {
        /// The formula.
        text: String,
        /// What is wrong, with its place.
        reason: String,
    },
    /// A saved imputation model cannot be written, or was damaged or edited after it was saved.
    #[cfg(feature = "serde")]
    #[error(transparent)]
    Saved(#[from] alnm_selection::saved::SavedError),
}

impl ImputationError {
    /// A parameter outside its range; `requirement` completes the sentence "it must be".
    pub(crate) fn parameter(name: &'static str, value: impl Into<ParameterValue>, requirement: &'static str) -> Self {
        Self::Parameter { name, value: value.into(), requirement }
    }

    pub(crate) fn plan(variable: &str, reason: impl Into<String>) -> Self {
        Self::Plan { variable: variable.to_owned(), reason: reason.into() }
    }

    pub(crate) fn column(column: &str, reason: impl Into<String>) -> Self {
        Self::Column { column: column.to_owned(), reason: reason.into() }
    }

    /// A value that a passive formula cannot have, in a row from 0.
    pub(crate) fn not_finite(name: &str, formula: &str, value: f64, row: usize) -> Self {
        let reason = format!(
            "its formula {formula:?} gives {value} in row {row} (counted from 0); impute its parts by a method that keeps their \
             range, as predictive mean matching does"
        );
        Self::column(name, reason)
    }
}

/// Refuses a confidence level outside (0, 1).
pub(crate) fn require_level(level: f64) -> Result<()> {
    if level > 0.0 && level < 1.0 {
        Ok(())
    } else {
        Err(ImputationError::parameter("confidence level", level, "above 0 and below 1"))
    }
}

/// Refuses a number of imputations that leaves no variance between them.
pub(crate) fn require_imputations(count: usize) -> Result<()> {
    if count < 2 {
        let requirement = "at least 2, so that results can be pooled";
        return Err(ImputationError::parameter("number of imputations", count, requirement));
    }
    Ok(())
}
