//! Derived images of PyRadiomics: one image type at a time, and features of the types of the published study.

use alnm_benches::case;
use alnm_imaging::region::{VoxelBox, bounding_box};
use alnm_radiomics::filter::log::laplacian_of_gaussian;
use alnm_radiomics::filter::wavelet::{Filters, WaveletTransform};
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
    // The filters themselves, in the box of the lesion and on the whole image.
    let shape = image.geometry().shape();
    let coiflet = WaveletTransform::new(Filters::named("coif1").expect("the wavelet is known"));
    for (name, part) in
        [("box", bounding_box(&mask, 1).expect("the lesion is not empty")), ("image", VoxelBox::of_shape(shape))]
    {
        group.bench_function(BenchmarkId::new("laplacian_of_gaussian", name), |bencher| {
            bencher.iter(|| laplacian_of_gaussian(&image, 3.0, part));
        });
        group.bench_function(BenchmarkId::new("coif1", name), |bencher| bencher.iter(|| coiflet.apply(&image, part)));
    }
    group.finish();
}

criterion_group!(benches, filters);
criterion_main!(benches);
