//! Writing measurements as a DICOM structured report (TID 1500, PS3.16).

use std::path::Path;

use dicom_dictionary_std::{tags, uids};
use serde::{Deserialize, Serialize};

use super::coded_concept::CodedConcept;
use super::derived_object::{CREATOR, DerivedSeries, INTENDED_USE, ObjectKind, VERSION, invalid, write_object};
use super::encoding::{decimal_string, implementation_uid};
use super::item::Item;
use super::segmentation::Segmentation;
use super::source_images::SourceImages;
use super::uid::uid_from;
use super::write::time_string;
use crate::error::Result;

const OPERATION: &str = "writing a DICOM measurement report";

const REPORT: ObjectKind =
    ObjectKind { sop_class: uids::COMPREHENSIVE3_DSR_STORAGE, modality: "SR", description: "Measurements" };

/// A number that was measured in a region.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use]
pub struct MeasuredValue {
    /// What was measured: a code of the IBSI (scheme IBSI), or of a private scheme.
    pub concept: CodedConcept,
    /// The value. One that is not finite is written as a measurement without a value, with the reason.
    pub value: f64,
    /// The unit, of UCUM; "1" stands for none.
    pub unit: CodedConcept,
    /// The column in which tables hold the value. It tells apart measurements of one code on several filtered images.
    pub column: String,
}

impl MeasuredValue {
    /// What was measured, its value and unit, and the name of its column.
    pub fn new(concept: CodedConcept, value: f64, unit: CodedConcept, column: impl Into<String>) -> Self {
        Self { concept, value, unit, column: column.into() }
    }
}

/// A segment of a segmentation, as reports refer to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[must_use]
pub struct SegmentReference {
    /// `SOPClassUID` of the segmentation.
    pub sop_class_uid: String,
    /// `SOPInstanceUID` of the segmentation.
    pub sop_instance_uid: String,
    /// `SeriesInstanceUID` of the segmentation.
    pub series_uid: String,
    /// `SegmentNumber`.
    pub segment_number: u32,
}

impl SegmentReference {
    /// A segment, by its number, of a segmentation that was read.
    ///
    /// # Errors
    /// [`crate::ImagingError::InvalidParameter`] when the segmentation has no segment of this number, or an identifier
    /// is missing.
    pub fn of(segmentation: &Segmentation, segment_number: u32) -> Result<Self> {
        let known = segmentation.regions().iter().any(|region| region.number == i64::from(segment_number));
        if !known {
            let number = segment_number.to_string();
            return Err(invalid(OPERATION, "segment_number", number, "it must be that of a segment of the file"));
        }
        let uid = |tag, parameter| {
            let uid = segmentation.attribute(tag).unwrap_or_default();
            if super::uid::is_uid(&uid) {
                Ok(uid)
            } else {
                Err(invalid(OPERATION, parameter, format!("{uid:?}"), "the segmentation must have it"))
            }
        };
        Ok(Self {
            sop_class_uid: uid(tags::SOP_CLASS_UID, "SOPClassUID")?,
            sop_instance_uid: uid(tags::SOP_INSTANCE_UID, "SOPInstanceUID")?,
            series_uid: uid(tags::SERIES_INSTANCE_UID, "SeriesInstanceUID")?,
            segment_number,
        })
    }
}

/// The measurements of a region.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use]
pub struct MeasuredRegion {
    /// The region's name (tracking identifier), 1 to 64 characters.
    pub name: String,
    /// The segment that holds its voxels.
    pub segment: SegmentReference,
    /// The measurements.
    pub measurements: Vec<MeasuredValue>,
}

impl MeasuredRegion {
    /// A region with its segment and measurements.
    pub fn new(name: impl Into<String>, segment: SegmentReference, measurements: Vec<MeasuredValue>) -> Self {
        Self { name: name.into(), segment, measurements }
    }
}

/// How measurements become a report.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`algorithm`](Self::algorithm) | "alnm" | the program that measured | 1 to 64 characters |
/// | [`algorithm_version`](Self::algorithm_version) | that of this crate | its version | 1 to 64 characters |
/// | [`parameters`](Self::parameters) | none | with which parameters, such as a hash of them | texts |
/// | [`procedure`](Self::procedure) | imaging procedure | the procedure reported | a code |
/// | [`series`](Self::series) | number 1000 | the series that the object makes up | |
///
/// ```
/// use alnm_imaging::dicom::{
///     CodedConcept, DicomFolder, MeasuredRegion, MeasuredValue, MeasurementReportParams, Phase, SegmentReference,
///     Segmentation, SegmentationParams, SeriesAttributes, SourceImages, write_series,
/// };
/// use alnm_imaging::{Geometry, Volume};
///
/// let folder = tempfile::tempdir()?;
/// let grid = Geometry::axis_aligned([16, 16, 4], [0.8, 0.8, 2.0])?;
/// let image = Phase::new(Volume::filled(grid.clone(), 100_u16), 0.0);
/// write_series(folder.path(), &[image], &SeriesAttributes::new("P001", "T1"))?;
/// let source = SourceImages::of(DicomFolder::scan(folder.path())?.only_series()?, 1)?;
/// let mut mask = Volume::filled(grid, 0_u32);
/// mask.as_mut_slice()[300] = 1;
/// let segmentation = SegmentationParams::default().check()?.encode(&mask, &source)?;
/// let segmentation = Segmentation::from_bytes(&segmentation)?;
///
/// let volume = MeasuredValue::new(
///     CodedConcept::new("YEKZ", "IBSI", "Volume (voxel counting)"),
///     1.28,
///     CodedConcept::new("mm3", "UCUM", "cubic millimeter"),
///     "original_shape_VoxelVolume",
/// );
/// let region = MeasuredRegion::new("Lesion", SegmentReference::of(&segmentation, 1)?, vec![volume]);
/// let writer = MeasurementReportParams::default().with_parameters(["sha256:0f3a"]).check()?;
/// writer.write(folder.path().join("report.sr.dcm"), &[region], &source)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct MeasurementReportParams {
    /// The program that measured.
    pub algorithm: String,
    /// Its version.
    pub algorithm_version: String,
    /// Its parameters, as texts: a hash, a path, a setting.
    pub parameters: Vec<String>,
    /// The procedure reported.
    pub procedure: CodedConcept,
    /// The series that the object makes up.
    pub series: DerivedSeries,
}

impl Default for MeasurementReportParams {
    fn default() -> Self {
        Self {
            algorithm: "alnm".to_owned(),
            algorithm_version: VERSION.to_owned(),
            parameters: Vec::new(),
            procedure: CodedConcept::new("363679005", "SCT", "Imaging procedure"),
            series: DerivedSeries::default(),
        }
    }
}

impl MeasurementReportParams {
    /// Sets [`MeasurementReportParams::algorithm`].
    pub fn with_algorithm(self, algorithm: impl Into<String>) -> Self {
        Self { algorithm: algorithm.into(), ..self }
    }

    /// Sets [`MeasurementReportParams::algorithm_version`].
    pub fn with_algorithm_version(self, algorithm_version: impl Into<String>) -> Self {
        Self { algorithm_version: algorithm_version.into(), ..self }
    }

    /// Sets [`MeasurementReportParams::parameters`].
    pub fn with_parameters<T: Into<String>>(self, parameters: impl IntoIterator<Item = T>) -> Self {
        Self { parameters: parameters.into_iter().map(Into::into).collect(), ..self }
    }

    /// Sets [`MeasurementReportParams::procedure`].
    pub fn with_procedure(self, procedure: CodedConcept) -> Self {
        Self { procedure, ..self }
    }

    /// Sets [`MeasurementReportParams::series`].
    pub fn with_series(self, series: DerivedSeries) -> Self {
        Self { series, ..self }
    }

    /// The parameters when all are in range.
    ///
    /// # Errors
    /// [`crate::ImagingError::InvalidParameter`] when a text or the code is empty or too long.
    pub fn check(self) -> Result<MeasurementReportWriter> {
        check_text("algorithm", &self.algorithm)?;
        check_text("algorithm_version", &self.algorithm_version)?;
        self.parameters.iter().try_for_each(|parameter| check_text("parameters", parameter))?;
        self.procedure.check(OPERATION)?;
        Ok(MeasurementReportWriter { params: self })
    }
}

fn check_text(parameter: &'static str, text: &str) -> Result<()> {
    const LONGEST: usize = 1024;
    if !text.trim().is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let requirement = "it must have 1 to 1024 characters, none of them a control";
    Err(invalid(OPERATION, parameter, format!("{text:?}"), requirement))
}

/// Checked parameters, by which reports are written: see [`MeasurementReportParams`].
///
/// The report is a Comprehensive 3D SR with the template TID 1500 "Measurement Report": the program as observer, the
/// images in the image library, and for each region a group of measurements (TID 1411) that refers to its segment. A
/// value stands there twice: as `FloatingPointValue`, which is the number with all its bits, and as `NumericValue`, a
/// text of at most 16 characters, which may be rounded. The same measurements give the same file.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasurementReportWriter {
    params: MeasurementReportParams,
}

/// How a content item belongs to the one above it.
const CONTAINS: &str = "CONTAINS";
const CONTEXT: &str = "HAS OBS CONTEXT";
const MODIFIER: &str = "HAS CONCEPT MOD";

impl MeasurementReportWriter {
    /// The parameters.
    pub fn params(&self) -> &MeasurementReportParams {
        &self.params
    }

    /// Writes the measurements of regions of the source as a file.
    ///
    /// # Errors
    /// [`crate::ImagingError::InvalidParameter`] when there is no region, a name is empty or too long, or a code is;
    /// [`crate::ImagingError::File`] when the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>, regions: &[MeasuredRegion], source: &SourceImages) -> Result<()> {
        write_object(path.as_ref(), &self.encode(regions, source)?)
    }

    /// The bytes of the file that [`MeasurementReportWriter::write`] writes.
    ///
    /// # Errors
    /// As [`MeasurementReportWriter::write`], but for the file.
    pub fn encode(&self, regions: &[MeasuredRegion], source: &SourceImages) -> Result<Vec<u8>> {
        if regions.is_empty() {
            return Err(invalid(OPERATION, "regions", "empty", "there must be at least one"));
        }
        for region in regions {
            check_text("name", &region.name)?;
            for measurement in &region.measurements {
                check_text("column", &measurement.column)?;
                measurement.concept.check(OPERATION)?;
                measurement.unit.check(OPERATION)?;
            }
        }
        let attributes = source.attributes();
        let time = time_string(attributes.start_time);
        let object = REPORT
            .object(source, &self.params.series)
            .text(tags::CONTENT_DATE, &attributes.date)
            .text(tags::CONTENT_TIME, time)
            .items(tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, [])
            .items(tags::PERFORMED_PROCEDURE_CODE_SEQUENCE, [])
            .text(tags::COMPLETION_FLAG, "COMPLETE")
            .text(tags::COMPLETION_FLAG_DESCRIPTION, INTENDED_USE)
            .text(tags::VERIFICATION_FLAG, "UNVERIFIED")
            .text(tags::PRELIMINARY_FLAG, "PRELIMINARY")
            .item(tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, evidence(regions, source));
        let title = CodedConcept::dcm("126000", "Imaging Measurement Report");
        let report = container(object, &title)
            .item(tags::CONTENT_TEMPLATE_SEQUENCE, template("1500"))
            .items(tags::CONTENT_SEQUENCE, self.report(regions, source));
        report.into_file(uids::EXPLICIT_VR_LITTLE_ENDIAN).map_err(|problem| problem.at(""))
    }

    /// What stands below the title (TID 1500).
    fn report(&self, regions: &[MeasuredRegion], source: &SourceImages) -> Vec<Item> {
        let language = CodedConcept::new("en-US", "RFC5646", "English (United States)");
        let mut content =
            vec![code(MODIFIER, &CodedConcept::dcm("121049", "Language of Content Item and Descendants"), &language)];
        content.extend(observer());
        content.push(code(MODIFIER, &CodedConcept::dcm("121058", "Procedure reported"), &self.params.procedure));
        content.push(image_library(source));
        let groups = regions.iter().map(|region| self.group(region, source));
        content.push(
            container(related(CONTAINS), &CodedConcept::dcm("126010", "Imaging Measurements"))
                .items(tags::CONTENT_SEQUENCE, groups),
        );
        content
    }

    /// The measurements of a region (TID 1411).
    fn group(&self, region: &MeasuredRegion, source: &SourceImages) -> Item {
        let SegmentReference { sop_class_uid, sop_instance_uid, segment_number, .. } = &region.segment;
        let tracking_uid = uid_from(&["tracked", sop_instance_uid, &segment_number.to_string()]);
        let segment = Item::new()
            .text(tags::REFERENCED_SOP_CLASS_UID, sop_class_uid)
            .text(tags::REFERENCED_SOP_INSTANCE_UID, sop_instance_uid)
            .short(tags::REFERENCED_SEGMENT_NUMBER, *segment_number as u16);
        let mut content = vec![
            text(CONTEXT, &CodedConcept::dcm("112039", "Tracking Identifier"), &region.name),
            uid(CONTEXT, &CodedConcept::dcm("112040", "Tracking Unique Identifier"), &tracking_uid),
        ];
        content.extend(self.algorithm());
        content.push(
            item(CONTAINS, "IMAGE", &CodedConcept::dcm("121191", "Referenced Segment"))
                .item(tags::REFERENCED_SOP_SEQUENCE, segment),
        );
        content.push(uid(
            CONTAINS,
            &CodedConcept::dcm("121232", "Source series for segmentation"),
            source.series_uid(),
        ));
        content.extend(region.measurements.iter().map(number));
        container(related(CONTAINS), &CodedConcept::dcm("125007", "Measurement Group"))
            .item(tags::CONTENT_TEMPLATE_SEQUENCE, template("1411"))
            .items(tags::CONTENT_SEQUENCE, content)
    }

    /// The program that measured (TID 4019).
    fn algorithm(&self) -> Vec<Item> {
        let params = &self.params;
        let mut content = vec![
            text(MODIFIER, &CodedConcept::dcm("111001", "Algorithm Name"), &params.algorithm),
            text(MODIFIER, &CodedConcept::dcm("111003", "Algorithm Version"), &params.algorithm_version),
        ];
        let parameter = CodedConcept::dcm("111002", "Algorithm Parameters");
        content.extend(params.parameters.iter().map(|text_of| text(MODIFIER, &parameter, text_of)));
        content
    }
}

/// This program as the one who observed (TID 1002 and 1004).
fn observer() -> [Item; 4] {
    [
        code(CONTEXT, &CodedConcept::dcm("121005", "Observer Type"), &CodedConcept::dcm("121007", "Device")),
        uid(CONTEXT, &CodedConcept::dcm("121012", "Device Observer UID"), &implementation_uid()),
        text(CONTEXT, &CodedConcept::dcm("121013", "Device Observer Name"), CREATOR),
        text(CONTEXT, &CodedConcept::dcm("121015", "Device Observer Model Name"), "alnm"),
    ]
}

/// The images (TID 1600).
fn image_library(source: &SourceImages) -> Item {
    let concept = CodedConcept::new("260753009", "SCT", "Source");
    let images = source
        .file_references()
        .map(|file| item(CONTAINS, "IMAGE", &concept).item(tags::REFERENCED_SOP_SEQUENCE, file));
    let group = container(related(CONTAINS), &CodedConcept::dcm("126200", "Image Library Group"))
        .items(tags::CONTENT_SEQUENCE, images);
    container(related(CONTAINS), &CodedConcept::dcm("111028", "Image Library")).item(tags::CONTENT_SEQUENCE, group)
}

/// A measurement (TID 300).
fn number(measurement: &MeasuredValue) -> Item {
    let column = CodedConcept::new("COLUMN", "99ALNM", "Column of the table");
    let number = item(CONTAINS, "NUM", &measurement.concept)
        .item(tags::CONTENT_SEQUENCE, text(MODIFIER, &column, &measurement.column));
    let value = measurement.value;
    if value.is_finite() {
        let measured = Item::new()
            .text(tags::NUMERIC_VALUE, decimal_string(value))
            .double(tags::FLOATING_POINT_VALUE, value)
            .code(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, &measurement.unit);
        return number.item(tags::MEASURED_VALUE_SEQUENCE, measured);
    }
    let reason = if value.is_nan() {
        CodedConcept::dcm("114000", "Not a number")
    } else if value < 0.0 {
        CodedConcept::dcm("114001", "Negative Infinity")
    } else {
        CodedConcept::dcm("114002", "Positive Infinity")
    };
    number.items(tags::MEASURED_VALUE_SEQUENCE, []).code(tags::NUMERIC_VALUE_QUALIFIER_CODE_SEQUENCE, &reason)
}

/// Everything to which the report refers.
fn evidence(regions: &[MeasuredRegion], source: &SourceImages) -> Item {
    let mut segmentations: Vec<&SegmentReference> = Vec::new();
    for region in regions {
        if segmentations.iter().all(|known| known.sop_instance_uid != region.segment.sop_instance_uid) {
            segmentations.push(&region.segment);
        }
    }
    let images = Item::new()
        .items(tags::REFERENCED_SOP_SEQUENCE, source.file_references())
        .text(tags::SERIES_INSTANCE_UID, source.series_uid());
    let masks = segmentations.iter().map(|segment| {
        let reference = Item::new()
            .text(tags::REFERENCED_SOP_CLASS_UID, &segment.sop_class_uid)
            .text(tags::REFERENCED_SOP_INSTANCE_UID, &segment.sop_instance_uid);
        Item::new().item(tags::REFERENCED_SOP_SEQUENCE, reference).text(tags::SERIES_INSTANCE_UID, &segment.series_uid)
    });
    Item::new()
        .items(tags::REFERENCED_SERIES_SEQUENCE, [images].into_iter().chain(masks))
        .text(tags::STUDY_INSTANCE_UID, &source.attributes().study_uid)
}

fn template(identifier: &str) -> Item {
    Item::new().text(tags::MAPPING_RESOURCE, "DCMR").text(tags::TEMPLATE_IDENTIFIER, identifier)
}

fn related(relationship: &str) -> Item {
    Item::new().text(tags::RELATIONSHIP_TYPE, relationship)
}

fn container(item: Item, concept: &CodedConcept) -> Item {
    item.text(tags::VALUE_TYPE, "CONTAINER")
        .code(tags::CONCEPT_NAME_CODE_SEQUENCE, concept)
        .text(tags::CONTINUITY_OF_CONTENT, "SEPARATE")
}

fn item(relationship: &str, value_type: &str, concept: &CodedConcept) -> Item {
    related(relationship).text(tags::VALUE_TYPE, value_type).code(tags::CONCEPT_NAME_CODE_SEQUENCE, concept)
}

fn code(relationship: &str, concept: &CodedConcept, value: &CodedConcept) -> Item {
    item(relationship, "CODE", concept).code(tags::CONCEPT_CODE_SEQUENCE, value)
}

fn text(relationship: &str, concept: &CodedConcept, value: &str) -> Item {
    item(relationship, "TEXT", concept).text(tags::TEXT_VALUE, value)
}

fn uid(relationship: &str, concept: &CodedConcept, value: &str) -> Item {
    item(relationship, "UIDREF", concept).text(tags::UID, value)
}
