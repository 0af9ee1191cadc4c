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
    #[error("every voxel of the mask is {value}; voxels of the region must have a label of their own")]
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
        "the region extends along {found} axes; minimumROIDimensions requires {minimum}, and a single voxel never suffices"
    )]
    TooFewDimensions {
        /// Axes along which the region is more than one voxel wide.
        found: usize,
        /// What is required.
        minimum: usize,
    },
    /// The region has too few voxels.
    #[error("the region has {voxels} voxels; minimumROISize requires more than {minimum}")]
    TooFewVoxels {
        /// Voxels of the region.
        voxels: usize,
        /// What it must exceed.
        minimum: usize,
    },
    /// Resegmentation left too little of the region.
    #[error("the region has {voxels} voxels after resegmentation; at least 2 are required, so widen resegmentRange")]
    Resegmented {
        /// Voxels that are left.
        voxels: usize,
    },
    /// A voxel of the image is infinite or not a number.
    #[error(transparent)]
    NonFiniteVoxel(#[from] NonFiniteVoxel),
    /// A value of a derived image is infinite or not a number.
    #[error("a grey value of the region is {value}; it must be finite")]
    NonFinite {
        /// The value.
        value: f64,
    },
    /// An image without contrast cannot be normalised.
    #[error(
        "every voxel of the image is {value:?}; an image without contrast cannot be normalised, so switch normalize off"
    )]
    ConstantImage {
        /// The value.
        value: f64,
    },
    /// `resampledPixelSpacing` does not have one spacing for each axis.
    #[error("resampledPixelSpacing has {found} values; it must have {expected}, one for each axis of the image")]
    SpacingLength {
        /// Values given.
        found: usize,
        /// Axes of the image.
        expected: usize,
    },
    /// The range of values needs more bins than can be handled.
    #[error(
        "values from {minimum:?} to {maximum:?} need too many bins of width {width:?}; choose a larger binWidth, or normalise"
    )]
    TooManyBins {
        /// Smallest value.
        minimum: f64,
        /// Largest value.
        maximum: f64,
        /// The bin width.
        width: f64,
    },
    /// Without discretisation, the intensities of the IBSI profile serve as grey levels.
    #[error(
        "intensity {value:?} cannot serve as a grey level; levels are whole numbers from 1 to {maximum}, so choose a discretisation"
    )]
    NotALevel {
        /// The intensity.
        value: f64,
        /// The highest level that can be held.
        maximum: u32,
    },
    /// The range of intensities needs more grey levels than the matrices of the IBSI profile can hold.
    #[error(
        "intensities from {minimum:?} to {maximum:?} need {levels:?} grey levels, at most {limit} can be held; choose wider bins"
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
    /// A step of the IBSI profile left no voxel of a mask.
    #[error("the {mask} mask has no voxels after {step}; {hint}")]
    EmptyMask {
        /// Which mask.
        mask: &'static str,
        /// The step that left none.
        step: &'static str,
        /// What would help.
        hint: &'static str,
    },
    /// The observer broke off.
    #[error("extraction: cancelled")]
    Cancelled,
    /// A region without voxels.
    #[error("the region has 0 voxels; at least one must have a level above 0")]
    EmptyRegion,
    /// A region whose bounding box cannot be indexed.
    #[error("the bounding box of the region has (z, y, x) = {shape:?} voxels; it must have fewer than 2³²")]
    RegionTooLarge {
        /// Its extent.
        shape: [usize; 3],
    },
    /// A wavelet transform that gathers more voxels than can be held.
    #[error(
        "{wavelet} over {levels} levels gathers (z, y, x) = {shape:?} voxels; at most 2³⁰ are held, so choose fewer levels or a shorter wavelet"
    )]
    WaveletTooWide {
        /// The wavelet.
        wavelet: String,
        /// Levels, those before `start_level` included.
        levels: usize,
        /// Voxels along the axes.
        shape: [usize; 3],
    },
    /// No neighbour of any voxel can lie in the region.
    #[error(
        "the region has (z, y, x) = {shape:?} voxels; no neighbours at distances {distances:?} fit into it, so choose smaller ones"
    )]
    NoNeighbours {
        /// Extent of the region.
        shape: [usize; 3],
        /// The distances.
        distances: Vec<u32>,
    },
    /// Two-dimensional shape of a region that is not one slice.
    #[error("the region has {slices} slices across axis {axis} (0 = z); shape2D needs a region of one slice")]
    NotOneSlice {
        /// Axis of the slice (0 = z, 1 = y, 2 = x).
        axis: usize,
        /// Slices of the region.
        slices: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_is_wrong_and_what_would_fix_it() {
        for (error, text) in [
            (RadiomicsError::LabelAbsent { label: 2, present: vec![1] }, "label 2 is not in the mask; it holds [1]"),
            (
                RadiomicsError::TooFewVoxels { voxels: 3, minimum: 10 },
                "the region has 3 voxels; minimumROISize requires more than 10",
            ),
            (
                RadiomicsError::SpacingLength { found: 2, expected: 3 },
                "resampledPixelSpacing has 2 values; it must have 3, one for each axis of the image",
            ),
            (
                RadiomicsError::NotOneSlice { axis: 0, slices: 4 },
                "the region has 4 slices across axis 0 (0 = z); shape2D needs a region of one slice",
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }
}
