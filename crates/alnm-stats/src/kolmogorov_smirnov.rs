//! The two-sample Kolmogorov-Smirnov test.

use crate::TestResult;
use crate::error::{Result, require_count, require_finite};
use crate::rank::ascending_order;

/// Two-sided Kolmogorov-Smirnov test (R's `ks.test`): exact, ties included, when the product of the sizes is below
/// 10⁴, otherwise by the limiting distribution. The statistic is the largest distance of the two empirical distribution
/// functions.
///
/// # Errors
/// [`crate::StatsError::TooFew`] for an empty group, [`crate::StatsError::NonFinite`] for a missing value.
///
/// ```
/// let test = alnm_stats::kolmogorov_smirnov::two_sample(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0])?;
/// assert_eq!(test.statistic, 1.0);
/// assert!((test.p_value - 0.1).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn two_sample(x: &[f64], y: &[f64]) -> Result<TestResult> {
    const OPERATION: &str = "Kolmogorov-Smirnov test";
    require_finite(OPERATION, x)?;
    require_finite(OPERATION, y)?;
    require_count(OPERATION, "observations per group", 1, x.len().min(y.len()))?;
    let statistic = largest_distance(x, y);
    if x.len() * y.len() < 10_000 {
        Ok(TestResult::new("Exact two-sample Kolmogorov-Smirnov test", statistic, &[], exact_p(x, y, statistic)))
    } else {
        let (m, n) = (x.len() as f64, y.len() as f64);
        let p = limiting_p(statistic * (m * n / (m + n)).sqrt());
        Ok(TestResult::new("Asymptotic two-sample Kolmogorov-Smirnov test", statistic, &[], p))
    }
}

/// Largest distance of the empirical distribution functions of `x` and `y`.
///
/// It is found in whole numbers and divided once, by the least common multiple of the sizes: equal distances have the
/// same bits, as in scipy's `ks_2samp`.
///
/// ```
/// use alnm_stats::kolmogorov_smirnov::largest_distance;
/// assert_eq!(largest_distance(&[1.0, 2.0], &[2.0, 3.0]), 0.5);
/// ```
#[must_use]
pub fn largest_distance(x: &[f64], y: &[f64]) -> f64 {
    let common = greatest_common_divisor(x.len(), y.len());
    if common == 0 {
        return 0.0;
    }
    let (step_x, step_y) = ((y.len() / common) as i64, (x.len() / common) as i64);
    let pooled = [x, y].concat();
    let order = ascending_order(&pooled);
    let (mut distance, mut largest) = (0, 0);
    for (k, &i) in order.iter().enumerate() {
        distance += if i < x.len() { step_x } else { -step_y };
        let end_of_tie = k + 1 == order.len() || pooled[order[k + 1]] != pooled[i];
        if end_of_tie {
            largest = largest.max(distance.abs());
        }
    }
    largest as f64 / (x.len() as f64 * y.len() as f64 / common as f64)
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// Probability that a random path of ranks reaches the distance at the end of some tie.
fn exact_p(x: &[f64], y: &[f64], statistic: f64) -> f64 {
    let (m, n) = (x.len(), y.len());
    let pooled = crate::describe::sorted(&[x, y].concat());
    let checked: Vec<bool> = (0..=m + n).map(|k| k > 0 && (k == m + n || pooled[k - 1] != pooled[k])).collect();
    // Distances are multiples of 1/(mn); the fuzz keeps the observed one inside.
    let (mf, nf) = (m as f64, n as f64);
    let threshold = (0.5 + (statistic * mf * nf - 1e-7).floor()) / (mf * nf);
    let reached = |i: usize, j: usize| checked[i + j] && (i as f64 / mf - j as f64 / nf).abs() >= threshold;
    let mut row = vec![0.0; n + 1];
    for i in 0..=m {
        for j in 0..=n {
            row[j] = if reached(i, j) {
                1.0
            } else if i == 0 {
                if j == 0 { 0.0 } else { row[j - 1] }
            } else if j == 0 {
                row[0]
            } else {
                let steps = (i + j) as f64;
                i as f64 / steps * row[j] + j as f64 / steps * row[j - 1]
            };
        }
    }
    row[n]
}

/// P(K > t) of the limiting distribution, 2 Σ (−1)^(k−1) exp(−2k²t²).
fn limiting_p(t: f64) -> f64 {
    if t < 1.0 {
        let z = -(std::f64::consts::PI.powi(2) / 8.0) / (t * t);
        let w = t.ln();
        let below: f64 = (1..40).step_by(2).map(|k| (f64::from(k * k) * z - w).exp()).sum::<f64>()
            * (2.0 * std::f64::consts::PI).sqrt();
        return 1.0 - below;
    }
    let z = -2.0 * t * t;
    let mut sum = 0.0;
    let mut sign = 1.0;
    for k in 1..200 {
        let term = (z * f64::from(k * k)).exp();
        sum += sign * term;
        if term < 1e-18 {
            break;
        }
        sign = -sign;
    }
    2.0 * sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        // Distances that are equal in theory are equal, whatever turns the samples round.
        #[test]
        fn distances_have_the_same_bits_either_way_round(
            x in proptest::collection::vec(-5i8..5, 1..40),
            y in proptest::collection::vec(-5i8..5, 1..40),
        ) {
            let values = |v: &[i8], sign: f64| v.iter().map(|v| sign * f64::from(*v)).collect::<Vec<_>>();
            let distance = largest_distance(&values(&x, 1.0), &values(&y, 1.0));
            prop_assert_eq!(distance, largest_distance(&values(&y, 1.0), &values(&x, 1.0)));
            prop_assert_eq!(distance, largest_distance(&values(&x, -1.0), &values(&y, -1.0)));
            let share = |v: &[i8], t: i8| v.iter().filter(|v| **v <= t).count() as f64 / v.len() as f64;
            let slow = (-5..5).map(|t| (share(&x, t) - share(&y, t)).abs()).fold(0.0, f64::max);
            prop_assert!((distance - slow).abs() < 1e-14);
        }
    }
}
