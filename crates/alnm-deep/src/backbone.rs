//! The convolutional networks, with the layer and parameter names of torchvision.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::DeepError;
use crate::graph::{Graph, NodeId};
use crate::kernel::convolution::Convolution;
use crate::kernel::pooling::{Averaging, Window};

/// Number of outputs of the last fully connected layer of every backbone: the deep features of an image.
pub const FEATURES: usize = 1000;

/// A convolutional network as torchvision defines it, ending in a fully connected layer of [`FEATURES`] outputs.
///
/// | backbone | stages | source |
/// |---|---|---|
/// | `ResNet18`, `ResNet34` | basic blocks 2-2-2-2, 3-4-6-3 | He et al. 2016 |
/// | `ResNet50`, `ResNet101` | bottlenecks 3-4-6-3, 3-4-23-3 | He et al. 2016 |
/// | `Vgg16` | 13 convolutions, three fully connected layers | Simonyan and Zisserman 2015 |
/// | `DenseNet121` | dense blocks 6-12-24-16, growth 32 | Huang et al. 2017 |
///
/// Every stage's output can be read by torchvision's name of the module that makes it:
///
/// | backbone | names |
/// |---|---|
/// | ResNets | `maxpool`, `layer1` to `layer4`, `avgpool`, `fc` |
/// | `Vgg16` | `features.4`, `.9`, `.16`, `.23` (the pools between its blocks), `features`, `avgpool`, `classifier.1`, `classifier.4`, `fc` |
/// | `DenseNet121` | `features.pool0`, `features.denseblock1` to `4`, `features.transition1` to `3`, `features`, `avgpool`, `fc` |
///
/// `features` of DenseNet121 is the output after its last rectified linear unit; `fc` is the last fully connected layer
/// of every backbone (torchvision calls it `classifier.6` in VGG16 and `classifier` in DenseNet121). `avgpool` is one
/// value for each channel of the last stage: 512 for ResNet18 and 34, 2048 for ResNet50 and 101, 1024 for DenseNet121;
/// in VGG16 it is 7 × 7 averages for each of 512 channels.
///
/// ```
/// use alnm_deep::Backbone;
///
/// let backbone: Backbone = "densenet121".parse()?;
/// assert_eq!((backbone, backbone.last_stage()), (Backbone::DenseNet121, "features"));
/// let error = "resnet51".parse::<Backbone>().unwrap_err();
/// assert!(error.to_string().starts_with("backbone is resnet51; it must be resnet18, resnet34"));
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Backbone {
    /// 18 layers of basic blocks.
    ResNet18,
    /// 34 layers of basic blocks.
    ResNet34,
    /// 50 layers of bottlenecks.
    ResNet50,
    /// 101 layers of bottlenecks.
    ResNet101,
    /// VGG with 16 layers, without batch normalisation.
    Vgg16,
    /// Densely connected, 121 layers.
    DenseNet121,
}

impl Backbone {
    /// All backbones.
    pub const ALL: [Self; 6] =
        [Self::ResNet18, Self::ResNet34, Self::ResNet50, Self::ResNet101, Self::Vgg16, Self::DenseNet121];

    /// torchvision's name of the network.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ResNet18 => "resnet18",
            Self::ResNet34 => "resnet34",
            Self::ResNet50 => "resnet50",
            Self::ResNet101 => "resnet101",
            Self::Vgg16 => "vgg16",
            Self::DenseNet121 => "densenet121",
        }
    }

    /// The output of the last convolutional stage, on which Grad-CAM is usually computed.
    #[must_use]
    pub fn last_stage(self) -> &'static str {
        match self {
            Self::Vgg16 | Self::DenseNet121 => "features",
            _ => "layer4",
        }
    }

    /// Beginnings of the parameters' names in each part of the network, from its input to its end.
    pub(crate) fn parts(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Vgg16 => &[
                &["features.0", "features.2"],
                &["features.5", "features.7"],
                &["features.10", "features.12", "features.14"],
                &["features.17", "features.19", "features.21"],
                &["features.24", "features.26", "features.28"],
                &["classifier"],
            ],
            Self::DenseNet121 => &[
                &["features.conv0", "features.norm0"],
                &["features.denseblock1", "features.transition1"],
                &["features.denseblock2", "features.transition2"],
                &["features.denseblock3", "features.transition3"],
                &["features.denseblock4", "features.norm5"],
                &["classifier"],
            ],
            _ => &[&["conv1", "bn1"], &["layer1"], &["layer2"], &["layer3"], &["layer4"], &["fc"]],
        }
    }

    pub(crate) fn graph(self) -> Graph {
        match self {
            Self::ResNet18 => residual_network(Block::Basic, [2, 2, 2, 2]),
            Self::ResNet34 => residual_network(Block::Basic, [3, 4, 6, 3]),
            Self::ResNet50 => residual_network(Block::Bottleneck, [3, 4, 6, 3]),
            Self::ResNet101 => residual_network(Block::Bottleneck, [3, 4, 23, 3]),
            Self::Vgg16 => vgg16(),
            Self::DenseNet121 => densenet121(),
        }
    }
}

impl fmt::Display for Backbone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Backbone {
    type Err = DeepError;

    fn from_str(name: &str) -> Result<Self, DeepError> {
        Self::ALL.into_iter().find(|backbone| backbone.name() == name).ok_or_else(|| {
            DeepError::parameter("backbone", name, "resnet18, resnet34, resnet50, resnet101, vgg16 or densenet121")
        })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Block {
    Basic,
    Bottleneck,
}

impl Block {
    fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }

    /// Kernel, width factor and whether the stage's stride is applied, convolution by convolution. torchvision puts the
    /// stride of a bottleneck on its 3 × 3 convolution.
    fn convolutions(self) -> &'static [(usize, usize, bool)] {
        match self {
            Self::Basic => &[(3, 1, true), (3, 1, false)],
            Self::Bottleneck => &[(1, 1, false), (3, 1, true), (1, 4, false)],
        }
    }
}

fn residual_network(block: Block, depths: [usize; 4]) -> Graph {
    let mut graph = Graph::default();
    let stem = Convolution { kernel: 7, stride: 2, padding: 3, inputs: 3, outputs: 64 };
    let mut node = graph.convolution("conv1", 0, stem, false);
    node = graph.batch_norm("bn1", node, 64, None, true);
    node = graph.max_pool(node, 3, 2, 1);
    graph.stage("maxpool", node);
    let mut channels = 64;
    for (stage, depth) in depths.into_iter().enumerate() {
        let width = 64 << stage;
        for index in 0..depth {
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            let place = ResidualBlock { block, channels, width, stride };
            node = place.add_to(&mut graph, &format!("layer{}.{index}", stage + 1), node);
            channels = width * block.expansion();
        }
        graph.stage(&format!("layer{}", stage + 1), node);
    }
    node = graph.average_pool(node, Averaging::Adaptive(1));
    graph.stage("avgpool", node);
    node = graph.linear("fc", node, 1, channels, FEATURES);
    graph.stage("fc", node);
    graph
}

/// A residual block: what it reads and how wide it is.
struct ResidualBlock {
    block: Block,
    /// Channels of its input.
    channels: usize,
    /// Channels of its convolutions but for the expansion.
    width: usize,
    stride: usize,
}

impl ResidualBlock {
    fn add_to(&self, graph: &mut Graph, name: &str, input: NodeId) -> NodeId {
        let Self { block, channels, width, stride } = *self;
        let outputs = width * block.expansion();
        let shortcut = if stride != 1 || channels != outputs {
            let layer = Convolution { kernel: 1, stride, padding: 0, inputs: channels, outputs };
            let node = graph.convolution(&format!("{name}.downsample.0"), input, layer, false);
            graph.batch_norm(&format!("{name}.downsample.1"), node, outputs, None, false)
        } else {
            input
        };
        let (mut node, mut inputs) = (input, channels);
        let convolutions = block.convolutions();
        for (index, &(kernel, factor, strided)) in convolutions.iter().enumerate() {
            let stride = if strided { stride } else { 1 };
            let layer = Convolution { kernel, stride, padding: kernel / 2, inputs, outputs: width * factor };
            node = graph.convolution(&format!("{name}.conv{}", index + 1), node, layer, false);
            let residual = (index + 1 == convolutions.len()).then_some(shortcut);
            node = graph.batch_norm(&format!("{name}.bn{}", index + 1), node, layer.outputs, residual, true);
            inputs = layer.outputs;
        }
        node
    }
}

fn vgg16() -> Graph {
    let mut graph = Graph::default();
    let (mut node, mut inputs, mut place) = (0, 3, 0);
    for (width, depth) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)] {
        for _ in 0..depth {
            let layer = Convolution { kernel: 3, stride: 1, padding: 1, inputs, outputs: width };
            node = graph.convolution(&format!("features.{place}"), node, layer, true);
            node = graph.relu(node);
            inputs = width;
            place += 2;
        }
        node = graph.max_pool(node, 2, 2, 0);
        graph
            .stage(&if width == 512 && place > 24 { "features".to_owned() } else { format!("features.{place}") }, node);
        place += 1;
    }
    node = graph.average_pool(node, Averaging::Adaptive(7));
    graph.stage("avgpool", node);
    for (place, side, inputs, outputs) in [(0, 7, 512, 4096), (3, 1, 4096, 4096)] {
        node = graph.linear(&format!("classifier.{place}"), node, side, inputs, outputs);
        node = graph.relu(node);
        graph.stage(&format!("classifier.{}", place + 1), node);
        node = graph.dropout(node, 0.5);
    }
    node = graph.linear("classifier.6", node, 1, 4096, FEATURES);
    graph.stage("fc", node);
    graph
}

fn densenet121() -> Graph {
    const GROWTH: usize = 32;
    let mut graph = Graph::default();
    let stem = Convolution { kernel: 7, stride: 2, padding: 3, inputs: 3, outputs: 64 };
    let mut node = graph.convolution("features.conv0", 0, stem, false);
    node = graph.batch_norm("features.norm0", node, 64, None, true);
    node = graph.max_pool(node, 3, 2, 1);
    graph.stage("features.pool0", node);
    let mut channels = 64;
    for (block, depth) in [6, 12, 24, 16].into_iter().enumerate() {
        let mut parts = vec![node];
        for layer in 0..depth {
            let name = format!("features.denseblock{}.denselayer{}", block + 1, layer + 1);
            let all = if parts.len() == 1 { parts[0] } else { graph.concatenate(parts.clone()) };
            let mut inner = graph.batch_norm(&format!("{name}.norm1"), all, channels, None, true);
            let squeeze = Convolution { kernel: 1, stride: 1, padding: 0, inputs: channels, outputs: 4 * GROWTH };
            inner = graph.convolution(&format!("{name}.conv1"), inner, squeeze, false);
            inner = graph.batch_norm(&format!("{name}.norm2"), inner, 4 * GROWTH, None, true);
            let grow = Convolution { kernel: 3, stride: 1, padding: 1, inputs: 4 * GROWTH, outputs: GROWTH };
            parts.push(graph.convolution(&format!("{name}.conv2"), inner, grow, false));
            channels += GROWTH;
        }
        node = graph.concatenate(parts);
        graph.stage(&format!("features.denseblock{}", block + 1), node);
        if block < 3 {
            let name = format!("features.transition{}", block + 1);
            node = graph.batch_norm(&format!("{name}.norm"), node, channels, None, true);
            let halve = Convolution { kernel: 1, stride: 1, padding: 0, inputs: channels, outputs: channels / 2 };
            node = graph.convolution(&format!("{name}.conv"), node, halve, false);
            node = graph.average_pool(node, Averaging::Windows(Window { kernel: 2, stride: 2, padding: 0 }));
            graph.stage(&name, node);
            channels /= 2;
        }
    }
    node = graph.batch_norm("features.norm5", node, channels, None, true);
    graph.stage("features", node);
    node = graph.average_pool(node, Averaging::Adaptive(1));
    graph.stage("avgpool", node);
    node = graph.linear("classifier", node, 1, channels, FEATURES);
    graph.stage("fc", node);
    graph
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trainable parameters as torchvision's documentation states them for its ImageNet weights.
    #[test]
    fn parameter_counts_are_those_of_torchvision() {
        let counts = [11_689_512, 21_797_672, 25_557_032, 44_549_160, 138_357_544, 7_978_856];
        for (backbone, count) in Backbone::ALL.into_iter().zip(counts) {
            let total: usize = backbone.graph().parameters.iter().map(|p| p.shape.iter().product::<usize>()).sum();
            assert_eq!(total, count, "{backbone}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for backbone in Backbone::ALL {
            assert_eq!(backbone.name().parse::<Backbone>().unwrap(), backbone);
        }
        assert!("resnet51".parse::<Backbone>().is_err());
    }
}
