//! Deep ensembles: several networks that were trained from different seeds, and the mean of their probabilities.

use std::ops::ControlFlow;
use std::path::Path;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::error::{DeepError, Result};
use crate::features::{Views, probabilities};
use crate::network::Network;
use crate::predictor::Predictor;
use crate::saved_file::{self, FileContent};
use crate::saved_network::NetworkDescription;
use crate::state_dict::{StateDict, take_prefixed};
use crate::temperature::Temperature;
use crate::training::{Example, TrainedNetwork, Training, TrainingEvent, TrainingParams};

/// How an ensemble of networks is trained (Lakshminarayanan et al. 2017).
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `members` | 5 | networks | 1 to 64 |
/// | `training` | [`TrainingParams::default`] | how each is trained; member i, from 0, has the seed `training.seed + i` | [`TrainingParams::check`] |
/// | `calibrated` | false | whether a [`Temperature`] is fitted to the logits out of fold | only with inner folds |
///
/// The temperature belongs to the mean: it is fitted to `logit(p̄)`, p̄ being the mean over the members of the
/// probabilities out of fold (pool, then calibrate; Rahaman and Thiery 2021).
///
/// ```
/// use alnm_deep::{EnsembleParams, TrainingParams};
///
/// let params = EnsembleParams::default().with_training(TrainingParams::default().with_inner_folds(5)).with_calibration();
/// assert_eq!(params.check()?.params().members, 5);
/// let error = EnsembleParams::default().with_calibration().check().unwrap_err().to_string();
/// assert_eq!(error, "calibrated is true; it must be false without inner_folds, whose logits the temperature is fitted to");
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct EnsembleParams {
    /// Networks.
    pub members: usize,
    /// How each is trained.
    pub training: TrainingParams,
    /// Whether a temperature is fitted to the logits out of fold.
    pub calibrated: bool,
}

impl Default for EnsembleParams {
    fn default() -> Self {
        Self { members: 5, training: TrainingParams::default(), calibrated: false }
    }
}

impl EnsembleParams {
    /// The largest number of members.
    const MOST: usize = 64;

    /// Networks.
    pub fn with_members(self, members: usize) -> Self {
        Self { members, ..self }
    }

    /// How each is trained.
    pub fn with_training(self, training: TrainingParams) -> Self {
        Self { training, ..self }
    }

    /// A temperature is fitted to the logits out of fold.
    pub fn with_calibration(self) -> Self {
        Self { calibrated: true, ..self }
    }

    /// The training of an ensemble, where every parameter is in its range.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] with the first parameter outside its range.
    pub fn check(self) -> Result<EnsembleTraining> {
        if !(1..=Self::MOST).contains(&self.members) {
            return Err(DeepError::parameter("members", self.members, format!("1 to {}", Self::MOST)));
        }
        if self.calibrated && self.training.inner_folds.is_none() {
            let requirement = "false without inner_folds, whose logits the temperature is fitted to";
            return Err(DeepError::parameter("calibrated", true, requirement));
        }
        let members = (0..self.members as u64).map(|member| {
            let seed = self.training.seed.wrapping_add(member);
            self.training.clone().with_seed(seed).check()
        });
        Ok(EnsembleTraining { members: members.collect::<Result<_>>()?, params: self })
    }
}

/// The training of an ensemble whose parameters are in their ranges; see [`EnsembleParams`].
#[derive(Debug, Clone, PartialEq)]
pub struct EnsembleTraining {
    params: EnsembleParams,
    members: Vec<Training>,
}

/// What hears of the running trainings, by the number of the member, and stops them by a break.
type Observer<'a> = dyn FnMut(usize, TrainingEvent<'_>) -> ControlFlow<()> + 'a;

impl EnsembleTraining {
    /// The parameters.
    pub fn params(&self) -> &EnsembleParams {
        &self.params
    }

    /// Trains one member after the other. `start` gives the network that a member starts from, from the member's seed.
    ///
    /// With `checkpoints` named, a folder that exists, the state of every member is written there as
    /// `member-0.checkpoint` and so on; trainings that find the checkpoints of the same parameters, networks and
    /// examples go on from them to the same bits as unbroken ones. `observer` hears of every member's steps and epochs.
    ///
    /// # Errors
    /// Those of `start`, and as [`Training::run`] and [`Temperature::fit`].
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use alnm_deep::{Backbone, EnsembleParams, Example, Head, Initialisation, Network, TrainingParams, Views};
    /// use ndarray::Array2;
    ///
    /// let image = |index: usize| Array2::from_shape_fn((32, 32), |(y, x)| ((y * (index % 2 + 1) + x) % 8) as f32 / 8.0);
    /// let examples: Vec<Example> = (0..4).map(|index| Example::new(image(index), index % 2 == 1)).collect();
    /// let training = TrainingParams::default().with_epochs(1).with_batch_size(4);
    /// let ensemble = EnsembleParams::default().with_members(2).with_training(training).check()?;
    /// let start = |seed| Ok(Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(seed)));
    /// let ensemble = ensemble.run(&start, &examples, None, &mut |_, _| ControlFlow::Continue(()))?;
    /// let prediction = &ensemble.predict(&[image(9)], Views::Flips)?[0];
    /// assert_eq!(prediction.probability, prediction.members.iter().sum::<f64>() / 2.0);
    /// # Ok::<(), alnm_deep::DeepError>(())
    /// ```
    pub fn run(
        &self,
        start: &dyn Fn(u64) -> Result<Network>,
        examples: &[Example],
        checkpoints: Option<&Path>,
        observer: &mut Observer<'_>,
    ) -> Result<Ensemble> {
        let mut members = Vec::with_capacity(self.members.len());
        for (place, training) in self.members.iter().enumerate() {
            let checkpoint = checkpoints.map(|folder| folder.join(format!("member-{place}.checkpoint")));
            let network = start(training.params().seed)?;
            members.push(training.run(network, examples, checkpoint.as_deref(), &mut |event| observer(place, event))?);
        }
        let labels: Vec<bool> = examples.iter().map(|example| example.label).collect();
        let temperature = self.params.calibrated.then(|| fitted(&members, &labels)).transpose()?;
        Ok(Ensemble { members, temperature })
    }
}

/// The temperature of the mean of the members' probabilities out of fold.
fn fitted(members: &[TrainedNetwork], labels: &[bool]) -> Result<Temperature> {
    let out_of_fold: Vec<&[f64]> = members.iter().filter_map(|member| Some(member.inner_folds()?.logits())).collect();
    let mean = |example: usize| {
        out_of_fold.iter().map(|logits| probability(logits[example])).sum::<f64>() / out_of_fold.len() as f64
    };
    let logits: Vec<f64> = (0..labels.len()).map(|example| logit(mean(example))).collect();
    Temperature::fit(&logits, labels)
}

fn probability(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// The logit of a probability, finite for those that are rounded to 0 or 1.
fn logit(probability: f64) -> f64 {
    let inside = probability.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON / 2.0);
    inside.ln() - (-inside).ln_1p()
}

/// Networks that were trained from different seeds, whose probabilities are averaged; one is an ensemble too.
///
/// It is trained by [`EnsembleTraining::run`], and kept in one file by [`Ensemble::save`].
#[derive(Debug, Clone)]
pub struct Ensemble {
    members: Vec<TrainedNetwork>,
    temperature: Option<Temperature>,
}

/// The prediction of an ensemble for an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EnsemblePrediction {
    /// The mean p̄ of the members' probabilities, or `σ(logit(p̄)/T)` with a temperature T.
    pub probability: f64,
    /// The probability of the event by every member, averaged over the views of the image, without temperature. How far
    /// they lie apart says how little the training fixes the answer.
    pub members: Vec<f64>,
}

/// What an ensemble is besides its tensors.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnsembleDescription {
    members: Vec<NetworkDescription>,
    temperature: Option<Temperature>,
}

impl Ensemble {
    /// The networks with their trainings.
    #[must_use]
    pub fn members(&self) -> &[TrainedNetwork] {
        &self.members
    }

    /// The temperature of the mean, where one was fitted.
    #[must_use]
    pub fn temperature(&self) -> Option<Temperature> {
        self.temperature
    }

    /// The probability of the event in grey images (rows, columns), averaged over the views of each image (test-time
    /// averaging) and over the members.
    ///
    /// # Errors
    /// As [`probabilities`].
    pub fn predict(&self, images: &[Array2<f32>], views: Views) -> Result<Vec<EnsemblePrediction>> {
        let predictors: Vec<Predictor> = self.members.iter().map(|member| Predictor::new(member.network())).collect();
        let of_members = predictors.iter().map(|predictor| probabilities(predictor, images, views));
        let of_members = of_members.collect::<Result<Vec<Vec<f64>>>>()?;
        let of_image = |image: usize| {
            let members: Vec<f64> = of_members.iter().map(|of_member| of_member[image]).collect();
            let mean = members.iter().sum::<f64>() / members.len() as f64;
            let probability = self.temperature.map_or(mean, |temperature| temperature.probability(logit(mean)));
            EnsemblePrediction { probability, members }
        };
        Ok((0..images.len()).map(of_image).collect())
    }

    /// Writes all members with their trainings, and the temperature, as one safetensors file; tensors have
    /// torchvision's names behind the number of their member (`0/conv1.weight`). A SHA-256 over all of it lies in the
    /// metadata.
    ///
    /// The file appears under its name only when it is complete.
    ///
    /// # Errors
    /// [`DeepError::WeightFile`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let members = self.members.iter().map(NetworkDescription::of_trained).collect();
        let description = EnsembleDescription { members, temperature: self.temperature };
        let mut tensors = StateDict::new();
        for (place, member) in self.members.iter().enumerate() {
            let named = member.network().state_dict().into_iter();
            tensors.extend(named.map(|(name, tensor)| (format!("{place}/{name}"), tensor)));
        }
        saved_file::write(path.as_ref(), FileContent::Ensemble, &description, &tensors)
    }

    /// Whether a file contains an ensemble; `false` for a single network and for a file that cannot be read.
    #[must_use]
    pub fn is_at(path: impl AsRef<Path>) -> bool {
        saved_file::says(path.as_ref(), FileContent::Ensemble)
    }

    /// Reads what [`Ensemble::save`] wrote, to the same bits.
    ///
    /// # Errors
    /// [`DeepError::WeightFile`] when the file is no saved ensemble, or was damaged or edited.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (description, mut tensors) = saved_file::read::<EnsembleDescription>(path, FileContent::Ensemble)?;
        let EnsembleDescription { members, temperature } = description;
        if !(1..=EnsembleParams::MOST).contains(&members.len()) {
            let reason =
                format!("the ensemble has {} members; it must have 1 to {}", members.len(), EnsembleParams::MOST);
            return Err(DeepError::file(path, reason));
        }
        let members = members.into_iter().enumerate().map(|(place, description)| {
            let tensors = take_prefixed(&mut tensors, &format!("{place}/"));
            description.trained_with(tensors).map_err(|error| DeepError::file(path, format!("member {place}: {error}")))
        });
        let members = members.collect::<Result<Vec<_>>>()?;
        if let Some(name) = tensors.keys().next() {
            return Err(DeepError::file(path, format!("the tensor {name} belongs to no member of the ensemble")));
        }
        Ok(Self { members, temperature })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::Backbone;
    use crate::network::{Head, Initialisation};

    /// Stripes of two directions, a few of them under the wrong label, so that no network can be sure.
    fn examples() -> Vec<Example> {
        let stripes = |index: usize| {
            Array2::from_shape_fn((32, 32), |(y, x)| {
                0.5 + 0.5 * ((if index.is_multiple_of(2) { y } else { x }) as f32 * 0.8 + index as f32).sin()
            })
        };
        (0..24).map(|index| Example::new(stripes(index), (index % 2 == 1) != (index % 8 < 2))).collect()
    }

    fn params() -> EnsembleParams {
        let training =
            TrainingParams::default().with_epochs(1).with_batch_size(12).with_learning_rate(1e-3).with_inner_folds(2);
        EnsembleParams::default().with_members(2).with_training(training)
    }

    fn start(seed: u64) -> Result<Network> {
        Ok(Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(seed)))
    }

    fn on(threads: usize, run: impl FnOnce() -> Result<Ensemble> + Send) -> Result<Ensemble> {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
    }

    #[test]
    fn a_resumed_ensemble_equals_an_unbroken_one_and_is_saved_to_the_same_bits() {
        let folder = tempfile::tempdir().unwrap();
        let training = params().check().unwrap();
        let run = |checkpoints: Option<&Path>, stop: Option<(usize, usize)>| {
            training.run(&start, &examples(), checkpoints, &mut |member, event| match (stop, event) {
                (Some(stop), TrainingEvent::Step { done, .. }) if stop == (member, done) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            })
        };
        let unbroken = on(1, || run(None, None)).unwrap();
        // In the second fold of the second member.
        let stopped = on(2, || run(Some(folder.path()), Some((1, 2))));
        assert!(matches!(stopped, Err(DeepError::Cancelled { epoch: 0 })), "{stopped:?}");
        let resumed = on(2, || run(Some(folder.path()), None)).unwrap();
        for (resumed, unbroken) in resumed.members().iter().zip(unbroken.members()) {
            assert_eq!(resumed.network().state_dict(), unbroken.network().state_dict());
            assert_eq!(resumed.record(), unbroken.record());
        }
        let [first, second] = unbroken.members() else { panic!("{} members", unbroken.members().len()) };
        assert_ne!(first.network().state_dict(), second.network().state_dict());

        let path = folder.path().join("ensemble.safetensors");
        let calibrated = Ensemble { temperature: Some(Temperature::new(1.75).unwrap()), ..unbroken };
        calibrated.save(&path).unwrap();
        let loaded = Ensemble::load(&path).unwrap();
        let images: Vec<Array2<f32>> = examples().into_iter().take(3).map(|example| example.image).collect();
        let predicted = calibrated.predict(&images, Views::Flips).unwrap();
        assert_eq!(loaded.predict(&images, Views::Flips).unwrap(), predicted);
        assert_eq!(loaded.temperature(), calibrated.temperature());
        for prediction in &predicted {
            let mean = prediction.members.iter().sum::<f64>() / 2.0;
            let wanted = 1.0 / (1.0 + (-(mean / (1.0 - mean)).ln() / 1.75).exp());
            assert!((prediction.probability - wanted).abs() < 1e-12, "{prediction:?}");
        }
        let error = Network::load(&path).unwrap_err().to_string();
        assert!(error.contains("of the format `alnm-deep ensemble`"), "{error}");
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        std::fs::write(&path, bytes).unwrap();
        let error = Ensemble::load(&path).unwrap_err().to_string();
        assert!(error.contains("damaged or edited"), "{error}");
    }

    /// The temperature is the best one of the mean's logits out of fold.
    #[test]
    fn the_temperature_is_fitted_out_of_fold() {
        let mut params = params().with_calibration();
        params.training.epochs = 2;
        let training = params.check().unwrap();
        let ensemble = training.run(&start, &examples(), None, &mut |_, _| ControlFlow::Continue(())).unwrap();
        let out_of_fold = |example: usize| -> f64 {
            let of = |member: &TrainedNetwork| 1.0 / (1.0 + (-member.inner_folds().unwrap().logits()[example]).exp());
            ensemble.members().iter().map(of).sum::<f64>() / 2.0
        };
        let loss = |temperature: f64| -> f64 {
            let of = |(index, example): (usize, &Example)| {
                let mean = out_of_fold(index);
                let p = 1.0 / (1.0 + (-(mean / (1.0 - mean)).ln() / temperature).exp());
                -(if example.label { p } else { 1.0 - p }).ln()
            };
            examples().iter().enumerate().map(of).sum()
        };
        let best = ensemble.temperature().unwrap().value();
        assert!(loss(best) < loss(best * 1.02) && loss(best) < loss(best / 1.02), "{best}");
    }

    #[test]
    fn impossible_ensembles_are_refused() {
        assert!(EnsembleParams::default().with_members(0).check().is_err());
        assert!(EnsembleParams::default().with_members(65).check().is_err());
        assert!(EnsembleParams::default().with_training(TrainingParams::default().with_epochs(0)).check().is_err());
        for p in [0.0, 1e-300, 0.25, 1.0 - f64::EPSILON / 2.0, 1.0] {
            assert!(logit(p).is_finite(), "{p}");
        }
        assert!((logit(0.75) - 3.0f64.ln()).abs() < 1e-15);
    }
}
