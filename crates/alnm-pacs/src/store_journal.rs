//! What was stored in DICOM nodes, which cannot be asked for it.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::content_hash::is_hash;
use crate::error::{PacsError, Result};

const HEADER: &str = "node,SOPInstanceUID,sha256\n";

/// A file that remembers which objects a DICOM node confirmed, by its address, the identifier of the object and the
/// SHA-256 of the file. An object whose file changed is stored again.
#[derive(Debug)]
pub struct StoreJournal {
    path: PathBuf,
    file: File,
    stored: BTreeSet<String>,
}

impl StoreJournal {
    /// Opens a journal, which is made where it does not exist, and keeps other programs from writing to it.
    ///
    /// # Errors
    /// [`PacsError::File`] when it cannot be opened, another program has it, or it is no journal.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let failed = |error: io::Error| PacsError::file(&path, &error);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        if file.try_lock().is_err() {
            let problem = "another program writes to this journal; wait for it, or name another file".to_owned();
            return Err(PacsError::File { path, problem });
        }
        let mut text = String::new();
        let _: usize = file.read_to_string(&mut text).map_err(failed)?;
        // A line without an end was being written when its program was killed.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let lines = match text[..whole].strip_prefix(HEADER) {
            Some(lines) => lines,
            None if whole == 0 && HEADER.starts_with(&text) => "",
            None => {
                let problem = "is no journal of stored objects; name another file".to_owned();
                return Err(PacsError::File { path, problem });
            }
        };
        let is_entry = |line: &&str| line.rsplit(',').next().is_some_and(is_hash);
        let stored = lines.lines().filter(is_entry).map(str::to_owned).collect();
        file.set_len(whole as u64).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        if whole == 0 {
            file.write_all(HEADER.as_bytes()).map_err(failed)?;
        }
        Ok(Self { path, file, stored })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn holds(&self, node: &str, sop_instance_uid: &str, sha256: &str) -> bool {
        self.stored.contains(&entry(node, sop_instance_uid, sha256))
    }

    pub(crate) fn record(&mut self, node: &str, sop_instance_uid: &str, sha256: &str) -> Result<()> {
        let entry = entry(node, sop_instance_uid, sha256);
        let written = self.file.write_all(format!("{entry}\n").as_bytes());
        written.map_err(|error| PacsError::file(&self.path, &error))?;
        self.stored.insert(entry);
        Ok(())
    }
}

fn entry(node: &str, sop_instance_uid: &str, sha256: &str) -> String {
    format!("{node},{sop_instance_uid},{sha256}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content_hash::hash_of;

    #[test]
    fn entries_are_remembered_by_node_object_and_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stored.csv");
        let (hash, other) = (hash_of(b"a"), hash_of(b"b"));
        let mut journal = StoreJournal::open(&path).unwrap();
        assert!(StoreJournal::open(&path).unwrap_err().to_string().contains("another program"));
        journal.record("PACS@h:104", "1.2", &hash).unwrap();
        drop(journal);
        // Half a line, as a killed program leaves it.
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("PACS@h:104,1.3,ab");
        std::fs::write(&path, &text).unwrap();
        let mut journal = StoreJournal::open(&path).unwrap();
        assert!(journal.holds("PACS@h:104", "1.2", &hash));
        for (node, uid, hash) in
            [("X@h:104", "1.2", &hash), ("PACS@h:104", "1.3", &hash), ("PACS@h:104", "1.2", &other)]
        {
            assert!(!journal.holds(node, uid, hash));
        }
        journal.record("PACS@h:104", "1.3", &other).unwrap();
        drop(journal);
        let journal = StoreJournal::open(&path).unwrap();
        assert!(journal.holds("PACS@h:104", "1.2", &hash) && journal.holds("PACS@h:104", "1.3", &other));
        drop(journal);
        for other in ["patient,risk\n1,0.5\n", "half a line of something else"] {
            std::fs::write(&path, other).unwrap();
            assert!(StoreJournal::open(&path).unwrap_err().to_string().contains("no journal"));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), other);
        }
    }
}
