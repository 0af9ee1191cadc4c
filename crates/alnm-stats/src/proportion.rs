//! Binomial proportions and their confidence intervals.

use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::distribution::{beta_quantile, chi_squared_upper_tail, normal_quantile};
use crate::error::{Result, StatsError, require_level};
use crate::{Interval, TestResult};

/// Method of a confidence interval of a proportion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ProportionInterval {
    /// Exact interval by inversion of the binomial tails (R's `binom.test`).
    #[default]
    ClopperPearson,
    /// Wilson's score interval (R's `prop.test(correct = FALSE)`).
    Wilson,
    /// Wilson's score interval with continuity correction (R's `prop.test`).
    WilsonCorrected,
    /// Normal approximation p ± z√(p(1−p)/n), not clipped.
    Wald,
    /// Agresti and Coull's interval, not clipped.
    AgrestiCoull,
}

/// A count out of a total, with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Proportion {
    /// Number of successes.
    pub count: usize,
    /// Number of trials.
    pub total: usize,
    /// count / total; NaN for no trial.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub estimate: f64,
    /// Confidence interval; NaN for no trial.
    pub interval: Interval,
}

impl Proportion {
    /// Proportion and interval of `count` successes in `total` trials.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] when `count` exceeds `total` or for the level.
    ///
    /// ```
    /// use alnm_stats::proportion::{Proportion, ProportionInterval};
    /// let sensitivity = Proportion::new(90, 100, ProportionInterval::ClopperPearson, 0.95)?;
    /// assert!((sensitivity.interval.lower - 0.8238).abs() < 1e-4);
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn new(count: usize, total: usize, method: ProportionInterval, level: f64) -> Result<Self> {
        require_level(level)?;
        if count > total {
            return Err(StatsError::parameter("number of successes", count, "at most the number of trials"));
        }
        let (k, n) = (count as f64, total as f64);
        let (lower, upper) = if total == 0 { (f64::NAN, f64::NAN) } else { bounds(k, n, method, 1.0 - level) };
        Ok(Self { count, total, estimate: k / n, interval: Interval { lower, upper, level } })
    }
}

fn bounds(k: f64, n: f64, method: ProportionInterval, alpha: f64) -> (f64, f64) {
    let z = normal_quantile(1.0 - alpha / 2.0);
    let p = k / n;
    match method {
        ProportionInterval::ClopperPearson => {
            let lower = if k == 0.0 { 0.0 } else { beta_quantile(alpha / 2.0, k, n - k + 1.0) };
            // The mirrored tail keeps the digits of an upper end close to 1.
            let upper = if k == n { 1.0 } else { 1.0 - beta_quantile(alpha / 2.0, n - k, k + 1.0) };
            (lower, upper)
        }
        ProportionInterval::Wilson => score_bounds(p, n, z, 0.0),
        ProportionInterval::WilsonCorrected => score_bounds(p, n, z, 0.5f64.min((k - 0.5 * n).abs())),
        ProportionInterval::Wald => {
            let half = z * (p * (1.0 - p) / n).sqrt();
            (p - half, p + half)
        }
        ProportionInterval::AgrestiCoull => {
            let total = n + z * z;
            let center = (k + z * z / 2.0) / total;
            let half = z * (center * (1.0 - center) / total).sqrt();
            (center - half, center + half)
        }
    }
}

/// Score interval with the continuity correction `yates`, as `prop.test` computes it.
fn score_bounds(p: f64, n: f64, z: f64, yates: f64) -> (f64, f64) {
    let z22n = z * z / (2.0 * n);
    let end = |center: f64, sign: f64| {
        (center + z22n + sign * z * (center * (1.0 - center) / n + z22n / (2.0 * n)).sqrt()) / (1.0 + 2.0 * z22n)
    };
    let low_center = p - yates / n;
    let high_center = p + yates / n;
    let lower = if low_center <= 0.0 { 0.0 } else { end(low_center, -1.0).max(0.0) };
    let upper = if high_center >= 1.0 { 1.0 } else { end(high_center, 1.0).min(1.0) };
    (lower, upper)
}

/// Test of equal proportions in two groups (R's `prop.test`) with the interval of their difference p₁ − p₂.
///
/// # Errors
/// [`StatsError::Undefined`] for a group without trials, [`StatsError::Parameter`] for counts above their totals or the
/// level.
///
/// ```
/// use alnm_stats::proportion::two_proportions;
/// let test = two_proportions([28, 28], [112, 100], false, 0.95)?;
/// assert!((test.statistic - 0.245).abs() < 5e-4 && (test.p_value - 0.621).abs() < 5e-4);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn two_proportions(successes: [usize; 2], totals: [usize; 2], corrected: bool, level: f64) -> Result<TestResult> {
    const OPERATION: &str = "test of two proportions";
    require_level(level)?;
    for g in 0..2 {
        if totals[g] == 0 {
            return Err(StatsError::Undefined {
                operation: OPERATION,
                requirement: "each group must have at least one trial",
            });
        }
        if successes[g] > totals[g] {
            return Err(StatsError::parameter("number of successes", successes[g], "at most the number of trials"));
        }
    }
    let n = totals.map(|t| t as f64);
    let x = successes.map(|s| s as f64);
    let p = [x[0] / n[0], x[1] / n[1]];
    let difference = p[0] - p[1];
    let precision = 1.0 / n[0] + 1.0 / n[1];
    let yates = if corrected { 0.5f64.min(difference.abs() / precision) } else { 0.0 };
    let common = (x[0] + x[1]) / (n[0] + n[1]);
    let statistic: f64 = (0..2)
        .flat_map(|g| [(x[g], n[g] * common), (n[g] - x[g], n[g] * (1.0 - common))])
        .map(|(observed, expected)| ((observed - expected).abs() - yates).powi(2) / expected)
        .sum();
    let z = normal_quantile(0.5 + level / 2.0);
    let half = z * (p[0] * (1.0 - p[0]) / n[0] + p[1] * (1.0 - p[1]) / n[1]).sqrt() + yates * precision;
    Ok(TestResult::new(
        if corrected {
            "Two-sample test of proportions with continuity correction"
        } else {
            "Two-sample test of proportions"
        },
        statistic,
        &[1.0],
        chi_squared_upper_tail(statistic, 1.0),
    )
    .with_estimate(&p)
    .with_interval((difference - half).max(-1.0), (difference + half).min(1.0), level))
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    Proportion {
        count: usize,
        total: usize,
        #[serde(with = "crate::nonfinite")] estimate: f64,
        interval: Interval,
    }
}

#[cfg(feature = "serde")]
impl Proportion {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        if self.count > self.total {
            return Err(format!("count of a proportion is {}; it must be at most the total", self.count));
        }
        if !crate::reading::near(self.estimate, self.count as f64 / self.total as f64) {
            return Err(format!("estimate of a proportion is {}; it must be the count over the total", self.estimate));
        }
        Ok(())
    }
}

impl Tabulate for Proportion {
    const COLUMNS: &'static [&'static str] = &["count", "total", "proportion", "lower", "upper"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![self.count, self.total, self.estimate, self.interval.lower, self.interval.upper]]
    }
}
