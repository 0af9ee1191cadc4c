//! Fine-tuning of all parameters on labelled images.

mod checkpoint;
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

/// What a running training tells its observer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TrainingEvent<'a> {
    /// A step is done.
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
    /// [`DeepError::Parameter`] for a network without a logit head, fewer than two examples of a class, or a prefix that
    /// no parameter has; [`DeepError::Shape`] for images of different or too small sizes; [`DeepError::NotFinite`] for
    /// values that are not finite; [`DeepError::Diverged`] when the loss is no longer finite;
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
        let (training, held_out) = split(examples, params)?;
        let mut state = State::new(network, self, examples)?;
        if let Some(path) = checkpoint.filter(|path| path.exists()) {
            state.restore(path, params)?;
        }
        let positive = training.iter().filter(|example| example.label).count();
        let loss = self.loss(training.len() - positive, positive)?;
        let run =
            Run { params, training: &training, held_out: &held_out, loss, writes_checkpoints: checkpoint.is_some() };
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
        let record = RecordFields { training: self.clone(), history, best_epoch }.try_into()?;
        Ok(TrainedNetwork::new(network, record))
    }
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

/// What stays the same during a training.
struct Run<'a> {
    params: &'a TrainingParams,
    training: &'a [&'a Example],
    held_out: &'a [&'a Example],
    loss: CrossEntropyLoss,
    writes_checkpoints: bool,
}

impl Run<'_> {
    fn epoch(&self, state: &mut State, observer: &mut Observer<'_>) -> Result<()> {
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
            if !outcome.loss().is_finite() {
                return Err(DeepError::Diverged { epoch, batch: index, loss: outcome.loss() });
            }
            losses += outcome.loss() * batch.len() as f64;
            logits.extend_from_slice(outcome.logits());
            labels.extend(batch.iter().map(|&index| self.training[index].label));
            if observer(TrainingEvent::Step { done: step + 1, total, loss: outcome.loss() }).is_break() {
                return Err(DeepError::Cancelled { epoch });
            }
        }
        if !self.held_out.is_empty() || self.writes_checkpoints {
            // Held-out images and copies of the parameters take the place of the activations.
            state.trainer.release_memory();
        }
        let (validation_loss, validation_auc) = self.validate(state.trainer.network())?.unzip();
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
                (state.best, state.best_epoch) = (Some(state.trainer.network().state_dict()), epoch);
            }
            Some(_) => {}
            None => state.best_epoch = epoch,
        }
        let answer = observer(TrainingEvent::Epoch(&record));
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
        let loss = self.loss.without_smoothing();
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
    use crate::backbone::Backbone;
    use crate::network::{Head, Initialisation};
    use crate::optimiser::{Optimiser, Schedule};
    use crate::parameter_group::ParameterGroup;
    use crate::trainer::NormMoments;

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
        assert_eq!(run.validate(trained.network()).unwrap(), of_best.validation_loss().zip(of_best.validation_auc()));
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

    #[test]
    fn impossible_requests_are_refused() {
        let refused = |params: TrainingParams| assert!(params.check().is_err());
        refused(TrainingParams { epochs: 0, ..TrainingParams::default() });
        refused(TrainingParams { batch_size: 1, ..TrainingParams::default() });
        refused(TrainingParams { learning_rate: f64::NAN, ..TrainingParams::default() });
        refused(TrainingParams { mixup: Some(0.0), ..TrainingParams::default() });
        refused(TrainingParams { patience: Some(3), ..TrainingParams::default() });
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
