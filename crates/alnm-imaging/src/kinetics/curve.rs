//! The figures of one curve.

use serde::Serialize;

use super::params::{PeakChoice, TimeOrigin, VoxelKineticsParams, invalid};
use crate::dce::DelayedPhase;
use crate::error::Result;

/// Share of the highest enhancement above which a local peak is the peak of a curve.
const HIGH: f64 = 0.8;

/// What a curve does, in relative enhancement E = S / S₀ − 1 and seconds after the origin; NaN where the curve has no
/// such figure (see [`crate::kinetics`]).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EnhancementFigures {
    /// E of the early phase.
    pub initial_enhancement: f64,
    /// E of the peak.
    pub peak_enhancement: f64,
    /// (S₁ − S₀) / (S₂ − S₀), S₁ being the signal of the early phase and S₂ that of the late one. NaN where they are
    /// the same phase or the late signal is that of the baseline.
    pub signal_enhancement_ratio: f64,
    /// Seconds from the origin to the peak.
    pub time_to_peak: f64,
    /// E of the phase up to the peak that is nearest to half of the peak enhancement.
    pub half_peak_enhancement: f64,
    /// Seconds from the origin to that phase.
    pub time_to_half_peak: f64,
    /// Seconds from the origin to the phase nearest to the middle between the peak and the end; NaN where the peak is
    /// the last phase.
    pub mid_washout_time: f64,
    /// Peak enhancement over the time to it; NaN where the peak lies at the origin.
    pub wash_in_slope: f64,
    /// (E of the last phase − peak enhancement) over the time between them, negative for a fall; NaN where the peak is
    /// the last phase.
    pub washout_slope: f64,
    /// Slope of the straight line of least squares from the phase nearest to 10 % of the peak enhancement to that
    /// nearest to 70 %, or to the peak where these are one.
    pub initial_gradient: f64,
    /// Likewise from 10 % to 70 % of the fall from the peak to the last phase; NaN where these are one phase.
    pub washout_gradient: f64,
    /// Integral of E from the origin by trapezia, to [`VoxelKineticsParams::area_seconds`] or the last phase.
    pub area_under_curve: f64,
    /// Likewise to the peak.
    pub area_to_peak: f64,
    /// Likewise to the phase of half of the peak.
    pub area_to_half_peak: f64,
    /// Seconds from the origin to the first crossing of [`VoxelKineticsParams::arrival_fraction`] of the peak
    /// enhancement, on straight lines between phases; NaN where the peak enhancement is not above 0.
    pub bolus_arrival: f64,
    /// How the signal goes on from the early to the late phase; none below the threshold of enhancement, and where the
    /// two are the same phase.
    pub washout_class: Option<DelayedPhase>,
}

impl EnhancementFigures {
    /// The figures of a voxel without enhancement.
    const UNDEFINED: Self = Self {
        initial_enhancement: f64::NAN,
        peak_enhancement: f64::NAN,
        signal_enhancement_ratio: f64::NAN,
        time_to_peak: f64::NAN,
        half_peak_enhancement: f64::NAN,
        time_to_half_peak: f64::NAN,
        mid_washout_time: f64::NAN,
        wash_in_slope: f64::NAN,
        washout_slope: f64::NAN,
        initial_gradient: f64::NAN,
        washout_gradient: f64::NAN,
        area_under_curve: f64::NAN,
        area_to_peak: f64::NAN,
        area_to_half_peak: f64::NAN,
        bolus_arrival: f64::NAN,
        washout_class: None,
    };

    /// Whether the curve has an enhancement at all.
    #[must_use]
    pub fn is_defined(&self) -> bool {
        !self.peak_enhancement.is_nan()
    }

    /// Whether a voxel counts for the functional tumour volume: it enhances by the threshold at least, and its signal
    /// enhancement ratio is at least the other one.
    #[must_use]
    pub fn is_functional_tumour(&self, params: &VoxelKineticsParams) -> bool {
        self.initial_enhancement >= params.enhancement_threshold
            && self.signal_enhancement_ratio >= params.ratio_threshold
    }
}

/// Computes the figures of curves whose phases have given times.
///
/// ```
/// use alnm_imaging::dce::DelayedPhase;
/// use alnm_imaging::kinetics::VoxelKineticsParams;
///
/// let analysis = VoxelKineticsParams::default().check()?.for_times(&[0.0, 150.0, 450.0])?;
/// let figures = analysis.figures(&[100.0, 250.0, 200.0]);
/// assert_eq!((figures.peak_enhancement, figures.time_to_peak), (1.5, 150.0));
/// assert_eq!(figures.signal_enhancement_ratio, 1.5);
/// assert_eq!(figures.washout_class, Some(DelayedPhase::Washout));
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CurveAnalysis {
    params: VoxelKineticsParams,
    phases: usize,
    /// Seconds from the origin to each point of the curve, which begins with a point at the origin or with a phase.
    times: Vec<f64>,
    /// Place among the points of the first phase after the baseline.
    first_uptake: usize,
    early: usize,
    late: usize,
}

impl CurveAnalysis {
    pub(super) fn new(params: VoxelKineticsParams, phase_times: &[f64]) -> Result<Self> {
        let baseline = params.baseline_phases;
        let known = phase_times.iter().all(|time| time.is_finite());
        if !known || !phase_times.windows(2).all(|pair| pair[0] < pair[1]) {
            return Err(invalid("times", format!("{phase_times:?}"), "they must be known and ascending"));
        }
        if phase_times.len() <= baseline {
            let value = format!("{baseline} of {} phases", phase_times.len());
            return Err(invalid("baseline_phases", value, "at least one phase must follow the baseline"));
        }
        let (last_baseline, first) = (phase_times[baseline - 1], phase_times[baseline]);
        let origin = match params.origin {
            TimeOrigin::LastBaseline => last_baseline,
            TimeOrigin::FirstUptake => first,
            TimeOrigin::Seconds(seconds) => phase_times[0] + seconds,
        };
        let begins_with_phase = params.origin == TimeOrigin::FirstUptake;
        let lies_between = (last_baseline..first).contains(&origin);
        if !begins_with_phase && !lies_between {
            let value =
                format!("{origin} s, the baseline ending at {last_baseline} s and the next phase being at {first} s");
            return Err(invalid("origin", value, "it must lie from the end of the baseline to before the next phase"));
        }
        let first_uptake = usize::from(!begins_with_phase);
        let mut times = vec![0.0; first_uptake];
        times.extend(phase_times[baseline..].iter().map(|time| time - origin));
        let nearest = |seconds: f64| {
            first_uptake + nearest(times[first_uptake..].iter().map(|time| (time - seconds).abs())).unwrap_or(0)
        };
        let early = nearest(params.early_seconds);
        let late = params.late_seconds.map_or(times.len() - 1, nearest);
        Ok(Self { params, phases: phase_times.len(), first_uptake, early, late, times })
    }

    /// The place of the early phase among all, from 0.
    #[must_use]
    pub fn early_phase(&self) -> usize {
        self.params.baseline_phases + self.early - self.first_uptake
    }

    /// The place of the late phase among all, from 0.
    #[must_use]
    pub fn late_phase(&self) -> usize {
        self.params.baseline_phases + self.late - self.first_uptake
    }

    /// Number of phases of a curve.
    #[must_use]
    pub fn phase_count(&self) -> usize {
        self.phases
    }

    /// The figures of the signals of all phases.
    ///
    /// # Panics
    /// When there are not as many signals as phases.
    #[must_use]
    pub fn figures(&self, signals: &[f64]) -> EnhancementFigures {
        self.figures_with(signals, &mut Vec::new())
    }

    /// [`CurveAnalysis::figures`] with a buffer that is used again from voxel to voxel.
    pub(super) fn figures_with(&self, signals: &[f64], curve: &mut Vec<f64>) -> EnhancementFigures {
        assert_eq!(signals.len(), self.phases, "a signal for each phase");
        let (before, uptake) = signals.split_at(self.params.baseline_phases);
        let baseline = before.iter().sum::<f64>() / before.len() as f64;
        if !(baseline > 0.0 && baseline.is_finite() && signals.iter().all(|signal| signal.is_finite())) {
            return EnhancementFigures::UNDEFINED;
        }
        curve.clear();
        curve.resize(self.first_uptake, 0.0);
        curve.extend(uptake.iter().map(|signal| signal / baseline - 1.0));
        let peak = match self.params.peak {
            PeakChoice::Highest => nearest(curve.iter().map(|value| -value)).unwrap_or(0),
            PeakChoice::FirstLocal => first_local_peak(curve),
        };
        self.measure(curve, peak)
    }

    fn measure(&self, curve: &[f64], peak: usize) -> EnhancementFigures {
        let times = &self.times;
        let last = curve.len() - 1;
        let height = curve[peak];
        let to_level = |range: std::ops::RangeInclusive<usize>, level: f64| {
            let start = *range.start();
            start + nearest(curve[range].iter().map(|value| (value - level).abs())).unwrap_or(0)
        };
        let half = to_level(0..=peak, 0.5 * height);
        let (ten, seventy) = (to_level(0..=peak, 0.1 * height), |ten| to_level(ten..=peak, 0.7 * height));
        let rise_end = if seventy(ten) == ten { peak } else { seventy(ten) };
        let fall = height - curve[last];
        let fall_start = to_level(peak..=last, height - 0.1 * fall);
        let fall_end = to_level(fall_start..=last, height - 0.7 * fall);
        let is_before_end = peak < last;
        let before_end = |value: f64| if is_before_end { value } else { f64::NAN };
        let middle = 0.5 * (times[peak] + times[last]);
        let mid_washout = nearest(times.iter().map(|time| (time - middle).abs())).unwrap_or(0);
        let (early, late) = (curve[self.early], curve[self.late]);
        EnhancementFigures {
            initial_enhancement: early,
            peak_enhancement: height,
            signal_enhancement_ratio: if self.early == self.late || late == 0.0 { f64::NAN } else { early / late },
            time_to_peak: times[peak],
            half_peak_enhancement: curve[half],
            time_to_half_peak: times[half],
            mid_washout_time: before_end(times[mid_washout]),
            wash_in_slope: if times[peak] > 0.0 { height / times[peak] } else { f64::NAN },
            washout_slope: before_end((curve[last] - height) / (times[last] - times[peak])),
            initial_gradient: slope(&times[ten..=rise_end], &curve[ten..=rise_end]),
            washout_gradient: slope(&times[fall_start..=fall_end], &curve[fall_start..=fall_end]),
            area_under_curve: self.area(curve, self.params.area_seconds.unwrap_or(times[last])),
            area_to_peak: self.area(curve, times[peak]),
            area_to_half_peak: self.area(curve, times[half]),
            bolus_arrival: self.arrival(curve, peak),
            washout_class: self.class(early, late),
        }
    }

    /// The integral of the curve to a time, the curve being straight between its points and ending with the last.
    fn area(&self, curve: &[f64], end: f64) -> f64 {
        let mut area = 0.0;
        for (times, values) in self.times.windows(2).zip(curve.windows(2)) {
            if times[0] >= end {
                break;
            }
            let stop = times[1].min(end);
            let at_stop = if stop == times[1] {
                values[1]
            } else {
                values[0] + (values[1] - values[0]) * (stop - times[0]) / (times[1] - times[0])
            };
            area += 0.5 * (values[0] + at_stop) * (stop - times[0]);
        }
        area
    }

    fn arrival(&self, curve: &[f64], peak: usize) -> f64 {
        let level = self.params.arrival_fraction * curve[peak];
        if level.is_nan() || level <= 0.0 {
            return f64::NAN;
        }
        let Some(crossed) = curve[..=peak].iter().position(|&value| value >= level) else { return f64::NAN };
        let Some(before) = crossed.checked_sub(1) else { return self.times[0] };
        let share = (level - curve[before]) / (curve[crossed] - curve[before]);
        self.times[before] + share * (self.times[crossed] - self.times[before])
    }

    fn class(&self, early: f64, late: f64) -> Option<DelayedPhase> {
        if self.early == self.late || early < self.params.enhancement_threshold || early <= -1.0 {
            return None;
        }
        let change = (late - early) / (1.0 + early);
        Some(match change {
            change if change > self.params.tolerance => DelayedPhase::Persistent,
            change if change < -self.params.tolerance => DelayedPhase::Washout,
            _ => DelayedPhase::Plateau,
        })
    }
}

/// The place of the smallest value, the first of equal ones.
fn nearest(values: impl Iterator<Item = f64>) -> Option<usize> {
    let mut found: Option<(usize, f64)> = None;
    for (place, value) in values.enumerate() {
        if found.is_none_or(|(_, smallest)| value < smallest) {
            found = Some((place, value));
        }
    }
    found.map(|(place, _)| place)
}

/// The slope of the straight line of least squares; NaN for one point.
fn slope(times: &[f64], values: &[f64]) -> f64 {
    let count = times.len() as f64;
    let (mean_time, mean_value) = (times.iter().sum::<f64>() / count, values.iter().sum::<f64>() / count);
    let (mut products, mut squares) = (0.0, 0.0);
    for (time, value) in times.iter().zip(values) {
        products += (time - mean_time) * (value - mean_value);
        squares += (time - mean_time) * (time - mean_time);
    }
    if times.len() < 2 { f64::NAN } else { products / squares }
}

/// The first local peak above a share of the highest point; the highest where none is above 0.
fn first_local_peak(curve: &[f64]) -> usize {
    let highest = nearest(curve.iter().map(|value| -value)).unwrap_or(0);
    let level = HIGH * curve[highest];
    let is_peak = |place: usize| {
        let rises = place == 0 || curve[place] >= curve[place - 1];
        let falls = place + 1 == curve.len() || curve[place] >= curve[place + 1];
        rises && falls && curve[place] > level
    };
    if level > 0.0 { (0..highest).find(|&place| is_peak(place)).unwrap_or(highest) } else { highest }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    fn analysis(params: VoxelKineticsParams, times: &[f64]) -> CurveAnalysis {
        params.check().unwrap().for_times(times).unwrap()
    }

    #[test]
    fn figures_are_those_worked_out_by_hand() {
        let analysis = analysis(VoxelKineticsParams::default(), &[0.0, 60.0, 150.0, 300.0, 450.0]);
        assert_eq!((analysis.early_phase(), analysis.late_phase()), (2, 4));
        let figures = analysis.figures(&[100.0, 110.0, 300.0, 250.0, 220.0]);
        assert_abs_diff_eq!(figures.initial_enhancement, 2.0, epsilon = 1e-12);
        assert_abs_diff_eq!(figures.signal_enhancement_ratio, 2.0 / 1.2, epsilon = 1e-12);
        assert_abs_diff_eq!(figures.wash_in_slope, 2.0 / 150.0, epsilon = 1e-12);
        assert_abs_diff_eq!(figures.washout_slope, -0.8 / 300.0, epsilon = 1e-12);
        // 60 · 0.05 + 90 · 1.05 + 150 · 1.75 + 150 · 1.35
        assert_abs_diff_eq!(figures.area_under_curve, 562.5, epsilon = 1e-9);
        // A tenth of the peak, 0.2, is crossed 0.1 / 1.9 of the way from 60 to 150 s.
        assert_abs_diff_eq!(figures.bolus_arrival, 60.0 + 90.0 / 19.0, epsilon = 1e-9);
        assert_eq!(figures.washout_class, Some(DelayedPhase::Washout));
        assert!(figures.is_functional_tumour(&VoxelKineticsParams::default()));
    }

    #[test]
    fn the_area_may_end_between_phases() {
        let area = |seconds| {
            let params = VoxelKineticsParams::default().with_area_seconds(seconds);
            analysis(params, &[0.0, 100.0, 200.0]).figures(&[10.0, 20.0, 30.0]).area_under_curve
        };
        assert_abs_diff_eq!(area(Some(50.0)), 12.5, epsilon = 1e-12);
        assert_abs_diff_eq!(area(Some(150.0)), 50.0 + 62.5, epsilon = 1e-12);
        assert_abs_diff_eq!(area(None), 200.0, epsilon = 1e-12);
        assert_abs_diff_eq!(area(Some(1e6)), 200.0, epsilon = 1e-12);
    }

    #[test]
    fn two_phases_have_an_enhancement_and_neither_ratio_nor_class() {
        let figures = analysis(VoxelKineticsParams::default(), &[0.0, 120.0]).figures(&[50.0, 150.0]);
        assert_eq!((figures.initial_enhancement, figures.peak_enhancement, figures.time_to_peak), (2.0, 2.0, 120.0));
        assert!(figures.signal_enhancement_ratio.is_nan() && figures.washout_slope.is_nan());
        assert_eq!(figures.washout_class, None);
        assert!(!figures.is_functional_tumour(&VoxelKineticsParams::default()));
    }

    #[test]
    fn curves_without_a_baseline_have_no_figures() {
        let analysis = analysis(VoxelKineticsParams::default(), &[0.0, 60.0, 150.0, 300.0]);
        for signals in
            [[0.0, 1.0, 2.0, 3.0], [-5.0, 1.0, 2.0, 3.0], [1.0, f64::NAN, 2.0, 3.0], [1.0, 2.0, f64::INFINITY, 3.0]]
        {
            let figures = analysis.figures(&signals);
            assert!(!figures.is_defined() && figures.time_to_peak.is_nan() && figures.washout_class.is_none());
        }
        let flat = analysis.figures(&[7.0; 4]);
        assert!(flat.is_defined() && flat.bolus_arrival.is_nan() && flat.wash_in_slope.is_nan());
    }

    #[test]
    fn times_and_origins_that_make_no_sense_are_refused() {
        let kinetics = VoxelKineticsParams::default().check().unwrap();
        for times in [&[0.0][..], &[0.0, 0.0], &[0.0, f64::NAN], &[60.0, 0.0], &[]] {
            assert!(kinetics.for_times(times).is_err(), "{times:?}");
        }
        let late = VoxelKineticsParams::default().with_origin(TimeOrigin::Seconds(60.0)).check().unwrap();
        assert!(late.for_times(&[0.0, 60.0]).is_err());
        assert!(late.for_times(&[0.0, 61.0]).is_ok());
        assert!(VoxelKineticsParams::default().with_baseline_phases(0).check().is_err());
        assert!(VoxelKineticsParams::default().with_arrival_fraction(1.0).check().is_err());
        assert!(VoxelKineticsParams::default().with_early_seconds(f64::NAN).check().is_err());
    }

    #[test]
    fn the_first_local_peak_has_to_be_high() {
        assert_eq!(first_local_peak(&[0.0, 0.9, 0.85, 1.0, 0.2]), 1);
        assert_eq!(first_local_peak(&[0.0, 0.8, 0.75, 1.0, 0.2]), 3);
        assert_eq!(first_local_peak(&[0.0, 0.2, 0.9, 0.9, 1.0]), 2);
        assert_eq!(first_local_peak(&[-0.5, -0.2, -0.4]), 1);
    }
}
