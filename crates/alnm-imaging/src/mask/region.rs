//! The regions that a mask file names, and the choice of one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a region cannot be read as a mask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MaskProblem {
    /// Contours without a grid to draw them on.
    #[error("contours need the grid of an image; give that of the image on which they were drawn")]
    GridNeeded,
    /// No region has the name or number asked for.
    #[error("no region {wanted} here; the file has: {}", list(present))]
    NoSuchRegion {
        /// What was asked for.
        wanted: RegionChoice,
        /// The regions of the file.
        present: Vec<MaskRegion>,
    },
    /// Several regions have the name or number asked for.
    #[error("several regions are {wanted}: {}", list(regions))]
    Ambiguous {
        /// What was asked for.
        wanted: RegionChoice,
        /// The regions that have it.
        regions: Vec<MaskRegion>,
    },
    /// Regions and image were placed in different coordinates.
    #[error("the regions lie in the frame of reference {region}, the image in {image}; register them first")]
    FrameOfReference {
        /// Identifier of the regions' coordinates.
        region: String,
        /// Identifier of the image's coordinates.
        image: String,
    },
    /// Two regions share a voxel, which a label map cannot hold.
    #[error("the regions {first:?} and {second:?} overlap; read them one by one")]
    Overlap {
        /// Name of one.
        first: String,
        /// Name of the other.
        second: String,
    },
    /// A region of points or open lines.
    #[error("the region {name:?} has no closed contour")]
    NoClosedContour {
        /// Its name.
        name: String,
    },
    /// Contours that are not parallel to two axes of the grid.
    #[error(
        "the contours of {name:?} are parallel to no plane of the grid; give the grid of the image on which they were drawn"
    )]
    Askew {
        /// Name of the region.
        name: String,
    },
    /// Contours that enclose no voxel's centre.
    #[error("the contours of {name:?} enclose no voxel of the grid; is it that of the image on which they were drawn?")]
    Outside {
        /// Name of the region.
        name: String,
    },
    /// A label map or segmentation of which no voxel is left on the grid of the image.
    #[error(
        "no voxel of {} is left on the grid of the image: {} outside of it, or {} smaller than its voxels; is it the \
         image on which the mask was drawn?",
        regions.join(", "),
        if regions.len() == 1 { "it lies" } else { "they lie" },
        if regions.len() == 1 { "is" } else { "are" }
    )]
    OffGrid {
        /// The regions, by their labels or names.
        regions: Vec<String>,
    },
}

/// A region that a DICOM mask file names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MaskRegion {
    /// The label of its voxels when all regions are read: the segment's number, or the place in a structure set, from
    /// 1.
    pub label: u32,
    /// `SegmentNumber` or `ROINumber`.
    pub number: i64,
    /// `SegmentLabel` or `ROIName`.
    pub name: String,
}

/// One region of a mask file: by its name, or by its number (`SegmentNumber`, `ROINumber`, or the label in a label
/// map).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RegionChoice {
    /// The name; case counts.
    Name(String),
    /// The number.
    Number(i64),
}

impl From<&str> for RegionChoice {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for RegionChoice {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<u32> for RegionChoice {
    fn from(number: u32) -> Self {
        Self::Number(i64::from(number))
    }
}

impl fmt::Display for RegionChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(formatter, "{name:?}"),
            Self::Number(number) => write!(formatter, "number {number}"),
        }
    }
}

impl fmt::Display for MaskRegion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {:?}", self.number, self.name)
    }
}

impl MaskRegion {
    /// A region with the label of its voxels, its number in a file and its name.
    #[must_use]
    pub fn new(label: u32, number: i64, name: impl Into<String>) -> Self {
        Self { label, number, name: name.into() }
    }

    /// The regions that a choice names; all without one.
    pub(crate) fn choose<'a>(regions: &'a [Self], choice: Option<&RegionChoice>) -> Result<Vec<&'a Self>, MaskProblem> {
        let Some(choice) = choice else { return Ok(regions.iter().collect()) };
        let is_chosen = |region: &&Self| match choice {
            RegionChoice::Name(name) => region.name == *name,
            RegionChoice::Number(number) => region.number == *number,
        };
        let chosen: Vec<&Self> = regions.iter().filter(is_chosen).collect();
        match (chosen.len(), choice) {
            (0, _) => Err(MaskProblem::NoSuchRegion { wanted: choice.clone(), present: regions.to_vec() }),
            (1, _) => Ok(chosen),
            (_, choice) => {
                let regions = chosen.into_iter().cloned().collect();
                Err(MaskProblem::Ambiguous { wanted: choice.clone(), regions })
            }
        }
    }
}

fn list(regions: &[MaskRegion]) -> String {
    regions.iter().map(MaskRegion::to_string).collect::<Vec<_>>().join(", ")
}
