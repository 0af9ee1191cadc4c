//! Every public type can be sent to other threads and shared between them.

use alnm_stats::agreement::{Kappa, LimitsOfAgreement};
use alnm_stats::bootstrap::{Bootstrap, Resampling};
use alnm_stats::calibration::{
    BrierDecomposition, BrierScore, CalibrationCurve, CalibrationError, ExpectedObserved, HosmerLemeshow,
    Recalibration, ReliabilityBins, RiskGroup, Validation, WaldEstimate,
};
use alnm_stats::confusion::{ClassificationMetrics, ConfusionTable};
use alnm_stats::contingency::{ChiSquared, CountTable, OddsRatio};
use alnm_stats::correlation::{Correlation, CorrelationTest, PairRows};
use alnm_stats::data_table::{Cell, DataTable, Digits};
use alnm_stats::decision_curve::{
    DecisionCurve, DecisionInterval, DecisionIntervalParams, DecisionIntervals, DecisionPoint,
};
use alnm_stats::delong::{AucEstimate, Marker};
use alnm_stats::describe::{Description, QuantileType};
use alnm_stats::effect_size::MeanDifference;
use alnm_stats::fisher::FisherMethod;
use alnm_stats::icc::{Icc, IccAnalysis, IccEstimation, IccForm};
use alnm_stats::loess::{Loess, LoessParams, LoessSmoother, LoessSurface};
use alnm_stats::lowess::{Lowess, LowessParams, SmoothCurve};
use alnm_stats::missing::Missing;
use alnm_stats::multiplicity::Adjustment;
use alnm_stats::optimism::{OptimismCorrected, Stratification};
use alnm_stats::permutation::{PermutationParams, PermutationTest};
use alnm_stats::precision_recall::PrecisionRecallCurve;
use alnm_stats::proportion::{Proportion, ProportionInterval};
use alnm_stats::rank_sum::{LocationShift, RankMethod, Superiority};
use alnm_stats::reclassification::{CategoricalNri, ContinuousImprovement, Improvement};
use alnm_stats::roc::{CutoffCriterion, CutoffWeights, Direction, OperatingPoint, PartialArea, PartialFocus, RocCurve};
use alnm_stats::root::Root;
use alnm_stats::sample_size::{SampleSize, SampleSizeCriteria, SampleSizeParams};
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
        Adjustment,
        Alternative,
        AucEstimate,
        Bootstrap,
        BrierDecomposition,
        BrierScore,
        ByClass,
        CalibrationCurve,
        CalibrationError,
        CategoricalNri,
        Cell,
        Center,
        Characteristic,
        ChiSquared,
        ClassificationMetrics,
        Comparison,
        ComparisonTest,
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
        FisherMethod,
        GroupSummary,
        GroupVariance,
        HosmerLemeshow,
        Icc,
        IccAnalysis,
        IccEstimation,
        IccForm,
        Improvement,
        Interval,
        Kappa,
        Labels,
        LimitsOfAgreement,
        LocationShift,
        Loess,
        LoessParams,
        LoessSmoother,
        LoessSurface,
        Lowess,
        LowessParams,
        Marker<'static>,
        MeanDifference,
        Missing,
        OddsRatio,
        OperatingPoint,
        OptimismCorrected,
        PairRows,
        ParameterValue,
        PartialArea,
        PartialFocus,
        PermutationParams,
        PermutationTest,
        PrecisionRecallCurve,
        Proportion,
        ProportionInterval,
        QuantileType,
        RankMethod,
        Recalibration,
        ReliabilityBins,
        Resampling,
        RiskGroup,
        RocCurve,
        Root,
        SampleSize,
        SampleSizeCriteria,
        SampleSizeParams,
        SmoothCurve,
        StatsError,
        Stratification,
        Summary,
        Superiority,
        TableOne,
        TableOneParams,
        TableOneRules,
        TableRow,
        TestResult,
        Validation,
        WaldEstimate,
    ];
}
