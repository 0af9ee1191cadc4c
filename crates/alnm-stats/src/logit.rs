//! Probabilities and their log odds.

/// The log odds ln(p / (1 − p)) of the probability `p`; infinite for 0 and 1.
///
/// ```
/// assert_eq!(alnm_stats::logit::logit(0.5), 0.0);
/// ```
#[must_use]
pub fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

/// The probability 1 / (1 + e⁻ˣ) whose log odds are `x`: the logistic function.
///
/// ```
/// assert_eq!(alnm_stats::logit::expit(0.0), 0.5);
/// ```
#[must_use]
pub fn expit(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
