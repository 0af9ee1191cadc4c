//! Files that bend the standard, or use what it allows and few do.

use std::path::Path;

use alnm_imaging::dicom::{DicomFolder, SeriesValues, SeriesWarning, VolumeChoice, decode, read_phases, read_series};
use alnm_imaging::read_image;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;

use crate::builder::{
    classic, dataset, decimals, file, fragments, identity, integer, pixel_format, pixels, short, text,
};
use crate::codec::{deflated, jpeg_baseline, rle};
use crate::oblique;

const PREAMBLE: usize = 132;

fn slice() -> Vec<u8> {
    let mut elements = classic(&oblique([6, 5, 1]), 0, 16);
    elements.push(pixels(&[7; 60]));
    file(dataset(elements), uids::EXPLICIT_VR_LITTLE_ENDIAN)
}

/// The meta group of a file, element by element.
fn elements_of_meta(complete: &[u8]) -> (Vec<Vec<u8>>, &[u8]) {
    let mut rest = &complete[PREAMBLE..];
    let mut elements = Vec::new();
    while rest[..2] == [2, 0] {
        let is_long = &rest[4..6] == b"OB";
        let length = if is_long {
            12 + u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize
        } else {
            8 + usize::from(u16::from_le_bytes(rest[6..8].try_into().unwrap()))
        };
        let (element, after) = rest.split_at(length);
        elements.push(element.to_vec());
        rest = after;
    }
    (elements, rest)
}

#[test]
fn only_the_transfer_syntax_of_the_meta_group_counts() {
    let complete = slice();
    let image = decode(&complete).unwrap();
    let (elements, data) = elements_of_meta(&complete);
    let preamble = &complete[..PREAMBLE];
    let joined = |elements: Vec<Vec<u8>>| [preamble, &elements.concat(), data].concat();
    // Without the length of the group, and with a wrong one.
    assert_eq!(decode(&joined(elements[1..].to_vec())).unwrap(), image);
    let mut wrong = elements.clone();
    wrong[0][8] ^= 0x3f;
    assert_eq!(decode(&joined(wrong)).unwrap(), image);
    // A title of an application entity of 18 characters, a version name of 26, and an identifier with a letter.
    let mut long = elements.clone();
    long.push([&[2, 0, 0x16, 0][..], b"AE", &18_u16.to_le_bytes(), &[b' '; 18]].concat());
    long.push([&[2, 0, 0x13, 0][..], b"SH", &26_u16.to_le_bytes(), &[b'v'; 26]].concat());
    long.push([&[2, 0, 0x12, 0][..], b"UI", &4_u16.to_le_bytes(), b"1.x\0"].concat());
    assert_eq!(decode(&joined(long)).unwrap(), image);
    // Neither preamble nor length: the file begins with the transfer syntax.
    let syntax = elements.iter().find(|element| element[2..4] == [0x10, 0]).unwrap();
    let bare = [syntax.as_slice(), data].concat();
    assert_eq!(decode(&bare).unwrap(), image);
    let without = elements.iter().filter(|element| element[2..4] != [0x10, 0]).cloned().collect();
    assert!(decode(&joined(without)).unwrap_err().to_string().contains("TransferSyntaxUID is missing"));
}

#[test]
fn a_preamble_may_look_like_another_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0.dcm");
    let mut bytes = slice();
    let image = decode(&bytes).unwrap();
    for signature in [&348_i32.to_le_bytes()[..], b"NRRD0004"] {
        bytes[..signature.len()].copy_from_slice(signature);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read_image(&path).unwrap(), image);
    }
}

#[test]
fn sequences_of_unknown_representation_are_implicit() {
    let complete = slice();
    let image = decode(&complete).unwrap();
    // Before the patient's identifier: a private sequence of undefined length, whose elements have no representation.
    let place = complete.windows(6).position(|window| window == b"\x10\0\x20\0LO").unwrap();
    let sequence = [
        &b"\x09\0\x10\x10UN\0\0\xff\xff\xff\xff"[..],
        b"\xfe\xff\0\xe0\xff\xff\xff\xff",
        b"\x08\0\x50\x11\x04\0\0\x001.2\0",
        b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0",
    ]
    .concat();
    let (before, after) = complete.split_at(place);
    assert_eq!(decode(&[before, &sequence, after].concat()).unwrap(), image);
}

#[test]
fn sequences_of_unknown_representation_stand_inside_of_others() {
    let grid = oblique([6, 5, 2]);
    let groups = (0..2).map(|slice| vec![crate::builder::plane_position(&grid, f64::from(slice))]).collect();
    let mut elements =
        crate::builder::multi_frame([identity("MR", "2.25.3"), pixel_format(&grid, 8)].concat(), &grid, groups);
    elements.push(pixels(&[7; 60]));
    let complete = file(dataset(elements), uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let image = decode(&complete).unwrap();
    // Behind the place of the first frame, in the item that holds it. A reader that takes the empty elements for explicit
    // ones finds a length of 2.9 GB in the second tag.
    let item_end = b"\xfe\xff\x0d\xe0\0\0\0\0";
    let position = complete.windows(6).position(|window| window == b"\x20\0\x32\0DS").unwrap();
    let place = position + complete[position..].windows(8).position(|window| window == item_end).unwrap();
    let sequence = [
        &b"\x21\0\x10\x10UN\0\0\xff\xff\xff\xff"[..],
        b"\xfe\xff\0\xe0\xff\xff\xff\xff",
        b"\x18\0\x01\0\0\0\0\0",
        b"\0\x04\0\xae\0\0\0\0",
        item_end,
        b"\xfe\xff\xdd\xe0\0\0\0\0",
    ]
    .concat();
    assert_eq!(decode(&[&complete[..place], &sequence, &complete[place..]].concat()).unwrap(), image);
}

#[test]
fn frames_in_several_fragments_begin_with_their_mark() {
    let frames: Vec<Vec<u8>> = [40, 90].map(|value| jpeg_baseline(&[value; 30], 6)).to_vec();
    let cut = |frame: &Vec<u8>| {
        let (a, b) = frame.split_at((frame.len() / 2) & !1);
        vec![a.to_vec(), b.to_vec()]
    };
    let grid = oblique([6, 5, 2]);
    let groups = (0..2).map(|slice| vec![crate::builder::plane_position(&grid, f64::from(slice))]).collect();
    let mut elements = identity("MR", "2.25.3");
    elements.extend(pixel_format(&grid, 8));
    let mut elements = crate::builder::multi_frame(elements, &grid, groups);
    let one_each = {
        let mut elements = elements.clone();
        elements.push(fragments(frames.clone()));
        decode(&file(dataset(elements), uids::JPEG_BASELINE8_BIT)).unwrap()
    };
    elements.push(fragments(frames.iter().flat_map(cut).collect()));
    assert_eq!(decode(&file(dataset(elements), uids::JPEG_BASELINE8_BIT)).unwrap(), one_each);
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_read() {
    let folder = tempfile::tempdir().unwrap();
    for slice in 0..3 {
        let mut elements = classic(&oblique([6, 5, 3]), slice, 8);
        elements.push(pixels(&[1; 30]));
        write(folder.path(), &format!("{slice}.dcm"), elements);
    }
    let cut = slice();
    std::fs::write(folder.path().join("cut.dcm"), &cut[..cut.len() / 2]).unwrap();
    let mut lone = dataset(classic(&oblique([6, 5, 1]), 0, 8));
    lone.remove_element(tags::SERIES_INSTANCE_UID);
    lone.put(pixels(&[1; 30]));
    std::fs::write(folder.path().join("lone.dcm"), file(lone.clone(), uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
    let mut expected = vec!["cut.dcm", "lone.dcm"];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("nowhere", folder.path().join("link.dcm")).unwrap();
        expected.insert(1, "link.dcm");
    }
    let scanned = DicomFolder::scan(folder.path()).unwrap();
    assert_eq!(scanned.only_series().unwrap().slice_count(), 3);
    let mut named: Vec<String> = scanned.file_problems().iter().map(ToString::to_string).collect();
    named.sort();
    assert_eq!(named.len(), expected.len());
    for name in expected {
        assert!(named.iter().any(|problem| problem.contains(name)), "{name}: {named:?}");
    }
    // By itself the file without the identifier of a series is read.
    assert_eq!(read_image(folder.path().join("lone.dcm")).unwrap().geometry().size(), [6, 5, 1]);
    let alone = tempfile::tempdir().unwrap();
    std::fs::write(alone.path().join("cut.dcm"), &cut[..cut.len() / 2]).unwrap();
    let error = DicomFolder::scan(alone.path()).unwrap_err().to_string();
    assert!(error.contains("cut.dcm"), "{error}");
}

fn write(folder: &Path, name: &str, elements: Vec<InMemElement>) {
    std::fs::write(folder.join(name), file(dataset(elements), uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
}

/// An image of a modality whose images have no place in space.
fn projection(modality: &str, frames: usize, elements: Vec<InMemElement>) -> InMemDicomObject {
    let mut object = dataset(identity(modality, "2.25.3"));
    pixel_format(&oblique([6, 5, 1]), 8).into_iter().chain(elements).for_each(|element| drop(object.put(element)));
    if frames > 1 {
        object.put(integer(tags::NUMBER_OF_FRAMES, frames as i64));
    }
    object.put(pixels(&(0..frames).flat_map(|frame| [frame as u8; 30]).collect::<Vec<u8>>()));
    object
}

#[test]
fn objects_without_pixels_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut elements = classic(&oblique([6, 5, 1]), 0, 8);
    elements.push(pixels(&[1; 30]));
    write(folder.path(), "image", elements);
    // Philips stores settings of its scanner beside the images, in their series.
    let mut private = dataset(classic(&oblique([6, 5, 1]), 0, 8));
    for tag in [tags::BITS_ALLOCATED, tags::SAMPLES_PER_PIXEL, tags::PHOTOMETRIC_INTERPRETATION] {
        private.remove_element(tag);
    }
    std::fs::write(folder.path().join("private"), file(private, uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
    assert_eq!(read_series(folder.path()).unwrap().geometry().size(), [6, 5, 1]);
}

#[test]
fn projections_are_two_dimensional() {
    let read = |elements: Vec<InMemElement>| {
        let folder = tempfile::tempdir().unwrap();
        let object = projection("MG", 1, elements);
        std::fs::write(folder.path().join("a.dcm"), file(object, uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
        let scanned = DicomFolder::scan(folder.path()).unwrap();
        let series = scanned.only_series().unwrap();
        let geometry = series.image().unwrap().geometry().clone();
        assert_eq!((geometry.dimension(), geometry.size()), (2, [6, 5, 1]));
        (geometry.spacing(), series.warnings().to_vec())
    };
    assert_eq!(read(vec![decimals(tags::PIXEL_SPACING, &[0.1, 0.2])]), ([0.2, 0.1, 1.0], vec![]));
    let detector = read(vec![decimals(tags::IMAGER_PIXEL_SPACING, &[0.1, 0.2])]);
    assert_eq!(detector, ([0.2, 0.1, 1.0], vec![SeriesWarning::DetectorSpacing]));
    assert_eq!(read(vec![]), ([1.0, 1.0, 1.0], vec![SeriesWarning::UnknownSpacing]));
    let negative = text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1");
    let said = read(vec![decimals(tags::PIXEL_SPACING, &[0.1, 0.2]), negative]).1;
    assert_eq!(said, [SeriesWarning::HighIsDark]);
    let of_none = read(vec![decimals(tags::PIXEL_SPACING, &[0.0, 0.0])]);
    assert_eq!(of_none, ([1.0, 1.0, 1.0], vec![SeriesWarning::UnknownSpacing]));
}

/// The luminances of an image of 3 × 2 pixels, which is refused where they are not asked for.
fn luminances(syntax: &str, elements: Vec<InMemElement>) -> Vec<f64> {
    luminances_of([3, 2], syntax, elements)
}

/// The luminances of an image of so many columns and rows.
fn luminances_of([columns, rows]: [usize; 2], syntax: &str, elements: Vec<InMemElement>) -> Vec<f64> {
    let mut object = dataset(classic(&oblique([columns, rows, 1]), 0, 8));
    elements.into_iter().for_each(|element| drop(object.put(element)));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), file(object, syntax)).unwrap();
    let series = DicomFolder::scan(folder.path()).unwrap().only_series().unwrap().clone();
    let refused = series.image().unwrap_err().to_string();
    assert!(refused.contains("colours"), "{refused}");
    let choice = VolumeChoice::default().with_values(SeriesValues::Luminance);
    series.choose(&choice).unwrap().image().unwrap().cast::<f64>().as_slice().to_vec()
}

#[test]
fn the_luminance_of_colours_is_read_on_request() {
    let read = |syntax: &str, interpretation: &str, planar: u16, pixels| {
        let elements = vec![
            short(tags::SAMPLES_PER_PIXEL, 3),
            short(tags::PLANAR_CONFIGURATION, planar),
            text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, interpretation),
            pixels,
        ];
        luminances(syntax, elements)
    };
    const NATIVE: &str = uids::EXPLICIT_VR_LITTLE_ENDIAN;
    let colours: [[u8; 3]; 6] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255; 3], [10, 20, 30], [200, 100, 50]];
    // As Pillow 13.0 converts to "L".
    let expected = [76.0, 150.0, 29.0, 255.0, 18.0, 124.0];
    assert_eq!(read(NATIVE, "RGB", 0, pixels(colours.as_flattened())), expected);
    let planes: Vec<u8> = (0..3).flat_map(|sample| colours.map(|colour| colour[sample])).collect();
    assert_eq!(read(NATIVE, "RGB", 1, pixels(&planes)), expected);
    let first = [255.0, 0.0, 0.0, 255.0, 10.0, 200.0];
    assert_eq!(read(NATIVE, "YBR_FULL", 0, pixels(colours.as_flattened())), first);
    // Two luminances, then the differences that they share.
    assert_eq!(
        read(NATIVE, "YBR_FULL_422", 0, pixels(&[1, 2, 90, 91, 3, 4, 92, 93, 5, 6, 94, 95])),
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    );
    let planes: Vec<Vec<u8>> = planes.chunks(6).map(<[u8]>::to_vec).collect();
    assert_eq!(read(uids::RLE_LOSSLESS, "RGB", 0, fragments(vec![rle(&planes)])), expected);
    assert_eq!(read(uids::RLE_LOSSLESS, "YBR_FULL", 0, fragments(vec![rle(&planes)])), first);
    let frame = fragments(vec![deflated(colours.as_flattened())]);
    assert_eq!(read(uids::DEFLATED_IMAGE_FRAME_COMPRESSION, "RGB", 0, frame), expected);
}

#[cfg(feature = "jpeg2000")]
#[test]
fn the_luminance_of_colours_in_jpeg_2000_is_read_on_request() {
    // 16 x 8 pixels, red 15 x, green 30 y, blue 10 x + y, with the reversible transform, coded by tests/data/make_jpeg2000.py.
    let elements = vec![
        short(tags::SAMPLES_PER_PIXEL, 3),
        short(tags::PLANAR_CONFIGURATION, 0),
        text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "YBR_RCT"),
        fragments(vec![include_bytes!("../data/colours.j2k").to_vec()]),
    ];
    let read = luminances_of([16, 8], uids::JPEG2000_LOSSLESS, elements);
    // As Pillow converts to "L": ITU-R 601 in fixed point.
    let luminance = |x: u32, y: u32| (19_595 * 15 * x + 38_470 * 30 * y + 7_471 * (10 * x + y) + (1 << 15)) >> 16;
    let expected: Vec<f64> = (0..128).map(|i| f64::from(luminance(i % 16, i / 16))).collect();
    assert_eq!(read, expected);
}

#[test]
fn the_luminance_of_palettes_is_read_on_request() {
    let word = |tag, words: &[u16]| DataElement::new(tag, VR::OW, PrimitiveValue::U16(words.into()));
    let read = |bits: u16, tables: [&[u16]; 3]| {
        let [red, green, blue] = tables;
        let descriptor = |tag| DataElement::new(tag, VR::US, PrimitiveValue::U16([3, 10, bits].as_slice().into()));
        let elements = vec![
            text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "PALETTE COLOR"),
            descriptor(tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR),
            descriptor(tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR),
            descriptor(tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR),
            word(tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA, red),
            word(tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA, green),
            word(tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA, blue),
            // The first entry is that of index 10; beyond the table its ends go on.
            pixels(&[10, 11, 12, 0, 13, 255]),
        ];
        luminances(uids::EXPLICIT_VR_LITTLE_ENDIAN, elements)
    };
    let expected = [76.0, 150.0, 255.0, 76.0, 255.0, 255.0];
    assert_eq!(read(8, [&[255, 0, 255], &[0, 255, 255], &[0, 0, 255]]), expected);
    // The same two bytes in a word, and from the top of each word.
    assert_eq!(read(8, [&[0x00ff, 0x00ff], &[0xff00, 0x00ff], &[0x0000, 0x00ff]]), expected);
    assert_eq!(read(8, [&[0xff00, 0, 0xff00], &[0, 0xff00, 0xff00], &[0, 0, 0xff00]]), expected);
    // 0.299 · 65535 and 0.587 · 65535, with the weights in 65536ths.
    let wide = read(16, [&[0xffff, 0, 0xffff], &[0, 0xffff, 0xffff], &[0, 0, 0xffff]]);
    assert_eq!(wide, [19_595.0, 38_469.0, 65_535.0, 19_595.0, 65_535.0, 65_535.0]);
}

#[test]
fn several_projections_of_a_series_are_numbered() {
    let folder = tempfile::tempdir().unwrap();
    for (name, instance) in [("a", 2), ("b", 1)] {
        let spacing = decimals(tags::PIXEL_SPACING, &[f64::from(instance), 1.0]);
        let object = projection("DX", 1, vec![spacing, integer(tags::INSTANCE_NUMBER, i64::from(instance))]);
        std::fs::write(folder.path().join(name), file(object, uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
    }
    let scanned = DicomFolder::scan(folder.path()).unwrap();
    let volumes = scanned.only_series().unwrap().volumes().unwrap();
    assert_eq!(volumes.iter().map(|volume| volume.geometry.spacing()[1]).collect::<Vec<_>>(), [1.0, 2.0]);
    assert_eq!(volumes[1].to_string(), "2 image 2");
}

#[test]
fn the_frames_of_a_film_are_phases() {
    let folder = tempfile::tempdir().unwrap();
    let spacing = decimals(tags::IMAGER_PIXEL_SPACING, &[0.3, 0.3]);
    let object = projection("XA", 3, vec![spacing, decimals(tags::FRAME_TIME, &[66.5])]);
    std::fs::write(folder.path().join("film"), file(object, uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
    let film = read_phases(folder.path()).unwrap();
    assert_eq!(film.times(), [0.0, 0.0665, 0.133]);
    assert_eq!(film.images()[2].cast::<f64>().as_slice()[0], 2.0);
    assert_eq!(film.images()[0].geometry().dimension(), 2);
}

#[test]
fn doses_lie_by_their_offsets_and_are_scaled() {
    let grid = oblique([6, 5, 3]);
    let dose = |offsets: &[f64]| {
        let mut elements = classic(&grid, 0, 8);
        elements.extend([
            text(tags::MODALITY, VR::CS, "RTDOSE"),
            integer(tags::NUMBER_OF_FRAMES, 3),
            decimals(tags::GRID_FRAME_OFFSET_VECTOR, offsets),
            decimals(tags::DOSE_GRID_SCALING, &[0.25]),
            pixels(&(0..3_u8).flat_map(|frame| [10 * frame; 30]).collect::<Vec<u8>>()),
        ]);
        decode(&file(dataset(elements), uids::EXPLICIT_VR_LITTLE_ENDIAN))
    };
    let image = dose(&[0.0, 2.1, 4.2]).unwrap();
    assert!(image.geometry().difference(&grid, 1e-6).is_none(), "{:?}", image.geometry());
    assert_eq!(image.cast::<f64>().as_slice()[60..], [5.0; 30]);
    assert!(dose(&[0.0, 2.1]).unwrap_err().to_string().contains("GridFrameOffsetVector"));
}

#[test]
fn decimal_strings_of_unknown_representation_are_read() {
    let grid = oblique([6, 5, 1]);
    let mut object = dataset(classic(&grid, 0, 8));
    object.put(pixels(&[1; 30]));
    let image = decode(&file(object.clone(), uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
    for tag in [tags::IMAGE_POSITION_PATIENT, tags::IMAGE_ORIENTATION_PATIENT, tags::PIXEL_SPACING] {
        let written = object.element(tag).unwrap().to_str().unwrap().into_owned();
        let padded = if written.len().is_multiple_of(2) { written } else { written + " " };
        object.put(DataElement::new(tag, VR::UN, PrimitiveValue::from(padded.into_bytes())));
    }
    assert_eq!(decode(&file(object, uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap(), image);
}

#[test]
fn slices_of_nuclear_medicine_follow_their_vector() {
    let grid = oblique([6, 5, 3]);
    let mut detector = classic(&grid, 0, 8);
    detector.retain(|element| {
        [tags::IMAGE_POSITION_PATIENT, tags::IMAGE_ORIENTATION_PATIENT].contains(&element.header().tag)
    });
    let vector =
        |tag, values: &[u16]| DataElement::new(tag, VR::US, PrimitiveValue::U16(values.iter().copied().collect()));
    let mut elements = crate::builder::measures(&grid);
    elements.extend([
        crate::builder::sequence(tags::DETECTOR_INFORMATION_SEQUENCE, vec![dataset(detector)]),
        vector(tags::SLICE_VECTOR, &[1, 2, 3, 1, 2, 3]),
        vector(tags::TIME_SLOT_VECTOR, &[1, 1, 1, 2, 2, 2]),
    ]);
    let object = projection("NM", 6, elements);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), file(object, uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
    let phases = read_phases(folder.path()).unwrap();
    assert_eq!(phases.phase_count(), 2);
    let second = &phases.images()[1];
    assert!(second.geometry().difference(&grid, 1e-6).is_none(), "{:?}", second.geometry());
    assert_eq!(second.cast::<f64>().as_slice()[30], 4.0);
}

#[test]
fn a_slice_without_a_place_among_others_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for slice in 0..3 {
        let mut elements = classic(&oblique([6, 5, 3]), slice, 8);
        elements.retain(|element| slice != 1 || element.header().tag != tags::IMAGE_POSITION_PATIENT);
        elements.push(pixels(&[1; 30]));
        write(folder.path(), &format!("{slice}.dcm"), elements);
    }
    let error = read_series(folder.path()).unwrap_err().to_string();
    assert!(error.contains("1.dcm") && error.contains("ImagePositionPatient"), "{error}");
}
