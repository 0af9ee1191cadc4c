//! ResNet50 at 224 × 224: evaluation and a training step.

use alnm_deep::{
    Backbone, CrossEntropyLoss, FeatureExtractor, Head, Initialisation, Network, Optimiser, Predictor, Tensor, Trainer,
    WeightDecayRule,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn network() -> Network {
    Network::initialised(Backbone::ResNet50, Head::Logit, Initialisation::new(1))
}

fn images(count: usize) -> Tensor {
    let values =
        (0..count * 224 * 224 * 3).map(|index| ((index * 2_654_435_761) % 1009) as f32 / 504.5 - 1.0).collect();
    Tensor::new([count, 224, 224, 3], values).expect("three values a pixel")
}

fn inference(criterion: &mut Criterion) {
    let predictor = Predictor::new(&network());
    let mut group = criterion.benchmark_group("cnn_inference/resnet50");
    group.sample_size(10);
    for batch in [1, 8] {
        let images = images(batch);
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(BenchmarkId::from_parameter(batch), |bencher| {
            bencher.iter(|| predictor.output(images.clone(), "fc").expect("the images fit the network"));
        });
    }
    group.finish();
}

fn training_step(criterion: &mut Criterion) {
    let mut trainer =
        Trainer::new(network(), Optimiser::adamw(1e-2), WeightDecayRule::WeightsOnly).expect("the network has a head");
    let mut group = criterion.benchmark_group("cnn_training_step/resnet50");
    group.sample_size(10);
    let batch = 8;
    let (images, labels) = (images(batch), [false, true].repeat(batch / 2));
    group.throughput(Throughput::Elements(batch as u64));
    group.bench_function(BenchmarkId::from_parameter(batch), |bencher| {
        bencher.iter(|| {
            let gradients =
                trainer.gradients(images.clone(), &labels, CrossEntropyLoss::default(), 0).expect("the batch fits");
            trainer.update(&gradients, 1e-6);
            gradients.loss()
        });
    });
    group.finish();
}

criterion_group!(benches, inference, training_step);
criterion_main!(benches);
