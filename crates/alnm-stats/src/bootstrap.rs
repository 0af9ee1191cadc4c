//! The bootstrap: stratified by outcome, percentile and BCa intervals.
//!
//! Resample `b` draws from its own stream of a ChaCha8 generator, so results do not depend on the number of threads.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;

use crate::describe::{QuantileType, mean, quantile_of_sorted, sorted, standard_deviation};
use crate::distribution::{normal_cdf, normal_quantile};
use crate::error::{
    Result, StatsError, require_count, require_finite, require_level, require_same_length, require_some,
};
use crate::rank::{ascending_order, ties};
use crate::roc::Direction;
use crate::{Interval, Labels};

/// How often and from which seed to resample.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `resamples` | 2000 | Number of resamples. | at least 1, checked by the function that resamples |
/// | `seed` | 0 | Seed of the generator. | |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Resampling {
    /// Number of resamples.
    pub resamples: usize,
    /// Seed of the generator.
    pub seed: u64,
}

impl Resampling {
    /// This number of resamples from this seed.
    #[must_use]
    pub const fn new(resamples: usize, seed: u64) -> Self {
        Self { resamples, seed }
    }
}

impl Default for Resampling {
    fn default() -> Self {
        Self { resamples: 2000, seed: 0 }
    }
}

/// Bootstrap distribution of a statistic.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Bootstrap {
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    estimate: f64,
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite::list"))]
    replicates: Vec<f64>,
    undefined: usize,
}

impl Bootstrap {
    fn new(estimate: f64, drawn: Vec<f64>) -> Result<Self> {
        let total = drawn.len();
        let replicates = sorted(&crate::missing::observed(&drawn));
        if replicates.is_empty() {
            return Err(StatsError::NoValidResample { operation: "bootstrap", resamples: total });
        }
        Ok(Self { estimate, undefined: total - replicates.len(), replicates })
    }

    /// The statistic of the data.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        self.estimate
    }

    /// The statistic of each resample, ascending. Resamples on which it was undefined (NaN) are left out.
    #[must_use]
    pub fn replicates(&self) -> &[f64] {
        &self.replicates
    }

    /// Number of resamples on which the statistic was undefined.
    #[must_use]
    pub fn undefined(&self) -> usize {
        self.undefined
    }

    /// Percentile interval (type 7 quantiles of the replicates).
    ///
    /// # Errors
    /// [`StatsError::Parameter`] for the level.
    pub fn percentile(&self, level: f64) -> Result<Interval> {
        require_level(level)?;
        let at = |p| quantile_of_sorted(&self.replicates, p, QuantileType::Type7);
        Ok(Interval { lower: at((1.0 - level) / 2.0), upper: at((1.0 + level) / 2.0), level })
    }

    /// Bias-corrected and accelerated interval (Efron 1987). `jackknife` holds the statistic without each observation
    /// in turn.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] for the level, [`StatsError::TooFew`] below three jackknife values,
    /// [`StatsError::Undefined`] when the estimate lies outside all replicates.
    ///
    /// ```
    /// use alnm_stats::bootstrap::{Resampling, simple};
    /// use alnm_stats::describe::mean;
    /// let ages = [47.0, 52.0, 43.0, 61.0, 55.0, 58.0];
    /// let of_rows = |rows: &[usize]| mean(&rows.iter().map(|&row| ages[row]).collect::<Vec<_>>());
    /// let without = |left_out: usize| of_rows(&(0..6).filter(|&row| row != left_out).collect::<Vec<_>>());
    /// let jackknife: Vec<f64> = (0..6).map(without).collect();
    /// let interval = simple(6, Resampling::new(500, 1), of_rows)?.bias_corrected_accelerated(&jackknife, 0.95)?;
    /// assert!(interval.contains(mean(&ages)));
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn bias_corrected_accelerated(&self, jackknife: &[f64], level: f64) -> Result<Interval> {
        const OPERATION: &str = "BCa interval";
        require_level(level)?;
        require_count(OPERATION, "jackknife values", 3, jackknife.len())?;
        require_finite(OPERATION, jackknife)?;
        let below = self.replicates.partition_point(|v| *v < self.estimate) as f64;
        let through = self.replicates.partition_point(|v| *v <= self.estimate) as f64;
        let bias = normal_quantile((below + through) / 2.0 / self.replicates.len() as f64);
        if !bias.is_finite() {
            return Err(StatsError::Undefined {
                operation: OPERATION,
                requirement: "the estimate must lie within the range of the replicates",
            });
        }
        let center = mean(jackknife);
        let cubes: f64 = jackknife.iter().map(|v| (center - v).powi(3)).sum();
        let squares: f64 = jackknife.iter().map(|v| (center - v).powi(2)).sum();
        let acceleration = if squares == 0.0 { 0.0 } else { cubes / (6.0 * squares.powf(1.5)) };
        let adjusted = |p: f64| {
            let shifted = bias + normal_quantile(p);
            normal_cdf(bias + shifted / (1.0 - acceleration * shifted))
        };
        let at = |p: f64| quantile_of_sorted(&self.replicates, adjusted(p), QuantileType::Type7);
        Ok(Interval { lower: at((1.0 - level) / 2.0), upper: at((1.0 + level) / 2.0), level })
    }

    /// Standard deviation of the replicates.
    #[must_use]
    pub fn standard_error(&self) -> f64 {
        standard_deviation(&self.replicates)
    }
}

/// Generator of resample `index`.
pub(crate) fn stream(seed: u64, index: usize) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(index as u64);
    generator
}

/// Uniform index below `n` from 32 random bits; the bias, n/2³², is far below resampling noise.
fn draw(generator: &mut impl Rng, n: usize) -> usize {
    ((u64::from(generator.next_u32()) * n as u64) >> 32) as usize
}

/// Rows of one resample of `n` rows, drawn with replacement.
///
/// ```
/// use alnm_stats::bootstrap::resample_rows;
/// assert_eq!(resample_rows(5, 1, 0).len(), 5);
/// assert_eq!(resample_rows(5, 1, 3), resample_rows(5, 1, 3));
/// ```
#[must_use]
pub fn resample_rows(n: usize, seed: u64, index: usize) -> Vec<usize> {
    let mut generator = stream(seed, index);
    (0..n).map(|_| draw(&mut generator, n)).collect()
}

/// Rows of one resample that keeps the number of events and non-events.
///
/// ```
/// use alnm_stats::Labels;
/// use alnm_stats::bootstrap::resample_stratified;
/// let labels = Labels::new(vec![true, false, false, true, false]);
/// let rows = resample_stratified(&labels, 1, 0);
/// assert_eq!(labels.select(&rows).positives(), 2);
/// ```
#[must_use]
pub fn resample_stratified(labels: &Labels, seed: u64, index: usize) -> Vec<usize> {
    let mut generator = stream(seed, index);
    let of_class = |class: bool| (0..labels.len()).filter(|&i| labels.as_slice()[i] == class).collect::<Vec<_>>();
    [of_class(false), of_class(true)]
        .iter()
        .flat_map(|rows| rows.iter().map(|_| rows[draw(&mut generator, rows.len())]).collect::<Vec<_>>())
        .collect()
}

/// Bootstrap of any statistic of rows, resampled within the outcome classes. The statistic returns NaN where it is
/// undefined.
///
/// # Errors
/// [`StatsError::TooFew`] without rows, [`StatsError::Parameter`] without resamples, [`StatsError::NoValidResample`].
///
/// ```
/// use alnm_stats::Labels;
/// use alnm_stats::bootstrap::{Resampling, stratified};
/// let labels = Labels::new(vec![true, false, false, true, false]);
/// let share = |rows: &[usize]| labels.select(rows).prevalence();
/// // Stratification keeps the share of events, so that it has no spread.
/// assert!(stratified(&labels, Resampling::new(100, 1), share)?.standard_error() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn stratified(
    labels: &Labels,
    resampling: Resampling,
    statistic: impl Fn(&[usize]) -> f64 + Sync,
) -> Result<Bootstrap> {
    check(labels.len(), resampling)?;
    let all: Vec<usize> = (0..labels.len()).collect();
    let drawn = (0..resampling.resamples)
        .into_par_iter()
        .map(|b| statistic(&resample_stratified(labels, resampling.seed, b)))
        .collect();
    Bootstrap::new(statistic(&all), drawn)
}

/// Bootstrap of any statistic of `n` rows.
///
/// # Errors
/// As [`stratified`].
///
/// ```
/// use alnm_stats::bootstrap::{Resampling, simple};
/// use alnm_stats::describe::mean;
/// let ages = [47.0, 52.0, 43.0, 61.0, 55.0, 58.0];
/// let of_rows = |rows: &[usize]| mean(&rows.iter().map(|&row| ages[row]).collect::<Vec<_>>());
/// let bootstrap = simple(ages.len(), Resampling::new(500, 1), of_rows)?;
/// assert!(bootstrap.percentile(0.95)?.contains(bootstrap.estimate()));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn simple(n: usize, resampling: Resampling, statistic: impl Fn(&[usize]) -> f64 + Sync) -> Result<Bootstrap> {
    check(n, resampling)?;
    let all: Vec<usize> = (0..n).collect();
    let drawn =
        (0..resampling.resamples).into_par_iter().map(|b| statistic(&resample_rows(n, resampling.seed, b))).collect();
    Bootstrap::new(statistic(&all), drawn)
}

fn check(n: usize, resampling: Resampling) -> Result<()> {
    require_count("bootstrap", "observations", 1, n)?;
    require_some("number of resamples", resampling.resamples)
}

/// Stratified bootstrap of the area under the ROC curve. Scores are ranked once; a resample is then a count of ranks.
///
/// # Errors
/// [`StatsError::OneClass`], [`StatsError::LengthMismatch`], [`StatsError::NonFinite`], [`StatsError::Parameter`]
/// without resamples.
///
/// ```
/// use alnm_stats::Labels;
/// use alnm_stats::bootstrap::{self, Resampling};
/// use alnm_stats::roc::Direction;
/// let labels = Labels::new(vec![false, false, true, false, true]);
/// let scores = [0.1, 0.4, 0.35, 0.2, 0.8];
/// let bootstrap = bootstrap::auc(&labels, &scores, Direction::HigherIsPositive, Resampling::new(200, 1))?;
/// assert!((bootstrap.estimate() - 5.0 / 6.0).abs() < 1e-15);
/// assert!(bootstrap.percentile(0.95)?.contains(bootstrap.estimate()));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn auc(labels: &Labels, scores: &[f64], direction: Direction, resampling: Resampling) -> Result<Bootstrap> {
    const OPERATION: &str = "bootstrap of the AUC";
    require_same_length(OPERATION, labels.len(), scores.len())?;
    require_finite(OPERATION, scores)?;
    labels.require_both(OPERATION)?;
    check(labels.len(), resampling)?;
    let oriented: Vec<f64> = scores.iter().map(|s| s * direction.sign()).collect();
    let order = ascending_order(&oriented);
    let mut classes: [Vec<u32>; 2] = [Vec::new(), Vec::new()];
    let mut levels = 0u32;
    for run in ties(&oriented, &order) {
        for &i in &order[run] {
            classes[usize::from(labels.as_slice()[i])].push(levels);
        }
        levels += 1;
    }
    let [controls, cases] = &classes;
    let pairs = controls.len() as f64 * cases.len() as f64;
    let area = |control_counts: &[u32], case_counts: &[u32]| {
        let (mut below, mut doubled) = (0u64, 0u64);
        for (&c, &e) in control_counts.iter().zip(case_counts) {
            doubled += u64::from(e) * (2 * below + u64::from(c));
            below += u64::from(c);
        }
        doubled as f64 / 2.0 / pairs
    };
    let count = |members: &[u32], counts: &mut [u32]| members.iter().for_each(|&m| counts[m as usize] += 1);
    let mut counts = [vec![0; levels as usize], vec![0; levels as usize]];
    count(controls, &mut counts[0]);
    count(cases, &mut counts[1]);
    let estimate = area(&counts[0], &counts[1]);
    let drawn = (0..resampling.resamples)
        .into_par_iter()
        .with_min_len(64)
        .map_init(
            || [vec![0u32; levels as usize], vec![0u32; levels as usize]],
            |counts, b| {
                let mut generator = stream(resampling.seed, b);
                for (class, counts) in [controls, cases].into_iter().zip(counts.iter_mut()) {
                    counts.fill(0);
                    for _ in 0..class.len() {
                        counts[class[draw(&mut generator, class.len())] as usize] += 1;
                    }
                }
                area(&counts[0], &counts[1])
            },
        )
        .collect();
    Bootstrap::new(estimate, drawn)
}
