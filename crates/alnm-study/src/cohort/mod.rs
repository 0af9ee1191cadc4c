//! The cohort folder: `cohort.toml`, `patients.csv`, images and masks.

mod files;
mod table;
mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub use files::{PatientVoxels, check_files, check_headers, read_analysed_image, read_outline};
pub use table::{COLUMNS, read_patients, write_patients};
pub use template::write_template;

/// `cohort.toml`: which centre trains, which validate, and how the images are to be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CohortDescription {
    /// Name of the cohort, as printed in the report.
    pub name: String,
    /// Whether the patients are simulated; the report then says so on every page.
    #[serde(default)]
    pub simulated: bool,
    /// Phase of a dynamic series that is analysed, counted from 1.
    #[serde(default = "fourth")]
    pub phase: usize,
    /// Label of the tumour in the masks.
    #[serde(default = "one")]
    pub label: u32,
    /// The centre whose patients everything is learned on.
    pub training_centre: String,
    /// Centres on which nothing is learned.
    pub validation_centres: Vec<String>,
    /// What happens to patients with a problem.
    #[serde(default)]
    pub problems: ProblemPolicy,
}

/// What happens to a patient whose row, image or mask has a problem. A missing value is one: nothing is imputed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProblemPolicy {
    /// All problems are reported, and nothing is computed.
    #[default]
    Refuse,
    /// The patient is left out, and counted with the reason.
    Exclude,
}

fn fourth() -> usize {
    4
}

fn one() -> u32 {
    1
}

/// Whether a marker was found by immunohistochemistry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Markers {
    /// Progesterone receptor.
    pub pr: bool,
    /// Oestrogen receptor.
    pub er: bool,
    /// Human epidermal growth factor receptor 2.
    pub her2: bool,
    /// Proliferation marker Ki-67 above the clinic's threshold.
    pub ki67: bool,
}

/// Molecular subtype.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subtype {
    /// HER2-positive.
    Her2Positive,
    /// Luminal A.
    LuminalA,
    /// Luminal B.
    LuminalB,
    /// Triple-negative.
    TripleNegative,
}

impl Subtype {
    /// All subtypes in the order of print.
    pub const ALL: [Self; 4] = [Self::Her2Positive, Self::LuminalA, Self::LuminalB, Self::TripleNegative];

    /// The name used in `patients.csv`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Her2Positive => "HER2+",
            Self::LuminalA => "Luminal A",
            Self::LuminalB => "Luminal B",
            Self::TripleNegative => "TNBC",
        }
    }
}

/// Blood counts in 10⁹ cells per litre, and the indices computed from them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BloodCounts {
    /// Neutrophils N.
    pub neutrophils: f64,
    /// Lymphocytes L.
    pub lymphocytes: f64,
    /// Monocytes M.
    pub monocytes: f64,
    /// White blood cells WBC.
    pub wbc: f64,
    /// Platelets P.
    pub platelets: f64,
}

impl BloodCounts {
    /// Systemic immune-inflammation index N·P/L.
    #[must_use]
    pub fn sii(&self) -> f64 {
        self.neutrophils * self.platelets / self.lymphocytes
    }

    /// Neutrophil-to-lymphocyte ratio N/L.
    #[must_use]
    pub fn nlr(&self) -> f64 {
        self.neutrophils / self.lymphocytes
    }

    /// Platelet-to-lymphocyte ratio P/L.
    #[must_use]
    pub fn plr(&self) -> f64 {
        self.platelets / self.lymphocytes
    }

    /// Monocyte-to-lymphocyte ratio M/L.
    #[must_use]
    pub fn mlr(&self) -> f64 {
        self.monocytes / self.lymphocytes
    }

    /// White-cell-to-lymphocyte ratio WBC/L.
    #[must_use]
    pub fn wlr(&self) -> f64 {
        self.wbc / self.lymphocytes
    }
}

/// One patient: a row of `patients.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct Patient {
    /// Identifier, unique in the cohort.
    pub id: String,
    /// Centre.
    pub centre: String,
    /// Axillary lymph node metastasis.
    pub alnm: bool,
    /// Age in years.
    pub age_years: f64,
    /// Maximum tumour diameter in cm.
    pub mtd_cm: f64,
    /// Short axis of the axillary lymph node in cm.
    pub sad_aln_cm: f64,
    /// Immunohistochemistry.
    pub markers: Markers,
    /// Molecular subtype.
    pub subtype: Subtype,
    /// Blood counts.
    pub blood: BloodCounts,
    /// Image: a DICOM folder or a file, relative to the cohort folder.
    pub image: PathBuf,
    /// Mask file, relative to the cohort folder.
    pub mask: PathBuf,
    /// The second reader's mask, where there is one.
    pub mask_reader2: Option<PathBuf>,
    /// Further columns of the table.
    pub further: BTreeMap<String, String>,
}

impl Patient {
    /// Image and masks, relative to the cohort folder.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.image, &self.mask].into_iter().chain(&self.mask_reader2)
    }
}

/// A cohort whose description and table were read without a problem.
#[derive(Debug, Clone)]
pub struct Cohort {
    /// The folder.
    pub folder: PathBuf,
    /// `cohort.toml`.
    pub description: CohortDescription,
    /// `patients.csv`, in its order, without those who were excluded.
    pub patients: Vec<Patient>,
    /// Patients who were left out.
    pub excluded: Vec<Exclusion>,
}

/// A patient who was left out ([`ProblemPolicy::Exclude`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exclusion {
    /// Identifier.
    pub patient: String,
    /// Everything that is wrong.
    pub reasons: Vec<String>,
}

impl Cohort {
    /// Patients of the training centre.
    #[must_use]
    pub fn training(&self) -> Vec<&Patient> {
        self.of_centre(&self.description.training_centre)
    }

    /// Patients of all validation centres.
    #[must_use]
    pub fn validation(&self) -> Vec<&Patient> {
        self.description.validation_centres.iter().flat_map(|centre| self.of_centre(centre)).collect()
    }

    /// How many patients each group of the patient flow has.
    #[must_use]
    pub fn flow(&self) -> Vec<(String, usize)> {
        let mut groups = vec![
            ("patients in the table".to_owned(), self.patients.len() + self.excluded.len()),
            ("excluded".to_owned(), self.excluded.len()),
        ];
        let centres = std::iter::once(("training", &self.description.training_centre))
            .chain(self.description.validation_centres.iter().map(|centre| ("validation", centre)));
        for (role, centre) in centres {
            let patients = self.of_centre(centre);
            let positive = patients.iter().filter(|patient| patient.alnm).count();
            groups.push((format!("{role}, centre {centre}"), patients.len()));
            groups.push((format!("{role}, centre {centre}, with metastasis"), positive));
        }
        groups
    }

    /// Leaves the patients out who have problems, where `cohort.toml` says so.
    ///
    /// # Errors
    /// All problems, where it does not, where one concerns the cohort as a whole, and where too few patients remain.
    pub fn settle(self, problems: Vec<Problem>) -> Result<Self, CohortProblems> {
        self.settled(problems, check_sizes)
    }

    /// The patients of some centres alone, on whom nothing is learned, as [`Cohort::settle`] leaves them; how many there
    /// are is not checked.
    ///
    /// # Errors
    /// All problems of these patients, where `cohort.toml` does not leave them out, and those of the cohort.
    pub fn settle_centres(mut self, centres: &[String], mut problems: Vec<Problem>) -> Result<Self, CohortProblems> {
        let is_other = |patient: &Patient| !centres.contains(&patient.centre);
        let others: BTreeSet<String> =
            self.patients.iter().filter(|patient| is_other(patient)).map(|patient| patient.id.clone()).collect();
        self.patients.retain(|patient| !is_other(patient));
        problems.retain(|problem| problem.patient.as_ref().is_none_or(|patient| !others.contains(patient)));
        self.settled(problems, |_, _, _| ())
    }

    fn settled(
        mut self,
        mut problems: Vec<Problem>,
        check_sizes: fn(&CohortDescription, &[Patient], &mut Vec<Problem>),
    ) -> Result<Self, CohortProblems> {
        if self.description.problems == ProblemPolicy::Exclude {
            let (of_patients, of_cohort): (Vec<Problem>, Vec<Problem>) =
                problems.into_iter().partition(|problem| problem.patient.is_some());
            let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for Problem { patient, place, what, .. } in of_patients {
                reasons.entry(patient.unwrap_or_default()).or_default().push(format!("{place}: {what}"));
            }
            self.patients.retain(|patient| !reasons.contains_key(&patient.id));
            self.excluded.extend(reasons.into_iter().map(|(patient, reasons)| Exclusion { patient, reasons }));
            self.excluded.sort_by(|a, b| a.patient.cmp(&b.patient));
            problems = of_cohort;
        }
        check_sizes(&self.description, &self.patients, &mut problems);
        if problems.is_empty() { Ok(self) } else { Err(CohortProblems { folder: self.folder, problems }) }
    }

    /// The same patients with the outcomes of each centre shuffled among them.
    #[must_use]
    pub fn with_shuffled_outcomes(mut self, seed: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        for centre in std::iter::once(&self.description.training_centre).chain(&self.description.validation_centres) {
            let rows: Vec<usize> =
                (0..self.patients.len()).filter(|&row| self.patients[row].centre == *centre).collect();
            let mut outcomes: Vec<bool> = rows.iter().map(|&row| self.patients[row].alnm).collect();
            outcomes.shuffle(&mut generator);
            rows.iter().zip(outcomes).for_each(|(&row, outcome)| self.patients[row].alnm = outcome);
        }
        self.description.name.push_str(", outcomes shuffled");
        self
    }

    fn of_centre(&self, centre: &str) -> Vec<&Patient> {
        self.patients.iter().filter(|patient| patient.centre == centre).collect()
    }
}

/// Something wrong with a cohort folder: where, what, and what would fix it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The patient, where one is concerned.
    pub patient: Option<String>,
    /// Column or file.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What would fix it.
    pub fix: String,
}

impl Problem {
    /// A problem with a patient's column or file.
    pub fn of_patient(
        patient: &str,
        place: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { patient: Some(patient.to_owned()), place: place.into(), what: what.into(), fix: fix.into() }
    }

    /// A problem with the folder as a whole.
    pub fn of_cohort(place: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { patient: None, place: place.into(), what: what.into(), fix: fix.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(patient) = &self.patient {
            write!(formatter, "patient {patient}, ")?;
        }
        write!(formatter, "{}: {}; {}", self.place, self.what, self.fix)
    }
}

/// All problems of a cohort folder at once.
#[derive(Debug, Clone, thiserror::Error)]
pub struct CohortProblems {
    /// The folder.
    pub folder: PathBuf,
    /// Every problem found.
    pub problems: Vec<Problem>,
}

impl fmt::Display for CohortProblems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.problems.len() == 1 { "" } else { "s" };
        write!(formatter, "{} problem{plural} in the cohort folder {}:", self.problems.len(), self.folder.display())?;
        self.problems.iter().try_for_each(|problem| write!(formatter, "\n  - {problem}"))
    }
}

/// Reads description and table of a cohort folder and settles their problems; files are looked for but not opened.
///
/// # Errors
/// As [`Cohort::settle`].
pub fn load(folder: &Path) -> Result<Cohort, CohortProblems> {
    let (cohort, problems) = read(folder)?;
    cohort.settle(problems)
}

/// Reads description and table of a cohort folder, with all their problems; files of images are looked for but not
/// opened (see [`check_files`]).
///
/// # Errors
/// When `cohort.toml` cannot be read: with the problems of the table.
pub fn read(folder: &Path) -> Result<(Cohort, Vec<Problem>), CohortProblems> {
    let mut problems = Vec::new();
    let description = read_description(&folder.join("cohort.toml")).map_err(|problem| problems.push(problem)).ok();
    let patients = read_patients(&folder.join("patients.csv"), &mut problems);
    for patient in &patients {
        let masks = patient.mask_reader2.iter().map(|path| ("mask_reader2", path));
        for (column, path) in [("image", &patient.image), ("mask", &patient.mask)].into_iter().chain(masks) {
            if !folder.join(path).exists() {
                let what = format!("{} does not exist", path.display());
                problems.push(Problem::of_patient(
                    &patient.id,
                    format!("column {column}"),
                    what,
                    "give a path relative to the cohort folder",
                ));
            }
        }
    }
    let Some(description) = description else { return Err(CohortProblems { folder: folder.to_owned(), problems }) };
    check_centres(&description, &patients, &mut problems);
    Ok((Cohort { folder: folder.to_owned(), description, patients, excluded: Vec::new() }, problems))
}

fn read_description(path: &Path) -> Result<CohortDescription, Problem> {
    let fix = "write name, training_centre and validation_centres as TOML";
    let text =
        std::fs::read_to_string(path).map_err(|error| Problem::of_cohort("cohort.toml", error.to_string(), fix))?;
    let description: CohortDescription =
        toml::from_str(&text).map_err(|error| Problem::of_cohort("cohort.toml", error.message().to_owned(), fix))?;
    if description.phase == 0 {
        return Err(Problem::of_cohort("cohort.toml, phase", "phase is 0", "phases are counted from 1"));
    }
    if description.label == 0 {
        return Err(Problem::of_cohort(
            "cohort.toml, label",
            "label is 0",
            "0 is the background; name the tumour's label",
        ));
    }
    Ok(description)
}

/// Fewest patients of each outcome that ten-fold cross-validation needs in the training centre.
const FEWEST_OF_AN_OUTCOME: usize = 10;

fn check_centres(description: &CohortDescription, patients: &[Patient], problems: &mut Vec<Problem>) {
    let known = |centre: &str| {
        centre == description.training_centre || description.validation_centres.iter().any(|c| c == centre)
    };
    for patient in patients.iter().filter(|patient| !known(&patient.centre)) {
        let what = format!("centre `{}` is neither the training centre nor a validation centre", patient.centre);
        problems.push(Problem::of_patient(
            &patient.id,
            "column centre",
            what,
            "add it to cohort.toml or correct the row",
        ));
    }
    if description.validation_centres.is_empty() {
        problems.push(Problem::of_cohort(
            "cohort.toml, validation_centres",
            "the list is empty",
            "name at least one centre",
        ));
    }
    if description.validation_centres.contains(&description.training_centre) {
        let fix = "a centre trains or validates, not both";
        problems.push(Problem::of_cohort("cohort.toml, validation_centres", "the training centre is among them", fix));
    }
}

fn check_sizes(description: &CohortDescription, patients: &[Patient], problems: &mut Vec<Problem>) {
    let mut require = |centre: &str, fewest: usize| {
        for outcome in [false, true] {
            let count = patients.iter().filter(|patient| patient.centre == centre && patient.alnm == outcome).count();
            if count < fewest {
                let what = format!("centre `{centre}` has {count} patients with alnm = {}", u8::from(outcome));
                problems.push(Problem::of_cohort("patients.csv", what, format!("at least {fewest} are needed")));
            }
        }
    };
    require(&description.training_centre, FEWEST_OF_AN_OUTCOME);
    description.validation_centres.iter().for_each(|centre| require(centre, 2));
}
