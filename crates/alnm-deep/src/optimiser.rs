//! Stochastic gradient descent and AdamW, as PyTorch defines them.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{DeepError, Result};
use crate::graph::Role;
use crate::kernel::microkernel::Buffer;
use crate::network::Network;

/// The parameters on which weight decay acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WeightDecayRule {
    /// All parameters; the default of PyTorch's optimisers.
    All,
    /// Weights of convolutions and fully connected layers; not biases, not batch normalisation.
    WeightsOnly,
}

/// An optimiser: how parameters are updated from their gradients, with the formulas and defaults of PyTorch.
///
/// In the formulas p is a parameter, g its gradient and η the learning rate of the step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Optimiser {
    /// `b ← μ·b + (g + λ·p)`, `p ← p − η·b`.
    Sgd {
        /// μ in [0, 1).
        momentum: f32,
        /// λ ≥ 0.
        weight_decay: f32,
    },
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019): `p ← p − η·λ·p − η·m̂ / (√v̂ + ε)`.
    AdamW {
        /// Decay of the first moment, in [0, 1).
        beta1: f32,
        /// Decay of the second moment, in [0, 1).
        beta2: f32,
        /// ε > 0.
        epsilon: f32,
        /// λ ≥ 0.
        weight_decay: f32,
    },
}

impl Optimiser {
    /// AdamW with β = (0.9, 0.999), ε = 1e-8 and the given weight decay.
    #[must_use]
    pub fn adamw(weight_decay: f32) -> Self {
        Self::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay }
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] with the first parameter outside its range.
    pub fn check(self) -> Result<()> {
        let (shares, epsilon, weight_decay) = match self {
            Self::Sgd { momentum, weight_decay } => (vec![("momentum", momentum)], 1.0, weight_decay),
            Self::AdamW { beta1, beta2, epsilon, weight_decay } => {
                (vec![("beta1", beta1), ("beta2", beta2)], epsilon, weight_decay)
            }
        };
        let refuse = |name, value: f32, requirement| Err(DeepError::parameter(name, value, requirement));
        if let Some((name, value)) = shares.into_iter().find(|(_, share)| !(0.0..1.0).contains(share)) {
            return refuse(name, value, "in [0, 1)");
        }
        if !(epsilon.is_finite() && epsilon > 0.0) {
            return refuse("epsilon", epsilon, "finite and above 0");
        }
        if !(weight_decay.is_finite() && weight_decay >= 0.0) {
            return refuse("weight_decay", weight_decay, "finite and at least 0");
        }
        Ok(())
    }
}

/// Whether weight decay acts on each parameter.
pub(crate) fn decays(network: &Network, rule: WeightDecayRule) -> Vec<bool> {
    let parameters = network.graph.parameters.iter();
    parameters.map(|parameter| rule == WeightDecayRule::All || matches!(parameter.role, Role::Weight(_))).collect()
}

/// The learning rate of a step, and every parameter's factor on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LearningRates<'a> {
    pub(crate) rate: f32,
    pub(crate) factors: &'a [f32],
}

/// What the optimiser remembers between steps.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OptimiserState {
    /// Momentum, or first moment.
    pub(crate) first: Vec<Vec<f32>>,
    /// Second moment; empty for gradient descent.
    pub(crate) second: Vec<Vec<f32>>,
    pub(crate) steps: u64,
    /// Steps that were done before each parameter began to learn.
    pub(crate) begun: Vec<u64>,
}

impl OptimiserState {
    /// Nothing is remembered of parameters that are not trained.
    pub(crate) fn new(optimiser: Optimiser, network: &Network, trained: &[bool]) -> Self {
        let zeros = || {
            let sizes =
                network.parameters.iter().zip(trained).map(|(values, trained)| if *trained { values.len() } else { 0 });
            sizes.map(|size| vec![0.0; size]).collect()
        };
        let second = if matches!(optimiser, Optimiser::AdamW { .. }) { zeros() } else { Vec::new() };
        Self { first: zeros(), second, steps: 0, begun: vec![0; trained.len()] }
    }

    /// One step of size `learning_rate` times each parameter's factor. Parameters without gradients stay as they are.
    pub(crate) fn step(
        &mut self,
        optimiser: Optimiser,
        rule: WeightDecayRule,
        network: &mut Network,
        gradients: &[Buffer],
        rates: LearningRates<'_>,
    ) {
        self.steps += 1;
        let LearningRates { rate: learning_rate, factors } = rates;
        let decays = decays(network, rule);
        let steps: Vec<u64> = self.begun.iter().map(|begun| self.steps - begun).collect();
        let parameters = network.parameters.par_iter_mut().zip(gradients).zip(decays).zip(factors).zip(steps);
        match optimiser {
            Optimiser::Sgd { momentum, weight_decay } => {
                parameters.zip(&mut self.first).for_each(
                    |(((((values, gradients), decays), factor), steps), velocity)| {
                        let first_step = steps == 1;
                        let learning_rate = learning_rate * factor;
                        let decay = if decays { weight_decay } else { 0.0 };
                        for ((value, gradient), velocity) in values.iter_mut().zip(&**gradients).zip(velocity) {
                            let gradient = gradient + decay * *value;
                            *velocity = if first_step { gradient } else { momentum * *velocity + gradient };
                            *value -= learning_rate * *velocity;
                        }
                    },
                );
            }
            Optimiser::AdamW { beta1, beta2, epsilon, weight_decay } => {
                let moments = self.first.par_iter_mut().zip(&mut self.second);
                parameters.zip(moments).for_each(
                    |(((((values, gradients), decays), factor), steps), (first, second))| {
                        let correction = 1.0 - beta1.powi(steps as i32);
                        let root = (1.0 - f64::from(beta2).powi(steps as i32)).sqrt() as f32;
                        let learning_rate = learning_rate * factor;
                        let rate = learning_rate / correction;
                        let keep = if decays { 1.0 - learning_rate * weight_decay } else { 1.0 };
                        for (((value, gradient), first), second) in
                            values.iter_mut().zip(&**gradients).zip(first).zip(second)
                        {
                            *first += (1.0 - beta1) * (gradient - *first);
                            *second = beta2 * *second + (1.0 - beta2) * gradient * gradient;
                            *value = keep * *value - rate * *first / (second.sqrt() / root + epsilon);
                        }
                    },
                );
            }
        }
    }
}

/// The schedule of the learning rate over the steps of a training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Schedule {
    /// The same rate throughout.
    Constant,
    /// Rises linearly over the first `warm_up` share of the steps, then falls as half a cosine to zero (Loshchilov and
    /// Hutter 2017).
    WarmUpCosine {
        /// Share of the steps in [0, 1).
        warm_up: f64,
    },
}

impl Schedule {
    /// Checks the range.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] when the warm-up is outside of [0, 1).
    pub fn check(self) -> Result<()> {
        match self {
            Self::WarmUpCosine { warm_up } if !(0.0..1.0).contains(&warm_up) => {
                Err(DeepError::parameter("warm_up", warm_up, "in [0, 1)"))
            }
            _ => Ok(()),
        }
    }

    /// The factor on the learning rate in step `step` (from 0) of `total`.
    #[must_use]
    pub fn factor(self, step: usize, total: usize) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::WarmUpCosine { warm_up } => {
                let rising = warm_up * total as f64;
                let position = step as f64 + 1.0;
                if position <= rising {
                    return position / rising;
                }
                let progress = (step as f64 - rising.floor()) / (total as f64 - rising.floor()).max(1.0);
                0.5 * (1.0 + (std::f64::consts::PI * progress.clamp(0.0, 1.0)).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_rises_then_falls_to_zero() {
        let schedule = Schedule::WarmUpCosine { warm_up: 0.1 };
        let factors: Vec<f64> = (0..100).map(|step| schedule.factor(step, 100)).collect();
        assert!(factors[..10].is_sorted());
        assert!((factors[9] - 1.0).abs() < 1e-12);
        assert!(factors[10..].iter().rev().is_sorted());
        assert!(factors[99] < 0.01);
    }
}
