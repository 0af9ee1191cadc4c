//! Grids that are turned and shifted, and images and regions on them.

use alnm_imaging::resample::{Interpolator, resample};
use alnm_imaging::{Geometry, LabelMap, Volume};
use ndarray::Array3;
use rayon::prelude::*;

use crate::error::Result;

/// Voxels by which an image is continued at least, so that a spline near the border does not see the end.
const MARGIN: usize = 12;

/// The grid of a spacing that shares its centre with an image's, shifted by parts of its voxels along its axes and then
/// turned about its centre and the patient's long axis, from x to y, by an angle in degrees.
pub(super) fn moved_grid(
    geometry: &Geometry,
    spacing: [f64; 3],
    translation: [f64; 3],
    rotation: f64,
) -> Result<Geometry> {
    let (old_size, old_spacing) = (geometry.size(), geometry.spacing());
    let is_planar = geometry.dimension() == 2;
    let moves = |axis: usize| axis < geometry.dimension();
    let spacing: [f64; 3] = std::array::from_fn(|axis| if moves(axis) { spacing[axis] } else { old_spacing[axis] });
    let ratio: [f64; 3] = std::array::from_fn(|axis| spacing[axis] / old_spacing[axis]);
    let size: [usize; 3] = std::array::from_fn(|axis| {
        ((old_size[axis] as f64 * (old_spacing[axis] / spacing[axis])).ceil() as usize).max(1)
    });
    let reach: [f64; 3] = std::array::from_fn(|axis| 0.5 * (size[axis] as f64 - 1.0) * ratio[axis]);
    let first: [f64; 3] = std::array::from_fn(|axis| {
        let shift = if moves(axis) { translation[axis] } else { 0.0 };
        shift * ratio[axis] + 0.5 * (old_size[axis] as f64 - 1.0) - reach[axis]
    });
    let origin = geometry.index_to_point(first);
    if rotation == 0.0 {
        return Ok(geometry.with_grid(size, spacing, origin)?);
    }
    let (sine, cosine) = rotation.to_radians().sin_cos();
    let turned = |[x, y, z]: [f64; 3]| [cosine * x - sine * y, sine * x + cosine * y, z];
    let centre = geometry.index_to_point(std::array::from_fn(|axis| first[axis] + reach[axis]));
    let arm = turned(std::array::from_fn(|axis| origin[axis] - centre[axis]));
    let origin: [f64; 3] = std::array::from_fn(|axis| centre[axis] + arm[axis]);
    let columns = [0, 1, 2].map(|axis| turned(geometry.direction().map(|row| row[axis])));
    let direction: [[f64; 3]; 3] = std::array::from_fn(|row| columns.map(|column| column[row]));
    if is_planar {
        let [[xx, xy, _], [yx, yy, _], _] = direction;
        let (size, spacing) = ([size[0], size[1]], [spacing[0], spacing[1]]);
        return Ok(Geometry::planar(size, spacing, [origin[0], origin[1]], [[xx, xy], [yx, yy]])?);
    }
    Ok(Geometry::new(size, spacing, origin, direction)?)
}

/// The position of the first voxel of a grid in another one's voxels, and how it moves along each axis.
struct Positions {
    first: [f64; 3],
    steps: [[f64; 3]; 3],
}

impl Positions {
    fn new(of: &Geometry, within: &Geometry) -> Self {
        let at = |index: [f64; 3]| within.point_to_index(of.index_to_point(index));
        let first = at([0.0; 3]);
        let steps = [0, 1, 2].map(|axis| {
            let next = at(std::array::from_fn(|other| f64::from(u8::from(other == axis))));
            std::array::from_fn(|axis| next[axis] - first[axis])
        });
        Self { first, steps }
    }

    fn at(&self, index: [usize; 3]) -> [f64; 3] {
        std::array::from_fn(|axis| {
            (0..3).fold(self.first[axis], |sum, along| sum + self.steps[along][axis] * index[along] as f64)
        })
    }

    /// Lowest and highest position on each axis over a grid of `size` voxels.
    fn range(&self, size: [usize; 3]) -> [(f64, f64); 3] {
        std::array::from_fn(|axis| {
            (0..3).fold((self.first[axis], self.first[axis]), |(low, high), along| {
                let reach = self.steps[along][axis] * (size[along] - 1) as f64;
                (low + reach.min(0.0), high + reach.max(0.0))
            })
        })
    }
}

/// An image on a grid; beyond its border it goes on as its outermost voxels are.
pub(super) fn interpolated(image: &Volume<f64>, grid: &Geometry, interpolator: Interpolator) -> Result<Volume<f64>> {
    image.check_finite().map_err(|voxel| voxel.during("perturbing an image"))?;
    let size = image.geometry().size();
    let range = Positions::new(grid, image.geometry()).range(grid.size());
    let axes = image.geometry().dimension();
    let beyond = |distance: f64, axis: usize| if axis < axes { distance.max(0.0).ceil() as usize + MARGIN } else { 0 };
    let before: [usize; 3] = std::array::from_fn(|axis| beyond(-range[axis].0, axis));
    let after: [usize; 3] = std::array::from_fn(|axis| beyond(range[axis].1 - (size[axis] as f64 - 1.0), axis));
    Ok(resample(&continued(image, before, after)?, grid, interpolator, 0.0)?)
}

/// An image that goes on beyond its border as its outermost voxels are.
fn continued(image: &Volume<f64>, before: [usize; 3], after: [usize; 3]) -> Result<Volume<f64>> {
    let geometry = image.geometry();
    let old = geometry.size();
    let size: [usize; 3] = std::array::from_fn(|axis| before[axis] + old[axis] + after[axis]);
    let origin = geometry.index_to_point(before.map(|voxels| -(voxels as f64)));
    let grid = geometry.with_grid(size, geometry.spacing(), origin)?;
    let inside = |index: usize, axis: usize| index.saturating_sub(before[axis]).min(old[axis] - 1);
    let values = image.data();
    let extended = Array3::from_shape_fn(grid.shape(), |(z, y, x)| values[[inside(z, 2), inside(y, 1), inside(x, 0)]]);
    Ok(Volume::new(extended, grid)?)
}

/// A region on another grid: the voxels that at least half belongs to, by linear interpolation between voxels of the
/// mask. A voxel whose centre lies outside the centres of the mask's voxels does not belong.
pub(super) fn registered(mask: &LabelMap, grid: &Geometry, label: u32) -> Result<LabelMap> {
    /// Far above rounding, far below what can be seen.
    const ROUNDING: f64 = 1e-9;
    let geometry = mask.geometry();
    if grid.difference(geometry, 0.0).is_none() {
        return Ok(mask.clone());
    }
    let size = geometry.size();
    let voxels = mask.as_slice();
    let positions = Positions::new(grid, geometry);
    let belongs = |position: [f64; 3]| {
        let is_outside =
            |axis: usize| position[axis] < -ROUNDING || position[axis] > (size[axis] - 1) as f64 + ROUNDING;
        if (0..3).any(is_outside) {
            return false;
        }
        let low = position.map(|p| p.max(0.0).floor());
        let mut part = 0.0;
        for corner in 0..8_usize {
            let (mut weight, mut place) = (1.0, [0; 3]);
            for axis in 0..3 {
                let (upper, distance) = (corner >> axis & 1, (position[axis] - low[axis]).max(0.0));
                weight *= if upper == 1 { distance } else { 1.0 - distance };
                place[axis] = (low[axis] as usize + upper).min(size[axis] - 1);
            }
            if voxels[(place[2] * size[1] + place[1]) * size[0] + place[0]] == label {
                part += weight;
            }
        }
        (part * 1e6).round_ties_even() >= 5e5
    };
    let [width, height, _] = grid.size();
    let mut registered = Volume::filled(grid.clone(), 0);
    registered.as_mut_slice().par_chunks_mut(width).enumerate().for_each(|(line, row)| {
        for (x, voxel) in row.iter_mut().enumerate() {
            if belongs(positions.at([x, line % height, line / height])) {
                *voxel = label;
            }
        }
    });
    alnm_imaging::region::bounding_box(&registered, label)?;
    Ok(registered)
}
