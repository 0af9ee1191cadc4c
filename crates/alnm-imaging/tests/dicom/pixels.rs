//! Pixels in every transfer syntax and of every type that is read.

use alnm_imaging::dicom::{decode, read_series};
use alnm_imaging::{Geometry, Image, PixelType};
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::mem::InMemElement;

use crate::builder::{
    classic, dataset, decimals, file, fragments, fragments_from, identity, multi_frame, pixel_format, pixels,
    plane_position, short,
};
use crate::codec::{deflated, jpeg_baseline, jpeg_lossless, rle};
use crate::oblique;

const COLUMNS: usize = 24;
const ROWS: usize = 20;

fn grid() -> Geometry {
    oblique([COLUMNS, ROWS, 2])
}

/// A smooth slice with a jump, of 16 bits.
fn words(slice: usize) -> Vec<u16> {
    (0..COLUMNS * ROWS)
        .map(|i| (1000 * slice + 40 * (i / COLUMNS) + 7 * (i % COLUMNS) + if i > 300 { 30_000 } else { 0 }) as u16)
        .collect()
}

/// The same of 8 bits.
fn bytes(slice: usize) -> Vec<u8> {
    (0..COLUMNS * ROWS).map(|i| (60 * slice + 4 * (i / COLUMNS) + 3 * (i % COLUMNS)) as u8).collect()
}

fn little_endian(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Writes two slices in a transfer syntax and reads them as a series; `further` elements replace those of unsigned
/// pixels.
fn read(syntax: &str, bits: u16, further: &[InMemElement], pixels: impl Fn(usize) -> InMemElement) -> Image {
    let folder = tempfile::tempdir().unwrap();
    for slice in 0..2 {
        let mut object = dataset(classic(&grid(), slice, bits));
        for element in further {
            object.put(element.clone());
        }
        object.put(pixels(slice));
        std::fs::write(folder.path().join(slice.to_string()), file(object, syntax)).unwrap();
    }
    let image = read_series(folder.path()).unwrap();
    assert!(image.geometry().difference(&grid(), 1e-6).is_none());
    image
}

fn assert_voxels(image: &Image, pixel_type: PixelType, expected: impl Iterator<Item = f64>) {
    assert_eq!(image.pixel_type(), pixel_type);
    assert_eq!(image.cast::<f64>().as_slice(), expected.collect::<Vec<_>>());
}

#[test]
fn native_and_deflated_words() {
    #[allow(deprecated, reason = "retired syntaxes are read")]
    let syntaxes = [
        uids::IMPLICIT_VR_LITTLE_ENDIAN,
        uids::EXPLICIT_VR_LITTLE_ENDIAN,
        uids::EXPLICIT_VR_BIG_ENDIAN,
        uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    ];
    for syntax in syntaxes {
        let image = read(syntax, 16, &[], |slice| {
            DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(words(slice).into()))
        });
        assert_voxels(&image, PixelType::U16, (0..2).flat_map(words).map(f64::from));
    }
}

#[test]
fn encapsulated_but_not_compressed() {
    let syntax = uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN;
    let image = read(syntax, 16, &[], |slice| fragments(vec![little_endian(&words(slice))]));
    assert_voxels(&image, PixelType::U16, (0..2).flat_map(words).map(f64::from));
}

#[test]
fn run_lengths() {
    let image = read(uids::RLE_LOSSLESS, 8, &[], |slice| fragments(vec![rle(&[bytes(slice)])]));
    assert_voxels(&image, PixelType::U8, (0..2).flat_map(bytes).map(f64::from));
    let planes = |slice: usize| [8, 0].map(|shift| words(slice).iter().map(|word| (word >> shift) as u8).collect());
    let image = read(uids::RLE_LOSSLESS, 16, &[], |slice| fragments(vec![rle(&planes(slice))]));
    assert_voxels(&image, PixelType::U16, (0..2).flat_map(words).map(f64::from));
}

#[test]
fn deflated_frames() {
    let image = read(uids::DEFLATED_IMAGE_FRAME_COMPRESSION, 16, &[], |slice| {
        fragments(vec![deflated(&little_endian(&words(slice)))])
    });
    assert_voxels(&image, PixelType::U16, (0..2).flat_map(words).map(f64::from));
    let mut elements = classic(&oblique([COLUMNS, ROWS, 1]), 0, 16);
    elements.push(fragments(vec![deflated(&little_endian(&words(0)[1..]))]));
    let error = decode(&file(dataset(elements), uids::DEFLATED_IMAGE_FRAME_COMPRESSION)).unwrap_err().to_string();
    assert!(error.contains("958 bytes of pixels where 960 belong"), "{error}");
}

#[test]
fn frames_of_several_fragments_begin_where_the_offset_table_says() {
    let multi_frame = |pixels: InMemElement| {
        let groups = [0.0, 1.0].map(|slice| vec![plane_position(&grid(), slice)]).to_vec();
        let mut elements = multi_frame([identity("MR", "2.25.3"), pixel_format(&grid(), 8)].concat(), &grid(), groups);
        elements.push(pixels);
        decode(&file(dataset(elements), uids::RLE_LOSSLESS)).map_err(|problem| problem.to_string())
    };
    let frames = [0, 1].map(|slice| rle(&[bytes(slice)]));
    let lengths = [100, 36, 200];
    let pieces = |frame: &Vec<u8>| {
        let mut rest = &frame[..];
        let mut pieces: Vec<Vec<u8>> =
            lengths.iter().filter_map(|&length| rest.split_off(..length)).map(<[u8]>::to_vec).collect();
        pieces.push(rest.to_vec());
        pieces
    };
    let second = frames[0].len() + 8 * pieces(&frames[0]).len();
    let all: Vec<Vec<u8>> = frames.iter().flat_map(pieces).collect();
    let image = multi_frame(fragments_from(vec![0, second as u32], all.clone())).unwrap();
    assert_voxels(&image, PixelType::U8, (0..2).flat_map(bytes).map(f64::from));
    assert!(multi_frame(fragments(all.clone())).unwrap_err().contains("offset table of 0 entries for 2 frames"));
    // An offset at which no fragment begins leaves nothing of the first frame or of the second.
    assert!(multi_frame(fragments_from(vec![u32::MAX, 0], all)).is_err());
}

#[test]
fn lossless_jpeg() {
    for syntax in [uids::JPEG_LOSSLESS_SV1, uids::JPEG_LOSSLESS] {
        let image = read(syntax, 16, &[], |slice| fragments(vec![jpeg_lossless(&words(slice), COLUMNS, 16)]));
        assert_voxels(&image, PixelType::U16, (0..2).flat_map(words).map(f64::from));
        let wide = |slice| bytes(slice).into_iter().map(u16::from).collect::<Vec<_>>();
        let image = read(syntax, 8, &[], |slice| fragments(vec![jpeg_lossless(&wide(slice), COLUMNS, 8)]));
        assert_voxels(&image, PixelType::U8, (0..2).flat_map(bytes).map(f64::from));
    }
}

#[test]
fn baseline_jpeg() {
    for syntax in [uids::JPEG_BASELINE8_BIT, uids::JPEG_EXTENDED12_BIT] {
        let image = read(syntax, 8, &[], |slice| fragments(vec![jpeg_baseline(&bytes(slice), COLUMNS)]));
        assert_eq!(image.pixel_type(), PixelType::U8);
        let expected: Vec<u8> = (0..2).flat_map(bytes).collect();
        let worst = image.cast::<i16>().as_slice().iter().zip(&expected).map(|(a, b)| (a - i16::from(*b)).abs()).max();
        assert!(worst.unwrap() <= 2, "{worst:?}");
    }
}

#[test]
fn compressed_frames_of_another_size_are_refused() {
    let mut elements = classic(&oblique([COLUMNS + 1, ROWS, 1]), 0, 8);
    elements.push(fragments(vec![jpeg_baseline(&bytes(0), COLUMNS)]));
    let error = decode(&file(dataset(elements), uids::JPEG_BASELINE8_BIT)).unwrap_err().to_string();
    assert!(error.contains("[20, 24] pixels where [20, 25]"), "{error}");
}

#[cfg(feature = "jpeg2000")]
#[test]
fn jpeg_2000() {
    // A ramp 16 x 8 of 16 bits, value 300 y + 17 x, coded by tests/data/make_jpeg2000.py.
    let codestreams: [(&str, &[u8]); 2] = [
        (uids::JPEG2000_LOSSLESS, include_bytes!("../data/ramp.j2k")),
        (uids::HTJ2K_LOSSLESS, include_bytes!("../data/ramp.jhc")),
    ];
    for (syntax, codestream) in codestreams {
        let mut elements = classic(&oblique([16, 8, 1]), 0, 16);
        elements.push(fragments(vec![codestream.to_vec()]));
        let image = decode(&file(dataset(elements), syntax)).unwrap();
        assert_voxels(&image, PixelType::U16, (0..128).map(|i| f64::from(300 * (i / 16) + 17 * (i % 16))));
    }
}

#[test]
fn syntaxes_that_are_not_read_are_named() {
    let mut elements = classic(&oblique([16, 8, 1]), 0, 16);
    elements.push(fragments(vec![vec![0, 0, 1, 0xb3]]));
    let error = decode(&file(dataset(elements), uids::MPEG2MPML)).unwrap_err();
    assert!(matches!(error, alnm_imaging::FileProblem::Unsupported { .. }), "{error}");
    assert!(
        error.to_string().contains("1.2.840.10008.1.2.4.100") && error.to_string().contains("the features jpeg2000"),
        "{error}"
    );
}

#[test]
fn words_of_32_bits() {
    let values: Vec<u32> = (0..COLUMNS * ROWS).map(|i| 4_000_000_000 - 7 * i as u32).collect();
    let stored: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let image = read(uids::EXPLICIT_VR_LITTLE_ENDIAN, 32, &[], |_| pixels(&stored));
    assert_voxels(&image, PixelType::U32, values.iter().chain(&values).map(|&value| f64::from(value)));
    let image = read(uids::EXPLICIT_VR_LITTLE_ENDIAN, 32, &[short(tags::PIXEL_REPRESENTATION, 1)], |_| pixels(&stored));
    assert_voxels(&image, PixelType::I32, values.iter().chain(&values).map(|&value| f64::from(value.cast_signed())));
}

#[test]
fn floating_point_pixels() {
    let values: Vec<f32> = (0..COLUMNS * ROWS).map(|i| 0.1 + i as f32).collect();
    let of_float = |_| {
        let element = DataElement::new(tags::FLOAT_PIXEL_DATA, VR::OF, PrimitiveValue::F32(values.clone().into()));
        vec![element]
    };
    let of_double = |_| {
        let doubles: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
        vec![DataElement::new(tags::DOUBLE_FLOAT_PIXEL_DATA, VR::OD, PrimitiveValue::F64(doubles.into()))]
    };
    let single = |bits: u16, elements: Vec<InMemElement>| {
        let mut object = dataset(classic(&oblique([COLUMNS, ROWS, 1]), 0, bits));
        for tag in [tags::BITS_STORED, tags::HIGH_BIT, tags::PIXEL_REPRESENTATION] {
            object.remove_element(tag);
        }
        elements.into_iter().for_each(|element| drop(object.put(element)));
        decode(&file(object, uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap()
    };
    let expected = || values.iter().map(|&value| f64::from(value));
    assert_voxels(&single(32, of_float(0)), PixelType::F32, expected());
    assert_voxels(&single(64, of_double(0)), PixelType::F64, expected());
}

#[test]
fn stored_bits_are_cut_out_and_rescaled() {
    // Twelve bits below the top, signed, times 2 less 100; the bits around them hold something else.
    let further = [
        short(tags::BITS_STORED, 12),
        short(tags::HIGH_BIT, 13),
        short(tags::PIXEL_REPRESENTATION, 1),
        decimals(tags::RESCALE_SLOPE, &[2.0]),
        decimals(tags::RESCALE_INTERCEPT, &[-100.0]),
    ];
    let value = |i: usize| i as i16 * 8 - 2048;
    let stored: Vec<u16> = (0..COLUMNS * ROWS).map(|i| (value(i).cast_unsigned() & 0xfff) << 2 | 0x8001).collect();
    let image = read(uids::EXPLICIT_VR_LITTLE_ENDIAN, 16, &further, |_| pixels(&little_endian(&stored)));
    let expected = |i: usize| f64::from(value(i % (COLUMNS * ROWS))) * 2.0 - 100.0;
    assert_voxels(&image, PixelType::I16, (0..2 * COLUMNS * ROWS).map(expected));
}
