//! Leaf-wise growth of a tree on histograms.

use rayon::prelude::*;

use super::binning::{BinnedFeature, BinnedTable, Bins, TOGETHER};
use super::objective::KEPSILON;
use super::params::BoostingParams;
use super::tree::{Child, MissingSide, Tree, TreeNode};

/// Bins that are added to or looked at from which on the work of a leaf is worth sharing out. Features are independent,
/// so threads do not change the result.
const PARALLEL_WORK: usize = 12_000;
/// Rows that are divided at once.
const DIVIDED_ROWS: usize = 1 << 14;

/// Sums of a bin or a leaf.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    gradient: f64,
    hessian: f64,
}

/// Histograms of a block of features in one leaf.
struct Histograms {
    /// Bins of each feature, as many as the feature with most of them has.
    bins: Vec<Sums>,
    /// Whether some split of the feature was admissible in the parent; if not, none is below it.
    splittable: [bool; TOGETHER],
}

/// The best split of a leaf.
#[derive(Debug, Clone, Copy)]
struct Split {
    /// Position among the features that can split.
    feature: usize,
    bin: usize,
    gain: f64,
    default_left: bool,
    left: Sums,
    right: Sums,
    left_output: f64,
    right_output: f64,
}

struct Leaf {
    rows: Vec<u32>,
    sums: Sums,
    depth: usize,
    /// By block of features; none where no split is searched.
    histograms: Vec<Histograms>,
    split: Option<Split>,
    /// Node above and whether this leaf is its left child.
    parent: Option<(usize, bool)>,
    output: f64,
}

/// A grown tree and the training rows of its leaves.
pub(super) struct Grown {
    pub(super) tree: Tree,
    pub(super) rows_of_leaf: Vec<Vec<u32>>,
}

/// Grows trees on one table.
pub(super) struct Grower<'a> {
    table: &'a BinnedTable,
    params: &'a BoostingParams,
    /// Histograms that are free for reuse.
    spare: Vec<Vec<Histograms>>,
}

impl<'a> Grower<'a> {
    pub(super) fn new(table: &'a BinnedTable, params: &'a BoostingParams) -> Self {
        Self { table, params, spare: Vec::new() }
    }

    pub(super) fn grow(&mut self, derivatives: &[[f32; 2]]) -> Grown {
        let rows: Vec<u32> = (0..self.table.rows as u32).collect();
        let sums = derivatives.iter().fold(Sums::default(), |s, &[gradient, hessian]| Sums {
            gradient: s.gradient + f64::from(gradient),
            hessian: s.hessian + f64::from(hessian),
        });
        let mut root = Leaf { rows, sums, depth: 0, histograms: Vec::new(), split: None, parent: None, output: 0.0 };
        if self.may_split(&root) {
            root.histograms = self.blank();
            root.histograms.iter_mut().for_each(|h| h.splittable = [true; TOGETHER]);
            let blocks = root.histograms.iter_mut().collect();
            let splits = self.of_blocks(root.rows.len(), blocks, |number, histograms: &mut Histograms| {
                self.fill(number, histograms, &root.rows, derivatives, root.sums);
                self.best_split(number, histograms, root.sums, root.rows.len())
            });
            root.split = largest_gain(splits);
        }
        let mut leaves = vec![root];
        let mut nodes: Vec<TreeNode> = Vec::new();
        while leaves.len() < self.params.num_leaves {
            let Some(best) = self.best_leaf(&leaves) else { break };
            let Some(split) = leaves[best].split.take() else { break };
            let node = nodes.len();
            let feature = &self.table.features[split.feature];
            nodes.push(node_of(feature, &split, &leaves[best], self.params.min_gain_to_split));
            if let Some((parent, is_left)) = leaves[best].parent {
                *(if is_left { &mut nodes[parent].left } else { &mut nodes[parent].right }) = Child::Node(node);
            }
            let right_number = leaves.len();
            nodes[node].left = Child::Leaf(best);
            nodes[node].right = Child::Leaf(right_number);
            let (left, right) = self.divide(&mut leaves[best], &split, node, derivatives);
            leaves[best] = left;
            leaves.push(right);
        }
        let tree = Tree::grown(
            nodes,
            leaves.iter().map(|l| l.output).collect(),
            leaves.iter().map(|l| l.sums.hessian).collect(),
            leaves.iter().map(|l| l.rows.len()).collect(),
        );
        let mut rows_of_leaf = Vec::with_capacity(leaves.len());
        for leaf in leaves {
            rows_of_leaf.push(leaf.rows);
            if !leaf.histograms.is_empty() {
                self.spare.push(leaf.histograms);
            }
        }
        Grown { tree, rows_of_leaf }
    }

    /// The leaf whose best split gains most; of equals, the split with the smaller feature, then the earlier leaf.
    fn best_leaf(&self, leaves: &[Leaf]) -> Option<usize> {
        let mut best: Option<(usize, Split)> = None;
        for (i, leaf) in leaves.iter().enumerate() {
            if let Some(split) = leaf.split
                && best.is_none_or(|(_, b)| split.gain > b.gain || (split.gain == b.gain && split.feature < b.feature))
            {
                best = Some((i, split));
            }
        }
        best.filter(|(_, s)| s.gain > 0.0).map(|(i, _)| i)
    }

    /// Histograms of any content.
    fn blank(&mut self) -> Vec<Histograms> {
        let blank = || Histograms {
            bins: vec![Sums::default(); TOGETHER * self.table.most_bins],
            splittable: [true; TOGETHER],
        };
        let blocks = self.table.features.len().div_ceil(TOGETHER);
        self.spare.pop().unwrap_or_else(|| std::iter::repeat_with(blank).take(blocks).collect())
    }

    /// The features of a block, with their numbers.
    fn features_of(&self, block: usize) -> impl Iterator<Item = (usize, &BinnedFeature)> {
        self.table.features.iter().enumerate().skip(block * TOGETHER).take(TOGETHER)
    }

    /// A result for every block of features, in their order.
    fn of_blocks<P: Send, T: Send>(
        &self,
        rows: usize,
        blocks: Vec<P>,
        of_block: impl Fn(usize, P) -> T + Sync + Send,
    ) -> Vec<T> {
        let of_block = |(number, block)| of_block(number, block);
        if self.table.features.len() * (rows + self.table.most_bins) >= PARALLEL_WORK {
            blocks.into_par_iter().enumerate().map(of_block).collect()
        } else {
            blocks.into_iter().enumerate().map(of_block).collect()
        }
    }

    /// Histograms of a block from the rows of a leaf, whose derivatives are given in the order of the rows. The most
    /// frequent bin is the leaf's sums less the other bins.
    fn fill(&self, block: usize, histograms: &mut Histograms, rows: &[u32], derivatives: &[[f32; 2]], sums: Sums) {
        let most_bins = self.table.most_bins;
        let Histograms { bins, splittable } = histograms;
        if !splittable.contains(&true) {
            return;
        }
        bins.fill(Sums::default());
        match &self.table.bins {
            Bins::Narrow(of_rows) => add_rows(&of_rows[block], bins, splittable, rows, derivatives),
            Bins::Wide(of_rows) => add_rows(&of_rows[block], bins, splittable, rows, derivatives),
        }
        for ((_, feature), bins) in self.features_of(block).zip(bins.chunks_mut(most_bins)) {
            let mut rest = sums;
            for (b, sums) in bins[..feature.bounds.len()].iter().enumerate() {
                if b != feature.most_frequent {
                    rest.gradient -= sums.gradient;
                    rest.hessian -= sums.hessian;
                }
            }
            bins[feature.most_frequent] = rest;
        }
    }

    fn may_split(&self, leaf: &Leaf) -> bool {
        self.params.max_depth.is_none_or(|d| leaf.depth < d)
    }

    /// Splits a leaf in two. The smaller one gets a histogram of its rows, the larger one the parent's less that.
    fn divide(&mut self, parent: &mut Leaf, split: &Split, node: usize, derivatives: &[[f32; 2]]) -> (Leaf, Leaf) {
        let (left_rows, right_rows) = self.divide_rows(&parent.rows, split);
        let depth = parent.depth + 1;
        let make = |rows, sums, is_left, output| Leaf {
            rows,
            sums,
            depth,
            histograms: Vec::new(),
            split: None,
            parent: Some((node, is_left)),
            output,
        };
        let mut left = make(left_rows, split.left, true, split.left_output);
        let mut right = make(right_rows, split.right, false, split.right_output);
        let inherited = std::mem::take(&mut parent.histograms);
        let too_few = self.params.min_data_in_leaf.saturating_mul(2);
        let hopeless = left.rows.len() < too_few && right.rows.len() < too_few;
        if hopeless || !self.may_split(&left) {
            self.spare.push(inherited);
            return (left, right);
        }
        let (smaller, larger) =
            if left.rows.len() < right.rows.len() { (&mut left, &mut right) } else { (&mut right, &mut left) };
        (smaller.histograms, larger.histograms) = (self.blank(), inherited);
        // Gathered once, the derivatives stream through every block of features.
        let gathered: Vec<[f32; 2]> = smaller.rows.iter().map(|&r| derivatives[r as usize]).collect();
        let blocks = smaller.histograms.iter_mut().zip(&mut larger.histograms).collect();
        let (small, large) = ((&smaller.rows, smaller.sums), (larger.rows.len(), larger.sums));
        let splits =
            self.of_blocks(small.0.len(), blocks, |number, (own, rest): (&mut Histograms, &mut Histograms)| {
                own.splittable = rest.splittable;
                self.fill(number, own, small.0, &gathered, small.1);
                if own.splittable.contains(&true) {
                    for (rest, own) in rest.bins.iter_mut().zip(&own.bins) {
                        rest.gradient -= own.gradient;
                        rest.hessian -= own.hessian;
                    }
                }
                (self.best_split(number, own, small.1, small.0.len()), self.best_split(number, rest, large.1, large.0))
            });
        let (of_smaller, of_larger): (Vec<_>, Vec<_>) = splits.into_iter().unzip();
        (smaller.split, larger.split) = (largest_gain(of_smaller), largest_gain(of_larger));
        (left, right)
    }

    /// The rows that go left and those that go right, in their order.
    fn divide_rows(&self, rows: &[u32], split: &Split) -> (Vec<u32>, Vec<u32>) {
        let feature = &self.table.features[split.feature];
        let (block, place) = (split.feature / TOGETHER, split.feature % TOGETHER);
        let missing_bin = if feature.has_missing { feature.bounds.len() - 1 } else { usize::MAX };
        let goes_left = |bin: usize| if bin == missing_bin { split.default_left } else { bin <= split.bin };
        let divide = |rows: &[u32]| match &self.table.bins {
            Bins::Narrow(bins) => divided(rows, |row| goes_left(usize::from(bins[block][row as usize][place]))),
            Bins::Wide(bins) => divided(rows, |row| goes_left(usize::from(bins[block][row as usize][place]))),
        };
        if rows.len() <= DIVIDED_ROWS {
            return divide(rows);
        }
        let (left, right): (Vec<Vec<u32>>, Vec<Vec<u32>>) = rows.par_chunks(DIVIDED_ROWS).map(divide).unzip();
        (left.concat(), right.concat())
    }

    /// The best split of a leaf by a feature of a block; of equal gains the smaller feature.
    fn best_split(&self, block: usize, histograms: &mut Histograms, sums: Sums, rows: usize) -> Option<Split> {
        let Histograms { bins, splittable } = histograms;
        let features = self.features_of(block).zip(bins.chunks(self.table.most_bins)).zip(splittable);
        let search = |(((number, feature), bins), splittable): (((usize, &BinnedFeature), &[Sums]), &mut bool)| {
            if !*splittable {
                return None;
            }
            let found = Scan::new(feature, &bins[..feature.bounds.len()], sums, rows, self.params).best();
            *splittable = found.admissible;
            found.split.map(|split| Split { feature: number, ..split })
        };
        largest_gain(features.map(search).collect())
    }
}

/// The split that gains most; of equal gains the first.
fn largest_gain(splits: Vec<Option<Split>>) -> Option<Split> {
    let better = |best: Option<Split>, s: Split| if best.is_none_or(|b| s.gain > b.gain) { Some(s) } else { best };
    splits.into_iter().flatten().fold(None, better)
}

/// Adds the derivatives of rows to the bins of a block of features, row after row.
fn add_rows<B: Copy + Into<usize>>(
    of_rows: &[[B; TOGETHER]],
    bins: &mut [Sums],
    splittable: &[bool; TOGETHER],
    rows: &[u32],
    derivatives: &[[f32; 2]],
) {
    let most_bins = bins.len() / TOGETHER;
    let add = |bin: &mut Sums, &[gradient, hessian]: &[f32; 2]| {
        bin.gradient += f64::from(gradient);
        bin.hessian += f64::from(hessian);
    };
    let wanted = splittable.iter().filter(|s| **s).count();
    if wanted > 2 {
        for (&row, derivatives) in rows.iter().zip(derivatives) {
            let of_row = &of_rows[row as usize];
            for place in 0..TOGETHER {
                add(&mut bins[place * most_bins + of_row[place].into()], derivatives);
            }
        }
        return;
    }
    // The other features of the block are not looked at again.
    for place in (0..TOGETHER).filter(|&place| splittable[place]) {
        let bins = &mut bins[place * most_bins..][..most_bins];
        for (&row, derivatives) in rows.iter().zip(derivatives) {
            add(&mut bins[of_rows[row as usize][place].into()], derivatives);
        }
    }
}

/// Rows that go left and those that do not. Both lists are written without a branch, which could not be foreseen.
fn divided(rows: &[u32], goes_left: impl Fn(u32) -> bool) -> (Vec<u32>, Vec<u32>) {
    let (mut left, mut right) = (vec![0; rows.len()], vec![0; rows.len()]);
    let (mut lefts, mut rights) = (0, 0);
    for &row in rows {
        let is_left = goes_left(row);
        (left[lefts], right[rights]) = (row, row);
        lefts += usize::from(is_left);
        rights += usize::from(!is_left);
    }
    left.truncate(lefts);
    right.truncate(rights);
    (left, right)
}

/// The node stores the gain without the toll of `min_gain_to_split`.
fn node_of(feature: &BinnedFeature, split: &Split, leaf: &Leaf, toll: f64) -> TreeNode {
    let missing = match (feature.has_missing, split.default_left) {
        (false, _) => MissingSide::AsZero,
        (true, true) => MissingSide::Left,
        (true, false) => MissingSide::Right,
    };
    TreeNode {
        feature: feature.column,
        threshold: feature.bounds[split.bin].min(1e300),
        missing,
        gain: (split.gain + toll) as f32,
        left: Child::Leaf(0),
        right: Child::Leaf(0),
        value: leaf.output,
        weight: leaf.sums.hessian,
        count: leaf.rows.len(),
    }
}

/// Search of the best threshold of one feature in one leaf.
struct Scan<'a> {
    feature: &'a BinnedFeature,
    bins: &'a [Sums],
    sums: Sums,
    rows: i64,
    params: &'a BoostingParams,
    /// Gain that a split must exceed.
    floor: f64,
    /// Rows per unit of Hessian: LightGBM estimates the rows of a bin from its Hessian.
    rows_per_hessian: f64,
}

struct Found {
    admissible: bool,
    /// Gain of the best split before the floor is taken off.
    gain: f64,
    split: Option<Split>,
}

impl Found {
    fn nothing() -> Self {
        Self { admissible: false, gain: f64::NEG_INFINITY, split: None }
    }
}

impl<'a> Scan<'a> {
    fn new(feature: &'a BinnedFeature, bins: &'a [Sums], sums: Sums, rows: usize, params: &'a BoostingParams) -> Self {
        let sums = Sums { gradient: sums.gradient, hessian: sums.hessian + 2.0 * KEPSILON };
        let floor = leaf_gain(sums, params) + params.min_gain_to_split;
        Self { feature, bins, sums, rows: rows as i64, params, floor, rows_per_hessian: rows as f64 / sums.hessian }
    }

    fn best(&self) -> Found {
        let many = self.feature.bounds.len() > 2;
        if self.feature.has_missing && many {
            // Missing rows go left in the first scan and right in the second.
            let mut found = self.scan_from_right(true);
            let second = self.scan_from_left();
            found.admissible |= second.admissible;
            if found.split.is_none_or(|first| second.gain > first.gain + self.floor) {
                found.split = second.split;
            }
            return found;
        }
        let mut found = self.scan_from_right(false);
        if self.feature.has_missing
            && let Some(s) = &mut found.split
        {
            s.default_left = false;
        }
        found
    }

    fn rows_of(&self, hessian: f64) -> i64 {
        (hessian * self.rows_per_hessian + 0.5) as i64
    }

    /// Offset 1 leaves the first bin out of the scans: it is the most frequent one and complete only by difference.
    fn offset(&self) -> usize {
        usize::from(self.feature.most_frequent == 0)
    }

    fn is_small(&self, rows: i64, hessian: f64) -> bool {
        rows < self.params.min_data_in_leaf as i64 || hessian < self.params.min_sum_hessian_in_leaf
    }

    /// Thresholds from the largest to the smallest; with `missing_left` the missing bin never enters the right side.
    fn scan_from_right(&self, missing_left: bool) -> Found {
        let mut found = Found::nothing();
        let mut right = Sums { gradient: 0.0, hessian: KEPSILON };
        let mut right_rows = 0;
        let last = self.bins.len() - 1 - usize::from(missing_left);
        for bin in (1..=last).rev() {
            right.gradient += self.bins[bin].gradient;
            right.hessian += self.bins[bin].hessian;
            right_rows += self.rows_of(self.bins[bin].hessian);
            if self.is_small(right_rows, right.hessian) {
                continue;
            }
            let left =
                Sums { gradient: self.sums.gradient - right.gradient, hessian: self.sums.hessian - right.hessian };
            if self.is_small(self.rows - right_rows, left.hessian) {
                break;
            }
            self.consider(&mut found, bin - 1, left, true);
        }
        found
    }

    /// Thresholds from the smallest to the largest; the missing bin is on the right.
    fn scan_from_left(&self) -> Found {
        let mut found = Found::nothing();
        let mut left = Sums { gradient: 0.0, hessian: KEPSILON };
        let mut left_rows = 0;
        let offset = self.offset();
        if offset == 1 {
            left = Sums { gradient: self.sums.gradient, hessian: self.sums.hessian - KEPSILON };
            left_rows = self.rows;
            for bin in &self.bins[1..] {
                left.gradient -= bin.gradient;
                left.hessian -= bin.hessian;
                left_rows -= self.rows_of(bin.hessian);
            }
        }
        for bin in 0..=self.bins.len() - 2 {
            if bin >= offset {
                left.gradient += self.bins[bin].gradient;
                left.hessian += self.bins[bin].hessian;
                left_rows += self.rows_of(self.bins[bin].hessian);
            }
            if self.is_small(left_rows, left.hessian) {
                continue;
            }
            if self.is_small(self.rows - left_rows, self.sums.hessian - left.hessian) {
                break;
            }
            self.consider(&mut found, bin, left, false);
        }
        found
    }

    fn consider(&self, found: &mut Found, bin: usize, left: Sums, default_left: bool) {
        let right = Sums { gradient: self.sums.gradient - left.gradient, hessian: self.sums.hessian - left.hessian };
        let gain = leaf_gain(left, self.params) + leaf_gain(right, self.params);
        if gain.is_nan() || gain <= self.floor {
            return;
        }
        found.admissible = true;
        if gain > found.gain {
            found.gain = gain;
            let stored = |s: Sums| Sums { gradient: s.gradient, hessian: s.hessian - KEPSILON };
            found.split = Some(Split {
                feature: 0,
                bin,
                gain: gain - self.floor,
                default_left,
                left: stored(left),
                right: stored(right),
                left_output: leaf_output(left, self.params),
                right_output: leaf_output(right, self.params),
            });
        }
    }
}

fn thresholded(gradient: f64, l1: f64) -> f64 {
    (gradient.abs() - l1).max(0.0).copysign(gradient)
}

fn leaf_gain(s: Sums, params: &BoostingParams) -> f64 {
    let g = thresholded(s.gradient, params.lambda_l1);
    g * g / (s.hessian + params.lambda_l2)
}

fn leaf_output(s: Sums, params: &BoostingParams) -> f64 {
    -thresholded(s.gradient, params.lambda_l1) / (s.hessian + params.lambda_l2)
}
