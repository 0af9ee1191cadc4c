//! Runs of the pack and our results for them.

use alnm_conformance::pack::{Pack, as_number};
use alnm_imaging::{Image, LabelMap, read_image, read_mask_channel};
use alnm_radiomics::{Extraction, Extractor, Parameters, RadiomicsError};
use serde_json::Value;

/// A number of the pack.
pub(crate) fn number(value: &Value) -> f64 {
    as_number(value).unwrap_or_else(|| panic!("{value} is no number of the pack"))
}

/// A failure of any of our crates.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// The image, mask and label of a run, and an extractor with its parameters.
pub(crate) struct Case {
    pub(crate) image: Image,
    pub(crate) mask: LabelMap,
    pub(crate) label: u32,
    pub(crate) extractor: Extractor,
}

impl Case {
    /// Reads what a run names, in a folder of the pack.
    pub(crate) fn read(pack: &Pack, folder: &str, run: &Value) -> Result<Self, Failure> {
        let path = |key: &str| pack.path(folder).join(run[key].as_str().unwrap());
        let image = read_image(path("image"))?;
        let extractor = Extractor::new(parameters(run)?);
        let channel = run.get("label_channel").and_then(Value::as_u64).map(|channel| channel as usize);
        let mask = read_mask_channel(path("mask"), channel.unwrap_or(extractor.parameters().settings().label_channel))?;
        Ok(Self { image, mask, label: u32::try_from(run["label"].as_u64().unwrap())?, extractor })
    }

    /// Our extraction.
    pub(crate) fn extract(&self) -> Result<Extraction, Failure> {
        Ok(self.extractor.execute(&self.image, &self.mask, self.label)?)
    }
}

/// The run of the same case among the pack's runs, with other parameters: where index files name a case, the runs say
/// which image and mask that is.
pub(crate) fn run_with(pack: &Pack, case: &str, params: &Value) -> Value {
    let runs: Value = pack.json(format!("expected/{case}.json.gz"));
    let mut run = runs.as_object().unwrap().values().next().expect("a case has runs").clone();
    run["params"] = params.clone();
    run
}

/// The parameters of a run.
pub(crate) fn parameters(run: &Value) -> Result<Parameters, RadiomicsError> {
    Parameters::from_yaml(&run["params"].to_string())
}
