//! The commands `alnm predict` and `alnm calculator` on files.

// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

mod command;

use std::path::Path;

use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams, Measurement, RiskModel, Variable};
use ndarray::Array2;

use command::{Said, ends_with, succeeds};

/// A model of two variables on 60 rows, saved in the folder.
fn save_model(folder: &Path) -> RiskModel {
    let values =
        Array2::from_shape_fn(
            (60, 2),
            |(row, column)| if column == 0 { 30.0 + row as f64 } else { ((row * 37) % 41) as f64 / 10.0 },
        );
    let labels = Labels::new((0..60).map(|row| (row * 29) % 60 + (row * 37) % 41 > 48).collect());
    let table = FeatureTable::new(vec!["age".into(), "MTD".into()], values).unwrap();
    let fitted = LogisticModel::fit(&table, &labels, &LogisticParams::default()).unwrap();
    let variables = [Variable::new("age", "years"), Variable::new("MTD", "cm")];
    let mut model =
        RiskModel::new("two variables", &fitted, &variables, &table, "sixty simulated rows </script>").unwrap();
    model.add_youden_cutoff("Youden, training", &labels, fitted.fitted()).unwrap();
    std::fs::write(folder.join("model.json"), model.to_json().unwrap()).unwrap();
    model
}

fn answer(folder: &Path, arguments: &str) -> String {
    succeeds(folder, arguments).results
}

fn complaint(folder: &Path, arguments: &str) -> String {
    ends_with(1, folder, &arguments.split_whitespace().collect::<Vec<_>>()).messages
}

#[test]
fn a_batch_of_patients() {
    let folder = tempfile::tempdir().unwrap();
    let model = save_model(folder.path());
    std::fs::write(folder.path().join("patients.csv"), "id,MTD (cm),age\nA,2.5,50\nB,9,51\n").unwrap();
    let text = answer(folder.path(), "predict model.json --patient patients.csv --format csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let columns = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let cell = |row: usize, name: &str| rows[row][columns.iter().position(|column| column == name).unwrap()].to_owned();
    for (row, [age, mtd]) in [[50.0, 2.5], [51.0, 9.0]].into_iter().enumerate() {
        let patient = [Measurement::new("age", "years", age), Measurement::new("MTD", "cm", mtd)];
        let expected = model.assess(&patient, 0.95).unwrap();
        assert_eq!(cell(row, "risk").parse::<f64>().unwrap(), expected.risk);
        assert_eq!(cell(row, "interval_upper").parse::<f64>().unwrap(), expected.interval.upper);
        assert_eq!(cell(row, "contribution of MTD").parse::<f64>().unwrap(), expected.contributions[1].log_odds);
        assert_eq!(cell(row, "above Youden, training"), u8::from(expected.decisions[0].positive).to_string());
    }
    assert_eq!([cell(0, "id"), cell(1, "id")], ["A", "B"]);
    assert_eq!([cell(0, "outside_training_range"), cell(1, "outside_training_range")], ["", "MTD"]);

    let text = answer(folder.path(), "predict model.json --patient patients.csv");
    assert!(
        text.contains("patient A: risk")
            && text.contains("the risk is an extrapolation")
            && text.contains("not a medical device")
    );
}

#[test]
fn json_and_csv_patients_agree() {
    let folder = tempfile::tempdir().unwrap();
    save_model(folder.path());
    std::fs::write(folder.path().join("one.json"), r#"{"age (years)": 44, "MTD": 1.5}"#).unwrap();
    std::fs::write(folder.path().join("one.csv"), "age,MTD\n44,1.5\n").unwrap();
    let json = answer(folder.path(), "predict model.json --patient one.json --format json");
    assert_eq!(json, answer(folder.path(), "predict model.json --patient one.csv --format json"));
    // As a spreadsheet of a country with decimal commas writes it.
    std::fs::write(folder.path().join("semicolons.csv"), "\u{feff}age;MTD\n44;1,5\n").unwrap();
    assert_eq!(json, answer(folder.path(), "predict model.json --patient semicolons.csv --json"));
    for format in ["csv", "json"] {
        let command = format!("predict model.json --patient one.csv -o risks.{format} --append");
        answer(folder.path(), &command);
        answer(folder.path(), &command);
    }
    let lines = std::fs::read_to_string(folder.path().join("risks.csv")).unwrap();
    assert_eq!(lines.lines().count(), 3, "{lines}");
    let list: Vec<serde_json::Value> =
        serde_json::from_slice(&std::fs::read(folder.path().join("risks.json")).unwrap()).unwrap();
    assert_eq!((list.len(), &list[0]), (2, &list[1]));
    let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(parsed[0]["risk"].as_f64().is_some_and(|risk| risk > 0.0 && risk < 1.0));

    let head = answer(folder.path(), "predict model.json --template");
    assert_eq!(head, "age (years),MTD (cm)\n");
}

#[test]
fn mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    save_model(path);
    let write = |name: &str, text: &str| std::fs::write(path.join(name), text).unwrap();
    write("unit.csv", "age,MTD (mm)\n44,15\n");
    write("missing.csv", "age\n44\n");
    write("empty.csv", "age,MTD\n44,\n");
    write("none.csv", "age,MTD\n");
    write("other.json", "{\"format_version\": 1}");
    assert!(complaint(path, "predict model.json --patient unit.csv").contains("MTD (cm)"));
    assert!(complaint(path, "predict model.json --patient missing.csv").contains("there is no column \"MTD (cm)\""));
    assert!(complaint(path, "predict model.json --patient empty.csv").contains("patient 1: \"MTD\" is \"\""));
    // The others have their answers.
    write("some.csv", "id;AGE;mtd (CM)\nA;44;2,5\nB;;3\n");
    let predict = ["predict", "model.json", "--patient", "some.csv"];
    let Said { results: table, messages } = ends_with(4, path, &[&predict[..], &["-f", "csv"]].concat());
    assert_eq!(messages, "error: patient B: \"age\" is \"\"; a number is needed\nerror: 1 of 2 patients failed\n");
    let rows: Vec<&str> = table.lines().collect();
    assert!(rows.len() == 3 && rows[1].starts_with("A,44,2.5,0.") && rows[2].starts_with("B,,,,"), "{table}");
    let told = ends_with(4, path, &[&predict[..], &["--json"]].concat()).results;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert!(told[0]["risk"].is_number() && told[1]["error"].is_string(), "{told}");
    assert!(complaint(path, "predict model.json --patient none.csv").contains("no patient"));
    assert!(complaint(path, "predict other.json --patient unit.csv").contains("the file is not a saved risk model"));
    assert!(complaint(path, "calculator model.json unit.csv").contains("--force"));
}

/// A change to the parsed file of a model.
type Damage = fn(&mut serde_json::Value);

#[test]
fn a_damaged_model_is_refused_with_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    save_model(path);
    std::fs::write(path.join("patients.csv"), "age,MTD\n44,1.5\n").unwrap();
    let saved = std::fs::read_to_string(path.join("model.json")).unwrap();
    let damages: [(Damage, &str); 13] = [
        (|file| file["value"]["covariance"] = serde_json::json!([[0.1]]), "the covariance has 1 rows; it must have 3"),
        (|file| file["value"]["covariance"][1] = serde_json::json!([0.1, 0.2]), "covariance"),
        (|file| file["value"]["covariance"][0][0] = (-1.0).into(), "column 1 of the covariance is -1"),
        (|file| file["value"]["covariance"][0][1] = 7.5.into(), "as on the other side of the diagonal"),
        (|file| file["value"]["intercept"] = 0.25.into(), "damaged or edited after it was saved"),
        (|file| file["value"]["variables"][0]["coefficient"] = 1.0.into(), "damaged or edited after it was saved"),
        (|file| file["value"]["variables"][0]["training_mean"] = 1e6.into(), "must lie in the training range"),
        (|file| file["value"]["variables"][1]["variable"]["name"] = "age".into(), "\"age\""),
        (
            |file| file["value"]["variables"][1]["variable"]["unit"] = "mm".into(),
            "damaged or edited after it was saved",
        ),
        (|file| file["value"]["cutoffs"][0]["threshold"] = 1.5.into(), "it must lie between 0 and 1"),
        (|file| file["value"]["training_events"] = 0.into(), "the number of training events is 0"),
        (|file| file["version"] = 99.into(), "is 99; this library reads version"),
        (|file| file["sha256"] = "00".into(), "damaged or edited after it was saved"),
    ];
    for (number, (damage, words)) in damages.into_iter().enumerate() {
        let mut file: serde_json::Value = serde_json::from_str(&saved).unwrap();
        damage(&mut file);
        std::fs::write(path.join("damaged.json"), file.to_string()).unwrap();
        for command in ["predict damaged.json --patient patients.csv", "calculator damaged.json page.html"] {
            let said = complaint(path, command);
            assert!(said.contains("damaged.json") && said.contains(words), "damage {number}: {said}");
        }
    }
    assert!(!path.join("page.html").exists());
    for length in [0, 1, saved.len() / 3, saved.len() - 3] {
        std::fs::write(path.join("damaged.json"), &saved[..length]).unwrap();
        let said = complaint(path, "predict damaged.json --patient patients.csv");
        assert!(said.contains("the file is not valid JSON"), "{length} bytes: {said}");
    }
    // White space and the order of members do not matter.
    let file: serde_json::Value = serde_json::from_str(&saved).unwrap();
    std::fs::write(path.join("reordered.json"), file.to_string()).unwrap();
    let answers = ["model.json", "reordered.json"]
        .map(|model| answer(path, &format!("predict {model} --patient patients.csv --format json")));
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn a_damaged_model_gives_no_risk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    save_model(path);
    std::fs::write(path.join("one.csv"), "age,MTD\n44,1.5\n").unwrap();
    let text = std::fs::read_to_string(path.join("model.json")).unwrap();
    let good: serde_json::Value = serde_json::from_str(&text).unwrap();
    let refusal = |name: &str, text: &str| {
        std::fs::write(path.join(name), text).unwrap();
        complaint(path, &format!("predict {name} --patient one.csv"))
    };
    let edited = |member: &str, value: serde_json::Value| {
        let mut model = good.clone();
        *model.pointer_mut(member).unwrap() = value;
        refusal("edited.json", &model.to_string())
    };
    for (message, expected) in [
        (
            edited("/value/covariance", serde_json::json!([[0.1]])),
            "the covariance has 1 rows; it must have 3, for the intercept and each variable",
        ),
        (edited("/value/variables/0/coefficient", serde_json::json!(0.5)), "the file was damaged or edited"),
        (edited("/value/variables/1/variable/unit", serde_json::json!("mm")), "the file was damaged or edited"),
        (edited("/value/cutoffs/0/threshold", serde_json::json!(7.0)), "is 7; it must lie between 0 and 1"),
        (edited("/format", serde_json::json!("alnm-signature")), "that of a saved risk model is \"alnm-risk-model\""),
        (edited("/version", serde_json::json!(2)), "the version of the saved risk model is 2"),
        (refusal("short.json", &text[..text.len() / 2]), "the file is not valid JSON"),
        (refusal("bare.json", &good["value"].to_string()), "the file is not a saved risk model"),
    ] {
        assert!(message.contains(expected), "{message}");
    }
    // White space is no damage.
    std::fs::write(path.join("dense.json"), good.to_string()).unwrap();
    let risk = |name: &str| answer(path, &format!("predict {name} --patient one.csv --format csv"));
    assert_eq!(risk("dense.json"), risk("model.json"));
}

#[test]
fn the_calculator_holds_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let model = save_model(folder.path());
    answer(folder.path(), "calculator model.json calculator.html");
    let page = std::fs::read_to_string(folder.path().join("calculator.html")).unwrap();
    let embedded = |id: &str| {
        let opening = format!("id=\"{id}\">");
        let start = page.find(&opening).unwrap() + opening.len();
        page[start..start + page[start..].find("</script>").unwrap()].to_owned()
    };
    assert_eq!(serde_json::from_str::<RiskModel>(&embedded("model")).unwrap(), model);
    let nomogram: serde_json::Value = serde_json::from_str(&embedded("axes")).unwrap();
    assert_eq!(nomogram["axes"].as_array().unwrap().len(), 2);
    assert!(!page.contains("http://") && !page.contains("https://"));
}
