//! `alnm extract --one-row`: all regions, phases and maps of a case in one row.

// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

mod command;

use std::path::Path;

use alnm_imaging::dicom::{Phase, SeriesAttributes, write_series};
use alnm_imaging::{Geometry, Image, Volume, write_image, write_mask};
use ndarray::Array3;

use command::alnm;

fn grid() -> Geometry {
    Geometry::axis_aligned([12, 10, 6], [1.0, 1.0, 2.0]).unwrap()
}

fn volume<T: Clone>(voxel: impl Fn(usize, usize, usize) -> T) -> Volume<T> {
    Volume::new(Array3::from_shape_fn(grid().shape(), |(z, y, x)| voxel(x, y, z)), grid()).unwrap()
}

/// A series of three phases, a mask of two regions, and a folder with a map that has holes.
fn folder_with_case() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let phases: Vec<Phase<i16>> = [1, 3, 2]
        .iter()
        .zip([0.0, 90.0, 300.0])
        .map(|(&gain, time)| Phase::new(volume(|x, y, z| gain * (100 + (x * 7 + y * 13 + z * 29) % 31) as i16), time))
        .collect();
    write_series(path.join("series"), &phases, &SeriesAttributes::new("P", "DCE")).unwrap();
    let mask =
        volume(
            |x, y, z| {
                if (1..5).contains(&z) && (2..8).contains(&y) { [0, 1, 1, 1, 1, 0, 2, 2, 2, 2, 0, 0][x] } else { 0 }
            },
        );
    write_mask(path.join("mask.nii.gz"), &mask).unwrap();
    std::fs::create_dir(path.join("maps")).unwrap();
    let map = volume(|x, y, z| if x == 3 && y == 3 { f32::NAN } else { (x * 5 + y * 3 + z) as f32 * 0.1 });
    write_image(path.join("maps/uptake.nrrd"), &Image::F32(map)).unwrap();
    std::fs::write(path.join("params.yaml"), "imageType: {Original: {}}\nfeatureClass: {shape: [VoxelVolume], firstorder: [Mean, Maximum], glcm: [Contrast]}\nsetting: {binWidth: 5}\n").unwrap();
    folder
}

/// The columns of a table with the cells of its first row.
fn row(path: &Path) -> Vec<(String, String)> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let headers = reader.headers().unwrap().clone();
    let first = reader.records().next().unwrap().unwrap();
    headers.iter().map(str::to_owned).zip(first.iter().map(str::to_owned)).collect()
}

fn number(row: &[(String, String)], column: &str) -> f64 {
    row.iter()
        .find(|(name, _)| name == column)
        .unwrap_or_else(|| panic!("{column} of {row:?}"))
        .1
        .parse()
        .unwrap_or(f64::NAN)
}

const EXTRACT: &str = "extract series mask.nii.gz -p params.yaml --labels 1,2,9 --all-phases -f csv";

#[test]
fn a_row_has_the_values_of_the_rows_by_themselves_and_deltas() {
    let folder = folder_with_case();
    let path = folder.path();
    let output = alnm(path, &format!("{EXTRACT} --one-row --maps maps --deltas difference,ratio,slope -o row.csv"));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{message}");
    assert!(message.contains("label9 in phase1"), "an absent label is said: {message}");
    let found = row(&path.join("row.csv"));
    // Image and mask; for each of three labels one of shape, three in each of three phases and a map, three of two
    // differences, two ratios and one slope.
    assert_eq!(found.len(), 2 + 3 * (1 + 3 * (3 + 1 + 2 + 2 + 1)));
    assert_eq!(number(&found, "label1_original_shape_VoxelVolume"), 4.0 * 6.0 * 4.0 * 2.0);
    assert!(number(&found, "label9_phase2_original_firstorder_Mean").is_nan());

    // The same, one row at a time.
    let output = alnm(path, "extract series mask.nii.gz -p params.yaml --labels 1,2 --all-phases -f csv -o rows.csv");
    assert_eq!(output.status.code(), Some(0));
    let mut reader = csv::Reader::from_path(path.join("rows.csv")).unwrap();
    let headers = reader.headers().unwrap().clone();
    let place = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let mut compared = 0;
    for record in reader.records().map(Result::unwrap) {
        let names = format!("label{}_phase{}", &record[place("Label")], &record[place("Phase")]);
        for feature in ["original_firstorder_Mean", "original_firstorder_Maximum", "original_glcm_Contrast"] {
            let expected: f64 = record[place(feature)].parse().unwrap();
            assert_eq!(number(&found, &format!("{names}_{feature}")), expected);
            compared += 1;
        }
    }
    assert_eq!(compared, 2 * 3 * 3);

    let mean = |phase: usize| number(&found, &format!("label2_phase{phase}_original_firstorder_Mean"));
    assert_eq!(number(&found, "label2_phase2_ratio_original_firstorder_Mean"), mean(2) / mean(1));
    assert_eq!(number(&found, "label2_phase3_difference_original_firstorder_Mean"), mean(3) - mean(1));
    let slope = (-130.0 * mean(1) - 40.0 * mean(2) + 170.0 * mean(3)) / (130.0 * 130.0 + 40.0 * 40.0 + 170.0 * 170.0);
    assert!((number(&found, "label2_slope_original_firstorder_Mean") - slope).abs() < 1e-12);
    assert!(
        number(&found, "label1_uptake_original_glcm_Contrast").is_finite(),
        "holes of a map are left out of the region"
    );
}

#[test]
fn a_map_with_the_name_of_a_delta_is_refused() {
    let folder = folder_with_case();
    let path = folder.path();
    std::fs::rename(path.join("maps/uptake.nrrd"), path.join("maps/slope.nrrd")).unwrap();
    let output = alnm(path, &format!("{EXTRACT} --one-row --maps maps --deltas slope -o row.csv"));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("the name of an image is \"slope\""), "{message}");
}

#[test]
fn lists_have_a_row_for_each_case_with_the_same_columns() {
    let folder = folder_with_case();
    let path = folder.path();
    std::fs::write(
        path.join("list.csv"),
        "ID,Image,Mask,Maps\na,series,missing.nii.gz,maps\nb,series,mask.nii.gz,maps\n",
    )
    .unwrap();
    let arguments = "extract list.csv -p params.yaml --labels 1,2 --all-phases --one-row -f csv -o rows.csv --jobs";
    for threads in [1, 2, 8] {
        let output = alnm(path, &format!("{arguments} {threads}"));
        assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::rename(path.join("rows.csv"), path.join(format!("{threads}.csv"))).unwrap();
    }
    let read = |threads: usize| std::fs::read_to_string(path.join(format!("{threads}.csv"))).unwrap();
    assert!(read(1) == read(2) && read(1) == read(8), "the same bits at any number of threads");
    let first = row(&path.join("1.csv"));
    assert_eq!(first.len(), 4 + 2 * (1 + 3 * 4));
    assert_eq!(first[4].0, "label1_original_shape_VoxelVolume");
    assert_eq!(first[4].1, "", "the first case has no mask");
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let folder = folder_with_case();
    for (arguments, word) in [
        ("--deltas slope", "--one-row"),
        ("--one-row --mode voxel", "--mode"),
        ("--one-row --out-dir parts", "--out-dir"),
        ("--maps maps", "--one-row"),
    ] {
        let output = alnm(folder.path(), &format!("extract series mask.nii.gz {arguments}"));
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments}: {message}");
        assert!(message.contains(word), "{arguments}: {message}");
    }
}
