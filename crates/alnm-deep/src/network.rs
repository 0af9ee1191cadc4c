//! A network with its parameters: the forward pass that remembers, and the backward pass.

use std::collections::HashMap;

use rand::SeedableRng;
use rand::distr::Uniform;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::backbone::{Backbone, FEATURES};
use crate::error::{DeepError, Result};
use crate::graph::{Graph, NodeId, Operation, Role};
use crate::kernel::batch_norm::{self, Affine, AffineGradient};
use crate::kernel::convolution::{Convolution, Epilogue};
use crate::kernel::gradient::Into;
use crate::kernel::panels::Panels;
use crate::kernel::pooling;
use crate::kernel::workspace::Workspace;
use crate::preparation::Preparation;
use crate::tensor::Tensor;

/// Added to the variance of a batch normalisation (PyTorch's default).
pub(crate) const EPSILON: f32 = 1e-5;
/// Share of a batch's moments in the running statistics (PyTorch's default).
pub(crate) const MOMENTUM: f64 = 0.1;

/// Running mean and variance of a batch normalisation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunningStatistics {
    pub(crate) mean: Vec<f32>,
    pub(crate) variance: Vec<f32>,
}

/// What the network ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// The backbone alone: 1000 outputs.
    None,
    /// One logit computed from the 1000 outputs of the backbone by a fully connected layer named `head`.
    Logit,
}

/// How parameters start where no weights are loaded.
///
/// Convolutions are drawn from a normal distribution of variance 2 / (outputs · kernel²) (He et al. 2015, fan-out, as
/// torchvision does), fully connected layers uniformly from ±1/√inputs; batch normalisations start as the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Initialisation {
    /// Seed of the generator.
    pub seed: u64,
    /// Whether the last batch normalisation of every residual block starts with weight 0, so that the block starts as
    /// the identity (Goyal et al. 2017; torchvision's `zero_init_residual`).
    pub zero_residual: bool,
}

/// A backbone, optionally with a head, and its parameters.
#[derive(Debug, Clone)]
pub struct Network {
    pub(crate) backbone: Backbone,
    pub(crate) head: Head,
    pub(crate) graph: Graph,
    /// Parameters in the engine's layout: convolution weights as (output, row, column, input).
    pub(crate) parameters: Vec<Vec<f32>>,
    pub(crate) statistics: Vec<RunningStatistics>,
    pub(crate) preparation: Preparation,
}

/// What a pass over the network is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pass<'a> {
    /// Batch normalisation by the running statistics, no dropout.
    Evaluation,
    /// Batch normalisation by the moments of the batch, which the running statistics follow, except where frozen;
    /// dropout.
    Training { frozen_norms: &'a [bool] },
}

impl Pass<'_> {
    fn takes_moments_of_batch(self, norm: usize) -> bool {
        match self {
            Self::Evaluation => false,
            Self::Training { frozen_norms } => !frozen_norms[norm],
        }
    }
}

/// What a backward pass is to find.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// The gradients with respect to the parameters that are marked.
    Parameters(&'a [bool]),
    /// The gradient with respect to the output of a node.
    Node(NodeId),
}

/// Moments that a batch normalisation used.
#[derive(Debug, Clone)]
struct UsedMoments {
    mean: Vec<f32>,
    inverse_deviation: Vec<f32>,
    from_batch: bool,
}

/// What a forward pass leaves for the backward pass.
#[derive(Debug)]
pub(crate) struct Tape {
    activations: Vec<Option<Tensor>>,
    maxima: HashMap<NodeId, Vec<u32>>,
    moments: HashMap<NodeId, UsedMoments>,
    masks: HashMap<NodeId, Vec<f32>>,
}

impl Tape {
    /// The activations of a node.
    pub(crate) fn activation(&self, node: NodeId) -> &Tensor {
        self.activations[node].as_ref().expect("activations are kept until the backward pass has used them")
    }
}

/// Gradients of the loss.
#[derive(Debug)]
pub(crate) struct Gradients {
    /// With respect to the parameters, in the network's order and layout; empty for those that were not wanted.
    pub(crate) parameters: Vec<Vec<f32>>,
    /// With respect to the output of the node that was wanted.
    pub(crate) at_end: Option<Tensor>,
}

impl Network {
    /// A network whose parameters are drawn as [`Initialisation`] says.
    pub fn initialised(backbone: Backbone, head: Head, initialisation: Initialisation) -> Self {
        let mut graph = backbone.graph();
        if head == Head::Logit {
            let output = graph.linear("head", graph.output, 1, FEATURES, 1);
            graph.tap("head", output);
        }
        let parameters = graph
            .parameters
            .iter()
            .enumerate()
            .map(|(index, parameter)| {
                let mut generator = ChaCha8Rng::seed_from_u64(initialisation.seed);
                generator.set_stream(index as u64);
                initial_values(
                    parameter.role,
                    parameter.shape.iter().product(),
                    parameter.shape.len(),
                    initialisation,
                    &mut generator,
                )
            })
            .collect();
        let statistics = graph
            .norms
            .iter()
            .map(|norm| RunningStatistics { mean: vec![0.0; norm.channels], variance: vec![1.0; norm.channels] })
            .collect();
        Self { backbone, head, graph, parameters, statistics, preparation: Preparation::default() }
    }

    /// The backbone.
    pub fn backbone(&self) -> Backbone {
        self.backbone
    }

    /// What the network ends in.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Number of trainable parameters.
    pub fn parameter_count(&self) -> usize {
        self.parameters.iter().map(Vec::len).sum()
    }

    /// How grey images are made into the network's inputs.
    pub fn preparation(&self) -> Preparation {
        self.preparation
    }

    /// The network with another preparation of its images.
    ///
    /// # Errors
    /// As [`Preparation::check`].
    pub fn with_preparation(self, preparation: Preparation) -> Result<Self> {
        preparation.check()?;
        Ok(Self { preparation, ..self })
    }

    /// Names of the outputs that can be read, in order of computation.
    pub fn taps(&self) -> impl Iterator<Item = &str> {
        self.graph.taps.iter().map(|(name, _)| name.as_str())
    }

    /// Computes all activations up to the output and keeps what the backward pass needs. In training the running
    /// statistics are updated and dropout draws from `dropout`.
    pub(crate) fn forward(
        &mut self,
        input: Tensor,
        pass: Pass<'_>,
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
        for id in 1..self.graph.nodes.len() {
            let output = self.compute(id, pass, dropout, &mut tape, workspace);
            tape.activations.push(Some(output));
        }
        Ok(tape)
    }

    fn compute(
        &mut self,
        id: NodeId,
        pass: Pass<'_>,
        dropout: &mut ChaCha8Rng,
        tape: &mut Tape,
        workspace: &mut Workspace,
    ) -> Tensor {
        let node = &self.graph.nodes[id];
        let input = tape.activation(node.inputs[0]);
        match node.operation {
            Operation::Input => unreachable!("only the first node is the input"),
            Operation::Convolution { layer, weight, bias } => {
                let epilogue =
                    Epilogue { bias: bias.map(|bias| self.parameters[bias].as_slice()), ..Epilogue::default() };
                let mut output = workspace.take(layer.output_shape(input.shape()));
                convolve(workspace, layer, &self.parameters[weight], input, epilogue, &mut output);
                output
            }
            Operation::BatchNorm { norm, residual, relu } => {
                let used = if pass.takes_moments_of_batch(norm) {
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
                if matches!(pass, Pass::Training { .. }) {
                    let mask = dropout_mask(output.as_slice().len(), probability, dropout);
                    multiply_by(&mut output, &mask);
                    tape.masks.insert(id, mask);
                }
                output
            }
        }
    }

    /// Gradients of the loss whose gradient with respect to the output of `from` is `gradient`.
    ///
    /// Nothing is computed that does not lead to what is wanted. The tape's activations return to the workspace as soon
    /// as they have been used.
    pub(crate) fn backward(
        &self,
        mut tape: Tape,
        from: NodeId,
        gradient: Tensor,
        wanted: Wanted<'_>,
        workspace: &mut Workspace,
    ) -> Gradients {
        let leads = self.leading_nodes(wanted);
        let mut flow: Vec<Option<Tensor>> = (0..self.graph.nodes.len()).map(|_| None).collect();
        flow[from] = Some(gradient);
        let mut parameters: Vec<Vec<f32>> = self.graph.parameters.iter().map(|_| Vec::new()).collect();
        let until = if let Wanted::Node(node) = wanted { node } else { 0 };
        for id in (until + 1..=from).rev() {
            if let Some(gradient) = flow[id].take() {
                let mut way = Way { wanted, leads: &leads, tape: &tape, flow: &mut flow, parameters: &mut parameters };
                self.backward_through(id, gradient, &mut way, workspace);
            }
            if let Some(done) = tape.activations[id].take() {
                workspace.give(done);
            }
        }
        let at_end = if let Wanted::Node(node) = wanted { flow[node].take() } else { None };
        tape.activations.into_iter().flatten().for_each(|rest| workspace.give(rest));
        Gradients { parameters, at_end }
    }

    /// Whether what is wanted lies at or above each node.
    fn leading_nodes(&self, wanted: Wanted<'_>) -> Vec<bool> {
        let mut leads = vec![false; self.graph.nodes.len()];
        for id in 1..leads.len() {
            let at_node = match wanted {
                Wanted::Node(node) => id == node,
                Wanted::Parameters(trained) => self.graph.parameters_of(id).any(|parameter| trained[parameter]),
            };
            leads[id] = at_node || self.graph.sources(id).any(|source| leads[source]);
        }
        leads
    }

    fn backward_through(&self, id: NodeId, mut gradient: Tensor, way: &mut Way<'_>, workspace: &mut Workspace) {
        let (tape, node) = (way.tape, &self.graph.nodes[id]);
        let source = node.inputs[0];
        let input = tape.activation(source);
        match node.operation {
            Operation::Input => unreachable!("the pass ends above the input"),
            Operation::Convolution { layer, weight, bias } => {
                if way.trains(weight) {
                    way.parameters[weight] = layer.backward_weight(workspace, input, &gradient);
                }
                if let Some(bias) = bias.filter(|bias| way.trains(*bias)) {
                    way.parameters[bias] = column_sums(&gradient);
                }
                if way.leads[source] {
                    let into = if way.flow[source].is_some() { Into::Add } else { Into::Replace };
                    let mut target = way.flow[source].take().unwrap_or_else(|| workspace.take(input.shape()));
                    layer.backward_data(workspace, &gradient, &self.parameters[weight], &mut target, into);
                    way.flow[source] = Some(target);
                }
                workspace.give(gradient);
            }
            Operation::BatchNorm { norm, residual, relu } => {
                let (used, norm) = (&tape.moments[&id], &self.graph.norms[norm]);
                let output = relu.then(|| tape.activation(id));
                let sums =
                    batch_norm::affine_gradient(&mut gradient, output, input, &used.mean, &used.inverse_deviation);
                let batch_sums = used.from_batch.then_some(&sums);
                let weight = &self.parameters[norm.weight];
                let residual = residual.filter(|residual| way.leads[*residual]);
                let into = residual.map(|_| workspace.take(gradient.shape()));
                let passed = batch_norm::data_gradient(
                    gradient,
                    into,
                    input,
                    &used.mean,
                    &used.inverse_deviation,
                    weight,
                    batch_sums,
                );
                let AffineGradient { weight, bias } = sums;
                for (parameter, gradient) in [(norm.weight, weight), (norm.bias, bias)] {
                    if way.trains(parameter) {
                        way.parameters[parameter] = gradient;
                    }
                }
                if let (Some(residual), Some(gradient)) = (residual, passed.of_output) {
                    way.arrive(residual, gradient, workspace);
                }
                way.arrive(source, passed.of_input, workspace);
            }
            Operation::Relu => {
                batch_norm::relu_backward(&mut gradient, tape.activation(id));
                way.arrive(source, gradient, workspace);
            }
            Operation::MaxPool(_) => {
                let back = pooling::max_pool_backward(&gradient, &tape.maxima[&id], workspace.take(input.shape()));
                way.arrive(source, back, workspace);
                workspace.give(gradient);
            }
            Operation::AveragePool(averaging) => {
                let back = pooling::average_pool_backward(&gradient, averaging, workspace.take(input.shape()));
                way.arrive(source, back, workspace);
                workspace.give(gradient);
            }
            Operation::Concatenate => {
                let mut start = 0;
                for &source in &node.inputs {
                    let shape = tape.activation(source).shape();
                    let part = channels_of(&gradient, start, workspace.take(shape));
                    start += shape[3];
                    way.arrive(source, part, workspace);
                }
                workspace.give(gradient);
            }
            Operation::Dropout(_) => {
                if let Some(mask) = tape.masks.get(&id) {
                    multiply_by(&mut gradient, mask);
                }
                way.arrive(source, gradient, workspace);
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

/// The node of a named output.
pub(crate) fn tap(graph: &Graph, name: &str) -> Result<NodeId> {
    graph.node(name).ok_or_else(|| DeepError::Parameter {
        name: "tap",
        value: name.to_owned(),
        requirement: "one of the network's named outputs",
    })
}

/// Five halvings of the side must leave a pixel, and only finite images are accepted: a rectified linear unit would let
/// NaN pass to every feature.
pub(crate) fn check_input(input: &Tensor) -> Result<()> {
    let shape = input.shape();
    if shape[3] != 3 || shape[1] < 32 || shape[2] < 32 || shape[0] == 0 {
        return Err(DeepError::Shape {
            operation: "network input (images, height, width, channels)",
            got: shape.to_vec(),
            expected: "at least one image of 32 x 32 pixels and 3 channels".to_owned(),
        });
    }
    let Some(place) = input.as_slice().iter().position(|value| !value.is_finite()) else {
        return Ok(());
    };
    let [_, height, width, channels] = shape;
    let (pixel, channel) = (place / channels, place % channels);
    let (image, y, x) = (pixel / (height * width), pixel / width % height, pixel % width);
    let position = format!("image {image}, row {y}, column {x}, channel {channel}");
    Err(DeepError::NotFinite { operation: "network input", position, value: f64::from(input.as_slice()[place]) })
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

fn initial_values(
    role: Role,
    count: usize,
    dimensions: usize,
    initialisation: Initialisation,
    generator: &mut ChaCha8Rng,
) -> Vec<f32> {
    let uniform = |fan_in: usize, generator: &mut ChaCha8Rng| {
        let bound = 1.0 / (fan_in as f32).sqrt();
        let distribution = Uniform::new(-bound, bound).expect("the bound is finite and positive");
        distribution.sample_iter(generator).take(count).collect()
    };
    match role {
        Role::Weight(layer) if dimensions == 4 => {
            let deviation = (2.0 / (layer.outputs * layer.kernel * layer.kernel) as f32).sqrt();
            let distribution = Normal::new(0.0, deviation).expect("the deviation is finite and positive");
            distribution.sample_iter(generator).take(count).collect()
        }
        Role::Weight(layer) => uniform(layer.patch(), generator),
        Role::Bias { fan_in } => uniform(fan_in, generator),
        Role::NormWeight { ends_block } => {
            vec![if ends_block && initialisation.zero_residual { 0.0 } else { 1.0 }; count]
        }
        Role::NormBias => vec![0.0; count],
    }
}

/// What a backward pass goes by and what it has found.
struct Way<'a> {
    wanted: Wanted<'a>,
    /// Whether what is wanted lies at or above each node.
    leads: &'a [bool],
    tape: &'a Tape,
    /// Gradients that have arrived at the nodes.
    flow: &'a mut [Option<Tensor>],
    parameters: &'a mut [Vec<f32>],
}

impl Way<'_> {
    fn trains(&self, parameter: usize) -> bool {
        matches!(self.wanted, Wanted::Parameters(trained) if trained[parameter])
    }

    /// Adds a gradient to what has already arrived at a node.
    fn arrive(&mut self, node: NodeId, gradient: Tensor, workspace: &mut Workspace) {
        match &mut self.flow[node] {
            _ if !self.leads[node] => workspace.give(gradient),
            None => self.flow[node] = Some(gradient),
            Some(sum) => {
                sum.as_mut_slice().par_chunks_mut(32_768).zip(gradient.as_slice().par_chunks(32_768)).for_each(
                    |(sum, values)| {
                        for (sum, value) in sum.iter_mut().zip(values) {
                            *sum += value;
                        }
                    },
                );
                workspace.give(gradient);
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

fn channels_of(from: &Tensor, start: usize, mut into: Tensor) -> Tensor {
    let (all, channels) = (from.channels(), into.channels());
    for (target, source) in into.as_mut_slice().chunks_exact_mut(channels).zip(from.as_slice().chunks_exact(all)) {
        target.copy_from_slice(&source[start..start + channels]);
    }
    into
}

pub(crate) fn dropout_mask(count: usize, probability: f32, generator: &mut ChaCha8Rng) -> Vec<f32> {
    let keep = 1.0 / (1.0 - probability);
    let uniform = Uniform::new(0.0f32, 1.0).expect("the unit interval is not empty");
    uniform.sample_iter(generator).take(count).map(|u| if u < probability { 0.0 } else { keep }).collect()
}

fn multiply_by(values: &mut Tensor, factors: &[f32]) {
    for (value, factor) in values.as_mut_slice().iter_mut().zip(factors) {
        *value *= factor;
    }
}
