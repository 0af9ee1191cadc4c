//! What can go wrong in a selection.

use alnm_stats::StatsError;
use thiserror::Error;

/// Result of a computation of this crate.
pub type Result<T> = std::result::Result<T, SelectionError>;

/// Why a selection could not be made: the operation, the offending value and what would fix it.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// A statistic could not be computed.
    #[error(transparent)]
    Statistics(#[from] StatsError),
    /// Names and columns, or labels and rows, differ in number.
    #[error("{what}: {left} against {right}; both must be equal")]
    Shape {
        /// What was compared.
        what: &'static str,
        /// First number.
        left: usize,
        /// Second number.
        right: usize,
    },
    /// Two columns have one name.
    #[error("the column name {name:?} occurs twice; names identify columns and must be unique")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A column that a fitted step needs is absent.
    #[error(
        "the column {name:?} is missing; a fitted selection is applied to data with the columns that it was fitted to"
    )]
    MissingColumn {
        /// The name.
        name: String,
    },
    /// A value is not finite.
    #[error("column {column:?}, row {row} (counted from 0) is {value}; omit or impute missing values first")]
    NonFinite {
        /// Name of the column.
        column: String,
        /// Row, counted from 0.
        row: usize,
        /// The value.
        value: f64,
    },
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
    /// No column is left.
    #[error("{step} leaves no feature; loosen it or check the labels")]
    NothingLeft {
        /// The step.
        step: &'static str,
    },
    /// An iteration did not reach its tolerance.
    #[error("{operation} did not converge in {iterations} iterations")]
    NotConverged {
        /// The operation.
        operation: &'static str,
        /// Number of iterations.
        iterations: usize,
    },
    /// A saved selection cannot be read.
    #[error("a saved selection could not be read: {reason}")]
    Format {
        /// What is wrong with it.
        reason: String,
    },
}
