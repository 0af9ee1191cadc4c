//! Rubin's rules by their definitions, selection over imputations, and patients who lack a value.

use alnm_imputation::patient::assess_incomplete;
use alnm_imputation::pooling::PoolingParams;
use alnm_imputation::selection::{majority_vote, stacked_lasso};
use alnm_imputation::single::NeighbourParams;
use alnm_imputation::{ChainedEquationsParams, ImputationError, VariablePlan};
use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams, Measurement, RiskModel, Variable};
use alnm_selection::folds::FoldOrder;
use alnm_selection::lasso::LassoParams;
use alnm_stats::calibration::recalibrate;
use alnm_stats::roc::{Direction, RocCurve};
use ndarray::Array2;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// Eight features of which two carry the outcome; a sixth of the values is missing.
fn cohort(seed: u64) -> (FeatureTable, Labels) {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut noise = || (0..12).map(|_| generator.random::<f64>()).sum::<f64>() - 6.0;
    let labels: Vec<bool> = (0..150).map(|row| row % 3 == 0).collect();
    let mut values = Array2::from_shape_fn((150, 8), |(row, j)| noise() + if j < 2 && labels[row] { 1.2 } else { 0.0 });
    for (_, value) in values.indexed_iter_mut().filter(|((row, j), _)| (row * 5 + j * 7) % 6 == 0) {
        *value = f64::NAN;
    }
    (FeatureTable::new((0..8).map(|j| format!("x{j}")).collect(), values).expect("unique names"), Labels::new(labels))
}

fn completed(imputations: usize) -> (Vec<FeatureTable>, Labels) {
    let (table, labels) = cohort(3);
    let with_outcome = table
        .beside(&FeatureTable::from_columns(vec![("event".to_owned(), labels.to_values())]).expect("one column"))
        .expect("as many rows");
    let plans = table.names().iter().map(|name| VariablePlan::numeric(name)).collect();
    let equations = ChainedEquationsParams::new(plans)
        .with_outcome(VariablePlan::binary("event"))
        .with_imputations(imputations)
        .with_iterations(5);
    (equations.check().expect("a plan").impute(&with_outcome).expect("values").completed().to_vec(), labels)
}

#[test]
fn a_vote_keeps_what_most_selections_keep() {
    let (tables, labels) = completed(6);
    let lasso = LassoParams::new(FoldOrder::Shuffled { seed: 1 })
        .with_folds(5)
        .with_choice(alnm_selection::cross_validation::LambdaChoice::OneStandardError)
        .check()
        .expect("parameters");
    let vote = majority_vote(&tables, &labels, &lasso, 0.5).expect("both classes");
    assert!(vote.votes[0].share == 1.0 && vote.votes[1].share == 1.0);
    for vote_of in &vote.votes {
        let kept =
            vote.fits.iter().filter(|f| f.signature.weights().iter().any(|w| w.feature == vote_of.feature)).count();
        assert_eq!(vote_of.share, kept as f64 / 6.0);
        assert_eq!(vote_of.selected, 2 * kept >= 6);
    }
    let rules = PoolingParams::default().check().expect("parameters");
    let pooled = vote.refit(&tables, &labels, &LogisticParams::default(), &rules).expect("a model");
    assert_eq!(pooled.coefficients.len(), vote.selected().len() + 1);
    assert!(pooled.coefficient("x0").expect("selected").p_value < 0.001);
    assert!(pooled.wald_test(&["x0", "x1"]).expect("independent").p_value < 1e-4);
    assert!(majority_vote(&tables, &labels, &lasso, 0.0).is_err());
    assert!(majority_vote(&tables[..1], &labels, &lasso, 0.5).is_err());
    let fewer = [tables[0].clone(), tables[1].select_columns(&[0, 1])];
    assert!(matches!(majority_vote(&fewer, &labels, &lasso, 0.5), Err(ImputationError::Plan { .. })));
}

#[test]
fn stacked_copies_of_one_table_are_that_table() {
    let (tables, labels) = completed(2);
    let lasso = LassoParams::new(FoldOrder::Shuffled { seed: 1 }).with_folds(5).check().expect("parameters");
    let once = lasso.fit("score", &tables[0], &labels).expect("both classes");
    let copies = vec![tables[0].clone(); 3];
    let stacked = stacked_lasso("score", &copies, &labels, &lasso).expect("both classes");
    // glmnet's precision leaves an error of some thousandths.
    for (a, b) in once.path.path().lambda().iter().zip(stacked.path.path().lambda()) {
        assert!((a - b).abs() < 1e-9 * a);
    }
    for (a, b) in once.path.mean().iter().zip(stacked.path.mean()) {
        assert!((a - b).abs() < 2e-3 * a, "{a} {b}");
    }
    let both = stacked_lasso("score", &tables, &labels, &lasso).expect("both classes");
    assert!(both.signature.weights().iter().any(|weight| weight.feature == "x0"));
}

#[test]
fn performance_is_pooled_by_its_definition() {
    let (tables, labels) = completed(4);
    let risks: Vec<Vec<f64>> = tables
        .iter()
        .map(|t| LogisticModel::fit(t, &labels, &LogisticParams::default()).expect("both classes").fitted().to_vec())
        .collect();
    let rules = PoolingParams::default().check().expect("parameters");
    let curves: Vec<RocCurve> =
        risks.iter().map(|r| RocCurve::new(&labels, r, Direction::HigherIsPositive).expect("both classes")).collect();
    let area = rules.pool_auc(&curves).expect("areas below 1");
    let logit = |p: f64| (p / (1.0 - p)).ln();
    let mean = curves.iter().map(|curve| logit(curve.auc())).sum::<f64>() / 4.0;
    assert!((logit(area.estimate) - mean).abs() < 1e-12 && area.interval.contains(area.estimate));

    let recalibrations: Vec<_> = risks.iter().map(|r| recalibrate(&labels, r, 0.95).expect("no separation")).collect();
    let calibration = rules.pool_calibration(&recalibrations).expect("four analyses");
    // Risks of the fit itself are calibrated.
    assert!((calibration.slope.estimate - 1.0).abs() < 1e-6 && calibration.intercept.estimate.abs() < 1e-6);
    assert!(calibration.slope.between < 1e-12);

    let benefit = rules.pool_net_benefit(&labels, &risks, 0.3).expect("risks");
    // The slow way: what each patient adds.
    let of = |risks: &Vec<f64>| {
        let adds: Vec<f64> = risks
            .iter()
            .zip(labels.as_slice())
            .map(|(risk, event)| {
                if *risk < 0.3 {
                    0.0
                } else if *event {
                    1.0
                } else {
                    -0.3 / 0.7
                }
            })
            .collect();
        let mean = adds.iter().sum::<f64>() / 150.0;
        (mean, adds.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / 150.0 / 150.0)
    };
    let slow: Vec<(f64, f64)> = risks.iter().map(of).collect();
    assert!((benefit.estimate - slow.iter().map(|s| s.0).sum::<f64>() / 4.0).abs() < 1e-12);
    assert!((benefit.within - slow.iter().map(|s| s.1).sum::<f64>() / 4.0).abs() < 1e-12);
}

#[test]
fn equal_analyses_are_not_widened_and_wrong_ones_refused() {
    let rules = PoolingParams::default().check().expect("parameters");
    let same = rules.pool("x", &[2.0; 5], &[0.25; 5]).expect("five analyses");
    assert_eq!((same.standard_error, same.between, same.proportion_missing), (0.5, 0.0, 0.0));
    assert!((same.interval.upper - 2.98).abs() < 0.01);
    let nothing = rules.pool("x", &[2.0; 5], &[0.0; 5]).expect("five analyses");
    assert_eq!((nothing.standard_error, nothing.relative_increase), (0.0, 0.0));
    for (estimates, variances) in [
        (vec![1.0], vec![1.0]),
        (vec![1.0, 2.0], vec![1.0]),
        (vec![1.0, f64::NAN], vec![1.0, 1.0]),
        (vec![1.0, 2.0], vec![1.0, -1.0]),
        (vec![1.0, 2.0], vec![1.0, f64::INFINITY]),
    ] {
        assert!(matches!(rules.pool("x", &estimates, &variances), Err(ImputationError::Parameter { .. })));
    }
    assert!(rules.pool_probabilities("AUC", &[0.9, 1.0], &[0.1, 0.1]).is_err());
    assert!(PoolingParams::default().with_complete_degrees_of_freedom(0.0).check().is_err());
    assert!(PoolingParams::default().with_level(95.0).check().is_err());
}

#[test]
fn a_patient_who_lacks_a_value_has_a_wider_interval() {
    let (tables, labels) = completed(10);
    let (table, _) = cohort(3);
    let table = table.select(&["x0", "x1", "x2"].map(str::to_owned)).expect("columns");
    let fitted = LogisticModel::fit(
        &tables[0].select(&["x0", "x1"].map(str::to_owned)).expect("columns"),
        &labels,
        &LogisticParams::default(),
    );
    let units = [Variable::new("x0", "cm"), Variable::new("x1", "")];
    let risk = RiskModel::new("two", &fitted.expect("both classes"), &units, &tables[0], "150 rows").expect("a model");
    let plans =
        vec![VariablePlan::numeric("x0").with_unit("cm"), VariablePlan::numeric("x1"), VariablePlan::numeric("x2")];
    let params = ChainedEquationsParams::new(plans).with_imputations(30);
    let imputation = params.check().expect("a plan").impute(&table).expect("values").model();

    let whole = [Measurement::new("x0", "cm", 0.4), Measurement::new("x1", "", 0.2)];
    let complete = assess_incomplete(&risk, &imputation, &whole, 0.95).expect("a patient");
    let alone = risk.assess(&whole, 0.95).expect("a patient");
    assert!(complete.imputed.is_empty() && (complete.risk - alone.risk).abs() < 1e-12);
    assert!((complete.interval.upper - alone.interval.upper).abs() < 1e-4);

    let half = assess_incomplete(&risk, &imputation, &whole[..1], 0.95).expect("a patient");
    assert_eq!(half.imputed[0].variable, "x1");
    assert!(half.log_odds.proportion_missing > 0.5);
    assert!(half.interval.upper - half.interval.lower > alone.interval.upper - alone.interval.lower);
    // Another unit, a measurement twice, a variable that the imputation does not know.
    let refused =
        |patient: &[Measurement]| assess_incomplete(&risk, &imputation, patient, 0.95).unwrap_err().to_string();
    assert!(refused(&[Measurement::new("x0", "mm", 4.0)]).starts_with("the unit of \"x0\" is \"mm\""));
    assert!(refused(&[whole[0].clone(), whole[0].clone()]).contains("given twice"));
    assert!(refused(&[Measurement::new("x0", "cm", f64::NAN)]).contains("leave a measurement out"));
    assert!(assess_incomplete(&risk, &imputation, &whole, 1.0).is_err());
}

#[test]
fn neighbours_equal_the_slow_and_obvious_way() {
    let (table, _) = cohort(8);
    let neighbours = NeighbourParams::default().with_neighbours(3).check().expect("parameters");
    let completed = neighbours.fit(&table).expect("values").complete(&table).expect("its own columns");
    let values = table.values();
    let scaled = |row: usize, j: usize| {
        let column: Vec<f64> = values.column(j).iter().copied().filter(|v| !v.is_nan()).collect();
        let mean = column.iter().sum::<f64>() / column.len() as f64;
        let square = column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / column.len() as f64;
        (values[[row, j]] - mean) / square.sqrt()
    };
    for row in 0..12 {
        let mut others: Vec<(f64, usize)> = (0..table.rows())
            .map(|other| {
                let squares: Vec<f64> = (0..8)
                    .filter(|&j| !values[[row, j]].is_nan() && !values[[other, j]].is_nan())
                    .map(|j| (scaled(row, j) - scaled(other, j)).powi(2))
                    .collect();
                ((8.0 / squares.len() as f64 * squares.iter().sum::<f64>()).sqrt(), other)
            })
            .collect();
        others.sort_by(|a, b| a.0.total_cmp(&b.0));
        for j in (0..8).filter(|&j| values[[row, j]].is_nan()) {
            let near = others.iter().map(|&(_, other)| values[[other, j]]).filter(|v| !v.is_nan()).take(3);
            assert!((completed.values()[[row, j]] - near.sum::<f64>() / 3.0).abs() < 1e-9);
        }
    }
}
