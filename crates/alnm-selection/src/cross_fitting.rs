//! Cross-fitting: every row is judged by a fit that never saw it.
//!
//! [`in_each_fold`] hands each fold's training rows and held-out rows to a closure, in parallel, and returns its
//! results in the order of the folds. [`out_of_fold`] does the same for predictions and puts them back into the order
//! of the rows. Everything that learns from data belongs inside the closure: filters, scaling, the choice of a penalty.
//! Both are generic over the error of the closure, so that any model can be cross-fitted.
//!
//! ```
//! use alnm_selection::cross_fitting::out_of_fold;
//! use alnm_selection::folds::{FoldOrder, Folds};
//! use alnm_selection::{Labels, SelectionError};
//!
//! let labels = Labels::new(vec![false, true, false, true, false, true]);
//! let folds = Folds::stratified(&labels, 3, FoldOrder::AsGiven)?;
//! // The share of events among the rows of training, as a prediction of each held-out row.
//! let shares = out_of_fold(&folds, |split| {
//!     let share = labels.select(&split.training).prevalence();
//!     Ok::<_, SelectionError>(vec![share; split.held_out.len()])
//! })?;
//! assert_eq!(shares, [0.5; 6]);
//! # Ok::<(), SelectionError>(())
//! ```

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::error::SelectionError;
use crate::folds::{Folds, Split};

/// Runs `work` once per fold, in parallel, and returns its results in the order of the folds.
///
/// # Errors
/// The error of the first fold, in their order, in which `work` fails, whatever the number of threads. Folds behind it
/// that have not begun by then are left out.
pub fn in_each_fold<T, E>(folds: &Folds, work: impl Fn(&Split) -> Result<T, E> + Sync) -> Result<Vec<T>, E>
where
    T: Send,
    E: Send,
{
    let first_failure = AtomicUsize::new(usize::MAX);
    let results: Vec<Option<Result<T, E>>> = (0..folds.count())
        .into_par_iter()
        .map(|fold| {
            if first_failure.load(Ordering::Relaxed) < fold {
                return None;
            }
            let result = work(&folds.split(fold));
            if result.is_err() {
                first_failure.fetch_min(fold, Ordering::Relaxed);
            }
            Some(result)
        })
        .collect();
    // A fold is left out only when an earlier one failed, so that its error comes first.
    results.into_iter().flatten().collect()
}

/// Predictions of every row by fits that never saw it, in the order of the rows. `predict` returns one prediction per
/// held-out row, in their order; a prediction may be a number or, for several models at once, a list of numbers.
///
/// # Errors
/// As [`in_each_fold`], and [`SelectionError::Shape`] when `predict` returns another number of predictions than there
/// are held-out rows.
pub fn out_of_fold<T, E>(folds: &Folds, predict: impl Fn(&Split) -> Result<Vec<T>, E> + Sync) -> Result<Vec<T>, E>
where
    T: Send,
    E: From<SelectionError> + Send,
{
    Ok(folds.in_row_order(in_each_fold(folds, predict)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Labels;
    use crate::folds::FoldOrder;

    fn four_folds() -> Folds {
        let labels = Labels::new((0..21).map(|i| i % 3 == 0).collect());
        Folds::stratified(&labels, 4, FoldOrder::Shuffled { seed: 3 }).expect("enough rows")
    }

    #[test]
    fn predictions_come_back_in_the_order_of_the_rows() {
        let folds = four_folds();
        let rows = out_of_fold(&folds, |split| {
            assert_eq!(split.training.len() + split.held_out.len(), 21);
            assert!(split.held_out.iter().all(|row| folds.assignment()[*row] == split.fold));
            Ok::<_, SelectionError>(split.held_out.clone())
        });
        assert_eq!(rows, Ok((0..21).collect()));
    }

    #[test]
    fn the_error_is_that_of_the_first_fold_that_fails_on_any_number_of_threads() {
        let folds = four_folds();
        for threads in [1, 2, 4] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let failed = pool.install(|| {
                in_each_fold(&folds, |split| if split.fold == 0 { Ok(()) } else { Err(format!("fold {}", split.fold)) })
            });
            assert_eq!(failed, Err("fold 1".to_owned()));
        }
    }

    #[test]
    fn another_number_of_predictions_is_refused() {
        let refused = out_of_fold(&four_folds(), |_| Ok::<_, SelectionError>(vec![0.0]));
        assert!(matches!(refused, Err(SelectionError::Shape { left: 1, .. })), "{refused:?}");
    }
}
