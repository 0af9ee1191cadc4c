//! Masks that are as narrow as their labels: most hold a few regions, whose numbers fit into a byte.

use std::borrow::Cow;

use bytemuck::allocation::cast_vec;

use crate::error::{FileProblem, Result};
use crate::extremes::Extremes;
use crate::geometry::Geometry;
use crate::region::{Roi, VoxelBox, box_of_label, crop, labels_up_to};
use crate::resample::{Interpolator, resample};
use crate::volume::{Image, LabelMap, Volume, Voxel};
use crate::voxel_data::of_voxels;
use crate::with_volume;

use super::check_labels;

/// A mask in memory: a label map, or the same with labels of one byte, which takes a quarter of its memory.
#[derive(Debug, Clone, PartialEq)]
pub enum Mask {
    /// Labels up to 255.
    Narrow(Volume<u8>),
    /// Labels of any size.
    Wide(LabelMap),
}

/// A [`Mask`] or a [`LabelMap`], borrowed.
#[derive(Debug, Clone, Copy)]
pub enum MaskRef<'a> {
    /// Labels up to 255.
    Narrow(&'a Volume<u8>),
    /// Labels of any size.
    Wide(&'a LabelMap),
}

/// A number that a voxel of a [`Mask`] can hold.
pub trait Label: Voxel + Default + Eq + Into<u32> + TryFrom<u32> {}
impl Label for u8 {}
impl Label for u32 {}

/// Runs the same expression on the labels inside a [`MaskRef`], of either width.
///
/// ```
/// use alnm_imaging::mask::MaskRef;
/// use alnm_imaging::{Geometry, Volume, with_labels};
/// let mask = Volume::filled(Geometry::axis_aligned([2, 2, 2], [1.0; 3])?, 1_u8);
/// assert_eq!(with_labels!(MaskRef::from(&mask), labels => labels.data().len()), 8);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
#[macro_export]
macro_rules! with_labels {
    ($mask:expr, $labels:ident => $body:expr) => {
        match $mask {
            $crate::mask::MaskRef::Narrow($labels) => $body,
            $crate::mask::MaskRef::Wide($labels) => $body,
        }
    };
}

impl Mask {
    /// The mask, borrowed.
    #[must_use]
    pub fn borrowed(&self) -> MaskRef<'_> {
        match self {
            Self::Narrow(labels) => MaskRef::Narrow(labels),
            Self::Wide(labels) => MaskRef::Wide(labels),
        }
    }

    /// The mask as a label map.
    #[must_use]
    pub fn into_label_map(self) -> LabelMap {
        match self {
            Self::Narrow(labels) => widened(&labels),
            Self::Wide(labels) => labels,
        }
    }

    /// An image that was just read as a mask: in its memory where its voxels are as wide as labels, and else as narrow
    /// as its labels.
    pub(super) fn of_image(image: Image) -> Result<Self, FileProblem> {
        fn narrow<T: Voxel>(volume: &Volume<T>) -> Result<Mask> {
            check_labels(volume)?;
            let highest = Extremes::of(volume.as_slice()).map_or(0.0, |extremes| extremes.high.to_f64());
            let fits = highest <= f64::from(u8::MAX);
            Ok(if fits { Mask::Narrow(volume.cast()) } else { Mask::Wide(volume.cast()) })
        }
        match image {
            Image::U8(labels) => Ok(Self::Narrow(labels)),
            Image::U32(labels) => Ok(Self::Wide(labels)),
            Image::I32(volume) if volume.as_slice().iter().fold(0, |any, &voxel| any | voxel) >= 0 => {
                let grid = volume.geometry().clone();
                let (voxels, _) = volume.into_data().into_raw_vec_and_offset();
                Self::of_image(of_voxels::<u32>(cast_vec(voxels), &grid)?)
            }
            other => Ok(with_volume!(&other, volume => narrow(volume))?),
        }
    }
}

impl<'a> MaskRef<'a> {
    /// The grid.
    #[must_use]
    pub fn geometry(self) -> &'a Geometry {
        with_labels!(self, labels => labels.geometry())
    }

    /// The mask as a label map, which takes memory of its own where its labels are narrow.
    #[must_use]
    pub fn widened(self) -> Cow<'a, LabelMap> {
        match self {
            Self::Narrow(labels) => Cow::Owned(widened(labels)),
            Self::Wide(labels) => Cow::Borrowed(labels),
        }
    }

    /// The mask on another grid, by the nearest voxel; 0 where it has none.
    ///
    /// # Errors
    /// As [`resample`].
    pub fn resampled(self, grid: &Geometry) -> Result<Mask> {
        with_labels!(self, labels => resample(labels, grid, Interpolator::Nearest, 0).map(Mask::from))
    }

    /// The part of the mask inside a box.
    ///
    /// # Errors
    /// As [`crop`].
    pub fn cropped(self, part: &VoxelBox) -> Result<Mask> {
        with_labels!(self, labels => crop(labels, part).map(Mask::from))
    }

    /// As [`crate::region::bounding_box`].
    ///
    /// # Errors
    /// As [`crate::region::bounding_box`].
    pub fn bounding_box(self, label: u32) -> Result<VoxelBox> {
        let found = with_labels!(self, labels => box_of_label(labels, label));
        found.ok_or_else(|| Roi::empty("bounding box", self, label))
    }

    /// As [`crate::region::labels`].
    #[must_use]
    pub fn labels(self, limit: usize) -> Vec<u32> {
        with_labels!(self, labels => labels_up_to(labels, limit))
    }
}

fn widened(labels: &Volume<u8>) -> LabelMap {
    labels.map(|&label| label.into())
}

impl From<LabelMap> for Mask {
    fn from(labels: LabelMap) -> Self {
        Self::Wide(labels)
    }
}

impl From<Volume<u8>> for Mask {
    fn from(labels: Volume<u8>) -> Self {
        Self::Narrow(labels)
    }
}

impl<'a> From<&'a Mask> for MaskRef<'a> {
    fn from(mask: &'a Mask) -> Self {
        mask.borrowed()
    }
}

impl<'a> From<&'a LabelMap> for MaskRef<'a> {
    fn from(labels: &'a LabelMap) -> Self {
        Self::Wide(labels)
    }
}

impl<'a> From<&'a Volume<u8>> for MaskRef<'a> {
    fn from(labels: &'a Volume<u8>) -> Self {
        Self::Narrow(labels)
    }
}
