//! JPEG 2000 and HTJ2K (ITU-T T.800 and T.814): frames of one component, or of three colours.

use std::ffi::c_void;
use std::io::{Cursor, Read};
use std::panic::{UnwindSafe, catch_unwind};

use openjp2::openjpeg::{
    opj_stream_set_read_function, opj_stream_set_seek_function, opj_stream_set_skip_function, opj_stream_set_user_data,
};
use openjp2::{CODEC_FORMAT, Codec, Stream, opj_dparameters, opj_image, opj_stream_t};

use super::problem::{malformed, unsupported};
use crate::error::FileProblem;

/// Markers of a codestream and of its size segment.
const START_AND_SIZE: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];

/// The most tiles of a frame: the decoder keeps some kilobytes for each. Images that are tiled at all have some
/// hundred.
const MOST_TILES: usize = 8192;

/// Bytes that each tile takes at least: the segment that begins it, and the marker before its data.
const TILE_HEADER: usize = 14;

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
    let announced = Announced::of(codestream).ok_or_else(|| malformed("a JPEG 2000 frame without codestream"))?;
    let found = announced.size;
    if found.map(usize::try_from) != size.map(Ok) {
        return Err(malformed(format!("a compressed frame of {found:?} pixels where {size:?} (rows, columns) belong")));
    }
    if announced.components != N {
        return Err(unsupported(format!("a JPEG 2000 frame of {} components where {N} belong", announced.components)));
    }
    let most = MOST_TILES.min(codestream.len() / TILE_HEADER);
    if announced.tiles > most as u64 {
        return Err(malformed(format!(
            "a JPEG 2000 frame of {} tiles in {} bytes; at most {most} are read",
            announced.tiles,
            codestream.len()
        )));
    }
    let image = contained(|| decoded(codestream))?.ok_or_else(|| malformed("a JPEG 2000 frame that is damaged"))?;
    let components: Vec<&[i32]> =
        image.comps().unwrap_or_default().iter().map(|component| component.data().unwrap_or_default()).collect();
    if components.len() != N {
        return Err(malformed(format!("a JPEG 2000 frame of {} components where {N} belong", components.len())));
    }
    if let Some(other) = components.iter().find(|samples| samples.len() != size[0] * size[1]) {
        let found = other.len();
        return Err(malformed(format!("a JPEG 2000 frame of {found} pixels where {size:?} (rows, columns) belong")));
    }
    Ok(std::array::from_fn(|component| components[component].to_vec()))
}

/// What the decoder gives. On damaged streams its counters overflow, which is a panic where a build checks for
/// overflow; it ends the frame and not the program.
fn contained<T>(decode: impl FnOnce() -> T + UnwindSafe) -> Result<T, FileProblem> {
    catch_unwind(decode).map_err(|_| malformed("a JPEG 2000 frame on which the decoder gave up"))
}

/// Bytes that the decoder reads at a time.
const READ_AT_ONCE: usize = 1 << 20;

/// The image of a codestream; none where the decoder refuses it.
#[allow(unsafe_code)]
fn decoded(codestream: &[u8]) -> Option<Box<opj_image>> {
    // Declared before the stream, so that it lives longer.
    let mut unread = Cursor::new(codestream);
    let mut stream = Stream::new_custom(READ_AT_ONCE, true);
    let handle = (&raw mut stream).cast::<opj_stream_t>();
    // SAFETY: behind the handle is a stream. It hands the functions the pointer to `unread`, which outlives it and is not
    // used otherwise until then, and the first of them a buffer of its own with its length.
    unsafe {
        opj_stream_set_read_function(handle, Some(read));
        opj_stream_set_skip_function(handle, Some(skip));
        opj_stream_set_seek_function(handle, Some(seek));
        opj_stream_set_user_data(handle, (&raw mut unread).cast(), None);
    }
    stream.set_stream_length(codestream.len() as u64);
    let mut decoder = Codec::new_decoder(CODEC_FORMAT::OPJ_CODEC_J2K)?;
    decoder.setup_decoder(&mut opj_dparameters::default());
    let mut image = decoder.read_header(&mut stream)?;
    let is_whole = decoder.decode(&mut stream, &mut image) == 1 && decoder.end_decompress(&mut stream) == 1;
    is_whole.then_some(image)
}

/// Reads on, and tells how many bytes were read; all bits set at the end.
#[allow(unsafe_code)]
unsafe extern "C" fn read(into: *mut c_void, bytes: usize, unread: *mut c_void) -> usize {
    // SAFETY: `decoded` says what the stream hands over; it keeps no reference to either while this function runs.
    let (into, unread) =
        unsafe { (std::slice::from_raw_parts_mut(into.cast::<u8>(), bytes), &mut *unread.cast::<Cursor<&[u8]>>()) };
    unread.read(into).ok().filter(|read| *read > 0).unwrap_or(usize::MAX)
}

/// Passes over bytes, at most to the end, and tells where that leads to.
#[allow(unsafe_code)]
unsafe extern "C" fn skip(bytes: i64, unread: *mut c_void) -> i64 {
    // SAFETY: as in `read`.
    let unread = unsafe { &mut *unread.cast::<Cursor<&[u8]>>() };
    go_to(unread, unread.position().saturating_add_signed(bytes)) as i64
}

/// Goes to a byte, at most to the end, and tells whether it is there.
#[allow(unsafe_code)]
unsafe extern "C" fn seek(byte: i64, unread: *mut c_void) -> i32 {
    // SAFETY: as in `read`.
    let unread = unsafe { &mut *unread.cast::<Cursor<&[u8]>>() };
    let byte = byte.cast_unsigned();
    i32::from(go_to(unread, byte) == byte)
}

/// Goes to a byte, or to the end where there are fewer, and gives the place.
fn go_to(unread: &mut Cursor<&[u8]>, byte: u64) -> u64 {
    let place = byte.min(unread.get_ref().len() as u64);
    unread.set_position(place);
    place
}

/// What the size segment of a codestream, which comes first, announces.
#[derive(Debug, PartialEq)]
struct Announced {
    /// Rows and columns.
    size: [i64; 2],
    tiles: u64,
    components: usize,
}

impl Announced {
    fn of(stream: &[u8]) -> Option<Self> {
        let segment = stream.strip_prefix(&START_AND_SIZE)?;
        let number = |at: usize| segment.get(at..)?.first_chunk().map(|bytes| i64::from(u32::from_be_bytes(*bytes)));
        let [columns, rows, left, top] = [4, 8, 12, 16].map(number);
        let [tile_columns, tile_rows, tiles_left, tiles_top] = [20, 24, 28, 32].map(number);
        let tiles_of = |end: Option<i64>, start: Option<i64>, tile: Option<i64>| {
            let tile = tile?.unsigned_abs();
            Some(u64::try_from(end? - start?).ok()?.div_ceil(tile.max(1)))
        };
        let tiles = tiles_of(columns, tiles_left, tile_columns)?.checked_mul(tiles_of(rows, tiles_top, tile_rows)?)?;
        let components = usize::from(u16::from_be_bytes(*segment.get(36..)?.first_chunk()?));
        Some(Self { size: [rows? - top?, columns? - left?], tiles, components })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_decoder_is_an_error_of_the_frame() {
        let error = contained(|| u32::MAX.checked_add(1).expect("overflow")).unwrap_err();
        assert_eq!(error.to_string(), malformed("a JPEG 2000 frame on which the decoder gave up").to_string());
        assert_eq!(contained(|| 7).unwrap(), 7);
    }

    #[test]
    fn sizes_are_those_without_the_offset() {
        let mut codestream = vec![0xff, 0x4f, 0xff, 0x51, 0, 47, 0, 0];
        for number in [20_u32, 12, 4, 2, 8, 4, 0, 0] {
            codestream.extend(number.to_be_bytes());
        }
        codestream.extend([0, 3]);
        assert_eq!(Announced::of(&codestream), Some(Announced { size: [10, 16], tiles: 9, components: 3 }));
        assert_eq!(Announced::of(&codestream[..40]), None);
    }
}
