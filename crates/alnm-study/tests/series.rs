//! Motion, further phases, regions and one scale of intensities, as `cohort.toml` asks for them.

// A cohort that cannot be made must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use alnm_imaging::dicom::{Phase, SeriesAttributes, write_series};
use alnm_imaging::{Geometry, LabelMap, Volume, write_mask};
use alnm_study::cohort::{
    BloodCounts, Cohort, CohortDescription, FurtherOutcomes, Markers, Patient, PatientDates, Subtype, read,
    write_patients,
};
use alnm_study::images::CohortFeatures;
use alnm_study::leak_check::check_series_learning;
use alnm_study::preparation::{ImagePreparationParams, SeriesPreparation};
use alnm_study::series::{PatientEvidence, learn};
use alnm_study::{Study, StudySettings};
use ndarray::Array3;

/// Patients of the training centre, then of the other one.
const PATIENTS: [usize; 2] = [20, 4];

const SECTIONS: &str = r#"
[motion]
stages = ["rigid"]
resolutions = 1
iterations = 3

[phases]
further = [1]
deltas = ["ratio"]
maps = ["peak_enhancement"]

[regions]
rings = [[0, 3]]

[regions.habitats]
maps = ["peak_enhancement", "time_to_peak"]
clusters = { count = { fixed = 2 }, starts = 2 }

[standardise]
method = "nyul"
percentiles = [1, 50, 99]
"#;

/// A lesion of two halves that enhance and move a little, and air in a corner.
fn images(row: usize) -> (Vec<Phase<u16>>, LabelMap) {
    let grid = Geometry::axis_aligned([20, 18, 9], [1.0, 1.0, 2.0]).unwrap();
    let noise = |at: usize| ((at * 7919 + row * 104_729) % 97) as f64 / 97.0;
    // No two patients have one outline.
    let centre = centre(row);
    let inside =
        |x: f64, y: f64, z: f64| (x - centre[0]).powi(2) + (y - centre[1]).powi(2) + (2.0 * (z - 4.0)).powi(2) <= 18.0;
    let phase = |phase: usize| {
        let gain = 1.0 + 0.1 * (row % 3) as f64;
        let voxel = |(z, y, x): (usize, usize, usize)| {
            let at = (z * 18 + y) * 20 + x + 5000 * phase;
            if x + y < 5 {
                return (4.0 * noise(at)) as u16;
            }
            let place = (x as f64 - 0.3 * phase as f64, y as f64, z as f64);
            let early = if (x as f64) < centre[0] { 1.8 } else { 0.9 };
            let enhancement = if inside(place.0, place.1, place.2) { [0.0, early, 1.2][phase] } else { 0.05 };
            (gain * (200.0 + 3.0 * x as f64) * (1.0 + enhancement) + 20.0 * noise(at)) as u16
        };
        Phase::new(Volume::new(Array3::from_shape_fn(grid.shape(), voxel), grid.clone()).unwrap(), 90.0 * phase as f64)
    };
    let label = |(z, y, x): (usize, usize, usize)| u32::from(inside(x as f64, y as f64, z as f64));
    let mask = Volume::new(Array3::from_shape_fn(grid.shape(), label), grid.clone()).unwrap();
    ((0..3).map(phase).collect(), mask)
}

fn write_cohort(folder: &Path, sections: &str) {
    let mut patients = Vec::new();
    for row in 0..PATIENTS[0] + PATIENTS[1] {
        let id = format!("P{row:02}");
        let (phases, mask) = images(row);
        write_series(folder.join(&id), &phases, &SeriesAttributes::new(&id, "dynamic")).unwrap();
        let path = PathBuf::from(format!("{id}.nii.gz"));
        write_mask(folder.join(&path), &mask).unwrap();
        let blood = BloodCounts {
            neutrophils: 4.0 + 0.1 * row as f64,
            lymphocytes: 1.5 + 0.03 * row as f64,
            monocytes: 0.3 + 0.01 * row as f64,
            wbc: 7.0 + 0.15 * row as f64,
            platelets: 200.0 + 5.0 * row as f64,
        };
        patients.push(Patient {
            centre: if row < PATIENTS[0] { "A" } else { "B" }.to_owned(),
            alnm: row % 2 == 0,
            age_years: 40.0 + row as f64,
            mtd_cm: 2.0 + 0.1 * row as f64,
            sad_aln_cm: 0.5 + 0.01 * row as f64,
            markers: Markers { pr: Some(true), er: Some(true), her2: Some(false), ki67: Some(true) },
            subtype: Some(Subtype::LuminalB),
            blood,
            dates: PatientDates::default(),
            outcomes: FurtherOutcomes::default(),
            image: PathBuf::from(&id),
            mask: path,
            mask_reader2: None,
            further: BTreeMap::new(),
            id,
        });
    }
    write_patients(&folder.join("patients.csv"), &patients).unwrap();
    let description = "name = \"phases\"\nphase = 2\ntraining_centre = \"A\"\nvalidation_centres = [\"B\"]\n";
    std::fs::write(folder.join("cohort.toml"), description.to_owned() + sections).unwrap();
}

fn features(folder: &Path, out: &Path) -> (Cohort, CohortFeatures) {
    let settings = StudySettings { cohort: Some(folder.to_owned()), ..StudySettings::quick(out.to_owned()) };
    let mut study = Study::new(settings);
    let cohort = study.cohort().unwrap();
    study.images(cohort).unwrap()
}

fn bits(features: &CohortFeatures) -> Vec<u64> {
    features.features.values().iter().map(|value| value.to_bits()).collect()
}

#[test]
fn a_cohort_with_all_sections_has_their_features_and_no_leak() {
    let root = tempfile::tempdir().unwrap();
    let (folder, out) = (root.path().join("cohort"), root.path().join("out"));
    write_cohort(&folder, SECTIONS);
    let (cohort, found) = features(&folder, &out);
    let names = found.features.names();
    let has = |name: &str| names.iter().any(|other| other == name);
    for name in [
        "original_firstorder_Mean",
        "lesion_phase1_original_firstorder_Mean",
        "lesion_image_ratio_original_firstorder_Mean",
        "lesion_peak_enhancement_original_glcm_Contrast",
        "ring1_original_shape_VoxelVolume",
        "ring1_phase1_original_firstorder_Mean",
        "habitat2_image_original_firstorder_Mean",
        "habitat1_share",
    ] {
        let alike = |other: &&String| other.starts_with(&name[..5]);
        assert!(
            has(name),
            "{name} among {:?}, undefined {:?}",
            names.iter().filter(alike).take(3).collect::<Vec<_>>(),
            found.undefined.iter().map(|(name, _)| name).filter(alike).take(20).collect::<Vec<_>>()
        );
    }
    assert!(!has("lesion_image_original_firstorder_Mean") && !has("lesion_original_shape_VoxelVolume"));
    let column = |name: &str| found.features.column(name).unwrap();
    let (first, second) = (column("habitat1_share"), column("habitat2_share"));
    assert!(first.iter().zip(&second).all(|(first, second)| (first + second - 1.0).abs() < 1e-12));
    let (low, high) = (
        column("habitat1_peak_enhancement_original_firstorder_Mean"),
        column("habitat2_peak_enhancement_original_firstorder_Mean"),
    );
    assert!(low.iter().zip(&high).all(|(low, high)| low < high), "habitats are numbered by enhancement");

    // What is learned is that of the training patients, and the bundle's preparation gives the same bits.
    let learning = found.series.as_ref().unwrap();
    assert_eq!((learning.patients.len(), learning.learned.patients), (PATIENTS[0], PATIENTS[0]));
    let saved = serde_json::to_string(&found.preparation).unwrap();
    let read: ImagePreparationParams = serde_json::from_str(&saved).unwrap();
    let preparation = read.clone().check().unwrap();
    assert_eq!(preparation.feature_names().len(), names.len() + found.undefined.len());
    let last = cohort.patients.last().unwrap();
    let prepared = preparation.prepare(cohort.read_voxels(last).unwrap()).unwrap();
    let row = found.features.values().row(cohort.patients.len() - 1).to_vec();
    for (name, value) in names.iter().zip(row) {
        let at = prepared.names.iter().position(|other| other == name).unwrap();
        assert_eq!(prepared.features[at].unwrap_or(f64::NAN).to_bits(), value.to_bits(), "{name}");
    }
    // Without the whole series it is refused by name.
    let mut voxels = cohort.read_voxels(last).unwrap();
    voxels.series = None;
    let error = format!("{:#}", preparation.prepare(voxels).unwrap_err());
    assert!(error.contains("no phase beside the one that is analysed"), "{error}");
    // A scale of another method, or a missing one, is no bundle's.
    let mut other = read;
    other.series.as_mut().unwrap().learned.scales.pop();
    assert!(other.check().unwrap_err().to_string().contains("there are 1 scales of intensities"));

    // Finished work is found again, and other threads give the same bits.
    assert_eq!(bits(&features(&folder, &out).1), bits(&found));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let alone = pool.install(|| preparation.prepare(cohort.read_voxels(last).unwrap()).unwrap());
    assert_eq!(alone, prepared);

    // The leak check passes, and finds what is planted.
    let by = |patients: &[PatientEvidence]| learn(&learning.options, "A", patients);
    check_series_learning(&cohort, &found, by).unwrap();
    let found_leak = |images: &CohortFeatures, learns_from_all: bool| {
        let result = check_series_learning(&cohort, images, |patients| {
            let everyone = patients.iter().map(|one| PatientEvidence::new(&one.patient, "A", one.evidence.clone()));
            let everyone: Vec<PatientEvidence> = everyone.collect();
            by(if learns_from_all { &everyone } else { patients })
        });
        result.unwrap_err().to_string()
    };
    assert!(found_leak(&found, true).contains("with patients of validation centres other scales"));
    let mut leaking = found.clone();
    let series = leaking.series.as_mut().unwrap();
    let evidence = series.patients[0].evidence.clone();
    series.patients.push(PatientEvidence::new(&last.id, "A", evidence));
    assert!(found_leak(&leaking, false).contains("were learned from patient P23 of B"));
    let mut leaking = found.clone();
    let fewer = by(&learning.patients[1..]).unwrap();
    leaking.preparation =
        leaking.preparation.with_series(Some(SeriesPreparation::new(learning.options.clone(), fewer)));
    assert!(found_leak(&leaking, false).contains("images were prepared by other scales"));
}

/// The centre of a patient's lesion in voxels; that of images is the same in mm along x and y.
fn centre(row: usize) -> [f64; 2] {
    [(8 + row % 4) as f64, (6 + row / 4) as f64]
}

/// Takes the masks out of the table and puts the cells of two readers' seeds into it.
fn with_seeds(folder: &Path, cells: impl Fn(usize) -> [String; 2]) {
    let path = folder.join("patients.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines = text.lines();
    let mut written = lines.next().unwrap().replace(",mask,", ",was_mask,") + ",Seed,seed_reader2\n";
    for (row, line) in lines.enumerate() {
        let [first, second] = cells(row);
        written += &format!("{line},{first},{second}\n");
    }
    std::fs::write(path, written).unwrap();
}

#[test]
fn outlines_grow_from_the_seeds_of_two_readers() {
    let root = tempfile::tempdir().unwrap();
    write_cohort(root.path(), "");
    let text = std::fs::read_to_string(root.path().join("cohort.toml")).unwrap();
    std::fs::write(
        root.path().join("cohort.toml"),
        format!("mask = \"segment\"\n{text}[segment]\nspeed = {{ seed_share = 0.65 }}\n"),
    )
    .unwrap();
    let cells = |row: usize| {
        let [x, y] = centre(row);
        let second = if row < 3 { format!("{} {y} 8 | {x} {y} 8", x - 1.0) } else { String::new() };
        [format!("{x} {y} 8"), second]
    };
    with_seeds(root.path(), cells);
    let settings =
        StudySettings { cohort: Some(root.path().to_owned()), ..StudySettings::quick(root.path().join("out")) };
    let cohort = Study::new(settings.clone()).cohort().unwrap();
    assert_eq!(cohort.patients.iter().filter(|patient| patient.mask_reader2.is_some()).count(), 3);
    for (row, patient) in cohort.patients.iter().enumerate() {
        let voxels = cohort.read_voxels(patient).unwrap();
        let (_, truth) = images(row);
        let inside = |mask: &LabelMap| mask.as_slice().iter().filter(|&&label| label == 1).count();
        let common = voxels.mask.as_slice().iter().zip(truth.as_slice()).filter(|(a, b)| **a == 1 && **b == 1).count();
        let dice = 2.0 * common as f64 / (inside(&voxels.mask) + inside(&truth)) as f64;
        assert!(dice > 0.85, "{}: {dice}", patient.id);
        assert_eq!(voxels.second_mask.is_some(), row < 3);
    }
    // Seeds that are missing, no points, or outside of the image are named with their column.
    write_cohort(root.path(), "");
    let text = std::fs::read_to_string(root.path().join("cohort.toml")).unwrap();
    let section = "[segment]\nspeed = { seed_share = 0.65 }\n";
    std::fs::write(root.path().join("cohort.toml"), format!("mask = \"segment\"\n{text}{section}")).unwrap();
    with_seeds(root.path(), |row| match row {
        0 => [String::new(), String::new()],
        1 => ["9 6".to_owned(), String::new()],
        2 => ["900 6 8".to_owned(), String::new()],
        3 => ["1 1 1".to_owned(), String::new()],
        _ => cells(row),
    });
    let found = Study::new(settings).cohort().unwrap_err().to_string();
    for message in [
        "patient P00, column seed: the seed is missing",
        "patient P01, column seed: `9 6` is no point",
        "patient P02, column seed: ",
    ] {
        assert!(found.contains(message), "{message}\n{found}");
    }
    assert!(!found.contains("patient P04"), "{found}");
    // Without the columns the table says what it lacks.
    write_cohort(root.path(), "");
    std::fs::write(root.path().join("cohort.toml"), format!("mask = \"segment\"\n{text}")).unwrap();
    assert!(read(root.path()).unwrap().1.iter().any(|problem| problem.what.contains("the header lacks seed")));
}

#[test]
fn without_sections_nothing_changes() {
    let description = CohortDescription::new("plain", "A", &["B"]);
    assert!(description.series_options().is_none());
    let saved = serde_json::to_string(&ImagePreparationParams::default()).unwrap();
    assert!(!saved.contains("series"), "the fingerprints of finished work stay");
    let text = serde_json::to_string(&description).unwrap();
    let sections = ["motion", "phases", "regions", "standardise", "segment", "mask"];
    assert!(sections.iter().all(|section| !text.contains(&format!("\"{section}\""))), "{text}");
}

#[test]
fn sections_that_make_no_sense_are_refused_with_what_would_fix_them() {
    let refused = |sections: &str| {
        let root = tempfile::tempdir().unwrap();
        let text = format!("name = \"x\"\ntraining_centre = \"A\"\nvalidation_centres = [\"B\"]\n{sections}");
        std::fs::write(root.path().join("cohort.toml"), text).unwrap();
        read(root.path()).unwrap_err().to_string()
    };
    for (sections, message) in [
        ("[motion]", "no phase but 4 is used"),
        ("[motion]\ngrid_spacing = -1\n[phases]\nfurther = [1]", "grid_spacing"),
        ("[phases]\nfurther = [4]", "4 is analysed anyway"),
        ("[phases]\ndeltas = [\"ratio\"]\nmaps = [\"peak_enhancement\"]", "name one to compare with"),
        ("[phases]", "neither further phases nor maps"),
        ("[phases]\nmaps = [\"nonsense\"]", "nonsense"),
        ("[regions]", "neither rings nor habitats"),
        ("[regions]\nrings = [[2, 2]]", "must ascend"),
        ("[regions.habitats]\nmaps = []", "name at least one"),
        ("[standardise]\nmethod = \"nyul\"\npercentiles = [5]", "percentiles"),
        ("[standardise]\nmethod = \"magic\"", "magic"),
        ("mask = \"segment\"\n[segment]\nradius = 0", "radius is 0"),
        ("[standardise]\nmethod = \"nyul\"\n[design]\nleave_one_centre_out = true", "leave_one_centre_out"),
    ] {
        let found = refused(sections);
        assert!(found.contains(message), "{sections}\n{found}");
    }
    let root = tempfile::tempdir().unwrap();
    write_cohort(root.path(), "[phases]\nfurther = [7]");
    let settings =
        StudySettings { cohort: Some(root.path().to_owned()), ..StudySettings::quick(root.path().join("out")) };
    let found = Study::new(settings).cohort().unwrap_err().to_string();
    assert!(found.contains("it has 3 phases, and cohort.toml asks for phase 7"), "{found}");
}
