//! DICOM series as volumes: reading folders, dynamic (DCE) series phase by phase, and writing.
//!
//! Files are grouped by `SeriesInstanceUID`, whatever their names. Slices are sorted by their position along the normal
//! of the slices; a slice that is missing or stands twice, uneven distances and mixed orientations are errors that name
//! the place. Where a position occurs more than once, the series is dynamic and its phases are told apart by
//! `TemporalPositionIdentifier` (`TemporalPositionIndex` in enhanced files), else `TriggerTime`, else the time of
//! acquisition. Classic files and enhanced multi-frame files are read alike, and so are files that begin without the
//! preamble or without the meta group, as old exports do.
//!
//! Voxels carry `RescaleSlope` and `RescaleIntercept`. The pixel type is the smallest that GDCM would choose: the
//! stored type where there is nothing to rescale, the smallest integer type that holds all rescaled values where slope
//! and intercept are whole numbers, double precision otherwise.
//!
//! ```
//! use alnm_imaging::dicom::{DicomFolder, Phase, SeriesAttributes, write_series};
//! use alnm_imaging::{Geometry, Volume};
//!
//! let folder = tempfile::tempdir()?;
//! let grid = Geometry::axis_aligned([16, 16, 4], [0.8, 0.8, 2.0])?;
//! let phases: Vec<Phase<u16>> =
//!     (0..3).map(|i| Phase { volume: Volume::filled(grid.clone(), 100 * i as u16), time: 30.0 * f64::from(i) }).collect();
//! write_series(folder.path(), &phases, &SeriesAttributes::new("P001", "DCE"))?;
//!
//! let scanned = DicomFolder::scan(folder.path())?;
//! let series = scanned.only_series()?;
//! assert_eq!(series.phase_count(), 3);
//! let dynamic = series.phases()?;
//! assert_eq!(dynamic.times, [0.0, 30.0, 60.0]);
//! assert_eq!(series.phase(2)?.cast::<f64>().as_slice()[0], 100.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attributes;
mod compressed;
mod contour;
mod dynamic;
mod jpeg;
#[cfg(feature = "jpeg2000")]
mod jpeg_2000;
mod jpeg_ls;
#[cfg(feature = "jpegxl")]
mod jpeg_xl;
mod object;
mod pixels;
mod problem;
mod rle;
mod segmentation;
mod series;
mod slice;
mod sorting;
mod structure_set;
mod write;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use rayon::prelude::*;

use crate::error::{FileProblem, Result};
use crate::format::FileFormat;
use crate::mask::MaskRegion;
use crate::volume::Image;

pub use dynamic::DynamicSeries;
pub use problem::SeriesProblem;
pub use segmentation::Segmentation;
pub use series::Series;
pub use structure_set::{Contour, ContourKind, StructureSet, StructureSetRoi};
pub use write::{DicomVoxel, Phase, SeriesAttributes, uid_from, write_series};

pub(crate) use object::is_dicom;
use slice::ImageFile;

fn malformed(what: impl Into<String>) -> FileProblem {
    FileProblem::malformed(FileFormat::Dicom, what)
}

fn unsupported(what: impl Into<String>) -> FileProblem {
    FileProblem::unsupported(FileFormat::Dicom, what)
}

/// The image series of a folder.
#[derive(Debug, Clone)]
pub struct DicomFolder {
    path: PathBuf,
    series: Vec<Series>,
}

impl DicomFolder {
    /// Reads the headers of all DICOM files in a folder and below it and sorts them into series. Other files, and DICOM
    /// files without an image (structure sets, presentation states), are passed over. An image that is no slice (a
    /// screenshot, a film) makes its series faulty, not the folder.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when a file cannot be read, or none holds an image.
    pub fn scan(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut files = Vec::new();
        collect_files(path, &mut files, 0).map_err(|problem| problem.at(path))?;
        Self::of_files(path, &files)
    }

    /// As [`DicomFolder::scan`] for a list of files.
    ///
    /// # Errors
    /// As [`DicomFolder::scan`].
    pub fn from_files(files: &[PathBuf]) -> Result<Self> {
        let folder = files.first().and_then(|file| file.parent()).unwrap_or(Path::new(""));
        Self::of_files(folder, files)
    }

    fn of_files(path: &Path, files: &[PathBuf]) -> Result<Self> {
        let images: Vec<Option<ImageFile>> = files
            .par_iter()
            .map(|file| ImageFile::open(file).map_err(|problem| problem.at(file)))
            .collect::<Result<_>>()?;
        let series = series::group(images.into_iter().flatten());
        if series.is_empty() {
            return Err(malformed(
                "no DICOM file with an image here; segmentations and structure sets are read as masks",
            )
            .at(path));
        }
        Ok(Self { path: path.to_owned(), series })
    }

    /// The series, ordered by number, then by unique identifier.
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// The series with this `SeriesInstanceUID`.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when no series has it.
    pub fn series_with_uid(&self, uid: &str) -> Result<&Series> {
        let found = self.series.iter().find(|series| series.uid == uid);
        found.ok_or_else(|| FileProblem::from(SeriesProblem::NoSuchSeries { uid: uid.to_owned() }).at(&self.path))
    }

    /// The series of a folder that holds one.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] that lists the series when there are several.
    pub fn only_series(&self) -> Result<&Series> {
        match self.series.as_slice() {
            [series] => Ok(series),
            several => {
                let series = several
                    .iter()
                    .map(|series| format!("{} ({}, {} slices)", series.uid, series.description, series.slice_count()))
                    .collect();
                Err(FileProblem::from(SeriesProblem::SeveralSeries { series }).at(&self.path))
            }
        }
    }

    /// A dynamic series that was stored as a series for each phase: all series of the folder, in order of their
    /// acquisition times, or of their numbers where no times are stated.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when a series has several phases, or two of them differ in study, frame of
    /// reference or grid or began at the same time; and as [`Series::image`].
    pub fn series_as_phases(&self) -> Result<DynamicSeries> {
        DynamicSeries::of_series(&self.series).map_err(|problem| problem.at(&self.path))
    }
}

/// Reads an image whose slices all lie in one file, from its bytes.
///
/// # Errors
/// [`FileProblem`] when the bytes are no DICOM file, or one without an image that is a volume by itself.
pub fn decode(bytes: &[u8]) -> Result<Image, FileProblem> {
    let object = object::parse_bytes(bytes, None)?;
    Ok(Series::image_of(object, bytes.len() as u64)?)
}

/// Reads the image of a folder that holds one series of one phase, or of a single file.
///
/// # Errors
/// [`crate::ImagingError::File`] with what is wrong; a dynamic series names the number of its phases.
pub fn read_series(path: impl AsRef<Path>) -> Result<Image> {
    let path = path.as_ref();
    let folder = if path.is_dir() { DicomFolder::scan(path)? } else { DicomFolder::from_files(&[path.to_owned()])? };
    folder.only_series()?.image()
}

/// Reads one phase, counted from 1, of a folder that holds one series.
///
/// # Errors
/// As [`read_series`], and when the series has fewer phases.
pub fn read_phase(path: impl AsRef<Path>, number: usize) -> Result<Image> {
    DicomFolder::scan(path)?.only_series()?.phase(number)
}

/// Reads all phases of a folder that holds one dynamic series.
///
/// # Errors
/// As [`read_series`].
pub fn read_phases(path: impl AsRef<Path>) -> Result<DynamicSeries> {
    DicomFolder::scan(path)?.only_series()?.phases()
}

/// A DICOM file that holds a mask.
#[derive(Debug, Clone)]
pub enum MaskFile {
    /// Regions drawn as contours.
    StructureSet(StructureSet),
    /// Regions drawn as voxels.
    Segmentation(Box<Segmentation>),
}

impl MaskFile {
    /// Opens a structure set or segmentation, or the only one below a folder; none when there is none.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when the file is damaged, or a folder holds several.
    pub fn find(path: impl AsRef<Path>) -> Result<Option<Self>> {
        let path = path.as_ref();
        match Self::paths(path)?.as_slice() {
            [] => Ok(None),
            [file] => Self::open(file).map_err(|problem| problem.at(file)),
            [first, second, ..] => {
                let what =
                    format!("several masks in one folder, {} and {}; name the file", first.display(), second.display());
                Err(unsupported(what).at(path))
            }
        }
    }

    /// All structure sets and segmentations below a folder, with their paths.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when a file is damaged.
    pub fn find_all(path: impl AsRef<Path>) -> Result<Vec<(PathBuf, Self)>> {
        let open = |file: PathBuf| {
            let opened = Self::open(&file).map_err(|problem| problem.at(&file));
            opened.map(|mask| mask.map(|mask| (file, mask))).transpose()
        };
        Self::paths(path.as_ref())?.into_iter().filter_map(open).collect()
    }

    /// The files that hold masks: the path itself, or those below it.
    fn paths(path: &Path) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        if path.is_dir() {
            collect_files(path, &mut files, 0).map_err(|problem| problem.at(path))?;
        } else {
            files.push(path.to_owned());
        }
        let holds_mask: Vec<bool> = files
            .par_iter()
            .map(|file| MaskModality::of(file).map(|modality| modality.is_some()).map_err(|problem| problem.at(file)))
            .collect::<Result<_>>()?;
        Ok(files.into_iter().zip(holds_mask).filter_map(|(file, is_mask)| is_mask.then_some(file)).collect())
    }

    fn open(path: &Path) -> Result<Option<Self>, FileProblem> {
        let file = object::open(path, None)?;
        Ok(match MaskModality::of_object(&file) {
            Some(MaskModality::StructureSet) => Some(Self::StructureSet(StructureSet::of(&file, path)?)),
            Some(MaskModality::Segmentation) => Some(Self::Segmentation(Box::new(Segmentation::of(file, path)?))),
            None => None,
        })
    }

    /// The regions that the file names.
    pub fn regions(&self) -> Vec<MaskRegion> {
        match self {
            Self::StructureSet(file) => file.regions(),
            Self::Segmentation(file) => file.regions().to_vec(),
        }
    }
}

/// The kinds of DICOM files that hold masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MaskModality {
    StructureSet,
    Segmentation,
}

impl MaskModality {
    fn of(path: &Path) -> Result<Option<Self>, FileProblem> {
        object::open(path, Some(tags::PATIENT_NAME)).map(|file| Self::of_object(&file))
    }

    fn of_object(object: &InMemDicomObject) -> Option<Self> {
        match attributes::text(object, tags::MODALITY)?.as_str() {
            "RTSTRUCT" => Some(Self::StructureSet),
            "SEG" => Some(Self::Segmentation),
            _ => None,
        }
    }
}

/// All files below a folder that begin as DICOM files do, sorted by name.
fn collect_files(folder: &Path, files: &mut Vec<PathBuf>, depth: usize) -> Result<(), FileProblem> {
    const DEEPEST: usize = 16;
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<_>>()?;
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            if depth < DEEPEST {
                collect_files(&entry, files, depth + 1)?;
            }
        } else if begins_as_dicom(&entry)? {
            files.push(entry);
        }
    }
    Ok(())
}

fn begins_as_dicom(path: &Path) -> Result<bool, FileProblem> {
    let mut start = Vec::with_capacity(132);
    File::open(path)?.take(132).read_to_end(&mut start)?;
    Ok(is_dicom(&start))
}

impl From<SeriesProblem> for FileProblem {
    fn from(problem: SeriesProblem) -> Self {
        Self::Series(Box::new(problem))
    }
}
