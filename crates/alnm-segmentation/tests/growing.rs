//! Region growing, morphology, fast marching and watersheds against SimpleITK 2.5.7, voxel by voxel; `golden/growing.py` and
//! `golden/watershed.py` wrote the values.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use alnm_imaging::region::Connectivity;
use alnm_imaging::{Geometry, LabelMap, Volume};
use alnm_segmentation::growing::{
    ConfidenceConnectedParams, arrival_times, connected_threshold, neighbourhood_connected,
};
use alnm_segmentation::morphology::{StructuringElement, close, dilate, erode, fill_holes, largest_part, open, smooth};
use alnm_segmentation::watershed::WatershedParams;
use ndarray::Array3;

const GOLDEN: &str = include_str!("golden/growing.txt");
const WATERSHEDS: &str = include_str!("golden/watershed.txt");
const SEEDS: [[usize; 3]; 2] = [[8, 7, 4], [10, 6, 4]];

fn grid() -> Geometry {
    Geometry::axis_aligned([17, 14, 9], [0.8, 1.0, 2.5]).unwrap()
}

/// A volume of what a function of place and residue gives, as in the script.
fn made<T: Clone>(value: impl Fn([i64; 3], [i64; 3], i64) -> T) -> Volume<T> {
    let grid = grid();
    let size = grid.size().map(|n| n as i64);
    let data = Array3::from_shape_fn(grid.shape(), |(z, y, x)| {
        let voxel = [x, y, z].map(|index| index as i64);
        let [x, y, z] = voxel;
        value(voxel, [2 * x - size[0], 2 * y - size[1], 2 * z - size[2]], (3 * x + 5 * y + 7 * z + x * y) % 11)
    });
    Volume::new(data, grid).unwrap()
}

fn values() -> Volume<f32> {
    made(|_, [u, v, w], rough| (200 - u * u - v * v - 2 * w * w + 5 * rough) as f32)
}

fn mask() -> LabelMap {
    made(|[x, y, _], [u, v, w], rough| {
        u32::from((u * u + v * v + 3 * w * w + 10 * rough < 190 && rough != 4) || (x == 0 && y > 9))
    })
}

fn line(name: &str) -> Vec<f64> {
    let line = GOLDEN.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
    line.split(' ').map(|number| number.parse().unwrap()).collect()
}

fn assert_mask(name: &str, found: &LabelMap) {
    let runs = line(name);
    let expected: Vec<u32> =
        runs.iter().enumerate().flat_map(|(i, &length)| std::iter::repeat_n(i as u32 % 2, length as usize)).collect();
    let differing = found.as_slice().iter().zip(&expected).filter(|(a, b)| a != b).count();
    assert_eq!((differing, found.as_slice().len()), (0, expected.len()), "{name}");
}

#[test]
fn regions_grow_as_simpleitks() {
    let image = values();
    assert_mask("threshold", &connected_threshold(&image, &SEEDS, 100.0, 500.0, Connectivity::Face).unwrap());
    assert_mask("threshold-corner", &connected_threshold(&image, &SEEDS, 195.0, 500.0, Connectivity::Corner).unwrap());
    assert_mask("neighbourhood", &neighbourhood_connected(&image, &SEEDS, 60.0, 500.0, [1, 1, 0]).unwrap());
    for (multiplier, iterations) in [(2.5, 3), (1.5, 5), (0.7, 1)] {
        let params = ConfidenceConnectedParams::default().with_multiplier(multiplier).with_iterations(iterations);
        let found = params.check().unwrap().grow(&image, &SEEDS).unwrap();
        assert_mask(&format!("confidence-{multiplier:?}-{iterations}"), &found.mask);
        assert!(found.limits[0] < found.mean && found.mean < found.limits[1] && found.variance > 0.0);
    }
}

#[test]
fn masks_change_as_simpleitks() {
    let mask = mask();
    for radius in [[1, 1, 1], [2, 2, 1], [3, 1, 0]] {
        for (word, element) in [("ball", StructuringElement::Ball(radius)), ("box", StructuringElement::Box(radius))] {
            let [x, y, z] = radius;
            let name = format!("{word}-{x}-{y}-{z}");
            assert_mask(&format!("dilate-{name}"), &dilate(&mask, 1, element));
            assert_mask(&format!("erode-{name}"), &erode(&mask, 1, element));
            assert_mask(&format!("open-{name}"), &open(&mask, 1, element));
            assert_mask(&format!("close-{name}"), &close(&mask, 1, element).unwrap());
        }
    }
    assert_mask("fill", &fill_holes(&mask, 1));
    assert_mask("median-1-1-1", &smooth(&mask, 1, [1, 1, 1]));
    assert_mask("median-2-2-1", &smooth(&mask, 1, [2, 2, 1]));
    assert_mask("largest", &largest_part(&mask, 1));
}

#[test]
fn fronts_arrive_as_simpleitks() {
    let speed = made(|_, _, rough| (10 + rough) as f32 / 8.0);
    let times = arrival_times(&speed, &SEEDS, f64::INFINITY).unwrap();
    let found = times.data().slice(ndarray::s![..;2, ..;3, ..;4]);
    let expected = line("times");
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() <= 1e-5 * expected, "{found} instead of {expected}");
    }
    let near = arrival_times(&speed, &SEEDS, 2.0).unwrap();
    let pairs = near.as_slice().iter().zip(times.as_slice());
    assert!(pairs.clone().filter(|(_, time)| **time <= 2.0).all(|(near, time)| near == time));
    assert!(near.as_slice().iter().any(|time| time.is_infinite()));
}

#[test]
fn watersheds_are_simpleitks() {
    let grid = Geometry::axis_aligned([11, 9, 6], [1.0; 3]).unwrap();
    let made = |value: &dyn Fn([i32; 3]) -> f32| {
        let data = Array3::from_shape_fn(grid.shape(), |(z, y, x)| value([x as i32, y as i32, z as i32]));
        Volume::new(data, grid.clone()).unwrap()
    };
    let rough = |[x, y, z]: [i32; 3]| ((3 * x + 5 * y + 7 * z + x * y) % 11 + (x * z + 2 * y) % 7) as f32;
    let smooth =
        |voxel @ [x, y, z]: [i32; 3]| ((2 * x - 10).abs() + (2 * y - 8).abs() + 3 * z) as f32 + rough(voxel) / 2.0;
    let markers = made(&|[x, y, z]| {
        let marks = [u32::from(x == 2 && y > 5), 2 * u32::from(x == 8 && y == 4), 7 * u32::from(z == 5 && x + y == 15)];
        marks.iter().sum::<u32>() as f32
    });
    let markers = markers.map(|&label| label as u32);
    let mut compared = 0;
    for line in WATERSHEDS.lines() {
        let (name, labels) = line.split_once(' ').unwrap();
        let expected: Vec<u32> = labels.split(' ').map(|label| label.parse().unwrap()).collect();
        let [image, full, parted, level] = name.split('-').collect::<Vec<_>>().try_into().unwrap();
        let image = if image == "rough" { made(&rough) } else { made(&smooth) };
        let connectivity = if full == "1" { Connectivity::Corner } else { Connectivity::Face };
        let params = WatershedParams::default().with_connectivity(connectivity).with_line(parted == "1");
        let found = match level {
            "markers" => params.check().unwrap().from_markers(&image, &markers),
            level => params.with_level(level.parse().unwrap()).check().unwrap().basins(&image),
        };
        let found = found.unwrap();
        let differing = found.as_slice().iter().zip(&expected).filter(|(a, b)| a != b).count();
        assert_eq!((differing, found.as_slice().len()), (0, expected.len()), "{name}");
        compared += 1;
    }
    assert_eq!(compared, 32);
}

#[test]
fn impossible_input_is_refused() {
    let image = values();
    let face = Connectivity::Face;
    assert!(connected_threshold(&image, &[], 0.0, 1.0, face).is_err());
    assert!(connected_threshold(&image, &[[17, 0, 0]], 0.0, 1.0, face).is_err());
    assert!(connected_threshold(&image, &SEEDS, f64::NAN, 1.0, face).is_err());
    assert!(connected_threshold(&image.map(|_| f32::NAN), &SEEDS, 0.0, 1.0, face).is_err());
    assert!(arrival_times(&image.map(|_| -1.0), &SEEDS, 1.0).is_err() && arrival_times(&image, &SEEDS, 0.0).is_err());
    assert!(ConfidenceConnectedParams::default().with_multiplier(0.0).check().is_err());
    assert!(ConfidenceConnectedParams::default().with_initial_radius(101).check().is_err());
    assert!(WatershedParams::default().with_level(-1.0).check().is_err());
    let watershed = WatershedParams::default().check().unwrap();
    assert!(watershed.basins(&image.map(|_| f32::NAN)).is_err());
    assert!(watershed.from_markers(&image, &mask().map(|_| 0)).is_err());
    let nothing = connected_threshold(&image, &SEEDS, 1e6, 2e6, face).unwrap();
    assert!(nothing.as_slice().iter().all(|&voxel| voxel == 0));
}
