//! The formats of image files, and the limits of what is read from them.

use std::fmt;

/// The most bytes of voxels that are read from one file: 16 GiB. Readers allocate as the data arrive, so that a header
/// that announces more than the file holds costs no memory.
pub const MAX_VOXEL_BYTES: u64 = 16 << 30;

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
