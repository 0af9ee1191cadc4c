//! The arterial input function: the concentration of contrast agent in plasma over time.

use serde::{Deserialize, Serialize};

use crate::error::{ImagingError, Result};

const OPERATION: &str = "input function";

/// The population input function of Parker et al. (Magn. Reson. Med. 56:993, 2006), for 0.1 mmol/kg.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`arrival`](Self::arrival) | required | seconds from the first phase to the arrival in the artery | finite |
/// | [`end`](Self::end) | required | seconds from the first phase to the last one | after the arrival |
/// | [`haematocrit`](Self::haematocrit) | 0.42 | share of cells in blood | at least 0, below 1 |
/// | [`step`](Self::step) | 0.5 | seconds between points | above 0 |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct ParkerParams {
    /// Seconds from the first phase to the arrival of contrast in the artery.
    pub arrival: f64,
    /// Seconds from the first phase to the end of the curve, the time of the last phase or later.
    pub end: f64,
    /// Share of cells in blood, by which the concentration in blood becomes that in plasma. Default 0.42.
    pub haematocrit: f64,
    /// Seconds between the points of the curve. Default 0.5.
    pub step: f64,
}

impl ParkerParams {
    /// A curve that begins and ends at these seconds from the first phase.
    pub fn new(arrival: f64, end: f64) -> Self {
        Self { arrival, end, haematocrit: 0.42, step: 0.5 }
    }

    /// Sets [`ParkerParams::haematocrit`].
    pub fn with_haematocrit(self, haematocrit: f64) -> Self {
        Self { haematocrit, ..self }
    }

    /// Sets [`ParkerParams::step`].
    pub fn with_step(self, step: f64) -> Self {
        Self { step, ..self }
    }

    /// The input function.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when a parameter is out of range, or the curve would have more than a million
    /// points.
    pub fn check(self) -> Result<InputFunction> {
        const MOST_POINTS: f64 = 1e6;
        let duration = self.end - self.arrival;
        let rules = [
            ("arrival", self.arrival, self.arrival.is_finite(), "it must be finite"),
            ("end", self.end, duration.is_finite() && duration > 0.0, "it must lie after the arrival"),
            (
                "haematocrit",
                self.haematocrit,
                (0.0..1.0).contains(&self.haematocrit),
                "it must be at least 0 and below 1",
            ),
            (
                "step",
                self.step,
                self.step > 0.0 && duration / self.step < MOST_POINTS,
                "it must give fewer than 1000000 points",
            ),
        ];
        if let Some((parameter, value, _, requirement)) = rules.into_iter().find(|(_, _, holds, _)| !holds) {
            return Err(invalid(parameter, value.to_string(), requirement));
        }
        let steps = (duration / self.step).ceil() as usize;
        let mut times: Vec<f64> = (0..=steps).map(|step| self.arrival + self.step * step as f64).collect();
        let mut plasma: Vec<f64> =
            times.iter().map(|time| self.blood(time - self.arrival) / (1.0 - self.haematocrit)).collect();
        // Before the arrival there is none.
        times.insert(0, self.arrival);
        plasma.insert(0, 0.0);
        InputFunction::of_points(times, plasma)
    }

    /// Concentration in blood in mmol/L so many seconds after the arrival.
    fn blood(&self, seconds: f64) -> f64 {
        const PEAKS: [[f64; 3]; 2] = [[0.809, 0.17046, 0.0563], [0.330, 0.365, 0.132]];
        let minutes = seconds / 60.0;
        let peak = |[area, centre, width]: [f64; 3]| {
            area / (width * std::f64::consts::TAU.sqrt()) * (-(minutes - centre).powi(2) / (2.0 * width * width)).exp()
        };
        let decay = 1.050 * (-0.1685 * minutes).exp() / (1.0 + (-38.078 * (minutes - 0.483)).exp());
        PEAKS.into_iter().map(peak).sum::<f64>() + decay
    }
}

/// The concentration of contrast agent in plasma over time: straight between its points, 0 before the first, and that
/// of the last after it.
///
/// Of two points at one time the first ends what was before, and the second begins what follows.
///
/// ```
/// use alnm_imaging::kinetics::tofts::{InputFunction, ParkerParams};
///
/// let population = ParkerParams::new(60.0, 600.0).check()?;
/// assert_eq!(population.at(59.0), 0.0);
/// assert!(population.at(70.0) > 10.0 && population.at(600.0) < 2.0);
/// let measured = InputFunction::measured(vec![0.0, 60.0, 120.0], vec![0.0, 5.0, 2.0])?;
/// assert_eq!(measured.at(90.0), 3.5);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct InputFunction {
    times: Vec<f64>,
    plasma: Vec<f64>,
}

impl InputFunction {
    /// A measured function: seconds from the first phase and concentrations in plasma in mmol/L (that in blood over
    /// 1 − haematocrit).
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when there are fewer than two points, another number of concentrations than
    /// of times, a value that is not finite, or times that do not ascend.
    pub fn measured(times: Vec<f64>, plasma: Vec<f64>) -> Result<Self> {
        if times.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(invalid("times", format!("{times:?}"), "they must ascend"));
        }
        Self::of_points(times, plasma)
    }

    fn of_points(times: Vec<f64>, plasma: Vec<f64>) -> Result<Self> {
        if times.len() < 2 || times.len() != plasma.len() {
            let value = format!("{} times and {} concentrations", times.len(), plasma.len());
            return Err(invalid("points", value, "there must be at least two times and a concentration for each"));
        }
        match times.iter().chain(&plasma).find(|value| !value.is_finite()) {
            Some(value) => Err(invalid("points", value.to_string(), "times and concentrations must be finite")),
            None => Ok(Self { times, plasma }),
        }
    }

    /// Seconds from the first phase to each point.
    #[must_use]
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// Concentration in plasma in mmol/L at each point.
    #[must_use]
    pub fn plasma(&self) -> &[f64] {
        &self.plasma
    }

    /// The concentration in plasma at a time, in mmol/L.
    #[must_use]
    pub fn at(&self, time: f64) -> f64 {
        let after = self.times.partition_point(|&point| point <= time);
        let Some(before) = after.checked_sub(1) else { return 0.0 };
        let Some(&next) = self.times.get(after) else { return self.plasma[before] };
        let share = (time - self.times[before]) / (next - self.times[before]);
        self.plasma[before] + share * (self.plasma[after] - self.plasma[before])
    }
}

fn invalid(parameter: &'static str, value: String, requirement: &'static str) -> ImagingError {
    ImagingError::InvalidParameter { operation: OPERATION, parameter, value, requirement }
}
