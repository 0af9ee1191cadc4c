//! First-order statistics of windows.

use alnm_imaging::vectorised;
use rayon::prelude::*;

use super::matrices::CellCounts;
use super::sorting::SortingNetwork;
use super::{Lanes, WINDOWS, WindowClass, WindowGrid, WindowValues, Windows};
use crate::entropy::InformationTables;
use crate::error::Result;
use crate::feature::Formula;
use crate::first_order::{
    FirstOrder, KnownDeviations, Means, Order, PercentilePlaces, about_mean, interpolate, is_central, value_and_energy,
};
use crate::glcm::Definitions;
use crate::summation::{MOST_SIDE_BY_SIDE, sums_side_by_side};

/// Grey values of a grid with their ranks, which are put in order instead of the values: a rank is a fraction as wide,
/// and more of them are compared at once.
#[derive(Debug)]
pub(crate) struct RankedValues<'a> {
    values: &'a [f64],
    /// By voxel, how many different values that count are smaller.
    ranks: Ranks,
    /// The different values that count, ascending.
    ascending: Vec<f64>,
}

/// Ranks by voxel, as narrow as their number allows; the highest number of the type where a voxel does not count, which
/// comes last in order.
#[derive(Debug)]
enum Ranks {
    Narrow(Vec<u16>),
    Wide(Vec<u32>),
}

impl<'a> RankedValues<'a> {
    /// Ranks of the `values` whose level is above 0.
    pub(crate) fn new(values: &'a [f64], levels: &[u32]) -> Self {
        let mut counted: Vec<(i64, u32)> = Vec::with_capacity(values.len());
        let of_voxels = (0..values.len()).filter(|&voxel| levels[voxel] > 0);
        counted.extend(of_voxels.map(|voxel| (in_total_order(values[voxel]), voxel as u32)));
        // The order among equal values does not matter.
        counted.par_sort_unstable_by_key(|&(value, _)| value);
        let mut ascending: Vec<f64> = Vec::new();
        let mut wide = vec![u32::MAX; values.len()];
        for same in counted.chunk_by(|a, b| a.0 == b.0) {
            for &(_, voxel) in same {
                wide[voxel as usize] = ascending.len() as u32;
            }
            ascending.push(values[same[0].1 as usize]);
        }
        let ranks = if ascending.len() <= usize::from(u16::MAX) {
            // No rank is the highest number of its type, which stays that.
            Ranks::Narrow(wide.into_iter().map(|rank| rank as u16).collect())
        } else {
            Ranks::Wide(wide)
        };
        Self { values, ranks, ascending }
    }
}

/// A whole number that is ordered as [`f64::total_cmp`] orders the value.
fn in_total_order(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

/// Ranks of windows in order.
#[derive(Debug, Default)]
struct SortedRanks {
    network: SortingNetwork,
    narrow: Vec<Lanes<u16>>,
    wide: Vec<Lanes<u32>>,
    is_wide: bool,
}

impl SortedRanks {
    fn resize(&mut self, voxels: usize) {
        self.network = SortingNetwork::new(voxels);
        self.narrow.resize(voxels, [0; WINDOWS]);
        self.wide.resize(voxels, [0; WINDOWS]);
    }

    fn sort(&mut self, grid: &WindowGrid<'_>, windows: &Windows, ranks: &Ranks) {
        let Self { network, narrow, wide, is_wide } = self;
        match ranks {
            Ranks::Narrow(ranks) => {
                grid.gather(ranks, u16::MAX, windows.start, windows.count, narrow);
                vectorised!(pulp::Arch::new(), network.sort(narrow));
            }
            Ranks::Wide(ranks) => {
                grid.gather(ranks, u32::MAX, windows.start, windows.count, wide);
                vectorised!(pulp::Arch::new(), network.sort(wide));
            }
        }
        *is_wide = matches!(ranks, Ranks::Wide(_));
    }

    /// Of values that ascend, those whose ranks are at a place of each window; any of them where there is no rank.
    #[inline(always)]
    fn values_at(&self, places: &Lanes<usize>, ascending: &[f64]) -> Lanes<f64> {
        let highest = ascending.len() - 1;
        let mut values = [0.0; WINDOWS];
        if self.is_wide {
            for window in 0..WINDOWS {
                values[window] = ascending[(self.wide[places[window]][window] as usize).min(highest)];
            }
        } else {
            for window in 0..WINDOWS {
                values[window] = ascending[usize::from(self.narrow[places[window]][window]).min(highest)];
            }
        }
        values
    }

    /// The values that come first and last in each window, and its percentiles; see [`Order`]. Lanes without values
    /// hold any number.
    #[inline(always)]
    fn statistics(
        &self,
        counts: &Lanes<usize>,
        by_count: &[PercentilePlaces],
        ascending: &[f64],
    ) -> ([Lanes<f64>; 2], [Lanes<f64>; 5]) {
        let mut last = [0; WINDOWS];
        for window in 0..WINDOWS {
            last[window] = counts[window].saturating_sub(1);
        }
        let mut percentiles = [[0.0; WINDOWS]; 5];
        for (place, values) in percentiles.iter_mut().enumerate() {
            let (mut below, mut above, mut parts) = ([0; WINDOWS], [0; WINDOWS], [0.0; WINDOWS]);
            for window in 0..WINDOWS {
                (below[window], parts[window]) = by_count[counts[window]].places[place];
                above[window] = (below[window] + 1).min(last[window]);
            }
            let (low, high) = (self.values_at(&below, ascending), self.values_at(&above, ascending));
            for window in 0..WINDOWS {
                let between = interpolate(low[window], high[window], parts[window]);
                values[window] = if below[window] == last[window] { low[window] } else { between };
            }
        }
        ([self.values_at(&[0; WINDOWS], ascending), self.values_at(&last, ascending)], percentiles)
    }
}

/// The levels of windows.
#[derive(Debug, Default)]
struct WindowLevels {
    cells: CellCounts,
    information: InformationTables,
}

/// How many voxels of each window count, and entropy and uniformity of their levels.
struct LevelSums {
    counts: Lanes<usize>,
    entropy: Lanes<f64>,
    uniformity: Lanes<f64>,
}

impl WindowLevels {
    fn sums(&mut self, windows: &Windows) -> LevelSums {
        self.cells.count(&windows.levels);
        let nothing = self.cells.leave_out_below(1);
        self.cells.find();
        let counts = nothing.map(|nothing| windows.levels.len() - nothing as usize);
        for count in counts {
            self.information.of(count);
        }
        vectorised!(pulp::Arch::new(), self.add_up(counts))
    }

    #[inline(always)]
    fn add_up(&mut self, counts: Lanes<usize>) -> LevelSums {
        let Self { cells, information } = self;
        let information: Lanes<&[f64]> = counts.map(|count| information.known(count));
        let totals = counts.map(|count| count as f64);
        let (mut entropy, mut uniformity) = ([0.0; WINDOWS], [0.0; WINDOWS]);
        for (_, of_level) in cells.take() {
            let mut of_counts = [0.0; WINDOWS];
            for window in 0..WINDOWS {
                of_counts[window] = information[window][usize::from(of_level[window])];
            }
            for window in 0..WINDOWS {
                let share = f64::from(of_level[window]) / totals[window];
                uniformity[window] += share * share;
                entropy[window] += of_counts[window];
            }
        }
        LevelSums { counts, entropy: entropy.map(|sum| -sum), uniformity }
    }
}

/// The values of windows that count, each window's in raster order from the first row on.
#[derive(Debug, Default)]
struct GreyValues {
    values: Vec<Lanes<f64>>,
    /// The values between the 10th and the 90th percentile, in the same way.
    central: Vec<Lanes<f64>>,
}

impl GreyValues {
    fn resize(&mut self, voxels: usize) {
        self.values.resize(voxels, [0.0; WINDOWS]);
        self.central.resize(voxels, [0.0; WINDOWS]);
    }

    fn gather(&mut self, grid: &WindowGrid<'_>, windows: &Windows, ranked: &RankedValues<'_>, counts: &Lanes<usize>) {
        let values = &mut self.values;
        grid.gather(ranked.values, 0.0, windows.start, windows.count, values);
        for window in (0..windows.count).filter(|&window| counts[window] < windows.levels.len()) {
            let mut room = 0;
            for (place, levels) in windows.levels.iter().enumerate() {
                // Without a branch, which would be guessed wrongly along the border of the region.
                values[room][window] = values[place][window];
                room += usize::from(levels[window] > 0);
            }
        }
    }

    /// The means over the values of each window.
    #[inline(always)]
    fn means(&self, counts: &Lanes<usize>, shift: f64) -> Lanes<Means> {
        let totals = counts.map(|count| count as f64);
        let [sums, energies] = sums_side_by_side(&self.values, counts, |x, _| value_and_energy(x, shift));
        let mut means = [0.0; WINDOWS];
        for window in 0..WINDOWS {
            means[window] = sums[window] / totals[window];
        }
        let mut about = sums_side_by_side(&self.values, counts, |x, window| about_mean(x, means[window]));
        for sums in &mut about {
            for window in 0..WINDOWS {
                sums[window] /= totals[window];
            }
        }
        std::array::from_fn(|window| Means {
            mean: means[window],
            energy: energies[window],
            about_mean: std::array::from_fn(|k| about[k][window]),
        })
    }

    /// The deviations of the values of each window, whose percentiles are given; that from the median only where it is
    /// wanted.
    #[inline(always)]
    fn deviations(
        &mut self,
        counts: &Lanes<usize>,
        percentiles: &Lanes<[f64; 5]>,
        from_median: bool,
    ) -> Lanes<KnownDeviations> {
        let Self { values, central } = self;
        let [p10, median, p90]: [Lanes<f64>; 3] = [0, 2, 4].map(|place| percentiles.map(|of_window| of_window[place]));
        let ends = counts.map(|count| count as u64);
        let mut kept = [0usize; WINDOWS];
        for (place, row) in values.iter().enumerate() {
            let mut keeps = [0u64; WINDOWS];
            for window in 0..WINDOWS {
                let is_kept = is_central(row[window], p10[window], p90[window]) & ((place as u64) < ends[window]);
                keeps[window] = u64::from(is_kept);
            }
            for window in 0..WINDOWS {
                central[kept[window]][window] = row[window];
                kept[window] += keeps[window] as usize;
            }
        }
        let kept_totals = kept.map(|count| count as f64);
        let [sums] = sums_side_by_side(central, &kept, |x, _| [x]);
        let means: Lanes<f64> = std::array::from_fn(|window| sums[window] / kept_totals[window]);
        let [robust] = sums_side_by_side(central, &kept, |x, window| [(x - means[window]).abs()]);
        let from_median = if from_median {
            let [sums] = sums_side_by_side(values, counts, |x, window| [(x - median[window]).abs()]);
            std::array::from_fn(|window| sums[window] / counts[window] as f64)
        } else {
            [f64::NAN; WINDOWS]
        };
        std::array::from_fn(|window| KnownDeviations {
            robust: robust[window] / kept_totals[window],
            from_median: from_median[window],
        })
    }

    /// The values of one window.
    fn of_window(&self, window: usize, count: usize) -> Vec<f64> {
        self.values[..count].iter().map(|row| row[window]).collect()
    }
}

/// First-order features; see [`crate::first_order`].
pub(crate) struct FirstOrderWindows<'a> {
    formulas: Vec<&'static Formula<FirstOrder>>,
    definitions: Definitions,
    ranked: &'a RankedValues<'a>,
    shift: f64,
    voxel_volume: f64,
    ranks: SortedRanks,
    /// By number of values.
    percentiles: Vec<PercentilePlaces>,
    levels: WindowLevels,
    values: GreyValues,
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
            shift,
            voxel_volume,
            ranks: SortedRanks::default(),
            percentiles: Vec::new(),
            levels: WindowLevels::default(),
            values: GreyValues::default(),
        }
    }

    /// The distribution of each window.
    fn distributions(&mut self, windows: &Windows, order: &Lanes<Order>, counts: &Lanes<usize>) -> Vec<FirstOrder> {
        let Self { values, definitions, shift, voxel_volume, .. } = self;
        // Only the IBSI has a feature of deviations from the median.
        let from_median = *definitions == Definitions::Ibsi;
        if windows.levels.len() > MOST_SIDE_BY_SIDE {
            let of_window = |window: usize| values.of_window(window, counts[window]);
            let each = 0..windows.count;
            return each
                .map(|window| FirstOrder::of_values(of_window(window).into(), order[window], *shift, *voxel_volume))
                .collect();
        }
        let means = vectorised!(pulp::Arch::new(), values.means(counts, *shift));
        let percentiles = order.map(|order| order.percentiles);
        let deviations = vectorised!(pulp::Arch::new(), values.deviations(counts, &percentiles, from_median));
        let distribution = |window: usize| {
            let count = counts[window] as f64;
            FirstOrder::of_known(count, deviations[window], means[window], order[window], *voxel_volume)
        };
        (0..windows.count).map(distribution).collect()
    }
}

impl WindowClass for FirstOrderWindows<'_> {
    fn check(&self, _: [usize; 3]) -> Result<()> {
        Ok(())
    }

    fn resize(&mut self, windows: &Windows, highest: u32) {
        let voxels = windows.levels.len();
        self.ranks.resize(voxels);
        let known = self.percentiles.len().max(1);
        self.percentiles.resize(known, PercentilePlaces::default());
        self.percentiles.extend((known..=voxels).map(PercentilePlaces::of));
        self.levels.cells.resize(highest as usize + 1);
        self.values.resize(voxels);
    }

    fn write(&mut self, grid: &WindowGrid<'_>, windows: &Windows, values: &mut WindowValues<'_, '_>) {
        let ranked = self.ranked;
        self.ranks.sort(grid, windows, &ranked.ranks);
        let LevelSums { counts, entropy, uniformity } = self.levels.sums(windows);
        self.values.gather(grid, windows, ranked, &counts);
        let (extremes, percentiles) =
            vectorised!(pulp::Arch::new(), self.ranks.statistics(&counts, &self.percentiles, &ranked.ascending));
        let order = std::array::from_fn(|window| Order {
            extremes: extremes.map(|lanes| lanes[window]),
            percentiles: percentiles.map(|lanes| lanes[window]),
            entropy: entropy[window],
            uniformity: uniformity[window],
        });
        let mut distributions = self.distributions(windows, &order, &counts);
        if self.definitions == Definitions::Ibsi {
            distributions.iter_mut().for_each(FirstOrder::leave_out_rounded_spread);
        }
        values.write(0, &self.formulas, &distributions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_in_the_order_of_the_values_whatever_their_width() {
        for count in [1u32, 1000, u32::from(u16::MAX), 70_000] {
            let value = |place: u32| f64::from(place.wrapping_mul(0x9E37_79B9) % count) - 300.0;
            let values: Vec<f64> = (0..2 * count).map(value).collect();
            let levels: Vec<u32> = (0..2 * count).map(|place| u32::from(place % 7 > 0)).collect();
            let ranked = RankedValues::new(&values, &levels);
            assert!(ranked.ascending.is_sorted_by(|a, b| a < b), "{count}");
            assert_eq!(matches!(ranked.ranks, Ranks::Wide(_)), ranked.ascending.len() > usize::from(u16::MAX));
            for (place, (&value, &level)) in values.iter().zip(&levels).enumerate() {
                let (rank, none) = match &ranked.ranks {
                    Ranks::Narrow(ranks) => (usize::from(ranks[place]), usize::from(u16::MAX)),
                    Ranks::Wide(ranks) => (ranks[place] as usize, u32::MAX as usize),
                };
                assert!(if level > 0 { ranked.ascending[rank] == value } else { rank == none }, "{count}: {place}");
            }
        }
    }
}
