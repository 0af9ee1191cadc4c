//! LASSO and elastic-net paths by coordinate descent, equal to glmnet.
//!
//! ```text
//! minimise  −ℓ(β₀, β)/n + λ Σⱼ vⱼ (α|βⱼ| + (1 − α) βⱼ²/2)
//! ```
//!
//! with the binomial or Gaussian log likelihood ℓ and penalty factors v scaled to sum to the number of features. Features are centred and,
//! by default, scaled to unit variance (denominator n); coefficients are returned on the original scale. Strong rules, warm starts and
//! stopping rules are those of glmnet (Friedman, Hastie and Tibshirani 2010; Tibshirani et al. 2012).

use crate::FeatureTable;
use crate::error::{Result, SelectionError};
use alnm_stats::Labels;
use alnm_stats::linear::solve_symmetric;
use pulp::Simd;
use serde::{Deserialize, Serialize};

/// Penalty and precision of a path.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `alpha` | 1 | share of the absolute penalty: 1 LASSO, 0 ridge | [0, 1] |
/// | `lambda` | automatic | penalties, falling | above 0 |
/// | `standardise` | true | scale features to unit variance for the penalty | |
/// | `penalty_factors` | all 1 | relative penalty of each feature; 0 never shrinks | 0 or more |
/// | `lower_limits`, `upper_limits` | none | bounds of the coefficients | ≤ 0, ≥ 0 |
/// | `precision` | glmnet's 10⁻⁷ | when a solution is good enough | |
/// | `max_passes` | 100 000 | passes over the features, all penalties together | 1 or more |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ElasticNetParams {
    /// Share of the absolute penalty.
    pub alpha: f64,
    /// The penalties.
    pub lambda: LambdaSequence,
    /// Whether features are scaled to unit variance for the penalty.
    pub standardise: bool,
    /// Relative penalty of each feature.
    pub penalty_factors: Option<Vec<f64>>,
    /// Lower bound of the coefficients, on the original scale.
    pub lower_limit: Option<f64>,
    /// Upper bound of the coefficients, on the original scale.
    pub upper_limit: Option<f64>,
    /// When a solution is good enough.
    pub precision: Precision,
    /// Largest number of passes over the features.
    pub max_passes: usize,
}

impl Default for ElasticNetParams {
    fn default() -> Self {
        Self {
            alpha: 1.0,
            lambda: LambdaSequence::default(),
            standardise: true,
            penalty_factors: None,
            lower_limit: None,
            upper_limit: None,
            precision: Precision::default(),
            max_passes: 100_000,
        }
    }
}

/// The sequence of penalties.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum LambdaSequence {
    /// Geometric from the smallest penalty that leaves no feature down to `ratio` times it. Without a ratio 10⁻⁴, or 10⁻² with fewer rows
    /// than features. The path ends early when it explains 99.9 % of the deviance or stops to gain.
    Automatic {
        /// Number of penalties; default 100.
        count: usize,
        /// Smallest over largest penalty, in (0, 1).
        ratio: Option<f64>,
    },
    /// These penalties, in falling order.
    Given(Vec<f64>),
}

impl Default for LambdaSequence {
    fn default() -> Self {
        Self::Automatic { count: 100, ratio: None }
    }
}

/// When a solution is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Precision {
    /// glmnet's rule: the largest change of the objective in a pass is below this share of the null deviance. glmnet's default of 10⁻⁷
    /// leaves optimality conditions violated by up to a tenth of λ at the small end of a path.
    Threshold(f64),
    /// Optimality conditions hold to this share of λ: coordinate descent, then Newton steps on the features that entered.
    OptimalityConditions(f64),
}

impl Default for Precision {
    fn default() -> Self {
        Self::Threshold(1e-7)
    }
}

/// The outcome model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Family {
    /// Logistic regression of a binary outcome.
    Binomial,
    /// Least squares of a continuous outcome.
    Gaussian,
}

/// Coefficients at one penalty, on the original scale; features that are not listed have coefficient 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SparseCoefficients {
    /// Intercept.
    pub intercept: f64,
    /// Columns with a coefficient that is not 0, ascending.
    pub columns: Vec<usize>,
    /// Their coefficients.
    pub values: Vec<f64>,
}

impl SparseCoefficients {
    /// Linear predictor of the rows of `x`, given column by column.
    pub(crate) fn linear_predictor(&self, columns: &[Vec<f64>], rows: &[usize]) -> Vec<f64> {
        let mut eta = vec![self.intercept; rows.len()];
        for (&c, &b) in self.columns.iter().zip(&self.values) {
            for (e, &r) in eta.iter_mut().zip(rows) {
                *e += b * columns[c][r];
            }
        }
        eta
    }
}

/// Solutions along the penalties.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ElasticNetPath {
    /// The outcome model.
    pub family: Family,
    /// Names of the features.
    pub names: Vec<String>,
    /// The penalties, falling.
    pub lambda: Vec<f64>,
    /// Coefficients at each penalty.
    pub coefficients: Vec<SparseCoefficients>,
    /// Share of the null deviance explained at each penalty.
    pub deviance_ratio: Vec<f64>,
    /// Deviance of the model with only an intercept.
    pub null_deviance: f64,
    /// Passes over the features.
    pub passes: usize,
    /// Whether every penalty asked for was solved; otherwise the passes ran out and the path ends early, as glmnet's does.
    pub complete: bool,
}

impl ElasticNetPath {
    /// Number of features with a coefficient at each penalty.
    #[must_use]
    pub fn degrees_of_freedom(&self) -> Vec<usize> {
        self.coefficients.iter().map(|c| c.columns.len()).collect()
    }

    /// Coefficients at any penalty, by linear interpolation in λ and constant beyond the ends, as glmnet's `coef(s = )`.
    #[must_use]
    pub fn coefficients_at(&self, lambda: f64) -> SparseCoefficients {
        let next = self.lambda.partition_point(|l| *l > lambda);
        if next == 0 {
            return self.coefficients[0].clone();
        }
        if next == self.lambda.len() {
            return self.coefficients[next - 1].clone();
        }
        let share = (lambda - self.lambda[next]) / (self.lambda[next - 1] - self.lambda[next]);
        blend(&self.coefficients[next - 1], &self.coefficients[next], share)
    }
}

/// share · a + (1 − share) · b
fn blend(a: &SparseCoefficients, b: &SparseCoefficients, share: f64) -> SparseCoefficients {
    let mut columns: Vec<usize> = a.columns.iter().chain(&b.columns).copied().collect();
    columns.sort_unstable();
    columns.dedup();
    let of = |c: &SparseCoefficients, column: usize| c.columns.binary_search(&column).map_or(0.0, |k| c.values[k]);
    let values = columns.iter().map(|&c| share * of(a, c) + (1.0 - share) * of(b, c)).collect();
    SparseCoefficients { intercept: share * a.intercept + (1.0 - share) * b.intercept, columns, values }
}

/// LASSO or elastic-net path of a binary outcome.
///
/// # Errors
/// [`SelectionError::Statistics`] for labels of one class, [`SelectionError::Shape`], [`SelectionError::NonFinite`],
/// [`SelectionError::Parameter`], [`SelectionError::NotConverged`] when the passes run out before the first penalty is
/// solved.
pub fn binomial_path(table: &FeatureTable, labels: &Labels, params: &ElasticNetParams) -> Result<ElasticNetPath> {
    table.require_rows(labels.len())?;
    labels.require_both("logistic LASSO")?;
    table.require_finite()?;
    path_of_columns(table.names(), &table.contiguous_columns(), &labels.to_values(), Family::Binomial, params)
}

/// LASSO or elastic-net path of a continuous outcome.
///
/// # Errors
/// As [`binomial_path`]; a constant outcome is a [`SelectionError::Parameter`].
pub fn gaussian_path(table: &FeatureTable, outcome: &[f64], params: &ElasticNetParams) -> Result<ElasticNetPath> {
    table.require_rows(outcome.len())?;
    table.require_finite()?;
    if let Some((row, &value)) = outcome.iter().enumerate().find(|(_, v)| !v.is_finite()) {
        return Err(SelectionError::NonFinite { column: "outcome".to_owned(), row, value });
    }
    if outcome.iter().all(|v| *v == outcome[0]) {
        return Err(SelectionError::Parameter { name: "outcome", range: "values that vary", value: outcome[0] });
    }
    path_of_columns(table.names(), &table.contiguous_columns(), outcome, Family::Gaussian, params)
}

pub(crate) fn path_of_columns(
    names: &[String],
    columns: &[Vec<f64>],
    y: &[f64],
    family: Family,
    params: &ElasticNetParams,
) -> Result<ElasticNetPath> {
    check(params, columns.len())?;
    let problem = Problem::new(columns, y, family, params)?;
    let mut path = pulp::Arch::new().dispatch(Walk { problem: &problem, params })?;
    path.names = names.to_vec();
    Ok(path)
}

/// The walk along the penalties, compiled for the vector instructions that the processor has.
struct Walk<'a, 'b> {
    problem: &'a Problem<'b>,
    params: &'a ElasticNetParams,
}

impl pulp::WithSimd for Walk<'_, '_> {
    type Output = Result<ElasticNetPath>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        Solver { problem: self.problem, simd }.walk(self.params)
    }
}

fn check(params: &ElasticNetParams, features: usize) -> Result<()> {
    let refuse = |name, range, value| Err(SelectionError::Parameter { name, range, value });
    if !(0.0..=1.0).contains(&params.alpha) {
        return refuse("alpha", "[0, 1]", params.alpha);
    }
    match &params.lambda {
        LambdaSequence::Automatic { count, ratio } => {
            if *count < 1 {
                return refuse("number of penalties", "1 or more", *count as f64);
            }
            if let Some(r) = ratio.filter(|r| !(*r > 0.0 && *r < 1.0)) {
                return refuse("ratio of penalties", "(0, 1)", r);
            }
        }
        LambdaSequence::Given(lambda) => {
            if let Some(&bad) = lambda.iter().find(|l| !l.is_finite() || **l < 0.0) {
                return refuse("penalty", "0 or more", bad);
            }
            if lambda.is_empty() {
                return refuse("number of penalties", "1 or more", 0.0);
            }
            if let Some(w) = lambda.windows(2).find(|w| w[0] < w[1]) {
                return refuse("penalties", "falling order", w[1]);
            }
        }
    }
    let tolerance = match params.precision {
        Precision::Threshold(t) | Precision::OptimalityConditions(t) => t,
    };
    if !(tolerance > 0.0 && tolerance < 1.0) {
        return refuse("precision", "(0, 1)", tolerance);
    }
    if let Some(limit) = params.lower_limit.filter(|l| l.is_nan() || *l > 0.0) {
        return refuse("lower limit of coefficients", "0 or less", limit);
    }
    if let Some(limit) = params.upper_limit.filter(|l| l.is_nan() || *l < 0.0) {
        return refuse("upper limit of coefficients", "0 or more", limit);
    }
    if let Some(factors) = &params.penalty_factors {
        if factors.len() != features {
            return Err(SelectionError::Shape { what: "penalty factors and columns", left: factors.len(), right: features });
        }
        if let Some(&bad) = factors.iter().find(|f| !f.is_finite() || **f < 0.0) {
            return refuse("penalty factor", "0 or more", bad);
        }
        if factors.iter().sum::<f64>() <= 0.0 {
            return refuse("sum of penalty factors", "above 0", 0.0);
        }
    }
    Ok(())
}

/// Risks closer to 0 or 1 than this are held there.
const SMALLEST_PROBABILITY: f64 = 1e-9;
/// A path ends when it explains this share of the deviance …
const LARGEST_DEVIANCE_RATIO: f64 = 0.999;
/// … or when a step gains less than this.
const SMALLEST_GAIN: f64 = 1e-5;
/// Penalties that are fitted before a path may end.
const FEWEST_PENALTIES: usize = 5;

/// The standardised problem.
struct Problem<'a> {
    n: usize,
    p: usize,
    family: Family,
    y: &'a [f64],
    /// Mean and scale of y; 0 and 1 for a binary outcome.
    y_mean: f64,
    y_scale: f64,
    /// Standardised features, column after column.
    x: Vec<f64>,
    mean: Vec<f64>,
    scale: Vec<f64>,
    /// Whether a feature varies.
    varies: Vec<bool>,
    penalty: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
    alpha: f64,
    /// Null deviance over 2n, on the scale of the problem.
    null_loss: f64,
}

/// What is iterated along the path, on the standardised scale.
struct State {
    intercept: f64,
    beta: Vec<f64>,
    /// Features that ever entered, in the order of entry, and their place + 1.
    entered: Vec<usize>,
    place: Vec<usize>,
    /// Working residual w(y − μ).
    residual: Vec<f64>,
    /// Working weights and their sum.
    weight: Vec<f64>,
    weight_sum: f64,
    /// Σ v x² of each feature.
    curvature: Vec<f64>,
    /// |xᵀ residual| of features outside the strong set.
    gradient: Vec<f64>,
    /// Features that passed the strong rule.
    strong: Vec<bool>,
    passes: usize,
}

impl<'a> Problem<'a> {
    fn new(columns: &[Vec<f64>], y: &'a [f64], family: Family, params: &ElasticNetParams) -> Result<Self> {
        let (n, p) = (y.len(), columns.len());
        let nf = n as f64;
        let mut x = Vec::with_capacity(n * p);
        let (mut mean, mut scale, mut varies) = (Vec::with_capacity(p), Vec::with_capacity(p), Vec::with_capacity(p));
        for column in columns {
            let m = column.iter().sum::<f64>() / nf;
            let start = x.len();
            x.extend(column.iter().map(|v| v - m));
            let constant = column.iter().all(|v| *v == column[0]);
            let sd = (x[start..].iter().map(|v| v * v).sum::<f64>() / nf).sqrt();
            let s = if params.standardise && !constant { sd } else { 1.0 };
            if constant {
                x[start..].fill(0.0);
            } else if s != 1.0 {
                x[start..].iter_mut().for_each(|v| *v /= s);
            }
            mean.push(m);
            scale.push(s);
            varies.push(!constant);
        }
        if !varies.iter().any(|v| *v) {
            return Err(SelectionError::NothingLeft { step: "the LASSO on constant features" });
        }
        let factors = params.penalty_factors.clone().unwrap_or_else(|| vec![1.0; p]);
        let total: f64 = factors.iter().sum();
        let y_mean = y.iter().sum::<f64>() / nf;
        let (shift, y_scale, null_loss) = match family {
            Family::Binomial => (0.0, 1.0, -(y_mean * y_mean.ln() + (1.0 - y_mean) * (1.0 - y_mean).ln())),
            Family::Gaussian => {
                let sd = (y.iter().map(|v| (v - y_mean).powi(2)).sum::<f64>() / nf).sqrt();
                (y_mean, sd, 0.5)
            }
        };
        Ok(Self {
            n,
            p,
            family,
            y,
            y_mean: shift,
            y_scale,
            penalty: factors.iter().map(|f| f * p as f64 / total).collect(),
            lower: scale.iter().map(|s| params.lower_limit.map_or(f64::NEG_INFINITY, |l| l * s / y_scale)).collect(),
            upper: scale.iter().map(|s| params.upper_limit.map_or(f64::INFINITY, |l| l * s / y_scale)).collect(),
            x,
            mean,
            scale,
            varies,
            alpha: params.alpha,
            null_loss,
        })
    }

    #[inline(always)]
    fn column(&self, j: usize) -> &[f64] {
        &self.x[j * self.n..(j + 1) * self.n]
    }
}

/// The problem with the vector instructions to solve it with.
struct Solver<'p, 'a, S> {
    problem: &'p Problem<'a>,
    simd: S,
}

impl<'a, S> std::ops::Deref for Solver<'_, 'a, S> {
    type Target = Problem<'a>;

    fn deref(&self) -> &Problem<'a> {
        self.problem
    }
}

impl<S: Simd> Solver<'_, '_, S> {
    /// Sum of products in four interleaved vectors.
    #[inline(always)]
    fn dot(&self, a: &[f64], b: &[f64]) -> f64 {
        let simd = self.simd;
        let (a, rest_a) = S::as_simd_f64s(a);
        let (b, rest_b) = S::as_simd_f64s(b);
        let mut parts = [simd.splat_f64s(0.0); 4];
        let (a4, a1) = a.as_chunks::<4>();
        let (b4, b1) = b.as_chunks::<4>();
        for (x, y) in a4.iter().zip(b4) {
            for k in 0..4 {
                parts[k] = simd.mul_add_f64s(x[k], y[k], parts[k]);
            }
        }
        for (x, y) in a1.iter().zip(b1) {
            parts[0] = simd.mul_add_f64s(*x, *y, parts[0]);
        }
        let sum = simd.add_f64s(simd.add_f64s(parts[0], parts[1]), simd.add_f64s(parts[2], parts[3]));
        simd.reduce_sum_f64s(sum) + rest_a.iter().zip(rest_b).map(|(x, y)| x * y).sum::<f64>()
    }

    /// Σ v x²
    #[inline(always)]
    fn weighted_square(&self, x: &[f64], v: &[f64]) -> f64 {
        let simd = self.simd;
        let (x, rest_x) = S::as_simd_f64s(x);
        let (v, rest_v) = S::as_simd_f64s(v);
        let mut parts = [simd.splat_f64s(0.0); 2];
        let (x2, x1) = x.as_chunks::<2>();
        let (v2, v1) = v.as_chunks::<2>();
        for (x, v) in x2.iter().zip(v2) {
            for k in 0..2 {
                parts[k] = simd.mul_add_f64s(simd.mul_f64s(x[k], v[k]), x[k], parts[k]);
            }
        }
        for (x, v) in x1.iter().zip(v1) {
            parts[0] = simd.mul_add_f64s(simd.mul_f64s(*x, *v), *x, parts[0]);
        }
        simd.reduce_sum_f64s(simd.add_f64s(parts[0], parts[1])) + rest_x.iter().zip(rest_v).map(|(x, v)| v * x * x).sum::<f64>()
    }

    fn start(&self) -> State {
        let w = 1.0 / self.n as f64;
        let (intercept, residual, v) = match self.family {
            Family::Binomial => {
                let q = self.y.iter().sum::<f64>() * w;
                ((q / (1.0 - q)).ln(), self.y.iter().map(|y| w * (y - q)).collect(), q * (1.0 - q))
            }
            Family::Gaussian => (0.0, self.y.iter().map(|y| w * (y - self.y_mean) / self.y_scale).collect::<Vec<f64>>(), 1.0),
        };
        let weight = vec![v * w; self.n];
        let mut state = State {
            intercept,
            beta: vec![0.0; self.p],
            entered: Vec::new(),
            place: vec![0; self.p],
            residual,
            weight_sum: v,
            weight,
            curvature: vec![0.0; self.p],
            gradient: vec![0.0; self.p],
            strong: vec![false; self.p],
            passes: 0,
        };
        for j in (0..self.p).filter(|&j| self.varies[j]) {
            state.gradient[j] = self.dot(&state.residual, self.column(j)).abs();
            state.curvature[j] = self.weighted_square(self.column(j), &state.weight);
        }
        state
    }

    /// Largest penalty on the scale of the problem: the smallest that leaves every penalised feature out.
    fn largest_penalty(&self, state: &State) -> f64 {
        let largest = (0..self.p)
            .filter(|&j| self.varies[j] && self.penalty[j] > 0.0)
            .map(|j| state.gradient[j] / self.penalty[j])
            .fold(0.0, f64::max);
        largest / self.alpha.max(1e-3)
    }

    /// One coordinate update; returns the weighted squared change.
    #[inline(always)]
    fn update(&self, s: &mut State, j: usize, absolute: f64, square: f64) -> f64 {
        let x = self.column(j);
        let old = s.beta[j];
        let gradient = self.dot(&s.residual, x) + s.curvature[j] * old;
        let excess = gradient.abs() - self.penalty[j] * absolute;
        let new = if excess <= 0.0 {
            0.0
        } else {
            (excess.copysign(gradient) / (s.curvature[j] + self.penalty[j] * square)).clamp(self.lower[j], self.upper[j])
        };
        let change = new - old;
        if change == 0.0 {
            return 0.0;
        }
        s.beta[j] = new;
        for ((r, v), x) in s.residual.iter_mut().zip(&s.weight).zip(x) {
            *r -= change * (v * x);
        }
        if s.place[j] == 0 {
            s.entered.push(j);
            s.place[j] = s.entered.len();
        }
        s.curvature[j] * change * change
    }

    #[inline(always)]
    fn update_intercept(&self, s: &mut State) -> f64 {
        let change = s.residual.iter().sum::<f64>() / s.weight_sum;
        if change == 0.0 {
            return 0.0;
        }
        s.intercept += change;
        for (r, v) in s.residual.iter_mut().zip(&s.weight) {
            *r -= change * v;
        }
        s.weight_sum * change * change
    }

    /// Coordinate descent at the current weights: full passes over the strong set, then passes over the entered features until they rest.
    #[inline(always)]
    fn descend(&self, s: &mut State, absolute: f64, square: f64, rest: f64, max_passes: usize) -> Result<()> {
        loop {
            s.passes += 1;
            let mut largest = 0.0f64;
            for j in 0..self.p {
                if s.strong[j] {
                    largest = largest.max(self.update(s, j, absolute, square));
                }
            }
            largest = largest.max(self.update_intercept(s));
            if largest < rest {
                return Ok(());
            }
            loop {
                if s.passes > max_passes {
                    return Err(SelectionError::NotConverged { operation: "coordinate descent", iterations: max_passes });
                }
                s.passes += 1;
                let mut largest = 0.0f64;
                for k in 0..s.entered.len() {
                    largest = largest.max(self.update(s, s.entered[k], absolute, square));
                }
                largest = largest.max(self.update_intercept(s));
                if largest < rest {
                    break;
                }
            }
        }
    }

    /// Linear predictor on the scale of the problem.
    #[inline(always)]
    fn linear_predictor(&self, s: &State) -> Vec<f64> {
        let mut eta = vec![s.intercept; self.n];
        for &j in &s.entered {
            let b = s.beta[j];
            if b != 0.0 {
                eta.iter_mut().zip(self.column(j)).for_each(|(e, x)| *e += b * x);
            }
        }
        eta
    }

    /// New weights and residuals at the current coefficients. False when the fit has become perfect.
    #[inline(always)]
    fn reweight(&self, s: &mut State) -> bool {
        let w = 1.0 / self.n as f64;
        let limit = (1.0 / SMALLEST_PROBABILITY - 1.0).ln();
        let eta = self.linear_predictor(s);
        s.weight_sum = 0.0;
        for i in 0..self.n {
            let q = if eta[i] < -limit {
                0.0
            } else if eta[i] > limit {
                1.0
            } else {
                1.0 / (1.0 + (-eta[i]).exp())
            };
            s.weight[i] = w * q * (1.0 - q);
            s.weight_sum += s.weight[i];
            s.residual[i] = w * (self.y[i] - q);
        }
        s.weight_sum > (1.0 + SMALLEST_PROBABILITY) * SMALLEST_PROBABILITY * (1.0 - SMALLEST_PROBABILITY)
    }

    /// Features outside the strong set that violate their optimality condition join it.
    #[inline(always)]
    fn add_violators(&self, s: &mut State, absolute: f64) -> bool {
        let mut found = false;
        for j in 0..self.p {
            if self.varies[j] && !s.strong[j] {
                s.gradient[j] = self.dot(&s.residual, self.column(j)).abs();
                if s.gradient[j] > absolute * self.penalty[j] {
                    s.strong[j] = true;
                    s.curvature[j] = self.weighted_square(self.column(j), &s.weight);
                    found = true;
                }
            }
        }
        found
    }

    /// Solution at one penalty, from the previous one. False when the fit has become perfect.
    #[inline(always)]
    fn solve_at(&self, s: &mut State, lambda: f64, previous: f64, threshold: f64, max_passes: usize) -> Result<bool> {
        let (absolute, square) = (lambda * self.alpha, lambda * (1.0 - self.alpha));
        let strong_bound = self.alpha * (2.0 * lambda - previous);
        for j in 0..self.p {
            if !s.strong[j] && self.varies[j] && s.gradient[j] > strong_bound * self.penalty[j] {
                s.strong[j] = true;
                s.curvature[j] = self.weighted_square(self.column(j), &s.weight);
            }
        }
        let rest = match self.family {
            Family::Binomial => threshold * self.null_loss,
            Family::Gaussian => threshold,
        };
        loop {
            let before: Vec<(usize, f64)> = s.entered.iter().map(|&j| (j, s.beta[j])).collect();
            let intercept_before = s.intercept;
            self.descend(s, absolute, square, rest, max_passes)?;
            if self.family == Family::Gaussian {
                if self.add_violators(s, absolute) {
                    continue;
                }
                return Ok(true);
            }
            if !self.reweight(s) {
                return Ok(false);
            }
            // Features that entered just now moved from 0.
            let moved = |j: usize, old: f64| s.curvature[j] * (s.beta[j] - old).powi(2) >= rest;
            let still_moving = s.weight_sum * (s.intercept - intercept_before).powi(2) >= rest
                || before.iter().any(|&(j, old)| moved(j, old))
                || s.entered[before.len()..].iter().any(|&j| moved(j, 0.0));
            if !still_moving && !self.add_violators(s, absolute) {
                return Ok(true);
            }
            for j in 0..self.p {
                if s.strong[j] {
                    s.curvature[j] = self.weighted_square(self.column(j), &s.weight);
                }
            }
        }
    }

    /// Deviance over 2n.
    fn loss(&self, s: &State) -> f64 {
        let eta = self.linear_predictor(s);
        let n = self.n as f64;
        match self.family {
            Family::Binomial => {
                let held = |q: f64| q.clamp(SMALLEST_PROBABILITY, 1.0 - SMALLEST_PROBABILITY);
                -eta.iter()
                    .zip(self.y)
                    .map(|(e, y)| {
                        let q = held(1.0 / (1.0 + (-e).exp()));
                        if *y == 1.0 { q.ln() } else { (1.0 - q).ln() }
                    })
                    .sum::<f64>()
                    / n
            }
            Family::Gaussian => {
                eta.iter().zip(self.y).map(|(e, y)| ((y - self.y_mean) / self.y_scale - e).powi(2)).sum::<f64>() / (2.0 * n)
            }
        }
    }

    /// Coefficients on the original scale.
    fn coefficients(&self, s: &State) -> SparseCoefficients {
        let mut columns: Vec<usize> = s.entered.iter().copied().filter(|&j| s.beta[j] != 0.0).collect();
        columns.sort_unstable();
        let values: Vec<f64> = columns.iter().map(|&j| s.beta[j] * self.y_scale / self.scale[j]).collect();
        let shift: f64 = columns.iter().zip(&values).map(|(&j, b)| b * self.mean[j]).sum();
        SparseCoefficients { intercept: s.intercept * self.y_scale + self.y_mean - shift, columns, values }
    }

    /// Fits the penalties one after the other.
    #[inline(always)]
    fn walk(&self, params: &ElasticNetParams) -> Result<ElasticNetPath> {
        let mut state = self.start();
        let largest = self.largest_penalty(&state);
        let (given, early) = match &params.lambda {
            LambdaSequence::Given(lambda) => (lambda.iter().map(|l| l / self.y_scale).collect(), false),
            LambdaSequence::Automatic { count, ratio } => {
                let ratio = ratio.unwrap_or(if self.n < self.p { 0.01 } else { 1e-4 });
                let factor = ratio.powf(1.0 / (*count as f64 - 1.0).max(1.0));
                (std::iter::successors(Some(largest), |l| Some(l * factor)).take(*count).collect::<Vec<f64>>(), true)
            }
        };
        let mut path = ElasticNetPath {
            family: self.family,
            names: Vec::new(),
            lambda: Vec::new(),
            coefficients: Vec::new(),
            deviance_ratio: Vec::new(),
            null_deviance: 2.0 * self.n as f64 * self.null_loss * self.y_scale * self.y_scale,
            passes: 0,
            complete: true,
        };
        // glmnet starts an automatic path above every penalty and given ones from 0.
        let mut previous = if early { largest } else { 0.0 };
        for (k, &lambda) in given.iter().enumerate() {
            let (threshold, tolerance) = match params.precision {
                Precision::Threshold(threshold) => (threshold, None),
                // Moderate precision is enough for Newton's method to start from.
                Precision::OptimalityConditions(tolerance) => (1e-7, Some(tolerance)),
            };
            let mut usable = match self.solve_at(&mut state, lambda, previous, threshold, params.max_passes) {
                // As glmnet does: a penalty too small to be solved ends the path, and what lies before it stands.
                Err(SelectionError::NotConverged { .. }) if k > 0 => {
                    path.complete = false;
                    break;
                }
                solved => solved?,
            };
            if let Some(tolerance) = tolerance.filter(|_| usable) {
                usable = self.polish(&mut state, lambda, tolerance, params.max_passes)?;
            }
            previous = lambda;
            let ratio = 1.0 - self.loss(&state) / self.null_loss;
            let gain = path.deviance_ratio.last().map_or(f64::INFINITY, |last| ratio - last);
            path.lambda.push(lambda * self.y_scale);
            path.coefficients.push(self.coefficients(&state));
            path.deviance_ratio.push(ratio);
            if !usable {
                break;
            }
            let smallest_gain = if self.family == Family::Gaussian { SMALLEST_GAIN * ratio } else { SMALLEST_GAIN };
            if early && k + 1 >= FEWEST_PENALTIES.min(given.len()) && (ratio > LARGEST_DEVIANCE_RATIO || gain < smallest_gain) {
                break;
            }
        }
        path.passes = state.passes;
        Ok(path)
    }

    /// Newton's method on the stationarity equations of the features with a coefficient, alternating with a check of all conditions.
    #[inline(always)]
    fn polish(&self, s: &mut State, lambda: f64, tolerance: f64, max_passes: usize) -> Result<bool> {
        const ROUNDS: usize = 100;
        let mut threshold = 1e-12;
        let (absolute, square) = (lambda * self.alpha, lambda * (1.0 - self.alpha));
        for _ in 0..ROUNDS {
            if self.family == Family::Binomial && !self.reweight(s) {
                return Ok(false);
            }
            let violation = self.largest_violation(s, absolute, square);
            if violation <= tolerance * lambda {
                return Ok(true);
            }
            let loss_before = self.objective(s, absolute, square);
            let before = (s.intercept, s.beta.clone());
            if self.newton_step(s, absolute, square) && self.objective(s, absolute, square) <= loss_before + 1e-14 * loss_before.abs() {
                self.refresh(s);
                continue;
            }
            // The step left the region in which the signs hold: go back and take coordinate steps instead.
            (s.intercept, s.beta) = before;
            self.refresh(s);
            self.solve_at(s, lambda, lambda, threshold, max_passes.max(s.passes + 10_000))?;
            threshold = (threshold * 1e-2).max(1e-24);
        }
        Err(SelectionError::NotConverged { operation: "Newton steps of the exact LASSO", iterations: ROUNDS })
    }

    /// Weights, residuals and curvatures at the current coefficients.
    #[inline(always)]
    fn refresh(&self, s: &mut State) {
        match self.family {
            Family::Binomial => {
                self.reweight(s);
                for j in 0..self.p {
                    if s.strong[j] {
                        s.curvature[j] = self.weighted_square(self.column(j), &s.weight);
                    }
                }
            }
            Family::Gaussian => {
                let eta = self.linear_predictor(s);
                for i in 0..self.n {
                    s.residual[i] = ((self.y[i] - self.y_mean) / self.y_scale - eta[i]) / self.n as f64;
                }
            }
        }
    }

    fn objective(&self, s: &State, absolute: f64, square: f64) -> f64 {
        let eta = self.linear_predictor(s);
        let n = self.n as f64;
        let loss = match self.family {
            Family::Binomial => eta.iter().zip(self.y).map(|(e, y)| e.max(0.0) + (-e.abs()).exp().ln_1p() - y * e).sum::<f64>() / n,
            Family::Gaussian => self.loss(s),
        };
        loss + s.entered.iter().map(|&j| self.penalty[j] * (absolute * s.beta[j].abs() + square * s.beta[j].powi(2) / 2.0)).sum::<f64>()
    }

    /// Largest violation of the optimality conditions. Features outside the strong set that violate theirs join it.
    #[inline(always)]
    fn largest_violation(&self, s: &mut State, absolute: f64, square: f64) -> f64 {
        self.add_violators(s, absolute);
        let mut largest = s.residual.iter().sum::<f64>().abs();
        for j in (0..self.p).filter(|&j| s.strong[j]) {
            let g = self.dot(&s.residual, self.column(j)) - self.penalty[j] * square * s.beta[j];
            let bound = self.penalty[j] * absolute;
            let at_limit = (s.beta[j] == self.upper[j] && g > 0.0) || (s.beta[j] == self.lower[j] && g < 0.0);
            let violation = if s.beta[j] == 0.0 || at_limit {
                if at_limit { 0.0 } else { g.abs() - bound }
            } else {
                (g - bound.copysign(s.beta[j])).abs()
            };
            largest = largest.max(violation);
        }
        largest
    }

    /// A Newton step on the features with a coefficient. A coefficient that would change its sign stops at 0. False when the Hessian is
    /// singular.
    #[inline(always)]
    fn newton_step(&self, s: &mut State, absolute: f64, square: f64) -> bool {
        // Features with a coefficient keep its sign; those at 0 that violate their condition enter with that of their gradient.
        let mut active: Vec<(usize, f64)> = Vec::new();
        for j in (0..self.p).filter(|&j| s.strong[j]) {
            if s.beta[j] == 0.0 {
                let g = self.dot(&s.residual, self.column(j));
                if g.abs() > self.penalty[j] * absolute {
                    active.push((j, g.signum()));
                }
            } else if s.beta[j] != self.upper[j] && s.beta[j] != self.lower[j] {
                active.push((j, s.beta[j].signum()));
            }
        }
        let k = active.len() + 1;
        let mut weighted = vec![0.0; self.n];
        let mut hessian = vec![0.0; k * k];
        let mut gradient = vec![0.0; k];
        hessian[0] = s.weight_sum;
        gradient[0] = s.residual.iter().sum();
        for (a, &(j, sign)) in active.iter().enumerate() {
            let x = self.column(j);
            weighted.iter_mut().zip(x).zip(&s.weight).for_each(|((t, x), v)| *t = x * v);
            gradient[a + 1] = self.dot(&s.residual, x) - self.penalty[j] * (absolute * sign + square * s.beta[j]);
            let border: f64 = weighted.iter().sum();
            hessian[a + 1] = border;
            hessian[(a + 1) * k] = border;
            for (b, &(i, _)) in active[..=a].iter().enumerate() {
                let mut value = self.dot(&weighted, self.column(i));
                if i == j {
                    value += self.penalty[j] * square;
                }
                hessian[(a + 1) * k + b + 1] = value;
                hessian[(b + 1) * k + a + 1] = value;
            }
        }
        let step = solve_symmetric(&hessian, &gradient).or_else(|| {
            // Dependent features: a trace of ridge picks one of the equivalent steps.
            (0..k).for_each(|i| hessian[i * k + i] *= 1.0 + 1e-10);
            solve_symmetric(&hessian, &gradient)
        });
        let Some(step) = step else { return false };
        s.intercept += step[0];
        for (&(j, sign), d) in active.iter().zip(&step[1..]) {
            let new = (s.beta[j] + d).clamp(self.lower[j], self.upper[j]);
            s.beta[j] = if new * sign < 0.0 { 0.0 } else { new };
            if s.place[j] == 0 {
                s.entered.push(j);
                s.place[j] = s.entered.len();
            }
        }
        true
    }
}
