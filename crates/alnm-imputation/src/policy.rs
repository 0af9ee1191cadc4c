//! What is done with missing values: a policy, and a report of what it did.

use alnm_models::FeatureTable;

use crate::chain::MissingCount;
use crate::error::{ImputationError, Result};
use crate::plan::ChainedEquationsParams;
use crate::single::{MedianImputation, NeighbourParams};

/// What to do with missing values (NaN) of a cohort.
///
/// [`alnm_stats::missing::Missing`] is the same decision for a single statistic, where nothing can be imputed.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum MissingPolicy {
    /// Refuse them with an error that names the first one.
    #[default]
    Refuse,
    /// Leave out the rows that lack a value.
    Omit,
    /// Fill in the median, with an indicator beside the variable.
    Median,
    /// Fill in the mean of the nearest training rows.
    NearestNeighbours(NeighbourParams),
    /// Impute several times by chained equations.
    Impute(ChainedEquationsParams),
}

/// Tables without missing values, and what was done to get them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CompletedTraining {
    /// The completed tables: one, or as many as there are imputations.
    pub tables: Vec<FeatureTable>,
    /// The rows that are left, counted from 0, in their order.
    pub rows: Vec<usize>,
    /// Number of missing values of each column before.
    pub missing: Vec<MissingCount>,
}

impl MissingPolicy {
    /// Applies the policy to training rows. Under [`MissingPolicy::Impute`] the tables hold the variables of the plan;
    /// under [`MissingPolicy::Median`] indicators stand beside the columns.
    ///
    /// # Errors
    /// [`ImputationError::Selection`] under [`MissingPolicy::Refuse`] when a value is not finite, and for every policy
    /// when one is infinite or, under [`MissingPolicy::Omit`], no row is left; the errors of the imputation.
    ///
    /// ```
    /// use alnm_imputation::MissingPolicy;
    /// use alnm_selection::FeatureTable;
    /// use ndarray::array;
    /// let table = FeatureTable::new(vec!["age".into()], array![[40.0], [f64::NAN], [60.0]])?;
    /// assert!(MissingPolicy::Refuse.complete(&table).is_err());
    /// assert_eq!(MissingPolicy::Omit.complete(&table)?.rows, [0, 2]);
    /// let filled = MissingPolicy::Median.complete(&table)?;
    /// assert_eq!(filled.tables[0].column("age")?[1], 50.0);
    /// assert_eq!(filled.missing[0].missing, 1);
    /// # Ok::<(), alnm_imputation::ImputationError>(())
    /// ```
    pub fn complete(&self, training: &FeatureTable) -> Result<CompletedTraining> {
        let all: Vec<usize> = (0..training.rows()).collect();
        let (tables, rows) = match self {
            Self::Refuse => (vec![training.clone()], all),
            Self::Omit => {
                let rows = training.complete_rows();
                if rows.is_empty() {
                    let requirement = "at least 1; omit columns that many rows lack, or impute";
                    return Err(ImputationError::parameter("number of complete rows", 0_usize, requirement));
                }
                (vec![training.select_rows(&rows)], rows)
            }
            Self::Median => (vec![MedianImputation::fit(training)?.complete(training)?], all),
            Self::NearestNeighbours(params) => (vec![params.check()?.fit(training)?.complete(training)?], all),
            Self::Impute(params) => (params.clone().check()?.impute(training)?.completed().to_vec(), all),
        };
        tables.iter().try_for_each(FeatureTable::require_finite)?;
        let missing = training
            .names()
            .iter()
            .zip(training.values().columns())
            .map(|(name, column)| {
                MissingCount::new(name, column.iter().filter(|value| value.is_nan()).count(), training.rows())
            })
            .collect();
        Ok(CompletedTraining { tables, rows, missing })
    }
}
