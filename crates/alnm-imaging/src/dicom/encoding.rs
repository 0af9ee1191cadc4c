//! Elements as bytes in Explicit VR Little Endian.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::uid::uid_from;
use super::walk::ITEM;

/// What a file begins with.
pub(super) fn put_preamble(bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&[0; 128]);
    bytes.extend_from_slice(b"DICM");
}

/// The meta group, which says how the data set behind it is written.
pub(super) fn put_meta(bytes: &mut Vec<u8>, sop_class: &str, instance_uid: &str, syntax: &str) {
    let mut group = Vec::new();
    let mut data = DataSet { bytes: &mut group };
    data.put(tags::FILE_META_INFORMATION_VERSION, VR::OB, &[0, 1]);
    data.text(tags::MEDIA_STORAGE_SOP_CLASS_UID, VR::UI, sop_class);
    data.text(tags::MEDIA_STORAGE_SOP_INSTANCE_UID, VR::UI, instance_uid);
    data.text(tags::TRANSFER_SYNTAX_UID, VR::UI, syntax);
    data.text(tags::IMPLEMENTATION_CLASS_UID, VR::UI, &implementation_uid());
    data.text(tags::IMPLEMENTATION_VERSION_NAME, VR::SH, concat!("ALNM_", env!("CARGO_PKG_VERSION")));
    DataSet { bytes }.put(tags::FILE_META_INFORMATION_GROUP_LENGTH, VR::UL, &(group.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&group);
}

pub(super) fn implementation_uid() -> String {
    uid_from(&["alnm-imaging"])
}

/// Elements in Explicit VR Little Endian, appended in the order in which they are put.
pub(super) struct DataSet<'a> {
    pub(super) bytes: &'a mut Vec<u8>,
}

impl DataSet<'_> {
    pub(super) fn header(&mut self, tag: Tag, vr: VR, length: usize) {
        self.bytes.extend_from_slice(&tag.group().to_le_bytes());
        self.bytes.extend_from_slice(&tag.element().to_le_bytes());
        self.bytes.extend_from_slice(&vr.to_bytes());
        if matches!(vr, VR::OB | VR::OW | VR::SQ) {
            self.bytes.extend_from_slice(&[0, 0]);
            self.bytes.extend_from_slice(&(length as u32).to_le_bytes());
        } else {
            self.bytes.extend_from_slice(&(length as u16).to_le_bytes());
        }
    }

    pub(super) fn put(&mut self, tag: Tag, vr: VR, value: &[u8]) {
        self.header(tag, vr, value.len());
        self.bytes.extend_from_slice(value);
    }

    /// Text padded to even length: identifiers with a zero byte, all else with a space.
    pub(super) fn text(&mut self, tag: Tag, vr: VR, value: &str) {
        self.header(tag, vr, value.len().next_multiple_of(2));
        self.bytes.extend_from_slice(value.as_bytes());
        if value.len() % 2 == 1 {
            self.bytes.push(if vr == VR::UI { 0 } else { b' ' });
        }
    }

    /// Texts in ascending order of their tags, as the standard asks.
    pub(super) fn texts<'t>(&mut self, elements: impl Iterator<Item = (Tag, VR, &'t str)>) {
        let mut elements: Vec<_> = elements.collect();
        elements.sort_by_key(|(tag, ..)| *tag);
        for (tag, vr, text) in elements {
            self.text(tag, vr, text);
        }
    }

    /// A sequence whose items hold texts in the order of their tags.
    pub(super) fn sequence<const N: usize>(&mut self, tag: Tag, items: &[[(Tag, VR, &str); N]]) {
        let mut value = Vec::new();
        for item in items {
            let mut content = Vec::new();
            item.iter().for_each(|(tag, vr, text)| DataSet { bytes: &mut content }.text(*tag, *vr, text));
            value.extend_from_slice(&ITEM.group().to_le_bytes());
            value.extend_from_slice(&ITEM.element().to_le_bytes());
            value.extend_from_slice(&(content.len() as u32).to_le_bytes());
            value.extend_from_slice(&content);
        }
        self.put(tag, VR::SQ, &value);
    }

    pub(super) fn short(&mut self, tag: Tag, value: u16) {
        self.put(tag, VR::US, &value.to_le_bytes());
    }

    pub(super) fn decimals(&mut self, tag: Tag, values: &[f64]) {
        self.text(tag, VR::DS, &decimal_strings(values));
    }

    pub(super) fn pad(&mut self, byte: u8) {
        if self.bytes.len() % 2 == 1 {
            self.bytes.push(byte);
        }
    }
}

/// Numbers as one value of decimal strings.
pub(super) fn decimal_strings(values: &[f64]) -> String {
    values.iter().map(|&value| decimal_string(value)).collect::<Vec<_>>().join("\\")
}

/// A number in at most the 16 characters that a decimal string may have, as exact as they allow.
pub(super) fn decimal_string(value: f64) -> String {
    const LONGEST: usize = 16;
    let shortest = value.to_string();
    if shortest.len() <= LONGEST {
        return shortest;
    }
    let fixed = (0..LONGEST).rev().map(|digits| format!("{value:.digits$}")).find(|text| text.len() <= LONGEST);
    let scientific = (0..LONGEST).rev().map(|digits| format!("{value:.digits$e}")).find(|text| text.len() <= LONGEST);
    let error = |text: &String| text.parse::<f64>().map_or(f64::INFINITY, |parsed| (parsed - value).abs());
    [fixed, scientific].into_iter().flatten().min_by(|a, b| error(a).total_cmp(&error(b))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn decimal_strings_are_short_and_exact(value in -1e6f64..1e6) {
            let text = decimal_string(value);
            prop_assert!(text.len() <= 16);
            prop_assert!((text.parse::<f64>().unwrap() - value).abs() <= 1e-8 * value.abs().max(1e-3));
        }
    }
}
