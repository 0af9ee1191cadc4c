//! Signed distances against those of SimpleITK, which computes them in single precision; `golden/signed_distance.py` wrote
//! them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use alnm_imaging::distance::signed_distance;
use alnm_imaging::region::Roi;
use alnm_imaging::{Geometry, Volume};
use ndarray::Array3;

const GOLDEN: &str = include_str!("golden/signed_distance.txt");

#[test]
fn signed_distances_are_those_of_simpleitk() {
    for line in GOLDEN.lines().filter(|line| !line.starts_with('#')) {
        let mut numbers = line.split(' ').map(|number| number.parse::<f64>().unwrap());
        let size: [usize; 3] = std::array::from_fn(|_| numbers.next().unwrap() as usize);
        let spacing: [f64; 3] = std::array::from_fn(|_| numbers.next().unwrap());
        let geometry = Geometry::axis_aligned(size, spacing).unwrap();
        let mask = Array3::from_shape_fn(geometry.shape(), |(z, y, x)| {
            let is_middle = (1..size[0] - 1).contains(&x) && y + 1 < size[1];
            u32::from(is_middle && (7 * x + 5 * y + 11 * z + x * y * z) % 13 < 11)
        });
        let mask = Volume::new(mask, geometry).unwrap();
        let distances = signed_distance(&Roi::new(&mask, 1).unwrap(), &mask.geometry().voxel_box()).unwrap();
        let expected: Vec<f64> = numbers.collect();
        assert_eq!(distances.as_slice().len(), expected.len());
        for (position, (found, expected)) in distances.as_slice().iter().zip(&expected).enumerate() {
            let voxel = mask.geometry().index_of(position);
            assert!((found - expected).abs() <= 2e-6, "{voxel:?}: {found} instead of {expected}");
        }
    }
}
