//! Proportional-odds regression of an ordered outcome (McCullagh 1980), as `MASS::polr`.
//!
//! ```text
//! logit P(Y ≤ k | x) = ζₖ − xᵀβ,   k = 1 … K − 1,   ζ₁ < ζ₂ < … < ζ_{K−1}
//! ```
//!
//! A positive coefficient shifts the outcome to the higher categories: e^β is the odds ratio of a higher category per
//! unit of the predictor, the same at every cut between two categories. The likelihood is concave in β and ζ and is
//! maximised by Newton's method with the exact Hessian.

use alnm_selection::SelectionError;
use alnm_stats::TestResult;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::distribution::chi_squared_upper_tail;
use alnm_stats::linear::{Cholesky, dot, weighted_products};
use alnm_stats::missing::Missing;
use ndarray::Array2;

use crate::FeatureTable;
use crate::covariance::CovarianceMatrix;
use crate::design::linear_predictor;
use crate::error::{ModelError, Result, require_level};
use crate::invariants::distinct;
use crate::irls::Likelihood;
use crate::logistic::{Term, term};
use crate::logit::expit;

/// An outcome with ordered categories, one value per patient.
///
/// ```
/// use alnm_models::proportional_odds::OrderedOutcome;
/// let nodes = OrderedOutcome::new(&["N0", "N1", "N2"], vec![0, 2, 1, 0])?;
/// assert_eq!(nodes.counts(), [2, 1, 1]);
/// // There is no fourth category.
/// assert!(OrderedOutcome::new(&["N0", "N1", "N2"], vec![0, 3]).is_err());
/// # Ok::<(), alnm_models::ModelError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "OutcomeForm"))]
pub struct OrderedOutcome {
    categories: Vec<String>,
    values: Vec<usize>,
}

/// An outcome as a file states it.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct OutcomeForm {
    categories: Vec<String>,
    values: Vec<usize>,
}

#[cfg(feature = "serde")]
impl TryFrom<OutcomeForm> for OrderedOutcome {
    type Error = ModelError;

    fn try_from(form: OutcomeForm) -> Result<Self> {
        let categories: Vec<&str> = form.categories.iter().map(String::as_str).collect();
        Self::new(&categories, form.values)
    }
}

impl OrderedOutcome {
    /// An outcome from the names of its categories, in ascending order, and the category of each patient, counted from
    /// 0.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] for fewer than two categories or a category that does not exist,
    /// [`ModelError::Categories`] for a name that is empty or given twice.
    pub fn new(categories: &[&str], values: Vec<usize>) -> Result<Self> {
        if categories.len() < 2 {
            return Err(ModelError::parameter("number of ordered categories", categories.len(), "at least 2"));
        }
        distinct("category", categories.iter().copied()).map_err(|reason| ModelError::Categories { reason })?;
        if let Some(&value) = values.iter().find(|value| **value >= categories.len()) {
            let requirement = "below the number of categories, since categories are counted from 0";
            return Err(ModelError::parameter("category of a patient", value, requirement));
        }
        Ok(Self { categories: categories.iter().map(|&name| name.to_owned()).collect(), values })
    }

    /// Names of the categories, in ascending order.
    #[must_use]
    pub fn categories(&self) -> &[String] {
        &self.categories
    }

    /// Category of each patient, counted from 0.
    #[must_use]
    pub fn values(&self) -> &[usize] {
        &self.values
    }

    /// Number of patients.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no patient.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Number of patients in each category.
    #[must_use]
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.categories.len()];
        self.values.iter().for_each(|&value| counts[value] += 1);
        counts
    }

    /// The outcome of the given rows, in that order.
    ///
    /// # Panics
    /// When a row does not exist.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self { categories: self.categories.clone(), values: rows.iter().map(|&row| self.values[row]).collect() }
    }
}

/// Parameters of a proportional-odds regression, unchecked.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0.95 | confidence level of the intervals | (0, 1) |
/// | `missing` | refuse | what to do with rows that lack a value | |
/// | `weights` | all 1 | prior weight of each row | 0 or more |
/// | `max_iterations` | 100 | Newton steps at most | 1 or more |
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
#[must_use]
pub struct ProportionalOddsParams {
    /// Confidence level of the intervals.
    pub level: f64,
    /// What to do with rows that lack a value.
    pub missing: Missing,
    /// Prior weight of each row; `None` for equal weights.
    pub weights: Option<Vec<f64>>,
    /// Newton steps at most.
    pub max_iterations: usize,
}

impl Default for ProportionalOddsParams {
    fn default() -> Self {
        Self { level: 0.95, missing: Missing::Refuse, weights: None, max_iterations: 100 }
    }
}

impl ProportionalOddsParams {
    /// Sets the confidence level of the intervals.
    pub fn with_level(self, level: f64) -> Self {
        Self { level, ..self }
    }

    /// Sets what to do with rows that lack a value.
    pub fn with_missing(self, missing: Missing) -> Self {
        Self { missing, ..self }
    }

    /// Sets the prior weight of each row.
    pub fn with_weights(self, weights: Vec<f64>) -> Self {
        Self { weights: Some(weights), ..self }
    }

    /// Sets the number of Newton steps at most.
    pub fn with_max_iterations(self, max_iterations: usize) -> Self {
        Self { max_iterations, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] names the parameter that lies outside its range.
    pub fn check(self) -> Result<ProportionalOddsRegression> {
        require_level(self.level)?;
        if self.max_iterations == 0 {
            return Err(ModelError::parameter("max_iterations", self.max_iterations, "at least 1"));
        }
        if let Some(&weight) = self.weights.iter().flatten().find(|w| !w.is_finite() || **w < 0.0) {
            return Err(ModelError::parameter("weight of a row", weight, "finite and 0 or more"));
        }
        Ok(ProportionalOddsRegression { params: self })
    }
}

/// Checked parameters of a proportional-odds regression, ready to fit; made by [`ProportionalOddsParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct ProportionalOddsRegression {
    params: ProportionalOddsParams,
}

/// A fitted proportional-odds regression.
///
/// ```
/// use alnm_models::FeatureTable;
/// use alnm_models::proportional_odds::{OrderedOutcome, ProportionalOdds, ProportionalOddsParams};
/// use ndarray::Array2;
/// let size = Array2::from_shape_fn((30, 1), |(row, _)| (row % 10) as f64);
/// let table = FeatureTable::new(vec!["size".into()], size)?;
/// let nodes = (0..30).map(|row| usize::from(row % 10 > 3 + row % 3) + usize::from(row % 10 > 6 + row % 2)).collect();
/// let outcome = OrderedOutcome::new(&["N0", "N1", "N2"], nodes)?;
/// let model = ProportionalOdds::fit(&table, &outcome, &ProportionalOddsParams::default())?;
/// assert!(model.coefficients()[0].estimate > 0.0);
/// assert_eq!(model.thresholds()[1].name, "N1|N2");
/// // Probabilities of the three categories, which sum to 1.
/// assert!((model.predict(&table)?.row(0).sum() - 1.0).abs() < 1e-12);
/// # Ok::<(), alnm_models::ModelError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ProportionalOdds {
    coefficients: Vec<Term>,
    thresholds: Vec<Term>,
    categories: Vec<String>,
    aliased: Vec<String>,
    covariance: Option<CovarianceMatrix>,
    rows: usize,
    deviance: f64,
    null_deviance: f64,
    iterations: usize,
    converged: bool,
    separated: bool,
}

impl ProportionalOdds {
    /// Fits by maximum likelihood: [`ProportionalOddsParams::check`] and [`ProportionalOddsRegression::fit`].
    ///
    /// # Errors
    /// As both.
    pub fn fit(table: &FeatureTable, outcome: &OrderedOutcome, params: &ProportionalOddsParams) -> Result<Self> {
        params.clone().check()?.fit(table, outcome)
    }

    /// The coefficients β, in the order of the columns: log odds ratios of a higher category per unit.
    #[must_use]
    pub fn coefficients(&self) -> &[Term] {
        &self.coefficients
    }

    /// The thresholds ζ in ascending order, each named after the categories on its two sides: `N0|N1`.
    #[must_use]
    pub fn thresholds(&self) -> &[Term] {
        &self.thresholds
    }

    /// Names of the categories, in ascending order.
    #[must_use]
    pub fn categories(&self) -> &[String] {
        &self.categories
    }

    /// Predictors that depend linearly on earlier ones or do not vary, and were left out.
    #[must_use]
    pub fn aliased(&self) -> &[String] {
        &self.aliased
    }

    /// Covariance of the estimates, the coefficients first and then the thresholds, from the observed information.
    /// `None` where it has no finite inverse, which happens when the predictors separate the outcome.
    #[must_use]
    pub fn covariance(&self) -> Option<&CovarianceMatrix> {
        self.covariance.as_ref()
    }

    /// Number of rows used.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Deviance, −2 ln L.
    #[must_use]
    pub fn deviance(&self) -> f64 {
        self.deviance
    }

    /// Deviance of the model with only the thresholds.
    #[must_use]
    pub fn null_deviance(&self) -> f64 {
        self.null_deviance
    }

    /// Log likelihood, ln L.
    #[must_use]
    pub fn log_likelihood(&self) -> f64 {
        -self.deviance / 2.0
    }

    /// Akaike's information criterion, −2 ln L + 2k with k coefficients and thresholds.
    #[must_use]
    pub fn aic(&self) -> f64 {
        self.deviance + 2.0 * (self.coefficients.len() + self.thresholds.len()) as f64
    }

    /// Rows minus coefficients and thresholds; 0 where there are as many of both.
    #[must_use]
    pub fn residual_degrees_of_freedom(&self) -> usize {
        self.rows.saturating_sub(self.coefficients.len() + self.thresholds.len())
    }

    /// Newton steps taken.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Whether the optimum was reached; false on separated data.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// Whether the predictors separate the categories. Estimates and errors then grow with every iteration and mean
    /// nothing.
    #[must_use]
    pub fn separated(&self) -> bool {
        self.separated
    }

    /// Likelihood ratio test against the model with only the thresholds.
    #[must_use]
    pub fn likelihood_ratio_test(&self) -> TestResult {
        let (statistic, df) = (self.null_deviance - self.deviance, self.coefficients.len() as f64);
        TestResult::new("Likelihood ratio test", statistic, &[df], chi_squared_upper_tail(statistic, df))
    }

    /// The part xᵀβ of every row, without a threshold. Columns are found by name; a missing value gives NaN.
    ///
    /// # Errors
    /// [`ModelError::Selection`] names the column that the table lacks.
    pub fn linear_predictor(&self, table: &FeatureTable) -> Result<Vec<f64>> {
        linear_predictor(self.coefficients.iter().map(|t| (t.name.as_str(), t.estimate)), table)
    }

    /// Probability of each category in every row, rows × categories. A missing value gives a row of NaN.
    ///
    /// # Errors
    /// As [`ProportionalOdds::linear_predictor`].
    pub fn predict(&self, table: &FeatureTable) -> Result<Array2<f64>> {
        let eta = self.linear_predictor(table)?;
        let thresholds: Vec<f64> = self.thresholds.iter().map(|t| t.estimate).collect();
        let mut probabilities = Array2::zeros((eta.len(), self.categories.len()));
        for (mut row, eta) in probabilities.rows_mut().into_iter().zip(eta) {
            for (category, p) in row.iter_mut().enumerate() {
                *p = Cut::of(category, &thresholds, eta).probability();
            }
        }
        Ok(probabilities)
    }
}

impl ProportionalOddsRegression {
    /// The parameters.
    pub fn params(&self) -> &ProportionalOddsParams {
        &self.params
    }

    /// Fits by maximum likelihood. Separated data are not an error: the model says so in
    /// [`ProportionalOdds::separated`].
    ///
    /// # Errors
    /// [`ModelError::Selection`] for a missing value that the policy refuses or numbers of rows that differ,
    /// [`ModelError::Categories`] for a category in which no row with a weight lies, whose threshold would be infinite.
    pub fn fit(&self, table: &FeatureTable, outcome: &OrderedOutcome) -> Result<ProportionalOdds> {
        table.require_rows(outcome.len())?;
        if let Some(weights) = &self.params.weights
            && weights.len() != table.rows()
        {
            return Err(
                SelectionError::Shape { what: "weights and rows", left: weights.len(), right: table.rows() }.into()
            );
        }
        let used = match self.params.missing {
            Missing::Omit => table.complete_rows(),
            _ => (0..table.rows()).collect(),
        };
        let (table, outcome) = (table.select_rows(&used), outcome.select(&used));
        table.require_finite()?;
        let weights: Vec<f64> =
            used.iter().map(|&row| self.params.weights.as_ref().map_or(1.0, |weights| weights[row])).collect();
        let mut share = vec![0.0; outcome.categories.len()];
        outcome.values.iter().zip(&weights).for_each(|(&category, weight)| share[category] += weight);
        if let Some(empty) = share.iter().position(|weight| *weight <= 0.0) {
            let reason = format!(
                "no row lies in the category {:?}, so that its threshold is infinite; merge it with a neighbour or leave \
                 it out",
                outcome.categories[empty]
            );
            return Err(ModelError::Categories { reason });
        }

        let columns: Vec<Vec<f64>> = std::iter::once(vec![1.0; used.len()])
            .chain(table.values().columns().into_iter().map(|column| column.to_vec()))
            .collect();
        let kept = independent_predictors(&columns, &weights);
        let data = OrdinalData {
            columns: kept.iter().map(|&column| Standardised::new(&columns[column])).collect(),
            categories: outcome.categories.len(),
            values: &outcome.values,
            weights: &weights,
        };
        let maximum = data.maximise(&share, self.params.max_iterations);
        Ok(self.model(&data, &maximum, &table, &outcome, &kept, &share))
    }

    /// The model at a maximum, back on the scale of the columns.
    fn model(
        &self,
        data: &OrdinalData<'_>,
        maximum: &OrdinalMaximum,
        table: &FeatureTable,
        outcome: &OrderedOutcome,
        kept: &[usize],
        share: &[f64],
    ) -> ProportionalOdds {
        let (p, k) = (kept.len(), data.categories - 1);
        let size = p + k;
        let (beta, zeta) = maximum.estimate.split_at(p);
        // With x = mean + spread · z the coefficients are β/spread and the thresholds ζ + Σ β mean/spread.
        let scaled: Vec<f64> = beta.iter().zip(&data.columns).map(|(b, column)| b / column.spread).collect();
        let shift: f64 = scaled.iter().zip(&data.columns).map(|(b, column)| b * column.mean).sum();
        let estimates: Vec<f64> = scaled.iter().copied().chain(zeta.iter().map(|zeta| zeta + shift)).collect();
        let covariance = Cholesky::new(&maximum.information, size).map(|factor| {
            let inverse = factor.inverse();
            // Row i of the map from the standardised to the original estimates.
            let map = |i: usize, j: usize| match (i < p, j < p) {
                (true, true) if i == j => 1.0 / data.columns[i].spread,
                (false, true) => data.columns[j].mean / data.columns[j].spread,
                (false, false) if i == j => 1.0,
                _ => 0.0,
            };
            let half = Array2::from_shape_fn((size, size), |(i, b)| {
                (0..size).map(|a| map(i, a) * inverse[a * size + b]).sum::<f64>()
            });
            let mut full =
                Array2::from_shape_fn((size, size), |(i, j)| (0..size).map(|b| half[[i, b]] * map(j, b)).sum::<f64>());
            for i in 0..size {
                for j in 0..i {
                    full[[i, j]] = full[[j, i]];
                }
            }
            full
        });
        let error = |i: usize| covariance.as_ref().map_or(f64::INFINITY, |covariance| covariance[[i, i]].sqrt());
        let names = outcome.categories.windows(2).map(|pair| format!("{}|{}", pair[0], pair[1]));
        let total: f64 = share.iter().sum();
        ProportionalOdds {
            coefficients: kept
                .iter()
                .enumerate()
                .map(|(i, &column)| term(&table.names()[column - 1], estimates[i], error(i), self.params.level))
                .collect(),
            thresholds: names
                .enumerate()
                .map(|(i, name)| term(&name, estimates[p + i], error(p + i), self.params.level))
                .collect(),
            categories: outcome.categories.clone(),
            aliased: (1..=table.columns())
                .filter(|column| !kept.contains(column))
                .map(|column| table.names()[column - 1].clone())
                .collect(),
            covariance: covariance.and_then(|covariance| CovarianceMatrix::new(covariance).ok()),
            rows: outcome.len(),
            deviance: maximum.deviance,
            null_deviance: -2.0 * share.iter().map(|weight| weight * (weight / total).ln()).sum::<f64>(),
            iterations: maximum.iterations,
            converged: maximum.converged,
            separated: maximum.separated,
        }
    }
}

/// Places of the predictors that depend neither on those before them nor on the intercept, which stands first.
fn independent_predictors(columns: &[Vec<f64>], weights: &[f64]) -> Vec<usize> {
    let products = weighted_products(columns, weights);
    let k = columns.len();
    let scaled: Vec<f64> = (0..k * k)
        .map(|entry| products[entry] / (products[entry / k * (k + 1)] * products[entry % k * (k + 1)]).sqrt())
        .collect();
    // Columns far from dependence are told by the eigenvalues of their products; what is near is looked at one by one.
    const FAR: f64 = 1e8;
    if Cholesky::new(&scaled, k).is_some_and(|factor| factor.inverse_trace() < FAR) {
        return (1..k).collect();
    }
    let zeros = vec![0.0; weights.len()];
    let likelihood = Likelihood { columns, y: &zeros, weights, offset: &zeros };
    likelihood.independent_columns().into_iter().filter(|&column| column > 0).collect()
}

/// A column with mean 0 and standard deviation 1.
struct Standardised {
    values: Vec<f64>,
    mean: f64,
    spread: f64,
}

impl Standardised {
    fn new(column: &[f64]) -> Self {
        let n = column.len() as f64;
        let mean = column.iter().sum::<f64>() / n;
        let spread = (column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
        Self { values: column.iter().map(|x| (x - mean) / spread).collect(), mean, spread }
    }
}

/// The two logits ζ − xᵀβ between which a category lies; the outermost are infinite.
#[derive(Debug, Clone, Copy)]
struct Cut {
    lower: f64,
    upper: f64,
}

impl Cut {
    fn of(category: usize, thresholds: &[f64], eta: f64) -> Self {
        Self {
            lower: if category == 0 { f64::NEG_INFINITY } else { thresholds[category - 1] - eta },
            upper: thresholds.get(category).map_or(f64::INFINITY, |threshold| threshold - eta),
        }
    }

    /// F(u) − F(l) = F(u) (1 − F(l)) (1 − e^(l − u)), which cancels nowhere.
    fn probability(self) -> f64 {
        if self.lower.is_nan() || self.upper.is_nan() {
            return f64::NAN;
        }
        expit(self.upper) * expit(-self.lower) * self.gap()
    }

    /// 1 − e^(l − u).
    fn gap(self) -> f64 {
        -(self.lower - self.upper).exp_m1()
    }

    /// ln P, whose parts keep their digits far out.
    fn log_probability(self) -> f64 {
        let log_expit = |x: f64| if x >= 0.0 { -(-x).exp().ln_1p() } else { x - x.exp().ln_1p() };
        let upper = if self.upper == f64::INFINITY { 0.0 } else { log_expit(self.upper) };
        let lower = if self.lower == f64::NEG_INFINITY { 0.0 } else { log_expit(-self.lower) };
        upper + lower + self.gap().ln()
    }

    /// Derivatives of ln P: by u, by l, twice by u, twice by l, by both.
    fn derivatives(self) -> [f64; 5] {
        let gap = self.gap();
        let (above, below) = (expit(self.upper), expit(self.lower));
        let first = if self.upper == f64::INFINITY { 0.0 } else { expit(-self.upper) / (expit(-self.lower) * gap) };
        let second = if self.lower == f64::NEG_INFINITY { 0.0 } else { -below / (above * gap) };
        [
            first,
            second,
            first * (1.0 - 2.0 * above) - first * first,
            second * (1.0 - 2.0 * below) - second * second,
            -first * second,
        ]
    }
}

struct OrdinalData<'a> {
    columns: Vec<Standardised>,
    categories: usize,
    values: &'a [usize],
    weights: &'a [f64],
}

/// Standardised coefficients and thresholds of the largest likelihood, with the observed information.
struct OrdinalMaximum {
    estimate: Vec<f64>,
    information: Vec<f64>,
    deviance: f64,
    iterations: usize,
    converged: bool,
    separated: bool,
}

impl OrdinalData<'_> {
    fn linear(&self, beta: &[f64]) -> Vec<f64> {
        let mut eta = vec![0.0; self.values.len()];
        for (column, b) in self.columns.iter().zip(beta) {
            eta.iter_mut().zip(&column.values).for_each(|(eta, x)| *eta += b * x);
        }
        eta
    }

    /// −2 ln L; infinite when the thresholds do not ascend.
    fn deviance(&self, estimate: &[f64]) -> f64 {
        let (beta, zeta) = estimate.split_at(self.columns.len());
        if zeta.windows(2).any(|pair| pair[0] >= pair[1]) {
            return f64::INFINITY;
        }
        let eta = self.linear(beta);
        let rows = self.values.iter().zip(self.weights).zip(eta).filter(|((_, weight), _)| **weight > 0.0);
        -2.0 * rows.map(|((&value, weight), eta)| weight * Cut::of(value, zeta, eta).log_probability()).sum::<f64>()
    }

    /// Gradient of ln L and the observed information.
    fn slope(&self, estimate: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (p, k) = (self.columns.len(), self.categories - 1);
        let size = p + k;
        let (beta, zeta) = estimate.split_at(p);
        let eta = self.linear(beta);
        let n = eta.len();
        let mut gradient = vec![0.0; size];
        let mut information = vec![0.0; size * size];
        let (mut pull, mut curvature) = (vec![0.0; n], vec![0.0; n]);
        // What each threshold has to do with each row, summed with the columns below.
        let mut cross = vec![vec![0.0; n]; k];
        for (row, &value) in self.values.iter().enumerate() {
            let weight = self.weights[row];
            let [u, l, uu, ll, ul] = Cut::of(value, zeta, eta[row]).derivatives().map(|derivative| weight * derivative);
            pull[row] = -(u + l);
            curvature[row] = -(uu + ll + 2.0 * ul);
            if value < k {
                gradient[p + value] += u;
                information[(p + value) * size + p + value] -= uu;
                cross[value][row] = uu + ul;
            }
            if value > 0 {
                let below = p + value - 1;
                gradient[below] += l;
                information[below * size + below] -= ll;
                cross[value - 1][row] = ll + ul;
            }
            if value > 0 && value < k {
                information[(p + value) * size + p + value - 1] -= ul;
            }
        }
        let columns: Vec<Vec<f64>> = self.columns.iter().map(|column| column.values.clone()).collect();
        let products = weighted_products(&columns, &curvature);
        for i in 0..p {
            gradient[i] = dot(&columns[i], &pull);
            information[i * size..i * size + p].copy_from_slice(&products[i * p..(i + 1) * p]);
            for (j, cross) in cross.iter().enumerate() {
                information[(p + j) * size + i] = dot(&columns[i], cross);
            }
        }
        for i in 0..size {
            for j in 0..i {
                information[j * size + i] = information[i * size + j];
            }
        }
        (gradient, information)
    }

    /// Newton's method from β = 0, with steps halved until the likelihood rises.
    fn maximise(&self, share: &[f64], max_iterations: usize) -> OrdinalMaximum {
        const TOLERANCE: f64 = 1e-16;
        let p = self.columns.len();
        let total: f64 = share.iter().sum();
        let mut below = 0.0;
        let start = share[..share.len() - 1].iter().map(|weight| {
            below += weight;
            (below / (total - below)).ln()
        });
        let mut estimate: Vec<f64> = std::iter::repeat_n(0.0, p).chain(start).collect();
        let mut deviance = self.deviance(&estimate);
        let mut separated = false;
        for iterations in 1..=max_iterations {
            let (gradient, information) = self.slope(&estimate);
            let Some(factor) = Cholesky::new(&information, estimate.len()) else {
                return OrdinalMaximum { estimate, information, deviance, iterations, converged: false, separated };
            };
            let step = factor.solve(&gradient);
            // The squared length of the step in units of its standard errors.
            let decrement: f64 = step.iter().zip(&gradient).map(|(step, slope)| step * slope).sum();
            let mut length = 1.0;
            let (next, value) = loop {
                let next: Vec<f64> = estimate.iter().zip(&step).map(|(b, step)| b + length * step).collect();
                let value = self.deviance(&next);
                if value <= deviance + 1e-10 * (deviance.abs() + 0.1) || length < 1e-10 {
                    break (next, value);
                }
                length /= 2.0;
            };
            let gain = (deviance - value).abs();
            (estimate, deviance) = (next, value);
            separated = iterations >= 6 && self.is_recession(&step);
            if decrement <= TOLERANCE || (separated && gain <= 1e-10 * (deviance.abs() + 0.1)) {
                let (_, information) = self.slope(&estimate);
                return OrdinalMaximum {
                    estimate,
                    information,
                    deviance,
                    iterations,
                    converged: !separated,
                    separated,
                };
            }
        }
        let (_, information) = self.slope(&estimate);
        OrdinalMaximum { estimate, information, deviance, iterations: max_iterations, converged: false, separated }
    }

    /// Whether the likelihood never falls along `direction`: no row moves toward an end of its category, and some move
    /// away from one.
    fn is_recession(&self, direction: &[f64]) -> bool {
        let (beta, zeta) = direction.split_at(self.columns.len());
        let eta = self.linear(beta);
        let moves: Vec<f64> = self
            .values
            .iter()
            .zip(eta)
            .flat_map(|(&value, eta)| {
                let upper = zeta.get(value).map(|zeta| zeta - eta);
                let lower = value.checked_sub(1).map(|below| eta - zeta[below]);
                [upper, lower].into_iter().flatten()
            })
            .collect();
        let largest = moves.iter().copied().fold(0.0, f64::max);
        largest > 0.1 && moves.iter().all(|toward| *toward >= -1e-4 * largest)
    }
}

impl Tabulate for ProportionalOdds {
    const COLUMNS: &'static [&'static str] = &["term", "estimate", "SE", "z", "p", "odds ratio", "lower", "upper"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let of_coefficient = |t: &Term| {
            cells![
                &t.name,
                t.estimate,
                t.standard_error,
                t.z,
                t.p_value,
                t.estimate.exp(),
                t.interval.lower.exp(),
                t.interval.upper.exp()
            ]
        };
        let none: Option<f64> = None;
        let of_threshold = |t: &Term| cells![&t.name, t.estimate, t.standard_error, t.z, t.p_value, none, none, none];
        self.coefficients.iter().map(of_coefficient).chain(self.thresholds.iter().map(of_threshold)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_equal_finite_differences() {
        let h = 1e-5;
        for (lower, upper) in [(-1.0, 0.5), (f64::NEG_INFINITY, -2.0), (3.0, f64::INFINITY), (4.0, 4.5), (-9.0, -8.9)] {
            let at = |dl: f64, du: f64| Cut { lower: lower + dl, upper: upper + du }.log_probability();
            let derivatives = Cut { lower, upper }.derivatives();
            let numeric = [
                (at(0.0, h) - at(0.0, -h)) / (2.0 * h),
                (at(h, 0.0) - at(-h, 0.0)) / (2.0 * h),
                (at(0.0, h) - 2.0 * at(0.0, 0.0) + at(0.0, -h)) / (h * h),
                (at(h, 0.0) - 2.0 * at(0.0, 0.0) + at(-h, 0.0)) / (h * h),
                (at(h, h) - at(h, -h) - at(-h, h) + at(-h, -h)) / (4.0 * h * h),
            ];
            for (exact, numeric) in derivatives.iter().zip(numeric) {
                assert!((exact - numeric).abs() < 1e-4 * (1.0 + exact.abs()), "{lower} {upper}: {exact} {numeric}");
            }
            let probability = Cut { lower, upper }.probability();
            assert!((probability.ln() - at(0.0, 0.0)).abs() < 1e-12);
        }
    }
}
