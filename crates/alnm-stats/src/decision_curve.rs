//! Decision curve analysis (Vickers and Elkin 2006).

use crate::Labels;
use crate::error::{Result, StatsError, require_finite, require_same_length};
use serde::{Deserialize, Serialize};

/// Net benefit of a model over a range of threshold probabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionCurve {
    /// Share of events.
    pub prevalence: f64,
    /// One point a threshold.
    pub points: Vec<DecisionPoint>,
}

/// One threshold of a decision curve. A patient is treated when the predicted risk is at least the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DecisionPoint {
    /// Threshold probability t.
    pub threshold: f64,
    /// True positives over all patients.
    pub true_positive_rate: f64,
    /// False positives over all patients.
    pub false_positive_rate: f64,
    /// Net benefit TP/n − FP/n · t/(1 − t).
    pub net_benefit: f64,
    /// Net benefit over the prevalence, at most 1.
    #[serde(with = "crate::nonfinite")]
    pub standardised_net_benefit: f64,
    /// Net benefit of treating all: prevalence − (1 − prevalence) · t/(1 − t). Treating none has net benefit 0.
    pub treat_all: f64,
    /// Interventions avoided a patient against treating all, (net benefit − treat all)/(t/(1 − t)); NaN at t = 0.
    #[serde(with = "crate::nonfinite")]
    pub interventions_avoided: f64,
}

/// The thresholds 0, 1/`steps`, 2/`steps`, … below 1. Each is one division, so that ties with rounded risks fall as they read.
#[must_use]
pub fn even_thresholds(steps: u32) -> Vec<f64> {
    (0..steps).map(|i| f64::from(i) / f64::from(steps)).collect()
}

impl DecisionCurve {
    /// Decision curve of the predicted risks.
    ///
    /// # Errors
    /// [`StatsError::LengthMismatch`], [`StatsError::TooFew`] without patients, [`StatsError::NonFinite`] for a missing risk,
    /// [`StatsError::Parameter`] for a threshold outside [0, 1).
    ///
    /// ```
    /// use alnm_stats::{Labels, decision_curve::DecisionCurve};
    /// let labels = Labels::new(vec![true, false, true, false]);
    /// let curve = DecisionCurve::new(&labels, &[0.9, 0.2, 0.6, 0.4], &[0.3])?;
    /// assert!((curve.points[0].net_benefit - (0.5 - 0.25 * 0.3 / 0.7)).abs() < 1e-15);
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn new(labels: &Labels, risks: &[f64], thresholds: &[f64]) -> Result<Self> {
        const OPERATION: &str = "decision curve";
        require_same_length(OPERATION, labels.len(), risks.len())?;
        crate::error::require_count(OPERATION, 1, risks.len())?;
        require_finite(OPERATION, risks)?;
        if let Some(&value) = thresholds.iter().find(|t| !(0.0..1.0).contains(*t)) {
            return Err(StatsError::Parameter { name: "threshold probability", range: "[0, 1)", value });
        }
        let prevalence = labels.prevalence();
        let n = risks.len() as f64;
        let points = thresholds
            .iter()
            .map(|&threshold| {
                let (mut tp, mut fp) = (0usize, 0usize);
                for (&risk, &label) in risks.iter().zip(labels.as_slice()) {
                    let treated = risk >= threshold;
                    tp += usize::from(treated && label);
                    fp += usize::from(treated && !label);
                }
                let odds = threshold / (1.0 - threshold);
                let (tp, fp) = (tp as f64 / n, fp as f64 / n);
                let net_benefit = tp - fp * odds;
                let treat_all = prevalence - (1.0 - prevalence) * odds;
                DecisionPoint {
                    threshold,
                    true_positive_rate: tp,
                    false_positive_rate: fp,
                    net_benefit,
                    standardised_net_benefit: net_benefit / prevalence,
                    treat_all,
                    interventions_avoided: (net_benefit - treat_all) / odds,
                }
            })
            .collect();
        Ok(Self { prevalence, points })
    }

    /// Net benefit at the given threshold, when the curve has exactly that threshold.
    #[must_use]
    pub fn net_benefit_at(&self, threshold: f64) -> Option<f64> {
        self.points.iter().find(|p| p.threshold == threshold).map(|p| p.net_benefit)
    }
}
