//! From a grey image to what a network takes.

use alnm_imaging::region::resize_bilinear;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::error::{DeepError, Result};
use crate::tensor::Tensor;

/// How a grey image is to become a network's input: resized, put in all three channels, and normalised.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `side` | none | rows and columns after resizing by linear interpolation; the image's own where absent | 32 to 16,384 |
/// | `mean` | 0.485, 0.456, 0.406 | taken from the channels (ImageNet's, for grey values in [0, 1]) | finite |
/// | `deviation` | 0.229, 0.224, 0.225 | what the channels are divided by (ImageNet's) | finite, above 0 |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct PreparationParams {
    /// Rows and columns after resizing; the image's own where absent.
    pub side: Option<usize>,
    /// Taken from each channel.
    pub mean: [f32; 3],
    /// What each channel is divided by.
    pub deviation: [f32; 3],
}

impl Default for PreparationParams {
    fn default() -> Self {
        Self { side: None, mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] }
    }
}

impl PreparationParams {
    /// Rows and columns after resizing.
    pub fn with_side(self, side: usize) -> Self {
        Self { side: Some(side), ..self }
    }

    /// What is taken from the channels and what they are then divided by.
    pub fn with_normalisation(self, mean: [f32; 3], deviation: [f32; 3]) -> Self {
        Self { mean, deviation, ..self }
    }

    /// The preparation, where every parameter is in its range.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] with the first parameter outside its range.
    pub fn check(self) -> Result<Preparation> {
        if let Some(side) = self.side.filter(|side| !(32..=16_384).contains(side)) {
            return Err(DeepError::parameter("side", side, "from 32 to 16384 pixels"));
        }
        if !self.mean.iter().all(|mean| mean.is_finite()) {
            return Err(DeepError::parameter("mean", format!("{:?}", self.mean), "finite"));
        }
        if !self.deviation.iter().all(|deviation| deviation.is_finite() && *deviation > 0.0) {
            return Err(DeepError::parameter("deviation", format!("{:?}", self.deviation), "finite and above 0"));
        }
        Ok(Preparation(self))
    }
}

/// A checked way from a grey image to a network's input; see [`PreparationParams`].
///
/// Training draws its random changes before the preparation, at the image's own resolution. A network keeps its
/// preparation and is saved with it, so that whoever reads the network reads images as it was trained on.
///
/// ```
/// use alnm_deep::{Backbone, Head, Initialisation, Network, PreparationParams};
/// use ndarray::Array2;
///
/// let preparation = PreparationParams::default().with_side(64).with_normalisation([0.5; 3], [0.25; 3]).check()?;
/// let input = preparation.apply(Array2::from_elem((40, 48), 1.0).view())?;
/// assert_eq!(input.shape(), [1, 64, 64, 3]);
/// assert_eq!(input.as_slice()[0], 2.0);
///
/// let network = Network::initialised(Backbone::ResNet18, Head::None, Initialisation::new(7));
/// assert_eq!(network.with_preparation(preparation).preparation(), preparation);
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "PreparationParams", into = "PreparationParams")]
pub struct Preparation(PreparationParams);

impl TryFrom<PreparationParams> for Preparation {
    type Error = DeepError;

    fn try_from(params: PreparationParams) -> Result<Self> {
        params.check()
    }
}

impl From<Preparation> for PreparationParams {
    fn from(preparation: Preparation) -> Self {
        preparation.0
    }
}

impl Preparation {
    /// Rows and columns after resizing; the image's own where absent.
    #[must_use]
    pub fn side(&self) -> Option<usize> {
        self.0.side
    }

    /// What is taken from each channel.
    #[must_use]
    pub fn mean(&self) -> [f32; 3] {
        self.0.mean
    }

    /// What each channel is divided by.
    #[must_use]
    pub fn deviation(&self) -> [f32; 3] {
        self.0.deviation
    }

    /// The input made from an image (rows, columns): one image of three channels.
    ///
    /// # Errors
    /// [`DeepError::Imaging`] when an image without pixels is to be resized.
    pub fn apply(&self, image: ArrayView2<'_, f32>) -> Result<Tensor> {
        match self.0.side {
            Some(side) if image.dim() != (side, side) => {
                Ok(self.normalised(resize_bilinear(image, side, side)?.view()))
            }
            _ => Ok(self.normalised(image)),
        }
    }

    fn normalised(&self, image: ArrayView2<'_, f32>) -> Tensor {
        let (height, width) = image.dim();
        let PreparationParams { mean, deviation, .. } = self.0;
        let of_channel = |value: f32| [0, 1, 2].map(|channel| (value - mean[channel]) / deviation[channel]);
        let data: Vec<f32> = image.iter().flat_map(|value| of_channel(*value)).collect();
        Tensor::from_buffer([1, height, width, 3], data.into())
    }
}

/// A grey image (rows, columns) with values in [0, 1] as the networks take it by default: the same plane in all three
/// channels, normalised by ImageNet's means and standard deviations, at the image's own size.
#[must_use]
pub fn network_input(image: &Array2<f32>) -> Tensor {
    Preparation::default().normalised(image.view())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Array2<f32> {
        Array2::from_shape_fn((40, 48), |(y, x)| ((y * 48 + x) % 97) as f32 / 96.0)
    }

    #[test]
    fn an_image_is_resized_then_normalised() {
        let params = PreparationParams { side: Some(64), mean: [0.5; 3], deviation: [0.25, 0.5, 1.0] };
        let input = params.check().unwrap().apply(image().view()).unwrap();
        assert_eq!(input.shape(), [1, 64, 64, 3]);
        let resized = resize_bilinear(image().view(), 64, 64).unwrap();
        for (pixel, value) in input.as_slice().chunks_exact(3).zip(&resized) {
            assert_eq!(pixel, [(value - 0.5) / 0.25, (value - 0.5) / 0.5, value - 0.5]);
        }
        assert_eq!(Preparation::default().apply(image().view()).unwrap(), network_input(&image()));
    }

    #[test]
    fn ranges_are_checked_also_of_what_is_read() {
        let default = PreparationParams::default();
        assert_eq!(default.check().unwrap(), Preparation::default());
        for (params, sentence) in [
            (default.with_side(16), "side is 16; it must be from 32 to 16384 pixels"),
            (default.with_normalisation([f32::NAN; 3], [1.0; 3]), "mean is [NaN, NaN, NaN]; it must be finite"),
            (
                default.with_normalisation([0.0; 3], [1.0, 0.0, 1.0]),
                "deviation is [1.0, 0.0, 1.0]; it must be finite and above 0",
            ),
        ] {
            assert_eq!(params.check().unwrap_err().to_string(), sentence);
        }
        let read = |text: &str| serde_json::from_str::<Preparation>(text).map_err(|error| error.to_string());
        assert_eq!(read(r#"{"side":64}"#).unwrap(), default.with_side(64).check().unwrap());
        assert!(read(r#"{"side":16}"#).unwrap_err().starts_with("side is 16; it must be"));
        assert!(read(r#"{"sides":64}"#).is_err());
    }
}
