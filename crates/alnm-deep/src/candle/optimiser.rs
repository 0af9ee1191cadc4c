//! The optimisers on candle's device: candle-nn's AdamW, and gradient descent with momentum, which candle-nn lacks.

use candle_core::backprop::GradStore;
use candle_core::{Tensor as Array, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};

use super::Failure;
use crate::optimiser::Optimiser;
use crate::parameter_group::ParameterRate;

/// The parameters of a network that are trained, grouped by learning rate and weight decay.
#[derive(Debug)]
pub(super) struct GroupedOptimiser(Vec<Group>);

#[derive(Debug)]
struct Group {
    rate: ParameterRate,
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    AdamW(AdamW),
    Sgd(MomentumSgd),
}

impl GroupedOptimiser {
    /// An optimiser of the parameters whose factor is above 0; weight decay acts where `decays` says so.
    pub(super) fn new(
        optimiser: Optimiser,
        parameters: &[Var],
        rates: &[ParameterRate],
        decays: &[bool],
    ) -> Result<Self, Failure> {
        let mut kinds: Vec<(ParameterRate, bool, Vec<Var>)> = Vec::new();
        for ((parameter, &rate), &decays) in parameters.iter().zip(rates).zip(decays) {
            match kinds.iter_mut().find(|(of_kind, decay, _)| *of_kind == rate && *decay == decays) {
                _ if rate.factor <= 0.0 => {}
                Some((_, _, parameters)) => parameters.push(parameter.clone()),
                None => kinds.push((rate, decays, vec![parameter.clone()])),
            }
        }
        let group = |(rate, decays, parameters)| Ok(Group { rate, rule: Rule::new(optimiser, parameters, decays)? });
        Ok(Self(kinds.into_iter().map(group).collect::<Result<_, Failure>>()?))
    }

    /// One step of the groups that learn in this epoch.
    pub(super) fn step(&mut self, gradients: &GradStore, learning_rate: f64, epoch: usize) -> Result<(), Failure> {
        for Group { rate, rule } in self.0.iter_mut().filter(|group| group.rate.at(epoch) > 0.0) {
            let learning_rate = learning_rate * f64::from(rate.factor);
            match rule {
                Rule::AdamW(rule) => {
                    rule.set_learning_rate(learning_rate);
                    rule.step(gradients)?;
                }
                Rule::Sgd(rule) => {
                    rule.set_learning_rate(learning_rate);
                    rule.step(gradients)?;
                }
            }
        }
        Ok(())
    }
}

impl Rule {
    fn new(optimiser: Optimiser, parameters: Vec<Var>, decays: bool) -> Result<Self, Failure> {
        let decay = |weight_decay: f32| if decays { f64::from(weight_decay) } else { 0.0 };
        Ok(match optimiser {
            Optimiser::Sgd { momentum, weight_decay } => {
                let params =
                    SgdParams { learning_rate: 0.0, momentum: momentum.into(), weight_decay: decay(weight_decay) };
                Self::Sgd(MomentumSgd::new(parameters, params)?)
            }
            Optimiser::AdamW { beta1, beta2, epsilon, weight_decay } => {
                let params = ParamsAdamW {
                    lr: 0.0,
                    beta1: beta1.into(),
                    beta2: beta2.into(),
                    eps: epsilon.into(),
                    weight_decay: decay(weight_decay),
                };
                Self::AdamW(AdamW::new(parameters, params)?)
            }
        })
    }
}

struct SgdParams {
    learning_rate: f64,
    momentum: f64,
    weight_decay: f64,
}

/// `b ← μ·b + (g + λ·p)`, `p ← p − η·b`, b being the gradient itself in the first step.
#[derive(Debug)]
struct MomentumSgd {
    learning_rate: f64,
    momentum: f64,
    weight_decay: f64,
    /// Parameters with their velocities.
    parameters: Vec<(Var, Option<Array>)>,
}

impl Optimizer for MomentumSgd {
    type Config = SgdParams;

    fn new(parameters: Vec<Var>, params: SgdParams) -> candle_core::Result<Self> {
        let SgdParams { learning_rate, momentum, weight_decay } = params;
        let parameters = parameters.into_iter().map(|parameter| (parameter, None)).collect();
        Ok(Self { learning_rate, momentum, weight_decay, parameters })
    }

    fn step(&mut self, gradients: &GradStore) -> candle_core::Result<()> {
        for (parameter, velocity) in &mut self.parameters {
            let Some(gradient) = gradients.get(parameter) else { continue };
            let value = parameter.as_detached_tensor();
            let gradient = (gradient + value.affine(self.weight_decay, 0.0)?)?;
            let next = match velocity {
                Some(velocity) => (velocity.affine(self.momentum, 0.0)? + gradient)?,
                None => gradient,
            };
            parameter.set(&(value - next.affine(self.learning_rate, 0.0)?)?.detach())?;
            *velocity = Some(next.detach());
        }
        Ok(())
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }
}
