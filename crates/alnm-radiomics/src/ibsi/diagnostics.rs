//! What image and region looked like on the way to the features.

use alnm_imaging::{Image, LabelMap, with_volume};

use super::region::Mask;
use crate::diagnostics::{Diagnostic, DiagnosticValue, Summary};
use crate::error::Result;
use crate::region::region_values;

/// An image in numbers.
#[derive(Debug, Clone)]
pub(crate) struct ImageSummary {
    /// Voxels along x, y and z.
    size: [usize; 3],
    /// Spacing along x, y and z in mm.
    spacing: [f64; 3],
    intensities: Summary,
}

impl ImageSummary {
    pub(crate) fn new(image: &Image) -> Self {
        let geometry = image.geometry();
        Self {
            size: geometry.size(),
            spacing: geometry.spacing(),
            intensities: with_volume!(image, volume => Summary::of(volume.as_slice())),
        }
    }
}

/// A mask in numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MaskSummary {
    /// Extent of the box around it along x, y and z.
    size: [usize; 3],
    voxels: usize,
}

impl MaskSummary {
    fn of_mask(mask: &Mask) -> Self {
        let [z, y, x] = mask.bounding_box().map_or([0; 3], |bounds| bounds.map(|range| range.len()));
        Self { size: [x, y, z], voxels: mask.count() }
    }
}

/// A region in numbers.
#[derive(Debug, Clone)]
pub(crate) struct RegionSummary {
    morphological: MaskSummary,
    intensity: MaskSummary,
    /// In the intensity mask.
    intensities: Summary,
}

impl RegionSummary {
    /// The region that a label marks, before the two masks go apart.
    pub(crate) fn of_label(image: &Image, mask: &LabelMap, label: u32) -> Result<Self> {
        let values = with_volume!(image, volume => region_values(volume, mask, label));
        let size = alnm_imaging::region::bounding_box(mask, label)?.size();
        let of_mask = MaskSummary { size, voxels: values.len() };
        Ok(Self { morphological: of_mask, intensity: of_mask, intensities: Summary::of(&values) })
    }

    pub(crate) fn of_masks(image: &[f64], morphological: &Mask, intensity: &Mask) -> Self {
        Self {
            morphological: MaskSummary::of_mask(morphological),
            intensity: MaskSummary::of_mask(intensity),
            intensities: Summary::of(&intensity.select(image)),
        }
    }
}

/// The image before and after interpolation, and the region before and after each step that changes it.
#[derive(Debug, Clone)]
pub(crate) struct StageSummaries {
    pub(crate) initial_image: ImageSummary,
    /// After interpolation and rounding.
    pub(crate) interpolated_image: ImageSummary,
    pub(crate) initial_region: RegionSummary,
    pub(crate) interpolated_region: RegionSummary,
    pub(crate) resegmented_region: RegionSummary,
    /// Separate parts of the region that was given.
    pub(crate) components: usize,
}

impl StageSummaries {
    /// The entries that are reported, in the order of [`columns`].
    pub(crate) fn entries(&self) -> Vec<Diagnostic> {
        let images = [("original", &self.initial_image), ("interpolated", &self.interpolated_image)];
        let regions = [
            ("original", &self.initial_region),
            ("interpolated", &self.interpolated_region),
            ("resegmented", &self.resegmented_region),
        ];
        let mut entries = Vec::new();
        for (stage, image) in images {
            let values = [integers(image.size), DiagnosticValue::Floats(image.spacing.to_vec())];
            let values = values.into_iter().chain(statistics(&image.intensities));
            entries.extend(named(&format!("Image-{stage}"), &IMAGE, values));
        }
        for (stage, region) in regions {
            let of_mask = |mask: MaskSummary| [integers(mask.size), DiagnosticValue::Integer(mask.voxels as i64)];
            entries.extend(named(&format!("MorphologicalMask-{stage}"), &MASK[..2], of_mask(region.morphological)));
            let values = of_mask(region.intensity).into_iter().chain(statistics(&region.intensities));
            entries.extend(named(&format!("IntensityMask-{stage}"), &MASK, values));
        }
        entries
    }
}

const IMAGE: [&str; 5] = ["Size", "Spacing", "Mean", "Minimum", "Maximum"];
/// Of the box around the mask, of its voxels, and of their intensities.
const MASK: [&str; 5] = ["Size", "VoxelNum", "Mean", "Minimum", "Maximum"];

fn name(subject: &str, entry: &str) -> String {
    format!("diagnostics_IBSI-{subject}_{entry}")
}

fn named(
    subject: &str,
    entries: &[&str],
    values: impl IntoIterator<Item = DiagnosticValue>,
) -> impl Iterator<Item = Diagnostic> {
    let names: Vec<String> = entries.iter().map(|entry| name(subject, entry)).collect();
    names.into_iter().zip(values.into_iter().collect::<Vec<_>>()).map(|(name, value)| Diagnostic { name, value })
}

fn integers(values: [usize; 3]) -> DiagnosticValue {
    DiagnosticValue::Integers(values.iter().map(|&value| value as i64).collect())
}

fn statistics(intensities: &Summary) -> [DiagnosticValue; 3] {
    [intensities.mean, intensities.minimum, intensities.maximum].map(DiagnosticValue::Float)
}

/// Names of the entries of every extraction, in their order.
pub(crate) fn columns() -> Vec<String> {
    let of = |subject: &str, stage: &str, entries: &[&str]| -> Vec<String> {
        entries.iter().map(|entry| name(&format!("{subject}-{stage}"), entry)).collect()
    };
    let images = ["original", "interpolated"].map(|stage| of("Image", stage, &IMAGE));
    let regions = ["original", "interpolated", "resegmented"]
        .map(|stage| [of("MorphologicalMask", stage, &MASK[..2]), of("IntensityMask", stage, &MASK)].concat());
    [images.concat(), regions.concat()].concat()
}
