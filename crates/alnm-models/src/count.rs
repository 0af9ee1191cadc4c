//! Regression of counts, such as the number of nodes with metastasis: Poisson and negative binomial, with a log link.
//!
//! The mean is μ = exp(offset + xᵀβ). A Poisson count has the variance μ; a negative binomial one μ + μ²/θ, where θ is
//! estimated beside the coefficients. Results are those of R's `glm(family = poisson)` and `MASS::glm.nb` at the
//! optimum.
//!
//! ```
//! use alnm_models::FeatureTable;
//! use alnm_models::count::{CountFamily, CountModel, CountParams};
//! use ndarray::array;
//! let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
//! let nodes = [0, 1, 0, 2, 3, 5];
//! let model = CountModel::fit(&table, &nodes, &CountParams::new(CountFamily::Poisson))?;
//! assert!(model.term("size")?.estimate > 0.0);
//! // The mean of the fit is the mean of the counts.
//! assert!((model.fitted().iter().sum::<f64>() - 11.0).abs() < 1e-9);
//! # Ok::<(), alnm_models::ModelError>(())
//! ```

use alnm_selection::SelectionError;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::distribution::chi_squared_upper_tail;
use alnm_stats::linear::{Cholesky, solve_symmetric};
use alnm_stats::missing::Missing;
use alnm_stats::{StatsError, TestResult};
use ndarray::Array2;

use crate::FeatureTable;
use crate::covariance::CovarianceMatrix;
use crate::error::{ModelError, Result, require_level};
use crate::logistic::{INTERCEPT, Term, term};

const OPERATION: &str = "regression of counts";

/// Distribution of the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CountFamily {
    /// Variance equal to the mean.
    Poisson,
    /// Variance μ + μ²/θ, θ estimated.
    NegativeBinomial,
}

/// Parameters of a regression of counts, unchecked.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `family` | given to `new` | distribution of the counts | |
/// | `level` | 0.95 | confidence level of the intervals | (0, 1) |
/// | `missing` | refuse | what to do with rows that lack a value | |
/// | `offset` | all 0 | fixed part of the log mean of each row, for instance the log number of nodes examined | finite |
/// | `max_iterations` | 100 | steps at most | 1 or more |
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct CountParams {
    /// Distribution of the counts.
    pub family: CountFamily,
    /// Confidence level of the intervals.
    pub level: f64,
    /// What to do with rows that lack a value.
    pub missing: Missing,
    /// Fixed part of the log mean of each row; `None` for none.
    pub offset: Option<Vec<f64>>,
    /// Steps at most.
    pub max_iterations: usize,
}

impl CountParams {
    /// The regression of a family of distributions with the default settings.
    pub fn new(family: CountFamily) -> Self {
        Self { family, level: 0.95, missing: Missing::Refuse, offset: None, max_iterations: 100 }
    }

    /// Sets the confidence level of the intervals.
    pub fn with_level(self, level: f64) -> Self {
        Self { level, ..self }
    }

    /// Sets what to do with rows that lack a value.
    pub fn with_missing(self, missing: Missing) -> Self {
        Self { missing, ..self }
    }

    /// Sets the fixed part of the log mean of each row.
    pub fn with_offset(self, offset: Vec<f64>) -> Self {
        Self { offset: Some(offset), ..self }
    }

    /// Sets the number of steps at most.
    pub fn with_max_iterations(self, max_iterations: usize) -> Self {
        Self { max_iterations, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] names the parameter that lies outside its range.
    pub fn check(self) -> Result<CountRegression> {
        require_level(self.level)?;
        if self.max_iterations == 0 {
            return Err(ModelError::parameter("max_iterations", self.max_iterations, "at least 1"));
        }
        if let Some(&offset) = self.offset.iter().flatten().find(|o| !o.is_finite()) {
            return Err(ModelError::parameter("offset of a row", offset, "finite"));
        }
        Ok(CountRegression { params: self })
    }
}

/// Checked parameters of a regression of counts, ready to fit; made by [`CountParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct CountRegression {
    params: CountParams,
}

/// The size θ of a negative binomial distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Dispersion {
    /// θ of the variance μ + μ²/θ.
    pub theta: f64,
    /// Its standard error from the observed information at the fitted means.
    pub standard_error: f64,
}

/// A fitted regression of counts.
///
/// A model that is read with serde is checked: sizes and counts agree, numbers are finite, and the inference follows
/// from the estimates and their covariance.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "saved::CountForm", into = "saved::CountForm"))]
pub struct CountModel {
    terms: Vec<Term>,
    aliased: Vec<String>,
    covariance: CovarianceMatrix,
    family: CountFamily,
    dispersion: Option<Dispersion>,
    log_likelihood: f64,
    deviance: f64,
    null_deviance: f64,
    iterations: usize,
    fitted: Vec<f64>,
}

impl CountModel {
    /// Fits by maximum likelihood, under parameters that are checked first.
    ///
    /// # Errors
    /// As [`CountRegression::fit`], and [`ModelError::Parameter`] for a parameter outside its range.
    pub fn fit(table: &FeatureTable, counts: &[u64], params: &CountParams) -> Result<Self> {
        params.clone().check()?.fit(table, counts)
    }

    /// The coefficients: the intercept first, then log ratios of the mean per unit of the predictors, in the order of
    /// the columns.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The term of the given name.
    ///
    /// # Errors
    /// [`ModelError::Unknown`] lists the names that exist.
    pub fn term(&self, name: &str) -> Result<&Term> {
        Term::named(&self.terms, name)
    }

    /// Predictors that depend linearly on earlier ones and were left out.
    #[must_use]
    pub fn aliased(&self) -> &[String] {
        &self.aliased
    }

    /// Covariance of the coefficients, from the expected information at the estimated θ.
    #[must_use]
    pub fn covariance(&self) -> &CovarianceMatrix {
        &self.covariance
    }

    /// Distribution of the counts.
    #[must_use]
    pub fn family(&self) -> CountFamily {
        self.family
    }

    /// The size θ of the negative binomial distribution. `None` for a Poisson model, and where the counts vary no more
    /// than Poisson counts: the likelihood then rises without end in θ, and the model is the Poisson model.
    #[must_use]
    pub fn dispersion(&self) -> Option<Dispersion> {
        self.dispersion
    }

    /// Log likelihood, all constants included.
    #[must_use]
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// Deviance, twice the distance of the log likelihood from that of means equal to the counts, at the estimated θ.
    #[must_use]
    pub fn deviance(&self) -> f64 {
        self.deviance
    }

    /// Deviance of the model with only the intercept and the offset, at the same θ.
    #[must_use]
    pub fn null_deviance(&self) -> f64 {
        self.null_deviance
    }

    /// Akaike's information criterion, −2 ln L + 2k, θ being counted among the k estimates of a negative binomial
    /// model.
    #[must_use]
    pub fn aic(&self) -> f64 {
        let theta = usize::from(self.family == CountFamily::NegativeBinomial);
        2.0 * ((self.terms.len() + theta) as f64 - self.log_likelihood)
    }

    /// Steps taken for the coefficients.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Means of the rows used.
    #[must_use]
    pub fn fitted(&self) -> &[f64] {
        &self.fitted
    }

    /// Likelihood ratio test against a smaller model of the same rows and family that is nested in it; a Poisson model
    /// is nested in a negative binomial one of the same predictors, with half the p-value since θ lies at an end of its
    /// range.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] when the other model was fitted to another number of rows or does not estimate less.
    pub fn compare_nested(&self, smaller: &Self) -> Result<TestResult> {
        if smaller.fitted.len() != self.fitted.len() {
            let requirement = "that of the larger model: fit both models to the same rows";
            return Err(ModelError::parameter("number of rows of the nested model", smaller.fitted.len(), requirement));
        }
        let estimates = |m: &Self| m.terms.len() + usize::from(m.family == CountFamily::NegativeBinomial);
        if estimates(smaller) >= estimates(self) {
            let name = "number of estimates of the nested model";
            return Err(ModelError::parameter(name, estimates(smaller), "less than that of the larger model"));
        }
        let statistic = (2.0 * (self.log_likelihood - smaller.log_likelihood)).max(0.0);
        let df = (estimates(self) - estimates(smaller)) as f64;
        let only_theta = self.terms.len() == smaller.terms.len();
        let p_value = chi_squared_upper_tail(statistic, df) * if only_theta { 0.5 } else { 1.0 };
        Ok(TestResult::new("Likelihood ratio test", statistic, &[df], p_value))
    }

    /// Mean count of every row. Columns are found by name; `offset` holds the fixed part of the log mean of each row,
    /// if the model has one. A missing value gives NaN.
    ///
    /// # Errors
    /// [`ModelError::Selection`] names the column that the table lacks, or for offsets of another number of rows.
    pub fn predict(&self, table: &FeatureTable, offset: Option<&[f64]>) -> Result<Vec<f64>> {
        let coefficients = self.terms.iter().map(|t| (t.name.as_str(), t.estimate));
        let mut eta = crate::design::linear_predictor(coefficients, table)?;
        if let Some(offset) = offset {
            require_as_many("offsets and rows", offset.len(), table.rows())?;
            eta.iter_mut().zip(offset).for_each(|(e, o)| *e += o);
        }
        Ok(eta.into_iter().map(f64::exp).collect())
    }
}

fn require_as_many(what: &'static str, left: usize, right: usize) -> Result<()> {
    if left == right { Ok(()) } else { Err(SelectionError::Shape { what, left, right }.into()) }
}

impl CountRegression {
    /// The parameters.
    pub fn params(&self) -> &CountParams {
        &self.params
    }

    /// Fits by maximum likelihood.
    ///
    /// # Errors
    /// [`ModelError::Selection`] for a missing value that the policy refuses or for numbers of rows that do not agree,
    /// [`ModelError::Repeated`] for a column named [`INTERCEPT`], [`ModelError::Parameter`] for a count above ten
    /// million, [`ModelError::Statistics`] when all counts are 0 or without rows, [`ModelError::Separated`] when a
    /// coefficient runs off to infinity because some group of rows has counts of 0 only, [`ModelError::NotConverged`].
    pub fn fit(&self, table: &FeatureTable, counts: &[u64]) -> Result<CountModel> {
        let data = Data::new(table, counts, &self.params)?;
        let poisson = data.fit(f64::INFINITY, None, self.params.max_iterations)?;
        let (fit, dispersion) = match self.params.family {
            CountFamily::Poisson => (poisson, None),
            CountFamily::NegativeBinomial => self.with_dispersion(&data, poisson)?,
        };
        let theta = dispersion.map_or(f64::INFINITY, |d| d.theta);
        let null = Data { columns: data.columns[..1].to_vec(), ..data.clone() };
        let null_fit = null.fit(theta, None, self.params.max_iterations)?;
        let (estimates, covariance) = data.unscaled(&fit)?;
        let terms = data
            .names
            .iter()
            .enumerate()
            .map(|(j, name)| term(name, estimates[j], covariance[[j, j]].sqrt(), self.params.level))
            .collect();
        let covariance = CovarianceMatrix::new(covariance)
            .map_err(|_| ModelError::NotConverged { operation: OPERATION, iterations: fit.iterations })?;
        Ok(CountModel {
            terms,
            aliased: data.aliased.clone(),
            covariance,
            family: self.params.family,
            dispersion,
            log_likelihood: data.log_likelihood(&fit.means, theta),
            deviance: data.deviance(&fit.means, theta),
            null_deviance: data.deviance(&null_fit.means, theta),
            iterations: fit.iterations,
            fitted: fit.means,
        })
    }

    /// Coefficients and θ in turn, until neither moves. They are independent in large samples, so few rounds suffice.
    fn with_dispersion(&self, data: &Data, poisson: CountFit) -> Result<(CountFit, Option<Dispersion>)> {
        // The slope of the likelihood in 1/θ at the Poisson model.
        let excess: f64 = poisson.means.iter().zip(&data.counts).map(|(mu, y)| (y - mu).powi(2) - y).sum();
        if excess <= 0.0 {
            return Ok((poisson, None));
        }
        let squares: f64 = poisson.means.iter().zip(&data.counts).map(|(mu, y)| (y / mu - 1.0).powi(2)).sum();
        let mut theta = (data.counts.len() as f64 / squares).max(1e-3);
        let mut fit = poisson;
        let mut iterations = 0;
        for _ in 0..self.params.max_iterations {
            let Some(next) = data.best_theta(&fit.means, theta) else { return Ok((fit, None)) };
            let after = data.fit(next, Some(&fit.beta), self.params.max_iterations)?;
            iterations += after.iterations;
            let moved = after.beta.iter().zip(&fit.beta).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            let settled = (next - theta).abs() <= 1e-12 * next && moved <= 1e-12;
            theta = next;
            fit = CountFit { iterations, ..after };
            if settled {
                let standard_error = data.theta_derivatives(&fit.means, theta)[1].recip().sqrt();
                return Ok((fit, Some(Dispersion { theta, standard_error })));
            }
        }
        Err(ModelError::NotConverged { operation: OPERATION, iterations: self.params.max_iterations })
    }
}

/// The data of a fit: an intercept and centred, scaled predictors.
#[derive(Clone)]
struct Data {
    names: Vec<String>,
    aliased: Vec<String>,
    columns: Vec<Vec<f64>>,
    means: Vec<f64>,
    scales: Vec<f64>,
    counts: Vec<f64>,
    offset: Vec<f64>,
    /// Number of rows whose count is above 0, 1, 2, …
    above: Vec<f64>,
}

/// Coefficients on the scaled columns and what follows from them.
struct CountFit {
    beta: Vec<f64>,
    means: Vec<f64>,
    information: Vec<f64>,
    iterations: usize,
}

impl Data {
    fn new(table: &FeatureTable, counts: &[u64], params: &CountParams) -> Result<Self> {
        const LARGEST: u64 = 10_000_000;
        require_as_many("counts and rows", counts.len(), table.rows())?;
        if let Some(offset) = &params.offset {
            require_as_many("offsets and rows", offset.len(), table.rows())?;
        }
        if let Some(&count) = counts.iter().find(|count| **count > LARGEST) {
            return Err(ModelError::parameter("count of a row", count, "at most ten million"));
        }
        if table.names().iter().any(|name| name == INTERCEPT) {
            return Err(ModelError::Repeated { what: "term", name: INTERCEPT.to_owned() });
        }
        let rows = match params.missing {
            Missing::Omit => table.complete_rows(),
            _ => (0..table.rows()).collect(),
        };
        let table = table.select_rows(&rows);
        table.require_finite()?;
        let counts: Vec<u64> = rows.iter().map(|&row| counts[row]).collect();
        let largest = counts.iter().copied().max().unwrap_or_default();
        if largest == 0 {
            let requirement = "at least one count must be above 0";
            return Err(StatsError::Undefined { operation: OPERATION, requirement }.into());
        }
        let mut above = vec![0.0; largest as usize];
        counts.iter().filter(|count| **count > 0).for_each(|&count| above[count as usize - 1] += 1.0);
        for k in (1..above.len()).rev() {
            above[k - 1] += above[k];
        }
        let n = rows.len() as f64;
        let (mut columns, mut means, mut scales) = (vec![vec![1.0; rows.len()]], vec![0.0], vec![1.0]);
        for column in table.values().columns() {
            let mean = column.sum() / n;
            let spread = (column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
            let constant = column.iter().all(|v| *v == column[0]) || spread == 0.0;
            columns.push(column.iter().map(|v| if constant { 0.0 } else { (v - mean) / spread }).collect());
            means.push(mean);
            scales.push(if constant { 1.0 } else { spread });
        }
        let names: Vec<String> = std::iter::once(INTERCEPT.to_owned()).chain(table.names().iter().cloned()).collect();
        let weights = vec![1.0; rows.len()];
        let likelihood =
            crate::irls::Likelihood { columns: &columns, y: &weights, weights: &weights, offset: &weights };
        let kept = likelihood.independent_columns();
        let aliased = (0..names.len()).filter(|j| !kept.contains(j)).map(|j| names[j].clone()).collect();
        let offset =
            params.offset.as_ref().map_or_else(|| vec![0.0; rows.len()], |o| rows.iter().map(|&r| o[r]).collect());
        Ok(Self {
            names: kept.iter().map(|&j| names[j].clone()).collect(),
            aliased,
            columns: kept.iter().map(|&j| columns[j].clone()).collect(),
            means: kept.iter().map(|&j| means[j]).collect(),
            scales: kept.iter().map(|&j| scales[j]).collect(),
            counts: counts.iter().map(|&count| count as f64).collect(),
            offset,
            above,
        })
    }

    fn linear_predictor(&self, beta: &[f64]) -> Vec<f64> {
        let mut eta = vec![0.0; self.counts.len()];
        for (column, b) in self.columns.iter().zip(beta) {
            eta.iter_mut().zip(column).for_each(|(e, x)| *e += b * x);
        }
        eta
    }

    fn means_at(&self, beta: &[f64]) -> Vec<f64> {
        self.linear_predictor(beta).iter().zip(&self.offset).map(|(e, o)| (e + o).exp()).collect()
    }

    /// Fisher scoring with halved steps, at a fixed θ.
    fn fit(&self, theta: f64, start: Option<&[f64]>, max_iterations: usize) -> Result<CountFit> {
        let k = self.columns.len();
        let mut beta = start.map_or_else(
            || {
                // The intercept that gives the counts their sum.
                let total: f64 = self.counts.iter().sum();
                let exposure: f64 = self.offset.iter().map(|o| o.exp()).sum();
                let mut beta = vec![0.0; k];
                beta[0] = (total / exposure).ln();
                beta
            },
            <[f64]>::to_vec,
        );
        let mut means = self.means_at(&beta);
        let mut deviance = self.deviance(&means, theta);
        let mut last_step = Vec::new();
        for iteration in 1..=max_iterations {
            let (gradient, information) = self.score(&means, theta);
            let Some(step) = solve_symmetric(&information, &gradient) else { break };
            let decrement: f64 = step.iter().zip(&gradient).map(|(s, g)| s * g).sum();
            let mut scale = 1.0;
            let (next, next_means, value) = loop {
                let next: Vec<f64> = beta.iter().zip(&step).map(|(b, s)| b + scale * s).collect();
                let next_means = self.means_at(&next);
                let value = self.deviance(&next_means, theta);
                if value <= deviance + 1e-10 * (deviance.abs() + 0.1) || scale < 1e-10 {
                    break (next, next_means, value);
                }
                scale /= 2.0;
            };
            (beta, means, deviance) = (next, next_means, value);
            if decrement.abs() <= crate::design::STEP_TOLERANCE {
                if self.is_recession(&step) && iteration > 6 {
                    return Err(ModelError::Separated { operation: OPERATION });
                }
                let (_, information) = self.score(&means, theta);
                return Ok(CountFit { beta, means, information, iterations: iteration });
            }
            last_step = step;
        }
        if !last_step.is_empty() && self.is_recession(&last_step) {
            return Err(ModelError::Separated { operation: OPERATION });
        }
        Err(ModelError::NotConverged { operation: OPERATION, iterations: max_iterations })
    }

    /// Gradient and expected information of the coefficients.
    fn score(&self, means: &[f64], theta: f64) -> (Vec<f64>, Vec<f64>) {
        let k = self.columns.len();
        // (y − μ)/(1 + μ/θ) and μ/(1 + μ/θ), θ infinite for Poisson counts.
        let shrunk: Vec<f64> = means.iter().map(|mu| 1.0 + mu / theta).collect();
        let residual: Vec<f64> = means.iter().zip(&self.counts).zip(&shrunk).map(|((mu, y), s)| (y - mu) / s).collect();
        let weight: Vec<f64> = means.iter().zip(&shrunk).map(|(mu, s)| mu / s).collect();
        let gradient = self.columns.iter().map(|c| c.iter().zip(&residual).map(|(x, r)| x * r).sum()).collect();
        let mut information = vec![0.0; k * k];
        for a in 0..k {
            let weighted: Vec<f64> = self.columns[a].iter().zip(&weight).map(|(x, w)| x * w).collect();
            for b in 0..=a {
                let sum: f64 = self.columns[b].iter().zip(&weighted).map(|(x, w)| x * w).sum();
                information[a * k + b] = sum;
                information[b * k + a] = sum;
            }
        }
        (gradient, information)
    }

    /// Whether the likelihood never falls along `direction`: rows with a count above 0 stay, others only get smaller
    /// means.
    fn is_recession(&self, direction: &[f64]) -> bool {
        let moved = self.linear_predictor(direction);
        let fall = moved.iter().fold(0.0, |fall: f64, v| fall.max(-v));
        let against = moved.iter().zip(&self.counts).map(|(v, y)| if *y > 0.0 { v.abs() } else { v.max(0.0) });
        fall > 0.1 && against.fold(0.0, f64::max) <= 1e-4 * fall
    }

    /// Twice the distance of the log likelihood from that of means equal to the counts.
    fn deviance(&self, means: &[f64], theta: f64) -> f64 {
        let rows = means.iter().zip(&self.counts).map(|(mu, y)| {
            let own = if *y > 0.0 { y * (y / mu).ln() } else { 0.0 };
            if theta.is_finite() { own - (y + theta) * ((y - mu) / (mu + theta)).ln_1p() } else { own - (y - mu) }
        });
        2.0 * rows.sum::<f64>()
    }

    fn log_likelihood(&self, means: &[f64], theta: f64) -> f64 {
        // ln y! summed over the rows: every row with a count above k has the factor k + 1.
        let factorials: f64 = self.above.iter().enumerate().map(|(k, n)| n * (k as f64 + 1.0).ln()).sum();
        let rows = means.iter().zip(&self.counts);
        if theta.is_finite() {
            let gammas: f64 = self.above.iter().enumerate().map(|(k, n)| n * (theta + k as f64).ln()).sum();
            let kernel: f64 = rows
                .map(|(mu, y)| {
                    let own = if *y > 0.0 { y * mu.ln() } else { 0.0 };
                    own - theta * (mu / theta).ln_1p() - y * (mu + theta).ln()
                })
                .sum();
            gammas + kernel - factorials
        } else {
            rows.map(|(mu, y)| if *y > 0.0 { y * mu.ln() } else { 0.0 } - mu).sum::<f64>() - factorials
        }
    }

    /// First derivative of the log likelihood in θ and the negative of the second.
    fn theta_derivatives(&self, means: &[f64], theta: f64) -> [f64; 2] {
        // ψ(θ + y) − ψ(θ) = Σ 1/(θ + k) over k < y.
        let counts = |power: i32| -> f64 {
            self.above.iter().enumerate().map(|(k, n)| n * (theta + k as f64).powi(-power)).sum()
        };
        let (mut first, mut second) = (counts(1), counts(2));
        for (mu, y) in means.iter().zip(&self.counts) {
            let total = mu + theta;
            first += (mu - y) / total - (mu / theta).ln_1p();
            second += 2.0 / total - (y + theta) / (total * total) - 1.0 / theta;
        }
        [first, second]
    }

    /// The θ of largest likelihood at given means, from `start`; `None` when it runs off to infinity.
    fn best_theta(&self, means: &[f64], start: f64) -> Option<f64> {
        const LARGEST: f64 = 1e10;
        // The derivative falls through 0 at the maximum; the root is searched in ln θ.
        let slope = |log_theta: f64| self.theta_derivatives(means, log_theta.exp())[0];
        let (mut low, mut high) = (start.ln(), start.ln());
        while slope(low) < 0.0 && low > -50.0 {
            low -= 1.0;
        }
        while slope(high) > 0.0 {
            high += 1.0;
            if high > LARGEST.ln() {
                return None;
            }
        }
        let root = alnm_stats::root::brent(slope, low, high, 1e-15, 200).ok()?;
        // One Newton step takes away what the root finder left.
        let theta = root.location.exp();
        let [first, second] = self.theta_derivatives(means, theta);
        let polished = theta + first / second;
        Some(if second > 0.0 && (polished - theta).abs() < 1e-6 * theta { polished } else { theta })
    }

    /// Coefficients and covariance on the scale of the predictors as given.
    fn unscaled(&self, fit: &CountFit) -> Result<(Vec<f64>, Array2<f64>)> {
        let k = fit.beta.len();
        let inverse = Cholesky::new(&fit.information, k)
            .map(|factor| factor.inverse())
            .ok_or(ModelError::NotConverged { operation: OPERATION, iterations: fit.iterations })?;
        let mut estimates: Vec<f64> = fit.beta.iter().zip(&self.scales).map(|(b, s)| b / s).collect();
        estimates[0] -= (1..k).map(|j| estimates[j] * self.means[j]).sum::<f64>();
        // The intercept as given is a combination of all: rows of the map from scaled to given coefficients.
        let map = |i: usize, j: usize| {
            if i == j {
                1.0 / self.scales[j]
            } else if i == 0 {
                -self.means[j] / self.scales[j]
            } else {
                0.0
            }
        };
        let entry = |i: usize, j: usize| -> f64 {
            (0..k).map(|a| map(i, a) * (0..k).map(|b| inverse[a * k + b] * map(j, b)).sum::<f64>()).sum()
        };
        Ok((estimates, Array2::from_shape_fn((k, k), |(i, j)| entry(i.min(j), i.max(j)))))
    }
}

/// The form in which a model is written and read.
#[cfg(feature = "serde")]
mod saved {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::invariants::{Checked, distinct, finite, require};
    use crate::logistic::require_wald;

    #[derive(Serialize, Deserialize)]
    pub(super) struct CountForm {
        terms: Vec<Term>,
        aliased: Vec<String>,
        covariance: Array2<f64>,
        family: CountFamily,
        dispersion: Option<Dispersion>,
        log_likelihood: f64,
        deviance: f64,
        null_deviance: f64,
        iterations: usize,
        fitted: Vec<f64>,
    }

    impl From<CountModel> for CountForm {
        fn from(m: CountModel) -> Self {
            Self {
                terms: m.terms,
                aliased: m.aliased,
                covariance: m.covariance.view().to_owned(),
                family: m.family,
                dispersion: m.dispersion,
                log_likelihood: m.log_likelihood,
                deviance: m.deviance,
                null_deviance: m.null_deviance,
                iterations: m.iterations,
                fitted: m.fitted,
            }
        }
    }

    impl TryFrom<CountForm> for CountModel {
        type Error = String;

        fn try_from(form: CountForm) -> Checked<Self> {
            let covariance = CovarianceMatrix::new(form.covariance)?;
            let names = form.terms.iter().map(|t| t.name.as_str()).chain(form.aliased.iter().map(String::as_str));
            distinct("term", names)?;
            require_wald(&form.terms, &covariance)?;
            for (name, value) in [
                ("the log likelihood", form.log_likelihood),
                ("the deviance", form.deviance),
                ("the null deviance", form.null_deviance),
            ] {
                finite(name, value)?;
            }
            let outside = form.fitted.iter().find(|mean| !(mean.is_finite() && **mean >= 0.0));
            require(outside.is_none(), || {
                format!("a fitted mean is {}; it must be finite and 0 or more", outside.copied().unwrap_or_default())
            })?;
            require(form.terms.len() <= form.fitted.len(), || {
                format!("it has {} terms on {} rows", form.terms.len(), form.fitted.len())
            })?;
            if let Some(Dispersion { theta, standard_error }) = form.dispersion {
                require(form.family == CountFamily::NegativeBinomial, || {
                    "it is a Poisson model with a dispersion".to_owned()
                })?;
                require(theta.is_finite() && theta > 0.0 && standard_error >= 0.0, || {
                    format!("its size theta is {theta}; it must be finite and above 0")
                })?;
            }
            Ok(Self {
                terms: form.terms,
                aliased: form.aliased,
                covariance,
                family: form.family,
                dispersion: form.dispersion,
                log_likelihood: form.log_likelihood,
                deviance: form.deviance,
                null_deviance: form.null_deviance,
                iterations: form.iterations,
                fitted: form.fitted,
            })
        }
    }
}

impl Tabulate for CountModel {
    const COLUMNS: &'static [&'static str] = &["term", "estimate", "SE", "z", "p", "ratio of means", "lower", "upper"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let row = |t: &Term| {
            let ratio = [t.estimate.exp(), t.interval.lower.exp(), t.interval.upper.exp()];
            cells![&t.name, t.estimate, t.standard_error, t.z, t.p_value, ratio[0], ratio[1], ratio[2]]
        };
        self.terms.iter().map(row).collect()
    }
}
