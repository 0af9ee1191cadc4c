//! Tables as people write them: the separator is found out, and what would lose rows or cells is refused with its line.

use std::io;
use std::path::Path;

use anyhow::{Result, anyhow, bail, ensure};

use crate::input::read_text;

/// A table with the names of its columns.
#[derive(Debug)]
pub(crate) struct SeparatedTable {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<SeparatedRow>,
}

/// A row, which may have fewer cells than there are columns.
#[derive(Debug)]
pub(crate) struct SeparatedRow {
    pub(crate) cells: Vec<String>,
    /// Its line in the text, from 1.
    pub(crate) line: u64,
}

/// What separates the cells of a table, by its first line: of comma, semicolon and tab the one that stands there most
/// often outside of quotation marks; a comma where none does.
fn separator(text: &str) -> u8 {
    let line = text.lines().next().unwrap_or_default();
    let mut is_quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for byte in line.bytes() {
        is_quoted ^= byte == b'"';
        let found = counts.iter_mut().find(|(separator, _)| !is_quoted && *separator == byte);
        if let Some((_, count)) = found {
            *count += 1;
        }
    }
    // Of equal counts the first.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(separator, _)| *separator)
}

/// A reader of a table with the separator of its first line. Excel's mark at the start of a file is no part of a name.
fn reader(text: &str) -> csv::Reader<&[u8]> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    csv::ReaderBuilder::new()
        .delimiter(separator(text))
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes())
}

/// Where quotation marks leave the reader of a table.
#[derive(Debug, Clone, Copy)]
enum Quoting {
    /// Before the first character of a cell.
    Start,
    /// In a cell without quotation marks around it.
    Plain,
    /// In a cell that a quotation mark opened on a line.
    Open(u64),
    /// Behind a quotation mark that closed such a cell, or is the first of two.
    Closed(u64),
}

/// Refuses quotation marks that would make one cell of several rows.
fn check_quotation_marks(text: &str, separator: u8) -> Result<()> {
    let (mut at, mut line) = (Quoting::Start, 1);
    for byte in text.bytes() {
        at = match (at, byte) {
            (Quoting::Open(from), b'"') => Quoting::Closed(from),
            (Quoting::Open(from), _) | (Quoting::Closed(from), b'"') => Quoting::Open(from),
            (_, b'\n' | b'\r') => Quoting::Start,
            _ if byte == separator => Quoting::Start,
            (Quoting::Closed(from), b' ' | b'\t') => Quoting::Closed(from),
            (Quoting::Closed(from), _) => bail!(
                "line {line}: text follows the quotation mark that closes the cell opened on line {from}; close each \
                 cell where it ends, and write two quotation marks for one inside a cell"
            ),
            (Quoting::Start, b'"') => Quoting::Open(line),
            (Quoting::Start | Quoting::Plain, _) => Quoting::Plain,
        };
        line += u64::from(byte == b'\n');
    }
    if let Quoting::Open(from) = at {
        bail!("line {from}: a quotation mark opens a cell that is never closed; close or remove it");
    }
    Ok(())
}

/// The names of the columns; none where the first line cannot be read.
pub(crate) fn columns(text: &str) -> Option<Vec<String>> {
    let headers = reader(text).headers().ok()?.clone();
    Some(headers.iter().map(str::to_owned).collect())
}

/// The table that a text holds.
///
/// # Errors
/// For quotation marks that are not closed, and rows with more cells than the first line has, unless these are empty;
/// with the line.
pub(crate) fn table(text: &str) -> Result<SeparatedTable> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    check_quotation_marks(text, separator(text))?;
    let mut reader = reader(text);
    let columns: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record?;
        let line = record.position().map_or(0, csv::Position::line);
        ensure!(
            record.iter().skip(columns.len()).all(str::is_empty),
            "line {line} has {} cells and the first line {}; put a cell that holds a separator between quotation marks",
            record.len(),
            columns.len()
        );
        let cells = record.iter().take(columns.len()).map(str::to_owned).collect();
        rows.push(SeparatedRow { cells, line });
    }
    Ok(SeparatedTable { columns, rows })
}

/// The text of a file that holds a table.
///
/// # Errors
/// When it cannot be read, or is in another encoding than UTF-8.
pub(crate) fn read_table_text(path: &Path) -> Result<String> {
    let is_other_encoding = |error: &anyhow::Error| {
        let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
        causes.any(|cause| cause.kind() == io::ErrorKind::InvalidData)
    };
    let refused = || {
        anyhow!(
            "{} is no text in UTF-8; save the table as UTF-8, which spreadsheet programs offer as \"CSV UTF-8\"",
            path.display()
        )
    };
    match read_text(path) {
        Err(error) if is_other_encoding(&error) => Err(refused()),
        // As UTF-16 without a mark at its start looks.
        Ok(text) if text.contains('\0') => Err(refused()),
        read => read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_is_found_out() {
        for (line, expected) in [
            ("a,b", b','),
            ("a;b;c", b';'),
            ("a\tb", b'\t'),
            ("a", b','),
            ("\"a;b;c\",d", b','),
            ("Image;\"Mask, drawn\"", b';'),
        ] {
            assert_eq!(separator(line), expected, "{line}");
        }
        let found = table("\u{feff}Image;Mask\n a ;b\n").unwrap();
        assert_eq!(found.columns, ["Image", "Mask"]);
        assert_eq!((found.rows[0].cells.as_slice(), found.rows[0].line), (&["a".to_owned(), "b".to_owned()][..], 2));
    }

    #[test]
    fn quotation_marks_keep_rows_apart() {
        for whole in ["a,b\n\"x, y\",\"say \"\"no\"\"\"\n1,2\n", "a,b\nit is 5\" wide,2\n", "a;b\n\"two\nlines\" ;2\n"]
        {
            assert!(table(whole).is_ok(), "{whole:?}");
        }
        for (torn, line) in [
            ("a,b\n1,2\n3,\"4\n5,6\n", "line 3:"),
            ("a,b\n\"1,2", "line 2:"),
            ("a,b\n1,\"5 o clock\n2,x\n3,\"y\"\n", "line 4:"),
            ("a,\"b\n1,2\n", "line 1:"),
        ] {
            let refused = table(torn).unwrap_err().to_string();
            assert!(refused.starts_with(line), "{torn:?}: {refused}");
        }
    }

    #[test]
    fn no_cell_is_dropped_but_empty_ones() {
        assert_eq!(table("a,b\n1,2,,\n3\n").unwrap().rows.iter().map(|row| row.cells.len()).max(), Some(2));
        let refused = table("a,b\n1,2\n3,4,5\n").unwrap_err().to_string();
        assert!(refused.starts_with("line 3 has 3 cells and the first line 2"), "{refused}");
    }
}
