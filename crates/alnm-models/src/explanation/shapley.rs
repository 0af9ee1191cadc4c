//! Shapley values (Shapley 1953): what each feature of a patient adds to the log odds that a model gives on average.
//! [`tree_shap`](crate::explanation::tree_shap) computes them for boosted trees and `linear_shap` for logistic models.

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use ndarray::{Array2, ArrayView2};

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

impl Tabulate for ShapleyValues {
    const COLUMNS: &'static [&'static str] = &["feature", "mean |phi|"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.features.iter().zip(self.mean_absolute()).map(|(f, v)| cells![f, v]).collect()
    }
}
