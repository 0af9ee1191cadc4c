//! JPEG 2000 and HTJ2K (ITU-T T.800 and T.814): frames of one component.

use jpeg2k::Image;

use super::problem::{malformed, unsupported};
use crate::error::FileProblem;

/// Markers of a codestream and of its size segment.
const START_AND_SIZE: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];

/// Unpacks one frame of rows and columns into pixels of `width` bytes, little endian.
pub(super) fn decode_frame(stream: &[u8], size: [usize; 2], width: usize) -> Result<Vec<u8>, FileProblem> {
    // Some writers leave the file format's boxes around the codestream.
    let start = stream.windows(START_AND_SIZE.len()).position(|window| window == START_AND_SIZE);
    let codestream = &stream[start.unwrap_or(0)..];
    // The decoder allocates what the size segment announces.
    let found = size_of(codestream).ok_or_else(|| malformed("a JPEG 2000 frame without codestream"))?;
    if found.map(usize::try_from) != size.map(Ok) {
        return Err(malformed(format!("a compressed frame of {found:?} pixels where {size:?} (rows, columns) belong")));
    }
    let image = Image::from_bytes(codestream).map_err(|error| malformed(format!("a JPEG 2000 frame: {error}")))?;
    let [component] = image.components() else {
        return Err(unsupported(format!("a JPEG 2000 frame of {} components; one is read", image.components().len())));
    };
    if component.data().len() != size[0] * size[1] {
        return Err(malformed(format!(
            "a JPEG 2000 frame of {} pixels where {size:?} (rows, columns) belong",
            component.data().len()
        )));
    }
    Ok(component.data().iter().flat_map(|pixel| pixel.to_le_bytes().into_iter().take(width)).collect())
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
