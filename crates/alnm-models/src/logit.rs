//! The logistic function and the name of its constant.

/// Name of the intercept among the terms.
pub(crate) const INTERCEPT: &str = "(Intercept)";

pub(crate) use alnm_stats::logit::expit;
