//! Features of images: averaged over mirror images, of one network or of several.

use ndarray::Array2;

use crate::backbone::Backbone;
use crate::error::Result;
use crate::feature_extractor::FeatureExtractor;
use crate::network::Network;
use crate::predictor::Predictor;

/// The views (mirror images) over which the features of an image are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Views {
    /// The image as it is, without mirror images.
    #[default]
    One,
    /// The image, its columns reversed, its rows reversed, and both.
    Flips,
}

impl Views {
    pub(crate) fn of(self, image: &Array2<f32>) -> Vec<Array2<f32>> {
        let flipped = |rows: bool, columns: bool| {
            let mut view = image.view();
            for axis in [(rows, 0), (columns, 1)].into_iter().filter(|(flips, _)| *flips).map(|(_, axis)| axis) {
                view.invert_axis(ndarray::Axis(axis));
            }
            view.to_owned()
        };
        match self {
            Self::One => vec![image.clone()],
            Self::Flips => {
                [(false, false), (false, true), (true, false), (true, true)].map(|(r, c)| flipped(r, c)).to_vec()
            }
        }
    }
}

/// The output named `stage` (`fc` for the 1000 features) of grey images (rows, columns), which the network's
/// preparation makes into inputs: one vector per image, averaged over its views.
///
/// # Errors
/// As [`FeatureExtractor::output`] and [`FeatureExtractor::input`]. Without its preparation's `side`, a network takes
/// images of at least 32 × 32 pixels.
///
/// ```
/// use alnm_deep::{Backbone, Head, Initialisation, Network, Predictor, Views, features};
/// use ndarray::Array2;
///
/// let network = Network::initialised(Backbone::ResNet18, Head::None, Initialisation::new(7));
/// let image = Array2::from_shape_fn((40, 40), |(y, x)| ((x * y) % 17) as f32 / 16.0);
/// let vectors = features(&Predictor::new(&network), &[image], "fc", Views::Flips)?;
/// assert_eq!((vectors.len(), vectors[0].len()), (1, 1000));
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
pub fn features(
    network: &dyn FeatureExtractor,
    images: &[Array2<f32>],
    stage: &str,
    views: Views,
) -> Result<Vec<Vec<f32>>> {
    let mut vectors = Vec::with_capacity(images.len());
    for image in images {
        let inputs: Vec<_> = views.of(image).iter().map(|view| network.input(view)).collect::<Result<_>>()?;
        let of_views = network.vectors(&inputs, stage, inputs.len())?;
        let count = of_views.len() as f32;
        vectors.push(
            (0..of_views[0].len())
                .map(|index| of_views.iter().map(|vector| vector[index]).sum::<f32>() / count)
                .collect(),
        );
    }
    Ok(vectors)
}

/// The probability of the event in grey images (rows, columns) by a network with a logit head: `σ` of the logit,
/// averaged over the views of each image (test-time averaging).
///
/// # Errors
/// As [`features`]; [`crate::DeepError::UnknownStage`] for a network without a head.
///
/// ```
/// use alnm_deep::{Backbone, Head, Initialisation, Network, Predictor, Views, probabilities};
/// use ndarray::Array2;
///
/// let network = Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(7));
/// let image = Array2::from_shape_fn((40, 40), |(y, x)| ((x * y) % 17) as f32 / 16.0);
/// let probability = probabilities(&Predictor::new(&network), &[image], Views::Flips)?[0];
/// assert!((0.0..=1.0).contains(&probability));
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
pub fn probabilities(network: &dyn FeatureExtractor, images: &[Array2<f32>], views: Views) -> Result<Vec<f64>> {
    let of_image = |image: &Array2<f32>| -> Result<f64> {
        let inputs: Vec<_> = views.of(image).iter().map(|view| network.input(view)).collect::<Result<_>>()?;
        let logits = network.vectors(&inputs, "head", inputs.len())?;
        let sum: f64 = logits.iter().map(|logit| 1.0 / (1.0 + (-f64::from(logit[0])).exp())).sum();
        Ok(sum / logits.len() as f64)
    };
    images.iter().map(of_image).collect()
}

/// The features that one of several networks computes of the same images.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BackboneFeatures {
    /// The architecture of the network.
    pub backbone: Backbone,
    /// One vector per image, in the order of the images.
    pub vectors: Vec<Vec<f32>>,
}

/// The features of the same images by several networks, in the order of the networks; see [`features`].
///
/// # Errors
/// As [`features`].
pub fn compare_backbones(
    networks: &[Network],
    images: &[Array2<f32>],
    stage: &str,
    views: Views,
) -> Result<Vec<BackboneFeatures>> {
    networks
        .iter()
        .map(|network| {
            let vectors = features(&Predictor::new(network), images, stage, views)?;
            Ok(BackboneFeatures { backbone: network.backbone(), vectors })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Head, Initialisation};

    fn network(backbone: Backbone) -> Network {
        Network::initialised(backbone, Head::None, Initialisation::new(5))
    }

    fn image() -> Array2<f32> {
        Array2::from_shape_fn((64, 64), |(y, x)| {
            if (20..30).contains(&y) && (40..50).contains(&x) { 1.0 } else { 0.3 + (x + y) as f32 / 512.0 }
        })
    }

    #[test]
    fn flipped_images_have_the_same_average() {
        let predictor = Predictor::new(&network(Backbone::ResNet18));
        let mut flipped = image();
        flipped.invert_axis(ndarray::Axis(1));
        let vectors = features(&predictor, &[image(), flipped], "fc", Views::Flips).unwrap();
        for (a, b) in vectors[0].iter().zip(&vectors[1]) {
            assert!((a - b).abs() < 1e-4 * (1.0 + a.abs()), "{a} {b}");
        }
        let single = features(&predictor, &[image()], "fc", Views::One).unwrap();
        assert!(single[0].iter().zip(&vectors[0]).any(|(a, b)| (a - b).abs() > 1e-4));
    }

    #[test]
    fn several_backbones_by_one_call() {
        let networks = [network(Backbone::ResNet18), network(Backbone::DenseNet121)];
        let compared = compare_backbones(&networks, &[image()], "fc", Views::One).unwrap();
        assert_eq!(
            compared.iter().map(|one| one.backbone).collect::<Vec<_>>(),
            [Backbone::ResNet18, Backbone::DenseNet121]
        );
        assert!(compared.iter().all(|one| one.vectors.len() == 1 && one.vectors[0].len() == 1000));
    }
}
