//! Student's t-tests.

use crate::describe::{mean, variance};
use crate::distribution::{t_quantile, t_two_sided, t_upper_tail};
use crate::error::{Result, StatsError, require_count, require_finite, require_level, require_same_length};
use crate::{Alternative, TestResult};

/// How a two-sample t-test treats the variances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum GroupVariance {
    /// One variance per group, Satterthwaite's degrees of freedom (Welch's test).
    #[default]
    Welch,
    /// One common variance (Student's test).
    Pooled,
}

/// Mean, standard deviation and size of a group, as the table of a publication prints them.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Summary {
    /// Mean.
    pub mean: f64,
    /// Standard deviation (n − 1).
    pub standard_deviation: f64,
    /// Number of observations.
    pub count: usize,
}

impl Summary {
    /// Summary of observed values.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        Self { mean: mean(values), standard_deviation: variance(values).sqrt(), count: values.len() }
    }
}

/// Two-sample t-test of `x` against `y`; the estimate is the two means, the interval is for mean(x) − mean(y).
///
/// # Errors
/// [`StatsError::TooFew`] when a group is too small, [`StatsError::NonFinite`] for a missing value,
/// [`StatsError::Constant`] when neither group varies, and [`StatsError::Parameter`] for the level.
///
/// ```
/// use alnm_stats::{Alternative, t_test::{GroupVariance, two_sample}};
/// let test = two_sample(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0], GroupVariance::Welch, Alternative::TwoSided, 0.95)?;
/// assert!((test.statistic + 1.549193).abs() < 1e-6);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn two_sample(
    x: &[f64],
    y: &[f64],
    variances: GroupVariance,
    alternative: Alternative,
    level: f64,
) -> Result<TestResult> {
    const OPERATION: &str = "two-sample t-test";
    require_finite(OPERATION, x)?;
    require_finite(OPERATION, y)?;
    two_sample_from_summary(Summary::of(x), Summary::of(y), variances, alternative, level)
}

/// Two-sample t-test from the means, standard deviations and sizes alone.
///
/// # Errors
/// [`StatsError::TooFew`] when a group is too small, [`StatsError::Constant`] when neither group varies and
/// [`StatsError::Parameter`] for the level, a mean that is not finite or a standard deviation that is negative.
///
/// ```
/// use alnm_stats::{Alternative, t_test::{GroupVariance, Summary, two_sample_from_summary}};
/// let negative = Summary { mean: 50.25, standard_deviation: 9.63, count: 112 };
/// let positive = Summary { mean: 45.17, standard_deviation: 10.64, count: 100 };
/// let test = two_sample_from_summary(negative, positive, GroupVariance::Welch, Alternative::TwoSided, 0.95)?;
/// assert!((test.statistic - 3.628).abs() < 5e-4);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn two_sample_from_summary(
    x: Summary,
    y: Summary,
    variances: GroupVariance,
    alternative: Alternative,
    level: f64,
) -> Result<TestResult> {
    const OPERATION: &str = "two-sample t-test";
    let smallest = match variances {
        GroupVariance::Welch => 2,
        GroupVariance::Pooled => 1,
    };
    require_count(OPERATION, "observations per group", smallest, x.count.min(y.count))?;
    require_count(OPERATION, "observations", 3, x.count.saturating_add(y.count))?;
    for Summary { mean, standard_deviation, count } in [x, y] {
        if !mean.is_finite() {
            return Err(StatsError::parameter("mean of a group", mean, "finite"));
        }
        if count > 1 && !(standard_deviation >= 0.0 && standard_deviation.is_finite()) {
            return Err(StatsError::parameter(
                "standard deviation of a group",
                standard_deviation,
                "at least 0 and finite",
            ));
        }
    }
    let (nx, ny) = (x.count as f64, y.count as f64);
    // A group of one has no variance; with a pooled variance it contributes none.
    let group_variance = |s: Summary| if s.count < 2 { 0.0 } else { s.standard_deviation * s.standard_deviation };
    let (vx, vy) = (group_variance(x), group_variance(y));
    let (standard_error, df, method) = match variances {
        GroupVariance::Welch => {
            let (ex, ey) = (vx / nx, vy / ny);
            let df = (ex + ey).powi(2) / (ex * ex / (nx - 1.0) + ey * ey / (ny - 1.0));
            ((ex + ey).sqrt(), df, "Welch two-sample t-test")
        }
        GroupVariance::Pooled => {
            let df = nx + ny - 2.0;
            let pooled = ((nx - 1.0) * vx + (ny - 1.0) * vy) / df;
            ((pooled * (1.0 / nx + 1.0 / ny)).sqrt(), df, "Student two-sample t-test")
        }
    };
    require_variation(standard_error, x.mean.abs().max(y.mean.abs()), OPERATION)?;
    finish(method, x.mean - y.mean, standard_error, df, alternative, level).map(|t| t.with_estimate(&[x.mean, y.mean]))
}

/// Paired t-test of `x` against `y`; the estimate is the mean difference x − y.
///
/// # Errors
/// [`StatsError::LengthMismatch`], [`StatsError::TooFew`] below two pairs, [`StatsError::NonFinite`],
/// [`StatsError::Constant`] when all differences are equal, and [`StatsError::Parameter`] for the level.
///
/// ```
/// use alnm_stats::{Alternative, t_test::paired};
/// let test = paired(&[2.0, 4.0, 6.0], &[1.0, 2.0, 3.0], Alternative::TwoSided, 0.95)?;
/// assert!((test.statistic - 12_f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn paired(x: &[f64], y: &[f64], alternative: Alternative, level: f64) -> Result<TestResult> {
    const OPERATION: &str = "paired t-test";
    require_same_length(OPERATION, x.len(), y.len())?;
    require_finite(OPERATION, x)?;
    require_finite(OPERATION, y)?;
    require_count(OPERATION, "observations", 2, x.len())?;
    let differences: Vec<f64> = x.iter().zip(y).map(|(a, b)| a - b).collect();
    let center = mean(&differences);
    let standard_error = (variance(&differences) / x.len() as f64).sqrt();
    require_variation(standard_error, center.abs(), OPERATION)?;
    finish("Paired t-test", center, standard_error, x.len() as f64 - 1.0, alternative, level)
        .map(|t| t.with_estimate(&[center]))
}

/// R's rule: a standard error below ten units in the last place of the means is rounding, not variation.
fn require_variation(standard_error: f64, scale: f64, operation: &'static str) -> Result<()> {
    if standard_error < 10.0 * f64::EPSILON * scale || standard_error == 0.0 {
        Err(StatsError::Constant { operation })
    } else {
        Ok(())
    }
}

fn finish(
    method: &str,
    difference: f64,
    standard_error: f64,
    df: f64,
    alternative: Alternative,
    level: f64,
) -> Result<TestResult> {
    require_level(level)?;
    let t = difference / standard_error;
    let bound = |p: f64| t_quantile(p, df) * standard_error;
    let (p, lower, upper) = match alternative {
        Alternative::TwoSided => {
            let half = bound(0.5 + level / 2.0);
            (t_two_sided(t, df), difference - half, difference + half)
        }
        Alternative::Less => (t_upper_tail(-t, df), f64::NEG_INFINITY, difference + bound(level)),
        Alternative::Greater => (t_upper_tail(t, df), difference - bound(level), f64::INFINITY),
    };
    Ok(TestResult::new(method, t, &[df], p).with_interval(lower, upper, level))
}
