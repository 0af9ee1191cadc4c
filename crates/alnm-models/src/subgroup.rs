//! Performance of a model within subgroups, and the consequences of thresholds for a hundred patients.
//!
//! ```
//! use alnm_models::Labels;
//! use alnm_models::subgroup::{subgroup_performance, threshold_consequences};
//! let labels = Labels::new(vec![false, true, false, true, false, true]);
//! let risks = [0.1, 0.6, 0.3, 0.9, 0.7, 0.8];
//! let age = ["under 50", "under 50", "50 and over", "50 and over", "50 and over", "under 50"].map(str::to_owned);
//! let groups = subgroup_performance(&labels, &risks, &age, 0.5, 0.95)?;
//! assert_eq!((groups[0].subgroup.as_str(), groups[0].patients, groups[0].events), ("50 and over", 3, 1));
//!
//! let at_half = threshold_consequences(&labels, &risks, &[0.5], 0.95)?[0];
//! assert_eq!(at_half.missed_per_hundred, 0.0);
//! assert!((at_half.false_alarms_per_hundred - 100.0 / 6.0).abs() < 1e-12);
//! # Ok::<(), alnm_models::ModelError>(())
//! ```

use alnm_selection::SelectionError;
use alnm_stats::cells;
use alnm_stats::confusion::{ClassificationMetrics, ConfusionTable};
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::decision_curve::DecisionCurve;
use alnm_stats::delong::{AucEstimate, auc_estimate};
use alnm_stats::proportion::ProportionInterval;
use alnm_stats::roc::{Direction, RocCurve};

use crate::Labels;
use crate::error::Result;

/// Performance in one subgroup.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SubgroupPerformance {
    /// Name of the subgroup.
    pub subgroup: String,
    /// Number of patients.
    pub patients: usize,
    /// Number of events.
    pub events: usize,
    /// Mean risk.
    pub mean_risk: f64,
    /// Area under the ROC curve; `None` in a subgroup of one class.
    pub auc: Option<AucEstimate>,
    /// Metrics at the common threshold, with Wilson's intervals.
    pub metrics: ClassificationMetrics,
}

/// Performance of risks in every subgroup, at one threshold common to all. `subgroup` names the subgroup of each row;
/// subgroups come in the order of their names. `level` is the confidence level of the intervals.
///
/// # Errors
/// [`crate::ModelError::Selection`] when lengths differ, [`crate::ModelError::Statistics`] when a risk is missing or
/// the level is out of range.
pub fn subgroup_performance(
    labels: &Labels,
    risks: &[f64],
    subgroup: &[String],
    threshold: f64,
    level: f64,
) -> Result<Vec<SubgroupPerformance>> {
    for (what, left) in [("subgroup names and labels", subgroup.len()), ("risks and labels", risks.len())] {
        if left != labels.len() {
            return Err(SelectionError::Shape { what, left, right: labels.len() }.into());
        }
    }
    let mut names: Vec<&String> = subgroup.iter().collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            let rows: Vec<usize> = (0..labels.len()).filter(|&i| subgroup[i] == *name).collect();
            let truth = labels.select(&rows);
            let part: Vec<f64> = rows.iter().map(|&r| risks[r]).collect();
            let both = truth.positives() > 0 && truth.negatives() > 0;
            let auc = if both {
                Some(auc_estimate(&RocCurve::new(&truth, &part, Direction::HigherIsPositive)?, level)?)
            } else {
                None
            };
            Ok(SubgroupPerformance {
                subgroup: name.clone(),
                patients: rows.len(),
                events: truth.positives(),
                mean_risk: alnm_stats::describe::mean(&part),
                auc,
                metrics: ConfusionTable::at_threshold(&truth, &part, threshold)?
                    .metrics(ProportionInterval::Wilson, level)?,
            })
        })
        .collect()
}

/// What a threshold means for a hundred patients.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ThresholdConsequence {
    /// The risk threshold.
    pub threshold: f64,
    /// Counts and metrics with Wilson's intervals.
    pub metrics: ClassificationMetrics,
    /// Patients called positive, per hundred patients.
    pub positive_per_hundred: f64,
    /// Missed events, per hundred patients.
    pub missed_per_hundred: f64,
    /// False alarms, per hundred patients.
    pub false_alarms_per_hundred: f64,
    /// False alarms per true positive; infinite without true positives.
    pub false_alarms_per_event: f64,
    /// Net benefit per patient, with the threshold as the exchange rate of false alarms and true positives.
    pub net_benefit: f64,
}

/// Consequences of each threshold, in the order given. A risk above the threshold is positive.
///
/// # Errors
/// [`crate::ModelError::Statistics`] when lengths differ, a risk is missing, or a threshold is outside [0, 1).
pub fn threshold_consequences(
    labels: &Labels,
    risks: &[f64],
    thresholds: &[f64],
    level: f64,
) -> Result<Vec<ThresholdConsequence>> {
    let curve = DecisionCurve::new(labels, risks, thresholds)?;
    let per_hundred = 100.0 / labels.len() as f64;
    thresholds
        .iter()
        .zip(curve.points())
        .map(|(&threshold, point)| {
            let t = ConfusionTable::at_threshold(labels, risks, threshold)?;
            Ok(ThresholdConsequence {
                threshold,
                metrics: t.metrics(ProportionInterval::Wilson, level)?,
                positive_per_hundred: (t.true_positives + t.false_positives) as f64 * per_hundred,
                missed_per_hundred: t.false_negatives as f64 * per_hundred,
                false_alarms_per_hundred: t.false_positives as f64 * per_hundred,
                false_alarms_per_event: t.false_positives as f64 / t.true_positives as f64,
                net_benefit: point.net_benefit,
            })
        })
        .collect()
}

impl Tabulate for SubgroupPerformance {
    const COLUMNS: &'static [&'static str] =
        &["subgroup", "patients", "events", "mean risk", "AUC", "AUC lower", "AUC upper", "sensitivity", "specificity"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![
            &self.subgroup,
            self.patients,
            self.events,
            self.mean_risk,
            self.auc.map(|a| a.auc),
            self.auc.map(|a| a.interval.lower),
            self.auc.map(|a| a.interval.upper),
            self.metrics.sensitivity.estimate,
            self.metrics.specificity.estimate
        ]]
    }
}

impl Tabulate for ThresholdConsequence {
    const COLUMNS: &'static [&'static str] = &[
        "threshold",
        "sensitivity",
        "specificity",
        "positive per 100",
        "missed per 100",
        "false alarms per 100",
        "false alarms per event",
        "net benefit",
    ];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![
            self.threshold,
            self.metrics.sensitivity.estimate,
            self.metrics.specificity.estimate,
            self.positive_per_hundred,
            self.missed_per_hundred,
            self.false_alarms_per_hundred,
            self.false_alarms_per_event,
            self.net_benefit
        ]]
    }
}
