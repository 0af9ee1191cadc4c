//! The features of all runs.

use alnm_imaging::{read_image, read_mask};
use alnm_radiomics::{Extraction, Extractor, Parameters};
use serde_json::{Map, Value};

use crate::expected::{Case, number};
use crate::pack;
use crate::tally::{Deviation, Tally};

const DEVIATIONS: &[Deviation] = &[
    Deviation {
        cause: "scipy's kurtosis of single-precision samples depends on their order on the sphere, here by less than 1e-5",
        explains: |place, expected, got| {
            place.contains("lbp-3D-k_firstorder") && (expected - got).abs() < 1e-5 * expected.abs()
        },
    },
    Deviation {
        cause: "an axis of a region without extent along it is 0 but for the square root of rounding, which LAPACK's differs from",
        explains: |place, expected, got| {
            let axis = ["Elongation", "Flatness", "AxisLength"].iter().any(|name| place.ends_with(name));
            place.contains("_shape") && axis && expected.abs() < 1e-7 && got.abs() < 1e-7
        },
    },
    Deviation {
        cause: "levels of LBP3D take few values that repeat but for rounding, which decides whether those on a percentile count as robust",
        explains: |place, expected, got| {
            place.contains("lbp-3D-m")
                && place.ends_with("_RobustMeanAbsoluteDeviation")
                && (expected - got).abs() < 0.01 * expected.abs()
        },
    },
];

/// What a value may differ by: the pack's tolerances.
pub(crate) struct Tolerance {
    pub(crate) relative: f64,
    pub(crate) absolute: f64,
}

impl Tolerance {
    /// The tolerance of a feature among the `features` of its run.
    pub(crate) fn of(name: &str, features: &Map<String, Value>, params: &Value) -> Self {
        let mut parts = name.rsplitn(3, '_');
        let (feature, class, image) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let setting = &params["setting"];
        let interpolator = setting.get("interpolator").and_then(Value::as_str).unwrap_or("sitkBSpline");
        let resampled = setting.get("resampledPixelSpacing").is_some_and(|spacing| !spacing.is_null());
        let soft =
            image.starts_with("log-sigma") || image == "gradient" || (resampled && interpolator == "sitkBSpline");
        let relative = match (feature, soft) {
            ("MCC", _) => 1e-4,
            (_, true) => 1e-5,
            (_, false) => 1e-6,
        };
        let mut absolute = 1e-12;
        if class == "firstorder" && !["Energy", "TotalEnergy", "Entropy", "Uniformity", "Kurtosis"].contains(&feature) {
            let extreme = |which: &str| {
                features.get(&format!("{image}_firstorder_{which}")).map_or(0.0, |value| number(value).abs())
            };
            let largest = extreme("Maximum").max(extreme("Minimum"));
            let scale = match feature {
                "Skewness" => 1.0,
                "Variance" => largest * largest,
                _ => largest,
            };
            absolute = if soft { 1e-6 } else { 1e-9 } * scale;
        }
        Self { relative, absolute }
    }
}

fn compare(tally: &mut Tally, run: &Value, place: &str, extraction: &Extraction) {
    let features = run["features"].as_object().unwrap();
    let names: Vec<String> = extraction.features.iter().map(|feature| feature.id.name()).collect();
    tally.check(
        names.iter().eq(features.keys()),
        format_args!("{place}: columns {:?}", first_difference(&names, features)),
    );
    for (name, value) in features {
        let got = extraction.features.iter().find(|feature| feature.id.name() == *name).map(|feature| feature.value);
        let tolerance = Tolerance::of(name, features, &run["params"]);
        match got {
            Some(got) => {
                tally.value(format_args!("{place} {name}"), number(value), got, tolerance.relative, tolerance.absolute);
            }
            None => tally.check(false, format_args!("{place} {name}: no column")),
        }
    }
}

fn first_difference<'a>(names: &'a [String], features: &'a Map<String, Value>) -> Option<(&'a str, &'a str)> {
    names
        .iter()
        .zip(features.keys())
        .find(|(ours, theirs)| ours != theirs)
        .map(|(ours, theirs)| (ours.as_str(), theirs.as_str()))
}

#[test]
fn features_agree_with_pyradiomics() {
    let Some(folder) = pack::area("radiomics") else { return };
    let mut tally = Tally::new("features", DEVIATIONS);
    for file in pack::files(&folder.join("expected"), ".json.gz") {
        for (setting, run) in pack::json(&file).as_object().unwrap() {
            let place = format!("{}/{setting}", run["case"].as_str().unwrap());
            tally.case();
            let ok = run["status"] == "ok";
            match Case::read(&folder, run).and_then(|case| case.extract()) {
                Ok(extraction) if ok => compare(&mut tally, run, &place, &extraction),
                Ok(_) => tally.check(false, format_args!("{place}: expected an error, {}", run["error_message"])),
                Err(error) => tally.check(!ok, format_args!("{place}: {error}")),
            }
        }
    }
    tally.finish();
}

#[test]
fn columns_are_those_of_the_parameter_files() {
    let Some(folder) = pack::area("radiomics") else { return };
    let mut tally = Tally::new("columns", &[]);
    // Any run that worked shows the columns of any parameter file.
    let file = pack::files(&folder.join("expected"), ".json.gz").into_iter().next().expect("the pack has runs");
    let runs = pack::json(&file);
    let run = runs.as_object().unwrap().values().find(|run| run["status"] == "ok").expect("a run worked");
    let image = read_image(folder.join(run["image"].as_str().unwrap())).unwrap();
    let mask = read_mask(folder.join(run["mask"].as_str().unwrap())).unwrap();
    let label = run["label"].as_u64().unwrap() as u32;
    for columns in pack::files(&folder.join("params"), "_columns.txt") {
        tally.case();
        let parameters = columns.to_string_lossy().replace("_columns.txt", ".yaml");
        let extraction =
            Extractor::new(Parameters::from_file(&parameters).unwrap()).execute(&image, &mask, label).unwrap();
        let expected = String::from_utf8(pack::bytes(&columns)).unwrap();
        tally.check(
            extraction.features.len() == expected.lines().count(),
            format_args!("{parameters}: {} columns", extraction.features.len()),
        );
        for (feature, name) in extraction.features.iter().zip(expected.lines()) {
            tally.check(feature.id.name() == name, format_args!("{parameters}: {name}, got {}", feature.id));
        }
    }
    tally.finish();
}
