//! What identifies the object in a DICOM file.

use std::path::Path;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::attributes::text;
use super::problem::malformed;
use super::stored_file::open_until;
use super::uid::is_uid;
use crate::error::{FileProblem, Result};

/// The first element behind those that identify an object: the study (0020,000D) and the series (0020,000E).
const BEHIND_IDENTIFIERS: Tag = Tag(0x0020, 0x000f);

/// The identifiers of the object in a DICOM file, whatever its kind: an image, a segmentation, a report.
///
/// ```
/// use alnm_imaging::dicom::{ObjectIdentity, Phase, SeriesAttributes, write_series};
/// use alnm_imaging::file::Source;
/// use alnm_imaging::{Geometry, Volume};
///
/// let folder = tempfile::tempdir()?;
/// let image = Phase::new(Volume::filled(Geometry::axis_aligned([8, 8, 2], [1.0; 3])?, 100_u16), 0.0);
/// write_series(folder.path(), &[image], &SeriesAttributes::new("P001", "T1"))?;
///
/// let files = Source::open(folder.path())?.files()?;
/// let first = ObjectIdentity::of_file(&files[0])?.ok_or("no DICOM file")?;
/// let second = ObjectIdentity::of_file(&files[1])?.ok_or("no DICOM file")?;
/// assert_eq!(first.series_instance_uid, second.series_instance_uid);
/// assert_ne!(first.sop_instance_uid, second.sop_instance_uid);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectIdentity {
    /// `SOPClassUID` (0008,0016): the kind of the object.
    pub sop_class_uid: String,
    /// `SOPInstanceUID` (0008,0018): the object.
    pub sop_instance_uid: String,
    /// `StudyInstanceUID` (0020,000D).
    pub study_instance_uid: String,
    /// `SeriesInstanceUID` (0020,000E).
    pub series_instance_uid: String,
}

impl ObjectIdentity {
    /// Reads the identifiers of a file, and no more of it than lies before them; none when it is no DICOM file.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when the file cannot be read or is malformed, or an identifier is absent or none.
    pub fn of_file(path: impl AsRef<Path>) -> Result<Option<Self>> {
        let path = path.as_ref();
        Self::read(path).map_err(|problem| problem.at(path))
    }

    fn read(path: &Path) -> Result<Option<Self>, FileProblem> {
        let Some(header) = open_until(path, BEHIND_IDENTIFIERS)? else { return Ok(None) };
        let uid = |tag, name: &str| {
            let uid = text(&header, tag).ok_or_else(|| malformed(format!("{name} is missing")))?;
            if is_uid(&uid) { Ok(uid) } else { Err(malformed(format!("{name} is {uid:?}, which is no identifier"))) }
        };
        Ok(Some(Self {
            sop_class_uid: uid(tags::SOP_CLASS_UID, "SOPClassUID")?,
            sop_instance_uid: uid(tags::SOP_INSTANCE_UID, "SOPInstanceUID")?,
            study_instance_uid: uid(tags::STUDY_INSTANCE_UID, "StudyInstanceUID")?,
            series_instance_uid: uid(tags::SERIES_INSTANCE_UID, "SeriesInstanceUID")?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(elements: &[(Tag, &str)]) -> Vec<u8> {
        let mut bytes = vec![0; 128];
        bytes.extend_from_slice(b"DICM");
        let mut put = |tag: Tag, value: &str| {
            let value = format!("{value}{}", if value.len() % 2 == 1 { "\0" } else { "" });
            bytes.extend_from_slice(&tag.group().to_le_bytes());
            bytes.extend_from_slice(&tag.element().to_le_bytes());
            bytes.extend_from_slice(b"UI");
            bytes.extend_from_slice(&(value.len() as u16).to_le_bytes());
            bytes.extend_from_slice(value.as_bytes());
        };
        put(tags::TRANSFER_SYNTAX_UID, "1.2.840.10008.1.2.1");
        elements.iter().for_each(|&(tag, value)| put(tag, value));
        bytes
    }

    const WHOLE: [(Tag, &str); 4] = [
        (tags::SOP_CLASS_UID, "1.2.3"),
        (tags::SOP_INSTANCE_UID, "1.2.4"),
        (tags::STUDY_INSTANCE_UID, "1.2.5"),
        (tags::SERIES_INSTANCE_UID, "1.2.6"),
    ];

    fn identity_of(bytes: &[u8]) -> Result<Option<ObjectIdentity>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("object.dcm");
        std::fs::write(&path, bytes).unwrap();
        ObjectIdentity::of_file(path)
    }

    #[test]
    fn what_lies_behind_the_identifiers_is_not_read() {
        // The last element announces a gigabyte that is not there.
        let mut bytes = file(&WHOLE);
        bytes.extend_from_slice(b"\xe0\x7f\x10\0OW\0\0\0\0\0\x40");
        let identity = identity_of(&bytes).unwrap().unwrap();
        let found = [
            identity.sop_class_uid,
            identity.sop_instance_uid,
            identity.study_instance_uid,
            identity.series_instance_uid,
        ];
        assert_eq!(found, WHOLE.map(|(_, uid)| uid));
    }

    #[test]
    fn files_without_identifiers_are_refused_and_other_files_are_none() {
        assert_eq!(identity_of(b"a text").unwrap(), None);
        assert_eq!(identity_of(b"").unwrap(), None);
        for absent in 0..WHOLE.len() {
            let mut elements = WHOLE.to_vec();
            elements.remove(absent);
            assert!(identity_of(&file(&elements)).unwrap_err().to_string().contains("is missing"));
        }
        let mut elements = WHOLE;
        elements[1].1 = "../../etc";
        assert!(identity_of(&file(&elements)).unwrap_err().to_string().contains("no identifier"));
        let whole = file(&WHOLE);
        for length in 133..whole.len() {
            assert!(identity_of(&whole[..length]).is_err(), "{length}");
        }
    }
}
