//! DICOM's run-length encoding (PS3.5 annex G): the bytes of all pixels plane by plane, the highest byte first, each
//! plane packed by itself.

use super::problem::malformed;
use crate::error::FileProblem;

/// Bytes of the header: the number of segments and the offsets of at most 15.
const HEADER: usize = 64;

/// Unpacks one frame into pixels of `width` bytes, little endian.
pub(super) fn decode_frame(frame: &[u8], pixels: usize, width: usize) -> Result<Vec<u8>, FileProblem> {
    let planes = decode_planes(frame, pixels, width)?;
    if width == 1 {
        return Ok(planes);
    }
    let mut unpacked = vec![0; pixels * width];
    for (plane, bytes) in planes.chunks_exact(pixels.max(1)).enumerate() {
        let of_plane = unpacked.iter_mut().skip(width - 1 - plane).step_by(width);
        of_plane.zip(bytes).for_each(|(byte, unpacked)| *byte = *unpacked);
    }
    Ok(unpacked)
}

/// Unpacks the planes of bytes of one frame, one behind the other.
pub(super) fn decode_planes(frame: &[u8], pixels: usize, planes: usize) -> Result<Vec<u8>, FileProblem> {
    let truncated = || malformed("a run-length encoded frame ends early");
    let word = |index: usize| {
        let bytes = frame.get(4 * index..)?.first_chunk()?;
        usize::try_from(u32::from_le_bytes(*bytes)).ok()
    };
    let header = frame.get(..HEADER).ok_or_else(truncated)?;
    let segments = word(0).ok_or_else(truncated)?;
    if segments != planes || 4 * (planes + 1) > header.len() {
        return Err(malformed(format!("a run-length encoded frame of {segments} segments where {planes} belong")));
    }
    let mut unpacked = vec![0; pixels * planes];
    for (plane, bytes) in unpacked.chunks_exact_mut(pixels.max(1)).enumerate() {
        let start = word(1 + plane).ok_or_else(truncated)?;
        let segment = frame.get(start..).ok_or_else(truncated)?;
        unpack(segment, bytes.iter_mut()).ok_or_else(truncated)?;
    }
    Ok(unpacked)
}

/// Fills `output` from runs (257 less the length, then the byte to repeat) and literals (the length less 1, then the
/// bytes); 128 stands for nothing. None when the segment ends first.
fn unpack<'a>(segment: &[u8], mut output: impl ExactSizeIterator<Item = &'a mut u8>) -> Option<()> {
    let mut rest = segment;
    while output.len() > 0 {
        let (&control, after) = rest.split_first()?;
        rest = match control {
            0..=127 => {
                let length = (usize::from(control) + 1).min(output.len());
                let literals = after.get(..length)?;
                output.by_ref().zip(literals).for_each(|(byte, literal)| *byte = *literal);
                // A literal may go on past the last pixel; nothing behind it is read.
                &after[length..]
            }
            128 => after,
            _ => {
                let (&repeated, after) = after.split_first()?;
                output.by_ref().take(257 - usize::from(control)).for_each(|byte| *byte = repeated);
                after
            }
        };
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_packbits_definition() {
        let packed = [0xfe, 0xaa, 0x02, 0x80, 0x00, 0x2a, 0xfd, 0xaa, 0x03, 0x80, 0x00, 0x2a, 0x22, 0xf7, 0xaa];
        let expected = [
            0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0xaa, 0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0x22, 0xaa, 0xaa, 0xaa, 0xaa,
            0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
        ];
        let mut unpacked = [0; 24];
        assert!(unpack(&packed, unpacked.iter_mut()).is_some());
        assert_eq!(unpacked, expected);
        assert!(unpack(&packed[..12], unpacked.iter_mut()).is_none());
    }
}
