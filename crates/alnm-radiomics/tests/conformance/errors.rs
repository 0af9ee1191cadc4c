//! Bad and odd input.

use alnm_conformance::pack::Pack;
use alnm_conformance::tally::{Deviation, Tally, Tolerance};
use serde_json::Value;

use crate::expected::{Case, number};

const DEVIATIONS: &[Deviation] = &[Deviation {
    reason: "PyRadiomics silently takes NaN voxels, inside and outside the region; they are refused",
    explains: |d| d.element.contains("every voxel must be finite"),
}];

#[test]
fn bad_input_is_treated_as_by_pyradiomics() {
    let Some(pack) = Pack::open("radiomics") else { return };
    let mut tally = Tally::new("errors").deviations(DEVIATIONS);
    for run in pack.json::<Value>("errors/errors.json").as_array().unwrap() {
        tally.case(run["case"].as_str().unwrap());
        let ok = run["status"] == "ok";
        match Case::read(&pack, "errors/images", run).and_then(|case| case.extract()) {
            Err(error) => tally.check(!ok, error),
            Ok(_) if !ok => tally.check(false, format_args!("expected an error, {}", run["error_message"])),
            Ok(extraction) => {
                let count = |key: &str| run[key].as_u64().unwrap() as usize;
                let undefined = extraction.features.iter().filter(|feature| !feature.value.is_finite()).count();
                tally.check(
                    extraction.features.len() == count("n_features"),
                    format_args!("{} features", extraction.features.len()),
                );
                tally.check(undefined == count("n_nan_or_inf"), format_args!("{undefined} undefined"));
                for (name, value) in run["sample"].as_object().map(|sample| sample.iter()).into_iter().flatten() {
                    compare(&mut tally, name, value, extraction.value(name));
                }
            }
        }
    }
    tally.finish();
}

fn compare(tally: &mut Tally, name: &str, expected: &Value, got: Option<f64>) {
    let expected = number(expected);
    // The high-pass bands of an image of one slice are 0 but for rounding.
    tally.value(name, expected, got.unwrap_or(f64::NAN), Tolerance { relative: 1e-5, absolute: 1e-12 });
}
