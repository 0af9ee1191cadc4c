//! The table of a cohort without missing values: completed by chained equations that are learned from given rows.

use alnm_imputation::{ChainedEquationsParams, ImputationMethod, MultipleImputation, VariablePlan};
use alnm_selection::FeatureTable;
use anyhow::{Context, Result};

use crate::cohort::Patient;
use crate::measurements::{MEASUREMENTS, MeasuredColumn};
use crate::patient_completion::{PatientCompletion, completed_names};
use crate::table::{CohortTable, clinical_table};

impl CohortTable<'_> {
    /// Every variable that a model may hold, of all patients: clinical variables, blood indices and the given scores.
    /// Where a value is missing, it is the first table that the training rows complete ([`CohortTable::completed`]).
    ///
    /// # Errors
    /// When the scores have another number of rows, and the errors of the imputation.
    pub fn with_scores(&self, scores: &FeatureTable) -> Result<FeatureTable> {
        self.completed(scores, self.training())?.into_iter().next().context("at least one table is completed")
    }

    /// Every variable that a model may hold, of all patients, without missing values: one table where none is missing,
    /// and else as many as `cohort.toml` asks for. Chained equations with the outcome and the scores among the
    /// predictors complete `rows`, the only ones that are learned from; the models that these give complete all other
    /// rows, without their outcomes.
    ///
    /// # Errors
    /// When the scores have another number of rows, and the errors of the imputation.
    pub fn completed(&self, scores: &FeatureTable, rows: &[usize]) -> Result<Vec<FeatureTable>> {
        let observed = self.observed(scores)?;
        if observed.values().iter().all(|value| !value.is_nan()) {
            return Ok(vec![observed]);
        }
        let completed = self.imputation(scores, rows)?;
        let others: Vec<usize> = (0..self.cohort().patients.len()).filter(|row| !rows.contains(row)).collect();
        let measured = measurements(&self.cohort().patients)?.beside(scores)?;
        let of_others = completed.model().impute(&measured.select_rows(&others))?;
        let table = |(of_rows, of_others): (&FeatureTable, &FeatureTable)| -> Result<FeatureTable> {
            let mut patients = self.cohort().patients.clone();
            for (table, rows) in [(of_rows, rows), (of_others, &others)] {
                for MeasuredColumn { name, field, .. } in &MEASUREMENTS {
                    for (value, &row) in table.column(name)?.iter().zip(rows) {
                        *field(&mut patients[row]) = *value;
                    }
                }
            }
            // A score that needs a feature which a patient lacks is completed as any other value.
            let score = |name: &String| -> Result<(String, Vec<f64>)> {
                let mut values = vec![f64::NAN; patients.len()];
                for (table, rows) in [(of_rows, rows), (of_others, &others)] {
                    table.column(name)?.iter().zip(rows).for_each(|(value, &row)| values[row] = *value);
                }
                Ok((name.clone(), values))
            };
            let scores = scores.names().iter().map(score).collect::<Result<_>>()?;
            Ok(clinical_table(&patients)?.beside(&FeatureTable::from_columns(scores)?)?)
        };
        completed.completed().iter().zip(&of_others).map(table).collect()
    }

    /// The imputation that is learned from some rows.
    ///
    /// # Errors
    /// As [`CohortTable::completed`].
    pub fn imputation(&self, scores: &FeatureTable, rows: &[usize]) -> Result<MultipleImputation> {
        let rules = &self.cohort().description.missing;
        let plans = MEASUREMENTS.iter().map(|one| VariablePlan::numeric(one.name).with_unit(one.unit));
        let plans = plans.chain(scores.names().iter().map(|name| VariablePlan::numeric(name)));
        let outcome = self.labels(rows).to_values();
        let table = measurements(&self.cohort().patients)?
            .beside(scores)?
            .select_rows(rows)
            .beside(&FeatureTable::from_columns(vec![(OUTCOME.to_owned(), outcome)])?)?;
        Ok(ChainedEquationsParams::new(plans.collect())
            .with_outcome(VariablePlan::binary(OUTCOME))
            .with_imputations(rules.imputations)
            .with_iterations(ITERATIONS)
            .with_seed(rules.seed)
            .check()?
            .impute(&table)?)
    }
}

impl CohortTable<'_> {
    /// What completes a new patient: Bayesian linear regressions of each variable on the others, on logarithms of what
    /// is measured, learned from the training rows and from no outcome ([`PatientCompletion`]).
    ///
    /// # Errors
    /// When the scores have another number of rows, and the errors of the imputation.
    pub fn patient_completion(&self, scores: &FeatureTable) -> Result<PatientCompletion> {
        let rules = &self.cohort().description.missing;
        let names = completed_names();
        let plans = names.iter().map(|name| VariablePlan::numeric(name).with_method(ImputationMethod::BayesianLinear));
        let measured = measurements(&self.cohort().patients)?.beside(scores)?.select_rows(self.training());
        let columns = measured.names().iter().zip(&names).map(|(column, name)| -> Result<(String, Vec<f64>)> {
            let is_measured = MEASUREMENTS.iter().any(|one| one.name == column);
            let value = |&value: &f64| if is_measured { value.ln() } else { value };
            Ok((name.clone(), measured.column(column)?.iter().map(value).collect()))
        });
        let imputation = ChainedEquationsParams::new(plans.collect())
            .with_imputations(rules.imputations)
            .with_iterations(ITERATIONS)
            .with_seed(rules.seed)
            .check()?
            .impute(&FeatureTable::from_columns(columns.collect::<Result<_>>()?)?)?;
        PatientCompletion::new(imputation.model())
    }
}

/// Rounds over the variables before a completed table is taken. White cells are nearly the sum of their kinds, so that
/// chains in which several are missing move slowly.
const ITERATIONS: usize = 20;

/// Name of the outcome among the predictors of the imputation.
const OUTCOME: &str = "alnm";

fn measurements(patients: &[Patient]) -> Result<FeatureTable> {
    let column = |one: &MeasuredColumn| (one.name.to_owned(), patients.iter().map(one.value).collect());
    Ok(FeatureTable::from_columns(MEASUREMENTS.iter().map(column).collect())?)
}
