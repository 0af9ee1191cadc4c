//! Which region of a mask is read, and onto which grid.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::region::RegionChoice;
use crate::error::{ImagingError, Result};
use crate::geometry::Geometry;

/// Whether a voxel is inside a region whose contour passes through its centre.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ContourEdge {
    /// A centre on the left or upper edge is inside, one on the right or lower edge is not, so that regions that share
    /// an edge share no voxel, and a region has the volume of its contours. The default.
    #[default]
    HalfOpen,
    /// Centres on an edge are inside. Right for programs that draw contours from centre to centre of the outermost
    /// voxels, as rt-utils does: of a small ball the other rule loses some per cent.
    Inside,
}

/// What contours of one plane enclose that cross each other. Contours that lie in each other are holes and islands, and
/// those apart are parts of the region, whatever is chosen here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CrossingContours {
    /// What an odd number of them enclose, as `CLOSEDPLANAR_XOR` asks and most programs do for `CLOSED_PLANAR` too. The
    /// default.
    #[default]
    ExclusiveOr,
    /// What any of them encloses.
    Union,
}

impl fmt::Display for CrossingContours {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::ExclusiveOr => "exclusive or",
            Self::Union => "union",
        })
    }
}

/// How a mask is read: which region, and onto which grid.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`region`](Self::region) | none | one region, whose voxels become 1 | by name or number |
/// | [`grid`](Self::grid) | none | the grid of the image to which the mask belongs | |
/// | [`frame_of_reference`](Self::frame_of_reference) | none | `FrameOfReferenceUID` of that image | |
/// | [`channel`](Self::channel) | none | component of a label map whose voxels have several | from 0 |
/// | [`volume`](Self::volume) | none | volume of a label map of four dimensions | from 1 |
/// | [`edge`](Self::edge) | [`ContourEdge::HalfOpen`] | whether a voxel whose centre lies on a contour is inside | |
/// | [`crossing`](Self::crossing) | [`CrossingContours::ExclusiveOr`] | what contours enclose that cross each other | |
/// | [`threshold`](Self::threshold) | 0.5 | share from which on a voxel belongs to a fractional segment | above 0, at most 1 |
///
/// ```
/// use alnm_imaging::mask::{MaskParams, read_mask_with};
/// use alnm_imaging::{Geometry, Volume, write_mask};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("mask.nii.gz");
/// let mut labels = Volume::filled(Geometry::axis_aligned([4, 4, 2], [1.0; 3])?, 0_u32);
/// labels.as_mut_slice()[5] = 2;
/// write_mask(&path, &labels)?;
///
/// // In a structure set or segmentation `with_region("GTV-1")` chooses by name.
/// let params = MaskParams::default().with_region(2).with_grid(labels.geometry().clone());
/// assert_eq!(read_mask_with(&path, &params)?.as_slice()[5], 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct MaskParams {
    /// One region, whose voxels become 1. Without a choice the only region of a DICOM file becomes 1, too; several keep
    /// their labels ([`MaskRegion::label`](super::region::MaskRegion::label)), and those of a label map are kept as
    /// they are.
    pub region: Option<RegionChoice>,
    /// The grid of the image to which the mask belongs. Structure sets need it; masks on another grid are brought onto
    /// it by the nearest voxel, and of regions that leave it the share that is lost is noted.
    pub grid: Option<Geometry>,
    /// The `FrameOfReferenceUID` of the image; DICOM regions in another one are refused.
    pub frame_of_reference: Option<String>,
    /// The component to read, from 0, of a label map whose voxels have several: segmentations that overlap are stored
    /// so.
    pub channel: Option<usize>,
    /// The volume to read, from 1, of a label map of four dimensions.
    pub volume: Option<usize>,
    /// Whether a voxel whose centre lies on a contour is inside.
    pub edge: ContourEdge,
    /// What contours of one plane enclose that cross each other.
    pub crossing: CrossingContours,
    /// The share of a voxel from which on it belongs to a fractional segment. Default 0.5; above 0, at most 1.
    pub threshold: f64,
}

impl Default for MaskParams {
    fn default() -> Self {
        Self {
            region: None,
            grid: None,
            frame_of_reference: None,
            channel: None,
            volume: None,
            edge: ContourEdge::default(),
            crossing: CrossingContours::default(),
            threshold: 0.5,
        }
    }
}

impl MaskParams {
    /// Sets [`MaskParams::region`].
    pub fn with_region(self, region: impl Into<RegionChoice>) -> Self {
        Self { region: Some(region.into()), ..self }
    }

    /// Sets [`MaskParams::grid`].
    pub fn with_grid(self, grid: Geometry) -> Self {
        Self { grid: Some(grid), ..self }
    }

    /// Sets [`MaskParams::frame_of_reference`].
    pub fn with_frame_of_reference(self, uid: impl Into<String>) -> Self {
        Self { frame_of_reference: Some(uid.into()), ..self }
    }

    /// Sets [`MaskParams::volume`].
    pub fn with_volume(self, volume: usize) -> Self {
        Self { volume: Some(volume), ..self }
    }

    /// Sets [`MaskParams::channel`].
    pub fn with_channel(self, channel: usize) -> Self {
        Self { channel: Some(channel), ..self }
    }

    /// Sets [`MaskParams::edge`].
    pub fn with_edge(self, edge: ContourEdge) -> Self {
        Self { edge, ..self }
    }

    /// Sets [`MaskParams::crossing`].
    pub fn with_crossing(self, crossing: CrossingContours) -> Self {
        Self { crossing, ..self }
    }

    /// Sets [`MaskParams::threshold`].
    pub fn with_threshold(self, threshold: f64) -> Self {
        Self { threshold, ..self }
    }

    /// The parameters when all are in range.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] for a threshold that is out of range.
    pub fn check(self) -> Result<MaskReader> {
        if self.threshold > 0.0 && self.threshold <= 1.0 {
            return Ok(MaskReader { params: self });
        }
        Err(ImagingError::InvalidParameter {
            operation: "reading a mask",
            parameter: "threshold",
            value: self.threshold.to_string(),
            requirement: "it must be above 0 and at most 1",
        })
    }
}

/// Checked parameters, by which masks are read: see [`MaskParams`].
#[derive(Debug, Clone, PartialEq)]
pub struct MaskReader {
    params: MaskParams,
}

impl MaskReader {
    /// The parameters.
    pub fn params(&self) -> &MaskParams {
        &self.params
    }
}
