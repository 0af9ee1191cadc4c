//! Features of the windows around the voxels of a region, many windows at once.
//!
//! The windows around neighbouring voxels of a row lie side by side, one in each lane: the voxels at one place of all
//! windows are a piece of a row of the grid, and the next window is the last one without the column that it leaves and
//! with the one that it enters. What a window is made of is found in all lanes at once, as whole numbers that stand for
//! a level and a size; how often each number comes up is a cell of the matrix, from which the formulas of the class
//! give the values. So a value has the bits that the class gives for the window alone.

mod first_order;
mod matrices;
mod neighbourhoods;
mod runs;
mod sorting;
mod zones;

use std::ops::Range;

use crate::error::Result;
use crate::feature::Formula;
use crate::glcm::Definitions;
use crate::level_map::{Offset, neighbour_offsets};
use crate::map_rows::MapRows;
use crate::size_matrix::JointFactors;
pub(crate) use first_order::{FirstOrderWindows, RankedValues};
use matrices::WindowMatrices;
pub(crate) use neighbourhoods::{DependenceWindows, ToneWindows};
pub(crate) use runs::RunWindows;
pub(crate) use zones::ZoneWindows;

/// Windows side by side: rows of a region are seldom much longer.
const WINDOWS: usize = 16;
/// One number of each window.
type Lanes<T> = [T; WINDOWS];
/// Stands among the numbers of a level and a size where there is nothing, as all numbers of level 0 do.
const NOTHING: u32 = 0;
/// Voxels of the largest window; beyond, one window after the other is as fast.
const MOST_VOXELS: usize = 1000;
/// Numbers of a level and a size that there is a table for.
const MOST_NUMBERS: usize = 1 << 18;

/// The grid that windows look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowGrid<'a> {
    /// Grey levels, 0 where a voxel does not count.
    levels: &'a [u32],
    highest: u32,
    /// (z, y, x).
    shape: [usize; 3],
    /// Voxels of the window to each side, (z, y, x).
    radius: [usize; 3],
}

impl<'a> WindowGrid<'a> {
    /// `None` where windows are too large or levels too high to be counted side by side.
    pub(crate) fn new(levels: &'a [u32], shape: [usize; 3], radius: [usize; 3]) -> Option<Self> {
        let largest =
            radius.iter().try_fold(1usize, |product, r| product.checked_mul(r.checked_mul(2)?.checked_add(1)?));
        let largest = largest.filter(|&voxels| voxels <= MOST_VOXELS)?;
        let highest = levels.iter().copied().max().unwrap_or(0);
        let fits = (highest as usize + 1) * (largest + 1) <= MOST_NUMBERS && u16::try_from(highest).is_ok();
        fits.then_some(Self { levels, highest, shape, radius })
    }

    /// The factors of sums over levels of the grid and sizes up to `largest`.
    pub(crate) fn joint_factors(&self, largest: usize) -> JointFactors {
        JointFactors::new(self.highest, largest)
    }

    /// Voxels of the largest window, and the extent of its longest side.
    pub(crate) fn largest_window(&self) -> (usize, usize) {
        let size = self.radius.map(|radius| 2 * radius + 1);
        (size.iter().product(), size.into_iter().max().unwrap_or(1))
    }

    /// First and one past the last place of the window along an axis.
    fn extent(&self, place: usize, axis: usize) -> Range<usize> {
        place.saturating_sub(self.radius[axis])..(place + self.radius[axis] + 1).min(self.shape[axis])
    }

    /// Fills `rows` of the maps of a class with the features of the windows around their voxels.
    ///
    /// # Errors
    /// As [`WindowGrid::along`] and [`MapRows::fill`].
    pub(crate) fn fill<C: WindowClass>(
        &self,
        rows: MapRows<'_>,
        maps: &mut [Vec<f64>],
        class: impl Fn() -> C + Sync + Send,
    ) -> Result<()> {
        let room = || (class(), Windows::default());
        let along = |(class, windows): &mut (C, Windows), run: &Range<usize>, pieces: &mut [&mut [f64]]| {
            self.along(class, windows, run, pieces)
        };
        rows.fill(maps, room, along).map(drop)
    }

    /// Planes and rows of the window around a voxel.
    fn planes_and_rows(&self, voxel: usize) -> (Range<usize>, Range<usize>) {
        let [_, height, width] = self.shape;
        let row = voxel / width;
        (self.extent(row / height, 0), self.extent(row % height, 1))
    }

    /// Where the rows begin that the window around a voxel looks at, in raster order.
    fn rows(&self, voxel: usize) -> impl Iterator<Item = usize> {
        let [_, height, width] = self.shape;
        let (zs, ys) = self.planes_and_rows(voxel);
        zs.flat_map(move |z| ys.clone().map(move |y| (z * height + y) * width))
    }

    /// Puts numbers of voxels into the places of the windows around `count` voxels of a row from `start` on, one window
    /// in each lane; `outside` where there is no voxel.
    fn gather<T: Copy>(&self, numbers: &[T], outside: T, start: usize, count: usize, places: &mut [Lanes<T>]) {
        let (width, radius) = (self.shape[2], self.radius[2]);
        let first = start % width;
        for (row, places) in self.rows(start).zip(places.chunks_exact_mut(2 * radius + 1)) {
            for (dx, lanes) in places.iter_mut().enumerate() {
                // Where in the row the place of the first window lies, and which lanes lie in the row.
                let from = (first + dx) as isize - radius as isize;
                if count == WINDOWS && from >= 0 && from as usize + WINDOWS <= width {
                    lanes.copy_from_slice(&numbers[row + from as usize..][..WINDOWS]);
                    continue;
                }
                *lanes = [outside; WINDOWS];
                let inside = (-from).clamp(0, count as isize) as usize
                    ..(width as isize - from).clamp(0, count as isize) as usize;
                if inside.is_empty() {
                    continue;
                }
                let source = row + (from + inside.start as isize) as usize;
                lanes[inside.clone()].copy_from_slice(&numbers[source..source + inside.len()]);
            }
        }
    }

    /// The features of the windows around the voxels of a run along x, of each map the piece along the run.
    ///
    /// # Errors
    /// [`RadiomicsError::NoNeighbours`](crate::RadiomicsError::NoNeighbours) where a window is too small for the class.
    fn along<C: WindowClass>(
        &self,
        class: &mut C,
        windows: &mut Windows,
        run: &Range<usize>,
        pieces: &mut [&mut [f64]],
    ) -> Result<()> {
        for start in run.clone().step_by(WINDOWS) {
            let count = WINDOWS.min(run.end - start);
            if windows.look_at(self, start, count) {
                class.resize(windows, self.highest);
            }
            for window_shape in windows.shapes(self, start) {
                class.check(window_shape)?;
            }
            class.write(self, windows, &mut WindowValues { pieces, first: start - run.start });
        }
        Ok(())
    }
}

/// A feature class on windows side by side.
pub(crate) trait WindowClass {
    /// Whether the class has values for a window of this shape.
    fn check(&self, shape: [usize; 3]) -> Result<()>;

    /// Makes ready for windows of another size over levels up to `highest`.
    fn resize(&mut self, windows: &Windows, highest: u32);

    /// Writes the values of each window.
    fn write(&mut self, grid: &WindowGrid<'_>, windows: &Windows, values: &mut WindowValues<'_, '_>);
}

/// Where the values of windows side by side belong in the maps.
pub(crate) struct WindowValues<'a, 'm> {
    /// By map, its piece along a run.
    pieces: &'a mut [&'m mut [f64]],
    /// The place of the first window in the run.
    first: usize,
}

impl WindowValues<'_, '_> {
    /// Writes the values of formulas for the subjects of the windows, into as many maps from `first_map` on.
    fn write<S>(&mut self, first_map: usize, formulas: &[&'static Formula<S>], subjects: &[S]) {
        for (piece, formula) in self.pieces[first_map..].iter_mut().zip(formulas) {
            let of_windows = piece[self.first..].iter_mut().zip(subjects);
            of_windows.for_each(|(value, subject)| *value = (formula.value)(subject));
        }
    }

    /// Writes the values of formulas for the subject of one window.
    fn write_window<S>(&mut self, window: usize, formulas: &[&'static Formula<S>], subject: &S) {
        for (piece, formula) in self.pieces.iter_mut().zip(formulas) {
            piece[self.first + window] = (formula.value)(subject);
        }
    }

    /// Writes that formulas have no value for a window.
    fn write_undefined(&mut self, window: usize) {
        for piece in &mut *self.pieces {
            piece[self.first + window] = f64::NAN;
        }
    }
}

/// Whether a window of this shape has room for two neighbours, as PyRadiomics requires of it. By the reference manual
/// of the IBSI a voxel alone has features too.
fn check_reach(
    definitions: Definitions,
    shape: [usize; 3],
    distances: &[u32],
    fixed_axis: Option<usize>,
) -> Result<()> {
    match definitions {
        Definitions::PyRadiomics => neighbour_offsets(shape, distances, fixed_axis).map(drop),
        Definitions::Ibsi => Ok(()),
    }
}

/// The voxels of windows side by side.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    /// How many lanes are windows.
    count: usize,
    /// Extent of a window, (z, y, x). Along x it goes on beyond the ends of the grid.
    size: [usize; 3],
    /// The voxel that the first window is around.
    start: usize,
    /// The levels of each place, 0 where a voxel does not count.
    levels: Vec<Lanes<u32>>,
}

impl Windows {
    /// Takes the windows around `count` voxels of a row from `start` on. Returns whether their size is another.
    fn look_at(&mut self, grid: &WindowGrid<'_>, start: usize, count: usize) -> bool {
        let (zs, ys) = grid.planes_and_rows(start);
        let size = [zs.len(), ys.len(), 2 * grid.radius[2] + 1];
        let is_new = size != self.size;
        if is_new {
            self.size = size;
            self.levels.resize(size.iter().product(), [0; WINDOWS]);
        }
        (self.start, self.count) = (start, count);
        grid.gather(grid.levels, NOTHING, start, count, &mut self.levels);
        is_new
    }

    /// The shapes of the windows as far as they lie in the grid: those cut along x, and that of the others.
    fn shapes(&self, grid: &WindowGrid<'_>, start: usize) -> Vec<[usize; 3]> {
        let first = start % grid.shape[2];
        let mut lengths: Vec<usize> = (first..first + self.count).map(|x| grid.extent(x, 2).len()).collect();
        lengths.dedup();
        lengths.into_iter().map(|length| [self.size[0], self.size[1], length]).collect()
    }

    /// Places of a window that are `offset` apart, by the place that comes later in raster order, ascending.
    fn pairs(&self, offset: Offset) -> Vec<(usize, usize)> {
        let [depth, height, width] = self.size.map(|n| n as isize);
        let mut pairs = Vec::new();
        for z in 0..depth {
            for y in 0..height {
                for x in 0..width {
                    let other = [z - offset[0], y - offset[1], x - offset[2]];
                    if (0..3).all(|axis| (0..self.size[axis] as isize).contains(&other[axis])) {
                        let place = |[z, y, x]: [isize; 3]| ((z * height + y) * width + x) as usize;
                        pairs.push((place([z, y, x]), place(other)));
                    }
                }
            }
        }
        pairs
    }

    /// The pairs of neighbours of a window at the given Chebyshev distances, each once, without steps along
    /// `fixed_axis`: the later place comes first, and the pairs ascend by it.
    fn neighbours(&self, distances: &[u32], fixed_axis: Option<usize>) -> Vec<(usize, usize)> {
        // Where no neighbour has room there is none.
        let offsets = neighbour_offsets(self.size, distances, fixed_axis).unwrap_or_default();
        let mut pairs: Vec<(usize, usize)> =
            offsets[..offsets.len() / 2].iter().flat_map(|&offset| self.pairs(offset)).collect();
        pairs.sort_unstable();
        pairs
    }
}
