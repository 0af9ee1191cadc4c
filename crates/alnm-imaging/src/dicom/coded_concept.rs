//! Concepts that a coding scheme names.

use serde::{Deserialize, Serialize};

use crate::error::{ImagingError, Result};

/// A concept as DICOM names it (PS3.3 8.8): a code, the scheme to which the code belongs, and its meaning in words.
///
/// The names of the fields in JSON are those of the attributes, as in the segment descriptions of dcmqi.
///
/// ```
/// use alnm_imaging::dicom::CodedConcept;
///
/// let lesion = CodedConcept::new("52988006", "SCT", "Lesion");
/// assert_eq!(lesion.scheme, "SCT");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
#[must_use]
pub struct CodedConcept {
    /// `CodeValue`; one of more than 16 characters is written as `LongCodeValue`.
    #[serde(rename = "CodeValue")]
    pub value: String,
    /// `CodingSchemeDesignator`: SCT (SNOMED CT), DCM, UCUM, IBSI; private ones begin with 99. At most 16 characters.
    #[serde(rename = "CodingSchemeDesignator")]
    pub scheme: String,
    /// `CodeMeaning`, at most 64 characters.
    #[serde(rename = "CodeMeaning")]
    pub meaning: String,
}

impl CodedConcept {
    /// A code of a scheme, with its meaning.
    pub fn new(value: impl Into<String>, scheme: impl Into<String>, meaning: impl Into<String>) -> Self {
        Self { value: value.into(), scheme: scheme.into(), meaning: meaning.into() }
    }

    /// A concept of DICOM's own scheme.
    pub(super) fn dcm(value: &str, meaning: &str) -> Self {
        Self::new(value, "DCM", meaning)
    }

    pub(super) fn check(&self, operation: &'static str) -> Result<()> {
        let fits = |text: &str, longest: usize| {
            !text.trim().is_empty()
                && text.chars().count() <= longest
                && !text.chars().any(|c| c == '\\' || c.is_control())
        };
        if fits(&self.value, 1024) && fits(&self.scheme, 16) && fits(&self.meaning, 64) {
            return Ok(());
        }
        Err(ImagingError::InvalidParameter {
            operation,
            parameter: "code",
            value: format!("{self:?}"),
            requirement: "value, scheme (at most 16 characters) and meaning (at most 64) must not be empty, nor hold \
                          a backslash or a control",
        })
    }
}
