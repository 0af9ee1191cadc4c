//! Evaluation with batch normalisation folded into the convolutions.

use rayon::prelude::*;

use crate::error::Result;
use crate::graph::{Graph, NodeId, Operation};
use crate::kernel::batch_norm::Affine;
use crate::kernel::convolution::{Convolution, Epilogue};
use crate::kernel::pooling::{self, Averaging, Window};
use crate::network::{Network, Workspace, check_input, concatenate, running_affine, tap};
use crate::tensor::Tensor;

/// A network made ready for evaluation: running statistics are folded into the weights, and bias, residual and
/// rectified linear unit are applied while a convolution's output is in the cache.
#[derive(Debug, Clone)]
pub struct Predictor {
    graph: Graph,
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
struct Step {
    operation: Folded,
    inputs: Vec<NodeId>,
    output: NodeId,
}

#[derive(Debug, Clone)]
enum Folded {
    Convolution {
        layer: Convolution,
        weight: Vec<f32>,
        bias: Option<Vec<f32>>,
        residual: Option<NodeId>,
        relu: bool,
    },
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

impl Predictor {
    /// Folds a network.
    pub fn new(network: &Network) -> Self {
        let nodes = &network.graph.nodes;
        let mut readers = vec![0usize; nodes.len()];
        (1..nodes.len()).flat_map(|id| network.graph.sources(id)).for_each(|source| readers[source] += 1);
        let mut steps: Vec<Step> = Vec::new();
        for (id, node) in nodes.iter().enumerate().skip(1) {
            let mut inputs = node.inputs.clone();
            let operation = match node.operation {
                Operation::Input => continue,
                Operation::Convolution { layer, weight, bias } => Folded::Convolution {
                    layer,
                    weight: network.parameters[weight].clone(),
                    bias: bias.map(|bias| network.parameters[bias].clone()),
                    residual: None,
                    relu: false,
                },
                Operation::BatchNorm { norm, residual, relu } => {
                    let affine = running_affine(network, norm);
                    match steps.pop_if(|step| step.output == inputs[0] && readers[inputs[0]] == 1 && step.is_convolution()) {
                        Some(step) => {
                            inputs.clone_from(&step.inputs);
                            step.operation.with_affine(affine, residual, relu)
                        }
                        None => Folded::Affine { affine, residual, relu },
                    }
                }
                Operation::Relu => {
                    match steps.pop_if(|step| step.output == inputs[0] && readers[inputs[0]] == 1 && step.is_convolution()) {
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
        Self { graph: network.graph.clone(), steps }
    }

    /// The named output for a batch of images of three channels; `fc` is the vector of 1000 features, `head` the logit.
    ///
    /// # Errors
    /// An unknown name, or images of another shape than the network takes.
    pub fn output(&self, input: Tensor, name: &str) -> Result<Tensor> {
        check_input(input.shape())?;
        let target = tap(&self.graph, name)?;
        let mut last_use = vec![0usize; self.graph.nodes.len()];
        for (index, step) in self.steps.iter().enumerate() {
            step.sources().for_each(|source| last_use[source] = index);
        }
        let mut workspace = Workspace::default();
        let mut activations: Vec<Option<Tensor>> = vec![None; self.graph.nodes.len()];
        activations[0] = Some(input);
        for (index, step) in self.steps.iter().enumerate() {
            let output = step.compute(&activations, &mut workspace);
            if step.output == target {
                return Ok(output);
            }
            activations[step.output] = Some(output);
            for source in step.sources() {
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
        let mut vectors = Vec::with_capacity(images.len());
        for images in images.chunks(batch.max(1)) {
            let output = self.output(stack(images)?, name)?;
            vectors.extend((0..output.images()).map(|image| output.image(image).to_vec()));
        }
        Ok(vectors)
    }
}

/// Images of one shape as one batch.
pub(crate) fn stack(images: &[Tensor]) -> Result<Tensor> {
    let [_, height, width, channels] = images.first().map_or([0; 4], Tensor::shape);
    let data = images.iter().flat_map(|image| image.as_slice().iter().copied()).collect();
    Tensor::new([images.iter().map(Tensor::images).sum(), height, width, channels], data)
}

impl Step {
    fn is_convolution(&self) -> bool {
        matches!(self.operation, Folded::Convolution { .. })
    }

    fn sources(&self) -> impl Iterator<Item = NodeId> + '_ {
        let residual = match self.operation {
            Folded::Convolution { residual, .. } | Folded::Affine { residual, .. } => residual,
            _ => None,
        };
        self.inputs.iter().copied().chain(residual)
    }

    fn compute(&self, activations: &[Option<Tensor>], workspace: &mut Workspace) -> Tensor {
        let of = |node: NodeId| activations[node].as_ref().expect("activations are kept until their last use");
        let input = of(self.inputs[0]);
        match &self.operation {
            Folded::Convolution { layer, weight, bias, residual, relu } => {
                let epilogue = Epilogue { bias: bias.as_deref(), residual: residual.map(of), relu: *relu };
                layer.forward(input, weight, epilogue, workspace.take(layer.output_shape(input.shape())))
            }
            Folded::Affine { affine, residual, relu } => affine.apply(input, residual.map(of), *relu, workspace.take(input.shape())),
            Folded::MaxPool(window) => pooling::max_pool(input, *window, workspace.take(window.output_shape(input.shape()))).0,
            Folded::AveragePool(averaging) => {
                pooling::average_pool(input, *averaging, workspace.take(averaging.output_shape(input.shape())))
            }
            Folded::Concatenate => concatenate(self.inputs.iter().map(|&node| of(node)).collect(), workspace),
            Folded::Same => input.clone(),
        }
    }
}

impl Folded {
    fn with_affine(self, affine: Affine, residual: Option<NodeId>, relu: bool) -> Self {
        let Self::Convolution { layer, mut weight, bias, .. } = self else {
            unreachable!("only convolutions are folded into");
        };
        weight.par_chunks_mut(layer.patch()).zip(&affine.scale).for_each(|(row, scale)| {
            row.iter_mut().for_each(|value| *value *= scale);
        });
        let bias = bias.unwrap_or_else(|| vec![0.0; layer.outputs]);
        let shift = bias.iter().zip(&affine.mean).zip(&affine.scale).zip(&affine.bias);
        let shift = shift.map(|(((bias, mean), scale), shift)| (bias - mean) * scale + shift).collect();
        Self::Convolution { layer, weight, bias: Some(shift), residual, relu }
    }

    fn with_relu(self) -> Self {
        let Self::Convolution { layer, weight, bias, residual, .. } = self else {
            unreachable!("only convolutions are folded into");
        };
        Self::Convolution { layer, weight, bias, residual, relu: true }
    }
}
