//! Risks of rows from models that never saw them.

use alnm_selection::SelectionError;
use alnm_selection::folds::Folds;
use rayon::prelude::*;

use crate::error::Result;
use crate::logistic::{LogisticModel, LogisticParams};
use crate::{FeatureTable, Labels};

/// Cross-fitted predictions of any procedure: `fit_predict` gets training rows and test rows of each fold and returns
/// one prediction a test row, in their order. Every step that learns from data belongs inside it.
///
/// # Errors
/// The first error of `fit_predict`; [`crate::ModelError::Selection`] when it returns another number of predictions
/// than test rows.
pub fn cross_fitted(
    folds: &Folds,
    fit_predict: impl Fn(&[usize], &[usize]) -> Result<Vec<f64>> + Sync,
) -> Result<Vec<f64>> {
    let parts = (0..folds.count())
        .into_par_iter()
        .map(|fold| {
            let test = folds.test_rows(fold);
            let predictions = fit_predict(&folds.training_rows(fold), &test)?;
            if predictions.len() != test.len() {
                return Err(SelectionError::Shape {
                    what: "predictions and test rows",
                    left: predictions.len(),
                    right: test.len(),
                }
                .into());
            }
            Ok((test, predictions))
        })
        .collect::<Result<Vec<_>>>()?;
    let mut all = vec![f64::NAN; folds.rows()];
    for (rows, predictions) in parts {
        for (row, p) in rows.into_iter().zip(predictions) {
            all[row] = p;
        }
    }
    Ok(all)
}

/// Cross-fitted risks of a logistic regression on the columns of the table.
///
/// # Errors
/// As [`LogisticModel::fit`] within any fold.
pub fn cross_fitted_logistic(
    table: &FeatureTable,
    labels: &Labels,
    folds: &Folds,
    params: &LogisticParams,
) -> Result<Vec<f64>> {
    table.require_rows(folds.rows())?;
    table.require_rows(labels.len())?;
    cross_fitted(folds, |training, test| {
        let model = LogisticModel::fit(&table.select_rows(training), &labels.select(training), params)?;
        model.predict(&table.select_rows(test))
    })
}
