//! JPEG 2000 and HTJ2K (ITU-T T.800 and T.814): frames of one component, or of three colours.

use jpeg2k::Image;

use super::problem::{malformed, unsupported};
use crate::error::FileProblem;

/// Markers of a codestream and of its size segment.
const START_AND_SIZE: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];

/// Unpacks one frame of rows and columns into pixels of `width` bytes, little endian.
pub(super) fn decode_frame(stream: &[u8], size: [usize; 2], width: usize) -> Result<Vec<u8>, FileProblem> {
    let [pixels] = components(stream, size)?;
    Ok(pixels.iter().flat_map(|pixel| pixel.to_le_bytes().into_iter().take(width)).collect())
}

/// Unpacks one frame of rows and columns of red, green and blue into a byte for each sample, colour by colour.
pub(super) fn decode_colour_frame(stream: &[u8], size: [usize; 2]) -> Result<Vec<u8>, FileProblem> {
    let colours: [Vec<i32>; 3] = components(stream, size)?;
    Ok(colours.iter().flatten().map(|sample| (*sample).clamp(0, 255) as u8).collect())
}

/// The samples of so many components, transforms of colours undone.
fn components<const N: usize>(stream: &[u8], size: [usize; 2]) -> Result<[Vec<i32>; N], FileProblem> {
    // Some writers leave the file format's boxes around the codestream.
    let start = stream.windows(START_AND_SIZE.len()).position(|window| window == START_AND_SIZE);
    let codestream = &stream[start.unwrap_or(0)..];
    // The decoder allocates what the size segment announces.
    let found = size_of(codestream).ok_or_else(|| malformed("a JPEG 2000 frame without codestream"))?;
    if found.map(usize::try_from) != size.map(Ok) {
        return Err(malformed(format!("a compressed frame of {found:?} pixels where {size:?} (rows, columns) belong")));
    }
    let image = Image::from_bytes(codestream).map_err(|error| malformed(format!("a JPEG 2000 frame: {error}")))?;
    let components = image.components();
    if components.len() != N {
        return Err(unsupported(format!("a JPEG 2000 frame of {} components where {N} belong", components.len())));
    }
    if let Some(other) = components.iter().find(|component| component.data().len() != size[0] * size[1]) {
        return Err(malformed(format!(
            "a JPEG 2000 frame of {} pixels where {size:?} (rows, columns) belong",
            other.data().len()
        )));
    }
    Ok(std::array::from_fn(|component| components[component].data().to_vec()))
}

/// Rows and columns of a codestream: those of its size segment, which comes first.
fn size_of(stream: &[u8]) -> Option<[i64; 2]> {
    let segment = stream.strip_prefix(&START_AND_SIZE)?;
    let number = |at: usize| segment.get(at..)?.first_chunk().map(|bytes| i64::from(u32::from_be_bytes(*bytes)));
    let [columns, rows, left, top] = [4, 8, 12, 16].map(number);
    Some([rows? - top?, columns? - left?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_without_the_offset() {
        let mut codestream = vec![0xff, 0x4f, 0xff, 0x51, 0, 47, 0, 0];
        for number in [20_u32, 12, 4, 2] {
            codestream.extend(number.to_be_bytes());
        }
        assert_eq!(size_of(&codestream), Some([10, 16]));
        assert_eq!(size_of(&codestream[..20]), None);
    }
}
