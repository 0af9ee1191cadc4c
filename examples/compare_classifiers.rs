//! Compares a LASSO with two classifiers of another library, all judged on rows that they never saw.
//!
//! ```text
//! cargo run --release --example compare_classifiers
//! ```

#![allow(clippy::print_stdout)]

use alnm_selection::cross_fitting::out_of_fold;
use alnm_selection::folds::{FoldOrder, Folds};
use alnm_selection::{FeatureTable, Labels, Pipeline, Step};
use alnm_stats::roc::{Direction, RocCurve};
use anyhow::Result;
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::neighbors::knn_classifier::{KNNClassifier, KNNClassifierParameters};

fn main() -> Result<()> {
    let (table, labels) = simulated()?;
    let folds = Folds::stratified(&labels, 10, FoldOrder::Shuffled { seed: 1 })?;
    let matrix = |rows: &[usize]| -> Result<DenseMatrix<f64>> {
        let rows = rows.iter().map(|&row| table.values().row(row).to_vec()).collect();
        Ok(DenseMatrix::from_2d_vec(&rows)?)
    };

    let selection = Pipeline::new("score").then(Step::ZeroVariance).then(Step::lasso(FoldOrder::Shuffled { seed: 2 }));
    let lasso = selection.cross_fit(&table, &labels, &folds)?.scores;
    // Regression trees on the outcome 0 or 1: the mean of their predictions is a probability.
    let forest = out_of_fold(&folds, |split| -> Result<Vec<f64>> {
        let outcomes = labels.select(&split.training).to_values();
        let parameters = RandomForestRegressorParameters::default().with_n_trees(300).with_m(4).with_seed(3);
        let forest = RandomForestRegressor::fit(&matrix(&split.training)?, &outcomes, parameters)?;
        Ok(forest.predict(&matrix(&split.held_out)?)?)
    })?;
    let neighbours = out_of_fold(&folds, |split| -> Result<Vec<f64>> {
        let outcomes: Vec<i32> = split.training.iter().map(|&row| i32::from(labels.as_slice()[row])).collect();
        let parameters = KNNClassifierParameters::default().with_k(15);
        let neighbours = KNNClassifier::fit(&matrix(&split.training)?, &outcomes, parameters)?;
        Ok(neighbours.predict_proba(&matrix(&split.held_out)?)?.iter().map(|shares| shares[1]).collect())
    })?;

    for (name, scores) in [("LASSO", lasso), ("random forest", forest), ("15 nearest neighbours", neighbours)] {
        let roc = RocCurve::new(&labels, &scores, Direction::HigherIsPositive)?;
        println!("{name}: cross-fitted AUC {:.3}", roc.auc());
    }
    Ok(())
}

/// Two hundred patients and twenty features: two act by themselves, two only together.
fn simulated() -> Result<(FeatureTable, Labels)> {
    let mut generator = ChaCha8Rng::seed_from_u64(5);
    let mut uniform = || 2.0 * f64::from(generator.next_u32()) / f64::from(u32::MAX) - 1.0;
    let values = Array2::from_shape_fn((200, 20), |_| uniform() + uniform() + uniform());
    let signal = |row: usize| values[[row, 0]] - values[[row, 1]] + 0.7 * values[[row, 2]] * values[[row, 3]];
    let labels = Labels::new((0..200).map(|row| signal(row) + uniform() + uniform() > 0.0).collect());
    Ok((FeatureTable::new((0..20).map(|column| format!("x{column}")).collect(), values)?, labels))
}
