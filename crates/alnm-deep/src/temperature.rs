//! Calibration of logits by a temperature.

use serde::{Deserialize, Serialize};

use crate::error::{DeepError, Result};

/// A temperature T by which logits are divided, so that the probabilities `σ(z/T)` are calibrated (Guo et al. 2017). It
/// changes neither the order of the logits nor the class at a threshold of one half.
///
/// It is fitted on examples that the network was not trained on: those held out, or out-of-fold logits.
///
/// ```
/// use alnm_deep::Temperature;
///
/// // Of four logits of 4 and four of -4, one each is wrong: three quarters are right, not the 98 % of σ(4).
/// let logits = [4.0, 4.0, 4.0, 4.0, -4.0, -4.0, -4.0, -4.0];
/// let labels = [true, true, true, false, false, false, false, true];
/// let temperature = Temperature::fit(&logits, &labels)?;
/// assert!((temperature.probability(4.0) - 0.75).abs() < 1e-9);
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Temperature(f64);

impl TryFrom<f64> for Temperature {
    type Error = DeepError;

    fn try_from(value: f64) -> Result<Self> {
        Self::new(value)
    }
}

impl From<Temperature> for f64 {
    fn from(temperature: Temperature) -> Self {
        temperature.0
    }
}

/// Inverse temperatures between which the best one is looked for.
const INVERSES: [f64; 2] = [1e-6, 1e6];

impl Temperature {
    /// A temperature that is known.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] unless it is finite and above 0.
    pub fn new(value: f64) -> Result<Self> {
        if value.is_finite() && value > 0.0 {
            return Ok(Self(value));
        }
        Err(DeepError::parameter("temperature", value, "finite and above 0"))
    }

    /// The temperature of the lowest mean cross-entropy. The loss is convex in 1/T, whose root is found by bisection to
    /// the last digits.
    ///
    /// # Errors
    /// [`DeepError::Shape`] when there are not as many labels as logits; [`DeepError::NotFinite`] for a logit that is
    /// not finite; [`DeepError::Parameter`] where no temperature is the best: the logits separate the classes (the loss
    /// falls to zero as T does), or do not tell them apart (it falls as T grows).
    pub fn fit(logits: &[f64], labels: &[bool]) -> Result<Self> {
        if logits.len() != labels.len() {
            let expected = logits.len().to_string();
            return Err(DeepError::Shape { operation: "labels of logits", got: vec![labels.len()], expected });
        }
        if let Some((place, value)) = logits.iter().enumerate().find(|(_, logit)| !logit.is_finite()) {
            let position = format!("place {place}");
            return Err(DeepError::NotFinite { operation: "logit", position, value: *value });
        }
        // The derivative of the loss with respect to 1/T rises with it.
        let slope = |inverse: f64| -> f64 {
            let of = |(logit, label): (&f64, &bool)| {
                logit * (1.0 / (1.0 + (-logit * inverse).exp()) - f64::from(u8::from(*label)))
            };
            logits.iter().zip(labels).map(of).sum()
        };
        let [mut low, mut high] = INVERSES;
        if slope(low) >= 0.0 || slope(high) <= 0.0 {
            let value = if slope(low) >= 0.0 { "without bound" } else { "0" };
            let requirement = "finite and above 0: logits that neither separate the classes nor are unrelated to them";
            return Err(DeepError::parameter("best temperature", value, requirement));
        }
        for _ in 0..200 {
            let middle = (low * high).sqrt();
            if slope(middle) < 0.0 { low = middle } else { high = middle }
        }
        Self::new(1.0 / (low * high).sqrt())
    }

    /// T.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }

    /// The probability `σ(z/T)` of a logit z.
    #[must_use]
    pub fn probability(self, logit: f64) -> f64 {
        1.0 / (1.0 + (-logit / self.0).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_is_lowest_at_the_fitted_temperature() {
        let logits: Vec<f64> = (0..200).map(|i| 6.0 * (f64::from(i) * 0.37).sin()).collect();
        let labels: Vec<bool> =
            logits.iter().enumerate().map(|(i, z)| z + 5.0 * (i as f64 * 1.7).cos() > 0.0).collect();
        let loss = |temperature: f64| -> f64 {
            let of = |(z, y): (&f64, &bool)| {
                let p = 1.0 / (1.0 + (-z / temperature).exp());
                -(if *y { p } else { 1.0 - p }).ln()
            };
            logits.iter().zip(&labels).map(of).sum()
        };
        let best = Temperature::fit(&logits, &labels).unwrap().value();
        for factor in [0.99, 1.01] {
            assert!(loss(best) < loss(best * factor), "{best}");
        }
    }

    #[test]
    fn logits_without_a_best_temperature_are_refused() {
        let of = |logits: &[f64], labels: &[bool]| Temperature::fit(logits, labels).map_err(|error| error.to_string());
        assert!(of(&[1.0, -1.0], &[true, false]).unwrap_err().contains("best temperature is 0"));
        assert!(of(&[1.0, -1.0], &[false, true]).unwrap_err().contains("without bound"));
        assert!(of(&[1.0], &[]).is_err() && of(&[f64::NAN], &[true]).is_err() && of(&[], &[]).is_err());
        assert!(Temperature::new(0.0).is_err());
        assert!(serde_json::from_str::<Temperature>("-1.0").is_err());
    }
}
