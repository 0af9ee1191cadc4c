//! The Simoncelli wavelet, defined by its spectrum.
//!
//! With ν the distance from the centre of the spectrum and ν_j = 2^(1-j) for level j, ĝ(ν) = cos(π/2 · log₂(2ν / ν_j)) where
//! ν_j / 4 < ν ≤ ν_j, and 0 elsewhere. The reference maps sample each axis of the spectrum from -1 to 1, ends included, so that
//! an even number of samples has none at the centre and the response would not be quite real; its real part is the response.

use std::f64::consts::PI;
use std::ops::Range;

use rayon::prelude::*;

use super::{Dimensions, Field, Filter};
use crate::ibsi::fourier::{Complex, Transform};
use crate::ibsi::region::cut;

pub(super) fn response(filter: &Filter, field: Field<'_>, part: &[Range<usize>; 3], level: usize) -> Vec<f64> {
    let highest = 0.5f64.powi(level as i32 - 1);
    let gain = |squared: f64| {
        let frequency = squared.sqrt();
        let passes = frequency > highest / 4.0 && frequency <= highest;
        if passes { (PI / 2.0 * (2.0 * frequency / highest).log2()).cos() } else { 0.0 }
    };
    match filter.dimensions {
        Dimensions::Three => cut(&band_pass(field.values, field.shape, gain), field.shape, part),
        Dimensions::Two => {
            let plane = field.shape[1] * field.shape[2];
            let shape = [1, field.shape[1], field.shape[2]];
            let bounds = [0..1, part[1].clone(), part[2].clone()];
            let slices = part[0].clone().into_par_iter().map(|z| &field.values[z * plane..][..plane]);
            slices.map(|slice| cut(&band_pass(slice, shape, gain), shape, &bounds)).collect::<Vec<_>>().concat()
        }
    }
}

/// The place between -1 and 1 of the k-th of n frequencies, in the order of the transform.
fn frequency(k: usize, n: usize) -> f64 {
    let half = (n as f64 - 1.0) / 2.0;
    if n == 1 { 0.0 } else { (((k + n / 2) % n) as f64 - half) / half }
}

/// The values with every frequency multiplied by a gain, a function of the squared distance from the spectrum's centre.
fn band_pass(values: &[f64], shape: [usize; 3], gain: impl Fn(f64) -> f64 + Sync) -> Vec<f64> {
    let transform = Transform::new(shape);
    let mut spectrum: Vec<Complex<f64>> = values.iter().map(|&value| Complex::new(value, 0.0)).collect();
    transform.forward(&mut spectrum);
    let squared = |axis: usize| (0..shape[axis]).map(|k| frequency(k, shape[axis]).powi(2)).collect::<Vec<f64>>();
    let (zs, ys, xs) = (squared(0), squared(1), squared(2));
    let scale = 1.0 / values.len() as f64;
    spectrum.par_chunks_exact_mut(shape[2]).enumerate().for_each(|(row, values)| {
        let across = zs[row / shape[1]] + ys[row % shape[1]];
        values.iter_mut().zip(&xs).for_each(|(value, along)| *value *= gain(across + along) * scale);
    });
    transform.inverse(&mut spectrum);
    spectrum.into_iter().map(|value| value.re).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spectrum_is_sampled_from_end_to_end() {
        assert_eq!((0..5).map(|k| frequency(k, 5)).collect::<Vec<_>>(), [0.0, 0.5, 1.0, -1.0, -0.5]);
        assert_eq!((0..4).map(|k| frequency(k, 4) * 3.0).collect::<Vec<_>>(), [1.0, 3.0, -3.0, -1.0]);
        assert_eq!(frequency(0, 1), 0.0);
    }

    #[test]
    fn a_constant_image_has_no_response() {
        let field = Field { values: &[3.0; 7 * 9 * 5], shape: [7, 9, 5], spacing: [1.0; 3] };
        let filter =
            Filter { dimensions: Dimensions::Three, boundary: Default::default(), kernel: super::super::Kernel::Simoncelli { level: 1 } };
        assert!(response(&filter, field, &[0..7, 0..9, 0..5], 1).iter().all(|value| value.abs() < 1e-12));
    }
}
