//! The Brier score under censoring.

use ndarray::ArrayView2;

use super::censoring::Censoring;
use super::{FollowUp, KaplanMeier, KaplanMeierParams, require_horizon, require_risks};
use crate::Interval;
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::distribution::normal_quantile;
use crate::error::{Result, StatsError, require_level, require_same_length};

/// Brier score of predicted risks at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PredictionError {
    /// The time.
    pub time: f64,
    /// Mean squared difference of risk and event by this time, weighted for censoring; 0 is perfect.
    pub brier: f64,
    /// Standard error from the influence function, the estimation of the weights included; NaN for one patient.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub standard_error: f64,
    /// Normal interval.
    pub interval: Interval,
    /// Brier score when every patient is given the risk of the Kaplan-Meier curve.
    pub null_brier: f64,
    /// 1 − Brier score over that of the Kaplan-Meier curve (index of prediction accuracy); NaN where that is 0.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub scaled: f64,
}

/// Brier score at a time, by inverse probability of censoring (Graf et al. 1999; Gerds and Schumacher 2006):
/// Σ wᵢ (yᵢ − pᵢ)²/n with yᵢ = 1 for an event by `time`, wᵢ = 1/Ĝ(T−) for an event by `time`, 1/Ĝ(time) for a longer
/// observation and 0 for a patient censored before. `risks` are the predicted risks of an event by `time`.
///
/// # Errors
/// [`StatsError::LengthMismatch`], [`StatsError::NonFinite`], [`StatsError::Parameter`] for a risk outside [0, 1], a
/// level outside (0, 1), or a time that is not above 0 or lies beyond the follow-up, [`StatsError::Undefined`] when all
/// patients who would be observed longer are censored at this time.
///
/// ```
/// use alnm_stats::survival::{FollowUp, prediction_error};
/// let follow_up = FollowUp::new(vec![1.0, 2.0, 3.0, 4.0], vec![true, true, false, true])?;
/// // No one is censored before the time 2, so that every patient counts once.
/// let error = prediction_error(&follow_up, &[0.9, 0.7, 0.2, 0.1], 2.0, 0.95)?;
/// assert!((error.brier - (0.01 + 0.09 + 0.04 + 0.01) / 4.0).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn prediction_error(follow_up: &FollowUp, risks: &[f64], time: f64, level: f64) -> Result<PredictionError> {
    const OPERATION: &str = "Brier score at a time";
    require_risks(OPERATION, follow_up, risks)?;
    require_level(level)?;
    require_horizon(follow_up, time)?;
    let censoring = Censoring::of(follow_up);
    let weights = censoring.weights(follow_up, time);
    if weights.iter().any(|w| !w.is_finite()) {
        return Err(StatsError::Undefined {
            operation: OPERATION,
            requirement: "some patient must be observed at the time without being censored",
        });
    }
    let n = risks.len() as f64;
    let event_by = |row: usize| f64::from(u8::from(follow_up.times()[row] <= time && follow_up.events()[row]));
    let losses = |risk: &dyn Fn(usize) -> f64| -> Vec<f64> {
        (0..risks.len()).map(|row| weights[row] * (event_by(row) - risk(row)).powi(2)).collect()
    };
    let of_model = losses(&|row| risks[row]);
    let brier = of_model.iter().sum::<f64>() / n;
    let through_weights = censoring.influence(follow_up, &of_model, time);
    let variance =
        of_model.iter().zip(&through_weights).map(|(loss, through)| (loss - brier + through).powi(2)).sum::<f64>();
    let standard_error = (variance / (n * (n - 1.0))).sqrt();
    let half = normal_quantile(0.5 + level / 2.0) * standard_error;
    let overall = 1.0 - KaplanMeier::fit(follow_up, KaplanMeierParams::default())?.survival_at(time);
    let null_brier = losses(&|_| overall).iter().sum::<f64>() / n;
    Ok(PredictionError {
        time,
        brier,
        standard_error,
        interval: Interval { lower: brier - half, upper: brier + half, level },
        null_brier,
        scaled: if null_brier > 0.0 { 1.0 - brier / null_brier } else { f64::NAN },
    })
}

/// Brier scores at several times and their mean over these times.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct IntegratedBrier {
    /// Integral of the Brier score from the first to the last time by the trapezoidal rule, over the length of that
    /// stretch (scikit-survival's `integrated_brier_score`).
    pub score: f64,
    /// The same of the Kaplan-Meier curve.
    pub null_score: f64,
    /// The scores at the times.
    pub at_times: Vec<PredictionError>,
}

/// Brier score integrated over `times`, which ascend. `risks` holds the risk of an event by each time, patients ×
/// times.
///
/// # Errors
/// As [`prediction_error`]; [`StatsError::TooFew`] for fewer than two times, [`StatsError::Parameter`] for times that
/// do not ascend.
///
/// ```
/// use alnm_stats::survival::{FollowUp, integrated_brier};
/// use ndarray::array;
/// let follow_up = FollowUp::new(vec![1.0, 2.0, 3.0], vec![true, true, false])?;
/// let risks = array![[0.9, 0.9], [0.2, 0.8], [0.1, 0.2]];
/// let error = integrated_brier(&follow_up, risks.view(), &[1.0, 2.0], 0.95)?;
/// assert!((error.score - (error.at_times[0].brier + error.at_times[1].brier) / 2.0).abs() < 1e-15);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn integrated_brier(
    follow_up: &FollowUp,
    risks: ArrayView2<'_, f64>,
    times: &[f64],
    level: f64,
) -> Result<IntegratedBrier> {
    const OPERATION: &str = "integrated Brier score";
    require_same_length(OPERATION, risks.ncols(), times.len())?;
    crate::error::require_count(OPERATION, "times", 2, times.len())?;
    if let Some(pair) = times.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(StatsError::parameter("time of the prediction", pair[1], "above the time before it"));
    }
    let at_times = times
        .iter()
        .zip(risks.columns())
        .map(|(&time, column)| prediction_error(follow_up, &column.to_vec(), time, level))
        .collect::<Result<Vec<_>>>()?;
    let mean = |value: fn(&PredictionError) -> f64| {
        let areas = at_times.windows(2).map(|p| (p[1].time - p[0].time) * (value(&p[0]) + value(&p[1])) / 2.0);
        areas.sum::<f64>() / (times[times.len() - 1] - times[0])
    };
    Ok(IntegratedBrier { score: mean(|p| p.brier), null_score: mean(|p| p.null_brier), at_times })
}

impl Tabulate for PredictionError {
    const COLUMNS: &'static [&'static str] = &["time", "Brier score", "SE", "lower", "upper", "Kaplan-Meier", "scaled"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let ends = [self.interval.lower, self.interval.upper];
        vec![cells![self.time, self.brier, self.standard_error, ends[0], ends[1], self.null_brier, self.scaled]]
    }
}

impl Tabulate for IntegratedBrier {
    const COLUMNS: &'static [&'static str] = PredictionError::COLUMNS;

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.at_times.rows()
    }
}
