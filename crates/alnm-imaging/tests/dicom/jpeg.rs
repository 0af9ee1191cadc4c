//! Frames that libjpeg-turbo coded as JPEG and CharLS as JPEG-LS.

use std::path::Path;

use alnm_imaging::Image;
use alnm_imaging::dicom::decode;
use dicom_dictionary_std::{tags, uids};
use flate2::Crc;

use crate::builder::{classic, dataset, file, fragments, short};
use crate::oblique;

const ROWS: usize = 40;
const COLUMNS: usize = 56;

/// The pixels of `tests/data/make_jpeg_ls.py`.
fn pixels(most: i64) -> Vec<i64> {
    let mut state = 12_345_u32;
    let mut pixel = |i: usize| {
        let [y, x] = [i / COLUMNS, i % COLUMNS];
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
        let value = match (y, x) {
            (0..12, 0..30) => most / 3,
            (0..20, _) => (x * x + 3 * y) as i64 * most / 6000,
            (_, 0..28) => i64::from(state >> 15) % (most + 1),
            _ => most / 2 + i64::from(state >> 20) % 5 + if (x / 7 + y / 5) % 2 == 1 { most / 8 } else { 0 },
        };
        value.min(most)
    };
    (0..ROWS * COLUMNS).map(&mut pixel).collect()
}

fn stream(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

fn jpeg_ls(bits: u16, near: i64) -> Vec<u8> {
    stream(&format!("charls_{bits}_{near}.jls"))
}

/// Reads the stream as the one frame of a file, in fragments of `length` bytes.
fn read_as(syntax: &str, stream: &[u8], bits: u16, length: usize) -> Result<Image, String> {
    let mut object = dataset(classic(&oblique([COLUMNS, ROWS, 1]), 0, if bits <= 8 { 8 } else { 16 }));
    object.put(short(tags::BITS_STORED, bits));
    object.put(short(tags::HIGH_BIT, bits - 1));
    object.put(fragments(stream.chunks(length).map(<[u8]>::to_vec).collect()));
    decode(&file(object, syntax)).map_err(|problem| problem.to_string())
}

fn read(stream: &[u8], bits: u16, length: usize) -> Result<Image, String> {
    read_as(uids::JPEGLS_LOSSLESS, stream, bits, length)
}

/// The CRC-32 of pixels, and how far they are from what was coded at most.
fn checksum_and_error(image: &Image, bits: u16) -> (u32, i64) {
    let decoded = image.cast::<u16>();
    let mut crc = Crc::new();
    let width = if bits <= 8 { 1 } else { 2 };
    decoded.as_slice().iter().for_each(|pixel| crc.update(&pixel.to_le_bytes()[..width]));
    let errors = decoded.as_slice().iter().zip(pixels((1 << bits) - 1)).map(|(a, b)| (i64::from(*a) - b).abs());
    (crc.sum(), errors.max().unwrap())
}

/// The lines of a list, without its comments, as words.
fn cases(list: &str) -> Vec<Vec<&str>> {
    list.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect()).collect()
}

#[test]
fn streams_of_libjpeg_turbo() {
    let cases = cases(include_str!("../data/jpeg.txt"));
    assert_eq!(cases.len(), 9);
    for case in cases {
        let &[name, bits, checksum] = case.as_slice() else { panic!("{case:?}") };
        let bits = bits.parse().unwrap();
        let syntax = match name.split('_').next() {
            Some("baseline") => uids::JPEG_BASELINE8_BIT,
            Some("extended") => uids::JPEG_EXTENDED12_BIT,
            _ => uids::JPEG_LOSSLESS,
        };
        let image = read_as(syntax, &stream(&format!("jpeg_{name}.jpg")), bits, usize::MAX).unwrap();
        let (found, worst) = checksum_and_error(&image, bits);
        assert_eq!(found.to_string(), checksum, "{name}");
        assert!(worst == 0 || syntax != uids::JPEG_LOSSLESS, "{name}: {worst}");
    }
}

#[cfg(feature = "jpegxl")]
#[test]
fn streams_of_libjxl() {
    for bits in [8, 12, 16] {
        let whole = stream(&format!("lossless_{bits}.jxl"));
        let image = read_as(uids::JPEGXL_LOSSLESS, &whole, bits, usize::MAX).unwrap();
        assert_eq!(checksum_and_error(&image, bits).1, 0, "{bits}");
        for length in (0..whole.len() - 2).step_by(31) {
            read_as(uids::JPEGXL_LOSSLESS, &whole[..length], bits, usize::MAX).unwrap_err();
        }
    }
    assert!(
        read_as(uids::JPEGXL, &stream("lossless_12.jxl"), 8, usize::MAX)
            .unwrap_err()
            .contains("12 bits per pixel where 8")
    );
}

#[test]
fn a_scan_header_that_forgets_the_coefficients() {
    let mut whole = stream("jpeg_extended_12.jpg");
    let scan = whole.windows(2).position(|window| window == [0xff, 0xda]).unwrap();
    assert_eq!(whole[scan + 7..scan + 10], [0, 63, 0]);
    let expected = read_as(uids::JPEG_EXTENDED12_BIT, &whole, 12, usize::MAX).unwrap();
    whole[scan + 8] = 0;
    assert_eq!(read_as(uids::JPEG_EXTENDED12_BIT, &whole, 12, usize::MAX).unwrap(), expected);
}

#[test]
fn damaged_jpeg_is_named() {
    let whole = stream("jpeg_extended_12.jpg");
    let read = |stream: &[u8], bits| read_as(uids::JPEG_EXTENDED12_BIT, stream, bits, usize::MAX).unwrap_err();
    assert!(read(&whole, 8).contains("12 bits per pixel where 8 are allocated"), "{}", read(&whole, 8));
    for length in (0..whole.len() - 2).step_by(7) {
        assert!(read(&whole[..length], 12).contains("JPEG"), "{length} of {}", whole.len());
    }
    let frame = whole.windows(2).position(|window| window == [0xff, 0xc1]).unwrap();
    // Rows, columns and the number of components.
    for (at, byte, message) in [(6, 41, "[41, 56] pixels where [40, 56]"), (8, 57, "[40, 57] pixels"), (9, 3, "JPEG")] {
        let mut stream = whole.clone();
        stream[frame + at] = byte;
        assert!(read(&stream, 12).contains(message), "{at}: {}", read(&stream, 12));
    }
}

#[test]
fn frames_too_large_for_their_bytes_are_refused_before_they_are_decoded() {
    let mut stream = stream("jpeg_extended_12_coarse.jpg");
    let frame = stream.windows(2).position(|window| window == [0xff, 0xc1]).unwrap();
    stream[frame + 5..frame + 9].copy_from_slice(&[0x10, 0, 0x10, 0]);
    let mut elements = classic(&oblique([4096, 4096, 1]), 0, 16);
    elements.push(fragments(vec![stream]));
    let error = decode(&file(dataset(elements), uids::JPEG_EXTENDED12_BIT)).unwrap_err().to_string();
    assert!(error.contains("bytes of a JPEG frame where [4096, 4096] pixels"), "{error}");
}

#[test]
fn streams_of_charls() {
    let cases = cases(include_str!("../data/charls.txt"));
    assert_eq!(cases.len(), 11);
    for case in cases {
        let &[bits, near, checksum] = case.as_slice() else { panic!("{case:?}") };
        let (bits, near) = (bits.parse().unwrap(), near.parse().unwrap());
        let (found, worst) = checksum_and_error(&read(&jpeg_ls(bits, near), bits, usize::MAX).unwrap(), bits);
        assert_eq!(found.to_string(), checksum, "{case:?}");
        assert!(worst <= near, "{case:?}: {worst}");
    }
}

#[test]
fn a_frame_in_several_fragments() {
    let whole = jpeg_ls(12, 0);
    assert_eq!(read(&whole, 12, 500).unwrap(), read(&whole, 12, usize::MAX).unwrap());
}

#[test]
fn both_syntaxes_are_read() {
    for syntax in [uids::JPEGLS_LOSSLESS, uids::JPEGLS_NEAR_LOSSLESS] {
        let mut elements = classic(&oblique([COLUMNS, ROWS, 1]), 0, 8);
        elements.push(fragments(vec![jpeg_ls(8, 3)]));
        decode(&file(dataset(elements), syntax)).unwrap();
    }
}

#[test]
fn damaged_headers_are_named() {
    let whole = jpeg_ls(12, 0);
    let changed = |at: usize, byte: u8| {
        let mut stream = whole.clone();
        stream[at] = byte;
        read(&stream, 12, usize::MAX).unwrap_err()
    };
    // Start of image, then the frame header from 2 (precision at 6, rows at 7, columns at 9, components at 11) and the
    // scan header from 15 (NEAR at 22, interleaving at 23, point transform at 24).
    let cases = [
        (1, 0xd9, "without start of image"),
        (2, 0xfe, "header of a JPEG-LS frame ends early"),
        (3, 0xc3, "another JPEG process"),
        (6, 17, "frame header"),
        (6, 0, "frame header"),
        (8, 41, "[41, 56] pixels where [40, 56]"),
        (9, 1, "[40, 312] pixels where [40, 56]"),
        (11, 3, "one component is read"),
        (3, 0xdd, "restart intervals"),
        (3, 0xf8, "extension"),
        (3, 0xe0, "scan without frame header"),
        (22, 255, "ends early, or holds codes"),
        (23, 1, "scan header"),
        (24, 2, "scan header"),
    ];
    for (at, byte, message) in cases {
        let error = changed(at, byte);
        assert!(error.contains(message), "byte {at} as {byte}: {error}");
    }
    let wide = read(&whole, 8, usize::MAX).unwrap_err();
    assert!(wide.contains("12 bits per pixel where 8 are allocated"), "{wide}");
}

#[test]
fn every_truncation_is_an_error() {
    let whole = jpeg_ls(16, 0);
    for length in 0..whole.len() - 3 {
        assert!(read(&whole[..length], 16, usize::MAX).is_err(), "{length} of {}", whole.len());
    }
}

#[test]
fn the_largest_value_is_taken_from_the_presets() {
    // Coded alike: eight bits, and twelve of which no more than 255 is used.
    let whole = jpeg_ls(8, 0);
    let preset = [0xff, 0xf8, 0, 13, 1, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut as_twelve = [&whole[..15], &preset, &whole[15..]].concat();
    as_twelve[6] = 12;
    assert_eq!(read(&as_twelve, 8, usize::MAX).unwrap(), read(&whole, 8, usize::MAX).unwrap());
}

#[test]
fn presets_out_of_range_are_refused() {
    // MAXVAL, T1, T2, T3 and RESET stand from 20 on, behind the frame header.
    let whole = jpeg_ls(10, 0);
    for (what, preset) in [
        ("MAXVAL above the precision", [1024, 9, 40, 100, 64]),
        ("falling thresholds", [1023, 9, 8, 100, 64]),
        ("T3 above MAXVAL", [1023, 9, 40, 1024, 64]),
        ("RESET of 2", [1023, 9, 40, 100, 2]),
        ("RESET above MAXVAL", [1023, 9, 40, 100, 1024]),
    ] {
        let mut stream = whole.clone();
        stream.splice(20..30, preset.iter().flat_map(|value: &u16| value.to_be_bytes()));
        let error = read(&stream, 10, usize::MAX).unwrap_err();
        assert!(error.contains("presets"), "{what}: {error}");
    }
}
