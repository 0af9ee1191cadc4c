//! Missing values are imputed from training rows alone, in each fold anew; pooled figures and those of complete cases stand
//! beside the first completed table.

// A cohort that cannot be made must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

mod small_cohort;

use alnm_selection::FeatureTable;
use alnm_study::cohort::Cohort;
use alnm_study::leak_check::{Material, check_leaks};
use alnm_study::table::CohortTable;
use small_cohort::{PATIENTS, TRAINING, analysed, cohort, features};

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
fn the_model_that_is_handed_on_is_pooled_and_judged_as_it_will_be_used() {
    let cohort = cohort(false);
    let (study, results) = analysed(&cohort);
    let missing = study.missing_values.unwrap();
    for (variable, pooled) in results.model.variables().iter().zip(&missing.coefficients[1..]) {
        assert_eq!((&variable.variable.name, variable.coefficient), (&pooled.term, pooled.pooled.estimate));
        assert!(pooled.standard_error > 0.0 && pooled.p_value < 1.0);
    }
    assert!(results.model.trained_on().contains("5 imputations"), "{}", results.model.trained_on());
    assert_eq!(results.model.cutoffs().len(), 1);
    let [training, validation] = &missing.handed_on[..] else { panic!("{:?}", missing.handed_on) };
    assert_eq!((training.cohort.as_str(), validation.cohort.as_str()), ("training", "B"));
    let complete = |centre: &str| missing.complete_patients.iter().find(|one| one.0 == centre).unwrap().1;
    // A count that no variable of the model needs is none that a risk lacks.
    assert!(validation.completed > 10 && validation.completed <= validation.patients - complete("B"));
    let pooled = missing.areas.iter().find(|area| area.model == "Integrated" && area.cohort == "B").unwrap();
    let (own, pooled) = (validation.auc.unwrap().estimate, pooled.pooled.unwrap().estimate);
    assert!((own - pooled).abs() < 0.05, "{own} {pooled}");
    assert!(missing.handed_on_risks.iter().all(|one| one.risk > 0.0 && one.risk < 1.0));
}

#[test]
fn what_completes_new_patients_knows_training_rows_alone_and_no_outcome() {
    let cohort = cohort(false);
    let written = |cohort: &Cohort| {
        let completion = CohortTable::new(cohort).unwrap().patient_completion(&any_scores()).unwrap();
        assert_eq!((completion.imputations(), completion.training_patients()), (5, TRAINING));
        serde_json::to_string(&completion).unwrap()
    };
    let expected = written(&cohort);
    let mut other = cohort.clone();
    other.patients.iter_mut().for_each(|patient| patient.alnm = !patient.alnm);
    other.patients[TRAINING..].iter_mut().for_each(|patient| patient.mtd_cm *= 3.0);
    assert!(written(&other) == expected);
    other.patients[0].mtd_cm = 9.0;
    assert!(written(&other) != expected);
    // No patient's values are in it, as mean matching would have them; the median may be one patient's.
    assert!(!expected.contains("mean_matching"), "{expected}");
    let stands_there = |value: f64| !value.is_nan() && expected.contains(&value.ln().to_string());
    assert!(cohort.patients.iter().filter(|patient| stands_there(patient.mtd_cm)).count() <= 1);
    let json: serde_json::Value = serde_json::from_str(&expected).unwrap();
    let read: alnm_study::PatientCompletion = serde_json::from_value(json).unwrap();
    assert!(serde_json::to_string(&read).unwrap() == expected);
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
