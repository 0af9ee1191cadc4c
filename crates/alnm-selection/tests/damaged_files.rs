//! Saved selections, signatures and harmonisations that come back damaged are refused or give the same answer.
#![cfg(feature = "serde")]

use alnm_conformance::damage::{json_variants, refused_or_same, text_variants};
use alnm_selection::correlation_filter::{CorrelationFilterParams, CorrelationRule};
use alnm_selection::folds::FoldOrder;
use alnm_selection::harmonisation::{BatchEstimation, Combat};
use alnm_selection::lasso::LassoParams;
use alnm_selection::mrmr::{MrmrParams, MrmrVariant};
use alnm_selection::univariate::UnivariateParams;
use alnm_selection::{FeatureTable, FittedPipeline, Labels, Pipeline, Result, Signature, Step};
use ndarray::Array2;

/// Sixty rows of eight features, of which the first three differ between the classes.
fn cohort() -> (FeatureTable, Labels) {
    let labels = Labels::new((0..60).map(|row| (row * 7) % 5 < 2).collect());
    let values = Array2::from_shape_fn((60, 8), |(row, column)| {
        let noise = ((row * (7 * column + 3) + column * column) % 23) as f64 / 23.0;
        if column < 3 && labels.as_slice()[row] { noise + 0.4 } else { noise }
    });
    (FeatureTable::new((0..8).map(|column| format!("x{column}")).collect(), values).expect("eight names"), labels)
}

fn fitted() -> FittedPipeline {
    let (table, labels) = cohort();
    Pipeline::new("RadScore")
        .then(Step::ZeroVariance)
        .then(Step::Univariate(UnivariateParams::default().with_level(0.8)))
        .then(Step::CorrelationFilter(CorrelationFilterParams::default().with_rule(CorrelationRule::Ranked)))
        .then(Step::Mrmr(MrmrParams::new(MrmrVariant::FCorrelationQuotient, 5)))
        .then(Step::Lasso(LassoParams::new(FoldOrder::Shuffled { seed: 3 }).with_folds(4)))
        .fit(&table, &labels)
        .expect("informative features")
}

/// Reads every damaged variant of a good file.
fn damage<A: PartialEq + std::fmt::Debug>(file: &str, good: &str, answer: impl Fn(&str) -> Result<A>) {
    let expected = answer(good).expect("the good file");
    let mut variants = json_variants(good);
    variants.extend(text_variants(good));
    let outcome = refused_or_same(file, &variants, |variant| answer(&variant.text), &expected);
    assert!(variants.len() >= 40 && outcome.kinds >= 20, "{outcome:?}");
    assert!(outcome.same > 0 && outcome.refused > 30, "{outcome:?}");
}

#[test]
fn damaged_selections_are_refused_or_give_the_same_scores() {
    let table = cohort().0;
    let good = fitted().to_json().expect("finite numbers");
    damage("fitted selection", &good, |text| {
        let read = FittedPipeline::from_json(text)?;
        Ok((read.score(&table)?, read))
    });
}

#[test]
fn damaged_signatures_are_refused_or_give_the_same_scores() {
    let table = cohort().0;
    let signature = Signature::new("RadScore", -0.25, [("x0", 1.5), ("x1", -2.0), ("x5", 1e-3)]).expect("three names");
    let good = signature.to_json().expect("finite numbers");
    damage("signature", &good, |text| {
        let read = Signature::from_json(text)?;
        Ok((read.apply(&table)?, read))
    });
}

#[test]
fn damaged_harmonisations_are_refused_or_give_the_same_features() {
    let (table, labels) = cohort();
    let scanner: Vec<String> = (0..60).map(|row| if row < 25 { "a" } else { "b" }.to_owned()).collect();
    let outcome = FeatureTable::from_columns(vec![("y".to_owned(), labels.to_values())]).expect("one column");
    let combat = Combat::fit(&table, &scanner, &outcome, BatchEstimation::EmpiricalBayes).expect("two batches");
    let good = combat.to_json().expect("finite numbers");
    damage("harmonisation", &good, |text| {
        let read = Combat::from_json(text)?;
        Ok((read.apply(&table, &scanner, &outcome)?, read))
    });
}
