//! Missing values are a decision, not an accident: a missing value is NaN, and every test refuses it until one of these
//! policies is applied.

use crate::error::{Result, require_finite};

/// What to do with missing values (NaN).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Missing {
    /// Refuse them with an error that names the first one.
    #[default]
    Refuse,
    /// Leave out the observations that lack a value the computation needs (R's `na.omit`).
    Omit,
}

impl Missing {
    /// The values that remain.
    ///
    /// # Errors
    /// [`crate::StatsError::NonFinite`] under [`Missing::Refuse`] when a value is not finite.
    pub fn apply(self, values: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Refuse => require_finite("this analysis", values).map(|()| values.to_vec()),
            Self::Omit => Ok(observed(values)),
        }
    }
}

/// The values that are not NaN, in their order.
#[must_use]
pub fn observed(values: &[f64]) -> Vec<f64> {
    values.iter().copied().filter(|v| !v.is_nan()).collect()
}

/// Rows in which none of the columns is NaN.
///
/// # Panics
/// When the columns differ in length.
#[must_use]
pub fn complete_rows(columns: &[&[f64]]) -> Vec<usize> {
    let rows = columns.first().map_or(0, |c| c.len());
    (0..rows).filter(|&r| columns.iter().all(|c| !c[r].is_nan())).collect()
}
