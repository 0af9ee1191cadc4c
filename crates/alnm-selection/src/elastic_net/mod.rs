//! LASSO and elastic-net paths by coordinate descent, equal to glmnet.
//!
//! ```text
//! minimise  −ℓ(β₀, β)/n + λ Σⱼ vⱼ (α|βⱼ| + (1 − α) βⱼ²/2)
//! ```
//!
//! with the binomial or Gaussian log likelihood ℓ of n rows and penalty factors v scaled to sum to the number of
//! features. Features are centred and, by default, scaled to unit variance (denominator n); coefficients are returned
//! on the original scale of the features. Strong rules, warm starts and stopping rules are those of glmnet (Friedman,
//! Hastie and Tibshirani 2010; Tibshirani et al. 2012).
//!
//! ```
//! use alnm_selection::elastic_net::{ElasticNetParams, binomial_path};
//! use alnm_selection::{FeatureTable, Labels};
//! use ndarray::Array2;
//!
//! let labels = Labels::new((0..40).map(|row| row % 2 == 0).collect());
//! // The first of three features carries the outcome.
//! let values = Array2::from_shape_fn((40, 3), |(row, column)| {
//!     let noise = ((row * (3 * column + 5)) % 13) as f64;
//!     if column == 0 && row % 2 == 0 { noise + 6.0 } else { noise }
//! });
//! let table = FeatureTable::new(vec!["a".into(), "b".into(), "c".into()], values)?;
//! let path = binomial_path(&table, &labels, &ElasticNetParams::default())?;
//! // At the largest penalty no feature is in the model; the informative one enters first.
//! assert_eq!(path.degrees_of_freedom()[..2], [0, 1]);
//! assert_eq!(path.coefficients()[1].columns(), [0]);
//! # Ok::<(), alnm_selection::SelectionError>(())
//! ```

mod descent;
mod exact;
mod factor;
mod kernels;
mod movement;
mod params;
mod path;
mod problem;
mod walk;

use alnm_stats::Labels;

pub use params::{ElasticNetParams, LambdaSequence, PathPrecision};
pub use path::{ElasticNetPath, OutcomeFamily, SparseCoefficients};
pub(crate) use problem::Data;

use crate::FeatureTable;
use crate::error::{Result, SelectionError};
use walk::Walk;

/// An elastic net with checked parameters, which can be fitted.
///
/// ```
/// use alnm_selection::elastic_net::ElasticNetParams;
/// let ridge = ElasticNetParams::default().with_alpha(0.0).check()?;
/// assert_eq!(ridge.params().alpha, 0.0);
/// # Ok::<(), alnm_selection::SelectionError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ElasticNet {
    params: ElasticNetParams,
}

impl ElasticNetParams {
    /// The elastic net with these parameters.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] names the first parameter outside its range.
    pub fn check(self) -> Result<ElasticNet> {
        params::check(&self)?;
        Ok(ElasticNet { params: self })
    }
}

impl ElasticNet {
    /// The parameters.
    pub fn params(&self) -> &ElasticNetParams {
        &self.params
    }

    /// The path of a binary outcome by penalised logistic regression.
    ///
    /// # Errors
    /// [`SelectionError::Statistics`] for labels of one class; [`SelectionError::Shape`] when labels and rows, or
    /// penalty factors and columns, differ in number; [`SelectionError::NonFinite`] for a missing value;
    /// [`SelectionError::NothingLeft`] when no feature varies; [`SelectionError::NotConverged`] when the passes run out
    /// before the first penalty is solved.
    pub fn binomial_path(&self, table: &FeatureTable, labels: &Labels) -> Result<ElasticNetPath> {
        table.require_rows(labels.len())?;
        labels.require_both("logistic LASSO")?;
        table.require_finite()?;
        self.path_of_all_rows(table, &labels.to_values(), OutcomeFamily::Binomial)
    }

    /// The path of a continuous outcome by penalised least squares.
    ///
    /// # Errors
    /// As [`ElasticNet::binomial_path`]; an outcome that is equal in all rows is a [`SelectionError::Parameter`].
    pub fn gaussian_path(&self, table: &FeatureTable, outcome: &[f64]) -> Result<ElasticNetPath> {
        table.require_as_many_rows("outcomes and rows", outcome.len())?;
        table.require_finite()?;
        if let Some((row, &value)) = outcome.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            return Err(SelectionError::NonFinite { column: "outcome".to_owned(), row, value });
        }
        let Some(&first) = outcome.first() else {
            return Err(SelectionError::parameter("number of rows", 0_usize, "at least 2"));
        };
        if outcome.iter().all(|v| *v == first) {
            return Err(SelectionError::parameter(
                "outcome of every row",
                first,
                "a number that differs between rows, since a constant cannot be predicted",
            ));
        }
        self.path_of_all_rows(table, outcome, OutcomeFamily::Gaussian)
    }

    fn path_of_all_rows(&self, table: &FeatureTable, y: &[f64], family: OutcomeFamily) -> Result<ElasticNetPath> {
        let rows = (0..y.len()).collect::<Vec<_>>();
        self.path_of_rows(table.names(), Data { values: table.values(), rows: &rows, y, family })
    }

    /// The path of some rows.
    pub(crate) fn path_of_rows(&self, names: &[String], data: Data<'_>) -> Result<ElasticNetPath> {
        params::require_features(&self.params, data.values.ncols())?;
        let walk = Walk { names, data, params: &self.params };
        if data.values.ncols() * data.rows.len() >= problem::PARALLEL_WORK {
            // Within the pool no call that shares work has to wake it up first.
            rayon::scope(|_| pulp::Arch::new().dispatch(walk))
        } else {
            pulp::Arch::new().dispatch(walk)
        }
    }
}

/// LASSO or elastic-net path of a binary outcome: [`ElasticNetParams::check`] and [`ElasticNet::binomial_path`].
///
/// # Errors
/// As both.
pub fn binomial_path(table: &FeatureTable, labels: &Labels, params: &ElasticNetParams) -> Result<ElasticNetPath> {
    params.clone().check()?.binomial_path(table, labels)
}

/// LASSO or elastic-net path of a continuous outcome: [`ElasticNetParams::check`] and [`ElasticNet::gaussian_path`].
///
/// # Errors
/// As both.
pub fn gaussian_path(table: &FeatureTable, outcome: &[f64], params: &ElasticNetParams) -> Result<ElasticNetPath> {
    params.clone().check()?.gaussian_path(table, outcome)
}
