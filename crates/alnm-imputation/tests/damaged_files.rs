//! Saved imputation models: what was damaged or edited is refused with a sentence, or gives the same answer.

#![cfg(feature = "serde")]

use alnm_conformance::damage::{Damaged, json_variants, refused_or_same};
use alnm_imputation::single::MedianImputation;
use alnm_imputation::{ChainedEquationsParams, ImputationMethod, ImputationModel, VariablePlan};
use alnm_models::{FeatureTable, Measurement};
use ndarray::Array2;

const NAMES: [&str; 6] = ["age", "size", "grade", "subtype", "receptor", "index"];

fn table() -> FeatureTable {
    let values = Array2::from_shape_fn((40, 5), |(row, column)| {
        let value = match column {
            0 => 30.0 + ((row * 17) % 37) as f64,
            1 => 1.0 + ((row * 17) % 37) as f64 / 20.0 + ((row * 5) % 11) as f64 / 5.0,
            2 => ((row * 17) % 37 / 13) as f64,
            3 => ((row * 5 + row / 7) % 3) as f64,
            _ => ((row * 3 + row / 5) % 2) as f64,
        };
        if (row + 3 * column).is_multiple_of(9) { f64::NAN } else { value }
    });
    FeatureTable::new(NAMES[..5].iter().map(|&name| name.to_owned()).collect(), values).expect("unique names")
}

/// One variable of each kind.
fn model() -> ImputationModel {
    let plans = vec![
        VariablePlan::numeric("age").with_unit("years"),
        VariablePlan::numeric("size").with_unit("cm").with_method(ImputationMethod::BayesianLinear),
        VariablePlan::ordinal("grade"),
        VariablePlan::nominal("subtype"),
        VariablePlan::binary("receptor"),
        VariablePlan::passive("index", "age * size").expect("a formula"),
    ];
    let params = ChainedEquationsParams::new(plans).with_imputations(2).with_iterations(3).with_seed(1);
    params.check().expect("a plan").impute(&table()).expect("observed values").model()
}

#[test]
fn damaged_models_are_refused_or_give_the_same_answer() {
    let text = model().to_json().expect("finite numbers");
    assert_eq!(ImputationModel::from_json(&text).expect("its own text"), model());
    let patient = [Measurement::new("age", "years", 41.0), Measurement::new("grade", "", 1.0)];
    let read = |variant: &Damaged| ImputationModel::from_json(&variant.text)?.complete_patient(&patient);
    let good = model().complete_patient(&patient).expect("a patient");
    let outcome = refused_or_same("imputation model", &json_variants(&text), read, &good);
    assert!(outcome.kinds >= 30 && outcome.refused >= 40, "{outcome:?}");
}

/// What the structure of a model is refused for when its hash is not asked.
#[test]
fn the_structure_of_a_model_is_checked_without_its_hash() {
    let text = serde_json::to_string(&model()).expect("finite numbers");
    assert!(serde_json::from_str::<ImputationModel>(&text).is_ok());
    for (from, to, reason) in [
        ("\"iterations\":3", "\"iterations\":0", "its number of iterations is 0; it must be 1 to 100000"),
        ("\"training_rows\":40", "\"training_rows\":0", "its number of training rows is 0"),
        ("\"name\":\"size\"", "\"name\":\"age\"", "the variable \"age\" has no name of its own"),
        ("\"formula\":\"age * size\"", "\"formula\":\"age * weight\"", "takes \"weight\", which is no variable"),
        ("\"formula\":\"age * size\"", "\"formula\":\"age *\"", "it ends where a number"),
        ("\"donors\":5", "\"donors\":0", "its number of donors is 0"),
        ("\"columns\":[1,", "\"columns\":[99,", "a column does not exist or is its own"),
        ("\"levels\":[0.0,1.0,2.0]", "\"levels\":[0.0,2.0,1.0]", "the levels of \"grade\" do not ascend"),
        ("\"deviation\":", "\"deviation\":-", "its deviation is -"),
    ] {
        assert!(text.contains(from), "{from} is not in {text}");
        let refused = serde_json::from_str::<ImputationModel>(&text.replacen(from, to, 1)).expect_err(to).to_string();
        assert!(refused.contains(reason), "{refused}");
    }
    let medians = serde_json::to_string(&MedianImputation::fit(&table()).expect("values")).expect("finite numbers");
    assert!(serde_json::from_str::<MedianImputation>(&medians).is_ok());
    assert!(serde_json::from_str::<MedianImputation>(&medians.replacen("\"age\"", "\"size\"", 1)).is_err());
}
