//! Bootstrap intervals against scipy and R on the same resamples; the scripts are beside the data in tests/golden.

use alnm_conformance::golden::{assert_resamples, fields, number};
use alnm_conformance::tally::Tolerance;
use alnm_stats::Labels;
use alnm_stats::bootstrap::{Resampling, resample_rows, simple};
use alnm_stats::decision_curve::{DecisionCurve, DecisionIntervalParams};
use alnm_stats::describe::{mean, standard_deviation};
use alnm_stats::optimism::Stratification;

const ROWS: usize = 40;
const RESAMPLING: Resampling = Resampling::new(300, 11);

/// A column of the sample.
fn column(place: usize) -> Vec<f64> {
    fields(include_str!("golden/sample.csv")).skip(1).map(|row| number(row[place])).collect()
}

#[test]
fn resamples_are_as_written() {
    let drawn: Vec<Vec<usize>> = (0..RESAMPLING.resamples).map(|b| resample_rows(ROWS, RESAMPLING.seed, b)).collect();
    assert_resamples(&drawn, include_str!("golden/resamples.csv"));
}

#[test]
fn percentile_and_bca_intervals_are_those_of_scipy() {
    let values = column(0);
    let statistic = |name: &str, rows: &[usize]| {
        let values: Vec<f64> = rows.iter().map(|&row| values[row]).collect();
        match name {
            "mean" => mean(&values),
            "variation" => standard_deviation(&values) / mean(&values),
            _ => values.iter().filter(|v| **v > 10.0).count() as f64 / values.len() as f64,
        }
    };
    let mut compared = 0;
    for row in fields(include_str!("golden/intervals.csv")) {
        let [name, method, level] = [row[0], row[1], row[2]];
        let bootstrap = simple(ROWS, RESAMPLING, |rows| statistic(name, rows)).unwrap();
        let without = |left: usize| (0..ROWS).filter(|&row| row != left).collect::<Vec<usize>>();
        let jackknife: Vec<f64> = (0..ROWS).map(|left| statistic(name, &without(left))).collect();
        let interval = match method {
            "BCa" => bootstrap.bias_corrected_accelerated(&jackknife, number(level)).unwrap(),
            _ => bootstrap.percentile(number(level)).unwrap(),
        };
        for (found, expected) in [(interval.lower, number(row[3])), (interval.upper, number(row[4]))] {
            assert!(Tolerance::relative(1e-12).agrees(expected, found), "{row:?}: {found}");
            compared += 1;
        }
    }
    assert_eq!(compared, 24);
}

#[test]
fn decision_curve_intervals_are_those_of_r() {
    let labels = Labels::from_values(&column(2)).unwrap();
    let golden: Vec<Vec<f64>> = fields(include_str!("golden/decision_intervals.csv"))
        .map(|row| row.into_iter().map(number).collect())
        .collect();
    let thresholds: Vec<f64> = golden.iter().map(|row| row[0]).collect();
    let params =
        DecisionIntervalParams::default().with_stratification(Stratification::None).with_resampling(RESAMPLING);
    let found = DecisionCurve::intervals(&labels, &column(1), &thresholds, params).unwrap();
    for (interval, row) in found.iter().zip(&golden) {
        let ours = [interval.net_benefit, interval.standardised_net_benefit, interval.interventions_avoided];
        for (ours, expected) in ours.iter().flat_map(|interval| [interval.lower, interval.upper]).zip(&row[1..]) {
            assert!((ours - expected).abs() < 1e-12, "{row:?}: {ours}");
        }
    }
    assert_eq!(found.len(), 5);
}
