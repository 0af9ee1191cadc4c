//! What was found odd while a mask was read.

use serde::Serialize;

use super::narrow::Mask;
use super::params::CrossingContours;
use crate::volume::LabelMap;

/// A mask, with notes on what was unusual about it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ReadMask<M = LabelMap> {
    /// The labels of the voxels.
    pub mask: M,
    /// What was found odd, and what was done about it.
    pub notes: Vec<MaskNote>,
}

impl ReadMask<Mask> {
    /// With the labels of a label map.
    pub(crate) fn widened(self) -> ReadMask {
        ReadMask { mask: self.mask.into_label_map(), notes: self.notes }
    }
}

impl From<ReadMask> for ReadMask<Mask> {
    fn from(read: ReadMask) -> Self {
        Self { mask: read.mask.into(), notes: read.notes }
    }
}

impl From<LabelMap> for ReadMask {
    fn from(mask: LabelMap) -> Self {
        Self { mask, notes: Vec::new() }
    }
}

/// Something unusual that was found while a mask was read, and what was done about it.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[non_exhaustive]
pub enum MaskNote {
    /// Contours that leave the image.
    #[error(
        "the contours of {name:?} leave the image: {:.1} % of the region lies outside and is lost",
        percent(*share)
    )]
    CutOff {
        /// Name of the region.
        name: String,
        /// Share of its voxels that lie outside, above 0 and below 1.
        share: f64,
    },
    /// A region of a label map or segmentation that leaves the grid onto which it is brought.
    #[error("{region} leaves the image: {:.1} % of it lies outside and is lost", percent(*share))]
    LeavesGrid {
        /// The region, by its label or its name.
        region: String,
        /// Share of its volume that lies outside, above 0 and below 1.
        share: f64,
    },
    /// One of several regions of a label map or segmentation of which nothing is left on the grid onto which the mask is
    /// brought.
    #[error("{region} is lost: it lies outside of the image, or is smaller than its voxels")]
    Lost {
        /// The region, by its label or its name.
        region: String,
    },
    /// Contours that lie farther apart than slices.
    #[error(
        "the contours of {name:?} lie {contours:.4} mm apart, slices {slices:.4} mm: the slices between contours are \
         filled with the nearest one"
    )]
    FilledBetween {
        /// Name of the region.
        name: String,
        /// Distance of contours in mm.
        contours: f64,
        /// Distance of slices in mm.
        slices: f64,
    },
    /// Contours of one plane that cross each other.
    #[error("contours of {name:?} cross each other in {planes} planes; they are combined by {combined}")]
    Crossing {
        /// Name of the region.
        name: String,
        /// In how many planes.
        planes: usize,
        /// How they are combined.
        combined: CrossingContours,
    },
}

/// Per cent of a share, so that a small one is not printed as none.
fn percent(share: f64) -> f64 {
    (100.0 * share).max(0.1)
}
