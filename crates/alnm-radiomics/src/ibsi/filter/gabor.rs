//! The modulus of the Gabor filter, which works within planes:
//!
//! g(x, y) = exp(-(x̃² + γ² ỹ²) / 2σ² + i 2π x̃ / λ), x̃ = x cos θ + y sin θ, ỹ = y cos θ - x sin θ, with x and y in
//! mm, y down.

use std::f64::consts::PI;
use std::ops::Range;

use rayon::prelude::*;

use super::{BoundaryCondition, Dimensions, Field, Filter, Pool, Pooling};
use crate::ibsi::fourier::{BoxTransform, Complex, fast_length};

/// The filter without its orientation, in mm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wave {
    pub(super) sigma: f64,
    pub(super) gamma: f64,
    pub(super) wavelength: f64,
}

/// Envelopes are cut off where they fall below this.
const NEGLIGIBLE: f64 = 1e-10;

impl Wave {
    /// How far the envelope reaches, in mm.
    pub(super) fn reach(self) -> f64 {
        self.sigma * (-2.0 * NEGLIGIBLE.ln()).sqrt() * (1.0 / self.gamma).max(1.0)
    }

    fn value(self, theta: f64, x: f64, y: f64) -> Complex<f64> {
        let (sine, cosine) = theta.sin_cos();
        let (along, across) = (x * cosine + y * sine, y * cosine - x * sine);
        let envelope = (-(along * along + (self.gamma * across).powi(2)) / (2.0 * self.sigma * self.sigma)).exp();
        Complex::from_polar(envelope, 2.0 * PI * along / self.wavelength)
    }
}

/// Orientations in radians: one, or all multiples of the step, of which those half a turn apart have the same modulus.
pub(super) fn orientations(theta: f64, step: Option<f64>) -> Vec<f64> {
    let Some(step) = step else { return vec![theta.to_radians()] };
    let count = (360.0 / step).round().max(1.0) as usize;
    let distinct = if count.is_multiple_of(2) { count / 2 } else { count };
    (0..distinct).map(|k| (theta + k as f64 * step).to_radians()).collect()
}

pub(super) fn response(
    filter: &Filter,
    field: Field<'_>,
    part: &[Range<usize>; 3],
    wave: Wave,
    orientations: &[f64],
) -> Vec<f64> {
    let across: &[usize] = match filter.dimensions {
        Dimensions::Two => &[0],
        Dimensions::Three => &[0, 1, 2],
    };
    let mut pool = Pool::new(Pooling::Average);
    for &axis in across {
        pool.add(planes(field, part, axis, wave, orientations, filter.boundary));
    }
    pool.finish()
}

/// The mean over orientations of the responses in the planes across `axis`.
fn planes(
    field: Field<'_>,
    part: &[Range<usize>; 3],
    axis: usize,
    wave: Wave,
    orientations: &[f64],
    boundary: BoundaryCondition,
) -> Vec<f64> {
    // Rows and columns of a plane, in the order of the axes.
    let [rows, columns] = [[1, 2], [0, 2], [0, 1]][axis];
    let reach = [rows, columns].map(|axis| (wave.reach() / field.spacing[axis]).ceil() as usize);
    let size = [part[rows].len(), part[columns].len()];
    let padded = [fast_length(size[0] + 2 * reach[0]), fast_length(size[1] + 2 * reach[1])];
    let transform = BoxTransform::new([1, padded[0], padded[1]]);
    let spectra: Vec<Vec<Complex<f64>>> = orientations
        .par_iter()
        .map(|&theta| {
            let mut kernel = vec![Complex::default(); padded[0] * padded[1]];
            for row in -(reach[0] as isize)..=reach[0] as isize {
                for column in -(reach[1] as isize)..=reach[1] as isize {
                    let place =
                        row.rem_euclid(padded[0] as isize) * padded[1] as isize + column.rem_euclid(padded[1] as isize);
                    kernel[place as usize] =
                        wave.value(theta, column as f64 * field.spacing[columns], row as f64 * field.spacing[rows]);
                }
            }
            transform.forward(&mut kernel);
            kernel
        })
        .collect();
    let sources = |axis: usize, reach: usize| -> Vec<Option<usize>> {
        let positions = part[axis].start as isize - reach as isize..(part[axis].end + reach) as isize;
        positions.map(|position| boundary.index(position, field.shape[axis])).collect()
    };
    let (row_sources, column_sources) = (sources(rows, reach[0]), sources(columns, reach[1]));
    let strides = [field.shape[1] * field.shape[2], field.shape[2], 1];
    let share = 1.0 / (padded[0] * padded[1] * orientations.len()) as f64;
    let plane = |position: usize| {
        let mut spectrum = vec![Complex::default(); padded[0] * padded[1]];
        for (row, source) in
            row_sources.iter().enumerate().filter_map(|(row, source)| source.map(|source| (row, source)))
        {
            let start = position * strides[axis] + source * strides[rows];
            for (value, source) in spectrum[row * padded[1]..].iter_mut().zip(&column_sources) {
                value.re = source.map_or(0.0, |source| field.values[start + source * strides[columns]]);
            }
        }
        transform.forward(&mut spectrum);
        let mut sums = vec![0.0; size[0] * size[1]];
        let mut product = vec![Complex::default(); spectrum.len()];
        for kernel in &spectra {
            product
                .iter_mut()
                .zip(&spectrum)
                .zip(kernel)
                .for_each(|((product, value), weight)| *product = value * weight);
            transform.inverse(&mut product);
            for (row, sums) in sums.chunks_exact_mut(size[1]).enumerate() {
                let values = &product[(row + reach[0]) * padded[1] + reach[1]..];
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value.norm() * share);
            }
        }
        sums
    };
    let planes: Vec<Vec<f64>> = part[axis].clone().into_par_iter().map(plane).collect();
    let index = |z: usize, y: usize, x: usize| match axis {
        0 => (z, y * size[1] + x),
        1 => (y, z * size[1] + x),
        _ => (x, z * size[1] + y),
    };
    let mut values = Vec::with_capacity(planes.len() * size[0] * size[1]);
    for z in 0..part[0].len() {
        for y in 0..part[1].len() {
            for x in 0..part[2].len() {
                let (plane, place) = index(z, y, x);
                values.push(planes[plane][place]);
            }
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orientations_half_a_turn_apart_count_once() {
        assert_eq!(orientations(0.0, Some(45.0)).len(), 4);
        assert_eq!(orientations(0.0, Some(22.5)).len(), 8);
        assert_eq!(orientations(10.0, Some(120.0)).len(), 3);
        assert_eq!(orientations(60.0, None), [60f64.to_radians()]);
    }

    #[test]
    fn an_impulse_answers_with_the_envelope() {
        let mut values = vec![0.0; 21 * 21];
        values[10 * 21 + 10] = 1.0;
        let field = Field { values: &values, shape: [1, 21, 21], spacing: [1.0; 3] };
        let wave = Wave { sigma: 2.0, gamma: 0.5, wavelength: 3.0 };
        let response = planes(field, &[0..1, 0..21, 0..21], 0, wave, &[0.7], BoundaryCondition::Zero);
        for (place, value) in response.iter().enumerate() {
            let (y, x) = ((place / 21) as f64 - 10.0, (place % 21) as f64 - 10.0);
            approx::assert_abs_diff_eq!(*value, wave.value(0.7, x, y).norm(), epsilon = 1e-9);
        }
    }
}
