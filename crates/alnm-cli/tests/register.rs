//! The command `alnm register` on files.

// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

mod command;

use std::path::Path;

use alnm_imaging::dicom::{Phase, SeriesAttributes, write_series};
use alnm_imaging::file::Source;
use alnm_imaging::{Geometry, Volume, read_image, write_image, write_mask};
use ndarray::Array3;

use command::{fails, succeeds};

fn grid() -> Geometry {
    Geometry::axis_aligned([32, 28, 12], [1.5, 1.5, 2.5]).unwrap()
}

/// An image of waves, shifted along x.
fn image(shift: f64, factor: f64) -> Volume<i16> {
    let grid = grid();
    let voxel = |(z, y, x): (usize, usize, usize)| {
        let [x, y, z] = grid.index_to_point([x as f64, y as f64, z as f64]);
        let wave = (0.4 * (x - shift)).sin() * (0.3 * y).cos() + 0.5 * (0.2 * z + 0.15 * (x - shift)).sin();
        (factor * (300.0 + 100.0 * wave)) as i16
    };
    Volume::new(Array3::from_shape_fn(grid.shape(), voxel), grid.clone()).unwrap()
}

/// Mean difference of two images where both have values.
fn difference(folder: &Path, name: &str, expected: &Volume<i16>) -> f64 {
    let found = read_image(folder.join(name)).unwrap().cast::<f64>();
    let pairs = found.as_slice().iter().zip(expected.as_slice()).filter(|(found, _)| **found != 0.0);
    let (sum, count) = pairs.fold((0.0, 0.0), |(sum, count), (a, b)| (sum + (a - f64::from(*b)).abs(), count + 1.0));
    sum / count
}

#[test]
fn an_image_is_brought_onto_another_and_its_transform_applied_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_image(path.join("fixed.nii.gz"), &image(0.0, 1.0).into()).unwrap();
    write_image(path.join("moving.nii.gz"), &image(2.0, 1.0).into()).unwrap();
    let mut lesion = Volume::filled(grid(), 0_u32);
    lesion.as_mut_slice()[5000..5010].fill(1);
    write_mask(path.join("lesion.nii.gz"), &lesion).unwrap();
    let outputs = "--write-transform motion.tfm --jacobian jacobian.nii.gz --report report.json";
    let said =
        succeeds(path, &format!("register fixed.nii.gz moving.nii.gz -o out.nii.gz --lesion lesion.nii.gz {outputs}"))
            .messages;
    assert!(said.contains("lesion: Jacobian determinant") && said.contains("iterations"), "{said}");
    let before = difference(path, "moving.nii.gz", &image(0.0, 1.0));
    let after = difference(path, "out.nii.gz", &image(0.0, 1.0));
    assert!(after < 0.2 * before, "{before} {after}");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(path.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["jacobian"]["folded"], 0);
    assert_eq!(report["lesion"]["voxels"], 10);
    succeeds(path, "register fixed.nii.gz moving.nii.gz -o again.nii.gz --apply motion.tfm");
    assert_eq!(read_image(path.join("again.nii.gz")).unwrap(), read_image(path.join("out.nii.gz")).unwrap());
    fails(path, "register fixed.nii.gz moving.nii.gz -o out.nii.gz", 1, "already there");
    fails(path, "register fixed.nii.gz -o new.nii.gz", 2, "1 images are given");
    fails(path, "register fixed.nii.gz moving.nii.gz -o new.nii.gz --transform bspline,rigid", 2, "stages");
    fails(path, "register fixed.nii.gz moving.nii.gz -o new.nii.gz --apply fixed.nii.gz", 1, "#Insight Transform File");
}

#[test]
fn all_phases_of_a_series_are_brought_onto_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let phases = [0.0, 1.0, 2.0].map(|shift| image(shift, 1.0 + 0.1 * shift));
    let series: Vec<Phase<i16>> =
        phases.iter().zip([0.0, 60.0, 120.0]).map(|(phase, time)| Phase::new(phase.clone(), time)).collect();
    write_series(path.join("dce"), &series, &SeriesAttributes::new("P", "DCE")).unwrap();
    succeeds(path, "register dce --onto 1 -o registered.nii.gz --transform rigid");
    for (number, phase) in phases.iter().enumerate() {
        write_image(path.join(format!("p{number}.nrrd")), &phase.clone().into()).unwrap();
    }
    succeeds(path, "register p0.nrrd p1.nrrd p2.nrrd --onto 1 -o files.nii.gz --transform rigid");
    for number in 1..=3 {
        let read = |name: &str| Source::open(path.join(name)).unwrap().read_volume(number).unwrap();
        let registered = read("registered.nii.gz");
        assert_eq!(registered.cast::<i16>().as_slice(), read("files.nii.gz").cast::<i16>().as_slice());
        write_image(path.join(format!("one{number}.nrrd")), &registered).unwrap();
        let expected = image(0.0, 1.0 + 0.1 * (number - 1) as f64);
        assert!(difference(path, &format!("one{number}.nrrd"), &expected) < 8.0);
    }
    fails(path, "register dce --onto 4 -o new.nii.gz", 1, "the series has the phases 1 to 3");
    fails(path, "register p0.nrrd --onto 1 -o new.nii.gz", 2, "one image");
}
