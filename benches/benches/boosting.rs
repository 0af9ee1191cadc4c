//! Gradient boosting with LightGBM's defaults, 100 rounds, and logistic regression, on 212 patients.

use alnm_benches::cohort;
use alnm_models::gradient_boosting::{BoostingParams, GradientBoosting};
use alnm_models::{LogisticModel, LogisticParams};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn models(criterion: &mut Criterion) {
    let (table, labels) = cohort();
    let leading = |count: usize| table.select_columns(&(0..count).collect::<Vec<_>>());
    let params = BoostingParams::default();
    let mut group = criterion.benchmark_group("boosting");
    group.sample_size(10);
    for features in [30, 300] {
        let table = leading(features);
        group.bench_function(BenchmarkId::new("fit", features), |bencher| {
            bencher.iter(|| GradientBoosting::fit(&table, &labels, &params));
        });
    }
    let thirty = leading(30);
    let fitted = GradientBoosting::fit(&thirty, &labels, &params).expect("both classes occur");
    group.bench_function("predict", |bencher| bencher.iter(|| fitted.predict(&thirty)));
    let four = leading(4);
    let params = LogisticParams::default();
    group.bench_function("logistic_regression_of_4", |bencher| {
        bencher.iter(|| LogisticModel::fit(&four, &labels, &params));
    });
    group.finish();
}

criterion_group!(benches, models);
criterion_main!(benches);
