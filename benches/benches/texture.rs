//! Texture classes on a ball of voxels at 32 and 256 grey levels.

use alnm_radiomics::glcm::GlcmSettings;
use alnm_radiomics::gldm::GldmSettings;
use alnm_radiomics::glrlm::GlrlmSettings;
use alnm_radiomics::{LevelMap, Selection, glcm, gldm, glrlm, glszm, ngtdm};
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

criterion_group!(benches, texture);
criterion_main!(benches);
