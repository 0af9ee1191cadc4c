//! Perturbed images, regions and noise levels against MIRP 2.7.0, as `golden/perturbations.py` wrote them; extraction from
//! perturbed regions.

// An image that cannot be built must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use alnm_imaging::resample::Interpolator;
use alnm_imaging::{Geometry, Image, LabelMap, Volume};
use alnm_radiomics::perturbation::{PerturbationParams, PerturbedRegion, SizeChange, noise_level};
use alnm_radiomics::{Extractor, Parameters};
use flate2::Crc;
use ndarray::Array3;
use serde::Deserialize;
use serde_json::Value;

const GOLDEN: &str = include_str!("golden/perturbations.json");
const EVERY: usize = 211;

#[derive(Deserialize)]
struct Golden {
    noise: f64,
    moves: Vec<Move>,
    sizes: Vec<Size>,
}

#[derive(Deserialize)]
struct Move {
    spacing: [f64; 3],
    oblique: bool,
    new_spacing: [f64; 3],
    translation: [f64; 3],
    rotation: f64,
    order: u32,
    size: [usize; 3],
    origin: [f64; 3],
    direction: [[f64; 3]; 3],
    mean: f64,
    values: Vec<f64>,
    voxels: usize,
    mask: u32,
}

#[derive(Deserialize)]
struct Size {
    spacing: [f64; 3],
    kind: String,
    size: f64,
    share: f64,
    voxels: usize,
    /// Where no voxel is drawn at random.
    mask: Option<u32>,
}

fn golden() -> Golden {
    let all: Value = serde_json::from_str(GOLDEN).unwrap();
    assert_eq!(all["versions"]["mirp"], "2.7.0");
    serde_json::from_value(all).unwrap()
}

fn made(spacing: [f64; 3], oblique: bool) -> (Volume<f64>, LabelMap) {
    let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let turned =
        [[21.0, -6.0, 22.0], [14.0, 27.0, -6.0], [-18.0, 14.0, 21.0]].map(|row| row.map(|element| element / 31.0));
    let direction = if oblique { turned } else { identity };
    let geometry = Geometry::new([20, 18, 14], spacing, [-20.25, 13.5, 7.125], direction).unwrap();
    let image = Array3::from_shape_fn([14, 18, 20], |(z, y, x)| {
        ((z * z * 31 + y * x * 17 + x * x * 7 + z * x * 3) % 211) as f64 - 60.0
    });
    let mask = Array3::from_shape_fn([14, 18, 20], |(z, y, x)| {
        let squared = |a: usize, centre: usize| a.abs_diff(centre).pow(2);
        u32::from(3 * squared(z, 6) + squared(y, 8) + 2 * squared(x, 10) <= 50)
    });
    (Volume::new(image, geometry.clone()).unwrap(), Volume::new(mask, geometry).unwrap())
}

fn perturbed(params: PerturbationParams, image: &Volume<f64>, mask: &LabelMap) -> PerturbedRegion {
    let perturbations = params.check().unwrap();
    let last = *perturbations.all().last().unwrap();
    perturbations.perturb(&last, &image.clone().into(), mask, 1).unwrap()
}

fn checksum(mask: &LabelMap) -> u32 {
    let mut sum = Crc::new();
    sum.update(&mask.as_slice().iter().map(|&voxel| voxel as u8).collect::<Vec<u8>>());
    sum.sum()
}

fn voxels(mask: &LabelMap) -> usize {
    mask.as_slice().iter().filter(|&&voxel| voxel == 1).count()
}

/// One shift for each axis: the parameters shift all axes by all fractions, of which one combination is looked for.
fn moved(case: &Move) -> PerturbedRegion {
    let (image, mask) = made(case.spacing, case.oblique);
    let interpolator = match case.order {
        0 => Interpolator::Nearest,
        1 => Interpolator::Linear,
        _ => Interpolator::BSpline,
    };
    let mut shifts = case.translation.to_vec();
    shifts.sort_by(f64::total_cmp);
    shifts.dedup();
    let perturbations = PerturbationParams::default()
        .with_rotations(vec![case.rotation])
        .with_translations(shifts)
        .with_spacing(case.new_spacing)
        .with_interpolator(interpolator)
        .check()
        .unwrap();
    let wanted = perturbations.all().into_iter().find(|found| found.translation == case.translation).unwrap();
    perturbations.perturb(&wanted, &image.into(), &mask, 1).unwrap()
}

#[test]
fn turned_and_shifted_images_are_those_of_mirp() {
    for case in golden().moves {
        let what = format!(
            "spacing {:?} to {:?}, oblique {}, shift {:?}, turn {}, order {}",
            case.spacing, case.new_spacing, case.oblique, case.translation, case.rotation, case.order
        );
        let PerturbedRegion { image, mask, .. } = moved(&case);
        let geometry = image.geometry();
        assert_eq!(geometry.size(), case.size, "{what}");
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(close(&geometry.origin(), &case.origin), "{what}: {:?}", geometry.origin());
        assert!(close(geometry.direction().as_flattened(), case.direction.as_flattened()), "{what}");
        let values: Volume<f64> = image.cast();
        let mean = values.as_slice().iter().sum::<f64>() / values.as_slice().len() as f64;
        assert!((mean - case.mean).abs() < 1e-7, "{what}: mean {mean} instead of {}", case.mean);
        for (got, expected) in values.as_slice().iter().step_by(EVERY).zip(&case.values) {
            assert!((got - expected).abs() < 1e-6, "{what}: {got} instead of {expected}");
        }
        assert_eq!((voxels(&mask), checksum(&mask)), (case.voxels, case.mask), "{what}: the region");
    }
}

#[test]
fn regions_of_other_sizes_are_those_of_mirp() {
    for case in golden().sizes {
        let (image, mask) = made(case.spacing, false);
        let change = match case.kind.as_str() {
            "distance" => SizeChange::Distance(case.size),
            _ => SizeChange::Fraction(case.size),
        };
        let params = PerturbationParams::default().with_size_changes(vec![change]).with_smallest_share(case.share);
        let resized = perturbed(params, &image, &mask);
        let what = format!("spacing {:?}, {} {}, share {}", case.spacing, case.kind, case.size, case.share);
        assert_eq!(voxels(&resized.mask), case.voxels, "{what}");
        if let Some(expected) = case.mask {
            assert_eq!(checksum(&resized.mask), expected, "{what}");
        }
        let is_even = case.spacing.iter().all(|&side| side == case.spacing[0]);
        assert!(is_even || !resized.warnings.is_empty(), "{what}: no warning");
    }
}

#[test]
fn the_noise_level_is_that_of_mirp() {
    let (image, _) = made([1.0; 3], false);
    let (level, expected) = (noise_level(&image).unwrap(), golden().noise);
    assert!((level - expected).abs() < 1e-9 * expected, "{level} instead of {expected}");
}

#[test]
fn noise_has_its_level_and_its_draws_differ() {
    let (image, mask) = made([1.0; 3], false);
    let params = |noises| PerturbationParams::default().with_noises(noises).with_noise_level(5.0).with_seed(11);
    let noise = |noises| {
        let noisy: Volume<f64> = perturbed(params(noises), &image, &mask).image.cast();
        noisy.as_slice().iter().zip(image.as_slice()).map(|(noisy, clean)| noisy - clean).collect::<Vec<f64>>()
    };
    let (first, second) = (noise(1), noise(2));
    let n = first.len() as f64;
    let mean = first.iter().sum::<f64>() / n;
    let deviation = (first.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
    assert!(mean.abs() < 4.0 * 5.0 / n.sqrt(), "{mean}");
    assert!((deviation - 5.0).abs() < 4.0 * 5.0 / (2.0 * n).sqrt(), "{deviation}");
    let product = first.iter().zip(&second).map(|(a, b)| a * b).sum::<f64>() / n;
    assert!(product.abs() < 4.0 * 25.0 / n.sqrt(), "{product}");
}

#[test]
fn features_of_all_perturbations_are_the_same_at_any_number_of_threads() {
    let (image, mask) = made([1.0; 3], false);
    let image = Image::from(image);
    let perturbations = PerturbationParams::default()
        .with_rotations(vec![0.0, 5.0])
        .with_translations(vec![0.0, 0.5])
        .with_size_changes(vec![SizeChange::None, SizeChange::Fraction(0.15)])
        .with_contours(2)
        .check()
        .unwrap();
    let parameters = Parameters::from_yaml("featureClass: {firstorder: [Mean, Entropy], shape: [MeshVolume]}").unwrap();
    let extractor = Extractor::new(parameters);
    let bits = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let all = pool.install(|| perturbations.extract(&extractor, &image, &mask, 1)).unwrap();
        assert_eq!(all.len(), perturbations.all().len());
        let order: Vec<_> = all.iter().map(|one| one.perturbation).collect();
        assert_eq!(order, perturbations.all());
        let values = all.into_iter().flat_map(|one| one.extraction.unwrap().features);
        values.map(|feature| feature.value.to_bits()).collect::<Vec<u64>>()
    };
    assert_eq!(bits(1), bits(3));
}

#[test]
fn a_region_that_cannot_change_says_so() {
    let (image, mask) = made([2.0; 3], false);
    let warnings =
        |change| perturbed(PerturbationParams::default().with_size_changes(vec![change]), &image, &mask).warnings;
    assert!(warnings(SizeChange::Distance(1.0))[0].to_string().contains("too small"));
    assert!(warnings(SizeChange::Distance(-4.0))[0].to_string().contains("lose more"));
    assert!(warnings(SizeChange::Fraction(1e6))[0].to_string().contains("fills the image"));
    assert_eq!(warnings(SizeChange::Fraction(0.5)), []);
}
