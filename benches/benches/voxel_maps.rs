//! Feature maps of a cube of 16³ voxels, one class at a time, with kernels of one and of two voxels to each side.

use alnm_benches::image;
use alnm_radiomics::{Extractor, Image, Parameters, Volume};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ndarray::Array3;

fn voxel_maps(criterion: &mut Criterion) {
    let image = image();
    let inside = |range: std::ops::Range<usize>, place: usize| range.contains(&place);
    let cube = Array3::from_shape_fn(image.geometry().shape(), |(z, y, x)| {
        u32::from(inside(8..24, z) && inside(24..40, y) && inside(24..40, x))
    });
    let mask = Volume::new(cube, image.geometry().clone()).expect("the shapes agree");
    let image = Image::F32(image);
    let mut group = criterion.benchmark_group("voxel_maps");
    group.sample_size(10);
    for class in ["firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm"] {
        for radius in [1, 2] {
            let text = format!(
                "setting: {{binCount: 32}}\nvoxelSetting: {{kernelRadius: {radius}}}\nfeatureClass: {{{class}: }}\n"
            );
            let extractor = Extractor::new(Parameters::from_yaml(&text).expect("the parameters are valid"));
            group.bench_function(BenchmarkId::new(class, radius), |bencher| {
                bencher.iter(|| extractor.execute_voxel_based(&image, &mask, 1).expect("the region is valid"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, voxel_maps);
criterion_main!(benches);
