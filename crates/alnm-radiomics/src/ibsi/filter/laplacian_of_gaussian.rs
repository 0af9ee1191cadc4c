//! The Laplacian of a Gaussian, sampled at the voxels and cut off:
//!
//! g(k) = -1/σ² · (1 / √(2π) σ)^D · (D - |k|²/σ²) · exp(-|k|² / 2σ²), σ in voxels, |k_i| ≤ ⌊d σ + 1/2⌋ along each axis.
//!
//! Cut off at a cube it is a sum of D separable kernels, each with the second derivative along one axis.

use std::f64::consts::PI;
use std::ops::Range;

use super::riesz::Riesz;
use super::separable::{SeparableKernel, Taps, response as separable_response};
use super::spectrum::multiplied;
use super::{BoundaryCondition, Dimensions, Field, Filter};
use crate::ibsi::region::box_values;

pub(super) fn response(
    filter: &Filter,
    field: Field<'_>,
    part: &[Range<usize>; 3],
    sigma: f64,
    truncation: f64,
) -> Vec<f64> {
    convolved(filter, field, part, sigma, truncation, filter.boundary)
}

/// The response with its Riesz transform. The transform reaches over the whole image, which is continued by the reach
/// of the kernel as the boundary condition says, and periodically beyond that.
pub(super) fn riesz_response(
    filter: &Filter,
    field: Field<'_>,
    part: &[Range<usize>; 3],
    sigma: f64,
    truncation: f64,
    riesz: Riesz,
) -> Vec<f64> {
    let reach: [usize; 3] = std::array::from_fn(|axis| {
        if filter.axes().contains(&axis) { reach(truncation, sigma / field.spacing[axis]) } else { 0 }
    });
    let padded = padded(field, reach, filter.boundary);
    let shape: [usize; 3] = std::array::from_fn(|axis| field.shape[axis] + 2 * reach[axis]);
    let whole = shape.map(|n| 0..n);
    let periodic = Field { values: &padded, shape, spacing: field.spacing };
    let laplacian = convolved(filter, periodic, &whole, sigma, truncation, BoundaryCondition::Periodic);
    let factor = |frequency| riesz.factor(frequency);
    let transformed = match filter.dimensions {
        Dimensions::Three => multiplied(&laplacian, shape, factor),
        Dimensions::Two => laplacian
            .chunks(shape[1] * shape[2])
            .flat_map(|slice| multiplied(slice, [1, shape[1], shape[2]], factor))
            .collect(),
    };
    let part = std::array::from_fn(|axis| part[axis].start + reach[axis]..part[axis].end + reach[axis]);
    box_values(&transformed, shape, &part)
}

/// The image continued to either side of each axis.
fn padded(field: Field<'_>, reach: [usize; 3], boundary: BoundaryCondition) -> Vec<f64> {
    let [zs, ys, xs]: [Vec<Option<usize>>; 3] = std::array::from_fn(|axis| {
        let positions = -(reach[axis] as isize)..(field.shape[axis] + reach[axis]) as isize;
        positions.map(|position| boundary.index(position, field.shape[axis])).collect()
    });
    let mut values = Vec::with_capacity(zs.len() * ys.len() * xs.len());
    for z in &zs {
        for y in &ys {
            let row = z.zip(*y).map(|(z, y)| (z * field.shape[1] + y) * field.shape[2]);
            values.extend(xs.iter().map(|x| row.zip(*x).map_or(0.0, |(row, x)| field.values[row + x])));
        }
    }
    values
}

fn reach(truncation: f64, sigma: f64) -> usize {
    (truncation * sigma + 0.5).floor() as usize
}

fn convolved(
    filter: &Filter,
    field: Field<'_>,
    part: &[Range<usize>; 3],
    sigma: f64,
    truncation: f64,
    boundary: BoundaryCondition,
) -> Vec<f64> {
    let samples = |axis: usize, value: fn(f64, f64) -> f64| {
        let sigma = sigma / field.spacing[axis];
        let reach = reach(truncation, sigma) as i32;
        Taps::new((-reach..=reach).map(|k| value(f64::from(k), sigma)).collect())
    };
    let kernel = |derived: usize| {
        let taps = |axis: usize| samples(axis, if axis == derived { second_derivative } else { gaussian });
        SeparableKernel(std::array::from_fn(|axis| filter.axes().contains(&axis).then(|| taps(axis))))
    };
    let mut sum = vec![0.0; part.iter().map(ExactSizeIterator::len).product()];
    for derived in filter.axes() {
        let term = separable_response(&[kernel(derived)], field, part, boundary);
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

#[cfg(test)]
mod tests {
    use super::super::Kernel;
    use super::*;

    #[test]
    fn an_impulse_answers_with_the_formula() {
        let mut values = vec![0.0; 11 * 11 * 11];
        values[(5 * 11 + 5) * 11 + 5] = 1.0;
        let field = Field { values: &values, shape: [11; 3], spacing: [2.0; 3] };
        let kernel = Kernel::LaplacianOfGaussian { sigma: 2.4, truncation: 3.0, riesz_order: None };
        let filter = Filter { dimensions: Dimensions::Three, boundary: BoundaryCondition::Zero, kernel };
        let response = response(&filter, field, &[0..11, 0..11, 0..11], 2.4, 3.0);
        let sigma = 1.2f64;
        for (place, value) in response.iter().enumerate() {
            let offsets = [place / 121, place / 11 % 11, place % 11].map(|index| index as f64 - 5.0);
            let squared: f64 = offsets.iter().map(|offset| offset * offset).sum();
            let inside = offsets.iter().all(|offset| offset.abs() <= 4.0);
            let normal = ((2.0 * PI).sqrt() * sigma).powi(-3);
            let formula = -normal / (sigma * sigma)
                * (3.0 - squared / (sigma * sigma))
                * (-squared / (2.0 * sigma * sigma)).exp();
            approx::assert_abs_diff_eq!(*value, if inside { formula } else { 0.0 }, epsilon = 1e-15);
        }
    }
}
