//! Maximum likelihood of a logistic model by iteratively reweighted least squares, each step a QR factorisation.

use faer::Mat;
use faer::linalg::solvers::{Qr, SolveLstsq};

use crate::logit::expit;

/// A column that keeps less than this share of its length beside the columns before it depends on them (the tolerance
/// of R's `glm`, a thousandth of its `epsilon`).
const RANK_TOLERANCE: f64 = 1e-11;

/// Predictors (an intercept among them, if wanted), outcome, prior weights and offset.
pub(crate) struct Likelihood<'a> {
    pub(crate) columns: &'a [Vec<f64>],
    pub(crate) y: &'a [f64],
    pub(crate) weights: &'a [f64],
    pub(crate) offset: &'a [f64],
}

/// A maximum of the likelihood.
#[derive(Debug, Clone)]
pub(crate) struct Maximum {
    pub(crate) beta: Vec<f64>,
    pub(crate) deviance: f64,
    pub(crate) iterations: usize,
    pub(crate) converged: bool,
    /// Whether the estimate runs off to infinity because the predictors separate the outcome.
    pub(crate) separated: bool,
}

/// Contribution −2 ln p of one observation to the deviance.
pub(crate) fn deviance_of(y: f64, eta: f64) -> f64 {
    2.0 * (eta.max(0.0) + (-eta.abs()).exp().ln_1p() - y * eta)
}

impl Likelihood<'_> {
    pub(crate) fn linear_predictor(&self, beta: &[f64]) -> Vec<f64> {
        let mut eta = self.offset.to_vec();
        for (column, b) in self.columns.iter().zip(beta) {
            eta.iter_mut().zip(column).for_each(|(e, x)| *e += b * x);
        }
        eta
    }

    pub(crate) fn deviance(&self, beta: &[f64]) -> f64 {
        let eta = self.linear_predictor(beta);
        eta.iter().zip(self.y).zip(self.weights).map(|((e, y), w)| w * deviance_of(*y, *e)).sum()
    }

    /// Maximises from `start`. `tolerance` bounds the squared length of the last step in units of its standard errors.
    pub(crate) fn maximise(&self, start: &[f64], max_iterations: usize, tolerance: f64) -> Maximum {
        let k = self.columns.len();
        let mut beta = start.to_vec();
        let mut deviance = self.deviance(&beta);
        if k == 0 {
            return Maximum { beta, deviance, iterations: 0, converged: true, separated: false };
        }
        let mut separated = false;
        for iteration in 1..=max_iterations {
            let eta = self.linear_predictor(&beta);
            let (factor, score) = self.working(&eta);
            let step = solve(&factor, &score);
            if step.iter().any(|s| !s.is_finite()) {
                return Maximum { beta, deviance, iterations: iteration, converged: false, separated };
            }
            let decrement = decrement(&factor, &step);
            let mut scale = 1.0;
            let (next, value) = loop {
                let next: Vec<f64> = beta.iter().zip(&step).map(|(b, s)| b + scale * s).collect();
                let value = self.deviance(&next);
                if value <= deviance + 1e-10 * (deviance.abs() + 0.1) || scale < 1e-10 {
                    break (next, value);
                }
                scale /= 2.0;
            };
            let gain = deviance - value;
            beta = next;
            deviance = value;
            separated = iteration >= 6 && self.is_recession(&step);
            if decrement <= tolerance {
                return Maximum { beta, deviance, iterations: iteration, converged: !separated, separated };
            }
            if separated && gain.abs() <= 1e-10 * (deviance + 0.1) {
                return Maximum { beta, deviance, iterations: iteration, converged: false, separated };
            }
        }
        Maximum { beta, deviance, iterations: max_iterations, converged: false, separated }
    }

    /// QR of √W X and the right-hand side whose least squares solution is the Newton step.
    fn working(&self, eta: &[f64]) -> (Qr<f64>, Mat<f64>) {
        let n = self.y.len();
        let mut root = vec![0.0; n];
        let mut score = Mat::zeros(n, 1);
        for i in 0..n {
            let mu = expit(eta[i]);
            // Written with the smaller of μ and 1 − μ, so that weights near the ends keep their digits.
            let variance = self.weights[i] * mu * expit(-eta[i]);
            root[i] = variance.sqrt();
            let residual = if self.y[i] == 1.0 { expit(-eta[i]) } else { self.y[i] - mu };
            score[(i, 0)] = if root[i] > 0.0 { self.weights[i] * residual / root[i] } else { 0.0 };
        }
        (Qr::new(self.scaled(&root).as_ref()), score)
    }

    fn scaled(&self, root: &[f64]) -> Mat<f64> {
        Mat::from_fn(self.y.len(), self.columns.len(), |i, j| root[i] * self.columns[j][i])
    }

    /// Whether the likelihood never falls along `direction`: no observation moves against its class, and some move with
    /// it.
    fn is_recession(&self, direction: &[f64]) -> bool {
        let mut eta = vec![0.0; self.y.len()];
        for (column, d) in self.columns.iter().zip(direction) {
            eta.iter_mut().zip(column).for_each(|(e, x)| *e += d * x);
        }
        let toward: Vec<f64> = eta.iter().zip(self.y).map(|(e, y)| if *y == 1.0 { *e } else { -e }).collect();
        let largest = toward.iter().copied().fold(0.0, f64::max);
        largest > 0.1 && toward.iter().all(|t| *t >= -1e-4 * largest)
    }

    /// Inverse of the Fisher information at `beta`.
    pub(crate) fn covariance(&self, beta: &[f64]) -> Vec<Vec<f64>> {
        let k = self.columns.len();
        let (factor, _) = self.working(&self.linear_predictor(beta));
        let r = factor.thin_R();
        // Columns of R⁻¹ by back substitution; the covariance is R⁻¹ R⁻ᵀ.
        let mut inverse = vec![vec![0.0; k]; k];
        for c in 0..k {
            for i in (0..=c).rev() {
                let unit = if i == c { 1.0 } else { 0.0 };
                let known: f64 = (i + 1..=c).map(|j| r[(i, j)] * inverse[j][c]).sum();
                inverse[i][c] = (unit - known) / r[(i, i)];
            }
        }
        (0..k).map(|i| (0..k).map(|j| (i.max(j)..k).map(|c| inverse[i][c] * inverse[j][c]).sum()).collect()).collect()
    }

    /// Columns that do not depend on the columns before them.
    pub(crate) fn independent_columns(&self) -> Vec<usize> {
        let mut basis: Vec<Vec<f64>> = Vec::new();
        let mut independent = Vec::new();
        for (j, column) in self.columns.iter().enumerate() {
            let mut rest: Vec<f64> = column.iter().zip(self.weights).map(|(x, w)| x * w.sqrt()).collect();
            let length = norm(&rest);
            // Twice, so that the projection is exact to rounding.
            for _ in 0..2 {
                for b in &basis {
                    let overlap: f64 = b.iter().zip(&rest).map(|(b, r)| b * r).sum();
                    rest.iter_mut().zip(b).for_each(|(r, b)| *r -= overlap * b);
                }
            }
            let left = norm(&rest);
            if left > RANK_TOLERANCE * length && basis.len() < self.y.len() {
                rest.iter_mut().for_each(|r| *r /= left);
                basis.push(rest);
                independent.push(j);
            }
        }
        independent
    }
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn solve(factor: &Qr<f64>, score: &Mat<f64>) -> Vec<f64> {
    let solution = factor.solve_lstsq(score);
    (0..solution.nrows()).map(|i| solution[(i, 0)]).collect()
}

/// ‖R · step‖², the squared length of the step in standard errors.
fn decrement(factor: &Qr<f64>, step: &[f64]) -> f64 {
    let r = factor.thin_R();
    (0..step.len()).map(|i| (i..step.len()).map(|j| r[(i, j)] * step[j]).sum::<f64>().powi(2)).sum()
}
