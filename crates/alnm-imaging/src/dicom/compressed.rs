//! Frames of encapsulated pixel data, unpacked.

use std::io::Read;

use dicom_dictionary_std::uids;
use flate2::read::DeflateDecoder;

use super::pixels::{ColourFrame, ColourSpace};
use super::problem::{malformed, unsupported};
use super::stored_file::Frames;
use super::{jpeg, jpeg_ls, rle};
use crate::error::FileProblem;

/// What the identifiers of the JPEG standards' transfer syntaxes begin with; a number follows (PS3.6 table A-1).
const JPEG_FAMILY: &str = "1.2.840.10008.1.2.4.";

/// Unpacks a frame with so many bits allocated per pixel: whole bytes, little endian, or one bit, of which
/// [`packs_bits`] says whether eight are one byte.
pub(super) fn decode_frame(frames: &Frames<'_>, frame: u32, bits: usize) -> Result<Vec<u8>, FileProblem> {
    let packed = frames.packed(frame as usize)?;
    let size = frames.file().size();
    let pixels = size[0] * size[1];
    let width = (bits / 8).max(1);
    let syntax = frames.file().syntax();
    match syntax {
        uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN => return Ok(packed.into_owned()),
        uids::DEFLATED_IMAGE_FRAME_COMPRESSION => return inflate(&packed, (pixels * bits).div_ceil(8)),
        uids::RLE_LOSSLESS => return rle::decode_frame(&packed, (pixels * bits).div_ceil(8 * width), width),
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

/// Whether unpacked frames of one bit per pixel still have eight pixels in a byte, the first lowest. The codecs of the
/// JPEG standards give each pixel a byte of its own.
pub(super) fn packs_bits(syntax: &str) -> bool {
    !syntax.starts_with(JPEG_FAMILY)
}

/// Unpacks a frame of three samples of a byte per pixel, which the file says to be planar or not where the compression
/// leaves that open.
pub(super) fn decode_colour_frame<'a>(
    frames: &'a Frames<'_>,
    frame: u32,
    is_planar: bool,
    space: ColourSpace,
) -> Result<ColourFrame<'a>, FileProblem> {
    const SAMPLES: u8 = 3;
    let packed = frames.packed(frame as usize)?;
    let size = frames.file().size();
    let pixels = size[0] * size[1];
    let syntax = frames.file().syntax();
    // What is no copy of native pixels has samples of its own for each pixel.
    let of_each_pixel = if space == ColourSpace::LuminancePairs { ColourSpace::Luminance } else { space };
    let frame = |samples: Vec<u8>, is_planar| ColourFrame { samples: samples.into(), is_planar, space: of_each_pixel };
    match syntax {
        uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN => {
            return Ok(ColourFrame { samples: packed, is_planar, space });
        }
        uids::DEFLATED_IMAGE_FRAME_COMPRESSION => {
            let samples = inflate(&packed, usize::from(SAMPLES) * pixels)?;
            return Ok(ColourFrame { samples: samples.into(), is_planar, space });
        }
        uids::RLE_LOSSLESS => return Ok(frame(rle::decode_planes(&packed, pixels, SAMPLES.into())?, true)),
        _ => {}
    }
    match syntax.strip_prefix(JPEG_FAMILY).and_then(|number| number.parse().ok()) {
        Some(50..=70) => Ok(frame(jpeg::decode_frame(&packed, size, SAMPLES, 1)?, false)),
        #[cfg(feature = "jpeg2000")]
        Some(90 | 91 | 201..=203) => Ok(frame(super::jpeg_2000::decode_colour_frame(&packed, size)?, true)),
        _ => Err(unsupported(format!(
            "colours in transfer syntax {syntax}; they are read native, deflated, run-length encoded, as JPEG, and with the feature \
             jpeg2000 as JPEG 2000"
        ))),
    }
}

fn inflate(packed: &[u8], bytes: usize) -> Result<Vec<u8>, FileProblem> {
    let mut unpacked = Vec::new();
    let inflated = DeflateDecoder::new(packed).take(bytes as u64).read_to_end(&mut unpacked);
    inflated.map_err(|error| malformed(format!("a deflated frame is damaged: {error}")))?;
    Ok(unpacked)
}
