//! Values that are read satisfy what computed ones do, and refusals say what is wrong.
#![cfg(feature = "serde")]

use alnm_selection::cross_validation::{CrossValidatedPath, CvMeasure, cross_validate};
use alnm_selection::elastic_net::{ElasticNetParams, ElasticNetPath, LambdaSequence, binomial_path};
use alnm_selection::folds::{FoldOrder, Folds};
use alnm_selection::lasso::LassoParams;
use alnm_selection::univariate::UnivariateParams;
use alnm_selection::{FeatureTable, FittedPipeline, Labels, Pipeline, Signature, Step};
use ndarray::Array2;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Sixty rows of eight features, of which the first three differ between the classes.
fn cohort() -> (FeatureTable, Labels) {
    let labels = Labels::new((0..60).map(|row| (row * 7) % 5 < 2).collect());
    let values = Array2::from_shape_fn((60, 8), |(row, column)| {
        let noise = ((row * (7 * column + 3) + column * column) % 23) as f64 / 23.0;
        if column < 3 && labels.as_slice()[row] { noise + 0.4 } else { noise }
    });
    (FeatureTable::new((0..8).map(|column| format!("x{column}")).collect(), values).expect("eight names"), labels)
}

fn fitted() -> FittedPipeline {
    let (table, labels) = cohort();
    Pipeline::new("RadScore")
        .then(Step::ZeroVariance)
        .then(Step::Univariate(UnivariateParams::default().with_level(0.8)))
        .then(Step::Lasso(LassoParams::new(FoldOrder::Shuffled { seed: 3 }).with_folds(4)))
        .fit(&table, &labels)
        .expect("informative features")
}

/// Words of a refusal, and the change that calls for it.
type Change<'a> = (&'a str, &'a dyn Fn(&mut Value));

/// Each change of a good value is refused with a sentence that holds the given words.
fn refused<T: Serialize + DeserializeOwned>(good: &T, changes: &[Change<'_>]) {
    let good = serde_json::to_value(good).expect("finite numbers");
    serde_json::from_value::<T>(good.clone()).map(drop).expect("the good value");
    for (words, change) in changes {
        let mut changed = good.clone();
        change(&mut changed);
        assert_ne!(changed, good, "{words}");
        match serde_json::from_value::<T>(changed) {
            Ok(_) => panic!("not refused: {words}"),
            Err(error) => assert!(error.to_string().contains(words), "{error} lacks {words:?}"),
        }
    }
}

fn pop(list: &mut Value) {
    list.as_array_mut().expect("a list").pop();
}

fn swap(list: &mut Value) {
    list.as_array_mut().expect("a list").swap(0, 1);
}

#[test]
fn tables_and_folds_are_checked_when_they_are_read() {
    let (table, labels) = cohort();
    refused(
        &table,
        &[
            ("\"x1\" stands above two columns", &|v| v["names"][0] = "x1".into()),
            ("names and columns are 7 and 8", &|v| pop(&mut v["names"])),
            ("unknown field `note`", &|v| v["note"] = 1.into()),
        ],
    );
    refused(
        &Folds::stratified(&labels, 3, FoldOrder::AsGiven).expect("enough rows"),
        &[
            ("4 folds are stated, but the rows lie in 3", &|v| v["count"] = 4.into()),
            ("number of folds is 8", &|v| v["assignment"][0] = 7.into()),
            ("number of folds is 0", &|v| v["assignment"] = Value::Array(Vec::new())),
        ],
    );
}

#[test]
fn paths_are_checked_when_they_are_read() {
    let (table, labels) = cohort();
    let path = binomial_path(&table, &labels, &ElasticNetParams::default()).expect("both classes");
    refused::<ElasticNetPath>(
        &path,
        &[
            ("it has no penalty", &|v| v["lambda"] = Value::Array(Vec::new())),
            ("penalties and", &|v| pop(&mut v["coefficients"])),
            ("penalties and", &|v| pop(&mut v["deviance_ratio"])),
            ("stands before", &|v| swap(&mut v["lambda"])),
            ("a penalty is -1", &|v| v["lambda"][3] = (-1.0).into()),
            ("two features have the same name", &|v| v["names"][2] = "x1".into()),
            ("has a coefficient, but there are", &|v| v["names"] = vec!["x0"].into()),
            ("the null deviance is -1", &|v| v["null_deviance"] = (-1.0).into()),
            ("a deviance ratio is 2", &|v| v["deviance_ratio"][1] = 2.0.into()),
            ("columns and", &|v| v["coefficients"][1]["values"] = Value::Array(Vec::new())),
            ("stands before column", &|v| {
                let last = v["coefficients"].as_array().expect("a list").len() - 1;
                swap(&mut v["coefficients"][last]["columns"]);
            }),
        ],
    );
    let folds = Folds::stratified(&labels, 4, FoldOrder::AsGiven).expect("enough rows");
    let cv = cross_validate(&table, &labels, &folds, CvMeasure::Deviance, &ElasticNetParams::default());
    refused::<CrossValidatedPath>(
        &cv.expect("both classes"),
        &[
            ("penalties and", &|v| pop(&mut v["mean"])),
            ("penalties and", &|v| pop(&mut v["standard_error"])),
            ("but the means choose", &|v| v["index_min"] = 0.into()),
            ("but the means choose", &|v| v["index_1se"] = 90.into()),
        ],
    );
}

/// Parameters are written by hand: what is left out has its default, and what is misspelt is refused.
#[test]
fn parameters_may_be_left_out_but_not_misspelt() {
    let read: ElasticNetParams = serde_json::from_str("{\"alpha\": 0.5}").expect("one parameter");
    assert_eq!(read, ElasticNetParams::default().with_alpha(0.5));
    assert_eq!(read.lambda, LambdaSequence::default());
    let misspelt = serde_json::from_str::<ElasticNetParams>("{\"alhpa\": 0.5}").expect_err("no such parameter");
    assert!(misspelt.to_string().starts_with("unknown field `alhpa`, expected one of `alpha`"), "{misspelt}");
}

/// Whoever computes the right hash for a wrong content still meets the checks of the content itself.
#[test]
fn contents_that_contradict_themselves_are_refused_whatever_their_hash() {
    refused(
        &fitted(),
        &[
            ("61 events among 60 training rows", &|v| v["training_events"] = 61.into()),
            ("has 3 steps and reports of 2", &|v| pop(&mut v["report"])),
            ("reports 9 features before", &|v| v["report"][0]["before"] = 9.into()),
            ("has the report of", &|v| v["report"][0]["step"] = "mRMR".into()),
            ("is selected or removed twice", &|v| v["selected"][1] = v["selected"][0].clone()),
            ("not that of the chosen penalty", &|v| v["signature"]["intercept"] = 7.5.into()),
            ("the score or the path of the LASSO is missing", &|v| v["lasso"] = Value::Null),
            ("the features of the score are not the selected ones", &|v| swap(&mut v["selected"])),
            ("number of folds of the LASSO is 1", &|v| v["pipeline"]["steps"][2]["Lasso"]["folds"] = 1.into()),
        ],
    );
}

/// The sentences that somebody reads whose file does not do.
#[test]
fn refusals_say_what_is_wrong_with_the_file() {
    let good = Signature::new("RadScore", 0.5, [("entropy", 2.0)]).and_then(|s| s.to_json()).expect("finite numbers");
    let sentence = |text: &str| Signature::from_json(text).expect_err("a damaged file").to_string();
    assert!(
        sentence(&good.replace("2.0", "-2.0"))
            .ends_with("the file was damaged or edited after it was saved; save the signature again")
    );
    assert_eq!(
        sentence(&good.replace("\"version\": 1", "\"version\": 2")),
        "the version of the saved signature is 2; this library reads version 1, so save the signature again"
    );
    assert_eq!(
        sentence(&fitted().to_json().expect("finite numbers")),
        "the format of the file is \"alnm-selection\"; that of a saved signature is \"alnm-signature\""
    );
}
