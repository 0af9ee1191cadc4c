//! Leaf-wise growth of a tree on histograms.

use rayon::prelude::*;

use super::binning::{BinnedFeature, BinnedTable};
use super::objective::KEPSILON;
use super::params::BoostingParams;
use super::tree::{Child, MissingSide, Tree, TreeNode};

/// Features from which on the work of a leaf is worth sharing out. Features are independent, so threads do not change
/// the result.
const PARALLEL_FEATURES: usize = 200;

/// Sums of a bin or a leaf.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    gradient: f64,
    hessian: f64,
}

/// Histogram of one feature in one leaf.
#[derive(Clone)]
struct Histogram {
    bins: Vec<Sums>,
    /// Whether some split of the feature was admissible in the parent; if not, none is below it.
    splittable: bool,
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
    histograms: Vec<Histogram>,
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
    spare: Vec<Vec<Histogram>>,
}

impl<'a> Grower<'a> {
    pub(super) fn new(table: &'a BinnedTable, params: &'a BoostingParams) -> Self {
        Self { table, params, spare: Vec::new() }
    }

    pub(super) fn grow(&mut self, gradients: &[f32], hessians: &[f32]) -> Grown {
        let rows: Vec<u32> = (0..self.table.rows as u32).collect();
        let sums = rows.iter().fold(Sums::default(), |s, &r| Sums {
            gradient: s.gradient + f64::from(gradients[r as usize]),
            hessian: s.hessian + f64::from(hessians[r as usize]),
        });
        let mut root = Leaf { rows, sums, depth: 0, histograms: self.blank(), split: None, parent: None, output: 0.0 };
        self.fill(&mut root, gradients, hessians);
        if self.may_split(&root) {
            self.find_split(&mut root);
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
            let (left, right) = self.divide(&mut leaves[best], &split, node, gradients, hessians);
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

    fn blank(&mut self) -> Vec<Histogram> {
        match self.spare.pop() {
            Some(mut histograms) => {
                for h in &mut histograms {
                    h.bins.fill(Sums::default());
                    h.splittable = true;
                }
                histograms
            }
            None => self
                .table
                .features
                .iter()
                .map(|f| Histogram { bins: vec![Sums::default(); f.bounds.len()], splittable: true })
                .collect(),
        }
    }

    /// Histograms of a leaf from its rows. The most frequent bin is the leaf's sums less the other bins.
    fn fill(&self, leaf: &mut Leaf, gradients: &[f32], hessians: &[f32]) {
        // Gathered once, the derivatives stream through every feature.
        let derivatives: Vec<Sums> = leaf
            .rows
            .iter()
            .map(|&r| Sums { gradient: f64::from(gradients[r as usize]), hessian: f64::from(hessians[r as usize]) })
            .collect();
        let (rows, sums) = (&leaf.rows, leaf.sums);
        let complete = |(feature, histogram): (&BinnedFeature, &mut Histogram)| {
            if !histogram.splittable {
                return;
            }
            for (&row, d) in rows.iter().zip(&derivatives) {
                let bin = &mut histogram.bins[usize::from(feature.bins[row as usize])];
                bin.gradient += d.gradient;
                bin.hessian += d.hessian;
            }
            let mut rest = sums;
            for (b, sums) in histogram.bins.iter().enumerate() {
                if b != feature.most_frequent {
                    rest.gradient -= sums.gradient;
                    rest.hessian -= sums.hessian;
                }
            }
            histogram.bins[feature.most_frequent] = rest;
        };
        let features = &self.table.features;
        if features.len() >= PARALLEL_FEATURES {
            features.par_iter().zip(&mut leaf.histograms).with_min_len(32).for_each(complete);
        } else {
            features.iter().zip(&mut leaf.histograms).for_each(complete);
        }
    }

    fn may_split(&self, leaf: &Leaf) -> bool {
        self.params.max_depth.is_none_or(|d| leaf.depth < d)
    }

    /// Splits a leaf in two. The smaller one gets a histogram of its rows, the larger one the parent's less that.
    fn divide(
        &mut self,
        parent: &mut Leaf,
        split: &Split,
        node: usize,
        gradients: &[f32],
        hessians: &[f32],
    ) -> (Leaf, Leaf) {
        let feature = &self.table.features[split.feature];
        let missing_bin = if feature.has_missing { feature.bounds.len() - 1 } else { usize::MAX };
        let goes_left = |row: &&u32| {
            let bin = usize::from(feature.bins[**row as usize]);
            if bin == missing_bin { split.default_left } else { bin <= split.bin }
        };
        let (left_rows, right_rows): (Vec<u32>, Vec<u32>) = parent.rows.iter().partition(goes_left);
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
        smaller.histograms = self.blank();
        for (small, parent) in smaller.histograms.iter_mut().zip(&inherited) {
            small.splittable = parent.splittable;
        }
        self.fill(smaller, gradients, hessians);
        larger.histograms = inherited;
        for (large, small) in larger.histograms.iter_mut().zip(&smaller.histograms) {
            if large.splittable {
                for (l, s) in large.bins.iter_mut().zip(&small.bins) {
                    l.gradient -= s.gradient;
                    l.hessian -= s.hessian;
                }
            }
        }
        self.find_split(smaller);
        self.find_split(larger);
        (left, right)
    }

    /// The best split of a leaf; of equal gains the smaller feature.
    fn find_split(&self, leaf: &mut Leaf) {
        let (sums, rows, params) = (leaf.sums, leaf.rows.len(), self.params);
        let search = |(f, (feature, histogram)): (usize, (&BinnedFeature, &mut Histogram))| -> Option<Split> {
            if !histogram.splittable {
                return None;
            }
            let found = Scan::new(feature, &histogram.bins, sums, rows, params).best();
            histogram.splittable = found.admissible;
            found.split.map(|split| Split { feature: f, ..split })
        };
        let features = &self.table.features;
        let splits: Vec<Option<Split>> = if features.len() >= PARALLEL_FEATURES {
            features.par_iter().zip(&mut leaf.histograms).enumerate().with_min_len(32).map(search).collect()
        } else {
            features.iter().zip(&mut leaf.histograms).enumerate().map(search).collect()
        };
        leaf.split = splits
            .into_iter()
            .flatten()
            .fold(None, |best: Option<Split>, s| if best.is_none_or(|b| s.gain > b.gain) { Some(s) } else { best });
    }
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
