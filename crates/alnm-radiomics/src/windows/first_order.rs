//! First-order statistics of windows.

use alnm_imaging::vectorised;

use super::sorting::in_total_order;
use super::{Lanes, NOTHING, WINDOWS, WindowClass, Windows, cells};
use crate::entropy::InformationTables;
use crate::error::Result;
use crate::feature::Formula;
use crate::first_order::{FirstOrder, percentiles_of_sorted};
use crate::glcm::Definitions;

/// First-order features; see [`crate::first_order`].
pub(crate) struct FirstOrderWindows {
    formulas: Vec<&'static Formula<FirstOrder>>,
    definitions: Definitions,
    region: FirstOrder,
    /// Grey values in order.
    values: Vec<Lanes<i64>>,
    /// Levels in order.
    levels: Vec<Lanes<u32>>,
    information: InformationTables,
}

impl FirstOrderWindows {
    /// `shift` and `voxel_volume` are those of [`FirstOrder::new`].
    pub(crate) fn new(
        formulas: &[&'static Formula<FirstOrder>],
        definitions: Definitions,
        shift: f64,
        voxel_volume: f64,
    ) -> Self {
        Self {
            formulas: formulas.to_vec(),
            definitions,
            region: FirstOrder::empty(shift, voxel_volume),
            values: Vec::new(),
            levels: Vec::new(),
            information: InformationTables::default(),
        }
    }
}

/// Values and levels of all windows in order, those that do not count last.
#[inline(always)]
fn put_in_order(windows: &Windows, values: &mut [Lanes<i64>], levels: &mut [Lanes<u32>]) {
    let own = windows.values.iter().zip(&windows.levels);
    for ((values, levels), (own_values, own_levels)) in values.iter_mut().zip(levels.iter_mut()).zip(own) {
        for window in 0..WINDOWS {
            let counts = own_levels[window] > 0;
            values[window] = if counts { in_total_order(own_values[window].to_bits() as i64) } else { i64::MAX };
            levels[window] = if counts { own_levels[window] } else { NOTHING };
        }
    }
    windows.network.sort(values);
    windows.network.sort(levels);
}

impl WindowClass for FirstOrderWindows {
    fn check(&self, _: [usize; 3]) -> Result<()> {
        Ok(())
    }

    fn value_count(&self) -> usize {
        self.formulas.len()
    }

    fn resize(&mut self, windows: &Windows) {
        self.values.resize(windows.levels.len(), [0; WINDOWS]);
        self.levels.resize(windows.levels.len(), [0; WINDOWS]);
    }

    fn add_values(&mut self, windows: &Windows, values: &mut Vec<f64>) {
        let Self { formulas, definitions, region, values: sorted, levels, information } = self;
        vectorised!(pulp::Arch::new(), put_in_order(windows, sorted, levels));
        for window in 0..windows.count {
            let own = windows.values.iter().zip(&windows.levels);
            let counted = own.filter(|(_, levels)| levels[window] > 0).map(|(values, _)| values[window]);
            let count = windows.levels.iter().filter(|levels| levels[window] > 0).count();
            let at = |place: usize| f64::from_bits(in_total_order(sorted[place][window]) as u64);
            let of_count = information.of(count);
            region.refill(
                counted,
                [at(0), at(count - 1)],
                percentiles_of_sorted(count, at),
                cells(levels, window, 1).map(|cell| cell.count as usize),
                &mut |voxels| of_count[voxels],
            );
            if *definitions == Definitions::Ibsi {
                region.leave_out_rounded_spread();
            }
            values.extend(formulas.iter().map(|formula| (formula.value)(region)));
        }
    }
}
