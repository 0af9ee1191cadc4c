//! Training images that are mixtures of two (Zhang et al. 2018).

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand_distr::{Beta, Distribution};

use crate::error::{DeepError, Result};
use crate::tensor::Tensor;

/// How the images of a batch are mixed: `share · xᵢ + (1 − share) · x_partner(i)`, and their losses likewise.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mixing {
    /// In [0.5, 1]: the image itself is never the lesser part, so that its label is that of the mixture for a curve.
    pub(super) share: f64,
    pub(super) partners: Vec<usize>,
}

/// The distribution of shares.
pub(super) fn shares(alpha: f64) -> Result<Beta<f64>> {
    let checked = Some(alpha).filter(|alpha| alpha.is_finite() && *alpha > 0.0);
    let refused = || DeepError::parameter("mixup", alpha, "finite and above 0");
    Beta::new(checked.ok_or_else(refused)?, alpha).map_err(|_| refused())
}

impl Mixing {
    /// The mixing of a batch of `count` images; the same for the same seed.
    pub(super) fn draw(alpha: f64, count: usize, seed: u64) -> Result<Self> {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        // The first stream of this seed is that of the dropout.
        generator.set_stream(1);
        let share: f64 = shares(alpha)?.sample(&mut generator);
        let mut partners: Vec<usize> = (0..count).collect();
        partners.shuffle(&mut generator);
        Ok(Self { share: share.max(1.0 - share), partners })
    }

    /// The mixed images of a batch.
    pub(super) fn of_images(&self, images: &Tensor) -> Result<Tensor> {
        let (own, other) = (self.share as f32, (1.0 - self.share) as f32);
        let mixed = self.partners.iter().enumerate().flat_map(|(index, partner)| {
            images.image(index).iter().zip(images.image(*partner)).map(move |(x, y)| own * x + other * y)
        });
        Tensor::new(images.shape(), mixed.collect())
    }

    /// The labels of the partners.
    pub(super) fn of_labels(&self, labels: &[bool]) -> Vec<bool> {
        self.partners.iter().map(|partner| labels[*partner]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_and_labels_are_mixed_with_their_partners() {
        let images = Tensor::new([3, 1, 2, 1], vec![1.0, 2.0, 10.0, 20.0, 100.0, 200.0]).unwrap();
        let mixing = Mixing { share: 0.75, partners: vec![2, 1, 0] };
        assert_eq!(mixing.of_images(&images).unwrap().as_slice(), [25.75, 51.5, 10.0, 20.0, 75.25, 150.5]);
        assert_eq!(mixing.of_labels(&[true, false, false]), [false, false, true]);
    }

    /// Shares of a uniform distribution have the mean 3/4 where the larger part counts, those of a narrow one nearly
    /// 1/2.
    #[test]
    fn shares_follow_their_distribution() {
        let mean = |alpha: f64| (0..4000).map(|seed| Mixing::draw(alpha, 4, seed).unwrap().share).sum::<f64>() / 4000.0;
        assert!((mean(1.0) - 0.75).abs() < 0.01);
        assert!(mean(1000.0) < 0.52 && mean(0.05) > 0.95);
        let mut partners = Mixing::draw(0.4, 9, 5).unwrap().partners;
        partners.sort_unstable();
        assert!(partners.iter().copied().eq(0..9));
        assert_eq!(Mixing::draw(0.4, 9, 5).unwrap(), Mixing::draw(0.4, 9, 5).unwrap());
    }
}
