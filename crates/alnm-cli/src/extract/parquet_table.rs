//! The table of results as a Parquet file: one column for each feature with a number, NaN where a case could not give
//! one, and text for everything else, empty where a case has none.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::table::{Row, RowValue, headers};

/// Writes the rows to a new file, which appears when it is complete. It has the `expected` columns whether or not a row
/// has them.
pub(super) fn write(path: &Path, rows: &[(usize, Row)], expected: &[String]) -> Result<()> {
    let features: BTreeSet<&String> = expected.iter().filter(|name| !name.starts_with("diagnostics_")).collect();
    let column = |name: String| {
        let values = column(&name, rows, features.contains(&name));
        (name, values)
    };
    let columns: Vec<(String, ArrayRef)> = headers(rows, expected).into_iter().map(column).collect();
    let table = RecordBatch::try_from_iter(columns)?;
    let unfinished = path.with_extension("parquet.part");
    let file = File::create(&unfinished).with_context(|| format!("cannot create {}", unfinished.display()))?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = ArrowWriter::try_new(file, table.schema(), Some(properties))?;
    writer.write(&table)?;
    writer.close()?;
    std::fs::rename(&unfinished, path).with_context(|| format!("cannot write {}", path.display()))
}

fn column(name: &str, rows: &[(usize, Row)], is_feature: bool) -> ArrayRef {
    let cells = || rows.iter().map(|(_, row)| row.iter().find(|(other, _)| other == name).map(|(_, cell)| cell));
    if is_feature || cells().flatten().any(|cell| matches!(cell, RowValue::Number(_))) {
        let number = |cell: Option<&RowValue>| if let Some(RowValue::Number(value)) = cell { *value } else { f64::NAN };
        return Arc::new(cells().map(number).collect::<Float64Array>());
    }
    Arc::new(cells().map(|cell| cell.map(RowValue::text)).collect::<StringArray>())
}
