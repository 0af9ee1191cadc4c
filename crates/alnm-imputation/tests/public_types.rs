//! Public types can be sent to and shared between threads, and parameters and results survive a round trip as JSON.

use alnm_imputation::convergence::Trace;
use alnm_imputation::formula::PassiveFormula;
use alnm_imputation::patient::{ImputedVariable, IncompleteAssessment};
use alnm_imputation::pooling::{
    EstimatedCoefficients, PooledCalibration, PooledCoefficients, PooledEstimate, PooledProbability, PoolingParams,
    RubinsRules,
};
use alnm_imputation::selection::{FeatureVote, MajorityVote};
use alnm_imputation::single::{MedianImputation, NearestNeighbourImputation, NeighbourImputer, NeighbourParams};
use alnm_imputation::{
    ChainedEquations, ChainedEquationsParams, CompletedTraining, ImputationError, ImputationEvent, ImputationEventKind,
    ImputationMethod, ImputationModel, MissingCount, MissingPolicy, MultipleImputation, VariablePlan, VisitingSequence,
};

fn auto_traits<T: Send + Sync + Sized + Unpin>() {}

#[test]
fn all_types_can_cross_threads() {
    auto_traits::<ChainedEquations>();
    auto_traits::<ChainedEquationsParams>();
    auto_traits::<CompletedTraining>();
    auto_traits::<EstimatedCoefficients>();
    auto_traits::<FeatureVote>();
    auto_traits::<PassiveFormula>();
    auto_traits::<ImputationError>();
    auto_traits::<ImputationEvent>();
    auto_traits::<ImputationEventKind>();
    auto_traits::<ImputationMethod>();
    auto_traits::<ImputationModel>();
    auto_traits::<ImputedVariable>();
    auto_traits::<IncompleteAssessment>();
    auto_traits::<MajorityVote>();
    auto_traits::<MedianImputation>();
    auto_traits::<MissingCount>();
    auto_traits::<MissingPolicy>();
    auto_traits::<MultipleImputation>();
    auto_traits::<NearestNeighbourImputation>();
    auto_traits::<NeighbourImputer>();
    auto_traits::<NeighbourParams>();
    auto_traits::<PooledCalibration>();
    auto_traits::<PooledCoefficients>();
    auto_traits::<PooledEstimate>();
    auto_traits::<PooledProbability>();
    auto_traits::<PoolingParams>();
    auto_traits::<RubinsRules>();
    auto_traits::<Trace>();
    auto_traits::<VariablePlan>();
    auto_traits::<VisitingSequence>();
}

#[cfg(feature = "serde")]
#[test]
fn parameters_come_back_from_json() {
    let plans = vec![
        VariablePlan::numeric("age").with_unit("years").with_predictors(&["grade"]),
        VariablePlan::numeric("size").with_method(ImputationMethod::BayesianLinear),
        VariablePlan::ordinal("grade"),
        VariablePlan::passive("ratio", "size / age").expect("a formula"),
    ];
    let params = ChainedEquationsParams::new(plans)
        .with_outcome(VariablePlan::binary("event"))
        .with_visiting(VisitingSequence::Given(vec!["grade".to_owned(), "age".to_owned()]))
        .with_seed(3);
    let policy = MissingPolicy::Impute(params);
    let text = serde_json::to_string(&policy).expect("finite numbers");
    assert_eq!(serde_json::from_str::<MissingPolicy>(&text).expect("its own text"), policy);
    // A formula from a file is read like any other.
    let refused = serde_json::from_str::<MissingPolicy>(&text.replace("size / age", "size / (age")).unwrap_err();
    assert!(refused.to_string().contains("the bracket at byte 7 is not closed"), "{refused}");
}
