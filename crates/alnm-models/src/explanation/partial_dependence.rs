//! Mean prediction as one column runs over values (Friedman 2001), and the individual curves behind it.
//!
//! ```
//! use alnm_models::explanation::partial_dependence::partial_dependence;
//! use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams};
//! use ndarray::array;
//! let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
//! let labels = Labels::new(vec![false, false, true, false, true, true]);
//! let model = LogisticModel::fit(&table, &labels, &LogisticParams::default())?;
//! let curve = partial_dependence(&table, "size", &[1.0, 3.5, 6.0], |patients| model.predict(patients))?;
//! assert!(curve.mean[0] < curve.mean[1] && curve.mean[1] < curve.mean[2]);
//! # Ok::<(), alnm_models::ModelError>(())
//! ```

use alnm_selection::SelectionError;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use ndarray::Array2;

use crate::FeatureTable;
use crate::error::Result;

/// Partial dependence on one column.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PartialDependence {
    /// Name of the column.
    pub feature: String,
    /// Values that the column was set to.
    pub grid: Vec<f64>,
    /// Mean prediction at each value.
    pub mean: Vec<f64>,
    /// Prediction of every patient (rows) at each value (columns): the individual conditional expectations.
    pub individual: Array2<f64>,
}

/// Sets the column to each value of `grid` in every row and predicts; `predict` returns one prediction per row of the
/// table that it gets.
///
/// # Errors
/// The errors of `predict`; [`crate::ModelError::Selection`] when the column does not exist or `predict` returns
/// another number of predictions than rows.
pub fn partial_dependence(
    table: &FeatureTable,
    feature: &str,
    grid: &[f64],
    predict: impl Fn(&FeatureTable) -> Result<Vec<f64>>,
) -> Result<PartialDependence> {
    table.column(feature)?;
    let place = table.names().iter().position(|n| n == feature);
    let mut individual = Array2::zeros((table.rows(), grid.len()));
    for (k, &value) in grid.iter().enumerate() {
        let values = table.values();
        let set = Array2::from_shape_fn(values.dim(), |(i, j)| if Some(j) == place { value } else { values[[i, j]] });
        let predictions = predict(&FeatureTable::new(table.names().to_vec(), set)?)?;
        if predictions.len() != table.rows() {
            let (left, right) = (predictions.len(), table.rows());
            return Err(SelectionError::Shape { what: "predictions and rows", left, right }.into());
        }
        individual.column_mut(k).iter_mut().zip(predictions).for_each(|(cell, p)| *cell = p);
    }
    let mean = individual.columns().into_iter().map(|c| alnm_stats::describe::mean(&c.to_vec())).collect();
    Ok(PartialDependence { feature: feature.to_owned(), grid: grid.to_vec(), mean, individual })
}

impl Tabulate for PartialDependence {
    const COLUMNS: &'static [&'static str] = &["value", "mean prediction"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.grid.iter().zip(&self.mean).map(|(x, m)| cells![*x, *m]).collect()
    }
}
