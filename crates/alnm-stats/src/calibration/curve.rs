//! Smooth calibration curves and their distance from the diagonal.

use super::check;
use crate::Labels;
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::describe::{QuantileType, mean, quantile_of_sorted, sorted};
use crate::error::Result;
use crate::loess::{Loess, LoessParams};
use crate::lowess::{LowessParams, SmoothCurve, lowess};

/// Distance of a smooth calibration curve from the diagonal.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CalibrationError {
    /// Mean |observed − predicted|, the integrated calibration index.
    pub ici: f64,
    /// Median.
    pub e50: f64,
    /// 90th percentile (type 7).
    pub e90: f64,
    /// Maximum.
    pub emax: f64,
}

impl CalibrationError {
    fn of(smooth: &[f64], risks: &[f64]) -> Self {
        let errors = sorted(&smooth.iter().zip(risks).map(|(s, p)| (s - p).abs()).collect::<Vec<_>>());
        let at = |p| quantile_of_sorted(&errors, p, QuantileType::Type7);
        Self { ici: mean(&errors), e50: at(0.5), e90: at(0.9), emax: errors[errors.len() - 1] }
    }
}

/// A smooth calibration curve and its distance from the diagonal.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CalibrationCurve {
    /// Predicted risk against smoothed outcome, ascending. Values are not clipped to [0, 1].
    pub curve: SmoothCurve,
    /// Distance from the diagonal.
    pub error: CalibrationError,
}

/// Calibration curve by local quadratic regression (the usual basis of the ICI; Austin and Steyerberg 2019).
///
/// # Errors
/// As [`brier`](super::brier()) and [`Loess::fit`].
pub fn loess_curve(labels: &Labels, risks: &[f64], params: LoessParams) -> Result<CalibrationCurve> {
    check("loess calibration curve", labels, risks)?;
    let smooth = Loess::fit(risks, &labels.to_values(), params)?.fitted()?;
    let error = CalibrationError::of(&smooth, risks);
    let order = crate::rank::ascending_order(risks);
    let curve =
        SmoothCurve { x: order.iter().map(|&i| risks[i]).collect(), y: order.iter().map(|&i| smooth[i]).collect() };
    Ok(CalibrationCurve { curve, error })
}

/// Calibration curve by locally linear smoothing without robustness iterations, as in `rms::val.prob`.
///
/// # Errors
/// As [`brier`](super::brier()) and [`lowess`].
pub fn lowess_curve(labels: &Labels, risks: &[f64]) -> Result<CalibrationCurve> {
    check("lowess calibration curve", labels, risks)?;
    let curve = lowess(risks, &labels.to_values(), LowessParams { iterations: 0, ..LowessParams::default() })?;
    let error = CalibrationError::of(&curve.y, &curve.x);
    Ok(CalibrationCurve { curve, error })
}

impl Tabulate for CalibrationError {
    const COLUMNS: &'static [&'static str] = &["ICI", "E50", "E90", "Emax"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![self.ici, self.e50, self.e90, self.emax]]
    }
}

impl Tabulate for CalibrationCurve {
    const COLUMNS: &'static [&'static str] = &["predicted", "observed"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.curve.x.iter().zip(&self.curve.y).map(|(x, y)| cells![*x, *y]).collect()
    }
}
