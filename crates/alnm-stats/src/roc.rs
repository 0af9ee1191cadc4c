//! The receiver operating characteristic: curve, area, cutoffs.
//!
//! Conventions are those of pROC: thresholds lie midway between neighbouring distinct scores, with an infinite one at
//! each end.

use crate::Labels;
use crate::cells;
use crate::confusion::ConfusionTable;
use crate::data_table::{Cell, Tabulate};
use crate::describe::median;
use crate::error::{Result, StatsError, require_finite, require_same_length};

/// Which scores speak for the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Direction {
    /// High scores: controls < cases (pROC's "<"). The right choice for predicted risks.
    HigherIsPositive,
    /// Low scores: controls > cases (pROC's ">").
    LowerIsPositive,
}

impl Direction {
    /// pROC's `direction = "auto"`: [`Direction::HigherIsPositive`] when the median of the controls does not exceed
    /// that of the cases. An area below ½ remains possible; a direction chosen on the data makes the area optimistic.
    ///
    /// # Errors
    /// [`StatsError::LengthMismatch`], [`StatsError::OneClass`].
    ///
    /// ```
    /// use alnm_stats::{Labels, roc::Direction};
    /// let labels = Labels::new(vec![false, false, true, true]);
    /// assert_eq!(Direction::detect(&labels, &[0.8, 0.9, 0.1, 0.3])?, Direction::LowerIsPositive);
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn detect(labels: &Labels, scores: &[f64]) -> Result<Self> {
        labels.require_both("direction of an ROC curve")?;
        let groups = labels.split(scores)?;
        Ok(if median(&groups.negative) <= median(&groups.positive) {
            Self::HigherIsPositive
        } else {
            Self::LowerIsPositive
        })
    }

    pub(crate) fn sign(self) -> f64 {
        match self {
            Self::HigherIsPositive => 1.0,
            Self::LowerIsPositive => -1.0,
        }
    }
}

/// An ROC curve.
///
/// Points run from the threshold that calls everything positive to the one that calls nothing positive: sensitivity
/// falls from 1 to 0 and specificity rises from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct RocCurve {
    direction: Direction,
    cases: usize,
    controls: usize,
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite::list"))]
    thresholds: Vec<f64>,
    true_positives: Vec<usize>,
    false_positives: Vec<usize>,
}

/// What makes a cutoff best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CutoffCriterion {
    /// Largest sensitivity + r·specificity (Youden's index for r = 1).
    #[default]
    Youden,
    /// Smallest (1 − sensitivity)² + r·(1 − specificity)².
    ClosestTopLeft,
}

/// Relative cost of a false negative and assumed prevalence, which weigh specificity by r = (1 − prevalence)/(cost ·
/// prevalence). The default is equal weights, r = 1.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CutoffWeights {
    cost: f64,
    prevalence: f64,
}

impl CutoffWeights {
    /// Weights from the cost of a false negative relative to a false positive, above 0, and the prevalence in the
    /// target population, above 0 and below 1.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] names the one outside its range.
    pub fn new(cost: f64, prevalence: f64) -> Result<Self> {
        if !(cost > 0.0 && cost.is_finite()) {
            return Err(StatsError::parameter("cost of a false negative", cost, "above 0 and finite"));
        }
        if !(prevalence > 0.0 && prevalence < 1.0) {
            return Err(StatsError::parameter("prevalence", prevalence, "above 0 and below 1"));
        }
        Ok(Self { cost, prevalence })
    }
}

impl Default for CutoffWeights {
    /// Equal weights, r = 1.
    fn default() -> Self {
        Self { cost: 1.0, prevalence: 0.5 }
    }
}

/// A point of the curve.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OperatingPoint {
    /// Scores beyond this threshold are called positive.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub threshold: f64,
    /// The counts at this threshold.
    pub table: ConfusionTable,
}

/// Axis along which a partial area is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum PartialFocus {
    /// Specificity in the given range.
    Specificity,
    /// Sensitivity in the given range.
    Sensitivity,
}

/// A partial area under the curve.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PartialArea {
    /// Area of the strip.
    pub area: f64,
    /// McClish's correction, ½(1 + (area − min)/(max − min)); `None` below the diagonal.
    pub corrected: Option<f64>,
}

impl RocCurve {
    /// Curve of `scores` for `labels`.
    ///
    /// # Errors
    /// [`StatsError::OneClass`] when a class is absent, [`StatsError::LengthMismatch`], [`StatsError::NonFinite`] for a
    /// missing score.
    ///
    /// ```
    /// use alnm_stats::{Labels, roc::{Direction, RocCurve}};
    /// let labels = Labels::new(vec![false, false, true, false, true]);
    /// let roc = RocCurve::new(&labels, &[0.1, 0.4, 0.35, 0.2, 0.8], Direction::HigherIsPositive)?;
    /// assert!((roc.auc() - 5.0 / 6.0).abs() < 1e-15);
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn new(labels: &Labels, scores: &[f64], direction: Direction) -> Result<Self> {
        const OPERATION: &str = "ROC curve";
        require_same_length(OPERATION, labels.len(), scores.len())?;
        require_finite(OPERATION, scores)?;
        labels.require_both(OPERATION)?;
        let sign = direction.sign();
        let mut classes = [Vec::new(), Vec::new()];
        for (&score, &label) in scores.iter().zip(labels.as_slice()) {
            classes[usize::from(label)].push(sortable(sign * score));
        }
        // Integers sort several times faster than floats with a comparison function; the two classes are merged below.
        classes.iter_mut().for_each(|c| c.sort_unstable());
        let [negative, positive] = &classes;
        let (controls, cases) = (negative.len(), positive.len());

        let mut curve = Self {
            direction,
            cases,
            controls,
            thresholds: vec![f64::NEG_INFINITY * sign],
            true_positives: vec![cases],
            false_positives: vec![controls],
        };
        let (mut i, mut j) = (0, 0);
        let mut previous: Option<f64> = None;
        while i < controls || j < cases {
            let next = match (negative.get(i), positive.get(j)) {
                (Some(&a), Some(&b)) => a.min(b),
                (Some(&a), None) => a,
                (None, Some(&b)) => b,
                (None, None) => break,
            };
            let value = unsortable(next);
            if let Some(below) = previous {
                curve.thresholds.push(sign * (below / 2.0 + value / 2.0));
                curve.true_positives.push(cases - j);
                curve.false_positives.push(controls - i);
            }
            while negative.get(i) == Some(&next) {
                i += 1;
            }
            while positive.get(j) == Some(&next) {
                j += 1;
            }
            previous = Some(value);
        }
        curve.thresholds.push(f64::INFINITY * sign);
        curve.true_positives.push(0);
        curve.false_positives.push(0);
        Ok(curve)
    }

    /// Which scores speak for the event.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Number of events.
    #[must_use]
    pub fn cases(&self) -> usize {
        self.cases
    }

    /// Number of non-events.
    #[must_use]
    pub fn controls(&self) -> usize {
        self.controls
    }

    /// Thresholds of all points; the first and the last are infinite.
    #[must_use]
    pub fn thresholds(&self) -> &[f64] {
        &self.thresholds
    }

    /// Number of events called positive at each threshold, from all to none.
    #[must_use]
    pub fn true_positives(&self) -> &[usize] {
        &self.true_positives
    }

    /// Number of non-events called positive at each threshold, from all to none.
    #[must_use]
    pub fn false_positives(&self) -> &[usize] {
        &self.false_positives
    }

    /// Number of points, 2 or more.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a curve has two points or more")]
    pub fn len(&self) -> usize {
        self.thresholds.len()
    }

    /// Sensitivity at point `i`.
    ///
    /// # Panics
    /// When the curve has no such point.
    #[must_use]
    pub fn sensitivity(&self, i: usize) -> f64 {
        self.true_positives[i] as f64 / self.cases as f64
    }

    /// Specificity at point `i`.
    ///
    /// # Panics
    /// When the curve has no such point.
    #[must_use]
    pub fn specificity(&self, i: usize) -> f64 {
        (self.controls - self.false_positives[i]) as f64 / self.controls as f64
    }

    /// Sensitivities of all points.
    #[must_use]
    pub fn sensitivities(&self) -> Vec<f64> {
        (0..self.len()).map(|i| self.sensitivity(i)).collect()
    }

    /// Specificities of all points.
    #[must_use]
    pub fn specificities(&self) -> Vec<f64> {
        (0..self.len()).map(|i| self.specificity(i)).collect()
    }

    /// Area under the curve: the probability that a case scores beyond a control, ties counting one half.
    #[must_use]
    pub fn auc(&self) -> f64 {
        // Twice the number of favourable pairs is a whole number.
        let doubled: u64 = (1..self.len())
            .map(|i| {
                let controls_here = (self.false_positives[i - 1] - self.false_positives[i]) as u64;
                controls_here * (self.true_positives[i - 1] + self.true_positives[i]) as u64
            })
            .sum();
        doubled as f64 / 2.0 / (self.cases as f64 * self.controls as f64)
    }

    /// The point with index `i`.
    ///
    /// # Panics
    /// When the curve has no such point.
    #[must_use]
    pub fn point(&self, i: usize) -> OperatingPoint {
        OperatingPoint {
            threshold: self.thresholds[i],
            table: ConfusionTable {
                true_positives: self.true_positives[i],
                false_negatives: self.cases - self.true_positives[i],
                true_negatives: self.controls - self.false_positives[i],
                false_positives: self.false_positives[i],
            },
        }
    }

    /// Every point at which the criterion is best, in the order of the curve; ties are common, and pROC returns them
    /// all too.
    ///
    /// ```
    /// use alnm_stats::{Labels, roc::{CutoffCriterion, CutoffWeights, Direction, RocCurve}};
    /// let labels = Labels::new(vec![false, false, true, false, true]);
    /// let roc = RocCurve::new(&labels, &[0.1, 0.4, 0.35, 0.2, 0.8], Direction::HigherIsPositive)?;
    /// // A missed event costs five times as much as a false alarm.
    /// let best = roc.best_cutoffs(CutoffCriterion::Youden, CutoffWeights::new(5.0, 0.5)?);
    /// assert_eq!(best[0].table.sensitivity(), 1.0);
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    #[must_use]
    pub fn best_cutoffs(&self, criterion: CutoffCriterion, weights: CutoffWeights) -> Vec<OperatingPoint> {
        let scores: Vec<f64> = (0..self.len()).map(|i| self.criterion_at(i, criterion, weights)).collect();
        let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (0..self.len()).filter(|&i| scores[i] == best).map(|i| self.point(i)).collect()
    }

    /// The first point with the largest Youden index.
    ///
    /// ```
    /// use alnm_stats::{Labels, roc::{Direction, RocCurve}};
    /// let labels = Labels::new(vec![false, false, true, false, true]);
    /// let roc = RocCurve::new(&labels, &[0.1, 0.4, 0.35, 0.2, 0.8], Direction::HigherIsPositive)?;
    /// let cutoff = roc.youden_cutoff();
    /// assert_eq!((cutoff.table.sensitivity(), cutoff.table.specificity()), (1.0, 2.0 / 3.0));
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    #[must_use]
    pub fn youden_cutoff(&self) -> OperatingPoint {
        let index = |i: usize| self.criterion_at(i, CutoffCriterion::Youden, CutoffWeights::default());
        self.point((1..self.len()).fold(0, |best, i| if index(i) > index(best) { i } else { best }))
    }

    /// The criterion, larger being better.
    fn criterion_at(&self, i: usize, criterion: CutoffCriterion, weights: CutoffWeights) -> f64 {
        let r = (1.0 - weights.prevalence) / (weights.cost * weights.prevalence);
        let (sensitivity, specificity) = (self.sensitivity(i), self.specificity(i));
        match criterion {
            CutoffCriterion::Youden => sensitivity + r * specificity,
            CutoffCriterion::ClosestTopLeft => -((1.0 - sensitivity).powi(2) + r * (1.0 - specificity).powi(2)),
        }
    }

    /// Area of the strip in which the focus lies between `low` and `high`, by linear interpolation along the curve.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] unless 0 ≤ low < high ≤ 1.
    ///
    /// ```
    /// use alnm_stats::{Labels, roc::{Direction, PartialFocus, RocCurve}};
    /// let labels = Labels::new(vec![false, false, true, true]);
    /// let roc = RocCurve::new(&labels, &[0.1, 0.2, 0.3, 0.4], Direction::HigherIsPositive)?;
    /// // Of a perfect curve, the whole strip of specificities from 0.8 to 1.
    /// assert!((roc.partial_area(PartialFocus::Specificity, 0.8, 1.0)?.area - 0.2).abs() < 1e-12);
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn partial_area(&self, focus: PartialFocus, low: f64, high: f64) -> Result<PartialArea> {
        if !(0.0..=1.0).contains(&high) {
            return Err(StatsError::parameter("upper end of the partial area", high, "at least 0 and at most 1"));
        }
        if !(0.0 <= low && low < high) {
            return Err(StatsError::parameter(
                "lower end of the partial area",
                low,
                "at least 0 and below the upper end",
            ));
        }
        let (along, value) = self.axes(focus);
        let area = integrate(&along, &value, low, high);
        let (smallest, largest) = ((high - low) * (2.0 - low - high) / 2.0, high - low);
        // An area on the diagonal up to rounding is not below it.
        let corrected = (area >= smallest - 1e-12).then(|| 0.5 * (1.0 + (area - smallest) / (largest - smallest)));
        Ok(PartialArea { area, corrected })
    }

    /// Sensitivity at the given specificity, by linear interpolation along the curve.
    #[must_use]
    pub fn sensitivity_at(&self, specificity: f64) -> f64 {
        let (along, value) = self.axes(PartialFocus::Specificity);
        interpolate(&along, &value, specificity)
    }

    /// Specificity at the given sensitivity, by linear interpolation along the curve.
    #[must_use]
    pub fn specificity_at(&self, sensitivity: f64) -> f64 {
        let (along, value) = self.axes(PartialFocus::Sensitivity);
        interpolate(&along, &value, sensitivity)
    }

    /// The focus in ascending order, together with the other axis.
    fn axes(&self, focus: PartialFocus) -> (Vec<f64>, Vec<f64>) {
        match focus {
            PartialFocus::Specificity => (self.specificities(), self.sensitivities()),
            PartialFocus::Sensitivity => {
                let reversed = |v: Vec<f64>| v.into_iter().rev().collect();
                (reversed(self.sensitivities()), reversed(self.specificities()))
            }
        }
    }
}

/// Trapezoidal integral of the polyline over [low, high].
fn integrate(x: &[f64], y: &[f64], low: f64, high: f64) -> f64 {
    x.windows(2)
        .zip(y.windows(2))
        .filter(|(x, _)| x[1] > low && x[0] < high && x[1] > x[0])
        .map(|(x, y)| {
            let at = |t: f64| y[0] + (y[1] - y[0]) * (t - x[0]) / (x[1] - x[0]);
            let (a, b) = (x[0].max(low), x[1].min(high));
            (b - a) * (at(a) + at(b)) / 2.0
        })
        .sum()
}

/// Value of the falling polyline at `t`; on a vertical step its upper end.
fn interpolate(x: &[f64], y: &[f64], t: f64) -> f64 {
    let next = x.partition_point(|v| *v < t).min(x.len() - 1);
    if x[next] == t || next == 0 {
        return y[next];
    }
    y[next - 1] + (y[next] - y[next - 1]) * (t - x[next - 1]) / (x[next] - x[next - 1])
}

/// Maps finite floats to integers of the same order; both zeros map to one value.
pub(crate) fn sortable(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

fn unsortable(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    RocCurve {
        direction: Direction,
        cases: usize,
        controls: usize,
        #[serde(with = "crate::nonfinite::list")] thresholds: Vec<f64>,
        true_positives: Vec<usize>,
        false_positives: Vec<usize>,
    }
}

#[cfg(feature = "serde")]
impl RocCurve {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        let counts = [&self.true_positives, &self.false_positives];
        let points = self.thresholds.len();
        if points < 2 || counts.iter().any(|list| list.len() != points) {
            return Err(format!(
                "number of points of an ROC curve is {points}; its lists must be equally long, 2 or more"
            ));
        }
        if self.cases == 0 || self.controls == 0 {
            let (cases, controls) = (self.cases, self.controls);
            return Err(format!("numbers of cases and controls are {cases} and {controls}; both must be at least 1"));
        }
        for (list, all) in counts.iter().zip([self.cases, self.controls]) {
            if list[0] != all || list[points - 1] != 0 || list.windows(2).any(|pair| pair[0] < pair[1]) {
                return Err(format!("order of the counts of an ROC curve is wrong; they must fall from {all} to 0"));
            }
        }
        let sign = self.direction.sign();
        let ascend = self.thresholds.windows(2).all(|pair| sign * pair[0] < sign * pair[1]);
        let (first, last) = (sign * self.thresholds[0], sign * self.thresholds[points - 1]);
        if !ascend || (first, last) != (f64::NEG_INFINITY, f64::INFINITY) {
            return Err("order of the thresholds of an ROC curve is wrong; they must run between infinities".to_owned());
        }
        Ok(())
    }
}

impl Tabulate for RocCurve {
    const COLUMNS: &'static [&'static str] =
        &["threshold", "sensitivity", "specificity", "true positives", "false positives"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        (0..self.len())
            .map(|i| {
                cells![
                    self.thresholds[i],
                    self.sensitivity(i),
                    self.specificity(i),
                    self.true_positives[i],
                    self.false_positives[i]
                ]
            })
            .collect()
    }
}

impl Tabulate for OperatingPoint {
    const COLUMNS: &'static [&'static str] =
        &["threshold", "true positives", "false negatives", "true negatives", "false positives"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![
            self.threshold,
            self.table.true_positives,
            self.table.false_negatives,
            self.table.true_negatives,
            self.table.false_positives
        ]]
    }
}
