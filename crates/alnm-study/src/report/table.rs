//! A table of the report: on the page, in Markdown and in LaTeX as a reader wants it, in its CSV file as a program
//! does.

use std::path::Path;

use alnm_stats::Interval;
use alnm_stats::data_table::{Cell, DataTable, Digits, escaped_latex};
use alnm_stats::table_one::format_p;
use anyhow::Result;
use serde::Serialize;

use crate::store::write_file;

/// Decimals of numbers on the page where nothing else is said.
const DECIMALS: usize = 3;
/// A number from here on is printed without decimals.
const LARGE: f64 = 1000.0;
/// An end of an interval from here on says that the data do not bound it.
const UNBOUNDED: f64 = 1e5;

/// A cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TableCell {
    /// The same everywhere.
    Plain(Cell),
    /// A number, rounded on the page.
    Number { value: f64, decimals: usize },
    /// A number of any size, with four significant digits on the page.
    Significant(f64),
    /// A number with its interval: one cell on the page, three in the CSV file.
    Estimate { value: f64, interval: Interval, decimals: usize },
    /// A p-value.
    PValue(f64),
    /// What the data do not determine: a word on the page, nothing in the CSV file.
    Undefined(&'static str),
}

impl TableCell {
    /// A number with three decimals on the page.
    pub(super) fn number(value: f64) -> Self {
        Self::Number { value, decimals: DECIMALS }
    }

    /// A number with its interval, with three decimals on the page.
    pub(super) fn estimate(value: f64, interval: Interval) -> Self {
        Self::Estimate { value, interval, decimals: DECIMALS }
    }

    /// The text for readers.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Plain(cell) => cell.text(Digits::All),
            Self::Number { value, decimals } => rounded(*value, *decimals),
            Self::Significant(value) => Cell::from(*value).text(Digits::Significant(4)),
            Self::Estimate { value, interval, decimals } => printed_estimate(*value, *interval, *decimals),
            Self::PValue(p) => format_p(*p),
            Self::Undefined(word) => (*word).to_owned(),
        }
    }

    /// The text on the page, where an interval is not broken between its ends.
    fn on_page(&self) -> String {
        match self {
            Self::Estimate { .. } => self.text().replace(", ", ",\u{a0}"),
            _ => self.text(),
        }
    }

    /// The cells of the CSV file, three where the column holds intervals.
    fn values(&self, has_intervals: bool) -> Vec<Cell> {
        let finite = |value: f64| if value.is_finite() { Cell::from(value) } else { Cell::Empty };
        let value = match self {
            Self::Plain(cell) => cell.clone(),
            Self::Number { value, .. } | Self::Estimate { value, .. } => finite(*value),
            Self::Significant(value) | Self::PValue(value) => finite(*value),
            Self::Undefined(_) => Cell::Empty,
        };
        match self {
            Self::Estimate { interval, .. } => vec![value, finite(interval.lower), finite(interval.upper)],
            _ if has_intervals => vec![value, Cell::Empty, Cell::Empty],
            _ => vec![value],
        }
    }
}

impl<T: Into<Cell>> From<T> for TableCell {
    fn from(cell: T) -> Self {
        Self::Plain(cell.into())
    }
}

/// A number as journals print it: rounded, without a sign before zero.
pub(super) fn rounded(value: f64, decimals: usize) -> String {
    let decimals = if value.abs() >= LARGE { 0 } else { decimals };
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(positive) if positive.chars().all(|c| matches!(c, '0' | '.')) => positive.to_owned(),
        _ => text,
    }
}

/// An estimate with its interval as the page prints it.
pub(super) fn printed_estimate(value: f64, interval: Interval, decimals: usize) -> String {
    let is_bounded = |end: f64| end.is_finite() && end.abs() < UNBOUNDED;
    if !is_bounded(interval.lower) && !is_bounded(interval.upper) {
        return format!("{} (interval undefined)", rounded(value, decimals));
    }
    let lower = if is_bounded(interval.lower) { rounded(interval.lower, decimals) } else { "unbounded".to_owned() };
    let upper = if is_bounded(interval.upper) { rounded(interval.upper, decimals) } else { "unbounded".to_owned() };
    format!("{} ({lower}, {upper})", rounded(value, decimals))
}

/// A table of the report.
#[derive(Debug, Clone)]
pub struct Table {
    /// Name of its files without the suffix.
    file: String,
    /// Title on the page.
    title: String,
    columns: Vec<String>,
    rows: Vec<Vec<TableCell>>,
    /// What the CSV file holds, where it is not what the page shows.
    values: Option<DataTable>,
    /// Whether the page shows it.
    on_page: bool,
}

/// A table as the page shows it.
#[derive(Debug, Serialize)]
pub(super) struct ShownTable<'a> {
    pub(super) file: &'a str,
    pub(super) title: &'a str,
    pub(super) header: &'a [String],
    pub(super) rows: Vec<Vec<String>>,
    /// Whether rows stand one below the other as cards where the page is narrow.
    is_wide: bool,
}

/// From so many columns on a table is too wide for a phone.
const WIDE: usize = 5;

impl Table {
    /// A table that the page shows. A column whose name stands to the left of it already, as that of a centre can,
    /// is numbered.
    ///
    /// # Panics
    /// When a row has not as many cells as there are columns.
    pub(super) fn new<C: Into<TableCell>>(file: &str, title: &str, header: &[&str], rows: Vec<Vec<C>>) -> Self {
        let rows: Vec<Vec<TableCell>> = rows.into_iter().map(|row| row.into_iter().map(Into::into).collect()).collect();
        assert!(rows.iter().all(|row| row.len() == header.len()), "table {file}: a row has a cell for each column");
        let columns = distinct(header.iter().map(|name| (*name).to_owned()));
        Self { file: file.to_owned(), title: title.to_owned(), columns, rows, values: None, on_page: true }
    }

    /// The same table without a place on the page.
    pub(super) fn only_file(mut self) -> Self {
        self.on_page = false;
        self
    }

    /// The same table, whose CSV file holds these values.
    pub(super) fn with_values(mut self, values: DataTable) -> Self {
        self.values = Some(values);
        self
    }

    /// The same table with further columns, whose cells follow from those of their row.
    pub(super) fn with_columns(mut self, names: &[&str], cells: impl Fn(&[TableCell]) -> Vec<TableCell>) -> Self {
        self.columns.extend(names.iter().map(|&name| name.to_owned()));
        for row in &mut self.rows {
            let further = cells(row);
            row.extend(further);
        }
        self
    }

    /// Name of its files without the suffix.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// The table as the page shows it; `None` where it does not.
    pub(super) fn shown(&self) -> Option<ShownTable<'_>> {
        self.on_page.then(|| ShownTable {
            file: &self.file,
            title: &self.title,
            header: &self.columns,
            rows: self.rows.iter().map(|row| row.iter().map(TableCell::on_page).collect()).collect(),
            is_wide: self.columns.len() >= WIDE,
        })
    }

    /// Writes the table as CSV and, when the page shows it, as Markdown and LaTeX.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        self.write_values(folder)?;
        if self.on_page {
            write_file(&folder.join(format!("{}.md", self.file)), self.markdown().as_bytes())?;
            write_file(&folder.join(format!("{}.tex", self.file)), self.latex().as_bytes())?;
        }
        Ok(())
    }

    /// Writes the table as CSV: numbers in full, one in a cell, an interval in two columns of its own.
    pub(super) fn write_values(&self, folder: &Path) -> Result<()> {
        write_file(&folder.join(format!("{}.csv", self.file)), self.data().to_csv().as_bytes())
    }

    /// Columns and rows as the CSV file has them.
    pub(super) fn data(&self) -> DataTable {
        if let Some(values) = &self.values {
            return values.clone();
        }
        let has_intervals: Vec<bool> = (0..self.columns.len())
            .map(|column| self.rows.iter().any(|row| matches!(row[column], TableCell::Estimate { .. })))
            .collect();
        let names = self.columns.iter().zip(&has_intervals).flat_map(|(name, has_intervals)| {
            let plain = without_interval(name);
            if *has_intervals {
                vec![plain.to_owned(), format!("{plain} lower"), format!("{plain} upper")]
            } else {
                vec![name.clone()]
            }
        });
        let mut data = DataTable::new(distinct(names)).expect("the names of the columns differ");
        for row in &self.rows {
            let cells = row.iter().zip(&has_intervals).flat_map(|(cell, has_intervals)| cell.values(*has_intervals));
            data.push(cells.collect()).expect("a row has a cell for each column");
        }
        data
    }

    /// Columns and rows as readers have them.
    fn printed(&self) -> DataTable {
        let mut data = DataTable::new(self.columns.clone()).expect("the names of the columns differ");
        for row in &self.rows {
            data.push(row.iter().map(|cell| Cell::from(cell.text())).collect())
                .expect("a row has a cell for each column");
        }
        data
    }

    /// The table in Markdown below its title.
    fn markdown(&self) -> String {
        let table = self.printed().to_markdown(Digits::All).replacen(" --- |", "---|", self.columns.len());
        format!("{}\n\n{table}", self.title)
    }

    /// The table as a floating table of LaTeX (package booktabs).
    fn latex(&self) -> String {
        let label = self.file.replace('_', "-");
        let tabular = self.printed().to_latex(Digits::All);
        format!(
            "\\begin{{table}}\n\\caption{{{}}}\n\\label{{tab:{label}}}\n{tabular}\\end{{table}}\n",
            escaped_latex(&self.title)
        )
    }
}

/// The name of a cohort as a part of the name of a file.
pub(super) fn in_file_name(cohort: &str) -> String {
    cohort.replace([' ', ','], "_")
}

/// Names of columns, of which one that stood there before is numbered.
fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for name in names {
        let numbered = (2..).map(|number| format!("{name} ({number})"));
        let next = std::iter::once(name.clone()).chain(numbered).find(|name| !columns.contains(name));
        columns.extend(next);
    }
    columns
}

/// The name of a column without the words for its interval: `AUC (95 % CI)` is `AUC`.
fn without_interval(name: &str) -> &str {
    match name.rfind(" (95 %") {
        Some(place) if name.ends_with(')') => &name[..place],
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new("table_x", "A & B", &["a|b", "p"], vec![vec!["50 % ± 1", "<0.001"]])
    }

    #[test]
    fn markdown_keeps_bars_in_their_cells() {
        assert_eq!(table().markdown(), "A & B\n\n| a\\|b | p |\n|---|---|\n| 50 % ± 1 | <0.001 |\n");
    }

    #[test]
    fn latex_escapes_what_it_would_read_otherwise() {
        let text = table().latex();
        assert!(text.contains("\\caption{A \\& B}\n\\label{tab:table-x}\n\\begin{tabular}{ll}"), "{text}");
        assert!(text.contains("50 \\% $\\pm$ 1 & $<$0.001 \\\\\n\\bottomrule"), "{text}");
    }

    #[test]
    fn a_program_reads_one_number_from_a_cell() {
        let interval = Interval { lower: 0.5, upper: 0.987_654_321, level: 0.95 };
        let rows = vec![
            vec![TableCell::from("A"), TableCell::estimate(0.75, interval), TableCell::PValue(0.000_25)],
            vec![TableCell::from("B"), TableCell::Undefined("undefined"), TableCell::number(-0.000_1)],
        ];
        let table = Table::new("x", "x", &["model", "AUC (95 % CI)", "p"], rows);
        assert_eq!(
            table.data().to_csv(),
            "model,AUC,AUC lower,AUC upper,p\nA,0.75,0.5,0.987654321,0.00025\nB,,,,-0.0001\n"
        );
        let printed = table.printed().to_csv();
        assert_eq!(printed, "model,AUC (95 % CI),p\nA,\"0.750 (0.500, 0.988)\",<0.001\nB,undefined,0.000\n");
    }

    #[test]
    fn numbers_are_printed_as_journals_do() {
        assert_eq!([rounded(20_875.499, 3), rounded(-0.000_2, 3), rounded(1.5, 2)], ["20875", "0.000", "1.50"]);
        let wide = |lower, upper| printed_estimate(2.0, Interval { lower, upper, level: 0.95 }, 2);
        assert_eq!(wide(0.5, 4e8), "2.00 (0.50, unbounded)");
        assert_eq!(wide(f64::NAN, f64::NAN), "2.00 (interval undefined)");
    }
}
