//! DICOM files that hold masks.

use std::path::Path;

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use rayon::prelude::*;

use super::attributes::text;
use super::listing::files_below;
use super::problem::unsupported;
use super::segmentation::Segmentation;
use super::stored_file::{self, Opened};
use super::structure_set::StructureSet;
use crate::error::{FileProblem, Result};
use crate::mask::region::MaskRegion;

/// A DICOM file that holds a mask.
#[derive(Debug)]
#[non_exhaustive]
pub enum MaskFile {
    /// Regions drawn as contours.
    StructureSet(StructureSet),
    /// Regions drawn as voxels.
    Segmentation(Box<Segmentation>),
}

/// The kinds of DICOM files that hold masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MaskModality {
    StructureSet,
    Segmentation,
}

impl MaskModality {
    fn of(header: &InMemDicomObject) -> Option<Self> {
        match text(header, tags::MODALITY)?.as_str() {
            "RTSTRUCT" => Some(Self::StructureSet),
            "SEG" => Some(Self::Segmentation),
            _ => None,
        }
    }
}

impl MaskFile {
    /// Opens a structure set or segmentation, or the only one below a folder; none when there is none. Of other files
    /// only the first elements are read, and those that cannot be read are passed over where there is a mask.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when the file is damaged, or a folder holds several masks, or none and a file that
    /// cannot be read.
    pub fn find(path: impl AsRef<Path>) -> Result<Option<Self>> {
        let path = path.as_ref();
        let files = if path.is_dir() { files_below(path)? } else { vec![path.to_owned()] };
        let open = |file: &Path| {
            let is_mask = |start: &InMemDicomObject| MaskModality::of(start).is_some();
            let opened = stored_file::open_if(file, tags::PATIENT_NAME, is_mask)?;
            opened.map_or(Ok(None), Self::of)
        };
        let opened: Vec<Result<Option<Self>>> =
            files.par_iter().map(|file| open(file).map_err(|problem| problem.at(file))).collect();
        let (masks, mut problems): (Vec<_>, Vec<_>) = opened.into_iter().partition(std::result::Result::is_ok);
        let mut masks = masks.into_iter().flatten().flatten();
        match (masks.next(), masks.next()) {
            (Some(first), Some(second)) => Err(several_masks(first.path(), second.path()).at(path)),
            (Some(mask), None) => Ok(Some(mask)),
            // A file that cannot be read may have been the mask.
            (None, _) => problems.pop().unwrap_or(Ok(None)),
        }
    }

    /// The mask of a file; none when it holds none.
    pub(super) fn of(opened: Opened) -> Result<Option<Self>, FileProblem> {
        Ok(match MaskModality::of(&opened.header) {
            Some(MaskModality::StructureSet) => Some(Self::StructureSet(StructureSet::of(&opened)?)),
            Some(MaskModality::Segmentation) => Some(Self::Segmentation(Box::new(Segmentation::of(opened)?))),
            None => None,
        })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::StructureSet(file) => file.path(),
            Self::Segmentation(file) => file.path(),
        }
    }

    /// The regions that the file names.
    #[must_use]
    pub fn regions(&self) -> Vec<MaskRegion> {
        match self {
            Self::StructureSet(file) => file.regions(),
            Self::Segmentation(file) => file.regions().to_vec(),
        }
    }
}

pub(super) fn several_masks(first: &Path, second: &Path) -> FileProblem {
    unsupported(format!("several masks in one folder, {} and {}; name the file", first.display(), second.display()))
}
