//! DICOM files made element by element.

use alnm_imaging::Geometry;
use dicom_core::value::{DataSetSequence, PixelFragmentSequence};
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::mem::InMemElement;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

pub(crate) const FRAME_OF_REFERENCE: &str = "2.25.7";

pub(crate) fn text(tag: Tag, vr: VR, value: &str) -> InMemElement {
    DataElement::new(tag, vr, PrimitiveValue::from(value))
}

pub(crate) fn short(tag: Tag, value: u16) -> InMemElement {
    DataElement::new(tag, VR::US, PrimitiveValue::from(value))
}

pub(crate) fn decimals(tag: Tag, values: &[f64]) -> InMemElement {
    let texts: Vec<String> = values.iter().map(|value| format!("{value:.9}")).collect();
    text(tag, VR::DS, &texts.join("\\"))
}

pub(crate) fn integer(tag: Tag, value: i64) -> InMemElement {
    text(tag, VR::IS, &value.to_string())
}

pub(crate) fn sequence(tag: Tag, items: Vec<InMemDicomObject>) -> InMemElement {
    DataElement::new(tag, VR::SQ, DataSetSequence::from(items))
}

pub(crate) fn dataset(elements: Vec<InMemElement>) -> InMemDicomObject {
    InMemDicomObject::from_element_iter(elements)
}

/// Native pixel data.
pub(crate) fn pixels(bytes: &[u8]) -> InMemElement {
    DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::from(bytes))
}

/// Encapsulated pixel data without an offset table.
pub(crate) fn fragments(fragments: Vec<Vec<u8>>) -> InMemElement {
    fragments_from(vec![], fragments)
}

/// Encapsulated pixel data whose frames begin at the offsets.
pub(crate) fn fragments_from(offsets: Vec<u32>, fragments: Vec<Vec<u8>>) -> InMemElement {
    let padded = fragments.into_iter().map(|mut bytes| {
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        bytes
    });
    DataElement::new(tags::PIXEL_DATA, VR::OB, PixelFragmentSequence::new(offsets, padded.collect::<Vec<_>>()))
}

/// The bytes of a file in a transfer syntax.
pub(crate) fn file(object: InMemDicomObject, syntax: &str) -> Vec<u8> {
    let meta = FileMetaTableBuilder::new().transfer_syntax(syntax).media_storage_sop_class_uid(uids::MR_IMAGE_STORAGE);
    let mut bytes = Vec::new();
    object.with_meta(meta.media_storage_sop_instance_uid("2.25.1")).unwrap().write_all(&mut bytes).unwrap();
    bytes
}

/// What every image has: identity and the format of its pixels.
pub(crate) fn identity(modality: &str, series: &str) -> Vec<InMemElement> {
    vec![
        text(tags::SOP_CLASS_UID, VR::UI, uids::MR_IMAGE_STORAGE),
        text(tags::SOP_INSTANCE_UID, VR::UI, "2.25.1"),
        text(tags::MODALITY, VR::CS, modality),
        text(tags::PATIENT_ID, VR::LO, "P"),
        text(tags::STUDY_INSTANCE_UID, VR::UI, "2.25.2"),
        text(tags::SERIES_INSTANCE_UID, VR::UI, series),
        text(tags::FRAME_OF_REFERENCE_UID, VR::UI, FRAME_OF_REFERENCE),
    ]
}

/// Size of a frame and its unsigned pixels of `bits` bits.
pub(crate) fn pixel_format(grid: &Geometry, bits: u16) -> Vec<InMemElement> {
    let [columns, rows, _] = grid.size();
    vec![
        short(tags::SAMPLES_PER_PIXEL, 1),
        text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        short(tags::ROWS, rows as u16),
        short(tags::COLUMNS, columns as u16),
        short(tags::BITS_ALLOCATED, bits),
        short(tags::BITS_STORED, bits),
        short(tags::HIGH_BIT, bits - 1),
        short(tags::PIXEL_REPRESENTATION, 0),
    ]
}

pub(crate) fn position(grid: &Geometry, slice: f64) -> InMemElement {
    decimals(tags::IMAGE_POSITION_PATIENT, &grid.index_to_point([0.0, 0.0, slice]))
}

pub(crate) fn orientation(grid: &Geometry) -> InMemElement {
    let direction = grid.direction();
    let cosines: Vec<f64> = (0..2).flat_map(|axis| direction.map(|row| row[axis])).collect();
    decimals(tags::IMAGE_ORIENTATION_PATIENT, &cosines)
}

/// Distances of rows, columns and slices.
pub(crate) fn measures(grid: &Geometry) -> Vec<InMemElement> {
    let [x, y, z] = grid.spacing();
    vec![
        decimals(tags::PIXEL_SPACING, &[y, x]),
        decimals(tags::SLICE_THICKNESS, &[z]),
        decimals(tags::SPACING_BETWEEN_SLICES, &[z]),
    ]
}

/// A classic image of one slice without its pixels.
pub(crate) fn classic(grid: &Geometry, slice: usize, bits: u16) -> Vec<InMemElement> {
    let mut elements = identity("MR", "2.25.3");
    elements.extend(pixel_format(grid, bits));
    elements.extend(measures(grid));
    elements.extend([position(grid, slice as f64), orientation(grid)]);
    elements
}

/// Functional groups that all frames on a grid share.
pub(crate) fn shared_groups(grid: &Geometry) -> Vec<InMemElement> {
    vec![
        sequence(tags::PIXEL_MEASURES_SEQUENCE, vec![dataset(measures(grid))]),
        sequence(tags::PLANE_ORIENTATION_SEQUENCE, vec![dataset(vec![orientation(grid)])]),
    ]
}

/// The functional group that places a frame.
pub(crate) fn plane_position(grid: &Geometry, slice: f64) -> InMemElement {
    sequence(tags::PLANE_POSITION_SEQUENCE, vec![dataset(vec![position(grid, slice)])])
}

/// A multi-frame object: what its frames share and the groups of each.
pub(crate) fn multi_frame(
    mut elements: Vec<InMemElement>,
    grid: &Geometry,
    frames: Vec<Vec<InMemElement>>,
) -> Vec<InMemElement> {
    elements.push(integer(tags::NUMBER_OF_FRAMES, frames.len() as i64));
    elements.push(sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![dataset(shared_groups(grid))]));
    elements.push(sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frames.into_iter().map(dataset).collect()));
    elements
}

/// A region of a structure set: number, name and contours of a geometric type.
pub(crate) struct DrawnRoi {
    pub(crate) number: i64,
    pub(crate) name: &'static str,
    pub(crate) contours: Vec<(&'static str, Vec<[f64; 3]>)>,
}

/// A structure set in the frame of reference of the images made here.
pub(crate) fn structure_set(rois: &[DrawnRoi]) -> InMemDicomObject {
    let mut elements = identity("RTSTRUCT", "2.25.4");
    elements.push(text(tags::STRUCTURE_SET_LABEL, VR::SH, "drawn"));
    let definition = |roi: &DrawnRoi| {
        dataset(vec![
            integer(tags::ROI_NUMBER, roi.number),
            text(tags::ROI_NAME, VR::LO, roi.name),
            text(tags::REFERENCED_FRAME_OF_REFERENCE_UID, VR::UI, FRAME_OF_REFERENCE),
        ])
    };
    let contour = |(kind, points): &(&'static str, Vec<[f64; 3]>)| {
        dataset(vec![
            text(tags::CONTOUR_GEOMETRIC_TYPE, VR::CS, kind),
            integer(tags::NUMBER_OF_CONTOUR_POINTS, points.len() as i64),
            decimals(tags::CONTOUR_DATA, points.as_flattened()),
        ])
    };
    let drawn = |roi: &DrawnRoi| {
        let contours = roi.contours.iter().map(contour).collect();
        dataset(vec![sequence(tags::CONTOUR_SEQUENCE, contours), integer(tags::REFERENCED_ROI_NUMBER, roi.number)])
    };
    elements.push(sequence(tags::STRUCTURE_SET_ROI_SEQUENCE, rois.iter().map(definition).collect()));
    elements.push(sequence(tags::ROI_CONTOUR_SEQUENCE, rois.iter().map(drawn).collect()));
    dataset(elements)
}

/// One frame of a segmentation: its segment (none in a label map), its slice and its pixels.
pub(crate) struct SegmentFrame {
    pub(crate) segment: Option<u16>,
    pub(crate) slice: f64,
    pub(crate) pixels: Vec<u8>,
}

/// A segmentation with segments named after their numbers.
pub(crate) fn segmentation(kind: &str, grid: &Geometry, segments: &[u16], frames: &[SegmentFrame]) -> InMemDicomObject {
    let bits = if kind == "BINARY" { 1 } else { 8 };
    let mut elements = identity("SEG", "2.25.5");
    elements.extend(pixel_format(grid, bits));
    elements.push(text(tags::SEGMENTATION_TYPE, VR::CS, kind));
    if kind == "FRACTIONAL" {
        elements.push(short(tags::MAXIMUM_FRACTIONAL_VALUE, 200));
    }
    let segment = |&number: &u16| {
        dataset(vec![
            short(tags::SEGMENT_NUMBER, number),
            text(tags::SEGMENT_LABEL, VR::LO, &format!("segment {number}")),
        ])
    };
    elements.push(sequence(tags::SEGMENT_SEQUENCE, segments.iter().map(segment).collect()));
    let groups = |frame: &SegmentFrame| {
        let mut groups = vec![plane_position(grid, frame.slice)];
        if let Some(segment) = frame.segment {
            let identification = dataset(vec![short(tags::REFERENCED_SEGMENT_NUMBER, segment)]);
            groups.push(sequence(tags::SEGMENT_IDENTIFICATION_SEQUENCE, vec![identification]));
        }
        groups
    };
    let mut elements = multi_frame(elements, grid, frames.iter().map(groups).collect());
    let numbers: Vec<u8> = frames.iter().flat_map(|frame| frame.pixels.iter().copied()).collect();
    elements.push(pixels(&if bits == 1 { packed(&numbers) } else { numbers }));
    dataset(elements)
}

/// Bits packed into bytes, the lowest first, with no gap between frames.
fn packed(bits: &[u8]) -> Vec<u8> {
    let byte = |bits: &[u8]| bits.iter().enumerate().fold(0, |byte, (i, bit)| byte | bit << i);
    let mut bytes: Vec<u8> = bits.chunks(8).map(byte).collect();
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}
