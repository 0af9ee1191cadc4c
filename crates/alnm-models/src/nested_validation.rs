//! Nested cross-validation: an inner choice, judged on rows that it never saw.

use alnm_selection::folds::{FoldOrder, Folds};
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::delong::{AucEstimate, auc_estimate};
use alnm_stats::roc::{Direction, RocCurve};
use serde::{Deserialize, Serialize};

use crate::Labels;
use crate::error::Result;

/// Result of a nested cross-validation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NestedValidation {
    /// Risk of every row from the outer fold that held it out.
    pub risks: Vec<f64>,
    /// Area of the pooled risks with DeLong's interval, which does not know that folds share rows.
    pub pooled_auc: AucEstimate,
    /// Area of each outer fold; NaN in a fold of one class.
    pub fold_auc: Vec<f64>,
}

/// Nested cross-validation. `choose_and_fit` gets the outer training rows and the inner folds over them (numbered by
/// position in the training rows), makes every choice there, and returns the risks of the outer test rows.
///
/// # Errors
/// The errors of `choose_and_fit`; [`crate::ModelError::Selection`] when the folds cannot be dealt.
pub fn nested_validation(
    labels: &Labels,
    outer: usize,
    inner: usize,
    order: FoldOrder,
    choose_and_fit: impl Fn(&[usize], &Folds, &[usize]) -> Result<Vec<f64>> + Sync,
) -> Result<NestedValidation> {
    let folds = Folds::stratified(labels, outer, order)?;
    let risks = crate::cross_fitting::cross_fitted(&folds, |training, test| {
        let inner_folds = Folds::stratified(&labels.select(training), inner, order)?;
        choose_and_fit(training, &inner_folds, test)
    })?;
    let area = |rows: &[usize]| {
        let part: Vec<f64> = rows.iter().map(|&r| risks[r]).collect();
        RocCurve::new(&labels.select(rows), &part, Direction::HigherIsPositive).map_or(f64::NAN, |roc| roc.auc())
    };
    let fold_auc = (0..folds.count()).map(|f| area(&folds.test_rows(f))).collect();
    let pooled_auc = auc_estimate(&RocCurve::new(labels, &risks, Direction::HigherIsPositive)?, 0.95)?;
    Ok(NestedValidation { risks, pooled_auc, fold_auc })
}

impl Tabulate for NestedValidation {
    const COLUMNS: &'static [&'static str] = &["fold", "AUC"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let pooled = cells!["pooled", self.pooled_auc.auc];
        self.fold_auc.iter().enumerate().map(|(k, auc)| cells![(k + 1).to_string(), *auc]).chain([pooled]).collect()
    }
}
