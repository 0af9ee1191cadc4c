//! Regions of an image: boxes around a label, crops and padding.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{ImagingError, Result};
use crate::volume::{Image, LabelMap, Volume, Voxel};
use crate::with_volume;

/// A box of voxels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundingBox {
    /// First voxel (x, y, z).
    pub start: [usize; 3],
    /// Voxels along x, y and z.
    pub size: [usize; 3],
}

impl BoundingBox {
    /// The box with `margin` voxels more on every side, cut at the ends of a grid of `size` voxels.
    pub fn padded(&self, margin: usize, size: [usize; 3]) -> Self {
        self.padded_by([margin; 3], size)
    }

    /// The box with `margin` (x, y, z) voxels more on either side of each axis, cut at the ends of a grid of `size` voxels.
    pub fn padded_by(&self, margin: [usize; 3], size: [usize; 3]) -> Self {
        let start: [usize; 3] = std::array::from_fn(|axis| self.start[axis].saturating_sub(margin[axis]));
        let end: [usize; 3] = std::array::from_fn(|axis| self.end()[axis].saturating_add(margin[axis]).min(size[axis]));
        Self { start, size: std::array::from_fn(|axis| end[axis] - start[axis]) }
    }

    /// One past the last voxel (x, y, z).
    pub fn end(&self) -> [usize; 3] {
        std::array::from_fn(|axis| self.start[axis] + self.size[axis])
    }
}

/// The smallest box that holds every voxel with the label.
///
/// # Errors
/// [`ImagingError::EmptyRegion`] when no voxel has the label.
pub fn bounding_box(mask: &LabelMap, label: u32) -> Result<BoundingBox> {
    let [width, height, _] = mask.geometry().size();
    let boxes = mask.as_slice().par_chunks(width * height).enumerate().filter_map(|(z, slice)| {
        let mut found: Option<[usize; 4]> = None;
        for (y, row) in slice.chunks(width).enumerate() {
            let Some(first) = row.iter().position(|&voxel| voxel == label) else { continue };
            let last = row.iter().rposition(|&voxel| voxel == label).unwrap_or(first);
            found = Some(match found {
                None => [first, last, y, y],
                Some([x0, x1, y0, _]) => [x0.min(first), x1.max(last), y0, y],
            });
        }
        found.map(|[x0, x1, y0, y1]| [[x0, x1], [y0, y1], [z, z]])
    });
    let whole = boxes.reduce_with(|a, b| std::array::from_fn(|axis| [a[axis][0].min(b[axis][0]), a[axis][1].max(b[axis][1])]));
    match whole {
        Some(limits) => Ok(BoundingBox { start: limits.map(|[low, _]| low), size: limits.map(|[low, high]| high - low + 1) }),
        None => Err(ImagingError::EmptyRegion { operation: "bounding box", label, present: labels(mask, 8) }),
    }
}

/// The labels that occur in a mask, ascending, without 0; at most `limit` of them.
pub fn labels(mask: &LabelMap, limit: usize) -> Vec<u32> {
    let mut found = std::collections::BTreeSet::new();
    let mut previous = 0;
    for &voxel in mask.as_slice() {
        if voxel != previous && voxel != 0 && found.len() < limit {
            found.insert(voxel);
        }
        previous = voxel;
    }
    found.into_iter().collect()
}

/// The part of a volume inside a box.
///
/// # Errors
/// [`ImagingError::InvalidGeometry`] when the box is empty or leaves the volume.
pub fn crop<T: Voxel>(volume: &Volume<T>, part: &BoundingBox) -> Result<Volume<T>> {
    let geometry = volume.geometry().part(part.start, part.size)?;
    let ([x, y, z], [dx, dy, dz]) = (part.start, part.size);
    let data = volume.data().slice(ndarray::s![z..z + dz, y..y + dy, x..x + dx]).to_owned();
    Volume::new(data, geometry)
}

/// [`crop`] for an image of any type.
///
/// # Errors
/// As [`crop`].
pub fn crop_image(image: &Image, part: &BoundingBox) -> Result<Image> {
    fn typed<T: Voxel>(volume: &Volume<T>, part: &BoundingBox) -> Result<Image> {
        crop(volume, part).map(T::into_image)
    }
    with_volume!(image, volume => typed(volume, part))
}
