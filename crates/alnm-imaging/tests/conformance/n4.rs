//! N4: the log bias field after fixed numbers of iterations, and with the default stopping rule; Otsu's mask.

use alnm_conformance::tally::Deviation;
use alnm_imaging::n4::{ControlGrid, N4Params, N4Result};
use alnm_imaging::otsu::otsu_mask;
use alnm_imaging::{LabelMap, Volume, with_volume};

use crate::pack::{Case, ImagingPack, section};

/// Bins that the tutorials, and the pack, give Otsu's method.
const OTSU_BINS: usize = 200;

fn params(case: &Case) -> N4Params {
    let params = &case.params;
    let number = |name: &str| params[name].as_f64().unwrap();
    let iterations: Vec<usize> = serde_json::from_value(params["iters"].clone()).unwrap();
    N4Params::default()
        .with_iterations(iterations)
        .with_convergence_threshold(number("thr"))
        .with_control_grid(ControlGrid::Points(serde_json::from_value(params["cp"].clone()).unwrap()))
        .with_spline_order(number("order") as usize)
        .with_bias_fwhm(number("fwhm"))
        .with_wiener_noise(number("wiener"))
        .with_histogram_bins(number("bins") as usize)
        .with_mask_label(params["use_label"].as_bool().unwrap().then(|| number("label") as u32))
        .with_shrink(number("shrink") as usize)
}

/// Cases that differ by more than the pack's tolerances, with what they may differ by.
///
/// SimpleITK is at least as far from itself as we are from it when only rounding changes, by another number of threads
/// or by a constant factor on the image, which leaves the field the same: the worst is 5.2e-3 for breast1 default_mask,
/// 6.6e-3 for breast1 shrink2, 9.3e-5 for synthA shrink2 and 6.0e-4 for brain1a default_mask (normalised RMS 1.8e-3,
/// 7.3e-3, 5.9e-5 and 2.5e-5). docs/validation.md has the command.
const KNOWN: [Known; 4] = [
    Known { case: "breast1 default_mask", max: 1e-3, normalised_rms: 3e-4 },
    Known { case: "breast1 shrink2", max: 1e-3, normalised_rms: 1e-3 },
    Known { case: "synthA shrink2", max: 2e-4, normalised_rms: 1e-4 },
    Known { case: "brain1a default_mask", max: 5e-4, normalised_rms: 5e-5 },
];

struct Known {
    case: &'static str,
    max: f64,
    normalised_rms: f64,
}

const REASON: &str = "ITK 5.4 drops the highest voxel from the histogram when rounding puts it beyond the last bin, \
                      which the last bit of two logarithms decides; on an image with few voxels at the top one such \
                      voxel moves the field by some 1e-4 or more";

const FIELD_DEVIATIONS: &[Deviation] =
    &[Deviation { reason: REASON, explains: |d| KNOWN.iter().any(|known| known.case == d.case && d.got <= known.max) }];

const RMS_DEVIATIONS: &[Deviation] = &[Deviation {
    reason: REASON,
    explains: |d| KNOWN.iter().any(|known| known.case == d.case && d.got <= known.normalised_rms),
}];

/// Voxels that decided the fit; the field outside the mask is extrapolated.
fn is_included(mask: Option<&LabelMap>, label: Option<u32>, position: usize) -> bool {
    match (mask, label) {
        (None, _) => true,
        (Some(mask), Some(label)) => mask.as_slice()[position] == label,
        (Some(mask), None) => mask.as_slice()[position] != 0,
    }
}

struct Comparison {
    result: N4Result,
    /// Largest difference of the log bias field at any voxel.
    max: f64,
    /// Root mean square difference inside the mask, relative to the range of the expected field there.
    normalised_rms: f64,
}

fn compare(pack: &ImagingPack, case: &Case) -> Comparison {
    let mask = case.mask.as_ref().map(|mask| pack.mask(mask));
    let params = params(case);
    let label = params.mask_label;
    let n4 = params.check().unwrap();
    let image = pack.image(&case.input);
    let result = with_volume!(&image, volume => n4.correct(volume, mask.as_ref())).unwrap();
    let expected: Volume<f64> = pack.output(case, "log_bias").unwrap().cast();
    assert_eq!(result.log_bias_field().geometry().size(), expected.geometry().size(), "{case}");
    let pairs: Vec<(f64, f64)> = result
        .log_bias_field()
        .as_slice()
        .iter()
        .map(|&ours| f64::from(ours))
        .zip(expected.as_slice().iter().copied())
        .collect();
    let max = pairs.iter().map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let inside: Vec<_> =
        pairs.iter().enumerate().filter(|(i, _)| is_included(mask.as_ref(), label, *i)).map(|(_, pair)| pair).collect();
    let mean_square = inside.iter().map(|(a, b)| (a - b).powi(2)).sum::<f64>() / inside.len() as f64;
    let low = inside.iter().map(|(_, b)| *b).fold(f64::INFINITY, f64::min);
    let high = inside.iter().map(|(_, b)| *b).fold(f64::NEG_INFINITY, f64::max);
    Comparison { result, max, normalised_rms: mean_square.sqrt() / (high - low) }
}

fn has_fixed_iterations(case: &Case) -> bool {
    case.params["thr"].as_f64() == Some(0.0)
}

#[test]
fn fixed_iterations() {
    let Some(pack) = ImagingPack::open() else { return };
    let mut tally = section("N4 fixed iterations, log bias field");
    for case in pack.cases("n4").filter(|case| has_fixed_iterations(case)) {
        tally.case_of_difference(case.to_string(), compare(&pack, case).max, 2e-5);
    }
    tally.finish();
}

#[test]
fn default_stopping() {
    let Some(pack) = ImagingPack::open() else { return };
    let mut field = section("N4 default stopping, log bias field").deviations(FIELD_DEVIATIONS);
    let mut rms = section("N4 default stopping, in-mask normalised RMS").deviations(RMS_DEVIATIONS);
    let (mut cases, mut equal_counts) = (0, 0);
    for case in pack.cases("n4").filter(|case| !has_fixed_iterations(case)) {
        let found = compare(&pack, case);
        let (ours, theirs) = (found.result.iterations(), case.iterations.unwrap());
        cases += 1;
        let name = case.to_string();
        let known = KNOWN.iter().any(|known| known.case == name);
        if ours == theirs {
            equal_counts += 1;
            let own_spread = case.spread_vs_2_threads.as_ref().map_or(0.0, |spread| spread.log_bias_max_abs_diff);
            let allowed = if known { 1e-4 } else { (3.0 * own_spread).max(1e-4) };
            field.case_of_difference(&name, found.max, allowed);
            rms.case_of_difference(&name, found.normalised_rms, 5e-5);
        } else {
            assert!(ours.abs_diff(theirs) <= 1 && !known, "{name}: {ours} iterations, ITK {theirs}");
            field.case_of_difference(&name, found.max, 1e-2);
        }
    }
    println!("N4 default stopping, iterations: {cases} cases, {equal_counts} with ITK's number");
    assert!(10 * equal_counts >= 9 * cases, "{equal_counts} of {cases} cases have ITK's number of iterations");
    field.finish();
    rms.finish();
}

#[test]
fn convergence_measure() {
    let Some(pack) = ImagingPack::open() else { return };
    let mut tally = section("N4 convergence measure, relative");
    for case in pack.cases("n4").filter(|case| has_fixed_iterations(case) && !case.trace.is_empty()) {
        let result = compare(&pack, case).result;
        let levels = result.levels();
        for &(level, iteration, expected) in &case.trace {
            let Some(&ours) = levels[level].convergence.get(iteration - 1) else { continue };
            let name = format!("{case}, level {level}, iteration {iteration}");
            tally.case_of_difference(name, (f64::from(ours) - expected).abs() / expected, 1e-2);
        }
    }
    tally.finish();
}

#[test]
fn corrected_images() {
    let Some(pack) = ImagingPack::open() else { return };
    let mut tally = section("N4 corrected image, relative to its maximum");
    for case in pack.cases("n4") {
        let Some(expected) = pack.output(case, "corrected") else { continue };
        let expected: Volume<f64> = expected.cast();
        let ours = compare(&pack, case).result.into_corrected();
        let largest = expected.as_slice().iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        let difference =
            ours.as_slice().iter().zip(expected.as_slice()).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        // A difference of the log field is a relative difference of the image.
        let own_spread = case.spread_vs_2_threads.as_ref().map_or(0.0, |spread| spread.log_bias_max_abs_diff);
        tally.case_of_difference(case.to_string(), difference / largest, (3.0 * own_spread).max(1e-4));
    }
    tally.finish();
}

#[test]
fn otsu() {
    let Some(pack) = ImagingPack::open() else { return };
    let mut tally = section("Otsu mask, differing voxels");
    for case in pack.cases("input") {
        let (Some(image), Some(expected)) = (pack.output(case, "image"), pack.output(case, "otsu_mask")) else {
            continue;
        };
        let ours = with_volume!(&image, volume => otsu_mask(volume, OTSU_BINS)).unwrap();
        let expected: LabelMap = expected.cast();
        let differing = ours.as_slice().iter().zip(expected.as_slice()).filter(|(a, b)| a != b).count();
        tally.case_of_difference(case.to_string(), differing as f64, 0.0);
    }
    tally.finish();
}
