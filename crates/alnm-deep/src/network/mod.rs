//! A network with its parameters and its preparation of images.

mod backward;
mod forward;
mod initialisation;
mod retention;
mod weights;

pub(crate) use backward::GradientTarget;
#[cfg(feature = "candle")]
pub(crate) use forward::dropout_mask;
pub(crate) use forward::{ForwardMode, concatenate, running_affine};
pub use initialisation::Initialisation;
pub use retention::Recomputation;
pub(crate) use retention::Retention;
use serde::{Deserialize, Serialize};

use crate::backbone::{Backbone, FEATURES};
use crate::error::{DeepError, Result};
use crate::graph::Graph;
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

/// The layer that follows the backbone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Head {
    /// No further layer: the network ends in the 1000 outputs of the backbone, named `fc`.
    None,
    /// A fully connected layer named `head` that computes one logit from the 1000 outputs of the backbone.
    Logit,
}

/// A backbone, optionally with a head, and its parameters.
///
/// A network is drawn by [`Network::initialised`], takes weights from a file of PyTorch by [`Network::load_weights`],
/// is trained by [`crate::fine_tune`], read out by [`crate::Predictor`], and kept by [`Network::save`].
///
/// ```
/// use alnm_deep::{Backbone, Head, Initialisation, Network};
///
/// let network = Network::initialised(Backbone::ResNet18, Head::None, Initialisation::new(7));
/// assert_eq!(network.parameter_count(), 11_689_512);
/// assert_eq!(network.stages(), ["maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool", "fc"]);
/// assert_eq!(network.state_dict()["conv1.weight"].shape(), [64, 3, 7, 7]);
/// ```
#[derive(Debug, Clone)]
pub struct Network {
    pub(crate) backbone: Backbone,
    pub(crate) head: Head,
    pub(crate) graph: Graph,
    /// Parameters in the engine's layout: convolution weights as (output, row, column, input).
    pub(crate) parameters: Vec<Vec<f32>>,
    /// Running statistics of the batch normalisations, in the graph's order.
    pub(crate) statistics: Vec<RunningStatistics>,
    pub(crate) preparation: Preparation,
}

impl Network {
    /// A network whose parameters are drawn as [`Initialisation`] says.
    #[must_use]
    pub fn initialised(backbone: Backbone, head: Head, initialisation: Initialisation) -> Self {
        let mut graph = backbone.graph();
        if head == Head::Logit {
            let output = graph.linear("head", graph.output, 1, FEATURES, 1);
            graph.stage("head", output);
        }
        let parameters = graph.parameters.iter().enumerate();
        let parameters = parameters.map(|(place, parameter)| initialisation.values(place, parameter)).collect();
        let statistics = graph
            .norms
            .iter()
            .map(|norm| RunningStatistics { mean: vec![0.0; norm.channels], variance: vec![1.0; norm.channels] })
            .collect();
        Self { backbone, head, graph, parameters, statistics, preparation: Preparation::default() }
    }

    /// The architecture of the network without its head.
    #[must_use]
    pub fn backbone(&self) -> Backbone {
        self.backbone
    }

    /// The layer that follows the backbone.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// Number of trainable parameters.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.parameters.iter().map(Vec::len).sum()
    }

    /// How grey images are made into the network's inputs, which is saved with the network.
    #[must_use]
    pub fn preparation(&self) -> Preparation {
        self.preparation
    }

    /// The network with another preparation of its images.
    #[must_use]
    pub fn with_preparation(self, preparation: Preparation) -> Self {
        Self { preparation, ..self }
    }

    /// Names of the outputs that can be read, in order of computation; see the table at [`Backbone`].
    #[must_use]
    pub fn stages(&self) -> Vec<&str> {
        self.graph.stage_names()
    }

    /// The name of the last output: `head` where the network has a head, else `fc`.
    #[must_use]
    pub fn last_output(&self) -> &'static str {
        match self.head {
            Head::None => "fc",
            Head::Logit => "head",
        }
    }
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
