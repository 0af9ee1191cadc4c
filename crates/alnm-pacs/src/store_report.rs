//! What became of objects that were to be stored.

use std::path::PathBuf;

use serde::Serialize;

use crate::stored_objects::LocalObject;

/// An object that was not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FailedStore {
    /// Its file.
    pub path: PathBuf,
    /// `SOPInstanceUID`.
    pub sop_instance_uid: String,
    /// Why, in the words of the standard, with the code.
    pub reason: String,
}

/// The result of storing: which objects were stored, were there already, or failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StoreReport {
    /// Objects that the other side confirmed one by one.
    pub stored: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that were there already and were not sent.
    pub already_there: usize,
    /// Objects that were not stored.
    pub failed: Vec<FailedStore>,
    /// What was odd: objects that were stored with a warning.
    pub warnings: Vec<String>,
}

impl StoreReport {
    /// Whether the other side has all objects.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty()
    }

    pub(crate) fn fail(&mut self, object: &LocalObject, reason: impl Into<String>) {
        self.failed.push(FailedStore {
            path: object.path.clone(),
            sop_instance_uid: object.identity.sop_instance_uid.clone(),
            reason: reason.into(),
        });
    }

    pub(crate) fn confirm(&mut self, object: &LocalObject) {
        self.stored += 1;
        self.bytes += object.bytes;
    }
}

/// What a status of the storage service means (PS3.4 table B.2-1, PS3.7 annex C, PS3.18 table I.2-2), with its code.
pub(crate) fn meaning_of_status(status: u16) -> String {
    let words = match status {
        0x0000 => "success",
        0x0110 => "processing failure",
        0x0111 => "an object of this identifier is there already",
        0x0112 => "no such object",
        0x0117 => "invalid identifier of the object",
        0x0122 => "kind of object (SOP class) not supported",
        0x0124 => "not authorised",
        0x0210 => "duplicate invocation",
        0x0211 => "unrecognised operation",
        0x0212 => "mistyped argument",
        0x0213 => "resource limitation",
        0xa700..=0xa7ff => "out of resources, perhaps a full disk of the server",
        0xa900..=0xa9ff => "the data set does not match the kind of object (SOP class)",
        0xb000 => "coerced: attributes were changed",
        0xb006 => "elements were discarded",
        0xb007 => "the data set does not match the kind of object (SOP class)",
        0xc122 => "transfer syntax not supported",
        0xc000..=0xcfff => "cannot be understood, or was refused by the server",
        _ => "unknown status",
    };
    format!("{words} ({status:04X})")
}

/// Whether an object with this status was stored.
pub(crate) fn is_stored(status: u16) -> bool {
    status == 0 || is_warning(status)
}

/// Whether a status is a warning (PS3.7 annex C.3).
pub(crate) fn is_warning(status: u16) -> bool {
    matches!(status, 0x0001 | 0x0107 | 0x0116 | 0xb000..=0xbfff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_words_of_the_standard() {
        assert!(is_stored(0) && is_stored(0xb000) && is_warning(0xb007) && !is_warning(0));
        assert!(![0x0110, 0x0122, 0xa700, 0xa900, 0xc000, 0xfe00].into_iter().any(is_stored));
        assert_eq!(meaning_of_status(0xa702), "out of resources, perhaps a full disk of the server (A702)");
        assert!(meaning_of_status(0xc122).starts_with("transfer syntax"));
    }
}
