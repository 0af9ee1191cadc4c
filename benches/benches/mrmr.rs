//! mRMR and the correlation filter on 212 patients and 926 features.

use alnm_benches::cohort;
use alnm_selection::correlation_filter::{CorrelationRule, find_correlation};
use alnm_selection::mrmr::{ContinuousCorrelation, Denominator, MrmrParams, MrmrVariant, Relevance, mrmr};
use alnm_stats::correlation::{Correlation, PairRows, correlation_matrix};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn ranking(criterion: &mut Criterion) {
    let (table, labels) = cohort();
    let mut group = criterion.benchmark_group("mrmr");
    group.sample_size(20);
    let variants = [
        ("mrmr_selection_fcq", MrmrVariant::MrmrSelection { relevance: Relevance::F, denominator: Denominator::Mean }),
        ("mrmre", MrmrVariant::ContinuousMutualInformation { correlation: ContinuousCorrelation::Pearson }),
    ];
    for (name, variant) in variants {
        let params = MrmrParams::new(variant, 30);
        group.bench_function(BenchmarkId::new("30_features", name), |bencher| {
            bencher.iter(|| mrmr(&table, &labels, &params));
        });
    }
    let matrix = || correlation_matrix(table.values(), Correlation::Pearson, PairRows::Everything);
    group.bench_function("pearson_matrix", |bencher| bencher.iter(matrix));
    let r = matrix().expect("no feature is constant");
    group.bench_function("correlation_filter_exact", |bencher| {
        bencher.iter(|| find_correlation(r.view(), 0.6, CorrelationRule::CaretExact));
    });
    group.finish();
}

criterion_group!(benches, ranking);
criterion_main!(benches);
