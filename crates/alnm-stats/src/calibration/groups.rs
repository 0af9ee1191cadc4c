//! Calibration over groups of patients of similar risk: the Hosmer-Lemeshow test and reliability bins.

use super::check;
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::describe::{QuantileType, quantile_of_sorted, sorted};
use crate::distribution::chi_squared_upper_tail;
use crate::error::{Result, StatsError, require_some};
use crate::{Labels, TestResult};

/// Hosmer and Lemeshow's test with its groups.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct HosmerLemeshow {
    /// Statistic, degrees of freedom (occupied groups − 2) and p-value.
    pub test: TestResult,
    /// Edges of the groups, one more than groups.
    pub breaks: Vec<f64>,
    /// The groups in ascending order of risk.
    pub groups: Vec<RiskGroup>,
}

/// A group of patients of similar predicted risk.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RiskGroup {
    /// Number of patients.
    pub patients: usize,
    /// Number of events.
    pub events: usize,
    /// Sum of the predicted risks.
    pub expected_events: f64,
}

impl RiskGroup {
    /// Mean predicted risk; NaN for an empty group.
    #[must_use]
    pub fn mean_risk(&self) -> f64 {
        self.expected_events / self.patients as f64
    }

    /// Observed share of events; NaN for an empty group.
    #[must_use]
    pub fn observed(&self) -> f64 {
        self.events as f64 / self.patients as f64
    }
}

/// Hosmer-Lemeshow test: χ² = Σ (o − e)²/e over events and non-events of the groups, o being observed and e expected
/// numbers. Groups are cut at the distinct quantiles (type 7) of the risk and closed on the right; degrees of freedom
/// are occupied groups − 2 (ResourceSelection ≥ 0.3-6).
///
/// Where the test has no ordinary answer:
/// - Tied risks make fewer groups, since equal quantiles are one edge.
/// - A group without patients, as when there are more groups than patients, adds nothing to χ² and to the degrees of
///   freedom (R gives NaN).
/// - A group that expects no event and has none (all its risks are 0), or expects only events and has only events, adds
///   nothing; one that observes what it holds for impossible makes χ² infinite and p = 0.
/// - Two occupied groups leave 0 degrees of freedom: there is nothing to test, and p is NaN (R gives 0).
///
/// # Errors
/// [`StatsError::Constant`] when all risks are equal, [`StatsError::Parameter`] for fewer than two groups or a risk
/// outside [0, 1], [`StatsError::LengthMismatch`], [`StatsError::NonFinite`].
///
/// ```
/// use alnm_stats::{Labels, calibration::hosmer_lemeshow};
/// let labels = Labels::new((0..20).map(|i| i % 3 == 0 || i > 14).collect());
/// let risks: Vec<f64> = (0..20).map(|i| (f64::from(i) + 0.5) / 20.0).collect();
/// let result = hosmer_lemeshow(&labels, &risks, 10)?;
/// assert_eq!((result.groups.len(), result.test.degrees_of_freedom[0]), (10, 8.0));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn hosmer_lemeshow(labels: &Labels, risks: &[f64], groups: usize) -> Result<HosmerLemeshow> {
    const OPERATION: &str = "Hosmer-Lemeshow test";
    check(OPERATION, labels, risks)?;
    if groups < 2 {
        return Err(StatsError::parameter("number of groups", groups, "at least 2"));
    }
    let ordered = sorted(risks);
    let mut breaks: Vec<f64> = (0..=groups)
        .map(|i| quantile_of_sorted(&ordered, i as f64 * (1.0 / groups as f64), QuantileType::Type7))
        .collect();
    breaks.dedup();
    if breaks.len() < 2 {
        return Err(StatsError::Constant { operation: OPERATION });
    }
    let mut table = vec![RiskGroup { patients: 0, events: 0, expected_events: 0.0 }; breaks.len() - 1];
    for (&risk, &label) in risks.iter().zip(labels.as_slice()) {
        let group = &mut table[breaks.partition_point(|b| *b < risk).clamp(1, breaks.len() - 1) - 1];
        group.patients += 1;
        group.events += usize::from(label);
        group.expected_events += risk;
    }
    let statistic: f64 = table
        .iter()
        .map(|g| {
            let (n, o, e) = (g.patients as f64, g.events as f64, g.expected_events);
            distance(o, e) + distance(n - o, n - e)
        })
        .sum();
    let occupied = table.iter().filter(|g| g.patients > 0).count();
    let df = occupied as f64 - 2.0;
    let p_value = if df > 0.0 { chi_squared_upper_tail(statistic, df) } else { f64::NAN };
    let test = TestResult::new(OPERATION, statistic, &[df], p_value);
    Ok(HosmerLemeshow { test, breaks, groups: table })
}

/// (o − e)²/e; 0 where nothing was expected and nothing observed.
fn distance(observed: f64, expected: f64) -> f64 {
    if observed == expected { 0.0 } else { (observed - expected).powi(2) / expected }
}

/// Groups of equal width in predicted risk.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ReliabilityBins {
    /// Index of each occupied bin.
    pub bins: Vec<usize>,
    /// The occupied bins in ascending order.
    pub groups: Vec<RiskGroup>,
    /// Expected calibration error: mean |mean risk − observed|, weighted by size.
    pub expected_error: f64,
    /// Largest |mean risk − observed|.
    pub largest_error: f64,
}

/// Reliability over `bins` equal-width bins of [0, 1], closed on the left, the last one on both sides.
///
/// # Errors
/// As [`brier`](super::brier()), and [`StatsError::Parameter`] without bins.
///
/// ```
/// use alnm_stats::{Labels, calibration::reliability_bins};
/// let labels = Labels::new((0..20).map(|i| i % 3 == 0 || i > 14).collect());
/// let risks: Vec<f64> = (0..20).map(|i| (f64::from(i) + 0.5) / 20.0).collect();
/// let bins = reliability_bins(&labels, &risks, 5)?;
/// assert_eq!((bins.groups.len(), bins.groups[0].patients), (5, 4));
/// assert!(bins.expected_error <= bins.largest_error);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn reliability_bins(labels: &Labels, risks: &[f64], bins: usize) -> Result<ReliabilityBins> {
    check("reliability bins", labels, risks)?;
    require_some("number of bins", bins)?;
    let mut all = vec![RiskGroup { patients: 0, events: 0, expected_events: 0.0 }; bins];
    for (&risk, &label) in risks.iter().zip(labels.as_slice()) {
        let group = &mut all[((risk * bins as f64) as usize).min(bins - 1)];
        group.patients += 1;
        group.events += usize::from(label);
        group.expected_events += risk;
    }
    let occupied: Vec<usize> = (0..bins).filter(|&b| all[b].patients > 0).collect();
    let groups: Vec<RiskGroup> = occupied.iter().map(|&b| all[b]).collect();
    let distances: Vec<f64> = groups.iter().map(|g| (g.mean_risk() - g.observed()).abs()).collect();
    let n = risks.len() as f64;
    Ok(ReliabilityBins {
        expected_error: groups.iter().zip(&distances).map(|(g, d)| g.patients as f64 * d).sum::<f64>() / n,
        largest_error: distances.iter().copied().fold(0.0, f64::max),
        bins: occupied,
        groups,
    })
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    HosmerLemeshow {
        test: TestResult,
        breaks: Vec<f64>,
        groups: Vec<RiskGroup>,
    }
}

#[cfg(feature = "serde")]
impl HosmerLemeshow {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        if self.groups.is_empty() || self.breaks.len() != self.groups.len() + 1 {
            let (breaks, groups) = (self.breaks.len(), self.groups.len());
            return Err(format!(
                "number of edges of {groups} risk groups is {breaks}; it must be one more than groups"
            ));
        }
        if self.breaks.windows(2).any(|edges| edges[0] >= edges[1]) {
            return Err("order of the edges of risk groups is wrong; they must ascend".to_owned());
        }
        match self.groups.iter().find(|group| group.events > group.patients) {
            Some(group) => {
                Err(format!("number of events in a risk group is {}; it must be at most its patients", group.events))
            }
            None => Ok(()),
        }
    }
}

impl Tabulate for RiskGroup {
    const COLUMNS: &'static [&'static str] = &["patients", "events", "expected events", "mean risk", "observed"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![self.patients, self.events, self.expected_events, self.mean_risk(), self.observed()]]
    }
}

impl Tabulate for HosmerLemeshow {
    const COLUMNS: &'static [&'static str] = &["patients", "events", "expected events", "mean risk", "observed"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.groups.rows()
    }
}

impl Tabulate for ReliabilityBins {
    const COLUMNS: &'static [&'static str] = &["patients", "events", "expected events", "mean risk", "observed"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.groups.rows()
    }
}
