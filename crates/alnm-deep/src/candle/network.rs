//! Networks whose layers are those of candle-nn.

use candle_core::{DType, Device, Tensor as Array, Var};
use candle_nn::{BatchNorm, Conv2d, Conv2dConfig, Linear, Module, ModuleT};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use super::pooling::{adaptive_pool, average_pool, max_pool};
use super::{CandleDevice, CandlePrecision, Failure};
use crate::backbone::Backbone;
use crate::error::{DeepError, Result};
use crate::feature_extractor::FeatureExtractor;
use crate::graph::{NodeId, Operation};
use crate::kernel::convolution::Convolution;
use crate::kernel::pooling::Averaging;
use crate::network::{EPSILON, MOMENTUM, Network, check_input, dropout_mask};
use crate::preparation::Preparation;
use crate::state_dict::{StateDict, StateTensor};
use crate::tensor::Tensor;

/// A network whose outputs candle computes, by the layers of candle-nn (feature `candle`).
///
/// ```
/// use alnm_deep::{
///     Backbone, CandleDevice, CandleNetwork, CandlePrecision, FeatureExtractor, Head, Initialisation, Network,
///     Predictor, Tensor,
/// };
///
/// let network = Network::initialised(Backbone::ResNet18, Head::None, Initialisation::new(7));
/// let candle = CandleNetwork::new(&network, CandleDevice::Cpu, CandlePrecision::Double)?;
/// let input = Tensor::new([1, 32, 32, 3], (0..3072).map(|index| (index as f32 * 0.37).sin()).collect())?;
/// let (own, candle) = (Predictor::new(&network).output(input.clone(), "fc")?, candle.output(input, "fc")?);
/// for (own, candle) in own.as_slice().iter().zip(candle.as_slice()) {
///     assert!((own - candle).abs() < 1e-3 * (1.0 + candle.abs()));
/// }
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
#[derive(Debug)]
pub struct CandleNetwork {
    /// Names and shapes; its parameters and statistics are those at the start.
    pub(super) network: Network,
    pub(super) parameters: Vec<Var>,
    norms: Vec<BatchNorm>,
    pub(super) device: Device,
    precision: CandlePrecision,
}

/// What a pass over the layers is for.
#[derive(Clone, Copy)]
pub(super) enum LayerMode<'a> {
    /// Batch normalisation by the running statistics, no dropout.
    Evaluation,
    /// Batch normalisation by the moments of the batch, which the running statistics follow, except where frozen;
    /// dropout.
    Training { frozen_norms: &'a [bool], dropout_seed: u64 },
}

impl CandleNetwork {
    /// Copies a network to a device.
    ///
    /// # Errors
    /// [`DeepError::Candle`] when the device cannot be used.
    pub fn new(network: &Network, device: CandleDevice, precision: CandlePrecision) -> Result<Self> {
        Ok(Self::on_device(network, device, precision)?)
    }

    fn on_device(network: &Network, device: CandleDevice, precision: CandlePrecision) -> Result<Self, Failure> {
        let device = match device {
            CandleDevice::Cpu => Device::Cpu,
            CandleDevice::Cuda { ordinal } => Device::new_cuda(ordinal)?,
        };
        let array = |shape: &[usize], values: Vec<f32>| {
            Array::from_vec(values, shape, &device)?.to_dtype(precision.of_candle())
        };
        let parameters = network
            .named(&network.parameters)
            .map(|(_, tensor)| Var::from_tensor(&array(tensor.shape(), tensor.values().to_vec())?))
            .collect::<Result<Vec<_>, _>>()?;
        let norms = network.graph.norms.iter().zip(&network.statistics).map(|(norm, statistics)| {
            let [weight, bias] = [norm.weight, norm.bias].map(|index| parameters[index].as_tensor().clone());
            let running = |values: &[f32]| array(&[norm.channels], values.to_vec());
            let (mean, variance) = (running(&statistics.mean)?, running(&statistics.variance)?);
            BatchNorm::new_with_momentum(norm.channels, mean, variance, weight, bias, f64::from(EPSILON), MOMENTUM)
        });
        let norms = norms.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { network: network.clone(), parameters, norms, device, precision })
    }

    /// The network with the parameters and running statistics as they stand, on the CPU.
    ///
    /// # Errors
    /// [`DeepError::Candle`] when they cannot be read from the device.
    pub fn to_network(&self) -> Result<Network> {
        let mut network = self.network.clone();
        network.load_state_dict(self.state_dict()?)?;
        Ok(network)
    }

    fn state_dict(&self) -> Result<StateDict, Failure> {
        let specifications = self.network.graph.parameters.iter();
        let mut state = specifications
            .zip(&self.parameters)
            .map(|(specification, array)| Ok((specification.name.clone(), stored(array)?)))
            .collect::<Result<StateDict, Failure>>()?;
        for (norm, layer) in self.network.graph.norms.iter().zip(&self.norms) {
            for (leaf, array) in [("running_mean", layer.running_mean()), ("running_var", layer.running_var())] {
                state.insert(format!("{}.{leaf}", norm.name), stored(array)?);
            }
        }
        Ok(state)
    }

    /// Images as candle takes them, (image, channel, row, column).
    pub(super) fn images(&self, input: &Tensor) -> Result<Array, Failure> {
        check_input(input)?;
        let images = Array::from_slice(input.as_slice(), input.shape().as_slice(), &self.device)?;
        Ok(images.permute((0, 3, 1, 2))?.contiguous()?.to_dtype(self.precision.of_candle())?)
    }

    /// The output of a node; the running statistics follow the batch in training.
    pub(super) fn forward(&self, images: Array, target: NodeId, mode: LayerMode<'_>) -> Result<Array, Failure> {
        let mut activations = vec![images];
        let mut dropout = ChaCha8Rng::seed_from_u64(if let LayerMode::Training { dropout_seed, .. } = mode {
            dropout_seed
        } else {
            0
        });
        for node in (1..=target).map(|id| self.network.graph.node(id)) {
            let input = &activations[node.inputs[0]];
            let output = match node.operation {
                Operation::Convolution { layer, weight, bias } => self.convolution(layer, weight, bias, input)?,
                Operation::BatchNorm { norm, residual, relu } => {
                    let by_batch = matches!(mode, LayerMode::Training { frozen_norms, .. } if !frozen_norms[norm]);
                    let mut output = self.normalised(norm, input, by_batch)?;
                    if let Some(residual) = residual {
                        output = (output + &activations[residual])?;
                    }
                    if relu { output.relu()? } else { output }
                }
                Operation::Relu => input.relu()?,
                Operation::MaxPool(window) => max_pool(input, window)?,
                Operation::AveragePool(Averaging::Windows(window)) => average_pool(input, window)?,
                Operation::AveragePool(Averaging::Adaptive(side)) => adaptive_pool(input, side)?,
                Operation::Concatenate => {
                    Array::cat(&node.inputs.iter().map(|&node| &activations[node]).collect::<Vec<_>>(), 1)?
                }
                // candle-nn's own dropout draws from a generator that cannot be seeded.
                Operation::Dropout(probability) if matches!(mode, LayerMode::Training { .. }) => {
                    let mask = dropout_mask(input.elem_count(), probability, &mut dropout);
                    (input * Array::from_vec(mask, input.shape(), &self.device)?.to_dtype(input.dtype())?)?
                }
                Operation::Dropout(_) => input.clone(),
            };
            activations.push(output);
        }
        Ok(activations.swap_remove(target))
    }

    /// A convolution, or a fully connected layer where the weight is a matrix.
    fn convolution(
        &self,
        layer: Convolution,
        weight: usize,
        bias: Option<usize>,
        input: &Array,
    ) -> Result<Array, Failure> {
        let weight = self.parameters[weight].as_tensor().clone();
        let bias = bias.map(|bias| self.parameters[bias].as_tensor().clone());
        if weight.rank() == 2 {
            let output = Linear::new(weight, bias).forward(&input.flatten_from(1)?)?;
            return Ok(output.unsqueeze(2)?.unsqueeze(3)?);
        }
        let config = Conv2dConfig { padding: layer.padding, stride: layer.stride, ..Conv2dConfig::default() };
        Ok(Conv2d::new(weight, bias, config).forward(input)?)
    }

    fn normalised(&self, norm: usize, input: &Array, by_batch: bool) -> Result<Array, Failure> {
        if by_batch && input.elem_count() == input.dim(1)? {
            return Err(DeepError::Shape {
                operation: "input of a batch normalisation in training",
                got: input.dims().to_vec(),
                expected: "more than one value per channel; give more images or larger ones".to_owned(),
            }
            .into());
        }
        Ok(self.norms[norm].forward_t(input, by_batch)?)
    }

    fn output_of(&self, input: &Tensor, stage: &str) -> Result<Tensor, Failure> {
        let target = self.network.graph.node_of(stage)?;
        let output = self.forward(self.images(input)?, target, LayerMode::Evaluation)?;
        let shape: [usize; 4] = output.dims4()?.into();
        let values = output.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        Ok(Tensor::from_nchw(shape, &values)?)
    }
}

impl FeatureExtractor for CandleNetwork {
    fn backbone(&self) -> Backbone {
        self.network.backbone()
    }

    fn preparation(&self) -> Preparation {
        self.network.preparation()
    }

    fn stages(&self) -> Vec<&str> {
        self.network.stages()
    }

    fn output(&self, input: Tensor, stage: &str) -> Result<Tensor> {
        Ok(self.output_of(&input, stage)?)
    }
}

/// An array's shape and values.
pub(super) fn stored(array: &Array) -> Result<StateTensor, Failure> {
    let values = array.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    Ok(StateTensor::of_shape(array.dims(), values))
}
