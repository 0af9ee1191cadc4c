//! Warnings of an extraction.

use std::fmt;

use serde::Serialize;

use crate::feature::FeatureClass;

/// Fewest and most grey levels that texture is usually computed on.
pub(crate) const USUAL_BINS: std::ops::RangeInclusive<usize> = 16..=256;

/// Something to know about an extraction that did not stop it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Warning {
    /// `LoG` without `sigma` gives no image.
    NoSigma,
    /// The image is too small for a Laplacian of Gaussian.
    SigmaSkipped {
        /// σ in mm.
        sigma: f64,
        /// Voxels of the image, (x, y, z).
        size: [usize; 3],
    },
    /// Texture on very few or very many grey levels says little.
    UnusualBinNumber {
        /// The image.
        image: String,
        /// Bins between the lowest and the highest value.
        bins: usize,
        /// What sets the width of bins: `binWidth`, or `fixed_bin_size` in the IBSI profile.
        setting: &'static str,
        /// A width that gives 64 bins, where bins have a fixed width; 0 where all grey values are equal.
        suggested_width: Option<f64>,
    },
    /// A feature that PyRadiomics knows but does not compute; another feature has the same value.
    WithdrawnFeature {
        /// Its class.
        class: FeatureClass,
        /// Its name.
        feature: String,
    },
    /// Shape in three dimensions needs an image of three dimensions.
    ShapeNeedsVolume,
    /// `shape2D` of a volume needs `force2D`.
    Shape2DNeedsForce2D,
    /// PyRadiomics does not compute `shape2D` for this direction of the slice.
    Shape2DSkipped {
        /// `force2Ddimension`.
        dimension: usize,
    },
    /// LBP2D codes slices, while features are computed in three dimensions.
    PatternsInSlices,
    /// LBP3D needs an image of three dimensions.
    SpheresNeedVolume,
    /// `force2D` takes an axis from an image of two, so that neighbours lie along lines.
    SlicesBecomeLines {
        /// The axis that is left, `x` or `y`.
        axis: char,
    },
    /// The region has several parts.
    SeveralComponents {
        /// How many.
        count: usize,
    },
    /// The mask was brought onto the image's grid.
    MaskCorrected {
        /// In what they differed, and by how much.
        difference: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSigma => write!(formatter, "LoG has no sigma, so no image was filtered"),
            Self::SigmaSkipped { sigma, size } => {
                write!(
                    formatter,
                    "LoG with sigma {sigma:?} mm was skipped: an image of {size:?} voxels is too small for it"
                )
            }
            Self::UnusualBinNumber { image, suggested_width: Some(0.0), .. } => {
                write!(formatter, "{image}: all grey values of the region are equal, so it has no texture")
            }
            Self::UnusualBinNumber { image, bins, setting, suggested_width: Some(width) } => {
                write!(
                    formatter,
                    "{image}: the grey values fill {bins} bins, {USUAL_BINS:?} are usual; a {setting} of {} would give 64",
                    three_digits(*width)
                )
            }
            Self::UnusualBinNumber { image, bins, suggested_width: None, .. } => {
                write!(formatter, "{image}: the grey values fill {bins} bins, {USUAL_BINS:?} are usual")
            }
            Self::WithdrawnFeature { class, feature } => {
                write!(
                    formatter,
                    "{class} {feature} has no column: PyRadiomics no longer computes it, since another feature has the same value"
                )
            }
            Self::ShapeNeedsVolume => write!(formatter, "shape needs an image of three dimensions; use shape2D"),
            Self::Shape2DNeedsForce2D => write!(formatter, "shape2D of a volume needs force2D"),
            Self::Shape2DSkipped { dimension } => {
                write!(
                    formatter,
                    "shape2D was skipped: PyRadiomics does not compute it for this slice with force2Ddimension {dimension}"
                )
            }
            Self::PatternsInSlices => {
                write!(formatter, "LBP2D codes slices, while features are computed in three dimensions; set force2D")
            }
            Self::SpheresNeedVolume => {
                write!(formatter, "LBP3D needs an image of three dimensions, so no image was filtered")
            }
            Self::SlicesBecomeLines { axis } => {
                write!(
                    formatter,
                    "force2D leaves an image of two dimensions only the {axis} axis, so texture and filters look along lines; \
                     switch force2D off"
                )
            }
            Self::SeveralComponents { count } => write!(formatter, "the region has {count} separate parts"),
            Self::MaskCorrected { difference } => {
                write!(formatter, "the mask was resampled to the image's grid: {difference}")
            }
        }
    }
}

/// A number in three digits that count, however small or large it is; with an exponent where it would have many zeros.
fn three_digits(number: f64) -> String {
    let digits = format!("{number:.2e}");
    let rounded: Option<f64> = digits.parse().ok().filter(|rounded: &f64| (1e-6..1e9).contains(&rounded.abs()));
    rounded.map_or(digits, |rounded| rounded.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_without_contrast_gets_no_width_of_bins() {
        let of_width = |width| Warning::UnusualBinNumber {
            image: "original".to_owned(),
            bins: 2,
            setting: "binWidth",
            suggested_width: Some(width),
        };
        let text = "original: all grey values of the region are equal, so it has no texture";
        assert_eq!(of_width(0.0).to_string(), text);
        assert!(of_width(0.5).to_string().ends_with("a binWidth of 0.5 would give 64"));
    }

    #[test]
    fn advice_has_the_digits_that_it_needs() {
        for (number, text) in [
            (0.000_012_345, "0.0000123"),
            (0.5, "0.5"),
            (24.96, "25"),
            (1234.5, "1230"),
            (0.031_26, "0.0313"),
            (1e-300, "1.00e-300"),
        ] {
            assert_eq!(three_digits(number), text);
        }
    }
}
