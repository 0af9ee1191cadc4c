//! Whether images and masks can be read and lie on the same grid.

use std::path::Path;

use alnm_imaging::dicom::DicomFolder;
use alnm_imaging::mask::{MaskParams, MaskProblem, read_mask_with};
use alnm_imaging::{FileProblem, Geometry, Image, ImagingError, LabelMap, dicom, read_image, read_mask};
use rayon::prelude::*;

use super::{Cohort, Patient, Problem};

/// Tolerance of origins, spacings and directions, relative to the spacing (a thousandth of a voxel).
const GEOMETRY_TOLERANCE: f64 = 1e-3;

/// One patient's files, opened.
#[derive(Debug)]
pub struct FileCheck<'a> {
    /// The patient.
    pub patient: &'a Patient,
    /// What is wrong with the files.
    pub problems: Vec<Problem>,
}

/// Opens the image and the masks of every patient and compares their grids; `observe` is called after each patient.
pub fn check_files<'a>(
    cohort: &'a Cohort,
    patients: &[&'a Patient],
    observe: &(dyn Fn() + Sync),
) -> Vec<FileCheck<'a>> {
    patients
        .par_iter()
        .map(|patient| {
            let problems = check_patient(cohort, patient);
            observe();
            FileCheck { patient, problems }
        })
        .collect()
}

impl Cohort {
    /// The analysed phase of a patient's image: a DICOM folder's series (its only phase where it has one), or a file.
    ///
    /// # Errors
    /// What the reader found wrong.
    pub fn image(&self, patient: &Patient) -> alnm_imaging::Result<Image> {
        let path = self.folder.join(&patient.image);
        if !path.is_dir() {
            return read_image(path);
        }
        let folder = DicomFolder::scan(path)?;
        let series = folder.only_series()?;
        if series.phase_count() == 1 { series.image() } else { series.phase(self.description.phase) }
    }

    /// All phases of a patient's image with their times, where the image is a dynamic series.
    ///
    /// # Errors
    /// What the reader found wrong.
    pub fn phases(&self, patient: &Patient) -> alnm_imaging::Result<Option<dicom::DynamicSeries>> {
        let path = self.folder.join(&patient.image);
        if !path.is_dir() {
            return Ok(None);
        }
        let folder = DicomFolder::scan(path)?;
        let series = folder.only_series()?;
        if series.phase_count() < 2 { Ok(None) } else { series.phases().map(Some) }
    }

    /// A mask of the cohort on its own grid; contours, which have none, on that of the image on which they were drawn.
    ///
    /// # Errors
    /// What the reader found wrong.
    pub fn mask(&self, path: &Path, image: &Geometry) -> alnm_imaging::Result<LabelMap> {
        let path = self.folder.join(path);
        match read_mask(&path) {
            Err(ImagingError::File { problem: FileProblem::Mask(problem), .. })
                if matches!(*problem, MaskProblem::GridNeeded) =>
            {
                read_mask_with(&path, &MaskParams::default().with_grid(image.clone()))
            }
            other => other,
        }
    }
}

fn check_patient(cohort: &Cohort, patient: &Patient) -> Vec<Problem> {
    let image = match cohort.image(patient) {
        Ok(image) => image,
        Err(error) => {
            let place = format!("image {}", patient.image.display());
            return vec![Problem::of_patient(&patient.id, place, error.to_string(), "export the series again")];
        }
    };
    let masks = std::iter::once(&patient.mask).chain(&patient.mask_reader2);
    masks.filter_map(|path| check_mask(cohort, patient, path, &image)).collect()
}

fn check_mask(cohort: &Cohort, patient: &Patient, path: &Path, image: &Image) -> Option<Problem> {
    let problem =
        |what: String, fix: &str| Some(Problem::of_patient(&patient.id, format!("mask {}", path.display()), what, fix));
    let mask = match cohort.mask(path, image.geometry()) {
        Ok(mask) => mask,
        Err(error) => return problem(error.to_string(), "save the mask again as .nii.gz, .nrrd or .mha"),
    };
    if let Some(difference) = image.geometry().difference(mask.geometry(), GEOMETRY_TOLERANCE) {
        return problem(
            format!("its grid is not the image's: {difference}"),
            "outline the lesion on the exported series",
        );
    }
    let label = cohort.description.label;
    if !mask.as_slice().contains(&label) {
        return problem(format!("no voxel has label {label}"), "outline the lesion, or name its label in cohort.toml");
    }
    None
}
