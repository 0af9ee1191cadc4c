//! Performance of predictions of an ordered outcome, such as the nodal stages N0 to N3.

use ndarray::ArrayView2;

use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::delong::{AucEstimate, auc_estimate};
use crate::error::{Result, StatsError, require_count, require_finite, require_same_length};
use crate::roc::{Direction, RocCurve};
use crate::survival::{Concordance, ConcordanceParams, FollowUp, harrell_c};
use crate::{Labels, calibration};

/// Concordance of a score with an ordered outcome or a count: the probability that of two patients with different
/// outcomes the one with the higher outcome has the higher score (Harrell's C, which for two categories is the area
/// under the ROC curve). Pairs of equal outcomes count for nothing; they are `tied_time` of the result.
///
/// # Errors
/// [`StatsError::LengthMismatch`], [`StatsError::NonFinite`], [`StatsError::Undefined`] when all outcomes are equal,
/// [`StatsError::Parameter`] for the level.
///
/// ```
/// use alnm_stats::ordinal::ordinal_c;
/// let concordance = ordinal_c(&[0.0, 1.0, 2.0, 1.0], &[0.1, 0.4, 0.3, 0.2], 0.95)?;
/// // Of the five pairs of different outcomes one is in the wrong order.
/// assert_eq!((concordance.c, concordance.tied_time), (0.8, 1.0));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn ordinal_c(outcomes: &[f64], scores: &[f64], level: f64) -> Result<Concordance> {
    const OPERATION: &str = "concordance of an ordered outcome";
    require_same_length(OPERATION, outcomes.len(), scores.len())?;
    require_finite(OPERATION, outcomes)?;
    // The highest outcome takes the place of the earliest event, and no one is censored.
    let highest = outcomes.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let order = FollowUp::new(outcomes.iter().map(|y| highest - y).collect(), vec![true; outcomes.len()])?;
    harrell_c(&order, scores, ConcordanceParams::default().with_level(level)).map_err(|error| match error {
        StatsError::Undefined { .. } => {
            StatsError::Undefined { operation: OPERATION, requirement: "two patients must differ in their outcome" }
        }
        other => other,
    })
}

/// Performance of predicted probabilities of the categories of an ordered outcome.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OrdinalPerformance {
    /// Concordance of the expected category Σ k pₖ with the outcome.
    pub concordance: Concordance,
    /// Ranked probability score: mean of Σ (P(Y ≤ k) − 1[y ≤ k])² over the cuts, divided by their number; 0 is perfect,
    /// and for two categories it is the Brier score.
    pub ranked_probability_score: f64,
    /// The same when every patient is given the shares of the categories.
    pub null_score: f64,
    /// 1 − score over that of the shares; 1 is perfect, 0 no better.
    pub skill: f64,
    /// The outcome cut into two at each place.
    pub cuts: Vec<OrdinalCut>,
}

/// An ordered outcome cut into two: category `from` or above against those below.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OrdinalCut {
    /// The lowest category of the event.
    pub from: usize,
    /// Number of patients in this category or above.
    pub events: usize,
    /// Events expected, the sum of the probabilities.
    pub expected: f64,
    /// Area under the ROC curve; `None` when no patient or every patient is an event.
    pub auc: Option<AucEstimate>,
    /// Calibration of the probabilities; `None` where it is not determined, as with separated or one class of outcomes.
    pub recalibration: Option<calibration::Recalibration>,
}

/// Judges predicted probabilities, patients × categories, of an outcome with the categories 0, 1, …
///
/// # Errors
/// [`StatsError::TooFew`] for fewer than two categories or without patients, [`StatsError::LengthMismatch`],
/// [`StatsError::NonFinite`], [`StatsError::Parameter`] for a category that has no column, for probabilities outside
/// [0, 1] or that do not add to 1 within 10⁻⁶, and for the level, [`StatsError::Undefined`] when all outcomes are
/// equal.
///
/// ```
/// use alnm_stats::ordinal::ordinal_performance;
/// use ndarray::array;
/// let probabilities = array![[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.1, 0.3, 0.6]];
/// let performance = ordinal_performance(&[0, 1, 1, 2], probabilities.view(), 0.95)?;
/// assert_eq!((performance.concordance.c, performance.cuts.len()), (1.0, 2));
/// assert!(performance.skill > 0.0);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn ordinal_performance(
    outcomes: &[usize],
    probabilities: ArrayView2<'_, f64>,
    level: f64,
) -> Result<OrdinalPerformance> {
    const OPERATION: &str = "performance for an ordered outcome";
    let (patients, categories) = probabilities.dim();
    require_same_length(OPERATION, outcomes.len(), patients)?;
    require_count(OPERATION, "categories", 2, categories)?;
    require_count(OPERATION, "patients", 1, patients)?;
    if let Some(&outcome) = outcomes.iter().find(|outcome| **outcome >= categories) {
        return Err(StatsError::parameter("category of a patient", outcome, "below the number of categories"));
    }
    for row in probabilities.rows() {
        require_finite(OPERATION, &row.to_vec())?;
        if let Some(&value) = row.iter().find(|p| !(0.0..=1.0).contains(*p)) {
            return Err(StatsError::parameter("probability of a category", value, "at least 0 and at most 1"));
        }
        let total = row.sum();
        if (total - 1.0).abs() > 1e-6 {
            return Err(StatsError::parameter("sum of the probabilities of a patient", total, "1"));
        }
    }
    let n = patients as f64;
    let observed: Vec<f64> = outcomes.iter().map(|&y| y as f64).collect();
    let expected: Vec<f64> =
        probabilities.rows().into_iter().map(|row| row.iter().enumerate().map(|(k, p)| k as f64 * p).sum()).collect();
    let concordance = ordinal_c(&observed, &expected, level)?;
    let (mut score, mut null_score) = (0.0, 0.0);
    let mut cuts = Vec::with_capacity(categories - 1);
    for from in 1..categories {
        let labels = Labels::new(outcomes.iter().map(|&y| y >= from).collect());
        let risks: Vec<f64> =
            probabilities.rows().into_iter().map(|row| row.iter().skip(from).sum::<f64>().clamp(0.0, 1.0)).collect();
        let share = labels.prevalence();
        for (risk, event) in risks.iter().zip(labels.to_values()) {
            score += (risk - event).powi(2);
            null_score += (share - event).powi(2);
        }
        let both = labels.require_both(OPERATION).is_ok();
        let area = || auc_estimate(&RocCurve::new(&labels, &risks, Direction::HigherIsPositive)?, level);
        cuts.push(OrdinalCut {
            from,
            events: labels.positives(),
            expected: risks.iter().sum(),
            auc: if both { Some(area()?) } else { None },
            recalibration: calibration::recalibrate(&labels, &risks, level).ok(),
        });
    }
    let per_cut = n * (categories - 1) as f64;
    Ok(OrdinalPerformance {
        concordance,
        ranked_probability_score: score / per_cut,
        null_score: null_score / per_cut,
        skill: 1.0 - score / null_score,
        cuts,
    })
}

impl Tabulate for OrdinalPerformance {
    const COLUMNS: &'static [&'static str] =
        &["from", "events", "expected", "AUC", "AUC lower", "AUC upper", "calibration in the large", "slope"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let row = |cut: &OrdinalCut| {
            let area =
                cells![cut.auc.map(|a| a.auc), cut.auc.map(|a| a.interval.lower), cut.auc.map(|a| a.interval.upper)];
            let calibration = cells![
                cut.recalibration.as_ref().map(|r| r.in_the_large.estimate),
                cut.recalibration.as_ref().map(|r| r.slope.estimate)
            ];
            [cells![cut.from, cut.events, cut.expected], area, calibration].concat()
        };
        self.cuts.iter().map(row).collect()
    }
}
