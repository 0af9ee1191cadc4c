//! Mean squares: Σ (f − m)² / N.

use super::{Measure, sums, write_derivative};
use crate::samples::Samples;

#[derive(Debug)]
pub(super) struct MeanSquares {
    pub(super) plane: usize,
}

impl Measure for MeanSquares {
    fn evaluate(&mut self, fixed: &[f32], samples: &Samples, count: usize, derivative: &mut [f32]) -> f64 {
        let [squares] = sums(self.plane, fixed, samples, |f, m| [(f - m) * (f - m)]);
        let factor = 2.0 / count as f32;
        write_derivative(self.plane, fixed, samples, derivative, |f, m| factor * (m - f));
        squares / count as f64
    }
}
