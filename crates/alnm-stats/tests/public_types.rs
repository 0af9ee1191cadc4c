//! Every public type can be sent to other threads and shared between them.

use alnm_stats::agreement::{Kappa, LimitsOfAgreement};
use alnm_stats::bootstrap::{Bootstrap, Resampling};
use alnm_stats::calibration::{
    BrierDecomposition, BrierScore, CalibrationByCentre, CalibrationCurve, CalibrationError, CalibrationPoint,
    CalibrationSmoother, CentreCalibration, ExpectedObserved, HosmerLemeshow, IsotonicCalibration, IsotonicPoint,
    PlattScaling, RandomEffectsMean, Recalibration, ReliabilityBins, RiskGroup, SmoothCalibration,
    SmoothCalibrationParams, SmoothCalibrations, Validation, WaldEstimate,
};
use alnm_stats::confusion::{ClassificationMetrics, ConfusionTable};
use alnm_stats::contingency::{ChiSquared, CountTable, OddsRatio};
use alnm_stats::correlation::{Correlation, CorrelationTest, PairRows};
use alnm_stats::data_table::{Cell, DataTable, Digits};
use alnm_stats::decision_curve::{
    DecisionCurve, DecisionInterval, DecisionIntervalParams, DecisionIntervals, DecisionPoint, NetBenefitDifference,
};
use alnm_stats::delong::{AucComparison, AucEstimate, AucPairs, Marker};
use alnm_stats::describe::{Description, QuantileType};
use alnm_stats::effect_size::MeanDifference;
use alnm_stats::fisher::FisherMethod;
use alnm_stats::icc::{Icc, IccAnalysis, IccEstimation, IccForm};
use alnm_stats::loess::{Loess, LoessParams, LoessSmoother, LoessSurface};
use alnm_stats::lowess::{Lowess, LowessParams, SmoothCurve};
use alnm_stats::memory::Aligned;
use alnm_stats::missing::Missing;
use alnm_stats::multiplicity::Adjustment;
use alnm_stats::optimism::{OptimismCorrected, Stratification};
use alnm_stats::ordinal::{OrdinalCut, OrdinalPerformance};
use alnm_stats::permutation::{PermutationParams, PermutationTest};
use alnm_stats::precision_recall::PrecisionRecallCurve;
use alnm_stats::proportion::{Proportion, ProportionInterval};
use alnm_stats::rank_sum::{LocationShift, RankMethod, Superiority};
use alnm_stats::reclassification::{CategoricalNri, ContinuousImprovement, Improvement};
use alnm_stats::restricted_spline::RestrictedSpline;
use alnm_stats::roc::{CutoffCriterion, CutoffWeights, Direction, OperatingPoint, PartialArea, PartialFocus, RocCurve};
use alnm_stats::root::Root;
use alnm_stats::sample_size::{
    ExternalValidationCriteria, ExternalValidationSize, ExternalValidationSizeParams, NetBenefitTarget,
    PredictorDistribution, SampleSize, SampleSizeCriteria, SampleSizeParams, ThresholdAccuracy,
};
use alnm_stats::survival::{
    AucAtTime, Concordance, ConcordanceParams, Concordances, FollowUp, IntegratedBrier, KaplanMeier, KaplanMeierParams,
    KaplanMeierRules, LogRank, LogRankGroup, PredictionError, SurvivalCalibration, SurvivalInterval, SurvivalPoint,
    SurvivalRiskGroup, SurvivalTime,
};
use alnm_stats::t_test::{GroupVariance, Summary};
use alnm_stats::table_one::{
    Characteristic, Comparison, ComparisonTest, GroupSummary, TableOne, TableOneParams, TableOneRules, TableRow,
};
use alnm_stats::variance::Center;
use alnm_stats::{Alternative, ByClass, Interval, Labels, ParameterValue, StatsError, TestResult};

macro_rules! auto_traits {
    ($($name:ty),* $(,)?) => {{
        fn check<T: Send + Sync + Sized + Unpin + std::fmt::Debug + Clone + 'static>() {}
        $(check::<$name>();)*
    }};
}

#[test]
fn public_types_are_send_sync_and_unpin() {
    auto_traits![
        Aligned<f64>,
        Adjustment,
        Alternative,
        AucAtTime,
        AucComparison,
        AucEstimate,
        AucPairs,
        Bootstrap,
        BrierDecomposition,
        BrierScore,
        ByClass,
        CalibrationByCentre,
        CalibrationCurve,
        CalibrationError,
        CalibrationPoint,
        CalibrationSmoother,
        CategoricalNri,
        Cell,
        Center,
        CentreCalibration,
        Characteristic,
        ChiSquared,
        ClassificationMetrics,
        Comparison,
        ComparisonTest,
        Concordance,
        ConcordanceParams,
        Concordances,
        ConfusionTable,
        ContinuousImprovement,
        Correlation,
        CorrelationTest,
        CountTable,
        CutoffCriterion,
        CutoffWeights,
        DataTable,
        DecisionCurve,
        DecisionInterval,
        DecisionIntervalParams,
        DecisionIntervals,
        DecisionPoint,
        Description,
        Digits,
        Direction,
        ExpectedObserved,
        ExternalValidationCriteria,
        ExternalValidationSizeParams,
        ExternalValidationSize,
        FisherMethod,
        FollowUp,
        GroupSummary,
        GroupVariance,
        HosmerLemeshow,
        Icc,
        IccAnalysis,
        IccEstimation,
        IccForm,
        Improvement,
        IntegratedBrier,
        Interval,
        IsotonicCalibration,
        IsotonicPoint,
        KaplanMeier,
        KaplanMeierParams,
        KaplanMeierRules,
        Kappa,
        Labels,
        LimitsOfAgreement,
        LocationShift,
        Loess,
        LoessParams,
        LoessSmoother,
        LoessSurface,
        LogRank,
        LogRankGroup,
        Lowess,
        LowessParams,
        Marker<'static>,
        MeanDifference,
        Missing,
        NetBenefitDifference,
        NetBenefitTarget,
        OddsRatio,
        OperatingPoint,
        OptimismCorrected,
        OrdinalCut,
        OrdinalPerformance,
        PairRows,
        ParameterValue,
        PartialArea,
        PartialFocus,
        PermutationParams,
        PermutationTest,
        PlattScaling,
        RandomEffectsMean,
        PrecisionRecallCurve,
        PredictionError,
        PredictorDistribution,
        Proportion,
        ProportionInterval,
        QuantileType,
        RankMethod,
        Recalibration,
        ReliabilityBins,
        Resampling,
        RestrictedSpline,
        RiskGroup,
        RocCurve,
        Root,
        SampleSize,
        SampleSizeCriteria,
        SampleSizeParams,
        SmoothCalibration,
        SmoothCalibrationParams,
        SmoothCalibrations,
        SmoothCurve,
        StatsError,
        Stratification,
        Summary,
        Superiority,
        SurvivalCalibration,
        SurvivalInterval,
        SurvivalPoint,
        SurvivalRiskGroup,
        SurvivalTime,
        TableOne,
        TableOneParams,
        TableOneRules,
        TableRow,
        TestResult,
        ThresholdAccuracy,
        Validation,
        WaldEstimate,
    ];
}
