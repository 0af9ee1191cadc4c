//! Taking every n-th voxel, as ITK's `ShrinkImageFilter`.

use ndarray::Array3;

use crate::error::{ImagingError, Result};
use crate::geometry::Geometry;
use crate::volume::{Volume, Voxel};

/// The index (x, y, z) of the voxel that a shrunk grid begins with.
///
/// The centres of both grids coincide; the first voxel of the shrunk grid lies half way between two voxels of the other
/// where the factor is even, and rounding decides, as in ITK.
///
/// # Errors
/// [`ImagingError::InvalidParameter`] when the factor is 0.
pub fn shrink_offset(geometry: &Geometry, factor: usize) -> Result<[usize; 3]> {
    let first = geometry.point_to_index(shrunk(geometry, factor)?.origin());
    Ok(first.map(|position| (position + 0.5).floor().max(0.0) as usize))
}

/// Every `factor`-th voxel from `offset` (x, y, z) on, ⌊size / factor⌋ on each axis but at least one. Voxels are
/// picked, not averaged.
///
/// # Errors
/// [`ImagingError::InvalidParameter`] when the factor is 0 or the last voxel would lie outside.
pub fn shrink<T: Voxel>(volume: &Volume<T>, factor: usize, offset: [usize; 3]) -> Result<Volume<T>> {
    let grid = shrunk(volume.geometry(), factor)?;
    let (old, new) = (volume.geometry().size(), grid.size());
    let last: [usize; 3] = std::array::from_fn(|axis| offset[axis] + (new[axis] - 1) * factor);
    if (0..3).any(|axis| last[axis] >= old[axis]) {
        return Err(invalid("offset", format!("{offset:?}"), "the voxels taken must lie inside the image"));
    }
    let mut voxels = Vec::with_capacity(grid.voxel_count());
    for z in (offset[2]..=last[2]).step_by(factor) {
        for y in (offset[1]..=last[1]).step_by(factor) {
            let row = &volume.as_slice()[(z * old[1] + y) * old[0]..][..old[0]];
            voxels.extend(row[offset[0]..=last[0]].iter().step_by(factor));
        }
    }
    let data = Array3::from_shape_vec(grid.shape(), voxels).expect("as many voxels are taken as the grid has");
    Volume::new(data, grid)
}

fn shrunk(geometry: &Geometry, factor: usize) -> Result<Geometry> {
    if factor == 0 {
        return Err(invalid("factor", "0".to_owned(), "it must be at least 1"));
    }
    let size = geometry.size().map(|n| (n / factor).max(1));
    let spacing = geometry.spacing().map(|distance| distance * factor as f64);
    let moved = geometry.with_grid(size, spacing, geometry.origin())?;
    let centre = |size: [usize; 3]| size.map(|n| (n as f64 - 1.0) / 2.0);
    let (old_centre, new_centre) =
        (geometry.index_to_point(centre(geometry.size())), moved.index_to_point(centre(size)));
    let origin = std::array::from_fn(|axis| geometry.origin()[axis] + (old_centre[axis] - new_centre[axis]));
    geometry.with_grid(size, spacing, origin)
}

fn invalid(parameter: &'static str, value: String, requirement: &'static str) -> ImagingError {
    ImagingError::InvalidParameter { operation: "shrinking", parameter, value, requirement }
}
