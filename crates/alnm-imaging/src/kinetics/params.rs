//! How curves are read.

use serde::{Deserialize, Serialize};

use super::curve::CurveAnalysis;
use crate::error::{ImagingError, Result};

pub(super) const OPERATION: &str = "kinetics of voxels";

/// From when times are counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TimeOrigin {
    /// The last phase of the baseline. The curve begins there with an enhancement of 0.
    LastBaseline,
    /// The first phase after the baseline, at which the curve begins with what it has there, as in pyCERR.
    FirstUptake,
    /// So many seconds after the first phase, such as the injection: from the last phase of the baseline on, and before
    /// the next one. The curve begins there with an enhancement of 0.
    Seconds(f64),
}

/// Which phase is the peak of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PeakChoice {
    /// The highest; the first of equal ones.
    Highest,
    /// The first phase that neither neighbour exceeds and whose enhancement is above four fifths of the highest, as
    /// pyCERR 2.5 finds it; the highest where none enhances.
    FirstLocal,
}

/// How the curves of voxels are read.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`baseline_phases`](Self::baseline_phases) | 1 | phases before contrast, whose mean is S₀ | at least 1 |
/// | [`origin`](Self::origin) | last baseline | from when times are counted | see [`TimeOrigin`] |
/// | [`early_seconds`](Self::early_seconds) | 150 | the early phase is the one nearest to it | at least 0 |
/// | [`late_seconds`](Self::late_seconds) | none | the late phase is the one nearest to it; the last where none | at least 0 |
/// | [`peak`](Self::peak) | highest | which phase is the peak | see [`PeakChoice`] |
/// | [`area_seconds`](Self::area_seconds) | none | end of the area under the curve; the last phase where none | above 0 |
/// | [`arrival_fraction`](Self::arrival_fraction) | 0.1 | share of the peak at whose crossing contrast has arrived | above 0, below 1 |
/// | [`tolerance`](Self::tolerance) | 0.1 | largest relative change of the signal of a plateau | at least 0 |
/// | [`enhancement_threshold`](Self::enhancement_threshold) | 0.7 | least initial enhancement of voxels that have a class and count for the functional tumour volume | finite |
/// | [`ratio_threshold`](Self::ratio_threshold) | 0 | least signal enhancement ratio of voxels that count for that volume | finite |
///
/// The defaults of the functional tumour volume and of the early phase are those of ACRIN 6657 (Hylton et al.,
/// Radiology 279:44, 2016: 70 %, 2.5 minutes); a plateau is Kuhl's (Radiology 211:101, 1999).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct VoxelKineticsParams {
    /// Phases before contrast, whose mean is S₀. Default 1.
    pub baseline_phases: usize,
    /// From when times are counted. Default [`TimeOrigin::LastBaseline`].
    pub origin: TimeOrigin,
    /// The early phase is the one after the baseline that is nearest to so many seconds after the origin, the earlier
    /// of two as near. Default 150.
    pub early_seconds: f64,
    /// The late phase, likewise; none is the last one. Default none.
    pub late_seconds: Option<f64>,
    /// Which phase is the peak. Default [`PeakChoice::Highest`].
    pub peak: PeakChoice,
    /// Seconds after the origin at which the area under the curve ends; none is the last phase. Default none.
    pub area_seconds: Option<f64>,
    /// Share of the peak enhancement at whose first crossing contrast has arrived. Default 0.1.
    pub arrival_fraction: f64,
    /// Largest relative change of the signal from the early to the late phase of a plateau. Default 0.1.
    pub tolerance: f64,
    /// Least initial enhancement of voxels that have a washout class and count for the functional tumour volume.
    /// Default 0.7.
    pub enhancement_threshold: f64,
    /// Least signal enhancement ratio of voxels that count for the functional tumour volume. Default 0.
    pub ratio_threshold: f64,
}

impl Default for VoxelKineticsParams {
    fn default() -> Self {
        Self {
            baseline_phases: 1,
            origin: TimeOrigin::LastBaseline,
            early_seconds: 150.0,
            late_seconds: None,
            peak: PeakChoice::Highest,
            area_seconds: None,
            arrival_fraction: 0.1,
            tolerance: 0.1,
            enhancement_threshold: 0.7,
            ratio_threshold: 0.0,
        }
    }
}

impl VoxelKineticsParams {
    /// Sets [`VoxelKineticsParams::baseline_phases`].
    pub fn with_baseline_phases(self, baseline_phases: usize) -> Self {
        Self { baseline_phases, ..self }
    }

    /// Sets [`VoxelKineticsParams::origin`].
    pub fn with_origin(self, origin: TimeOrigin) -> Self {
        Self { origin, ..self }
    }

    /// Sets [`VoxelKineticsParams::early_seconds`].
    pub fn with_early_seconds(self, early_seconds: f64) -> Self {
        Self { early_seconds, ..self }
    }

    /// Sets [`VoxelKineticsParams::late_seconds`].
    pub fn with_late_seconds(self, late_seconds: Option<f64>) -> Self {
        Self { late_seconds, ..self }
    }

    /// Sets [`VoxelKineticsParams::peak`].
    pub fn with_peak(self, peak: PeakChoice) -> Self {
        Self { peak, ..self }
    }

    /// Sets [`VoxelKineticsParams::area_seconds`].
    pub fn with_area_seconds(self, area_seconds: Option<f64>) -> Self {
        Self { area_seconds, ..self }
    }

    /// Sets [`VoxelKineticsParams::arrival_fraction`].
    pub fn with_arrival_fraction(self, arrival_fraction: f64) -> Self {
        Self { arrival_fraction, ..self }
    }

    /// Sets [`VoxelKineticsParams::tolerance`].
    pub fn with_tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// Sets [`VoxelKineticsParams::enhancement_threshold`].
    pub fn with_enhancement_threshold(self, enhancement_threshold: f64) -> Self {
        Self { enhancement_threshold, ..self }
    }

    /// Sets [`VoxelKineticsParams::ratio_threshold`].
    pub fn with_ratio_threshold(self, ratio_threshold: f64) -> Self {
        Self { ratio_threshold, ..self }
    }

    /// The parameters when all are in range.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] with the first that is not.
    pub fn check(self) -> Result<VoxelKinetics> {
        let at_least_0 = |value: f64| value.is_finite() && value >= 0.0;
        let origin = match self.origin {
            TimeOrigin::Seconds(seconds) => seconds,
            _ => 0.0,
        };
        let late = self.late_seconds.unwrap_or(0.0);
        let area = self.area_seconds.unwrap_or(1.0);
        let rules = [
            ("baseline_phases", self.baseline_phases as f64, self.baseline_phases >= 1, "it must be at least 1"),
            ("origin", origin, at_least_0(origin), "it must be at least 0"),
            ("early_seconds", self.early_seconds, at_least_0(self.early_seconds), "it must be at least 0"),
            ("late_seconds", late, at_least_0(late), "it must be at least 0"),
            ("area_seconds", area, at_least_0(area) && area > 0.0, "it must be above 0"),
            (
                "arrival_fraction",
                self.arrival_fraction,
                self.arrival_fraction > 0.0 && self.arrival_fraction < 1.0,
                "it must lie between 0 and 1",
            ),
            ("tolerance", self.tolerance, at_least_0(self.tolerance), "it must be at least 0"),
            (
                "enhancement_threshold",
                self.enhancement_threshold,
                self.enhancement_threshold.is_finite(),
                "it must be finite",
            ),
            ("ratio_threshold", self.ratio_threshold, self.ratio_threshold.is_finite(), "it must be finite"),
        ];
        match rules.into_iter().find(|(_, _, holds, _)| !holds) {
            Some((parameter, value, _, requirement)) => Err(invalid(parameter, value.to_string(), requirement)),
            None => Ok(VoxelKinetics { params: self }),
        }
    }
}

/// Checked parameters, by which the curves of voxels are read: see [`VoxelKineticsParams`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VoxelKinetics {
    params: VoxelKineticsParams,
}

impl VoxelKinetics {
    /// The parameters.
    pub fn params(&self) -> &VoxelKineticsParams {
        &self.params
    }

    /// What reads curves of these times, in seconds from the first phase.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when the times are not known and ascending, when no phase follows the
    /// baseline, and when the origin lies before the last phase of the baseline or not before the next one.
    pub fn for_times(&self, times: &[f64]) -> Result<CurveAnalysis> {
        CurveAnalysis::new(self.params, times)
    }
}

pub(super) fn invalid(parameter: &'static str, value: String, requirement: &'static str) -> ImagingError {
    ImagingError::InvalidParameter { operation: OPERATION, parameter, value, requirement }
}
