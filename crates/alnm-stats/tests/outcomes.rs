//! Survival statistics, calibration with bands and by centre, and sample sizes of validations against R; the scripts
//! are beside the data in tests/golden.

use std::collections::BTreeMap;

use alnm_conformance::golden::{fields, number};
use alnm_stats::Labels;
use alnm_stats::calibration::{
    CalibrationSmoother, IsotonicCalibration, PlattScaling, SmoothCalibrationParams, calibration_by_centre,
    smooth_calibration,
};
use alnm_stats::decision_curve::DecisionCurve;
use alnm_stats::delong::{AucPairs, Marker, paired_tests};
use alnm_stats::multiplicity::Adjustment;
use alnm_stats::restricted_spline::RestrictedSpline;
use alnm_stats::roc::Direction;
use alnm_stats::sample_size::{
    ExternalValidationSize, ExternalValidationSizeParams, NetBenefitTarget, PredictorDistribution, external_validation,
};
use alnm_stats::survival::{
    ConcordanceParams, FollowUp, KaplanMeier, KaplanMeierParams, SurvivalInterval, calibration_at, harrell_c,
    integrated_brier, log_rank, prediction_error, stratified_log_rank, time_dependent_auc, uno_c,
};
use ndarray::Array2;

/// Golden values by case and name.
struct Golden(BTreeMap<(String, String), f64>);

impl Golden {
    fn read(text: &str) -> Self {
        let value = |text: &str| if text == "NA" || text == "NaN" { f64::NAN } else { number(text) };
        Self(fields(text).skip(1).map(|r| ((r[0].to_owned(), r[1].to_owned()), value(r[2]))).collect())
    }

    fn get(&self, case: &str, name: &str) -> f64 {
        *self.0.get(&(case.to_owned(), name.to_owned())).unwrap_or_else(|| panic!("no {name} of {case}"))
    }

    /// The values of a case whose names start so, with the rest of the name as a number.
    fn at(&self, case: &str, prefix: &str) -> Vec<(f64, f64)> {
        let of_case = self.0.iter().filter(|((c, name), _)| c == case && name.starts_with(prefix));
        of_case.map(|((_, name), value)| (number(&name[prefix.len()..]), *value)).collect()
    }
}

/// A column of a table.
fn column(text: &str, name: &str) -> Vec<String> {
    let rows: Vec<Vec<&str>> = fields(text).collect();
    let place = rows[0].iter().position(|n| *n == name).unwrap_or_else(|| panic!("no column {name}"));
    rows[1..].iter().map(|row| row[place].to_owned()).collect()
}

fn numbers(text: &str, name: &str) -> Vec<f64> {
    column(text, name).iter().map(|field| number(field)).collect()
}

fn assert_close(what: &str, ours: f64, expected: f64, tolerance: f64) {
    let close = (ours.is_nan() && expected.is_nan()) || (ours - expected).abs() <= tolerance * expected.abs().max(1.0);
    assert!(close, "{what} is {ours}; R has {expected}");
}

const SURVIVAL: &str = include_str!("golden/survival_cohort.csv");
const CALIBRATION: &str = include_str!("golden/calibration_cohort.csv");

fn follow_up(times: &str) -> FollowUp {
    let events = numbers(SURVIVAL, "event").iter().map(|event| *event == 1.0).collect();
    FollowUp::new(numbers(SURVIVAL, times), events).expect("times of at least 0")
}

fn codes(name: &str) -> Vec<usize> {
    numbers(SURVIVAL, name).iter().map(|code| *code as usize).collect()
}

#[test]
fn kaplan_meier_curves_equal_survfit() {
    let golden = Golden::read(include_str!("golden/survival_expected.csv"));
    let mut compared = 0;
    for times in ["exact", "tied"] {
        for (name, scale) in
            [("log", SurvivalInterval::Log), ("log-log", SurvivalInterval::LogLog), ("plain", SurvivalInterval::Plain)]
        {
            let params = KaplanMeierParams::default().with_interval(scale);
            let curve = KaplanMeier::fit(&follow_up(times), params).expect("patients");
            let case = format!("km:{times}:{name}");
            for (time, survival) in golden.at(&case, "surv:") {
                let point = curve.point_at(time).expect("a time of the data");
                let value = |field: &str| golden.0[&(case.clone(), format!("{field}:{}", key(&golden, &case, time)))];
                assert_close(&case, point.survival, survival, 1e-12);
                assert_close(&case, point.standard_error, value("se"), 1e-10);
                // Without an event yet, and with the log-log scale, R has no interval; here it is the value itself.
                let determined = |v: f64, own: f64| if v.is_nan() && survival == 1.0 { own } else { v };
                assert_close(&case, point.interval.lower, determined(value("lower"), 1.0), 1e-10);
                assert_close(&case, point.interval.upper, determined(value("upper"), 1.0), 1e-10);
                compared += 1;
            }
            for p in [0.25, 0.5] {
                let quantile = curve.quantile(p).expect("a share");
                let case = format!("quantile:{times}:{name}");
                for (field, ours) in
                    [("estimate", quantile.estimate), ("lower", quantile.lower), ("upper", quantile.upper)]
                {
                    let expected = golden.get(&case, &format!("{field}:{p}"));
                    assert_close(&format!("{case} {field} {p}"), ours.unwrap_or(f64::NAN), expected, 1e-12);
                }
            }
        }
    }
    assert!(compared > 80, "{compared}");
}

/// The text by which the golden file names a time.
fn key(golden: &Golden, case: &str, time: f64) -> String {
    let mut names = golden.0.keys().filter(|(c, name)| c == case && name.starts_with("surv:"));
    let (_, name) = names.find(|(_, name)| number(&name[5..]) == time).expect("a golden time");
    name[5..].to_owned()
}

#[test]
fn log_rank_tests_equal_survdiff() {
    let golden = Golden::read(include_str!("golden/survival_expected.csv"));
    for times in ["exact", "tied"] {
        let test = log_rank(&follow_up(times), &codes("group")).expect("three groups");
        let case = format!("log_rank:{times}");
        assert_close(&case, test.test.statistic, golden.get(&case, "chisq"), 1e-10);
        for group in &test.groups {
            assert_close(&case, group.expected, golden.get(&case, &format!("expected:{}", group.group)), 1e-10);
            assert_eq!(group.observed as f64, golden.get(&case, &format!("observed:{}", group.group)));
        }
        let within = stratified_log_rank(&follow_up(times), &codes("group"), &codes("centre")).expect("two centres");
        assert_close("strata", within.test.statistic, golden.get(&format!("stratified:{times}"), "chisq"), 1e-10);
    }
}

#[test]
fn concordances_equal_survival() {
    let golden = Golden::read(include_str!("golden/survival_expected.csv"));
    let risks = numbers(SURVIVAL, "risk");
    for times in ["exact", "tied"] {
        let follow_up = follow_up(times);
        let case = format!("harrell:{times}");
        let harrell = harrell_c(&follow_up, &risks, ConcordanceParams::default()).expect("events");
        assert_close(&case, harrell.c, golden.get(&case, "c"), 1e-12);
        assert_close(&case, harrell.standard_error, golden.get(&case, "se"), 1e-10);
        for (name, ours) in
            [("concordant", harrell.concordant), ("discordant", harrell.discordant), ("tied.x", harrell.tied_risk)]
        {
            assert_eq!(ours, golden.get(&case, name), "{case} {name}");
        }
        assert_eq!(harrell.tied_time, golden.get(&case, "tied.y") + golden.get(&case, "tied.xy"));
        let case = format!("uno:{times}");
        let uno = uno_c(&follow_up, &risks, ConcordanceParams::default()).expect("events");
        assert_close(&case, uno.c, golden.get(&case, "c"), 1e-8);
        assert_close(&case, uno.standard_error, golden.get(&case, "se"), 1e-8);
        let uno = uno_c(&follow_up, &risks, ConcordanceParams::default().with_horizon(9.75)).expect("events");
        assert_close(&case, uno.c, golden.get(&format!("uno_horizon:{times}"), "c"), 1e-8);
    }
}

/// scikit-survival 0.28.0, by make_survival_peers.py.
#[test]
fn concordances_areas_and_brier_scores_equal_scikit_survival() {
    let golden = Golden::read(include_str!("golden/survival_peers.csv"));
    let (risks, risk10) = (numbers(SURVIVAL, "risk"), numbers(SURVIVAL, "risk10"));
    for times in ["exact", "tied"] {
        let harrell = harrell_c(&follow_up(times), &risks, ConcordanceParams::default()).expect("events");
        assert_close("Harrell's C", harrell.c, golden.get(times, "harrell"), 1e-12);
    }
    let follow_up = follow_up("exact");
    let uno = uno_c(&follow_up, &risks, ConcordanceParams::default().with_horizon(9.75)).expect("events");
    assert_close("Uno's C", uno.c, golden.get("exact", "uno:9.75"), 1e-10);
    let error = prediction_error(&follow_up, &risk10, 10.0, 0.95).expect("a time within the follow-up");
    assert_close("Brier score", error.brier, golden.get("exact", "brier:10"), 1e-10);
    let (times, factors) = ([5.0, 8.0, 10.0], [0.6, 0.85, 1.0]);
    let by_time = Array2::from_shape_fn((risk10.len(), 3), |(row, k)| risk10[row] * factors[k]);
    let integrated = integrated_brier(&follow_up, by_time.view(), &times, 0.95).expect("times within the follow-up");
    assert_close("integrated Brier score", integrated.score, golden.get("exact", "integrated"), 1e-10);
    for area in time_dependent_auc(&follow_up, &risks, &times, 0.95).expect("cases and controls") {
        let name = format!("auc:{}", area.time);
        assert_close(&name, area.auc, golden.get("exact", &name), 1e-10);
    }
}

/// R's glm and dcurves 1.1.7, by make_calibration_peers.py.
#[test]
fn platts_scaling_and_curves_at_a_prevalence_equal_others() {
    let golden = Golden::read(include_str!("golden/calibration_peers.csv"));
    const SAMPLE: &str = include_str!("golden/sample.csv");
    let labels = Labels::from_values(&numbers(SAMPLE, "event")).expect("0 and 1");
    let platt = PlattScaling::fit(&labels, &numbers(SAMPLE, "value")).expect("both classes");
    assert_close("intercept", platt.intercept(), golden.get("platt", "intercept"), 1e-9);
    assert_close("slope", platt.slope(), golden.get("platt", "slope"), 1e-9);
    let thresholds = [0.05, 0.1, 0.2, 0.35, 0.5, 0.7];
    for prevalence in [0.1, 0.6] {
        let curve = DecisionCurve::with_prevalence(&labels, &numbers(SAMPLE, "risk"), &thresholds, prevalence);
        for point in curve.expect("both classes").points() {
            let get =
                |kind: &str| golden.get(&format!("prevalence {prevalence}"), &format!("{kind}:{}", point.threshold));
            assert_close("net benefit", point.net_benefit, get("risk"), 1e-12);
            assert_close("net benefit of treating all", point.treat_all, get("all"), 1e-12);
        }
    }
}

#[test]
fn areas_and_brier_scores_equal_riskregression() {
    let golden = Golden::read(include_str!("golden/survival_expected.csv"));
    let follow_up = follow_up("exact");
    let risk10 = numbers(SURVIVAL, "risk10");
    for (time, factor) in [(3.0, 0.5), (6.0, 0.8), (10.0, 1.0)] {
        let risks: Vec<f64> = risk10.iter().map(|risk| risk * factor).collect();
        let area = time_dependent_auc(&follow_up, &risks, &[time], 0.95).expect("cases and controls")[0];
        let error = prediction_error(&follow_up, &risks, time, 0.95).expect("a time within the follow-up");
        for (name, ours, tolerance) in [
            ("auc", area.auc, 1e-8),
            ("auc_se", area.standard_error, 1e-8),
            ("brier", error.brier, 1e-8),
            ("brier_se", error.standard_error, 1e-8),
            ("null", error.null_brier, 1e-8),
            ("ipa", error.scaled, 1e-8),
        ] {
            assert_close(&format!("{name} at {time}"), ours, golden.get("score", &format!("{name}:{time}")), tolerance);
        }
    }
    let calibration = calibration_at(&follow_up, &risk10, 6.0, 5, 0.95).expect("five groups");
    for (k, group) in calibration.groups.iter().enumerate() {
        for (name, ours) in [
            ("observed", group.observed),
            ("lower", group.interval.lower),
            ("upper", group.interval.upper),
            ("expected", group.mean_risk),
        ] {
            assert_close(name, ours, golden.get("calibration", &format!("{name}:{}", k + 1)), 1e-10);
        }
    }
    assert_close("O/E", calibration.observed_over_expected, golden.get("calibration", "oe"), 1e-10);
    assert_close("O/E upper", calibration.interval.upper, golden.get("calibration", "oe_upper"), 1e-10);
}

fn calibration_data() -> (Labels, Vec<f64>) {
    (Labels::from_values(&numbers(CALIBRATION, "y")).expect("0 and 1"), numbers(CALIBRATION, "risk"))
}

#[test]
fn calibration_bands_equal_r() {
    let golden = Golden::read(include_str!("golden/calibration_expected.csv"));
    let (labels, risks) = calibration_data();
    let smoothers = [3, 4, 5].map(|knots| (format!("rcs{knots}"), CalibrationSmoother::RestrictedSpline { knots }));
    for (case, smoother) in
        smoothers.into_iter().chain([("loess".to_owned(), CalibrationSmoother::Loess { span: 0.75 })])
    {
        let params = SmoothCalibrationParams::default().with_smoother(smoother).with_points(11);
        let curve = smooth_calibration(&labels, &risks, params).expect("risks that vary");
        for (k, point) in curve.points.iter().enumerate() {
            for (name, ours) in
                [("observed", point.observed), ("lower", point.interval.lower), ("upper", point.interval.upper)]
            {
                assert_close(&format!("{case} {name}"), ours, golden.get(&case, &format!("{name}:{k}")), 1e-8);
            }
        }
        if case != "loess" {
            assert_close(&case, curve.error.ici, golden.get(&case, "ici"), 1e-8);
        }
    }
    let logits: Vec<f64> = risks.iter().map(|p| (p / (1.0 - p)).ln()).collect();
    for count in 3..=5 {
        let spline = RestrictedSpline::at_quantiles(&logits, count).expect("distinct knots");
        for (k, knot) in spline.knots().iter().enumerate() {
            assert_close("knot", *knot, golden.get(&format!("rcs{count}"), &format!("knot:{k}")), 1e-12);
        }
    }
}

#[test]
fn isotonic_risks_are_those_of_pooled_neighbours() {
    let golden = Golden::read(include_str!("golden/calibration_expected.csv"));
    let (labels, risks) = calibration_data();
    let isotonic = IsotonicCalibration::fit(&labels, &risks).expect("patients");
    for (score, risk) in golden.at("isotonic", "") {
        assert_close("isotonic risk", isotonic.apply(score), risk, 1e-12);
    }
}

#[test]
fn centres_are_pooled_as_by_dersimonian_and_laird() {
    let golden = Golden::read(include_str!("golden/calibration_expected.csv"));
    let (labels, risks) = calibration_data();
    let by_centre = calibration_by_centre(&labels, &risks, &column(CALIBRATION, "centre"), 0.95).expect("four centres");
    assert_eq!(by_centre.centres.len(), 4);
    for (case, pooled) in [("slope", by_centre.slope), ("large", by_centre.in_the_large), ("auc", by_centre.logit_auc)]
    {
        let pooled = pooled.expect("every centre has both outcomes");
        for (name, ours) in [
            ("estimate", pooled.estimate),
            ("se", pooled.standard_error),
            ("tau2", pooled.between_variance),
            ("i2", pooled.i_squared),
            ("prediction", pooled.prediction.upper),
        ] {
            assert_close(&format!("{case} {name}"), ours, golden.get(case, name), 1e-9);
        }
    }
}

#[test]
fn comparisons_of_areas_are_adjusted_as_by_p_adjust() {
    let golden = Golden::read(include_str!("golden/calibration_expected.csv"));
    let (labels, risks) = calibration_data();
    let others = [numbers(CALIBRATION, "other"), numbers(CALIBRATION, "third")];
    let markers =
        [&risks, &others[0], &others[1]].map(|scores| Marker { scores, direction: Direction::HigherIsPositive });
    for (name, adjustment) in
        [("holm", Adjustment::Holm), ("bonferroni", Adjustment::Bonferroni), ("BH", Adjustment::BenjaminiHochberg)]
    {
        let tests = paired_tests(&labels, &markers, AucPairs::All, adjustment, 0.95).expect("three markers");
        assert_eq!(tests.iter().map(|t| (t.first, t.second)).collect::<Vec<_>>(), [(0, 1), (0, 2), (1, 2)]);
        for (k, test) in tests.iter().enumerate() {
            assert_close(name, test.adjusted_p_value, golden.get(name, &format!("p:{k}")), 1e-9);
        }
    }
}

/// Riley et al. (2021), mechanical heart valve failure, and the examples of pmvalsampsize.
#[test]
fn sample_sizes_of_external_validations_are_those_of_pmvalsampsize() {
    let golden = Golden::read(include_str!("golden/calibration_expected.csv"));
    let drawn: Vec<f64> = fields(include_str!("golden/linear_predictors.csv")).map(|row| number(row[0])).collect();
    let normal = PredictorDistribution::Normal { mean: -5.0, standard_deviation: 2.5 };
    let heart = |predictor| ExternalValidationSizeParams::new(0.018, 0.8, predictor).with_observed_expected_width(1.0);
    let with_threshold =
        ExternalValidationSizeParams::new(0.43, 0.82, PredictorDistribution::BetaRisk { alpha: 1.33, beta: 1.75 });
    // Sizes for the slope from a million draws vary about the integral; a thousand given draws leave no room.
    let cases = [
        ("heart_valve", heart(normal.clone()), 0.004),
        ("heart_valve_1000", heart(PredictorDistribution::Observed(drawn)), 0.0),
        ("heart_valve_beta", heart(PredictorDistribution::BetaRisk { alpha: 0.5, beta: 0.5 }), 0.004),
        ("net_benefit", heart(normal).with_net_benefit(NetBenefitTarget::new(0.08).with_accuracy(0.5, 0.5)), 0.004),
        ("net_benefit_threshold", with_threshold.with_net_benefit(NetBenefitTarget::new(0.3)), 0.004),
        ("cstat", heart(PredictorDistribution::FromCStatistic), 0.01),
    ];
    for (case, params, tolerance) in cases {
        let size: ExternalValidationSize = external_validation(params).expect("parameters within their range");
        assert_eq!(size.for_observed_expected as f64, golden.get(case, "Criteria 1 - O/E"), "{case}");
        assert_eq!(size.for_c_statistic as f64, golden.get(case, "Criteria 3 - C statistic"), "{case}");
        let slope = golden.get(case, "Criteria 2 - C-slope");
        assert!((size.for_slope as f64 - slope).abs() <= tolerance * slope, "{case}: {} {slope}", size.for_slope);
        if let Some(ours) = size.for_net_benefit {
            assert_eq!(ours as f64, golden.get(case, "Criteria 4 - St Net Benefit"), "{case}");
        }
        assert!(size.required >= size.for_slope.max(size.for_c_statistic));
    }
}
