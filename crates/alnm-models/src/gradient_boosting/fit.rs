//! Boosting of trees.

use alnm_selection::SelectionError;

use super::binning::BinnedTable;
use super::ensemble::GradientBoosting;
use super::growth::Grower;
use super::objective::{KEPSILON, Objective};
use super::params::{Boosting, BoostingParams};
use super::tree::Tree;
use crate::error::Result;
use crate::{FeatureTable, Labels};

impl GradientBoosting {
    /// Fits the ensemble; checks the parameters first.
    ///
    /// # Errors
    /// As [`Boosting::fit`], and [`crate::ModelError::Parameter`] for a parameter outside its range.
    ///
    /// ```
    /// use alnm_models::gradient_boosting::{BoostingParams, GradientBoosting};
    /// use alnm_models::{FeatureTable, Labels};
    /// use ndarray::Array2;
    /// let table = FeatureTable::new(vec!["x".into()], Array2::from_shape_fn((60, 1), |(i, _)| i as f64))?;
    /// let labels = Labels::new((0..60).map(|i| i >= 30).collect());
    /// let model = GradientBoosting::fit(&table, &labels, &BoostingParams::default().with_rounds(10))?;
    /// assert!(model.predict(&table)?[59] > 0.7);
    /// # Ok::<(), alnm_models::ModelError>(())
    /// ```
    pub fn fit(table: &FeatureTable, labels: &Labels, params: &BoostingParams) -> Result<Self> {
        params.clone().check()?.fit(table, labels)
    }
}

impl Boosting {
    /// Fits the ensemble. NaN is a value of its own: each split learns the side of the missing rows.
    ///
    /// # Errors
    /// [`crate::ModelError::Statistics`] for labels of one class, [`crate::ModelError::Selection`] for an infinite
    /// value or tables of the wrong size.
    pub fn fit(&self, table: &FeatureTable, labels: &Labels) -> Result<GradientBoosting> {
        let params = self.params();
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
        let mut trees = Vec::new();
        let mut derivatives = vec![[0.0f32; 2]; labels.len()];
        for round in 0..params.rounds {
            objective.derivatives(&scores, &mut derivatives);
            let grown = grower.grow(&derivatives);
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
                let value = tree.leaf_values()[leaf];
                rows.iter().for_each(|&r| scores[r as usize] += value);
            }
            if round == 0 && start.abs() > KEPSILON {
                tree.shift(start);
            }
            trees.push(tree);
        }
        Ok(GradientBoosting::grown(table.names().to_vec(), trees))
    }
}
