//! What can go wrong with outlines.

use alnm_imaging::ImagingError;
use thiserror::Error;

/// The result of an operation on outlines.
pub type Result<T, E = SegmentationError> = std::result::Result<T, E>;

/// Why an outline could not be found or compared. Each message names what is wrong, its value, and what it must be or
/// what would fix it.
///
/// ```
/// use alnm_segmentation::agreement::OutlineComparisonParams;
/// let refused = OutlineComparisonParams::default().with_tolerance(-1.0).check().unwrap_err();
/// assert_eq!(refused.to_string(), "tolerance of the surface Dice is -1 mm; it must be finite and at least 0 mm");
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SegmentationError {
    /// An image cannot be worked with.
    #[error(transparent)]
    Imaging(#[from] ImagingError),
    /// A parameter lies outside its range.
    #[error("{name} is {value}; it must be {requirement}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// Its value, with its unit.
        value: String,
        /// What the value must be; completes the sentence "it must be".
        requirement: &'static str,
    },
    /// A file of points cannot be read.
    #[error(
        "the file of points cannot be used: {reason}; save the points as .mrk.json or .fcsv (3D Slicer) or .annot (ITK-SNAP)"
    )]
    Markups {
        /// What is wrong.
        reason: String,
    },
}

impl SegmentationError {
    pub(crate) fn parameter(name: &'static str, value: impl ToString, requirement: &'static str) -> Self {
        Self::Parameter { name, value: value.to_string(), requirement }
    }
}

/// Refuses two grids that differ by more than ITK's tolerance.
pub(crate) fn check_same_grid(
    operation: &'static str,
    first: &alnm_imaging::Geometry,
    second: &alnm_imaging::Geometry,
) -> Result<()> {
    const TOLERANCE: f64 = 1e-6;
    match first.difference(second, TOLERANCE) {
        Some(difference) => Err(ImagingError::GeometryMismatch { operation, difference }.into()),
        None => Ok(()),
    }
}
