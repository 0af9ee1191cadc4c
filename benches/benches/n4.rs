//! N4 bias field correction with SimpleITK's defaults: with Otsu's mask and without a mask.

use alnm_benches::image;
use alnm_imaging::n4::N4Params;
use alnm_imaging::otsu::otsu_mask;
use criterion::{Criterion, criterion_group, criterion_main};

fn n4(criterion: &mut Criterion) {
    let image = image();
    let n4 = N4Params::default().check().expect("the defaults are valid");
    let mask = otsu_mask(&image, 200).expect("the image is not constant");
    let mut group = criterion.benchmark_group("n4");
    group.sample_size(10);
    group.bench_function("otsu_mask", |bencher| bencher.iter(|| otsu_mask(&image, 200)));
    group.bench_function("correct_in_mask", |bencher| bencher.iter(|| n4.correct(&image, Some(&mask))));
    group.bench_function("correct_everywhere", |bencher| bencher.iter(|| n4.correct(&image, None)));
    group.finish();
}

criterion_group!(benches, n4);
criterion_main!(benches);
