//! What can go wrong with an extraction.

use alnm_imaging::{GeometryDifference, ImagingError, NonFiniteVoxel};

use crate::parameter_error::ParameterError;

/// The result of a radiomics operation.
pub type Result<T, E = RadiomicsError> = std::result::Result<T, E>;

/// What can go wrong with an extraction: the operation, the offending value and what would fix it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RadiomicsError {
    /// A parameter file or setting that is not valid.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// An image operation failed.
    #[error(transparent)]
    Image(#[from] ImagingError),
    /// The mask holds one value only, so nothing is set apart from the rest.
    #[error("no labels found in the mask: every voxel is {value}")]
    NoLabels {
        /// The value.
        value: u32,
    },
    /// The label does not occur in the mask.
    #[error("label {label} is not in the mask; it holds {present:?}")]
    LabelAbsent {
        /// The label asked for.
        label: u32,
        /// The first labels that are there.
        present: Vec<u32>,
    },
    /// Image and mask lie on different grids.
    #[error(
        "image and mask do not lie on the same grid: {0}; raise geometryTolerance, or set correctMask or resampledPixelSpacing"
    )]
    GeometryMismatch(GeometryDifference),
    /// Part of the region lies outside the image.
    #[error(
        "the region reaches from voxel {lower:?} to {upper:?} (x, y, z) of the image, whose size is {size:?}; it must lie inside"
    )]
    RegionOutsideImage {
        /// Lower corner in voxels of the image, (x, y, z).
        lower: [f64; 3],
        /// Upper corner.
        upper: [f64; 3],
        /// Voxels of the image.
        size: [usize; 3],
    },
    /// The region extends along too few axes.
    #[error(
        "the region extends along {found} axes, at least {minimum} are required (minimumROIDimensions; a single voxel never suffices)"
    )]
    TooFewDimensions {
        /// Axes along which the region is more than one voxel wide.
        found: usize,
        /// What is required.
        minimum: usize,
    },
    /// The region has too few voxels.
    #[error("the region has {voxels} voxels, more than {minimum} are required (minimumROISize)")]
    TooFewVoxels {
        /// Voxels of the region.
        voxels: usize,
        /// What it must exceed.
        minimum: usize,
    },
    /// Resegmentation left too little of the region.
    #[error("resegmentation left {voxels} voxels of the region, at least 2 are required; widen resegmentRange")]
    Resegmented {
        /// Voxels that are left.
        voxels: usize,
    },
    /// A voxel of the image is infinite or not a number.
    #[error(transparent)]
    NonFiniteVoxel(#[from] NonFiniteVoxel),
    /// A value of a derived image is infinite or not a number.
    #[error("a value to be discretised is {value}; features need finite values")]
    NonFinite {
        /// The value.
        value: f64,
    },
    /// An image without contrast cannot be normalised.
    #[error("the image cannot be normalised, since every voxel is {value}")]
    ConstantImage {
        /// The value.
        value: f64,
    },
    /// `resampledPixelSpacing` does not have one spacing for each axis.
    #[error("resampledPixelSpacing has {found} values, the image has {expected} axes")]
    SpacingLength {
        /// Values given.
        found: usize,
        /// Axes of the image.
        expected: usize,
    },
    /// The range of values needs more bins than can be handled.
    #[error(
        "values from {minimum} to {maximum} need too many bins of width {width}; choose a larger binWidth, or normalise"
    )]
    TooManyBins {
        /// Smallest value.
        minimum: f64,
        /// Largest value.
        maximum: f64,
        /// The bin width.
        width: f64,
    },
    /// The observer broke off.
    #[error("the extraction was cancelled")]
    Cancelled,
    /// A region without voxels.
    #[error("the region has no voxels")]
    EmptyRegion,
    /// A region whose bounding box cannot be indexed.
    #[error("a bounding box of (z, y, x) = {shape:?} voxels is too large")]
    RegionTooLarge {
        /// Its extent.
        shape: [usize; 3],
    },
    /// No neighbour of any voxel can lie in the region.
    #[error("no neighbours at distances {distances:?} fit into a region of (z, y, x) = {shape:?} voxels")]
    NoNeighbours {
        /// Extent of the region.
        shape: [usize; 3],
        /// The distances.
        distances: Vec<u32>,
    },
    /// Two-dimensional shape of a region that is not one slice.
    #[error("shape2D needs a region of one slice across axis {axis} (0 = z), it has {slices} slices")]
    NotOneSlice {
        /// Axis of the slice (0 = z, 1 = y, 2 = x).
        axis: usize,
        /// Slices of the region.
        slices: usize,
    },
}
