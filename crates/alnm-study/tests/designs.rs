//! Designs beside training in one centre: earlier and later patients, one centre alone, several that validate, every
//! centre left out, and further outcomes.

// A cohort that cannot be made must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

mod small_cohort;

use std::fs;
use std::path::Path;

use alnm_study::analysis::Results;
use alnm_study::cohort::{Cohort, FurtherOutcomes, NodalStage, Recurrence, load};
use alnm_study::further_outcomes::OutcomeModel;
use alnm_study::table::CohortTable;
use small_cohort::{analysed, cohort, features, study};

/// The cohort, some of its values missing, its patients dealt among three centres.
fn three_centres() -> Cohort {
    let mut cohort = cohort(false);
    let count = cohort.patients.len();
    for (row, patient) in cohort.patients.iter_mut().enumerate() {
        patient.centre = ["A", "B", "C"][3 * row / count].to_owned();
    }
    cohort.description.validation_centres = vec!["B".to_owned(), "C".to_owned()];
    cohort
}

#[test]
fn several_centres_are_judged_one_by_one_and_together() {
    let cohort = three_centres();
    let (_, results) = analysed(&cohort);
    let pooled = results.pooled_validation.as_ref().unwrap();
    let risks = |model: usize| -> Vec<f64> {
        results.validation.iter().flat_map(|centre| centre.performances[model].risks.clone()).collect()
    };
    assert_eq!(pooled.performances[9].risks, risks(9));
    assert_eq!(results.evaluations().count(), 5);
    // With one centre nothing is pooled.
    let (_, results) = analysed(&small_cohort::cohort(false));
    assert!(results.pooled_validation.is_none() && results.evaluations().count() == 3);
}

#[test]
fn every_centre_is_judged_by_what_was_learned_in_the_others() {
    let mut cohort = three_centres();
    let (images, deep) = features(&cohort);
    let (_, results) = analysed(&cohort);
    let out = tempfile::tempdir().unwrap();
    let mut study = study(out.path());
    let table = CohortTable::new(&cohort).unwrap();
    study.leave_one_centre_out(&table, &images, &deep, &results).unwrap();
    assert!(study.leave_one_centre_out.is_none(), "nobody asked for it");

    cohort.description.design.leave_one_centre_out = true;
    let table = CohortTable::new(&cohort).unwrap();
    study.leave_one_centre_out(&table, &images, &deep, &results).unwrap();
    let left_out = study.leave_one_centre_out.take().unwrap();
    let others: Vec<(&str, usize)> = left_out.centres.iter().map(|one| (one.centre.as_str(), one.patients)).collect();
    let all = cohort.patients.len();
    let without = |centre: &str| all - table.of_centre(centre).len();
    assert_eq!(others, [("A", without("A")), ("B", without("B")), ("C", without("C"))]);
    assert_eq!(left_out.models.len(), 10);
    for model in left_out.models.iter().filter(|model| ["Clinical", "Integrated"].contains(&model.model.as_str())) {
        for centre in &model.performance.centres {
            let area = centre.auc.unwrap();
            assert!(area.auc > 0.6, "{} in {}: {}", model.model, centre.centre, area.auc);
        }
        let mean = model.performance.logit_auc.unwrap();
        assert_eq!(mean.centres, 3);
    }
    // Finished work is found again, and is the same.
    study.leave_one_centre_out(&table, &images, &deep, &results).unwrap();
    let repeated = study.leave_one_centre_out.take().unwrap();
    assert_eq!(format!("{repeated:?}"), format!("{left_out:?}"));
}

#[test]
fn a_network_that_saw_the_centre_left_out_is_a_leak() {
    // With two centres the network of the training centre judges the other one, which it must not have seen.
    let mut cohort = three_centres();
    cohort.patients.retain(|patient| patient.centre != "C");
    cohort.description.validation_centres.pop();
    cohort.description.design.leave_one_centre_out = true;
    let (images, mut deep) = features(&cohort);
    let (_, results) = analysed(&cohort);
    let out = tempfile::tempdir().unwrap();
    let mut study = study(out.path());
    let table = CohortTable::new(&cohort).unwrap();
    deep.trained_on.push(cohort.validation()[0].id.clone());
    let error = format!("{:#}", study.leave_one_centre_out(&table, &images, &deep, &results).unwrap_err());
    assert!(error.contains("leaving out centre B: a leak: the network"), "{error}");
}

#[test]
fn centres_too_small_to_learn_from_are_refused() {
    let mut cohort = three_centres();
    cohort.patients.retain(|patient| patient.centre != "C");
    cohort.description.validation_centres.pop();
    cohort.description.design.leave_one_centre_out = true;
    let (images, deep) = features(&cohort);
    let (_, results) = analysed(&cohort);
    cohort.patients.iter_mut().filter(|patient| patient.centre == "B").for_each(|patient| patient.alnm = false);
    let out = tempfile::tempdir().unwrap();
    let table = CohortTable::new(&cohort).unwrap();
    let error = study(out.path()).leave_one_centre_out(&table, &images, &deep, &results).unwrap_err().to_string();
    assert!(error.contains("leaving out centre A: the others have 0 patients of the rarer outcome"), "{error}");
}

/// Patients with stages, nodes and recurrences that hang on the diameter.
fn with_further_outcomes() -> Cohort {
    let mut cohort = cohort(false);
    for (row, patient) in cohort.patients.iter_mut().enumerate() {
        let size = if patient.mtd_cm.is_nan() { 2.5 } else { patient.mtd_cm };
        let nodes = if patient.alnm { 1 + (size * ((row * 7) % 5) as f64 / 2.0) as u32 } else { 0 };
        let stage = match nodes {
            0 => NodalStage::N0,
            1..=3 => NodalStage::N1,
            _ => NodalStage::N2,
        };
        let months = 90.0 / (size * (0.5 + ((row * 13) % 11) as f64 / 10.0));
        patient.outcomes = FurtherOutcomes {
            nodal_stage: Some(stage),
            positive_nodes: Some(nodes),
            recurrence: (row % 10 != 0)
                .then(|| Recurrence { months: months.min(70.0), observed: months < 70.0 && row % 3 != 0 }),
        };
    }
    cohort
}

fn c_of(model: &OutcomeModel, cohort: &str, measure: &str) -> f64 {
    let found = model.performances.iter().find(|one| one.cohort == cohort).unwrap();
    found.performance.measure(measure).unwrap().estimate
}

#[test]
fn further_outcomes_are_modelled_where_the_table_has_them() {
    let cohort = with_further_outcomes();
    let (study, _) = analysed(&cohort);
    let models = &study.further_outcomes;
    let names: Vec<(&str, &str)> = models.iter().map(|one| (one.outcome.as_str(), one.model.as_str())).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    for (model, measure) in models.iter().zip(["C", "C", "C", "C", "Harrell's C", "Harrell's C"]) {
        assert_eq!(model.remarks, Vec::<String>::new(), "{} {}", model.outcome, model.model);
        let cohorts: Vec<&str> = model.performances.iter().map(|one| one.cohort.as_str()).collect();
        assert_eq!(cohorts, ["training", "training, cross-fitted", "B"]);
        for cohort in cohorts {
            let c = c_of(model, cohort, measure);
            assert!(c > 0.6, "{} {} {cohort} {c}", model.outcome, model.model);
        }
        // The diameter raises each of them.
        let size = model.coefficients.iter().find(|one| one.variable == "MTD").unwrap();
        assert!(size.estimate > 0.0, "{} {size:?}", model.outcome);
    }
    // One recurrence in ten is not known.
    assert_eq!((models[0].patients, models[4].patients), (100, 90));
    // Without the columns there is nothing.
    assert!(analysed(&small_cohort::cohort(false)).0.further_outcomes.is_empty());
}

#[test]
fn too_few_recurrences_are_said_and_not_modelled() {
    let mut cohort = with_further_outcomes();
    for patient in cohort.patients.iter_mut().skip(12) {
        patient.outcomes.recurrence = None;
    }
    let (study, _) = analysed(&cohort);
    let model = &study.further_outcomes[4];
    assert!(model.performances.is_empty() && model.remarks[0].contains("at least 10 are needed"), "{model:?}");
}

/// A cohort folder of 60 patients whose files are empty; `design` is added to `cohort.toml`, `columns` to the table.
fn folder(root: &Path, centres: &str, design: &str, columns: &str, cells: impl Fn(usize) -> String) {
    for file in ["i", "m"] {
        fs::write(root.join(file), "").unwrap();
    }
    let toml = format!("name = \"x\"\ntraining_centre = \"A\"\nvalidation_centres = {centres}\n{design}");
    fs::write(root.join("cohort.toml"), toml).unwrap();
    let header =
        "patient,centre,alnm,age_years,mtd_cm,sad_aln_cm,neutrophils,lymphocytes,monocytes,wbc,platelets,image,mask";
    let mut table = format!("{header}{columns}\n");
    for row in 0..60 {
        let step = f64::from(row as u32 * 7 % 60) / 60.0;
        let (neutrophils, lymphocytes, monocytes) = (3.0 + 2.0 * step, 1.2 + step, 0.3 + 0.2 * step);
        let measured = [
            40.0 + f64::from(row as u32 % 30),
            1.5 + 0.05 * f64::from(row as u32),
            0.6 + 0.4 * step,
            neutrophils,
            lymphocytes,
            monocytes,
            1.1 * (neutrophils + lymphocytes + monocytes),
            220.0 + f64::from(row as u32),
        ];
        let measured = measured.map(|value| format!("{value:.3}")).join(",");
        table += &format!("P{row:02},A,{},{measured},i,m{}\n", row % 2, cells(row));
    }
    fs::write(root.join("patients.csv"), table).unwrap();
}

#[test]
fn later_patients_validate_as_a_centre_of_their_own() {
    let root = tempfile::tempdir().unwrap();
    let day = |row: usize| format!(",2020-{:02}-01", 1 + row / 6);
    folder(root.path(), "[]", "[design]\nlater_from = \"2020-08-01\"\n", ",mri_date", day);
    let cohort = load(root.path()).unwrap();
    assert_eq!((cohort.training().len(), cohort.validation().len()), (42, 18));
    assert_eq!(cohort.description.validation_centres, ["A from 2020-08-01"]);
    assert!(cohort.flow().iter().any(|(group, patients)| group.contains("A from 2020-08-01") && *patients == 18));

    // A patient without the date is named.
    let without = |row: usize| if row == 7 { ",".to_owned() } else { day(row) };
    folder(root.path(), "[]", "[design]\nlater_from = \"2020-08-01\"\n", ",mri_date", without);
    let found = load(root.path()).unwrap_err().to_string();
    assert!(found.contains("patient P07, column mri_date: the date is missing"), "{found}");

    for (design, what) in [
        ("[design]\nlater_from = \"1.8.2020\"\n", "the day is `1.8.2020`"),
        ("[design]\nlater_from = \"2020-08-01\"\nleave_one_centre_out = true\n", "set together with later_from"),
        ("[design]\nsurvival_months = -1\n", "the time is -1 months"),
        ("[design]\nlater = 1\n", "unknown field"),
    ] {
        folder(root.path(), "[]", design, ",mri_date", day);
        let found = load(root.path()).unwrap_err().to_string();
        assert!(found.contains(what), "{found}");
    }
}

#[test]
fn one_centre_alone_is_a_study() {
    let root = tempfile::tempdir().unwrap();
    folder(root.path(), "[]", "", "", |_| String::new());
    let cohort = load(root.path()).unwrap();
    assert_eq!((cohort.training().len(), cohort.validation().len()), (60, 0));
    assert!(cohort.remarks.iter().any(|remark| remark.contains("no centre validates")), "{:?}", cohort.remarks);
}

#[test]
fn further_outcomes_are_read_and_held_against_the_outcome() {
    let root = tempfile::tempdir().unwrap();
    let stage = |row: usize| if row % 2 == 1 { "pN1a" } else { "pN0 (i-)" };
    let cells = |row: usize| format!(",{},{},{},{}", stage(row), 2 * (row % 2), 12 + row, ["no", "yes"][row % 2]);
    let columns = ",nodal stage,positive nodes,Follow-up months,recurrence";
    folder(root.path(), "[]", "", columns, cells);
    let cohort = load(root.path()).unwrap();
    let expected = FurtherOutcomes {
        nodal_stage: Some(NodalStage::N1),
        positive_nodes: Some(2),
        recurrence: Some(Recurrence { months: 13.0, observed: true }),
    };
    assert_eq!(cohort.patients[1].outcomes, expected);
    // They survive being written.
    alnm_study::cohort::write_patients(&root.path().join("patients.csv"), &cohort.patients).unwrap();
    assert_eq!(load(root.path()).unwrap().patients[1].outcomes, expected);

    let wrong = |row: usize| if row == 4 { ",N2,,,".to_owned() } else { cells(row) };
    folder(root.path(), "[]", "", columns, wrong);
    let found = load(root.path()).unwrap_err().to_string();
    assert!(found.contains("patient P04") && found.contains("nodal_stage is N2 where alnm is 0"), "{found}");
    let unread = |row: usize| if row == 4 { ",NX,-1,0,maybe".to_owned() } else { cells(row) };
    folder(root.path(), "[]", "", columns, unread);
    let found = load(root.path()).unwrap_err().to_string();
    for what in ["`NX` is no nodal stage", "`-1` is no count of nodes", "`0` is no time of follow-up", "`maybe`"] {
        assert!(found.contains(what), "{found}");
    }
}

#[test]
fn results_read_back_with_every_number_that_json_has_not() {
    let (_, mut results) = analysed(&cohort(false));
    results.training.performances[0].own_cutoff.cutoff = f64::INFINITY;
    results.validation[0].performances[1].carried_cutoff.cutoff = f64::NEG_INFINITY;
    results.odds_ratios[0].odds_ratio = f64::INFINITY;
    let text = serde_json::to_string(&results).unwrap();
    assert!(!text.contains("null,\"metrics\""), "{text}");
    let read: Results = serde_json::from_str(&text).unwrap();
    assert_eq!(read.training.performances[0].own_cutoff.cutoff, f64::INFINITY);
    assert_eq!(read.validation[0].performances[1].carried_cutoff.cutoff, f64::NEG_INFINITY);
    assert_eq!(read.odds_ratios[0].odds_ratio, f64::INFINITY);
    assert!(serde_json::to_string(&read).unwrap() == text);
}
