//! Variance inflation: how far predictors explain one another.

use alnm_stats::cells;
use alnm_stats::correlation::{Correlation, PairRows, correlation_matrix};
use alnm_stats::data_table::{Cell, Tabulate};
use faer::Mat;
use faer::linalg::solvers::{DenseSolveCore, PartialPivLu};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::FeatureTable;
use crate::error::{ModelError, Result};
use crate::logistic::{INTERCEPT, LogisticModel};

/// Variance inflation factor of a predictor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VarianceInflation {
    /// Name of the predictor.
    pub name: String,
    /// 1 when it is uncorrelated with the others; infinite or NaN when they determine it.
    pub factor: f64,
}

fn inverse_diagonal(r: &Array2<f64>) -> Vec<f64> {
    let k = r.nrows();
    let inverse = PartialPivLu::new(Mat::from_fn(k, k, |i, j| r[[i, j]]).as_ref()).inverse();
    (0..k).map(|i| inverse[(i, i)]).collect()
}

/// The usual factor 1/(1 − R²) of each column regressed on the others by least squares, over the complete rows.
///
/// # Errors
/// [`ModelError::Statistics`] below two complete rows, [`ModelError::Parameter`] for fewer than two columns.
pub fn of_columns(table: &FeatureTable) -> Result<Vec<VarianceInflation>> {
    if table.columns() < 2 {
        return Err(ModelError::Parameter {
            name: "number of predictors",
            range: "2 or more",
            value: table.columns() as f64,
        });
    }
    let r = correlation_matrix(table.values(), Correlation::Pearson, PairRows::Complete)?;
    Ok(table
        .names()
        .iter()
        .zip(inverse_diagonal(&r))
        .map(|(name, factor)| VarianceInflation { name: name.clone(), factor })
        .collect())
}

/// The factor of `car::vif` on a `glm`, from the correlation of the fitted coefficients. It differs from
/// [`of_columns`].
///
/// # Errors
/// [`ModelError::Parameter`] for fewer than two predictors.
pub fn of_coefficients(model: &LogisticModel) -> Result<Vec<VarianceInflation>> {
    let places: Vec<usize> = (0..model.terms.len()).filter(|&j| model.terms[j].name != INTERCEPT).collect();
    if places.len() < 2 {
        return Err(ModelError::Parameter {
            name: "number of predictors",
            range: "2 or more",
            value: places.len() as f64,
        });
    }
    let c = &model.covariance;
    let r = Array2::from_shape_fn((places.len(), places.len()), |(a, b)| {
        let (i, j) = (places[a], places[b]);
        c[[i, j]] / (c[[i, i]] * c[[j, j]]).sqrt()
    });
    Ok(places
        .iter()
        .zip(inverse_diagonal(&r))
        .map(|(&j, factor)| VarianceInflation { name: model.terms[j].name.clone(), factor })
        .collect())
}

impl Tabulate for VarianceInflation {
    const COLUMNS: &'static [&'static str] = &["predictor", "VIF"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![&self.name, self.factor]]
    }
}
