//! A table as people make it: the text that a spreadsheet program or a statistics package exports, in whatever encoding
//! and with whatever separator, as rows of cells.
//!
//! Everything is found out from the bytes, or taken as `[table]` of `cohort.toml` declares it, and said in
//! [`SpreadsheetFormat`]. Cells are texts; what they mean is not decided here.

use std::fmt;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use serde::{Deserialize, Serialize};

/// Lines among which the header is looked for.
const HEADER_LINES: usize = 20;
/// Bytes by which a text of two bytes a character is told from others.
const SAMPLE: usize = 4096;

/// How the characters of a table are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TextEncoding {
    /// UTF-8.
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16, little-endian: the "Unicode text" of Excel.
    #[serde(rename = "utf-16le")]
    Utf16LittleEndian,
    /// UTF-16, big-endian.
    #[serde(rename = "utf-16be")]
    Utf16BigEndian,
    /// Windows-1252: the plain CSV of Excel in western Europe.
    #[serde(rename = "windows-1252")]
    Windows1252,
}

impl TextEncoding {
    fn codec(self) -> &'static Encoding {
        match self {
            Self::Utf8 => UTF_8,
            Self::Utf16LittleEndian => UTF_16LE,
            Self::Utf16BigEndian => UTF_16BE,
            Self::Windows1252 => WINDOWS_1252,
        }
    }
}

impl fmt::Display for TextEncoding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16LittleEndian => "UTF-16 (little-endian)",
            Self::Utf16BigEndian => "UTF-16 (big-endian)",
            Self::Windows1252 => "Windows-1252",
        })
    }
}

/// How a table is to be read; what is absent is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DeclaredFormat {
    /// The encoding.
    pub encoding: Option<TextEncoding>,
    /// The character between cells.
    pub separator: Option<char>,
}

/// The format of a table as it was detected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpreadsheetFormat {
    /// The encoding.
    pub encoding: TextEncoding,
    /// Whether a byte-order mark names it.
    pub has_byte_order_mark: bool,
    /// The character between cells.
    pub separator: char,
    /// Whether a first line `sep=` names it.
    pub has_separator_line: bool,
    /// Lines above the header that hold something else.
    pub lines_above_header: usize,
    /// Rows without any content.
    pub empty_rows: usize,
}

impl fmt::Display for SpreadsheetFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.has_byte_order_mark { " with byte-order mark" } else { "" };
        let separator = match self.separator {
            ',' => "commas".to_owned(),
            ';' => "semicolons".to_owned(),
            '\t' => "tabs".to_owned(),
            other => format!("`{other}`"),
        };
        let named = if self.has_separator_line { " (its first line says so)" } else { "" };
        write!(formatter, "{}{mark}, cells separated by {separator}{named}", self.encoding)?;
        if self.lines_above_header > 0 {
            write!(formatter, ", {} above the header passed over", counted(self.lines_above_header, "line"))?;
        }
        if self.empty_rows > 0 {
            write!(formatter, ", {} passed over", counted(self.empty_rows, "empty row"))?;
        }
        Ok(())
    }
}

/// A number with its noun.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpreadsheetRow {
    /// The line of the file on which it begins, from 1.
    pub line: usize,
    /// Its cells without surrounding blanks: as many as the header has.
    pub cells: Vec<String>,
}

/// A row whose number of cells is not that of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RaggedRow {
    /// The line of the file on which it begins, from 1.
    pub line: usize,
    /// The number of its cells.
    pub cells: usize,
}

/// Why a file cannot be read as a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {fix}")]
#[non_exhaustive]
pub struct SpreadsheetFault {
    /// The line of the file, from 1, where one is at fault.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What would fix it.
    pub fix: String,
}

impl SpreadsheetFault {
    fn new(line: Option<usize>, what: impl Into<String>, fix: &str) -> Self {
        Self { line, what: what.into(), fix: fix.to_owned() }
    }
}

/// A table of texts with one header.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spreadsheet {
    /// Names of the columns, without surrounding blanks. Columns without name and content at the right are left out.
    pub header: Vec<String>,
    /// The rows that have a cell for each column; rows without content are left out.
    pub rows: Vec<SpreadsheetRow>,
    /// The other rows.
    pub ragged: Vec<RaggedRow>,
    /// What was found out.
    pub format: SpreadsheetFormat,
}

impl Spreadsheet {
    /// Reads a table. `is_known` says whether a text names a column that is looked for: the line with most of them is
    /// the header, and the separator is the one under which most are found.
    ///
    /// # Errors
    /// [`SpreadsheetFault`] for a workbook, for bytes that are no text, for a quotation mark that is not closed, and
    /// for a file without content.
    pub fn read(
        bytes: &[u8],
        params: DeclaredFormat,
        is_known: &dyn Fn(&str) -> bool,
    ) -> Result<Self, SpreadsheetFault> {
        let (text, encoding, has_byte_order_mark) = decoded(bytes, params.encoding)?;
        let (named, text) = separator_line(&text);
        let candidates = match params.separator.or(named) {
            Some(separator) => vec![separator],
            None => vec![',', ';', '\t'],
        };
        let mut best: Option<(usize, usize, Layout)> = None;
        for separator in candidates {
            let rows = records(&text, separator)?;
            let Some(layout) = Layout::of(rows, separator, is_known) else { continue };
            let score = (layout.known, layout.rows[layout.header].cells.len());
            if best.as_ref().is_none_or(|(known, cells, _)| score > (*known, *cells)) {
                best = Some((score.0, score.1, layout));
            }
        }
        let Some((.., layout)) = best else {
            return Err(SpreadsheetFault::new(None, "the file is empty", "write a header and a row for each patient"));
        };
        let format = SpreadsheetFormat {
            encoding,
            has_byte_order_mark,
            separator: layout.separator,
            has_separator_line: named.is_some(),
            lines_above_header: 0,
            empty_rows: 0,
        };
        Ok(layout.table(format))
    }
}

/// The text of the bytes, its encoding, and whether a byte-order mark names it.
fn decoded(bytes: &[u8], declared: Option<TextEncoding>) -> Result<(String, TextEncoding, bool), SpreadsheetFault> {
    /// How workbooks begin.
    const WORKBOOKS: [(&[u8], &str); 2] = [(b"PK\x03\x04", ".xlsx or .ods"), (&[0xd0, 0xcf, 0x11, 0xe0], ".xls")];
    if let Some((_, kind)) = WORKBOOKS.iter().find(|(start, _)| bytes.starts_with(start)) {
        let fix = "save the sheet as CSV, from the spreadsheet program's dialogue \"save as\"";
        return Err(SpreadsheetFault::new(None, format!("the file is a workbook ({kind}) and no text"), fix));
    }
    let marked = Encoding::for_bom(bytes);
    let length = marked.map_or(0, |(_, length)| length);
    let encoding = match (declared, marked) {
        (Some(declared), _) => declared,
        (None, Some((codec, _))) if codec == UTF_16LE => TextEncoding::Utf16LittleEndian,
        (None, Some((codec, _))) if codec == UTF_16BE => TextEncoding::Utf16BigEndian,
        (None, Some(_)) => TextEncoding::Utf8,
        (None, None) => likely_encoding(bytes),
    };
    let (text, is_malformed) = encoding.codec().decode_without_bom_handling(&bytes[length..]);
    // Text has no control characters but tabs and line ends. Those from U+0080 on stand for bytes that Windows-1252 lacks.
    let stray =
        text.char_indices().find(|(_, c)| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{b}' | '\u{c}'));
    let replaced = if is_malformed { text.char_indices().find(|(_, c)| *c == '\u{fffd}') } else { None };
    if let Some((at, character)) = stray.or(replaced) {
        let line = 1 + text[..at].matches('\n').count();
        let what = format!("the text, read as {encoding}, holds U+{:04X}, which no table has", u32::from(character));
        let fix = "save the table as CSV in UTF-8, or declare [table] encoding in cohort.toml";
        return Err(SpreadsheetFault::new(Some(line), what, fix));
    }
    Ok((text.replace("\r\n", "\n").replace(['\r', '\u{b}', '\u{c}'], "\n"), encoding, marked.is_some()))
}

/// The encoding of bytes without a byte-order mark. In UTF-16 every other byte of western text is 0.
fn likely_encoding(bytes: &[u8]) -> TextEncoding {
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    let zeros = |first: usize| sample.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let half = sample.len() / 4;
    match (zeros(0) > half, zeros(1) > half) {
        (true, false) => TextEncoding::Utf16BigEndian,
        (false, true) => TextEncoding::Utf16LittleEndian,
        _ if std::str::from_utf8(bytes).is_ok() => TextEncoding::Utf8,
        _ => TextEncoding::Windows1252,
    }
}

/// The separator that a first line `sep=;` names, and the text with that line left empty.
fn separator_line(text: &str) -> (Option<char>, String) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let named = first.trim_matches(['"', ' ', ',', ';']).to_lowercase();
    let mut after = match named.strip_prefix("sep=") {
        // The separator itself may have been trimmed.
        Some("") => first.chars().skip_while(|c| *c != '=').skip(1).collect::<Vec<_>>().into_iter(),
        Some(rest) => rest.chars().collect::<Vec<_>>().into_iter(),
        None => return (None, text.to_owned()),
    };
    match (after.next(), after.next()) {
        (Some(separator), None | Some('"')) => (Some(separator), format!("\n{rest}")),
        _ => (None, text.to_owned()),
    }
}

/// All rows with content under a separator.
fn records(text: &str, separator: char) -> Result<Vec<SpreadsheetRow>, SpreadsheetFault> {
    let Ok(delimiter) = u8::try_from(separator) else {
        let what = format!("the separator is `{separator}`");
        return Err(SpreadsheetFault::new(None, what, "separate cells by comma, semicolon or tab"));
    };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut rows = Vec::new();
    let (mut counted, mut line) = (0, 1);
    for record in reader.records() {
        let record = record
            .map_err(|error| SpreadsheetFault::new(None, error.to_string(), "save the table as CSV in UTF-8 again"))?;
        // The position of a record is that of the empty lines before it.
        let position = record.position().map_or(counted, |position| position.byte() as usize);
        let start = position + text[position..].bytes().take_while(|byte| *byte == b'\n').count();
        line += text[counted..start].matches('\n').count();
        counted = start;
        let cells: Vec<String> = record.iter().map(|cell| cell.trim().to_owned()).collect();
        rows.push(SpreadsheetRow { line, cells });
    }
    let is_open = text.matches('"').count() % 2 == 1;
    let swallowed = rows.iter().find(|row| row.cells.iter().any(|cell| cell.contains('\n')));
    match swallowed.filter(|_| is_open) {
        None => Ok(rows),
        Some(row) => Err(SpreadsheetFault::new(
            Some(row.line),
            "a quotation mark is opened and not closed",
            "close it, or write a quotation mark inside a cell twice",
        )),
    }
}

/// Rows under one separator, and which of them is the header.
struct Layout {
    separator: char,
    rows: Vec<SpreadsheetRow>,
    header: usize,
    known: usize,
}

impl Layout {
    fn of(rows: Vec<SpreadsheetRow>, separator: char, is_known: &dyn Fn(&str) -> bool) -> Option<Self> {
        let known = |row: &SpreadsheetRow| row.cells.iter().filter(|cell| is_known(cell)).count();
        let first = rows.iter().position(|row| !is_empty(row))?;
        let (mut header, mut most) = (first, known(&rows[first]));
        for (index, row) in rows.iter().enumerate().take(HEADER_LINES).skip(first + 1) {
            if known(row) > most {
                (header, most) = (index, known(row));
            }
        }
        Some(Self { separator, rows, header, known: most })
    }

    fn table(self, format: SpreadsheetFormat) -> Spreadsheet {
        let lines_above_header = self.rows[..self.header].iter().filter(|row| !is_empty(row)).count();
        let mut rows = self.rows.into_iter().skip(self.header);
        let mut header = rows.next().map(|row| row.cells).unwrap_or_default();
        let (full, empty): (Vec<SpreadsheetRow>, Vec<SpreadsheetRow>) = rows.partition(|row| !is_empty(row));
        // Cells that are empty in all rows, right of the last column, are left over from the sheet.
        while header.last().is_some_and(String::is_empty) {
            header.pop();
        }
        let columns = header.len();
        let (mut kept, mut ragged) = (Vec::new(), Vec::new());
        for mut row in full {
            while row.cells.len() > columns && row.cells.last().is_some_and(String::is_empty) {
                row.cells.pop();
            }
            if row.cells.len() == columns {
                kept.push(row);
            } else {
                ragged.push(RaggedRow { line: row.line, cells: row.cells.len() });
            }
        }
        let format = SpreadsheetFormat { lines_above_header, empty_rows: empty.len(), ..format };
        Spreadsheet { header, rows: kept, ragged, format }
    }
}

fn is_empty(row: &SpreadsheetRow) -> bool {
    row.cells.iter().all(String::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "patient;größe;note\nP1;1,5;\"a; b\"\nP2;2,5;\n;;\n";

    fn read(bytes: &[u8]) -> Result<Spreadsheet, SpreadsheetFault> {
        Spreadsheet::read(bytes, DeclaredFormat::default(), &|name| ["patient", "größe", "note"].contains(&name))
    }

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn encodings_are_found_out() {
        let with_mark = |bytes: &[u8], mark: &[u8]| [mark, bytes].concat();
        let (little, big) = (utf16(TEXT, u16::to_le_bytes), utf16(TEXT, u16::to_be_bytes));
        let cp1252 = WINDOWS_1252.encode(TEXT).0.into_owned();
        let expected = read(TEXT.as_bytes()).unwrap();
        assert_eq!(expected.header, ["patient", "größe", "note"]);
        assert_eq!(expected.rows[0].cells, ["P1", "1,5", "a; b"]);
        assert_eq!(expected.format.empty_rows, 1);
        for (bytes, encoding, mark) in [
            (TEXT.as_bytes().to_vec(), TextEncoding::Utf8, false),
            (with_mark(TEXT.as_bytes(), b"\xef\xbb\xbf"), TextEncoding::Utf8, true),
            (little.clone(), TextEncoding::Utf16LittleEndian, false),
            (with_mark(&little, b"\xff\xfe"), TextEncoding::Utf16LittleEndian, true),
            (big.clone(), TextEncoding::Utf16BigEndian, false),
            (with_mark(&big, b"\xfe\xff"), TextEncoding::Utf16BigEndian, true),
            (cp1252, TextEncoding::Windows1252, false),
        ] {
            let table = read(&bytes).unwrap();
            assert_eq!((table.format.encoding, table.format.has_byte_order_mark), (encoding, mark));
            assert_eq!((&table.header, &table.rows), (&expected.header, &expected.rows), "{encoding}");
        }
    }

    #[test]
    fn separators_header_and_line_numbers_are_found_out() {
        for (text, separator, lines_above, line) in [
            ("patient,note\nP1,x\n", ',', 0, 2),
            ("patient\tnote\r\nP1\tx\r\n", '\t', 0, 2),
            ("sep=;\npatient;note\nP1;x\n", ';', 0, 3),
            ("\"sep=|\"\npatient|note\nP1|x\n", '|', 0, 3),
            ("Export of 3 May, ward 4\n\npatient;note\n\nP1;x\n", ';', 1, 5),
            ("patient;note;;\nP1;x;;\n", ';', 0, 2),
        ] {
            let table = read(text.as_bytes()).unwrap();
            assert_eq!((table.format.separator, table.format.lines_above_header), (separator, lines_above), "{text}");
            assert_eq!(table.header, ["patient", "note"], "{text}");
            assert_eq!(table.rows, [SpreadsheetRow { line, cells: vec!["P1".into(), "x".into()] }], "{text}");
        }
    }

    #[test]
    fn rows_of_another_length_are_kept_apart() {
        let table = read(b"patient,note\nP1,x,y\nP2\nP3,z\n").unwrap();
        assert_eq!(table.ragged, [RaggedRow { line: 2, cells: 3 }, RaggedRow { line: 3, cells: 1 }]);
        assert_eq!(table.rows.len(), 1);
    }

    #[test]
    fn what_is_no_table_is_refused_with_the_reason() {
        for (bytes, words) in [
            (&b"PK\x03\x04rest"[..], "workbook (.xlsx or .ods)"),
            (b"\xd0\xcf\x11\xe0rest", "workbook (.xls)"),
            (b"patient,note\nP1,\"x\nP2,y\n", "not closed"),
            (b"", "empty"),
            (b"\n\n", "empty"),
            (b"patient,note\nP1,\x81\n", "U+0081"),
            (b"patient,note\nP1,\0\n", "U+0000"),
            (b"\xff\xfep\0a\0t\0\x00\xd8,\0", "U+FFFD"),
        ] {
            let fault = read(bytes).unwrap_err();
            assert!(fault.to_string().contains(words), "{fault}");
        }
        let fault = read(b"patient,note\nP1,\"x\nP2,y\n").unwrap_err();
        assert_eq!(fault.line, Some(2));
    }

    #[test]
    fn what_is_declared_is_taken() {
        let params = DeclaredFormat { encoding: Some(TextEncoding::Windows1252), separator: Some(',') };
        let table = Spreadsheet::read("a,b;c\n1,ü\n".as_bytes(), params, &|_| false).unwrap();
        assert_eq!(table.header, ["a", "b;c"]);
        assert_eq!(table.rows[0].cells[1], "Ã¼");
    }
}
