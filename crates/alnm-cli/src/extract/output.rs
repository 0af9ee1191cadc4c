//! Where the table of results goes, and in which form its paths are written.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::arguments::{ExtractArgs, Mode, PathFormat};
use super::batch::base_folder;
use super::engine::Engine;
#[cfg(feature = "parquet")]
use super::parquet_table;
use super::table::{self, Row, RowValue, SharedRow, TableFormat};
use crate::appending::{self, TableKind};
#[cfg(feature = "parquet")]
use crate::exit::wrong_use;
use crate::interrupt::{self, while_writing};
use crate::output::{is_standard_stream, print_bytes};

/// The columns that the table has whatever became of its cases. Where undefined features are left out, so are their
/// columns.
fn expected_columns(arguments: &ExtractArgs, engine: &Engine, rows: &[(usize, SharedRow)]) -> Vec<String> {
    if arguments.one_row {
        // Those of a case that could be read: the rows of others have their input columns alone.
        let longest = rows.iter().map(|(_, row)| row).max_by_key(|row| row.cells().count());
        return longest.into_iter().flat_map(SharedRow::cells).map(|(name, _)| name.to_owned()).collect();
    }
    if arguments.mode != Mode::Segment || arguments.skip_nans {
        return Vec::new();
    }
    let planar =
        |(name, cell): (&str, &RowValue)| name == "diagnostics_Image-original_Dimensionality" && cell.text() == "2D";
    let dimension = if rows.iter().any(|(_, row)| row.cells().any(planar)) { 2 } else { 3 };
    if arguments.slice_means {
        return engine.columns_of_means(dimension);
    }
    engine.columns(dimension)
}

/// Refuses, before any work is done, a file for the output that exists, or to which no table can be added.
pub(super) fn check(arguments: &ExtractArgs) -> Result<()> {
    let Some(path) = &arguments.out else {
        return match arguments.format() {
            #[cfg(feature = "parquet")]
            TableFormat::Parquet => Err(wrong_use("a Parquet file cannot go to the terminal; name a file with --out")),
            _ => Ok(()),
        };
    };
    if !arguments.append {
        return arguments.overwriting.check_files([path.as_path()]);
    }
    appending::check(path, added(arguments.format())?)
}

/// How tables of this format are added to a file.
fn added(format: TableFormat) -> Result<TableKind> {
    match format {
        TableFormat::Csv => Ok(TableKind::Csv),
        TableFormat::Json => Ok(TableKind::JsonList),
        TableFormat::Txt => Ok(TableKind::Lines),
        #[cfg(feature = "parquet")]
        TableFormat::Parquet => Err(wrong_use("a Parquet file cannot be added to; write another, or take --force")),
    }
}

/// Writes [formatted](formatted_row) rows with the numbers of their cases to the file that `--out` names, or to
/// standard output.
pub(super) fn write_table(arguments: &ExtractArgs, engine: &Engine, rows: &[(usize, SharedRow)]) -> Result<()> {
    let expected = expected_columns(arguments, engine, rows);
    let format = arguments.format();
    let table = match format {
        #[cfg(feature = "parquet")]
        TableFormat::Parquet => parquet_table::bytes(rows, &expected)?,
        _ => {
            let mut table = Vec::new();
            table::write(&mut table, format, rows, &expected)?;
            table
        }
    };
    match arguments.out.as_deref().filter(|path| !is_standard_stream(path)) {
        None => print_bytes(&table),
        Some(path) if arguments.append => appending::append_to(path, added(format)?, &table),
        Some(path) => {
            // An interruption that waits for the table has to find what is said of it.
            let _whole = while_writing();
            arguments.overwriting.write_file(path, &table)?;
            interrupt::keeps(format!("{} is written and whole", path.display()));
            Ok(())
        }
    }
}

/// The row as it is written: with paths in the form asked for, and without undefined features where they are not
/// wanted.
pub(super) fn formatted_row(arguments: &ExtractArgs, row: Row) -> Row {
    let kept = row.into_iter().filter(|(_, cell)| !(arguments.skip_nans && cell.is_nan()));
    let formatted = kept.map(|(name, cell)| match cell {
        RowValue::Text(path) if name == "Image" || name == "Mask" => {
            let path = formatted_path(arguments, &path);
            (name, RowValue::Text(path))
        }
        cell => (name, cell),
    });
    formatted.collect()
}

fn formatted_path(arguments: &ExtractArgs, path: &str) -> String {
    let path = Path::new(path);
    let formatted = match arguments.format_path {
        PathFormat::Absolute => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
        PathFormat::Relative => relative_to(path, &base_folder(arguments)),
        PathFormat::Basename => path.file_name().map_or_else(|| path.to_owned(), PathBuf::from),
    };
    let text = formatted.to_string_lossy().into_owned();
    if arguments.unix_path { text.replace('\\', "/") } else { text }
}

/// The way from a folder to a path; the path itself where there is none.
fn relative_to(path: &Path, folder: &Path) -> PathBuf {
    let (Ok(path), Ok(folder)) = (std::path::absolute(path), std::path::absolute(folder)) else {
        return path.to_owned();
    };
    let shared = path.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared).map(|_| PathBuf::from(".."));
    up.chain(path.components().skip(shared).map(|part| PathBuf::from(part.as_os_str()))).collect()
}
