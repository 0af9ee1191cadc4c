//! The commands `alnm info` and `alnm convert` on files.

// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "the tests of the readers use all of it")]
#[path = "../../alnm-imaging/tests/dicom/builder.rs"]
mod builder;
mod command;

use std::path::Path;

use alnm_imaging::dicom::{Phase, SeriesAttributes, read_phases, read_series, write_series};
use alnm_imaging::{Geometry, Image, Volume, read_image, read_mask, write_image};
use dicom_dictionary_std::{tags, uids};
use ndarray::Array3;

use builder::{DrawnRoi, SegmentFrame};
use command::{ends_with, run};

fn succeed(folder: &Path, arguments: &[&str]) -> String {
    ends_with(0, folder, arguments).results
}

/// The message of a command that ends with a code.
fn fail(folder: &Path, code: i32, arguments: &[&str]) -> String {
    ends_with(code, folder, arguments).messages
}

fn grid() -> Geometry {
    Geometry::new(
        [8, 6, 3],
        [0.5, 0.75, 2.0],
        [-10.0, 20.0, 30.0],
        [[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]],
    )
    .unwrap()
}

fn volume(phase: usize) -> Volume<i16> {
    let data = Array3::from_shape_fn([3, 6, 8], |(z, y, x)| (1000 * phase + 100 * z + 10 * y + x) as i16);
    Volume::new(data, grid()).unwrap()
}

fn write_dynamic(folder: &Path) {
    let phases: Vec<Phase<i16>> = (0..3).map(|i| Phase::new(volume(i), 45.0 * i as f64)).collect();
    write_series(folder, &phases, &SeriesAttributes::new("P", "DCE")).unwrap();
}

fn assert_volume(image: &Image, phase: usize) {
    assert!(image.geometry().difference(&grid(), 1e-5).is_none(), "{:?}", image.geometry());
    assert_eq!(image.cast::<i16>().as_slice(), volume(phase).as_slice());
}

#[test]
fn every_format_becomes_every_other() {
    let folder = tempfile::tempdir().unwrap();
    write_image(folder.path().join("start.nrrd"), &volume(0).into()).unwrap();
    let mut previous = "start.nrrd";
    for name in ["a.nii", "b.mha", "c.nii.gz", "d.nhdr", "series", "e.hdr", "f.mhd", "g.nrrd"] {
        succeed(folder.path(), &["convert", previous, name]);
        assert_volume(&read_image(folder.path().join(name)).unwrap(), 0);
        previous = name;
    }
    assert_volume(&read_series(folder.path().join("series")).unwrap(), 0);
}

/// The text of an attribute in the first slice of a folder.
fn attribute(folder: &Path, tag: dicom_core::Tag) -> String {
    let object = dicom_object::open_file(folder.join("01-0001.dcm")).unwrap();
    object.element(tag).unwrap().to_str().unwrap().trim_end_matches([' ', '\0']).to_owned()
}

#[test]
fn a_series_made_from_a_series_stays_with_its_patient_and_study() {
    let folder = tempfile::tempdir().unwrap();
    let (source, made) = (folder.path().join("source"), folder.path().join("made"));
    let phases: Vec<Phase<i16>> = (0..3).map(|i| Phase::new(volume(i), 40.0 + 45.0 * i as f64)).collect();
    let attributes = SeriesAttributes::new("P", "DCE")
        .with_patient_name("DOE^JANE")
        .with_patient_sex("F")
        .with_study_description("Breast")
        .with_series_number(7)
        .with_date("20240229")
        .with_start_time(3723.5)
        .with_modality("CT")
        .with_study_uid("1.2.3")
        .with_series_uid("1.2.3.4")
        .with_frame_of_reference_uid("1.2.3.5");
    write_series(&source, &phases, &attributes).unwrap();
    succeed(folder.path(), &["convert", "source", "made", "--all-phases"]);
    let kept = [
        tags::SOP_CLASS_UID,
        tags::STUDY_DATE,
        tags::STUDY_TIME,
        tags::ACQUISITION_TIME,
        tags::MODALITY,
        tags::STUDY_DESCRIPTION,
        tags::SERIES_DESCRIPTION,
        tags::PATIENT_NAME,
        tags::PATIENT_ID,
        tags::PATIENT_SEX,
        tags::STUDY_INSTANCE_UID,
        tags::SERIES_NUMBER,
        tags::FRAME_OF_REFERENCE_UID,
    ];
    for tag in kept {
        assert_eq!(attribute(&made, tag), attribute(&source, tag), "{tag}");
    }
    assert_eq!(attribute(&made, tags::SOP_CLASS_UID), uids::CT_IMAGE_STORAGE);
    for tag in [tags::SERIES_INSTANCE_UID, tags::SOP_INSTANCE_UID] {
        assert_ne!(attribute(&made, tag), attribute(&source, tag), "{tag}");
    }

    succeed(
        folder.path(),
        &["convert", "source", "one", "--phase", "2", "--patient-id", "Q", "--description", "second"],
    );
    let one = folder.path().join("one");
    assert_eq!(attribute(&one, tags::ACQUISITION_TIME), "010328.500000");
    assert_eq!([tags::PATIENT_ID, tags::SERIES_DESCRIPTION].map(|tag| attribute(&one, tag)), ["Q", "second"]);
    assert_ne!(attribute(&one, tags::SERIES_INSTANCE_UID), attribute(&made, tags::SERIES_INSTANCE_UID));
}

#[test]
fn different_images_become_different_series() {
    let folder = tempfile::tempdir().unwrap();
    let long = "a".repeat(100);
    for (input, phase) in [("a.nrrd", 0), ("b.nrrd", 1)] {
        write_image(folder.path().join(input), &volume(phase).into()).unwrap();
        std::fs::create_dir_all(folder.path().join(phase.to_string()).join("empty")).unwrap();
    }
    for (input, output) in [("a.nrrd", "0/empty"), ("b.nrrd", "1/empty"), ("a.nrrd", &*long)] {
        succeed(folder.path(), &["convert", input, output, "--modality", "PT"]);
    }
    let [first, second, again] = ["0/empty", "1/empty", &long].map(|name| folder.path().join(name));
    for tag in
        [tags::STUDY_INSTANCE_UID, tags::SERIES_INSTANCE_UID, tags::SOP_INSTANCE_UID, tags::FRAME_OF_REFERENCE_UID]
    {
        assert_ne!(attribute(&first, tag), attribute(&second, tag), "{tag}");
    }
    assert_eq!(attribute(&first, tags::STUDY_INSTANCE_UID), attribute(&again, tags::STUDY_INSTANCE_UID));
    assert_eq!(attribute(&again, tags::SERIES_DESCRIPTION), "a".repeat(64));
    assert_eq!(attribute(&first, tags::SOP_CLASS_UID), uids::SECONDARY_CAPTURE_IMAGE_STORAGE);
    assert_volume(&read_series(&first).unwrap(), 0);
    assert!(fail(folder.path(), 1, &["convert", "a.nrrd", "c", "--modality", "magnetic"]).contains("modality"));
}

#[test]
fn voxels_that_dicom_does_not_hold_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_image(folder.path().join("a.nrrd"), &volume(0).cast::<f32>().into()).unwrap();
    assert!(fail(folder.path(), 1, &["convert", "a.nrrd", "series"]).contains("write NRRD"));
    assert!(!folder.path().join("series").exists());
}

#[test]
fn what_exists_is_kept_unless_forced() {
    let folder = tempfile::tempdir().unwrap();
    write_image(folder.path().join("a.nrrd"), &volume(0).into()).unwrap();
    std::fs::write(folder.path().join("b.nii"), "precious").unwrap();
    assert!(fail(folder.path(), 1, &["convert", "a.nrrd", "b.nii"]).contains("--force"));
    assert_eq!(std::fs::read(folder.path().join("b.nii")).unwrap(), b"precious");
    succeed(folder.path(), &["convert", "a.nrrd", "b.nii", "--force"]);
    assert_volume(&read_image(folder.path().join("b.nii")).unwrap(), 0);
    succeed(folder.path(), &["convert", "a.nrrd", "series"]);
    assert!(fail(folder.path(), 1, &["convert", "a.nrrd", "series"]).contains("--force"));
}

#[test]
fn phases_are_chosen_or_written_all() {
    let folder = tempfile::tempdir().unwrap();
    write_dynamic(&folder.path().join("dce"));
    succeed(folder.path(), &["convert", "dce", "second.nii.gz", "--phase", "2"]);
    assert_volume(&read_image(folder.path().join("second.nii.gz")).unwrap(), 1);
    succeed(folder.path(), &["convert", "dce", "phase.nii.gz", "--all-phases"]);
    for phase in 0..3 {
        assert_volume(&read_image(folder.path().join(format!("phase-{}.nii.gz", phase + 1))).unwrap(), phase);
    }
    succeed(folder.path(), &["convert", "dce", "copy", "--all-phases"]);
    assert_eq!(read_phases(folder.path().join("copy")).unwrap().times(), [0.0, 45.0, 90.0]);
    assert!(fail(folder.path(), 1, &["convert", "dce", "none.nii"]).contains("3 phases"));
    assert!(fail(folder.path(), 1, &["convert", "dce", "none.nii", "--phase", "4"]).contains("1 to 3"));
    fail(folder.path(), 2, &["convert", "dce", "none.nii", "--phase", "1", "--all-phases"]);
    assert!(!folder.path().join("none.nii").exists());
}

#[test]
fn one_of_several_series_is_chosen() {
    let folder = tempfile::tempdir().unwrap();
    for (name, phase) in [("first", 0), ("second", 1)] {
        let phases = [Phase::new(volume(phase), 60.0 * phase as f64)];
        let attributes = SeriesAttributes::new("P", name).with_series_uid(format!("2.25.{}", phase + 1));
        write_series(folder.path().join("both").join(name), &phases, &attributes).unwrap();
    }
    assert!(fail(folder.path(), 1, &["convert", "both", "a.nii"]).contains("2.25.2"));
    succeed(folder.path(), &["convert", "both", "a.nii", "--series", "2.25.2"]);
    assert_volume(&read_image(folder.path().join("a.nii")).unwrap(), 1);
    assert!(fail(folder.path(), 1, &["convert", "both", "b.nii", "--series", "2.25.9"]).contains("no series 2.25.9"));
    succeed(folder.path(), &["convert", "both", "c.mha", "--series-as-phases"]);
    assert_volume(&read_image(folder.path().join("c-2.mha")).unwrap(), 1);
    let listed = succeed(folder.path(), &["info", "both"]);
    assert!(listed.contains("series 2.25.1") && listed.contains("\"second\""), "{listed}");
}

#[test]
fn phases_of_different_voxel_types_are_not_clamped_into_one_series() {
    let folder = tempfile::tempdir().unwrap();
    for (phase, slope) in [1.0, 20.0, 0.25].into_iter().enumerate() {
        let phases = [Phase::new(volume(phase), 60.0 * phase as f64)];
        let attributes =
            SeriesAttributes::new("P", "DCE").with_series_uid(format!("2.25.{}", phase + 1)).with_rescale_slope(slope);
        for both in ["wide", "fractions"].iter().filter(|name| phase == 0 || (**name == "wide") == (phase == 1)) {
            write_series(folder.path().join(both).join(phase.to_string()), &phases, &attributes).unwrap();
        }
    }
    for (input, other) in [("wide", "I32"), ("fractions", "F64")] {
        let message = fail(folder.path(), 1, &["convert", input, "out", "--series-as-phases"]);
        assert!(message.contains("I16") && message.contains(other), "{message}");
        assert!(!folder.path().join("out").exists());
        succeed(folder.path(), &["convert", input, &format!("{input}.nrrd"), "--series-as-phases"]);
    }
}

#[test]
fn a_dynamic_file_is_read_as_a_folder_that_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let flat = Geometry::axis_aligned([4, 3, 2], [1.0; 3]).unwrap();
    let frame = |phase: usize, slice: usize| {
        let position = builder::integer(tags::TEMPORAL_POSITION_INDEX, phase as i64);
        let content = builder::sequence(tags::FRAME_CONTENT_SEQUENCE, vec![builder::dataset(vec![position])]);
        vec![builder::plane_position(&flat, slice as f64), content]
    };
    let frames = [1, 2].into_iter().flat_map(|phase| [0, 1].map(|slice| frame(phase, slice))).collect();
    let mut elements = builder::identity("MR", "2.25.3");
    elements.extend(builder::pixel_format(&flat, 8));
    let mut elements = builder::multi_frame(elements, &flat, frames);
    elements.push(builder::pixels(&[[10; 24], [20; 24]].concat()));
    let bytes = builder::file(builder::dataset(elements), uids::EXPLICIT_VR_LITTLE_ENDIAN);
    std::fs::write(folder.path().join("dynamic.dcm"), bytes).unwrap();
    assert!(fail(folder.path(), 1, &["convert", "dynamic.dcm", "a.nrrd"]).contains("2 phases"));
    succeed(folder.path(), &["convert", "dynamic.dcm", "a.nrrd", "--phase", "2", "--series", "2.25.3"]);
    succeed(folder.path(), &["convert", "dynamic.dcm", "b.nrrd", "--all-phases"]);
    for (name, value) in [("a.nrrd", 20.0), ("b-1.nrrd", 10.0), ("b-2.nrrd", 20.0)] {
        let image = read_image(folder.path().join(name)).unwrap();
        assert!(image.cast::<f64>().as_slice().iter().all(|&voxel| voxel == value), "{name}");
    }
}

#[test]
fn options_that_do_not_fit_the_input_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_image(folder.path().join("a.nrrd"), &volume(0).cast::<u16>().into()).unwrap();
    for options in [&["--phase", "9"][..], &["--all-phases"], &["--series-as-phases"], &["--series", "2.25.1"]] {
        let arguments = [&["convert", "a.nrrd", "b.nrrd"], options].concat();
        assert!(fail(folder.path(), 1, &arguments).contains("need a DICOM folder"), "{options:?}");
        let arguments = [&arguments[..], &["--roi-number", "3"]].concat();
        assert!(fail(folder.path(), 1, &arguments).contains("a mask is converted"), "{options:?}");
    }
    for (name, phase) in [("first", 0), ("second", 1)] {
        let phases = [Phase::new(volume(phase), 60.0 * phase as f64)];
        let attributes = SeriesAttributes::new("P", name).with_series_uid(format!("2.25.{}", phase + 1));
        write_series(folder.path().join("both").join(name), &phases, &attributes).unwrap();
    }
    succeed(folder.path(), &["convert", "both", "one", "--series-as-phases", "--phase", "2"]);
    assert_volume(&read_series(folder.path().join("one")).unwrap(), 1);
}

#[test]
fn a_replaced_series_leaves_no_old_slices() {
    let folder = tempfile::tempdir().unwrap();
    write_dynamic(&folder.path().join("series"));
    write_image(folder.path().join("a.nrrd"), &volume(0).into()).unwrap();
    succeed(folder.path(), &["convert", "a.nrrd", "series", "--force"]);
    assert_volume(&read_series(folder.path().join("series")).unwrap(), 0);
    assert_eq!(folder.path().join("series").read_dir().unwrap().count(), 3);
    assert_eq!(folder.path().read_dir().unwrap().count(), 2, "the folder beside it is gone");
    std::fs::write(folder.path().join("series/other.dcm"), "precious").unwrap();
    assert!(fail(folder.path(), 1, &["convert", "a.nrrd", "series", "--force"]).contains("other.dcm"));
    assert_eq!(folder.path().join("series").read_dir().unwrap().count(), 4);
}

/// A structure set of two rectangles on the middle slice of the grid.
fn write_structures(path: &Path) {
    let rectangle = |right: f64| {
        let corners = [[0.5, 0.5], [right, 0.5], [right, 3.5], [0.5, 3.5]];
        vec![("CLOSED_PLANAR", corners.map(|[x, y]| grid().index_to_point([x, y, 1.0])).to_vec())]
    };
    let rois = [
        DrawnRoi { number: 3, name: "GTV-1", contours: rectangle(2.5) },
        DrawnRoi { number: 5, name: "CTV", contours: rectangle(5.5) },
    ];
    std::fs::write(path, builder::file(builder::structure_set(&rois), uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
}

#[test]
fn contours_become_masks_on_an_image() {
    let folder = tempfile::tempdir().unwrap();
    write_structures(&folder.path().join("structures.dcm"));
    write_image(folder.path().join("image.nii.gz"), &volume(0).into()).unwrap();
    succeed(folder.path(), &["convert", "structures.dcm", "gtv.nrrd", "--roi", "GTV-1", "--like", "image.nii.gz"]);
    let voxels = |name: &str| {
        read_mask(folder.path().join(name)).unwrap().as_slice().iter().filter(|voxel| **voxel == 1).count()
    };
    assert_eq!(voxels("gtv.nrrd"), 2 * 3);
    succeed(folder.path(), &["convert", "structures.dcm", "ctv.nrrd", "--roi-number", "5", "--like", "image.nii.gz"]);
    assert_eq!(voxels("ctv.nrrd"), 5 * 3);
    assert!(
        fail(folder.path(), 1, &["convert", "structures.dcm", "x.nrrd", "--roi", "PTV", "--like", "image.nii.gz"])
            .contains("CTV")
    );
    assert!(fail(folder.path(), 1, &["convert", "structures.dcm", "x.nrrd"]).contains("grid of an image"));
    // The series was written in another frame of reference than the one that the contours name.
    write_dynamic(&folder.path().join("dce"));
    let elsewhere = fail(folder.path(), 1, &["convert", "structures.dcm", "x.nrrd", "--roi", "CTV", "--like", "dce"]);
    assert!(elsewhere.contains("frame of reference"), "{elsewhere}");
    let listed = succeed(folder.path(), &["info", "structures.dcm"]);
    assert!(listed.contains("region 3 \"GTV-1\"") && listed.contains("region 5 \"CTV\""), "{listed}");
}

#[test]
fn regions_that_overlap_are_written_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_image(path.join("image.nii.gz"), &volume(0).into()).unwrap();
    let rectangle = |right: f64| {
        let corners = [[0.5, 0.5], [right, 0.5], [right, 3.5], [0.5, 3.5]];
        vec![("CLOSED_PLANAR", corners.map(|[x, y]| grid().index_to_point([x, y, 1.0])).to_vec())]
    };
    let rois = [
        DrawnRoi { number: 3, name: "GTV", contours: rectangle(2.5) },
        DrawnRoi { number: 7, name: "marks", contours: vec![("POINT", vec![grid().index_to_point([2.0, 2.0, 1.0])])] },
        DrawnRoi { number: 9, name: "body", contours: rectangle(5.5) },
    ];
    let bytes = builder::file(builder::structure_set(&rois), uids::EXPLICIT_VR_LITTLE_ENDIAN);
    std::fs::write(path.join("rs.dcm"), bytes).unwrap();
    assert!(fail(path, 1, &["convert", "rs.dcm", "all.nrrd", "--like", "image.nii.gz"]).contains("overlap"));
    let all = ["convert", "rs.dcm", "all.nii.gz", "--like", "image.nii.gz", "--all-regions"];
    let messages = ends_with(0, path, &all).messages;
    assert!(messages.contains("\"marks\" has no closed contour; it is left out"), "{messages}");
    let voxels =
        |name: &str| read_mask(path.join(name)).unwrap().as_slice().iter().filter(|voxel| **voxel == 1).count();
    assert_eq!((voxels("all-3.nii.gz"), voxels("all-9.nii.gz")), (2 * 3, 5 * 3));
    assert!(!path.join("all-7.nii.gz").exists() && !path.join("all.nii.gz").exists());
    assert!(fail(path, 1, &all).contains("--force"));
    assert!(fail(path, 1, &["convert", "image.nii.gz", "x.nrrd", "--all-regions"]).contains("no structure set"));
    fail(path, 2, &["convert", "rs.dcm", "x.nrrd", "--all-regions", "--roi", "GTV"]);
}

#[test]
fn segments_become_masks_on_their_own_grid() {
    let folder = tempfile::tempdir().unwrap();
    let frames = [1.0, 2.0].map(|slice| SegmentFrame { segment: Some(2), slice, pixels: vec![1; 48] });
    let object = builder::segmentation("BINARY", &grid(), &[1, 2], &frames);
    std::fs::write(folder.path().join("seg.dcm"), builder::file(object, uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
    succeed(folder.path(), &["convert", "seg.dcm", "seg.nii.gz"]);
    let mask = read_mask(folder.path().join("seg.nii.gz")).unwrap();
    assert_eq!(mask.geometry().size(), [8, 6, 2]);
    assert!(mask.as_slice().iter().all(|&voxel| voxel == 2));
    assert!(succeed(folder.path(), &["info", "seg.dcm"]).contains("region 2 \"segment 2\""));
}

#[test]
fn images_and_phases_are_described() {
    let folder = tempfile::tempdir().unwrap();
    write_image(folder.path().join("a.mha"), &volume(0).into()).unwrap();
    let image = succeed(folder.path(), &["info", "a.mha"]);
    for part in ["MetaImage", "I16", "[8, 6, 3]", "[0.5, 0.75, 2.0] mm", "[-10.0, 20.0, 30.0] mm (LPS)"] {
        assert!(image.contains(part), "{part}: {image}");
    }
    write_dynamic(&folder.path().join("dce"));
    let series = succeed(folder.path(), &["info", "dce"]);
    assert!(series.contains("9 slices, 3 phases") && series.contains("0, 45, 90 s"), "{series}");
}

/// `/proc` takes no new file, from the administrator either.
#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_written_is_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    for output in ["/proc/image.nrrd", "/proc/series"] {
        let told = fail(folder.path(), 1, &["convert", "no_such_image.nrrd", output]);
        assert!(told.contains(&format!("{output} cannot be written: /proc takes no new file (")), "{told}");
    }
}

#[test]
fn errors_name_the_file_and_end_with_1_or_2() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text.nii"), "no image").unwrap();
    assert!(fail(folder.path(), 1, &["info", "text.nii"]).contains("text.nii: not a medical image"));
    assert!(fail(folder.path(), 1, &["info", "absent"]).contains("absent"));
    fail(folder.path(), 2, &["info"]);
    fail(folder.path(), 2, &["convert", "a", "b", "--no-such-option"]);
    write_image(folder.path().join("a.nrrd"), &volume(0).cast::<f32>().into()).unwrap();
    assert!(fail(folder.path(), 1, &["convert", "a.nrrd", "dicom"]).contains("F32"));
    assert!(fail(folder.path(), 2, &["convert", "a.nrrd", "a.bmp"]).contains("suffix"));
    for command in ["info", "convert"] {
        let help = succeed(folder.path(), &[command, "--help"]);
        assert!(help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
    }
}

#[test]
fn volumes_are_listed_and_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let series = folder.path().join("echoes");
    std::fs::create_dir(&series).unwrap();
    for (echo, slice) in (0..2_u8).flat_map(|echo| (0..3).map(move |slice| (echo, slice))) {
        let mut elements = builder::classic(&grid(), slice, 8);
        elements.push(builder::decimals(tags::ECHO_TIME, &[20.0 + 70.0 * f64::from(echo)]));
        elements.push(builder::pixels(&[10 + echo; 48]));
        let bytes = builder::file(builder::dataset(elements), uids::EXPLICIT_VR_LITTLE_ENDIAN);
        std::fs::write(series.join(format!("{echo}-{slice}")), bytes).unwrap();
    }
    std::fs::write(series.join("cut"), &std::fs::read(series.join("0-0")).unwrap()[..300]).unwrap();
    let listed = succeed(folder.path(), &["info", "echoes"]);
    for part in ["6 slices, 2 volumes", "volume 1 echo time 20 ms", "volume 2 echo time 90 ms", "left out", "cut"] {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    assert!(fail(folder.path(), 1, &["convert", "echoes", "a.nii"]).contains("2 volumes where one is asked for"));
    for (name, option) in [("a.nii", ["--echo", "90"]), ("b.nii", ["--volume", "2"])] {
        let output = run(folder.path(), &["convert", "echoes", name, option[0], option[1]]);
        assert_eq!(output.status.code(), Some(0));
        let warned = String::from_utf8(output.stderr).unwrap();
        assert!(warned.contains("warning: ") && warned.contains("cut") && warned.contains("left out"), "{warned}");
        assert_eq!(read_image(folder.path().join(name)).unwrap().cast::<u8>().as_slice()[0], 11);
    }
    succeed(folder.path(), &["convert", "echoes", "echo.nii.gz", "--all-volumes"]);
    for (name, value) in [("echo-1.nii.gz", 10), ("echo-2.nii.gz", 11)] {
        assert_eq!(read_image(folder.path().join(name)).unwrap().cast::<u8>().as_slice(), [value; 144]);
    }
    assert!(fail(folder.path(), 1, &["convert", "echoes", "echo.nii.gz", "--all-volumes"]).contains("already there"));
    assert!(fail(folder.path(), 2, &["convert", "echoes", "folder", "--all-volumes"]).contains("suffix"));
    let told: serde_json::Value = serde_json::from_str(&succeed(folder.path(), &["info", "echoes", "--json"])).unwrap();
    let told = &told[0];
    let series = &told["series"][0];
    assert_eq!((&series["slices"], &series["problem"]), (&6.into(), &serde_json::Value::Null));
    assert_eq!(series["volumes"][1]["kind"]["echo_time"], 90.0);
    assert_eq!(series["volumes"][1]["geometry"]["size"], serde_json::json!([8, 6, 3]));
    assert!(told["odd"][0]["what"].as_str().unwrap().contains("cut"), "{told}");
    let told: serde_json::Value = serde_json::from_str(&succeed(folder.path(), &["info", "a.nii", "--json"])).unwrap();
    let told = &told[0];
    assert_eq!((&told["format"], &told["voxels"], &told["volumes"]), (&"NIfTI".into(), &"U8".into(), &1.into()));
    // A single file is described without being read.
    let one = succeed(folder.path(), &["info", "echoes/0-0"]);
    assert!(one.contains("1 slice, 1 phase\n") && one.contains("[8, 6, 1]"), "{one}");
    let wrong = fail(folder.path(), 1, &["convert", "a.nii", "c.nii", "--echo", "20"]);
    assert!(wrong.contains("need a DICOM"), "{wrong}");
}

#[test]
fn phases_are_written_into_one_file() {
    let folder = tempfile::tempdir().unwrap();
    write_dynamic(&folder.path().join("dce"));
    succeed(folder.path(), &["convert", "dce", "all.nii.gz", "--all-phases", "--one-file"]);
    for phase in 0..3 {
        let number = (phase + 1).to_string();
        succeed(folder.path(), &["convert", "all.nii.gz", "one.nrrd", "--volume", &number, "--force"]);
        assert_volume(&read_image(folder.path().join("one.nrrd")).unwrap(), phase);
    }
    assert!(succeed(folder.path(), &["info", "all.nii.gz"]).contains("volumes    3"));
    assert!(fail(folder.path(), 1, &["convert", "all.nii.gz", "x.nii"]).contains("3 volumes where one is asked for"));
    assert!(
        fail(folder.path(), 2, &["convert", "dce", "x.nii", "--phase", "1", "--one-file"]).contains("--all-phases")
    );
}

#[test]
fn volumes_of_a_file_become_a_file_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_dynamic(&path.join("dce"));
    succeed(path, &["convert", "dce", "all.nii.gz", "--all-phases", "--one-file"]);
    succeed(path, &["convert", "all.nii.gz", "each.nrrd", "--all-volumes"]);
    for phase in 0..3 {
        assert_volume(&read_image(path.join(format!("each-{}.nrrd", phase + 1))).unwrap(), phase);
    }
    assert!(fail(path, 1, &["convert", "all.nii.gz", "each.nrrd", "--all-volumes"]).contains("already there"));
    let message = fail(path, 1, &["convert", "all.nii.gz", "x.nrrd"]);
    assert!(message.ends_with("3 volumes where one is asked for; choose one by its number (--volume)\n"), "{message}");
    let message = fail(path, 1, &["convert", "all.nii.gz", "x.nrrd", "--volume", "9"]);
    assert!(message.ends_with("all.nii.gz: volume 9 asked for; the file has volumes 1 to 3\n"), "{message}");
    let message = fail(path, 1, &["convert", "dce", "x.nrrd"]);
    assert!(message.ends_with("the series has 3 phases; choose one by its number (--phase)\n"), "{message}");
}

#[test]
fn what_an_option_says_fits_the_output_or_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_image(path.join("a.nrrd"), &volume(0).into()).unwrap();
    std::fs::create_dir(path.join("folder.nrrd")).unwrap();
    for (arguments, code, words) in [
        (&["convert", "a.nrrd", "b.nrrd", "--object", "seg", "--like", "a.nrrd"][..], 2, "let it end in .dcm"),
        (&["convert", "a.nrrd", "folder.nrrd"], 1, "folder.nrrd is a folder; a file is written"),
        (&["n4", "a.nrrd", "folder.nrrd"], 1, "folder.nrrd is a folder; a file is written"),
        (&["convert", "a.nrrd", "b", "--deidentify", ""], 2, "--deidentify is empty"),
        (&["convert", "a.nrrd", "b.nrrd", "--as", "nii"], 2, "--as is the format of an image on standard output"),
        (&["resample", "a.nrrd", "b.nrrd", "--spacing", "1", "--as", "nii"], 2, "--as is the format of an image"),
    ] {
        let message = fail(path, code, arguments);
        assert!(message.contains(words), "{arguments:?}: {message}");
    }
    if cfg!(unix) {
        let message = fail(path, 1, &["convert", "a.nrrd", "/dev/null"]);
        assert!(message.contains("/dev/null is a file; a folder is written"), "{message}");
    }
    assert_eq!(path.read_dir().unwrap().count(), 2, "nothing is written");
    assert_eq!(path.join("folder.nrrd").read_dir().unwrap().count(), 0);
    succeed(path, &["convert", "a.nrrd", "-o", "named.nii"]);
    assert_volume(&read_image(path.join("named.nii")).unwrap(), 0);
    let message = fail(path, 2, &["convert", "a.nrrd", "b.nii", "-o", "c.nii"]);
    assert!(message.contains("cannot be used with"), "{message}");
    fail(path, 2, &["convert", "a.nrrd"]);
}

#[test]
fn a_folder_of_one_mask_is_that_mask() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::create_dir(path.join("drawn")).unwrap();
    write_structures(&path.join("drawn/structures.dcm"));
    write_image(path.join("image.nii.gz"), &volume(0).into()).unwrap();
    succeed(path, &["resample", "drawn", "gtv.nrrd", "--roi", "GTV-1", "--like", "image.nii.gz"]);
    assert_eq!(read_mask(path.join("gtv.nrrd")).unwrap().as_slice().iter().sum::<u32>(), 2 * 3);
    for input in ["drawn", "drawn/structures.dcm"] {
        let message = fail(path, 1, &["convert", input, "x.nrrd"]);
        assert!(message.ends_with("on which they were drawn (--like)\n"), "{message}");
    }
    let message = fail(path, 1, &["n4", "drawn/structures.dcm", "x.nrrd"]);
    assert!(message.starts_with("error: drawn/structures.dcm: no DICOM file with an image here"), "{message}");
}

#[test]
fn contours_that_leave_the_image_are_cut_with_a_word() {
    let folder = tempfile::tempdir().unwrap();
    write_image(folder.path().join("image.nii.gz"), &volume(0).into()).unwrap();
    let corners = [[4.5, 0.5], [11.5, 0.5], [11.5, 2.5], [4.5, 2.5]];
    let contour = corners.iter().map(|[x, y]| grid().index_to_point([*x, *y, 1.0])).collect();
    let roi = DrawnRoi { number: 1, name: "GTV", contours: vec![("CLOSED_PLANAR", contour)] };
    let bytes = builder::file(builder::structure_set(&[roi]), uids::EXPLICIT_VR_LITTLE_ENDIAN);
    std::fs::write(folder.path().join("rs.dcm"), bytes).unwrap();
    let output = run(folder.path(), &["convert", "rs.dcm", "m.nii", "--like", "image.nii.gz", "--edge", "inside"]);
    assert_eq!(output.status.code(), Some(0));
    let warned = String::from_utf8(output.stderr).unwrap();
    assert!(warned.contains("\"GTV\" leave the image: 57.1 %"), "{warned}");
    let mask = read_mask(folder.path().join("m.nii")).unwrap();
    assert_eq!(mask.as_slice().iter().filter(|voxel| **voxel == 1).count(), 6);
}

/// A mask of two labels on the grid of the dynamic series.
fn write_labels(path: &Path) -> Volume<u8> {
    let data = Array3::from_shape_fn([3, 6, 8], |(z, y, x)| match (z, y, x) {
        (1, 1..=4, 1..=3) => 1,
        (1 | 2, 2..=3, 5..=6) => 2,
        _ => 0,
    });
    let labels = Volume::new(data, grid()).unwrap();
    write_image(path, &labels.clone().into()).unwrap();
    labels
}

#[test]
fn masks_become_dicom_objects_of_a_series() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_dynamic(&path.join("dce"));
    let labels = write_labels(&path.join("mask.nrrd"));
    std::fs::write(
        path.join("names.json"),
        r#"{"segmentAttributes": [[
            {"labelID": 1, "SegmentLabel": "Tumour", "SegmentAlgorithmType": "MANUAL", "recommendedDisplayRGBValue": [1, 2, 3],
             "SegmentedPropertyTypeCodeSequence":
                {"CodeValue": "4147007", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Mass"}},
            {"labelID": 2, "SegmentLabel": "Node"}]]}"#,
    )
    .unwrap();
    for (name, more) in [
        ("binary.seg.dcm", &[][..]),
        ("named.seg.dcm", &["--segments", "names.json", "--phase", "2"]),
        ("fractional.dcm", &["--object", "fractional-seg"]),
        ("labels.dcm", &["--object", "labelmap-seg"]),
        ("keyhole.rtstruct.dcm", &[]),
        ("xor.rtstruct.dcm", &["--holes", "xor"]),
    ] {
        succeed(path, &[&["convert", "mask.nrrd", name, "--like", "dce"], more].concat());
        succeed(path, &["convert", name, "back.nrrd", "--like", "dce", "--force"]);
        assert_eq!(
            read_mask(path.join("back.nrrd")).unwrap().map(|&label| label as u8).as_slice(),
            labels.as_slice(),
            "{name}"
        );
    }
    succeed(path, &["convert", "named.seg.dcm", "node.rtstruct.dcm", "--like", "dce", "--roi", "Node"]);
    succeed(path, &["convert", "node.rtstruct.dcm", "node.nrrd", "--like", "dce", "--roi", "Node"]);
    let node = labels.map(|&label| u32::from(label == 2));
    assert_eq!(read_mask(path.join("node.nrrd")).unwrap().as_slice(), node.as_slice());

    assert!(fail(path, 1, &["convert", "mask.nrrd", "binary.seg.dcm", "--like", "dce"]).contains("--force"));
    assert!(fail(path, 2, &["convert", "mask.nrrd", "other.dcm", "--like", "dce"]).contains("--object"));
    assert!(fail(path, 2, &["convert", "mask.nrrd", "other.seg.dcm"]).contains("--like"));
    assert!(
        fail(path, 1, &["convert", "mask.nrrd", "other.seg.dcm", "--like", "mask.nrrd"]).contains("no DICOM series")
    );
}

#[test]
fn maps_and_pages_become_dicom_objects() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_dynamic(&path.join("dce"));
    let map = volume(0).map(|&voxel| f32::from(voxel) / 3.0);
    write_image(path.join("map.nrrd"), &map.clone().into()).unwrap();
    succeed(path, &["convert", "map.nrrd", "entropy.map.dcm", "--like", "dce", "--description", "Entropy"]);
    succeed(path, &["convert", "entropy.map.dcm", "back.nrrd"]);
    assert_eq!(read_image(path.join("back.nrrd")).unwrap().cast::<f32>().as_slice(), map.as_slice());
    std::fs::write(path.join("page.ppm"), b"P6 2 1 255 abcdef").unwrap();
    succeed(path, &["convert", "page.ppm", "report.page.dcm", "--like", "dce"]);
    let page = dicom_object::open_file(path.join("report.page.dcm")).unwrap();
    assert_eq!(page.element(tags::PIXEL_DATA).unwrap().to_bytes().unwrap().as_ref(), b"abcdef");
}

#[test]
fn a_series_loses_the_identity_of_its_patient() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let attributes = SeriesAttributes::new("P-7", "DCE of Jane")
        .with_patient_name("Doe^Jane")
        .with_patient_birth_date("19700102")
        .with_patient_sex("F")
        .with_accession_number("A-77")
        .with_study_id("S-77")
        .with_study_description("Jane")
        .with_date("20240305")
        .with_start_time(40_000.0)
        .with_study_uid("1.2.840.77")
        .with_frame_of_reference_uid("1.2.840.78");
    let phases: Vec<Phase<i16>> = (0..3).map(|i| Phase::new(volume(i), 45.0 * i as f64)).collect();
    write_series(path.join("dce"), &phases, &attributes).unwrap();
    succeed(path, &["convert", "dce", "anonymous", "--all-phases", "--deidentify", "a secret"]);
    for file in path.join("anonymous").read_dir().unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for trace in ["P-7", "Jane", "19700102", "A-77", "S-77", "2024", "1.2.840.77", "1.2.840.78"] {
            assert!(!bytes.windows(trace.len()).any(|window| window == trace.as_bytes()), "{trace} is left");
        }
    }
    let anonymous = path.join("anonymous");
    assert_eq!(attribute(&anonymous, tags::PATIENT_IDENTITY_REMOVED), "YES");
    assert_eq!(read_phases(&anonymous).unwrap().times(), [0.0, 45.0, 90.0]);
    for (number, image) in read_phases(&anonymous).unwrap().images().iter().enumerate() {
        assert_volume(image, number);
    }
    succeed(path, &["convert", "dce", "named", "--all-phases", "--deidentify", "a secret", "--patient-id", "X1"]);
    assert_eq!(attribute(&path.join("named"), tags::PATIENT_ID), "X1");
    let study = |folder: &str| attribute(&path.join(folder), tags::STUDY_INSTANCE_UID);
    assert_eq!(study("anonymous"), study("named"));
    assert!(fail(path, 2, &["convert", "dce", "phases.nii.gz", "--all-phases", "--deidentify", "k"]).contains("DICOM"));
}
