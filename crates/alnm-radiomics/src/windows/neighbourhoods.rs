//! Dependences and tone differences of windows.

use alnm_imaging::vectorised;

use super::{Lanes, NumberCounts, WINDOWS, WindowClass, WindowGrid, WindowMatrix, Windows, check_reach};
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
    matrix: WindowMatrix<'a>,
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
            matrix: WindowMatrix::new(factors),
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

    fn value_count(&self) -> usize {
        self.formulas.len()
    }

    fn resize(&mut self, windows: &Windows, highest: u32) {
        self.matrix.resize(highest, windows.levels.len() + 1);
        self.neighbours.resize(windows);
        self.numbers.resize(windows.levels.len(), [0; WINDOWS]);
    }

    fn add_values(&mut self, _: &WindowGrid<'_>, windows: &Windows, values: &mut Vec<f64>) {
        let Self { formulas, neighbours, alpha, numbers, matrix } = self;
        let sizes = windows.levels.len() as u32 + 1;
        vectorised!(pulp::Arch::new(), {
            count_dependences(&windows.levels, &neighbours.pairs, *alpha, sizes, numbers);
        });
        for window in 0..windows.count {
            let matrix = matrix.of(numbers, window, sizes);
            values.extend(formulas.iter().map(|formula| (formula.value)(matrix)));
        }
    }
}

/// Features of tone differences; see [`crate::ngtdm`].
pub(crate) struct ToneWindows {
    formulas: Vec<&'static Formula<ToneDifferenceMatrix>>,
    neighbours: WindowNeighbours,
    /// By place, how many neighbours there are, and the sum of their levels.
    counts: Vec<Lanes<u32>>,
    sums: Vec<Lanes<u32>>,
    /// By place, |i - Ā|.
    differences: Vec<Lanes<f64>>,
    /// The levels of voxels that have neighbours, where the others are left out.
    not_isolated: Vec<Lanes<u32>>,
    /// How often each level comes up in a window, and its summed differences.
    level_counts: NumberCounts,
    level_differences: Vec<f64>,
    rows: Vec<ToneSums>,
    matrix: ToneDifferenceMatrix,
}

impl ToneWindows {
    pub(crate) fn new(
        formulas: &[&'static Formula<ToneDifferenceMatrix>],
        definitions: Definitions,
        distances: &[u32],
        fixed_axis: Option<usize>,
    ) -> Self {
        Self {
            formulas: formulas.to_vec(),
            neighbours: WindowNeighbours::new(definitions, distances, fixed_axis),
            counts: Vec::new(),
            sums: Vec::new(),
            differences: Vec::new(),
            not_isolated: Vec::new(),
            level_counts: NumberCounts::default(),
            level_differences: Vec::new(),
            rows: Vec::new(),
            matrix: ToneDifferenceMatrix::empty(),
        }
    }

    /// Finds the difference of each voxel to its neighbours.
    #[inline(always)]
    fn count(&mut self, windows: &Windows) {
        let Self { neighbours, counts, sums, differences, not_isolated, .. } = self;
        let levels = windows.levels.as_slice();
        counts.fill([0; WINDOWS]);
        sums.fill([0; WINDOWS]);
        for &(place, before) in &neighbours.pairs {
            let (own, others) = (levels[place], levels[before]);
            let (mut count, mut count_before) = (counts[place], counts[before]);
            let (mut sum, mut sum_before) = (sums[place], sums[before]);
            for window in 0..WINDOWS {
                let (level, other) = (own[window], others[window]);
                count[window] += u32::from(other > 0);
                count_before[window] += u32::from(level > 0);
                sum[window] += other;
                sum_before[window] += level;
            }
            (counts[place], counts[before]) = (count, count_before);
            (sums[place], sums[before]) = (sum, sum_before);
        }
        for (place, own) in levels.iter().enumerate() {
            for window in 0..WINDOWS {
                let (level, count) = (own[window], counts[place][window]);
                let difference = (f64::from(level) - f64::from(sums[place][window]) / f64::from(count)).abs();
                differences[place][window] = if count > 0 { difference } else { 0.0 };
            }
        }
        if neighbours.definitions == Definitions::Ibsi {
            for ((kept, levels), counts) in not_isolated.iter_mut().zip(levels).zip(&*counts) {
                for window in 0..WINDOWS {
                    kept[window] = if counts[window] > 0 { levels[window] } else { 0 };
                }
            }
        }
    }
}

impl WindowClass for ToneWindows {
    fn check(&self, shape: [usize; 3]) -> Result<()> {
        self.neighbours.check(shape)
    }

    fn value_count(&self) -> usize {
        self.formulas.len()
    }

    fn resize(&mut self, windows: &Windows, highest: u32) {
        self.neighbours.resize(windows);
        let voxels = windows.levels.len();
        self.counts.resize(voxels, [0; WINDOWS]);
        self.sums.resize(voxels, [0; WINDOWS]);
        self.differences.resize(voxels, [0.0; WINDOWS]);
        self.not_isolated.resize(voxels, [0; WINDOWS]);
        self.level_counts.resize(highest as usize + 1);
        self.level_differences.resize(highest as usize + 1, 0.0);
    }

    fn add_values(&mut self, _: &WindowGrid<'_>, windows: &Windows, values: &mut Vec<f64>) {
        vectorised!(pulp::Arch::new(), self.count(windows));
        let Self {
            formulas, neighbours, differences, not_isolated, level_counts, level_differences, rows, matrix, ..
        } = self;
        let levels = match neighbours.definitions {
            Definitions::PyRadiomics => windows.levels.as_slice(),
            Definitions::Ibsi => not_isolated.as_slice(),
        };
        for window in 0..windows.count {
            level_counts.count(levels, window);
            // In raster order, as sums over a region are.
            for (levels, differences) in levels.iter().zip(&*differences) {
                level_differences[levels[window] as usize] += differences[window];
            }
            level_counts.leave_out_below(1, levels.len());
            level_differences[0] = 0.0;
            rows.clear();
            rows.extend(level_counts.take().map(|(level, voxels)| {
                let difference = std::mem::take(&mut level_differences[level as usize]);
                ToneSums { level, voxels, difference }
            }));
            if rows.is_empty() {
                values.extend(formulas.iter().map(|_| f64::NAN));
                continue;
            }
            matrix.refill(rows);
            values.extend(formulas.iter().map(|formula| (formula.value)(matrix)));
        }
    }
}
