//! Runs ResNet50 again and again on the same images, for scripts that time other tools in between: a line on the
//! standard input runs it once, a line on the standard output tells the seconds.
//!
//! `repeat_network WEIGHTS IMAGES BATCH THREADS predict|train INSTRUCTIONS [OUTPUTS]`: WEIGHTS is a safetensors file
//! with torchvision's names, IMAGES holds 32-bit floats in NCHW order; the first outputs go to the file OUTPUTS.
//! INSTRUCTIONS is `best`, a set's name, or (feature `candle`) `candle` for the same network computed by candle. At the end of the input
//! the peak memory is written in MiB.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use alnm_deep::{
    Backbone, CrossEntropyLoss, FeatureExtractor, Head, Initialisation, Instructions, Network, Optimiser, Predictor,
    Tensor, Trainer, WeightDecayRule,
};
#[cfg(feature = "candle")]
use alnm_deep::{CandleDevice, CandleNetwork, CandlePrecision, CandleTrainer};

/// What is timed; it gives the outputs of the network.
type Task<'a> = Box<dyn FnMut() -> Result<Vec<f32>, Box<dyn Error>> + 'a>;

fn set(name: &str) -> Result<Instructions, Box<dyn Error>> {
    let set = Instructions::available().into_iter().find(|set| name == "best" || set.name() == name);
    Ok(set.ok_or("this processor has no such instructions")?)
}

#[cfg(feature = "candle")]
fn by_candle<'a>(network: &Network, batch: usize, values: &'a [f32], task: &str) -> Result<Task<'a>, Box<dyn Error>> {
    let images = move || Tensor::from_nchw([batch, 3, 224, 224], values);
    if task != "train" {
        let network = CandleNetwork::new(network, CandleDevice::Cpu, CandlePrecision::Single)?;
        return Ok(Box::new(move || Ok(network.output(images()?, "fc")?.into_vec())));
    }
    let (optimiser, rule) = (Optimiser::adamw(1e-2), WeightDecayRule::All);
    let mut trainer = CandleTrainer::new(network, CandleDevice::Cpu, CandlePrecision::Single, optimiser, rule)?;
    let labels: Vec<bool> = (0..batch).map(|index| index % 2 == 1).collect();
    Ok(Box::new(move || {
        let gradients = trainer.gradients(&images()?, &labels, CrossEntropyLoss::default(), 0)?;
        trainer.update(&gradients, 1e-4)?;
        Ok(vec![gradients.loss() as f32])
    }))
}

#[cfg(not(feature = "candle"))]
fn by_candle<'a>(_: &Network, _: usize, _: &'a [f32], _: &str) -> Result<Task<'a>, Box<dyn Error>> {
    Err("this program was built without its feature `candle`".into())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [weights, images, batch, threads, task, instructions, rest @ ..] = arguments.as_slice() else {
        return Err("usage: repeat_network WEIGHTS IMAGES BATCH THREADS predict|train INSTRUCTIONS [OUTPUTS]".into());
    };
    rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build_global()?;
    let batch: usize = batch.parse()?;
    let values: Vec<f32> =
        std::fs::read(images)?.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let count = batch * 3 * 224 * 224;
    let values = values.get(..count).ok_or("too few images")?;
    let head = if task == "train" { Head::Logit } else { Head::None };
    let mut network = Network::initialised(Backbone::ResNet50, head, Initialisation::new(1));
    network.load_weights(Path::new(weights))?;
    let name = if instructions == "candle" { "candle" } else { set(instructions)?.name() };
    let mut run: Task<'_> = if name == "candle" {
        by_candle(&network, batch, values, task)?
    } else if task == "train" {
        let instructions = set(instructions)?;
        let mut trainer =
            Trainer::with_instructions(network, Optimiser::adamw(1e-2), WeightDecayRule::All, instructions)?;
        let labels: Vec<bool> = (0..batch).map(|index| index % 2 == 1).collect();
        Box::new(move || {
            let images = Tensor::from_nchw([batch, 3, 224, 224], values)?;
            let gradients = trainer.gradients(images, &labels, CrossEntropyLoss::default(), 0)?;
            trainer.update(&gradients, 1e-4);
            Ok(vec![gradients.loss() as f32])
        })
    } else {
        let predictor = Predictor::with_instructions(&network, set(instructions)?);
        drop(network);
        Box::new(move || Ok(predictor.output(Tensor::from_nchw([batch, 3, 224, 224], values)?, "fc")?.into_vec()))
    };
    let first = run()?;
    if let [outputs] = rest {
        std::fs::write(outputs, first.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())?;
    }
    println!("ready {name}");
    for line in std::io::stdin().lock().lines() {
        line?;
        let start = Instant::now();
        run()?;
        println!("{}", start.elapsed().as_secs_f64());
        std::io::stdout().flush()?;
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap_or("0");
    println!("peak {}", peak.parse::<f64>()? / 1024.0);
    Ok(())
}
