//! Fine-tuning of all parameters on labelled images.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use ndarray::Array2;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::augmentation::Augmentation;
use crate::error::{DeepError, Result};
use crate::inference::{Predictor, stack};
use crate::network::Network;
use crate::optimiser::{Optimiser, ParameterGroup, Schedule, WeightDecayRule};
use crate::preparation::Preparation;
use crate::tensor::Tensor;
use crate::trainer::{BatchGradients, CrossEntropyLoss, NormMoments, Trainer};
use crate::weights::{StateDict, StateTensor, file_error, read_safetensors, write_tensors};

/// A labelled image.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// Grey values, in [0, 1] for the default [`crate::Preparation`].
    pub image: Array2<f32>,
    /// Whether the event is present.
    pub label: bool,
}

/// How much examples of the two classes weigh in the loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeights {
    /// Every example the same.
    None,
    /// Both classes the same in sum, 1 on average over the training examples: `n / (2 · n_class)`.
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

/// How a network is fine-tuned.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `epochs` | 8 | passes over the training images | ≥ 1 |
/// | `batch_size` | 16 | images a step; a last batch of one image is joined to the one before | ≥ 2 |
/// | `learning_rate` | 1e-4 | step size at its highest | > 0 |
/// | `groups` | none | factors on the learning rate by the names of parameters; 0 freezes | factors ≥ 0, not all 0 |
/// | `norm_moments` | of the batch | what batch normalisation normalises by | [`NormMoments`] |
/// | `optimiser` | AdamW, decay 1e-2 | how parameters follow their gradients | [`Optimiser::check`] |
/// | `weight_decay_rule` | weights only | which parameters decay | [`WeightDecayRule`] |
/// | `schedule` | warm-up over 10 %, then cosine | how the learning rate moves | warm-up in [0, 1) |
/// | `augmentation` | [`Augmentation::study`] | random changes of the training images | [`Augmentation::check`] |
/// | `label_smoothing` | 0 | labels become s/2 and 1 − s/2 | [0, 1) |
/// | `gradient_clip` | 5 | largest Euclidean norm of all gradients together; none where absent | > 0 |
/// | `class_weights` | balanced | how much examples of the two classes weigh in the loss | > 0 |
/// | `validation_fraction` | 0 | share of the examples, of each class, held out to choose the best epoch | [0, 0.5] |
/// | `patience` | none | epochs without a lower validation loss before training stops | ≥ 1 |
/// | `seed` | 0 | of order, augmentation, dropout and hold-out | |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingParams {
    /// Passes over the training images.
    pub epochs: usize,
    /// Images a step.
    pub batch_size: usize,
    /// Step size at its highest.
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
    /// Label smoothing.
    pub label_smoothing: f64,
    /// Largest norm of the gradients.
    pub gradient_clip: Option<f64>,
    /// How much examples of the two classes weigh.
    pub class_weights: ClassWeights,
    /// Share of the examples held out.
    pub validation_fraction: f64,
    /// Epochs without improvement before training stops.
    pub patience: Option<usize>,
    /// Seed.
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
            gradient_clip: Some(5.0),
            class_weights: ClassWeights::Balanced,
            validation_fraction: 0.0,
            patience: None,
            seed: 0,
        }
    }
}

impl TrainingParams {
    /// Checks every range but that of `groups`, which [`fine_tune`] holds against the network's names.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] with the first parameter outside its range.
    pub fn check(self) -> Result<ValidTrainingParams> {
        let refuse = |name, value: String, requirement| Err(DeepError::Parameter { name, value, requirement });
        if self.epochs == 0 {
            return refuse("epochs", self.epochs.to_string(), "at least 1");
        }
        if self.batch_size < 2 {
            return refuse(
                "batch_size",
                self.batch_size.to_string(),
                "at least 2, since batch normalisation needs a batch",
            );
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return refuse("learning_rate", self.learning_rate.to_string(), "finite and above 0");
        }
        if !(0.0..1.0).contains(&self.label_smoothing) {
            return refuse("label_smoothing", self.label_smoothing.to_string(), "in [0, 1)");
        }
        if self.gradient_clip.is_some_and(|norm| norm.is_nan() || norm <= 0.0) {
            return refuse("gradient_clip", format!("{:?}", self.gradient_clip), "above 0");
        }
        if let ClassWeights::Given(weights) = self.class_weights
            && !weights.iter().all(|weight| weight.is_finite() && *weight > 0.0)
        {
            return refuse("class_weights", format!("{weights:?}"), "finite and above 0");
        }
        if !(0.0..=0.5).contains(&self.validation_fraction) {
            return refuse("validation_fraction", self.validation_fraction.to_string(), "in [0, 0.5]");
        }
        if self.patience == Some(0) || (self.patience.is_some() && self.validation_fraction == 0.0) {
            return refuse(
                "patience",
                format!("{:?}", self.patience),
                "at least 1, and only with a validation_fraction",
            );
        }
        self.optimiser.check()?;
        self.schedule.check()?;
        self.augmentation.check()?;
        Ok(ValidTrainingParams(self))
    }
}

/// Training parameters within their ranges.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ValidTrainingParams(TrainingParams);

/// What one epoch came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Epoch, from 0.
    pub epoch: usize,
    /// Mean loss over the (augmented) training images while the parameters moved.
    pub training_loss: f64,
    /// Area under the ROC curve of the logits behind that loss.
    pub training_auc: f64,
    /// Mean loss over the held-out images, where there are any.
    pub validation_loss: Option<f64>,
    /// Area under the ROC curve over the held-out images, where there are any.
    pub validation_auc: Option<f64>,
    /// Learning rate of the epoch's last step.
    pub learning_rate: f64,
}

/// What a running training reports.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TrainingEvent<'a> {
    /// A step is done: steps so far and in all.
    Step {
        /// Steps done.
        done: usize,
        /// Steps in all.
        total: usize,
        /// Loss of the batch.
        loss: f64,
    },
    /// An epoch is done.
    Epoch(&'a EpochRecord),
}

/// A fine-tuned network and how it came about.
#[derive(Debug, Clone)]
pub struct TrainedNetwork {
    /// The network with the parameters of the best epoch.
    pub network: Network,
    /// What it was trained with.
    pub params: TrainingParams,
    /// Every epoch.
    pub history: Vec<EpochRecord>,
    /// The epoch whose parameters were kept: of the lowest validation loss, or the last without held-out images.
    pub best_epoch: usize,
}

/// What a file keeps of a training beside the network.
#[derive(Serialize, Deserialize)]
struct TrainingFields {
    params: TrainingParams,
    history: Vec<EpochRecord>,
    best_epoch: usize,
}

impl TrainedNetwork {
    /// Writes the network as [`Network::save`] does, with the parameters and the epochs of its training in the
    /// metadata.
    ///
    /// # Errors
    /// [`DeepError::WeightFile`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let fields =
            TrainingFields { params: self.params.clone(), history: self.history.clone(), best_epoch: self.best_epoch };
        let fields = serde_json::to_string(&fields).expect("parameters and records are written as JSON");
        self.network.save_with(path, [("training", fields)])
    }

    /// Reads what [`TrainedNetwork::save`] wrote, to the same bits.
    ///
    /// # Errors
    /// [`DeepError::WeightFile`] when the file was not written by [`TrainedNetwork::save`] or is damaged.
    pub fn load(path: &Path) -> Result<Self> {
        let (network, metadata) = Network::load_with_metadata(path)?;
        let fields = metadata.get("training").ok_or_else(|| file_error(path, &"no `training` in its metadata"))?;
        let TrainingFields { params, history, best_epoch } =
            serde_json::from_str(fields).map_err(|error| file_error(path, &error))?;
        Ok(Self { network, params, history, best_epoch })
    }
}

/// Fine-tunes a network with a logit head to the binary cross-entropy of the labels. Images are changed at random, then
/// made into inputs by the network's [`Preparation`].
///
/// With `checkpoint` named, the state is written there after every epoch, and a training that finds a checkpoint of the
/// same parameters, network and examples goes on from it to the same bits as an unbroken one. The result does not
/// depend on the number of threads.
///
/// # Errors
/// Fewer than two examples of a class, images of different or too small sizes or with values that are not finite, a
/// diverging loss, a checkpoint that cannot be written or read, or an observer that breaks.
pub fn fine_tune(
    network: Network,
    examples: &[Example],
    params: &ValidTrainingParams,
    checkpoint: Option<&Path>,
    observer: &mut dyn FnMut(TrainingEvent<'_>) -> ControlFlow<()>,
) -> Result<TrainedNetwork> {
    check_examples(examples, network.preparation())?;
    let ValidTrainingParams(params) = params;
    let (training, held_out) = split(examples, params)?;
    let mut state = State::new(network, params, examples)?;
    if let Some(path) = checkpoint.filter(|path| path.exists()) {
        state.restore(path)?;
    }
    let run = Run { params, training: &training, held_out: &held_out, loss: loss(&training, params) };
    while state.history.len() < params.epochs && !state.has_stalled(params) {
        run.epoch(&mut state, observer)?;
        if let Some(path) = checkpoint {
            state.write(path)?;
        }
    }
    let State { trainer, best, best_epoch, history, .. } = state;
    let mut network = trainer.into_network();
    if let Some(best) = best {
        network.load_state_dict(best)?;
    }
    Ok(TrainedNetwork { network, params: params.clone(), history, best_epoch })
}

fn check_examples(examples: &[Example], preparation: Preparation) -> Result<()> {
    let positive = examples.iter().filter(|example| example.label).count();
    if positive < 2 || examples.len() - positive < 2 {
        return Err(DeepError::Parameter {
            name: "examples",
            value: format!("{positive} of {} with the event", examples.len()),
            requirement: "at least two with and two without the event",
        });
    }
    let shape = examples[0].image.dim();
    for (index, example) in examples.iter().enumerate() {
        let is_resized = preparation.side.is_some() && !example.image.is_empty();
        if !is_resized && (example.image.dim() != shape || shape.0 < 32 || shape.1 < 32) {
            return Err(DeepError::Shape {
                operation: "training image",
                got: vec![example.image.nrows(), example.image.ncols()],
                expected: format!("{shape:?} as the first image, and at least 32 x 32, where images are not resized"),
            });
        }
        if let Some((position, value)) = example.image.indexed_iter().find(|(_, value)| !value.is_finite()) {
            return Err(DeepError::NotFinite {
                operation: "training image",
                position: format!("example {index}, pixel {position:?}"),
                value: f64::from(*value),
            });
        }
    }
    Ok(())
}

/// The examples that train and the ones held out, the same share of each class.
fn split<'a>(examples: &'a [Example], params: &TrainingParams) -> Result<(Vec<&'a Example>, Vec<&'a Example>)> {
    let mut generator = ChaCha8Rng::seed_from_u64(params.seed);
    let mut is_held_out = vec![false; examples.len()];
    for label in [false, true] {
        let mut of_class: Vec<usize> = (0..examples.len()).filter(|&index| examples[index].label == label).collect();
        of_class.shuffle(&mut generator);
        let count = (of_class.len() as f64 * params.validation_fraction).round() as usize;
        if count == 0 && params.validation_fraction > 0.0 {
            return Err(DeepError::Parameter {
                name: "validation_fraction",
                value: format!("{} of {} examples of a class", params.validation_fraction, of_class.len()),
                requirement: "at least one example of each class",
            });
        }
        of_class.iter().take(count).for_each(|&index| is_held_out[index] = true);
    }
    let of =
        |held_out: bool| examples.iter().zip(&is_held_out).filter(|(_, is)| **is == held_out).map(|(e, _)| e).collect();
    Ok((of(false), of(true)))
}

fn loss(training: &[&Example], params: &TrainingParams) -> CrossEntropyLoss {
    let positive = training.iter().filter(|example| example.label).count() as f64;
    let class_weights = params.class_weights.of(training.len() as f64 - positive, positive);
    CrossEntropyLoss { class_weights, label_smoothing: params.label_smoothing }
}

/// Everything that changes during a training.
struct State {
    trainer: Trainer,
    history: Vec<EpochRecord>,
    best: Option<StateDict>,
    best_epoch: usize,
    fingerprint: String,
}

impl State {
    fn new(network: Network, params: &TrainingParams, examples: &[Example]) -> Result<Self> {
        let fingerprint = fingerprint(&network, params, examples);
        let trainer = Trainer::new(network, params.optimiser, params.weight_decay_rule)?
            .with_groups(&params.groups, params.norm_moments)?;
        Ok(Self { trainer, history: Vec::new(), best: None, best_epoch: 0, fingerprint })
    }

    fn has_stalled(&self, params: &TrainingParams) -> bool {
        params
            .patience
            .is_some_and(|patience| !self.history.is_empty() && self.history.len() - 1 - self.best_epoch >= patience)
    }

    fn write(&self, path: &Path) -> Result<()> {
        let mut tensors = self.trainer.network.state_dict();
        if let Some(best) = &self.best {
            tensors.extend(best.iter().map(|(name, tensor)| (format!("best/{name}"), tensor.clone())));
        }
        for (kind, moments) in [("first", &self.trainer.state.first), ("second", &self.trainer.state.second)] {
            tensors.extend(moments.iter().enumerate().map(|(index, values)| {
                (format!("{kind}/{index}"), StateTensor { shape: vec![values.len()], values: values.clone() })
            }));
        }
        let metadata = HashMap::from([
            ("fingerprint".to_owned(), self.fingerprint.clone()),
            ("steps".to_owned(), self.trainer.state.steps.to_string()),
            ("best_epoch".to_owned(), self.best_epoch.to_string()),
            (
                "history".to_owned(),
                serde_json::to_string(&self.history).expect("records of numbers are written as JSON"),
            ),
        ]);
        write_tensors(path, &tensors, metadata)
    }

    fn restore(&mut self, path: &Path) -> Result<()> {
        let broken = |reason: &str| DeepError::WeightFile {
            path: path.display().to_string(),
            reason: format!("{reason}; remove the checkpoint"),
        };
        let (tensors, metadata) = read_safetensors(path)?;
        let field = |name: &str| metadata.get(name).ok_or_else(|| broken(&format!("checkpoint without `{name}`")));
        if *field("fingerprint")? != self.fingerprint {
            return Err(broken(
                "the checkpoint belongs to another network, other examples or other training parameters",
            ));
        }
        self.trainer.state.steps = field("steps")?.parse().map_err(|_| broken("`steps` is no number"))?;
        self.best_epoch = field("best_epoch")?.parse().map_err(|_| broken("`best_epoch` is no number"))?;
        self.history = serde_json::from_str(field("history")?).map_err(|error| broken(&error.to_string()))?;
        let (mut current, mut best) = (StateDict::new(), StateDict::new());
        for (name, tensor) in tensors {
            match name.split_once('/') {
                None => {
                    current.insert(name, tensor);
                }
                Some(("best", name)) => {
                    best.insert(name.to_owned(), tensor);
                }
                Some((kind, index)) => {
                    let moments =
                        if kind == "first" { &mut self.trainer.state.first } else { &mut self.trainer.state.second };
                    let slot = index.parse::<usize>().ok().and_then(|index| moments.get_mut(index));
                    let size = tensor.values.len();
                    *slot.filter(|slot| slot.len() == size).ok_or_else(|| broken(&name))? = tensor.values;
                }
            }
        }
        self.best = (!best.is_empty()).then_some(best);
        self.trainer.network.load_state_dict(current)
    }
}

/// Names the network, the examples and the parameters of a training.
fn fingerprint(network: &Network, params: &TrainingParams, examples: &[Example]) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |value: u32| hash = (hash ^ u64::from(value)).wrapping_mul(0x0000_0100_0000_01b3);
    network.parameters.iter().flatten().for_each(|value| add(value.to_bits()));
    for example in examples {
        add(u32::from(example.label));
        example.image.iter().for_each(|value| add(value.to_bits()));
    }
    let settings = serde_json::to_string(&(network.preparation(), params)).expect("parameters are written as JSON");
    format!("{} {hash:016x} {settings}", network.backbone())
}

/// What stays the same during a training.
struct Run<'a> {
    params: &'a TrainingParams,
    training: &'a [&'a Example],
    held_out: &'a [&'a Example],
    loss: CrossEntropyLoss,
}

impl Run<'_> {
    fn epoch(&self, state: &mut State, observer: &mut dyn FnMut(TrainingEvent<'_>) -> ControlFlow<()>) -> Result<()> {
        let epoch = state.history.len();
        let mut generator = ChaCha8Rng::seed_from_u64(self.params.seed);
        generator.set_stream(1 + epoch as u64);
        let mut order: Vec<usize> = (0..self.training.len()).collect();
        order.shuffle(&mut generator);
        let batches = batches(&order, self.params.batch_size);
        let total = batches.len() * self.params.epochs;
        let (mut losses, mut logits, mut labels) = (0.0, Vec::new(), Vec::new());
        let mut learning_rate = 0.0;
        for (index, batch) in batches.iter().enumerate() {
            let step = epoch * batches.len() + index;
            learning_rate = self.params.learning_rate * self.params.schedule.factor(step, total);
            let outcome = self.step(state, batch, epoch, learning_rate, generator.random())?;
            if !outcome.loss.is_finite() {
                return Err(DeepError::Diverged { epoch, batch: index, loss: outcome.loss });
            }
            losses += outcome.loss * batch.len() as f64;
            logits.extend(outcome.logits);
            labels.extend(batch.iter().map(|&index| self.training[index].label));
            if observer(TrainingEvent::Step { done: step + 1, total, loss: outcome.loss }).is_break() {
                return Err(DeepError::Cancelled { epoch });
            }
        }
        let (validation_loss, validation_auc) = self.validate(state.trainer.network())?.unzip();
        let record = EpochRecord {
            epoch,
            training_loss: losses / self.training.len() as f64,
            training_auc: area_under_curve(&logits, &labels),
            validation_loss,
            validation_auc,
            learning_rate,
        };
        let lowest = state.history.iter().filter_map(|record| record.validation_loss).fold(f64::INFINITY, f64::min);
        match validation_loss {
            Some(loss) if loss < lowest => {
                (state.best, state.best_epoch) = (Some(state.trainer.network().state_dict()), epoch)
            }
            Some(_) => {}
            None => state.best_epoch = epoch,
        }
        state.history.push(record);
        let record = state.history.last().expect("a record was just added");
        if observer(TrainingEvent::Epoch(record)).is_break() { Err(DeepError::Cancelled { epoch }) } else { Ok(()) }
    }

    fn step(
        &self,
        state: &mut State,
        batch: &[usize],
        epoch: usize,
        learning_rate: f64,
        dropout_seed: u64,
    ) -> Result<BatchGradients> {
        let preparation = state.trainer.network().preparation();
        let images: Vec<Tensor> = batch
            .par_iter()
            .map(|&index| {
                let image = &self.training[index].image;
                preparation.apply(&self.params.augmentation.apply(image, self.params.seed, epoch as u64, index as u64))
            })
            .collect::<Result<_>>()?;
        let labels: Vec<bool> = batch.iter().map(|&index| self.training[index].label).collect();
        let mut gradients = state.trainer.gradients(stack(&images)?, &labels, self.loss, dropout_seed)?;
        if let Some(limit) = self.params.gradient_clip {
            gradients.clip(limit);
        }
        state.trainer.update(&gradients, learning_rate);
        Ok(gradients)
    }

    /// Loss and area under the curve over the held-out images.
    fn validate(&self, network: &Network) -> Result<Option<(f64, f64)>> {
        if self.held_out.is_empty() {
            return Ok(None);
        }
        let predictor = Predictor::new(network);
        let images: Vec<Tensor> =
            self.held_out.iter().map(|example| predictor.input(&example.image)).collect::<Result<_>>()?;
        let labels: Vec<bool> = self.held_out.iter().map(|example| example.label).collect();
        let logits = predictor.vectors(&images, "head", self.params.batch_size)?;
        let logits: Vec<f64> = logits.iter().map(|logit| f64::from(logit[0])).collect();
        let loss = CrossEntropyLoss { label_smoothing: 0.0, ..self.loss };
        Ok(Some((loss.of(&logits, &labels).mean, area_under_curve(&logits, &labels))))
    }
}

/// Batches in order; a last batch of a single image joins the one before it, since a batch of one has no variance where
/// the last stage is a single pixel.
fn batches(order: &[usize], size: usize) -> Vec<&[usize]> {
    let mut batches: Vec<&[usize]> = order.chunks(size).collect();
    if batches.len() > 1 && batches.last().is_some_and(|batch| batch.len() == 1) {
        batches.truncate(batches.len() - 2);
        batches.push(&order[batches.len() * size..]);
    }
    batches
}

/// The share of pairs of a positive and a negative that the logits order rightly, ties counting half; NaN without
/// pairs.
fn area_under_curve(logits: &[f64], labels: &[bool]) -> f64 {
    let of = |label: bool| logits.iter().zip(labels).filter(move |(_, l)| **l == label).map(|(logit, _)| *logit);
    let (mut sum, mut pairs) = (0.0, 0.0);
    for positive in of(true) {
        for negative in of(false) {
            sum += if positive > negative {
                1.0
            } else if positive == negative {
                0.5
            } else {
                0.0
            };
            pairs += 1.0;
        }
    }
    sum / pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augmentation::Transform;
    use crate::backbone::Backbone;
    use crate::network::{Head, Initialisation};

    /// Stripes against rings: a task that a network can learn in a few steps.
    fn examples(count: usize) -> Vec<Example> {
        (0..count)
            .map(|index| {
                let (label, phase) = (index % 2 == 1, index as f32 * 0.61);
                let image = Array2::from_shape_fn((32, 32), |(y, x)| {
                    let (dy, dx) = (y as f32 - 15.5, x as f32 - 15.5);
                    let position = if label { (dy * dy + dx * dx).sqrt() } else { x as f32 };
                    0.5 + 0.5 * (position * 0.9 + phase).sin()
                });
                Example { image, label }
            })
            .collect()
    }

    fn start() -> Network {
        Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation { seed: 5, zero_residual: true })
    }

    fn params(epochs: usize) -> ValidTrainingParams {
        let params = TrainingParams {
            epochs,
            batch_size: 8,
            learning_rate: 1e-3,
            validation_fraction: 0.25,
            schedule: Schedule::Constant,
            seed: 9,
            ..TrainingParams::default()
        };
        params.check().unwrap()
    }

    fn run(epochs: usize, checkpoint: Option<&Path>) -> TrainedNetwork {
        fine_tune(start(), &examples(24), &params(epochs), checkpoint, &mut |_| ControlFlow::Continue(())).unwrap()
    }

    #[test]
    fn the_loss_falls_and_threads_change_no_bit() {
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let first = pool(1).install(|| run(5, None));
        let second = pool(3).install(|| run(5, None));
        assert_eq!(first.network.parameters, second.network.parameters);
        assert_eq!(first.network.statistics, second.network.statistics);
        let losses: Vec<f64> = first.history.iter().filter_map(|record| record.validation_loss).collect();
        assert!(losses[4] < 0.5 * losses[0], "{losses:?}");
    }

    #[test]
    fn a_resumed_training_equals_an_unbroken_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let mut epochs = 0;
        let broken = fine_tune(start(), &examples(24), &params(3), Some(&path), &mut |event| {
            epochs += usize::from(matches!(event, TrainingEvent::Epoch(_)));
            if epochs == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(broken, Err(DeepError::Cancelled { epoch: 1 })));
        let (resumed, unbroken) = (run(3, Some(&path)), run(3, None));
        assert_eq!(resumed.network.parameters, unbroken.network.parameters);
        assert_eq!(resumed.history, unbroken.history);
        let other = fine_tune(start(), &examples(22), &params(3), Some(&path), &mut |_| ControlFlow::Continue(()));
        assert!(matches!(other, Err(DeepError::WeightFile { .. })));
    }

    /// Labels that the images do not tell: the validation loss rises while the network learns them by heart.
    #[test]
    fn training_stops_early_with_the_weights_of_the_best_epoch() {
        let mut examples = examples(32);
        examples.iter_mut().enumerate().for_each(|(index, example)| example.label = index % 4 < 2);
        let unchecked = TrainingParams { patience: Some(2), learning_rate: 3e-3, ..params(30).0 };
        let params = unchecked.check().unwrap();
        let trained = fine_tune(start(), &examples, &params, None, &mut |_| ControlFlow::Continue(())).unwrap();
        let losses: Vec<f64> = trained.history.iter().filter_map(|record| record.validation_loss).collect();
        let best = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap();
        assert_eq!((trained.best_epoch, losses.len()), (best, best + 3), "{losses:?}");
        let (training, held_out) = split(&examples, &params.0).unwrap();
        assert_eq!(
            (training.len(), held_out.len(), held_out.iter().filter(|example| example.label).count()),
            (24, 8, 4)
        );
        let run = Run { params: &params.0, training: &training, held_out: &held_out, loss: loss(&training, &params.0) };
        assert_eq!(
            run.validate(&trained.network).unwrap(),
            trained.history[best].validation_loss.zip(trained.history[best].validation_auc)
        );
    }

    #[test]
    fn frozen_layers_keep_every_bit_through_a_training() {
        let group = |prefix: &str, factor: f64| ParameterGroup { prefix: prefix.to_owned(), factor };
        let groups = vec![group("", 0.0), group("layer4", 0.1), group("fc", 1.0), group("head", 1.0)];
        let unchecked = TrainingParams { groups, norm_moments: NormMoments::RunningWhereFrozen, ..params(2).0 };
        let trained =
            fine_tune(start(), &examples(16), &unchecked.check().unwrap(), None, &mut |_| ControlFlow::Continue(()))
                .unwrap();
        let (before, after) = (start().state_dict(), trained.network.state_dict());
        for (name, tensor) in &before {
            let learns = ["layer4.", "fc.", "head."].iter().any(|prefix| name.starts_with(prefix));
            assert_eq!(after[name] != *tensor, learns, "{name}");
        }
    }

    #[test]
    fn a_trained_network_is_saved_with_its_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trained.safetensors");
        let preparation = Preparation { side: Some(48), mean: [0.4; 3], deviation: [0.3; 3] };
        let network = start().with_preparation(preparation).unwrap();
        let trained = fine_tune(network, &examples(16), &params(1), None, &mut |_| ControlFlow::Continue(())).unwrap();
        trained.save(&path).unwrap();
        let loaded = TrainedNetwork::load(&path).unwrap();
        assert_eq!((loaded.params, loaded.history, loaded.best_epoch), (params(1).0, trained.history, 0));
        assert_eq!(
            (loaded.network.parameters, loaded.network.statistics),
            (trained.network.parameters, trained.network.statistics)
        );
        let network = Network::load(&path).unwrap();
        assert_eq!(network.preparation(), preparation);
        network.save(&path).unwrap();
        assert!(matches!(TrainedNetwork::load(&path), Err(DeepError::WeightFile { .. })));
    }

    #[test]
    fn impossible_requests_are_refused() {
        let refused = |params: TrainingParams| assert!(params.check().is_err());
        refused(TrainingParams { epochs: 0, ..TrainingParams::default() });
        refused(TrainingParams { batch_size: 1, ..TrainingParams::default() });
        refused(TrainingParams { learning_rate: f64::NAN, ..TrainingParams::default() });
        refused(TrainingParams { patience: Some(3), ..TrainingParams::default() });
        refused(TrainingParams { class_weights: ClassWeights::Given([1.0, 0.0]), ..TrainingParams::default() });
        refused(TrainingParams { schedule: Schedule::WarmUpCosine { warm_up: 1.0 }, ..TrainingParams::default() });
        refused(TrainingParams {
            optimiser: Optimiser::Sgd { momentum: -0.1, weight_decay: 0.0 },
            ..TrainingParams::default()
        });
        for transform in [
            Transform::Rotation { degrees: f64::NAN },
            Transform::HorizontalFlip { probability: 1.5 },
            Transform::GaussianNoise { sigma: -1.0 },
        ] {
            refused(TrainingParams { augmentation: Augmentation(vec![transform]), ..TrainingParams::default() });
        }
        let go =
            |examples: &[Example]| fine_tune(start(), examples, &params(1), None, &mut |_| ControlFlow::Continue(()));
        assert!(go(&examples(2)).is_err());
        assert!(go(&examples(4)).is_ok());
        let few = TrainingParams { validation_fraction: 0.1, ..TrainingParams::default() }.check().unwrap();
        assert!(fine_tune(start(), &examples(4), &few, None, &mut |_| ControlFlow::Continue(())).is_err());
        let mut spoiled = examples(8);
        spoiled[3].image[[4, 5]] = f32::NAN;
        assert!(matches!(go(&spoiled), Err(DeepError::NotFinite { .. })));
        spoiled[3].image = Array2::zeros((40, 32));
        assert!(matches!(go(&spoiled), Err(DeepError::Shape { .. })));
    }

    #[test]
    fn a_lonely_last_image_joins_the_batch_before() {
        let order: Vec<usize> = (0..9).collect();
        assert_eq!(batches(&order, 4).iter().map(|batch| batch.len()).collect::<Vec<_>>(), [4, 5]);
        assert_eq!(batches(&order[..8], 4).len(), 2);
        assert_eq!(batches(&order[..1], 4).len(), 1);
    }
}
