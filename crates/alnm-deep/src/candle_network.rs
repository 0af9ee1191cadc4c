//! The same networks computed by candle: on CUDA, and as an independent check of the CPU engine.

use candle_core::{D, DType, Device, IndexOp, Tensor as Array, Var};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::backbone::Backbone;
use crate::error::{DeepError, Result};
use crate::graph::{NodeId, Operation};
use crate::kernel::pooling::{Averaging, Window};
use crate::network::{EPSILON, Head, MOMENTUM, Network, check_input, dropout_mask, tap};
use crate::optimiser::{Optimiser, ParameterGroup, WeightDecayRule, decays, learning_rate_factors};
use crate::preparation::Preparation;
use crate::read_out::FeatureExtractor;
use crate::tensor::Tensor;
use crate::trainer::{CrossEntropyLoss, NormMoments, frozen_norms};
use crate::weights::{StateDict, StateTensor};

/// What candle computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CandleDevice {
    /// This processor; [`crate::Predictor`] and [`crate::Trainer`] are many times faster there.
    #[default]
    Cpu,
    /// An NVIDIA GPU; needs the feature `cuda`.
    Cuda {
        /// Place of the GPU among those of the machine, from 0.
        ordinal: usize,
    },
}

/// What candle computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// 32-bit floating-point numbers.
    #[default]
    Single,
    /// 64-bit floating-point numbers.
    Double,
}

impl Precision {
    fn of_candle(self) -> DType {
        match self {
            Self::Single => DType::F32,
            Self::Double => DType::F64,
        }
    }
}

impl From<candle_core::Error> for DeepError {
    fn from(error: candle_core::Error) -> Self {
        // With RUST_BACKTRACE set, the lines after the first are a backtrace.
        Self::Candle(error.to_string().lines().next().unwrap_or_default().to_owned())
    }
}

/// A network whose outputs candle computes.
#[derive(Debug)]
pub struct CandleNetwork {
    /// Names and shapes; its parameters and statistics are those at the start.
    network: Network,
    parameters: Vec<Var>,
    /// Running mean and variance of every batch normalisation.
    statistics: Vec<[Array; 2]>,
    device: Device,
    precision: Precision,
}

/// What a pass of candle is for.
#[derive(Clone, Copy)]
enum Pass<'a> {
    Evaluation,
    Training { frozen_norms: &'a [bool], dropout_seed: u64 },
}

/// What a pass gives.
struct Computed {
    /// The output of the node that was asked for.
    output: Array,
    /// In training, batch normalisations with the mean and the unbiased variance of their batches.
    moments: Vec<(usize, [Array; 2])>,
}

impl CandleNetwork {
    /// Copies a network to a device.
    ///
    /// # Errors
    /// [`DeepError::Candle`] when the device cannot be used.
    pub fn new(network: &Network, device: CandleDevice, precision: Precision) -> Result<Self> {
        let device = match device {
            CandleDevice::Cpu => Device::Cpu,
            CandleDevice::Cuda { ordinal } => Device::new_cuda(ordinal)?,
        };
        let array = |shape: &[usize], values: Vec<f32>| {
            Array::from_vec(values, shape, &device)?.to_dtype(precision.of_candle())
        };
        let parameters = network
            .named(&network.parameters)
            .map(|(_, tensor)| Var::from_tensor(&array(&tensor.shape, tensor.values)?));
        let parameters = parameters.collect::<Result<Vec<_>, _>>()?;
        let statistics = network.statistics.iter().map(|statistics| {
            let shape = [1, statistics.mean.len(), 1, 1];
            Ok([array(&shape, statistics.mean.clone())?, array(&shape, statistics.variance.clone())?])
        });
        let statistics = statistics.collect::<Result<Vec<_>>>()?;
        Ok(Self { network: network.clone(), parameters, statistics, device, precision })
    }

    /// The network with the parameters and running statistics as they stand, on the CPU.
    ///
    /// # Errors
    /// [`DeepError::Candle`] when they cannot be read from the device.
    pub fn to_network(&self) -> Result<Network> {
        let specifications = self.network.graph.parameters.iter();
        let mut state = specifications
            .zip(&self.parameters)
            .map(|(specification, array)| Ok((specification.name.clone(), stored(array)?)))
            .collect::<Result<StateDict>>()?;
        for (norm, arrays) in self.network.graph.norms.iter().zip(&self.statistics) {
            for (leaf, array) in ["running_mean", "running_var"].into_iter().zip(arrays) {
                state.insert(format!("{}.{leaf}", norm.name), stored(&array.flatten_all()?)?);
            }
        }
        let mut network = self.network.clone();
        network.load_state_dict(state)?;
        Ok(network)
    }

    /// Images as candle takes them, (image, channel, row, column).
    fn images(&self, input: &Tensor) -> Result<Array> {
        check_input(input)?;
        let images = Array::from_slice(input.as_slice(), input.shape().as_slice(), &self.device)?;
        Ok(images.permute((0, 3, 1, 2))?.contiguous()?.to_dtype(self.precision.of_candle())?)
    }

    /// The output of a node; the running statistics follow batches in training.
    fn forward(&mut self, images: Array, target: NodeId, pass: Pass<'_>) -> Result<Array> {
        let computed = self.compute(images, target, pass)?;
        for (norm, of_batch) in computed.moments {
            for (running, of_batch) in self.statistics[norm].iter_mut().zip(of_batch) {
                *running = ((running.affine(1.0 - MOMENTUM, 0.0))? + of_batch.affine(MOMENTUM, 0.0)?)?;
            }
        }
        Ok(computed.output)
    }

    fn compute(&self, images: Array, target: NodeId, pass: Pass<'_>) -> Result<Computed> {
        let mut activations = vec![images];
        let mut all_moments = Vec::new();
        let mut dropout =
            ChaCha8Rng::seed_from_u64(if let Pass::Training { dropout_seed, .. } = pass { dropout_seed } else { 0 });
        for node in &self.network.graph.nodes[1..=target] {
            let input = &activations[node.inputs[0]];
            let output = match node.operation {
                Operation::Input => unreachable!("only the first node is the input"),
                Operation::Convolution { layer, weight, bias } => {
                    let (weight, bias) =
                        (self.parameters[weight].as_tensor(), bias.map(|bias| self.parameters[bias].as_tensor()));
                    let output = if weight.rank() == 2 {
                        input.flatten_from(1)?.matmul(&weight.t()?)?.unsqueeze(2)?.unsqueeze(3)?
                    } else {
                        input.conv2d(weight, layer.padding, layer.stride, 1, 1)?
                    };
                    match bias {
                        Some(bias) => output.broadcast_add(&bias.reshape((1, layer.outputs, 1, 1))?)?,
                        None => output,
                    }
                }
                Operation::BatchNorm { norm, residual, relu } => {
                    let of_batch = matches!(pass, Pass::Training { frozen_norms, .. } if !frozen_norms[norm]);
                    let [mean, variance] = if of_batch { moments(input)? } else { self.statistics[norm].clone() };
                    let (weight, bias) = (self.network.graph.norms[norm].weight, self.network.graph.norms[norm].bias);
                    let of_channel = |parameter: usize| self.parameters[parameter].as_tensor().reshape(mean.shape());
                    let deviation = (&variance + f64::from(EPSILON))?.sqrt()?;
                    let normalised = input.broadcast_sub(&mean)?.broadcast_div(&deviation)?;
                    let mut output =
                        normalised.broadcast_mul(&of_channel(weight)?)?.broadcast_add(&of_channel(bias)?)?;
                    if let Some(residual) = residual {
                        output = (output + &activations[residual])?;
                    }
                    if of_batch {
                        let count = (input.elem_count() / mean.elem_count()) as f64;
                        let unbiased = variance.affine(count / (count - 1.0).max(1.0), 0.0)?;
                        all_moments.push((norm, [mean.detach(), unbiased.detach()]));
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
                Operation::Dropout(probability) if matches!(pass, Pass::Training { .. }) => {
                    let mask = dropout_mask(input.elem_count(), probability, &mut dropout);
                    (input * Array::from_vec(mask, input.shape(), &self.device)?.to_dtype(input.dtype())?)?
                }
                Operation::Dropout(_) => input.clone(),
            };
            activations.push(output);
        }
        Ok(Computed { output: activations.swap_remove(target), moments: all_moments })
    }
}

impl FeatureExtractor for CandleNetwork {
    fn backbone(&self) -> Backbone {
        self.network.backbone()
    }

    fn preparation(&self) -> Preparation {
        self.network.preparation()
    }

    fn stages(&self) -> Vec<String> {
        self.network.taps().map(str::to_owned).collect()
    }

    fn output(&self, input: Tensor, name: &str) -> Result<Tensor> {
        let target = tap(&self.network.graph, name)?;
        let output = self.compute(self.images(&input)?, target, Pass::Evaluation)?.output;
        let shape: [usize; 4] = output.dims4()?.into();
        let values = output.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        Tensor::from_nchw(shape, &values)
    }
}

/// A network that candle's automatic differentiation trains; what each method does is told at [`crate::Trainer`].
#[derive(Debug)]
pub struct CandleTrainer {
    network: CandleNetwork,
    optimiser: Optimiser,
    rule: WeightDecayRule,
    factors: Vec<f32>,
    frozen_norms: Vec<bool>,
    /// Momentum, or first and second moment, of every parameter.
    moments: Vec<Option<[Array; 2]>>,
    steps: i32,
}

/// Loss, logits and gradients of a batch on candle's device.
#[derive(Debug)]
pub struct CandleGradients {
    /// Mean loss over the batch.
    pub loss: f64,
    /// The logit of every image.
    pub logits: Vec<f64>,
    values: Vec<Option<Array>>,
}

impl CandleGradients {
    /// Scales all gradients down where their norm exceeds the limit.
    ///
    /// # Errors
    /// [`DeepError::Candle`] when the device fails.
    pub fn clip(&mut self, limit: f64) -> Result<()> {
        let mut squares = 0.0;
        for gradient in self.values.iter().flatten() {
            squares += gradient.sqr()?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        }
        if squares.sqrt() > limit {
            for gradient in self.values.iter_mut().flatten() {
                *gradient = gradient.affine(limit / squares.sqrt(), 0.0)?;
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
        precision: Precision,
        optimiser: Optimiser,
        rule: WeightDecayRule,
    ) -> Result<Self> {
        if network.head() != Head::Logit {
            let value = format!("{:?}", network.head());
            return Err(DeepError::Parameter { name: "head", value, requirement: "a logit to be trained" });
        }
        optimiser.check()?;
        let (factors, frozen_norms) = (vec![1.0; network.parameters.len()], vec![false; network.graph.norms.len()]);
        let moments = vec![None; factors.len()];
        let network = CandleNetwork::new(network, device, precision)?;
        Ok(Self { network, optimiser, rule, factors, frozen_norms, moments, steps: 0 })
    }

    /// The trainer, with learning rates by groups of parameters and a choice of the moments.
    ///
    /// # Errors
    /// As [`crate::Trainer::with_groups`].
    pub fn with_groups(self, groups: &[ParameterGroup], moments: NormMoments) -> Result<Self> {
        let factors = learning_rate_factors(groups, &self.network.network)?;
        let frozen_norms = frozen_norms(&self.network.network, &factors, moments);
        Ok(Self { factors, frozen_norms, ..self })
    }

    /// The network on the device.
    pub fn network(&self) -> &CandleNetwork {
        &self.network
    }

    /// Forward and backward pass over a batch of square images: candle's gradient of a convolution with a stride takes
    /// no others.
    ///
    /// # Errors
    /// As [`crate::Trainer::gradients`], and [`DeepError::Candle`] when the device fails.
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
            let expected = "as many rows as columns".to_owned();
            return Err(DeepError::Shape { operation: "training by candle", got: images.shape().to_vec(), expected });
        }
        let target = self.network.network.graph.output;
        let images = self.network.images(images)?;
        let pass = Pass::Training { frozen_norms: &self.frozen_norms, dropout_seed };
        let logits = self.network.forward(images, target, pass)?.flatten_all()?;
        let of_labels = |value: &dyn Fn(bool) -> f64| {
            let values: Vec<f64> = labels.iter().map(|label| value(*label)).collect();
            Array::from_vec(values, labels.len(), &self.network.device)?.to_dtype(logits.dtype())
        };
        let targets = of_labels(&|label| loss.target(label))?;
        let weights = of_labels(&|label| loss.class_weights[usize::from(label)] / labels.len() as f64)?;
        let softplus = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
        let losses = ((logits.relu()? - (&logits * targets)?)? + softplus)?;
        let mean = (losses * weights)?.sum_all()?;
        let store = mean.backward()?;
        let parameters = self.network.parameters.iter().zip(&self.factors);
        let values =
            parameters.map(|(parameter, factor)| store.get(parameter).filter(|_| *factor > 0.0).cloned()).collect();
        Ok(CandleGradients {
            loss: mean.to_dtype(DType::F64)?.to_scalar()?,
            logits: logits.to_dtype(DType::F64)?.to_vec1()?,
            values,
        })
    }

    /// Gradients of the parameters that are not frozen, by torchvision's names.
    ///
    /// # Errors
    /// [`DeepError::Candle`] when they cannot be read from the device.
    pub fn named_gradients(&self, gradients: &CandleGradients) -> Result<StateDict> {
        let named = self.network.network.graph.parameters.iter().zip(&gradients.values);
        named
            .filter_map(|(parameter, gradient)| Some((&parameter.name, gradient.as_ref()?)))
            .map(|(n, g)| Ok((n.clone(), stored(g)?)))
            .collect()
    }

    /// One step of the optimiser.
    ///
    /// # Errors
    /// [`DeepError::Candle`] when the device fails.
    pub fn update(&mut self, gradients: &CandleGradients, learning_rate: f64) -> Result<()> {
        self.steps += 1;
        let decays = decays(&self.network.network, self.rule);
        let parameters = self.network.parameters.iter().zip(&gradients.values).zip(&mut self.moments);
        for (((parameter, gradient), moments), (factor, decays)) in parameters.zip(self.factors.iter().zip(decays)) {
            let Some(gradient) = gradient else { continue };
            let rate = learning_rate * f64::from(*factor);
            let (value, decay) = (parameter.as_detached_tensor(), if decays { 1.0 } else { 0.0 });
            let next = match self.optimiser {
                Optimiser::Sgd { momentum, weight_decay } => {
                    let gradient = (gradient + value.affine(decay * f64::from(weight_decay), 0.0)?)?;
                    let velocity = match moments {
                        Some([velocity, _]) => (velocity.affine(momentum.into(), 0.0)? + gradient)?,
                        None => gradient,
                    };
                    let next = (value - velocity.affine(rate, 0.0)?)?;
                    *moments = Some([velocity.clone(), velocity]);
                    next
                }
                Optimiser::AdamW { beta1, beta2, epsilon, weight_decay } => {
                    let [beta1, beta2, epsilon, weight_decay] = [beta1, beta2, epsilon, weight_decay].map(f64::from);
                    let zeros = || gradient.zeros_like();
                    let [first, second] = match moments.take() {
                        Some(moments) => moments,
                        None => [zeros()?, zeros()?],
                    };
                    let first = (first.affine(beta1, 0.0)? + gradient.affine(1.0 - beta1, 0.0)?)?;
                    let second = (second.affine(beta2, 0.0)? + gradient.sqr()?.affine(1.0 - beta2, 0.0)?)?;
                    let corrected = second.affine(1.0 / (1.0 - beta2.powi(self.steps)), 0.0)?.sqrt()?;
                    let step = (&first / (corrected + epsilon)?)?.affine(rate / (1.0 - beta1.powi(self.steps)), 0.0)?;
                    *moments = Some([first, second]);
                    (value.affine(1.0 - decay * rate * weight_decay, 0.0)? - step)?
                }
            };
            parameter.set(&next.detach())?;
        }
        Ok(())
    }
}

/// An array's shape and values.
fn stored(array: &Array) -> Result<StateTensor> {
    let values = array.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    Ok(StateTensor { shape: array.dims().to_vec(), values })
}

/// Mean and biased variance of every channel, (1, channel, 1, 1).
fn moments(input: &Array) -> Result<[Array; 2]> {
    let mean = input.mean_keepdim((0, 2, 3))?;
    let variance = input.broadcast_sub(&mean)?.sqr()?.mean_keepdim((0, 2, 3))?;
    Ok([mean, variance])
}

/// The values at every place of a window, one array a place: candle has no gradient for windows that overlap.
fn places(input: &Array, window: Window) -> Result<Vec<Array>> {
    let padded =
        input.pad_with_zeros(2, window.padding, window.padding)?.pad_with_zeros(3, window.padding, window.padding)?;
    let of_axis = |axis: usize| -> Result<Vec<Array>> {
        let count = (padded.dim(axis)? - window.kernel) / window.stride + 1;
        let indices = |tap: usize| (0..count).map(|place| (place * window.stride + tap) as u32).collect::<Vec<_>>();
        (0..window.kernel).map(|tap| Ok(Array::from_vec(indices(tap), count, input.device())?)).collect()
    };
    let (rows, columns) = (of_axis(2)?, of_axis(3)?);
    let mut places = Vec::new();
    for row in &rows {
        let lines = padded.index_select(row, 2)?;
        for column in &columns {
            places.push(lines.index_select(column, 3)?);
        }
    }
    Ok(places)
}

/// All windows of the backbones lie on rectified activations, where padding by zero never wins over a value.
fn max_pool(input: &Array, window: Window) -> Result<Array> {
    let mut places = places(input, window)?.into_iter();
    let first = places.next().expect("a window has a place");
    places.try_fold(first, |largest, place| Ok(largest.maximum(&place)?))
}

fn average_pool(input: &Array, window: Window) -> Result<Array> {
    let places = places(input, window)?;
    let count = places.len() as f64;
    let sum = places
        .into_iter()
        .map(Ok)
        .reduce(|sum: Result<Array>, place| Ok((sum? + place?)?))
        .expect("a window has a place")?;
    Ok(sum.affine(1.0 / count, 0.0)?)
}

/// Averages over `side` × `side` parts, as PyTorch cuts them.
fn adaptive_pool(input: &Array, side: usize) -> Result<Array> {
    let (_, _, height, width) = input.dims4()?;
    let span = |index: usize, length: usize| index * length / side..((index + 1) * length).div_ceil(side);
    let row = |y: usize| -> Result<Array> {
        let part = |x: usize| -> Result<Array> {
            Ok(input.i((.., .., span(y, height), span(x, width)))?.mean_keepdim((D::Minus1, D::Minus2))?)
        };
        Ok(Array::cat(&(0..side).map(part).collect::<Result<Vec<_>>>()?, 3)?)
    };
    Ok(Array::cat(&(0..side).map(row).collect::<Result<Vec<_>>>()?, 2)?)
}
