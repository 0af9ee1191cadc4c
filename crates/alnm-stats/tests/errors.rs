//! Errors as a reader sees them: what is wrong, its value, and what it must be.

use alnm_stats::bootstrap::{self, Resampling};
use alnm_stats::calibration::{SmoothCalibrationParams, brier, hosmer_lemeshow, recalibrate, reliability_bins};
use alnm_stats::contingency::CountTable;
use alnm_stats::decision_curve::DecisionCurve;
use alnm_stats::fisher::{FisherMethod, any_size};
use alnm_stats::icc::{IccAnalysis, IccEstimation};
use alnm_stats::loess::{Loess, LoessParams};
use alnm_stats::normality::shapiro_wilk;
use alnm_stats::proportion::{Proportion, ProportionInterval, two_proportions};
use alnm_stats::reclassification::categorical_nri;
use alnm_stats::roc::{Direction, PartialFocus, RocCurve};
use alnm_stats::sample_size::{SampleSizeParams, prediction_model};
use alnm_stats::t_test::{GroupVariance, paired, two_sample};
use alnm_stats::{Alternative, Labels, ParameterValue, StatsError};
use ndarray::array;

fn sentence<T: std::fmt::Debug>(result: Result<T, StatsError>) -> String {
    result.expect_err("refused").to_string()
}

#[test]
fn parameters_are_named_with_their_value_and_their_range() {
    let labels = Labels::new(vec![false, true, false, true]);
    let risks = [0.1, 0.3, 0.2, 0.7];
    let roc = RocCurve::new(&labels, &risks, Direction::HigherIsPositive).expect("both classes");
    let none = Resampling::new(0, 1);
    for (said, expected) in [
        (
            sentence(Proportion::new(3, 10, ProportionInterval::Wilson, 1.5)),
            "confidence level is 1.5; it must be above 0 and below 1",
        ),
        (
            sentence(Proportion::new(12, 10, ProportionInterval::Wilson, 0.95)),
            "number of successes is 12; it must be at most the number of trials",
        ),
        (
            sentence(SmoothCalibrationParams::default().with_points(usize::MAX).check()),
            "number of points of a calibration curve is 18446744073709551615; it must be from 2 to 1,000,000",
        ),
        (
            sentence(bootstrap::auc(&labels, &risks, Direction::HigherIsPositive, none)),
            "number of resamples is 0; it must be at least 1",
        ),
        (
            sentence(prediction_model(SampleSizeParams::new(24, 1.0, 0.288))),
            "prevalence is 1; it must be above 0 and below 1",
        ),
        (
            sentence(prediction_model(SampleSizeParams::new(0, 0.174, 0.288))),
            "number of candidate parameters is 0; it must be at least 1",
        ),
        (
            sentence(prediction_model(SampleSizeParams::new(24, 0.174, 0.9))),
            "expected Cox-Snell R2 is 0.9; it must be above 0 and below the largest value that this prevalence allows",
        ),
        (
            sentence(DecisionCurve::new(&labels, &risks, &[0.5, 1.0])),
            "threshold probability is 1; it must be at least 0 and below 1",
        ),
        (
            sentence(categorical_nri(&labels, &risks, &risks, &[0.3, 0.1], 0.95)),
            "risk cut is 0.1; it must be larger than the cut before it",
        ),
        (
            sentence(brier(&labels, &[0.1, 1.25, 0.2, 0.3])),
            "predicted risk is 1.25; it must be at least 0 and at most 1",
        ),
        (sentence(hosmer_lemeshow(&labels, &risks, 1)), "number of groups is 1; it must be at least 2"),
        (sentence(reliability_bins(&labels, &risks, 0)), "number of bins is 0; it must be at least 1"),
        (
            sentence(roc.partial_area(PartialFocus::Specificity, 0.9, 1.2)),
            "upper end of the partial area is 1.2; it must be at least 0 and at most 1",
        ),
        (
            sentence(roc.partial_area(PartialFocus::Specificity, 0.9, 0.8)),
            "lower end of the partial area is 0.9; it must be at least 0 and below the upper end",
        ),
        (
            sentence(Loess::fit(&[1.0, 2.0], &[1.0, 2.0], LoessParams::default().with_span(-1e-9))),
            "span is -1e-9; it must be above 0 and finite",
        ),
    ] {
        assert_eq!(said, expected);
    }
}

#[test]
fn data_are_named_with_what_they_must_satisfy() {
    let labels = Labels::new(vec![false, true, false, true]);
    for (said, expected) in [
        (
            sentence(paired(&[1.0], &[2.0], Alternative::TwoSided, 0.95)),
            "paired t-test: the number of observations is 1; it must be at least 2",
        ),
        (
            sentence(IccAnalysis::of(array![[1.0], [2.0]].view(), IccEstimation::Anova, 0.95)),
            "intraclass correlation: the number of raters is 1; it must be at least 2",
        ),
        (
            sentence(paired(&[1.0, 2.0], &[2.0], Alternative::TwoSided, 0.95)),
            "paired t-test: the lengths of two inputs are 2 and 1; they must be equal",
        ),
        (
            sentence(two_sample(&[1.0, f64::NAN], &[2.0, 3.0], GroupVariance::Welch, Alternative::TwoSided, 0.95)),
            "two-sample t-test: value 1 (counted from 0) is NaN; it must be finite, so omit or impute it first",
        ),
        (sentence(shapiro_wilk(&[2.0; 5])), "Shapiro-Wilk test: the spread of the data is 0; the values must vary"),
        (
            sentence(RocCurve::new(&Labels::new(vec![true; 3]), &[0.1, 0.2, 0.3], Direction::HigherIsPositive)),
            "ROC curve: the numbers of positive and negative labels are 3 and 0; both must be at least 1",
        ),
        (
            sentence(Labels::from_values(&[0.0, 2.0])),
            "label 1 (counted from 0) is 2; it must be 0 (negative) or 1 (positive)",
        ),
        (
            sentence(two_proportions([0, 1], [0, 3], false, 0.95)),
            "test of two proportions is undefined; each group must have at least one trial",
        ),
        (
            sentence(recalibrate(&labels, &[0.1, 1.0, 0.2, 0.3], 0.95)),
            "logistic recalibration is undefined; no risk may be exactly 0 or 1, which have no logit",
        ),
        (
            sentence(any_size(
                &CountTable::from_rows(&[&[3, 10, 94, 5], &[2, 7, 87, 4]]).expect("a table"),
                FisherMethod::Exact { limit: 10 },
            )),
            "Fisher's exact test: the number of network entries is above the limit of 10; raise the limit or use the \
             approximate or Monte-Carlo variant",
        ),
    ] {
        assert_eq!(said, expected);
    }
}

#[test]
fn values_keep_their_type() {
    let error = DecisionCurve::new(&Labels::new(vec![true, false]), &[0.5, 0.5], &[1.5]).expect_err("refused");
    assert!(matches!(error, StatsError::Parameter { value: ParameterValue::Number(1.5), .. }));
    let none = Resampling::new(0, 1);
    let error = bootstrap::simple(2, none, |rows| rows.len() as f64).expect_err("refused");
    assert!(matches!(error, StatsError::Parameter { value: ParameterValue::Count(0), .. }));
}
