//! Kinetics against pyCERR and scipy, whose figures `golden/kinetics.py` prints, and their bits at any number of threads.

// A golden file that is damaged must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use alnm_imaging::dce::DynamicSeries;
use alnm_imaging::kinetics::tofts::{InputFunction, ParkerParams, SignalModelParams, T1, ToftsModel, ToftsParams};
use alnm_imaging::kinetics::{KineticMap, PeakChoice, RegionCurve, TimeOrigin, VoxelKineticsParams};
use alnm_imaging::region::Roi;
use alnm_imaging::{Geometry, Image, Volume};
use ndarray::Array3;

const GOLDEN: &str = include_str!("golden/kinetics.txt");

fn numbers(text: &str) -> Vec<f64> {
    text.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// The lines of a kind: what follows it, and the lists of numbers.
fn lines(kind: &str) -> Vec<(String, Vec<Vec<f64>>)> {
    let of_line = |line: &str| {
        let (head, rest) = line.strip_prefix(kind)?.split_once('|')?;
        Some((head.trim().to_owned(), rest.split('|').map(numbers).collect()))
    };
    GOLDEN.lines().filter_map(of_line).collect()
}

#[test]
fn figures_are_those_of_pycerr() {
    let curves = lines("curve");
    assert!(curves.len() > 40);
    let mut compared = 0;
    for (baseline, values) in &curves {
        let [times, signals, expected] = values.as_slice() else { panic!("three lists") };
        // pyCERR's times are minutes; slopes are per unit of time and areas in that unit, whatever it is.
        let params = VoxelKineticsParams::default()
            .with_baseline_phases(baseline.parse().unwrap())
            .with_origin(TimeOrigin::FirstUptake)
            .with_peak(PeakChoice::FirstLocal);
        let figures = params.check().unwrap().for_times(times).unwrap().figures(signals);
        let found = [
            figures.peak_enhancement,
            figures.half_peak_enhancement,
            figures.time_to_peak,
            figures.time_to_half_peak,
            figures.mid_washout_time,
            figures.wash_in_slope,
            figures.washout_slope,
            figures.initial_gradient,
            figures.washout_gradient,
            figures.area_to_peak,
            figures.area_to_half_peak,
        ];
        for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
            let agrees =
                (found.is_nan() && expected.is_nan()) || (found - expected).abs() <= 1e-9 * expected.abs().max(1e-3);
            assert!(agrees, "figure {place}: {found}, pyCERR {expected}, of {signals:?}");
            compared += 1;
        }
    }
    println!("{compared} figures of {} curves as pyCERR's", curves.len());
}

#[test]
fn tofts_parameters_are_those_of_an_independent_fit() {
    let curves = lines("tofts");
    assert_eq!(curves.len(), 16);
    let mut worst = 0.0_f64;
    for (model, values) in &curves {
        let [input_times, plasma, times, concentrations, expected] = values.as_slice() else { panic!("five lists") };
        let input = InputFunction::measured(input_times.clone(), plasma.clone()).unwrap();
        let model = if model == "extended" { ToftsModel::Extended } else { ToftsModel::Standard };
        let tofts = ToftsParams::default().with_model(model).check().unwrap();
        let fit = tofts.fitter(&input, times).unwrap().fit(concentrations);
        let found = [fit.transfer_constant, fit.rate_constant, fit.plasma_volume];
        for (found, expected) in found.iter().zip(expected) {
            worst = worst.max((found - expected).abs() / expected.abs().max(0.01));
        }
    }
    println!("Tofts parameters of {} curves as scipy's, worst relative difference {worst:.1e}", curves.len());
    assert!(worst < 1e-4, "{worst}");
}

/// A series of five phases, whose voxels differ, with holes.
fn series() -> DynamicSeries {
    let grid = Geometry::axis_aligned([17, 13, 5], [0.9, 0.9, 2.0]).unwrap();
    let phase = |phase: usize| {
        let voxel = |(z, y, x): (usize, usize, usize)| {
            let share = ((x * 7 + y * 13 + z * 29) % 31) as f32 / 31.0;
            let rise = [0.0, 0.3, 1.0, 1.1 - share, 0.9 - 0.5 * share][phase];
            match (x, y, z) {
                (3, 3, 1) => f32::NAN,
                (4, 3, 1) => 0.0,
                _ => 100.0 + 40.0 * share + 180.0 * share * rise,
            }
        };
        Image::F32(Volume::new(Array3::from_shape_fn(grid.shape(), voxel), grid.clone()).unwrap())
    };
    DynamicSeries::new((0..5).map(phase).collect(), vec![0.0, 61.0, 150.0, 290.0, 455.0]).unwrap()
}

/// A mask with a ball of label 2, two voxels without an enhancement in it.
fn mask(grid: &Geometry) -> Volume<u32> {
    let inside = |(z, y, x): (usize, usize, usize)| {
        let square = |a: usize, b: usize| (a as f64 - b as f64).powi(2);
        u32::from(square(x, 4) + square(y, 4) + 4.0 * square(z, 1) < 12.0) * 2
    };
    Volume::new(Array3::from_shape_fn(grid.shape(), inside), grid.clone()).unwrap()
}

fn bits(volume: &Volume<f32>) -> Vec<u32> {
    volume.as_slice().iter().map(|voxel| voxel.to_bits()).collect()
}

#[test]
fn maps_have_the_same_bits_at_any_number_of_threads() {
    let series = series();
    let mask = mask(series.images()[0].geometry());
    let region = Roi::new(&mask, 2).unwrap();
    let kinetics = VoxelKineticsParams::default().with_enhancement_threshold(0.3).check().unwrap();
    let input = ParkerParams::new(20.0, 455.0).check().unwrap();
    let fitter = ToftsParams::default().check().unwrap().fitter(&input, series.times()).unwrap();
    let signal = SignalModelParams::new(0.005, 12.0).check().unwrap();
    let all = || {
        let maps = kinetics.maps(&series, Some(region), &KineticMap::ALL).unwrap();
        let tofts = fitter.maps(&series, Some(region), &signal, T1::Constant(1.2)).unwrap();
        let mut found: Vec<Vec<u32>> = maps.iter().map(|(_, map)| bits(map)).collect();
        found.extend(tofts.named().map(|(_, map)| bits(map)));
        (found, serde_json::to_string(&kinetics.region(&series, region).unwrap()).unwrap())
    };
    let with_threads = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(all);
    let one = with_threads(1);
    for threads in [2, 8] {
        assert!(with_threads(threads) == one, "{threads} threads");
    }
}

#[test]
fn maps_and_figures_of_a_region_agree_and_count_what_is_undefined() {
    let series = series();
    let mask = mask(series.images()[0].geometry());
    let region = Roi::new(&mask, 2).unwrap();
    let kinetics = VoxelKineticsParams::default().with_enhancement_threshold(0.3).check().unwrap();
    let maps = kinetics.maps(&series, Some(region), &KineticMap::ALL).unwrap();
    let of_region = kinetics.region(&series, region).unwrap();
    assert_eq!((maps.undefined_voxels(), of_region.undefined_voxels), (2, 2));
    assert_eq!(of_region.voxels, region.voxel_count());
    for summary in &of_region.maps {
        let map = maps.map(summary.map).unwrap();
        let values: Vec<f32> = region.values(map).unwrap().into_iter().filter(|value| !value.is_nan()).collect();
        assert_eq!(values.len(), summary.voxels, "{:?}", summary.map);
        let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
        assert!((mean - summary.mean).abs() <= 1e-5 * summary.mean.abs(), "{:?}", summary.map);
    }
    let classes = maps.map(KineticMap::WashoutClass).unwrap();
    let volume = |class: f32| {
        let count = region.values(classes).unwrap().into_iter().filter(|&value| value == class).count();
        count as f64 * region.geometry().voxel_volume()
    };
    let volumes = of_region.washout_volumes;
    assert_eq!([volumes.none, volumes.persistent, volumes.plateau, volumes.washout], [0.0, 1.0, 2.0, 3.0].map(volume));
    assert!(volumes.washout > 0.0 && volumes.none > 0.0);
    let outside =
        maps.map(KineticMap::PeakEnhancement).unwrap().as_slice().iter().filter(|value| value.is_nan()).count();
    assert_eq!(outside, mask.as_slice().len() - region.voxel_count() + 2);
    let whole = kinetics.maps(&series, None, &[KineticMap::PeakEnhancement]).unwrap();
    assert_eq!(whole.undefined_voxels(), 2);
    let curve = RegionCurve::of(&series, region).unwrap();
    assert_eq!(curve.points()[4].voxels, region.voxel_count() - 1, "one voxel is not finite");
}

#[test]
fn a_region_of_one_voxel_has_figures_and_no_interval() {
    let series = series();
    let mut mask = Volume::filled(series.images()[0].geometry().clone(), 0_u32);
    mask.as_mut_slice()[500] = 1;
    let region = Roi::new(&mask, 1).unwrap();
    let found = VoxelKineticsParams::default().check().unwrap().region(&series, region).unwrap();
    let peak = found.map(KineticMap::PeakEnhancement).unwrap();
    assert_eq!((peak.voxels, peak.mean, peak.standard_deviation), (1, peak.median, 0.0));
    let point = RegionCurve::of(&series, region).unwrap().points()[0];
    assert!(point.mean.is_finite() && point.standard_deviation.is_nan() && point.low.is_nan());
}

#[test]
fn phases_on_different_grids_and_masks_elsewhere_are_refused() {
    let series = series();
    let elsewhere = Geometry::axis_aligned([17, 13, 5], [0.9, 0.9, 2.1]).unwrap();
    let mask = Volume::filled(elsewhere.clone(), 1_u32);
    let kinetics = VoxelKineticsParams::default().check().unwrap();
    assert!(kinetics.maps(&series, Some(Roi::new(&mask, 1).unwrap()), &KineticMap::ALL).is_err());
    let (mut images, times) = series.into_parts();
    images[1] = Image::F32(Volume::filled(elsewhere, 1.0));
    assert!(DynamicSeries::new(images, times).is_err());
}

/// The digital reference objects of OSIPI's collection (DCE-DSC-MRI_CodeCollection), read from its folder
/// `test/DCEmodels/data` where `ALNM_OSIPI` names one; their tolerances are the collection's.
#[test]
fn osipi_reference_objects_agree() {
    let Ok(folder) = std::env::var("ALNM_OSIPI") else {
        println!("skipped: ALNM_OSIPI names no folder");
        return;
    };
    for (file, model) in
        [("dce_DRO_data_extended_tofts.csv", ToftsModel::Extended), ("dce_DRO_data_tofts.csv", ToftsModel::Standard)]
    {
        let text = std::fs::read_to_string(std::path::Path::new(&folder).join(file)).unwrap();
        let mut rows = text.lines();
        let names: Vec<&str> = rows.next().unwrap().split(',').collect();
        let (mut cases, mut worst) = (0, [0.0_f64; 3]);
        for row in rows {
            let cells: Vec<&str> = row.split(',').collect();
            let cell = |name: &str| cells[names.iter().position(|&other| other == name).unwrap()];
            let (label, number) = (cell("label"), |name: &str| cell(name).trim().parse::<f64>().unwrap());
            let input = InputFunction::measured(numbers(cell("ta")), numbers(cell("ca"))).unwrap();
            let tofts = ToftsParams::default().with_model(model).check().unwrap();
            let fit = tofts.fitter(&input, &numbers(cell("t"))).unwrap().fit(&numbers(cell("C")));
            let transfer = (fit.transfer_constant - number("Ktrans")).abs();
            let space = (fit.extracellular_volume - number("ve")).abs();
            let plasma = if model == ToftsModel::Extended { (fit.plasma_volume - number("vp")).abs() } else { 0.0 };
            assert!(transfer <= 0.005 + 0.1 * number("Ktrans"), "{label}: K_trans off by {transfer}");
            assert!(space <= 0.05, "{label}: v_e off by {space}");
            assert!(plasma <= 0.025, "{label}: v_p off by {plasma}");
            cases += 1;
            for (worst, off) in worst.iter_mut().zip([transfer, space, plasma]) {
                *worst = worst.max(off);
            }
        }
        println!(
            "{file}: {cases} cases, worst differences of K_trans {:.4} /min, v_e {:.4}, v_p {:.4}",
            worst[0], worst[1], worst[2]
        );
    }
}
