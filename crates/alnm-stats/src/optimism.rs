//! Optimism-corrected validation by the bootstrap (Harrell; `rms::validate`).

use rayon::prelude::*;

use crate::Labels;
use crate::bootstrap::{Resampling, resample_rows, resample_stratified};
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::error::{Result, StatsError, require_count};

/// Whether resamples keep the number of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Stratification {
    /// Plain resamples of all rows, as `rms::validate`.
    None,
    /// Resamples within the outcome classes, which keeps small cohorts from losing a class.
    #[default]
    ByOutcome,
}

/// A performance measure, apparent and corrected.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OptimismCorrected {
    /// Measure of the model on the data that it was fitted to.
    pub apparent: f64,
    /// Mean over the resamples of the measure on the resample.
    pub training: f64,
    /// Mean over the resamples of the measure on the original data.
    pub test: f64,
    /// training − test.
    pub optimism: f64,
    /// apparent − optimism.
    pub corrected: f64,
    /// Number of resamples that could be fitted and measured.
    pub resamples: usize,
}

/// Validates a modelling procedure: every step that looks at the outcome belongs inside `fit`. `fit` builds a model
/// from rows and returns `None` when it cannot; `measure` judges a model on rows, one number per measure. The result
/// has one entry per measure, in that order.
///
/// # Errors
/// [`StatsError::TooFew`] without rows, [`StatsError::Undefined`] when the full data cannot be fitted,
/// [`StatsError::NoValidResample`] when no resample can.
///
/// ```
/// use alnm_stats::Labels;
/// use alnm_stats::bootstrap::Resampling;
/// use alnm_stats::describe::mean;
/// use alnm_stats::optimism::{Stratification, validate};
/// let labels = Labels::new((0..30).map(|i| i % 3 == 0).collect());
/// let size: Vec<f64> = (0..30).map(|i| f64::from((i * 7) % 11)).collect();
/// // The "model" is the mean of a variable, its measure the mean squared distance from it.
/// let fit = |rows: &[usize]| Some(mean(&rows.iter().map(|&row| size[row]).collect::<Vec<_>>()));
/// let distance = |center: &f64, rows: &[usize]| {
///     vec![mean(&rows.iter().map(|&row| (size[row] - center).powi(2)).collect::<Vec<_>>())]
/// };
/// let results = validate(&labels, Stratification::ByOutcome, Resampling::new(200, 1), fit, distance)?;
/// assert!(results[0].corrected > results[0].apparent);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn validate<M>(
    labels: &Labels,
    stratification: Stratification,
    resampling: Resampling,
    fit: impl Fn(&[usize]) -> Option<M> + Sync,
    measure: impl Fn(&M, &[usize]) -> Vec<f64> + Sync,
) -> Result<Vec<OptimismCorrected>> {
    const OPERATION: &str = "optimism-corrected validation";
    let n = labels.len();
    require_count(OPERATION, "observations", 2, n)?;
    let all: Vec<usize> = (0..n).collect();
    let model = fit(&all).ok_or(StatsError::Undefined {
        operation: OPERATION,
        requirement: "the procedure must be able to fit a model to the full data",
    })?;
    let apparent = measure(&model, &all);
    let resampled: Vec<(Vec<f64>, Vec<f64>)> = (0..resampling.resamples)
        .into_par_iter()
        .filter_map(|b| {
            let rows = match stratification {
                Stratification::None => resample_rows(n, resampling.seed, b),
                Stratification::ByOutcome => resample_stratified(labels, resampling.seed, b),
            };
            let model = fit(&rows)?;
            let measured = (measure(&model, &rows), measure(&model, &all));
            measured.0.iter().chain(&measured.1).all(|v| v.is_finite()).then_some(measured)
        })
        .collect();
    if resampled.is_empty() {
        return Err(StatsError::NoValidResample { operation: OPERATION, resamples: resampling.resamples });
    }
    let count = resampled.len();
    Ok(apparent
        .iter()
        .enumerate()
        .map(|(k, &apparent)| {
            let training = resampled.iter().map(|r| r.0[k]).sum::<f64>() / count as f64;
            let test = resampled.iter().map(|r| r.1[k]).sum::<f64>() / count as f64;
            let optimism = training - test;
            OptimismCorrected { apparent, training, test, optimism, corrected: apparent - optimism, resamples: count }
        })
        .collect())
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    OptimismCorrected {
        apparent: f64,
        training: f64,
        test: f64,
        optimism: f64,
        corrected: f64,
        resamples: usize,
    }
}

#[cfg(feature = "serde")]
impl OptimismCorrected {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        if self.resamples == 0 {
            return Err("number of resamples is 0; it must be at least 1".to_owned());
        }
        if !crate::reading::near(self.optimism, self.training - self.test) {
            return Err(format!("optimism is {}; it must be the training figure minus the test figure", self.optimism));
        }
        if !crate::reading::near(self.corrected, self.apparent - self.optimism) {
            return Err(format!("corrected figure is {}; it must be the apparent one minus optimism", self.corrected));
        }
        Ok(())
    }
}

impl Tabulate for OptimismCorrected {
    const COLUMNS: &'static [&'static str] = &["apparent", "training", "test", "optimism", "corrected", "resamples"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![self.apparent, self.training, self.test, self.optimism, self.corrected, self.resamples]]
    }
}
