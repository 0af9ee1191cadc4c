//! Nested cross-validation: every choice is made within the outer training rows and judged on rows that were not used
//! for it.
//!
//! ```
//! use alnm_models::nested_validation::{NestedValidationParams, nested_validation};
//! use alnm_models::subset_search::{SubsetSearchParams, incremental_subsets};
//! use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams};
//! use ndarray::Array2;
//!
//! let labels = Labels::new((0..90).map(|i| i % 2 == 1).collect());
//! let values = Array2::from_shape_fn((90, 2), |(i, j)| ((i * (5 + 6 * j)) % 17) as f64 + 6.0 * (i % 2) as f64);
//! let table = FeatureTable::new(vec!["size".into(), "score".into()], values)?;
//!
//! // The number of variables is chosen by the inner folds, anew in each outer fold.
//! let search = SubsetSearchParams::new(["score", "size"]);
//! let nested = nested_validation(&table, &labels, &NestedValidationParams::default(), |training| {
//!     let found = incremental_subsets(&training.table, &training.labels, &training.folds, &search)?;
//!     let columns = training.table.select(found.best_variables())?;
//!     let model = LogisticModel::fit(&columns, &training.labels, &LogisticParams::default())?;
//!     Ok(move |patients: &FeatureTable| model.predict(patients))
//! })?;
//! assert_eq!(nested.risks.len(), 90);
//! assert!(nested.pooled_auc.auc > 0.6);
//! # Ok::<(), alnm_models::ModelError>(())
//! ```

use alnm_selection::cross_fitting::out_of_fold;
use alnm_selection::folds::{FoldOrder, Folds};
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::delong::{AucEstimate, auc_estimate};
use alnm_stats::roc::{Direction, RocCurve};

use crate::error::{ModelError, Result, require_level};
use crate::{FeatureTable, Labels};

/// Parameters of a nested cross-validation, unchecked.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `outer_folds` | 5 | folds whose rows are held out and judged | 2 to the size of the larger class |
/// | `inner_folds` | 5 | folds over the outer training rows, for choices | 2 to the size of the larger class there |
/// | `order` | shuffled with seed 0 | how rows are dealt to folds | |
/// | `level` | 0.95 | confidence level of the pooled area | (0, 1) |
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
#[must_use]
pub struct NestedValidationParams {
    /// Number of outer folds, whose rows are held out and judged.
    pub outer_folds: usize,
    /// Number of inner folds over the training rows of each outer fold.
    pub inner_folds: usize,
    /// How rows are dealt to folds, outer and inner ones.
    pub order: FoldOrder,
    /// Confidence level of the pooled area.
    pub level: f64,
}

impl Default for NestedValidationParams {
    fn default() -> Self {
        Self { outer_folds: 5, inner_folds: 5, order: FoldOrder::Shuffled { seed: 0 }, level: 0.95 }
    }
}

impl NestedValidationParams {
    /// Sets the number of outer folds.
    pub fn with_outer_folds(self, outer_folds: usize) -> Self {
        Self { outer_folds, ..self }
    }

    /// Sets the number of inner folds.
    pub fn with_inner_folds(self, inner_folds: usize) -> Self {
        Self { inner_folds, ..self }
    }

    /// Sets how rows are dealt to folds.
    pub fn with_order(self, order: FoldOrder) -> Self {
        Self { order, ..self }
    }

    /// Sets the confidence level of the pooled area.
    pub fn with_level(self, level: f64) -> Self {
        Self { level, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] names the parameter that lies outside its range. Whether a class is large enough for
    /// the number of folds is known once there are labels.
    pub fn check(self) -> Result<NestedCrossValidation> {
        for (name, folds) in [("outer_folds", self.outer_folds), ("inner_folds", self.inner_folds)] {
            if folds < 2 {
                return Err(ModelError::parameter(name, folds, "at least 2"));
            }
        }
        require_level(self.level)?;
        Ok(NestedCrossValidation { params: self })
    }
}

/// A nested cross-validation with checked parameters; made by [`NestedValidationParams::check`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NestedCrossValidation {
    params: NestedValidationParams,
}

/// The training rows of an outer fold: all that a choice may learn from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OuterTraining {
    /// The outer fold, counted from 0.
    pub fold: usize,
    /// The features of the training rows.
    pub table: FeatureTable,
    /// The outcomes of the training rows.
    pub labels: Labels,
    /// The inner folds over the training rows, for the choice.
    pub folds: Folds,
}

/// Result of a nested cross-validation.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct NestedValidation {
    /// Risk of every row by the outer fold that held it out, in the order of the rows.
    pub risks: Vec<f64>,
    /// Area under the ROC curve of the pooled risks with DeLong's interval, which does not know that folds share
    /// training rows.
    pub pooled_auc: AucEstimate,
    /// Area under the ROC curve of each outer fold; NaN in a fold whose held-out rows are of one class.
    pub fold_auc: Vec<f64>,
}

/// Nested cross-validation of a procedure; checks the parameters first. `fit` gets the training rows of each outer fold
/// with inner folds over them, makes every choice there, and returns a function that predicts the risks of the rows of
/// a table.
///
/// # Errors
/// As [`NestedCrossValidation::run`], and [`ModelError::Parameter`] for a parameter outside its range.
pub fn nested_validation<P>(
    table: &FeatureTable,
    labels: &Labels,
    params: &NestedValidationParams,
    fit: impl Fn(&OuterTraining) -> Result<P> + Sync,
) -> Result<NestedValidation>
where
    P: Fn(&FeatureTable) -> Result<Vec<f64>>,
{
    params.check()?.run(table, labels, fit)
}

impl NestedCrossValidation {
    /// Nested cross-validation of a procedure, as [`nested_validation`].
    ///
    /// # Errors
    /// The errors of `fit` and of the function that it returns; [`ModelError::Selection`] when the folds cannot be
    /// dealt, or when the function returns another number of risks than it gets rows.
    pub fn run<P>(
        &self,
        table: &FeatureTable,
        labels: &Labels,
        fit: impl Fn(&OuterTraining) -> Result<P> + Sync,
    ) -> Result<NestedValidation>
    where
        P: Fn(&FeatureTable) -> Result<Vec<f64>>,
    {
        let NestedValidationParams { outer_folds, inner_folds, order, level } = self.params;
        table.require_rows(labels.len())?;
        let folds = Folds::stratified(labels, outer_folds, order)?;
        let risks = out_of_fold(&folds, |split| {
            let of_training = labels.select(&split.training);
            let training = OuterTraining {
                fold: split.fold,
                table: table.select_rows(&split.training),
                folds: Folds::stratified(&of_training, inner_folds, order)?,
                labels: of_training,
            };
            fit(&training)?(&table.select_rows(&split.held_out))
        })?;
        let area = |rows: &[usize]| {
            let part: Vec<f64> = rows.iter().map(|&r| risks[r]).collect();
            RocCurve::new(&labels.select(rows), &part, Direction::HigherIsPositive).map_or(f64::NAN, |roc| roc.auc())
        };
        let fold_auc = (0..folds.count()).map(|f| area(&folds.test_rows(f))).collect();
        let pooled_auc = auc_estimate(&RocCurve::new(labels, &risks, Direction::HigherIsPositive)?, level)?;
        Ok(NestedValidation { risks, pooled_auc, fold_auc })
    }
}

impl Tabulate for NestedValidation {
    const COLUMNS: &'static [&'static str] = &["fold", "AUC"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let pooled = cells!["pooled", self.pooled_auc.auc];
        self.fold_auc.iter().enumerate().map(|(k, auc)| cells![(k + 1).to_string(), *auc]).chain([pooled]).collect()
    }
}
