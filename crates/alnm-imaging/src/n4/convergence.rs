//! The measure by which a level is found to have converged.

/// The running mean and deviation of ITK's `CalculateConvergenceMeasurement`.
///
/// Mean, deviation and count are single precision and rounded after each voxel. This is not a detail: on volumes of
/// realistic size the mean soon stops to move, the measure differs from the true coefficient of variation by a factor of
/// two, and the number of iterations depends on it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Convergence {
    count: f32,
    mean: f32,
    deviation: f32,
}

impl Convergence {
    /// Adds ratios of the old field to the new one, in raster order.
    pub(super) fn add(&mut self, ratios: &[f32]) {
        let Self { mut count, mut mean, mut deviation } = *self;
        for &ratio in ratios {
            count = (f64::from(count) + 1.0) as f32;
            let n = f64::from(count);
            if n > 1.0 {
                let distance = ratio - mean;
                deviation = (f64::from(deviation) + f64::from(distance * distance) * (n - 1.0) / n) as f32;
            }
            mean = (f64::from(mean) * (1.0 - 1.0 / n) + f64::from(ratio / count)) as f32;
        }
        *self = Self { count, mean, deviation };
    }

    /// Deviation over mean.
    pub(super) fn coefficient_of_variation(&self) -> f32 {
        let deviation = (f64::from(self.deviation) / (f64::from(self.count) - 1.0)).sqrt() as f32;
        deviation / self.mean
    }
}
