//! The cohort folder: `cohort.toml`, `patients.csv`, images and masks.

mod acquisition;
mod check_lines;
mod coding;
mod columns;
mod dates;
mod design;
mod files;
mod identity;
mod inclusion;
mod missing;
mod numbers;
mod outcomes;
mod plausibility;
mod reliability;
mod seeding;
mod spreadsheet;
mod table;
mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use alnm_registration::RegistrationParams;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

pub use acquisition::{CentreProperty, PatientAcquisition, SeriesHeader, acquisition_by_centre};
pub use check_lines::check_lines;
pub use coding::{Code, Codes, FlagCodes};
pub use columns::{COLUMNS, ColumnSource, ColumnSources, DATE_COLUMNS};
pub use dates::{DateOrder, PatientDates};
pub use design::{NaiveDateText, SplitDate, StudyDesign};
pub use files::{
    HeaderReading, PatientVoxels, check_files, check_headers, read_analysed_image, read_outline, read_phases,
};
pub use identity::{VoxelHashes, check_identities, check_voxels};
pub use inclusion::InclusionRules;
pub use missing::{MissingHandling, MissingRules};
pub use outcomes::{FurtherOutcomes, NodalStage, OUTCOME_COLUMNS, Recurrence};
pub use reliability::ReliabilityTable;
pub use seeding::{OutlineSource, SEED_COLUMNS, SeedSpeed, SeededOutline, SegmentRules};
pub use spreadsheet::{
    DeclaredFormat, RaggedRow, Spreadsheet, SpreadsheetFault, SpreadsheetFormat, SpreadsheetRow, TextEncoding,
};
pub use table::{ReadingRules, TableReading, TableRules, read_patients, write_patients};
pub use template::write_template;

use crate::series::{SeriesOptions, StudyPhases, StudyRegions, StudyStandard};

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
    /// Centres on which nothing is learned; none where the study has one centre alone.
    pub validation_centres: Vec<String>,
    /// What happens to patients with a problem.
    #[serde(default)]
    pub problems: ProblemPolicy,
    /// How the table of patients is written.
    #[serde(default, skip_serializing_if = "is_default")]
    pub table: TableRules,
    /// Our columns with those of the table, where their names or units differ.
    #[serde(default, skip_serializing_if = "is_default")]
    pub columns: ColumnSources,
    /// What stands for positive, negative and the subtypes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub codes: Codes,
    /// What happens to values that are not known.
    #[serde(default, skip_serializing_if = "is_default")]
    pub missing: MissingRules,
    /// Who belongs into the study.
    #[serde(default, skip_serializing_if = "is_default")]
    pub inclusion: InclusionRules,
    /// Designs beside training in one centre and validation in others.
    #[serde(default, skip_serializing_if = "is_default")]
    pub design: StudyDesign,
    /// Where outlines come from.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mask: OutlineSource,
    /// How outlines grow from seeds, with `mask = "segment"`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub segment: SegmentRules,
    /// A table of how far readers agree on each feature, as `alnm extract --reliability` writes it: radiomic features
    /// that it does not call reliable are left out. The path is relative to the cohort's folder.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reliability: Option<PathBuf>,
    /// How phases are brought onto the analysed one; they are left as they are without it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub motion: Option<RegistrationParams>,
    /// Further phases and kinetic maps whose features are taken.
    #[serde(default, skip_serializing_if = "is_default")]
    pub phases: Option<StudyPhases>,
    /// Rings around the lesion and habitats in it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub regions: Option<StudyRegions>,
    /// One scale for the intensities of all scanners.
    #[serde(default, skip_serializing_if = "is_default")]
    pub standardise: Option<StudyStandard>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl CohortDescription {
    /// A cohort whose fourth phases are analysed, with everything else by default.
    #[must_use]
    pub fn new(name: &str, training_centre: &str, validation_centres: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            simulated: false,
            phase: fourth(),
            label: one(),
            training_centre: training_centre.to_owned(),
            validation_centres: validation_centres.iter().map(|&centre| centre.to_owned()).collect(),
            problems: ProblemPolicy::default(),
            table: TableRules::default(),
            columns: ColumnSources::default(),
            codes: Codes::default(),
            missing: MissingRules::default(),
            inclusion: InclusionRules::default(),
            design: StudyDesign::default(),
            mask: OutlineSource::default(),
            segment: SegmentRules::default(),
            reliability: None,
            motion: None,
            phases: None,
            regions: None,
            standardise: None,
        }
    }

    /// What is taken from the images beside the analysed phase of the lesion; none where no section asks for anything.
    #[must_use]
    pub fn series_options(&self) -> Option<SeriesOptions> {
        let options = SeriesOptions {
            motion: self.motion.clone(),
            phases: self.phases.clone(),
            regions: self.regions.clone(),
            standardise: self.standardise.clone(),
        };
        (options != SeriesOptions::default()).then_some(options)
    }

    /// The highest phase that every image has to have, where phases beside the analysed one are needed.
    pub(crate) fn last_phase(&self) -> Option<usize> {
        let options = self.series_options()?;
        options.needs_series().then(|| options.last_phase(self.phase))
    }

    /// What happens to patients who lack a value that a model needs.
    #[must_use]
    pub fn missing_handling(&self) -> MissingHandling {
        self.missing.handling(self.problems)
    }

    /// The rules by which the table of patients is read.
    #[must_use]
    pub fn reading_rules(&self) -> ReadingRules {
        ReadingRules {
            table: self.table.clone(),
            columns: self.columns.clone(),
            codes: self.codes.clone(),
            missing: self.missing.clone(),
            missing_handling: Some(self.missing_handling()),
            inclusion: self.inclusion,
            training_centre: Some(self.training_centre.clone()),
            outlines: self.mask,
        }
    }
}

/// What is done with a patient whose row, image or mask has a problem. Missing values have rules of their own
/// ([`MissingRules`]), which are the same by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
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

/// Whether a marker was found by immunohistochemistry; `None` where that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Markers {
    /// Progesterone receptor.
    pub pr: Option<bool>,
    /// Oestrogen receptor.
    pub er: Option<bool>,
    /// Human epidermal growth factor receptor 2.
    pub her2: Option<bool>,
    /// Proliferation marker Ki-67 above the clinic's threshold.
    pub ki67: Option<bool>,
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

/// Blood counts in 10⁹ cells per litre, and the indices computed from them. A count that is not known is NaN, and so is
/// an index of it.
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

/// One patient: a row of `patients.csv`. A number that is not known is NaN.
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
    /// Molecular subtype, where it is known.
    pub subtype: Option<Subtype>,
    /// Blood counts.
    pub blood: BloodCounts,
    /// Dates of birth, MRI, blood counts and surgery.
    pub dates: PatientDates,
    /// Nodal stage, positive nodes and recurrence, where they are known.
    pub outcomes: FurtherOutcomes,
    /// Image: a DICOM folder or a file, relative to the cohort folder.
    pub image: PathBuf,
    /// Mask file, relative to the cohort folder.
    pub mask: PathBuf,
    /// The second reader's mask, where there is one. With `mask = "segment"` there is no mask before
    /// [`Cohort::draw_outlines`].
    pub mask_reader2: Option<PathBuf>,
    /// Further columns of the table.
    pub further: BTreeMap<String, String>,
}

impl Patient {
    /// The cell of a column of seeds; none where the table has none.
    pub(crate) fn seed_cell(&self, column: &str) -> Option<&str> {
        let found = self.further.iter().find(|(name, _)| name.trim().eq_ignore_ascii_case(column));
        found.map(|(_, cell)| cell.trim()).filter(|cell| !cell.is_empty())
    }

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
    /// What was found out about the table, mapped, counted and left aside.
    pub remarks: Vec<String>,
}

/// A patient who was left out: by a rule of inclusion, for a missing value, or for a problem
/// ([`ProblemPolicy::Exclude`]).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exclusion {
    /// Identifier.
    pub patient: String,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
}

impl Exclusion {
    /// What is wrong, in words: place and fault.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        self.problems.iter().map(|problem| format!("{}: {}", problem.place, problem.what)).collect()
    }

    /// The group of the patient flow: the first rule of inclusion that is not met, missing values, or problems.
    #[must_use]
    pub fn group(&self) -> &str {
        let rule = self.problems.iter().find(|problem| problem.weight == ProblemWeight::NotEligible);
        let has_fault = self.problems.iter().any(|problem| problem.weight == ProblemWeight::Fault);
        match rule {
            Some(rule) => &rule.place,
            None if has_fault => "problems of data or files",
            None => "missing values",
        }
    }
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

    /// The table of reliable features that `cohort.toml` names, if it does.
    ///
    /// # Errors
    /// As [`ReliabilityTable::read`].
    pub fn reliability(&self) -> anyhow::Result<Option<ReliabilityTable>> {
        let file = self.description.reliability.as_ref();
        file.map(|file| ReliabilityTable::read(&self.folder.join(file))).transpose()
    }

    /// How many patients each group of the patient flow has.
    #[must_use]
    pub fn flow(&self) -> Vec<(String, usize)> {
        let mut groups = vec![
            ("patients in the table".to_owned(), self.patients.len() + self.excluded.len()),
            ("excluded".to_owned(), self.excluded.len()),
        ];
        let mut by_group: BTreeMap<&str, usize> = BTreeMap::new();
        for exclusion in &self.excluded {
            *by_group.entry(exclusion.group()).or_default() += 1;
        }
        groups.extend(by_group.into_iter().map(|(group, patients)| (format!("excluded, {group}"), patients)));
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

    /// Leaves the patients out who do not meet a rule of inclusion, and those who have problems or lack values, where
    /// `cohort.toml` says so. A problem with a value that no model uses leaves nobody out: the value counts as not
    /// known.
    ///
    /// # Errors
    /// All problems of the others, where it does not, where one concerns the cohort as a whole, and where too few
    /// patients remain.
    pub fn settle(self, problems: Vec<Problem>) -> Result<Self, CohortProblems> {
        self.settled(problems, check_sizes)
    }

    /// The patients of some centres alone, on whom nothing is learned, as [`Cohort::settle`] leaves them; how many
    /// there are is not checked.
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
        problems: Vec<Problem>,
        check_sizes: fn(&CohortDescription, &[Patient], &mut Vec<Problem>),
    ) -> Result<Self, CohortProblems> {
        let is_eligible = |id: &String| {
            !problems
                .iter()
                .any(|problem| problem.weight == ProblemWeight::NotEligible && problem.patient.as_ref() == Some(id))
        };
        let excludes = self.description.problems == ProblemPolicy::Exclude;
        let excludes_missing = self.description.missing_handling() == MissingHandling::Exclude;
        let mut reasons: BTreeMap<String, Vec<Problem>> = BTreeMap::new();
        let mut remaining = Vec::new();
        for problem in &problems {
            let leaves_out = match problem.weight {
                ProblemWeight::Fault | ProblemWeight::UnusedValue => excludes,
                ProblemWeight::MissingValue => excludes_missing,
                ProblemWeight::NotEligible => true,
            };
            match &problem.patient {
                Some(patient) if leaves_out || !is_eligible(patient) => {
                    if problem.weight == ProblemWeight::UnusedValue && is_eligible(patient) {
                        self.remarks.push(format!("taken as not known: {problem}"));
                    } else {
                        reasons.entry(patient.clone()).or_default().push(problem.clone());
                    }
                }
                None if problem.weight == ProblemWeight::UnusedValue && excludes => {
                    self.remarks.push(format!("taken as not known: {problem}"));
                }
                _ => remaining.push(problem.clone()),
            }
        }
        self.patients.retain(|patient| !reasons.contains_key(&patient.id));
        self.excluded.extend(reasons.into_iter().map(|(patient, problems)| Exclusion { patient, problems }));
        self.excluded.sort_by(|a, b| a.patient.cmp(&b.patient));
        // Patients with problems are not among those who are counted.
        if remaining.is_empty() {
            check_sizes(&self.description, &self.patients, &mut remaining);
        }
        if remaining.is_empty() {
            return Ok(self);
        }
        remaining.extend(self.excluded.into_iter().flat_map(|exclusion| exclusion.problems));
        Err(CohortProblems { folder: self.folder, problems: remaining, remarks: self.remarks })
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
#[non_exhaustive]
pub struct Problem {
    /// The patient, where one is concerned.
    pub patient: Option<String>,
    /// Column or file.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What would fix it.
    pub fix: String,
    /// What it does.
    pub weight: ProblemWeight,
}

/// What follows from a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub enum ProblemWeight {
    /// It stops the study, or leaves its patient out ([`ProblemPolicy`]).
    #[default]
    Fault,
    /// A value is missing that a model needs ([`MissingHandling`]).
    MissingValue,
    /// A value that no model uses is wrong: it stops the study, or the value counts as not known.
    UnusedValue,
    /// The patient does not meet a rule of inclusion, and is always left out.
    NotEligible,
}

impl Problem {
    /// A problem with a patient's column or file.
    pub fn of_patient(
        patient: &str,
        place: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let weight = ProblemWeight::Fault;
        Self { patient: Some(patient.to_owned()), place: place.into(), what: what.into(), fix: fix.into(), weight }
    }

    /// A problem with the folder as a whole.
    pub fn of_cohort(place: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { patient: None, place: place.into(), what: what.into(), fix: fix.into(), weight: ProblemWeight::Fault }
    }

    /// The same problem of a value that no model uses.
    #[must_use]
    pub fn unused(self) -> Self {
        Self { weight: ProblemWeight::UnusedValue, ..self }
    }

    /// The same problem of a value that is missing.
    #[must_use]
    pub fn missing(self) -> Self {
        Self { weight: ProblemWeight::MissingValue, ..self }
    }

    /// The same problem of a patient who does not belong into the study.
    #[must_use]
    pub fn not_eligible(self) -> Self {
        Self { weight: ProblemWeight::NotEligible, ..self }
    }

    /// Whether no model uses the value that is wrong.
    #[must_use]
    pub fn is_of_unused_value(&self) -> bool {
        self.weight == ProblemWeight::UnusedValue
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
#[non_exhaustive]
pub struct CohortProblems {
    /// The folder.
    pub folder: PathBuf,
    /// Every problem found.
    pub problems: Vec<Problem>,
    /// What was found out about the table.
    pub remarks: Vec<String>,
}

impl fmt::Display for CohortProblems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.problems.len() == 1 { "" } else { "s" };
        write!(formatter, "{} problem{plural} in the cohort folder {}:", self.problems.len(), self.folder.display())?;
        self.problems.iter().try_for_each(|problem| write!(formatter, "\n  - {problem}"))?;
        self.remarks.iter().try_for_each(|remark| write!(formatter, "\n  found: {remark}"))
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
/// When there is no such folder, or `cohort.toml` cannot be read: with the problems of the table.
pub fn read(folder: &Path) -> Result<(Cohort, Vec<Problem>), CohortProblems> {
    if !folder.is_dir() {
        let fix = "name a folder with cohort.toml and patients.csv, or have one written by alnm study --template";
        let problems = vec![Problem::of_cohort("the cohort folder", "there is no such folder", fix)];
        return Err(CohortProblems { folder: folder.to_owned(), problems, remarks: Vec::new() });
    }
    let description = read_description(&folder.join("cohort.toml"));
    let rules = description.as_ref().map(CohortDescription::reading_rules).unwrap_or_default();
    let TableReading { mut patients, mut problems, mut remarks } = read_patients(folder, &rules);
    let mut description = match description {
        Ok(description) => description,
        Err(problem) => {
            problems.insert(0, problem);
            return Err(CohortProblems { folder: folder.to_owned(), problems, remarks });
        }
    };
    check_centres(&description, &patients, &mut problems);
    description.design.clone().split(&mut description, &mut patients, &mut problems);
    if description.validation_centres.is_empty() {
        let remark =
            "cohort.toml: no centre validates; the cross-fitted figures of the training centre judge the models";
        remarks.push(remark.to_owned());
    }
    Ok((Cohort { folder: folder.to_owned(), description, patients, excluded: Vec::new(), remarks }, problems))
}

fn read_description(path: &Path) -> Result<CohortDescription, Problem> {
    let fix = "write name, training_centre and validation_centres as TOML";
    let text =
        std::fs::read_to_string(path).map_err(|error| Problem::of_cohort("cohort.toml", error.to_string(), fix))?;
    let description: CohortDescription =
        toml::from_str(&text).map_err(|error| Problem::of_cohort("cohort.toml", error.message().to_owned(), fix))?;
    if !(2..=1000).contains(&description.missing.imputations) {
        let what = format!("the number of imputations is {}", description.missing.imputations);
        return Err(Problem::of_cohort("cohort.toml, missing.imputations", what, "it must be 2 to 1000; 20 are usual"));
    }
    if let Some(problem) = description.design.check() {
        return Err(problem);
    }
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
    if let Err(error) = description.segment.check() {
        let fix = "docs/study.md describes [segment]";
        return Err(Problem::of_cohort("cohort.toml, [segment]", format!("{error:#}"), fix));
    }
    if let Some(file) = &description.reliability
        && let Err(error) = ReliabilityTable::read(&path.with_file_name("").join(file))
    {
        let fix = "write it by `alnm extract --reliability`";
        return Err(Problem::of_cohort("cohort.toml, reliability", format!("{error:#}"), fix));
    }
    if let Some(options) = description.series_options() {
        let fix = "docs/study.md describes [motion], [phases], [regions] and [standardise]";
        options
            .check(description.phase)
            .map_err(|error| Problem::of_cohort("cohort.toml", format!("{error:#}"), fix))?;
        if description.design.leave_one_centre_out && options.learns() {
            let what = "leave_one_centre_out judges the training centre by what was learned in the others, and scales of \
                        intensities or habitats are learned on it";
            let fix = "take leave_one_centre_out out, or what is learned: z_score and white_stripe learn nothing";
            return Err(Problem::of_cohort("cohort.toml, [design]", what, fix));
        }
    }
    Ok(description)
}

/// Fewest patients of each outcome that ten-fold cross-validation needs among those who are learned from.
pub(crate) const FEWEST_OF_AN_OUTCOME: usize = 10;

fn check_centres(description: &CohortDescription, patients: &[Patient], problems: &mut Vec<Problem>) {
    let known = |centre: &str| {
        centre == description.training_centre || description.validation_centres.iter().any(|c| c == centre)
    };
    let mut unknown: BTreeMap<&str, Vec<&Patient>> = BTreeMap::new();
    for patient in patients.iter().filter(|patient| !known(&patient.centre)) {
        unknown.entry(&patient.centre).or_default().push(patient);
    }
    for (centre, patients) in unknown {
        let what = format!("centre `{centre}` is neither the training centre nor a validation centre");
        let fix = "add it to cohort.toml or correct the row";
        if patients.len() >= 3 && description.problems == ProblemPolicy::Refuse {
            let what = format!("{what}, and {} patients have it", patients.len());
            problems.push(Problem::of_cohort("column centre", what, "add it to cohort.toml, or spell it alike"));
        } else {
            let of_patient = |patient: &&Patient| Problem::of_patient(&patient.id, "column centre", &what, fix);
            problems.extend(patients.iter().map(of_patient));
        }
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
