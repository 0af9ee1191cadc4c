//! Permutation tests.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::{Result, require_count, require_some};
use crate::{Alternative, TestResult};

/// Monte-Carlo permutation test of a statistic of two groups: the observations are dealt to the groups at random
/// `permutations` times. p = (1 + number at least as extreme) / (1 + permutations) (Phipson and Smyth 2010), two-sided
/// by |statistic|.
///
/// # Errors
/// [`StatsError::TooFew`] for an empty group, [`StatsError::Parameter`] without permutations.
pub fn two_sample(
    x: &[f64],
    y: &[f64],
    statistic: impl Fn(&[f64], &[f64]) -> f64,
    alternative: Alternative,
    permutations: usize,
    seed: u64,
) -> Result<TestResult> {
    require_count("permutation test", "observations per group", 1, x.len().min(y.len()))?;
    require_some("number of permutations", permutations)?;
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
