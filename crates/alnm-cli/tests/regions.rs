//! The commands `alnm regions` and `alnm standardise` on files.

// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

mod command;

use std::path::Path;

use alnm_imaging::{Geometry, Image, Volume, read_image, read_mask, write_image, write_mask};
use ndarray::Array3;

use command::{fails, succeeds};

fn grid() -> Geometry {
    Geometry::axis_aligned([9, 5, 3], [1.0, 1.0, 3.0]).unwrap()
}

fn volume<T: Clone>(voxel: impl Fn(usize, usize, usize) -> T) -> Volume<T> {
    Volume::new(Array3::from_shape_fn(grid().shape(), |(z, y, x)| voxel(x, y, z)), grid()).unwrap()
}

/// The labels along the middle row.
fn middle(folder: &Path, name: &str) -> Vec<u32> {
    read_mask(folder.join(name)).unwrap().as_slice()[(5 + 2) * 9..(5 + 2) * 9 + 9].to_vec()
}

#[test]
fn rings_and_shells_are_drawn_and_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let lesion = volume(|x, y, z| u32::from((3..6).contains(&x) && (1..4).contains(&y) && z == 1) * 4);
    write_mask(path.join("lesion.nii.gz"), &lesion).unwrap();
    write_image(path.join("image.nii.gz"), &Image::I16(volume(|x, _, _| if x == 8 { 0 } else { 100 }))).unwrap();
    write_mask(path.join("breast.nrrd"), &volume(|x, _, _| u32::from(x > 0))).unwrap();
    let rings = "regions rings lesion.nii.gz rings.nii.gz --label 4 --ring=-1:0 --ring 0:1 --ring 1:9";
    let message = succeeds(path, &format!("{rings} --image image.nii.gz --above 10 --within breast.nrrd")).messages;
    assert_eq!(middle(path, "rings.nii.gz"), [0, 3, 2, 1, 0, 1, 2, 3, 0]);
    assert!(message.contains("label 3, 1 to 9 mm") && message.contains("more cut off"), "{message}");
    succeeds(path, "regions rings lesion.nii.gz shells.nrrd --label 4 --shells 1:2");
    assert_eq!(middle(path, "shells.nrrd"), [0, 0, 0, 1, 2, 1, 0, 0, 0]);
    let message = succeeds(path, "regions rings lesion.nii.gz empty.nrrd --label 4 --ring 0:0.5").messages;
    assert!(message.contains("the ring 0 to 0.5 mm is empty"), "{message}");
    fails(path, "regions rings lesion.nii.gz rings.nii.gz --label 4 --ring 0:1", 1, "--force");
    assert!(message.contains("no voxel of the grid lies at these distances"), "{message}");
    fails(
        path,
        "regions rings lesion.nii.gz a.nrrd --ring 0:1",
        1,
        "lesion.nii.gz: bounding box: no voxel has the label 1",
    );
    let around = volume(|x, y, z| if (3..6).contains(&x) && (1..4).contains(&y) && z == 1 { 2 } else { 1 });
    write_mask(path.join("around.nrrd"), &around).unwrap();
    let message = succeeds(path, "regions rings around.nrrd cut.nrrd -l 2 --ring 0:1mm").messages;
    let why =
        "voxels at these distances are cut off by other labels of the mask, which --over-other-labels lets rings have";
    assert!(message.contains("the ring 0 to 1 mm is empty, label 1 is not there: all 12 "), "{message}");
    assert!(message.contains(why), "{message}");
    write_mask(path.join("nothing.nrrd"), &volume(|_, _, _| 0)).unwrap();
    for command in [
        "regions rings nothing.nrrd a.nrrd --ring 0:1",
        "kinetics image.nii.gz image.nii.gz --times 0x90 --mask nothing.nrrd -o maps",
        "standardise apply stripe.json image.nii.gz a.nrrd --mask nothing.nrrd",
    ] {
        if command.starts_with("standardise") {
            succeeds(path, "standardise learn white-stripe stripe.json");
        }
        fails(path, command, 1, "nothing.nrrd: bounding box: no voxel has the label 1; labels in the mask: none");
    }
    fails(path, "regions rings lesion.nii.gz a.nrrd --label 4 --ring 0:3 --ring 2:5", 2, "two rings");
    fails(path, "regions rings lesion.nii.gz a.nrrd --label 4 --ring 5", 2, "two numbers");
    fails(path, "regions rings lesion.nii.gz a.nrrd --label 4", 2, "--ring");
}

#[test]
fn habitats_are_learned_on_some_patients_and_mapped_in_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (patient, shift) in [("a", 0.0_f32), ("b", 0.1), ("c", 0.05)] {
        std::fs::create_dir(path.join(patient)).unwrap();
        let enhancement = volume(|x, y, _| match x {
            0 => f32::NAN,
            1..5 => 0.2 + 0.01 * y as f32 + shift,
            _ => 2.0 + 0.01 * y as f32 + shift,
        });
        let time = enhancement.map(|value| 300.0 - 100.0 * value);
        write_image(path.join(patient).join("peak.nii.gz"), &Image::F32(enhancement)).unwrap();
        write_image(path.join(patient).join("time.nrrd"), &Image::F32(time)).unwrap();
    }
    let message =
        succeeds(path, "regions learn-habitats two.json a b --features time,peak --order-by peak --count 2").messages;
    assert!(message.contains("learned from 240 voxels of 2 patients"), "{message}");
    succeeds(path, "regions habitats two.json c out.nii.gz");
    assert_eq!(middle(path, "out.nii.gz"), [0, 1, 1, 1, 1, 2, 2, 2, 2]);
    for options in ["--best 2:3 --by silhouette", "--best 1:3 --by gap", "--method mixture --best 2:3 --by bic"] {
        succeeds(path, &format!("regions learn-habitats best.json a b --features peak --force {options}"));
    }
    fails(path, "regions learn-habitats x.json a --features peak,speed", 1, "no map speed");
    fails(path, "regions learn-habitats x.json a --features peak --order-by time", 2, "--order-by");
    std::fs::write(path.join("bad.json"), "{}").unwrap();
    fails(path, "regions habitats bad.json c x.nii.gz", 1, "which `alnm regions learn-habitats` makes");
}

#[test]
fn scales_are_learned_saved_and_applied() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (name, gain) in [("a", 1.0), ("b", 2.0), ("c", 3.0)] {
        let image = volume(|x, y, z| (gain * (10.0 + (x * 7 + y * 13 + z * 29) as f32 % 31.0)).round());
        write_image(path.join(format!("{name}.nii.gz")), &Image::F32(image)).unwrap();
    }
    write_mask(path.join("mask.nrrd"), &volume(|x, _, _| u32::from(x > 1))).unwrap();
    std::fs::write(path.join("list.csv"), "Image,Mask\na.nii.gz,mask.nrrd\nb.nii.gz,\n").unwrap();
    for method in ["nyul", "histogram-matching", "site", "white-stripe"] {
        succeeds(path, &format!("standardise learn {method} {method}.json list.csv"));
        // Histogram matching looks at the whole image.
        let mask = if method == "histogram-matching" { "" } else { "--mask mask.nrrd" };
        succeeds(path, &format!("standardise apply {method}.json c.nii.gz {method}.nii.gz {mask}"));
        assert!(read_image(path.join(format!("{method}.nii.gz"))).unwrap().check_finite().is_ok());
    }
    succeeds(path, "standardise learn site z.json --mean 0 --standard-deviation 1");
    succeeds(path, "standardise apply z.json c.nii.gz z.nii.gz");
    let scored = read_image(path.join("z.nii.gz")).unwrap().cast::<f64>();
    assert!((scored.as_slice().iter().sum::<f64>() / scored.as_slice().len() as f64).abs() < 1e-6);
    fails(path, "standardise learn nyul x.json", 2, "no image to learn from");
    fails(path, "standardise learn nyul nyul.json a.nii.gz", 1, "--force");
    let edited = std::fs::read_to_string(path.join("z.json"))
        .unwrap()
        .replace("\"standard_deviation\": 1", "\"standard_deviation\": -1");
    std::fs::write(path.join("bad.json"), edited).unwrap();
    fails(path, "standardise apply bad.json c.nii.gz x.nii.gz", 1, "standard deviation");
}
