//! Time to event: survival curves and the performance of predicted risks under censoring.
//!
//! A patient is followed from time 0 to an event or to the end of observation (right censoring). If an event and a
//! censoring have the same time, the event is taken to come first, as in R's `survival`. Times are compared exactly;
//! `survival` also joins times that differ by rounding (`timefix`), so round measured times before.
//!
//! The weights of the inverse probability of censoring (IPCW) come from the Kaplan-Meier curve Ĝ of the censoring,
//! whose risk set at a time leaves out the events of that time. An event at T has the weight 1/Ĝ(T−), a patient who is
//! observed beyond the horizon t the weight 1/Ĝ(t).

mod calibration;
mod censoring;
mod concordance;
mod follow_up;
mod kaplan_meier;
mod log_rank;
mod prediction_error;
mod time_dependent_auc;

pub use calibration::{SurvivalCalibration, SurvivalRiskGroup, calibration_at};
pub use concordance::{Concordance, ConcordanceParams, Concordances, harrell_c, uno_c};
pub use follow_up::FollowUp;
pub use kaplan_meier::{
    KaplanMeier, KaplanMeierParams, KaplanMeierRules, SurvivalInterval, SurvivalPoint, SurvivalTime,
};
pub use log_rank::{LogRank, LogRankGroup, log_rank, stratified_log_rank};
pub use prediction_error::{IntegratedBrier, PredictionError, integrated_brier, prediction_error};
pub use time_dependent_auc::{AucAtTime, time_dependent_auc};

use crate::error::{Result, StatsError, require_finite, require_same_length};

/// Refuses scores of another number of patients, or that are not finite.
fn require_scores(operation: &'static str, follow_up: &FollowUp, scores: &[f64]) -> Result<()> {
    require_same_length(operation, follow_up.len(), scores.len())?;
    require_finite(operation, scores)
}

/// Refuses risks outside 0 to 1.
fn require_risks(operation: &'static str, follow_up: &FollowUp, risks: &[f64]) -> Result<()> {
    require_scores(operation, follow_up, risks)?;
    match risks.iter().find(|risk| !(0.0..=1.0).contains(*risk)) {
        Some(&value) => Err(StatsError::parameter("predicted risk", value, "at least 0 and at most 1")),
        None => Ok(()),
    }
}

/// Refuses a time at which nobody is under observation any more.
fn require_horizon(follow_up: &FollowUp, time: f64) -> Result<()> {
    let last = follow_up.times().iter().copied().fold(0.0, f64::max);
    if time > 0.0 && time <= last {
        Ok(())
    } else {
        let requirement = "above 0 and at most the longest follow-up";
        Err(StatsError::parameter("time of the prediction", time, requirement))
    }
}
