//! How much a performance measure falls when a column is shuffled.

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::describe::{mean, standard_deviation};
use ndarray::Array2;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::FeatureTable;
use crate::error::{ModelError, Result};

/// Importance of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PermutationImportance {
    /// Name of the column.
    pub feature: String,
    /// Mean fall of the measure.
    pub mean: f64,
    /// Standard deviation over the repeats.
    pub standard_deviation: f64,
}

/// Shuffles each column `repeats` times and measures the fall of `measure`, larger being better, against the data as
/// they are.
///
/// # Errors
/// The errors of `measure`; [`ModelError::Parameter`] without repeats.
pub fn permutation_importance(
    table: &FeatureTable,
    repeats: usize,
    seed: u64,
    measure: impl Fn(&FeatureTable) -> Result<f64> + Sync,
) -> Result<Vec<PermutationImportance>> {
    if repeats == 0 {
        return Err(ModelError::Parameter { name: "repeats", range: "1 or more", value: 0.0 });
    }
    let whole = measure(table)?;
    table
        .names()
        .par_iter()
        .enumerate()
        .map(|(column, feature)| {
            let mut generator = ChaCha8Rng::seed_from_u64(seed);
            generator.set_stream(column as u64);
            let mut order: Vec<usize> = (0..table.rows()).collect();
            let falls = (0..repeats)
                .map(|_| {
                    order.shuffle(&mut generator);
                    let values = table.values();
                    let shuffled = Array2::from_shape_fn(values.dim(), |(i, j)| {
                        if j == column { values[[order[i], j]] } else { values[[i, j]] }
                    });
                    Ok(whole - measure(&FeatureTable::new(table.names().to_vec(), shuffled)?)?)
                })
                .collect::<Result<Vec<f64>>>()?;
            Ok(PermutationImportance {
                feature: feature.clone(),
                mean: mean(&falls),
                standard_deviation: standard_deviation(&falls),
            })
        })
        .collect()
}

impl Tabulate for PermutationImportance {
    const COLUMNS: &'static [&'static str] = &["feature", "mean fall", "SD"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![&self.feature, self.mean, self.standard_deviation]]
    }
}
