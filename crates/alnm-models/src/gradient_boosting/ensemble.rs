//! An ensemble of trees.

use std::collections::BTreeMap;

use alnm_selection::SelectionError;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use rayon::prelude::*;

use super::tree::Tree;
use super::tree_walk::TreeWalk;
use crate::FeatureTable;
use crate::error::Result;
use crate::invariants::{Checked, distinct, require};
use crate::logit::expit;

/// Rows whose values are gathered at once, for all trees.
const ROWS_TOGETHER: usize = 256;

/// A fitted ensemble of trees.
///
/// An ensemble that is read is checked: names are unique and every tree is one, with features that the ensemble has.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "saved::EnsembleForm"))]
pub struct GradientBoosting {
    feature_names: Vec<String>,
    trees: Vec<Tree>,
}

/// How often and with what gain a feature splits.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct FeatureImportance {
    /// Name of the feature.
    pub feature: String,
    /// Number of splits of the feature.
    pub splits: usize,
    /// Sum of the gains of these splits.
    pub gain: f64,
}

/// What importances are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ImportanceKind {
    /// Sum of gains.
    #[default]
    Gain,
    /// Number of splits, LightGBM's default.
    Split,
}

impl GradientBoosting {
    /// An ensemble that was grown on a table, whose names are unique.
    pub(super) fn grown(feature_names: Vec<String>, trees: Vec<Tree>) -> Self {
        Self { feature_names, trees }
    }

    /// Checks an ensemble that was read.
    pub(super) fn read(feature_names: Vec<String>, trees: Vec<Tree>) -> Checked<Self> {
        distinct("feature", feature_names.iter().map(String::as_str))?;
        require(!trees.is_empty(), || "the number of trees is 0; it must be at least 1".to_owned())?;
        for (k, tree) in trees.iter().enumerate() {
            tree.check(feature_names.len()).map_err(|reason| format!("tree {k}: {reason}"))?;
        }
        Ok(Self { feature_names, trees })
    }

    /// Names of the features, in the order of the trees' feature numbers.
    #[must_use]
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// The trees. The starting log odds are part of the first one.
    #[must_use]
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// Places of the features among the columns of a table.
    fn columns_in(&self, table: &FeatureTable) -> Result<Vec<usize>> {
        let place: BTreeMap<&str, usize> = table.names().iter().enumerate().map(|(i, n)| (n.as_str(), i)).collect();
        let find = |name: &String| {
            place.get(name.as_str()).copied().ok_or_else(|| SelectionError::MissingColumn { name: name.clone() })
        };
        Ok(self.feature_names.iter().map(find).collect::<std::result::Result<_, _>>()?)
    }

    /// Sum of the trees, the log odds, of every row. Columns are found by name.
    ///
    /// # Errors
    /// [`crate::ModelError::Selection`] for a missing column.
    pub fn raw_scores(&self, table: &FeatureTable) -> Result<Vec<f64>> {
        let columns = self.columns_in(table)?;
        let (values, walks) = (table.values(), self.trees.iter().map(TreeWalk::new).collect::<Vec<_>>());
        let mut scores = vec![0.0; table.rows()];
        scores.par_chunks_mut(ROWS_TOGETHER).enumerate().for_each(|(block, scores)| {
            let first = block * ROWS_TOGETHER;
            let mut rows = vec![0.0; scores.len() * columns.len()];
            for (number, row) in rows.chunks_exact_mut(columns.len()).enumerate() {
                let of_row = values.row(first + number);
                row.iter_mut().zip(&columns).for_each(|(value, &column)| *value = of_row[column]);
            }
            walks.iter().for_each(|walk| walk.add_values(&rows, columns.len(), scores));
        });
        Ok(scores)
    }

    /// Risk of every row.
    ///
    /// # Errors
    /// As [`GradientBoosting::raw_scores`].
    pub fn predict(&self, table: &FeatureTable) -> Result<Vec<f64>> {
        Ok(self.raw_scores(table)?.into_iter().map(expit).collect())
    }

    /// Number of the leaf that a row falls into, in each tree.
    ///
    /// # Errors
    /// As [`GradientBoosting::raw_scores`].
    pub fn leaf_indices(&self, table: &FeatureTable) -> Result<Vec<Vec<usize>>> {
        let columns = table.select(&self.feature_names)?;
        let of_row = |row: Vec<f64>| self.trees.iter().map(|tree| tree.leaf_of(&row)).collect();
        Ok(columns.values().rows().into_iter().map(|row| of_row(row.to_vec())).collect())
    }

    /// Importance of every feature, in the order of the features.
    #[must_use]
    pub fn importances(&self) -> Vec<FeatureImportance> {
        let mut all: Vec<FeatureImportance> =
            self.feature_names.iter().map(|f| FeatureImportance { feature: f.clone(), splits: 0, gain: 0.0 }).collect();
        for node in self.trees.iter().flat_map(Tree::nodes).filter(|n| n.gain > 0.0) {
            all[node.feature].splits += 1;
            all[node.feature].gain += f64::from(node.gain);
        }
        all
    }

    /// Names of the features from the most to the least important; ties keep the order of the features.
    #[must_use]
    pub fn ranked_features(&self, kind: ImportanceKind) -> Vec<String> {
        let mut all = self.importances();
        match kind {
            ImportanceKind::Gain => all.sort_by(|a, b| b.gain.total_cmp(&a.gain)),
            ImportanceKind::Split => all.sort_by_key(|f| std::cmp::Reverse(f.splits)),
        }
        all.into_iter().map(|f| f.feature).collect()
    }
}

/// The form in which an ensemble is read.
#[cfg(feature = "serde")]
mod saved {
    use super::*;

    #[derive(serde::Deserialize)]
    pub(super) struct EnsembleForm {
        feature_names: Vec<String>,
        trees: Vec<Tree>,
    }

    impl TryFrom<EnsembleForm> for GradientBoosting {
        type Error = String;

        fn try_from(form: EnsembleForm) -> Checked<Self> {
            Self::read(form.feature_names, form.trees)
        }
    }
}

impl Tabulate for FeatureImportance {
    const COLUMNS: &'static [&'static str] = &["feature", "splits", "gain"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![&self.feature, self.splits, self.gain]]
    }
}
