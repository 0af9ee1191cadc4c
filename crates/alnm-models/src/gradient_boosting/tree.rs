//! A decision tree.

use crate::invariants::{Checked, finite, require};

/// A split: rows with a value up to the threshold go left.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TreeNode {
    /// Number of the feature, counted from 0.
    pub feature: usize,
    /// Largest value that goes left.
    pub threshold: f64,
    /// Side of missing values when training had them in this feature; otherwise a missing value counts as 0.
    pub missing: MissingSide,
    /// Gain of the split, as LightGBM stores it.
    pub gain: f32,
    /// Where rows with small values go.
    pub left: Child,
    /// Where rows with larger values go.
    pub right: Child,
    /// Value that the node would have as a leaf.
    pub value: f64,
    /// Sum of the Hessians of the training rows that reach the split.
    pub weight: f64,
    /// Number of training rows that reach the split.
    pub count: usize,
}

/// Where a branch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Child {
    /// Another split.
    Node(usize),
    /// A leaf.
    Leaf(usize),
}

/// What a split does with missing values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
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

/// A tree: splits, and the values of its leaves. There is one leaf more than splits, and every split but the root and
/// every leaf is reached from exactly one split.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "saved::TreeForm"))]
pub struct Tree {
    nodes: Vec<TreeNode>,
    leaf_values: Vec<f64>,
    leaf_weights: Vec<f64>,
    leaf_rows: Vec<usize>,
    shrinkage: f64,
}

impl Tree {
    /// A tree of one leaf.
    pub(super) fn constant(value: f64) -> Self {
        Self::grown(Vec::new(), vec![value], vec![0.0], vec![0])
    }

    /// A tree as it was grown: splits, and value, weight and rows of each leaf.
    pub(super) fn grown(
        nodes: Vec<TreeNode>,
        leaf_values: Vec<f64>,
        leaf_weights: Vec<f64>,
        leaf_rows: Vec<usize>,
    ) -> Self {
        Self { nodes, leaf_values, leaf_weights, leaf_rows, shrinkage: 1.0 }
    }

    /// The tree with another statement of its shrinkage.
    pub(super) fn with_shrinkage(self, shrinkage: f64) -> Self {
        Self { shrinkage, ..self }
    }

    /// Whether this is a tree on so many features.
    pub(super) fn check(&self, features: usize) -> Checked {
        let (splits, leaves) = (self.nodes.len(), self.leaf_values.len());
        require(leaves == splits + 1, || {
            format!("it has {leaves} leaves and {splits} splits; it must have one leaf more")
        })?;
        for (what, length) in [("weights", self.leaf_weights.len()), ("counts", self.leaf_rows.len())] {
            require(length == leaves, || format!("it has {length} {what} of leaves; it must have {leaves}"))?;
        }
        finite("its shrinkage", self.shrinkage)?;
        for l in 0..leaves {
            finite(&format!("the value of leaf {l}"), self.leaf_values[l])?;
            finite(&format!("the weight of leaf {l}"), self.leaf_weights[l])?;
        }
        let (mut node_parents, mut leaf_parents) = (vec![0usize; splits], vec![0usize; leaves]);
        for (i, node) in self.nodes.iter().enumerate() {
            require(node.feature < features, || {
                format!("split {i} is of feature {}; it must be one of {features}, counted from 0", node.feature)
            })?;
            for (what, value) in [
                ("threshold", node.threshold),
                ("gain", f64::from(node.gain)),
                ("value", node.value),
                ("weight", node.weight),
            ] {
                finite(&format!("the {what} of split {i}"), value)?;
            }
            let mut below = 0usize;
            for child in [node.left, node.right] {
                // A split comes after the one above it; every path therefore ends.
                let (parents, rows) = match child {
                    Child::Node(n) if n > i && n < splits => (&mut node_parents[n], self.nodes[n].count),
                    Child::Leaf(l) if l < leaves => (&mut leaf_parents[l], self.leaf_rows[l]),
                    Child::Node(n) => return Err(format!("split {i} leads to split {n}; it must lead to a later one")),
                    Child::Leaf(l) => return Err(format!("split {i} leads to leaf {l}; there are {leaves}")),
                };
                *parents += 1;
                below = below.saturating_add(rows);
            }
            require(node.count == below && below > 0, || {
                format!("split {i} has {} rows and {below} below it; both must be the same and at least 1", node.count)
            })?;
        }
        let reached = |parents: &[usize]| parents.iter().position(|count| *count != 1);
        if let Some(n) = reached(node_parents.get(1..).unwrap_or_default()) {
            let count = node_parents[n + 1];
            return Err(format!("{count} splits lead to split {}; exactly one must", n + 1));
        }
        if splits > 0
            && let Some(l) = reached(&leaf_parents)
        {
            return Err(format!("{} splits lead to leaf {l}; exactly one must", leaf_parents[l]));
        }
        Ok(())
    }

    /// The splits; the first is the root. Empty in a tree of one leaf.
    #[must_use]
    pub fn nodes(&self) -> &[TreeNode] {
        &self.nodes
    }

    /// Value of each leaf, on the log odds scale.
    #[must_use]
    pub fn leaf_values(&self) -> &[f64] {
        &self.leaf_values
    }

    /// Sum of the Hessians of the training rows of each leaf.
    #[must_use]
    pub fn leaf_weights(&self) -> &[f64] {
        &self.leaf_weights
    }

    /// Number of training rows of each leaf.
    #[must_use]
    pub fn leaf_rows(&self) -> &[usize] {
        &self.leaf_rows
    }

    /// Factor that the leaf values were multiplied by.
    #[must_use]
    pub fn shrinkage(&self) -> f64 {
        self.shrinkage
    }

    /// Number of leaves.
    #[must_use]
    pub fn leaf_count(&self) -> usize {
        self.leaf_values.len()
    }

    /// Number of the leaf that a row falls into. `row` holds a value per feature.
    ///
    /// # Panics
    /// When the row lacks a feature that the tree splits.
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

    /// Value of the leaf that a row falls into. `row` holds a value per feature.
    ///
    /// # Panics
    /// When the row lacks a feature that the tree splits.
    #[must_use]
    pub fn predict(&self, row: &[f64]) -> f64 {
        self.leaf_values[self.leaf_of(row)]
    }

    pub(super) fn shrink(&mut self, rate: f64) {
        self.leaf_values.iter_mut().for_each(|v| *v *= rate);
        self.nodes.iter_mut().for_each(|n| n.value *= rate);
        self.shrinkage *= rate;
    }

    pub(super) fn shift(&mut self, by: f64) {
        self.leaf_values.iter_mut().for_each(|v| *v += by);
        self.nodes.iter_mut().for_each(|n| n.value += by);
        self.shrinkage = 1.0;
    }
}

/// The form in which a tree is read.
#[cfg(feature = "serde")]
mod saved {
    use super::*;

    #[derive(serde::Deserialize)]
    pub(super) struct TreeForm {
        nodes: Vec<TreeNode>,
        leaf_values: Vec<f64>,
        leaf_weights: Vec<f64>,
        leaf_rows: Vec<usize>,
        shrinkage: f64,
    }

    impl TryFrom<TreeForm> for Tree {
        type Error = String;

        fn try_from(form: TreeForm) -> Checked<Self> {
            let TreeForm { nodes, leaf_values, leaf_weights, leaf_rows, shrinkage } = form;
            let tree = Self { nodes, leaf_values, leaf_weights, leaf_rows, shrinkage };
            tree.check(usize::MAX)?;
            Ok(tree)
        }
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
