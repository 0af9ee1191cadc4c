//! Speeds of ITK's level set filters, which are in the units of the image.

use alnm_imaging::Volume;
use rayon::prelude::*;

use crate::error::{Result, SegmentationError};

/// Speed by two thresholds as ITK's `ThresholdSegmentationLevelSetImageFilter` makes it without an edge weight: the
/// distance of a value to the nearer threshold, positive between them, `min(v − lower, upper − v)`.
///
/// # Errors
/// [`SegmentationError::Imaging`] when a voxel is not finite; [`SegmentationError::Parameter`] when a threshold is not
/// finite or the lower one not below the upper one.
///
/// ```
/// use alnm_imaging::{Geometry, Volume};
/// use alnm_segmentation::speed::linear_threshold_speed;
///
/// let image = Volume::new(ndarray::array![[[10.0_f32, 20.0, 35.0, 50.0]]], Geometry::axis_aligned([4, 1, 1], [1.0; 3])?)?;
/// assert_eq!(linear_threshold_speed(&image, 15.0, 40.0)?.as_slice(), [-5.0, 5.0, 5.0, -10.0]);
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
pub fn linear_threshold_speed(image: &Volume<f32>, lower: f64, upper: f64) -> Result<Volume<f32>> {
    image.check_finite().map_err(|voxel| voxel.during("speed by thresholds"))?;
    if !(lower.is_finite() && upper.is_finite() && lower < upper) {
        let value = format!("{lower} with an upper one of {upper}");
        return Err(SegmentationError::parameter("lower threshold", value, "finite and below the upper one"));
    }
    let middle = (upper - lower) / 2.0 + lower;
    Ok(image.map(|&value| {
        let value = f64::from(value);
        (if value < middle { value - lower } else { upper - value }) as f32
    }))
}

/// Speed by the Laplacian of the image per mm², as ITK's `LaplacianSegmentationLevelSetImageFilter` makes it: a contour
/// that starts near an edge goes to it. Beyond its border the image goes on as there.
///
/// # Errors
/// [`SegmentationError::Imaging`] when a voxel is not finite.
///
/// ```
/// use alnm_imaging::{Geometry, Volume};
/// use alnm_segmentation::speed::laplacian_speed;
///
/// let image = Volume::new(ndarray::array![[[0.0_f32, 0.0, 8.0, 8.0]]], Geometry::axis_aligned([4, 1, 1], [2.0, 1.0, 1.0])?)?;
/// assert_eq!(laplacian_speed(&image)?.as_slice(), [0.0, 2.0, -2.0, 0.0]);
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
pub fn laplacian_speed(image: &Volume<f32>) -> Result<Volume<f32>> {
    image.check_finite().map_err(|voxel| voxel.during("speed by the Laplacian"))?;
    let (grid, voxels) = (image.geometry(), image.as_slice());
    let (size, spacing) = (grid.size(), grid.spacing());
    let strides = [1, size[0], size[0] * size[1]];
    let at = |position: usize| {
        let (index, here) = (grid.index_of(position), f64::from(voxels[position]));
        let along = |axis: usize| {
            let before = if index[axis] == 0 { position } else { position - strides[axis] };
            let behind = if index[axis] + 1 == size[axis] { position } else { position + strides[axis] };
            (f64::from(voxels[before]) + f64::from(voxels[behind]) - 2.0 * here) / (spacing[axis] * spacing[axis])
        };
        (0..grid.dimension()).map(along).sum::<f64>() as f32
    };
    let mut speed = Volume::filled(grid.clone(), 0.0);
    let rows = speed.as_mut_slice().par_iter_mut().enumerate().with_min_len(1 << 12);
    rows.for_each(|(position, speed)| *speed = at(position));
    Ok(speed)
}
