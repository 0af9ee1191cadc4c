//! Fisher's exact test of 2 × 2 and of larger tables.

mod network;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use statrs::function::factorial::ln_factorial;

use crate::contingency::CountTable;
use crate::error::{Result, StatsError, require_count, require_level, require_some};
use crate::root::brent;
use crate::{Alternative, TestResult};

/// Tables as probable as the observed one count as extreme up to this relative error (as in R).
const RELATIVE_FUZZ: f64 = 1e-7;

/// How the p-value of a table larger than 2 × 2 is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum FisherMethod {
    /// Exact, by a network over the columns, as long as no stage of it holds more than `limit` entries and no more than
    /// 250 times as many are looked at. The default of two million lets tables of 5 × 6 cells with 100 observations
    /// pass, and stops larger ones after seconds.
    Exact {
        /// Largest number of (remaining margins, past probability) entries that one stage may hold.
        limit: usize,
    },
    /// Random tables with the observed margins; p = (1 + extreme)/(1 + resamples).
    MonteCarlo {
        /// Number of random tables.
        resamples: usize,
        /// Seed of the generator.
        seed: u64,
    },
    /// Exact within the limit, otherwise Monte-Carlo.
    ExactOrMonteCarlo {
        /// As in [`FisherMethod::Exact`].
        limit: usize,
        /// As in [`FisherMethod::MonteCarlo`].
        resamples: usize,
        /// As in [`FisherMethod::MonteCarlo`].
        seed: u64,
    },
}

impl Default for FisherMethod {
    fn default() -> Self {
        Self::ExactOrMonteCarlo { limit: 2_000_000, resamples: 100_000, seed: 0 }
    }
}

impl FisherMethod {
    /// Refuses a Monte-Carlo method without resamples.
    pub(crate) fn check(self) -> Result<()> {
        match self {
            Self::Exact { .. } => Ok(()),
            Self::MonteCarlo { resamples, .. } | Self::ExactOrMonteCarlo { resamples, .. } => {
                require_some("number of resamples", resamples)
            }
        }
    }
}

/// Fisher's exact test of a 2 × 2 table (R's `fisher.test`). The estimate is the conditional maximum likelihood odds
/// ratio, not ad/bc; the interval inverts the conditional tails. Both are solved for with the tolerance of R's
/// `uniroot`, 1.2e-4.
///
/// # Errors
/// [`StatsError::Undefined`] when the table is not 2 × 2, [`StatsError::Parameter`] for the level.
///
/// ```
/// use alnm_stats::{Alternative, contingency::CountTable, fisher::two_by_two};
/// let tea = CountTable::from_rows(&[&[3, 1], &[1, 3]])?;
/// assert!((two_by_two(&tea, Alternative::TwoSided, 0.95)?.p_value - 34.0 / 70.0).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn two_by_two(table: &CountTable, alternative: Alternative, level: f64) -> Result<TestResult> {
    require_level(level)?;
    table.two_by_two("Fisher's exact test")?;
    let c = table.counts();
    let x = c[[0, 0]];
    let distribution =
        NoncentralHypergeometric::new(c[[0, 0]] + c[[1, 0]], c[[0, 1]] + c[[1, 1]], c[[0, 0]] + c[[0, 1]]);
    let p = match alternative {
        Alternative::Less => distribution.at_most(x, 1.0),
        Alternative::Greater => distribution.at_least(x, 1.0),
        Alternative::TwoSided => distribution.as_extreme_as(x),
    };
    let alpha = 1.0 - level;
    let (lower, upper) = match alternative {
        Alternative::TwoSided => (distribution.lower_bound(x, alpha / 2.0)?, distribution.upper_bound(x, alpha / 2.0)?),
        Alternative::Less => (0.0, distribution.upper_bound(x, alpha)?),
        Alternative::Greater => (distribution.lower_bound(x, alpha)?, f64::INFINITY),
    };
    let odds_ratio = distribution.odds_ratio(x)?;
    Ok(TestResult::new("Fisher's exact test", f64::NAN, &[], p.min(1.0))
        .with_estimate(&[odds_ratio])
        .with_interval(lower, upper, level))
}

/// Distribution of the first cell of a 2 × 2 table given its margins, as a function of the odds ratio.
struct NoncentralHypergeometric {
    low: u64,
    high: u64,
    log_density: Vec<f64>,
}

impl NoncentralHypergeometric {
    /// `m` and `n` are the totals of the columns, `k` that of the first row.
    fn new(m: u64, n: u64, k: u64) -> Self {
        let low = k.saturating_sub(n);
        let high = k.min(m);
        let choose = |n: u64, k: u64| ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
        let norm = choose(m + n, k);
        let log_density = (low..=high).map(|x| choose(m, x) + choose(n, k - x) - norm).collect();
        Self { low, high, log_density }
    }

    fn density(&self, odds_ratio: f64) -> Vec<f64> {
        let log_odds = odds_ratio.ln();
        let logs: Vec<f64> = self.log_density.iter().zip(self.low..).map(|(d, x)| d + log_odds * x as f64).collect();
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut density: Vec<f64> = logs.iter().map(|d| (d - largest).exp()).collect();
        let total: f64 = density.iter().sum();
        density.iter_mut().for_each(|d| *d /= total);
        density
    }

    fn mean(&self, odds_ratio: f64) -> f64 {
        if odds_ratio == 0.0 {
            return self.low as f64;
        }
        if odds_ratio.is_infinite() {
            return self.high as f64;
        }
        self.density(odds_ratio).iter().zip(self.low..).map(|(d, x)| d * x as f64).sum()
    }

    fn at_most(&self, x: u64, odds_ratio: f64) -> f64 {
        if odds_ratio == 0.0 {
            return f64::from(u8::from(x >= self.low));
        }
        self.density(odds_ratio)[..=(x - self.low) as usize].iter().sum()
    }

    fn at_least(&self, x: u64, odds_ratio: f64) -> f64 {
        if odds_ratio == 0.0 {
            return f64::from(u8::from(x <= self.low));
        }
        self.density(odds_ratio)[(x - self.low) as usize..].iter().sum()
    }

    fn as_extreme_as(&self, x: u64) -> f64 {
        let density = self.density(1.0);
        let bound = density[(x - self.low) as usize] * (1.0 + RELATIVE_FUZZ);
        density.iter().filter(|d| **d <= bound).sum()
    }

    fn odds_ratio(&self, x: u64) -> Result<f64> {
        if x == self.low {
            return Ok(0.0);
        }
        if x == self.high {
            return Ok(f64::INFINITY);
        }
        let target = x as f64;
        solve_odds(self.mean(1.0) - target, |odds| self.mean(odds) - target)
    }

    fn upper_bound(&self, x: u64, alpha: f64) -> Result<f64> {
        if x == self.high {
            return Ok(f64::INFINITY);
        }
        solve_odds(alpha - self.at_most(x, 1.0), |odds| self.at_most(x, odds) - alpha)
    }

    fn lower_bound(&self, x: u64, alpha: f64) -> Result<f64> {
        if x == self.low {
            return Ok(0.0);
        }
        solve_odds(self.at_least(x, 1.0) - alpha, |odds| self.at_least(x, odds) - alpha)
    }
}

/// Root in the odds ratio, below 1 when `excess_at_one` is positive, otherwise above 1 (searched as its reciprocal).
fn solve_odds(excess_at_one: f64, f: impl Fn(f64) -> f64) -> Result<f64> {
    let tolerance = f64::EPSILON.powf(0.25);
    if excess_at_one > 0.0 {
        Ok(brent(f, 0.0, 1.0, tolerance, 1000)?.location)
    } else if excess_at_one < 0.0 {
        Ok(1.0 / brent(|t| f(1.0 / t), f64::EPSILON, 1.0, tolerance, 1000)?.location)
    } else {
        Ok(1.0)
    }
}

/// Fisher-Freeman-Halton exact test of a table of any size: p is the probability of all tables with the observed
/// margins that are at most as probable as the observed one. Empty rows and columns are left out.
///
/// # Errors
/// [`StatsError::TooLarge`] when [`FisherMethod::Exact`] exceeds its limit, [`StatsError::Parameter`] without
/// resamples, [`StatsError::TooFew`] when fewer than two rows or columns hold a count.
///
/// ```
/// use alnm_stats::{contingency::CountTable, fisher::{FisherMethod, any_size}};
/// let subtype = CountTable::from_rows(&[&[3, 10, 94, 5], &[2, 7, 87, 4]])?;
/// assert!((any_size(&subtype, FisherMethod::default())?.p_value - 0.936).abs() < 5e-4);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn any_size(table: &CountTable, method: FisherMethod) -> Result<TestResult> {
    const OPERATION: &str = "Fisher's exact test";
    method.check()?;
    let rows: Vec<u64> = table.row_totals();
    let columns: Vec<u64> = table.column_totals();
    let used = |totals: &[u64]| totals.iter().filter(|t| **t > 0).count();
    require_count(OPERATION, "rows or columns with a count", 2, used(&rows).min(used(&columns)))?;
    let log_observed: f64 = table.counts().iter().map(|&c| -ln_factorial(c)).sum();
    let exact = |limit: usize| {
        let positive = |totals: &[u64]| totals.iter().copied().filter(|t| *t > 0).collect::<Vec<_>>();
        // The shorter side is the state of the network, the longer side its stages.
        let (state, stages) = if rows.len() <= columns.len() { (&rows, &columns) } else { (&columns, &rows) };
        network::p_value(&positive(state), &positive(stages), log_observed, limit)
    };
    let monte_carlo = |resamples: usize, seed: u64| random_tables_p(&rows, &columns, log_observed, resamples, seed);
    let (p, name) = match method {
        FisherMethod::Exact { limit } => (exact(limit)?, "Fisher-Freeman-Halton exact test"),
        FisherMethod::MonteCarlo { resamples, seed } => {
            (monte_carlo(resamples, seed), "Fisher-Freeman-Halton test by Monte Carlo")
        }
        FisherMethod::ExactOrMonteCarlo { limit, resamples, seed } => match exact(limit) {
            Err(StatsError::TooLarge { .. }) => {
                (monte_carlo(resamples, seed), "Fisher-Freeman-Halton test by Monte Carlo")
            }
            result => (result?, "Fisher-Freeman-Halton exact test"),
        },
    };
    Ok(TestResult::new(name, f64::NAN, &[], p.min(1.0)))
}

fn random_tables_p(rows: &[u64], columns: &[u64], log_observed: f64, resamples: usize, seed: u64) -> f64 {
    let row_of: Vec<usize> = rows.iter().enumerate().flat_map(|(i, &t)| std::iter::repeat_n(i, t as usize)).collect();
    let mut column_of: Vec<usize> =
        columns.iter().enumerate().flat_map(|(j, &t)| std::iter::repeat_n(j, t as usize)).collect();
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut cells = vec![0u64; rows.len() * columns.len()];
    let mut extreme = 1usize;
    for _ in 0..resamples {
        column_of.shuffle(&mut generator);
        cells.fill(0);
        for (&i, &j) in row_of.iter().zip(&column_of) {
            cells[i * columns.len() + j] += 1;
        }
        let log_probability: f64 = cells.iter().map(|&c| -ln_factorial(c)).sum();
        extreme += usize::from(log_probability <= log_observed + RELATIVE_FUZZ);
    }
    extreme as f64 / (resamples + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Σ over all tables by plain enumeration.
    fn enumerated_p(table: &CountTable) -> f64 {
        fn walk(columns: &[u64], rest: Vec<u64>, log: f64, bound: f64, sums: &mut (f64, f64)) {
            let Some((&column, later)) = columns.split_first() else {
                sums.0 += log.exp();
                if log <= bound {
                    sums.1 += log.exp();
                }
                return;
            };
            let mut fillings = Vec::new();
            for_each_filling(&rest, column, &mut |left, cells| fillings.push((left.to_vec(), cells)));
            for (left, cells) in fillings {
                walk(later, left, log + cells, bound, sums);
            }
        }
        let observed: f64 = table.counts().iter().map(|&c| -ln_factorial(c)).sum();
        let mut sums = (0.0, 0.0);
        walk(&table.column_totals(), table.row_totals(), 0.0, observed + 1e-7, &mut sums);
        sums.1 / sums.0
    }

    /// Calls `visit` with the margins left and ln Π 1/cell! for every way to take `amount` from `margins`.
    fn for_each_filling(margins: &[u64], amount: u64, visit: &mut impl FnMut(&[u64], f64)) {
        fn recurse(
            rest: &mut Vec<u64>,
            at: usize,
            amount: u64,
            room: u64,
            log_cells: f64,
            visit: &mut impl FnMut(&[u64], f64),
        ) {
            if at == rest.len() {
                visit(rest, log_cells);
                return;
            }
            let margin = rest[at];
            let room_after = room - margin;
            for cell in amount.saturating_sub(room_after)..=amount.min(margin) {
                rest[at] = margin - cell;
                recurse(rest, at + 1, amount - cell, room_after, log_cells - ln_factorial(cell), visit);
            }
            rest[at] = margin;
        }
        recurse(&mut margins.to_vec(), 0, amount, margins.iter().sum(), 0.0, visit);
    }

    #[test]
    fn network_equals_enumeration() {
        for rows in [
            &[&[3u64, 1, 0][..], &[1, 4, 2], &[0, 2, 5]][..],
            &[&[5, 0, 1, 2], &[1, 3, 3, 0]],
            &[&[1, 1], &[0, 4], &[6, 1]],
            // Equal rows and columns, a perfect association, an empty row, many stages.
            &[&[2, 2, 2], &[2, 2, 2], &[2, 2, 2]],
            &[&[4, 0, 0], &[0, 4, 0], &[0, 0, 4]],
            &[&[1, 0, 2, 1, 0], &[0, 0, 0, 0, 0], &[2, 1, 0, 0, 3], &[0, 2, 1, 1, 0]],
            &[&[1, 0, 2, 1, 3, 0, 1], &[2, 1, 0, 2, 0, 1, 0]],
        ] {
            let table = CountTable::from_rows(rows).expect("a valid table");
            let network = any_size(&table, FisherMethod::Exact { limit: 100_000 }).expect("a small table").p_value;
            approx::assert_relative_eq!(network, enumerated_p(&table), max_relative = 1e-10);
            let sampled =
                any_size(&table, FisherMethod::MonteCarlo { resamples: 20_000, seed: 1 }).expect("resamples").p_value;
            assert!((sampled - network).abs() < 0.02, "{sampled} against {network}");
        }
    }

    // R 4.2.2: fisher.test(x, workspace = 2e7). R takes probabilities that agree to 1e-7 as one.
    #[test]
    fn large_tables_equal_r() {
        let r = [
            (
                &[
                    &[3u64, 2, 6, 2, 1, 5][..],
                    &[3, 3, 2, 1, 4, 3],
                    &[3, 4, 5, 1, 5, 6],
                    &[6, 7, 4, 4, 2, 3],
                    &[2, 3, 4, 2, 3, 1],
                ][..],
                0.849892224714641,
            ),
            (&[&[57, 27, 1], &[11, 18, 0], &[21, 60, 5]], 1.98371149774192e-7),
            (&[&[7, 1, 0, 3], &[0, 1, 0, 3], &[0, 4, 0, 3], &[0, 1, 1, 4], &[0, 0, 0, 2]], 0.0116926009158106),
        ];
        for (rows, p) in r {
            let table = CountTable::from_rows(rows).expect("a valid table");
            let found = any_size(&table, FisherMethod::default()).expect("within the limit");
            assert_eq!(found.method, "Fisher-Freeman-Halton exact test");
            approx::assert_relative_eq!(found.p_value, p, max_relative = 1e-9);
        }
    }

    #[test]
    fn exact_work_is_limited() {
        let table =
            CountTable::from_rows(&[&[30, 20, 25, 14], &[22, 31, 18, 27], &[19, 25, 33, 24]]).expect("a valid table");
        assert!(matches!(any_size(&table, FisherMethod::Exact { limit: 10 }), Err(StatsError::TooLarge { .. })));
        assert!(any_size(&table, FisherMethod::ExactOrMonteCarlo { limit: 10, resamples: 2000, seed: 3 }).is_ok());
    }
}
