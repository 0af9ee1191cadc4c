//! The images that features are extracted from: the original and those derived from it.

use serde::Serialize;

/// A kind of derived image, under the name of PyRadiomics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum ImageType {
    /// The image as it is.
    Original,
    /// exp(x log(M) / M) of the grey value x, M being the largest absolute grey value of the image.
    Exponential,
    /// Magnitude of the gradient, as ITK's `GradientMagnitudeImageFilter` computes it (`gradientUseSpacing`).
    Gradient,
    /// Local binary patterns in slices, as scikit-image's `local_binary_pattern` codes them (`lbp2DRadius`,
    /// `lbp2DSamples`, `lbp2DMethod`).
    LBP2D,
    /// Local binary patterns on spheres in spherical harmonics, one image for each level and one for the kurtosis
    /// (`lbp3DLevels`, `lbp3DIcosphereRadius`, `lbp3DIcosphereSubdivision`).
    LBP3D,
    /// Laplacian of Gaussian, one image for each σ (`sigma`); see [`crate::filter::log`].
    LoG,
    /// log(|x| + 1) of the grey value x with the sign of x, scaled so that the largest absolute grey value stays.
    Logarithm,
    /// (x / √M)² of the grey value x, M being the largest absolute grey value of the image.
    Square,
    /// √(|x| M) of the grey value x with the sign of x, M being the largest absolute grey value of the image.
    SquareRoot,
    /// Stationary wavelet transform, one image for each sub-band (`wavelet`, `level`, `start_level`); see
    /// [`crate::filter::wavelet`].
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
