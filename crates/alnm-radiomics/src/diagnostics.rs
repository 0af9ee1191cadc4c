//! What PyRadiomics reports about image and mask together with the features.

use std::fmt;
use std::ops::Range;

use alnm_imaging::mask::MaskRef;
use alnm_imaging::region::VoxelBox;
use alnm_imaging::vectorised;
use alnm_imaging::{Extremes, Image, LabelMap, Voxel, with_volume};
use serde::Serialize;

use crate::error::Result;
use crate::parameters::{Parameters, Settings};
use crate::python_text::{float, tuple};
use crate::region::{region_runs, region_values};
use crate::summation::sum;

/// An entry of the diagnostics.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Diagnostic {
    /// Column name, such as `diagnostics_Mask-original_VoxelNum`.
    pub name: String,
    /// Its value.
    pub value: DiagnosticValue,
}

/// The value of an entry. Its text is what Python writes for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum DiagnosticValue {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// Whole numbers, such as a size.
    Integers(Vec<i64>),
    /// Numbers, such as a spacing.
    Floats(Vec<f64>),
}

impl fmt::Display for DiagnosticValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Integer(value) => write!(formatter, "{value}"),
            Self::Float(value) => formatter.write_str(&float(*value)),
            Self::Integers(values) => {
                formatter.write_str(&tuple(&values.iter().map(i64::to_string).collect::<Vec<_>>()))
            }
            Self::Floats(values) => formatter.write_str(&tuple(&values.iter().copied().map(float).collect::<Vec<_>>())),
        }
    }
}

impl DiagnosticValue {
    /// The value of the entry `name` from the text that is written of it; `None` where that is the text of no such
    /// value.
    ///
    /// ```
    /// use alnm_radiomics::DiagnosticValue;
    /// let value = DiagnosticValue::from_text("diagnostics_Mask-original_Size", "(24, 24, 10)");
    /// assert_eq!(value, Some(DiagnosticValue::Integers(vec![24, 24, 10])));
    /// ```
    #[must_use]
    pub fn from_text(name: &str, text: &str) -> Option<Self> {
        let items = || {
            Some(text.strip_prefix('(')?.strip_suffix(')')?.split(',').map(str::trim).filter(|item| !item.is_empty()))
        };
        Some(match name.rsplit('_').next().unwrap_or_default() {
            "Spacing" | "CenterOfMass" | "CenterOfMassIndex" => {
                Self::Floats(items()?.map(|item| item.parse().ok()).collect::<Option<_>>()?)
            }
            "Size" | "BoundingBox" => Self::Integers(items()?.map(|item| item.parse().ok()).collect::<Option<_>>()?),
            "VoxelNum" | "VolumeNum" => Self::Integer(text.parse().ok()?),
            "Mean" | "Minimum" | "Maximum" => Self::Float(text.parse().ok()?),
            _ => Self::Text(text.to_owned()),
        })
    }
}

/// Names of all entries that an extraction with these settings has, in their order, but for those of a corrected mask.
pub(crate) fn columns(settings: &Settings) -> Vec<String> {
    const IMAGE: [&str; 7] = ["Hash", "Dimensionality", "Spacing", "Size", "Mean", "Minimum", "Maximum"];
    const MASK: [&str; 11] = [
        "Hash",
        "Spacing",
        "Size",
        "BoundingBox",
        "VoxelNum",
        "VolumeNum",
        "CenterOfMassIndex",
        "CenterOfMass",
        "Mean",
        "Minimum",
        "Maximum",
    ];
    if !settings.additional_info {
        return Vec::new();
    }
    let mut stages = vec![("Image-original", &IMAGE[..]), ("Mask-original", &MASK[..8])];
    if settings.interpolator.is_some() && settings.resampled_pixel_spacing.is_some() {
        stages.extend([("Image-interpolated", &IMAGE[2..]), ("Mask-interpolated", &MASK[1..])]);
    }
    if settings.resegment_range.is_some() {
        stages.push(("Mask-resegmented", &MASK[1..]));
    }
    let of_stages = stages
        .into_iter()
        .flat_map(|(subject, entries)| entries.iter().map(move |entry| format!("diagnostics_{subject}_{entry}")));
    CONFIGURATION.iter().map(|entry| format!("diagnostics_{entry}")).chain(of_stages).collect()
}

const CONFIGURATION: [&str; 3] =
    ["Versions_alnm-radiomics", "Configuration_Settings", "Configuration_EnabledImageTypes"];

fn entry(name: impl fmt::Display, value: DiagnosticValue) -> Diagnostic {
    Diagnostic { name: format!("diagnostics_{name}"), value }
}

/// The version and the parameters that the values were computed with.
pub(crate) fn of_configuration(parameters: &Parameters) -> Vec<Diagnostic> {
    let values = [env!("CARGO_PKG_VERSION").to_owned(), parameters.settings_text(), parameters.image_types_text()];
    CONFIGURATION.into_iter().zip(values).map(|(name, value)| entry(name, DiagnosticValue::Text(value))).collect()
}

/// Describes an image at a stage of the extraction: `original`, with the hash of its voxels, or `interpolated`.
pub(crate) fn of_image(image: &Image, stage: &str, hash: Option<String>) -> Vec<Diagnostic> {
    let geometry = image.geometry();
    let dimension = geometry.dimension();
    let mut entries = Vec::new();
    if let Some(hash) = hash {
        entries.push(entry(format_args!("Image-{stage}_Hash"), DiagnosticValue::Text(hash)));
        let dimensionality = DiagnosticValue::Text(format!("{dimension}D"));
        entries.push(entry(format_args!("Image-{stage}_Dimensionality"), dimensionality));
    }
    entries.push(entry(format_args!("Image-{stage}_Spacing"), floats(&geometry.spacing()[..dimension])));
    entries.push(entry(format_args!("Image-{stage}_Size"), integers(&geometry.size()[..dimension])));
    let summary = with_volume!(image, volume => Summary::of(volume.as_slice()));
    entries.extend(summary.entries(&format!("Image-{stage}")));
    entries
}

/// What there is to say of a mask but for its region.
pub(crate) enum MaskStage<'a> {
    /// As it was given, with the hash of its voxels and the box around its region.
    Given { mask: MaskRef<'a>, hash: String, region: VoxelBox },
    /// What a step made, with the image on its grid, whose grey values in the region are described.
    Made { mask: &'a LabelMap, image: &'a Image },
}

impl<'a> MaskStage<'a> {
    fn mask(&self) -> MaskRef<'a> {
        match *self {
            Self::Given { mask, .. } => mask,
            Self::Made { mask, .. } => mask.into(),
        }
    }
}

/// A mask's region, described.
pub(crate) struct DescribedMask {
    pub(crate) entries: Vec<Diagnostic>,
    /// Number of its separate parts.
    pub(crate) components: usize,
}

/// Describes a mask's region at a stage of the extraction.
pub(crate) fn of_mask(what: MaskStage<'_>, label: u32, stage: &str) -> Result<DescribedMask> {
    let mask = what.mask();
    let geometry = mask.geometry();
    let dimension = geometry.dimension();
    let mut entries = Vec::new();
    let mut push = |name: &str, value| entries.push(entry(format_args!("Mask-{stage}_{name}"), value));
    let region = match &what {
        MaskStage::Given { hash, region, .. } => {
            push("Hash", DiagnosticValue::Text(hash.clone()));
            *region
        }
        MaskStage::Made { .. } => mask.bounding_box(label)?,
    };
    push("Spacing", floats(&geometry.spacing()[..dimension]));
    push("Size", integers(&geometry.size()[..dimension]));
    let limits: Vec<usize> = region.start()[..dimension].iter().chain(&region.size()[..dimension]).copied().collect();
    push("BoundingBox", integers(&limits));
    let runs = region_runs(mask, label, region);
    let voxels: usize = runs.iter().map(ExactSizeIterator::len).sum();
    push("VoxelNum", DiagnosticValue::Integer(voxels as i64));
    let [_, height, width] = region.shape();
    let components = component_count(&runs, region.shape());
    push("VolumeNum", DiagnosticValue::Integer(components as i64));
    let mut centre = region.start().map(|start| (start * voxels) as u64);
    for run in &runs {
        let (row, count) = (run.start / width, run.len() as u64);
        // First to last x, in pairs of the same sum.
        centre[0] += (run.start % width + (run.end - 1) % width) as u64 * count / 2;
        centre[1] += (row % height) as u64 * count;
        centre[2] += (row / height) as u64 * count;
    }
    let centre = centre.map(|sum| sum as f64 / voxels as f64);
    push("CenterOfMassIndex", floats(&centre[..dimension]));
    push("CenterOfMass", floats(&geometry.index_to_point(centre)[..dimension]));
    if let MaskStage::Made { image, mask } = what {
        let values = with_volume!(image, volume => region_values(volume, mask, label));
        entries.extend(Summary::of(&values).entries(&format!("Mask-{stage}")));
    }
    Ok(DescribedMask { entries, components })
}

/// How many separate parts a region has.
pub(crate) fn separate_parts(mask: &LabelMap, label: u32) -> Result<usize> {
    let mask = MaskRef::from(mask);
    let region = mask.bounding_box(label)?;
    Ok(component_count(&region_runs(mask, label, region), region.shape()))
}

/// Voxels in numbers.
#[derive(Debug, Clone)]
pub(crate) struct Summary {
    pub(crate) mean: f64,
    pub(crate) minimum: f64,
    pub(crate) maximum: f64,
}

impl Summary {
    fn entries(&self, subject: &str) -> [Diagnostic; 3] {
        [("Mean", self.mean), ("Minimum", self.minimum), ("Maximum", self.maximum)]
            .map(|(name, value)| entry(format_args!("{subject}_{name}"), DiagnosticValue::Float(value)))
    }

    /// Of an image without voxels the mean is not a number.
    pub(crate) fn of<T: Voxel>(voxels: &[T]) -> Self {
        let [minimum, maximum] =
            Extremes::of(voxels).map_or([f64::INFINITY, f64::NEG_INFINITY], |e| [e.low.to_f64(), e.high.to_f64()]);
        Self { mean: vectorised!(pulp::Arch::new(), total(voxels)) / voxels.len() as f64, minimum, maximum }
    }
}

/// The sum of all voxels: exact for integers. Blocks of a fixed length keep the bits the same at any number of threads.
#[inline(always)]
fn total<T: Voxel>(voxels: &[T]) -> f64 {
    const LANES: usize = 16;
    const BLOCK: usize = 128 * LANES;
    let mut sums = Vec::with_capacity(voxels.len() / BLOCK + 1);
    for block in voxels.chunks(BLOCK) {
        let mut lanes = [0.0; LANES];
        let (parts, rest) = block.as_chunks::<LANES>();
        for part in parts {
            for lane in 0..LANES {
                lanes[lane] += part[lane].to_f64();
            }
        }
        sums.push(rest.iter().fold(sum(&lanes), |sum, voxel| sum + voxel.to_f64()));
    }
    sum(&sums)
}

fn floats(values: &[f64]) -> DiagnosticValue {
    DiagnosticValue::Floats(values.to_vec())
}

fn integers(values: &[usize]) -> DiagnosticValue {
    DiagnosticValue::Integers(values.iter().map(|&value| value as i64).collect())
}

/// A run of voxels along x.
#[derive(Clone, Copy)]
struct Run {
    start: usize,
    end: usize,
}

/// How many separate parts the voxels of runs along x in a box of `shape` (z, y, x) make, voxels being connected with
/// all their neighbours. Runs are joined to those that they touch in the four rows before.
fn component_count(in_box: &[Range<usize>], shape: [usize; 3]) -> usize {
    let [depth, height, width] = shape;
    let row_end = |row: usize| in_box.partition_point(|run| run.start < row * width);
    let first_of_row: Vec<usize> = (0..=depth * height).map(row_end).collect();
    // Ends of runs relative to their rows.
    let runs: Vec<Run> =
        in_box.iter().map(|run| Run { start: run.start % width, end: run.start % width + run.len() }).collect();
    let mut parent: Vec<usize> = (0..runs.len()).collect();
    let mut count = runs.len();
    for row in 0..first_of_row.len() - 1 {
        let y = row % height;
        let before = [(1, y > 0), (height + 1, y > 0), (height, true), (height.wrapping_sub(1), y + 1 < height)];
        for other in before
            .into_iter()
            .filter(|&(distance, exists)| exists && distance <= row)
            .map(|(distance, _)| row - distance)
        {
            if other == row {
                continue;
            }
            let mut candidate = first_of_row[other];
            for run in first_of_row[row]..first_of_row[row + 1] {
                while candidate < first_of_row[other + 1] && runs[candidate].end < runs[run].start {
                    candidate += 1;
                }
                let mut touching = candidate;
                while touching < first_of_row[other + 1] && runs[touching].start <= runs[run].end {
                    let (a, b) = (root(&mut parent, run), root(&mut parent, touching));
                    if a != b {
                        parent[a] = b;
                        count -= 1;
                    }
                    touching += 1;
                }
            }
        }
    }
    count
}

/// The representative of a run's component.
fn root(parent: &mut [usize], mut run: usize) -> usize {
    while parent[run] != run {
        parent[run] = parent[parent[run]];
        run = parent[run];
    }
    run
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::level_map::runs;

    /// Parts found by filling them one after the other.
    fn filled(inside: &[bool], shape: [usize; 3]) -> usize {
        let mut open = inside.to_vec();
        let mut count = 0;
        while let Some(seed) = open.iter().position(|&voxel| voxel) {
            count += 1;
            open[seed] = false;
            let mut waiting = vec![seed];
            while let Some(voxel) = waiting.pop() {
                let place = [voxel / (shape[1] * shape[2]), voxel / shape[2] % shape[1], voxel % shape[2]];
                for other in 0..open.len() {
                    let near = [other / (shape[1] * shape[2]), other / shape[2] % shape[1], other % shape[2]];
                    if open[other] && (0..3).all(|axis| place[axis].abs_diff(near[axis]) <= 1) {
                        open[other] = false;
                        waiting.push(other);
                    }
                }
            }
        }
        count
    }

    #[test]
    fn values_are_read_back_from_their_text() {
        let values = [
            ("Mask-original_VoxelNum", DiagnosticValue::Integer(12)),
            ("Image-original_Mean", DiagnosticValue::Float(1e-5)),
            ("Image-original_Spacing", DiagnosticValue::Floats(vec![0.1 + 0.2, 3.0])),
            ("Mask-original_BoundingBox", DiagnosticValue::Integers(vec![3])),
            ("Mask-original_Hash", DiagnosticValue::Text("12".to_owned())),
        ];
        for (name, value) in values {
            assert_eq!(DiagnosticValue::from_text(name, &value.to_string()), Some(value));
        }
        assert_eq!(DiagnosticValue::from_text("Mask-original_Size", "12"), None);
    }

    proptest! {
        #[test]
        fn components_are_those_of_filling(
            shape in [1usize..5, 1usize..5, 1usize..7],
            seeds in prop::collection::vec(0u8..3, 120),
        ) {
            let inside: Vec<bool> = seeds[..shape.iter().product()].iter().map(|&seed| seed == 0).collect();
            prop_assert_eq!(component_count(&runs(&inside, shape), shape), filled(&inside, shape));
        }
    }
}
