//! Policies for missing values. A missing value is NaN; every test refuses it until one of these policies has been
//! applied.

use crate::error::{Result, require_finite, require_same_length};

/// What to do with missing values (NaN).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
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
    ///
    /// ```
    /// use alnm_stats::missing::Missing;
    /// assert_eq!(Missing::Omit.apply(&[1.0, f64::NAN])?, [1.0]);
    /// assert!(Missing::Refuse.apply(&[1.0, f64::NAN]).is_err());
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn apply(self, values: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Refuse => require_finite("this analysis", values).map(|()| values.to_vec()),
            Self::Omit => Ok(observed(values)),
        }
    }
}

/// The values that are not NaN, in their order.
///
/// ```
/// assert_eq!(alnm_stats::missing::observed(&[1.0, f64::NAN, 3.0]), [1.0, 3.0]);
/// ```
#[must_use]
pub fn observed(values: &[f64]) -> Vec<f64> {
    values.iter().copied().filter(|v| !v.is_nan()).collect()
}

/// Indices of the rows in which none of the columns is NaN (complete cases).
///
/// # Errors
/// [`crate::StatsError::LengthMismatch`] when the columns differ in length.
///
/// ```
/// use alnm_stats::missing::complete_rows;
/// assert_eq!(complete_rows(&[&[1.0, f64::NAN, 3.0], &[4.0, 5.0, 6.0]])?, [0, 2]);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn complete_rows(columns: &[&[f64]]) -> Result<Vec<usize>> {
    let rows = columns.first().map_or(0, |c| c.len());
    for column in columns {
        require_same_length("complete rows", rows, column.len())?;
    }
    Ok((0..rows).filter(|&r| columns.iter().all(|c| !c[r].is_nan())).collect())
}
