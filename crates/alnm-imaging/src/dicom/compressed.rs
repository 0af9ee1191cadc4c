//! Frames of encapsulated pixel data, unpacked.

use std::io::Read;

use dicom_dictionary_std::uids;
use flate2::read::DeflateDecoder;

use super::problem::{malformed, unsupported};
use super::stored_file::Frames;
use super::{jpeg, jpeg_ls, rle};
use crate::error::FileProblem;

/// What the identifiers of the JPEG standards' transfer syntaxes begin with; a number follows (PS3.6 table A-1).
const JPEG_FAMILY: &str = "1.2.840.10008.1.2.4.";

/// Unpacks a frame with so many bits allocated per pixel: whole bytes, little endian, or one bit.
pub(super) fn decode_frame(frames: &Frames<'_>, frame: u32, bits: usize) -> Result<Vec<u8>, FileProblem> {
    let packed = frames.packed(frame as usize)?;
    let size = frames.file().size();
    let (pixels, width) = (size[0] * size[1], bits / 8);
    let syntax = frames.file().syntax();
    match syntax {
        uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN => return Ok(packed.into_owned()),
        uids::DEFLATED_IMAGE_FRAME_COMPRESSION => return inflate(&packed, (pixels * bits).div_ceil(8)),
        uids::RLE_LOSSLESS => return rle::decode_frame(&packed, pixels, width),
        _ => {}
    }
    match syntax.strip_prefix(JPEG_FAMILY).and_then(|number| number.parse().ok()) {
        Some(50..=70) => jpeg::decode_frame(&packed, size, 1, width),
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

/// Unpacks a frame of three samples of a byte per pixel, one after the other.
pub(super) fn decode_colour_frame(frames: &Frames<'_>, frame: u32) -> Result<Vec<u8>, FileProblem> {
    const SAMPLES: u8 = 3;
    let packed = frames.packed(frame as usize)?;
    let syntax = frames.file().syntax();
    match syntax.strip_prefix(JPEG_FAMILY).and_then(|number| number.parse().ok()) {
        Some(50..=70) => jpeg::decode_frame(&packed, frames.file().size(), SAMPLES, 1),
        _ => Err(unsupported(format!("colours in transfer syntax {syntax}; they are read native or as JPEG"))),
    }
}

fn inflate(packed: &[u8], bytes: usize) -> Result<Vec<u8>, FileProblem> {
    let mut unpacked = Vec::new();
    let inflated = DeflateDecoder::new(packed).take(bytes as u64).read_to_end(&mut unpacked);
    inflated.map_err(|error| malformed(format!("a deflated frame is damaged: {error}")))?;
    Ok(unpacked)
}
