//! Networks, trained or not, kept in files.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::backbone::Backbone;
use crate::error::{DeepError, Result};
use crate::network::{Head, Initialisation, Network};
use crate::preparation::Preparation;
use crate::saved_file::{self, FileContent};
use crate::state_dict::StateDict;
use crate::training::{TrainedNetwork, TrainingRecord};

/// What a network is besides its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkDescription {
    backbone: Backbone,
    head: Head,
    preparation: Preparation,
    /// How it was trained, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    training: Option<TrainingRecord>,
}

impl Network {
    /// Writes all parameters and running statistics, with the backbone, the head and the preparation of images, as a
    /// safetensors file with torchvision's names, which other programs can read as well. A SHA-256 over all of it lies
    /// in the metadata, so that [`Network::load`] refuses a file that was damaged or edited.
    ///
    /// The file appears under its name only when it is complete.
    ///
    /// # Errors
    /// [`DeepError::WeightFile`] when the file cannot be written.
    ///
    /// ```
    /// use alnm_deep::{Backbone, Head, Initialisation, Network};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("network.safetensors");
    /// let network = Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(7));
    /// network.save(&path)?;
    /// assert_eq!(Network::load(&path)?.state_dict(), network.state_dict());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path.as_ref(), None)
    }

    /// [`Network::save`] with the record of the training.
    fn save_with(&self, path: &Path, training: Option<TrainingRecord>) -> Result<()> {
        let description = NetworkDescription::of(self, training);
        saved_file::write(path, FileContent::Network, &description, &self.state_dict())
    }

    /// Reads a network that [`Network::save`] or [`TrainedNetwork::save`] wrote, to the same bits.
    ///
    /// # Errors
    /// [`DeepError::WeightFile`] when the file is no saved network, was saved by an earlier version, or was
    /// damaged or edited.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Self::load_with(path.as_ref())?.0)
    }

    /// [`Network::load`] and the record of the training, where there is one.
    fn load_with(path: &Path) -> Result<(Self, Option<TrainingRecord>)> {
        let (description, tensors) = saved_file::read::<NetworkDescription>(path, FileContent::Network)?;
        let training = description.training.clone();
        let network = description.with_tensors(tensors).map_err(|error| DeepError::file(path, error))?;
        Ok((network, training))
    }
}

/// A file format for a network together with data that belong to it: how its images are prepared, what is computed from
/// its outputs.
///
/// The file is a safetensors file with torchvision's names, as [`Network::save`] writes it, and the description stands
/// as JSON in its metadata. A SHA-256 over description and tensors lies beside it, so that a file that was damaged or
/// edited is refused.
///
/// ```
/// use alnm_deep::{Backbone, DescribedNetworkFormat, Head, Initialisation, Network};
///
/// const FORMAT: DescribedNetworkFormat =
///     DescribedNetworkFormat::new("my network with a cutoff", "1", "ask for the file again");
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("network.safetensors");
/// let network = Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(7));
/// FORMAT.write(&path, &network, &0.25)?;
/// let (read, cutoff): (Network, f64) = FORMAT.read(&path)?;
/// assert_eq!((read.state_dict(), cutoff), (network.state_dict(), 0.25));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DescribedNetworkFormat(FileContent);

/// What stands in the metadata of a file with a description.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkAndDescription<D> {
    network: NetworkDescription,
    description: D,
}

impl DescribedNetworkFormat {
    /// A kind of file: its name, the version that is written and the only one that is read, and what to do with a file
    /// that cannot be read.
    #[must_use]
    pub const fn new(format: &'static str, version: &'static str, advice: &'static str) -> Self {
        Self(FileContent::Described { format, version, advice })
    }

    /// Writes network and description. The file appears under its name only when it is complete.
    ///
    /// # Errors
    /// [`DeepError::WeightFile`] when the file cannot be written.
    pub fn write<D: Serialize>(self, path: impl AsRef<Path>, network: &Network, description: &D) -> Result<()> {
        let described = NetworkAndDescription { network: NetworkDescription::of(network, None), description };
        saved_file::write(path.as_ref(), self.0, &described, &network.state_dict())
    }

    /// Reads network and description, to the same bits.
    ///
    /// # Errors
    /// [`DeepError::WeightFile`] when the file is of another format or version, when its description is not valid, or
    /// when it was damaged or edited.
    pub fn read<D: Serialize + DeserializeOwned>(self, path: impl AsRef<Path>) -> Result<(Network, D)> {
        let path = path.as_ref();
        let (described, tensors) = saved_file::read::<NetworkAndDescription<D>>(path, self.0)?;
        let network = described.network.with_tensors(tensors).map_err(|error| DeepError::file(path, error))?;
        Ok((network, described.description))
    }
}

impl NetworkDescription {
    fn of(network: &Network, training: Option<TrainingRecord>) -> Self {
        let Network { backbone, head, preparation, .. } = *network;
        Self { backbone, head, preparation, training }
    }

    pub(crate) fn of_trained(trained: &TrainedNetwork) -> Self {
        Self::of(trained.network(), Some(trained.record().clone()))
    }

    /// The trained network of these tensors.
    pub(crate) fn trained_with(mut self, tensors: StateDict) -> Result<TrainedNetwork> {
        let record = self.training.take().ok_or_else(|| {
            DeepError::parameter(
                "training of the network",
                "absent",
                "there; a network without one is no trained network",
            )
        })?;
        Ok(TrainedNetwork::new(self.with_tensors(tensors)?, record))
    }

    /// The network of these tensors.
    fn with_tensors(self, tensors: StateDict) -> Result<Network> {
        let Self { backbone, head, preparation, .. } = self;
        let mut network = Network::initialised(backbone, head, Initialisation::default()).with_preparation(preparation);
        network.load_state_dict(tensors)?;
        Ok(network)
    }
}

impl TrainedNetwork {
    /// Writes the network as [`Network::save`] does, with the parameters and the epochs of its training.
    ///
    /// # Errors
    /// [`DeepError::WeightFile`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.network().save_with(path.as_ref(), Some(self.record().clone()))
    }

    /// Reads what [`TrainedNetwork::save`] wrote, to the same bits.
    ///
    /// # Errors
    /// As [`Network::load`], and [`DeepError::WeightFile`] when the network was saved without a training.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        match Network::load_with(path)? {
            (network, Some(record)) => Ok(Self::new(network, record)),
            (_, None) => Err(DeepError::file(path, "the network was saved without a training; load it as a Network")),
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::preparation::PreparationParams;
    use crate::training::{Example, TrainingParams, fine_tune};

    fn network(seed: u64) -> Network {
        Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(seed))
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

    #[cfg(unix)]
    #[test]
    fn a_saved_network_has_the_mode_of_any_other_new_file() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let [saved, other] = ["network.safetensors", "other"].map(|name| folder.path().join(name));
        network(3).save(&saved).unwrap();
        std::fs::write(&other, "").unwrap();
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(saved), mode(other));
    }

    fn trained() -> TrainedNetwork {
        let preparation = PreparationParams::default().with_side(48).with_normalisation([0.4; 3], [0.3; 3]);
        let stripes = |index: usize| {
            Array2::from_shape_fn((32, 32), |(y, x)| {
                ((if index.is_multiple_of(2) { y } else { x + index }) % 5) as f32 / 4.0
            })
        };
        let examples: Vec<Example> = (0..8).map(|index| Example::new(stripes(index), index % 2 == 1)).collect();
        let params = TrainingParams::default().with_epochs(2).with_batch_size(4).with_validation_fraction(0.25);
        fine_tune(network(5).with_preparation(preparation.check().unwrap()), &examples, &params).unwrap()
    }

    #[test]
    fn a_trained_network_is_saved_with_its_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trained.safetensors");
        let trained = trained();
        trained.save(&path).unwrap();
        let loaded = TrainedNetwork::load(&path).unwrap();
        assert_eq!(loaded.record(), trained.record());
        assert_eq!(loaded.network().state_dict(), trained.network().state_dict());
        let network = Network::load(&path).unwrap();
        assert_eq!(network.preparation(), trained.network().preparation());
        network.save(&path).unwrap();
        let error = TrainedNetwork::load(&path).unwrap_err().to_string();
        assert!(error.contains("saved without a training"), "{error}");
    }

    /// The hash of these files is right: what is refused is refused by what it says.
    #[test]
    fn a_description_that_does_not_fit_its_tensors_is_refused_whatever_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.safetensors");
        let of = |backbone: Backbone, head: Head| NetworkDescription {
            backbone,
            head,
            preparation: Preparation::default(),
            training: None,
        };
        let tensors = network(3).state_dict();
        let mut undefined = tensors.clone();
        undefined.get_mut("fc.bias").unwrap().values_mut()[7] = f32::NAN;
        let good = of(Backbone::ResNet18, Head::Logit);
        for (description, tensors, words) in [
            (of(Backbone::ResNet34, Head::Logit), &tensors, "80 missing (layer1.2.conv1.weight"),
            (of(Backbone::ResNet18, Head::None), &tensors, "2 unexpected (head.bias, head.weight)"),
            (good.clone(), &undefined, "value 7 of fc.bias"),
        ] {
            saved_file::write(&path, FileContent::Network, &description, tensors).unwrap();
            let error = Network::load(&path).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        saved_file::write(&path, FileContent::Network, &good, &tensors).unwrap();
        assert_eq!(Network::load(&path).unwrap().state_dict(), tensors);
    }
}
