//! Grids of United Imaging: the slices of a volume side by side in one frame, as its scanners store scans of diffusion
//! and function. Where each slice lies, and when it was taken, stands in a private sequence with an item for each.

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;

use super::attributes::{private, seconds_of_date_time, text, vector};
use super::plane::orientation;
use super::problem::{malformed, unsupported};
use super::slice::Slice;
use super::tiling::Tiling;
use crate::error::FileProblem;

/// The private sequence of a grid's slices; none of other files.
pub(super) fn grid(object: &InMemDicomObject) -> Option<&InMemElement> {
    private(object, 0x0065, "Image Private Header", 0x51)
}

/// The slices of a grid from the frame that holds them all. They stand in as many columns as the root of their number,
/// rounded up, and in no more rows than they need.
pub(super) fn unpacked(
    object: &InMemDicomObject,
    grid: &InMemElement,
    frame: &Slice,
) -> Result<Vec<Slice>, FileProblem> {
    let items = grid.items().filter(|items| !items.is_empty()).ok_or_else(|| {
        unsupported(
            "a grid of United Imaging whose private sequence, which alone says where its slices lie, was not kept as a \
             sequence; export the series again, with private attributes",
        )
    })?;
    let across = (1..).find(|across| across * across >= items.len()).unwrap_or(1);
    let down = items.len().div_ceil(across);
    let tiling = Tiling::of(frame, down, across).ok_or_else(|| {
        malformed(format!(
            "a grid of United Imaging of {} slices in {} × {} pixels, which are no {down} × {across} tiles",
            items.len(),
            frame.rows,
            frame.columns
        ))
    })?;
    let orientation = orientation(object)?;
    let slice = |(number, item): (usize, &InMemDicomObject)| {
        let position = vector(item, tags::IMAGE_POSITION_PATIENT)
            .ok_or_else(|| malformed("a slice of a grid of United Imaging without ImagePositionPatient"))?;
        let taken = text(item, tags::ACQUISITION_DATE_TIME).and_then(|time| seconds_of_date_time(&time));
        Ok(Slice {
            has_place: true,
            position,
            orientation,
            acquisition_time: taken.or(frame.acquisition_time),
            stored_bytes: frame.stored_bytes / items.len() as u64,
            ..tiling.slice(frame, number)
        })
    };
    items.iter().enumerate().map(slice).collect()
}
