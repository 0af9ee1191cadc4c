//! The Wilcoxon signed rank test for paired samples.

use crate::distribution::{normal_cdf, normal_two_sided, normal_upper_tail};
use crate::error::{Result, StatsError, require_finite, require_same_length};
use crate::rank::{midranks, tie_term};
use crate::{Alternative, TestResult};

/// Signed rank test of the differences x − y (R's `wilcox.test(paired = TRUE)`). Zero differences are left out. The
/// p-value is exact for fewer than 50 pairs without ties or zeros, otherwise normal with tie and continuity correction.
/// The statistic V is the sum of the ranks of the positive differences.
///
/// # Errors
/// [`StatsError::LengthMismatch`], [`StatsError::NonFinite`], and [`StatsError::Undefined`] when every difference is
/// zero.
///
/// ```
/// use alnm_stats::{Alternative, signed_rank::wilcoxon};
/// let test = wilcoxon(&[5.0, 6.0, 7.0, 8.0], &[1.0, 3.0, 2.0, 7.0], Alternative::TwoSided)?;
/// assert_eq!((test.statistic, test.p_value), (10.0, 0.125));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn wilcoxon(x: &[f64], y: &[f64], alternative: Alternative) -> Result<TestResult> {
    const OPERATION: &str = "Wilcoxon signed rank test";
    require_same_length(OPERATION, x.len(), y.len())?;
    require_finite(OPERATION, x)?;
    require_finite(OPERATION, y)?;
    let differences: Vec<f64> = x.iter().zip(y).map(|(a, b)| a - b).filter(|d| *d != 0.0).collect();
    if differences.is_empty() {
        return Err(StatsError::Undefined {
            operation: OPERATION,
            requirement: "at least one difference must not be 0",
        });
    }
    let sizes: Vec<f64> = differences.iter().map(|d| d.abs()).collect();
    let ranks = midranks(&sizes);
    let v: f64 = ranks.iter().zip(&differences).filter(|(_, d)| **d > 0.0).map(|(r, _)| r).sum();
    let ties = tie_term(&sizes);
    let n = differences.len();
    if n < 50 && ties == 0.0 && n == x.len() {
        let counts = counts(n);
        let all: f64 = counts.iter().sum();
        let lower = counts[..=v as usize].iter().sum::<f64>() / all;
        let upper = counts[v as usize..].iter().sum::<f64>() / all;
        let p = match alternative {
            Alternative::Less => lower,
            Alternative::Greater => upper,
            Alternative::TwoSided => (2.0 * lower.min(upper)).min(1.0),
        };
        return Ok(TestResult::new("Wilcoxon signed rank exact test", v, &[], p));
    }
    let n = n as f64;
    let distance = v - n * (n + 1.0) / 4.0;
    let sd = (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ties / 48.0).sqrt();
    let shift = match alternative {
        Alternative::TwoSided if distance == 0.0 => 0.0,
        Alternative::TwoSided => 0.5 * distance.signum(),
        Alternative::Greater => 0.5,
        Alternative::Less => -0.5,
    };
    let z = (distance - shift) / sd;
    let p = match alternative {
        Alternative::TwoSided => normal_two_sided(z),
        Alternative::Less => normal_cdf(z),
        Alternative::Greater => normal_upper_tail(z),
    };
    Ok(TestResult::new("Wilcoxon signed rank test with continuity correction", v, &[], p))
}

/// Number of subsets of the ranks 1..=n with each sum.
fn counts(n: usize) -> Vec<f64> {
    let mut counts = vec![0.0; n * (n + 1) / 2 + 1];
    counts[0] = 1.0;
    for rank in 1..=n {
        for s in (rank..counts.len()).rev() {
            counts[s] += counts[s - rank];
        }
    }
    counts
}
