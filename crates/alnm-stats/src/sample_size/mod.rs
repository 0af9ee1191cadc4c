//! Sample size for developing a prediction model of a binary outcome (Riley et al. 2019, 2020), and for validating one
//! in other patients (Riley et al. 2021), also one of a continuous outcome (Archer et al. 2021).

mod continuous_validation;
mod external_validation;

pub use continuous_validation::{
    ContinuousValidationCriteria, ContinuousValidationParams, ContinuousValidationSize, continuous_validation,
};
pub use external_validation::{
    ExternalValidationCriteria, ExternalValidationSize, ExternalValidationSizeParams, NetBenefitTarget,
    PredictorDistribution, ThresholdAccuracy, external_validation,
};

use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::error::{Result, StatsError, require_some};

/// What is known and wanted before the study.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `parameters` | none | Number of candidate predictor parameters. | at least 1 |
/// | `prevalence` | none | Expected share of events. | above 0, below 1 |
/// | `cox_snell_r2` | none | Expected Cox-Snell R² of the model. | above 0, below the largest value that the prevalence allows |
/// | `shrinkage` | 0.9 | Wanted shrinkage factor. | above 0, below 1 |
/// | `margin` | 0.05 | Wanted half width of the interval of the overall risk. | above 0, below 1 |
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct SampleSizeParams {
    /// Number of candidate predictor parameters.
    pub parameters: usize,
    /// Expected share of events.
    pub prevalence: f64,
    /// Expected Cox-Snell R² of the model.
    pub cox_snell_r2: f64,
    /// Wanted shrinkage factor.
    pub shrinkage: f64,
    /// Wanted half width of the interval of the overall risk.
    pub margin: f64,
}

impl SampleSizeParams {
    /// What is expected of the study, with the conventional shrinkage factor 0.9 and margin 0.05.
    pub fn new(parameters: usize, prevalence: f64, cox_snell_r2: f64) -> Self {
        Self { parameters, prevalence, cox_snell_r2, shrinkage: 0.9, margin: 0.05 }
    }

    /// Sets the wanted shrinkage factor.
    pub fn with_shrinkage(self, shrinkage: f64) -> Self {
        Self { shrinkage, ..self }
    }

    /// Sets the wanted half width of the interval of the overall risk.
    pub fn with_margin(self, margin: f64) -> Self {
        Self { margin, ..self }
    }

    /// The largest Cox-Snell R² that a model can reach at the prevalence.
    fn largest_r2(&self) -> f64 {
        let prevalence = self.prevalence;
        let null_log_likelihood = prevalence * prevalence.ln() + (1.0 - prevalence) * (1.0 - prevalence).ln();
        1.0 - (2.0 * null_log_likelihood).exp()
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] names the first that lies outside its range.
    pub fn check(self) -> Result<SampleSizeCriteria> {
        for (name, value) in [
            ("prevalence", self.prevalence),
            ("shrinkage factor", self.shrinkage),
            ("margin of the overall risk", self.margin),
        ] {
            if !(value > 0.0 && value < 1.0) {
                return Err(StatsError::parameter(name, value, "above 0 and below 1"));
            }
        }
        require_some("number of candidate parameters", self.parameters)?;
        if !(self.cox_snell_r2 > 0.0 && self.cox_snell_r2 < self.largest_r2()) {
            return Err(StatsError::parameter(
                "expected Cox-Snell R2",
                self.cox_snell_r2,
                "above 0 and below the largest value that this prevalence allows",
            ));
        }
        Ok(SampleSizeCriteria(self))
    }
}

/// The criteria of a sample size, with checked parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleSizeCriteria(SampleSizeParams);

/// Smallest number of patients by each criterion.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
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

/// The three criteria for a binary outcome (`pmsampsize`), under parameters that are checked first.
///
/// # Errors
/// As [`SampleSizeParams::check`].
///
/// ```
/// use alnm_stats::sample_size::{SampleSizeParams, prediction_model};
/// assert_eq!(prediction_model(SampleSizeParams::new(24, 0.174, 0.288))?.required, 662);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn prediction_model(params: SampleSizeParams) -> Result<SampleSize> {
    Ok(params.check()?.prediction_model())
}

impl SampleSizeCriteria {
    /// The smallest number of patients by each of the three criteria for a binary outcome.
    #[must_use]
    pub fn prediction_model(&self) -> SampleSize {
        let largest_r2 = self.0.largest_r2();
        let SampleSizeParams { parameters, prevalence, cox_snell_r2, shrinkage, margin } = self.0;
        let for_factor = |s: f64| (parameters as f64 / ((s - 1.0) * (1.0 - cox_snell_r2 / s).ln())).ceil() as usize;
        let for_shrinkage = for_factor(shrinkage);
        let for_optimism = for_factor(cox_snell_r2 / (cox_snell_r2 + 0.05 * largest_r2));
        let for_overall_risk = ((1.96 / margin).powi(2) * prevalence * (1.0 - prevalence)).ceil() as usize;
        let required = for_shrinkage.max(for_optimism).max(for_overall_risk);
        SampleSize {
            for_shrinkage,
            for_optimism,
            for_overall_risk,
            required,
            events_per_parameter: required as f64 * prevalence / parameters as f64,
        }
    }
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    SampleSize {
        for_shrinkage: usize,
        for_optimism: usize,
        for_overall_risk: usize,
        required: usize,
        events_per_parameter: f64,
    }
}

#[cfg(feature = "serde")]
impl SampleSize {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        if self.required != self.for_shrinkage.max(self.for_optimism).max(self.for_overall_risk) {
            return Err(format!("required size is {}; it must be the largest of the three criteria", self.required));
        }
        Ok(())
    }
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
