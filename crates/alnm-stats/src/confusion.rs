//! The 2 × 2 table of predicted and true class and the metrics read from it.

use crate::Labels;
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::error::{Result, require_finite, require_same_length};
use crate::proportion::{Proportion, ProportionInterval};

/// Counts of predictions against the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ConfusionTable {
    /// Events predicted as events.
    pub true_positives: usize,
    /// Events that were missed.
    pub false_negatives: usize,
    /// Non-events predicted as such.
    pub true_negatives: usize,
    /// Non-events predicted as events.
    pub false_positives: usize,
}

impl ConfusionTable {
    /// Table of the rule "positive when score > threshold".
    ///
    /// # Errors
    /// [`crate::StatsError::LengthMismatch`], [`crate::StatsError::NonFinite`] for a missing score.
    ///
    /// ```
    /// use alnm_stats::{Labels, confusion::ConfusionTable};
    /// let table = ConfusionTable::at_threshold(&Labels::new(vec![true, false, true]), &[0.9, 0.2, 0.4], 0.5)?;
    /// assert_eq!((table.sensitivity(), table.specificity()), (0.5, 1.0));
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn at_threshold(labels: &Labels, scores: &[f64], threshold: f64) -> Result<Self> {
        require_same_length("confusion table", labels.len(), scores.len())?;
        require_finite("confusion table", scores)?;
        let predicted: Vec<bool> = scores.iter().map(|s| *s > threshold).collect();
        Self::of_predictions(labels, &predicted)
    }

    /// Table of predicted classes.
    ///
    /// # Errors
    /// [`crate::StatsError::LengthMismatch`].
    pub fn of_predictions(labels: &Labels, predicted: &[bool]) -> Result<Self> {
        require_same_length("confusion table", labels.len(), predicted.len())?;
        let mut t = Self { true_positives: 0, false_negatives: 0, true_negatives: 0, false_positives: 0 };
        for (&truth, &guess) in labels.as_slice().iter().zip(predicted) {
            *match (truth, guess) {
                (true, true) => &mut t.true_positives,
                (true, false) => &mut t.false_negatives,
                (false, false) => &mut t.true_negatives,
                (false, true) => &mut t.false_positives,
            } += 1;
        }
        Ok(t)
    }

    /// Number of observations.
    #[must_use]
    pub fn total(&self) -> usize {
        self.true_positives + self.false_negatives + self.true_negatives + self.false_positives
    }

    /// TP/(TP + FN), recall. 0/0 is NaN, here and in the metrics below.
    #[must_use]
    pub fn sensitivity(&self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.false_negatives)
    }

    /// TN/(TN + FP).
    #[must_use]
    pub fn specificity(&self) -> f64 {
        ratio(self.true_negatives, self.true_negatives + self.false_positives)
    }

    /// Positive predictive value TP/(TP + FP), precision.
    #[must_use]
    pub fn positive_predictive_value(&self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.false_positives)
    }

    /// Negative predictive value TN/(TN + FN).
    #[must_use]
    pub fn negative_predictive_value(&self) -> f64 {
        ratio(self.true_negatives, self.true_negatives + self.false_negatives)
    }

    /// (TP + TN)/n.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        ratio(self.true_positives + self.true_negatives, self.total())
    }

    /// Mean of sensitivity and specificity.
    #[must_use]
    pub fn balanced_accuracy(&self) -> f64 {
        (self.sensitivity() + self.specificity()) / 2.0
    }

    /// F1 = 2TP/(2TP + FP + FN).
    #[must_use]
    pub fn f1(&self) -> f64 {
        ratio(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)
    }

    /// Youden's J = sensitivity + specificity − 1.
    #[must_use]
    pub fn youden(&self) -> f64 {
        self.sensitivity() + self.specificity() - 1.0
    }

    /// Matthews' correlation coefficient.
    #[must_use]
    pub fn matthews(&self) -> f64 {
        let [tp, fn_, tn, fp] = self.as_values();
        (tp * tn - fp * fn_) / ((tp + fp) * (tp + fn_) * (tn + fp) * (tn + fn_)).sqrt()
    }

    /// Cohen's kappa of prediction and truth.
    #[must_use]
    pub fn kappa(&self) -> f64 {
        let [tp, fn_, tn, fp] = self.as_values();
        let n = tp + fn_ + tn + fp;
        let expected = ((tp + fp) * (tp + fn_) + (fn_ + tn) * (fp + tn)) / (n * n);
        (self.accuracy() - expected) / (1.0 - expected)
    }

    /// Positive likelihood ratio, sensitivity/(1 − specificity).
    #[must_use]
    pub fn positive_likelihood_ratio(&self) -> f64 {
        self.sensitivity() / (1.0 - self.specificity())
    }

    /// Negative likelihood ratio, (1 − sensitivity)/specificity.
    #[must_use]
    pub fn negative_likelihood_ratio(&self) -> f64 {
        (1.0 - self.sensitivity()) / self.specificity()
    }

    /// Diagnostic odds ratio, TP·TN/(FP·FN).
    #[must_use]
    pub fn diagnostic_odds_ratio(&self) -> f64 {
        let [tp, fn_, tn, fp] = self.as_values();
        tp * tn / (fp * fn_)
    }

    /// Share of events.
    #[must_use]
    pub fn prevalence(&self) -> f64 {
        ratio(self.true_positives + self.false_negatives, self.total())
    }

    /// The metrics of a validation table with their confidence intervals.
    ///
    /// # Errors
    /// [`crate::StatsError::Parameter`] for the level.
    ///
    /// ```
    /// use alnm_stats::{confusion::ConfusionTable, proportion::ProportionInterval};
    /// let table = ConfusionTable { true_positives: 90, false_negatives: 10, true_negatives: 110, false_positives: 2 };
    /// let metrics = table.metrics(ProportionInterval::ClopperPearson, 0.95)?;
    /// assert!(metrics.sensitivity.estimate == 0.9 && metrics.sensitivity.interval.contains(0.9));
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn metrics(&self, method: ProportionInterval, level: f64) -> Result<ClassificationMetrics> {
        let Self { true_positives: tp, false_negatives: fn_, true_negatives: tn, false_positives: fp } = *self;
        let proportion = |count, total| Proportion::new(count, total, method, level);
        Ok(ClassificationMetrics {
            table: *self,
            sensitivity: proportion(tp, tp + fn_)?,
            specificity: proportion(tn, tn + fp)?,
            accuracy: proportion(tp + tn, self.total())?,
            positive_predictive_value: proportion(tp, tp + fp)?,
            negative_predictive_value: proportion(tn, tn + fn_)?,
            f1: self.f1(),
        })
    }

    fn as_values(&self) -> [f64; 4] {
        [self.true_positives, self.false_negatives, self.true_negatives, self.false_positives].map(|c| c as f64)
    }
}

fn ratio(a: usize, b: usize) -> f64 {
    a as f64 / b as f64
}

/// Classification metrics with intervals.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClassificationMetrics {
    /// The counts.
    pub table: ConfusionTable,
    /// Sensitivity (recall).
    pub sensitivity: Proportion,
    /// Specificity.
    pub specificity: Proportion,
    /// Accuracy.
    pub accuracy: Proportion,
    /// Positive predictive value (precision).
    pub positive_predictive_value: Proportion,
    /// Negative predictive value.
    pub negative_predictive_value: Proportion,
    /// F1 score.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub f1: f64,
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    ClassificationMetrics {
        table: ConfusionTable,
        sensitivity: Proportion,
        specificity: Proportion,
        accuracy: Proportion,
        positive_predictive_value: Proportion,
        negative_predictive_value: Proportion,
        #[serde(with = "crate::nonfinite")] f1: f64,
    }
}

#[cfg(feature = "serde")]
impl ClassificationMetrics {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        let ConfusionTable { true_positives: tp, false_negatives: fn_, true_negatives: tn, false_positives: fp } =
            self.table;
        let pairs = [
            ("sensitivity", &self.sensitivity, tp, tp + fn_),
            ("specificity", &self.specificity, tn, tn + fp),
            ("accuracy", &self.accuracy, tp + tn, self.table.total()),
            ("positive predictive value", &self.positive_predictive_value, tp, tp + fp),
            ("negative predictive value", &self.negative_predictive_value, tn, tn + fn_),
        ];
        match pairs
            .iter()
            .find(|(_, proportion, count, total)| (proportion.count, proportion.total) != (*count, *total))
        {
            Some((name, proportion, count, total)) => Err(format!(
                "{name} is {} of {}; it must be {count} of {total} as its table says",
                proportion.count, proportion.total
            )),
            None if crate::reading::near(self.f1, self.table.f1()) => Ok(()),
            None => Err(format!("F1 score is {}; it must be that of its table", self.f1)),
        }
    }
}

impl Tabulate for ClassificationMetrics {
    const COLUMNS: &'static [&'static str] = &["metric", "value", "lower", "upper", "count", "total"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let proportion =
            |name: &str, p: &Proportion| cells![name, p.estimate, p.interval.lower, p.interval.upper, p.count, p.total];
        vec![
            proportion("sensitivity", &self.sensitivity),
            proportion("specificity", &self.specificity),
            proportion("accuracy", &self.accuracy),
            proportion("positive predictive value", &self.positive_predictive_value),
            proportion("negative predictive value", &self.negative_predictive_value),
            cells!["F1", self.f1, Cell::Empty, Cell::Empty, Cell::Empty, Cell::Empty],
        ]
    }
}
