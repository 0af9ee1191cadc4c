//! An active contour on the files that `benches/compare_segmentation.py` writes, timed in-process.
//!
//! `repeat_segmentation SPEED SEED OUT ITERATIONS CURVATURE RUNS` reads a speed image and a mask of seeds, lets the contour
//! grow, writes the mask, and prints `{"seconds": [...], "processor": [...], "peak": MiB}`: what each run took by the clock and of
//! all threads' processor time, and what the first one added to the memory of a process that holds the images (Linux).

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs;
use std::time::Instant;

use alnm_imaging::{Volume, read_image, read_mask, write_mask};
use alnm_segmentation::contour::ActiveContourParams;
use cpu_time::ProcessTime;

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
    // The largest memory from here on.
    fs::write("/proc/self/clear_refs", "5")?;
    let before = memory("VmRSS:")?;
    let (mut seconds, mut processor, mut peak) = (Vec::new(), Vec::new(), 0.0);
    for run in 0..runs.parse()? {
        let (start, processor_start) = (Instant::now(), ProcessTime::now());
        let found = contour.evolve(&speed, &seed)?;
        seconds.push(start.elapsed().as_secs_f64());
        processor.push(processor_start.elapsed().as_secs_f64());
        if run == 0 {
            peak = memory("VmHWM:")? - before;
            write_mask(out, &found.mask)?;
        }
    }
    println!("{}", serde_json::json!({ "seconds": seconds, "processor": processor, "peak": peak }));
    Ok(())
}

/// A memory figure of this process, in MiB.
fn memory(field: &str) -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such line")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes / 1024.0)
}
