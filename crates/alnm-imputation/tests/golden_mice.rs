//! Whole imputations of nhanes and of a simulated cohort against mice, 200 imputations each; the script and the versions
//! stand in tests/golden.

use alnm_conformance::golden::{fields, number};
use alnm_imputation::pooling::{EstimatedCoefficients, PooledCoefficients, PoolingParams};
use alnm_imputation::{ChainedEquationsParams, ImputationMethod, VariablePlan};
use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams};
use alnm_stats::linear::{Cholesky, dot, weighted_products};
use ndarray::{Array1, Array2};

fn numbers(fields: &[&str]) -> Vec<f64> {
    fields.iter().map(|field| number(field)).collect()
}

/// A table from a golden file with a header.
fn table(text: &str) -> FeatureTable {
    let mut rows = fields(text);
    let names: Vec<String> = rows.next().expect("a header").iter().map(|&name| name.to_owned()).collect();
    let rows: Vec<Vec<f64>> = rows.map(|row| numbers(&row)).collect();
    let values = Array2::from_shape_fn((rows.len(), names.len()), |(row, column)| rows[row][column]);
    FeatureTable::new(names, values).expect("unique names")
}

/// Least squares of a column on others and an intercept.
fn least_squares(table: &FeatureTable, outcome: &str, predictors: &[&str]) -> EstimatedCoefficients {
    let column = |name: &str| table.column(name).expect("a column").to_vec();
    let design: Vec<Vec<f64>> =
        std::iter::once(vec![1.0; table.rows()]).chain(predictors.iter().map(|name| column(name))).collect();
    let (y, k) = (column(outcome), design.len());
    let factor = Cholesky::new(&weighted_products(&design, &vec![1.0; y.len()]), k).expect("independent columns");
    let estimates = factor.solve(&design.iter().map(|x| dot(x, &y)).collect::<Vec<_>>());
    let fitted = |row: usize| -> f64 { design.iter().zip(&estimates).map(|(x, b)| x[row] * b).sum() };
    let residual: f64 = (0..y.len()).map(|row| (y[row] - fitted(row)).powi(2)).sum();
    let scale = residual / (y.len() - k) as f64;
    let covariance = Array2::from_shape_vec((k, k), factor.inverse()).expect("a square matrix") * scale;
    let names = std::iter::once("(Intercept)").chain(predictors.iter().copied()).map(str::to_owned).collect();
    EstimatedCoefficients::new(names, estimates, covariance).expect("one number for each name")
}

/// Each pooled coefficient lies within four standard errors of the simulation of the one that mice gives, both being means
/// over 200 imputations, and the mean variance within a tenth.
fn assert_same_distribution(name: &str, pooled: &PooledCoefficients) {
    let expected: Vec<Vec<&str>> = fields(include_str!("golden/simulated.csv")).filter(|row| row[0] == name).collect();
    assert_eq!(expected.len(), pooled.coefficients.len());
    for (ours, row) in pooled.coefficients.iter().zip(expected) {
        let [estimate, within, between] = numbers(&row[2..])[..] else { panic!("{row:?}") };
        let error = ((between + ours.between) / 200.0).sqrt();
        assert!((ours.estimate - estimate).abs() < 4.0 * error, "{row:?}: {ours:?}, error {error}");
        assert!((ours.within / within - 1.0).abs() < 0.1, "{row:?}: {ours:?}");
        // The between variance of 200 imputations has an error of a tenth; posterior draws of the categorical models
        // add a little to it, which mice leaves out.
        assert!(ours.between > 0.6 * between && ours.between < 1.8 * between, "{row:?}: {ours:?}");
    }
}

#[test]
fn nhanes_gives_the_coefficients_of_mice() {
    let nhanes = table(include_str!("golden/nhanes.csv"));
    let imputed = ChainedEquationsParams::new(vec![
        VariablePlan::numeric("age"),
        VariablePlan::numeric("bmi"),
        VariablePlan::binary("hyp"),
        VariablePlan::numeric("chl").with_method(ImputationMethod::BayesianLinear),
    ])
    .with_imputations(200)
    .with_seed(1)
    .check()
    .expect("a plan")
    .impute(&nhanes)
    .expect("observed values in each column");
    let fits: Vec<EstimatedCoefficients> =
        imputed.completed().iter().map(|table| least_squares(table, "chl", &["age", "bmi", "hyp"])).collect();
    let pooled = PoolingParams::default().check().expect("parameters").pool_coefficients(&fits).expect("fits alike");
    assert_same_distribution("nhanes", &pooled);
}

#[test]
fn a_cohort_gives_the_coefficients_of_mice_and_not_those_of_complete_cases() {
    let cohort = table(include_str!("golden/cohort.csv"));
    let labels = Labels::from_values(&cohort.column("event").expect("a column").to_vec()).expect("0 and 1");
    let imputed = ChainedEquationsParams::new(vec![
        VariablePlan::numeric("age"),
        VariablePlan::numeric("size"),
        VariablePlan::ordinal("grade"),
        VariablePlan::nominal("subtype"),
        VariablePlan::binary("receptor"),
    ])
    .with_outcome(VariablePlan::binary("event"))
    .with_imputations(200)
    .with_seed(2)
    .check()
    .expect("a plan")
    .impute(&cohort)
    .expect("observed values in each column");
    let models: Vec<LogisticModel> = imputed
        .completed()
        .iter()
        .map(|table| {
            let subtype = table.column("subtype").expect("a column").to_owned();
            let is = |code: f64| subtype.mapv(|value| f64::from(u8::from(value == code)));
            let column = |name: &str| table.column(name).expect("a column").to_owned();
            let columns: [(&str, Array1<f64>); 6] = [
                ("age", column("age")),
                ("size", column("size")),
                ("grade", column("grade")),
                ("receptor", column("receptor")),
                ("two", is(2.0)),
                ("three", is(3.0)),
            ];
            let columns = columns.into_iter().map(|(name, values)| (name.to_owned(), values.to_vec())).collect();
            let design = FeatureTable::from_columns(columns).expect("unique names");
            LogisticModel::fit(&design, &labels, &LogisticParams::default()).expect("both classes")
        })
        .collect();
    let pooled = PoolingParams::default().check().expect("parameters").pool_logistic(&models).expect("models alike");
    assert_same_distribution("cohort", &pooled);
    // All chains have mixed.
    for trace in imputed.traces() {
        assert!(trace.r_hat_of_mean() < 1.2 && trace.r_hat_of_standard_deviation() < 1.2, "{}", trace.variable);
    }
    assert_eq!(imputed.traces().len(), 4);
}
