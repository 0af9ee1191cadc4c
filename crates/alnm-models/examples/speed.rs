//! Median wall times of the calls that docs/performance.md compares with R and Python.
//!
//! `cargo run --release -p alnm-models --example speed`

#![allow(clippy::print_stdout)]

use alnm_models::folds::{FoldOrder, Folds};
use alnm_models::gradient_boosting::{BoostingParams, GradientBoosting};
use alnm_models::profile_likelihood::{ProfileMethod, profile_intervals};
use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams};
use alnm_selection::correlation_filter::{CorrelationRule, find_correlation};
use alnm_selection::cross_validation::{CvMeasure, cross_validate};
use alnm_selection::discretise::Discretisation;
use alnm_selection::elastic_net::{ElasticNetParams, Precision, binomial_path};
use alnm_selection::mrmr::{Denominator, MrmrVariant, Relevance, mrmr};
use alnm_selection::univariate::UnivariateScreen;
use alnm_stats::Alternative;
use alnm_stats::bootstrap::{self, Resampling};
use alnm_stats::correlation::{Correlation, PairRows, correlation_matrix};
use alnm_stats::delong::{Marker, auc_estimate, paired_test};
use alnm_stats::icc::{IccEstimation, icc_of_features};
use alnm_stats::roc::{Direction, RocCurve};
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::hint::black_box;
use std::time::Instant;

fn median_time<T>(what: &str, repeats: usize, mut call: impl FnMut() -> T) {
    let mut times: Vec<f64> = (0..repeats)
        .map(|_| {
            let start = Instant::now();
            black_box(call());
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    println!("{what:60} {:10.4} ms", times[repeats / 2]);
}

/// Features driven by 30 latent factors, the first six of them informative.
fn cohort(rows: usize, features: usize) -> Result<(FeatureTable, Labels), Box<dyn std::error::Error>> {
    let mut generator = ChaCha8Rng::seed_from_u64(1);
    let mut normal = || (0..12).map(|_| f64::from(generator.next_u32()) / f64::from(u32::MAX)).sum::<f64>() - 6.0;
    let factors = Array2::from_shape_fn((rows, 30), |_| normal());
    let loadings = Array2::from_shape_fn((30, features), |(k, j)| if (k * 7 + j * 3) % 10 == 0 { normal() } else { 0.0 });
    let values = factors.dot(&loadings) + Array2::from_shape_fn((rows, features), |_| 0.3 * normal());
    let labels = (0..rows)
        .map(|i| (0..6.min(features)).map(|j| values[[i, j]] * if j % 2 == 0 { 0.5 } else { -0.5 }).sum::<f64>() + normal() > 0.0)
        .collect();
    Ok((FeatureTable::new((0..features).map(|j| format!("f{j}")).collect(), values)?, Labels::new(labels)))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (table, labels) = cohort(212, 926)?;
    let first = |count: usize| table.select_columns(&(0..count).collect::<Vec<_>>());
    let scores = |j: usize| table.values().column(j).to_vec();
    let (a, b) = (scores(0), scores(2));
    let up = Direction::HigherIsPositive;

    let area = |labels: &Labels, s: &[f64]| RocCurve::new(labels, s, up).and_then(|r| auc_estimate(&r, 0.95));
    median_time("ROC curve and DeLong interval, n = 212", 200, || area(&labels, &a));
    let marker = |scores| Marker { scores, direction: up };
    median_time("paired DeLong test, n = 212", 200, || paired_test(&labels, marker(&a), marker(&b), Alternative::TwoSided, 0.95));
    let (large, many) = cohort(100_000, 1)?;
    let large = large.values().column(0).to_vec();
    median_time("ROC curve and DeLong interval, n = 100 000", 20, || area(&many, &large));
    median_time("2000 stratified bootstraps of the AUC, n = 212", 50, || bootstrap::auc(&labels, &a, up, Resampling::default()));

    let folds = Folds::stratified(&labels, 10, FoldOrder::AsGiven)?;
    let exact = ElasticNetParams { precision: Precision::OptimalityConditions(1e-9), ..ElasticNetParams::default() };
    let default = ElasticNetParams::default();
    median_time("LASSO path, n = 212, p = 926", 20, || binomial_path(&table, &labels, &default));
    median_time("LASSO path, conditions to 1e-9, n = 212, p = 926", 10, || binomial_path(&table, &labels, &exact));
    median_time("LASSO 10-fold deviance, n = 212, p = 926", 15, || cross_validate(&table, &labels, &folds, CvMeasure::Deviance, &default));
    median_time("LASSO 10-fold deviance, conditions to 1e-9", 7, || cross_validate(&table, &labels, &folds, CvMeasure::Deviance, &exact));
    let narrow = first(60);
    median_time("LASSO 10-fold deviance, n = 212, p = 60", 20, || cross_validate(&narrow, &labels, &folds, CvMeasure::Deviance, &default));

    let rows: Vec<usize> = (0..30).collect();
    let reader = table.select_rows(&rows);
    let second = table.select_rows(&rows.iter().map(|r| r + 30).collect::<Vec<_>>());
    median_time("ICC, 926 features x 30 x 2", 50, || icc_of_features(&[reader.values(), second.values()], IccEstimation::Anova, 0.95));
    median_time("Pearson matrix, 212 x 926", 20, || correlation_matrix(table.values(), Correlation::Pearson, PairRows::Everything));
    let r = correlation_matrix(table.values(), Correlation::Pearson, PairRows::Everything)?;
    median_time("findCorrelation 0.6, p = 926, fast", 20, || find_correlation(r.view(), 0.6, CorrelationRule::CaretFast));
    median_time("findCorrelation 0.6, p = 926, exact", 20, || find_correlation(r.view(), 0.6, CorrelationRule::CaretExact));
    let screen = UnivariateScreen::default();
    median_time("normality and t or rank test of 926 features", 10, || screen.test(&table, &labels));
    let fcq = MrmrVariant::MrmrSelection { relevance: Relevance::F, denominator: Denominator::Mean };
    median_time("mRMR FCQ, p = 926, K = 30", 10, || mrmr(&table, &labels, &fcq, 30));
    let mid = MrmrVariant::MutualInformationDifference { discretisation: Discretisation::MeanDeviation { width: 0.5 } };
    median_time("mRMR MID, p = 926, K = 30", 10, || mrmr(&table, &labels, &mid, 30));

    let params = LogisticParams::default();
    let four = first(4);
    median_time("logistic regression, n = 212, p = 4", 50, || LogisticModel::fit(&four, &labels, &params));
    median_time("its profile intervals, exact", 20, || profile_intervals(&four, &labels, ProfileMethod::Exact, &params));
    let thirty = first(30);
    let boosting = BoostingParams::default();
    median_time("gradient boosting 212 x 30, 100 rounds", 30, || GradientBoosting::fit(&thirty, &labels, &boosting));
    median_time("gradient boosting 212 x 926, 100 rounds", 5, || GradientBoosting::fit(&table, &labels, &boosting));
    let fitted = GradientBoosting::fit(&thirty, &labels, &boosting)?;
    median_time("its predictions, 212 rows", 50, || fitted.predict(&thirty));
    Ok(())
}
