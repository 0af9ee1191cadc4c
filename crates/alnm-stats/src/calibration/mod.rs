//! Calibration: do predicted risks equal observed frequencies?

mod brier;
mod centres;
mod curve;
mod groups;
mod isotonic;
mod logistic_fit;
mod overall;
mod platt;
mod recalibration;
mod smooth;
mod validation;

pub use brier::{BrierDecomposition, BrierScore, brier, brier_decomposition};
pub use centres::{CalibrationByCentre, CentreCalibration, RandomEffectsMean, calibration_by_centre};
pub use curve::{CalibrationCurve, CalibrationError, loess_curve, lowess_curve};
pub use groups::{HosmerLemeshow, ReliabilityBins, RiskGroup, hosmer_lemeshow, reliability_bins};
pub use isotonic::{IsotonicCalibration, IsotonicPoint};
pub use overall::{ExpectedObserved, expected_observed, spiegelhalter};
pub use platt::PlattScaling;
pub use recalibration::{Recalibration, WaldEstimate, recalibrate};
pub use smooth::{
    CalibrationPoint, CalibrationSmoother, SmoothCalibration, SmoothCalibrationParams, SmoothCalibrations,
    smooth_calibration,
};
pub use validation::{Validation, validate};

use crate::Labels;
use crate::error::{Result, StatsError, require_count, require_finite, require_same_length};

fn check(operation: &'static str, labels: &Labels, risks: &[f64]) -> Result<()> {
    require_same_length(operation, labels.len(), risks.len())?;
    require_count(operation, "observations", 1, risks.len())?;
    require_finite(operation, risks)?;
    match risks.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        Some(&value) => Err(StatsError::parameter("predicted risk", value, "at least 0 and at most 1")),
        None => Ok(()),
    }
}
