//! Tables of the cohort folder: how each centre's images were made, what was found out about the table of patients, and
//! what missing values do to the models.

use alnm_stats::cells;
use alnm_stats::data_table::Cell;

use super::table::{Table, TableCell};
use crate::cohort::{Cohort, acquisition_by_centre};
use crate::missing_values::{EstimateWithInterval, HandedOnFigures, HandedOnRisk, MissingValues};
use crate::study::Study;

/// All of them, for the folder and the page.
pub(super) fn all(study: &Study, cohort: &Cohort) -> Vec<Table> {
    let mut tables = Vec::new();
    if !study.acquisitions.is_empty() {
        tables.push(acquisition(study, cohort));
    }
    if !cohort.remarks.is_empty() {
        let rows = cohort.remarks.iter().map(|remark| vec![remark.clone()]).collect();
        tables.push(Table::new("cohort_remarks", "What was found out about the cohort folder", &["remark"], rows));
    }
    if let Some(values) = &study.missing_values {
        tables.extend([
            missing(values),
            coefficients(values),
            areas(values),
            handed_on(values),
            handed_on_risks(values),
        ]);
    }
    tables
}

fn acquisition(study: &Study, cohort: &Cohort) -> Table {
    let rows = acquisition_by_centre(cohort, &study.acquisitions)
        .into_iter()
        .flat_map(|one| {
            let cells = move |(value, patients): (String, usize)| {
                cells![one.centre.clone(), one.property.to_owned(), value, patients]
            };
            one.values.clone().into_iter().map(cells).collect::<Vec<_>>()
        })
        .collect();
    Table::new("acquisition", "Images by centre", &["centre", "property", "value", "patients"], rows)
}

fn missing(values: &MissingValues) -> Table {
    let of_complete = values.complete_patients.iter().map(|(centre, patients)| {
        let all = values.missing.iter().find(|one| one.centre == *centre).map(|one| one.patients - patients);
        cells!["any of them".to_owned(), centre.clone(), all, *patients]
    });
    let rows = values
        .missing
        .iter()
        .map(|one| cells![one.column.clone(), one.centre.clone(), one.missing, one.patients - one.missing])
        .chain(of_complete)
        .collect();
    Table::new("missing_values", "Missing values", &["column", "centre", "missing", "known"], rows)
}

/// A number with its interval; nothing where there is none.
fn estimated(value: Option<EstimateWithInterval>) -> TableCell {
    value.map_or(TableCell::Plain(Cell::Empty), |one| TableCell::estimate(one.estimate, one.interval))
}

fn coefficients(values: &MissingValues) -> Table {
    let row = |one: &crate::missing_values::ImputedCoefficient| {
        vec![
            TableCell::from(one.term.clone()),
            estimated(Some(one.pooled)),
            TableCell::Number { value: 100.0 * one.fraction_missing_information, decimals: 0 },
            estimated(one.complete_cases),
        ]
    };
    let title = format!(
        "Integrated model: coefficients pooled over {} imputations (Rubin's rules) beside those of complete cases",
        values.imputations
    );
    let header = ["term", "pooled", "missing information (%)", "complete cases"];
    Table::new("imputed_coefficients", &title, &header, values.coefficients.iter().map(row).collect())
}

fn areas(values: &MissingValues) -> Table {
    let row = |one: &crate::missing_values::ImputedArea| {
        vec![
            TableCell::from(one.model.clone()),
            TableCell::from(one.cohort.clone()),
            estimated(one.pooled),
            estimated(one.complete_cases),
        ]
    };
    let title = format!("AUC pooled over {} imputations beside that of complete cases", values.imputations);
    let header = ["model", "cohort", "pooled", "complete cases"];
    Table::new("imputed_areas", &title, &header, values.areas.iter().map(row).collect())
}

fn handed_on(values: &MissingValues) -> Table {
    let row = |one: &HandedOnFigures| {
        vec![
            TableCell::from(one.cohort.clone()),
            TableCell::from(one.patients),
            TableCell::from(one.completed),
            estimated(one.auc),
            estimated(one.in_the_large),
            estimated(one.slope),
        ]
    };
    let title = "The integrated model as the bundle hands it on: one risk for each patient, that of a patient who lacks a value the mean over \
                 the bundle's completions, which know no outcome";
    let header = ["cohort", "patients", "completed", "AUC", "calibration in the large", "calibration slope"];
    Table::new("bundle_performance", title, &header, values.handed_on.iter().map(row).collect())
}

fn handed_on_risks(values: &MissingValues) -> Table {
    let row = |one: &HandedOnRisk| {
        cells![one.centre.clone(), one.patient.clone(), usize::from(one.alnm), usize::from(one.completed), one.risk]
    };
    let header = ["centre", "patient", "alnm", "completed", "risk"];
    let title = "Risks by the bundle";
    Table::new("bundle_risks", title, &header, values.handed_on_risks.iter().map(row).collect()).only_file()
}
