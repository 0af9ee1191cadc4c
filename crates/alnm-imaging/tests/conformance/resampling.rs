//! Resampling on PyRadiomics' grid: grid, float images, images of their own type, masks.

use alnm_imaging::resample::{Interpolator, ResampledRoi, RoiResamplingParams, resample_image, resample_roi, roi_grid};
use alnm_imaging::{Geometry, Image, Volume, Voxel};

use crate::pack::{Case, ImagingPack, section};

fn params(case: &Case) -> RoiResamplingParams {
    let interpolator: Interpolator = serde_json::from_value(case.params["interpolator"].clone()).unwrap();
    let spacing: [f64; 3] = serde_json::from_value(case.params["spacing"].clone()).unwrap();
    let pad_distance = case.params["padDistance"].as_u64().unwrap() as usize;
    RoiResamplingParams::new(spacing).with_interpolator(interpolator).with_pad_distance(pad_distance)
}

fn resampled(pack: &ImagingPack, case: &Case) -> ResampledRoi {
    let mask = pack.mask(case.mask.as_ref().unwrap());
    resample_roi(&pack.image(&case.input), &mask, 1, &params(case)).unwrap()
}

/// Largest difference of two images relative to the largest magnitude of the second.
fn relative_difference(ours: &Volume<f64>, theirs: &Volume<f64>) -> f64 {
    if ours.geometry().size() != theirs.geometry().size() {
        return f64::INFINITY;
    }
    let pairs = || ours.as_slice().iter().zip(theirs.as_slice());
    let largest = pairs().map(|(_, b)| b.abs()).fold(f64::MIN_POSITIVE, f64::max);
    pairs().map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / largest
}

fn largest_geometry_difference(a: &Geometry, b: &Geometry) -> f64 {
    if a.size() != b.size() {
        return f64::INFINITY;
    }
    let flat = |g: &Geometry| [g.spacing().to_vec(), g.origin().to_vec(), g.direction().concat()].concat();
    flat(a).iter().zip(flat(b)).map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f64::max)
}

#[test]
fn grids() {
    let Some(pack) = ImagingPack::open() else { return };
    let mut tally = section("resampling grid");
    for case in pack.cases("resample") {
        let params = params(case);
        let grid = roi_grid(&pack.mask(case.mask.as_ref().unwrap()), 1, params.spacing, params.pad_distance).unwrap();
        let expected = pack.output(case, "image").unwrap();
        tally.case_of_difference(case.to_string(), largest_geometry_difference(&grid, expected.geometry()), 1e-12);
    }
    tally.finish();
}

#[test]
fn images_in_single_precision() {
    let Some(pack) = ImagingPack::open() else { return };
    let mut tally = section("resampling float32");
    for case in pack.cases("resample") {
        let expected = pack.output(case, "image").unwrap();
        let input = f32::into_image(pack.image(&case.input).cast());
        let ours = resample_image(&input, expected.geometry(), params(case).interpolator, 0.0).unwrap();
        tally.case_of_difference(case.to_string(), relative_difference(&ours.cast(), &expected.cast()), 1e-6);
    }
    tally.finish();
}

#[test]
fn images_in_their_own_type() {
    let Some(pack) = ImagingPack::open() else { return };
    let mut tally = section("resampling native type");
    for case in pack.cases("resample") {
        let Some(expected) = pack.output(case, "image_native_type") else { continue };
        let ours = resampled(&pack, case).image;
        let limit = if matches!(expected, Image::F32(_) | Image::F64(_)) { 1e-6 } else { 0.0 };
        assert_eq!(ours.pixel_type(), expected.pixel_type());
        tally.case_of_difference(case.to_string(), relative_difference(&ours.cast(), &expected.cast()), limit);
    }
    tally.finish();
}

#[test]
fn masks() {
    let Some(pack) = ImagingPack::open() else { return };
    let mut tally = section("resampling masks");
    for case in pack.cases("resample") {
        let Some(expected) = pack.output(case, "mask") else { continue };
        tally.case_of_difference(
            case.to_string(),
            relative_difference(&resampled(&pack, case).mask.cast(), &expected.cast()),
            0.0,
        );
    }
    tally.finish();
}
