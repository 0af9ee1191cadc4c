//! Reading and writing images and masks, whatever their format.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{FileProblem, ImagingError, Result};
use crate::volume::{Image, LabelMap, Volume, Voxel};
use crate::{dicom, metaimage, nifti, nrrd, with_volume};

/// The most bytes of voxels that are read from one file: 16 GiB. Readers allocate as the data arrive, so that a header
/// that announces more than the file holds costs no memory.
pub const MAX_VOXEL_BYTES: u64 = 16 << 30;

/// Compression level of the files written: near the size of zlib's default in half the time.
pub(crate) const GZIP_LEVEL: u32 = 4;

/// A file format of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileFormat {
    /// DICOM files, a series of which is an image.
    Dicom,
    /// NIfTI-1 and NIfTI-2.
    Nifti,
    /// NRRD.
    Nrrd,
    /// MetaImage.
    MetaImage,
}

impl fmt::Display for FileFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Dicom => "DICOM",
            Self::Nifti => "NIfTI",
            Self::Nrrd => "NRRD",
            Self::MetaImage => "MetaImage",
        })
    }
}

/// Reads an image; its format is told from the content, not from the name. A folder is read as a DICOM series; of a
/// dynamic series, choose a phase with [`crate::dicom::read_phase`].
///
/// # Errors
/// [`ImagingError::File`] with the path and what is wrong there.
pub fn read_image(path: impl AsRef<Path>) -> Result<Image> {
    read(path.as_ref(), None)
}

/// Reads a mask: an image whose voxels are the whole numbers from 0 to 2³² − 1, 0 for none.
///
/// # Errors
/// [`ImagingError::File`] as [`read_image`]; [`ImagingError::InvalidVoxel`] when a voxel is no label.
pub fn read_mask(path: impl AsRef<Path>) -> Result<LabelMap> {
    labels(&read(path.as_ref(), None)?)
}

/// Reads one component, counted from 0, of a mask whose voxels have several: segmentations that overlap are stored so.
///
/// # Errors
/// As [`read_mask`], and when the file has fewer components.
pub fn read_mask_channel(path: impl AsRef<Path>, channel: usize) -> Result<LabelMap> {
    labels(&read(path.as_ref(), Some(channel))?)
}

/// Writes an image in the format that the name's suffix names: `.nrrd`, `.nhdr`, `.nii`, `.nii.gz`,
/// `.hdr`, `.img`, `.mha` or `.mhd`.
///
/// The pixel type is kept. NRRD, MetaImage and `.nii.gz` are compressed. NIfTI stores the geometry in single precision.
///
/// # Errors
/// [`ImagingError::File`] when the suffix is unknown or the file cannot be written.
pub fn write_image(path: impl AsRef<Path>, image: &Image) -> Result<()> {
    let path = path.as_ref();
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let ends_with = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
    let written = if ends_with(&[".nrrd", ".nhdr"]) {
        nrrd::write(path, image)
    } else if ends_with(&[".mha", ".mhd"]) {
        metaimage::write(path, image)
    } else if ends_with(&[".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz"]) {
        nifti::write(path, image)
    } else {
        Err(FileProblem::UnknownSuffix)
    };
    written.map_err(|problem| problem.at(path))
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

fn read(path: &Path, channel: Option<usize>) -> Result<Image> {
    read_by_content(path, channel).map_err(|problem| problem.at(path))
}

fn read_by_content(path: &Path, channel: Option<usize>) -> Result<Image, FileProblem> {
    if path.is_dir() {
        return Ok(dicom::read_series(path)?);
    }
    let mut start = Vec::new();
    File::open(path)?.take(nifti::HEADER_START as u64).read_to_end(&mut start)?;
    if nrrd::is_nrrd(&start) {
        nrrd::read(path, channel)
    } else if nifti::is_nifti(path, &start)? {
        nifti::read(path, channel)
    } else if metaimage::is_metaimage(&start) {
        metaimage::read(path, channel)
    } else if dicom::is_dicom(&start) {
        Ok(dicom::read_series(path)?)
    } else {
        start.truncate(16);
        Err(FileProblem::UnknownFormat { first_bytes: start })
    }
}

fn labels(image: &Image) -> Result<LabelMap> {
    with_volume!(image, volume => label_map(volume))
}

fn label_map<T: Voxel>(volume: &Volume<T>) -> Result<LabelMap> {
    let is_label = |value: f64| value >= 0.0 && value <= f64::from(u32::MAX) && value.fract() == 0.0;
    if let Some(position) = volume.as_slice().iter().position(|voxel| !is_label(voxel.to_f64())) {
        return Err(ImagingError::InvalidVoxel {
            operation: "reading a mask",
            index: volume.geometry().index_of(position),
            value: volume.as_slice()[position].to_f64(),
            requirement: "the voxels of a mask are whole numbers from 0 to 4294967295",
        });
    }
    Ok(volume.cast())
}
