//! Tests of equal variances.

use crate::describe::{mean, median, variance};
use crate::distribution::{chi_squared_upper_tail, f_cdf, f_quantile, f_upper_tail};
use crate::error::{Result, require_count, require_finite, require_level};
use crate::{Alternative, TestResult, anova};

/// F test of the ratio var(x) / var(y), for normal data. When y does not vary the ratio is infinite; when neither does,
/// it and the p-value are NaN.
///
/// # Errors
/// [`crate::StatsError::TooFew`] below two values per group, [`crate::StatsError::NonFinite`],
/// [`crate::StatsError::Parameter`] for the level.
///
/// ```
/// use alnm_stats::{Alternative, variance::f_test};
/// let test = f_test(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0], Alternative::TwoSided, 0.95)?;
/// assert!((test.statistic - 0.25).abs() < 1e-12 && (test.p_value - 0.4).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn f_test(x: &[f64], y: &[f64], alternative: Alternative, level: f64) -> Result<TestResult> {
    const OPERATION: &str = "F test";
    require_finite(OPERATION, x)?;
    require_finite(OPERATION, y)?;
    require_count(OPERATION, "observations per group", 2, x.len().min(y.len()))?;
    require_level(level)?;
    let (d1, d2) = (x.len() as f64 - 1.0, y.len() as f64 - 1.0);
    let ratio = variance(x) / variance(y);
    let (lower_tail, upper_tail) = (f_cdf(ratio, d1, d2), f_upper_tail(ratio, d1, d2));
    let (p, lower, upper) = match alternative {
        Alternative::TwoSided => {
            let tail = (1.0 - level) / 2.0;
            (2.0 * lower_tail.min(upper_tail), ratio / f_quantile(1.0 - tail, d1, d2), ratio / f_quantile(tail, d1, d2))
        }
        Alternative::Less => (lower_tail, 0.0, ratio / f_quantile(1.0 - level, d1, d2)),
        Alternative::Greater => (upper_tail, ratio / f_quantile(level, d1, d2), f64::INFINITY),
    };
    // `min` ignores NaN; a ratio of 0/0 has no p-value.
    let p = if ratio.is_nan() { f64::NAN } else { p };
    Ok(TestResult::new("F test of two variances", ratio, &[d1, d2], p)
        .with_estimate(&[ratio])
        .with_interval(lower, upper, level))
}

/// The centre from which Levene's test measures deviations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Center {
    /// The group mean (Levene 1960).
    Mean,
    /// The group median (Brown and Forsythe 1974), robust against skewness.
    #[default]
    Median,
}

/// Levene's test: one-way analysis of variance of the absolute deviations from each group's centre.
///
/// # Errors
/// As [`anova::one_way`].
///
/// ```
/// use alnm_stats::variance::{Center, levene};
/// let test = levene(&[&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]], Center::Median)?;
/// assert!((test.statistic - 0.8).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn levene(groups: &[&[f64]], center: Center) -> Result<TestResult> {
    let deviations: Vec<Vec<f64>> = groups
        .iter()
        .map(|g| {
            let c = match center {
                Center::Mean => mean(g),
                Center::Median => median(g),
            };
            g.iter().map(|v| (v - c).abs()).collect()
        })
        .collect();
    let borrowed: Vec<&[f64]> = deviations.iter().map(Vec::as_slice).collect();
    let mut test = anova::one_way(&borrowed)?;
    test.method = match center {
        Center::Mean => "Levene's test (mean)".to_owned(),
        Center::Median => "Brown-Forsythe test (median)".to_owned(),
    };
    test.estimate.clear();
    Ok(test)
}

/// Bartlett's test of homogeneous variances, for normal data. A group without variation beside one that varies gives an
/// infinite statistic and p = 0; without any variation both are NaN.
///
/// # Errors
/// [`crate::StatsError::TooFew`] with fewer than two groups or a group of fewer than two values,
/// [`crate::StatsError::NonFinite`].
///
/// ```
/// let test = alnm_stats::variance::bartlett(&[&[1.0, 2.0, 3.0], &[11.0, 12.0, 13.0]])?;
/// assert!(test.statistic.abs() < 1e-12 && (test.p_value - 1.0).abs() < 1e-5);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn bartlett(groups: &[&[f64]]) -> Result<TestResult> {
    const OPERATION: &str = "Bartlett's test";
    require_count(OPERATION, "groups", 2, groups.len())?;
    for g in groups {
        require_finite(OPERATION, g)?;
        require_count(OPERATION, "observations per group", 2, g.len())?;
    }
    let k = groups.len() as f64;
    let dfs: Vec<f64> = groups.iter().map(|g| g.len() as f64 - 1.0).collect();
    let variances: Vec<f64> = groups.iter().map(|g| variance(g)).collect();
    let total: f64 = dfs.iter().sum();
    let pooled = dfs.iter().zip(&variances).map(|(d, v)| d * v).sum::<f64>() / total;
    let log_sum: f64 = dfs.iter().zip(&variances).map(|(d, v)| d * v.ln()).sum();
    let correction = 1.0 + (dfs.iter().map(|d| 1.0 / d).sum::<f64>() - 1.0 / total) / (3.0 * (k - 1.0));
    let statistic = (total * pooled.ln() - log_sum) / correction;
    Ok(TestResult::new("Bartlett's test", statistic, &[k - 1.0], chi_squared_upper_tail(statistic, k - 1.0)))
}
