//! Shapley values of boosted trees by the path-dependent TreeSHAP (Lundberg et al. 2020): the conditional expectation
//! of a tree follows the training rows where a feature is not known.
//!
//! ```
//! use alnm_models::explanation::tree_shap::tree_shap;
//! use alnm_models::gradient_boosting::{BoostingParams, GradientBoosting};
//! use alnm_models::{FeatureTable, Labels};
//! use ndarray::Array2;
//! let table = FeatureTable::new(vec!["x".into()], Array2::from_shape_fn((60, 1), |(i, _)| i as f64))?;
//! let labels = Labels::new((0..60).map(|i| i >= 30).collect());
//! let model = GradientBoosting::fit(&table, &labels, &BoostingParams::default().with_rounds(10))?;
//! let explained = tree_shap(&model, &table)?;
//! let raw = model.raw_scores(&table)?;
//! assert!((explained.base_value() + explained.values()[[59, 0]] - raw[59]).abs() < 1e-12);
//! # Ok::<(), alnm_models::ModelError>(())
//! ```

use ndarray::Array2;
use rayon::prelude::*;

use super::linear_shap::ShapleyValues;
use crate::FeatureTable;
use crate::error::Result;
use crate::gradient_boosting::{Child, GradientBoosting, Tree};

/// A feature on the path from the root: the shares of training rows that follow it when it is unknown and when it is
/// known.
#[derive(Clone, Copy)]
struct Element {
    feature: usize,
    unknown: f64,
    known: f64,
    /// Sum of the weights of the subsets of this size.
    weight: f64,
}

/// Shapley values on the log odds scale for the rows of `table`. They sum to the raw score less the base value.
///
/// # Errors
/// [`crate::ModelError::Selection`] names the column that the table lacks.
pub fn tree_shap(model: &GradientBoosting, table: &FeatureTable) -> Result<ShapleyValues> {
    let columns = table.select(model.feature_names())?;
    let p = model.feature_names().len();
    let rows: Vec<Vec<f64>> = columns.values().rows().into_iter().map(|r| r.to_vec()).collect();
    let explained: Vec<Vec<f64>> = rows
        .par_iter()
        .map(|row| {
            let mut phi = vec![0.0; p];
            model
                .trees()
                .iter()
                .filter(|t| !t.nodes().is_empty())
                .for_each(|tree| descend(tree, row, Child::Node(0), extend(&[], 1.0, 1.0, p), &mut phi));
            phi
        })
        .collect();
    let base_value = model.trees().iter().map(expectation).sum();
    let values = Array2::from_shape_fn((rows.len(), p), |(i, j)| explained[i][j]);
    Ok(ShapleyValues::new(model.feature_names().to_vec(), base_value, values))
}

fn rows_of(tree: &Tree, child: Child) -> f64 {
    match child {
        Child::Node(n) => tree.nodes()[n].count as f64,
        Child::Leaf(l) => tree.leaf_rows()[l] as f64,
    }
}

/// Mean value of a tree over its training rows.
fn expectation(tree: &Tree) -> f64 {
    let total: f64 = tree.leaf_rows().iter().map(|r| *r as f64).sum();
    if tree.nodes().is_empty() {
        return tree.leaf_values()[0];
    }
    tree.leaf_values().iter().zip(tree.leaf_rows()).map(|(v, r)| v * *r as f64).sum::<f64>() / total
}

/// Walks down both branches, carrying the path. Its first element is the root, which splits nothing.
fn descend(tree: &Tree, row: &[f64], at: Child, mut path: Vec<Element>, phi: &mut [f64]) {
    match at {
        Child::Leaf(leaf) => {
            for i in 1..path.len() {
                let weight: f64 = unwound_weight(&path, i);
                let e = path[i];
                phi[e.feature] += weight * (e.known - e.unknown) * tree.leaf_values()[leaf];
            }
        }
        Child::Node(n) => {
            let node = &tree.nodes()[n];
            let (hot, cold) =
                if node.goes_left(row[node.feature]) { (node.left, node.right) } else { (node.right, node.left) };
            let (mut unknown, mut known) = (1.0, 1.0);
            // A feature that split before is taken off the path and continues with its shares.
            if let Some(k) = (1..path.len()).find(|&k| path[k].feature == node.feature) {
                (unknown, known) = (path[k].unknown, path[k].known);
                path = unwind(&path, k);
            }
            let share = |child| rows_of(tree, child) / node.count as f64;
            descend(tree, row, hot, extend(&path, unknown * share(hot), known, node.feature), phi);
            descend(tree, row, cold, extend(&path, unknown * share(cold), 0.0, node.feature), phi);
        }
    }
}

/// The path with one more feature.
fn extend(path: &[Element], unknown: f64, known: f64, feature: usize) -> Vec<Element> {
    let depth = path.len();
    let mut longer = path.to_vec();
    longer.push(Element { feature, unknown, known, weight: if depth == 0 { 1.0 } else { 0.0 } });
    for i in (0..depth).rev() {
        longer[i + 1].weight += known * longer[i].weight * (i + 1) as f64 / (depth + 1) as f64;
        longer[i].weight = unknown * longer[i].weight * (depth - i) as f64 / (depth + 1) as f64;
    }
    longer
}

/// The path without the feature at `index`.
fn unwind(path: &[Element], index: usize) -> Vec<Element> {
    let depth = path.len() - 1;
    let mut shorter = path.to_vec();
    let Element { unknown, known, .. } = path[index];
    let mut next = path[depth].weight;
    for i in (0..depth).rev() {
        if known != 0.0 {
            let kept = shorter[i].weight;
            shorter[i].weight = next * (depth + 1) as f64 / ((i + 1) as f64 * known);
            next = kept - shorter[i].weight * unknown * (depth - i) as f64 / (depth + 1) as f64;
        } else {
            shorter[i].weight = shorter[i].weight * (depth + 1) as f64 / (unknown * (depth - i) as f64);
        }
    }
    for i in index..depth {
        (shorter[i].feature, shorter[i].unknown, shorter[i].known) =
            (path[i + 1].feature, path[i + 1].unknown, path[i + 1].known);
    }
    shorter.truncate(depth);
    shorter
}

/// Sum of the weights of the path without the feature at `index`.
fn unwound_weight(path: &[Element], index: usize) -> f64 {
    unwind(path, index).iter().map(|e| e.weight).sum()
}
