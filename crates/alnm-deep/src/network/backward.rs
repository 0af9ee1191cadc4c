//! The backward pass: gradients with respect to parameters, or to the output of a node.

use rayon::prelude::*;

use super::Network;
use super::forward::{Tape, multiply_by};
use super::retention::leading_to_parameters;
use crate::graph::{NodeId, Operation};
use crate::kernel::batch_norm::{self, AffineGradient, Normalised, Rectified};
use crate::kernel::gradient::Accumulation;
use crate::kernel::microkernel::Buffer;
use crate::kernel::pooling;
use crate::kernel::workspace::Workspace;
use crate::tensor::Tensor;

/// The gradients that a backward pass computes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum GradientTarget<'a> {
    /// The gradients with respect to the parameters that are marked.
    Parameters(&'a [bool]),
    /// The gradient with respect to the output of a node.
    Node(NodeId),
}

/// Gradients of the loss.
#[derive(Debug)]
pub(crate) struct Gradients {
    /// With respect to the parameters, in the network's order and layout; empty for those that were not wanted.
    pub(crate) parameters: Vec<Buffer>,
    /// With respect to the output of the node that was wanted.
    pub(crate) at_end: Option<Tensor>,
}

impl Network {
    /// Gradients of the loss whose gradient with respect to the output of `from` is `gradient`.
    ///
    /// Gradients that do not lead to a wanted one are not computed. What the tape does not hold is computed again; an
    /// activation goes as soon as it has been used.
    pub(crate) fn backward(
        &self,
        mut tape: Tape,
        from: NodeId,
        gradient: Tensor,
        wanted: GradientTarget<'_>,
        workspace: &Workspace,
    ) -> Gradients {
        let leads = self.leading_nodes(wanted);
        let mut arrived: Vec<Option<Tensor>> = (0..self.graph.outputs()).map(|_| None).collect();
        arrived[from] = Some(gradient);
        let mut parameters: Vec<Buffer> = self.graph.parameters.iter().map(|_| Buffer::zeros(0)).collect();
        let until = if let GradientTarget::Node(node) = wanted { node } else { 0 };
        for id in (until + 1..=from).rev() {
            if let Some(gradient) = arrived[id].take() {
                let mut flow = BackwardFlow {
                    wanted,
                    leads: &leads,
                    tape: &mut tape,
                    arrived: &mut arrived,
                    parameters: &mut parameters,
                };
                self.backward_through(id, gradient, &mut flow, workspace);
            }
            tape.activations[id] = None;
        }
        let at_end = if let GradientTarget::Node(node) = wanted { arrived[node].take() } else { None };
        Gradients { parameters, at_end }
    }

    /// Whether what is wanted lies at or above each node.
    fn leading_nodes(&self, wanted: GradientTarget<'_>) -> Vec<bool> {
        let target = match wanted {
            GradientTarget::Parameters(trained) => return leading_to_parameters(&self.graph, trained),
            GradientTarget::Node(node) => node,
        };
        let mut leads = vec![false; self.graph.outputs()];
        for id in 1..leads.len() {
            leads[id] = id == target || self.graph.sources(id).any(|source| leads[source]);
        }
        leads
    }

    fn backward_through(&self, id: NodeId, mut gradient: Tensor, flow: &mut BackwardFlow<'_>, workspace: &Workspace) {
        let node = self.graph.node(id);
        let source = node.inputs[0];
        let input_shape = flow.tape.shapes[source];
        match node.operation {
            Operation::Convolution { layer, weight, bias } => {
                if flow.trains(weight) {
                    self.restore(source, flow.tape, workspace);
                    let input = flow.tape.activation(source);
                    flow.parameters[weight] = layer.backward_weight(workspace, input, &gradient);
                }
                if let Some(bias) = bias.filter(|bias| flow.trains(*bias)) {
                    flow.parameters[bias] = column_sums(&gradient).into();
                }
                if flow.leads[source] {
                    let into = if flow.arrived[source].is_some() { Accumulation::Add } else { Accumulation::Replace };
                    let mut target = flow.arrived[source].take().unwrap_or_else(|| workspace.take(input_shape));
                    layer.backward_data(workspace, &gradient, &self.parameters[weight], &mut target, into);
                    flow.arrived[source] = Some(target);
                }
            }
            Operation::BatchNorm { norm, residual, relu } => {
                self.restore(source, flow.tape, workspace);
                if relu && residual.is_some() {
                    self.restore(id, flow.tape, workspace);
                }
                let (tape, affine) = (&*flow.tape, self.affine_of(id, norm, flow.tape));
                let (used, norm) = (&tape.moments[&id], &self.graph.norms[norm]);
                let rectified = match residual {
                    _ if !relu => Rectified::No,
                    Some(_) => Rectified::Output(tape.activation(id)),
                    None => Rectified::ByInput(&affine),
                };
                let input = tape.activation(source);
                let normalised = Normalised { input, mean: &used.mean, inverse_deviation: &used.inverse_deviation };
                let sums = batch_norm::affine_gradient(workspace.instructions, &mut gradient, rectified, normalised);
                let batch_sums = used.from_batch.then_some(&sums);
                let weight = &self.parameters[norm.weight];
                let residual = residual.filter(|residual| flow.leads[*residual]);
                let into = residual.map(|_| workspace.take(gradient.shape()));
                let passed =
                    batch_norm::data_gradient(workspace.instructions, gradient, into, normalised, weight, batch_sums);
                let AffineGradient { weight, bias } = sums;
                for (parameter, gradient) in [(norm.weight, weight), (norm.bias, bias)] {
                    if flow.trains(parameter) {
                        flow.parameters[parameter] = gradient.into();
                    }
                }
                if let (Some(residual), Some(gradient)) = (residual, passed.of_output) {
                    flow.arrive(residual, gradient);
                }
                flow.arrive(source, passed.of_input);
            }
            Operation::Relu => {
                self.restore(id, flow.tape, workspace);
                batch_norm::relu_backward(workspace.instructions, &mut gradient, flow.tape.activation(id));
                flow.arrive(source, gradient);
            }
            Operation::MaxPool(_) => {
                let into = workspace.take(input_shape);
                let back = pooling::max_pool_backward(&gradient, &flow.tape.maxima[&id], into);
                flow.arrive(source, back);
            }
            Operation::AveragePool(averaging) => {
                let back = pooling::average_pool_backward(&gradient, averaging, workspace.take(input_shape));
                flow.arrive(source, back);
            }
            Operation::Concatenate => {
                let mut start = 0;
                for &source in &node.inputs {
                    let shape = flow.tape.shapes[source];
                    let part = channels_of(&gradient, start, workspace.take(shape));
                    start += shape[3];
                    flow.arrive(source, part);
                }
            }
            Operation::Dropout(_) => {
                if let Some(mask) = flow.tape.masks.get(&id) {
                    multiply_by(&mut gradient, mask);
                }
                flow.arrive(source, gradient);
            }
        }
    }
}

/// The state of a backward pass: what is wanted, and the gradients found so far.
struct BackwardFlow<'a> {
    wanted: GradientTarget<'a>,
    /// Whether what is wanted lies at or above each node.
    leads: &'a [bool],
    tape: &'a mut Tape,
    /// Gradients that have arrived at the nodes.
    arrived: &'a mut [Option<Tensor>],
    parameters: &'a mut [Buffer],
}

impl BackwardFlow<'_> {
    fn trains(&self, parameter: usize) -> bool {
        matches!(self.wanted, GradientTarget::Parameters(trained) if trained[parameter])
    }

    /// Adds a gradient to what has already arrived at a node.
    fn arrive(&mut self, node: NodeId, gradient: Tensor) {
        match &mut self.arrived[node] {
            _ if !self.leads[node] => {}
            None => self.arrived[node] = Some(gradient),
            Some(sum) => {
                sum.as_mut_slice().par_chunks_mut(32_768).zip(gradient.as_slice().par_chunks(32_768)).for_each(
                    |(sum, values)| {
                        for (sum, value) in sum.iter_mut().zip(values) {
                            *sum += value;
                        }
                    },
                );
            }
        }
    }
}

fn column_sums(values: &Tensor) -> Vec<f32> {
    let mut sums = vec![0.0f64; values.channels()];
    for row in values.as_slice().chunks_exact(values.channels()) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += f64::from(*value);
        }
    }
    sums.into_iter().map(|sum| sum as f32).collect()
}

fn channels_of(from: &Tensor, start: usize, mut into: Tensor) -> Tensor {
    let (all, channels) = (from.channels(), into.channels());
    for (target, source) in into.as_mut_slice().chunks_exact_mut(channels).zip(from.as_slice().chunks_exact(all)) {
        target.copy_from_slice(&source[start..start + channels]);
    }
    into
}
