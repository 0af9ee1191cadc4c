//! Standardised intensities against intensity-normalization and SimpleITK, whose values `golden/standardisation.py` prints.

// A golden file that is damaged must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use alnm_imaging::region::Roi;
use alnm_imaging::standardisation::{
    HistogramMatchingParams, IntensityStandard, NyulParams, SiteScale, StripeMode, WhiteStripeParams,
};
use alnm_imaging::{Geometry, Image, ImagingError, LabelMap, Volume};
use ndarray::Array3;

const GOLDEN: &str = include_str!("golden/standardisation.txt");

fn golden(name: &str) -> Vec<f64> {
    let line = GOLDEN.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" | ")).unwrap();
    line.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

fn grid() -> Geometry {
    Geometry::axis_aligned([13, 11, 7], [0.8, 0.8, 2.0]).unwrap()
}

/// An image of two tissues with texture, and air in a corner.
fn image(number: usize) -> Image {
    let voxel = |(z, y, x): (usize, usize, usize)| {
        if x < 3 && y < 4 {
            return -3.0;
        }
        let texture = ((x * 31 + y * 17 + z * 43 + number * 5) % 97) as f64;
        let tissue = if (x + y) % 4 < 2 { 300.0 } else { 700.0 } * (1.0 + 0.25 * number as f64);
        tissue + texture * (1.5 + 0.5 * number as f64) + 0.125 * ((x * y * (z + 1)) % 7) as f64
    };
    Image::F64(Volume::new(Array3::from_shape_fn(grid().shape(), voxel), grid()).unwrap())
}

fn mask() -> LabelMap {
    let inside = |(z, y, x): (usize, usize, usize)| u32::from((x + y + z) % 3 > 0);
    Volume::new(Array3::from_shape_fn(grid().shape(), inside), grid()).unwrap()
}

/// Every 29th voxel against the golden ones.
fn assert_applied(name: &str, volume: &Volume<f32>, tolerance: f64) {
    let expected = golden(name);
    let found: Vec<f64> = volume.as_slice().iter().step_by(29).map(|&voxel| f64::from(voxel)).collect();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert!(
            (found - expected).abs() <= tolerance * expected.abs().max(1.0),
            "{name}: {found}, expected {expected}"
        );
    }
}

#[test]
fn landmarks_are_those_of_intensity_normalization() {
    let nyul = NyulParams::default().check().unwrap();
    let mask = mask();
    for (name, region) in [("nyul", None), ("nyul region", Some(Roi::new(&mask, 1).unwrap()))] {
        let landmarks: Vec<Vec<f64>> = (0..3).map(|number| nyul.landmarks(&image(number), region).unwrap()).collect();
        let scale = nyul.learn(&landmarks).unwrap();
        for (found, expected) in scale.scale().iter().zip(golden(&format!("{name} scale"))) {
            assert!((found - expected).abs() <= 1e-12 * expected, "{name}: {found}, expected {expected}");
        }
        assert_applied(&format!("{name} applied"), &scale.apply(&image(3), region).unwrap(), 1e-6);
    }
}

#[test]
fn stripes_are_those_of_intensity_normalization() {
    let image = image(1);
    for (name, mode) in [("last", StripeMode::Last), ("largest", StripeMode::Largest), ("first", StripeMode::First)] {
        let stripe = WhiteStripeParams::default().with_mode(mode).check().unwrap();
        let found = stripe.find(&image, None).unwrap();
        let expected = golden(&format!("stripe {name}"));
        assert!((found.mean - expected[0]).abs() < 1e-9 * expected[0], "{name}: {found:?}");
        assert!((found.standard_deviation - expected[1]).abs() < 1e-9 * expected[1], "{name}: {found:?}");
        assert_eq!(found.voxels as f64, expected[2], "{name}");
        assert_applied(&format!("stripe {name} applied"), &stripe.apply(&image, None).unwrap(), 1e-6);
    }
}

#[test]
fn matched_histograms_are_those_of_simpleitk() {
    for (levels, points, at_mean) in [(256, 7, true), (64, 1, true), (128, 10, false)] {
        let params = HistogramMatchingParams::default().with_levels(levels).with_match_points(points);
        let matching = params.with_threshold_at_mean(at_mean).check().unwrap();
        let matched = matching.reference(&image(3)).unwrap().apply(&image(0)).unwrap();
        assert_applied(&format!("matched {levels} {points} {}", u8::from(at_mean)), &matched, 2e-6);
        let learned = matching.learn(&[matching.reference(&image(3)).unwrap()]).unwrap();
        assert_eq!(learned.apply(&image(0)).unwrap(), matched);
    }
}

/// A scale of each method.
fn standards() -> [IntensityStandard; 4] {
    let nyul = NyulParams::default().check().unwrap();
    let matching = HistogramMatchingParams::default().check().unwrap();
    [
        IntensityStandard::Nyul(nyul.learn(&[nyul.landmarks(&image(2), None).unwrap()]).unwrap()),
        IntensityStandard::HistogramMatching(matching.reference(&image(2)).unwrap()),
        IntensityStandard::WhiteStripe(WhiteStripeParams::default().check().unwrap()),
        IntensityStandard::Site(SiteScale::of_image(&image(2), None).unwrap()),
    ]
}

#[test]
fn scales_are_read_as_they_are_saved_and_damaged_ones_are_refused() {
    for standard in standards() {
        let text = serde_json::to_string(&standard).unwrap();
        assert_eq!(serde_json::from_str::<IntensityStandard>(&text).unwrap(), standard, "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut more = value.clone();
        more["unknown"] = 1.into();
        assert!(serde_json::from_value::<IntensityStandard>(more).is_err(), "{text}");
        for (field, bad) in [
            ("scale", serde_json::json!([2.0, 1.0])),
            ("percentiles", serde_json::json!([50.0])),
            ("points", serde_json::json!([1.0])),
            ("minimum", serde_json::json!(1e300)),
            ("standard_deviation", serde_json::json!(0.0)),
            ("width", serde_json::json!(-1.0)),
        ] {
            let mut damaged = value.clone();
            if damaged.get(field).is_some() {
                damaged[field] = bad;
                assert!(serde_json::from_value::<IntensityStandard>(damaged).is_err(), "{field} of {text}");
            }
        }
    }
}

#[test]
fn voxels_that_are_not_finite_decide_nothing_and_stay() {
    let mut volume = image(0).cast::<f32>();
    let clean = Image::F32(volume.clone());
    volume.as_mut_slice()[0] = f32::NAN;
    volume.as_mut_slice()[1] = f32::INFINITY;
    let holed = Image::F32(volume);
    for standard in standards() {
        let (expected, found) = (standard.apply(&clean, None).unwrap(), standard.apply(&holed, None).unwrap());
        assert!(found.as_slice()[0].is_nan() && found.as_slice()[1] == f32::INFINITY);
        // The two voxels are air, which no method but histogram matching looks at: its threshold is the mean.
        if !matches!(standard, IntensityStandard::HistogramMatching(_)) {
            assert_eq!(found.as_slice()[2..], expected.as_slice()[2..]);
        }
    }
}

#[test]
fn images_without_a_scale_are_refused() {
    let flat = Image::F32(Volume::filled(grid(), 5.0));
    let dark = Image::F32(Volume::filled(grid(), -5.0));
    for standard in standards() {
        for image in [&flat, &dark] {
            assert!(matches!(standard.apply(image, None), Err(ImagingError::InvalidParameter { .. })), "{standard:?}");
        }
    }
    assert!(NyulParams::default().with_percentiles([50.0]).check().is_err());
    assert!(HistogramMatchingParams::default().with_levels(1).check().is_err());
    assert!(SiteScale::learn(&[]).is_err());
}
