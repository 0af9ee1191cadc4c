//! Derived images of PyRadiomics: one image type at a time, and features of the types of the published study.

use alnm_benches::case;
use alnm_radiomics::{Extractor, Parameters};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn extractor(image_types: &str) -> Extractor {
    let text = format!("setting: {{binWidth: 25}}\nimageType:\n{image_types}\nfeatureClass: {{firstorder: }}\n");
    Extractor::new(Parameters::from_yaml(&text).expect("the parameters are valid"))
}

fn filters(criterion: &mut Criterion) {
    let (image, mask) = case();
    let mut group = criterion.benchmark_group("filters");
    group.sample_size(10);
    for (name, image_types) in [
        ("log", "  LoG: {sigma: [3.0]}"),
        ("wavelet", "  Wavelet: {wavelet: coif1}"),
        ("gradient", "  Gradient: {}"),
        ("lbp_3d", "  LBP3D: {}"),
    ] {
        let extractor = extractor(image_types);
        group.bench_function(BenchmarkId::new("derived_image", name), |bencher| {
            bencher.iter(|| extractor.filtered_images(&image, &mask, 1).expect("the region is valid"));
        });
    }
    let all = extractor("  Original: {}\n  LoG: {sigma: [3.0]}\n  Wavelet: {}\n  Square: {}\n  Exponential: {}");
    group.bench_function("first_order_of_12_images", |bencher| {
        bencher.iter(|| all.execute(&image, &mask, 1).expect("the region is valid"));
    });
    group.finish();
}

criterion_group!(benches, filters);
criterion_main!(benches);
