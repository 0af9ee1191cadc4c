//! A score: intercept plus weighted sum of named features (RadScore, DLScore).

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use serde::{Deserialize, Serialize};

use crate::FeatureTable;
use crate::elastic_net::SparseCoefficients;
use crate::error::Result;

/// A linear signature.
///
/// ```
/// use alnm_selection::{FeatureTable, signature::{Signature, Weight}};
/// use ndarray::array;
/// let score = Signature {
///     name: "RadScore".into(),
///     intercept: 0.5,
///     weights: vec![Weight { feature: "entropy".into(), weight: 2.0 }],
/// };
/// let table = FeatureTable::new(vec!["energy".into(), "entropy".into()], array![[9.0, 1.0], [9.0, -1.0]])?;
/// assert_eq!(score.apply(&table)?, [2.5, -1.5]);
/// # Ok::<(), alnm_selection::SelectionError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// Name of the score.
    pub name: String,
    /// Intercept.
    pub intercept: f64,
    /// Weights on the original scale of the features.
    pub weights: Vec<Weight>,
}

/// Weight of a feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Weight {
    /// Name of the feature.
    pub feature: String,
    /// Its weight.
    pub weight: f64,
}

impl Signature {
    /// Signature of fitted coefficients over named columns.
    #[must_use]
    pub fn new(name: &str, names: &[String], coefficients: &SparseCoefficients) -> Self {
        let weights = coefficients
            .columns
            .iter()
            .zip(&coefficients.values)
            .map(|(&c, &weight)| Weight { feature: names[c].clone(), weight })
            .collect();
        Self { name: name.to_owned(), intercept: coefficients.intercept, weights }
    }

    /// The score of every row. Columns are found by name; other columns are ignored, a missing value gives a missing
    /// score.
    ///
    /// # Errors
    /// [`crate::SelectionError::MissingColumn`] names the feature that the table lacks.
    pub fn apply(&self, table: &FeatureTable) -> Result<Vec<f64>> {
        let mut score = vec![self.intercept; table.rows()];
        for w in &self.weights {
            for (s, v) in score.iter_mut().zip(table.column(&w.feature)?) {
                *s += w.weight * v;
            }
        }
        Ok(score)
    }
}

impl Tabulate for Signature {
    const COLUMNS: &'static [&'static str] = &["feature", "weight"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        std::iter::once(cells!["intercept", self.intercept])
            .chain(self.weights.iter().map(|w| cells![&w.feature, w.weight]))
            .collect()
    }
}
