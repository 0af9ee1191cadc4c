//! Fine-tunes ResNet50 at 224 × 224 in batches of 16 as the study does, and tells time, memory and bits.
//!
//! `repeat_training EXAMPLES EPOCHS THREADS none|cheap|blocks`: the examples are drawn, a quarter of them is held out, and a
//! checkpoint is written after each epoch. Printed are the seconds of each epoch and of the median step, the peak memory
//! in MiB before the training and at its end, and a hash of the trained parameters.
#![allow(clippy::print_stdout)]

use std::collections::hash_map::DefaultHasher;
use std::error::Error;
use std::hash::Hasher;
use std::ops::ControlFlow;
use std::time::Instant;

use alnm_deep::{
    Backbone, Example, Head, Initialisation, Network, Preparation, Recomputation, TrainingEvent, TrainingParams,
};
use ndarray::Array2;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

const SIDE: usize = 224;

/// The largest resident memory of this process so far, in MiB.
fn peak() -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the system tells no peak")?;
    Ok(line.split_whitespace().next().unwrap_or("0").parse::<f64>()? / 1024.0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [examples, epochs, threads, recomputation] = arguments.as_slice() else {
        return Err("usage: repeat_training EXAMPLES EPOCHS THREADS none|cheap|blocks".into());
    };
    rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build_global()?;
    let recomputation = match recomputation.as_str() {
        "none" => Recomputation::None,
        "cheap" => Recomputation::Cheap,
        "blocks" => Recomputation::Blocks,
        other => return Err(format!("recomputation is {other}; it must be none, cheap or blocks").into()),
    };
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let examples: Vec<Example> = (0..examples.parse()?)
        .map(|index: usize| {
            let frequency = if index % 2 == 1 { 0.2 } else { 0.3 };
            let image = Array2::from_shape_fn((SIDE, SIDE), |(y, x)| {
                0.5 + 0.2 * (frequency * x as f32).sin() * (0.1 * y as f32).cos() + 0.1 * random.random::<f32>()
            });
            Example::new(image, index % 2 == 1)
        })
        .collect();
    let network = Network::initialised(Backbone::ResNet50, Head::Logit, Initialisation::new(1))
        .with_preparation(Preparation::default());
    let params = TrainingParams::default()
        .with_epochs(epochs.parse()?)
        .with_validation_fraction(0.25)
        .with_recomputation(recomputation);
    let folder = tempfile::tempdir()?;
    println!("before: {:.0} MiB", peak()?);
    let (mut steps, mut step, mut epoch) = (Vec::new(), Instant::now(), Instant::now());
    let trained = params.check()?.run(network, &examples, Some(&folder.path().join("checkpoint")), &mut |event| {
        match event {
            TrainingEvent::Step { .. } => {
                steps.push(step.elapsed().as_secs_f64());
                step = Instant::now();
            }
            TrainingEvent::Epoch(record) => {
                println!("epoch {}: {:.3} s", record.epoch(), epoch.elapsed().as_secs_f64());
                (epoch, step) = (Instant::now(), Instant::now());
            }
            _ => {}
        }
        ControlFlow::Continue(())
    });
    let mut hash = DefaultHasher::new();
    for tensor in trained?.network().state_dict().values() {
        tensor.values().iter().for_each(|value| hash.write_u32(value.to_bits()));
    }
    steps.sort_by(f64::total_cmp);
    println!("step: median {:.3} s, least {:.3} s", steps[steps.len() / 2], steps[0]);
    println!("end: {:.0} MiB, parameters {:016x}", peak()?, hash.finish());
    Ok(())
}
