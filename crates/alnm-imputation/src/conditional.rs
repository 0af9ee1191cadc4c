//! The model of one variable given the others, with drawn parameters: values for rows that lack the variable.

use crate::draws::Draws;

/// A sum of columns of the design, each minus its centre and times its weight, over a constant.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub(crate) struct LinearPart {
    pub(crate) constant: f64,
    pub(crate) columns: Vec<usize>,
    pub(crate) centres: Vec<f64>,
    pub(crate) weights: Vec<f64>,
}

impl LinearPart {
    pub(crate) fn at(&self, value: impl Fn(usize) -> f64) -> f64 {
        let terms = self.columns.iter().zip(&self.centres).zip(&self.weights);
        terms.fold(self.constant, |sum, ((&column, centre), weight)| sum + weight * (value(column) - centre))
    }
}

/// A model with drawn parameters, from which values are drawn.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
pub(crate) enum ConditionalModel {
    /// The only value that was observed.
    Constant { value: f64 },
    /// The value of one of the observed rows whose predictions lie nearest.
    MeanMatching { mean: LinearPart, donors: usize, predictions: Vec<f64>, values: Vec<f64> },
    /// Normal noise around a linear prediction.
    Normal { mean: LinearPart, deviation: f64 },
    /// Log odds of each level but the first against the first.
    Multinomial { levels: Vec<f64>, log_odds: Vec<LinearPart> },
    /// Cumulative log odds, threshold minus shift, of the levels but the last.
    Cumulative { levels: Vec<f64>, shift: LinearPart, thresholds: Vec<f64> },
}

impl ConditionalModel {
    /// A value for the row whose design columns `value` gives.
    pub(crate) fn draw(&self, value: impl Fn(usize) -> f64, draws: &mut Draws) -> f64 {
        match self {
            Self::Constant { value } => *value,
            Self::MeanMatching { mean, donors, predictions, values } => {
                let rank = 1 + draws.below((*donors).min(values.len()));
                values[nearest(predictions, mean.at(value), rank)]
            }
            Self::Normal { mean, deviation } => mean.at(value) + deviation * draws.normal(),
            Self::Multinomial { levels, log_odds } => {
                let eta: Vec<f64> = log_odds.iter().map(|part| part.at(&value)).collect();
                let largest = eta.iter().copied().fold(0.0, f64::max);
                let weights: Vec<f64> = std::iter::once(0.0).chain(eta).map(|eta: f64| (eta - largest).exp()).collect();
                let total: f64 = weights.iter().sum();
                let mut below = draws.uniform() * total;
                let level = weights.iter().position(|weight| {
                    below -= weight;
                    below < 0.0
                });
                levels[level.unwrap_or(levels.len() - 1)]
            }
            Self::Cumulative { levels, shift, thresholds } => {
                let (shift, uniform) = (shift.at(value), draws.uniform());
                let level = thresholds.iter().position(|zeta| uniform < 1.0 / (1.0 + (shift - zeta).exp()));
                levels[level.unwrap_or(levels.len() - 1)]
            }
        }
    }
}

/// Position of the prediction that is the `rank`-th nearest, the first being 1; predictions ascend.
fn nearest(predictions: &[f64], target: f64, rank: usize) -> usize {
    let (mut right, mut found) = (predictions.partition_point(|prediction| *prediction < target), 0);
    let mut left = right;
    for _ in 0..rank {
        let take_left =
            left > 0 && (right == predictions.len() || target - predictions[left - 1] < predictions[right] - target);
        if take_left {
            left -= 1;
            found = left;
        } else if right < predictions.len() {
            found = right;
            right += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_are_found_in_order() {
        let predictions = [1.0, 2.0, 4.0, 7.0];
        let order: Vec<usize> = (1..=4).map(|rank| nearest(&predictions, 3.6, rank)).collect();
        assert_eq!(order, [2, 1, 0, 3]);
        assert_eq!((1..=4).map(|rank| nearest(&predictions, -5.0, rank)).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!((1..=4).map(|rank| nearest(&predictions, 50.0, rank)).collect::<Vec<_>>(), [3, 2, 1, 0]);
    }
}
