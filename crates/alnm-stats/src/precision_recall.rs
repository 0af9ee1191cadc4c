//! Precision-recall curves. Three different quantities are called the area under such a curve; each has a method of its
//! own: [`PrecisionRecallCurve::average_precision`], [`PrecisionRecallCurve::trapezoidal_area`] and
//! [`PrecisionRecallCurve::davis_goadrich_area`].

use crate::Labels;
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::error::{Result, require_finite, require_same_length};

/// Precision and recall at every distinct score ("positive when score ≥ threshold"), thresholds ascending; a last point
/// with precision 1 and recall 0 has no threshold (scikit-learn's `precision_recall_curve`).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PrecisionRecallCurve {
    thresholds: Vec<f64>,
    precision: Vec<f64>,
    recall: Vec<f64>,
    true_positives: Vec<f64>,
    false_positives: Vec<f64>,
}

impl PrecisionRecallCurve {
    /// Curve of `scores` for `labels`.
    ///
    /// # Errors
    /// [`crate::StatsError::OneClass`], [`crate::StatsError::LengthMismatch`], [`crate::StatsError::NonFinite`].
    ///
    /// ```
    /// use alnm_stats::{Labels, precision_recall::PrecisionRecallCurve};
    /// let labels = Labels::new(vec![false, false, true, true]);
    /// let curve = PrecisionRecallCurve::new(&labels, &[0.1, 0.4, 0.35, 0.8])?;
    /// assert!((curve.average_precision() - 5.0 / 6.0).abs() < 1e-15);
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn new(labels: &Labels, scores: &[f64]) -> Result<Self> {
        const OPERATION: &str = "precision-recall curve";
        require_same_length(OPERATION, labels.len(), scores.len())?;
        require_finite(OPERATION, scores)?;
        labels.require_both(OPERATION)?;
        let order = crate::rank::ascending_order(scores);
        let (mut tp, mut fp) = (labels.positives() as f64, labels.negatives() as f64);
        let events = tp;
        let mut curve = Self {
            thresholds: vec![],
            precision: vec![],
            recall: vec![],
            true_positives: vec![],
            false_positives: vec![],
        };
        for run in crate::rank::ties(scores, &order) {
            curve.thresholds.push(scores[order[run.start]]);
            curve.true_positives.push(tp);
            curve.false_positives.push(fp);
            curve.precision.push(tp / (tp + fp));
            curve.recall.push(tp / events);
            for &i in &order[run] {
                if labels.as_slice()[i] { tp -= 1.0 } else { fp -= 1.0 }
            }
        }
        curve.precision.push(1.0);
        curve.recall.push(0.0);
        Ok(curve)
    }

    /// Distinct scores in ascending order.
    #[must_use]
    pub fn thresholds(&self) -> &[f64] {
        &self.thresholds
    }

    /// Precision at each threshold, then 1.
    #[must_use]
    pub fn precision(&self) -> &[f64] {
        &self.precision
    }

    /// Recall at each threshold, then 0.
    #[must_use]
    pub fn recall(&self) -> &[f64] {
        &self.recall
    }

    /// Average precision: Σ (Rᵢ − Rᵢ₊₁) Pᵢ, the step sum.
    #[must_use]
    pub fn average_precision(&self) -> f64 {
        (0..self.thresholds.len()).map(|i| (self.recall[i] - self.recall[i + 1]) * self.precision[i]).sum()
    }

    /// Area by the trapezoidal rule, which is optimistic.
    #[must_use]
    pub fn trapezoidal_area(&self) -> f64 {
        (0..self.thresholds.len())
            .map(|i| (self.recall[i] - self.recall[i + 1]) * (self.precision[i] + self.precision[i + 1]) / 2.0)
            .sum()
    }

    /// Area under Davis and Goadrich's interpolation in its continuous form (Keilwagen, Grosse and Grau 2014; PRROC's
    /// `auc.integral`): between two points false positives grow linearly with true positives.
    #[must_use]
    pub fn davis_goadrich_area(&self) -> f64 {
        let events = self.true_positives.first().copied().unwrap_or(f64::NAN);
        let (mut area, mut tp0, mut fp0) = (0.0, 0.0, 0.0);
        for (&tp, &fp) in self.true_positives.iter().zip(&self.false_positives).rev() {
            let gained: f64 = tp - tp0;
            if gained > 0.0 {
                let slope = (fp - fp0) / gained;
                let offset: f64 = fp0 - slope * tp0;
                let scale = 1.0 + slope;
                // ∫ x/(x + slope·x + offset) dx
                area += if offset.abs() < 1e-300 {
                    gained / scale
                } else {
                    (gained - offset / scale * ((offset + scale * tp).ln() - (offset + scale * tp0).ln())) / scale
                };
            }
            (tp0, fp0) = (tp, fp);
        }
        area / events
    }

    /// Largest F1 over all thresholds.
    #[must_use]
    pub fn largest_f1(&self) -> f64 {
        self.precision
            .iter()
            .zip(&self.recall)
            .filter(|(p, r)| **p + **r > 0.0)
            .map(|(p, r)| 2.0 * p * r / (p + r))
            .fold(f64::NAN, f64::max)
    }
}

impl Tabulate for PrecisionRecallCurve {
    const COLUMNS: &'static [&'static str] = &["threshold", "precision", "recall"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        (0..self.precision.len())
            .map(|i| cells![self.thresholds.get(i).copied(), self.precision[i], self.recall[i]])
            .collect()
    }
}
