//! Patients whose images are DICOM series with contours, from the reference pack.

use std::path::{Path, PathBuf};

use alnm_conformance::pack::Pack;
use alnm_study::cohort::{
    BloodCounts, Cohort, CohortDescription, FurtherOutcomes, Markers, Patient, PatientDates, Subtype, check_files,
    check_headers,
};

fn patient(id: &str, image: &str, mask: PathBuf) -> Patient {
    let blood = BloodCounts { neutrophils: 4.0, lymphocytes: 2.0, monocytes: 0.5, wbc: 7.0, platelets: 250.0 };
    Patient {
        id: id.to_owned(),
        centre: "a".to_owned(),
        alnm: false,
        age_years: 50.0,
        mtd_cm: 2.0,
        sad_aln_cm: 0.5,
        markers: Markers { pr: Some(true), er: Some(true), her2: Some(false), ki67: Some(true) },
        subtype: Some(Subtype::LuminalB),
        blood,
        dates: PatientDates::default(),
        outcomes: FurtherOutcomes::default(),
        image: PathBuf::from(id).join(image),
        mask,
        mask_reader2: None,
        further: std::collections::BTreeMap::new(),
    }
}

fn contours_of(folder: &Path, id: &str) -> anyhow::Result<PathBuf> {
    let name = std::fs::read_dir(folder.join(id).join("mask"))?.next().expect("a structure set")?.file_name();
    Ok(Path::new(id).join("mask").join(name))
}

#[test]
fn contours_are_read_on_the_grid_of_their_image_and_other_masks_on_their_own() -> anyhow::Result<()> {
    let Some(pack) = Pack::open("imaging/dicom") else { return Ok(()) };
    let folder = pack.path("");
    let description = CohortDescription { phase: 1, ..CohortDescription::new("contours", "a", &["b"]) };
    let mut ids: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let entry = entry?;
        if entry.path().join("image").is_dir() {
            ids.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    assert!(!ids.is_empty());
    for id in &ids {
        let patients = vec![
            patient(id, "image", contours_of(&folder, id)?),
            patient(id, "image.nii.gz", PathBuf::from(id).join("mask.nii.gz")),
        ];
        let cohort = Cohort {
            folder: folder.clone(),
            description: description.clone(),
            patients,
            excluded: Vec::new(),
            remarks: Vec::new(),
        };
        let both: Vec<&Patient> = cohort.patients.iter().collect();
        let problems: Vec<String> = check_files(&cohort, &both, &|| ()).iter().map(ToString::to_string).collect();
        assert_eq!(problems, Vec::<String>::new());
        // Both outline the same lesion; voxels that a contour cuts may differ.
        let voxels = |patient: &Patient| -> anyhow::Result<usize> {
            let mask = cohort.mask(&patient.mask, cohort.image(patient)?.geometry())?;
            Ok(mask.as_slice().iter().filter(|&&label| label == 1).count())
        };
        let [contours, label_map] = [voxels(&cohort.patients[0])?, voxels(&cohort.patients[1])?];
        assert!(
            contours.abs_diff(label_map) as f64 <= 0.2 * label_map as f64,
            "{id}: {contours} and {label_map} voxels"
        );
    }
    // A label map on another grid stays there, so that the check of grids sees it.
    let [first, second] = [&ids[0], ids.last().expect("a case")];
    if first != second {
        let stray = patient(first, "image.nii.gz", PathBuf::from(second).join("mask.nii.gz"));
        let cohort = Cohort {
            folder: folder.clone(),
            description,
            patients: vec![stray],
            excluded: Vec::new(),
            remarks: Vec::new(),
        };
        let patients = [&cohort.patients[0]];
        for problems in [check_files(&cohort, &patients, &|| ()), check_headers(&cohort, &patients, &|| ()).problems] {
            assert!(problems[0].what.contains("its grid is not the image's"), "{problems:?}");
        }
    }
    Ok(())
}
