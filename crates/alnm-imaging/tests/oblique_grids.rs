//! Resampling between oblique grids, where many positions lie half way between voxels, against check sums of SimpleITK that
//! `golden/oblique_grids.py` wrote.

use alnm_imaging::resample::{Interpolator, resample, resample_image, resample_mapped};
use alnm_imaging::{Geometry, Image, Volume, Voxel};
use flate2::Crc;
use ndarray::Array3;

const GOLDEN: &str = include_str!("golden/oblique_grids.txt");
const IN_A_LINE: u64 = 16;
const OLD: [f64; 9] = [0.5, 0.7, 1.1, 1.6, 3.5, 2.0, 0.9765625, 3.0, 1.25];
const NEW: [f64; 5] = [0.5, 1.0, 1.5, 2.0, 3.0];

/// Knuth's linear congruential generator with 64 bits.
struct Draws(u64);

impl Draws {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % count
    }

    fn whole(&mut self, first: i64, count: usize) -> i64 {
        first + self.below(count) as i64
    }
}

fn plane_rotation(draws: &mut Draws) -> [[f64; 2]; 2] {
    let (a, b) = (draws.whole(1, 9), draws.whole(0, 9));
    let part = |product: i64| product as f64 / (a * a + b * b) as f64;
    [[part(a * a - b * b), part(-2 * a * b)], [part(2 * a * b), part(a * a - b * b)]]
}

fn rotation(draws: &mut Draws) -> [[f64; 3]; 3] {
    let (a, b, c, d) = (draws.whole(1, 9), draws.whole(0, 9), draws.whole(-4, 9), draws.whole(0, 5));
    let length = a * a + b * b + c * c + d * d;
    let rows = [
        [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
        [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
        [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ];
    rows.map(|row| row.map(|element| element as f64 / length as f64))
}

/// An image and the grid that covers it at another spacing, its outer corner on the image's.
fn grid(number: u64) -> (Volume<u32>, Geometry) {
    let mut draws = Draws(number);
    let (mut size, mut spacing, mut new_spacing, mut origin) = ([1; 3], [1.0; 3], [1.0; 3], [0.0; 3]);
    let is_planar = number % 8 == 7;
    let axes = if is_planar { 2 } else { 3 };
    let in_plane = if is_planar { plane_rotation(&mut draws) } else { [[0.0; 2]; 2] };
    let in_space = if is_planar { [[0.0; 3]; 3] } else { rotation(&mut draws) };
    size[..axes].fill_with(|| 3 + draws.below(8));
    spacing[..axes].fill_with(|| OLD[draws.below(OLD.len())]);
    origin[..axes].fill_with(|| draws.whole(-100_000, 200_001) as f64 / 1000.0);
    new_spacing[..axes].fill_with(|| NEW[draws.below(NEW.len())]);
    let geometry = if is_planar {
        Geometry::planar([size[0], size[1]], [spacing[0], spacing[1]], [origin[0], origin[1]], in_plane)
    } else {
        Geometry::new(size, spacing, origin, in_space)
    };
    let geometry = geometry.expect("the grid is valid");
    let voxels = Array3::from_shape_simple_fn(geometry.shape(), || draws.below(251) as u32);
    let new_size = std::array::from_fn(|axis| (size[axis] as f64 * spacing[axis] / new_spacing[axis]).ceil() as usize);
    let first = std::array::from_fn(|axis| 0.5 * (new_spacing[axis] - spacing[axis]) / spacing[axis]);
    let new = geometry.with_grid(new_size, new_spacing, geometry.index_to_point(first)).expect("the grid is valid");
    (Volume::new(voxels, geometry).expect("the shapes agree"), new)
}

/// In whole numbers of 1 / 1414.2…, since splines differ in the last bits; few values lie half way between two.
fn rounded(value: f64) -> [u8; 4] {
    ((value * 1_414.213_562_373_095).round_ties_even() as i32).to_le_bytes()
}

fn add<T: Voxel, const BYTES: usize>(
    sum: &mut Crc,
    image: &Volume<T>,
    grid: &Geometry,
    interpolator: Interpolator,
    bytes: fn(T) -> [u8; BYTES],
) {
    let resampled = resample(image, grid, interpolator, T::from_f64(0.0)).expect("the grid is small");
    let all: Vec<u8> = resampled.as_slice().iter().flat_map(|&value| bytes(value)).collect();
    sum.update(&all);
}

#[test]
fn voxels_are_those_of_simpleitk() {
    let mut numbers = 0..;
    for line in GOLDEN.lines().filter(|line| !line.starts_with('#')) {
        let mut sums: [Crc; 4] = std::array::from_fn(|_| Crc::new());
        let first = numbers.start;
        for (place, (image, grid)) in numbers.by_ref().take(IN_A_LINE as usize).map(grid).enumerate() {
            let short = image.cast::<i16>();
            add(&mut sums[0], &image, &grid, Interpolator::Nearest, u32::to_le_bytes);
            let double = image.cast::<f64>();
            add(&mut sums[1], &double, &grid, Interpolator::Linear, f64::to_le_bytes);
            add(&mut sums[2], &short, &grid, Interpolator::Linear, i16::to_le_bytes);
            if place == 0 {
                add(&mut sums[3], &double, &grid, Interpolator::BSpline, rounded);
            }
        }
        let sums = sums.map(|sum| format!("{:08x}", sum.sum())).join(" ");
        assert_eq!(sums, line, "grids {first} to {}: labels, linear, linear, B-spline", first + IN_A_LINE - 1);
    }
    assert_eq!(numbers.start, 4096);
}

#[test]
fn a_grid_that_no_memory_holds_is_refused() {
    let image = Image::from(Volume::filled(Geometry::axis_aligned([3, 2, 2], [1.0; 3]).unwrap(), 7_i16));
    for size in [[1 << 40, 1, 1], [1 << 20, 1 << 20, 1]] {
        let grid = Geometry::axis_aligned(size, [1e-9; 3]).unwrap();
        let same = |point: [f64; 3]| point;
        for refused in [
            resample_image(&image, &grid, Interpolator::Linear, 0.0),
            resample_mapped(&image, &grid, &same, Interpolator::Nearest, 0.0),
        ] {
            assert!(refused.unwrap_err().to_string().contains("at most 16 GiB; choose a larger spacing"));
        }
    }
}
