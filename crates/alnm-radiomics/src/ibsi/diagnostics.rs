//! What image and region looked like on the way to the features.

use alnm_imaging::Volume;
use serde::Serialize;

use super::region::Mask;

/// An image in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ImageSummary {
    /// Voxels along x, y and z.
    pub size: [usize; 3],
    /// Spacing along x, y and z in mm.
    pub spacing: [f64; 3],
    /// Mean intensity.
    pub mean: f64,
    /// Smallest intensity.
    pub minimum: f64,
    /// Largest intensity.
    pub maximum: f64,
}

impl ImageSummary {
    pub(crate) fn new(image: &Volume<f64>) -> Self {
        let range = Range::of(image.as_slice());
        let geometry = image.geometry();
        Self {
            size: geometry.size(),
            spacing: geometry.spacing(),
            mean: range.mean,
            minimum: range.minimum,
            maximum: range.maximum,
        }
    }
}

/// A region in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RegionSummary {
    /// Extent of the box around the intensity mask along x, y and z.
    pub intensity_box: [usize; 3],
    /// Extent of the box around the morphological mask along x, y and z.
    pub morphological_box: [usize; 3],
    /// Voxels of the intensity mask.
    pub intensity_voxels: usize,
    /// Voxels of the morphological mask.
    pub morphological_voxels: usize,
    /// Mean of the intensities in the intensity mask.
    pub mean: f64,
    /// Smallest of them.
    pub minimum: f64,
    /// Largest of them.
    pub maximum: f64,
}

impl RegionSummary {
    pub(crate) fn new(image: &Volume<f64>, morphological: &Mask, intensity: &Mask) -> Self {
        let extent = |mask: &Mask| {
            let [z, y, x] = mask.bounding_box().map_or([0; 3], |bounds| bounds.map(|range| range.len()));
            [x, y, z]
        };
        let range = Range::of(&intensity.select(image.as_slice()));
        Self {
            intensity_box: extent(intensity),
            morphological_box: extent(morphological),
            intensity_voxels: intensity.count(),
            morphological_voxels: morphological.count(),
            mean: range.mean,
            minimum: range.minimum,
            maximum: range.maximum,
        }
    }
}

struct Range {
    mean: f64,
    minimum: f64,
    maximum: f64,
}

impl Range {
    fn of(values: &[f64]) -> Self {
        Self {
            mean: crate::summation::sum(values) / values.len() as f64,
            minimum: values.iter().copied().fold(f64::INFINITY, f64::min),
            maximum: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

/// The image before and after interpolation, and the region before and after each step that changes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct IbsiDiagnostics {
    /// The image as given.
    pub initial_image: ImageSummary,
    /// The image after interpolation and rounding.
    pub interpolated_image: ImageSummary,
    /// The region as given.
    pub initial_region: RegionSummary,
    /// The region after interpolation.
    pub interpolated_region: RegionSummary,
    /// The region after resegmentation.
    pub resegmented_region: RegionSummary,
}
