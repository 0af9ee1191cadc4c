//! The log-rank test.

use super::FollowUp;
use crate::TestResult;
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::distribution::chi_squared_upper_tail;
use crate::error::{Result, StatsError, require_same_length};
use crate::linear::solve_symmetric;

/// A log-rank test with the observed and expected events of its groups.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LogRank {
    /// χ², degrees of freedom (groups that expect an event, less 1) and p-value.
    pub test: TestResult,
    /// The groups in ascending order of their codes.
    pub groups: Vec<LogRankGroup>,
}

/// A group of a log-rank test.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LogRankGroup {
    /// Code of the group.
    pub group: usize,
    /// Number of patients.
    pub patients: usize,
    /// Number of events.
    pub observed: usize,
    /// Number of events that the group would have had with the hazard of all groups together.
    pub expected: f64,
}

/// Log-rank test (Mantel 1966) of equal hazards in two or more groups, `groups` holding the code of each patient's
/// group, as R's `survdiff`.
///
/// # Errors
/// As [`stratified_log_rank`].
///
/// ```
/// use alnm_stats::survival::{FollowUp, log_rank};
/// let follow_up = FollowUp::new(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], vec![true, true, true, true, false, true])?;
/// let comparison = log_rank(&follow_up, &[0, 0, 0, 1, 1, 1])?;
/// assert_eq!(comparison.groups[0].observed, 3);
/// assert!(comparison.test.p_value < 0.05);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn log_rank(follow_up: &FollowUp, groups: &[usize]) -> Result<LogRank> {
    stratified_log_rank(follow_up, groups, &vec![0; groups.len()])
}

/// Log-rank test within strata, for instance centres: observed and expected events are added over the strata.
///
/// # Errors
/// [`StatsError::LengthMismatch`], [`StatsError::TooFew`] without an event or with fewer than two groups,
/// [`StatsError::Undefined`] when no event occurs while patients of two groups are at risk.
pub fn stratified_log_rank(follow_up: &FollowUp, groups: &[usize], strata: &[usize]) -> Result<LogRank> {
    const OPERATION: &str = "log-rank test";
    require_same_length(OPERATION, follow_up.len(), groups.len())?;
    require_same_length(OPERATION, follow_up.len(), strata.len())?;
    follow_up.require_events(OPERATION)?;
    let codes = distinct(groups);
    crate::error::require_count(OPERATION, "groups", 2, codes.len())?;
    let group_of: Vec<usize> = groups.iter().map(|group| codes.partition_point(|code| code < group)).collect();
    let mut sums = Sums::new(codes.len());
    for stratum in distinct(strata) {
        let rows: Vec<usize> = (0..strata.len()).filter(|&row| strata[row] == stratum).collect();
        sums.add(follow_up, &group_of, &rows);
    }
    let undefined = || StatsError::Undefined {
        operation: OPERATION,
        requirement: "an event must occur while patients of two groups are at risk",
    };
    // A group whose patients leave before the first event expects none and has no part in the test.
    let tested: Vec<usize> = (0..codes.len()).filter(|&g| sums.expected[g] > 0.0).collect();
    let k = tested.len().saturating_sub(1);
    if k == 0 {
        return Err(undefined());
    }
    let difference: Vec<f64> = tested[..k].iter().map(|&g| sums.observed[g] as f64 - sums.expected[g]).collect();
    let variance: Vec<f64> = tested[..k]
        .iter()
        .flat_map(|&a| tested[..k].iter().map(move |&b| (a, b)))
        .map(|(a, b)| sums.variance[a * codes.len() + b])
        .collect();
    let solution = solve_symmetric(&variance, &difference).ok_or_else(undefined)?;
    let statistic: f64 = difference.iter().zip(&solution).map(|(d, s)| d * s).sum();
    let groups = (0..codes.len())
        .map(|g| LogRankGroup {
            group: codes[g],
            patients: group_of.iter().filter(|&&of| of == g).count(),
            observed: sums.observed[g],
            expected: sums.expected[g],
        })
        .collect();
    let p_value = chi_squared_upper_tail(statistic, k as f64);
    Ok(LogRank { test: TestResult::new("Log-rank test", statistic, &[k as f64], p_value), groups })
}

fn distinct(codes: &[usize]) -> Vec<usize> {
    let mut codes = codes.to_vec();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// Observed and expected events with the covariance of the observed ones.
struct Sums {
    observed: Vec<usize>,
    expected: Vec<f64>,
    variance: Vec<f64>,
}

impl Sums {
    fn new(groups: usize) -> Self {
        Self { observed: vec![0; groups], expected: vec![0.0; groups], variance: vec![0.0; groups * groups] }
    }

    /// Adds a stratum: at each time, the hypergeometric moments of the events.
    fn add(&mut self, follow_up: &FollowUp, group_of: &[usize], rows: &[usize]) {
        let k = self.expected.len();
        let of_stratum = follow_up.select(rows);
        let mut at_risk = vec![0.0; k];
        rows.iter().for_each(|&row| at_risk[group_of[row]] += 1.0);
        for point in of_stratum.time_points() {
            let (n, d) = (point.at_risk as f64, point.events as f64);
            if point.events > 0 {
                let factor = if n > 1.0 { d * (n - d) / (n - 1.0) } else { 0.0 };
                for a in 0..k {
                    self.expected[a] += d * at_risk[a] / n;
                    for b in 0..k {
                        let same = if a == b { 1.0 } else { 0.0 };
                        self.variance[a * k + b] += factor * at_risk[a] / n * (same - at_risk[b] / n);
                    }
                }
            }
            for &row in &point.rows {
                let group = group_of[rows[row]];
                at_risk[group] -= 1.0;
                self.observed[group] += usize::from(of_stratum.events()[row]);
            }
        }
    }
}

impl Tabulate for LogRank {
    const COLUMNS: &'static [&'static str] = &["group", "patients", "observed", "expected"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.groups.iter().map(|g| cells![g.group, g.patients, g.observed, g.expected]).collect()
    }
}
