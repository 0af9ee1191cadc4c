//! Descriptive statistics and quantiles.

use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::error::{Result, StatsError, require_count, require_finite};

/// Arithmetic mean; NaN without values. A second pass removes the rounding error of the first.
///
/// ```
/// assert_eq!(alnm_stats::describe::mean(&[1.0, 2.0, 3.0, 4.0]), 2.5);
/// ```
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let first = values.iter().sum::<f64>() / n;
    first + values.iter().map(|v| v - first).sum::<f64>() / n
}

/// Sample variance with denominator n − 1; NaN for fewer than two values.
///
/// ```
/// assert_eq!(alnm_stats::describe::variance(&[1.0, 2.0, 3.0]), 1.0);
/// ```
#[must_use]
pub fn variance(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::NAN;
    }
    let m = mean(values);
    values.iter().map(|v| (v - m) * (v - m)).sum::<f64>() / (values.len() - 1) as f64
}

/// Sample standard deviation with denominator n − 1; NaN for fewer than two values.
///
/// ```
/// assert_eq!(alnm_stats::describe::standard_deviation(&[1.0, 3.0, 5.0]), 2.0);
/// ```
#[must_use]
pub fn standard_deviation(values: &[f64]) -> f64 {
    variance(values).sqrt()
}

/// Median; NaN without values.
///
/// ```
/// assert_eq!(alnm_stats::describe::median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
/// ```
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    median_of_sorted(&sorted(values))
}

/// Median absolute deviation from the median, times 1.4826 (consistent for normal data), as R's `mad`.
///
/// ```
/// assert_eq!(alnm_stats::describe::median_absolute_deviation(&[1.0, 2.0, 3.0, 4.0, 100.0]), 1.4826);
/// ```
#[must_use]
pub fn median_absolute_deviation(values: &[f64]) -> f64 {
    let m = median(values);
    1.4826 * median(&values.iter().map(|v| (v - m).abs()).collect::<Vec<_>>())
}

/// Definition of a sample quantile, by the numbers of Hyndman and Fan (1996) and R's `quantile(type = )`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum QuantileType {
    /// Inverse of the empirical distribution function.
    Type1,
    /// As type 1 with averaging at discontinuities (SAS default).
    Type2,
    /// Nearest even order statistic.
    Type3,
    /// Linear interpolation of the empirical distribution function.
    Type4,
    /// Piecewise linear with knots midway through the steps (hydrology).
    Type5,
    /// Expected position of the order statistic (SPSS, Minitab).
    Type6,
    /// Mode of the position (R, NumPy, Excel `QUARTILE.INC`).
    #[default]
    Type7,
    /// Median-unbiased.
    Type8,
    /// Unbiased for normal data.
    Type9,
}

/// Sample quantile of `values` at probability `p` in [0, 1].
///
/// # Errors
/// [`StatsError::TooFew`] without values, [`StatsError::NonFinite`] for a value that is not finite and
/// [`StatsError::Parameter`] for `p`.
///
/// ```
/// use alnm_stats::describe::{QuantileType, quantile};
/// let q = quantile(&[1.0, 2.0, 4.0, 8.0], 0.25, QuantileType::Type7)?;
/// assert_eq!(q, 1.75);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn quantile(values: &[f64], p: f64, definition: QuantileType) -> Result<f64> {
    require_count("quantile", "observations", 1, values.len())?;
    require_finite("quantile", values)?;
    if !(0.0..=1.0).contains(&p) {
        return Err(StatsError::parameter("probability", p, "at least 0 and at most 1"));
    }
    Ok(quantile_of_sorted(&sorted(values), p, definition))
}

/// Sample quantile of values that are sorted in ascending order and not empty.
pub(crate) fn quantile_of_sorted(x: &[f64], p: f64, definition: QuantileType) -> f64 {
    use QuantileType as Q;
    let n = x.len() as f64;
    // R's guard against rounding of n·p just below a whole number.
    let fuzz = 4.0 * f64::EPSILON;
    if definition == Q::Type7 {
        let index = (n - 1.0) * p;
        let low = (index + fuzz).floor();
        let h = index - low;
        // Also where rounding puts the position just below the whole number.
        let h = if h < fuzz { 0.0 } else { h };
        let (a, b) = (x[low as usize], x[((low + 1.0) as usize).min(x.len() - 1)]);
        // Between equal values there is nothing to interpolate, and the weights would not quite add to 1.
        return if h == 0.0 || a == b { a } else { (1.0 - h) * a + h * b };
    }
    let (position, h) = match definition {
        Q::Type1 | Q::Type2 | Q::Type3 => {
            let np = if definition == Q::Type3 { n * p - 0.5 } else { n * p };
            let j = (np + fuzz).floor();
            let above = np > j + fuzz * np.abs();
            let h = match definition {
                Q::Type1 => f64::from(u8::from(above)),
                Q::Type2 => {
                    if above {
                        1.0
                    } else {
                        0.5
                    }
                }
                _ => f64::from(u8::from(above || (j as i64) % 2 != 0)),
            };
            (j, h)
        }
        _ => {
            let (a, b) = match definition {
                Q::Type4 => (0.0, 1.0),
                Q::Type5 => (0.5, 0.5),
                Q::Type6 => (0.0, 0.0),
                Q::Type8 => (1.0 / 3.0, 1.0 / 3.0),
                _ => (0.375, 0.375),
            };
            let np = a + p * (n + 1.0 - a - b);
            let j = (np + fuzz).floor();
            let h = np - j;
            (j, if h < fuzz { 0.0 } else { h })
        }
    };
    let at = |k: f64| x[(k.max(1.0).min(n) as usize) - 1];
    let (low, high) = (at(position), at(position + 1.0));
    if h == 0.0 || low == high {
        low
    } else if h == 1.0 {
        high
    } else {
        (1.0 - h) * low + h * high
    }
}

/// Location, spread and extent of one variable.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Description {
    /// Number of observed values.
    pub count: usize,
    /// Number of missing values (NaN).
    pub missing: usize,
    /// Mean.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub mean: f64,
    /// Standard deviation (n − 1).
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub standard_deviation: f64,
    /// Standard error of the mean.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub standard_error: f64,
    /// Median.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub median: f64,
    /// First quartile.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub first_quartile: f64,
    /// Third quartile.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub third_quartile: f64,
    /// Smallest value.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub minimum: f64,
    /// Largest value.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub maximum: f64,
    /// Median absolute deviation times 1.4826.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub median_absolute_deviation: f64,
}

impl Description {
    /// Describes the values that are not NaN, with the given definition of quartiles. Without any value all figures are
    /// NaN.
    ///
    /// ```
    /// use alnm_stats::describe::{Description, QuantileType};
    /// let ages = Description::of(&[47.0, 52.0, f64::NAN, 43.0, 61.0], QuantileType::Type7);
    /// assert_eq!((ages.count, ages.missing, ages.mean, ages.median), (4, 1, 50.75, 49.5));
    /// ```
    #[must_use]
    pub fn of(values: &[f64], quartiles: QuantileType) -> Self {
        let observed = sorted(&crate::missing::observed(values));
        let quartile = |p| if observed.is_empty() { f64::NAN } else { quantile_of_sorted(&observed, p, quartiles) };
        let standard_deviation = standard_deviation(&observed);
        Self {
            count: observed.len(),
            missing: values.len() - observed.len(),
            mean: mean(&observed),
            standard_deviation,
            standard_error: standard_deviation / (observed.len() as f64).sqrt(),
            median: median_of_sorted(&observed),
            first_quartile: quartile(0.25),
            third_quartile: quartile(0.75),
            minimum: observed.first().copied().unwrap_or(f64::NAN),
            maximum: observed.last().copied().unwrap_or(f64::NAN),
            median_absolute_deviation: median_absolute_deviation(&observed),
        }
    }
}

pub(crate) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut v = values.to_vec();
    v.sort_unstable_by(f64::total_cmp);
    v
}

fn median_of_sorted(x: &[f64]) -> f64 {
    match x.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => x[n / 2],
        n => 0.5 * (x[n / 2 - 1] + x[n / 2]),
    }
}

impl Tabulate for Description {
    const COLUMNS: &'static [&'static str] =
        &["n", "missing", "mean", "SD", "SE", "median", "Q1", "Q3", "minimum", "maximum", "MAD"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![
            self.count,
            self.missing,
            self.mean,
            self.standard_deviation,
            self.standard_error,
            self.median,
            self.first_quartile,
            self.third_quartile,
            self.minimum,
            self.maximum,
            self.median_absolute_deviation
        ]]
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    // R 4.2.2: sapply(1:9, function(t) quantile(c(1, 3, 4, 8, 9, 20), .3, type = t))
    #[test]
    fn nine_quantile_types_equal_r() {
        use QuantileType::*;
        let x = [1.0, 3.0, 4.0, 8.0, 9.0, 20.0];
        let expected = [3.0, 3.0, 3.0, 2.6, 3.3, 3.1, 3.5, 3.2333333333333334, 3.25];
        for (t, e) in [Type1, Type2, Type3, Type4, Type5, Type6, Type7, Type8, Type9].into_iter().zip(expected) {
            assert_relative_eq!(quantile(&x, 0.3, t).expect("valid input"), e, max_relative = 1e-12);
        }
    }

    #[test]
    fn nothing_observed_is_nan_not_a_panic() {
        let d = Description::of(&[f64::NAN], QuantileType::Type7);
        assert_eq!((d.count, d.missing), (0, 1));
        assert!(d.mean.is_nan() && d.median.is_nan() && d.first_quartile.is_nan());
    }
}
