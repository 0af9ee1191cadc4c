//! Saved networks that were damaged or edited by hand: each is refused with a sentence, or gives what the good file
//! gives. A program makes them from a good file.

// What cannot be made must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use alnm_deep::{
    Backbone, DeepError, Example, Head, Initialisation, Network, ParameterGroup, PreparationParams, TrainedNetwork,
    TrainingParams,
};
use ndarray::Array2;
use serde_json::{Value, json};

/// The header and the numbers of a safetensors file.
#[derive(Clone)]
struct Parts {
    header: Value,
    data: Vec<u8>,
}

impl Parts {
    fn of(bytes: &[u8]) -> Self {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        Self { header: serde_json::from_slice(&bytes[8..8 + length]).unwrap(), data: bytes[8 + length..].to_vec() }
    }

    fn joined(&self) -> Vec<u8> {
        let header = serde_json::to_vec(&self.header).unwrap();
        [&(header.len() as u64).to_le_bytes()[..], &header, &self.data].concat()
    }

    fn metadata(&mut self) -> &mut Value {
        &mut self.header["__metadata__"]
    }

    /// Edits the description as text.
    fn reworded(mut self, from: &str, to: &str) -> Self {
        let description = self.metadata()["description"].as_str().unwrap().to_owned();
        assert!(description.contains(from), "{description} lacks {from}");
        self.metadata()["description"] = description.replacen(from, to, 1).into();
        self
    }

    /// Edits the description as JSON, under one of its keys.
    fn described(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        let mut description: Value = serde_json::from_str(self.metadata()["description"].as_str().unwrap()).unwrap();
        edit(&mut description);
        self.metadata()["description"] = description.to_string().into();
        self
    }

    fn with_metadata(mut self, key: &str, value: &str) -> Self {
        self.metadata()[key] = value.into();
        self
    }

    fn without_metadata(mut self, key: &str) -> Self {
        self.metadata().as_object_mut().unwrap().remove(key);
        self
    }

    fn edited(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// First byte of a tensor.
    fn start(&self, name: &str) -> usize {
        self.header[name]["data_offsets"][0].as_u64().unwrap() as usize
    }

    fn set(mut self, name: &str, value: f32) -> Self {
        let start = self.start(name);
        self.data[start..start + 4].copy_from_slice(&value.to_le_bytes());
        self
    }

    fn exchanged(mut self, one: &str, other: &str) -> Self {
        assert_eq!(self.header[one]["shape"], self.header[other]["shape"]);
        let entry = self.header[one].take();
        self.header[one] = self.header[other].take();
        self.header[other] = entry;
        self
    }
}

fn examples() -> Vec<Example> {
    let stripes = |index: usize| {
        Array2::from_shape_fn((32, 32), |(y, x)| {
            ((if index.is_multiple_of(2) { y } else { x + index }) % 5) as f32 / 4.0
        })
    };
    (0..8).map(|index| Example::new(stripes(index), index % 2 == 1)).collect()
}

fn start() -> Network {
    let preparation = PreparationParams::default().with_side(48).with_normalisation([0.4; 3], [0.3; 3]).check();
    Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(5)).with_preparation(preparation.unwrap())
}

/// Only the last layers are trained, so that a checkpoint stays small.
fn params() -> TrainingParams {
    let groups = [("", 0.0), ("head", 1.0)].map(|(prefix, factor)| ParameterGroup::new(prefix, factor)).to_vec();
    TrainingParams::default().with_epochs(2).with_batch_size(4).with_validation_fraction(0.25).with_groups(groups)
}

fn variants(good: &Parts) -> Vec<(&'static str, Vec<u8>)> {
    let parts = || good.clone();
    let whole = good.joined();
    let flipped = |place: usize, bit: u8| parts().edited(|parts| parts.data[place] ^= bit).joined();
    let last = good.data.len() - 1;
    let (conv, norm) = ("layer1.0.conv1.weight", "layer1.0.bn1");
    let [weight, bias, mean, variance] =
        ["weight", "bias", "running_mean", "running_var"].map(|leaf| format!("{norm}.{leaf}"));
    vec![
        // The description.
        ("another backbone", parts().reworded("resnet18", "resnet34").joined()),
        ("an unknown backbone", parts().reworded("resnet18", "resnet19").joined()),
        ("no head", parts().reworded("\"logit\"", "\"none\"").joined()),
        ("another side", parts().reworded("\"side\":48", "\"side\":64").joined()),
        ("a side too small", parts().reworded("\"side\":48", "\"side\":8").joined()),
        ("no side", parts().described(|d| d["preparation"]["side"] = Value::Null).joined()),
        ("another mean", parts().described(|d| d["preparation"]["mean"] = json!([0.4, 0.4, 0.5])).joined()),
        ("a mean of two channels", parts().described(|d| d["preparation"]["mean"] = json!([0.4, 0.4])).joined()),
        ("a deviation of 0", parts().described(|d| d["preparation"]["deviation"] = json!([0.3, 0.0, 0.3])).joined()),
        (
            "a preparation without deviation",
            parts().described(|d| _ = d["preparation"].as_object_mut().unwrap().remove("deviation")).joined(),
        ),
        ("no preparation", parts().described(|d| _ = d.as_object_mut().unwrap().remove("preparation")).joined()),
        ("an unknown field", parts().described(|d| d["colour"] = json!("grey")).joined()),
        ("other epochs", parts().described(|d| d["training"]["training"]["epochs"] = json!(3)).joined()),
        ("no epochs", parts().described(|d| d["training"]["training"]["epochs"] = json!(0)).joined()),
        ("another rate", parts().described(|d| d["training"]["training"]["learning_rate"] = json!(0.1)).joined()),
        ("a negative rate", parts().described(|d| d["training"]["training"]["learning_rate"] = json!(-0.1)).joined()),
        ("a loss edited", parts().described(|d| d["training"]["history"][0]["training_loss"] = json!(0.25)).joined()),
        ("an area above 1", parts().described(|d| d["training"]["history"][0]["training_auc"] = json!(1.5)).joined()),
        (
            "an epoch left out",
            parts().described(|d| _ = d["training"]["history"].as_array_mut().unwrap().remove(0)).joined(),
        ),
        ("another best epoch", parts().described(|d| d["training"]["best_epoch"] = json!(7)).joined()),
        ("the training taken away", parts().described(|d| _ = d.as_object_mut().unwrap().remove("training")).joined()),
        ("a description that is no JSON", parts().with_metadata("description", "{").joined()),
        ("no description", parts().without_metadata("description").joined()),
        ("a description with spaces", parts().reworded(",", ", ").joined()),
        ("keys in another order", parts().described(|_| {}).joined()),
        // The other metadata.
        ("another hash", parts().with_metadata("sha256", &"0".repeat(64)).joined()),
        ("no hash", parts().without_metadata("sha256").joined()),
        ("another format", parts().with_metadata("format", "pt").joined()),
        ("the format of a checkpoint", parts().with_metadata("format", "alnm-deep checkpoint").joined()),
        ("no format", parts().without_metadata("format").joined()),
        ("a later version", parts().with_metadata("version", "3").joined()),
        ("no version", parts().without_metadata("version").joined()),
        ("a note of somebody else", parts().with_metadata("note", "seen").joined()),
        (
            "no metadata",
            parts().edited(|parts| _ = parts.header.as_object_mut().unwrap().remove("__metadata__")).joined(),
        ),
        // The tensors.
        ("the first bit", flipped(0, 1)),
        ("a bit in the middle", flipped(last / 2, 0x10)),
        ("the last bit", flipped(last, 0x80)),
        ("an exponent", flipped(good.start(conv) + 3, 0x40)),
        ("a weight that is not a number", parts().set(conv, f32::NAN).joined()),
        ("a negative variance", parts().set(&variance, -1.0).joined()),
        ("weight and bias exchanged", parts().exchanged(&weight, &bias).joined()),
        ("mean and variance exchanged", parts().exchanged(&mean, &variance).joined()),
        ("two convolutions exchanged", parts().exchanged(conv, "layer1.1.conv2.weight").joined()),
        ("another shape", parts().edited(|parts| parts.header[conv]["shape"] = json!([64, 64, 9, 1])).joined()),
        ("a shape of fewer values", parts().edited(|parts| parts.header[conv]["shape"] = json!([64, 64, 3])).joined()),
        ("another type", parts().edited(|parts| parts.header[conv]["dtype"] = json!("I32")).joined()),
        ("a shorter type", parts().edited(|parts| parts.header[conv]["dtype"] = json!("F16")).joined()),
        ("a tensor left out", parts().edited(|parts| _ = parts.header.as_object_mut().unwrap().remove(conv)).joined()),
        (
            "a tensor renamed",
            parts()
                .edited(|parts| {
                    let entry = parts.header.as_object_mut().unwrap().remove(conv).unwrap();
                    parts.header["layer1.0.conv9.weight"] = entry;
                })
                .joined(),
        ),
        (
            "a tensor more",
            parts()
                .edited(|parts| {
                    let end = parts.data.len();
                    parts.header["more"] = json!({"dtype": "F32", "shape": [1], "data_offsets": [end, end + 4]});
                    parts.data.extend([0; 4]);
                })
                .joined(),
        ),
        // The file.
        ("cut off in its header", whole[..100].to_vec()),
        ("cut off after its header", whole[..whole.len() - good.data.len()].to_vec()),
        ("cut off at the end", whole[..whole.len() - 1].to_vec()),
        ("cut off in the middle", whole[..whole.len() / 2].to_vec()),
        ("bytes more", [&whole[..], b"more"].concat()),
        ("a header too short", [&8u64.to_le_bytes()[..], &whole[8..]].concat()),
        ("empty", Vec::new()),
        ("text", b"not a network".to_vec()),
    ]
}

/// Variants that say the same in other words.
const SAME: [&str; 4] =
    ["a description with spaces", "keys in another order", "a note of somebody else", "the header written anew"];

fn reason(error: DeepError) -> String {
    match error {
        DeepError::WeightFile { reason, .. } => reason,
        other => panic!("{other}"),
    }
}

#[test]
fn no_damaged_network_gives_another_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.safetensors");
    let training = params().check().unwrap();
    let trained = training.run(start(), &examples(), None, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
    trained.save(&path).unwrap();
    let good = Parts::of(&std::fs::read(&path).unwrap());
    let mut variants = variants(&good);
    variants.push(("the header written anew", good.joined()));
    assert!(variants.len() >= 40);
    for (name, bytes) in variants {
        std::fs::write(&path, bytes).unwrap();
        match TrainedNetwork::load(&path) {
            Ok(loaded) => {
                assert!(SAME.contains(&name), "{name} was read");
                assert_eq!(loaded.network().state_dict(), trained.network().state_dict(), "{name}");
                assert_eq!(loaded.network().preparation(), trained.network().preparation(), "{name}");
                assert_eq!(loaded.history(), trained.history(), "{name}");
            }
            Err(error) => {
                let reason = reason(error);
                assert!(!SAME.contains(&name) && reason.len() > 20, "{name}: {reason}");
                println!("{name}: {reason}");
            }
        }
        if Path::new(&path).metadata().unwrap().len() < 200 {
            assert!(Network::load(&path).is_err(), "{name}");
        }
    }
}

#[test]
fn a_damaged_checkpoint_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let go_on = || {
        let training = params().check().unwrap();
        training.run(start(), &examples(), Some(&path), &mut |_| std::ops::ControlFlow::Continue(()))
    };
    let trained = go_on().unwrap();
    let good = Parts::of(&std::fs::read(&path).unwrap());
    let parts = || good.clone();
    let place = good.data.len() / 2;
    for (name, bytes) in [
        ("a bit", parts().edited(|parts| parts.data[place] ^= 4).joined()),
        ("steps", parts().described(|d| d["steps"] = json!(1)).joined()),
        ("history", parts().described(|d| d["history"][1]["validation_loss"] = json!(0.0)).joined()),
        ("best epoch", parts().described(|d| d["best_epoch"] = json!(5)).joined()),
        ("fingerprint", parts().reworded("\"fingerprint\":\"", "\"fingerprint\":\"0").joined()),
        ("hash", parts().without_metadata("sha256").joined()),
        ("moments exchanged", parts().exchanged("first/62", "second/62").joined()),
        ("format", parts().with_metadata("format", "alnm-deep network").joined()),
        ("cut off", good.joined()[..1000].to_vec()),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let reason = reason(go_on().unwrap_err());
        assert!(reason.len() > 20, "{name}: {reason}");
        println!("{name}: {reason}");
    }
    std::fs::write(&path, good.joined()).unwrap();
    assert_eq!(go_on().unwrap().network().state_dict(), trained.network().state_dict());
}

#[test]
fn files_of_earlier_versions_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.safetensors");
    start().save(&path).unwrap();
    let mut old = Parts::of(&std::fs::read(&path).unwrap());
    *old.metadata() = json!({
        "format": "alnm-deep/1",
        "backbone": "resnet18",
        "head": "logit",
        "preparation": "{\"side\":48,\"mean\":[0.4,0.4,0.4],\"deviation\":[0.3,0.3,0.3]}",
    });
    std::fs::write(&path, old.joined()).unwrap();
    let reason = reason(Network::load(&path).unwrap_err());
    assert!(reason.contains("earlier version") && reason.contains("Network::load_weights"), "{reason}");
    // What the sentence says helps.
    let mut network = Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(8));
    network.load_weights(&path).unwrap();
    network.save(&path).unwrap();
    assert_eq!(Network::load(&path).unwrap().state_dict(), start().state_dict());
}
