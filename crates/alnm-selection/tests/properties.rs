//! Properties of paths, folds and pipelines.

use alnm_selection::correlation_filter::{CorrelationFilterParams, CorrelationRule, find_correlation, ranked_filter};
use alnm_selection::cross_validation::{CvMeasure, cross_validate};
use alnm_selection::elastic_net::{ElasticNetParams, LambdaSequence, PathPrecision, binomial_path, gaussian_path};
use alnm_selection::folds::{FoldOrder, Folds};
use alnm_selection::stability::{StabilityParams, stability_selection};
use alnm_selection::univariate::UnivariateParams;
use alnm_selection::{FeatureTable, FittedPipeline, Labels, Pipeline, SelectionError, Step};
use alnm_stats::correlation::{Correlation, PairRows, correlation_matrix};
use alnm_stats::roc::{Direction, RocCurve};
use ndarray::Array2;
use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// Independent features of which the first `informative` carry the outcome.
fn cohort(rows: usize, features: usize, informative: usize, seed: u64) -> (FeatureTable, Labels) {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = || f64::from(generator.next_u32()) / f64::from(u32::MAX) - 0.5;
    let values = Array2::from_shape_fn((rows, features), |_| uniform() + uniform() + uniform());
    let labels = (0..rows)
        .map(|i| (0..informative).map(|j| 2.0 * values[[i, j]]).sum::<f64>() + 0.5 * uniform() > 0.0)
        .collect();
    let names = (0..features).map(|j| format!("f{j}")).collect();
    (FeatureTable::new(names, values).expect("unique names"), Labels::new(labels))
}

/// Largest violation of the optimality conditions, relative to λ.
fn kkt_violation(
    table: &FeatureTable,
    y: &[f64],
    mean_response: impl Fn(f64) -> f64,
    path: &alnm_selection::elastic_net::ElasticNetPath,
    k: usize,
) -> f64 {
    let c = &path.coefficients()[k];
    let n = y.len() as f64;
    let x = table.values();
    let residual: Vec<f64> = (0..y.len())
        .map(|i| {
            let eta = c.intercept() + c.columns().iter().zip(c.values()).map(|(&j, b)| b * x[[i, j]]).sum::<f64>();
            y[i] - mean_response(eta)
        })
        .collect();
    let mut worst = residual.iter().sum::<f64>().abs() / n;
    for j in 0..table.columns() {
        let column = x.column(j).to_vec();
        let scale = (alnm_stats::describe::variance(&column) * (n - 1.0) / n).sqrt();
        let gradient = column.iter().zip(&residual).map(|(x, r)| x * r).sum::<f64>() / n / scale;
        let coefficient = c.columns().iter().position(|&k| k == j).map_or(0.0, |k| c.values()[k]);
        let violation = if coefficient == 0.0 {
            gradient.abs() - path.lambda()[k]
        } else {
            (gradient - path.lambda()[k].copysign(coefficient)).abs()
        };
        worst = worst.max(violation);
    }
    worst / path.lambda()[k]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn lasso_paths_meet_their_optimality_conditions(seed in 0u64..1000, rows in 30usize..80, features in 3usize..40) {
        let (table, labels) = cohort(rows, features, 2, seed);
        prop_assume!(labels.positives() > 5 && labels.negatives() > 5);
        let params = ElasticNetParams::default().with_precision(PathPrecision::OptimalityConditions(1e-9));
        let path = binomial_path(&table, &labels, &params).expect("both classes");
        for k in [1, path.lambda().len() / 3, path.lambda().len() / 2] {
            let violation = kkt_violation(&table, &labels.to_values(), |eta| 1.0 / (1.0 + (-eta).exp()), &path, k);
            prop_assert!(violation < 1e-7, "{violation} at penalty {k}");
        }
        let outcome: Vec<f64> = (0..rows).map(|i| table.values()[[i, 0]] * 2.0 + table.values()[[i, 1]] + ((i * 7) % 5) as f64).collect();
        let path = gaussian_path(&table, &outcome, &params).expect("an outcome that varies");
        for k in [1, path.lambda().len() / 3, path.lambda().len() / 2] {
            let violation = kkt_violation(&table, &outcome, |eta| eta, &path, k);
            prop_assert!(violation < 1e-7, "{violation} at penalty {k}");
        }
    }

    #[test]
    fn correlation_filters_leave_no_strong_pair(seed in 0u64..1000, features in 2usize..25) {
        let (table, _) = cohort(20, features, 1, seed);
        let r = correlation_matrix(table.values(), Correlation::Pearson, PairRows::Everything).expect("rows");
        let score: Vec<f64> = (0..features).map(|j| f64::from((j * 7 % 5) as u8)).collect();
        let removals = [
            find_correlation(r.view(), 0.3, CorrelationRule::CaretExact),
            find_correlation(r.view(), 0.3, CorrelationRule::CaretFast),
            ranked_filter(r.view(), 0.3, &score),
        ];
        for removed in removals {
            let gone: Vec<usize> = removed.expect("a correlation matrix").iter().map(|x| x.removed).collect();
            let kept: Vec<usize> = (0..features).filter(|j| !gone.contains(j)).collect();
            for &a in &kept {
                for &b in &kept {
                    prop_assert!(a == b || r[[a, b]].abs() <= 0.3);
                }
            }
        }
    }

    #[test]
    fn stratified_folds_share_out_both_classes(flags in prop::collection::vec(any::<bool>(), 20..80), count in 2usize..7, seed in 0u64..9) {
        let labels = Labels::new(flags);
        for order in [FoldOrder::AsGiven, FoldOrder::Shuffled { seed }] {
            let folds = Folds::stratified(&labels, count, order).expect("enough rows");
            let sizes: Vec<usize> = (0..count).map(|f| labels.select(&folds.test_rows(f)).positives()).collect();
            prop_assert!(sizes.iter().max().expect("folds") - sizes.iter().min().expect("folds") <= 1);
            prop_assert_eq!((0..count).map(|f| folds.test_rows(f).len()).sum::<usize>(), labels.len());
        }
    }
}

fn pipeline() -> Pipeline {
    Pipeline::new("Score")
        .then(Step::ZeroVariance)
        .then(Step::Univariate(UnivariateParams::default()))
        .then(Step::CorrelationFilter(CorrelationFilterParams::default().with_cutoff(0.6)))
        .then(Step::lasso(FoldOrder::Shuffled { seed: 11 }))
}

#[test]
fn a_pipeline_never_sees_held_out_rows() {
    let (table, labels) = cohort(90, 40, 2, 4);
    let folds = Folds::stratified(&labels, 3, FoldOrder::AsGiven).expect("enough rows");
    let honest = pipeline().cross_fit(&table, &labels, &folds).expect("informative features");
    // Whatever the held-out rows of the first fold hold, its selection stays the same.
    let held_out = folds.test_rows(0);
    let disturbed =
        Array2::from_shape_fn(
            table.values().dim(),
            |(i, j)| if held_out.contains(&i) { 1e3 } else { table.values()[[i, j]] },
        );
    let disturbed = FeatureTable::new(table.names().to_vec(), disturbed).expect("unique names");
    let training = folds.training_rows(0);
    let refitted =
        pipeline().fit(&disturbed.select_rows(&training), &labels.select(&training)).expect("informative features");
    assert_eq!(refitted, honest.fits[0]);
}

#[test]
fn cross_fitting_exposes_a_selection_on_all_rows() {
    // Pure noise: selecting on all rows and judging on the same rows looks good, out of fold it is worthless.
    let (table, _) = cohort(80, 400, 1, 9);
    let labels = Labels::new((0..80).map(|i| i % 2 == 0).collect());
    let auc = |scores: &[f64]| RocCurve::new(&labels, scores, Direction::HigherIsPositive).expect("both classes").auc();
    let screen = Pipeline::new("Noise").then(Step::Univariate(UnivariateParams::default().with_level(0.02)));
    let lasso = |p: Pipeline| p.then(Step::lasso(FoldOrder::AsGiven));
    let leaked =
        screen.fit(&table, &labels).expect("some features pass by chance").transform(&table).expect("the same columns");
    let folds = Folds::stratified(&labels, 5, FoldOrder::Shuffled { seed: 2 }).expect("enough rows");
    let optimistic = auc(&lasso(Pipeline::new("Noise")).cross_fit(&leaked, &labels, &folds).expect("a score").scores);
    let honest = auc(&lasso(screen).cross_fit(&table, &labels, &folds).expect("a score").scores);
    assert!(optimistic > 0.75, "selected on all rows: {optimistic}");
    assert!(honest < 0.65, "selected within the folds: {honest}");
}

#[cfg(feature = "serde")]
#[test]
fn a_saved_pipeline_scores_as_the_fitted_one() {
    let (table, labels) = cohort(70, 12, 2, 1);
    let fitted = pipeline().fit(&table, &labels).expect("informative features");
    let read = FittedPipeline::from_json(&fitted.to_json().expect("finite numbers")).expect("the same version");
    assert_eq!(read, fitted);
    assert_eq!(read.score(&table), fitted.score(&table));
    assert!(FittedPipeline::from_json("{\"format_version\": 99}").is_err());
}

#[test]
fn a_fitted_pipeline_scores_new_data_by_name() {
    let (table, labels) = cohort(70, 12, 2, 1);
    let fitted: FittedPipeline = pipeline().fit(&table, &labels).expect("informative features");
    let reversed: Vec<usize> = (0..table.columns()).rev().collect();
    let (a, b) = (
        fitted.score(&table).expect("all columns"),
        fitted.score(&table.select_columns(&reversed)).expect("all columns"),
    );
    assert_eq!(a, b);
    let needed = &fitted.signature().expect("a LASSO").weights()[0].feature;
    let without: Vec<String> = table.names().iter().filter(|n| *n != needed).cloned().collect();
    assert!(matches!(
        fitted.score(&table.select(&without).expect("known names")),
        Err(SelectionError::MissingColumn { .. })
    ));
    assert_eq!(
        fitted.report().iter().map(|r| r.before - r.after).sum::<usize>(),
        table.columns() - fitted.selected().len()
    );
}

#[test]
fn degenerate_tables_are_refused_with_a_reason() {
    let (table, labels) = cohort(30, 4, 1, 3);
    let constant = FeatureTable::new(vec!["c".into()], Array2::from_elem((30, 1), 2.0)).expect("one name");
    assert!(binomial_path(&constant, &labels, &ElasticNetParams::default()).is_err());
    assert!(binomial_path(&table, &Labels::new(vec![true; 30]), &ElasticNetParams::default()).is_err());
    assert!(FeatureTable::new(vec!["a".into(), "a".into()], Array2::zeros((3, 2))).is_err());
    let empty = FeatureTable::new(vec!["c".into()], Array2::zeros((0, 1))).expect("one name");
    assert!(gaussian_path(&empty, &[], &ElasticNetParams::default()).is_err());
    assert!(binomial_path(&empty, &Labels::new(Vec::new()), &ElasticNetParams::default()).is_err());
    let mut missing = table.values().to_owned();
    missing[[4, 2]] = f64::NAN;
    let missing = FeatureTable::new(table.names().to_vec(), missing).expect("unique names");
    assert!(matches!(pipeline().fit(&missing, &labels), Err(SelectionError::NonFinite { row: 4, .. })));
    assert!(matches!(
        Pipeline::new("s").then(Step::ZeroVariance).fit(&constant, &labels),
        Err(SelectionError::NothingLeft { .. })
    ));
}

#[test]
fn an_auc_that_no_fold_defines_is_refused() {
    let (table, _) = cohort(40, 4, 1, 3);
    let labels = Labels::new((0..40).map(|row| (row / 10) % 2 == 1).collect());
    let folds = Folds::given((0..40).map(|row| row / 10).collect()).expect("four folds");
    let refused = cross_validate(&table, &labels, &folds, CvMeasure::Auc, &ElasticNetParams::default());
    assert!(refused.expect_err("folds of one class").to_string().starts_with("cross-validated AUC is undefined; "));
    assert!(cross_validate(&table, &labels, &folds, CvMeasure::Deviance, &ElasticNetParams::default()).is_ok());
}

#[test]
fn sentences_name_value_and_requirement() {
    let (table, labels) = cohort(30, 4, 1, 3);
    let sentence = |result: Result<(), SelectionError>| result.expect_err("a wrong parameter").to_string();
    assert_eq!(
        sentence(Folds::stratified(&labels, 1, FoldOrder::AsGiven).map(drop)),
        "number of folds is 1; it must be at least 2 and at most the number of rows of the larger class"
    );
    assert_eq!(
        sentence(
            Pipeline::new("s")
                .then(Step::ZeroVariance)
                .fit(&table, &labels)
                .and_then(|fitted| fitted.score(&table))
                .map(drop)
        ),
        "last step of the selection is zero variance; it must be a LASSO, which gives a score"
    );
    assert_eq!(
        sentence(StabilityParams::default().with_halves(0).check().map(drop)),
        "number of random halves is 0; it must be at least 1"
    );
    assert_eq!(
        sentence(gaussian_path(&table, &[2.5; 30], &ElasticNetParams::default()).map(drop)),
        "outcome of every row is 2.5; it must be a number that differs between rows, since a constant cannot be \
         predicted"
    );
    assert_eq!(
        sentence(gaussian_path(&table, &[2.5; 29], &ElasticNetParams::default()).map(drop)),
        "the numbers of outcomes and rows are 29 and 30; they must be equal"
    );
}

#[test]
fn stable_features_are_the_informative_ones() {
    let (table, labels) = cohort(120, 30, 2, 8);
    let params = StabilityParams::default().with_halves(40).with_first(4);
    let found = stability_selection(&table, &labels, &params).expect("both classes");
    let stable: Vec<&str> = found.frequency.iter().filter(|f| f.stable).map(|f| f.feature.as_str()).collect();
    assert_eq!(stable, ["f0", "f1"]);
}

/// Passes that run out end the path as glmnet's maxit does: the penalties before stand as they are in the full path.
#[test]
fn a_path_whose_passes_run_out_ends_early() {
    let labels = Labels::new((0..40).map(|i| i % 2 == 0).collect());
    let names = (0..6).map(|j| format!("f{j}")).collect();
    let values = Array2::from_shape_fn((40, 6), |(i, j)| ((i * (3 * j + 5)) % 13) as f64 + 2.0 * (i % 2) as f64);
    let table = FeatureTable::new(names, values).unwrap();
    let full = binomial_path(&table, &labels, &ElasticNetParams::default()).unwrap();
    assert!(full.complete());
    let short =
        binomial_path(&table, &labels, &ElasticNetParams::default().with_max_passes(full.passes() / 2)).unwrap();
    assert!(!short.complete() && !short.lambda().is_empty() && short.lambda().len() < full.lambda().len());
    assert_eq!(*short.coefficients(), full.coefficients()[..short.coefficients().len()]);
}

#[test]
fn a_cross_validated_path_does_not_depend_on_the_number_of_threads() {
    let (table, labels) = cohort(60, 90, 3, 7);
    let folds = Folds::stratified(&labels, 5, FoldOrder::AsGiven).expect("enough rows");
    for precision in [PathPrecision::default(), PathPrecision::OptimalityConditions(1e-9)] {
        let params = ElasticNetParams::default().with_precision(precision);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| cross_validate(&table, &labels, &folds, CvMeasure::Deviance, &params))
                .expect("both classes in every fold")
        };
        assert_eq!(on(1), on(4));
    }
}

#[test]
fn a_path_of_a_large_table_does_not_depend_on_the_number_of_threads() {
    let (table, labels) = cohort(1200, 900, 10, 11);
    for precision in [PathPrecision::default(), PathPrecision::OptimalityConditions(1e-2)] {
        let lambda = LambdaSequence::Automatic { count: 12, ratio: Some(0.01) };
        let params = ElasticNetParams::default().with_precision(precision).with_lambda(lambda);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| binomial_path(&table, &labels, &params)).expect("both classes")
        };
        let path = on(1);
        // So many features that threads share the Hessian of the second precision.
        assert!(path.degrees_of_freedom().last().is_some_and(|features| *features > 100));
        assert_eq!(path, on(2));
        assert_eq!(path, on(8));
    }
}

#[test]
fn elastic_nets_meet_their_conditions_with_limits_and_unpenalised_features() {
    let (table, labels) = cohort(70, 12, 2, 5);
    let mut factors = vec![1.0; 12];
    factors[3] = 0.0;
    let params = ElasticNetParams::default()
        .with_alpha(0.5)
        .with_penalty_factors(factors)
        .with_lower_limit(-0.1)
        .with_upper_limit(0.8)
        .with_precision(PathPrecision::OptimalityConditions(1e-9));
    let exact = binomial_path(&table, &labels, &params).expect("both classes");
    let given = LambdaSequence::Given(exact.lambda().to_vec());
    let tight = params.with_lambda(given).with_precision(PathPrecision::Threshold(1e-18));
    let descended = binomial_path(&table, &labels, &tight).expect("both classes");
    for (a, b) in exact.coefficients().iter().zip(descended.coefficients()).skip(1) {
        assert!(a.values().iter().all(|v| (-0.1 - 1e-12..=0.8 + 1e-12).contains(v)), "{a:?}");
        assert!(a.columns().contains(&3) && (a.intercept() - b.intercept()).abs() < 1e-6, "{a:?} {b:?}");
        let dense = |c: &alnm_selection::elastic_net::SparseCoefficients| {
            let mut all = vec![0.0; 12];
            c.columns().iter().zip(c.values()).for_each(|(&j, v)| all[j] = *v);
            all
        };
        assert!(dense(a).iter().zip(dense(b)).all(|(x, y)| (x - y).abs() < 1e-6), "{a:?} {b:?}");
    }
}

/// Forty rows and six features of sines and cosines, the same in R: `outer(1:40, 1:6, function(i, j) sin(0.7 * i * j) +
/// cos(1.3 * i + j))`.
fn waves() -> (FeatureTable, Vec<f64>) {
    let x = Array2::from_shape_fn((40, 6), |(i, j)| {
        let (i, j) = ((i + 1) as f64, (j + 1) as f64);
        (0.7 * i * j).sin() + (1.3 * i + j).cos()
    });
    let y =
        (0..40).map(|i| 2.0 * x[[i, 0]] + x[[i, 1]] - 0.5 * x[[i, 3]] + 0.3 * (3.0 * (i + 1) as f64).cos()).collect();
    (FeatureTable::new((0..6).map(|j| format!("x{j}")).collect(), x).expect("six names"), y)
}

// glmnet 4.1-6: glmnet(X, y, penalty.factor = c(0, 1, 1, 0, 2, 0.5), thresh = 1e-18, maxit = 1e7), and the same of y >
// 0.2 as a binomial
#[test]
fn paths_with_unpenalised_features_start_at_what_these_leave_over() {
    let (table, y) = waves();
    let labels = Labels::new(y.iter().map(|y| *y > 0.2).collect());
    let close = |found: f64, expected: f64| {
        assert!((found - expected).abs() < 1e-7 * expected.abs().max(1e-2), "{found} for {expected}");
    };
    for precision in [PathPrecision::Threshold(1e-18), PathPrecision::OptimalityConditions(1e-9)] {
        let params = ElasticNetParams::default()
            .with_penalty_factors(vec![0.0, 1.0, 1.0, 0.0, 2.0, 0.5])
            .with_precision(precision)
            .with_max_passes(10_000_000);
        let path = gaussian_path(&table, &y, &params).expect("finite values");
        assert_eq!(path.lambda().len(), 42);
        [(0, 0.538795626756), (1, 0.490930508258), (9, 0.233231764752)]
            .iter()
            .for_each(|&(k, lambda)| close(path.lambda()[k], lambda));
        let first = &path.coefficients()[0];
        assert_eq!(first.columns().iter().filter(|j| [0, 3].contains(j)).count(), 2);
        close(first.intercept(), -0.04574777834);
        let tenth = &path.coefficients()[9];
        for (j, expected) in [(0, 2.137317234), (1, 0.564303483), (3, -0.6477767372)] {
            let at = tenth.columns().iter().position(|column| *column == j).expect("the feature has entered");
            close(tenth.values()[at], expected);
        }
        assert_eq!(tenth.columns().len(), 3);

        let path = binomial_path(&table, &labels, &params).expect("both classes");
        assert_eq!(path.lambda().len(), 73);
        [(0, 0.103730278014), (1, 0.094515166008), (9, 0.0449023611143)]
            .iter()
            .for_each(|&(k, lambda)| close(path.lambda()[k], lambda));
        close(path.coefficients()[9].intercept(), -0.1267380716);
    }
}

// glmnet 4.1-6: glmnet(X, -y), glmnet(X, -y, lower.limits = 0) and glmnet(X, -y, upper.limits = 0)
#[test]
fn paths_with_a_limit_of_zero_go_on_where_nothing_happens() {
    let (table, y) = waves();
    let y: Vec<f64> = y.iter().map(|y| -y).collect();
    for (lower_limit, upper_limit, penalties) in [(None, None, 56), (Some(0.0), None, 100), (None, Some(0.0), 100)] {
        let mut params = ElasticNetParams::default();
        (params.lower_limit, params.upper_limit) = (lower_limit, upper_limit);
        assert_eq!(gaussian_path(&table, &y, &params).expect("finite values").lambda().len(), penalties);
    }
}
