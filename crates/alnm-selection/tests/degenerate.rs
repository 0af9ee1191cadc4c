//! Selection methods on constant and tied features: the documented answer.

use alnm_selection::correlation_filter::CorrelationFilterParams;
use alnm_selection::discretise::Discretiser;
use alnm_selection::elastic_net::{ElasticNetParams, binomial_path};
use alnm_selection::mrmr::{ContinuousCorrelation, Denominator, MrmrParams, MrmrVariant, Relevance, mrmr};
use alnm_selection::univariate::UnivariateParams;
use alnm_selection::variance_filter::feature_spreads;
use alnm_selection::{FeatureTable, Labels};
use ndarray::Array2;

/// Features that carry the outcome more and more, a constant among them, and one with two values only.
fn cohort() -> (FeatureTable, Labels) {
    let labels = Labels::new((0..48).map(|i| i % 3 == 0).collect());
    let values = Array2::from_shape_fn((48, 6), |(i, j)| {
        let noise = ((i * (5 * j + 7)) % 23) as f64 / 23.0;
        match j {
            2 => 0.1,
            4 => f64::from(u8::from(i < 20)),
            _ => noise + if i % 3 == 0 { 0.2 * j as f64 } else { 0.0 },
        }
    });
    let names = ["a", "b", "constant", "c", "binary", "d"].map(str::to_owned).to_vec();
    (FeatureTable::new(names, values).expect("six names"), labels)
}

fn quotients() -> Vec<MrmrVariant> {
    vec![
        MrmrVariant::MutualInformationQuotient { discretisation: Discretiser::EqualWidth { levels: 4 }, epsilon: 0.0 },
        MrmrVariant::MutualInformationQuotient {
            discretisation: Discretiser::MeanDeviation { width: 0.5 },
            epsilon: 1e-4,
        },
        MrmrVariant::FCorrelationQuotient,
        MrmrVariant::MrmrSelection { relevance: Relevance::F, denominator: Denominator::Mean },
        MrmrVariant::MrmrSelection { relevance: Relevance::KolmogorovSmirnov, denominator: Denominator::Maximum },
    ]
}

#[test]
fn a_constant_feature_comes_last_by_quotients() {
    let (table, labels) = cohort();
    for variant in quotients() {
        let ranking = mrmr(&table, &labels, &MrmrParams::new(variant.clone(), 6)).expect("both outcomes");
        let place = ranking.selected.iter().position(|f| f.feature == "constant");
        assert!(place.is_none_or(|place| place == ranking.selected.len() - 1), "{variant:?} {ranking:?}");
        assert!(ranking.selected.iter().all(|f| f.score.is_finite()), "{variant:?}");
        assert!(ranking.selected.len() >= 5, "{variant:?}");
    }
}

#[test]
fn a_constant_feature_has_the_difference_0() {
    let (table, labels) = cohort();
    for variant in [
        MrmrVariant::MutualInformationDifference { discretisation: Discretiser::EqualWidth { levels: 4 } },
        MrmrVariant::FCorrelationDifference,
        MrmrVariant::ContinuousMutualInformation { correlation: ContinuousCorrelation::Spearman },
    ] {
        let ranking = mrmr(&table, &labels, &MrmrParams::new(variant, 6)).expect("both outcomes");
        let constant = ranking.selected.iter().find(|f| f.feature == "constant").expect("all are ranked");
        assert_eq!((constant.score, constant.redundancy), (0.0, 0.0));
    }
}

#[test]
fn tables_of_constants_are_ranked_in_their_order() {
    let (_, labels) = cohort();
    let names: Vec<String> = ["p", "q", "r"].map(str::to_owned).to_vec();
    let table = FeatureTable::new(names, Array2::from_elem((48, 3), 0.1)).expect("three names");
    for variant in quotients() {
        let ranking = mrmr(&table, &labels, &MrmrParams::new(variant, 3)).expect("both outcomes");
        let columns: Vec<usize> = ranking.selected.iter().map(|f| f.column).collect();
        assert!(columns.is_sorted() && ranking.selected.iter().all(|f| f.score == 0.0), "{ranking:?}");
    }
}

#[test]
fn other_filters_know_constants() {
    let (table, labels) = cohort();
    let screened = UnivariateParams::default().check().expect("defaults").test(&table, &labels).expect("rows");
    assert!(screened[2].p_value.is_nan() && screened[4].p_value.is_finite());
    assert!(feature_spreads(&table).expect("finite values")[2].zero_variance);
    let filter = CorrelationFilterParams::default().check().expect("defaults");
    let redundant = filter.redundant(&table, &labels).expect("finite values");
    assert!(redundant.iter().all(|r| r.removed != 2 && r.because_of != 2));
    // The penalty leaves a constant out at every step of the path.
    let path = binomial_path(&table, &labels, &ElasticNetParams::default()).expect("both outcomes");
    assert!(path.coefficients().iter().all(|step| !step.columns().contains(&2)));
}
