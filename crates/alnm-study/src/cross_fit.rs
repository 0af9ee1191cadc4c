//! Judging patients by what was learned without them: selections, scores, imputations and models, fold by fold.

use alnm_models::model_set::ModelSpecification;
use alnm_models::{LogisticModel, LogisticParams};
use alnm_selection::FeatureTable;
use alnm_selection::cross_fitting::out_of_fold;
use alnm_selection::folds::{Folds, Split};
use anyhow::{Context, Result};

use crate::progress::Progress;
use crate::scores::ScoreInputs;
use crate::table::CohortTable;

/// Predictions of patients, by completed table, then by column of the prediction, then by patient in the order of the
/// folds' rows.
pub(crate) type FoldPredictions = Vec<Vec<Vec<f64>>>;

/// Rows of a cohort that were dealt into folds, and the features by which fits without a fold are made.
pub(crate) struct CrossFit<'a> {
    /// The cohort.
    pub table: &'a CohortTable<'a>,
    /// The rows that the positions of `folds` mean.
    pub rows: &'a [usize],
    /// The folds.
    pub folds: &'a Folds,
    /// The features for a fold, given the rows that may be learned from.
    pub inputs: &'a (dyn Fn(usize, &[usize]) -> Result<ScoreInputs> + Sync),
    /// Who may stop the work.
    pub progress: &'a Progress,
    /// Called after each fold's scores.
    pub advance: &'a (dyn Fn() + Sync),
}

/// The variables of all patients as a fold's fits see them, the rows to learn from and those to predict.
pub(crate) struct FoldVariables<'a> {
    /// The fold, from 0.
    pub fold: usize,
    /// Every variable that a model may hold, without missing values.
    pub variables: &'a FeatureTable,
    /// Rows that are learned from.
    pub training: &'a [usize],
    /// Rows that are predicted.
    pub held_out: &'a [usize],
}

impl CrossFit<'_> {
    /// Predictions by anything that is fitted to the variables of a fold's training rows: `predict` gives, for each
    /// column of the prediction, one value for each held-out row.
    pub(crate) fn predictions(
        &self,
        predict: impl Fn(&FoldVariables<'_>) -> Result<Vec<Vec<f64>>> + Sync,
    ) -> Result<FoldPredictions> {
        // One patient's predictions by all columns of all tables are one prediction.
        let of_fold = |split: &Split| -> Result<Vec<Vec<Vec<f64>>>> {
            self.progress.check_interrupt()?;
            let (training, held_out) = (self.rows_at(&split.training), self.rows_at(&split.held_out));
            let labels = self.table.labels(&training);
            let scores = (self.inputs)(split.fold, &training)?.fitted_scores(&training, &labels)?;
            let tables = self.table.completed(&scores, &training)?;
            (self.advance)();
            let columns = tables
                .iter()
                .map(|variables| {
                    predict(&FoldVariables { fold: split.fold, variables, training: &training, held_out: &held_out })
                })
                .collect::<Result<Vec<_>>>()?;
            let of_patient =
                |place: usize| columns.iter().map(|table| table.iter().map(|column| column[place]).collect()).collect();
            Ok((0..held_out.len()).map(of_patient).collect())
        };
        let of_patients: Vec<Vec<Vec<f64>>> = out_of_fold(self.folds, |split| {
            of_fold(split).with_context(|| format!("cross-fitting, fold {}", split.fold + 1))
        })?;
        let Some(first) = of_patients.first() else { return Ok(Vec::new()) };
        let column = |table: usize, column: usize| of_patients.iter().map(|patient| patient[table][column]).collect();
        let tables = first.iter().enumerate();
        Ok(tables.map(|(table, columns)| (0..columns.len()).map(|at| column(table, at)).collect()).collect())
    }

    /// The risks by logistic models.
    pub(crate) fn risks(&self, specifications: &[ModelSpecification]) -> Result<FoldPredictions> {
        self.predictions(|fold| {
            let labels = self.table.labels(fold.training);
            let risks = |model: &ModelSpecification| -> Result<Vec<f64>> {
                let columns = fold.variables.select(&model.variables)?;
                let training = columns.select_rows(fold.training);
                let fitted = LogisticModel::fit_finite(&training, &labels, &LogisticParams::default())?;
                Ok(fitted.predict(&columns.select_rows(fold.held_out))?)
            };
            specifications.iter().map(risks).collect()
        })
    }

    fn rows_at(&self, positions: &[usize]) -> Vec<usize> {
        positions.iter().map(|&position| self.rows[position]).collect()
    }
}
