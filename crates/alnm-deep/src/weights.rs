//! Weights from and to files, under torchvision's names.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::io::Read;
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::Dtype;
use safetensors::{SafeTensors, View};

use crate::backbone::Backbone;
use crate::error::{DeepError, Result};
use crate::graph::{ParameterSpecification, Role};
use crate::network::{Head, Initialisation, Network};
use crate::preparation::Preparation;
use crate::pth;

/// Larger weight files are refused before they are read.
pub const MAXIMUM_FILE_BYTES: u64 = 4 << 30;

/// A tensor in PyTorch's layout.
#[derive(Debug, Clone, PartialEq)]
pub struct StateTensor {
    /// Sizes of its dimensions; convolution weights are (output, input, row, column).
    pub shape: Vec<usize>,
    /// Values in C order.
    pub values: Vec<f32>,
}

/// Parameters and running statistics by torchvision's names.
pub type StateDict = BTreeMap<String, StateTensor>;

/// How well a set of weights fits a network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WeightReport {
    /// Names that the network has and the file lacks.
    pub missing: Vec<String>,
    /// Names that the file has and the network lacks.
    pub unexpected: Vec<String>,
    /// Name, shape in the network, shape in the file.
    pub wrong_shape: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl WeightReport {
    fn names(formatter: &mut fmt::Formatter<'_>, what: &str, names: &[String]) -> fmt::Result {
        let shown = names.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if names.len() > 3 { ", ..." } else { "" };
        write!(formatter, "{} {what} ({shown}{more})", names.len())
    }
}

impl fmt::Display for WeightReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::names(formatter, "missing", &self.missing)?;
        formatter.write_str(", ")?;
        Self::names(formatter, "unexpected", &self.unexpected)?;
        write!(formatter, ", {} of a wrong shape", self.wrong_shape.len())?;
        match self.wrong_shape.first() {
            Some((name, expected, got)) => write!(formatter, " ({name}: expected {expected:?}, got {got:?})"),
            None => Ok(()),
        }
    }
}

impl Network {
    /// Replaces the backbone's parameters by those of a safetensors file or a PyTorch `.pth` (zip) file with
    /// torchvision's names; the head keeps its values where the file has none. Nothing in a pickle is executed.
    ///
    /// # Errors
    /// As [`read_state_dict`]; [`DeepError::WeightMismatch`] when a tensor is missing, unexpected or of another shape,
    /// in which case nothing is replaced.
    pub fn load_weights(&mut self, path: &Path) -> Result<()> {
        let stored = read_state_dict(path)?;
        self.assign(stored, |name| name.starts_with("head."))
    }

    /// Writes all parameters and running statistics, with the backbone's name and the preparation of images, as a
    /// safetensors file.
    ///
    /// # Errors
    /// [`DeepError::WeightFile`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.save_with(path, [])
    }

    /// [`Network::save`] with more fields in the file's metadata.
    pub(crate) fn save_with<const N: usize>(&self, path: &Path, more: [(&str, String); N]) -> Result<()> {
        let preparation = serde_json::to_string(&self.preparation).expect("numbers are written as JSON");
        let fields = [
            ("format", "alnm-deep/1".to_owned()),
            ("backbone", self.backbone.name().to_owned()),
            ("head", if self.head == Head::Logit { "logit" } else { "none" }.to_owned()),
            ("preparation", preparation),
        ];
        let metadata = fields.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value)).collect();
        write_tensors(path, &self.state_dict(), metadata)
    }

    /// Reads a network that [`Network::save`] wrote, to the same bits.
    ///
    /// # Errors
    /// [`DeepError::WeightFile`] when the file was not written by [`Network::save`] or is damaged.
    pub fn load(path: &Path) -> Result<Self> {
        Ok(Self::load_with_metadata(path)?.0)
    }

    /// [`Network::load`] and all fields of the file's metadata.
    pub(crate) fn load_with_metadata(path: &Path) -> Result<(Self, HashMap<String, String>)> {
        let (tensors, metadata) = read_safetensors(path)?;
        let value = |key: &str| {
            metadata
                .get(key)
                .map(String::as_str)
                .ok_or_else(|| file_error(path, &format!("no `{key}` in its metadata")))
        };
        let backbone: Backbone = value("backbone")?.parse()?;
        let head = match value("head")? {
            "logit" => Head::Logit,
            "none" => Head::None,
            other => return Err(file_error(path, &format!("unknown head `{other}`"))),
        };
        let preparation: Preparation =
            serde_json::from_str(value("preparation")?).map_err(|error| file_error(path, &error))?;
        let network = Self::initialised(backbone, head, Initialisation { seed: 0, zero_residual: false });
        let mut network = network.with_preparation(preparation)?;
        network.load_state_dict(tensors)?;
        Ok((network, metadata))
    }

    /// All parameters and running statistics.
    pub fn state_dict(&self) -> StateDict {
        let parameters = self.named(&self.parameters);
        let statistics = self.graph.norms.iter().zip(&self.statistics).flat_map(|(norm, statistics)| {
            [("running_mean", &statistics.mean), ("running_var", &statistics.variance)].map(|(leaf, values)| {
                (format!("{}.{leaf}", norm.name), StateTensor { shape: vec![norm.channels], values: values.clone() })
            })
        });
        parameters.chain(statistics).collect()
    }

    /// Replaces all parameters and running statistics.
    ///
    /// # Errors
    /// [`DeepError::WeightMismatch`] when a tensor is missing, unexpected or of another shape; nothing is replaced
    /// then.
    pub fn load_state_dict(&mut self, state: StateDict) -> Result<()> {
        self.assign(state, |_| false)
    }

    /// Values in the order and layout of the parameters, by name and in PyTorch's layout.
    pub(crate) fn named<'a>(&'a self, values: &'a [Vec<f32>]) -> impl Iterator<Item = (String, StateTensor)> + 'a {
        self.graph.parameters.iter().zip(values).map(|(specification, values)| {
            let values = reorder(specification, values, Order::ToFile);
            (specification.name.clone(), StateTensor { shape: specification.shape.clone(), values })
        })
    }

    /// Takes over stored tensors; `optional` names may be missing.
    pub(crate) fn assign(&mut self, mut stored: StateDict, optional: impl Fn(&str) -> bool) -> Result<()> {
        let mut report = WeightReport::default();
        let mut take = |name: &str, shape: &[usize]| match stored.remove(name) {
            Some(tensor) if tensor.shape == shape => Some(tensor.values),
            Some(tensor) => {
                report.wrong_shape.push((name.to_owned(), shape.to_vec(), tensor.shape));
                None
            }
            None if optional(name) => None,
            None => {
                report.missing.push(name.to_owned());
                None
            }
        };
        let parameters: Vec<Option<Vec<f32>>> =
            self.graph.parameters.iter().map(|specification| take(&specification.name, &specification.shape)).collect();
        let statistics: Vec<[Option<Vec<f32>>; 2]> = self
            .graph
            .norms
            .iter()
            .map(|norm| {
                ["running_mean", "running_var"].map(|leaf| take(&format!("{}.{leaf}", norm.name), &[norm.channels]))
            })
            .collect();
        report.unexpected = stored.into_keys().filter(|name| !name.ends_with("num_batches_tracked")).collect();
        if report != WeightReport::default() {
            return Err(DeepError::WeightMismatch(report));
        }
        for ((specification, into), values) in self.graph.parameters.iter().zip(&mut self.parameters).zip(parameters) {
            if let Some(values) = values {
                *into = reorder(specification, &values, Order::FromFile);
            }
        }
        for (into, [mean, variance]) in self.statistics.iter_mut().zip(statistics) {
            into.mean = mean.unwrap_or_else(|| into.mean.clone());
            into.variance = variance.unwrap_or_else(|| into.variance.clone());
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    FromFile,
    ToFile,
}

/// Between PyTorch's (output, input, row, column) and the engine's (output, row, column, input).
fn reorder(specification: &ParameterSpecification, values: &[f32], order: Order) -> Vec<f32> {
    let Role::Weight(layer) = specification.role else {
        return values.to_vec();
    };
    let taps = layer.kernel * layer.kernel;
    let mut result = vec![0.0; values.len()];
    for (from, into) in values.chunks_exact(layer.patch()).zip(result.chunks_exact_mut(layer.patch())) {
        for input in 0..layer.inputs {
            for tap in 0..taps {
                let (file, engine) = (input * taps + tap, tap * layer.inputs + input);
                match order {
                    Order::FromFile => into[engine] = from[file],
                    Order::ToFile => into[file] = from[engine],
                }
            }
        }
    }
    result
}

pub(crate) fn file_error(path: &Path, reason: &dyn fmt::Display) -> DeepError {
    let reason = reason.to_string();
    DeepError::WeightFile {
        path: path.display().to_string(),
        reason: reason.lines().next().unwrap_or_default().to_owned(),
    }
}

fn read_limited(path: &Path) -> Result<Vec<u8>> {
    let size = fs::metadata(path).map_err(|error| file_error(path, &error))?.len();
    if size > MAXIMUM_FILE_BYTES {
        return Err(file_error(path, &format!("{size} bytes, more than the limit of {MAXIMUM_FILE_BYTES}")));
    }
    fs::read(path).map_err(|error| file_error(path, &error))
}

/// The tensors of a safetensors file or a PyTorch `.pth` (zip) file, told apart by content; the counters
/// `num_batches_tracked` are left out.
///
/// A `.pth` file holds a dictionary of tensors, itself or as `state_dict` or `model`. Its pickle is read by a machine
/// that knows tensors and dictionaries only: a pickle that asks for anything else is an error, and nothing is run.
///
/// # Errors
/// [`DeepError::WeightFile`] when the file is neither, too large, truncated, or holds anything but tensors of 16-, 32-
/// or 64-bit floating-point numbers.
pub fn read_state_dict(path: &Path) -> Result<StateDict> {
    let mut start = Vec::new();
    let file = fs::File::open(path).map_err(|error| file_error(path, &error))?;
    file.take(4).read_to_end(&mut start).map_err(|error| file_error(path, &error))?;
    if start != b"PK\x03\x04" {
        return tensors_of(path, &read_limited(path)?);
    }
    let tensors = pth::read(path).map_err(|reason| file_error(path, &reason))?;
    Ok(tensors.into_iter().map(|(name, tensor)| (modern_name(&name), tensor)).collect())
}

/// torchvision's DenseNet files still carry the names of its first version: `denselayer1.norm.1` for
/// `denselayer1.norm1`.
fn modern_name(name: &str) -> String {
    if !name.contains("denselayer") {
        return name.to_owned();
    }
    ["norm", "conv"].iter().fold(name.to_owned(), |name, layer| {
        name.replace(&format!(".{layer}.1."), &format!(".{layer}1."))
            .replace(&format!(".{layer}.2."), &format!(".{layer}2."))
    })
}

fn tensors_of(path: &Path, bytes: &[u8]) -> Result<StateDict> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| file_error(path, &error))?;
    file.iter()
        .filter(|(name, _)| !name.ends_with("num_batches_tracked"))
        .map(|(name, view)| {
            let values = match view.dtype() {
                Dtype::F16 => view.data().as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
                Dtype::BF16 => {
                    view.data().as_chunks::<2>().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect()
                }
                Dtype::F32 => view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
                Dtype::F64 => view.data().as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
                other => {
                    return Err(file_error(
                        path,
                        &format!("{name} holds {other:?}; 16-, 32- and 64-bit floats are read"),
                    ));
                }
            };
            Ok((modern_name(name), StateTensor { shape: view.shape().to_vec(), values }))
        })
        .collect()
}

/// Reads a file that [`write_tensors`] wrote.
pub(crate) fn read_safetensors(path: &Path) -> Result<(StateDict, HashMap<String, String>)> {
    let bytes = read_limited(path)?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| file_error(path, &error))?;
    Ok((tensors_of(path, &bytes)?, header.metadata().clone().unwrap_or_default()))
}

/// A tensor whose bytes are made when they are written, so that a file is never in memory as a whole.
struct Stored<'a>(&'a StateTensor);

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.0.values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        size_of::<f32>() * self.0.values.len()
    }
}

/// Writes a safetensors file; it appears under its name only when it is complete.
pub(crate) fn write_tensors(path: &Path, tensors: &StateDict, metadata: HashMap<String, String>) -> Result<()> {
    let views = tensors.iter().map(|(name, tensor)| (name, Stored(tensor)));
    let partial = path.with_extension("partial");
    safetensors::serialize_to_file(views, Some(metadata), &partial).map_err(|error| file_error(path, &error))?;
    fs::rename(&partial, path).map_err(|error| file_error(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(seed: u64) -> Network {
        Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation { seed, zero_residual: false })
    }

    #[test]
    fn a_saved_network_loads_to_the_same_bits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.safetensors");
        let original = network(3);
        original.save(&path).unwrap();
        let loaded = Network::load(&path).unwrap();
        assert_eq!(loaded.parameters, original.parameters);
        assert_eq!(loaded.statistics, original.statistics);
        let mut other = network(4);
        other.load_weights(&path).unwrap();
        assert_eq!(other.parameters, original.parameters);
    }

    #[test]
    fn weights_that_do_not_fit_are_reported_by_name() {
        let mut stored = network(1).state_dict();
        let fc = stored.remove("fc.bias").unwrap();
        stored.insert("fc.biases".to_owned(), fc);
        stored.get_mut("conv1.weight").unwrap().shape = vec![64, 1, 7, 21];
        stored.remove("head.weight");
        let error = network(2).assign(stored, |name| name.starts_with("head.")).unwrap_err();
        let DeepError::WeightMismatch(report) = error else { panic!("{error}") };
        assert_eq!(report.missing, ["fc.bias"]);
        assert_eq!(report.unexpected, ["fc.biases"]);
        assert_eq!(report.wrong_shape[0].0, "conv1.weight");
    }

    #[test]
    fn damaged_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.safetensors");
        network(3).save(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        for (name, content) in [
            ("truncated", &bytes[..bytes.len() / 2]),
            ("empty", &[][..]),
            ("text", b"not weights at all"),
            ("zip", b"PK\x03\x04broken"),
        ] {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            let error = network(1).load_weights(&path).unwrap_err();
            assert!(matches!(error, DeepError::WeightFile { .. }), "{name}: {error}");
        }
        assert!(network(1).load_weights(&folder.path().join("absent")).is_err());
    }

    #[test]
    fn first_names_of_densenet_are_understood() {
        assert_eq!(
            modern_name("features.denseblock1.denselayer2.norm.1.weight"),
            "features.denseblock1.denselayer2.norm1.weight"
        );
        assert_eq!(modern_name("features.norm5.weight"), "features.norm5.weight");
    }
}
