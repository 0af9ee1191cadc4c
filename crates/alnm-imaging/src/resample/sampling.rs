//! Where the voxels of one grid lie in another.

use rayon::prelude::*;

use crate::geometry::Geometry;
use crate::volume::{Volume, Voxel};

/// Continuous indices into an image for every voxel of a grid.
pub(super) enum Sampling {
    /// The axes of both grids agree: one list of positions for each axis.
    Separable([Vec<f64>; 3]),
    /// Any other pair of grids.
    General(Box<LineSampling>),
}

/// Positions are linear along a line of x: ITK finds those of its first and one-past-last voxel and goes in even steps.
pub(super) struct LineSampling {
    image: Geometry,
    grid: Geometry,
}

impl LineSampling {
    /// Continuous index into the image of a voxel of the grid.
    fn at(&self, index: [f64; 3]) -> [f64; 3] {
        self.image.point_to_index(self.grid.index_to_point(index))
    }

    /// The positions of a line of x.
    pub(super) fn line(&self, y: usize, z: usize) -> impl Iterator<Item = [f64; 3]> + use<> {
        let length = self.grid.size()[0];
        let start = self.at([0.0, y as f64, z as f64]);
        let end = self.at([length as f64, y as f64, z as f64]);
        (0..length).map(move |x| {
            let alpha = x as f64 / length as f64;
            std::array::from_fn(|axis| start[axis] + alpha * (end[axis] - start[axis]))
        })
    }
}

impl Sampling {
    pub(super) fn new(image: &Geometry, grid: &Geometry) -> Self {
        let lines = LineSampling { image: image.clone(), grid: grid.clone() };
        let size = grid.size();
        let origin = lines.at([0.0; 3]);
        // How far the position on one axis moves when the index runs along another.
        let drifts = (0..3).any(|along| {
            let end = lines.at(std::array::from_fn(|axis| if axis == along { size[axis] as f64 } else { 0.0 }));
            (0..3).any(|axis| axis != along && (end[axis] - origin[axis]).abs() > 1e-9)
        });
        if drifts {
            return Self::General(Box::new(lines));
        }
        Self::Separable([
            lines.line(0, 0).map(|position| position[0]).collect(),
            (0..size[1]).map(|y| lines.at([0.0, y as f64, 0.0])[1]).collect(),
            (0..size[2]).map(|z| lines.at([0.0, 0.0, z as f64])[2]).collect(),
        ])
    }
}

/// Whether ITK counts a continuous index as inside an axis of `size` voxels.
#[inline]
pub(super) fn is_inside(position: f64, size: usize) -> bool {
    position >= -0.5 && position < size as f64 - 0.5
}

/// A volume whose voxels are found one by one, for grids that share no axes.
pub(super) fn sample_lines<T: Voxel>(
    image_size: [usize; 3],
    lines: &LineSampling,
    grid: &Geometry,
    outside: T,
    evaluate: impl Fn([f64; 3]) -> T + Sync,
) -> Volume<T> {
    let [width, height, _] = grid.size();
    let mut result = Volume::filled(grid.clone(), outside);
    result.as_mut_slice().par_chunks_mut(width).enumerate().for_each(|(line, voxels)| {
        for (voxel, position) in voxels.iter_mut().zip(lines.line(line % height, line / height)) {
            if (0..3).all(|axis| is_inside(position[axis], image_size[axis])) {
                *voxel = evaluate(position);
            }
        }
    });
    result
}

/// A volume whose voxels are found from what the `axes` hold for their indices; where one holds nothing, the voxel is
/// `outside`.
pub(super) fn sample_separable<T: Voxel, A: Sync>(
    axes: &[Vec<Option<A>>; 3],
    grid: &Geometry,
    outside: T,
    evaluate: impl Fn([&A; 3]) -> T + Sync,
) -> Volume<T> {
    let [width, height, _] = grid.size();
    let mut result = Volume::filled(grid.clone(), outside);
    result.as_mut_slice().par_chunks_mut(width).enumerate().for_each(|(line, voxels)| {
        let (Some(y), Some(z)) = (&axes[1][line % height], &axes[2][line / height]) else { return };
        for (voxel, x) in voxels.iter_mut().zip(&axes[0]) {
            if let Some(x) = x {
                *voxel = evaluate([x, y, z]);
            }
        }
    });
    result
}
