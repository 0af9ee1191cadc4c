//! ROC, decision and calibration curves, agreement of readers, ComBat, mRMR, and regressions.

use alnm_models::firth::FirthModel;
use alnm_models::logistic::LogisticParams;
use alnm_selection::cross_validation::{CvMeasure, LambdaChoice};
use alnm_selection::discretise::Discretiser;
use alnm_selection::elastic_net::{
    ElasticNetParams, ElasticNetPath, LambdaSequence, PathPrecision, SparseCoefficients,
};
use alnm_selection::folds::{FoldOrder, Folds};
use alnm_selection::harmonisation::{BatchEstimation, Combat};
use alnm_selection::mrmr::{ContinuousCorrelation, Denominator, MrmrParams, MrmrVariant, Relevance};
use alnm_selection::{FeatureTable, SelectionError};
use alnm_stats::bootstrap::Resampling;
use alnm_stats::calibration::{self, SmoothCalibrationParams, WaldEstimate};
use alnm_stats::decision_curve::{DecisionCurve, DecisionIntervalParams};
use alnm_stats::delong::{self, AucPairs, Marker};
use alnm_stats::icc::{IccAnalysis, IccEstimation, IccForm, icc_of_features};
use alnm_stats::multiplicity::Adjustment;
use alnm_stats::roc::{Direction, RocCurve};
use alnm_stats::{Alternative, Interval, Labels, StatsError, TestResult};
use ndarray::{Array2, ArrayView2};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray2};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;

use crate::error::exception;
use crate::threads::run;
use crate::words::word;

/// (lower, upper, level).
type Limits = (f64, f64, f64);

fn limits(interval: Interval) -> Limits {
    (interval.lower, interval.upper, interval.level)
}

/// (method, statistic, degrees of freedom, p-value, estimates, interval).
type Test = (String, f64, Vec<f64>, f64, Vec<f64>, Option<Limits>);

fn test(result: TestResult) -> Test {
    let interval = result.confidence_interval.map(limits);
    (result.method, result.statistic, result.degrees_of_freedom, result.p_value, result.estimate, interval)
}

fn direction(labels: &Labels, scores: &[f64], given: &str) -> PyResult<Direction> {
    let known =
        [("higher", Some(Direction::HigherIsPositive)), ("lower", Some(Direction::LowerIsPositive)), ("auto", None)];
    match word("direction", given, &known)? {
        Some(direction) => Ok(direction),
        None => Direction::detect(labels, scores).map_err(exception),
    }
}

fn alternative(given: &str) -> PyResult<Alternative> {
    let known = [("two-sided", Alternative::TwoSided), ("less", Alternative::Less), ("greater", Alternative::Greater)];
    word("alternative", given, &known)
}

/// The area under a ROC curve by DeLong: (area, standard error, interval).
#[pyfunction]
pub(crate) fn auc(labels: Vec<bool>, scores: Vec<f64>, towards: &str, level: f64) -> PyResult<(f64, f64, Limits)> {
    let labels = Labels::new(labels);
    let towards = direction(&labels, &scores, towards)?;
    let curve = RocCurve::new(&labels, &scores, towards).map_err(exception)?;
    let estimate = delong::auc_estimate(&curve, level).map_err(exception)?;
    Ok((estimate.auc, estimate.standard_error(), limits(estimate.interval)))
}

/// DeLong's paired tests between the columns of `scores`: (first, second, test, adjusted p-value).
#[pyfunction]
pub(crate) fn paired_auc_tests(
    py: Python<'_>,
    labels: Vec<bool>,
    scores: Vec<Vec<f64>>,
    reference: Option<usize>,
    adjustment: &str,
    towards: &str,
    level: f64,
) -> PyResult<Vec<(usize, usize, Test, f64)>> {
    let known = [
        ("bonferroni", Adjustment::Bonferroni),
        ("holm", Adjustment::Holm),
        ("hochberg", Adjustment::Hochberg),
        ("hommel", Adjustment::Hommel),
        ("benjamini-hochberg", Adjustment::BenjaminiHochberg),
        ("benjamini-yekutieli", Adjustment::BenjaminiYekutieli),
    ];
    let adjustment = word("adjustment", adjustment, &known)?;
    let labels = Labels::new(labels);
    let towards =
        scores.iter().map(|scores| direction(&labels, scores, towards)).collect::<PyResult<Vec<Direction>>>()?;
    let markers: Vec<Marker<'_>> =
        scores.iter().zip(towards).map(|(scores, direction)| Marker { scores, direction }).collect();
    let pairs = reference.map_or(AucPairs::All, AucPairs::Against);
    let tests = run(py, None, |_| delong::paired_tests(&labels, &markers, pairs, adjustment, level))?;
    Ok(tests.into_iter().map(|pair| (pair.first, pair.second, test(pair.test), pair.adjusted_p_value)).collect())
}

/// DeLong's paired test of two scores.
#[pyfunction]
pub(crate) fn paired_auc_test(
    labels: Vec<bool>,
    first: Vec<f64>,
    second: Vec<f64>,
    towards: &str,
    side: &str,
    level: f64,
) -> PyResult<Test> {
    let labels = Labels::new(labels);
    let markers = [(&first, direction(&labels, &first, towards)?), (&second, direction(&labels, &second, towards)?)];
    let [first, second] = markers.map(|(scores, direction)| Marker { scores, direction });
    delong::paired_test(&labels, first, second, alternative(side)?, level).map(test).map_err(exception)
}

/// DeLong's test of two curves of different patients.
#[pyfunction]
pub(crate) fn unpaired_auc_test(
    first: (Vec<bool>, Vec<f64>),
    second: (Vec<bool>, Vec<f64>),
    towards: &str,
    side: &str,
) -> PyResult<Test> {
    let curve = |(labels, scores): (Vec<bool>, Vec<f64>)| {
        let labels = Labels::new(labels);
        let towards = direction(&labels, &scores, towards)?;
        RocCurve::new(&labels, &scores, towards).map_err(exception)
    };
    Ok(test(delong::unpaired_test(&curve(first)?, &curve(second)?, alternative(side)?)))
}

/// The number of resamples of the bootstrap, their seed and the confidence level.
#[derive(FromPyObject)]
pub(crate) struct Draws {
    resamples: usize,
    seed: u64,
    level: f64,
}

impl Draws {
    fn params(&self) -> DecisionIntervalParams {
        let resampling = Resampling::new(self.resamples, self.seed);
        DecisionIntervalParams::default().with_resampling(resampling).with_level(self.level)
    }
}

/// A decision curve: (prevalence, rows of seven numbers, rows of three intervals where resamples are asked for).
#[pyfunction]
pub(crate) fn decision_curve(
    py: Python<'_>,
    labels: Vec<bool>,
    risks: Vec<f64>,
    thresholds: Vec<f64>,
    prevalence: Option<f64>,
    draws: Draws,
) -> PyResult<Py<PyAny>> {
    let labels = Labels::new(labels);
    let (curve, intervals) = run(py, None, |_| -> Result<_, StatsError> {
        let curve = match prevalence {
            Some(prevalence) => DecisionCurve::with_prevalence(&labels, &risks, &thresholds, prevalence)?,
            None => DecisionCurve::new(&labels, &risks, &thresholds)?,
        };
        let intervals = match draws.resamples {
            0 => Vec::new(),
            _ => DecisionCurve::intervals(&labels, &risks, &thresholds, draws.params())?,
        };
        Ok((curve, intervals))
    })?;
    let points: Vec<f64> = curve
        .points()
        .iter()
        .flat_map(|p| {
            [
                p.threshold,
                p.true_positive_rate,
                p.false_positive_rate,
                p.net_benefit,
                p.standardised_net_benefit,
                p.treat_all,
                p.interventions_avoided,
            ]
        })
        .collect();
    let points = Array2::from_shape_vec((curve.points().len(), 7), points).map_err(exception)?;
    let ends: Vec<f64> = intervals
        .iter()
        .flat_map(|i| [i.net_benefit, i.standardised_net_benefit, i.interventions_avoided])
        .flat_map(|interval| [interval.lower, interval.upper])
        .collect();
    let ends = Array2::from_shape_vec((intervals.len(), 6), ends).map_err(exception)?;
    (curve.prevalence(), points.into_pyarray(py), ends.into_pyarray(py)).into_py_any(py)
}

/// The difference between the net benefits of two models: rows of (threshold, difference, lower, upper).
#[pyfunction]
pub(crate) fn net_benefit_difference<'py>(
    py: Python<'py>,
    labels: Vec<bool>,
    first: Vec<f64>,
    second: Vec<f64>,
    thresholds: Vec<f64>,
    draws: Draws,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let labels = Labels::new(labels);
    let intervals = draws.params().check().map_err(exception)?;
    let rows = run(py, None, |_| intervals.difference(&labels, &first, &second, &thresholds))?;
    let values: Vec<f64> =
        rows.iter().flat_map(|row| [row.threshold, row.difference, row.interval.lower, row.interval.upper]).collect();
    Ok(Array2::from_shape_vec((rows.len(), 4), values).map_err(exception)?.into_pyarray(py))
}

/// (estimate, standard error, interval).
type Wald = (f64, f64, Limits);

fn wald(estimate: WaldEstimate) -> Wald {
    (estimate.estimate, estimate.standard_error, limits(estimate.interval))
}

/// Calibration of risks: (in the large, intercept, slope, unreliability test, (expected, observed, ratio, interval),
/// (Brier score, scaled, log loss), (integrated calibration index, median, 90th percentile, largest)).
#[pyfunction]
pub(crate) fn calibration_of(py: Python<'_>, labels: Vec<bool>, risks: Vec<f64>, level: f64) -> PyResult<Py<PyAny>> {
    let labels = Labels::new(labels);
    let (logistic, ratio, brier, curve) = run(py, None, |_| -> Result<_, StatsError> {
        Ok((
            calibration::recalibrate(&labels, &risks, level)?,
            calibration::expected_observed(&labels, &risks, level)?,
            calibration::brier(&labels, &risks)?,
            calibration::lowess_curve(&labels, &risks)?,
        ))
    })?;
    let error = curve.error();
    (
        wald(logistic.in_the_large),
        wald(logistic.intercept),
        wald(logistic.slope),
        test(logistic.unreliability),
        (ratio.expected, ratio.observed, ratio.expected_over_observed, limits(ratio.interval)),
        (brier.score, brier.scaled, brier.log_loss),
        (error.ici, error.e50, error.e90, error.emax),
    )
        .into_py_any(py)
}

/// A smooth calibration curve by a restricted cubic spline: rows of (risk, observed, lower, upper).
#[pyfunction]
pub(crate) fn calibration_curve<'py>(
    py: Python<'py>,
    labels: Vec<bool>,
    risks: Vec<f64>,
    points: usize,
    level: f64,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let labels = Labels::new(labels);
    let params = SmoothCalibrationParams::default().with_points(points).with_level(level);
    let curve = run(py, None, |_| calibration::smooth_calibration(&labels, &risks, params))?;
    let values: Vec<f64> = curve
        .points
        .iter()
        .flat_map(|point| [point.risk, point.observed, point.interval.lower, point.interval.upper])
        .collect();
    Ok(Array2::from_shape_vec((curve.points.len(), 4), values).map_err(exception)?.into_pyarray(py))
}

/// (estimate, F, first and second degrees of freedom, p-value, interval).
type Correlation = (f64, f64, f64, f64, f64, Limits);

fn forms(analysis: &IccAnalysis, form: IccForm) -> Correlation {
    let icc = analysis.form(form);
    (icc.estimate, icc.f, icc.df1, icc.df2, icc.p_value, limits(icc.interval))
}

fn icc_words(form: &str, estimation: &str) -> PyResult<(IccForm, IccEstimation)> {
    let known = IccForm::ALL.map(|form| (form.name(), form));
    let estimations = [("anova", IccEstimation::Anova), ("reml", IccEstimation::Reml)];
    Ok((word("form", form, &known)?, word("estimation", estimation, &estimations)?))
}

/// The intraclass correlation of ratings, an array (subjects, raters).
#[pyfunction]
pub(crate) fn icc(
    ratings: PyReadonlyArray2<'_, f64>,
    form: &str,
    estimation: &str,
    level: f64,
) -> PyResult<Correlation> {
    let (form, estimation) = icc_words(form, estimation)?;
    let analysis = IccAnalysis::of(ratings.as_array(), estimation, level).map_err(exception)?;
    Ok(forms(&analysis, form))
}

/// The intraclass correlation of each feature between readers, one array (subjects, features) per reader.
#[pyfunction]
pub(crate) fn icc_features(
    py: Python<'_>,
    readers: Vec<PyReadonlyArray2<'_, f64>>,
    form: &str,
    estimation: &str,
    level: f64,
) -> PyResult<Vec<Correlation>> {
    let (form, estimation) = icc_words(form, estimation)?;
    let tables: Vec<Array2<f64>> = readers.iter().map(|reader| reader.as_array().to_owned()).collect();
    let views: Vec<ArrayView2<'_, f64>> = tables.iter().map(|table| table.view()).collect();
    let analyses = run(py, None, |_| icc_of_features(&views, estimation, level))?;
    Ok(analyses.iter().map(|analysis| forms(analysis, form)).collect())
}

/// A table of features as an argument.
#[derive(FromPyObject)]
pub(crate) struct Table<'py> {
    names: Vec<String>,
    values: PyReadonlyArray2<'py, f64>,
}

impl Table<'_> {
    fn table(&self) -> PyResult<FeatureTable> {
        FeatureTable::new(self.names.clone(), self.values.as_array().to_owned()).map_err(exception)
    }
}

fn batch_estimation(given: &str) -> PyResult<BatchEstimation> {
    let known = [("empirical-bayes", BatchEstimation::EmpiricalBayes), ("unshrunk", BatchEstimation::Unshrunk)];
    word("estimation", given, &known)
}

/// The fitted effects of batches.
#[pyclass(frozen, module = "alnm._native")]
pub(crate) struct FittedCombat(Combat);

#[pymethods]
impl FittedCombat {
    #[staticmethod]
    fn fit(
        py: Python<'_>,
        table: Table<'_>,
        batches: Vec<String>,
        covariates: Table<'_>,
        estimation: &str,
    ) -> PyResult<Self> {
        let (table, covariates, estimation) = (table.table()?, covariates.table()?, batch_estimation(estimation)?);
        run(py, None, |_| Combat::fit(&table, &batches, &covariates, estimation)).map(Self)
    }

    #[staticmethod]
    fn reference(table: Table<'_>, batch: &str) -> PyResult<Self> {
        Combat::reference(&table.table()?, batch).map(Self).map_err(exception)
    }

    fn with_batch(&self, py: Python<'_>, table: Table<'_>, batch: &str, estimation: &str) -> PyResult<Self> {
        let (table, estimation) = (table.table()?, batch_estimation(estimation)?);
        run(py, None, |_| self.0.clone().with_batch(&table, batch, estimation)).map(Self)
    }

    fn apply<'py>(
        &self,
        py: Python<'py>,
        table: Table<'_>,
        batches: Vec<String>,
        covariates: Table<'_>,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let (table, covariates) = (table.table()?, covariates.table()?);
        let applied = run(py, None, |_| self.0.apply(&table, &batches, &covariates))?;
        Ok(applied.values().to_owned().into_pyarray(py))
    }

    fn batches(&self) -> Vec<String> {
        self.0.batches().to_vec()
    }

    fn constant_features(&self) -> Vec<String> {
        self.0.constant_features().to_vec()
    }

    fn location(&self) -> Vec<Vec<f64>> {
        self.0.location().to_vec()
    }

    fn variance(&self) -> Vec<Vec<f64>> {
        self.0.variance().to_vec()
    }
}

/// (relevance of all features, rows of (column, score, redundancy)).
type Ranking = (Vec<f64>, Vec<(usize, f64, f64)>);

/// A ranking by mRMR: (relevance of all features, rows of (column, score, redundancy)).
#[pyfunction]
pub(crate) fn mrmr(
    py: Python<'_>,
    table: Table<'_>,
    labels: Vec<bool>,
    variant: &str,
    levels: usize,
    count: usize,
) -> PyResult<Ranking> {
    let discretisation = Discretiser::Quantiles { levels };
    let selection = |denominator| MrmrVariant::MrmrSelection { relevance: Relevance::F, denominator };
    let known = [
        ("mid", MrmrVariant::MutualInformationDifference { discretisation }),
        ("miq", MrmrVariant::MutualInformationQuotient { discretisation, epsilon: 1e-4 }),
        ("fcd", MrmrVariant::FCorrelationDifference),
        ("fcq", MrmrVariant::FCorrelationQuotient),
        ("mrmr-selection", selection(Denominator::Mean)),
        ("mrmr-selection-max", selection(Denominator::Maximum)),
        ("mrmre", MrmrVariant::ContinuousMutualInformation { correlation: ContinuousCorrelation::Pearson }),
    ];
    let params = MrmrParams::new(word("variant", variant, &known)?, count);
    let (table, labels) = (table.table()?, Labels::new(labels));
    let ranking = run(py, None, |_| alnm_selection::mrmr::mrmr(&table, &labels, &params))?;
    let selected = ranking.selected.iter().map(|feature| (feature.column, feature.score, feature.redundancy));
    Ok((ranking.relevance, selected.collect()))
}

/// The parameters of a path of penalties.
#[derive(FromPyObject)]
pub(crate) struct PathRequest {
    alpha: f64,
    lambdas: Option<Vec<f64>>,
    count: usize,
    ratio: Option<f64>,
    standardise: bool,
    penalty_factors: Option<Vec<f64>>,
    optimality: Option<f64>,
}

impl PathRequest {
    fn params(self) -> ElasticNetParams {
        let automatic = LambdaSequence::Automatic { count: self.count, ratio: self.ratio };
        let mut params = ElasticNetParams::default()
            .with_alpha(self.alpha)
            .with_lambda(self.lambdas.map_or(automatic, LambdaSequence::Given))
            .with_standardise(self.standardise);
        params.penalty_factors = self.penalty_factors;
        if let Some(share) = self.optimality {
            params = params.with_precision(PathPrecision::OptimalityConditions(share));
        }
        params
    }
}

/// A path for Python: (penalties, intercepts, coefficients [penalty, feature], share of the deviance, null deviance,
/// complete).
fn path_to_python(py: Python<'_>, path: &ElasticNetPath, features: usize) -> PyResult<Py<PyAny>> {
    let mut coefficients = Array2::<f64>::zeros((path.lambda().len(), features));
    for (mut row, sparse) in coefficients.rows_mut().into_iter().zip(path.coefficients()) {
        for (&column, &value) in sparse.columns().iter().zip(sparse.values()) {
            row[column] = value;
        }
    }
    let intercepts: Vec<f64> = path.coefficients().iter().map(SparseCoefficients::intercept).collect();
    (
        PyArray1::from_slice(py, path.lambda()),
        PyArray1::from_vec(py, intercepts),
        coefficients.into_pyarray(py),
        PyArray1::from_slice(py, path.deviance_ratio()),
        path.null_deviance(),
        path.complete(),
    )
        .into_py_any(py)
}

/// The path of a binomial (`labels`) or gaussian (`outcome`) regression.
#[pyfunction]
pub(crate) fn elastic_net_path(
    py: Python<'_>,
    table: Table<'_>,
    labels: Option<Vec<bool>>,
    outcome: Option<Vec<f64>>,
    request: PathRequest,
) -> PyResult<Py<PyAny>> {
    let table = table.table()?;
    let path = run(py, None, |_| -> Result<_, SelectionError> {
        let net = request.params().check()?;
        match labels {
            Some(labels) => net.binomial_path(&table, &Labels::new(labels)),
            None => net.gaussian_path(&table, &outcome.unwrap_or_default()),
        }
    })?;
    path_to_python(py, &path, table.columns())
}

/// A cross-validated path of a binomial regression: (path, mean, standard error, position of the best penalty, position
/// of the largest penalty within one standard error, folds).
#[pyfunction]
pub(crate) fn cross_validated_path(
    py: Python<'_>,
    table: Table<'_>,
    labels: Vec<bool>,
    folds: Option<Vec<usize>>,
    fold_count: usize,
    seed: u64,
    measure: &str,
    request: PathRequest,
) -> PyResult<Py<PyAny>> {
    let known = [
        ("deviance", CvMeasure::Deviance),
        ("auc", CvMeasure::Auc),
        ("misclassification", CvMeasure::Misclassification),
        ("squared-error", CvMeasure::SquaredError),
        ("absolute-error", CvMeasure::AbsoluteError),
    ];
    let measure = word("measure", measure, &known)?;
    let (table, labels) = (table.table()?, Labels::new(labels));
    let (path, folds) = run(py, None, |_| -> Result<_, SelectionError> {
        let folds = match folds {
            Some(assignment) => Folds::given(assignment)?,
            None => Folds::stratified(&labels, fold_count, FoldOrder::Shuffled { seed })?,
        };
        let path = request.params().check()?.cross_validate(&table, &labels, &folds, measure)?;
        Ok((path, folds))
    })?;
    (
        path_to_python(py, path.path(), table.columns())?,
        PyArray1::from_slice(py, path.mean()),
        PyArray1::from_slice(py, path.standard_error()),
        path.index(LambdaChoice::Min),
        path.index(LambdaChoice::OneStandardError),
        folds.assignment().to_vec(),
    )
        .into_py_any(py)
}

/// (name, estimate, standard error, Wald p-value, p-value of the penalised likelihood ratio, interval).
type Term = (String, f64, f64, f64, f64, Limits);

/// Firth's logistic regression: (terms, aliased predictors, penalised log-likelihood, iterations).
#[pyfunction]
pub(crate) fn firth(
    py: Python<'_>,
    table: Table<'_>,
    labels: Vec<bool>,
    level: f64,
) -> PyResult<(Vec<Term>, Vec<String>, f64, usize)> {
    let (table, labels) = (table.table()?, Labels::new(labels));
    let mut params = LogisticParams::default();
    params.level = level;
    let model = run(py, None, |_| FirthModel::fit(&table, &labels, &params))?;
    let terms = model.terms().iter().map(|term| {
        let interval = limits(term.interval);
        (term.name.clone(), term.estimate, term.standard_error, term.wald_p, term.p_value, interval)
    });
    Ok((terms.collect(), model.aliased().to_vec(), model.penalised_log_likelihood(), model.iterations()))
}
