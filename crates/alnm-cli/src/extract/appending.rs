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
use anyhow::{Result, ensure};

use super::table::TableFormat;

/// How the list of a JSON table begins and ends, and what stands between two objects.
const JSON: (&[u8], &[u8], &[u8]) = (b"[\n", b"\n]\n", b",\n");

/// How a table came into its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appended {
    /// As the only one, or in one table with what was there.
    Joined,
    /// Behind a table with other columns.
    AfterOtherColumns,
}

/// Adds a table of this format to a file.
pub(super) fn append(path: &Path, format: TableFormat, table: &[u8]) -> Result<Appended> {
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
    add(&mut file, format, table)
}

/// Adds a table to a file that belongs to this program for the time being.
fn add(file: &mut File, format: TableFormat, table: &[u8]) -> Result<Appended> {
    let end = end_of(file, format)?;
    let (kept, added, appended) = match (end, format) {
        (0, _) => (0, table.to_vec(), Appended::Joined),
        (_, TableFormat::Json) => {
            let objects = table.strip_prefix(JSON.0).unwrap_or(table);
            (end - JSON.1.len() as u64, [JSON.2, objects].concat(), Appended::Joined)
        }
        (_, TableFormat::Csv) => {
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
    let mut tail = vec![0; usize::try_from(end - kept)?];
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

/// The length of a file that a table of this format can be added to.
pub(super) fn end_of(file: &mut File, format: TableFormat) -> Result<u64> {
    let end = file.seek(SeekFrom::End(0))?;
    let closing = if format == TableFormat::Json { JSON.1 } else { b"\n" };
    let mut tail = vec![0; closing.len().min(usize::try_from(end)?)];
    file.seek(SeekFrom::Start(end - tail.len() as u64))?;
    file.read_exact(&mut tail)?;
    ensure!(
        end == 0 || tail == closing,
        "the end of the file is {:?}, not that of a whole table; repair the file or name another one",
        String::from_utf8_lossy(&tail)
    );
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appended(format: TableFormat, tables: &[&str]) -> (String, Vec<Appended>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        let how = tables.iter().map(|table| append(&path, format, table.as_bytes()).unwrap()).collect();
        (std::fs::read_to_string(path).unwrap(), how)
    }

    #[test]
    fn tables_of_equal_columns_become_one() {
        let (table, how) = appended(TableFormat::Csv, &["a,b\n1,2\n", "a,b\n3,4\n"]);
        assert_eq!((table.as_str(), how), ("a,b\n1,2\n3,4\n", vec![Appended::Joined; 2]));
        let (table, how) = appended(TableFormat::Csv, &["a,b\n1,2\n", "a\n3\n"]);
        assert_eq!((table.as_str(), how[1]), ("a,b\n1,2\na\n3\n", Appended::AfterOtherColumns));
        let (table, _) = appended(TableFormat::Json, &["[\n  1\n]\n", "[\n  2,\n  3\n]\n"]);
        assert_eq!(serde_json::from_str::<Vec<u8>>(&table).unwrap(), [1, 2, 3]);
        assert_eq!(appended(TableFormat::Txt, &["x: 1\n", "x: 2\n"]).0, "x: 1\nx: 2\n");
    }

    #[test]
    fn what_is_no_whole_table_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        for (format, there) in [(TableFormat::Csv, "a,b\n1,"), (TableFormat::Json, "{}\n"), (TableFormat::Txt, "x")] {
            std::fs::write(&path, there).unwrap();
            let refused = append(&path, format, b"new\n").unwrap_err().to_string();
            assert!(refused.contains("not that of a whole table"), "{refused}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), there);
        }
        std::fs::write(&path, "").unwrap();
        append(&path, TableFormat::Csv, b"a\n1\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\n1\n");
    }
}
