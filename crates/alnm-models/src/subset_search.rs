//! Subsets of variables in order of importance, judged by cross-validation.

use alnm_selection::folds::Folds;
use alnm_stats::Interval;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::describe::{mean, standard_deviation};
use alnm_stats::distribution::t_quantile;
use alnm_stats::roc::{Direction, RocCurve};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{ModelError, Result};
use crate::logistic::{LogisticModel, LogisticParams};
use crate::{FeatureTable, Labels};

/// A subset and its cross-validated area under the ROC curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluatedSubset {
    /// The variables, in order of importance.
    pub variables: Vec<String>,
    /// Area under the curve of each fold's held-out rows.
    pub fold_auc: Vec<f64>,
    /// Mean over the folds.
    pub mean_auc: f64,
    /// t interval of the mean over the folds. Folds share training rows, so it is approximate.
    pub interval: Interval,
}

/// The subsets of one, two, … variables and the best of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubsetSearch {
    /// One subset more variables at a time.
    pub subsets: Vec<EvaluatedSubset>,
    /// Position of the subset with the largest mean area; of equals, the smallest subset.
    pub best: usize,
}

impl SubsetSearch {
    /// Variables of the best subset.
    #[must_use]
    pub fn best_variables(&self) -> &[String] {
        &self.subsets[self.best].variables
    }
}

/// Adds the variables one at a time in the given order (most important first) and cross-validates a logistic regression
/// on each subset.
///
/// The importances are taken from the same rows, so the area of the best subset is optimistic; nest the search in an
/// outer cross-validation for an honest figure.
///
/// # Errors
/// As [`LogisticModel::fit`] within a fold; [`ModelError::Parameter`] without variables; [`ModelError::Statistics`]
/// when a fold holds one class only.
pub fn incremental_subsets(
    table: &FeatureTable,
    labels: &Labels,
    order: &[String],
    folds: &Folds,
    params: &LogisticParams,
) -> Result<SubsetSearch> {
    if order.is_empty() {
        return Err(ModelError::Parameter { name: "number of variables", range: "1 or more", value: 0.0 });
    }
    table.require_rows(labels.len())?;
    table.require_rows(folds.rows())?;
    let subsets = (1..=order.len())
        .into_par_iter()
        .map(|size| evaluate(table, labels, &order[..size], folds, params))
        .collect::<Result<Vec<_>>>()?;
    let mut best = 0;
    for (i, subset) in subsets.iter().enumerate() {
        if subset.mean_auc > subsets[best].mean_auc {
            best = i;
        }
    }
    Ok(SubsetSearch { subsets, best })
}

fn evaluate(
    table: &FeatureTable,
    labels: &Labels,
    variables: &[String],
    folds: &Folds,
    params: &LogisticParams,
) -> Result<EvaluatedSubset> {
    let columns = table.select(variables)?;
    let fold_auc = (0..folds.count())
        .map(|fold| {
            let (training, test) = (folds.training_rows(fold), folds.test_rows(fold));
            let model = LogisticModel::fit(&columns.select_rows(&training), &labels.select(&training), params)?;
            let risks = model.predict(&columns.select_rows(&test))?;
            Ok(RocCurve::new(&labels.select(&test), &risks, Direction::HigherIsPositive)?.auc())
        })
        .collect::<Result<Vec<_>>>()?;
    let mean_auc = mean(&fold_auc);
    let k = fold_auc.len() as f64;
    let half = t_quantile(0.5 + params.level / 2.0, k - 1.0) * standard_deviation(&fold_auc) / k.sqrt();
    Ok(EvaluatedSubset {
        variables: variables.to_vec(),
        fold_auc,
        mean_auc,
        interval: Interval { lower: mean_auc - half, upper: mean_auc + half, level: params.level },
    })
}

impl Tabulate for SubsetSearch {
    const COLUMNS: &'static [&'static str] = &["variables", "added variable", "mean AUC", "lower", "upper", "best"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.subsets
            .iter()
            .enumerate()
            .map(|(k, s)| {
                cells![
                    s.variables.len(),
                    s.variables.last(),
                    s.mean_auc,
                    s.interval.lower,
                    s.interval.upper,
                    k == self.best
                ]
            })
            .collect()
    }
}
