//! The table of patients: read from whatever a spreadsheet program exported, with everything that is wrong in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use alnm_stats::cells;
use alnm_stats::data_table::DataTable;
use anyhow::Result;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::coding::{Codes, Flag, percentage, subtype};
use super::columns::{COLUMNS, ColumnPlaces, ColumnSources, DATE_COLUMNS, QUANTITIES, Quantity, SECOND_MASK, is_known};
use super::dates::{DateOrder, PatientDates, date, order};
use super::inclusion::InclusionRules;
use super::missing::{MissingHandling, MissingRules};
use super::numbers::{DecimalMark, Marks, is_missing, number};
use super::plausibility::{Located, ReadColumns, in_another_unit, is_of_column};
use super::spreadsheet::{DeclaredFormat, Spreadsheet, TextEncoding, counted};
use super::{BloodCounts, Markers, Patient, Problem, Subtype};
use crate::store::write_file;

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
/// mapped as the rules declare them, and everything that is wrong is collected. A fault that most cells of a column have is
/// one problem.
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
    let places = ColumnPlaces::find(&sheet.header, &rules.columns, &mut reading.problems);
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
struct CellFault {
    row: usize,
    of_cell: String,
    of_column: String,
    fix: String,
}

struct Reader<'a> {
    folder: &'a Path,
    rules: &'a ReadingRules,
    sheet: &'a Spreadsheet,
    places: &'a ColumnPlaces,
    found: Vec<Located>,
    remarks: Vec<String>,
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
        let [images, masks, second] = ["image", "mask", SECOND_MASK].map(|column| self.paths(column, &columns.ids));
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
    fn cells(&self, column: &str) -> Vec<&str> {
        let place = self.places.of(column);
        self.sheet.rows.iter().map(|row| place.map_or("", |place| row.cells[place].as_str())).collect()
    }

    fn is_missing(&self, cell: &str) -> bool {
        is_missing(cell, &self.rules.missing.markers)
    }

    fn further(&self, row: usize) -> BTreeMap<String, String> {
        let cells = &self.sheet.rows[row].cells;
        self.places.further().map(|(place, name)| (name.to_owned(), cells[place].clone())).collect()
    }

    /// Reports the faults of a column's cells: those of the same kind that most cells have as one.
    fn report(&mut self, column: &str, ids: &[String], faults: Vec<CellFault>, is_used: bool) {
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

    /// A column of two values. `is_needed` columns may not lack one.
    fn flags(&mut self, column: &str, ids: &[String], is_needed: bool) -> Vec<Option<bool>> {
        let cells: Vec<String> = self.cells(column).iter().map(|cell| (*cell).to_owned()).collect();
        let codes = self.rules.codes.of(column).clone();
        let markers = &self.rules.missing.markers;
        let mut read: Vec<Flag> = cells.iter().map(|cell| codes.read(cell, markers)).collect();
        let has = |wanted: &str| cells.iter().any(|cell| cell == wanted);
        let is_signs = has("+") && has("-") && codes.read("-", markers) == Flag::Missing;
        let example =
            format!("in cohort.toml, for instance [codes] {column} = {{ positive = [\"ja\"], negative = [\"nein\"] }}");
        if is_signs {
            let what = "`-` stands beside `+`, and may be negative or missing";
            let fix = format!(
                "say which in cohort.toml: [codes] {column} = {{ negative = [\"-\"] }} or {{ missing = [\"-\"] }}"
            );
            self.found.push((None, Problem::of_cohort(format!("column {}", self.places.label(column)), what, fix)));
        }
        // Where a column holds scores or percentages, its 0 and 1 are no codes for negative and positive.
        let is_scored = |cell: &String| {
            let score = cell.strip_suffix('+').unwrap_or(cell);
            percentage(score).is_some_and(|value| value > 1.0 || (value > 0.0 && value < 1.0)) || cell.ends_with("1+")
        };
        let is_undeclared = codes.threshold.is_none()
            && cells.iter().zip(&read).any(|(cell, flag)| *flag == Flag::Unknown && is_scored(cell));
        let shares = codes.threshold.is_some_and(|threshold| threshold > 1.0)
            && cells.iter().filter_map(|cell| percentage(cell)).all(|value| value <= 1.0)
            && cells.iter().any(|cell| percentage(cell).is_some_and(|value| value > 0.0));
        let (of_column, fix) = if is_undeclared {
            for (cell, flag) in cells.iter().zip(&mut read) {
                if percentage(cell).is_some() && !codes.is_declared() {
                    *flag = Flag::Unknown;
                }
            }
            let rule = if column == "her2" {
                "positive = [\"3+\"], negative = [\"0\", \"1+\"], missing = [\"2+\"]"
            } else {
                "threshold = 20"
            };
            let fix = format!("declare what is positive in cohort.toml, for instance [codes] {column} = {{ {rule} }}");
            ("are scores or percentages", fix)
        } else {
            ("are neither 1 nor 0", format!("write 1 for positive and 0 for negative, or declare codes {example}"))
        };
        if shares {
            let what = "no value is above 1, where the threshold is one of percentages";
            let place = format!("column {}", self.places.label(column));
            self.found.push((None, Problem::of_cohort(place, what, "write percentages, such as 25 for 25 %")));
        }
        let mut faults = Vec::new();
        let mut texts: BTreeSet<String> = BTreeSet::new();
        let values = read
            .iter()
            .enumerate()
            .map(|(row, flag)| {
                let cell = &cells[row];
                match flag {
                    Flag::Known(value) => {
                        if !matches!(cell.as_str(), "0" | "1") && codes.threshold.is_none() {
                            texts.insert(format!("`{cell}` as {}", u8::from(*value)));
                        }
                        return Some(*value);
                    }
                    Flag::Missing if is_needed => faults.push(CellFault {
                        row,
                        of_cell: "the value is missing".to_owned(),
                        of_column: "are missing".to_owned(),
                        fix: "write 1 for positive and 0 for negative".to_owned(),
                    }),
                    Flag::Missing => {}
                    Flag::Unknown => faults.push(CellFault {
                        row,
                        of_cell: format!("`{cell}` is neither 1 nor 0"),
                        of_column: of_column.to_owned(),
                        fix: fix.clone(),
                    }),
                }
                None
            })
            .collect();
        if !texts.is_empty() {
            let texts: Vec<String> = texts.into_iter().collect();
            self.remarks.push(format!("column {}: {} read", self.places.label(column), texts.join(", ")));
        }
        if let Some(threshold) = codes.threshold {
            self.remarks.push(format!("column {}: positive from {threshold} % on", self.places.label(column)));
        }
        self.report(column, ids, faults, is_needed);
        values
    }

    fn subtypes(&mut self, ids: &[String]) -> Vec<Option<Subtype>> {
        let cells: Vec<String> = self.cells("subtype").iter().map(|cell| (*cell).to_owned()).collect();
        let names = Subtype::ALL.map(Subtype::name).join(", ");
        let mut faults = Vec::new();
        let values = cells
            .iter()
            .enumerate()
            .map(|(row, cell)| {
                let found = subtype(cell, &self.rules.codes.subtype);
                if found.is_none() && !self.is_missing(cell) {
                    faults.push(CellFault {
                        row,
                        of_cell: format!("`{cell}` is not a subtype"),
                        of_column: "are no subtypes".to_owned(),
                        fix: format!(
                            "write one of {names}, or name yours in cohort.toml: [codes.subtype] \"Luminal A\" = [\"...\"]"
                        ),
                    });
                }
                found
            })
            .collect();
        self.report("subtype", ids, faults, false);
        values
    }

    /// A path with forward slashes; `None` where there is none.
    fn paths(&mut self, column: &str, ids: &[String]) -> Vec<Option<PathBuf>> {
        let cells: Vec<String> = self.cells(column).iter().map(|cell| (*cell).to_owned()).collect();
        let mut faults = Vec::new();
        let mut turned = 0;
        let values = cells
            .iter()
            .enumerate()
            .map(|(row, cell)| {
                let mut refuse = |of_cell: String, of_column: &str, fix: &str| {
                    faults.push(CellFault { row, of_cell, of_column: of_column.to_owned(), fix: fix.to_owned() });
                };
                if self.is_missing(cell) {
                    if column != SECOND_MASK {
                        refuse(
                            "the path is empty".to_owned(),
                            "are empty",
                            "give a path relative to the cohort folder",
                        );
                    }
                    return None;
                }
                let exists = |path: &str| self.folder.join(path).exists();
                if exists(cell) {
                    return Some(PathBuf::from(cell));
                }
                let forward = cell.replace('\\', "/");
                if forward == *cell {
                    let fix = "give a path relative to the cohort folder";
                    refuse(format!("{cell} does not exist"), "do not exist", fix);
                } else if exists(&forward) {
                    turned += 1;
                    return Some(PathBuf::from(forward));
                } else {
                    let what = format!("{cell} does not exist, with its backslashes as slashes neither");
                    let fix = "give a path relative to the cohort folder, with slashes";
                    refuse(what, "do not exist, with their backslashes as slashes neither", fix);
                }
                None
            })
            .collect();
        if turned > 0 {
            let paths = counted(turned, "path");
            self.remarks.push(format!("column {}: backslashes of {paths} read as slashes", self.places.label(column)));
        }
        self.report(column, ids, faults, true);
        values
    }

    fn dates(&mut self, ids: &[String]) -> Vec<PatientDates> {
        let [birth, mri, blood, surgery] = DATE_COLUMNS.map(|column| self.date_column(column, ids));
        (0..self.rows())
            .map(|row| PatientDates { birth: birth[row], mri: mri[row], blood: blood[row], surgery: surgery[row] })
            .collect()
    }

    fn date_column(&mut self, column: &str, ids: &[String]) -> Vec<Option<NaiveDate>> {
        let cells: Vec<String> = self.cells(column).iter().map(|cell| (*cell).to_owned()).collect();
        let nothing = vec![None; cells.len()];
        let order = match self.rules.table.dates {
            Some(order) => order,
            None => match order(cells.iter().map(String::as_str)) {
                Ok(order) => order,
                Err(what) => {
                    let fix = "declare it in cohort.toml: [table] dates = \"day/month/year\" or \"month/day/year\"";
                    let place = format!("column {}", self.places.label(column));
                    self.found.push((None, Problem::of_cohort(place, what, fix)));
                    return nothing;
                }
            },
        };
        let mut faults = Vec::new();
        let values = cells
            .iter()
            .enumerate()
            .map(|(row, cell)| {
                if self.is_missing(cell) {
                    return None;
                }
                date(cell, order)
                    .map_err(|reason| {
                        faults.push(CellFault {
                            row,
                            of_cell: format!("`{cell}` is no date that can be read: {reason}"),
                            of_column: format!("are no dates that can be read ({reason})"),
                            fix: "write year-month-day, such as 2024-05-31".to_owned(),
                        });
                    })
                    .ok()
            })
            .collect();
        self.report(column, ids, faults, true);
        values
    }

    /// A numeric column in its unit.
    fn numbers(&mut self, quantity: &Quantity, columns: &ReadColumns, dates: &[PatientDates]) -> Vec<Option<f64>> {
        let (column, unit) = (quantity.name, quantity.unit);
        let (ids, centres) = (&columns.ids, &columns.centres);
        let cells: Vec<String> = self.cells(column).iter().map(|cell| (*cell).to_owned()).collect();
        let place = format!("column {}", self.places.label(column));
        let marks = Marks::of(cells.iter().filter(|cell| !self.is_missing(cell)).map(String::as_str));
        let decimal = match (self.rules.table.decimal, marks.decimal()) {
            (Some(','), _) | (None, Ok(DecimalMark::Comma)) => DecimalMark::Comma,
            (Some(_), _) | (None, Ok(DecimalMark::Point)) => DecimalMark::Point,
            (None, Err(mixed)) => {
                let fix = "write one kind, or declare [table] decimal = \".\" or \",\" in cohort.toml; the other mark then parts thousands";
                self.found.push((None, Problem::of_cohort(place, mixed, fix)));
                return vec![None; cells.len()];
            }
        };
        let factor = self.places.factor(column);
        let mut faults = Vec::new();
        let mut values: Vec<Option<f64>> = Vec::with_capacity(cells.len());
        let (mut filled, mut missing) = (0, Vec::new());
        for (row, cell) in cells.iter().enumerate() {
            if self.is_missing(cell) {
                let age = dates[row].age().filter(|_| column == "age_years");
                filled += usize::from(age.is_some());
                values.push(age);
                if age.is_none() {
                    missing.push(row);
                }
                continue;
            }
            values.push(match number(cell, decimal) {
                Ok(value) => Some(if factor == 1.0 { value } else { value * factor }),
                Err(reason) => {
                    faults.push(CellFault {
                        row,
                        of_cell: format!("`{cell}` is not a number: {reason}"),
                        of_column: format!("are not numbers ({reason})"),
                        fix: format!("write {unit} as a number alone"),
                    });
                    None
                }
            });
        }
        let whole = in_another_unit(quantity, &values, centres);
        let [low, high] = quantity.range;
        for (row, value) in values.iter_mut().enumerate() {
            if whole.as_ref().is_some_and(|(of_unit, _)| of_unit.contains(&centres[row].as_str())) {
                *value = None;
                continue;
            }
            let Some(found) = value.filter(|value| !(low..=high).contains(value)) else { continue };
            faults.push(CellFault {
                row,
                of_cell: format!("{found} is implausible"),
                of_column: format!("are implausible in {unit}"),
                fix: format!("values from {low} to {high} {unit} are plausible; is the unit {unit}? Another is declared in [columns]"),
            });
            *value = None;
        }
        if decimal == DecimalMark::Comma && marks.commas() > 0 {
            let commas = counted(marks.commas(), "value");
            if is_of_column(faults.len(), cells.len() - missing.len()) {
                let all = if marks.commas() == cells.len() - missing.len() { "all " } else { "" };
                faults
                    .iter_mut()
                    .for_each(|fault| fault.of_column.push_str(&format!("; {all}{commas} have decimal commas")));
            } else {
                self.remarks.push(format!("{place}: {commas} with decimal commas"));
            }
        }
        if factor != 1.0 {
            self.remarks.push(format!("{place}: values times {factor}, to {unit}"));
        }
        if filled > 0 {
            self.remarks.push(format!("column age_years: {} from the dates", counted(filled, "age")));
        }
        self.found.extend(whole.map(|(_, problem)| (None, problem)));
        self.report(column, ids, faults, true);
        self.missing_numbers(quantity, ids, &missing);
        values
    }

    /// What happens to patients who lack a number.
    fn missing_numbers(&mut self, quantity: &Quantity, ids: &[String], missing: &[usize]) {
        let handling = self.rules.missing_handling.unwrap_or(MissingHandling::Refuse);
        let place = format!("column {}", self.places.label(quantity.name));
        if missing.len() == ids.len() && !ids.is_empty() {
            let fix = "fill the column in; what nobody has cannot be imputed";
            self.found.push((None, Problem::of_cohort(place, "every value is missing", fix)));
            return;
        }
        if handling == MissingHandling::Impute {
            if 2 * missing.len() > ids.len() {
                let what = format!("{} of {} values are missing", missing.len(), ids.len());
                let fix = "impute columns that at least half of the patients have; fill this one in";
                self.found.push((None, Problem::of_cohort(place, what, fix)));
            }
            return;
        }
        let fix =
            format!("fill in {}, or set [missing] policy = \"exclude\" or \"impute\" in cohort.toml", quantity.unit);
        let of_row =
            |&row: &usize| (Some(row), Problem::of_patient(&ids[row], &place, "the value is missing", &fix).missing());
        self.found.extend(missing.iter().map(of_row));
    }

    /// Says how many values are missing, column by column.
    fn count_missing(&mut self, columns: &ReadColumns) {
        let rows = self.rows();
        let mut counts: Vec<(&str, usize)> = QUANTITIES
            .iter()
            .map(|quantity| {
                let cells = self.cells(quantity.name);
                let values = &columns.numbers[quantity.name];
                let is_absent = |row: &usize| values[*row].is_none() && self.is_missing(cells[*row]);
                (quantity.name, (0..rows).filter(is_absent).count())
            })
            .collect();
        let marker =
            |name, of: fn(&Markers) -> Option<bool>| (name, columns.markers.iter().filter(|m| of(m).is_none()).count());
        counts.extend([
            marker("pr", |markers| markers.pr),
            marker("er", |markers| markers.er),
            marker("her2", |markers| markers.her2),
            marker("ki67", |markers| markers.ki67),
            ("subtype", columns.subtypes.iter().filter(|subtype| subtype.is_none()).count()),
        ]);
        let missing: Vec<String> =
            counts.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name} {count}")).collect();
        if !missing.is_empty() {
            self.remarks.push(format!("values not known, of {}: {}", counted(rows, "patient"), missing.join(", ")));
        }
    }

    /// Says for how many patients a rule of inclusion could not be checked, where the table has its dates.
    fn unchecked_rules(&mut self, dates: &[PatientDates]) {
        let dates_of = |date: fn(&PatientDates) -> Option<NaiveDate>| dates.iter().map(date).collect::<Vec<_>>();
        let rules =
            [("MRI", "mri_date", dates_of(|dates| dates.mri)), ("blood", "blood_date", dates_of(|dates| dates.blood))];
        for (name, column, examined) in rules {
            if !self.places.has(column) || !self.places.has("surgery_date") {
                self.remarks.push(format!("inclusion: days from {name} to surgery not checked, since the table has no {column} and surgery_date"));
                continue;
            }
            let pairs = examined.iter().zip(dates);
            let unknown = pairs.filter(|(examined, dates)| examined.is_none() || dates.surgery.is_none()).count();
            if unknown > 0 {
                let patients = counted(unknown, "patient");
                self.remarks.push(format!("inclusion: days from {name} to surgery not known for {patients}"));
            }
        }
    }
}

/// Writes patients in the format that [`read_patients`] reads.
///
/// # Errors
/// When the file cannot be written.
pub fn write_patients(path: &Path, patients: &[Patient]) -> Result<()> {
    let mut table = DataTable::new(COLUMNS)?;
    for patient in patients {
        let flag = |value: Option<bool>| value.map(usize::from);
        let measured = |value: f64| (!value.is_nan()).then_some(value);
        let file = |path: &Path| path.display().to_string();
        let blood = &patient.blood;
        table.push(cells![
            patient.id.clone(),
            patient.centre.clone(),
            usize::from(patient.alnm),
            measured(patient.age_years),
            measured(patient.mtd_cm),
            measured(patient.sad_aln_cm),
            flag(patient.markers.pr),
            flag(patient.markers.er),
            flag(patient.markers.her2),
            flag(patient.markers.ki67),
            patient.subtype.map(Subtype::name),
            measured(blood.neutrophils),
            measured(blood.lymphocytes),
            measured(blood.monocytes),
            measured(blood.wbc),
            measured(blood.platelets),
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
