//! The cohort as a table: one row per patient, which rows belong to which centre, outcomes and variables.

use alnm_selection::folds::{FoldOrder, Folds};
use alnm_selection::{FeatureTable, Labels};
use anyhow::Result;

use crate::cohort::{Cohort, Patient};
use crate::variables::VARIABLES;

/// Folds of every cross-validation.
pub const FOLDS: usize = 10;

/// A cohort as a table. Rows are the patients in the cohort's order; values that are not known are NaN.
#[derive(Debug, Clone)]
pub struct CohortTable<'a> {
    cohort: &'a Cohort,
    training: Vec<usize>,
    clinical: FeatureTable,
}

/// The clinical variables and blood indices of patients as columns.
pub(crate) fn clinical_table(patients: &[Patient]) -> Result<FeatureTable> {
    let columns = VARIABLES.iter().filter_map(|variable| {
        let values: Option<Vec<f64>> = patients.iter().map(|patient| variable.of(patient)).collect();
        Some((variable.name.to_owned(), values?))
    });
    Ok(FeatureTable::from_columns(columns.collect())?)
}

impl<'a> CohortTable<'a> {
    /// The table of a cohort, with the clinical variables and blood indices of all patients as columns.
    ///
    /// # Errors
    /// When the cohort has no patients.
    pub fn new(cohort: &'a Cohort) -> Result<Self> {
        Ok(Self {
            cohort,
            training: rows_of(cohort, &cohort.description.training_centre),
            clinical: clinical_table(&cohort.patients)?,
        })
    }

    /// The cohort.
    #[must_use]
    pub fn cohort(&self) -> &'a Cohort {
        self.cohort
    }

    /// Rows of the training centre.
    #[must_use]
    pub fn training(&self) -> &[usize] {
        &self.training
    }

    /// Rows of a centre.
    #[must_use]
    pub fn of_centre(&self, centre: &str) -> Vec<usize> {
        rows_of(self.cohort, centre)
    }

    /// The validation centres with their rows.
    pub fn validation(&self) -> impl Iterator<Item = (&'a str, Vec<usize>)> {
        let centres = self.cohort.description.validation_centres.iter();
        centres.map(|centre| (centre.as_str(), self.of_centre(centre)))
    }

    /// The training centre, then the validation centres, with their rows.
    pub fn centres(&self) -> impl Iterator<Item = (&'a str, Vec<usize>)> {
        let training = self.cohort.description.training_centre.as_str();
        std::iter::once((training, self.training.clone())).chain(self.validation())
    }

    /// The patients of some rows.
    #[must_use]
    pub fn patients(&self, rows: &[usize]) -> Vec<&'a Patient> {
        rows.iter().map(|&row| &self.cohort.patients[row]).collect()
    }

    /// The outcomes of some rows.
    #[must_use]
    pub fn labels(&self, rows: &[usize]) -> Labels {
        Labels::new(rows.iter().map(|&row| self.cohort.patients[row].alnm).collect())
    }

    /// The outcomes of the training centre.
    #[must_use]
    pub fn training_labels(&self) -> Labels {
        self.labels(&self.training)
    }

    /// The folds of every cross-validation of the training centre: positions among its rows.
    ///
    /// # Errors
    /// When the training centre has fewer patients of an outcome than there are folds.
    pub fn folds(&self, seed: u64) -> Result<Folds> {
        Ok(Folds::stratified(&self.training_labels(), FOLDS, FoldOrder::Shuffled { seed })?)
    }

    /// The rows of some positions among the rows of the training centre, as folds name them.
    #[must_use]
    pub fn rows_at(&self, positions: &[usize]) -> Vec<usize> {
        positions.iter().map(|&position| self.training[position]).collect()
    }

    /// Clinical variables and blood indices of all patients.
    #[must_use]
    pub fn clinical(&self) -> &FeatureTable {
        &self.clinical
    }

    /// Every variable that a model may hold, of all patients, as they were observed: a value that is missing is NaN.
    ///
    /// # Errors
    /// When the scores have another number of rows.
    pub fn observed(&self, scores: &FeatureTable) -> Result<FeatureTable> {
        Ok(self.clinical.beside(scores)?)
    }
}

fn rows_of(cohort: &Cohort, centre: &str) -> Vec<usize> {
    (0..cohort.patients.len()).filter(|&row| cohort.patients[row].centre == centre).collect()
}
