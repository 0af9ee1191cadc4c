//! How the loss answers to the learning rate: a range test (Smith 2017).

use std::ops::ControlFlow;

use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use super::checkpoint::State;
use super::params::Training;
use super::{Example, Run, batches, check_examples};
use crate::error::{DeepError, Result};
use crate::network::Network;

/// The learning rates of a range test.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `lowest` | 1e-7 | rate of the first step | finite, > 0 |
/// | `highest` | 1 | rate of the last step | finite, > `lowest` |
/// | `steps` | 100 | steps, the rate rising by the same factor from each to the next | ≥ 2 |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct RangeTestParams {
    /// Rate of the first step.
    pub lowest: f64,
    /// Rate of the last step.
    pub highest: f64,
    /// Steps.
    pub steps: usize,
}

impl Default for RangeTestParams {
    fn default() -> Self {
        Self { lowest: 1e-7, highest: 1.0, steps: 100 }
    }
}

impl RangeTestParams {
    /// Rates of the first and the last step.
    pub fn with_rates(self, lowest: f64, highest: f64) -> Self {
        Self { lowest, highest, ..self }
    }

    /// Steps.
    pub fn with_steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// The test, where every parameter is in its range.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] with the first parameter outside its range.
    pub fn check(self) -> Result<RangeTest> {
        if !(self.lowest.is_finite() && self.lowest > 0.0) {
            return Err(DeepError::parameter("lowest", self.lowest, "finite and above 0"));
        }
        if !(self.highest.is_finite() && self.highest > self.lowest) {
            return Err(DeepError::parameter("highest", self.highest, format!("finite and above {}", self.lowest)));
        }
        if self.steps < 2 {
            return Err(DeepError::parameter("steps", self.steps, "at least 2"));
        }
        Ok(RangeTest(self))
    }
}

/// A checked range test; see [`RangeTestParams`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RangeTest(RangeTestParams);

/// The loss of a batch at a learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RatePoint {
    /// The learning rate of the step.
    pub learning_rate: f64,
    /// The loss of its batch, before the step.
    pub loss: f64,
}

impl RangeTest {
    /// The parameters.
    pub fn params(&self) -> &RangeTestParams {
        &self.0
    }

    fn rate(&self, step: usize) -> f64 {
        let RangeTestParams { lowest, highest, steps } = self.0;
        lowest * (highest / lowest).powf(step as f64 / (steps as f64 - 1.0))
    }
}

/// The test ends where the loss is this many times the lowest one so far, or not finite.
const EXPLOSION: f64 = 4.0;

impl Training {
    /// The losses of steps whose learning rate rises from each to the next: below the rate at which they stop falling
    /// lies the range to choose [`TrainingParams::learning_rate`](crate::TrainingParams::learning_rate) from, a tenth
    /// of the rate of the lowest loss being a common choice. All other parameters are those of the training; no
    /// examples are held out. A copy of the network is trained, and the curve ends early where the loss has risen to
    /// four times its lowest.
    ///
    /// `observer` hears of every point and stops the test by [`ControlFlow::Break`]; what is known by then is returned.
    ///
    /// # Errors
    /// As [`Training::run`], but for those of checkpoints and of a loss that is no longer finite, which ends the curve.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use alnm_deep::{Backbone, Example, Head, Initialisation, Network, RangeTestParams, TrainingParams};
    /// use ndarray::Array2;
    ///
    /// let image = |index: usize| Array2::from_shape_fn((32, 32), |(y, x)| ((y * (index % 2 + 1) + x) % 8) as f32 / 8.0);
    /// let examples: Vec<Example> = (0..4).map(|index| Example::new(image(index), index % 2 == 1)).collect();
    /// let network = Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(7));
    /// let training = TrainingParams::default().with_batch_size(4).check()?;
    /// let test = RangeTestParams::default().with_rates(1e-6, 1e-2).with_steps(3).check()?;
    /// let curve = training.rate_curve(&network, &examples, &test, &mut |_| ControlFlow::Continue(()))?;
    /// assert!((curve[1].learning_rate - 1e-4).abs() < 1e-9);
    /// # Ok::<(), alnm_deep::DeepError>(())
    /// ```
    pub fn rate_curve(
        &self,
        network: &Network,
        examples: &[Example],
        test: &RangeTest,
        observer: &mut dyn FnMut(RatePoint) -> ControlFlow<()>,
    ) -> Result<Vec<RatePoint>> {
        let params = self.params();
        check_examples(examples, network.preparation())?;
        let mut state = State::new(network.clone(), self, examples)?;
        let training: Vec<&Example> = examples.iter().collect();
        let positive = training.iter().filter(|example| example.label).count();
        let loss = self.loss(training.len() - positive, positive)?;
        let run = Run { params, training: &training, held_out: &[], loss, writes_checkpoints: false };
        let mut curve: Vec<RatePoint> = Vec::new();
        let mut lowest = f64::INFINITY;
        for pass in 0.. {
            let mut generator = ChaCha8Rng::seed_from_u64(params.seed);
            generator.set_stream(1 + pass);
            let mut order: Vec<usize> = (0..training.len()).collect();
            order.shuffle(&mut generator);
            for batch in batches(&order, params.batch_size) {
                let learning_rate = test.rate(curve.len());
                let loss = run.step(&mut state, batch, pass as usize, learning_rate, generator.random())?.loss();
                if !loss.is_finite() {
                    return Ok(curve);
                }
                let point = RatePoint { learning_rate, loss };
                curve.push(point);
                lowest = lowest.min(loss);
                if observer(point).is_break() || loss > EXPLOSION * lowest || curve.len() == test.0.steps {
                    return Ok(curve);
                }
            }
        }
        Ok(curve)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_checked_and_rates_rise_by_one_factor() {
        let refuses = |params: RangeTestParams| params.check().is_err();
        assert!(refuses(RangeTestParams::default().with_rates(0.0, 1.0)));
        assert!(refuses(RangeTestParams::default().with_rates(1.0, 1.0)));
        assert!(refuses(RangeTestParams::default().with_steps(1)));
        let test = RangeTestParams::default().with_rates(1e-4, 1.0).with_steps(5).check().unwrap();
        for (step, rate) in [1e-4, 1e-3, 1e-2, 1e-1, 1.0].into_iter().enumerate() {
            assert!((test.rate(step) / rate - 1.0).abs() < 1e-12);
        }
    }
}
