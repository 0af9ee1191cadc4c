//! Calibration of predicted risks at a time.

use super::{FollowUp, KaplanMeier, KaplanMeierParams, require_horizon, require_risks};
use crate::Interval;
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::describe::{QuantileType, mean, quantile_of_sorted, sorted};
use crate::distribution::normal_quantile;
use crate::error::{Result, require_level, require_some};

/// Observed against predicted risks of an event by a time.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SurvivalCalibration {
    /// The time.
    pub time: f64,
    /// Observed risk, 1 less the Kaplan-Meier survival, in all patients.
    pub observed: f64,
    /// Interval of the observed risk.
    pub observed_interval: Interval,
    /// Mean predicted risk.
    pub expected: f64,
    /// Observed over expected; 1 is perfect.
    pub observed_over_expected: f64,
    /// Interval of observed over expected on the log scale, from Greenwood's standard error; NaN without an event.
    pub interval: Interval,
    /// Groups of patients of similar predicted risk, in ascending order.
    pub groups: Vec<SurvivalRiskGroup>,
}

/// A group of patients of similar predicted risk.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SurvivalRiskGroup {
    /// Number of patients.
    pub patients: usize,
    /// Mean predicted risk.
    pub mean_risk: f64,
    /// Observed risk, 1 less the Kaplan-Meier survival of the group. Where all of the group are censored before the
    /// time it is the last known value.
    pub observed: f64,
    /// Interval of the observed risk; NaN where the survival is 0.
    pub interval: Interval,
}

/// Calibration of the risks of an event by `time`: overall, and in `groups` groups cut at the distinct quantiles (type
/// 7) of the predicted risk and closed on the right. Tied risks make fewer groups; equal risks make one.
///
/// # Errors
/// [`crate::StatsError::LengthMismatch`], [`crate::StatsError::NonFinite`], [`crate::StatsError::Parameter`] for a risk
/// outside [0, 1], a level outside (0, 1), no groups, or a time that is not above 0 or lies beyond the follow-up.
///
/// ```
/// use alnm_stats::survival::{FollowUp, calibration_at};
/// let follow_up = FollowUp::new(vec![1.0, 2.0, 3.0, 4.0], vec![true, true, false, true])?;
/// let calibration = calibration_at(&follow_up, &[0.9, 0.6, 0.3, 0.2], 2.0, 2, 0.95)?;
/// assert!((calibration.observed_over_expected - 1.0).abs() < 1e-12);
/// assert_eq!((calibration.groups[0].observed, calibration.groups[1].observed), (0.0, 1.0));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn calibration_at(
    follow_up: &FollowUp,
    risks: &[f64],
    time: f64,
    groups: usize,
    level: f64,
) -> Result<SurvivalCalibration> {
    require_risks("calibration at a time", follow_up, risks)?;
    require_level(level)?;
    require_horizon(follow_up, time)?;
    require_some("number of groups", groups)?;
    let params = KaplanMeierParams::default().with_level(level);
    let of_rows = |rows: &[usize]| -> Result<Observed> {
        let curve = KaplanMeier::fit(&follow_up.select(rows), params)?;
        Ok(curve.point_at(time).map_or(Observed { risk: 0.0, error: 0.0, lower: 0.0, upper: 0.0 }, |p| Observed {
            risk: 1.0 - p.survival,
            error: p.standard_error,
            lower: 1.0 - p.interval.upper,
            upper: 1.0 - p.interval.lower,
        }))
    };
    let all = of_rows(&(0..risks.len()).collect::<Vec<_>>())?;
    let expected = mean(risks);
    let ratio = all.risk / expected;
    let half = normal_quantile(0.5 + level / 2.0) * all.error / all.risk;
    let ordered = sorted(risks);
    let mut edges: Vec<f64> =
        (1..groups).map(|k| quantile_of_sorted(&ordered, k as f64 / groups as f64, QuantileType::Type7)).collect();
    edges.dedup();
    let mut members = vec![Vec::new(); edges.len() + 1];
    for (row, risk) in risks.iter().enumerate() {
        members[edges.partition_point(|edge| edge < risk)].push(row);
    }
    let groups = members
        .iter()
        .filter(|rows| !rows.is_empty())
        .map(|rows| {
            let observed = of_rows(rows)?;
            Ok(SurvivalRiskGroup {
                patients: rows.len(),
                mean_risk: mean(&rows.iter().map(|&row| risks[row]).collect::<Vec<_>>()),
                observed: observed.risk,
                interval: Interval { lower: observed.lower, upper: observed.upper, level },
            })
        })
        .collect::<Result<_>>()?;
    Ok(SurvivalCalibration {
        time,
        observed: all.risk,
        observed_interval: Interval { lower: all.lower, upper: all.upper, level },
        expected,
        observed_over_expected: ratio,
        interval: Interval { lower: ratio * (-half).exp(), upper: ratio * half.exp(), level },
        groups,
    })
}

/// The observed risk of some patients.
struct Observed {
    risk: f64,
    error: f64,
    lower: f64,
    upper: f64,
}

impl Tabulate for SurvivalCalibration {
    const COLUMNS: &'static [&'static str] = &["patients", "mean risk", "observed", "lower", "upper"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.groups
            .iter()
            .map(|g| cells![g.patients, g.mean_risk, g.observed, g.interval.lower, g.interval.upper])
            .collect()
    }
}
