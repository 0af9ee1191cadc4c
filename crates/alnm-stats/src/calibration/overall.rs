//! Calibration of all patients together: Spiegelhalter's test, expected over observed events.

use super::check;
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::distribution::{gamma_quantile, normal_quantile, normal_two_sided};
use crate::error::{Result, require_level};
use crate::{Interval, Labels, TestResult};

/// Spiegelhalter's (1986) test of calibration, z = Σ (y − p)(1 − 2p) / √Σ (1 − 2p)² p (1 − p) over the patients with
/// outcome y and risk p.
///
/// # Errors
/// As [`brier`](super::brier()).
///
/// ```
/// use alnm_stats::{Labels, calibration::spiegelhalter};
/// let test = spiegelhalter(&Labels::new(vec![true, false, true, false]), &[0.9, 0.1, 0.8, 0.3])?;
/// assert!((test.statistic + 0.4 / 0.2064_f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn spiegelhalter(labels: &Labels, risks: &[f64]) -> Result<TestResult> {
    const OPERATION: &str = "Spiegelhalter's test";
    check(OPERATION, labels, risks)?;
    let outcomes = labels.to_values();
    let numerator: f64 = risks.iter().zip(&outcomes).map(|(p, y)| (y - p) * (1.0 - 2.0 * p)).sum();
    let variance: f64 = risks.iter().map(|p| (1.0 - 2.0 * p).powi(2) * p * (1.0 - p)).sum();
    let z = numerator / variance.sqrt();
    Ok(TestResult::new(OPERATION, z, &[], normal_two_sided(z)))
}

/// Expected and observed numbers of events.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ExpectedObserved {
    /// Sum of the risks.
    pub expected: f64,
    /// Number of events.
    pub observed: usize,
    /// Expected over observed; infinite without an event.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub expected_over_observed: f64,
    /// Interval of expected over observed on the log scale.
    pub interval: Interval,
    /// Observed over expected.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub observed_over_expected: f64,
    /// Exact Poisson interval of observed over expected.
    pub poisson_interval: Interval,
}

/// Calibration in the large as the ratio of expected to observed events. Without an event the ratio is infinite and its
/// interval NaN.
///
/// # Errors
/// As [`brier`](super::brier()), and [`crate::StatsError::Parameter`] for the level.
///
/// ```
/// use alnm_stats::{Labels, calibration::expected_observed};
/// let ratio = expected_observed(&Labels::new(vec![true, false, true, false]), &[0.9, 0.1, 0.8, 0.2], 0.95)?;
/// assert!((ratio.expected_over_observed - 1.0).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn expected_observed(labels: &Labels, risks: &[f64], level: f64) -> Result<ExpectedObserved> {
    check("expected over observed", labels, risks)?;
    require_level(level)?;
    let expected: f64 = risks.iter().sum();
    let observed = labels.positives();
    let o = observed as f64;
    let ratio = expected / o;
    let half = normal_quantile(0.5 + level / 2.0) * ((1.0 - labels.prevalence()) / o).sqrt();
    let alpha = 1.0 - level;
    let lower = if observed == 0 { 0.0 } else { gamma_quantile(alpha / 2.0, o) };
    Ok(ExpectedObserved {
        expected,
        observed,
        expected_over_observed: ratio,
        interval: Interval { lower: ratio * (-half).exp(), upper: ratio * half.exp(), level },
        observed_over_expected: o / expected,
        poisson_interval: Interval {
            lower: lower / expected,
            upper: gamma_quantile(1.0 - alpha / 2.0, o + 1.0) / expected,
            level,
        },
    })
}

impl Tabulate for ExpectedObserved {
    const COLUMNS: &'static [&'static str] =
        &["expected", "observed", "E/O", "E/O lower", "E/O upper", "O/E", "O/E lower", "O/E upper"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![
            self.expected,
            self.observed,
            self.expected_over_observed,
            self.interval.lower,
            self.interval.upper,
            self.observed_over_expected,
            self.poisson_interval.lower,
            self.poisson_interval.upper
        ]]
    }
}
