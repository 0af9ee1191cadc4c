//! Linear interpolation: on x, then y, then z, each as `a + (b − a)·d`, the order in which ITK rounds.

use super::sampling::{Sampling, is_inside, sample_lines};
use crate::geometry::Geometry;
use crate::parallel::for_each_part;
use crate::progress::Tally;
use crate::volume::{Volume, Voxel};

/// Two neighbours on an axis and how far the position lies from the first towards the second.
#[derive(Debug, Clone, Copy)]
struct Between {
    low: usize,
    high: usize,
    distance: f64,
}

impl Between {
    /// The neighbours of a position inside an axis; in the outer half voxel both are the edge.
    #[inline]
    fn new(position: f64, size: usize) -> Self {
        let base = position.floor();
        if base < 0.0 {
            return Self { low: 0, high: 0, distance: 0.0 };
        }
        let low = base as usize;
        Self { low, high: (low + 1).min(size - 1), distance: position - base }
    }

    #[inline]
    fn mix(&self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.distance
    }
}

pub(super) fn sample<T: Voxel>(
    volume: &Volume<T>,
    sampling: &Sampling<'_>,
    grid: &Geometry,
    outside: T,
    tally: &Tally<'_>,
) -> Volume<T> {
    let size = volume.geometry().size();
    match sampling.axes() {
        None => {
            let voxels = volume.as_slice();
            let at = |x: usize, y: usize, z: usize| voxels[(z * size[1] + y) * size[0] + x].to_f64();
            sample_lines(size, sampling.lines(), grid, outside, tally, |position| {
                let [x, y, z]: [Between; 3] = std::array::from_fn(|axis| Between::new(position[axis], size[axis]));
                let row = |y: usize, z: usize| x.mix(at(x.low, y, z), at(x.high, y, z));
                let plane = |z: usize| y.mix(row(y.low, z), row(y.high, z));
                T::from_f64(z.mix(plane(z.low), plane(z.high)))
            })
        }
        Some(positions) => separable(volume, positions, grid, outside, tally),
    }
}

fn separable<T: Voxel>(
    volume: &Volume<T>,
    positions: &[Vec<f64>; 3],
    grid: &Geometry,
    outside: T,
    tally: &Tally<'_>,
) -> Volume<T> {
    let size = volume.geometry().size();
    let axes: [Vec<Option<Between>>; 3] = std::array::from_fn(|axis| {
        positions[axis].iter().map(|&p| is_inside(p, size[axis]).then(|| Between::new(p, size[axis]))).collect()
    });
    let [width, height, depth] = grid.size();
    let mut result = Volume::filled(grid.clone(), outside);
    // Slices of the image are interpolated in their plane once and serve all slices of the result between them, so a
    // task takes a run of slices.
    let run = depth.div_ceil(4 * rayon::current_num_threads()).max(1);
    for_each_part(result.as_mut_slice(), width * height * run, &|task, slices| {
        let mut planes = Planes::new(volume, &axes, width, height);
        for (slice, z) in slices.chunks_mut(width * height).zip(&axes[2][task * run..]) {
            let _done = tally.at_end(height);
            let Some(z) = z else { continue };
            let [low, high] = planes.pair(z.low, z.high);
            for (y, row) in slice.chunks_mut(width).enumerate() {
                if axes[1][y].is_none() {
                    continue;
                }
                let line = y * width..(y + 1) * width;
                let neighbours = low[line.clone()].iter().zip(&high[line]);
                for ((voxel, x), (low, high)) in row.iter_mut().zip(&axes[0]).zip(neighbours) {
                    if x.is_some() {
                        *voxel = T::from_f64(z.mix(*low, *high));
                    }
                }
            }
        }
    });
    result
}

/// The last two slices of the image, interpolated on x and y.
struct Planes<'a, T> {
    volume: &'a Volume<T>,
    axes: &'a [Vec<Option<Between>>; 3],
    width: usize,
    held: [Option<usize>; 2],
    planes: [Vec<f64>; 2],
    rows: [Vec<f64>; 2],
}

impl<'a, T: Voxel> Planes<'a, T> {
    fn new(volume: &'a Volume<T>, axes: &'a [Vec<Option<Between>>; 3], width: usize, height: usize) -> Self {
        let plane = || vec![0.0; width * height];
        let row = || vec![0.0; width];
        Self { volume, axes, width, held: [None; 2], planes: [plane(), plane()], rows: [row(), row()] }
    }

    /// The interpolated slices `low` and `high`.
    fn pair(&mut self, low: usize, high: usize) -> [&[f64]; 2] {
        if self.held[1] == Some(low) && self.held[0] != Some(low) {
            self.held.swap(0, 1);
            self.planes.swap(0, 1);
        }
        for (slot, slice) in [low, high].into_iter().enumerate() {
            if self.held[slot] != Some(slice) {
                self.interpolate(slot, slice);
            }
        }
        [&self.planes[0], &self.planes[1]]
    }

    fn interpolate(&mut self, slot: usize, slice: usize) {
        let [width, height, _] = self.volume.geometry().size();
        let source = &self.volume.as_slice()[slice * width * height..][..width * height];
        let mut held: [Option<usize>; 2] = [None; 2];
        for (line, y) in self.planes[slot].chunks_mut(self.width).zip(&self.axes[1]) {
            let Some(y) = y else { continue };
            if held[1] == Some(y.low) {
                held.swap(0, 1);
                self.rows.swap(0, 1);
            }
            for (row, wanted) in [y.low, y.high].into_iter().enumerate() {
                if held[row] != Some(wanted) {
                    interpolate_row(&mut self.rows[row], &source[wanted * width..][..width], &self.axes[0]);
                    held[row] = Some(wanted);
                }
            }
            for ((value, low), high) in line.iter_mut().zip(&self.rows[0]).zip(&self.rows[1]) {
                *value = y.mix(*low, *high);
            }
        }
        self.held[slot] = Some(slice);
    }
}

fn interpolate_row<T: Voxel>(row: &mut [f64], source: &[T], positions: &[Option<Between>]) {
    for (value, x) in row.iter_mut().zip(positions) {
        if let Some(x) = x {
            *value = x.mix(source[x.low].to_f64(), source[x.high].to_f64());
        }
    }
}
