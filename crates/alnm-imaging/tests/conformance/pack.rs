//! The cases of the imaging pack, and their images.

use std::collections::BTreeMap;
use std::path::Path;

use alnm_conformance::pack::Pack;
use alnm_conformance::tally::{Tally, Worst};
use alnm_imaging::{Image, LabelMap, read_image, read_mask};
use serde::Deserialize;

/// The pack and the cases of its manifest.
pub(crate) struct ImagingPack {
    pub(crate) pack: Pack,
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

impl ImagingPack {
    /// The pack, or nothing when it is missing and need not be there.
    pub(crate) fn open() -> Option<Self> {
        let pack = Pack::open("imaging")?;
        let Manifest { cases } = pack.json("manifest.json");
        Some(Self { pack, cases })
    }

    /// The cases of one kind.
    pub(crate) fn cases<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Case> {
        self.cases.iter().filter(move |case| case.kind == kind)
    }

    pub(crate) fn image(&self, file: impl AsRef<Path>) -> Image {
        read_image(self.pack.path(file)).unwrap()
    }

    pub(crate) fn mask(&self, file: impl AsRef<Path>) -> LabelMap {
        read_mask(self.pack.path(file)).unwrap()
    }

    pub(crate) fn output(&self, case: &Case, name: &str) -> Option<Image> {
        case.outputs.get(name).map(|output| self.image(&output.path))
    }
}

/// A section whose line says the largest difference, and which a pack may lack.
pub(crate) fn section(name: &str) -> Tally {
    Tally::new(name).worst(Worst::Difference).may_be_absent()
}

impl std::fmt::Display for Case {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.name, self.key)
    }
}
