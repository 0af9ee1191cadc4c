//! Properties of fits, explanations and saved models.

use alnm_models::cross_fitting::out_of_fold;
use alnm_models::explanation::linear_shap::linear_shap;
use alnm_models::explanation::partial_dependence::partial_dependence;
use alnm_models::explanation::permutation_importance::{PermutationImportanceParams, permutation_importance};
use alnm_models::explanation::tree_shap::tree_shap;
use alnm_models::firth::FirthModel;
use alnm_models::folds::{FoldOrder, Folds};
use alnm_models::gradient_boosting::{BoostingParams, GradientBoosting, ImportanceKind, Tree};
use alnm_models::logistic::Estimation;
use alnm_models::model_set::compare_areas;
use alnm_models::nested_validation::{NestedValidationParams, nested_validation};
use alnm_models::nomogram::Nomogram;
use alnm_models::profile_likelihood::{ProfileMethod, profile_intervals};
use alnm_models::ridge::{RidgeModel, RidgeParams};
use alnm_models::stepwise::{StepwiseParams, stepwise};
use alnm_models::subgroup::{subgroup_performance, threshold_consequences};
use alnm_models::subset_search::{SubsetSearchParams, incremental_subsets};
use alnm_models::{
    FeatureTable, Labels, LogisticModel, LogisticParams, Measurement, ModelError, ModelSet, ModelSpecification,
    RiskModel, Variable,
};
use alnm_selection::boruta::{BorutaParams, boruta};
use alnm_stats::data_table::Tabulate;
use alnm_stats::roc::{Direction, RocCurve};
use ndarray::Array2;
use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// Features of which the first two carry the outcome.
fn cohort(rows: usize, features: usize, seed: u64) -> (FeatureTable, Labels) {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = || f64::from(generator.next_u32()) / f64::from(u32::MAX) - 0.5;
    let values = Array2::from_shape_fn((rows, features), |_| uniform() + uniform());
    let labels = (0..rows).map(|i| values[[i, 0]] - values[[i, 1]] + 1.2 * uniform() > 0.0).collect();
    let names = (0..features).map(|j| format!("v{j}")).collect();
    (FeatureTable::new(names, values).expect("unique names"), Labels::new(labels))
}

fn params() -> LogisticParams {
    LogisticParams::default()
}

/// Shapley values by definition: all subsets, unknown features following the training rows.
fn shapley_by_definition(tree: &Tree, row: &[f64]) -> Vec<f64> {
    fn expectation(tree: &Tree, at: alnm_models::gradient_boosting::Child, row: &[f64], known: usize) -> f64 {
        use alnm_models::gradient_boosting::Child;
        match at {
            Child::Leaf(l) => tree.leaf_values()[l],
            Child::Node(n) => {
                let node = &tree.nodes()[n];
                let count = |c| match c {
                    Child::Node(n) => tree.nodes()[n].count as f64,
                    Child::Leaf(l) => tree.leaf_rows()[l] as f64,
                };
                if known >> node.feature & 1 == 1 {
                    expectation(
                        tree,
                        if node.goes_left(row[node.feature]) { node.left } else { node.right },
                        row,
                        known,
                    )
                } else {
                    let total = node.count as f64;
                    count(node.left) / total * expectation(tree, node.left, row, known)
                        + count(node.right) / total * expectation(tree, node.right, row, known)
                }
            }
        }
    }
    let p = row.len();
    let factorial = |n: usize| (1..=n).map(|k| k as f64).product::<f64>();
    (0..p)
        .map(|j| {
            (0..1usize << p)
                .filter(|s| s >> j & 1 == 0)
                .map(|s| {
                    let size = s.count_ones() as usize;
                    let weight = factorial(size) * factorial(p - size - 1) / factorial(p);
                    let root = alnm_models::gradient_boosting::Child::Node(0);
                    weight * (expectation(tree, root, row, s | 1 << j) - expectation(tree, root, row, s))
                })
                .sum()
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn profile_intervals_contain_the_estimate(seed in 0u64..500, rows in 30usize..90) {
        let (table, labels) = cohort(rows, 3, seed);
        let model = LogisticModel::fit(&table, &labels, &params()).expect("both classes");
        prop_assume!(model.converged());
        for p in profile_intervals(&table, &labels, ProfileMethod::Exact, &params()).expect("a maximum") {
            prop_assert!(p.interval.lower < p.estimate && p.estimate < p.interval.upper);
        }
        // The score equations hold: the fitted risks sum to the events, overall and weighted by each column.
        let y = labels.to_values();
        for column in table.values().columns() {
            let score: f64 = column.iter().zip(&y).zip(model.fitted()).map(|((x, y), p)| x * (y - p)).sum();
            prop_assert!(score.abs() < 1e-9);
        }
    }

    #[test]
    fn tree_shap_equals_its_definition_and_adds_up(seed in 0u64..500) {
        let (table, labels) = cohort(80, 4, seed);
        let boosting = BoostingParams::default().with_rounds(3).with_min_data_in_leaf(5).with_num_leaves(8);
        let model = GradientBoosting::fit(&table, &labels, &boosting).expect("both classes");
        let explained = tree_shap(&model, &table).expect("all columns");
        let raw = model.raw_scores(&table).expect("all columns");
        for i in 0..8 {
            let row = table.values().row(i).to_vec();
            let mut expected = [0.0; 4];
            for tree in model.trees().iter().filter(|t| !t.nodes().is_empty()) {
                shapley_by_definition(tree, &row).iter().zip(&mut expected).for_each(|(s, e)| *e += s);
            }
            for j in 0..4 {
                prop_assert!((explained.values()[[i, j]] - expected[j]).abs() < 1e-10);
            }
            prop_assert!((explained.base_value() + explained.values().row(i).sum() - raw[i]).abs() < 1e-10);
        }
    }

    #[test]
    fn malformed_text_models_are_errors(cut in 0usize..4000, letter in any::<char>()) {
        let (table, labels) = cohort(60, 3, 1);
        let boosting = BoostingParams::default().with_rounds(2).with_min_data_in_leaf(5);
        let model = GradientBoosting::fit(&table, &labels, &boosting).expect("both classes");
        let text = model.to_lightgbm_text().expect("plain names");
        let place = cut % text.len();
        let damaged: String = text.chars().enumerate().map(|(i, c)| if i == place { letter } else { c }).collect();
        // Reads or refuses; what is read predicts.
        if let Ok(read) = GradientBoosting::from_lightgbm_text(&damaged) {
            let _ = read.predict(&table);
        }
        let _ = GradientBoosting::from_lightgbm_text(&text[..place]);
    }
}

#[test]
fn boosting_text_model_predicts_the_same() {
    let (table, labels) = cohort(120, 5, 3);
    let model =
        GradientBoosting::fit(&table, &labels, &BoostingParams::default().with_rounds(20)).expect("both classes");
    let read = GradientBoosting::from_lightgbm_text(&model.to_lightgbm_text().expect("plain names")).expect("own text");
    assert_eq!(read.raw_scores(&table).expect("columns"), model.raw_scores(&table).expect("columns"));
    let first_two = &model.ranked_features(ImportanceKind::Gain)[..2];
    assert!(first_two.contains(&"v0".to_owned()) && first_two.contains(&"v1".to_owned()), "{first_two:?}");
}

#[test]
fn separation_is_named_and_firth_is_finite() {
    let table =
        FeatureTable::new(vec!["x".into()], Array2::from_shape_fn((20, 1), |(i, _)| i as f64)).expect("one name");
    let labels = Labels::new((0..20).map(|i| i >= 9).collect());
    let model = LogisticModel::fit(&table, &labels, &params()).expect("both classes");
    assert!(model.separated() && !model.converged());
    assert!(matches!(
        RiskModel::new("x", &model, &[Variable::new("x", "")], &table, "separated"),
        Err(ModelError::Separated { .. })
    ));
    let firth = FirthModel::fit(&table, &labels, &params()).expect("finite estimates");
    assert!(firth.terms().iter().all(|t| t.estimate.is_finite() && t.interval.contains(t.estimate)));
    let finite = LogisticModel::fit_finite(&table, &labels, &params()).expect("finite estimates");
    assert_eq!((finite.estimation(), finite.separated(), finite.converged()), (Estimation::Firth, true, true));
    for (term, same) in finite.terms().iter().zip(firth.terms()) {
        assert_eq!(term.estimate, same.estimate);
        assert!((term.standard_error / same.standard_error - 1.0).abs() < 1e-8, "{term:?} {same:?}");
    }
    let saved = RiskModel::new("x", &finite, &[Variable::new("x", "")], &table, "separated").expect("finite estimates");
    assert_eq!(saved.variables()[0].coefficient, firth.terms()[1].estimate);
}

#[test]
fn finite_fit_of_overlapping_outcomes_is_maximum_likelihood() {
    let (table, labels) = cohort(60, 3, 1);
    let model = LogisticModel::fit_finite(&table, &labels, &params()).expect("both classes");
    assert_eq!(model.estimation(), Estimation::MaximumLikelihood);
    assert_eq!(model, LogisticModel::fit(&table, &labels, &params()).expect("both classes"));
}

#[test]
fn degenerate_fits_say_why() {
    let (table, labels) = cohort(20, 3, 1);
    assert!(LogisticModel::fit(&table, &Labels::new(vec![false; 20]), &params()).is_err());
    assert!(LogisticModel::fit(&table, &Labels::new(vec![true; 3]), &params()).is_err());
    let mut values = table.values().to_owned();
    let copy = values.column(0).to_owned();
    values.column_mut(2).assign(&copy);
    let doubled = FeatureTable::new(table.names().to_vec(), values.clone()).expect("unique names");
    assert_eq!(LogisticModel::fit(&doubled, &labels, &params()).expect("both classes").aliased(), ["v2"]);
    values[[0, 1]] = f64::NAN;
    let missing = FeatureTable::new(table.names().to_vec(), values).expect("unique names");
    assert!(LogisticModel::fit(&missing, &labels, &params()).is_err());
}

#[test]
fn the_model_set_carries_cutoffs_and_compares_areas() {
    let (training, labels) = cohort(150, 6, 7);
    let (external, truth) = cohort(80, 6, 8);
    let variables = ["v0", "v1", "v2", "v3", "v4"];
    let mut specifications: Vec<ModelSpecification> =
        variables.iter().map(|name| ModelSpecification::new(name, [*name])).collect();
    specifications.push(ModelSpecification::new("Integrated", variables));
    let set = ModelSet::fit(&specifications, &training, &labels, &params()).expect("both classes");
    assert_eq!(set.models().len(), 6);
    let rows = set.evaluate("external", &external, &truth, 0.95).expect("all columns");
    let integrated = &rows[5];
    assert_eq!(integrated.carried_cutoff.cutoff, set.model("Integrated").expect("a model").training_cutoff());
    assert!(integrated.own_cutoff.metrics.table.youden() >= integrated.carried_cutoff.metrics.table.youden());
    let tests = compare_areas(&truth, integrated, &rows).expect("one cohort");
    assert_eq!(tests[5].p_value, 1.0);
}

#[test]
fn subsets_follow_the_order_and_nested_validation_is_honest() {
    let (table, labels) = cohort(120, 5, 2);
    let folds = Folds::stratified(&labels, 5, FoldOrder::Shuffled { seed: 1 }).expect("enough rows");
    let order: Vec<String> = ["v1", "v0", "v3", "v2", "v4"].map(str::to_owned).to_vec();
    let in_order = SubsetSearchParams::new(order.clone());
    let search = incremental_subsets(&table, &labels, &folds, &in_order).expect("both classes");
    let subsets = search.subsets();
    assert_eq!(subsets[2].variables, order[..3]);
    assert!(search.best() >= 1 && subsets[1].mean_auc > subsets[0].mean_auc);
    let nesting = NestedValidationParams::default()
        .with_outer_folds(4)
        .with_inner_folds(3)
        .with_order(FoldOrder::Shuffled { seed: 5 });
    let nested = nested_validation(&table, &labels, &nesting, |training| {
        let chosen = incremental_subsets(&training.table, &training.labels, &training.folds, &in_order)?;
        let columns = training.table.select(chosen.best_variables())?;
        let model = LogisticModel::fit(&columns, &training.labels, &params())?;
        Ok(move |patients: &FeatureTable| model.predict(patients))
    })
    .expect("both classes");
    assert!(nested.pooled_auc.auc > 0.6 && nested.risks.iter().all(|r| r.is_finite()));
}

#[test]
fn cross_fitted_risks_do_not_depend_on_the_rows_own_label() {
    let (table, labels) = cohort(60, 2, 6);
    let folds = Folds::stratified(&labels, 5, FoldOrder::AsGiven).expect("enough rows");
    let cross_fitted = |labels: &Labels| {
        out_of_fold(&folds, |split| {
            let training = table.select_rows(&split.training);
            LogisticModel::fit(&training, &labels.select(&split.training), &params())?
                .predict(&table.select_rows(&split.held_out))
        })
        .expect("both classes")
    };
    let risks = cross_fitted(&labels);
    let mut flipped = labels.as_slice().to_vec();
    flipped[17] = !flipped[17];
    let other = cross_fitted(&Labels::new(flipped));
    assert_eq!(risks[17], other[17]);
    assert!(risks.iter().zip(&other).any(|(a, b)| a != b));
}

#[test]
fn nomogram_points_add_up_to_the_models_risk() {
    let (table, labels) = cohort(100, 3, 4);
    let model = LogisticModel::fit(&table, &labels, &params()).expect("both classes");
    let units = ["v0", "v1", "v2"].map(|v| Variable::new(v, "mm"));
    let saved = RiskModel::new("three", &model, &units, &table, "simulated").expect("not separated");
    let nomogram = Nomogram::new(&saved, &[0.1, 0.5, 0.9]).expect("variables that vary");
    let risks = saved.predict(&table, &units).expect("all columns");
    for i in 0..10 {
        let total = nomogram.total_points(&table.values().row(i).to_vec()).expect("three values");
        assert!((nomogram.risk(total) - risks[i]).abs() < 1e-12);
        assert!((-1e-9..=nomogram.largest_total() + 1e-9).contains(&total));
    }
    let reach = |a: &alnm_models::nomogram::NomogramAxis| a.points(a.minimum).max(a.points(a.maximum));
    assert!((nomogram.axes().iter().map(reach).fold(0.0, f64::max) - 100.0).abs() < 1e-9);
    assert!(matches!(
        saved.predict(&table, &["v0", "v1", "v2"].map(|v| Variable::new(v, "cm"))),
        Err(ModelError::Unit { .. })
    ));
    assert!(saved.extrapolations(&table).expect("all columns").is_empty());
}

/// Values of `v0`, `v1`, … in millimetres.
fn measured(values: &[f64]) -> Vec<Measurement> {
    values.iter().enumerate().map(|(j, value)| Measurement::new(&format!("v{j}"), "mm", *value)).collect()
}

#[test]
fn an_assessment_is_the_models_risk_with_its_parts() {
    let (table, labels) = cohort(120, 3, 8);
    let model = LogisticModel::fit(&table, &labels, &params()).expect("both classes");
    let units = ["v0", "v1", "v2"].map(|v| Variable::new(v, "mm"));
    let mut saved = RiskModel::new("three", &model, &units, &table, "simulated").expect("not separated");
    saved.add_youden_cutoff("Youden", &labels, model.fitted()).expect("both classes");
    let shap = linear_shap(&model, &table, &table).expect("all columns");
    for row in 0..20 {
        let values = table.values().row(row).to_vec();
        let patient = saved.assess(&measured(&values), 0.95).expect("finite values");
        assert!((patient.risk - model.fitted()[row]).abs() < 1e-12);
        assert!(patient.interval.contains(patient.risk) && patient.extrapolations.is_empty());
        assert!(
            patient.contributions.iter().zip(shap.values().row(row)).all(|(c, shap)| (c.log_odds - shap).abs() < 1e-10)
        );
        assert_eq!(patient.decisions[0].positive, patient.risk > saved.cutoffs()[0].threshold);
        // The standard error of a linear predictor is that of the intercept once the values are the origin of the
        // variables.
        let moved =
            FeatureTable::new(table.names().to_vec(), &table.values() - &table.values().row(row)).expect("same names");
        let at_origin = LogisticModel::fit(&moved, &labels, &params()).expect("both classes");
        let wald = at_origin.terms()[0].interval;
        let log_odds = |risk: f64| (risk / (1.0 - risk)).ln();
        assert!((log_odds(patient.interval.lower) - wald.lower).abs() < 1e-6);
        assert!((log_odds(patient.interval.upper) - wald.upper).abs() < 1e-6);
    }
    let far = saved.assess(&measured(&[1e3, 0.0, 0.0]), 0.95).expect("finite values");
    assert_eq!(far.extrapolations[0].variable.name, "v0");
    for (patient, sentence) in [
        (measured(&[0.0, f64::NAN, 0.0]), "value of a measurement is NaN; it must be finite"),
        (measured(&[0.0]), "the measurement of \"v1\" is missing; it must be given in the unit \"mm\""),
    ] {
        assert_eq!(saved.assess(&patient, 0.95).expect_err("unfit").to_string(), sentence);
    }
}

#[test]
fn explanations_agree_on_what_matters() {
    let (table, labels) = cohort(150, 4, 11);
    let model = LogisticModel::fit(&table, &labels, &params()).expect("both classes");
    let shap = linear_shap(&model, &table, &table).expect("all columns");
    let eta = model.linear_predictor(&table).expect("all columns");
    assert!((0..150).all(|i| (shap.base_value() + shap.values().row(i).sum() - eta[i]).abs() < 1e-10));
    let auc = |t: &FeatureTable| Ok(RocCurve::new(&labels, &model.predict(t)?, Direction::HigherIsPositive)?.auc());
    let shuffled =
        permutation_importance(&table, &PermutationImportanceParams::default().with_seed(1), auc).expect("all columns");
    assert!(shuffled[0].mean > shuffled[2].mean && shuffled[1].mean > shuffled[3].mean);
    let curve = partial_dependence(&table, "v0", &[-0.5, 0.0, 0.5], |t| model.predict(t)).expect("all columns");
    assert!(curve.mean[0] < curve.mean[1] && curve.mean[1] < curve.mean[2]);
    let absolute = shap.mean_absolute();
    assert!(absolute[0] > absolute[2] && absolute[1] > absolute[3]);
}

#[test]
fn subgroups_and_thresholds_count_everyone() {
    let (table, labels) = cohort(90, 2, 5);
    let model = LogisticModel::fit(&table, &labels, &params()).expect("both classes");
    let risks = model.fitted();
    let groups: Vec<String> = (0..90).map(|i| if i % 3 == 0 { "young" } else { "old" }.to_owned()).collect();
    let rows = subgroup_performance(&labels, risks, &groups, 0.5, 0.95).expect("equal lengths");
    assert_eq!(rows.iter().map(|r| r.patients).sum::<usize>(), 90);
    assert_eq!(rows[0].subgroup, "old");
    let consequences = threshold_consequences(&labels, risks, &[0.2, 0.6], 0.95).expect("thresholds");
    assert!(consequences[0].positive_per_hundred > consequences[1].positive_per_hundred);
    assert!(consequences[0].missed_per_hundred <= consequences[1].missed_per_hundred);
}

#[test]
fn ridge_shrinks_towards_the_prevalence() {
    let (table, labels) = cohort(80, 5, 3);
    let size = |m: &RidgeModel| m.coefficients().weights().iter().map(|w| w.weight.abs()).sum::<f64>();
    let fits: Vec<RidgeModel> = [1e-6, 0.1, 1e4]
        .into_iter()
        .map(|lambda| RidgeModel::fit(&table, &labels, &RidgeParams::given(lambda)).expect("both classes"))
        .collect();
    let free = LogisticModel::fit(&table, &labels, &params()).expect("both classes");
    assert!(
        (fits[0].deviance() - free.deviance()).abs() < 1e-3 * free.deviance(),
        "{} {}",
        fits[0].deviance(),
        free.deviance()
    );
    assert!(
        (fits[0].effective_degrees_of_freedom() - 6.0).abs() < 1e-2
            && (fits[2].effective_degrees_of_freedom() - 1.0).abs() < 1e-2
    );
    assert!(size(&fits[0]) > size(&fits[1]) && size(&fits[1]) > size(&fits[2]));
    for risk in fits[2].predict(&table).expect("the same columns") {
        assert!((risk - labels.prevalence()).abs() < 1e-3);
    }
    // More predictors than patients.
    let (wide, labels) = cohort(24, 60, 8);
    assert!(
        RidgeModel::fit(&wide, &labels, &RidgeParams::given(0.05))
            .expect("both classes")
            .effective_degrees_of_freedom()
            < 24.0
    );
    for refused in [0.0, -1.0, f64::NAN] {
        assert!(RidgeModel::fit(&wide, &labels, &RidgeParams::given(refused)).is_err());
    }
    assert!(RidgeModel::fit(&wide, &Labels::new(vec![false; 24]), &RidgeParams::given(0.1)).is_err());
}

#[test]
fn boruta_takes_the_gain_of_boosting() {
    let (table, labels) = cohort(160, 6, 21);
    let boosting = BoostingParams::default().with_rounds(20).with_min_data_in_leaf(10);
    let gain = |table: &FeatureTable, labels: &Labels, _: u64| {
        let model = GradientBoosting::fit(table, labels, &boosting)?;
        Ok::<_, ModelError>(model.importances().into_iter().map(|f| f.gain).collect())
    };
    let found = boruta(&table, &labels, BorutaParams::default().with_rounds(30), gain).expect("both classes");
    assert_eq!(found.confirmed(), ["v0", "v1"]);
}

/// A table of a result: as many cells in a row as columns.
fn assert_table(table: &alnm_stats::data_table::DataTable, rows: usize) {
    assert_eq!(table.len(), rows, "{:?}", table.columns());
    assert!(table.rows().all(|r| r.len() == table.columns().len()), "{table:?}");
}

#[test]
fn results_lay_themselves_out_as_tables() {
    let (table, labels) = cohort(90, 3, 2);
    let model = LogisticModel::fit(&table, &labels, &params()).expect("both classes");
    assert_table(&model.to_table(), 4);
    assert_table(&model.explained().to_table(), 1);
    assert_table(&FirthModel::fit(&table, &labels, &params()).expect("both classes").to_table(), 4);
    assert_table(&RidgeModel::fit(&table, &labels, &RidgeParams::given(0.1)).expect("both classes").to_table(), 4);
    assert_table(
        &profile_intervals(&table, &labels, ProfileMethod::Exact, &params()).expect("an optimum").to_table(),
        4,
    );
    let units: Vec<Variable> = table.names().iter().map(|n| Variable::new(n, "mm")).collect();
    let saved = RiskModel::new("all", &model, &units, &table, "a test").expect("a fit");
    assert_table(&saved.to_table(), 4);
    assert_table(&Nomogram::new(&saved, &[0.2, 0.5]).expect("variables").to_table(), 3);
    let set =
        ModelSet::fit(&[ModelSpecification::new("one", ["v0"])], &table, &labels, &params()).expect("both classes");
    assert_table(&set.evaluate("training", &table, &labels, 0.95).expect("the same columns").to_table(), 2);
    assert_table(&threshold_consequences(&labels, model.fitted(), &[0.2, 0.5], 0.95).expect("risks").to_table(), 2);
    let groups: Vec<String> = (0..90).map(|i| if i < 40 { "a" } else { "b" }.to_owned()).collect();
    assert_table(&subgroup_performance(&labels, model.fitted(), &groups, 0.5, 0.95).expect("risks").to_table(), 2);
    let folds = Folds::stratified(&labels, 5, FoldOrder::AsGiven).expect("enough rows");
    assert_table(
        &incremental_subsets(&table, &labels, &folds, &SubsetSearchParams::new(table.names().to_vec()))
            .expect("folds")
            .to_table(),
        3,
    );
    assert_table(&linear_shap(&model, &table, &table).expect("the same columns").to_table(), 3);
    let boosted = GradientBoosting::fit(&table, &labels, &BoostingParams::default()).expect("both classes");
    assert_table(&boosted.importances().to_table(), 3);
}

#[test]
fn degenerate_input_is_refused_by_every_fit() {
    let (table, labels) = cohort(30, 2, 1);
    let one_class = Labels::new(vec![true; 30]);
    let short = Labels::new(vec![true, false]);
    let mut values = table.values().to_owned();
    values[[3, 1]] = f64::NAN;
    let missing = FeatureTable::new(table.names().to_vec(), values).expect("unique names");
    let empty = FeatureTable::new(vec!["v0".into()], Array2::zeros((0, 1))).expect("one name");
    let none = Labels::new(vec![]);
    for (table, labels, what) in [
        (&table, &one_class, "one class"),
        (&table, &short, "two labels"),
        (&missing, &labels, "a missing value"),
        (&empty, &none, "no rows"),
    ] {
        assert!(LogisticModel::fit(table, labels, &params()).is_err(), "{what}");
        assert!(FirthModel::fit(table, labels, &params()).is_err(), "{what}");
        assert!(RidgeModel::fit(table, labels, &RidgeParams::given(0.1)).is_err(), "{what}");
        assert!(profile_intervals(table, labels, ProfileMethod::Exact, &params()).is_err(), "{what}");
        if what != "a missing value" {
            assert!(GradientBoosting::fit(table, labels, &BoostingParams::default()).is_err(), "{what}");
        }
    }
    // Constant columns: no coefficient, no split, and no panic.
    let constant = FeatureTable::new(vec!["c".into()], Array2::from_elem((30, 1), 2.0)).expect("one name");
    assert_eq!(LogisticModel::fit(&constant, &labels, &params()).expect("an intercept").aliased(), ["c"]);
    // As in LightGBM 4.7.0, whose only tree is the log odds of the prevalence, also without `boost_from_average`.
    for boost_from_average in [true, false] {
        let params = BoostingParams::default().with_boost_from_average(boost_from_average);
        let boosted = GradientBoosting::fit(&constant, &labels, &params).expect("a constant");
        assert_eq!(boosted.trees().len(), 1);
        let risk = boosted.predict(&constant).expect("the column is there")[0];
        assert!((risk - labels.prevalence()).abs() < 1e-12, "{risk}");
    }
    // More predictors than patients.
    let (wide, labels) = cohort(12, 40, 5);
    let model = LogisticModel::fit(&wide, &labels, &params()).expect("both classes");
    assert!(model.separated() || model.residual_degrees_of_freedom() == 0 || !model.aliased().is_empty());
}

// LightGBM 4.7.0: lightgbm.train with these parameters, deterministic and force_row_wise, then predict(raw_score=True)
#[test]
fn boosting_goes_on_after_a_first_tree_without_a_split() {
    let table =
        FeatureTable::new(vec!["x".into()], Array2::from_shape_fn((40, 1), |(i, _)| f64::from(u8::from(i >= 20))))
            .expect("one name");
    let labels = Labels::new((0..40).map(|i| i >= 4 && i != 20).collect());
    let params = BoostingParams::default()
        .with_rounds(3)
        .with_num_leaves(2)
        .with_lambda_l2(1.0)
        .with_min_gain_to_split(0.1)
        .with_learning_rate(0.05)
        .with_boost_from_average(false);
    let model = GradientBoosting::fit(&table, &labels, &params).expect("both classes");
    assert_eq!(model.trees().iter().map(Tree::leaf_count).collect::<Vec<_>>(), [1, 2, 2]);
    let scores = model.raw_scores(&table).expect("the column is there");
    for (score, expected) in [(scores[0], 1.8999390987145808), (scores[39], 1.9924458003252048)] {
        assert!((score - expected).abs() < 1e-12, "{score}");
    }
}

#[test]
fn profile_intervals_follow_a_shift_of_the_predictor() {
    let (table, labels) = cohort(60, 2, 31);
    let shifted = |by: f64, scale: f64| {
        let values = table.values().mapv(|x| x * scale + by);
        FeatureTable::new(table.names().to_vec(), values).expect("two names")
    };
    for method in [ProfileMethod::Exact, ProfileMethod::Spline] {
        let plain = profile_intervals(&table, &labels, method, &params()).expect("no separation");
        for (by, scale) in [(1e5, 1.0), (1000.0, 1e-5), (-2e7, 3.0)] {
            let moved = profile_intervals(&shifted(by, scale), &labels, method, &params()).expect("no separation");
            for (a, b) in plain.iter().zip(&moved).skip(1) {
                assert!(
                    (a.interval.lower - b.interval.lower * scale).abs() < 1e-3 * a.interval.lower.abs().max(0.1),
                    "{a:?}, {b:?}"
                );
                assert!(
                    (a.interval.upper - b.interval.upper * scale).abs() < 1e-3 * a.interval.upper.abs().max(0.1),
                    "{a:?}, {b:?}"
                );
            }
        }
    }
}

#[test]
fn stepwise_selection_leaves_dependent_variables_out_first() {
    let (table, labels) = cohort(80, 3, 32);
    let sum = table.values().column(0).to_owned() - 2.0 * &table.values().column(1);
    let mut values = table.values().to_owned();
    values.push_column(sum.view()).expect("as many rows");
    let names: Vec<String> = table.names().iter().cloned().chain(["sum".to_owned()]).collect();
    let dependent = FeatureTable::new(names, values).expect("four names");
    let with = stepwise(&dependent, &labels, &StepwiseParams::default()).expect("a model");
    let without = stepwise(&table, &labels, &StepwiseParams::default()).expect("a model");
    assert_eq!((with.steps()[0].variable.as_str(), with.steps()[0].entered), ("sum", false));
    assert_eq!(with.variables(), without.variables());
    assert_eq!(with.steps()[1..], *without.steps());
}

#[test]
fn profile_intervals_of_separated_outcomes_are_open_to_one_side() {
    // The second predictor is 1 in two patients, both of them with the event.
    let (table, labels) = cohort(60, 2, 33);
    let events: Vec<usize> = (0..60).filter(|&i| labels.as_slice()[i]).take(2).collect();
    let values = Array2::from_shape_fn((60, 2), |(i, j)| {
        if j == 0 { table.values()[[i, 0]] } else { f64::from(u8::from(events.contains(&i))) }
    });
    let table = FeatureTable::new(vec!["v0".into(), "rare".into()], values).expect("two names");
    for method in [ProfileMethod::Exact, ProfileMethod::Spline] {
        let intervals = profile_intervals(&table, &labels, method, &params()).expect("both classes");
        assert!(intervals[1].interval.contains(intervals[1].estimate) && intervals[1].interval.upper.is_finite());
        assert!(
            intervals[2].interval.lower.is_finite() && intervals[2].interval.upper == f64::INFINITY,
            "{:?}",
            intervals[2]
        );
    }
}
