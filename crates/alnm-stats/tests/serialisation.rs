//! Results written as JSON and read back: what a file holds satisfies what a computed value does.
#![cfg(feature = "serde")]

use alnm_stats::bootstrap::Resampling;
use alnm_stats::calibration::{CalibrationCurve, HosmerLemeshow, PlattScaling, hosmer_lemeshow, lowess_curve};
use alnm_stats::confusion::{ClassificationMetrics, ConfusionTable};
use alnm_stats::decision_curve::{DecisionCurve, even_thresholds};
use alnm_stats::delong::{AucEstimate, auc_estimate};
use alnm_stats::describe::mean;
use alnm_stats::icc::{IccAnalysis, IccEstimation};
use alnm_stats::optimism::{OptimismCorrected, Stratification, validate};
use alnm_stats::proportion::{Proportion, ProportionInterval};
use alnm_stats::roc::{Direction, RocCurve};
use alnm_stats::sample_size::{SampleSize, SampleSizeParams, prediction_model};
use alnm_stats::t_test::{GroupVariance, two_sample};
use alnm_stats::table_one::{Characteristic, TableOne, TableOneParams};
use alnm_stats::{Alternative, Interval, Labels, TestResult};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn labels() -> Labels {
    Labels::new((0..24).map(|i| i % 3 == 0 || i > 18).collect())
}

fn risks() -> Vec<f64> {
    (0..24).map(|i| (f64::from((i * 7) % 24) + 0.5) / 24.0).collect()
}

/// The value comes back as it was, and each change of its JSON form is refused in words that hold what is expected.
fn reads_back<T>(value: &T, damages: &[(&str, Value, &str)])
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let text = serde_json::to_string(value).expect("a JSON form");
    assert_eq!(&serde_json::from_str::<T>(&text).expect("the same form"), value);
    for (place, other, words) in damages {
        let mut damaged: Value = serde_json::from_str(&text).expect("JSON");
        *damaged.pointer_mut(place).unwrap_or_else(|| panic!("no {place} in {text}")) = other.clone();
        let error = serde_json::from_value::<T>(damaged).expect_err(place).to_string();
        assert!(error.contains(words), "{place}: {error}");
    }
}

#[test]
fn curves_are_checked() {
    let roc = RocCurve::new(&labels(), &risks(), Direction::HigherIsPositive).expect("both classes");
    reads_back::<RocCurve>(
        &roc,
        &[
            ("/thresholds", json!([]), "must be equally long"),
            ("/thresholds/1", json!(7.5), "order of the thresholds"),
            ("/thresholds/0", json!(0.01), "must run between infinities"),
            ("/true_positives/3", json!(0), "order of the counts"),
            ("/false_positives/0", json!(900), "must fall from"),
            ("/cases", json!(0), "both must be at least 1"),
            ("/direction", json!("LowerIsPositive"), "order of the thresholds"),
        ],
    );
    let curve = DecisionCurve::new(&labels(), &risks(), &even_thresholds(10)).expect("thresholds");
    // The point at threshold 0 holds NaN, which differs from itself.
    let text = serde_json::to_string(&curve).expect("a JSON form");
    assert_eq!(
        format!("{:?}", serde_json::from_str::<DecisionCurve>(&text).expect("the same form")),
        format!("{curve:?}")
    );
    let without = DecisionCurve::new(&labels(), &risks(), &even_thresholds(10)[1..]).expect("thresholds");
    reads_back::<DecisionCurve>(
        &without,
        &[
            ("/points/2/net_benefit", json!(0.9), "must follow from its rates"),
            ("/points/2/threshold", json!(1.0), "must follow from its rates"),
            ("/points/2/true_positive_rate", json!(0.99), "must follow from its rates"),
            ("/prevalence", json!(1.5), "it must be at least 0 and at most 1"),
        ],
    );
    reads_back::<CalibrationCurve>(
        &lowess_curve(&labels(), &risks()).expect("risks"),
        &[
            ("/curve/x", json!([0.1]), "they must be equal"),
            ("/curve/x/1", json!(5.0), "must ascend and be finite"),
            ("/error/emax", json!(0.01), "Emax is 0.01; that of the curve is"),
        ],
    );
    let platt = PlattScaling::fit(&labels(), &risks()).expect("both classes");
    reads_back::<PlattScaling>(&platt, &[("/slope", json!("steep"), "invalid type")]);
}

#[test]
fn tests_and_estimates_are_checked() {
    let roc = RocCurve::new(&labels(), &risks(), Direction::HigherIsPositive).expect("both classes");
    reads_back::<AucEstimate>(
        &auc_estimate(&roc, 0.95).expect("a level"),
        &[
            ("/auc", json!(1.2), "area under a curve is 1.2; it must be at least 0 and at most 1"),
            ("/variance", json!(-1.0), "it must be at least 0"),
            ("/interval/level", json!(95), "it must be above 0 and below 1"),
            ("/interval/lower", json!(0.999), "at most its upper end"),
        ],
    );
    reads_back::<Interval>(&Interval { lower: f64::NEG_INFINITY, upper: 2.0, level: 0.9 }, &[]);
    reads_back::<TestResult>(
        &two_sample(&[1.0, 2.0, 4.0], &[2.0, 5.0, 9.0], GroupVariance::Welch, Alternative::TwoSided, 0.95)
            .expect("groups"),
        &[("/p_value", json!(1.5), "p-value of a test is 1.5"), ("/degrees_of_freedom", json!([1, 2, 3]), "at most 2")],
    );
    let table = ConfusionTable { true_positives: 9, false_negatives: 1, true_negatives: 6, false_positives: 4 };
    reads_back::<Proportion>(
        &Proportion::new(3, 10, ProportionInterval::Wilson, 0.95).expect("a proportion"),
        &[("/count", json!(11), "at most the total"), ("/estimate", json!(0.4), "count over the total")],
    );
    reads_back::<ClassificationMetrics>(
        &table.metrics(ProportionInterval::Wilson, 0.95).expect("a level"),
        &[("/table/true_positives", json!(8), "as its table says"), ("/f1", json!(0.5), "that of its table")],
    );
    reads_back::<HosmerLemeshow>(
        &hosmer_lemeshow(&labels(), &risks(), 5).expect("risks"),
        &[
            ("/breaks", json!([0.0, 1.0]), "one more than groups"),
            ("/breaks/1", json!(0.999), "they must ascend"),
            ("/groups/0/events", json!(99), "at most its patients"),
        ],
    );
    let ratings = ndarray::Array2::from_shape_fn((8, 2), |(i, j)| risks()[i] + 0.01 * (i * j) as f64);
    reads_back::<IccAnalysis>(
        &IccAnalysis::of(ratings.view(), IccEstimation::Anova, 0.95).expect("ratings"),
        &[("/raters", json!(1), "it must be at least 2"), ("/ms_within", json!(-1.0), "it must be at least 0")],
    );
    reads_back::<SampleSize>(
        &prediction_model(SampleSizeParams::new(24, 0.174, 0.288)).expect("parameters"),
        &[("/required", json!(1), "the largest of the three criteria")],
    );
    let size = risks();
    let fit = |rows: &[usize]| Some(mean(&rows.iter().map(|&row| size[row]).collect::<Vec<_>>()));
    let measure = |center: &f64, rows: &[usize]| vec![rows.iter().map(|&row| (size[row] - center).powi(2)).sum()];
    let corrected = validate(&labels(), Stratification::None, Resampling::new(20, 1), fit, measure).expect("fits");
    reads_back::<OptimismCorrected>(
        &corrected[0],
        &[("/corrected", json!(9.9), "minus optimism"), ("/resamples", json!(0), "it must be at least 1")],
    );
}

#[test]
fn baseline_tables_are_checked() {
    let codes = (0..24).map(|i| (i != 4).then_some(usize::from(i % 2 == 0))).collect();
    let table = TableOne::new(
        &labels(),
        &[
            Characteristic::continuous("age", "years", risks()),
            Characteristic::categorical("ER", &["-", "+"], codes).expect("codes"),
        ],
        TableOneParams::default(),
    )
    .expect("both classes");
    reads_back::<TableOne>(
        &table,
        &[
            ("/negatives", json!(3), "another number of patients"),
            ("/positives", json!(0), "both must have a patient"),
            ("/rows/1/overall/Counts/counts/0", json!(1), "another number of patients"),
            ("/rows/1/overall/Counts/levels", json!(["-"]), "other levels"),
            ("/rows/0/comparison/p_value", json!(-0.1), "outside 0 to 1"),
        ],
    );
    // A characteristic without variation has a difference of NaN.
    let constant = Characteristic::continuous("constant", "", vec![1.0; 24]);
    let table = TableOne::new(&labels(), &[constant], TableOneParams::default()).expect("both classes");
    let text = serde_json::to_string(&table).expect("a JSON form");
    assert!(serde_json::from_str::<TableOne>(&text).expect("the same form").rows()[0].standardised_difference.is_nan());
}
