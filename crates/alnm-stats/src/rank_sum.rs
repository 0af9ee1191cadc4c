//! The Wilcoxon-Mann-Whitney rank sum test.

use crate::describe::{median, sorted};
use crate::distribution::{normal_cdf, normal_quantile, normal_two_sided, normal_upper_tail};
use crate::error::{Result, StatsError, require_count, require_finite, require_level};
use crate::rank::{midranks, tie_term};
use crate::root::brent;
use crate::{Alternative, Interval, TestResult};

/// How the p-value of a rank test is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum RankMethod {
    /// R's rule: exact when both groups have fewer than 50 values and no value is tied, otherwise
    /// [`RankMethod::NormalCorrected`].
    #[default]
    Automatic,
    /// Exact distribution of the rank sum; with ties, the conditional permutation distribution of the midranks.
    Exact,
    /// Normal approximation with the tie correction of the variance and the continuity correction.
    NormalCorrected,
    /// Normal approximation with the tie correction only.
    Normal,
}

/// Mann-Whitney U test of `x` against `y` (R's `wilcox.test`). The statistic is W, the number of pairs with x > y, ties
/// counting one half.
///
/// # Errors
/// [`StatsError::TooFew`] for an empty group, [`StatsError::NonFinite`] for a missing value, [`StatsError::TooLarge`]
/// when the exact distribution is asked for and the groups are too large for it.
///
/// ```
/// use alnm_stats::{Alternative, rank_sum::{RankMethod, mann_whitney}};
/// let test = mann_whitney(&[1.1, 2.2, 3.3], &[2.5, 4.0, 5.0, 6.1], RankMethod::Automatic, Alternative::TwoSided)?;
/// assert_eq!(test.statistic, 1.0);
/// assert!((test.p_value - 4.0 / 35.0).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn mann_whitney(x: &[f64], y: &[f64], method: RankMethod, alternative: Alternative) -> Result<TestResult> {
    const OPERATION: &str = "Mann-Whitney test";
    require_finite(OPERATION, x)?;
    require_finite(OPERATION, y)?;
    require_count(OPERATION, "observations per group", 1, x.len().min(y.len()))?;
    let pooled = [x, y].concat();
    let ranks = midranks(&pooled);
    let (m, n) = (x.len() as f64, y.len() as f64);
    let w = ranks[..x.len()].iter().sum::<f64>() - m * (m + 1.0) / 2.0;
    let ties = tie_term(&pooled);
    let method = match method {
        RankMethod::Automatic if x.len() < 50 && y.len() < 50 && ties == 0.0 => RankMethod::Exact,
        RankMethod::Automatic => RankMethod::NormalCorrected,
        chosen => chosen,
    };
    match method {
        RankMethod::Exact => {
            let p = if ties == 0.0 {
                let counts = untied_counts(x.len(), y.len())?;
                exact_p(&counts, w as usize, alternative)
            } else {
                tied_exact_p(&ranks, x.len(), alternative)?
            };
            Ok(TestResult::new("Wilcoxon rank sum exact test", w, &[], p))
        }
        _ => {
            let corrected = method == RankMethod::NormalCorrected;
            let z = standardised(w, m, n, ties, if corrected { Some(alternative) } else { None });
            let p = match alternative {
                Alternative::TwoSided => normal_two_sided(z),
                Alternative::Less => normal_cdf(z),
                Alternative::Greater => normal_upper_tail(z),
            };
            let name =
                if corrected { "Wilcoxon rank sum test with continuity correction" } else { "Wilcoxon rank sum test" };
            Ok(TestResult::new(name, w, &[], p))
        }
    }
}

/// Standardised rank sum (W − mn/2) / σ without continuity correction, the "Z" that many tables print.
///
/// # Errors
/// As [`mann_whitney`].
///
/// ```
/// let z = alnm_stats::rank_sum::standardised_rank_sum(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0])?;
/// assert!((z + 4.5 / 5.25_f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn standardised_rank_sum(x: &[f64], y: &[f64]) -> Result<f64> {
    let w = mann_whitney(x, y, RankMethod::Normal, Alternative::TwoSided)?.statistic;
    Ok(standardised(w, x.len() as f64, y.len() as f64, tie_term(&[x, y].concat()), None))
}

fn standardised(w: f64, m: f64, n: f64, ties: f64, correction: Option<Alternative>) -> f64 {
    let distance = w - m * n / 2.0;
    let shift = match correction {
        Some(Alternative::TwoSided) => {
            if distance == 0.0 {
                0.0
            } else {
                0.5 * distance.signum()
            }
        }
        Some(Alternative::Greater) => 0.5,
        Some(Alternative::Less) => -0.5,
        None => 0.0,
    };
    (distance - shift) / null_standard_deviation(m, n, ties)
}

fn null_standard_deviation(m: f64, n: f64, ties: f64) -> f64 {
    ((m * n / 12.0) * ((m + n + 1.0) - ties / ((m + n) * (m + n - 1.0)))).sqrt()
}

/// Number of arrangements that give each value of W, from 0 to ⌊mn/2⌋, without ties: the coefficients of the Gaussian
/// binomial.
fn untied_counts(m: usize, n: usize) -> Result<Counts> {
    // Beyond this C(m + n, m) leaves the range of 128-bit integers.
    const LARGEST: usize = 120;
    if m + n > LARGEST {
        return Err(StatsError::TooLarge { operation: "exact Mann-Whitney test", limit: LARGEST, unit: "values" });
    }
    let half = m * n / 2;
    let mut counts = vec![0i128; half + 1];
    counts[0] = 1;
    let (small, large) = (m.min(n), m.max(n));
    for i in 1..=small {
        // Multiply by (1 − q^(large + i)), then divide by (1 − q^i).
        for s in (large + i..=half).rev() {
            counts[s] -= counts[s - large - i];
        }
        for s in i..=half {
            counts[s] += counts[s - i];
        }
    }
    let total = (1..=small).fold(1.0, |t, i| t * (large + i) as f64 / i as f64);
    Ok(Counts { cumulative: cumulative(counts.into_iter().map(|c| c as f64)), largest: m * n, total })
}

fn cumulative(counts: impl Iterator<Item = f64>) -> Vec<f64> {
    counts
        .scan(0.0, |sum, c| {
            *sum += c;
            Some(*sum)
        })
        .collect()
}

/// Lower half of a symmetric distribution of counts on 0..=largest.
struct Counts {
    cumulative: Vec<f64>,
    largest: usize,
    total: f64,
}

impl Counts {
    fn at_most(&self, w: usize) -> f64 {
        if w < self.cumulative.len() { self.cumulative[w] / self.total } else { 1.0 - self.at_least(w + 1) }
    }

    fn at_least(&self, w: usize) -> f64 {
        if w == 0 {
            1.0
        } else if w > self.largest {
            0.0
        } else {
            let mirrored = self.largest - w;
            if mirrored < self.cumulative.len() {
                self.cumulative[mirrored] / self.total
            } else {
                1.0 - self.at_most(w - 1)
            }
        }
    }

    /// Smallest w with P(W ≤ w) ≥ p.
    fn quantile(&self, p: f64) -> usize {
        (0..=self.largest).find(|&w| self.at_most(w) >= p * (1.0 - 64.0 * f64::EPSILON)).unwrap_or(self.largest)
    }
}

fn exact_p(counts: &Counts, w: usize, alternative: Alternative) -> f64 {
    match alternative {
        Alternative::Less => counts.at_most(w),
        Alternative::Greater => counts.at_least(w),
        Alternative::TwoSided => (2.0 * counts.at_most(w).min(counts.at_least(w))).min(1.0),
    }
}

/// Exact conditional distribution of the sum of `m` midranks (Streitberg and Röhmel's shift algorithm on doubled
/// ranks).
fn tied_exact_p(ranks: &[f64], m: usize, alternative: Alternative) -> Result<f64> {
    const LARGEST: usize = 400;
    if ranks.len() > LARGEST {
        return Err(StatsError::TooLarge {
            operation: "exact Mann-Whitney test with ties",
            limit: LARGEST,
            unit: "values",
        });
    }
    let doubled: Vec<usize> = ranks.iter().map(|r| (2.0 * r) as usize).collect();
    let observed: usize = doubled[..m].iter().sum();
    let total: usize = doubled.iter().sum();
    let width = total + 1;
    let mut ways = vec![0.0f64; (m + 1) * width];
    ways[0] = 1.0;
    let mut reachable = 0;
    for (seen, &r) in doubled.iter().enumerate() {
        reachable += r;
        for chosen in (1..=m.min(seen + 1)).rev() {
            for sum in (r..=reachable).rev() {
                ways[chosen * width + sum] += ways[(chosen - 1) * width + sum - r];
            }
        }
    }
    let row = &ways[m * width..];
    let all: f64 = row.iter().sum();
    let lower = row[..=observed].iter().sum::<f64>() / all;
    let upper = row[observed..].iter().sum::<f64>() / all;
    Ok(match alternative {
        Alternative::Less => lower,
        Alternative::Greater => upper,
        Alternative::TwoSided => {
            // Every sum at least as far from its expectation as the observed one; distances are compared in integers.
            let n = ranks.len();
            let distance = |s: usize| (s * n).abs_diff(m * total);
            let extreme = distance(observed);
            row.iter().enumerate().filter(|&(s, _)| distance(s) >= extreme).map(|(_, c)| c).sum::<f64>() / all
        }
    })
}

/// Shift of location between two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LocationShift {
    /// Hodges and Lehmann's estimate: the median of all differences x − y (exact), or the root of the standardised rank
    /// sum.
    pub estimate: f64,
    /// Its confidence interval.
    pub interval: Interval,
}

/// Hodges-Lehmann estimate of the shift x − y and its two-sided interval, exact or by the corrected normal
/// approximation under R's rule ([`RankMethod::Automatic`]).
///
/// # Errors
/// As [`mann_whitney`]; [`StatsError::Undefined`] when all values are equal.
///
/// ```
/// let shift = alnm_stats::rank_sum::location_shift(&[5.0, 6.0, 7.0], &[1.0, 2.0, 3.5], 0.95)?;
/// assert_eq!(shift.estimate, 4.0);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn location_shift(x: &[f64], y: &[f64], level: f64) -> Result<LocationShift> {
    const OPERATION: &str = "Hodges-Lehmann interval";
    require_finite(OPERATION, x)?;
    require_finite(OPERATION, y)?;
    require_count(OPERATION, "observations per group", 1, x.len().min(y.len()))?;
    require_level(level)?;
    let alpha = 1.0 - level;
    let ties = tie_term(&[x, y].concat());
    if x.len() < 50 && y.len() < 50 && ties == 0.0 {
        let differences = sorted(&x.iter().flat_map(|a| y.iter().map(move |b| a - b)).collect::<Vec<_>>());
        let counts = untied_counts(x.len(), y.len())?;
        let q = counts.quantile(alpha / 2.0).max(1);
        let interval = Interval { lower: differences[q - 1], upper: differences[x.len() * y.len() - q], level };
        return Ok(LocationShift { estimate: median(&differences), interval });
    }
    let extent = |v: &[f64]| {
        let s = sorted(v);
        (s[0], s[s.len() - 1])
    };
    let ((x_low, x_high), (y_low, y_high)) = (extent(x), extent(y));
    let (low, high) = (x_low - y_high, x_high - y_low);
    if low == high {
        return Err(StatsError::Undefined { operation: OPERATION, requirement: "the values must not all be equal" });
    }
    let solve = |target: f64, corrected: bool| {
        let standardised_at = |d: f64| {
            let shifted: Vec<f64> = x.iter().map(|v| v - d).chain(y.iter().copied()).collect();
            let (m, n) = (x.len() as f64, y.len() as f64);
            let w = midranks(&shifted)[..x.len()].iter().sum::<f64>() - m * (m + 1.0) / 2.0;
            let correction = if corrected && target != 0.0 { 0.5 * target.signum() } else { 0.0 };
            (w - m * n / 2.0 - correction) / null_standard_deviation(m, n, tie_term(&shifted)) - target
        };
        let at_low = standardised_at(low);
        let at_high = standardised_at(high);
        if at_low.is_nan() || at_high.is_nan() {
            return Err(StatsError::Undefined {
                operation: OPERATION,
                requirement: "shifting one group onto the other must not leave all values tied",
            });
        }
        if at_low <= 0.0 {
            return Ok(low);
        }
        if at_high >= 0.0 {
            return Ok(high);
        }
        brent(standardised_at, low, high, 1e-12, 1000).map(|r| r.location)
    };
    let z = normal_quantile(1.0 - alpha / 2.0);
    let interval = Interval { lower: solve(z, true)?, upper: solve(-z, true)?, level };
    Ok(LocationShift { estimate: solve(0.0, false)?, interval })
}

/// Probability that a random y exceeds a random x, ties counting one half, and what follows from it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Superiority {
    /// Number of pairs with x > y, ties counting one half.
    pub pairs_x_over_y: f64,
    /// Number of pairs with y > x, ties counting one half.
    pub pairs_y_over_x: f64,
    /// P(y > x) + P(y = x)/2, the area under the ROC curve of the variable with y as cases.
    pub probability_y_over_x: f64,
    /// Cliff's delta, P(y > x) − P(x > y).
    pub cliffs_delta: f64,
}

/// Probability of superiority of `y` over `x`.
///
/// # Errors
/// As [`mann_whitney`].
///
/// ```
/// let result = alnm_stats::rank_sum::superiority(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0])?;
/// assert_eq!((result.probability_y_over_x, result.cliffs_delta), (1.0, 1.0));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn superiority(x: &[f64], y: &[f64]) -> Result<Superiority> {
    let w = mann_whitney(x, y, RankMethod::Normal, Alternative::TwoSided)?.statistic;
    let pairs = (x.len() * y.len()) as f64;
    Ok(Superiority {
        pairs_x_over_y: w,
        pairs_y_over_x: pairs - w,
        probability_y_over_x: 1.0 - w / pairs,
        cliffs_delta: 1.0 - 2.0 * w / pairs,
    })
}
