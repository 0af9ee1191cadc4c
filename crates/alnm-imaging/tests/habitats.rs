//! Habitats against scikit-learn, whose clusters `golden/habitats.py` prints, and their bits at any number of threads.

// A golden file that is damaged must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use alnm_imaging::habitat::{
    ClusterCount, ClusterMethod, CountCriterion, HabitatMixture, HabitatModel, HabitatParams, KMeans,
};
use alnm_imaging::region::Roi;
use alnm_imaging::{Geometry, Volume};
use ndarray::{Array2, s};

const GOLDEN: &str = include_str!("golden/habitats.txt");

fn golden(name: &str) -> Vec<f64> {
    let line = GOLDEN.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" | ")).unwrap();
    line.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

fn assert_close<'a>(name: &str, found: impl IntoIterator<Item = &'a f64>, tolerance: f64) {
    let expected = golden(name);
    let found: Vec<f64> = found.into_iter().copied().collect();
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(&expected) {
        assert!(
            (found - expected).abs() <= tolerance * expected.abs().max(1.0),
            "{name}: {found}, expected {expected}"
        );
    }
}

/// 600 points of three features in three clouds, by a linear congruential generator.
fn points() -> Array2<f64> {
    let mut state = 20_261_129_u64;
    let mut uniform = || {
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        state as f64 / (1_u64 << 31) as f64
    };
    let mut points = Array2::zeros((600, 3));
    for i in 0..600 {
        for j in 0..3 {
            let spread = 1.0 + 0.5 * (i % 3) as f64;
            points[[i, j]] = 3.0 * ((i % 3) * (j + 1) % 4) as f64 + spread * (uniform() + uniform() + uniform() - 1.5);
        }
    }
    points
}

#[test]
fn clusters_are_those_of_scikit_learn_from_the_same_start() {
    let points = points();
    for clusters in [3, 5] {
        let start = points.slice(s![..clusters, ..]).to_owned();
        let found = KMeans::from_centres(points.view(), start, 300).unwrap();
        assert!(found.converged);
        assert_close(&format!("centres {clusters}"), &found.centres, 1e-12);
        assert_close(&format!("inertia {clusters}"), [&found.inertia], 1e-12);
        let labels: Vec<f64> = found.labels.iter().map(|&label| label as f64).collect();
        assert_eq!(labels, golden(&format!("labels {clusters}")));
        let mixture = HabitatMixture::from_clusters(points.view(), &found, 300).unwrap();
        assert_eq!(mixture.iterations as f64, golden(&format!("iterations {clusters}"))[0]);
        assert_close(&format!("weights {clusters}"), &mixture.weights, 1e-8);
        assert_close(&format!("means {clusters}"), &mixture.means, 1e-8);
        assert_close(&format!("covariances {clusters}"), mixture.covariances.iter().flatten(), 1e-8);
        assert_close(&format!("likelihood {clusters}"), [&mixture.log_likelihood], 1e-8);
        assert_close(&format!("bic {clusters}"), [&mixture.bic(600)], 1e-8);
        let labels: Vec<f64> = mixture.labels(points.view()).unwrap().iter().map(|&label| label as f64).collect();
        assert_eq!(labels, golden(&format!("mixed {clusters}")));
    }
}

#[test]
fn every_criterion_finds_the_three_clouds() {
    let names = ["a", "b", "c"];
    for (by, method) in [
        (CountCriterion::Gap, ClusterMethod::KMeans),
        (CountCriterion::Silhouette, ClusterMethod::KMeans),
        (CountCriterion::Silhouette, ClusterMethod::GaussianMixture),
        (CountCriterion::Bic, ClusterMethod::GaussianMixture),
    ] {
        let count = ClusterCount::Best { fewest: 2, most: 4, by };
        let learner = HabitatParams::default().with_count(count).with_method(method).check().unwrap();
        let model = learner.learn(&names, &[points()]).unwrap();
        assert_eq!(model.habitat_count(), 3, "{by:?} {method:?}: {:?}", model.scores());
        if by == CountCriterion::Silhouette && method == ClusterMethod::KMeans {
            // Of four clusters there are minima that nearly equal each other.
            for (score, clusters) in model.scores().iter().zip([2, 3]) {
                assert_close(&format!("silhouette {clusters}"), [&score.score], 1e-9);
            }
        }
    }
}

#[test]
fn labels_rise_with_the_feature_that_orders_and_training_alone_decides() {
    let all = points();
    let (training, others) = (all.slice(s![..400, ..]).to_owned(), all.slice(s![400.., ..]).to_owned());
    for (order_by, method) in [(0, ClusterMethod::KMeans), (2, ClusterMethod::GaussianMixture)] {
        let learner = HabitatParams::default().with_order_by(order_by).with_method(method).check().unwrap();
        let model = learner.learn(&["a", "b", "c"], std::slice::from_ref(&training)).unwrap();
        let centres = model.centres();
        let ordered: Vec<f64> = centres.column(order_by).to_vec();
        assert!(ordered.windows(2).all(|pair| pair[0] < pair[1]), "{ordered:?}");
        // Each voxel's label does not depend on which others are labelled with it.
        let together = model.labels(others.view()).unwrap();
        let apart: Vec<u32> =
            others.rows().into_iter().map(|row| model.labels(row.insert_axis(ndarray::Axis(0))).unwrap()[0]).collect();
        assert_eq!(together, apart);
    }
}

#[test]
fn models_have_the_same_bits_at_any_number_of_threads() {
    let many = Array2::from_shape_fn((12_000, 3), |(i, j)| points()[[i % 600, j]] + (i / 600) as f64 * 1e-3);
    let learn = || {
        let count = ClusterCount::Best { fewest: 2, most: 3, by: CountCriterion::Silhouette };
        let params =
            HabitatParams::default().with_count(count).with_starts(2).with_method(ClusterMethod::GaussianMixture);
        serde_json::to_string(&params.check().unwrap().learn(&["a", "b", "c"], std::slice::from_ref(&many)).unwrap())
            .unwrap()
    };
    let with = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(learn);
    let one = with(1);
    assert!([2, 8].into_iter().all(|threads| with(threads) == one));
}

#[test]
fn maps_of_a_region_get_habitats_and_holes_get_none() {
    let grid = Geometry::axis_aligned([20, 10, 3], [1.0; 3]).unwrap();
    let points = points();
    let map = |feature: usize| {
        let mut volume = Volume::filled(grid.clone(), 0.0_f32);
        volume.as_mut_slice().iter_mut().zip(points.column(feature)).for_each(|(voxel, &value)| *voxel = value as f32);
        volume
    };
    let (first, mut second) = (map(0), map(1));
    second.as_mut_slice()[7] = f32::NAN;
    let mut mask = Volume::filled(grid, 0_u32);
    mask.as_mut_slice()[..300].fill(4);
    let region = Roi::new(&mask, 4).unwrap();
    let maps = [&first, &second];
    let features = alnm_imaging::habitat::voxel_features(&maps, region).unwrap();
    let model = HabitatParams::default().check().unwrap().learn(&["first", "second"], &[features]).unwrap();
    assert_eq!((model.learned_voxels(), model.left_out_voxels()), (299, 1));
    let habitats = model.map(&maps, region).unwrap();
    assert_eq!(habitats.as_slice()[7], 0);
    assert!(
        habitats.as_slice()[..300].iter().enumerate().all(|(place, &label)| place == 7 || (1..=3).contains(&label))
    );
    assert!(habitats.as_slice()[300..].iter().all(|&label| label == 0));
}

#[test]
fn what_has_no_habitats_is_refused() {
    let learner = HabitatParams::default().check().unwrap();
    let refused = |patients: &[Array2<f64>]| learner.learn(&["a", "b"], patients).is_err();
    assert!(refused(&[]));
    assert!(refused(&[Array2::zeros((5, 2))]), "features without a spread");
    assert!(refused(&[ndarray::array![[1.0, 2.0]]]), "one voxel");
    assert!(refused(&[Array2::from_elem((5, 2), f64::NAN)]));
    assert!(refused(&[points()]), "three columns for two features");
    assert!(learner.learn(&["a", "a", "b"], &[points()]).is_err());
    assert!(HabitatParams::default().with_order_by(3).check().unwrap().learn(&["a", "b", "c"], &[points()]).is_err());
    let by = |by, method| {
        HabitatParams::default().with_count(ClusterCount::Best { fewest: 2, most: 4, by }).with_method(method).check()
    };
    assert!(by(CountCriterion::Bic, ClusterMethod::KMeans).is_err());
    assert!(by(CountCriterion::Gap, ClusterMethod::GaussianMixture).is_err());
    assert!(HabitatParams::default().with_count(ClusterCount::Fixed(0)).check().is_err());
    // A cluster of one point, and more clusters than different points.
    let few = ndarray::array![[1.0, 0.0], [1.0, 0.0], [2.0, 1.0], [2.0, 1.0]];
    let model = learner.learn(&["a", "b"], std::slice::from_ref(&few)).unwrap();
    assert_eq!(model.labels(few.view()).unwrap().len(), 4);
}

#[test]
fn saved_models_are_checked() {
    let params = HabitatParams::default().with_method(ClusterMethod::GaussianMixture);
    let model = params.check().unwrap().learn(&["a", "b", "c"], &[points()]).unwrap();
    let text = serde_json::to_string(&model).unwrap();
    let read: HabitatModel = serde_json::from_str(&text).unwrap();
    assert_eq!(read, model);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (path, bad) in [
        ("/features", serde_json::json!(["a", "a", "b"])),
        ("/features", serde_json::json!(["a", "b"])),
        ("/means", serde_json::json!([0.0])),
        ("/standard_deviations/1", serde_json::json!(0.0)),
        ("/centres", serde_json::json!([])),
        ("/centres/0", serde_json::json!([1.0])),
        ("/mixture/weights", serde_json::json!([1.0])),
        ("/mixture/weights/0", serde_json::json!(-1.0)),
        ("/mixture/covariances/0/0/0", serde_json::json!(-1.0)),
        ("/mixture/covariances/0", serde_json::json!([[1.0]])),
    ] {
        let mut damaged = value.clone();
        *damaged.pointer_mut(path).unwrap() = bad;
        assert!(serde_json::from_value::<HabitatModel>(damaged).is_err(), "{path}");
    }
}
