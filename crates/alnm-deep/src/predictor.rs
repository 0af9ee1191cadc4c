//! Evaluation with batch normalisation folded into the convolutions.

use std::sync::{Mutex, OnceLock, PoisonError};

use rayon::prelude::*;

use crate::backbone::Backbone;
use crate::error::Result;
use crate::feature_extractor::FeatureExtractor;
use crate::graph::{Graph, NodeId, Operation};
use crate::kernel::batch_norm::Affine;
use crate::kernel::convolution::Convolution;
use crate::kernel::epilogue::{Epilogue, Residual};
use crate::kernel::in_pool;
use crate::kernel::microkernel::{Buffer, Instructions};
use crate::kernel::panels::Panels;
use crate::kernel::pooling::{self, Averaging, Window};
use crate::kernel::winograd::Winograd;
use crate::kernel::workspace::Workspace;
use crate::network::{Network, check_input, concatenate, running_affine};
use crate::preparation::Preparation;
use crate::tensor::{Activations, Tensor};

/// A network made ready for evaluation: running statistics are folded into the weights, and bias, residual and
/// rectified linear unit are applied while a convolution's output is in the cache.
///
/// Weights are packed for the kernels when a network is folded; buffers are kept from call to call. A predictor is read
/// out through its trait [`FeatureExtractor`].
///
/// ```
/// use alnm_deep::{Backbone, FeatureExtractor, Head, Initialisation, Network, Predictor};
/// use ndarray::Array2;
///
/// let network = Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(7));
/// let predictor = Predictor::new(&network);
/// let image = Array2::from_shape_fn((64, 64), |(y, x)| ((x * y) % 17) as f32 / 16.0);
/// let input = predictor.input(&image)?;
/// let features = &predictor.vectors(&[input.clone()], "fc", 8)?[0];
/// let logit = predictor.output(input, "head")?.as_slice()[0];
/// assert_eq!(features.len(), 1000);
/// assert!(logit.is_finite());
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
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
    Relu,
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
    #[must_use]
    pub fn new(network: &Network) -> Self {
        Self::with_instructions(network, Instructions::best())
    }

    /// Folds a network, for the instructions that the caller chooses; their results differ in the last bits.
    #[must_use]
    pub fn with_instructions(network: &Network, instructions: Instructions) -> Self {
        let steps = folded(network);
        Self {
            boundary: boundary(&network.graph, &steps),
            graph: network.graph.clone(),
            steps,
            idle: Mutex::new(Vec::new()),
            instructions,
            backbone: network.backbone,
            preparation: network.preparation,
        }
    }

    fn with_workspace<R>(&self, task: impl FnOnce(&Workspace) -> R) -> R {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let last = idle().pop();
        let workspace = last.unwrap_or_else(|| Workspace::new(self.instructions));
        let result = task(&workspace);
        idle().push(workspace);
        result
    }

    /// Runs steps that begin with the output of node `start`; the output of the last of them.
    fn run(&self, steps: &[Step], start: NodeId, input: Tensor, workspace: &Workspace) -> Tensor {
        let Some((last, before)) = steps.split_last() else { return input };
        let mut last_use = vec![0usize; self.graph.outputs()];
        for (index, step) in before.iter().enumerate() {
            step.sources().for_each(|source| last_use[source] = index);
        }
        last.sources().for_each(|source| last_use[source] = before.len());
        let mut activations: Vec<Option<Tensor>> = vec![None; self.graph.outputs()];
        activations[start] = Some(input);
        for (index, step) in before.iter().enumerate() {
            activations[step.output] = Some(step.compute(&activations, workspace));
            for source in step.sources().filter(|source| last_use[*source] == index) {
                activations[source] = None;
            }
        }
        last.compute(&activations, workspace)
    }
}

impl FeatureExtractor for Predictor {
    fn backbone(&self) -> Backbone {
        self.backbone
    }

    fn preparation(&self) -> Preparation {
        self.preparation
    }

    fn stages(&self) -> Vec<&str> {
        self.graph.stage_names()
    }

    /// The last bits of an image's output depend on the number of images in the batch, since small batches are computed
    /// by other kernels, but not on the number of threads.
    fn output(&self, input: Tensor, stage: &str) -> Result<Tensor> {
        check_input(&input)?;
        let target = self.graph.node_of(stage)?;
        in_pool(|| self.output_of(input, target))
    }
}

impl Predictor {
    /// The output of a node for a batch.
    fn output_of(&self, input: Tensor, target: NodeId) -> Result<Tensor> {
        let steps = &self.steps[..self.steps.partition_point(|step| step.output <= target)];
        let split = steps.iter().position(|step| Some(step.output) == self.boundary);
        let Some(split) = split.filter(|split| input.images() > 1 && split + 1 < steps.len()) else {
            return Ok(self.with_workspace(|workspace| self.run(steps, 0, input, workspace)).into_owned());
        };
        let (early, late) = steps.split_at(split + 1);
        let boundary = early[split].output;
        let parts: Vec<Tensor> = (0..input.images())
            .into_par_iter()
            .map(|index| {
                let image = input.single(index);
                self.with_workspace(|workspace| self.run(early, 0, image, workspace))
            })
            .collect();
        let parts = Tensor::stacked(&parts)?;
        Ok(self.with_workspace(|workspace| self.run(late, boundary, parts, workspace)).into_owned())
    }
}

/// The steps of a network: batch normalisations and rectified linear units are folded into the convolutions before them
/// where nothing else reads their output.
fn folded(network: &Network) -> Vec<Step> {
    let graph = &network.graph;
    let mut readers = vec![0usize; graph.outputs()];
    (1..graph.outputs()).flat_map(|id| graph.sources(id)).for_each(|source| readers[source] += 1);
    // A user may read the outputs that have names.
    graph.stage_nodes().for_each(|node| readers[node] += 1);
    let mut steps: Vec<Step> = Vec::new();
    for output in 1..graph.outputs() {
        let node = graph.node(output);
        let mut inputs = node.inputs.clone();
        // The convolution whose output this node alone reads, taken off the steps.
        let mut convolution_before = || {
            let (convolution, sources) = pop_convolution(&mut steps, inputs[0], &readers)?;
            inputs = sources;
            Some(convolution)
        };
        let operation = match node.operation {
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
                match convolution_before() {
                    Some(convolution) => Folded::Convolution(convolution.with_affine(affine, residual, relu)),
                    None => Folded::Affine { affine, residual, relu },
                }
            }
            Operation::Relu => match convolution_before() {
                Some(convolution) => Folded::Convolution(FoldedConvolution { relu: true, ..convolution }),
                None => Folded::Relu,
            },
            Operation::MaxPool(window) => Folded::MaxPool(window),
            Operation::AveragePool(averaging) => Folded::AveragePool(averaging),
            Operation::Concatenate => Folded::Concatenate,
            Operation::Dropout(_) => Folded::Same,
        };
        steps.push(Step { operation, inputs, output });
    }
    steps
}

/// Takes the last step where it is a convolution whose output is `node` and is read once.
fn pop_convolution(steps: &mut Vec<Step>, node: NodeId, readers: &[usize]) -> Option<(FoldedConvolution, Vec<NodeId>)> {
    match steps.pop()? {
        Step { operation: Folded::Convolution(convolution), inputs, output }
            if output == node && readers[node] == 1 =>
        {
            Some((convolution, inputs))
        }
        other => {
            steps.push(other);
            None
        }
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
    graph.stage_nodes().filter(|&node| is_only_link(node) && weights_until(node) < EARLY_WEIGHTS).max()
}

impl Step {
    fn sources(&self) -> impl Iterator<Item = NodeId> + '_ {
        let residual = match self.operation {
            Folded::Convolution(FoldedConvolution { residual, .. }) | Folded::Affine { residual, .. } => residual,
            _ => None,
        };
        self.inputs.iter().copied().chain(residual)
    }

    fn compute(&self, activations: &[Option<Tensor>], workspace: &Workspace) -> Tensor {
        let of = |node: NodeId| {
            activations[node]
                .as_ref()
                .expect("a step comes after its sources, which are given back after their last use")
        };
        let input = of(self.inputs[0]);
        match &self.operation {
            Folded::Convolution(convolution) => {
                let mut output = workspace.take(convolution.layer.output_shape(input.shape()));
                let residual = convolution.residual.map_or(Residual::None, |node| Residual::Of(of(node).as_slice()));
                convolution.forward(workspace.instructions, input.activations(), residual, &mut output);
                output
            }
            Folded::Affine { affine, residual, relu } => {
                affine.apply(workspace.instructions, input, residual.map(of), *relu, workspace.take(input.shape()))
            }
            Folded::Relu => {
                let into = workspace.take(input.shape());
                Affine::identity(input.channels()).apply(workspace.instructions, input, None, true, into)
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
    /// The convolution with a batch normalisation after it.
    fn with_affine(mut self, affine: Affine, residual: Option<NodeId>, relu: bool) -> Self {
        self.weight.scale(&affine.scale);
        let bias = self.bias.unwrap_or_else(|| vec![0.0; self.layer.outputs]);
        let shift = bias.iter().zip(&affine.mean).zip(&affine.scale).zip(&affine.bias);
        let shift = shift.map(|(((bias, mean), scale), shift)| (bias - mean) * scale + shift).collect();
        Self { bias: Some(shift), residual, relu, ..self }
    }

    fn forward(&self, instructions: Instructions, input: Activations<'_>, residual: Residual<'_>, output: &mut Tensor) {
        let epilogue = Epilogue { bias: self.bias.as_deref(), residual, relu: self.relu };
        if self.layer.is_filtered(input.shape()) {
            let weight =
                self.transformed.get_or_init(|| Winograd::of_panels(instructions, &self.weight, Buffer::zeros));
            weight.forward(instructions, input, epilogue, output);
        } else {
            self.layer.forward(instructions, input, &self.weight, epilogue, output);
        }
    }
}
