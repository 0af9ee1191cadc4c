//! Small cases on disk, and the command that extracts them.

use std::path::Path;
use std::process::{Command, Output};

use alnm_imaging::{Geometry, Image, LabelMap, Volume, write_image, write_mask};
use ndarray::Array3;

/// The image of case `case`, and a mask with the labels 1 and 2.
pub(crate) fn image_and_mask(case: usize) -> (Image, LabelMap) {
    let geometry = Geometry::axis_aligned([12, 10, 8], [0.8, 0.8, 2.0]).unwrap();
    let image = Array3::from_shape_fn([8, 10, 12], |(z, y, x)| ((z * 31 + y * 17 * case + x * 7) % 97) as i16 * 5);
    let inside = |z: usize, y: usize, x: usize| (2..6).contains(&z) && (2..8).contains(&y) && (3..10).contains(&x);
    let mask = Array3::from_shape_fn([8, 10, 12], |(z, y, x)| if inside(z, y, x) { 1 + u32::from(x > 6) } else { 0 });
    (Image::I16(Volume::new(image, geometry.clone()).unwrap()), Volume::new(mask, geometry).unwrap())
}

/// Writes four cases with images of their own, the third with a mask that does not hold its label, and a batch of them.
pub(crate) fn write_batch(folder: &Path) {
    let mut batch = "ID,Image,Mask,Label\n".to_owned();
    for case in 1..=4 {
        let (image, mask) = image_and_mask(case);
        write_image(folder.join(format!("image{case}.nrrd")), &image).unwrap();
        write_mask(folder.join(format!("mask{case}.nrrd")), &mask).unwrap();
        batch += &format!("p{case},image{case}.nrrd,mask{case}.nrrd,{}\n", if case == 3 { 7 } else { 1 });
    }
    std::fs::write(folder.join("batch.csv"), batch).unwrap();
}

/// `alnm extract` with these arguments in a folder.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alnm"));
    command.current_dir(folder).arg("extract").args(arguments);
    command
}

/// Runs `alnm extract` to its end.
pub(crate) fn alnm(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}
