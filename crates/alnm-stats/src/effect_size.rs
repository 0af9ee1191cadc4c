//! Standardised mean differences. The sign is that of the first group minus the second.

use statrs::function::gamma::ln_gamma;

use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::describe::{mean, standard_deviation, variance};
use crate::error::{Result, require_count, require_finite};
use crate::linear::solve_symmetric;

/// Standardised differences of two means.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MeanDifference {
    /// Cohen's d: over the pooled standard deviation.
    pub cohen_d: f64,
    /// Hedges' g: Cohen's d times the exact small-sample factor.
    pub hedges_g: f64,
    /// Hedges' g with the approximate factor 1 − 3/(4·df − 1).
    pub hedges_g_approximate: f64,
    /// Over the root of the mean of the two variances, the balance measure of `tableone`.
    pub average_variance: f64,
    /// Glass' Δ: over the standard deviation of the first group.
    pub glass_first: f64,
    /// Glass' Δ: over the standard deviation of the second group.
    pub glass_second: f64,
}

impl MeanDifference {
    /// Standardised differences of `x` and `y`. Groups that do not vary give infinite or NaN values.
    ///
    /// # Errors
    /// [`crate::StatsError::TooFew`] for an empty group, [`crate::StatsError::NonFinite`] for a missing value.
    ///
    /// ```
    /// use alnm_stats::effect_size::MeanDifference;
    /// let difference = MeanDifference::of(&[1.0, 2.0, 3.0], &[2.0, 3.0, 4.0])?;
    /// assert_eq!((difference.cohen_d, difference.average_variance), (-1.0, -1.0));
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn of(x: &[f64], y: &[f64]) -> Result<Self> {
        const OPERATION: &str = "standardised mean difference";
        require_finite(OPERATION, x)?;
        require_finite(OPERATION, y)?;
        require_count(OPERATION, "observations per group", 1, x.len().min(y.len()))?;
        let (m, n) = (x.len() as f64, y.len() as f64);
        let difference = mean(x) - mean(y);
        let (vx, vy) = (variance(x), variance(y));
        let df = m + n - 2.0;
        let cohen_d = difference / (((m - 1.0) * vx + (n - 1.0) * vy) / df).sqrt();
        let factor = (ln_gamma(df / 2.0) - (df / 2.0).sqrt().ln() - ln_gamma((df - 1.0) / 2.0)).exp();
        Ok(Self {
            cohen_d,
            hedges_g: factor * cohen_d,
            hedges_g_approximate: (1.0 - 3.0 / (4.0 * df - 1.0)) * cohen_d,
            average_variance: difference / ((vx + vy) / 2.0).sqrt(),
            glass_first: difference / standard_deviation(x),
            glass_second: difference / standard_deviation(y),
        })
    }
}

/// Standardised difference of two proportions, (p₁ − p₂)/√((p₁q₁ + p₂q₂)/2).
///
/// ```
/// let difference = alnm_stats::effect_size::proportion_difference(0.6, 0.4);
/// assert!((difference - 0.2 / 0.24_f64.sqrt()).abs() < 1e-12);
/// ```
#[must_use]
pub fn proportion_difference(p1: f64, p2: f64) -> f64 {
    (p1 - p2) / ((p1 * (1.0 - p1) + p2 * (1.0 - p2)) / 2.0).sqrt()
}

/// Standardised difference of two multinomial distributions (Yang and Dalton 2012): √(dᵀ S⁻¹ d) over all levels but the
/// first. `None` when the covariance S is singular, for instance when a level is empty in both groups.
///
/// ```
/// use alnm_stats::effect_size::multinomial_difference;
/// assert_eq!(multinomial_difference(&[50.0, 50.0], &[20.0, 20.0]), Some(0.0));
/// assert_eq!(multinomial_difference(&[50.0, 0.0], &[20.0, 0.0]), None);
/// ```
#[must_use]
pub fn multinomial_difference(first: &[f64], second: &[f64]) -> Option<f64> {
    let proportions = |counts: &[f64]| {
        let total: f64 = counts.iter().sum();
        counts.iter().skip(1).map(|c| c / total).collect::<Vec<_>>()
    };
    let (p, q) = (proportions(first), proportions(second));
    let k = p.len();
    let covariance: Vec<f64> = (0..k * k)
        .map(|e| {
            let (i, j) = (e / k, e % k);
            let part = |p: &[f64]| if i == j { p[i] * (1.0 - p[i]) } else { -p[i] * p[j] };
            (part(&p) + part(&q)) / 2.0
        })
        .collect();
    let d: Vec<f64> = p.iter().zip(&q).map(|(a, b)| a - b).collect();
    let solved = solve_symmetric(&covariance, &d)?;
    Some(d.iter().zip(&solved).map(|(a, b)| a * b).sum::<f64>().sqrt())
}

impl Tabulate for MeanDifference {
    const COLUMNS: &'static [&'static str] = &[
        "Cohen's d",
        "Hedges' g",
        "Hedges' g, approximate",
        "over average variance",
        "Glass' delta, first",
        "Glass' delta, second",
    ];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![
            self.cohen_d,
            self.hedges_g,
            self.hedges_g_approximate,
            self.average_variance,
            self.glass_first,
            self.glass_second
        ]]
    }
}
