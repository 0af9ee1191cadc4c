//! Training steps by candle's automatic differentiation.

use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor as Array};
use candle_nn::ops::log_softmax;

use super::network::{CandleNetwork, LayerMode, stored};
use super::optimiser::GroupedOptimiser;
use super::{CandleDevice, CandlePrecision, Failure};
use crate::error::{DeepError, Result};
use crate::loss::CrossEntropyLoss;
use crate::network::{Head, Network};
use crate::optimiser::{Optimiser, WeightDecayRule, decays};
use crate::parameter_group::{ParameterGroup, ParameterRate, parameter_rates};
use crate::state_dict::StateDict;
use crate::tensor::Tensor;
use crate::trainer::{NormMoments, frozen_norms};

/// A network that candle's automatic differentiation trains, step by step as [`crate::Trainer`] does.
#[derive(Debug)]
pub struct CandleTrainer {
    network: CandleNetwork,
    optimiser: Optimiser,
    decays: Vec<bool>,
    rates: Vec<ParameterRate>,
    moments: NormMoments,
    epoch: usize,
    frozen_norms: Vec<bool>,
    grouped: GroupedOptimiser,
}

/// Loss, logits and gradients of a batch on candle's device.
#[derive(Debug)]
pub struct CandleGradients {
    loss: f64,
    logits: Vec<f64>,
    /// Parameters in the network's order; empty where they are frozen.
    parameters: Vec<Option<candle_core::Var>>,
    store: GradStore,
}

impl CandleGradients {
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

    /// Scales all gradients down so that their Euclidean norm together is at most `limit`.
    ///
    /// # Errors
    /// [`DeepError::Candle`] when the device fails.
    pub fn clip(&mut self, limit: f64) -> Result<()> {
        Ok(self.scale_to(limit)?)
    }

    fn scale_to(&mut self, limit: f64) -> Result<(), Failure> {
        let mut squares = 0.0;
        let trained = || self.parameters.iter().flatten();
        for gradient in trained().filter_map(|parameter| self.store.get(parameter)) {
            squares += gradient.sqr()?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        }
        if squares.sqrt() > limit {
            for parameter in self.parameters.iter().flatten() {
                if let Some(gradient) = self.store.remove(parameter) {
                    self.store.insert(parameter, gradient.affine(limit / squares.sqrt(), 0.0)?);
                }
            }
        }
        Ok(())
    }
}

impl CandleTrainer {
    /// A trainer of all parameters of a network that ends in a logit.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] as [`crate::Trainer::new`], [`DeepError::Candle`] when the device cannot be used.
    pub fn new(
        network: &Network,
        device: CandleDevice,
        precision: CandlePrecision,
        optimiser: Optimiser,
        rule: WeightDecayRule,
    ) -> Result<Self> {
        if network.head() != Head::Logit {
            return Err(DeepError::parameter("head of the network", "none", "a logit to be trained"));
        }
        optimiser.check()?;
        let (rates, moments) = (vec![ParameterRate::WHOLE; network.parameters.len()], NormMoments::default());
        let frozen_norms = vec![false; network.graph.norms.len()];
        let decays = decays(network, rule);
        let network = CandleNetwork::new(network, device, precision)?;
        let grouped = GroupedOptimiser::new(optimiser, &network.parameters, &rates, &decays)?;
        Ok(Self { network, optimiser, decays, rates, moments, epoch: 0, frozen_norms, grouped })
    }

    /// The trainer with learning rates by groups of parameters and a choice of the moments; to be called before the
    /// first step.
    ///
    /// # Errors
    /// As [`crate::Trainer::with_groups`].
    pub fn with_groups(self, groups: &[ParameterGroup], moments: NormMoments) -> Result<Self> {
        let rates = parameter_rates(groups, &self.network.network)?;
        let grouped = GroupedOptimiser::new(self.optimiser, &self.network.parameters, &rates, &self.decays)?;
        let mut trainer = Self { rates, moments, grouped, ..self };
        trainer.begin_epoch(0);
        Ok(trainer)
    }

    /// Goes to an epoch; see [`crate::Trainer::begin_epoch`].
    pub fn begin_epoch(&mut self, epoch: usize) {
        self.epoch = epoch;
        let factors: Vec<f32> = self.rates.iter().map(|rate| rate.at(epoch)).collect();
        self.frozen_norms = frozen_norms(&self.network.network, &factors, self.moments);
    }

    /// The network on the device.
    #[must_use]
    pub fn network(&self) -> &CandleNetwork {
        &self.network
    }

    /// Forward and backward pass over a batch of square images: candle's gradient of a convolution with a stride takes
    /// no others.
    ///
    /// # Errors
    /// As [`crate::Trainer::gradients`]; [`DeepError::Shape`] also for images that are not square and for a batch of
    /// one image whose last stage is a single pixel; [`DeepError::Candle`] when the device fails.
    pub fn gradients(
        &mut self,
        images: &Tensor,
        labels: &[bool],
        loss: CrossEntropyLoss,
        dropout_seed: u64,
    ) -> Result<CandleGradients> {
        if images.images() != labels.len() {
            let expected = images.images().to_string();
            return Err(DeepError::Shape { operation: "labels of a batch", got: vec![labels.len()], expected });
        }
        if images.shape()[1] != images.shape()[2] {
            let expected = "as high as wide, in the order of images, height, width and channels".to_owned();
            return Err(DeepError::Shape {
                operation: "images that candle trains on",
                got: images.shape().to_vec(),
                expected,
            });
        }
        Ok(self.backward(images, labels, loss, dropout_seed)?)
    }

    fn backward(
        &self,
        images: &Tensor,
        labels: &[bool],
        loss: CrossEntropyLoss,
        dropout_seed: u64,
    ) -> Result<CandleGradients, Failure> {
        let target = self.network.network.graph.output;
        let images = self.network.images(images)?;
        let mode = LayerMode::Training { frozen_norms: &self.frozen_norms, dropout_seed };
        let logits = self.network.forward(images, target, mode)?.flatten_all()?;
        // Weights of the two classes of every image: (1 - target, target) times the class weight.
        let count = labels.len();
        let of_classes: Vec<f64> = labels
            .iter()
            .flat_map(|&label| {
                let (target, weight) = (loss.target(label), loss.weight(label) / count as f64);
                [(1.0 - target) * weight, target * weight]
            })
            .collect();
        let of_classes = Array::from_vec(of_classes, (count, 2), &self.network.device)?.to_dtype(logits.dtype())?;
        // The logit against a logit of 0 for the other class. candle-nn's own binary cross-entropy takes the logarithm
        // of the probability, which is infinite for large logits.
        let scores = Array::stack(&[&logits.zeros_like()?, &logits], 1)?;
        let mean = (log_softmax(&scores, 1)? * of_classes)?.sum_all()?.neg()?;
        let store = mean.backward()?;
        let parameters = self.network.parameters.iter().zip(&self.rates);
        let parameters =
            parameters.map(|(parameter, rate)| (rate.at(self.epoch) > 0.0).then(|| parameter.clone())).collect();
        Ok(CandleGradients {
            loss: mean.to_dtype(DType::F64)?.to_scalar()?,
            logits: logits.to_dtype(DType::F64)?.to_vec1()?,
            parameters,
            store,
        })
    }

    /// Gradients of the parameters that are not frozen, by torchvision's names.
    ///
    /// # Errors
    /// [`DeepError::Candle`] when they cannot be read from the device.
    pub fn named_gradients(&self, gradients: &CandleGradients) -> Result<StateDict> {
        let named = self.network.network.graph.parameters.iter().zip(&gradients.parameters);
        named
            .filter_map(|(parameter, array)| Some((&parameter.name, gradients.store.get(array.as_ref()?)?)))
            .map(|(name, gradient)| Ok((name.clone(), stored(gradient)?)))
            .collect()
    }

    /// One step of the optimiser.
    ///
    /// # Errors
    /// [`DeepError::Candle`] when the device fails.
    pub fn update(&mut self, gradients: &CandleGradients, learning_rate: f64) -> Result<()> {
        Ok(self.grouped.step(&gradients.store, learning_rate, self.epoch)?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use candle_nn::loss::binary_cross_entropy_with_logit;

    use super::*;

    /// Why loss and pooling are not candle-nn's and candle's own: once these hold no longer, they can be.
    #[test]
    fn candle_has_no_loss_of_large_logits_and_no_gradient_of_windows_that_overlap() {
        let array = |values: &[f32]| Array::new(values, &Device::Cpu).unwrap();
        let loss = binary_cross_entropy_with_logit(&array(&[40.0]), &array(&[1.0])).unwrap();
        assert!(!loss.to_scalar::<f32>().unwrap().is_finite());
        let image = candle_core::Var::ones((1, 1, 5, 5), DType::F32, &Device::Cpu).unwrap();
        let pooled = image.max_pool2d_with_stride(3, 2).unwrap().sum_all().unwrap();
        let error = pooled.backward().unwrap_err().to_string();
        assert!(error.contains("maxpool2d"), "{error}");
    }

    #[test]
    fn gradients_are_scaled_to_the_limit() {
        use crate::network::Initialisation;

        let network = Network::initialised(crate::Backbone::ResNet18, Head::Logit, Initialisation::new(2));
        let (optimiser, rule) = (Optimiser::adamw(0.0), WeightDecayRule::All);
        let mut trainer =
            CandleTrainer::new(&network, CandleDevice::Cpu, CandlePrecision::Double, optimiser, rule).unwrap();
        let images = Tensor::new([2, 32, 32, 3], (0..6144).map(|index| (index as f32 * 0.37).sin()).collect()).unwrap();
        let mut gradients = trainer.gradients(&images, &[true, false], CrossEntropyLoss::default(), 0).unwrap();
        gradients.clip(1e-3).unwrap();
        let named = trainer.named_gradients(&gradients).unwrap();
        let squares: f64 =
            named.values().flat_map(crate::StateTensor::values).map(|value| f64::from(*value).powi(2)).sum();
        assert!((squares.sqrt() - 1e-3).abs() < 1e-6, "{}", squares.sqrt());
        // One image of 32 x 32 pixels is a single value per channel in the last stage.
        let one = Tensor::new([1, 32, 32, 3], vec![0.5; 3072]).unwrap();
        let error = trainer.gradients(&one, &[true], CrossEntropyLoss::default(), 0).unwrap_err().to_string();
        assert!(error.contains("more than one value per channel"), "{error}");
    }
}
