//! Fisher's exact test of 2 × 2 and of larger tables.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
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
    /// Exact, by a network over the columns, as long as no stage of it holds more than `limit` entries.
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
    let network = || {
        // The shorter side is the state of the network, the longer side its stages.
        let (mut state, mut stages) =
            if rows.len() <= columns.len() { (rows.clone(), columns.clone()) } else { (columns.clone(), rows.clone()) };
        state.retain(|t| *t > 0);
        stages.retain(|t| *t > 0);
        // Long stages first leave fewer ways for the rest.
        stages.sort_unstable_by(|a, b| b.cmp(a));
        (state, stages)
    };
    let exact = |limit: usize| {
        let (state, stages) = network();
        Network::new(stages).p_value(state, log_observed, limit)
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

/// Network algorithm in the spirit of Mehta and Patel (1983). A node is the sorted vector of margins still to be filled
/// before a stage; an arc fills one stage. Subnetworks whose every path is extreme, or none is, are settled at once
/// from the largest and smallest probability that any completion of the node can have.
struct Network {
    stages: Vec<u64>,
    extremes: Vec<BTreeMap<Vec<u64>, Extremes>>,
}

/// Logarithms of Σ, max and min over the completions of a node of Π 1/cell!.
#[derive(Clone, Copy)]
struct Extremes {
    total: f64,
    largest: f64,
    smallest: f64,
}

impl Network {
    fn new(stages: Vec<u64>) -> Self {
        let extremes = vec![BTreeMap::new(); stages.len()];
        Self { stages, extremes }
    }

    fn p_value(&mut self, mut margins: Vec<u64>, log_observed: f64, limit: usize) -> Result<f64> {
        margins.sort_unstable();
        let bound = log_observed + RELATIVE_FUZZ.ln_1p();
        let whole = self.completion_sum(&margins, 0);
        let mut extreme = 0.0;
        // Past probabilities of a node that agree to ten digits are one entry.
        let mut frontier: BTreeMap<Vec<u64>, BTreeMap<i64, (f64, f64)>> = BTreeMap::new();
        frontier.entry(margins).or_default().insert(0, (0.0, 1.0));
        for stage in 0..self.stages.len() {
            let mut next: BTreeMap<Vec<u64>, BTreeMap<i64, (f64, f64)>> = BTreeMap::new();
            let mut entries = 0;
            for (node, pasts) in frontier {
                let ends = self.extremes_of(&node, stage);
                let mut open: Vec<(f64, f64)> = Vec::new();
                for &(past, weight) in pasts.values() {
                    if past + ends.largest <= bound {
                        extreme += weight * (past + ends.total - whole).exp();
                    } else if past + ends.smallest <= bound {
                        open.push((past, weight));
                    }
                }
                if open.is_empty() {
                    continue;
                }
                for_each_filling(&node, self.stages[stage], &mut |rest, log_cells| {
                    let mut key = rest.to_vec();
                    key.sort_unstable();
                    let target = next.entry(key).or_default();
                    for &(past, weight) in &open {
                        let value = past + log_cells;
                        let slot = target.entry((value * 1e10).round() as i64).or_insert_with(|| {
                            entries += 1;
                            (value, 0.0)
                        });
                        slot.1 += weight;
                    }
                });
                if entries > limit {
                    return Err(StatsError::TooLarge {
                        operation: "Fisher's exact test",
                        limit,
                        unit: "network entries",
                    });
                }
            }
            frontier = next;
        }
        for pasts in frontier.values() {
            for &(past, weight) in pasts.values() {
                if past <= bound {
                    extreme += weight * (past - whole).exp();
                }
            }
        }
        Ok(extreme)
    }

    /// ln Σ Π 1/cell! over all completions: (Σ margins)! / (Π margins! Π stages!).
    fn completion_sum(&self, margins: &[u64], stage: usize) -> f64 {
        let total: u64 = margins.iter().sum();
        ln_factorial(total)
            - margins.iter().map(|&m| ln_factorial(m)).sum::<f64>()
            - self.stages[stage..].iter().map(|&s| ln_factorial(s)).sum::<f64>()
    }

    fn extremes_of(&mut self, margins: &[u64], stage: usize) -> Extremes {
        if stage + 1 == self.stages.len() {
            let only: f64 = margins.iter().map(|&m| -ln_factorial(m)).sum();
            return Extremes { total: only, largest: only, smallest: only };
        }
        if let Some(&known) = self.extremes[stage].get(margins) {
            return known;
        }
        let mut fillings: BTreeMap<Vec<u64>, (f64, f64)> = BTreeMap::new();
        for_each_filling(margins, self.stages[stage], &mut |rest, log_cells| {
            let mut key = rest.to_vec();
            key.sort_unstable();
            let range = fillings.entry(key).or_insert((log_cells, log_cells));
            *range = (range.0.max(log_cells), range.1.min(log_cells));
        });
        let mut found = Extremes {
            total: self.completion_sum(margins, stage),
            largest: f64::NEG_INFINITY,
            smallest: f64::INFINITY,
        };
        for (rest, (high, low)) in fillings {
            let below = self.extremes_of(&rest, stage + 1);
            found.largest = found.largest.max(high + below.largest);
            found.smallest = found.smallest.min(low + below.smallest);
        }
        self.extremes[stage].insert(margins.to_vec(), found);
        found
    }
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

    #[test]
    fn network_equals_enumeration() {
        for rows in [
            &[&[3u64, 1, 0][..], &[1, 4, 2], &[0, 2, 5]][..],
            &[&[5, 0, 1, 2], &[1, 3, 3, 0]],
            &[&[1, 1], &[0, 4], &[6, 1]],
        ] {
            let table = CountTable::from_rows(rows).expect("a valid table");
            let network = any_size(&table, FisherMethod::Exact { limit: 100_000 }).expect("a small table").p_value;
            approx::assert_relative_eq!(network, enumerated_p(&table), max_relative = 1e-10);
            let sampled =
                any_size(&table, FisherMethod::MonteCarlo { resamples: 20_000, seed: 1 }).expect("resamples").p_value;
            assert!((sampled - network).abs() < 0.02, "{sampled} against {network}");
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
