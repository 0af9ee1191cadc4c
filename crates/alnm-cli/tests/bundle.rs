//! A small study run from DICOM files to its bundle; the bundle applied to the same patients, judged on the validation
//! centre, damaged, and asked for what it cannot know.

// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

mod command;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use alnm_conformance::damage::{bytes_variants, json_variants, refused_or_same};
use alnm_deep::StateTensor;
use alnm_imaging::dicom::{Phase, SeriesAttributes, write_series};
use alnm_imaging::{Geometry, Volume, write_mask};
use alnm_study::analysis::{Evaluation, Results};
use alnm_study::cohort::{BloodCounts, FurtherOutcomes, Markers, Patient, PatientDates, Subtype, write_patients};
use alnm_study::{Bundle, Study, StudySettings};
use ndarray::Array3;

use command::{ends_with, run};

const TRAINING: usize = 32;
const VALIDATION: usize = 16;

/// Numbers from 0 to 1 that look random and are the same each time.
fn noise(seed: usize) -> f64 {
    let mut x = (seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678;
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (x >> 11) as f64 / (1u64 << 53) as f64
}

/// A lesion in tissue: larger and of coarser texture with metastasis.
fn write_images(folder: &Path, row: usize, alnm: bool, phases: usize) {
    let geometry = Geometry::axis_aligned([30, 30, 14], [1.0, 1.0, 1.5]).unwrap();
    let radius = 4.5 + 2.0 * noise(row) + if alnm { 1.0 } else { 0.0 };
    let frequency = 0.5 + 0.5 * noise(row + 1000) - if alnm { 0.2 } else { 0.0 };
    let distance = |z: usize, y: usize, x: usize| {
        let squared = |place: usize, middle: f64, step: f64| ((place as f64 - middle) * step).powi(2);
        // No two patients have one outline.
        let [right, down] = [noise(row + 2000), noise(row + 3000)];
        (squared(x, 14.0 + right, 1.0) + squared(y, 14.5 + down, 1.0) + squared(z, 6.5, 1.5)).sqrt()
    };
    let image = |phase: usize| {
        Array3::from_shape_fn([14, 30, 30], |(z, y, x)| {
            let seed = ((row * 14 + z) * 30 + y) * 30 + x;
            let lesion = if distance(z, y, x) <= radius {
                200.0 + 60.0 * ((x + z) as f64 * frequency).sin() + 40.0 * (y as f64 * frequency).cos()
            } else {
                0.0
            };
            (150.0 + lesion * (1.0 + phase as f64) / 4.0 + 30.0 * noise(seed)) as u16
        })
    };
    // A series of one phase is the analysed one; of several the fourth is.
    let volumes: Vec<Phase<u16>> = (if phases == 1 { 3..4 } else { 0..phases })
        .map(|phase| Phase::new(Volume::new(image(phase), geometry.clone()).unwrap(), 30.0 * phase as f64))
        .collect();
    let id = folder.file_name().unwrap().to_string_lossy().into_owned();
    write_series(folder, &volumes, &SeriesAttributes::new(&id, "DCE-MRI")).unwrap();
    let mask = Array3::from_shape_fn([14, 30, 30], |(z, y, x)| u32::from(distance(z, y, x) <= radius));
    let masks = folder.parent().unwrap().parent().unwrap().join("masks");
    fs::create_dir_all(&masks).unwrap();
    write_mask(masks.join(format!("{id}.nii.gz")), &Volume::new(mask, geometry).unwrap()).unwrap();
}

fn patient(id: &str, centre: &str, row: usize, alnm: bool) -> Patient {
    let of = |part: usize| noise(7919 * part + row);
    let shift = if alnm { 1.0 } else { 0.0 };
    let round = |value: f64| (100.0 * value).round() / 100.0;
    let (neutrophils, lymphocytes, monocytes) =
        (round(3.0 + 3.0 * of(1) + shift), round(1.2 + of(2)), round(0.4 + 0.2 * of(12)));
    Patient {
        id: id.to_owned(),
        centre: centre.to_owned(),
        alnm,
        age_years: (35.0 + 40.0 * of(3)).round(),
        mtd_cm: round(1.0 + 3.0 * of(4) + shift),
        sad_aln_cm: round(0.3 + of(5) + 0.3 * shift),
        markers: Markers { pr: Some(of(6) > 0.5), er: Some(true), her2: Some(of(8) > 0.7), ki67: Some(of(9) > 0.3) },
        subtype: Some(if of(8) > 0.7 || of(10) > 0.5 { Subtype::LuminalB } else { Subtype::LuminalA }),
        blood: BloodCounts {
            neutrophils,
            lymphocytes,
            monocytes,
            wbc: round(neutrophils + lymphocytes + 1.0),
            platelets: (180.0 + 150.0 * of(11)).round(),
        },
        dates: PatientDates::default(),
        outcomes: FurtherOutcomes::default(),
        image: PathBuf::from(format!("images/{id}")),
        mask: PathBuf::from(format!("masks/{id}.nii.gz")),
        mask_reader2: None,
        further: BTreeMap::new(),
    }
}

/// A finished study: its folder and its patients.
struct Finished {
    root: PathBuf,
    results: Results,
    patients: Vec<Patient>,
}

impl Finished {
    fn bundle(&self) -> PathBuf {
        self.root.join("out/bundle.safetensors")
    }

    /// The risks of the integrated model by the study itself.
    fn risks(&self) -> BTreeMap<String, f64> {
        let of = |centre: &str, evaluation: &Evaluation| {
            let model = evaluation.performances.iter().find(|performance| performance.model == "Integrated").unwrap();
            let patients = self.patients.iter().filter(|patient| patient.centre == centre);
            patients.map(|patient| patient.id.clone()).zip(model.risks.clone()).collect::<Vec<_>>()
        };
        [of("a", &self.results.training), of("b", &self.results.validation[0])].concat().into_iter().collect()
    }
}

static FINISHED: LazyLock<Finished> = LazyLock::new(|| {
    // Nothing removes what a static holds, so each run replaces the folder of the one before.
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("finished_study");
    if root.exists() {
        fs::remove_dir_all(&root).unwrap();
    }
    let cohort = root.join("cohort");
    let patients: Vec<Patient> = (0..TRAINING + VALIDATION)
        .map(|row| {
            let centre = if row < TRAINING { "a" } else { "b" };
            patient(&format!("P{row:03}"), centre, row, row % 2 == 0)
        })
        .collect();
    for (row, patient) in patients.iter().enumerate() {
        write_images(&cohort.join(&patient.image), row, patient.alnm, if row == 1 { 5 } else { 1 });
    }
    write_patients(&cohort.join("patients.csv"), &patients).unwrap();
    let description = "name = \"small\"\nsimulated = true\ntraining_centre = \"a\"\nvalidation_centres = [\"b\"]\n";
    fs::write(cohort.join("cohort.toml"), description).unwrap();
    let mut settings = StudySettings::quick(root.join("out"));
    (settings.cohort, settings.epochs) = (Some(cohort), 1);
    let finished = Study::new(settings).run(None).unwrap();
    assert_eq!(finished.bundle, root.join("out/bundle.safetensors"));
    let results = fs::read_to_string(root.join("out/results.json")).unwrap();
    Finished { results: serde_json::from_str(&results).unwrap(), root, patients }
});

fn answer(folder: &Path, arguments: &[&str]) -> String {
    ends_with(0, folder, arguments).results
}

fn complaint(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert_ne!(output.status.code(), Some(0), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The rows of a table by their columns.
fn rows(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let columns = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| {
        columns.iter().zip(&record).map(|(column, cell)| (column.to_owned(), cell.to_owned())).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

fn number(row: &BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column} is {:?}", row[column]))
}

#[test]
fn every_patient_scored_from_the_files_has_the_risk_of_the_study() {
    let study = &*FINISHED;
    let expected = study.risks();
    assert_eq!(expected.len(), TRAINING + VALIDATION);
    let text =
        answer(&study.root, &["apply", "out/bundle.safetensors", "--cases", "cohort/patients.csv", "--format", "csv"]);
    let found = rows(&text);
    assert_eq!(found.len(), expected.len());
    for row in &found {
        let risk = number(row, "risk");
        assert!(
            (risk - expected[&row["patient"]]).abs() < 1e-10,
            "{}: {risk} {}",
            row["patient"],
            expected[&row["patient"]]
        );
        assert!(number(row, "interval_lower") <= risk && risk <= number(row, "interval_upper"));
    }
    // Scores too, and alone as well as among the others.
    let scores = rows(&fs::read_to_string(study.root.join("out/tables/scores.csv")).unwrap());
    for (row, score) in found.iter().zip(&scores).take(3) {
        for name in ["RadScore", "DLScore"] {
            assert!((number(row, name) - number(score, name)).abs() < 1e-10, "{name}");
        }
    }
    let one = &study.patients[1];
    let row = serde_json::json!({
        "age_years": one.age_years, "mtd_cm": one.mtd_cm, "sad_aln_cm": one.sad_aln_cm,
        "neutrophils": one.blood.neutrophils, "lymphocytes": one.blood.lymphocytes, "platelets": one.blood.platelets,
    });
    fs::write(study.root.join("one.json"), row.to_string()).unwrap();
    let arguments =
        ["apply", "out/bundle.safetensors", "cohort/images/P001", "cohort/masks/P001.nii.gz", "--patient", "one.json"];
    let json: serde_json::Value =
        serde_json::from_str(&answer(&study.root, &[&arguments[..], &["--format", "json"]].concat())).unwrap();
    let risk = json[0]["assessment"]["risk"].as_f64().unwrap();
    assert!((risk - expected["P001"]).abs() < 1e-10, "{risk}");
    let text = answer(&study.root, &arguments);
    assert!(
        text.contains("patient P001: risk") && text.contains("SII (10^9/L)") && text.contains("RadScore"),
        "{text}"
    );
}

#[test]
fn the_validation_centre_has_the_figures_of_the_study() {
    let study = &*FINISHED;
    let text = answer(
        &study.root,
        &[
            "validate",
            "out/bundle.safetensors",
            "cohort",
            "--format",
            "csv",
            "--resamples",
            "50",
            "--risks",
            "judged.csv",
        ],
    );
    let found = rows(&text);
    let figure = |measure: &str, at: &str, column: &str| {
        let row = found.iter().find(|row| row["measure"] == measure && (at.is_empty() || row["at"] == at));
        number(row.unwrap_or_else(|| panic!("{measure} {at}: {text}")), column)
    };
    let evaluation = &study.results.validation[0];
    let place = evaluation.performances.iter().position(|performance| performance.model == "Integrated").unwrap();
    let (own, calibration) = (&evaluation.performances[place], &evaluation.calibrations[place]);
    let close = |measure: &str, at: &str, column: &str, expected: f64| {
        let found = figure(measure, at, column);
        assert!(
            (found - expected).abs() < 1e-8 * expected.abs().max(1.0),
            "{measure} {at} {column}: {found} {expected}"
        );
    };
    close("judged", "", "estimate", VALIDATION as f64);
    close("AUC", "", "estimate", own.auc.auc);
    close("AUC", "", "lower", own.auc.interval.lower);
    close("Brier score", "", "estimate", own.brier);
    close("sensitivity", "", "estimate", own.carried_cutoff.metrics.sensitivity.estimate);
    close("specificity", "", "upper", own.carried_cutoff.metrics.specificity.interval.upper);
    if let Some(line) = &calibration.recalibration {
        close("slope", "", "estimate", line.slope.estimate);
        close("intercept", "", "lower", line.intercept.interval.lower);
    }
    let curve = &evaluation.decision_curves[place];
    for (at, threshold) in [("0.1", 0.1), ("0.3", 0.3), ("0.5", 0.5)] {
        close("model", at, "estimate", curve.net_benefit_at(threshold).unwrap());
    }
    let judged = rows(&fs::read_to_string(study.root.join("judged.csv")).unwrap());
    assert_eq!(judged.iter().map(|row| number(row, "risk")).collect::<Vec<_>>().len(), VALIDATION);
    // On the patients of training there is no drift.
    let own = rows(&answer(
        &study.root,
        &["validate", "out/bundle.safetensors", "cohort", "--centre", "a", "--format", "csv", "--resamples", "5"],
    ));
    let outside = own.iter().filter(|row| row["measure"] == "patients outside the training range");
    assert!(outside.map(|row| number(row, "estimate")).all(|count| count == 0.0));
    assert!(
        answer(&study.root, &["validate", "out/bundle.safetensors", "cohort", "--resamples", "5"])
            .contains("against training")
    );
}

#[cfg(feature = "study")]
#[test]
fn the_command_runs_the_same_study() {
    let study = &*FINISHED;
    let folder = &study.root;
    let checked = answer(folder, &["study", "cohort", "--check"]);
    assert!(checked.contains("training, centre a: 32"), "{checked}");
    let out = ["--out", "again", "--quick", "--epochs", "1"];
    let text = answer(folder, &[&["study", "cohort"][..], &out].concat());
    assert!(text.contains("Integrated") && text.contains("again/report.html"), "{text}");
    for name in ["results.json", "bundle.safetensors", "integrated_model.json"] {
        assert!(
            fs::read(folder.join("out").join(name)).unwrap() == fs::read(folder.join("again").join(name)).unwrap(),
            "{name}"
        );
    }
    let log = fs::read_to_string(folder.join("again/run.log")).unwrap();
    assert!(log.starts_with("alnm-study ") && log.contains("fine-tuning of all parameters"), "{log}");
    // A step that was cut short is done again, and the rest is found.
    let network = folder.join("again/steps/deep/network.safetensors");
    let bytes = fs::read(&network).unwrap();
    fs::write(&network, &bytes[..bytes.len() / 2]).unwrap();
    fs::remove_file(folder.join("again/bundle.safetensors")).unwrap();
    answer(folder, &[&["study", "cohort"][..], &out].concat());
    assert!(fs::read(&network).unwrap() == bytes);
    assert!(fs::read(study.bundle()).unwrap() == fs::read(folder.join("again/bundle.safetensors")).unwrap());
    let refused = complaint(folder, &["study", "cohort", "--out", "again", "--quick", "--epochs", "2"]);
    assert!(refused.contains("holds results of other settings"), "{refused}");
}

#[test]
fn what_is_odd_about_a_patient_is_said() {
    let study = &*FINISHED;
    let folder = &study.root;
    let header = "patient,image,mask,age_years,mtd_cm,sad_aln_cm,neutrophils,lymphocytes,platelets";
    let table = |rows: &[&str]| fs::write(folder.join("odd.csv"), format!("{header}\n{}\n", rows.join("\n"))).unwrap();
    let files = "cohort/images/P001,cohort/masks/P001.nii.gz";
    table(&[
        &format!("A,{files},50,24,0.5,4,2,NA"),
        &format!("B,{files},50,24,0.5,4,2,250"),
        "C,cohort/images/P001,cohort/masks/absent.nii.gz,50,2,0.5,4,2,250",
    ]);
    let output = run(folder, &["apply", "out/bundle.safetensors", "--cases", "odd.csv"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("patient A: no risk") && text.contains("SII needs platelets"), "{text}");
    assert!(text.contains("MTD is 24 cm; training patients had"), "{text}");
    assert!(text.contains("patient C: not scored\n") && !text.contains("absent.nii.gz"), "{text}");
    let said = String::from_utf8(output.stderr).unwrap();
    let missing = "error: patient C: mask cohort/masks/absent.nii.gz: No such file or directory (os error 2)\n";
    assert!(said.contains(missing) && said.matches("No such file").count() == 1, "{said}");
    for form in ["csv", "json"] {
        let told = run(folder, &["apply", "out/bundle.safetensors", "--cases", "odd.csv", "--format", form]).stdout;
        let told = String::from_utf8(told).unwrap();
        assert!(told.contains("mask cohort/masks/absent.nii.gz: No such file"), "{told}");
        assert_eq!(told.matches("No such file").count(), 1, "{told}");
    }
    table(&[&format!("A,{files},50,24,0.5,4,2,NA"), &format!("B,{files},50,24,0.5,4,2,NA")]);
    let none = run(folder, &["apply", "out/bundle.safetensors", "--cases", "odd.csv"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&none.stderr).contains("no patient has a risk"));
    for arguments in [["-", "i", "m"], ["out/bundle.safetensors", "-", "m"], ["out/bundle.safetensors", "i", "-"]] {
        let refused = ends_with(2, folder, &[&["apply"][..], &arguments].concat()).messages;
        assert!(refused.starts_with("error: standard input (-) is not read as "), "{refused}");
    }
    let refused = complaint(folder, &["apply", "absent.safetensors", "i", "m"]);
    assert_eq!(refused, "error: cannot read the bundle absent.safetensors: No such file or directory (os error 2)\n");
    table(&[&format!("A,{files},50,\"2,4\",0.5,4,2,250")]);
    let refused = complaint(folder, &["apply", "out/bundle.safetensors", "--cases", "odd.csv"]);
    assert!(refused.contains("patient A: mtd_cm is \"2,4\""), "{refused}");
    table(&[&format!("A,{files},50,2,0.5,4,2,250"), &format!("A,{files},50,2,0.5,4,2,250")]);
    assert!(complaint(folder, &["apply", "out/bundle.safetensors", "--cases", "odd.csv"]).contains("stands twice"));
    fs::write(folder.join("there.csv"), "").unwrap();
    table(&[&format!("A,{files},50,2,0.5,4,2,250")]);
    let taken = complaint(folder, &["apply", "out/bundle.safetensors", "--cases", "odd.csv", "--out", "there.csv"]);
    assert!(taken.contains("there.csv is already there"), "{taken}");
    let text = answer(folder, &["apply", "out/bundle.safetensors", "--describe"]);
    assert!(
        text.contains("needed columns  age_years, mtd_cm, sad_aln_cm, neutrophils, platelets, lymphocytes"),
        "{text}"
    );
}

/// Everything that an answer depends on.
fn answer_of(path: &Path) -> anyhow::Result<String> {
    let bundle = Bundle::read(path)?;
    let tensors: f64 =
        bundle.network().state_dict().values().flat_map(StateTensor::values).map(|&x| f64::from(x)).sum();
    let scores = (bundle.radiomic_signature(), bundle.deep_signature(), bundle.model());
    let around = (
        bundle.preparation(),
        bundle.deep_output(),
        bundle.reference(),
        bundle.geometry(),
        bundle.origin(),
        bundle.inputs(),
    );
    Ok(format!("{scores:?} {around:?} {tensors}"))
}

#[test]
fn a_damaged_bundle_is_refused_or_gives_the_same_answer() {
    let study = &*FINISHED;
    let good = answer_of(&study.bundle()).unwrap();
    let bytes = fs::read(study.bundle()).unwrap();
    let header_length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header_length]).unwrap();
    let damaged = study.root.join("damaged.safetensors");
    let read = |header: &[u8], rest: &[u8]| {
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(header);
        file.extend_from_slice(rest);
        fs::write(&damaged, file)?;
        answer_of(&damaged)
    };
    let rest = &bytes[8 + header_length..];
    // Bytes of the whole file, cut, flipped, repeated.
    let variants = bytes_variants(&bytes[..8 + header_length]);
    let step = variants.len().div_ceil(25);
    let variants: Vec<_> = variants.into_iter().step_by(step).collect();
    let of_bytes = |variant: &alnm_conformance::damage::DamagedBytes| {
        fs::write(&damaged, [&variant.bytes[..], rest].concat())?;
        answer_of(&damaged)
    };
    assert!(refused_or_same("bundle, header", &variants, of_bytes, &good).refused > 10);
    // The description edited by hand.
    let text = header["__metadata__"]["description"].as_str().unwrap();
    let variants = json_variants(text);
    let step = variants.len().div_ceil(40);
    let variants: Vec<_> = variants.into_iter().step_by(step).collect();
    let of_text = |variant: &alnm_conformance::damage::Damaged| {
        let mut edited = header.clone();
        edited["__metadata__"]["description"] = serde_json::Value::String(variant.text.clone());
        read(&serde_json::to_vec(&edited)?, rest)
    };
    assert!(refused_or_same("bundle, description", &variants, of_text, &good).refused > 20);
    // A tensor changed by a bit, and a file of another version.
    let mut flipped = rest.to_vec();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let original = serde_json::to_vec(&header).unwrap();
    assert!(format!("{:#}", read(&original, &flipped).unwrap_err()).contains("damaged or edited"));
    let mut other = header.clone();
    other["__metadata__"]["version"] = serde_json::json!("2");
    let refused = format!("{:#}", read(&serde_json::to_vec(&other).unwrap(), rest).unwrap_err());
    assert!(refused.contains("version of the file is 2; this program reads version 1"), "{refused}");
    let refused = complaint(&study.root, &["apply", "out/radscore.json", "--describe"]);
    assert!(refused.contains("radscore.json"), "{refused}");
    assert_eq!(read(&original, rest).unwrap(), good);
}

/// A study of the training centre alone, from the finished one's images, with further columns in its table.
fn study_of_one_centre(
    name: &str,
    design: &str,
    columns: &str,
    cells: impl Fn(usize, &Patient) -> String,
) -> (PathBuf, serde_json::Value) {
    let root = &FINISHED.root;
    let cohort = root.join(format!("{name}_cohort"));
    fs::create_dir_all(&cohort).unwrap();
    let mut patients: Vec<Patient> =
        FINISHED.patients.iter().filter(|patient| patient.centre == "a").cloned().collect();
    for patient in &mut patients {
        patient.image = Path::new("../cohort").join(&patient.image);
        patient.mask = Path::new("../cohort").join(&patient.mask);
    }
    let table = cohort.join("patients.csv");
    write_patients(&table, &patients).unwrap();
    let written = fs::read_to_string(&table).unwrap();
    let further = patients.iter().enumerate().map(|(row, patient)| cells(row, patient));
    let ends = std::iter::once(columns.to_owned()).chain(further);
    let lines: Vec<String> = written.lines().zip(ends).map(|(line, end)| format!("{line},{end}")).collect();
    fs::write(&table, lines.join("\n")).unwrap();
    let description = format!("name = \"{name}\"\ntraining_centre = \"a\"\nvalidation_centres = []\n{design}");
    fs::write(cohort.join("cohort.toml"), description).unwrap();
    let out = root.join(name);
    let mut settings = StudySettings::quick(out.clone());
    (settings.cohort, settings.epochs) = (Some(cohort), 1);
    Study::new(settings).run(None).unwrap();
    let results = fs::read_to_string(out.join("results.json")).unwrap();
    (out, serde_json::from_str(&results).unwrap())
}

#[test]
fn a_study_of_one_centre_has_cross_fitted_figures_and_a_bundle() {
    let (out, results) = study_of_one_centre("alone", "", "nodal_stage,positive_nodes", |row, patient| {
        let nodes = if patient.alnm { 1 + row % 5 } else { 0 };
        format!("pN{},{nodes}", nodes.div_ceil(3))
    });
    assert_eq!(results["validation"], serde_json::json!([]));
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("no centre validated") && page.contains("number of positive nodes"), "{}", out.display());
    let table = fs::read_to_string(out.join("tables/further_outcomes.csv")).unwrap();
    assert!(table.contains("nodal stage (N0, N1"), "{table}");
    let root = &FINISHED.root;
    let first = &FINISHED.patients[0];
    let risks =
        answer(root, &["apply", "alone/bundle.safetensors", "--cases", "alone_cohort/patients.csv", "--format", "csv"]);
    assert!(risks.contains(&first.id), "{risks}");
}

#[test]
fn later_patients_of_the_centre_validate() {
    let (out, results) =
        study_of_one_centre("later", "[design]\nlater_from = \"2021-01-01\"\n", "mri_date", |row, _| {
            format!("{}-03-01", if row < 22 { 2020 } else { 2021 })
        });
    let patients = |evaluation: &serde_json::Value| evaluation["performances"][0]["risks"].as_array().map(Vec::len);
    assert_eq!((patients(&results["training"]), patients(&results["validation"][0])), (Some(22), Some(10)));
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("temporal validation") && page.contains("a from 2021-01-01"), "{}", out.display());
    assert!(out.join("tables/table3_a_from_2021-01-01.csv").exists());
}

/// A study of the finished one's patients of whom every fifth lacks a value, imputed.
fn study_with_missing_values() -> (PathBuf, Vec<Patient>) {
    let root = &FINISHED.root;
    let cohort = root.join("lacking_cohort");
    fs::create_dir_all(&cohort).unwrap();
    let mut patients = FINISHED.patients.clone();
    for (row, patient) in patients.iter_mut().enumerate() {
        patient.image = Path::new("../cohort").join(&patient.image);
        patient.mask = Path::new("../cohort").join(&patient.mask);
        match row % 15 {
            2 => patient.blood.neutrophils = f64::NAN,
            7 => patient.sad_aln_cm = f64::NAN,
            11 => (patient.blood.platelets, patient.mtd_cm) = (f64::NAN, f64::NAN),
            _ => {}
        }
    }
    write_patients(&cohort.join("patients.csv"), &patients).unwrap();
    let description = "name = \"lacking\"\ntraining_centre = \"a\"\nvalidation_centres = [\"b\"]\n\
                       [missing]\npolicy = \"impute\"\nimputations = 5\n";
    fs::write(cohort.join("cohort.toml"), description).unwrap();
    let out = root.join("lacking");
    let mut settings = StudySettings::quick(out.clone());
    (settings.cohort, settings.epochs) = (Some(cohort), 1);
    Study::new(settings).run(None).unwrap();
    (out, patients)
}

#[test]
fn a_patient_who_lacks_a_value_is_completed_by_the_bundle() {
    let (out, patients) = study_with_missing_values();
    let root = &FINISHED.root;
    let described = answer(root, &["apply", "lacking/bundle.safetensors", "--describe"]);
    assert!(described.contains("completed 5 times, learned from 32 training patients without outcomes"), "{described}");
    // Every patient, complete or not, has the risk that the study itself gives by what it hands on.
    let expected = rows(&fs::read_to_string(out.join("tables/bundle_risks.csv")).unwrap());
    let arguments = ["apply", "lacking/bundle.safetensors", "--cases", "lacking_cohort/patients.csv", "--format"];
    let found = rows(&answer(root, &[&arguments[..], &["csv"]].concat()));
    assert_eq!((found.len(), expected.len()), (patients.len(), patients.len()));
    let lacking = |row: usize| matches!(row % 15, 2 | 7 | 11);
    for (place, (row, own)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(row["patient"], own["patient"]);
        assert!((number(row, "risk") - number(own, "risk")).abs() < 1e-10, "{}", row["patient"]);
        assert_eq!((!row["completed"].is_empty(), own["completed"] == "1"), (lacking(place), lacking(place)));
        assert!(number(row, "interval_lower") < number(row, "interval_upper"));
    }
    assert_eq!((found[2]["completed"].as_str(), found[11]["completed"].as_str()), ("neutrophils", "mtd_cm platelets"));
    let json: serde_json::Value = serde_json::from_str(&answer(root, &[&arguments[..], &["json"]].concat())).unwrap();
    let completion = &json[2]["completion"];
    assert_eq!(completion["risks"].as_array().map(Vec::len), Some(5));
    assert!(completion["columns"][0]["lowest"].as_f64() <= completion["columns"][0]["median"].as_f64());
    assert!(json[0]["completion"].is_null());
    // The other hospital: its figures are the study's own of the model that it hands on.
    let judged = rows(&answer(
        root,
        &["validate", "lacking/bundle.safetensors", "lacking_cohort", "--format", "csv", "--resamples", "5"],
    ));
    let figure = |part: &str, measure: &str, at: &str| {
        let row = judged.iter().find(|row| row["part"] == part && row["measure"] == measure && row["at"] == at);
        number(row.unwrap_or_else(|| panic!("{part} {measure} {at}: {judged:?}")), "estimate")
    };
    let own: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(out.join("missing_values.json")).unwrap()).unwrap();
    let outside = &own["handed_on"][1];
    let area = outside["auc"]["estimate"].as_f64().unwrap();
    assert!((figure("discrimination", "AUC", "") - area).abs() < 1e-10);
    let completed = outside["completed"].as_f64().unwrap();
    assert_eq!(figure("missing values", "patients completed", ""), completed);
    assert_eq!(figure("missing values", "complete patients", ""), VALIDATION as f64 - completed);
    assert!((figure("missing values", "AUC", "pooled by Rubin's rules") - area).abs() < 0.1);
    let text = answer(root, &["validate", "lacking/bundle.safetensors", "lacking_cohort", "--resamples", "5"]);
    assert!(text.contains("completed 5 times by what training patients have"), "{text}");
    // The model that is written out is the pooled one.
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("The integrated model, pooled over 5 imputations by Rubin"), "{}", out.display());
    // Nothing is known of this patient but the images.
    let files = ["cohort/images/P001", "cohort/masks/P001.nii.gz"];
    let text = answer(root, &[&["apply", "lacking/bundle.safetensors"][..], &files].concat());
    assert!(text.contains("patient P001: risk") && text.contains("age_years is missing; it was completed"), "{text}");
}
