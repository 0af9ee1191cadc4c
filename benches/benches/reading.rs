//! Reading the files that this project writes: a dynamic DICOM series of three phases, and NIfTI with and without gzip.

use alnm_benches::image;
use alnm_imaging::dicom::{DicomFolder, Phase, Series, SeriesAttributes, write_series};
use alnm_imaging::{Image, read_image, write_image};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn reading(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let image = image();
    let voxels = image.as_slice().len() as u64;
    let phase = |number: u8| Phase::new(image.map(|voxel| *voxel as u16), 60.0 * f64::from(number));
    let series = folder.path().join("series");
    write_series(&series, &[phase(0), phase(1), phase(2)], &SeriesAttributes::new("P001", "DCE"))
        .expect("the series is written");
    let (plain, compressed) = (folder.path().join("image.nii"), folder.path().join("image.nii.gz"));
    for file in [&plain, &compressed] {
        write_image(file, &Image::F32(image.clone())).expect("the image is written");
    }

    let mut group = criterion.benchmark_group("reading");
    group.sample_size(20);
    group.throughput(Throughput::Elements(3 * voxels));
    group.bench_function("dicom_series_of_3_phases", |bencher| {
        bencher.iter(|| {
            let scanned = DicomFolder::scan(&series).expect("the folder is readable");
            scanned.only_series().and_then(Series::phases).expect("three phases")
        });
    });
    group.throughput(Throughput::Elements(voxels));
    group.bench_function("nifti", |bencher| bencher.iter(|| read_image(&plain)));
    group.bench_function("nifti_gz", |bencher| bencher.iter(|| read_image(&compressed)));
    group.finish();
}

criterion_group!(benches, reading);
criterion_main!(benches);
