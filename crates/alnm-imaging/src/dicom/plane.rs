//! How the plane of an image or of a frame lies in space, and where its attributes stand.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{integer, item, number, seconds_of_date, seconds_of_date_time, seconds_of_time, text, vector};
use super::problem::malformed;
use crate::error::FileProblem;
use crate::geometry::{cross, dot, unit};

/// The most rows or columns of an image.
const LARGEST_SIDE: i64 = 1 << 16;

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

    pub(super) fn temporal_position(&self) -> Option<i64> {
        integer(self.group(tags::FRAME_CONTENT_SEQUENCE), tags::TEMPORAL_POSITION_INDEX)
            .or_else(|| integer(self.object, tags::TEMPORAL_POSITION_IDENTIFIER))
    }

    /// Milliseconds from the excitation to the echo.
    pub(super) fn echo_time(&self) -> Option<f64> {
        number(self.group(tags::MR_ECHO_SEQUENCE), tags::EFFECTIVE_ECHO_TIME)
            .or_else(|| number(self.object, tags::ECHO_TIME))
            .filter(|time| *time > 0.0)
    }

    pub(super) fn trigger_time(&self) -> Option<f64> {
        let delay =
            number(self.group(tags::CARDIAC_SYNCHRONIZATION_SEQUENCE), tags::NOMINAL_CARDIAC_TRIGGER_DELAY_TIME);
        let offset = number(self.group(tags::TEMPORAL_POSITION_SEQUENCE), tags::TEMPORAL_POSITION_TIME_OFFSET);
        let milliseconds = delay.or_else(|| number(self.object, tags::TRIGGER_TIME));
        milliseconds.map(|milliseconds| milliseconds / 1000.0).or(offset)
    }

    /// Seconds since 1970, or since midnight where no date is given.
    pub(super) fn acquisition_time(&self) -> Option<f64> {
        let of_frame = text(self.group(tags::FRAME_CONTENT_SEQUENCE), tags::FRAME_ACQUISITION_DATE_TIME);
        let date_time = of_frame.or_else(|| text(self.object, tags::ACQUISITION_DATE_TIME));
        let whole = date_time.and_then(|text| seconds_of_date_time(&text));
        whole.or_else(|| self.date_and_time(tags::ACQUISITION_DATE, tags::ACQUISITION_TIME))
    }

    /// Seconds since 1970, or since midnight where no date is given.
    pub(super) fn content_time(&self) -> Option<f64> {
        self.date_and_time(tags::CONTENT_DATE, tags::CONTENT_TIME)
    }

    fn date_and_time(&self, date: Tag, time: Tag) -> Option<f64> {
        let midnight = text(self.object, date).and_then(|date| seconds_of_date(&date)).unwrap_or(0.0);
        text(self.object, time).and_then(|time| seconds_of_time(&time)).map(|seconds| midnight + seconds)
    }
}
