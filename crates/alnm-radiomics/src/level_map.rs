//! The discretised region that all texture matrices are counted on.

use std::borrow::Cow;
use std::ops::Range;

use ndarray::ArrayView3;
use rayon::prelude::*;

use crate::error::{RadiomicsError, Result};
use crate::tally::{Tally, TallyCell};

/// A step from a voxel to a neighbour, (z, y, x).
pub type Offset = [isize; 3];

/// Grey levels on a grid, 0 outside the region, with the rows of the region's voxels.
///
/// Levels are kept as positions in the ascending list of levels that occur, so that matrices have no empty rows. A rim
/// of zeros as wide as the farthest neighbour spares the counting loops their bounds checks.
#[derive(Debug, Clone)]
pub struct LevelMap {
    /// Extent of the grid without rim, (z, y, x).
    pub(crate) shape: [usize; 3],
    /// Width of the rim, (z, y, x).
    rim: [usize; 3],
    /// Steps between neighbours in `cells`, (z, y, x).
    strides: [usize; 3],
    /// Position of the level + 1, 0 outside the region; behind the grid with its rim follow [`BEHIND`] more zeros, so
    /// that loops may look at several cells at once.
    pub(crate) cells: Cells,
    voxel_count: usize,
    /// Where the region's voxels lie in `cells`, as rows along x without gaps: neighbours of a row are rows too, which
    /// counting loops go along.
    pub(crate) rows: Vec<Range<usize>>,
    /// The levels that occur, ascending.
    pub(crate) gray_levels: Vec<u32>,
    /// The voxels of each of them.
    pub(crate) level_voxels: Vec<u32>,
    /// Levels of the whole that this is a part of.
    scale: LevelScale,
}

/// Cells behind the last one of the grid.
pub(crate) const BEHIND: usize = 32;

/// Numbers by voxel, in bytes where they have room: four times as many are then read and compared at once.
#[derive(Debug, Clone)]
pub(crate) enum Cells {
    Narrow(Vec<u8>),
    Wide(Vec<u32>),
}

/// Evaluates an expression with the numbers of [`Cells`], of either width.
macro_rules! with_cells {
    ($of:expr, $cells:ident => $value:expr) => {
        match $of {
            $crate::level_map::Cells::Narrow($cells) => $value,
            $crate::level_map::Cells::Wide($cells) => $value,
        }
    };
}
pub(crate) use with_cells;

/// A number of [`Cells`].
pub(crate) trait Cell: Copy + Ord + Default + Into<u32> + Send + Sync + TallyCell {
    /// The number, which has room.
    fn narrowed(number: u32) -> Self;

    /// Numbers of this width.
    fn cells(numbers: Vec<Self>) -> Cells;
}

impl Cell for u8 {
    #[inline(always)]
    fn narrowed(number: u32) -> Self {
        number as Self
    }

    fn cells(numbers: Vec<Self>) -> Cells {
        Cells::Narrow(numbers)
    }
}

impl Cell for u32 {
    #[inline(always)]
    fn narrowed(number: u32) -> Self {
        number
    }

    fn cells(numbers: Vec<Self>) -> Cells {
        Cells::Wide(numbers)
    }
}

/// A number, wide.
pub(crate) fn widened<C: Cell>(cell: C) -> u32 {
    cell.into()
}

impl Cells {
    /// The number of a voxel.
    pub(crate) fn at(&self, voxel: usize) -> u32 {
        with_cells!(self, cells => widened(cells[voxel]))
    }

    /// All of them, wide.
    pub(crate) fn widened(&self) -> Cow<'_, [u32]> {
        match self {
            Self::Narrow(cells) => Cow::Owned(cells.iter().map(|&cell| u32::from(cell)).collect()),
            Self::Wide(cells) => Cow::Borrowed(cells),
        }
    }
}

/// What a part of a region has to know of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LevelScale {
    /// The highest level, N_g in the formulas of PyRadiomics.
    pub(crate) highest: u32,
    /// How many levels occur.
    pub(crate) count: usize,
}

impl LevelMap {
    /// The region whose voxels are those of `levels` (z, y, x) above 0. `reach` is the largest neighbour distance that
    /// will be asked for, in voxels.
    ///
    /// # Errors
    /// [`RadiomicsError::EmptyRegion`] when no level is above 0, [`RadiomicsError::RegionTooLarge`] when the grid has
    /// more than 2³² voxels.
    pub fn new(levels: ArrayView3<'_, u32>, reach: usize) -> Result<Self> {
        let shape = levels.dim().into();
        let inside: Vec<bool> = levels.iter().map(|&level| level > 0).collect();
        let levels: Vec<u32> = levels.iter().copied().filter(|&level| level > 0).collect();
        Self::from_runs(shape, &runs(&inside, shape), &levels, reach)
    }

    /// The region whose voxels make up `runs` along x on a grid of `shape`, with their `levels`.
    pub(crate) fn from_runs<C: Cell>(
        shape: [usize; 3],
        runs: &[Range<usize>],
        levels: &[C],
        reach: usize,
    ) -> Result<Self> {
        // A neighbour farther away than the grid is wide is never asked for.
        Self::with_rim(shape, runs, levels, shape.map(|n| reach.min(n.saturating_sub(1))))
    }

    /// [`LevelMap::from_runs`] with a rim that is given, (z, y, x): where it is as wide as the farthest neighbour,
    /// steps in every direction stay among the cells, also in those that the grid has no extent in.
    pub(crate) fn with_rim<C: Cell>(
        shape: [usize; 3],
        runs: &[Range<usize>],
        levels: &[C],
        rim: [usize; 3],
    ) -> Result<Self> {
        let padded: [usize; 3] = std::array::from_fn(|axis| shape[axis] + 2 * rim[axis]);
        let count = padded.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        let count = count.filter(|&n| u32::try_from(n).is_ok()).ok_or(RadiomicsError::RegionTooLarge { shape })?;
        let strides = [padded[1] * padded[2], padded[2], 1];

        let highest = widened(levels.iter().copied().max().unwrap_or_default());
        let mut tally = Tally::new(highest as usize + 1);
        tally.count(levels);
        let mut position = vec![0u32; highest as usize + 1];
        let (mut gray_levels, mut level_voxels) = (Vec::new(), Vec::new());
        for (level, voxels) in tally.counts().enumerate().skip(1).filter(|(_, voxels)| *voxels > 0) {
            gray_levels.push(level as u32);
            level_voxels.push(voxels);
            position[level] = gray_levels.len() as u32;
        }
        if gray_levels.is_empty() {
            return Err(RadiomicsError::EmptyRegion);
        }

        let place = |run: &Range<usize>| {
            let (z, y, x) = (run.start / (shape[1] * shape[2]), run.start / shape[2] % shape[1], run.start % shape[2]);
            let start = (z + rim[0]) * strides[0] + (y + rim[1]) * strides[1] + rim[2] + x;
            start..start + run.len()
        };
        let rows: Vec<Range<usize>> = runs.iter().map(place).collect();
        let cells = if gray_levels.len() > usize::from(u8::MAX) {
            Cells::Wide(placed(&rows, levels, count, |level| position[level.place()]))
        } else if gray_levels.len() == highest as usize {
            // Where no level is missing, a level is its position.
            Cells::Narrow(placed(&rows, levels, count, |level| widened(level) as u8))
        } else {
            Cells::Narrow(placed(&rows, levels, count, |level| position[level.place()] as u8))
        };
        let scale = LevelScale { highest: gray_levels[gray_levels.len() - 1], count: gray_levels.len() };
        Ok(Self { shape, rim, strides, cells, voxel_count: levels.len(), rows, gray_levels, level_voxels, scale })
    }

    /// The levels that occur, ascending.
    #[must_use]
    pub fn gray_levels(&self) -> &[u32] {
        &self.gray_levels
    }

    /// The directions in which pairs and runs are counted: one of each pair of opposite steps to neighbours at the
    /// given Chebyshev distances, without steps along `fixed_axis` (0 = z, 1 = y, 2 = x). The order is that of
    /// PyRadiomics.
    ///
    /// # Errors
    /// [`RadiomicsError::NoNeighbours`] when no step fits into the region's box.
    ///
    /// ```
    /// use alnm_radiomics::LevelMap;
    /// use ndarray::Array3;
    ///
    /// let map = LevelMap::new(Array3::<u32>::ones((3, 3, 3)).view(), 1)?;
    /// assert_eq!(map.directions(&[1], None)?.len(), 13);
    /// assert_eq!(map.directions(&[1], Some(0))?.len(), 4);
    /// # Ok::<(), alnm_radiomics::RadiomicsError>(())
    /// ```
    pub fn directions(&self, distances: &[u32], fixed_axis: Option<usize>) -> Result<Vec<Offset>> {
        directions(self.shape, distances, fixed_axis)
    }

    /// The map as part of a region with more levels, as the neighbourhood of a voxel is.
    pub(crate) fn within(self, scale: LevelScale) -> Self {
        Self { scale, ..self }
    }

    /// Levels of the region, or of the whole that it is a part of.
    pub(crate) fn scale(&self) -> LevelScale {
        self.scale
    }

    /// Number of voxels in the region.
    #[must_use]
    pub fn voxel_count(&self) -> usize {
        self.voxel_count
    }

    /// How many cells a plane across z has.
    pub(crate) fn plane(&self) -> usize {
        self.strides[0]
    }

    /// How many cells two planes across z have.
    pub(crate) fn two_planes(&self) -> usize {
        2 * self.strides[0]
    }

    /// Whether the region has so few voxels that sharing its directions among threads costs more than it saves.
    pub(crate) fn is_small(&self) -> bool {
        const WORTH_SHARING: usize = 1024;
        self.voxel_count < WORTH_SHARING
    }

    /// Where in the grid without rim a voxel of `cells` lies, (z, y, x).
    pub(crate) fn place(&self, voxel: usize) -> [usize; 3] {
        let [z, y, x] = [voxel / self.strides[0], voxel % self.strides[0] / self.strides[1], voxel % self.strides[1]];
        [z - self.rim[0], y - self.rim[1], x - self.rim[2]]
    }

    /// The levels themselves in the order of `cells`, 0 outside the region.
    pub(crate) fn level_cells(&self) -> Cow<'_, Cells> {
        let highest = self.gray_levels[self.gray_levels.len() - 1];
        // Where no level is missing, a level is its position.
        if self.gray_levels.len() == highest as usize {
            return Cow::Borrowed(&self.cells);
        }
        let level = |position: u32| if position == 0 { 0 } else { self.gray_levels[position as usize - 1] };
        Cow::Owned(with_cells!(&self.cells, cells => if highest <= u32::from(u8::MAX) {
            Cells::Narrow(cells.iter().map(|&position| level(widened(position)) as u8).collect())
        } else {
            Cells::Wide(cells.iter().map(|&position| level(widened(position))).collect())
        }))
    }

    /// The row of neighbours at `step` from a row of voxels, in `cells` or an array like it.
    pub(crate) fn neighbours<'a, T>(cells: &'a [T], row: &Range<usize>, step: isize) -> &'a [T] {
        let start = (row.start as isize + step) as usize;
        &cells[start..start + row.len()]
    }

    /// The cells `step` from the `N` cells from `start` on, in `cells` or an array like it; `N` is [`BEHIND`] at most.
    #[inline(always)]
    pub(crate) fn together<T, const N: usize>(cells: &[T], start: usize, step: isize) -> &[T; N] {
        const { assert!(N <= BEHIND, "rows end this far before the cells do") };
        let first = (start as isize + step) as usize;
        cells[first..first + N].as_array().unwrap_or_else(|| unreachable!("a slice of N cells is an array of N cells"))
    }

    /// Distance in `cells` between a voxel and its neighbour at `offset`.
    pub(crate) fn step(&self, offset: Offset) -> isize {
        (0..3).map(|axis| offset[axis] * self.strides[axis] as isize).sum()
    }
}

/// The cells of a grid whose rows hold, one after the other, what `cell` makes of the levels.
fn placed<C: Cell, T: Copy + Default>(
    rows: &[Range<usize>],
    levels: &[C],
    count: usize,
    cell: impl Fn(C) -> T,
) -> Vec<T> {
    let mut cells = vec![T::default(); count + BEHIND];
    let mut remaining = levels;
    for row in rows {
        let (levels, later) = remaining.split_at(row.len());
        for (to, &level) in cells[row.clone()].iter_mut().zip(levels) {
            *to = cell(level);
        }
        remaining = later;
    }
    cells
}

/// All steps to neighbours at Chebyshev distance 1, whatever the extent of the region; 26, or 8 without steps along
/// `fixed_axis`. The order is that of [`neighbour_offsets`].
pub(crate) fn adjacent_offsets(fixed_axis: Option<usize>) -> Vec<Offset> {
    const STEPS: [isize; 3] = [1, 0, -1];
    let steps = STEPS.iter().flat_map(|&z| STEPS.iter().flat_map(move |&y| STEPS.iter().map(move |&x| [z, y, x])));
    steps.filter(|offset| *offset != [0; 3] && fixed_axis.is_none_or(|axis| offset[axis] == 0)).collect()
}

/// Which matrices of several directions are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct WantedDirections {
    /// That of each direction.
    pub(crate) each: bool,
    /// The sum of all.
    pub(crate) merged: bool,
}

/// What `count` makes of groups of a few directions, in their order: a group shares its memory.
pub(crate) fn in_groups<T: Send>(
    map: &LevelMap,
    directions: &[Offset],
    count: impl Fn(&[Offset]) -> T + Sync + Send,
) -> Vec<T> {
    const TOGETHER: usize = 3;
    let together = if map.is_small() { directions.len().max(1) } else { TOGETHER };
    directions.par_chunks(together).map(count).collect()
}

/// The voxels that are `inside` a box of `shape` (z, y, x) as runs along x, in raster order.
pub(crate) fn runs(inside: &[bool], shape: [usize; 3]) -> Vec<Range<usize>> {
    runs_in_rows(inside.chunks_exact(shape[2]), true)
}

/// The voxels that equal `inside` as runs, which are counted from the first row on; all rows are as long.
pub(crate) fn runs_in_rows<'a, T: PartialEq + Copy + 'a>(
    rows: impl Iterator<Item = &'a [T]>,
    inside: T,
) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    for (row, voxels) in rows.enumerate() {
        let before = row * voxels.len();
        let mut x = 0;
        while let Some(start) = first(&voxels[x..], |voxel| voxel == inside).map(|gap| x + gap) {
            let length = first(&voxels[start..], |voxel| voxel != inside).unwrap_or(voxels.len() - start);
            x = start + length;
            runs.push(before + start..before + x);
        }
    }
    runs
}

/// The place of the first voxel that is wanted; several are looked at together.
fn first<T: Copy>(voxels: &[T], is_wanted: impl Fn(T) -> bool) -> Option<usize> {
    const TOGETHER: usize = 16;
    let holds = |part: &[T]| part.iter().fold(false, |found, &voxel| found | is_wanted(voxel));
    let passed = voxels.chunks_exact(TOGETHER).take_while(|part| !holds(part)).count() * TOGETHER;
    voxels[passed..].iter().position(|&voxel| is_wanted(voxel)).map(|place| passed + place)
}

/// Neighbour offsets at the given Chebyshev distances that fit into a grid of `shape` (z, y, x), without steps along
/// `fixed_axis`. The order is that of PyRadiomics: from the largest offset to the smallest, x fastest.
///
/// # Errors
/// [`RadiomicsError::NoNeighbours`] when no offset fits.
pub(crate) fn neighbour_offsets(
    shape: [usize; 3],
    distances: &[u32],
    fixed_axis: Option<usize>,
) -> Result<Vec<Offset>> {
    let farthest = distances.iter().copied().max().unwrap_or(0) as isize;
    let reach: [isize; 3] =
        std::array::from_fn(|axis| if fixed_axis == Some(axis) { 0 } else { farthest.min(shape[axis] as isize - 1) });
    let mut offsets = Vec::new();
    for z in (-reach[0]..=reach[0]).rev() {
        for y in (-reach[1]..=reach[1]).rev() {
            for x in (-reach[2]..=reach[2]).rev() {
                let distance = z.abs().max(y.abs()).max(x.abs());
                if distances.iter().any(|&wanted| wanted as isize == distance && distance > 0) {
                    offsets.push([z, y, x]);
                }
            }
        }
    }
    if offsets.is_empty() {
        Err(RadiomicsError::NoNeighbours { shape, distances: distances.to_vec() })
    } else {
        Ok(offsets)
    }
}

/// One of each pair of opposite offsets: the directions of co-occurrences and runs.
///
/// # Errors
/// As [`neighbour_offsets`].
pub(crate) fn directions(shape: [usize; 3], distances: &[u32], fixed_axis: Option<usize>) -> Result<Vec<Offset>> {
    let mut offsets = neighbour_offsets(shape, distances, fixed_axis)?;
    offsets.truncate(offsets.len() / 2);
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;
    use proptest::prelude::*;

    use super::*;
    use crate::glcm::pair_counts;
    use crate::glrlm::run_counts;
    use crate::neighbourhood::{Counting, Neighbourhoods};
    use crate::zones::{KeptPlaces, Zones};

    proptest! {
        #[test]
        fn narrow_and_wide_numbers_are_counted_alike(levels in prop::collection::vec(0u32..5, 3 * 4 * 7), factor in 1u32..100, alpha in 0u32..2) {
            prop_assume!(levels.iter().any(|&level| level > 0));
            let levels = Array3::from_shape_vec([3, 4, 7], levels).unwrap().mapv(|level| level * factor);
            let map = LevelMap::new(levels.view(), 1).unwrap();
            let wide = LevelMap { cells: Cells::Wide(map.cells.widened().into_owned()), ..map.clone() };
            for offset in adjacent_offsets(None) {
                prop_assert_eq!(pair_counts(&map, offset), pair_counts(&wide, offset));
                prop_assert_eq!(run_counts(&map, offset), run_counts(&wide, offset));
            }
            let [narrow, wide] = [&map, &wide].map(|map| {
                let offsets = adjacent_offsets(None);
                let neighbourhoods = Neighbourhoods::count(map, &offsets, Counting::Both { alpha });
                (neighbourhoods, Zones::new(map, offsets, KeptPlaces::None).by_size(map))
            });
            prop_assert_eq!(narrow, wide);
        }
    }

    #[test]
    fn a_volume_has_13_directions_and_a_slice_4() {
        assert_eq!(directions([3, 3, 3], &[1], None).unwrap().len(), 13);
        assert_eq!(directions([1, 3, 3], &[1], None).unwrap().len(), 4);
        assert_eq!(directions([3, 3, 3], &[1], Some(1)).unwrap().len(), 4);
        assert_eq!(directions([9, 9, 9], &[1, 2], None).unwrap().len(), 62);
        assert!(directions([2, 2, 2], &[2], None).is_err());
    }

    #[test]
    fn adjacent_offsets_are_those_of_a_large_grid() {
        assert_eq!(adjacent_offsets(None), neighbour_offsets([3; 3], &[1], None).unwrap());
        for axis in 0..3 {
            assert_eq!(adjacent_offsets(Some(axis)), neighbour_offsets([3; 3], &[1], Some(axis)).unwrap());
        }
    }

    #[test]
    fn offsets_come_in_opposite_pairs() {
        let offsets = neighbour_offsets([4, 2, 5], &[1, 3], None).unwrap();
        for (offset, opposite) in offsets.iter().zip(offsets.iter().rev()) {
            assert_eq!(offset.map(|d| -d), *opposite);
        }
    }
}
