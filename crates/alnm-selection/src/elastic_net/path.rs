//! Coefficients along the penalties.

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use serde::{Deserialize, Serialize};

/// The outcome model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Family {
    /// Logistic regression of a binary outcome.
    Binomial,
    /// Least squares of a continuous outcome.
    Gaussian,
}

/// Coefficients at one penalty, on the original scale; features that are not listed have coefficient 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SparseCoefficients {
    /// Intercept.
    pub intercept: f64,
    /// Columns with a coefficient that is not 0, ascending.
    pub columns: Vec<usize>,
    /// Their coefficients.
    pub values: Vec<f64>,
}

impl SparseCoefficients {
    /// Linear predictor of the rows of `x`, given column by column.
    pub(crate) fn linear_predictor(&self, columns: &[Vec<f64>], rows: &[usize]) -> Vec<f64> {
        let mut eta = vec![self.intercept; rows.len()];
        for (&c, &b) in self.columns.iter().zip(&self.values) {
            for (e, &r) in eta.iter_mut().zip(rows) {
                *e += b * columns[c][r];
            }
        }
        eta
    }
}

/// Solutions along the penalties.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ElasticNetPath {
    /// The outcome model.
    pub family: Family,
    /// Names of the features.
    pub names: Vec<String>,
    /// The penalties, falling.
    pub lambda: Vec<f64>,
    /// Coefficients at each penalty.
    pub coefficients: Vec<SparseCoefficients>,
    /// Share of the null deviance explained at each penalty.
    pub deviance_ratio: Vec<f64>,
    /// Deviance of the model with only an intercept.
    pub null_deviance: f64,
    /// Passes over the features.
    pub passes: usize,
    /// Whether every penalty asked for was solved; otherwise the passes ran out and the path ends early, as glmnet's
    /// does.
    pub complete: bool,
}

impl ElasticNetPath {
    /// Number of features with a coefficient at each penalty.
    #[must_use]
    pub fn degrees_of_freedom(&self) -> Vec<usize> {
        self.coefficients.iter().map(|c| c.columns.len()).collect()
    }

    /// Coefficients at any penalty, by linear interpolation in λ and constant beyond the ends, as glmnet's `coef(s =
    /// )`.
    #[must_use]
    pub fn coefficients_at(&self, lambda: f64) -> SparseCoefficients {
        let next = self.lambda.partition_point(|l| *l > lambda);
        if next == 0 {
            return self.coefficients[0].clone();
        }
        if next == self.lambda.len() {
            return self.coefficients[next - 1].clone();
        }
        let share = (lambda - self.lambda[next]) / (self.lambda[next - 1] - self.lambda[next]);
        blend(&self.coefficients[next - 1], &self.coefficients[next], share)
    }
}

/// share · a + (1 − share) · b
fn blend(a: &SparseCoefficients, b: &SparseCoefficients, share: f64) -> SparseCoefficients {
    let mut columns: Vec<usize> = a.columns.iter().chain(&b.columns).copied().collect();
    columns.sort_unstable();
    columns.dedup();
    let of = |c: &SparseCoefficients, column: usize| c.columns.binary_search(&column).map_or(0.0, |k| c.values[k]);
    let values = columns.iter().map(|&c| share * of(a, c) + (1.0 - share) * of(b, c)).collect();
    SparseCoefficients { intercept: share * a.intercept + (1.0 - share) * b.intercept, columns, values }
}

impl Tabulate for ElasticNetPath {
    const COLUMNS: &'static [&'static str] = &["lambda", "feature", "coefficient", "deviance ratio"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let of_penalty = |k: usize| {
            let c = &self.coefficients[k];
            let intercept = cells![self.lambda[k], "intercept", c.intercept, self.deviance_ratio[k]];
            let row = |(&j, &b): (&usize, &f64)| cells![self.lambda[k], self.names.get(j), b, self.deviance_ratio[k]];
            std::iter::once(intercept).chain(c.columns.iter().zip(&c.values).map(row)).collect::<Vec<_>>()
        };
        (0..self.lambda.len()).flat_map(of_penalty).collect()
    }
}
