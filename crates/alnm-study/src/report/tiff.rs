//! Pictures as TIFF (revision 6.0), the form in which journals ask for figures: red, green and blue in one strip that is
//! compressed as in PNG (compression 8), with its resolution.

use std::io::Write;

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::ZlibEncoder;

/// Types of the values of a field.
const SHORT: u16 = 3;
const LONG: u16 = 4;
const RATIONAL: u16 = 5;

/// A picture of 8-bit red, green and blue, row by row, with its resolution in pixels an inch.
///
/// # Errors
/// When the number of bytes is not three for each pixel, or the picture is too large for the format.
pub(super) fn tiff(width: u32, height: u32, colours: &[u8], resolution: u32) -> Result<Vec<u8>> {
    let expected = 3 * width as usize * height as usize;
    ensure!(colours.len() == expected, "a picture of {width} x {height} pixels from {} bytes", colours.len());
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(colours)?;
    let strip = encoder.finish()?;
    let strip_length = u32::try_from(strip.len()).context("a compressed picture of more than 4 GiB")?;
    // The header, the strip, three bit depths, two resolutions, then the fields; all at even places.
    let strip_at = 8;
    let depths_at = strip_at + strip_length.next_multiple_of(2);
    let (across_at, down_at) = (depths_at + 8, depths_at + 16);
    let fields_at = depths_at + 24;
    let fields: [(u16, u16, u32, u32); 13] = [
        (256, LONG, 1, width),
        (257, LONG, 1, height),
        (258, SHORT, 3, depths_at),
        (259, SHORT, 1, 8),
        (262, SHORT, 1, 2),
        (273, LONG, 1, strip_at),
        (277, SHORT, 1, 3),
        (278, LONG, 1, height),
        (279, LONG, 1, strip_length),
        (282, RATIONAL, 1, across_at),
        (283, RATIONAL, 1, down_at),
        (284, SHORT, 1, 1),
        (296, SHORT, 1, 2),
    ];
    let mut bytes = Vec::with_capacity(fields_at as usize + 12 * fields.len() + 6);
    bytes.extend(b"II\x2a\0");
    bytes.extend(fields_at.to_le_bytes());
    bytes.extend(strip);
    bytes.resize(depths_at as usize, 0);
    bytes.extend([8, 0, 8, 0, 8, 0, 0, 0]);
    for _ in 0..2 {
        bytes.extend(resolution.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
    }
    bytes.extend((fields.len() as u16).to_le_bytes());
    for (tag, kind, count, value) in fields {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        // A short value stands in the first two of the four bytes, which little-endian order gives.
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend(0_u32.to_le_bytes());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_reader_finds_size_resolution_and_colours() {
        let colours: Vec<u8> = (0..3 * 5 * 4).collect();
        let bytes = tiff(5, 4, &colours, 600).unwrap();
        let long = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let fields_at = long(4) as usize;
        assert_eq!((&bytes[..4], fields_at % 2), (&b"II\x2a\0"[..], 0));
        let count = usize::from(bytes[fields_at]);
        let field = |tag: u16| {
            let at =
                (0..count).map(|place| fields_at + 2 + 12 * place).find(|&at| bytes[at..at + 2] == tag.to_le_bytes());
            long(at.unwrap() + 8)
        };
        assert_eq!((field(256), field(257), field(259), field(277)), (5, 4, 8, 3));
        assert_eq!((long(field(282) as usize), long(field(283) as usize + 4)), (600, 1));
        assert_eq!(bytes[field(258) as usize..][..6], [8, 0, 8, 0, 8, 0]);
        let strip = &bytes[field(273) as usize..][..field(279) as usize];
        let mut found = Vec::new();
        flate2::read::ZlibDecoder::new(strip).read_to_end(&mut found).unwrap();
        assert_eq!(found, colours);
        assert!(tiff(5, 5, &colours, 600).is_err());
    }
}
