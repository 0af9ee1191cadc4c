//! Gradient boosted trees of a binary outcome, equal to LightGBM on its deterministic settings.
//!
//! Same bins, same leaf-wise growth on histograms, same gains and leaf values: gradients and Hessians of the log loss
//! are rounded to 32 bits, histograms sum them in 64 bits in row order. See Ke et al. (2017). Bagging, column sampling,
//! categorical splits and bundling are not offered.

mod binning;
mod growth;
mod text_model;
mod tree;

pub use tree::{Child, MissingSide, Tree, TreeNode};

use alnm_selection::SelectionError;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{ModelError, Result};
use crate::irls::expit;
use crate::{FeatureTable, Labels};
use binning::BinnedTable;
use growth::Grower;

/// Parameters of the boosting, under LightGBM's names.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `rounds` | 100 | number of trees | 1 or more |
/// | `num_leaves` | 31 | leaves of a tree at most | 2 or more |
/// | `max_depth` | none | depth of a tree at most | 1 or more |
/// | `learning_rate` | 0.1 | shrinkage of each tree | above 0 |
/// | `min_data_in_leaf` | 20 | rows of a leaf at least | 0 or more |
/// | `min_sum_hessian_in_leaf` | 10⁻³ | Hessian of a leaf at least | 0 or more |
/// | `lambda_l1`, `lambda_l2` | 0 | penalties of the leaf values | 0 or more |
/// | `min_gain_to_split` | 0 | gain of a split at least | 0 or more |
/// | `max_bin` | 255 | bins of a feature at most | 2 to 65 535 |
/// | `min_data_in_bin` | 3 | rows of a bin at least | 1 or more |
/// | `boost_from_average` | true | start from the log odds of the prevalence | |
/// | `is_unbalance` | false | weigh the rarer class up to the other | |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BoostingParams {
    /// Number of trees.
    pub rounds: usize,
    /// Leaves of a tree at most.
    pub num_leaves: usize,
    /// Depth of a tree at most.
    pub max_depth: Option<usize>,
    /// Shrinkage of each tree.
    pub learning_rate: f64,
    /// Rows of a leaf at least, by LightGBM's estimate from the Hessian.
    pub min_data_in_leaf: usize,
    /// Hessian of a leaf at least.
    pub min_sum_hessian_in_leaf: f64,
    /// Absolute penalty of the leaf values.
    pub lambda_l1: f64,
    /// Squared penalty of the leaf values.
    pub lambda_l2: f64,
    /// Gain of a split at least.
    pub min_gain_to_split: f64,
    /// Bins of a feature at most.
    pub max_bin: usize,
    /// Rows of a bin at least.
    pub min_data_in_bin: usize,
    /// Whether boosting starts from the log odds of the prevalence.
    pub boost_from_average: bool,
    /// Whether the rarer class is weighed up to the other.
    pub is_unbalance: bool,
}

impl Default for BoostingParams {
    fn default() -> Self {
        Self {
            rounds: 100,
            num_leaves: 31,
            max_depth: None,
            learning_rate: 0.1,
            min_data_in_leaf: 20,
            min_sum_hessian_in_leaf: 1e-3,
            lambda_l1: 0.0,
            lambda_l2: 0.0,
            min_gain_to_split: 0.0,
            max_bin: 255,
            min_data_in_bin: 3,
            boost_from_average: true,
            is_unbalance: false,
        }
    }
}

impl BoostingParams {
    fn check(&self) -> Result<()> {
        let at_least = |name, value: f64, least: f64, range| {
            if value >= least { Ok(()) } else { Err(ModelError::Parameter { name, range, value }) }
        };
        at_least("rounds", self.rounds as f64, 1.0, "1 or more")?;
        at_least("num_leaves", self.num_leaves as f64, 2.0, "2 or more")?;
        at_least("max_depth", self.max_depth.map_or(1.0, |d| d as f64), 1.0, "1 or more")?;
        at_least("learning_rate", self.learning_rate, f64::MIN_POSITIVE, "above 0")?;
        at_least("min_sum_hessian_in_leaf", self.min_sum_hessian_in_leaf, 0.0, "0 or more")?;
        at_least("lambda_l1", self.lambda_l1, 0.0, "0 or more")?;
        at_least("lambda_l2", self.lambda_l2, 0.0, "0 or more")?;
        at_least("min_gain_to_split", self.min_gain_to_split, 0.0, "0 or more")?;
        at_least("max_bin", self.max_bin as f64, 2.0, "2 to 65535")?;
        at_least("max_bin", 65_535.0 - self.max_bin as f64, 0.0, "2 to 65535")?;
        at_least("min_data_in_bin", self.min_data_in_bin as f64, 1.0, "1 or more")
    }
}

/// A fitted ensemble of trees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GradientBoosting {
    /// Names of the features, in the order of the trees' feature numbers.
    pub feature_names: Vec<String>,
    /// The trees. The starting log odds are part of the first one.
    pub trees: Vec<Tree>,
}

/// How often and with what gain a feature splits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureImportance {
    /// Name of the feature.
    pub feature: String,
    /// Number of splits.
    pub splits: usize,
    /// Sum of the gains of its splits.
    pub gain: f64,
}

/// What importances are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ImportanceKind {
    /// Sum of gains.
    #[default]
    Gain,
    /// Number of splits, LightGBM's default.
    Split,
}

impl GradientBoosting {
    /// Fits the ensemble. NaN is a value of its own: each split learns the side of the missing rows.
    ///
    /// # Errors
    /// [`ModelError::Statistics`] for labels of one class, [`ModelError::Parameter`], [`ModelError::Selection`] for an
    /// infinite value or tables of the wrong size.
    ///
    /// ```
    /// use alnm_models::gradient_boosting::{BoostingParams, GradientBoosting};
    /// use alnm_models::{FeatureTable, Labels};
    /// use ndarray::Array2;
    /// let table = FeatureTable::new(vec!["x".into()], Array2::from_shape_fn((60, 1), |(i, _)| i as f64))?;
    /// let labels = Labels::new((0..60).map(|i| i >= 30).collect());
    /// let model = GradientBoosting::fit(&table, &labels, &BoostingParams { rounds: 10, ..BoostingParams::default() })?;
    /// assert!(model.predict(&table)?[59] > 0.7);
    /// # Ok::<(), alnm_models::ModelError>(())
    /// ```
    pub fn fit(table: &FeatureTable, labels: &Labels, params: &BoostingParams) -> Result<Self> {
        params.check()?;
        table.require_rows(labels.len())?;
        labels.require_both("gradient boosting")?;
        if let Some(((row, column), &value)) = table.values().indexed_iter().find(|(_, v)| v.is_infinite()) {
            return Err(SelectionError::NonFinite { column: table.names()[column].clone(), row, value }.into());
        }
        let binned = BinnedTable::new(table, params);
        let objective = Objective::new(labels, params);
        let start = if params.boost_from_average { objective.log_odds } else { 0.0 };
        let mut scores = vec![start; labels.len()];
        let mut grower = Grower::new(&binned, params);
        let mut trees = Vec::with_capacity(params.rounds);
        let (mut gradients, mut hessians) = (vec![0.0f32; labels.len()], vec![0.0f32; labels.len()]);
        for round in 0..params.rounds {
            objective.derivatives(&scores, &mut gradients, &mut hessians);
            let grown = grower.grow(&gradients, &hessians);
            let no_split = grown.tree.leaf_count() < 2;
            if no_split {
                // Without a further split boosting ends. A first tree holds the log odds of the prevalence, wherever
                // boosting started, and `lightgbm.train` goes on from there.
                if round > 0 {
                    break;
                }
                trees.push(Tree::constant(objective.log_odds));
                scores.fill(objective.log_odds);
                continue;
            }
            let mut tree = grown.tree;
            tree.shrink(params.learning_rate);
            for (leaf, rows) in grown.rows_of_leaf.iter().enumerate() {
                let value = tree.leaf_value[leaf];
                rows.iter().for_each(|&r| scores[r as usize] += value);
            }
            if round == 0 && start.abs() > KEPSILON {
                tree.shift(start);
            }
            trees.push(tree);
        }
        Ok(Self { feature_names: table.names().to_vec(), trees })
    }

    /// Sum of the trees, the log odds, of every row. Columns are found by name.
    ///
    /// # Errors
    /// [`ModelError::Selection`] for a missing column.
    pub fn raw_scores(&self, table: &FeatureTable) -> Result<Vec<f64>> {
        let columns = table.select(&self.feature_names)?;
        let rows: Vec<_> = columns.values().rows().into_iter().map(|r| r.to_vec()).collect();
        Ok(rows.par_iter().with_min_len(64).map(|row| self.trees.iter().map(|t| t.predict(row)).sum()).collect())
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
        Ok(columns
            .values()
            .rows()
            .into_iter()
            .map(|r| self.trees.iter().map(|t| t.leaf_of(&r.to_vec())).collect())
            .collect())
    }

    /// Importance of every feature, in the order of the features.
    #[must_use]
    pub fn importances(&self) -> Vec<FeatureImportance> {
        let mut all: Vec<FeatureImportance> =
            self.feature_names.iter().map(|f| FeatureImportance { feature: f.clone(), splits: 0, gain: 0.0 }).collect();
        for node in self.trees.iter().flat_map(|t| &t.nodes).filter(|n| n.gain > 0.0) {
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

    /// Reads LightGBM's text model of a binary objective.
    ///
    /// # Errors
    /// [`ModelError::Format`] says what is missing, malformed or not supported.
    pub fn from_lightgbm_text(text: &str) -> Result<Self> {
        text_model::read(text)
    }

    /// Writes LightGBM's text model, which LightGBM reads.
    #[must_use]
    pub fn to_lightgbm_text(&self) -> String {
        text_model::write(self)
    }
}

/// LightGBM's guard against empty Hessians.
const KEPSILON: f64 = 1e-15f32 as f64;

/// Log loss of labels −1 and 1.
struct Objective {
    positive: Vec<bool>,
    weight_positive: f64,
    weight_negative: f64,
    /// Log odds of the prevalence.
    log_odds: f64,
}

impl Objective {
    fn new(labels: &Labels, params: &BoostingParams) -> Self {
        let (positives, negatives) = (labels.positives() as f64, labels.negatives() as f64);
        let (mut weight_positive, mut weight_negative) = (1.0, 1.0);
        if params.is_unbalance {
            if positives > negatives {
                weight_negative = positives / negatives;
            } else {
                weight_positive = negatives / positives;
            }
        }
        let average = positives / (positives + negatives);
        let log_odds = (average / (1.0 - average)).ln();
        Self { positive: labels.as_slice().to_vec(), weight_positive, weight_negative, log_odds }
    }

    fn derivatives(&self, scores: &[f64], gradients: &mut [f32], hessians: &mut [f32]) {
        for (i, &score) in scores.iter().enumerate() {
            let (label, weight) =
                if self.positive[i] { (1.0, self.weight_positive) } else { (-1.0, self.weight_negative) };
            let response = -label / (1.0 + (label * score).exp());
            let size = response.abs();
            gradients[i] = (response * weight) as f32;
            hessians[i] = (size * (1.0 - size) * weight) as f32;
        }
    }
}

impl Tabulate for FeatureImportance {
    const COLUMNS: &'static [&'static str] = &["feature", "splits", "gain"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![&self.feature, self.splits, self.gain]]
    }
}
