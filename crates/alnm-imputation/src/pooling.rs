//! Rubin's rules: one estimate, with its uncertainty, from the analyses of several completed tables.
//!
//! Of m estimates Qᵢ with variances Uᵢ:
//!
//! ```text
//! Q̄ = mean of Qᵢ    Ū = mean of Uᵢ    B = Σ (Qᵢ − Q̄)²/(m − 1)    T = Ū + (1 + 1/m) B
//! λ = (1 + 1/m) B/T                        share of the variance that missing values cause
//! ν_old = (m − 1)/λ²                       degrees of freedom (Rubin 1987)
//! ν_obs = (ν_com + 1)/(ν_com + 3) ν_com (1 − λ)
//! ν = ν_old ν_obs/(ν_old + ν_obs)          (Barnard and Rubin 1999); ν_old where ν_com is infinite
//! r = (1 + 1/m) B/Ū                        relative increase of the variance
//! fraction of missing information = (r + 2/(ν + 3))/(r + 1)
//! ```
//!
//! ν_com are the degrees of freedom that the analysis of complete data has. A λ below 10⁻⁴ counts as 10⁻⁴ in ν, as in
//! `mice::pool`, whose numbers these are.
//!
//! Quantities that are not nearly normal are pooled on a scale on which they are: areas under the ROC curve and risks
//! on that of log odds.

#[cfg(feature = "learning")]
use alnm_models::logistic::LogisticModel;
#[cfg(feature = "learning")]
use alnm_models::proportional_odds::ProportionalOdds;
#[cfg(feature = "learning")]
use alnm_models::saved_model::{RiskEstimates, TrainingData};
#[cfg(feature = "learning")]
use alnm_models::{RiskModel, Variable};
use alnm_stats::calibration::Recalibration;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::decision_curve::DecisionCurve;
use alnm_stats::delong::auc_estimate;
use alnm_stats::distribution::{f_upper_tail, normal_quantile, normal_two_sided, t_quantile, t_two_sided};
use alnm_stats::linear::Cholesky;
use alnm_stats::roc::RocCurve;
use alnm_stats::{Interval, Labels, StatsError, TestResult};
use ndarray::Array2;

use crate::error::{ImputationError, Result, require_imputations, require_level};

/// Smallest λ in the degrees of freedom.
const SMALLEST_LAMBDA: f64 = 1e-4;

/// How analyses are pooled.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `complete_degrees_of_freedom` | infinite | degrees of freedom of the analysis of complete data | above 0 |
/// | `level` | 0.95 | confidence level of the intervals | (0, 1) |
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
#[must_use]
pub struct PoolingParams {
    /// Degrees of freedom of the analysis of complete data; `None` where they are infinite.
    pub complete_degrees_of_freedom: Option<f64>,
    /// Confidence level of the intervals.
    pub level: f64,
}

impl Default for PoolingParams {
    fn default() -> Self {
        Self { complete_degrees_of_freedom: None, level: 0.95 }
    }
}

impl PoolingParams {
    /// Sets the degrees of freedom of the analysis of complete data, for instance rows minus coefficients.
    pub fn with_complete_degrees_of_freedom(self, degrees_of_freedom: f64) -> Self {
        Self { complete_degrees_of_freedom: Some(degrees_of_freedom), ..self }
    }

    /// Sets the confidence level of the intervals.
    pub fn with_level(self, level: f64) -> Self {
        Self { level, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ImputationError::Parameter`] names the parameter that lies outside its range.
    pub fn check(self) -> Result<RubinsRules> {
        require_level(self.level)?;
        match self.complete_degrees_of_freedom {
            Some(df) if df.is_nan() || df <= 0.0 => {
                Err(ImputationError::parameter("degrees of freedom of complete data", df, "above 0"))
            }
            _ => Ok(RubinsRules { params: self }),
        }
    }
}

/// Rubin's rules with checked parameters; made by [`PoolingParams::check`].
///
/// ```
/// use alnm_imputation::pooling::PoolingParams;
/// let rules = PoolingParams::default().with_complete_degrees_of_freedom(50.0).check()?;
/// let pooled = rules.pool("age", &[0.9, 1.1, 1.0], &[0.04, 0.05, 0.045])?;
/// assert!((pooled.estimate - 1.0).abs() < 1e-12 && (pooled.between - 0.01).abs() < 1e-12);
/// assert!(pooled.standard_error > pooled.within.sqrt());
/// # Ok::<(), alnm_imputation::ImputationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RubinsRules {
    params: PoolingParams,
}

/// A pooled estimate.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PooledEstimate {
    /// What was estimated.
    pub name: String,
    /// Number of analyses, m.
    pub imputations: usize,
    /// Mean of the estimates, Q̄.
    pub estimate: f64,
    /// Mean of their variances, Ū.
    pub within: f64,
    /// Variance of the estimates, B.
    pub between: f64,
    /// Total variance, T.
    pub total: f64,
    /// Root of the total variance.
    pub standard_error: f64,
    /// Degrees of freedom, ν.
    pub degrees_of_freedom: f64,
    /// Relative increase of the variance by the missing values, r.
    pub relative_increase: f64,
    /// Share of the total variance that the missing values cause, λ.
    pub proportion_missing: f64,
    /// Fraction of missing information.
    pub fraction_missing_information: f64,
    /// estimate over standard error.
    pub statistic: f64,
    /// Two-sided p-value of the estimate 0, by Student's distribution with the degrees of freedom.
    pub p_value: f64,
    /// Confidence interval by Student's distribution.
    pub interval: Interval,
}

/// An estimate that was pooled on the scale of log odds.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PooledProbability {
    /// The estimate, back between 0 and 1.
    pub estimate: f64,
    /// Its interval, back between 0 and 1.
    pub interval: Interval,
    /// The pooling on the scale of log odds.
    pub log_odds: PooledEstimate,
}

/// Several coefficients that were pooled together.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PooledCoefficients {
    /// Each coefficient by itself.
    pub coefficients: Vec<PooledEstimate>,
    /// Mean of the covariance matrices, Ū.
    pub within: Array2<f64>,
    /// Covariance of the estimates between the analyses, B.
    pub between: Array2<f64>,
    /// Total covariance, Ū + (1 + 1/m) B.
    pub total: Array2<f64>,
    params: PoolingParams,
}

/// Estimates of one analysis with their covariance.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EstimatedCoefficients {
    /// Names of the coefficients.
    pub names: Vec<String>,
    /// The estimates.
    pub estimates: Vec<f64>,
    /// Their covariance.
    pub covariance: Array2<f64>,
}

impl EstimatedCoefficients {
    /// Coefficients with their covariance.
    ///
    /// # Errors
    /// [`ImputationError::Parameter`] when the numbers of names, estimates, rows or columns differ.
    pub fn new(names: Vec<String>, estimates: Vec<f64>, covariance: Array2<f64>) -> Result<Self> {
        if names.len() != estimates.len() || covariance.dim() != (names.len(), names.len()) {
            let requirement = "that of the names, and of the rows and columns of the covariance";
            return Err(ImputationError::parameter("number of estimates", estimates.len(), requirement));
        }
        Ok(Self { names, estimates, covariance })
    }
}

#[cfg(feature = "learning")]
impl EstimatedCoefficients {
    /// The coefficients of a logistic regression.
    ///
    /// # Errors
    /// [`ImputationError::Model`] when the outcome is separated, so that there is no covariance.
    pub fn of_logistic(model: &LogisticModel) -> Result<Self> {
        let terms = model.terms().iter();
        Self::of_terms(terms.map(|t| (t.name.as_str(), t.estimate)), model.covariance().map(|c| c.view().to_owned()))
    }

    /// The coefficients and thresholds of a proportional-odds regression.
    ///
    /// # Errors
    /// As [`EstimatedCoefficients::of_logistic`].
    pub fn of_proportional_odds(model: &ProportionalOdds) -> Result<Self> {
        let terms = model.coefficients().iter().chain(model.thresholds());
        Self::of_terms(terms.map(|t| (t.name.as_str(), t.estimate)), model.covariance().map(|c| c.view().to_owned()))
    }

    fn of_terms<'a>(terms: impl Iterator<Item = (&'a str, f64)>, covariance: Option<Array2<f64>>) -> Result<Self> {
        let separated = alnm_models::ModelError::Separated { operation: "pooling" };
        let (names, estimates) = terms.map(|(name, estimate)| (name.to_owned(), estimate)).unzip();
        Self::new(names, estimates, covariance.ok_or(separated)?)
    }
}

impl RubinsRules {
    /// The parameters.
    pub fn params(&self) -> &PoolingParams {
        &self.params
    }

    #[cfg(feature = "learning")]
    /// The rules for an analysis with these degrees of freedom, unless they are given.
    fn with_degrees_of_freedom(&self, degrees_of_freedom: usize) -> Self {
        let complete = self.params.complete_degrees_of_freedom.or(Some(degrees_of_freedom.max(1) as f64));
        Self { params: PoolingParams { complete_degrees_of_freedom: complete, ..self.params } }
    }

    /// Pools one quantity: its estimates and their variances, one of each for each completed table.
    ///
    /// # Errors
    /// [`ImputationError::Parameter`] for fewer than two estimates, another number of variances, an estimate that is
    /// not finite, and a variance that is not finite or negative.
    pub fn pool(&self, name: &str, estimates: &[f64], variances: &[f64]) -> Result<PooledEstimate> {
        require_imputations(estimates.len())?;
        if variances.len() != estimates.len() {
            let requirement = "that of the estimates";
            return Err(ImputationError::parameter("number of variances", variances.len(), requirement));
        }
        if let Some(&estimate) = estimates.iter().find(|estimate| !estimate.is_finite()) {
            return Err(ImputationError::parameter("estimate of an analysis", estimate, "finite"));
        }
        if let Some(&variance) = variances.iter().find(|variance| !variance.is_finite() || **variance < 0.0) {
            return Err(ImputationError::parameter("variance of an estimate", variance, "finite and 0 or more"));
        }
        let m = estimates.len() as f64;
        let estimate = estimates.iter().sum::<f64>() / m;
        let within = variances.iter().sum::<f64>() / m;
        let between = estimates.iter().map(|q| (q - estimate).powi(2)).sum::<f64>() / (m - 1.0);
        Ok(self.pooled(name, estimates.len(), estimate, within, between))
    }

    fn pooled(&self, name: &str, imputations: usize, estimate: f64, within: f64, between: f64) -> PooledEstimate {
        let m = imputations as f64;
        let total = within + (1.0 + 1.0 / m) * between;
        // Without any variance nothing is missing.
        let share = |of: f64| if total > 0.0 { (1.0 + 1.0 / m) * between / of } else { 0.0 };
        let (proportion_missing, relative_increase) = (share(total), share(within));
        let degrees_of_freedom =
            barnard_rubin(m, proportion_missing, self.params.complete_degrees_of_freedom.unwrap_or(f64::INFINITY));
        let standard_error = total.sqrt();
        // (r + 2/(ν + 3))/(r + 1) with r = λ/(1 − λ), which has a value also where nothing varies within.
        let rest = 2.0 / (degrees_of_freedom + 3.0);
        let fraction = proportion_missing + rest * (1.0 - proportion_missing);
        let statistic = estimate / standard_error;
        let (p_value, quantile) = if degrees_of_freedom.is_infinite() {
            (normal_two_sided(statistic), normal_quantile(0.5 + self.params.level / 2.0))
        } else {
            (t_two_sided(statistic, degrees_of_freedom), t_quantile(0.5 + self.params.level / 2.0, degrees_of_freedom))
        };
        let half = quantile * standard_error;
        PooledEstimate {
            name: name.to_owned(),
            imputations,
            estimate,
            within,
            between,
            total,
            standard_error,
            degrees_of_freedom,
            relative_increase,
            proportion_missing,
            fraction_missing_information: fraction,
            statistic,
            p_value,
            interval: Interval { lower: estimate - half, upper: estimate + half, level: self.params.level },
        }
    }

    /// Pools several coefficients with their covariances. All analyses must have the same coefficients.
    ///
    /// # Errors
    /// [`ImputationError::Parameter`] as [`RubinsRules::pool`]; [`ImputationError::Plan`] when the analyses have other
    /// coefficients.
    pub fn pool_coefficients(&self, analyses: &[EstimatedCoefficients]) -> Result<PooledCoefficients> {
        require_imputations(analyses.len())?;
        let names = &analyses[0].names;
        if let Some(other) = analyses.iter().find(|analysis| analysis.names != *names) {
            let reason = format!("an analysis has the coefficients {:?}; all must have {names:?}", other.names);
            return Err(ImputationError::plan("coefficients", reason));
        }
        let (m, k) = (analyses.len() as f64, names.len());
        let coefficients = (0..k)
            .map(|i| {
                let estimates: Vec<f64> = analyses.iter().map(|analysis| analysis.estimates[i]).collect();
                let variances: Vec<f64> = analyses.iter().map(|analysis| analysis.covariance[[i, i]]).collect();
                self.pool(&names[i], &estimates, &variances)
            })
            .collect::<Result<Vec<_>>>()?;
        let mean = |i: usize| coefficients[i].estimate;
        let within = Array2::from_shape_fn((k, k), |(i, j)| {
            analyses.iter().map(|analysis| analysis.covariance[[i, j]]).sum::<f64>() / m
        });
        let between = Array2::from_shape_fn((k, k), |(i, j)| {
            let products = analyses.iter().map(|a| (a.estimates[i] - mean(i)) * (a.estimates[j] - mean(j)));
            products.sum::<f64>() / (m - 1.0)
        });
        let total = &within + &((1.0 + 1.0 / m) * &between);
        Ok(PooledCoefficients { coefficients, within, between, total, params: self.params })
    }

    #[cfg(feature = "learning")]
    /// Pools logistic regressions of completed tables. The degrees of freedom of complete data are rows minus
    /// coefficients of the first, unless others are given.
    ///
    /// # Errors
    /// As [`EstimatedCoefficients::of_logistic`] and [`RubinsRules::pool_coefficients`].
    pub fn pool_logistic(&self, models: &[LogisticModel]) -> Result<PooledCoefficients> {
        let analyses = models.iter().map(EstimatedCoefficients::of_logistic).collect::<Result<Vec<_>>>()?;
        let df = models.first().map_or(1, LogisticModel::residual_degrees_of_freedom);
        self.with_degrees_of_freedom(df).pool_coefficients(&analyses)
    }

    #[cfg(feature = "learning")]
    /// Pools proportional-odds regressions of completed tables, as [`RubinsRules::pool_logistic`].
    ///
    /// # Errors
    /// As [`EstimatedCoefficients::of_proportional_odds`] and [`RubinsRules::pool_coefficients`].
    pub fn pool_proportional_odds(&self, models: &[ProportionalOdds]) -> Result<PooledCoefficients> {
        let analyses = models.iter().map(EstimatedCoefficients::of_proportional_odds).collect::<Result<Vec<_>>>()?;
        let df = models.first().map_or(1, ProportionalOdds::residual_degrees_of_freedom);
        self.with_degrees_of_freedom(df).pool_coefficients(&analyses)
    }

    /// Pools probabilities on the scale of log odds, where the variance of each is its own over (p (1 − p))².
    ///
    /// # Errors
    /// [`ImputationError::Parameter`] as [`RubinsRules::pool`]; [`ImputationError::Statistics`] for a probability of
    /// exactly 0 or 1, which has no logit.
    ///
    /// ```
    /// use alnm_imputation::pooling::PoolingParams;
    /// let rules = PoolingParams::default().check()?;
    /// let area = rules.pool_probabilities("AUC", &[0.80, 0.82, 0.81], &[0.001, 0.001, 0.001])?;
    /// assert!((area.estimate - 0.81).abs() < 1e-3);
    /// assert!(area.interval.lower > 0.73 && area.interval.upper < 0.87);
    /// # Ok::<(), alnm_imputation::ImputationError>(())
    /// ```
    pub fn pool_probabilities(&self, name: &str, estimates: &[f64], variances: &[f64]) -> Result<PooledProbability> {
        if estimates.iter().any(|p| *p <= 0.0 || *p >= 1.0) {
            let requirement = "no estimate may be 0 or below, or 1 or above, which have no logit";
            return Err(StatsError::Undefined { operation: "pooling of probabilities", requirement }.into());
        }
        let logits: Vec<f64> = estimates.iter().map(|p| (p / (1.0 - p)).ln()).collect();
        let scaled: Vec<f64> = estimates.iter().zip(variances).map(|(p, v)| v / (p * (1.0 - p)).powi(2)).collect();
        Ok(PooledProbability::of(self.pool(name, &logits, &scaled)?))
    }

    /// Pools areas under the ROC curve, with DeLong's variance, on the scale of log odds.
    ///
    /// # Errors
    /// As [`RubinsRules::pool_probabilities`]: an area of exactly 1 cannot be pooled so, nor one of a class with a
    /// single member, whose variance is unknown.
    pub fn pool_auc(&self, curves: &[RocCurve]) -> Result<PooledProbability> {
        let areas = curves.iter().map(|curve| Ok(auc_estimate(curve, self.params.level)?));
        let areas = areas.collect::<Result<Vec<_>>>()?;
        let (estimates, variances): (Vec<f64>, Vec<f64>) = areas.iter().map(|area| (area.auc, area.variance)).unzip();
        self.pool_probabilities("AUC", &estimates, &variances)
    }

    /// Pools calibration in the large, intercept and slope, each by itself.
    ///
    /// # Errors
    /// As [`RubinsRules::pool`].
    pub fn pool_calibration(&self, recalibrations: &[Recalibration]) -> Result<PooledCalibration> {
        let of = |name: &str, part: fn(&Recalibration) -> alnm_stats::calibration::WaldEstimate| {
            let parts: Vec<_> = recalibrations.iter().map(part).collect();
            let estimates: Vec<f64> = parts.iter().map(|part| part.estimate).collect();
            let variances: Vec<f64> = parts.iter().map(|part| part.standard_error.powi(2)).collect();
            self.pool(name, &estimates, &variances)
        };
        Ok(PooledCalibration {
            in_the_large: of("calibration in the large", |r| r.in_the_large)?,
            intercept: of("calibration intercept", |r| r.intercept)?,
            slope: of("calibration slope", |r| r.slope)?,
        })
    }

    /// Pools the net benefit at a threshold probability t. `risks` holds the risks of the patients in each completed
    /// table. The variance of the net benefit of n patients is that of the mean of what each adds, +1 for a treated
    /// event and −t/(1 − t) for another treated patient, with the divisor n.
    ///
    /// # Errors
    /// [`ImputationError::Statistics`] as [`DecisionCurve::new`]; [`ImputationError::Parameter`] as
    /// [`RubinsRules::pool`].
    pub fn pool_net_benefit(&self, labels: &Labels, risks: &[Vec<f64>], threshold: f64) -> Result<PooledEstimate> {
        let n = labels.len() as f64;
        let odds = threshold / (1.0 - threshold);
        let mut variances = Vec::with_capacity(risks.len());
        let mut estimates = Vec::with_capacity(risks.len());
        for risks in risks {
            let point = DecisionCurve::new(labels, risks, &[threshold])?.points()[0];
            let squares = point.true_positive_rate + point.false_positive_rate * odds * odds;
            estimates.push(point.net_benefit);
            variances.push(((squares - point.net_benefit.powi(2)) / n).max(0.0));
        }
        self.pool("net benefit", &estimates, &variances)
    }
}

/// Degrees of freedom of Barnard and Rubin.
fn barnard_rubin(m: f64, lambda: f64, complete: f64) -> f64 {
    let lambda = lambda.max(SMALLEST_LAMBDA);
    let old = (m - 1.0) / (lambda * lambda);
    if complete.is_infinite() {
        return old;
    }
    let observed = (complete + 1.0) / (complete + 3.0) * complete * (1.0 - lambda);
    old * observed / (old + observed)
}

/// Pooled calibration of risks.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PooledCalibration {
    /// The intercept with the slope held at 1; 0 is perfect.
    pub in_the_large: PooledEstimate,
    /// The intercept beside a free slope.
    pub intercept: PooledEstimate,
    /// The slope; 1 is perfect.
    pub slope: PooledEstimate,
}

impl PooledProbability {
    pub(crate) fn of(log_odds: PooledEstimate) -> Self {
        let expit = |x: f64| 1.0 / (1.0 + (-x).exp());
        Self { estimate: expit(log_odds.estimate), interval: log_odds.interval.map(expit), log_odds }
    }
}

impl PooledCoefficients {
    #[cfg(feature = "learning")]
    /// The saved form of a pooled logistic regression: its coefficients with their total covariance, T, so that the
    /// interval of a patient's risk holds what was missing in training. `training` holds the completed tables.
    ///
    /// # Errors
    /// [`ImputationError::Model`], as [`RiskModel::of_estimates`].
    ///
    /// ```
    /// use alnm_imputation::pooling::PoolingParams;
    /// use alnm_models::saved_model::TrainingData;
    /// use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams, Variable};
    /// use ndarray::Array2;
    /// // Two completions of a table, in which one size was missing.
    /// let table = |imputed: f64| {
    ///     let size = |i: usize| if i == 7 { imputed } else { ((i * 17) % 37) as f64 };
    ///     FeatureTable::new(vec!["size".into()], Array2::from_shape_fn((80, 1), |(i, _)| size(i)))
    /// };
    /// let tables = [table(3.0)?, table(30.0)?];
    /// let labels = Labels::new((0..80).map(|i| (i * 17) % 37 + (i * 13) % 29 > 32).collect());
    /// let params = LogisticParams::default();
    /// let models = [LogisticModel::fit(&tables[0], &labels, &params)?, LogisticModel::fit(&tables[1], &labels, &params)?];
    /// let pooled = PoolingParams::default().check()?.pool_logistic(&models)?;
    /// let training = TrainingData::new(&tables, &labels, "80 patients, two imputations");
    /// let saved = pooled.risk_model("size", &[Variable::new("size", "mm")], &training)?;
    /// assert_eq!(saved.variables()[0].coefficient, pooled.coefficient("size")?.estimate);
    /// # Ok::<(), alnm_imputation::ImputationError>(())
    /// ```
    pub fn risk_model(&self, name: &str, variables: &[Variable], training: &TrainingData<'_>) -> Result<RiskModel> {
        let (names, estimates): (Vec<String>, Vec<f64>) =
            self.coefficients.iter().map(|coefficient| (coefficient.name.clone(), coefficient.estimate)).unzip();
        let estimates = RiskEstimates::new(&names, &estimates, self.total.view());
        Ok(RiskModel::of_estimates(name, &estimates, variables, training)?)
    }

    /// The coefficient of the given name.
    ///
    /// # Errors
    /// [`ImputationError::Model`] lists the names that exist.
    pub fn coefficient(&self, name: &str) -> Result<&PooledEstimate> {
        self.coefficients.iter().find(|coefficient| coefficient.name == name).ok_or_else(|| {
            let known = self.coefficients.iter().map(|coefficient| coefficient.name.clone()).collect();
            alnm_models::ModelError::Unknown { what: "coefficient", name: name.to_owned(), known }.into()
        })
    }

    /// Wald test that the named coefficients are all 0 (Li, Raghunathan and Rubin 1991: D₁), for instance those of the
    /// levels of a categorical variable.
    ///
    /// ```text
    /// r = (1 + 1/m) tr(B Ū⁻¹)/k      D₁ = Q̄ᵀ Ū⁻¹ Q̄/(k (1 + r))
    /// ```
    ///
    /// is compared with F of k and ν degrees of freedom, where ν is Li, Raghunathan and Rubin's without and Reiter's
    /// (2007) with degrees of freedom of complete data. Reiter's ask for k (m − 1) > 4; below that Li, Raghunathan and
    /// Rubin's stand.
    ///
    /// # Errors
    /// [`ImputationError::Model`] for an unknown name and for coefficients that depend on one another.
    pub fn wald_test(&self, names: &[&str]) -> Result<TestResult> {
        let places = names
            .iter()
            .map(|name| {
                self.coefficient(name)?;
                Ok(self.coefficients.iter().position(|coefficient| coefficient.name == *name).unwrap_or_default())
            })
            .collect::<Result<Vec<usize>>>()?;
        let k = places.len();
        if k == 0 {
            return Err(ImputationError::parameter("number of coefficients of the test", k, "at least 1"));
        }
        let pick = |of: &Array2<f64>| -> Vec<f64> {
            (0..k * k).map(|entry| of[[places[entry / k], places[entry % k]]]).collect()
        };
        let factor = Cholesky::new(&pick(&self.within), k).ok_or(StatsError::Undefined {
            operation: "Wald test of pooled coefficients",
            requirement: "the coefficients must not depend on one another, nor be given twice",
        })?;
        let (inverse, between) = (factor.inverse(), pick(&self.between));
        let m = self.coefficients[0].imputations as f64;
        let trace: f64 = (0..k * k).map(|entry| between[entry] * inverse[entry % k * k + entry / k]).sum();
        let k = k as f64;
        let r = (1.0 + 1.0 / m) * trace / k;
        let estimates: Vec<f64> = places.iter().map(|&place| self.coefficients[place].estimate).collect();
        let quadratic: f64 = factor.solve(&estimates).iter().zip(&estimates).map(|(a, b)| a * b).sum();
        let statistic = quadratic / (k * (1.0 + r));
        let df = d1_degrees_of_freedom(k, m, r, self.params.complete_degrees_of_freedom);
        let p_value = f_upper_tail(statistic, k, df);
        Ok(TestResult::new("Wald test of pooled coefficients (D1)", statistic, &[k, df], p_value))
    }
}

/// Denominator degrees of freedom of D₁. They are at most 10⁹, where F no longer changes.
fn d1_degrees_of_freedom(k: f64, m: f64, r: f64, complete: Option<f64>) -> f64 {
    let t = k * (m - 1.0);
    let df = match complete.filter(|df| df.is_finite() && t > 4.0) {
        Some(complete) => {
            let a = r * t / (t - 2.0);
            let observed = (complete + 1.0) / (complete + 3.0) * complete;
            let c0 = 1.0 / (t - 4.0);
            let c1 = observed - 2.0 * (1.0 + a);
            let c2 = observed - 4.0 * (1.0 + a);
            let z = 1.0 / c2
                + c0 * (a * a * c1 / ((1.0 + a).powi(2) * c2))
                + c0 * (8.0 * a * a * c1 / ((1.0 + a) * c2 * c2) + 4.0 * a * a / ((1.0 + a) * c2))
                + c0 * (4.0 * a * a / (c2 * c1) + 16.0 * a * a * c1 / c2.powi(3))
                + c0 * (8.0 * a * a / (c2 * c2));
            4.0 + 1.0 / z
        }
        None if t > 4.0 => 4.0 + (t - 4.0) * (1.0 + (1.0 - 2.0 / t) / r).powi(2),
        None => t * (1.0 + 1.0 / k) * (1.0 + 1.0 / r).powi(2) / 2.0,
    };
    df.min(1e9)
}

impl Tabulate for PooledCoefficients {
    const COLUMNS: &'static [&'static str] = &["term", "estimate", "SE", "df", "t", "p", "lower", "upper", "FMI"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let row = |c: &PooledEstimate| {
            cells![
                &c.name,
                c.estimate,
                c.standard_error,
                c.degrees_of_freedom,
                c.statistic,
                c.p_value,
                c.interval.lower,
                c.interval.upper,
                c.fraction_missing_information
            ]
        };
        self.coefficients.iter().map(row).collect()
    }
}
