//! Correlation of two variables and of all pairs of columns.

use crate::Interval;
use crate::TestResult;
use crate::describe::mean;
use crate::distribution::{normal_quantile, t_two_sided};
use crate::error::{Result, StatsError, require_count, require_finite, require_level, require_same_length};
use crate::rank::midranks;
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Which correlation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Correlation {
    /// Pearson's product-moment correlation.
    #[default]
    Pearson,
    /// Spearman's rank correlation: Pearson's of the midranks.
    Spearman,
    /// Kendall's τ-b.
    Kendall,
}

/// Which rows a correlation matrix uses when values are missing (NaN).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum PairRows {
    /// All rows; a column with a missing value has NaN correlations (R's `use = "everything"`).
    #[default]
    Everything,
    /// For each pair the rows in which both are present.
    PairwiseComplete,
    /// The rows in which all columns are present.
    Complete,
}

/// Correlation of `x` and `y`. A variable that does not vary gives NaN.
///
/// # Errors
/// [`StatsError::LengthMismatch`], [`StatsError::TooFew`] below two pairs, [`StatsError::NonFinite`] for a missing value.
///
/// ```
/// use alnm_stats::correlation::{Correlation, correlation};
/// let r = correlation(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 4.0], Correlation::Spearman)?;
/// assert!((r - 0.8).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn correlation(x: &[f64], y: &[f64], kind: Correlation) -> Result<f64> {
    const OPERATION: &str = "correlation";
    require_same_length(OPERATION, x.len(), y.len())?;
    require_finite(OPERATION, x)?;
    require_finite(OPERATION, y)?;
    require_count(OPERATION, 2, x.len())?;
    Ok(of_complete(x, y, kind))
}

fn of_complete(x: &[f64], y: &[f64], kind: Correlation) -> f64 {
    match kind {
        Correlation::Pearson => dot(&unit(x), &unit(y)).clamp(-1.0, 1.0),
        Correlation::Spearman => dot(&unit(&midranks(x)), &unit(&midranks(y))).clamp(-1.0, 1.0),
        Correlation::Kendall => kendall(x, y),
    }
}

/// The values centred and scaled to length 1; NaN when they do not vary.
fn unit(x: &[f64]) -> Vec<f64> {
    let m = mean(x);
    let mut centred: Vec<f64> = x.iter().map(|v| v - m).collect();
    if x.iter().all(|v| *v == x[0]) {
        centred.fill(f64::NAN);
        return centred;
    }
    let length = dot(&centred, &centred).sqrt();
    centred.iter_mut().for_each(|v| *v /= length);
    centred
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn kendall(x: &[f64], y: &[f64]) -> f64 {
    let sign = |a: f64, b: f64| {
        if a > b {
            1.0
        } else if a < b {
            -1.0
        } else {
            0.0
        }
    };
    let (mut agree, mut in_x, mut in_y) = (0.0, 0.0, 0.0);
    for i in 0..x.len() {
        for j in 0..i {
            let (sx, sy): (f64, f64) = (sign(x[i], x[j]), sign(y[i], y[j]));
            agree += sx * sy;
            in_x += sx * sx;
            in_y += sy * sy;
        }
    }
    agree / (f64::sqrt(in_x) * f64::sqrt(in_y))
}

/// A correlation with its interval and test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorrelationTest {
    /// The correlation r.
    pub estimate: f64,
    /// Fisher's z interval of r.
    pub interval: Interval,
    /// t test of r = 0 with n − 2 degrees of freedom.
    pub test: TestResult,
}

/// Pearson or Spearman correlation with Fisher's z interval and the t test of no correlation (approximate for Spearman).
///
/// # Errors
/// As [`correlation()`]; [`StatsError::TooFew`] below four pairs; [`StatsError::Undefined`] for Kendall's τ.
pub fn correlation_test(x: &[f64], y: &[f64], kind: Correlation, level: f64) -> Result<CorrelationTest> {
    const OPERATION: &str = "correlation test";
    require_level(level)?;
    require_count(OPERATION, 4, x.len())?;
    if kind == Correlation::Kendall {
        return Err(StatsError::Undefined { operation: OPERATION, reason: "Fisher's z does not apply to Kendall's tau" });
    }
    let r = correlation(x, y, kind)?;
    let n = x.len() as f64;
    let half = normal_quantile(0.5 + level / 2.0) / (n - 3.0).sqrt();
    let interval = Interval { lower: (r.atanh() - half).tanh(), upper: (r.atanh() + half).tanh(), level };
    let t = r * ((n - 2.0) / (1.0 - r * r)).sqrt();
    Ok(CorrelationTest { estimate: r, interval, test: TestResult::new("t test of correlation", t, &[n - 2.0], t_two_sided(t, n - 2.0)) })
}

/// Correlation matrix of the columns of `x` (rows are observations). A column that does not vary, or that has a missing value under
/// [`PairRows::Everything`], gives NaN off the diagonal; the diagonal of other columns is 1.
///
/// # Errors
/// [`StatsError::TooFew`] below two (complete) rows.
pub fn correlation_matrix(x: ArrayView2<'_, f64>, kind: Correlation, rows: PairRows) -> Result<Array2<f64>> {
    const OPERATION: &str = "correlation matrix";
    require_count(OPERATION, 2, x.nrows())?;
    match rows {
        PairRows::Complete => {
            let complete: Vec<usize> = (0..x.nrows()).filter(|&r| x.row(r).iter().all(|v| !v.is_nan())).collect();
            require_count(OPERATION, 2, complete.len())?;
            correlation_matrix(x.select(Axis(0), &complete).view(), kind, PairRows::Everything)
        }
        PairRows::Everything if kind != Correlation::Kendall => Ok(products_of_units(x, kind)),
        PairRows::Everything | PairRows::PairwiseComplete => {
            let columns: Vec<Vec<f64>> = x.columns().into_iter().map(|c| c.to_vec()).collect();
            let pairwise = rows == PairRows::PairwiseComplete;
            Ok(pairs(columns.len(), |i, j| {
                let (a, b) = (&columns[i], &columns[j]);
                if pairwise {
                    let both: Vec<usize> = (0..a.len()).filter(|&r| !a[r].is_nan() && !b[r].is_nan()).collect();
                    let pick = |c: &[f64]| both.iter().map(|&r| c[r]).collect::<Vec<_>>();
                    if both.len() < 2 { f64::NAN } else { of_complete(&pick(a), &pick(b), kind) }
                } else if a.iter().chain(b).any(|v| v.is_nan()) {
                    f64::NAN
                } else {
                    of_complete(a, b, kind)
                }
            }))
        }
    }
}

/// Columns scaled to unit length turn each correlation into one product. Every product adds in the same order wherever its columns stand,
/// so that equal columns have exactly equal correlations.
fn products_of_units(x: ArrayView2<'_, f64>, kind: Correlation) -> Array2<f64> {
    let p = x.ncols();
    let units: Vec<Vec<f64>> = x
        .axis_iter(Axis(1))
        .into_par_iter()
        .map(|column| {
            let values = column.to_vec();
            if values.iter().any(|v| v.is_nan()) {
                vec![f64::NAN; values.len()]
            } else if kind == Correlation::Spearman {
                unit(&midranks(&values))
            } else {
                unit(&values)
            }
        })
        .collect();
    pairs(p, |i, j| {
        if i == j {
            if units[i].iter().any(|v| v.is_nan()) { f64::NAN } else { 1.0 }
        } else {
            interleaved_dot(&units[i], &units[j]).clamp(-1.0, 1.0)
        }
    })
}

/// Sum of products in eight interleaved parts, which the compiler vectorises.
fn interleaved_dot(a: &[f64], b: &[f64]) -> f64 {
    let mut parts = [0.0; 8];
    let (chunks_a, rest_a) = a.as_chunks::<8>();
    let (chunks_b, rest_b) = b.as_chunks::<8>();
    for (x, y) in chunks_a.iter().zip(chunks_b) {
        for k in 0..8 {
            parts[k] += x[k] * y[k];
        }
    }
    let tail: f64 = rest_a.iter().zip(rest_b).map(|(x, y)| x * y).sum();
    parts.iter().sum::<f64>() + tail
}

fn pairs(p: usize, f: impl Fn(usize, usize) -> f64 + Sync) -> Array2<f64> {
    let lower: Vec<Vec<f64>> = (0..p).into_par_iter().map(|i| (0..=i).map(|j| f(i, j)).collect()).collect();
    Array2::from_shape_fn((p, p), |(i, j)| if i >= j { lower[i][j] } else { lower[j][i] })
}
