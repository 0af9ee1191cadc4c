//! What is reported beside the features.

use alnm_conformance::pack::Pack;
use alnm_conformance::tally::{Tally, Tolerance};
use alnm_radiomics::DiagnosticValue;
use serde_json::Value;

use crate::expected::{Case, number};

/// The numbers of a value; `None` for text.
fn numbers(value: &DiagnosticValue) -> Option<Vec<f64>> {
    match value {
        DiagnosticValue::Integer(value) => Some(vec![*value as f64]),
        DiagnosticValue::Float(value) => Some(vec![*value]),
        DiagnosticValue::Integers(values) => Some(values.iter().map(|&value| value as f64).collect()),
        DiagnosticValue::Floats(values) => Some(values.clone()),
        _ => None,
    }
}

fn compare(tally: &mut Tally, name: &str, expected: &Value, got: &DiagnosticValue) {
    let listed = |values: &[Value]| values.iter().map(number).collect::<Vec<f64>>();
    let expected = match expected {
        Value::Array(values) => listed(values),
        Value::Number(_) => listed(std::slice::from_ref(expected)),
        other => {
            return tally
                .check(other.as_str() == Some(&got.to_string()), format_args!("{name}: {got} instead of {other}"));
        }
    };
    let tolerance = Tolerance { relative: 1e-9, absolute: 1e-9 };
    tally.values(name, &expected, &numbers(got).unwrap_or_default(), tolerance);
}

#[test]
fn diagnostics_agree_with_pyradiomics() {
    let Some(pack) = Pack::open("radiomics") else { return };
    let mut tally = Tally::new("diagnostics");
    for file in pack.files("expected", ".json.gz") {
        for (setting, run) in
            pack.json::<Value>(&file).as_object().unwrap().iter().filter(|(_, run)| run["status"] == "ok")
        {
            let place = format!("{}/{setting}", run["case"].as_str().unwrap());
            let extraction = Case::read(&pack, "", run)
                .and_then(|case| case.extract())
                .unwrap_or_else(|error| panic!("{place}: {error}"));
            tally.case(&place);
            let reported = |name: &str| {
                !name.starts_with("diagnostics_Versions") && !name.starts_with("diagnostics_Configuration")
            };
            let got: Vec<_> = extraction.diagnostics.iter().filter(|entry| reported(&entry.name)).collect();
            let expected = run["diagnostics"].as_object().unwrap();
            tally.check(expected.keys().eq(got.iter().map(|entry| &entry.name)), "names");
            for ((name, expected), got) in expected.iter().zip(got) {
                compare(&mut tally, name, expected, &got.value);
            }
        }
    }
    tally.finish();
}
