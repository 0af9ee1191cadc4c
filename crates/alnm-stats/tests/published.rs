//! The statistics that a two-centre study printed, from the counts and summaries that it printed beside them.

use alnm_stats::contingency::CountTable;
use alnm_stats::fisher::{FisherMethod, any_size};
use alnm_stats::t_test::{GroupVariance, Summary, two_sample_from_summary};
use alnm_stats::{Alternative, confusion::ConfusionTable};

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
