//! Fine-tuning of all parameters on labelled images.

mod checkpoint;
mod inner_folds;
mod mixup;
mod params;
mod range_test;
mod record;

use std::ops::ControlFlow;
use std::path::Path;

use ndarray::Array2;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

use self::checkpoint::State;
pub use self::inner_folds::InnerFolds;
use self::mixup::Mixing;
pub use self::params::{ClassWeights, Training, TrainingParams};
pub use self::range_test::{RangeTest, RangeTestParams, RatePoint};
pub(crate) use self::record::TrainingRecord;
use self::record::{EpochFields, RecordFields};
pub use self::record::{EpochRecord, TrainedNetwork};
use crate::error::{DeepError, Result};
use crate::feature_extractor::FeatureExtractor;
use crate::loss::CrossEntropyLoss;
use crate::network::Network;
use crate::predictor::Predictor;
use crate::preparation::Preparation;
use crate::tensor::Tensor;
use crate::trainer::BatchGradients;

/// A labelled image.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Example {
    /// Grey values (rows, columns), in [0, 1] for the default [`Preparation`].
    pub image: Array2<f32>,
    /// Whether the event is present.
    pub label: bool,
}

impl Example {
    /// An image (rows, columns) and whether the event is present in it.
    #[must_use]
    pub fn new(image: Array2<f32>, label: bool) -> Self {
        Self { image, label }
    }
}

/// What hears of a running training, and stops it by a break.
type Observer<'a> = dyn FnMut(TrainingEvent<'_>) -> ControlFlow<()> + 'a;

/// An event of a running training, as its observer is told of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TrainingEvent<'a> {
    /// A step is done.
    Step {
        /// Steps done.
        done: usize,
        /// Steps in all, those of inner folds with them; fewer are done where a training stops early.
        total: usize,
        /// Loss of the batch.
        loss: f64,
    },
    /// An epoch is done.
    Epoch(&'a EpochRecord),
    /// An epoch of the training without an inner fold is done.
    FoldEpoch {
        /// The fold, from 0.
        fold: usize,
        /// The epoch.
        record: &'a EpochRecord,
    },
}

/// Fine-tunes a network with a logit head to the binary cross-entropy of the labels, with all defaults of
/// [`Training::run`]: no checkpoint, no observer.
///
/// # Errors
/// As [`TrainingParams::check`] and [`Training::run`].
///
/// ```
/// use alnm_deep::{Backbone, Example, Head, Initialisation, Network, TrainingParams, fine_tune};
/// use ndarray::Array2;
///
/// // Four images of 32 x 32 pixels: horizontal and vertical stripes.
/// let stripes = |label: bool| Array2::from_shape_fn((32, 32), |(y, x)| ((if label { y } else { x }) % 4) as f32 / 3.0);
/// let examples: Vec<Example> = [true, false, true, false].map(|label| Example::new(stripes(label), label)).to_vec();
/// let network = Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(7).with_zero_residual(true));
/// let params = TrainingParams::default().with_epochs(2).with_batch_size(4).with_learning_rate(1e-3);
/// let trained = fine_tune(network, &examples, &params)?;
/// assert_eq!(trained.history().len(), 2);
/// assert!(trained.history()[1].training_loss().is_finite());
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
pub fn fine_tune(network: Network, examples: &[Example], params: &TrainingParams) -> Result<TrainedNetwork> {
    params.clone().check()?.run(network, examples, None, &mut |_| ControlFlow::Continue(()))
}

impl Training {
    /// Fine-tunes a network with a logit head to the binary cross-entropy of the labels. Images are changed at random,
    /// then made into inputs by the network's [`Preparation`].
    ///
    /// With `checkpoint` named, the state is written there after every epoch, and a training that finds a checkpoint of
    /// the same parameters, network and examples goes on from it to the same bits as an unbroken one. `observer` hears
    /// of every step and epoch, and stops the training by a break. The result does not depend on the number of threads.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] for a network without a logit head, fewer than two examples of a class, or a prefix
    /// that no parameter has; [`DeepError::Shape`] for images of different or too small sizes; [`DeepError::NotFinite`]
    /// for values that are not finite; [`DeepError::Diverged`] when the loss is no longer finite;
    /// [`DeepError::WeightFile`] when the checkpoint cannot be written or read, or belongs to another training;
    /// [`DeepError::Cancelled`] when the observer breaks.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use alnm_deep::{
    ///     Backbone, DeepError, Example, Head, Initialisation, Network, TrainingEvent, TrainingParams,
    /// };
    /// use ndarray::Array2;
    ///
    /// let image = |index: usize| Array2::from_shape_fn((32, 32), |(y, x)| ((y * (index % 2 + 1) + x) % 8) as f32 / 8.0);
    /// let examples: Vec<Example> = (0..4).map(|index| Example::new(image(index), index % 2 == 1)).collect();
    /// let network = Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(7));
    /// let training = TrainingParams::default().with_batch_size(2).check()?;
    /// // The observer stops the training after its first step.
    /// let stopped = training.run(network, &examples, None, &mut |event| match event {
    ///     TrainingEvent::Step { .. } => ControlFlow::Break(()),
    ///     _ => ControlFlow::Continue(()),
    /// });
    /// assert!(matches!(stopped, Err(DeepError::Cancelled { epoch: 0 })));
    /// # Ok::<(), DeepError>(())
    /// ```
    pub fn run(
        &self,
        network: Network,
        examples: &[Example],
        checkpoint: Option<&Path>,
        observer: &mut Observer<'_>,
    ) -> Result<TrainedNetwork> {
        let params = self.params();
        check_examples(examples, network.preparation())?;
        let fold_of =
            params.inner_folds.map(|folds| inner_folds::shared_out(examples, folds, params.seed)).transpose()?;
        let parts = Part::of(examples, fold_of.as_deref(), params)?;
        let (folds, last) = (&parts[..parts.len() - 1], &parts[parts.len() - 1]);
        let steps: Vec<usize> = parts.iter().map(|part| part.steps(params)).collect();
        let total = steps.iter().sum();
        // Every inner fold starts anew.
        let start = (!folds.is_empty()).then(|| network.clone());
        let mut state = State::new(network, self, examples)?;
        if let Some(path) = checkpoint.filter(|path| path.exists()) {
            let sizes: Vec<usize> = folds.iter().map(|fold| fold.held_out.len()).collect();
            state.restore(path, params, &sizes)?;
        }
        let writes_checkpoints = checkpoint.is_some();
        while let (Some(fold), Some(start)) = (folds.get(state.folds.len()), &start) {
            let before = steps[..state.folds.len()].iter().sum();
            self.run_of(fold, writes_checkpoints)?.epochs(
                &mut state,
                params.epochs,
                checkpoint,
                Steps { before, total, is_fold: true },
                observer,
            )?;
            state = state.after_fold(start.clone(), params)?;
        }
        let inner = match &fold_of {
            Some(fold_of) => Some(InnerFolds::of(examples, fold_of, &state.folds, self.loss_over(&last.training)?)?),
            None => None,
        };
        let epochs = inner.as_ref().map_or(params.epochs, InnerFolds::epochs);
        let before = total - steps[parts.len() - 1];
        self.run_of(last, writes_checkpoints)?.epochs(
            &mut state,
            epochs,
            checkpoint,
            Steps { before, total, is_fold: false },
            observer,
        )?;
        let State { trainer, best, best_epoch, history, .. } = state;
        let mut network = trainer.into_network();
        if let Some(best) = best {
            network.load_state_dict(best)?;
        }
        let record = RecordFields { training: self.clone(), history, best_epoch, inner_folds: inner }.try_into()?;
        Ok(TrainedNetwork::new(network, record))
    }

    /// What stays the same while this part is trained.
    fn run_of<'a>(&'a self, part: &'a Part<'a>, writes_checkpoints: bool) -> Result<Run<'a>> {
        let Part { training, held_out } = part;
        let loss = self.loss_over(training)?;
        Ok(Run { params: self.params(), training, held_out, loss, writes_checkpoints })
    }

    /// The loss, with class weights by the numbers of these examples.
    fn loss_over(&self, training: &[&Example]) -> Result<CrossEntropyLoss> {
        let positive = training.iter().filter(|example| example.label).count();
        self.loss(training.len() - positive, positive)
    }
}

/// The examples that one training learns from, and those that it is judged by.
struct Part<'a> {
    training: Vec<&'a Example>,
    held_out: Vec<&'a Example>,
}

impl<'a> Part<'a> {
    /// The trainings without each inner fold, and behind them the training itself.
    fn of(examples: &'a [Example], fold_of: Option<&[usize]>, params: &TrainingParams) -> Result<Vec<Self>> {
        let mut parts = Vec::new();
        if let (Some(fold_of), Some(folds)) = (fold_of, params.inner_folds) {
            let of = |fold: usize, is_held_out: bool| {
                let all = examples.iter().zip(fold_of);
                all.filter(|(_, of)| (**of == fold) == is_held_out).map(|(example, _)| example).collect()
            };
            parts.extend((0..folds).map(|fold| Self { training: of(fold, false), held_out: of(fold, true) }));
        }
        let (training, held_out) = split(examples, params)?;
        parts.push(Self { training, held_out });
        Ok(parts)
    }

    /// The steps of all epochs.
    fn steps(&self, params: &TrainingParams) -> usize {
        let order: Vec<usize> = (0..self.training.len()).collect();
        batches(&order, params.batch_size).len() * params.epochs
    }
}

/// Where a training stands among those of the inner folds.
#[derive(Clone, Copy)]
struct Steps {
    /// Steps of the trainings before it.
    before: usize,
    /// Steps of all trainings.
    total: usize,
    is_fold: bool,
}

fn check_examples(examples: &[Example], preparation: Preparation) -> Result<()> {
    let positive = examples.iter().filter(|example| example.label).count();
    if positive < 2 || examples.len() - positive < 2 {
        return Err(DeepError::parameter(
            "number of examples with the event",
            format!("{positive} of {}", examples.len()),
            "at least 2, and at least 2 less than all",
        ));
    }
    let shape = examples[0].image.dim();
    for (index, example) in examples.iter().enumerate() {
        let is_resized = preparation.side().is_some() && !example.image.is_empty();
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
            return Err(DeepError::parameter(
                "validation_fraction",
                format!("{} of {} examples of a class", params.validation_fraction, of_class.len()),
                "enough to hold out at least one example of each class",
            ));
        }
        of_class.iter().take(count).for_each(|&index| is_held_out[index] = true);
    }
    let of =
        |held_out: bool| examples.iter().zip(&is_held_out).filter(|(_, is)| **is == held_out).map(|(e, _)| e).collect();
    Ok((of(false), of(true)))
}

/// What a network says of held-out images.
struct Validation {
    loss: f64,
    auc: f64,
    logits: Vec<f64>,
}

/// What stays the same during a training.
struct Run<'a> {
    params: &'a TrainingParams,
    training: &'a [&'a Example],
    held_out: &'a [&'a Example],
    loss: CrossEntropyLoss,
    writes_checkpoints: bool,
}

impl Run<'_> {
    /// Trains until so many epochs are done, or the validation loss falls no more.
    fn epochs(
        &self,
        state: &mut State,
        epochs: usize,
        checkpoint: Option<&Path>,
        steps: Steps,
        observer: &mut Observer<'_>,
    ) -> Result<()> {
        while state.history.len() < epochs && !state.has_stalled(self.params) {
            self.epoch(state, steps, observer)?;
            if let Some(path) = checkpoint {
                state.write(path)?;
            }
        }
        Ok(())
    }

    fn epoch(&self, state: &mut State, steps: Steps, observer: &mut Observer<'_>) -> Result<()> {
        let epoch = state.history.len();
        state.trainer.begin_epoch(epoch);
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
            if !outcome.loss().is_finite() {
                return Err(DeepError::Diverged { epoch, batch: index, loss: outcome.loss() });
            }
            losses += outcome.loss() * batch.len() as f64;
            logits.extend_from_slice(outcome.logits());
            labels.extend(batch.iter().map(|&index| self.training[index].label));
            if observer(TrainingEvent::Step { done: steps.before + step + 1, total: steps.total, loss: outcome.loss() })
                .is_break()
            {
                return Err(DeepError::Cancelled { epoch });
            }
        }
        if !self.held_out.is_empty() || self.writes_checkpoints {
            // Held-out images and copies of the parameters take the place of the activations.
            state.trainer.release_memory();
        }
        let validation = self.validate(state.trainer.network())?;
        let (validation_loss, validation_auc) = validation.as_ref().map(|of| (of.loss, of.auc)).unzip();
        let record = EpochRecord::try_from(EpochFields {
            epoch,
            training_loss: losses / self.training.len() as f64,
            training_auc: area_under_curve(&logits, &labels),
            validation_loss,
            validation_auc,
            learning_rate,
        })?;
        let lowest = state.history.iter().filter_map(EpochRecord::validation_loss).fold(f64::INFINITY, f64::min);
        match validation_loss {
            Some(loss) if loss < lowest => {
                state.best_epoch = epoch;
                state.best = (!steps.is_fold).then(|| state.trainer.network().state_dict());
            }
            Some(_) => {}
            None => state.best_epoch = epoch,
        }
        let answer = if steps.is_fold {
            state.logits.extend(validation.map(|of| of.logits));
            observer(TrainingEvent::FoldEpoch { fold: state.folds.len(), record: &record })
        } else {
            observer(TrainingEvent::Epoch(&record))
        };
        state.history.push(record);
        if answer.is_break() { Err(DeepError::Cancelled { epoch }) } else { Ok(()) }
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
                let image = self.params.augmentation.apply(image, self.params.seed, epoch as u64, index as u64);
                preparation.apply(image.view())
            })
            .collect::<Result<_>>()?;
        let labels: Vec<bool> = batch.iter().map(|&index| self.training[index].label).collect();
        let images = Tensor::stacked(&images)?;
        let mut gradients = match self.params.mixup {
            None => state.trainer.gradients(images, &labels, self.loss, dropout_seed)?,
            Some(alpha) => {
                let mixing = Mixing::draw(alpha, labels.len(), dropout_seed)?;
                let others = mixing.of_labels(&labels);
                let loss = |logits: &[f64]| self.loss.of_mixed(logits, [&labels, &others], mixing.share);
                state.trainer.gradients_of(mixing.of_images(&images)?, loss, dropout_seed)?
            }
        };
        if let Some(limit) = self.params.gradient_clip {
            gradients.clip(limit);
        }
        state.trainer.update(&gradients, learning_rate);
        Ok(gradients)
    }

    /// What the network says of the held-out images.
    fn validate(&self, network: &Network) -> Result<Option<Validation>> {
        if self.held_out.is_empty() {
            return Ok(None);
        }
        let predictor = Predictor::new(network);
        let images: Vec<Tensor> =
            self.held_out.iter().map(|example| predictor.input(&example.image)).collect::<Result<_>>()?;
        let labels: Vec<bool> = self.held_out.iter().map(|example| example.label).collect();
        let logits = predictor.vectors(&images, "head", self.params.batch_size)?;
        let logits: Vec<f64> = logits.iter().map(|logit| f64::from(logit[0])).collect();
        let loss = self.loss.without_smoothing();
        Ok(Some(Validation { loss: loss.of(&logits, &labels).mean, auc: area_under_curve(&logits, &labels), logits }))
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
    use crate::backbone::Backbone;
    use crate::network::{Head, Initialisation};
    use crate::optimiser::WeightDecayRule;
    use crate::optimiser::{Optimiser, Schedule};
    use crate::parameter_group::ParameterGroup;
    use crate::trainer::{NormMoments, Trainer};

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
                Example::new(image, label)
            })
            .collect()
    }

    fn start() -> Network {
        Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(5).with_zero_residual(true))
    }

    fn params(epochs: usize) -> TrainingParams {
        TrainingParams {
            epochs,
            batch_size: 8,
            learning_rate: 1e-3,
            validation_fraction: 0.25,
            schedule: Schedule::Constant,
            seed: 9,
            ..TrainingParams::default()
        }
    }

    /// A training that keeps checkpoints and is broken off after some epochs, where asked.
    fn go_on(examples: &[Example], epochs: usize, path: &Path, break_after: Option<usize>) -> Result<TrainedNetwork> {
        let mut done = 0;
        params(epochs).check().unwrap().run(start(), examples, Some(path), &mut |event| {
            done += usize::from(matches!(event, TrainingEvent::Epoch(_)));
            if Some(done) == break_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    }

    fn run(epochs: usize) -> TrainedNetwork {
        fine_tune(start(), &examples(24), &params(epochs)).unwrap()
    }

    #[test]
    fn the_loss_falls_and_threads_change_no_bit() {
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let first = pool(1).install(|| run(5));
        let second = pool(3).install(|| run(5));
        assert_eq!(first.network().parameters, second.network().parameters);
        assert_eq!(first.network().statistics, second.network().statistics);
        let losses: Vec<f64> = first.history().iter().filter_map(EpochRecord::validation_loss).collect();
        assert!(losses[4] < 0.5 * losses[0], "{losses:?}");
    }

    #[test]
    fn a_resumed_training_equals_an_unbroken_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let broken = go_on(&examples(24), 3, &path, Some(2));
        assert!(matches!(broken, Err(DeepError::Cancelled { epoch: 1 })));
        let (resumed, unbroken) = (go_on(&examples(24), 3, &path, None).unwrap(), run(3));
        assert_eq!(resumed.network().parameters, unbroken.network().parameters);
        assert_eq!(resumed.history(), unbroken.history());
        let other = go_on(&examples(22), 3, &path, None).unwrap_err().to_string();
        assert!(other.contains("other examples") && other.contains("remove the checkpoint"), "{other}");
    }

    /// Mixed images teach the classes, and a training that was broken off draws the same mixtures when it goes on.
    #[test]
    fn mixed_images_train_to_the_same_bits_after_a_break_and_on_any_threads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let training = params(4).with_mixup(0.4).check().unwrap();
        let run = |checkpoint: Option<&Path>, break_after: usize| {
            let mut done = 0;
            training.run(start(), &examples(24), checkpoint, &mut |event| {
                done += usize::from(matches!(event, TrainingEvent::Epoch(_)));
                if done == break_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        };
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let unbroken = pool(2).install(|| run(None, 9)).unwrap();
        assert!(matches!(run(Some(&path), 2), Err(DeepError::Cancelled { epoch: 1 })));
        let resumed = pool(1).install(|| run(Some(&path), 9)).unwrap();
        assert_eq!(resumed.network().parameters, unbroken.network().parameters);
        assert_eq!(resumed.history(), unbroken.history());
        let losses: Vec<f64> = unbroken.history().iter().filter_map(EpochRecord::validation_loss).collect();
        assert!(losses[3] < losses[0], "{losses:?}");
        let plain = fine_tune(start(), &examples(24), &params(4)).unwrap();
        assert_ne!(plain.network().parameters, unbroken.network().parameters);
    }

    /// Labels that the images do not tell: the validation loss rises while the network learns them by heart.
    #[test]
    fn training_stops_early_with_the_weights_of_the_best_epoch() {
        let mut examples = examples(32);
        examples.iter_mut().enumerate().for_each(|(index, example)| example.label = index % 4 < 2);
        let params = TrainingParams { patience: Some(2), learning_rate: 3e-3, ..params(30) };
        let trained = fine_tune(start(), &examples, &params).unwrap();
        let losses: Vec<f64> = trained.history().iter().filter_map(EpochRecord::validation_loss).collect();
        let best = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap();
        assert_eq!((trained.best_epoch(), losses.len()), (best, best + 3), "{losses:?}");
        let (training, held_out) = split(&examples, &params).unwrap();
        assert_eq!(
            (training.len(), held_out.len(), held_out.iter().filter(|example| example.label).count()),
            (24, 8, 4)
        );
        let loss = params.clone().check().unwrap().loss(12, 12).unwrap();
        let run = Run { params: &params, training: &training, held_out: &held_out, loss, writes_checkpoints: false };
        let of_best = &trained.history()[best];
        let validation = run.validate(trained.network()).unwrap().map(|of| (of.loss, of.auc));
        assert_eq!(validation, of_best.validation_loss().zip(of_best.validation_auc()));
    }

    #[test]
    fn frozen_layers_keep_every_bit_through_a_training() {
        let groups = [("", 0.0), ("layer4", 0.1), ("fc", 1.0), ("head", 1.0)];
        let groups = groups.map(|(prefix, factor)| ParameterGroup::new(prefix, factor)).to_vec();
        let params = TrainingParams { groups, norm_moments: NormMoments::RunningWhereFrozen, ..params(2) };
        let trained = fine_tune(start(), &examples(16), &params).unwrap();
        let (before, after) = (start().state_dict(), trained.network().state_dict());
        for (name, tensor) in &before {
            let learns = ["layer4.", "fc.", "head."].iter().any(|prefix| name.starts_with(prefix));
            assert_eq!(after[name] != *tensor, learns, "{name}");
        }
    }

    /// Every option at once, broken off in each of the two folds and in the training behind them.
    #[test]
    fn a_resumed_training_with_every_option_equals_an_unbroken_one_on_any_threads() {
        let mut examples = examples(14);
        examples[3].label = false;
        let groups = ["layer4", "fc"]
            .into_iter()
            .zip([2, 1])
            .map(|(prefix, epoch)| ParameterGroup::new(prefix, 0.5).from_epoch(epoch));
        let fixed = [ParameterGroup::new("", 0.0), ParameterGroup::new("head", 1.0)];
        let groups = fixed.into_iter().chain(groups).collect();
        let training =
            TrainingParams { validation_fraction: 0.0, schedule: Schedule::WarmUpCosine { warm_up: 0.1 }, ..params(4) }
                .with_groups(groups)
                .with_norm_moments(NormMoments::Running)
                .with_mixup(0.3)
                .with_label_smoothing(0.1)
                .with_class_weights(ClassWeights::Given([0.8, 1.3]))
                .with_inner_folds(2)
                .with_patience(3)
                .check()
                .unwrap();
        let run = |checkpoint: Option<&Path>, stop: usize, threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                training.run(start(), &examples, checkpoint, &mut |event| match event {
                    TrainingEvent::Step { done, .. } if done == stop => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                })
            })
        };
        let unbroken = run(None, usize::MAX, 2).unwrap();
        let inner = unbroken.inner_folds().unwrap();
        assert_eq!((unbroken.history().len(), inner.curves().len()), (inner.epochs(), 2));
        let steps: Vec<usize> = inner.curves().iter().map(Vec::len).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        // A step each of an epoch: the third of either fold, and the last one of all.
        for stop in [3, 4 + 3, 8 + 2 * inner.epochs()] {
            assert!(matches!(run(Some(&path), stop, 1), Err(DeepError::Cancelled { .. })), "{stop} {steps:?}");
        }
        let resumed = run(Some(&path), usize::MAX, 1).unwrap();
        assert_eq!(resumed.network().state_dict(), unbroken.network().state_dict());
        assert_eq!(resumed.record(), unbroken.record());
    }

    /// Layers that begin late keep their bits until then, and the optimiser counts their steps from there: the training
    /// behind the frozen epochs is that of a network which starts there.
    #[test]
    fn layers_that_begin_late_train_as_if_the_training_began_there() {
        let examples = examples(16);
        let params = |groups| TrainingParams { validation_fraction: 0.0, groups, ..params(2) };
        let late = fine_tune(start(), &examples, &params(ParameterGroup::head_first(1))).unwrap();
        let head_alone = vec![ParameterGroup::new("", 0.0), ParameterGroup::new("head", 1.0)];
        let frozen = fine_tune(start(), &examples, &params(head_alone.clone())).unwrap();
        assert_eq!(late.history()[0], frozen.history()[0]);
        let of = |network: &Network, name: &str| network.state_dict()[name].clone();
        assert_eq!(of(frozen.network(), "conv1.weight"), of(&start(), "conv1.weight"));
        assert_ne!(of(late.network(), "conv1.weight"), of(&start(), "conv1.weight"));
        // Gradient descent of one late step moves by the rate times the gradient, whatever was done before.
        let mut trainer = Trainer::new(start(), Optimiser::adamw(0.0), WeightDecayRule::All)
            .unwrap()
            .with_groups(&ParameterGroup::head_first(5), NormMoments::Running)
            .unwrap();
        let images = Tensor::new([2, 32, 32, 3], (0..6144).map(|index| (index as f32 * 0.37).sin()).collect()).unwrap();
        let step = |trainer: &mut Trainer| {
            let gradients = trainer.gradients(images.clone(), &[true, false], CrossEntropyLoss::default(), 0).unwrap();
            trainer.update(&gradients, 1e-3);
        };
        (0..5).for_each(|epoch| {
            trainer.begin_epoch(epoch);
            step(&mut trainer);
        });
        trainer.begin_epoch(5);
        step(&mut trainer);
        // The first step of Adam is as long as the learning rate, wherever a gradient is not nearly 0.
        let moved = of(trainer.network(), "fc.weight").into_values();
        let before = of(&start(), "fc.weight").into_values();
        let longest = moved.iter().zip(before).map(|(to, from)| (to - from).abs()).fold(0.0f32, f32::max);
        assert!((longest - 1e-3).abs() < 1e-5, "{longest}");
    }

    #[test]
    fn inner_folds_choose_the_epochs_of_the_lowest_loss_out_of_fold() {
        let mut examples = examples(20);
        examples.iter_mut().enumerate().for_each(|(index, example)| example.label ^= index % 5 == 0);
        let training = TrainingParams { validation_fraction: 0.0, ..params(3) }.with_inner_folds(4);
        let mut heard = Vec::new();
        let trained = training.clone().check().unwrap().run(start(), &examples, None, &mut |event| {
            match event {
                TrainingEvent::FoldEpoch { fold, record } => heard.push((fold, record.clone())),
                TrainingEvent::Step { done, total, .. } => assert!(done <= total && total == 3 * (4 * 2 + 3)),
                _ => {}
            }
            ControlFlow::Continue(())
        });
        let trained = trained.unwrap();
        let inner = trained.inner_folds().unwrap();
        let curves = inner.curves().iter().enumerate();
        assert_eq!(
            heard,
            curves.flat_map(|(fold, curve)| curve.iter().map(move |one| (fold, one.clone()))).collect::<Vec<_>>()
        );
        // A fold by hand, held out of a training of its own.
        let fold_of = inner.fold_of();
        let of = |held_out: bool| {
            let all = examples.iter().zip(fold_of);
            all.filter(move |(_, fold)| (**fold == 2) == held_out).map(|(example, _)| example)
        };
        assert_eq!((of(true).count(), of(true).filter(|example| example.label).count()), (5, 3));
        let without: Vec<Example> = of(false).cloned().collect();
        let plain = TrainingParams { inner_folds: None, ..training };
        let by_hand = fine_tune(start(), &without, &plain).unwrap();
        let losses: Vec<f64> = by_hand.history().iter().map(EpochRecord::training_loss).collect();
        assert_eq!(losses, inner.curves()[2].iter().map(EpochRecord::training_loss).collect::<Vec<_>>());
        let predictor = Predictor::new(by_hand.network());
        let inputs: Vec<Tensor> = of(true).map(|example| predictor.input(&example.image).unwrap()).collect();
        let logits = predictor.vectors(&inputs, "head", 5).unwrap();
        let logits: Vec<f64> = logits.iter().map(|logit| f64::from(logit[0])).collect();
        let labels: Vec<bool> = of(true).map(|example| example.label).collect();
        let loss = plain.check().unwrap().loss(8, 7).unwrap().of(&logits, &labels).mean;
        let of_curve = inner.curves()[2][2].validation_loss().unwrap();
        assert!((loss - of_curve).abs() < 1e-5 * of_curve, "{loss} {of_curve}");
    }

    #[test]
    fn impossible_requests_are_refused() {
        let refused = |params: TrainingParams| assert!(params.check().is_err());
        refused(TrainingParams { epochs: 0, ..TrainingParams::default() });
        refused(TrainingParams { batch_size: 1, ..TrainingParams::default() });
        refused(TrainingParams { learning_rate: f64::NAN, ..TrainingParams::default() });
        refused(TrainingParams { mixup: Some(0.0), ..TrainingParams::default() });
        refused(TrainingParams { patience: Some(3), ..TrainingParams::default() });
        refused(TrainingParams::default().with_inner_folds(1));
        refused(TrainingParams::default().with_inner_folds(3).with_validation_fraction(0.2));
        refused(TrainingParams::default().with_epochs(2).with_groups(ParameterGroup::head_first(2)));
        let folds = TrainingParams::default().with_epochs(1).with_inner_folds(3);
        assert!(fine_tune(start(), &examples(4), &folds).is_err(), "two examples of a class over three folds");
        refused(TrainingParams { class_weights: ClassWeights::Given([1.0, 0.0]), ..TrainingParams::default() });
        refused(TrainingParams { schedule: Schedule::WarmUpCosine { warm_up: 1.0 }, ..TrainingParams::default() });
        refused(TrainingParams {
            optimiser: Optimiser::Sgd { momentum: -0.1, weight_decay: 0.0 },
            ..TrainingParams::default()
        });
        let go = |examples: &[Example]| fine_tune(start(), examples, &params(1));
        assert!(go(&examples(2)).is_err());
        assert!(go(&examples(4)).is_ok());
        let few = TrainingParams { validation_fraction: 0.1, ..TrainingParams::default() };
        assert!(fine_tune(start(), &examples(4), &few).is_err());
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
