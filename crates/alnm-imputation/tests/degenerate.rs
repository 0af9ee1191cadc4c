//! Degenerate tables have their documented answer, and none of them panics.

use alnm_imputation::single::{MedianImputation, NeighbourParams};
use alnm_imputation::{
    ChainedEquationsParams, ImputationError, ImputationEventKind, ImputationMethod, MissingPolicy, MultipleImputation,
    VariablePlan, VisitingSequence,
};
use alnm_models::FeatureTable;
use proptest::prelude::*;

const NAN: f64 = f64::NAN;

fn table(columns: &[(&str, Vec<f64>)]) -> FeatureTable {
    FeatureTable::from_columns(columns.iter().map(|(name, values)| ((*name).to_owned(), values.clone())).collect())
        .expect("unique names")
}

fn params(plans: Vec<VariablePlan>) -> ChainedEquationsParams {
    ChainedEquationsParams::new(plans).with_imputations(3).with_iterations(4).with_seed(5)
}

fn impute(table: &FeatureTable, plans: Vec<VariablePlan>) -> Result<MultipleImputation, ImputationError> {
    params(plans).check().expect("a plan").impute(table)
}

fn wave(rows: usize, frequency: f64) -> Vec<f64> {
    (0..rows).map(|row| (row as f64 * frequency).sin()).collect()
}

/// Every third value missing.
fn with_holes(mut values: Vec<f64>) -> Vec<f64> {
    values.iter_mut().step_by(3).for_each(|value| *value = NAN);
    values
}

fn refusal(table: &FeatureTable, plans: Vec<VariablePlan>) -> String {
    impute(table, plans).expect_err("a degenerate table").to_string()
}

fn has_event(imputed: &MultipleImputation, variable: &str, kind: ImputationEventKind) -> bool {
    imputed.events().iter().any(|event| event.variable == variable && event.kind == kind && event.times > 0)
}

#[test]
fn what_nothing_can_be_learned_from_is_refused() {
    let holes = with_holes(wave(12, 0.9));
    let a = || VariablePlan::numeric("a");
    assert_eq!(
        refusal(&table(&[("a", vec![NAN; 5])]), vec![a()]),
        "the column \"a\" cannot be used: it has no observed value; leave it out, since nothing can be learned about it"
    );
    assert!(refusal(&table(&[("a", vec![])]), vec![a()]).starts_with("number of rows is 0"));
    assert!(refusal(&table(&[("a", vec![NAN])]), vec![a()]).contains("no observed value"));
    assert!(refusal(&table(&[("a", vec![1.0, f64::INFINITY])]), vec![a()]).contains("a value is inf"));
    assert!(refusal(&table(&[("b", holes.clone())]), vec![a()]).contains("\"a\" is missing"));
    assert!(
        refusal(&table(&[("a", vec![0.0, 1.0, 2.0])]), vec![VariablePlan::binary("a")])
            .contains("has 3 distinct values")
    );
    let codes = (0..60).map(f64::from).collect();
    assert!(refusal(&table(&[("a", codes)]), vec![VariablePlan::nominal("a")]).contains("takes at most 50"));
    // An outcome with a hole, an incomplete variable outside the visiting sequence, a division by 0.
    let two = table(&[("a", holes.clone()), ("y", holes.clone())]);
    let with_outcome = params(vec![a()]).with_outcome(VariablePlan::numeric("y")).check().expect("a plan");
    assert!(with_outcome.impute(&two).unwrap_err().to_string().contains("it is an outcome and lacks 4 values"));
    let given = params(vec![a(), VariablePlan::numeric("y")])
        .with_visiting(VisitingSequence::Given(vec!["a".to_owned()]))
        .check()
        .expect("a plan");
    assert!(given.impute(&two).unwrap_err().to_string().contains("not in the visiting sequence"));
    let zero = table(&[("a", vec![0.0, NAN, 0.0])]);
    let passive = VariablePlan::passive("inverse", "1 / a").expect("a formula");
    assert!(refusal(&zero, vec![a(), passive]).contains("its formula \"1 / a\" gives inf in row 0"));
}

#[test]
fn constants_and_single_values_are_imputed_as_they_are() {
    let plans = || {
        vec![
            VariablePlan::numeric("a"),
            VariablePlan::numeric("b").with_method(ImputationMethod::BayesianLinear),
            VariablePlan::binary("c"),
            VariablePlan::ordinal("d"),
            VariablePlan::numeric("e"),
        ]
    };
    // One observed value, equal values, one class, one level.
    let table = table(&[
        ("a", vec![7.5, NAN, NAN, NAN, NAN, NAN]),
        ("b", vec![2.0, NAN, 2.0, NAN, 2.0, 2.0]),
        ("c", vec![NAN, 1.0, 1.0, 1.0, NAN, 1.0]),
        ("d", vec![3.0, 3.0, NAN, 3.0, 3.0, NAN]),
        ("e", vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.9]),
    ]);
    let imputed = impute(&table, plans()).expect("observed values");
    for completed in imputed.completed() {
        for (name, value) in [("a", 7.5), ("b", 2.0), ("c", 1.0), ("d", 3.0)] {
            assert!(completed.column(name).unwrap().iter().all(|v| *v == value), "{name}");
        }
    }
    for name in ["a", "b", "c", "d"] {
        assert!(has_event(&imputed, name, ImputationEventKind::ConstantVariable), "{name}");
    }
    // A new patient is completed by them too, and a level that training lacks is refused.
    let model = imputed.model();
    assert_eq!(model.impute(&table).expect("known levels")[0].column("d").unwrap()[2], 3.0);
    let unknown = table.select_rows(&[0]);
    let mut values = unknown.values().to_owned();
    values[[0, 3]] = 4.0;
    let unknown = FeatureTable::new(table.names().to_vec(), values).expect("unique names");
    assert!(model.impute(&unknown).unwrap_err().to_string().contains("one of the levels of training, [3.0]"));
}

#[test]
fn a_complete_table_and_one_row_come_back() {
    let complete = table(&[("a", vec![1.0, 2.0]), ("b", vec![4.0, 8.0])]);
    let plans = || vec![VariablePlan::numeric("a"), VariablePlan::numeric("b")];
    let imputed = impute(&complete, plans()).expect("values");
    assert!(imputed.completed().iter().all(|table| *table == complete) && imputed.traces().is_empty());
    let row = impute(&complete.select_rows(&[1]), plans()).expect("a row");
    assert_eq!(row.model().impute(&table(&[("a", vec![NAN]), ("b", vec![NAN])])).unwrap()[2].values()[[0, 1]], 8.0);
}

#[test]
fn collinear_copied_and_constant_predictors_are_left_out_and_named() {
    let (a, b) = (wave(40, 0.7), wave(40, 1.3));
    let sum: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
    let y: Vec<f64> = a.iter().zip(&b).zip(wave(40, 2.9)).map(|((a, b), e)| a - b + 0.2 * e).collect();
    let copy: Vec<f64> = y.iter().map(|y| 3.0 - 2.0 * y).collect();
    let columns = [
        ("y", with_holes(y)),
        ("a", a.clone()),
        ("a again", a),
        ("b", b),
        ("sum", sum),
        ("one", vec![1.0; 40]),
        ("copy", copy),
    ];
    for method in [ImputationMethod::BayesianLinear, ImputationMethod::MeanMatching { donors: 3 }] {
        let mut plans: Vec<VariablePlan> = columns.iter().map(|(name, _)| VariablePlan::numeric(name)).collect();
        plans[0] = plans[0].clone().with_method(method);
        let imputed = impute(&table(&columns), plans).expect("observed values");
        let event = imputed
            .events()
            .iter()
            .find(|event| event.variable == "y" && event.kind == ImputationEventKind::PredictorsRemoved)
            .expect("removed predictors");
        assert_eq!(event.predictors.len(), 4, "{event:?}");
        assert!(["one", "copy"].iter().all(|name| event.predictors.iter().any(|gone| gone == name)));
        assert_eq!(event.times, 3 * 4);
    }
}

#[test]
fn more_predictors_than_rows_are_cut_down() {
    let names: Vec<String> = (0..30).map(|column| format!("x{column}")).collect();
    let mut columns: Vec<(&str, Vec<f64>)> =
        names.iter().enumerate().map(|(column, name)| (name.as_str(), wave(10, 0.31 + column as f64))).collect();
    columns.push(("y", with_holes(wave(10, 0.77))));
    let plans = columns.iter().map(|(name, _)| VariablePlan::numeric(name)).collect();
    let imputed = impute(&table(&columns), plans).expect("observed values");
    assert!(imputed.completed().iter().all(|table| table.require_finite().is_ok()));
    assert!(has_event(&imputed, "y", ImputationEventKind::PredictorsRemoved));
}

#[test]
fn separated_categories_are_imputed() {
    let x: Vec<f64> = (0..30).map(f64::from).collect();
    let level = |cuts: &[f64]| with_holes(x.iter().map(|x| cuts.iter().filter(|cut| x > cut).count() as f64).collect());
    let columns = [
        ("x", x.clone()),
        ("two", level(&[14.5])),
        ("three", level(&[9.5, 19.5])),
        ("ordered", level(&[9.5, 19.5])),
        ("rare", level(&[27.5, 28.5])),
    ];
    let plans = vec![
        VariablePlan::numeric("x"),
        VariablePlan::binary("two"),
        VariablePlan::nominal("three"),
        VariablePlan::ordinal("ordered"),
        VariablePlan::ordinal("rare"),
    ];
    let equations = params(plans).with_imputations(20).check().expect("a plan");
    let imputed = equations.impute(&table(&columns)).expect("observed values");
    assert!(imputed.completed().iter().all(|completed| completed.require_finite().is_ok()));
    // Estimates are finite, and far from the cuts most imputed values lie where they belong.
    for (name, row, level) in [("two", 0, 0.0), ("two", 27, 1.0), ("ordered", 0, 0.0), ("ordered", 27, 2.0)] {
        let right =
            imputed.completed().iter().filter(|completed| completed.column(name).unwrap()[row] == level).count();
        assert!(right > 10, "{name}, row {row}: {right} of 20");
    }
    assert!(imputed.model().impute(&table(&columns)).expect("known levels")[0].require_finite().is_ok());
}

#[test]
fn ties_are_broken_by_chance() {
    // All predictions are equal: each observed value is a donor about as often as the others.
    let values: Vec<f64> = (0..40).map(|row| if row < 20 { f64::from(row) } else { NAN }).collect();
    let plans = vec![VariablePlan::numeric("a"), VariablePlan::numeric("one")];
    let equations = params(plans).with_imputations(40).check().expect("a plan");
    let imputed = equations.impute(&table(&[("a", values), ("one", vec![1.0; 40])])).expect("observed values");
    let mut counts = [0_usize; 20];
    for completed in imputed.completed() {
        completed.column("a").unwrap().iter().skip(20).for_each(|value| counts[*value as usize] += 1);
    }
    assert!(counts.iter().all(|count| (10..=90).contains(count)), "{counts:?}");
}

#[test]
fn passive_variables_agree_with_their_parts() {
    let positive = |frequency: f64| with_holes(wave(30, frequency).into_iter().map(|x| 2.0 + x).collect());
    let mut lymphocytes = positive(1.1);
    lymphocytes.rotate_right(1);
    let counts = table(&[("n", positive(0.6)), ("p", positive(1.7)), ("l", lymphocytes)]);
    let plans = || {
        vec![
            VariablePlan::numeric("n"),
            VariablePlan::numeric("p"),
            VariablePlan::numeric("l"),
            VariablePlan::passive("index", "n * p / l").expect("a formula"),
        ]
    };
    let imputed = impute(&counts, plans()).expect("positive counts");
    let new = imputed.model().impute(&counts).expect("positive counts");
    for completed in imputed.completed().iter().chain(&new) {
        let column = |name: &str| completed.column(name).unwrap();
        for row in 0..30 {
            let index = column("n")[row] * column("p")[row] / column("l")[row];
            assert_eq!(column("index")[row], index);
        }
    }
}

#[test]
fn policies_and_single_imputations_have_their_answers() {
    let holes = table(&[("a", vec![1.0, NAN, 3.0]), ("b", vec![NAN, 5.0, NAN])]);
    assert!(MissingPolicy::Refuse.complete(&holes).unwrap_err().to_string().contains("impute values"));
    assert!(MissingPolicy::Omit.complete(&holes).unwrap_err().to_string().starts_with("number of complete rows is 0"));
    let median = MissingPolicy::Median.complete(&holes).expect("observed values");
    assert_eq!(median.tables[0].names(), ["a", "b", "a missing", "b missing"]);
    assert_eq!(median.missing.iter().map(|count| count.missing).collect::<Vec<_>>(), [1, 2]);
    let near = MissingPolicy::NearestNeighbours(NeighbourParams::default()).complete(&holes).expect("observed values");
    // Rows 0 and 1 share no column: the mean of training.
    assert_eq!(near.tables[0].values()[[1, 0]], 2.0);
    let plans = vec![VariablePlan::numeric("a"), VariablePlan::numeric("b")];
    let many = MissingPolicy::Impute(params(plans)).complete(&holes).expect("observed values");
    assert_eq!((many.tables.len(), many.rows.len()), (3, 3));
    assert!(MedianImputation::fit(&table(&[("a", vec![NAN])])).is_err());
    assert!(NeighbourParams::default().with_neighbours(0).check().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever the values, observed ones stay as they are, imputed ones were observed (or are finite numbers), and the
    /// answer is a table or a sentence.
    #[test]
    fn any_small_table_is_completed_or_refused(
        values in proptest::collection::vec(prop_oneof![3 => -3_i8..4, 2 => Just(100_i8)], 4 * 12),
        scale in prop_oneof![Just(1.0), Just(1e-12), Just(1e9)],
        rows in 1_usize..12,
    ) {
        let value = |row: usize, column: usize| {
            let code = values[column * 12 + row];
            if code == 100 { NAN } else { f64::from(code) * if column < 2 { scale } else { 1.0 } }
        };
        let column = |column: usize| (0..rows).map(|row| value(row, column)).collect::<Vec<f64>>();
        let table = table(&[("a", column(0)), ("b", column(1)), ("c", column(2)), ("d", column(3))]);
        let plans = vec![
            VariablePlan::numeric("a"),
            VariablePlan::numeric("b").with_method(ImputationMethod::BayesianLinear),
            VariablePlan::nominal("c"),
            VariablePlan::ordinal("d"),
        ];
        if let Ok(imputed) = impute(&table, plans) {
            let new = imputed.model().impute(&table).expect("the levels of training");
            for completed in imputed.completed().iter().chain(&new) {
                for ((row, j), &value) in completed.values().indexed_iter() {
                    let given = table.values()[[row, j]];
                    prop_assert!(value.is_finite() && (given.is_nan() || value == given));
                    prop_assert!(j == 1 || table.values().column(j).iter().any(|observed| *observed == value));
                }
            }
        } else {
            prop_assert!((0..4).any(|j| table.values().column(j).iter().all(|value| value.is_nan())));
        }
    }
}
