//! The commands `alnm n4` and `alnm resample` on files.

// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

mod command;

use std::path::Path;
use std::process::{Command, Stdio};

use alnm_imaging::dicom::{Phase, SeriesAttributes, write_series};
use alnm_imaging::n4::N4Params;
use alnm_imaging::otsu::otsu_mask;
use alnm_imaging::resample::{Interpolator, resample, spacing_grid};
use alnm_imaging::{Geometry, Image, Volume, read_image, write_image, write_mask};
use ndarray::Array3;

use command::{fails, succeeds};

fn image() -> Volume<f32> {
    let geometry = Geometry::axis_aligned([24, 20, 12], [1.0, 1.0, 2.5]).unwrap();
    let voxels = Array3::from_shape_fn(geometry.shape(), |(z, y, x)| {
        let tissue = if (x / 6 + y / 5) % 2 == 0 { 300.0 } else { 80.0 };
        (tissue + ((x * 7 + y * 3 + z * 5) % 11) as f32) * (0.02 * x as f32).exp()
    });
    Volume::new(voxels, geometry).unwrap()
}

fn folder_with_image() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_image(folder.path().join("image.nrrd"), &Image::F32(image())).unwrap();
    folder
}

#[test]
fn a_phase_of_a_dynamic_series_is_corrected_and_resampled() {
    let folder = folder_with_image();
    let path = folder.path();
    let phases: Vec<Phase<i16>> = [1.0, 2.0]
        .iter()
        .map(|&factor| Phase::new(image().map(|voxel| (factor * voxel) as i16), 60.0 * f64::from(factor)))
        .collect();
    write_series(path.join("dynamic"), &phases, &SeriesAttributes::new("P", "DCE")).unwrap();
    write_image(path.join("second.nrrd"), &Image::I16(phases[1].volume.clone())).unwrap();
    for (command, options) in [("n4", "--otsu --shrink 2 --iterations 4,3"), ("resample", "--spacing 2,2,2")] {
        fails(path, &format!("{command} dynamic a.nrrd {options}"), 1, "2 phases");
        succeeds(path, &format!("{command} dynamic {command}.nrrd --phase 2 {options}"));
        succeeds(path, &format!("{command} second.nrrd {command}_file.nrrd {options}"));
        assert_eq!(voxels(path, &format!("{command}.nrrd")), voxels(path, &format!("{command}_file.nrrd")));
        fails(path, &format!("{command} second.nrrd a.nrrd --phase 2 {options}"), 1, "--phase");
    }
}

fn voxels(folder: &Path, name: &str) -> Vec<f32> {
    read_image(folder.join(name)).unwrap().cast::<f32>().as_slice().to_vec()
}

#[test]
fn n4_writes_what_the_library_computes() {
    let folder = folder_with_image();
    let path = folder.path();
    let mask = otsu_mask(&image(), 200).unwrap();
    write_mask(path.join("mask.nrrd"), &mask.map(|label| 3 * label)).unwrap();
    let expected = N4Params::default()
        .with_iterations([5, 4])
        .with_shrink(2)
        .check()
        .unwrap()
        .correct(&image(), Some(&mask))
        .unwrap();

    succeeds(
        path,
        "n4 image.nrrd a.nrrd --otsu --shrink 2 --iterations 5,4 --bias-field b.nrrd --log-bias-field l.nrrd --threads 1",
    );
    assert_eq!(voxels(path, "a.nrrd"), expected.corrected().as_slice());
    assert_eq!(voxels(path, "l.nrrd"), expected.log_bias_field().as_slice());
    assert_eq!(voxels(path, "b.nrrd"), expected.bias_field().as_slice());

    succeeds(path, "n4 image.nrrd c.nrrd --mask mask.nrrd --label 3 --shrink 2 --iterations 5,4 --threads 2");
    assert_eq!(voxels(path, "c.nrrd"), voxels(path, "a.nrrd"));
}

#[test]
fn a_file_is_not_overwritten_unasked() {
    let folder = folder_with_image();
    let path = folder.path();
    std::fs::write(path.join("there.nrrd"), "mine").unwrap();
    for command in [
        "n4 image.nrrd there.nrrd",
        "n4 image.nrrd new.nrrd --bias-field there.nrrd",
        "resample image.nrrd there.nrrd --spacing 2,2,2",
    ] {
        fails(path, command, 1, "already there");
        assert_eq!(std::fs::read(path.join("there.nrrd")).unwrap(), b"mine");
        assert!(!path.join("new.nrrd").exists());
    }
    succeeds(path, "resample image.nrrd there.nrrd --spacing 2,2,2 --force");
    assert_eq!(read_image(path.join("there.nrrd")).unwrap().geometry().size(), [12, 10, 15]);
}

#[test]
fn voxels_beside_a_header_are_not_overwritten_unasked_either() {
    let folder = folder_with_image();
    let path = folder.path();
    for (voxels, header) in [("p.img", "p.hdr"), ("q.hdr", "q.img"), ("r.zraw", "r.mhd"), ("s.raw.gz", "s.nhdr")] {
        std::fs::write(path.join(voxels), "mine").unwrap();
        fails(path, &format!("resample image.nrrd {header} --spacing 2,2,2"), 1, &format!("{voxels} is already there"));
        assert_eq!(std::fs::read(path.join(voxels)).unwrap(), b"mine");
    }
}

#[test]
fn what_cannot_be_written_is_told_before_any_work_is_done() {
    let folder = folder_with_image();
    let path = folder.path();
    // The input is not even looked for.
    fails(path, "n4 none.nrrd out.xyz", 2, "out.xyz");
    fails(path, "n4 none.nrrd none/out.nrrd", 1, "the folder none does not exist");
    fails(path, "n4 none.nrrd out.nrrd --log-bias-field none/field.nrrd", 1, "the folder none does not exist");
    fails(path, "n4 none.nrrd out.nrrd --bias-field out.nrrd", 2, "would be written twice");
    fails(path, "resample none.nrrd out.xyz --spacing 1,1,1", 2, "out.xyz");
}

#[test]
fn masks_are_brought_onto_the_grid_of_the_image() {
    let folder = folder_with_image();
    let path = folder.path();
    let mask = otsu_mask(&image(), 200).unwrap();
    write_mask(path.join("mask.nrrd"), &mask).unwrap();
    // A trace of the origin is lost, as in files that keep it in single precision.
    let grid =
        Geometry::new(image().geometry().size(), [1.0, 1.0, 2.5], [4e-6, 0.0, 0.0], image().geometry().direction())
            .unwrap();
    write_mask(path.join("rounded.nrrd"), &Volume::new(mask.into_data(), grid.clone()).unwrap()).unwrap();
    let weights = image().map(|voxel| voxel / 400.0);
    write_image(path.join("weights.nrrd"), &Image::F32(weights.clone())).unwrap();
    write_image(path.join("weights_rounded.nrrd"), &Image::F32(Volume::new(weights.into_data(), grid).unwrap()))
        .unwrap();
    let settings = "--iterations 4,3 --shrink 2";
    succeeds(path, &format!("n4 image.nrrd a.nrrd --mask mask.nrrd --confidence weights.nrrd {settings}"));
    succeeds(path, &format!("n4 image.nrrd b.nrrd --mask rounded.nrrd --confidence weights_rounded.nrrd {settings}"));
    assert_eq!(voxels(path, "a.nrrd"), voxels(path, "b.nrrd"));
    fails(path, &format!("n4 image.nrrd c.nrrd --otsu --label 2 {settings}"), 2, "--label");
    fails(path, &format!("n4 image.nrrd c.nrrd --label 2 {settings}"), 2, "--mask");
}

#[test]
fn what_a_mask_loses_on_the_grid_of_an_image_is_said() {
    let folder = folder_with_image();
    let path = folder.path();
    let here = image().geometry().clone();
    let mask_at = |name: &str, x: f64| {
        let grid = here.with_grid(here.size(), here.spacing(), [x, 0.0, 0.0]).unwrap();
        write_mask(path.join(name), &Volume::filled(grid, 1_u32)).unwrap();
    };
    mask_at("beside.nrrd", 12.0);
    mask_at("away.nrrd", 500.0);
    write_series(path.join("series"), &[Phase::new(image().cast::<i16>(), 0.0)], &SeriesAttributes::new("P", "S"))
        .unwrap();
    let half = "warning: label 1 leaves the image: 50.0 % of it lies outside and is lost\n";
    for command in [
        "convert MASK out.nii.gz --like image.nrrd",
        "convert MASK out.seg.dcm --like series",
        "convert MASK out.rtstruct.dcm --like series",
        "n4 image.nrrd n4.nrrd --mask MASK --iterations 1",
        "kinetics image.nrrd image.nrrd --times 0,90 --mask MASK -o maps",
        "standardise apply scale.json image.nrrd standard.nrrd --mask MASK",
        "regions rings MASK rings.nrrd --ring=-2:0 --image image.nrrd",
    ] {
        if command.starts_with("standardise") {
            succeeds(path, "standardise learn white-stripe scale.json");
        }
        fails(path, &command.replace("MASK", "away.nrrd"), 1, "away.nrrd: no voxel of label 1 is left on the grid");
        let said = succeeds(path, &command.replace("MASK", "beside.nrrd")).messages;
        assert!(said.contains(half), "{command}: {said}");
    }
    succeeds(path, "standardise learn histogram-matching matched.json image.nrrd");
    let whole = "standardise apply matched.json image.nrrd matched.nrrd --mask beside.nrrd";
    fails(path, whole, 2, "histogram matching looks at the whole image, not at a region; leave --mask away");
    let said = succeeds(path, "resample image.nrrd zeros.nrrd --like away.nrrd").messages;
    assert!(said.contains("image.nrrd and away.nrrd do not overlap: every voxel of the result is 0"), "{said}");
    assert!(!succeeds(path, "resample image.nrrd part.nrrd --like beside.nrrd").messages.contains("overlap"));
}

#[test]
fn voxels_outside_may_be_negative() {
    let folder = folder_with_image();
    succeeds(folder.path(), "resample image.nrrd out.nrrd --spacing 3,3,3 --outside -1000 --interpolator nearest");
}

#[test]
fn half_a_slice_away_is_still_inside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let slice = |z: f64| {
        Geometry::new([2, 2, 1], [1.0, 1.0, 3.1], [0.0, 0.0, z], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
            .unwrap()
    };
    for (name, z) in [("image.nrrd", 5.0), ("grid.nrrd", 6.55)] {
        write_image(path.join(name), &Image::F32(Volume::filled(slice(z), 7.0))).unwrap();
    }
    // The index 0.49999999999999994 is inside, and its sum with a half is 1.
    succeeds(path, "resample image.nrrd out.nrrd --like grid.nrrd --interpolator nearest");
    assert_eq!(voxels(path, "out.nrrd"), [7.0; 4]);
}

#[test]
fn lattices_without_end_are_refused() {
    let folder = folder_with_image();
    fails(folder.path(), "n4 image.nrrd out.nrrd --knot-spacing 1e-300", 1, "control_grid");
    fails(folder.path(), "n4 image.nrrd out.nrrd --iterations 1 --control-points 900", 1, "control_grid");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let folder = folder_with_image();
    let mut child = Command::new(env!("CARGO_BIN_EXE_alnm"));
    let mut child = child
        .current_dir(folder.path())
        .args(["info", "image.nrrd"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stderr.len()),
        (Some(0), 0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn resampling_follows_a_spacing_or_another_image() {
    let folder = folder_with_image();
    let path = folder.path();
    let grid = spacing_grid(image().geometry(), [2.0, 0.0, 1.0]).unwrap();
    for (name, interpolator) in
        [("bspline", Interpolator::BSpline), ("linear", Interpolator::Linear), ("nearest", Interpolator::Nearest)]
    {
        succeeds(path, &format!("resample image.nrrd {name}.nrrd --spacing 2,0,1 --interpolator {name}"));
        let expected = resample(&image(), &grid, interpolator, 0.0).unwrap();
        assert_eq!(voxels(path, &format!("{name}.nrrd")), expected.as_slice());
    }
    succeeds(path, "resample linear.nrrd back.nrrd --like image.nrrd --interpolator linear");
    assert_eq!(read_image(path.join("back.nrrd")).unwrap().geometry(), image().geometry());
}

#[test]
fn lists_and_units_are_understood_as_people_write_them() {
    let folder = folder_with_image();
    let path = folder.path();
    for (name, options) in
        [("a", &["--iterations", "2,2"]), ("b", &["--iterations", "2 2"]), ("c", &["--iterations", "2x2"])]
    {
        let output = format!("{name}.nrrd");
        let arguments = [&["n4", "image.nrrd", "--shrink", "2", "--out", &output][..], options].concat();
        command::ends_with(0, path, &arguments);
        assert_eq!(voxels(path, &output), voxels(path, "a.nrrd"));
    }
    write_mask(path.join("mask.nrrd"), &image().map(|voxel| u32::from(*voxel > 200.0))).unwrap();
    // The mask has no label 2.
    let compared = |labels: &str| {
        command::ends_with(4, path, &["agreement", "mask.nrrd", "mask.nrrd", "--json", "--labels", labels]).results
    };
    assert_eq!(compared("1 2"), compared("1,2"));
    succeeds(path, "resample image.nrrd capitals.nrrd --spacing 2X2X5MM");
    assert_eq!(read_image(path.join("capitals.nrrd")).unwrap().geometry().spacing(), [2.0, 2.0, 5.0]);
    fails(path, "resample image.nrrd x.nrrd --spacing 1,1,x", 2, "\"x\": this is no number");
    fails(path, "resample image.nrrd x.nrrd --spacing 2,2", 2, "2 numbers for an image of three dimensions");
    let flat = Geometry::planar([8, 6], [1.0; 2], [0.0; 2], [[1.0, 0.0], [0.0, 1.0]]).unwrap();
    write_image(path.join("flat.nrrd"), &Volume::filled(flat, 1_u8).into()).unwrap();
    succeeds(path, "resample flat.nrrd half.nrrd --spacing 2,2");
    assert_eq!(read_image(path.join("half.nrrd")).unwrap().geometry().size(), [4, 3, 1]);
    write_image(path.join("ones.nrrd"), &Volume::filled(image().geometry().clone(), 1.5_f32).into()).unwrap();
    fails(path, "agreement mask.nrrd ones.nrrd", 1, "ones.nrrd: reading a mask: the voxel [0, 0, 0]");
    std::fs::write(path.join("empty.nrrd"), "").unwrap();
    fails(path, "n4 empty.nrrd x.nrrd", 1, "empty.nrrd: not a medical image: the file is empty");
    let json = succeeds(path, "info image.nrrd --json").results;
    assert_eq!(succeeds(path, "info image.nrrd --format json").results, json);
    assert_eq!(succeeds(path, "info image.nrrd -f txt").results, succeeds(path, "info image.nrrd").results);
}

#[test]
fn mistakes_have_their_exit_codes() {
    let folder = folder_with_image();
    let path = folder.path();
    fails(path, "n4 image.nrrd out.nrrd --shrink x", 2, "--shrink");
    fails(path, "resample image.nrrd out.nrrd", 2, "--spacing");
    fails(path, "n4 missing.nrrd out.nrrd", 1, "missing.nrrd");
    fails(path, "n4 image.nrrd out.nrrd --fwhm 0", 2, "bias_fwhm");
    fails(path, "resample image.nrrd out.nrrd --spacing 1,1", 2, "one or three are needed");
    assert!(!path.join("out.nrrd").exists());
}

#[test]
fn all_interpolators_are_those_of_the_library() {
    let folder = folder_with_image();
    let path = folder.path();
    let grid = spacing_grid(image().geometry(), [1.5; 3]).unwrap();
    for (name, interpolator) in [
        ("gaussian", Interpolator::Gaussian),
        ("label-gaussian", Interpolator::LabelGaussian),
        ("hamming-sinc", Interpolator::HammingSinc),
        ("cosine-sinc", Interpolator::CosineSinc),
        ("welch-sinc", Interpolator::WelchSinc),
        ("lanczos-sinc", Interpolator::LanczosSinc),
        ("sitkBlackmanWindowedSinc", Interpolator::BlackmanSinc),
    ] {
        succeeds(path, &format!("resample image.nrrd {name}.nrrd --spacing 1.5 --interpolator {name}"));
        let expected = resample(&image(), &grid, interpolator, 0.0).unwrap();
        assert_eq!(voxels(path, &format!("{name}.nrrd")), expected.as_slice(), "{name}");
    }
}

#[test]
fn dicom_masks_are_resampled_as_labels() {
    let folder = folder_with_image();
    let path = folder.path();
    let slices = Phase::new(image().map(|voxel| *voxel as i16), 0.0);
    write_series(path.join("series"), &[slices], &SeriesAttributes::new("P", "T1")).unwrap();
    let mask = Volume::new(
        Array3::from_shape_fn(image().geometry().shape(), |(z, y, x)| {
            u32::from((6..14).contains(&x) && (4..12).contains(&y) && (3..9).contains(&z))
        }),
        image().geometry().clone(),
    )
    .unwrap();
    write_mask(path.join("mask.nrrd"), &mask).unwrap();
    for object in ["lesion.seg.dcm", "lesion.rtstruct.dcm"] {
        succeeds(path, &format!("convert mask.nrrd {object} --like series"));
        succeeds(path, &format!("resample {object} back.nrrd --like series --force"));
        assert_eq!(alnm_imaging::read_mask(path.join("back.nrrd")).unwrap().as_slice(), mask.as_slice(), "{object}");
    }
    succeeds(path, "resample lesion.seg.dcm fine.nrrd --spacing 0,0,1.25 --roi-number 1");
    let fine = alnm_imaging::read_mask(path.join("fine.nrrd")).unwrap();
    assert!(fine.geometry().size()[2] > mask.geometry().size()[2] / 2 && fine.as_slice().iter().all(|&v| v <= 1));
    fails(path, "resample lesion.seg.dcm x.nrrd --spacing 1 --interpolator linear", 2, "nearest or label-gaussian");
    fails(path, "resample lesion.rtstruct.dcm x.nrrd --spacing 1", 1, "grid");
    fails(path, "resample lesion.seg.dcm x.nrrd --spacing 1 --roi absent", 1, "absent");
}

#[test]
fn images_go_through_pipes_unchanged() {
    let folder = folder_with_image();
    let path = folder.path();
    for format in ["nrrd", "nii", "nii.gz", "mha"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_alnm"))
            .current_dir(path)
            .args(["convert", "-", "-", "--as", format])
            .stdin(std::fs::File::open(path.join("image.nrrd")).unwrap())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let file = format!("piped.{format}");
        std::io::copy(&mut child.stdout.take().unwrap(), &mut std::fs::File::create(path.join(&file)).unwrap())
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert_eq!(voxels(path, &file), image().as_slice(), "{format}");
        succeeds(path, &format!("resample {file} same.nrrd --like image.nrrd --interpolator nearest --force"));
        assert_eq!(voxels(path, "same.nrrd"), image().as_slice(), "{format}");
    }
}
