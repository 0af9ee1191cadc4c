//! Comparison of the location of several groups: analysis of variance and the Kruskal-Wallis test.

use crate::TestResult;
use crate::describe::{mean, variance};
use crate::distribution::{chi_squared_upper_tail, f_upper_tail};
use crate::error::{Result, require_count, require_finite};
use crate::rank::{midranks, tie_term};

fn require_groups(operation: &'static str, groups: &[&[f64]], smallest: usize) -> Result<()> {
    require_count(operation, "groups", 2, groups.len())?;
    for g in groups {
        require_finite(operation, g)?;
        require_count(operation, "observations per group", smallest, g.len())?;
    }
    Ok(())
}

/// One-way analysis of variance with a common variance, F = mean square between groups / mean square within groups (R's
/// `oneway.test(var.equal = TRUE)`). The estimate is the means of the groups. Groups without variation give an infinite
/// F and p = 0 where their means differ, and NaN where all values are equal.
///
/// # Errors
/// [`crate::StatsError::TooFew`] with fewer than two groups, an empty group, or no more values than groups;
/// [`crate::StatsError::NonFinite`] for a missing value.
///
/// ```
/// let test = alnm_stats::anova::one_way(&[&[1.0, 2.0, 3.0], &[2.0, 3.0, 4.0], &[5.0, 6.0, 7.0]])?;
/// assert!((test.statistic - 13.0).abs() < 1e-12);
/// assert_eq!(test.degrees_of_freedom, [2.0, 6.0]);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn one_way(groups: &[&[f64]]) -> Result<TestResult> {
    const OPERATION: &str = "one-way analysis of variance";
    require_groups(OPERATION, groups, 1)?;
    let n: usize = groups.iter().map(|g| g.len()).sum();
    require_count(OPERATION, "observations", groups.len() + 1, n)?;
    let (d1, d2) = (groups.len() as f64 - 1.0, (n - groups.len()) as f64);
    let grand = mean(&groups.concat());
    let means: Vec<f64> = groups.iter().map(|g| mean(g)).collect();
    let between: f64 = groups.iter().zip(&means).map(|(g, m)| g.len() as f64 * (m - grand).powi(2)).sum();
    let within: f64 = groups.iter().zip(&means).map(|(g, m)| g.iter().map(|v| (v - m).powi(2)).sum::<f64>()).sum();
    let f = (between / d1) / (within / d2);
    Ok(TestResult::new("One-way analysis of variance", f, &[d1, d2], f_upper_tail(f, d1, d2)).with_estimate(&means))
}

/// Welch's (1951) one-way analysis, which does not assume equal variances (R's `oneway.test`). The estimate is the
/// means of the groups. A group without variation would have an infinite weight: statistic and p-value are then NaN.
///
/// # Errors
/// As [`one_way`], and [`crate::StatsError::TooFew`] for a group of fewer than two values.
///
/// ```
/// // With two groups F is the square of Welch's t.
/// let test = alnm_stats::anova::welch(&[&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]])?;
/// assert!((test.statistic - 2.4).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn welch(groups: &[&[f64]]) -> Result<TestResult> {
    require_groups("Welch's one-way analysis", groups, 2)?;
    let k = groups.len() as f64;
    let means: Vec<f64> = groups.iter().map(|g| mean(g)).collect();
    let weights: Vec<f64> = groups.iter().map(|g| g.len() as f64 / variance(g)).collect();
    let total: f64 = weights.iter().sum();
    let spread =
        groups.iter().zip(&weights).map(|(g, w)| (1.0 - w / total).powi(2) / (g.len() as f64 - 1.0)).sum::<f64>()
            / (k * k - 1.0);
    let center = weights.iter().zip(&means).map(|(w, m)| w * m).sum::<f64>() / total;
    let between: f64 = weights.iter().zip(&means).map(|(w, m)| w * (m - center).powi(2)).sum();
    let f = between / ((k - 1.0) * (1.0 + 2.0 * (k - 2.0) * spread));
    let (d1, d2) = (k - 1.0, 1.0 / (3.0 * spread));
    Ok(TestResult::new("Welch's one-way analysis", f, &[d1, d2], f_upper_tail(f, d1, d2)).with_estimate(&means))
}

/// Kruskal and Wallis' rank test, corrected for ties (R's `kruskal.test`): H = 12 Σ R²/n / (N (N + 1)) − 3 (N + 1) with
/// the rank sums R and sizes n of the groups and N values in all, over 1 − Σ (t³ − t)/(N³ − N) for groups of t tied
/// values. When all values are equal, statistic and p-value are NaN.
///
/// # Errors
/// As [`one_way`]; one value per group is enough.
///
/// ```
/// let test = alnm_stats::anova::kruskal_wallis(&[&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]])?;
/// assert!((test.statistic - 27.0 / 7.0).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn kruskal_wallis(groups: &[&[f64]]) -> Result<TestResult> {
    require_groups("Kruskal-Wallis test", groups, 1)?;
    let values = groups.concat();
    let n = values.len() as f64;
    let ranks = midranks(&values);
    let mut start = 0;
    let mut sum = 0.0;
    for g in groups {
        let rank_sum: f64 = ranks[start..start + g.len()].iter().sum();
        sum += rank_sum * rank_sum / g.len() as f64;
        start += g.len();
    }
    let statistic = (12.0 * sum / (n * (n + 1.0)) - 3.0 * (n + 1.0)) / (1.0 - tie_term(&values) / (n * n * n - n));
    let df = groups.len() as f64 - 1.0;
    Ok(TestResult::new("Kruskal-Wallis rank sum test", statistic, &[df], chi_squared_upper_tail(statistic, df)))
}
