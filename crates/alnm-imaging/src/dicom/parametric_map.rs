//! Writing images of real numbers as DICOM parametric maps.

use std::path::Path;

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::coded_concept::CodedConcept;
use super::derived_object::{
    CONTENT_LABEL, CREATOR, DerivedSeries, INTENDED_USE, ObjectKind, check_grid, invalid, write_object,
};
use super::item::Item;
use super::multi_frame::{FrameGrid, POSITIONS};
use super::source_images::SourceImages;
use super::write::fitting_text;
use crate::error::Result;
use crate::volume::Volume;

const OPERATION: &str = "writing a DICOM parametric map";

const PARAMETRIC_MAP: ObjectKind =
    ObjectKind { sop_class: uids::PARAMETRIC_MAP_STORAGE, modality: "OT", description: "Parametric map" };

/// Derived from other pixels, a volume, of quantities.
const IMAGE_TYPE: &str = "DERIVED\\PRIMARY\\VOLUME\\QUANTITY";

/// What the values of a map are.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`explanation`](Self::explanation) | "Value" | what a value is, in words | 1 to 64 characters |
/// | [`unit`](Self::unit) | no unit | the unit | a code of UCUM |
/// | [`quantity`](Self::quantity) | none | what a value is, as a code | a code |
/// | [`series`](Self::series) | number 1000 | the series that the object makes up | |
///
/// ```
/// use alnm_imaging::dicom::{
///     CodedConcept, DicomFolder, ParametricMapParams, Phase, SeriesAttributes, SourceImages, decode, write_series,
/// };
/// use alnm_imaging::{Geometry, Image, Volume};
///
/// let folder = tempfile::tempdir()?;
/// let grid = Geometry::axis_aligned([16, 16, 4], [0.8, 0.8, 2.0])?;
/// let image = Phase::new(Volume::filled(grid.clone(), 100_u16), 0.0);
/// write_series(folder.path(), &[image], &SeriesAttributes::new("P001", "T1"))?;
/// let source = SourceImages::of(DicomFolder::scan(folder.path())?.only_series()?, 1)?;
///
/// let map = Volume::filled(grid, 0.25_f32);
/// let writer = ParametricMapParams::new("Entropy").check()?;
/// let bytes = writer.encode(&map, &source)?;
/// assert_eq!(decode(&bytes)?, Image::F32(map));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct ParametricMapParams {
    /// What a value is, in words.
    pub explanation: String,
    /// The unit. Default none.
    pub unit: CodedConcept,
    /// What a value is, as a code. Default none.
    pub quantity: Option<CodedConcept>,
    /// The series that the object makes up.
    pub series: DerivedSeries,
}

impl Default for ParametricMapParams {
    fn default() -> Self {
        Self {
            explanation: "Value".to_owned(),
            unit: CodedConcept::new("1", "UCUM", "no units"),
            quantity: None,
            series: DerivedSeries::default(),
        }
    }
}

impl ParametricMapParams {
    /// Values of this explanation; everything else by default.
    pub fn new(explanation: impl Into<String>) -> Self {
        Self { explanation: explanation.into(), ..Self::default() }
    }

    /// Sets [`ParametricMapParams::unit`].
    pub fn with_unit(self, unit: CodedConcept) -> Self {
        Self { unit, ..self }
    }

    /// Sets [`ParametricMapParams::quantity`].
    pub fn with_quantity(self, quantity: CodedConcept) -> Self {
        Self { quantity: Some(quantity), ..self }
    }

    /// Sets [`ParametricMapParams::series`].
    pub fn with_series(self, series: DerivedSeries) -> Self {
        Self { series, ..self }
    }

    /// The parameters when all are in range.
    ///
    /// # Errors
    /// [`crate::ImagingError::InvalidParameter`] when a text or a code is empty or too long.
    pub fn check(self) -> Result<ParametricMapWriter> {
        if self.explanation.trim().is_empty() || fitting_text(&self.explanation) != self.explanation {
            let requirement = "it must have 1 to 64 characters, none of them a backslash or a control";
            return Err(invalid(OPERATION, "explanation", format!("{:?}", self.explanation), requirement));
        }
        self.unit.check(OPERATION)?;
        self.quantity.as_ref().map_or(Ok(()), |quantity| quantity.check(OPERATION))?;
        Ok(ParametricMapWriter { params: self })
    }
}

/// Checked parameters, by which parametric maps are written: see [`ParametricMapParams`].
///
/// Voxels are written as they are, in single precision (`FloatPixelData`), a frame for each slice. The same map gives
/// the same file.
#[derive(Debug, Clone, PartialEq)]
pub struct ParametricMapWriter {
    params: ParametricMapParams,
}

impl ParametricMapWriter {
    /// The parameters.
    pub fn params(&self) -> &ParametricMapParams {
        &self.params
    }

    /// Writes a map as a file; it lies in the space of the source, on its grid or on another one.
    ///
    /// # Errors
    /// [`crate::ImagingError::InvalidVoxel`] for one that is not finite; [`crate::ImagingError::InvalidParameter`] when
    /// the grid is sheared or too large; [`crate::ImagingError::File`] when the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>, map: &Volume<f32>, source: &SourceImages) -> Result<()> {
        write_object(path.as_ref(), &self.encode(map, source)?)
    }

    /// The bytes of the file that [`ParametricMapWriter::write`] writes.
    ///
    /// # Errors
    /// As [`ParametricMapWriter::write`], but for the file.
    pub fn encode(&self, map: &Volume<f32>, source: &SourceImages) -> Result<Vec<u8>> {
        let grid = map.geometry();
        check_grid(OPERATION, grid)?;
        map.check_finite().map_err(|voxel| voxel.during(OPERATION))?;
        let [columns, rows, slices] = grid.size();
        let (least, largest) = map
            .as_slice()
            .par_iter()
            .map(|&value| (value, value))
            .reduce(|| (f32::INFINITY, f32::NEG_INFINITY), |a, b| (a.0.min(b.0), a.1.max(b.1)));
        let frames = FrameGrid::new(grid, source, CodedConcept::dcm("113097", "Unspecified method of calculation"));
        let shared = frames
            .shared_groups()
            .item(tags::PARAMETRIC_MAP_FRAME_TYPE_SEQUENCE, Item::new().text(tags::FRAME_TYPE, IMAGE_TYPE))
            .item(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, identity())
            .item(tags::FRAME_VOILUT_SEQUENCE, window(least, largest))
            .item(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, self.meaning(least, largest));
        let groups = (0..slices).map(|slice| frames.frame_groups(slice, &[slice as u32 + 1]));
        let object = PARAMETRIC_MAP
            .image(source, &self.params.series)
            .text(tags::LATERALITY, &source.attributes().laterality)
            .text(tags::IMAGE_TYPE, IMAGE_TYPE)
            .text(tags::CONTENT_QUALIFICATION, "RESEARCH")
            .text(tags::CONTENT_LABEL, CONTENT_LABEL)
            .text(tags::CONTENT_DESCRIPTION, INTENDED_USE)
            .text(tags::CONTENT_CREATOR_NAME, CREATOR)
            .text(tags::LOSSY_IMAGE_COMPRESSION, "00")
            .text(tags::BURNED_IN_ANNOTATION, "NO")
            .text(tags::RECOGNIZABLE_VISUAL_FEATURES, "NO")
            .text(tags::PRESENTATION_LUT_SHAPE, "IDENTITY")
            .text(tags::PIXEL_PRESENTATION, "MONOCHROME")
            .items(tags::ACQUISITION_CONTEXT_SEQUENCE, [])
            .item(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, shared)
            .items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, groups)
            .text(tags::NUMBER_OF_FRAMES, slices.to_string())
            .short(tags::SAMPLES_PER_PIXEL, 1)
            .text(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2")
            .short(tags::ROWS, rows as u16)
            .short(tags::COLUMNS, columns as u16)
            .short(tags::BITS_ALLOCATED, 32);
        let object = frames.put_dimensions(source.put_references(object), &[POSITIONS]);
        let pixels = map.as_slice().iter().flat_map(|value| value.to_le_bytes()).collect();
        let file = object.bytes(tags::FLOAT_PIXEL_DATA, VR::OF, pixels).into_file(uids::EXPLICIT_VR_LITTLE_ENDIAN);
        file.map_err(|problem| problem.at(""))
    }

    /// What the values mean (PS3.3 C.7.6.16.2.11).
    fn meaning(&self, least: f32, largest: f32) -> Item {
        let meaning = Item::new()
            .text(tags::LUT_EXPLANATION, &self.params.explanation)
            .text(tags::LUT_LABEL, CONTENT_LABEL)
            .double(tags::REAL_WORLD_VALUE_SLOPE, 1.0)
            .double(tags::REAL_WORLD_VALUE_INTERCEPT, 0.0)
            .double(tags::DOUBLE_FLOAT_REAL_WORLD_VALUE_FIRST_VALUE_MAPPED, f64::from(least))
            .double(tags::DOUBLE_FLOAT_REAL_WORLD_VALUE_LAST_VALUE_MAPPED, f64::from(largest))
            .code(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, &self.params.unit);
        match &self.params.quantity {
            Some(quantity) => {
                let concept = CodedConcept::new("246205007", "SCT", "Quantity");
                let item = Item::new()
                    .text(tags::VALUE_TYPE, "CODE")
                    .code(tags::CONCEPT_NAME_CODE_SEQUENCE, &concept)
                    .code(tags::CONCEPT_CODE_SEQUENCE, quantity);
                meaning.item(tags::QUANTITY_DEFINITION_SEQUENCE, item)
            }
            None => meaning,
        }
    }
}

/// Stored values are the values.
fn identity() -> Item {
    Item::new().text(tags::RESCALE_INTERCEPT, "0").text(tags::RESCALE_SLOPE, "1").text(tags::RESCALE_TYPE, "US")
}

/// A window that shows all values.
fn window(least: f32, largest: f32) -> Item {
    let (least, largest) = (f64::from(least), f64::from(largest));
    let width = if largest > least { largest - least } else { 1.0 };
    Item::new()
        .decimals(tags::WINDOW_CENTER, &[f64::midpoint(least, largest)])
        .decimals(tags::WINDOW_WIDTH, &[width])
        .text(tags::VOILUT_FUNCTION, "LINEAR_EXACT")
}
