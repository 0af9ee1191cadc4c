//! Maps of what an output loses when a part of the image is covered.

use ndarray::Array2;

use crate::error::{DeepError, Result};
use crate::feature_extractor::FeatureExtractor;

/// Parameters of an occlusion map.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `output` | the network's last output | name of the output that is explained | a name of [`FeatureExtractor::stages`] |
/// | `index` | 0 | place in that output | below its length |
/// | `size` | 32 | pixels on a side of the square that covers the image | ≥ 1 |
/// | `stride` | 16 | pixels from one square to the next, at most | ≥ 1 |
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct OcclusionOptions {
    /// Name of the output that is explained; the last output of the network where absent.
    pub output: Option<String>,
    /// Place in the output.
    pub index: usize,
    /// Pixels on a side of the square that covers a part of the image.
    pub size: usize,
    /// Pixels from one square to the next, at most.
    pub stride: usize,
}

impl Default for OcclusionOptions {
    fn default() -> Self {
        Self { output: None, index: 0, size: 32, stride: 16 }
    }
}

impl OcclusionOptions {
    /// The output that is explained: its name and the place in it.
    pub fn with_output(self, output: impl Into<String>, index: usize) -> Self {
        Self { output: Some(output.into()), index, ..self }
    }

    /// Pixels on a side of the square, and pixels from one square to the next.
    pub fn with_square(self, size: usize, stride: usize) -> Self {
        Self { size, stride, ..self }
    }
}

/// How far an output falls when a part of the image is covered (Zeiler and Fergus 2014), in the unit of the output;
/// negative where covering raises it.
///
/// The image (rows, columns) is cut into equal parts of at most `stride` pixels on a side; a square of `size` pixels of
/// the image's mean is laid on the middle of each. The value of a part is the output of the whole image minus that of
/// the covered one, so that the map, of one value per part, lies over the image as a class activation map does.
///
/// # Errors
/// [`DeepError::Parameter`] for a `size` or `stride` of 0 or an index beyond the output, and as
/// [`features`](crate::features).
///
/// ```
/// use alnm_deep::{Backbone, Head, Initialisation, Network, OcclusionOptions, Predictor, occlusion_map};
/// use ndarray::Array2;
///
/// let network = Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(7));
/// let image = Array2::from_shape_fn((64, 64), |(y, x)| ((x * y) % 17) as f32 / 16.0);
/// let options = OcclusionOptions::default().with_square(32, 32);
/// let map = occlusion_map(&Predictor::new(&network), &image, &options)?;
/// assert_eq!(map.dim(), (2, 2));
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
pub fn occlusion_map(
    network: &dyn FeatureExtractor,
    image: &Array2<f32>,
    options: &OcclusionOptions,
) -> Result<Array2<f32>> {
    let OcclusionOptions { output, index, size, stride } = options;
    let (index, size, stride) = (*index, *size, *stride);
    for (name, value) in [("size", size), ("stride", stride)] {
        if value == 0 {
            return Err(DeepError::parameter(name, value, "at least 1"));
        }
    }
    let output = match output {
        Some(output) => output.clone(),
        None => network.stages().last().copied().unwrap_or_default().to_owned(),
    };
    let value = |image: &Array2<f32>| -> Result<f32> {
        let output = network.output(network.input(image)?, &output)?;
        let values = output.as_slice();
        values.get(index).copied().ok_or_else(|| {
            DeepError::parameter("index", index, format!("below {}, the length of the output", values.len()))
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
    use crate::backbone::Backbone;
    use crate::network::{Head, Initialisation, Network};
    use crate::predictor::Predictor;

    fn network(backbone: Backbone) -> Network {
        Network::initialised(backbone, Head::None, Initialisation::new(5))
    }

    fn image() -> Array2<f32> {
        Array2::from_shape_fn((64, 64), |(y, x)| {
            if (20..30).contains(&y) && (40..50).contains(&x) { 1.0 } else { 0.3 + (x + y) as f32 / 512.0 }
        })
    }

    #[test]
    fn covering_the_image_by_its_mean_changes_a_flat_image_nowhere() {
        let predictor = Predictor::new(&network(Backbone::ResNet18));
        let options = OcclusionOptions::default().with_square(16, 32);
        let flat = occlusion_map(&predictor, &Array2::from_elem((64, 64), 0.5), &options).unwrap();
        assert_eq!(flat, Array2::<f32>::zeros((2, 2)));
        let map = occlusion_map(&predictor, &image(), &options).unwrap();
        assert!(map.iter().any(|fall| *fall != 0.0));
        for wrong in
            [options.clone().with_output("fc", 1000), options.clone().with_square(0, 8), options.with_square(8, 0)]
        {
            assert!(matches!(occlusion_map(&predictor, &image(), &wrong), Err(DeepError::Parameter { .. })));
        }
    }
}
