//! What can go wrong with an extraction by the reference manual.

use alnm_imaging::{GeometryDifference, ImagingError, NonFiniteVoxel};

/// The result of an operation of the IBSI profile.
pub type Result<T, E = IbsiError> = std::result::Result<T, E>;

/// What can go wrong: the operation, the offending value and what would fix it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IbsiError {
    /// A setting that is out of its range.
    #[error("{setting} is {value}; {requirement}")]
    Setting {
        /// The setting, as a path into the profile.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        requirement: &'static str,
    },
    /// A profile file that cannot be read.
    #[error("the profile cannot be read: {0}")]
    Profile(String),
    /// An image operation failed.
    #[error(transparent)]
    Image(#[from] ImagingError),
    /// Image and mask lie on different grids.
    #[error("image and mask do not lie on the same grid: {0}; resample one onto the other first")]
    GeometryMismatch(GeometryDifference),
    /// A voxel of the image is infinite or not a number.
    #[error(transparent)]
    NonFiniteVoxel(#[from] NonFiniteVoxel),
    /// No voxel is left in a mask.
    #[error("the {mask} mask has no voxels after {step}{hint}")]
    EmptyMask {
        /// Which mask.
        mask: &'static str,
        /// The step that left none.
        step: &'static str,
        /// What would help.
        hint: &'static str,
    },
    /// Without discretisation, intensities serve as grey levels.
    #[error(
        "intensity {value} cannot serve as a grey level; levels are whole numbers from 1 to {maximum}, so choose a discretisation"
    )]
    NotALevel {
        /// The intensity.
        value: f64,
        /// The highest level that can be held.
        maximum: u32,
    },
    /// The range of intensities needs more grey levels than can be held.
    #[error(
        "intensities from {minimum} to {maximum} need {levels} grey levels, at most {limit} can be held; choose wider bins"
    )]
    TooManyLevels {
        /// Lower end of the range.
        minimum: f64,
        /// Upper end of the range.
        maximum: f64,
        /// Levels that the range needs.
        levels: f64,
        /// The limit.
        limit: u32,
    },
    /// An image that is too large or too small for an operation.
    #[error("{operation} needs {requirement}; the image has (x, y, z) = {size:?} voxels")]
    ImageSize {
        /// The operation.
        operation: &'static str,
        /// Voxels of the image.
        size: [usize; 3],
        /// What is needed.
        requirement: &'static str,
    },
}
