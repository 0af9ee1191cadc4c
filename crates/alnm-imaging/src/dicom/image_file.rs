//! Reading the headers of files with images.

use std::path::PathBuf;
use std::sync::Arc;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{integer, item, items, number, seconds_of_time, text, vector};
use super::pixels::PixelFormat;
use super::plane::{Sources, orientation, side};
use super::problem::{malformed, unsupported};
use super::slice::{SeriesIdentity, Slice, StudyIdentity};
use super::stored_file::{Opened, StoredFile};
use crate::error::FileProblem;

/// A file with an image: its planes, or why it has none that can be read.
pub(super) struct ImageFile {
    pub(super) path: PathBuf,
    pub(super) series: SeriesIdentity,
    pub(super) slices: Result<Vec<Slice>, FileProblem>,
}

impl ImageFile {
    /// Whether a header is that of a file with an image. Structure sets and the like have no rows, and files whose
    /// frames are labels are read as masks.
    pub(super) fn is_image(header: &InMemDicomObject) -> bool {
        let has_image = header.get(tags::ROWS).is_some() && header.get(tags::COLUMNS).is_some();
        has_image && text(header, tags::MODALITY).as_deref() != Some("SEG")
    }

    /// The image of a file.
    pub(super) fn of(opened: Opened) -> Result<Self, FileProblem> {
        let Opened { header, file } = opened;
        let series = SeriesIdentity::of(&header)?;
        let path = file.path().to_owned();
        Ok(Self { path, series, slices: slices(&header, &Arc::new(file)) })
    }
}

/// The planes of a file.
fn slices(object: &InMemDicomObject, file: &Arc<StoredFile>) -> Result<Vec<Slice>, FileProblem> {
    let frames = items(object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let count = integer(object, tags::NUMBER_OF_FRAMES).unwrap_or(1);
    if frames.is_empty() && count > 1 {
        return Err(unsupported(format!(
            "{count} frames without functional groups; without them the places of the frames are unknown"
        )));
    }
    if !frames.is_empty() && frames.len() as i64 != count {
        return Err(malformed(format!("{count} frames, but functional groups for {}", frames.len())));
    }
    let shared = item(object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
    let sources = |frame: usize| Sources { frame: frames.get(frame), shared, object };
    let count = count.max(1) as usize;
    let bytes = file.bytes() / count as u64;
    (0..count).map(|frame| Ok(Slice { stored_bytes: bytes, ..slice(file, frame, &sources(frame))? })).collect()
}

fn slice(file: &Arc<StoredFile>, frame: usize, sources: &Sources<'_>) -> Result<Slice, FileProblem> {
    let object = sources.object;
    let missing = |name: &'static str| move || malformed(format!("{name} is missing or malformed"));
    let measures = sources.group(tags::PIXEL_MEASURES_SEQUENCE);
    let transformation = sources.group(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE);
    let positive = |spacing: &f64| *spacing > 0.0;
    Ok(Slice {
        file: Arc::clone(file),
        frame: frame as u32,
        sop_instance_uid: text(object, tags::SOP_INSTANCE_UID).unwrap_or_default(),
        sop_class_uid: text(object, tags::SOP_CLASS_UID).unwrap_or_default(),
        thickness: number(measures, tags::SLICE_THICKNESS).filter(positive),
        echo_time: sources.echo_time(),
        rows: side(object, tags::ROWS, "Rows")?,
        columns: side(object, tags::COLUMNS, "Columns")?,
        position: vector(sources.group(tags::PLANE_POSITION_SEQUENCE), tags::IMAGE_POSITION_PATIENT)
            .ok_or_else(missing("ImagePositionPatient"))?,
        orientation: orientation(sources.group(tags::PLANE_ORIENTATION_SEQUENCE))?,
        pixel_spacing: vector(measures, tags::PIXEL_SPACING).ok_or_else(missing("PixelSpacing"))?,
        stated_spacing: number(measures, tags::SPACING_BETWEEN_SLICES)
            .filter(positive)
            .or_else(|| number(measures, tags::SLICE_THICKNESS).filter(positive)),
        temporal_position: sources.temporal_position(),
        trigger_time: sources.trigger_time(),
        acquisition_time: sources.acquisition_time(),
        slope: number(transformation, tags::RESCALE_SLOPE).filter(|slope| *slope != 0.0).unwrap_or(1.0),
        intercept: number(transformation, tags::RESCALE_INTERCEPT).unwrap_or(0.0),
        format: PixelFormat::of(object)?,
        stored_bytes: 0,
    })
}

impl SeriesIdentity {
    fn of(object: &InMemDicomObject) -> Result<Self, FileProblem> {
        let or_empty = |tag: Tag| text(object, tag).unwrap_or_default();
        Ok(Self {
            uid: text(object, tags::SERIES_INSTANCE_UID).ok_or_else(|| malformed("SeriesInstanceUID is missing"))?,
            number: integer(object, tags::SERIES_NUMBER),
            description: or_empty(tags::SERIES_DESCRIPTION),
            modality: or_empty(tags::MODALITY),
            patient_id: or_empty(tags::PATIENT_ID),
            study_uid: or_empty(tags::STUDY_INSTANCE_UID),
            frame_of_reference: text(object, tags::FRAME_OF_REFERENCE_UID),
            study: StudyIdentity {
                patient_name: or_empty(tags::PATIENT_NAME),
                patient_sex: or_empty(tags::PATIENT_SEX),
                patient_birth_date: or_empty(tags::PATIENT_BIRTH_DATE),
                id: or_empty(tags::STUDY_ID),
                accession_number: or_empty(tags::ACCESSION_NUMBER),
                description: or_empty(tags::STUDY_DESCRIPTION),
                date: or_empty(tags::STUDY_DATE),
                time: text(object, tags::STUDY_TIME).and_then(|time| seconds_of_time(&time)),
            },
            patient_position: or_empty(tags::PATIENT_POSITION),
            laterality: or_empty(tags::LATERALITY),
            body_part: or_empty(tags::BODY_PART_EXAMINED),
        })
    }
}
