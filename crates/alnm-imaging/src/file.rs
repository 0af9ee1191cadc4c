//! Reading and writing images, whatever their format, and writing masks.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::atomic_file::{folder_of, sync_folder};
use crate::dicom::DicomFolder;
use crate::error::{FileProblem, Result};
use crate::geometry::Geometry;
use crate::volume::{Image, LabelMap, Voxel};
use crate::{dicom, metaimage, nifti, nrrd};

pub use crate::atomic_file::{AtomicFile, write_atomically};
pub use crate::format::{FileFormat, MAX_VOXEL_BYTES};

/// Reads an image; its format is told from the content, not from the name. A folder is read as a DICOM series; of a
/// dynamic series, choose a phase with [`crate::dicom::read_phase`].
///
/// # Errors
/// [`crate::ImagingError::File`] with the path and what is wrong there.
pub fn read_image(path: impl AsRef<Path>) -> Result<Image> {
    read_voxels(path.as_ref(), None)
}

/// The format of a file, told from its content.
///
/// # Errors
/// [`crate::ImagingError::File`] when the file cannot be read or belongs to none of the formats.
pub fn file_format(path: impl AsRef<Path>) -> Result<FileFormat> {
    let path = path.as_ref();
    let format = Content::of(path).and_then(|content| match content {
        Content::Dicom => Ok(FileFormat::Dicom),
        Content::Nrrd => Ok(FileFormat::Nrrd),
        Content::Nifti => Ok(FileFormat::Nifti),
        Content::MetaImage => Ok(FileFormat::MetaImage),
        Content::Unknown(first_bytes) => Err(FileProblem::UnknownFormat { first_bytes }),
    });
    format.map_err(|problem| problem.at(path))
}

/// Writes an image in the format that the name's suffix names: `.nrrd`, `.nhdr`, `.nii`, `.nii.gz`,
/// `.hdr`, `.img`, `.mha` or `.mhd`.
///
/// The pixel type is kept. NRRD, MetaImage and `.nii.gz` are compressed. NIfTI stores the geometry in single precision.
/// Files that are there are replaced once the new ones are complete ([`AtomicFile`]), a header after its voxels.
///
/// # Errors
/// [`crate::ImagingError::File`] when the suffix is unknown or the file cannot be written.
pub fn write_image(path: impl AsRef<Path>, image: &Image) -> Result<()> {
    let path = path.as_ref();
    replace(path, image).map_err(|problem| problem.at(path))
}

fn replace(path: &Path, image: &Image) -> Result<(), FileProblem> {
    let files = match suffix_format(path).ok_or(FileProblem::UnknownSuffix)? {
        FileFormat::Nrrd => nrrd::write(path, image)?,
        FileFormat::MetaImage => metaimage::write(path, image)?,
        _ => nifti::write(path, image)?,
    };
    for file in files {
        file.commit_without_folder()?;
    }
    Ok(sync_folder(folder_of(path))?)
}

/// The files that [`write_image`] makes for a name: one, or a header and the file of its voxels.
///
/// # Errors
/// [`crate::ImagingError::File`] when the suffix is unknown.
pub fn written_files(path: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let path = path.as_ref();
    suffix_format(path).map(|_| files_of(path)).ok_or_else(|| FileProblem::UnknownSuffix.at(path))
}

/// A header before its voxels. Of a NIfTI pair either name says both.
fn files_of(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem_before = |suffix: &str| {
        let length = name.len().checked_sub(suffix.len()).filter(|&length| name.is_char_boundary(length))?;
        name[length..].eq_ignore_ascii_case(suffix).then(|| &name[..length])
    };
    for (suffix, header, voxels) in [
        (".hdr", ".hdr", ".img"),
        (".img", ".hdr", ".img"),
        (".hdr.gz", ".hdr.gz", ".img.gz"),
        (".img.gz", ".hdr.gz", ".img.gz"),
    ] {
        if let Some(stem) = stem_before(suffix) {
            return [header, voxels].map(|suffix| path.with_file_name(format!("{stem}{suffix}"))).to_vec();
        }
    }
    for (header, voxels) in [(".nhdr", ".raw.gz"), (".mhd", ".zraw")] {
        if let Some(stem) = stem_before(header) {
            return vec![path.to_owned(), path.with_file_name(format!("{stem}{voxels}"))];
        }
    }
    vec![path.to_owned()]
}

/// The format that a name's suffix says.
fn suffix_format(path: &Path) -> Option<FileFormat> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let formats: [(FileFormat, &[&str]); 3] = [
        (FileFormat::Nrrd, &[".nrrd", ".nhdr"]),
        (FileFormat::MetaImage, &[".mha", ".mhd"]),
        (FileFormat::Nifti, &[".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz"]),
    ];
    formats
        .into_iter()
        .find(|(_, suffixes)| suffixes.iter().any(|suffix| name.ends_with(suffix)))
        .map(|(format, _)| format)
}

/// Writes a mask as [`write_image`] does, with the smallest unsigned voxel type that holds its labels.
///
/// # Errors
/// As [`write_image`].
pub fn write_mask(path: impl AsRef<Path>, mask: &LabelMap) -> Result<()> {
    let image = match mask.as_slice().iter().max() {
        Some(0..=0xff) => u8::into_image(mask.cast()),
        Some(0x100..=0xffff) => u16::into_image(mask.cast()),
        _ => u32::into_image(mask.clone()),
    };
    write_image(path, &image)
}

/// What a path holds, by its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// A DICOM file, or a folder.
    Dicom,
    Nrrd,
    Nifti,
    MetaImage,
    /// Neither, with the first bytes.
    Unknown(Vec<u8>),
}

impl Content {
    /// Bytes from the start of a file by which it is told.
    const START: u64 = 4096;

    pub(crate) fn of(path: &Path) -> Result<Self, FileProblem> {
        if path.is_dir() {
            return Ok(Self::Dicom);
        }
        let mut start = Vec::new();
        File::open(path)?.take(Self::START).read_to_end(&mut start)?;
        Ok(if nrrd::is_nrrd(&start) {
            Self::Nrrd
        } else if nifti::is_nifti(path, &start)? {
            Self::Nifti
        } else if dicom::is_dicom(&start) {
            Self::Dicom
        } else if metaimage::is_metaimage(&start) {
            Self::MetaImage
        } else {
            start.truncate(16);
            Self::Unknown(start)
        })
    }
}

/// Reads the grid of an image without its voxels, from the header of a NIfTI, NRRD or MetaImage file, or from the
/// slices of a DICOM folder or file whose slices form one volume.
///
/// # Errors
/// [`crate::ImagingError::File`] with the path and what is wrong there.
pub fn read_geometry(path: impl AsRef<Path>) -> Result<Geometry> {
    let path = path.as_ref();
    let read = || match Content::of(path)? {
        Content::Nrrd => nrrd::read_geometry(path),
        Content::Nifti => nifti::read_geometry(path),
        Content::MetaImage => metaimage::read_geometry(path),
        Content::Dicom => {
            let files =
                if path.is_dir() { DicomFolder::scan(path)? } else { DicomFolder::from_files(&[path.to_owned()])? };
            Ok(files.only_series()?.geometry()?.clone())
        }
        Content::Unknown(first_bytes) => Err(FileProblem::UnknownFormat { first_bytes }),
    };
    read().map_err(|problem: FileProblem| problem.at(path))
}

/// Reads an image, with the component `channel` where its voxels have several.
pub(crate) fn read_voxels(path: &Path, channel: Option<usize>) -> Result<Image> {
    let read = || match Content::of(path)? {
        Content::Nrrd => nrrd::read(path, channel),
        Content::Nifti => nifti::read(path, channel),
        Content::MetaImage => metaimage::read(path, channel),
        Content::Dicom => Ok(dicom::read_series(path)?),
        Content::Unknown(first_bytes) => Err(FileProblem::UnknownFormat { first_bytes }),
    };
    read().map_err(|problem: FileProblem| problem.at(path))
}
