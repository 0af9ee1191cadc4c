//! Columns of dates, and the rules of inclusion that rest on them.

use chrono::NaiveDate;

use super::super::Problem;
use super::super::columns::DATE_COLUMNS;
use super::super::dates::{PatientDates, date, order};
use super::super::spreadsheet::counted;
use super::{CellFault, Reader};

impl Reader<'_> {
    pub(super) fn dates(&mut self, ids: &[String]) -> Vec<PatientDates> {
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

    /// Says for how many patients a rule of inclusion could not be checked, where the table has its dates.
    pub(super) fn unchecked_rules(&mut self, dates: &[PatientDates]) {
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
