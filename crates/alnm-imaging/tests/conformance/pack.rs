//! The reference pack, and the line that a section prints.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use alnm_imaging::{Image, LabelMap, read_image, read_mask};
use serde::Deserialize;

/// The pack's manifest and the folder it describes.
pub(crate) struct Pack {
    pub(crate) root: PathBuf,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Manifest {
    cases: Vec<Case>,
}

/// One case of the manifest.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Case {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) input: String,
    pub(crate) mask: Option<String>,
    #[serde(default)]
    pub(crate) params: serde_json::Value,
    #[serde(default)]
    pub(crate) outputs: BTreeMap<String, Output>,
    pub(crate) iterations: Option<usize>,
    /// Level, iteration and convergence of each iteration.
    #[serde(default)]
    pub(crate) trace: Vec<(usize, usize, f64)>,
    pub(crate) spread_vs_2_threads: Option<Spread>,
}

/// How far SimpleITK is from itself with another number of threads.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Spread {
    pub(crate) log_bias_max_abs_diff: f64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Output {
    path: String,
}

impl Pack {
    /// The pack, or nothing when it is missing and need not be there.
    pub(crate) fn load() -> Option<Self> {
        let root = match std::env::var_os("ALNM_REFERENCE") {
            Some(folder) => PathBuf::from(folder),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference"),
        }
        .join("imaging");
        let Ok(manifest) = std::fs::read(root.join("manifest.json")) else {
            let required = std::env::var_os("ALNM_REQUIRE_REFERENCE").is_some_and(|value| value == "1");
            assert!(!required, "no reference pack in {}", root.display());
            println!("skipped: no reference pack in {}", root.display());
            return None;
        };
        let manifest: Manifest = serde_json::from_slice(&manifest).expect("the manifest describes cases");
        Some(Self { root, cases: manifest.cases })
    }

    /// The cases of one kind.
    pub(crate) fn cases<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Case> {
        self.cases.iter().filter(move |case| case.kind == kind)
    }

    pub(crate) fn image(&self, path: &str) -> Image {
        read_image(self.root.join(path)).unwrap()
    }

    pub(crate) fn mask(&self, path: &str) -> LabelMap {
        read_mask(self.root.join(path)).unwrap()
    }

    pub(crate) fn output(&self, case: &Case, name: &str) -> Option<Image> {
        case.outputs.get(name).map(|output| self.image(&output.path))
    }
}

/// What one section found.
pub(crate) struct Section {
    name: &'static str,
    cases: usize,
    failures: Vec<String>,
    worst: f64,
    at: String,
}

impl Section {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, cases: 0, failures: Vec::new(), worst: 0.0, at: "-".to_owned() }
    }

    /// Counts a case whose difference may be at most `limit`.
    pub(crate) fn count(&mut self, case: &str, difference: f64, limit: f64) {
        self.cases += 1;
        if difference > self.worst || difference.is_nan() {
            self.worst = difference;
            self.at = case.to_owned();
        }
        if difference.is_nan() || difference > limit {
            self.failures.push(format!("{case}: {difference:e} where {limit:e} is allowed"));
        }
    }

    /// Prints the line and fails when a case failed.
    pub(crate) fn finish(self) {
        let Self { name, cases, failures, worst, at } = self;
        if cases == 0 {
            println!("{name}: absent from the pack");
            return;
        }
        println!("{name}: {cases} cases, {} passed, worst difference {worst:.3e}, {at}", cases - failures.len());
        assert!(failures.is_empty(), "{name}: {failures:#?}");
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.name, self.key)
    }
}
