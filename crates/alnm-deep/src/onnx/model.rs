//! The messages of an ONNX file as far as a network needs them.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};
use std::sync::Arc;

use super::protobuf::{Content, Field, Fields, Reason};
use super::value::{Value, count_of};
use crate::half_precision::{from_bfloat16, from_binary16};

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) opset: i64,
    pub(super) nodes: Vec<ModelNode>,
    pub(super) initializers: HashMap<String, Arc<Value>>,
    pub(super) inputs: Vec<Port>,
    pub(super) outputs: Vec<String>,
}

/// An input of the network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) element: i64,
    /// Sizes of the dimensions, absent where the file leaves them open; `None` where it does not say how many there
    /// are.
    pub(super) shape: Option<Vec<Option<usize>>>,
}

/// An operation as the file names it.
#[derive(Debug, Default)]
pub(super) struct ModelNode {
    pub(super) name: String,
    pub(super) operator: String,
    pub(super) domain: String,
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<String>,
    pub(super) attributes: BTreeMap<String, Attribute>,
}

/// The value of an attribute.
#[derive(Debug, Clone)]
pub(super) enum Attribute {
    Float(f32),
    Integer(i64),
    Text(String),
    Floats(Vec<f32>),
    Integers(Vec<i64>),
    Tensor(Arc<Value>),
    /// A graph or another value that no operator here takes.
    Other,
}

/// Element types of ONNX (`TensorProto.DataType`).
pub(super) mod element {
    pub(in crate::onnx) const FLOAT: i64 = 1;
    pub(in crate::onnx) const UINT8: i64 = 2;
    pub(in crate::onnx) const INT8: i64 = 3;
    pub(in crate::onnx) const UINT16: i64 = 4;
    pub(in crate::onnx) const INT16: i64 = 5;
    pub(in crate::onnx) const INT32: i64 = 6;
    pub(in crate::onnx) const INT64: i64 = 7;
    pub(in crate::onnx) const BOOL: i64 = 9;
    pub(in crate::onnx) const FLOAT16: i64 = 10;
    pub(in crate::onnx) const UINT32: i64 = 12;
    pub(in crate::onnx) const BFLOAT16: i64 = 16;
}

/// The name of an element type, as ONNX writes it.
pub(super) fn element_name(element: i64) -> String {
    const NAMES: [&str; 17] = [
        "UNDEFINED",
        "FLOAT",
        "UINT8",
        "INT8",
        "UINT16",
        "INT16",
        "INT32",
        "INT64",
        "STRING",
        "BOOL",
        "FLOAT16",
        "DOUBLE",
        "UINT32",
        "UINT64",
        "COMPLEX64",
        "COMPLEX128",
        "BFLOAT16",
    ];
    let name = usize::try_from(element).ok().and_then(|place| NAMES.get(place));
    name.map_or_else(|| format!("number {element}"), |name| (*name).to_owned())
}

impl Model {
    /// Reads a model; `folder` holds the files that its tensors may lie in.
    pub(super) fn read(bytes: &[u8], folder: Option<&Path>) -> Result<Self, String> {
        let mut model = Self::default();
        let mut graph = None;
        for field in Fields::of(bytes) {
            let Field { number, content } =
                field.map_err(|reason| format!("the file is no ONNX model or damaged: {reason}"))?;
            match number {
                7 => graph = Some(content.bytes()?),
                8 => {
                    let (domain, version) = operator_set(content.bytes()?)?;
                    if domain.is_empty() || domain == "ai.onnx" {
                        model.opset = version;
                    }
                }
                _ => {}
            }
        }
        let graph = graph.ok_or("the file is no ONNX model: it has no graph")?;
        if !(11..=22).contains(&model.opset) {
            return Err(format!("the operator set is {}; versions 11 to 22 are read", model.opset));
        }
        for field in Fields::of(graph) {
            let Field { number, content } = field?;
            match number {
                1 => model.nodes.push(ModelNode::read(content.bytes()?, folder)?),
                5 => {
                    let (name, value) = tensor(content.bytes()?, folder)?;
                    model.initializers.insert(name, Arc::new(value));
                }
                11 => model.inputs.push(Port::read(content.bytes()?)?),
                12 => model.outputs.push(Port::read(content.bytes()?)?.name),
                15 => return Err("the model has sparse initializers, which are not supported".to_owned()),
                _ => {}
            }
        }
        // Before version 4 of the format initializers were inputs too.
        let Self { inputs, initializers, .. } = &mut model;
        inputs.retain(|input| !initializers.contains_key(&input.name));
        Ok(model)
    }
}

fn operator_set(message: &[u8]) -> Result<(&str, i64), Reason> {
    let (mut domain, mut version) = ("", 0);
    for field in Fields::of(message) {
        let Field { number, content } = field?;
        match number {
            1 => domain = content.text()?,
            2 => version = content.integer()?,
            _ => {}
        }
    }
    Ok((domain, version))
}

impl ModelNode {
    fn read(message: &[u8], folder: Option<&Path>) -> Result<Self, String> {
        let mut node = Self::default();
        for field in Fields::of(message) {
            let Field { number, content } = field?;
            match number {
                1 => node.inputs.push(content.text()?.to_owned()),
                2 => node.outputs.push(content.text()?.to_owned()),
                3 => content.text()?.clone_into(&mut node.name),
                4 => content.text()?.clone_into(&mut node.operator),
                5 => {
                    let (name, attribute) = attribute(content.bytes()?, folder)?;
                    node.attributes.insert(name, attribute);
                }
                7 => content.text()?.clone_into(&mut node.domain),
                _ => {}
            }
        }
        Ok(node)
    }

    /// How an error names the node: its operator and its name, or its first output where it has none.
    pub(super) fn title(&self) -> String {
        let name = if self.name.is_empty() { self.outputs.first().map_or("", String::as_str) } else { &self.name };
        let domain = if self.domain.is_empty() { String::new() } else { format!("{}.", self.domain) };
        format!("{domain}{} \"{name}\"", self.operator)
    }
}

impl Port {
    fn read(message: &[u8]) -> Result<Self, String> {
        let mut port = Self::default();
        for field in Fields::of(message) {
            let Field { number, content } = field?;
            match number {
                1 => content.text()?.clone_into(&mut port.name),
                2 => {
                    for field in Fields::of(content.bytes()?) {
                        let field = field?;
                        // Only tensors are of use here; other types keep no shape.
                        if field.number == 1 {
                            port.read_tensor_type(field.content.bytes()?)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(port)
    }

    fn read_tensor_type(&mut self, message: &[u8]) -> Result<(), String> {
        for field in Fields::of(message) {
            let Field { number, content } = field?;
            match number {
                1 => self.element = content.integer()?,
                2 => {
                    let mut shape = Vec::new();
                    for dimension in Fields::of(content.bytes()?) {
                        let mut size = None;
                        for field in Fields::of(dimension?.content.bytes()?) {
                            let field = field?;
                            if field.number == 1 {
                                size = usize::try_from(field.content.integer()?).ok().filter(|size| *size > 0);
                            }
                        }
                        shape.push(size);
                    }
                    self.shape = Some(shape);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn attribute(message: &[u8], folder: Option<&Path>) -> Result<(String, Attribute), String> {
    let (mut name, mut kind) = (String::new(), 0);
    let (mut float, mut integer, mut text, mut value) = (0.0, 0, String::new(), None);
    let (mut floats, mut integers) = (Vec::new(), Vec::new());
    for field in Fields::of(message) {
        let Field { number, content } = field?;
        match number {
            1 => content.text()?.clone_into(&mut name),
            2 => float = content.float()?,
            3 => integer = content.integer()?,
            4 => text = String::from_utf8_lossy(content.bytes()?).into_owned(),
            5 => value = Some(tensor(content.bytes()?, folder)?.1),
            7 => content.append_floats(&mut floats)?,
            8 => content.append_integers(&mut integers)?,
            20 => kind = content.integer()?,
            21 => return Err(format!("the attribute {name} refers to a function, which is not supported")),
            _ => {}
        }
    }
    let attribute = match (kind, value) {
        (1, _) => Attribute::Float(float),
        (2, _) => Attribute::Integer(integer),
        (3, _) => Attribute::Text(text),
        (4, Some(value)) => Attribute::Tensor(Arc::new(value)),
        (6, _) => Attribute::Floats(floats),
        (7, _) => Attribute::Integers(integers),
        _ => Attribute::Other,
    };
    Ok((name, attribute))
}

/// The name and the value of a tensor.
pub(super) fn tensor(message: &[u8], folder: Option<&Path>) -> Result<(String, Value), String> {
    let (mut name, mut kind, mut raw, mut is_external) = (String::new(), 0, None, false);
    let (mut dimensions, mut floats, mut integers) = (Vec::new(), Vec::new(), Vec::new());
    let mut place = HashMap::new();
    for field in Fields::of(message) {
        let Field { number, content } = field?;
        match number {
            1 => content.append_integers(&mut dimensions)?,
            2 => kind = content.integer()?,
            4 => content.append_floats(&mut floats)?,
            5 | 7 | 11 => content.append_integers(&mut integers)?,
            8 => content.text()?.clone_into(&mut name),
            9 => raw = Some(content.bytes()?),
            13 => {
                let (key, value) = entry(content)?;
                place.insert(key, value);
            }
            14 => is_external = content.integer()? == 1,
            _ => {}
        }
    }
    let shape: Option<Vec<usize>> = dimensions.iter().map(|size| usize::try_from(*size).ok()).collect();
    let shape = shape.ok_or_else(|| format!("the tensor {name} has a negative size: {dimensions:?}"))?;
    let count = count_of(&shape).map_err(|reason| format!("the tensor {name}: {reason}"))?;
    let width = match kind {
        element::FLOAT | element::INT32 | element::UINT32 => 4,
        element::INT64 => 8,
        element::FLOAT16 | element::BFLOAT16 | element::INT16 | element::UINT16 => 2,
        element::INT8 | element::UINT8 | element::BOOL => 1,
        other => {
            let known = "FLOAT, FLOAT16, BFLOAT16, BOOL and integers of up to 64 bits are read";
            return Err(format!("the tensor {name} holds {}; {known}", element_name(other)));
        }
    };
    let outside;
    if is_external {
        outside = external(&place, count * width, folder).map_err(|reason| format!("the tensor {name}: {reason}"))?;
        raw = Some(&outside);
    }
    let value = match raw {
        Some(bytes) if bytes.len() != count * width => {
            return Err(format!(
                "the tensor {name} has {} bytes; its shape {shape:?} takes {}",
                bytes.len(),
                count * width
            ));
        }
        Some(bytes) => from_bytes(kind, shape, bytes),
        None => from_numbers(kind, shape, floats, integers),
    };
    value
        .filter(|value| value.count() == count)
        .map(|value| (name.clone(), value))
        .ok_or_else(|| format!("the tensor {name} holds another number of values than its shape {dimensions:?} takes"))
}

fn entry(content: Content<'_>) -> Result<(String, String), Reason> {
    let (mut key, mut value) = (String::new(), String::new());
    for field in Fields::of(content.bytes()?) {
        let Field { number, content } = field?;
        match number {
            1 => content.text()?.clone_into(&mut key),
            2 => content.text()?.clone_into(&mut value),
            _ => {}
        }
    }
    Ok((key, value))
}

/// The bytes of a tensor that lies in a file of its own beside the model.
fn external(place: &HashMap<String, String>, size: usize, folder: Option<&Path>) -> Result<Vec<u8>, String> {
    let location = place.get("location").ok_or("its values lie in another file that is not named")?;
    let folder = folder.ok_or_else(|| format!("its values lie in the file {location}; open the model by its path"))?;
    let path = Path::new(location);
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(format!("its values lie in {location}; a file beside the model is what is read"));
    }
    let number = |key: &str| -> Result<u64, String> {
        place
            .get(key)
            .map_or(Ok(0), |text| text.parse().map_err(|_| format!("its {key} is {text}; it must be a number")))
    };
    let (offset, length) = (number("offset")?, number("length")?);
    if place.contains_key("length") && length != size as u64 {
        return Err(format!("{location} holds {length} bytes of it; its shape takes {size}"));
    }
    let path = folder.join(path);
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = fs::File::open(&path).map_err(failed)?;
    let available = file.metadata().map_err(failed)?.len();
    if offset.checked_add(size as u64).is_none_or(|end| end > available) {
        return Err(format!("{location} ends after {available} bytes; {size} bytes from {offset} on are needed"));
    }
    let mut bytes = vec![0; size];
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    file.read_exact(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn from_bytes(kind: i64, shape: Vec<usize>, bytes: &[u8]) -> Option<Value> {
    fn integers<const N: usize>(bytes: &[u8], of: impl Fn([u8; N]) -> i64) -> Vec<i64> {
        bytes.as_chunks::<N>().0.iter().map(|bytes| of(*bytes)).collect()
    }
    Some(match kind {
        element::FLOAT => {
            Value::floats(shape, bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
        }
        element::FLOAT16 => Value::floats(shape, from_binary16(bytes)),
        element::BFLOAT16 => Value::floats(shape, from_bfloat16(bytes)),
        element::BOOL => Value::booleans(shape, bytes.iter().map(|byte| *byte != 0).collect()),
        element::INT8 => Value::integers(shape, integers(bytes, |b| i64::from(i8::from_le_bytes(b)))),
        element::UINT8 => Value::integers(shape, integers(bytes, |[b]| i64::from(b))),
        element::INT16 => Value::integers(shape, integers(bytes, |b| i64::from(i16::from_le_bytes(b)))),
        element::UINT16 => Value::integers(shape, integers(bytes, |b| i64::from(u16::from_le_bytes(b)))),
        element::INT32 => Value::integers(shape, integers(bytes, |b| i64::from(i32::from_le_bytes(b)))),
        element::UINT32 => Value::integers(shape, integers(bytes, |b| i64::from(u32::from_le_bytes(b)))),
        element::INT64 => Value::integers(shape, integers(bytes, i64::from_le_bytes)),
        _ => return None,
    })
}

/// The values of the fields for numbers; those of 16 bits stand there as their bits.
fn from_numbers(kind: i64, shape: Vec<usize>, floats: Vec<f32>, integers: Vec<i64>) -> Option<Value> {
    let bits = || integers.iter().flat_map(|bits| (*bits as u16).to_le_bytes()).collect::<Vec<u8>>();
    Some(match kind {
        element::FLOAT => Value::floats(shape, floats),
        element::FLOAT16 => Value::floats(shape, from_binary16(&bits())),
        element::BFLOAT16 => Value::floats(shape, from_bfloat16(&bits())),
        element::BOOL => Value::booleans(shape, integers.iter().map(|value| *value != 0).collect()),
        _ => Value::integers(shape, integers),
    })
}
