//! Columns of two values, and subtypes.

use std::collections::BTreeSet;

use super::super::coding::{Flag, percentage, subtype};
use super::super::{Problem, Subtype};
use super::{CellFault, Reader};

impl Reader<'_> {
    /// A column of two values. `is_needed` columns may not lack one.
    pub(in crate::cohort) fn flags(&mut self, column: &str, ids: &[String], is_needed: bool) -> Vec<Option<bool>> {
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

    pub(super) fn subtypes(&mut self, ids: &[String]) -> Vec<Option<Subtype>> {
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
}
