//! The state of a training, and the file that keeps it from epoch to epoch.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Example;
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
    best_epoch: usize,
    history: Vec<EpochRecord>,
}

impl State {
    pub(super) fn new(network: Network, training: &Training, examples: &[Example]) -> Result<Self> {
        let fingerprint = fingerprint(&network, training, examples)?;
        let params = training.params();
        let trainer = Trainer::new(network, params.optimiser, params.weight_decay_rule)?
            .with_groups(&params.groups, params.norm_moments)?
            .with_recomputation(params.recomputation);
        Ok(Self { trainer, history: Vec::new(), best: None, best_epoch: 0, fingerprint })
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
            best_epoch: self.best_epoch,
            history: self.history.clone(),
        };
        saved_file::write(path, FileContent::Checkpoint, &progress, &tensors)
    }

    /// Goes on from a checkpoint of the same training.
    pub(super) fn restore(&mut self, path: &Path, params: &TrainingParams) -> Result<()> {
        let broken = |reason: &str| DeepError::file(path, format!("{reason}; remove the checkpoint and train again"));
        let (progress, mut tensors) = saved_file::read::<Progress>(path, FileContent::Checkpoint)?;
        if progress.fingerprint != self.fingerprint {
            return Err(broken(
                "the checkpoint belongs to another network, other examples or other training parameters",
            ));
        }
        check_history(&progress.history, progress.best_epoch, params).map_err(|error| broken(&error.to_string()))?;
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
        self.trainer.network.load_state_dict(tensors).map_err(|error| broken(&error.to_string()))?;
        self.best = (!best.is_empty()).then_some(best);
        self.trainer.state.steps = progress.steps;
        self.best_epoch = progress.best_epoch;
        self.history = progress.history;
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
