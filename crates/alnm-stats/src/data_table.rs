//! A table of results: named columns and rows of cells, which can be written as CSV, Markdown or LaTeX.
//!
//! A result type of this workspace that implements [`Tabulate`] can be laid out as a table; tables of your own are
//! filled row by row. Cells are data: a number is kept with all its digits. It is written with all of them in CSV, and
//! with as many as [`Digits`] says elsewhere.
//!
//! ```
//! use alnm_stats::data_table::{DataTable, Digits, Tabulate};
//! use alnm_stats::{Labels, cells, decision_curve::DecisionCurve};
//! let curve = DecisionCurve::new(&Labels::new(vec![true, false]), &[0.9, 0.2], &[0.1, 0.5])?;
//! let table = curve.to_table();
//! assert_eq!(table.columns()[0], "threshold");
//! assert_eq!(table.to_csv().lines().count(), 3);
//!
//! let mut own = DataTable::new(["patient", "risk"])?;
//! own.push(cells!["A1", 0.123456])?;
//! assert_eq!(own.to_csv(), "patient,risk\nA1,0.123456\n");
//! assert_eq!(own.to_markdown(Digits::Decimals(2)).lines().last(), Some("| A1 | 0.12 |"));
//! assert!(own.push(cells!["A2"]).is_err());
//! # Ok::<(), alnm_stats::StatsError>(())
//! ```

use std::collections::BTreeSet;

use crate::error::{Result, StatsError};

/// A value of a table.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Cell {
    /// No value.
    Empty,
    /// A count.
    Count(u64),
    /// A number, which may be infinite or NaN.
    Number(#[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))] f64),
    /// Words.
    Text(String),
}

/// How the numbers of a table are written for people. Counts and words are written as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Digits {
    /// As many digits as the number needs to read back with the same bits.
    #[default]
    All,
    /// This number of significant digits, 1 or more. Numbers below 10⁻⁶ or from 10¹⁵ on take an exponent.
    Significant(usize),
    /// This number of digits after the decimal point.
    Decimals(usize),
}

/// Named columns and rows of as many cells. The names differ from each other.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DataTable {
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// A result that lays itself out as a table.
///
/// ```
/// use alnm_stats::cells;
/// use alnm_stats::data_table::{Cell, Tabulate};
/// struct Lesion {
///     diameter: f64,
///     voxels: usize,
/// }
/// impl Tabulate for Lesion {
///     const COLUMNS: &'static [&'static str] = &["diameter (mm)", "voxels"];
///
///     fn rows(&self) -> Vec<Vec<Cell>> {
///         vec![cells![self.diameter, self.voxels]]
///     }
/// }
/// let lesions = [Lesion { diameter: 12.5, voxels: 310 }, Lesion { diameter: 8.0, voxels: 95 }];
/// assert_eq!(lesions.to_table().to_csv(), "diameter (mm),voxels\n12.5,310\n8,95\n");
/// ```
pub trait Tabulate {
    /// Names of the columns, each of them once.
    const COLUMNS: &'static [&'static str];

    /// Rows of as many cells as there are columns.
    fn rows(&self) -> Vec<Vec<Cell>>;

    /// The result as a table.
    ///
    /// # Panics
    /// When the implementation names a column twice or gives a row of another length than its columns.
    #[must_use]
    fn to_table(&self) -> DataTable {
        let table = DataTable::new(Self::COLUMNS.iter().copied())
            .and_then(|table| self.rows().into_iter().try_fold(table, DataTable::with));
        match table {
            Ok(table) => table,
            Err(error) => panic!("an implementation of Tabulate contradicts itself: {error}"),
        }
    }
}

/// Results of one kind stand below each other.
impl<T: Tabulate> Tabulate for [T] {
    const COLUMNS: &'static [&'static str] = T::COLUMNS;

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.iter().flat_map(Tabulate::rows).collect()
    }
}

impl<T: Tabulate> Tabulate for Vec<T> {
    const COLUMNS: &'static [&'static str] = T::COLUMNS;

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.as_slice().rows()
    }
}

impl DataTable {
    /// A table without rows.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] when two columns have one name.
    pub fn new(columns: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        let columns: Vec<String> = columns.into_iter().map(Into::into).collect();
        let mut known = BTreeSet::new();
        match columns.iter().find(|name| !known.insert(name.as_str())) {
            Some(twice) => Err(StatsError::parameter(
                "name of a column",
                format!("{twice:?}"),
                "another than that of each other column",
            )),
            None => Ok(Self { columns, rows: Vec::new() }),
        }
    }

    /// Adds a row below the others.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] unless the row has a cell for each column.
    pub fn push(&mut self, row: Vec<Cell>) -> Result<()> {
        if row.len() != self.columns.len() {
            return Err(StatsError::parameter("number of cells in a row", row.len(), "the number of columns"));
        }
        self.rows.push(row);
        Ok(())
    }

    fn with(mut self, row: Vec<Cell>) -> Result<Self> {
        self.push(row)?;
        Ok(self)
    }

    /// The same table with one more column on the right.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] when a column has that name already, or unless there is a cell for each row.
    pub fn with_column(mut self, name: impl Into<String>, cells: Vec<Cell>) -> Result<Self> {
        if cells.len() != self.rows.len() {
            return Err(StatsError::parameter("number of cells in a column", cells.len(), "the number of rows"));
        }
        self.columns.push(name.into());
        let widened = Self::new(self.columns)?;
        let rows = self.rows.into_iter().zip(cells);
        Ok(Self {
            rows: rows
                .map(|(mut row, cell)| {
                    row.push(cell);
                    row
                })
                .collect(),
            ..widened
        })
    }

    /// Names of the columns, with units where they have some.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rows, each with a cell for each column.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[Cell]> {
        self.rows.iter().map(Vec::as_slice)
    }

    /// The cells of a column from top to bottom; `None` when there is no column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<Vec<&Cell>> {
        let place = self.columns.iter().position(|column| column == name)?;
        Some(self.rows.iter().map(|row| &row[place]).collect())
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as CSV (RFC 4180) with a header and lines that end in a line feed. Numbers have as many digits as they
    /// need to read back; an empty cell is an empty field.
    #[must_use]
    pub fn to_csv(&self) -> String {
        self.to_csv_with(|cell| cell.text(Digits::All))
    }

    /// The table as CSV, each cell as `text` writes it: for tables that follow another program's form of numbers.
    #[must_use]
    pub fn to_csv_with(&self, text: impl Fn(&Cell) -> String) -> String {
        self.lines(text, |fields| {
            let alone = fields.len() == 1;
            let quoted = fields.iter().map(|field| {
                // A line without anything would be read as no row at all.
                if field.contains([',', '"', '\n', '\r']) || (alone && field.is_empty()) {
                    format!("\"{}\"", field.replace('"', "\"\""))
                } else {
                    field.clone()
                }
            });
            format!("{}\n", quoted.collect::<Vec<_>>().join(","))
        })
        .concat()
    }

    /// The table in Markdown. A bar within a cell is escaped and a line break becomes a space.
    #[must_use]
    pub fn to_markdown(&self, digits: Digits) -> String {
        let mut lines = self.lines(
            |cell| cell.text(digits),
            |fields| {
                let escaped = fields.iter().map(|field| field.replace('|', "\\|").replace(['\n', '\r'], " "));
                format!("| {} |\n", escaped.collect::<Vec<_>>().join(" | "))
            },
        );
        lines.insert(1, format!("|{}\n", " --- |".repeat(self.columns.len())));
        lines.concat()
    }

    /// The table as a LaTeX `tabular` with the rules of the package `booktabs`; caption and label are up to the
    /// document.
    #[must_use]
    pub fn to_latex(&self, digits: Digits) -> String {
        let mut lines = self.lines(
            |cell| cell.text(digits),
            |fields| {
                let escaped = fields.iter().map(|field| escaped_latex(field));
                format!("{} \\\\\n", escaped.collect::<Vec<_>>().join(" & "))
            },
        );
        lines.insert(1, "\\midrule\n".to_owned());
        let columns = "l".repeat(self.columns.len());
        format!("\\begin{{tabular}}{{{columns}}}\n\\toprule\n{}\\bottomrule\n\\end{{tabular}}\n", lines.concat())
    }

    /// Header and rows, each as one line.
    fn lines(&self, text: impl Fn(&Cell) -> String, line: impl Fn(&[String]) -> String) -> Vec<String> {
        let rows = self.rows.iter().map(|row| line(&row.iter().map(&text).collect::<Vec<_>>()));
        std::iter::once(line(&self.columns)).chain(rows).collect()
    }
}

/// The text with everything escaped that LaTeX would read as a command: special characters are escaped, some symbols
/// written in mathematics, and line breaks become spaces.
#[must_use]
pub fn escaped_latex(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', character]),
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '<' => escaped.push_str("$<$"),
            '>' => escaped.push_str("$>$"),
            '±' => escaped.push_str("$\\pm$"),
            'χ' => escaped.push_str("$\\chi$"),
            '²' => escaped.push_str("$^2$"),
            '−' => escaped.push_str("$-$"),
            '≥' => escaped.push_str("$\\geq$"),
            '≤' => escaped.push_str("$\\leq$"),
            '\n' | '\r' => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

impl Cell {
    /// The cell as text; nothing for an empty cell.
    #[must_use]
    pub fn text(&self, digits: Digits) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Count(n) => n.to_string(),
            Self::Number(v) => match digits {
                Digits::Significant(digits) if v.is_finite() && *v != 0.0 => significant(*v, digits.max(1)),
                Digits::Decimals(decimals) if v.is_finite() => format!("{v:.decimals$}"),
                _ => v.to_string(),
            },
            Self::Text(t) => t.clone(),
        }
    }
}

fn significant(v: f64, digits: usize) -> String {
    let before_point = v.abs().log10().floor() as i64 + 1;
    let decimals = (digits as i64 - before_point).clamp(0, 12) as usize;
    if (-5..=15).contains(&before_point) { format!("{v:.decimals$}") } else { format!("{v:.*e}", digits - 1) }
}

impl From<f64> for Cell {
    fn from(v: f64) -> Self {
        Self::Number(v)
    }
}

impl From<usize> for Cell {
    fn from(n: usize) -> Self {
        Self::Count(n as u64)
    }
}

impl From<u64> for Cell {
    fn from(n: u64) -> Self {
        Self::Count(n)
    }
}

impl From<bool> for Cell {
    fn from(b: bool) -> Self {
        Self::Text(if b { "yes" } else { "no" }.to_owned())
    }
}

impl From<&str> for Cell {
    fn from(t: &str) -> Self {
        Self::Text(t.to_owned())
    }
}

impl From<String> for Cell {
    fn from(t: String) -> Self {
        Self::Text(t)
    }
}

impl From<&String> for Cell {
    fn from(t: &String) -> Self {
        Self::Text(t.clone())
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

/// Cells of one row, from values of any type that a [`Cell`](crate::data_table::Cell) can be made from: numbers,
/// counts, text, `bool` (written as yes or no) and `Option`s of them. It serves implementations of
/// [`Tabulate`](crate::data_table::Tabulate).
///
/// ```
/// use alnm_stats::cells;
/// use alnm_stats::data_table::Cell;
/// let row = cells!["age", 51.2, 212_usize, None::<f64>];
/// assert_eq!(row[3], Cell::Empty);
/// ```
#[macro_export]
macro_rules! cells {
    ($($value:expr),* $(,)?) => { vec![$($crate::data_table::Cell::from($value)),*] };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[&str], rows: Vec<Vec<Cell>>) -> DataTable {
        let mut table = DataTable::new(columns.iter().copied()).expect("different names");
        for row in rows {
            table.push(row).expect("a cell for each column");
        }
        table
    }

    #[test]
    fn csv_quotes_what_needs_it_and_numbers_read_back() {
        let table = table(
            &["name, unit", "value"],
            vec![cells!["a \"b\"", 0.1 + 0.2], cells![None::<f64>, f64::INFINITY], cells![3usize, true]],
        );
        assert_eq!(table.to_csv(), "\"name, unit\",value\n\"a \"\"b\"\"\",0.30000000000000004\n,inf\n3,yes\n");
        assert_eq!(table.to_csv_with(|_| "-".to_owned()).lines().last(), Some("-,-"));
        assert_eq!(self::table(&["one"], vec![cells![Cell::Empty]]).to_csv(), "one\n\"\"\n");
    }

    #[test]
    fn markdown_rounds_to_significant_digits() {
        let row = |v: f64| table(&["x"], vec![cells![v]]).to_markdown(Digits::Significant(3));
        assert_eq!(row(0.012345), "| x |\n| --- |\n| 0.0123 |\n");
        for (v, text) in
            [(123.456, "123"), (1234.5, "1234"), (0.0, "0"), (f64::NAN, "NaN"), (1.5e-9, "1.50e-9"), (-2.0, "-2.00")]
        {
            assert!(row(v).ends_with(&format!("| {text} |\n")), "{v}: {}", row(v));
        }
        let bars = table(&["a|b", "p"], vec![cells!["50 %\n± 1", "<0.001"]]).to_markdown(Digits::All);
        assert_eq!(bars, "| a\\|b | p |\n| --- | --- |\n| 50 % ± 1 | <0.001 |\n");
    }

    #[test]
    fn latex_reads_no_command_in_a_cell() {
        let text = table(&["A & B", "p_1"], vec![cells!["50 % ± 1", "<0.001"], cells![2usize, 0.12345]])
            .to_latex(Digits::Decimals(3));
        assert_eq!(
            text,
            "\\begin{tabular}{ll}\n\\toprule\nA \\& B & p\\_1 \\\\\n\\midrule\n50 \\% $\\pm$ 1 & $<$0.001 \\\\\n2 & 0.123 \
             \\\\\n\\bottomrule\n\\end{tabular}\n"
        );
    }

    #[test]
    fn a_table_has_a_cell_for_each_column_and_each_name_once() {
        assert!(matches!(DataTable::new(["a", "b", "a"]), Err(StatsError::Parameter { .. })));
        let mut table = table(&["a", "b"], vec![cells![1usize, 2usize]]);
        assert!(matches!(
            table.push(cells![1usize]),
            Err(StatsError::Parameter { name: "number of cells in a row", .. })
        ));
        assert!(table.clone().with_column("a", cells![3usize]).is_err());
        assert!(table.clone().with_column("c", cells![]).is_err());
        let wider = table.with_column("c", cells![3usize]).expect("a new name");
        assert_eq!(wider.column("c"), Some(vec![&Cell::Count(3)]));
        assert_eq!((wider.rows().len(), wider.column("d")), (1, None));
    }
}
