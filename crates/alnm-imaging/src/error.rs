//! What can go wrong with an image.

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
}
