//! Selection of features over imputations.
//!
//! Each completed table gives a selection of its own. Two ways lead to one: by vote, a feature is kept that enough of
//! the selections keep (Wood, White and Royston 2008), and the final model is fitted to each completed table with the
//! kept features and pooled; or the completed tables are stacked, every row counting 1/m, and selected from once (Du et
//! al. 2022). Folds of the stacked table keep the copies of a patient together, so that no copy helps to predict
//! another.

use alnm_models::logistic::{LogisticModel, LogisticParams};
use alnm_models::{FeatureTable, Labels};
use alnm_selection::SelectionError;
use alnm_selection::folds::Folds;
use alnm_selection::lasso::{FittedLasso, Lasso};
use ndarray::{Axis, concatenate};
use rayon::prelude::*;

use crate::error::{ImputationError, Result, require_imputations};
use crate::pooling::{PooledCoefficients, RubinsRules};

/// How often a feature was selected.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FeatureVote {
    /// Name of the feature.
    pub feature: String,
    /// Share of the completed tables whose selection kept the feature.
    pub share: f64,
    /// Whether the share reaches the threshold.
    pub selected: bool,
}

/// The vote of the selections of all completed tables.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MajorityVote {
    /// One entry per feature, in the order of the columns.
    pub votes: Vec<FeatureVote>,
    /// The selection of each completed table.
    pub fits: Vec<FittedLasso>,
}

impl MajorityVote {
    /// Names of the selected features, in the order of the columns.
    #[must_use]
    pub fn selected(&self) -> Vec<String> {
        self.votes.iter().filter(|vote| vote.selected).map(|vote| vote.feature.clone()).collect()
    }

    /// Fits a logistic regression of the selected features to each completed table and pools them.
    ///
    /// # Errors
    /// [`ImputationError::Selection`] when no feature is selected; as [`LogisticModel::fit`] and
    /// [`RubinsRules::pool_logistic`].
    pub fn refit(
        &self,
        tables: &[FeatureTable],
        labels: &Labels,
        params: &LogisticParams,
        rules: &RubinsRules,
    ) -> Result<PooledCoefficients> {
        let selected = self.selected();
        if selected.is_empty() {
            return Err(SelectionError::NothingLeft { step: "vote over imputations" }.into());
        }
        let models = tables
            .iter()
            .map(|table| Ok(LogisticModel::fit(&table.select(&selected)?, labels, params)?))
            .collect::<Result<Vec<_>>>()?;
        rules.pool_logistic(&models)
    }
}

/// Tables that can be stacked or selected from one by one: at least two, with the same columns and rows.
fn require_alike(tables: &[FeatureTable]) -> Result<()> {
    require_imputations(tables.len())?;
    let first = &tables[0];
    if let Some(other) = tables.iter().find(|t| t.names() != first.names()) {
        let reason =
            format!("a completed table has the columns {:?}; all must have {:?}", other.names(), first.names());
        return Err(ImputationError::plan("columns", reason));
    }
    match tables.iter().find(|t| t.rows() != first.rows()) {
        Some(other) => {
            let (left, right) = (first.rows(), other.rows());
            Err(SelectionError::Shape { what: "rows of the completed tables", left, right }.into())
        }
        None => Ok(()),
    }
}

/// Fits the LASSO to each completed table and keeps the features that at least the share `threshold` of the fits keeps,
/// ½ being the majority.
///
/// # Errors
/// [`ImputationError::Parameter`] for fewer than two tables or a threshold that is not above 0 and at most 1;
/// [`ImputationError::Plan`] and [`ImputationError::Selection`] for tables of other columns or rows; as [`Lasso::fit`].
pub fn majority_vote(tables: &[FeatureTable], labels: &Labels, lasso: &Lasso, threshold: f64) -> Result<MajorityVote> {
    require_alike(tables)?;
    if !(threshold > 0.0 && threshold <= 1.0) {
        let requirement = "above 0 and at most 1";
        return Err(ImputationError::parameter("threshold of the vote", threshold, requirement));
    }
    let fits: Vec<FittedLasso> = tables
        .par_iter()
        .map(|table| lasso.fit("imputation", table, labels))
        .collect::<std::result::Result<_, SelectionError>>()?;
    let votes = tables[0].names().iter().map(|feature| {
        let kept = fits.iter().filter(|fit| fit.signature.weights().iter().any(|weight| weight.feature == *feature));
        let share = kept.count() as f64 / fits.len() as f64;
        FeatureVote { feature: feature.clone(), share, selected: share >= threshold }
    });
    Ok(MajorityVote { votes: votes.collect(), fits })
}

/// Fits the LASSO once, to all completed tables one under the other, and gives the score `name`. Every row counts 1/m,
/// as the likelihood of the path is a mean over rows. The folds are those of the patients; a patient's copies share
/// one.
///
/// # Errors
/// [`ImputationError::Parameter`] for fewer than two tables; [`ImputationError::Plan`] and
/// [`ImputationError::Selection`] for tables of other columns or rows; as [`Lasso::fit`].
pub fn stacked_lasso(name: &str, tables: &[FeatureTable], labels: &Labels, lasso: &Lasso) -> Result<FittedLasso> {
    require_alike(tables)?;
    tables[0].require_rows(labels.len())?;
    let m = tables.len();
    let views: Vec<_> = tables.iter().map(FeatureTable::values).collect();
    let stacked = concatenate(Axis(0), &views).map_err(|_| SelectionError::Shape {
        what: "columns of the tables",
        left: tables[0].columns(),
        right: 0,
    })?;
    let stacked = FeatureTable::new(tables[0].names().to_vec(), stacked)?;
    let params = lasso.params();
    let folds = Folds::stratified(labels, params.folds, params.order)?;
    let folds = Folds::given(folds.assignment().repeat(m))?;
    Ok(lasso.fit_with_folds(name, &stacked, &Labels::new(labels.as_slice().repeat(m)), &folds)?)
}
