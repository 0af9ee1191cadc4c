//! Files of fitted values with a hash over their content, so that damage is detected.
//!
//! A saved value stands in a JSON envelope:
//!
//! ```text
//! {
//!   "format": "alnm-signature",
//!   "version": 1,
//!   "sha256": "5f1c…",
//!   "value": { … }
//! }
//! ```
//!
//! `format` and `version` say what the value is. `sha256` is the SHA-256, in lower-case hexadecimal digits, of the
//! compact JSON text of `{"format": …, "version": …, "value": …}`, with the members of the value in the order in which
//! this library writes them and every number in the shortest form that reads back as the same number.
//!
//! Reading takes the value out of the text, which checks its structure, writes it again in that one form and compares
//! the hash. White space and the order of members therefore do not matter. Everything else does: a file in which a
//! number, a name or the length of a list was changed is refused with a sentence that says so, and never gives another
//! result. The hash guards against accidents; somebody who wants to deceive can compute a new one.
//!
//! ```
//! use alnm_selection::saved::{SavedError, SavedFormat};
//!
//! const CUTOFFS: SavedFormat = SavedFormat::new("my-cutoffs", 1, "list of cutoffs");
//! let text = CUTOFFS.to_json(&vec![0.25, 0.5])?;
//! assert_eq!(CUTOFFS.from_json::<Vec<f64>>(&text)?, [0.25, 0.5]);
//!
//! let edited = text.replace("0.25", "0.35");
//! let refused = CUTOFFS.from_json::<Vec<f64>>(&edited).unwrap_err();
//! assert!(refused.to_string().ends_with(
//!     "the file was damaged or edited after it was saved; save the list of cutoffs again"
//! ));
//! # Ok::<(), SavedError>(())
//! ```

use std::fmt::Write;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// A kind of saved file: its name and version, and the noun that error messages use for the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedFormat {
    name: &'static str,
    version: u32,
    noun: &'static str,
}

/// Why a value could not be saved or a saved file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SavedError {
    /// The text is not JSON at all, for instance because its end is missing.
    #[error("the file is not valid JSON ({reason}); it was damaged or is no saved {noun}")]
    NotJson {
        /// What kind of value was expected.
        noun: &'static str,
        /// What the JSON reader says, with line and column.
        reason: String,
    },
    /// The text is JSON, but not an envelope.
    #[error(
        "the file is not a saved {noun} ({reason}); a saved {noun} is a JSON object with the members \"format\", \
         \"version\", \"sha256\" and \"value\""
    )]
    NotSaved {
        /// What kind of value was expected.
        noun: &'static str,
        /// What the JSON reader says, with line and column.
        reason: String,
    },
    /// The file holds something else.
    #[error("the format of the file is {found:?}; that of a saved {noun} is {expected:?}")]
    OtherFormat {
        /// What kind of value was expected.
        noun: &'static str,
        /// The format that the file names.
        found: String,
        /// The format that was expected.
        expected: &'static str,
    },
    /// The file was written by a version of the library that writes the value in another way.
    #[error(
        "the version of the saved {noun} is {found}; this library reads version {expected}, so save the {noun} again"
    )]
    OtherVersion {
        /// What kind of value was expected.
        noun: &'static str,
        /// The version that the file names.
        found: u32,
        /// The version that is read.
        expected: u32,
    },
    /// The value lacks a part, has a part too many, or cannot be the result of a computation.
    #[error("the saved {noun} cannot be read: {reason}; the file was damaged or edited, so save the {noun} again")]
    Structure {
        /// What kind of value was expected.
        noun: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The hash in the file is not that of its content.
    #[error(
        "the SHA-256 in the file is {stated:?} and that of its content {computed:?}; the file was damaged or edited \
         after it was saved; save the {noun} again"
    )]
    Hash {
        /// What kind of value was expected.
        noun: &'static str,
        /// The hash that the file names.
        stated: String,
        /// The hash of the content.
        computed: String,
    },
    /// The value cannot be written so that reading gives it back, for instance because a number is not finite.
    #[error("the {noun} cannot be saved: {reason}; JSON has no numbers that are infinite or not a number")]
    Unwritable {
        /// What kind of value it is.
        noun: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// What the hash is taken over.
#[derive(Serialize)]
struct Content<'a, T> {
    format: &'a str,
    version: u32,
    value: &'a T,
}

/// The file as it is written.
#[derive(Serialize)]
struct Written<'a, T> {
    format: &'a str,
    version: u32,
    sha256: &'a str,
    value: &'a T,
}

/// The file as it is looked at first, when it may be anything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    version: u32,
    sha256: String,
    #[serde(rename = "value")]
    _value: IgnoredAny,
}

/// The value in the file.
#[derive(Deserialize)]
struct Body<T> {
    value: T,
}

impl SavedFormat {
    /// A format by its name (`"alnm-signature"`), the version that is written and read, and the noun that error
    /// messages use for the value (`"signature"`).
    #[must_use]
    pub const fn new(name: &'static str, version: u32, noun: &'static str) -> Self {
        Self { name, version, noun }
    }

    /// Name of the format, as the file states it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Version of the format that is written and read.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// What error messages call the value.
    #[must_use]
    pub const fn noun(&self) -> &'static str {
        self.noun
    }

    /// The value in its envelope, as indented JSON.
    ///
    /// # Errors
    /// [`SavedError::Unwritable`] when reading the text would not give the same value back: a number is infinite or not
    /// a number, or the value does not satisfy what reading checks.
    pub fn to_json<T: Serialize + DeserializeOwned>(&self, value: &T) -> Result<String, SavedError> {
        let unwritable = |reason: String| SavedError::Unwritable { noun: self.noun, reason };
        let sha256 = self.hash(value)?;
        let written = Written { format: self.name, version: self.version, sha256: &sha256, value };
        let text = serde_json::to_string_pretty(&written).map_err(|e| unwritable(e.to_string()))?;
        match self.from_json::<T>(&text) {
            Ok(_) => Ok(text),
            Err(SavedError::Structure { reason, .. }) => Err(unwritable(reason)),
            Err(other) => Err(unwritable(other.to_string())),
        }
    }

    /// The value of an envelope.
    ///
    /// # Errors
    /// [`SavedError::NotJson`], [`SavedError::NotSaved`], [`SavedError::OtherFormat`], [`SavedError::OtherVersion`],
    /// [`SavedError::Structure`] when the value itself is refused, and [`SavedError::Hash`] when it is not what was
    /// saved.
    pub fn from_json<T: Serialize + DeserializeOwned>(&self, text: &str) -> Result<T, SavedError> {
        let noun = self.noun;
        let header: Header = serde_json::from_str(text).map_err(|e| {
            let reason = e.to_string();
            if e.is_data() { SavedError::NotSaved { noun, reason } } else { SavedError::NotJson { noun, reason } }
        })?;
        if header.format != self.name {
            return Err(SavedError::OtherFormat { noun, found: header.format, expected: self.name });
        }
        if header.version != self.version {
            return Err(SavedError::OtherVersion { noun, found: header.version, expected: self.version });
        }
        let Body { value } =
            serde_json::from_str(text).map_err(|e| SavedError::Structure { noun, reason: e.to_string() })?;
        let computed = self.hash(&value)?;
        if computed != header.sha256 {
            return Err(SavedError::Hash { noun, stated: header.sha256, computed });
        }
        Ok(value)
    }

    fn hash<T: Serialize>(&self, value: &T) -> Result<String, SavedError> {
        let content = Content { format: self.name, version: self.version, value };
        let text = serde_json::to_vec(&content)
            .map_err(|e| SavedError::Unwritable { noun: self.noun, reason: e.to_string() })?;
        Ok(Sha256::digest(&text).iter().fold(String::with_capacity(64), |mut digits, byte| {
            // Writing to a string cannot fail.
            let _ = write!(digits, "{byte:02x}");
            digits
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const LIST: SavedFormat = SavedFormat::new("test-list", 2, "list");

    fn refusal(text: &str) -> String {
        LIST.from_json::<Vec<f64>>(text).expect_err("a damaged file").to_string()
    }

    #[test]
    fn white_space_and_the_order_of_members_do_not_matter() {
        let saved = SavedFormat::new("test-map", 1, "map");
        let value = BTreeMap::from([("a".to_owned(), 0.1), ("b".to_owned(), -2e-300)]);
        let text = saved.to_json(&value).expect("finite numbers");
        let sha256 = text.split('"').nth(9).expect("the hash");
        let turned = format!(
            "{{\"value\":{{\"b\":-2.0e-300,\"a\":0.10}},\n\n\"sha256\":\"{sha256}\",\"version\":1,\"format\":\"test-map\"}}"
        );
        assert_eq!(saved.from_json::<BTreeMap<String, f64>>(&turned), Ok(value));
    }

    #[test]
    fn each_kind_of_damage_has_its_sentence() {
        let text = LIST.to_json(&vec![1.5, 2.5]).expect("finite numbers");
        assert_eq!(
            refusal(&text[..text.len() - 3]),
            "the file is not valid JSON (EOF while parsing a list at line 8 column 2); it was damaged or is no saved \
             list"
        );
        assert_eq!(
            refusal("[1.5, 2.5]"),
            "the file is not a saved list (invalid type: floating point `1.5`, expected a string at line 1 column 4); a \
             saved list is a JSON object with the members \"format\", \"version\", \"sha256\" and \"value\""
        );
        assert_eq!(
            refusal(&text.replace("test-list", "other")),
            "the format of the file is \"other\"; that of a saved list is \"test-list\""
        );
        assert_eq!(
            refusal(&text.replace("\"version\": 2", "\"version\": 7")),
            "the version of the saved list is 7; this library reads version 2, so save the list again"
        );
        assert_eq!(
            refusal(&text.replace("2.5", "null")),
            "the saved list cannot be read: invalid type: null, expected f64 at line 7 column 8; the file was damaged \
             or edited, so save the list again"
        );
        let edited = refusal(&text.replace("2.5", "2.6"));
        assert!(edited.starts_with("the SHA-256 in the file is \""), "{edited}");
        assert!(edited.ends_with("the file was damaged or edited after it was saved; save the list again"), "{edited}");
        assert!(refusal(&text.replace("\"version\"", "\"Version\"")).contains("unknown field `Version`"));
    }

    #[test]
    fn a_number_that_is_not_finite_is_not_saved() {
        let refused = LIST.to_json(&vec![1.0, f64::NAN]).expect_err("NaN");
        assert!(refused.to_string().starts_with("the list cannot be saved: invalid type: null"), "{refused}");
    }
}
