//! From a grey image to what a network takes.

use alnm_imaging::region::resize_bilinear;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::error::{DeepError, Result};
use crate::tensor::Tensor;

/// How a grey image becomes a network's input: resized, put in all three channels, and normalised.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `side` | none | rows and columns after resizing by linear interpolation; the image's own where absent | ≥ 32 |
/// | `mean` | 0.485, 0.456, 0.406 | taken from the channels (ImageNet's, on values in [0, 1]) | finite |
/// | `deviation` | 0.229, 0.224, 0.225 | what the channels are divided by (ImageNet's) | > 0 |
///
/// Training draws its random changes before, at the image's own resolution. A network keeps its preparation and is
/// saved with it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preparation {
    /// Rows and columns after resizing.
    pub side: Option<usize>,
    /// Taken from each channel.
    pub mean: [f32; 3],
    /// What each channel is divided by.
    pub deviation: [f32; 3],
}

impl Default for Preparation {
    fn default() -> Self {
        Self { side: None, mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] }
    }
}

impl Preparation {
    /// Checks every range.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] with the first parameter outside its range.
    pub fn check(&self) -> Result<()> {
        let refuse = |name, value, requirement| Err(DeepError::Parameter { name, value, requirement });
        if self.side.is_some_and(|side| side < 32) {
            return refuse("side", format!("{:?}", self.side), "at least 32");
        }
        if !self.mean.iter().all(|mean| mean.is_finite()) {
            return refuse("mean", format!("{:?}", self.mean), "finite");
        }
        if !self.deviation.iter().all(|deviation| deviation.is_finite() && *deviation > 0.0) {
            return refuse("deviation", format!("{:?}", self.deviation), "finite and above 0");
        }
        Ok(())
    }

    /// The input made from an image.
    ///
    /// # Errors
    /// [`DeepError::Imaging`] when an image without pixels is to be resized.
    pub fn apply(&self, image: &Array2<f32>) -> Result<Tensor> {
        match self.side {
            Some(side) if image.dim() != (side, side) => {
                Ok(self.normalised(&resize_bilinear(image.view(), side, side)?))
            }
            _ => Ok(self.normalised(image)),
        }
    }

    fn normalised(&self, image: &Array2<f32>) -> Tensor {
        let (height, width) = image.dim();
        let of_channel = |value: f32| [0, 1, 2].map(|channel| (value - self.mean[channel]) / self.deviation[channel]);
        let data = image.iter().flat_map(|value| of_channel(*value)).collect();
        Tensor::new([1, height, width, 3], data).expect("three values a pixel")
    }
}

/// A grey image in [0, 1] as the networks take it by default: the same plane in all three channels, normalised by
/// ImageNet's means and standard deviations.
pub fn network_input(image: &Array2<f32>) -> Tensor {
    Preparation::default().normalised(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Array2<f32> {
        Array2::from_shape_fn((40, 48), |(y, x)| ((y * 48 + x) % 97) as f32 / 96.0)
    }

    #[test]
    fn an_image_is_resized_then_normalised() {
        let preparation = Preparation { side: Some(64), mean: [0.5; 3], deviation: [0.25, 0.5, 1.0] };
        let input = preparation.apply(&image()).unwrap();
        assert_eq!(input.shape(), [1, 64, 64, 3]);
        let resized = resize_bilinear(image().view(), 64, 64).unwrap();
        for (pixel, value) in input.as_slice().chunks_exact(3).zip(&resized) {
            assert_eq!(pixel, [(value - 0.5) / 0.25, (value - 0.5) / 0.5, value - 0.5]);
        }
        assert_eq!(Preparation::default().apply(&image()).unwrap(), network_input(&image()));
    }

    #[test]
    fn ranges_are_checked() {
        assert!(Preparation::default().check().is_ok());
        assert!(Preparation { side: Some(16), ..Preparation::default() }.check().is_err());
        assert!(Preparation { mean: [f32::NAN; 3], ..Preparation::default() }.check().is_err());
        assert!(Preparation { deviation: [1.0, 0.0, 1.0], ..Preparation::default() }.check().is_err());
    }
}
