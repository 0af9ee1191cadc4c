//! The operators that are supported: how their attributes are read, and what each does to its inputs.

use std::sync::Arc;

use super::arrangement::{self, BlockOrder, Border, Range};
use super::elementwise::{self, Arithmetic, Function, Relation};
use super::layer::{
    ConvolutionLayer, ConvolutionSpecification, ConvolutionWeight, GeneralProduct, LinearLayer,
    TransposedSpecification, matrix_product,
};
use super::model::{Attribute, ModelNode, element, element_name};
use super::normalisation::{self, BatchStatistics, ChannelAffine, LocalResponse};
use super::reduction::{self, Axes, Reduction};
use super::resize::{Coordinates, Interpolation, Nearest, Resampling};
use super::value::{Dense, Floats, Value, axis_of, count_of};
use super::window::{AutoPad, Pooling, WindowSpecification, pooled, pooled_globally};
use crate::kernel::workspace::Workspace;

/// What a step computes.
#[derive(Debug)]
pub(super) enum Operator {
    Apply(Function),
    /// Bounds as inputs.
    Clip,
    Arithmetic(Arithmetic),
    /// One operation over any number of inputs, divided by their number for a mean.
    Several {
        operation: Arithmetic,
        is_mean: bool,
    },
    Relate(Relation),
    Not,
    Where,
    Cast(i64),
    Constant(Arc<Value>),
    ConstantOfShape(Arc<Value>),
    Range,
    Identity,
    /// Nothing is dropped, unless an input asks for training.
    Dropout,
    Shape {
        start: i64,
        end: i64,
    },
    Size,
    Convolution(ConvolutionSpecification),
    /// A convolution whose weight is packed; the second input is the residual.
    Layer {
        layer: Box<ConvolutionLayer>,
        relu: bool,
    },
    Transposed(TransposedSpecification),
    MatMul,
    Gemm(GeneralProduct),
    /// A product with a packed matrix.
    Linear {
        layer: Box<LinearLayer>,
        product: Option<GeneralProduct>,
    },
    BatchNormalization {
        epsilon: f32,
    },
    Affine {
        affine: ChannelAffine,
        relu: bool,
    },
    InstanceNormalization {
        epsilon: f32,
    },
    GroupNormalization {
        groups: usize,
        epsilon: f32,
    },
    LayerNormalization {
        axis: i64,
        epsilon: f32,
    },
    LocalResponse(LocalResponse),
    Pool {
        window: WindowSpecification,
        pooling: Pooling,
    },
    GlobalPool(Pooling),
    Softmax {
        axis: i64,
        is_log: bool,
        flattens: bool,
    },
    Reduce {
        reduction: Reduction,
        axes: Option<Vec<i64>>,
        keeps: bool,
        empty_means_none: bool,
    },
    Extreme {
        axis: i64,
        keeps: bool,
        takes_last: bool,
        is_largest: bool,
    },
    CumulativeSum,
    Reshape {
        keeps_zeros: bool,
    },
    Flatten(i64),
    Transpose(Option<Vec<usize>>),
    Squeeze(Option<Vec<i64>>),
    Unsqueeze(Option<Vec<i64>>),
    Slice,
    Concat(i64),
    Split {
        axis: i64,
        sizes: Option<Vec<i64>>,
    },
    Gather(i64),
    Expand,
    Tile,
    Pad(Border),
    DepthToSpace {
        block: usize,
        order: BlockOrder,
    },
    SpaceToDepth(usize),
    Resize {
        resampling: Resampling,
        axes: Option<Vec<i64>>,
    },
}

/// The attributes of a node, by name.
struct Attributes<'a>(&'a ModelNode);

impl Attributes<'_> {
    fn integer(&self, name: &str, otherwise: i64) -> Result<i64, String> {
        match self.0.attributes.get(name) {
            None => Ok(otherwise),
            Some(Attribute::Integer(value)) => Ok(*value),
            Some(_) => Err(format!("the attribute {name} is no integer")),
        }
    }

    fn flag(&self, name: &str, otherwise: bool) -> Result<bool, String> {
        Ok(self.integer(name, i64::from(otherwise))? != 0)
    }

    fn size(&self, name: &str, otherwise: Option<i64>) -> Result<usize, String> {
        let value = self.integer(name, otherwise.unwrap_or(-1))?;
        usize::try_from(value).map_err(|_| format!("the attribute {name} is {value}; it must be there and at least 0"))
    }

    fn float(&self, name: &str, otherwise: f32) -> Result<f32, String> {
        match self.0.attributes.get(name) {
            None => Ok(otherwise),
            Some(Attribute::Float(value)) => Ok(*value),
            Some(_) => Err(format!("the attribute {name} is no number")),
        }
    }

    fn text(&self, name: &str, otherwise: &str) -> Result<String, String> {
        match self.0.attributes.get(name) {
            None => Ok(otherwise.to_owned()),
            Some(Attribute::Text(value)) => Ok(value.clone()),
            Some(_) => Err(format!("the attribute {name} is no text")),
        }
    }

    fn integers(&self, name: &str) -> Result<Option<Vec<i64>>, String> {
        match self.0.attributes.get(name) {
            None => Ok(None),
            Some(Attribute::Integers(values)) => Ok(Some(values.clone())),
            Some(_) => Err(format!("the attribute {name} is no list of integers")),
        }
    }

    fn sizes(&self, name: &str) -> Result<Option<Vec<usize>>, String> {
        let Some(values) = self.integers(name)? else { return Ok(None) };
        let sizes: Option<Vec<usize>> = values.iter().map(|value| usize::try_from(*value).ok()).collect();
        sizes.map(Some).ok_or_else(|| format!("the attribute {name} is {values:?}; negative sizes are not supported"))
    }

    fn window(&self) -> Result<WindowSpecification, String> {
        let auto_pad = match self.text("auto_pad", "NOTSET")?.as_str() {
            "NOTSET" => AutoPad::No,
            "SAME_UPPER" => AutoPad::SameUpper,
            "SAME_LOWER" => AutoPad::SameLower,
            "VALID" => AutoPad::Valid,
            other => return Err(format!("the attribute auto_pad is {other}, which is not supported")),
        };
        let sizes = |name: &str| Ok::<_, String>(self.sizes(name)?.unwrap_or_default());
        Ok(WindowSpecification {
            kernel: self.sizes("kernel_shape")?,
            strides: sizes("strides")?,
            dilations: sizes("dilations")?,
            pads: sizes("pads")?,
            auto_pad,
            ceil: self.flag("ceil_mode", false)?,
        })
    }
}

/// Refuses what is not supported.
fn only(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{what} is not supported")) }
}

impl Operator {
    /// The operator of a node; `None` where it is not supported.
    pub(super) fn of(node: &ModelNode, opset: i64) -> Result<Option<Self>, String> {
        if !(node.domain.is_empty() || node.domain == "ai.onnx") {
            return Ok(None);
        }
        let attributes = Attributes(node);
        let reduce = |reduction| {
            Ok::<_, String>(Self::Reduce {
                reduction,
                axes: attributes.integers("axes")?,
                keeps: attributes.flag("keepdims", true)?,
                empty_means_none: attributes.flag("noop_with_empty_axes", false)?,
            })
        };
        let extreme = |is_largest| {
            Ok::<_, String>(Self::Extreme {
                axis: attributes.integer("axis", 0)?,
                keeps: attributes.flag("keepdims", true)?,
                takes_last: attributes.flag("select_last_index", false)?,
                is_largest,
            })
        };
        let softmax = |is_log| {
            let flattens = opset < 13;
            Ok::<_, String>(Self::Softmax {
                axis: attributes.integer("axis", if flattens { 1 } else { -1 })?,
                is_log,
                flattens,
            })
        };
        let epsilon = || attributes.float("epsilon", 1e-5);
        let single_output = || only(node.outputs.iter().skip(1).all(String::is_empty), "a second output");
        Ok(Some(match node.operator.as_str() {
            "Abs" => Self::Apply(Function::Abs),
            "Ceil" => Self::Apply(Function::Ceil),
            "Cos" => Self::Apply(Function::Cos),
            "Elu" => Self::Apply(Function::Elu(attributes.float("alpha", 1.0)?)),
            "Erf" => Self::Apply(Function::Erf),
            "Exp" => Self::Apply(Function::Exp),
            "Floor" => Self::Apply(Function::Floor),
            "Gelu" => match attributes.text("approximate", "none")?.as_str() {
                "none" => Self::Apply(Function::Gelu),
                "tanh" => Self::Apply(Function::GeluByTanh),
                other => return Err(format!("the attribute approximate is {other}, which is not supported")),
            },
            "HardSigmoid" => Self::Apply(Function::HardSigmoid {
                alpha: attributes.float("alpha", 0.2)?,
                beta: attributes.float("beta", 0.5)?,
            }),
            "HardSwish" => Self::Apply(Function::HardSwish),
            "LeakyRelu" => Self::Apply(Function::LeakyRelu(attributes.float("alpha", 0.01)?)),
            "Log" => Self::Apply(Function::Log),
            "Mish" => Self::Apply(Function::Mish),
            "Neg" => Self::Apply(Function::Neg),
            "Reciprocal" => Self::Apply(Function::Reciprocal),
            "Relu" => Self::Apply(Function::Relu),
            "Round" => Self::Apply(Function::Round),
            "Selu" => Self::Apply(Function::Selu {
                alpha: attributes.float("alpha", 1.673_263_2)?,
                gamma: attributes.float("gamma", 1.050_701)?,
            }),
            "Sigmoid" => Self::Apply(Function::Sigmoid),
            "Sign" => Self::Apply(Function::Sign),
            "Sin" => Self::Apply(Function::Sin),
            "Softplus" => Self::Apply(Function::Softplus),
            "Softsign" => Self::Apply(Function::Softsign),
            "Sqrt" => Self::Apply(Function::Sqrt),
            "Tanh" => Self::Apply(Function::Tanh),
            "Clip" => Self::Clip,
            "Add" => Self::Arithmetic(Arithmetic::Add),
            "Sub" => Self::Arithmetic(Arithmetic::Sub),
            "Mul" => Self::Arithmetic(Arithmetic::Mul),
            "Div" => Self::Arithmetic(Arithmetic::Div),
            "Pow" => Self::Arithmetic(Arithmetic::Pow),
            "PRelu" => Self::Arithmetic(Arithmetic::PRelu),
            "Mod" => Self::Arithmetic(Arithmetic::Mod { of_dividend: attributes.flag("fmod", false)? }),
            "Max" => Self::Several { operation: Arithmetic::Max, is_mean: false },
            "Min" => Self::Several { operation: Arithmetic::Min, is_mean: false },
            "Sum" => Self::Several { operation: Arithmetic::Add, is_mean: false },
            "Mean" => Self::Several { operation: Arithmetic::Add, is_mean: true },
            "Equal" => Self::Relate(Relation::Equal),
            "Greater" => Self::Relate(Relation::Greater),
            "GreaterOrEqual" => Self::Relate(Relation::GreaterOrEqual),
            "Less" => Self::Relate(Relation::Less),
            "LessOrEqual" => Self::Relate(Relation::LessOrEqual),
            "And" => Self::Relate(Relation::And),
            "Or" => Self::Relate(Relation::Or),
            "Xor" => Self::Relate(Relation::Xor),
            "Not" => Self::Not,
            "Where" => Self::Where,
            "Cast" => {
                let to = attributes.integer("to", 0)?;
                only(is_cast_target(to), &format!("a cast to {}", element_name(to)))?;
                Self::Cast(to)
            }
            "Constant" => Self::Constant(constant(node)?),
            "ConstantOfShape" => match node.attributes.get("value") {
                None => Self::ConstantOfShape(Arc::new(Value::floats(vec![1], vec![0.0]))),
                Some(Attribute::Tensor(value)) if value.count() == 1 => Self::ConstantOfShape(Arc::clone(value)),
                Some(_) => return Err("the attribute value must be a tensor of one element".to_owned()),
            },
            "Range" => Self::Range,
            "Identity" => Self::Identity,
            "Dropout" => {
                single_output()?;
                Self::Dropout
            }
            "Shape" => {
                Self::Shape { start: attributes.integer("start", 0)?, end: attributes.integer("end", i64::MAX)? }
            }
            "Size" => Self::Size,
            "Conv" => Self::Convolution(ConvolutionSpecification {
                window: attributes.window()?,
                groups: attributes.size("group", Some(1))?,
            }),
            "ConvTranspose" => {
                only(!node.attributes.contains_key("output_shape"), "the attribute output_shape")?;
                let window = attributes.window()?;
                only(matches!(window.auto_pad, AutoPad::No | AutoPad::Valid), "automatic padding")?;
                Self::Transposed(TransposedSpecification {
                    window,
                    groups: attributes.size("group", Some(1))?,
                    output_padding: attributes.sizes("output_padding")?.unwrap_or_default(),
                })
            }
            "MatMul" => Self::MatMul,
            "Gemm" => Self::Gemm(GeneralProduct {
                alpha: attributes.float("alpha", 1.0)?,
                beta: attributes.float("beta", 1.0)?,
                transposes_first: attributes.flag("transA", false)?,
                transposes_second: attributes.flag("transB", false)?,
            }),
            "BatchNormalization" => {
                only(!attributes.flag("training_mode", false)?, "training")?;
                Self::BatchNormalization { epsilon: epsilon()? }
            }
            "InstanceNormalization" => Self::InstanceNormalization { epsilon: epsilon()? },
            "GroupNormalization" => {
                Self::GroupNormalization { groups: attributes.size("num_groups", None)?, epsilon: epsilon()? }
            }
            "LayerNormalization" => {
                single_output()?;
                Self::LayerNormalization { axis: attributes.integer("axis", -1)?, epsilon: epsilon()? }
            }
            "LRN" => {
                let size = attributes.size("size", None)?;
                only(size > 0, "a size of 0")?;
                Self::LocalResponse(LocalResponse {
                    size,
                    alpha: attributes.float("alpha", 1e-4)?,
                    beta: attributes.float("beta", 0.75)?,
                    bias: attributes.float("bias", 1.0)?,
                })
            }
            "MaxPool" => {
                single_output()?;
                Self::Pool { window: attributes.window()?, pooling: Pooling::Max }
            }
            "AveragePool" => {
                let counts_padding = attributes.flag("count_include_pad", false)?;
                Self::Pool { window: attributes.window()?, pooling: Pooling::Average { counts_padding } }
            }
            "GlobalAveragePool" => Self::GlobalPool(Pooling::Average { counts_padding: false }),
            "GlobalMaxPool" => Self::GlobalPool(Pooling::Max),
            "Softmax" => softmax(false)?,
            "LogSoftmax" => softmax(true)?,
            "ReduceMean" => reduce(Reduction::Mean)?,
            "ReduceSum" => reduce(Reduction::Sum)?,
            "ReduceMax" => reduce(Reduction::Max)?,
            "ReduceMin" => reduce(Reduction::Min)?,
            "ReduceProd" => reduce(Reduction::Prod)?,
            "ReduceL1" => reduce(Reduction::L1)?,
            "ReduceL2" => reduce(Reduction::L2)?,
            "ReduceSumSquare" => reduce(Reduction::SumSquare)?,
            "ArgMax" => extreme(true)?,
            "ArgMin" => extreme(false)?,
            "CumSum" => {
                only(!attributes.flag("exclusive", false)? && !attributes.flag("reverse", false)?, "another order")?;
                Self::CumulativeSum
            }
            "Reshape" => Self::Reshape { keeps_zeros: attributes.flag("allowzero", false)? },
            "Flatten" => Self::Flatten(attributes.integer("axis", 1)?),
            "Transpose" => Self::Transpose(attributes.sizes("perm")?),
            "Squeeze" => Self::Squeeze(attributes.integers("axes")?),
            "Unsqueeze" => Self::Unsqueeze(attributes.integers("axes")?),
            "Slice" => Self::Slice,
            "Concat" => Self::Concat(attributes.integer("axis", 0)?),
            "Split" => Self::Split { axis: attributes.integer("axis", 0)?, sizes: attributes.integers("split")? },
            "Gather" => Self::Gather(attributes.integer("axis", 0)?),
            "Expand" => Self::Expand,
            "Tile" => Self::Tile,
            "Pad" => Self::Pad(match attributes.text("mode", "constant")?.as_str() {
                "constant" => Border::Constant,
                "edge" => Border::Edge,
                "reflect" => Border::Reflect,
                "wrap" => Border::Wrap,
                other => return Err(format!("the attribute mode is {other}, which is not supported")),
            }),
            "DepthToSpace" => Self::DepthToSpace {
                block: attributes.size("blocksize", None)?,
                order: match attributes.text("mode", "DCR")?.as_str() {
                    "DCR" => BlockOrder::DepthColumnRow,
                    "CRD" => BlockOrder::ColumnRowDepth,
                    other => return Err(format!("the attribute mode is {other}, which is not supported")),
                },
            },
            "SpaceToDepth" => {
                only(attributes.text("mode", "DCR")? == "DCR", "another mode than DCR")?;
                Self::SpaceToDepth(attributes.size("blocksize", None)?)
            }
            "Resize" => Self::Resize { resampling: resampling(&attributes)?, axes: attributes.integers("axes")? },
            _ => return Ok(None),
        }))
    }

    /// Whether it is worth and safe to compute the operation once for inputs that never change: its result is no larger
    /// than its inputs, or small.
    pub(super) fn can_be_folded(&self, inputs: &[&Value]) -> bool {
        /// Elements of a result that is always worth keeping.
        const SMALL: usize = 1 << 22;
        let counts: usize = inputs.iter().map(|value| value.count()).sum();
        match self {
            Self::Constant(_) => true,
            Self::Identity
            | Self::Dropout
            | Self::Cast(_)
            | Self::Apply(_)
            | Self::Clip
            | Self::Not
            | Self::Shape { .. }
            | Self::Size
            | Self::Reshape { .. }
            | Self::Flatten(_)
            | Self::Transpose(_)
            | Self::Squeeze(_)
            | Self::Unsqueeze(_)
            | Self::Slice
            | Self::Concat(_)
            | Self::Split { .. }
            | Self::Reduce { .. } => counts <= 1 << 28,
            Self::Gather(_) => {
                let rows = inputs.get(1).map_or(0, |indices| indices.count());
                inputs.first().is_some_and(|value| value.count().saturating_mul(rows.max(1)) <= SMALL)
            }
            Self::Arithmetic(_) | Self::Relate(_) | Self::Where | Self::Several { .. } => {
                let mut shapes = inputs.iter().map(|value| value.shape());
                let joint = shapes.try_fold(Vec::new(), |joint, shape| super::value::broadcast_shape(&joint, shape));
                joint.is_ok_and(|joint| count_of(&joint).is_ok_and(|count| count <= SMALL))
            }
            Self::ConstantOfShape(_) | Self::Expand => {
                let wanted = inputs.last().and_then(|value| value.as_integers().ok());
                let count = wanted.and_then(|wanted| {
                    wanted.values.iter().try_fold(1i64, |count, size| count.checked_mul((*size).max(1)))
                });
                count.is_some_and(|count| (count as u64).saturating_mul(counts as u64) <= SMALL as u64)
            }
            _ => false,
        }
    }

    /// The outputs for inputs.
    pub(super) fn run(&self, mut inputs: Inputs, outputs: usize, workspace: &Workspace) -> Result<Vec<Value>, String> {
        let single = |value: Value| Ok(vec![value]);
        let floats = |floats: Floats| Ok(vec![Value::Floats(floats)]);
        match self {
            Self::Apply(function) => match inputs.owned(0, workspace)? {
                Value::Floats(mut values) => {
                    function.apply(values.stored_mut(), workspace.instructions);
                    floats(values)
                }
                Value::Integers(mut integers) => {
                    function.apply_to_integers(&mut integers.values)?;
                    single(Value::Integers(integers))
                }
                Value::Booleans(_) => Err("the input holds truth values; it must hold numbers".to_owned()),
            },
            Self::Clip => clip(inputs, workspace),
            Self::Arithmetic(operation) => single(operation.apply(inputs.get(0)?, inputs.get(1)?, workspace)?),
            Self::Several { operation, is_mean } => {
                let mut total = inputs.owned(0, workspace)?;
                let count = inputs.0.len();
                for place in 1..count {
                    total = operation.apply(&total, inputs.get(place)?, workspace)?;
                }
                if *is_mean {
                    let count = Value::floats(Vec::new(), vec![count as f32]);
                    total = Arithmetic::Div.apply(&total, &count, workspace)?;
                }
                single(total)
            }
            Self::Relate(relation) => single(relation.apply(inputs.get(0)?, inputs.get(1)?, workspace)?),
            Self::Not => {
                let Dense { shape, values } = inputs.get(0)?.as_booleans()?;
                single(Value::booleans(shape.clone(), values.iter().map(|value| !value).collect()))
            }
            Self::Where => {
                let condition = inputs.get(0)?.as_booleans()?;
                single(elementwise::choose(condition, inputs.get(1)?, inputs.get(2)?, workspace)?)
            }
            Self::Cast(to) => single(cast(inputs.owned(0, workspace)?, *to, workspace)?),
            Self::Constant(value) => single(Value::clone(value)),
            Self::ConstantOfShape(value) => {
                let shape = sizes_of(inputs.integers(0)?)?;
                let count = count_of(&shape)?;
                single(match &**value {
                    Value::Floats(one) => Value::floats(shape, vec![one.stored()[0]; count]),
                    Value::Integers(one) => Value::integers(shape, vec![one.values[0]; count]),
                    Value::Booleans(one) => Value::booleans(shape, vec![one.values[0]; count]),
                })
            }
            Self::Range => single(range(&inputs)?),
            Self::Identity => single(inputs.owned(0, workspace)?),
            Self::Dropout => {
                let trains = inputs.optional(2).map(Value::as_booleans).transpose()?;
                only(trains.is_none_or(|trains| !trains.values.contains(&true)), "training")?;
                single(inputs.owned(0, workspace)?)
            }
            Self::Shape { start, end } => {
                let shape = inputs.get(0)?.shape();
                let rank = shape.len() as i64;
                let place = |at: i64| (if at < 0 { at.saturating_add(rank) } else { at }).clamp(0, rank) as usize;
                let (start, end) = (place(*start), place(*end));
                let part: Vec<i64> = shape[start.min(end)..end].iter().map(|size| *size as i64).collect();
                single(Value::integers(vec![part.len()], part))
            }
            Self::Size => single(Value::integers(Vec::new(), vec![inputs.get(0)?.count() as i64])),
            Self::Convolution(specification) => {
                let weight = ConvolutionWeight::new(inputs.floats(1)?, inputs.optional_floats(2)?, workspace)?;
                let layer = ConvolutionLayer::new(specification.clone(), weight)?;
                floats(layer.run(inputs.floats(0)?, None, false, workspace)?)
            }
            Self::Layer { layer, relu } => {
                floats(layer.run(inputs.floats(0)?, inputs.optional_floats(1)?, *relu, workspace)?)
            }
            Self::Transposed(specification) => {
                let bias = inputs.optional_floats(2)?;
                floats(specification.run(inputs.floats(0)?, inputs.floats(1)?, bias, workspace)?)
            }
            Self::MatMul => floats(matrix_product(inputs.floats(0)?, inputs.floats(1)?, workspace)?),
            Self::Gemm(product) => {
                let addend = inputs.optional_floats(2)?;
                floats(product.run(inputs.floats(0)?, inputs.floats(1)?, addend, workspace)?)
            }
            Self::Linear { layer, product: None } => floats(layer.run(inputs.floats(0)?, workspace)?),
            Self::Linear { layer, product: Some(product) } => {
                floats(product.run_packed(inputs.floats(0)?, layer, workspace)?)
            }
            Self::BatchNormalization { epsilon } => {
                let affine = batch_affine(&|place| inputs.floats(place), *epsilon)?;
                floats(affine.apply(inputs.owned_floats(0, workspace)?, false)?)
            }
            Self::Affine { affine, relu } => floats(affine.apply(inputs.owned_floats(0, workspace)?, *relu)?),
            Self::InstanceNormalization { epsilon } => {
                let values = inputs.owned_floats(0, workspace)?;
                let (scale, bias) = (inputs.floats(1)?.stored(), inputs.floats(2)?.stored());
                floats(normalisation::instance_normalised(values, scale, bias, *epsilon, workspace)?)
            }
            Self::GroupNormalization { groups, epsilon } => {
                let values = inputs.floats(0)?.in_order(workspace).into_owned();
                let (scale, bias) = (inputs.floats(1)?.stored(), inputs.floats(2)?.stored());
                floats(normalisation::group_normalised(values, *groups, scale, bias, *epsilon)?)
            }
            Self::LayerNormalization { axis, epsilon } => {
                let values = inputs.floats(0)?.in_order(workspace).into_owned();
                let bias = inputs.optional_floats(2)?.map(Floats::stored);
                let scale = inputs.floats(1)?.stored();
                floats(normalisation::layer_normalised(values, *axis, scale, bias, *epsilon, workspace)?)
            }
            Self::LocalResponse(response) => floats(response.apply(inputs.floats(0)?, workspace)?),
            Self::Pool { window, pooling } => floats(pooled(inputs.floats(0)?, window, *pooling, workspace)?),
            Self::GlobalPool(pooling) => floats(pooled_globally(inputs.floats(0)?, *pooling, workspace)?),
            Self::Softmax { axis, is_log, flattens } => softmax(&inputs, *axis, *is_log, *flattens, workspace),
            Self::Reduce { reduction, axes, keeps, empty_means_none } => {
                let given = inputs.optional_integers(1)?;
                let axes = Axes {
                    axes: given.map(|axes| axes.values.as_slice()).or(axes.as_deref()),
                    keeps: *keeps,
                    empty_means_none: *empty_means_none,
                };
                single(reduction::reduced(inputs.get(0)?, *reduction, axes, workspace)?)
            }
            Self::Extreme { axis, keeps, takes_last, is_largest } => {
                let (takes_last, is_largest) = (*takes_last, *is_largest);
                let is_better =
                    move |x: f32, best: f32| (if is_largest { x > best } else { x < best }) || takes_last && x == best;
                single(reduction::extreme_place(inputs.get(0)?, *axis, *keeps, is_better, workspace)?)
            }
            Self::CumulativeSum => {
                let axis = inputs.integers(1)?.first().copied().unwrap_or(0);
                floats(reduction::cumulative_sum(inputs.floats(0)?, axis, workspace)?)
            }
            Self::Reshape { keeps_zeros } => {
                let shape = arrangement::wanted_shape(inputs.get(0)?.shape(), inputs.integers(1)?, *keeps_zeros)?;
                single(arrangement::reshaped(inputs.owned(0, workspace)?, shape, workspace)?)
            }
            Self::Flatten(axis) => {
                let shape = inputs.get(0)?.shape();
                let axis = if *axis == shape.len() as i64 { shape.len() } else { axis_of(*axis, shape.len())? };
                let shape = vec![shape[..axis].iter().product(), shape[axis..].iter().product()];
                single(arrangement::reshaped(inputs.owned(0, workspace)?, shape, workspace)?)
            }
            Self::Transpose(order) => {
                let value = inputs.get(0)?;
                let reversed: Vec<usize> = (0..value.shape().len()).rev().collect();
                single(arrangement::transposed(value, order.as_deref().unwrap_or(&reversed), workspace)?)
            }
            Self::Squeeze(axes) => {
                let shape = inputs.get(0)?.shape();
                let given = inputs.optional_integers(1)?.map(|axes| axes.values.clone()).or_else(|| axes.clone());
                let rank = shape.len();
                let gone: Vec<usize> = match given {
                    Some(axes) => axes.iter().map(|axis| axis_of(*axis, rank)).collect::<Result<_, _>>()?,
                    None => (0..rank).filter(|axis| shape[*axis] == 1).collect(),
                };
                if let Some(axis) = gone.iter().find(|axis| shape[**axis] != 1) {
                    return Err(format!("dimension {axis} of the shape {shape:?} is not 1"));
                }
                let shape = (0..rank).filter(|axis| !gone.contains(axis)).map(|axis| shape[axis]).collect();
                single(arrangement::reshaped(inputs.owned(0, workspace)?, shape, workspace)?)
            }
            Self::Unsqueeze(axes) => {
                let given = inputs.optional_integers(1)?.map(|axes| axes.values.clone()).or_else(|| axes.clone());
                let axes = given.ok_or("axes are missing")?;
                let mut sizes = inputs.get(0)?.shape().iter();
                let rank = sizes.len() + axes.len();
                let new = axes.iter().map(|axis| axis_of(*axis, rank)).collect::<Result<Vec<_>, _>>()?;
                let size = |axis: usize| if new.contains(&axis) { Some(1) } else { sizes.next().copied() };
                let shape = (0..rank).map(size).collect::<Option<Vec<_>>>().ok_or("an axis is named twice")?;
                single(arrangement::reshaped(inputs.owned(0, workspace)?, shape, workspace)?)
            }
            Self::Slice => single(slice(&inputs, workspace)?),
            Self::Concat(axis) => {
                let values = (0..inputs.0.len()).map(|place| inputs.get(place)).collect::<Result<Vec<_>, _>>()?;
                single(arrangement::concatenated(&values, *axis, workspace)?)
            }
            Self::Split { axis, sizes } => split(&inputs, *axis, sizes.as_deref(), outputs, workspace),
            Self::Gather(axis) => {
                single(arrangement::gathered(inputs.get(0)?, inputs.get(1)?.as_integers()?, *axis, workspace)?)
            }
            Self::Expand => single(arrangement::expanded(inputs.get(0)?, &sizes_of(inputs.integers(1)?)?, workspace)?),
            Self::Tile => single(arrangement::tiled(inputs.get(0)?, &sizes_of(inputs.integers(1)?)?, workspace)?),
            Self::Pad(border) => floats(pad(&inputs, *border, workspace)?),
            Self::DepthToSpace { block, order } => {
                single(arrangement::depth_to_space(inputs.get(0)?, *block, *order, workspace)?)
            }
            Self::SpaceToDepth(block) => single(arrangement::space_to_depth(inputs.get(0)?, *block, workspace)?),
            Self::Resize { resampling, axes } => floats(resize(&inputs, resampling, axes.as_deref(), workspace)?),
        }
    }
}

/// The inputs of a step; those that are left out are `None`.
pub(super) struct Inputs(pub(super) Vec<Option<Arc<Value>>>);

impl Inputs {
    fn optional(&self, place: usize) -> Option<&Value> {
        self.0.get(place).and_then(Option::as_deref)
    }

    fn get(&self, place: usize) -> Result<&Value, String> {
        self.optional(place).ok_or_else(|| format!("input {place} is missing"))
    }

    fn floats(&self, place: usize) -> Result<&Floats, String> {
        self.get(place)?.as_floats()
    }

    fn optional_floats(&self, place: usize) -> Result<Option<&Floats>, String> {
        self.optional(place).map(Value::as_floats).transpose()
    }

    fn integers(&self, place: usize) -> Result<&[i64], String> {
        Ok(&self.get(place)?.as_integers()?.values)
    }

    fn optional_integers(&self, place: usize) -> Result<Option<&Dense<i64>>, String> {
        self.optional(place).map(Value::as_integers).transpose()
    }

    /// The value itself where nothing else holds it, else a copy.
    fn owned(&mut self, place: usize, workspace: &Workspace) -> Result<Value, String> {
        let value = self.0.get_mut(place).and_then(Option::take).ok_or_else(|| format!("input {place} is missing"))?;
        Ok(Arc::try_unwrap(value).unwrap_or_else(|shared| match &*shared {
            Value::Floats(floats) => Value::Floats(floats.copied(workspace)),
            other => other.clone(),
        }))
    }

    fn owned_floats(&mut self, place: usize, workspace: &Workspace) -> Result<Floats, String> {
        match self.owned(place, workspace)? {
            Value::Floats(floats) => Ok(floats),
            other => Err(format!("an input holds {}; it must hold floating-point numbers", other.kind())),
        }
    }
}

/// What a batch normalisation does, by its inputs 1 to 4.
pub(super) fn batch_affine<'a>(
    input: &dyn Fn(usize) -> Result<&'a Floats, String>,
    epsilon: f32,
) -> Result<ChannelAffine, String> {
    let statistics = BatchStatistics {
        scale: input(1)?.stored(),
        bias: input(2)?.stored(),
        mean: input(3)?.stored(),
        variance: input(4)?.stored(),
    };
    ChannelAffine::of_statistics(statistics, epsilon)
}

fn constant(node: &ModelNode) -> Result<Arc<Value>, String> {
    let (name, attribute) = node.attributes.iter().next().ok_or("the value is missing")?;
    Ok(match (name.as_str(), attribute) {
        ("value", Attribute::Tensor(value)) => Arc::clone(value),
        ("value_float", Attribute::Float(value)) => Arc::new(Value::floats(Vec::new(), vec![*value])),
        ("value_floats", Attribute::Floats(values)) => Arc::new(Value::floats(vec![values.len()], values.clone())),
        ("value_int", Attribute::Integer(value)) => Arc::new(Value::integers(Vec::new(), vec![*value])),
        ("value_ints", Attribute::Integers(values)) => Arc::new(Value::integers(vec![values.len()], values.clone())),
        (name, _) => return Err(format!("the attribute {name} is not supported")),
    })
}

fn is_cast_target(to: i64) -> bool {
    use element::{BOOL, FLOAT, INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32};
    [FLOAT, UINT8, INT8, UINT16, INT16, INT32, INT64, BOOL, UINT32].contains(&to)
}

fn cast(value: Value, to: i64, workspace: &Workspace) -> Result<Value, String> {
    let shape = value.shape().to_vec();
    let plain = |floats: &Floats| floats.in_order(workspace).stored().to_vec();
    let integer: fn(i64) -> i64 = match to {
        element::INT8 => |x| i64::from(x as i8),
        element::UINT8 => |x| i64::from(x as u8),
        element::INT16 => |x| i64::from(x as i16),
        element::UINT16 => |x| i64::from(x as u16),
        element::INT32 => |x| i64::from(x as i32),
        element::UINT32 => |x| i64::from(x as u32),
        _ => |x| x,
    };
    Ok(match (value, to) {
        (Value::Floats(floats), element::FLOAT) => Value::Floats(floats),
        (Value::Floats(floats), element::BOOL) => {
            Value::booleans(shape, plain(&floats).iter().map(|x| *x != 0.0).collect())
        }
        (Value::Floats(floats), _) => {
            Value::integers(shape, plain(&floats).iter().map(|x| integer(*x as i64)).collect())
        }
        (Value::Integers(dense), element::FLOAT) => {
            Value::floats(shape, dense.values.iter().map(|x| *x as f32).collect())
        }
        (Value::Integers(dense), element::BOOL) => {
            Value::booleans(shape, dense.values.iter().map(|x| *x != 0).collect())
        }
        (Value::Integers(dense), _) => Value::integers(shape, dense.values.into_iter().map(integer).collect()),
        (Value::Booleans(dense), element::FLOAT) => {
            Value::floats(shape, dense.values.iter().map(|x| f32::from(u8::from(*x))).collect())
        }
        (Value::Booleans(dense), element::BOOL) => Value::Booleans(dense),
        (Value::Booleans(dense), _) => Value::integers(shape, dense.values.iter().map(|x| i64::from(*x)).collect()),
    })
}

/// Bounds that are left out do not bind.
fn clip(mut inputs: Inputs, workspace: &Workspace) -> Result<Vec<Value>, String> {
    if let Value::Integers(_) = inputs.get(0)? {
        let bound = |place: usize, otherwise: i64| -> Result<i64, String> {
            Ok(inputs.optional_integers(place)?.and_then(|bound| bound.values.first().copied()).unwrap_or(otherwise))
        };
        let (low, high) = (bound(1, i64::MIN)?, bound(2, i64::MAX)?);
        let Dense { shape, values } = inputs.get(0)?.as_integers()?;
        return Ok(vec![Value::integers(shape.clone(), values.iter().map(|x| (*x).max(low).min(high)).collect())]);
    }
    let bound = |place: usize, otherwise: f32| -> Result<f32, String> {
        Ok(inputs.optional_floats(place)?.and_then(|bound| bound.stored().first().copied()).unwrap_or(otherwise))
    };
    let function = Function::Clip { low: bound(1, f32::NEG_INFINITY)?, high: bound(2, f32::INFINITY)? };
    let mut values = inputs.owned_floats(0, workspace)?;
    function.apply(values.stored_mut(), workspace.instructions);
    Ok(vec![Value::Floats(values)])
}

fn sizes_of(values: &[i64]) -> Result<Vec<usize>, String> {
    let sizes: Option<Vec<usize>> = values.iter().map(|value| usize::try_from(*value).ok()).collect();
    let sizes = sizes.ok_or_else(|| format!("the shape is {values:?}; sizes must not be negative"))?;
    count_of(&sizes)?;
    Ok(sizes)
}

fn range(inputs: &Inputs) -> Result<Value, String> {
    let count = |count: f64| -> Result<usize, String> {
        let count = if count.is_finite() { count.max(0.0) } else { f64::MAX };
        count_of(&[count as usize])
    };
    if let Value::Integers(_) = inputs.get(0)? {
        let at = |place: usize| inputs.integers(place)?.first().copied().ok_or_else(|| "an input is empty".to_owned());
        let (start, limit, step) = (at(0)?, at(1)?, at(2)?);
        if step == 0 {
            return Err("the step is 0".to_owned());
        }
        let count = count(((limit as f64 - start as f64) / step as f64).ceil())?;
        return Ok(Value::integers(
            vec![count],
            (0..count as i64).map(|i| start.wrapping_add(i.wrapping_mul(step))).collect(),
        ));
    }
    let at =
        |place: usize| inputs.floats(place)?.stored().first().copied().ok_or_else(|| "an input is empty".to_owned());
    let (start, limit, step) = (at(0)?, at(1)?, at(2)?);
    let count = count(((f64::from(limit) - f64::from(start)) / f64::from(step)).ceil())?;
    Ok(Value::floats(vec![count], (0..count).map(|i| start + i as f32 * step).collect()))
}

/// Before operator set 13 everything from the axis on was one dimension.
fn softmax(
    inputs: &Inputs,
    axis: i64,
    is_log: bool,
    flattens: bool,
    workspace: &Workspace,
) -> Result<Vec<Value>, String> {
    let input = inputs.floats(0)?;
    let shape = input.shape().to_vec();
    if !flattens {
        return Ok(vec![Value::Floats(reduction::softmax(input, axis, is_log, workspace)?)]);
    }
    let axis = axis_of(axis, shape.len())?;
    let flat = vec![shape[..axis].iter().product(), shape[axis..].iter().product()];
    let value = Value::Floats(input.in_order(workspace).into_owned());
    let flat = arrangement::reshaped(value, flat, workspace)?;
    let result = reduction::softmax(flat.as_floats()?, 1, is_log, workspace)?;
    Ok(vec![arrangement::reshaped(Value::Floats(result), shape, workspace)?])
}

fn slice(inputs: &Inputs, workspace: &Workspace) -> Result<Value, String> {
    let value = inputs.get(0)?;
    let (starts, ends) = (inputs.integers(1)?, inputs.integers(2)?);
    let axes = inputs.optional_integers(3)?.map(|axes| axes.values.as_slice());
    let steps = inputs.optional_integers(4)?.map(|steps| steps.values.as_slice());
    let fits = |values: Option<&[i64]>| values.is_none_or(|values| values.len() == starts.len());
    if ends.len() != starts.len() || !fits(axes) || !fits(steps) {
        return Err("starts, ends, axes and steps have different lengths".to_owned());
    }
    let mut ranges: Vec<Range> = Vec::with_capacity(starts.len());
    for place in 0..starts.len() {
        let axis = axis_of(axes.map_or(place as i64, |axes| axes[place]), value.shape().len())?;
        if ranges.iter().any(|range| range.axis == axis) {
            return Err(format!("axis {axis} is named twice"));
        }
        let step = steps.map_or(1, |steps| steps[place]);
        ranges.push(Range { axis, start: starts[place], end: ends[place], step });
    }
    arrangement::sliced(value, &ranges, workspace)
}

fn split(
    inputs: &Inputs,
    axis: i64,
    sizes: Option<&[i64]>,
    outputs: usize,
    workspace: &Workspace,
) -> Result<Vec<Value>, String> {
    let value = inputs.get(0)?;
    let axis = axis_of(axis, value.shape().len())?;
    let whole = value.shape()[axis];
    let given = inputs.optional_integers(1)?.map(|sizes| sizes.values.as_slice()).or(sizes);
    let sizes: Vec<usize> = match given {
        Some(sizes) => {
            let sizes: Option<Vec<usize>> = sizes.iter().map(|size| usize::try_from(*size).ok()).collect();
            sizes.filter(|sizes| sizes.iter().all(|size| *size <= whole)).ok_or("a part is larger than the whole")?
        }
        None => {
            let each = whole.div_ceil(outputs.max(1));
            (0..outputs).map(|place| each.min(whole.saturating_sub(place * each))).collect()
        }
    };
    if sizes.iter().sum::<usize>() != whole || sizes.len() != outputs {
        return Err(format!("the parts are {sizes:?} of {whole} elements for {outputs} outputs"));
    }
    let mut start = 0;
    sizes
        .iter()
        .map(|size| {
            let (from, to) = (start, start + *size as i64);
            start = to;
            arrangement::sliced(value, &[Range { axis, start: from, end: to, step: 1 }], workspace)
        })
        .collect()
}

fn pad(inputs: &Inputs, border: Border, workspace: &Workspace) -> Result<Floats, String> {
    let floats = inputs.floats(0)?;
    let rank = floats.shape().len();
    let pads = inputs.integers(1)?;
    let value = match inputs.optional(2) {
        Some(value) => value.as_floats()?.stored().first().copied().unwrap_or(0.0),
        None => 0.0,
    };
    let axes: Vec<usize> = match inputs.optional_integers(3)? {
        Some(axes) => axes.values.iter().map(|axis| axis_of(*axis, rank)).collect::<Result<_, _>>()?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(format!("{} pads for {} dimensions", pads.len(), axes.len()));
    }
    let mut before_and_after = vec![(0, 0); rank];
    for (place, axis) in axes.iter().enumerate() {
        before_and_after[*axis] = (pads[place], pads[axes.len() + place]);
    }
    arrangement::padded(floats, &before_and_after, border, value, workspace)
}

fn resampling(attributes: &Attributes<'_>) -> Result<Resampling, String> {
    only(!attributes.flag("antialias", false)?, "antialiasing")?;
    let policy = attributes.text("keep_aspect_ratio_policy", "stretch")?;
    only(policy == "stretch", &format!("the policy {policy} of aspect ratios"))?;
    let unknown = |name: &str, value: &str| format!("the attribute {name} is {value}, which is not supported");
    let coordinates = match attributes.text("coordinate_transformation_mode", "half_pixel")?.as_str() {
        "half_pixel" => Coordinates::HalfPixel,
        "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
        "align_corners" => Coordinates::AlignCorners,
        "asymmetric" => Coordinates::Asymmetric,
        other => return Err(unknown("coordinate_transformation_mode", other)),
    };
    let interpolation = match attributes.text("mode", "nearest")?.as_str() {
        "nearest" => Interpolation::Nearest(match attributes.text("nearest_mode", "round_prefer_floor")?.as_str() {
            "round_prefer_floor" => Nearest::RoundPreferFloor,
            "round_prefer_ceil" => Nearest::RoundPreferCeil,
            "floor" => Nearest::Floor,
            "ceil" => Nearest::Ceil,
            other => return Err(unknown("nearest_mode", other)),
        }),
        "linear" => Interpolation::Linear,
        "cubic" => Interpolation::Cubic {
            a: attributes.float("cubic_coeff_a", -0.75)?,
            excludes_outside: attributes.flag("exclude_outside", false)?,
        },
        other => return Err(unknown("mode", other)),
    };
    Ok(Resampling { interpolation, coordinates })
}

fn resize(
    inputs: &Inputs,
    resampling: &Resampling,
    axes: Option<&[i64]>,
    workspace: &Workspace,
) -> Result<Floats, String> {
    let floats = inputs.floats(0)?;
    let shape = floats.shape();
    let axes: Vec<usize> = match axes {
        Some(axes) => axes.iter().map(|axis| axis_of(*axis, shape.len())).collect::<Result<_, _>>()?,
        None => (0..shape.len()).collect(),
    };
    let (mut sizes, mut scales) = (shape.to_vec(), vec![1.0; shape.len()]);
    let given = inputs.optional_integers(3)?.filter(|sizes| !sizes.values.is_empty());
    let factors = inputs.optional_floats(2)?.map(Floats::stored).filter(|scales| !scales.is_empty());
    match (given, factors) {
        (Some(given), _) if given.values.len() == axes.len() => {
            for (axis, size) in axes.iter().zip(sizes_of(&given.values)?) {
                (sizes[*axis], scales[*axis]) = (size, size as f64 / shape[*axis] as f64);
            }
        }
        (None, Some(factors)) if factors.len() == axes.len() => {
            for (axis, factor) in axes.iter().zip(factors) {
                let factor = f64::from(*factor);
                if !(factor.is_finite() && factor > 0.0) {
                    return Err(format!("a scale is {factor}; it must be finite and above 0"));
                }
                let size = (shape[*axis] as f64 * factor).floor();
                (sizes[*axis], scales[*axis]) = (size as usize, factor);
            }
        }
        _ => return Err("sizes or scales must be given, one for each dimension".to_owned()),
    }
    resampling.apply(floats, &sizes, &scales, workspace)
}
