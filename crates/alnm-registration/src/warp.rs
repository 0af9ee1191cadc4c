//! Images resampled through a map.

use alnm_imaging::resample::{Interpolator, resample_mapped};
use alnm_imaging::{Geometry, Image, LabelMap};

use crate::error::Result;
use crate::transform::SpatialTransform;

/// The moving image on a grid of the fixed image, through the map from the fixed to the moving image, as ITK's
/// `ResampleImageFilter`; `outside` where the map leaves the moving image.
///
/// # Errors
/// As [`resample_mapped`].
pub fn resample_through(
    transform: &SpatialTransform,
    moving: &Image,
    grid: &Geometry,
    interpolator: Interpolator,
    outside: f64,
) -> Result<Image> {
    Ok(resample_mapped(moving, grid, &|point| transform.apply(point), interpolator, outside)?)
}

/// A mask of the moving image on a grid of the fixed image, by the nearest voxel; 0 where the map leaves the moving
/// image.
///
/// # Errors
/// As [`resample_mapped`].
pub fn mask_through(transform: &SpatialTransform, moving: &LabelMap, grid: &Geometry) -> Result<LabelMap> {
    let image = Image::from(moving.clone());
    Ok(resample_through(transform, &image, grid, Interpolator::Nearest, 0.0)?.cast())
}
