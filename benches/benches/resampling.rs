//! Resampling to voxels of 1 mm by three interpolators, and of a region as PyRadiomics does.

use alnm_benches::{case, image};
use alnm_imaging::Geometry;
use alnm_imaging::resample::{Interpolator, resample, roi_grid};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn resampling(criterion: &mut Criterion) {
    let image = image();
    let grid = Geometry::axis_aligned([64, 64, 64], [1.0; 3]).expect("the grid is valid");
    let mut group = criterion.benchmark_group("resampling");
    group.sample_size(20);
    for (name, interpolator) in
        [("nearest", Interpolator::Nearest), ("linear", Interpolator::Linear), ("b_spline", Interpolator::BSpline)]
    {
        group.bench_function(BenchmarkId::new("image", name), |bencher| {
            bencher.iter(|| resample(&image, &grid, interpolator, 0.0));
        });
    }
    let (_, mask) = case();
    group.bench_function("grid_of_a_region", |bencher| bencher.iter(|| roi_grid(&mask, 1, [1.0; 3], 5)));
    group.finish();
}

criterion_group!(benches, resampling);
criterion_main!(benches);
