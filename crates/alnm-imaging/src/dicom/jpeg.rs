//! JPEG (ITU-T T.81): frames of one component, with and without loss, of up to 16 bits.

use std::borrow::Cow;

use oxiarc_jpeg::{DecodeOptions, Decoder, JpegError};

use super::problem::{malformed, unsupported};
use crate::error::FileProblem;

/// A block of 8 × 8 pixels takes a bit at least.
const PIXELS_A_BYTE: usize = 512;

/// Unpacks one frame of rows and columns into pixels of so many samples, one after the other, of `width` bytes each,
/// little endian. Colours are not transformed.
pub(super) fn decode_frame(stream: &[u8], size: [usize; 2], samples: u8, width: usize) -> Result<Vec<u8>, FileProblem> {
    let stream = with_whole_spectrum(stream);
    // Grey values have no colour to be transformed.
    let mut decoder = Decoder::with_options(&*stream, DecodeOptions::raw());
    // Nothing is allocated before the size is known, and then several times the size of the frame.
    let info = decoder.read_info().map_err(problem)?;
    let found = [info.height, info.width].map(usize::from);
    if found != size {
        return Err(malformed(format!("a compressed frame of {found:?} pixels where {size:?} (rows, columns) belong")));
    }
    if info.num_components != samples {
        return Err(unsupported(format!("a JPEG frame of {} components where {samples} belong", info.num_components)));
    }
    if usize::from(info.precision) > 8 * width {
        return Err(malformed(format!(
            "a JPEG frame of {} bits per pixel where {} are allocated",
            info.precision,
            8 * width
        )));
    }
    if size[0] * size[1] > stream.len() * PIXELS_A_BYTE {
        return Err(malformed(format!(
            "{} bytes of a JPEG frame where {size:?} pixels (rows, columns) belong",
            stream.len()
        )));
    }
    let pixels = decoder.decode_u16().map_err(problem)?;
    Ok(pixels.iter().flat_map(|pixel| u32::from(*pixel).to_le_bytes().into_iter().take(width)).collect())
}

/// The stream with a scan header that announces all coefficients, where its frame is sequential. Files that announce
/// the first alone exist, and libjpeg, with what is built on it, does not look.
fn with_whole_spectrum(stream: &[u8]) -> Cow<'_, [u8]> {
    const SEQUENTIAL: [u8; 2] = [0xc0, 0xc1];
    const START_OF_SCAN: u8 = 0xda;
    const ALL: [u8; 3] = [0, 63, 0];
    let mut rest = stream.get(2..).unwrap_or_default();
    let mut is_sequential = false;
    while let Some((marker, content, after)) = next_segment(rest) {
        is_sequential |= SEQUENTIAL.contains(&marker);
        if marker == START_OF_SCAN {
            if is_sequential && content.last_chunk().is_some_and(|announced| *announced != ALL) {
                let end = stream.len() - after.len();
                return Cow::Owned([&stream[..end - ALL.len()], &ALL, after].concat());
            }
            break;
        }
        rest = after;
    }
    Cow::Borrowed(stream)
}

/// The marker of a segment, its content, and what follows.
pub(super) fn next_segment(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[prefix, marker], after) = bytes.split_first_chunk()?;
    if prefix != 0xff {
        return None;
    }
    // Fill bytes may stand before a marker.
    if marker == 0xff {
        return next_segment(&bytes[1..]);
    }
    let length = usize::from(u16::from_be_bytes(*after.first_chunk()?));
    Some((marker, after.get(2..length)?, after.get(length..)?))
}

fn problem(error: JpegError) -> FileProblem {
    match error {
        JpegError::Unsupported(_) => unsupported(error.to_string()),
        _ => malformed(format!("a JPEG frame: {error}")),
    }
}
