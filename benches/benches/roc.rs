//! ROC curves, DeLong's interval and test, and the bootstrap of an area, on 212 patients and on 100,000.

use alnm_benches::cohort;
use alnm_stats::bootstrap::{self, Resampling};
use alnm_stats::delong::{Marker, auc_estimate, paired_test};
use alnm_stats::roc::{Direction, RocCurve};
use alnm_stats::{Alternative, Labels};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const UP: Direction = Direction::HigherIsPositive;
const LEVEL: f64 = 0.95;

fn roc(criterion: &mut Criterion) {
    let (table, labels) = cohort();
    let scores = [0, 16].map(|feature| table.values().column(feature).to_vec());
    let mut group = criterion.benchmark_group("roc");
    group.sample_size(20);
    let copies = 100_000usize.div_ceil(labels.len());
    let many = Labels::new(labels.as_slice().repeat(copies));
    let long: Vec<f64> = (0..many.len()).map(|row| scores[0][row % labels.len()] + 1e-7 * row as f64).collect();
    for (labels, scores) in [(&labels, &scores[0]), (&many, &long)] {
        group.bench_function(BenchmarkId::new("curve_and_interval", labels.len()), |bencher| {
            bencher.iter(|| RocCurve::new(labels, scores, UP).and_then(|curve| auc_estimate(&curve, LEVEL)));
        });
    }
    let marker = |scores| Marker { scores, direction: UP };
    group.bench_function("paired_delong_test", |bencher| {
        bencher.iter(|| paired_test(&labels, marker(&scores[0]), marker(&scores[1]), Alternative::TwoSided, LEVEL));
    });
    group.bench_function("2000_bootstraps_of_the_area", |bencher| {
        bencher.iter(|| bootstrap::auc(&labels, &scores[0], UP, Resampling::default()));
    });
    group.finish();
}

criterion_group!(benches, roc);
criterion_main!(benches);
