//! Saved models: what was damaged or edited is refused with a sentence, or gives the same answer.

#![cfg(feature = "serde")]

use alnm_conformance::damage::{Damaged, json_variants, refused_or_same, text_variants};
use alnm_models::folds::{FoldOrder, Folds};
use alnm_models::gradient_boosting::{BoostingParams, GradientBoosting};
use alnm_models::model_set::ModelPerformance;
use alnm_models::ridge::{RidgeModel, RidgeParams};
use alnm_models::subset_search::{SubsetSearch, SubsetSearchParams, incremental_subsets};
use alnm_models::{
    FeatureTable, Labels, LogisticModel, LogisticParams, Measurement, ModelSet, ModelSpecification, RiskModel, Variable,
};
use ndarray::Array2;
use serde_json::Value;

/// Three variables, of which the first carries the outcome; the second lacks some values.
fn cohort() -> (FeatureTable, Labels) {
    let labels: Vec<bool> = (0..90).map(|i| (i * 7) % 5 < 2).collect();
    let values = Array2::from_shape_fn((90, 3), |(i, j)| {
        let informative = if j == 0 && labels[i] { 0.35 } else { 0.0 };
        ((i * (7 * j + 3) + j * j) % 23) as f64 / 23.0 - 0.4 + informative
    });
    let names = ["age", "MTD", "score"].map(str::to_owned).to_vec();
    (FeatureTable::new(names, values).expect("unique names"), Labels::new(labels))
}

fn risk_model() -> RiskModel {
    let (table, labels) = cohort();
    let fitted = LogisticModel::fit(&table, &labels, &LogisticParams::default()).expect("both classes");
    let variables = [Variable::new("age", "years"), Variable::new("MTD", "cm"), Variable::new("score", "")];
    let mut model = RiskModel::new("three variables", &fitted, &variables, &table, "ninety rows").expect("an estimate");
    model.add_youden_cutoff("Youden, training", &labels, fitted.fitted()).expect("both classes");
    model
}

fn patient() -> [Measurement; 3] {
    [Measurement::new("age", "years", 0.3), Measurement::new("MTD", "cm", -0.1), Measurement::new("score", "", 9.0)]
}

#[test]
fn damaged_risk_models_are_refused_or_give_the_same_answer() {
    let text = risk_model().to_json().expect("finite numbers");
    assert_eq!(RiskModel::from_json(&text).expect("its own text"), risk_model());
    let read = |variant: &Damaged| RiskModel::from_json(&variant.text)?.assess(&patient(), 0.95);
    let good = risk_model().assess(&patient(), 0.95).expect("a patient");
    let outcome = refused_or_same("risk model", &json_variants(&text), read, &good);
    assert!(outcome.kinds >= 40 && outcome.refused >= 40, "{outcome:?}");
}

#[test]
fn damaged_text_models_are_refused_or_give_the_same_answer() {
    let (table, labels) = cohort();
    let boosting = BoostingParams::default().with_rounds(4).with_min_data_in_leaf(8);
    let model = GradientBoosting::fit(&table, &labels, &boosting).expect("both classes");
    let text = model.to_lightgbm_text().expect("plain names");
    let read = |variant: &Damaged| GradientBoosting::from_lightgbm_text(&variant.text)?.raw_scores(&table);
    let good = model.raw_scores(&table).expect("its own columns");
    let outcome = refused_or_same("text model", &text_variants(&text), read, &good);
    assert!(outcome.kinds >= 40 && outcome.refused >= 40, "{outcome:?}");
}

/// A text model as LightGBM writes it, without a hash, whose trees have the sizes that the header states.
fn without_hash(edit: impl Fn(&str) -> String) -> Result<GradientBoosting, String> {
    let (table, labels) = cohort();
    let boosting = BoostingParams::default().with_rounds(2).with_min_data_in_leaf(8);
    let model = GradientBoosting::fit(&table, &labels, &boosting).expect("both classes");
    let text = model.to_lightgbm_text().expect("plain names");
    let text: String = text.lines().filter(|line| !line.starts_with("alnm_sha256")).map(|l| format!("{l}\n")).collect();
    let edited = edit(&text);
    let starts: Vec<usize> = edited.match_indices("Tree=").map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain(edited.find("end of trees"));
    let sizes: Vec<String> = starts.iter().zip(ends).map(|(start, end)| (end - start).to_string()).collect();
    let line = edited.lines().find(|line| line.starts_with("tree_sizes=")).expect("a header").to_owned();
    let text = edited.replace(&line, &format!("tree_sizes={}", sizes.join(" ")));
    GradientBoosting::from_lightgbm_text(&text).map_err(|error| error.to_string())
}

#[test]
fn the_structure_of_text_models_without_a_hash_is_checked() {
    assert!(without_hash(str::to_owned).is_ok());
    let replaced = |from: &str, to: &str| {
        let result = without_hash(|text| {
            assert!(text.contains(from), "{from:?} is not in\n{text}");
            text.replacen(from, to, 1)
        });
        result.expect_err("an edited model")
    };
    let of_line = |key: &str, edit: &dyn Fn(Vec<String>) -> Vec<String>| {
        let result = without_hash(|text| {
            let line = text.lines().find(|line| line.starts_with(&format!("{key}="))).expect("the key").to_owned();
            let values = line[key.len() + 1..].split(' ').map(str::to_owned).collect();
            text.replacen(&line, &format!("{key}={}", edit(values).join(" ")), 1)
        });
        result.expect_err("an edited model")
    };
    let first = |value: &'static str| {
        move |mut values: Vec<String>| {
            values[0] = value.to_owned();
            values
        }
    };
    for (message, expected) in [
        (replaced("num_class=1", "num_class=3"), "num_class of the header is \"3\"; it must be 1"),
        (replaced("version=v4", "version=v9"), "version of the header is \"v9\"; it must be v3 or v4"),
        (replaced("binary sigmoid:1", "regression"), "objective of the header is \"regression\""),
        (replaced("=age MTD score", "=age MTD age"), "the feature \"age\" is given twice"),
        (replaced("=age MTD score", "=age MTD"), "max_feature_idx is 2 for 2 feature names"),
        (replaced("objective=", "average_output\nobjective="), "the header holds the line \"average_output\""),
        (replaced("num_cat=0", "num_cat=1"), "num_cat of tree 0 is \"1\"; it must be 0"),
        (replaced("is_linear=0", "is_linear=1"), "is_linear of tree 0 is \"1\"; it must be 0"),
        (replaced("Tree=1\n", "Tree=0\n"), "Tree of tree 1 is \"0\"; it must be 1"),
        (replaced("end of trees", "end of tree"), "it has no line \"end of trees\""),
        (replaced("num_cat=0", "num_cat=0\nnum_cat=0"), "tree 0 has num_cat twice"),
        (of_line("split_feature", &first("3")), "tree 0: split 0 is of feature 3; it must be one of 3, counted from 0"),
        (of_line("threshold", &first("inf")), "tree 0: the threshold of split 0 is inf; it must be finite"),
        (of_line("leaf_value", &first("nan")), "tree 0: the value of leaf 0 is NaN; it must be finite"),
        (of_line("leaf_value", &|v| v[1..].to_vec()), "leaf_value of tree 0 holds "),
        (of_line("left_child", &first("0")), "tree 0: split 0 leads to split 0; it must lead to a later one"),
        (of_line("left_child", &first("-99")), "tree 0: split 0 leads to leaf 98"),
        (of_line("leaf_count", &first("0")), "below it; both must be the same and at least 1"),
        (of_line("decision_type", &first("1")), "decision_type 1 of tree 0 is not supported"),
        (of_line("num_leaves", &first("1000000000")), "num_leaves of tree 0 is 1000000000"),
    ] {
        assert!(message.starts_with("the text model cannot be used: ") && message.contains(expected), "{message}");
    }
    // Both branches of a split lead to one leaf.
    let doubled = without_hash(|text| {
        let line = text.lines().find(|line| line.starts_with("right_child=")).expect("splits");
        let left = text.lines().find(|line| line.starts_with("left_child=")).expect("splits");
        text.replacen(line, &left.replace("left", "right"), 1)
    });
    assert!(doubled.expect_err("no tree").contains("split"));
}

#[test]
fn names_that_the_text_cannot_hold_are_refused() {
    let (table, labels) = cohort();
    let spaced = FeatureTable::new(["age", "MTD (cm)", "score"].map(str::to_owned).to_vec(), table.values().to_owned());
    let model = GradientBoosting::fit(&spaced.expect("unique names"), &labels, &BoostingParams::default());
    let refused = model.expect("both classes").to_lightgbm_text().expect_err("a blank in a name");
    assert_eq!(
        refused.to_string(),
        "the text model cannot be used: the feature name \"MTD (cm)\" is empty or holds white space; LightGBM's text \
         separates names by spaces, so rename the column"
    );
}

/// The members of the object at this path are edited; the sentence with which reading is refused.
fn refusal<T: serde::Serialize + serde::de::DeserializeOwned>(good: &T, path: &str, value: Value) -> String {
    let mut json = serde_json::to_value(good).expect("finite numbers");
    *json.pointer_mut(path).unwrap_or_else(|| panic!("{path} is there")) = value;
    serde_json::from_value::<T>(json).map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
}

#[test]
fn a_risk_model_that_cannot_be_one_is_refused_with_what_is_wrong() {
    let model = risk_model();
    for (path, value, sentence) in [
        (
            "/covariance",
            serde_json::json!([[0.1]]),
            "the covariance has 1 rows; it must have 4, for the intercept and each variable",
        ),
        ("/covariance/1", serde_json::json!([0.1]), "row 2 of the covariance has 1 entries; it must have 4"),
        ("/covariance/0/0", serde_json::json!(-1.0), "row 1, column 1 of the covariance is -1; it must be 0 or more"),
        (
            "/variables/1/variable/name",
            serde_json::json!("age"),
            "the variable \"age\" is given twice; it must be given once",
        ),
        ("/variables/1/training_minimum", serde_json::json!(1e6), "the training mean of \"MTD\" is "),
        ("/training_events", serde_json::json!(90), "the number of training events is 90 of 90 rows"),
        (
            "/cutoffs/0/threshold",
            serde_json::json!(1.5),
            "the cutoff \"Youden, training\" is 1.5; it must lie between 0 and 1",
        ),
        ("/format_version", serde_json::json!(2), "the version of the model is 2; it must be 1"),
    ] {
        assert!(refusal(&model, path, value).starts_with(sentence), "{path}");
    }
    assert_eq!(refusal(&model, "/name", serde_json::json!("renamed")), "accepted");
}

#[test]
fn fitted_values_that_are_read_satisfy_what_computed_ones_do() {
    let (table, labels) = cohort();
    let fitted = LogisticModel::fit(&table, &labels, &LogisticParams::default()).expect("both classes");
    for (path, value, sentence) in [
        ("/terms/1/estimate", serde_json::json!(9.0), "the z statistic of \"age\" is "),
        ("/terms/1/interval/level", serde_json::json!(95.0), "level of an interval is 95"),
        ("/terms/2/name", serde_json::json!("age"), "the term \"age\" is given twice"),
        ("/rows", serde_json::json!(80), "it has 90 risks and 90 outcomes; both must be 80"),
        ("/fitted/3", serde_json::json!(1.5), "a fitted risk is "),
        ("/deviance", serde_json::json!(-1.0), "the deviance is -1; it must be 0 or more"),
        ("/covariance", Value::Null, "it has no covariance"),
    ] {
        let refused = refusal(&fitted, path, value);
        assert!(refused.starts_with(sentence), "{path}: {refused}");
    }
    let json = serde_json::to_string(&fitted).expect("finite numbers");
    assert_eq!(serde_json::from_str::<LogisticModel>(&json).expect("its own form"), fitted);

    let specifications = [ModelSpecification::new("one", ["age"]), ModelSpecification::new("two", ["age", "MTD"])];
    let set = ModelSet::fit(&specifications, &table, &labels, &LogisticParams::default()).expect("both classes");
    for (path, value, sentence) in [
        ("/models/1/specification/name", serde_json::json!("one"), "the model \"one\" is given twice"),
        ("/models/1/specification/variables", serde_json::json!(["age"]), "the predictors of the model \"two\" are "),
    ] {
        let refused = refusal(&set, path, value);
        assert!(refused.starts_with(sentence), "{path}: {refused}");
    }
    let json = serde_json::to_string(&set).expect("finite numbers");
    assert_eq!(serde_json::from_str::<ModelSet>(&json).expect("its own form"), set);
    let performances = set.evaluate("training", &table, &labels, 0.95).expect("the same columns");
    let json = serde_json::to_string(&performances).expect("a JSON form");
    assert_eq!(serde_json::from_str::<Vec<ModelPerformance>>(&json).expect("its own form"), performances);
    for (path, value, sentence) in [
        ("/risks", serde_json::json!([0.5]), "the number of risks is 1; it must be that of the curve, "),
        ("/risks/0", serde_json::json!(1.5), "a risk or Brier score is 1.5"),
        ("/auc/auc", serde_json::json!(0.5), "the area is 0.5; it must be that of the curve, "),
        ("/carried_cutoff/metrics/table/true_positives", serde_json::json!(1), ""),
    ] {
        let refused = refusal(&performances[0], path, value);
        assert!(refused.starts_with(sentence), "{path}: {refused}");
    }

    let folds = Folds::stratified(&labels, 5, FoldOrder::AsGiven).expect("enough rows");
    let order = SubsetSearchParams::new(["age", "MTD"]);
    let search = incremental_subsets(&table, &labels, &folds, &order).expect("folds");
    for (path, value, sentence) in [
        ("/best", serde_json::json!(7), "the best subset is 7; the areas give "),
        ("/subsets/1/variables/0", serde_json::json!("score"), "subset 1 holds "),
        ("/subsets/0/fold_auc/0", serde_json::json!(1.5), "an area of subset 1 is 1.5"),
        ("/subsets/0/mean_auc", serde_json::json!(0.9999), "the mean area of subset 1 is 0.9999"),
    ] {
        let refused = refusal(&search, path, value);
        assert!(refused.starts_with(sentence), "{path}: {refused}");
    }
    let json = serde_json::to_string(&search).expect("finite numbers");
    assert_eq!(serde_json::from_str::<SubsetSearch>(&json).expect("its own form"), search);

    let ridge = RidgeModel::fit(&table, &labels, &RidgeParams::given(0.1)).expect("both classes");
    let json = serde_json::to_string(&ridge).expect("finite numbers");
    assert_eq!(serde_json::from_str::<RidgeModel>(&json).expect("its own form"), ridge);
    assert_eq!(refusal(&ridge, "/lambda", serde_json::json!(0.0)), "the penalty is 0; it must be above 0");

    let boosted = GradientBoosting::fit(&table, &labels, &BoostingParams::default()).expect("both classes");
    assert!(
        refusal(&boosted, "/trees/0/nodes/0/feature", serde_json::json!(3))
            .starts_with("tree 0: split 0 is of feature 3")
    );
    let json = serde_json::to_string(&boosted).expect("finite numbers");
    assert_eq!(serde_json::from_str::<GradientBoosting>(&json).expect("its own form"), boosted);
}
