//! What can go wrong when a statistic is asked for.

use std::fmt;

use thiserror::Error;

/// Result of a computation of this crate.
pub type Result<T> = std::result::Result<T, StatsError>;

/// The value of a parameter that was refused, in its own type.
///
/// ```
/// use alnm_stats::ParameterValue;
/// assert_eq!(ParameterValue::from(0_usize).to_string(), "0");
/// assert_eq!(ParameterValue::from(0.25).to_string(), "0.25");
/// assert_eq!(ParameterValue::from("none").to_string(), "none");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ParameterValue {
    /// A number of things: resamples, groups, features.
    Count(u64),
    /// A real number: a level, a cutoff, a penalty.
    Number(f64),
    /// A word: the name of a rule, a method or a column, or the absence of one.
    Text(String),
}

impl fmt::Display for ParameterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            // Very large and very small numbers take an exponent, as Rust's debug form gives it.
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => write!(f, "{number}"),
            Self::Number(number) => write!(f, "{number:?}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl From<usize> for ParameterValue {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

impl From<u64> for ParameterValue {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<u32> for ParameterValue {
    fn from(count: u32) -> Self {
        Self::Count(u64::from(count))
    }
}

impl From<f64> for ParameterValue {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for ParameterValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for ParameterValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Why a statistic could not be computed: the operation, the offending value and what would fix it.
///
/// Every message names what is wrong, its value, and what it must be:
///
/// ```
/// use alnm_stats::proportion::{Proportion, ProportionInterval};
/// let error = Proportion::new(3, 10, ProportionInterval::Wilson, 95.0).unwrap_err();
/// assert_eq!(error.to_string(), "confidence level is 95; it must be above 0 and below 1");
/// ```
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum StatsError {
    /// There are fewer observations (or groups, readers, subjects) than the statistic is defined for.
    #[error("{operation}: the number of {what} is {got}; it must be at least {needed}")]
    TooFew {
        /// The statistic or test.
        operation: &'static str,
        /// What was counted, in the plural: observations, groups, readers.
        what: &'static str,
        /// The smallest number that the statistic is defined for.
        needed: usize,
        /// The number that was given.
        got: usize,
    },
    /// Two inputs that describe the same observations differ in length.
    #[error("{operation}: the lengths of two inputs are {left} and {right}; they must be equal")]
    LengthMismatch {
        /// The statistic or test.
        operation: &'static str,
        /// Length of the first input.
        left: usize,
        /// Length of the second input.
        right: usize,
    },
    /// An input value is missing or infinite.
    #[error("{operation}: value {index} (counted from 0) is {value}; it must be finite, so omit or impute it first")]
    NonFinite {
        /// The statistic or test.
        operation: &'static str,
        /// Position of the value, counted from 0.
        index: usize,
        /// The value.
        value: f64,
    },
    /// The data do not vary, so the statistic is not defined.
    #[error("{operation}: the spread of the data is 0; the values must vary")]
    Constant {
        /// The statistic or test.
        operation: &'static str,
    },
    /// Only one outcome class is present.
    #[error(
        "{operation}: the numbers of positive and negative labels are {positives} and {negatives}; both must be at least 1"
    )]
    OneClass {
        /// The statistic or test.
        operation: &'static str,
        /// Number of positive labels.
        positives: usize,
        /// Number of negative labels.
        negatives: usize,
    },
    /// A label is neither 0 nor 1.
    #[error("label {index} (counted from 0) is {value}; it must be 0 (negative) or 1 (positive)")]
    Label {
        /// Position of the label, counted from 0.
        index: usize,
        /// The value.
        value: f64,
    },
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
    /// The statistic has no value for these data.
    #[error("{operation} is undefined; {requirement}")]
    Undefined {
        /// The statistic or test.
        operation: &'static str,
        /// What the data must satisfy, as a clause of its own.
        requirement: &'static str,
    },
    /// An exact algorithm would need more work than its limit allows.
    #[error(
        "{operation}: the number of {unit} is above the limit of {limit}; raise the limit or use the approximate or Monte-Carlo variant"
    )]
    TooLarge {
        /// The statistic or test.
        operation: &'static str,
        /// The limit that was set.
        limit: usize,
        /// What is limited, in the plural.
        unit: &'static str,
    },
    /// An iteration did not reach its tolerance.
    #[error(
        "{operation}: the number of iterations is {iterations} without convergence; look for values of very different size"
    )]
    NotConverged {
        /// The statistic or test.
        operation: &'static str,
        /// Number of iterations that were made.
        iterations: usize,
    },
    /// A resampled statistic failed on every resample.
    #[error(
        "{operation}: the number of resamples with a value is 0 of {resamples}; the statistic must be defined on at least one"
    )]
    NoValidResample {
        /// The resampling method.
        operation: &'static str,
        /// Number of resamples that were drawn.
        resamples: usize,
    },
}

impl StatsError {
    /// A parameter outside its range; `requirement` completes the sentence "it must be".
    pub(crate) fn parameter(name: &'static str, value: impl Into<ParameterValue>, requirement: &'static str) -> Self {
        Self::Parameter { name, value: value.into(), requirement }
    }
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

/// Refuses fewer than `needed` observations, groups or whatever `what` names in the plural.
pub(crate) fn require_count(operation: &'static str, what: &'static str, needed: usize, got: usize) -> Result<()> {
    if got >= needed { Ok(()) } else { Err(StatsError::TooFew { operation, what, needed, got }) }
}

/// Refuses the number 0 of something that is counted, such as resamples.
pub(crate) fn require_some(name: &'static str, count: usize) -> Result<()> {
    if count > 0 { Ok(()) } else { Err(StatsError::parameter(name, count, "at least 1")) }
}

/// Refuses a confidence level outside (0, 1).
pub(crate) fn require_level(level: f64) -> Result<()> {
    if level > 0.0 && level < 1.0 {
        Ok(())
    } else {
        Err(StatsError::parameter("confidence level", level, "above 0 and below 1"))
    }
}
