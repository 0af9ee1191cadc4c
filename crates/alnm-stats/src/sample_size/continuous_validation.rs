//! Sample size for the external validation of a prediction model of a continuous outcome (Archer et al. 2021).

use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::distribution::chi_squared_quantile;
use crate::error::{Result, StatsError};

/// Quantile of the normal distribution as the published criteria round it.
const Z: f64 = 1.96;

/// What is expected and wanted of an external validation of a continuous outcome. Widths are those of 95 % intervals.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `r_squared` | given to `new` | expected share R² of the variance that the model explains | above 0, below 1 |
/// | `outcome_variance` | given to `new` | expected variance of the outcome | above 0 |
/// | `calibration_width` | given to `new` | wanted width of the interval of the mean of observed less predicted, in the unit of the outcome | above 0 |
/// | `r_squared_width` | 0.1 | wanted width of the interval of R² | above 0 |
/// | `slope` | 1 | expected calibration slope λ | above 0 |
/// | `slope_width` | 0.2 | wanted width of the interval of the calibration slope | above 0 |
/// | `margin_of_error` | 1.1 | factor within which the residual standard deviation is wanted | above 1, at most 10 |
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct ContinuousValidationParams {
    /// Expected share of the variance that the model explains.
    pub r_squared: f64,
    /// Expected variance of the outcome.
    pub outcome_variance: f64,
    /// Wanted width of the interval of the mean of observed less predicted.
    pub calibration_width: f64,
    /// Wanted width of the interval of R².
    pub r_squared_width: f64,
    /// Expected calibration slope.
    pub slope: f64,
    /// Wanted width of the interval of the calibration slope.
    pub slope_width: f64,
    /// Factor within which the residual standard deviation is wanted.
    pub margin_of_error: f64,
}

impl ContinuousValidationParams {
    /// What is expected of the study, with the conventional widths.
    pub fn new(r_squared: f64, outcome_variance: f64, calibration_width: f64) -> Self {
        Self {
            r_squared,
            outcome_variance,
            calibration_width,
            r_squared_width: 0.1,
            slope: 1.0,
            slope_width: 0.2,
            margin_of_error: 1.1,
        }
    }

    /// Sets the wanted width of the interval of R².
    pub fn with_r_squared_width(self, r_squared_width: f64) -> Self {
        Self { r_squared_width, ..self }
    }

    /// Sets the expected calibration slope.
    pub fn with_slope(self, slope: f64) -> Self {
        Self { slope, ..self }
    }

    /// Sets the wanted width of the interval of the calibration slope.
    pub fn with_slope_width(self, slope_width: f64) -> Self {
        Self { slope_width, ..self }
    }

    /// Sets the factor within which the residual standard deviation is wanted.
    pub fn with_margin_of_error(self, margin_of_error: f64) -> Self {
        Self { margin_of_error, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] names the first parameter outside its range.
    pub fn check(self) -> Result<ContinuousValidationCriteria> {
        if !(self.r_squared > 0.0 && self.r_squared < 1.0) {
            return Err(StatsError::parameter("expected R²", self.r_squared, "above 0 and below 1"));
        }
        for (name, value) in [
            ("variance of the outcome", self.outcome_variance),
            ("width of the interval of calibration in the large", self.calibration_width),
            ("width of the interval of R²", self.r_squared_width),
            ("calibration slope", self.slope),
            ("width of the interval of the slope", self.slope_width),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(StatsError::parameter(name, value, "finite and above 0"));
            }
        }
        if !(self.margin_of_error > 1.0 && self.margin_of_error <= 10.0) {
            return Err(StatsError::parameter("margin of error", self.margin_of_error, "above 1 and at most 10"));
        }
        Ok(ContinuousValidationCriteria(self))
    }
}

/// The criteria of an external validation of a continuous outcome, with checked parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ContinuousValidationCriteria(ContinuousValidationParams);

/// Smallest number of patients by each criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ContinuousValidationSize {
    /// R² within its width.
    pub for_r_squared: usize,
    /// Calibration in the large within its width.
    pub for_calibration_in_the_large: usize,
    /// Calibration slope within its width.
    pub for_slope: usize,
    /// Residual standard deviation of the calibration line within its factor.
    pub for_residual_variance: usize,
    /// The largest of them.
    pub required: usize,
}

/// The four criteria for a continuous outcome, under parameters that are checked first. With SE = width/(2 · 1.96):
///
/// ```text
/// R²                          n = 4 R² (1 − R²)²/SE²
/// calibration in the large    n = V (1 − R²)/SE²                        V: variance of the outcome
/// calibration slope           n = λ² (1 − R²)/(R² SE²) + 1
/// residual variance           √max(χ²₀.₉₇₅/d, d/χ²₀.₀₂₅) ≤ margin of error, with d = n − 2 degrees of freedom
/// ```
///
/// # Errors
/// As [`ContinuousValidationParams::check`].
///
/// ```
/// use alnm_stats::sample_size::{ContinuousValidationParams, continuous_validation};
/// let size = continuous_validation(ContinuousValidationParams::new(0.5, 400.0, 10.0))?;
/// assert_eq!((size.for_r_squared, size.for_slope, size.for_residual_variance), (769, 386, 235));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn continuous_validation(params: ContinuousValidationParams) -> Result<ContinuousValidationSize> {
    Ok(params.check()?.size())
}

impl ContinuousValidationCriteria {
    /// The smallest number of patients by each criterion.
    #[must_use]
    pub fn size(&self) -> ContinuousValidationSize {
        let params = &self.0;
        let (r2, rest) = (params.r_squared, 1.0 - params.r_squared);
        let squared_error = |width: f64| (width / (2.0 * Z)).powi(2);
        let whole = |size: f64| size.ceil() as usize;
        let for_r_squared = whole(4.0 * r2 * rest * rest / squared_error(params.r_squared_width));
        let for_calibration_in_the_large =
            whole(params.outcome_variance * rest / squared_error(params.calibration_width));
        let for_slope = whole(params.slope.powi(2) * rest / (r2 * squared_error(params.slope_width)) + 1.0);
        let for_residual_variance = residual_degrees_of_freedom(params.margin_of_error) + 2;
        let required = for_r_squared.max(for_calibration_in_the_large).max(for_slope).max(for_residual_variance);
        ContinuousValidationSize {
            for_r_squared,
            for_calibration_in_the_large,
            for_slope,
            for_residual_variance,
            required,
        }
    }
}

/// Smallest degrees of freedom with which the 95 % interval of a standard deviation lies within a factor of it.
fn residual_degrees_of_freedom(margin: f64) -> usize {
    let fits = |degrees_of_freedom: usize| {
        let d = degrees_of_freedom as f64;
        (chi_squared_quantile(0.975, d) / d).max(d / chi_squared_quantile(0.025, d)).sqrt() <= margin
    };
    let mut enough = 1;
    // The interval has about the width of 1.96/√(2 d): no margin asks for more than this.
    while !fits(enough) && enough < 1 << 40 {
        enough *= 2;
    }
    let mut below = enough / 2;
    while enough - below > 1 {
        let middle = below + (enough - below) / 2;
        if fits(middle) {
            enough = middle;
        } else {
            below = middle;
        }
    }
    enough
}

impl Tabulate for ContinuousValidationSize {
    const COLUMNS: &'static [&'static str] = &["criterion", "patients"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![
            cells!["R²", self.for_r_squared],
            cells!["calibration in the large", self.for_calibration_in_the_large],
            cells!["calibration slope", self.for_slope],
            cells!["residual variance", self.for_residual_variance],
            cells!["required", self.required],
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Standard errors of 0.0255 for R² = 0.5, of 2.55 for the mean with a variance of 400, and of 0.051 for the slope,
    /// by hand; the degrees of freedom by R's qchisq: the factor is 1.100084 with 232, 1.099848 with 233.
    #[test]
    fn the_criteria_by_hand() {
        let size = continuous_validation(ContinuousValidationParams::new(0.5, 400.0, 10.0)).expect("within range");
        assert_eq!(size.for_calibration_in_the_large, 31);
        assert_eq!((size.for_r_squared, size.for_slope, size.for_residual_variance), (769, 386, 235));
        assert_eq!(size.required, 769);
        let strong = continuous_validation(ContinuousValidationParams::new(0.9, 400.0, 10.0)).expect("within range");
        assert_eq!(strong.required, 235);
        assert_eq!(residual_degrees_of_freedom(1.1), 233);
        assert_eq!(residual_degrees_of_freedom(10.0), 2);
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        let usual = ContinuousValidationParams::new(0.5, 400.0, 10.0);
        let sentence = |params: ContinuousValidationParams| params.check().expect_err("refused").to_string();
        assert_eq!(
            sentence(ContinuousValidationParams::new(1.0, 400.0, 10.0)),
            "expected R² is 1; it must be above 0 and below 1"
        );
        assert_eq!(
            sentence(usual.with_margin_of_error(1.0)),
            "margin of error is 1; it must be above 1 and at most 10"
        );
        assert_eq!(
            sentence(usual.with_slope_width(0.0)),
            "width of the interval of the slope is 0; it must be finite and above 0"
        );
    }
}
