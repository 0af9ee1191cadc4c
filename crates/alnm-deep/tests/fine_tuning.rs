//! What a user of the whole crate relies on: fine-tuning learns, threads change no bit, and images that networks cannot
//! take are refused.

// What cannot be computed must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;

use alnm_deep::{
    Backbone, ChannelWeights, CrossEntropyLoss, DeepError, EpochRecord, Example, FeatureExtractor, GradCamOptions,
    Head, Initialisation, Network, Optimiser, Predictor, Schedule, StateTensor, Tensor, Trainer, TrainingParams,
    WeightDecayRule, fine_tune, grad_cam, network_input,
};
use ndarray::Array2;

fn network(backbone: Backbone) -> Network {
    Network::initialised(backbone, Head::Logit, Initialisation::new(4).with_zero_residual(true))
}

/// A noise that depends on the place alone, in [-1, 1).
fn noise(seed: usize) -> f32 {
    let mixed = (seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

/// Lesions in noise: those with the event have a bright rim, the others a bright core of the same energy; size and
/// place vary.
fn cohort(count: usize) -> Vec<Example> {
    let lesion = |index: usize| {
        let label = index.is_multiple_of(2);
        let random = |what: usize| noise(index * 10 + what);
        let (y0, x0, radius) = (32.0 + 4.0 * random(1), 32.0 + 4.0 * random(2), 14.0 + 2.0 * random(3));
        let image = Array2::from_shape_fn((64, 64), |(y, x)| {
            let distance = ((y as f32 - y0).powi(2) + (x as f32 - x0).powi(2)).sqrt() / radius;
            let shape =
                if label { (-(distance - 1.0).powi(2) * 12.0).exp() } else { (-distance * distance * 2.0).exp() };
            (0.3 + 0.4 * shape + 0.05 * noise(index * 8192 + y * 64 + x)).clamp(0.0, 1.0)
        });
        Example::new(image, label)
    };
    (0..count).map(lesion).collect()
}

fn area_under_curve(scores: &[(f32, bool)]) -> f64 {
    let of = |label: bool| scores.iter().filter(move |(_, l)| *l == label).map(|(score, _)| *score);
    let pairs: Vec<f64> = of(true).flat_map(|p| of(false).map(move |n| if p > n { 1.0 } else { 0.0 })).collect();
    pairs.iter().sum::<f64>() / pairs.len() as f64
}

#[test]
fn the_score_of_lesions_that_were_not_seen_tells_the_classes_apart() {
    let examples = cohort(64);
    let params = TrainingParams::default().with_epochs(5).with_batch_size(8).with_learning_rate(1e-3).with_seed(3);
    let mut scores = Vec::new();
    for fold in 0..2 {
        let is_out = |index: usize| index / 2 % 2 == fold;
        let training: Vec<Example> =
            (0..64).filter(|&index| !is_out(index)).map(|index| examples[index].clone()).collect();
        let trained = fine_tune(network(Backbone::ResNet18), &training, &params).unwrap();
        let losses: Vec<f64> = trained.history().iter().map(EpochRecord::training_loss).collect();
        assert!(losses[4] < 0.5 * losses[0], "{losses:?}");
        let predictor = Predictor::new(trained.network());
        for example in (0..64).filter(|&index| is_out(index)).map(|index| &examples[index]) {
            scores.push((predictor.vectors(&[network_input(&example.image)], "head", 1).unwrap()[0][0], example.label));
        }
    }
    let area = area_under_curve(&scores);
    assert!(area > 0.9, "{area}");
}

/// Evaluation, a step with every kind of layer, and a map, on one and two threads.
#[test]
fn one_and_two_threads_give_the_same_bits() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let values = (0..4 * 70 * 66 * 3).map(noise).collect();
            let images = Tensor::new([4, 70, 66, 3], values).unwrap();
            let mut results = Vec::new();
            for backbone in [Backbone::ResNet50, Backbone::DenseNet121] {
                let network = network(backbone);
                results.push(Predictor::new(&network).output(images.clone(), "fc").unwrap().into_vec());
                let mut trainer = Trainer::new(network, Optimiser::adamw(1e-2), WeightDecayRule::WeightsOnly).unwrap();
                let labels = [true, false, false, true];
                let gradients = trainer.gradients(images.clone(), &labels, CrossEntropyLoss::default(), 1).unwrap();
                trainer.update(&gradients, 1e-3);
                results.extend(trainer.network().state_dict().into_values().map(StateTensor::into_values));
                let image = Tensor::new([1, 70, 66, 3], images.image(0).to_vec()).unwrap();
                let options = GradCamOptions::default().with_weights(ChannelWeights::GradientPlusPlus);
                let map = grad_cam(trainer.network(), &image, &options);
                results.push(map.unwrap().into_iter().collect());
            }
            results
        })
    };
    let (one, two) = (run(1), run(2));
    assert!(one.iter().flatten().all(|value| value.is_finite()));
    assert_eq!(one, two);
}

#[test]
fn images_that_a_network_cannot_take_are_refused_everywhere() {
    let start = network(Backbone::ResNet18);
    let predictor = Predictor::new(&start);
    let mut trainer = Trainer::new(start.clone(), Optimiser::adamw(0.0), WeightDecayRule::All).unwrap();
    let mut refused = |images: &Tensor, is_expected: fn(&DeepError) -> bool| {
        let evaluation = predictor.output(images.clone(), "fc").unwrap_err();
        let training = trainer.gradients(images.clone(), &[true], CrossEntropyLoss::default(), 0).unwrap_err();
        let map = grad_cam(&start, images, &GradCamOptions::default()).unwrap_err();
        for error in [evaluation, training, map] {
            assert!(is_expected(&error), "{error}");
        }
    };
    let shape = |error: &DeepError| matches!(error, DeepError::Shape { .. });
    refused(&Tensor::zeros([1, 64, 64, 1]), shape);
    refused(&Tensor::zeros([1, 31, 64, 3]), shape);
    for value in [f32::NAN, f32::INFINITY] {
        let mut images = Tensor::zeros([1, 32, 40, 3]);
        images.as_mut_slice()[400] = value;
        refused(
            &images,
            |error| matches!(error, DeepError::NotFinite { position, .. } if position == "image 0, row 3, column 13, channel 1"),
        );
    }
    assert_eq!(predictor.output(Tensor::zeros([1, 32, 233, 3]), "layer4").unwrap().shape(), [1, 1, 8, 512]);
}

#[test]
fn a_schedule_moves_the_rate_that_the_observer_hears_of() {
    let training = TrainingParams::default()
        .with_epochs(3)
        .with_batch_size(8)
        .with_learning_rate(1e-3)
        .with_schedule(Schedule::WarmUpCosine { warm_up: 0.3 })
        .with_validation_fraction(0.25)
        .check()
        .unwrap();
    let (mut steps, mut records) = (0, Vec::new());
    let trained = training.run(network(Backbone::ResNet18), &cohort(16), None, &mut |event| {
        match event {
            alnm_deep::TrainingEvent::Step { done, total, loss } => {
                steps += 1;
                assert!(done == steps && total == 6 && loss.is_finite());
            }
            alnm_deep::TrainingEvent::Epoch(record) => records.push(record.clone()),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    assert_eq!(records, trained.unwrap().history());
    let rates: Vec<f64> = records.iter().map(EpochRecord::learning_rate).collect();
    assert!(rates[0] == 1e-3 && rates[0] > rates[1] && rates[1] > rates[2], "{rates:?}");
    assert!(
        records.iter().all(|record| (0.0..=1.0).contains(&record.training_auc()) && record.validation_auc().is_some())
    );
}
