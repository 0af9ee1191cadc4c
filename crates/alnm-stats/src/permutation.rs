//! Permutation tests.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

use crate::error::{Result, require_count, require_some};
use crate::{Alternative, TestResult};

/// Parameters of a Monte-Carlo permutation test.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `alternative` | two-sided | The alternative hypothesis; two-sided compares absolute values of the statistic. | |
/// | `permutations` | 10 000 | Number of random permutations. | at least 1 |
/// | `seed` | 0 | Seed of the generator. | |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct PermutationParams {
    /// The alternative hypothesis.
    pub alternative: Alternative,
    /// Number of random permutations.
    pub permutations: usize,
    /// Seed of the generator.
    pub seed: u64,
}

impl Default for PermutationParams {
    fn default() -> Self {
        Self { alternative: Alternative::TwoSided, permutations: 10_000, seed: 0 }
    }
}

impl PermutationParams {
    /// Sets the alternative hypothesis.
    pub fn with_alternative(self, alternative: Alternative) -> Self {
        Self { alternative, ..self }
    }

    /// Sets the number of random permutations.
    pub fn with_permutations(self, permutations: usize) -> Self {
        Self { permutations, ..self }
    }

    /// Sets the seed of the generator.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`StatsError::Parameter`](crate::StatsError::Parameter) without permutations.
    pub fn check(self) -> Result<PermutationTest> {
        require_some("number of permutations", self.permutations)?;
        Ok(PermutationTest(self))
    }
}

/// A permutation test with checked parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PermutationTest(PermutationParams);

/// Monte-Carlo permutation test of a statistic of two groups, under parameters that are checked first.
///
/// # Errors
/// As [`PermutationParams::check`] and [`PermutationTest::two_sample`].
///
/// ```
/// use alnm_stats::describe::mean;
/// use alnm_stats::permutation::{PermutationParams, two_sample};
/// let params = PermutationParams::default().with_permutations(999).with_seed(7);
/// let test = two_sample(&[1.0, 2.0, 3.0], &[11.0, 12.0, 13.0], |x, y| mean(x) - mean(y), params)?;
/// assert_eq!(test.statistic, -10.0);
/// assert!((test.p_value - 0.1).abs() < 0.03);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn two_sample(
    x: &[f64],
    y: &[f64],
    statistic: impl Fn(&[f64], &[f64]) -> f64,
    params: PermutationParams,
) -> Result<TestResult> {
    params.check()?.two_sample(x, y, statistic)
}

impl PermutationTest {
    /// Deals the observations to the two groups at random, as often as the parameters say, and compares the statistic
    /// of the groups as given with those of the permuted groups. p = (1 + number at least as extreme) / (1 +
    /// permutations) (Phipson and Smyth 2010).
    ///
    /// # Errors
    /// [`StatsError::TooFew`](crate::StatsError::TooFew) for an empty group.
    pub fn two_sample(&self, x: &[f64], y: &[f64], statistic: impl Fn(&[f64], &[f64]) -> f64) -> Result<TestResult> {
        let PermutationParams { alternative, permutations, seed } = self.0;
        require_count("permutation test", "observations per group", 1, x.len().min(y.len()))?;
        let observed = statistic(x, y);
        let extreme = |s: f64| match alternative {
            Alternative::TwoSided => s.abs() >= observed.abs() * (1.0 - 1e-12),
            Alternative::Less => s <= observed,
            Alternative::Greater => s >= observed,
        };
        let mut pooled = [x, y].concat();
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let mut count = 1usize;
        for _ in 0..permutations {
            pooled.shuffle(&mut generator);
            let (a, b) = pooled.split_at(x.len());
            count += usize::from(extreme(statistic(a, b)));
        }
        Ok(TestResult::new("Permutation test", observed, &[], count as f64 / (permutations + 1) as f64))
    }
}
