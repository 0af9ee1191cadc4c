//! One minus the square of Pearson's correlation of all voxels.

use super::{Measure, sums, write_derivative};
use crate::samples::Samples;

#[derive(Debug)]
pub(super) struct Correlation {
    pub(super) plane: usize,
}

impl Measure for Correlation {
    fn evaluate(&mut self, fixed: &[f32], samples: &Samples, count: usize, derivative: &mut [f32]) -> f64 {
        let [f, m, ff, mm, fm] = sums(self.plane, fixed, samples, |f, m| [f, m, f * f, m * m, f * m]);
        let n = count as f64;
        let (covariance, fixed_variance, moving_variance) = (fm - f * m / n, ff - f * f / n, mm - m * m / n);
        let product = fixed_variance * moving_variance;
        if product <= f64::MIN_POSITIVE {
            derivative.fill(0.0);
            return 1.0;
        }
        let along_fixed = (-2.0 * covariance / product) as f32;
        let along_moving = (2.0 * covariance * covariance / (product * moving_variance)) as f32;
        let (fixed_mean, moving_mean) = ((f / n) as f32, (m / n) as f32);
        write_derivative(self.plane, fixed, samples, derivative, |f, m| {
            along_fixed * (f - fixed_mean) + along_moving * (m - moving_mean)
        });
        1.0 - covariance * covariance / product
    }
}
