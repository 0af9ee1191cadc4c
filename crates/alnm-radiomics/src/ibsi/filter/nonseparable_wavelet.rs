//! The Simoncelli wavelet, defined by its spectrum.
//!
//! With ν the distance from the centre of the spectrum and ν_j = 2^(1-j) for level j, ĝ(ν) = cos(π/2 · log₂(2ν / ν_j))
//! where ν_j / 4 < ν ≤ ν_j, and 0 elsewhere.

use std::f64::consts::PI;
use std::ops::Range;

use rayon::prelude::*;

use super::riesz::Riesz;
use super::spectrum::{length, multiplied};
use super::{Dimensions, Field, Filter};
use crate::ibsi::fourier::Complex;
use crate::ibsi::region::box_values;

pub(super) fn response(
    filter: &Filter,
    field: Field<'_>,
    part: &[Range<usize>; 3],
    level: usize,
    riesz: Option<Riesz>,
) -> Vec<f64> {
    let highest = 0.5f64.powi(level as i32 - 1);
    let factor = |frequency: [f64; 3]| {
        let distance = length(frequency);
        if distance <= highest / 4.0 || distance > highest {
            return Complex::new(0.0, 0.0);
        }
        let gain = (PI / 2.0 * (2.0 * distance / highest).log2()).cos();
        riesz.map_or(Complex::new(1.0, 0.0), |riesz| riesz.factor(frequency)) * gain
    };
    match filter.dimensions {
        Dimensions::Three => box_values(&multiplied(field.values, field.shape, factor), field.shape, part),
        Dimensions::Two => {
            let plane = field.shape[1] * field.shape[2];
            let shape = [1, field.shape[1], field.shape[2]];
            let bounds = [0..1, part[1].clone(), part[2].clone()];
            let slices = part[0].clone().into_par_iter().map(|z| &field.values[z * plane..][..plane]);
            slices
                .map(|slice| box_values(&multiplied(slice, shape, factor), shape, &bounds))
                .collect::<Vec<_>>()
                .concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BoundaryCondition, Kernel};
    use super::*;

    #[test]
    fn a_constant_image_has_no_response() {
        let field = Field { values: &[3.0; 7 * 9 * 5], shape: [7, 9, 5], spacing: [1.0; 3] };
        let kernel = Kernel::Simoncelli { level: 1, riesz_order: None };
        let filter = Filter { dimensions: Dimensions::Three, boundary: BoundaryCondition::Periodic, kernel };
        assert!(response(&filter, field, &[0..7, 0..9, 0..5], 1, None).iter().all(|value| value.abs() < 1e-12));
    }
}
