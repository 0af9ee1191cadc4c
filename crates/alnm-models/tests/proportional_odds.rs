//! Proportional-odds regression against `MASS::polr`, on what it must be by its definition, and on what it refuses. The
//! script and the versions stand in tests/golden.

use alnm_conformance::golden::{fields, number};
use alnm_models::proportional_odds::{OrderedOutcome, ProportionalOdds, ProportionalOddsParams};
use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams, ModelError};

const CATEGORIES: [&str; 4] = ["0", "1", "2", "3"];

struct Cohort {
    table: FeatureTable,
    outcome: OrderedOutcome,
    weights: Vec<f64>,
}

fn cohort() -> Cohort {
    let rows: Vec<Vec<f64>> = fields(include_str!("golden/ordinal_cohort.csv"))
        .skip(1)
        .map(|row| row.into_iter().map(number).collect())
        .collect();
    let column = |place: usize| rows.iter().map(|row| row[place]).collect::<Vec<f64>>();
    let names = ["size", "age", "marker"];
    let predictors = names.iter().enumerate().map(|(place, name)| ((*name).to_owned(), column(place))).collect();
    let nodes = column(3).into_iter().map(|value| value as usize).collect();
    Cohort {
        table: FeatureTable::from_columns(predictors).expect("unique names"),
        outcome: OrderedOutcome::new(&CATEGORIES, nodes).expect("four categories"),
        weights: column(4),
    }
}

fn constant(rows: usize) -> FeatureTable {
    FeatureTable::from_columns(vec![("one".to_owned(), vec![1.0; rows])]).expect("unique names")
}

#[test]
fn estimates_errors_and_deviance_are_those_of_polr() {
    let Cohort { table, outcome, weights } = cohort();
    let plain = ProportionalOddsParams::default();
    let fits = [
        ("plain", ProportionalOdds::fit(&table, &outcome, &plain).expect("a fit")),
        ("weighted", ProportionalOdds::fit(&table, &outcome, &plain.with_weights(weights)).expect("a fit")),
    ];
    let mut compared = 0;
    for row in fields(include_str!("golden/proportional_odds.csv")) {
        let model = &fits.iter().find(|(name, _)| *name == row[0]).expect("a fit of that name").1;
        let found = match row[1] {
            "deviance" => [model.deviance(), 0.0],
            "risk" => [model.predict(&table).expect("its own columns")[[0, 3]], 0.0],
            name => {
                let mut terms = model.coefficients().iter().chain(model.thresholds());
                let term = terms.find(|term| term.name == name).expect("a term of that name");
                [term.estimate, term.standard_error]
            }
        };
        // polr takes its errors from a numerical Hessian, which is good to 2e-4 for predictors of this scale.
        for ((ours, expected), tolerance) in
            found.iter().zip(row[2..].iter().map(|field| number(field))).zip([1e-6, 5e-4])
        {
            assert!((ours - expected).abs() <= tolerance * expected.abs().max(1.0), "{row:?}: {ours}");
            compared += 1;
        }
    }
    assert_eq!(compared, 32);
    assert!(fits.iter().all(|(_, fit)| fit.converged() && !fit.separated()));
}

#[test]
fn two_categories_are_logistic_regression() {
    let Cohort { table, outcome, .. } = cohort();
    let events: Vec<bool> = outcome.values().iter().map(|value| *value > 1).collect();
    let merged = OrderedOutcome::new(&["low", "high"], events.iter().map(|event| usize::from(*event)).collect())
        .expect("two categories");
    let ordinal = ProportionalOdds::fit(&table, &merged, &ProportionalOddsParams::default()).expect("a fit");
    let logistic = LogisticModel::fit(&table, &Labels::new(events), &LogisticParams::default()).expect("a fit");
    assert!((ordinal.deviance() - logistic.deviance()).abs() < 1e-9);
    assert!((ordinal.thresholds()[0].estimate + logistic.terms()[0].estimate).abs() < 1e-9);
    for (ours, theirs) in ordinal.coefficients().iter().zip(&logistic.terms()[1..]) {
        assert!((ours.estimate - theirs.estimate).abs() < 1e-9, "{ours:?} {theirs:?}");
        assert!((ours.standard_error - theirs.standard_error).abs() < 1e-9, "{ours:?} {theirs:?}");
    }
}

#[test]
fn units_and_the_direction_of_the_categories_do_not_matter() {
    let Cohort { table, outcome, .. } = cohort();
    let params = ProportionalOddsParams::default();
    let model = ProportionalOdds::fit(&table, &outcome, &params).expect("a fit");
    let moved = FeatureTable::new(table.names().to_vec(), table.values().map(|x| 1e6 + 1e3 * x)).expect("the names");
    let moved = ProportionalOdds::fit(&moved, &outcome, &params).expect("a fit");
    let turned: Vec<usize> = outcome.values().iter().map(|value| 3 - value).collect();
    let turned = OrderedOutcome::new(&CATEGORIES, turned).expect("four categories");
    let turned = ProportionalOdds::fit(&table, &turned, &params).expect("a fit");
    for ((a, b), c) in model.coefficients().iter().zip(moved.coefficients()).zip(turned.coefficients()) {
        assert!((a.estimate - 1e3 * b.estimate).abs() < 1e-6 && (a.estimate + c.estimate).abs() < 1e-8);
        assert!((a.standard_error - 1e3 * b.standard_error).abs() < 1e-6);
    }
    assert!((model.deviance() - moved.deviance()).abs() < 1e-7 && (model.deviance() - turned.deviance()).abs() < 1e-8);
}

#[test]
fn thresholds_alone_are_the_shares_of_the_categories() {
    let Cohort { outcome, .. } = cohort();
    let model = ProportionalOdds::fit(&constant(140), &outcome, &ProportionalOddsParams::default()).expect("a fit");
    assert_eq!(model.aliased(), ["one"]);
    let probabilities = model.predict(&constant(1)).expect("its own columns");
    for (p, count) in probabilities.iter().zip(outcome.counts()) {
        assert!((p - count as f64 / 140.0).abs() < 1e-12);
    }
    assert!((model.deviance() - model.null_deviance()).abs() < 1e-9);
}

#[test]
fn degenerate_data_have_their_answer() {
    let params = ProportionalOddsParams::default();
    let column = |values: Vec<f64>| FeatureTable::from_columns(vec![("x".to_owned(), values)]).expect("unique names");
    let outcome = |values: &[usize]| OrderedOutcome::new(&["a", "b", "c"], values.to_vec()).expect("three categories");
    // The predictor separates the categories.
    let separated =
        ProportionalOdds::fit(&column(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), &outcome(&[0, 0, 1, 1, 2, 2]), &params);
    let separated = separated.expect("separation is flagged");
    assert!(separated.separated() && !separated.converged() && separated.deviance() < 1e-3);
    // A category that nobody is in.
    let empty = ProportionalOdds::fit(&column(vec![1.0, 2.0, 3.0]), &outcome(&[0, 2, 2]), &params).unwrap_err();
    assert_eq!(
        empty.to_string(),
        "the categories of the outcome cannot be used: no row lies in the category \"b\", so that its threshold is \
         infinite; merge it with a neighbour or leave it out"
    );
    // A missing value, another number of rows, categories without a name.
    let holes = column(vec![f64::NAN, 2.0, 1.0, 3.0]);
    assert!(matches!(ProportionalOdds::fit(&holes, &outcome(&[0, 1, 2, 1]), &params), Err(ModelError::Selection(_))));
    assert!(matches!(ProportionalOdds::fit(&holes, &outcome(&[0, 1, 2]), &params), Err(ModelError::Selection(_))));
    assert!(OrderedOutcome::new(&["a", "a"], vec![]).is_err() && OrderedOutcome::new(&["a"], vec![]).is_err());
    assert!(params.clone().with_level(1.0).check().is_err() && params.with_max_iterations(0).check().is_err());
}
