//! Variance inflation factors: how far predictors explain one another.
//!
//! ```
//! use alnm_models::FeatureTable;
//! use alnm_models::variance_inflation::of_columns;
//! use ndarray::array;
//! let values = array![[1.0, 1.1], [2.0, 1.8], [3.0, 3.3], [4.0, 3.9], [5.0, 5.2]];
//! let table = FeatureTable::new(vec!["diameter".into(), "length".into()], values)?;
//! let factors = of_columns(&table)?;
//! assert!(factors[0].factor > 10.0);
//! # Ok::<(), alnm_models::ModelError>(())
//! ```

use alnm_stats::cells;
use alnm_stats::correlation::{Correlation, PairRows, correlation_matrix};
use alnm_stats::data_table::{Cell, Tabulate};
use faer::Mat;
use faer::linalg::solvers::{DenseSolveCore, PartialPivLu};
use ndarray::Array2;

use crate::FeatureTable;
use crate::error::{ModelError, Result};
use crate::logistic::{INTERCEPT, LogisticModel};

/// Variance inflation factor of a predictor.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
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

/// Refuses fewer than two predictors.
fn require_two(count: usize) -> Result<()> {
    if count >= 2 { Ok(()) } else { Err(ModelError::parameter("number of predictors", count, "at least 2")) }
}

/// The usual factor 1/(1 − R²) of each column, R² being that of its least squares regression on the other columns, over
/// the complete rows.
///
/// # Errors
/// [`ModelError::Statistics`] for fewer than two complete rows, [`ModelError::Parameter`] for fewer than two columns.
pub fn of_columns(table: &FeatureTable) -> Result<Vec<VarianceInflation>> {
    require_two(table.columns())?;
    let r = correlation_matrix(table.values(), Correlation::Pearson, PairRows::Complete)?;
    Ok(table
        .names()
        .iter()
        .zip(inverse_diagonal(&r))
        .map(|(name, factor)| VarianceInflation { name: name.clone(), factor })
        .collect())
}

/// The factor of `car::vif` on a `glm`, from the correlation of the fitted coefficients. It differs from
/// [`of_columns`], since the weights of the rows depend on the fitted risks.
///
/// # Errors
/// [`ModelError::Parameter`] for fewer than two predictors, [`ModelError::Separated`] where the coefficients have no
/// finite covariance.
pub fn of_coefficients(model: &LogisticModel) -> Result<Vec<VarianceInflation>> {
    let terms = model.terms();
    let places: Vec<usize> = (0..terms.len()).filter(|&j| terms[j].name != INTERCEPT).collect();
    require_two(places.len())?;
    let covariance = model.covariance().ok_or(ModelError::Separated { operation: "variance inflation" })?;
    let c = covariance.view();
    let r = Array2::from_shape_fn((places.len(), places.len()), |(a, b)| {
        let (i, j) = (places[a], places[b]);
        c[[i, j]] / (c[[i, i]] * c[[j, j]]).sqrt()
    });
    Ok(places
        .iter()
        .zip(inverse_diagonal(&r))
        .map(|(&j, factor)| VarianceInflation { name: terms[j].name.clone(), factor })
        .collect())
}

impl Tabulate for VarianceInflation {
    const COLUMNS: &'static [&'static str] = &["predictor", "VIF"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![&self.name, self.factor]]
    }
}
