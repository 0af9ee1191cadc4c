//! The statistics pack: which crate runs which section, and its cases.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::pack::{Pack, Table};
use crate::tally::{self, Deviation, Tally, Tolerance};

/// Which crate runs the cases of a section, so that every case runs in exactly one.
const OWNERS: [(&str, &str); 15] = [
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
    // Its cases compose everything above.
    ("K_paper", "alnm-models"),
];

/// The statistics pack: its cases and what is expected of them.
#[derive(Debug)]
pub struct StatisticsPack {
    pack: Pack,
    cases: Vec<Case>,
    expected: BTreeMap<String, Value>,
}

/// One case of the manifest.
#[derive(Debug, Clone)]
pub struct Case {
    /// Section, kind and data set.
    pub id: String,
    /// The first part of the id.
    pub section: String,
    /// What was computed, the second part of the id.
    pub kind: String,
    /// The call that made the expected values.
    pub call: String,
    /// Its further arguments.
    pub args: Value,
    /// The files of its inputs.
    pub inputs: Vec<String>,
    expected_file: String,
    tolerance: Option<Tolerance>,
}

impl Case {
    fn from_manifest(entry: &Value) -> Self {
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let id = text("id");
        let kind = id.split('/').nth(1).unwrap_or_default().to_owned();
        let bounds = entry["rtol"].as_f64().zip(entry["atol"].as_f64());
        let tolerance = bounds.map(|(relative, absolute)| Tolerance { relative, absolute });
        let inputs = match &entry["inputs"] {
            Value::Array(inputs) => inputs.iter().filter_map(|input| input.as_str().map(str::to_owned)).collect(),
            Value::String(input) => vec![input.clone()],
            _ => Vec::new(),
        };
        Self {
            section: text("section"),
            kind,
            call: text("call"),
            args: entry["args"].clone(),
            inputs,
            expected_file: text("expected"),
            tolerance,
            id,
        }
    }
}

impl StatisticsPack {
    /// The pack; `None`, with a line that says so, where there is none.
    ///
    /// # Panics
    /// When there is none although `ALNM_REQUIRE_REFERENCE=1` asks for it, or when it is not as it should be.
    #[must_use]
    pub fn open() -> Option<Self> {
        let pack = Pack::open("statistics")?;
        let cases: Vec<Case> = pack.cases().iter().map(Case::from_manifest).collect();
        let mut expected = BTreeMap::new();
        for case in &cases {
            expected.entry(case.expected_file.clone()).or_insert_with(|| pack.json(&case.expected_file));
        }
        Some(Self { pack, cases, expected })
    }

    /// What is expected of a case.
    #[must_use]
    pub fn expected(&self, case: &Case) -> &Value {
        &self.expected[&case.expected_file][&case.id]
    }

    /// Input number `index` of a case.
    ///
    /// # Panics
    /// When the case has no such input.
    #[must_use]
    pub fn table(&self, case: &Case, index: usize) -> Table {
        self.pack.table(&case.inputs[index])
    }

    /// The text of a file of the pack that a case names in its kind, such as a model.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn text(&self, file: &str) -> String {
        self.pack.text(file)
    }

    /// Runs all cases of the crate's sections and prints a line for each section. `evaluate` gives the fields that it
    /// computes; an error counts as the error that the pack expects.
    ///
    /// # Panics
    /// When a case fails, or when the pack has a section that no crate runs.
    pub fn run(
        &self,
        owner: &str,
        deviations: &'static [Deviation],
        evaluate: impl Fn(&Self, &Case) -> Result<Value, String>,
    ) {
        let owners = BTreeMap::from(OWNERS);
        let mut sections: BTreeMap<&str, Tally> = BTreeMap::new();
        for case in &self.cases {
            let section = case.section.as_str();
            let runs = owners.get(section).unwrap_or_else(|| panic!("no crate owns section {section}"));
            if *runs == owner {
                let new = || Tally::new(section).deviations(deviations);
                let tally = sections.entry(section).or_insert_with(new);
                tally.case(&case.id);
                judge(tally, case, self.expected(case), evaluate(self, case));
            }
        }
        tally::finish(sections.into_values());
    }
}

fn judge(tally: &mut Tally, case: &Case, expected: &Value, got: Result<Value, String>) {
    match (expected.get("error"), got, case.tolerance) {
        (Some(_), Err(_), _) => tally.check(true, "an error"),
        (Some(error), Ok(_), _) => tally.check(false, format_args!("expected the error {error}")),
        // A table of deviations sees a result that could not be computed as null.
        (None, Err(error), _) => tally.absent(expected, format_args!("unexpected error: {error}")),
        (None, Ok(got), Some(tolerance)) => tally.fields(expected, &got, tolerance),
        (None, Ok(got), None) => ranges(tally, expected, &got),
    }
}

/// Ranges that a random result has to lie in.
fn ranges(tally: &mut Tally, expected: &Value, got: &Value) {
    for (key, value) in got.as_object().into_iter().flatten() {
        let bound = |end: &str| expected[key][end].as_f64();
        let inside = match (value.as_f64(), bound("accept_low"), bound("accept_high")) {
            (Some(value), Some(low), Some(high)) => (low..=high).contains(&value),
            _ => false,
        };
        tally.check(inside, format_args!("/{key}: {value} outside the range of {}", expected[key]));
    }
}
