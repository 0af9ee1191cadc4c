//! Smooth calibration curves with a confidence band.

use super::check;
use super::curve::CalibrationError;
use super::logistic_fit::LogisticFit;
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::distribution::{normal_quantile, t_quantile};
use crate::error::{Result, StatsError, require_level};
use crate::loess::{Loess, LoessParams};
use crate::logit::{expit, logit};
use crate::restricted_spline::RestrictedSpline;
use crate::{Interval, Labels};

/// How observed outcomes are smoothed over the predicted risk.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CalibrationSmoother {
    /// Logistic regression of the outcome on a restricted cubic spline of the log odds of the risk. The band is Wald's
    /// on the log odds, and lies within 0 and 1.
    RestrictedSpline {
        /// Number of knots, 3 or more.
        knots: usize,
    },
    /// Local quadratic regression of the outcome on the risk. The band is t-based with the exact degrees of freedom, as
    /// R's `predict(loess(…, control = loess.control(surface = "direct", statistics = "exact")), se = TRUE)` gives it,
    /// and may leave 0 to 1.
    Loess {
        /// Share of the points in a neighbourhood, above 0.
        span: f64,
    },
}

/// The most points of a curve: no picture shows more, and memory grows with them.
const MOST_POINTS: usize = 1_000_000;

/// How a smooth calibration curve is made.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `smoother` | spline with 3 knots | how outcomes are smoothed | 3 knots or more; a span above 0 |
/// | `level` | 0.95 | confidence level of the pointwise band | above 0, below 1 |
/// | `points` | 101 | points of the curve, evenly from the lowest to the highest risk | 2 to 1,000,000 |
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct SmoothCalibrationParams {
    /// How outcomes are smoothed.
    pub smoother: CalibrationSmoother,
    /// Confidence level of the pointwise band.
    pub level: f64,
    /// Points of the curve.
    pub points: usize,
}

impl Default for SmoothCalibrationParams {
    fn default() -> Self {
        Self { smoother: CalibrationSmoother::RestrictedSpline { knots: 3 }, level: 0.95, points: 101 }
    }
}

impl SmoothCalibrationParams {
    /// Sets how outcomes are smoothed.
    pub fn with_smoother(self, smoother: CalibrationSmoother) -> Self {
        Self { smoother, ..self }
    }

    /// Sets the confidence level of the pointwise band.
    pub fn with_level(self, level: f64) -> Self {
        Self { level, ..self }
    }

    /// Sets the number of points of the curve.
    pub fn with_points(self, points: usize) -> Self {
        Self { points, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] names the first that lies outside its range.
    pub fn check(self) -> Result<SmoothCalibrations> {
        require_level(self.level)?;
        if !(2..=MOST_POINTS).contains(&self.points) {
            let range = "from 2 to 1,000,000";
            return Err(StatsError::parameter("number of points of a calibration curve", self.points, range));
        }
        match self.smoother {
            CalibrationSmoother::RestrictedSpline { knots } if knots < 3 => {
                Err(StatsError::parameter("number of knots", knots, "at least 3"))
            }
            CalibrationSmoother::Loess { span } => {
                LoessParams::default().with_span(span).check().map(|_| SmoothCalibrations(self))
            }
            CalibrationSmoother::RestrictedSpline { .. } => Ok(SmoothCalibrations(self)),
        }
    }
}

/// Smooth calibration, with checked parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmoothCalibrations(SmoothCalibrationParams);

/// A smooth calibration curve with its confidence band.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SmoothCalibration {
    /// The curve in ascending order of the risk.
    pub points: Vec<CalibrationPoint>,
    /// Distance of the curve from the diagonal, over the patients.
    pub error: CalibrationError,
}

/// A point of a smooth calibration curve.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CalibrationPoint {
    /// Predicted risk.
    pub risk: f64,
    /// Smoothed share of events.
    pub observed: f64,
    /// Pointwise interval of the share.
    pub interval: Interval,
}

/// Smooth calibration curve with a pointwise confidence band, under parameters that are checked first.
///
/// # Errors
/// As [`SmoothCalibrationParams::check`] and [`SmoothCalibrations::of`].
///
/// ```
/// use alnm_stats::calibration::{SmoothCalibrationParams, smooth_calibration};
/// use alnm_stats::Labels;
/// let labels = Labels::new((0..40).map(|i| i % 3 == 0 || i > 28).collect());
/// let risks: Vec<f64> = (0..40).map(|i| (f64::from(i) + 0.5) / 40.0).collect();
/// let calibration = smooth_calibration(&labels, &risks, SmoothCalibrationParams::default().with_points(9))?;
/// let middle = &calibration.points[4];
/// assert!(middle.interval.lower < middle.observed && middle.observed < middle.interval.upper);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn smooth_calibration(
    labels: &Labels,
    risks: &[f64],
    params: SmoothCalibrationParams,
) -> Result<SmoothCalibration> {
    params.check()?.of(labels, risks)
}

impl SmoothCalibrations {
    /// The curve of the predicted risks.
    ///
    /// # Errors
    /// [`StatsError::LengthMismatch`], [`StatsError::NonFinite`], [`StatsError::Parameter`] for a risk outside [0, 1],
    /// [`StatsError::OneClass`], [`StatsError::Constant`] when all risks are equal. For a spline also
    /// [`StatsError::Undefined`] for a risk of exactly 0 or 1 and for an outcome that the spline separates,
    /// [`StatsError::TooFew`] below ten patients, [`StatsError::Parameter`] for knots that tied risks make equal; for
    /// loess as [`Loess::fit`].
    pub fn of(&self, labels: &Labels, risks: &[f64]) -> Result<SmoothCalibration> {
        const OPERATION: &str = "smooth calibration curve";
        check(OPERATION, labels, risks)?;
        labels.require_both(OPERATION)?;
        let low = risks.iter().copied().fold(f64::INFINITY, f64::min);
        let high = risks.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if low == high {
            return Err(StatsError::Constant { operation: OPERATION });
        }
        let SmoothCalibrationParams { smoother, level, points } = self.0;
        let grid: Vec<f64> = (0..points)
            .map(|k| if k + 1 == points { high } else { low + (high - low) * k as f64 / (points - 1) as f64 })
            .collect();
        match smoother {
            CalibrationSmoother::RestrictedSpline { knots } => spline_band(labels, risks, &grid, knots, level),
            CalibrationSmoother::Loess { span } => loess_band(labels, risks, &grid, span, level),
        }
    }
}

fn spline_band(labels: &Labels, risks: &[f64], grid: &[f64], knots: usize, level: f64) -> Result<SmoothCalibration> {
    const OPERATION: &str = "spline calibration curve";
    if risks.iter().any(|p| *p == 0.0 || *p == 1.0) {
        return Err(StatsError::Undefined {
            operation: OPERATION,
            requirement: "no risk may be exactly 0 or 1, which have no logit",
        });
    }
    let logits: Vec<f64> = risks.iter().map(|p| logit(*p)).collect();
    let spline = RestrictedSpline::at_quantiles(&logits, knots)?;
    let terms: Vec<Vec<f64>> = logits.iter().map(|x| spline.terms(*x)).collect();
    let columns: Vec<Vec<f64>> = (0..knots - 1).map(|c| terms.iter().map(|row| row[c]).collect()).collect();
    let views: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let fit = LogisticFit::of(OPERATION, &labels.to_values(), &vec![0.0; risks.len()], &views)?;
    let z = normal_quantile(0.5 + level / 2.0);
    let predictor = |terms: &[f64]| -> (f64, f64) {
        let row: Vec<f64> = std::iter::once(1.0).chain(terms.iter().copied()).collect();
        let value = row.iter().zip(&fit.coefficients).map(|(x, b)| x * b).sum();
        let quadratic = (0..row.len())
            .map(|a| row[a] * (0..row.len()).map(|b| row[b] * fit.covariance[a * row.len() + b]).sum::<f64>())
            .sum::<f64>();
        (value, quadratic.max(0.0).sqrt())
    };
    let points = grid
        .iter()
        .map(|&risk| {
            let (value, error) = predictor(&spline.terms(logit(risk)));
            let interval = Interval { lower: expit(value - z * error), upper: expit(value + z * error), level };
            CalibrationPoint { risk, observed: expit(value), interval }
        })
        .collect();
    let smooth: Vec<f64> = terms.iter().map(|row| expit(predictor(row).0)).collect();
    Ok(SmoothCalibration { points, error: CalibrationError::of(&smooth, risks) })
}

fn loess_band(labels: &Labels, risks: &[f64], grid: &[f64], span: f64, level: f64) -> Result<SmoothCalibration> {
    let fit = Loess::fit(risks, &labels.to_values(), LoessParams::default().with_span(span))?;
    let inference = fit.inference()?;
    let quantile = if inference.degrees_of_freedom.is_finite() {
        t_quantile(0.5 + level / 2.0, inference.degrees_of_freedom)
    } else {
        normal_quantile(0.5 + level / 2.0)
    };
    let points = grid
        .iter()
        .map(|&risk| {
            let estimate = fit.estimate(risk)?;
            let half = quantile * inference.residual_scale * estimate.relative_error;
            let interval = Interval { lower: estimate.value - half, upper: estimate.value + half, level };
            Ok(CalibrationPoint { risk, observed: estimate.value, interval })
        })
        .collect::<Result<_>>()?;
    Ok(SmoothCalibration { points, error: CalibrationError::of(&fit.fitted()?, risks) })
}

impl Tabulate for SmoothCalibration {
    const COLUMNS: &'static [&'static str] = &["risk", "observed", "lower", "upper"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.points.iter().map(|p| cells![p.risk, p.observed, p.interval.lower, p.interval.upper]).collect()
    }
}
