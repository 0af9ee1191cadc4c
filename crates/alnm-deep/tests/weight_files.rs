//! Weight files as PyTorch writes them, damaged files, and files that mean harm; `golden/make_pth.py` made the files.

// What cannot be read must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use alnm_deep::{Backbone, DeepError, Head, Initialisation, Network, StateDict, StateTensor, read_state_dict};
use proptest::prelude::*;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn values(count: usize) -> Vec<f32> {
    (0..count).map(|index| index as f32 / 4.0 - 1.0).collect()
}

/// The reason for which a file is refused.
fn refusal(path: &Path) -> String {
    match read_state_dict(path) {
        Err(DeepError::WeightFile { reason, .. }) => reason,
        other => panic!("{}: {other:?}", path.display()),
    }
}

#[test]
fn a_dictionary_of_every_kind_of_tensor() {
    let state = read_state_dict(&golden("dictionary.pth")).unwrap();
    let tensor = |shape: &[usize], values: Vec<f32>| StateTensor::new(shape.to_vec(), values).unwrap();
    let expected = StateDict::from([
        ("single".to_owned(), tensor(&[2, 3], values(6))),
        ("double".to_owned(), tensor(&[3], values(3))),
        ("half".to_owned(), tensor(&[2, 2], values(4))),
        ("bfloat".to_owned(), tensor(&[4], values(4))),
        ("transposed".to_owned(), tensor(&[3, 2], [0, 3, 1, 4, 2, 5].map(|index| values(6)[index]).to_vec())),
        ("view".to_owned(), tensor(&[4], [2, 4, 6, 8].map(|index| values(12)[index]).to_vec())),
        ("rest".to_owned(), tensor(&[7], values(12)[5..].to_vec())),
        ("scalar".to_owned(), tensor(&[], vec![0.5])),
        ("parameter".to_owned(), tensor(&[2], values(2))),
        ("empty".to_owned(), tensor(&[0], Vec::new())),
    ]);
    assert_eq!(state, expected);
}

#[test]
fn a_dictionary_within_a_checkpoint() {
    for file in ["checkpoint.pth", "model_state_dict.pth", "network_weights.pth"] {
        let state = read_state_dict(&golden(file)).unwrap();
        assert_eq!(state, StateDict::from([("single".to_owned(), StateTensor::new(vec![2, 3], values(6)).unwrap())]));
    }
}

#[test]
fn a_pickle_with_code_is_refused_and_not_run() {
    let reason = refusal(&golden("code.pth"));
    assert!(reason.contains("mkdir") && reason.contains("nothing was run"), "{reason}");
    assert!(!Path::new("was-run").exists());
    let reason = refusal(&golden("class.pth"));
    assert!(reason.contains("torch.nn.modules.linear.Linear"), "{reason}");
    let reason = refusal(&golden("arrays.pth"));
    assert!(reason.contains("arrays of numpy") && reason.contains("torch.from_numpy"), "{reason}");
}

#[test]
fn other_numbers_and_other_files_are_refused() {
    let reason = refusal(&golden("integers.pth"));
    assert!(reason.contains("weight") && reason.contains("integers"), "{reason}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.pth");
    for (content, words) in [
        (&b"PK\x03\x04 no archive"[..], "zip"),
        (b"", "neither a safetensors file nor a .pth"),
        (b"\x80\x02}q\x00.", "bare pickle"),
        (b"#!/bin/sh\n", "neither a safetensors file nor a .pth"),
        (b"\xff\0\0\0\0\0\0\0{", "cut off"),
    ] {
        std::fs::write(&path, content).unwrap();
        let reason = refusal(&path);
        assert!(reason.contains(words), "{reason}");
    }
    let mut network = Network::initialised(Backbone::ResNet18, Head::None, Initialisation::new(1));
    let before = network.state_dict();
    let error = network.load_weights(golden("dictionary.pth")).unwrap_err();
    let DeepError::WeightMismatch(report) = &error else { panic!("{error}") };
    assert!(
        report.missing.contains(&"conv1.weight".to_owned()) && report.unexpected.contains(&"transposed".to_owned())
    );
    let part = folder.path().join("model-00001-of-00002.pth");
    std::fs::copy(golden("dictionary.pth"), &part).unwrap();
    let error = network.load_weights(part).unwrap_err().to_string();
    assert!(error.contains("their index, model.pth.index.json, is what to read"), "{error}");
    assert_eq!(network.state_dict(), before);
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.pth");
    let bytes = std::fs::read(golden("dictionary.pth")).unwrap();
    for length in (0..bytes.len()).step_by(37) {
        std::fs::write(&path, &bytes[..length]).unwrap();
        refusal(&path);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any byte changed anywhere gives tensors or an error, never a panic or an allocation beyond the file's size.
    #[test]
    fn a_damaged_file_does_no_harm(place in 0usize..4021, value in any::<u8>()) {
        let mut bytes = std::fs::read(golden("dictionary.pth")).unwrap();
        prop_assume!(place < bytes.len());
        bytes[place] = value;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.pth");
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(state) = read_state_dict(&path) {
            prop_assert!(state.values().all(|tensor| tensor.values().len() <= bytes.len()));
        }
    }
}
