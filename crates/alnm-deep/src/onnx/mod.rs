//! Networks of ONNX files on the engine of this crate.

mod arrangement;
mod elementwise;
mod features;
mod layer;
mod model;
mod normalisation;
mod operator;
mod plan;
mod protobuf;
mod reduction;
mod resize;
mod segmentation;
mod sliding_window;
mod value;
mod window;

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::{ArrayD, ArrayViewD};
pub use segmentation::{ChannelNormalisation, VolumeSegmentation, VolumeSegmentationParams};
pub use sliding_window::{SlidingWindow, SlidingWindowParams, WindowWeighting};

use self::model::{Model, Port, element, element_name};
use self::operator::Inputs;
use self::plan::Plan;
use self::value::{Dense, Value, count_of};
use crate::error::{DeepError, Result};
use crate::kernel::in_pool;
use crate::kernel::microkernel::Instructions;
use crate::kernel::workspace::Workspace;
use crate::state_dict::MAXIMUM_FILE_BYTES;

/// An input of an ONNX network.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OnnxInput {
    /// Its name.
    pub name: String,
    /// Sizes of its dimensions, `None` for those that the file leaves open; without dimensions where it does not say
    /// how many there are.
    pub shape: Vec<Option<usize>>,
}

/// A value that goes into an ONNX network or comes out of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum OnnxValue {
    /// Numbers in single precision.
    Floats(ArrayD<f32>),
    /// Integers of any width.
    Integers(ArrayD<i64>),
    /// Truth values.
    Booleans(ArrayD<bool>),
}

impl OnnxValue {
    /// The numbers in single precision, where it holds such.
    #[must_use]
    pub fn into_floats(self) -> Option<ArrayD<f32>> {
        match self {
            Self::Floats(array) => Some(array),
            _ => None,
        }
    }
}

impl From<ArrayD<f32>> for OnnxValue {
    fn from(array: ArrayD<f32>) -> Self {
        Self::Floats(array)
    }
}

impl From<ArrayD<i64>> for OnnxValue {
    fn from(array: ArrayD<i64>) -> Self {
        Self::Integers(array)
    }
}

/// A network read from an ONNX file (operator sets 11 to 22, single precision), computed by the kernels of this crate.
///
/// | | supported |
/// |---|---|
/// | layers | `Conv` of one to three dimensions (groups, dilation, automatic padding), `ConvTranspose`, `Gemm`, `MatMul` |
/// | normalisations | `BatchNormalization`, `InstanceNormalization`, `GroupNormalization`, `LayerNormalization`, `LRN` |
/// | pooling | `MaxPool`, `AveragePool`, `GlobalAveragePool`, `GlobalMaxPool` |
/// | activations | `Relu`, `LeakyRelu`, `PRelu`, `Elu`, `Selu`, `Sigmoid`, `HardSigmoid`, `HardSwish`, `Tanh`, `Softplus`, `Softsign`, `Gelu`, `Mish`, `Erf`, `Clip`, `Softmax`, `LogSoftmax` |
/// | arithmetic | `Add`, `Sub`, `Mul`, `Div`, `Pow`, `Mod`, `Min`, `Max`, `Sum`, `Mean`, `Abs`, `Neg`, `Exp`, `Log`, `Sqrt`, `Reciprocal`, `Sin`, `Cos`, `Floor`, `Ceil`, `Round`, `Sign`, comparisons, `And`, `Or`, `Xor`, `Not`, `Where` |
/// | reductions | `ReduceMean`, `ReduceSum`, `ReduceMax`, `ReduceMin`, `ReduceProd`, `ReduceL1`, `ReduceL2`, `ReduceSumSquare`, `ArgMax`, `ArgMin`, `CumSum` |
/// | arrangement | `Reshape`, `Flatten`, `Transpose`, `Squeeze`, `Unsqueeze`, `Slice`, `Concat`, `Split`, `Gather`, `Expand`, `Tile`, `Pad`, `Resize` without antialiasing, `DepthToSpace`, `SpaceToDepth` |
/// | shapes and constants | `Shape`, `Size`, `Cast`, `Constant`, `ConstantOfShape`, `Range`, `Identity`, `Dropout` |
///
/// Weights in half precision are read and computed with in single precision. Weights may lie in a file beside the
/// network's. Batch normalisations are folded into the convolutions before them; residuals, biases and rectified linear
/// units are applied while a layer's output is in the cache. With one instruction set a result has the same bits at any
/// number of threads.
///
/// ```no_run
/// use alnm_deep::OnnxNetwork;
/// use ndarray::ArrayD;
///
/// let network = OnnxNetwork::open("network.onnx")?;
/// assert_eq!(network.inputs()[0].shape[1], Some(3));
/// let image = ArrayD::<f32>::zeros(vec![1, 3, 224, 224]);
/// let output = network.run(vec![image.into()])?.remove(0);
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
#[derive(Debug)]
pub struct OnnxNetwork {
    plan: Plan,
    inputs: Vec<OnnxInput>,
    outputs: Vec<String>,
    /// Buffers of the calls that are not running.
    idle: Mutex<Vec<Workspace>>,
    instructions: Instructions,
}

impl OnnxNetwork {
    /// Reads the network of a file, to give the outputs that the file names.
    ///
    /// # Errors
    /// [`DeepError::Onnx`] for a file that is no ONNX model, is damaged or larger than [`MAXIMUM_FILE_BYTES`], or has
    /// an operator that is not supported, operations that form a cycle, or element types other than those that are
    /// read. The error names the operator.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with_outputs(path, &[])
    }

    /// Reads the network of a file, to give the values of these names, which may lie anywhere in the network. What they
    /// do not need is neither read nor computed. Without names the outputs are those that the file names.
    ///
    /// # Errors
    /// As [`OnnxNetwork::open`], and for a name that nothing in the network has.
    pub fn open_with_outputs(path: impl AsRef<Path>, outputs: &[&str]) -> Result<Self> {
        let path = path.as_ref();
        let failed = |reason: String| DeepError::Onnx { network: path.display().to_string(), reason };
        let size = fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
        if size > MAXIMUM_FILE_BYTES {
            return Err(failed(format!("the file has {size} bytes, more than the limit of {MAXIMUM_FILE_BYTES}")));
        }
        let bytes = fs::read(path).map_err(|error| failed(error.to_string()))?;
        Self::read(&bytes, path.parent(), outputs, Instructions::best()).map_err(failed)
    }

    /// Reads a network from the bytes of a file. Weights that lie in other files are refused.
    ///
    /// # Errors
    /// As [`OnnxNetwork::open_with_outputs`].
    ///
    /// ```
    /// use alnm_deep::OnnxNetwork;
    ///
    /// let error = OnnxNetwork::from_bytes(b"no network", &[]).unwrap_err().to_string();
    /// assert!(error.contains("no ONNX model"), "{error}");
    /// ```
    pub fn from_bytes(bytes: &[u8], outputs: &[&str]) -> Result<Self> {
        Self::from_bytes_with_instructions(bytes, outputs, Instructions::best())
    }

    /// As [`OnnxNetwork::from_bytes`], for the instructions that the caller chooses; their results differ in the last
    /// bits.
    ///
    /// # Errors
    /// As [`OnnxNetwork::from_bytes`].
    pub fn from_bytes_with_instructions(bytes: &[u8], outputs: &[&str], instructions: Instructions) -> Result<Self> {
        let failed = |reason| DeepError::Onnx { network: "from memory".to_owned(), reason };
        Self::read(bytes, None, outputs, instructions).map_err(failed)
    }

    fn read(bytes: &[u8], folder: Option<&Path>, outputs: &[&str], instructions: Instructions) -> Result<Self, String> {
        let model = Model::read(bytes, folder)?;
        for Port { name, element, .. } in &model.inputs {
            let is_known = matches!(*element, element::FLOAT | element::INT64 | element::INT32 | element::BOOL);
            if !is_known {
                let kind = element_name(*element);
                return Err(format!("the input {name} holds {kind}; FLOAT, INT32, INT64 and BOOL are supported"));
            }
        }
        let inputs = model
            .inputs
            .iter()
            .map(|port| OnnxInput { name: port.name.clone(), shape: port.shape.clone().unwrap_or_default() });
        let inputs = inputs.collect();
        let outputs: Vec<String> = if outputs.is_empty() {
            model.outputs.clone()
        } else {
            outputs.iter().map(|name| (*name).to_owned()).collect()
        };
        let workspace = Workspace::new(instructions);
        let plan = Plan::of(model, &outputs, &workspace)?;
        Ok(Self { plan, inputs, outputs, idle: Mutex::new(Vec::new()), instructions })
    }

    /// The inputs, in the order in which [`OnnxNetwork::run`] takes them.
    #[must_use]
    pub fn inputs(&self) -> &[OnnxInput] {
        &self.inputs
    }

    /// Names of the outputs, in the order in which [`OnnxNetwork::run`] gives them.
    #[must_use]
    pub fn outputs(&self) -> &[String] {
        &self.outputs
    }

    /// The outputs for inputs.
    ///
    /// # Errors
    /// [`DeepError::Onnx`] for another number of inputs, shapes that the network does not take, or inputs for which an
    /// operation is not defined; the error names the operation.
    pub fn run(&self, inputs: Vec<OnnxValue>) -> Result<Vec<OnnxValue>> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let last = idle().pop();
        let workspace = last.unwrap_or_else(|| Workspace::new(self.instructions));
        let result = in_pool(|| self.compute(inputs, &workspace));
        idle().push(workspace);
        result.map_err(|reason| DeepError::Onnx { network: "as it ran".to_owned(), reason })
    }

    /// The first output for one image or volume (batch, channel, position...), where it holds floating-point numbers.
    ///
    /// # Errors
    /// As [`OnnxNetwork::run`], and where the first output holds no floating-point numbers.
    pub fn output(&self, input: ArrayViewD<'_, f32>) -> Result<ArrayD<f32>> {
        let output = self.run(vec![input.to_owned().into()])?.into_iter().next();
        output.and_then(OnnxValue::into_floats).ok_or_else(|| DeepError::Onnx {
            network: "as it ran".to_owned(),
            reason: "the first output holds no floating-point numbers".to_owned(),
        })
    }

    fn compute(&self, inputs: Vec<OnnxValue>, workspace: &Workspace) -> Result<Vec<OnnxValue>, String> {
        let Plan { steps, constants, .. } = &self.plan;
        if inputs.len() != self.inputs.len() {
            return Err(format!("{} inputs were given; the network takes {}", inputs.len(), self.inputs.len()));
        }
        let mut values: Vec<Option<Arc<Value>>> = vec![None; self.plan.values];
        for ((id, port), input) in self.plan.inputs.iter().zip(&self.inputs).zip(inputs) {
            let value = Value::from(input);
            let shape = value.shape();
            let fits = port.shape.is_empty()
                || port.shape.len() == shape.len()
                    && port.shape.iter().zip(shape).all(|(open, size)| open.is_none_or(|known| known == *size));
            if !fits {
                let wanted: Vec<String> = port
                    .shape
                    .iter()
                    .map(|size| size.map_or_else(|| "any".to_owned(), |size| size.to_string()))
                    .collect();
                return Err(format!(
                    "the shape of the input {} is {shape:?}; it must be [{}]",
                    port.name,
                    wanted.join(", ")
                ));
            }
            count_of(shape)?;
            values[*id] = Some(Arc::new(value));
        }
        for (id, value) in constants {
            values[*id] = Some(Arc::clone(value));
        }
        let last_uses = self.plan.last_uses();
        for (index, step) in steps.iter().enumerate() {
            let read = step.inputs.iter().enumerate().map(|(place, id)| {
                let id = (*id)?;
                let is_last = last_uses[id] == index && !step.inputs[place + 1..].contains(&Some(id));
                if is_last { values[id].take() } else { values[id].clone() }
            });
            let inputs = Inputs(read.collect());
            let made = step.operator.run(inputs, step.outputs.len(), workspace);
            let made = made.map_err(|reason| format!("{}: {reason}", step.title))?;
            for (id, value) in step.outputs.iter().zip(made) {
                if let Some(id) = id.filter(|id| last_uses[*id] > index) {
                    values[id] = Some(Arc::new(value));
                }
            }
        }
        let output = |id: &usize| values[*id].as_deref().map(|value| outer_value(value, workspace));
        self.plan.outputs.iter().map(output).collect::<Option<_>>().ok_or_else(|| "an output was not made".to_owned())
    }
}

impl From<OnnxValue> for Value {
    fn from(value: OnnxValue) -> Self {
        fn dense<T: Copy>(array: ArrayD<T>) -> Dense<T> {
            let shape = array.shape().to_vec();
            let values = if array.is_standard_layout() {
                let (values, offset) = array.into_raw_vec_and_offset();
                let start = offset.unwrap_or(0);
                let count = shape.iter().product::<usize>();
                if start == 0 && values.len() == count { values } else { values[start..start + count].to_vec() }
            } else {
                array.iter().copied().collect()
            };
            Dense::new(shape, values)
        }
        match value {
            OnnxValue::Floats(array) => {
                let Dense { shape, values } = dense(array);
                Self::floats(shape, values)
            }
            OnnxValue::Integers(array) => Self::Integers(dense(array)),
            OnnxValue::Booleans(array) => Self::Booleans(dense(array)),
        }
    }
}

fn outer_value(value: &Value, workspace: &Workspace) -> OnnxValue {
    fn array<T>(shape: &[usize], values: Vec<T>) -> ArrayD<T> {
        ArrayD::from_shape_vec(shape, values).expect("a tensor has as many values as its shape")
    }
    match value {
        Value::Floats(floats) => OnnxValue::Floats(array(floats.shape(), floats.in_order(workspace).stored().to_vec())),
        Value::Integers(Dense { shape, values }) => OnnxValue::Integers(array(shape, values.clone())),
        Value::Booleans(Dense { shape, values }) => OnnxValue::Booleans(array(shape, values.clone())),
    }
}
