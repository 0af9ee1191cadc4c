//! Which images and regions `alnm extract` makes rows of.

// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "the tests of the readers use all of it")]
#[path = "../../alnm-imaging/tests/dicom/builder.rs"]
mod builder;
#[allow(dead_code, reason = "the tests of finished cases use all of it")]
mod small_batch;

use std::path::Path;

use alnm_imaging::dicom::{Phase, SeriesAttributes, write_series};
use alnm_imaging::{Geometry, Image, Volume, write_image, write_mask};
use builder::DrawnRoi;
use dicom_dictionary_std::uids;
use ndarray::Array3;
use small_batch::{alnm, image_and_mask};

/// Rows of the table, each by the names of its columns.
struct Table {
    header: csv::StringRecord,
    rows: Vec<csv::StringRecord>,
}

impl Table {
    fn column(&self, name: &str) -> Vec<&str> {
        let place = self.header.iter().position(|header| header == name);
        let place = place.unwrap_or_else(|| panic!("no column {name} in {:?}", self.header));
        self.rows.iter().map(|row| &row[place]).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.header.iter().any(|header| header == name)
    }

    fn voxels(&self) -> Vec<usize> {
        self.column("diagnostics_Mask-original_VoxelNum").iter().map(|text| text.parse().unwrap()).collect()
    }
}

fn table(folder: &Path, arguments: &[&str]) -> Table {
    let output = alnm(folder, &[arguments, &["-f", "csv"]].concat());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let mut reader = csv::Reader::from_reader(output.stdout.as_slice());
    Table { header: reader.headers().unwrap().clone(), rows: reader.records().map(Result::unwrap).collect() }
}

fn refusal(folder: &Path, arguments: &[&str]) -> String {
    let output = alnm(folder, arguments);
    assert_ne!(output.status.code(), Some(0), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn grid() -> Geometry {
    Geometry::axis_aligned([12, 10, 8], [0.8, 0.8, 2.0]).unwrap()
}

/// A mask that holds `label` in boxes of voxels, given as (z, y, x) ranges.
fn boxes(boxes: &[(u32, [std::ops::Range<usize>; 3])]) -> Array3<u32> {
    let mut mask = Array3::zeros([8, 10, 12]);
    for (label, [zs, ys, xs]) in boxes {
        mask.slice_mut(ndarray::s![zs.clone(), ys.clone(), xs.clone()]).fill(*label);
    }
    mask
}

#[test]
fn each_connected_part_gets_a_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_image(path.join("image.nrrd"), &image_and_mask(1).0).unwrap();
    // Of label 1 a part of 2 x 2 x 2 voxels, one of 3 x 3 x 3, and two voxels that touch at a corner alone; one of label
    // 2 next to the second.
    let mask = boxes(&[
        (1, [0..2, 0..2, 0..2]),
        (1, [3..6, 4..7, 4..7]),
        (1, [7..8, 0..1, 10..11]),
        (1, [6..7, 1..2, 11..12]),
        (2, [3..6, 4..7, 7..9]),
    ]);
    write_mask(path.join("mask.nrrd"), &Volume::new(mask, grid()).unwrap()).unwrap();
    let parts = table(path, &["image.nrrd", "mask.nrrd", "--components"]);
    assert_eq!((parts.column("Component"), parts.voxels()), (vec!["1", "2", "3"], vec![27, 8, 2]));
    assert!(!parts.has("Label"));
    let large = table(path, &["image.nrrd", "mask.nrrd", "--components=3", "--labels", "all"]);
    assert_eq!((large.column("Label"), large.column("Component")), (vec!["1", "1", "2"], vec!["1", "2", "1"]));
    assert_eq!(large.voxels(), [27, 8, 18]);
    // The values of a part are those of a mask that holds it alone.
    let alone = boxes(&[(1, [0..2, 0..2, 0..2])]);
    write_mask(path.join("alone.nrrd"), &Volume::new(alone, grid()).unwrap()).unwrap();
    let alone = table(path, &["image.nrrd", "alone.nrrd"]);
    for name in alone.header.iter().filter(|name| name.starts_with("original_")) {
        assert_eq!(alone.column(name)[0], parts.column(name)[1], "{name}");
    }
    let none = refusal(path, &["image.nrrd", "mask.nrrd", "--components=28"]);
    assert!(none.contains("label 1 has 3 connected parts, the largest of 27 voxels; --components=28 asks for more"));
    assert!(refusal(path, &["image.nrrd", "mask.nrrd", "--components", "-l", "5"]).contains("label 5"));
}

#[test]
fn slices_are_averaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_image(path.join("image.nrrd"), &image_and_mask(1).0).unwrap();
    let slices = [(2, 2..8, 2..9), (3, 1..9, 3..10), (4, 4..6, 4..8)];
    let region =
        |label, (z, ys, xs): (usize, std::ops::Range<usize>, std::ops::Range<usize>)| (label, [z..z + 1, ys, xs]);
    // The last slice holds one voxel, which is too little.
    let mut all: Vec<_> = slices.iter().cloned().map(|slice| region(1, slice)).collect();
    all.push(region(1, (5, 3..4, 3..4)));
    write_mask(path.join("mask.nrrd"), &Volume::new(boxes(&all), grid()).unwrap()).unwrap();
    let each: Vec<_> = slices.iter().cloned().zip(1..).map(|(slice, label)| region(label, slice)).collect();
    write_mask(path.join("slices.nrrd"), &Volume::new(boxes(&each), grid()).unwrap()).unwrap();
    let means = table(path, &["image.nrrd", "mask.nrrd", "--slice-means"]);
    let single = table(path, &["image.nrrd", "slices.nrrd", "--labels", "all"]);
    assert_eq!(means.column("Slices"), ["3.0"]);
    for name in ["original_firstorder_Mean", "original_glcm_Contrast", "original_glszm_ZoneEntropy"] {
        let values: Vec<f64> = single.column(name).iter().map(|text| text.parse().unwrap()).collect();
        let mean: f64 = means.column(name)[0].parse().unwrap();
        assert!((values.iter().sum::<f64>() / 3.0 - mean).abs() < 1e-12 * mean.abs(), "{name}: {values:?}, {mean}");
    }
    let message = String::from_utf8(alnm(path, &["image.nrrd", "mask.nrrd", "--slice-means"]).stderr).unwrap();
    assert!(message.contains("too small for an extraction in 1 of 4 slices"), "{message}");
}

fn phase(number: usize) -> Volume<i16> {
    let Image::I16(volume) = image_and_mask(number).0 else { panic!("the images are of 16 bits") };
    volume
}

#[test]
fn phases_and_series_of_a_dicom_folder_are_chosen_or_all_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let phases: Vec<Phase<i16>> = (1..=3).map(|number| Phase::new(phase(number), 60.0 * number as f64)).collect();
    let attributes = SeriesAttributes::new("P7", "DCE")
        .with_date("20240229")
        .with_series_number(4)
        .with_study_uid("1.2.3")
        .with_series_uid("1.2.3.4");
    write_series(path.join("dce"), &phases, &attributes).unwrap();
    let single = SeriesAttributes::new("P7", "T2").with_series_uid("1.2.3.9").with_study_uid("1.2.3");
    write_series(path.join("both/t2"), &[Phase::new(phase(4), 0.0)], &single).unwrap();
    write_series(path.join("both/dce"), &phases, &attributes).unwrap();
    write_mask(path.join("mask.nrrd"), &image_and_mask(1).1).unwrap();
    write_image(path.join("second.nrrd"), &Image::I16(phase(2))).unwrap();

    let energy = "original_firstorder_Energy";
    let all = table(path, &["dce", "mask.nrrd", "--all-phases"]);
    assert_eq!(all.column("Phase"), ["1", "2", "3"]);
    let second = table(path, &["dce", "mask.nrrd", "--phase", "2"]);
    assert!(!second.has("Phase"));
    assert_eq!(second.column(energy)[0], all.column(energy)[1]);
    assert_eq!(table(path, &["second.nrrd", "mask.nrrd"]).column(energy), second.column(energy));
    assert!(refusal(path, &["dce", "mask.nrrd"]).contains("3 phases"));
    assert!(refusal(path, &["second.nrrd", "mask.nrrd", "--all-phases"]).contains("--all-phases needs a DICOM folder"));

    let labels = table(path, &["dce", "mask.nrrd", "--all-phases", "--labels", "all"]);
    assert_eq!(labels.column("Phase"), ["1", "1", "2", "2", "3", "3"]);
    assert_eq!(labels.column("Label"), ["1", "2", "1", "2", "1", "2"]);

    assert!(refusal(path, &["both", "mask.nrrd"]).contains("1.2.3.9"));
    let chosen = table(path, &["both", "mask.nrrd", "--series", "1.2.3.9", "--dicom-columns"]);
    for (name, value) in [
        ("PatientID", "P7"),
        ("StudyInstanceUID", "1.2.3"),
        ("SeriesInstanceUID", "1.2.3.9"),
        ("SeriesDescription", "T2"),
        ("Modality", "MR"),
    ] {
        assert_eq!(chosen.column(name), [value]);
    }
    let tags = table(path, &["dce", "mask.nrrd", "--all-phases", "--dicom-columns"]);
    assert_eq!((tags.column("StudyDate"), tags.column("SeriesNumber")), (vec!["20240229"; 3], vec!["4"; 3]));

    // Columns of a list choose too, and the folder of finished cases tells the choices apart.
    let list = "Image,Mask,Series,Phase\nboth,mask.nrrd,1.2.3.4,2\nboth,mask.nrrd,1.2.3.4,3\nsecond.nrrd,mask.nrrd,axial,arterial\n";
    std::fs::write(path.join("list.csv"), list).unwrap();
    for _ in 0..2 {
        let listed = table(path, &["list.csv", "-od", "parts"]);
        let expected = [all.column(energy)[1], all.column(energy)[2], all.column(energy)[1]];
        assert_eq!(listed.column(energy), expected);
        assert_eq!(listed.column("Phase"), ["2", "3", "arterial"]);
    }
    for _ in 0..2 {
        let stored =
            table(path, &["dce", "mask.nrrd", "--all-phases", "--dicom-columns", "--labels", "1", "-od", "parts"]);
        assert_eq!((stored.column("Phase"), stored.column("Modality")), (vec!["1", "2", "3"], vec!["MR"; 3]));
        assert_eq!(stored.column(energy), all.column(energy));
    }
}

#[test]
fn segments_of_slicer_are_found_by_name_in_all_layers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_image(path.join("image.nrrd"), &image_and_mask(1).0).unwrap();
    let layers = [
        boxes(&[(1, [2..5, 2..6, 2..6]), (2, [5..7, 2..6, 2..6])]),
        // Overlaps with the first layer, and has a label that occurs there.
        boxes(&[(1, [3..6, 3..8, 3..9])]),
    ];
    let mut bytes = "NRRD0004\ntype: uint8\ndimension: 4\nspace: left-posterior-superior\nsizes: 2 12 10 8\n\
         space directions: none (0.8,0,0) (0,0.8,0) (0,0,2)\nkinds: list domain domain domain\nencoding: raw\n\
         space origin: (0,0,0)\nSegment0_ID:=Segment_1\nSegment0_LabelValue:=1\nSegment0_Layer:=0\n\
         Segment0_Name:=GTV\nSegment1_LabelValue:=2\nSegment1_Layer:=0\nSegment1_Name:=edema\n\
         Segment2_LabelValue:=1\nSegment2_Layer:=1\nSegment2_Name:=whole tumour\n\n"
        .as_bytes()
        .to_vec();
    for (first, second) in layers[0].iter().zip(&layers[1]) {
        bytes.extend([*first as u8, *second as u8]);
    }
    std::fs::write(path.join("layers.seg.nrrd"), bytes).unwrap();
    let mask = ["image.nrrd", "layers.seg.nrrd"];
    let all = table(path, &[&mask[..], &["--labels", "all"]].concat());
    assert_eq!(all.column("Segment"), ["GTV", "edema", "whole tumour"]);
    assert_eq!((all.column("Label"), all.voxels()), (vec!["1", "2", "1"], vec![48, 32, 90]));
    assert_eq!(table(path, &[&mask[..], &["--labels", "union"]].concat()).voxels(), [48 + 32 + 90 - 18 - 9]);
    for (name, voxels) in [("GTV", 48), ("edema", 32), ("whole tumour", 90)] {
        assert_eq!(table(path, &[&mask[..], &["--roi", name]].concat()).voxels(), [voxels]);
    }
    let missing = refusal(path, &[&mask[..], &["--roi", "necrosis"]].concat());
    assert!(missing.contains("no region \"necrosis\" here; the file has: 1 \"GTV\", 2 \"edema\", 3 \"whole tumour\""));
    // PyRadiomics' way stays.
    assert_eq!(table(path, &[&mask[..], &["-s", "label_channel:1"]].concat()).voxels(), [90]);
    std::fs::write(path.join("list.csv"), "Image,Mask,Roi\nimage.nrrd,layers.seg.nrrd,edema\n").unwrap();
    assert_eq!(table(path, &["list.csv"]).voxels(), [32]);
}

#[test]
fn structures_that_overlap_are_drawn_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_image(path.join("image.nrrd"), &image_and_mask(1).0).unwrap();
    let rectangle = |right: f64| {
        let corners = [[0.5, 0.5], [right, 0.5], [right, 3.5], [0.5, 3.5]];
        vec![("CLOSED_PLANAR", corners.map(|[x, y]| grid().index_to_point([x, y, 1.0])).to_vec())]
    };
    let corners = [[0.5, -5.0], [5.5, -5.0], [5.5, 3.5], [0.5, 3.5]];
    let mut cut = rectangle(5.5);
    cut.push(("CLOSED_PLANAR", corners.map(|[x, y]| grid().index_to_point([x, y, 2.0])).to_vec()));
    let rois = [
        DrawnRoi { number: 3, name: "GTV", contours: rectangle(2.5) },
        DrawnRoi { number: 5, name: "CTV", contours: rectangle(5.5) },
        // Its upper edge lies 3.6 mm beyond the first row of voxels.
        DrawnRoi { number: 4, name: "cut", contours: cut },
        DrawnRoi { number: 6, name: "marks", contours: vec![("POINT", vec![grid().index_to_point([2.0, 2.0, 1.0])])] },
    ];
    let bytes = builder::file(builder::structure_set(&rois), uids::EXPLICIT_VR_LITTLE_ENDIAN);
    std::fs::write(path.join("rs.dcm"), bytes).unwrap();
    let output = alnm(path, &["image.nrrd", "rs.dcm", "--labels", "all", "-f", "csv", "-s", "minimumROIDimensions:2"]);
    let messages = String::from_utf8_lossy(&output.stderr);
    assert_eq!(messages.matches("error: case 1, label 4").count(), 1, "{messages}");
    let remark = "the contours of \"cut\" leave the image: ";
    assert_eq!(messages.matches(remark).count(), 1, "{messages}");
    let listed = table(path, &["image.nrrd", "rs.dcm", "--labels", "2,1"]);
    assert_eq!((listed.column("Segment"), listed.voxels()), (vec!["CTV", "GTV"], vec![15, 6]));
    assert_eq!(table(path, &["image.nrrd", "rs.dcm", "-l", "2"]).voxels(), [15]);
    assert_eq!(table(path, &["image.nrrd", "rs.dcm", "-l", "3"]).voxels(), [15 + 20]);
    let message = String::from_utf8(alnm(path, &["image.nrrd", "rs.dcm", "--roi", "cut"]).stderr).unwrap();
    assert_eq!(message.matches(remark).count(), 1, "{message}");
    assert_eq!(table(path, &["image.nrrd", "rs.dcm", "--roi", "GTV"]).voxels(), [6]);
    assert!(
        refusal(path, &["image.nrrd", "rs.dcm", "-l", "9"]).contains("label 9 is not in the mask; it holds 1 \"GTV\"")
    );
}
