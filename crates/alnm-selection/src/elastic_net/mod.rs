//! LASSO and elastic-net paths by coordinate descent, equal to glmnet.
//!
//! ```text
//! minimise  −ℓ(β₀, β)/n + λ Σⱼ vⱼ (α|βⱼ| + (1 − α) βⱼ²/2)
//! ```
//!
//! with the binomial or Gaussian log likelihood ℓ and penalty factors v scaled to sum to the number of features.
//! Features are centred and, by default, scaled to unit variance (denominator n); coefficients are returned on the
//! original scale. Strong rules, warm starts and stopping rules are those of glmnet (Friedman, Hastie and Tibshirani
//! 2010; Tibshirani et al. 2012).

mod descent;
mod exact;
mod factor;
mod kernels;
mod params;
mod path;
mod problem;
mod walk;

pub use params::{ElasticNetParams, LambdaSequence, Precision};
pub use path::{ElasticNetPath, Family, SparseCoefficients};

use alnm_stats::Labels;

use crate::FeatureTable;
use crate::error::{Result, SelectionError};
pub(crate) use problem::Data;
use walk::Walk;

/// LASSO or elastic-net path of a binary outcome.
///
/// # Errors
/// [`SelectionError::Statistics`] for labels of one class, [`SelectionError::Shape`], [`SelectionError::NonFinite`],
/// [`SelectionError::Parameter`], [`SelectionError::NotConverged`] when the passes run out before the first penalty is
/// solved.
pub fn binomial_path(table: &FeatureTable, labels: &Labels, params: &ElasticNetParams) -> Result<ElasticNetPath> {
    table.require_rows(labels.len())?;
    labels.require_both("logistic LASSO")?;
    table.require_finite()?;
    path_of_all_rows(table, &labels.to_values(), Family::Binomial, params)
}

/// LASSO or elastic-net path of a continuous outcome.
///
/// # Errors
/// As [`binomial_path`]; a constant outcome is a [`SelectionError::Parameter`].
pub fn gaussian_path(table: &FeatureTable, outcome: &[f64], params: &ElasticNetParams) -> Result<ElasticNetPath> {
    table.require_rows(outcome.len())?;
    table.require_finite()?;
    if let Some((row, &value)) = outcome.iter().enumerate().find(|(_, v)| !v.is_finite()) {
        return Err(SelectionError::NonFinite { column: "outcome".to_owned(), row, value });
    }
    let first = outcome.first().copied().unwrap_or(f64::NAN);
    if outcome.iter().all(|v| *v == first) {
        return Err(SelectionError::Parameter { name: "outcome", range: "values that vary", value: first });
    }
    path_of_all_rows(table, outcome, Family::Gaussian, params)
}

fn path_of_all_rows(
    table: &FeatureTable,
    y: &[f64],
    family: Family,
    params: &ElasticNetParams,
) -> Result<ElasticNetPath> {
    let (columns, rows) = (table.contiguous_columns(), (0..y.len()).collect::<Vec<_>>());
    path_of_rows(table.names(), Data { columns: &columns, rows: &rows, y, family }, params)
}

/// The path of some rows.
pub(crate) fn path_of_rows(names: &[String], data: Data<'_>, params: &ElasticNetParams) -> Result<ElasticNetPath> {
    params::check(params, data.columns.len())?;
    let mut path = pulp::Arch::new().dispatch(Walk { data, params })?;
    path.names = names.to_vec();
    Ok(path)
}
