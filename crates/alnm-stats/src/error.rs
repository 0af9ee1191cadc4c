//! What can go wrong when a statistic is asked for.

use thiserror::Error;

/// Result of a computation of this crate.
pub type Result<T> = std::result::Result<T, StatsError>;

/// Why a statistic could not be computed: the operation, the offending value and what would fix it.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum StatsError {
    /// Fewer observations than the statistic is defined for.
    #[error("{operation} needs at least {needed} observations, got {got}")]
    TooFew {
        /// The statistic or test.
        operation: &'static str,
        /// The smallest number of observations it is defined for.
        needed: usize,
        /// The number of observations it was given.
        got: usize,
    },
    /// Two inputs that describe the same observations differ in length.
    #[error("{operation} needs inputs of equal length, got {left} and {right}")]
    LengthMismatch {
        /// The statistic or test.
        operation: &'static str,
        /// Length of the first input.
        left: usize,
        /// Length of the second input.
        right: usize,
    },
    /// An input value is missing or infinite.
    #[error("{operation} needs finite values, but value {index} (counted from 0) is {value}; omit or impute it first")]
    NonFinite {
        /// The statistic or test.
        operation: &'static str,
        /// Position of the value, counted from 0.
        index: usize,
        /// The value.
        value: f64,
    },
    /// The data do not vary, so the statistic is not defined.
    #[error("{operation} is not defined for constant data")]
    Constant {
        /// The statistic or test.
        operation: &'static str,
    },
    /// Only one outcome class is present.
    #[error("{operation} needs both outcome classes, got {positives} positive and {negatives} negative labels")]
    OneClass {
        /// The statistic or test.
        operation: &'static str,
        /// Number of positive labels.
        positives: usize,
        /// Number of negative labels.
        negatives: usize,
    },
    /// A label is neither 0 nor 1.
    #[error("label {index} (counted from 0) is {value}; labels are 0 (negative) or 1 (positive)")]
    Label {
        /// Position of the label, counted from 0.
        index: usize,
        /// The value.
        value: f64,
    },
    /// A parameter lies outside its range.
    #[error("{name} must be in {range}, got {value}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// The admissible range, in words or interval notation.
        range: &'static str,
        /// The value.
        value: f64,
    },
    /// The statistic has no value for these data.
    #[error("{operation} is undefined: {reason}")]
    Undefined {
        /// The statistic or test.
        operation: &'static str,
        /// What in the data leaves it undefined.
        reason: &'static str,
    },
    /// An exact algorithm would need more work than its limit allows.
    #[error(
        "{operation} exceeds its limit of {limit} {unit}; use the approximate or Monte-Carlo variant or raise the limit"
    )]
    TooLarge {
        /// The statistic or test.
        operation: &'static str,
        /// The limit that was set.
        limit: usize,
        /// What is limited.
        unit: &'static str,
    },
    /// An iteration did not reach its tolerance.
    #[error("{operation} did not converge in {iterations} iterations")]
    NotConverged {
        /// The statistic or test.
        operation: &'static str,
        /// Number of iterations that were made.
        iterations: usize,
    },
    /// A resampled statistic failed on every resample.
    #[error("{operation}: the statistic could be computed on none of {resamples} resamples")]
    NoValidResample {
        /// The resampling method.
        operation: &'static str,
        /// Number of resamples that were drawn.
        resamples: usize,
    },
}

/// Refuses the first value that is not finite.
pub(crate) fn require_finite(operation: &'static str, values: &[f64]) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(StatsError::NonFinite { operation, index, value: values[index] }),
        None => Ok(()),
    }
}

/// Refuses inputs of different length.
pub(crate) fn require_same_length(operation: &'static str, left: usize, right: usize) -> Result<()> {
    if left == right { Ok(()) } else { Err(StatsError::LengthMismatch { operation, left, right }) }
}

/// Refuses fewer than `needed` observations.
pub(crate) fn require_count(operation: &'static str, needed: usize, got: usize) -> Result<()> {
    if got >= needed { Ok(()) } else { Err(StatsError::TooFew { operation, needed, got }) }
}

/// Refuses a confidence level outside (0, 1).
pub(crate) fn require_level(level: f64) -> Result<()> {
    if level > 0.0 && level < 1.0 {
        Ok(())
    } else {
        Err(StatsError::Parameter { name: "confidence level", range: "(0, 1)", value: level })
    }
}
