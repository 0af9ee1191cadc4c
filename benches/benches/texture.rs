//! Texture classes on a ball of voxels at 32 and 256 grey levels, and shape, first-order statistics and all classes
//! together on a larger ball.

use alnm_radiomics::glcm::GlcmSettings;
use alnm_radiomics::gldm::GldmSettings;
use alnm_radiomics::glrlm::GlrlmSettings;
use alnm_radiomics::{
    Extractor, Geometry, Image, LevelMap, Parameters, Selection, Volume, glcm, gldm, glrlm, glszm, ngtdm,
};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ndarray::Array3;

/// About 14,000 voxels in a ball, with levels that vary smoothly.
fn ball(levels: u32) -> LevelMap {
    let values = Array3::from_shape_fn((30, 30, 30), |(z, y, x)| {
        let offset = [z, y, x].map(|index| index as f64 - 14.5);
        if offset.iter().map(|d| d * d).sum::<f64>() > 14.9 * 14.9 {
            return 0;
        }
        let wave = (0.7 * offset[0]).sin() + (0.5 * offset[1] + 0.3 * offset[2]).cos() + (1.9 * offset[2]).sin();
        1 + ((wave + 3.0) / 6.0 * f64::from(levels)) as u32
    });
    LevelMap::new(values.view(), 1).expect("the ball is not empty")
}

fn texture(criterion: &mut Criterion) {
    let all = Selection::default();
    let glcm_settings = GlcmSettings::default();
    let glrlm_settings = GlrlmSettings::default();
    let gldm_settings = GldmSettings::default();
    let mut group = criterion.benchmark_group("texture");
    group.sample_size(20);
    for levels in [32, 256] {
        let map = ball(levels);
        group.bench_function(BenchmarkId::new("glcm", levels), |b| {
            b.iter(|| glcm::features(&map, &glcm_settings, &all));
        });
        group.bench_function(BenchmarkId::new("glcm_matrices", levels), |b| {
            b.iter(|| glcm::matrices(&map, &glcm_settings));
        });
        group.bench_function(BenchmarkId::new("glrlm", levels), |b| {
            b.iter(|| glrlm::features(&map, &glrlm_settings, &all));
        });
        group.bench_function(BenchmarkId::new("glszm", levels), |b| b.iter(|| glszm::features(&map, None, &all)));
        group.bench_function(BenchmarkId::new("gldm", levels), |b| {
            b.iter(|| gldm::features(&map, &gldm_settings, &all));
        });
        group.bench_function(BenchmarkId::new("ngtdm", levels), |b| b.iter(|| ngtdm::features(&map, &[1], None, &all)));
    }
    group.finish();
}

/// All default features, and those of the published study, of a ball of 100,000 voxels, with integer grey values as
/// scanners have them.
fn whole_extraction(criterion: &mut Criterion) {
    let geometry = Geometry::axis_aligned([64, 64, 64], [1.0; 3]).expect("the grid is valid");
    let from_centre = |(z, y, x): (usize, usize, usize)| [z, y, x].map(|index| index as f64 - 31.5);
    let image = Array3::from_shape_fn(geometry.shape(), |place| {
        let [z, y, x] = from_centre(place);
        (400.0 + 150.0 * ((0.2 * z).sin() + (0.3 * y + 0.1 * x).cos() + 0.4 * (1.9 * x + 2.3 * z).sin())) as i16
    });
    let ball = Array3::from_shape_fn(geometry.shape(), |place| {
        u32::from(from_centre(place).iter().map(|d| d * d).sum::<f64>() < 28.8 * 28.8)
    });
    let image = Image::I16(Volume::new(image, geometry.clone()).expect("the shapes agree"));
    let mask = Volume::new(ball, geometry).expect("the shapes agree");
    let mut group = criterion.benchmark_group("extraction");
    group.sample_size(10);
    for (name, text) in [
        ("shape", "featureClass: {shape: }"),
        ("firstorder", "featureClass: {firstorder: }"),
        ("default", "featureClass: {shape: , firstorder: , glcm: , glrlm: , glszm: , gldm: , ngtdm: }"),
        ("study", include_str!("../../crates/alnm-study/params_926.yaml")),
    ] {
        let extractor = Extractor::new(Parameters::from_yaml(text).expect("the parameters are valid"));
        group.bench_function(name, |bencher| {
            bencher.iter(|| extractor.execute(&image, &mask, 1).expect("the region is valid"));
        });
    }
    group.finish();
}

criterion_group!(benches, texture, whole_extraction);
criterion_main!(benches);
