//! The features of all runs.

use alnm_conformance::pack::Pack;
use alnm_conformance::tally::{Deviation, Tally, Tolerance};
use alnm_imaging::{read_image, read_mask};
use alnm_radiomics::{Extraction, Extractor, Parameters};
use serde_json::{Map, Value};

use crate::expected::{Case, number};

const DEVIATIONS: &[Deviation] = &[
    Deviation {
        reason: "scipy's kurtosis of single-precision samples depends on their order on the sphere, here by less than 1e-5",
        explains: |d| d.element.contains("lbp-3D-k_firstorder") && (d.expected - d.got).abs() < 1e-5 * d.expected.abs(),
    },
    Deviation {
        reason: "an axis of a region without extent along it is 0 but for the square root of rounding, which LAPACK's differs from",
        explains: |d| {
            let axis = ["Elongation", "Flatness", "AxisLength"].iter().any(|name| d.element.ends_with(name));
            d.element.contains("_shape") && axis && d.expected.abs() < 1e-7 && d.got.abs() < 1e-7
        },
    },
    Deviation {
        reason: "levels of LBP3D take few values that repeat but for rounding, which decides whether those on a percentile count as robust",
        explains: |d| {
            d.element.contains("lbp-3D-m")
                && d.element.ends_with("_RobustMeanAbsoluteDeviation")
                && (d.expected - d.got).abs() < 0.01 * d.expected.abs()
        },
    },
];

/// The pack's tolerance of a feature among the `features` of its run.
fn tolerance(name: &str, features: &Map<String, Value>, params: &Value) -> Tolerance {
    let mut parts = name.rsplitn(3, '_');
    let (feature, class, image) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let setting = &params["setting"];
    let interpolator = setting.get("interpolator").and_then(Value::as_str).unwrap_or("sitkBSpline");
    let resampled = setting.get("resampledPixelSpacing").is_some_and(|spacing| !spacing.is_null());
    let soft = image.starts_with("log-sigma") || image == "gradient" || (resampled && interpolator == "sitkBSpline");
    let relative = match (feature, soft) {
        ("MCC", _) => 1e-4,
        (_, true) => 1e-5,
        (_, false) => 1e-6,
    };
    let mut absolute = 1e-12;
    if class == "firstorder" && !["Energy", "TotalEnergy", "Entropy", "Uniformity", "Kurtosis"].contains(&feature) {
        let extreme =
            |which: &str| features.get(&format!("{image}_firstorder_{which}")).map_or(0.0, |value| number(value).abs());
        let largest = extreme("Maximum").max(extreme("Minimum"));
        let scale = match feature {
            "Skewness" => 1.0,
            "Variance" => largest * largest,
            _ => largest,
        };
        absolute = if soft { 1e-6 } else { 1e-9 } * scale;
    }
    Tolerance { relative, absolute }
}
fn compare(tally: &mut Tally, run: &Value, extraction: &Extraction) {
    let features = run["features"].as_object().unwrap();
    let names: Vec<String> = extraction.features.iter().map(|feature| feature.id.name()).collect();
    tally.check(names.iter().eq(features.keys()), format_args!("columns {:?}", first_difference(&names, features)));
    for (name, value) in features {
        let got = extraction.features.iter().find(|feature| feature.id.name() == *name).map(|feature| feature.value);
        let tolerance = tolerance(name, features, &run["params"]);
        match got {
            Some(got) => tally.value(name, number(value), got, tolerance),
            None => tally.check(false, format_args!("{name}: no column")),
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
    let Some(pack) = Pack::open("radiomics") else { return };
    let mut tally = Tally::new("features").deviations(DEVIATIONS);
    for file in pack.files("expected", ".json.gz") {
        for (setting, run) in pack.json::<Value>(&file).as_object().unwrap() {
            tally.case(format!("{}/{setting}", run["case"].as_str().unwrap()));
            let ok = run["status"] == "ok";
            match Case::read(&pack, "", run).and_then(|case| case.extract()) {
                Ok(extraction) if ok => compare(&mut tally, run, &extraction),
                Ok(_) => tally.check(false, format_args!("expected an error, {}", run["error_message"])),
                Err(error) => tally.check(!ok, error),
            }
        }
    }
    tally.finish();
}

#[test]
fn columns_are_those_of_the_parameter_files() {
    let Some(pack) = Pack::open("radiomics") else { return };
    let mut tally = Tally::new("columns");
    // Any run that worked shows the columns of any parameter file.
    let file = pack.files("expected", ".json.gz").into_iter().next().expect("the pack has runs");
    let runs: Value = pack.json(&file);
    let run = runs.as_object().unwrap().values().find(|run| run["status"] == "ok").expect("a run worked");
    let image = read_image(pack.path(run["image"].as_str().unwrap())).unwrap();
    let mask = read_mask(pack.path(run["mask"].as_str().unwrap())).unwrap();
    let label = run["label"].as_u64().unwrap() as u32;
    for columns in pack.files("params", "_columns.txt") {
        let parameters = columns.to_string_lossy().replace("_columns.txt", ".yaml");
        tally.case(&parameters);
        let extraction = Extractor::new(Parameters::from_file(pack.path(&parameters)).unwrap())
            .execute(&image, &mask, label)
            .unwrap();
        let expected = pack.text(&columns);
        tally.check(
            extraction.features.len() == expected.lines().count(),
            format_args!("{} columns", extraction.features.len()),
        );
        for (feature, name) in extraction.features.iter().zip(expected.lines()) {
            tally.check(feature.id.name() == name, format_args!("{} instead of {name}", feature.id));
        }
    }
    tally.finish();
}
