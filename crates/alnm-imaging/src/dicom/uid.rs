//! Unique identifiers.

use sha2::{Digest, Sha256};

/// Root of identifiers made from a UUID (PS3.5 B.2).
const UUID_ROOT: &str = "2.25";

/// Most characters of an identifier (PS3.5 6.2).
const LONGEST: usize = 64;

/// Whether a text is a unique identifier (PS3.5, section 9.1): numbers between dots, 64 characters at most. Numbers
/// that begin with a zero are let pass, as others do. Such a text is safe as the name of a file.
///
/// ```
/// use alnm_imaging::dicom::is_uid;
/// assert!(is_uid("1.2.840.10008.1.2.1"));
/// assert!(!is_uid("1..2") && !is_uid("../1"));
/// ```
#[must_use]
pub fn is_uid(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= LONGEST && text.split('.').all(is_number)
}

/// A unique identifier derived from names: the same names give the same identifier, others another.
///
/// It is `2.25.` followed by a UUID of version 8 made of the first bits of the names' SHA-256.
///
/// ```
/// use alnm_imaging::dicom::uid_from;
/// assert_eq!(uid_from(&["P001", "DCE"]), uid_from(&["P001", "DCE"]));
/// assert_ne!(uid_from(&["P001", "DCE"]), uid_from(&["P001D", "CE"]));
/// ```
#[must_use]
pub fn uid_from(names: &[&str]) -> String {
    let mut hash = Sha256::new();
    for name in names {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
    }
    let digest = hash.finalize();
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&digest[..16]);
    uuid[6] = uuid[6] & 0x0f | 0x80;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    format!("{UUID_ROOT}.{}", u128::from_be_bytes(uuid))
}
