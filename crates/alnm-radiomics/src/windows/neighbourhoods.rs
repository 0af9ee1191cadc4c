//! Dependences and tone differences of windows.

use alnm_imaging::vectorised;

use super::{Lanes, NOTHING, WINDOWS, WindowClass, Windows, cells, check_reach};
use crate::entropy::InformationTables;
use crate::error::Result;
use crate::feature::Formula;
use crate::glcm::Definitions;
use crate::ngtdm::{ToneDifferenceMatrix, ToneSums};
use crate::size_matrix::{SizeMatrix, SizeTable};

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
pub(crate) struct DependenceWindows {
    formulas: Vec<&'static Formula<SizeMatrix>>,
    neighbours: WindowNeighbours,
    alpha: u32,
    /// By place, level × sizes + dependent neighbours + 1.
    numbers: Vec<Lanes<u32>>,
    matrix: SizeMatrix,
    table: SizeTable,
    information: InformationTables,
}

impl DependenceWindows {
    pub(crate) fn new(
        formulas: &[&'static Formula<SizeMatrix>],
        definitions: Definitions,
        distances: &[u32],
        fixed_axis: Option<usize>,
        alpha: u32,
    ) -> Self {
        Self {
            formulas: formulas.to_vec(),
            neighbours: WindowNeighbours::new(definitions, distances, fixed_axis),
            alpha,
            numbers: Vec::new(),
            matrix: SizeMatrix::empty(),
            table: SizeTable::default(),
            information: InformationTables::default(),
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
        let (own, others) = (&levels[place], &levels[before]);
        let (earlier, later) = numbers.split_at_mut(place);
        let (number_before, number) = (&mut earlier[before], &mut later[0]);
        for window in 0..WINDOWS {
            let (level, other) = (own[window], others[window]);
            let depends = u32::from((level > 0) & (other > 0) & (level.abs_diff(other) <= alpha));
            number[window] += depends;
            number_before[window] += depends;
        }
    }
    for (numbers, levels) in numbers.iter_mut().zip(levels) {
        for window in 0..WINDOWS {
            numbers[window] = if levels[window] > 0 { numbers[window] } else { NOTHING };
        }
    }
}

impl WindowClass for DependenceWindows {
    fn check(&self, shape: [usize; 3]) -> Result<()> {
        self.neighbours.check(shape)
    }

    fn value_count(&self) -> usize {
        self.formulas.len()
    }

    fn resize(&mut self, windows: &Windows) {
        self.neighbours.resize(windows);
        self.numbers.resize(windows.levels.len(), [0; WINDOWS]);
    }

    fn add_values(&mut self, windows: &Windows, values: &mut Vec<f64>) {
        let Self { formulas, neighbours, alpha, numbers, matrix, table, information } = self;
        let sizes = windows.levels.len() as u32 + 1;
        vectorised!(pulp::Arch::new(), {
            count_dependences(&windows.levels, &neighbours.pairs, *alpha, sizes, numbers);
            windows.network.sort(numbers);
        });
        for window in 0..windows.count {
            matrix.refill(cells(numbers, window, sizes), table, |count, total| {
                information.of(total as usize)[count as usize]
            });
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
    /// Level × places + place.
    numbers: Vec<Lanes<u32>>,
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
            numbers: Vec::new(),
            rows: Vec::new(),
            matrix: ToneDifferenceMatrix::empty(),
        }
    }

    /// Finds the difference of each voxel to its neighbours, and puts the voxels in order of level and place.
    #[inline(always)]
    fn count(&mut self, windows: &Windows) {
        let Self { neighbours, counts, sums, differences, numbers, .. } = self;
        let levels = windows.levels.as_slice();
        counts.fill([0; WINDOWS]);
        sums.fill([0; WINDOWS]);
        for &(place, before) in &neighbours.pairs {
            let (own, others) = (&levels[place], &levels[before]);
            for window in 0..WINDOWS {
                let (level, other) = (own[window], others[window]);
                counts[place][window] += u32::from(other > 0);
                counts[before][window] += u32::from(level > 0);
                sums[place][window] += other;
                sums[before][window] += level;
            }
        }
        let places = levels.len() as u32;
        // The reference manual of the IBSI leaves voxels without neighbours out.
        let fewest = u32::from(neighbours.definitions == Definitions::Ibsi);
        for (place, own) in levels.iter().enumerate() {
            for window in 0..WINDOWS {
                let (level, count) = (own[window], counts[place][window]);
                let difference = (f64::from(level) - f64::from(sums[place][window]) / f64::from(count)).abs();
                differences[place][window] = if count > 0 { difference } else { 0.0 };
                let is_counted = (level > 0) & (count >= fewest);
                numbers[place][window] = if is_counted { level * places + place as u32 } else { NOTHING };
            }
        }
        windows.network.sort(numbers);
    }
}

impl WindowClass for ToneWindows {
    fn check(&self, shape: [usize; 3]) -> Result<()> {
        self.neighbours.check(shape)
    }

    fn value_count(&self) -> usize {
        self.formulas.len()
    }

    fn resize(&mut self, windows: &Windows) {
        self.neighbours.resize(windows);
        let voxels = windows.levels.len();
        self.counts.resize(voxels, [0; WINDOWS]);
        self.sums.resize(voxels, [0; WINDOWS]);
        self.differences.resize(voxels, [0.0; WINDOWS]);
        self.numbers.resize(voxels, [0; WINDOWS]);
    }

    fn add_values(&mut self, windows: &Windows, values: &mut Vec<f64>) {
        vectorised!(pulp::Arch::new(), self.count(windows));
        let Self { formulas, differences, numbers, rows, matrix, .. } = self;
        let places = windows.levels.len() as u32;
        for window in 0..windows.count {
            rows.clear();
            for number in numbers.iter().map(|lanes| lanes[window]).take_while(|&number| number != NOTHING) {
                let (level, place) = (number / places, number % places);
                let difference = differences[place as usize][window];
                match rows.last_mut() {
                    Some(row) if row.level == level => {
                        row.voxels += 1;
                        row.difference += difference;
                    }
                    // The sum begins with 0.
                    _ => rows.push(ToneSums { level, voxels: 1, difference }),
                }
            }
            if rows.is_empty() {
                values.extend(formulas.iter().map(|_| f64::NAN));
                continue;
            }
            matrix.refill(rows);
            values.extend(formulas.iter().map(|formula| (formula.value)(matrix)));
        }
    }
}
