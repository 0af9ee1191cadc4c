//! What can go wrong with an image.

use std::path::PathBuf;

#[cfg(feature = "dicom")]
use crate::dicom::series_problem::SeriesProblem;
use crate::format::FileFormat;
use crate::geometry_difference::GeometryDifference;
use crate::mask::region::MaskProblem;

/// The result of an operation on images.
pub type Result<T, E = ImagingError> = std::result::Result<T, E>;

/// What can go wrong with an image: the operation, the offending value and what would fix it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImagingError {
    /// A size, spacing, origin or direction that describes no grid in space.
    #[error("invalid geometry: {field} is {value}; {requirement}")]
    InvalidGeometry {
        /// Which field of the geometry.
        field: &'static str,
        /// The value found.
        value: String,
        /// What the field has to satisfy.
        requirement: &'static str,
    },
    /// An array whose shape is not the one its geometry asks for.
    #[error("shape mismatch: the array has (z, y, x) = {array:?}, the geometry asks for {geometry:?}")]
    ShapeMismatch {
        /// Shape of the array, (z, y, x).
        array: [usize; 3],
        /// Shape that the geometry asks for, (z, y, x).
        geometry: [usize; 3],
    },
    /// Two images that have to lie on the same grid do not.
    #[error("{operation}: the two grids differ: {difference}; resample one onto the other's grid")]
    GeometryMismatch {
        /// The operation that needs one grid.
        operation: &'static str,
        /// In what they differ.
        difference: GeometryDifference,
    },
    /// A parameter outside its range.
    #[error("{operation}: {parameter} is {value}; {requirement}")]
    InvalidParameter {
        /// The operation.
        operation: &'static str,
        /// Name of the parameter.
        parameter: &'static str,
        /// The value found.
        value: String,
        /// What it has to satisfy.
        requirement: &'static str,
    },
    /// A region of interest without a voxel.
    #[error("{operation}: no voxel has the label {label}; labels in the mask: {}", list(present))]
    EmptyRegion {
        /// The operation.
        operation: &'static str,
        /// The label asked for.
        label: u32,
        /// The labels that the mask holds, at most eight.
        present: Vec<u32>,
    },
    /// Voxels that cannot be worked with: not finite, or not a label.
    #[error("{operation}: the voxel {index:?} (x, y, z) is {value}; {requirement}")]
    InvalidVoxel {
        /// The operation.
        operation: &'static str,
        /// Index (x, y, z) of the first such voxel.
        index: [usize; 3],
        /// Its value.
        value: f64,
        /// What it has to satisfy.
        requirement: &'static str,
    },
    /// A file that cannot be read or written.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        problem: FileProblem,
    },
    /// The observer asked to stop.
    #[error("{operation}: cancelled")]
    Cancelled {
        /// The operation.
        operation: &'static str,
    },
}

/// A voxel that is infinite or not a number, as [`Volume::check_finite`](crate::Volume::check_finite) finds it.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("the voxel {index:?} (x, y, z) is {value}; every voxel must be finite")]
#[non_exhaustive]
pub struct NonFiniteVoxel {
    /// Index (x, y, z) of the voxel.
    pub index: [usize; 3],
    /// Its value.
    pub value: f64,
}

impl NonFiniteVoxel {
    /// The error of an operation that needs finite voxels.
    #[must_use]
    pub fn during(self, operation: &'static str) -> ImagingError {
        let Self { index, value } = self;
        ImagingError::InvalidVoxel { operation, index, value, requirement: "every voxel must be finite" }
    }
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileProblem {
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Content that belongs to none of the formats read here.
    #[error("not a medical image: {}", unknown(first_bytes))]
    UnknownFormat {
        /// The first bytes of the file; none of one that is empty.
        first_bytes: Vec<u8>,
    },
    /// A name whose suffix names no format.
    #[error("unknown file name suffix; use .nii, .nii.gz, .hdr, .img, .nrrd, .nhdr, .mha or .mhd")]
    UnknownSuffix,
    /// The header or the data contradict the format's definition.
    #[error("malformed {format} file: {what}")]
    Malformed {
        /// The format.
        format: FileFormat,
        /// What is wrong.
        what: String,
    },
    /// The file is well-formed, but holds what this crate does not read.
    #[error("unsupported {format} file: {what}")]
    Unsupported {
        /// The format.
        format: FileFormat,
        /// What is not supported, and what to do instead.
        what: String,
    },
    /// Several volumes, or components of each voxel, where one is asked for.
    #[error("{count} {parts} where one is asked for; choose one by its number")]
    Several {
        /// How many there are.
        count: usize,
        /// What they are: volumes, or components per voxel.
        parts: &'static str,
    },
    /// A volume or component that the file does not have.
    #[error("{part} {number} asked for; the file has {part}s {first} to {last}")]
    NoSuchPart {
        /// What was asked for: a volume, counted from 1, or a component, counted from 0.
        part: &'static str,
        /// The number asked for.
        number: usize,
        /// The first number that there is.
        first: usize,
        /// The last one.
        last: usize,
    },
    /// A file or folder that is in order and holds nothing of what is looked for.
    #[error("{what}")]
    NothingHere {
        /// What is not there.
        what: &'static str,
    },
    /// The header announces more voxels than may be read.
    #[error("the header announces {bytes} bytes of voxels; at most {limit} are read")]
    TooLarge {
        /// Bytes announced.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The slices of a DICOM series form no volume, or not the one asked for.
    #[cfg(feature = "dicom")]
    #[error(transparent)]
    Series(Box<SeriesProblem>),
    /// The regions of a mask file form no mask on the grid, or not the one asked for.
    #[error(transparent)]
    Mask(Box<MaskProblem>),
    /// The grid in the header is impossible, or the voxels are not what they are read as.
    #[error(transparent)]
    Geometry(Box<ImagingError>),
}

impl FileProblem {
    pub(crate) fn malformed(format: FileFormat, what: impl Into<String>) -> Self {
        Self::Malformed { format, what: what.into() }
    }

    pub(crate) fn unsupported(format: FileFormat, what: impl Into<String>) -> Self {
        Self::Unsupported { format, what: what.into() }
    }

    /// The same problem with the file that has it.
    pub(crate) fn at(self, path: impl Into<PathBuf>) -> ImagingError {
        ImagingError::File { path: path.into(), problem: self }
    }
}

impl From<ImagingError> for FileProblem {
    fn from(error: ImagingError) -> Self {
        match error {
            ImagingError::File { problem, .. } => problem,
            other => Self::Geometry(Box::new(other)),
        }
    }
}

#[cfg(feature = "dicom")]
impl From<SeriesProblem> for FileProblem {
    fn from(problem: SeriesProblem) -> Self {
        Self::Series(Box::new(problem))
    }
}

impl From<MaskProblem> for FileProblem {
    fn from(problem: MaskProblem) -> Self {
        Self::Mask(Box::new(problem))
    }
}

fn unknown(first_bytes: &[u8]) -> String {
    if first_bytes.is_empty() {
        return "the file is empty".to_owned();
    }
    format!(
        "the content is neither DICOM, NIfTI, NRRD nor MetaImage; a file of the first bytes {first_bytes:02x?} cannot be \
         read"
    )
}

fn list(labels: &[u32]) -> String {
    if labels.is_empty() { "none".to_owned() } else { labels.iter().map(u32::to_string).collect::<Vec<_>>().join(", ") }
}
