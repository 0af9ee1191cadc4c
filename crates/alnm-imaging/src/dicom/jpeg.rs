//! Sizes that compressed frames announce for themselves.
//!
//! Decoders allocate what a frame's own header announces, which has to be what the file's attributes say.

use dicom_dictionary_std::tags;

use super::attributes::integer;
use super::malformed;
use super::object::DicomFile;
use crate::error::FileProblem;

/// The size that each frame of the file has.
pub(super) fn rows_and_columns(object: &DicomFile) -> [usize; 2] {
    [tags::ROWS, tags::COLUMNS].map(|tag| integer(object, tag).and_then(|size| usize::try_from(size).ok()).unwrap_or(0))
}

/// Refuses a JPEG or JPEG 2000 frame of another size than the file's rows and columns.
pub(super) fn check_size(object: &DicomFile, fragments: &[Vec<u8>], frame: u32) -> Result<(), FileProblem> {
    let expected = rows_and_columns(object);
    let frames = integer(object, tags::NUMBER_OF_FRAMES).unwrap_or(1);
    // Where a frame has several fragments, which one it begins with is for the decoder to find out.
    let candidates = if fragments.len() as i64 == frames { fragments.get(frame as usize..=frame as usize) } else { Some(fragments) };
    for size in candidates.unwrap_or_default().iter().filter_map(|fragment| jpeg_size(fragment).or_else(|| jpeg_2000_size(fragment))) {
        if size.map(usize::try_from) != expected.map(Ok) {
            return Err(malformed(format!("a compressed frame of {size:?} pixels where {expected:?} (rows, columns) belong")));
        }
    }
    Ok(())
}

/// Rows and columns of a JPEG stream: those of its first start-of-frame segment.
fn jpeg_size(stream: &[u8]) -> Option<[i64; 2]> {
    const START_OF_IMAGE: [u8; 2] = [0xff, 0xd8];
    let mut rest = stream.strip_prefix(&START_OF_IMAGE)?;
    loop {
        let (&[prefix, marker], after) = rest.split_first_chunk()?;
        if prefix != 0xff {
            return None;
        }
        // Fill bytes may stand before a marker; restart markers and others from 0xd0 to 0xd9 have no content.
        if marker == 0xff || matches!(marker, 0x01 | 0xd0..=0xd9) {
            rest = if marker == 0xff { &rest[1..] } else { after };
            continue;
        }
        let is_frame = matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
        if is_frame {
            return Some([big_endian(after.get(3..5)?), big_endian(after.get(5..7)?)]);
        }
        rest = after.get(big_endian(after.get(..2)?) as usize..)?;
    }
}

/// Rows and columns of a JPEG 2000 codestream: those of its size segment, which comes first.
fn jpeg_2000_size(stream: &[u8]) -> Option<[i64; 2]> {
    const START_AND_SIZE: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];
    let segment = stream.strip_prefix(&START_AND_SIZE)?;
    let [columns, rows, left, top] = [4, 8, 12, 16].map(|at| segment.get(at..at + 4).map(big_endian));
    Some([rows? - top?, columns? - left?])
}

fn big_endian(bytes: &[u8]) -> i64 {
    bytes.iter().fold(0, |number, &byte| number << 8 | i64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_found_behind_other_segments() {
        let jpeg = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xc3, 0, 11, 16, 0, 7, 1, 3, 1, 1, 0x11, 0];
        assert_eq!(jpeg_size(&jpeg), Some([7, 259]));
        assert_eq!(jpeg_size(&jpeg[..14]), None);
        let mut codestream = vec![0xff, 0x4f, 0xff, 0x51, 0, 47, 0, 0];
        for number in [20_u32, 12, 4, 2] {
            codestream.extend(number.to_be_bytes());
        }
        assert_eq!(jpeg_2000_size(&codestream), Some([10, 16]));
        assert_eq!(jpeg_2000_size(&codestream[..20]), None);
    }
}
