//! `patients.csv`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use alnm_stats::cells;
use alnm_stats::data_table::DataTable;
use anyhow::Result;

use super::{BloodCounts, Markers, Patient, Problem, Subtype};
use crate::store::write_file;

/// Columns of `patients.csv`; `mask_reader2` may be missing, further columns are kept.
pub const COLUMNS: [&str; 19] = [
    "patient",
    "centre",
    "alnm",
    "age_years",
    "mtd_cm",
    "sad_aln_cm",
    "pr",
    "er",
    "her2",
    "ki67",
    "subtype",
    "neutrophils",
    "lymphocytes",
    "monocytes",
    "wbc",
    "platelets",
    "image",
    "mask",
    "mask_reader2",
];
const OPTIONAL: &str = "mask_reader2";

/// Numeric columns with the range in which a value is plausible in the column's unit, and that unit.
const RANGES: [(&str, f64, f64, &str); 8] = [
    ("age_years", 18.0, 110.0, "years"),
    ("mtd_cm", 0.1, 25.0, "cm"),
    ("sad_aln_cm", 0.05, 10.0, "cm"),
    ("neutrophils", 0.1, 60.0, "10^9/L"),
    ("lymphocytes", 0.05, 40.0, "10^9/L"),
    ("monocytes", 0.005, 10.0, "10^9/L"),
    ("wbc", 0.3, 100.0, "10^9/L"),
    ("platelets", 5.0, 1500.0, "10^9/L"),
];

/// What a column holds, in words.
pub(super) fn describe(column: &str) -> String {
    if let Some((_, low, high, unit)) = RANGES.iter().find(|(name, ..)| *name == column) {
        return format!("a number in {unit}; {low} to {high} is plausible");
    }
    match column {
        "patient" => "identifier: letters, digits, dots, hyphens, underscores; unique".to_owned(),
        "centre" => "as named in cohort.toml".to_owned(),
        "subtype" => format!("one of {}", Subtype::ALL.map(Subtype::name).join(", ")),
        "image" => "a DICOM folder, or a NIfTI, NRRD or MetaImage file, relative to this folder".to_owned(),
        "mask" => "outline of the tumour on the image's grid: NIfTI, NRRD, MetaImage, DICOM SEG or RTSTRUCT".to_owned(),
        OPTIONAL => "a second reader's outline; may be empty, or the column missing".to_owned(),
        _ => "1 or 0".to_owned(),
    }
}

/// The rows that could be read; what could not is added to `problems`.
pub fn read_patients(path: &Path, problems: &mut Vec<Problem>) -> Vec<Patient> {
    let fix = "write a comma-separated table with a header";
    let mut reader = match csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path) {
        Ok(reader) => reader,
        Err(error) => {
            problems.push(Problem::of_cohort("patients.csv", error.to_string(), fix));
            return Vec::new();
        }
    };
    let header: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(str::to_owned).collect(),
        Err(error) => {
            problems.push(Problem::of_cohort("patients.csv", error.to_string(), fix));
            return Vec::new();
        }
    };
    let missing: Vec<&str> =
        COLUMNS.into_iter().filter(|column| *column != OPTIONAL && !header.iter().any(|name| name == column)).collect();
    if !missing.is_empty() {
        let what = format!("the header lacks {}", missing.join(", "));
        problems.push(Problem::of_cohort(
            "patients.csv",
            what,
            "add the columns; their names are as listed in the documentation",
        ));
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    let mut patients = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let line = index + 2;
        match record {
            Err(error) => problems.push(Problem::of_cohort(
                format!("patients.csv, line {line}"),
                error.to_string(),
                "correct the line",
            )),
            Ok(record) => {
                let values = header.iter().cloned().zip(record.iter().map(str::to_owned)).collect();
                let mut row = Row { values, line, problems };
                if let Some(patient) = row.patient(&mut seen) {
                    patients.push(patient);
                }
            }
        }
    }
    patients
}

struct Row<'a> {
    values: BTreeMap<String, String>,
    line: usize,
    problems: &'a mut Vec<Problem>,
}

impl Row<'_> {
    fn text(&self, column: &str) -> &str {
        self.values.get(column).map_or("", String::as_str)
    }

    fn refuse(&mut self, column: &str, what: String, fix: impl Into<String>) {
        let id = self.text("patient");
        let id = if id.is_empty() { format!("of line {}", self.line) } else { id.to_owned() };
        self.problems.push(Problem::of_patient(&id, format!("column {column}"), what, fix));
    }

    fn number(&mut self, column: &str) -> f64 {
        let (_, low, high, unit) =
            *RANGES.iter().find(|(name, ..)| *name == column).expect("every numeric column has a range");
        let text = self.text(column).to_owned();
        match text.parse::<f64>() {
            Ok(value) if (low..=high).contains(&value) => value,
            Ok(value) => {
                let fix = format!("values from {low} to {high} {unit} are plausible; is the unit {unit}?");
                self.refuse(column, format!("{value} is implausible"), fix);
                f64::NAN
            }
            Err(_) => {
                self.refuse(column, format!("`{text}` is not a number"), format!("write {unit} with a decimal point"));
                f64::NAN
            }
        }
    }

    fn flag(&mut self, column: &str) -> bool {
        match self.text(column) {
            "0" => false,
            "1" => true,
            other => {
                let what = format!("`{other}` is neither 0 nor 1");
                self.refuse(column, what, "write 1 for positive and 0 for negative");
                false
            }
        }
    }

    fn subtype(&mut self) -> Subtype {
        let text = self.text("subtype").to_owned();
        Subtype::ALL.into_iter().find(|subtype| subtype.name() == text).unwrap_or_else(|| {
            let names = Subtype::ALL.map(Subtype::name).join(", ");
            self.refuse("subtype", format!("`{text}` is not a subtype"), format!("write one of {names}"));
            Subtype::LuminalB
        })
    }

    fn path(&mut self, column: &str) -> PathBuf {
        if self.text(column).is_empty() {
            self.refuse(column, "the path is empty".to_owned(), "give a path relative to the cohort folder");
        }
        PathBuf::from(self.text(column))
    }

    fn patient(&mut self, seen: &mut BTreeSet<String>) -> Option<Patient> {
        let before = self.problems.len();
        let id = self.text("patient").to_owned();
        if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            let what = format!("`{id}` is no identifier");
            self.refuse("patient", what, "use letters, digits, dots, hyphens and underscores");
        } else if !seen.insert(id.clone()) {
            self.refuse("patient", "the identifier occurs twice".to_owned(), "give every patient one row");
        }
        let patient = Patient {
            centre: self.text("centre").to_owned(),
            alnm: self.flag("alnm"),
            age_years: self.number("age_years"),
            mtd_cm: self.number("mtd_cm"),
            sad_aln_cm: self.number("sad_aln_cm"),
            markers: Markers {
                pr: self.flag("pr"),
                er: self.flag("er"),
                her2: self.flag("her2"),
                ki67: self.flag("ki67"),
            },
            subtype: self.subtype(),
            blood: BloodCounts {
                neutrophils: self.number("neutrophils"),
                lymphocytes: self.number("lymphocytes"),
                monocytes: self.number("monocytes"),
                wbc: self.number("wbc"),
                platelets: self.number("platelets"),
            },
            image: self.path("image"),
            mask: self.path("mask"),
            mask_reader2: Some(self.text(OPTIONAL)).filter(|path| !path.is_empty()).map(PathBuf::from),
            further: self
                .values
                .iter()
                .filter(|(name, _)| !COLUMNS.contains(&name.as_str()))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
            id,
        };
        let blood = &patient.blood;
        if blood.wbc < blood.neutrophils + blood.lymphocytes {
            let what = format!("{} is less than neutrophils and lymphocytes together", blood.wbc);
            self.refuse("wbc", what, "check the counts and their units (10^9/L)");
        }
        (self.problems.len() == before).then_some(patient)
    }
}

/// Writes patients in the format that [`read_patients`] reads.
///
/// # Errors
/// When the file cannot be written.
pub fn write_patients(path: &Path, patients: &[Patient]) -> Result<()> {
    let mut table = DataTable::new(COLUMNS)?;
    for patient in patients {
        let flag = |value: bool| usize::from(value);
        let file = |path: &Path| path.display().to_string();
        let blood = &patient.blood;
        table.push(cells![
            patient.id.clone(),
            patient.centre.clone(),
            flag(patient.alnm),
            patient.age_years,
            patient.mtd_cm,
            patient.sad_aln_cm,
            flag(patient.markers.pr),
            flag(patient.markers.er),
            flag(patient.markers.her2),
            flag(patient.markers.ki67),
            patient.subtype.name(),
            blood.neutrophils,
            blood.lymphocytes,
            blood.monocytes,
            blood.wbc,
            blood.platelets,
            file(&patient.image),
            file(&patient.mask),
            patient.mask_reader2.as_deref().map(file),
        ])?;
    }
    write_file(path, table.to_csv().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "patient,centre,alnm,age_years,mtd_cm,sad_aln_cm,pr,er,her2,ki67,subtype,neutrophils,lymphocytes,monocytes,wbc,platelets,image,mask,reader";
    const GOOD: &str = "P1,A,1,50,2.5,0.8,1,1,0,1,Luminal B,4.1,1.9,0.4,6.8,250,i,m,anna";

    fn read(rows: &[&str]) -> (Vec<Patient>, Vec<Problem>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("patients.csv");
        std::fs::write(&path, format!("{HEADER}\n{}\n", rows.join("\n"))).unwrap();
        let mut problems = Vec::new();
        let patients = read_patients(&path, &mut problems);
        (patients, problems)
    }

    #[test]
    fn good_rows_survive_a_round_trip() {
        let (patients, problems) = read(&[GOOD]);
        assert_eq!(problems, []);
        assert_eq!(patients[0].further["reader"], "anna");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("patients.csv");
        write_patients(&path, &patients).unwrap();
        let again = read_patients(&path, &mut Vec::new());
        assert_eq!(again[0].blood, patients[0].blood);
    }

    #[test]
    fn all_problems_are_reported_at_once_with_patient_and_column() {
        let rows = [
            GOOD,
            "P1,A,1,50,2.5,0.8,1,1,0,1,Luminal B,4.1,1.9,0.4,6.8,250,i,m,",
            "P2,A,yes,50,25.4,0.8,1,1,0,1,Luminal C,4.1,1.9,0.4,6.8,250,i,m,",
            "P3,A,0,50,2.5,\"0,8\",1,1,0,1,TNBC,4100,1.9,0.4,3.0,250,,m,",
            "P4,A,0,50",
        ];
        let (patients, problems) = read(&rows);
        assert_eq!(patients.len(), 1);
        let places: Vec<String> =
            problems.iter().map(|p| format!("{} {}", p.patient.as_deref().unwrap_or("-"), p.place)).collect();
        let expected = [
            "P1 column patient",
            "P2 column alnm",
            "P2 column mtd_cm",
            "P2 column subtype",
            "P3 column sad_aln_cm",
            "P3 column neutrophils",
            "P3 column image",
            "- patients.csv, line 6",
        ];
        assert_eq!(places, expected);
    }

    #[test]
    fn a_header_without_columns_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("patients.csv");
        std::fs::write(&path, "patient,centre\nP1,A\n").unwrap();
        let mut problems = Vec::new();
        assert!(read_patients(&path, &mut problems).is_empty());
        assert!(problems[0].what.contains("alnm") && !problems[0].what.contains("mask_reader2"));
    }
}
