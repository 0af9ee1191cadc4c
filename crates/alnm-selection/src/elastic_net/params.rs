//! Penalty, penalties and precision of a path.

use serde::{Deserialize, Serialize};

use crate::error::{Result, SelectionError};

/// Penalty and precision of a path.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `alpha` | 1 | share of the absolute penalty: 1 LASSO, 0 ridge | [0, 1] |
/// | `lambda` | automatic | penalties, falling | above 0 |
/// | `standardise` | true | scale features to unit variance for the penalty | |
/// | `penalty_factors` | all 1 | relative penalty of each feature; 0 never shrinks | 0 or more |
/// | `lower_limits`, `upper_limits` | none | bounds of the coefficients | ≤ 0, ≥ 0 |
/// | `precision` | glmnet's 10⁻⁷ | when a solution is good enough | |
/// | `max_passes` | 100 000 | passes over the features, all penalties together | 1 or more |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ElasticNetParams {
    /// Share of the absolute penalty.
    pub alpha: f64,
    /// The penalties.
    pub lambda: LambdaSequence,
    /// Whether features are scaled to unit variance for the penalty.
    pub standardise: bool,
    /// Relative penalty of each feature.
    pub penalty_factors: Option<Vec<f64>>,
    /// Lower bound of the coefficients, on the original scale.
    pub lower_limit: Option<f64>,
    /// Upper bound of the coefficients, on the original scale.
    pub upper_limit: Option<f64>,
    /// When a solution is good enough.
    pub precision: Precision,
    /// Largest number of passes over the features.
    pub max_passes: usize,
}

impl Default for ElasticNetParams {
    fn default() -> Self {
        Self {
            alpha: 1.0,
            lambda: LambdaSequence::default(),
            standardise: true,
            penalty_factors: None,
            lower_limit: None,
            upper_limit: None,
            precision: Precision::default(),
            max_passes: 100_000,
        }
    }
}

/// The sequence of penalties.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum LambdaSequence {
    /// Geometric from the smallest penalty that leaves no feature down to `ratio` times it. Without a ratio 10⁻⁴, or
    /// 10⁻² with fewer rows than features. The path ends early when it explains 99.9 % of the deviance or stops to
    /// gain.
    Automatic {
        /// Number of penalties; default 100.
        count: usize,
        /// Smallest over largest penalty, in (0, 1).
        ratio: Option<f64>,
    },
    /// These penalties, in falling order.
    Given(Vec<f64>),
}

impl Default for LambdaSequence {
    fn default() -> Self {
        Self::Automatic { count: 100, ratio: None }
    }
}

/// When a solution is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Precision {
    /// glmnet's rule: the largest change of the objective in a pass is below this share of the null deviance. glmnet's
    /// default of 10⁻⁷ leaves optimality conditions violated by up to a tenth of λ at the small end of a path.
    Threshold(f64),
    /// Optimality conditions hold to this share of λ: coordinate descent, then Newton steps on the features that
    /// entered.
    OptimalityConditions(f64),
}

impl Default for Precision {
    fn default() -> Self {
        Self::Threshold(1e-7)
    }
}

pub(super) fn check(params: &ElasticNetParams, features: usize) -> Result<()> {
    let refuse = |name, range, value| Err(SelectionError::Parameter { name, range, value });
    if !(0.0..=1.0).contains(&params.alpha) {
        return refuse("alpha", "[0, 1]", params.alpha);
    }
    match &params.lambda {
        LambdaSequence::Automatic { count, ratio } => {
            if *count < 1 {
                return refuse("number of penalties", "1 or more", *count as f64);
            }
            if let Some(r) = ratio.filter(|r| !(*r > 0.0 && *r < 1.0)) {
                return refuse("ratio of penalties", "(0, 1)", r);
            }
        }
        LambdaSequence::Given(lambda) => {
            if let Some(&bad) = lambda.iter().find(|l| !l.is_finite() || **l < 0.0) {
                return refuse("penalty", "0 or more", bad);
            }
            if lambda.is_empty() {
                return refuse("number of penalties", "1 or more", 0.0);
            }
            if let Some(w) = lambda.windows(2).find(|w| w[0] < w[1]) {
                return refuse("penalties", "falling order", w[1]);
            }
        }
    }
    let tolerance = match params.precision {
        Precision::Threshold(t) | Precision::OptimalityConditions(t) => t,
    };
    if !(tolerance > 0.0 && tolerance < 1.0) {
        return refuse("precision", "(0, 1)", tolerance);
    }
    if let Some(limit) = params.lower_limit.filter(|l| l.is_nan() || *l > 0.0) {
        return refuse("lower limit of coefficients", "0 or less", limit);
    }
    if let Some(limit) = params.upper_limit.filter(|l| l.is_nan() || *l < 0.0) {
        return refuse("upper limit of coefficients", "0 or more", limit);
    }
    if let Some(factors) = &params.penalty_factors {
        if factors.len() != features {
            return Err(SelectionError::Shape {
                what: "penalty factors and columns",
                left: factors.len(),
                right: features,
            });
        }
        if let Some(&bad) = factors.iter().find(|f| !f.is_finite() || **f < 0.0) {
            return refuse("penalty factor", "0 or more", bad);
        }
        if factors.iter().sum::<f64>() <= 0.0 {
            return refuse("sum of penalty factors", "above 0", 0.0);
        }
    }
    Ok(())
}
