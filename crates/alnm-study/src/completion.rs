//! The table of a cohort without missing values: completed by chained equations that are learned from given rows.

use alnm_imputation::{ChainedEquationsParams, MultipleImputation, VariablePlan};
use alnm_selection::FeatureTable;
use anyhow::{Context, Result};

use crate::cohort::Patient;
use crate::table::{CohortTable, clinical_table};

impl CohortTable<'_> {
    /// Every variable that a model may hold, of all patients: clinical variables, blood indices and the given scores. Where
    /// a value is missing, it is the first table that the training rows complete ([`CohortTable::completed`]).
    ///
    /// # Errors
    /// When the scores have another number of rows, and the errors of the imputation.
    pub fn with_scores(&self, scores: &FeatureTable) -> Result<FeatureTable> {
        self.completed(scores, self.training())?.into_iter().next().context("at least one table is completed")
    }

    /// Every variable that a model may hold, of all patients, without missing values: one table where none is missing, and
    /// else as many as `cohort.toml` asks for. Chained equations with the outcome and the scores among the predictors
    /// complete `rows`, the only ones that are learned from; the models that these give complete all other rows, without
    /// their outcomes.
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

/// Rounds over the variables before a completed table is taken. White cells are nearly the sum of their kinds, so that
/// chains in which several are missing move slowly.
const ITERATIONS: usize = 20;

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
