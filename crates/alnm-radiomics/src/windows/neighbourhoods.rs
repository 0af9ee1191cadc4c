//! Dependences and tone differences of windows.

use alnm_imaging::vectorised;

use super::matrices::CellCounts;
use super::{Lanes, WINDOWS, WindowClass, WindowGrid, WindowMatrices, WindowValues, Windows, check_reach};
use crate::error::Result;
use crate::feature::Formula;
use crate::glcm::Definitions;
use crate::ngtdm::{ToneDifferenceMatrix, ToneSums};
use crate::size_matrix::{JointFactors, SizeMatrix};

/// Which voxels of a window are neighbours.
struct WindowNeighbours {
    definitions: Definitions,
    distances: Vec<u32>,
    fixed_axis: Option<usize>,
    /// Neighbouring places.
    pairs: Vec<(usize, usize)>,
}

impl WindowNeighbours {
    fn new(definitions: Definitions, distances: &[u32], fixed_axis: Option<usize>) -> Self {
        Self { definitions, distances: distances.to_vec(), fixed_axis, pairs: Vec::new() }
    }

    fn check(&self, shape: [usize; 3]) -> Result<()> {
        check_reach(self.definitions, shape, &self.distances, self.fixed_axis)
    }

    fn resize(&mut self, windows: &Windows) {
        self.pairs = windows.neighbours(&self.distances, self.fixed_axis);
    }
}

/// Features of dependences; see [`crate::gldm`].
pub(crate) struct DependenceWindows<'a> {
    formulas: Vec<&'static Formula<SizeMatrix>>,
    neighbours: WindowNeighbours,
    alpha: u32,
    /// By place, level × sizes + dependent neighbours + 1.
    numbers: Vec<Lanes<u32>>,
    matrices: WindowMatrices<'a>,
}

impl<'a> DependenceWindows<'a> {
    pub(crate) fn new(
        formulas: &[&'static Formula<SizeMatrix>],
        definitions: Definitions,
        distances: &[u32],
        fixed_axis: Option<usize>,
        alpha: u32,
        factors: &'a JointFactors,
    ) -> Self {
        Self {
            formulas: formulas.to_vec(),
            neighbours: WindowNeighbours::new(definitions, distances, fixed_axis),
            alpha,
            numbers: Vec::new(),
            matrices: WindowMatrices::new(factors, definitions == Definitions::Ibsi),
        }
    }
}

/// Writes level × `sizes` + dependent neighbours + 1 of each voxel into `numbers`.
#[inline(always)]
fn count_dependences(
    levels: &[Lanes<u32>],
    pairs: &[(usize, usize)],
    alpha: u32,
    sizes: u32,
    numbers: &mut [Lanes<u32>],
) {
    for (numbers, levels) in numbers.iter_mut().zip(levels) {
        for window in 0..WINDOWS {
            numbers[window] = levels[window] * sizes + 1;
        }
    }
    for &(place, before) in pairs {
        // Copies, of which the compiler knows that they are apart.
        let (own, others) = (levels[place], levels[before]);
        let (mut number, mut number_before) = (numbers[place], numbers[before]);
        for window in 0..WINDOWS {
            let (level, other) = (own[window], others[window]);
            let depends = u32::from((level > 0) & (other > 0) & (level.abs_diff(other) <= alpha));
            number[window] += depends;
            number_before[window] += depends;
        }
        numbers[place] = number;
        numbers[before] = number_before;
    }
}

impl WindowClass for DependenceWindows<'_> {
    fn check(&self, shape: [usize; 3]) -> Result<()> {
        self.neighbours.check(shape)
    }

    fn resize(&mut self, windows: &Windows, highest: u32) {
        self.matrices.resize(highest, windows.levels.len() + 1);
        self.neighbours.resize(windows);
        self.numbers.resize(windows.levels.len(), [0; WINDOWS]);
    }

    fn write(&mut self, _: &WindowGrid<'_>, windows: &Windows, values: &mut WindowValues<'_, '_>) {
        let Self { formulas, neighbours, alpha, numbers, matrices } = self;
        let sizes = windows.levels.len() as u32 + 1;
        vectorised!(pulp::Arch::new(), {
            count_dependences(&windows.levels, &neighbours.pairs, *alpha, sizes, numbers);
        });
        WindowMatrices::write(&[matrices.features(numbers, sizes)], formulas, windows.count, values);
    }
}

/// Sums over the neighbours of each place of windows: places at the given Chebyshev distances, without steps along
/// `fixed_axis`. The places at a distance are those of the box that reaches so far, without those of the box that
/// reaches one less, and the sum over a box is made axis by axis.
#[derive(Debug, Default)]
struct NeighbourSums {
    sums: Vec<Lanes<u32>>,
    boxes: Vec<Lanes<u32>>,
    along: Vec<Lanes<u32>>,
}

impl NeighbourSums {
    /// The sums of `terms`, by place of windows of a size (z, y, x).
    #[inline(always)]
    fn of(
        &mut self,
        terms: &[Lanes<u32>],
        size: [usize; 3],
        distances: &[u32],
        fixed_axis: Option<usize>,
    ) -> &[Lanes<u32>] {
        let Self { sums, boxes, along } = self;
        sums.clear();
        sums.resize(terms.len(), [0; WINDOWS]);
        for (place, &distance) in distances.iter().enumerate().filter(|(_, distance)| **distance > 0) {
            // A distance that is given twice has its neighbours once.
            if distances[..place].contains(&distance) {
                continue;
            }
            for (reach, sign) in [(distance, 1), (distance - 1, u32::MAX)] {
                boxes.clear();
                boxes.extend_from_slice(terms);
                for axis in (0..3).filter(|&axis| Some(axis) != fixed_axis && reach > 0) {
                    sum_along(boxes, along, size, axis, reach as usize);
                    std::mem::swap(boxes, along);
                }
                for (sum, of_box) in sums.iter_mut().zip(&*boxes) {
                    for window in 0..WINDOWS {
                        // What is taken out again was put in before.
                        sum[window] = sum[window].wrapping_add(of_box[window].wrapping_mul(sign));
                    }
                }
            }
        }
        sums
    }
}

/// The sums of `terms` over places up to `reach` to each side along an axis.
#[inline(always)]
fn sum_along(terms: &[Lanes<u32>], sums: &mut Vec<Lanes<u32>>, size: [usize; 3], axis: usize, reach: usize) {
    sums.resize(terms.len(), [0; WINDOWS]);
    let step: usize = size[axis + 1..].iter().product();
    let extent = size[axis];
    for (place, sum) in sums.iter_mut().enumerate() {
        let along = place / step % extent;
        let (before, after) = (along.min(reach), (extent - 1 - along).min(reach));
        let mut total = [0; WINDOWS];
        for other in 0..=before + after {
            let term = &terms[place - before * step + other * step];
            for window in 0..WINDOWS {
                total[window] += term[window];
            }
        }
        *sum = total;
    }
}

/// Features of tone differences; see [`crate::ngtdm`].
pub(crate) struct ToneWindows {
    formulas: Vec<&'static Formula<ToneDifferenceMatrix>>,
    definitions: Definitions,
    distances: Vec<u32>,
    fixed_axis: Option<usize>,
    /// By place, the level and [`ONE`] more where there is one.
    terms: Vec<Lanes<u32>>,
    neighbours: NeighbourSums,
    /// By place, |i - Ā|.
    differences: Vec<Lanes<f64>>,
    /// The levels of the voxels that count: by the definitions of the IBSI, of those that have neighbours.
    levels: Vec<Lanes<u32>>,
    /// How often each level comes up, and its summed differences.
    cells: CellCounts,
    level_differences: Vec<Lanes<f64>>,
    /// The rows of the matrix of each window, with room behind them, and how many there are.
    rows: Vec<Vec<ToneSums>>,
    row_counts: Lanes<usize>,
    matrix: ToneDifferenceMatrix,
}

/// A neighbour, beside its level: sums over the levels of a window stay below.
const ONE: u32 = 1 << 20;
const _: () = assert!(super::MOST_NUMBERS < ONE as usize && super::MOST_VOXELS < (u32::MAX / ONE) as usize);

impl ToneWindows {
    pub(crate) fn new(
        formulas: &[&'static Formula<ToneDifferenceMatrix>],
        definitions: Definitions,
        distances: &[u32],
        fixed_axis: Option<usize>,
    ) -> Self {
        Self {
            formulas: formulas.to_vec(),
            definitions,
            distances: distances.to_vec(),
            fixed_axis,
            terms: Vec::new(),
            neighbours: NeighbourSums::default(),
            differences: Vec::new(),
            levels: Vec::new(),
            cells: CellCounts::default(),
            level_differences: Vec::new(),
            rows: vec![Vec::new(); WINDOWS],
            row_counts: [0; WINDOWS],
            matrix: ToneDifferenceMatrix::empty(),
        }
    }

    /// Finds the difference of each voxel to its neighbours.
    #[inline(always)]
    fn compare(&mut self, windows: &Windows) {
        let Self { definitions, distances, fixed_axis, terms, neighbours, differences, levels, .. } = self;
        for (term, levels) in terms.iter_mut().zip(&windows.levels) {
            for window in 0..WINDOWS {
                term[window] = levels[window] + if levels[window] > 0 { ONE } else { 0 };
            }
        }
        let sums = neighbours.of(terms, windows.size, distances, *fixed_axis);
        let own = levels.iter_mut().zip(differences).zip(&windows.levels);
        for (((kept, difference), levels), sums) in own.zip(sums) {
            for window in 0..WINDOWS {
                let (level, count, sum) = (levels[window], sums[window] / ONE, sums[window] % ONE);
                let distance = (f64::from(level) - f64::from(sum) / f64::from(count)).abs();
                difference[window] = if count > 0 { distance } else { 0.0 };
                kept[window] = if *definitions == Definitions::Ibsi && count == 0 { 0 } else { level };
            }
        }
    }

    /// Adds the differences of each level up and puts the levels of each window into its rows.
    fn add_up(&mut self) {
        let Self { differences, levels, cells, level_differences, rows, row_counts, .. } = self;
        cells.count(levels);
        // In raster order, as sums over a region are.
        for (levels, differences) in levels.iter().zip(&*differences) {
            for window in 0..WINDOWS {
                level_differences[levels[window] as usize][window] += differences[window];
            }
        }
        cells.leave_out_below(1);
        cells.find();
        level_differences[0] = [0.0; WINDOWS];
        let most = cells.found() + 1;
        rows.iter_mut().for_each(|rows| rows.resize(most, ToneSums::default()));
        *row_counts = [0; WINDOWS];
        for (level, counts) in cells.take() {
            let differences = std::mem::take(&mut level_differences[level as usize]);
            for (window, rows) in rows.iter_mut().enumerate() {
                // Whether a window has a level is guessed wrongly too often for a branch, so the row is always written.
                let (voxels, difference) = (u32::from(counts[window]), differences[window]);
                rows[row_counts[window]] = ToneSums { level, voxels, difference };
                row_counts[window] += usize::from(voxels > 0);
            }
        }
    }
}

impl WindowClass for ToneWindows {
    fn check(&self, shape: [usize; 3]) -> Result<()> {
        check_reach(self.definitions, shape, &self.distances, self.fixed_axis)
    }

    fn resize(&mut self, windows: &Windows, highest: u32) {
        let voxels = windows.levels.len();
        self.terms.resize(voxels, [0; WINDOWS]);
        self.differences.resize(voxels, [0.0; WINDOWS]);
        self.levels.resize(voxels, [0; WINDOWS]);
        self.cells.resize(highest as usize + 1);
        self.level_differences.resize(highest as usize + 1, [0.0; WINDOWS]);
    }

    fn write(&mut self, _: &WindowGrid<'_>, windows: &Windows, values: &mut WindowValues<'_, '_>) {
        vectorised!(pulp::Arch::new(), self.compare(windows));
        self.add_up();
        let Self { formulas, rows, row_counts, matrix, .. } = self;
        for (window, (rows, &count)) in rows.iter().zip(&*row_counts).take(windows.count).enumerate() {
            let rows = &rows[..count];
            if rows.is_empty() {
                values.write_undefined(window);
                continue;
            }
            matrix.refill(rows);
            values.write_window(window, formulas, matrix);
        }
    }
}
