//! Whether a validation patient influenced anything that was learned.
//!
//! Everything that is learned in seconds is learned a second time on a cohort in which the validation patients are
//! disguised: their outcomes are turned round, their features and clinical variables are other numbers, some of them
//! undefined or missing. Nothing that was learned may change by a bit. Fine-tuning is not repeated; the patients that the
//! network was trained on are on record and have to be those of the training centre.

use anyhow::{Result, ensure};
use ndarray::Array2;

use crate::analysis::Learned;
use crate::cohort::Cohort;
use crate::deep::NetworkFeatures;
use crate::images::CohortFeatures;
use crate::scores::ScoreInputs;
use crate::study::Study;
use crate::table::CohortTable;

/// What is learned from.
#[derive(Debug, Clone, Copy)]
pub struct Material<'a> {
    /// Outcomes and clinical variables.
    pub cohort: &'a Cohort,
    /// Radiomic features of one or two readers.
    pub images: &'a CohortFeatures,
    /// Deep features.
    pub deep: &'a NetworkFeatures,
}

/// Learns twice, the second time with disguised validation patients.
///
/// # Errors
/// When the two differ, or `learn` fails.
pub fn check_leaks(material: Material<'_>, learn: impl Fn(Material<'_>) -> Result<String>) -> Result<()> {
    let description = &material.cohort.description;
    let is_training: Vec<bool> =
        material.cohort.patients.iter().map(|patient| patient.centre == description.training_centre).collect();
    check_others(material, &is_training, learn)
}

/// Learns twice, the second time with all patients disguised that are not learned from.
///
/// # Errors
/// As [`check_leaks`].
pub(crate) fn check_others(
    material: Material<'_>,
    is_learned_from: &[bool],
    learn: impl Fn(Material<'_>) -> Result<String>,
) -> Result<()> {
    let Material { cohort, images, deep } = material;
    let cohort = disguised_cohort(cohort, is_learned_from);
    let images = disguised_images(images, is_learned_from)?;
    let deep = disguised_vectors(deep, is_learned_from);
    let disguised = Material { cohort: &cohort, images: &images, deep: &deep };
    ensure!(
        learn(material)? == learn(disguised)?,
        "a leak: with other outcomes and features of patients who are not learned from something else is learned"
    );
    Ok(())
}

/// One validation patient in so many lacks a count in the disguise.
const EVERY: usize = 7;

/// A finite number far from the one given.
fn disguise(value: f64) -> f64 {
    -3.0 * value + 1.0
}

fn disguised_cohort(cohort: &Cohort, is_training: &[bool]) -> Cohort {
    let mut disguised = cohort.clone();
    let patients = disguised.patients.iter_mut().zip(is_training).enumerate();
    for (row, (patient, _)) in patients.filter(|(_, (_, is_training))| !**is_training) {
        patient.alnm = !patient.alnm;
        let counts = &mut patient.blood;
        for value in [
            &mut patient.age_years,
            &mut patient.mtd_cm,
            &mut patient.sad_aln_cm,
            &mut counts.neutrophils,
            &mut counts.lymphocytes,
        ] {
            *value = 2.0 * *value + 1.0;
        }
        if row % EVERY == 0 {
            counts.platelets = f64::NAN;
        }
    }
    disguised
}

/// Other features of the validation patients, some of them undefined.
fn disguised_images(images: &CohortFeatures, is_training: &[bool]) -> Result<CohortFeatures> {
    let values = images.features.values();
    // Every third value is missing: which features validation patients have decides nothing either.
    let value = |(row, column): (usize, usize)| match values[[row, column]] {
        value if is_training[row] => value,
        _ if (row + column) % 3 == 0 => f64::NAN,
        value => disguise(value),
    };
    let features = alnm_selection::FeatureTable::new(
        images.features.names().to_vec(),
        Array2::from_shape_fn(values.dim(), value),
    )?;
    Ok(CohortFeatures { features, ..images.clone() })
}

fn disguised_vectors(deep: &NetworkFeatures, is_training: &[bool]) -> NetworkFeatures {
    let mut disguised = deep.clone();
    for (vector, _) in disguised.vectors.iter_mut().zip(is_training).filter(|(_, is_training)| !**is_training) {
        vector.iter_mut().for_each(|value| *value = disguise(f64::from(*value)) as f32);
    }
    disguised
}

/// Fails when the network of a fold was not trained on the other folds' patients alone.
///
/// # Errors
/// Which fold's.
pub fn check_fold_networks(table: &CohortTable<'_>, networks: &[NetworkFeatures], seed: u64) -> Result<()> {
    let folds = table.folds(seed)?;
    for (fold, network) in networks.iter().enumerate() {
        let others = table.patients(&table.rows_at(&folds.training_rows(fold)));
        let allowed: Vec<&String> = others.into_iter().map(|patient| &patient.id).collect();
        ensure!(
            network.trained_on.iter().collect::<Vec<_>>() == allowed,
            "a leak: the network of fold {} was not trained on the patients of the other folds alone",
            fold + 1
        );
    }
    Ok(())
}

impl Study {
    /// Fails when a validation patient influenced a selection, a score, a table, a model or a cutoff, or was among the
    /// patients that the network was trained on; and when the network of a fold was not trained without the fold's
    /// patients.
    ///
    /// # Errors
    /// What leaked.
    pub fn check_leaks(
        &mut self,
        cohort: &Cohort,
        images: &CohortFeatures,
        deep: &NetworkFeatures,
        of_folds: Option<&[NetworkFeatures]>,
    ) -> Result<()> {
        let step = self.progress().begin("leak check", 1);
        let training: Vec<&String> = cohort.training().into_iter().map(|patient| &patient.id).collect();
        ensure!(
            deep.trained_on.iter().collect::<Vec<_>>() == training,
            "a leak: the network was not trained on the patients of {} alone",
            cohort.description.training_centre
        );
        let seed = self.settings.seed;
        check_fold_networks(&CohortTable::new(cohort)?, of_folds.unwrap_or_default(), seed)?;
        check_leaks(Material { cohort, images, deep }, |material| {
            let inputs = ScoreInputs::new(material.images, material.deep, seed)?;
            let table = CohortTable::new(material.cohort)?;
            let scores = inputs.fit(table.training(), &table.training_labels())?;
            let learned = Learned::fit(&table, &table.with_scores(&scores.of(&inputs)?)?, seed)?;
            Ok(serde_json::to_string(&(&inputs.agreement, &scores.radiomic, &scores.deep, &learned))?)
        })?;
        step.advance();
        step.finish(&mut self.costs);
        Ok(())
    }
}
