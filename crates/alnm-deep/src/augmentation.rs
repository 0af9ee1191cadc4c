//! Random changes of training images, each a function of (seed, epoch, sample) alone.

use ndarray::Array2;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::error::{DeepError, Result};

/// A random change of an image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Transform {
    /// Rotation about the centre by an angle drawn uniformly from ±`degrees`; bilinear, zero outside.
    Rotation {
        /// Largest angle, finite.
        degrees: f64,
    },
    /// Columns in reverse order.
    HorizontalFlip {
        /// How often, in [0, 1].
        probability: f64,
    },
    /// Rows in reverse order.
    VerticalFlip {
        /// How often, in [0, 1].
        probability: f64,
    },
    /// Independent normal noise added to every pixel.
    GaussianNoise {
        /// Standard deviation in the units of the image, finite and at least 0.
        sigma: f32,
    },
}

/// Random changes of an image, applied one after another.
///
/// ```
/// use alnm_deep::{Augmentation, Transform};
/// use ndarray::Array2;
///
/// let augmentation = Augmentation::new(vec![Transform::HorizontalFlip { probability: 0.5 }])?;
/// let image = Array2::from_shape_fn((2, 2), |(y, x)| (2 * y + x) as f32);
/// // Seed, epoch and sample decide: the same three give the same change.
/// assert_eq!(augmentation.apply(&image, 7, 0, 3), augmentation.apply(&image, 7, 0, 3));
/// assert!(Augmentation::new(vec![Transform::HorizontalFlip { probability: 1.5 }]).is_err());
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Transform>", into = "Vec<Transform>")]
pub struct Augmentation(Vec<Transform>);

impl TryFrom<Vec<Transform>> for Augmentation {
    type Error = DeepError;

    fn try_from(transforms: Vec<Transform>) -> Result<Self> {
        Self::new(transforms)
    }
}

impl From<Augmentation> for Vec<Transform> {
    fn from(augmentation: Augmentation) -> Self {
        augmentation.0
    }
}

impl Augmentation {
    /// Transforms in the order in which they are applied.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] with the first parameter outside its range; see [`Transform`].
    pub fn new(transforms: Vec<Transform>) -> Result<Self> {
        transforms.iter().try_for_each(Transform::check)?;
        Ok(Self(transforms))
    }

    /// No change.
    #[must_use]
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Rotation by up to 15 degrees, both flips with probability one half, Gaussian noise of standard deviation 0.01 on
    /// images in [0, 1].
    #[must_use]
    pub fn study() -> Self {
        Self(vec![
            Transform::Rotation { degrees: 15.0 },
            Transform::HorizontalFlip { probability: 0.5 },
            Transform::VerticalFlip { probability: 0.5 },
            Transform::GaussianNoise { sigma: 0.01 },
        ])
    }

    /// The transforms in the order in which they are applied.
    #[must_use]
    pub fn transforms(&self) -> &[Transform] {
        &self.0
    }

    /// The changed image; the same for the same seed, epoch and sample, whatever else is computed.
    #[must_use]
    pub fn apply(&self, image: &Array2<f32>, seed: u64, epoch: u64, sample: u64) -> Array2<f32> {
        let mut generator = ChaCha8Rng::seed_from_u64(seed ^ epoch.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        generator.set_stream(sample);
        self.0.iter().fold(image.clone(), |image, transform| transform.apply(image, &mut generator))
    }
}

impl Transform {
    fn check(&self) -> Result<()> {
        let (name, value, holds, requirement) = match *self {
            Self::Rotation { degrees } => ("degrees", degrees, degrees.is_finite(), "finite"),
            Self::HorizontalFlip { probability } | Self::VerticalFlip { probability } => {
                ("probability", probability, (0.0..=1.0).contains(&probability), "in [0, 1]")
            }
            Self::GaussianNoise { sigma } => {
                ("sigma", f64::from(sigma), sigma.is_finite() && sigma >= 0.0, "finite and at least 0")
            }
        };
        if holds { Ok(()) } else { Err(DeepError::parameter(name, value, requirement)) }
    }

    fn apply(&self, mut image: Array2<f32>, generator: &mut ChaCha8Rng) -> Array2<f32> {
        match *self {
            Self::Rotation { degrees } => {
                let angle = generator.random_range(-1.0..=1.0) * degrees;
                rotate(&image, angle)
            }
            Self::HorizontalFlip { probability } => {
                if generator.random_bool(probability) {
                    image.invert_axis(ndarray::Axis(1));
                }
                image
            }
            Self::VerticalFlip { probability } => {
                if generator.random_bool(probability) {
                    image.invert_axis(ndarray::Axis(0));
                }
                image
            }
            Self::GaussianNoise { sigma } => {
                image.mapv_inplace(|value| {
                    let draw: f32 = StandardNormal.sample(generator);
                    value + sigma * draw
                });
                image
            }
        }
    }
}

/// The image turned counter-clockwise by `degrees` about its centre: bilinear, zero outside (torchvision's `rotate`).
#[must_use]
pub fn rotate(image: &Array2<f32>, degrees: f64) -> Array2<f32> {
    let (height, width) = image.dim();
    let (centre_y, centre_x) = ((height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0);
    let (sine, cosine) = degrees.to_radians().sin_cos();
    let value = |row: i64, column: i64| {
        let inside = row >= 0 && column >= 0 && row < height as i64 && column < width as i64;
        if inside { f64::from(image[[row as usize, column as usize]]) } else { 0.0 }
    };
    Array2::from_shape_fn((height, width), |(row, column)| {
        let (dy, dx) = (row as f64 - centre_y, column as f64 - centre_x);
        let (y, x) = (centre_y + sine * dx + cosine * dy, centre_x + cosine * dx - sine * dy);
        let (top, left) = (y.floor(), x.floor());
        let (fy, fx) = (y - top, x - left);
        let (top, left) = (top as i64, left as i64);
        let upper = value(top, left) * (1.0 - fx) + value(top, left + 1) * fx;
        let lower = value(top + 1, left) * (1.0 - fx) + value(top + 1, left + 1) * fx;
        (upper * (1.0 - fy) + lower * fy) as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Array2<f32> {
        Array2::from_shape_fn((16, 12), |(y, x)| ((y * 12 + x) as f32 * 0.37).sin())
    }

    #[test]
    fn a_draw_depends_on_seed_epoch_and_sample_alone() {
        let augmentation = Augmentation::study();
        let first = augmentation.apply(&image(), 1, 2, 3);
        assert_eq!(first, augmentation.apply(&image(), 1, 2, 3));
        for (seed, epoch, sample) in [(2, 2, 3), (1, 3, 3), (1, 2, 4)] {
            assert_ne!(first, augmentation.apply(&image(), seed, epoch, sample));
        }
        assert_eq!(Augmentation::none().apply(&image(), 1, 2, 3), image());
    }

    #[test]
    fn ranges_are_checked_also_of_what_is_read() {
        for transform in [
            Transform::Rotation { degrees: f64::NAN },
            Transform::HorizontalFlip { probability: 1.5 },
            Transform::GaussianNoise { sigma: -1.0 },
        ] {
            assert!(matches!(Augmentation::new(vec![transform]), Err(DeepError::Parameter { .. })));
        }
        let read = |text: &str| serde_json::from_str::<Augmentation>(text).map_err(|error| error.to_string());
        let text = serde_json::to_string(&Augmentation::study()).unwrap();
        assert_eq!(read(&text).unwrap(), Augmentation::study());
        let error = read(&text.replace("0.5", "1.5")).unwrap_err();
        assert!(error.starts_with("probability is 1.5; it must be in [0, 1]"), "{error}");
    }

    #[test]
    fn a_rotation_by_half_a_turn_reverses_both_axes() {
        let mut turned = image();
        turned.invert_axis(ndarray::Axis(0));
        turned.invert_axis(ndarray::Axis(1));
        for (got, want) in rotate(&image(), 180.0).iter().zip(&turned) {
            assert!((got - want).abs() < 1e-5);
        }
    }
}
