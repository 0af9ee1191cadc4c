//! Single training steps, for loops of one's own.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{DeepError, Result};
use crate::kernel::microkernel::Instructions;
use crate::kernel::workspace::Workspace;
use crate::network::{Head, Network, Pass, Wanted};
use crate::optimiser::{Optimiser, OptimiserState, ParameterGroup, WeightDecayRule, learning_rate_factors};
use crate::tensor::Tensor;
use crate::weights::StateDict;

/// The binary cross-entropy that is minimised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossEntropyLoss {
    /// Weights of a negative and of a positive example.
    pub class_weights: [f64; 2],
    /// Labels become s/2 and 1 − s/2.
    pub label_smoothing: f64,
}

impl Default for CrossEntropyLoss {
    fn default() -> Self {
        Self { class_weights: [1.0; 2], label_smoothing: 0.0 }
    }
}

/// The loss of a batch, with its gradient with respect to the logits.
pub(crate) struct LossOfLogits {
    pub(crate) mean: f64,
    pub(crate) gradient: Vec<f32>,
}

impl CrossEntropyLoss {
    pub(crate) fn of(&self, logits: &[f64], labels: &[bool]) -> LossOfLogits {
        let count = logits.len() as f64;
        let mut mean = 0.0;
        let gradient = logits
            .iter()
            .zip(labels)
            .map(|(&logit, &label)| {
                let target = f64::from(u8::from(label)) * (1.0 - self.label_smoothing) + self.label_smoothing / 2.0;
                let weight = self.class_weights[usize::from(label)] / count;
                mean += weight * (logit.max(0.0) - logit * target + (-logit.abs()).exp().ln_1p());
                (weight * (1.0 / (1.0 + (-logit).exp()) - target)) as f32
            })
            .collect();
        LossOfLogits { mean, gradient }
    }
}

/// Where batch normalisations take their moments from in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormMoments {
    /// From each batch; the running statistics follow.
    #[default]
    Batch,
    /// From the running statistics, which stay as they are, in frozen parameter groups; from each batch elsewhere.
    RunningWhereFrozen,
    /// From the running statistics, which stay as they are.
    Running,
}

/// A network in training.
#[derive(Debug)]
pub struct Trainer {
    pub(crate) network: Network,
    pub(crate) state: OptimiserState,
    optimiser: Optimiser,
    rule: WeightDecayRule,
    /// Factor on the learning rate of every parameter.
    factors: Vec<f32>,
    trained: Vec<bool>,
    frozen_norms: Vec<bool>,
    workspace: Workspace,
}

/// Loss, logits and gradients of a batch.
#[derive(Debug)]
pub struct BatchGradients {
    /// Mean loss over the batch.
    pub loss: f64,
    /// The logit of every image.
    pub logits: Vec<f64>,
    values: Vec<Vec<f32>>,
}

impl BatchGradients {
    /// Euclidean norm of all gradients together, frozen parameters left out.
    pub fn norm(&self) -> f64 {
        let squares: Vec<f64> = self.values.par_iter().map(|values| values.iter().map(|v| f64::from(*v) * f64::from(*v)).sum()).collect();
        squares.iter().sum::<f64>().sqrt()
    }

    /// Scales all gradients down where their norm exceeds the limit.
    pub fn clip(&mut self, limit: f64) {
        let norm = self.norm();
        if norm > limit {
            let scale = (limit / norm) as f32;
            self.values.par_iter_mut().for_each(|values| values.iter_mut().for_each(|value| *value *= scale));
        }
    }
}

impl Trainer {
    /// A trainer of all parameters of a network that ends in a logit, with the moments of each batch.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] when the network has no logit head or the optimiser a parameter outside its range.
    pub fn new(network: Network, optimiser: Optimiser, rule: WeightDecayRule) -> Result<Self> {
        Self::with_instructions(network, optimiser, rule, Instructions::best())
    }

    /// As [`Trainer::new`], computing with instructions of one's choice.
    ///
    /// # Errors
    /// As [`Trainer::new`].
    pub fn with_instructions(network: Network, optimiser: Optimiser, rule: WeightDecayRule, instructions: Instructions) -> Result<Self> {
        if network.head() != Head::Logit {
            return Err(DeepError::Parameter {
                name: "head",
                value: format!("{:?}", network.head()),
                requirement: "a logit to be trained",
            });
        }
        optimiser.check()?;
        let (trained, frozen_norms) = (vec![true; network.parameters.len()], vec![false; network.graph.norms.len()]);
        let state = OptimiserState::new(optimiser, &network, &trained);
        let factors = vec![1.0; trained.len()];
        Ok(Self { network, state, optimiser, rule, factors, trained, frozen_norms, workspace: Workspace::new(instructions) })
    }

    /// The trainer, with learning rates by groups of parameters and a choice of the moments; to be called before the first step.
    ///
    /// A parameter belongs to the group with the longest prefix of its name. Gradients of frozen parameters are not computed,
    /// nor what would lead to them alone.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] when a factor is negative or not finite, no parameter's name begins with a prefix, or all
    /// parameters would be frozen.
    pub fn with_groups(mut self, groups: &[ParameterGroup], moments: NormMoments) -> Result<Self> {
        self.factors = learning_rate_factors(groups, &self.network)?;
        self.trained = self.factors.iter().map(|factor| *factor > 0.0).collect();
        let frozen = |norm: usize| !self.trained[norm];
        let norms = self.network.graph.norms.iter();
        self.frozen_norms = match moments {
            NormMoments::Batch => norms.map(|_| false).collect(),
            NormMoments::RunningWhereFrozen => norms.map(|norm| frozen(norm.weight)).collect(),
            NormMoments::Running => norms.map(|_| true).collect(),
        };
        self.state = OptimiserState::new(self.optimiser, &self.network, &self.trained);
        Ok(self)
    }

    /// The network as it stands.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The network, trained.
    pub fn into_network(self) -> Network {
        self.network
    }

    /// Forward and backward pass over a batch; dropout, where the backbone has it, draws from `dropout_seed`.
    ///
    /// # Errors
    /// [`DeepError::Shape`] when the images do not fit the network or their number is not that of the labels,
    /// [`DeepError::NotFinite`] when they hold a value that is not finite.
    pub fn gradients(&mut self, images: Tensor, labels: &[bool], loss: CrossEntropyLoss, dropout_seed: u64) -> Result<BatchGradients> {
        if images.images() != labels.len() {
            return Err(DeepError::Shape {
                operation: "labels of a batch",
                got: vec![labels.len()],
                expected: images.images().to_string(),
            });
        }
        let mut dropout = ChaCha8Rng::seed_from_u64(dropout_seed);
        let pass = Pass::Training { frozen_norms: &self.frozen_norms };
        let tape = self.network.forward(images, pass, &mut dropout, &mut self.workspace)?;
        let output = self.network.graph.output;
        let logits: Vec<f64> = tape.activation(output).as_slice().iter().map(|logit| f64::from(*logit)).collect();
        let LossOfLogits { mean, gradient } = loss.of(&logits, labels);
        let gradient = Tensor::new([labels.len(), 1, 1, 1], gradient)?;
        let values = self.network.backward(tape, output, gradient, Wanted::Parameters(&self.trained), &mut self.workspace).parameters;
        Ok(BatchGradients { loss: mean, logits, values })
    }

    /// Gradients of the parameters that are not frozen, by torchvision's names, in PyTorch's layout.
    pub fn named_gradients(&self, gradients: &BatchGradients) -> StateDict {
        let named = self.network.named(&gradients.values).zip(&self.trained);
        named.filter(|(_, trained)| **trained).map(|(named, _)| named).collect()
    }

    /// One step of the optimiser.
    pub fn update(&mut self, gradients: &BatchGradients, learning_rate: f64) {
        self.state.step(self.optimiser, self.rule, &mut self.network, &gradients.values, learning_rate as f32, &self.factors);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cross_entropy_gradient_agrees_with_finite_differences() {
        let labels = [true, false, true];
        let criterion = CrossEntropyLoss { class_weights: [0.7, 1.6], label_smoothing: 0.1 };
        let logits = [0.3, -1.2, 40.0];
        for index in 0..3 {
            let (mut up, mut down) = (logits, logits);
            up[index] += 1e-5;
            down[index] -= 1e-5;
            let numeric = (criterion.of(&up, &labels).mean - criterion.of(&down, &labels).mean) / 2e-5;
            assert!((f64::from(criterion.of(&logits, &labels).gradient[index]) - numeric).abs() < 1e-6);
        }
    }
}
