//! The beginning of a DICOM file (PS3.10): which object it holds, and how it is written.

use std::io::{self, ErrorKind, Read};

use alnm_imaging::dicom::is_uid;

/// Bytes of the preamble and of the letters behind it.
const PREAMBLE_BYTES: usize = 132;

/// The most bytes of a meta group; usual ones have some hundred.
const MOST_META_BYTES: usize = 1 << 16;

const MEDIA_STORAGE_SOP_CLASS_UID: u32 = 0x0002_0002;
const MEDIA_STORAGE_SOP_INSTANCE_UID: u32 = 0x0002_0003;
const TRANSFER_SYNTAX_UID: u32 = 0x0002_0010;

/// What a file says of itself before its data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileMeta {
    pub(crate) sop_class_uid: String,
    pub(crate) sop_instance_uid: String,
    pub(crate) transfer_syntax_uid: String,
    /// All bytes up to the data set.
    pub(crate) bytes: Vec<u8>,
}

impl FileMeta {
    /// Reads preamble and meta group; what follows is the data set. The group is as long as its first element says.
    ///
    /// # Errors
    /// Those of the source, and [`ErrorKind::InvalidData`] when it ends too early, is no DICOM file with a preamble, or
    /// names no object.
    pub(crate) fn read(source: &mut impl Read) -> io::Result<Self> {
        let mut bytes = Vec::new();
        take(source, PREAMBLE_BYTES, &mut bytes)?;
        if bytes[128..] != *b"DICM" {
            return Err(damaged("is no DICOM file: DICM is missing behind 128 bytes"));
        }
        // (0002,0000) UL with the bytes of the group behind it.
        let length_at = bytes.len();
        take(source, 12, &mut bytes)?;
        let Some(length) = bytes[length_at..].strip_prefix(b"\x02\0\0\0UL\x04\0") else {
            return Err(damaged("has a meta group that does not begin with its length"));
        };
        let length = number(length);
        if length > MOST_META_BYTES {
            return Err(damaged(format!("announces {length} bytes of meta group; {MOST_META_BYTES} at most")));
        }
        let start = bytes.len();
        take(source, length, &mut bytes)?;
        let find = |wanted: u32, name: &str| {
            let uid = element(&bytes[start..], wanted).ok_or_else(|| damaged(format!("has no {name}")))?;
            let uid = String::from_utf8_lossy(uid).trim_end_matches(['\0', ' ']).to_owned();
            if is_uid(&uid) { Ok(uid) } else { Err(damaged(format!("has the {name} {uid:?}, which is no identifier"))) }
        };
        let sop_class_uid = find(MEDIA_STORAGE_SOP_CLASS_UID, "MediaStorageSOPClassUID")?;
        let sop_instance_uid = find(MEDIA_STORAGE_SOP_INSTANCE_UID, "MediaStorageSOPInstanceUID")?;
        let transfer_syntax_uid = find(TRANSFER_SYNTAX_UID, "TransferSyntaxUID")?;
        Ok(Self { sop_class_uid, sop_instance_uid, transfer_syntax_uid, bytes })
    }
}

/// The value of an element of a group in explicit little endian.
fn element(mut group: &[u8], wanted: u32) -> Option<&[u8]> {
    while let [g0, g1, e0, e1, vr0, vr1, rest @ ..] = group {
        let tag = u32::from(u16::from_le_bytes([*g0, *g1])) << 16 | u32::from(u16::from_le_bytes([*e0, *e1]));
        let (length, value) = match (&[*vr0, *vr1], rest) {
            (b"OB" | b"OW" | b"UN" | b"SQ" | b"UT", [_, _, length @ ..]) => {
                (number(length.get(..4)?), length.get(4..)?)
            }
            (_, [low, high, value @ ..]) => (usize::from(u16::from_le_bytes([*low, *high])), value),
            _ => return None,
        };
        let (value, behind) = value.split_at_checked(length)?;
        if tag == wanted {
            return Some(value);
        }
        group = behind;
    }
    None
}

fn number(bytes: &[u8]) -> usize {
    bytes.first_chunk().map_or(usize::MAX, |bytes| u32::from_le_bytes(*bytes) as usize)
}

/// Reads exactly so many bytes; the caller has bounded them.
fn take(source: &mut impl Read, count: usize, into: &mut Vec<u8>) -> io::Result<()> {
    let read = source.take(count as u64).read_to_end(into)?;
    if read == count { Ok(()) } else { Err(damaged("ends inside its meta group")) }
}

fn damaged(what: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::objects_of_tests::part10;

    #[test]
    fn identifiers_and_the_place_of_the_data_set_are_found() {
        let file = part10("1.2.5", "1.2.6", "1.2.7", 50);
        let mut source = file.as_slice();
        let meta = FileMeta::read(&mut source).unwrap();
        assert_eq!(
            (meta.sop_instance_uid.as_str(), meta.transfer_syntax_uid.as_str()),
            ("1.2.7", "1.2.840.10008.1.2.1")
        );
        assert_eq!([&meta.bytes, source].concat(), file);
        for length in 0..meta.bytes.len() {
            assert_eq!(FileMeta::read(&mut &file[..length]).unwrap_err().kind(), ErrorKind::InvalidData);
        }
    }

    #[test]
    fn other_files_and_huge_lengths_are_refused() {
        let refused = |bytes: &[u8], words: &str| {
            let error = FileMeta::read(&mut &bytes[..]).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        refused(&[0; 200], "DICM is missing");
        let mut file = part10("1.2.5", "1.2.6", "1.2.7", 0);
        file[140..144].copy_from_slice(&u32::MAX.to_le_bytes());
        refused(&file, "announces 4294967295 bytes");
        file[134] = 1;
        refused(&file, "does not begin with its length");
        let mut file = part10("1.2.5", "1.2.6", "1.2.7", 0);
        let at = file.windows(5).position(|bytes| bytes == b"1.2.7").unwrap();
        file[at + 3] = b'/';
        refused(&file, "no identifier");
    }

    proptest! {
        #[test]
        fn damaged_beginnings_give_identifiers_or_an_error(at in 0_usize..300, byte in any::<u8>()) {
            let mut file = part10("1.2.5", "1.2.6", "1.2.7", 50);
            let length = file.len();
            file[at % length] = byte;
            if let Ok(meta) = FileMeta::read(&mut file.as_slice()) {
                prop_assert!(is_uid(&meta.sop_instance_uid));
            }
        }
    }
}
