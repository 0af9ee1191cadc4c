//! Outcomes beside metastasis: the nodal stage, the number of positive nodes, and the time to a recurrence.

use std::fmt;

use super::Problem;
use super::numbers::{DecimalMark, Marks, number};
use super::spreadsheet::counted;
use super::table::{CellFault, Reader};

/// Columns of further outcomes, which may be missing.
pub const OUTCOME_COLUMNS: [&str; 4] = ["nodal_stage", "positive_nodes", "follow_up_months", "recurrence"];

/// Nodal stage by pathology (pN of the TNM classification, without its subdivisions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodalStage {
    /// No metastasis, or isolated tumour cells.
    N0,
    /// pN1, micrometastases included.
    N1,
    /// pN2.
    N2,
    /// pN3.
    N3,
}

impl NodalStage {
    /// All stages in ascending order.
    pub const ALL: [Self; 4] = [Self::N0, Self::N1, Self::N2, Self::N3];

    /// The name of the stage.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["N0", "N1", "N2", "N3"][self as usize]
    }

    /// The stage that a cell names: `N1`, `pN1a`, `ypN1mi(sn)` or `1`.
    fn read(cell: &str) -> Option<Self> {
        let lower = cell.trim().to_lowercase();
        let (prefix, rest) = match lower.split_once('n') {
            Some((prefix, rest)) => (prefix, rest.trim_start()),
            None => ("", lower.as_str()),
        };
        let is_prefix = prefix.chars().all(|letter| "ypcrsm ".contains(letter));
        let mut letters = rest.chars();
        let stage = Self::ALL.get(letters.next()?.to_digit(10)? as usize).copied()?;
        let subdivision = letters.as_str();
        let is_subdivision = subdivision.is_empty()
            || subdivision == ".0"
            || subdivision.starts_with(['a', 'b', 'c', 'm', '(', ' ', '+']);
        (is_prefix && is_subdivision).then_some(stage)
    }
}

impl fmt::Display for NodalStage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Follow-up of a patient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recurrence {
    /// Months from the surgery to the recurrence, or to the last visit without one.
    pub months: f64,
    /// Whether there was a recurrence.
    pub observed: bool,
}

/// What is known of a patient beside metastasis.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FurtherOutcomes {
    /// Nodal stage.
    pub nodal_stage: Option<NodalStage>,
    /// Number of positive nodes.
    pub positive_nodes: Option<u32>,
    /// Follow-up.
    pub recurrence: Option<Recurrence>,
}

impl FurtherOutcomes {
    /// What contradicts the outcome of the study, in words.
    fn against(&self, alnm: bool) -> Option<String> {
        let said = |column: &str, value: String| format!("{column} is {value} where alnm is {}", u8::from(alnm));
        let by_stage = self.nodal_stage.filter(|stage| (*stage > NodalStage::N0) != alnm);
        let by_nodes = self.positive_nodes.filter(|nodes| (*nodes > 0) != alnm);
        by_stage
            .map(|stage| said("nodal_stage", stage.to_string()))
            .or_else(|| by_nodes.map(|nodes| said("positive_nodes", nodes.to_string())))
    }
}

/// Most nodes that are taken in an axilla, and more than anybody has.
const MOST_NODES: f64 = 100.0;
/// Longest plausible follow-up in months.
const LONGEST_FOLLOW_UP: f64 = 600.0;

impl Reader<'_> {
    /// The columns of further outcomes, where the table has them. One that contradicts the outcome of the study is a
    /// fault; one that cannot be read counts as not known where `cohort.toml` leaves problems out.
    pub(super) fn further_outcomes(&mut self, ids: &[String], alnm: &[Option<bool>]) -> Vec<FurtherOutcomes> {
        let stages = self
            .parsed("nodal_stage", ids, "no nodal stage", "write N0, N1, N2 or N3", |cell, _| NodalStage::read(cell));
        let whole = |cell: &str, decimal| {
            let count = number(cell, decimal).ok()?;
            ((0.0..=MOST_NODES).contains(&count) && count.fract() == 0.0).then_some(count as u32)
        };
        let nodes = self.parsed("positive_nodes", ids, "no count of nodes", "write a whole number, 0 to 100", whole);
        let months = |cell: &str, decimal| {
            number(cell, decimal).ok().filter(|months| *months > 0.0 && *months <= LONGEST_FOLLOW_UP)
        };
        let fix = "write months above 0, at most 600";
        let months = self.parsed("follow_up_months", ids, "no time of follow-up", fix, months);
        let observed = self.flags("recurrence", ids, false);
        self.check_pairs(ids, &months, &observed);
        let outcomes: Vec<FurtherOutcomes> = (0..ids.len())
            .map(|row| FurtherOutcomes {
                nodal_stage: stages[row],
                positive_nodes: nodes[row],
                recurrence: months[row].zip(observed[row]).map(|(months, observed)| Recurrence { months, observed }),
            })
            .collect();
        for (row, outcome) in outcomes.iter().enumerate() {
            if let Some(what) = alnm[row].and_then(|alnm| outcome.against(alnm)) {
                let place = "columns alnm, nodal_stage, positive_nodes";
                let fix = "correct the one that is wrong, or declare codes of alnm in cohort.toml";
                self.found.push((Some(row), Problem::of_patient(&ids[row], place, what, fix)));
            }
        }
        outcomes
    }

    /// A column whose cells are read by a function; cells that it does not read are reported.
    fn parsed<T: Clone>(
        &mut self,
        column: &str,
        ids: &[String],
        what: &str,
        fix: &str,
        read: impl Fn(&str, DecimalMark) -> Option<T>,
    ) -> Vec<Option<T>> {
        let cells: Vec<String> = self.cells(column).iter().map(|cell| (*cell).to_owned()).collect();
        let marks = Marks::of(cells.iter().filter(|cell| !self.is_missing(cell)).map(String::as_str));
        let decimal = marks.decimal().unwrap_or(DecimalMark::Point);
        let mut faults = Vec::new();
        let mut values = Vec::with_capacity(cells.len());
        for (row, cell) in cells.iter().enumerate() {
            let value = if self.is_missing(cell) { None } else { read(cell, decimal) };
            if value.is_none() && !self.is_missing(cell) {
                faults.push(CellFault {
                    row,
                    of_cell: format!("`{cell}` is {what}"),
                    of_column: format!("are {what}"),
                    fix: fix.to_owned(),
                });
            }
            values.push(value);
        }
        self.report(column, ids, faults, false);
        values
    }

    /// A time without an outcome, or an outcome without a time, is no follow-up: how many there are is said.
    fn check_pairs(&mut self, ids: &[String], months: &[Option<f64>], observed: &[Option<bool>]) {
        let halves = months.iter().zip(observed).filter(|(months, observed)| months.is_some() != observed.is_some());
        let halves = halves.count();
        if halves > 0 {
            let of = format!("{halves} of {}", counted(ids.len(), "patient"));
            self.remarks.push(format!("columns follow_up_months, recurrence: one of the two is missing for {of}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_read_with_prefixes_and_subdivisions() {
        use NodalStage::{N0, N1, N2, N3};
        for (cell, stage) in [
            ("N0", Some(N0)),
            ("0", Some(N0)),
            ("pN0(i+)", Some(N0)),
            ("pN1a", Some(N1)),
            ("ypN1mi (sn)", Some(N1)),
            ("n 2", Some(N2)),
            ("N3c", Some(N3)),
            ("3", Some(N3)),
            ("2.0", Some(N2)),
            ("N4", None),
            ("NX", None),
            ("12", None),
            ("T2", None),
            ("none", None),
        ] {
            assert_eq!(NodalStage::read(cell), stage, "{cell}");
        }
    }
}
