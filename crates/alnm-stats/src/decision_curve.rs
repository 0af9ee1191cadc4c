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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DecisionCurve {
    /// Share of events.
    pub prevalence: f64,
    /// One point a threshold.
    pub points: Vec<DecisionPoint>,
}

/// One threshold of a decision curve. A patient is treated when the predicted risk is at least the threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
    /// Interventions avoided a patient against treating all, (net benefit − treat all)/(t/(1 − t)); NaN at t = 0.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub interventions_avoided: f64,
}

/// The thresholds 0, 1/`steps`, 2/`steps`, … below 1. Each is one division, so that ties with rounded risks fall as
/// they read.
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
    /// assert!((curve.points[0].net_benefit - (0.5 - 0.25 * 0.3 / 0.7)).abs() < 1e-15);
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

    /// Percentile intervals of the curve at its thresholds, by the bootstrap of the patients; with
    /// [`Stratification::None`] the prevalence varies over the resamples as it would in new samples.
    ///
    /// # Errors
    /// As [`DecisionCurve::new`], [`StatsError::OneClass`], and [`StatsError::Parameter`] for the level or without
    /// resamples.
    pub fn intervals(
        labels: &Labels,
        risks: &[f64],
        thresholds: &[f64],
        stratification: Stratification,
        resampling: Resampling,
        level: f64,
    ) -> Result<Vec<DecisionInterval>> {
        require_level(level)?;
        Self::new(labels, risks, thresholds)?;
        labels.require_both("intervals of a decision curve")?;
        require_some("number of resamples", resampling.resamples)?;
        let members = Members::new(labels, risks, thresholds);
        let resampled: Vec<Vec<DecisionPoint>> = (0..resampling.resamples)
            .into_par_iter()
            .map(|b| {
                members.points(&match stratification {
                    Stratification::None => resample_rows(labels.len(), resampling.seed, b),
                    Stratification::ByOutcome => resample_stratified(labels, resampling.seed, b),
                })
            })
            .collect();
        let interval = |t: usize, value: fn(&DecisionPoint) -> f64| {
            let replicates = sorted(&observed(&resampled.iter().map(|points| value(&points[t])).collect::<Vec<_>>()));
            let at = |p| {
                if replicates.is_empty() { f64::NAN } else { quantile_of_sorted(&replicates, p, QuantileType::Type7) }
            };
            Interval { lower: at((1.0 - level) / 2.0), upper: at((1.0 + level) / 2.0), level }
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

    /// Net benefit at the given threshold, when the curve has exactly that threshold.
    #[must_use]
    pub fn net_benefit_at(&self, threshold: f64) -> Option<f64> {
        self.points.iter().find(|p| p.threshold == threshold).map(|p| p.net_benefit)
    }
}

/// Bootstrap intervals at one threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DecisionInterval {
    /// Threshold probability.
    pub threshold: f64,
    /// Interval of the net benefit.
    pub net_benefit: Interval,
    /// Interval of the standardised net benefit, over the resamples with an event.
    pub standardised_net_benefit: Interval,
    /// Interval of the interventions avoided a patient; NaN at t = 0.
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
