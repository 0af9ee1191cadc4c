//! Median times of the calls that `benches/compare_statistics.py` runs beside R and Python, on the data that it writes.
//!
//! `repeat_statistics FOLDER [NAME]` prints one line `name<TAB>seconds` for each call whose name contains NAME.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use alnm_benches::violations;
use alnm_models::folds::Folds;
use alnm_models::gradient_boosting::{BoostingParams, GradientBoosting};
use alnm_models::profile_likelihood::{ProfileMethod, profile_intervals};
use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams};
use alnm_selection::correlation_filter::{CorrelationRule, find_correlation};
use alnm_selection::cross_validation::{CvMeasure, cross_validate};
use alnm_selection::elastic_net::{ElasticNetParams, PathPrecision, binomial_path};
use alnm_selection::mrmr::{Denominator, MrmrParams, MrmrVariant, Relevance, mrmr};
use alnm_stats::Alternative;
use alnm_stats::bootstrap::{self, Resampling};
use alnm_stats::contingency::CountTable;
use alnm_stats::correlation::{Correlation, PairRows, correlation_matrix};
use alnm_stats::delong::{Marker, auc_estimate, paired_test};
use alnm_stats::fisher::{FisherMethod, any_size};
use alnm_stats::icc::{IccEstimation, icc_of_features};
use alnm_stats::precision_recall::PrecisionRecallCurve;
use alnm_stats::rank_sum::{RankMethod, mann_whitney};
use alnm_stats::roc::{Direction, RocCurve};
use rayon::prelude::*;

/// Times a call until a third of a second or 200 repeats have passed, five at least.
struct Clock {
    only: String,
}

impl Clock {
    fn time<T>(&self, name: &str, mut call: impl FnMut() -> T) {
        if !name.contains(&self.only) {
            return;
        }
        black_box(call());
        let begun = Instant::now();
        let mut times = Vec::new();
        while times.len() < 5 || (times.len() < 200 && begun.elapsed() < Duration::from_millis(333)) {
            let start = Instant::now();
            black_box(call());
            times.push(start.elapsed().as_secs_f64());
        }
        times.sort_unstable_by(f64::total_cmp);
        println!("{name}\t{:e}", times[times.len() / 2]);
    }
}

/// Named columns.
type Columns = Vec<(String, Vec<f64>)>;

/// The columns of a CSV file of numbers.
fn read(path: &Path) -> Result<Columns, Box<dyn Error>> {
    let mut reader = csv::Reader::from_path(path)?;
    let mut columns: Columns = reader.headers()?.iter().map(|name| (name.to_owned(), Vec::new())).collect();
    for record in reader.records() {
        for (column, field) in columns.iter_mut().zip(&record?) {
            column.1.push(field.parse()?);
        }
    }
    Ok(columns)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: repeat_statistics FOLDER [NAME]")?;
    let clock = Clock { only: arguments.next().unwrap_or_default() };
    let file = |name: &str| read(&Path::new(&folder).join(name));

    let mut cohort = file("cohort.csv")?;
    let features = cohort.split_off(2);
    let labels = Labels::from_values(&cohort[0].1)?;
    let folds = Folds::given(cohort[1].1.iter().map(|f| *f as usize - 1).collect())?;
    let table = FeatureTable::from_columns(features)?;
    let leading = |count: usize| table.select_columns(&(0..count).collect::<Vec<_>>());

    let up = Direction::HigherIsPositive;
    let column = |j: usize| table.values().column(j).to_vec();
    let (a, b) = (column(0), column(2));
    let area = |labels: &Labels, s: &[f64]| RocCurve::new(labels, s, up).and_then(|r| auc_estimate(&r, 0.95));
    let marker = |scores| Marker { scores, direction: up };
    clock.time("ROC and DeLong CI n=212", || area(&labels, &a));
    clock
        .time("paired DeLong test n=212", || paired_test(&labels, marker(&a), marker(&b), Alternative::TwoSided, 0.95));
    let large = file("large.csv")?;
    let many = Labels::from_values(&large[0].1)?;
    clock.time("ROC and DeLong CI n=100,000", || area(&many, &large[1].1));
    clock.time("2,000 stratified bootstraps of the AUC n=212", || {
        bootstrap::auc(&labels, &a, up, Resampling::default())
    });
    clock.time("ROC AUC n=212", || RocCurve::new(&labels, &a, up).map(|r| r.auc()));
    clock.time("average precision n=212", || PrecisionRecallCurve::new(&labels, &a).map(|c| c.average_precision()));

    let default = ElasticNetParams::default();
    let to = |share| ElasticNetParams::default().with_precision(PathPrecision::OptimalityConditions(share));
    let (exact, near, close) = (to(1e-9), to(1e-2), to(3e-2));
    for (name, params) in [("to 3e-2", &close), ("to 1e-2", &near)] {
        let (largest, median) = violations(&binomial_path(&table, &labels, params)?, &table, &labels);
        eprintln!(
            "conditions {name}: the path violates them by up to {largest:.1e} lambda, in the median {median:.1e}"
        );
    }
    let narrow = leading(60);
    let lasso = |table: &FeatureTable, measure, params| cross_validate(table, &labels, &folds, measure, params);
    clock.time("LASSO path n=212 p=926", || binomial_path(&table, &labels, &default));
    clock.time("LASSO path n=212 p=926, conditions to 1e-9", || binomial_path(&table, &labels, &exact));
    clock.time("cv.glmnet n=212 p=926 10 folds", || lasso(&table, CvMeasure::Deviance, &default));
    clock.time("cv.glmnet n=212 p=926 10 folds, conditions to 3e-2", || lasso(&table, CvMeasure::Deviance, &close));
    clock.time("cv.glmnet n=212 p=926 10 folds, conditions to 1e-2", || lasso(&table, CvMeasure::Deviance, &near));
    clock.time("cv.glmnet n=212 p=926 10 folds, conditions to 1e-9", || lasso(&table, CvMeasure::Deviance, &exact));
    clock.time("cv.glmnet n=212 p=926 10 folds, AUC", || lasso(&table, CvMeasure::Auc, &default));
    clock.time("cv.glmnet n=212 p=60 10 folds", || lasso(&narrow, CvMeasure::Deviance, &default));

    let readings = [FeatureTable::from_columns(file("first.csv")?)?, FeatureTable::from_columns(file("second.csv")?)?];
    clock.time("ICC 926 features x 30 x 2", || {
        icc_of_features(&[readings[0].values(), readings[1].values()], IccEstimation::Anova, 0.95)
    });
    let correlations = |kind| correlation_matrix(table.values(), kind, PairRows::Everything);
    clock.time("Pearson matrix 212 x 926", || correlations(Correlation::Pearson));
    clock.time("Spearman matrix 212 x 926", || correlations(Correlation::Spearman));
    let r = correlations(Correlation::Pearson)?;
    clock.time("findCorrelation p=926 fast", || find_correlation(r.view(), 0.6, CorrelationRule::CaretFast));
    clock.time("findCorrelation p=926 exact", || find_correlation(r.view(), 0.6, CorrelationRule::CaretExact));
    let groups = (0..table.columns()).map(|j| labels.split(&column(j))).collect::<Result<Vec<_>, _>>()?;
    clock.time("926 rank sum tests n=212", || {
        let test = |g: &alnm_stats::ByClass| {
            mann_whitney(&g.negative, &g.positive, RankMethod::Automatic, Alternative::TwoSided).map(|t| t.p_value)
        };
        groups.par_iter().map(test).collect::<Result<Vec<f64>, _>>()
    });
    let fcq = MrmrVariant::MrmrSelection { relevance: Relevance::F, denominator: Denominator::Mean };
    let fcq = MrmrParams::new(fcq, 30);
    clock.time("mRMR FCQ p=926 K=30", || mrmr(&table, &labels, &fcq));

    let params = LogisticParams::default();
    let four = leading(4);
    clock.time("logistic regression n=212 p=4", || LogisticModel::fit(&four, &labels, &params));
    clock.time("its profile intervals", || profile_intervals(&four, &labels, ProfileMethod::Exact, &params));
    let subtype = CountTable::from_rows(&[&[3, 10, 94, 5], &[2, 7, 87, 4]])?;
    clock.time("Fisher's exact test 2 x 4", || any_size(&subtype, FisherMethod::default()));
    let thirty = leading(30);
    let boosting = BoostingParams::default();
    clock.time("boosting 212 x 30, 100 rounds", || GradientBoosting::fit(&thirty, &labels, &boosting));
    clock.time("boosting 212 x 926, 100 rounds", || GradientBoosting::fit(&table, &labels, &boosting));
    let fitted = GradientBoosting::fit(&thirty, &labels, &boosting)?;
    clock.time("boosting, predict 212 rows", || fitted.predict(&thirty));
    Ok(())
}
