//! The forward pass that remembers what the backward pass needs.

use std::collections::HashMap;

use rand::distr::{Distribution, Uniform};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{EPSILON, MOMENTUM, Network, RunningStatistics, check_input};
use crate::error::Result;
use crate::graph::{NodeId, Operation};
use crate::kernel::batch_norm::{self, Affine};
use crate::kernel::convolution::Convolution;
use crate::kernel::epilogue::Epilogue;
use crate::kernel::panels::Panels;
use crate::kernel::pooling;
use crate::kernel::workspace::Workspace;
use crate::tensor::Tensor;

/// What a forward pass is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ForwardMode<'a> {
    /// Batch normalisation by the running statistics, no dropout.
    Evaluation,
    /// Batch normalisation by the moments of the batch, which the running statistics follow, except where frozen;
    /// dropout.
    Training { frozen_norms: &'a [bool] },
}

impl ForwardMode<'_> {
    fn takes_moments_of_batch(self, norm: usize) -> bool {
        match self {
            Self::Evaluation => false,
            Self::Training { frozen_norms } => !frozen_norms[norm],
        }
    }
}

/// Moments that a batch normalisation used.
#[derive(Debug, Clone)]
pub(super) struct UsedMoments {
    pub(super) mean: Vec<f32>,
    pub(super) inverse_deviation: Vec<f32>,
    pub(super) from_batch: bool,
}

/// What a forward pass leaves for the backward pass.
#[derive(Debug)]
pub(crate) struct Tape {
    pub(super) activations: Vec<Option<Tensor>>,
    /// Where in their windows the maxima of max pooling were.
    pub(super) maxima: HashMap<NodeId, Vec<u32>>,
    pub(super) moments: HashMap<NodeId, UsedMoments>,
    /// What dropout multiplied by.
    pub(super) masks: HashMap<NodeId, Vec<f32>>,
}

impl Tape {
    /// The activations of a node.
    pub(crate) fn activation(&self, node: NodeId) -> &Tensor {
        self.activations[node].as_ref().expect("activations are kept until the backward pass has used them")
    }
}

impl Network {
    /// Computes all activations up to the output and keeps what the backward pass needs. In training the running
    /// statistics are updated and dropout draws from `dropout`.
    pub(crate) fn forward(
        &mut self,
        input: Tensor,
        mode: ForwardMode<'_>,
        dropout: &mut ChaCha8Rng,
        workspace: &mut Workspace,
    ) -> Result<Tape> {
        check_input(&input)?;
        let mut tape = Tape {
            activations: vec![Some(input)],
            maxima: HashMap::new(),
            moments: HashMap::new(),
            masks: HashMap::new(),
        };
        for id in 1..self.graph.outputs() {
            let output = self.compute(id, mode, dropout, &mut tape, workspace);
            tape.activations.push(Some(output));
        }
        Ok(tape)
    }

    fn compute(
        &mut self,
        id: NodeId,
        mode: ForwardMode<'_>,
        dropout: &mut ChaCha8Rng,
        tape: &mut Tape,
        workspace: &mut Workspace,
    ) -> Tensor {
        let node = self.graph.node(id);
        let input = tape.activation(node.inputs[0]);
        match node.operation {
            Operation::Convolution { layer, weight, bias } => {
                let epilogue =
                    Epilogue { bias: bias.map(|bias| self.parameters[bias].as_slice()), ..Epilogue::default() };
                let mut output = workspace.take(layer.output_shape(input.shape()));
                convolve(workspace, layer, &self.parameters[weight], input, epilogue, &mut output);
                output
            }
            Operation::BatchNorm { norm, residual, relu } => {
                let used = if mode.takes_moments_of_batch(norm) {
                    let batch = batch_norm::moments(input);
                    self.statistics[norm].follow(&batch);
                    UsedMoments {
                        inverse_deviation: inverse_deviation(&batch.variance),
                        mean: batch.mean,
                        from_batch: true,
                    }
                } else {
                    UsedMoments::running(&self.statistics[norm])
                };
                let norm = &self.graph.norms[norm];
                let affine = used.affine(&self.parameters[norm.weight], &self.parameters[norm.bias]);
                let output = workspace.take(input.shape());
                let output = affine.apply(input, residual.map(|node| tape.activation(node)), relu, output);
                tape.moments.insert(id, used);
                output
            }
            Operation::Relu => {
                Affine::identity(input.channels()).apply(input, None, true, workspace.take(input.shape()))
            }
            Operation::MaxPool(window) => {
                let (output, positions) =
                    pooling::max_pool(input, window, workspace.take(window.output_shape(input.shape())));
                tape.maxima.insert(id, positions);
                output
            }
            Operation::AveragePool(averaging) => {
                pooling::average_pool(input, averaging, workspace.take(averaging.output_shape(input.shape())))
            }
            Operation::Concatenate => {
                concatenate(node.inputs.iter().map(|&node| tape.activation(node)).collect(), workspace)
            }
            Operation::Dropout(probability) => {
                let mut output = input.clone();
                if matches!(mode, ForwardMode::Training { .. }) {
                    let mask = dropout_mask(output.as_slice().len(), probability, dropout);
                    multiply_by(&mut output, &mask);
                    tape.masks.insert(id, mask);
                }
                output
            }
        }
    }
}

/// A convolution whose weight (outputs × patch) is packed for this call alone.
fn convolve(
    workspace: &mut Workspace,
    layer: Convolution,
    weight: &[f32],
    input: &Tensor,
    epilogue: Epilogue<'_>,
    output: &mut Tensor,
) {
    let panels = Panels::of_rows(weight, layer.outputs, layer.patch(), |size| workspace.take_buffer(size));
    layer.forward_filtered(workspace, input, &panels, epilogue, output);
    workspace.give_buffer(panels.into_buffer());
}

impl UsedMoments {
    fn affine(&self, weight: &[f32], bias: &[f32]) -> Affine {
        let scale = weight.iter().zip(&self.inverse_deviation).map(|(weight, inverse)| weight * inverse).collect();
        Affine { mean: self.mean.clone(), scale, bias: bias.to_vec() }
    }

    fn running(statistics: &RunningStatistics) -> Self {
        Self {
            mean: statistics.mean.clone(),
            inverse_deviation: inverse_deviation(&statistics.variance),
            from_batch: false,
        }
    }
}

/// A batch normalisation with its running statistics.
pub(crate) fn running_affine(network: &Network, norm: usize) -> Affine {
    let used = UsedMoments::running(&network.statistics[norm]);
    let norm = &network.graph.norms[norm];
    used.affine(&network.parameters[norm.weight], &network.parameters[norm.bias])
}

impl RunningStatistics {
    /// Moves towards the moments of a batch; the variance is the unbiased one, as in PyTorch.
    fn follow(&mut self, batch: &batch_norm::Moments) {
        let unbiased = batch.count as f32 / (batch.count.max(2) - 1) as f32;
        for (running, batch) in self.mean.iter_mut().zip(&batch.mean) {
            *running += MOMENTUM as f32 * (batch - *running);
        }
        for (running, batch) in self.variance.iter_mut().zip(&batch.variance) {
            *running += MOMENTUM as f32 * (batch * unbiased - *running);
        }
    }
}

fn inverse_deviation(variance: &[f32]) -> Vec<f32> {
    variance.iter().map(|variance| 1.0 / (variance + EPSILON).sqrt()).collect()
}

pub(crate) fn concatenate(parts: Vec<&Tensor>, workspace: &mut Workspace) -> Tensor {
    let [images, height, width, _] = parts[0].shape();
    let channels = parts.iter().map(|part| part.channels()).sum();
    let mut output = workspace.take([images, height, width, channels]);
    output.as_mut_slice().par_chunks_mut(channels).enumerate().for_each(|(row, mut into)| {
        for part in &parts {
            let (target, rest) = into.split_at_mut(part.channels());
            target.copy_from_slice(&part.as_slice()[row * part.channels()..][..part.channels()]);
            into = rest;
        }
    });
    output
}

pub(crate) fn dropout_mask(count: usize, probability: f32, generator: &mut ChaCha8Rng) -> Vec<f32> {
    let keep = 1.0 / (1.0 - probability);
    let uniform = Uniform::new(0.0f32, 1.0).expect("the unit interval is not empty");
    uniform.sample_iter(generator).take(count).map(|u| if u < probability { 0.0 } else { keep }).collect()
}

pub(super) fn multiply_by(values: &mut Tensor, factors: &[f32]) {
    for (value, factor) in values.as_mut_slice().iter_mut().zip(factors) {
        *value *= factor;
    }
}
