//! Where the frames of a file lie that has no functional groups for them.

use dicom_core::Tag;
use dicom_core::header::HasLength;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{get, integer, item, items, number, numbers, vector};
use super::plane::{axes_of, orientation};
use super::problem::{malformed, unsupported};
use crate::error::FileProblem;

/// Where a plane lies in space.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Placed {
    /// Centre of the first pixel in mm.
    pub(super) position: [f64; 3],
    /// Direction cosines along a row, then along a column.
    pub(super) orientation: [f64; 6],
}

impl Placed {
    /// The place by `ImagePositionPatient` and `ImageOrientationPatient`; none where the first is absent, as in
    /// projections.
    pub(super) fn of(position: &InMemDicomObject, orienting: &InMemDicomObject) -> Result<Option<Self>, FileProblem> {
        if get(position, tags::IMAGE_POSITION_PATIENT).is_none_or(HasLength::is_empty) {
            return Ok(None);
        }
        let position = vector(position, tags::IMAGE_POSITION_PATIENT)
            .ok_or_else(|| malformed("ImagePositionPatient is malformed; it is three numbers"))?;
        Ok(Some(Self { position, orientation: orientation(orienting)? }))
    }

    /// The place at a distance in mm along the normal.
    fn shifted(self, distance: f64) -> Self {
        let [_, _, normal] = axes_of(self.orientation);
        let position = std::array::from_fn(|axis| self.position[axis] + distance * normal[axis]);
        Self { position, ..self }
    }
}

/// Places of the frames of a file without functional groups: along the normal by `GridFrameOffsetVector` (doses), by
/// `SliceVector` (nuclear medicine), or none (films and projections).
pub(super) fn of_classic(object: &InMemDicomObject, count: usize) -> Result<Vec<Option<Placed>>, FileProblem> {
    /// The most frames of a file without functional groups: films have up to some thousand.
    const MOST_FRAMES: usize = 1 << 16;
    if count > MOST_FRAMES {
        return Err(unsupported(format!("{count} frames without functional groups; at most {MOST_FRAMES} are read")));
    }
    if count == 1 {
        return Ok(vec![Placed::of(object, object)?]);
    }
    if let Some(offsets) = numbers(object, tags::GRID_FRAME_OFFSET_VECTOR) {
        return by_offsets(object, &offsets, count);
    }
    if let Some(slices) = numbers(object, tags::SLICE_VECTOR) {
        return by_slices(object, &slices, count);
    }
    if Placed::of(object, object)?.is_some() {
        return Err(unsupported(format!(
            "{count} frames with one place and without functional groups or GridFrameOffsetVector; where each frame \
             lies is unknown"
        )));
    }
    Ok(vec![None; count])
}

/// Offsets are distances along the normal where the first is 0, and else coordinates along z (PS3.3 C.8.8.3.2).
fn by_offsets(object: &InMemDicomObject, offsets: &[f64], count: usize) -> Result<Vec<Option<Placed>>, FileProblem> {
    if offsets.len() != count {
        return Err(malformed(format!("GridFrameOffsetVector has {} values for {count} frames", offsets.len())));
    }
    let first = Placed::of(object, object)?.ok_or_else(|| malformed("ImagePositionPatient is missing"))?;
    let is_relative = offsets[0] == 0.0;
    let place = |&offset: &f64| {
        if is_relative {
            return first.shifted(offset);
        }
        let [x, y, _] = first.position;
        Placed { position: [x, y, offset], ..first }
    };
    Ok(offsets.iter().map(|offset| Some(place(offset))).collect())
}

/// Slices are counted from 1 and follow each other along the normal.
fn by_slices(object: &InMemDicomObject, slices: &[f64], count: usize) -> Result<Vec<Option<Placed>>, FileProblem> {
    if slices.len() != count {
        return Err(malformed(format!("SliceVector has {} values for {count} frames", slices.len())));
    }
    let detector = item(object, tags::DETECTOR_INFORMATION_SEQUENCE).unwrap_or(object);
    let holder = if get(detector, tags::IMAGE_POSITION_PATIENT).is_some() { detector } else { object };
    let Some(first) = Placed::of(holder, holder)? else { return Ok(vec![None; count]) };
    let spacing = [tags::SPACING_BETWEEN_SLICES, tags::SLICE_THICKNESS]
        .into_iter()
        .find_map(|tag| number(object, tag).map(f64::abs).filter(|spacing| *spacing > 0.0))
        .ok_or_else(|| malformed("frames by SliceVector without SpacingBetweenSlices and SliceThickness"))?;
    Ok(slices.iter().map(|slice| Some(first.shifted((slice - 1.0) * spacing))).collect())
}

/// Vectors of nuclear medicine that say of each frame what it shows: all but the one of the slices.
const CONTENT_VECTORS: [Tag; 8] = [
    tags::ENERGY_WINDOW_VECTOR,
    tags::DETECTOR_VECTOR,
    tags::PHASE_VECTOR,
    tags::ROTATION_VECTOR,
    tags::RR_INTERVAL_VECTOR,
    tags::TIME_SLOT_VECTOR,
    tags::TIME_SLICE_VECTOR,
    tags::ANGULAR_VIEW_VECTOR,
];

/// What each frame of an object of nuclear medicine shows, as indices.
pub(super) fn content_vectors(object: &InMemDicomObject, count: usize) -> Vec<Vec<i64>> {
    let vectors: Vec<Vec<f64>> = CONTENT_VECTORS
        .iter()
        .filter_map(|&tag| numbers(object, tag))
        .filter(|vector| vector.len() == count && count > 1)
        .collect();
    if vectors.is_empty() {
        return Vec::new();
    }
    (0..count).map(|frame| vectors.iter().map(|vector| vector[frame] as i64).collect()).collect()
}

/// Which dimensions of `DimensionIndexValues` say what a frame shows, not where it lies.
pub(super) fn dimensions_of_content(object: &InMemDicomObject) -> Vec<bool> {
    const PLACES: [Tag; 3] = [tags::STACK_ID, tags::IN_STACK_POSITION_NUMBER, tags::IMAGE_POSITION_PATIENT];
    let pointer = |dimension: &InMemDicomObject| {
        let element = get(dimension, tags::DIMENSION_INDEX_POINTER)?;
        element.value().to_tag().ok()
    };
    items(object, tags::DIMENSION_INDEX_SEQUENCE)
        .iter()
        .map(|dimension| pointer(dimension).is_none_or(|tag| !PLACES.contains(&tag)))
        .collect()
}

/// Seconds from the first frame of a film to each, by `FrameTimeVector` or `FrameTime`, both in ms.
pub(super) fn film_times(object: &InMemDicomObject, count: usize) -> Option<Vec<f64>> {
    let steps = numbers(object, tags::FRAME_TIME_VECTOR).filter(|steps| steps.len() == count);
    let steps = steps.or_else(|| {
        let step = number(object, tags::FRAME_TIME).filter(|step| *step > 0.0)?;
        integer(object, tags::NUMBER_OF_FRAMES)?;
        Some(vec![step; count])
    })?;
    let mut time = 0.0;
    let times = steps.iter().enumerate().map(|(frame, step)| {
        time += if frame == 0 { 0.0 } else { step / 1000.0 };
        time
    });
    Some(times.collect())
}
