//! What N4 found.

use serde::Serialize;

use crate::volume::Volume;

/// The state of the fit after one iteration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct N4Iteration {
    /// Level, from 0.
    pub level: usize,
    /// Number of levels.
    pub levels: usize,
    /// Iteration on this level, from 1.
    pub iteration: usize,
    /// The most iterations of this level.
    pub max_iterations: usize,
    /// Coefficient of variation of the change of the field.
    pub convergence: f32,
}

/// How the fit ended on one level.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct N4Level {
    /// Control points along x, y and z.
    pub control_points: [usize; 3],
    /// The convergence after each iteration.
    pub convergence: Vec<f32>,
    /// Whether the last of them was at most the threshold; otherwise the iterations were used up.
    pub converged: bool,
}

/// A corrected image, with the field by which it was divided.
#[derive(Debug, Clone, PartialEq)]
pub struct N4Result {
    pub(super) corrected: Volume<f32>,
    pub(super) log_bias_field: Volume<f32>,
    pub(super) levels: Vec<N4Level>,
}

impl N4Result {
    /// The image divided by the bias field, inside and outside the mask.
    #[must_use]
    pub fn corrected(&self) -> &Volume<f32> {
        &self.corrected
    }

    /// [`N4Result::corrected`] without the rest.
    #[must_use]
    pub fn into_corrected(self) -> Volume<f32> {
        self.corrected
    }

    /// Natural logarithm of the bias field on the image's grid.
    #[must_use]
    pub fn log_bias_field(&self) -> &Volume<f32> {
        &self.log_bias_field
    }

    /// The levels in order.
    #[must_use]
    pub fn levels(&self) -> &[N4Level] {
        &self.levels
    }

    /// The corrected image and the logarithm of the bias field.
    #[must_use]
    pub fn into_parts(self) -> (Volume<f32>, Volume<f32>) {
        (self.corrected, self.log_bias_field)
    }

    /// Iterations on all levels.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.levels.iter().map(|level| level.convergence.len()).sum()
    }

    /// The bias field: what the image was divided by.
    #[must_use]
    pub fn bias_field(&self) -> Volume<f32> {
        self.log_bias_field.map(|value| value.exp())
    }
}
