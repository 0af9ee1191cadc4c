//! Stability selection: how often the LASSO picks a feature on random halves of the data (Meinshausen and Bühlmann
//! 2010).

use alnm_stats::Labels;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::FeatureTable;
use crate::elastic_net::{ElasticNetParams, binomial_path};
use crate::error::{Result, SelectionError};

/// Parameters of the selection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StabilityParams {
    /// Number of random halves; default 100.
    pub halves: usize,
    /// Features considered in each half: the first this many to enter the path; default 20. Bounds the expected false
    /// selections.
    pub first: usize,
    /// Features picked in at least this share of the halves are stable, in (0.5, 1]; default 0.8.
    pub threshold: f64,
    /// Seed of the halves.
    pub seed: u64,
    /// The LASSO.
    pub lasso: ElasticNetParams,
}

impl Default for StabilityParams {
    fn default() -> Self {
        Self { halves: 100, first: 20, threshold: 0.8, seed: 0, lasso: ElasticNetParams::default() }
    }
}

/// How often each feature was picked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stability {
    /// Share of halves that picked each feature, in the order of the columns.
    pub frequency: Vec<StableFeature>,
    /// Bound on the expected number of falsely stable features, q²/((2π − 1) p).
    pub expected_false: f64,
}

/// Frequency of a feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StableFeature {
    /// Name of the feature.
    pub feature: String,
    /// Share of the halves that picked it.
    pub frequency: f64,
    /// Whether it reaches the threshold.
    pub stable: bool,
}

/// Selects on random halves that keep the share of events.
///
/// # Errors
/// [`SelectionError::Parameter`], and as [`binomial_path`] on a half.
pub fn stability_selection(table: &FeatureTable, labels: &Labels, params: &StabilityParams) -> Result<Stability> {
    if params.halves == 0 || params.first == 0 {
        return Err(SelectionError::Parameter { name: "halves and first features", range: "1 or more", value: 0.0 });
    }
    if !(params.threshold > 0.5 && params.threshold <= 1.0) {
        return Err(SelectionError::Parameter {
            name: "stability threshold",
            range: "(0.5, 1]",
            value: params.threshold,
        });
    }
    table.require_rows(labels.len())?;
    let picks =
        (0..params.halves).into_par_iter().map(|h| pick(table, labels, params, h)).collect::<Result<Vec<_>>>()?;
    let mut counts = vec![0usize; table.columns()];
    picks.iter().flatten().for_each(|&j| counts[j] += 1);
    let frequency = table
        .names()
        .iter()
        .zip(counts)
        .map(|(feature, count)| {
            let frequency = count as f64 / params.halves as f64;
            StableFeature { feature: feature.clone(), frequency, stable: frequency >= params.threshold }
        })
        .collect();
    let q = params.first as f64;
    Ok(Stability { frequency, expected_false: q * q / ((2.0 * params.threshold - 1.0) * table.columns() as f64) })
}

/// The first features to enter the path of one half.
fn pick(table: &FeatureTable, labels: &Labels, params: &StabilityParams, half: usize) -> Result<Vec<usize>> {
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
    let path = binomial_path(&table.select_rows(&rows), &labels.select(&rows), &params.lasso)?;
    let mut entered: Vec<usize> = Vec::new();
    for coefficients in &path.coefficients {
        for &j in &coefficients.columns {
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
