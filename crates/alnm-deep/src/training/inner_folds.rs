//! The number of epochs of a training, chosen over folds of its examples.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::Example;
use super::params::TrainingParams;
use super::record::{EpochRecord, check_history};
use crate::error::{DeepError, Result};
use crate::loss::CrossEntropyLoss;

/// The fold of every example; each fold has the same share of each class, and as many examples as the others, up to
/// one.
pub(super) fn shared_out(examples: &[Example], folds: usize, seed: u64) -> Result<Vec<usize>> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut fold_of = vec![0; examples.len()];
    let mut next = 0;
    for label in [false, true] {
        let mut of_class: Vec<usize> = (0..examples.len()).filter(|&index| examples[index].label == label).collect();
        if of_class.len() < folds {
            let requirement = format!("at most {}, the number of examples of the rarer class", of_class.len());
            return Err(DeepError::parameter("inner_folds", folds, requirement));
        }
        of_class.shuffle(&mut generator);
        for index in of_class {
            fold_of[index] = next % folds;
            next += 1;
        }
    }
    Ok(fold_of)
}

/// What the training without a fold leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FoldCurve {
    pub(super) history: Vec<EpochRecord>,
    /// The logits of the fold's examples after every epoch.
    pub(super) logits: Vec<Vec<f64>>,
}

impl FoldCurve {
    /// Refuses a curve that the training of a fold of so many examples cannot have left.
    pub(super) fn check(&self, params: &TrainingParams, examples: usize) -> Result<()> {
        check_history(&self.history, 0, params, true)?;
        let fits = |logits: &Vec<f64>| logits.len() == examples && logits.iter().all(|logit| logit.is_finite());
        if self.logits.len() == self.history.len() && self.logits.iter().all(fits) {
            return Ok(());
        }
        Err(DeepError::parameter("logits of a fold", "incomplete", "finite, one per example and epoch"))
    }
}

/// How the number of epochs of a training was chosen over folds of its examples; see
/// [`TrainingParams::with_inner_folds`](crate::TrainingParams::with_inner_folds).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "InnerFoldFields", into = "InnerFoldFields")]
pub struct InnerFolds(InnerFoldFields);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InnerFoldFields {
    fold_of: Vec<usize>,
    curves: Vec<Vec<EpochRecord>>,
    losses: Vec<f64>,
    logits: Vec<f64>,
}

impl TryFrom<InnerFoldFields> for InnerFolds {
    type Error = DeepError;

    fn try_from(fields: InnerFoldFields) -> Result<Self> {
        let InnerFoldFields { fold_of, curves, losses, logits } = &fields;
        let numbers = || losses.iter().chain(logits);
        if let Some(value) = numbers().find(|value| !value.is_finite()) {
            return Err(DeepError::parameter("loss or logit of inner folds", value, "finite"));
        }
        if let Some(fold) = fold_of.iter().find(|fold| **fold >= curves.len()) {
            return Err(DeepError::parameter("fold of an example", fold, format!("below {}", curves.len())));
        }
        if fold_of.len() != logits.len() {
            return Err(DeepError::parameter("number of logits out of fold", logits.len(), fold_of.len().to_string()));
        }
        if losses.is_empty() || curves.iter().map(Vec::len).min() != Some(losses.len()) {
            let requirement = "the number of epochs that every fold reached, at least 1";
            return Err(DeepError::parameter("number of losses over inner folds", losses.len(), requirement));
        }
        Ok(Self(fields))
    }
}

impl From<InnerFolds> for InnerFoldFields {
    fn from(folds: InnerFolds) -> Self {
        folds.0
    }
}

impl InnerFolds {
    /// Brings the curves of all folds together.
    pub(super) fn of(
        examples: &[Example],
        fold_of: &[usize],
        folds: &[FoldCurve],
        loss: CrossEntropyLoss,
    ) -> Result<Self> {
        let epochs = folds.iter().map(|fold| fold.logits.len()).min().unwrap_or(0);
        let labels: Vec<bool> = examples.iter().map(|example| example.label).collect();
        let out_of_fold = |epoch: usize| -> Vec<f64> {
            let mut of_fold: Vec<_> = folds.iter().map(|fold| fold.logits[epoch].iter()).collect();
            fold_of.iter().filter_map(|&fold| of_fold[fold].next().copied()).collect()
        };
        let loss = loss.without_smoothing();
        let losses: Vec<f64> = (0..epochs).map(|epoch| loss.of(&out_of_fold(epoch), &labels).mean).collect();
        let logits = out_of_fold(lowest(&losses));
        let curves = folds.iter().map(|fold| fold.history.clone()).collect();
        InnerFoldFields { fold_of: fold_of.to_vec(), curves, losses, logits }.try_into()
    }

    /// The fold of every example, from 0, in the order of the examples.
    #[must_use]
    pub fn fold_of(&self) -> &[usize] {
        &self.0.fold_of
    }

    /// The epochs of the training without each fold; validation is by the fold.
    #[must_use]
    pub fn curves(&self) -> &[Vec<EpochRecord>] {
        &self.0.curves
    }

    /// The mean loss over all examples, each judged without its fold, after each of the epochs that every fold reached.
    #[must_use]
    pub fn losses(&self) -> &[f64] {
        &self.0.losses
    }

    /// The number of epochs that was chosen: that of the lowest loss.
    #[must_use]
    pub fn epochs(&self) -> usize {
        lowest(&self.0.losses) + 1
    }

    /// The logit of every example after the chosen number of epochs, by the network that was trained without its fold.
    #[must_use]
    pub fn logits(&self) -> &[f64] {
        &self.0.logits
    }
}

/// The first place of the lowest value.
fn lowest(values: &[f64]) -> usize {
    let lower = |best: usize, place: usize| if values[place] < values[best] { place } else { best };
    (0..values.len()).reduce(lower).unwrap_or(0)
}
