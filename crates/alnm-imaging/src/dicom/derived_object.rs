//! What every object has that is written for the images of a series.

use std::io::Write;
use std::path::Path;

use dicom_dictionary_std::tags;
use serde::{Deserialize, Serialize};

use super::item::Item;
use super::source_images::SourceImages;
use super::write::{fitting_text, time_string};
use crate::error::{FileProblem, ImagingError, Result};
use crate::file::write_atomically;
use crate::geometry::Geometry;

/// What the label of every object says.
pub(super) const CONTENT_LABEL: &str = "RESEARCH";

/// What every object says of its use.
pub(super) const INTENDED_USE: &str = "Research use only, not for diagnosis";

/// Who writes objects.
pub(super) const CREATOR: &str = "alnm (research software)";

/// The version that writes objects.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The series that an object makes up.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`number`](Self::number) | 1000 | `SeriesNumber` | |
/// | [`description`](Self::description) | what the object is | `SeriesDescription`; "(research)" is added where it does not say so | at most 64 characters |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct DerivedSeries {
    /// `SeriesNumber`. Default 1000.
    pub number: u32,
    /// `SeriesDescription`; empty stands for what the object is. Every description says that the object is for
    /// research: "(research)" is added where it does not.
    pub description: String,
}

impl Default for DerivedSeries {
    fn default() -> Self {
        Self { number: 1000, description: String::new() }
    }
}

impl DerivedSeries {
    /// A series with a description; everything else by default.
    pub fn new(description: impl Into<String>) -> Self {
        Self::default().with_description(description)
    }

    /// Sets [`DerivedSeries::number`].
    pub fn with_number(self, number: u32) -> Self {
        Self { number, ..self }
    }

    /// Sets [`DerivedSeries::description`].
    pub fn with_description(self, description: impl Into<String>) -> Self {
        Self { description: description.into(), ..self }
    }

    /// The description as it is written.
    fn text(&self, default: &str) -> String {
        const LONGEST: usize = 64;
        const MARK: &str = " (research)";
        let text = fitting_text(if self.description.trim().is_empty() { default } else { self.description.trim() });
        if text.to_lowercase().contains("research") {
            return text;
        }
        text.chars().take(LONGEST - MARK.len()).chain(MARK.chars()).collect()
    }
}

/// What kind of object is written.
pub(super) struct ObjectKind {
    pub(super) sop_class: &'static str,
    pub(super) modality: &'static str,
    /// The description of its series where none is given.
    pub(super) description: &'static str,
}

impl ObjectKind {
    /// Patient, study, series, equipment and instance: the modules that all composite objects share.
    pub(super) fn object(&self, source: &SourceImages, series: &DerivedSeries) -> Item {
        let attributes = source.attributes();
        let time = time_string(attributes.start_time);
        Item::new()
            .text(tags::SPECIFIC_CHARACTER_SET, "ISO_IR 192")
            .text(tags::SOP_CLASS_UID, self.sop_class)
            .text(tags::STUDY_DATE, &attributes.date)
            .text(tags::SERIES_DATE, &attributes.date)
            .text(tags::STUDY_TIME, &time)
            .text(tags::SERIES_TIME, &time)
            .text(tags::ACCESSION_NUMBER, &attributes.accession_number)
            .text(tags::MODALITY, self.modality)
            .text(tags::MANUFACTURER, CREATOR)
            .text(tags::REFERRING_PHYSICIAN_NAME, "")
            .text_if_any(tags::STUDY_DESCRIPTION, &attributes.study_description)
            .text(tags::SERIES_DESCRIPTION, series.text(self.description))
            .text(tags::MANUFACTURER_MODEL_NAME, "alnm")
            .text(tags::PATIENT_NAME, &attributes.patient_name)
            .text(tags::PATIENT_ID, &attributes.patient_id)
            .text(tags::PATIENT_BIRTH_DATE, &attributes.patient_birth_date)
            .text(tags::PATIENT_SEX, &attributes.patient_sex)
            // Software has no serial number, but the attribute may not be empty.
            .text(tags::DEVICE_SERIAL_NUMBER, "0")
            .text(tags::SOFTWARE_VERSIONS, VERSION)
            .text(tags::STUDY_INSTANCE_UID, &attributes.study_uid)
            .text(tags::STUDY_ID, &attributes.study_id)
            .text(tags::SERIES_NUMBER, series.number.to_string())
            .text(tags::INSTANCE_NUMBER, "1")
    }

    /// The modules of an image that lies in the space of the source.
    pub(super) fn image(&self, source: &SourceImages, series: &DerivedSeries) -> Item {
        let attributes = source.attributes();
        let image = self
            .object(source, series)
            .text(tags::CONTENT_DATE, &attributes.date)
            .text(tags::CONTENT_TIME, time_string(attributes.start_time))
            .text_if_any(tags::BODY_PART_EXAMINED, &attributes.body_part)
            .text_if_any(tags::PATIENT_POSITION, &attributes.patient_position)
            .text_if_any(tags::LATERALITY, &attributes.laterality);
        in_frame_of_reference(image, source)
    }
}

/// The module of the frame of reference.
pub(super) fn in_frame_of_reference(object: Item, source: &SourceImages) -> Item {
    object
        .text(tags::FRAME_OF_REFERENCE_UID, source.frame_of_reference_uid())
        .text(tags::POSITION_REFERENCE_INDICATOR, "")
}

/// Writes the bytes of an object to a file that is there as a whole or not at all.
pub(super) fn write_object(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically(path, |file| file.write_all(bytes))
        .map_err(|error: std::io::Error| FileProblem::from(error).at(path))
}

/// A grid that a multi-frame image can have.
pub(super) fn check_grid(operation: &'static str, grid: &Geometry) -> Result<()> {
    if grid.dimension() != 3 || !grid.is_orthonormal() {
        let direction = format!("{:?} of {} dimensions", grid.direction(), grid.dimension());
        return Err(invalid(operation, "direction", direction, "the grid must have three perpendicular axes"));
    }
    if grid.size()[..2].iter().any(|&side| side > usize::from(u16::MAX)) {
        let size = format!("{:?}", grid.size());
        return Err(invalid(operation, "size", size, "a slice must have at most 65535 rows and columns"));
    }
    Ok(())
}

/// A parameter that an object cannot be written with.
pub(super) fn invalid(
    operation: &'static str,
    parameter: &'static str,
    value: impl Into<String>,
    requirement: &'static str,
) -> ImagingError {
    ImagingError::InvalidParameter { operation, parameter, value: value.into(), requirement }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_description_says_research() {
        assert_eq!(DerivedSeries::default().text("Segmentation"), "Segmentation (research)");
        assert_eq!(DerivedSeries::new("For Research").text("Segmentation"), "For Research");
        let long = DerivedSeries::new("x".repeat(80)).text("");
        assert!(long.ends_with("x (research)") && long.len() == 64);
    }
}
