//! Subsets of variables in order of importance, judged by cross-validation.

use alnm_selection::cross_fitting::in_each_fold;
use alnm_selection::folds::Folds;
use alnm_stats::Interval;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::describe::{mean, standard_deviation};
use alnm_stats::distribution::t_quantile;
use alnm_stats::roc::{Direction, RocCurve};
use rayon::prelude::*;

use crate::error::{ModelError, Result};
use crate::logistic::{LogisticParams, LogisticRegression};
use crate::{FeatureTable, Labels};

/// Parameters of an incremental search, unchecked.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `order` | (required) | the variables, the most important first | at least one, each once |
/// | `regression` | [`LogisticParams::default`] | how each subset is fitted; its level is that of the intervals | as there |
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct SubsetSearchParams {
    /// The variables, the most important first.
    pub order: Vec<String>,
    /// How the regression on each subset is fitted.
    pub regression: LogisticParams,
}

impl SubsetSearchParams {
    /// A search through the variables in this order, the most important first.
    pub fn new<Name: Into<String>>(order: impl IntoIterator<Item = Name>) -> Self {
        Self { order: order.into_iter().map(Into::into).collect(), regression: LogisticParams::default() }
    }

    /// Sets how the regression on each subset is fitted.
    pub fn with_regression(self, regression: LogisticParams) -> Self {
        Self { regression, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] without variables or for a parameter of the regression outside its range,
    /// [`ModelError::Repeated`] for a variable that is given twice.
    pub fn check(self) -> Result<IncrementalSearch> {
        if self.order.is_empty() {
            return Err(ModelError::parameter("number of variables", self.order.len(), "at least 1"));
        }
        let repeated = (1..self.order.len()).find(|&i| self.order[..i].contains(&self.order[i]));
        if let Some(i) = repeated {
            return Err(ModelError::Repeated { what: "variable", name: self.order[i].clone() });
        }
        Ok(IncrementalSearch { order: self.order, regression: self.regression.check()? })
    }
}

/// An incremental search with checked parameters; made by [`SubsetSearchParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct IncrementalSearch {
    order: Vec<String>,
    regression: LogisticRegression,
}

/// A subset of variables and its cross-validated area under the ROC curve.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct EvaluatedSubset {
    /// The variables, the most important first.
    pub variables: Vec<String>,
    /// Area under the ROC curve of the held-out rows of each fold.
    pub fold_auc: Vec<f64>,
    /// Mean of the areas over the folds.
    pub mean_auc: f64,
    /// t interval of the mean over the folds. Folds share training rows, so it is approximate.
    pub interval: Interval,
}

/// The subsets of one, two, … variables and the best of them.
///
/// A search that is read with serde is checked: each subset adds one variable to the one before, areas lie between 0
/// and 1, and the best subset is the one that the areas say.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "saved::SearchForm"))]
pub struct SubsetSearch {
    subsets: Vec<EvaluatedSubset>,
    best: usize,
}

impl SubsetSearch {
    fn new(subsets: Vec<EvaluatedSubset>) -> Self {
        let mut best = 0;
        for (i, subset) in subsets.iter().enumerate() {
            if subset.mean_auc > subsets[best].mean_auc {
                best = i;
            }
        }
        Self { subsets, best }
    }

    /// The subsets, each with one variable more than the one before.
    #[must_use]
    pub fn subsets(&self) -> &[EvaluatedSubset] {
        &self.subsets
    }

    /// Position of the subset with the largest mean area; of equal ones, that of the smallest subset.
    #[must_use]
    pub fn best(&self) -> usize {
        self.best
    }

    /// Variables of the best subset.
    #[must_use]
    pub fn best_variables(&self) -> &[String] {
        &self.subsets[self.best].variables
    }
}

/// Adds the variables one at a time in the given order and cross-validates a logistic regression on each subset; checks
/// the parameters first.
///
/// Where the order was learned from the same rows, the area of the best subset is optimistic; put the search into a
/// [`crate::nested_validation`] for an honest figure.
///
/// # Errors
/// As [`IncrementalSearch::search`], and [`ModelError::Parameter`] for a parameter outside its range.
///
/// ```
/// use alnm_models::folds::{FoldOrder, Folds};
/// use alnm_models::subset_search::{SubsetSearchParams, incremental_subsets};
/// use alnm_models::{FeatureTable, Labels};
/// use ndarray::Array2;
/// let labels = Labels::new((0..80).map(|i| i % 2 == 1).collect());
/// let values = Array2::from_shape_fn((80, 2), |(i, j)| ((i * (5 + 6 * j)) % 17) as f64 + 5.0 * (i % 2) as f64);
/// let table = FeatureTable::new(vec!["size".into(), "score".into()], values)?;
/// let folds = Folds::stratified(&labels, 5, FoldOrder::Shuffled { seed: 1 })?;
/// let search = incremental_subsets(&table, &labels, &folds, &SubsetSearchParams::new(["score", "size"]))?;
/// assert_eq!(search.subsets()[0].variables, ["score"]);
/// assert!(search.subsets()[search.best()].mean_auc > 0.6);
/// # Ok::<(), alnm_models::ModelError>(())
/// ```
pub fn incremental_subsets(
    table: &FeatureTable,
    labels: &Labels,
    folds: &Folds,
    params: &SubsetSearchParams,
) -> Result<SubsetSearch> {
    params.clone().check()?.search(table, labels, folds)
}

impl IncrementalSearch {
    /// Adds the variables one at a time and cross-validates a logistic regression on each subset, as
    /// [`incremental_subsets`].
    ///
    /// # Errors
    /// As [`LogisticRegression::fit`] within a fold; [`ModelError::Selection`] for folds of another number of rows;
    /// [`ModelError::Statistics`] when the held-out rows of a fold are of one class.
    pub fn search(&self, table: &FeatureTable, labels: &Labels, folds: &Folds) -> Result<SubsetSearch> {
        table.require_rows(labels.len())?;
        table.require_rows(folds.rows())?;
        self.regression.require_rows(labels.len())?;
        let subsets = (1..=self.order.len())
            .into_par_iter()
            .map(|size| self.evaluate(table, labels, &self.order[..size], folds))
            .collect::<Result<Vec<_>>>()?;
        Ok(SubsetSearch::new(subsets))
    }

    fn evaluate(
        &self,
        table: &FeatureTable,
        labels: &Labels,
        variables: &[String],
        folds: &Folds,
    ) -> Result<EvaluatedSubset> {
        let columns = table.select(variables)?;
        let fold_auc = in_each_fold(folds, |split| -> Result<f64> {
            let regression = self.regression.of_rows(&split.training);
            let model = regression.fit(&columns.select_rows(&split.training), &labels.select(&split.training))?;
            let risks = model.predict(&columns.select_rows(&split.held_out))?;
            Ok(RocCurve::new(&labels.select(&split.held_out), &risks, Direction::HigherIsPositive)?.auc())
        })?;
        let level = self.regression.params().level;
        let mean_auc = mean(&fold_auc);
        let k = fold_auc.len() as f64;
        let half = t_quantile(0.5 + level / 2.0, k - 1.0) * standard_deviation(&fold_auc) / k.sqrt();
        Ok(EvaluatedSubset {
            variables: variables.to_vec(),
            fold_auc,
            mean_auc,
            interval: Interval { lower: mean_auc - half, upper: mean_auc + half, level },
        })
    }
}

/// The form in which a search is read.
#[cfg(feature = "serde")]
mod saved {
    use super::*;
    use crate::invariants::{Checked, distinct, finite, require};

    #[derive(serde::Deserialize)]
    pub(super) struct SearchForm {
        subsets: Vec<EvaluatedSubset>,
        best: usize,
    }

    impl TryFrom<SearchForm> for SubsetSearch {
        type Error = String;

        fn try_from(form: SearchForm) -> Checked<Self> {
            let SearchForm { subsets, best } = form;
            let largest = subsets.last().ok_or("the number of subsets is 0; it must be at least 1")?;
            let (count, variables) = (subsets.len(), largest.variables.len());
            require(count == variables, || {
                format!("the number of subsets is {count}; it must be {variables}, one per variable")
            })?;
            distinct("variable", largest.variables.iter().map(String::as_str))?;
            for (i, subset) in subsets.iter().enumerate() {
                let what = format!("subset {}", i + 1);
                require(subset.variables[..] == largest.variables[..largest.variables.len().min(i + 1)], || {
                    format!("{what} holds {:?}; it must be the {} most important variables", subset.variables, i + 1)
                })?;
                let folds = subset.fold_auc.len();
                require(folds >= 2 && folds == largest.fold_auc.len(), || {
                    format!("{what} has the areas of {folds} folds; all subsets must have those of the same 2 or more")
                })?;
                let outside = subset.fold_auc.iter().find(|area| !(0.0..=1.0).contains(*area));
                require(outside.is_none(), || {
                    format!(
                        "an area of {what} is {}; it must lie between 0 and 1",
                        outside.copied().unwrap_or_default()
                    )
                })?;
                let expected = mean(&subset.fold_auc);
                require((subset.mean_auc - expected).abs() < 1e-12, || {
                    format!("the mean area of {what} is {}; its folds give {expected}", subset.mean_auc)
                })?;
                let Interval { lower, upper, .. } = subset.interval;
                finite(&format!("the lower limit of {what}"), lower)?;
                finite(&format!("the upper limit of {what}"), upper)?;
                require(lower <= subset.mean_auc && subset.mean_auc <= upper, || {
                    format!("the interval of {what} is {lower} to {upper}; it must hold the mean {}", subset.mean_auc)
                })?;
            }
            let search = Self::new(subsets);
            require(search.best == best, || format!("the best subset is {best}; the areas give {}", search.best))?;
            Ok(search)
        }
    }
}

impl Tabulate for SubsetSearch {
    const COLUMNS: &'static [&'static str] = &["variables", "added variable", "mean AUC", "lower", "upper", "best"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.subsets
            .iter()
            .enumerate()
            .map(|(k, s)| {
                cells![
                    s.variables.len(),
                    s.variables.last(),
                    s.mean_auc,
                    s.interval.lower,
                    s.interval.upper,
                    k == self.best
                ]
            })
            .collect()
    }
}
