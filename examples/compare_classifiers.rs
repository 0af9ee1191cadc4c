//! Compares a LASSO with the classifiers that reviewers ask for, all judged on rows that they never saw, in the same
//! folds.
//!
//! ```text
//! cargo run --release --example compare_classifiers
//! ```

#![allow(clippy::print_stdout)]

use alnm_models::classifiers::{Classifier, ClassifierParams};
use alnm_selection::folds::{FoldOrder, Folds};
use alnm_selection::{FeatureTable, Labels, Pipeline, Step};
use alnm_stats::roc::{Direction, RocCurve};
use anyhow::Result;
use ndarray::Array2;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

fn main() -> Result<()> {
    let (table, labels) = simulated()?;
    let folds = Folds::stratified(&labels, 10, FoldOrder::Shuffled { seed: 1 })?;
    let area = |risks: &[f64]| -> Result<f64> { Ok(RocCurve::new(&labels, risks, Direction::HigherIsPositive)?.auc()) };

    let selection = Pipeline::new("score").then(Step::ZeroVariance).then(Step::lasso(FoldOrder::Shuffled { seed: 2 }));
    println!("LASSO: cross-fitted AUC {:.3}", area(&selection.cross_fit(&table, &labels, &folds)?.scores)?);
    let others = [
        Classifier::random_forest(),
        Classifier::support_vector_machine(),
        Classifier::nearest_neighbours(),
        Classifier::NaiveBayes,
    ];
    for classifier in others {
        let fitted = ClassifierParams::new(classifier).with_seed(3).check()?.cross_fit(&table, &labels, &folds)?;
        println!("{}: cross-fitted AUC {:.3}", fitted.classifier, area(&fitted.risks)?);
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
