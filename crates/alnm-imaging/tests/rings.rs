//! Rings against SimpleITK's distance map, by which `golden/rings.py` draws them.

// A golden file that is damaged must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use alnm_imaging::region::{Ring, RingLimits, RingParams, Roi};
use alnm_imaging::{Geometry, LabelMap, Volume};
use ndarray::Array3;

const GOLDEN: &str = include_str!("golden/rings.txt");

fn numbers<T: std::str::FromStr>(text: &str) -> Vec<T>
where
    T::Err: std::fmt::Debug,
{
    text.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// The values of runs: each length followed by its value.
fn expanded(runs: &str) -> Vec<u32> {
    numbers::<u32>(runs).chunks(2).flat_map(|run| vec![run[1]; run[0] as usize]).collect()
}

#[test]
fn rings_of_50_masks_are_those_of_simpleitk_voxel_for_voxel() {
    let mut voxels = 0;
    let lines: Vec<&str> = GOLDEN.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines.len(), 50);
    for line in lines {
        let parts: Vec<&str> = line.split('|').collect();
        let [size, spacing, limits, mask, expected] = parts.as_slice() else { panic!("five parts") };
        let grid =
            Geometry::axis_aligned(numbers(size).try_into().unwrap(), numbers(spacing).try_into().unwrap()).unwrap();
        let mask: LabelMap = Volume::new(Array3::from_shape_vec(grid.shape(), expanded(mask)).unwrap(), grid).unwrap();
        let limits: Vec<f64> = numbers(limits);
        let drawing = RingParams::new(limits.windows(2).map(|pair| Ring::new(pair[0], pair[1]))).check().unwrap();
        let draw = || drawing.draw(Roi::new(&mask, 1).unwrap(), RingLimits::default()).unwrap();
        let rings = draw();
        assert_eq!(rings.mask.as_slice(), expanded(expected));
        voxels += mask.as_slice().len();
        for threads in [1, 2, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert!(pool.install(draw) == rings, "{threads} threads");
        }
    }
    println!("rings of 50 masks, {voxels} voxels, as SimpleITK's distances");
}
