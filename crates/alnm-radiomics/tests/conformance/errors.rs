//! Bad and odd input.

use serde_json::Value;

use crate::expected::{Case, number};
use crate::pack;
use crate::tally::{Deviation, Tally};

const DEVIATIONS: &[Deviation] = &[Deviation {
    cause: "PyRadiomics silently takes NaN voxels, inside and outside the region; they are refused",
    explains: |place, _, _| place.contains("every voxel must be finite"),
}];

#[test]
fn bad_input_is_treated_as_by_pyradiomics() {
    let Some(folder) = pack::area("radiomics") else { return };
    let mut tally = Tally::new("errors", DEVIATIONS);
    let images = folder.join("errors").join("images");
    for run in pack::json(&folder.join("errors").join("errors.json")).as_array().unwrap() {
        tally.case();
        let place = run["case"].as_str().unwrap();
        let ok = run["status"] == "ok";
        match Case::read(&images, run).and_then(|case| case.extract()) {
            Err(error) => tally.check(!ok, format_args!("{place}: {error}")),
            Ok(_) if !ok => tally.check(false, format_args!("{place}: expected an error, {}", run["error_message"])),
            Ok(extraction) => {
                let count = |key: &str| run[key].as_u64().unwrap() as usize;
                let undefined = extraction.features.iter().filter(|feature| !feature.value.is_finite()).count();
                tally.check(
                    extraction.features.len() == count("n_features"),
                    format_args!("{place}: {} features", extraction.features.len()),
                );
                tally.check(undefined == count("n_nan_or_inf"), format_args!("{place}: {undefined} undefined"));
                for (name, value) in run["sample"].as_object().map(|sample| sample.iter()).into_iter().flatten() {
                    compare(&mut tally, place, name, value, extraction.value(name));
                }
            }
        }
    }
    tally.finish();
}

fn compare(tally: &mut Tally, place: &str, name: &str, expected: &Value, got: Option<f64>) {
    let expected = number(expected);
    // The high-pass bands of an image of one slice are 0 but for rounding.
    tally.value(format_args!("{place} {name}"), expected, got.unwrap_or(f64::NAN), 1e-5, 1e-12);
}
