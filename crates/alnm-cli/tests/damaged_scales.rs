//! What `alnm standardise learn` and `alnm regions learn-habitats` save, damaged: refused, or the same image.

// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

mod command;

use std::path::Path;

use alnm_conformance::damage::{Damaged, json_variants, refused_or_same, text_variants};
use alnm_imaging::{Geometry, Image, Volume, write_image};
use ndarray::Array3;

use command::{alnm, succeeds};

/// The variants of each file that are tried.
const TRIED: usize = 60;

fn write(path: &Path, gain: f32) {
    let grid = Geometry::axis_aligned([9, 5, 3], [1.0, 1.0, 3.0]).unwrap();
    let voxel = |(z, y, x): (usize, usize, usize)| (gain * (10.0 + ((x * 7 + y * 13 + z * 29) % 31) as f32)).round();
    let image = Volume::new(Array3::from_shape_fn(grid.shape(), voxel), grid).unwrap();
    write_image(path, &Image::F32(image)).unwrap();
}

/// Applies damaged variants of a saved file by a command that writes `out.nrrd`.
fn damage(folder: &Path, saved: &str, command: &str) {
    succeeds(folder, &format!("{} --force", command.replace("SAVED", saved)));
    let good = std::fs::read(folder.join("out.nrrd")).unwrap();
    let text = std::fs::read_to_string(folder.join(saved)).unwrap();
    let mut variants = json_variants(&text);
    variants.extend(text_variants(&text));
    let step = variants.len().div_ceil(TRIED);
    let variants: Vec<Damaged> = variants.into_iter().step_by(step).collect();
    let answer = |variant: &Damaged| {
        std::fs::write(folder.join("damaged.json"), &variant.text).map_err(|error| error.to_string())?;
        let output = alnm(folder, &format!("{} --force", command.replace("SAVED", "damaged.json")));
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        std::fs::read(folder.join("out.nrrd")).map_err(|error| error.to_string())
    };
    let outcome = refused_or_same(saved, &variants, answer, &good);
    assert!(variants.len() >= 40 && outcome.kinds >= 20 && outcome.refused > 20, "{outcome:?}");
}

#[test]
fn damaged_scales_are_refused_or_give_the_same_image() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (name, gain) in [("a", 1.0), ("b", 2.0), ("c", 3.0)] {
        write(&path.join(format!("{name}.nrrd")), gain);
    }
    for method in ["nyul", "histogram-matching", "site", "white-stripe"] {
        succeeds(path, &format!("standardise learn {method} {method}.json a.nrrd b.nrrd"));
        damage(path, &format!("{method}.json"), "standardise apply SAVED c.nrrd out.nrrd");
    }
}

#[test]
fn damaged_habitats_are_refused_or_give_the_same_labels() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (patient, gain) in [("a", 1.0), ("b", 2.0), ("c", 3.0)] {
        std::fs::create_dir(path.join(patient)).unwrap();
        write(&path.join(patient).join("peak.nrrd"), gain);
        write(&path.join(patient).join("time.nrrd"), 3.0 - gain / 2.0);
    }
    for method in ["k-means", "mixture"] {
        let options = format!("--features peak,time --method {method} --count 2");
        succeeds(path, &format!("regions learn-habitats {method}.json a b {options}"));
        damage(path, &format!("{method}.json"), "regions habitats SAVED c out.nrrd");
    }
}
