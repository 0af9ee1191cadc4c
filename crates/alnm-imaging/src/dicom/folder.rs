//! The series and masks of a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dicom_dictionary_std::tags;
use rayon::prelude::*;
use serde::Serialize;

use super::attributes::text;
use super::image_file::{FirstFiles, ImageFile};
use super::listing::files_below;
use super::mask_file::{MaskFile, several_masks};
use super::phases_of_series::of_series;
use super::problem::malformed;
use super::series::{Series, group};
use super::series_problem::SeriesProblem;
use super::stored_file::{self, Opened};
use crate::dynamic_series::DynamicSeries;
use crate::error::{FileProblem, ImagingError, Result};
use crate::volume::Image;

/// The image series and the masks of a folder, or of a list of files.
///
/// The header of each file is parsed once. Up to 32 files, counted over all folders, stay open until the pixels of
/// their slices are read or the folder and its series are dropped; all other files are opened again to read their
/// pixels. No pixels are held in memory.
#[derive(Debug)]
pub struct DicomFolder {
    path: PathBuf,
    series: Vec<Series>,
    masks: Vec<MaskFile>,
    mask_problems: Vec<ImagingError>,
    file_problems: Vec<ImagingError>,
    others: Vec<OtherObjects>,
}

/// DICOM files of one kind that are neither images nor masks: reports, plans, presentation states, waveforms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OtherObjects {
    /// `Modality`, such as SR, PR or RTPLAN; empty where none is stated.
    pub modality: String,
    /// `SOPClassUID`; empty where none is stated.
    pub sop_class: String,
    /// How many files there are.
    pub files: usize,
}

/// What a file holds.
enum Content {
    Image(Box<ImageFile>),
    Mask(Result<MaskFile>),
    /// Modality and SOP class of whatever else there is.
    Other(String, String),
}

impl Content {
    fn of(opened: Opened, path: &Path, together: &FirstFiles) -> Self {
        if ImageFile::is_image(&opened.header) {
            return Self::Image(Box::new(ImageFile::of(opened, together)));
        }
        let [modality, sop_class] =
            [tags::MODALITY, tags::SOP_CLASS_UID].map(|tag| text(&opened.header, tag).unwrap_or_default());
        let mask = MaskFile::of(opened).map_err(|problem| problem.at(path)).transpose();
        mask.map_or(Self::Other(modality, sop_class), Self::Mask)
    }
}

impl DicomFolder {
    /// Reads the headers of all DICOM files in a folder and below it and sorts the images into series. Other files are
    /// passed over; DICOM files with neither image nor mask (presentation states, plans) are counted
    /// ([`DicomFolder::others`]). An image that is no slice
    /// (a screenshot, a film) makes its series faulty, not the folder. A file that cannot be read at all (damaged, cut
    /// off, a link to nowhere) is left out and named by [`DicomFolder::file_problems`].
    ///
    /// # Errors
    /// [`ImagingError::File`] when the folder cannot be read, or holds no DICOM file: with the problem of a file, where
    /// one could not be read.
    pub fn scan(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut problems = Vec::new();
        let mut contents = Vec::new();
        for content in contents_of(&files_below(path)?, stored_file::open) {
            match content {
                Ok(content) => contents.extend(content),
                Err(problem) => problems.push(problem),
            }
        }
        let is_lone = |image: &ImageFile| image.series.is_empty();
        let lone = contents.iter().filter(|content| matches!(content, Content::Image(image) if is_lone(image))).count();
        let is_wanted = |content: &&Content| !matches!(content, Content::Other(..));
        if lone > 0 && contents.iter().filter(is_wanted).count() > 1 {
            // Several images without the identifier of their series could belong to one or to many.
            contents.retain(|content| match content {
                Content::Image(image) if is_lone(image) => {
                    problems.push(malformed("SeriesInstanceUID is missing").at(image.path.clone()));
                    false
                }
                _ => true,
            });
        }
        match Self::new(path, contents) {
            Ok(folder) => Ok(Self { file_problems: problems, ..folder }),
            Err(nothing) => Err(if problems.is_empty() { nothing } else { problems.swap_remove(0) }),
        }
    }

    /// As [`DicomFolder::scan`] for a list of files, which have to be DICOM files.
    ///
    /// # Errors
    /// [`ImagingError::File`] when a file cannot be read, or there is none.
    pub fn from_files(files: &[PathBuf]) -> Result<Self> {
        let folder = match files {
            [file] => file,
            several => several.first().and_then(|file| file.parent()).unwrap_or(Path::new("")),
        };
        let contents = contents_of(files, |file| stored_file::open_dicom(file).map(Some));
        let contents: Vec<Option<Content>> = contents.into_iter().collect::<Result<_>>()?;
        Self::new(folder, contents.into_iter().flatten().collect())
    }

    /// One file that is open already. A mask in it that is damaged is an error here.
    pub(crate) fn of_opened(path: &Path, opened: Opened) -> Result<Self> {
        let content = Content::of(opened, path, &FirstFiles::default());
        // What is not there is missed in the file, not in its folder.
        let mut folder = Self::new(path, vec![content])?;
        if folder.mask_problems.is_empty() { Ok(folder) } else { Err(folder.mask_problems.remove(0)) }
    }

    fn new(path: &Path, contents: Vec<Content>) -> Result<Self> {
        let (mut images, mut masks, mut mask_problems) = (Vec::new(), Vec::new(), Vec::new());
        let mut others: BTreeMap<(String, String), usize> = BTreeMap::new();
        for content in contents {
            match content {
                Content::Image(image) => images.push(*image),
                Content::Mask(Ok(mask)) => masks.push(mask),
                Content::Mask(Err(problem)) => mask_problems.push(problem),
                Content::Other(modality, sop_class) => *others.entry((modality, sop_class)).or_default() += 1,
            }
        }
        let series = group(images.into_iter());
        if series.is_empty() && masks.is_empty() && mask_problems.is_empty() && others.is_empty() {
            return Err(nothing().at(path));
        }
        let of_kind = |((modality, sop_class), files)| OtherObjects { modality, sop_class, files };
        let others = others.into_iter().map(of_kind).collect();
        Ok(Self { path: path.to_owned(), series, masks, mask_problems, file_problems: Vec::new(), others })
    }

    /// The series, ordered by number, then by unique identifier.
    #[must_use]
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// The structure sets and segmentations, ordered by path.
    #[must_use]
    pub fn masks(&self) -> &[MaskFile] {
        &self.masks
    }

    /// The structure sets and segmentations, ordered by path, without the series.
    #[must_use]
    pub fn into_masks(self) -> Vec<MaskFile> {
        self.masks
    }

    /// What is wrong with the structure sets and segmentations that could not be read.
    #[must_use]
    pub fn mask_problems(&self) -> &[ImagingError] {
        &self.mask_problems
    }

    /// What is wrong with the files that could not be read and were left out.
    #[must_use]
    pub fn file_problems(&self) -> &[ImagingError] {
        &self.file_problems
    }

    /// The DICOM files that are neither images nor masks, by kind.
    #[must_use]
    pub fn others(&self) -> &[OtherObjects] {
        &self.others
    }

    /// The mask of a folder that holds at most one.
    ///
    /// # Errors
    /// [`ImagingError::File`] that names two of them when there are several.
    pub fn only_mask(&self) -> Result<Option<&MaskFile>> {
        match self.masks.as_slice() {
            [] => Ok(None),
            [mask] => Ok(Some(mask)),
            [first, second, ..] => Err(several_masks(first.path(), second.path()).at(&self.path)),
        }
    }

    /// The series with this `SeriesInstanceUID`.
    ///
    /// # Errors
    /// [`ImagingError::File`] when no series has it.
    pub fn series_with_uid(&self, uid: &str) -> Result<&Series> {
        let found = self.series.iter().find(|series| series.uid() == uid);
        found.ok_or_else(|| FileProblem::from(SeriesProblem::NoSuchSeries { uid: uid.to_owned() }).at(&self.path))
    }

    /// The series of a folder that holds one.
    ///
    /// # Errors
    /// [`ImagingError::File`] that lists the series when there are several, or says that there is none.
    pub fn only_series(&self) -> Result<&Series> {
        match self.series.as_slice() {
            [] => Err(no_image().at(&self.path)),
            [series] => Ok(series),
            several => {
                let series = several
                    .iter()
                    .map(|series| {
                        format!("{} ({}, {} slices)", series.uid(), series.description(), series.slice_count())
                    })
                    .collect();
                Err(FileProblem::from(SeriesProblem::SeveralSeries { series }).at(&self.path))
            }
        }
    }

    /// A dynamic series that was stored as a series for each phase: all series of the folder, in order of their
    /// acquisition times, or of their numbers where no times are stated.
    ///
    /// # Errors
    /// [`ImagingError::File`] when a series has several phases, or two of them differ in study, frame of reference or
    /// grid or began at the same time; and as [`Series::image`].
    pub fn series_as_phases(&self) -> Result<DynamicSeries> {
        of_series(&self.series).map_err(|problem| problem.at(&self.path))
    }
}

/// What each file holds, in the order of the files.
fn contents_of(
    files: &[PathBuf],
    open: impl Fn(&Path) -> Result<Option<Opened>, FileProblem> + Sync,
) -> Vec<Result<Option<Content>>> {
    let together = FirstFiles::default();
    let content = |file: &PathBuf| {
        let opened = open(file).map_err(|problem| problem.at(file))?;
        Ok(opened.map(|opened| Content::of(opened, file, &together)))
    };
    files.par_iter().map(content).collect()
}

fn nothing() -> FileProblem {
    FileProblem::NothingHere { what: "no DICOM file here" }
}

fn no_image() -> FileProblem {
    FileProblem::NothingHere {
        what: "no DICOM file with an image here; segmentations and structure sets are read as masks",
    }
}

/// Reads the image of a folder that holds one series of one phase, or of a single file.
///
/// # Errors
/// [`ImagingError::File`] with what is wrong; a dynamic series names the number of its phases.
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
