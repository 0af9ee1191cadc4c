//! Run lengths of windows.

use alnm_imaging::vectorised;

use super::sorting::SortingNetwork;
use super::{Lanes, NOTHING, WINDOWS, WindowClass, Windows, cells, check_reach};
use crate::entropy::InformationTables;
use crate::error::Result;
use crate::feature::Formula;
use crate::glcm::Definitions;
use crate::level_map::{Offset, WantedDirections, adjacent_offsets, directions};
use crate::size_matrix::{SizeMatrix, SizeTable};

/// Features of run lengths, averaged over directions, of all directions together, or both in this order; see
/// [`crate::glrlm`].
pub(crate) struct RunWindows {
    formulas: Vec<&'static Formula<SizeMatrix>>,
    definitions: Definitions,
    fixed_axis: Option<usize>,
    wanted: WantedDirections,
    directions: Vec<WindowDirection>,
    lengths: Vec<Lanes<u32>>,
    numbers: Vec<Lanes<u32>>,
    /// The numbers of all directions, where they are wanted together, and what puts them in order.
    merged: Vec<Lanes<u32>>,
    merging: SortingNetwork,
    /// By window and formula, the sum over directions of the values that are defined, and their number.
    sums: Vec<(f64, usize)>,
    matrix: SizeMatrix,
    table: SizeTable,
    information: InformationTables,
}

/// A direction in a window.
struct WindowDirection {
    /// Places with the one before them along the direction.
    pairs: Vec<(usize, usize)>,
    /// Places without one before them.
    first: Vec<usize>,
    /// Places that are farther apart along the direction.
    far: Vec<(usize, usize)>,
}

impl RunWindows {
    pub(crate) fn new(
        formulas: &[&'static Formula<SizeMatrix>],
        definitions: Definitions,
        fixed_axis: Option<usize>,
        wanted: WantedDirections,
    ) -> Self {
        Self {
            formulas: formulas.to_vec(),
            definitions,
            fixed_axis,
            wanted,
            directions: Vec::new(),
            lengths: Vec::new(),
            numbers: Vec::new(),
            merged: Vec::new(),
            merging: SortingNetwork::default(),
            sums: Vec::new(),
            matrix: SizeMatrix::empty(),
            table: SizeTable::default(),
            information: InformationTables::default(),
        }
    }
}

impl WindowDirection {
    fn new(windows: &Windows, offset: Offset) -> Self {
        let pairs = windows.pairs(offset);
        let voxels = windows.levels.len();
        let first = (0..voxels).filter(|place| pairs.binary_search_by_key(place, |pair| pair.0).is_err()).collect();
        let longest = windows.size.into_iter().max().unwrap_or(1) as isize;
        let far = (2..longest).flat_map(|steps| windows.pairs(offset.map(|step| steps * step))).collect();
        Self { pairs, first, far }
    }

    /// Writes level × `sizes` + length of each run into `numbers`, at its last place. Returns by window whether two
    /// voxels that count are neighbours along the direction.
    #[inline(always)]
    fn count(
        &self,
        levels: &[Lanes<u32>],
        sizes: u32,
        lengths: &mut [Lanes<u32>],
        numbers: &mut [Lanes<u32>],
    ) -> Lanes<u32> {
        for &place in &self.first {
            for window in 0..WINDOWS {
                let level = levels[place][window];
                lengths[place][window] = 1;
                numbers[place][window] = if level > 0 { level * sizes + 1 } else { NOTHING };
            }
        }
        let mut touching = [0; WINDOWS];
        for &(place, before) in &self.pairs {
            let (own, others) = (&levels[place], &levels[before]);
            let (earlier, later) = lengths.split_at_mut(place);
            let (passed, length) = (&earlier[before], &mut later[0]);
            let (earlier, later) = numbers.split_at_mut(place);
            let (number_before, number) = (&mut earlier[before], &mut later[0]);
            for window in 0..WINDOWS {
                let (level, other) = (own[window], others[window]);
                let same = level == other;
                touching[window] |= u32::from((level > 0) & (other > 0));
                let run = if same { passed[window] + 1 } else { 1 };
                length[window] = run;
                number[window] = if level > 0 { level * sizes + run } else { NOTHING };
                number_before[window] = if same { NOTHING } else { number_before[window] };
            }
        }
        touching
    }
}

impl WindowClass for RunWindows {
    fn check(&self, shape: [usize; 3]) -> Result<()> {
        check_reach(self.definitions, shape, &[1], self.fixed_axis)
    }

    fn value_count(&self) -> usize {
        self.formulas.len() * (usize::from(self.wanted.each) + usize::from(self.wanted.merged))
    }

    fn resize(&mut self, windows: &Windows) {
        let offsets = match self.definitions {
            Definitions::PyRadiomics => directions(windows.size, &[1], self.fixed_axis).unwrap_or_default(),
            // Where a direction has no room, each voxel is a run.
            Definitions::Ibsi => {
                let offsets = adjacent_offsets(self.fixed_axis);
                offsets[..offsets.len() / 2].to_vec()
            }
        };
        self.directions = offsets.into_iter().map(|offset| WindowDirection::new(windows, offset)).collect();
        let voxels = windows.levels.len();
        self.lengths.resize(voxels, [0; WINDOWS]);
        self.numbers.resize(voxels, [0; WINDOWS]);
        if self.wanted.merged {
            self.merged.resize(voxels * self.directions.len(), [0; WINDOWS]);
            self.merging = SortingNetwork::new(self.merged.len());
        }
    }

    fn add_values(&mut self, windows: &Windows, values: &mut Vec<f64>) {
        let Self {
            formulas,
            definitions,
            wanted,
            directions,
            lengths,
            numbers,
            merged,
            merging,
            sums,
            matrix,
            table,
            information,
            ..
        } = self;
        let levels = windows.levels.as_slice();
        let sizes = windows.size.into_iter().max().unwrap_or(1) as u32 + 1;
        sums.clear();
        sums.resize(windows.count * formulas.len(), (0.0, 0));
        for (place, direction) in directions.iter().enumerate() {
            let touching = vectorised!(pulp::Arch::new(), {
                let touching = direction.count(levels, sizes, lengths, numbers);
                if wanted.merged {
                    merged[place * numbers.len()..][..numbers.len()].copy_from_slice(numbers);
                }
                if wanted.each {
                    windows.network.sort(numbers);
                }
                touching
            });
            if !wanted.each {
                continue;
            }
            for (window, sums) in sums.chunks_exact_mut(formulas.len().max(1)).enumerate() {
                // A window without two voxels on a line has no extent in the direction; PyRadiomics leaves it out.
                let both = |&(a, b): &(usize, usize)| levels[a][window] > 0 && levels[b][window] > 0;
                let is_extended = || touching[window] > 0 || direction.far.iter().any(both);
                if *definitions == Definitions::PyRadiomics && !is_extended() {
                    continue;
                }
                matrix.refill(cells(numbers, window, sizes), table, |count, total| {
                    information.of(total as usize)[count as usize]
                });
                for ((sum, count), formula) in sums.iter_mut().zip(formulas.iter()) {
                    let value = (formula.value)(matrix);
                    if !value.is_nan() {
                        *sum += value;
                        *count += 1;
                    }
                }
            }
        }
        if wanted.merged {
            vectorised!(pulp::Arch::new(), merging.sort(merged));
        }
        for window in 0..windows.count {
            if wanted.each {
                let sums = &sums[window * formulas.len()..][..formulas.len()];
                values.extend(sums.iter().map(|&(sum, count)| if count == 0 { f64::NAN } else { sum / count as f64 }));
            }
            if wanted.merged {
                matrix.refill(cells(merged, window, sizes), table, |count, total| {
                    information.of(total as usize)[count as usize]
                });
                values.extend(formulas.iter().map(|formula| (formula.value)(matrix)));
            }
        }
    }
}
