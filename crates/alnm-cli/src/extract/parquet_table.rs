//! The table of results as a Parquet file: one column for each feature with a number, NaN where a case could not give
//! one, and text for everything else, empty where a case has none.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use alnm_imaging::file::write_atomically;
use alnm_stats::data_table::{Cell, Digits};
use anyhow::{Context, Result};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::table::{SharedRow, data_table};

/// Writes the rows to a new file, which appears when it is complete. It has the `expected` columns whether or not a row
/// has them.
pub(super) fn write(path: &Path, rows: &[(usize, SharedRow)], expected: &[String]) -> Result<()> {
    let features: BTreeSet<&String> = expected.iter().filter(|name| !name.starts_with("diagnostics_")).collect();
    let table = data_table(rows, expected)?;
    let arrays = table.columns().iter().map(|name| {
        let cells = table.column(name).unwrap_or_default();
        (name.clone(), array(&cells, features.contains(name)))
    });
    let batch = RecordBatch::try_from_iter(arrays)?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    write_atomically(path, |file| -> Result<()> {
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties))?;
        writer.write(&batch)?;
        writer.close()?;
        Ok(())
    })
    .with_context(|| format!("cannot write {}", path.display()))
}

fn array(cells: &[&Cell], is_feature: bool) -> ArrayRef {
    if is_feature || cells.iter().any(|cell| matches!(cell, Cell::Number(_))) {
        let number = |cell: &&Cell| if let Cell::Number(value) = cell { *value } else { f64::NAN };
        return Arc::new(cells.iter().map(number).collect::<Float64Array>());
    }
    let text = |cell: &&Cell| (**cell != Cell::Empty).then(|| cell.text(Digits::All));
    Arc::new(cells.iter().map(text).collect::<StringArray>())
}
