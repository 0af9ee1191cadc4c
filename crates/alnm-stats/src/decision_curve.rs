//! Decision curve analysis (Vickers and Elkin 2006).

use rayon::prelude::*;

use crate::bootstrap::{Resampling, resample_rows, resample_stratified};
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::describe::{QuantileType, quantile_of_sorted, sorted};
use crate::error::{
    Result, StatsError, require_count, require_finite, require_level, require_same_length, require_some,
};
use crate::missing::observed;
use crate::optimism::Stratification;
use crate::{Interval, Labels};

/// Net benefit of a model over a range of threshold probabilities.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DecisionCurve {
    prevalence: f64,
    points: Vec<DecisionPoint>,
}

/// How bootstrap intervals of a decision curve are made.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `resampling` | 2000 resamples, seed 0 | Number of resamples of the patients, and the seed. | at least 1 resample |
/// | `stratification` | by outcome | Whether resamples keep the number of events. Without, the prevalence varies over the resamples as it would in new samples. | |
/// | `level` | 0.95 | Confidence level. | above 0, below 1 |
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct DecisionIntervalParams {
    /// Number of resamples and seed.
    pub resampling: Resampling,
    /// Whether resamples keep the number of events.
    pub stratification: Stratification,
    /// Confidence level.
    pub level: f64,
}

impl Default for DecisionIntervalParams {
    fn default() -> Self {
        Self { resampling: Resampling::default(), stratification: Stratification::ByOutcome, level: 0.95 }
    }
}

impl DecisionIntervalParams {
    /// Sets the number of resamples and the seed.
    pub fn with_resampling(self, resampling: Resampling) -> Self {
        Self { resampling, ..self }
    }

    /// Sets whether resamples keep the number of events.
    pub fn with_stratification(self, stratification: Stratification) -> Self {
        Self { stratification, ..self }
    }

    /// Sets the confidence level.
    pub fn with_level(self, level: f64) -> Self {
        Self { level, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] names the first that lies outside its range.
    pub fn check(self) -> Result<DecisionIntervals> {
        require_level(self.level)?;
        require_some("number of resamples", self.resampling.resamples)?;
        Ok(DecisionIntervals(self))
    }
}

/// The bootstrap of decision curves, with checked parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DecisionIntervals(DecisionIntervalParams);

/// One threshold of a decision curve. A patient is treated when the predicted risk is at least the threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
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
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub standardised_net_benefit: f64,
    /// Net benefit of treating all: prevalence − (1 − prevalence) · t/(1 − t). Treating none has net benefit 0.
    pub treat_all: f64,
    /// Interventions avoided per patient, compared with treating all, (net benefit − treat all)/(t/(1 − t)); NaN at t =
    /// 0.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub interventions_avoided: f64,
}

/// The thresholds 0, 1/`steps`, 2/`steps`, … below 1. Each is computed by one division, so that a risk
/// rounded to as many digits reaches its threshold.
///
/// ```
/// assert_eq!(alnm_stats::decision_curve::even_thresholds(4), [0.0, 0.25, 0.5, 0.75]);
/// ```
#[must_use]
pub fn even_thresholds(steps: u32) -> Vec<f64> {
    (0..steps).map(|i| f64::from(i) / f64::from(steps)).collect()
}

impl DecisionCurve {
    /// Decision curve of the predicted risks.
    ///
    /// # Errors
    /// [`StatsError::LengthMismatch`], [`StatsError::TooFew`] without patients, [`StatsError::NonFinite`] for a missing
    /// risk, [`StatsError::Parameter`] for a threshold outside [0, 1).
    ///
    /// ```
    /// use alnm_stats::{Labels, decision_curve::DecisionCurve};
    /// let labels = Labels::new(vec![true, false, true, false]);
    /// let curve = DecisionCurve::new(&labels, &[0.9, 0.2, 0.6, 0.4], &[0.3])?;
    /// assert!((curve.points()[0].net_benefit - (0.5 - 0.25 * 0.3 / 0.7)).abs() < 1e-15);
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn new(labels: &Labels, risks: &[f64], thresholds: &[f64]) -> Result<Self> {
        const OPERATION: &str = "decision curve";
        require_same_length(OPERATION, labels.len(), risks.len())?;
        require_count(OPERATION, "observations", 1, risks.len())?;
        require_finite(OPERATION, risks)?;
        if let Some(&value) = thresholds.iter().find(|t| !(0.0..1.0).contains(*t)) {
            return Err(StatsError::parameter("threshold probability", value, "at least 0 and below 1"));
        }
        let members = Members::new(labels, risks, thresholds);
        let all: Vec<usize> = (0..risks.len()).collect();
        Ok(Self { prevalence: labels.prevalence(), points: members.points(&all) })
    }

    /// Decision curve in a population of the given prevalence, from the sensitivity and specificity of these patients.
    /// This is the curve of a case-control sample, whose own share of events means nothing: net benefit = sensitivity ·
    /// π − (1 − specificity)(1 − π) t/(1 − t) (`dcurves`, argument `prevalence`).
    ///
    /// # Errors
    /// As [`DecisionCurve::new`]; [`StatsError::OneClass`], [`StatsError::Parameter`] for a prevalence outside (0, 1).
    ///
    /// ```
    /// use alnm_stats::{Labels, decision_curve::DecisionCurve};
    /// let labels = Labels::new(vec![true, false, true, false]);
    /// // One case in two and no control is at or above the threshold; one patient in ten is a case.
    /// let curve = DecisionCurve::with_prevalence(&labels, &[0.9, 0.2, 0.3, 0.4], &[0.5], 0.1)?;
    /// assert!((curve.points()[0].net_benefit - 0.05).abs() < 1e-15);
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn with_prevalence(labels: &Labels, risks: &[f64], thresholds: &[f64], prevalence: f64) -> Result<Self> {
        let own = Self::new(labels, risks, thresholds)?;
        labels.require_both("decision curve of a given prevalence")?;
        if !(prevalence > 0.0 && prevalence < 1.0) {
            return Err(StatsError::parameter("prevalence", prevalence, "above 0 and below 1"));
        }
        let (events, others) = (prevalence / own.prevalence, (1.0 - prevalence) / (1.0 - own.prevalence));
        let point = |p: &DecisionPoint| {
            DecisionPoint::new(p.threshold, p.true_positive_rate * events, p.false_positive_rate * others, prevalence)
        };
        Ok(Self { prevalence, points: own.points.iter().map(point).collect() })
    }

    /// Share of events.
    #[must_use]
    pub fn prevalence(&self) -> f64 {
        self.prevalence
    }

    /// One point per threshold, in the order in which the thresholds were given.
    #[must_use]
    pub fn points(&self) -> &[DecisionPoint] {
        &self.points
    }

    /// Percentile intervals of the curve at its thresholds, under parameters that are checked first.
    ///
    /// # Errors
    /// As [`DecisionIntervalParams::check`] and [`DecisionIntervals::of`].
    ///
    /// ```
    /// use alnm_stats::Labels;
    /// use alnm_stats::bootstrap::Resampling;
    /// use alnm_stats::decision_curve::{DecisionCurve, DecisionIntervalParams};
    /// let labels = Labels::new(vec![true, false, true, false]);
    /// let params = DecisionIntervalParams::default().with_resampling(Resampling::new(200, 1));
    /// let intervals = DecisionCurve::intervals(&labels, &[0.9, 0.2, 0.6, 0.4], &[0.3], params)?;
    /// assert!(intervals[0].net_benefit.contains(0.5 - 0.25 * 0.3 / 0.7));
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn intervals(
        labels: &Labels,
        risks: &[f64],
        thresholds: &[f64],
        params: DecisionIntervalParams,
    ) -> Result<Vec<DecisionInterval>> {
        params.check()?.of(labels, risks, thresholds)
    }

    /// Net benefit at the given threshold, when the curve has exactly that threshold.
    #[must_use]
    pub fn net_benefit_at(&self, threshold: f64) -> Option<f64> {
        self.points.iter().find(|p| p.threshold == threshold).map(|p| p.net_benefit)
    }
}

impl DecisionIntervals {
    /// Difference of the net benefits of two models of the same patients, first less second, with percentile intervals:
    /// each resample of the patients gives both curves, so that what they share cancels.
    ///
    /// # Errors
    /// As [`DecisionCurve::new`], and [`StatsError::OneClass`].
    ///
    /// ```
    /// use alnm_stats::Labels;
    /// use alnm_stats::bootstrap::Resampling;
    /// use alnm_stats::decision_curve::DecisionIntervalParams;
    /// let labels = Labels::new(vec![true, false, true, false, false]);
    /// let intervals = DecisionIntervalParams::default().with_resampling(Resampling::new(200, 1)).check()?;
    /// let differences =
    ///     intervals.difference(&labels, &[0.9, 0.2, 0.6, 0.4, 0.1], &[0.9, 0.2, 0.1, 0.4, 0.1], &[0.5])?;
    /// assert!((differences[0].difference - 0.2).abs() < 1e-15);
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn difference(
        &self,
        labels: &Labels,
        first: &[f64],
        second: &[f64],
        thresholds: &[f64],
    ) -> Result<Vec<NetBenefitDifference>> {
        let curves = [DecisionCurve::new(labels, first, thresholds)?, DecisionCurve::new(labels, second, thresholds)?];
        labels.require_both("difference of two decision curves")?;
        let members = [Members::new(labels, first, thresholds), Members::new(labels, second, thresholds)];
        let resampled: Vec<Vec<f64>> = (0..self.0.resampling.resamples)
            .into_par_iter()
            .map(|b| {
                let rows = self.rows(labels, b);
                let [first, second] = [members[0].points(&rows), members[1].points(&rows)];
                first.iter().zip(&second).map(|(a, b)| a.net_benefit - b.net_benefit).collect()
            })
            .collect();
        Ok((0..thresholds.len())
            .map(|t| {
                let replicates: Vec<f64> = resampled.iter().map(|differences| differences[t]).collect();
                NetBenefitDifference {
                    threshold: thresholds[t],
                    difference: curves[0].points[t].net_benefit - curves[1].points[t].net_benefit,
                    interval: percentile_interval(&replicates, self.0.level),
                }
            })
            .collect())
    }

    /// The rows of a resample.
    fn rows(&self, labels: &Labels, resample: usize) -> Vec<usize> {
        match self.0.stratification {
            Stratification::None => resample_rows(labels.len(), self.0.resampling.seed, resample),
            Stratification::ByOutcome => resample_stratified(labels, self.0.resampling.seed, resample),
        }
    }

    /// Percentile intervals of a decision curve at the thresholds, by the bootstrap of the patients.
    ///
    /// # Errors
    /// As [`DecisionCurve::new`], and [`StatsError::OneClass`].
    pub fn of(&self, labels: &Labels, risks: &[f64], thresholds: &[f64]) -> Result<Vec<DecisionInterval>> {
        DecisionCurve::new(labels, risks, thresholds)?;
        labels.require_both("intervals of a decision curve")?;
        let members = Members::new(labels, risks, thresholds);
        let resampled: Vec<Vec<DecisionPoint>> =
            (0..self.0.resampling.resamples).into_par_iter().map(|b| members.points(&self.rows(labels, b))).collect();
        let interval = |t: usize, value: fn(&DecisionPoint) -> f64| {
            let replicates: Vec<f64> = resampled.iter().map(|points| value(&points[t])).collect();
            percentile_interval(&replicates, self.0.level)
        };
        Ok((0..thresholds.len())
            .map(|t| DecisionInterval {
                threshold: thresholds[t],
                net_benefit: interval(t, |p| p.net_benefit),
                standardised_net_benefit: interval(t, |p| p.standardised_net_benefit),
                interventions_avoided: interval(t, |p| p.interventions_avoided),
            })
            .collect())
    }
}

/// Percentile interval of the replicates that have a value; NaN where none has.
fn percentile_interval(replicates: &[f64], level: f64) -> Interval {
    let replicates = sorted(&observed(replicates));
    let at = |p| if replicates.is_empty() { f64::NAN } else { quantile_of_sorted(&replicates, p, QuantileType::Type7) };
    Interval { lower: at((1.0 - level) / 2.0), upper: at((1.0 + level) / 2.0), level }
}

/// Difference of two net benefits at one threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct NetBenefitDifference {
    /// Threshold probability.
    pub threshold: f64,
    /// Net benefit of the first model less that of the second.
    pub difference: f64,
    /// Percentile interval of the difference.
    pub interval: Interval,
}

/// Bootstrap intervals at one threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DecisionInterval {
    /// Threshold probability.
    pub threshold: f64,
    /// Interval of the net benefit.
    pub net_benefit: Interval,
    /// Interval of the standardised net benefit, over the resamples with an event.
    pub standardised_net_benefit: Interval,
    /// Interval of the interventions avoided per patient; NaN at t = 0.
    pub interventions_avoided: Interval,
}

/// For each patient the label and the number of ascending thresholds that the risk reaches.
struct Members<'a> {
    labels: &'a [bool],
    thresholds: &'a [f64],
    /// Positions of the thresholds in ascending order.
    order: Vec<usize>,
    reached: Vec<usize>,
}

impl<'a> Members<'a> {
    fn new(labels: &'a Labels, risks: &[f64], thresholds: &'a [f64]) -> Self {
        let order = crate::rank::ascending_order(thresholds);
        let reached = risks.iter().map(|risk| order.partition_point(|&t| thresholds[t] <= *risk)).collect();
        Self { labels: labels.as_slice(), thresholds, order, reached }
    }

    /// The curve of some rows, in the order of the thresholds as given.
    fn points(&self, rows: &[usize]) -> Vec<DecisionPoint> {
        let mut counts = vec![[0usize; 2]; self.thresholds.len() + 1];
        for &r in rows {
            counts[self.reached[r]][usize::from(self.labels[r])] += 1;
        }
        let n = rows.len() as f64;
        let prevalence = counts.iter().map(|c| c[1]).sum::<usize>() as f64 / n;
        let mut points: Vec<(usize, DecisionPoint)> = Vec::with_capacity(self.thresholds.len());
        let (mut tp, mut fp) = (0, 0);
        for (place, &t) in self.order.iter().enumerate().rev() {
            fp += counts[place + 1][0];
            tp += counts[place + 1][1];
            points.push((t, DecisionPoint::new(self.thresholds[t], tp as f64 / n, fp as f64 / n, prevalence)));
        }
        points.sort_unstable_by_key(|(t, _)| *t);
        points.into_iter().map(|(_, point)| point).collect()
    }
}

impl DecisionPoint {
    fn new(threshold: f64, tp: f64, fp: f64, prevalence: f64) -> Self {
        let odds = threshold / (1.0 - threshold);
        let net_benefit = tp - fp * odds;
        let treat_all = prevalence - (1.0 - prevalence) * odds;
        Self {
            threshold,
            true_positive_rate: tp,
            false_positive_rate: fp,
            net_benefit,
            standardised_net_benefit: net_benefit / prevalence,
            treat_all,
            interventions_avoided: (net_benefit - treat_all) / odds,
        }
    }
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    DecisionCurve {
        prevalence: f64,
        points: Vec<DecisionPoint>,
    }
}

#[cfg(feature = "serde")]
impl DecisionCurve {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        let in_range = |p: &DecisionPoint| {
            let expected =
                DecisionPoint::new(p.threshold, p.true_positive_rate, p.false_positive_rate, self.prevalence);
            let figures =
                |p: &DecisionPoint| [p.net_benefit, p.standardised_net_benefit, p.treat_all, p.interventions_avoided];
            (0.0..1.0).contains(&p.threshold)
                && (0.0..=self.prevalence + 1e-9).contains(&p.true_positive_rate)
                && (0.0..=1.0 - self.prevalence + 1e-9).contains(&p.false_positive_rate)
                && figures(p).into_iter().zip(figures(&expected)).all(|(a, b)| crate::reading::near(a, b))
        };
        crate::reading::require_share("prevalence of a decision curve", self.prevalence)?;
        match self.points.iter().find(|p| !in_range(p)) {
            Some(p) => {
                let threshold = p.threshold;
                Err(format!(
                    "a threshold of a decision curve is {threshold}; its net benefit must follow from its rates"
                ))
            }
            None => Ok(()),
        }
    }
}

impl Tabulate for DecisionCurve {
    const COLUMNS: &'static [&'static str] = &[
        "threshold",
        "true positive rate",
        "false positive rate",
        "net benefit",
        "standardised net benefit",
        "treat all",
        "interventions avoided",
    ];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let row = |p: &DecisionPoint| {
            let rates = cells![p.threshold, p.true_positive_rate, p.false_positive_rate];
            [rates, cells![p.net_benefit, p.standardised_net_benefit, p.treat_all, p.interventions_avoided]].concat()
        };
        self.points.iter().map(row).collect()
    }
}

impl Tabulate for NetBenefitDifference {
    const COLUMNS: &'static [&'static str] = &["threshold", "difference", "lower", "upper"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![self.threshold, self.difference, self.interval.lower, self.interval.upper]]
    }
}

impl Tabulate for DecisionInterval {
    const COLUMNS: &'static [&'static str] = &[
        "threshold",
        "net benefit lower",
        "net benefit upper",
        "standardised lower",
        "standardised upper",
        "interventions avoided lower",
        "interventions avoided upper",
    ];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let ends = [self.net_benefit, self.standardised_net_benefit, self.interventions_avoided]
            .into_iter()
            .flat_map(|i| cells![i.lower, i.upper]);
        vec![cells![self.threshold].into_iter().chain(ends).collect()]
    }
}
