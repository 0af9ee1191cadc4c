//! A region of interest.

use std::ops::Range;

use ndarray::Array3;

use super::{VoxelBox, bounding_box};
use crate::error::{ImagingError, Result};
use crate::geometry::Geometry;
use crate::mask::MaskRef;
use crate::volume::{LabelMap, Rows, Volume, Voxel};

/// A region of interest: the voxels of a mask that hold one label, of which there is at least one.
///
/// ```
/// use alnm_imaging::region::Roi;
/// use alnm_imaging::{Geometry, Volume};
///
/// let mask = Volume::new(ndarray::array![[[0_u32, 2, 2], [0, 0, 2]]], Geometry::axis_aligned([3, 2, 1], [1.0; 3])?)?;
/// let roi = Roi::new(&mask, 2)?;
/// assert_eq!(roi.voxel_count(), 3);
/// assert_eq!((roi.bounding_box().start(), roi.bounding_box().size()), ([1, 0, 0], [2, 2, 1]));
/// assert_eq!(roi.inside(), ndarray::array![[[true, true], [false, true]]]);
/// assert!(Roi::new(&mask, 1).is_err());
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Roi<'a> {
    mask: &'a LabelMap,
    label: u32,
    bounding_box: VoxelBox,
    voxel_count: usize,
}

impl<'a> Roi<'a> {
    /// The voxels of `mask` that hold `label`.
    ///
    /// # Errors
    /// [`ImagingError::EmptyRegion`] when no voxel does.
    pub fn new(mask: &'a LabelMap, label: u32) -> Result<Self> {
        let bounding_box = bounding_box(mask, label)?;
        let rows = bounding_box.rows(mask.geometry().shape());
        let count_row = |row: Range<usize>| mask.as_slice()[row].iter().filter(|&&voxel| voxel == label).count();
        let voxel_count = rows.map(count_row).sum();
        Ok(Self { mask, label, bounding_box, voxel_count })
    }

    /// The mask.
    #[must_use]
    pub fn mask(&self) -> &'a LabelMap {
        self.mask
    }

    /// The label of the mask's voxels that belong to the region.
    #[must_use]
    pub fn label(&self) -> u32 {
        self.label
    }

    /// The grid of the mask.
    #[must_use]
    pub fn geometry(&self) -> &'a Geometry {
        self.mask.geometry()
    }

    /// The smallest box that holds the region.
    #[must_use]
    pub fn bounding_box(&self) -> VoxelBox {
        self.bounding_box
    }

    /// Number of voxels in the region.
    #[must_use]
    pub fn voxel_count(&self) -> usize {
        self.voxel_count
    }

    /// Volume of the region's voxels in mm³.
    #[must_use]
    pub fn volume(&self) -> f64 {
        self.voxel_count as f64 * self.geometry().voxel_volume()
    }

    /// Which voxels of the [bounding box](Self::bounding_box) belong to the region, (z, y, x).
    #[must_use]
    pub fn inside(&self) -> Array3<bool> {
        self.bounding_box.view(self.mask.data()).map(|&voxel| voxel == self.label)
    }

    /// The values of a volume in the region, in raster order.
    ///
    /// # Errors
    /// [`ImagingError::GeometryMismatch`] when the volume does not lie on the mask's grid.
    pub fn values<T: Voxel>(&self, volume: &Volume<T>) -> Result<Vec<T>> {
        self.check_grid(volume.geometry(), "values of a region")?;
        let mut values = Vec::with_capacity(self.voxel_count);
        for row in self.bounding_box.rows(self.geometry().shape()) {
            let pairs = volume.as_slice()[row.clone()].iter().zip(&self.mask.as_slice()[row]);
            values.extend(pairs.filter(|(_, voxel)| **voxel == self.label).map(|(value, _)| *value));
        }
        Ok(values)
    }

    /// Appends the values in the region, in raster order, of voxels on the mask's grid.
    pub(crate) fn append_values(&self, voxels: &dyn Rows, values: &mut Vec<f64>) {
        let mut row_values = Vec::new();
        for row in self.bounding_box.rows(self.geometry().shape()) {
            row_values.clear();
            voxels.append(row.clone(), &mut row_values);
            let pairs = row_values.iter().zip(&self.mask.as_slice()[row]);
            values.extend(pairs.filter(|(_, voxel)| **voxel == self.label).map(|(value, _)| *value));
        }
    }

    /// # Errors
    /// [`ImagingError::GeometryMismatch`] when a grid is not that of the mask.
    pub(crate) fn check_grid(&self, grid: &Geometry, operation: &'static str) -> Result<()> {
        match grid.difference(self.geometry(), 1e-6) {
            Some(difference) => Err(ImagingError::GeometryMismatch { operation, difference }),
            None => Ok(()),
        }
    }

    /// The error of a region without a voxel.
    pub(crate) fn empty(operation: &'static str, mask: MaskRef<'_>, label: u32) -> ImagingError {
        ImagingError::EmptyRegion { operation, label, present: mask.labels(8) }
    }
}
