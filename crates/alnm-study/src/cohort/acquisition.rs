//! How the images of a cohort were made, patient by patient, and what each centre's have in common.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use alnm_imaging::Geometry;
use alnm_imaging::dicom::Series;
use serde::Serialize;

use super::{Cohort, Patient};

/// How a patient's image was acquired, as its headers say.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PatientAcquisition {
    /// Identifier of the patient.
    pub patient: String,
    /// Centre.
    pub centre: String,
    /// The image.
    pub image: PathBuf,
    /// Distances of voxels in mm.
    pub spacing: [f64; 3],
    /// Numbers of voxels.
    pub size: [usize; 3],
    /// What a DICOM series says of itself; `None` for other files.
    pub series: Option<SeriesHeader>,
}

/// What a DICOM series says of itself.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SeriesHeader {
    /// `SeriesInstanceUID`.
    pub uid: String,
    /// `StudyInstanceUID`.
    pub study_uid: String,
    /// `PatientID`.
    pub patient_id: String,
    /// `StudyDate`.
    pub study_date: String,
    /// `Modality`.
    pub modality: String,
    /// Manufacturer and model, or nothing.
    pub scanner: String,
    /// Field strength in tesla.
    pub field_strength: Option<f64>,
    /// Number of phases.
    pub phases: usize,
}

impl SeriesHeader {
    pub(super) fn of(series: &Series) -> Self {
        let scanner = series.scanner();
        let name = [scanner.manufacturer.as_str(), scanner.model.as_str()].join(" ");
        Self {
            uid: series.uid().to_owned(),
            study_uid: series.study_uid().to_owned(),
            patient_id: series.patient_id().to_owned(),
            study_date: series.study_date().to_owned(),
            modality: series.modality().to_owned(),
            scanner: name.trim().to_owned(),
            field_strength: scanner.field_strength,
            phases: series.phase_count(),
        }
    }
}

impl PatientAcquisition {
    pub(super) fn new(patient: &Patient, grid: &Geometry, series: Option<SeriesHeader>) -> Self {
        Self {
            patient: patient.id.clone(),
            centre: patient.centre.clone(),
            image: patient.image.clone(),
            spacing: grid.spacing(),
            size: grid.size(),
            series,
        }
    }

    fn modality(&self) -> String {
        match &self.series {
            Some(series) if !series.modality.is_empty() => series.modality.clone(),
            Some(_) => "not stated".to_owned(),
            None => format!("not stated (.{})", kind(&self.image)),
        }
    }

    fn spacing_text(&self) -> String {
        self.spacing.map(|side| format!("{side:.2}")).join(" x ")
    }
}

/// The end of a file's name, without the compression's.
fn kind(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    plain.rsplit_once('.').map_or_else(|| "file".to_owned(), |(_, kind)| kind.to_owned())
}

/// A property of the images of a centre: its values with the number of patients who have them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CentreProperty {
    /// Centre.
    pub centre: String,
    /// The property.
    pub property: &'static str,
    /// Its values, the most frequent first.
    pub values: Vec<(String, usize)>,
}

/// A property of an image, in words.
type Property = (&'static str, fn(&PatientAcquisition) -> String);

const PROPERTIES: [Property; 5] = [
    ("modality", PatientAcquisition::modality),
    ("spacing (mm)", PatientAcquisition::spacing_text),
    ("field strength (T)", |acquisition| {
        let field = acquisition.series.as_ref().and_then(|series| series.field_strength);
        field.map_or_else(|| "not stated".to_owned(), |field| field.to_string())
    }),
    ("scanner", |acquisition| {
        let scanner = acquisition.series.as_ref().map(|series| series.scanner.clone()).unwrap_or_default();
        if scanner.is_empty() { "not stated".to_owned() } else { scanner }
    }),
    ("phases", |acquisition| acquisition.series.as_ref().map_or(1, |series| series.phases).to_string()),
];

/// Modality, spacing, field strength, scanner and number of phases of each centre's images, in the order of the
/// cohort's centres.
#[must_use]
pub fn acquisition_by_centre(cohort: &Cohort, acquisitions: &[PatientAcquisition]) -> Vec<CentreProperty> {
    let description = &cohort.description;
    let centres = std::iter::once(&description.training_centre).chain(&description.validation_centres);
    let of_centre = |centre: &String| {
        let images: Vec<&PatientAcquisition> = acquisitions.iter().filter(|one| one.centre == *centre).collect();
        PROPERTIES.map(|(property, value)| {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            images.iter().for_each(|image| *counts.entry(value(image)).or_default() += 1);
            let mut values: Vec<(String, usize)> = counts.into_iter().collect();
            values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            CentreProperty { centre: centre.clone(), property, values }
        })
    };
    centres.flat_map(of_centre).collect()
}

/// What differs among the images of a cohort, in words: a mixture of modalities, or of spacings between which one is
/// half as large again as another.
pub(super) fn mixtures(acquisitions: &[PatientAcquisition]) -> Vec<String> {
    /// Ratio of voxel volumes from which on grids are said to differ.
    const APART: f64 = 2.0;
    let mut remarks = Vec::new();
    let mut modalities: BTreeMap<String, usize> = BTreeMap::new();
    acquisitions.iter().for_each(|one| *modalities.entry(one.modality()).or_default() += 1);
    if modalities.len() > 1 {
        let parts: Vec<String> = modalities.iter().map(|(name, count)| format!("{count} {name}")).collect();
        remarks.push(format!("the images are of different modalities or kinds of files: {}", parts.join(", ")));
    }
    let volume = |one: &&PatientAcquisition| one.spacing.iter().product::<f64>();
    let finest = acquisitions.iter().min_by(|a, b| volume(a).total_cmp(&volume(b)));
    let coarsest = acquisitions.iter().max_by(|a, b| volume(a).total_cmp(&volume(b)));
    if let (Some(finest), Some(coarsest)) = (finest, coarsest)
        && volume(&coarsest) > APART * volume(&finest)
    {
        remarks.push(format!(
            "voxels of different sizes: {} mm (patient {}) to {} mm (patient {})",
            finest.spacing_text(),
            finest.patient,
            coarsest.spacing_text(),
            coarsest.patient
        ));
    }
    remarks
}
