//! Class activation maps (Grad-CAM and Grad-CAM++).

use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{DeepError, Result};
use crate::kernel::microkernel::Instructions;
use crate::kernel::workspace::Workspace;
use crate::network::{ForwardMode, GradientTarget, Network, Retention};
use crate::tensor::Tensor;

/// How the maps of a stage's channels are weighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChannelWeights {
    /// Grad-CAM: the spatial mean of the gradient (Selvaraju et al. 2017).
    #[default]
    Gradient,
    /// Grad-CAM++: positive gradients weighted by `g² / (2·g² + g³·Σ a)` (Chattopadhyay et al. 2018).
    GradientPlusPlus,
}

/// Parameters of a class activation map.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `stage` | [`Backbone::last_stage`](crate::Backbone::last_stage) | name of the stage whose activations make the map | a name of [`Network::stages`] before the output |
/// | `output` | [`Network::last_output`] | name of the output that is explained | `fc` or `head` |
/// | `index` | 0 | place in that output | below its length |
/// | `weights` | [`ChannelWeights::Gradient`] | how the stage's channels are weighted | |
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
#[must_use]
pub struct GradCamOptions {
    /// Name of the stage; the last convolutional one where absent.
    pub stage: Option<String>,
    /// Name of the output; the last one of the network where absent.
    pub output: Option<String>,
    /// Place in the output.
    pub index: usize,
    /// How the stage's channels are weighted.
    pub weights: ChannelWeights,
}

impl GradCamOptions {
    /// The stage whose activations make the map.
    pub fn with_stage(self, stage: impl Into<String>) -> Self {
        Self { stage: Some(stage.into()), ..self }
    }

    /// The output that is explained: its name and the place in it.
    pub fn with_output(self, output: impl Into<String>, index: usize) -> Self {
        Self { output: Some(output.into()), index, ..self }
    }

    /// How the stage's channels are weighted.
    pub fn with_weights(self, weights: ChannelWeights) -> Self {
        Self { weights, ..self }
    }
}

/// A class activation map of one image: where in it the activations of a stage speak for an output.
///
/// With the activations a and their weights w by channel the map is `max(Σ w·a, 0)` in every pixel of the stage, scaled
/// so that its maximum is 1; it is 0 throughout where nothing speaks for the output. Batch normalisation uses the
/// running statistics. The map has the rows and columns of the stage, a thirty-second of the image's at the last one;
/// [`crate::LesionCrop::map_to_volume`] lays it over the image.
///
/// # Errors
/// [`DeepError::UnknownStage`] for an unknown name, [`DeepError::Shape`] for more than one image,
/// [`DeepError::Parameter`] for an index beyond the output or a stage that is not computed before it.
///
/// ```
/// use alnm_deep::{Backbone, GradCamOptions, Head, Initialisation, Network, grad_cam};
/// use ndarray::Array2;
///
/// let network = Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(7));
/// let image = Array2::from_shape_fn((96, 64), |(y, x)| ((x * y) % 17) as f32 / 16.0);
/// let input = network.preparation().apply(image.view())?;
/// let map = grad_cam(&network, &input, &GradCamOptions::default())?;
/// assert_eq!(map.dim(), (3, 2));
/// let finer = grad_cam(&network, &input, &GradCamOptions::default().with_stage("layer3").with_output("fc", 17))?;
/// assert_eq!(finer.dim(), (6, 4));
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
pub fn grad_cam(network: &Network, image: &Tensor, options: &GradCamOptions) -> Result<Array2<f32>> {
    if image.images() != 1 {
        return Err(DeepError::Shape {
            operation: "image of a class activation map",
            got: image.shape().to_vec(),
            expected: "one image".to_owned(),
        });
    }
    let stage_name = options.stage.as_deref().unwrap_or(network.backbone().last_stage());
    let output_name = options.output.as_deref().unwrap_or(network.last_output());
    let (stage, output) = (network.graph.node_of(stage_name)?, network.graph.node_of(output_name)?);
    let mut network = network.clone();
    let workspace = Workspace::new(Instructions::best());
    let mut unused_dropout = ChaCha8Rng::seed_from_u64(0);
    let retention = Retention::everything(&network.graph);
    let tape = network.forward(image.clone(), ForwardMode::Evaluation, &retention, &mut unused_dropout, &workspace)?;
    let mut gradient = Tensor::zeros(tape.activation(output).shape());
    let outputs = gradient.as_slice().len();
    *gradient.as_mut_slice().get_mut(options.index).ok_or_else(|| {
        DeepError::parameter("index", options.index, format!("below {outputs}, the length of the output {output_name}"))
    })? = 1.0;
    let activation = tape.activation(stage).clone();
    let gradients = network.backward(tape, output, gradient, GradientTarget::Node(stage), &workspace);
    let gradient = gradients.at_end.ok_or_else(|| {
        DeepError::parameter("stage", stage_name, format!("computed before the output {output_name}"))
    })?;
    Ok(weighted_map(&activation, &gradient, options.weights))
}

fn weighted_map(activation: &Tensor, gradient: &Tensor, weights: ChannelWeights) -> Array2<f32> {
    let [_, height, width, channels] = activation.shape();
    let rows = || gradient.as_slice().chunks_exact(channels).zip(activation.as_slice().chunks_exact(channels));
    let mut factors = vec![0.0f64; channels];
    match weights {
        ChannelWeights::Gradient => {
            for (gradient, _) in rows() {
                factors.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += f64::from(*g) / (height * width) as f64);
            }
        }
        ChannelWeights::GradientPlusPlus => {
            let mut sums = vec![0.0f64; channels];
            for (_, activation) in rows() {
                sums.iter_mut().zip(activation).for_each(|(sum, a)| *sum += f64::from(*a));
            }
            for (gradient, _) in rows() {
                for ((factor, g), sum) in factors.iter_mut().zip(gradient).zip(&sums) {
                    let g = f64::from(*g);
                    let denominator = 2.0 * g * g + g * g * g * sum;
                    let alpha = if denominator == 0.0 { 0.0 } else { g * g / denominator };
                    *factor += alpha * g.max(0.0);
                }
            }
        }
    }
    let values: Vec<f32> = activation
        .as_slice()
        .chunks_exact(channels)
        .map(|pixel| pixel.iter().zip(&factors).map(|(a, factor)| f64::from(*a) * factor).sum::<f64>().max(0.0) as f32)
        .collect();
    let largest = values.iter().copied().fold(0.0, f32::max);
    let scale = if largest > 0.0 { 1.0 / largest } else { 0.0 };
    Array2::from_shape_fn((height, width), |(y, x)| values[y * width + x] * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two pixels, two channels; the weights by hand.
    #[test]
    fn both_weightings_equal_their_definitions() {
        let activation = Tensor::new([1, 1, 2, 2], vec![1.0, 0.5, 3.0, 0.0]).unwrap();
        let gradient = Tensor::new([1, 1, 2, 2], vec![0.2, -0.4, 0.6, 0.8]).unwrap();
        // Means 0.4 and 0.2: pixels 1 · 0.4 + 0.5 · 0.2 and 3 · 0.4.
        let map = weighted_map(&activation, &gradient, ChannelWeights::Gradient);
        assert!((map[[0, 0]] - 0.5 / 1.2).abs() < 1e-6 && map[[0, 1]] == 1.0, "{map}");
        // With g positive a pixel's part is g / (2 + g · Σa), Σa being 4 and 0.5.
        let (first, second) = (0.2 / (2.0 + 0.2 * 4.0) + 0.6 / (2.0 + 0.6 * 4.0), 0.8 / (2.0 + 0.8 * 0.5));
        let expected = ((first + 0.5 * second) / (3.0 * first)) as f32;
        let map = weighted_map(&activation, &gradient, ChannelWeights::GradientPlusPlus);
        let largest = expected.max(1.0);
        assert!((map[[0, 0]] - expected / largest).abs() < 1e-6 && (map[[0, 1]] - 1.0 / largest).abs() < 1e-6, "{map}");
    }
}
