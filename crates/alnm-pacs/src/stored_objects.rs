//! The DICOM files of this machine that are to be stored elsewhere.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use alnm_imaging::dicom::ObjectIdentity;
use alnm_imaging::file::Source;

use crate::error::{PacsError, Result};
use crate::part10::FileMeta;

/// The storage of directories (`DICOMDIR`), which belong to a medium and not into a PACS.
const MEDIA_STORAGE_DIRECTORY: &str = "1.2.840.10008.1.3.10";

/// A DICOM file that can be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalObject {
    /// The file.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// The identifiers of its object.
    pub identity: ObjectIdentity,
    /// `TransferSyntaxUID`.
    pub transfer_syntax_uid: String,
    /// Bytes before the data set.
    pub(crate) meta_bytes: u64,
}

/// A file that cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnusableFile {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// DICOM files, each object once.
///
/// ```
/// use alnm_imaging::dicom::{Phase, SeriesAttributes, write_series};
/// use alnm_imaging::{Geometry, Volume};
/// use alnm_pacs::LocalObjects;
///
/// let folder = tempfile::tempdir()?;
/// let image = Phase::new(Volume::filled(Geometry::axis_aligned([8, 8, 3], [1.0; 3])?, 100_u16), 0.0);
/// write_series(folder.path().join("series"), &[image], &SeriesAttributes::new("P001", "T1"))?;
/// std::fs::write(folder.path().join("notes.txt"), "no DICOM file")?;
///
/// let found = LocalObjects::find(&[folder.path()])?;
/// assert_eq!((found.objects.len(), found.foreign.len(), found.unusable.len()), (3, 1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalObjects {
    /// Those that can be stored, in the order of the files.
    pub objects: Vec<LocalObject>,
    /// Files of folders that are no DICOM objects: other files, and directories of media.
    pub foreign: Vec<PathBuf>,
    /// DICOM files that cannot be stored.
    pub unusable: Vec<UnusableFile>,
    /// Files with an object that an earlier file has already, byte for byte.
    pub duplicates: Vec<PathBuf>,
}

impl LocalObjects {
    /// Finds the DICOM files among files and below folders.
    ///
    /// # Errors
    /// [`PacsError::Imaging`] when a folder cannot be read, [`PacsError::File`] when a file that was named by itself is
    /// no DICOM file or is absent.
    pub fn find<P: AsRef<Path>>(paths: &[P]) -> Result<Self> {
        let mut found = Self::default();
        let mut by_uid = BTreeMap::new();
        for path in paths.iter().map(AsRef::as_ref) {
            let kind = std::fs::metadata(path).map_err(|error| PacsError::file(path, &error))?;
            if kind.is_dir() {
                for file in Source::open(path)?.files()? {
                    if !found.take(&file, &mut by_uid) {
                        found.foreign.push(file);
                    }
                }
            } else if !found.take(path, &mut by_uid) {
                let problem =
                    "the file is no DICOM object that can be stored; name DICOM files and folders of them".to_owned();
                return Err(PacsError::File { path: path.to_owned(), problem });
            }
        }
        Ok(found)
    }

    /// Takes a file in; whether it is a DICOM object, be it usable or not.
    fn take(&mut self, path: &Path, by_uid: &mut BTreeMap<String, PathBuf>) -> bool {
        match object_of(path) {
            Ok(None) => return false,
            Ok(Some(object)) => match by_uid.get(&object.identity.sop_instance_uid) {
                None => {
                    by_uid.insert(object.identity.sop_instance_uid.clone(), path.to_owned());
                    self.objects.push(object);
                }
                Some(first) if have_equal_content(first, path) => self.duplicates.push(path.to_owned()),
                Some(first) => {
                    let reason = format!(
                        "has the SOPInstanceUID {} of {}, and another content; give it an identifier of its own",
                        object.identity.sop_instance_uid,
                        first.display()
                    );
                    self.unusable.push(UnusableFile { path: path.to_owned(), reason });
                }
            },
            Err(reason) => self.unusable.push(UnusableFile { path: path.to_owned(), reason }),
        }
        true
    }
}

/// The object of a file; none for what is no DICOM file.
fn object_of(path: &Path) -> Result<Option<LocalObject>, String> {
    let Some(identity) = ObjectIdentity::of_file(path).map_or_else(unless_foreign, Ok)? else { return Ok(None) };
    let (meta, bytes) = File::open(path)
        .and_then(|file| {
            let bytes = file.metadata()?.len();
            Ok((FileMeta::read(&mut BufReader::new(file))?, bytes))
        })
        .map_err(|error| error.to_string())?;
    let FileMeta { sop_class_uid, sop_instance_uid, transfer_syntax_uid, bytes: meta_bytes } = meta;
    for (name, of_meta, of_data) in [
        ("SOPClassUID", &sop_class_uid, &identity.sop_class_uid),
        ("SOPInstanceUID", &sop_instance_uid, &identity.sop_instance_uid),
    ] {
        if of_meta != of_data {
            return Err(format!("has the {name} {of_data} and says {of_meta} in its meta group; write it anew"));
        }
    }
    let meta_bytes = meta_bytes.len() as u64;
    Ok(Some(LocalObject { path: path.to_owned(), bytes, identity, transfer_syntax_uid, meta_bytes }))
}

/// What cannot be identified is unusable, but for the directory of a medium, which identifies no study.
fn unless_foreign(error: alnm_imaging::ImagingError) -> Result<Option<ObjectIdentity>, String> {
    let alnm_imaging::ImagingError::File { path, problem } = &error else { return Err(error.to_string()) };
    let meta = File::open(path).and_then(|file| FileMeta::read(&mut BufReader::new(file)));
    match meta {
        Ok(meta) if meta.sop_class_uid == MEDIA_STORAGE_DIRECTORY => Ok(None),
        _ => Err(problem.to_string()),
    }
}

fn have_equal_content(first: &Path, second: &Path) -> bool {
    let hash = crate::content_hash::hash_of_file;
    matches!((hash(first), hash(second)), (Ok(first), Ok(second)) if first == second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects_of_tests::part10;

    #[test]
    fn files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| std::fs::write(folder.path().join(name), content).unwrap();
        write("a.dcm", &part10("1.5", "1.6", "1.7", 9));
        write("b-copy.dcm", &part10("1.5", "1.6", "1.7", 9));
        write("c-other.dcm", &part10("1.5", "1.6", "1.7", 12));
        write("d.dcm", &part10("1.5", "1.6", "1.8", 9));
        let mut contradicting = part10("1.5", "1.6", "1.9", 9);
        let at = contradicting.windows(3).position(|bytes| bytes == b"1.9").unwrap();
        contradicting[at + 2] = b'4';
        write("e-meta.dcm", &contradicting);
        write("f-cut.dcm", &part10("1.5", "1.6", "1.7", 9)[..200]);
        write("notes.txt", b"text");
        let mut directory = part10("1.5", "", "1.7", 0);
        let class = directory.windows(4).position(|bytes| bytes == b"1.2.").unwrap();
        let value = format!("{MEDIA_STORAGE_DIRECTORY}\0\0\0\0\0\0");
        directory[class..class + value.len()].copy_from_slice(value.as_bytes());
        write("DICOMDIR", &directory);
        let found = LocalObjects::find(&[folder.path()]).unwrap();
        let names = |paths: &[&PathBuf]| -> Vec<String> {
            paths.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names(&found.objects.iter().map(|object| &object.path).collect::<Vec<_>>()), ["a.dcm", "d.dcm"]);
        assert_eq!(names(&found.duplicates.iter().collect::<Vec<_>>()), ["b-copy.dcm"]);
        assert_eq!(names(&found.foreign.iter().collect::<Vec<_>>()), ["DICOMDIR", "notes.txt"]);
        let unusable: Vec<&PathBuf> = found.unusable.iter().map(|file| &file.path).collect();
        assert_eq!(names(&unusable), ["c-other.dcm", "e-meta.dcm", "f-cut.dcm"]);
        assert!(found.unusable[0].reason.contains("another content"));
        assert!(found.unusable[1].reason.contains("in its meta group"));
        assert!(LocalObjects::find(&[folder.path().join("notes.txt")]).is_err());
        assert!(LocalObjects::find(&[folder.path().join("absent")]).is_err());
        assert_eq!(LocalObjects::find(&[folder.path().join("a.dcm")]).unwrap().objects.len(), 1);
    }
}
