//! What can go wrong in a registration.

use std::path::PathBuf;

use alnm_imaging::{GeometryDifference, ImagingError, NonFiniteVoxel};

/// The result of a registration or of work with a transform.
pub type Result<T, E = RegistrationError> = std::result::Result<T, E>;

/// What can go wrong in a registration: the offending value and what would fix it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// A parameter outside its range.
    #[error("{parameter} is {value}; {requirement}")]
    InvalidParameter {
        /// Name of the parameter.
        parameter: &'static str,
        /// The value found.
        value: String,
        /// What it has to satisfy.
        requirement: &'static str,
    },
    /// An image with too few voxels to find a motion by.
    #[error("the {image} image has {size:?} voxels (x, y, z); at least two axes need four voxels or more")]
    ImageTooSmall {
        /// Which image: fixed or moving.
        image: &'static str,
        /// Voxels along x, y and z.
        size: [usize; 3],
    },
    /// One image is a plane and the other is not.
    #[error("the fixed image has {fixed} slices and the moving one {moving}; both or none must have a single slice")]
    SliceCount {
        /// Slices of the fixed image.
        fixed: usize,
        /// Slices of the moving image.
        moving: usize,
    },
    /// A voxel that is infinite or not a number.
    #[error("{image} image: {voxel}")]
    NonFinite {
        /// Which image: fixed or moving.
        image: &'static str,
        /// The voxel.
        voxel: NonFiniteVoxel,
    },
    /// An image without contrast, which matches anything equally well.
    #[error("every voxel of the {image} image that counts is {value}; an image without contrast cannot be registered")]
    ConstantImage {
        /// Which image: fixed or moving.
        image: &'static str,
        /// The value.
        value: f32,
    },
    /// A mask without a voxel.
    #[error("the {mask} mask has no voxel that is not 0; give a mask with voxels, or none")]
    EmptyMask {
        /// Which mask.
        mask: &'static str,
    },
    /// A mask on another grid than its image.
    #[error("the {mask} mask does not lie on the grid of its image: {difference}; resample it onto that grid")]
    MaskGrid {
        /// Which mask.
        mask: &'static str,
        /// In what the grids differ.
        difference: GeometryDifference,
    },
    /// The images share too little.
    #[error(
        "{percent:.1} percent of the fixed image's voxels that count lie in the moving image; at least {least} are needed: check that both \
         images show the same part of the patient, or begin from their centres"
    )]
    NoOverlap {
        /// Percentage of voxels of the fixed image that lie in the moving image.
        percent: f64,
        /// The least percentage.
        least: f64,
    },
    /// The motion folds tissue even under a high penalty.
    #[error(
        "{voxels} voxels are folded even with a bending weight of {bending_weight} mm²; choose a larger grid spacing, \
         or check that both images show the same part of the patient"
    )]
    Folded {
        /// Voxels whose Jacobian determinant is not above 0.
        voxels: usize,
        /// The last weight of the bending energy.
        bending_weight: f64,
    },
    /// A number that is none of the phases of a series.
    #[error("the number of a phase is {phase}; the series has the phases 1 to {count}")]
    NoSuchPhase {
        /// The phase asked for, from 1.
        phase: usize,
        /// Number of phases.
        count: usize,
    },
    /// A phase of a series could not be registered.
    #[error("phase {phase}: {source}")]
    Phase {
        /// The number of the phase, from 1.
        phase: usize,
        /// What went wrong.
        source: Box<RegistrationError>,
    },
    /// A transform file that cannot be read or written.
    #[error("{}: {source}", path.display())]
    TransformFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TransformFileProblem,
    },
    /// The text of a transform file that describes no transform.
    #[error(transparent)]
    TransformText(#[from] TransformFileProblem),
    /// An operation on images failed.
    #[error(transparent)]
    Imaging(#[from] ImagingError),
    /// The observer asked to stop.
    #[error("registration: cancelled")]
    Cancelled,
}

impl RegistrationError {
    /// Names the phase, but for the wish to stop, which concerns all of them.
    pub(crate) fn of_phase(self, phase: usize) -> Self {
        match self {
            Self::Cancelled => Self::Cancelled,
            problem => Self::Phase { phase, source: Box::new(problem) },
        }
    }
}

/// What is wrong with a transform file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransformFileProblem {
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The text does not begin as ITK's transform files do.
    #[error("the first line is {first:?}; a transform file of ITK begins with \"#Insight Transform File V1.0\"")]
    NoTransformFile {
        /// The first line, at most 60 characters of it.
        first: String,
    },
    /// The file has more bytes than a transform file may have.
    #[error("the file has {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// Bytes of the file.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A kind of transform that is not read.
    #[error(
        "a transform of the type {kind} is not read; read are Identity, Translation, Euler3D, VersorRigid3D, Affine, \
         MatrixOffset, BSpline and Composite transforms of three dimensions"
    )]
    UnknownKind {
        /// The type as it stands in the file.
        kind: String,
    },
    /// A line that is none of a transform's.
    #[error("line {line}: {what}")]
    Malformed {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// Numbers that describe no transform.
    #[error("{kind}: {what}")]
    Invalid {
        /// The type of the transform.
        kind: String,
        /// What is wrong.
        what: String,
    },
}

impl TransformFileProblem {
    pub(crate) fn invalid(kind: &str, what: impl Into<String>) -> Self {
        Self::Invalid { kind: kind.to_owned(), what: what.into() }
    }
}
