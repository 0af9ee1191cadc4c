//! Co-occurrences in a window that slides along a row of voxels.
//!
//! A step of the window takes the pairs of the column that it leaves out of the counts and those of the column that it
//! enters in. All that is kept are whole numbers, so the values of a voxel do not depend on the way that led to it.

use std::collections::BTreeSet;
use std::ops::Range;

use alnm_imaging::vectorised;

use super::matrix::{CooccurrenceMatrix, CountCell};
use super::maximal_correlation::{LARGEST, SymmetricBatch};
use super::statistics::{
    Definitions, Distributions, Entropies, MAXIMAL_CORRELATION, Statistics, WeightedValues, entropy_if_independent,
};
use crate::entropy::{InformationTables, information};
use crate::error::{RadiomicsError, Result};
use crate::feature::Formula;
use crate::level_map::{LevelScale, Offset, WantedDirections, directions};
use crate::map_rows::MapRows;
use crate::summation::mean_of_defined;

/// Difference of the highest and the lowest level up to which pairs are counted in tables, one for each direction.
const WIDEST: usize = 256;

/// The levels that windows look at.
#[derive(Debug, Clone)]
pub(crate) struct SlidingCooccurrences {
    /// Level - lowest + 1; 0 where a voxel does not count.
    cells: Vec<u16>,
    shape: [usize; 3],
    /// Voxels of the window to each side, (z, y, x).
    radius: [usize; 3],
    distances: Vec<u32>,
    directions: Vec<Offset>,
    lowest: u32,
    /// Levels from the lowest to the highest.
    width: usize,
    scale: LevelScale,
    definitions: Definitions,
}

/// The directions of the windows around the voxels of a run.
#[derive(Debug, Default)]
pub(crate) struct WindowDirections {
    /// For each voxel, the number of directions in which its window has pairs.
    pub(crate) counts: Vec<usize>,
    /// Directions in which any window has pairs; `None` for a weighted sum.
    pub(crate) occurring: BTreeSet<Option<Offset>>,
}

impl SlidingCooccurrences {
    /// Windows over `levels` (0 where a voxel does not count) on a grid of `shape`. `None` where the levels differ by
    /// too much for tables.
    pub(crate) fn new(
        levels: &[u32],
        shape: [usize; 3],
        radius: [usize; 3],
        distances: &[u32],
        fixed_axis: Option<usize>,
        scale: LevelScale,
        definitions: Definitions,
    ) -> Option<Self> {
        let lowest = levels.iter().copied().filter(|&level| level > 0).min()?;
        let width = (scale.highest - lowest) as usize + 1;
        if width > WIDEST {
            return None;
        }
        let window = std::array::from_fn(|axis| shape[axis].min(2 * radius[axis] + 1));
        let directions = directions(window, distances, fixed_axis).ok()?;
        let cells = levels.iter().map(|&level| if level > 0 { (level - lowest + 1) as u16 } else { 0 }).collect();
        Some(Self {
            cells,
            shape,
            radius,
            distances: distances.to_vec(),
            directions,
            lowest,
            width,
            scale,
            definitions,
        })
    }

    /// Fills `rows` of maps with the features of the windows around their voxels; see [`SlidingWindow::along`]. Returns
    /// the directions of each row.
    ///
    /// # Errors
    /// As [`SlidingWindow::along`] and [`MapRows::fill`].
    pub(crate) fn fill(
        &self,
        rows: MapRows<'_>,
        maps: &mut [Vec<f64>],
        formulas: &[&'static Formula<Statistics>],
        wanted: WantedDirections,
    ) -> Result<Vec<WindowDirections>> {
        let room = || SlidingWindow::new(self, formulas, wanted);
        rows.fill(maps, room, |window, run, pieces| window.along(run.clone(), pieces))
    }

    /// First and one past the last place of the window along an axis.
    fn extent(&self, place: usize, axis: usize) -> Range<usize> {
        place.saturating_sub(self.radius[axis])..(place + self.radius[axis] + 1).min(self.shape[axis])
    }
}

/// Counts of one direction, or of all together.
#[derive(Debug, Clone)]
struct PairCounts {
    /// Pairs without order, by the lower and the higher level.
    table: Vec<u32>,
    /// Ends of pairs by level.
    ends: Vec<u32>,
    /// Pairs by difference and by sum of their levels.
    difference: Vec<u32>,
    sum: Vec<u32>,
    pairs: u32,
}

impl PairCounts {
    /// No pairs yet, of levels from 0 to one below `width`.
    fn new(width: usize) -> Self {
        Self {
            table: vec![0; width * width],
            ends: vec![0; width],
            difference: vec![0; width],
            sum: vec![0; 2 * width - 1],
            pairs: 0,
        }
    }

    /// Counts a pair of levels (from 0) once more, or once less.
    #[inline(always)]
    fn count<const ENTERS: bool>(&mut self, width: usize, a: usize, b: usize) {
        let change = if ENTERS { 1 } else { u32::MAX };
        let (low, high) = (a.min(b), a.max(b));
        for counter in [
            &mut self.table[low * width + high],
            &mut self.difference[high - low],
            &mut self.sum[low + high],
            &mut self.pairs,
        ] {
            *counter = counter.wrapping_add(change);
        }
        for end in [a, b] {
            self.ends[end] = self.ends[end].wrapping_add(change);
        }
    }
}

/// A direction with the step that it makes in the grid, and its counts.
#[derive(Debug, Clone)]
struct Direction {
    offset: Offset,
    step: isize,
    counts: PairCounts,
}

/// The part of the grid that a window covers.
#[derive(Debug, Clone)]
struct Window {
    z: Range<usize>,
    y: Range<usize>,
    x: Range<usize>,
}

/// A window with its counts, and room for what is computed of them.
pub(crate) struct SlidingWindow<'a> {
    of: &'a SlidingCooccurrences,
    formulas: Vec<&'static Formula<Statistics>>,
    /// Place of the maximal correlation among the formulas.
    correlation: Option<usize>,
    /// Whether the directions are averaged.
    averages: bool,
    directions: Vec<Direction>,
    /// The counts of all directions, where they are wanted together.
    merged: Option<PairCounts>,
    summary: WindowSummary,
    correlations: Correlations,
}

impl<'a> SlidingWindow<'a> {
    /// A window for features averaged over directions, of all directions together, or both in this order.
    pub(crate) fn new(
        of: &'a SlidingCooccurrences,
        formulas: &[&'static Formula<Statistics>],
        wanted: WantedDirections,
    ) -> Self {
        let direction = |&offset: &Offset| Direction {
            offset,
            step: (offset[0] * of.shape[1] as isize + offset[1]) * of.shape[2] as isize + offset[2],
            counts: PairCounts::new(of.width),
        };
        Self {
            of,
            correlation: formulas.iter().position(|formula| formula.name == Some(MAXIMAL_CORRELATION)),
            formulas: formulas.to_vec(),
            averages: wanted.each,
            directions: of.directions.iter().map(direction).collect(),
            merged: wanted.merged.then(|| PairCounts::new(of.width)),
            summary: WindowSummary::new(of),
            correlations: Correlations::new(),
        }
    }

    /// Writes the features of the windows around the voxels of a run along x, of each map the piece along the run.
    ///
    /// # Errors
    /// By PyRadiomics' definitions [`RadiomicsError::NoNeighbours`] where a window is smaller than every distance.
    fn along(&mut self, run: Range<usize>, pieces: &mut [&mut [f64]]) -> Result<WindowDirections> {
        let of = self.of;
        let shape = of.shape;
        let (z, y) = (run.start / (shape[1] * shape[2]), run.start / shape[2] % shape[1]);
        let xs = run.start % shape[2]..run.start % shape[2] + run.len();
        let mut window = Window { z: of.extent(z, 0), y: of.extent(y, 1), x: 0..0 };
        window.x = of.extent(xs.start, 2).start..of.extent(xs.start, 2).start;

        let mut found = WindowDirections::default();
        let mut statistics: Vec<Statistics> = Vec::with_capacity(run.len() * self.directions.len());
        let mut merged: Vec<Option<Statistics>> = Vec::with_capacity(if self.merged.is_some() { run.len() } else { 0 });
        self.correlations.clear();
        for x in xs {
            let extent = of.extent(x, 2);
            while window.x.start < extent.start {
                self.shift::<false>(&window, window.x.start);
                window.x.start += 1;
            }
            while window.x.end < extent.end {
                window.x.end += 1;
                self.shift::<true>(&window, window.x.end - 1);
            }
            self.check_reach(&window)?;
            let before = statistics.len();
            self.summary.look_at(of, &window);
            for Direction { counts, offset, .. } in
                self.directions.iter().filter(|direction| direction.counts.pairs > 0)
            {
                found.occurring.insert(Some(*offset));
                if self.averages {
                    let correlations = self.correlation.map(|_| &mut self.correlations);
                    statistics.push(vectorised!(pulp::Arch::new(), self.summary.statistics(of, counts, correlations)));
                }
            }
            found.counts.push(statistics.len() - before);
            if let Some(counts) = &self.merged {
                let summary = &mut self.summary;
                let any = counts.pairs > 0;
                merged.push(any.then(|| vectorised!(pulp::Arch::new(), summary.statistics(of, counts, None))));
            }
        }
        while window.x.start < window.x.end {
            self.shift::<false>(&window, window.x.start);
            window.x.start += 1;
        }
        if self.correlation.is_some() {
            for (statistics, &correlation) in statistics.iter_mut().zip(self.correlations.finish()) {
                statistics.maximal_correlation = correlation;
            }
        }
        let mut remaining = statistics.as_slice();
        let (of_means, of_merged) = pieces.split_at_mut(if self.averages { self.formulas.len() } else { 0 });
        for (voxel, &count) in found.counts.iter().enumerate() {
            if self.averages {
                let (of_voxel, later) = remaining.split_at(count);
                for (piece, formula) in of_means.iter_mut().zip(&self.formulas) {
                    piece[voxel] = mean_of_defined(of_voxel.iter().map(formula.value));
                }
                remaining = later;
            }
            if let Some(merged) = merged.get(voxel) {
                for (piece, formula) in of_merged.iter_mut().zip(&self.formulas) {
                    piece[voxel] = merged.as_ref().map_or(f64::NAN, formula.value);
                }
            }
        }
        Ok(found)
    }

    fn check_reach(&self, window: &Window) -> Result<()> {
        let shape = [window.z.len(), window.y.len(), window.x.len()];
        let fits = |direction: &Direction| (0..3).all(|axis| direction.offset[axis].unsigned_abs() < shape[axis]);
        if self.of.definitions == Definitions::Ibsi || self.directions.iter().any(fits) {
            Ok(())
        } else {
            Err(RadiomicsError::NoNeighbours { shape, distances: self.of.distances.clone() })
        }
    }

    /// Counts the pairs of a window that have an end in `column`, or takes them out of the counts.
    fn shift<const ENTERS: bool>(&mut self, window: &Window, column: usize) {
        let of = self.of;
        for Direction { offset, step, counts } in &mut self.directions {
            let [dz, dy, dx] = *offset;
            // Places of the first voxel of a pair whose second lies in the window too.
            let first = |range: &Range<usize>, d: isize| {
                let (start, end) = (range.start as isize, range.end as isize);
                start.max(start - d)..end.min(end - d)
            };
            let (zs, ys, xs) = (first(&window.z, dz), first(&window.y, dy), first(&window.x, dx));
            let columns = [Some(column as isize), (dx != 0).then_some(column as isize - dx)];
            for x in columns.into_iter().flatten().filter(|x| xs.contains(x)) {
                for z in zs.clone() {
                    for y in ys.clone() {
                        let voxel = (z * of.shape[1] as isize + y) * of.shape[2] as isize + x;
                        let (a, b) = (of.cells[voxel as usize], of.cells[(voxel + *step) as usize]);
                        if a > 0 && b > 0 {
                            let (a, b) = (usize::from(a) - 1, usize::from(b) - 1);
                            counts.count::<ENTERS>(of.width, a, b);
                            if let Some(merged) = &mut self.merged {
                                merged.count::<ENTERS>(of.width, a, b);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Room for the distributions of one direction.
struct WindowSummary {
    /// 0, 1, 2 and so on.
    numbers: Vec<f64>,
    /// Lowest and highest level of the window, from 0.
    range: Range<usize>,
    /// How many levels the window has, where the definitions ask for it.
    levels: usize,
    /// Which levels it has.
    occurs: Vec<bool>,
    /// The levels that occur in a direction, from 0, their values and probabilities, and the roots of their ends of
    /// pairs.
    present: Vec<usize>,
    values: Vec<f64>,
    px: Vec<f64>,
    roots: Vec<f64>,
    inverse_roots: Vec<f64>,
    sum: Vec<f64>,
    difference: Vec<f64>,
    /// Lower triangle of the matrix whose spectral radius is the maximal correlation.
    lower: Vec<f64>,
    logarithms: InformationTables,
}

impl WindowSummary {
    fn new(of: &SlidingCooccurrences) -> Self {
        let largest = 2 * (of.lowest as usize + of.width);
        Self {
            numbers: (0..largest).map(|number| number as f64).collect(),
            range: 0..0,
            levels: 0,
            occurs: vec![false; of.width],
            present: Vec::new(),
            values: Vec::new(),
            px: Vec::new(),
            roots: Vec::new(),
            inverse_roots: Vec::new(),
            sum: Vec::new(),
            difference: Vec::new(),
            lower: Vec::new(),
            logarithms: InformationTables::new(of.definitions.epsilon()),
        }
    }

    /// Finds the lowest and the highest level of a window.
    fn look_at(&mut self, of: &SlidingCooccurrences, window: &Window) {
        let (mut lowest, mut highest) = (u16::MAX, 0);
        for z in window.z.clone() {
            for y in window.y.clone() {
                let row = (z * of.shape[1] + y) * of.shape[2];
                for &cell in &of.cells[row + window.x.start..row + window.x.end] {
                    // A voxel that does not count is 0, which wraps to the largest number.
                    lowest = lowest.min(cell.wrapping_sub(1));
                    highest = highest.max(cell);
                }
            }
        }
        self.range = usize::from(lowest)..usize::from(highest);
        if of.definitions == Definitions::Ibsi {
            self.count_levels(of, window);
        }
    }

    fn count_levels(&mut self, of: &SlidingCooccurrences, window: &Window) {
        self.occurs.fill(false);
        for z in window.z.clone() {
            for y in window.y.clone() {
                let row = (z * of.shape[1] + y) * of.shape[2];
                for &cell in of.cells[row + window.x.start..row + window.x.end].iter().filter(|cell| **cell > 0) {
                    self.occurs[usize::from(cell) - 1] = true;
                }
            }
        }
        self.levels = self.occurs.iter().filter(|occurs| **occurs).count();
    }

    /// The features of a direction that has pairs. Where maximal correlations are wanted, the matrix is put among them.
    #[inline(always)]
    fn statistics(
        &mut self,
        of: &SlidingCooccurrences,
        counts: &PairCounts,
        correlations: Option<&mut Correlations>,
    ) -> Statistics {
        let range = self.range.clone();
        let total = 2 * counts.pairs as usize;
        let logarithms = self.logarithms.of(total);
        let (of_pairs, of_ends) = (1.0 / f64::from(counts.pairs), 1.0 / total as f64);
        self.present.clear();
        self.present.extend(range.clone().filter(|&level| counts.ends[level] > 0));
        let n = self.present.len();
        self.values.clear();
        self.px.clear();
        self.roots.clear();
        self.inverse_roots.clear();
        let mut entropy_x = 0.0;
        for &level in &self.present {
            let ends = counts.ends[level];
            self.values.push((of.lowest as usize + level) as f64);
            self.px.push(f64::from(ends) * of_ends);
            self.roots.push(f64::from(ends).sqrt());
            self.inverse_roots.push(1.0 / f64::from(ends).sqrt());
            entropy_x -= logarithms[ends as usize];
        }
        let (sums, differences) = (2 * range.start..2 * range.end - 1, 0..range.len());
        let mut entropies = [0.0; 2];
        for ((entropy, p), counts) in entropies
            .iter_mut()
            .zip([&mut self.sum, &mut self.difference])
            .zip([&counts.sum[sums.clone()], &counts.difference[differences]])
        {
            p.clear();
            p.extend(counts.iter().map(|&count| f64::from(count) * of_pairs));
            *entropy = -counts.iter().map(|&count| logarithms[2 * count as usize]).sum::<f64>();
        }

        let (mut joint, mut squares, mut largest, mut inverse_shares) = (0.0, 0.0, 0, 0.0);
        let mut neighbours = [0u32; LARGEST];
        self.lower.clear();
        for i in 0..n {
            let (mut joint_of_row, mut squares_of_row, mut inverse_of_row) = (0.0, 0.0, 0.0);
            let (root, column) = (self.inverse_roots[i], self.present[i]);
            let mut touched = 0u32;
            for j in 0..i {
                let count = counts.table[self.present[j] * of.width + column];
                joint_of_row += logarithms[count as usize];
                largest = largest.max(count);
                let scaled = f64::from(count) * self.inverse_roots[j] * root;
                squares_of_row += f64::from(count) * f64::from(count);
                inverse_of_row += scaled * self.inverse_roots[j] * root;
                self.lower.push(scaled);
                let touches = u32::from(count > 0);
                touched |= touches.wrapping_shl(j as u32);
                neighbours[j % LARGEST] |= touches.wrapping_shl(i as u32);
            }
            let count = 2 * counts.table[column * of.width + column];
            let scaled = f64::from(count) * root * root;
            joint -= 2.0 * joint_of_row + logarithms[count as usize];
            squares += 2.0 * squares_of_row + f64::from(count) * f64::from(count);
            largest = largest.max(count);
            inverse_shares += 2.0 * inverse_of_row + scaled * root * root;
            self.lower.push(scaled);
            neighbours[i % LARGEST] |= touched | u32::from(count > 0).wrapping_shl(i as u32);
        }
        if let Some(correlations) = correlations {
            match n {
                // Levels that occur elsewhere add eigenvalues of 0.
                1 => correlations.values.push(if of.scale.count < 2 { 1.0 } else { 0.0 }),
                2..=LARGEST => correlations.push(&mut self.lower, &self.roots, total as f64, &neighbours[..n]),
                _ => correlations.values.push(correlation_of_many_levels(of, counts, &self.present)),
            }
        }

        let x = WeightedValues { values: &self.values, p: &self.px };
        let distributions = Distributions {
            x,
            y: x,
            sum: WeightedValues { values: &self.numbers[2 * of.lowest as usize..][sums], p: &self.sum },
            difference: WeightedValues { values: &self.numbers, p: &self.difference },
            entropies: Entropies { x: entropy_x, y: entropy_x, joint, sum: entropies[0], difference: entropies[1] },
            energy: squares * of_ends * of_ends,
            maximum: f64::from(largest) * of_ends,
            inverse_shares: inverse_shares * total as f64,
            highest_level: f64::from(of.scale.highest),
            levels: self.levels,
        };
        let present = &self.present;
        Statistics::by(of.definitions, &distributions, || exact_entropies(counts, of.width, present))
    }
}

/// The cells of a direction, in ascending order.
fn cells<'a>(counts: &'a PairCounts, width: usize, present: &'a [usize]) -> impl Iterator<Item = CountCell> + 'a {
    let pairs = move |i: usize, j: usize| counts.table[i.min(j) * width + i.max(j)] * if i == j { 2 } else { 1 };
    let all = present.iter().enumerate().flat_map(move |(row, &i)| {
        present.iter().enumerate().map(move |(column, &j)| (row as u32, column as u32, f64::from(pairs(i, j))))
    });
    all.filter(|(_, _, count)| *count > 0.0)
}

/// HXY2 and HXY added up cell by cell, row after row.
fn exact_entropies(counts: &PairCounts, width: usize, present: &[usize]) -> (f64, f64) {
    let total = f64::from(2 * counts.pairs);
    let mut joint = 0.0;
    let mut px = vec![0.0; present.len()];
    for (row, _, count) in cells(counts, width, present) {
        px[row as usize] += count / total;
        joint -= information(count / total);
    }
    (entropy_if_independent(&px, &px), joint)
}

/// The maximal correlation of a direction with more levels than a batch takes.
fn correlation_of_many_levels(of: &SlidingCooccurrences, counts: &PairCounts, present: &[usize]) -> f64 {
    let gray_levels: Vec<u32> = present.iter().map(|&level| of.lowest + level as u32).collect();
    let cells: Vec<CountCell> = cells(counts, of.width, present).collect();
    let matrix = CooccurrenceMatrix::new(&gray_levels, of.scale, &cells, None);
    matrix.map_or(f64::NAN, |matrix| matrix.maximal_correlation())
}

/// Maximal correlations in the order in which their matrices came, computed batch by batch.
struct Correlations {
    values: Vec<f64>,
    /// Matrices of similar size wait together, with the places of their values.
    waiting: Vec<(SymmetricBatch, Vec<usize>)>,
}

/// Rows by which the sizes of matrices that are computed together differ.
const SIMILAR: usize = 4;

impl Correlations {
    fn new() -> Self {
        Self { values: Vec::new(), waiting: vec![(SymmetricBatch::new(), Vec::new()); LARGEST / SIMILAR] }
    }

    fn clear(&mut self) {
        self.values.clear();
    }

    /// Adds the matrix of a direction with as many levels as there are `roots` of their ends of pairs, which are
    /// `total`: the `lower` triangle of A, and for each level those that it makes pairs with, as bits.
    #[inline(always)]
    fn push(&mut self, lower: &mut [f64], roots: &[f64], total: f64, neighbours: &[u32]) {
        let place = self.values.len();
        self.values.push(1.0);
        if falls_apart(neighbours) {
            return;
        }
        // The part along √p_x.
        let mut remaining = &mut *lower;
        for (i, root) in roots.iter().enumerate() {
            let (row, later) = remaining.split_at_mut(i + 1);
            for (entry, other) in row.iter_mut().zip(roots) {
                *entry -= root * other / total;
            }
            remaining = later;
        }
        let (batch, places) = &mut self.waiting[(roots.len() - 1) / SIMILAR];
        batch.push(roots.len(), lower);
        places.push(place);
        if batch.is_full() {
            Self::take(&mut self.values, batch, places);
        }
    }

    fn take(values: &mut [f64], batch: &mut SymmetricBatch, places: &mut Vec<usize>) {
        for (place, radius) in places.drain(..).zip(batch.take_spectral_radii()) {
            values[place] = radius;
        }
    }

    /// The values of all matrices since the last [`Correlations::clear`].
    fn finish(&mut self) -> &[f64] {
        for (batch, places) in self.waiting.iter_mut().filter(|(batch, _)| !batch.is_empty()) {
            Self::take(&mut self.values, batch, places);
        }
        &self.values
    }
}

/// Whether the levels as rows and as columns fall into groups without a pair between them; then 1 is an eigenvalue more
/// than once.
fn falls_apart(neighbours: &[u32]) -> bool {
    let all = u32::MAX >> (LARGEST - neighbours.len());
    let reached = |from: u32| {
        neighbours.iter().enumerate().filter(|(level, _)| from >> level & 1 > 0).fold(0, |to, (_, others)| to | others)
    };
    let (mut rows, mut columns) = (1, 0);
    loop {
        let (more_columns, more_rows) = (columns | reached(rows), rows | reached(columns));
        if (more_rows, more_columns) == (rows, columns) {
            return (rows & columns) != all;
        }
        (rows, columns) = (more_rows, more_columns);
    }
}
