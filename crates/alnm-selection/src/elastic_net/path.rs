//! Coefficients along the penalties.

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use ndarray::ArrayView2;

/// The model of the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum OutcomeFamily {
    /// Logistic regression of a binary outcome.
    Binomial,
    /// Least squares of a continuous outcome.
    Gaussian,
}

/// Coefficients at one penalty, on the original scale of the features. Features that are not listed have the
/// coefficient 0.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Coefficients"))]
pub struct SparseCoefficients(Coefficients);

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
struct Coefficients {
    intercept: f64,
    columns: Vec<usize>,
    values: Vec<f64>,
}

impl SparseCoefficients {
    /// Coefficients of the columns, whose positions ascend.
    pub(crate) fn new(intercept: f64, columns: Vec<usize>, values: Vec<f64>) -> Self {
        Self(Coefficients { intercept, columns, values })
    }

    /// The intercept.
    #[must_use]
    pub fn intercept(&self) -> f64 {
        self.0.intercept
    }

    /// Positions of the columns with a coefficient that is not 0, ascending and counted from 0.
    #[must_use]
    pub fn columns(&self) -> &[usize] {
        &self.0.columns
    }

    /// The coefficients of these columns, in the same order: change of the linear predictor per unit of the feature.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.0.values
    }

    /// Linear predictor of some rows of features.
    pub(crate) fn linear_predictor(&self, values: ArrayView2<'_, f64>, rows: &[usize]) -> Vec<f64> {
        let of_row = |&row: &usize| {
            let terms = self.0.columns.iter().zip(&self.0.values);
            terms.fold(self.0.intercept, |eta, (&column, coefficient)| eta + coefficient * values[[row, column]])
        };
        rows.iter().map(of_row).collect()
    }
}

/// Solutions along falling penalties, at least one.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Solutions"))]
pub struct ElasticNetPath(Solutions);

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub(super) struct Solutions {
    pub(super) family: OutcomeFamily,
    pub(super) names: Vec<String>,
    pub(super) lambda: Vec<f64>,
    pub(super) coefficients: Vec<SparseCoefficients>,
    pub(super) deviance_ratio: Vec<f64>,
    pub(super) null_deviance: f64,
    pub(super) passes: usize,
    pub(super) complete: bool,
}

impl ElasticNetPath {
    /// The path of a walk, which has solved one penalty at least.
    pub(super) fn of_walk(solutions: Solutions) -> Self {
        Self(solutions)
    }

    /// The model of the outcome.
    #[must_use]
    pub fn family(&self) -> OutcomeFamily {
        self.0.family
    }

    /// Names of the features, in the order of the columns.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0.names
    }

    /// The penalties λ, falling.
    #[must_use]
    pub fn lambda(&self) -> &[f64] {
        &self.0.lambda
    }

    /// Coefficients at each penalty.
    #[must_use]
    pub fn coefficients(&self) -> &[SparseCoefficients] {
        &self.0.coefficients
    }

    /// Share of the null deviance that the model explains at each penalty.
    #[must_use]
    pub fn deviance_ratio(&self) -> &[f64] {
        &self.0.deviance_ratio
    }

    /// Deviance of the model that has only an intercept.
    #[must_use]
    pub fn null_deviance(&self) -> f64 {
        self.0.null_deviance
    }

    /// Number of passes over the features, all penalties together.
    #[must_use]
    pub fn passes(&self) -> usize {
        self.0.passes
    }

    /// Whether every penalty that was asked for was solved. Otherwise the passes ran out and the path ends early, as
    /// glmnet's does.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.0.complete
    }

    /// Number of features with a coefficient at each penalty.
    #[must_use]
    pub fn degrees_of_freedom(&self) -> Vec<usize> {
        self.0.coefficients.iter().map(|c| c.columns().len()).collect()
    }

    /// Coefficients at any penalty: interpolated linearly in λ between the penalties of the path and constant beyond
    /// its ends, as glmnet's `coef(s = )` gives them.
    #[must_use]
    pub fn coefficients_at(&self, lambda: f64) -> SparseCoefficients {
        let (penalties, coefficients) = (&self.0.lambda, &self.0.coefficients);
        let next = penalties.partition_point(|l| *l > lambda);
        if next == 0 {
            return coefficients[0].clone();
        }
        if next == penalties.len() {
            return coefficients[next - 1].clone();
        }
        let share = (lambda - penalties[next]) / (penalties[next - 1] - penalties[next]);
        blend(&coefficients[next - 1], &coefficients[next], share)
    }
}

/// share · a + (1 − share) · b
fn blend(a: &SparseCoefficients, b: &SparseCoefficients, share: f64) -> SparseCoefficients {
    let mut columns: Vec<usize> = a.columns().iter().chain(b.columns()).copied().collect();
    columns.sort_unstable();
    columns.dedup();
    let of = |c: &SparseCoefficients, column: usize| c.columns().binary_search(&column).map_or(0.0, |k| c.values()[k]);
    let values = columns.iter().map(|&c| share * of(a, c) + (1.0 - share) * of(b, c)).collect();
    SparseCoefficients::new(share * a.intercept() + (1.0 - share) * b.intercept(), columns, values)
}

#[cfg(feature = "serde")]
mod reading {
    //! Coefficients and paths as a file states them satisfy what computed ones do.

    use std::collections::BTreeSet;

    use super::{Coefficients, ElasticNetPath, Solutions, SparseCoefficients};
    use crate::error::SelectionError;

    fn refuse<T>(what: &'static str, reason: String) -> Result<T, SelectionError> {
        Err(SelectionError::Inconsistent { what, reason })
    }

    impl TryFrom<Coefficients> for SparseCoefficients {
        type Error = SelectionError;

        fn try_from(read: Coefficients) -> Result<Self, SelectionError> {
            const WHAT: &str = "list of coefficients";
            if read.columns.len() != read.values.len() {
                return refuse(WHAT, format!("it has {} columns and {} values", read.columns.len(), read.values.len()));
            }
            if let Some(pair) = read.columns.windows(2).find(|pair| pair[0] >= pair[1]) {
                return refuse(WHAT, format!("column {} stands before column {}", pair[0], pair[1]));
            }
            if let Some(value) = read.values.iter().chain([&read.intercept]).find(|value| !value.is_finite()) {
                return refuse(WHAT, format!("a coefficient is {value}"));
            }
            Ok(Self(read))
        }
    }

    impl TryFrom<Solutions> for ElasticNetPath {
        type Error = SelectionError;

        fn try_from(read: Solutions) -> Result<Self, SelectionError> {
            const WHAT: &str = "path of an elastic net";
            let penalties = read.lambda.len();
            if penalties == 0 {
                return refuse(WHAT, "it has no penalty".to_owned());
            }
            for (list, length) in
                [("coefficients", read.coefficients.len()), ("deviance ratios", read.deviance_ratio.len())]
            {
                if length != penalties {
                    return refuse(WHAT, format!("it has {penalties} penalties and {length} {list}"));
                }
            }
            if let Some(lambda) = read.lambda.iter().find(|l| !l.is_finite() || **l < 0.0) {
                return refuse(WHAT, format!("a penalty is {lambda}"));
            }
            if let Some(pair) = read.lambda.windows(2).find(|pair| pair[0] < pair[1]) {
                return refuse(WHAT, format!("penalty {} stands before {}", pair[0], pair[1]));
            }
            if read.names.iter().collect::<BTreeSet<_>>().len() != read.names.len() {
                return refuse(WHAT, "two features have the same name".to_owned());
            }
            let features = read.names.len();
            if let Some(column) =
                read.coefficients.iter().filter_map(|c| c.columns().last()).find(|column| **column >= features)
            {
                return refuse(WHAT, format!("column {column} has a coefficient, but there are {features} features"));
            }
            if let Some(ratio) = read.deviance_ratio.iter().find(|ratio| !ratio.is_finite() || **ratio > 1.0) {
                return refuse(WHAT, format!("a deviance ratio is {ratio}"));
            }
            if !(read.null_deviance > 0.0 && read.null_deviance.is_finite()) {
                return refuse(WHAT, format!("the null deviance is {}", read.null_deviance));
            }
            Ok(Self(read))
        }
    }
}

impl Tabulate for ElasticNetPath {
    const COLUMNS: &'static [&'static str] = &["lambda", "feature", "coefficient", "deviance ratio"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let of_penalty = |k: usize| {
            let (c, lambda, ratio) = (&self.0.coefficients[k], self.0.lambda[k], self.0.deviance_ratio[k]);
            let intercept = cells![lambda, "intercept", c.intercept(), ratio];
            let row = |(&j, &b): (&usize, &f64)| cells![lambda, self.0.names.get(j), b, ratio];
            std::iter::once(intercept).chain(c.columns().iter().zip(c.values()).map(row)).collect::<Vec<_>>()
        };
        (0..self.0.lambda.len()).flat_map(of_penalty).collect()
    }
}
