//! The region of interest: a morphological mask that describes its shape, an intensity mask that says which voxels
//! count.

use std::ops::Range;

use alnm_imaging::region::VoxelBox;

use crate::error::{RadiomicsError, Result};
use crate::summation::{sum, sum_of};

/// A mask on a grid, (z, y, x).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mask {
    /// Extent of the grid, (z, y, x).
    pub shape: [usize; 3],
    /// Whether each voxel belongs to the mask, x fastest.
    pub voxels: Vec<bool>,
}

impl Mask {
    /// Number of voxels in the mask.
    pub(crate) fn count(&self) -> usize {
        self.voxels.iter().filter(|inside| **inside).count()
    }

    /// The rows along x that hold a voxel, as (z, y, first voxel of the row, columns).
    fn rows(&self) -> impl Iterator<Item = (usize, usize, &[bool])> {
        let rows = self.voxels.chunks_exact(self.shape[2]).enumerate();
        rows.map(|(row, voxels)| (row / self.shape[1], row % self.shape[1], voxels))
            .filter(|(.., voxels)| voxels.contains(&true))
    }

    /// The smallest box around the mask, a range for each of z, y and x; `None` for an empty mask.
    pub(crate) fn bounding_box(&self) -> Option<[Range<usize>; 3]> {
        let mut bounds: Option<[Range<usize>; 3]> = None;
        for (z, y, voxels) in self.rows() {
            let first = voxels.iter().position(|inside| *inside).unwrap_or(0);
            let last = voxels.iter().rposition(|inside| *inside).unwrap_or(0);
            let row = [z..z + 1, y..y + 1, first..last + 1];
            bounds = Some(match bounds {
                None => row,
                Some(bounds) => std::array::from_fn(|axis| {
                    bounds[axis].start.min(row[axis].start)..bounds[axis].end.max(row[axis].end)
                }),
            });
        }
        bounds
    }

    /// The part of the mask in a box.
    pub(crate) fn cut(&self, bounds: &[Range<usize>; 3]) -> Self {
        Self {
            shape: bounds.each_ref().map(ExactSizeIterator::len),
            voxels: box_values(&self.voxels, self.shape, bounds),
        }
    }

    /// The mask without its voxels outside of a box.
    pub(crate) fn within(mut self, bounds: &[Range<usize>; 3]) -> Self {
        let [_, height, width] = self.shape;
        for (voxel, inside) in self.voxels.iter_mut().enumerate().filter(|(_, inside)| **inside) {
            let place = [voxel / (width * height), voxel / width % height, voxel % width];
            *inside = (0..3).all(|axis| bounds[axis].contains(&place[axis]));
        }
        self
    }

    /// Indices (z, y, x) of the mask's voxels, in raster order.
    pub(crate) fn indices(&self) -> impl Iterator<Item = [usize; 3]> + Clone + '_ {
        let [_, height, width] = self.shape;
        let inside = self.voxels.iter().enumerate().filter(|(_, inside)| **inside);
        inside.map(move |(position, _)| [position / (width * height), position / width % height, position % width])
    }

    /// The values of the mask's voxels, in raster order.
    pub(crate) fn select(&self, values: &[f64]) -> Vec<f64> {
        values.iter().zip(&self.voxels).filter(|(_, inside)| **inside).map(|(value, _)| *value).collect()
    }
}

/// The values of a box of an array of `shape`, in raster order.
pub(crate) fn box_values<T: Copy>(values: &[T], shape: [usize; 3], bounds: &[Range<usize>; 3]) -> Vec<T> {
    VoxelBox::from_ranges_zyx(bounds.clone()).cut_slice(values, shape, |value| value)
}

/// The intensity mask: the voxels of the region whose intensity lies in `range` and within `outliers` standard
/// deviations of the region's mean. Mean and deviation are those of the whole region, and the limits belong to the
/// mask.
///
/// # Errors
/// [`RadiomicsError::EmptyMask`] when no voxel is left.
pub(crate) fn resegment(
    image: &[f64],
    region: &Mask,
    range: Option<[Option<f64>; 2]>,
    outliers: Option<f64>,
) -> Result<Mask> {
    let [lower, upper] = range.unwrap_or_default();
    let (mut lower, mut upper) = (lower.unwrap_or(f64::NEG_INFINITY), upper.unwrap_or(f64::INFINITY));
    if let Some(sigmas) = outliers {
        let values = region.select(image);
        let mean = sum(&values) / values.len() as f64;
        let deviation = (sum_of(&values, |x| (x - mean) * (x - mean)) / values.len() as f64).sqrt();
        lower = lower.max(mean - sigmas * deviation);
        upper = upper.min(mean + sigmas * deviation);
    }
    let inside = |(value, inside): (&f64, &bool)| *inside && (lower..=upper).contains(value);
    let mask = Mask { shape: region.shape, voxels: image.iter().zip(&region.voxels).map(inside).collect() };
    if mask.count() == 0 {
        return Err(RadiomicsError::EmptyMask { mask: "intensity", step: "resegmentation", hint: "widen the range" });
    }
    Ok(mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(voxels: &[bool]) -> Mask {
        Mask { shape: [1, 1, voxels.len()], voxels: voxels.to_vec() }
    }

    #[test]
    fn limits_belong_to_the_intensity_mask() {
        let region = row(&[true, true, true, false]);
        let mask = resegment(&[1.0, 2.0, 3.0, 2.0], &region, Some([Some(2.0), Some(3.0)]), None).unwrap();
        assert_eq!(mask.voxels, [false, true, true, false]);
        assert!(resegment(&[1.0; 4], &region, Some([Some(5.0), None]), None).is_err());
    }

    #[test]
    fn outliers_are_measured_on_the_whole_region() {
        // Mean 1, standard deviation 3: the outlier stays with 3 deviations and goes with 2.
        let image: Vec<f64> = (0..10).map(|i| if i == 0 { 10.0 } else { 0.0 }).collect();
        let region = row(&[true; 10]);
        assert_eq!(resegment(&image, &region, None, Some(3.0)).unwrap().count(), 10);
        assert_eq!(resegment(&image, &region, None, Some(2.0)).unwrap().count(), 9);
    }

    #[test]
    fn the_box_is_the_smallest() {
        let mut mask = Mask { shape: [3, 4, 5], voxels: vec![false; 60] };
        assert_eq!(mask.bounding_box(), None);
        mask.voxels[20 + 5 + 2] = true;
        mask.voxels[40 + 15 + 4] = true;
        assert_eq!(mask.bounding_box(), Some([1..3, 1..4, 2..5]));
        assert_eq!(mask.cut(&[1..3, 1..4, 2..5]).count(), 2);
        assert_eq!(mask.indices().collect::<Vec<_>>(), [[1, 1, 2], [2, 3, 4]]);
    }
}
