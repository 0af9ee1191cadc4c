//! By what the phases of a dynamic series are told apart.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An attribute by which the phases of a dynamic series are told apart.
///
/// The first of [`PhaseKey::ALL`] is taken in which the slices of every place differ. By a number (temporal position,
/// acquisition, dimension index) slices of one number are one phase; by a time, or by the number of the instance, the
/// n-th slice of each place belongs to phase n, since the slices of one phase may have been taken one after the other.
///
/// ```
/// use alnm_imaging::dicom::PhaseKey;
/// assert_eq!("content-time".parse(), Ok(PhaseKey::ContentTime));
/// assert_eq!(PhaseKey::ContentTime.to_string(), "ContentTime");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PhaseKey {
    /// `TemporalPositionIdentifier`, or `TemporalPositionIndex` of a frame.
    TemporalPosition,
    /// `TriggerTime`, `NominalCardiacTriggerDelayTime` or `FrameTime`.
    TriggerTime,
    /// `FrameAcquisitionDateTime`, `AcquisitionDateTime`, or `AcquisitionDate` and `AcquisitionTime`.
    AcquisitionTime,
    /// `ContentDate` and `ContentTime`.
    ContentTime,
    /// `AcquisitionNumber`, or `FrameAcquisitionNumber`.
    AcquisitionNumber,
    /// `DimensionIndexValues` of a frame, those of its place left aside.
    DimensionIndex,
    /// `InstanceNumber`, or the number of the frame in its file: taken where every place has equally many slices.
    InstanceNumber,
}

impl PhaseKey {
    /// All keys, in the order in which they are tried.
    pub const ALL: [Self; 7] = [
        Self::TemporalPosition,
        Self::TriggerTime,
        Self::AcquisitionTime,
        Self::ContentTime,
        Self::AcquisitionNumber,
        Self::DimensionIndex,
        Self::InstanceNumber,
    ];

    /// The name on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TemporalPosition => "temporal-position",
            Self::TriggerTime => "trigger-time",
            Self::AcquisitionTime => "acquisition-time",
            Self::ContentTime => "content-time",
            Self::AcquisitionNumber => "acquisition-number",
            Self::DimensionIndex => "dimension-index",
            Self::InstanceNumber => "instance-number",
        }
    }

    /// Whether slices of one value are one phase, however many other places lack it.
    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::TemporalPosition | Self::AcquisitionNumber | Self::DimensionIndex)
    }
}

impl fmt::Display for PhaseKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TemporalPosition => "TemporalPositionIdentifier",
            Self::TriggerTime => "TriggerTime",
            Self::AcquisitionTime => "AcquisitionTime",
            Self::ContentTime => "ContentTime",
            Self::AcquisitionNumber => "AcquisitionNumber",
            Self::DimensionIndex => "DimensionIndexValues",
            Self::InstanceNumber => "InstanceNumber",
        })
    }
}

impl FromStr for PhaseKey {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|key| key.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.into_iter().map(Self::name).collect();
            format!("the key of phases is {name:?}; it is one of {}", names.join(", "))
        })
    }
}
