//! Deep features of a grey image by a ResNet50: the 2048 averages of its last stage (`avgpool`) and its 1000 outputs
//! (`fc`).
//!
//! Without an argument the network's parameters are drawn from a seed, so that nothing has to be downloaded; such
//! features show how the library is used and mean nothing. With the path of a weight file (`.pth` or safetensors, with
//! torchvision's names) they are those of the trained network.
//!
//! ```text
//! cargo run -p alnm-deep --example resnet50_features
//! cargo run -p alnm-deep --example resnet50_features -- resnet50-0676ba61.pth
//! ```
#![allow(clippy::print_stdout)]

use alnm_deep::{Backbone, FeatureExtractor, Head, Initialisation, Network, Predictor, PreparationParams};
use ndarray::Array2;

fn main() -> Result<(), alnm_deep::DeepError> {
    let mut network = Network::initialised(Backbone::ResNet50, Head::None, Initialisation::new(7));
    if let Some(path) = std::env::args_os().nth(1) {
        network.load_weights(path)?;
    }
    // Images are brought to 224 × 224 pixels, put in three channels and normalised as ImageNet's were.
    let network = network.with_preparation(PreparationParams::default().with_side(224).check()?);
    let predictor = Predictor::new(&network);

    // A bright disc on a ramp, with grey values from 0 to 1.
    let image = Array2::from_shape_fn((96, 96), |(y, x)| {
        let (dy, dx) = (y as f32 - 40.0, x as f32 - 52.0);
        if dy.hypot(dx) < 20.0 { 0.9 } else { 0.5 * x as f32 / 95.0 }
    });
    let input = predictor.input(&image)?;

    for stage in ["avgpool", "fc"] {
        let vectors = predictor.vectors(std::slice::from_ref(&input), stage, 1)?;
        let features = &vectors[0];
        let mean = features.iter().sum::<f32>() / features.len() as f32;
        println!("{stage}: {} values, mean {mean:.4}, first {:.4?}", features.len(), &features[..4]);
    }
    Ok(())
}
