//! The cohort as a table: one row per patient, which rows belong to which centre, outcomes and variables.

use alnm_imputation::{ChainedEquationsParams, MultipleImputation, VariablePlan};
use alnm_selection::folds::{FoldOrder, Folds};
use alnm_selection::{FeatureTable, Labels};
use anyhow::{Context, Result};

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
fn clinical_table(patients: &[Patient]) -> Result<FeatureTable> {
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

    /// Every variable that a model may hold, of all patients: clinical variables, blood indices and the given scores. Where
    /// a value is missing, it is the first table that the training rows complete ([`CohortTable::completed`]).
    ///
    /// # Errors
    /// When the scores have another number of rows, and the errors of the imputation.
    pub fn with_scores(&self, scores: &FeatureTable) -> Result<FeatureTable> {
        self.completed(scores, &self.training)?.into_iter().next().context("at least one table is completed")
    }

    /// Every variable that a model may hold, of all patients, as they were observed: a value that is missing is NaN.
    ///
    /// # Errors
    /// When the scores have another number of rows.
    pub fn observed(&self, scores: &FeatureTable) -> Result<FeatureTable> {
        Ok(self.clinical.beside(scores)?)
    }

    /// Every variable that a model may hold, of all patients, without missing values: one table where none is missing, and
    /// else as many as `cohort.toml` asks for. Chained equations with the outcome and the scores among the predictors
    /// complete `rows`, the only ones that are learned from; the models that these give complete all other rows, without
    /// their outcomes.
    ///
    /// # Errors
    /// When the scores have another number of rows, and the errors of the imputation.
    pub fn completed(&self, scores: &FeatureTable, rows: &[usize]) -> Result<Vec<FeatureTable>> {
        if self.clinical.values().iter().all(|value| !value.is_nan()) {
            return Ok(vec![self.observed(scores)?]);
        }
        let completed = self.imputation(scores, rows)?;
        let others: Vec<usize> = (0..self.cohort.patients.len()).filter(|row| !rows.contains(row)).collect();
        let measured = measurements(&self.cohort.patients)?.beside(scores)?;
        let of_others = completed.model().impute(&measured.select_rows(&others))?;
        let table = |(of_rows, of_others): (&FeatureTable, &FeatureTable)| -> Result<FeatureTable> {
            let mut patients = self.cohort.patients.clone();
            for (table, rows) in [(of_rows, rows), (of_others, &others)] {
                for MeasuredColumn { name, field, .. } in &MEASUREMENTS {
                    for (value, &row) in table.column(name)?.iter().zip(rows) {
                        *field(&mut patients[row]) = *value;
                    }
                }
            }
            Ok(clinical_table(&patients)?.beside(scores)?)
        };
        completed.completed().iter().zip(&of_others).map(table).collect()
    }

    /// The imputation that is learned from some rows.
    ///
    /// # Errors
    /// As [`CohortTable::completed`].
    pub fn imputation(&self, scores: &FeatureTable, rows: &[usize]) -> Result<MultipleImputation> {
        let rules = &self.cohort.description.missing;
        let plans = MEASUREMENTS.iter().map(|one| VariablePlan::numeric(one.name).with_unit(one.unit));
        let plans = plans.chain(scores.names().iter().map(|name| VariablePlan::numeric(name)));
        let outcome = self.labels(rows).to_values();
        let table = measurements(&self.cohort.patients)?
            .beside(scores)?
            .select_rows(rows)
            .beside(&FeatureTable::from_columns(vec![(OUTCOME.to_owned(), outcome)])?)?;
        Ok(ChainedEquationsParams::new(plans.collect())
            .with_outcome(VariablePlan::binary(OUTCOME))
            .with_imputations(rules.imputations)
            .with_seed(rules.seed)
            .check()?
            .impute(&table)?)
    }
}

/// Name of the outcome among the predictors of the imputation.
const OUTCOME: &str = "alnm";

/// A measured value that may be missing: its name, its unit and where a patient has it.
pub(crate) struct MeasuredColumn {
    pub(crate) name: &'static str,
    unit: &'static str,
    field: fn(&mut Patient) -> &mut f64,
    pub(crate) value: fn(&Patient) -> f64,
}

/// What is measured, and imputed; indices are computed from completed counts.
pub(crate) const MEASUREMENTS: [MeasuredColumn; 8] = [
    MeasuredColumn { name: "age_years", unit: "years", field: |p| &mut p.age_years, value: |p| p.age_years },
    MeasuredColumn { name: "mtd_cm", unit: "cm", field: |p| &mut p.mtd_cm, value: |p| p.mtd_cm },
    MeasuredColumn { name: "sad_aln_cm", unit: "cm", field: |p| &mut p.sad_aln_cm, value: |p| p.sad_aln_cm },
    MeasuredColumn {
        name: "neutrophils",
        unit: "10^9/L",
        field: |p| &mut p.blood.neutrophils,
        value: |p| p.blood.neutrophils,
    },
    MeasuredColumn {
        name: "lymphocytes",
        unit: "10^9/L",
        field: |p| &mut p.blood.lymphocytes,
        value: |p| p.blood.lymphocytes,
    },
    MeasuredColumn {
        name: "monocytes",
        unit: "10^9/L",
        field: |p| &mut p.blood.monocytes,
        value: |p| p.blood.monocytes,
    },
    MeasuredColumn { name: "wbc", unit: "10^9/L", field: |p| &mut p.blood.wbc, value: |p| p.blood.wbc },
    MeasuredColumn {
        name: "platelets",
        unit: "10^9/L",
        field: |p| &mut p.blood.platelets,
        value: |p| p.blood.platelets,
    },
];

fn measurements(patients: &[Patient]) -> Result<FeatureTable> {
    let column = |one: &MeasuredColumn| (one.name.to_owned(), patients.iter().map(one.value).collect());
    Ok(FeatureTable::from_columns(MEASUREMENTS.iter().map(column).collect())?)
}

fn rows_of(cohort: &Cohort, centre: &str) -> Vec<usize> {
    (0..cohort.patients.len()).filter(|&row| cohort.patients[row].centre == centre).collect()
}
