//! First-order statistics of windows.

use alnm_imaging::vectorised;
use rayon::prelude::*;

use super::sorting::SortingNetwork;
use super::{Lanes, NumberCounts, WindowClass, WindowGrid, Windows};
use crate::entropy::InformationTables;
use crate::error::Result;
use crate::feature::Formula;
use crate::first_order::{FirstOrder, percentiles_of_sorted};
use crate::glcm::Definitions;

/// Grey values of a grid with their ranks, which are put in order instead of the values: a rank is half as wide, and
/// more of them are compared at once.
#[derive(Debug)]
pub(crate) struct RankedValues<'a> {
    values: &'a [f64],
    /// By voxel, how many different values that count are smaller; [`NO_RANK`] where a voxel does not count.
    ranks: Vec<u32>,
    /// The different values that count, ascending.
    ascending: Vec<f64>,
}

/// The rank of a voxel that does not count; comes last in order.
const NO_RANK: u32 = u32::MAX;

impl<'a> RankedValues<'a> {
    /// Ranks of the `values` whose level is above 0.
    pub(crate) fn new(values: &'a [f64], levels: &[u32]) -> Self {
        let counted = values.iter().zip(levels).filter(|(_, level)| **level > 0);
        let mut ascending: Vec<f64> = counted.map(|(&value, _)| value).collect();
        ascending.par_sort_unstable_by(f64::total_cmp);
        ascending.dedup_by_key(|value| value.to_bits());
        let rank = |(value, &level): (&f64, &u32)| {
            if level > 0 { ascending.partition_point(|other| other.total_cmp(value).is_lt()) as u32 } else { NO_RANK }
        };
        let ranks = values.par_iter().zip(levels).map(rank).collect();
        Self { values, ranks, ascending }
    }

    /// Puts the values of a window that count, in raster order, in place of those that are there.
    fn fill(&self, grid: &WindowGrid<'_>, voxel: usize, values: &mut Vec<f64>) {
        let columns = grid.extent(voxel % grid.shape[2], 2);
        let mut room = 0;
        values.resize(grid.largest_window().0, 0.0);
        for row in grid.rows(voxel) {
            let place = row + columns.start..row + columns.end;
            for (&value, &rank) in self.values[place.clone()].iter().zip(&self.ranks[place]) {
                // Without a branch, which would be guessed wrongly along the border of the region.
                values[room] = value;
                room += usize::from(rank != NO_RANK);
            }
        }
        values.truncate(room);
    }
}

/// First-order features; see [`crate::first_order`].
pub(crate) struct FirstOrderWindows<'a> {
    formulas: Vec<&'static Formula<FirstOrder>>,
    definitions: Definitions,
    ranked: &'a RankedValues<'a>,
    region: FirstOrder,
    network: SortingNetwork,
    /// Ranks of the grey values in order.
    ranks: Vec<Lanes<u32>>,
    level_counts: NumberCounts,
    information: InformationTables,
}

impl<'a> FirstOrderWindows<'a> {
    /// `shift` and `voxel_volume` are those of [`FirstOrder::new`].
    pub(crate) fn new(
        formulas: &[&'static Formula<FirstOrder>],
        definitions: Definitions,
        ranked: &'a RankedValues<'a>,
        shift: f64,
        voxel_volume: f64,
    ) -> Self {
        Self {
            formulas: formulas.to_vec(),
            definitions,
            ranked,
            region: FirstOrder::empty(shift, voxel_volume),
            network: SortingNetwork::default(),
            ranks: Vec::new(),
            level_counts: NumberCounts::default(),
            information: InformationTables::default(),
        }
    }
}

impl WindowClass for FirstOrderWindows<'_> {
    fn check(&self, _: [usize; 3]) -> Result<()> {
        Ok(())
    }

    fn value_count(&self) -> usize {
        self.formulas.len()
    }

    fn resize(&mut self, windows: &Windows, highest: u32) {
        let voxels = windows.levels.len();
        self.network = SortingNetwork::new(voxels);
        self.ranks.resize(voxels, [0; super::WINDOWS]);
        self.level_counts.resize(highest as usize + 1);
    }

    fn add_values(&mut self, grid: &WindowGrid<'_>, windows: &Windows, values: &mut Vec<f64>) {
        let Self { formulas, definitions, ranked, region, network, ranks, level_counts, information } = self;
        grid.gather(&ranked.ranks, NO_RANK, windows.start, windows.count, ranks);
        vectorised!(pulp::Arch::new(), network.sort(ranks));
        for window in 0..windows.count {
            level_counts.count(&windows.levels, window);
            let count = level_counts.leave_out_below(1, windows.levels.len());
            let at = |place: usize| ranked.ascending[ranks[place][window] as usize];
            let of_count = information.of(count);
            region.refill(
                |values| ranked.fill(grid, windows.start + window, values),
                [at(0), at(count - 1)],
                percentiles_of_sorted(count, at),
                level_counts.take().map(|(_, voxels)| voxels as usize),
                |voxels| of_count[voxels],
            );
            if *definitions == Definitions::Ibsi {
                region.leave_out_rounded_spread();
            }
            values.extend(formulas.iter().map(|formula| (formula.value)(region)));
        }
    }
}
