//! `alnm predict` and `alnm calculator`: a fitted model applied.

use std::path::{Path, PathBuf};

use alnm_models::saved_model::{Assessment, ModelVariable};
use alnm_models::{Measurement, RiskModel};
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, DataTable};
use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use crate::exit::of_batch;
use crate::input::read_text;
use crate::messages;
use crate::options::{IntervalLevel, ResultFormat, ResultOptions};
use crate::output::Overwriting;
use crate::separators::{SeparatedRow, SeparatedTable, read_table_text, table as table_of};

/// Risk of patients by a fitted model: with its interval, what each value adds, and a warning where the model never saw
/// such a value.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  alnm predict integrated_model.json --patient patients.csv --format csv --out risks.csv
  alnm predict integrated_model.json --template > patients.csv

A CSV file has a row for each patient and a column for each variable, named `MTD` or, so that the unit is checked, `MTD (cm)`; further
columns are kept. A JSON file is one object, or a list of them: {\"age\": 50, \"MTD (cm)\": 2.5}.

Research software, not a medical device.")]
pub(crate) struct Predict {
    /// Model that a study has saved (JSON).
    model: PathBuf,
    /// File of the patients: CSV or JSON; `-` is standard input.
    #[arg(long, value_name = "FILE", required_unless_present = "template")]
    patient: Option<PathBuf>,
    /// Print the head of a CSV file for this model.
    #[arg(long, conflicts_with = "patient")]
    template: bool,
    /// Level of the intervals.
    #[arg(long, value_name = "X", default_value_t = IntervalLevel(0.95))]
    level: IntervalLevel,
    #[command(flatten)]
    result: ResultOptions,
}

/// A page to type values into, with the nomogram; it needs no network.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: alnm calculator integrated_model.json calculator.html")]
pub(crate) struct Calculator {
    /// Model that a study has saved (JSON).
    model: PathBuf,
    /// HTML file to write.
    output: PathBuf,
    #[command(flatten)]
    overwriting: Overwriting,
}

/// A patient of the file: name, further columns, and a measurement of each variable of the model, or what is wrong with
/// one.
struct PatientRow {
    name: String,
    further: Vec<(String, String)>,
    measured: Result<Vec<Measurement>>,
}

/// A patient with the assessment, or with why there is none.
type Assessed = (PatientRow, Result<Assessment>);

/// What the JSON says of a patient.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer<'a> {
    Assessed {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        patient: &'a Vec<(String, String)>,
        #[serde(flatten)]
        assessment: &'a Assessment,
    },
    Failed {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        patient: &'a Vec<(String, String)>,
        error: String,
    },
}

impl Predict {
    pub(crate) fn run(self) -> Result<()> {
        self.result.check()?;
        let model = read_model(&self.model)?;
        let text = match &self.patient {
            None => template(&model)?,
            Some(path) => {
                let patients = read_patients(path, &model)?;
                return self.answer(&model, assessed(&model, patients, self.level.0));
            }
        };
        self.result.write(&text)
    }

    /// Writes the answer for the patients that have one, and says why others have none.
    fn answer(&self, model: &RiskModel, patients: Vec<Assessed>) -> Result<()> {
        let failed = patients.iter().filter(|(_, assessment)| assessment.is_err()).count();
        for (patient, assessment) in &patients {
            if let Err(error) = assessment {
                messages::error(format_args!("patient {}: {}", patient.name, messages::reasons(error)));
            }
        }
        if failed < patients.len() {
            self.result.write(&match self.result.format() {
                ResultFormat::Text => text(&patients),
                ResultFormat::Csv => table(model, &patients)?.to_csv(),
                ResultFormat::Json => json(&patients)?,
            })?;
        }
        of_batch(failed, patients.len(), "patients")
    }
}

impl Calculator {
    pub(crate) fn run(self) -> Result<()> {
        self.overwriting.check_files([self.output.as_path()])?;
        let model = read_model(&self.model)?;
        // The blood counts of the indices that a study knows.
        #[cfg(feature = "bundle")]
        let quotients = alnm_study::variables::quotients(&model);
        #[cfg(not(feature = "bundle"))]
        let quotients = Vec::new();
        let page = alnm_models::calculator::page_with(&model, &quotients)?;
        self.overwriting.write_file(&self.output, page.as_bytes())
    }
}

fn read_model(path: &Path) -> Result<RiskModel> {
    let text = read_text(path)?;
    RiskModel::from_json(&text).with_context(|| format!("cannot use the model {}", path.display()))
}

fn assessed(model: &RiskModel, patients: Vec<PatientRow>, level: f64) -> Vec<Assessed> {
    let of_patient = |mut patient: PatientRow| {
        let measured = std::mem::replace(&mut patient.measured, Ok(Vec::new()));
        let assessment = measured.and_then(|measured| {
            let assessment = model.assess(&measured, level)?;
            patient.measured = Ok(measured);
            Ok(assessment)
        });
        (patient, assessment)
    };
    patients.into_iter().map(of_patient).collect()
}

/// Name of a column of a variable, with its unit.
pub(crate) fn column_name(name: &str, unit: &str) -> String {
    if unit.is_empty() { name.to_owned() } else { format!("{name} ({unit})") }
}

fn template(model: &RiskModel) -> Result<String> {
    let columns = model.variables().iter().map(|v| column_name(&v.variable.name, &v.variable.unit));
    Ok(DataTable::new(columns)?.to_csv())
}

fn read_patients(path: &Path, model: &RiskModel) -> Result<Vec<PatientRow>> {
    let PatientCells { columns, rows } = read_cells(path)?;
    let cannot_use = || format!("cannot use {}", path.display());
    let places = model
        .variables()
        .iter()
        .map(|v| place(&columns, &v.variable.name, &v.variable.unit))
        .collect::<Result<Vec<_>>>()
        .with_context(cannot_use)?;
    ensure!(!rows.is_empty(), "{}: it holds no patient; a row per patient is needed", cannot_use());
    let is_further = |column: &usize| !places.contains(column);
    let of_row = |(row, cells): (usize, Vec<String>)| -> PatientRow {
        // A patient is called as the first of the further columns calls him, else by the number of the row.
        let name =
            (0..columns.len()).find(is_further).map_or_else(|| (row + 1).to_string(), |first| cells[first].clone());
        // A column is found under the unit of training, or under its name alone.
        let value = |(&place, v): (&usize, &ModelVariable)| -> Result<Measurement> {
            let cell = cells[place].trim();
            let wanted = || format!("{:?} is {cell:?}; a number is needed", v.variable.name);
            let value = number(cell).with_context(wanted)?;
            Ok(Measurement::new(&v.variable.name, &v.variable.unit, value))
        };
        let measured = places.iter().zip(model.variables()).map(value).collect();
        let further = (0..columns.len())
            .filter(is_further)
            .map(|column| (columns[column].clone(), cells[column].clone()))
            .collect();
        PatientRow { name, further, measured }
    };
    Ok(rows.into_iter().enumerate().map(of_row).collect())
}

/// A finite number, with a point or, as tables with semicolons have it, a comma before its decimals.
fn number(cell: &str) -> Option<f64> {
    let with_point = || cell.replacen(',', ".", 1).parse();
    cell.parse().or_else(|_| with_point()).ok().filter(|value: &f64| value.is_finite())
}

/// The cells of a file of patients, a row for each.
pub(crate) struct PatientCells {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// Reads a file of patients: CSV, or JSON with an object or a list of them.
pub(crate) fn read_cells(path: &Path) -> Result<PatientCells> {
    let text = read_table_text(path)?;
    let cells = if text.trim_start().starts_with(['{', '[']) { from_json(&text) } else { from_csv(&text) };
    cells.with_context(|| format!("cannot use {}", path.display()))
}

/// The column of a variable, in capitals or not: under its name, or its name with the unit of training.
fn place(columns: &[String], name: &str, unit: &str) -> Result<usize> {
    let named = [name.to_owned(), column_name(name, unit)];
    let exact = columns.iter().position(|column| named.contains(column));
    let is_named = |column: &String| named.iter().any(|name| name.eq_ignore_ascii_case(column));
    if let Some(place) = exact.or_else(|| columns.iter().position(is_named)) {
        return Ok(place);
    }
    let is_of_other_unit =
        |column: &&String| column.split(" (").next().is_some_and(|start| start.eq_ignore_ascii_case(name));
    if let Some(other) = columns.iter().find(is_of_other_unit) {
        bail!(
            "column {other:?} has another unit than the model, which was trained on {:?}; convert its values",
            column_name(name, unit)
        );
    }
    bail!("there is no column {:?}; the file has {columns:?}", column_name(name, unit))
}

fn from_csv(text: &str) -> Result<PatientCells> {
    let SeparatedTable { columns, rows } = table_of(text)?;
    let of_row = |SeparatedRow { cells, line }: SeparatedRow| -> Result<Vec<String>> {
        ensure!(
            cells.len() == columns.len(),
            "line {line} has {} cells and the first line {}; give each patient a cell for each column",
            cells.len(),
            columns.len()
        );
        Ok(cells)
    };
    let rows = rows.into_iter().map(of_row).collect::<Result<_>>()?;
    Ok(PatientCells { columns, rows })
}

fn from_json(text: &str) -> Result<PatientCells> {
    type Object = serde_json::Map<String, serde_json::Value>;
    let objects: Vec<Object> = match serde_json::from_str(text)? {
        serde_json::Value::Array(objects) => serde_json::from_value(serde_json::Value::Array(objects))?,
        object => vec![serde_json::from_value(object)?],
    };
    let columns: Vec<String> = objects.first().map(|first| first.keys().cloned().collect()).unwrap_or_default();
    let cell = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let of_object = |(row, object): (usize, &Object)| -> Result<Vec<String>> {
        let of_column = |name: &String| {
            object.get(name).map(cell).with_context(|| {
                format!(
                    "patient {} has no {name:?}, which the first patient has; give every patient the same values",
                    row + 1
                )
            })
        };
        columns.iter().map(of_column).collect()
    };
    let rows = objects.iter().enumerate().map(of_object).collect::<Result<_>>()?;
    Ok(PatientCells { columns, rows })
}

fn text(patients: &[Assessed]) -> String {
    let mut lines = Vec::new();
    for (patient, found) in patients {
        let Ok(found) = found else {
            lines.push(format!("patient {}: no risk", patient.name));
            continue;
        };
        lines.extend(assessment_lines(&patient.name, found));
        for v in &found.extrapolations {
            let (low, high) = (v.training_minimum, v.training_maximum);
            lines.push(format!(
                "  {}: outside the training range of {low} to {high}; the risk is an extrapolation",
                v.variable.name
            ));
        }
    }
    lines.push("Research software, not a medical device.".to_owned());
    lines.join("\n") + "\n"
}

/// Risk, verdicts and contributions of a patient in words.
pub(crate) fn assessment_lines(name: &str, found: &Assessment) -> Vec<String> {
    let Assessment { risk, interval, .. } = found;
    let level = 100.0 * interval.level;
    let mut lines = vec![format!(
        "patient {name}: risk {risk:.4} ({level} % interval {:.4} to {:.4})",
        interval.lower, interval.upper
    )];
    for decision in &found.decisions {
        let side = if decision.positive { "above" } else { "not above" };
        lines.push(format!("  {side} the cutoff {:?} of {:.4}", decision.cutoff.name, decision.cutoff.threshold));
    }
    lines.push("  change of the log odds against the average patient of training:".to_owned());
    for part in &found.contributions {
        let name = column_name(&part.variable.name, &part.variable.unit);
        lines.push(format!("    {name:<24} {:>12} {:>+10.4}", part.value, part.log_odds));
    }
    lines
}

/// A row per patient: further columns, the variables, and the answer; these are empty where there is no risk.
fn table(model: &RiskModel, patients: &[Assessed]) -> Result<DataTable> {
    let further =
        patients.first().map_or(&[][..], |(patient, _)| &patient.further).iter().map(|(name, _)| name.clone());
    let variables = model.variables().iter().map(|v| column_name(&v.variable.name, &v.variable.unit));
    let fixed = ["risk", "interval_lower", "interval_upper"].map(str::to_owned);
    let decisions = model.cutoffs().iter().map(|cutoff| format!("above {}", cutoff.name));
    let contributions = model.variables().iter().map(|v| format!("contribution of {}", v.variable.name));
    let outside = ["outside_training_range".to_owned()];
    let columns = further.chain(variables).chain(fixed).chain(decisions).chain(contributions).chain(outside);
    let mut table = DataTable::new(columns).context("a column of the patients has a name of the answer; rename it")?;
    let width = table.columns().len();
    for (patient, found) in patients {
        let further = patient.further.iter().map(|(_, cell)| Cell::from(cell));
        let Ok(found) = found else {
            let mut row: Vec<Cell> = further.collect();
            row.resize(width, Cell::Empty);
            table.push(row)?;
            continue;
        };
        let values = patient.measured.iter().flatten().map(|measured| Cell::from(measured.value));
        let fixed = cells![found.risk, found.interval.lower, found.interval.upper];
        let decisions = found.decisions.iter().map(|decision| Cell::from(usize::from(decision.positive)));
        let contributions = found.contributions.iter().map(|part| Cell::from(part.log_odds));
        let outside: Vec<&str> = found.extrapolations.iter().map(|v| v.variable.name.as_str()).collect();
        let answer = fixed.into_iter().chain(decisions).chain(contributions).chain(cells![outside.join(" ")]);
        table.push(further.chain(values).chain(answer).collect())?;
    }
    Ok(table)
}

fn json(patients: &[Assessed]) -> Result<String> {
    let answers: Vec<Answer<'_>> = patients
        .iter()
        .map(|(PatientRow { further: patient, .. }, found)| match found {
            Ok(assessment) => Answer::Assessed { patient, assessment },
            Err(error) => Answer::Failed { patient, error: messages::reasons(error) },
        })
        .collect();
    Ok(serde_json::to_string_pretty(&answers)? + "\n")
}
