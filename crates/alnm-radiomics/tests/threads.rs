//! The same bits at any number of threads, and an extraction that is broken off.

// A phantom that cannot be built must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use alnm_imaging::{Geometry, Image, LabelMap, Volume};
use alnm_radiomics::ibsi::{IbsiDiscretisation, IbsiFamily, IbsiProfile};
use alnm_radiomics::{Extractor, MapProgress, Parameters, RadiomicsError};
use ndarray::Array3;

const PARAMETERS: &str = "
setting: {binWidth: 2, resampledPixelSpacing: [1, 1, 1]}
imageType: {Original: {}, LoG: {sigma: [1.5]}, Wavelet: {}, Gradient: {}, LBP3D: {binWidth: 1}}
featureClass: {shape: , firstorder: , glcm: , glrlm: , glszm: , gldm: , ngtdm: }
";

/// An ellipsoid of several thousand voxels, so that work is shared among threads, with uneven texture.
fn phantom() -> (Image, LabelMap) {
    let geometry = Geometry::axis_aligned([30, 28, 24], [0.9, 1.0, 1.4]).unwrap();
    let image = Array3::from_shape_fn([24, 28, 30], |(z, y, x)| {
        let (z, y, x) = (z as f64, y as f64, x as f64);
        (200.0 + 60.0 * (0.5 * z).sin() * (0.4 * y + 0.2 * x).cos() + 9.0 * (91.7 * x + 37.3 * y + 53.9 * z).sin())
            as f32
    });
    let mask = Array3::from_shape_fn([24, 28, 30], |(z, y, x)| {
        let square = |index: usize, middle: f64, radius: f64| ((index as f64 - middle) / radius).powi(2);
        u32::from(square(z, 11.5, 9.0) + square(y, 13.5, 11.0) + square(x, 14.5, 12.0) < 1.0)
    });
    (Image::F32(Volume::new(image, geometry.clone()).unwrap()), Volume::new(mask, geometry).unwrap())
}

/// The values of all features at a number of threads, as bits.
fn bits(threads: usize, work: impl Fn() -> Vec<f64> + Send + Sync) -> Vec<u64> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| work().into_iter().map(f64::to_bits).collect())
}

#[test]
fn features_have_the_same_bits_at_1_2_and_8_threads() {
    let (image, mask) = phantom();
    let extractor = Extractor::new(Parameters::from_yaml(PARAMETERS).unwrap());
    let features =
        || extractor.execute(&image, &mask, 1).unwrap().features.iter().map(|feature| feature.value).collect();
    let one = bits(1, features);
    assert!(one.len() > 1000);
    assert_eq!(one, bits(2, features));
    assert_eq!(one, bits(8, features));
}

#[test]
fn maps_have_the_same_bits_at_1_2_and_8_threads() {
    let (image, mask) = phantom();
    let parameters = "{setting: {binWidth: 10}, featureClass: {firstorder: [Mean], glcm: , glrlm: [RunEntropy]}}";
    let extractor = Extractor::new(Parameters::from_yaml(parameters).unwrap());
    let maps = || {
        let maps = extractor.execute_voxel_based(&image, &mask, 1).unwrap().maps;
        maps.iter().flat_map(|map| map.map.as_slice().to_vec()).collect()
    };
    let one = bits(1, maps);
    assert_eq!(one, bits(2, maps));
    assert_eq!(one, bits(8, maps));
}

#[test]
fn an_observer_of_maps_is_told_of_every_row_and_can_break_off() {
    let (image, mask) = phantom();
    let voxels = mask.as_slice().iter().filter(|&&label| label == 1).count();
    // A class for each way in which windows are counted: side by side, sliding, and one by one.
    let parameters = "{setting: {binWidth: 10}, featureClass: {firstorder: [Mean], glcm: [Contrast]}}";
    let parameters = Parameters::from_yaml(parameters).unwrap();
    let by_ibsi = IbsiProfile::default().with_discretisation(IbsiDiscretisation::FixedBinSize(10.0));
    let by_ibsi = by_ibsi.with_families([IbsiFamily::Gldzm]).check().unwrap();
    for (parameters, image_name, classes) in [(parameters, "original", 2), (by_ibsi, "ibsi", 1)] {
        let extractor = Extractor::new(parameters);
        let told = AtomicUsize::new(0);
        let listen = |progress: &MapProgress<'_>| {
            assert_eq!(progress.image, image_name);
            told.fetch_add(progress.voxels, Ordering::Relaxed);
            ControlFlow::Continue(())
        };
        extractor.execute_voxel_based_observed(&image, &mask, 1, &listen).unwrap();
        assert_eq!(told.into_inner(), classes * voxels);

        let told = AtomicUsize::new(0);
        let stop = |_: &MapProgress<'_>| {
            told.fetch_add(1, Ordering::Relaxed);
            ControlFlow::Break(())
        };
        let stopped = extractor.execute_voxel_based_observed(&image, &mask, 1, &stop);
        assert!(matches!(stopped, Err(RadiomicsError::Cancelled)));
        // Rows that other threads had begun are told of too.
        assert!(told.into_inner() <= rayon::current_num_threads());
    }
}

#[test]
fn an_observer_is_told_of_every_image_and_can_break_off() {
    let (image, mask) = phantom();
    let extractor = Extractor::new(Parameters::from_yaml(PARAMETERS).unwrap());
    let told = std::sync::Mutex::new(Vec::new());
    let listen = |progress: &alnm_radiomics::ImageProgress<'_>| {
        told.lock().unwrap().push(progress.image.to_owned());
        assert_eq!(progress.total, 14);
        ControlFlow::Continue(())
    };
    extractor.execute_observed(&image, &mask, 1, &listen).unwrap();
    let mut told = told.into_inner().unwrap();
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), 14);
    let stopped = extractor.execute_observed(&image, &mask, 1, &|_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(RadiomicsError::Cancelled)));
}
