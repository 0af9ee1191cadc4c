//! What can go wrong in a selection.

use alnm_stats::{ParameterValue, StatsError};
use thiserror::Error;

#[cfg(feature = "serde")]
use crate::saved::SavedError;

/// Result of a computation of this crate.
pub type Result<T> = std::result::Result<T, SelectionError>;

/// Why a selection could not be made. Each message names what is wrong, its value, and what it must be or what would
/// fix it.
///
/// ```
/// use alnm_selection::univariate::UnivariateParams;
/// let refused = UnivariateParams::default().with_level(5.0).check().unwrap_err();
/// assert_eq!(refused.to_string(), "level of the univariate screen is 5; it must be above 0 and at most 1");
/// ```
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// A statistic could not be computed.
    #[error(transparent)]
    Statistics(#[from] StatsError),
    /// Two numbers that must agree, for instance of labels and of rows, differ.
    #[error("the numbers of {what} are {left} and {right}; they must be equal")]
    Shape {
        /// What was counted: "labels and rows".
        what: &'static str,
        /// First number.
        left: usize,
        /// Second number.
        right: usize,
    },
    /// Two columns have the same name.
    #[error("the name {name:?} stands above two columns; names identify columns, so each must be unique")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A table lacks a column that a fitted step needs.
    #[error("the column {name:?} is missing; a fitted selection needs a table with the columns that it was fitted to")]
    MissingColumn {
        /// Name of the column.
        name: String,
    },
    /// A row belongs to a batch that the harmonisation does not know.
    #[error("the batch {name:?} is unknown; fitted are {known:?}, and `Combat::with_batch` adds a new one")]
    UnknownBatch {
        /// Name of the batch.
        name: String,
        /// Names of the batches that were fitted or added.
        known: Vec<String>,
    },
    /// A value is missing or infinite.
    #[error(
        "column {column:?}, row {row} (counted from 0) is {value}; omit or impute values that are not finite first"
    )]
    NonFinite {
        /// Name of the column.
        column: String,
        /// Row, counted from 0.
        row: usize,
        /// The value.
        value: f64,
    },
    /// A parameter lies outside its range.
    #[error("{name} is {value}; it must be {requirement}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: ParameterValue,
        /// What the value must be, so that the sentence can be read.
        requirement: &'static str,
    },
    /// A step removes every feature.
    #[error("{step} leaves no feature; loosen its limits, or check that labels and rows belong together")]
    NothingLeft {
        /// The step.
        step: &'static str,
    },
    /// The effect of a covariate cannot be separated from those of the batches or of the other covariates.
    #[error("a covariate is a linear combination of the batches and the other covariates; leave it out")]
    DependentCovariates,
    /// An iteration did not reach its tolerance.
    #[error("{operation} did not converge in {iterations} iterations; allow more iterations or a lower precision")]
    NotConverged {
        /// The operation.
        operation: &'static str,
        /// Number of iterations.
        iterations: usize,
    },
    /// A fitted value that was read cannot be the result of a fit.
    #[error("the {what} contradicts itself: {reason}")]
    Inconsistent {
        /// The fitted value.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A selection could not be saved, or a saved one could not be read.
    #[cfg(feature = "serde")]
    #[error(transparent)]
    Saved(#[from] SavedError),
}

impl SelectionError {
    pub(crate) fn parameter(name: &'static str, value: impl Into<ParameterValue>, requirement: &'static str) -> Self {
        Self::Parameter { name, value: value.into(), requirement }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sentences_with_the_value_in_its_own_type() {
        let sentences = [
            (
                SelectionError::parameter("number of folds", 1_usize, "at least 2"),
                "number of folds is 1; it must be at least 2",
            ),
            (
                SelectionError::parameter("alpha of the elastic net", 1.5, "at least 0 and at most 1"),
                "alpha of the elastic net is 1.5; it must be at least 0 and at most 1",
            ),
            (
                SelectionError::parameter("last step of the pipeline", "mRMR", "a LASSO, which alone gives a score"),
                "last step of the pipeline is mRMR; it must be a LASSO, which alone gives a score",
            ),
            (
                SelectionError::Shape { what: "labels and rows", left: 9, right: 10 },
                "the numbers of labels and rows are 9 and 10; they must be equal",
            ),
            (
                SelectionError::NonFinite { column: "age".to_owned(), row: 3, value: f64::NAN },
                "column \"age\", row 3 (counted from 0) is NaN; omit or impute values that are not finite first",
            ),
            (
                SelectionError::UnknownBatch { name: "c".to_owned(), known: vec!["a".to_owned(), "b".to_owned()] },
                "the batch \"c\" is unknown; fitted are [\"a\", \"b\"], and `Combat::with_batch` adds a new one",
            ),
        ];
        for (error, sentence) in sentences {
            assert_eq!(error.to_string(), sentence);
        }
    }
}
