//! Random numbers from explicit seeds.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
#[cfg(feature = "learning")]
use rand_distr::ChiSquared;
use rand_distr::{Distribution, StandardNormal};

/// One stream of random numbers.
#[derive(Debug)]
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    /// The stream of the given number; streams of one seed are independent.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        Self(generator)
    }

    /// The stream of a row of new patients, which depends on the values of the row and nothing else: alone or among
    /// others, the row is imputed alike.
    pub(crate) fn of_row(seed: u64, stream: u64, row: &[f64]) -> Self {
        // SplitMix64 over the bits of the values; all missing values are one.
        let mixed = row.iter().fold(seed, |state, value| {
            let bits = if value.is_nan() { u64::MAX } else { (value + 0.0).to_bits() };
            let mut z = (state ^ bits).wrapping_add(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        });
        Self::new(mixed, stream)
    }

    /// A uniform number, at least 0 and below 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0.random()
    }

    /// A whole number below `count`, which is at least 1.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        self.0.random_range(0..count)
    }

    pub(crate) fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    #[cfg(feature = "learning")]
    pub(crate) fn normals(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.normal()).collect()
    }

    #[cfg(feature = "learning")]
    /// A chi-squared number with at least one degree of freedom.
    pub(crate) fn chi_squared(&mut self, degrees_of_freedom: f64) -> f64 {
        ChiSquared::new(degrees_of_freedom).map_or(f64::NAN, |distribution| distribution.sample(&mut self.0))
    }

    #[cfg(feature = "learning")]
    /// The items in random order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
