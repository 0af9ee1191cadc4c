//! A tree in the form in which many rows walk it side by side.

use super::tree::{Child, MissingSide, Tree, TreeNode};

/// Rows that walk a tree in step: while the values of one are fetched, the others go on.
const IN_STEP: usize = 8;

/// A split, or a leaf that leads to itself.
#[derive(Clone, Copy)]
struct Step {
    threshold: f64,
    feature: u32,
    /// Where missing values go.
    missing: u32,
    left: u32,
    right: u32,
}

/// The steps of a tree: its splits, then its leaves.
pub(super) struct TreeWalk<'a> {
    tree: &'a Tree,
    steps: Vec<Step>,
    /// Splits on the longest path.
    depth: usize,
}

impl<'a> TreeWalk<'a> {
    pub(super) fn new(tree: &'a Tree) -> Self {
        let splits = tree.nodes().len();
        let place = |child: Child| match child {
            Child::Node(node) => node as u32,
            Child::Leaf(leaf) => (splits + leaf) as u32,
        };
        let mut depths = vec![1; splits];
        let mut depth = 0;
        let mut steps: Vec<Step> = Vec::with_capacity(splits + tree.leaf_count());
        for (number, node) in tree.nodes().iter().enumerate() {
            depth = depth.max(depths[number]);
            for child in [node.left, node.right] {
                // A split comes after the one above it.
                if let Child::Node(below) = child {
                    depths[below] = depths[number] + 1;
                }
            }
            let (left, right) = (place(node.left), place(node.right));
            let missing = if node.goes_left(f64::NAN) { left } else { right };
            steps.push(Step { threshold: node.threshold, feature: node.feature as u32, missing, left, right });
        }
        steps.extend((splits..splits + tree.leaf_count()).map(|leaf| {
            let leaf = leaf as u32;
            Step { threshold: 0.0, feature: 0, missing: leaf, left: leaf, right: leaf }
        }));
        Self { tree, steps, depth }
    }

    /// Adds the value of the leaf of each row, which holds `width` values, to its score.
    pub(super) fn add_values(&self, rows: &[f64], width: usize, scores: &mut [f64]) {
        let leaf_values = self.tree.leaf_values();
        let splits = self.tree.nodes().len();
        if splits == 0 {
            scores.iter_mut().for_each(|score| *score += leaf_values[0]);
            return;
        }
        if self.tree.nodes().iter().any(is_zero_missing) {
            let rows = rows.chunks_exact(width);
            scores.iter_mut().zip(rows).for_each(|(score, row)| *score += self.tree.predict(row));
            return;
        }
        for (scores, rows) in scores.chunks_mut(IN_STEP).zip(rows.chunks(IN_STEP * width)) {
            let mut at = [0u32; IN_STEP];
            let at = &mut at[..scores.len()];
            for _ in 0..self.depth {
                for (at, row) in at.iter_mut().zip(rows.chunks_exact(width)) {
                    let step = &self.steps[*at as usize];
                    let value = row[step.feature as usize];
                    let next = if value <= step.threshold { step.left } else { step.right };
                    *at = if value.is_nan() { step.missing } else { next };
                }
            }
            scores.iter_mut().zip(at).for_each(|(score, at)| *score += leaf_values[*at as usize - splits]);
        }
    }
}

/// Whether the split takes a zero for a missing value, which only models of other origin do.
fn is_zero_missing(node: &TreeNode) -> bool {
    matches!(node.missing, MissingSide::ZeroLeft | MissingSide::ZeroRight)
}
