//! What a training leaves besides the network: its parameters and its epochs.

use serde::{Deserialize, Serialize};

use super::inner_folds::InnerFolds;
use super::params::{Training, TrainingParams};
use crate::error::{DeepError, Result};
use crate::network::Network;

/// The losses of one epoch of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "EpochFields", into = "EpochFields")]
pub struct EpochRecord(EpochFields);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EpochFields {
    pub(super) epoch: usize,
    pub(super) training_loss: f64,
    pub(super) training_auc: f64,
    pub(super) validation_loss: Option<f64>,
    pub(super) validation_auc: Option<f64>,
    pub(super) learning_rate: f64,
}

impl TryFrom<EpochFields> for EpochRecord {
    type Error = DeepError;

    fn try_from(fields: EpochFields) -> Result<Self> {
        let losses = [Some(fields.training_loss), fields.validation_loss, Some(fields.learning_rate)];
        if let Some(value) = losses.into_iter().flatten().find(|value| !(value.is_finite() && *value >= 0.0)) {
            return Err(DeepError::parameter("loss or learning rate of an epoch", value, "finite and at least 0"));
        }
        let areas = [Some(fields.training_auc), fields.validation_auc];
        if let Some(area) = areas.into_iter().flatten().find(|area| !(0.0..=1.0).contains(area)) {
            return Err(DeepError::parameter("area under the ROC curve of an epoch", area, "in [0, 1]"));
        }
        if fields.validation_loss.is_some() != fields.validation_auc.is_some() {
            let value = format!("{:?}", fields.validation_loss);
            return Err(DeepError::parameter("validation_loss of an epoch", value, "there where validation_auc is"));
        }
        Ok(Self(fields))
    }
}

impl From<EpochRecord> for EpochFields {
    fn from(record: EpochRecord) -> Self {
        record.0
    }
}

impl EpochRecord {
    /// Number of the epoch, from 0.
    #[must_use]
    pub fn epoch(&self) -> usize {
        self.0.epoch
    }

    /// Mean loss over the (augmented) training images while the parameters moved.
    #[must_use]
    pub fn training_loss(&self) -> f64 {
        self.0.training_loss
    }

    /// Area under the ROC curve of the logits behind the training loss.
    #[must_use]
    pub fn training_auc(&self) -> f64 {
        self.0.training_auc
    }

    /// Mean loss over the held-out images, without label smoothing; `None` where no images are held out.
    #[must_use]
    pub fn validation_loss(&self) -> Option<f64> {
        self.0.validation_loss
    }

    /// Area under the ROC curve over the held-out images; `None` where no images are held out.
    #[must_use]
    pub fn validation_auc(&self) -> Option<f64> {
        self.0.validation_auc
    }

    /// Learning rate of the epoch's last step.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.0.learning_rate
    }
}

/// The parameters and the epochs of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RecordFields", into = "RecordFields")]
pub(crate) struct TrainingRecord(RecordFields);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordFields {
    pub(super) training: Training,
    pub(super) history: Vec<EpochRecord>,
    pub(super) best_epoch: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) inner_folds: Option<InnerFolds>,
}

impl TryFrom<RecordFields> for TrainingRecord {
    type Error = DeepError;

    fn try_from(fields: RecordFields) -> Result<Self> {
        let params = fields.training.params();
        check_history(&fields.history, fields.best_epoch, params, params.validation_fraction > 0.0)?;
        let folds = fields.inner_folds.as_ref().map(|inner| inner.curves().len());
        if folds != params.inner_folds {
            let requirement = format!("{:?}, as the parameters say", params.inner_folds);
            return Err(DeepError::parameter("number of inner folds", format!("{folds:?}"), requirement));
        }
        if let Some(inner) = &fields.inner_folds {
            for curve in inner.curves() {
                check_history(curve, 0, params, true)?;
            }
            if fields.history.len() != inner.epochs() {
                let requirement = format!("{}, which the inner folds chose", inner.epochs());
                return Err(DeepError::parameter(
                    "number of epochs of the training",
                    fields.history.len(),
                    requirement,
                ));
            }
        }
        if fields.history.is_empty() {
            return Err(DeepError::parameter("number of epochs of the training", 0, "at least 1"));
        }
        Ok(Self(fields))
    }
}

impl From<TrainingRecord> for RecordFields {
    fn from(record: TrainingRecord) -> Self {
        record.0
    }
}

/// Refuses a history that a training with these parameters, which holds examples out or does not, cannot have left.
pub(super) fn check_history(
    history: &[EpochRecord],
    best_epoch: usize,
    params: &TrainingParams,
    holds_out: bool,
) -> Result<()> {
    if history.len() > params.epochs {
        let requirement = format!("at most {}, the epochs of its parameters", params.epochs);
        return Err(DeepError::parameter("number of epochs of the training", history.len(), requirement));
    }
    for (place, record) in history.iter().enumerate() {
        if record.epoch() != place {
            return Err(DeepError::parameter("number of an epoch", record.epoch(), format!("{place}, its place")));
        }
        if record.validation_loss().is_some() != holds_out {
            let requirement = "there exactly where examples are held out";
            let value = format!("{:?}", record.validation_loss());
            return Err(DeepError::parameter("validation_loss of an epoch", value, requirement));
        }
    }
    if best_epoch >= history.len().max(1) {
        let requirement = format!("below {}, the number of epochs", history.len());
        return Err(DeepError::parameter("best_epoch", best_epoch, requirement));
    }
    Ok(())
}

/// A fine-tuned network with a record of its training.
#[derive(Debug, Clone)]
pub struct TrainedNetwork {
    network: Network,
    record: TrainingRecord,
}

impl TrainedNetwork {
    pub(crate) fn new(network: Network, record: TrainingRecord) -> Self {
        Self { network, record }
    }

    pub(crate) fn record(&self) -> &TrainingRecord {
        &self.record
    }

    /// The network with the parameters of the best epoch.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The network, without the record of its training.
    #[must_use]
    pub fn into_network(self) -> Network {
        self.network
    }

    /// The parameters that it was trained with.
    pub fn params(&self) -> &TrainingParams {
        self.record.0.training.params()
    }

    /// How the number of epochs was chosen, where the parameters ask for inner folds.
    #[must_use]
    pub fn inner_folds(&self) -> Option<&InnerFolds> {
        self.record.0.inner_folds.as_ref()
    }

    /// Every epoch of the training, in order.
    #[must_use]
    pub fn history(&self) -> &[EpochRecord] {
        &self.record.0.history
    }

    /// Number of the epoch whose parameters were kept: the one of the lowest validation loss, or the last one where no
    /// images were held out.
    #[must_use]
    pub fn best_epoch(&self) -> usize {
        self.record.0.best_epoch
    }
}
