//! The table of patients: read from whatever a spreadsheet program exported, with everything that is wrong in it.

mod categories;
mod dates;
mod paths;
mod quantities;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::coding::Codes;
use super::columns::{ColumnPlaces, ColumnSources, QUANTITIES, SECOND_MASK, is_known};
use super::dates::DateOrder;
use super::inclusion::InclusionRules;
use super::missing::{MissingHandling, MissingRules};
use super::numbers::is_missing;
use super::plausibility::{Located, ReadColumns, is_of_column};
use super::seeding::OutlineSource;
use super::spreadsheet::{DeclaredFormat, Spreadsheet, TextEncoding, counted};
use super::{BloodCounts, Markers, Patient, Problem};

pub use writing::write_patients;

/// Largest table that is read, in bytes.
const LARGEST: u64 = 1 << 28;
/// Cells that a message shows.
const SHOWN: usize = 3;

/// `[table]` of `cohort.toml`: how the table of patients is written. What is absent is found out.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `file` | `"patients.csv"` | name of the table in the cohort folder |
/// | `encoding` | found out | `"utf-8"`, `"utf-16le"`, `"utf-16be"` or `"windows-1252"` |
/// | `separator` | found out | the character between cells |
/// | `decimal` | found out, column by column | `"."` or `","` |
/// | `dates` | found out, column by column | `"day/month/year"` or `"month/day/year"`, where slashes or hyphens leave it open |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct TableRules {
    /// Name of the table in the cohort folder.
    pub file: String,
    /// Its encoding.
    pub encoding: Option<TextEncoding>,
    /// The character between cells.
    pub separator: Option<char>,
    /// The decimal mark: a point or a comma.
    pub decimal: Option<char>,
    /// The order of day and month.
    pub dates: Option<DateOrder>,
}

impl Default for TableRules {
    fn default() -> Self {
        Self { file: "patients.csv".to_owned(), encoding: None, separator: None, decimal: None, dates: None }
    }
}

/// The rules by which a table of patients is read: the sections of `cohort.toml` that concern it.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ReadingRules {
    /// `[table]`.
    pub table: TableRules,
    /// `[columns]`.
    pub columns: ColumnSources,
    /// `[codes]`.
    pub codes: Codes,
    /// `[missing]`.
    pub missing: MissingRules,
    /// What happens to missing values.
    pub missing_handling: Option<MissingHandling>,
    /// `[inclusion]`.
    pub inclusion: InclusionRules,
    /// The training centre.
    pub training_centre: Option<String>,
    /// Where outlines come from.
    pub outlines: OutlineSource,
}

/// What a table of patients holds.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct TableReading {
    /// The patients whose rows could be read and who meet the rules of inclusion.
    pub patients: Vec<Patient>,
    /// What is wrong, the table as a whole first, then row by row.
    pub problems: Vec<Problem>,
    /// What was found out, mapped and filled in.
    pub remarks: Vec<String>,
}

/// Reads the table of a cohort folder: encoding, separator, header and decimal marks are found out, codes and units are
/// mapped as the rules declare them, and everything that is wrong is collected. A fault that most cells of a column
/// have is one problem.
#[must_use]
pub fn read_patients(folder: &Path, rules: &ReadingRules) -> TableReading {
    let mut reading = TableReading::default();
    let name = &rules.table.file;
    let bytes = match read_bytes(&folder.join(name)) {
        Ok(bytes) => bytes,
        Err(what) => {
            let fix = "put the table there, or name it in cohort.toml: [table] file";
            reading.problems.push(Problem::of_cohort(name, what, fix));
            return reading;
        }
    };
    let params = DeclaredFormat { encoding: rules.table.encoding, separator: rules.table.separator };
    let sheet = match Spreadsheet::read(&bytes, params, &|text| is_known(&rules.columns, text)) {
        Ok(sheet) => sheet,
        Err(fault) => {
            let place = fault.line.map_or_else(|| name.clone(), |line| format!("{name}, line {line}"));
            reading.problems.push(Problem::of_cohort(place, fault.what, fault.fix));
            return reading;
        }
    };
    reading.remarks.push(format!("{name}: {}", sheet.format));
    report_ragged(&sheet, name, &mut reading.problems);
    let places = ColumnPlaces::find(&sheet.header, &rules.columns, rules.outlines, &mut reading.problems);
    reading.remarks.extend(places.mapped().map(|pairs| format!("columns: {pairs}")));
    if let Some(decimal) = rules.table.decimal.filter(|mark| !matches!(mark, '.' | ',')) {
        let place = "cohort.toml, table.decimal";
        reading.problems.push(Problem::of_cohort(place, format!("the mark is `{decimal}`"), "write \".\" or \",\""));
    }
    // Without its columns a table says nothing else that is worth reading.
    if reading.problems.iter().any(|problem| problem.what.starts_with("the header lacks")) {
        return reading;
    }
    Reader { folder, rules, sheet: &sheet, places: &places, found: Vec::new(), remarks: Vec::new() }.read(&mut reading);
    reading
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > LARGEST {
        return Err(format!("the file has {size} bytes; a table has {LARGEST} at most"));
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

/// Rows with another number of cells than the header.
fn report_ragged(sheet: &Spreadsheet, name: &str, problems: &mut Vec<Problem>) {
    let columns = sheet.header.len();
    let rows = sheet.rows.len() + sheet.ragged.len();
    let fix =
        "quote cells that hold a separator, as decimal commas in a table separated by commas, or add the missing cells";
    if is_of_column(sheet.ragged.len(), rows) {
        let cells: BTreeSet<usize> = sheet.ragged.iter().map(|row| row.cells).collect();
        let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
        let what = format!(
            "{} of {rows} rows have {} cells, where the header has {columns}",
            sheet.ragged.len(),
            cells.join(" or ")
        );
        problems.push(Problem::of_cohort(name, what, fix));
        return;
    }
    for row in &sheet.ragged {
        let what = format!("the row has {}, the header {columns}", counted(row.cells, "cell"));
        problems.push(Problem::of_cohort(format!("{name}, line {}", row.line), what, fix));
    }
}

/// What is wrong with a cell: in words for the cell, in words for all cells of the column with the same fault, and what
/// would fix it.
pub(super) struct CellFault {
    pub(super) row: usize,
    pub(super) of_cell: String,
    pub(super) of_column: String,
    pub(super) fix: String,
}

/// Reads the columns of a table, and collects what is wrong in them.
pub(super) struct Reader<'a> {
    folder: &'a Path,
    rules: &'a ReadingRules,
    sheet: &'a Spreadsheet,
    places: &'a ColumnPlaces,
    pub(super) found: Vec<Located>,
    pub(super) remarks: Vec<String>,
}

impl Reader<'_> {
    fn read(mut self, reading: &mut TableReading) {
        let ids = self.identifiers();
        let centres = self.texts("centre", &ids, "the centre is missing", "name the centre as in cohort.toml");
        let outcomes = self.flags("alnm", &ids, true);
        let mut columns = ReadColumns { ids, centres, ..ReadColumns::default() };
        let dates = self.dates(&columns.ids);
        for quantity in &QUANTITIES {
            let values = self.numbers(quantity, &columns, &dates);
            columns.numbers.insert(quantity.name, values);
        }
        let [pr, er, her2, ki67] = ["pr", "er", "her2", "ki67"].map(|column| self.flags(column, &columns.ids, false));
        columns.markers = (0..self.rows())
            .map(|row| Markers { pr: pr[row], er: er[row], her2: her2[row], ki67: ki67[row] })
            .collect();
        columns.subtypes = self.subtypes(&columns.ids);
        let further_outcomes = self.further_outcomes(&columns.ids, &outcomes);
        let images = self.paths("image", &columns.ids);
        let [masks, second] = match self.rules.outlines {
            OutlineSource::File => ["mask", SECOND_MASK].map(|column| self.paths(column, &columns.ids)),
            // Their files are written when the outlines are drawn.
            OutlineSource::Segment => [vec![Some(PathBuf::new()); self.rows()], vec![None; self.rows()]],
        };
        for (row, id) in columns.ids.iter().enumerate() {
            let age = columns.numbers["age_years"][row];
            let of_row = self.rules.inclusion.check(id, &dates[row], age);
            self.found.extend(of_row.into_iter().map(|problem| (Some(row), problem)));
        }
        self.unchecked_rules(&dates);
        let across = columns.check(self.rules.training_centre.as_deref());
        // A subtype that contradicts the receptors says nothing.
        for (row, _) in across.iter().filter(|(_, problem)| problem.is_of_unused_value()) {
            row.iter().for_each(|&row| columns.subtypes[row] = None);
        }
        self.found.extend(across);
        self.count_missing(&columns);

        let stops = |(row, problem): &Located| row.filter(|_| !problem.is_of_unused_value());
        let faulty: BTreeSet<usize> = self.found.iter().filter_map(stops).collect();
        let number = |column: &str, row: usize| columns.numbers[column][row].unwrap_or(f64::NAN);
        for row in (0..self.rows()).filter(|row| !faulty.contains(row)) {
            let (Some(alnm), Some(image), Some(mask)) = (outcomes[row], &images[row], &masks[row]) else { continue };
            reading.patients.push(Patient {
                id: columns.ids[row].clone(),
                centre: columns.centres[row].clone(),
                alnm,
                age_years: number("age_years", row),
                mtd_cm: number("mtd_cm", row),
                sad_aln_cm: number("sad_aln_cm", row),
                markers: columns.markers[row],
                subtype: columns.subtypes[row],
                blood: BloodCounts {
                    neutrophils: number("neutrophils", row),
                    lymphocytes: number("lymphocytes", row),
                    monocytes: number("monocytes", row),
                    wbc: number("wbc", row),
                    platelets: number("platelets", row),
                },
                dates: dates[row],
                outcomes: further_outcomes[row],
                image: image.clone(),
                mask: mask.clone(),
                mask_reader2: second[row].clone(),
                further: self.further(row),
            });
        }
        // Problems of the table first, then in the order of the rows; those of a row stay in the order of the columns.
        self.found.sort_by_key(|(row, _)| row.map_or(0, |row| row + 1));
        reading.problems.extend(self.found.into_iter().map(|(_, problem)| problem));
        reading.remarks.extend(self.remarks);
    }

    fn rows(&self) -> usize {
        self.sheet.rows.len()
    }

    /// The cells of a column; empty where the table lacks it.
    pub(super) fn cells(&self, column: &str) -> Vec<&str> {
        let place = self.places.of(column);
        self.sheet.rows.iter().map(|row| place.map_or("", |place| row.cells[place].as_str())).collect()
    }

    pub(super) fn is_missing(&self, cell: &str) -> bool {
        is_missing(cell, &self.rules.missing.markers)
    }

    fn further(&self, row: usize) -> BTreeMap<String, String> {
        let cells = &self.sheet.rows[row].cells;
        self.places.further().map(|(place, name)| (name.to_owned(), cells[place].clone())).collect()
    }

    /// Reports the faults of a column's cells: those of the same kind that most cells have as one.
    pub(super) fn report(&mut self, column: &str, ids: &[String], faults: Vec<CellFault>, is_used: bool) {
        let place = format!("column {}", self.places.label(column));
        let filled = self.cells(column).iter().filter(|cell| !self.is_missing(cell)).count();
        let mut kinds: BTreeMap<String, Vec<CellFault>> = BTreeMap::new();
        for fault in faults {
            kinds.entry(fault.of_column.clone()).or_default().push(fault);
        }
        let weighed = |problem: Problem| if is_used { problem } else { problem.unused() };
        for (kind, faults) in kinds {
            if is_of_column(faults.len(), filled) {
                let cells = self.cells(column);
                let samples: BTreeSet<&str> = faults.iter().map(|fault| cells[fault.row]).collect();
                let shown: Vec<String> = samples.iter().take(SHOWN).map(|cell| format!("`{cell}`")).collect();
                let count = faults.len();
                let values =
                    if count == filled { format!("all {count} values") } else { format!("{count} of {filled} values") };
                let what = format!("{values} {kind}, such as {}", shown.join(", "));
                self.found.push((None, weighed(Problem::of_cohort(&place, what, &faults[0].fix))));
            } else {
                let of_row = |fault: CellFault| {
                    let problem = Problem::of_patient(&ids[fault.row], &place, fault.of_cell, fault.fix);
                    (Some(fault.row), weighed(problem))
                };
                self.found.extend(faults.into_iter().map(of_row));
            }
        }
    }

    fn identifiers(&mut self) -> Vec<String> {
        let cells: Vec<String> = self.cells("patient").iter().map(|cell| (*cell).to_owned()).collect();
        let lines = self.sheet.rows.iter().map(|row| row.line);
        let ids: Vec<String> = cells
            .iter()
            .zip(lines)
            .map(|(cell, line)| if self.is_missing(cell) { format!("of line {line}") } else { cell.clone() })
            .collect();
        let mut faults = Vec::new();
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for (row, cell) in cells.iter().enumerate() {
            let mut refuse = |of_cell: String, of_column: &str, fix: &str| {
                faults.push(CellFault { row, of_cell, of_column: of_column.to_owned(), fix: fix.to_owned() });
            };
            if self.is_missing(cell) || !cell.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
                let fix = "use letters, digits, dots, hyphens and underscores";
                refuse(format!("`{cell}` is no identifier"), "are no identifiers", fix);
            } else {
                match seen.insert(cell.to_lowercase(), cell) {
                    None => {}
                    Some(earlier) if earlier == cell => {
                        refuse("the identifier occurs twice".to_owned(), "occur twice", "give every patient one row");
                    }
                    Some(earlier) => {
                        let what = format!("the identifier differs from `{earlier}` in upper and lower case alone");
                        refuse(what, "differ in upper and lower case alone", "give patients different identifiers");
                    }
                }
            }
        }
        self.report("patient", &ids, faults, true);
        ids
    }

    fn texts(&mut self, column: &str, ids: &[String], what: &str, fix: &str) -> Vec<String> {
        let cells: Vec<String> = self.cells(column).iter().map(|cell| (*cell).to_owned()).collect();
        let empty = cells.iter().enumerate().filter(|(_, cell)| self.is_missing(cell));
        let faults = empty
            .map(|(row, _)| CellFault {
                row,
                of_cell: what.to_owned(),
                of_column: "are missing".to_owned(),
                fix: fix.to_owned(),
            })
            .collect();
        self.report(column, ids, faults, true);
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "patient,centre,alnm,age_years,mtd_cm,sad_aln_cm,pr,er,her2,ki67,subtype,neutrophils,lymphocytes,monocytes,wbc,platelets,image,mask,reader";
    const GOOD: &str = "P1,A,1,50,2.5,0.8,1,1,0,1,Luminal B,4.1,1.9,0.4,6.8,250,i,m,anna";

    fn read(rows: &[&str]) -> TableReading {
        let folder = tempfile::tempdir().unwrap();
        for file in ["i", "m"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        std::fs::write(folder.path().join("patients.csv"), format!("{HEADER}\n{}\n", rows.join("\n"))).unwrap();
        read_patients(folder.path(), &ReadingRules::default())
    }

    #[test]
    fn good_rows_survive_a_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let incomplete = "P2,A,0,51,,0.9,,1,0,1,,4.2,1.8,0.4,6.7,,i,m,";
        for file in ["i", "m"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let path = folder.path().join("patients.csv");
        std::fs::write(&path, format!("{HEADER}\n{GOOD}\n{incomplete}\n")).unwrap();
        let rules = ReadingRules { missing_handling: Some(MissingHandling::Impute), ..ReadingRules::default() };
        let TableReading { patients, problems, .. } = read_patients(folder.path(), &rules);
        assert_eq!(problems, []);
        assert_eq!(patients[0].further["reader"], "anna");
        assert!(patients[1].mtd_cm.is_nan() && patients[1].markers.pr.is_none() && patients[1].subtype.is_none());
        write_patients(&path, &patients).unwrap();
        let again = read_patients(folder.path(), &rules).patients;
        assert_eq!(again[0].blood, patients[0].blood);
        assert_eq!(again[1].markers, patients[1].markers);
        assert!(again[1].blood.platelets.is_nan());
    }

    #[test]
    fn all_problems_are_reported_at_once_with_patient_and_column() {
        let rows = [
            GOOD,
            "P1,A,1,51,2.5,0.8,1,1,0,1,Luminal B,4.1,1.9,0.4,6.8,250,i,m,",
            "P2,A,maybe,52,25.4,0.8,1,1,0,1,Luminal C,4.1,1.9,0.4,6.8,250,i,m,",
            "P3,A,0,53,2.5,0-8,1,1,0,1,Luminal B,4100,1.9,0.4,3.0,250,,m,",
            "P4,A,0,50",
            "P5,A,0,54,2.6,0.7,1,1,0,1,Luminal B,4.1,1.9,0.4,6.8,250,i,m,",
            "P6,A,0,55,2.7,0.6,1,1,0,1,TNBC,4.1,1.9,0.4,5.8,250,i,m,",
        ];
        let TableReading { patients, problems, .. } = read(&rows);
        assert_eq!(patients.iter().map(|patient| patient.id.as_str()).collect::<Vec<_>>(), ["P1", "P5"]);
        let places: Vec<String> =
            problems.iter().map(|p| format!("{} {}", p.patient.as_deref().unwrap_or("-"), p.place)).collect();
        let expected = [
            "- patients.csv, line 6",
            "P1 column patient",
            "P2 column alnm",
            "P2 column mtd_cm",
            "P2 column subtype",
            "P3 column sad_aln_cm",
            "P3 column neutrophils",
            "P3 column image",
            "P6 column wbc",
            "P6 column subtype",
        ];
        assert_eq!(places, expected);
    }

    #[test]
    fn a_header_without_columns_names_them_and_those_that_are_there() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("patients.csv"), "patient,centre\nP1,A\n").unwrap();
        let reading = read_patients(folder.path(), &ReadingRules::default());
        let problem = &reading.problems[0];
        assert!(
            problem.what.contains("alnm") && !problem.what.contains("mask_reader2") && !problem.what.contains("her2")
        );
        assert!(problem.fix.contains("`centre`"), "{problem}");
        assert_eq!(reading.problems.len(), 1);
    }
}
