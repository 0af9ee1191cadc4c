//! Missing values are imputed from training rows alone, in each fold anew; pooled figures and those of complete cases stand
//! beside the first completed table.

// A cohort that cannot be made must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use alnm_selection::FeatureTable;
use alnm_study::analysis::FoldInputs;
use alnm_study::cohort::{BloodCounts, Cohort, CohortDescription, Markers, MissingHandling, Patient, PatientDates};
use alnm_study::deep::NetworkFeatures;
use alnm_study::images::CohortFeatures;
use alnm_study::leak_check::{Material, check_leaks};
use alnm_study::preparation::ImagePreparationParams;
use alnm_study::scores::ScoreInputs;
use alnm_study::table::CohortTable;
use alnm_study::{BackboneSize, Study, StudySettings};
use ndarray::Array2;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

const TRAINING: usize = 100;
const PATIENTS: usize = 160;
const FEATURES: usize = 12;

/// Patients whose outcome hangs on the diameter and the blood, one value in twelve missing.
fn cohort(shuffled: bool) -> Cohort {
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

/// Features of which some tell the outcome a little.
fn features(cohort: &Cohort) -> (CohortFeatures, NetworkFeatures) {
    let mut generator = ChaCha8Rng::seed_from_u64(6);
    let mut value = |alnm: bool, column: usize| {
        let noise = (0..12).map(|_| generator.random::<f64>()).sum::<f64>() - 6.0;
        noise + if alnm && column < 3 { 0.8 } else { 0.0 }
    };
    let outcomes: Vec<bool> = cohort.patients.iter().map(|patient| patient.alnm).collect();
    let values = Array2::from_shape_fn((PATIENTS, FEATURES), |(row, column)| value(outcomes[row], column));
    let names: Vec<String> = (0..FEATURES).map(|column| format!("feature_{column}")).collect();
    let none = || FeatureTable::new(names.clone(), Array2::zeros((0, FEATURES))).unwrap();
    let images = CohortFeatures {
        features: FeatureTable::new(names.clone(), values).unwrap(),
        readers: [none(), none()],
        crops: Vec::new(),
        undefined: Vec::new(),
        geometries: Vec::new(),
        fingerprints: Vec::new(),
        preparation: ImagePreparationParams::default(),
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

/// Scores for tests that do not learn any.
fn any_scores() -> FeatureTable {
    let column = |factor: usize| (0..PATIENTS).map(|row| ((row * factor) % 31) as f64).collect();
    FeatureTable::from_columns(vec![("RadScore".to_owned(), column(7)), ("DLScore".to_owned(), column(11))]).unwrap()
}

#[test]
fn completed_tables_keep_what_is_known_and_compute_indices_from_completed_counts() {
    let cohort = cohort(false);
    let table = CohortTable::new(&cohort).unwrap();
    let observed = table.observed(&any_scores()).unwrap();
    let tables = table.completed(&any_scores(), table.training()).unwrap();
    assert_eq!(tables.len(), 5);
    assert!(tables[0] != tables[1], "imputations differ");
    for completed in &tables {
        completed.require_finite().unwrap();
        for (found, known) in completed.values().iter().zip(observed.values()) {
            assert!(known.is_nan() || found.to_bits() == known.to_bits());
        }
        // Patients who lack one count: the index and the ratio of the same count agree.
        for (row, patient) in cohort.patients.iter().enumerate() {
            let blood = patient.blood;
            if blood.neutrophils.is_nan() && !blood.lymphocytes.is_nan() && !blood.platelets.is_nan() {
                let (nlr, sii) = (completed.column("NLR").unwrap()[row], completed.column("SII").unwrap()[row]);
                assert!((nlr * blood.platelets - sii).abs() < 1e-9 * sii);
            }
        }
    }
    let complete = Cohort {
        patients: cohort.patients.iter().filter(|p| !format!("{p:?}").contains("NaN")).cloned().collect(),
        ..cohort.clone()
    };
    let count = complete.patients.len();
    let rows: Vec<usize> = (0..count).collect();
    let scores = any_scores().select_rows(&rows);
    let table = CohortTable::new(&complete).unwrap();
    assert_eq!(table.completed(&scores, table.training()).unwrap(), [table.observed(&scores).unwrap()]);
}

#[test]
fn rows_that_are_not_learned_from_change_nothing_and_are_completed_without_their_outcome() {
    let cohort = cohort(false);
    let table = CohortTable::new(&cohort).unwrap();
    // The rows of a fold: validation patients and part of the training patients are held out.
    let rows: Vec<usize> = (0..TRAINING).filter(|row| row % 10 != 3).collect();
    let others: Vec<usize> = (0..PATIENTS).filter(|row| !rows.contains(row)).collect();
    let expected = table.completed(&any_scores(), &rows).unwrap();

    let mut turned = cohort.clone();
    others.iter().for_each(|&row| turned.patients[row].alnm = !turned.patients[row].alnm);
    assert_eq!(CohortTable::new(&turned).unwrap().completed(&any_scores(), &rows).unwrap(), expected);

    let mut changed = cohort.clone();
    others.iter().for_each(|&row| changed.patients[row].mtd_cm *= 3.0);
    let found = CohortTable::new(&changed).unwrap().completed(&any_scores(), &rows).unwrap();
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.select_rows(&rows), expected.select_rows(&rows));
    }
}

#[test]
fn the_leak_check_sees_imputation() {
    let cohort = cohort(false);
    let (images, deep) = features(&cohort);
    let material = Material { cohort: &cohort, images: &images, deep: &deep };
    let imputed = |material: Material<'_>, rows: &[usize]| -> anyhow::Result<String> {
        let table = CohortTable::new(material.cohort)?;
        let completed = table.completed(&any_scores(), rows)?;
        Ok(format!("{:?}", completed[0].select_rows(table.training())))
    };
    check_leaks(material, |material| imputed(material, CohortTable::new(material.cohort)?.training())).unwrap();
    let everyone: Vec<usize> = (0..PATIENTS).collect();
    let leak = check_leaks(material, |material| imputed(material, &everyone)).unwrap_err().to_string();
    assert!(leak.contains("a leak"), "{leak}");
}

#[test]
fn a_score_that_a_validation_patient_lacks_is_completed() {
    let mut cohort = cohort(false);
    cohort.patients.retain(|patient| !format!("{patient:?}").contains("NaN"));
    let table = CohortTable::new(&cohort).unwrap();
    let rows: Vec<usize> = (0..cohort.patients.len()).collect();
    let scores = any_scores().select_rows(&rows);
    let last = cohort.patients.len() - 1;
    let mut lacking = scores.column("RadScore").unwrap().to_vec();
    lacking[last] = f64::NAN;
    let lacking = FeatureTable::from_columns(vec![
        ("RadScore".to_owned(), lacking),
        ("DLScore".to_owned(), scores.column("DLScore").unwrap().to_vec()),
    ])
    .unwrap();
    let tables = table.completed(&lacking, table.training()).unwrap();
    assert_eq!(tables.len(), 5);
    let known = table.observed(&scores).unwrap();
    let others: Vec<usize> = (0..last).collect();
    for completed in tables {
        completed.require_finite().unwrap();
        assert_eq!(completed.select_rows(&others), known.select_rows(&others));
    }
}

fn analysed(cohort: &Cohort) -> (Study, alnm_study::analysis::Results) {
    let out = tempfile::tempdir().unwrap();
    let mut study = Study::new(StudySettings {
        cohort: None,
        out: out.path().to_owned(),
        weights: None,
        epochs: 1,
        backbone_size: BackboneSize::Tiny,
        resamples: 2,
        seed: 3,
        shuffle_outcomes: false,
        cross_fit_network: false,
        compare_backbones: false,
        backbone_weights: None,
    });
    let (images, deep) = features(cohort);
    let inputs = ScoreInputs::new(&images, &deep, 3).unwrap();
    let table = CohortTable::new(cohort).unwrap();
    let scores = inputs.fitted_scores(table.training(), &table.training_labels()).unwrap();
    let variables = table.with_scores(&scores).unwrap();
    let results = study.analysis(&table, &variables, &FoldInputs::new(&inputs, None)).unwrap();
    (study, results)
}

#[test]
fn pooled_figures_stand_beside_those_of_complete_cases() {
    let cohort = cohort(false);
    let (study, results) = analysed(&cohort);
    let missing = study.missing_values.unwrap();
    assert_eq!((missing.imputations, missing.areas.len()), (5, 10 * 3));
    let lacking =
        |centre: &str| missing.missing.iter().filter(|one| one.centre == centre).map(|one| one.missing).sum::<usize>();
    assert!(lacking("A") > 40 && lacking("B") > 20);
    let (_, complete) = missing.complete_patients[0];
    assert!((30..70).contains(&complete), "{complete}");
    // White cells are nearly the sum of their kinds: their chains move slowly, and the figure says so.
    let moves_freely = |column: &str| !["neutrophils", "lymphocytes", "monocytes", "wbc"].contains(&column);
    assert_eq!(missing.convergence.len(), 8);
    for (column, r_hat) in missing.convergence.iter().filter(|(column, _)| moves_freely(column)) {
        assert!(*r_hat < 1.5, "{column} {r_hat}");
    }
    let names: Vec<&str> = missing.coefficients.iter().map(|one| one.term.as_str()).collect();
    assert_eq!(names, ["(Intercept)", "age", "MTD", "SAD_ALN", "SII", "RadScore", "DLScore"]);
    let mtd = &missing.coefficients[2];
    let complete = mtd.complete_cases.unwrap();
    // Complete cases are few: their interval is the wider one.
    let width = |interval: alnm_stats::Interval| interval.upper - interval.lower;
    assert!(mtd.fraction_missing_information > 0.0 && width(mtd.pooled.interval) < width(complete.interval));
    // Pooled areas lie near those of the first completed table, and Table 1 counts what is missing.
    for (place, area) in missing.areas.iter().filter(|area| area.cohort == "B").enumerate() {
        let first = results.validation[0].performances[place].auc.auc;
        assert!((area.pooled.unwrap().estimate - first).abs() < 0.06, "{} {first}", area.model);
    }
    let printed = format!("{:?}", results.table_one);
    assert!(printed.contains("missing"), "{printed}");
}

#[test]
fn outcomes_of_chance_stay_chance_with_imputation() {
    let cohort = cohort(true);
    let (study, _) = analysed(&cohort);
    let areas = study.missing_values.unwrap().areas;
    for area in areas.iter().filter(|area| area.model == "Clinical" && area.cohort != "training") {
        let pooled = area.pooled.unwrap();
        assert!((0.3..0.7).contains(&pooled.estimate), "{} {}", area.cohort, pooled.estimate);
    }
}
