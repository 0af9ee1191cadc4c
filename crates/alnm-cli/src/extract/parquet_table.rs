//! The table of results as a Parquet file: one column for each feature with a number, NaN where a case could not give
//! one, and text for everything else, empty where a case has none.

use std::collections::BTreeSet;
use std::sync::Arc;

use alnm_stats::data_table::{Cell, Digits};
use anyhow::Result;
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::table::{SharedRow, data_table};

/// The rows as the bytes of a file. It has the `expected` columns whether or not a row has them.
pub(super) fn bytes(rows: &[(usize, SharedRow)], expected: &[String]) -> Result<Vec<u8>> {
    let features: BTreeSet<&String> = expected.iter().filter(|name| !name.starts_with("diagnostics_")).collect();
    let table = data_table(rows, expected)?;
    let arrays = table.columns().iter().map(|name| {
        let cells = table.column(name).unwrap_or_default();
        (name.clone(), array(&cells, features.contains(name)))
    });
    let batch = RecordBatch::try_from_iter(arrays)?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}

fn array(cells: &[&Cell], is_feature: bool) -> ArrayRef {
    if is_feature || cells.iter().any(|cell| matches!(cell, Cell::Number(_))) {
        let number = |cell: &&Cell| if let Cell::Number(value) = cell { *value } else { f64::NAN };
        return Arc::new(cells.iter().map(number).collect::<Float64Array>());
    }
    let text = |cell: &&Cell| (**cell != Cell::Empty).then(|| cell.text(Digits::All));
    Arc::new(cells.iter().map(text).collect::<StringArray>())
}
