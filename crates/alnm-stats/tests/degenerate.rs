//! Every statistic on ties, constants, one value and empty groups: the documented answer, never a panic and never a
//! number that means nothing.

use alnm_stats::agreement::{bland_altman, cohen_kappa};
use alnm_stats::calibration::{
    IsotonicCalibration, PlattScaling, RandomEffectsMean, SmoothCalibrationParams, brier, brier_decomposition,
    calibration_by_centre, expected_observed, hosmer_lemeshow, recalibrate, reliability_bins, smooth_calibration,
    spiegelhalter,
};
use alnm_stats::correlation::{Correlation, correlation, correlation_test};
use alnm_stats::decision_curve::{DecisionCurve, DecisionIntervalParams};
use alnm_stats::delong::{AucPairs, Marker, auc_estimate, paired_test, paired_tests, unpaired_test};
use alnm_stats::describe::{QuantileType, mean, quantile, variance};
use alnm_stats::icc::{IccAnalysis, IccEstimation};
use alnm_stats::multiplicity::Adjustment;
use alnm_stats::ordinal::{ordinal_c, ordinal_performance};
use alnm_stats::rank_sum::{RankMethod, mann_whitney};
use alnm_stats::roc::{Direction, RocCurve};
use alnm_stats::sample_size::{ExternalValidationSizeParams, PredictorDistribution, external_validation};
use alnm_stats::signed_rank::wilcoxon;
use alnm_stats::survival::{
    ConcordanceParams, FollowUp, KaplanMeier, KaplanMeierParams, calibration_at, harrell_c, integrated_brier, log_rank,
    prediction_error, stratified_log_rank, time_dependent_auc, uno_c,
};
use alnm_stats::t_test::{GroupVariance, paired, two_sample};
use alnm_stats::variance::Center;
use alnm_stats::{Alternative, Labels, StatsError, anova, variance as variances};
use ndarray::Array2;
use proptest::prelude::*;

const TYPES: [QuantileType; 9] = [
    QuantileType::Type1,
    QuantileType::Type2,
    QuantileType::Type3,
    QuantileType::Type4,
    QuantileType::Type5,
    QuantileType::Type6,
    QuantileType::Type7,
    QuantileType::Type8,
    QuantileType::Type9,
];

proptest! {
    /// Between equal values a quantile is that value, to the bit.
    #[test]
    fn quantiles_of_equal_values_are_that_value(value in -1e3..1e3f64, count in 1usize..40, p in 0.0..=1.0f64) {
        for definition in TYPES {
            prop_assert_eq!(quantile(&vec![value; count], p, definition).expect("values"), value);
        }
    }

    /// Quantiles of tied values ascend with their probability.
    #[test]
    fn quantiles_of_ties_ascend(values in prop::collection::vec(0u8..4, 2..60), groups in 2usize..12) {
        let values: Vec<f64> = values.into_iter().map(|v| f64::from(v) * 0.1 + 0.05).collect();
        for definition in TYPES {
            let breaks: Vec<f64> = (0..=groups)
                .map(|k| quantile(&values, k as f64 / groups as f64, definition).expect("values"))
                .collect();
            prop_assert!(breaks.windows(2).all(|pair| pair[0] <= pair[1]), "{breaks:?}");
        }
    }

    /// However risks tie, the edges of Hosmer and Lemeshow's groups ascend, no group is lost, and the test is a number
    /// unless its degrees of freedom are 0.
    #[test]
    fn hosmer_lemeshow_survives_ties_and_empty_groups(
        patients in prop::collection::vec((0u8..6, any::<bool>()), 2..40),
        groups in 2usize..14,
    ) {
        let labels = Labels::new(patients.iter().map(|(_, event)| *event).collect());
        let risks: Vec<f64> = patients.iter().map(|(level, _)| (f64::from(*level) * 0.17 + 0.07).min(1.0)).collect();
        match hosmer_lemeshow(&labels, &risks, groups) {
            Ok(result) => {
                prop_assert!(result.breaks.windows(2).all(|pair| pair[0] < pair[1]));
                prop_assert_eq!(result.groups.iter().map(|g| g.patients).sum::<usize>(), patients.len());
                let occupied = result.groups.iter().filter(|g| g.patients > 0).count();
                prop_assert_eq!(result.test.degrees_of_freedom[0], occupied as f64 - 2.0);
                prop_assert!(result.test.statistic >= 0.0);
                let p = result.test.p_value;
                let expected = if occupied > 2 { (0.0..=1.0).contains(&p) } else { p.is_nan() };
                prop_assert!(expected);
            }
            Err(error) => {
                let is_constant = matches!(error, StatsError::Constant { .. });
                prop_assert!(is_constant);
            }
        }
    }

    /// Concordance in its fast form is what counting pairs gives.
    #[test]
    fn concordance_counts_pairs(
        patients in prop::collection::vec((0u8..8, any::<bool>(), 0u8..5), 2..40),
        horizon in 1.0..9.0f64,
    ) {
        let times: Vec<f64> = patients.iter().map(|p| f64::from(p.0)).collect();
        let events: Vec<bool> = patients.iter().map(|p| p.1).collect();
        let risks: Vec<f64> = patients.iter().map(|p| f64::from(p.2)).collect();
        let follow_up = FollowUp::new(times.clone(), events.clone()).expect("valid times");
        let mut counted = [0.0; 3];
        for i in 0..times.len() {
            for j in 0..times.len() {
                let later = times[j] > times[i] || (times[j] == times[i] && !events[j]);
                if i != j && events[i] && times[i] < horizon && later {
                    let place = if risks[i] > risks[j] { 0 } else if risks[i] < risks[j] { 1 } else { 2 };
                    counted[place] += 1.0;
                }
            }
        }
        match harrell_c(&follow_up, &risks, ConcordanceParams::default().with_horizon(horizon)) {
            Ok(found) => prop_assert_eq!([found.concordant, found.discordant, found.tied_risk], counted),
            Err(error) => {
                prop_assert_eq!(counted, [0.0; 3]);
                let is_undefined = matches!(error, StatsError::Undefined { .. });
                prop_assert!(is_undefined);
            }
        }
    }

    /// Survival statistics never panic, and what they give lies within its range.
    #[test]
    fn survival_statistics_stay_within_their_range(
        patients in prop::collection::vec((0u8..6, any::<bool>(), 0u8..=10, 0usize..3), 1..30),
        time in 0.5..6.0f64,
    ) {
        let events = patients.iter().map(|p| p.1).collect();
        let follow_up = FollowUp::new(patients.iter().map(|p| f64::from(p.0)).collect(), events).expect("valid times");
        let risks: Vec<f64> = patients.iter().map(|p| f64::from(p.2) / 10.0).collect();
        let groups: Vec<usize> = patients.iter().map(|p| p.3).collect();
        let curve = KaplanMeier::fit(&follow_up, KaplanMeierParams::default()).expect("patients");
        prop_assert!(curve.points().iter().all(|p| (0.0..=1.0).contains(&p.survival)));
        prop_assert!(curve.points().windows(2).all(|pair| pair[0].survival >= pair[1].survival));
        for found in [
            harrell_c(&follow_up, &risks, ConcordanceParams::default()),
            uno_c(&follow_up, &risks, ConcordanceParams::default()),
        ].into_iter().flatten() {
            prop_assert!((0.0..=1.0).contains(&found.c) && found.standard_error >= 0.0);
        }
        for area in time_dependent_auc(&follow_up, &risks, &[time], 0.95).into_iter().flatten() {
            prop_assert!((-1e-12..=1.0 + 1e-12).contains(&area.auc) && area.standard_error >= 0.0);
        }
        if let Ok(error) = prediction_error(&follow_up, &risks, time, 0.95) {
            prop_assert!(error.brier >= 0.0 && error.brier.is_finite());
            prop_assert!(error.standard_error >= 0.0 || patients.len() == 1);
        }
        if let Ok(calibration) = calibration_at(&follow_up, &risks, time, 4, 0.95) {
            prop_assert_eq!(calibration.groups.iter().map(|g| g.patients).sum::<usize>(), patients.len());
        }
        for test in [log_rank(&follow_up, &groups), stratified_log_rank(&follow_up, &groups, &groups)]
            .into_iter().flatten()
        {
            prop_assert!(test.test.statistic > -1e-9 && (0.0..=1.0).contains(&test.test.p_value));
        }
    }

    /// Isotonic risks rise, keep the number of events, and do not depend on the order of the patients.
    #[test]
    fn isotonic_risks_rise(patients in prop::collection::vec((0u8..12, any::<bool>()), 1..50)) {
        let labels = Labels::new(patients.iter().map(|p| p.1).collect());
        let scores: Vec<f64> = patients.iter().map(|p| f64::from(p.0)).collect();
        let isotonic = IsotonicCalibration::fit(&labels, &scores).expect("patients");
        prop_assert!(isotonic.points().windows(2).all(|p| p[0].score < p[1].score && p[0].risk <= p[1].risk));
        let expected: f64 = scores.iter().map(|s| isotonic.apply(*s)).sum();
        prop_assert!((expected - labels.positives() as f64).abs() < 1e-9);
        let backwards: Vec<bool> = patients.iter().rev().map(|p| p.1).collect();
        let scores: Vec<f64> = scores.into_iter().rev().collect();
        prop_assert_eq!(IsotonicCalibration::fit(&Labels::new(backwards), &scores).expect("patients"), isotonic);
    }
}

fn alternating(n: usize) -> Labels {
    Labels::new((0..n).map(|i| i % 2 == 0).collect())
}

/// A position that rounding puts below a whole number gave a median of type 8 below the smallest value.
#[test]
fn a_quantile_lies_between_its_neighbours() {
    let values = [0.05, 0.15, 0.05, 0.05, 0.15, 0.05, 0.15, 0.05, 0.15];
    for definition in TYPES {
        assert!(quantile(&values, 0.5, definition).expect("nine values") >= 0.05, "{definition:?}");
    }
}

/// The case that was found: three levels of risk in ten groups, whose interpolated quantiles differed in their last
/// bit.
#[test]
fn tied_risks_make_fewer_groups() {
    let risks: Vec<f64> = (0..60).map(|i| [0.1, 0.3, 0.7][i % 3]).collect();
    let labels = Labels::new((0..60).map(|i| (i * 7) % 10 < [1, 3, 7][i % 3]).collect());
    let result = hosmer_lemeshow(&labels, &risks, 10).expect("three levels");
    assert_eq!(result.breaks, [0.1, 0.3, 0.7]);
    assert_eq!(result.groups.iter().map(|g| g.patients).collect::<Vec<_>>(), [40, 20]);
    assert!(result.test.p_value.is_nan() && result.test.degrees_of_freedom == [0.0]);
}

#[test]
fn more_groups_than_patients_leave_groups_empty() {
    let result = hosmer_lemeshow(&alternating(5), &[0.1, 0.2, 0.4, 0.6, 0.9], 10).expect("five risks");
    assert!(result.groups.iter().any(|g| g.patients == 0));
    assert!(result.test.statistic.is_finite() && result.test.degrees_of_freedom == [3.0]);
}

#[test]
fn impossible_events_make_the_hosmer_lemeshow_statistic_infinite() {
    let labels = Labels::new(vec![true, false, false, false, true, true, true, true, true]);
    let risks = [0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0];
    let test = hosmer_lemeshow(&labels, &risks, 3).expect("three groups").test;
    assert!(test.statistic.is_infinite() && (test.p_value == 0.0 || test.p_value.is_nan()), "{test:?}");
    let labels = Labels::new(vec![false, false, false, false, true, true, true, true, true]);
    let quiet = hosmer_lemeshow(&labels, &risks, 3).expect("three groups").test;
    assert!(quiet.statistic.is_finite());
}

#[test]
fn constant_scores_have_an_area_of_a_half_and_no_slope() {
    let labels = alternating(10);
    let constant = [0.4; 10];
    let curve = RocCurve::new(&labels, &constant, Direction::HigherIsPositive).expect("both outcomes");
    assert_eq!(curve.auc(), 0.5);
    assert_eq!(auc_estimate(&curve, 0.95).expect("a level").variance, 0.0);
    let marker = Marker { scores: &constant, direction: Direction::HigherIsPositive };
    let test = paired_test(&labels, marker, marker, Alternative::TwoSided, 0.95).expect("ten patients");
    assert_eq!((test.statistic, test.p_value), (0.0, 1.0));
    assert!(unpaired_test(&curve, &curve, Alternative::TwoSided).p_value.is_nan());
    for result in [
        recalibrate(&labels, &constant, 0.95).map(drop),
        hosmer_lemeshow(&labels, &constant, 10).map(drop),
        smooth_calibration(&labels, &constant, SmoothCalibrationParams::default()).map(drop),
        PlattScaling::fit(&labels, &constant).map(drop),
    ] {
        assert!(matches!(result, Err(StatsError::Constant { .. })), "{result:?}");
    }
    assert_eq!(IsotonicCalibration::fit(&labels, &constant).expect("patients").apply(0.9), 0.5);
    assert!(brier(&labels, &constant).is_ok() && brier_decomposition(&labels, &constant).is_ok());
    assert_eq!(reliability_bins(&labels, &constant, 5).expect("bins").groups.len(), 1);
    // Risks of one half carry no information on calibration: the variance of the statistic is 0.
    assert!(spiegelhalter(&labels, &[0.5; 10]).expect("risks").p_value.is_nan());
}

#[test]
fn one_class_of_outcomes_is_refused_or_said() {
    let none = Labels::new(vec![false; 6]);
    let risks = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
    for result in [
        recalibrate(&none, &risks, 0.95).map(drop),
        smooth_calibration(&none, &risks, SmoothCalibrationParams::default()).map(drop),
        PlattScaling::fit(&none, &risks).map(drop),
        DecisionCurve::with_prevalence(&none, &risks, &[0.2], 0.1).map(drop),
        DecisionIntervalParams::default()
            .check()
            .and_then(|intervals| intervals.difference(&none, &risks, &risks, &[0.2]))
            .map(drop),
    ] {
        assert!(matches!(result, Err(StatsError::OneClass { .. })), "{result:?}");
    }
    assert!(expected_observed(&none, &risks, 0.95).expect("risks").expected_over_observed.is_infinite());
    assert!(hosmer_lemeshow(&none, &risks, 3).expect("three groups").test.p_value < 1.0);
    // A centre without events is reported without what it does not determine.
    let labels = Labels::new(vec![true, false, true, false, false, false]);
    let centres = ["A", "A", "A", "A", "B", "B"].map(str::to_owned);
    let by_centre = calibration_by_centre(&labels, &risks, &centres, 0.95).expect("two centres");
    let without = &by_centre.centres[1];
    assert!(without.auc.is_none() && without.recalibration.is_none() && without.reason.is_some());
    assert!(by_centre.slope.is_none(), "one centre has nothing to pool");
}

#[test]
fn centres_that_agree_have_no_variance_between_them() {
    let pooled = RandomEffectsMean::of(&[1.0, 1.0], &[0.2, 0.2], 0.95).expect("a level").expect("two centres");
    assert_eq!((pooled.between_variance, pooled.i_squared), (0.0, 0.0));
    assert!(pooled.prediction.lower.is_infinite(), "two centres leave no degrees of freedom");
    assert!(RandomEffectsMean::of(&[1.0], &[0.2], 0.95).expect("a level").is_none());
    assert!(RandomEffectsMean::of(&[1.0, 2.0], &[0.2, 0.0], 0.95).expect("a level").is_none());
}

#[test]
fn tests_of_constant_data_say_so() {
    let same = [3.0; 6];
    let is_constant = |result: Result<(), StatsError>| matches!(result, Err(StatsError::Constant { .. }));
    assert!(is_constant(two_sample(&same, &same, GroupVariance::Welch, Alternative::TwoSided, 0.95).map(drop)));
    assert!(is_constant(paired(&same, &same, Alternative::TwoSided, 0.95).map(drop)));
    let untested = |p: f64| p.is_nan() || p == 1.0;
    for p in [
        mann_whitney(&same, &same, RankMethod::Automatic, Alternative::TwoSided).map(|t| t.p_value),
        wilcoxon(&same, &same, Alternative::TwoSided).map(|t| t.p_value),
        anova::one_way(&[&same, &same]).map(|t| t.p_value),
        correlation_test(&same, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], Correlation::Pearson, 0.95).map(|t| t.test.p_value),
    ]
    .into_iter()
    .flatten()
    {
        assert!(untested(p), "{p}");
    }
    for kind in [Correlation::Pearson, Correlation::Spearman] {
        assert!(correlation(&same, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], kind).expect("six values").is_nan());
    }
    assert_eq!(bland_altman(&same, &same, 0.95).expect("six subjects").standard_deviation, 0.0);
    // Readers who always say the same thing agree by chance alone.
    for count in 1..40 {
        let kappa = cohen_kappa(&vec![1; count], &vec![1; count], 0.95).expect("subjects");
        assert!(kappa.estimate.is_nan(), "{count} subjects: {}", kappa.estimate);
    }
    let analysis = IccAnalysis::of(Array2::from_elem((4, 2), 0.1).view(), IccEstimation::Anova, 0.95);
    assert!(analysis.is_err() || analysis.is_ok_and(|a| a.ms_between.abs() < 1e-20));
}

#[test]
fn groups_without_variation_have_documented_answers() {
    let (low, high, varied) = ([0.1; 7], [0.3; 5], [0.1, 0.4, 0.2]);
    for n in 1..60 {
        assert!(n < 2 || variance(&vec![0.1; n]) == 0.0, "{n} equal values");
        assert_eq!(mean(&vec![0.1; n]), 0.1);
    }
    let between = anova::one_way(&[&low, &high]).expect("two groups");
    assert!(between.statistic.is_infinite() && between.p_value == 0.0);
    assert!(anova::one_way(&[&low, &low]).expect("two groups").p_value.is_nan());
    assert!(anova::welch(&[&low, &varied]).expect("two groups").p_value.is_nan());
    assert!(anova::kruskal_wallis(&[&low, &low]).expect("two groups").p_value.is_nan());
    let bartlett = |groups: &[&[f64]]| variances::bartlett(groups).expect("two groups");
    assert!(bartlett(&[&low, &varied]).statistic.is_infinite() && bartlett(&[&low, &varied]).p_value == 0.0);
    assert!(bartlett(&[&low, &high]).p_value.is_nan());
    let f = |x: &[f64], y: &[f64]| variances::f_test(x, y, Alternative::TwoSided, 0.95).expect("two groups");
    assert!(f(&varied, &low).statistic.is_infinite() && f(&low, &high).p_value.is_nan());
    assert!(variances::levene(&[&low, &high], Center::Median).expect("two groups").p_value.is_nan());
}

#[test]
fn markers_without_a_pair_and_unknown_references_are_refused() {
    let labels = alternating(8);
    let scores = [0.1, 0.5, 0.3, 0.2, 0.8, 0.6, 0.7, 0.4];
    let marker = Marker { scores: &scores, direction: Direction::HigherIsPositive };
    let one = paired_tests(&labels, &[marker], AucPairs::All, Adjustment::Holm, 0.95).expect_err("one marker");
    assert_eq!(one.to_string(), "paired DeLong tests: the number of markers is 1; it must be at least 2");
    let unknown = paired_tests(&labels, &[marker; 2], AucPairs::Against(2), Adjustment::Holm, 0.95);
    assert_eq!(
        unknown.expect_err("two markers").to_string(),
        "place of the reference marker is 2; it must be below the number of markers"
    );
}

#[test]
fn follow_up_without_events_or_at_one_time_has_documented_answers() {
    let censored = FollowUp::new(vec![1.0, 2.0, 3.0], vec![false; 3]).expect("valid times");
    let curve = KaplanMeier::fit(&censored, KaplanMeierParams::default()).expect("patients");
    assert_eq!((curve.survival_at(9.0), curve.quantile(0.5).expect("a share").estimate), (1.0, None));
    let undefined = |result: Result<(), StatsError>| matches!(result, Err(StatsError::Undefined { .. }));
    let risks = [0.1, 0.2, 0.3];
    assert!(undefined(harrell_c(&censored, &risks, ConcordanceParams::default()).map(drop)));
    assert!(undefined(time_dependent_auc(&censored, &risks, &[2.0], 0.95).map(drop)));
    assert!(log_rank(&censored, &[0, 1, 1]).is_err());
    let calibration = calibration_at(&censored, &risks, 2.0, 3, 0.95).expect("a time within the follow-up");
    assert_eq!(calibration.observed, 0.0);
    // All patients at one time: no pair is comparable, and no one is left after it.
    let together = FollowUp::new(vec![2.0; 3], vec![true; 3]).expect("valid times");
    assert!(undefined(uno_c(&together, &risks, ConcordanceParams::default()).map(drop)));
    assert!(undefined(time_dependent_auc(&together, &risks, &[2.0], 0.95).map(drop)));
    assert!(undefined(log_rank(&together, &[0, 1, 1]).map(drop)) || log_rank(&together, &[0, 1, 1]).is_ok());
    let last = KaplanMeier::fit(&together, KaplanMeierParams::default()).expect("patients").points()[0];
    assert!(last.survival == 0.0 && last.standard_error.is_nan() && last.interval.lower.is_nan());
    // One patient.
    let one = FollowUp::new(vec![2.0], vec![true]).expect("a valid time");
    assert!(harrell_c(&one, &[0.1], ConcordanceParams::default()).is_err());
    for (time, said) in [(0.0, "0"), (3.5, "3.5")] {
        assert_eq!(
            prediction_error(&censored, &risks, time, 0.95).expect_err("refused").to_string(),
            format!("time of the prediction is {said}; it must be above 0 and at most the longest follow-up")
        );
    }
    let columns = Array2::from_elem((3, 2), 0.5);
    assert!(integrated_brier(&censored, columns.view(), &[2.0, 1.0], 0.95).is_err());
    assert_eq!(
        FollowUp::new(vec![-1.0], vec![true]).expect_err("refused").to_string(),
        "follow-up time is -1; it must be at least 0"
    );
}

#[test]
fn ordered_outcomes_of_one_category_are_undefined() {
    let error = ordinal_c(&[1.0, 1.0], &[0.2, 0.3], 0.95).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "concordance of an ordered outcome is undefined; two patients must differ in their outcome"
    );
    let probabilities = Array2::from_shape_fn((4, 3), |(i, k)| if k == i.min(2) { 0.6 } else { 0.2 });
    let performance = ordinal_performance(&[0, 0, 1, 1], probabilities.view(), 0.95).expect("two categories occur");
    assert!(performance.cuts[1].auc.is_none() && performance.cuts[1].recalibration.is_none());
}

#[test]
fn validations_of_a_predictor_that_does_not_vary_have_no_size() {
    let params = ExternalValidationSizeParams::new(0.2, 0.7, PredictorDistribution::Observed(vec![-1.0; 5]));
    assert_eq!(
        external_validation(params).expect_err("refused").to_string(),
        "sample size for the calibration slope is undefined; the linear predictor must vary among patients whose risks \
         are neither 0 nor 1"
    );
}
