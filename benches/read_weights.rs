//! Reads weights of PyTorch and writes what a network computes with them, for scripts that compare with PyTorch.
//!
//! `read_weights WEIGHTS BACKBONE IMAGES COUNT SIDE STAGE OUTPUTS`: IMAGES holds 32-bit floats in NCHW order, three channels and squares
//! of SIDE pixels; the outputs of the stage go to the file OUTPUTS. The last layer keeps its random values where the file has none of its
//! shape. What was taken of the file is printed.
#![allow(clippy::print_stdout)]

use std::error::Error;

use alnm_deep::{FeatureExtractor, Head, Initialisation, Network, Predictor, Tensor};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [weights, backbone, images, count, side, stage, outputs] = arguments.as_slice() else {
        return Err("usage: read_weights WEIGHTS BACKBONE IMAGES COUNT SIDE STAGE OUTPUTS".into());
    };
    let mut network = Network::initialised(backbone.parse()?, Head::None, Initialisation::new(1));
    let report = network.load_weights_but(weights, &["fc", "classifier"])?;
    println!(
        "{} tensors taken, behind the prefix {:?}; {} outside of it, {} keep their values ({})",
        report.taken,
        report.prefix,
        report.ignored.len(),
        report.kept.len(),
        report.kept.join(", ")
    );
    let (count, side): (usize, usize) = (count.parse()?, side.parse()?);
    let values: Vec<f32> =
        std::fs::read(images)?.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let output = Predictor::new(&network).output(Tensor::from_nchw([count, 3, side, side], &values)?, stage)?;
    std::fs::write(outputs, output.as_slice().iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())?;
    Ok(())
}
