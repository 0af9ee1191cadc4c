//! Performance within subgroups and the consequences of thresholds.

use alnm_stats::cells;
use alnm_stats::confusion::{ClassificationMetrics, ConfusionTable};
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::decision_curve::DecisionCurve;
use alnm_stats::delong::{AucEstimate, auc_estimate};
use alnm_stats::proportion::ProportionInterval;
use alnm_stats::roc::{Direction, RocCurve};
use serde::{Deserialize, Serialize};

use crate::Labels;
use crate::error::{ModelError, Result};

/// Performance in one subgroup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Metrics at the common threshold.
    pub metrics: ClassificationMetrics,
}

/// Performance of risks in every subgroup, at one threshold common to all. Subgroups come in the order of their names.
///
/// # Errors
/// [`ModelError::Statistics`] when lengths differ, a risk is missing or the level is out of range.
pub fn subgroup_performance(
    labels: &Labels,
    risks: &[f64],
    subgroup: &[String],
    threshold: f64,
    level: f64,
) -> Result<Vec<SubgroupPerformance>> {
    if subgroup.len() != labels.len() || risks.len() != labels.len() {
        return Err(ModelError::Parameter {
            name: "number of subgroup names and risks",
            range: "one a label",
            value: subgroup.len() as f64,
        });
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ThresholdConsequence {
    /// The risk threshold.
    pub threshold: f64,
    /// Counts and metrics.
    pub metrics: ClassificationMetrics,
    /// Positive calls in a hundred patients.
    pub positive_per_hundred: f64,
    /// Missed events in a hundred patients.
    pub missed_per_hundred: f64,
    /// False alarms in a hundred patients.
    pub false_alarms_per_hundred: f64,
    /// False alarms for each true positive.
    pub false_alarms_per_event: f64,
    /// Net benefit, with the threshold as the exchange rate.
    pub net_benefit: f64,
}

/// Consequences of each threshold, in the order given. A risk above the threshold is positive.
///
/// # Errors
/// [`ModelError::Statistics`] when lengths differ, a risk is missing, or a threshold is outside [0, 1).
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
