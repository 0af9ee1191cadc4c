//! Least squares of the Tofts models.

use serde::{Deserialize, Serialize};

use super::input_function::InputFunction;
use crate::error::{ImagingError, Result};

const OPERATION: &str = "Tofts model";

/// Values of k_ep at which the search begins.
const GRID: usize = 64;
/// Steps of the golden section, each of which makes the interval 0.618 times as long: from a ratio of two neighbours of
/// the grid to a relative width of 1e-9.
const SECTIONS: usize = 42;

/// Which model is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ToftsModel {
    /// Without plasma in the tissue: v_p = 0.
    Standard,
    /// With plasma in the tissue.
    Extended,
}

/// How the Tofts models are fitted.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`model`](Self::model) | extended | which model | see [`ToftsModel`] |
/// | [`rate_range`](Self::rate_range) | 0.001 to 20 | k_ep in 1/min that are searched | above 0, ascending |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct ToftsParams {
    /// Which model is fitted. Default [`ToftsModel::Extended`].
    pub model: ToftsModel,
    /// Lowest and highest k_ep in 1/min. Default 0.001 and 20.
    pub rate_range: [f64; 2],
}

impl Default for ToftsParams {
    fn default() -> Self {
        Self { model: ToftsModel::Extended, rate_range: [0.001, 20.0] }
    }
}

impl ToftsParams {
    /// Sets [`ToftsParams::model`].
    pub fn with_model(self, model: ToftsModel) -> Self {
        Self { model, ..self }
    }

    /// Sets [`ToftsParams::rate_range`].
    pub fn with_rate_range(self, rate_range: [f64; 2]) -> Self {
        Self { rate_range, ..self }
    }

    /// The parameters when all are in range.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when the range of k_ep is empty or not above 0.
    pub fn check(self) -> Result<Tofts> {
        let [low, high] = self.rate_range;
        if low > 0.0 && low < high && high.is_finite() {
            return Ok(Tofts { params: self });
        }
        Err(invalid("rate_range", format!("{low} to {high}"), "it must ascend from above 0"))
    }
}

/// Checked parameters: see [`ToftsParams`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tofts {
    params: ToftsParams,
}

/// The parameters of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ToftsFit {
    /// Transfer constant K^trans in 1/min.
    pub transfer_constant: f64,
    /// Rate constant k_ep in 1/min; NaN where K^trans is 0, when no k_ep is better than another.
    pub rate_constant: f64,
    /// Volume of the extravascular extracellular space, v_e = K^trans / k_ep, as it comes out: above 1 where the curve
    /// has none that a tissue can have. NaN where K^trans is 0.
    pub extracellular_volume: f64,
    /// Volume of plasma v_p; 0 in the standard model.
    pub plasma_volume: f64,
    /// Root of the mean square of the residuals in mmol/L.
    pub residual: f64,
    /// Whether k_ep lies at an end of its range, where the minimum may be beyond.
    pub is_at_bound: bool,
}

impl ToftsFit {
    /// Of a curve that cannot be fitted.
    const UNDEFINED: Self = Self {
        transfer_constant: f64::NAN,
        rate_constant: f64::NAN,
        extracellular_volume: f64::NAN,
        plasma_volume: f64::NAN,
        residual: f64::NAN,
        is_at_bound: false,
    };

    /// Whether the curve could be fitted.
    #[must_use]
    pub fn is_defined(&self) -> bool {
        !self.transfer_constant.is_nan()
    }
}

impl Tofts {
    /// The parameters.
    pub fn params(&self) -> &ToftsParams {
        &self.params
    }

    /// What fits curves whose phases have these times, in seconds from the first phase.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when the times are not known and ascending, when there are fewer phases than
    /// parameters, and when the input function ends before the last phase or is 0 in all of them.
    pub fn fitter(&self, input: &InputFunction, times: &[f64]) -> Result<ToftsFitter> {
        ToftsFitter::new(self.params, input, times)
    }
}

/// Fits curves with given times of the phases and a given input function.
///
/// ```
/// use alnm_imaging::kinetics::tofts::{ParkerParams, ToftsParams};
///
/// let times: Vec<f64> = (0..9).map(|phase| 60.0 * f64::from(phase)).collect();
/// let input = ParkerParams::new(20.0, 480.0).check()?;
/// let fitter = ToftsParams::default().check()?.fitter(&input, &times)?;
/// let curve = fitter.curve(0.25, 0.6, 0.04);
/// let fit = fitter.fit(&curve);
/// assert!((fit.transfer_constant - 0.25).abs() < 1e-6 && (fit.rate_constant - 0.6).abs() < 1e-6);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ToftsFitter {
    params: ToftsParams,
    /// Lengths in minutes of the pieces between points of the input function and phases.
    lengths: Vec<f64>,
    /// Concentration in plasma at the two ends of each piece.
    ends: Vec<[f64; 2]>,
    /// Number of pieces before each phase.
    pieces_before: Vec<usize>,
    /// Concentration in plasma in each phase.
    plasma: Vec<f64>,
    /// k_ep of the grid, with the integral of each phase.
    grid: Vec<(f64, Vec<f64>)>,
}

/// What is best for one k_ep.
#[derive(Clone, Copy)]
struct Linear {
    transfer: f64,
    plasma: f64,
    squares: f64,
}

impl ToftsFitter {
    fn new(params: ToftsParams, input: &InputFunction, times: &[f64]) -> Result<Self> {
        let known = times.iter().all(|time| time.is_finite());
        if !known || !times.windows(2).all(|pair| pair[0] < pair[1]) {
            return Err(invalid("times", format!("{times:?}"), "they must be known and ascending"));
        }
        let parameters = if params.model == ToftsModel::Standard { 2 } else { 3 };
        if times.len() <= parameters {
            let requirement =
                "there must be more phases than parameters: 2 of the standard model, 3 of the extended one";
            return Err(invalid("times", format!("{} phases", times.len()), requirement));
        }
        let (last, end) = (times[times.len() - 1], input.times()[input.times().len() - 1]);
        if end < last {
            let value = format!("one that ends at {end} s");
            return Err(invalid("input function", value, "it must reach the last phase"));
        }
        let plasma: Vec<f64> = times.iter().map(|&time| input.at(time)).collect();
        if plasma.iter().all(|&value| value == 0.0) {
            let value = "0 in all phases".to_owned();
            return Err(invalid("input function", value, "contrast must have arrived by the last phase"));
        }
        let mut fitter = Self { params, lengths: vec![], ends: vec![], pieces_before: vec![], plasma, grid: vec![] };
        fitter.cut(input, times);
        let [low, high] = params.rate_range;
        let rates = (0..GRID).map(|step| low * (high / low).powf(step as f64 / (GRID - 1) as f64));
        fitter.grid = rates.map(|rate| (rate, fitter.integrals(rate))).collect();
        Ok(fitter)
    }

    /// Cuts the input function at the phases.
    fn cut(&mut self, input: &InputFunction, times: &[f64]) {
        let mut phases = times.iter().copied().peekable();
        // Before its first point the function is 0, and so is the integral.
        while phases.next_if(|&phase| phase <= input.times()[0]).is_some() {
            self.pieces_before.push(0);
        }
        for (pair, values) in input.times().windows(2).zip(input.plasma().windows(2)) {
            let (mut start, mut value) = (pair[0], values[0]);
            while let Some(phase) = phases.next_if(|&phase| phase <= pair[1]) {
                let at_phase = values[0] + (values[1] - values[0]) * (phase - pair[0]) / (pair[1] - pair[0]);
                self.push_piece(phase - start, [value, at_phase]);
                self.pieces_before.push(self.lengths.len());
                (start, value) = (phase, at_phase);
            }
            self.push_piece(pair[1] - start, [value, values[1]]);
        }
    }

    fn push_piece(&mut self, seconds: f64, ends: [f64; 2]) {
        if seconds > 0.0 {
            self.lengths.push(seconds / 60.0);
            self.ends.push(ends);
        }
    }

    /// ∫ C_p(u) · exp(−k · (t − u)) du to each phase, in mmol · min / L.
    fn integrals(&self, rate: f64) -> Vec<f64> {
        let mut found = Vec::with_capacity(self.pieces_before.len());
        let (mut integral, mut done) = (0.0, 0);
        // Most pieces have the same length, for which the weights need not be computed again.
        let (mut length, mut weights) = (f64::NAN, [0.0; 3]);
        for &pieces in &self.pieces_before {
            for piece in done..pieces {
                if self.lengths[piece] != length {
                    length = self.lengths[piece];
                    weights = piece_weights(rate, length);
                }
                let [before, after] = self.ends[piece];
                integral = integral * weights[0] + before * weights[1] + after * weights[2];
            }
            done = pieces;
            found.push(integral);
        }
        found
    }

    /// Number of phases of a curve.
    #[must_use]
    pub fn phase_count(&self) -> usize {
        self.plasma.len()
    }

    /// The curve of given parameters: K^trans and k_ep in 1/min, v_p; concentrations in mmol/L.
    #[must_use]
    pub fn curve(&self, transfer_constant: f64, rate_constant: f64, plasma_volume: f64) -> Vec<f64> {
        let integrals = self.integrals(rate_constant);
        integrals.iter().zip(&self.plasma).map(|(i, p)| transfer_constant * i + plasma_volume * p).collect()
    }

    /// The parameters of a curve of concentrations in mmol/L; NaN where one of them is not finite.
    ///
    /// # Panics
    /// When there are not as many concentrations as phases.
    #[must_use]
    pub fn fit(&self, concentrations: &[f64]) -> ToftsFit {
        assert_eq!(concentrations.len(), self.plasma.len(), "a concentration for each phase");
        if concentrations.iter().any(|value| !value.is_finite()) {
            return ToftsFit::UNDEFINED;
        }
        let of_grid: Vec<Linear> =
            self.grid.iter().map(|(_, integrals)| self.linear(integrals, concentrations)).collect();
        let mut best = 0;
        for place in 1..of_grid.len() {
            if of_grid[place].squares < of_grid[best].squares {
                best = place;
            }
        }
        let (rate, linear, is_at_bound) = self.refined(best, &of_grid, concentrations);
        let is_used = linear.transfer > 0.0;
        ToftsFit {
            transfer_constant: linear.transfer,
            rate_constant: if is_used { rate } else { f64::NAN },
            extracellular_volume: if is_used { linear.transfer / rate } else { f64::NAN },
            plasma_volume: linear.plasma,
            residual: (linear.squares / concentrations.len() as f64).sqrt(),
            is_at_bound: is_used && is_at_bound,
        }
    }

    /// The lowest sum of squares near a value of the grid, by golden section on the logarithm of k_ep.
    fn refined(&self, best: usize, of_grid: &[Linear], concentrations: &[f64]) -> (f64, Linear, bool) {
        const SHARE: f64 = 0.618_033_988_749_894_9;
        let at = |logarithm: f64| {
            let rate = logarithm.exp();
            (rate, self.linear(&self.integrals(rate), concentrations))
        };
        let rate_of = |place: usize| self.grid[place].0.ln();
        let last = self.grid.len() - 1;
        let (mut low, mut high) = (rate_of(best.saturating_sub(1)), rate_of((best + 1).min(last)));
        let (mut left, mut right) = (high - SHARE * (high - low), low + SHARE * (high - low));
        let (mut at_left, mut at_right) = (at(left), at(right));
        for _ in 0..SECTIONS {
            if at_left.1.squares <= at_right.1.squares {
                (high, right, at_right) = (right, left, at_left);
                left = high - SHARE * (high - low);
                at_left = at(left);
            } else {
                (low, left, at_left) = (left, right, at_right);
                right = low + SHARE * (high - low);
                at_right = at(right);
            }
        }
        let found = if at_left.1.squares <= at_right.1.squares { at_left } else { at_right };
        if of_grid[best].squares < found.1.squares {
            return (self.grid[best].0, of_grid[best], best == 0 || best == last);
        }
        let near = |bound: f64| (found.0 / bound - 1.0).abs() < 1e-6;
        (found.0, found.1, near(self.grid[0].0) || near(self.grid[last].0))
    }

    /// K^trans and v_p at least 0 of least squares.
    fn linear(&self, integrals: &[f64], concentrations: &[f64]) -> Linear {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let squares = |transfer: f64, plasma: f64| {
            let residual = |((i, p), c): ((&f64, &f64), &f64)| (c - transfer * i - plasma * p).powi(2);
            integrals.iter().zip(&self.plasma).zip(concentrations).map(residual).sum::<f64>()
        };
        let solution = |transfer: f64, plasma: f64| Linear { transfer, plasma, squares: squares(transfer, plasma) };
        let (ii, ic) = (dot(integrals, integrals), dot(integrals, concentrations));
        let only_transfer = if ii > 0.0 { (ic / ii).max(0.0) } else { 0.0 };
        if self.params.model == ToftsModel::Standard {
            return solution(only_transfer, 0.0);
        }
        let (pp, pc) = (dot(&self.plasma, &self.plasma), dot(&self.plasma, concentrations));
        let ip = dot(integrals, &self.plasma);
        let determinant = ii * pp - ip * ip;
        let (transfer, plasma) = ((ic * pp - pc * ip) / determinant, (pc * ii - ic * ip) / determinant);
        if transfer >= 0.0 && plasma >= 0.0 && transfer.is_finite() && plasma.is_finite() {
            return solution(transfer, plasma);
        }
        let (a, b) = (solution(only_transfer, 0.0), solution(0.0, (pc / pp).max(0.0)));
        if a.squares <= b.squares { a } else { b }
    }
}

/// What the integral before a piece, and the concentrations at its two ends, are multiplied with:
/// e^−x, h · (φ₁ − φ₂) and h · φ₂ with x = k · h, φ₁ = (1 − e^−x) / x and φ₂ = (1 − φ₁) / x.
fn piece_weights(rate: f64, length: f64) -> [f64; 3] {
    /// Below it the differences lose digits, and six terms of the series are exact to 1e-16.
    const SMALL: f64 = 2e-3;
    let x = rate * length;
    let decay = (-x).exp();
    let (first, second) = if x < SMALL {
        let first = 1.0 - x / 2.0 * (1.0 - x / 3.0 * (1.0 - x / 4.0 * (1.0 - x / 5.0 * (1.0 - x / 6.0))));
        let second = 0.5 - x / 6.0 * (1.0 - x / 4.0 * (1.0 - x / 5.0 * (1.0 - x / 6.0 * (1.0 - x / 7.0))));
        (first, second)
    } else {
        let first = -(-x).exp_m1() / x;
        (first, (1.0 - first) / x)
    };
    [decay, length * (first - second), length * second]
}

fn invalid(parameter: &'static str, value: String, requirement: &'static str) -> ImagingError {
    ImagingError::InvalidParameter { operation: OPERATION, parameter, value, requirement }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn the_integral_is_that_of_a_fine_sum() {
        let input =
            InputFunction::measured(vec![10.0, 30.0, 45.0, 200.0, 400.0], vec![0.0, 6.0, 2.0, 1.5, 1.0]).unwrap();
        let times = [0.0, 25.0, 90.0, 210.0, 400.0];
        let fitter = ToftsParams::default().check().unwrap().fitter(&input, &times).unwrap();
        for rate in [1e-4, 0.01, 0.7, 15.0] {
            let found = fitter.integrals(rate);
            for (&time, found) in times.iter().zip(found) {
                let steps = 200_000;
                let step = time / f64::from(steps);
                let at = |i: i32| step * (f64::from(i) + 0.5);
                let sum: f64 = (0..steps).map(|i| input.at(at(i)) * (-rate * (time - at(i)) / 60.0).exp()).sum();
                assert_relative_eq!(found, sum * step / 60.0, max_relative = 1e-6, epsilon = 1e-12);
            }
        }
    }

    #[test]
    fn both_ways_to_the_weights_meet() {
        let [_, a, b] = piece_weights(1.0, 2e-3 * (1.0 - 1e-12));
        let [_, c, d] = piece_weights(1.0, 2e-3 * (1.0 + 1e-12));
        assert_relative_eq!(a, c, max_relative = 1e-10);
        assert_relative_eq!(b, d, max_relative = 1e-9);
    }

    #[test]
    fn parameters_stay_at_least_0() {
        let input = InputFunction::measured(vec![0.0, 60.0, 300.0], vec![0.0, 5.0, 1.0]).unwrap();
        let times = [0.0, 60.0, 120.0, 180.0, 300.0];
        let fitter = ToftsParams::default().check().unwrap().fitter(&input, &times).unwrap();
        let none = fitter.fit(&[0.0, -1.0, -1.0, -0.5, -0.2]);
        assert_eq!((none.transfer_constant, none.plasma_volume), (0.0, 0.0));
        assert!(none.rate_constant.is_nan() && !none.is_at_bound);
        let plasma = fitter.fit(&times.map(|time| 0.1 * input.at(time)));
        assert_relative_eq!(plasma.plasma_volume, 0.1, max_relative = 1e-9);
        assert!(plasma.transfer_constant < 1e-9);
        assert!(!fitter.fit(&[0.0, f64::NAN, 1.0, 1.0, 1.0]).is_defined());
        let standard = ToftsParams::default().with_model(ToftsModel::Standard).check().unwrap();
        assert_eq!(standard.fitter(&input, &times).unwrap().fit(&[0.0, 1.0, 1.0, 1.0, 1.0]).plasma_volume, 0.0);
    }

    #[test]
    fn input_functions_that_do_not_fit_the_series_are_refused() {
        let tofts = ToftsParams::default().check().unwrap();
        let input = InputFunction::measured(vec![0.0, 60.0, 300.0], vec![0.0, 5.0, 1.0]).unwrap();
        assert!(tofts.fitter(&input, &[0.0, 60.0, 120.0]).is_err(), "as many phases as parameters");
        assert!(tofts.fitter(&input, &[0.0, 60.0, 120.0, 301.0]).is_err(), "it ends too early");
        let late = InputFunction::measured(vec![200.0, 300.0], vec![0.0, 5.0]).unwrap();
        assert!(tofts.fitter(&late, &[0.0, 60.0, 120.0, 180.0]).is_err(), "it begins too late");
        assert!(InputFunction::measured(vec![0.0, 0.0], vec![0.0, 5.0]).is_err());
        assert!(ToftsParams::default().with_rate_range([1.0, 1.0]).check().is_err());
    }
}
