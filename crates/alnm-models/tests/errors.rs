//! The sentences of the errors, and what types promise to threads.

use alnm_models::count::{CountModel, CountRegression};
use alnm_models::cox::{CoxModel, CoxRegression, SmoothSurvivalCalibration};
use alnm_models::explanation::linear_shap::ShapleyValues;
use alnm_models::explanation::permutation_importance::PermutationImportanceParams;
use alnm_models::firth::FirthModel;
use alnm_models::gradient_boosting::{Boosting, BoostingParams, GradientBoosting, Tree};
use alnm_models::logistic::LogisticRegression;
use alnm_models::model_set::ModelPerformance;
use alnm_models::model_updating::{ModelUpdate, Updating};
use alnm_models::nested_validation::{NestedCrossValidation, NestedValidation, NestedValidationParams};
use alnm_models::nomogram::Nomogram;
use alnm_models::performance::OutcomePerformance;
use alnm_models::profile_likelihood::{ProfileMethod, profile_intervals};
use alnm_models::ridge::{RidgeModel, RidgeParams, RidgeRegression};
use alnm_models::saved_model::Assessment;
use alnm_models::stepwise::{Stepwise, StepwiseSelection};
use alnm_models::subgroup::subgroup_performance;
use alnm_models::subset_search::{IncrementalSearch, SubsetSearch, SubsetSearchParams};
use alnm_models::univariate_table::{UnivariateRequest, univariate_odds_ratios};
use alnm_models::variance_inflation::of_columns;
use alnm_models::{
    CovarianceMatrix, FeatureTable, Labels, LogisticModel, LogisticParams, Measurement, ModelError, ModelSet,
    ModelSpecification, RiskModel, Variable,
};
use ndarray::array;

fn six_patients() -> (FeatureTable, Labels) {
    let values = array![[1.0, 7.0], [2.0, 7.0], [3.0, 7.0], [4.0, 7.0], [5.0, 7.0], [6.0, 7.0]];
    let table = FeatureTable::new(vec!["size".into(), "constant".into()], values).expect("unique names");
    (table, Labels::new(vec![false, false, true, false, true, true]))
}

fn sentence<T>(result: Result<T, ModelError>) -> String {
    result.err().expect("an error").to_string()
}

#[test]
fn parameters_outside_their_range_are_named_with_value_and_requirement() {
    let (table, labels) = six_patients();
    let logistic = LogisticParams::default;
    let boosting = BoostingParams::default;
    let of_constant = table.select(&["constant".to_owned()]).expect("a column");
    let constant = LogisticModel::fit(&of_constant, &labels, &logistic()).expect("an intercept");
    let constant = RiskModel::new("none", &constant, &[], &table, "six patients").expect("an estimate");
    let request = UnivariateRequest::new(Variable::new("size", "cm")).with_per(0.0);
    for (found, expected) in [
        (sentence(logistic().with_level(95.0).check()), "confidence level is 95; it must be above 0 and below 1"),
        (sentence(logistic().with_max_iterations(0).check()), "max_iterations is 0; it must be at least 1"),
        (
            sentence(logistic().with_weights(vec![1.0, -2.5]).check()),
            "weight of a row is -2.5; it must be finite and 0 or more",
        ),
        (sentence(logistic().with_offset(vec![f64::NAN]).check()), "offset of a row is NaN; it must be finite"),
        (sentence(boosting().with_rounds(0).check()), "rounds is 0; it must be at least 1"),
        (sentence(boosting().with_max_bin(70_000).check()), "max_bin is 70000; it must be 2 to 65535"),
        (sentence(boosting().with_learning_rate(0.0).check()), "learning_rate is 0; it must be finite and above 0"),
        (sentence(boosting().with_lambda_l1(-1.0).check()), "lambda_l1 is -1; it must be finite and 0 or more"),
        (sentence(RidgeParams::given(-1.0).check()), "ridge penalty is -1; it must be finite and above 0"),
        (
            sentence(SubsetSearchParams::new(Vec::<String>::new()).check()),
            "number of variables is 0; it must be at least 1",
        ),
        (
            sentence(SubsetSearchParams::new(["size", "size"]).check()),
            "the variable \"size\" is given twice; it must be given once",
        ),
        (
            sentence(NestedValidationParams::default().with_outer_folds(1).check()),
            "outer_folds is 1; it must be at least 2",
        ),
        (
            sentence(PermutationImportanceParams::default().with_repeats(0).check()),
            "repeats is 0; it must be at least 1",
        ),
        (
            sentence(Nomogram::new(&constant, &[0.5])),
            "largest change of the log odds over the training range of a variable is 0; it must be above 0, so give the \
             model a variable that varies",
        ),
        (sentence(Nomogram::new(&constant, &[1.0])), "risk mark is 1; it must be above 0 and below 1"),
        (
            sentence(univariate_odds_ratios(&table, &labels, &[request], ProfileMethod::Exact, &logistic())),
            "number of units of an odds ratio is 0; it must be finite and not 0",
        ),
        (sentence(of_columns(&of_constant)), "number of predictors is 1; it must be at least 2"),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn data_that_do_not_fit_are_named() {
    let (table, labels) = six_patients();
    let model = LogisticModel::fit(&table, &labels, &LogisticParams::default()).expect("both classes");
    let separated = Labels::new(vec![false, false, false, true, true, true]);
    let infinite = LogisticModel::fit(&table, &separated, &LogisticParams::default()).expect("both classes");
    let units = [Variable::new("size", "cm")];
    let risk = RiskModel::new("size", &model, &units, &table, "six patients").expect("an estimate");
    let twice = [Measurement::new("size", "cm", 1.0), Measurement::new("size", "cm", 2.0)];
    let same_name = [ModelSpecification::new("one", ["size"]), ModelSpecification::new("one", ["constant"])];
    let mut cut = risk.clone();
    for (found, expected) in [
        (
            sentence(model.compare_nested(&model)),
            "number of coefficients of the nested model is 2; it must be less than that of the larger model",
        ),
        (sentence(model.term("age")), "the term \"age\" is unknown; it must be one of [\"(Intercept)\", \"size\"]"),
        (
            sentence(RiskModel::new("size", &infinite, &units, &table, "six patients")),
            "saving a model: the estimate is infinite because the predictors separate the outcome; use Firth's penalised \
             likelihood or leave predictors out",
        ),
        (sentence(risk.assess(&twice, 0.95)), "the measurement \"size\" is given twice; it must be given once"),
        (
            sentence(risk.predict(&table, &[Variable::new("size", "mm")])),
            "the unit of \"size\" is \"mm\"; it must be \"cm\", the unit of the training data, so convert the values",
        ),
        (
            sentence(cut.add_youden_cutoff("Youden", &labels, &[0.9, 0.8, 0.2, 0.7, 0.1, 0.0])),
            "Youden cutoff is -inf; it must be between 0 and 1, but no threshold of these risks is better than one verdict \
             for everybody",
        ),
        (
            sentence(ModelSet::fit(&same_name, &table, &labels, &LogisticParams::default())),
            "the model \"one\" is given twice; it must be given once",
        ),
    ] {
        assert_eq!(found, expected);
    }
    let groups = vec!["a".to_owned(); 4];
    assert!(
        sentence(subgroup_performance(&labels, model.fitted(), &groups, 0.5, 0.95))
            .contains("subgroup names and labels")
    );
    let short = LogisticParams::default().with_weights(vec![1.0; 9]);
    assert!(sentence(LogisticModel::fit(&table, &labels, &short)).contains("weights and rows"));
    assert!(sentence(profile_intervals(&table, &labels, ProfileMethod::Exact, &short)).contains("weights and rows"));
}

#[test]
fn public_types_go_between_threads() {
    fn promised<T: Send + Sync + Sized + Unpin>() {}
    promised::<Assessment>();
    promised::<Boosting>();
    promised::<CountModel>();
    promised::<CountRegression>();
    promised::<CovarianceMatrix>();
    promised::<CoxModel>();
    promised::<CoxRegression>();
    promised::<FirthModel>();
    promised::<GradientBoosting>();
    promised::<IncrementalSearch>();
    promised::<LogisticModel>();
    promised::<LogisticRegression>();
    promised::<ModelError>();
    promised::<ModelPerformance>();
    promised::<ModelSet>();
    promised::<ModelUpdate>();
    promised::<NestedCrossValidation>();
    promised::<NestedValidation>();
    promised::<Nomogram>();
    promised::<OutcomePerformance>();
    promised::<RidgeModel>();
    promised::<RidgeRegression>();
    promised::<RiskModel>();
    promised::<ShapleyValues>();
    promised::<Stepwise>();
    promised::<StepwiseSelection>();
    promised::<SubsetSearch>();
    promised::<SmoothSurvivalCalibration>();
    promised::<Tree>();
    promised::<Updating>();
}
