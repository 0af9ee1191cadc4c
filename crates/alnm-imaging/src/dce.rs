//! Time-intensity curves of dynamic contrast-enhanced series.

use serde::{Deserialize, Serialize};

use crate::error::{ImagingError, Result};
use crate::intensity::statistics;
use crate::region::Roi;
use crate::volume::Image;
use crate::with_volume;

pub use crate::dynamic_series::DynamicSeries;

const OPERATION: &str = "time-intensity curve";

/// Mean intensity of a region in each phase of a dynamic series: at least one phase, times ascending.
///
/// A curve that is read (by serde) is checked as [`TimeIntensityCurve::new`] checks.
///
/// ```
/// use alnm_imaging::dce::{DelayedPhase, DynamicSeries, KineticsParams, TimeIntensityCurve};
/// use alnm_imaging::region::Roi;
/// use alnm_imaging::{Geometry, Volume};
///
/// let grid = Geometry::axis_aligned([4, 4, 2], [1.0; 3])?;
/// let images = [100_i16, 220, 240, 180].map(|signal| Volume::filled(grid.clone(), signal).into());
/// let series = DynamicSeries::new(images.to_vec(), vec![0.0, 60.0, 120.0, 300.0])?;
/// let mask = Volume::filled(grid, 1_u32);
/// let kinetics = TimeIntensityCurve::of(&series, Roi::new(&mask, 1)?)?.kinetics(&KineticsParams::default())?;
/// assert_eq!(kinetics.peak_enhancement, 1.4);
/// assert_eq!(kinetics.delayed_phase, DelayedPhase::Washout);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredCurve")]
pub struct TimeIntensityCurve {
    times: Vec<f64>,
    means: Vec<f64>,
    standard_deviations: Vec<f64>,
}

/// A curve as it is written.
#[derive(Deserialize)]
#[serde(rename = "TimeIntensityCurve", deny_unknown_fields)]
struct StoredCurve {
    times: Vec<f64>,
    means: Vec<f64>,
    standard_deviations: Vec<f64>,
}

impl TryFrom<StoredCurve> for TimeIntensityCurve {
    type Error = ImagingError;

    fn try_from(StoredCurve { times, means, standard_deviations }: StoredCurve) -> Result<Self> {
        Self::new(times, means, standard_deviations)
    }
}

/// How enhancement goes on after its early rise (Kuhl et al., Radiology 211:101, 1999).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DelayedPhase {
    /// Rises on by more than the tolerance (type I).
    Persistent,
    /// Stays within the tolerance (type II).
    Plateau,
    /// Falls by more than the tolerance (type III).
    Washout,
}

/// Figures of a time-intensity curve, relative to the signal before contrast, S₀.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Kinetics {
    /// Largest relative enhancement, (S − S₀) / S₀.
    pub peak_enhancement: f64,
    /// Seconds from the first phase to it.
    pub time_to_peak: f64,
    /// Relative enhancement per second from the first phase to the peak: 0 when the first phase is the peak.
    pub wash_in_rate: f64,
    /// Relative enhancement per second from the peak to the last phase, negative for a fall: 0 when the last phase is
    /// the peak.
    pub wash_out_rate: f64,
    /// Largest relative enhancement of the early phases.
    pub early_enhancement: f64,
    /// Change from the largest early signal to the last one, relative to the former.
    pub delayed_change: f64,
    /// The class of that change.
    pub delayed_phase: DelayedPhase,
}

/// How a curve is classed.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`early_seconds`](Self::early_seconds) | 120 | phases up to this many seconds after the first are early | above 0 |
/// | [`tolerance`](Self::tolerance) | 0.10 | largest relative change of a plateau | at least 0 |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct KineticsParams {
    /// Phases up to this many seconds after the first are early. Default 120.
    pub early_seconds: f64,
    /// Largest relative change of a plateau. Default 0.10.
    pub tolerance: f64,
}

impl Default for KineticsParams {
    fn default() -> Self {
        Self { early_seconds: 120.0, tolerance: 0.10 }
    }
}

impl KineticsParams {
    /// Sets [`KineticsParams::early_seconds`].
    pub fn with_early_seconds(self, early_seconds: f64) -> Self {
        Self { early_seconds, ..self }
    }

    /// Sets [`KineticsParams::tolerance`].
    pub fn with_tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// The parameters when all are in range.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] with the first that is not.
    pub fn check(self) -> Result<KineticsRule> {
        let invalid = |parameter, value: f64, requirement| {
            Err(ImagingError::InvalidParameter {
                operation: OPERATION,
                parameter,
                value: value.to_string(),
                requirement,
            })
        };
        if self.early_seconds.is_nan() || self.early_seconds <= 0.0 {
            return invalid("early_seconds", self.early_seconds, "it must be above 0");
        }
        if self.tolerance.is_nan() || self.tolerance < 0.0 {
            return invalid("tolerance", self.tolerance, "it must be at least 0");
        }
        Ok(KineticsRule { params: self })
    }
}

/// Checked parameters, by which curves are classed: see [`KineticsParams`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KineticsRule {
    params: KineticsParams,
}

impl KineticsRule {
    /// The parameters.
    pub fn params(&self) -> &KineticsParams {
        &self.params
    }

    /// What a curve does.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when the signal before contrast is not above 0, or no phase after the first
    /// is early, or none is late.
    pub fn kinetics(&self, curve: &TimeIntensityCurve) -> Result<Kinetics> {
        let TimeIntensityCurve { times, means, .. } = curve;
        let params = &self.params;
        let invalid = |parameter, value: String, requirement| {
            Err(ImagingError::InvalidParameter { operation: OPERATION, parameter, value, requirement })
        };
        let (Some(&baseline), Some(&first), Some(&last)) = (means.first(), times.first(), means.last()) else {
            return invalid("phases", "0".to_owned(), "there must be at least two");
        };
        if baseline.is_nan() || baseline <= 0.0 {
            return invalid("baseline", baseline.to_string(), "the signal before contrast must be above 0");
        }
        let early_count = times.iter().filter(|&&time| time - first <= params.early_seconds).count();
        if early_count < 2 || early_count >= means.len() {
            let value = format!("{} s, {early_count} of {} phases early", params.early_seconds, means.len());
            return invalid("early_seconds", value, "a phase after the first must be early, and the last one late");
        }
        let highest =
            |means: &[f64]| (0..means.len()).rev().max_by(|&a, &b| means[a].total_cmp(&means[b])).unwrap_or(0);
        let peak = highest(means);
        let peak_enhancement = (means[peak] - baseline) / baseline;
        let early = means[1 + highest(&means[1..early_count])];
        let delayed_change = (last - early) / early;
        let rate = |change: f64, seconds: f64| if seconds > 0.0 { change / seconds } else { 0.0 };
        Ok(Kinetics {
            peak_enhancement,
            time_to_peak: times[peak] - first,
            wash_in_rate: rate(peak_enhancement, times[peak] - first),
            wash_out_rate: rate((last - means[peak]) / baseline, times[times.len() - 1] - times[peak]),
            early_enhancement: (early - baseline) / baseline,
            delayed_change,
            delayed_phase: match delayed_change {
                change if change > params.tolerance => DelayedPhase::Persistent,
                change if change < -params.tolerance => DelayedPhase::Washout,
                _ => DelayedPhase::Plateau,
            },
        })
    }
}

impl TimeIntensityCurve {
    /// A curve from its phases: seconds from the first, means and standard deviations (divisor n).
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when there is no phase, the three have different lengths, or the times are
    /// not known and ascending.
    pub fn new(times: Vec<f64>, means: Vec<f64>, standard_deviations: Vec<f64>) -> Result<Self> {
        let counts = [times.len(), means.len(), standard_deviations.len()];
        let ascending = times.iter().all(|time| time.is_finite()) && times.windows(2).all(|pair| pair[0] < pair[1]);
        if counts[0] > 0 && counts == [counts[0]; 3] && ascending {
            return Ok(Self { times, means, standard_deviations });
        }
        Err(ImagingError::InvalidParameter {
            operation: OPERATION,
            parameter: "times",
            value: format!("{times:?} for {} means and {} standard deviations", counts[1], counts[2]),
            requirement: "there must be at least one phase, and known, ascending times, one for each",
        })
    }

    /// The curve of a region over the phases of a series.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when there are fewer than two phases or their times are unknown or not
    /// ascending; and as [`crate::intensity::values`] for each phase.
    pub fn of(series: &DynamicSeries, roi: Roi<'_>) -> Result<Self> {
        let ascending = series.times().windows(2).all(|pair| pair[0] < pair[1]);
        if series.phase_count() < 2 || !ascending {
            return Err(ImagingError::InvalidParameter {
                operation: OPERATION,
                parameter: "times",
                value: format!("{:?}", series.times()),
                requirement: "there must be at least two phases with known, ascending times",
            });
        }
        let of_phase = |image: &Image| with_volume!(image, volume => statistics(volume, Some(roi)));
        let phases = series.images().iter().map(of_phase).collect::<Result<Vec<_>>>()?;
        Self::new(
            series.times().to_vec(),
            phases.iter().map(|phase| phase.mean).collect(),
            phases.iter().map(|phase| phase.standard_deviation).collect(),
        )
    }

    /// Seconds from the first phase, ascending.
    #[must_use]
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// Mean of the region in each phase.
    #[must_use]
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// Standard deviation of the region in each phase (divisor n).
    #[must_use]
    pub fn standard_deviations(&self) -> &[f64] {
        &self.standard_deviations
    }

    /// What the curve does.
    ///
    /// # Errors
    /// As [`KineticsParams::check`] and [`KineticsRule::kinetics`].
    pub fn kinetics(&self, params: &KineticsParams) -> Result<Kinetics> {
        params.check()?.kinetics(self)
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    fn curve(means: &[f64]) -> TimeIntensityCurve {
        let times = (0..means.len()).map(|phase| 60.0 * phase as f64).collect();
        TimeIntensityCurve::new(times, means.to_vec(), vec![0.0; means.len()]).unwrap()
    }

    #[test]
    fn the_three_classes_are_told_apart() {
        let class = |means: &[f64]| curve(means).kinetics(&KineticsParams::default()).unwrap().delayed_phase;
        assert_eq!(class(&[100.0, 150.0, 200.0, 240.0]), DelayedPhase::Persistent);
        assert_eq!(class(&[100.0, 150.0, 200.0, 205.0]), DelayedPhase::Plateau);
        assert_eq!(class(&[100.0, 190.0, 200.0, 150.0]), DelayedPhase::Washout);
    }

    #[test]
    fn rates_refer_to_the_signal_before_contrast() {
        let kinetics = curve(&[100.0, 300.0, 200.0, 150.0]).kinetics(&KineticsParams::default()).unwrap();
        assert_abs_diff_eq!(kinetics.peak_enhancement, 2.0);
        assert_abs_diff_eq!(kinetics.time_to_peak, 60.0);
        assert_abs_diff_eq!(kinetics.wash_in_rate, 2.0 / 60.0, epsilon = 1e-12);
        assert_abs_diff_eq!(kinetics.wash_out_rate, -1.5 / 120.0, epsilon = 1e-12);
        assert_abs_diff_eq!(kinetics.delayed_change, -0.5);
    }

    #[test]
    fn a_curve_that_is_read_is_checked() {
        let curve = curve(&[100.0, 150.0, 200.0]);
        let text = serde_json::to_string(&curve).unwrap();
        assert_eq!(serde_json::from_str::<TimeIntensityCurve>(&text).unwrap(), curve);
        for bad in [text.replace("150.0,", ""), text.replace("60.0", "-60.0"), text.replace("60.0", "null")] {
            assert!(serde_json::from_str::<TimeIntensityCurve>(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn curves_without_a_baseline_are_refused() {
        assert!(curve(&[0.0, 1.0, 2.0, 3.0]).kinetics(&KineticsParams::default()).is_err());
        assert!(curve(&[1.0]).kinetics(&KineticsParams::default()).is_err());
        assert!(curve(&[1.0, 2.0]).kinetics(&KineticsParams::default()).is_err());
    }
}
