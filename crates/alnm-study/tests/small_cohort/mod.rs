//! A cohort of two centres with features that were drawn, without images.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use alnm_selection::FeatureTable;
use alnm_study::analysis::{FoldInputs, Results};
use alnm_study::cohort::{
    BloodCounts, Cohort, CohortDescription, FurtherOutcomes, Markers, MissingHandling, Patient, PatientDates,
};
use alnm_study::deep::NetworkFeatures;
use alnm_study::images::CohortFeatures;
use alnm_study::preparation::ImagePreparationParams;
use alnm_study::scores::ScoreInputs;
use alnm_study::table::CohortTable;
use alnm_study::{Study, StudySettings};
use ndarray::Array2;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

pub(crate) const TRAINING: usize = 100;
pub(crate) const PATIENTS: usize = 160;
const FEATURES: usize = 12;

/// Patients whose outcome hangs on the diameter and the blood, one value in twelve missing.
pub(crate) fn cohort(shuffled: bool) -> Cohort {
    let mut generator = ChaCha8Rng::seed_from_u64(5);
    let patients = (0..PATIENTS)
        .map(|row| {
            let mut normal = || (0..12).map(|_| generator.random::<f64>()).sum::<f64>() - 6.0;
            let (size, inflammation) = (normal(), normal());
            let chance = normal();
            let lymphocytes = (0.6 - 0.2 * inflammation + 0.1 * normal()).exp();
            let neutrophils = (1.3 + 0.2 * inflammation + 0.1 * normal()).exp();
            let monocytes = 0.2 * lymphocytes * (0.1 * normal()).exp();
            let platelets = 250.0 * (0.1 * inflammation + 0.15 * normal()).exp();
            let values = [
                50.0 + 10.0 * normal(),
                (0.9 + 0.4 * size).exp(),
                (-0.3 + 0.3 * size + 0.3 * normal()).exp(),
                neutrophils,
                lymphocytes,
                monocytes,
                1.1 * (neutrophils + lymphocytes + monocytes),
                platelets,
            ];
            let [age_years, mtd_cm, sad_aln_cm, neutrophils, lymphocytes, monocytes, wbc, platelets] =
                values.map(|value| if generator.random::<f64>() < 1.0 / 12.0 { f64::NAN } else { value });
            let alnm = if shuffled { generator.random::<f64>() < 0.5 } else { size + inflammation + chance > 0.0 };
            Patient {
                id: format!("P{row:03}"),
                centre: if row < TRAINING { "A" } else { "B" }.to_owned(),
                alnm,
                age_years,
                mtd_cm,
                sad_aln_cm,
                markers: Markers { pr: None, er: None, her2: None, ki67: None },
                subtype: None,
                blood: BloodCounts { neutrophils, lymphocytes, monocytes, wbc, platelets },
                dates: PatientDates::default(),
                outcomes: FurtherOutcomes::default(),
                image: PathBuf::new(),
                mask: PathBuf::new(),
                mask_reader2: None,
                further: BTreeMap::new(),
            }
        })
        .collect();
    let mut description = CohortDescription::new("missing values", "A", &["B"]);
    description.missing.policy = Some(MissingHandling::Impute);
    description.missing.imputations = 5;
    Cohort { folder: PathBuf::new(), description, patients, excluded: Vec::new(), remarks: Vec::new() }
}

/// Features of which some tell the outcome a little, and crops of 32 x 32 pixels, which do so too.
pub(crate) fn features(cohort: &Cohort) -> (CohortFeatures, NetworkFeatures) {
    let mut generator = ChaCha8Rng::seed_from_u64(6);
    let mut value = |alnm: bool, column: usize| {
        let noise = (0..12).map(|_| generator.random::<f64>()).sum::<f64>() - 6.0;
        noise + if alnm && column < 3 { 0.8 } else { 0.0 }
    };
    let outcomes: Vec<bool> = cohort.patients.iter().map(|patient| patient.alnm).collect();
    let values = Array2::from_shape_fn((outcomes.len(), FEATURES), |(row, column)| value(outcomes[row], column));
    let names: Vec<String> = (0..FEATURES).map(|column| format!("feature_{column}")).collect();
    let none = || FeatureTable::new(names.clone(), Array2::zeros((0, FEATURES))).unwrap();
    let mut generator = ChaCha8Rng::seed_from_u64(8);
    let mut crop = |alnm: bool| {
        let brightness = if alnm { 0.2 } else { 0.0 };
        Array2::from_shape_simple_fn((32, 32), || brightness + 0.8 * generator.random::<f32>())
    };
    let images = CohortFeatures {
        features: FeatureTable::new(names.clone(), values).unwrap(),
        readers: [none(), none()],
        crops: outcomes.iter().map(|&alnm| crop(alnm)).collect(),
        undefined: Vec::new(),
        geometries: Vec::new(),
        fingerprints: Vec::new(),
        preparation: ImagePreparationParams::default(),
        reliability: None,
        series: None,
    };
    let vectors = cohort
        .patients
        .iter()
        .map(|patient| {
            (0..1000).map(|column| if column < 20 { value(patient.alnm, column) as f32 } else { 0.0 }).collect()
        })
        .collect();
    let trained_on = cohort.training().into_iter().map(|patient| patient.id.clone()).collect();
    (images, NetworkFeatures { vectors, history: Vec::new(), trained_on })
}

/// A study of the smallest size on a folder for its results.
pub(crate) fn study(out: &Path) -> Study {
    Study::new(StudySettings { epochs: 1, resamples: 2, seed: SEED, ..StudySettings::quick(out.to_owned()) })
}

/// The seed of everything random in it.
pub(crate) const SEED: u64 = 3;

/// What is learned from the features of a cohort, and the study that did it.
pub(crate) fn analysed(cohort: &Cohort) -> (Study, Results) {
    let out = tempfile::tempdir().unwrap();
    let mut study = study(out.path());
    let (images, deep) = features(cohort);
    let inputs = ScoreInputs::new(&images, &deep, SEED).unwrap();
    let table = CohortTable::new(cohort).unwrap();
    let scores = inputs.fitted_scores(table.training(), &table.training_labels()).unwrap();
    let variables = table.with_scores(&scores).unwrap();
    let results = study.analysis(&table, &variables, &FoldInputs::new(&inputs, None)).unwrap();
    (study, results)
}
