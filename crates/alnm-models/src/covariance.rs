//! Covariance of estimated coefficients.

use ndarray::{Array2, ArrayView2};

#[cfg(any(feature = "regression", feature = "serde", test))]
use crate::invariants::{Checked, finite, require};

/// A covariance matrix: square, symmetric, with finite entries and no negative variance.
///
/// ```
/// use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams};
/// use ndarray::array;
/// let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
/// let labels = Labels::new(vec![false, false, true, false, true, true]);
/// let model = LogisticModel::fit(&table, &labels, &LogisticParams::default())?;
/// let covariance = model.covariance().expect("the outcome is not separated");
/// assert_eq!(covariance.size(), 2);
/// // The variance of a linear predictor, here of a patient of size 3.5.
/// assert!(covariance.variance_of(&[1.0, 3.5]).is_some_and(|variance| variance > 0.0));
/// # Ok::<(), alnm_models::ModelError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Vec<Vec<f64>>", into = "Vec<Vec<f64>>"))]
pub struct CovarianceMatrix {
    values: Array2<f64>,
}

impl CovarianceMatrix {
    /// Checks a matrix.
    #[cfg(any(feature = "regression", feature = "serde", test))]
    pub(crate) fn new(values: Array2<f64>) -> Checked<Self> {
        let (rows, columns) = values.dim();
        require(rows == columns, || format!("the covariance is {rows} × {columns}; it must be square"))?;
        for ((i, j), &value) in values.indexed_iter() {
            let entry = format!("row {}, column {} of the covariance", i + 1, j + 1);
            finite(&entry, value)?;
            require(i != j || value >= 0.0, || format!("{entry} is {value}; it must be 0 or more"))?;
            let mirrored = values[[j, i]];
            require(value == mirrored, || {
                format!("{entry} is {value}; it must be {mirrored} as on the other side of the diagonal")
            })?;
        }
        Ok(Self { values })
    }

    /// Number of coefficients.
    #[must_use]
    pub fn size(&self) -> usize {
        self.values.nrows()
    }

    /// The entries, `size` × `size`.
    #[must_use]
    pub fn view(&self) -> ArrayView2<'_, f64> {
        self.values.view()
    }

    /// The variance xᵀ Σ x of a linear combination of the coefficients, 0 or more; `None` when `x` has another length
    /// than the matrix.
    #[must_use]
    pub fn variance_of(&self, x: &[f64]) -> Option<f64> {
        if x.len() != self.size() {
            return None;
        }
        let rows = self.values.rows();
        let variance: f64 = rows
            .into_iter()
            .zip(x)
            .map(|(row, a)| a * row.iter().zip(x).map(|(covariance, b)| covariance * b).sum::<f64>())
            .sum();
        Some(variance.max(0.0))
    }
}

#[cfg(any(feature = "serde", test))]
impl TryFrom<Vec<Vec<f64>>> for CovarianceMatrix {
    type Error = String;

    fn try_from(rows: Vec<Vec<f64>>) -> Checked<Self> {
        let size = rows.len();
        for (i, row) in rows.iter().enumerate() {
            require(row.len() == size, || {
                format!("row {} of the covariance has {} entries; it must have {size}", i + 1, row.len())
            })?;
        }
        Self::new(Array2::from_shape_fn((size, size), |(i, j)| rows[i][j]))
    }
}

#[cfg(feature = "serde")]
impl From<CovarianceMatrix> for Vec<Vec<f64>> {
    fn from(covariance: CovarianceMatrix) -> Self {
        covariance.values.rows().into_iter().map(|row| row.to_vec()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_covariance_is_refused_with_the_reason() {
        let reason = |rows: &[&[f64]]| {
            let rows: Vec<Vec<f64>> = rows.iter().map(|row| row.to_vec()).collect();
            CovarianceMatrix::try_from(rows).map_or_else(|reason| reason, |_| "accepted".to_owned())
        };
        assert_eq!(reason(&[&[1.0, 0.5], &[0.5, 2.0]]), "accepted");
        for (rows, sentence) in [
            (&[&[1.0, 0.5][..], &[0.5]][..], "row 2 of the covariance has 1 entries; it must have 2"),
            (
                &[&[1.0, 0.5], &[0.4, 2.0]],
                "row 1, column 2 of the covariance is 0.5; it must be 0.4 as on the other side of the diagonal",
            ),
            (&[&[-1.0]], "row 1, column 1 of the covariance is -1; it must be 0 or more"),
            (&[&[f64::NAN]], "row 1, column 1 of the covariance is NaN; it must be finite"),
        ] {
            assert_eq!(reason(rows), sentence);
        }
    }
}
