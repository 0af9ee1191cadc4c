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

use ndarray::Array2;

use crate::FeatureTable;
use crate::error::Result;
use crate::explanation::shapley::ShapleyValues;
use crate::logistic::{INTERCEPT, LogisticModel};

/// Shapley values of a logistic model for the rows of `table`, against the means of `background` (usually the training
/// data).
///
/// # Errors
/// [`crate::ModelError::Selection`] names the column that a table lacks.
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
