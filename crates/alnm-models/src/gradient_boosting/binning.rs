//! Features as histogram bins, with LightGBM's boundaries.

use rayon::prelude::*;

use super::params::BoostingParams;
use crate::FeatureTable;

/// Features whose bins lie side by side: one access to memory finds the bins of a row in all of them.
pub(crate) const TOGETHER: usize = 8;

/// Values closer to 0 than this are 0.
const ZERO: f64 = 1e-35f32 as f64;

/// A table in bins.
pub(crate) struct BinnedTable {
    /// The features that can split, in the order of the columns.
    pub(crate) features: Vec<BinnedFeature>,
    /// Bins of all rows in each block of [`TOGETHER`] features; features that lack to a whole block have the bin 0.
    pub(crate) bins: Bins,
    /// Largest number of bins of a feature.
    pub(crate) most_bins: usize,
    pub(crate) rows: usize,
}

/// Bins by block and row, in as few bytes as the number of bins allows.
pub(crate) enum Bins {
    Narrow(Vec<Vec<[u8; TOGETHER]>>),
    Wide(Vec<Vec<[u16; TOGETHER]>>),
}

/// A feature in bins.
pub(crate) struct BinnedFeature {
    /// Column of the table.
    pub(crate) column: usize,
    /// Upper bounds of the bins; the last one is infinite, or NaN for the bin of missing values.
    pub(crate) bounds: Vec<f64>,
    /// Whether the last bin holds missing values.
    pub(crate) has_missing: bool,
    /// The bin that histograms do not store but complete from the leaf's sums.
    pub(crate) most_frequent: usize,
}

impl BinnedTable {
    pub(crate) fn new(table: &FeatureTable, params: &BoostingParams) -> Self {
        let values = table.values();
        let (features, bins): (Vec<BinnedFeature>, Vec<Vec<u16>>) = (0..table.columns())
            .into_par_iter()
            .filter_map(|column| BinnedFeature::new(column, &values.column(column).to_vec(), params))
            .unzip();
        let most_bins = features.iter().map(|f| f.bounds.len()).max().unwrap_or(0);
        let rows = table.rows();
        let bins = if most_bins <= 1 << u8::BITS {
            Bins::Narrow(side_by_side(&bins, rows, |bin| bin as u8))
        } else {
            Bins::Wide(side_by_side(&bins, rows, |bin| bin))
        };
        Self { features, bins, most_bins, rows }
    }
}

fn side_by_side<B: Copy + Default + Send>(
    bins: &[Vec<u16>],
    rows: usize,
    narrowed: impl Fn(u16) -> B + Sync,
) -> Vec<Vec<[B; TOGETHER]>> {
    bins.par_chunks(TOGETHER)
        .map(|features| {
            let mut block = vec![[B::default(); TOGETHER]; rows];
            for (place, feature) in features.iter().enumerate() {
                block.iter_mut().zip(feature).for_each(|(row, bin)| row[place] = narrowed(*bin));
            }
            block
        })
        .collect()
}

impl BinnedFeature {
    /// The feature and the bin of each row. `None` when no split could leave enough rows on both sides.
    fn new(column: usize, values: &[f64], params: &BoostingParams) -> Option<(Self, Vec<u16>)> {
        let missing = values.iter().filter(|v| v.is_nan()).count();
        let distinct = Distinct::of(values);
        let has_missing = missing > 0;
        let mut bounds =
            distinct.bounds(params.max_bin - usize::from(has_missing), values.len() - missing, params.min_data_in_bin);
        if has_missing {
            bounds.push(f64::NAN);
        }
        let mut feature = Self { column, bounds, has_missing, most_frequent: 0 };
        if feature.bounds.len() < 2 {
            return None;
        }
        let bins: Vec<u16> = values.iter().map(|v| feature.bin_of(*v) as u16).collect();
        let mut counts = vec![0usize; feature.bounds.len()];
        bins.iter().for_each(|&b| counts[usize::from(b)] += 1);
        let splits = (1..counts.len()).any(|b| {
            let left: usize = counts[..b].iter().sum();
            left >= params.min_data_in_leaf && values.len() - left >= params.min_data_in_leaf
        });
        if !splits {
            return None;
        }
        let zero_bin = feature.bin_of(0.0);
        let mut fullest = 0;
        for (b, &count) in counts.iter().enumerate() {
            if count > counts[fullest] {
                fullest = b;
            }
        }
        // The bin of 0 is left out unless another one holds most of the rows.
        feature.most_frequent = if (counts[fullest] as f64) < 0.7 * values.len() as f64 { zero_bin } else { fullest };
        Some((feature, bins))
    }

    /// Bin of a value; a missing value has the last bin, or that of 0 when training had none.
    fn bin_of(&self, value: f64) -> usize {
        let numeric = self.bounds.len() - usize::from(self.has_missing);
        if value.is_nan() {
            return if self.has_missing { numeric } else { self.bin_of(0.0) };
        }
        self.bounds[..numeric - 1].partition_point(|b| *b < value)
    }
}

/// Distinct values in ascending order with their counts, 0 among them where it belongs.
struct Distinct {
    values: Vec<f64>,
    counts: Vec<usize>,
}

impl Distinct {
    fn of(values: &[f64]) -> Self {
        let mut nonzero: Vec<f64> = values.iter().copied().filter(|v| v.abs() > ZERO).collect();
        nonzero.sort_unstable_by(f64::total_cmp);
        let zeros = values.iter().filter(|v| v.abs() <= ZERO).count();
        let mut d = Self { values: Vec::new(), counts: Vec::new() };
        if nonzero.is_empty() || (nonzero[0] > 0.0 && zeros > 0) {
            d.push(0.0, zeros);
        }
        for (i, &v) in nonzero.iter().enumerate() {
            if i > 0 && v <= nonzero[i - 1].next_up() {
                // Neighbouring doubles are one value, the larger.
                if let (Some(value), Some(count)) = (d.values.last_mut(), d.counts.last_mut()) {
                    *value = v;
                    *count += 1;
                }
                continue;
            }
            if i > 0 && nonzero[i - 1] < 0.0 && v > 0.0 {
                d.push(0.0, zeros);
            }
            d.push(v, 1);
        }
        if nonzero.last().is_some_and(|v| *v < 0.0) && zeros > 0 {
            d.push(0.0, zeros);
        }
        d
    }

    fn push(&mut self, value: f64, count: usize) {
        self.values.push(value);
        self.counts.push(count);
    }

    /// Bounds with a bin of its own for 0: bins below it, the bin of 0, bins above it.
    fn bounds(&self, max_bin: usize, total: usize, min_data: usize) -> Vec<f64> {
        let below = self.values.partition_point(|v| *v <= -ZERO);
        let above = self.values.partition_point(|v| *v <= ZERO);
        let count = |range: std::ops::Range<usize>| self.counts[range].iter().sum::<usize>();
        let (count_below, zeros, count_above) = (count(0..below), count(below..above), count(above..self.values.len()));
        let mut bounds = Vec::new();
        if below > 0 && max_bin > 1 {
            let share = count_below as f64 / (total - zeros) as f64 * (max_bin - 1) as f64;
            bounds = greedy_bounds(
                &self.values[..below],
                &self.counts[..below],
                (share as usize).max(1),
                count_below,
                min_data,
            );
            if let Some(last) = bounds.last_mut() {
                *last = -ZERO;
            }
        }
        let left = max_bin as i64 - 1 - bounds.len() as i64;
        if above < self.values.len() && left > 0 {
            bounds.push(ZERO);
            bounds.extend(greedy_bounds(
                &self.values[above..],
                &self.counts[above..],
                left as usize,
                count_above,
                min_data,
            ));
        } else {
            bounds.push(f64::INFINITY);
        }
        bounds
    }
}

/// Bins of about equal size, never splitting a distinct value; the last bound is infinite.
fn greedy_bounds(values: &[f64], counts: &[usize], max_bin: usize, total: usize, min_data: usize) -> Vec<f64> {
    let mut bounds: Vec<f64> = Vec::new();
    let push = |bounds: &mut Vec<f64>, low: f64, high: f64| {
        let bound = ((low + high) / 2.0).next_up();
        if bounds.last().is_none_or(|last| bound > last.next_up()) {
            bounds.push(bound);
            return true;
        }
        false
    };
    if values.len() <= max_bin {
        let mut in_bin = 0;
        for i in 0..values.len().saturating_sub(1) {
            in_bin += counts[i];
            if in_bin >= min_data && push(&mut bounds, values[i], values[i + 1]) {
                in_bin = 0;
            }
        }
        bounds.push(f64::INFINITY);
        return bounds;
    }
    let max_bin = max_bin.min(total / min_data).max(1);
    let mut mean_size = total as f64 / max_bin as f64;
    let big: Vec<bool> = counts.iter().map(|&c| c as f64 >= mean_size).collect();
    let mut rest_bins = max_bin as f64 - big.iter().filter(|b| **b).count() as f64;
    let mut rest_rows = (total - counts.iter().zip(&big).filter(|(_, b)| **b).map(|(c, _)| c).sum::<usize>()) as f64;
    mean_size = rest_rows / rest_bins;
    let (mut upper, mut lower) = (Vec::new(), vec![values[0]]);
    let mut in_bin = 0.0;
    for i in 0..values.len() - 1 {
        if !big[i] {
            rest_rows -= counts[i] as f64;
        }
        in_bin += counts[i] as f64;
        if big[i] || in_bin >= mean_size || (big[i + 1] && in_bin >= (mean_size * 0.5).max(1.0)) {
            upper.push(values[i]);
            lower.push(values[i + 1]);
            if upper.len() >= max_bin - 1 {
                break;
            }
            in_bin = 0.0;
            if !big[i] {
                rest_bins -= 1.0;
                mean_size = rest_rows / rest_bins;
            }
        }
    }
    for (low, high) in upper.iter().zip(&lower[1..]) {
        push(&mut bounds, *low, *high);
    }
    bounds.push(f64::INFINITY);
    bounds
}
