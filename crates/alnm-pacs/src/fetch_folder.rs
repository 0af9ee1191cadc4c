//! A folder that objects are fetched into, which remembers what it holds.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use alnm_imaging::file::remove_unfinished;

use crate::content_hash::{hash_of_file, is_hash};
use crate::error::{PacsError, Result};

/// The file with what the folder holds.
const LIST: &str = "fetched.csv";
const HEADER: &str = "StudyInstanceUID,SeriesInstanceUID,SOPInstanceUID,bytes,sha256\n";

/// A folder that objects are fetched into: `STUDY/SERIES/OBJECT.dcm`, by their identifiers.
///
/// Its file `fetched.csv` names each object that arrived as a whole, with its bytes and their SHA-256. An object that
/// is listed there and whose file still has this content is not fetched again; one whose file was changed or damaged
/// is. One program at a time may fill a folder.
#[derive(Debug)]
pub struct FetchFolder {
    path: PathBuf,
    list: File,
    /// By identifier of the object.
    listed: BTreeMap<String, Content>,
}

/// What a file has to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// What lies where an object belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnDisk {
    Nothing,
    /// The object, as it arrived.
    Whole,
    /// A file that is not what arrived, or that nobody listed.
    Other,
}

/// An object by its identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) study: &'a str,
    pub(crate) series: &'a str,
    pub(crate) instance: &'a str,
}

impl FetchFolder {
    /// Opens a folder, which is made where it does not exist, and keeps other programs from filling it.
    ///
    /// # Errors
    /// [`PacsError::File`] when it cannot be made or written to, when another program fills it, or when its
    /// `fetched.csv` is no such list.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(|error| PacsError::file(&path, &error))?;
        let list_path = path.join(LIST);
        let failed = |error: io::Error| PacsError::file(&list_path, &error);
        let mut list =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&list_path).map_err(failed)?;
        if list.try_lock().is_err() {
            let problem = "another program is filling this folder; wait for it, or name another folder".to_owned();
            return Err(PacsError::File { path, problem });
        }
        let mut text = String::new();
        let _: usize = list.read_to_string(&mut text).map_err(failed)?;
        // A line without an end was being written when its program was killed.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let lines = match text[..whole].strip_prefix(HEADER) {
            Some(lines) => lines,
            None if whole == 0 && HEADER.starts_with(&text) => "",
            None => {
                let problem = "is no list of fetched objects; name another folder".to_owned();
                return Err(PacsError::File { path: list_path, problem });
            }
        };
        let listed = lines.lines().filter_map(listed_in).collect();
        list.set_len(whole as u64).map_err(failed)?;
        list.seek(SeekFrom::End(0)).map_err(failed)?;
        if whole == 0 {
            list.write_all(HEADER.as_bytes()).map_err(failed)?;
        }
        Ok(Self { path, list, listed })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of a series, whether it is there or not.
    #[must_use]
    pub fn series_folder(&self, study_instance_uid: &str, series_instance_uid: &str) -> PathBuf {
        self.path.join(study_instance_uid).join(series_instance_uid)
    }

    pub(crate) fn path_of(&self, place: Place<'_>) -> PathBuf {
        self.series_folder(place.study, place.series).join(format!("{}.dcm", place.instance))
    }

    /// Makes the folder of a series, and removes from it what programs that were killed left unfinished.
    pub(crate) fn prepare(&self, study: &str, series: &str) -> Result<()> {
        let folder = self.series_folder(study, series);
        let prepared = fs::create_dir_all(&folder).and_then(|()| remove_unfinished(&folder, Duration::ZERO));
        prepared.map(drop).map_err(|error| PacsError::file(&folder, &error))
    }

    /// What lies where an object belongs.
    pub(crate) fn on_disk(&self, place: Place<'_>) -> Result<OnDisk> {
        let path = self.path_of(place);
        let Ok(found) = fs::metadata(&path) else { return Ok(OnDisk::Nothing) };
        let Some(listed) = self.listed.get(place.instance).filter(|listed| listed.bytes == found.len()) else {
            return Ok(OnDisk::Other);
        };
        let sha256 = hash_of_file(&path).map_err(|error| PacsError::file(&path, &error))?;
        Ok(if sha256 == listed.sha256 { OnDisk::Whole } else { OnDisk::Other })
    }

    /// Lists an object whose file is complete.
    pub(crate) fn record(&mut self, place: Place<'_>, content: Content) -> Result<()> {
        let Place { study, series, instance } = place;
        let line = format!("{study},{series},{instance},{},{}\n", content.bytes, content.sha256);
        let written = self.list.write_all(line.as_bytes());
        written.map_err(|error| PacsError::file(self.path.join(LIST), &error))?;
        self.listed.insert(instance.to_owned(), content);
        Ok(())
    }
}

/// A line of the list; none where it is damaged, so that its object is fetched again.
fn listed_in(line: &str) -> Option<(String, Content)> {
    let [_, _, instance, bytes, sha256] = line.split(',').collect::<Vec<_>>().try_into().ok()?;
    let content = Content { bytes: bytes.parse().ok()?, sha256: sha256.to_owned() };
    is_hash(sha256).then(|| (instance.to_owned(), content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content_hash::hash_of;

    const PLACE: Place<'_> = Place { study: "1.2", series: "1.3", instance: "1.4" };

    fn content(bytes: &[u8]) -> Content {
        Content { bytes: bytes.len() as u64, sha256: hash_of(bytes) }
    }

    #[test]
    fn what_is_listed_and_unchanged_is_whole() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("images");
        let mut folder = FetchFolder::open(&path).unwrap();
        folder.prepare("1.2", "1.3").unwrap();
        assert_eq!(folder.on_disk(PLACE).unwrap(), OnDisk::Nothing);
        fs::write(folder.path_of(PLACE), b"object").unwrap();
        assert_eq!(folder.on_disk(PLACE).unwrap(), OnDisk::Other);
        folder.record(PLACE, content(b"object")).unwrap();
        assert_eq!(folder.on_disk(PLACE).unwrap(), OnDisk::Whole);
        drop(folder);
        let folder = FetchFolder::open(&path).unwrap();
        assert_eq!(folder.on_disk(PLACE).unwrap(), OnDisk::Whole);
        for changed in [&b"objecu"[..], b"obj", b""] {
            fs::write(folder.path_of(PLACE), changed).unwrap();
            assert_eq!(folder.on_disk(PLACE).unwrap(), OnDisk::Other);
        }
    }

    #[test]
    fn a_list_that_was_cut_or_damaged_loses_what_was_damaged() {
        let parent = tempfile::tempdir().unwrap();
        let list = parent.path().join(LIST);
        let mut folder = FetchFolder::open(parent.path()).unwrap();
        folder.record(PLACE, content(b"object")).unwrap();
        folder.record(Place { instance: "1.5", ..PLACE }, content(b"other")).unwrap();
        drop(folder);
        let text = fs::read_to_string(&list).unwrap();
        for length in 0..text.len() {
            fs::write(&list, &text[..length]).unwrap();
            let mut folder = FetchFolder::open(parent.path()).unwrap();
            assert_eq!(folder.listed.len(), text[..length].matches('\n').count().saturating_sub(1), "{length}");
            folder.record(Place { instance: "1.6", ..PLACE }, content(b"third")).unwrap();
            drop(folder);
            assert!(FetchFolder::open(parent.path()).unwrap().listed.contains_key("1.6"));
        }
        fs::write(&list, text.replace(",6,", ",six,")).unwrap();
        assert_eq!(FetchFolder::open(parent.path()).unwrap().listed.len(), 1);
        for other in ["patient,risk\n1,0.5\n", "half a line of something else"] {
            fs::write(&list, other).unwrap();
            assert!(FetchFolder::open(parent.path()).unwrap_err().to_string().contains("no list of fetched objects"));
            assert_eq!(fs::read_to_string(&list).unwrap(), other);
        }
    }

    #[test]
    fn one_program_fills_a_folder() {
        let parent = tempfile::tempdir().unwrap();
        let first = FetchFolder::open(parent.path()).unwrap();
        assert!(FetchFolder::open(parent.path()).unwrap_err().to_string().contains("another program"));
        drop(first);
        assert!(FetchFolder::open(parent.path()).is_ok());
    }
}
