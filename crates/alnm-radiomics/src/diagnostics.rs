//! What PyRadiomics reports about image and mask beside the features.

use std::fmt;

use alnm_imaging::region::bounding_box;
use alnm_imaging::{Image, LabelMap, PixelType, Volume, Voxel, with_volume};
use serde::Serialize;
use sha1::{Digest, Sha1};

use crate::error::Result;
use crate::parameters::Parameters;
use crate::python_text::{float, tuple};
use crate::region::region_values;
use crate::summation::{sum, sum_of};

/// An entry of the diagnostics.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
            Self::Integers(values) => formatter.write_str(&tuple(&values.iter().map(i64::to_string).collect::<Vec<_>>())),
            Self::Floats(values) => formatter.write_str(&tuple(&values.iter().copied().map(float).collect::<Vec<_>>())),
        }
    }
}

/// The entries in the order in which they came about.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    entries: Vec<Diagnostic>,
}

impl Diagnostics {
    pub(crate) fn into_entries(self) -> Vec<Diagnostic> {
        self.entries
    }

    pub(crate) fn push(&mut self, name: impl fmt::Display, value: DiagnosticValue) {
        self.entries.push(Diagnostic { name: format!("diagnostics_{name}"), value });
    }

    /// The version and the parameters that the values were computed with.
    pub(crate) fn add_configuration(&mut self, parameters: &Parameters) {
        self.push("Versions_alnm-radiomics", DiagnosticValue::Text(env!("CARGO_PKG_VERSION").to_owned()));
        self.push("Configuration_Settings", DiagnosticValue::Text(parameters.settings_text()));
        self.push("Configuration_EnabledImageTypes", DiagnosticValue::Text(parameters.image_types_text()));
    }

    /// Describes an image at a stage of the extraction: `original` or `interpolated`.
    pub(crate) fn add_image(&mut self, image: &Image, stage: &str) {
        let geometry = image.geometry();
        let dimension = geometry.dimension();
        if stage == "original" {
            self.push("Image-original_Hash", DiagnosticValue::Text(with_volume!(image, volume => hash(volume))));
            self.push("Image-original_Dimensionality", DiagnosticValue::Text(format!("{dimension}D")));
        }
        self.push(format_args!("Image-{stage}_Spacing"), floats(&geometry.spacing()[..dimension]));
        self.push(format_args!("Image-{stage}_Size"), integers(&geometry.size()[..dimension]));
        let summary = with_volume!(image, volume => Summary::of(volume.as_slice()));
        self.add_summary(&format!("Image-{stage}"), &summary);
    }

    /// Describes a mask's region at a stage of the extraction, with the grey values of `image` in it.
    pub(crate) fn add_mask(&mut self, image: Option<&Image>, mask: &LabelMap, label: u32, stage: &str) -> Result<()> {
        let geometry = mask.geometry();
        let dimension = geometry.dimension();
        if stage == "original" {
            self.push("Mask-original_Hash", DiagnosticValue::Text(hash(mask)));
        }
        self.push(format_args!("Mask-{stage}_Spacing"), floats(&geometry.spacing()[..dimension]));
        self.push(format_args!("Mask-{stage}_Size"), integers(&geometry.size()[..dimension]));
        let region = bounding_box(mask, label)?;
        let limits: Vec<usize> = region.start[..dimension].iter().chain(&region.size[..dimension]).copied().collect();
        self.push(format_args!("Mask-{stage}_BoundingBox"), integers(&limits));
        let voxels: Vec<usize> = (0..mask.as_slice().len()).filter(|&place| mask.as_slice()[place] == label).collect();
        self.push(format_args!("Mask-{stage}_VoxelNum"), DiagnosticValue::Integer(voxels.len() as i64));
        self.push(format_args!("Mask-{stage}_VolumeNum"), DiagnosticValue::Integer(component_count(mask, label)? as i64));
        let mut centre = [0u64; 3];
        for &place in &voxels {
            let index = geometry.index_of(place);
            for axis in 0..3 {
                centre[axis] += index[axis] as u64;
            }
        }
        let centre = centre.map(|sum| sum as f64 / voxels.len() as f64);
        self.push(format_args!("Mask-{stage}_CenterOfMassIndex"), floats(&centre[..dimension]));
        self.push(format_args!("Mask-{stage}_CenterOfMass"), floats(&geometry.index_to_point(centre)[..dimension]));
        if let Some(image) = image {
            let values = with_volume!(image, volume => region_values(volume, mask, label));
            self.add_summary(&format!("Mask-{stage}"), &Summary::of(&values));
        }
        Ok(())
    }

    fn add_summary(&mut self, subject: &str, summary: &Summary) {
        self.push(format_args!("{subject}_Mean"), DiagnosticValue::Float(summary.mean));
        self.push(format_args!("{subject}_Minimum"), DiagnosticValue::Float(summary.minimum));
        self.push(format_args!("{subject}_Maximum"), DiagnosticValue::Float(summary.maximum));
    }
}

struct Summary {
    mean: f64,
    minimum: f64,
    maximum: f64,
}

impl Summary {
    fn of<T: Voxel>(voxels: &[T]) -> Self {
        let (mut minimum, mut maximum) = (f64::INFINITY, f64::NEG_INFINITY);
        // Blocks of a fixed length keep the sum exact for integers and the same at any number of threads.
        let mut block = Vec::with_capacity(4096);
        let mut sums = Vec::with_capacity(voxels.len() / 4096 + 1);
        for chunk in voxels.chunks(4096) {
            block.clear();
            block.extend(chunk.iter().map(|voxel| voxel.to_f64()));
            for &value in &block {
                minimum = minimum.min(value);
                maximum = maximum.max(value);
            }
            sums.push(sum_of(&block, |value| value));
        }
        Self { mean: sum(&sums) / voxels.len() as f64, minimum, maximum }
    }
}

fn floats(values: &[f64]) -> DiagnosticValue {
    DiagnosticValue::Floats(values.to_vec())
}

fn integers(values: &[usize]) -> DiagnosticValue {
    DiagnosticValue::Integers(values.iter().map(|&value| value as i64).collect())
}

/// SHA-1 of the voxels as they lie in memory on a little-endian machine, as SimpleITK's `Hash`.
fn hash<T: Voxel>(volume: &Volume<T>) -> String {
    let mut digest = Sha1::new();
    let mut bytes = Vec::with_capacity(8 * 4096);
    for chunk in volume.as_slice().chunks(4096) {
        bytes.clear();
        for &voxel in chunk {
            push_bytes(voxel, &mut bytes);
        }
        digest.update(&bytes);
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Appends a voxel's little-endian bytes. 64-bit integers beyond 2⁵³ are not exact.
fn push_bytes<T: Voxel>(voxel: T, bytes: &mut Vec<u8>) {
    let value = voxel.to_f64();
    match T::PIXEL_TYPE {
        PixelType::U8 => bytes.extend_from_slice(&(value as u8).to_le_bytes()),
        PixelType::I8 => bytes.extend_from_slice(&(value as i8).to_le_bytes()),
        PixelType::U16 => bytes.extend_from_slice(&(value as u16).to_le_bytes()),
        PixelType::I16 => bytes.extend_from_slice(&(value as i16).to_le_bytes()),
        PixelType::U32 => bytes.extend_from_slice(&(value as u32).to_le_bytes()),
        PixelType::I32 => bytes.extend_from_slice(&(value as i32).to_le_bytes()),
        PixelType::U64 => bytes.extend_from_slice(&(value as u64).to_le_bytes()),
        PixelType::I64 => bytes.extend_from_slice(&(value as i64).to_le_bytes()),
        PixelType::F32 => bytes.extend_from_slice(&(value as f32).to_le_bytes()),
        _ => bytes.extend_from_slice(&value.to_le_bytes()),
    }
}

/// How many separate parts the region has, voxels being connected with all their neighbours.
pub(crate) fn component_count(mask: &LabelMap, label: u32) -> Result<usize> {
    let region = bounding_box(mask, label)?;
    // A rim of one voxel spares the bounds checks.
    let [width, height, depth] = region.size.map(|n| n + 2);
    let (row, slice) = (width as isize, (width * height) as isize);
    let mut open = vec![false; width * height * depth];
    let mut voxels = Vec::new();
    let data = mask.data();
    for z in 0..region.size[2] {
        for y in 0..region.size[1] {
            for x in 0..region.size[0] {
                if data[[z + region.start[2], y + region.start[1], x + region.start[0]]] == label {
                    let place = ((z + 1) * height + y + 1) * width + x + 1;
                    open[place] = true;
                    voxels.push(place);
                }
            }
        }
    }
    let steps: Vec<isize> =
        (-1..=1).flat_map(|z| (-1..=1).flat_map(move |y| (-1..=1).map(move |x| z * slice + y * row + x))).filter(|&s| s != 0).collect();
    let mut count = 0;
    let mut waiting = Vec::new();
    for voxel in voxels {
        if !open[voxel] {
            continue;
        }
        count += 1;
        open[voxel] = false;
        waiting.push(voxel);
        while let Some(member) = waiting.pop() {
            for step in &steps {
                let neighbour = (member as isize + step) as usize;
                if open[neighbour] {
                    open[neighbour] = false;
                    waiting.push(neighbour);
                }
            }
        }
    }
    Ok(count)
}
