//! Tables of features: named columns of numbers.

use std::collections::BTreeMap;

use ndarray::parallel::prelude::*;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use crate::error::{Result, SelectionError};

/// Features of a cohort: one row per patient and one named column per feature. NaN is a missing value.
///
/// ```
/// use alnm_selection::FeatureTable;
/// use ndarray::array;
/// let table = FeatureTable::new(vec!["a".into(), "b".into()], array![[1.0, 2.0], [3.0, 4.0]])?;
/// assert_eq!(table.column("b")?.to_vec(), [2.0, 4.0]);
/// # Ok::<(), alnm_selection::SelectionError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Columns"))]
pub struct FeatureTable {
    names: Vec<String>,
    values: Array2<f64>,
}

/// A table as a file states it.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Columns {
    names: Vec<String>,
    values: Array2<f64>,
}

#[cfg(feature = "serde")]
impl TryFrom<Columns> for FeatureTable {
    type Error = SelectionError;

    fn try_from(read: Columns) -> Result<Self> {
        Self::new(read.names, read.values)
    }
}

impl FeatureTable {
    /// A table from the names of its columns and a matrix of rows × columns.
    ///
    /// # Errors
    /// [`SelectionError::Shape`] when names and columns differ in number, [`SelectionError::DuplicateName`] when two
    /// columns have the same name.
    pub fn new(names: Vec<String>, values: Array2<f64>) -> Result<Self> {
        if names.len() != values.ncols() {
            return Err(SelectionError::Shape { what: "names and columns", left: names.len(), right: values.ncols() });
        }
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|w| w[0] == w[1]) {
            return Err(SelectionError::DuplicateName { name: pair[0].clone() });
        }
        Ok(Self { names, values })
    }

    /// A table from named columns.
    ///
    /// # Errors
    /// [`SelectionError::Shape`] when the columns differ in length, [`SelectionError::DuplicateName`] when two have the
    /// same name.
    pub fn from_columns(columns: Vec<(String, Vec<f64>)>) -> Result<Self> {
        let rows = columns.first().map_or(0, |c| c.1.len());
        if let Some((_, c)) = columns.iter().find(|c| c.1.len() != rows) {
            return Err(SelectionError::Shape { what: "rows of the columns", left: rows, right: c.len() });
        }
        let values = Array2::from_shape_fn((rows, columns.len()), |(i, j)| columns[j].1[i]);
        Self::new(columns.into_iter().map(|c| c.0).collect(), values)
    }

    /// Names of the columns.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The values, rows × columns.
    #[must_use]
    pub fn values(&self) -> ArrayView2<'_, f64> {
        self.values.view()
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.nrows()
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.values.ncols()
    }

    /// The column of the given name.
    ///
    /// # Errors
    /// [`SelectionError::MissingColumn`] when there is none.
    pub fn column(&self, name: &str) -> Result<ArrayView1<'_, f64>> {
        let index = self
            .names
            .iter()
            .position(|n| n == name)
            .ok_or_else(|| SelectionError::MissingColumn { name: name.to_owned() })?;
        Ok(self.values.column(index))
    }

    /// The given columns, in the given order.
    ///
    /// # Errors
    /// [`SelectionError::MissingColumn`] names the first that is absent.
    pub fn select(&self, names: &[String]) -> Result<Self> {
        let place: BTreeMap<&str, usize> = self.names.iter().enumerate().map(|(i, n)| (n.as_str(), i)).collect();
        let indices = names
            .iter()
            .map(|n| place.get(n.as_str()).copied().ok_or_else(|| SelectionError::MissingColumn { name: n.clone() }))
            .collect::<Result<Vec<_>>>()?;
        Ok(self.select_columns(&indices))
    }

    /// The columns at the given positions.
    ///
    /// # Panics
    /// When a position does not exist.
    #[must_use]
    pub fn select_columns(&self, indices: &[usize]) -> Self {
        Self {
            names: indices.iter().map(|&i| self.names[i].clone()).collect(),
            values: self.values.select(Axis(1), indices),
        }
    }

    /// The given rows, in the given order.
    ///
    /// # Panics
    /// When a row does not exist.
    #[must_use]
    pub fn select_rows(&self, rows: &[usize]) -> Self {
        Self { names: self.names.clone(), values: self.values.select(Axis(0), rows) }
    }

    /// This table with the columns of another one to its right.
    ///
    /// # Errors
    /// [`SelectionError::Shape`] when the rows differ in number, [`SelectionError::DuplicateName`] when a name stands
    /// in both tables.
    pub fn beside(&self, other: &Self) -> Result<Self> {
        if self.rows() != other.rows() {
            return Err(SelectionError::Shape { what: "rows of the tables", left: self.rows(), right: other.rows() });
        }
        let values = Array2::from_shape_fn((self.rows(), self.columns() + other.columns()), |(i, j)| {
            if j < self.columns() { self.values[[i, j]] } else { other.values[[i, j - self.columns()]] }
        });
        Self::new(self.names.iter().chain(&other.names).cloned().collect(), values)
    }

    /// Positions of the rows without a missing value, counted from 0.
    #[must_use]
    pub fn complete_rows(&self) -> Vec<usize> {
        (0..self.rows()).filter(|&r| self.values.row(r).iter().all(|v| !v.is_nan())).collect()
    }

    /// Refuses a table with a value that is not finite.
    ///
    /// # Errors
    /// [`SelectionError::NonFinite`] names the column and row of the first one.
    pub fn require_finite(&self) -> Result<()> {
        /// Numbers that a thread looks at, at least.
        const AT_ONCE: usize = 1 << 18;
        // Whole rows first: what looks at each value for itself takes several times as long.
        let is_finite = |row: ArrayView1<'_, f64>| row.fold(true, |finite, value| finite & value.is_finite());
        let rows = self.values.axis_iter(Axis(0)).into_par_iter().with_min_len(AT_ONCE / self.columns().max(1) + 1);
        let Some(row) = rows.position_first(|row| !is_finite(row)) else {
            return Ok(());
        };
        let mut values = self.values.row(row).into_iter().enumerate();
        match values.find(|(_, value)| !value.is_finite()) {
            Some((column, &value)) => Err(SelectionError::NonFinite { column: self.names[column].clone(), row, value }),
            None => Ok(()),
        }
    }

    /// Refuses a number of labels that is not the number of rows.
    ///
    /// # Errors
    /// [`SelectionError::Shape`] with both numbers.
    pub fn require_rows(&self, labels: usize) -> Result<()> {
        self.require_as_many_rows("labels and rows", labels)
    }

    /// As [`FeatureTable::require_rows`], for what else belongs to the rows.
    pub(crate) fn require_as_many_rows(&self, what: &'static str, count: usize) -> Result<()> {
        if count == self.rows() { Ok(()) } else { Err(SelectionError::Shape { what, left: count, right: self.rows() }) }
    }

    /// The columns, each in one piece of memory.
    #[cfg(feature = "methods")]
    pub(crate) fn contiguous_columns(&self) -> Vec<Vec<f64>> {
        /// Columns that are copied at once, since their values lie side by side in each row.
        const TOGETHER: usize = 32;
        let copied = |columns: ArrayView2<'_, f64>| {
            let mut copies: Vec<Vec<f64>> = (0..columns.ncols()).map(|_| Vec::with_capacity(columns.nrows())).collect();
            for row in columns.rows() {
                copies.iter_mut().zip(row).for_each(|(copy, value)| copy.push(*value));
            }
            copies
        };
        self.values.axis_chunks_iter(Axis(1), TOGETHER).into_par_iter().flat_map_iter(copied).collect()
    }
}
