//! Smooth calibration curves and their distance from the diagonal.

use super::check;
use crate::Labels;
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::describe::{QuantileType, mean, quantile_of_sorted, sorted};
use crate::error::Result;
use crate::loess::{Loess, LoessParams};
use crate::lowess::{LowessParams, SmoothCurve, lowess};

/// Distance of a smooth calibration curve from the diagonal, in units of risk; 0 is perfect.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CalibrationError {
    /// Mean of |observed − predicted| over the patients, the integrated calibration index.
    pub ici: f64,
    /// Median of |observed − predicted|.
    pub e50: f64,
    /// 90th percentile of |observed − predicted| (quantile of type 7).
    pub e90: f64,
    /// Largest |observed − predicted|.
    pub emax: f64,
}

impl CalibrationError {
    /// Distance of the smoothed outcomes of the patients from their predicted risks. The shorter of the two lists
    /// counts; all is NaN without patients.
    ///
    /// ```
    /// use alnm_stats::calibration::CalibrationError;
    /// let error = CalibrationError::of(&[0.1, 0.4], &[0.1, 0.2]);
    /// assert!((error.ici - 0.1).abs() < 1e-15 && (error.emax - 0.2).abs() < 1e-15);
    /// ```
    #[must_use]
    pub fn of(smooth: &[f64], risks: &[f64]) -> Self {
        let errors = sorted(&smooth.iter().zip(risks).map(|(s, p)| (s - p).abs()).collect::<Vec<_>>());
        let Some(&emax) = errors.last() else {
            return Self { ici: f64::NAN, e50: f64::NAN, e90: f64::NAN, emax: f64::NAN };
        };
        let at = |p| quantile_of_sorted(&errors, p, QuantileType::Type7);
        Self { ici: mean(&errors), e50: at(0.5), e90: at(0.9), emax }
    }
}

/// A smooth calibration curve and its distance from the diagonal.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CalibrationCurve {
    curve: SmoothCurve,
    error: CalibrationError,
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    CalibrationCurve {
        curve: SmoothCurve,
        error: CalibrationError,
    }
}

#[cfg(feature = "serde")]
impl CalibrationCurve {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        let of_curve = CalibrationError::of(self.curve.y(), self.curve.x());
        let pairs = [
            ("ICI", self.error.ici, of_curve.ici),
            ("E50", self.error.e50, of_curve.e50),
            ("E90", self.error.e90, of_curve.e90),
            ("Emax", self.error.emax, of_curve.emax),
        ];
        match pairs.into_iter().find(|(_, saved, computed)| !crate::reading::near(*saved, *computed)) {
            Some((name, saved, computed)) => Err(format!("{name} is {saved}; that of the curve is {computed}")),
            None => Ok(()),
        }
    }
}

impl CalibrationCurve {
    /// Smoothed outcome over the predicted risk, which ascends. Values are not clipped to [0, 1].
    #[must_use]
    pub fn curve(&self) -> &SmoothCurve {
        &self.curve
    }

    /// Distance from the diagonal.
    #[must_use]
    pub fn error(&self) -> CalibrationError {
        self.error
    }
}

/// Calibration curve by local quadratic regression (the usual basis of the ICI; Austin and Steyerberg 2019).
///
/// # Errors
/// As [`brier`](super::brier()) and [`Loess::fit`].
///
/// ```
/// use alnm_stats::loess::LoessParams;
/// use alnm_stats::{Labels, calibration::loess_curve};
/// let labels = Labels::new((0..20).map(|i| i % 3 == 0 || i > 14).collect());
/// let risks: Vec<f64> = (0..20).map(|i| (f64::from(i) + 0.5) / 20.0).collect();
/// let calibration = loess_curve(&labels, &risks, LoessParams::default())?;
/// assert_eq!(calibration.curve().x(), risks);
/// assert!(calibration.error().ici < calibration.error().emax);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn loess_curve(labels: &Labels, risks: &[f64], params: LoessParams) -> Result<CalibrationCurve> {
    check("loess calibration curve", labels, risks)?;
    let smooth = Loess::fit(risks, &labels.to_values(), params)?.fitted()?;
    let error = CalibrationError::of(&smooth, risks);
    let order = crate::rank::ascending_order(risks);
    let pick = |values: &[f64]| order.iter().map(|&i| values[i]).collect();
    let curve = SmoothCurve::new(pick(risks), pick(&smooth));
    Ok(CalibrationCurve { curve, error })
}

/// Calibration curve by locally linear smoothing without robustness iterations, as in `rms::val.prob`.
///
/// # Errors
/// As [`brier`](super::brier()) and [`lowess`].
///
/// ```
/// use alnm_stats::{Labels, calibration::lowess_curve};
/// let labels = Labels::new((0..20).map(|i| i % 3 == 0 || i > 14).collect());
/// let risks: Vec<f64> = (0..20).map(|i| (f64::from(i) + 0.5) / 20.0).collect();
/// assert_eq!(lowess_curve(&labels, &risks)?.curve().y().len(), 20);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn lowess_curve(labels: &Labels, risks: &[f64]) -> Result<CalibrationCurve> {
    check("lowess calibration curve", labels, risks)?;
    let curve = lowess(risks, &labels.to_values(), LowessParams::default().with_iterations(0))?;
    let error = CalibrationError::of(curve.y(), curve.x());
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
        self.curve.x().iter().zip(self.curve.y()).map(|(x, y)| cells![*x, *y]).collect()
    }
}
