//! The LASSO as the last step of a selection: cross-validated penalty, coefficients as a score.

use alnm_stats::Labels;

use crate::FeatureTable;
use crate::cross_validation::{CrossValidatedPath, CvMeasure, LambdaChoice};
use crate::elastic_net::{ElasticNet, ElasticNetParams};
use crate::error::{Result, SelectionError};
use crate::folds::{FoldOrder, Folds};
use crate::signature::Signature;

/// A LASSO or elastic net with a cross-validated penalty; [`LassoParams::check`] gives the [`Lasso`] that can be
/// fitted.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `penalty` | glmnet's defaults | penalty and precision of the path | see [`ElasticNetParams`] |
/// | `folds` | 10 | number of stratified folds | 2 to the number of rows of the larger class |
/// | `order` | given to [`LassoParams::new`] | how rows are distributed over the folds | |
/// | `measure` | deviance | what is cross-validated | |
/// | `choice` | the best penalty | which penalty is taken | |
///
/// ```
/// use alnm_selection::cross_validation::LambdaChoice;
/// use alnm_selection::folds::FoldOrder;
/// use alnm_selection::lasso::LassoParams;
/// let lasso = LassoParams::new(FoldOrder::Shuffled { seed: 1 })
///     .with_folds(5)
///     .with_choice(LambdaChoice::OneStandardError)
///     .check()?;
/// assert_eq!(lasso.params().folds, 5);
/// # Ok::<(), alnm_selection::SelectionError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
#[must_use]
pub struct LassoParams {
    /// Penalty and precision of the path.
    pub penalty: ElasticNetParams,
    /// Number of stratified folds.
    pub folds: usize,
    /// How rows are distributed over the folds.
    pub order: FoldOrder,
    /// What is cross-validated.
    pub measure: CvMeasure,
    /// Which penalty is taken.
    pub choice: LambdaChoice,
}

impl LassoParams {
    /// glmnet's defaults: ten folds, the deviance, `lambda.min`.
    pub fn new(order: FoldOrder) -> Self {
        Self {
            penalty: ElasticNetParams::default(),
            folds: 10,
            order,
            measure: CvMeasure::Deviance,
            choice: LambdaChoice::Min,
        }
    }

    /// Sets penalty and precision of the path.
    pub fn with_penalty(mut self, penalty: ElasticNetParams) -> Self {
        self.penalty = penalty;
        self
    }

    /// Sets the number of folds.
    pub fn with_folds(mut self, folds: usize) -> Self {
        self.folds = folds;
        self
    }

    /// Sets what is cross-validated.
    pub fn with_measure(mut self, measure: CvMeasure) -> Self {
        self.measure = measure;
        self
    }

    /// Sets which penalty is taken.
    pub fn with_choice(mut self, choice: LambdaChoice) -> Self {
        self.choice = choice;
        self
    }

    /// The LASSO with these parameters.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] names the first parameter outside its range.
    pub fn check(self) -> Result<Lasso> {
        if self.folds < 2 {
            return Err(SelectionError::parameter("number of folds of the LASSO", self.folds, "at least 2"));
        }
        Ok(Lasso { net: self.penalty.clone().check()?, params: self })
    }
}

/// A LASSO with checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Lasso {
    params: LassoParams,
    net: ElasticNet,
}

/// A fitted LASSO.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FittedLasso {
    /// The score at the chosen penalty; without any feature when that penalty leaves none.
    pub signature: Signature,
    /// The path behind it.
    pub path: CrossValidatedPath,
}

impl Lasso {
    /// The parameters.
    pub fn params(&self) -> &LassoParams {
        &self.params
    }

    /// Fits the path to all rows, cross-validates it and takes the coefficients at the chosen penalty as the score
    /// `name`.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] for more folds than rows of the larger class, and as
    /// [`ElasticNet::cross_validate`].
    pub fn fit(&self, name: &str, table: &FeatureTable, labels: &Labels) -> Result<FittedLasso> {
        table.require_rows(labels.len())?;
        labels.require_both("cross-validated LASSO")?;
        let folds = Folds::stratified(labels, self.params.folds, self.params.order)?;
        self.fit_with_folds(name, table, labels, &folds)
    }

    /// As [`Lasso::fit`], with folds of one's own in place of stratified ones, for instance such that keep the rows of
    /// a patient together.
    ///
    /// # Errors
    /// As [`ElasticNet::cross_validate`].
    pub fn fit_with_folds(
        &self,
        name: &str,
        table: &FeatureTable,
        labels: &Labels,
        folds: &Folds,
    ) -> Result<FittedLasso> {
        let path = self.net.cross_validate(table, labels, folds, self.params.measure)?;
        let signature = Signature::of_coefficients(name, table.names(), path.coefficients(self.params.choice))?;
        Ok(FittedLasso { signature, path })
    }
}
