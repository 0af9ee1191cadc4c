//! Writes the files from which the fuzz targets start: `cargo run --release --example seed_corpus` in the folder above.

#![allow(clippy::unwrap_used, reason = "a program that is run by hand")]

#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../../crates/alnm-imaging/tests/dicom/builder.rs"]
mod builder;
#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../../crates/alnm-imaging/tests/dicom/codec.rs"]
mod codec;

use std::io::Write;
use std::path::{Path, PathBuf};

use alnm_imaging::dicom::Segment;
use alnm_imaging::habitat::{ClusterCount, HabitatParams};
use alnm_imaging::standardisation::{HistogramMatchingParams, IntensityStandard, NyulParams, SiteScale, WhiteStripeParams};
use alnm_imaging::{Geometry, Image, Volume, write_image};
use alnm_imputation::{ChainedEquationsParams, VariablePlan};
use alnm_models::gradient_boosting::{BoostingParams, GradientBoosting};
use alnm_models::{LogisticModel, LogisticParams, RiskModel, Variable};
use alnm_registration::{BSplineTransform, EulerTransform, SpatialTransform, TransformPart};
use alnm_selection::folds::FoldOrder;
use alnm_selection::lasso::LassoParams;
use alnm_selection::{FeatureTable, Labels, Pipeline, Signature, Step};
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};

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
    write_grids_of_vendors();
    write_colours(&grid);
    write_compressed_voxels();
    write_parameters();
    write_models();
    write_imputations();
    write_learned_scales(&volume.clone().into());
    write_transforms(&grid);
    write_weights();
    write_onnx();
    write_cohort();
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

/// A mosaic of Siemens and a grid of United Imaging, whose layout stands in private headers.
fn write_grids_of_vendors() {
    let grid = Geometry::axis_aligned([4, 4, 1], [1.0, 1.0, 2.0]).unwrap();
    let write = |name: &str, elements: Vec<dicom_object::mem::InMemElement>| {
        let mut object = builder::dataset(builder::classic(&grid, 0, 8));
        elements.into_iter().for_each(|element| drop(object.put(element)));
        object.put(builder::pixels(&[5; 16]));
        std::fs::write(folder("dicom_image").join(name), builder::file(object, uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
    };
    let header = csa(&[("NumberOfImagesInMosaic", &["3"]), ("SliceNormalVector", &["0", "0", "1"])]);
    let owner = |tag, name| builder::text(tag, VR::LO, name);
    write("mosaic", vec![
        builder::text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\M\\MOSAIC"),
        owner(Tag(0x29, 0x10), "SIEMENS CSA HEADER"),
        DataElement::new(Tag(0x29, 0x1010), VR::OB, PrimitiveValue::from(header)),
    ]);
    let place = |slice: usize| builder::dataset(vec![builder::position(&grid, slice as f64)]);
    write("united_imaging", vec![
        owner(Tag(0x65, 0x10), "Image Private Header"),
        builder::sequence(Tag(0x65, 0x1051), (0..3).map(place).collect()),
    ]);
}

/// A CSA header of the second version: names and texts.
fn csa(elements: &[(&str, &[&str])]) -> Vec<u8> {
    let mut bytes = Vec::from(*b"SV10\x04\x03\x02\x01");
    let put = |bytes: &mut Vec<u8>, value: u32| bytes.extend(value.to_le_bytes());
    put(&mut bytes, elements.len() as u32);
    put(&mut bytes, 77);
    for (name, values) in elements {
        let mut padded = name.as_bytes().to_vec();
        padded.resize(64, 0);
        bytes.extend(padded);
        put(&mut bytes, values.len() as u32);
        bytes.extend(b"DS\0\0");
        put(&mut bytes, 0);
        put(&mut bytes, values.len() as u32);
        put(&mut bytes, 77);
        for value in *values {
            let mut text = value.as_bytes().to_vec();
            let length = text.len() as u32;
            [length, length, 77, length].into_iter().for_each(|number| put(&mut bytes, number));
            text.resize(text.len().next_multiple_of(4), 0);
            bytes.extend(text);
        }
    }
    bytes
}

/// Colours of three samples, and by a palette.
fn write_colours(grid: &Geometry) {
    let write = |name: &str, syntax: &str, elements: Vec<dicom_object::mem::InMemElement>| {
        let mut object = builder::dataset(builder::classic(grid, 0, 8));
        elements.into_iter().for_each(|element| drop(object.put(element)));
        std::fs::write(folder("dicom_image").join(name), builder::file(object, syntax)).unwrap();
    };
    let samples = || builder::short(tags::SAMPLES_PER_PIXEL, 3);
    let kind = |name| builder::text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, name);
    write("rgb", uids::EXPLICIT_VR_LITTLE_ENDIAN, vec![samples(), kind("RGB"), builder::pixels(&[9; 90])]);
    write("pairs", uids::EXPLICIT_VR_LITTLE_ENDIAN, vec![samples(), kind("YBR_FULL_422"), builder::pixels(&[9; 60])]);
    let planes = builder::fragments(vec![codec::rle(&[vec![7; 30], vec![8; 30], vec![9; 30]])]);
    write("rle_rgb", uids::RLE_LOSSLESS, vec![samples(), kind("RGB"), planes]);
    let words = |tag, vr, words: &[u16]| DataElement::new(tag, vr, PrimitiveValue::U16(words.into()));
    write("palette", uids::EXPLICIT_VR_LITTLE_ENDIAN, vec![
        kind("PALETTE COLOR"),
        words(tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, VR::US, &[4, 0, 16]),
        words(tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA, VR::OW, &[1, 2, 3, 4]),
        words(tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA, VR::OW, &[1, 2, 3, 4]),
        words(tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA, VR::OW, &[1, 2, 3, 4]),
        builder::pixels(&[2; 30]),
    ]);
}

/// Streams of gzip and zlib at several levels, and codestreams of JPEG 2000.
fn write_compressed_voxels() {
    let voxels: Vec<u8> = (0..4000_u32).map(|i| (i * i % 251) as u8).collect();
    for level in [0, 1, 6, 9] {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
        gzip.write_all(&voxels).unwrap();
        std::fs::write(folder("deflate").join(format!("{level}.gz")), gzip.finish().unwrap()).unwrap();
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(level));
        zlib.write_all(&voxels).unwrap();
        std::fs::write(folder("deflate").join(format!("{level}.z")), zlib.finish().unwrap()).unwrap();
    }
    // In the blocks of this project's own encoder.
    let grid = Geometry::axis_aligned([40, 10, 10], [1.0; 3]).unwrap();
    let voxels = ndarray::Array3::from_shape_vec([10, 10, 40], voxels).unwrap();
    let image: Image = Volume::new(voxels, grid).unwrap().into();
    write_image(folder("deflate").join("own.nii.gz"), &image).unwrap();
    write_image(folder("deflate").join("own.mha"), &image).unwrap();
    std::fs::write(folder("jpeg2000").join("ramp"), include_bytes!("../../crates/alnm-imaging/tests/data/ramp.j2k")).unwrap();
    std::fs::write(folder("jpeg2000").join("high"), include_bytes!("../../crates/alnm-imaging/tests/data/ramp.jhc")).unwrap();
}

fn write_parameters() {
    let write = |name: &str, text: &str| std::fs::write(folder("parameters").join(name), text).unwrap();
    write("study", include_str!("../../crates/alnm-study/params_926.yaml"));
    write("json", r#"{"setting": {"binWidth": 25, "force2D": true}, "imageType": {"LoG": {"sigma": [1.0, 3.0]}}}"#);
    write("anchors", "setting: &a {binCount: 32}\nvoxelSetting: {kernelRadius: 2}\nimageType: {Original: *a}\n");
    write("ibsi", "interpolation:\n  spacing: [1.0, 1.0, 1.0]\ndiscretisation:\n  fixed_bin_number: 32\n");
}

/// Features that tell the classes apart, and labels.
fn table() -> (FeatureTable, Labels) {
    let labels = Labels::new((0..60).map(|row| (row * 7) % 5 < 2).collect());
    let values = ndarray::Array2::from_shape_fn((60, 3), |(row, column)| {
        let noise = ((row * (7 * column + 3) + column * column) % 23) as f64 / 23.0;
        if column < 2 && labels.as_slice()[row] { noise + 0.4 } else { noise }
    });
    (FeatureTable::new(["age", "MTD", "score"].map(str::to_owned).to_vec(), values).unwrap(), labels)
}

fn write_models() {
    let (table, labels) = table();
    let write = |name: &str, text: String| std::fs::write(folder("saved_models").join(name), text).unwrap();
    let fitted = LogisticModel::fit(&table, &labels, &LogisticParams::default()).unwrap();
    let variables = [Variable::new("age", "years"), Variable::new("MTD", "cm"), Variable::new("score", "")];
    write("risk", RiskModel::new("risk", &fitted, &variables, &table, "sixty rows").unwrap().to_json().unwrap());
    write("signature", Signature::new("s", 0.5, [("entropy", 2.0)]).unwrap().to_json().unwrap());
    let selection = Pipeline::new("p")
        .then(Step::ZeroVariance)
        .then(Step::Lasso(LassoParams::new(FoldOrder::Shuffled { seed: 3 }).with_folds(3)));
    write("selection", selection.fit(&table, &labels).unwrap().to_json().unwrap());
    let boosting = BoostingParams::default().with_rounds(2).with_min_data_in_leaf(8);
    let text = GradientBoosting::fit(&table, &labels, &boosting).unwrap().to_lightgbm_text().unwrap();
    std::fs::write(folder("boosting_text").join("hashed"), &text).unwrap();
    let without: String = text.lines().filter(|line| !line.starts_with("alnm_sha256")).map(|l| format!("{l}\n")).collect();
    std::fs::write(folder("boosting_text").join("plain"), without).unwrap();
}

fn write_imputations() {
    let values = ndarray::Array2::from_shape_fn((30, 2), |(row, column)| row as f64 + (((row * 7) % 13) * column) as f64);
    let table = FeatureTable::new(["age", "size"].map(str::to_owned).to_vec(), values).unwrap();
    let plans = vec![VariablePlan::numeric("age"), VariablePlan::numeric("size")];
    let equations = ChainedEquationsParams::new(plans).with_imputations(2).check().unwrap();
    let text = equations.impute(&table).unwrap().model().to_json().unwrap();
    std::fs::write(folder("saved_models").join("imputation"), text).unwrap();
}

fn write_learned_scales(image: &Image) {
    let write = |name: &str, text: String| std::fs::write(folder("learned_scales").join(name), text).unwrap();
    let nyul = NyulParams::default().check().unwrap();
    let landmarks = nyul.landmarks(image, None).unwrap();
    let matching = HistogramMatchingParams::default().check().unwrap();
    for (name, standard) in [
        ("nyul", IntensityStandard::Nyul(nyul.learn(&[landmarks]).unwrap())),
        ("histogram", IntensityStandard::HistogramMatching(matching.reference(image).unwrap())),
        ("stripe", IntensityStandard::WhiteStripe(WhiteStripeParams::default().check().unwrap())),
        ("site", IntensityStandard::Site(SiteScale::of_image(image, None).unwrap())),
    ] {
        write(name, serde_json::to_string(&standard).unwrap());
    }
    write("segment", serde_json::to_string(&Segment::new(1, "lesion")).unwrap());
    let voxels = ndarray::array![[0.1, 5.0], [0.2, 5.1], [2.0, 1.0], [2.1, 1.2]];
    let learner = HabitatParams::default().with_count(ClusterCount::Fixed(2)).check().unwrap();
    write("habitats", serde_json::to_string(&learner.learn(&["peak", "time"], &[voxels]).unwrap()).unwrap());
}

fn write_transforms(grid: &Geometry) {
    let turn = EulerTransform::new([0.1, 0.0, 0.2], [1.0, 2.0, 3.0], [5.0, 6.0, 2.0]);
    let control = Geometry::axis_aligned([5, 5, 5], grid.spacing()).unwrap();
    let bend = BSplineTransform::new(control, (0..375).map(|index| f64::from(index % 7) / 7.0).collect()).unwrap();
    let [turn, bend] = [TransformPart::Euler(turn), TransformPart::BSpline(bend)];
    for (name, parts) in [("turn", vec![turn.clone()]), ("both", vec![turn, bend])] {
        std::fs::write(folder("transform").join(name), SpatialTransform::new(parts).to_itk_text()).unwrap();
    }
}

fn write_weights() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/alnm-deep/tests/golden");
    for name in ["checkpoint", "class", "code", "dictionary", "integers"] {
        std::fs::copy(golden.join(format!("{name}.pth")), folder("weights").join(name)).unwrap();
    }
    let header = r#"{"fc.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"fc.bias":{"dtype":"BF16","shape":[1],"data_offsets":[8,10]}}"#;
    let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[1; 10]].concat();
    std::fs::write(folder("weights").join("safetensors"), file).unwrap();
}

/// The small networks of the crate's tests.
fn write_onnx() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/alnm-deep/tests/golden/onnx");
    for entry in std::fs::read_dir(golden).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "onnx") {
            std::fs::copy(&path, folder("onnx").join(path.file_name().unwrap())).unwrap();
        }
    }
}

fn write_cohort() {
    let template = tempfile::tempdir().unwrap();
    let made = template.path().join("cohort");
    alnm_study::cohort::write_template(&made).unwrap();
    let [description, table] = ["cohort.toml", "patients.csv"].map(|name| std::fs::read_to_string(made.join(name)).unwrap());
    let row = "P1,A,1,50,2.5,0.8,1,0,1,1,Luminal A,4.5,1.5,0.4,7,220,.,.,\n";
    std::fs::write(folder("cohort").join("template"), format!("{description}\n---\n{table}{row}")).unwrap();
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
