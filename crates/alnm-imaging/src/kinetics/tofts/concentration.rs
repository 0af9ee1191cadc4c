//! Concentrations from signals.

use serde::{Deserialize, Serialize};

use crate::error::{ImagingError, Result};

/// The protocol of a spoiled gradient echo, by which signals become concentrations.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`repetition_time`](Self::repetition_time) | required | repetition time in seconds | above 0 |
/// | [`flip_angle`](Self::flip_angle) | required | flip angle in degrees | above 0, below 180 |
/// | [`relaxivity`](Self::relaxivity) | 4.5 | longitudinal relaxivity in L / (mmol · s) | above 0 |
/// | [`baseline_phases`](Self::baseline_phases) | 1 | phases before contrast, whose mean is S₀ | at least 1 |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct SignalModelParams {
    /// Repetition time in seconds.
    pub repetition_time: f64,
    /// Flip angle in degrees.
    pub flip_angle: f64,
    /// Longitudinal relaxivity in L / (mmol · s). Default 4.5, about that of gadolinium chelates in plasma at 1.5 T.
    pub relaxivity: f64,
    /// Phases before contrast, whose mean is S₀. Default 1.
    pub baseline_phases: usize,
}

impl SignalModelParams {
    /// A protocol of a repetition time in seconds and a flip angle in degrees.
    pub fn new(repetition_time: f64, flip_angle: f64) -> Self {
        Self { repetition_time, flip_angle, relaxivity: 4.5, baseline_phases: 1 }
    }

    /// Sets [`SignalModelParams::relaxivity`].
    pub fn with_relaxivity(self, relaxivity: f64) -> Self {
        Self { relaxivity, ..self }
    }

    /// Sets [`SignalModelParams::baseline_phases`].
    pub fn with_baseline_phases(self, baseline_phases: usize) -> Self {
        Self { baseline_phases, ..self }
    }

    /// The parameters when all are in range.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] with the first that is not.
    pub fn check(self) -> Result<SignalModel> {
        let above_0 = |value: f64| value.is_finite() && value > 0.0;
        let rules = [
            ("repetition_time", self.repetition_time, above_0(self.repetition_time), "it must be above 0 s"),
            (
                "flip_angle",
                self.flip_angle,
                above_0(self.flip_angle) && self.flip_angle < 180.0,
                "it must lie between 0 and 180 degrees",
            ),
            ("relaxivity", self.relaxivity, above_0(self.relaxivity), "it must be above 0 L/(mmol·s)"),
            ("baseline_phases", self.baseline_phases as f64, self.baseline_phases > 0, "it must be at least 1"),
        ];
        match rules.into_iter().find(|(_, _, holds, _)| !holds) {
            Some((parameter, value, _, requirement)) => Err(ImagingError::InvalidParameter {
                operation: "concentrations from signals",
                parameter,
                value: value.to_string(),
                requirement,
            }),
            None => Ok(SignalModel { params: self }),
        }
    }
}

/// A checked protocol: see [`SignalModelParams`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignalModel {
    params: SignalModelParams,
}

impl SignalModel {
    /// The parameters.
    pub fn params(&self) -> &SignalModelParams {
        &self.params
    }

    /// Concentrations in mmol/L of the signals of all phases, for a T1 before contrast in seconds.
    ///
    /// With E₁₀ = exp(−TR / T1), cosine c of the flip angle and κ = (S / S₀) · (1 − E₁₀) / (1 − c · E₁₀):
    /// E₁ = (1 − κ) / (1 − c · κ), R₁ = −ln(E₁) / TR, C = (R₁ − 1 / T1) / r₁. NaN where the signal is higher than any
    /// concentration gives, and everywhere when T1 or S₀ is not above 0.
    ///
    /// ```
    /// use alnm_imaging::kinetics::tofts::SignalModelParams;
    ///
    /// let model = SignalModelParams::new(0.005, 15.0).check()?;
    /// let concentrations = model.concentrations(&[100.0, 100.0, 180.0], 1.4);
    /// assert!(concentrations[1].abs() < 1e-12 && concentrations[2] > 0.1);
    /// # Ok::<(), alnm_imaging::ImagingError>(())
    /// ```
    #[must_use]
    pub fn concentrations(&self, signals: &[f64], t1: f64) -> Vec<f64> {
        let SignalModelParams { repetition_time, flip_angle, relaxivity, baseline_phases } = self.params;
        let before = &signals[..baseline_phases.min(signals.len())];
        let baseline = before.iter().sum::<f64>() / before.len() as f64;
        let valid = |value: f64| value.is_finite() && value > 0.0;
        if !valid(baseline) || !valid(t1) {
            return vec![f64::NAN; signals.len()];
        }
        let cosine = flip_angle.to_radians().cos();
        let before_contrast = (-repetition_time / t1).exp();
        let scale = (1.0 - before_contrast) / (1.0 - cosine * before_contrast) / baseline;
        let concentration = |&signal: &f64| {
            let share = signal * scale;
            let recovery = (1.0 - share) / (1.0 - cosine * share);
            let rate = if recovery > 0.0 { -recovery.ln() / repetition_time } else { f64::NAN };
            (rate - 1.0 / t1) / relaxivity
        };
        signals.iter().map(concentration).collect()
    }
}
