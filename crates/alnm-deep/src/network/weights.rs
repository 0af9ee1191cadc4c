//! A network's parameters and running statistics by name: out, and in from state dictionaries and files.

use std::ops::Deref;
use std::path::Path;

use super::Network;
use crate::error::{DeepError, Result};
use crate::graph::{ParameterSpecification, Role};
use crate::state_dict::{StateDict, StateTensor};
use crate::weight_file::{index_of_part, read_state_dict};
use crate::weight_report::{WeightReport, WrongShape};

impl Network {
    /// Replaces the parameters and running statistics by those of a safetensors file or a PyTorch `.pth` (zip) file
    /// with torchvision's names; the head keeps its values where the file has none. Nothing in a pickle is executed.
    ///
    /// Before all names may stand a prefix such as `module.` or `backbone.`, which is found; tensors outside of it are
    /// left aside and reported. Instead of their names the network's children may have numbers (`4.0.conv1.weight` for
    /// `layer1.0.conv1.weight`), as in a `torch.nn.Sequential` made of them.
    ///
    /// # Errors
    /// As [`read_state_dict`]; [`DeepError::WeightFile`] when the file is one of several; [`DeepError::WeightMismatch`]
    /// when a tensor is missing, unexpected or of another shape; [`DeepError::Parameter`] when the network stands in
    /// the file under several prefixes; [`DeepError::NotFinite`] or [`DeepError::Parameter`] for a value that is not
    /// finite or a running variance below 0. In all these cases nothing is replaced.
    ///
    /// ```no_run
    /// use alnm_deep::{Backbone, Head, Initialisation, Network};
    ///
    /// let mut network = Network::initialised(Backbone::ResNet50, Head::None, Initialisation::new(0));
    /// network.load_weights("resnet50-0676ba61.pth")?;
    /// # Ok::<(), alnm_deep::DeepError>(())
    /// ```
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<WeightReport> {
        self.load_weights_but(path, &[])
    }

    /// As [`Network::load_weights`], for a file that lacks some layers: tensors whose names begin with one of `kept` up
    /// to a dot keep their values where the file has none, or one of another shape. Weights that were trained for
    /// features alone have no `fc`, those of a classifier have one of as many outputs as classes.
    ///
    /// # Errors
    /// As [`Network::load_weights`].
    ///
    /// ```
    /// use alnm_deep::{Backbone, Head, Initialisation, Network};
    ///
    /// let network = |seed| Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(seed));
    /// let folder = tempfile::tempdir()?;
    /// network(1).save(folder.path().join("weights.safetensors"))?;
    /// let mut other = network(2);
    /// let report = other.load_weights_but(folder.path().join("weights.safetensors"), &["fc"])?;
    /// assert_eq!((report.taken, report.kept.len()), (104, 0));
    /// assert_eq!(other.state_dict(), network(1).state_dict());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn load_weights_but(&mut self, path: impl AsRef<Path>, kept: &[&str]) -> Result<WeightReport> {
        let (stored, found) = self.own_names(read_state_dict(path.as_ref())?)?;
        let keeps = |name: &str, is_in_file: bool| {
            let of_group = |group: &str| name.strip_prefix(group).is_some_and(|rest| rest.starts_with('.'));
            (!is_in_file && name.starts_with("head.")) || kept.iter().any(|group| of_group(group))
        };
        let report = self.assign(stored, keeps).map_err(|error| match (error, index_of_part(path.as_ref())) {
            (DeepError::WeightMismatch(report), Some(index)) => DeepError::file(
                path.as_ref(),
                format!("one of several files; their index, {index}, is what to read ({report})"),
            ),
            (error, _) => error,
        })?;
        Ok(WeightReport { prefix: found.prefix, ignored: found.ignored, ..report })
    }

    /// The tensors of a file under the network's own names, with the prefix that was taken off and what stood outside.
    fn own_names(&self, mut stored: StateDict) -> Result<(StateDict, WeightReport)> {
        let names = || {
            let parameters = self.graph.parameters.iter().map(|parameter| parameter.name.clone());
            let statistics = self.graph.norms.iter();
            parameters.chain(
                statistics.flat_map(|norm| ["running_mean", "running_var"].map(|leaf| format!("{}.{leaf}", norm.name))),
            )
        };
        let mut ways: Vec<(usize, String, Naming)> = Vec::new();
        for naming in [Naming::Names, Naming::Numbers] {
            let first = naming.of(&self.graph.parameters[0].name);
            for prefix in stored.keys().filter_map(|name| name.strip_suffix(&first)) {
                if prefix.is_empty() || prefix.ends_with('.') {
                    let count =
                        names().filter(|name| stored.contains_key(&format!("{prefix}{}", naming.of(name)))).count();
                    ways.push((count, prefix.to_owned(), naming));
                }
            }
        }
        let most = ways.iter().map(|(count, ..)| *count).max().unwrap_or(0);
        ways.retain(|(count, ..)| *count == most);
        let Some((_, prefix, naming)) = ways.pop() else { return Ok((stored, WeightReport::default())) };
        if let Some((_, other, _)) = ways.pop() {
            let requirement = "one in a file; save the one that is meant on its own";
            return Err(DeepError::parameter(
                "prefix of the network",
                format!("both {other} and {prefix}"),
                requirement,
            ));
        }
        let mut own = StateDict::new();
        for name in names() {
            if let Some(tensor) = stored.remove(&format!("{prefix}{}", naming.of(&name))) {
                own.insert(name, tensor);
            }
        }
        let mut ignored = Vec::new();
        for (name, tensor) in stored {
            match name.strip_prefix(&prefix) {
                Some(rest) => drop(own.insert(rest.to_owned(), tensor)),
                None => ignored.push(name),
            }
        }
        Ok((own, WeightReport { prefix, ignored, ..WeightReport::default() }))
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
        self.assign(state, |_, _| false).map(drop)
    }

    /// Values in the order and layout of the parameters, by name and in PyTorch's layout. Parameters without values,
    /// such as frozen ones without gradients, are left out.
    pub(crate) fn named<'a, V: Deref<Target = [f32]>>(
        &'a self,
        values: &'a [V],
    ) -> impl Iterator<Item = (String, StateTensor)> + 'a {
        let named = self.graph.parameters.iter().zip(values).filter(|(_, values)| !values.is_empty());
        named.map(|(specification, values)| {
            let values = reorder(specification, values, Order::ToFile);
            (specification.name.clone(), StateTensor::of_shape(&specification.shape, values))
        })
    }

    /// Takes over stored tensors; `keeps` says which names may keep their values where the file has none, or (true) one
    /// of another shape.
    fn assign(&mut self, mut stored: StateDict, keeps: impl Fn(&str, bool) -> bool) -> Result<WeightReport> {
        check_values(&stored)?;
        let mut report = WeightReport::default();
        let mut take = |name: &str, shape: &[usize]| match stored.remove(name) {
            Some(tensor) if tensor.shape() == shape => {
                report.taken += 1;
                Some(tensor.into_values())
            }
            other if keeps(name, other.is_some()) => {
                report.kept.push(name.to_owned());
                None
            }
            Some(tensor) => {
                let (name, expected, found) = (name.to_owned(), shape.to_vec(), tensor.shape().to_vec());
                report.wrong_shape.push(WrongShape { name, expected, found });
                None
            }
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
            return Err(DeepError::WeightMismatch(Box::new(report)));
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
        Ok(report)
    }
}

/// How a file names the children of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    /// As torchvision does.
    Names,
    /// By their places, as in a `torch.nn.Sequential` made of them.
    Numbers,
}

impl Naming {
    fn of(self, name: &str) -> String {
        /// The children of ResNets, and the first one of VGG and DenseNet; those between have no weights.
        const PLACES: [(&str, usize); 8] = [
            ("conv1", 0),
            ("features", 0),
            ("bn1", 1),
            ("layer1", 4),
            ("layer2", 5),
            ("layer3", 6),
            ("layer4", 7),
            ("fc", 9),
        ];
        let (child, rest) = name.split_once('.').unwrap_or((name, ""));
        match PLACES.iter().find(|(place, _)| self == Self::Numbers && *place == child) {
            Some((_, place)) => format!("{place}.{rest}"),
            None => name.to_owned(),
        }
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
        let error = network(2).assign(stored, |name, _| name.starts_with("head.")).unwrap_err();
        let DeepError::WeightMismatch(report) = error else { panic!("{error}") };
        assert_eq!(report.missing, ["fc.bias"]);
        assert_eq!(report.unexpected, ["fc.biases"]);
        assert_eq!(report.wrong_shape[0].name, "conv1.weight");
    }

    #[test]
    fn prefixes_and_numbers_of_children_are_understood() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let write = |rename: &dyn Fn(&str) -> String, leaves_out: &str| {
            let state = network(1).state_dict();
            let mut header = serde_json::Map::new();
            let (mut bytes, mut end) = (Vec::new(), 0);
            let mut add = |name: String, tensor: &StateTensor| {
                let start = end;
                end += tensor.values().len() * 4;
                header.insert(
                    name,
                    serde_json::json!({"dtype": "F32", "shape": tensor.shape(), "data_offsets": [start, end]}),
                );
                bytes.extend(tensor.values().iter().flat_map(|value| value.to_le_bytes()));
            };
            for (name, tensor) in
                state.iter().filter(|(name, _)| !name.starts_with("head.") && !name.starts_with(leaves_out))
            {
                add(rename(name), tensor);
            }
            add("projector.weight".to_owned(), &StateTensor::vector(vec![1.0]));
            let header = serde_json::to_vec(&header).unwrap();
            std::fs::write(&path, [&(header.len() as u64).to_le_bytes()[..], &header, &bytes].concat()).unwrap();
        };
        write(&|name| format!("module.backbone.{name}"), "nothing");
        let mut into = network(2);
        let report = into.load_weights(&path).unwrap();
        assert_eq!(
            (report.prefix.as_str(), &report.ignored[..]),
            ("module.backbone.", &["projector.weight".to_owned()][..])
        );
        assert_eq!((report.taken, &report.kept[..]), (102, &["head.weight".to_owned(), "head.bias".to_owned()][..]));
        assert_eq!(into.state_dict()["fc.weight"], network(1).state_dict()["fc.weight"]);
        write(&|name| format!("backbone.{}", Naming::Numbers.of(name)), "fc.");
        assert!(matches!(network(2).load_weights(&path), Err(DeepError::WeightMismatch(_))));
        let report = network(2).load_weights_but(&path, &["fc"]).unwrap();
        assert_eq!((report.prefix.as_str(), report.kept.len()), ("backbone.", 4));
        // The classifier of another task.
        let mut other = network(1).state_dict();
        other.insert("fc.bias".to_owned(), StateTensor::vector(vec![0.0; 10]));
        assert!(matches!(network(2).assign(other.clone(), |_, _| false), Err(DeepError::WeightMismatch(_))));
        let mut into = network(2);
        let report = into.assign(other, |name, _| name == "fc.bias").unwrap();
        assert_eq!((&report.kept[..], report.taken), (&["fc.bias".to_owned()][..], 103));
        assert_eq!(into.state_dict()["fc.bias"], network(2).state_dict()["fc.bias"]);
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
