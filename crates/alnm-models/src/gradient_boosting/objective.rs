//! The log loss and its derivatives.

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

    pub(super) fn derivatives(&self, scores: &[f64], gradients: &mut [f32], hessians: &mut [f32]) {
        for (i, &score) in scores.iter().enumerate() {
            let (label, weight) =
                if self.positive[i] { (1.0, self.weight_positive) } else { (-1.0, self.weight_negative) };
            let response = -label / (1.0 + (label * score).exp());
            let size = response.abs();
            gradients[i] = (response * weight) as f32;
            hessians[i] = (size * (1.0 - size) * weight) as f32;
        }
    }
}
