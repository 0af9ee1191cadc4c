//! Properties that hold for any data, and degenerate input that must never panic.

use alnm_stats::agreement::cohen_kappa;
use alnm_stats::bootstrap::{self, Resampling};
use alnm_stats::calibration::{
    brier, brier_decomposition, hosmer_lemeshow, loess_curve, lowess_curve, recalibrate, validate,
};
use alnm_stats::correlation::{Correlation, correlation_test};
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::decision_curve::{DecisionCurve, DecisionIntervalParams, even_thresholds};
use alnm_stats::delong::{Marker, auc_estimate, covariance};
use alnm_stats::distribution::{beta_cdf, beta_quantile, f_cdf, f_quantile, f_upper_tail};
use alnm_stats::icc::{IccAnalysis, IccEstimation};
use alnm_stats::loess::LoessParams;
use alnm_stats::normality::shapiro_wilk;
use alnm_stats::optimism::{Stratification, validate as validate_optimism};
use alnm_stats::precision_recall::PrecisionRecallCurve;
use alnm_stats::proportion::ProportionInterval;
use alnm_stats::rank_sum::{RankMethod, location_shift, mann_whitney};
use alnm_stats::reclassification::{categorical_nri, continuous_improvement};
use alnm_stats::roc::{Direction, RocCurve};
use alnm_stats::signed_rank::wilcoxon;
use alnm_stats::t_test::{GroupVariance, two_sample};
use alnm_stats::table_one::{Characteristic, TableOne, TableOneParams};
use alnm_stats::{Alternative, Labels, StatsError};
use ndarray::Array2;
use proptest::prelude::*;

/// Labels with both classes twice or more, and scores with ties.
fn scored() -> impl Strategy<Value = (Labels, Vec<f64>)> {
    prop::collection::vec((any::<bool>(), -6..7i32), 8..60).prop_map(|v| {
        let labels = Labels::new(v.iter().enumerate().map(|(i, (l, _))| if i < 4 { i % 2 == 0 } else { *l }).collect());
        (labels, v.iter().map(|(_, s)| f64::from(*s) / 2.0).collect::<Vec<f64>>())
    })
}

/// Placement values by their definition, pair by pair.
fn delong_by_definition(labels: &Labels, a: &[f64], b: &[f64]) -> f64 {
    let wins = |x: f64, y: f64| {
        if x > y {
            1.0
        } else if x == y {
            0.5
        } else {
            0.0
        }
    };
    let class = |s: &[f64], keep: bool| -> Vec<f64> {
        s.iter().zip(labels.as_slice()).filter(|(_, l)| **l == keep).map(|(v, _)| *v).collect()
    };
    let placements = |s: &[f64]| {
        let (cases, controls) = (class(s, true), class(s, false));
        let of_cases: Vec<f64> =
            cases.iter().map(|c| controls.iter().map(|d| wins(*c, *d)).sum::<f64>() / controls.len() as f64).collect();
        let of_controls: Vec<f64> =
            controls.iter().map(|d| cases.iter().map(|c| wins(*c, *d)).sum::<f64>() / cases.len() as f64).collect();
        (of_cases, of_controls)
    };
    let part = |x: &[f64], y: &[f64]| {
        let n = x.len() as f64;
        let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
        x.iter().zip(y).map(|(u, v)| (u - mx) * (v - my)).sum::<f64>() / (n - 1.0) / n
    };
    let ((a10, a01), (b10, b01)) = (placements(a), placements(b));
    part(&a10, &b10) + part(&a01, &b01)
}

proptest! {
    #[test]
    fn auc_is_invariant_under_monotone_maps((labels, scores) in scored()) {
        let auc = |s: &[f64]| RocCurve::new(&labels, s, Direction::HigherIsPositive).map(|r| r.auc());
        let mapped: Vec<f64> = scores.iter().map(|s| (s * 0.7).exp() + 3.0).collect();
        let reversed: Vec<f64> = scores.iter().map(|s| -s).collect();
        prop_assert_eq!(auc(&scores), auc(&mapped));
        let sum = auc(&scores).expect("both classes") + auc(&reversed).expect("both classes");
        prop_assert!((sum - 1.0).abs() < 1e-12);
    }

    #[test]
    fn delong_equals_its_definition((labels, scores) in scored()) {
        let other: Vec<f64> = scores.iter().enumerate().map(|(i, s)| s + f64::from((i % 5) as u8)).collect();
        let marker = |scores| Marker { scores, direction: Direction::HigherIsPositive };
        let fast = covariance(&labels, marker(&scores), marker(&other)).expect("both classes");
        prop_assert!((fast - delong_by_definition(&labels, &scores, &other)).abs() < 1e-12);
        let roc = RocCurve::new(&labels, &scores, Direction::HigherIsPositive).expect("both classes");
        let variance = auc_estimate(&roc, 0.95).expect("a level").variance;
        prop_assert!((variance - delong_by_definition(&labels, &scores, &scores)).abs() < 1e-12);
    }

    #[test]
    fn rank_sum_and_roc_count_the_same_pairs((labels, scores) in scored()) {
        let groups = labels.split(&scores).expect("equal lengths");
        let w = mann_whitney(&groups.positive, &groups.negative, RankMethod::Normal, Alternative::TwoSided).expect("both classes").statistic;
        let auc = RocCurve::new(&labels, &scores, Direction::HigherIsPositive).expect("both classes").auc();
        prop_assert!((w / (groups.positive.len() * groups.negative.len()) as f64 - auc).abs() < 1e-12);
    }

    #[test]
    fn brier_score_is_reliability_less_resolution_plus_uncertainty((labels, scores) in scored()) {
        let risks: Vec<f64> = scores.iter().map(|s| (s + 3.0) / 6.0).map(|p| p.clamp(0.0, 1.0)).collect();
        let d = brier_decomposition(&labels, &risks).expect("risks");
        let score = brier(&labels, &risks).expect("risks").score;
        prop_assert!((d.reliability - d.resolution + d.uncertainty - score).abs() < 1e-12);
    }

    #[test]
    fn treating_all_is_the_model_that_calls_everyone_positive((labels, _) in scored()) {
        let curve = DecisionCurve::new(&labels, &vec![1.0; labels.len()], &even_thresholds(20)).expect("thresholds");
        for p in curve.points() {
            prop_assert!((p.net_benefit - p.treat_all).abs() < 1e-12);
        }
    }

    #[test]
    fn decision_curve_equals_its_definition((labels, scores) in scored()) {
        let risks: Vec<f64> = scores.iter().map(|s| (s + 3.0) / 6.1).map(|p| p.clamp(0.0, 1.0)).collect();
        // Not in order, one of them a risk that patients have.
        let thresholds = [0.5, 0.05, risks[0].min(0.99), 0.3];
        let n = risks.len() as f64;
        for point in DecisionCurve::new(&labels, &risks, &thresholds).expect("thresholds").points() {
            let treated = |class: bool| risks.iter().zip(labels.as_slice()).filter(|(r, l)| **r >= point.threshold && **l == class).count() as f64 / n;
            let odds = point.threshold / (1.0 - point.threshold);
            prop_assert!((point.net_benefit - (treated(true) - treated(false) * odds)).abs() < 1e-12);
        }
    }

    #[test]
    fn quantiles_invert_their_distributions(p in 1e-8..1.0f64, d1 in 0.3..200.0f64, d2 in 0.3..200.0f64) {
        let f = f_quantile(p, d1, d2);
        prop_assert!((f_cdf(f, d1, d2) - p).abs() < 1e-11 + 1e-10 * p, "F quantile {f}");
        let x = beta_quantile(p, d1, d2);
        // Close to 1 the quantile's neighbours among the doubles are farther apart than that.
        let spacing = beta_cdf(x.next_up(), d1, d2) - beta_cdf(x.next_down(), d1, d2);
        prop_assert!(x <= 0.0 || x >= 1.0 || (beta_cdf(x, d1, d2) - p).abs() < 1e-11 + 1e-10 * p + spacing, "beta quantile {x}");
    }

    #[test]
    fn tails_of_the_f_distribution_add_up(f in -12.0..12.0f64, d1 in 0.3..200.0f64, d2 in 0.3..200.0f64) {
        let f = 10f64.powf(f);
        prop_assert!((f_cdf(f, d1, d2) + f_upper_tail(f, d1, d2) - 1.0).abs() < 1e-12);
        // F(f; d1, d2) = P(F > 1/f; d2, d1)
        prop_assert!((f_cdf(f, d1, d2) - f_upper_tail(1.0 / f, d2, d1)).abs() < 1e-12);
    }

    #[test]
    fn shapiro_wilk_is_invariant_under_scale_and_shift(values in prop::collection::vec(-50.0..50.0f64, 5..80)) {
        if let Ok(test) = shapiro_wilk(&values) {
            let moved: Vec<f64> = values.iter().map(|v| 3.0 * v + 17.0).collect();
            let other = shapiro_wilk(&moved).expect("varies as well");
            prop_assert!((test.statistic - other.statistic).abs() < 1e-9);
        }
    }

    #[test]
    fn nothing_panics_on_arbitrary_numbers(
        values in prop::collection::vec(prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(0.0), Just(1.0), -1e3..1e3f64], 0..24),
        flags in prop::collection::vec(any::<bool>(), 0..24),
    ) {
        let labels = Labels::new(flags);
        let half = values.len() / 2;
        let (x, y) = values.split_at(half);
        let _ = two_sample(x, y, GroupVariance::Pooled, Alternative::TwoSided, 0.95);
        let _ = mann_whitney(x, y, RankMethod::Automatic, Alternative::Less);
        let _ = location_shift(x, y, 0.9);
        let _ = shapiro_wilk(&values);
        let _ = RocCurve::new(&labels, &values, Direction::HigherIsPositive).map(|r| (r.youden_cutoff(), auc_estimate(&r, 0.95)));
        let _ = PrecisionRecallCurve::new(&labels, &values);
        let _ = hosmer_lemeshow(&labels, &values, 10);
        let _ = recalibrate(&labels, &values, 0.95);
        let _ = validate(&labels, &values, 0.95);
        let _ = loess_curve(&labels, &values, LoessParams::default());
        let _ = lowess_curve(&labels, &values);
        let _ = DecisionCurve::new(&labels, &values, &[0.1, 0.5]);
        let _ = TableOne::new(&labels, &[Characteristic::continuous("v", "", values.clone())], TableOneParams::default());
        let _ = IccAnalysis::of(Array2::from_shape_fn((half, 2), |(i, j)| values[2 * i + j]).view(), IccEstimation::Reml, 0.95);
    }
}

#[test]
fn bootstrap_does_not_depend_on_the_number_of_threads() {
    let labels = Labels::new((0..90).map(|i| i % 3 == 0).collect());
    let scores: Vec<f64> = (0..90).map(|i| f64::from((i * 31 + 7) % 23)).collect();
    let run = || {
        bootstrap::auc(&labels, &scores, Direction::HigherIsPositive, Resampling::new(300, 5)).expect("both classes")
    };
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool").install(run);
    let four = rayon::ThreadPoolBuilder::new().num_threads(4).build().expect("a pool").install(run);
    assert_eq!(one, four);
    assert!(one.percentile(0.95).expect("a level").contains(one.estimate()));
    let jackknife: Vec<f64> = (0..90)
        .map(|out| {
            let rows: Vec<usize> = (0..90).filter(|&i| i != out).collect();
            let part: Vec<f64> = rows.iter().map(|&r| scores[r]).collect();
            RocCurve::new(&labels.select(&rows), &part, Direction::HigherIsPositive).expect("both classes").auc()
        })
        .collect();
    assert!(one.bias_corrected_accelerated(&jackknife, 0.95).expect("an interval").contains(one.estimate()));
}

#[test]
fn optimism_of_a_memorising_model_is_found() {
    // A "model" that remembers its rows is perfect on them and knows nothing else.
    let labels = Labels::new((0..80).map(|i| (i * 7) % 3 == 0).collect());
    let measured = validate_optimism(
        &labels,
        Stratification::ByOutcome,
        Resampling::new(50, 3),
        |rows| Some(rows.to_vec()),
        |known, rows| vec![rows.iter().filter(|r| known.contains(r)).count() as f64 / rows.len() as f64],
    )
    .expect("a model");
    assert_eq!(measured[0].apparent, 1.0);
    assert!(measured[0].optimism > 0.3 && measured[0].corrected < 0.7, "{measured:?}");
}

#[test]
fn undefined_statistics_say_why() {
    let one_class = Labels::new(vec![true; 5]);
    let scores = [0.1, 0.2, 0.3, 0.4, 0.5];
    assert!(matches!(
        RocCurve::new(&one_class, &scores, Direction::HigherIsPositive),
        Err(StatsError::OneClass { positives: 5, negatives: 0, .. })
    ));
    assert!(matches!(
        two_sample(&[1.0; 4], &[1.0; 4], GroupVariance::Welch, Alternative::TwoSided, 0.95),
        Err(StatsError::Constant { .. })
    ));
    assert!(matches!(shapiro_wilk(&[2.0; 6]), Err(StatsError::Constant { .. })));
    assert!(matches!(Labels::from_values(&[0.0, 2.0]), Err(StatsError::Label { index: 1, .. })));
}

#[test]
fn intervals_of_a_decision_curve_hold_it_and_do_not_depend_on_threads() {
    let labels = Labels::new((0..120).map(|i| i % 3 == 0).collect());
    let risks: Vec<f64> = (0..120).map(|i| f64::from((i * 31 + 7) % 100) / 100.0).collect();
    let thresholds = [0.0, 0.2, 0.4];
    let run = |stratification| {
        DecisionCurve::intervals(
            &labels,
            &risks,
            &thresholds,
            DecisionIntervalParams::default()
                .with_stratification(stratification)
                .with_resampling(Resampling::new(300, 2))
                .with_level(0.9),
        )
        .expect("both classes")
    };
    let curve = DecisionCurve::new(&labels, &risks, &thresholds).expect("thresholds");
    for stratification in [Stratification::None, Stratification::ByOutcome] {
        let one =
            rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool").install(|| run(stratification));
        for (interval, point) in one.iter().zip(curve.points()) {
            assert!(interval.net_benefit.contains(point.net_benefit), "{interval:?} {point:?}");
        }
        assert!(one[0].interventions_avoided.lower.is_nan());
        assert_eq!(format!("{one:?}"), format!("{:?}", run(stratification)), "the same at any number of threads");
    }
    // At threshold 0 everybody is treated: with the prevalence kept the net benefit has no spread.
    let kept = run(Stratification::ByOutcome)[0].net_benefit;
    assert!((kept.upper - kept.lower).abs() < 1e-12);
}

/// A table of a result: as many cells in a row as columns, and as many rows as expected.
fn assert_table(table: &alnm_stats::data_table::DataTable, rows: usize) {
    assert_eq!(table.len(), rows, "{:?}", table.columns());
    assert!(table.rows().all(|r| r.len() == table.columns().len()), "{table:?}");
    assert_eq!(table.to_csv().lines().count(), rows + 1);
}

#[test]
fn results_lay_themselves_out_as_tables() {
    let labels = Labels::new((0..40).map(|i| i % 3 == 0).collect());
    let risks: Vec<f64> = (0..40).map(|i| (f64::from((i * 17 + 5) % 39) + 1.0) / 41.0).collect();
    let other: Vec<f64> = risks.iter().rev().copied().collect();
    let roc = RocCurve::new(&labels, &risks, Direction::HigherIsPositive).expect("both classes");
    assert_table(&roc.to_table(), roc.len());
    assert_table(&roc.youden_cutoff().to_table(), 1);
    assert_table(&auc_estimate(&roc, 0.95).expect("a level").to_table(), 1);
    assert_table(&PrecisionRecallCurve::new(&labels, &risks).expect("both classes").to_table(), 40);
    assert_table(
        &two_sample(&risks, &other, GroupVariance::Welch, Alternative::Less, 0.95).expect("groups").to_table(),
        1,
    );
    let cutoff = roc.youden_cutoff().table.metrics(ProportionInterval::Wilson, 0.95).expect("a level");
    assert_table(&cutoff.to_table(), 6);
    assert_table(&hosmer_lemeshow(&labels, &risks, 10).expect("risks").to_table(), 10);
    assert_table(&validate(&labels, &risks, 0.95).expect("risks").to_table(), 14);
    assert_table(&recalibrate(&labels, &risks, 0.95).expect("risks").to_table(), 3);
    assert_table(&brier(&labels, &risks).expect("risks").to_table(), 1);
    assert_table(&lowess_curve(&labels, &risks).expect("risks").to_table(), 40);
    assert_table(&categorical_nri(&labels, &risks, &other, &[0.3, 0.6], 0.95).expect("risks").to_table(), 3);
    assert_table(&continuous_improvement(&labels, &risks, &other).expect("risks").to_table(), 4);
    let ratings = Array2::from_shape_fn((20, 2), |(i, j)| risks[i] + 0.01 * (i * j) as f64);
    assert_table(&IccAnalysis::of(ratings.view(), IccEstimation::Anova, 0.95).expect("ratings").to_table(), 6);
    assert_table(&vec![cohen_kappa(&[0, 1, 1], &[0, 1, 0], 0.95).expect("ratings"); 2].to_table(), 2);
    let table = TableOne::new(&labels, &[Characteristic::continuous("size", "mm", risks)], TableOneParams::default())
        .expect("both classes");
    assert_table(&table.to_table(), 1);
}

/// An input on which a tail whose argument is 1 but for 7e-11 had only eight digits.
#[test]
fn heavy_tails_of_the_f_distribution_keep_their_digits() {
    let (p, d1, d2) = (0.9424285928453573, 102.52403194317242, 0.3);
    assert!((f_cdf(f_quantile(p, d1, d2), d1, d2) - p).abs() < 1e-12);
}

#[test]
fn empty_input_is_an_error_everywhere() {
    let none = Labels::new(vec![]);
    assert!(RocCurve::new(&none, &[], Direction::HigherIsPositive).is_err());
    assert!(PrecisionRecallCurve::new(&none, &[]).is_err());
    assert!(DecisionCurve::new(&none, &[], &[0.1]).is_err());
    assert!(DecisionCurve::intervals(&none, &[], &[0.1], DecisionIntervalParams::default()).is_err());
    assert!(
        brier(&none, &[]).is_err()
            && recalibrate(&none, &[], 0.95).is_err()
            && hosmer_lemeshow(&none, &[], 10).is_err()
    );
    assert!(loess_curve(&none, &[], LoessParams::default()).is_err() && lowess_curve(&none, &[]).is_err());
    assert!(two_sample(&[], &[], GroupVariance::Welch, Alternative::TwoSided, 0.95).is_err());
    assert!(mann_whitney(&[], &[], RankMethod::Automatic, Alternative::TwoSided).is_err());
    assert!(shapiro_wilk(&[]).is_err() && wilcoxon(&[], &[], Alternative::TwoSided).is_err());
    assert!(IccAnalysis::of(Array2::zeros((0, 0)).view(), IccEstimation::Anova, 0.95).is_err());
    assert!(correlation_test(&[], &[], Correlation::Pearson, 0.95).is_err() && cohen_kappa(&[], &[], 0.95).is_err());
    assert!(
        categorical_nri(&none, &[], &[], &[0.5], 0.95).is_err() && continuous_improvement(&none, &[], &[]).is_err()
    );
    assert!(TableOne::new(&none, &[], TableOneParams::default()).is_err());
    assert!(bootstrap::auc(&none, &[], Direction::HigherIsPositive, Resampling::default()).is_err());
}

/// What journals print of a table, and the numbers behind it.
#[test]
fn a_baseline_table_prints_as_journals_do_and_holds_numbers() {
    let labels = Labels::new((0..24).map(|i| i % 2 == 0).collect());
    let age: Vec<f64> = (0..24).map(|i| 50.0 + f64::from((i * 7) % 24)).collect();
    let size: Vec<f64> = (0..24).map(|i| if i == 5 { f64::NAN } else { f64::from(i).exp() / 1e6 }).collect();
    let receptor = (0..24).map(|i| (i != 3).then_some(usize::from(i % 3 == 0))).collect();
    let table = TableOne::new(
        &labels,
        &[
            Characteristic::continuous("age", "years", age),
            Characteristic::continuous("size", "", size),
            Characteristic::categorical("ER", &["-", "+"], receptor).expect("codes"),
        ],
        TableOneParams::default(),
    )
    .expect("both classes");
    assert_eq!(
        table.printed().to_csv(),
        "variable,overall,negative,positive,test,statistic,p\n\
         age (years),61.50 ± 7.07,62.00 ± 7.21,61.00 ± 7.21,t,0.340,0.737\n\
         size,0.163 [0.001; 44.907],0.442 [0.005; 101.319],0.092 [0.000; 23.080],Mann-Whitney,0.554,0.608\n\
         ER,16 / 7,8 / 3,8 / 4,Fisher,,1.000\n\
         \u{20} -,16 (69.6 %),8 (72.7 %),8 (66.7 %),,,\n\
         \u{20} +,7 (30.4 %),3 (27.3 %),4 (33.3 %),,,\n"
    );
    let numbers = table.to_table();
    assert_eq!(numbers.len(), 5);
    assert_eq!(numbers.column("overall mean").expect("a column")[0], &Cell::Number(61.5));
    assert_eq!(numbers.column("negative missing").expect("a column")[1], &Cell::Count(1));
    assert_eq!(numbers.column("positive n").expect("a column")[4], &Cell::Count(4));
    assert_eq!(numbers.column("positive share").expect("a column")[4], &Cell::Number(4.0 / 12.0));
    // A group without a value has no test, and the table is made all the same.
    let absent = (0..24).map(|i| (i % 2 == 0).then_some(i % 4 / 2)).collect();
    let absent = Characteristic::categorical("HER2", &["-", "+"], absent).expect("codes");
    let table = TableOne::new(&labels, &[absent], TableOneParams::default()).expect("both classes");
    assert_eq!(table.rows()[0].comparison, None);
}
