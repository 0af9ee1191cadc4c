//! How a network's parameters are drawn where no weights are loaded.

use rand::SeedableRng;
use rand::distr::Uniform;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Normal};
use serde::{Deserialize, Serialize};

use crate::graph::{ParameterSpecification, Role};

/// How parameters are initialised when no weights are loaded.
///
/// Convolutions are drawn from a normal distribution of variance 2 / (outputs · kernel²) (He et al. 2015, fan-out, as
/// torchvision does), fully connected layers uniformly from ±1/√inputs; batch normalisations start as the identity. The
/// same seed gives the same parameters on every machine.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `seed` | 0 | seed of the generator (ChaCha8) | any |
/// | `zero_residual` | false | whether residual blocks start as the identity | |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
#[must_use]
pub struct Initialisation {
    /// Seed of the generator.
    pub seed: u64,
    /// Whether the last batch normalisation of every residual block starts with weight 0, so that the block starts as
    /// the identity (Goyal et al. 2017; torchvision's `zero_init_residual`).
    pub zero_residual: bool,
}

impl Initialisation {
    /// An initialisation by a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, zero_residual: false }
    }

    /// Whether the last batch normalisation of every residual block starts with weight 0.
    pub fn with_zero_residual(self, zero_residual: bool) -> Self {
        Self { zero_residual, ..self }
    }

    /// The values that the parameter at a place of the graph's list starts with.
    pub(super) fn values(self, place: usize, parameter: &ParameterSpecification) -> Vec<f32> {
        let mut generator = ChaCha8Rng::seed_from_u64(self.seed);
        generator.set_stream(place as u64);
        let count = parameter.shape.iter().product();
        match parameter.role {
            Role::Weight(layer) if parameter.shape.len() == 4 => {
                let deviation = (2.0 / (layer.outputs * layer.kernel * layer.kernel) as f32).sqrt();
                let distribution = Normal::new(0.0, deviation).expect("the deviation is finite and positive");
                distribution.sample_iter(generator).take(count).collect()
            }
            Role::Weight(layer) => uniform(layer.patch(), count, generator),
            Role::Bias { fan_in } => uniform(fan_in, count, generator),
            Role::NormWeight { ends_block } => {
                vec![if ends_block && self.zero_residual { 0.0 } else { 1.0 }; count]
            }
            Role::NormBias => vec![0.0; count],
        }
    }
}

/// Draws from ±1/√`fan_in`.
fn uniform(fan_in: usize, count: usize, generator: ChaCha8Rng) -> Vec<f32> {
    let bound = 1.0 / (fan_in as f32).sqrt();
    let distribution = Uniform::new(-bound, bound).expect("the bound is finite and positive");
    distribution.sample_iter(generator).take(count).collect()
}
