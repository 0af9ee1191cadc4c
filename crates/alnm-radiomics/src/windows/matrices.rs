//! Matrices of level and size of windows side by side.

use alnm_imaging::vectorised;

use super::{Lanes, WINDOWS, WindowValues};
use crate::entropy::{EPSILON, InformationTables, offset_information};
use crate::feature::Formula;
use crate::size_matrix::{JointFactors, MarginalSums, SizeFeature, SizeMatrix, SizeSums};

/// Features of a matrix, by [`SizeFeature`], of each window.
pub(super) type WindowSizeFeatures = [Lanes<f64>; SizeFeature::COUNT];

/// The matrices of many windows at once, in the same memory for one set of windows after the other.
///
/// Windows next to each other have much the same levels and sizes, so a cell that any of them has is added to the sums
/// of all: its factors are those of each window, and where a window does not have it, 0 is added, which changes no bit.
pub(super) struct WindowMatrices<'a> {
    factors: &'a JointFactors,
    cells: CellCounts,
    /// The voxels of each level that occurs, in the order of the levels.
    levels: Vec<(u32, Lanes<f64>)>,
    /// By size, how often it occurs.
    sizes: Vec<Lanes<f64>>,
    information: InformationTables,
    /// Whether the energy is wanted, which takes a division for each cell.
    with_energy: bool,
    features: WindowSizeFeatures,
}

/// How often each number of a level and a size comes up in each window.
#[derive(Debug, Default)]
pub(super) struct CellCounts {
    counts: Vec<Lanes<u16>>,
    /// By number, 1 where it comes up in any window.
    occurs: Vec<u8>,
    occurring: Vec<u32>,
}

/// Numbers that are looked at together.
const BLOCK: usize = 64;

impl CellCounts {
    /// Makes room for numbers below `numbers`.
    pub(super) fn resize(&mut self, numbers: usize) {
        self.counts.resize(numbers, [0; WINDOWS]);
        self.occurs.resize(numbers.next_multiple_of(BLOCK), 0);
    }

    pub(super) fn count(&mut self, numbers: &[Lanes<u32>]) {
        let Self { counts, occurs, .. } = self;
        let occurs = &mut occurs[..counts.len()];
        for lanes in numbers {
            for (window, &number) in lanes.iter().enumerate() {
                counts[number as usize][window] += 1;
                occurs[number as usize] = 1;
            }
        }
    }

    /// Forgets the numbers below `lowest`, which stand for nothing, and returns how many of each window they were.
    pub(super) fn leave_out_below(&mut self, lowest: usize) -> Lanes<u32> {
        let mut nothing = [0; WINDOWS];
        for counts in &mut self.counts[..lowest] {
            for (sum, count) in nothing.iter_mut().zip(std::mem::take(counts)) {
                *sum += u32::from(count);
            }
        }
        self.occurs[..lowest].fill(0);
        nothing
    }

    /// Finds the numbers that come up in any window, ascending.
    pub(super) fn find(&mut self) {
        let Self { occurs, occurring, .. } = self;
        occurring.clear();
        for (block, occurs) in occurs.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
            if occurs.iter().fold(0, |any, &occurs| any | occurs) == 0 {
                continue;
            }
            for (place, occurs) in occurs.iter_mut().enumerate() {
                if *occurs != 0 {
                    *occurs = 0;
                    occurring.push((block * BLOCK + place) as u32);
                }
            }
        }
    }

    /// How many numbers were found.
    pub(super) fn found(&self) -> usize {
        self.occurring.len()
    }

    /// The numbers that were found with their counts, of which none are left.
    #[inline(always)]
    pub(super) fn take(&mut self) -> impl Iterator<Item = (u32, Lanes<u16>)> {
        let Self { counts, occurring, .. } = self;
        occurring.iter().map(
            #[inline(always)]
            |&number| (number, std::mem::take(&mut counts[number as usize])),
        )
    }
}

impl<'a> WindowMatrices<'a> {
    pub(super) fn new(factors: &'a JointFactors, with_energy: bool) -> Self {
        Self {
            factors,
            cells: CellCounts::default(),
            levels: Vec::new(),
            sizes: Vec::new(),
            information: InformationTables::default(),
            with_energy,
            features: [[0.0; WINDOWS]; SizeFeature::COUNT],
        }
    }

    /// Makes room for levels up to `highest` and sizes below `sizes`.
    pub(super) fn resize(&mut self, highest: u32, sizes: usize) {
        self.cells.resize((highest as usize + 1) * sizes);
        self.sizes.resize(sizes, [0.0; WINDOWS]);
    }

    /// The features of the windows whose numbers are given, each of which is level × `sizes` + size.
    pub(super) fn features(&mut self, numbers: &[Lanes<u32>], sizes: u32) -> &WindowSizeFeatures {
        self.cells.count(numbers);
        let nothing = self.cells.leave_out_below(sizes as usize);
        self.cells.find();
        let totals = nothing.map(|nothing| numbers.len() - nothing as usize);
        for total in totals {
            self.information.of(total);
        }
        vectorised!(pulp::Arch::new(), self.evaluate(&totals, sizes));
        &self.features
    }

    #[inline(always)]
    fn evaluate(&mut self, totals: &Lanes<usize>, size_count: u32) {
        let Self { factors, cells, levels, sizes, information, with_energy, features } = self;
        let information: Lanes<&[f64]> = totals.map(|total| information.known(total));
        let mut sums = SizeSums::<WINDOWS>::ZERO;
        sums.total = totals.map(|total| total as f64);
        levels.clear();
        let (mut level, mut of_level) = (0, [0.0; WINDOWS]);
        for (number, counts) in cells.take() {
            let (own, size) = (number / size_count, number % size_count);
            if own != level {
                levels.push((level, of_level));
                (level, of_level) = (own, [0.0; WINDOWS]);
            }
            let mut of_cell = [0.0; WINDOWS];
            for window in 0..WINDOWS {
                of_cell[window] = f64::from(counts[window]);
            }
            sums.add_joint(factors.of(level, size), &of_cell);
            let of_size = &mut sizes[size as usize];
            for window in 0..WINDOWS {
                of_level[window] += of_cell[window];
                of_size[window] += of_cell[window];
            }
            let mut of_counts = [0.0; WINDOWS];
            for window in 0..WINDOWS {
                let count = usize::from(counts[window]);
                of_counts[window] = match information[window].get(count) {
                    Some(information) => *information,
                    None => offset_information(count as f64 / totals[window] as f64, EPSILON),
                };
            }
            for window in 0..WINDOWS {
                sums.information[window] += of_counts[window];
            }
            if *with_energy {
                for window in 0..WINDOWS {
                    let share = of_cell[window] / sums.total[window];
                    sums.energy[window] += share * share;
                }
            }
        }
        levels.push((level, of_level));
        sums.levels = factors.marginal(levels[1..].iter().map(|(level, counts)| (*level, counts)), &sums.total);
        let occurring = sizes.iter().enumerate().filter(|(_, counts)| counts.iter().any(|&count| count > 0.0));
        sums.sizes = factors.marginal(occurring.map(|(size, counts)| (size as u32, counts)), &sums.total);
        sizes.fill([0.0; WINDOWS]);
        *features = sums.features();
    }

    /// Writes the values of formulas of each of `count` windows; those of several matrices of a window belong to maps
    /// one after the other.
    pub(super) fn write(
        matrices: &[&WindowSizeFeatures],
        formulas: &[&'static Formula<SizeMatrix>],
        count: usize,
        values: &mut WindowValues<'_, '_>,
    ) {
        for (place, features) in matrices.iter().enumerate() {
            let of_window = |window| SizeMatrix::of_features(std::array::from_fn(|feature| features[feature][window]));
            let of_windows: Vec<SizeMatrix> = (0..count).map(of_window).collect();
            values.write(place * formulas.len(), formulas, &of_windows);
        }
    }
}

impl JointFactors {
    /// The sums over a marginal distribution of each window, whose values ascend.
    #[inline(always)]
    fn marginal<'a>(
        &self,
        counts: impl Iterator<Item = (u32, &'a Lanes<f64>)> + Clone,
        totals: &Lanes<f64>,
    ) -> MarginalSums<WINDOWS> {
        let mut sums = MarginalSums::ZERO;
        for (value, counts) in counts.clone() {
            sums.add(f64::from(value), self.inverse_square(value), counts);
        }
        let means = sums.means(totals);
        for (value, counts) in counts {
            sums.add_spread(f64::from(value), counts, &means);
        }
        sums
    }
}
