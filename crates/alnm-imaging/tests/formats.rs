//! What each format allows beyond what the writers write: encodings, detached voxels, byte orders, orientations,
//! scales.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::Path;

#[cfg(feature = "dicom")]
use alnm_imaging::dicom::{Phase, SeriesAttributes, write_series};
use alnm_imaging::{
    FileProblem, Geometry, Image, ImagingError, PixelType, Volume, metaimage, nrrd, read_image, write_image,
};
use ndarray::Array3;

const SIZE: [usize; 3] = [4, 3, 2];

/// The voxels 0, 1, 2, … of 16 bits.
fn words() -> Vec<i16> {
    (0..24).map(|i| 100 * i - 700).collect()
}

fn little() -> Vec<u8> {
    words().iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn big() -> Vec<u8> {
    words().iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn text() -> Vec<u8> {
    words().iter().map(|word| format!("{word}\n")).collect::<String>().into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Writes files into a folder and reads the first of them.
fn read(files: &[(&str, &[u8])]) -> alnm_imaging::Result<Image> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    read_image(folder.path().join(files[0].0))
}

fn assert_words(image: &Image) {
    assert_eq!((image.pixel_type(), image.geometry().size()), (PixelType::I16, SIZE));
    assert_eq!(image.cast::<i16>().as_slice(), words());
}

fn nrrd_header(encoding: &str, endian: &str, rest: &str) -> Vec<u8> {
    format!("NRRD0004\n# a comment\ntype: short\ndimension: 3\nsizes: 4 3 2\nkey:=value\nencoding: {encoding}\nendian: {endian}\n{rest}")
        .into_bytes()
}

#[test]
fn nrrd_encodings() {
    let hex: Vec<u8> = little().iter().flat_map(|byte| format!("{byte:02X} ").into_bytes()).collect();
    let encodings: [(&str, &str, Vec<u8>); 10] = [
        ("raw", "little", little()),
        ("raw", "big", big()),
        ("ascii", "little", text()),
        ("txt", "little", text()),
        ("text", "little", text()),
        ("hex", "little", hex),
        ("gzip", "little", gzip(&little())),
        ("gz", "big", gzip(&big())),
        ("bzip2", "little", bzip2(&little())),
        ("bz2", "big", bzip2(&big())),
    ];
    for (encoding, endian, data) in encodings {
        let attached = [nrrd_header(encoding, endian, "\n"), data.clone()].concat();
        assert_words(&read(&[("a.nrrd", &attached)]).unwrap());
        assert_words(&nrrd::decode(&attached).unwrap());
        let detached = nrrd_header(encoding, endian, "data file: voxels\n");
        assert_words(&read(&[("a.nhdr", &detached), ("voxels", &data)]).unwrap());
        let skipping = nrrd_header(encoding, endian, "line skip: 2\ndatafile: voxels\n");
        assert_words(&read(&[("a.nhdr", &skipping), ("voxels", &[b"one\ntwo\n".as_slice(), &data].concat())]).unwrap());
    }
}

#[test]
fn nrrd_bytes_are_skipped_in_what_is_decompressed() {
    let behind = |bytes: &[u8]| [b"abc".as_slice(), bytes].concat();
    let hex: Vec<u8> = little().iter().flat_map(|byte| format!("{byte:02X} ").into_bytes()).collect();
    let data = [
        ("raw", behind(&little())),
        ("text", behind(&text())),
        ("hex", behind(&hex)),
        ("gzip", gzip(&behind(&little()))),
        ("bzip2", bzip2(&behind(&little()))),
    ];
    for (encoding, data) in data {
        let attached = nrrd_header(encoding, "little", "byte skip: 3\n\n");
        assert_words(&nrrd::decode(&[attached, data.clone()].concat()).unwrap());
        let detached = nrrd_header(encoding, "little", "byte skip: 3\ndata file: voxels\n");
        assert_words(&read(&[("a.nhdr", &detached), ("voxels", &data)]).unwrap());
    }
    let raw = behind(&little());
    for (skip, data) in [(-1, raw.clone()), (-3, [raw.clone(), b"de".to_vec()].concat())] {
        let attached = [nrrd_header("raw", "little", &format!("byte skip: {skip}\n\n")), data.clone()].concat();
        assert_words(&nrrd::decode(&attached).unwrap());
        assert_words(&read(&[("a.nrrd", &attached)]).unwrap());
        let detached = nrrd_header("raw", "little", &format!("byte skip: {skip}\ndata file: voxels\n"));
        assert_words(&read(&[("a.nhdr", &detached), ("voxels", &data)]).unwrap());
        assert!(nrrd::decode(&attached[..attached.len() - 4]).is_err(), "voxels must not begin inside the header");
    }
    // From the end of what is decompressed, as from that of a compressed NIfTI file.
    assert_words(&nrrd::decode(&[nrrd_header("gzip", "little", "byte skip: -1\n\n"), gzip(&raw)].concat()).unwrap());
    assert!(nrrd::decode(&[nrrd_header("gzip", "little", "byte skip: -1\n\n"), gzip(&raw[9..])].concat()).is_err());
    assert!(nrrd::decode(&[nrrd_header("text", "little", "byte skip: -1\n\n"), text()].concat()).is_err());
}

#[test]
fn nrrd_words_in_any_case_and_the_oldest_magic() {
    let header = "NRRD00.01\ntype: Short\ndimension: 3\nsizes: 4 3 2\nkinds: Domain SPACE domain\nencoding: RAW\nendian: Little\n\n";
    assert_words(&nrrd::decode(&[header.as_bytes(), &little()].concat()).unwrap());
}

#[test]
fn names_with_a_percent_sign() {
    let little = little();
    assert_words(
        &read(&[("50%.nhdr", &nrrd_header("raw", "little", "data file: 50%.raw\n")), ("50%.raw", &little)]).unwrap(),
    );
    assert_words(
        &read(&[("a.mhd", &metaimage_header("ElementDataFile = 50% of it.raw\n")), ("50% of it.raw", &little)])
            .unwrap(),
    );
    let folder = tempfile::tempdir().unwrap();
    let image = Image::from(volume());
    for name in ["50%.nhdr", "50%d 1 2.mhd"] {
        let path = folder.path().join(name);
        write_image(&path, &image).unwrap();
        assert_eq!(read_image(&path).unwrap().cast::<i16>(), image.cast::<i16>(), "{name}");
    }
}

#[test]
fn nrrd_files_of_slices() {
    let (little, text) = (little(), text());
    let [first, second] = [&little[..24], &little[24..]];
    for rest in ["data file: LIST\nb\nc\n", "data file: LIST 2\nb\nc\n"] {
        assert_words(&read(&[("a.nhdr", &nrrd_header("raw", "little", rest)), ("b", first), ("c", second)]).unwrap());
        let packed = [gzip(first), gzip(second)];
        assert_words(
            &read(&[("a.nhdr", &nrrd_header("gzip", "little", rest)), ("b", &packed[0]), ("c", &packed[1])]).unwrap(),
        );
    }
    let numbered = nrrd_header("raw", "little", "data file: s%02d.raw 7 9 2\n");
    let of_planes = nrrd_header("raw", "little", "data file: s%02d.raw 7 9 2 2\n");
    for header in [&numbered, &of_planes] {
        assert_words(&read(&[("a.nhdr", header), ("s07.raw", first), ("s09.raw", second)]).unwrap());
    }
    let middle = text.len() / 2;
    let cut = text[..middle].iter().rposition(|&byte| byte == b'\n').unwrap();
    let list = nrrd_header("text", "little", "data file: LIST\nb\nc\n");
    // The last number of a file may have no line end behind it.
    assert_words(&read(&[("a.nhdr", &list), ("b", &text[..cut]), ("c", &text[cut + 1..])]).unwrap());
    let short = read(&[
        ("a.nhdr", &nrrd_header("raw", "little", "data file: LIST\nb\nc\n")),
        ("b", &first[..20]),
        ("c", second),
    ]);
    assert!(short.unwrap_err().to_string().contains("ends 4 bytes early"));
    let missing = read(&[("a.nhdr", &numbered), ("s07.raw", first)]).unwrap_err().to_string();
    assert!(missing.contains("s09.raw"), "{missing}");
}

#[test]
fn nrrd_spaces() {
    let read = |rest: &str| {
        read(&[("a.nrrd", &[nrrd_header("raw", "little", &format!("{rest}\n\n")), little()].concat())]).unwrap()
    };
    let directions = "space directions: (0,2,0) (-3,0,0) (0,0,4)\nspace origin: (5,6,7)";
    let lps = read(&format!("space: left-posterior-superior\n{directions}"));
    assert_eq!(lps.geometry().spacing(), [2.0, 3.0, 4.0]);
    assert_eq!(lps.geometry().origin(), [5.0, 6.0, 7.0]);
    assert_eq!(lps.geometry().index_to_point([1.0, 1.0, 1.0]), [2.0, 8.0, 11.0]);
    let ras = read(&format!("space: RAS\n{directions}"));
    assert_eq!(ras.geometry().index_to_point([1.0, 1.0, 1.0]), [-2.0, -8.0, 11.0]);
    let las = read(&format!("space: left-anterior-superior\n{directions}"));
    assert_eq!(las.geometry().index_to_point([1.0, 1.0, 1.0]), [2.0, -8.0, 11.0]);
    let plain = read("spacings: 2 3 4\naxis mins: 10 20 30\ncenterings: node node node");
    assert_eq!((plain.geometry().spacing(), plain.geometry().origin()), ([2.0, 3.0, 4.0], [10.0, 20.0, 30.0]));
}

fn metaimage_header(rest: &str) -> Vec<u8> {
    format!("ObjectType = Image\nNDims = 3\nDimSize = 4 3 2\nElementType = MET_SHORT\n{rest}").into_bytes()
}

#[test]
fn metaimage_voxels_wherever_they_lie() {
    let (little, text) = (little(), text());
    let local = [metaimage_header("ElementDataFile = LOCAL\n"), little.clone()].concat();
    assert_words(&read(&[("a.mha", &local)]).unwrap());
    for (order, value) in
        [("BinaryDataByteOrderMSB", "True"), ("ElementByteOrderMSB", "T"), ("BinaryDataByteOrderMSB", "1")]
    {
        let header = metaimage_header(&format!("{order} = {value}\nElementDataFile = Local\n"));
        assert_words(&read(&[("a.mha", &[header, big()].concat())]).unwrap());
    }
    let from_end =
        [metaimage_header("HeaderSize = -1\nElementDataFile = LOCAL\n"), b"abc".to_vec(), little.clone()].concat();
    let length = metaimage_header("HeaderSize = 123\nElementDataFile = LOCAL\n").len() + 3;
    let at_place = metaimage_header(&format!("HeaderSize = {length}\nElementDataFile = LOCAL\n"));
    for local in [&from_end, &[at_place, b"abc".to_vec(), little.clone()].concat()] {
        assert_words(&read(&[("a.mha", local)]).unwrap());
        assert_words(&metaimage::decode(local).unwrap());
    }
    assert!(
        metaimage::decode(&[metaimage_header("HeaderSize = 9\nElementDataFile = LOCAL\n"), little.clone()].concat())
            .is_err()
    );
    assert!(metaimage::decode(&from_end[..from_end.len() - 4]).is_err(), "voxels must not begin inside the header");
    let packed = zlib(&little);
    let compressed = metaimage_header("CompressedData = True\nElementDataFile = LOCAL\n");
    assert_words(&read(&[("a.mha", &[compressed, packed.clone()].concat())]).unwrap());
    let compressed = metaimage_header("CompressedData = True\nElementDataFile = voxels.zraw\n");
    assert_words(&read(&[("a.mhd", &compressed), ("voxels.zraw", &packed)]).unwrap());
    assert_words(&read(&[("a.mhd", &metaimage_header("ElementDataFile = b.raw\n")), ("b.raw", &little)]).unwrap());
    let behind = [b"header".as_slice(), &little].concat();
    assert_words(
        &read(&[("a.mhd", &metaimage_header("HeaderSize = 6\nElementDataFile = b\n")), ("b", &behind)]).unwrap(),
    );
    assert_words(
        &read(&[("a.mhd", &metaimage_header("HeaderSize = -1\nElementDataFile = b\n")), ("b", &behind)]).unwrap(),
    );
    for value in ["False", "F", "0"] {
        let written = metaimage_header(&format!("BinaryData = {value}\nElementDataFile = LOCAL\n"));
        assert_words(&read(&[("a.mha", &[written, text.clone()].concat())]).unwrap());
    }
    let [first, second] = [&little[..24], &little[24..]];
    assert_words(
        &read(&[("a.mhd", &metaimage_header("ElementDataFile = LIST\nb\nc\n")), ("b", first), ("c", second)]).unwrap(),
    );
    let numbered = metaimage_header("ElementDataFile = s%03d.raw 1 2 1\n");
    assert_words(&read(&[("a.mhd", &numbered), ("s001.raw", first), ("s002.raw", second)]).unwrap());
}

#[test]
fn metaimage_headers_as_others_write_them() {
    let little = little();
    let plain = String::from_utf8(metaimage_header("BinaryData = True\nElementDataFile = LOCAL\n")).unwrap();
    let comment = "a".repeat(600);
    let headers = [
        format!("Comment = {comment}\n{plain}"),
        format!("# {comment}\n\n{plain}"),
        plain.replace("NDims", "\nNDims"),
        plain.replace(" = ", ": "),
        plain.replace(" = ", "="),
        plain.replace('\n', "\r\n"),
        plain.replace("NDims = 3", "NDims = 4").replace("4 3 2", "4 3 2 1"),
    ];
    for header in headers {
        assert_words(&read(&[("a.mha", &[header.as_bytes(), &little].concat())]).unwrap());
    }
    let four = "NDims = 4\nDimSize = 4 3 2 1\nElementType = MET_SHORT\nTransformMatrix = 0 1 0 0 1 0 0 0 0 0 1 0 0 0 0 1\n\
                Offset = 1 2 3 9\nElementSpacing = 2 3 4 9\nElementDataFile = LOCAL\n";
    let image = read(&[("a.mha", &[four.as_bytes(), &little].concat())]).unwrap();
    assert_eq!(image.geometry().index_to_point([1.0, 1.0, 1.0]), [4.0, 4.0, 7.0]);
}

#[test]
fn metaimage_places_and_types() {
    let header = "NDims = 3\nDimSize = 2 1 1\nElementType = MET_LONG\nTransformMatrix = 0 1 0 -1 0 0 0 0 1\nOffset = 1 2 3\nElementSpacing = 2 3 4\nElementDataFile = LOCAL\n";
    let image = read(&[("a.mha", &[header.as_bytes(), &[1, 0, 0, 0, 2, 0, 0, 0]].concat())]).unwrap();
    assert_eq!(image.pixel_type(), PixelType::I32);
    // The rows of the matrix are the directions of the axes.
    assert_eq!(image.geometry().index_to_point([1.0, 0.0, 0.0]), [1.0, 4.0, 3.0]);
}

/// A NIfTI file made by the writer, with changes at places of its header.
fn nifti(name: &str, changes: &[(usize, &[u8])]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    write_image(&path, &volume().into()).unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    for (at, change) in changes {
        bytes[*at..at + change.len()].copy_from_slice(change);
    }
    bytes
}

fn volume() -> Volume<i16> {
    let data = Array3::from_shape_vec([SIZE[2], SIZE[1], SIZE[0]], words()).unwrap();
    Volume::new(
        data,
        Geometry::new(SIZE, [2.0, 3.0, 4.0], [5.0, 6.0, 7.0], [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
            .unwrap(),
    )
    .unwrap()
}

#[test]
fn nifti_orientations() {
    const QFORM_CODE: usize = 252;
    const SFORM_CODE: usize = 254;
    const SROW_X_OFFSET: usize = 280 + 12;
    let read =
        |changes: &[(usize, &[u8])]| read(&[("a.nii", &nifti("a.nii", changes))]).map(|image| image.geometry().clone());
    let both = read(&[]).unwrap();
    assert!(both.difference(volume().geometry(), 1e-6).is_none());
    // The qform alone and the sform alone say the same.
    assert_eq!(read(&[(SFORM_CODE, &[0, 0])]).unwrap().origin(), [5.0, 6.0, 7.0]);
    assert!(read(&[(QFORM_CODE, &[0, 0])]).unwrap().difference(&both, 1e-5).is_none());
    // Of two that differ, the sform wins with code 1, the qform where the sform has another one.
    let moved = (-100.0_f32).to_le_bytes();
    assert_eq!(read(&[(SROW_X_OFFSET, &moved)]).unwrap().origin()[0], 100.0);
    assert_eq!(read(&[(SROW_X_OFFSET, &moved), (SFORM_CODE, &[2, 0])]).unwrap().origin()[0], 5.0);
    // Without either, index axes are LPS axes.
    let none = read(&[(QFORM_CODE, &[0, 0]), (SFORM_CODE, &[0, 0])]).unwrap();
    assert_eq!((none.origin(), none.direction()[0]), ([0.0; 3], [1.0, 0.0, 0.0]));
}

#[test]
fn nifti_lengths_in_metres_and_micrometres() {
    const XYZT_UNITS: usize = 123;
    const QFORM_CODE: usize = 252;
    const SFORM_CODE: usize = 254;
    let expected = volume();
    for (unit, millimetres) in [(1, 1000.0), (2, 1.0), (3, 1e-3)] {
        for unused in [QFORM_CODE, SFORM_CODE] {
            let image = read(&[("a.nii", &nifti("a.nii", &[(XYZT_UNITS, &[unit]), (unused, &[0, 0])]))]).unwrap();
            let index = [3.0, 2.0, 1.0];
            let (point, other) = (image.geometry().index_to_point(index), expected.geometry().index_to_point(index));
            for (a, b) in point.iter().zip(other) {
                assert!((a - b * millimetres).abs() < 1e-4 * millimetres, "unit {unit}: {point:?}, {other:?}");
            }
        }
    }
}

#[test]
fn sheared_axes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for direction in
        [[[1.0, 0.3, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]]
    {
        let sheared = Geometry::new(SIZE, [1.0; 3], [0.0; 3], direction).unwrap();
        let sheared = Volume::new(volume().into_data(), sheared).unwrap();
        let image = Image::from(sheared.clone());
        for name in ["a.nii", "a.hdr"] {
            let error = write_image(folder.path().join(name), &image).unwrap_err().to_string();
            assert!(error.contains("perpendicular"), "{error}");
        }
        #[cfg(feature = "dicom")]
        {
            let series = (folder.path().join("series"), [Phase::new(sheared, 0.0)]);
            let written = write_series(&series.0, &series.1, &SeriesAttributes::new("P", "S"));
            let error = written.unwrap_err().to_string();
            assert!(error.contains("perpendicular"), "{error}");
        }
        // NRRD and MetaImage hold such axes for other tools. NRRD has one vector an axis, whose length becomes the spacing.
        for name in ["a.nrrd", "a.nhdr", "a.mha", "a.mhd"] {
            write_image(folder.path().join(name), &image).unwrap();
            let read = read_image(folder.path().join(name));
            if direction[0][0] == 2.0 && name.starts_with("a.n") {
                assert_eq!(read.unwrap().geometry().spacing(), [2.0, 1.0, 1.0]);
                continue;
            }
            let error = read.unwrap_err().to_string();
            assert!(error.contains("perpendicular") && error.contains("resample"), "{error}");
        }
    }
}

/// A direction that another tool has written with three decimals.
#[test]
fn rounded_directions_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let (c, s) = (0.955, 0.296);
    let direction = [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]];
    let rounded = Geometry::new(SIZE, [1.0; 3], [0.0; 3], direction).unwrap();
    let image = Image::from(Volume::new(volume().into_data(), rounded).unwrap());
    for name in ["a.nrrd", "a.mha"] {
        write_image(folder.path().join(name), &image).unwrap();
        read_image(folder.path().join(name)).unwrap();
    }
}

#[test]
fn nifti_scales() {
    const SLOPE: usize = 112;
    let scaled = |slope: f32, intercept: f32| {
        let changes = [(SLOPE, slope.to_le_bytes()), (SLOPE + 4, intercept.to_le_bytes())];
        read(&[("a.nii", &nifti("a.nii", &changes.each_ref().map(|(at, bytes)| (*at, bytes.as_slice()))))]).unwrap()
    };
    let image = scaled(0.5, 10.0);
    assert_eq!(image.pixel_type(), PixelType::F32);
    assert_eq!(image.cast::<f64>().as_slice()[..3], [-340.0, -290.0, -240.0]);
    for (slope, intercept) in [(1.0, 0.0), (0.0, 5.0), (f32::NAN, 0.0)] {
        assert_words(&scaled(slope, intercept));
    }
}

#[test]
fn nifti_pairs_and_versions() {
    let folder = tempfile::tempdir().unwrap();
    let image = Image::from(volume());
    write_image(folder.path().join("pair.hdr"), &image).unwrap();
    for name in ["pair.hdr", "pair.img"] {
        assert_words(&read_image(folder.path().join(name)).unwrap());
    }
    std::fs::remove_file(folder.path().join("pair.img")).unwrap();
    let error = read_image(folder.path().join("pair.hdr")).unwrap_err().to_string();
    assert!(error.contains("is missing in its folder"), "{error}");
    // More voxels along an axis than the first version can count.
    let long = Volume::filled(Geometry::axis_aligned([40_000, 1, 1], [1.0; 3]).unwrap(), 3_u8);
    let path = folder.path().join("long.nii");
    write_image(&path, &long.clone().into()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap()[..2], 540_u16.to_le_bytes());
    assert_eq!(read_image(&path).unwrap(), long.into());
}

#[test]
fn big_endian_nifti() {
    let mut header = vec![0_u8; 352];
    header[..4].copy_from_slice(&348_i32.to_be_bytes());
    for (at, value) in [(40, 3_i16), (42, 4), (44, 3), (46, 2), (70, 4), (72, 16), (252, 0), (254, 0)] {
        header[at..at + 2].copy_from_slice(&value.to_be_bytes());
    }
    for (at, value) in [(76, 1.0_f32), (80, 2.0), (84, 3.0), (88, 4.0), (108, 352.0)] {
        header[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }
    header[344..348].copy_from_slice(b"n+1\0");
    let image = read(&[("a.nii", &[header, big()].concat())]).unwrap();
    assert_words(&image);
    assert_eq!(image.geometry().spacing(), [2.0, 3.0, 4.0]);
}

fn problem(bytes: &[u8], name: &str) -> FileProblem {
    match read(&[(name, bytes)]) {
        Err(ImagingError::File { problem, .. }) => problem,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn images_of_more_dimensions_are_refused() {
    let nrrd = b"NRRD0004\ntype: uchar\ndimension: 4\nsizes: 2 2 2 2\nencoding: raw\n\n0123456789abcdef";
    assert!(matches!(problem(nrrd, "a.nrrd"), FileProblem::Several { count: 2, parts: "volumes" }));
    let mha = b"NDims = 4\nDimSize = 2 2 2 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n0123456789abcdef";
    assert!(matches!(problem(mha, "a.mha"), FileProblem::Several { count: 2, parts: "volumes" }));
    let four = nifti("a.nii", &[(40, &[4, 0]), (46, &[1, 0, 2, 0])]);
    assert!(matches!(problem(&four, "a.nii"), FileProblem::Several { count: 2, parts: "volumes" }));
}

#[test]
fn metaimage_headers_that_lie_are_refused() {
    let mha = |size: &str, rest: &str| {
        let header =
            format!("NDims = 3\nDimSize = {size}\nElementType = MET_SHORT\n{rest}ElementDataFile = LOCAL\n\0\0");
        problem(header.as_bytes(), "a.mha")
    };
    assert!(matches!(mha("99999 99999 99999", ""), FileProblem::TooLarge { .. }));
    assert!(matches!(mha("18446744073709551615 2 2", ""), FileProblem::Geometry(_)));
    assert!(matches!(mha("100 100 100", ""), FileProblem::Malformed { .. }));
    assert!(matches!(mha("0 1 1", ""), FileProblem::Geometry(_)));
    assert!(matches!(mha("-1 1 1", ""), FileProblem::Malformed { .. }));
    assert!(matches!(mha("1 1 1", "ElementSpacing = 0 1 1\n"), FileProblem::Geometry(_)));
    assert!(matches!(mha("1 1 1", "ElementSpacing = -1 1 1\n"), FileProblem::Geometry(_)));
    assert!(matches!(mha("1 1 1", "Offset = nan 0 0\n"), FileProblem::Geometry(_)));
    assert!(matches!(mha("1 1 1", "TransformMatrix = 1 0 0 1 0 0 0 0 1\n"), FileProblem::Geometry(_)));
}

#[test]
fn nifti_headers_that_lie_are_refused() {
    let lie = |changes: &[(usize, &[u8])]| problem(&nifti("a.nii", changes), "a.nii");
    let most = i16::MAX.to_le_bytes();
    assert!(matches!(lie(&[(42, &most), (44, &most), (46, &most)]), FileProblem::TooLarge { .. }));
    assert!(matches!(lie(&[(42, &most)]), FileProblem::Malformed { .. }));
    assert!(matches!(lie(&[(42, &(-4_i16).to_le_bytes())]), FileProblem::Malformed { .. }));
    assert!(matches!(lie(&[(40, &[9, 0])]), FileProblem::Malformed { .. }));
    for (orientation, spacing) in [(254, f32::NAN), (252, 0.0), (254, -2.0), (252, f32::INFINITY)] {
        let problem = lie(&[(orientation, &[0, 0]), (80, &spacing.to_le_bytes())]);
        assert!(problem.to_string().contains("pixdim[1]"), "{problem}");
    }
    assert!(matches!(lie(&[(108, &f32::INFINITY.to_le_bytes())]), FileProblem::Malformed { .. }));
    assert!(matches!(lie(&[(344, b"n+9")]), FileProblem::Malformed { .. }));
    assert!(matches!(lie(&[(70, &[128, 0])]), FileProblem::Unsupported { .. }));
}

#[test]
fn bombs_cost_nothing() {
    // A thousand times as many voxels compressed as the header announces, and a header that announces 16 GiB of zeros.
    let bomb = gzip(&vec![0; 4 << 20]);
    let small = [nrrd_header("gzip", "little", "\n"), bomb.clone()].concat();
    assert_eq!(read(&[("a.nrrd", &small)]).unwrap().cast::<f64>().as_slice(), [0.0; 24]);
    let header = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 65536 65536 4\nencoding: gzip\n\n";
    let large = problem(&[header.as_bytes(), &bomb].concat(), "a.nrrd");
    assert!(large.to_string().contains("4194304 of 17179869184 numbers"), "{large}");
}

/// Values that are not finite are voxels like others; what cannot work with them says so.
#[test]
fn values_that_are_not_finite_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let geometry = Geometry::axis_aligned([3, 1, 1], [1.0; 3]).unwrap();
    let values = Array3::from_shape_vec([1, 1, 3], vec![f32::NAN, f32::INFINITY, 1.0]).unwrap();
    let image = Image::from(Volume::new(values, geometry).unwrap());
    for name in ["a.nii.gz", "a.nrrd", "a.mha"] {
        let path = folder.path().join(name);
        write_image(&path, &image).unwrap();
        let read = read_image(&path).unwrap().cast::<f32>();
        assert!(read.as_slice()[0].is_nan() && read.as_slice()[1] == f32::INFINITY);
        let refused = alnm_imaging::read_mask(&path).unwrap_err().to_string();
        assert!(refused.contains("the voxel [0, 0, 0] (x, y, z) is NaN"), "{refused}");
    }
}

#[test]
fn names_without_a_format_are_refused() {
    assert!(matches!(
        write_image(Path::new("image.bmp"), &volume().into()),
        Err(ImagingError::File { problem: FileProblem::UnknownSuffix, .. })
    ));
}

#[test]
fn volumes_of_four_dimensions_are_read_one_by_one() {
    use alnm_imaging::file::Source;

    let folder = tempfile::tempdir().unwrap();
    let voxels: Vec<u8> = (0..24).collect();
    let nrrd = |rest: &str| {
        [format!("NRRD0004\ntype: uchar\ndimension: 4\nsizes: 2 2 3 2\n{rest}encoding: raw\n\n").as_bytes(), &voxels]
            .concat()
    };
    let mha =
        b"NDims = 4\nDimSize = 2 2 3 2\nElementType = MET_UCHAR\nElementSpacing = 1 1 2 60\nElementDataFile = LOCAL\n";
    let mut four = vec![0; 352];
    four[..4].copy_from_slice(&348_i32.to_le_bytes());
    for (index, size) in [4_i16, 2, 2, 3, 2, 1, 1, 1].into_iter().enumerate() {
        four[40 + 2 * index..][..2].copy_from_slice(&size.to_le_bytes());
    }
    four[70] = 2;
    for index in 0..8 {
        four[76 + 4 * index..][..4].copy_from_slice(&1.0_f32.to_le_bytes());
    }
    four[108..112].copy_from_slice(&352.0_f32.to_le_bytes());
    four[344..348].copy_from_slice(b"n+1\0");
    let directions = "space directions: (1,0,0) (0,1,0) (0,0,1) none\nspace: LPS\n";
    let in_time = "space: left-posterior-superior-time\nspace origin: (1,2,3,0)\n\
                   space directions: (1,0,0,0) (0,1,0,0) (0,0,1,0) (0,0,0,60)\n";
    for (name, bytes) in [
        ("a.nrrd", nrrd("")),
        ("b.nrrd", nrrd("kinds: domain domain domain time\n")),
        ("c.nrrd", nrrd(directions)),
        ("d.nrrd", nrrd(in_time)),
        ("a.mha", [&mha[..], &voxels].concat()),
        ("a.nii", [four, voxels.clone()].concat()),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let open = || Source::open(&path).unwrap();
        let second = open().read_volume(2).unwrap();
        assert_eq!(second.geometry().size(), [2, 2, 3], "{name}");
        assert_eq!(second.cast::<u8>().as_slice(), &voxels[12..], "{name}");
        assert_eq!(open().read_header().unwrap().volumes, 2, "{name}");
        assert_eq!(open().read_volumes().unwrap(), [open().read_volume(1).unwrap(), second], "{name}");
        let error = open().read_image().unwrap_err().to_string();
        assert!(error.contains("2 volumes where one is asked for"), "{name}: {error}");
        // A component of a voxel is another thing than a volume.
        assert!(open().read_channel(Some(0)).is_err(), "{name}");
        let error = open().read_volume(3).unwrap_err().to_string();
        assert!(error.contains("volume 3 asked for; the file has volumes 1 to 2"), "{name}: {error}");
    }
    // A fourth axis of size 1 says nothing.
    let one = b"NRRD0004\ntype: uchar\ndimension: 4\nsizes: 2 2 3 1\nencoding: raw\n\n";
    assert_eq!(nrrd::decode(&[one, &voxels[..12]].concat()).unwrap().geometry().size(), [2, 2, 3]);
    // A space of four dimensions, as 3D Slicer wrote segmentations.
    let four = |fourth: f64| {
        let header = format!(
            "NRRD0004\ntype: uchar\ndimension: 4\nspace dimension: 4\nsizes: 2 2 3 1\nencoding: raw\nspace origin: (5,6,7,0)\n\
             space directions: (-0.5,0,0,{fourth}) (0,-0.5,0,0) (0,0,2.5,0) (0,0,0,1)\n\n"
        );
        nrrd::decode(&[header.as_bytes(), &voxels[..12]].concat())
    };
    let image = four(0.0).unwrap();
    assert_eq!((image.geometry().spacing(), image.geometry().origin()), ([0.5, 0.5, 2.5], [5.0, 6.0, 7.0]));
    assert!(four(1.0).unwrap_err().to_string().contains("leaves the three dimensions of space"));
}

#[test]
fn volumes_are_written_into_one_file() {
    use alnm_imaging::file::{Source, write_volumes};

    let folder = tempfile::tempdir().unwrap();
    let turned = [[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]];
    let grid = Geometry::new([4, 3, 2], [0.5, 0.75, 2.0], [-10.0, 20.0, 30.0], turned).unwrap();
    let phase = |first: usize| {
        let data = Array3::from_shape_fn([2, 3, 4], |(z, y, x)| (1000 * first + 100 * z + 10 * y + x) as i16);
        Image::from(Volume::new(data, grid.clone()).unwrap())
    };
    let phases: Vec<Image> = (0..3).map(phase).collect();
    for name in ["a.nii", "a.nii.gz", "a.hdr", "a.nrrd", "a.nhdr", "a.mha", "a.mhd"] {
        let path = folder.path().join(name);
        write_volumes(&path, &phases, 62.5).unwrap();
        for (number, expected) in (1..).zip(&phases) {
            let read = Source::open(&path).unwrap().read_volume(number).unwrap();
            assert_eq!(read.cast::<f64>().as_slice(), expected.cast::<f64>().as_slice(), "{name} {number}");
            assert!(read.geometry().difference(&grid, 1e-5).is_none(), "{name}: {:?}", read.geometry());
            assert_eq!(Source::open(&path).unwrap().read_volumes().unwrap()[number - 1], read, "{name} {number}");
        }
        assert_eq!(Source::open(&path).unwrap().read_header().unwrap().volumes, 3, "{name}");
    }
    let nifti = std::fs::read(folder.path().join("a.nii")).unwrap();
    assert_eq!(f32::from_le_bytes(nifti[92..96].try_into().unwrap()), 62.5);
    let mha = std::fs::read(folder.path().join("a.mha")).unwrap();
    assert!(String::from_utf8_lossy(&mha).contains("ElementSpacing = 0.5 0.75 2 62.5"));
    let mixed = [phases[0].clone(), phases[1].cast::<f32>().into()];
    assert!(write_volumes(folder.path().join("b.nii"), &mixed, 1.0).unwrap_err().to_string().contains("one type"));
    assert!(write_volumes(folder.path().join("b.nii"), &[], 1.0).is_err());
}

#[test]
fn components_and_volumes_are_taken_apart_in_one_pass() {
    use alnm_imaging::file::Source;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nrrd");
    // The axis of components in each place among those of space, as text and as bytes.
    for (sizes, kinds) in [("3 2 4 2", "vector domain domain domain"), ("2 4 2 3", "domain domain domain list")] {
        let header = |encoding: &str| {
            format!("NRRD0004\ntype: uchar\ndimension: 4\nsizes: {sizes}\nkinds: {kinds}\nencoding: {encoding}\n\n")
        };
        let voxels: Vec<u8> = (0..48).collect();
        let text = voxels.iter().map(u8::to_string).collect::<Vec<_>>().join(" ");
        for bytes in [[header("raw").into_bytes(), voxels].concat(), (header("ascii") + &text).into_bytes()] {
            std::fs::write(&path, bytes).unwrap();
            let open = || Source::open(&path).unwrap();
            let all = open().read_volumes().unwrap();
            assert_eq!(all.len(), 3, "{sizes}");
            for (number, component) in (1..).zip(&all) {
                assert_eq!(component, &open().read_volume(number).unwrap(), "{sizes} {number}");
            }
            assert_eq!(all[1].cast::<u8>().as_slice()[1], if kinds.starts_with('v') { 4 } else { 17 });
        }
    }
    // An image of one volume is that volume; a file that is cut short is refused.
    std::fs::write(&path, b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 3\nencoding: raw\n\n0123456789ab").unwrap();
    assert_eq!(Source::open(&path).unwrap().read_volumes().unwrap(), [read_image(&path).unwrap()]);
    std::fs::write(&path, b"NRRD0004\ntype: uchar\ndimension: 4\nsizes: 2 2 3 2\nencoding: raw\n\n0123456789ab")
        .unwrap();
    let error = Source::open(&path).unwrap().read_volumes().unwrap_err().to_string();
    assert!(error.contains("the data end after 12 of 24 numbers"), "{error}");
}

#[test]
fn segments_of_slicer_are_read_by_name_in_all_layers() {
    use alnm_imaging::mask::{MaskParams, read_mask_with};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("layers.seg.nrrd");
    let segments = |labels: [u8; 2], layers: [u8; 2]| {
        let named = |index: usize, name: &str| {
            format!(
                "Segment{index}_Name:={name}\nSegment{index}_LabelValue:={}\nSegment{index}_Layer:={}\n",
                labels[index], layers[index]
            )
        };
        named(0, "GTV") + &named(1, "edema")
    };
    let count = |region: &str| {
        let mask = read_mask_with(&path, &MaskParams::default().with_region(region)).unwrap();
        mask.as_slice().iter().filter(|voxel| **voxel == 1).count()
    };
    // Two layers that overlap: components of each voxel.
    let header = "NRRD0004\ntype: uchar\ndimension: 4\nspace: left-posterior-superior\nsizes: 2 2 2 1\n\
                  space directions: none (1,0,0) (0,1,0) (0,0,1)\nkinds: list domain domain domain\nencoding: raw\n";
    let layers = [header, &segments([1, 1], [0, 1]), "\n"].concat();
    std::fs::write(&path, [layers.as_bytes(), &[1, 1, 1, 0, 0, 1, 0, 1]].concat()).unwrap();
    assert_eq!([count("GTV"), count("edema")], [2, 3]);
    let second = read_mask_with(&path, &MaskParams::default().with_region(2)).unwrap();
    assert_eq!(second.as_slice().iter().filter(|voxel| **voxel == 1).count(), 3);
    let unknown = read_mask_with(&path, &MaskParams::default().with_region("CTV")).unwrap_err().to_string();
    assert!(unknown.contains("1 \"GTV\", 2 \"edema\""), "{unknown}");
    // One layer: labels.
    let header = "NRRD0004\ntype: uchar\ndimension: 3\nspace: left-posterior-superior\nsizes: 2 2 1\n\
                  space directions: (1,0,0) (0,1,0) (0,0,1)\nencoding: raw\n";
    let layer = [header, &segments([4, 7], [0, 0]), "\n"].concat();
    std::fs::write(&path, [layer.as_bytes(), &[4, 7, 7, 0]].concat()).unwrap();
    assert_eq!([count("GTV"), count("edema")], [1, 2]);
    let seven = read_mask_with(&path, &MaskParams::default().with_region(7)).unwrap();
    assert_eq!(seven.as_slice(), [0, 1, 1, 0]);
}

#[test]
fn the_orientations_of_a_nifti_header_may_disagree() {
    use alnm_imaging::file::{NiftiForm, Source};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nii");
    let image = Volume::filled(Geometry::axis_aligned([4, 3, 2], [1.0, 1.0, 2.0]).unwrap(), 7_u8);
    write_image(&path, &image.into()).unwrap();
    assert_eq!(Source::open(&path).unwrap().form_conflict().unwrap(), None);
    let mut bytes = std::fs::read(&path).unwrap();
    // The offset of the quaternion along z.
    bytes[276..280].copy_from_slice(&5.0_f32.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let open = |form: NiftiForm| Source::open(&path).unwrap().with_form(form);
    let conflict = open(NiftiForm::Itk).form_conflict().unwrap().unwrap();
    assert_eq!((conflict.millimetres, conflict.is_sform_taken), (5.0, true));
    assert!(conflict.to_string().contains("5.000 mm apart; the sform is taken"), "{conflict}");
    assert!(!open(NiftiForm::Qform).form_conflict().unwrap().unwrap().is_sform_taken);
    let z = |form: NiftiForm| open(form).read_image().unwrap().geometry().origin()[2];
    assert_eq!([z(NiftiForm::Itk), z(NiftiForm::Sform), z(NiftiForm::Qform)], [0.0, 0.0, 5.0]);
}
