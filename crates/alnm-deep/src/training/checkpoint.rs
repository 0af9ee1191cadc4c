//! The state of a training, and the file that keeps it from epoch to epoch.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Example;
use super::inner_folds::FoldCurve;
use super::params::{Training, TrainingParams};
use super::record::{EpochRecord, check_history};
use crate::error::{DeepError, Result};
use crate::network::Network;
use crate::saved_file::{self, ContentHash, FileContent};
use crate::state_dict::{StateDict, StateTensor, take_prefixed};
use crate::trainer::Trainer;

/// Everything that changes during a training.
pub(super) struct State {
    pub(super) trainer: Trainer,
    pub(super) history: Vec<EpochRecord>,
    /// Parameters and statistics of the best epoch, where images are held out.
    pub(super) best: Option<StateDict>,
    pub(super) best_epoch: usize,
    /// Logits of the held-out examples after every epoch, in the training of an inner fold.
    pub(super) logits: Vec<Vec<f64>>,
    /// The inner folds that are done.
    pub(super) folds: Vec<FoldCurve>,
    fingerprint: String,
}

/// What a checkpoint keeps besides tensors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress {
    /// Of the network, the examples and the parameters.
    fingerprint: String,
    /// Steps of the optimiser so far.
    steps: u64,
    /// Steps before each parameter began to learn; none where all began at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    begun: Vec<u64>,
    best_epoch: usize,
    history: Vec<EpochRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    logits: Vec<Vec<f64>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    folds: Vec<FoldCurve>,
}

impl State {
    pub(super) fn new(network: Network, training: &Training, examples: &[Example]) -> Result<Self> {
        let fingerprint = fingerprint(&network, training, examples)?;
        Self::begin(network, training.params(), Vec::new(), fingerprint)
    }

    fn begin(network: Network, params: &TrainingParams, folds: Vec<FoldCurve>, fingerprint: String) -> Result<Self> {
        let trainer = Trainer::new(network, params.optimiser, params.weight_decay_rule)?
            .with_groups(&params.groups, params.norm_moments)?
            .with_recomputation(params.recomputation);
        let (history, logits) = (Vec::new(), Vec::new());
        Ok(Self { trainer, history, best: None, best_epoch: 0, logits, folds, fingerprint })
    }

    /// The state before the training that follows that of an inner fold.
    pub(super) fn after_fold(self, start: Network, params: &TrainingParams) -> Result<Self> {
        let Self { history, logits, mut folds, fingerprint, .. } = self;
        folds.push(FoldCurve { history, logits });
        Self::begin(start, params, folds, fingerprint)
    }

    pub(super) fn has_stalled(&self, params: &TrainingParams) -> bool {
        params
            .patience
            .is_some_and(|patience| !self.history.is_empty() && self.history.len() - 1 - self.best_epoch >= patience)
    }

    /// Writes the checkpoint, which replaces the one before.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let mut tensors = self.trainer.network.state_dict();
        if let Some(best) = &self.best {
            tensors.extend(best.iter().map(|(name, tensor)| (format!("best/{name}"), tensor.clone())));
        }
        for (kind, moments) in [("first", &self.trainer.state.first), ("second", &self.trainer.state.second)] {
            let named = moments.iter().enumerate();
            tensors
                .extend(named.map(|(index, values)| (format!("{kind}/{index}"), StateTensor::vector(values.clone()))));
        }
        let progress = Progress {
            fingerprint: self.fingerprint.clone(),
            steps: self.trainer.state.steps,
            begun: if self.trainer.state.begun.iter().all(|begun| *begun == 0) {
                Vec::new()
            } else {
                self.trainer.state.begun.clone()
            },
            best_epoch: self.best_epoch,
            history: self.history.clone(),
            logits: self.logits.clone(),
            folds: self.folds.clone(),
        };
        saved_file::write(path, FileContent::Checkpoint, &progress, &tensors)
    }

    /// Goes on from a checkpoint of the same training, whose inner folds have so many examples.
    pub(super) fn restore(&mut self, path: &Path, params: &TrainingParams, fold_sizes: &[usize]) -> Result<()> {
        let broken = |reason: &str| DeepError::file(path, format!("{reason}; remove the checkpoint and train again"));
        let (progress, mut tensors) = saved_file::read::<Progress>(path, FileContent::Checkpoint)?;
        if progress.fingerprint != self.fingerprint {
            return Err(broken(
                "the checkpoint belongs to another network, other examples or other training parameters",
            ));
        }
        let told = |error: DeepError| broken(&error.to_string());
        if progress.folds.len() > fold_sizes.len() {
            return Err(broken("the checkpoint has more inner folds than the training"));
        }
        progress.folds.iter().zip(fold_sizes).try_for_each(|(fold, size)| fold.check(params, *size)).map_err(told)?;
        let fold_size = fold_sizes.get(progress.folds.len());
        let holds_out = fold_size.is_some() || params.validation_fraction > 0.0;
        check_history(&progress.history, progress.best_epoch, params, holds_out).map_err(told)?;
        let current = FoldCurve { history: progress.history.clone(), logits: progress.logits };
        match fold_size {
            Some(size) => current.check(params, *size).map_err(told)?,
            None if !current.logits.is_empty() => return Err(broken("the checkpoint has logits that no fold gives")),
            None => {}
        }
        // Groups that have begun to learn are not to begin again.
        self.trainer.begin_epoch(progress.history.len().saturating_sub(1));
        let begun = &mut self.trainer.state.begun;
        match progress.begun {
            stored if stored.is_empty() => begun.fill(0),
            stored if stored.len() == begun.len() && stored.iter().all(|begun| *begun <= progress.steps) => {
                *begun = stored;
            }
            _ => return Err(broken("the checkpoint has other parameters than the network")),
        }
        for (prefix, moments) in
            [("first/", &mut self.trainer.state.first), ("second/", &mut self.trainer.state.second)]
        {
            let mut stored = take_prefixed(&mut tensors, prefix);
            for (index, moment) in moments.iter_mut().enumerate() {
                let tensor = stored.remove(&index.to_string()).filter(|tensor| tensor.values().len() == moment.len());
                *moment = tensor
                    .ok_or_else(|| broken(&format!("the checkpoint lacks the tensor {prefix}{index}")))?
                    .into_values();
            }
        }
        let best = take_prefixed(&mut tensors, "best/");
        if best.is_empty() != (progress.history.is_empty() || params.validation_fraction == 0.0) {
            return Err(broken("the checkpoint lacks the parameters of its best epoch"));
        }
        self.trainer.network.load_state_dict(tensors).map_err(told)?;
        self.best = (!best.is_empty()).then_some(best);
        self.trainer.state.steps = progress.steps;
        self.best_epoch = progress.best_epoch;
        self.history = progress.history;
        self.logits = current.logits;
        self.folds = progress.folds;
        Ok(())
    }
}

/// A hash over the network, the examples and the parameters of a training.
fn fingerprint(network: &Network, training: &Training, examples: &[Example]) -> Result<String> {
    let mut hash = ContentHash::new();
    let settings = (network.backbone(), network.preparation(), training);
    let settings = serde_json::to_string(&settings)
        .map_err(|error| DeepError::parameter("training", error, "parameters that can be written as JSON"))?;
    hash.text(&settings);
    hash.tensors(&network.state_dict());
    hash.count(examples.len());
    for example in examples {
        let (rows, columns) = example.image.dim();
        [usize::from(example.label), rows, columns].into_iter().for_each(|count| hash.count(count));
        hash.numbers(&example.image.iter().copied().collect::<Vec<f32>>());
    }
    Ok(hash.digits())
}
