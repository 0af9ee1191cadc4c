//! The LASSO of 212 patients and 926 features: one path, and ten-fold cross-validation.

use alnm_benches::cohort;
use alnm_selection::cross_validation::{CvMeasure, cross_validate};
use alnm_selection::elastic_net::{ElasticNetParams, binomial_path};
use alnm_selection::folds::Folds;
use criterion::{Criterion, criterion_group, criterion_main};

fn lasso(criterion: &mut Criterion) {
    let (table, labels) = cohort();
    let params = ElasticNetParams::default();
    let folds = Folds::given((0..labels.len()).map(|patient| patient % 10).collect()).expect("ten folds");
    let mut group = criterion.benchmark_group("lasso");
    group.sample_size(10);
    group.bench_function("path", |bencher| bencher.iter(|| binomial_path(&table, &labels, &params)));
    group.bench_function("ten_folds", |bencher| {
        bencher.iter(|| cross_validate(&table, &labels, &folds, CvMeasure::Deviance, &params));
    });
    group.finish();
}

criterion_group!(benches, lasso);
criterion_main!(benches);
