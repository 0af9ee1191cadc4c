//! The command `alnm view` on files.

// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

mod command;

use std::io::BufReader;
use std::path::Path;

use alnm_imaging::dicom::{Phase, SeriesAttributes, write_series};
use alnm_imaging::{Geometry, Image, LabelMap, Volume, write_image, write_mask};
use ndarray::Array3;
use serde_json::Value;

use command::{fails, succeeds};

const YELLOW: [u8; 3] = [240, 228, 66];
const BLUE: [u8; 3] = [86, 180, 233];

fn geometry() -> Geometry {
    Geometry::axis_aligned([40, 30, 12], [1.0, 1.0, 2.0]).unwrap()
}

fn image() -> Volume<i16> {
    let voxels = Array3::from_shape_fn(geometry().shape(), |(z, y, x)| (x * 10 + y * 5 + z) as i16);
    Volume::new(voxels, geometry()).unwrap()
}

/// Two boxes, labels 1 and 2, in slices 3 to 6.
fn mask() -> LabelMap {
    let voxels = Array3::from_shape_fn(geometry().shape(), |(z, y, x)| match (z, y, x) {
        (3..=6, 5..=14, 5..=14) => 1,
        (3..=6, 10..=24, 22..=33) => 2,
        _ => 0,
    });
    Volume::new(voxels, geometry()).unwrap()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_image(folder.path().join("image.nrrd"), &Image::I16(image())).unwrap();
    write_mask(folder.path().join("mask.nrrd"), &mask()).unwrap();
    folder
}

/// Width, height and pixels of a picture in colour.
fn picture(path: &Path) -> (usize, usize, Vec<[u8; 3]>) {
    let mut reader = png::Decoder::new(BufReader::new(std::fs::File::open(path).unwrap())).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut bytes).unwrap();
    assert_eq!(frame.color_type, png::ColorType::Rgb);
    (frame.width as usize, frame.height as usize, bytes.as_chunks::<3>().0.to_vec())
}

/// The data of a page.
fn page(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    let (_, data) = text.split_once("const data = ").unwrap();
    serde_json::from_str(data.split_once(";\n").unwrap().0).unwrap()
}

#[test]
fn three_planes_through_the_regions_are_drawn_with_their_outlines() {
    let folder = folder();
    succeeds(folder.path(), "view image.nrrd mask.nrrd look.png --side 240");
    let (width, height, pixels) = picture(&folder.path().join("look.png"));
    // The longer sides are 40 mm wide, in the sagittal plane 30 mm; two gaps of four pixels lie between.
    assert_eq!((width, height), (3 * 240 + 2 * 4, 192));
    for colour in [YELLOW, BLUE] {
        assert!(pixels.iter().filter(|pixel| **pixel == colour).count() > 300, "{colour:?} outlines a region");
    }
    // Grey values grow to the right and downwards in the axial plane.
    let grey = |column: usize, row: usize| pixels[row * width + column][0];
    assert!(grey(30, 165) < grey(200, 165) && grey(120, 20) < grey(120, 150));
    fails(folder.path(), "view image.nrrd mask.nrrd look.png", 1, "already there");
    succeeds(folder.path(), "view image.nrrd mask.nrrd look.png --side 240 --label 2 --force");
    let (_, _, pixels) = picture(&folder.path().join("look.png"));
    assert!(!pixels.contains(&YELLOW) && pixels.contains(&BLUE), "only the region that is asked for is outlined");
}

#[test]
fn a_mosaic_shows_the_slices_of_the_region() {
    let folder = folder();
    succeeds(folder.path(), "view image.nrrd mask.nrrd look.png --slices 9 --side 100 --percentiles 0,100");
    // The region has four slices: two by two pictures.
    let (width, height, _) = picture(&folder.path().join("look.png"));
    assert_eq!((width, height), (2 * 100 + 4, 2 * 75 + 4));
    succeeds(folder.path(), "view image.nrrd all.png --slices 9 --side 100 --plane coronal --window 0,300");
    let (width, height, _) = picture(&folder.path().join("all.png"));
    assert_eq!((width, height), (3 * 100 + 8, 3 * 60 + 8));
}

#[test]
fn a_page_holds_all_slices_of_all_phases_and_the_outlines() {
    let folder = folder();
    let phases: Vec<Phase<i16>> =
        [1, 2, 3].map(|factor| Phase::new(image().map(|voxel| factor * voxel), 60.0 * f64::from(factor))).into();
    write_series(folder.path().join("dynamic"), &phases, &SeriesAttributes::new("Somebody", "DCE")).unwrap();
    succeeds(folder.path(), "view dynamic mask.nrrd look.html");
    let data = page(&folder.path().join("look.html"));
    assert_eq!(data["phases"].as_array().unwrap().len(), 3);
    assert!(data["phases"].as_array().unwrap().iter().all(|slices| slices.as_array().unwrap().len() == 12));
    let outlined = |slice: usize| data["outlines"][slice].as_object().unwrap().len();
    assert_eq!([2, 3, 6, 7].map(outlined), [0, 2, 2, 0]);
    assert_eq!(data["outlines"][4]["1"], "M5 5h10M5 15h10M5 5v10M15 5v10");
    assert_eq!((&data["rows"], &data["columns"], &data["first"]), (&30.into(), &40.into(), &3.into()));
    assert_eq!(data["letters"], serde_json::json!(["R", "L", "A", "P"]));
    let text = std::fs::read_to_string(folder.path().join("look.html")).unwrap();
    assert!(!text.contains("Somebody") && !text.contains("https://"), "no patient is named, and nothing is fetched");
    succeeds(folder.path(), "view dynamic one.html --phase 2 --plane sagittal");
    let data = page(&folder.path().join("one.html"));
    assert_eq!((data["phases"].as_array().unwrap().len(), data["outlines"].as_array().unwrap().len()), (1, 40));
}

#[test]
fn a_page_holds_all_volumes_of_a_file() {
    let folder = folder();
    let path = folder.path();
    let volumes = [1, 2, 3].map(|factor| Image::I16(image().map(|voxel| factor * voxel)));
    alnm_imaging::file::write_volumes(path.join("volumes.nii.gz"), &volumes, 60.0).unwrap();
    succeeds(path, "view volumes.nii.gz mask.nrrd -o all.html");
    assert_eq!(page(&path.join("all.html"))["phases"].as_array().unwrap().len(), 3);
    succeeds(path, "view volumes.nii.gz one.html --volume 2");
    assert_eq!(page(&path.join("one.html"))["phases"].as_array().unwrap().len(), 1);
    fails(
        path,
        "view volumes.nii.gz look.png",
        1,
        "3 volumes where one is asked for; choose one by its number (--volume)",
    );
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let folder = folder();
    let path = folder.path();
    for percentiles in ["5,500", "-5,50"] {
        fails(
            path,
            &format!("view image.nrrd look.png --percentiles={percentiles}"),
            2,
            "percentiles lie from 0 to 100",
        );
    }
    write_image(path.join("nan.nrrd"), &image().map(|_| f32::NAN).into()).unwrap();
    fails(path, "view nan.nrrd look.png", 1, "nan.nrrd: no voxel has a finite value");
    fails(path, "view image.nrrd look.jpg", 2, "look.jpg has no suffix that view writes");
    fails(path, "view image.nrrd", 2, "");
    fails(path, "view image.nrrd look.png --window 5,5", 2, "5 is not below 5; the smaller number comes first");
    fails(path, "view image.nrrd look.png --window 5", 2, "two are needed");
    fails(path, "view image.nrrd mask.nrrd look.png --label 7", 1, "mask.nrrd has no voxel of label 7");
    fails(path, "view missing.nrrd look.png", 1, "missing.nrrd");
    let shifted = geometry().with_grid([40, 30, 12], [1.0, 1.0, 2.0], [3.0, 0.0, 0.0]).unwrap();
    write_mask(path.join("shifted.nrrd"), &Volume::new(mask().into_data(), shifted).unwrap()).unwrap();
    fails(
        path,
        "view image.nrrd shifted.nrrd look.png",
        1,
        "origin is [0.0, 0.0, 0.0] in one and [3.0, 0.0, 0.0] in the",
    );
    write_mask(path.join("empty.nrrd"), &Volume::filled(geometry(), 0_u32)).unwrap();
    fails(path, "view image.nrrd empty.nrrd look.png", 1, "the mask has no region to draw");
    fails(path, "view image.nrrd empty.nrrd look.html", 1, "the mask has no region to draw");
    assert!(!path.join("look.png").exists() && !path.join("look.html").exists());
}
