//! Sample size for developing a prediction model of a binary outcome (Riley et al. 2019, 2020).

use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::error::{Result, StatsError, require_some};

/// What is known before the study.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SampleSizeParams {
    /// Number of candidate predictor parameters, 1 or more.
    pub parameters: usize,
    /// Expected share of events, in (0, 1).
    pub prevalence: f64,
    /// Expected Cox-Snell R² of the model, above 0 and below its largest possible value.
    pub cox_snell_r2: f64,
    /// Wanted shrinkage factor, in (0, 1); 0.9 by convention.
    pub shrinkage: f64,
    /// Wanted half width of the interval of the overall risk; 0.05 by convention.
    pub margin: f64,
}

/// Smallest number of patients by each criterion.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SampleSize {
    /// Expected shrinkage of predictor effects no worse than wanted.
    pub for_shrinkage: usize,
    /// Optimism of Nagelkerke's R² at most 0.05.
    pub for_optimism: usize,
    /// Overall risk estimated within the margin.
    pub for_overall_risk: usize,
    /// The largest of the three.
    pub required: usize,
    /// Events per parameter at that size.
    pub events_per_parameter: f64,
}

/// The three criteria for a binary outcome (`pmsampsize`).
///
/// # Errors
/// [`StatsError::Parameter`] names the value outside its range.
///
/// ```
/// use alnm_stats::sample_size::{SampleSizeParams, prediction_model};
/// let params = SampleSizeParams { parameters: 24, prevalence: 0.174, cox_snell_r2: 0.288, shrinkage: 0.9, margin: 0.05 };
/// assert_eq!(prediction_model(params)?.required, 662);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn prediction_model(params: SampleSizeParams) -> Result<SampleSize> {
    let SampleSizeParams { parameters, prevalence, cox_snell_r2, shrinkage, margin } = params;
    let open_unit = |name: &'static str, value: f64| {
        if value > 0.0 && value < 1.0 { Ok(()) } else { Err(StatsError::parameter(name, value, "above 0 and below 1")) }
    };
    open_unit("prevalence", prevalence)?;
    open_unit("shrinkage factor", shrinkage)?;
    open_unit("margin of the overall risk", margin)?;
    require_some("number of candidate parameters", parameters)?;
    let null_log_likelihood = prevalence * prevalence.ln() + (1.0 - prevalence) * (1.0 - prevalence).ln();
    let largest_r2 = 1.0 - (2.0 * null_log_likelihood).exp();
    if !(cox_snell_r2 > 0.0 && cox_snell_r2 < largest_r2) {
        return Err(StatsError::parameter(
            "expected Cox-Snell R2",
            cox_snell_r2,
            "above 0 and below the largest value that this prevalence allows",
        ));
    }
    let for_factor = |s: f64| (parameters as f64 / ((s - 1.0) * (1.0 - cox_snell_r2 / s).ln())).ceil() as usize;
    let for_shrinkage = for_factor(shrinkage);
    let for_optimism = for_factor(cox_snell_r2 / (cox_snell_r2 + 0.05 * largest_r2));
    let for_overall_risk = ((1.96 / margin).powi(2) * prevalence * (1.0 - prevalence)).ceil() as usize;
    let required = for_shrinkage.max(for_optimism).max(for_overall_risk);
    Ok(SampleSize {
        for_shrinkage,
        for_optimism,
        for_overall_risk,
        required,
        events_per_parameter: required as f64 * prevalence / parameters as f64,
    })
}

impl Tabulate for SampleSize {
    const COLUMNS: &'static [&'static str] =
        &["for shrinkage", "for optimism", "for overall risk", "required", "events per parameter"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![
            self.for_shrinkage,
            self.for_optimism,
            self.for_overall_risk,
            self.required,
            self.events_per_parameter
        ]]
    }
}
