//! The images and masks of patients: whether they can be read and lie on the same grid.

use std::collections::BTreeSet;
use std::path::Path;

use alnm_imaging::dicom::{DicomFolder, DynamicSeries, MaskFile};
use alnm_imaging::file::Source;
use alnm_imaging::mask::{MaskParams, RegionChoice};
use alnm_imaging::{FileFormat, Geometry, Image, ImagingError, LabelMap, read_image};
use anyhow::{Result, bail, ensure};
use rayon::prelude::*;

use super::acquisition::{PatientAcquisition, SeriesHeader, mixtures};
use super::identity::{VoxelHashes, check_voxels};
use super::seeding::OutlineSource;
use super::{Cohort, CohortProblems, Patient, Problem};

/// Tolerance of origins, spacings and directions, relative to the spacing (a thousandth of a voxel).
const GEOMETRY_TOLERANCE: f64 = 1e-3;

/// The voxels of one patient, which lie on one grid.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PatientVoxels {
    /// The analysed phase of the image.
    pub image: Image,
    /// The first reader's mask; it holds the label of the tumour.
    pub mask: LabelMap,
    /// The second reader's mask, where there is one.
    pub second_mask: Option<LabelMap>,
    /// All phases of the image, where `cohort.toml` asks for others than the analysed one.
    pub series: Option<DynamicSeries>,
}

/// What the headers of patients' files tell.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct HeaderReading {
    /// What is wrong, in the order of the patients.
    pub problems: Vec<Problem>,
    /// How the images were made, of the patients whose images can be read.
    pub acquisitions: Vec<PatientAcquisition>,
    /// What differs among the images.
    pub remarks: Vec<String>,
}

/// What is wrong with the files of patients, of whom every image and mask is read, in the order of the patients; then
/// which patients share voxels. `observe` is called after each patient.
pub fn check_files(cohort: &Cohort, patients: &[&Patient], observe: &(dyn Fn() + Sync)) -> Vec<Problem> {
    let checked: Vec<Result<(String, VoxelHashes), Vec<Problem>>> = patients
        .par_iter()
        .map(|patient| {
            let voxels = cohort.read_voxels(patient);
            observe();
            voxels.map(|voxels| (patient.id.clone(), voxels.hashes())).map_err(|found| found.problems)
        })
        .collect();
    let mut problems = Vec::new();
    let mut hashes = Vec::new();
    for found in checked {
        match found {
            Ok(of_patient) => hashes.push(of_patient),
            Err(found) => problems.extend(found),
        }
    }
    problems.extend(check_voxels(cohort, &hashes));
    problems
}

/// What the headers of the patients' files tell, without a voxel being read, in the order of the patients. `observe` is
/// called after each patient.
pub fn check_headers(cohort: &Cohort, patients: &[&Patient], observe: &(dyn Fn() + Sync)) -> HeaderReading {
    let read: Vec<(Vec<Problem>, Option<PatientAcquisition>)> = patients
        .par_iter()
        .map(|patient| {
            let found = cohort.read_headers(patient);
            observe();
            found
        })
        .collect();
    let mut reading = HeaderReading::default();
    for (problems, acquisition) in read {
        reading.problems.extend(problems);
        reading.acquisitions.extend(acquisition);
    }
    reading.remarks = mixtures(&reading.acquisitions);
    reading
}

impl Cohort {
    /// The image and the masks of a patient.
    ///
    /// # Errors
    /// Everything that is wrong with them: files that cannot be read, masks on another grid than the image, masks
    /// without a voxel of the tumour's label.
    pub fn read_voxels(&self, patient: &Patient) -> Result<PatientVoxels, CohortProblems> {
        let refused = |problems| CohortProblems { folder: self.folder.clone(), problems, remarks: Vec::new() };
        let (image, series) = match self.analysed_image(patient) {
            Ok(read) => read,
            Err(problem) => return Err(refused(vec![problem])),
        };
        let mask = self.checked_mask(patient, &patient.mask, &image);
        let mut second_mask = patient.mask_reader2.as_ref().map(|path| self.checked_mask(patient, path, &image));
        // Two readers' seeds may well grow into one outline; two drawings are never the same.
        if let (Ok(first), Some(Ok(second)), Some(path)) = (&mask, &second_mask, &patient.mask_reader2)
            && self.description.mask == OutlineSource::File
            && first.as_slice() == second.as_slice()
        {
            let what = "it equals the first reader's, voxel by voxel".to_owned();
            let fix = "give the second reader's own outline, or leave the cell empty";
            second_mask = Some(Err(mask_problem(patient, path, what, fix)));
        }
        match (mask, second_mask.transpose()) {
            (Ok(mask), Ok(second_mask)) => Ok(PatientVoxels { image, mask, second_mask, series }),
            (mask, second_mask) => Err(refused([mask.err(), second_mask.err()].into_iter().flatten().collect())),
        }
    }

    /// The analysed phase of a patient's image, and all phases where others are asked for.
    fn analysed_image(&self, patient: &Patient) -> Result<(Image, Option<DynamicSeries>), Problem> {
        let phase = self.description.phase;
        let Some(last) = self.description.last_phase() else {
            return self.image(patient).map(|image| (image, None)).map_err(|error| image_problem(patient, &error));
        };
        let series = self.phases(patient).map_err(|error| image_problem(patient, &error))?;
        let count = series.as_ref().map_or(1, DynamicSeries::phase_count);
        match series {
            Some(series) if count >= last => Ok((series.images()[phase - 1].clone(), Some(series))),
            _ => Err(too_few_phases(patient, count, last)),
        }
    }

    /// What the headers of a patient's files tell is wrong, and how the image was made. Contours and segments of DICOM
    /// masks have no header apart.
    fn read_headers(&self, patient: &Patient) -> (Vec<Problem>, Option<PatientAcquisition>) {
        let (image, series) = match self.image_header(patient) {
            Ok(header) => header,
            Err(error) => return (vec![image_problem(patient, &error)], None),
        };
        let masks = std::iter::once(&patient.mask).chain(&patient.mask_reader2);
        let mut problems: Vec<Problem> = masks
            .filter_map(|path| match self.mask_grid(path) {
                Ok(grid) => grid.and_then(|grid| grid_problem(patient, path, &image, &grid)),
                Err(error) => Some(unreadable_mask(patient, path, &error)),
            })
            .collect();
        if let Some(last) = self.description.last_phase() {
            let count = series.as_ref().map_or(1, |series| series.phases);
            problems.extend((count < last).then(|| too_few_phases(patient, count, last)));
        }
        (problems, Some(PatientAcquisition::new(patient, &image, series)))
    }

    /// The grid of a patient's image, whose slices are all there, and what a DICOM series says of itself.
    fn image_header(&self, patient: &Patient) -> alnm_imaging::Result<(Geometry, Option<SeriesHeader>)> {
        let path = self.folder.join(&patient.image);
        if !path.is_dir() {
            return Ok((Source::open(path)?.read_geometry()?, None));
        }
        let folder = DicomFolder::scan(path)?;
        let series = folder.only_series()?;
        if series.phase_count() > 1 {
            // The phase that is analysed has to be there.
            series.instances(self.description.phase)?;
        }
        Ok((series.geometry()?.clone(), Some(SeriesHeader::of(series))))
    }

    /// The grid of a mask; `None` for the masks of DICOM.
    fn mask_grid(&self, path: &Path) -> alnm_imaging::Result<Option<Geometry>> {
        let source = Source::open(self.folder.join(path))?;
        if source.format() == FileFormat::Dicom { Ok(None) } else { source.read_geometry().map(Some) }
    }

    fn checked_mask(&self, patient: &Patient, path: &Path, image: &Image) -> Result<LabelMap, Problem> {
        let mask = self.mask(path, image.geometry()).map_err(|error| unreadable_mask(patient, path, &error))?;
        if let Some(problem) = grid_problem(patient, path, image.geometry(), mask.geometry()) {
            return Err(problem);
        }
        let label = self.description.label;
        if !mask.as_slice().contains(&label) {
            let labels: BTreeSet<u32> = mask.as_slice().iter().copied().filter(|label| *label != 0).collect();
            let labels: Vec<String> = labels.iter().take(8).map(ToString::to_string).collect();
            let there =
                if labels.is_empty() { "it is empty".to_owned() } else { format!("it has {}", labels.join(", ")) };
            let fix = "outline the lesion, or name its label in cohort.toml";
            return Err(mask_problem(patient, path, format!("no voxel has label {label}; {there}"), fix));
        }
        Ok(mask)
    }

    /// The analysed phase of a patient's image: a DICOM folder's series (its only phase where it has one), or a file.
    ///
    /// # Errors
    /// What the reader found wrong.
    pub fn image(&self, patient: &Patient) -> alnm_imaging::Result<Image> {
        read_analysed_image(&self.folder.join(&patient.image), self.description.phase, None)
    }

    /// All phases of a patient's image with their times, where the image is a dynamic series.
    ///
    /// # Errors
    /// What the reader found wrong.
    pub fn phases(&self, patient: &Patient) -> alnm_imaging::Result<Option<DynamicSeries>> {
        read_phases(&self.folder.join(&patient.image), None)
    }

    /// A mask of the cohort on its own grid; contours, which have none, on that of the image on which they were drawn.
    ///
    /// # Errors
    /// What the reader found wrong.
    pub fn mask(&self, path: &Path, image: &Geometry) -> alnm_imaging::Result<LabelMap> {
        read_mask_for(&self.folder.join(path), image, None)
    }
}

/// The analysed phase of an image: of a DICOM folder's series (its only phase where it has one), or a file.
///
/// # Errors
/// What the reader found wrong.
pub fn read_analysed_image(path: &Path, phase: usize, series: Option<&str>) -> alnm_imaging::Result<Image> {
    if !path.is_dir() {
        return read_image(path);
    }
    let folder = DicomFolder::scan(path)?;
    let series = series.map_or_else(|| folder.only_series(), |uid| folder.series_with_uid(uid))?;
    if series.phase_count() == 1 { series.image() } else { series.phase(phase) }
}

/// All phases of a DICOM folder's series with their times; none of a file, or of a series of one phase.
///
/// # Errors
/// What the reader found wrong.
pub fn read_phases(path: &Path, series: Option<&str>) -> alnm_imaging::Result<Option<DynamicSeries>> {
    if !path.is_dir() {
        return Ok(None);
    }
    let folder = DicomFolder::scan(path)?;
    let series = series.map_or_else(|| folder.only_series(), |uid| folder.series_with_uid(uid))?;
    if series.phase_count() < 2 { Ok(None) } else { series.phases().map(Some) }
}

/// The outline of a lesion, on the grid of its image: all labels of the mask, or a region alone, chosen by its name or
/// number, which then has the label of the lesion.
///
/// # Errors
/// What the reader found wrong; another grid than the image's; no voxel of the label.
pub fn read_outline(path: &Path, image: &Geometry, label: u32, region: Option<&RegionChoice>) -> Result<LabelMap> {
    let mut mask = read_mask_for(path, image, region)?;
    if region.is_some() {
        mask = mask.map(|&voxel| if voxel == 0 { 0 } else { label });
    }
    if let Some(difference) = image.difference(mask.geometry(), GEOMETRY_TOLERANCE) {
        bail!("its grid is not the image's: {difference}; outline the lesion on the exported series");
    }
    ensure!(mask.as_slice().contains(&label), "no voxel has label {label}; outline the lesion, or correct its label");
    Ok(mask)
}

/// A mask on its own grid; contours, which have none, on that of an image. With a region, it alone as the label 1.
fn read_mask_for(path: &Path, image: &Geometry, region: Option<&RegionChoice>) -> alnm_imaging::Result<LabelMap> {
    let source = Source::open(path)?;
    let mut params = MaskParams::default();
    params.region = region.cloned();
    if source.format() != FileFormat::Dicom {
        return params.check()?.read_source(source);
    }
    match source.dicom_folder()?.only_mask()? {
        Some(mask) if matches!(mask, MaskFile::StructureSet(_)) => params.with_grid(image.clone()).check()?.draw(mask),
        Some(mask) => params.check()?.draw(mask),
        // A DICOM image whose voxels are labels.
        None => params.check()?.read(path),
    }
}

fn image_problem(patient: &Patient, error: &ImagingError) -> Problem {
    let place = format!("image {}", patient.image.display());
    Problem::of_patient(&patient.id, place, error.to_string(), "export the series again")
}

fn too_few_phases(patient: &Patient, count: usize, last: usize) -> Problem {
    let place = format!("image {}", patient.image.display());
    let plural = if count == 1 { "" } else { "s" };
    let what = format!("it has {count} phase{plural}, and cohort.toml asks for phase {last}");
    let fix = "give the DICOM folder of the whole series, or take [motion], [phases] and habitats out of cohort.toml";
    Problem::of_patient(&patient.id, place, what, fix)
}

fn mask_problem(patient: &Patient, path: &Path, what: String, fix: &str) -> Problem {
    Problem::of_patient(&patient.id, format!("mask {}", path.display()), what, fix)
}

fn unreadable_mask(patient: &Patient, path: &Path, error: &ImagingError) -> Problem {
    mask_problem(patient, path, error.to_string(), "save the mask again as .nii.gz, .nrrd or .mha")
}

fn grid_problem(patient: &Patient, path: &Path, image: &Geometry, mask: &Geometry) -> Option<Problem> {
    let difference = image.difference(mask, GEOMETRY_TOLERANCE)?;
    let what = format!("its grid is not the image's: {difference}");
    Some(mask_problem(patient, path, what, "outline the lesion on the exported series"))
}
