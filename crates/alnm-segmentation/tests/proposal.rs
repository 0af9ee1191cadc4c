//! Fuzzy c-means against scikit-fuzzy 0.5.0 (`golden/fuzzy_c_means.py`), the breasts, the proposal of lesions and the forest.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use alnm_imaging::dce::DynamicSeries;
use alnm_imaging::{Geometry, Image, LabelMap, Volume};
use alnm_segmentation::breast::BreastMaskParams;
use alnm_segmentation::fuzzy_c_means::FuzzyCMeansParams;
use alnm_segmentation::proposal::LesionProposalParams;
use alnm_segmentation::speed::ForestParams;
use ndarray::{Array2, Array3, s};

const CLUSTERS: &str = include_str!("golden/fuzzy_c_means.txt");

#[test]
fn clusters_are_scikit_fuzzys() {
    let points = Array2::from_shape_fn((60, 2), |(point, axis)| match axis {
        0 => (point % 7 + point % 3 * 9) as f64,
        _ => (point * point % 11) as f64 - (point % 2 * 6) as f64,
    });
    for line in CLUSTERS.lines() {
        let (name, numbers) = line.split_once(' ').unwrap();
        let (count, fuzziness) = name.split_once('-').unwrap();
        let count: usize = count.parse().unwrap();
        let expected: Vec<f64> = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
        let params = FuzzyCMeansParams::default().with_fuzziness(fuzziness.parse().unwrap());
        let clustering = params.with_tolerance(1e-13).with_iterations(5000).check().unwrap();
        let found = clustering.fit(points.view(), points.slice(s![..count, ..])).unwrap();
        assert!(found.converged, "{name}");
        let found = found.centres.iter().chain(found.memberships.t()).copied().collect::<Vec<f64>>();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-9, "{name}: {found} instead of {expected}");
        }
    }
}

#[test]
fn clusters_that_make_no_sense_are_refused() {
    let points = Array2::<f64>::zeros((3, 2));
    let clustering = FuzzyCMeansParams::default().check().unwrap();
    assert!(clustering.fit(points.view(), Array2::zeros((1, 2)).view()).is_err());
    assert!(clustering.fit(points.view(), Array2::zeros((2, 3)).view()).is_err());
    assert!(clustering.fit(points.map(|_| f64::NAN).view(), Array2::zeros((2, 2)).view()).is_err());
    assert!(clustering.fit(points.slice(s![..0, ..]), Array2::zeros((2, 2)).view()).is_err());
    // Points on both centres belong to both.
    let shared = clustering.fit(points.view(), Array2::zeros((2, 2)).view()).unwrap();
    assert!(shared.memberships.iter().all(|&share| share == 0.5));
    assert!(FuzzyCMeansParams::default().with_fuzziness(1.0).check().is_err());
    assert!(FuzzyCMeansParams::default().with_iterations(0).check().is_err());
}

/// Two breasts in front of a chest; y grows towards the back.
fn grid() -> Geometry {
    Geometry::axis_aligned([64, 48, 12], [3.0, 3.0, 4.0]).unwrap()
}

/// The skin's depth in voxels at an index across: two breasts that reach to 4, the notch at 20.
fn skin(x: usize) -> usize {
    let from_middle = (x as f64 - 15.5).abs().min((x as f64 - 47.5).abs());
    (4.0 + from_middle * from_middle / 15.0) as usize
}

/// A phase in which a ball in the left breast and the heart enhance.
fn phase(lesion: f32, heart: f32) -> Volume<f32> {
    let voxels = Array3::from_shape_fn(grid().shape(), |(z, y, x)| {
        let noise = ((7 * x + 3 * y + 5 * z) % 11) as f32;
        if y < skin(x) {
            return noise;
        }
        200.0 + noise + if is_lesion(z, y, x) { lesion } else { 0.0 } + if is_heart(y, x) { heart } else { 0.0 }
    });
    Volume::new(voxels, grid()).unwrap()
}

fn is_lesion(z: usize, y: usize, x: usize) -> bool {
    let squared = |a: usize, b: f64, spacing: f64| ((a as f64 - b) * spacing).powi(2);
    squared(x, 47.0, 3.0) + squared(y, 12.0, 3.0) + squared(z, 6.0, 4.0) <= 144.0
}

fn is_heart(y: usize, x: usize) -> bool {
    (28..44).contains(&y) && (24..44).contains(&x)
}

fn series(lesion: [f32; 3], heart: [f32; 3]) -> DynamicSeries {
    let images = lesion.into_iter().zip(heart).map(|(lesion, heart)| Image::F32(phase(lesion, heart))).collect();
    DynamicSeries::new(images, vec![0.0, 90.0, 400.0]).unwrap()
}

fn dice(mask: &LabelMap, label: u32, is_inside: impl Fn(usize, usize, usize) -> bool) -> f64 {
    let (mut both, mut sum) = (0, 0);
    for ((z, y, x), &voxel) in mask.data().indexed_iter() {
        let (found, truth) = (voxel == label, is_inside(z, y, x));
        both += usize::from(found && truth);
        sum += usize::from(found) + usize::from(truth);
    }
    2.0 * both as f64 / sum as f64
}

#[test]
fn air_and_chest_are_left_out() {
    let breast = BreastMaskParams::default().check().unwrap().of(&phase(0.0, 0.0)).unwrap();
    // The notch lies at a depth of 20 voxels of 3 mm, and 10 mm more belong to the breasts.
    let begin = breast.chest_begin.unwrap();
    assert!((begin - 70.0).abs() <= 3.0, "{begin}");
    let inside = |_: usize, y: usize, x: usize| y >= skin(x) && (y as f64) * 3.0 < begin;
    assert!(dice(&breast.mask, 1, inside) > 0.98);
    // A grid whose y axis runs to the front gives the same voxels the other way round.
    let mut turned = phase(0.0, 0.0).into_data();
    turned.invert_axis(ndarray::Axis(1));
    let direction = [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]];
    let geometry = Geometry::new(grid().size(), grid().spacing(), [0.0; 3], direction).unwrap();
    let turned = Volume::new(turned.as_standard_layout().to_owned(), geometry).unwrap();
    let mut found = BreastMaskParams::default().check().unwrap().of(&turned).unwrap().mask.into_data();
    found.invert_axis(ndarray::Axis(1));
    assert_eq!(found, *breast.mask.data());
    assert!(BreastMaskParams::default().check().unwrap().of(&phase(0.0, 0.0).map(|_| 0.0)).is_err());
    assert!(BreastMaskParams::default().with_notch(0.0).check().is_err());
}

#[test]
fn a_lesion_is_proposed_and_the_heart_is_not() {
    let propose = LesionProposalParams::default().check().unwrap();
    let found = propose.propose(&series([0.0, 300.0, 220.0], [0.0, 400.0, 300.0])).unwrap();
    let [lesion] = &found.candidates[..] else { panic!("{:?}", found.candidates) };
    assert!(dice(&found.mask, 1, is_lesion) > 0.95);
    assert_eq!((lesion.confidence, found.early_phase, found.further_candidates), (1.0, 1, 0));
    assert!(lesion.delayed_change.unwrap() < -0.1 && (lesion.enhancement - 1.46).abs() < 0.1, "{lesion:?}");
    assert!(lesion.seed.iter().zip([141.0, 36.0, 24.0]).all(|(found, expected)| (found - expected).abs() < 6.0));
    assert!(lesion.depth > 8.0 && lesion.compactness > 0.8, "{lesion:?}");
    let inside = found.mask.as_slice().iter().zip(found.membership.as_slice()).filter(|(label, _)| **label == 1);
    assert!(inside.clone().count() > 0 && inside.into_iter().all(|(_, &share)| share > 0.0));

    // Where the heart counts as breast it enhances most, and the lesion comes second; nothing enhances at all.
    let far = BreastMaskParams::default().with_chest_margin(200.0);
    let both = LesionProposalParams::default().with_breast(far).check().unwrap();
    let both = both.propose(&series([0.0, 300.0, 220.0], [0.0, 400.0, 380.0])).unwrap();
    assert_eq!(both.candidates.len(), 2);
    assert!(dice(&both.mask, 2, is_lesion) > 0.95 && both.candidates[0].confidence > 0.5);
    let total: f64 = both.candidates.iter().map(|candidate| candidate.confidence).sum();
    assert!((total - 1.0).abs() < 1e-12);
    let one = LesionProposalParams::default().with_breast(far).with_candidates(1).check().unwrap();
    let one = one.propose(&series([0.0, 300.0, 220.0], [0.0, 400.0, 380.0])).unwrap();
    assert_eq!((one.candidates.len(), one.further_candidates), (1, 1));
    assert!(propose.propose(&series([0.0; 3], [0.0; 3])).unwrap().candidates.is_empty());
}

#[test]
fn a_series_that_shows_nothing_early_is_refused() {
    let propose = LesionProposalParams::default().check().unwrap();
    let image = || Image::F32(phase(0.0, 0.0));
    let late = DynamicSeries::new(vec![image(), image()], vec![0.0, 500.0]).unwrap();
    assert!(propose.propose(&late).unwrap_err().to_string().contains("the second phase comes at 500 s"));
    let single = DynamicSeries::new(vec![image()], vec![0.0]).unwrap();
    assert!(propose.propose(&single).is_err());
    let unknown = DynamicSeries::new(vec![image(), Image::F32(phase(300.0, 0.0))], vec![f64::NAN; 2]).unwrap();
    let found = propose.propose(&unknown).unwrap();
    assert_eq!((found.early_phase, found.candidates[0].delayed_change), (1, None));
    for params in [
        LesionProposalParams::default().with_enhancement(0.0),
        LesionProposalParams::default().with_membership(1.0),
        LesionProposalParams::default().with_candidates(0),
        LesionProposalParams::default().with_margin(f64::NAN),
        LesionProposalParams::default().with_opening(-1.0),
    ] {
        assert!(params.check().is_err());
    }
}

/// Two textures of the same mean: stripes along x inside, stripes along y outside; scribbles of 1 and 2.
fn textures() -> (Volume<f32>, LabelMap) {
    let geometry = Geometry::axis_aligned([30, 24, 6], [1.0; 3]).unwrap();
    let image = Array3::from_shape_fn(geometry.shape(), |(_, y, x)| {
        let stripe = if x < 15 { x % 2 } else { y % 2 };
        100.0 + 50.0 * stripe as f32
    });
    let scribbles = Array3::from_shape_fn(geometry.shape(), |(z, y, x)| match (z, y, x) {
        (3, 8..14, 4..9) => 1,
        (3, 8..14, 20..25) => 2,
        _ => 0,
    });
    (Volume::new(image, geometry.clone()).unwrap(), Volume::new(scribbles, geometry).unwrap())
}

#[test]
fn a_forest_learns_what_a_box_shows_and_gives_the_same_bits_at_any_number_of_threads() {
    let (image, scribbles) = textures();
    let learn = |params: ForestParams| {
        let forest = params.check().unwrap().learn(&[&image], &scribbles).unwrap();
        assert_eq!(forest.labels(), [1, 2]);
        forest.probability(&[&image], &[1]).unwrap()
    };
    let wrong = |probability: &Volume<f32>| {
        let voxels = probability.data().indexed_iter();
        voxels.filter(|((_, _, x), probability)| (**probability > 0.5) != (*x < 15)).count()
    };
    // One value alone tells nothing, a box of 3 x 3 voxels everything but the border of the textures.
    assert!(wrong(&learn(ForestParams::default())) > 1000);
    let box_of_nine = ForestParams::default().with_radius([1, 1, 0]);
    assert!(wrong(&learn(box_of_nine)) < 400);
    assert_eq!(wrong(&learn(ForestParams::default().with_position(true).with_trees(200))), 0);
    let on_threads = |threads: usize| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| learn(box_of_nine))
    };
    let alone = on_threads(1);
    assert!([2, 8].iter().all(|&threads| on_threads(threads).as_slice() == alone.as_slice()));
    assert_ne!(learn(box_of_nine.with_seed(1)).as_slice(), alone.as_slice());
}

#[test]
fn a_forest_refuses_what_it_cannot_learn_from() {
    let (image, scribbles) = textures();
    let learning = ForestParams::default().check().unwrap();
    assert!(learning.learn(&[], &scribbles).is_err());
    assert!(learning.learn(&[&image], &scribbles.map(|&label| u32::from(label == 1))).is_err());
    assert!(learning.learn(&[&image.map(|_| f32::NAN)], &scribbles).is_err());
    let forest = learning.learn(&[&image], &scribbles).unwrap();
    assert!(forest.speed(&[&image, &image], &[1]).is_err());
    assert!(forest.speed(&[&image], &[]).is_err() && forest.speed(&[&image], &[3]).is_err());
    let other = Volume::filled(Geometry::axis_aligned([3, 3, 3], [1.0; 3]).unwrap(), 0.0);
    assert!(learning.learn(&[&image, &other], &scribbles).is_err());
    for params in [
        ForestParams::default().with_trees(0),
        ForestParams::default().with_depth(0),
        ForestParams::default().with_radius([6, 0, 0]),
    ] {
        assert!(params.check().is_err());
    }
}
