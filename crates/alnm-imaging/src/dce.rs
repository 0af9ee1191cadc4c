//! Time-intensity curves of dynamic contrast-enhanced series.

use serde::{Deserialize, Serialize};

use crate::dicom::DynamicSeries;
use crate::error::{ImagingError, Result};
use crate::intensity::statistics;
use crate::region::Roi;
use crate::volume::Image;
use crate::with_volume;

const OPERATION: &str = "time-intensity curve";

/// Mean intensity of a region in each phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimeIntensityCurve {
    /// Seconds from the first phase, ascending.
    pub times: Vec<f64>,
    /// Mean of the region.
    pub means: Vec<f64>,
    /// Standard deviation of the region (divisor n).
    pub standard_deviations: Vec<f64>,
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

/// What a curve does, with the signal before contrast, S₀, as reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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

impl TimeIntensityCurve {
    /// The curve of a region over the phases of a series.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when there are fewer than two phases or their times are unknown or not
    /// ascending; and as [`crate::intensity::values`] for each phase.
    pub fn of(series: &DynamicSeries, roi: Roi<'_>) -> Result<Self> {
        let ascending = series.times.windows(2).all(|pair| pair[0] < pair[1]);
        if series.images.len() < 2 || series.times.len() != series.images.len() || !ascending {
            return Err(ImagingError::InvalidParameter {
                operation: OPERATION,
                parameter: "times",
                value: format!("{:?} for {} phases", series.times, series.images.len()),
                requirement: "at least two phases with known, ascending times",
            });
        }
        let of_phase = |image: &Image| with_volume!(image, volume => statistics(volume, Some(roi)));
        let phases = series.images.iter().map(of_phase).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            times: series.times.clone(),
            means: phases.iter().map(|phase| phase.mean).collect(),
            standard_deviations: phases.iter().map(|phase| phase.standard_deviation).collect(),
        })
    }

    /// What the curve does.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when the signal before contrast is not above 0, fewer than two phases are
    /// given, no phase after the first is early or none is late, or the tolerance is negative.
    pub fn kinetics(&self, params: &KineticsParams) -> Result<Kinetics> {
        let invalid = |parameter, value: String, requirement| {
            Err(ImagingError::InvalidParameter { operation: OPERATION, parameter, value, requirement })
        };
        let (Some(&baseline), Some(&first), Some(&last)) = (self.means.first(), self.times.first(), self.means.last())
        else {
            return invalid("curve", "empty".to_owned(), "at least two phases are needed");
        };
        if baseline.is_nan() || baseline <= 0.0 {
            return invalid("baseline", baseline.to_string(), "the signal before contrast must be above 0");
        }
        if params.tolerance.is_nan() || params.tolerance < 0.0 {
            return invalid("tolerance", params.tolerance.to_string(), "it must be at least 0");
        }
        let early_count = self.times.iter().filter(|&&time| time - first <= params.early_seconds).count();
        if early_count < 2 || early_count >= self.means.len() {
            let value = format!("{} s, {early_count} of {} phases early", params.early_seconds, self.means.len());
            return invalid("early_seconds", value, "a phase after the first must be early, and the last one late");
        }
        let highest =
            |means: &[f64]| (0..means.len()).rev().max_by(|&a, &b| means[a].total_cmp(&means[b])).unwrap_or(0);
        let peak = highest(&self.means);
        let peak_enhancement = (self.means[peak] - baseline) / baseline;
        let early = self.means[1 + highest(&self.means[1..early_count])];
        let delayed_change = (last - early) / early;
        let rate = |change: f64, seconds: f64| if seconds > 0.0 { change / seconds } else { 0.0 };
        Ok(Kinetics {
            peak_enhancement,
            time_to_peak: self.times[peak] - first,
            wash_in_rate: rate(peak_enhancement, self.times[peak] - first),
            wash_out_rate: rate(
                (last - self.means[peak]) / baseline,
                self.times[self.times.len() - 1] - self.times[peak],
            ),
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

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    fn curve(means: &[f64]) -> TimeIntensityCurve {
        let times = (0..means.len()).map(|phase| 60.0 * phase as f64).collect();
        TimeIntensityCurve { times, means: means.to_vec(), standard_deviations: vec![0.0; means.len()] }
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
    fn curves_without_a_baseline_are_refused() {
        assert!(curve(&[0.0, 1.0, 2.0, 3.0]).kinetics(&KineticsParams::default()).is_err());
        assert!(curve(&[]).kinetics(&KineticsParams::default()).is_err());
        assert!(curve(&[1.0, 2.0]).kinetics(&KineticsParams::default()).is_err());
    }
}
