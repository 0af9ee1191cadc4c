//! Discretisation of continuous features into a few levels, for mutual information.

use crate::error::{Result, SelectionError};

/// How a feature is cut into levels.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Discretiser {
    /// The values are levels already; they are rounded to whole numbers.
    AsGiven,
    /// −1, 0, 1 below, within and above mean ± `width` standard deviations (n − 1); width 0 gives −1 and 1 at the mean
    /// (Peng et al. 2005).
    MeanDeviation {
        /// Half width of the middle level in standard deviations, 0 or more.
        width: f64,
    },
    /// Levels of equal size by rank, ties in order of appearance (pandas' `qcut` of `rank(method="first")`).
    Quantiles {
        /// Number of levels, 2 or more.
        levels: usize,
    },
    /// Levels of equal width between the extremes.
    EqualWidth {
        /// Number of levels, 2 or more.
        levels: usize,
    },
}

impl Discretiser {
    /// Levels of the values, one per value.
    ///
    /// ```
    /// use alnm_selection::discretise::Discretiser;
    /// assert_eq!(Discretiser::EqualWidth { levels: 2 }.apply(&[0.0, 1.0, 9.0, 10.0])?, [0, 0, 1, 1]);
    /// # Ok::<(), alnm_selection::SelectionError>(())
    /// ```
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] for a width below 0 or fewer than two levels.
    pub fn apply(self, values: &[f64]) -> Result<Vec<i32>> {
        self.check()?;
        Ok(self.levels(values))
    }

    /// Refuses a width or a number of levels outside its range.
    pub(crate) fn check(self) -> Result<()> {
        match self {
            Self::MeanDeviation { width } if !(width.is_finite() && width >= 0.0) => Err(SelectionError::parameter(
                "half width of the middle level in standard deviations",
                width,
                "a finite number that is at least 0",
            )),
            Self::Quantiles { levels } | Self::EqualWidth { levels } if levels < 2 => {
                Err(SelectionError::parameter("number of levels of the discretisation", levels, "at least 2"))
            }
            _ => Ok(()),
        }
    }

    /// Levels of the values, for a checked discretisation.
    pub(crate) fn levels(self, values: &[f64]) -> Vec<i32> {
        match self {
            Self::AsGiven => values.iter().map(|v| v.round() as i32).collect(),
            Self::MeanDeviation { width } => mean_deviation(values, width),
            Self::Quantiles { levels } => quantiles(values, levels),
            Self::EqualWidth { levels } => equal_width(values, levels),
        }
    }
}

fn mean_deviation(values: &[f64], width: f64) -> Vec<i32> {
    let mean = alnm_stats::describe::mean(values);
    if width == 0.0 {
        return values.iter().map(|v| if *v > mean { 1 } else { -1 }).collect();
    }
    let reach = width * alnm_stats::describe::standard_deviation(values);
    values.iter().map(|v| i32::from(*v > mean + reach) - i32::from(*v < mean - reach)).collect()
}

fn quantiles(values: &[f64], levels: usize) -> Vec<i32> {
    let order = alnm_stats::rank::ascending_order(values);
    let n = values.len();
    // Cuts at the linearly interpolated quantiles of the ranks 1..n, closed on the right.
    let cuts: Vec<f64> = (1..levels).map(|k| 1.0 + (n as f64 - 1.0) * k as f64 / levels as f64).collect();
    let mut result = vec![0; n];
    for (position, &row) in order.iter().enumerate() {
        let rank = position as f64 + 1.0;
        result[row] = cuts.partition_point(|c| *c < rank) as i32;
    }
    result
}

fn equal_width(values: &[f64], levels: usize) -> Vec<i32> {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low == high {
        return vec![0; values.len()];
    }
    values.iter().map(|v| (((v - low) / (high - low) * levels as f64).floor() as i32).min(levels as i32 - 1)).collect()
}

/// Levels renumbered 0, 1, … and how many there are.
pub(crate) fn compact(levels: &[i32]) -> (Vec<usize>, usize) {
    let mut distinct = levels.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    (levels.iter().map(|l| distinct.partition_point(|d| d < l)).collect(), distinct.len())
}

/// Mutual information in bits of two discrete variables, Σ p(a, b) log₂ p(a, b)/(p(a) p(b)).
///
/// ```
/// use alnm_selection::discretise::mutual_information;
/// // One bit: each variable tells the other.
/// assert_eq!(mutual_information(&[0, 0, 1, 1], &[5, 5, 7, 7])?, 1.0);
/// # Ok::<(), alnm_selection::SelectionError>(())
/// ```
///
/// # Errors
/// [`SelectionError::Shape`] when the variables differ in length.
pub fn mutual_information(a: &[i32], b: &[i32]) -> Result<f64> {
    if a.len() != b.len() {
        let what = "values of the two variables";
        return Err(SelectionError::Shape { what, left: a.len(), right: b.len() });
    }
    let ((a, ka), (b, kb)) = (compact(a), compact(b));
    Ok(mutual_information_of(&a, ka, &b, kb))
}

pub(crate) fn mutual_information_of(a: &[usize], ka: usize, b: &[usize], kb: usize) -> f64 {
    let mut joint = vec![0.0; ka * kb];
    for (x, y) in a.iter().zip(b) {
        joint[x * kb + y] += 1.0;
    }
    let n = a.len() as f64;
    let rows: Vec<f64> = (0..ka).map(|i| joint[i * kb..(i + 1) * kb].iter().sum::<f64>() / n).collect();
    let columns: Vec<f64> = (0..kb).map(|j| (0..ka).map(|i| joint[i * kb + j]).sum::<f64>() / n).collect();
    let mut information = 0.0;
    for i in 0..ka {
        for j in 0..kb {
            let p = joint[i * kb + j] / n;
            if p > 0.0 {
                information += p * (p / (rows[i] * columns[j])).ln();
            }
        }
    }
    information / std::f64::consts::LN_2
}
