//! Text read as each kind of saved model. The hash over the content is put right first, so that more than the hash is
//! checked: the target finds it in the error of a first reading.
#![no_main]

use alnm_imputation::ImputationModel;
use alnm_models::RiskModel;
use alnm_selection::harmonisation::Combat;
use alnm_selection::{FittedPipeline, Signature};
use libfuzzer_sys::fuzz_target;

/// The text with the hash that its content has, where an error says so.
fn with_own_hash(text: &str, error: &str) -> Option<String> {
    let hashes: Vec<&str> = error
        .split(|letter: char| !letter.is_ascii_hexdigit())
        .filter(|word| word.len() == 64)
        .collect();
    match hashes.as_slice() {
        [stated, computed] => Some(text.replace(stated, computed)),
        _ => None,
    }
}

fn read<T, E: std::fmt::Display>(text: &str, from: fn(&str) -> Result<T, E>, to: fn(&T) -> Result<String, E>) {
    let value = from(text).or_else(|error| {
        let error = error.to_string();
        with_own_hash(text, &error).map_or(Err(()), |text| from(&text).map_err(drop))
    });
    if let Ok(value) = value {
        let Ok(written) = to(&value) else { panic!("what was read cannot be written: {text}") };
        assert!(from(&written).is_ok(), "what was written cannot be read: {written}");
    }
}

fuzz_target!(|text: &str| {
    read(text, RiskModel::from_json, RiskModel::to_json);
    read(text, Signature::from_json, Signature::to_json);
    read(text, Combat::from_json, Combat::to_json);
    read(text, FittedPipeline::from_json, FittedPipeline::to_json);
    read(text, ImputationModel::from_json, ImputationModel::to_json);
});
