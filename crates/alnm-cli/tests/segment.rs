//! The commands `alnm segment` and `alnm agreement` on files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;
mod small_network;

use alnm_imaging::dicom::{Phase, SeriesAttributes, write_series};
use alnm_imaging::{Geometry, Image, LabelMap, Volume, read_mask, write_image, write_mask};
use ndarray::Array3;

use command::{fails, succeeds};
use small_network::{field, network, node};

fn grid() -> Geometry {
    Geometry::axis_aligned([32, 30, 16], [1.0, 1.0, 2.0]).unwrap()
}

/// A ball of 8 mm around the voxel (15, 14, 8), moved along x.
fn ball(shift: f64) -> LabelMap {
    let inside = |(z, y, x): (usize, usize, usize)| {
        let squared = (x as f64 - 15.0 - shift).powi(2) + (y as f64 - 14.0).powi(2) + (2.0 * (z as f64 - 8.0)).powi(2);
        u32::from(squared <= 64.0)
    };
    Volume::new(Array3::from_shape_fn(grid().shape(), inside), grid()).unwrap()
}

fn lesion() -> Volume<i16> {
    let texture = Array3::from_shape_fn(grid().shape(), |(z, y, x)| ((x * 7 + y * 3 + z * 5) % 11) as i16);
    let voxels = ball(0.0).into_data().map(|&label| if label == 1 { 300 } else { 90 }) + texture;
    Volume::new(voxels, grid()).unwrap()
}

#[test]
fn a_lesion_is_outlined_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_image(path.join("image.nii.gz"), &Image::I16(lesion())).unwrap();
    write_mask(path.join("truth.nrrd"), &ball(0.0)).unwrap();
    std::fs::write(path.join("points.fcsv"), "# CoordinateSystem = LPS\nF-1,15,14,16\n").unwrap();
    let landmark = "<registry>\n<entry key=\"Format\" value=\"ITK-SNAP Annotation File\" />\n<folder key=\"Element[0]\" >\n\
                    <entry key=\"Pos\" value=\"15.5 14.5 8.5\" />\n<entry key=\"Type\" value=\"LandmarkAnnotation\" />\n</folder>\n</registry>\n";
    std::fs::write(path.join("landmark.annot"), landmark).unwrap();
    write_mask(path.join("seed.nrrd"), &ball(0.0).map(|&voxel| voxel * 3)).unwrap();

    // A point in mm, the same voxel, files of points of 3D Slicer and of ITK-SNAP: the same outline.
    succeeds(path, "segment image.nii.gz -o a.nii.gz --seed 15,14,16 --radius 3 --lower 200 --speed-out speed.nrrd");
    succeeds(path, "segment image.nii.gz -o b.nrrd --seed-voxel 15,14,8,3 --lower 200 --threads 1");
    succeeds(path, "segment image.nii.gz -o c.mha --seeds points.fcsv --radius 3 --speed speed.nrrd");
    succeeds(path, "segment image.nii.gz -o f.nrrd --seeds landmark.annot --radius 3 --speed speed.nrrd");
    let masks = ["a.nii.gz", "b.nrrd", "c.mha", "f.nrrd"].map(|name| read_mask(path.join(name)).unwrap().into_data());
    assert!(masks.iter().all(|mask| *mask == masks[0]));
    succeeds(path, "segment image.nii.gz -o e.nrrd --seed 15,14,16,3 --classes 2");
    let clustered = read_mask(path.join("e.nrrd")).unwrap().as_slice().iter().sum::<u32>();
    assert!(clustered.abs_diff(masks[0].iter().sum()) < 60, "{clustered}");
    succeeds(path, "segment image.nii.gz -o d.nrrd --seeds seed.nrrd --seed-label 3 --edges --iterations 30");

    let table = succeeds(path, "agreement truth.nrrd a.nii.gz d.nrrd --slices -f csv");
    let rows: Vec<Vec<&str>> = table.results.lines().map(|line| line.split(',').collect()).collect();
    let dice = rows[0].iter().position(|name| *name == "dice").unwrap();
    assert!(rows[1][dice].parse::<f64>().unwrap() > 0.95, "{}", rows[1][dice]);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()) && rows.len() > 12);
    succeeds(path, "agreement truth.nrrd a.nii.gz -f json -o agreement.json");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(path.join("agreement.json")).unwrap()).unwrap();
    assert!(json[0]["distances"]["surfels"]["surface_dice"].as_f64().unwrap() > 0.99);
    succeeds(
        path,
        "agreement truth.nrrd a.nii.gz b.nrrd --consensus staple --consensus-out staple.nrrd --probability-out p.nrrd",
    );
    succeeds(path, "agreement truth.nrrd a.nii.gz b.nrrd --consensus majority --consensus-out majority.nrrd");
    assert_eq!(read_mask(path.join("majority.nrrd")).unwrap().into_data(), masks[0]);
}

#[test]
fn lesions_are_proposed_and_scribbles_learned_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    // Air in front, a ball that enhances by more than all else.
    let phase = |rise: i16| {
        let voxels = lesion().into_data();
        let ball = ball(0.0);
        let at = |(z, y, x): (usize, usize, usize)| {
            let tissue = 60 + voxels[[z, y, x]] % 50 + if ball.data()[[z, y, x]] == 1 { rise } else { 0 };
            if y < 3 { 3 + (x % 3) as i16 } else { tissue }
        };
        Volume::new(Array3::from_shape_fn(grid().shape(), at), grid()).unwrap()
    };
    let phases = [(0, 0.0), (150, 60.0), (120, 300.0)].map(|(rise, time)| Phase::new(phase(rise), time));
    write_series(path.join("dce"), &phases, &SeriesAttributes::new("P", "DCE")).unwrap();
    write_mask(path.join("truth.nrrd"), &ball(0.0)).unwrap();
    let said = succeeds(path, "segment dce -o a.nrrd --propose --candidates-out a.csv --membership-out share.nrrd");
    assert!(said.messages.contains("candidate 1 at 15.0,14.0,16.0") && said.messages.contains("confidence 1.00"));
    assert!(said.messages.contains("no notch between two breasts"), "{}", said.messages);
    assert_eq!(std::fs::read_to_string(path.join("a.csv")).unwrap().lines().count(), 2);
    succeeds(path, "segment dce -o b.seg.dcm --propose --lower 130");
    let mut scribbles = Volume::filled(grid(), 0_u32);
    // A block inside of the ball, and lines in the tissue and in the air.
    let blocks = [(11..20, 10..19, 6..11, 4), (1..30, 25..27, 8..9, 9), (1..30, 5..6, 8..9, 9), (1..30, 0..2, 8..9, 9)];
    for (xs, ys, zs, label) in blocks {
        for (x, y, z) in
            xs.flat_map(|x| ys.clone().map(move |y| (x, y))).flat_map(|(x, y)| zs.clone().map(move |z| (x, y, z)))
        {
            scribbles.as_mut_slice()[(z * 30 + y) * 32 + x] = label;
        }
    }
    write_mask(path.join("scribbles.nrrd"), &scribbles).unwrap();
    for threads in [1, 2, 8] {
        succeeds(
            path,
            &format!("segment dce -o s{threads}.nrrd --phase 2 --scribbles scribbles.nrrd --foreground 4 -j {threads}"),
        );
    }
    let grown = ["s1.nrrd", "s2.nrrd", "s8.nrrd"].map(|name| read_mask(path.join(name)).unwrap().into_data());
    assert!(grown[0] == grown[1] && grown[0] == grown[2]);
    let table = succeeds(path, "agreement truth.nrrd a.nrrd b.seg.dcm s1.nrrd --like dce --phase 2 -f json");
    let rows: serde_json::Value = serde_json::from_str(&table.results).unwrap();
    for row in rows.as_array().unwrap() {
        assert!(row["overlap"]["dice"].as_f64().unwrap() > 0.93, "{row}");
    }
    fails(path, "segment dce -o c.nrrd --propose --enhancement 5", 1, "nothing in the breasts enhances");
    fails(path, "segment dce -o c.nrrd --propose --speed-out speed.nrrd", 2, "there is none");
    fails(
        path,
        "segment dce -o c.nrrd --phase 2 --scribbles scribbles.nrrd --foreground 5",
        1,
        "among those of the scribbles",
    );
}

#[test]
fn an_outline_becomes_a_dicom_object_of_its_series() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let phases = [0.0, 60.0].map(|time| Phase::new(lesion(), time));
    write_series(path.join("dce"), &phases, &SeriesAttributes::new("P", "DCE")).unwrap();
    let options = "--phase 2 --seed-voxel 15,14,8,3 --lower 200";
    succeeds(path, &format!("segment dce -o lesion.nrrd {options}"));
    succeeds(path, &format!("segment dce -o lesion.seg.dcm {options}"));
    succeeds(path, &format!("segment dce -o lesion.rtstruct.dcm {options}"));
    let table = succeeds(path, "agreement lesion.nrrd lesion.seg.dcm lesion.rtstruct.dcm --like dce --phase 2 -f json");
    let rows: serde_json::Value = serde_json::from_str(&table.results).unwrap();
    assert_eq!(rows[0]["overlap"]["dice"], 1.0);
    assert!(rows[1]["overlap"]["dice"].as_f64().unwrap() > 0.99);
}

#[test]
fn what_cannot_be_outlined_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_image(path.join("image.nrrd"), &Image::I16(lesion())).unwrap();
    write_mask(path.join("empty.nrrd"), &ball(0.0).map(|_| 0)).unwrap();
    let other = Geometry::axis_aligned([32, 30, 16], [1.0, 1.0, 2.5]).unwrap();
    write_mask(path.join("other.nrrd"), &Volume::filled(other, 1)).unwrap();
    fails(path, "segment image.nrrd -o a.nrrd --lower 200", 2, "there is no seed");
    fails(path, "segment image.nrrd -o a.nrrd --seed 15,14,16", 2, "the contour has no speed");
    fails(path, "segment image.nrrd -o a.nrrd --seed 15,14,160 --lower 200", 1, "it must be inside of the image");
    fails(path, "segment image.nrrd -o a.nrrd --seed 15,14 --lower 200", 2, "is no seed");
    fails(path, "segment image.nrrd -o a.nrrd --seeds empty.nrrd --lower 200", 1, "holds no seed");
    fails(path, "segment image.nrrd -o a.nrrd --seeds other.nrrd --lower 200", 1, "the grid differs");
    fails(path, "segment image.nrrd -o a.nrrd --seed 3,3,4,1 --lower 200 --curvature 1", 1, "the outline is empty");
    fails(path, "segment image.nrrd -o image.nrrd --seed 15,14,16 --lower 200", 1, "already there");
    fails(path, "segment image.nrrd -o a.seg.dcm --seed 15,14,16 --lower 200", 1, "no DICOM series");
    fails(path, "agreement image.nrrd other.nrrd", 1, "grids differ");
    let leak = succeeds(path, "segment image.nrrd -o b.nrrd --seed 15,14,16 --lower 1 --iterations 300");
    assert!(leak.messages.contains("reaches the border"), "a leak is warned of");
    assert!(!path.join("a.nrrd").exists() && !path.join("a.seg.dcm").exists());
}

#[test]
fn a_network_outlines_a_lesion() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_image(path.join("image.nii.gz"), &Image::I16(lesion())).unwrap();
    std::fs::write(path.join("double.onnx"), network(&[node("Add", &["x", "x"], "y")], &[1, 1, 8, 10, 12])).unwrap();
    // The windows are those of the network.
    succeeds(path, "segment image.nii.gz -o a.nrrd --onnx double.onnx --mirror x,z");
    assert_eq!(read_mask(path.join("a.nrrd")).unwrap(), ball(0.0));
    succeeds(path, "segment image.nii.gz -o b.nrrd --onnx double.onnx --normalise none --threshold 400 --overlap 0");
    assert_eq!(read_mask(path.join("b.nrrd")).unwrap(), ball(0.0));
    succeeds(
        path,
        "segment image.nii.gz -o c.nrrd --onnx double.onnx --network-spacing 1.5,1.5,2 --normalise none --threshold 400",
    );
    let resampled = read_mask(path.join("c.nrrd")).unwrap();
    let both = resampled.as_slice().iter().zip(ball(0.0).as_slice()).filter(|(a, b)| **a == 1 && **b == 1).count();
    let each = [&resampled, &ball(0.0)].map(|mask| mask.as_slice().iter().filter(|label| **label == 1).count());
    assert!(2.0 * both as f64 / (each[0] + each[1]) as f64 > 0.9, "{both} of {each:?}");

    // Three channels: 0, the image and its negative. Along the channels is a number of the node, 1.
    let axis = field(5, &[&field(1, b"axis")[..], &[0x18, 1, 0xa0, 0x01, 2]].concat());
    let concat = [node("Concat", &["zero", "x", "negative"], "y"), axis].concat();
    let nodes = [node("Sub", &["x", "x"], "zero"), node("Neg", &["x"], "negative"), concat];
    std::fs::write(path.join("sides.onnx"), network(&nodes, &[0, 1, 0, 0])).unwrap();
    succeeds(path, "segment image.nii.gz -o d.nrrd --onnx sides.onnx --window 16,16,1");
    assert_eq!(read_mask(path.join("d.nrrd")).unwrap(), ball(0.0).map(|&label| 2 - label));

    fails(path, "segment image.nii.gz -o e.nrrd --onnx sides.onnx", 2, "give --window");
    fails(path, "segment image.nii.gz -o e.nrrd --onnx sides.onnx --window 16,16", 2, "--window has 2 numbers");
    fails(path, "segment image.nii.gz -o e.nrrd --onnx sides.onnx --window 16,16,1 --overlap 1", 2, "overlap is 1");
    fails(path, "segment image.nii.gz -o e.nrrd --onnx double.onnx --seed 15,14,16", 2, "--seed");
    fails(path, "segment image.nii.gz -o e.nrrd --onnx double.onnx --channel image.nii.gz", 1, "it must be 1");
    fails(path, "segment image.nii.gz -o e.nrrd --seed 15,14,16 --lower 200 --channel image.nii.gz", 2, "--channel");
    fails(path, "segment image.nii.gz -o e.nrrd --onnx double.onnx --normalise none --threshold 1e6", 1, "is empty");
}
