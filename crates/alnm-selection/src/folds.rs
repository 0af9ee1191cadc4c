//! Deterministic folds for cross-validation: each row is held out once.

use alnm_stats::Labels;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

use crate::error::{Result, SelectionError};

/// How rows are distributed over folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum FoldOrder {
    /// In order of appearance (scikit-learn's `StratifiedKFold(shuffle=False)`).
    AsGiven,
    /// Shuffled within each class from the seed. A fold gets as many rows of each class as with
    /// [`FoldOrder::AsGiven`].
    Shuffled {
        /// Seed of the generator.
        seed: u64,
    },
}

/// An assignment of rows to two or more folds, none of which is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Assignment"))]
pub struct Folds {
    /// Fold of each row, counted from 0.
    assignment: Vec<usize>,
    count: usize,
}

/// Folds as a file states them.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Assignment {
    assignment: Vec<usize>,
    count: usize,
}

#[cfg(feature = "serde")]
impl TryFrom<Assignment> for Folds {
    type Error = SelectionError;

    fn try_from(read: Assignment) -> Result<Self> {
        let folds = Self::given(read.assignment)?;
        if folds.count == read.count {
            Ok(folds)
        } else {
            let reason = format!("{} folds are stated, but the rows lie in {}", read.count, folds.count);
            Err(SelectionError::Inconsistent { what: "assignment of rows to folds", reason })
        }
    }
}

/// The rows of one fold, each list ascending and counted from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Split {
    /// Number of the fold, counted from 0.
    pub fold: usize,
    /// Rows to fit on: those of all other folds.
    pub training: Vec<usize>,
    /// Rows to predict: those of this fold.
    pub held_out: Vec<usize>,
}

impl Folds {
    /// Stratified folds: each fold gets its share of both classes, in the numbers of scikit-learn's `StratifiedKFold`.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] for fewer than two folds or more folds than rows of the larger class.
    ///
    /// ```
    /// use alnm_selection::{Labels, folds::{FoldOrder, Folds}};
    /// let labels = Labels::new(vec![false, true, false, true, false, false]);
    /// let folds = Folds::stratified(&labels, 2, FoldOrder::AsGiven)?;
    /// assert_eq!(folds.test_rows(0).len(), 3);
    /// # Ok::<(), alnm_selection::SelectionError>(())
    /// ```
    pub fn stratified(labels: &Labels, count: usize, order: FoldOrder) -> Result<Self> {
        if count < 2 || count > labels.positives().max(labels.negatives()) {
            return Err(SelectionError::parameter(
                "number of folds",
                count,
                "at least 2 and at most the number of rows of the larger class",
            ));
        }
        // Classes are numbered by first appearance, as scikit-learn does for its allocation.
        let first = labels.as_slice()[0];
        let class_of = |label: bool| usize::from(label != first);
        let mut ordered: Vec<usize> = labels.as_slice().iter().map(|&l| class_of(l)).collect();
        ordered.sort_unstable();
        let mut allocation = vec![[0usize; 2]; count];
        for (i, &class) in ordered.iter().enumerate() {
            allocation[i % count][class] += 1;
        }
        let mut assignment = vec![0; labels.len()];
        for class in 0..2 {
            let mut rows: Vec<usize> = (0..labels.len()).filter(|&r| class_of(labels.as_slice()[r]) == class).collect();
            if let FoldOrder::Shuffled { seed } = order {
                let mut generator = ChaCha8Rng::seed_from_u64(seed);
                generator.set_stream(class as u64);
                rows.shuffle(&mut generator);
            }
            let folds =
                allocation.iter().enumerate().flat_map(|(fold, counts)| std::iter::repeat_n(fold, counts[class]));
            for (row, fold) in rows.into_iter().zip(folds) {
                assignment[row] = fold;
            }
        }
        Ok(Self { assignment, count })
    }

    /// Folds as given: one number per row, counted from 0.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] when there are fewer than two folds or one of them is empty.
    pub fn given(assignment: Vec<usize>) -> Result<Self> {
        let count = assignment.iter().max().map_or(0, |m| m + 1);
        let mut sizes = vec![0usize; count.min(assignment.len() + 1)];
        for &fold in &assignment {
            if let Some(size) = sizes.get_mut(fold) {
                *size += 1;
            }
        }
        if count < 2 || sizes.len() < count || sizes.contains(&0) {
            return Err(SelectionError::parameter("number of folds", count, "at least 2, each with at least one row"));
        }
        Ok(Self { assignment, count })
    }

    /// Refuses a number of rows that is not that of the folds.
    #[cfg(feature = "methods")]
    pub(crate) fn require_rows(&self, rows: usize) -> Result<()> {
        if self.rows() == rows {
            Ok(())
        } else {
            Err(SelectionError::Shape { what: "assigned rows of the folds and rows", left: self.rows(), right: rows })
        }
    }

    /// Number of folds.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.assignment.len()
    }

    /// Fold of each row.
    #[must_use]
    pub fn assignment(&self) -> &[usize] {
        &self.assignment
    }

    /// Rows held out in a fold, ascending.
    #[must_use]
    pub fn test_rows(&self, fold: usize) -> Vec<usize> {
        (0..self.assignment.len()).filter(|&r| self.assignment[r] == fold).collect()
    }

    /// Rows to fit on in a fold, ascending.
    #[must_use]
    pub fn training_rows(&self, fold: usize) -> Vec<usize> {
        (0..self.assignment.len()).filter(|&r| self.assignment[r] != fold).collect()
    }

    /// Both kinds of rows of a fold.
    #[must_use]
    pub fn split(&self, fold: usize) -> Split {
        Split { fold, training: self.training_rows(fold), held_out: self.test_rows(fold) }
    }

    /// Values of held-out rows, one list per fold in the order of [`Folds::test_rows`], put into the order of the rows.
    ///
    /// # Errors
    /// [`SelectionError::Shape`] when there is another number of lists than of folds, or of values than of held-out
    /// rows.
    pub fn in_row_order<T>(&self, of_folds: Vec<Vec<T>>) -> Result<Vec<T>> {
        if of_folds.len() != self.count {
            let what = "lists of predictions and folds";
            return Err(SelectionError::Shape { what, left: of_folds.len(), right: self.count });
        }
        let mut in_order: Vec<Option<T>> = Vec::new();
        in_order.resize_with(self.rows(), || None);
        for (fold, values) in of_folds.into_iter().enumerate() {
            let rows = self.test_rows(fold);
            if values.len() != rows.len() {
                let what = "predictions and held-out rows";
                return Err(SelectionError::Shape { what, left: values.len(), right: rows.len() });
            }
            rows.into_iter().zip(values).for_each(|(row, value)| in_order[row] = Some(value));
        }
        // Every row belongs to one fold.
        Ok(in_order.into_iter().flatten().collect())
    }
}
