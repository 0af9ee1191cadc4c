//! Runs of the pack and our results for them.

use std::path::Path;

use alnm_imaging::{read_image, read_mask_channel};
use alnm_radiomics::{Extraction, Extractor, Parameters, RadiomicsError};
use serde_json::Value;

/// A number of the pack; what is not finite stands as text.
pub(crate) fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => match text.as_str() {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            other => panic!("{other} is no number of the pack"),
        },
        Value::Number(number) => number.as_f64().unwrap(),
        // A value that numpy made complex; its imaginary part is rounding.
        Value::Object(parts) => number(&parts["re"]),
        other => panic!("{other} is no number of the pack"),
    }
}

/// Our extraction for a run of the pack.
pub(crate) fn extract(folder: &Path, run: &Value) -> Result<Extraction, Box<dyn std::error::Error>> {
    let path = |key: &str| folder.join(run[key].as_str().unwrap());
    let image = read_image(path("image"))?;
    let extractor = Extractor::new(parameters(run)?)?;
    let channel = run.get("label_channel").and_then(Value::as_u64).map(|channel| channel as usize);
    let mask = read_mask_channel(path("mask"), channel.unwrap_or(extractor.parameters().settings().label_channel))?;
    let label = u32::try_from(run["label"].as_u64().unwrap())?;
    Ok(extractor.execute(&image, &mask, label)?)
}

/// The parameters of a run.
pub(crate) fn parameters(run: &Value) -> Result<Parameters, RadiomicsError> {
    Parameters::from_yaml(&run["params"].to_string())
}
