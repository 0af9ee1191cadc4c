//! The command `alnm kinetics` on files.

// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

mod command;

use std::path::Path;

use alnm_imaging::dicom::{Phase, SeriesAttributes, write_series};
use alnm_imaging::file::write_volumes;
use alnm_imaging::{Geometry, Image, Volume, read_image, write_image, write_mask};
use ndarray::Array3;

use command::{fails, succeeds};

const TIMES: [f64; 4] = [0.0, 90.0, 150.0, 400.0];

/// A phase in which label 1 washes out, label 2 rises on, and the rest stays.
fn phase(number: usize) -> Volume<i16> {
    let grid = Geometry::axis_aligned([8, 6, 3], [1.0, 1.0, 2.0]).unwrap();
    let voxel = |(_, _, x): (usize, usize, usize)| match x {
        0..3 => [200, 350, 500, 400][number],
        3..6 => [200, 300, 360, 480][number],
        _ => 100,
    };
    Volume::new(Array3::from_shape_fn(grid.shape(), voxel), grid).unwrap()
}

fn folder_with_series() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let phases: Vec<Phase<i16>> = (0..4).map(|number| Phase::new(phase(number), TIMES[number])).collect();
    write_series(path.join("series"), &phases, &SeriesAttributes::new("P", "DCE")).unwrap();
    let images: Vec<Image> = (0..4).map(|number| phase(number).into()).collect();
    write_volumes(path.join("series.nii.gz"), &images, 1.0).unwrap();
    for (number, image) in images.iter().enumerate() {
        write_image(path.join(format!("phase{number}.nrrd")), image).unwrap();
    }
    let grid = phase(0).geometry().clone();
    let labels = Array3::from_shape_fn(grid.shape(), |(_, _, x)| [1_u32, 1, 1, 2, 2, 2, 0, 0][x]);
    write_mask(path.join("mask.nii.gz"), &Volume::new(labels, grid).unwrap()).unwrap();
    folder
}

/// The cell of a column in the row of a label.
fn cell(table: &Path, label: &str, column: &str) -> String {
    let mut reader = csv::Reader::from_path(table).unwrap();
    let place = reader.headers().unwrap().iter().position(|header| header == column).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    rows.iter().find(|row| &row[0] == label).unwrap()[place].to_owned()
}

#[test]
fn maps_and_tables_are_the_same_from_every_kind_of_input() {
    let folder = folder_with_series();
    let path = folder.path();
    succeeds(path, "kinetics series --mask mask.nii.gz -o a --suffix nrrd");
    succeeds(path, "kinetics series.nii.gz --times 0,90,150,400 --mask mask.nii.gz -o b --suffix nrrd");
    let files = "phase0.nrrd phase1.nrrd phase2.nrrd phase3.nrrd";
    succeeds(path, &format!("kinetics {files} --times 0,90,150,400 --mask mask.nii.gz -o c --suffix nrrd"));
    let table = std::fs::read(path.join("a/regions.csv")).unwrap();
    for other in ["b", "c"] {
        assert_eq!(std::fs::read(path.join(other).join("regions.csv")).unwrap(), table);
        assert_eq!(
            std::fs::read(path.join(other).join("curves.csv")).unwrap(),
            std::fs::read(path.join("a/curves.csv")).unwrap()
        );
    }
    let regions = path.join("a/regions.csv");
    assert_eq!(cell(&regions, "1", "peak_enhancement_mean"), "1.5");
    assert_eq!(cell(&regions, "1", "time_to_peak_mean_s"), "150");
    assert_eq!(cell(&regions, "1", "washout_mm3"), "108");
    assert_eq!(cell(&regions, "1", "functional_tumour_volume_mm3"), "108");
    assert_eq!(cell(&regions, "2", "persistent_mm3"), "108");
    let classes = read_image(path.join("a/washout_class.nrrd")).unwrap().cast::<f32>();
    assert_eq!(classes.as_slice()[..8], [3.0, 3.0, 3.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
    let curves = std::fs::read_to_string(path.join("a/curves.csv")).unwrap();
    assert_eq!(curves.lines().count(), 1 + 2 * 4);
}

#[test]
fn the_tofts_model_is_fitted_where_t1_is_given() {
    let folder = folder_with_series();
    let path = folder.path();
    let protocol = "--t1 1.4 --repetition-time 5 --flip-angle 15";
    let three = "phase0.nrrd phase1.nrrd phase2.nrrd --times 0,90,150";
    fails(path, &format!("kinetics {three} --mask mask.nii.gz -o a {protocol}"), 1, "more phases than parameters");
    let message =
        succeeds(path, &format!("kinetics series --mask mask.nii.gz -o a {protocol} --standard-tofts --arrival 10"))
            .messages;
    assert!(message.contains("Tofts: 108 voxels fitted, 0 could not be"), "{message}");
    let transfer: f64 = cell(&path.join("a/regions.csv"), "1", "transfer_constant_mean").parse().unwrap();
    assert!(transfer > 0.0);
    std::fs::write(path.join("input.csv"), "seconds,plasma\n0,0\n60,5\n400,1\n").unwrap();
    succeeds(path, &format!("kinetics series -o b {protocol} --standard-tofts --input-function input.csv"));
    assert!(path.join("b/transfer_constant.nii.gz").exists() && !path.join("b/regions.csv").exists());
    fails(path, "kinetics series -o c --t1 1.4", 2, "--repetition-time");
}

#[test]
fn what_cannot_be_mapped_is_refused_and_what_is_odd_is_said() {
    let folder = folder_with_series();
    let path = folder.path();
    fails(path, "kinetics series.nii.gz -o a", 1, "--times");
    fails(path, "kinetics phase0.nrrd -o a", 1, "one volume");
    fails(path, "kinetics series -o a --maps speed", 2, "signal_enhancement_ratio");
    fails(path, "kinetics phase0.nrrd phase1.nrrd --times 90,0 -o a", 2, "ascending");
    let message = succeeds(path, "kinetics phase0.nrrd phase1.nrrd --times 0,90 -o two --mask mask.nii.gz").messages;
    assert!(message.contains("neither a ratio nor a washout class"), "{message}");
    assert_eq!(cell(&path.join("two/regions.csv"), "1", "signal_enhancement_ratio_voxels"), "0");
    fails(path, "kinetics series -o two", 1, "--force");
    succeeds(path, "kinetics series -o two --force --maps peak_enhancement");
    let smaller = Geometry::axis_aligned([7, 6, 3], [1.0, 1.0, 2.0]).unwrap();
    write_image(path.join("other.nrrd"), &Image::I16(Volume::filled(smaller, 5))).unwrap();
    fails(path, "kinetics phase0.nrrd other.nrrd --times 0,90 -o d", 1, "resample");
}
