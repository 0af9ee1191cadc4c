//! The Kaplan-Meier curve.

use super::FollowUp;
use crate::Interval;
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::distribution::normal_quantile;
use crate::error::{Result, StatsError, require_count, require_level};

/// Scale on which the interval of a survival probability is symmetric. Intervals are cut to [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SurvivalInterval {
    /// ln S, R's default.
    #[default]
    Log,
    /// ln(−ln S); stays within [0, 1] by itself.
    LogLog,
    /// S itself.
    Plain,
}

/// How the intervals of a survival curve are made.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0.95 | confidence level of the pointwise intervals | above 0, below 1 |
/// | `interval` | log | scale of the intervals (`conf.type` of R's `survfit`) | |
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct KaplanMeierParams {
    /// Confidence level of the pointwise intervals.
    pub level: f64,
    /// Scale of the intervals.
    pub interval: SurvivalInterval,
}

impl Default for KaplanMeierParams {
    fn default() -> Self {
        Self { level: 0.95, interval: SurvivalInterval::Log }
    }
}

impl KaplanMeierParams {
    /// Sets the confidence level of the pointwise intervals.
    pub fn with_level(self, level: f64) -> Self {
        Self { level, ..self }
    }

    /// Sets the scale of the intervals.
    pub fn with_interval(self, interval: SurvivalInterval) -> Self {
        Self { interval, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] for the level.
    pub fn check(self) -> Result<KaplanMeierRules> {
        require_level(self.level)?;
        Ok(KaplanMeierRules(self))
    }
}

/// The rules of a Kaplan-Meier curve, with checked parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KaplanMeierRules(KaplanMeierParams);

/// A Kaplan-Meier curve, S(t) = Π (1 − d/n) over the times up to t, with d events among n patients at risk.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct KaplanMeier {
    points: Vec<SurvivalPoint>,
    level: f64,
}

/// The curve at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SurvivalPoint {
    /// Time at which an observation ended.
    pub time: f64,
    /// Number of patients at risk just before.
    pub at_risk: usize,
    /// Number of events at this time.
    pub events: usize,
    /// Number of patients censored at this time.
    pub censored: usize,
    /// Survival just after this time.
    pub survival: f64,
    /// Greenwood's standard error of the survival, S √(Σ d/(n(n − d))); NaN where the survival is 0.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub standard_error: f64,
    /// Pointwise interval; NaN where the survival is 0.
    pub interval: Interval,
}

/// A quantile of the time to the event, with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SurvivalTime {
    /// The time, if the curve falls so far.
    pub estimate: Option<f64>,
    /// Lower end of the interval, where the lower ends of the survival fall so far.
    pub lower: Option<f64>,
    /// Upper end, where the upper ends do.
    pub upper: Option<f64>,
    /// Confidence level.
    pub level: f64,
}

impl KaplanMeier {
    /// The curve of all patients, under parameters that are checked first.
    ///
    /// # Errors
    /// As [`KaplanMeierParams::check`] and [`KaplanMeierRules::fit`].
    ///
    /// ```
    /// use alnm_stats::survival::{FollowUp, KaplanMeier, KaplanMeierParams};
    /// let follow_up = FollowUp::new(vec![1.0, 2.0, 2.0, 3.0], vec![true, true, false, true])?;
    /// let curve = KaplanMeier::fit(&follow_up, KaplanMeierParams::default())?;
    /// assert_eq!(curve.survival_at(2.5), 0.75 * (1.0 - 1.0 / 3.0));
    /// assert_eq!(curve.quantile(0.5)?.estimate, Some(2.5));
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn fit(follow_up: &FollowUp, params: KaplanMeierParams) -> Result<Self> {
        params.check()?.fit(follow_up)
    }

    /// The curve at every time at which an observation ended, in ascending order.
    #[must_use]
    pub fn points(&self) -> &[SurvivalPoint] {
        &self.points
    }

    /// The last point at or before `time`; none before the first.
    #[must_use]
    pub fn point_at(&self, time: f64) -> Option<&SurvivalPoint> {
        self.points[..self.points.partition_point(|p| p.time <= time)].last()
    }

    /// Survival S(t) just after `time`: 1 before the first observation ends. Beyond the longest follow-up it is the
    /// last value, which says nothing of that time.
    #[must_use]
    pub fn survival_at(&self, time: f64) -> f64 {
        self.point_at(time).map_or(1.0, |p| p.survival)
    }

    /// The time by which a share `p` of the patients has had the event, 0.5 for the median: the first time at which the
    /// survival is below 1 − p. Where the curve runs level at 1 − p, it is the middle of that stretch, as in R.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] for a share outside (0, 1).
    pub fn quantile(&self, p: f64) -> Result<SurvivalTime> {
        if !(p > 0.0 && p < 1.0) {
            return Err(StatsError::parameter("share of patients with the event", p, "above 0 and below 1"));
        }
        Ok(SurvivalTime {
            estimate: self.first_below(1.0 - p, |point| point.survival),
            lower: self.first_below(1.0 - p, |point| point.interval.lower),
            upper: self.first_below(1.0 - p, |point| point.interval.upper),
            level: self.level,
        })
    }

    /// The time at which a curve falls below `height`. A value within rounding of the height is taken for it.
    fn first_below(&self, height: f64, value: impl Fn(&SurvivalPoint) -> f64) -> Option<f64> {
        const ROUNDING: f64 = 1.5e-8;
        let reached = self.points.iter().position(|p| value(p) < height + ROUNDING)?;
        if value(&self.points[reached]) < height - ROUNDING {
            return Some(self.points[reached].time);
        }
        let end = self.points[reached..].iter().find(|p| value(p) < height - ROUNDING).or(self.points.last())?;
        Some((self.points[reached].time + end.time) / 2.0)
    }
}

impl KaplanMeierRules {
    /// The curve of all patients.
    ///
    /// # Errors
    /// [`StatsError::TooFew`] without patients.
    pub fn fit(&self, follow_up: &FollowUp) -> Result<KaplanMeier> {
        require_count("Kaplan-Meier curve", "patients", 1, follow_up.len())?;
        let KaplanMeierParams { level, interval } = self.0;
        let z = normal_quantile(0.5 + level / 2.0);
        let (mut survival, mut greenwood) = (1.0, 0.0);
        let points = follow_up
            .time_points()
            .iter()
            .map(|point| {
                let (d, n) = (point.events as f64, point.at_risk as f64);
                survival *= (n - d) / n;
                greenwood += d / (n * (n - d));
                let error = f64::sqrt(greenwood);
                let (lower, upper) = ends(survival, error, z, interval);
                SurvivalPoint {
                    time: point.time,
                    at_risk: point.at_risk,
                    events: point.events,
                    censored: point.censored(),
                    survival,
                    standard_error: survival * error,
                    interval: Interval { lower, upper, level },
                }
            })
            .collect();
        Ok(KaplanMeier { points, level })
    }
}

/// Ends of the interval of a survival whose logarithm has the standard error `error`.
fn ends(survival: f64, error: f64, z: f64, scale: SurvivalInterval) -> (f64, f64) {
    if survival == 0.0 {
        return (f64::NAN, f64::NAN);
    }
    if error == 0.0 {
        return (survival, survival);
    }
    let (lower, upper) = match scale {
        SurvivalInterval::Log => (survival * (-z * error).exp(), survival * (z * error).exp()),
        SurvivalInterval::LogLog => {
            let width = (z * error / survival.ln().abs()).exp();
            (survival.powf(width), survival.powf(1.0 / width))
        }
        SurvivalInterval::Plain => (survival * (1.0 - z * error), survival * (1.0 + z * error)),
    };
    (lower.max(0.0), upper.min(1.0))
}

impl Tabulate for KaplanMeier {
    const COLUMNS: &'static [&'static str] =
        &["time", "at risk", "events", "censored", "survival", "SE", "lower", "upper"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.points
            .iter()
            .map(|p| {
                let ends = [p.interval.lower, p.interval.upper];
                cells![p.time, p.at_risk, p.events, p.censored, p.survival, p.standard_error, ends[0], ends[1]]
            })
            .collect()
    }
}
