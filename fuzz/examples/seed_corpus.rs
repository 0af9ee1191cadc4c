//! Writes the files from which the fuzz targets start: `cargo run --release --example seed_corpus` in the folder above.

#![allow(clippy::unwrap_used, reason = "a program that is run by hand")]

#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../../crates/alnm-imaging/tests/dicom/builder.rs"]
mod builder;
#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../../crates/alnm-imaging/tests/dicom/codec.rs"]
mod codec;

use std::path::{Path, PathBuf};

use alnm_imaging::{Geometry, Image, Volume, write_image};
use dicom_dictionary_std::uids;

use builder::{DrawnRoi, SegmentFrame};

fn main() {
    let grid = Geometry::new([6, 5, 2], [0.7, 1.3, 2.1], [1.0, 2.0, 3.0], [[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]]).unwrap();
    let voxels = ndarray::Array3::from_shape_fn(grid.shape(), |(z, y, x)| (100 * z + 10 * y + x) as i16);
    let volume = Volume::new(voxels, grid.clone()).unwrap();
    let images: [Image; 3] = [volume.clone().into(), volume.cast::<f32>().into(), volume.cast::<u8>().into()];
    for (name, image) in images.iter().enumerate() {
        write_image(folder("nrrd").join(format!("{name}.nrrd")), image).unwrap();
        write_image(folder("nifti").join(format!("{name}.nii")), image).unwrap();
        write_image(folder("nifti").join(format!("{name}.nii.gz")), image).unwrap();
        write_image(folder("metaimage").join(format!("{name}.mha")), image).unwrap();
    }
    write_text_headers();
    write_dicom_images(&grid);
    write_dicom_masks(&grid);
    write_answers();
}

fn folder(target: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Headers with fields and encodings that the writers do not use.
fn write_text_headers() {
    let nrrd = |name: &str, header: &str, data: &[u8]| {
        std::fs::write(folder("nrrd").join(name), [format!("NRRD0005\n{header}\n\n").as_bytes(), data].concat()).unwrap();
    };
    nrrd("text", "type: int16\ndimension: 3\nsizes: 2 2 1\nencoding: ascii\nspacings: 1 2 3\naxis mins: 0 0 1", b"1 2\n3 -4\n");
    nrrd("hex", "type: uchar\ndimension: 2\nsizes: 2 2\nencoding: hex\nspace: RAS\nspace directions: (1,0,0) (0,1,0)", b"01 fe 03 04");
    nrrd("vector", "type: uchar\ndimension: 4\nsizes: 2 1 1 2\nkinds: vector domain domain domain\nencoding: raw\nline skip: 1", b"\nabcd");
    let mha = "NDims = 3\nDimSize = 2 1 1\nElementType = MET_SHORT\nElementSpacing = 1 1 2\nElementByteOrderMSB = True\nElementDataFile = LOCAL\n";
    std::fs::write(folder("metaimage").join("raw"), [mha.as_bytes(), &[0, 1, 0, 2]].concat()).unwrap();
    let mha = "NDims = 2\nDimSize = 2 1\nBinaryData = False\nElementType = MET_FLOAT\nOffset = 0 1\nElementDataFile = LOCAL\n1.5 -2\n";
    std::fs::write(folder("metaimage").join("text"), mha).unwrap();
}

fn write_dicom_images(grid: &Geometry) {
    let write_on = |grid: &Geometry, name: &str, syntax: &str, bits: u16, pixels| {
        let mut elements = builder::classic(grid, 0, bits);
        elements.push(pixels);
        std::fs::write(folder("dicom_image").join(name), builder::file(builder::dataset(elements), syntax)).unwrap();
    };
    let write = |name: &str, syntax: &str, bits: u16, pixels| write_on(grid, name, syntax, bits, pixels);
    write("implicit", uids::IMPLICIT_VR_LITTLE_ENDIAN, 16, builder::pixels(&[7; 60]));
    write("explicit", uids::EXPLICIT_VR_LITTLE_ENDIAN, 16, builder::pixels(&[7; 60]));
    write("deflated", uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, 16, builder::pixels(&[7; 60]));
    write("rle", uids::RLE_LOSSLESS, 8, builder::fragments(vec![codec::rle(&[vec![7; 30]])]));
    write("jpeg", uids::JPEG_BASELINE8_BIT, 8, builder::fragments(vec![codec::jpeg_baseline(&[7; 30], 6)]));
    write("lossless", uids::JPEG_LOSSLESS_SV1, 16, builder::fragments(vec![codec::jpeg_lossless(&[700; 30], 6, 16)]));
    write("jpeg_ls", uids::JPEGLS_LOSSLESS, 16, builder::fragments(vec![codec::jpeg_ls(&[[7; 15], [700; 15]].concat(), 6)]));
    write("deflated_frame", uids::DEFLATED_IMAGE_FRAME_COMPRESSION, 16, builder::fragments(vec![codec::deflated(&[7; 60])]));
    let extended = include_bytes!("../../crates/alnm-imaging/tests/data/jpeg_extended_12_coarse.jpg").to_vec();
    let wider = Geometry::new([56, 40, 1], grid.spacing(), grid.origin(), grid.direction()).unwrap();
    write_on(&wider, "extended", uids::JPEG_EXTENDED12_BIT, 16, builder::fragments(vec![extended]));
    let frames = [1.0, 0.0].map(|slice| vec![builder::plane_position(grid, slice)]).to_vec();
    let elements = [builder::identity("MR", "2.25.3"), builder::pixel_format(grid, 8)].concat();
    let mut elements = builder::multi_frame(elements, grid, frames);
    elements.push(builder::pixels(&[9; 60]));
    let bytes = builder::file(builder::dataset(elements.clone()), uids::EXPLICIT_VR_LITTLE_ENDIAN);
    std::fs::write(folder("dicom_image").join("enhanced"), bytes).unwrap();
    elements.pop();
    let packed = codec::rle(&[vec![9; 30]]);
    let (first, second) = packed.split_at(40);
    let pieces = [first, second].repeat(2).into_iter().map(<[u8]>::to_vec).collect();
    elements.push(builder::fragments_from(vec![0, packed.len() as u32 + 16], pieces));
    std::fs::write(folder("dicom_image").join("fragments"), builder::file(builder::dataset(elements), uids::RLE_LOSSLESS)).unwrap();
}

fn write_dicom_masks(grid: &Geometry) {
    let write = |name: &str, object| {
        std::fs::write(folder("dicom_mask").join(name), builder::file(object, uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
    };
    let square = vec![[0.5, 0.5, 2.0], [9.5, 0.5, 2.0], [9.5, 8.5, 2.0], [0.5, 8.5, 2.0]];
    let contours = vec![("CLOSED_PLANAR", square), ("POINT", vec![[1.0; 3]])];
    write("structures", builder::structure_set(&[DrawnRoi { number: 1, name: "GTV", contours }]));
    for kind in ["BINARY", "FRACTIONAL", "LABELMAP"] {
        let segment = (kind != "LABELMAP").then_some(1);
        let frames = [0.0, 1.0].map(|slice| SegmentFrame { segment, slice, pixels: vec![1; 30] });
        write(&kind.to_ascii_lowercase(), builder::segmentation(kind, grid, &[1, 2], &frames));
    }
    let frames = [0.0, 1.0].map(|slice| SegmentFrame { segment: Some(1), slice, pixels: vec![1; 30] });
    let mut object = builder::segmentation("BINARY", grid, &[1], &frames);
    object.put(builder::fragments(vec![codec::deflated(&[0xff; 4]); 2]));
    let bytes = builder::file(object, uids::DEFLATED_IMAGE_FRAME_COMPRESSION);
    std::fs::write(folder("dicom_mask").join("compressed"), bytes).unwrap();
}

/// Answers of DICOMweb servers.
fn write_answers() {
    let body = "--b\r\nContent-Type: application/dicom\r\nContent-Length: 5\r\n\r\n\r\n--c\r\n--b \r\n\r\nsecond\r\n--b--";
    for (name, step) in [("whole", 255), ("dripping", 3)] {
        let bytes = [b"multipart/related; type=\"application/dicom\"; boundary=b\n", &[step][..], body.as_bytes()].concat();
        std::fs::write(folder("multipart").join(name), bytes).unwrap();
    }
    let found = r#"[{"00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B"}]},"0020000D":{"vr":"UI","Value":["1.2"]},
        "00201208":{"vr":"IS","Value":[504,"4",null]}}]"#;
    let stored = r#"{"00081199":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["1.5"]}}]},"00081198":{"vr":"SQ"}}"#;
    std::fs::write(folder("dicom_json").join("found"), found).unwrap();
    std::fs::write(folder("dicom_json").join("stored"), stored).unwrap();
}
