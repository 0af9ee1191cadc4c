//! Detects patients who share an image: by its path, its bytes, its voxels or its DICOM identifiers. The same person in
//! training and in validation makes every result of the validation worthless, and one wrong path is enough for that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use alnm_imaging::{Image, LabelMap};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::acquisition::PatientAcquisition;
use super::{Cohort, Patient, PatientVoxels, Problem};
use crate::store::Fingerprint;

/// Bytes at either end of a file by which files are told apart before they are compared as a whole.
const ENDS: u64 = 1 << 16;
/// Share of the images whose PatientID is the patient's identifier in the table, from which on others are suspect.
const USUAL: f64 = 0.8;

/// Hashes of what a patient's files hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct VoxelHashes {
    /// Of size and voxels of the image.
    pub image: String,
    /// Of size and voxels of the first reader's mask.
    pub mask: String,
}

impl PatientVoxels {
    /// Hashes of image and mask. Equal voxels have equal hashes, in whatever format they are stored.
    #[must_use]
    pub fn hashes(&self) -> VoxelHashes {
        VoxelHashes { image: image_hash(&self.image), mask: mask_hash(&self.mask) }
    }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn image_hash(image: &Image) -> String {
    let voxels = image.cast::<f32>();
    let mut hash = Sha256::new();
    hash.update(format!("{:?}", voxels.geometry().size()));
    voxels.as_slice().iter().for_each(|voxel| hash.update(voxel.to_le_bytes()));
    hex(hash)
}

fn mask_hash(mask: &LabelMap) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{:?}", mask.geometry().size()));
    mask.as_slice().iter().for_each(|label| hash.update(label.to_le_bytes()));
    hex(hash)
}

/// Pairs of patients who share something, each with the first thing found.
#[derive(Debug, Default)]
struct Pairs {
    seen: BTreeSet<(String, String)>,
    problems: Vec<Problem>,
}

impl Pairs {
    fn add(&mut self, cohort: &Cohort, first: &str, second: &str, what: String, fix: &str) {
        if first != second && self.seen.insert((first.to_owned(), second.to_owned())) {
            let centre = |id: &str| {
                let patient = cohort.patients.iter().find(|patient| patient.id == id);
                patient.map_or_else(String::new, |patient| format!(" ({})", patient.centre))
            };
            let place = format!("patients {first}{} and {second}{}", centre(first), centre(second));
            self.problems.push(Problem::of_cohort(place, what, fix));
        }
    }

    /// Adds a pair for each key that two patients have: every later patient with the first.
    fn add_equal(&mut self, cohort: &Cohort, keys: &[(&str, String)], what: &dyn Fn(&str) -> String, fix: &str) {
        let mut firsts: BTreeMap<&str, &str> = BTreeMap::new();
        for (patient, key) in keys.iter().filter(|(_, key)| !key.is_empty()) {
            match firsts.get(key.as_str()) {
                None => drop(firsts.insert(key, patient)),
                Some(first) => self.add(cohort, first, patient, what(key), fix),
            }
        }
    }
}

const FIX: &str = "give each patient the own image; if they are one person, keep one row";

/// What patients share that none may: the image, by path, bytes or DICOM identifiers. `acquisitions` are of the
/// headers. The second value holds remarks.
#[must_use]
pub fn check_identities(
    cohort: &Cohort,
    patients: &[&Patient],
    acquisitions: &[PatientAcquisition],
) -> (Vec<Problem>, Vec<String>) {
    let mut pairs = Pairs::default();
    let paths: Vec<(&str, String)> = patients
        .iter()
        .map(|patient| {
            let path = cohort.folder.join(&patient.image);
            (patient.id.as_str(), std::fs::canonicalize(&path).unwrap_or(path).to_string_lossy().into_owned())
        })
        .collect();
    pairs.add_equal(cohort, &paths, &|_| "both have the same path in column image".to_owned(), FIX);
    let of_series = |key: fn(&super::acquisition::SeriesHeader) -> &String| -> Vec<(&str, String)> {
        let series = acquisitions.iter().filter_map(|one| Some((one.patient.as_str(), one.series.as_ref()?)));
        series.map(|(patient, series)| (patient, key(series).clone())).collect()
    };
    let uid = |name: &'static str| move |uid: &str| format!("their images have the same {name}, {uid}");
    pairs.add_equal(cohort, &of_series(|series| &series.uid), &uid("SeriesInstanceUID"), FIX);
    pairs.add_equal(cohort, &of_series(|series| &series.study_uid), &uid("StudyInstanceUID"), FIX);
    let ends: Vec<(&str, String)> = patients
        .par_iter()
        .map(|patient| (patient.id.as_str(), ends_hash(&cohort.folder.join(&patient.image)).unwrap_or_default()))
        .collect();
    let same_bytes = equal_as_a_whole(cohort, patients, &ends);
    pairs.add_equal(cohort, &same_bytes, &|_| "their images are the same file, byte by byte".to_owned(), FIX);
    let remarks = patient_ids(cohort, acquisitions, &mut pairs);
    (pairs.problems, remarks)
}

/// Patients who share an image or a mask, found by the voxels.
#[must_use]
pub fn check_voxels(cohort: &Cohort, hashes: &[(String, VoxelHashes)]) -> Vec<Problem> {
    let mut pairs = Pairs::default();
    let of = |part: fn(&VoxelHashes) -> &String| -> Vec<(&str, String)> {
        hashes.iter().map(|(patient, hashes)| (patient.as_str(), part(hashes).clone())).collect()
    };
    pairs.add_equal(cohort, &of(|h| &h.image), &|_| "their images are equal, voxel by voxel".to_owned(), FIX);
    let fix = "give each patient the own outline";
    pairs.add_equal(cohort, &of(|h| &h.mask), &|_| "their masks are equal, voxel by voxel".to_owned(), fix);
    pairs.problems
}

/// The PatientID of DICOM files: one that two patients have, and one that is not the patient's identifier where those
/// of the others are.
fn patient_ids(cohort: &Cohort, acquisitions: &[PatientAcquisition], pairs: &mut Pairs) -> Vec<String> {
    let mut remarks = Vec::new();
    let known: Vec<(&PatientAcquisition, &super::acquisition::SeriesHeader)> = acquisitions
        .iter()
        .filter_map(|one| {
            one.series.as_ref().filter(|series| !series.patient_id.is_empty()).map(|series| (one, series))
        })
        .collect();
    let mut by_id: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    known.iter().for_each(|pair| by_id.entry(&pair.1.patient_id).or_default().push(pair));
    for (id, images) in by_id.iter().filter(|(_, images)| images.len() > 1) {
        let [first, second] = [images[0], images[1]];
        // Hospitals may number alike, and files without names may all have one identifier.
        let is_one = first.0.centre == second.0.centre || first.1.study_date == second.1.study_date;
        if images.len() == 2 && is_one {
            let what = format!("their images have the same PatientID, {id}");
            pairs.add(cohort, &first.0.patient, &second.0.patient, what, FIX);
        } else {
            let names: Vec<&str> = images.iter().take(4).map(|(one, _)| one.patient.as_str()).collect();
            let more = if images.len() > 4 { format!(" and {} more", images.len() - 4) } else { String::new() };
            remarks.push(format!("the images of {}{more} have the same PatientID, {id}", names.join(", ")));
        }
    }
    let usual = known.iter().filter(|(one, series)| one.patient == series.patient_id).count();
    if usual < known.len() && usual as f64 >= USUAL * known.len() as f64 {
        for (one, series) in known.iter().filter(|(one, series)| one.patient != series.patient_id) {
            let place = format!("image {}", one.image.display());
            let what =
                format!("its PatientID is {}, where those of the others are the column patient", series.patient_id);
            pairs.problems.push(Problem::of_patient(&one.patient, place, what, "give the patient the own image"));
        }
    }
    remarks
}

/// The files of a path in order of their names.
fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path)? {
        found.extend(files(&entry?.path())?);
    }
    found.sort();
    Ok(found)
}

/// A hash over the sizes of all files of an image and the ends of the first, the middle and the last.
fn ends_hash(path: &Path) -> std::io::Result<String> {
    let files = files(path)?;
    let mut hash = Sha256::new();
    for file in &files {
        hash.update(std::fs::metadata(file)?.len().to_le_bytes());
    }
    let places: BTreeSet<usize> = [0, files.len() / 2, files.len().saturating_sub(1)].into_iter().collect();
    for file in places.iter().filter_map(|&place| files.get(place)) {
        let mut file = File::open(file)?;
        let size = file.metadata()?.len();
        let mut bytes = Vec::new();
        file.by_ref().take(ENDS).read_to_end(&mut bytes)?;
        if size > ENDS {
            file.seek(SeekFrom::Start(size.saturating_sub(ENDS)))?;
            file.take(ENDS).read_to_end(&mut bytes)?;
        }
        hash.update(&bytes);
    }
    Ok(hex(hash))
}

/// The hashes over whole files of the images that agree at their ends; nothing for the others.
fn equal_as_a_whole<'a>(cohort: &Cohort, patients: &[&'a Patient], ends: &[(&str, String)]) -> Vec<(&'a str, String)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    ends.iter().for_each(|(_, hash)| *counts.entry(hash).or_default() += 1);
    let whole = |(patient, (_, hash)): (&&'a Patient, &(&str, String))| {
        let is_shared = !hash.is_empty() && counts[hash.as_str()] > 1;
        let fingerprint = || Fingerprint::default().files(&cohort.folder.join(&patient.image)).ok();
        (patient.id.as_str(), is_shared.then(fingerprint).flatten().map(Fingerprint::finish).unwrap_or_default())
    };
    patients.iter().zip(ends).map(whole).collect()
}
