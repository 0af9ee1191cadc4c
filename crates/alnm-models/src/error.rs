//! What can go wrong with a model.

use alnm_selection::SelectionError;
use alnm_stats::StatsError;
use thiserror::Error;

/// Result of a computation of this crate.
pub type Result<T> = std::result::Result<T, ModelError>;

/// Why a model could not be fitted, read or applied.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A statistic could not be computed.
    #[error(transparent)]
    Statistics(#[from] StatsError),
    /// A table or selection does not fit.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// A parameter lies outside its range.
    #[error("{name} must be in {range}, got {value}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// The admissible range.
        range: &'static str,
        /// The value.
        value: f64,
    },
    /// No predictor varies independently of the others, so the model has no unique estimate.
    #[error("{operation} needs predictors of full rank, but {aliased:?} depend on the others; leave them out")]
    Aliased {
        /// The operation.
        operation: &'static str,
        /// Names of the dependent predictors.
        aliased: Vec<String>,
    },
    /// The outcome is separated, so maximum likelihood has no finite estimate.
    #[error(
        "{operation} has no finite value: the predictors separate the outcome; use Firth's penalised likelihood or leave predictors out"
    )]
    Separated {
        /// The operation.
        operation: &'static str,
    },
    /// An iteration did not reach its tolerance.
    #[error("{operation} did not converge in {iterations} iterations")]
    NotConverged {
        /// The operation.
        operation: &'static str,
        /// Number of iterations.
        iterations: usize,
    },
    /// A name occurs nowhere.
    #[error("there is no {what} named {name:?}; known are {known:?}")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// Its name.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// Data carry another unit than the model was trained with.
    #[error("{variable} is in {given:?} but the model was trained in {trained:?}; convert the data first")]
    Unit {
        /// The variable.
        variable: String,
        /// Unit of the data.
        given: String,
        /// Unit of the model.
        trained: String,
    },
    /// A saved model cannot be read.
    #[error("a saved model could not be read: {reason}")]
    Format {
        /// What is wrong with it.
        reason: String,
    },
}
