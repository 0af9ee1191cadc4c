//! A network as a list of operations, each on the outputs of earlier ones.

use crate::error::{DeepError, Result};
use crate::kernel::convolution::Convolution;
use crate::kernel::pooling::{Averaging, Window};

/// The output of an operation: 0 is the image, 1 the output of the first operation.
pub(crate) type NodeId = usize;

/// What a node computes from its inputs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operation {
    /// A convolution; a fully connected layer is one whose kernel covers the whole image.
    Convolution { layer: Convolution, weight: usize, bias: Option<usize> },
    /// Batch normalisation, then the addition of a residual, then a rectified linear unit.
    BatchNorm { norm: usize, residual: Option<NodeId>, relu: bool },
    /// Rectified linear unit.
    Relu,
    /// Maximum over windows.
    MaxPool(Window),
    /// Average over windows.
    AveragePool(Averaging),
    /// Channels of all inputs, one after another.
    Concatenate,
    /// In training, every value is set to zero with this probability and the others are scaled up.
    Dropout(f32),
}

/// An operation with its inputs.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) operation: Operation,
    pub(crate) inputs: Vec<NodeId>,
}

/// What a parameter is to its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Weight of a convolution or fully connected layer.
    Weight(Convolution),
    /// Bias of a convolution or fully connected layer.
    Bias { fan_in: usize },
    /// Weight of a batch normalisation; the last one of a residual block is marked.
    NormWeight { ends_block: bool },
    /// Bias of a batch normalisation.
    NormBias,
}

/// A parameter's name and shape in PyTorch's state dictionary.
#[derive(Debug, Clone)]
pub(crate) struct ParameterSpecification {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) role: Role,
}

/// A batch normalisation: its name and its parameters' places.
#[derive(Debug, Clone)]
pub(crate) struct Norm {
    pub(crate) name: String,
    pub(crate) channels: usize,
    pub(crate) weight: usize,
    pub(crate) bias: usize,
}

/// The list of operations and the parameters they use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    /// Operations in order of computation; see [`Graph::node`].
    nodes: Vec<Node>,
    pub(crate) parameters: Vec<ParameterSpecification>,
    pub(crate) norms: Vec<Norm>,
    /// Outputs that a user can ask for by name, in order of computation.
    stages: Vec<(String, NodeId)>,
    /// The last output.
    pub(crate) output: NodeId,
}

impl Graph {
    /// Number of outputs, the image included.
    pub(crate) fn outputs(&self) -> usize {
        self.nodes.len() + 1
    }

    /// The operation of an output, which is not the image.
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id - 1]
    }

    /// Shapes of all outputs for an image batch of the shape (images, height, width, channels).
    pub(crate) fn shapes(&self, input: [usize; 4]) -> Vec<[usize; 4]> {
        let mut shapes = vec![input];
        for node in &self.nodes {
            let source = shapes[node.inputs[0]];
            shapes.push(match node.operation {
                Operation::Convolution { layer, .. } => layer.output_shape(source),
                Operation::MaxPool(window) => window.output_shape(source),
                Operation::AveragePool(averaging) => averaging.output_shape(source),
                Operation::Concatenate => {
                    [source[0], source[1], source[2], node.inputs.iter().map(|input| shapes[*input][3]).sum()]
                }
                Operation::BatchNorm { .. } | Operation::Relu | Operation::Dropout(_) => source,
            });
        }
        shapes
    }

    fn push(&mut self, operation: Operation, inputs: Vec<NodeId>) -> NodeId {
        self.nodes.push(Node { operation, inputs });
        self.output = self.nodes.len();
        self.output
    }

    fn parameter(&mut self, name: String, shape: Vec<usize>, role: Role) -> usize {
        self.parameters.push(ParameterSpecification { name, shape, role });
        self.parameters.len() - 1
    }

    /// A convolution named as in torchvision.
    pub(crate) fn convolution(&mut self, name: &str, input: NodeId, layer: Convolution, bias: bool) -> NodeId {
        let shape = vec![layer.outputs, layer.inputs, layer.kernel, layer.kernel];
        self.weighted(name, input, layer, shape, bias)
    }

    /// A fully connected layer over `side` × `side` pixels of `inputs` channels.
    pub(crate) fn linear(&mut self, name: &str, input: NodeId, side: usize, inputs: usize, outputs: usize) -> NodeId {
        let layer = Convolution { kernel: side, stride: 1, padding: 0, inputs, outputs };
        self.weighted(name, input, layer, vec![outputs, inputs * side * side], true)
    }

    fn weighted(&mut self, name: &str, input: NodeId, layer: Convolution, shape: Vec<usize>, bias: bool) -> NodeId {
        let weight = self.parameter(format!("{name}.weight"), shape, Role::Weight(layer));
        let bias = bias
            .then(|| self.parameter(format!("{name}.bias"), vec![layer.outputs], Role::Bias { fan_in: layer.patch() }));
        self.push(Operation::Convolution { layer, weight, bias }, vec![input])
    }

    /// A batch normalisation with what follows it.
    pub(crate) fn batch_norm(
        &mut self,
        name: &str,
        input: NodeId,
        channels: usize,
        residual: Option<NodeId>,
        relu: bool,
    ) -> NodeId {
        let ends_block = residual.is_some();
        let weight = self.parameter(format!("{name}.weight"), vec![channels], Role::NormWeight { ends_block });
        let bias = self.parameter(format!("{name}.bias"), vec![channels], Role::NormBias);
        self.norms.push(Norm { name: name.to_owned(), channels, weight, bias });
        let norm = self.norms.len() - 1;
        self.push(Operation::BatchNorm { norm, residual, relu }, vec![input])
    }

    pub(crate) fn relu(&mut self, input: NodeId) -> NodeId {
        self.push(Operation::Relu, vec![input])
    }

    pub(crate) fn max_pool(&mut self, input: NodeId, kernel: usize, stride: usize, padding: usize) -> NodeId {
        self.push(Operation::MaxPool(Window { kernel, stride, padding }), vec![input])
    }

    pub(crate) fn average_pool(&mut self, input: NodeId, averaging: Averaging) -> NodeId {
        self.push(Operation::AveragePool(averaging), vec![input])
    }

    pub(crate) fn concatenate(&mut self, inputs: Vec<NodeId>) -> NodeId {
        self.push(Operation::Concatenate, inputs)
    }

    pub(crate) fn dropout(&mut self, input: NodeId, probability: f32) -> NodeId {
        self.push(Operation::Dropout(probability), vec![input])
    }

    /// Names the output of a node.
    pub(crate) fn stage(&mut self, name: &str, node: NodeId) {
        self.stages.push((name.to_owned(), node));
    }

    /// Names of the outputs that a user can ask for, in order of computation.
    pub(crate) fn stage_names(&self) -> Vec<&str> {
        self.stages.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The nodes of the outputs that have names, in order of computation.
    pub(crate) fn stage_nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.stages.iter().map(|(_, node)| *node)
    }

    /// The node whose output has this name.
    pub(crate) fn node_of(&self, stage: &str) -> Result<NodeId> {
        let node = self.stages.iter().find(|(name, _)| name == stage).map(|(_, node)| *node);
        node.ok_or_else(|| DeepError::UnknownStage {
            name: stage.to_owned(),
            known: self.stages.iter().map(|(name, _)| name.clone()).collect(),
        })
    }

    /// The parameters that a node uses.
    pub(crate) fn parameters_of(&self, node: NodeId) -> impl Iterator<Item = usize> {
        let (first, second) = match self.node(node).operation {
            Operation::Convolution { weight, bias, .. } => (Some(weight), bias),
            Operation::BatchNorm { norm, .. } => (Some(self.norms[norm].weight), Some(self.norms[norm].bias)),
            _ => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// The nodes that a node reads, residuals included.
    pub(crate) fn sources(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let residual = match self.node(node).operation {
            Operation::BatchNorm { residual, .. } => residual,
            _ => None,
        };
        self.node(node).inputs.iter().copied().chain(residual)
    }
}
