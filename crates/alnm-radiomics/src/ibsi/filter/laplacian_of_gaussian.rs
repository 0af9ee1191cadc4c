//! The Laplacian of a Gaussian, sampled at the voxels and cut off:
//!
//! g(k) = -1/σ² · (1 / √(2π) σ)^D · (D - |k|²/σ²) · exp(-|k|² / 2σ²), σ in voxels, |k_i| ≤ ⌊d σ + 1/2⌋ along each axis.
//!
//! Cut off at a cube it is a sum of D separable kernels, each with the second derivative along one axis.

use std::f64::consts::PI;
use std::ops::Range;

use super::separable::{SeparableKernel, Taps, response as separable_response};
use super::{Field, Filter};

pub(super) fn response(filter: &Filter, field: Field<'_>, part: &[Range<usize>; 3], sigma: f64, truncation: f64) -> Vec<f64> {
    let samples = |axis: usize, value: fn(f64, f64) -> f64| {
        let sigma = sigma / field.spacing[axis];
        let reach = (truncation * sigma + 0.5).floor() as i32;
        Taps::new((-reach..=reach).map(|k| value(f64::from(k), sigma)).collect())
    };
    let kernel = |derived: usize| {
        let taps = |axis: usize| samples(axis, if axis == derived { second_derivative } else { gaussian });
        SeparableKernel(std::array::from_fn(|axis| filter.axes().contains(&axis).then(|| taps(axis))))
    };
    let mut sum = vec![0.0; part.iter().map(ExactSizeIterator::len).product()];
    for derived in filter.axes() {
        let term = separable_response(&[kernel(derived)], field, part, filter.boundary);
        sum.iter_mut().zip(term).for_each(|(sum, value)| *sum += value);
    }
    sum
}

fn gaussian(k: f64, sigma: f64) -> f64 {
    (-k * k / (2.0 * sigma * sigma)).exp() / ((2.0 * PI).sqrt() * sigma)
}

fn second_derivative(k: f64, sigma: f64) -> f64 {
    -(1.0 - k * k / (sigma * sigma)) / (sigma * sigma) * gaussian(k, sigma)
}
