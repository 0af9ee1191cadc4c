//! Mean prediction as one column runs over values (Friedman 2001), and the individual curves behind it.

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::FeatureTable;
use crate::error::Result;

/// Partial dependence on one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartialDependence {
    /// Name of the column.
    pub feature: String,
    /// Values that it was set to.
    pub grid: Vec<f64>,
    /// Mean prediction at each value.
    pub mean: Vec<f64>,
    /// Prediction of every row (rows) at each value (columns): individual conditional expectation.
    pub individual: Array2<f64>,
}

/// Sets the column to each value of `grid` in every row and predicts.
///
/// # Errors
/// The errors of `predict`; [`crate::ModelError::Selection`] when the column does not exist.
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
