//! Correlation of two variables and of all pairs of columns.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::Interval;
use crate::TestResult;
use crate::cells;
use crate::column_products;
use crate::data_table::{Cell, Tabulate};
use crate::describe::mean;
use crate::distribution::{normal_quantile, normal_two_sided, normal_upper_tail, t_two_sided};
use crate::error::{Result, require_count, require_finite, require_level, require_same_length};
use crate::rank::{ascending_order, midranks, ties};

/// A correlation coefficient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Correlation {
    /// Pearson's product-moment correlation.
    #[default]
    Pearson,
    /// Spearman's rank correlation: Pearson's of the midranks.
    Spearman,
    /// Kendall's τ-b.
    Kendall,
}

/// The rows that a correlation matrix uses when values are missing (NaN).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
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
/// [`crate::StatsError::LengthMismatch`], [`crate::StatsError::TooFew`] below two pairs,
/// [`crate::StatsError::NonFinite`] for a missing value.
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
    require_count(OPERATION, "observations", 2, x.len())?;
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
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CorrelationTest {
    /// The correlation r.
    pub estimate: f64,
    /// Fisher's z interval of r.
    pub interval: Interval,
    /// Test of no correlation.
    pub test: TestResult,
}

/// Correlation with its interval and test of no correlation.
///
/// | correlation | interval, on Fisher's z scale | test |
/// |---|---|---|
/// | Pearson | variance 1/(n − 3) | t with n − 2 degrees of freedom |
/// | Spearman | variance 1/(n − 3), approximate | R's `cor.test`: up to 1290 pairs without ties exact (up to 9) or by an Edgeworth series (algorithm AS 89), otherwise t with n − 2 degrees of freedom, approximate |
/// | Kendall | variance 0.437/(n − 4) (Fieller, Hartley and Pearson 1957), approximate | R's `cor.test`: exact below 50 pairs without ties, otherwise normal with the variance corrected for ties |
///
/// # Errors
/// As [`correlation()`], and [`crate::StatsError::TooFew`] below four pairs, for Kendall's τ below five.
///
/// ```
/// use alnm_stats::correlation::{Correlation, correlation_test};
/// let (x, y) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2.0, 1.0, 4.0, 3.0, 6.0, 5.0]);
/// let tau = correlation_test(&x, &y, Correlation::Kendall, 0.95)?;
/// assert!((tau.estimate - 0.6).abs() < 1e-12 && (tau.test.p_value - 0.1361111).abs() < 1e-6);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn correlation_test(x: &[f64], y: &[f64], kind: Correlation, level: f64) -> Result<CorrelationTest> {
    const OPERATION: &str = "correlation test";
    require_level(level)?;
    require_count(OPERATION, "observations", if kind == Correlation::Kendall { 5 } else { 4 }, x.len())?;
    let r = correlation(x, y, kind)?;
    let n = x.len() as f64;
    let (variance, test) = match kind {
        Correlation::Pearson => (1.0 / (n - 3.0), t_test(r, n)),
        Correlation::Spearman => (1.0 / (n - 3.0), spearman_test(x, y, r)),
        Correlation::Kendall => (0.437 / (n - 4.0), kendall_test(x, y, r)),
    };
    let half = normal_quantile(0.5 + level / 2.0) * variance.sqrt();
    let interval = Interval { lower: (r.atanh() - half).tanh(), upper: (r.atanh() + half).tanh(), level };
    Ok(CorrelationTest { estimate: r, interval, test })
}

fn t_test(r: f64, n: f64) -> TestResult {
    let t = r * ((n - 2.0) / (1.0 - r * r)).sqrt();
    TestResult::new("t test of correlation", t, &[n - 2.0], t_two_sided(t, n - 2.0))
}

/// Two-sided test of Spearman's ρ = 0. The statistic is the sum S of the squared differences of ranks, t where there
/// are ties or many pairs.
fn spearman_test(x: &[f64], y: &[f64], rho: f64) -> TestResult {
    const MOST_PAIRS: usize = 1290;
    const MOST_ENUMERATED: usize = 9;
    let n = x.len();
    if rho.is_nan() || n > MOST_PAIRS || !tie_sizes(x).is_empty() || !tie_sizes(y).is_empty() {
        return t_test(rho, n as f64);
    }
    let m = n as f64;
    let largest = (m * m * m - m) / 3.0;
    let s = (largest / 2.0 * (1.0 - rho)).round();
    // S is symmetric about its mean, and even.
    let tail = if s > largest / 2.0 { s } else { largest - s };
    let (p, name) = if n <= MOST_ENUMERATED {
        (squared_differences_at_least(n, tail as usize), "Exact test of Spearman's rho")
    } else {
        (edgeworth_tail(m, tail), "Edgeworth test of Spearman's rho")
    };
    TestResult::new(name, s, &[], (2.0 * p).min(1.0))
}

/// P(S ≥ s) of n independent pairs without ties: over sets of ranks taken, the number of ways for each sum.
fn squared_differences_at_least(n: usize, s: usize) -> f64 {
    let sums = (n * n * n - n) / 3 + 1;
    let mut ways = vec![vec![0.0; sums]; 1 << n];
    ways[0][0] = 1.0;
    for taken in 0..(1_usize << n) {
        let position = taken.count_ones() as usize;
        for rank in (0..n).filter(|rank| taken >> rank & 1 == 0) {
            let square = position.abs_diff(rank).pow(2);
            for sum in 0..sums - square {
                let further = ways[taken][sum];
                ways[taken | 1 << rank][sum + square] += further;
            }
        }
    }
    let all = &ways[(1 << n) - 1];
    all[s..].iter().sum::<f64>() / all.iter().sum::<f64>()
}

/// P(S ≥ s) by the Edgeworth series of algorithm AS 89 (Best and Roberts 1975), with the coefficients of R's `prho`.
fn edgeworth_tail(n: f64, s: f64) -> f64 {
    let b = 1.0 / n;
    let x = (6.0 * (s - 1.0) * b / (n * n - 1.0) - 1.0) * (n - 1.0).sqrt();
    let y = x * x;
    let by_square = 0.0879 + 0.0151 * b - y * (0.0072 - 0.0831 * b + y * b * (0.0131 - 4.6e-4 * y));
    let u =
        x * b * (0.2274 + b * (0.2531 + 0.1745 * b) + y * (-0.0758 + b * (0.1033 + 0.3932 * b) - y * b * by_square));
    (u / (y / 2.0).exp() + normal_upper_tail(x)).clamp(0.0, 1.0)
}

/// Two-sided test of Kendall's τ = 0. The statistic is the number of concordant pairs T where it is exact, otherwise z.
fn kendall_test(x: &[f64], y: &[f64], tau: f64) -> TestResult {
    let n = x.len();
    let pairs = (n * (n - 1)) as f64;
    let (ties_x, ties_y) = (tie_sizes(x), tie_sizes(y));
    if n < 50 && ties_x.is_empty() && ties_y.is_empty() {
        let concordant = ((tau + 1.0) * pairs / 4.0).round();
        let share = cumulative_concordance(n);
        let at_most = |t: f64| if t < 0.0 { 0.0 } else { share[(t as usize).min(share.len() - 1)] };
        let p = 2.0 * at_most(concordant).min(1.0 - at_most(concordant - 1.0));
        return TestResult::new("Exact test of Kendall's tau", concordant, &[], p.min(1.0));
    }
    let sum = |ties: &[f64], term: fn(f64) -> f64| ties.iter().map(|t| term(*t)).sum::<f64>();
    let m = n as f64;
    let two = |t: f64| t * (t - 1.0);
    let three = |t: f64| t * (t - 1.0) * (t - 2.0);
    let five = |t: f64| t * (t - 1.0) * (2.0 * t + 5.0);
    let score = tau * ((pairs - sum(&ties_x, two)) / 2.0).sqrt() * ((pairs - sum(&ties_y, two)) / 2.0).sqrt();
    let variance = (five(m) - sum(&ties_x, five) - sum(&ties_y, five)) / 18.0
        + sum(&ties_x, two) * sum(&ties_y, two) / (2.0 * pairs)
        + sum(&ties_x, three) * sum(&ties_y, three) / (9.0 * pairs * (m - 2.0));
    let z = score / variance.sqrt();
    TestResult::new("Normal test of Kendall's tau", z, &[], normal_two_sided(z))
}

/// Sizes of the groups of tied values.
fn tie_sizes(values: &[f64]) -> Vec<f64> {
    let order = ascending_order(values);
    ties(values, &order).map(|run| run.len() as f64).filter(|t| *t > 1.0).collect()
}

/// P(T ≤ t) of the number of concordant pairs of n independent pairs without ties, for t = 0, 1, …: permutations by
/// their inversions.
fn cumulative_concordance(n: usize) -> Vec<f64> {
    let mut share = vec![1.0];
    for k in 2..=n {
        // The k-th value forms 0 to k − 1 further inversions, each equally probable.
        let mut next = vec![0.0; share.len() + k - 1];
        for (t, p) in share.iter().enumerate() {
            for further in 0..k {
                next[t + further] += p / k as f64;
            }
        }
        share = next;
    }
    let mut total = 0.0;
    share.iter_mut().for_each(|p| {
        total += *p;
        *p = total;
    });
    share
}

/// Correlation matrix of the columns of `x` (rows are observations). A column that does not vary, or that has a missing
/// value under [`PairRows::Everything`], gives NaN off the diagonal; the diagonal of other columns is 1.
///
/// # Errors
/// [`crate::StatsError::TooFew`] below two (complete) rows.
///
/// ```
/// use alnm_stats::correlation::{Correlation, PairRows, correlation_matrix};
/// let table = ndarray::array![[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]];
/// let r = correlation_matrix(table.view(), Correlation::Pearson, PairRows::Everything)?;
/// assert!((r[[0, 1]] - 1.0).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn correlation_matrix(x: ArrayView2<'_, f64>, kind: Correlation, rows: PairRows) -> Result<Array2<f64>> {
    const OPERATION: &str = "correlation matrix";
    require_count(OPERATION, "observations", 2, x.nrows())?;
    match rows {
        PairRows::Complete => {
            let complete: Vec<usize> = (0..x.nrows()).filter(|&r| x.row(r).iter().all(|v| !v.is_nan())).collect();
            require_count(OPERATION, "observations", 2, complete.len())?;
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

/// Columns scaled to unit length turn each correlation into one product. Every product adds in the same order wherever
/// its columns stand, so that equal columns have exactly equal correlations.
fn products_of_units(x: ArrayView2<'_, f64>, kind: Correlation) -> Array2<f64> {
    let mut matrix = column_products::of_all_pairs(&Units { x, kind }, |r| r.clamp(-1.0, 1.0));
    for r in matrix.diag_mut() {
        if !r.is_nan() {
            *r = 1.0;
        }
    }
    matrix
}

/// The columns of a table, or their ranks, scaled to unit length.
struct Units<'a> {
    x: ArrayView2<'a, f64>,
    kind: Correlation,
}

impl column_products::Columns for Units<'_> {
    fn count(&self) -> usize {
        self.x.ncols()
    }

    fn rows(&self) -> usize {
        self.x.nrows()
    }

    fn some(&self, range: Range<usize>) -> Vec<Vec<f64>> {
        let mut columns: Vec<Vec<f64>> = range.clone().map(|_| Vec::with_capacity(self.x.nrows())).collect();
        // The numbers of a row lie in memory one after the other.
        for row in self.x.slice(s![.., range]).rows() {
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(*value));
        }
        let of_values = |values: Vec<f64>| {
            if values.iter().any(|v| v.is_nan()) {
                vec![f64::NAN; values.len()]
            } else if self.kind == Correlation::Spearman {
                unit(&midranks(&values))
            } else {
                unit(&values)
            }
        };
        columns.into_iter().map(of_values).collect()
    }
}

fn pairs(p: usize, f: impl Fn(usize, usize) -> f64 + Sync) -> Array2<f64> {
    let lower: Vec<Vec<f64>> = (0..p).into_par_iter().map(|i| (0..=i).map(|j| f(i, j)).collect()).collect();
    Array2::from_shape_fn((p, p), |(i, j)| if i >= j { lower[i][j] } else { lower[j][i] })
}

impl Tabulate for CorrelationTest {
    const COLUMNS: &'static [&'static str] = &["r", "lower", "upper", "statistic", "p"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![self.estimate, self.interval.lower, self.interval.upper, self.test.statistic, self.test.p_value]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // R 4.2.2: cor.test(x, y, method = "spearman")
    #[test]
    fn spearman_test_equals_r() {
        let x = [0.316, 1.11, 2.215, 1.217, 1.479, 0.952, -1.01, -2.0, -1.762, -0.143];
        let y = [3.416, -0.495, 2.066, 5.008, 0.566, 2.076, -2.784, -2.921, -3.211, -0.281];
        let x9 = [-1.08, -0.158, -1.072, -0.139, -0.597, -2.184, 0.241, -0.259, 0.901];
        let y9 = [0.803, 2.778, 0.342, 1.499, -1.184, 0.653, 3.238, -1.574, -0.805];
        let cases = [
            (&x[..], &y[..], 0.672727272727273, 54.0, 0.0393814092829061),
            (&x9[..], &y9[..], 0.216666666666667, 94.0, 0.580941358024691),
            (
                &[-0.841, 1.384, -1.255, 0.07, 1.711, -0.603],
                &[-1.785, 0.114, -1.827, 0.346, 4.167, -2.206],
                0.771428571428571,
                8.0,
                0.102777777777778,
            ),
        ];
        for (x, y, rho, s, p) in cases {
            let negated: Vec<f64> = y.iter().map(|v| -v).collect();
            let found = correlation_test(x, y, Correlation::Spearman, 0.95).expect("enough pairs");
            approx::assert_relative_eq!(found.estimate, rho, max_relative = 1e-12);
            assert_eq!(found.test.statistic, s);
            approx::assert_relative_eq!(found.test.p_value, p, max_relative = 1e-12);
            let opposite = correlation_test(x, &negated, Correlation::Spearman, 0.95).expect("enough pairs");
            approx::assert_relative_eq!(opposite.test.p_value, p, max_relative = 1e-12);
        }
        // Of all orders one agrees in full and one is its reverse.
        let agreeing = correlation_test(&x9, &x9, Correlation::Spearman, 0.95).expect("nine pairs");
        approx::assert_relative_eq!(agreeing.test.p_value, 2.0 / 362_880.0, max_relative = 1e-12);
        // With ties, the t test.
        let tied =
            correlation_test(&[1.0, 2.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 5.0, 4.0], Correlation::Spearman, 0.95)
                .expect("five pairs");
        assert_eq!(tied.test.degrees_of_freedom, [3.0]);
    }

    // R 4.2.2: cor.test(x, y, method = "kendall")
    #[test]
    fn kendall_test_equals_r() {
        let close = |test: &CorrelationTest, tau: f64, statistic: f64, p: f64| {
            approx::assert_relative_eq!(test.estimate, tau, max_relative = 1e-12);
            approx::assert_relative_eq!(test.test.statistic, statistic, max_relative = 1e-12);
            approx::assert_relative_eq!(test.test.p_value, p, max_relative = 1e-12);
        };
        let x = [44.4, 45.9, 41.9, 53.3, 44.7, 44.1, 50.7, 45.2, 60.1];
        let y = [2.6, 3.1, 2.5, 5.0, 3.6, 4.0, 5.2, 2.8, 3.8];
        close(
            &correlation_test(&x, &y, Correlation::Kendall, 0.95).expect("nine pairs"),
            0.444444444444445,
            26.0,
            0.119438932980600,
        );
        let x = [1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 4.0, 5.0, 6.0, 7.0];
        let y = [1.0, 3.0, 2.0, 2.0, 5.0, 5.0, 4.0, 6.0, 6.0, 7.0];
        let tied = correlation_test(&x, &y, Correlation::Kendall, 0.95).expect("ten pairs");
        close(&tied, 0.8916309815169777, 3.4119139002303434, 0.000645084852202308);
        assert!(tied.interval.contains(tied.estimate));
    }
}
