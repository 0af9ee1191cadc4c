//! What can go wrong with a model.

use alnm_selection::SelectionError;
use alnm_stats::{ParameterValue, StatsError};
use thiserror::Error;

/// Result of a computation of this crate.
pub type Result<T> = std::result::Result<T, ModelError>;

/// Why a model could not be fitted, read or applied.
///
/// Every message names what is wrong, its value, and what it must be or what would fix it:
///
/// ```
/// use alnm_models::gradient_boosting::BoostingParams;
/// let error = BoostingParams::default().with_num_leaves(1).check().unwrap_err();
/// assert_eq!(error.to_string(), "num_leaves is 1; it must be at least 2");
/// ```
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A statistic could not be computed.
    #[error(transparent)]
    Statistics(#[from] StatsError),
    /// A table, folds or a selection do not fit.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// A parameter lies outside its range.
    #[error("{name} is {value}; it must be {requirement}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// The value, in its own type.
        value: ParameterValue,
        /// What the value must be; completes the sentence "it must be".
        requirement: &'static str,
    },
    /// The outcome is separated, so maximum likelihood has no finite estimate.
    #[error(
        "{operation}: the estimate is infinite because the predictors separate the outcome; \
         use Firth's penalised likelihood or leave predictors out"
    )]
    Separated {
        /// The operation.
        operation: &'static str,
    },
    /// An iteration did not reach its tolerance.
    #[error(
        "{operation}: the number of iterations is {iterations} without convergence; \
         look for predictors of very different scale or for too few events"
    )]
    NotConverged {
        /// The operation.
        operation: &'static str,
        /// Number of iterations.
        iterations: usize,
    },
    /// A name occurs nowhere.
    #[error("the {what} {name:?} is unknown; it must be one of {known:?}")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// Its name.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// A name that identifies something occurs twice.
    #[error("the {what} {name:?} is given twice; it must be given once")]
    Repeated {
        /// What was named.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The categories of an outcome cannot be used.
    #[error("the categories of the outcome cannot be used: {reason}")]
    Categories {
        /// What is wrong with them and what would fix it.
        reason: String,
    },
    /// Data carry another unit than the model was trained with.
    #[error(
        "the unit of {variable:?} is {given:?}; it must be {trained:?}, the unit of the training data, so convert the values"
    )]
    Unit {
        /// The variable.
        variable: String,
        /// Unit of the data.
        given: String,
        /// Unit of the model.
        trained: String,
    },
    /// A patient lacks a value that the model needs.
    #[error("the measurement of {variable:?} is missing; it must be given in the unit {unit:?}")]
    NotMeasured {
        /// The variable.
        variable: String,
        /// Unit of the model, empty without one.
        unit: String,
    },
    /// A table is not the one that a model was fitted to.
    #[error("the training table does not fit the model: {reason}; it must be the table that the model was fitted to")]
    Training {
        /// What is wrong with it.
        reason: String,
    },
    /// A text in LightGBM's format is damaged, was changed by hand, or holds what is not supported; or a model has no
    /// text in that format.
    #[error("the text model cannot be used: {reason}")]
    Format {
        /// What is wrong with it and, where it is known, what would fix it.
        reason: String,
    },
    /// A comparison classifier could not be fitted or applied.
    #[cfg(feature = "classifiers")]
    #[error("the classifier {classifier} failed: {reason}")]
    Classifier {
        /// Name of the classifier.
        classifier: &'static str,
        /// What its library said.
        reason: String,
    },
    /// A saved model cannot be written, or was damaged or edited after it was saved.
    #[cfg(feature = "serde")]
    #[error(transparent)]
    Saved(#[from] alnm_selection::saved::SavedError),
}

impl ModelError {
    /// A parameter outside its range; `requirement` completes the sentence "it must be".
    pub(crate) fn parameter(name: &'static str, value: impl Into<ParameterValue>, requirement: &'static str) -> Self {
        Self::Parameter { name, value: value.into(), requirement }
    }
}

/// Refuses a confidence level outside (0, 1).
pub(crate) fn require_level(level: f64) -> Result<()> {
    if level > 0.0 && level < 1.0 {
        Ok(())
    } else {
        Err(ModelError::parameter("confidence level", level, "above 0 and below 1"))
    }
}
