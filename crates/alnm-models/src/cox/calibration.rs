//! Smooth calibration of predicted risks of an event by a time.

use alnm_stats::Interval;
use alnm_stats::calibration::CalibrationError;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::distribution::normal_quantile;
use alnm_stats::restricted_spline::RestrictedSpline;

use super::{CoxModel, CoxParams};
use crate::error::{ModelError, Result};
use crate::logistic::Term;
use crate::{FeatureTable, FollowUp};

/// What the calibration of risks by a time says: a smooth curve and the slope.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SmoothSurvivalCalibration {
    /// The time.
    pub time: f64,
    /// The curve in ascending order of the predicted risk, one point for each distinct risk.
    pub points: Vec<SurvivalCurveCalibration>,
    /// Distance of the curve from the diagonal, over the patients (ICI, E50, E90, Emax).
    pub error: CalibrationError,
    /// Calibration slope: coefficient of ln(−ln(1 − risk)) in a Cox regression; 1 is perfect, below 1 means risks too
    /// extreme.
    pub slope: Term,
}

/// A point of the calibration curve.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SurvivalCurveCalibration {
    /// Predicted risk.
    pub risk: f64,
    /// Smoothed observed risk.
    pub observed: f64,
    /// Pointwise interval of the observed risk. The baseline hazard is taken as known.
    pub interval: Interval,
}

/// Smooth calibration of the risks of an event by `time` (Austin, Harrell and van Klaveren 2020): a Cox regression on a
/// restricted cubic spline of ln(−ln(1 − risk)) with `knots` knots, and the risk by `time` that it gives.
///
/// # Errors
/// [`ModelError::Statistics`] without an event, for a risk that is not above 0 and below 1, for knots that tied risks
/// make equal, and for a level outside (0, 1); [`ModelError::Selection`] when risks and patients differ in number;
/// [`ModelError::Separated`] when the risks order the events perfectly.
///
/// ```
/// use alnm_models::FollowUp;
/// use alnm_models::cox::survival_calibration_curve;
/// let times: Vec<f64> = (0..40).map(|i| f64::from((i * 7) % 40) + 1.0).collect();
/// let follow_up = FollowUp::new(times.clone(), (0..40).map(|i| i % 4 != 0).collect())?;
/// let risks: Vec<f64> = times.iter().enumerate().map(|(i, t)| 0.8 - t / 80.0 + (i % 5) as f64 / 40.0).collect();
/// let calibration = survival_calibration_curve(&follow_up, &risks, 20.0, 3, 0.95)?;
/// assert!(calibration.slope.estimate > 1.0);
/// # Ok::<(), alnm_models::ModelError>(())
/// ```
pub fn survival_calibration_curve(
    follow_up: &FollowUp,
    risks: &[f64],
    time: f64,
    knots: usize,
    level: f64,
) -> Result<SmoothSurvivalCalibration> {
    if let Some(&risk) = risks.iter().find(|risk| !(**risk > 0.0 && **risk < 1.0)) {
        return Err(ModelError::parameter("predicted risk", risk, "above 0 and below 1"));
    }
    let scale: Vec<f64> = risks.iter().map(|risk| (-(-risk).ln_1p()).ln()).collect();
    let params = CoxParams::default().with_level(level);
    let linear = FeatureTable::from_columns(vec![("ln(-ln(1 - risk))".to_owned(), scale.clone())])?;
    let slope = fit(&linear, follow_up, &params)?;
    let spline = RestrictedSpline::at_quantiles(&scale, knots)?;
    let terms: Vec<Vec<f64>> = scale.iter().map(|x| spline.terms(*x)).collect();
    let columns =
        (0..knots - 1).map(|c| (format!("term {}", c + 1), terms.iter().map(|row| row[c]).collect())).collect();
    let table = FeatureTable::from_columns(columns)?;
    let model = fit(&table, follow_up, &params)?;
    let eta = model.linear_predictor(&table)?;
    let smooth = model.risk_at(&table, time)?;
    let hazard = |eta: f64, risk: f64| -> f64 { -(-risk).ln_1p() / eta.exp() };
    let z = normal_quantile(0.5 + level / 2.0);
    let mut order: Vec<usize> = (0..risks.len()).collect();
    order.sort_by(|&a, &b| risks[a].total_cmp(&risks[b]));
    order.dedup_by(|a, b| risks[*a] == risks[*b]);
    let errors = model.linear_predictor_errors(&table)?.unwrap_or_else(|| vec![f64::NAN; risks.len()]);
    let points = order
        .into_iter()
        .map(|row| {
            let error = errors[row];
            let baseline = hazard(eta[row], smooth[row]);
            let at = |shift: f64| -(-baseline * (eta[row] + shift).exp()).exp_m1();
            let interval = Interval { lower: at(-z * error), upper: at(z * error), level };
            SurvivalCurveCalibration { risk: risks[row], observed: smooth[row], interval }
        })
        .collect();
    let slope = slope.term("ln(-ln(1 - risk))")?.clone();
    Ok(SmoothSurvivalCalibration { time, points, error: CalibrationError::of(&smooth, risks), slope })
}

fn fit(table: &FeatureTable, follow_up: &FollowUp, params: &CoxParams) -> Result<CoxModel> {
    let model = CoxModel::fit(table, follow_up, params)?;
    if model.monotone() {
        return Err(ModelError::Separated { operation: "calibration of risks at a time" });
    }
    Ok(model)
}

impl Tabulate for SmoothSurvivalCalibration {
    const COLUMNS: &'static [&'static str] = &["risk", "observed", "lower", "upper"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.points.iter().map(|p| cells![p.risk, p.observed, p.interval.lower, p.interval.upper]).collect()
    }
}
