//! The speed between voxels.

use alnm_imaging::ImagingError;
use rayon::prelude::*;

use super::OPERATION;
use super::equation::SpeedSamples;
use super::stencils::{BLOCK, Numbers};
use super::window::Window;
use crate::error::Result;
use crate::speed::SpeedSource;

/// The speeds of a window of the image, and of the image where a place lies outside of the window.
#[derive(Debug)]
pub(super) struct Speeds<'a, S: ?Sized> {
    source: &'a S,
    window: Window,
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
        let bad = lines.par_iter_mut().find_map_first(|([x, y, z], line)| {
            source.fill_row([*x, *y, *z], line);
            // Most rows have none, which is seen without a branch at each voxel.
            if line.iter().fold(true, |all, speed| all & speed.is_finite()) {
                return None;
            }
            let place = line.iter().position(|speed| !speed.is_finite())?;
            Some(([*x + place, *y, *z], line[place]))
        });
        if let Some((index, speed)) = bad {
            let (value, requirement) = (f64::from(speed), "every voxel must be finite");
            return Err(ImagingError::InvalidVoxel { operation: OPERATION, index, value, requirement }.into());
        }
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

/// The cells of a block of places, and the speeds at their corners.
struct Corners {
    /// The position of the first corner.
    first: [u32; BLOCK],
    /// 1 where all corners lie in the window, each behind the one before, as nearly everywhere, and 0 elsewhere.
    is_common: [u64; BLOCK],
    fractions: [Numbers; 3],
    /// At the corners in raster order, two beside each other at a time.
    speeds: [[[f32; 2]; BLOCK]; 4],
}

impl Corners {
    /// Finds the cells around the places `offsets` before the positions of a block.
    #[inline(always)]
    fn find<const D: usize>(
        &mut self,
        window: &Window,
        image: [usize; 3],
        block: &[u32; BLOCK],
        offsets: &[Numbers; 3],
    ) {
        let strides = window.strides().map(|stride| stride as f64);
        let (start, end) = (window.part().start().map(|n| n as f64), window.part().end().map(|n| n as f64));
        let last_place = image.map(|n| n as f64 - 0.5);
        // A number of cells and a half is far enough from a multiple of a row for a product to find the row.
        let (rows, slices) = (1.0 / strides[1], 1.0 / strides[2]);
        for lane in 0..BLOCK {
            let position = f64::from(block[lane]);
            let slice = ((position + 0.5) * slices).floor();
            let in_slice = position - slice * strides[2];
            let row = ((in_slice + 0.5) * rows).floor();
            let cell = [in_slice - row * strides[1], row, slice];
            let (mut is_common, mut first) = (true, 0.0);
            for axis in 0..D {
                let place = cell[axis] + (start[axis] - 1.0) - offsets[axis][lane];
                let floor = place.floor();
                let low = if floor > 0.0 { floor } else { 0.0 };
                let between = place - low;
                self.fractions[axis][lane] = if between > 0.0 { between } else { 0.0 };
                is_common &=
                    (place >= -0.5) & (place < last_place[axis]) & (low >= start[axis]) & (low + 1.0 < end[axis]);
                first += (low - start[axis] + 1.0) * strides[axis];
            }
            if D == 2 {
                first += strides[2];
            }
            self.is_common[lane] = u64::from(is_common);
            let first = if is_common { first } else { position };
            // From 2⁵² on, doubles are whole numbers whose lowest bits are those of the number above 2⁵².
            self.first[lane] = (first + 4_503_599_627_370_496.0).to_bits() as u32;
        }
    }
}

impl<S: SpeedSource + ?Sized> SpeedSamples for Speeds<'_, S> {
    #[inline(always)]
    fn speeds<const D: usize>(&self, block: &[u32; BLOCK], offsets: &[Numbers; 3], speeds: &mut Numbers) {
        let [_, row, slice] = self.window.strides().map(|stride| stride as u32 as usize);
        let slice = if D == 2 { 0 } else { slice };
        let mut corners = Corners {
            first: [0; BLOCK],
            is_common: [0; BLOCK],
            fractions: [[0.0; BLOCK]; 3],
            speeds: [[[0.0; 2]; BLOCK]; 4],
        };
        corners.find::<D>(&self.window, self.source.geometry().size(), block, offsets);
        for (lane, &first) in corners.first.iter().enumerate() {
            let cell = &self.speeds[first as usize..][..slice + row + 2];
            for (pair, step) in [0, row, slice, slice + row].into_iter().enumerate() {
                corners.speeds[pair][lane] = [cell[step], cell[step + 1]];
            }
        }
        if corners.is_common.iter().sum::<u64>() < BLOCK as u64 {
            self.read_uncommon(block, offsets, &mut corners);
        }
        let between = |low: f64, high: f64, fraction: f64| low + (high - low) * fraction;
        for lane in 0..BLOCK {
            let at = |corner: usize| f64::from(corners.speeds[corner / 2][lane][corner % 2]);
            let fraction = |axis: usize| corners.fractions[axis][lane];
            let row = |first: usize| between(at(first), at(first + 1), fraction(0));
            let plane = |first: usize| between(row(first), row(first + 2), fraction(1));
            speeds[lane] = between(plane(0), plane(4), fraction(2));
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
    /// Reads the corners of the places of a block that leave the window or the image.
    #[cold]
    fn read_uncommon(&self, block: &[u32; BLOCK], offsets: &[Numbers; 3], corners: &mut Corners) {
        for lane in (0..BLOCK).filter(|&lane| corners.is_common[lane] == 0) {
            let voxel = self.window.voxel(block[lane] as usize);
            let Cell { corners: [xs, ys, zs], fractions } =
                self.cell(voxel, offsets.each_ref().map(|offsets| offsets[lane]));
            for axis in 0..3 {
                corners.fractions[axis][lane] = fractions[axis];
            }
            for corner in 0..8 {
                let voxel = [xs[corner & 1], ys[corner >> 1 & 1], zs[corner >> 2]];
                corners.speeds[corner / 2][lane][corner % 2] = self.at(voxel);
            }
        }
    }
}
