//! The area under the ROC curve at a time.

use super::censoring::Censoring;
use super::{FollowUp, require_horizon, require_scores};
use crate::Interval;
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::distribution::normal_quantile;
use crate::error::{Result, StatsError, require_level};

/// The cumulative and dynamic area at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AucAtTime {
    /// The time.
    pub time: f64,
    /// Probability that a patient with an event by this time has a higher risk than one without.
    pub auc: f64,
    /// Standard error from the influence function, the estimation of the weights included.
    pub standard_error: f64,
    /// Normal interval, clipped to [0, 1].
    pub interval: Interval,
    /// Patients with an event by this time.
    pub cases: usize,
    /// Patients observed longer.
    pub controls: usize,
}

/// Area under the ROC curve at each of `times` (cumulative cases, dynamic controls; Uno et al. 2007, Blanche et al.
/// 2013). Cases had the event by the time t and weigh 1/Ĝ(T−), controls are observed beyond t; patients who were
/// censored before t are accounted for by the weights. Higher risks speak for an earlier event.
///
/// # Errors
/// [`StatsError::LengthMismatch`], [`StatsError::NonFinite`] for a missing risk, [`StatsError::Parameter`] for a level
/// outside (0, 1) or a time that is not above 0 or lies beyond the follow-up, [`StatsError::Undefined`] for a time
/// without cases or without controls.
///
/// ```
/// use alnm_stats::survival::{FollowUp, time_dependent_auc};
/// let follow_up = FollowUp::new(vec![1.0, 2.0, 3.0, 4.0], vec![true, true, false, true])?;
/// let areas = time_dependent_auc(&follow_up, &[0.9, 0.3, 0.4, 0.1], &[2.0], 0.95)?;
/// assert_eq!((areas[0].cases, areas[0].controls, areas[0].auc), (2, 2, 0.75));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn time_dependent_auc(follow_up: &FollowUp, risks: &[f64], times: &[f64], level: f64) -> Result<Vec<AucAtTime>> {
    require_scores("time-dependent AUC", follow_up, risks)?;
    require_level(level)?;
    let censoring = Censoring::of(follow_up);
    let order = crate::rank::ascending_order(risks);
    times.iter().map(|&time| at_time(follow_up, risks, &order, &censoring, time, level)).collect()
}

fn at_time(
    follow_up: &FollowUp,
    risks: &[f64],
    order: &[usize],
    censoring: &Censoring,
    time: f64,
    level: f64,
) -> Result<AucAtTime> {
    require_horizon(follow_up, time)?;
    let n = risks.len() as f64;
    let weights = censoring.weights(follow_up, time);
    let is_control = |row: usize| follow_up.times()[row] > time;
    let is_case = |row: usize| !is_control(row) && follow_up.events()[row];
    let cases = (0..risks.len()).filter(|&row| is_case(row)).count();
    let controls = (0..risks.len()).filter(|&row| is_control(row)).count();
    if cases == 0 || controls == 0 {
        return Err(StatsError::Undefined {
            operation: "time-dependent AUC",
            requirement: "there must be an event by the time and a patient who is observed longer",
        });
    }
    let total = |keep: &dyn Fn(usize) -> bool| (0..risks.len()).filter(|&r| keep(r)).map(|r| weights[r]).sum::<f64>();
    let (all_cases, all_controls) = (total(&is_case), total(&is_control));
    // Controls below each case and cases above each control, by their weights, half of equal risks among them.
    let mut against = vec![0.0; risks.len()];
    let (mut controls_below, mut cases_below) = (0.0, 0.0);
    for run in crate::rank::ties(risks, order) {
        let rows = &order[run];
        let of = |keep: &dyn Fn(usize) -> bool| rows.iter().filter(|&&r| keep(r)).map(|&r| weights[r]).sum::<f64>();
        let (tied_cases, tied_controls) = (of(&is_case), of(&is_control));
        for &row in rows {
            if is_case(row) {
                against[row] = controls_below + tied_controls / 2.0;
            } else if is_control(row) {
                against[row] = all_cases - cases_below - tied_cases / 2.0;
            }
        }
        controls_below += tied_controls;
        cases_below += tied_cases;
    }
    let pairs = all_cases * all_controls;
    let auc = (0..risks.len()).filter(|&r| is_case(r)).map(|r| weights[r] * against[r]).sum::<f64>() / pairs;
    // Influence of each patient as a case or control, and through the weights of all.
    let own: Vec<f64> = (0..risks.len())
        .map(|row| {
            let of_all = if is_case(row) {
                all_controls
            } else if is_control(row) {
                all_cases
            } else {
                return 0.0;
            };
            weights[row] * (against[row] - auc * of_all) * n / pairs
        })
        .collect();
    // The weight 1/Ĝ(t) is common to all controls, so its estimation cancels; that of the cases stays.
    let of_cases: Vec<f64> = (0..risks.len()).map(|row| if is_case(row) { own[row] } else { 0.0 }).collect();
    let through_weights = censoring.influence(follow_up, &of_cases, time);
    let variance = own.iter().zip(&through_weights).map(|(a, b)| (a + b).powi(2)).sum::<f64>() / (n * (n - 1.0));
    let standard_error = variance.sqrt();
    let half = normal_quantile(0.5 + level / 2.0) * standard_error;
    let clip = |v: f64| v.clamp(0.0, 1.0);
    let interval = Interval { lower: clip(auc - half), upper: clip(auc + half), level };
    Ok(AucAtTime { time, auc, standard_error, interval, cases, controls })
}

impl Tabulate for AucAtTime {
    const COLUMNS: &'static [&'static str] = &["time", "AUC", "SE", "lower", "upper", "cases", "controls"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let ends = [self.interval.lower, self.interval.upper];
        vec![cells![self.time, self.auc, self.standard_error, ends[0], ends[1], self.cases, self.controls]]
    }
}
