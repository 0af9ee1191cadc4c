//! Rows that are no training rows change nothing that training learns, and how a row is completed hangs on nothing but the
//! training rows and the row itself. The oracle is the one of the study: the other rows are disguised, and everything is
//! learned a second time. A planted leak, an imputation that is fitted to all rows, is found by it.

use alnm_imputation::pooling::PoolingParams;
use alnm_imputation::selection::majority_vote;
use alnm_imputation::single::{MedianImputation, NeighbourParams};
use alnm_imputation::{ChainedEquations, ChainedEquationsParams, VariablePlan};
use alnm_models::{FeatureTable, Labels, LogisticParams};
use alnm_selection::folds::FoldOrder;
use alnm_selection::lasso::LassoParams;
use ndarray::Array2;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

const ROWS: usize = 120;
const TRAINING: usize = 80;

/// A cohort with holes: the last column is the outcome.
fn cohort() -> FeatureTable {
    let mut generator = ChaCha8Rng::seed_from_u64(4);
    let mut values = Array2::zeros((ROWS, 5));
    for row in 0..ROWS {
        let latent: f64 = generator.random::<f64>() * 4.0;
        let size = latent + generator.random::<f64>();
        let grade = (latent / 1.4 + generator.random::<f64>()).floor();
        let event = generator.random::<f64>() < latent / 4.5;
        for (column, value) in [latent * 10.0, size, grade, f64::from(u8::from(latent > 2.0))].into_iter().enumerate() {
            let is_missing = column > 0 && generator.random::<f64>() < 0.2;
            values[[row, column]] = if is_missing { f64::NAN } else { value };
        }
        values[[row, 4]] = f64::from(u8::from(event));
    }
    let names = ["age", "size", "grade", "receptor", "event"].map(str::to_owned).to_vec();
    FeatureTable::new(names, values).expect("unique names")
}

/// The cohort with other outcomes, values and holes in all rows but those of training.
fn disguised(cohort: &FeatureTable) -> FeatureTable {
    let mut values = cohort.values().to_owned();
    for row in TRAINING..ROWS {
        for column in 0..5 {
            let value = values[[row, column]];
            values[[row, column]] = match column {
                0 | 1 if value.is_nan() => 1.0,
                0 | 1 if row % 7 == 0 => f64::NAN,
                0 | 1 => 2.0 * value + 1.0,
                2 => f64::from(u8::from(row % 2 == 0)),
                _ => f64::from(u8::from(value != 1.0)),
            };
        }
    }
    FeatureTable::new(cohort.names().to_vec(), values).expect("the same names")
}

fn equations() -> ChainedEquations {
    ChainedEquationsParams::new(vec![
        VariablePlan::numeric("age"),
        VariablePlan::numeric("size"),
        VariablePlan::ordinal("grade"),
        VariablePlan::binary("receptor"),
    ])
    .with_outcome(VariablePlan::binary("event"))
    .with_imputations(5)
    .with_iterations(5)
    .with_seed(9)
    .check()
    .expect("a plan")
}

/// Everything that is learned from the rows that are fitted to, and the pooled model of the training rows, as text.
fn learned(cohort: &FeatureTable, fitted_to: &[usize]) -> String {
    let training: Vec<usize> = (0..TRAINING).collect();
    let fitting = cohort.select_rows(fitted_to);
    let imputed = equations().impute(&fitting).expect("observed values");
    let labels = Labels::from_values(&cohort.column("event").expect("a column").to_vec()).expect("0 and 1");
    let labels = labels.select(&training);
    let tables: Vec<FeatureTable> = imputed.completed().iter().map(|table| table.select_rows(&training)).collect();
    let lasso = LassoParams::new(FoldOrder::Shuffled { seed: 1 }).with_folds(5).check().expect("parameters");
    let vote = majority_vote(&tables, &labels, &lasso, 0.5).expect("both classes");
    let rules = PoolingParams::default().check().expect("parameters");
    let pooled = vote.refit(&tables, &labels, &LogisticParams::default(), &rules).expect("selected features");
    let features = fitting.select(&["age", "size", "grade", "receptor"].map(str::to_owned)).expect("columns");
    let median = MedianImputation::fit(&features).expect("observed values");
    let neighbours = NeighbourParams::default().check().expect("parameters").fit(&features).expect("observed values");
    format!("{:?} {:?} {pooled:?} {median:?} {neighbours:?}", imputed.model(), imputed.completed())
}

fn check_leaks(fitted_to: &[usize]) -> Result<(), String> {
    let cohort = cohort();
    if learned(&cohort, fitted_to) == learned(&disguised(&cohort), fitted_to) {
        return Ok(());
    }
    Err("a leak: with other values of the validation patients something else is learned".to_owned())
}

#[test]
fn learning_from_training_rows_leaks_nothing() {
    assert_eq!(check_leaks(&(0..TRAINING).collect::<Vec<_>>()), Ok(()));
}

#[test]
fn an_imputation_that_is_fitted_to_all_rows_is_found() {
    assert!(check_leaks(&(0..ROWS).collect::<Vec<_>>()).is_err());
}

#[test]
fn the_outcome_and_the_other_rows_do_not_complete_a_row() {
    let cohort = cohort();
    let model = equations().impute(&cohort.select_rows(&(0..TRAINING).collect::<Vec<_>>())).expect("values").model();
    let validation: Vec<usize> = (TRAINING..ROWS).collect();
    let together = model.impute(&cohort.select_rows(&validation)).expect("known levels");
    // Without the column of the outcome, and each row alone.
    let blind = cohort.select(&["receptor", "grade", "size", "age"].map(str::to_owned)).expect("columns");
    for (place, &row) in validation.iter().enumerate() {
        for (alone, together) in model.impute(&blind.select_rows(&[row])).expect("known levels").iter().zip(&together) {
            assert_eq!(alone.values().row(0), together.values().row(place));
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let cohort = cohort();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let imputed = equations().impute(&cohort).expect("observed values");
            let new = imputed.model().impute(&cohort).expect("known levels");
            format!("{imputed:?} {new:?}")
        })
    };
    let one = on(1);
    assert!(one == on(2) && one == on(5));
    let other = equations().params().clone().with_seed(10).check().expect("a plan").impute(&cohort).expect("values");
    assert_ne!(format!("{:?}", other.completed()), format!("{:?}", equations().impute(&cohort).unwrap().completed()));
}
