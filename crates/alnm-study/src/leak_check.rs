//! Checks that no validation patient influenced anything that was learned.
//!
//! Everything except the network is learned a second time on a cohort in which the data of the validation patients are
//! altered: their outcomes are inverted, and their features and clinical variables are replaced by other numbers, some
//! of them undefined or missing. What was learned must not change by a single bit. Fine-tuning is not repeated; the
//! patients that the network was trained on are recorded and have to be those of the training centre. Intensity scales
//! and habitats are learned again with synthetic validation patients among the recorded ones.

use alnm_imaging::standardisation::SiteScale;
use anyhow::{Result, ensure};
use ndarray::Array2;

use crate::analysis::Learned;
use crate::cohort::Cohort;
use crate::deep::NetworkFeatures;
use crate::images::CohortFeatures;
use crate::scores::ScoreInputs;
use crate::series::{LearnedFromSeries, PatientEvidence, ScaleEvidence, SeriesEvidence, learn};
use crate::study::Study;
use crate::table::CohortTable;

/// The data from which models are learned.
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

/// Fails when scales of intensities or habitats were learned from a patient of a validation centre: when one is on
/// record among those who were learned from, when made-up patients of the validation centres among the training
/// patients change a bit of what is learned, or when the images were prepared by something else.
///
/// # Errors
/// What leaked.
pub fn check_series_learning(
    cohort: &Cohort,
    images: &CohortFeatures,
    learn: impl Fn(&[PatientEvidence]) -> Result<LearnedFromSeries>,
) -> Result<()> {
    let Some(learning) = &images.series else { return Ok(()) };
    for patient in cohort.validation() {
        ensure!(
            learning.patients.iter().all(|evidence| evidence.patient != patient.id),
            "a leak: scales of intensities or habitats were learned from patient {} of {}",
            patient.id,
            patient.centre
        );
    }
    // Validation patients could have been anyone: here each is the first training patient, far off.
    let model = learning.patients.first().map(|patient| disguised_evidence(&patient.evidence));
    let made_up = cohort.validation().into_iter().zip(model.iter().cycle());
    let made_up =
        made_up.map(|(patient, evidence)| PatientEvidence::new(&patient.id, &patient.centre, evidence.clone()));
    let patients: Vec<PatientEvidence> = made_up.chain(learning.patients.iter().cloned()).collect();
    let text = |learned: &LearnedFromSeries| serde_json::to_string(learned);
    let learned = text(&learn(&learning.patients)?)?;
    ensure!(
        learned == text(&learn(&patients)?)?,
        "a leak: with patients of validation centres other scales of intensities or habitats are learned"
    );
    let used = images.preparation.series.as_ref().map(|series| text(&series.learned)).transpose()?;
    ensure!(
        used.as_ref() == Some(&learned),
        "a leak: images were prepared by other scales of intensities or habitats than the training patients give"
    );
    Ok(())
}

/// What images far from the given ones would give. Quantiles stay those of the one patient, which pull an average as
/// well.
fn disguised_evidence(evidence: &SeriesEvidence) -> SeriesEvidence {
    let away = |value: f64| 3.0 * value + 1.0;
    let scale = |scale: &ScaleEvidence| match scale {
        // Landmarks are brought to the common scale by a straight line, behind which a straight line would hide.
        ScaleEvidence::Nyul(landmarks) => {
            let first = landmarks.first().copied().unwrap_or_default();
            ScaleEvidence::Nyul(landmarks.iter().map(|landmark| (landmark - first).powi(2)).collect())
        }
        ScaleEvidence::Site(scale) => {
            let moved = SiteScale::new(away(scale.mean()), 3.0 * scale.standard_deviation());
            ScaleEvidence::Site(moved.unwrap_or(SiteScale::Z_SCORE))
        }
        ScaleEvidence::HistogramMatching(reference) => ScaleEvidence::HistogramMatching(reference.clone()),
    };
    SeriesEvidence {
        scales: evidence.scales.iter().map(scale).collect(),
        voxels: evidence.voxels.iter().map(|voxel| voxel.iter().copied().map(away).collect()).collect(),
    }
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
        let centre = &cohort.description.training_centre;
        if let Some(series) = &images.series {
            check_series_learning(cohort, images, |patients| learn(&series.options, centre, patients))?;
        }
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
