//! Results as tables of data: named columns and rows of cells, to be written as CSV or Markdown by whoever prints them.
//!
//! ```
//! use alnm_stats::data_table::Tabulate;
//! use alnm_stats::{Labels, decision_curve::DecisionCurve};
//! let curve = DecisionCurve::new(&Labels::new(vec![true, false]), &[0.9, 0.2], &[0.1, 0.5])?;
//! let table = curve.to_table();
//! assert_eq!(table.columns[0], "threshold");
//! assert_eq!(table.to_csv().lines().count(), 3);
//! # Ok::<(), alnm_stats::StatsError>(())
//! ```

use std::fmt::Write;

use crate::Interval;

/// A value of a table.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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

/// Named columns and rows of as many cells.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DataTable {
    /// Names of the columns, with units where they have some.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
}

/// A result that can be laid out as a table.
pub trait Tabulate {
    /// Names of the columns.
    const COLUMNS: &'static [&'static str];

    /// Rows of as many cells as there are columns.
    fn rows(&self) -> Vec<Vec<Cell>>;

    /// The result as a table.
    fn to_table(&self) -> DataTable {
        DataTable { columns: Self::COLUMNS.iter().map(|c| (*c).to_owned()).collect(), rows: self.rows() }
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
    /// The table as CSV (RFC 4180) with a header. Numbers have as many digits as they need to read back; an empty cell
    /// is an empty field.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut text = String::new();
        let mut line = |fields: Vec<String>| {
            let quoted = fields.iter().map(|f| {
                if f.contains([',', '"', '\n', '\r']) { format!("\"{}\"", f.replace('"', "\"\"")) } else { f.clone() }
            });
            text.push_str(&quoted.collect::<Vec<_>>().join(","));
            text.push('\n');
        };
        line(self.columns.clone());
        for row in &self.rows {
            line(row.iter().map(|c| c.text(None)).collect());
        }
        text
    }

    /// The table as Markdown, numbers with `digits` significant digits.
    #[must_use]
    pub fn to_markdown(&self, digits: usize) -> String {
        let mut text = String::new();
        let mut line = |cells: &[String]| {
            for cell in cells {
                // Writing to a String does not fail.
                let _ = write!(text, "| {} ", cell.replace('|', "\\|"));
            }
            text.push_str("|\n");
        };
        line(&self.columns);
        line(&vec!["---".to_owned(); self.columns.len()]);
        for row in &self.rows {
            line(&row.iter().map(|c| c.text(Some(digits))).collect::<Vec<_>>());
        }
        text
    }
}

impl Cell {
    fn text(&self, digits: Option<usize>) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Count(n) => n.to_string(),
            Self::Number(v) => match digits {
                Some(digits) if v.is_finite() && *v != 0.0 => {
                    let before_point = v.abs().log10().floor() as i64 + 1;
                    let decimals = (digits.max(1) as i64 - before_point).clamp(0, 12) as usize;
                    if (-5..=15).contains(&before_point) {
                        format!("{v:.decimals$}")
                    } else {
                        format!("{v:.*e}", digits.max(1) - 1)
                    }
                }
                _ => v.to_string(),
            },
            Self::Text(t) => t.clone(),
        }
    }
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

/// Cells of one row, from values of any kind that a cell holds.
#[macro_export]
macro_rules! cells {
    ($($value:expr),* $(,)?) => { vec![$($crate::data_table::Cell::from($value)),*] };
}

impl Tabulate for Interval {
    const COLUMNS: &'static [&'static str] = &["lower", "upper", "level"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![self.lower, self.upper, self.level]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_quotes_what_needs_it_and_numbers_read_back() {
        let table = DataTable {
            columns: vec!["name, unit".into(), "value".into()],
            rows: vec![cells!["a \"b\"", 0.1 + 0.2], cells![Option::<f64>::None, f64::INFINITY], cells![3usize, true]],
        };
        assert_eq!(table.to_csv(), "\"name, unit\",value\n\"a \"\"b\"\"\",0.30000000000000004\n,inf\n3,yes\n");
    }

    #[test]
    fn markdown_rounds_to_significant_digits() {
        let row = |v: f64| DataTable { columns: vec!["x".into()], rows: vec![cells![v]] }.to_markdown(3);
        assert_eq!(row(0.012345), "| x |\n| --- |\n| 0.0123 |\n");
        for (v, text) in
            [(123.456, "123"), (1234.5, "1234"), (0.0, "0"), (f64::NAN, "NaN"), (1.5e-9, "1.50e-9"), (-2.0, "-2.00")]
        {
            assert!(row(v).ends_with(&format!("| {text} |\n")), "{v}: {}", row(v));
        }
    }
}
