//! Continuous features as a few levels, for mutual information.

use serde::{Deserialize, Serialize};

/// How a feature is cut into levels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Discretisation {
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

impl Discretisation {
    /// Levels of the values.
    #[must_use]
    pub fn apply(self, values: &[f64]) -> Vec<i32> {
        match self {
            Self::AsGiven => values.iter().map(|v| v.round() as i32).collect(),
            Self::MeanDeviation { width } => mean_deviation(values, width),
            Self::Quantiles { levels } => quantiles(values, levels.max(1)),
            Self::EqualWidth { levels } => equal_width(values, levels.max(1)),
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
/// # Panics
/// When the variables differ in length.
#[must_use]
pub fn mutual_information(a: &[i32], b: &[i32]) -> f64 {
    assert_eq!(a.len(), b.len(), "both variables describe the same observations");
    let ((a, ka), (b, kb)) = (compact(a), compact(b));
    mutual_information_of(&a, ka, &b, kb)
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
