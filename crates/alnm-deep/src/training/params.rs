//! The parameters of a training.

use serde::{Deserialize, Serialize};

use super::mixup;
use crate::augmentation::Augmentation;
use crate::error::{DeepError, Result};
use crate::loss::CrossEntropyLoss;
use crate::network::Recomputation;
use crate::optimiser::{Optimiser, Schedule, WeightDecayRule};
use crate::parameter_group::ParameterGroup;
use crate::trainer::NormMoments;

/// How much examples of the two classes weigh in the loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClassWeights {
    /// Every example weighs the same.
    None,
    /// Both classes weigh the same in sum, 1 on average over the training examples: `n / (2 · n_class)`.
    Balanced,
    /// Weights > 0 of a negative and of a positive example.
    Given([f64; 2]),
}

impl ClassWeights {
    fn of(self, negative: f64, positive: f64) -> [f64; 2] {
        match self {
            Self::None => [1.0; 2],
            Self::Balanced => [negative, positive].map(|of_class| (negative + positive) / (2.0 * of_class)),
            Self::Given(weights) => weights,
        }
    }
}

/// How a network is to be fine-tuned.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `epochs` | 8 | passes over the training images | ≥ 1 |
/// | `batch_size` | 16 | images per step; a last batch of one image is joined to the one before | ≥ 2 |
/// | `learning_rate` | 1e-4 | highest learning rate of the schedule | finite, > 0 |
/// | `groups` | none | factors on the learning rate by the names of parameters, 0 freezes; and the epochs in which they begin to learn | factors ≥ 0, not all 0; first epochs below `epochs` |
/// | `norm_moments` | of the batch | what batch normalisation normalises by | [`NormMoments`] |
/// | `optimiser` | AdamW, decay 1e-2 | how parameters follow their gradients | [`Optimiser::check`] |
/// | `weight_decay_rule` | weights only | which parameters decay | [`WeightDecayRule`] |
/// | `schedule` | warm-up over 10 %, then cosine | how the learning rate moves | warm-up in [0, 1) |
/// | `augmentation` | [`Augmentation::study`] | random changes of the training images | [`Augmentation::new`] |
/// | `label_smoothing` | 0 | s of [`CrossEntropyLoss`]: labels become s/2 and 1 − s/2 | [0, 1) |
/// | `mixup` | none | α of the distribution Beta(α, α) of the shares by which two images and their losses are mixed; 0.2 to 0.4 is common | > 0 |
/// | `gradient_clip` | 5 | largest Euclidean norm of all gradients together; no limit where absent | > 0 |
/// | `class_weights` | balanced | how much examples of the two classes weigh in the loss | finite, > 0 |
/// | `validation_fraction` | 0 | share of the examples, of each class, held out to choose the best epoch | [0, 0.5] |
/// | `inner_folds` | none | folds of the examples over which the number of epochs is chosen | ≥ 2, without a `validation_fraction` |
/// | `patience` | none | epochs without a lower validation loss before training stops | ≥ 1, with a `validation_fraction` or `inner_folds` |
/// | `recomputation` | cheap | which activations a step computes again instead of keeping them; changes no bit and is not saved | [`Recomputation`] |
/// | `seed` | 0 | seed of order, augmentation, dropout and hold-out | any |
///
/// ```
/// use alnm_deep::{ParameterGroup, TrainingParams};
///
/// let params = TrainingParams::default()
///     .with_epochs(12)
///     .with_groups(vec![ParameterGroup::new("", 0.0), ParameterGroup::new("layer4", 0.1)])
///     .with_validation_fraction(0.2)
///     .with_patience(3);
/// assert_eq!(params.check()?.params().epochs, 12);
/// let error = TrainingParams::default().with_batch_size(1).check().unwrap_err();
/// assert_eq!(error.to_string(), "batch_size is 1; it must be at least 2, since batch normalisation needs a batch");
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct TrainingParams {
    /// Passes over the training images.
    pub epochs: usize,
    /// Images per step.
    pub batch_size: usize,
    /// Highest learning rate of the schedule.
    pub learning_rate: f64,
    /// Factors on the learning rate by the names of parameters.
    pub groups: Vec<ParameterGroup>,
    /// What batch normalisation normalises by.
    pub norm_moments: NormMoments,
    /// How parameters follow their gradients.
    pub optimiser: Optimiser,
    /// Which parameters decay.
    pub weight_decay_rule: WeightDecayRule,
    /// How the learning rate moves.
    pub schedule: Schedule,
    /// Random changes of the training images.
    pub augmentation: Augmentation,
    /// How far labels are smoothed.
    pub label_smoothing: f64,
    /// α of the shares by which images are mixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixup: Option<f64>,
    /// Largest Euclidean norm of all gradients together.
    pub gradient_clip: Option<f64>,
    /// How much examples of the two classes weigh in the loss.
    pub class_weights: ClassWeights,
    /// Share of the examples held out.
    pub validation_fraction: f64,
    /// Folds of the examples over which the number of epochs is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner_folds: Option<usize>,
    /// Epochs without a lower validation loss before training stops.
    pub patience: Option<usize>,
    /// Which activations a step computes again instead of keeping them.
    #[serde(skip)]
    pub recomputation: Recomputation,
    /// Seed of order, augmentation, dropout and hold-out.
    pub seed: u64,
}

impl Default for TrainingParams {
    fn default() -> Self {
        Self {
            epochs: 8,
            batch_size: 16,
            learning_rate: 1e-4,
            groups: Vec::new(),
            norm_moments: NormMoments::Batch,
            optimiser: Optimiser::adamw(1e-2),
            weight_decay_rule: WeightDecayRule::WeightsOnly,
            schedule: Schedule::WarmUpCosine { warm_up: 0.1 },
            augmentation: Augmentation::study(),
            label_smoothing: 0.0,
            mixup: None,
            gradient_clip: Some(5.0),
            class_weights: ClassWeights::Balanced,
            validation_fraction: 0.0,
            inner_folds: None,
            patience: None,
            recomputation: Recomputation::Cheap,
            seed: 0,
        }
    }
}

impl TrainingParams {
    /// Passes over the training images.
    pub fn with_epochs(self, epochs: usize) -> Self {
        Self { epochs, ..self }
    }

    /// Images per step.
    pub fn with_batch_size(self, batch_size: usize) -> Self {
        Self { batch_size, ..self }
    }

    /// Sets the highest learning rate of the schedule.
    pub fn with_learning_rate(self, learning_rate: f64) -> Self {
        Self { learning_rate, ..self }
    }

    /// Factors on the learning rate by the names of parameters.
    pub fn with_groups(self, groups: Vec<ParameterGroup>) -> Self {
        Self { groups, ..self }
    }

    /// What batch normalisation normalises by.
    pub fn with_norm_moments(self, norm_moments: NormMoments) -> Self {
        Self { norm_moments, ..self }
    }

    /// How parameters follow their gradients.
    pub fn with_optimiser(self, optimiser: Optimiser) -> Self {
        Self { optimiser, ..self }
    }

    /// Which parameters decay.
    pub fn with_weight_decay_rule(self, weight_decay_rule: WeightDecayRule) -> Self {
        Self { weight_decay_rule, ..self }
    }

    /// How the learning rate moves.
    pub fn with_schedule(self, schedule: Schedule) -> Self {
        Self { schedule, ..self }
    }

    /// Random changes of the training images.
    pub fn with_augmentation(self, augmentation: Augmentation) -> Self {
        Self { augmentation, ..self }
    }

    /// How far labels are smoothed.
    pub fn with_label_smoothing(self, label_smoothing: f64) -> Self {
        Self { label_smoothing, ..self }
    }

    /// Every batch mixes its images by pairs (mixup, Zhang et al. 2018): `λ·xᵢ + (1 − λ)·xⱼ`, λ being the larger of a
    /// draw from Beta(α, α) and 1 less it, and j a draw without replacement; the loss is the same mixture of the losses
    /// for both labels. Held-out images are not mixed. The area under the curve of an epoch takes the label of the
    /// larger part.
    pub fn with_mixup(self, alpha: f64) -> Self {
        Self { mixup: Some(alpha), ..self }
    }

    /// Largest Euclidean norm of all gradients together; [`TrainingParams::without_gradient_clip`] sets none.
    pub fn with_gradient_clip(self, gradient_clip: f64) -> Self {
        Self { gradient_clip: Some(gradient_clip), ..self }
    }

    /// No limit on the norm of the gradients.
    pub fn without_gradient_clip(self) -> Self {
        Self { gradient_clip: None, ..self }
    }

    /// How much examples of the two classes weigh in the loss.
    pub fn with_class_weights(self, class_weights: ClassWeights) -> Self {
        Self { class_weights, ..self }
    }

    /// Share of the examples held out.
    pub fn with_validation_fraction(self, validation_fraction: f64) -> Self {
        Self { validation_fraction, ..self }
    }

    /// The number of epochs is chosen by cross-validation: the examples, one per patient, are shared out over `folds`
    /// folds with the same share of each class, and a training without each fold gives a validation loss for every
    /// epoch. The epoch of the lowest mean loss over all examples, of the epochs that every fold reached, is the last
    /// one of the training on all examples, whose learning rate moves as in the folds. [`TrainedNetwork::inner_folds`]
    /// keeps the curves and the logits out of fold, to which a [`Temperature`] can be fitted. Costs `folds − 1` times a
    /// training more.
    ///
    /// [`TrainedNetwork::inner_folds`]: crate::TrainedNetwork::inner_folds
    /// [`Temperature`]: crate::Temperature
    pub fn with_inner_folds(self, folds: usize) -> Self {
        Self { inner_folds: Some(folds), ..self }
    }

    /// Epochs without a lower validation loss before training stops.
    pub fn with_patience(self, patience: usize) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// Which activations a step computes again instead of keeping them.
    pub fn with_recomputation(self, recomputation: Recomputation) -> Self {
        Self { recomputation, ..self }
    }

    /// Seed of order, augmentation, dropout and hold-out.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The training, where every parameter is in its range; the prefixes of `groups` are compared with the names of the
    /// network's parameters when the training runs.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] with the first parameter outside its range.
    pub fn check(self) -> Result<Training> {
        if self.epochs == 0 {
            return Err(DeepError::parameter("epochs", self.epochs, "at least 1"));
        }
        if self.batch_size < 2 {
            let requirement = "at least 2, since batch normalisation needs a batch";
            return Err(DeepError::parameter("batch_size", self.batch_size, requirement));
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return Err(DeepError::parameter("learning_rate", self.learning_rate, "finite and above 0"));
        }
        self.mixup.map(mixup::shares).transpose()?;
        if let Some(norm) = self.gradient_clip.filter(|norm| norm.is_nan() || *norm <= 0.0) {
            return Err(DeepError::parameter("gradient_clip", norm, "above 0"));
        }
        let weights = if let ClassWeights::Given(weights) = self.class_weights { weights } else { [1.0; 2] };
        CrossEntropyLoss::new(weights, self.label_smoothing)?;
        if !(0.0..=0.5).contains(&self.validation_fraction) {
            return Err(DeepError::parameter("validation_fraction", self.validation_fraction, "in [0, 0.5]"));
        }
        match self.patience {
            Some(0) => return Err(DeepError::parameter("patience", 0, "at least 1")),
            Some(patience) if self.validation_fraction == 0.0 && self.inner_folds.is_none() => {
                let requirement = "absent without a validation_fraction or inner_folds, whose loss it watches";
                return Err(DeepError::parameter("patience", patience, requirement));
            }
            _ => {}
        }
        match self.inner_folds {
            Some(folds) if folds < 2 => return Err(DeepError::parameter("inner_folds", folds, "at least 2")),
            Some(folds) if self.validation_fraction > 0.0 => {
                let requirement = "absent where a validation_fraction is held out; choose one of them";
                return Err(DeepError::parameter("inner_folds", folds, requirement));
            }
            _ => {}
        }
        self.groups.iter().try_for_each(ParameterGroup::check)?;
        if let Some(group) = self.groups.iter().find(|group| group.first_epoch >= self.epochs) {
            let requirement = format!("below {}, the number of epochs; a factor of 0 freezes for good", self.epochs);
            let value = format!("{} for {:?}", group.first_epoch, group.prefix);
            return Err(DeepError::parameter("first_epoch of a parameter group", value, requirement));
        }
        self.optimiser.check()?;
        self.schedule.check()?;
        Ok(Training(self))
    }
}

/// A training whose parameters are in their ranges; see [`TrainingParams`]. [`Training::run`] fine-tunes a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TrainingParams", into = "TrainingParams")]
pub struct Training(TrainingParams);

impl TryFrom<TrainingParams> for Training {
    type Error = DeepError;

    fn try_from(params: TrainingParams) -> Result<Self> {
        params.check()
    }
}

impl From<Training> for TrainingParams {
    fn from(training: Training) -> Self {
        training.0
    }
}

impl Training {
    /// The parameters.
    pub fn params(&self) -> &TrainingParams {
        &self.0
    }

    /// The loss, with class weights by the numbers of training examples of the two classes.
    pub(super) fn loss(&self, negative: usize, positive: usize) -> Result<CrossEntropyLoss> {
        CrossEntropyLoss::new(self.0.class_weights.of(negative as f64, positive as f64), self.0.label_smoothing)
    }
}
