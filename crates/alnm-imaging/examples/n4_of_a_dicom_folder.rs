//! N4 bias field correction of a DICOM folder, with progress, and stopped on request.
//!
//! A small image of two tissues under a field that rises along x is written as a DICOM series into a temporary folder
//! and read back as a file from a scanner would be. Each iteration of N4 is printed. A number as the argument stops the
//! work after that many iterations.
//!
//! ```text
//! cargo run -p alnm-imaging --example n4_of_a_dicom_folder
//! cargo run -p alnm-imaging --example n4_of_a_dicom_folder -- 3
//! ```
#![allow(clippy::print_stdout)]

use std::ops::ControlFlow;

use alnm_imaging::dicom::{DicomFolder, Phase, SeriesAttributes, write_series};
use alnm_imaging::n4::{Foreground, N4Iteration, N4Params};
use alnm_imaging::otsu::otsu_mask;
use alnm_imaging::{Geometry, ImagingError, Volume};
use ndarray::Array3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let most: Option<usize> = std::env::args().nth(1).map(|text| text.parse()).transpose()?;

    // A cylinder of two tissues in air. Arrays are indexed as (z, y, x); geometries are given as (x, y, z).
    let voxels = Array3::from_shape_fn((12, 48, 48), |(_, y, x)| {
        let radius = (x as f32 - 23.5).hypot(y as f32 - 23.5);
        let tissue = if radius < 10.0 {
            400.0
        } else if radius < 20.0 {
            250.0
        } else {
            5.0
        };
        (tissue * (0.7 + 0.6 * x as f32 / 47.0)) as u16
    });
    let image = Volume::new(voxels, Geometry::axis_aligned([48, 48, 12], [1.0, 1.0, 2.0])?)?;
    let folder = tempfile::tempdir()?;
    write_series(folder.path(), &[Phase::new(image, 0.0)], &SeriesAttributes::new("P001", "synthetic"))?;

    let scanned = DicomFolder::scan(folder.path())?;
    let series = scanned.only_series()?;
    println!("{}: {} slices of patient {}", series.description(), series.slice_count(), series.patient_id());
    let image = series.image()?.cast::<f32>();

    // `N4::correct` is the short way; `N4::fit` takes an observer, which breaks off by `ControlFlow::Break`.
    let mask = otsu_mask(&image, 200)?;
    let n4 = N4Params::default().with_iterations([10, 10]).check()?;
    let mut seen = 0;
    let mut observer = |step: &N4Iteration| {
        seen += 1;
        println!(
            "level {} of {}, iteration {} of at most {}: convergence {:.6}",
            step.level + 1,
            step.levels,
            step.iteration,
            step.max_iterations,
            step.convergence
        );
        if most.is_some_and(|most| seen >= most) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    match n4.fit(&image, Foreground::Mask(&mask), None, &mut observer) {
        Ok(field) => {
            let spread = |volume: &Volume<f32>| volume.data()[[6, 24, 40]] / volume.data()[[6, 24, 8]];
            let before = spread(&image);
            let result = field.correct(image);
            println!(
                "right over left of the outer tissue: {before:.3} before, {:.3} after",
                spread(result.corrected())
            );
        }
        Err(error @ ImagingError::Cancelled { .. }) => println!("{error}"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
