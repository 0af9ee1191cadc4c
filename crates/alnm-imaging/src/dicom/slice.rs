//! One plane of an image: a classic file, or a frame of a multi-frame file.

use std::path::{Path, PathBuf};

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{
    integer, item, items, number, seconds_of_date, seconds_of_date_time, seconds_of_time, text, vector,
};
use super::pixels::PixelFormat;
use super::{malformed, object, unsupported};
use crate::error::FileProblem;
use crate::geometry::{cross, dot, unit};

/// The most rows or columns of an image.
const LARGEST_SIDE: i64 = 1 << 16;

/// What identifies a series, the same for all its slices.
#[derive(Debug, Clone, Default)]
pub(super) struct SeriesIdentity {
    pub(super) uid: String,
    pub(super) number: Option<i64>,
    pub(super) description: String,
    pub(super) modality: String,
    pub(super) patient_id: String,
    pub(super) study_uid: String,
    pub(super) frame_of_reference: Option<String>,
    pub(super) study: StudyIdentity,
}

/// What all series of a study share besides identifiers.
#[derive(Debug, Clone, Default)]
pub(super) struct StudyIdentity {
    pub(super) patient_name: String,
    pub(super) patient_sex: String,
    pub(super) description: String,
    pub(super) date: String,
    /// Seconds since midnight.
    pub(super) time: Option<f64>,
}

/// One plane: where it lies, when it was taken and how its pixels are stored.
#[derive(Debug, Clone)]
pub(super) struct Slice {
    pub(super) path: PathBuf,
    /// Number of the frame in its file, from 0.
    pub(super) frame: u32,
    pub(super) sop_instance_uid: String,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Centre of the first pixel in mm.
    pub(super) position: [f64; 3],
    /// Direction cosines along a row, then along a column.
    pub(super) orientation: [f64; 6],
    /// Distance of rows, then of columns, in mm.
    pub(super) pixel_spacing: [f64; 2],
    /// Distance to the next slice as the file states it, or else the slice's thickness.
    pub(super) stated_spacing: Option<f64>,
    pub(super) temporal_position: Option<i64>,
    /// Seconds after the trigger.
    pub(super) trigger_time: Option<f64>,
    /// Seconds since 1970, or since midnight where no date is given.
    pub(super) acquisition_time: Option<f64>,
    pub(super) slope: f64,
    pub(super) intercept: f64,
    pub(super) format: PixelFormat,
    /// Bytes of the file, shared out among its frames.
    pub(super) stored_bytes: u64,
}

/// A file with an image: its planes, or why it has none that can be read.
pub(super) struct ImageFile {
    pub(super) path: PathBuf,
    pub(super) series: SeriesIdentity,
    pub(super) slices: Result<Vec<Slice>, FileProblem>,
}

impl ImageFile {
    /// Reads the header of a file; none when it holds no image.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, FileProblem> {
        let object = object::open(path, Some(tags::PIXEL_DATA))?;
        Self::of(&object, path, std::fs::metadata(path)?.len())
    }

    /// An object that takes up `bytes`; none when it holds no image.
    pub(super) fn of(object: &InMemDicomObject, path: &Path, bytes: u64) -> Result<Option<Self>, FileProblem> {
        // Structure sets and the like have no rows, and files whose frames are labels are read as masks.
        let has_image = object.get(tags::ROWS).is_some() && object.get(tags::COLUMNS).is_some();
        if !has_image || text(object, tags::MODALITY).as_deref() == Some("SEG") {
            return Ok(None);
        }
        let series = SeriesIdentity::of(object)?;
        let slices = Slice::of_object(object, path, bytes);
        Ok(Some(Self { path: path.to_owned(), series, slices }))
    }
}

impl Slice {
    /// The planes of an object that takes up `bytes`.
    fn of_object(object: &InMemDicomObject, path: &Path, bytes: u64) -> Result<Vec<Self>, FileProblem> {
        let frames = items(object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
        let count = integer(object, tags::NUMBER_OF_FRAMES).unwrap_or(1);
        if frames.is_empty() && count > 1 {
            return Err(unsupported(format!(
                "{count} frames without functional groups, so that their places are unknown"
            )));
        }
        if !frames.is_empty() && frames.len() as i64 != count {
            return Err(malformed(format!("{count} frames, but functional groups for {}", frames.len())));
        }
        let shared = item(object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
        let sources = |frame: usize| Sources { frame: frames.get(frame), shared, object };
        let count = count.max(1) as usize;
        let bytes = bytes / count as u64;
        (0..count)
            .map(|frame| Ok(Self { stored_bytes: bytes, ..Self::of_frame(path, frame, &sources(frame))? }))
            .collect()
    }

    fn of_frame(path: &Path, frame: usize, sources: &Sources<'_>) -> Result<Self, FileProblem> {
        let object = sources.object;
        let missing = |name: &'static str| move || malformed(format!("{name} is missing or malformed"));
        let measures = sources.group(tags::PIXEL_MEASURES_SEQUENCE);
        let transformation = sources.group(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE);
        let positive = |spacing: &f64| *spacing > 0.0;
        Ok(Self {
            path: path.to_owned(),
            frame: frame as u32,
            sop_instance_uid: text(object, tags::SOP_INSTANCE_UID).unwrap_or_default(),
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

    /// Unit vectors along x (a row), along y (a column) and their normal.
    pub(super) fn axes(&self) -> [[f64; 3]; 3] {
        axes_of(self.orientation)
    }
}

/// The direction cosines of rows and columns, made perpendicular unit vectors as ITK makes them: they are written with
/// few digits.
pub(super) fn orientation(object: &InMemDicomObject) -> Result<[f64; 6], FileProblem> {
    /// Cosine of rows and columns from which on they are no rounded right angle.
    const SKEWED: f64 = 1e-2;
    let cosines: [f64; 6] = vector(object, tags::IMAGE_ORIENTATION_PATIENT)
        .ok_or_else(|| malformed("ImageOrientationPatient is missing or malformed"))?;
    let [a, b, c, d, e, f] = cosines;
    let (row, column) = unit([a, b, c])
        .zip(unit([d, e, f]))
        .ok_or_else(|| malformed(format!("ImageOrientationPatient is {cosines:?}")))?;
    if dot(row, column).abs() > SKEWED {
        return Err(malformed(format!(
            "ImageOrientationPatient {cosines:?} has rows and columns that are not perpendicular"
        )));
    }
    let oriented =
        unit(cross(row, column)).and_then(|normal| unit(cross(column, normal)).map(|row| (row, cross(normal, row))));
    let ([a, b, c], [d, e, f]) =
        oriented.ok_or_else(|| malformed(format!("ImageOrientationPatient is {cosines:?}")))?;
    // Zeros have no sign.
    Ok([a, b, c, d, e, f].map(|cosine| cosine + 0.0))
}

/// Unit vectors along x (a row), along y (a column) and their normal, from direction cosines of rows and columns.
pub(super) fn axes_of([a, b, c, d, e, f]: [f64; 6]) -> [[f64; 3]; 3] {
    [[a, b, c], [d, e, f], cross([a, b, c], [d, e, f])]
}

/// A possible number of rows or columns.
pub(super) fn side(object: &InMemDicomObject, tag: Tag, name: &str) -> Result<usize, FileProblem> {
    let value = integer(object, tag).unwrap_or(0);
    if (1..=LARGEST_SIDE).contains(&value) { Ok(value as usize) } else { Err(malformed(format!("{name} is {value}"))) }
}

/// Where the attributes of a frame are looked for.
pub(super) struct Sources<'a> {
    pub(super) frame: Option<&'a InMemDicomObject>,
    pub(super) shared: Option<&'a InMemDicomObject>,
    pub(super) object: &'a InMemDicomObject,
}

impl<'a> Sources<'a> {
    /// The item of a functional group: of this frame, else shared by all, else the data set itself, as in classic
    /// files.
    pub(super) fn group(&self, sequence: Tag) -> &'a InMemDicomObject {
        let of = |groups: Option<&'a InMemDicomObject>| groups.and_then(|groups| item(groups, sequence));
        of(self.frame).or_else(|| of(self.shared)).unwrap_or(self.object)
    }

    fn temporal_position(&self) -> Option<i64> {
        integer(self.group(tags::FRAME_CONTENT_SEQUENCE), tags::TEMPORAL_POSITION_INDEX)
            .or_else(|| integer(self.object, tags::TEMPORAL_POSITION_IDENTIFIER))
    }

    fn trigger_time(&self) -> Option<f64> {
        let delay =
            number(self.group(tags::CARDIAC_SYNCHRONIZATION_SEQUENCE), tags::NOMINAL_CARDIAC_TRIGGER_DELAY_TIME);
        delay.or_else(|| number(self.object, tags::TRIGGER_TIME)).map(|milliseconds| milliseconds / 1000.0)
    }

    fn acquisition_time(&self) -> Option<f64> {
        let of_frame = text(self.group(tags::FRAME_CONTENT_SEQUENCE), tags::FRAME_ACQUISITION_DATE_TIME);
        let date_time = of_frame.or_else(|| text(self.object, tags::ACQUISITION_DATE_TIME));
        if let Some(seconds) = date_time.and_then(|text| seconds_of_date_time(&text)) {
            return Some(seconds);
        }
        let midnight = text(self.object, tags::ACQUISITION_DATE).and_then(|date| seconds_of_date(&date)).unwrap_or(0.0);
        text(self.object, tags::ACQUISITION_TIME)
            .and_then(|time| seconds_of_time(&time))
            .map(|seconds| midnight + seconds)
    }
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
                description: or_empty(tags::STUDY_DESCRIPTION),
                date: or_empty(tags::STUDY_DATE),
                time: text(object, tags::STUDY_TIME).and_then(|time| seconds_of_time(&time)),
            },
        })
    }
}

/// Errors of the DICOM crates carry traces; the first line and the cause say what happened.
pub(super) fn first_line(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message.push_str(": ");
        message.push_str(&error.to_string());
        cause = error.source();
    }
    message.lines().next().unwrap_or("unreadable").to_owned()
}
