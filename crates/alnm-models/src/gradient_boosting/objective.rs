//! The log loss and its derivatives.

use rayon::prelude::*;

use super::params::BoostingParams;
use crate::Labels;

/// LightGBM's guard against empty Hessians.
pub(super) const KEPSILON: f64 = 1e-15f32 as f64;

/// Log loss of labels −1 and 1.
pub(super) struct Objective {
    positive: Vec<bool>,
    weight_positive: f64,
    weight_negative: f64,
    /// Log odds of the prevalence.
    pub(super) log_odds: f64,
}

impl Objective {
    pub(super) fn new(labels: &Labels, params: &BoostingParams) -> Self {
        let (positives, negatives) = (labels.positives() as f64, labels.negatives() as f64);
        let (mut weight_positive, mut weight_negative) = (1.0, 1.0);
        if params.is_unbalance {
            if positives > negatives {
                weight_negative = positives / negatives;
            } else {
                weight_positive = negatives / positives;
            }
        }
        let average = positives / (positives + negatives);
        let log_odds = (average / (1.0 - average)).ln();
        Self { positive: labels.as_slice().to_vec(), weight_positive, weight_negative, log_odds }
    }

    /// Gradient and Hessian of every row.
    pub(super) fn derivatives(&self, scores: &[f64], derivatives: &mut [[f32; 2]]) {
        const ROWS_OF_A_THREAD: usize = 4096;
        let rows = derivatives.par_iter_mut().with_min_len(ROWS_OF_A_THREAD).zip(scores).zip(&self.positive);
        rows.for_each(|((derivatives, &score), &positive)| {
            let (label, weight) = if positive { (1.0, self.weight_positive) } else { (-1.0, self.weight_negative) };
            let response = -label / (1.0 + (label * score).exp());
            let size = response.abs();
            *derivatives = [(response * weight) as f32, (size * (1.0 - size) * weight) as f32];
        });
    }
}
