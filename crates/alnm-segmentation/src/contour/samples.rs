//! The speed between voxels.

use alnm_imaging::ImagingError;
use rayon::prelude::*;

use super::OPERATION;
use super::equation::SpeedSamples;
use super::stencils::{BLOCK, Numbers};
use super::window::Window;
use crate::error::Result;
use crate::speed::SpeedSource;

/// Cells of a window from which on threads share its reading.
const SHARED_SPEEDS: usize = 1 << 17;

/// The speeds of a window of the image, and of the image where a place lies outside of the window.
#[derive(Debug)]
pub(super) struct Speeds<'a, S: ?Sized> {
    source: &'a S,
    window: Window,
    /// Of the cells of the window; those beyond the border of the image have the speeds on it.
    speeds: Vec<f32>,
}

/// The voxels around a place, and how far it lies between them on each axis.
struct Cell {
    /// The first and the last voxel on each axis (x, y, z).
    corners: [[usize; 2]; 3],
    fractions: [f64; 3],
}

impl<'a, S: SpeedSource + ?Sized> Speeds<'a, S> {
    /// Reads the speeds of a window. What lies far from the contour is not looked at.
    ///
    /// # Errors
    /// [`ImagingError::InvalidVoxel`] with the first voxel whose speed is not finite.
    pub(super) fn read(source: &'a S, window: Window) -> Result<Self> {
        let mut speeds = vec![0.0; window.cell_count()];
        let mut lines = window.split_rows(&mut speeds);
        let read = |([x, y, z], line): &mut ([usize; 3], &mut [f32])| {
            source.fill_row([*x, *y, *z], line);
            // Most rows have none, which is seen without a branch at each voxel.
            if line.iter().fold(true, |all, speed| all & speed.is_finite()) {
                return None;
            }
            let place = line.iter().position(|speed| !speed.is_finite())?;
            Some(([*x + place, *y, *z], line[place]))
        };
        let bad = if window.cell_count() < SHARED_SPEEDS {
            lines.iter_mut().find_map(read)
        } else {
            lines.par_iter_mut().find_map_first(read)
        };
        if let Some((index, speed)) = bad {
            let (value, requirement) = (f64::from(speed), "every voxel must be finite");
            return Err(ImagingError::InvalidVoxel { operation: OPERATION, index, value, requirement }.into());
        }
        window.go_on_beyond(&mut speeds);
        Ok(Self { source, window, speeds })
    }

    /// The speeds of another window of the same image.
    ///
    /// # Errors
    /// As [`Speeds::read`].
    pub(super) fn of_window(&self, window: Window) -> Result<Self> {
        Self::read(self.source, window)
    }

    pub(super) fn window(&self) -> &Window {
        &self.window
    }

    /// The speed at a voxel of the image, in the window or not.
    fn at(&self, voxel: [usize; 3]) -> f32 {
        if self.window.part().contains(voxel) {
            return self.speeds[self.window.position(voxel)];
        }
        let mut speed = [0.0];
        self.source.fill_row(voxel, &mut speed);
        speed[0]
    }

    /// The cell around the place `offset` voxels before a voxel; the voxel itself for places outside of the image.
    fn cell(&self, voxel: [usize; 3], offset: [f64; 3]) -> Cell {
        let image = self.source.geometry().size();
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
        let grid = self.source.geometry();
        std::array::from_fn(|axis| {
            let along = |index: usize| {
                let mut there = voxel;
                there[axis] = index;
                f64::from(self.at(there))
            };
            let (before, behind) = (voxel[axis].saturating_sub(1), (voxel[axis] + 1).min(grid.size()[axis] - 1));
            (along(behind) - along(before)) * 0.5 / grid.spacing()[axis]
        })
    }
}

/// The speed between the corners of a cell, which are in raster order.
#[inline(always)]
fn between(corners: [f32; 8], fractions: [f64; 3]) -> f64 {
    let between = |low: f64, high: f64, fraction: f64| low + (high - low) * fraction;
    let row = |first: usize| between(f64::from(corners[first]), f64::from(corners[first + 1]), fractions[0]);
    let plane = |first: usize| between(row(first), row(first + 2), fractions[1]);
    between(plane(0), plane(4), fractions[2])
}

/// The cells around a block of places.
struct CellBlock {
    /// The position of the first corner.
    first: [u32; BLOCK],
    /// 1 where all corners lie in the window, as nearly everywhere, and 0 elsewhere.
    is_common: [u64; BLOCK],
    fractions: [Numbers; 3],
}

impl CellBlock {
    /// The cells around the places `offsets` voxels (x, y, z) before the positions of a block, in an image of `D` dimensions.
    #[inline(always)]
    fn around<const D: usize>(window: &Window, block: &[u32; BLOCK], offsets: &[Numbers; 3]) -> Self {
        let mut cells = Self { first: [0; BLOCK], is_common: [0; BLOCK], fractions: [[0.0; BLOCK]; 3] };
        let strides = window.strides().map(|stride| stride as f64);
        let start = window.part().start().map(|n| n as f64);
        let [lowest, highest] = window.places();
        // A number of cells and a half is far enough from a multiple of a row for a product to find the row.
        let (rows, slices) = (1.0 / strides[1], 1.0 / strides[2]);
        for lane in 0..BLOCK {
            let position = f64::from(block[lane]);
            let slice = ((position + 0.5) * slices).floor();
            let in_slice = position - slice * strides[2];
            let row = ((in_slice + 0.5) * rows).floor();
            let voxel = [in_slice - row * strides[1], row, slice];
            let (mut is_common, mut first) = (true, if D == 2 { strides[2] } else { 0.0 });
            for axis in 0..D {
                let place = voxel[axis] + (start[axis] - 1.0) - offsets[axis][lane];
                let low = place.floor();
                cells.fractions[axis][lane] = place - low;
                is_common &= (place >= lowest[axis]) & (place < highest[axis]);
                first += (low - start[axis] + 1.0) * strides[axis];
            }
            cells.is_common[lane] = u64::from(is_common);
            let first = if is_common { first } else { position };
            // From 2⁵² on, doubles are whole numbers whose lowest bits are those of the number above 2⁵².
            cells.first[lane] = (first + 4_503_599_627_370_496.0).to_bits() as u32;
        }
        cells
    }
}

impl<S: SpeedSource + ?Sized> SpeedSamples for Speeds<'_, S> {
    #[inline(always)]
    fn speeds<const D: usize>(&self, block: &[u32; BLOCK], offsets: &[Numbers; 3], speeds: &mut Numbers) {
        let [_, row, slice] = self.window.strides();
        let slice = if D == 2 { 0 } else { slice };
        // Views of one length that each begin at another corner: one check of a place serves all of them, and the compiler
        // sees that none is left to do.
        let count = ((self.speeds.len() - slice - row - 1) as u32).max(1);
        let view = |start: usize| &self.speeds[start..][..count as usize];
        let [a, b, c, d] = [view(0), view(1), view(row), view(row + 1)];
        let [e, f, g, h] = [view(slice), view(slice + 1), view(slice + row), view(slice + row + 1)];
        let cells = CellBlock::around::<D>(&self.window, block, offsets);
        for lane in 0..BLOCK {
            let first = cells.first[lane];
            let i = (if first < count { first } else { 0 }) as usize;
            let fractions = [cells.fractions[0][lane], cells.fractions[1][lane], cells.fractions[2][lane]];
            speeds[lane] = between([a[i], b[i], c[i], d[i], e[i], f[i], g[i], h[i]], fractions);
        }
        if cells.is_common.iter().sum::<u64>() < BLOCK as u64 {
            for lane in (0..BLOCK).filter(|&lane| cells.is_common[lane] == 0) {
                speeds[lane] = self.speed_beside(block[lane], offsets.each_ref().map(|offsets| offsets[lane]));
            }
        }
    }

    fn speed_gradient(&self, position: u32, offset: [f64; 3], exponent: u32) -> [f64; 3] {
        let voxel = self.window.voxel(position as usize);
        let Cell { corners: [xs, ys, zs], fractions: [dx, dy, dz] } = self.cell(voxel, offset);
        let share = |fraction: f64| [1.0 - fraction, fraction];
        let mut sum = [0.0; 3];
        for (&z, c) in zs.iter().zip(share(dz)) {
            for (&y, b) in ys.iter().zip(share(dy)) {
                for (&x, a) in xs.iter().zip(share(dx)) {
                    let weight = a * b * c;
                    if weight == 0.0 {
                        continue;
                    }
                    let factor = weight * f64::from(self.at([x, y, z])).powi(exponent as i32);
                    let gradient = self.gradient_at([x, y, z]);
                    (0..3).for_each(|axis| sum[axis] += factor * gradient[axis]);
                }
            }
        }
        sum
    }
}

impl<S: SpeedSource + ?Sized> Speeds<'_, S> {
    /// The speed `offset` voxels (x, y, z) before a position, at a place that may leave the window or the image.
    #[cold]
    fn speed_beside(&self, position: u32, offset: [f64; 3]) -> f64 {
        let Cell { corners: [xs, ys, zs], fractions } = self.cell(self.window.voxel(position as usize), offset);
        let corner = |corner: usize| self.at([xs[corner & 1], ys[corner >> 1 & 1], zs[corner >> 2]]);
        between([0, 1, 2, 3, 4, 5, 6, 7].map(corner), fractions)
    }
}
