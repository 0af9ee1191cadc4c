//! Data sets that are put together attribute by attribute.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use sha2::{Digest, Sha256};

use super::coded_concept::CodedConcept;
use super::encoding::{decimal_strings, implementation_uid};
use super::problem::{first_line, malformed};
use super::uid::uid_from;
use crate::error::FileProblem;

/// A data set, or an item of a sequence. Attributes take their value representation from the standard's dictionary and
/// stand in the order of their tags, whatever the order in which they are put.
#[derive(Debug, Clone)]
pub(super) struct Item(InMemDicomObject);

impl Item {
    pub(super) fn new() -> Self {
        Self(InMemDicomObject::new_empty())
    }

    fn put(mut self, tag: Tag, value: PrimitiveValue) -> Self {
        let vr = StandardDataDictionary.by_tag(tag).map_or(VR::UN, |entry| entry.vr().relaxed());
        self.0.put(DataElement::new(tag, vr, value));
        self
    }

    /// A text; an empty one is an attribute without a value. Several values are separated by backslashes.
    pub(super) fn text(self, tag: Tag, value: impl AsRef<str>) -> Self {
        let value = value.as_ref();
        self.put(tag, if value.is_empty() { PrimitiveValue::Empty } else { PrimitiveValue::from(value) })
    }

    /// A text where there is one.
    pub(super) fn text_if_any(self, tag: Tag, value: &str) -> Self {
        if value.is_empty() { self } else { self.text(tag, value) }
    }

    pub(super) fn short(self, tag: Tag, value: u16) -> Self {
        self.put(tag, PrimitiveValue::from(value))
    }

    pub(super) fn longs(self, tag: Tag, values: &[u32]) -> Self {
        self.put(tag, PrimitiveValue::U32(values.into()))
    }

    pub(super) fn double(self, tag: Tag, value: f64) -> Self {
        self.put(tag, PrimitiveValue::from(value))
    }

    /// Tags as a value.
    pub(super) fn pointer(self, tag: Tag, value: Tag) -> Self {
        self.put(tag, PrimitiveValue::from(value))
    }

    /// Decimal strings.
    pub(super) fn decimals(self, tag: Tag, values: &[f64]) -> Self {
        self.text(tag, decimal_strings(values))
    }

    /// Pixels or other values as they lie in the file, padded to an even length.
    pub(super) fn bytes(mut self, tag: Tag, vr: VR, mut bytes: Vec<u8>) -> Self {
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        self.0.put(DataElement::new(tag, vr, PrimitiveValue::from(bytes)));
        self
    }

    /// A sequence.
    pub(super) fn items(mut self, tag: Tag, items: impl IntoIterator<Item = Self>) -> Self {
        let items: Vec<InMemDicomObject> = items.into_iter().map(|item| item.0).collect();
        self.0.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
        self
    }

    /// A sequence of one item.
    pub(super) fn item(self, tag: Tag, item: Self) -> Self {
        self.items(tag, [item])
    }

    /// A sequence of one coded concept.
    pub(super) fn code(self, tag: Tag, code: &CodedConcept) -> Self {
        self.item(tag, of_concept(code))
    }

    fn uid(&self, tag: Tag) -> String {
        super::attributes::text(&self.0, tag).unwrap_or_default()
    }

    fn data_set(&self, syntax: &str, instance_uid: &str) -> Result<Vec<u8>, FileProblem> {
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax(syntax)
            .media_storage_sop_class_uid(self.uid(tags::SOP_CLASS_UID))
            .media_storage_sop_instance_uid(instance_uid)
            .implementation_class_uid(implementation_uid())
            .implementation_version_name(concat!("ALNM_", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| malformed(first_line(&error)))?;
        let mut bytes = Vec::new();
        let file = self.0.clone().with_exact_meta(meta);
        file.write_all(&mut bytes).map_err(|error| malformed(first_line(&error)))?;
        Ok(bytes)
    }

    /// The bytes of a file that holds the data set. Its instance and its series get identifiers that are derived from
    /// all else that is written, so that the same object has the same identifiers and another has others.
    pub(super) fn into_file(self, syntax: &str) -> Result<Vec<u8>, FileProblem> {
        let digest = Sha256::digest(self.data_set(syntax, "2.25.0")?);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let instance_uid = uid_from(&["instance", &digest]);
        let object = self
            .text(tags::SOP_INSTANCE_UID, &instance_uid)
            .text(tags::SERIES_INSTANCE_UID, uid_from(&["series", &digest]));
        object.data_set(syntax, &instance_uid)
    }
}

/// A concept as an item of a sequence of codes.
fn of_concept(concept: &CodedConcept) -> Item {
    const LONGEST: usize = 16;
    let tag = if concept.value.chars().count() > LONGEST { tags::LONG_CODE_VALUE } else { tags::CODE_VALUE };
    Item::new()
        .text(tag, &concept.value)
        .text(tags::CODING_SCHEME_DESIGNATOR, &concept.scheme)
        .text(tags::CODE_MEANING, &concept.meaning)
}
