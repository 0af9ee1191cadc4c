//! The table of results.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use alnm_radiomics::DiagnosticValue;
use alnm_radiomics::python_text::float;
#[cfg(feature = "parquet")]
use anyhow::bail;
use anyhow::{Context, Result};
use clap::ValueEnum;

/// A row: columns with their values, in order.
pub(super) type Row = Vec<(String, Cell)>;

/// A value of the table.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Text(String),
    Number(f64),
    Diagnostic(DiagnosticValue),
}

impl Cell {
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

    /// The value in JSON; numbers that are not finite stand as Python's json module writes them.
    fn json(&self) -> Result<String> {
        Ok(match self {
            Self::Text(text) => serde_json::to_string(text)?,
            Self::Number(value) if value.is_nan() => "NaN".to_owned(),
            Self::Number(value) if value.is_infinite() => if *value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
            Self::Number(value) => float(*value),
            Self::Diagnostic(value) => serde_json::to_string(value)?,
        })
    }
}

/// Format of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One row of names, one row of values a case.
    Csv,
    /// A list with an object for each case.
    Json,
    /// One line a value: Case-1_name: value.
    Txt,
    /// One column a feature; needs --out, whose file is replaced.
    #[cfg(feature = "parquet")]
    Parquet,
}

/// The columns of all rows: those of the first that has features in their order, then what others have beside, sorted.
pub(super) fn headers(rows: &[(usize, Row)]) -> Vec<String> {
    let has_features = |(_, row): &&(usize, Row)| row.iter().any(|(_, cell)| matches!(cell, Cell::Number(_)));
    let Some((_, first)) = rows.iter().find(has_features).or(rows.first()) else { return Vec::new() };
    let mut headers: Vec<String> = first.iter().map(|(name, _)| name.clone()).collect();
    let known: BTreeSet<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
    let additional: BTreeSet<&str> = rows.iter().flat_map(|(_, row)| row).map(|(name, _)| name.as_str()).collect();
    headers.extend(additional.difference(&known).map(|&name| name.to_owned()));
    headers
}

/// Writes rows with the numbers of their cases.
pub(super) fn write(mut stream: impl Write, format: Format, rows: &[(usize, Row)]) -> Result<()> {
    match format {
        Format::Csv => {
            let headers = headers(rows);
            let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(stream);
            writer.write_record(&headers)?;
            for (_, row) in rows {
                let cell = |name: &String| row.iter().find(|(other, _)| other == name).map_or_else(String::new, |(_, cell)| cell.text());
                writer.write_record(headers.iter().map(cell))?;
            }
            writer.flush()?;
        }
        Format::Json => {
            let mut objects = Vec::new();
            for (_, row) in rows {
                let entries: Vec<String> = row
                    .iter()
                    .map(|(name, cell)| Ok(format!("    {}: {}", serde_json::to_string(name)?, cell.json()?)))
                    .collect::<Result<_>>()?;
                objects.push(format!("  {{\n{}\n  }}", entries.join(",\n")));
            }
            writeln!(stream, "[\n{}\n]", objects.join(",\n"))?;
            stream.flush()?;
        }
        Format::Txt => {
            for (number, row) in rows {
                for (name, cell) in row {
                    writeln!(stream, "Case-{number}_{name}: {}", cell.text())?;
                }
            }
            stream.flush()?;
        }
        #[cfg(feature = "parquet")]
        Format::Parquet => bail!("a Parquet file needs --out"),
    }
    Ok(())
}

/// The rows of a CSV file that [`write()`] made. What is no input column and no diagnostic is a feature; its number comes back
/// with the same bits.
pub(super) fn read(path: &Path, input: &Row) -> Result<Vec<Row>> {
    let cell = |name: &str, text: &str| {
        let is_text = name == "Label" || name.starts_with("diagnostics_") || input.iter().any(|(column, _)| column == name);
        text.parse().ok().filter(|_| !is_text).map_or_else(|| Cell::Text(text.to_owned()), Cell::Number)
    };
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("cannot read {}", path.display()))?;
    let headers = reader.headers()?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.with_context(|| format!("cannot read {}", path.display()))?;
        rows.push(headers.iter().zip(record.iter()).map(|(name, text)| (name.to_owned(), cell(name, text))).collect());
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format, rows: &[(usize, Row)]) -> String {
        let mut bytes = Vec::new();
        write(&mut bytes, format, rows).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn numbers_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let input = vec![("ID".to_owned(), Cell::Text("007".to_owned()))];
        let mut row = input.clone();
        row.push(("diagnostics_Mask-original_VoxelNum".to_owned(), Cell::Text("12".to_owned())));
        row.push(("original_glcm_Imc1".to_owned(), Cell::Number(-0.1 - 0.2)));
        row.push(("original_glcm_Idn".to_owned(), Cell::Number(1e-5)));
        let file = folder.path().join("features_1.csv");
        std::fs::write(&file, written(Format::Csv, &[(1, row.clone())])).unwrap();
        assert_eq!(read(&file, &input).unwrap(), [row]);
    }

    #[test]
    fn a_first_case_that_fails_does_not_change_the_order_of_columns() {
        let image = |name: &str| ("Image".to_owned(), Cell::Text(name.to_owned()));
        let second = vec![image("b"), ("z".to_owned(), Cell::Number(1.0)), ("a".to_owned(), Cell::Number(2.0))];
        assert_eq!(written(Format::Csv, &[(1, vec![image("a")]), (2, second)]), "Image,z,a\na,,\nb,1.0,2.0\n");
    }

    #[test]
    fn formats_are_those_of_pyradiomics() {
        let first = vec![("Image".to_owned(), Cell::Text("a.nrrd".to_owned())), ("mean".to_owned(), Cell::Number(1e-5))];
        let second = vec![
            ("Image".to_owned(), Cell::Text("b.nrrd".to_owned())),
            ("size".to_owned(), Cell::Diagnostic(DiagnosticValue::Integers(vec![3, 4]))),
        ];
        let rows = [(1, first), (2, second)];
        assert_eq!(written(Format::Txt, &rows), "Case-1_Image: a.nrrd\nCase-1_mean: 1e-05\nCase-2_Image: b.nrrd\nCase-2_size: (3, 4)\n");
        assert_eq!(written(Format::Csv, &rows), "Image,mean,size\na.nrrd,1e-05,\nb.nrrd,,\"(3, 4)\"\n");
        let json = written(Format::Json, &rows);
        assert!(json.starts_with("[\n  {\n    \"Image\": \"a.nrrd\",\n    \"mean\": 1e-05\n  },\n"), "{json}");
        assert!(json.contains("\"size\": [3,4]"), "{json}");
    }
}
