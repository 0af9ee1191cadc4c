//! The binary cross-entropy of logits, weighted by class, with smoothed labels.

use crate::error::{DeepError, Result};

/// The binary cross-entropy that a training minimises.
///
/// The loss of a batch of n logits z with labels y is `1/n · Σ w(y) · (ln(1 + eᶻ) − t(y)·z)`, w being the weight of the
/// label's class and `t(0) = s/2`, `t(1) = 1 − s/2` the labels smoothed by s (Szegedy et al. 2016). The default has
/// weights of 1 and no smoothing.
///
/// ```
/// use alnm_deep::CrossEntropyLoss;
///
/// let loss = CrossEntropyLoss::new([0.7, 1.6], 0.1)?;
/// assert_eq!(loss.class_weights(), [0.7, 1.6]);
/// let error = CrossEntropyLoss::new([0.0, 1.0], 0.1).unwrap_err();
/// assert_eq!(error.to_string(), "class_weights is [0.0, 1.0]; it must be finite and above 0");
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossEntropyLoss {
    class_weights: [f64; 2],
    label_smoothing: f64,
}

impl Default for CrossEntropyLoss {
    fn default() -> Self {
        Self { class_weights: [1.0; 2], label_smoothing: 0.0 }
    }
}

/// The loss of a batch, with its gradient with respect to the logits.
pub(crate) struct LossOfLogits {
    pub(crate) mean: f64,
    pub(crate) gradient: Vec<f32>,
}

impl CrossEntropyLoss {
    /// A loss with the weights of a negative and of a positive example, and the smoothing of labels.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] unless the weights are finite and above 0 and the smoothing lies in [0, 1).
    pub fn new(class_weights: [f64; 2], label_smoothing: f64) -> Result<Self> {
        if !class_weights.iter().all(|weight| weight.is_finite() && *weight > 0.0) {
            return Err(DeepError::parameter("class_weights", format!("{class_weights:?}"), "finite and above 0"));
        }
        if !(0.0..1.0).contains(&label_smoothing) {
            return Err(DeepError::parameter("label_smoothing", label_smoothing, "in [0, 1)"));
        }
        Ok(Self { class_weights, label_smoothing })
    }

    /// The weights of a negative and of a positive example.
    #[must_use]
    pub fn class_weights(&self) -> [f64; 2] {
        self.class_weights
    }

    /// The smoothing s, by which labels become s/2 and 1 − s/2.
    #[must_use]
    pub fn label_smoothing(&self) -> f64 {
        self.label_smoothing
    }

    /// The loss of the same weights without smoothing.
    pub(crate) fn without_smoothing(self) -> Self {
        Self { label_smoothing: 0.0, ..self }
    }

    /// The weight of a label's class.
    pub(crate) fn weight(&self, label: bool) -> f64 {
        self.class_weights[usize::from(label)]
    }

    /// The smoothed label.
    pub(crate) fn target(&self, label: bool) -> f64 {
        f64::from(u8::from(label)) * (1.0 - self.label_smoothing) + self.label_smoothing / 2.0
    }

    pub(crate) fn of(&self, logits: &[f64], labels: &[bool]) -> LossOfLogits {
        let count = logits.len() as f64;
        let mut mean = 0.0;
        let gradient = logits
            .iter()
            .zip(labels)
            .map(|(&logit, &label)| {
                let target = self.target(label);
                let weight = self.weight(label) / count;
                mean += weight * (logit.max(0.0) - logit * target + (-logit.abs()).exp().ln_1p());
                (weight * (1.0 / (1.0 + (-logit).exp()) - target)) as f32
            })
            .collect();
        LossOfLogits { mean, gradient }
    }

    /// The loss of mixtures: `share` times that for the first labels, and the rest times that for the second ones.
    pub(crate) fn of_mixed(&self, logits: &[f64], labels: [&[bool]; 2], share: f64) -> LossOfLogits {
        let [first, second] = labels.map(|labels| self.of(logits, labels));
        let mixed = |x: f64, y: f64| share * x + (1.0 - share) * y;
        let gradients = first.gradient.iter().zip(&second.gradient);
        LossOfLogits {
            mean: mixed(first.mean, second.mean),
            gradient: gradients.map(|(x, y)| mixed(f64::from(*x), f64::from(*y)) as f32).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without class weights the loss of a mixture is the cross-entropy of the mixed label.
    #[test]
    fn the_loss_of_a_mixture_is_that_of_the_mixed_label() {
        let logits = [0.3, -1.2, 2.0];
        let labels: [&[bool]; 2] = [&[true, false, true], &[false, false, true]];
        let mixed = CrossEntropyLoss::default().of_mixed(&logits, labels, 0.7);
        let targets = [0.7, 0.0, 1.0];
        let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
        let of = |(z, t): (f64, f64)| -(t * sigmoid(z).ln() + (1.0 - t) * (1.0 - sigmoid(z)).ln());
        let wanted = logits.into_iter().zip(targets).map(of).sum::<f64>() / 3.0;
        assert!((mixed.mean - wanted).abs() < 1e-12, "{} {wanted}", mixed.mean);
        for ((gradient, z), target) in mixed.gradient.iter().zip(logits).zip(targets) {
            assert!((f64::from(*gradient) - (sigmoid(z) - target) / 3.0).abs() < 1e-7);
        }
    }

    #[test]
    fn cross_entropy_gradient_agrees_with_finite_differences() {
        let labels = [true, false, true];
        let criterion = CrossEntropyLoss::new([0.7, 1.6], 0.1).unwrap();
        let logits = [0.3, -1.2, 40.0];
        for index in 0..3 {
            let (mut up, mut down) = (logits, logits);
            up[index] += 1e-5;
            down[index] -= 1e-5;
            let numeric = (criterion.of(&up, &labels).mean - criterion.of(&down, &labels).mean) / 2e-5;
            assert!((f64::from(criterion.of(&logits, &labels).gradient[index]) - numeric).abs() < 1e-6);
        }
    }
}
