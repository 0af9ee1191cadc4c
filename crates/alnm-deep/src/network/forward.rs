//! The forward pass that remembers what the backward pass needs.

use std::collections::HashMap;

use alnm_imaging::parallel::for_each_part;
use rand::distr::{Distribution, Uniform};
use rand::rngs::ChaCha8Rng;

use super::retention::Retention;
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
    pub(super) shapes: Vec<[usize; 4]>,
    /// Where in their windows the maxima of max pooling were.
    pub(super) maxima: HashMap<NodeId, Vec<u32>>,
    pub(super) moments: HashMap<NodeId, UsedMoments>,
    /// What dropout multiplied by.
    pub(super) masks: HashMap<NodeId, Vec<f32>>,
}

impl Tape {
    /// The activations of a node, which the tape holds.
    pub(crate) fn activation(&self, node: NodeId) -> &Tensor {
        self.activations[node].as_ref().expect("an activation is kept, or computed again before it is read")
    }
}

impl Network {
    /// Computes all activations up to the output and keeps what the backward pass needs. In training the running
    /// statistics are updated and dropout draws from `dropout`.
    pub(crate) fn forward(
        &mut self,
        input: Tensor,
        mode: ForwardMode<'_>,
        retention: &Retention,
        dropout: &mut ChaCha8Rng,
        workspace: &Workspace,
    ) -> Result<Tape> {
        check_input(&input)?;
        let shapes = self.graph.shapes(input.shape());
        let mut tape = Tape {
            activations: vec![None; shapes.len()],
            shapes,
            maxima: HashMap::new(),
            moments: HashMap::new(),
            masks: HashMap::new(),
        };
        tape.activations[0] = Some(input);
        for id in 1..self.graph.outputs() {
            let output = self.first_output(id, mode, dropout, &mut tape, workspace);
            tape.activations[id] = Some(output);
            retention.done_after(&self.graph, id).for_each(|done| tape.activations[done] = None);
        }
        Ok(tape)
    }

    /// The output of a node, with what of it is noted on the tape: moments, places of maxima, masks of dropout.
    fn first_output(
        &mut self,
        id: NodeId,
        mode: ForwardMode<'_>,
        dropout: &mut ChaCha8Rng,
        tape: &mut Tape,
        workspace: &Workspace,
    ) -> Tensor {
        let source = self.graph.node(id).inputs[0];
        match self.graph.node(id).operation {
            Operation::BatchNorm { norm, .. } => {
                let used = if mode.takes_moments_of_batch(norm) {
                    let batch = batch_norm::moments(workspace.instructions, tape.activation(source));
                    self.statistics[norm].follow(&batch);
                    UsedMoments {
                        inverse_deviation: inverse_deviation(&batch.variance),
                        mean: batch.mean,
                        from_batch: true,
                    }
                } else {
                    UsedMoments::running(&self.statistics[norm])
                };
                tape.moments.insert(id, used);
            }
            Operation::MaxPool(window) => {
                let output = workspace.take(tape.shapes[id]);
                let (output, positions) = pooling::max_pool(tape.activation(source), window, output);
                tape.maxima.insert(id, positions);
                return output;
            }
            Operation::Dropout(probability) if matches!(mode, ForwardMode::Training { .. }) => {
                let count = tape.shapes[id].iter().product();
                tape.masks.insert(id, dropout_mask(count, probability, dropout));
            }
            _ => {}
        }
        self.output_of(id, tape, workspace)
    }

    /// The output of a node from the activations of its sources and the notes on the tape: the same bits each time.
    fn output_of(&self, id: NodeId, tape: &Tape, workspace: &Workspace) -> Tensor {
        let node = self.graph.node(id);
        let input = tape.activation(node.inputs[0]);
        let output = || workspace.take(tape.shapes[id]);
        match node.operation {
            Operation::Convolution { layer, weight, bias } => {
                let epilogue =
                    Epilogue { bias: bias.map(|bias| self.parameters[bias].as_slice()), ..Epilogue::default() };
                convolve(workspace, layer, &self.parameters[weight], input, epilogue, output())
            }
            Operation::BatchNorm { norm, residual, relu } => {
                let residual = residual.map(|node| tape.activation(node));
                self.affine_of(id, norm, tape).apply(workspace.instructions, input, residual, relu, output())
            }
            Operation::Relu => {
                Affine::identity(input.channels()).apply(workspace.instructions, input, None, true, output())
            }
            Operation::MaxPool(window) => pooling::maximum(input, window, output()),
            Operation::AveragePool(averaging) => pooling::average_pool(input, averaging, output()),
            Operation::Concatenate => {
                concatenate(node.inputs.iter().map(|&node| tape.activation(node)).collect(), workspace)
            }
            Operation::Dropout(_) => {
                let mut output = output();
                output.as_mut_slice().copy_from_slice(input.as_slice());
                if let Some(mask) = tape.masks.get(&id) {
                    multiply_by(&mut output, mask);
                }
                output
            }
        }
    }

    /// What a batch normalisation did, by the moments on the tape.
    pub(super) fn affine_of(&self, id: NodeId, norm: usize, tape: &Tape) -> Affine {
        let norm = &self.graph.norms[norm];
        tape.moments[&id].affine(&self.parameters[norm.weight], &self.parameters[norm.bias])
    }

    /// Computes the activation of a node again where the tape does not hold it, from those that it holds.
    pub(super) fn restore(&self, id: NodeId, tape: &mut Tape, workspace: &Workspace) {
        if tape.activations[id].is_none() {
            self.graph.sources(id).for_each(|source| self.restore(source, tape, workspace));
            tape.activations[id] = Some(self.output_of(id, tape, workspace));
        }
    }
}

/// A convolution whose weight (outputs × patch) is packed for this call alone.
fn convolve(
    workspace: &Workspace,
    layer: Convolution,
    weight: &[f32],
    input: &Tensor,
    epilogue: Epilogue<'_>,
    mut output: Tensor,
) -> Tensor {
    let panels = Panels::of_rows(weight, layer.outputs, layer.patch(), |size| workspace.take_buffer(size));
    layer.forward_filtered(workspace, input.activations(), &panels, epilogue, &mut output);
    output
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

pub(crate) fn concatenate(parts: Vec<&Tensor>, workspace: &Workspace) -> Tensor {
    let [images, height, width, _] = parts[0].shape();
    let channels = parts.iter().map(|part| part.channels()).sum();
    let mut output = workspace.take([images, height, width, channels]);
    for_each_part(output.as_mut_slice(), channels, &|row, mut into| {
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
