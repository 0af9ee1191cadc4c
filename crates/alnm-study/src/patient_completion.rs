//! The imputation model in a bundle, which completes a patient who lacks a value.

use std::collections::BTreeMap;

use alnm_imputation::ImputationModel;
use alnm_models::Measurement;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::measurements::MEASUREMENTS;
use crate::variables::{DL_SCORE, RAD_SCORE};

/// Names of the variables of the imputation, in its order: logarithms of the measured columns, then the scores.
pub(crate) fn completed_names() -> Vec<String> {
    let measured = MEASUREMENTS.iter().map(|one| logarithm(one.name));
    measured.chain([RAD_SCORE, DL_SCORE].map(str::to_owned)).collect()
}

fn logarithm(column: &str) -> String {
    format!("ln {column}")
}

/// Regressions that complete a patient who lacks a value.
///
/// The study imputes its own tables by predictive mean matching, whose donors are values of its patients. What leaves
/// the hospital are regressions alone: each measured value on the logarithm and each score, linear in the others with
/// normal noise (`norm` of mice), learned from the training rows without any outcome, with parameters drawn anew for
/// each imputation. A patient is completed once by each. The completion depends on the patient's values and the bundle
/// alone, and its random numbers on the measured values among them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PatientCompletion {
    model: ImputationModel,
}

/// One set of values of a patient: what is known, and what may stand for the rest.
pub(crate) struct CompletedValues {
    /// Measured values by column.
    pub(crate) columns: BTreeMap<&'static str, f64>,
    pub(crate) rad_score: f64,
    pub(crate) dl_score: f64,
}

impl PatientCompletion {
    #[cfg(feature = "learning")]
    pub(crate) fn new(model: ImputationModel) -> Result<Self> {
        let completion = Self { model };
        completion.check()?;
        Ok(completion)
    }

    /// What must hold for one that was read.
    pub(crate) fn check(&self) -> Result<()> {
        let names: Vec<&str> = self.model.variables().collect();
        ensure!(
            names == completed_names(),
            "variables of the imputation are {names:?}; they must be {:?}",
            completed_names()
        );
        Ok(())
    }

    /// How many times a patient is completed.
    #[must_use]
    pub fn imputations(&self) -> usize {
        self.model.imputations()
    }

    /// Number of patients that it was learned from.
    #[must_use]
    pub fn training_patients(&self) -> usize {
        self.model.training_rows()
    }

    /// The patient's values with the missing ones completed, once for each imputation.
    ///
    /// # Errors
    /// For a measured value that has no logarithm.
    pub(crate) fn complete(
        &self,
        value: &dyn Fn(&str) -> Option<f64>,
        scores: [Option<f64>; 2],
    ) -> Result<Vec<CompletedValues>> {
        let mut known = Vec::new();
        for column in &MEASUREMENTS {
            let Some(value) = value(column.name).filter(|value| !value.is_nan()) else { continue };
            ensure!(
                value > 0.0 && value.is_finite(),
                "{} is {value}; it must be above 0 for other values to be completed from it",
                column.name
            );
            known.push(Measurement::new(&logarithm(column.name), "", value.ln()));
        }
        // Scores differ between processors in their last digits, and must not change what is drawn.
        let key: Vec<f64> = MEASUREMENTS.iter().map(|column| value(column.name).unwrap_or(f64::NAN)).collect();
        let given = [RAD_SCORE, DL_SCORE].into_iter().zip(scores);
        known.extend(given.filter_map(|(name, value)| Some(Measurement::new(name, "", value?))));
        let completed = self.model.complete_patient_by_key(&known, &key)?;
        let values = completed.values();
        let set = |row: usize| -> Result<CompletedValues> {
            // What is known keeps its bits.
            let of_column = |(place, column): (usize, &crate::measurements::MeasuredColumn)| {
                let own = value(column.name).filter(|value| !value.is_nan());
                (column.name, own.unwrap_or_else(|| values[[row, place]].exp()))
            };
            let score = |place: usize| values.get([row, MEASUREMENTS.len() + place]).copied();
            Ok(CompletedValues {
                columns: MEASUREMENTS.iter().enumerate().map(of_column).collect(),
                rad_score: score(0).context("the imputation gives a RadScore")?,
                dl_score: score(1).context("the imputation gives a DLScore")?,
            })
        };
        (0..completed.rows()).map(set).collect()
    }
}
