//! How much a performance measure falls when a column is shuffled (Breiman 2001).
//!
//! ```
//! use alnm_models::explanation::permutation_importance::{PermutationImportanceParams, permutation_importance};
//! use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams};
//! use alnm_stats::roc::{Direction, RocCurve};
//! use ndarray::array;
//! let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
//! let labels = Labels::new(vec![false, false, true, false, true, true]);
//! let model = LogisticModel::fit(&table, &labels, &LogisticParams::default())?;
//! let importances = permutation_importance(&table, &PermutationImportanceParams::default(), |patients| {
//!     Ok(RocCurve::new(&labels, &model.predict(patients)?, Direction::HigherIsPositive)?.auc())
//! })?;
//! assert!(importances[0].mean > 0.2);
//! # Ok::<(), alnm_models::ModelError>(())
//! ```

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::describe::{mean, standard_deviation};
use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::FeatureTable;
use crate::error::{ModelError, Result};

/// Parameters of a permutation importance, unchecked.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `repeats` | 20 | how often each column is shuffled | 1 or more |
/// | `seed` | 0 | seed of the generator | |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
#[must_use]
pub struct PermutationImportanceParams {
    /// How often each column is shuffled.
    pub repeats: usize,
    /// Seed of the generator; each column has a stream of its own.
    pub seed: u64,
}

impl Default for PermutationImportanceParams {
    fn default() -> Self {
        Self { repeats: 20, seed: 0 }
    }
}

impl PermutationImportanceParams {
    /// Sets how often each column is shuffled.
    pub fn with_repeats(self, repeats: usize) -> Self {
        Self { repeats, ..self }
    }

    /// Sets the seed of the generator.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] without repeats.
    pub fn check(self) -> Result<Permutation> {
        if self.repeats == 0 {
            return Err(ModelError::parameter("repeats", self.repeats, "at least 1"));
        }
        Ok(Permutation { params: self })
    }
}

/// A permutation importance with checked parameters; made by [`PermutationImportanceParams::check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permutation {
    params: PermutationImportanceParams,
}

/// Importance of a column.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PermutationImportance {
    /// Name of the column.
    pub feature: String,
    /// Mean fall of the measure.
    pub mean: f64,
    /// Standard deviation over the repeats.
    pub standard_deviation: f64,
}

/// Shuffles each column and measures the fall of `measure`, larger being better, against the data as they are; checks
/// the parameters first.
///
/// # Errors
/// The errors of `measure`, and [`ModelError::Parameter`] without repeats.
pub fn permutation_importance(
    table: &FeatureTable,
    params: &PermutationImportanceParams,
    measure: impl Fn(&FeatureTable) -> Result<f64> + Sync,
) -> Result<Vec<PermutationImportance>> {
    params.check()?.importances(table, measure)
}

impl Permutation {
    /// Importance of every column, as [`permutation_importance`].
    ///
    /// # Errors
    /// The errors of `measure`.
    pub fn importances(
        &self,
        table: &FeatureTable,
        measure: impl Fn(&FeatureTable) -> Result<f64> + Sync,
    ) -> Result<Vec<PermutationImportance>> {
        let PermutationImportanceParams { repeats, seed } = self.params;
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
}

impl Tabulate for PermutationImportance {
    const COLUMNS: &'static [&'static str] = &["feature", "mean fall", "SD"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![&self.feature, self.mean, self.standard_deviation]]
    }
}
