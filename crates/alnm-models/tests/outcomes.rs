//! Cox regression, regression of counts and updating against R, and published results; the scripts are beside the data
//! in tests/golden.

use std::collections::BTreeMap;

use alnm_conformance::golden::{fields, number};
use alnm_models::count::{CountFamily, CountModel, CountParams};
use alnm_models::cox::{CoxModel, CoxParams, CoxTies};
use alnm_models::firth::FirthModel;
use alnm_models::interaction::InteractionParams;
use alnm_models::model_updating::{UpdateMethod, UpdatingParams};
use alnm_models::{FeatureTable, FollowUp, Labels, LogisticModel, LogisticParams};

type Golden = BTreeMap<(String, String), f64>;

fn golden() -> Golden {
    let rows = fields(include_str!("golden/outcomes_expected.csv")).skip(1);
    rows.map(|row| ((row[0].to_owned(), row[1].to_owned()), number(row[2]))).collect()
}

fn columns(text: &str) -> BTreeMap<String, Vec<f64>> {
    let rows: Vec<Vec<&str>> = fields(text).collect();
    let of = |place: usize| rows[1..].iter().map(|row| number(row[place])).collect();
    rows[0].iter().enumerate().map(|(place, name)| ((*name).to_owned(), of(place))).collect()
}

fn table(columns: &BTreeMap<String, Vec<f64>>, names: &[&str]) -> FeatureTable {
    let named = names.iter().map(|name| ((*name).to_owned(), columns[*name].clone())).collect();
    FeatureTable::from_columns(named).expect("columns of one length")
}

fn assert_close(what: &str, ours: f64, expected: f64, tolerance: f64) {
    assert!((ours - expected).abs() <= tolerance * expected.abs().max(1.0), "{what} is {ours}; R has {expected}");
}

fn cohort() -> BTreeMap<String, Vec<f64>> {
    columns(include_str!("golden/outcomes_cohort.csv"))
}

fn follow_up(cohort: &BTreeMap<String, Vec<f64>>) -> FollowUp {
    FollowUp::new(cohort["time"].clone(), cohort["event"].iter().map(|e| *e == 1.0).collect()).expect("valid times")
}

#[test]
fn cox_regression_equals_coxph() {
    let (golden, cohort) = (golden(), cohort());
    let centres: Vec<usize> = cohort["centre"].iter().map(|c| *c as usize).collect();
    let mut compared = 0;
    for (ties_name, ties) in [("efron", CoxTies::Efron), ("breslow", CoxTies::Breslow)] {
        for kind in ["", "_weights", "_strata"] {
            let case = format!("{ties_name}{kind}");
            let mut params = CoxParams::default().with_ties(ties);
            let mut names = vec!["size", "score", "receptor"];
            match kind {
                "_weights" => params = params.with_weights(cohort["weight"].clone()),
                "_strata" => {
                    params = params.with_strata(centres.clone());
                    names.pop();
                }
                _ => {}
            }
            let model = CoxModel::fit(&table(&cohort, &names), &follow_up(&cohort), &params).expect("events");
            let hazards = model.baseline_hazards();
            for ((of, name), expected) in &golden {
                if *of != case {
                    continue;
                }
                let ours = match name.split(':').collect::<Vec<_>>().as_slice() {
                    ["beta", term] => model.term(term).expect("a term").estimate,
                    ["se", term] => model.term(term).expect("a term").standard_error,
                    ["loglik0"] => model.null_log_likelihood(),
                    ["loglik"] => model.log_likelihood(),
                    ["score"] => model.score_test().statistic,
                    ["hazard", stratum, time] => {
                        let hazard = hazards.iter().find(|h| h.stratum as f64 == number(stratum) || kind.is_empty());
                        hazard.or(hazards.first()).expect("a hazard").at(number(time))
                    }
                    other => panic!("{other:?}"),
                };
                assert_close(&format!("{case} {name}"), ours, *expected, 1e-8);
                compared += 1;
            }
        }
    }
    assert!(compared > 300, "{compared}");
}

#[test]
fn regression_of_counts_equals_glm_and_glm_nb() {
    let (golden, cohort) = (golden(), cohort());
    let nodes: Vec<u64> = cohort["nodes"].iter().map(|count| *count as u64).collect();
    let offset: Vec<f64> = cohort["examined"].iter().map(|n| n.ln()).collect();
    for (case, family, with_offset) in [
        ("poisson", CountFamily::Poisson, false),
        ("poisson_offset", CountFamily::Poisson, true),
        ("negative_binomial", CountFamily::NegativeBinomial, false),
        ("negative_binomial_offset", CountFamily::NegativeBinomial, true),
    ] {
        let params = CountParams::new(family);
        let params = if with_offset { params.with_offset(offset.clone()) } else { params };
        let model = CountModel::fit(&table(&cohort, &["size", "receptor"]), &nodes, &params).expect("counts");
        for ((of, name), expected) in &golden {
            if of != case {
                continue;
            }
            let ours = match name.split(':').collect::<Vec<_>>().as_slice() {
                ["beta", term] => model.term(term).expect("a term").estimate,
                ["se", term] => model.term(term).expect("a term").standard_error,
                ["loglik"] => model.log_likelihood(),
                ["aic"] => model.aic(),
                ["deviance"] => model.deviance(),
                ["null_deviance"] => model.null_deviance(),
                ["theta"] => model.dispersion().expect("overdispersed").theta,
                ["theta_se"] => model.dispersion().expect("overdispersed").standard_error,
                other => panic!("{other:?}"),
            };
            assert_close(&format!("{case} {name}"), ours, *expected, 1e-7);
        }
    }
}

#[test]
fn the_closed_test_has_the_likelihoods_of_glm() {
    let (golden, cohort) = (golden(), cohort());
    let labels = Labels::from_values(&cohort["positive"]).expect("0 and 1");
    let updating = UpdatingParams::default().check().expect("defaults");
    let update =
        updating.closed_test(&table(&cohort, &["size", "score"]), &labels, &cohort["old"]).expect("both outcomes");
    for (k, (name, method)) in [
        ("unchanged", UpdateMethod::Unchanged),
        ("intercept", UpdateMethod::Intercept),
        ("recalibration", UpdateMethod::Recalibration),
        ("refit", UpdateMethod::Refit),
    ]
    .into_iter()
    .enumerate()
    {
        let expected = |field: &str| golden[&("updating".to_owned(), format!("{field}:{name}"))];
        assert_close(name, update.candidate(method).log_likelihood, expected("loglik"), 1e-10);
        if k < 3 {
            assert_close(name, update.tests[k].p_value, expected("p"), 1e-9);
        }
    }
    let significant = |k: usize| update.tests[k].p_value <= 0.05;
    let first = (0..3).find(|&k| !significant(k)).map_or(UpdateMethod::Refit, |k| update.candidates[k].method);
    assert_eq!(update.chosen, first);
}

/// Hosmer and Lemeshow, Applied Logistic Regression, table 2.2: low birth weight on age, weight, race and visits (data
/// of R's MASS): log likelihood −111.286, G = 12.099.
#[test]
fn the_birth_weights_of_hosmer_and_lemeshow() {
    let mut data = columns(include_str!("golden/birthwt.csv"));
    for (name, race) in [("race 2", 2.0), ("race 3", 3.0)] {
        let indicator = data["race"].iter().map(|r| f64::from(u8::from(*r == race))).collect();
        data.insert(name.to_owned(), indicator);
    }
    let labels = Labels::from_values(&data["low"]).expect("0 and 1");
    let columns = table(&data, &["age", "lwt", "race 2", "race 3", "ftv"]);
    let model = LogisticModel::fit(&columns, &labels, &LogisticParams::default()).expect("both outcomes");
    assert_eq!(format!("{:.3}", model.log_likelihood()), "-111.286");
    assert_eq!(format!("{:.3}", model.likelihood_ratio_test().statistic), "12.099");
}

/// Heinze and Schemper (2002), endometrial cancer (data of R's brglm2): Firth's estimate of neovasculisation, which
/// separates the outcome, is 2.929 with standard error 1.551.
#[test]
fn firths_estimate_of_the_endometrial_data() {
    let data = columns(include_str!("golden/endometrial.csv"));
    let labels = Labels::from_values(&data["HG"]).expect("0 and 1");
    let columns = table(&data, &["NV", "PI", "EH"]);
    assert!(LogisticModel::fit(&columns, &labels, &LogisticParams::default()).expect("both outcomes").separated());
    let model = FirthModel::fit(&columns, &labels, &LogisticParams::default()).expect("a finite estimate");
    let term = model.terms().iter().find(|term| term.name == "NV").expect("a term");
    assert_eq!(format!("{:.3} {:.3}", term.estimate, term.standard_error), "2.929 1.551");
}

/// MASS::birthwt, low ~ age + lwt + race against low ~ age + lwt * race; R 4.2.2:
/// `anova(main, interaction, test = "LRT")` with `glm.control(epsilon = 1e-14)`, sums of coefficients and of `vcov`.
#[test]
fn the_test_of_an_interaction_is_that_of_anova() {
    let data = columns(include_str!("golden/birthwt.csv"));
    let labels = Labels::from_values(&data["low"]).expect("0 and 1");
    let race: Vec<String> = data["race"].iter().map(|race| format!("race {race}")).collect();
    let predictors = table(&data, &["age", "lwt"]);
    let interaction = InteractionParams::new("lwt").check().expect("a level");
    let found = interaction.test(&predictors, &labels, &race).expect("three subgroups with events");
    assert_close("G", found.test.statistic, 1.28714627006426, 1e-9);
    assert_eq!(found.test.degrees_of_freedom, [2.0]);
    assert_close("p", found.test.p_value, 0.525411699053678, 1e-9);
    let r = [
        (96, 23, -0.0144551273976518, 0.00983073219192642),
        (26, 11, -0.00630238436185103, 0.0106528371042534),
        (67, 25, -0.0262674192987753, 0.01450819987701),
    ];
    for (ours, (patients, events, estimate, error)) in found.coefficients.iter().zip(r) {
        assert_eq!((ours.patients, ours.events), (patients, events));
        assert_close("coefficient", ours.estimate, estimate, 1e-9);
        assert_close("standard error", ours.standard_error, error, 1e-8);
    }
    let one = vec!["all".to_owned(); race.len()];
    let refused = interaction.test(&predictors, &labels, &one).expect_err("one subgroup");
    assert_eq!(refused.to_string(), "number of subgroups is 1; it must be at least 2");
    // A subgroup without events has no coefficient of its own.
    let alone: Vec<String> = data["low"].iter().map(|low| if *low == 1.0 { "a" } else { "b" }.to_owned()).collect();
    assert!(interaction.test(&predictors, &labels, &alone).is_err());
}
