//! Models of times, counts and updates on ties, constants, separation and empty groups: the documented answer, never a
//! panic.

use alnm_models::count::{CountFamily, CountModel, CountParams};
use alnm_models::cox::{CoxModel, CoxParams, CoxTies, survival_calibration_curve};
use alnm_models::model_updating::{UpdateMethod, UpdatingParams};
use alnm_models::performance::{binary_performance, count_performance, time_to_event_performance};
use alnm_models::{FeatureTable, FollowUp, Labels, ModelError};
use ndarray::{Array2, array};
use proptest::prelude::*;

fn single(values: &[f64]) -> FeatureTable {
    FeatureTable::from_columns(vec![("x".to_owned(), values.to_vec())]).expect("one column")
}

fn follow_up(times: &[f64], events: &[bool]) -> FollowUp {
    FollowUp::new(times.to_vec(), events.to_vec()).expect("valid times")
}

fn sentence<T: std::fmt::Debug>(result: Result<T, ModelError>) -> String {
    result.expect_err("refused").to_string()
}

/// The partial likelihood by its definition, from Efron's formula over every event.
fn log_likelihood(x: &[f64], times: &[f64], events: &[bool], beta: f64, ties: CoxTies) -> f64 {
    let mut total = 0.0;
    let mut distinct: Vec<f64> = times.iter().zip(events).filter(|(_, e)| **e).map(|(t, _)| *t).collect();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    for time in distinct {
        let risk = |keep: &dyn Fn(usize) -> bool| -> f64 {
            (0..x.len()).filter(|&i| keep(i)).map(|i| (beta * x[i]).exp()).sum()
        };
        let died = |i: usize| times[i] == time && events[i];
        let (all, own) = (risk(&|i| times[i] >= time), risk(&died));
        let d = (0..x.len()).filter(|&i| died(i)).count();
        total += (0..x.len()).filter(|&i| died(i)).map(|i| beta * x[i]).sum::<f64>();
        for k in 0..d {
            let part = if ties == CoxTies::Efron { k as f64 / d as f64 } else { 0.0 };
            total -= (all - part * own).ln();
        }
    }
    total
}

proptest! {
    /// However times tie, the likelihood is that of its definition, and no other coefficient has a larger one.
    #[test]
    fn cox_regression_maximises_the_likelihood_of_its_definition(
        patients in prop::collection::vec((0u8..6, any::<bool>(), -20i32..20), 3..30),
        efron in any::<bool>(),
    ) {
        let times: Vec<f64> = patients.iter().map(|p| f64::from(p.0)).collect();
        let events: Vec<bool> = patients.iter().map(|p| p.1).collect();
        let x: Vec<f64> = patients.iter().map(|p| f64::from(p.2) / 10.0).collect();
        let ties = if efron { CoxTies::Efron } else { CoxTies::Breslow };
        match CoxModel::fit(&single(&x), &follow_up(&times, &events), &CoxParams::default().with_ties(ties)) {
            Ok(model) => {
                let at = |beta| log_likelihood(&x, &times, &events, beta, ties);
                prop_assert!((model.null_log_likelihood() - at(0.0)).abs() < 1e-9);
                if let Some(term) = model.terms().first().filter(|_| model.converged()) {
                    prop_assert!((model.log_likelihood() - at(term.estimate)).abs() < 1e-8);
                    for shift in [-0.1, 0.1] {
                        prop_assert!(at(term.estimate + shift) <= model.log_likelihood() + 1e-9);
                    }
                } else {
                    prop_assert!(model.monotone() || model.aliased() == ["x"]);
                }
                let risks = model.risk_at(&single(&x), 3.0).expect("one stratum");
                prop_assert!(model.monotone() || risks.iter().all(|risk| (0.0..=1.0).contains(risk)));
            }
            Err(error) => prop_assert!(
                events.iter().all(|event| !event) || matches!(error, ModelError::NotConverged { .. }), "{error}"
            ),
        }
    }

    /// Counts of any kind are fitted or refused with a reason.
    #[test]
    fn counts_are_fitted_or_refused(rows in prop::collection::vec((0u64..9, -10i32..10), 2..30), negative in any::<bool>()) {
        let counts: Vec<u64> = rows.iter().map(|r| r.0).collect();
        let x: Vec<f64> = rows.iter().map(|r| f64::from(r.1)).collect();
        let family = if negative { CountFamily::NegativeBinomial } else { CountFamily::Poisson };
        match CountModel::fit(&single(&x), &counts, &CountParams::new(family)) {
            Ok(model) => {
                prop_assert!(model.fitted().iter().all(|mean| mean.is_finite() && *mean >= 0.0));
                prop_assert!(model.deviance() >= -1e-9 && model.deviance() <= model.null_deviance() + 1e-6);
                let total: f64 = model.fitted().iter().sum();
                let observed = counts.iter().sum::<u64>() as f64;
                prop_assert!(negative || (total - observed).abs() < 1e-6 * observed);
                prop_assert!(model.dispersion().is_none_or(|d| d.theta > 0.0));
            }
            Err(error) => prop_assert!(
                counts.iter().all(|count| *count == 0)
                    || matches!(error, ModelError::Separated { .. } | ModelError::NotConverged { .. }), "{error}"
            ),
        }
    }
}

#[test]
fn constants_and_copies_are_left_out_of_a_cox_regression() {
    let values = array![[1.0, 7.0, 2.0], [2.0, 7.0, 4.0], [0.5, 7.0, 1.0], [3.0, 7.0, 6.0], [1.5, 7.0, 3.0]];
    let table = FeatureTable::new(vec!["x".into(), "constant".into(), "twice".into()], values).expect("names");
    let outcome = follow_up(&[4.0, 2.0, 3.0, 3.0, 5.0], &[true, true, true, false, true]);
    let model = CoxModel::fit(&table, &outcome, &CoxParams::default()).expect("events");
    assert_eq!(model.aliased(), ["constant", "twice"]);
    let alone = CoxModel::fit(&single(&[1.0, 2.0, 0.5, 3.0, 1.5]), &outcome, &CoxParams::default()).expect("events");
    assert_eq!(model.term("x").expect("a term"), alone.term("x").expect("a term"));
    // No predictor at all: the null model.
    let none = FeatureTable::new(Vec::new(), Array2::zeros((5, 0))).expect("no names");
    let null = CoxModel::fit(&none, &outcome, &CoxParams::default()).expect("events");
    assert_eq!(null.log_likelihood(), model.null_log_likelihood());
    assert!(null.likelihood_ratio_test().p_value.is_nan());
}

#[test]
fn monotone_likelihoods_are_said_and_not_saved() {
    let outcome = follow_up(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[true; 6]);
    let model = CoxModel::fit(&single(&[6.0, 5.0, 4.0, 3.0, 2.0, 1.0]), &outcome, &CoxParams::default());
    let model = model.expect("events");
    assert!(model.monotone() && !model.converged() && model.covariance().is_none());
    let saved = serde_json::to_string(&model);
    assert!(saved.map_or(true, |text| serde_json::from_str::<CoxModel>(&text).is_err()));
    let risks = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.25, 0.2, 0.1];
    let times: Vec<f64> = (1..=10).map(f64::from).collect();
    let separated = survival_calibration_curve(&follow_up(&times, &[true; 10]), &risks, 4.0, 3, 0.95);
    assert!(matches!(separated, Err(ModelError::Separated { .. })));
}

#[test]
fn follow_up_without_events_and_empty_strata_are_refused() {
    let table = single(&[1.0, 2.0, 3.0]);
    let censored = follow_up(&[1.0, 2.0, 3.0], &[false; 3]);
    assert_eq!(
        sentence(CoxModel::fit(&table, &censored, &CoxParams::default())),
        "Cox regression: the number of events is 0; it must be at least 1"
    );
    let outcome = follow_up(&[1.0, 2.0, 3.0], &[true, false, true]);
    // A stratum without events has no hazard but does no harm.
    let params = CoxParams::default().with_strata(vec![0, 1, 0]);
    let model = CoxModel::fit(&table, &outcome, &params).expect("events");
    assert_eq!(model.baseline_hazards()[1].at(9.0), 0.0);
    assert_eq!(
        sentence(model.risk_at(&table, 1.0)),
        "number of strata of the model is 2; it must be 1, or strata be given"
    );
    assert_eq!(
        sentence(model.risk_in_strata(&table, &[0, 1, 5], 1.0)),
        "stratum of a row is 5; it must be one of the strata that the model was fitted to"
    );
    assert_eq!(
        sentence(CoxModel::fit(&table, &outcome, &CoxParams::default().with_weights(vec![1.0, 0.0, 1.0]))),
        "weight of a row is 0; it must be finite and above 0"
    );
    assert_eq!(
        sentence(CoxModel::fit(&single(&[1.0]), &outcome, &CoxParams::default())),
        "the numbers of follow-up times and rows are 3 and 1; they must be equal"
    );
}

#[test]
fn a_cox_model_is_read_back_and_refused_when_edited() {
    let table = single(&[1.0, 2.0, 0.5, 3.0, 1.5, 2.5]);
    let outcome = follow_up(&[4.0, 2.0, 3.0, 3.0, 5.0, 1.0], &[true, true, true, false, true, false]);
    let model = CoxModel::fit(&table, &outcome, &CoxParams::default()).expect("events");
    let text = serde_json::to_string(&model).expect("finite numbers");
    let read: CoxModel = serde_json::from_str(&text).expect("a model");
    assert_eq!(read, model);
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let edited = |path: &str, to: serde_json::Value| {
        let mut value = value.clone();
        *value.pointer_mut(path).expect("a place") = to;
        serde_json::from_value::<CoxModel>(value).is_err()
    };
    assert!(edited("/events", 99.into()) && edited("/terms/0/estimate", 9.0.into()));
    assert!(edited("/centred/0/points/0/cumulative_hazard", 9.0.into()) && edited("/means", serde_json::json!([])));
    let counts = [0, 1, 0, 3, 1, 2];
    let model = CountModel::fit(&table, &counts, &CountParams::new(CountFamily::Poisson)).expect("counts");
    let text = serde_json::to_string(&model).expect("finite numbers");
    assert_eq!(serde_json::from_str::<CountModel>(&text).expect("a model"), model);
    assert!(serde_json::from_str::<CountModel>(&text.replace("\"deviance\":", "\"null_deviance\":")).is_err());
}

#[test]
fn counts_that_are_all_zero_or_separated_are_refused() {
    let table = single(&[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    let poisson = CountParams::new(CountFamily::Poisson);
    assert_eq!(
        sentence(CountModel::fit(&table, &[0; 6], &poisson)),
        "regression of counts is undefined; at least one count must be above 0"
    );
    let separated = CountModel::fit(&table, &[0, 0, 0, 2, 1, 3], &poisson);
    assert!(matches!(separated, Err(ModelError::Separated { .. })), "{separated:?}");
    // Counts that vary less than Poisson counts have no size; the negative binomial model is the Poisson model.
    let counts = [2, 2, 2, 3, 3, 3];
    let negative = CountModel::fit(&table, &counts, &CountParams::new(CountFamily::NegativeBinomial)).expect("counts");
    let plain = CountModel::fit(&table, &counts, &poisson).expect("counts");
    assert!(negative.dispersion().is_none());
    assert_eq!((negative.terms(), negative.log_likelihood()), (plain.terms(), plain.log_likelihood()));
    assert!(count_performance(&[2; 4], &[1.0; 4], 0.95).is_err());
}

#[test]
fn performance_leaves_out_what_is_not_determined() {
    let labels = Labels::new((0..12).map(|i| i % 2 == 0).collect());
    let constant = binary_performance(&labels, &[0.5; 12], 0.95).expect("both outcomes");
    assert!(constant.measure("calibration slope").is_none());
    assert_eq!(constant.measure("AUC").expect("an area").estimate, 0.5);
    let outcome = follow_up(&[1.0, 2.0, 3.0, 4.0], &[true, true, false, true]);
    let timed = time_to_event_performance(&outcome, &[0.5; 4], 2.0, 0.95).expect("events");
    assert_eq!(timed.measure("Harrell's C").expect("a concordance").estimate, 0.5);
}

#[test]
fn updates_of_one_variable_and_of_constant_predictors() {
    let x: Vec<f64> = (0..40).map(|i| f64::from(i % 10)).collect();
    let labels = Labels::new((0..40).map(|i| (i * 7) % 11 < 2 + i % 10).collect());
    let updating = UpdatingParams::default().check().expect("defaults");
    let log_odds: Vec<f64> = x.iter().map(|x| 0.4 * x - 1.0).collect();
    let update = updating.closed_test(&single(&x), &labels, &log_odds).expect("both outcomes");
    // One variable refitted is the recalibrated model, so there is nothing to test between them.
    assert!(update.tests[2].p_value.is_nan() && update.chosen != UpdateMethod::Refit);
    let constant = updating.closed_test(&single(&x), &labels, &[0.3; 40]);
    assert_eq!(sentence(constant), "log odds of all patients is 0.3; it must be different between patients");
}
