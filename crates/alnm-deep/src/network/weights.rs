//! A network's parameters and running statistics by name: out, and in from state dictionaries and files.

use std::path::Path;

use super::Network;
use crate::error::{DeepError, Result};
use crate::graph::{ParameterSpecification, Role};
use crate::state_dict::{StateDict, StateTensor};
use crate::weight_file::read_state_dict;
use crate::weight_report::{WeightReport, WrongShape};

impl Network {
    /// Replaces the parameters and running statistics by those of a safetensors file or a PyTorch `.pth` (zip) file with
    /// torchvision's names; the head keeps its values where the file has none. Nothing in a pickle is executed.
    ///
    /// # Errors
    /// As [`read_state_dict`]; [`DeepError::WeightMismatch`] when a tensor is missing, unexpected or of another shape;
    /// [`DeepError::NotFinite`] or [`DeepError::Parameter`] for a value that is not finite or a running variance below
    /// 0. In all these cases nothing is replaced.
    ///
    /// ```no_run
    /// use alnm_deep::{Backbone, Head, Initialisation, Network};
    ///
    /// let mut network = Network::initialised(Backbone::ResNet50, Head::None, Initialisation::new(0));
    /// network.load_weights("resnet50-0676ba61.pth")?;
    /// # Ok::<(), alnm_deep::DeepError>(())
    /// ```
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let stored = read_state_dict(path.as_ref())?;
        self.assign(stored, |name| name.starts_with("head."))
    }

    /// All parameters and running statistics by torchvision's names, in PyTorch's layout.
    ///
    /// ```
    /// use alnm_deep::{Backbone, Head, Initialisation, Network};
    ///
    /// let mut network = Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(7));
    /// let mut state = network.state_dict();
    /// state.get_mut("head.bias").expect("the network has a head").values_mut()[0] = 0.25;
    /// network.load_state_dict(state)?;
    /// assert_eq!(network.state_dict()["head.bias"].values(), [0.25]);
    /// # Ok::<(), alnm_deep::DeepError>(())
    /// ```
    #[must_use]
    pub fn state_dict(&self) -> StateDict {
        let parameters = self.named(&self.parameters);
        let statistics = self.graph.norms.iter().zip(&self.statistics).flat_map(|(norm, statistics)| {
            [("running_mean", &statistics.mean), ("running_var", &statistics.variance)]
                .map(|(leaf, values)| (format!("{}.{leaf}", norm.name), StateTensor::vector(values.clone())))
        });
        parameters.chain(statistics).collect()
    }

    /// Replaces all parameters and running statistics.
    ///
    /// # Errors
    /// As [`Network::load_weights`] but for those of a file; nothing is replaced then.
    pub fn load_state_dict(&mut self, state: StateDict) -> Result<()> {
        self.assign(state, |_| false)
    }

    /// Values in the order and layout of the parameters, by name and in PyTorch's layout. Parameters without values, such
    /// as frozen ones without gradients, are left out.
    pub(crate) fn named<'a>(&'a self, values: &'a [Vec<f32>]) -> impl Iterator<Item = (String, StateTensor)> + 'a {
        let named = self.graph.parameters.iter().zip(values).filter(|(_, values)| !values.is_empty());
        named.map(|(specification, values)| {
            let values = reorder(specification, values, Order::ToFile);
            (specification.name.clone(), StateTensor::of_shape(&specification.shape, values))
        })
    }

    /// Takes over stored tensors; `optional` names may be missing.
    fn assign(&mut self, mut stored: StateDict, optional: impl Fn(&str) -> bool) -> Result<()> {
        check_values(&stored)?;
        let mut report = WeightReport::default();
        let mut take = |name: &str, shape: &[usize]| match stored.remove(name) {
            Some(tensor) if tensor.shape() == shape => Some(tensor.into_values()),
            Some(tensor) => {
                let (name, expected, found) = (name.to_owned(), shape.to_vec(), tensor.shape().to_vec());
                report.wrong_shape.push(WrongShape { name, expected, found });
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
        if !report.is_complete() {
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

/// Refuses values that are not finite and variances below 0, which would make every output NaN.
fn check_values(state: &StateDict) -> Result<()> {
    for (name, tensor) in state {
        let lowest = if name.ends_with("running_var") { 0.0 } else { f32::NEG_INFINITY };
        let Some((place, value)) =
            tensor.values().iter().enumerate().find(|(_, value)| !value.is_finite() || **value < lowest)
        else {
            continue;
        };
        if value.is_finite() {
            return Err(DeepError::parameter("running variance", format!("{value} in {name}"), "at least 0"));
        }
        let position = format!("value {place} of {name}");
        return Err(DeepError::NotFinite { operation: "weight", position, value: f64::from(*value) });
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::Backbone;
    use crate::network::{Head, Initialisation};

    fn network(seed: u64) -> Network {
        Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(seed))
    }

    #[test]
    fn weights_that_do_not_fit_are_reported_by_name() {
        let mut stored = network(1).state_dict();
        let fc = stored.remove("fc.bias").unwrap();
        stored.insert("fc.biases".to_owned(), fc);
        let values = stored["conv1.weight"].values().to_vec();
        stored.insert("conv1.weight".to_owned(), StateTensor::new(vec![64, 1, 7, 21], values).unwrap());
        stored.remove("head.weight");
        let error = network(2).assign(stored, |name| name.starts_with("head.")).unwrap_err();
        let DeepError::WeightMismatch(report) = error else { panic!("{error}") };
        assert_eq!(report.missing, ["fc.bias"]);
        assert_eq!(report.unexpected, ["fc.biases"]);
        assert_eq!(report.wrong_shape[0].name, "conv1.weight");
    }

    #[test]
    fn values_that_would_make_every_output_undefined_are_refused() {
        for (name, value, words) in [
            ("fc.bias", f32::NAN, "weight is NaN at value 0 of fc.bias"),
            ("layer1.0.bn1.running_var", -1.0, "-1 in layer1.0.bn1.running_var; it must be at least 0"),
        ] {
            let mut stored = network(1).state_dict();
            stored.get_mut(name).unwrap().values_mut()[0] = value;
            let (mut into, before) = (network(2), network(2).state_dict());
            let error = into.load_state_dict(stored).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
            assert_eq!(into.state_dict(), before);
        }
    }

    #[test]
    fn damaged_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.safetensors");
        network(3).save(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for (name, content) in [
            ("truncated", &bytes[..bytes.len() / 2]),
            ("empty", &[][..]),
            ("text", b"not weights at all"),
            ("zip", b"PK\x03\x04broken"),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            let error = network(1).load_weights(&path).unwrap_err();
            assert!(matches!(error, DeepError::WeightFile { .. }), "{name}: {error}");
        }
        assert!(network(1).load_weights(folder.path().join("absent")).is_err());
    }
}
