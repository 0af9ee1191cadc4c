//! Segments of a segmentation that is written, and their names.

use dicom_dictionary_std::tags;
use serde::{Deserialize, Serialize};

use super::coded_concept::CodedConcept;
use super::item::Item;
use crate::error::{ImagingError, Result};

/// How a segment was drawn (`SegmentAlgorithmType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[non_exhaustive]
pub enum SegmentAlgorithm {
    /// By hand.
    Manual,
    /// By a person with a program's help.
    SemiAutomatic,
    /// By a program.
    Automatic,
}

impl SegmentAlgorithm {
    fn code(self) -> &'static str {
        match self {
            Self::Manual => "MANUAL",
            Self::SemiAutomatic => "SEMIAUTOMATIC",
            Self::Automatic => "AUTOMATIC",
        }
    }
}

/// One segment: a label of the mask, and what it stands for.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`label`](Self::label) | | label in the mask | from 1 |
/// | [`name`](Self::name) | | `SegmentLabel` | 1 to 64 characters |
/// | [`category`](Self::category) | morphologically abnormal structure | what kind of thing | a code |
/// | [`property`](Self::property) | lesion | what thing | a code |
/// | [`anatomic_region`](Self::anatomic_region) | none | where | a code |
/// | [`algorithm`](Self::algorithm) | semi-automatic | how it was drawn | |
/// | [`algorithm_name`](Self::algorithm_name) | "unknown" | by which program | 1 to 64 characters |
///
/// The JSON form has the keys of the segment descriptions of dcmqi
/// (<https://github.com/QIICR/dcmqi/blob/master/doc/schemas/seg-schema.json>), `labelID`, `SegmentLabel`,
/// `SegmentedPropertyCategoryCodeSequence` and so on; further keys are left aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[must_use]
pub struct Segment {
    /// The label in the mask.
    #[serde(rename = "labelID")]
    pub label: u32,
    /// `SegmentLabel`.
    #[serde(rename = "SegmentLabel")]
    pub name: String,
    /// `SegmentedPropertyCategoryCodeSequence`.
    #[serde(rename = "SegmentedPropertyCategoryCodeSequence", default = "abnormal_structure")]
    pub category: CodedConcept,
    /// `SegmentedPropertyTypeCodeSequence`.
    #[serde(rename = "SegmentedPropertyTypeCodeSequence", default = "lesion")]
    pub property: CodedConcept,
    /// `AnatomicRegionSequence`.
    #[serde(rename = "AnatomicRegionSequence", default, skip_serializing_if = "Option::is_none")]
    pub anatomic_region: Option<CodedConcept>,
    /// `SegmentAlgorithmType`.
    #[serde(rename = "SegmentAlgorithmType", default = "semi_automatic")]
    pub algorithm: SegmentAlgorithm,
    /// `SegmentAlgorithmName`, of segments that are not drawn by hand.
    #[serde(rename = "SegmentAlgorithmName", default = "unknown_algorithm")]
    pub algorithm_name: String,
}

fn abnormal_structure() -> CodedConcept {
    CodedConcept::new("49755003", "SCT", "Morphologically Abnormal Structure")
}

fn lesion() -> CodedConcept {
    CodedConcept::new("52988006", "SCT", "Lesion")
}

fn semi_automatic() -> SegmentAlgorithm {
    SegmentAlgorithm::SemiAutomatic
}

fn unknown_algorithm() -> String {
    "unknown".to_owned()
}

impl Segment {
    /// A label and its name; everything else by default.
    pub fn new(label: u32, name: impl Into<String>) -> Self {
        Self {
            label,
            name: name.into(),
            category: abnormal_structure(),
            property: lesion(),
            anatomic_region: None,
            algorithm: semi_automatic(),
            algorithm_name: unknown_algorithm(),
        }
    }

    /// Sets [`Segment::category`].
    pub fn with_category(self, category: CodedConcept) -> Self {
        Self { category, ..self }
    }

    /// Sets [`Segment::property`].
    pub fn with_property(self, property: CodedConcept) -> Self {
        Self { property, ..self }
    }

    /// Sets [`Segment::anatomic_region`].
    pub fn with_anatomic_region(self, anatomic_region: CodedConcept) -> Self {
        Self { anatomic_region: Some(anatomic_region), ..self }
    }

    /// Sets [`Segment::algorithm`].
    pub fn with_algorithm(self, algorithm: SegmentAlgorithm) -> Self {
        Self { algorithm, ..self }
    }

    /// Sets [`Segment::algorithm_name`].
    pub fn with_algorithm_name(self, algorithm_name: impl Into<String>) -> Self {
        Self { algorithm_name: algorithm_name.into(), ..self }
    }

    pub(super) fn check(&self, operation: &'static str) -> Result<()> {
        if self.label == 0 {
            return Err(ImagingError::InvalidParameter {
                operation,
                parameter: "label",
                value: format!("0, of the segment {:?}", self.name),
                requirement: "it must be above 0, which is the background",
            });
        }
        for (parameter, text) in [("name", &self.name), ("algorithm_name", &self.algorithm_name)] {
            if text.trim().is_empty() || super::write::fitting_text(text) != *text {
                return Err(ImagingError::InvalidParameter {
                    operation,
                    parameter,
                    value: format!("{text:?}, of the segment with the label {}", self.label),
                    requirement: "it must have 1 to 64 characters, none of them a backslash or a control",
                });
            }
        }
        [Some(&self.category), Some(&self.property), self.anatomic_region.as_ref()]
            .into_iter()
            .flatten()
            .try_for_each(|code| code.check(operation))
    }

    /// The description of the segment under a number.
    pub(super) fn item(&self, number: u16) -> Item {
        let item = Item::new()
            .short(tags::SEGMENT_NUMBER, number)
            .text(tags::SEGMENT_LABEL, &self.name)
            .text(tags::SEGMENT_ALGORITHM_TYPE, self.algorithm.code())
            .code(tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE, &self.category)
            .code(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE, &self.property);
        let item = match self.algorithm {
            SegmentAlgorithm::Manual => item,
            _ => item.text(tags::SEGMENT_ALGORITHM_NAME, &self.algorithm_name),
        };
        match &self.anatomic_region {
            Some(region) => item.code(tags::ANATOMIC_REGION_SEQUENCE, region),
            None => item,
        }
    }

    /// The description of the background of a label map.
    pub(super) fn background() -> Item {
        let background = CodedConcept::dcm("125040", "Background");
        Self { label: 0, ..Self::new(0, "Background") }
            .with_category(background.clone())
            .with_property(background)
            .with_algorithm(SegmentAlgorithm::Manual)
            .item(0)
    }
}
