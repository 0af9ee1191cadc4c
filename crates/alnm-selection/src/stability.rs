//! Stability selection: how often the LASSO picks a feature on random halves of the data (Meinshausen and Bühlmann
//! 2010).

use alnm_stats::Labels;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::FeatureTable;
use crate::elastic_net::{ElasticNet, ElasticNetParams};
use crate::error::{Result, SelectionError};

/// How stability is measured; [`StabilityParams::check`] gives the [`StabilitySelection`] that can be run.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `halves` | 100 | number of random halves of the rows | 1 or more |
/// | `first` | 20 | number of features picked in each half: those that enter the path first | 1 or more |
/// | `threshold` | 0.8 | features picked in at least this share of the halves are stable | (0.5, 1] |
/// | `seed` | 0 | seed of the random halves | |
/// | `lasso` | glmnet's defaults | the path that is fitted to each half | see [`ElasticNetParams`] |
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
#[must_use]
pub struct StabilityParams {
    /// Number of random halves of the rows.
    pub halves: usize,
    /// Number of features picked in each half: those that enter the path first.
    pub first: usize,
    /// Share of the halves from which on a feature is stable.
    pub threshold: f64,
    /// Seed of the random halves.
    pub seed: u64,
    /// The path that is fitted to each half.
    pub lasso: ElasticNetParams,
}

impl Default for StabilityParams {
    fn default() -> Self {
        Self { halves: 100, first: 20, threshold: 0.8, seed: 0, lasso: ElasticNetParams::default() }
    }
}

impl StabilityParams {
    /// Sets the number of random halves.
    pub fn with_halves(mut self, halves: usize) -> Self {
        self.halves = halves;
        self
    }

    /// Sets the number of features picked in each half.
    pub fn with_first(mut self, first: usize) -> Self {
        self.first = first;
        self
    }

    /// Sets the share of the halves from which on a feature is stable.
    pub fn with_threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    /// Sets the seed of the random halves.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the path that is fitted to each half.
    pub fn with_lasso(mut self, lasso: ElasticNetParams) -> Self {
        self.lasso = lasso;
        self
    }

    /// The selection with these parameters.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] names the first parameter outside its range.
    pub fn check(self) -> Result<StabilitySelection> {
        if self.halves == 0 {
            return Err(SelectionError::parameter("number of random halves", 0_usize, "at least 1"));
        }
        if self.first == 0 {
            return Err(SelectionError::parameter("number of features picked in each half", 0_usize, "at least 1"));
        }
        if !(self.threshold > 0.5 && self.threshold <= 1.0) {
            let requirement = "above 0.5 and at most 1";
            return Err(SelectionError::parameter("threshold of stability", self.threshold, requirement));
        }
        Ok(StabilitySelection { net: self.lasso.clone().check()?, params: self })
    }
}

/// A stability selection with checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct StabilitySelection {
    params: StabilityParams,
    net: ElasticNet,
}

/// How often each feature was picked.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stability {
    /// How often each feature was picked, in the order of the columns.
    pub frequency: Vec<StableFeature>,
    /// Upper bound of the expected number of features that are stable by chance: q²/((2π − 1) p) with q features picked
    /// in each half, threshold π and p features.
    pub expected_false: f64,
}

/// How often one feature was picked.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct StableFeature {
    /// Name of the feature.
    pub feature: String,
    /// Share of the halves that picked it.
    pub frequency: f64,
    /// Whether it reaches the threshold.
    pub stable: bool,
}

/// Selects features on random halves: [`StabilityParams::check`] and [`StabilitySelection::select`].
///
/// # Errors
/// As both.
///
/// ```
/// use alnm_selection::stability::{StabilityParams, stability_selection};
/// use alnm_selection::{FeatureTable, Labels};
/// use ndarray::Array2;
/// let labels = Labels::new((0..60).map(|row| row % 2 == 0).collect());
/// let values = Array2::from_shape_fn((60, 4), |(row, column)| {
///     let noise = ((row * (3 * column + 5)) % 13) as f64;
///     if column == 0 && row % 2 == 0 { noise + 5.0 } else { noise }
/// });
/// let table = FeatureTable::new((0..4).map(|column| format!("x{column}")).collect(), values)?;
/// let found = stability_selection(&table, &labels, &StabilityParams::default().with_halves(20).with_first(1))?;
/// assert!(found.frequency[0].stable && !found.frequency[1].stable);
/// # Ok::<(), alnm_selection::SelectionError>(())
/// ```
pub fn stability_selection(table: &FeatureTable, labels: &Labels, params: &StabilityParams) -> Result<Stability> {
    params.clone().check()?.select(table, labels)
}

impl StabilitySelection {
    /// The parameters.
    pub fn params(&self) -> &StabilityParams {
        &self.params
    }

    /// Fits a path to each random half, which keeps the share of events, and counts how often each feature is among the
    /// first to enter.
    ///
    /// # Errors
    /// [`SelectionError::Shape`] when labels and rows differ in number, and as
    /// [`binomial_path`](crate::elastic_net::binomial_path) on a half.
    pub fn select(&self, table: &FeatureTable, labels: &Labels) -> Result<Stability> {
        table.require_rows(labels.len())?;
        let StabilityParams { halves, first, threshold, .. } = self.params;
        let picks = (0..halves)
            .into_par_iter()
            .map(|half| pick(table, labels, &self.params, &self.net, half))
            .collect::<Result<Vec<_>>>()?;
        let mut counts = vec![0usize; table.columns()];
        picks.iter().flatten().for_each(|&j| counts[j] += 1);
        let frequency = table
            .names()
            .iter()
            .zip(counts)
            .map(|(feature, count)| {
                let frequency = count as f64 / halves as f64;
                StableFeature { feature: feature.clone(), frequency, stable: frequency >= threshold }
            })
            .collect();
        let q = first as f64;
        Ok(Stability { frequency, expected_false: q * q / ((2.0 * threshold - 1.0) * table.columns() as f64) })
    }
}

/// The first features to enter the path of one half.
fn pick(
    table: &FeatureTable,
    labels: &Labels,
    params: &StabilityParams,
    net: &ElasticNet,
    half: usize,
) -> Result<Vec<usize>> {
    let mut generator = ChaCha8Rng::seed_from_u64(params.seed);
    generator.set_stream(half as u64);
    let mut rows = Vec::new();
    for class in [false, true] {
        let mut members: Vec<usize> = (0..labels.len()).filter(|&r| labels.as_slice()[r] == class).collect();
        members.shuffle(&mut generator);
        members.truncate(members.len().div_ceil(2));
        rows.extend(members);
    }
    rows.sort_unstable();
    let path = net.binomial_path(&table.select_rows(&rows), &labels.select(&rows))?;
    let mut entered: Vec<usize> = Vec::new();
    for coefficients in path.coefficients() {
        for &j in coefficients.columns() {
            if !entered.contains(&j) && entered.len() < params.first {
                entered.push(j);
            }
        }
    }
    Ok(entered)
}

impl Tabulate for Stability {
    const COLUMNS: &'static [&'static str] = &["feature", "frequency", "stable"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.frequency.iter().map(|f| cells![&f.feature, f.frequency, f.stable]).collect()
    }
}
