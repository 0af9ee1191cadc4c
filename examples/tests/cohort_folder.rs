//! The simulated cohort through the loader that reads anyone's own: complete, damaged, and taken up again.

// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use alnm_examples::simulation::Simulation;
use alnm_imaging::{read_mask, write_mask};
use alnm_study::cohort::{self, check_files};
use alnm_study::images::TimeIntensity;
use alnm_study::progress::RunningStep;
use alnm_study::{BackboneSize, Progress, Study, StudySettings};

/// A step that nobody hears of.
fn step() -> RunningStep {
    Progress::silent().begin("simulated cohort", 0)
}

fn simulate(folder: &Path) -> anyhow::Result<()> {
    Simulation::reduced(36, 3)?.write(folder, &step())
}

/// Problems of the files of a folder whose table is in order, as text.
fn problems(folder: &Path) -> Vec<String> {
    let cohort = cohort::load(folder).expect("the table is in order");
    let patients: Vec<_> = cohort.patients.iter().collect();
    check_files(&cohort, &patients, &|| ()).iter().map(ToString::to_string).collect()
}

#[test]
fn a_simulated_cohort_is_complete_reused_and_refused_when_damaged() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("cohort");
    simulate(&folder).unwrap();
    assert_eq!(problems(&folder), Vec::<String>::new());
    let cohort = cohort::load(&folder).unwrap();
    assert!(cohort.description.simulated);
    assert!(cohort.patients.iter().any(|patient| patient.mask_reader2.is_some()));
    let enhancement = TimeIntensity::of(&cohort).unwrap().unwrap();
    assert_eq!(enhancement.curve.times().len(), 9);
    assert!(enhancement.kinetics.peak_enhancement > 0.5);

    let table = fs::read(folder.join("patients.csv")).unwrap();
    simulate(&folder).unwrap();
    assert_eq!(fs::read(folder.join("patients.csv")).unwrap(), table);
    let other = Simulation::reduced(36, 4).unwrap().write(&folder, &step()).unwrap_err();
    assert!(other.to_string().contains("holds the simulated cohort"), "{other}");

    // As an interruption leaves it: some patients are finished, one of them damaged, and the record is missing.
    let record: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("simulation.json")).unwrap()).unwrap();
    let files = record["files"].as_array().unwrap();
    let lines: Vec<String> =
        std::iter::once(&record["simulation"]).chain(&files[..9]).map(ToString::to_string).collect();
    fs::write(folder.join("simulation.unfinished.jsonl"), format!("{}\n{{\"patient\":\"A0", lines.join("\n"))).unwrap();
    fs::remove_file(folder.join("simulation.json")).unwrap();
    let mask = folder.join(&cohort.patients[2].mask);
    let original = fs::read(&mask).unwrap();
    fs::write(&mask, b"damaged").unwrap();
    simulate(&folder).unwrap();
    assert_eq!(fs::read(&mask).unwrap(), original);
    assert_eq!(fs::read(folder.join("patients.csv")).unwrap(), table);

    fs::write(&mask, b"damaged").unwrap();
    let error = simulate(&folder).unwrap_err().to_string();
    assert!(error.contains(&cohort.patients[2].id) && error.contains("changed or are missing"), "{error}");
}

#[test]
fn every_damaged_file_of_a_cohort_is_named() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("cohort");
    simulate(&folder).unwrap();
    let path = |id: &str| folder.join(format!("masks/{id}_reader1.nii.gz"));
    let truncated = fs::read(path("A001")).unwrap();
    fs::write(path("A001"), &truncated[..truncated.len() / 2]).unwrap();
    fs::copy(path("A002"), path("B001")).unwrap();
    let mut slices: Vec<_> =
        fs::read_dir(folder.join("images/A003")).unwrap().map(|entry| entry.unwrap().path()).collect();
    slices.sort();
    fs::remove_file(&slices[10]).unwrap();
    let problems = problems(&folder);
    assert_eq!(problems.len(), 3, "{problems:#?}");
    for (problem, words) in problems.iter().zip([["A001", "masks/A001"], ["A003", "images/A003"], ["B001", "grid"]]) {
        assert!(words.iter().all(|word| problem.contains(word)), "{problem}");
    }

    fs::write(folder.join("cohort.toml"), "name = \"x\"\ntraining_center = \"a\"\n").unwrap();
    let table = fs::read_to_string(folder.join("patients.csv")).unwrap();
    fs::write(folder.join("patients.csv"), table.replacen("A004_reader1", "absent", 1)).unwrap();
    let error = cohort::load(&folder).unwrap_err().to_string();
    assert!(error.contains("cohort.toml") && error.contains("patient A004, column mask"), "{error}");
}

/// Replaces a cell of `patients.csv`.
fn set(folder: &Path, patient: &str, column: &str, value: &str) {
    let path = folder.join("patients.csv");
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let header = reader.headers().unwrap().clone();
    let place = header.iter().position(|name| name == column).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let mut writer = csv::Writer::from_path(&path).unwrap();
    writer.write_record(&header).unwrap();
    for row in rows {
        let changed = |(index, cell)| if &row[0] == patient && index == place { value } else { cell };
        writer.write_record(row.iter().enumerate().map(changed)).unwrap();
    }
    writer.flush().unwrap();
}

/// The cohort as a run of the study sees it.
fn settled(folder: &Path) -> anyhow::Result<cohort::Cohort> {
    Study::new(settings(folder, &folder.join("unused"))).checked_cohort()
}

fn settings(folder: &Path, out: &Path) -> StudySettings {
    StudySettings {
        cohort: Some(folder.to_owned()),
        out: out.to_owned(),
        weights: None,
        epochs: 1,
        backbone_size: BackboneSize::Tiny,
        resamples: 1,
        seed: 1,
        shuffle_outcomes: false,
        cross_fit_network: false,
        compare_backbones: false,
        backbone_weights: None,
        shows_identifiers: false,
        tiff: false,
    }
}

#[test]
fn fifteen_faults_are_reported_at_once_or_excluded() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("cohort");
    Simulation::reduced(90, 3).unwrap().write(&folder, &step()).unwrap();
    let cohort = cohort::load(&folder).unwrap();
    let mask = |id: &str| folder.join(format!("masks/{id}_reader1.nii.gz"));
    let slices = |id: &str| {
        let mut slices: Vec<_> =
            fs::read_dir(folder.join(format!("images/{id}"))).unwrap().map(|entry| entry.unwrap().path()).collect();
        slices.sort();
        slices
    };
    let damage = |path: &Path, keep: usize| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / keep]).unwrap();
    };
    // Files.
    damage(&mask("A001"), 2);
    fs::copy(mask("A002"), mask("B001")).unwrap();
    fs::remove_file(&slices("A003")[10]).unwrap();
    fs::remove_file(mask("A004")).unwrap();
    fs::remove_dir_all(folder.join("images/A005")).unwrap();
    slices("A006").iter().for_each(|slice| fs::write(slice, b"no DICOM file").unwrap());
    let original = read_mask(mask("A007")).unwrap();
    write_mask(mask("A007"), &original.map(|label| 5 * label)).unwrap();
    // Cells.
    for (patient, column, value) in [
        ("A008", "age_years", "fifty"),
        ("A009", "mtd_cm", "31"),
        ("A010", "alnm", "maybe"),
        ("A011", "sad_aln_cm", "0.5 cm"),
        ("A012", "wbc", "0.5"),
        ("A013", "centre", "C"),
        ("A014", "platelets", ""),
        ("A015", "image", ""),
    ] {
        set(&folder, patient, column, value);
    }
    let faulty: Vec<String> =
        (1..=15).filter(|n| *n != 2).map(|n| format!("A{n:03}")).chain(["B001".to_owned()]).collect();
    assert!(
        faulty.iter().all(|id| cohort.patients.iter().any(|patient| patient.id == *id)),
        "the simulated cohort has these patients"
    );

    let report = settled(&folder).unwrap_err().to_string();
    for id in &faulty {
        assert_eq!(report.matches(&format!("patient {id},")).count(), 1, "{id}: {report}");
    }
    assert_eq!(report.matches("\n  - ").count(), faulty.len(), "{report}");
    assert!(!folder.join("unused").exists());
    // A run that ends there says the same, although it reads headers first.
    let mut run = Study::new(settings(&folder, &folder.join("unused")));
    assert_eq!(run.cohort().unwrap_err().to_string(), report);

    let description = fs::read_to_string(folder.join("cohort.toml")).unwrap();
    fs::write(folder.join("cohort.toml"), description.replace("\"refuse\"", "\"exclude\"")).unwrap();
    let remaining = settled(&folder).unwrap();
    let excluded: Vec<&String> = remaining.excluded.iter().map(|exclusion| &exclusion.patient).collect();
    assert_eq!(excluded, faulty.iter().collect::<Vec<_>>());
    assert_eq!(remaining.patients.len() + faulty.len(), cohort.patients.len());
    assert_eq!(remaining.flow()[1], ("excluded".to_owned(), 15));
}

#[test]
fn a_run_reads_each_patient_once_and_reports_faulty_voxels_before_the_work() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("cohort");
    simulate(&folder).unwrap();
    let mask = |id: &str| folder.join(format!("masks/{id}_reader1.nii.gz"));
    // Faults that headers do not tell: another label, and voxels that are cut off.
    for id in ["A001", "A007"] {
        let original = read_mask(mask(id)).unwrap();
        write_mask(mask(id), &original.map(|label| 5 * label)).unwrap();
    }
    let whole = fs::read(mask("A002")).unwrap();
    fs::write(mask("A002"), &whole[..whole.len() / 2]).unwrap();
    let expected = problems(&folder);
    assert_eq!(expected.len(), 3, "{expected:#?}");

    let out = root.path().join("out");
    let mut study = Study::new(settings(&folder, &out));
    let cohort = study.cohort().unwrap();
    let threads = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let refused = threads.install(|| study.images(cohort)).unwrap_err();
    let found = refused.downcast_ref::<cohort::CohortProblems>().unwrap();
    assert_eq!(found.problems.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    // With the first patient refused, only those whom the other thread had begun are analysed.
    let analysed = fs::read_dir(out.join("steps/images")).unwrap().count();
    assert!(analysed < 12, "{analysed} patients were analysed");
}
