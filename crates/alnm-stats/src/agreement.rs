//! Agreement between two readers: Cohen's kappa, Dice overlap, Bland-Altman limits.

use crate::Interval;
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::describe::{mean, standard_deviation};
use crate::distribution::{normal_quantile, t_quantile};
use crate::error::{Result, require_count, require_finite, require_level, require_same_length};

/// Cohen's kappa of two ratings of the same subjects.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Kappa {
    /// (observed − expected)/(1 − expected) agreement; NaN when chance alone gives full agreement.
    pub estimate: f64,
    /// Share of subjects rated alike.
    pub observed_agreement: f64,
    /// Share expected by chance from the two readers' margins.
    pub expected_agreement: f64,
    /// Wald interval with the large-sample standard error of Fleiss, Cohen and Everitt (1969).
    pub interval: Interval,
}

/// Cohen's kappa (unweighted) of categories given as small numbers.
///
/// # Errors
/// [`crate::StatsError::LengthMismatch`], [`crate::StatsError::TooFew`] without subjects,
/// [`crate::StatsError::Parameter`] for the level.
///
/// ```
/// let kappa = alnm_stats::agreement::cohen_kappa(&[0, 0, 1, 1], &[0, 0, 1, 0], 0.95)?;
/// assert_eq!((kappa.observed_agreement, kappa.expected_agreement, kappa.estimate), (0.75, 0.5, 0.5));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn cohen_kappa(first: &[usize], second: &[usize], level: f64) -> Result<Kappa> {
    const OPERATION: &str = "Cohen's kappa";
    require_level(level)?;
    require_same_length(OPERATION, first.len(), second.len())?;
    require_count(OPERATION, "observations", 1, first.len())?;
    let n = first.len() as f64;
    let mut categories: Vec<usize> = first.iter().chain(second).copied().collect();
    categories.sort_unstable();
    categories.dedup();
    let k = categories.len();
    let mut shares = vec![0.0; k * k];
    for (a, b) in first.iter().zip(second) {
        let index = |v| categories.partition_point(|c| c < v);
        shares[index(a) * k + index(b)] += 1.0;
    }
    // Counts are divided once, so that a table with a single cell has the share 1 and not nearly 1.
    shares.iter_mut().for_each(|share| *share /= n);
    let rows: Vec<f64> = (0..k).map(|i| shares[i * k..(i + 1) * k].iter().sum()).collect();
    let columns: Vec<f64> = (0..k).map(|j| (0..k).map(|i| shares[i * k + j]).sum()).collect();
    let observed: f64 = (0..k).map(|i| shares[i * k + i]).sum();
    let expected: f64 = rows.iter().zip(&columns).map(|(r, c)| r * c).sum();
    let kappa = (observed - expected) / (1.0 - expected);
    let diagonal: f64 =
        (0..k).map(|i| shares[i * k + i] * (1.0 - (rows[i] + columns[i]) * (1.0 - kappa)).powi(2)).sum();
    let off: f64 =
        (0..k * k).filter(|e| e / k != e % k).map(|e| shares[e] * (columns[e / k] + rows[e % k]).powi(2)).sum::<f64>()
            * (1.0 - kappa).powi(2);
    let variance = (diagonal + off - (kappa - expected * (1.0 - kappa)).powi(2)) / (n * (1.0 - expected).powi(2));
    let half = normal_quantile(0.5 + level / 2.0) * variance.max(0.0).sqrt();
    Ok(Kappa {
        estimate: kappa,
        observed_agreement: observed,
        expected_agreement: expected,
        interval: Interval { lower: kappa - half, upper: kappa + half, level },
    })
}

/// Dice similarity 2|A ∩ B|/(|A| + |B|) of two masks; 1 when both are empty.
///
/// # Errors
/// [`crate::StatsError::LengthMismatch`] when the masks differ in size.
///
/// ```
/// let overlap = alnm_stats::agreement::dice(&[true, true, false], &[true, false, false])?;
/// assert_eq!(overlap, 2.0 / 3.0);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn dice(first: &[bool], second: &[bool]) -> Result<f64> {
    require_same_length("Dice similarity", first.len(), second.len())?;
    let both = first.iter().zip(second).filter(|(a, b)| **a && **b).count();
    let sizes = first.iter().chain(second).filter(|v| **v).count();
    Ok(if sizes == 0 { 1.0 } else { 2.0 * both as f64 / sizes as f64 })
}

/// Bland and Altman's limits of agreement.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LimitsOfAgreement {
    /// Mean difference, first minus second reader.
    pub bias: f64,
    /// Interval of the bias.
    pub bias_interval: Interval,
    /// Standard deviation of the differences.
    pub standard_deviation: f64,
    /// Lower limit, bias − z·SD.
    pub lower_limit: f64,
    /// Upper limit, bias + z·SD.
    pub upper_limit: f64,
}

/// Bland-Altman analysis: bias and the limits that hold `level` of the differences of two readers.
///
/// # Errors
/// [`crate::StatsError::LengthMismatch`], [`crate::StatsError::TooFew`] below two subjects,
/// [`crate::StatsError::NonFinite`], [`crate::StatsError::Parameter`].
///
/// ```
/// let limits = alnm_stats::agreement::bland_altman(&[10.0, 12.0, 11.0], &[9.0, 10.0, 11.0], 0.95)?;
/// assert_eq!((limits.bias, limits.standard_deviation), (1.0, 1.0));
/// assert!((limits.upper_limit - 2.96).abs() < 1e-3);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn bland_altman(first: &[f64], second: &[f64], level: f64) -> Result<LimitsOfAgreement> {
    const OPERATION: &str = "Bland-Altman analysis";
    require_level(level)?;
    require_same_length(OPERATION, first.len(), second.len())?;
    require_finite(OPERATION, first)?;
    require_finite(OPERATION, second)?;
    require_count(OPERATION, "observations", 2, first.len())?;
    let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| a - b).collect();
    let bias = mean(&differences);
    let standard_deviation = standard_deviation(&differences);
    let n = differences.len() as f64;
    let half = t_quantile(0.5 + level / 2.0, n - 1.0) * standard_deviation / n.sqrt();
    let reach = normal_quantile(0.5 + level / 2.0) * standard_deviation;
    Ok(LimitsOfAgreement {
        bias,
        bias_interval: Interval { lower: bias - half, upper: bias + half, level },
        standard_deviation,
        lower_limit: bias - reach,
        upper_limit: bias + reach,
    })
}

impl Tabulate for Kappa {
    const COLUMNS: &'static [&'static str] = &["kappa", "lower", "upper", "observed agreement", "expected agreement"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![
            self.estimate,
            self.interval.lower,
            self.interval.upper,
            self.observed_agreement,
            self.expected_agreement
        ]]
    }
}

impl Tabulate for LimitsOfAgreement {
    const COLUMNS: &'static [&'static str] = &["bias", "bias lower", "bias upper", "SD", "lower limit", "upper limit"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![
            self.bias,
            self.bias_interval.lower,
            self.bias_interval.upper,
            self.standard_deviation,
            self.lower_limit,
            self.upper_limit
        ]]
    }
}
