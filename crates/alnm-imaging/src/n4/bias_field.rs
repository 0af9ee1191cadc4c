//! The fitted field, evaluated on any grid.

use pulp::Arch;
use rayon::prelude::*;

use super::exponential::exponential;
use super::lattice::Lattice;
use super::result::{N4Level, N4Result};
use super::spline::Splines;
use crate::geometry::Geometry;
use crate::vectorised;
use crate::volume::Volume;

/// What [`N4::fit`](super::N4::fit) found: a smooth field, known between voxels too.
///
/// On a grid of other size the first and last voxels are mapped to the ends of the spline's domain, wherever they lie,
/// as ITK's `GetLogBiasFieldAsImage` does: a field found on a shrunken image is stretched by up to half a large voxel.
#[derive(Debug, Clone, PartialEq)]
pub struct BiasField {
    pub(super) lattice: Lattice,
    pub(super) levels: Vec<N4Level>,
}

impl BiasField {
    /// How each level of the fit ended.
    #[must_use]
    pub fn levels(&self) -> &[N4Level] {
        &self.levels
    }

    /// Natural logarithm of the field on a grid.
    #[must_use]
    pub fn log_field(&self, grid: &Geometry) -> Volume<f32> {
        let mut log_field = Volume::filled(grid.clone(), 0.0);
        let splines = self.lattice.splines(grid);
        log_field
            .as_mut_slice()
            .par_chunks_mut(plane_length(grid))
            .enumerate()
            .for_each(|(z, plane)| self.evaluate_plane(&splines, grid, z, plane));
        log_field
    }

    /// Divides an image by the field, in its own memory.
    #[must_use]
    pub fn correct(self, mut image: Volume<f32>) -> N4Result {
        let grid = image.geometry().clone();
        let mut log_bias_field = Volume::filled(grid.clone(), 0.0);
        let splines = self.lattice.splines(&grid);
        let length = plane_length(&grid);
        let planes =
            image.as_mut_slice().par_chunks_mut(length).zip(log_bias_field.as_mut_slice().par_chunks_mut(length));
        planes.enumerate().for_each(|(z, (voxels, field))| {
            self.evaluate_plane(&splines, &grid, z, field);
            vectorised!(Arch::new(), {
                for (voxel, field) in voxels.iter_mut().zip(field) {
                    *voxel /= exponential(*field);
                }
            });
        });
        N4Result { corrected: image, log_bias_field, levels: self.levels }
    }

    fn evaluate_plane(&self, splines: &Splines, grid: &Geometry, z: usize, field: &mut [f32]) {
        let plane = self.lattice.plane(splines.evaluation(2), z);
        vectorised!(Arch::new(), {
            for (y, row) in field.chunks_mut(grid.size()[0]).enumerate() {
                plane.line(splines.evaluation(1), y).evaluate(splines.evaluation(0), 0, row);
            }
        });
    }
}

fn plane_length(grid: &Geometry) -> usize {
    grid.size()[0] * grid.size()[1]
}
