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
use alnm_imaging::file::write_volumes;
use alnm_imaging::{Geometry, Image, Volume, write_image, write_mask};
use builder::DrawnRoi;
use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
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
    // PyRadiomics' way stays, but says what else the layer holds.
    assert_eq!(table(path, &[&mask[..], &["-s", "label_channel:1"]].concat()).voxels(), [90]);
    let told = |options: &[&str]| String::from_utf8(alnm(path, &[&mask[..], options].concat()).stderr).unwrap();
    let others = "the mask holds 1 \"GTV\", 2 \"edema\"; none is named, so that of label 1 is taken";
    assert!(told(&[]).contains(others), "{}", told(&[]));
    for chosen in [&["--roi", "GTV"][..], &["-l", "1"], &["--labels", "all"], &["-s", "label_channel:1"]] {
        assert!(!told(chosen).contains("none is named"), "{}", told(chosen));
    }
    std::fs::write(path.join("list.csv"), "Image,Mask,Roi\nimage.nrrd,layers.seg.nrrd,edema\n").unwrap();
    assert_eq!(table(path, &["list.csv"]).voxels(), [32]);
    std::fs::write(path.join("labels.csv"), "Image,Mask,Label\nimage.nrrd,layers.seg.nrrd,2\n").unwrap();
    assert_eq!(table(path, &["labels.csv", "--labels", "1"]).column("Label"), ["1"]);
    let told = String::from_utf8(alnm(path, &["labels.csv", "--labels", "1"]).stderr).unwrap();
    assert!(told.contains("labels.csv has the column Label, which --labels replaces"), "{told}");
    let told = String::from_utf8(alnm(path, &["labels.csv"]).stderr).unwrap();
    assert!(!told.contains("replaces"), "{told}");
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
    // Where none is named, the first one is not taken in silence.
    let unnamed = |options: &[&str]| {
        let output = alnm(path, &[&["image.nrrd", "rs.dcm"], options].concat());
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stderr).unwrap().matches("none is named, so that of label 1 is taken; --roi").count()
    };
    assert_eq!((unnamed(&[]), unnamed(&["--roi", "GTV"]), unnamed(&["-l", "1"])), (1, 0, 0));
    assert!(
        refusal(path, &["image.nrrd", "rs.dcm", "-l", "9"]).contains("label 9 is not in the mask; it holds 1 \"GTV\"")
    );
}

#[test]
fn the_whole_image_needs_no_mask() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (image, mut mask) = image_and_mask(1);
    write_image(path.join("image.nrrd"), &image).unwrap();
    mask.as_mut_slice().fill(1);
    mask.as_mut_slice()[0] = 2;
    write_mask(path.join("nearly.nrrd"), &mask).unwrap();
    let whole = table(path, &["image.nrrd", "--whole-image"]);
    assert_eq!((whole.voxels(), whole.has("Mask")), (vec![960], false));
    // A mask that sets nothing apart is refused, as by PyRadiomics.
    mask.as_mut_slice().fill(1);
    write_mask(path.join("full.nrrd"), &mask).unwrap();
    assert!(refusal(path, &["image.nrrd", "full.nrrd"]).contains("every voxel of the mask is 1"));
    let mean = |table: &Table| table.column("original_firstorder_Mean")[0].parse::<f64>().unwrap();
    assert!((mean(&whole) - mean(&table(path, &["image.nrrd", "nearly.nrrd"]))).abs() < 1.0);
    let ibsi = table(path, &["image.nrrd", "--whole-image", "--profile", "ibsi"]);
    assert_eq!(ibsi.column("diagnostics_IBSI-IntensityMask-original_VoxelNum"), ["960"]);

    // Lists without a column Mask; finished cases of the whole image are not those of a mask.
    std::fs::write(path.join("list.csv"), "ID,Image\na,image.nrrd\n").unwrap();
    std::fs::write(path.join("masks.csv"), "ID,Image,Mask\na,image.nrrd,nearly.nrrd\n").unwrap();
    for _ in 0..2 {
        let listed = table(path, &["list.csv", "--whole-image", "-od", "parts"]);
        assert_eq!((listed.column("ID"), listed.voxels()), (vec!["a"], vec![960]));
        assert_eq!(table(path, &["masks.csv", "-od", "parts"]).voxels(), [959]);
        assert_eq!(table(path, &["masks.csv", "--whole-image", "-od", "parts"]).voxels(), [960]);
    }
    assert!(refusal(path, &["list.csv"]).contains("no column Mask"));
    assert!(refusal(path, &["image.nrrd", "nearly.nrrd", "--whole-image"]).contains("cannot be used with"));
    assert!(refusal(path, &["image.nrrd", "--whole-image", "--label", "2"]).contains("cannot be used with"));
}

#[test]
fn slices_that_become_lines_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let grid = Geometry::planar([14, 12], [0.5, 0.5], [0.0; 2], [[1.0, 0.0], [0.0, 1.0]]).unwrap();
    let image = Array3::from_shape_fn([1, 12, 14], |(_, y, x)| ((7 * x + 13 * y * y) % 59) as i16 * 9);
    write_image(path.join("flat.nii.gz"), &Image::I16(Volume::new(image, grid).unwrap())).unwrap();
    for (dimension, axis) in [("0", "x"), ("1", "y")] {
        let settings = ["-s", "force2D:true", "-s", &format!("force2Ddimension:{dimension}")];
        let output = alnm(path, &[&["flat.nii.gz", "--whole-image", "-f", "csv"][..], &settings].concat());
        let messages = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{messages}");
        assert!(messages.contains(&format!("leaves an image of two dimensions only the {axis} axis")), "{messages}");
    }
    let quiet = alnm(path, &["flat.nii.gz", "--whole-image", "-f", "csv"]);
    assert!(!String::from_utf8_lossy(&quiet.stderr).contains("force2D"));
}

#[test]
fn volumes_of_four_dimensions_are_chosen_by_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let images: Vec<Image> = (1..=3).map(|case| image_and_mask(case).0).collect();
    write_volumes(path.join("image.nii.gz"), &images, 1.0).unwrap();
    let masks = [boxes(&[(1, [1..4, 1..5, 1..6])]), boxes(&[(1, [2..7, 2..6, 3..9])])];
    let masks = masks.map(|mask| Image::U8(Volume::new(mask.mapv(|label| label as u8), grid()).unwrap()));
    write_volumes(path.join("mask.nii.gz"), &masks, 1.0).unwrap();
    write_image(path.join("second.nrrd"), &images[1]).unwrap();
    write_image(path.join("inside.nrrd"), &masks[1]).unwrap();
    let energy = "original_firstorder_Energy";
    let expected = table(path, &["second.nrrd", "inside.nrrd"]);
    let chosen = table(path, &["image.nii.gz", "mask.nii.gz", "--volume", "2", "--mask-volume", "2"]);
    assert_eq!((chosen.column(energy), chosen.voxels()), (expected.column(energy), expected.voxels()));
    assert!(refusal(path, &["image.nii.gz", "inside.nrrd"]).contains("3 volumes"));
    assert!(refusal(path, &["second.nrrd", "mask.nii.gz"]).contains("2 volumes"));
    assert!(refusal(path, &["image.nii.gz", "inside.nrrd", "--volume", "4"]).contains("volumes 1 to 3"));
    let list = "Image,Mask,Image_volume,Mask_volume\nimage.nii.gz,mask.nii.gz,2,2\nimage.nii.gz,mask.nii.gz,3,1\n";
    std::fs::write(path.join("list.csv"), list).unwrap();
    for _ in 0..2 {
        let listed = table(path, &["list.csv", "-od", "parts"]);
        assert_eq!(listed.column(energy)[0], expected.column(energy)[0]);
        assert_eq!(listed.voxels(), [120, 60]);
    }
    std::fs::write(path.join("list.csv"), "Image,Mask,Image_volume\nimage.nii.gz,mask.nii.gz,late\n").unwrap();
    assert!(refusal(path, &["list.csv"]).contains("the column Image_volume is \"late\""));
}

/// A PET series of activities that are 150 times the image.
fn write_pet(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    let Image::I16(image) = image_and_mask(1).0 else { panic!("the images are of 16 bits") };
    for (slice, voxels) in image.data().outer_iter().enumerate() {
        let tracer = vec![
            builder::decimals(tags::RADIONUCLIDE_TOTAL_DOSE, &[370e6]),
            builder::decimals(tags::RADIONUCLIDE_HALF_LIFE, &[6586.2]),
            builder::text(tags::RADIOPHARMACEUTICAL_START_TIME, VR::TM, "090000"),
        ];
        let mut elements = builder::classic(&grid(), slice, 16);
        elements.extend([
            builder::text(tags::SOP_INSTANCE_UID, VR::UI, &format!("2.25.1{slice}")),
            builder::text(tags::MODALITY, VR::CS, "PT"),
            builder::text(tags::UNITS, VR::CS, "BQML"),
            builder::text(tags::DECAY_CORRECTION, VR::CS, "ADMIN"),
            builder::text(tags::SERIES_TIME, VR::TM, "100000"),
            builder::text(tags::PATIENT_SEX, VR::CS, "F"),
            builder::decimals(tags::PATIENT_WEIGHT, &[70.0]),
            builder::decimals(tags::PATIENT_SIZE, &[1.65]),
            builder::decimals(tags::RESCALE_SLOPE, &[150.0]),
            builder::sequence(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![builder::dataset(tracer)]),
            builder::pixels(&voxels.iter().flat_map(|voxel| voxel.to_le_bytes()).collect::<Vec<u8>>()),
        ]);
        let bytes = builder::file(builder::dataset(elements), uids::EXPLICIT_VR_LITTLE_ENDIAN);
        std::fs::write(folder.join(format!("{slice}.dcm")), bytes).unwrap();
    }
}

#[test]
fn uptake_values_of_pet_are_extracted_and_what_is_odd_is_told_by_case() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_pet(&path.join("pet"));
    write_mask(path.join("mask.nrrd"), &image_and_mask(1).1).unwrap();
    write_image(path.join("image.nrrd"), &image_and_mask(1).0).unwrap();
    let maximum = |arguments: &[&str]| -> f64 {
        table(path, arguments).column("original_firstorder_Maximum")[0].parse().unwrap()
    };
    let of_norm = |norm| maximum(&["pet", "mask.nrrd", "-s", "binWidth:0.5", "--suv", norm]);
    let activity = maximum(&["image.nrrd", "mask.nrrd"]) * 150.0 / 370e6;
    let lean = 1.07 * 70.0 - 148.0 * (70.0_f64 / 165.0).powi(2);
    let surface = 0.007184 * 70.0_f64.powf(0.425) * 165.0_f64.powf(0.725);
    for (norm, expected) in [("bw", 70e3), ("lbm", 1e3 * lean), ("bsa", 1e4 * surface)] {
        let (found, expected) = (of_norm(norm), activity * expected);
        // Uptake values are stored in single precision.
        assert!((found / expected - 1.0).abs() < 1e-6, "{norm}: {found} instead of {expected}");
    }
    // Each case of a batch tells what it took, in the log as on the terminal.
    std::fs::write(path.join("list.csv"), "Image,Mask\npet,mask.nrrd\npet,mask.nrrd\n").unwrap();
    let arguments = ["list.csv", "-s", "binWidth:0.5", "--suv", "bw", "-f", "csv", "--log-file", "log.txt"];
    let messages = String::from_utf8(alnm(path, &arguments).stderr).unwrap();
    let log = std::fs::read_to_string(path.join("log.txt")).unwrap();
    for case in ["warning: case 1: ", "warning: case 2: "] {
        for told in [&messages, &log] {
            let lines = told.lines().filter(|line| line.starts_with(case) && line.contains("DecayCorrection ADMIN"));
            assert_eq!(lines.count(), 1, "{told}");
        }
    }
}

#[test]
fn contours_are_filled_as_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_image(path.join("image.nrrd"), &image_and_mask(1).0).unwrap();
    let square = |z: f64, left: f64, right: f64| {
        let corners = [[left, 1.0], [right, 1.0], [right, 5.0], [left, 5.0]];
        ("CLOSED_PLANAR", corners.map(|[x, y]| grid().index_to_point([x, y, z])).to_vec())
    };
    let contours = (2..6).flat_map(|z| [square(z.into(), 1.0, 6.0), square(z.into(), 4.0, 9.0)]).collect();
    let rois = [DrawnRoi { number: 1, name: "GTV", contours }];
    let bytes = builder::file(builder::structure_set(&rois), uids::EXPLICIT_VR_LITTLE_ENDIAN);
    std::fs::write(path.join("rs.dcm"), bytes).unwrap();
    let voxels = |arguments: &[&str]| table(path, &[&["image.nrrd", "rs.dcm"], arguments].concat()).voxels();
    // Of 5 x 4 voxels each, 2 x 4 lie in both.
    assert_eq!(voxels(&[]), [4 * (20 + 20 - 16)]);
    assert_eq!(voxels(&["--crossing", "union"]), [4 * (20 + 20 - 8)]);
    assert_eq!(voxels(&["--crossing", "union", "--edge", "inside"]), [4 * 9 * 5]);
}
