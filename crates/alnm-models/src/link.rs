//! The logit link between log odds and risks.

/// Name of the intercept among the terms of a model.
pub const INTERCEPT: &str = "(Intercept)";

/// Risk of log odds `x`, 1 / (1 + e⁻ˣ).
pub(crate) fn expit(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
