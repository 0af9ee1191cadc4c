//! Interpolators that weigh all voxels near a position: windowed sincs and Gaussians, with ITK's arithmetic and order
//! of additions.
//!
//! A windowed sinc takes five voxels to each side (Meijering et al. 1999, doi 10.1007/10704282_23) and repeats the edge
//! beyond the image. A Gaussian is integrated over each voxel and cut off; weights are divided by their sum over the
//! image's voxels. The Gaussian for labels takes the value that weighs most. Widths are SimpleITK's. ITK's error
//! function is good to some eight digits, so values of the Gaussian agree to as many.

use std::f64::consts::{PI, SQRT_2};

use super::Interpolator;
use super::sampling::{Sampling, is_inside, sample_lines, sample_separable};
use crate::geometry::Geometry;
use crate::progress::Tally;
use crate::volume::{Volume, Voxel};

/// Voxels that a windowed sinc takes to each side.
const RADIUS: isize = 5;
/// σ and the distance from which on it is cut off, in voxels.
const GAUSSIAN: [f64; 2] = [0.8, 0.8 * 4.0];
/// The same for labels.
const LABEL_GAUSSIAN: [f64; 2] = [1.0, 1.0];

/// Voxels along an axis with their weights.
type Taps = Vec<(usize, f64)>;

/// The window of a sinc at `x` voxels from its centre, |x| ≤ 5.
fn window(interpolator: Interpolator, x: f64) -> f64 {
    let radius = RADIUS as f64;
    match interpolator {
        Interpolator::HammingSinc => 0.54 + 0.46 * (x * (PI / radius)).cos(),
        Interpolator::CosineSinc => (x * (PI / (2.0 * radius))).cos(),
        Interpolator::WelchSinc => 1.0 - x * (1.0 / (radius * radius)) * x,
        Interpolator::LanczosSinc => sinc(x / radius),
        Interpolator::BlackmanSinc => 0.42 + 0.5 * (x * (PI / radius)).cos() + 0.08 * (x * (2.0 * PI / radius)).cos(),
        _ => 1.0,
    }
}

/// sin(π x) / (π x).
fn sinc(x: f64) -> f64 {
    let x = x * PI;
    if x == 0.0 { 1.0 } else { x.sin() / x }
}

fn sinc_taps(interpolator: Interpolator, position: f64, size: usize) -> Taps {
    let base = position.floor();
    let distance = position - base;
    let tap = |step: isize| {
        let x = distance - step as f64;
        // On a voxel the sinc is that voxel's value.
        let weight = if distance == 0.0 { f64::from(u8::from(step == 0)) } else { window(interpolator, x) * sinc(x) };
        ((base as isize + step).clamp(0, size as isize - 1) as usize, weight)
    };
    (1 - RADIUS..=RADIUS).map(tap).collect()
}

fn gaussian_taps([sigma, cut_off]: [f64; 2], position: f64, size: usize) -> Taps {
    let start = (position + 0.5 - cut_off).floor().max(0.0) as usize;
    let end = ((position + 0.5 + cut_off).ceil() as usize).min(size);
    let scale = 1.0 / (SQRT_2 * sigma);
    let mut edge = (-0.5 - position + start as f64) * scale;
    let mut before = libm::erf(edge);
    let tap = |voxel: usize| {
        edge += scale;
        let after = libm::erf(edge);
        let weight = after - before;
        before = after;
        (voxel, weight)
    };
    (start..end).map(tap).collect()
}

pub(super) fn sample<T: Voxel>(
    volume: &Volume<T>,
    interpolator: Interpolator,
    sampling: &Sampling<'_>,
    grid: &Geometry,
    outside: T,
    tally: &Tally<'_>,
) -> Volume<T> {
    let size = volume.geometry().size();
    let taps = |position: f64, axis: usize| match interpolator {
        Interpolator::Gaussian => gaussian_taps(GAUSSIAN, position, size[axis]),
        Interpolator::LabelGaussian => gaussian_taps(LABEL_GAUSSIAN, position, size[axis]),
        _ => sinc_taps(interpolator, position, size[axis]),
    };
    let value = |taps: [&Taps; 3]| match interpolator {
        Interpolator::LabelGaussian => heaviest(volume, taps),
        Interpolator::Gaussian => mean(volume, taps),
        _ => sum(volume, taps),
    };
    match sampling.axes() {
        None => sample_lines(size, sampling.lines(), grid, outside, tally, |position| {
            let [x, y, z]: [Taps; 3] = std::array::from_fn(|axis| taps(position[axis], axis));
            value([&x, &y, &z])
        }),
        Some(positions) => {
            let axes: [Vec<Option<Taps>>; 3] = std::array::from_fn(|axis| {
                positions[axis].iter().map(|&p| is_inside(p, size[axis]).then(|| taps(p, axis))).collect()
            });
            sample_separable(&axes, grid, outside, tally, value)
        }
    }
}

/// Voxels with the weights of their axes, x running fastest.
fn voxels<'a, T: Voxel>(
    volume: &'a Volume<T>,
    [xs, ys, zs]: [&'a Taps; 3],
) -> impl Iterator<Item = (T, [f64; 3])> + 'a {
    let [width, height, _] = volume.geometry().size();
    let values = volume.as_slice();
    zs.iter().flat_map(move |&(z, wz)| {
        ys.iter().flat_map(move |&(y, wy)| {
            let row = &values[(z * height + y) * width..][..width];
            xs.iter().map(move |&(x, wx)| (row[x], [wx, wy, wz]))
        })
    })
}

fn sum<T: Voxel>(volume: &Volume<T>, taps: [&Taps; 3]) -> T {
    let sum = voxels(volume, taps).fold(0.0, |sum, (value, [x, y, z])| sum + value.to_f64() * x * y * z);
    T::from_f64(sum)
}

fn mean<T: Voxel>(volume: &Volume<T>, taps: [&Taps; 3]) -> T {
    let (mut weighted, mut weights) = (0.0, 0.0);
    for (value, [x, y, z]) in voxels(volume, taps) {
        let weight = x * y * z;
        weighted += value.to_f64() * weight;
        weights += weight;
    }
    T::from_f64(weighted / weights)
}

fn heaviest<T: Voxel>(volume: &Volume<T>, taps: [&Taps; 3]) -> T {
    let mut labels: Vec<(f64, f64)> = Vec::new();
    let mut most = (0.0, 0.0);
    for (value, [x, y, z]) in voxels(volume, taps) {
        let (value, weight) = (value.to_f64(), x * y * z);
        let total = match labels.iter_mut().find(|(label, _)| *label == value) {
            Some((_, total)) => {
                *total += weight;
                *total
            }
            None => {
                labels.push((value, weight));
                weight
            }
        };
        if total > most.1 {
            most = (value, total);
        }
    }
    T::from_f64(most.0)
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;
    use crate::resample::resample;

    /// Written by `tests/golden/weighted_interpolators.py`.
    const GOLDEN: &str = include_str!("../../tests/golden/weighted_interpolators.txt");

    #[test]
    fn values_are_those_of_simpleitk() {
        let geometry = Geometry::axis_aligned([9, 8, 6], [1.0, 1.0, 2.0]).unwrap();
        let image = Array3::from_shape_fn([6, 8, 9], |(z, y, x)| ((z * 31 + y * 17 + x * 7) % 97) as f64 * 1.25);
        let image = Volume::new(image, geometry).unwrap();
        let axes = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let grid = Geometry::new([4, 3, 3], [2.3, 2.5, 3.7], [0.0, 0.4, 1.1], axes).unwrap();
        let mut compared = 0;
        for line in GOLDEN.lines().filter(|line| !line.starts_with('#')) {
            let (head, values) = line.split_once(": ").unwrap();
            let (name, kind) = head.split_once(' ').unwrap();
            let interpolator = match name {
                "Gaussian" => Interpolator::Gaussian,
                "LabelGaussian" => Interpolator::LabelGaussian,
                "HammingWindowedSinc" => Interpolator::HammingSinc,
                "CosineWindowedSinc" => Interpolator::CosineSinc,
                "WelchWindowedSinc" => Interpolator::WelchSinc,
                "LanczosWindowedSinc" => Interpolator::LanczosSinc,
                _ => Interpolator::BlackmanSinc,
            };
            let expected: Vec<f64> = values.split(' ').map(|value| value.parse().unwrap()).collect();
            let got: Vec<f64> = if kind == "f64" {
                resample(&image, &grid, interpolator, 0.0).unwrap().as_slice().to_vec()
            } else {
                resample(&image.map(|&value| value as i16), &grid, interpolator, 0)
                    .unwrap()
                    .as_slice()
                    .iter()
                    .map(|&v| f64::from(v))
                    .collect()
            };
            assert_eq!(got.len(), expected.len());
            for (got, expected) in got.iter().zip(&expected) {
                let tolerance = if name == "Gaussian" { 2e-8 } else { 1e-12 };
                assert!((got - expected).abs() <= tolerance * expected.abs().max(1.0), "{head}: {got} {expected}");
            }
            compared += got.len();
        }
        assert_eq!(compared, 7 * 2 * 36);
    }
}
