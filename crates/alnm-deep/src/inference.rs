//! Evaluation with batch normalisation folded into the convolutions.

use std::sync::{Mutex, OnceLock, PoisonError};

use ndarray::Array2;
use rayon::prelude::*;

use crate::backbone::Backbone;
use crate::error::Result;
use crate::graph::{Graph, NodeId, Operation};
use crate::kernel::batch_norm::Affine;
use crate::kernel::convolution::{Convolution, Epilogue, Residual};
use crate::kernel::microkernel::{Buffer, Instructions};
use crate::kernel::panels::Panels;
use crate::kernel::pooling::{self, Averaging, Window};
use crate::kernel::winograd::Winograd;
use crate::kernel::workspace::Workspace;
use crate::network::{Network, check_input, concatenate, running_affine, tap};
use crate::preparation::Preparation;
use crate::read_out::FeatureExtractor;
use crate::tensor::Tensor;

/// A network made ready for evaluation: running statistics are folded into the weights, and bias, residual and
/// rectified linear unit are applied while a convolution's output is in the cache.
///
/// Weights are packed for the kernels when a network is folded, buffers are kept from call to call.
#[derive(Debug)]
pub struct Predictor {
    graph: Graph,
    steps: Vec<Step>,
    /// The node up to which a batch is computed image by image.
    boundary: Option<NodeId>,
    /// Buffers of the calls that are not running.
    idle: Mutex<Vec<Workspace>>,
    instructions: Instructions,
    backbone: Backbone,
    preparation: Preparation,
}

#[derive(Debug)]
struct Step {
    operation: Folded,
    inputs: Vec<NodeId>,
    output: NodeId,
}

#[derive(Debug)]
enum Folded {
    Convolution(FoldedConvolution),
    Affine {
        affine: Affine,
        residual: Option<NodeId>,
        relu: bool,
    },
    MaxPool(Window),
    AveragePool(Averaging),
    Concatenate,
    /// Dropout does nothing in evaluation.
    Same,
}

#[derive(Debug)]
struct FoldedConvolution {
    layer: Convolution,
    weight: Panels,
    /// The weight transformed, made when a batch is large enough for it.
    transformed: OnceLock<Winograd>,
    bias: Option<Vec<f32>>,
    residual: Option<NodeId>,
    relu: bool,
}

impl Predictor {
    /// Folds a network, for the fastest instructions of this processor.
    pub fn new(network: &Network) -> Self {
        Self::with_instructions(network, Instructions::best())
    }

    /// Folds a network, for instructions of one's choice.
    pub fn with_instructions(network: &Network, instructions: Instructions) -> Self {
        let nodes = &network.graph.nodes;
        let mut readers = vec![0usize; nodes.len()];
        (1..nodes.len()).flat_map(|id| network.graph.sources(id)).for_each(|source| readers[source] += 1);
        let mut steps: Vec<Step> = Vec::new();
        for (id, node) in nodes.iter().enumerate().skip(1) {
            let mut inputs = node.inputs.clone();
            let operation = match node.operation {
                Operation::Input => continue,
                Operation::Convolution { layer, weight, bias } => Folded::Convolution(FoldedConvolution {
                    layer,
                    weight: Panels::of_rows(&network.parameters[weight], layer.outputs, layer.patch(), Buffer::zeros),
                    transformed: OnceLock::new(),
                    bias: bias.map(|bias| network.parameters[bias].clone()),
                    residual: None,
                    relu: false,
                }),
                Operation::BatchNorm { norm, residual, relu } => {
                    let affine = running_affine(network, norm);
                    match steps
                        .pop_if(|step| step.output == inputs[0] && readers[inputs[0]] == 1 && step.is_convolution())
                    {
                        Some(step) => {
                            inputs.clone_from(&step.inputs);
                            step.operation.with_affine(affine, residual, relu)
                        }
                        None => Folded::Affine { affine, residual, relu },
                    }
                }
                Operation::Relu => {
                    match steps
                        .pop_if(|step| step.output == inputs[0] && readers[inputs[0]] == 1 && step.is_convolution())
                    {
                        Some(step) => {
                            inputs.clone_from(&step.inputs);
                            step.operation.with_relu()
                        }
                        None => unreachable!("every rectified linear unit of the backbones follows a convolution"),
                    }
                }
                Operation::MaxPool(window) => Folded::MaxPool(window),
                Operation::AveragePool(averaging) => Folded::AveragePool(averaging),
                Operation::Concatenate => Folded::Concatenate,
                Operation::Dropout(_) => Folded::Same,
            };
            steps.push(Step { operation, inputs, output: id });
        }
        let boundary = boundary(&network.graph, &steps);
        let (backbone, preparation) = (network.backbone, network.preparation);
        Self {
            graph: network.graph.clone(),
            steps,
            boundary,
            idle: Mutex::new(Vec::new()),
            instructions,
            backbone,
            preparation,
        }
    }

    /// The input that the network's preparation makes of a grey image.
    ///
    /// # Errors
    /// As [`Preparation::apply`].
    pub fn input(&self, image: &Array2<f32>) -> Result<Tensor> {
        self.preparation.apply(image)
    }

    /// The named output for a batch of images of three channels; `fc` is the vector of 1000 features, `head` the logit.
    ///
    /// The last bits of an image's output depend on the number of images in the batch, since small batches are computed
    /// by other kernels, but not on the number of threads.
    ///
    /// # Errors
    /// An unknown name, images of another shape than the network takes, or a value that is not finite.
    pub fn output(&self, input: Tensor, name: &str) -> Result<Tensor> {
        check_input(&input)?;
        let target = tap(&self.graph, name)?;
        let split =
            self.steps.iter().position(|step| Some(step.output) == self.boundary).filter(|_| input.images() > 1);
        let Some(split) = split.filter(|_| self.boundary.is_some_and(|boundary| boundary < target)) else {
            return Ok(self.with_workspace(|workspace| self.run(&self.steps, 0, input, target, workspace)));
        };
        let (early, late) = self.steps.split_at(split + 1);
        let boundary = early[split].output;
        let parts: Vec<Tensor> = (0..input.images())
            .into_par_iter()
            .map(|index| {
                let image = single(&input, index);
                self.with_workspace(|workspace| self.run(early, 0, image, boundary, workspace))
            })
            .collect();
        Ok(self.with_workspace(|workspace| {
            self.run(late, boundary, stack(&parts).expect("images of one shape"), target, workspace)
        }))
    }

    fn with_workspace<R>(&self, task: impl FnOnce(&mut Workspace) -> R) -> R {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let last = idle().pop();
        let mut workspace = last.unwrap_or_else(|| Workspace::new(self.instructions));
        let result = task(&mut workspace);
        idle().push(workspace);
        result
    }

    /// Runs steps that begin with the output of node `start` and end with that of `target`.
    fn run(&self, steps: &[Step], start: NodeId, input: Tensor, target: NodeId, workspace: &mut Workspace) -> Tensor {
        let mut last_use = vec![0usize; self.graph.nodes.len()];
        for (index, step) in steps.iter().enumerate() {
            step.sources().for_each(|source| last_use[source] = index);
        }
        let mut activations: Vec<Option<Tensor>> = vec![None; self.graph.nodes.len()];
        activations[start] = Some(input);
        for (index, step) in steps.iter().enumerate() {
            let output = step.compute(&activations, workspace);
            if step.output == target {
                activations.into_iter().enumerate().filter(|(node, _)| *node != start).for_each(|(_, rest)| {
                    rest.into_iter().for_each(|rest| workspace.give(rest));
                });
                return output;
            }
            activations[step.output] = Some(output);
            for source in step.sources().filter(|source| *source != start) {
                if last_use[source] == index
                    && let Some(done) = activations[source].take()
                {
                    workspace.give(done);
                }
            }
        }
        unreachable!("every named output is the output of a step")
    }

    /// The named output for many images, a vector per image, in batches of `batch` images.
    ///
    /// # Errors
    /// As [`Predictor::output`].
    pub fn vectors(&self, images: &[Tensor], name: &str, batch: usize) -> Result<Vec<Vec<f32>>> {
        FeatureExtractor::vectors(self, images, name, batch)
    }
}

impl FeatureExtractor for Predictor {
    fn backbone(&self) -> Backbone {
        self.backbone
    }

    fn preparation(&self) -> Preparation {
        self.preparation
    }

    fn stages(&self) -> Vec<String> {
        self.graph.taps.iter().map(|(name, _)| name.clone()).collect()
    }

    fn output(&self, input: Tensor, name: &str) -> Result<Tensor> {
        Self::output(self, input, name)
    }
}

/// Values of the weights of the stages that are computed image by image: they stay in the last-level cache.
const EARLY_WEIGHTS: usize = 2 << 20;

/// The end of the last stage up to which weights are few. Activations are large there: image by image they stay in the
/// cache; later stages have many weights, which pass once for the whole batch.
fn boundary(graph: &Graph, steps: &[Step]) -> Option<NodeId> {
    let weights_until = |node: NodeId| -> usize {
        let until = steps.iter().take_while(|step| step.output <= node);
        until
            .map(
                |step| if let Folded::Convolution(c) = &step.operation { c.layer.outputs * c.layer.patch() } else { 0 },
            )
            .sum()
    };
    let is_only_link =
        |node: NodeId| steps.iter().all(|step| step.output <= node || step.sources().all(|source| source >= node));
    graph
        .taps
        .iter()
        .map(|(_, node)| *node)
        .filter(|&node| is_only_link(node) && weights_until(node) < EARLY_WEIGHTS)
        .max()
}

/// One image of a batch.
fn single(batch: &Tensor, index: usize) -> Tensor {
    let [_, height, width, channels] = batch.shape();
    Tensor::new([1, height, width, channels], batch.image(index).to_vec()).expect("an image's values")
}

/// Images of one shape as one batch.
pub(crate) fn stack(images: &[Tensor]) -> Result<Tensor> {
    let [_, height, width, channels] = images.first().map_or([0; 4], Tensor::shape);
    let data = images.iter().flat_map(|image| image.as_slice().iter().copied()).collect();
    Tensor::new([images.iter().map(Tensor::images).sum(), height, width, channels], data)
}

impl Step {
    fn is_convolution(&self) -> bool {
        matches!(self.operation, Folded::Convolution(_))
    }

    fn sources(&self) -> impl Iterator<Item = NodeId> + '_ {
        let residual = match self.operation {
            Folded::Convolution(FoldedConvolution { residual, .. }) | Folded::Affine { residual, .. } => residual,
            _ => None,
        };
        self.inputs.iter().copied().chain(residual)
    }

    fn compute(&self, activations: &[Option<Tensor>], workspace: &mut Workspace) -> Tensor {
        let of = |node: NodeId| activations[node].as_ref().expect("activations are kept until their last use");
        let input = of(self.inputs[0]);
        match &self.operation {
            Folded::Convolution(convolution) => {
                let mut output = workspace.take(convolution.layer.output_shape(input.shape()));
                let residual = convolution.residual.map_or(Residual::None, |node| Residual::Of(of(node)));
                convolution.forward(workspace.instructions, input, residual, &mut output);
                output
            }
            Folded::Affine { affine, residual, relu } => {
                affine.apply(input, residual.map(of), *relu, workspace.take(input.shape()))
            }
            Folded::MaxPool(window) => {
                pooling::maximum(input, *window, workspace.take(window.output_shape(input.shape())))
            }
            Folded::AveragePool(averaging) => {
                pooling::average_pool(input, *averaging, workspace.take(averaging.output_shape(input.shape())))
            }
            Folded::Concatenate => concatenate(self.inputs.iter().map(|&node| of(node)).collect(), workspace),
            Folded::Same => input.clone(),
        }
    }
}

impl FoldedConvolution {
    fn forward(&self, instructions: Instructions, input: &Tensor, residual: Residual<'_>, output: &mut Tensor) {
        let epilogue = Epilogue { bias: self.bias.as_deref(), residual, relu: self.relu };
        if self.layer.is_filtered(input.shape()) {
            let weight = self.transformed.get_or_init(|| Winograd::of_panels(&self.weight, Buffer::zeros));
            weight.forward(instructions, input, epilogue, output);
        } else {
            self.layer.forward(instructions, input, &self.weight, epilogue, output);
        }
    }
}

impl Folded {
    fn with_affine(self, affine: Affine, residual: Option<NodeId>, relu: bool) -> Self {
        let Self::Convolution(mut convolution) = self else {
            unreachable!("only convolutions are folded into");
        };
        convolution.weight.scale(&affine.scale);
        let bias = convolution.bias.unwrap_or_else(|| vec![0.0; convolution.layer.outputs]);
        let shift = bias.iter().zip(&affine.mean).zip(&affine.scale).zip(&affine.bias);
        let shift = shift.map(|(((bias, mean), scale), shift)| (bias - mean) * scale + shift).collect();
        Self::Convolution(FoldedConvolution { bias: Some(shift), residual, relu, ..convolution })
    }

    fn with_relu(self) -> Self {
        let Self::Convolution(convolution) = self else {
            unreachable!("only convolutions are folded into");
        };
        Self::Convolution(FoldedConvolution { relu: true, ..convolution })
    }
}
