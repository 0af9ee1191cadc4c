//! The logistic function and the name of its constant.

/// Name of the intercept among the terms.
pub(crate) const INTERCEPT: &str = "(Intercept)";

/// The probability 1 / (1 + e⁻ˣ) that has the log odds x.
pub(crate) fn expit(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
