//! Frames of encapsulated pixel data, unpacked.

use std::borrow::Cow;
use std::io::Read;

use dicom_dictionary_std::{tags, uids};
use dicom_object::mem::InMemElement;
use flate2::read::DeflateDecoder;

use super::attributes::integer;
use super::object::DicomFile;
use super::{jpeg, jpeg_ls, malformed, rle, unsupported};
use crate::error::FileProblem;

/// What the identifiers of the JPEG standards' transfer syntaxes begin with; a number follows (PS3.6 table A-1).
const JPEG_FAMILY: &str = "1.2.840.10008.1.2.4.";

/// Unpacks a frame of so many rows and columns with so many bits allocated a pixel: whole bytes, little endian, or one
/// bit.
pub(super) fn decode_frame(
    object: &DicomFile,
    element: &InMemElement,
    frame: u32,
    size: [usize; 2],
    bits: usize,
) -> Result<Vec<u8>, FileProblem> {
    let packed = bytes_of(object, element, frame)?;
    let (pixels, width) = (size[0] * size[1], bits / 8);
    let syntax = object.meta().transfer_syntax();
    match syntax {
        uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN => return Ok(packed.into_owned()),
        uids::DEFLATED_IMAGE_FRAME_COMPRESSION => return inflate(&packed, (pixels * bits).div_ceil(8)),
        uids::RLE_LOSSLESS => return rle::decode_frame(&packed, pixels, width),
        _ => {}
    }
    match syntax.strip_prefix(JPEG_FAMILY).and_then(|number| number.parse().ok()) {
        Some(50..=70) => jpeg::decode_frame(&packed, size, width),
        Some(80 | 81) => jpeg_ls::decode_frame(&packed, size, width),
        #[cfg(feature = "jpeg2000")]
        Some(90 | 91 | 201..=203) => super::jpeg_2000::decode_frame(&packed, size, width),
        #[cfg(feature = "jpegxl")]
        Some(110..=112) => super::jpeg_xl::decode_frame(&packed, size, width),
        _ => Err(unsupported(format!(
            "transfer syntax {syntax}; JPEG 2000 and JPEG XL are read with the features jpeg2000 and jpegxl"
        ))),
    }
}

/// The bytes of a frame: all fragments where there is one frame, the one fragment where each frame has one, else the
/// fragments between two entries of the offset table.
fn bytes_of<'a>(object: &DicomFile, element: &'a InMemElement, frame: u32) -> Result<Cow<'a, [u8]>, FileProblem> {
    let frames = integer(object, tags::NUMBER_OF_FRAMES).unwrap_or(1).max(1) as usize;
    let frame = frame as usize;
    let fragments = element.fragments().unwrap_or_default();
    if fragments.len() == frames {
        return fragments
            .get(frame)
            .map(|fragment| Cow::Borrowed(&fragment[..]))
            .ok_or_else(|| malformed("a frame beyond the last"));
    }
    if frames == 1 {
        return Ok(Cow::Owned(fragments.concat()));
    }
    let offsets = element.value().offset_table().unwrap_or_default();
    if offsets.len() != frames {
        let entries = offsets.len();
        return Err(unsupported(format!(
            "{} fragments and an offset table of {entries} entries for {frames} frames",
            fragments.len()
        )));
    }
    let begin = offsets.get(frame).map_or(u64::MAX, |&offset| u64::from(offset));
    let end = offsets.get(frame + 1).map_or(u64::MAX, |&offset| u64::from(offset));
    let mut position = 0;
    let mut bytes = Vec::new();
    for fragment in fragments {
        if (begin..end).contains(&position) {
            bytes.extend_from_slice(fragment);
        }
        position += ITEM_HEADER + fragment.len() as u64;
    }
    Ok(Cow::Owned(bytes))
}

/// Bytes of an item's tag and length, which offsets count.
const ITEM_HEADER: u64 = 8;

fn inflate(packed: &[u8], bytes: usize) -> Result<Vec<u8>, FileProblem> {
    let mut unpacked = Vec::new();
    let inflated = DeflateDecoder::new(packed).take(bytes as u64).read_to_end(&mut unpacked);
    inflated.map_err(|error| malformed(format!("a deflated frame is damaged: {error}")))?;
    Ok(unpacked)
}
