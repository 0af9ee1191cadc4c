//! Interpolation onto a grid that shares its centre with the original one.
//!
//! The new grid has n_b = ⌈n_a s_a / s_b⌉ voxels along an axis of n_a voxels with spacing s_a, and its first voxel lies
//! at (n_a - 1) / 2 - s_b (n_b - 1) / (2 s_a) voxels of the original.

use alnm_imaging::resample::{Interpolator, resample};
use alnm_imaging::{Geometry, LabelMap, Volume};
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// The method by which values between voxels are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Interpolation {
    /// The nearest voxel.
    Nearest,
    /// Linear along each axis.
    Linear,
    /// The interpolating cubic B-spline.
    Cubic,
}

impl Interpolation {
    const fn interpolator(self) -> Interpolator {
        match self {
            Self::Nearest => Interpolator::Nearest,
            Self::Linear => Interpolator::Linear,
            Self::Cubic => Interpolator::BSpline,
        }
    }
}

/// Whole voxels that a product of size and spacing exceeds by less than this are not rounded up.
const ROUNDING: f64 = 1e-6;

/// The grid with `spacing` (x, y, z) in mm that shares its centre with `geometry`; an axis without a spacing stays as
/// it is.
///
/// # Errors
/// [`RadiomicsError::Image`] when the new grid cannot be held.
pub(crate) fn centred_grid(geometry: &Geometry, spacing: [Option<f64>; 3]) -> Result<Geometry> {
    let (old_size, old_spacing) = (geometry.size(), geometry.spacing());
    let new_spacing: [f64; 3] = std::array::from_fn(|axis| spacing[axis].unwrap_or(old_spacing[axis]));
    let size: [usize; 3] = std::array::from_fn(|axis| {
        let voxels = old_size[axis] as f64 * old_spacing[axis] / new_spacing[axis];
        ((voxels - ROUNDING).ceil() as usize).max(1)
    });
    let first = std::array::from_fn(|axis| {
        (old_size[axis] as f64 - 1.0) / 2.0 - new_spacing[axis] * (size[axis] as f64 - 1.0) / (2.0 * old_spacing[axis])
    });
    Ok(geometry.with_grid(size, new_spacing, geometry.index_to_point(first))?)
}

/// The image on another grid.
///
/// # Errors
/// [`RadiomicsError::Image`] when the grid cannot be held.
pub(crate) fn interpolate_image(
    image: &Volume<f64>,
    grid: &Geometry,
    interpolation: Interpolation,
) -> Result<Volume<f64>> {
    if image.geometry() == grid {
        return Ok(image.clone());
    }
    Ok(resample(image, grid, interpolation.interpolator(), 0.0)?)
}

/// A region on another grid, given by the part of each voxel that belongs to it: `label` where at least `threshold` of
/// a voxel does. Parts are rounded to six decimals first, so that exactly half is half.
///
/// # Errors
/// [`crate::RadiomicsError::Image`] when the grid cannot be held.
pub(crate) fn interpolate_mask(
    parts: &Volume<f64>,
    label: u32,
    grid: &Geometry,
    interpolation: Interpolation,
    threshold: f64,
) -> Result<LabelMap> {
    let interpolated = interpolate_image(parts, grid, interpolation)?;
    let round = |value: f64| (value * 1e6).round();
    Ok(interpolated.map(|&part| if round(part) >= round(threshold) { label } else { 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_share_their_centre() {
        let geometry = Geometry::axis_aligned([204, 201, 60], [0.977, 0.977, 3.0]).unwrap();
        let grid = centred_grid(&geometry, [Some(2.0), Some(2.0), None]).unwrap();
        assert_eq!(grid.size(), [100, 99, 60]);
        let centre = |grid: &Geometry| grid.index_to_point(grid.size().map(|n| (n as f64 - 1.0) / 2.0));
        for (old, new) in centre(&geometry).into_iter().zip(centre(&grid)) {
            approx::assert_relative_eq!(old, new, max_relative = 1e-12);
        }
    }

    #[test]
    fn a_whole_number_of_voxels_is_not_rounded_up() {
        let geometry = Geometry::axis_aligned([30, 30, 30], [0.7, 0.7, 0.7]).unwrap();
        assert_eq!(centred_grid(&geometry, [Some(2.1); 3]).unwrap().size(), [10, 10, 10]);
    }
}
