//! Features of images: averaged over views, of several networks, and what they depend on.

use ndarray::Array2;

use crate::backbone::Backbone;
use crate::error::{DeepError, Result};
use crate::inference::{Predictor, stack};
use crate::network::Network;
use crate::preparation::Preparation;
use crate::tensor::Tensor;

/// A network that can be read out at every stage, whatever the backbone and whatever computes it: [`Predictor`] on this
/// processor, [`crate::CandleNetwork`] on what candle computes on.
pub trait FeatureExtractor {
    /// The backbone.
    fn backbone(&self) -> Backbone;

    /// How grey images are made into inputs.
    fn preparation(&self) -> Preparation;

    /// Names of the outputs that can be read, in order of computation.
    fn stages(&self) -> Vec<String>;

    /// The named output for a batch of images of three channels; `fc` is the vector of 1000 features, `head` the logit.
    ///
    /// # Errors
    /// An unknown name, images of another shape than the network takes, or a value that is not finite.
    fn output(&self, input: Tensor, name: &str) -> Result<Tensor>;

    /// The input that the preparation makes of a grey image.
    ///
    /// # Errors
    /// As [`Preparation::apply`].
    fn input(&self, image: &Array2<f32>) -> Result<Tensor> {
        self.preparation().apply(image)
    }

    /// The named output for many images, a vector per image, in batches of `batch` images.
    ///
    /// # Errors
    /// As [`FeatureExtractor::output`].
    fn vectors(&self, images: &[Tensor], name: &str, batch: usize) -> Result<Vec<Vec<f32>>> {
        let mut vectors = Vec::with_capacity(images.len());
        for images in images.chunks(batch.max(1)) {
            let output = self.output(stack(images)?, name)?;
            vectors.extend((0..output.images()).map(|image| output.image(image).to_vec()));
        }
        Ok(vectors)
    }
}

/// Views of an image over which its features are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Views {
    /// The image itself.
    #[default]
    One,
    /// The image, its columns reversed, its rows reversed, and both.
    Flips,
}

impl Views {
    fn of(self, image: &Array2<f32>) -> Vec<Array2<f32>> {
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

/// The named output (`fc` for the 1000 features) of grey images as the network's preparation takes them, a vector per
/// image, averaged over views.
///
/// # Errors
/// An unknown name, images smaller than 32 × 32 or with values that are not finite.
pub fn features(
    network: &dyn FeatureExtractor,
    images: &[Array2<f32>],
    output: &str,
    views: Views,
) -> Result<Vec<Vec<f32>>> {
    let mut vectors = Vec::with_capacity(images.len());
    for image in images {
        let inputs: Vec<_> = views.of(image).iter().map(|view| network.input(view)).collect::<Result<_>>()?;
        let of_views = network.vectors(&inputs, output, inputs.len())?;
        let count = of_views.len() as f32;
        vectors.push(
            (0..of_views[0].len())
                .map(|index| of_views.iter().map(|vector| vector[index]).sum::<f32>() / count)
                .collect(),
        );
    }
    Ok(vectors)
}

/// What one of several networks gives for the same images.
#[derive(Debug, Clone, PartialEq)]
pub struct BackboneFeatures {
    /// The network's backbone.
    pub backbone: Backbone,
    /// A vector per image.
    pub vectors: Vec<Vec<f32>>,
}

/// The features of the same images by several networks, in their order.
///
/// # Errors
/// As [`features`].
pub fn compare_backbones(
    networks: &[Network],
    images: &[Array2<f32>],
    output: &str,
    views: Views,
) -> Result<Vec<BackboneFeatures>> {
    networks
        .iter()
        .map(|network| {
            let vectors = features(&Predictor::new(network), images, output, views)?;
            Ok(BackboneFeatures { backbone: network.backbone(), vectors })
        })
        .collect()
}

/// How far an output falls when a part of the image is covered (Zeiler and Fergus 2014).
///
/// The image is cut into equal parts of at most `stride` pixels on a side; a square of `size` pixels of the image's
/// mean is laid on the middle of each. The value of a part is output `index` of the whole image minus that of the
/// covered one, so that the map lies over the image as a class activation map does.
///
/// # Errors
/// `size` or `stride` of 0, an index beyond the output, and as [`features`].
pub fn occlusion_map(
    network: &dyn FeatureExtractor,
    image: &Array2<f32>,
    output: &str,
    index: usize,
    size: usize,
    stride: usize,
) -> Result<Array2<f32>> {
    if size == 0 || stride == 0 {
        let value = format!("{size} and {stride}");
        return Err(DeepError::Parameter {
            name: "size and stride of the occlusion",
            value,
            requirement: "at least 1",
        });
    }
    let value = |image: &Array2<f32>| -> Result<f32> {
        let vectors = network.vectors(&[network.input(image)?], output, 1)?;
        vectors[0].get(index).copied().ok_or_else(|| DeepError::Parameter {
            name: "index",
            value: format!("{index} of {} outputs", vectors[0].len()),
            requirement: "below the number of outputs",
        })
    };
    let whole = value(image)?;
    let mean = image.iter().sum::<f32>() / image.len() as f32;
    let (height, width) = image.dim();
    let (rows, columns) = (height.div_ceil(stride), width.div_ceil(stride));
    let mut map = Array2::zeros((rows, columns));
    for ((row, column), fall) in map.indexed_iter_mut() {
        let span = |part: usize, parts: usize, side: usize| {
            let centre = (2 * part + 1) * side / (2 * parts);
            centre.saturating_sub(size / 2)..(centre + size.div_ceil(2)).min(side)
        };
        let mut covered = image.clone();
        covered.slice_mut(ndarray::s![span(row, rows, height), span(column, columns, width)]).fill(mean);
        *fall = whole - value(&covered)?;
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Head, Initialisation};

    fn network(backbone: Backbone) -> Network {
        Network::initialised(backbone, Head::None, Initialisation { seed: 5, zero_residual: false })
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

    #[test]
    fn covering_the_image_by_its_mean_changes_a_flat_image_nowhere() {
        let predictor = Predictor::new(&network(Backbone::ResNet18));
        let flat = occlusion_map(&predictor, &Array2::from_elem((64, 64), 0.5), "fc", 0, 16, 32).unwrap();
        assert_eq!(flat, Array2::<f32>::zeros((2, 2)));
        let map = occlusion_map(&predictor, &image(), "fc", 0, 16, 32).unwrap();
        assert!(map.iter().any(|fall| *fall != 0.0));
        assert!(occlusion_map(&predictor, &image(), "fc", 1000, 16, 32).is_err());
    }
}
