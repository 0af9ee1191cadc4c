//! Tables that are added to a file, by several programs at the same time if need be.
//!
//! A file that is not there yet appears as a whole. To one that is there the table is added under an exclusive lock of
//! the system (`flock`; on NFS a lock of the server), so that tables of several programs stand one after the other;
//! where the file system has no locks, the table still goes out in one piece. What cannot be written to its end, for
//! instance on a full disk, is taken back. Only a program that is killed while it adds can leave part of a table, which
//! the next one finds and refuses.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use alnm_imaging::file::AtomicFile;
use anyhow::{Context, Result, ensure};

use crate::messages;
use crate::output::{is_standard_stream, require_folder_of};

/// How the list of a JSON table begins and ends, and what stands between two objects.
const JSON: (&[u8], &[u8], &[u8]) = (b"[\n", b"\n]\n", b",\n");

/// How much of a file is looked at to see what it holds.
const LOOKED_AT: u64 = 1 << 20;

/// What a table is added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableKind {
    /// A line of names, and a line for each row.
    Csv,
    /// A list of objects.
    JsonList,
    /// Lines of text.
    Lines,
}

impl TableKind {
    fn name(self) -> &'static str {
        match self {
            Self::Csv => "CSV table",
            Self::JsonList => "list of JSON",
            Self::Lines => "lines of text",
        }
    }
}

/// How a table came into its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Appended {
    /// As the only one, or in one table with what was there.
    Joined,
    /// Behind a table with other columns.
    AfterOtherColumns,
}

/// Refuses, before any work is done, a file that no table of this kind can be added to.
pub(crate) fn check(path: &Path, kind: TableKind) -> Result<()> {
    if is_standard_stream(path) || !path.is_file() {
        return require_folder_of(path);
    }
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    end_of(&mut file, kind).map(drop).with_context(|| path.display().to_string())
}

/// Adds a table of this kind to a file, and says when it has other columns than the one that is there.
pub(crate) fn append_to(path: &Path, kind: TableKind, table: &[u8]) -> Result<()> {
    let _whole = crate::interrupt::while_writing();
    let appended = append(path, kind, table).with_context(|| format!("cannot write {}", path.display()))?;
    crate::interrupt::keeps(format!("the table is added to {}; the same command would add it again", path.display()));
    if appended == Appended::AfterOtherColumns {
        messages::warn(format_args!(
            "{} held a table with other columns; this one follows it, with a line of its own for their names",
            path.display()
        ));
    }
    Ok(())
}

/// Adds a table of this kind to a file.
fn append(path: &Path, kind: TableKind, table: &[u8]) -> Result<Appended> {
    // A pipe or a terminal has no end to look at.
    if path.exists() && !path.is_file() {
        OpenOptions::new().append(true).open(path)?.write_all(table)?;
        return Ok(Appended::Joined);
    }
    if !path.exists() {
        let mut file = AtomicFile::create(path)?;
        file.write_all(table)?;
        match file.commit_new() {
            // Another program made it meanwhile.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            done => return Ok(done.map(|()| Appended::Joined)?),
        }
    }
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    match file.lock() {
        Err(error) if error.kind() != ErrorKind::Unsupported => return Err(error.into()),
        _ => {}
    }
    add(&mut file, kind, table)
}

/// Adds a table to a file that belongs to this program for the time being.
fn add(file: &mut File, kind: TableKind, table: &[u8]) -> Result<Appended> {
    let end = end_of(file, kind)?;
    let (kept, added, appended) = match (end, kind) {
        (0, _) => (0, table.to_vec(), Appended::Joined),
        (_, TableKind::JsonList) => {
            let objects = table.strip_prefix(JSON.0).unwrap_or(table);
            (end - JSON.1.len() as u64, [JSON.2, objects].concat(), Appended::Joined)
        }
        (_, TableKind::Csv) => {
            let names = first_line(table);
            let mut there = vec![0; names.len().min(usize::try_from(end)?)];
            file.rewind()?;
            file.read_exact(&mut there)?;
            if there == names {
                (end, table[names.len()..].to_vec(), Appended::Joined)
            } else {
                (end, table.to_vec(), Appended::AfterOtherColumns)
            }
        }
        _ => (end, table.to_vec(), Appended::Joined),
    };
    let length = file.seek(SeekFrom::End(0))?;
    let mut tail = vec![0; usize::try_from(length - kept)?];
    file.seek(SeekFrom::Start(kept))?;
    file.read_exact(&mut tail)?;
    if let Err(error) = replace_end(file, kept, &added) {
        // What was there needs no more room than it had.
        replace_end(file, kept, &tail)?;
        return Err(error.into());
    }
    Ok(appended)
}

fn replace_end(file: &mut File, kept: u64, added: &[u8]) -> io::Result<()> {
    file.set_len(kept)?;
    file.write_all(added)?;
    file.sync_all()
}

/// The line with the names of the columns and its end.
fn first_line(table: &[u8]) -> &[u8] {
    // A name that holds a line end would need quotation marks; those of features and files' columns have none, and
    // lines that differ only make the table stand for itself.
    table.iter().position(|&byte| byte == b'\n').map_or(table, |end| &table[..=end])
}

/// How much of a file that tables can be added to stays as it is: all of it, or nothing of an empty list.
fn end_of(file: &mut File, kind: TableKind) -> Result<u64> {
    let end = file.seek(SeekFrom::End(0))?;
    let mut start = Vec::new();
    file.rewind()?;
    (&*file).take(LOOKED_AT).read_to_end(&mut start)?;
    let begins_list = start.trim_ascii_start().starts_with(b"[");
    if kind == TableKind::JsonList && is_empty_list(&start) && start.len() as u64 == end {
        return Ok(0);
    }
    let closing = if kind == TableKind::JsonList { JSON.1 } else { b"\n" };
    let mut tail = vec![0; closing.len().min(usize::try_from(end)?)];
    file.seek(SeekFrom::Start(end - tail.len() as u64))?;
    file.read_exact(&mut tail)?;
    ensure!(
        end == 0 || tail == closing,
        "the end of the file is {:?}, not that of a whole table; repair the file or name another one",
        String::from_utf8_lossy(&tail)
    );
    let is_of_kind = match kind {
        _ if end == 0 => true,
        TableKind::Csv => looks_like_csv(&start),
        TableKind::JsonList => begins_list,
        TableKind::Lines => !begins_list && !looks_like_csv(&start),
    };
    ensure!(is_of_kind, "the file holds no {}; name another file, or the format that it has", kind.name());
    Ok(end)
}

/// Whether a text is a list of JSON without any object.
fn is_empty_list(text: &[u8]) -> bool {
    let inside = text.trim_ascii().strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    inside.is_some_and(|inside| inside.trim_ascii().is_empty())
}

/// Whether the start of a file looks like that of a CSV table: several names, and as many cells in the next row.
fn looks_like_csv(start: &[u8]) -> bool {
    // A path in lines of results may hold commas.
    if start.starts_with(b"Case-") && first_line(start).windows(2).any(|pair| pair == b": ") {
        return false;
    }
    let mut rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(start).into_byte_records();
    let mut cells = || rows.next().and_then(Result::ok).map(|row| row.len());
    match (cells(), cells()) {
        (Some(names), None) => names > 1,
        // What was looked at may end in the second row.
        (Some(names), Some(cells)) => names > 1 && (cells == names || start.len() as u64 == LOOKED_AT),
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appended(kind: TableKind, tables: &[&str]) -> (String, Vec<Appended>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        let how = tables.iter().map(|table| append(&path, kind, table.as_bytes()).unwrap()).collect();
        (std::fs::read_to_string(path).unwrap(), how)
    }

    #[test]
    fn tables_of_equal_columns_become_one() {
        let (table, how) = appended(TableKind::Csv, &["a,b\n1,2\n", "a,b\n3,4\n"]);
        assert_eq!((table.as_str(), how), ("a,b\n1,2\n3,4\n", vec![Appended::Joined; 2]));
        let (table, how) = appended(TableKind::Csv, &["a,b\n1,2\n", "a\n3\n"]);
        assert_eq!((table.as_str(), how[1]), ("a,b\n1,2\na\n3\n", Appended::AfterOtherColumns));
        let (table, _) = appended(TableKind::JsonList, &["[\n  1\n]\n", "[\n  2,\n  3\n]\n"]);
        assert_eq!(serde_json::from_str::<Vec<u8>>(&table).unwrap(), [1, 2, 3]);
        assert_eq!(appended(TableKind::Lines, &["x: 1\n", "x: 2\n"]).0, "x: 1\nx: 2\n");
        for empty in ["[]", " [ \n]\n", ""] {
            let (table, how) = appended(TableKind::JsonList, &[empty, "[\n  1\n]\n", "[\n  2\n]\n"]);
            assert_eq!(serde_json::from_str::<Vec<u8>>(&table).unwrap(), [1, 2], "{empty:?}: {table}");
            assert_eq!(how, [Appended::Joined; 3]);
        }
    }

    #[test]
    fn what_is_no_whole_table_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        for (kind, there) in [(TableKind::Csv, "a,b\n1,"), (TableKind::JsonList, "{}\n"), (TableKind::Lines, "x")] {
            std::fs::write(&path, there).unwrap();
            let refused = append(&path, kind, b"new\n").unwrap_err().to_string();
            assert!(refused.contains("not that of a whole table"), "{refused}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), there);
        }
        for (kind, there) in [
            (TableKind::Csv, "Case-1_Image: a.nrrd\nCase-1_Mask: b.nrrd\n"),
            (TableKind::Csv, "Case-1_Image: a, b.nrrd\nCase-1_Mask: a, b.nrrd\n"),
            (TableKind::Csv, "first, second\nthird\n"),
            (TableKind::Csv, "[\n{}\n]\n"),
            (TableKind::JsonList, "a\n]\n"),
            (TableKind::Lines, "a,b\n1,2\n"),
            (TableKind::Lines, "[\n{}\n]\n"),
        ] {
            std::fs::write(&path, there).unwrap();
            let refused = append(&path, kind, b"new\n").unwrap_err().to_string();
            assert!(refused.contains("the file holds no "), "{there:?}: {refused}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), there);
        }
        std::fs::write(&path, "").unwrap();
        append(&path, TableKind::Csv, b"a\n1\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\n1\n");
    }
}
