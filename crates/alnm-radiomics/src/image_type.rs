//! The images that features are extracted from: the original and those derived from it.

use serde::Serialize;

/// A kind of derived image, under the name of PyRadiomics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum ImageType {
    /// The image as it is.
    Original,
    /// Exponential of the grey value; see [`crate::filter::pointwise`].
    Exponential,
    /// Magnitude of the gradient; see [`crate::filter::gradient`].
    Gradient,
    /// Local binary patterns in slices; see [`crate::filter::lbp2d`].
    LBP2D,
    /// Local binary patterns on spheres; see [`crate::filter::lbp3d`].
    LBP3D,
    /// Laplacian of Gaussian; see [`crate::filter::log`].
    LoG,
    /// Logarithm of the grey value; see [`crate::filter::pointwise`].
    Logarithm,
    /// Square of the grey value; see [`crate::filter::pointwise`].
    Square,
    /// Square root of the grey value; see [`crate::filter::pointwise`].
    SquareRoot,
    /// Stationary wavelet transform; see [`crate::filter::wavelet`].
    Wavelet,
}

impl ImageType {
    /// All image types, as PyRadiomics lists them.
    pub const ALL: [Self; 10] = [
        Self::Original,
        Self::Exponential,
        Self::Gradient,
        Self::LBP2D,
        Self::LBP3D,
        Self::LoG,
        Self::Logarithm,
        Self::Square,
        Self::SquareRoot,
        Self::Wavelet,
    ];

    /// The name in parameter files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Original => "Original",
            Self::Exponential => "Exponential",
            Self::Gradient => "Gradient",
            Self::LBP2D => "LBP2D",
            Self::LBP3D => "LBP3D",
            Self::LoG => "LoG",
            Self::Logarithm => "Logarithm",
            Self::Square => "Square",
            Self::SquareRoot => "SquareRoot",
            Self::Wavelet => "Wavelet",
        }
    }

    /// The image type of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|image_type| image_type.name() == name)
    }
}
