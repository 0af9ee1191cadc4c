//! The speed between voxels.

use super::equation::SpeedSamples;
use super::sparse_field::SparseField;
use crate::speed::SpeedSource;

/// The voxels around a place, and how far it lies between them on each axis.
struct Cell {
    /// The first and the last voxel on each axis (x, y, z).
    corners: [[usize; 2]; 3],
    fractions: [f64; 3],
}

impl<S: SpeedSource + ?Sized> SparseField<'_, S> {
    /// The cell around the place `offset` voxels before a voxel; the voxel itself for places outside of the image.
    fn cell(&self, voxel: [usize; 3], offset: [f64; 3]) -> Cell {
        let image = self.source().geometry().size();
        let place: [f64; 3] = std::array::from_fn(|axis| voxel[axis] as f64 - offset[axis]);
        let is_inside = place.iter().zip(image).all(|(&place, n)| place >= -0.5 && place < n as f64 - 0.5);
        if !is_inside {
            return Cell { corners: voxel.map(|index| [index; 2]), fractions: [0.0; 3] };
        }
        let mut cell = Cell { corners: [[0; 2]; 3], fractions: [0.0; 3] };
        for axis in 0..3 {
            let low = place[axis].floor().max(0.0);
            let index = low as usize;
            cell.corners[axis] = [index, (index + 1).min(image[axis] - 1)];
            cell.fractions[axis] = (place[axis] - low).max(0.0);
        }
        cell
    }

    /// The gradient of the speed at a voxel per mm, by differences of its neighbours.
    fn gradient_at(&self, voxel: [usize; 3]) -> [f64; 3] {
        let grid = self.source().geometry();
        std::array::from_fn(|axis| {
            let along = |index: usize| {
                let mut there = voxel;
                there[axis] = index;
                self.speed_at(there)
            };
            let (before, behind) = (voxel[axis].saturating_sub(1), (voxel[axis] + 1).min(grid.size()[axis] - 1));
            (along(behind) - along(before)) * 0.5 / grid.spacing()[axis]
        })
    }
}

impl<S: SpeedSource + ?Sized> SparseField<'_, S> {
    /// The speeds at the corners of a cell, (z, y, x).
    fn corner_speeds(&self, cell: &Cell) -> [[[f64; 2]; 2]; 2] {
        let [xs, ys, zs] = cell.corners;
        let (first, last) = ([xs[0], ys[0], zs[0]], [xs[1], ys[1], zs[1]]);
        let part = self.window().part();
        if part.contains(first) && part.contains(last) {
            let (start, strides) = (self.window().position(first), self.window().strides());
            let [x, y, z] = std::array::from_fn(|axis| (last[axis] - first[axis]) * strides[axis]);
            return [0, z].map(|z| [0, y].map(|y| [0, x].map(|x| self.speed_in_window(start + x + y + z))));
        }
        zs.map(|z| ys.map(|y| xs.map(|x| self.speed_at([x, y, z]))))
    }
}

impl<S: SpeedSource + ?Sized> SpeedSamples for SparseField<'_, S> {
    fn speed(&self, position: usize, offset: [f64; 3]) -> f64 {
        let cell = self.cell(self.window().voxel(position), offset);
        let [dx, dy, dz] = cell.fractions;
        let between = |[low, high]: [f64; 2], fraction: f64| low + (high - low) * fraction;
        let rows = self.corner_speeds(&cell).map(|plane| plane.map(|row| between(row, dx)));
        between(rows.map(|row| between(row, dy)), dz)
    }

    fn speed_gradient(&self, position: usize, offset: [f64; 3], exponent: u32) -> [f64; 3] {
        let Cell { corners: [xs, ys, zs], fractions: [dx, dy, dz] } = self.cell(self.window().voxel(position), offset);
        let share = |fraction: f64| [1.0 - fraction, fraction];
        let mut sum = [0.0; 3];
        for (&z, c) in zs.iter().zip(share(dz)) {
            for (&y, b) in ys.iter().zip(share(dy)) {
                for (&x, a) in xs.iter().zip(share(dx)) {
                    let weight = a * b * c;
                    if weight == 0.0 {
                        continue;
                    }
                    let factor = weight * self.speed_at([x, y, z]).powi(exponent as i32);
                    let gradient = self.gradient_at([x, y, z]);
                    (0..3).for_each(|axis| sum[axis] += factor * gradient[axis]);
                }
            }
        }
        sum
    }
}
