//! Weights of the directions in which the pairs and runs of a texture matrix are counted.

use serde::Serialize;

use crate::level_map::Offset;

/// How the matrices of several directions are weighted before they are added up (`weightingNorm`): by the length of the
/// direction's step in mm, measured with one of three norms.
///
/// Co-occurrences are weighted with exp(-length²), run lengths with the length itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WeightingNorm {
    /// Sum of the components.
    Manhattan,
    /// Euclidean length.
    Euclidean,
    /// Largest component.
    Infinity,
    /// All directions weigh the same.
    NoWeighting,
}

impl WeightingNorm {
    /// Length in mm of a step, `None` for [`WeightingNorm::NoWeighting`]. `spacing` is (z, y, x).
    pub(crate) fn length(self, offset: Offset, spacing: [f64; 3]) -> Option<f64> {
        let steps: [f64; 3] = std::array::from_fn(|axis| offset[axis].unsigned_abs() as f64 * spacing[axis]);
        match self {
            Self::Manhattan => Some(steps.iter().sum()),
            Self::Euclidean => Some(steps.iter().map(|step| step * step).sum::<f64>().sqrt()),
            Self::Infinity => Some(steps.iter().copied().fold(0.0, f64::max)),
            Self::NoWeighting => None,
        }
    }
}
