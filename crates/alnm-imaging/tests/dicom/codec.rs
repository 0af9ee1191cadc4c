//! Small encoders of the compressed forms that readers decode.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use jpeg_encoder::{ColorType, Encoder};

/// One frame in DICOM's run-length encoding (PS3.5 G), a segment for each plane of bytes, the high one first.
pub(crate) fn rle(planes: &[Vec<u8>]) -> Vec<u8> {
    const HEADER: usize = 64;
    let segments: Vec<Vec<u8>> = planes.iter().map(|plane| pack_bits(plane)).collect();
    let mut frame = Vec::from((planes.len() as u32).to_le_bytes());
    let mut offset = HEADER;
    for segment in &segments {
        frame.extend((offset as u32).to_le_bytes());
        offset += segment.len();
    }
    frame.resize(HEADER, 0);
    segments.into_iter().for_each(|segment| frame.extend(segment));
    frame
}

/// Runs of one byte as (1 - length, byte), all else as (length - 1, bytes).
fn pack_bits(bytes: &[u8]) -> Vec<u8> {
    const LONGEST: usize = 128;
    let mut packed = Vec::new();
    for run in bytes.chunk_by(|a, b| a == b).flat_map(|run| run.chunks(LONGEST)) {
        if run.len() > 1 {
            packed.extend([(257 - run.len()) as u8, run[0]]);
        } else {
            packed.extend([0, run[0]]);
        }
    }
    packed.resize(packed.len().next_multiple_of(2), 0x80);
    packed
}

/// A frame of its own in DICOM's deflated image frame compression.
pub(crate) fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A grey baseline JPEG of the best quality.
pub(crate) fn jpeg_baseline(pixels: &[u8], columns: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    Encoder::new(&mut stream, 100)
        .encode(pixels, columns as u16, (pixels.len() / columns) as u16, ColorType::Luma)
        .unwrap();
    stream
}

/// A JPEG-LS without loss.
pub(crate) fn jpeg_ls(pixels: &[u16], columns: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    jpegls::encode(pixels, columns as u32, (pixels.len() / columns) as u32, &mut stream).unwrap();
    stream
}

/// A lossless JPEG (process 14, each pixel predicted by its left neighbour) whose Huffman codes all have five bits.
pub(crate) fn jpeg_lossless(pixels: &[u16], columns: usize, precision: u8) -> Vec<u8> {
    const CATEGORIES: u8 = 17;
    let rows = pixels.len() / columns;
    let mut stream = vec![0xff, 0xd8, 0xff, 0xc3, 0, 11, precision];
    stream.extend((rows as u16).to_be_bytes());
    stream.extend((columns as u16).to_be_bytes());
    stream.extend([1, 1, 0x11, 0]);
    stream.extend([0xff, 0xc4, 0, 19 + CATEGORIES, 0]);
    stream.extend((1..=16).map(|length| if length == 5 { CATEGORIES } else { 0 }));
    stream.extend(0..CATEGORIES);
    stream.extend([0xff, 0xda, 0, 8, 1, 1, 0, 1, 0, 0]);
    let mut bits = BitWriter { bytes: Vec::new(), held: 0, count: 0 };
    for (i, &pixel) in pixels.iter().enumerate() {
        let prediction = match (i / columns, i % columns) {
            (0, 0) => 1 << (precision - 1),
            (_, 0) => pixels[i - columns],
            _ => pixels[i - 1],
        };
        let difference = i32::from(pixel.wrapping_sub(prediction).cast_signed());
        let category = 32 - difference.unsigned_abs().leading_zeros();
        bits.push(category, 5);
        if category < 16 {
            bits.push((if difference < 0 { difference - 1 } else { difference }).cast_unsigned(), category);
        }
    }
    bits.push(0x7f, 7);
    stream.extend(bits.bytes);
    stream.extend([0xff, 0xd9]);
    stream
}

/// Bits, the highest first, with a zero byte after each 0xff.
struct BitWriter {
    bytes: Vec<u8>,
    held: u64,
    count: u32,
}

impl BitWriter {
    fn push(&mut self, value: u32, bits: u32) {
        self.held = self.held << bits | u64::from(value) & ((1 << bits) - 1);
        self.count += bits;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.held >> self.count) as u8;
            self.bytes.push(byte);
            if byte == 0xff {
                self.bytes.push(0);
            }
        }
    }
}
