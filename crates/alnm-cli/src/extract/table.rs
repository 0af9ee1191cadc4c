//! The table of results.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use alnm_radiomics::DiagnosticValue;
use alnm_radiomics::python_float as float;
use alnm_stats::data_table::{Cell, DataTable, Digits};
use anyhow::Result;
#[cfg(feature = "parquet")]
use anyhow::bail;
use clap::ValueEnum;

use super::regions::REGION_COLUMNS;

/// A row: columns with their values, in order.
pub(super) type Row = Vec<(String, RowValue)>;

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RowValue {
    Text(String),
    Number(f64),
    Diagnostic(DiagnosticValue),
}

impl RowValue {
    pub(super) fn is_nan(&self) -> bool {
        matches!(self, Self::Number(value) if value.is_nan())
    }

    /// The value as PyRadiomics writes it in CSV and text files.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(value) => float(*value),
            Self::Diagnostic(value) => value.to_string(),
        }
    }

    /// The value in JSON, which has no numbers that are not finite: null stands for them.
    fn json(&self) -> Result<String> {
        Ok(match self {
            Self::Text(text) => serde_json::to_string(text)?,
            Self::Number(value) if !value.is_finite() => "null".to_owned(),
            Self::Number(value) => float(*value),
            Self::Diagnostic(value) => serde_json::to_string(value)?,
        })
    }
}

impl From<&RowValue> for Cell {
    fn from(value: &RowValue) -> Self {
        match value {
            RowValue::Text(text) => Self::from(text),
            RowValue::Number(value) => Self::Number(*value),
            RowValue::Diagnostic(value) => Self::Text(value.to_string()),
        }
    }
}

/// A row that shares the names of its columns with other rows, so that many rows take little memory.
#[derive(Debug, Clone)]
pub(super) struct SharedRow {
    columns: Arc<[String]>,
    values: Vec<RowValue>,
}

impl SharedRow {
    /// The columns with their values, in order.
    pub(super) fn cells(&self) -> impl Iterator<Item = (&str, &RowValue)> {
        self.columns.iter().map(String::as_str).zip(&self.values)
    }
}

/// The lists of columns that rows have, each once.
#[derive(Debug, Default)]
pub(super) struct ColumnLists(Mutex<Vec<Arc<[String]>>>);

impl ColumnLists {
    pub(super) fn share(&self, row: Row) -> SharedRow {
        let (names, values): (Vec<String>, Vec<RowValue>) = row.into_iter().unzip();
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let columns = lists.iter().find(|list| ***list == *names).cloned().unwrap_or_else(|| {
            let columns: Arc<[String]> = names.into();
            lists.push(Arc::clone(&columns));
            columns
        });
        SharedRow { columns, values }
    }
}

/// Format of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum TableFormat {
    /// One row of names, one row of values per case.
    Csv,
    /// A list with an object for each case.
    Json,
    /// One line per value: Case-1_name: value.
    Txt,
    /// One column per feature; needs --out.
    #[cfg(feature = "parquet")]
    Parquet,
}

/// The columns of all rows: those of the first row and the `expected` ones, each in their order, then what other rows
/// have besides, sorted.
pub(super) fn headers(rows: &[(usize, SharedRow)], expected: &[String]) -> Vec<String> {
    let first = rows.first().into_iter().flat_map(|(_, row)| row.cells());
    let places: BTreeMap<&str, usize> =
        expected.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
    let mut headers: Vec<String> = Vec::new();
    let mut passed = 0;
    for (name, _) in first {
        if let Some(&place) = places.get(name) {
            headers.extend_from_slice(expected.get(passed..place).unwrap_or_default());
            passed = passed.max(place + 1);
        }
        headers.push(name.to_owned());
    }
    headers.extend_from_slice(&expected[passed..]);
    // A batch may bring columns that have names of features, as the output of an earlier extraction does.
    let mut seen = BTreeSet::new();
    headers.retain(|name| seen.insert(name.clone()));
    let known: BTreeSet<&str> = headers.iter().map(String::as_str).collect();
    let all: BTreeSet<&str> = rows.iter().flat_map(|(_, row)| row.cells()).map(|(name, _)| name).collect();
    let additional: Vec<String> = all.difference(&known).map(|&name| name.to_owned()).collect();
    headers.extend(additional);
    headers
}

/// The rows as one table, with the columns that [`headers`] names.
pub(super) fn data_table(rows: &[(usize, SharedRow)], expected: &[String]) -> Result<DataTable> {
    let headers = headers(rows, expected);
    let mut table = DataTable::new(&headers)?;
    for (_, row) in rows {
        let values: BTreeMap<&str, &RowValue> = row.cells().collect();
        table.push(headers.iter().map(|name| Cell::from(values.get(name.as_str()).copied())).collect())?;
    }
    Ok(table)
}

/// Writes rows with the numbers of their cases. A CSV table has the `expected` columns whether or not a row has them.
pub(super) fn write(
    mut stream: impl Write,
    format: TableFormat,
    rows: &[(usize, SharedRow)],
    expected: &[String],
) -> Result<()> {
    match format {
        TableFormat::Csv => {
            let text = |cell: &Cell| match cell {
                Cell::Number(value) => float(*value),
                other => other.text(Digits::All),
            };
            stream.write_all(data_table(rows, expected)?.to_csv_with(text).as_bytes())?;
            stream.flush()?;
        }
        TableFormat::Json => {
            let mut objects = Vec::new();
            for (_, row) in rows {
                let entries: Vec<String> = row
                    .cells()
                    .map(|(name, cell)| Ok(format!("    {}: {}", serde_json::to_string(name)?, cell.json()?)))
                    .collect::<Result<_>>()?;
                objects.push(format!("  {{\n{}\n  }}", entries.join(",\n")));
            }
            writeln!(stream, "[\n{}\n]", objects.join(",\n"))?;
            stream.flush()?;
        }
        TableFormat::Txt => {
            for (number, row) in rows {
                for (name, cell) in row.cells() {
                    writeln!(stream, "Case-{number}_{name}: {}", cell.text())?;
                }
            }
            stream.flush()?;
        }
        #[cfg(feature = "parquet")]
        TableFormat::Parquet => bail!("a Parquet file cannot go to the terminal; name a file with --out"),
    }
    Ok(())
}

/// A computed value from its text: what tells regions apart is text, and what is no diagnostic is a feature, whose
/// number comes back with the same bits.
pub(super) fn value_of(name: &str, text: &str) -> RowValue {
    let value = if REGION_COLUMNS.contains(&name) {
        None
    } else if name.starts_with("diagnostics_") {
        DiagnosticValue::from_text(name, text).map(RowValue::Diagnostic)
    } else {
        text.parse().ok().map(RowValue::Number)
    };
    value.unwrap_or_else(|| RowValue::Text(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(rows: impl IntoIterator<Item = Row>) -> Vec<(usize, SharedRow)> {
        let lists = ColumnLists::default();
        (1..).zip(rows.into_iter().map(|row| lists.share(row))).collect()
    }

    fn written(format: TableFormat, rows: &[(usize, SharedRow)]) -> String {
        let mut bytes = Vec::new();
        write(&mut bytes, format, rows, &[]).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn columns_do_not_depend_on_what_succeeds() {
        let expected = ["z", "skipped", "a"].map(str::to_owned);
        let names =
            |cells: &[&str]| -> Row { cells.iter().map(|name| ((*name).to_owned(), RowValue::Number(1.0))).collect() };
        let of = |rows: &[&[&str]]| headers(&shared(rows.iter().map(|cells| names(cells))), &expected);
        assert_eq!(of(&[&["Image"], &["Image", "z", "a"]]), ["Image", "z", "skipped", "a"]);
        assert_eq!(of(&[&["Image", "z", "a"], &["Image"]]), ["Image", "z", "skipped", "a"]);
        assert_eq!(of(&[&["Image"], &["Image"]]), ["Image", "z", "skipped", "a"]);
        // What the parameters do not tell stays where the first row has it.
        assert_eq!(of(&[&["Image", "z", "corrected", "a"]]), ["Image", "z", "corrected", "skipped", "a"]);
        assert_eq!(of(&[&["Image"], &["Image", "more", "a"]]), ["Image", "z", "skipped", "a", "more"]);
    }

    #[test]
    fn formats_are_those_of_pyradiomics() {
        let first = vec![
            ("Image".to_owned(), RowValue::Text("a.nrrd".to_owned())),
            ("mean".to_owned(), RowValue::Number(1e-5)),
        ];
        let second = vec![
            ("Image".to_owned(), RowValue::Text("b.nrrd".to_owned())),
            ("size".to_owned(), RowValue::Diagnostic(DiagnosticValue::Integers(vec![3, 4]))),
        ];
        let rows = shared([first, second]);
        assert_eq!(
            written(TableFormat::Txt, &rows),
            "Case-1_Image: a.nrrd\nCase-1_mean: 1e-05\nCase-2_Image: b.nrrd\nCase-2_size: (3, 4)\n"
        );
        assert_eq!(written(TableFormat::Csv, &rows), "Image,mean,size\na.nrrd,1e-05,\nb.nrrd,,\"(3, 4)\"\n");
        let json = written(TableFormat::Json, &rows);
        assert!(json.starts_with("[\n  {\n    \"Image\": \"a.nrrd\",\n    \"mean\": 1e-05\n  },\n"), "{json}");
        assert!(json.contains("\"size\": [3,4]"), "{json}");
    }
}
