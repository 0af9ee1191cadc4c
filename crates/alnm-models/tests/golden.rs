//! Optimism-corrected validation of a logistic model against rms on the same resamples; the script is beside the data
//! in tests/golden.

use alnm_conformance::golden::{assert_resamples, fields, number};
use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams};
use alnm_stats::bootstrap::{Resampling, resample_rows};
use alnm_stats::optimism::{Stratification, validate};
use alnm_stats::roc::{Direction, RocCurve};

const RESAMPLING: Resampling = Resampling::new(50, 23);
const ROWS: usize = 90;

fn cohort() -> (FeatureTable, Labels) {
    let rows: Vec<Vec<f64>> =
        fields(include_str!("golden/cohort.csv")).skip(1).map(|row| row.into_iter().map(number).collect()).collect();
    let column = |place: usize| rows.iter().map(|row| row[place]).collect::<Vec<f64>>();
    let predictors =
        ["a", "b", "c"].iter().enumerate().map(|(place, name)| ((*name).to_owned(), column(place))).collect();
    (FeatureTable::from_columns(predictors).expect("unique names"), Labels::from_values(&column(3)).expect("0 or 1"))
}

#[test]
fn resamples_are_as_written() {
    let drawn: Vec<Vec<usize>> = (0..RESAMPLING.resamples).map(|b| resample_rows(ROWS, RESAMPLING.seed, b)).collect();
    assert_resamples(&drawn, include_str!("golden/resamples.csv"));
}

#[test]
fn corrected_measures_are_those_of_rms_validate() {
    let (table, labels) = cohort();
    let params = LogisticParams::default();
    let fit = |rows: &[usize]| LogisticModel::fit(&table.select_rows(rows), &labels.select(rows), &params).ok();
    let measure = |model: &LogisticModel, rows: &[usize]| {
        let (table, labels) = (table.select_rows(rows), labels.select(rows));
        let (linear, risks) = (model.linear_predictor(&table).unwrap(), model.predict(&table).unwrap());
        let auc = RocCurve::new(&labels, &linear, Direction::HigherIsPositive).unwrap().auc();
        let brier =
            risks.iter().zip(labels.to_values()).map(|(p, y)| (p - y).powi(2)).sum::<f64>() / risks.len() as f64;
        let linear = FeatureTable::from_columns(vec![("linear".to_owned(), linear)]).unwrap();
        let recalibrated = LogisticModel::fit(&linear, &labels, &params).unwrap();
        vec![2.0 * (auc - 0.5), brier, recalibrated.terms()[0].estimate, recalibrated.terms()[1].estimate]
    };
    let found = validate(&labels, Stratification::None, RESAMPLING, fit, measure).unwrap();
    let mut compared = 0;
    for (ours, row) in found.iter().zip(fields(include_str!("golden/validation.csv"))) {
        let ours = [ours.apparent, ours.training, ours.test, ours.optimism, ours.corrected];
        for (ours, expected) in ours.iter().zip(row[1..].iter().map(|field| number(field))) {
            assert!((ours - expected).abs() < 1e-7, "{}: {ours}, not {expected}", row[0]);
            compared += 1;
        }
    }
    assert_eq!(compared, 20);
}
