//! Every public type can be sent to other threads and shared between them.

use alnm_selection::agreement_filter::{AgreementFilter, AgreementParams, FeatureAgreement};
use alnm_selection::boruta::{Boruta, BorutaDecision, BorutaFeature, BorutaParams, BorutaResult};
use alnm_selection::correlation_filter::{CorrelationFilter, CorrelationFilterParams, CorrelationRule, Redundant};
use alnm_selection::cross_validation::{CrossValidatedPath, CvMeasure, LambdaChoice};
use alnm_selection::discretise::Discretiser;
use alnm_selection::elastic_net::{
    ElasticNet, ElasticNetParams, ElasticNetPath, LambdaSequence, OutcomeFamily, PathPrecision, SparseCoefficients,
};
use alnm_selection::folds::{FoldOrder, Folds, Split};
use alnm_selection::harmonisation::{BatchEstimation, Combat};
use alnm_selection::lasso::{FittedLasso, Lasso, LassoParams};
use alnm_selection::mrmr::{Mrmr, MrmrFeature, MrmrParams, MrmrRanking, MrmrVariant};
use alnm_selection::pipeline::{CrossFittedScore, Removal, StepReport};
use alnm_selection::recursive_elimination::{
    Elimination, EliminationCurve, EliminationParams, EliminationSize, RankedFeature, RecursiveElimination,
    RidgeRanking,
};
use alnm_selection::stability::{Stability, StabilityParams, StabilitySelection, StableFeature};
use alnm_selection::univariate::{ScreenTest, ScreenedFeature, UnivariateParams, UnivariateScreen};
use alnm_selection::variance_filter::{FeatureSpread, NearZeroVariance, NearZeroVarianceParams};
use alnm_selection::{
    FeatureTable, FittedPipeline, Labels, ParameterValue, Pipeline, SelectionError, Signature, Step, Weight,
};

macro_rules! auto_traits {
    ($($name:ty),* $(,)?) => {{
        fn check<T: Send + Sync + Sized + Unpin + std::fmt::Debug + Clone + 'static>() {}
        $(check::<$name>();)*
    }};
}

#[test]
fn public_types_are_send_sync_and_unpin() {
    auto_traits![
        AgreementFilter,
        AgreementParams,
        FeatureAgreement,
        Boruta,
        BorutaDecision,
        BorutaFeature,
        BorutaParams,
        BorutaResult,
        CorrelationFilter,
        CorrelationFilterParams,
        CorrelationRule,
        Redundant,
        CrossValidatedPath,
        CvMeasure,
        LambdaChoice,
        Discretiser,
        ElasticNet,
        ElasticNetParams,
        ElasticNetPath,
        LambdaSequence,
        OutcomeFamily,
        PathPrecision,
        SparseCoefficients,
        FoldOrder,
        Folds,
        Split,
        BatchEstimation,
        Combat,
        FittedLasso,
        Lasso,
        LassoParams,
        Mrmr,
        MrmrFeature,
        MrmrParams,
        MrmrRanking,
        MrmrVariant,
        CrossFittedScore,
        Removal,
        StepReport,
        Elimination,
        EliminationCurve,
        EliminationParams,
        EliminationSize,
        RankedFeature,
        RecursiveElimination,
        RidgeRanking,
        Stability,
        StabilityParams,
        StabilitySelection,
        StableFeature,
        ScreenTest,
        ScreenedFeature,
        UnivariateParams,
        UnivariateScreen,
        FeatureSpread,
        NearZeroVariance,
        NearZeroVarianceParams,
        FeatureTable,
        FittedPipeline,
        Labels,
        ParameterValue,
        Pipeline,
        SelectionError,
        Signature,
        Step,
        Weight,
    ];
    #[cfg(feature = "serde")]
    auto_traits![alnm_selection::saved::SavedError, alnm_selection::saved::SavedFormat];
}
