//! Pictures as PNG files (ISO/IEC 15948), eight bits per sample.

use std::io::Write;

use anyhow::{Context, Result};
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// What a pixel consists of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pixel {
    Grey,
    RedGreenBlue,
}

impl Pixel {
    fn bytes(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::RedGreenBlue => 3,
        }
    }

    /// The number by which the header names it.
    fn colour_type(self) -> u8 {
        match self {
            Self::Grey => 0,
            Self::RedGreenBlue => 2,
        }
    }
}

/// The file of a picture whose rows follow each other from the top.
pub(super) fn encode(width: usize, height: usize, pixel: Pixel, bytes: &[u8]) -> Result<Vec<u8>> {
    let side = |pixels: usize| {
        let pixels = i32::try_from(pixels).ok().filter(|pixels| *pixels > 0);
        pixels.map(i32::to_be_bytes).context("the picture has no pixel, or more on a side than a PNG can hold")
    };
    // Eight bits per sample; the only methods of compression and of filters that there are; not interlaced.
    let header = [&side(width)?[..], &side(height)?, &[8, pixel.colour_type(), 0, 0, 0]].concat();
    let mut file = SIGNATURE.to_vec();
    put_chunk(&mut file, *b"IHDR", &header)?;
    put_chunk(&mut file, *b"IDAT", &compressed(width * pixel.bytes(), pixel.bytes(), bytes)?)?;
    put_chunk(&mut file, *b"IEND", &[])?;
    Ok(file)
}

fn put_chunk(file: &mut Vec<u8>, name: [u8; 4], content: &[u8]) -> Result<()> {
    let length = u32::try_from(content.len()).context("the picture has more bytes than a PNG can hold")?;
    file.extend(length.to_be_bytes());
    let start = file.len();
    file.extend(name);
    file.extend(content);
    let mut sum = Crc::new();
    sum.update(&file[start..]);
    file.extend(sum.sum().to_be_bytes());
    Ok(())
}

/// The rows behind the filters that make each small, compressed.
fn compressed(row_bytes: usize, pixel_bytes: usize, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let mut above = vec![0; row_bytes];
    for row in bytes.chunks_exact(row_bytes) {
        let candidates = [0, 1, 2, 4].map(|filter| filtered(filter, pixel_bytes, row, &above));
        // The rule of thumb of the standard: the smallest sum of distances from zero.
        let distance =
            |row: &Vec<u8>| row[1..].iter().map(|byte| u64::from(byte.cast_signed().unsigned_abs())).sum::<u64>();
        let smallest = candidates.iter().min_by_key(|row| distance(row));
        encoder.write_all(smallest.context("there is a row for each filter")?)?;
        above.copy_from_slice(row);
    }
    Ok(encoder.finish()?)
}

/// The number of a filter and the row behind it: what stands there less nothing (0), the pixel to the left (1), the one
/// above (2), or that of the two and the one between them which is nearest to a plane through them (4).
fn filtered(filter: u8, pixel_bytes: usize, row: &[u8], above: &[u8]) -> Vec<u8> {
    let zeros = [0; 3];
    let left = zeros[..pixel_bytes].iter().chain(row);
    let above_left = zeros[..pixel_bytes].iter().chain(above);
    let guessed = row.iter().zip(left).zip(above.iter().zip(above_left)).map(|((&value, &left), (&above, &corner))| {
        value.wrapping_sub(match filter {
            0 => 0,
            1 => left,
            2 => above,
            _ => nearest_to_plane(left, above, corner),
        })
    });
    std::iter::once(filter).chain(guessed).collect()
}

/// Paeth's predictor.
fn nearest_to_plane(left: u8, above: u8, corner: u8) -> u8 {
    let [a, b, c] = [left, above, corner].map(i16::from);
    let [from_left, from_above, from_corner] = [b - c, a - c, a + b - 2 * c].map(i16::abs);
    if from_left <= from_above && from_left <= from_corner {
        left
    } else if from_above <= from_corner {
        above
    } else {
        corner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a picture with the crate `png`.
    fn decode(file: &[u8]) -> (u32, u32, png::ColorType, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        bytes.truncate(info.buffer_size());
        (info.width, info.height, info.color_type, bytes)
    }

    #[test]
    fn another_reader_finds_the_same_pixels() {
        // Noise, a slope, and edges, so that each filter is the best of some row.
        let value = |place: usize| match place / 300 {
            0 => (place as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0],
            1 => (place / 3) as u8,
            2 => u8::from(place % 7 < 3) * 200,
            _ => (place % 100 + place / 100) as u8,
        };
        let bytes: Vec<u8> = (0..1200).map(value).collect();
        for (width, height, pixel, colour) in
            [(20, 20, Pixel::RedGreenBlue, png::ColorType::Rgb), (40, 30, Pixel::Grey, png::ColorType::Grayscale)]
        {
            let file = encode(width, height, pixel, &bytes).unwrap();
            assert_eq!(decode(&file), (width as u32, height as u32, colour, bytes.clone()));
        }
    }

    #[test]
    fn pictures_without_a_pixel_are_refused() {
        assert!(encode(0, 5, Pixel::Grey, &[]).unwrap_err().to_string().contains("no pixel"));
    }
}
