//! Features of a generated image against values of PyRadiomics 3.0.1, which `golden/make.py` wrote.

use alnm_imaging::{Geometry, Image, LabelMap, Volume};
use alnm_radiomics::{Extraction, Extractor, Parameters};
use ndarray::Array3;

const EXPECTED: &str = include_str!("golden/pyradiomics-3.0.1.csv");

fn image_and_mask() -> (Image, LabelMap) {
    let geometry = Geometry::axis_aligned([13, 11, 9], [0.8, 1.1, 2.5]).expect("the grid is valid");
    let image = Array3::from_shape_fn([9, 11, 13], |(z, y, x)| {
        ((z * z * 31 + y * x * 17 + x * x * 7 + z * x * 3) % 211) as i16
    });
    let squared = |a: usize, centre: usize| a.abs_diff(centre).pow(2);
    let inside = |z: usize, y: usize, x: usize| squared(z, 4) * 3 + squared(y, 5) + squared(x, 6) <= 20;
    let mask = Array3::from_shape_fn([9, 11, 13], |(z, y, x)| u32::from(inside(z, y, x)));
    let image = Image::I16(Volume::new(image, geometry.clone()).expect("the shapes agree"));
    (image, Volume::new(mask, geometry).expect("the shapes agree"))
}

fn extract(parameters: &str) -> Extraction {
    let (image, mask) = image_and_mask();
    let extractor = Extractor::new(Parameters::from_yaml(parameters).expect("the parameters are valid"));
    extractor.execute(&image, &mask, 1).expect("the region is valid")
}

const ORIGINAL: &str = "
setting: {binWidth: 20}
featureClass: {shape: , firstorder: , glcm: , gldm: , glrlm: , glszm: , ngtdm: }
";

const FILTERED: &str = "
setting: {binWidth: 20}
imageType:
  LoG: {sigma: [2.0]}
  Wavelet: {wavelet: coif1}
  Gradient: {}
  Square: {}
  SquareRoot: {}
  Logarithm: {}
  Exponential: {}
featureClass: {firstorder: [Mean, Entropy], glcm: [Contrast, Idn]}
";

#[test]
fn features_agree_with_pyradiomics() {
    let features = [extract(ORIGINAL), extract(FILTERED)].into_iter().flat_map(|extraction| extraction.features);
    let mut expected = EXPECTED.lines();
    for feature in features {
        let (name, value) = expected.next().and_then(|line| line.split_once(',')).expect("every feature has a value");
        assert_eq!(feature.id.name(), name);
        let value: f64 = value.parse().expect("values are numbers");
        // The Laplacian and the gradient are stored in single precision.
        let tolerance = if name.starts_with("log") || name.starts_with("gradient") { 1e-6 } else { 1e-10 };
        assert!(
            (feature.value - value).abs() <= tolerance * value.abs().max(1e-3),
            "{name}: {} instead of {value}",
            feature.value
        );
    }
    assert_eq!(expected.next(), None);
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
        pool.install(|| {
            extract(FILTERED).features.into_iter().map(|feature| feature.value.to_bits()).collect::<Vec<u64>>()
        })
    };
    let one = with_threads(1);
    assert_eq!(one, with_threads(2));
    assert_eq!(one, with_threads(8));
}

#[test]
fn an_extractor_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Extractor>();
    shared::<Parameters>();
    shared::<Extraction>();
}
