//! Columns of numbers in their units, and what of them is missing.

use super::super::columns::{QUANTITIES, Quantity};
use super::super::dates::PatientDates;
use super::super::missing::MissingHandling;
use super::super::numbers::{DecimalMark, Marks, number};
use super::super::plausibility::{ReadColumns, in_another_unit, is_of_column};
use super::super::spreadsheet::counted;
use super::super::{Markers, Problem};
use super::{CellFault, Reader};

impl Reader<'_> {
    /// A numeric column in its unit.
    pub(super) fn numbers(
        &mut self,
        quantity: &Quantity,
        columns: &ReadColumns,
        dates: &[PatientDates],
    ) -> Vec<Option<f64>> {
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
    pub(super) fn count_missing(&mut self, columns: &ReadColumns) {
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
}
