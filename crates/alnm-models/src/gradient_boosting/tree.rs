//! A decision tree.

use serde::{Deserialize, Serialize};

/// A split: rows with a value up to the threshold go left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TreeNode {
    /// Number of the feature.
    pub feature: usize,
    /// Largest value that goes left.
    pub threshold: f64,
    /// Side of missing values when training had them in this feature; otherwise a missing value counts as 0.
    pub missing: MissingSide,
    /// Gain of the split, as LightGBM stores it.
    pub gain: f32,
    /// Where rows with small values go.
    pub left: Child,
    /// Where the others go.
    pub right: Child,
    /// Value the node would have as a leaf.
    pub value: f64,
    /// Sum of the Hessians of its rows.
    pub weight: f64,
    /// Number of its rows.
    pub count: usize,
}

/// Where a branch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Child {
    /// Another split.
    Node(usize),
    /// A leaf.
    Leaf(usize),
}

/// What a split does with missing values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MissingSide {
    /// They count as 0.
    AsZero,
    /// They go left.
    Left,
    /// They go right.
    Right,
    /// Zeros and missing values go left.
    ZeroLeft,
    /// Zeros and missing values go right.
    ZeroRight,
}

/// A tree: splits, and the values of its leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    /// The splits; the first is the root.
    pub nodes: Vec<TreeNode>,
    /// Value of each leaf.
    pub leaf_value: Vec<f64>,
    /// Sum of the Hessians of each leaf's rows.
    pub leaf_weight: Vec<f64>,
    /// Number of rows of each leaf.
    pub leaf_rows: Vec<usize>,
    /// Factor that the leaf values were multiplied by.
    pub shrinkage: f64,
}

impl Tree {
    /// A tree of one leaf.
    #[must_use]
    pub fn constant(value: f64) -> Self {
        Self { nodes: Vec::new(), leaf_value: vec![value], leaf_weight: vec![0.0], leaf_rows: vec![0], shrinkage: 1.0 }
    }

    /// Number of leaves.
    #[must_use]
    pub fn leaf_count(&self) -> usize {
        self.leaf_value.len()
    }

    /// Leaf that a row falls into.
    #[must_use]
    pub fn leaf_of(&self, row: &[f64]) -> usize {
        if self.nodes.is_empty() {
            return 0;
        }
        let mut at = Child::Node(0);
        loop {
            match at {
                Child::Leaf(leaf) => return leaf,
                Child::Node(n) => {
                    let node = &self.nodes[n];
                    at = if node.goes_left(row[node.feature]) { node.left } else { node.right };
                }
            }
        }
    }

    /// Value of the leaf that a row falls into.
    #[must_use]
    pub fn predict(&self, row: &[f64]) -> f64 {
        self.leaf_value[self.leaf_of(row)]
    }

    pub(crate) fn shrink(&mut self, rate: f64) {
        self.leaf_value.iter_mut().for_each(|v| *v *= rate);
        self.nodes.iter_mut().for_each(|n| n.value *= rate);
        self.shrinkage *= rate;
    }

    pub(crate) fn shift(&mut self, by: f64) {
        self.leaf_value.iter_mut().for_each(|v| *v += by);
        self.nodes.iter_mut().for_each(|n| n.value += by);
        self.shrinkage = 1.0;
    }
}

impl TreeNode {
    /// Whether a value goes left.
    #[must_use]
    pub fn goes_left(&self, value: f64) -> bool {
        const ZERO: f64 = 1e-35f32 as f64;
        let is_missing = value.is_nan();
        match self.missing {
            MissingSide::Left if is_missing => true,
            MissingSide::Right if is_missing => false,
            MissingSide::ZeroLeft if is_missing || value.abs() <= ZERO => true,
            MissingSide::ZeroRight if is_missing || value.abs() <= ZERO => false,
            _ => (if is_missing { 0.0 } else { value }) <= self.threshold,
        }
    }
}
