//! Exact Shapley values of a linear predictor with independent features: φⱼ = βⱼ (xⱼ − mean(xⱼ)).
//!
//! ```
//! use alnm_models::explanation::linear_shap::linear_shap;
//! use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams};
//! use ndarray::array;
//! let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
//! let labels = Labels::new(vec![false, false, true, false, true, true]);
//! let model = LogisticModel::fit(&table, &labels, &LogisticParams::default())?;
//! let explained = linear_shap(&model, &table, &table)?;
//! // The value of a patient and the base value add up to the log odds.
//! let log_odds = model.linear_predictor(&table)?;
//! assert!((explained.base_value() + explained.values()[[0, 0]] - log_odds[0]).abs() < 1e-12);
//! # Ok::<(), alnm_models::ModelError>(())
//! ```

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use ndarray::{Array2, ArrayView2};

#[cfg(feature = "regression")]
use crate::FeatureTable;
#[cfg(feature = "regression")]
use crate::error::Result;
#[cfg(feature = "regression")]
use crate::logistic::{INTERCEPT, LogisticModel};

/// Shapley values on the log odds scale. In every row they sum to the linear predictor less the base value.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ShapleyValues {
    features: Vec<String>,
    base_value: f64,
    values: Array2<f64>,
}

impl ShapleyValues {
    /// Values (patients × features) of the named features.
    pub(super) fn new(features: Vec<String>, base_value: f64, values: Array2<f64>) -> Self {
        Self { features, base_value, values }
    }

    /// Names of the features, one per column of the values.
    #[must_use]
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// Expected log odds over the background.
    #[must_use]
    pub fn base_value(&self) -> f64 {
        self.base_value
    }

    /// The Shapley values: one row per patient, one column per feature.
    #[must_use]
    pub fn values(&self) -> ArrayView2<'_, f64> {
        self.values.view()
    }

    /// Mean |φ| of every feature, the usual summary of importance.
    #[must_use]
    pub fn mean_absolute(&self) -> Vec<f64> {
        let n = self.values.nrows() as f64;
        self.values.columns().into_iter().map(|c| c.iter().map(|v| v.abs()).sum::<f64>() / n).collect()
    }
}

/// Shapley values of a logistic model for the rows of `table`, against the means of `background` (usually the training
/// data).
///
/// # Errors
/// [`crate::ModelError::Selection`] names the column that a table lacks.
#[cfg(feature = "regression")]
pub fn linear_shap(model: &LogisticModel, table: &FeatureTable, background: &FeatureTable) -> Result<ShapleyValues> {
    let features = model.predictors();
    let mut base_value = model.terms().iter().find(|t| t.name == INTERCEPT).map_or(0.0, |t| t.estimate);
    let mut values = Array2::zeros((table.rows(), features.len()));
    for (j, feature) in features.iter().enumerate() {
        let weight = model.term(feature)?.estimate;
        let mean = alnm_stats::describe::mean(&background.column(feature)?.to_vec());
        base_value += weight * mean;
        values.column_mut(j).iter_mut().zip(table.column(feature)?).for_each(|(v, x)| *v = weight * (x - mean));
    }
    Ok(ShapleyValues::new(features, base_value, values))
}

impl Tabulate for ShapleyValues {
    const COLUMNS: &'static [&'static str] = &["feature", "mean |phi|"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.features.iter().zip(self.mean_absolute()).map(|(f, v)| cells![f, v]).collect()
    }
}
