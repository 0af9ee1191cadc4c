//! The leak check finds a leak that is planted, and nothing where there is none.

// A cohort that cannot be made must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use alnm_examples::simulation::Simulation;
use alnm_selection::FeatureTable;
use alnm_selection::folds::{FoldOrder, Folds};
use alnm_study::Progress;
use alnm_study::analysis::FoldInputs;
use alnm_study::cohort::{self, Cohort};
use alnm_study::deep::NetworkFeatures;
use alnm_study::images::CohortFeatures;
use alnm_study::leak_check::{Material, check_fold_networks, check_leaks};
use alnm_study::preparation::ImagePreparationParams;
use alnm_study::scores::ScoreInputs;
use alnm_study::table::CohortTable;
use ndarray::Array2;

/// A simulated cohort with numbers in the place of features.
fn material() -> (Cohort, CohortFeatures, NetworkFeatures) {
    let folder = tempfile::tempdir().unwrap();
    Simulation::reduced(36, 3).unwrap().write(folder.path(), &Progress::silent().begin("simulated cohort", 0)).unwrap();
    let cohort = cohort::load(folder.path()).unwrap();
    let count = cohort.patients.len();
    let table = |rows: usize| {
        let values = Array2::from_shape_fn((rows, 3), |(row, column)| ((7 * row + 5 * column) % 11) as f64);
        FeatureTable::new(["a", "b", "c"].map(str::to_owned).to_vec(), values).unwrap()
    };
    let images = CohortFeatures {
        features: table(count),
        readers: [table(2), table(2)],
        crops: Vec::new(),
        undefined: Vec::new(),
        geometries: Vec::new(),
        fingerprints: Vec::new(),
        preparation: ImagePreparationParams::default(),
        reliability: None,
        series: None,
    };
    let deep = NetworkFeatures {
        vectors: (0..count).map(|row| vec![row as f32; 2]).collect(),
        history: Vec::new(),
        trained_on: cohort.training().into_iter().map(|patient| patient.id.clone()).collect(),
    };
    (cohort, images, deep)
}

/// Sums over rows of everything that could be learned from.
fn sums(material: Material<'_>, rows: &[usize]) -> Vec<f64> {
    let labels = CohortTable::new(material.cohort).unwrap().labels(rows);
    let features = material.images.features.select_rows(rows).values().sum();
    let vectors = rows.iter().map(|&row| f64::from(material.deep.vectors[row][0])).sum();
    let ages = rows.iter().map(|&row| material.cohort.patients[row].age_years).sum();
    vec![labels.positives() as f64, features, vectors, ages]
}

#[test]
fn learning_from_training_rows_leaks_nothing() {
    let (cohort, images, deep) = material();
    check_leaks(Material { cohort: &cohort, images: &images, deep: &deep }, |material| {
        Ok(format!("{:?}", sums(material, CohortTable::new(material.cohort)?.training())))
    })
    .unwrap();
}

#[test]
fn each_planted_leak_is_found() {
    let (cohort, images, deep) = material();
    let everyone: Vec<usize> = (0..cohort.patients.len()).collect();
    for leaking in 0..4 {
        let found = check_leaks(Material { cohort: &cohort, images: &images, deep: &deep }, |material| {
            let mut learned = sums(material, CohortTable::new(material.cohort)?.training());
            learned[leaking] = sums(material, &everyone)[leaking];
            Ok(format!("{learned:?}"))
        });
        // As many outcomes of each kind would hide a turned one: the reduced cohort has not.
        assert!(found.unwrap_err().to_string().contains("a leak"), "{leaking}");
    }
}

#[test]
fn a_network_of_a_fold_that_saw_the_folds_patients_is_found() {
    let (cohort, _, deep) = material();
    let table = CohortTable::new(&cohort).unwrap();
    let folds = Folds::stratified(&table.training_labels(), 10, FoldOrder::Shuffled { seed: 5 }).unwrap();
    let trained_on = |fold: usize| {
        let others = table.rows_at(&folds.training_rows(fold));
        table.patients(&others).into_iter().map(|patient| patient.id.clone()).collect()
    };
    let mut networks: Vec<NetworkFeatures> =
        (0..10).map(|fold| NetworkFeatures { trained_on: trained_on(fold), ..deep.clone() }).collect();
    check_fold_networks(&table, &networks, 5).unwrap();
    assert!(check_fold_networks(&table, &networks, 6).is_err(), "other folds");
    networks[3] = deep.clone();
    assert!(check_fold_networks(&table, &networks, 5).unwrap_err().to_string().contains("the network of fold 4"));
}

#[test]
fn fits_within_a_fold_see_the_deep_features_of_the_folds_network() {
    let (_, images, deep) = material();
    let inputs = ScoreInputs::new(
        &CohortFeatures { readers: [images.features.select_rows(&[]), images.features.select_rows(&[])], ..images },
        &deep_of(&deep),
        5,
    )
    .unwrap();
    let of_folds: Vec<FeatureTable> = (0..3)
        .map(|fold| {
            FeatureTable::new(vec!["deep_0".to_owned()], Array2::from_elem((deep.vectors.len(), 1), f64::from(fold)))
                .unwrap()
        })
        .collect();
    let fold_inputs = FoldInputs::new(&inputs, Some(&of_folds));
    assert_eq!(fold_inputs.of_fold(2).deep, of_folds[2]);
    assert_eq!(fold_inputs.of_fold(2).radiomic, inputs.radiomic);
    assert_eq!(FoldInputs::new(&inputs, None).of_fold(2).deep, inputs.deep);
}

/// Vectors of the length that networks give.
fn deep_of(deep: &NetworkFeatures) -> NetworkFeatures {
    NetworkFeatures { vectors: vec![vec![0.5; 1000]; deep.vectors.len()], ..deep.clone() }
}
