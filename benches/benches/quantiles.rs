//! Descriptive statistics of alnm-stats beside those of ndarray-stats: quantiles (R's type 7), variance, Pearson
//! correlations of many columns, deviation measures and histograms. How far the values agree is printed first.
#![expect(clippy::print_stdout, reason = "the agreement of the values is a result of this bench")]

use std::hint::black_box;

use alnm_stats::correlation::{Correlation, PairRows, correlation_matrix};
use alnm_stats::describe::{QuantileType, quantile, variance};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ndarray::{Array1, Array2};
use ndarray_stats::histogram::{Bins, Edges, Grid};
use ndarray_stats::interpolate::Linear;
use ndarray_stats::{CorrelationExt, DeviationExt, HistogramExt, Quantile1dExt, SummaryStatisticsExt};
use noisy_float::types::{N64, n64};

/// Numbers between 0 and 1 without a pattern that a sort could use.
fn values(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    std::iter::repeat_with(next).take(n).collect()
}

fn theirs(values: &[f64], probability: f64) -> f64 {
    let mut copy: Array1<N64> = values.iter().map(|&v| n64(v)).collect();
    copy.quantile_mut(n64(probability), &Linear).expect("values").raw()
}

fn ours(values: &[f64], probability: f64) -> f64 {
    quantile(values, probability, QuantileType::Type7).expect("values")
}

/// The columns of a table of radiomic features: 212 patients, 926 features.
fn features() -> Array2<f64> {
    Array2::from_shape_vec((212, 926), values(212 * 926, 3)).expect("as many values")
}

fn agreement() {
    let (mut compared, mut different, mut worst) = (0, 0, 0.0_f64);
    for n in [3, 10, 101, 1000] {
        for seed in 1..=20 {
            let data = values(n, seed);
            for step in 0..=40 {
                let (a, b) = (ours(&data, f64::from(step) / 40.0), theirs(&data, f64::from(step) / 40.0));
                compared += 1;
                different += usize::from(a.to_bits() != b.to_bits());
                worst = worst.max((a - b).abs() / a.abs());
            }
        }
    }
    println!("quantiles: {different} of {compared} differ in bits, largest relative difference {worst:.1e}");
    let data = values(1000, 1);
    let moment = Array1::from(data.clone()).central_moment(2).expect("values") * 1000.0 / 999.0;
    println!("variance: relative difference {:.1e}", (moment - variance(&data)).abs() / moment);
    let table = features();
    let r = correlation_matrix(table.view(), Correlation::Pearson, PairRows::Everything).expect("rows");
    let s = table.t().pearson_correlation().expect("rows");
    let largest = r.iter().zip(&s).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    println!("correlations: largest difference {largest:.1e}");
}

fn quantiles(c: &mut Criterion) {
    agreement();
    let mut group = c.benchmark_group("quantile");
    for n in [101, 10_000, 1_000_000] {
        let data = values(n, 1);
        group.bench_with_input(BenchmarkId::new("alnm-stats", n), &data, |b, data| {
            b.iter(|| ours(black_box(data), 0.25));
        });
        group.bench_with_input(BenchmarkId::new("ndarray-stats", n), &data, |b, data| {
            b.iter(|| theirs(black_box(data), 0.25));
        });
    }
    group.finish();
}

fn moments(c: &mut Criterion) {
    let mut group = c.benchmark_group("variance of 10 000 values");
    let data = values(10_000, 1);
    let array = Array1::from(data.clone());
    group.bench_function("alnm-stats", |b| b.iter(|| variance(black_box(&data))));
    group.bench_function("ndarray-stats", |b| b.iter(|| black_box(&array).central_moment(2)));
    group.finish();
}

fn correlations(c: &mut Criterion) {
    let mut group = c.benchmark_group("correlations of 926 features of 212 patients");
    group.sample_size(10);
    let table = features();
    group.bench_function("alnm-stats", |b| {
        b.iter(|| correlation_matrix(black_box(table.view()), Correlation::Pearson, PairRows::Everything));
    });
    group.bench_function("ndarray-stats", |b| b.iter(|| black_box(table.t()).pearson_correlation()));
    group.finish();
}

fn deviations(c: &mut Criterion) {
    let mut group = c.benchmark_group("root mean squared error of 100 000 values");
    let (a, b) = (Array1::from(values(100_000, 1)), Array1::from(values(100_000, 2)));
    group.bench_function("ndarray-stats", |bench| bench.iter(|| black_box(&a).root_mean_sq_err(black_box(&b))));
    group.bench_function("iterator", |bench| {
        bench.iter(|| {
            let squares: f64 = black_box(&a).iter().zip(black_box(&b)).map(|(x, y)| (x - y).powi(2)).sum();
            (squares / a.len() as f64).sqrt()
        });
    });
    group.finish();
}

fn histograms(c: &mut Criterion) {
    let mut group = c.benchmark_group("histogram of 100 000 values in 32 bins");
    let data = values(100_000, 1);
    let edges: Vec<N64> = (0..=32).map(|i| n64(f64::from(i) / 32.0)).collect();
    let grid = || Grid::from(vec![Bins::new(Edges::from(edges.clone()))]);
    let column: Array2<N64> = Array2::from_shape_fn((data.len(), 1), |(i, _)| n64(data[i]));
    group.bench_function("ndarray-stats", |b| b.iter(|| black_box(&column).histogram(grid())));
    group.bench_function("iterator", |b| {
        b.iter(|| {
            let mut counts = [0_u64; 32];
            for v in black_box(&data) {
                counts[((v * 32.0) as usize).min(31)] += 1;
            }
            counts
        });
    });
    group.finish();
}

criterion_group!(benches, quantiles, moments, correlations, deviations, histograms);
criterion_main!(benches);
