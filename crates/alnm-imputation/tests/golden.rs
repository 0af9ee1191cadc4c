//! Pooling against mice and mitml; the script and the versions stand in tests/golden.

use alnm_conformance::golden::{fields, number};
use alnm_imputation::pooling::{EstimatedCoefficients, PoolingParams};
use ndarray::Array2;

fn numbers(fields: &[&str]) -> Vec<f64> {
    fields.iter().map(|field| number(field)).collect()
}

/// The analyses of a case of pooling.csv, in the order of their numbers.
fn analyses(case: &str) -> (Vec<EstimatedCoefficients>, Option<f64>) {
    let rows: Vec<Vec<&str>> = fields(include_str!("golden/pooling.csv")).filter(|row| row[0] == case).collect();
    let of = |kind: &str| rows.iter().filter(|row| row[1] == kind).map(|row| numbers(&row[3..])).collect::<Vec<_>>();
    let analysis = |(estimates, covariance): (Vec<f64>, Vec<f64>)| {
        let k = estimates.len();
        let names = (1..=k).map(|place| place.to_string()).collect();
        let covariance = Array2::from_shape_vec((k, k), covariance).expect("a square matrix");
        EstimatedCoefficients::new(names, estimates, covariance).expect("one number for each name")
    };
    let dfcom = rows.iter().find(|row| row[1] == "dfcom").map(|row| row[2]).expect("degrees of freedom");
    let complete = if dfcom == "Inf" { None } else { Some(number(dfcom)) };
    (of("estimates").into_iter().zip(of("covariance")).map(analysis).collect(), complete)
}

fn assert_near(what: &str, ours: f64, expected: f64) {
    assert!((ours - expected).abs() <= 1e-10 * expected.abs().max(1e-3), "{what}: {ours} is not {expected}");
}

#[test]
fn pooling_equals_mice_and_mitml() {
    let mut compared = 0;
    for case in ["small", "infinite", "three", "single"] {
        let (analyses, complete) = analyses(case);
        let params = PoolingParams::default();
        let params = complete.map_or(params, |df| params.with_complete_degrees_of_freedom(df));
        let pooled = params.check().expect("parameters").pool_coefficients(&analyses).expect("analyses alike");
        for row in fields(include_str!("golden/pooling.csv")).filter(|row| row[0] == case) {
            match row[1] {
                "pooled" => {
                    let p = pooled.coefficient(row[2]).expect("a coefficient");
                    let ours = [
                        p.estimate,
                        p.within,
                        p.between,
                        p.total,
                        p.degrees_of_freedom,
                        p.relative_increase,
                        p.proportion_missing,
                        p.fraction_missing_information,
                    ];
                    for (ours, expected) in ours.into_iter().zip(numbers(&row[3..])) {
                        assert_near(&format!("{row:?}"), ours, expected);
                        compared += 1;
                    }
                }
                "D1" => {
                    let names: Vec<String> = (2..=analyses[0].names.len()).map(|place| place.to_string()).collect();
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    let test = pooled.wald_test(&names).expect("independent coefficients");
                    let ours = [test.statistic, test.degrees_of_freedom[0], test.degrees_of_freedom[1], test.p_value];
                    for (ours, expected) in ours.into_iter().zip(numbers(&row[2..])) {
                        assert_near(&format!("{row:?}"), ours, expected);
                        compared += 1;
                    }
                }
                _ => {}
            }
        }
    }
    assert_eq!(compared, 8 * (3 + 3 + 4 + 2) + 4 * 4);
}
