//! Exact Shapley values of a linear predictor with independent features: φⱼ = βⱼ (xⱼ − mean(xⱼ)).

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::FeatureTable;
use crate::error::Result;
use crate::logistic::{INTERCEPT, LogisticModel};

/// Shapley values on the log odds scale. In every row they sum to the linear predictor less the base value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShapleyValues {
    /// Names of the features.
    pub features: Vec<String>,
    /// Expected log odds over the background.
    pub base_value: f64,
    /// One row a patient, one column a feature.
    pub values: Array2<f64>,
}

impl ShapleyValues {
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
pub fn linear_shap(model: &LogisticModel, table: &FeatureTable, background: &FeatureTable) -> Result<ShapleyValues> {
    let features = model.predictors();
    let mut base_value = model.terms.iter().find(|t| t.name == INTERCEPT).map_or(0.0, |t| t.estimate);
    let mut values = Array2::zeros((table.rows(), features.len()));
    for (j, feature) in features.iter().enumerate() {
        let weight = model.term(feature)?.estimate;
        let mean = alnm_stats::describe::mean(&background.column(feature)?.to_vec());
        base_value += weight * mean;
        values.column_mut(j).iter_mut().zip(table.column(feature)?).for_each(|(v, x)| *v = weight * (x - mean));
    }
    Ok(ShapleyValues { features, base_value, values })
}

impl Tabulate for ShapleyValues {
    const COLUMNS: &'static [&'static str] = &["feature", "mean |phi|"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.features.iter().zip(self.mean_absolute()).map(|(f, v)| cells![f, v]).collect()
    }
}
