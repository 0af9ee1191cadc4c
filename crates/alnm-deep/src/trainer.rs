//! Single training steps, for training loops that the caller writes.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{DeepError, Result};
use crate::kernel::in_pool;
use crate::kernel::microkernel::{Buffer, Instructions};
use crate::kernel::workspace::Workspace;
use crate::loss::{CrossEntropyLoss, LossOfLogits};
use crate::network::{ForwardMode, GradientTarget, Head, Network, Recomputation, Retention};
use crate::optimiser::{LearningRates, Optimiser, OptimiserState, WeightDecayRule};
use crate::parameter_group::{ParameterGroup, ParameterRate, parameter_rates};
use crate::state_dict::StateDict;
use crate::tensor::Tensor;

/// The moments that batch normalisations use in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NormMoments {
    /// From each batch; the running statistics follow.
    #[default]
    Batch,
    /// From the running statistics, which stay as they are, in frozen parameter groups; from each batch elsewhere.
    RunningWhereFrozen,
    /// From the running statistics, which stay as they are.
    Running,
}

/// Which batch normalisations keep their running statistics and normalise by them.
pub(crate) fn frozen_norms(network: &Network, factors: &[f32], moments: NormMoments) -> Vec<bool> {
    let is_frozen = |weight: usize| match moments {
        NormMoments::Batch => false,
        NormMoments::RunningWhereFrozen => factors[weight] == 0.0,
        NormMoments::Running => true,
    };
    network.graph.norms.iter().map(|norm| is_frozen(norm.weight)).collect()
}

/// A network in training, for callers who write the training loop themselves; [`crate::fine_tune`] is the loop that
/// most trainings need.
///
/// ```
/// use alnm_deep::{
///     Backbone, CrossEntropyLoss, Head, Initialisation, Network, Optimiser, Tensor, Trainer, WeightDecayRule,
/// };
///
/// let network = Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(7));
/// let mut trainer = Trainer::new(network, Optimiser::adamw(1e-2), WeightDecayRule::WeightsOnly)?;
/// let values = (0..2 * 32 * 32 * 3).map(|index| (index as f32 * 0.37).sin()).collect();
/// let images = Tensor::new([2, 32, 32, 3], values)?;
/// let mut gradients = trainer.gradients(images, &[true, false], CrossEntropyLoss::default(), 0)?;
/// gradients.clip(5.0);
/// trainer.update(&gradients, 1e-4);
/// assert!(gradients.loss().is_finite() && gradients.norm() <= 5.1);
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
#[derive(Debug)]
pub struct Trainer {
    pub(crate) network: Network,
    pub(crate) state: OptimiserState,
    optimiser: Optimiser,
    rule: WeightDecayRule,
    rates: Vec<ParameterRate>,
    moments: NormMoments,
    /// Factor on the learning rate of every parameter in the current epoch.
    factors: Vec<f32>,
    trained: Vec<bool>,
    frozen_norms: Vec<bool>,
    recomputation: Recomputation,
    retention: Retention,
    workspace: Workspace,
}

/// Loss, logits and gradients of a batch.
#[derive(Debug)]
pub struct BatchGradients {
    loss: f64,
    logits: Vec<f64>,
    /// In the network's order and layout; empty for frozen parameters.
    values: Vec<Buffer>,
}

impl BatchGradients {
    /// Mean loss over the batch.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// The logit of every image, in the order of the batch.
    #[must_use]
    pub fn logits(&self) -> &[f64] {
        &self.logits
    }

    /// Euclidean norm of all gradients together, frozen parameters left out.
    #[must_use]
    pub fn norm(&self) -> f64 {
        let squares: Vec<f64> = self
            .values
            .iter()
            .flat_map(|values| values.par_chunks(PIECE).map(sum_of_squares).collect::<Vec<_>>())
            .collect();
        squares.iter().sum::<f64>().sqrt()
    }

    /// Scales all gradients down so that their Euclidean norm together is at most `limit`.
    pub fn clip(&mut self, limit: f64) {
        let norm = self.norm();
        if norm > limit {
            let scale = (limit / norm) as f32;
            for values in &mut self.values {
                values.par_chunks_mut(PIECE).for_each(|values| values.iter_mut().for_each(|value| *value *= scale));
            }
        }
    }
}

/// Gradients that a task takes.
const PIECE: usize = 1 << 16;

/// In double precision, in eight sums that do not wait for each other.
fn sum_of_squares(values: &[f32]) -> f64 {
    let mut sums = [0.0f64; 8];
    for values in values.chunks(8) {
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(*value) * f64::from(*value));
    }
    sums.iter().sum()
}

impl Trainer {
    /// A trainer of all parameters of a network that ends in a logit, with the moments of each batch.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] when the network has no logit head or the optimiser a parameter outside its range.
    pub fn new(network: Network, optimiser: Optimiser, rule: WeightDecayRule) -> Result<Self> {
        Self::with_instructions(network, optimiser, rule, Instructions::best())
    }

    /// As [`Trainer::new`], for the instructions that the caller chooses; their results differ in the last bits.
    ///
    /// # Errors
    /// As [`Trainer::new`].
    pub fn with_instructions(
        network: Network,
        optimiser: Optimiser,
        rule: WeightDecayRule,
        instructions: Instructions,
    ) -> Result<Self> {
        if network.head() != Head::Logit {
            return Err(DeepError::parameter("head of the network", "none", "a logit to be trained"));
        }
        optimiser.check()?;
        let (trained, frozen_norms) = (vec![true; network.parameters.len()], vec![false; network.graph.norms.len()]);
        let state = OptimiserState::new(optimiser, &network, &trained);
        let (rates, factors) = (vec![ParameterRate::WHOLE; trained.len()], vec![1.0; trained.len()]);
        let recomputation = Recomputation::default();
        let retention = Retention::of(&network.graph, &trained, recomputation);
        Ok(Self {
            network,
            state,
            optimiser,
            rule,
            rates,
            moments: NormMoments::default(),
            factors,
            trained,
            frozen_norms,
            recomputation,
            retention,
            workspace: Workspace::new(instructions),
        })
    }

    /// The trainer, with learning rates by groups of parameters and a choice of the moments; to be called before the
    /// first step.
    ///
    /// A parameter belongs to the group with the longest prefix of its name. Gradients of frozen parameters are not
    /// computed, and neither are those of layers before which everything is frozen. Groups that begin to learn in a
    /// later epoch are frozen until [`Trainer::begin_epoch`] names it.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] when a factor is negative or not finite, no parameter's name begins with a prefix, or
    /// all parameters would be frozen at the start.
    pub fn with_groups(mut self, groups: &[ParameterGroup], moments: NormMoments) -> Result<Self> {
        (self.rates, self.moments) = (parameter_rates(groups, &self.network)?, moments);
        let ever: Vec<bool> = self.rates.iter().map(|rate| rate.factor > 0.0).collect();
        self.state = OptimiserState::new(self.optimiser, &self.network, &ever);
        self.begin_epoch(0);
        Ok(self)
    }

    /// Goes to an epoch, from 0: groups whose [`ParameterGroup::first_epoch`] has come learn from now on.
    ///
    /// ```
    /// use alnm_deep::{
    ///     Backbone, CrossEntropyLoss, Head, Initialisation, Network, NormMoments, Optimiser, ParameterGroup, Tensor, Trainer,
    ///     WeightDecayRule,
    /// };
    ///
    /// let network = Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(7));
    /// let groups = [ParameterGroup::new("", 0.0), ParameterGroup::new("fc", 1.0).from_epoch(1), ParameterGroup::new("head", 1.0)];
    /// let mut trainer = Trainer::new(network, Optimiser::adamw(1e-2), WeightDecayRule::WeightsOnly)?
    ///     .with_groups(&groups, NormMoments::Running)?;
    /// let images = Tensor::new([2, 32, 32, 3], (0..6144).map(|index| (index as f32 * 0.37).sin()).collect())?;
    /// for (epoch, learning) in [(0, 2), (1, 4)] {
    ///     trainer.begin_epoch(epoch);
    ///     let gradients = trainer.gradients(images.clone(), &[true, false], CrossEntropyLoss::default(), 0)?;
    ///     assert_eq!(trainer.named_gradients(&gradients).len(), learning);
    ///     trainer.update(&gradients, 1e-3);
    /// }
    /// # Ok::<(), alnm_deep::DeepError>(())
    /// ```
    pub fn begin_epoch(&mut self, epoch: usize) {
        self.factors = self.rates.iter().map(|rate| rate.at(epoch)).collect();
        self.frozen_norms = frozen_norms(&self.network, &self.factors, self.moments);
        let trained: Vec<bool> = self.factors.iter().map(|factor| *factor > 0.0).collect();
        if trained == self.trained {
            return;
        }
        for ((begun, now), before) in self.state.begun.iter_mut().zip(&trained).zip(&self.trained) {
            if *now && !before {
                *begun = self.state.steps;
            }
        }
        self.trained = trained;
        self.retention = Retention::of(&self.network.graph, &self.trained, self.recomputation);
    }

    /// The trainer, with another choice of the activations that its backward passes compute again; see
    /// [`Recomputation`]. Gradients keep every bit.
    ///
    /// ```
    /// use alnm_deep::{
    ///     Backbone, CrossEntropyLoss, Head, Initialisation, Network, Optimiser, Recomputation, Tensor, Trainer,
    ///     WeightDecayRule,
    /// };
    ///
    /// let network = || Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(7));
    /// let trainer = || Trainer::new(network(), Optimiser::adamw(1e-2), WeightDecayRule::WeightsOnly);
    /// let images = Tensor::new([2, 32, 32, 3], (0..6144).map(|index| (index as f32 * 0.37).sin()).collect())?;
    /// let gradients = |mut trainer: Trainer| {
    ///     let gradients = trainer.gradients(images.clone(), &[true, false], CrossEntropyLoss::default(), 0)?;
    ///     Ok::<_, alnm_deep::DeepError>(trainer.named_gradients(&gradients))
    /// };
    /// let of_blocks = gradients(trainer()?.with_recomputation(Recomputation::Blocks))?;
    /// assert_eq!(of_blocks, gradients(trainer()?)?);
    /// # Ok::<(), alnm_deep::DeepError>(())
    /// ```
    #[must_use]
    pub fn with_recomputation(mut self, recomputation: Recomputation) -> Self {
        self.recomputation = recomputation;
        self.retention = Retention::of(&self.network.graph, &self.trained, recomputation);
        self
    }

    /// Gives the memory of the passes back to the system, until the next one asks for it again.
    pub(crate) fn release_memory(&mut self) {
        self.workspace.clear();
    }

    /// The network as it stands.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The network, trained.
    #[must_use]
    pub fn into_network(self) -> Network {
        self.network
    }

    /// Forward and backward pass over a batch; dropout, where the backbone has it, draws from `dropout_seed`.
    ///
    /// # Errors
    /// [`DeepError::Shape`] when the images do not fit the network or their number is not that of the labels,
    /// [`DeepError::NotFinite`] when they hold a value that is not finite.
    pub fn gradients(
        &mut self,
        images: Tensor,
        labels: &[bool],
        loss: CrossEntropyLoss,
        dropout_seed: u64,
    ) -> Result<BatchGradients> {
        if images.images() != labels.len() {
            return Err(DeepError::Shape {
                operation: "labels of a batch",
                got: vec![labels.len()],
                expected: images.images().to_string(),
            });
        }
        self.gradients_of(images, |logits| loss.of(logits, labels), dropout_seed)
    }

    /// Forward and backward pass over a batch with any loss of its logits.
    pub(crate) fn gradients_of(
        &mut self,
        images: Tensor,
        loss: impl Fn(&[f64]) -> LossOfLogits + Send,
        dropout_seed: u64,
    ) -> Result<BatchGradients> {
        in_pool(|| self.pass(images, loss, dropout_seed))
    }

    fn pass(
        &mut self,
        images: Tensor,
        loss: impl Fn(&[f64]) -> LossOfLogits,
        dropout_seed: u64,
    ) -> Result<BatchGradients> {
        let mut dropout = ChaCha8Rng::seed_from_u64(dropout_seed);
        let mode = ForwardMode::Training { frozen_norms: &self.frozen_norms };
        let tape = self.network.forward(images, mode, &self.retention, &mut dropout, &self.workspace)?;
        let output = self.network.graph.output;
        let logits: Vec<f64> = tape.activation(output).as_slice().iter().map(|logit| f64::from(*logit)).collect();
        let LossOfLogits { mean, gradient } = loss(&logits);
        let gradient = Tensor::new([logits.len(), 1, 1, 1], gradient)?;
        let values = self
            .network
            .backward(tape, output, gradient, GradientTarget::Parameters(&self.trained), &self.workspace)
            .parameters;
        Ok(BatchGradients { loss: mean, logits, values })
    }

    /// Gradients of the parameters that are not frozen, by torchvision's names, in PyTorch's layout.
    #[must_use]
    pub fn named_gradients(&self, gradients: &BatchGradients) -> StateDict {
        self.network.named(&gradients.values).collect()
    }

    /// One step of the optimiser.
    pub fn update(&mut self, gradients: &BatchGradients, learning_rate: f64) {
        let Self { network, state, optimiser, rule, factors, .. } = self;
        let rates = LearningRates { rate: learning_rate as f32, factors };
        in_pool(|| state.step(*optimiser, *rule, network, &gradients.values, rates));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::Backbone;
    use crate::feature_extractor::FeatureExtractor;
    use crate::network::Initialisation;

    fn network() -> Network {
        Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(2))
    }

    fn trainer(optimiser: Optimiser, rule: WeightDecayRule) -> Trainer {
        Trainer::new(network(), optimiser, rule).unwrap()
    }

    fn batch() -> (Tensor, [bool; 3]) {
        let values = (0..3 * 32 * 32 * 3).map(|index| ((index * index) as f32 * 0.013).sin()).collect();
        (Tensor::new([3, 32, 32, 3], values).unwrap(), [true, false, true])
    }

    fn group(prefix: &str, factor: f64) -> ParameterGroup {
        ParameterGroup::new(prefix, factor)
    }

    /// Every group's parameters against those of a training without groups, after steps of gradient descent.
    #[test]
    fn groups_learn_at_their_own_rates_and_frozen_ones_keep_every_bit() {
        let optimiser = Optimiser::Sgd { momentum: 0.9, weight_decay: 0.1 };
        let groups = [group("", 0.0), group("layer1", 0.5), group("layer1.0.conv1", 1.0), group("head", 1.0)];
        let mut grouped = trainer(optimiser, WeightDecayRule::All).with_groups(&groups, NormMoments::Batch).unwrap();
        let mut plain = trainer(optimiser, WeightDecayRule::All);
        let (images, labels) = batch();
        let of_groups = grouped.gradients(images.clone(), &labels, CrossEntropyLoss::default(), 0).unwrap();
        let of_all = plain.gradients(images, &labels, CrossEntropyLoss::default(), 0).unwrap();
        assert_eq!(of_groups.loss, of_all.loss);
        let named = grouped.named_gradients(&of_groups);
        assert!(
            named.keys().all(|name| name.starts_with("layer1.") || name.starts_with("head.")),
            "{:?}",
            named.keys()
        );
        assert!(of_groups.norm() < of_all.norm());
        grouped.update(&of_groups, 1e-2);
        plain.update(&of_all, 1e-2);
        let (start, grouped, plain) =
            (network().state_dict(), grouped.network().state_dict(), plain.network().state_dict());
        for name in start.keys().filter(|name| !name.contains("running")) {
            let expected = if name.starts_with("layer1.0.conv1.") || name.starts_with("head.") {
                plain[name].values().to_vec()
            } else if name.starts_with("layer1.") {
                start[name]
                    .values()
                    .iter()
                    .zip(plain[name].values())
                    .map(|(from, to)| from + 0.5 * (to - from))
                    .collect()
            } else {
                start[name].values().to_vec()
            };
            let is_exact = !name.starts_with("layer1.");
            for (got, want) in grouped[name].values().iter().zip(&expected) {
                assert!(if is_exact { got == want } else { (got - want).abs() < 1e-6 }, "{name}: {got} {want}");
            }
        }
    }

    #[test]
    fn frozen_statistics_stay_and_normalise() {
        let statistics = |trainer: &Trainer, norm: &str| {
            let state = trainer.network().state_dict();
            [state[&format!("{norm}.running_mean")].clone(), state[&format!("{norm}.running_var")].clone()]
        };
        let start = trainer(Optimiser::adamw(0.0), WeightDecayRule::All);
        for (moments, first_moves, last_moves) in [
            (NormMoments::Batch, true, true),
            (NormMoments::RunningWhereFrozen, false, true),
            (NormMoments::Running, false, false),
        ] {
            let groups = [group("bn1", 0.0)];
            let mut trainer =
                trainer(Optimiser::adamw(0.0), WeightDecayRule::All).with_groups(&groups, moments).unwrap();
            let (images, labels) = batch();
            let gradients = trainer.gradients(images.clone(), &labels, CrossEntropyLoss::default(), 0).unwrap();
            for (norm, moves) in [("bn1", first_moves), ("layer4.1.bn2", last_moves)] {
                assert_eq!(statistics(&trainer, norm) != statistics(&start, norm), moves, "{moments:?} {norm}");
            }
            if moments == NormMoments::Running {
                let logits =
                    FeatureExtractor::output(&crate::Predictor::new(trainer.network()), images, "head").unwrap();
                for (training, evaluation) in gradients.logits.iter().zip(logits.as_slice()) {
                    assert!(
                        (training - f64::from(*evaluation)).abs() < 1e-3 * (1.0 + training.abs()),
                        "{training} {evaluation}"
                    );
                }
            }
        }
    }

    #[test]
    fn impossible_groups_are_refused() {
        let refuses = |groups: &[ParameterGroup]| {
            assert!(
                trainer(Optimiser::adamw(0.0), WeightDecayRule::All).with_groups(groups, NormMoments::Batch).is_err()
            );
        };
        refuses(&[group("layer", 0.1)]);
        refuses(&[group("layer4", -1.0)]);
        refuses(&[group("layer4", f64::NAN)]);
        refuses(&[group("", 0.0)]);
        assert!(
            Trainer::new(network(), Optimiser::Sgd { momentum: 1.0, weight_decay: 0.0 }, WeightDecayRule::All).is_err()
        );
        assert!(Trainer::new(network(), Optimiser::adamw(-1.0), WeightDecayRule::All).is_err());
    }

    /// Without gradients AdamW moves by its decay alone.
    #[test]
    fn weight_decay_spares_biases_and_norms_where_it_is_told_to() {
        for rule in [WeightDecayRule::All, WeightDecayRule::WeightsOnly] {
            let mut trainer = trainer(Optimiser::adamw(0.5), rule);
            let values = trainer.network.parameters.iter().map(|values| Buffer::zeros(values.len())).collect();
            trainer.update(&BatchGradients { loss: 0.0, logits: Vec::new(), values }, 0.1);
            let (start, end) = (network().state_dict(), trainer.network().state_dict());
            for name in ["conv1.weight", "fc.weight", "fc.bias", "bn1.weight", "layer2.0.downsample.1.weight"] {
                let decays = rule == WeightDecayRule::All || ["conv1.weight", "fc.weight"].contains(&name);
                let keep = if decays { 1.0 - 0.1 * 0.5 } else { 1.0 };
                assert!(
                    start[name].values().iter().zip(end[name].values()).all(|(from, to)| keep * from == *to),
                    "{rule:?} {name}"
                );
            }
        }
    }

    #[test]
    fn clipping_scales_all_gradients_to_the_limit() {
        let mut trainer = trainer(Optimiser::adamw(0.0), WeightDecayRule::All);
        let (images, labels) = batch();
        let mut gradients = trainer.gradients(images, &labels, CrossEntropyLoss::default(), 0).unwrap();
        let (before, norm) = (trainer.named_gradients(&gradients), gradients.norm());
        gradients.clip(norm * 2.0);
        assert_eq!(trainer.named_gradients(&gradients), before);
        gradients.clip(norm / 4.0);
        assert!((gradients.norm() - norm / 4.0).abs() < 1e-5 * norm);
        let after = trainer.named_gradients(&gradients);
        assert!(
            before["conv1.weight"]
                .values()
                .iter()
                .zip(after["conv1.weight"].values())
                .all(|(b, a)| (b / 4.0 - a).abs() < 1e-6 * b.abs())
        );
    }
}
