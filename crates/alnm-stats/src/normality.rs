//! The Shapiro-Wilk test of normality.

use std::f64::consts::FRAC_1_SQRT_2;

use crate::TestResult;
use crate::describe::{mean, sorted};
use crate::distribution::{normal_quantile, normal_upper_tail};
use crate::error::{Result, StatsError, require_count, require_finite};

/// Shapiro and Wilk's W by Royston's algorithm AS R94 (1995), for 3 to 5000 values, as R's `shapiro.test`.
///
/// # Errors
/// [`StatsError::TooFew`] below 3 values, [`StatsError::TooLarge`] above 5000, [`StatsError::Constant`] when all are
/// equal, [`StatsError::NonFinite`] for a missing value.
///
/// ```
/// let test = alnm_stats::normality::shapiro_wilk(&[1.0, 2.0, 3.0, 4.0, 5.0])?;
/// assert!(test.statistic > 0.98 && test.p_value > 0.9);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn shapiro_wilk(values: &[f64]) -> Result<TestResult> {
    const OPERATION: &str = "Shapiro-Wilk test";
    require_finite(OPERATION, values)?;
    require_count(OPERATION, "observations", 3, values.len())?;
    if values.len() > 5000 {
        return Err(StatsError::TooLarge { operation: OPERATION, limit: 5000, unit: "values" });
    }
    let x = sorted(values);
    let n = x.len();
    let range = x[n - 1] - x[0];
    if range < 1e-19 {
        return Err(StatsError::Constant { operation: OPERATION });
    }
    let weights = weights(n);
    let center = mean(&x) / range;
    let (mut ss_weights, mut ss_values, mut cross) = (0.0, 0.0, 0.0);
    for (i, v) in x.iter().enumerate() {
        let mirrored = n - 1 - i;
        let a = match i.cmp(&mirrored) {
            std::cmp::Ordering::Less => -weights[i],
            std::cmp::Ordering::Equal => 0.0,
            std::cmp::Ordering::Greater => weights[mirrored],
        };
        let d = v / range - center;
        ss_weights += a * a;
        ss_values += d * d;
        cross += a * d;
    }
    // 1 − W is computed directly, for W close to 1.
    let root = (ss_weights * ss_values).sqrt();
    let complement = (root - cross) * (root + cross) / (ss_weights * ss_values);
    let w = 1.0 - complement;
    Ok(TestResult::new("Shapiro-Wilk normality test", w, &[], p_value(n, w, complement)))
}

/// Royston's approximation of the coefficients of the ordered values, for the lower half (signs dropped).
fn weights(n: usize) -> Vec<f64> {
    if n == 3 {
        return vec![FRAC_1_SQRT_2];
    }
    let half = n / 2;
    let scores: Vec<f64> = (1..=half).map(|i| normal_quantile((i as f64 - 0.375) / (n as f64 + 0.25))).collect();
    let sum_squares = 2.0 * scores.iter().map(|m| m * m).sum::<f64>();
    let norm = sum_squares.sqrt();
    let u = 1.0 / (n as f64).sqrt();
    let first = polynomial(&[0.0, 0.221157, -0.147981, -2.07119, 4.434685, -2.706056], u) - scores[0] / norm;
    let mut a = vec![0.0; half];
    let (fixed, scale) = if n > 5 {
        let second = polynomial(&[0.0, 0.042981, -0.293762, -1.752461, 5.682633, -3.582633], u) - scores[1] / norm;
        a[1] = second;
        let numerator = sum_squares - 2.0 * scores[0] * scores[0] - 2.0 * scores[1] * scores[1];
        (2, (numerator / (1.0 - 2.0 * first * first - 2.0 * second * second)).sqrt())
    } else {
        (1, ((sum_squares - 2.0 * scores[0] * scores[0]) / (1.0 - 2.0 * first * first)).sqrt())
    };
    a[0] = first;
    for i in fixed..half {
        a[i] = -scores[i] / scale;
    }
    a
}

fn p_value(n: usize, w: f64, complement: f64) -> f64 {
    if n == 3 {
        // Exact for three values: 6/π (asin √W − asin √0.75).
        let stqr = (0.75f64).sqrt().asin();
        return (6.0 / std::f64::consts::PI * (w.sqrt().asin() - stqr)).max(0.0);
    }
    let n = n as f64;
    let y = complement.ln();
    let log_n = n.ln();
    let (transformed, center, spread) = if n <= 11.0 {
        let gamma = polynomial(&[-2.273, 0.459], n);
        if y >= gamma {
            return 1e-99;
        }
        (
            -(gamma - y).ln(),
            polynomial(&[0.544, -0.39978, 0.025054, -6.714e-4], n),
            polynomial(&[1.3822, -0.77857, 0.062767, -0.0020322], n).exp(),
        )
    } else {
        (
            y,
            polynomial(&[-1.5861, -0.31082, -0.083751, 0.0038915], log_n),
            polynomial(&[-0.4803, -0.082676, 0.0030302], log_n).exp(),
        )
    };
    normal_upper_tail((transformed - center) / spread)
}

/// c₀ + c₁x + c₂x² + …
fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}
