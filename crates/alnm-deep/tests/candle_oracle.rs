//! The CPU engine against candle's operations and automatic differentiation in double precision, and both against
//! finite differences. With the feature `cuda` candle computes on the first GPU.

// What cannot be computed must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use alnm_deep::{
    Backbone, CandleDevice, CandleNetwork, CandlePrecision, CandleTrainer, CrossEntropyLoss, FeatureExtractor, Head,
    Initialisation, Network, NormMoments, Optimiser, ParameterGroup, Predictor, StateDict, Tensor, Trainer,
    WeightDecayRule,
};

const DEVICE: CandleDevice = if cfg!(feature = "cuda") { CandleDevice::Cuda { ordinal: 0 } } else { CandleDevice::Cpu };

/// A network away from its start: statistics and biases that are not 0 and 1.
fn network(backbone: Backbone, head: Head) -> Network {
    let mut network = Network::initialised(backbone, head, Initialisation::new(11));
    let mut state = network.state_dict();
    for (name, tensor) in &mut state {
        let is_vector = tensor.shape().len() == 1;
        let is_scale = name.ends_with("running_var") || (is_vector && name.ends_with("weight"));
        if is_vector {
            for (index, value) in tensor.values_mut().iter_mut().enumerate() {
                let wave = ((index * 7 + name.len() * 13) as f32 * 0.37).sin();
                *value = if is_scale { 0.7 + 0.3 * wave } else { 0.1 * wave };
            }
        }
    }
    network.load_state_dict(state).unwrap();
    network
}

fn images(count: usize, height: usize, width: usize, phase: f32) -> Tensor {
    let values =
        (0..count * height * width * 3).map(|i| ((i as f32 * 0.731 + phase).sin() * 43_758.547).fract()).collect();
    Tensor::new([count, height, width, 3], values).unwrap()
}

/// The Euclidean distance over the norm of what is expected.
fn distance(got: &[f32], want: &[f32]) -> f64 {
    assert_eq!(got.len(), want.len());
    let sum = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let difference = sum(&mut got.iter().zip(want).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    difference / sum(&mut want.iter().map(|value| f64::from(*value))).max(1e-12)
}

#[test]
fn every_stage_of_every_backbone_agrees() {
    for backbone in Backbone::ALL {
        let network = network(backbone, Head::None);
        let candle = CandleNetwork::new(&network, DEVICE, CandlePrecision::Double).unwrap();
        let predictor = Predictor::new(&network);
        let stages = predictor.stages();
        assert_eq!(stages, candle.stages());
        assert!(stages.len() >= 7 && stages.contains(&backbone.last_stage()), "{stages:?}");
        let input = if backbone == Backbone::Vgg16 { images(2, 64, 32, 0.2) } else { images(2, 45, 38, 0.2) };
        for stage in &stages {
            let got = predictor.output(input.clone(), stage).unwrap();
            let want = candle.output(input.clone(), stage).unwrap();
            assert_eq!(got.shape(), want.shape(), "{backbone} {stage}");
            let distance = distance(got.as_slice(), want.as_slice());
            assert!(distance < 2e-5, "{backbone} {stage}: {distance}");
        }
    }
}

/// The largest distance of a tensor from what candle finds in double precision.
fn largest_distance(got: &StateDict, want: &StateDict) -> f64 {
    assert!(got.keys().eq(want.keys()));
    got.iter().map(|(name, tensor)| distance(tensor.values(), want[name].values())).fold(0.0, f64::max)
}

/// Steps of both, with batches of different sizes.
///
/// A rectified unit whose value is 0 but for rounding passes its gradient on or not by the last bit, and in a deep
/// network one such unit moves the gradients of all layers before it by a per cent: so does a change of the weights by
/// a millionth in double precision. So each step takes the first of several inputs at which there is none. A wrong
/// derivative is wrong at all of them.
fn train_both(backbone: Backbone, optimiser: Optimiser, groups: &[ParameterGroup], moments: NormMoments) {
    const INPUTS: usize = 8;
    let start = network(backbone, Head::Logit);
    let rule = WeightDecayRule::WeightsOnly;
    let mut own = Trainer::new(start.clone(), optimiser, rule).unwrap().with_groups(groups, moments).unwrap();
    let candle = CandleTrainer::new(&start, DEVICE, CandlePrecision::Double, optimiser, rule).unwrap();
    let mut candle = candle.with_groups(groups, moments).unwrap();
    let loss = CrossEntropyLoss::new([0.7, 1.6], 0.1).unwrap();
    for (step, count) in [4usize, 3].into_iter().enumerate() {
        let labels: Vec<bool> = (0..count).map(|index| index % 2 == 0).collect();
        let mut distances = Vec::new();
        let found = (0..INPUTS).find_map(|input| {
            let input = images(count, 45, 45, step as f32 + 0.1 * input as f32);
            let got = own.gradients(input.clone(), &labels, loss, 5).unwrap();
            let want = candle.gradients(&input, &labels, loss, 5).unwrap();
            assert!(
                (got.loss() - want.loss()).abs() < 1e-4 * want.loss().abs(),
                "{backbone} step {step}: {} {}",
                got.loss(),
                want.loss()
            );
            distances.push(largest_distance(&own.named_gradients(&got), &candle.named_gradients(&want).unwrap()));
            (distances[distances.len() - 1] < 1e-4).then_some((got, want))
        });
        let Some((mut got, mut want)) = found else { panic!("{backbone} step {step}: {distances:?}") };
        got.clip(1.0);
        own.update(&got, 1e-4);
        want.clip(1.0).unwrap();
        candle.update(&want, 1e-4).unwrap();
        let distance =
            largest_distance(&own.network().state_dict(), &candle.network().to_network().unwrap().state_dict());
        assert!(distance < 1e-3, "{backbone} after step {step}: {distance}");
    }
}

#[test]
fn training_steps_agree() {
    let group = |prefix: &str, factor: f64| ParameterGroup::new(prefix, factor);
    let sgd = Optimiser::Sgd { momentum: 0.9, weight_decay: 1e-2 };
    train_both(Backbone::ResNet18, Optimiser::adamw(1e-2), &[], NormMoments::Batch);
    train_both(Backbone::DenseNet121, sgd, &[], NormMoments::Running);
    let frozen = [group("", 0.0), group("layer4", 0.5), group("layer4.1", 1.0), group("fc", 1.0), group("head", 2.0)];
    train_both(Backbone::ResNet50, sgd, &frozen, NormMoments::RunningWhereFrozen);
}

/// The own engine's gradients against differences of losses that candle computes in double precision, along the
/// gradient of every layer's parameters in turn.
#[test]
fn gradients_of_whole_networks_agree_with_finite_differences() {
    let labels = [true, false, true];
    let loss = CrossEntropyLoss::default();
    let optimiser = Optimiser::adamw(0.0);
    for backbone in [Backbone::ResNet18, Backbone::DenseNet121] {
        let start = network(backbone, Head::Logit);
        let input = images(3, 64, 64, 0.6);
        let mut own = Trainer::new(start.clone(), optimiser, WeightDecayRule::All).unwrap();
        let gradients = own.gradients(input.clone(), &labels, loss, 0).unwrap();
        let gradients = own.named_gradients(&gradients);
        let state = start.state_dict();
        let loss_at = |state: &StateDict| {
            let mut network = start.clone();
            network.load_state_dict(state.clone()).unwrap();
            let mut candle =
                CandleTrainer::new(&network, DEVICE, CandlePrecision::Double, optimiser, WeightDecayRule::All).unwrap();
            candle.gradients(&input, &labels, loss, 0).unwrap().loss()
        };
        for name in gradients.keys().step_by(gradients.len() / 3) {
            let gradient = gradients[name].values();
            let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            // The loss moves by about 4e-4 at most, where it is still close to linear.
            let length = f64::min(2e-4, 2e-4 / norm);
            let moved = |sign: f64| {
                let mut moved = state.clone();
                for (value, gradient) in moved.get_mut(name).unwrap().values_mut().iter_mut().zip(gradient) {
                    *value = (f64::from(*value) + sign * length / norm * f64::from(*gradient)) as f32;
                }
                moved
            };
            let (up, down) = (moved(1.0), moved(-1.0));
            let steps =
                up[name].values().iter().zip(down[name].values()).map(|(up, down)| f64::from(*up) - f64::from(*down));
            let expected: f64 = steps.zip(gradient).map(|(step, gradient)| step * f64::from(*gradient)).sum();
            let got = loss_at(&up) - loss_at(&down);
            assert!((got - expected).abs() < 2e-2 * expected.abs(), "{backbone} {name}: {got} {expected}");
        }
    }
}

#[test]
fn mistakes_are_refused_before_anything_is_computed() {
    let headless = network(Backbone::ResNet18, Head::None);
    assert!(
        CandleTrainer::new(&headless, DEVICE, CandlePrecision::Single, Optimiser::adamw(0.0), WeightDecayRule::All)
            .is_err()
    );
    let candle = CandleNetwork::new(&headless, DEVICE, CandlePrecision::Single).unwrap();
    assert!(candle.output(images(1, 64, 64, 0.0), "layer9").is_err());
    assert!(candle.output(images(1, 31, 64, 0.0), "fc").is_err());
    if !cfg!(feature = "cuda") {
        let error =
            CandleNetwork::new(&headless, CandleDevice::Cuda { ordinal: 0 }, CandlePrecision::Single).unwrap_err();
        assert!(error.to_string().contains("cuda"), "{error}");
    }
}
