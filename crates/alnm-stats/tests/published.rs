//! Published results that nobody tuned to: the statistics that a two-centre study printed, from the counts and
//! summaries that it printed beside them, and the worked examples of well-known papers.

use alnm_conformance::golden::{fields, number};
use alnm_stats::agreement::bland_altman;
use alnm_stats::contingency::CountTable;
use alnm_stats::delong::{Marker, paired_test};
use alnm_stats::distribution::normal_two_sided;
use alnm_stats::fisher::{FisherMethod, any_size};
use alnm_stats::icc::{IccAnalysis, IccEstimation, IccForm};
use alnm_stats::roc::{Direction, RocCurve};
use alnm_stats::sample_size::{SampleSizeParams, prediction_model};
use alnm_stats::t_test::{GroupVariance, Summary, two_sample_from_summary};
use alnm_stats::{Alternative, Labels, confusion::ConfusionTable};
use ndarray::array;

/// Rounds as the table prints.
fn printed(value: f64) -> String {
    format!("{value:.3}")
}

#[test]
fn chi_squared_tests_of_the_receptors_are_without_yates_correction() {
    // Negative / positive receptor in the patients without and with metastasis; χ² and p as printed.
    let rows = [
        ("PR", [[28, 84], [28, 72]], "0.245", "0.621"),
        ("ER", [[30, 82], [28, 72]], "0.039", "0.843"),
        ("HER2", [[67, 45], [65, 35]], "0.603", "0.437"),
        ("Ki-67", [[20, 92], [13, 87]], "0.948", "0.330"),
    ];
    for (name, counts, statistic, p) in rows {
        let table = CountTable::from_rows(&[&counts[0], &counts[1]]).expect("four counts");
        let test = table.chi_squared(false).test;
        assert_eq!((printed(test.statistic).as_str(), printed(test.p_value).as_str()), (statistic, p), "{name}");
        assert_ne!(printed(table.chi_squared(true).test.p_value), p, "{name} with Yates' correction");
    }
}

#[test]
fn fishers_exact_test_of_the_subtypes() {
    let subtype = CountTable::from_rows(&[&[3, 10, 94, 5], &[2, 7, 87, 4]]).expect("eight counts");
    let exact = any_size(&subtype, FisherMethod::Exact { limit: 100_000 }).expect("a small table");
    assert_eq!(printed(exact.p_value), "0.936");
    let simulated = any_size(&subtype, FisherMethod::MonteCarlo { resamples: 20_000, seed: 1 }).expect("resamples");
    assert!((simulated.p_value - exact.p_value).abs() < 0.01);
}

#[test]
fn the_t_test_of_age_is_welchs() {
    let without = Summary { mean: 50.25, standard_deviation: 9.63, count: 112 };
    let with = Summary { mean: 45.17, standard_deviation: 10.64, count: 100 };
    let t = |variances| {
        two_sample_from_summary(without, with, variances, Alternative::TwoSided, 0.95).expect("groups that vary")
    };
    assert_eq!(printed(t(GroupVariance::Welch).statistic), "3.628");
    assert!(t(GroupVariance::Welch).p_value < 0.001);
    assert_ne!(printed(t(GroupVariance::Pooled).statistic), "3.628");
}

#[test]
fn the_integrated_models_metrics_belong_to_one_table() {
    let table = ConfusionTable { true_positives: 90, false_negatives: 10, true_negatives: 110, false_positives: 2 };
    let metrics = [table.sensitivity(), table.specificity(), table.accuracy(), table.f1()].map(printed);
    // F1 is 0.9375, printed 0.938.
    assert_eq!(metrics, ["0.900", "0.982", "0.943", "0.938"]);
}

/// A column of pROC's data aSAH (Turck et al. 2010): 113 patients with subarachnoid haemorrhage.
fn subarachnoid_haemorrhage(place: usize) -> Vec<f64> {
    fields(include_str!("golden/asah.csv")).skip(1).map(|row| number(row[place])).collect()
}

/// Robin et al. (2011), pROC: areas of S100β, NDKA and the WFNS grade, and DeLong's tests of the grade against both.
#[test]
fn areas_and_tests_of_subarachnoid_haemorrhage() {
    let labels = Labels::from_values(&subarachnoid_haemorrhage(0)).expect("0 and 1");
    let scores = [1, 2, 3].map(subarachnoid_haemorrhage);
    let areas = scores.each_ref().map(|scores| {
        printed(RocCurve::new(&labels, scores, Direction::HigherIsPositive).expect("both outcomes").auc())
    });
    assert_eq!(areas, ["0.731", "0.612", "0.824"]);
    let marker = |k: usize| Marker { scores: &scores[k], direction: Direction::HigherIsPositive };
    let p = |a, b| {
        let test = paired_test(&labels, marker(a), marker(b), Alternative::TwoSided, 0.95).expect("113 patients");
        format!("{:.4}", test.p_value)
    };
    assert_eq!((p(1, 2).as_str(), p(0, 2).as_str()), ("0.0051", "0.0272"));
}

/// Shrout and Fleiss (1979), table 4: six subjects, four judges.
#[test]
fn six_intraclass_correlations() {
    let ratings = array![
        [9.0, 2.0, 5.0, 8.0],
        [6.0, 1.0, 3.0, 2.0],
        [8.0, 4.0, 6.0, 8.0],
        [7.0, 1.0, 2.0, 6.0],
        [10.0, 5.0, 6.0, 9.0],
        [6.0, 2.0, 4.0, 7.0]
    ];
    let analysis = IccAnalysis::of(ratings.view(), IccEstimation::Anova, 0.95).expect("ratings");
    let found = IccForm::ALL.map(|form| format!("{:.2}", analysis.form(form).estimate));
    assert_eq!(found, ["0.17", "0.29", "0.71", "0.44", "0.62", "0.91"]);
}

/// Hanley and McNeil (1982), table 1: 109 images rated in five classes.
#[test]
fn the_area_of_rated_images() {
    let (normal, abnormal) = ([33, 6, 6, 11, 2], [3, 2, 2, 11, 33]);
    let (mut labels, mut ratings) = (Vec::new(), Vec::new());
    for (event, counts) in [(false, normal), (true, abnormal)] {
        for (rating, count) in counts.into_iter().enumerate() {
            labels.extend(vec![event; count]);
            ratings.extend(vec![rating as f64 + 1.0; count]);
        }
    }
    let curve = RocCurve::new(&Labels::new(labels), &ratings, Direction::HigherIsPositive).expect("both outcomes");
    assert_eq!(printed(curve.auc()), "0.893");
}

/// Bland and Altman (1986): peak expiratory flow by a large and a mini meter, first readings; limits two standard
/// deviations around the mean difference.
#[test]
fn limits_of_agreement_of_peak_flow() {
    let large = [494., 395., 516., 434., 476., 557., 413., 442., 650., 433., 417., 656., 267., 478., 178., 423., 427.];
    let mini = [512., 430., 520., 428., 500., 600., 364., 380., 658., 445., 432., 626., 260., 477., 259., 350., 451.];
    let two_deviations = 1.0 - normal_two_sided(2.0);
    let limits = bland_altman(&large, &mini, two_deviations).expect("17 subjects");
    assert_eq!([limits.bias, limits.standard_deviation].map(|v| format!("{v:.1}")), ["-2.1", "38.8"]);
    // The paper adds the rounded numbers: -2.1 - 2 * 38.8 and -2.1 + 2 * 38.8.
    assert!((limits.lower_limit + 79.7).abs() < 0.1 && (limits.upper_limit - 75.5).abs() < 0.1, "{limits:?}");
}

/// Riley et al. (2020), BMJ: a model of Chagas disease with 24 parameters needs 662 patients.
#[test]
fn patients_to_develop_a_model_of_chagas_disease() {
    let size = prediction_model(SampleSizeParams::new(24, 0.174, 0.288)).expect("within the range");
    assert_eq!(size.required, 662);
}
