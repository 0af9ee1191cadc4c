//! Class activation maps: where in an image a network looks.

use ndarray::Array2;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{DeepError, Result};
use crate::kernel::microkernel::Instructions;
use crate::kernel::workspace::Workspace;
use crate::network::{Network, Pass, Wanted, tap};
use crate::tensor::Tensor;

/// How the maps of a stage's channels are weighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChannelWeights {
    /// Grad-CAM: the spatial mean of the gradient (Selvaraju et al. 2017).
    Gradient,
    /// Grad-CAM++: positive gradients weighted by `g² / (2·g² + g³·Σ a)` (Chattopadhyay et al. 2018).
    GradientPlusPlus,
}

/// A class activation map at the resolution of the stage, scaled so that its maximum is 1 (all zero where nothing
/// speaks for the output).
///
/// `image` holds one image; the map explains output `index` of the output named `output` (`fc` or `head`) by the
/// activations of `stage`, with running statistics.
///
/// # Errors
/// Unknown names, more than one image, or an index beyond the output.
pub fn grad_cam(
    network: &Network,
    image: &Tensor,
    stage: &str,
    output: &str,
    index: usize,
    weights: ChannelWeights,
) -> Result<Array2<f32>> {
    if image.images() != 1 {
        return Err(DeepError::Shape {
            operation: "grad_cam",
            got: image.shape().to_vec(),
            expected: "one image".to_owned(),
        });
    }
    let (stage, output) = (tap(&network.graph, stage)?, tap(&network.graph, output)?);
    let mut network = network.clone();
    let mut workspace = Workspace::new(Instructions::best());
    let mut unused_dropout = ChaCha8Rng::seed_from_u64(0);
    let tape = network.forward(image.clone(), Pass::Evaluation, &mut unused_dropout, &mut workspace)?;
    let mut gradient = Tensor::zeros(tape.activation(output).shape());
    let outputs = gradient.channels();
    *gradient.as_mut_slice().get_mut(index).ok_or_else(|| DeepError::Parameter {
        name: "index",
        value: format!("{index} of {outputs} outputs"),
        requirement: "below the number of outputs",
    })? = 1.0;
    let activation = tape.activation(stage).clone();
    let gradients = network.backward(tape, output, gradient, Wanted::Node(stage), &mut workspace);
    let gradient = gradients.at_end.ok_or(DeepError::Parameter {
        name: "stage",
        value: stage.to_string(),
        requirement: "computed before the output",
    })?;
    Ok(weighted_map(&activation, &gradient, weights))
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
