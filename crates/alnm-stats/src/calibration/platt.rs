//! Platt's scaling.

use crate::Labels;
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::error::{Result, StatsError, require_finite, require_same_length};
use crate::linear::solve_symmetric;
use crate::logit::expit;

/// Risks from the scores of a classifier, 1/(1 + exp(−(intercept + slope · score))), by Platt (1999): a logistic
/// regression whose outcomes are drawn in, (n₁ + 1)/(n₁ + 2) for the n₁ events and 1/(n₀ + 2) for the n₀ others, so
/// that it exists where the score separates the outcome.
///
/// For predicted risks, [`recalibrate`](super::recalibrate()) on their log odds is the usual correction.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PlattScaling {
    intercept: f64,
    slope: f64,
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    PlattScaling {
        intercept: f64,
        slope: f64,
    }
}

#[cfg(feature = "serde")]
impl PlattScaling {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        for (name, value) in [("intercept", self.intercept), ("slope", self.slope)] {
            if !value.is_finite() {
                return Err(format!("{name} of Platt's scaling is {value}; it must be finite"));
            }
        }
        Ok(())
    }
}

impl PlattScaling {
    /// Fits to the outcomes of the scores, which may be any numbers.
    ///
    /// # Errors
    /// [`StatsError::LengthMismatch`], [`StatsError::NonFinite`], [`StatsError::OneClass`], [`StatsError::Constant`]
    /// when all scores are equal.
    ///
    /// ```
    /// use alnm_stats::{Labels, calibration::PlattScaling};
    /// let labels = Labels::new(vec![false, false, true, true]);
    /// let platt = PlattScaling::fit(&labels, &[-2.0, -1.0, 1.0, 2.0])?;
    /// // Two events and two others count as 3/4 and 1/4.
    /// assert!((platt.apply(1.5) - 0.75).abs() < 0.03);
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn fit(labels: &Labels, scores: &[f64]) -> Result<Self> {
        const OPERATION: &str = "Platt's scaling";
        const ITERATIONS: usize = 100;
        require_same_length(OPERATION, labels.len(), scores.len())?;
        require_finite(OPERATION, scores)?;
        labels.require_both(OPERATION)?;
        if scores.iter().all(|s| *s == scores[0]) {
            return Err(StatsError::Constant { operation: OPERATION });
        }
        let (n1, n0) = (labels.positives() as f64, labels.negatives() as f64);
        let targets: Vec<f64> = labels
            .as_slice()
            .iter()
            .map(|&event| if event { (n1 + 1.0) / (n1 + 2.0) } else { 1.0 / (n0 + 2.0) })
            .collect();
        // Standardised scores, so that any scale of the classifier will do.
        let mean = crate::describe::mean(scores);
        let scale = scores.iter().map(|s| (s - mean).abs()).fold(0.0, f64::max);
        let x: Vec<f64> = scores.iter().map(|s| (s - mean) / scale).collect();
        let loss = |a: f64, b: f64| -> f64 {
            let terms = x.iter().zip(&targets).map(|(x, t)| {
                let e = a + b * x;
                e.max(0.0) + (-e.abs()).exp().ln_1p() - t * e
            });
            terms.sum()
        };
        let (mut a, mut b) = (0.0, 0.0);
        for _ in 0..ITERATIONS {
            let (mut gradient, mut information) = ([0.0; 2], [0.0; 4]);
            for (x, target) in x.iter().zip(&targets) {
                let p = expit(a + b * x);
                let (residual, weight) = (target - p, p * (1.0 - p));
                gradient[0] += residual;
                gradient[1] += residual * x;
                information[0] += weight;
                information[1] += weight * x;
                information[3] += weight * x * x;
            }
            information[2] = information[1];
            let Some(step) = solve_symmetric(&information, &gradient) else {
                return Err(StatsError::Constant { operation: OPERATION });
            };
            let current = loss(a, b);
            let mut size = 1.0;
            while loss(a + size * step[0], b + size * step[1]) > current + 1e-12 * (1.0 + current) && size > 1e-6 {
                size /= 2.0;
            }
            (a, b) = (a + size * step[0], b + size * step[1]);
            if step[0].abs().max(step[1].abs()) < 1e-13 * (1.0 + a.abs().max(b.abs())) {
                return Ok(Self { intercept: a - b * mean / scale, slope: b / scale });
            }
        }
        Err(StatsError::NotConverged { operation: OPERATION, iterations: ITERATIONS })
    }

    /// Intercept, on the scale of log odds.
    #[must_use]
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// Log odds per unit of the score.
    #[must_use]
    pub fn slope(&self) -> f64 {
        self.slope
    }

    /// The risk of a score.
    #[must_use]
    pub fn apply(&self, score: f64) -> f64 {
        expit(self.intercept + self.slope * score)
    }
}

impl Tabulate for PlattScaling {
    const COLUMNS: &'static [&'static str] = &["intercept", "slope"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![self.intercept, self.slope]]
    }
}
