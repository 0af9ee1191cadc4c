//! An active contour on the files that `benches/compare_segmentation.py` writes, timed in-process.
//!
//! `repeat_segmentation SPEED SEED OUT ITERATIONS CURVATURE RUNS` reads a speed image and a mask of seeds, lets the contour
//! grow, writes the mask, and prints the seconds of each run.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Instant;

use alnm_imaging::{Volume, read_image, read_mask, write_mask};
use alnm_segmentation::contour::ActiveContourParams;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [speed, seed, out, iterations, curvature, runs] = &arguments[..] else {
        return Err("usage: repeat_segmentation SPEED SEED OUT ITERATIONS CURVATURE RUNS".into());
    };
    let speed: Volume<f32> = read_image(speed)?.cast();
    let seed = read_mask(seed)?;
    let contour = ActiveContourParams::regions()
        .with_iterations(iterations.parse()?)
        .with_curvature_weight(curvature.parse()?)
        .with_rms_change(1e-4)
        .check()?;
    for run in 0..runs.parse()? {
        let start = Instant::now();
        let found = contour.evolve(&speed, &seed)?;
        println!("{:.6}", start.elapsed().as_secs_f64());
        if run == 0 {
            write_mask(out, &found.mask)?;
        }
    }
    Ok(())
}
