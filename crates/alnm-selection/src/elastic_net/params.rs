//! Penalty, penalties and precision of a path.

use crate::error::{Result, SelectionError};

/// Penalty and precision of a path of solutions; [`ElasticNetParams::check`] gives the [`ElasticNet`] that can be
/// fitted.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `alpha` | 1 | share of the absolute penalty: 1 is the LASSO, 0 is ridge regression | [0, 1] |
/// | `lambda` | automatic, 100 penalties | the penalties, in falling order | 0 or more |
/// | `standardise` | true | whether the penalty applies to features scaled to unit variance | |
/// | `penalty_factors` | none, which means 1 each | relative penalty of each feature; one with factor 0 is never shrunk | 0 or more, at least one above 0 |
/// | `lower_limit` | none | lower bound of every coefficient, on the original scale of the features | 0 or less |
/// | `upper_limit` | none | upper bound of every coefficient, on the original scale of the features | 0 or more |
/// | `precision` | glmnet's threshold 10⁻⁷ | when a solution is good enough | (0, 1) |
/// | `max_passes` | 100 000 | largest number of passes over the features, all penalties together | |
///
/// ```
/// use alnm_selection::elastic_net::{ElasticNetParams, PathPrecision};
/// let params = ElasticNetParams::default().with_alpha(0.5).with_precision(PathPrecision::OptimalityConditions(1e-9));
/// assert!(params.clone().check().is_ok());
/// let refused = params.with_alpha(-0.5).check().unwrap_err();
/// assert_eq!(refused.to_string(), "alpha of the elastic net is -0.5; it must be at least 0 and at most 1");
/// ```
///
/// [`ElasticNet`]: super::ElasticNet
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
#[must_use]
pub struct ElasticNetParams {
    /// Share of the absolute penalty: 1 is the LASSO, 0 is ridge regression.
    pub alpha: f64,
    /// The penalties.
    pub lambda: LambdaSequence,
    /// Whether the penalty applies to features scaled to unit variance.
    pub standardise: bool,
    /// Relative penalty of each feature, in the order of the columns.
    pub penalty_factors: Option<Vec<f64>>,
    /// Lower bound of every coefficient, on the original scale of the features.
    pub lower_limit: Option<f64>,
    /// Upper bound of every coefficient, on the original scale of the features.
    pub upper_limit: Option<f64>,
    /// When a solution is good enough.
    pub precision: PathPrecision,
    /// Largest number of passes over the features, all penalties together.
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
            precision: PathPrecision::default(),
            max_passes: 100_000,
        }
    }
}

impl ElasticNetParams {
    /// Sets the share of the absolute penalty: 1 is the LASSO, 0 is ridge regression.
    pub fn with_alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Sets the penalties.
    pub fn with_lambda(mut self, lambda: LambdaSequence) -> Self {
        self.lambda = lambda;
        self
    }

    /// Sets whether the penalty applies to features scaled to unit variance.
    pub fn with_standardise(mut self, standardise: bool) -> Self {
        self.standardise = standardise;
        self
    }

    /// Sets the relative penalty of each feature, in the order of the columns.
    pub fn with_penalty_factors(mut self, penalty_factors: Vec<f64>) -> Self {
        self.penalty_factors = Some(penalty_factors);
        self
    }

    /// Sets the lower bound of every coefficient.
    pub fn with_lower_limit(mut self, lower_limit: f64) -> Self {
        self.lower_limit = Some(lower_limit);
        self
    }

    /// Sets the upper bound of every coefficient.
    pub fn with_upper_limit(mut self, upper_limit: f64) -> Self {
        self.upper_limit = Some(upper_limit);
        self
    }

    /// Sets when a solution is good enough.
    pub fn with_precision(mut self, precision: PathPrecision) -> Self {
        self.precision = precision;
        self
    }

    /// Sets the largest number of passes over the features.
    pub fn with_max_passes(mut self, max_passes: usize) -> Self {
        self.max_passes = max_passes;
        self
    }
}

/// The sequence of penalties.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum LambdaSequence {
    /// Geometric from the smallest penalty that leaves no feature in the model down to `ratio` times it. The path ends
    /// early when it explains 99.9 % of the deviance or when the next penalty gains next to nothing.
    Automatic {
        /// Number of penalties, at least 1; default 100.
        count: usize,
        /// Smallest over largest penalty, above 0 and below 1; without one 10⁻⁴, or 10⁻² when there are fewer rows than
        /// features.
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

/// When a solution along a path is good enough.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum PathPrecision {
    /// glmnet's rule: the largest change of the objective in a pass over the features is below this share of the null
    /// deviance. glmnet's default of 10⁻⁷ leaves the optimality conditions violated by up to a tenth of λ at the small
    /// end of a path.
    Threshold(f64),
    /// The optimality conditions hold to this share of λ: coordinate descent, then Newton steps on the features that
    /// entered.
    OptimalityConditions(f64),
}

impl Default for PathPrecision {
    fn default() -> Self {
        Self::Threshold(1e-7)
    }
}

/// Refuses parameters that no data could make right.
pub(super) fn check(params: &ElasticNetParams) -> Result<()> {
    let refuse = |name, value: f64, requirement| Err(SelectionError::parameter(name, value, requirement));
    if !(0.0..=1.0).contains(&params.alpha) {
        return refuse("alpha of the elastic net", params.alpha, "at least 0 and at most 1");
    }
    match &params.lambda {
        LambdaSequence::Automatic { count, ratio } => {
            if *count < 1 {
                return Err(SelectionError::parameter("number of penalties", *count, "at least 1"));
            }
            if let Some(r) = ratio.filter(|r| !(*r > 0.0 && *r < 1.0)) {
                return refuse("ratio of the smallest to the largest penalty", r, "above 0 and below 1");
            }
        }
        LambdaSequence::Given(lambda) => {
            if let Some(&bad) = lambda.iter().find(|l| !l.is_finite() || **l < 0.0) {
                return refuse("penalty", bad, "a finite number that is at least 0");
            }
            if lambda.is_empty() {
                return Err(SelectionError::parameter("number of penalties", 0_usize, "at least 1"));
            }
            if let Some(w) = lambda.windows(2).find(|w| w[0] < w[1]) {
                return refuse(
                    "penalty",
                    w[1],
                    "at most the penalty before it, since penalties are given in falling order",
                );
            }
        }
    }
    let tolerance = match params.precision {
        PathPrecision::Threshold(t) | PathPrecision::OptimalityConditions(t) => t,
    };
    if !(tolerance > 0.0 && tolerance < 1.0) {
        return refuse("precision of the path", tolerance, "above 0 and below 1");
    }
    if let Some(limit) = params.lower_limit.filter(|l| l.is_nan() || *l > 0.0) {
        return refuse("lower limit of the coefficients", limit, "at most 0");
    }
    if let Some(limit) = params.upper_limit.filter(|l| l.is_nan() || *l < 0.0) {
        return refuse("upper limit of the coefficients", limit, "at least 0");
    }
    if let Some(factors) = &params.penalty_factors {
        if let Some(&bad) = factors.iter().find(|f| !f.is_finite() || **f < 0.0) {
            return refuse("penalty factor", bad, "a finite number that is at least 0");
        }
        if factors.iter().sum::<f64>() <= 0.0 {
            return refuse("sum of the penalty factors", 0.0, "above 0, so that one feature at least is penalised");
        }
    }
    Ok(())
}

/// Refuses a number of penalty factors that is not that of the features.
pub(super) fn require_features(params: &ElasticNetParams, features: usize) -> Result<()> {
    match &params.penalty_factors {
        Some(factors) if factors.len() != features => {
            Err(SelectionError::Shape { what: "penalty factors and columns", left: factors.len(), right: features })
        }
        _ => Ok(()),
    }
}
