//! Maximisation of the likelihood of a logistic model with Firth's penalty ½ ln det I(β).

use alnm_stats::Interval;
use alnm_stats::distribution::chi_squared_quantile;
use alnm_stats::linear::solve_symmetric;
use alnm_stats::root::brent;
use faer::Mat;
use faer::linalg::solvers::Qr;

use crate::design::Design;
use crate::error::{ModelError, Result};
use crate::irls::Maximum;
use crate::logit::expit;

/// Coefficients of the largest penalised likelihood, with the deviance of the likelihood without its penalty.
pub(crate) fn penalised_maximum(data: &Design) -> Result<Maximum> {
    let Optimum { beta, iterations, .. } = Penalised { data }.maximise(vec![0.0; data.columns.len()], None)?;
    Ok(Maximum { deviance: data.likelihood().deviance(&beta), beta, iterations, converged: true, separated: false })
}

pub(crate) struct Penalised<'a> {
    pub(crate) data: &'a Design,
}

pub(crate) struct Optimum {
    pub(crate) beta: Vec<f64>,
    pub(crate) value: f64,
    pub(crate) iterations: usize,
}

/// Penalised log likelihood, risks and leverages at some coefficients.
pub(crate) struct State {
    pub(crate) value: f64,
    risk: Vec<f64>,
    pub(crate) leverage: Vec<f64>,
}

impl Penalised<'_> {
    fn design(&self, root: &[f64]) -> Mat<f64> {
        Mat::from_fn(root.len(), self.data.columns.len(), |i, j| root[i] * self.data.columns[j][i])
    }

    fn root_weights(&self, eta: &[f64], extra: Option<&[f64]>) -> Vec<f64> {
        eta.iter()
            .enumerate()
            .map(|(i, e)| (self.data.weights[i] * expit(*e) * expit(-e) * extra.map_or(1.0, |x| x[i])).sqrt())
            .collect()
    }

    pub(crate) fn state(&self, beta: &[f64]) -> State {
        let likelihood = self.data.likelihood();
        let eta = likelihood.linear_predictor(beta);
        let factor = Qr::new(self.design(&self.root_weights(&eta, None)).as_ref());
        let (q, r) = (factor.compute_thin_Q(), factor.thin_R());
        let leverage = (0..q.nrows()).map(|i| (0..q.ncols()).map(|j| q[(i, j)].powi(2)).sum()).collect();
        let half_log_determinant: f64 = (0..r.ncols()).map(|j| r[(j, j)].abs().ln()).sum();
        State {
            value: -likelihood.deviance(beta) / 2.0 + half_log_determinant,
            risk: eta.into_iter().map(expit).collect(),
            leverage,
        }
    }

    /// Maximises with coefficient `held`, if any, fixed at its start value. Newton steps with the Fisher information,
    /// halved until the penalised likelihood rises.
    pub(crate) fn maximise(&self, start: Vec<f64>, held: Option<usize>) -> Result<Optimum> {
        const ITERATIONS: usize = 2000;
        let free: Vec<usize> = (0..start.len()).filter(|j| Some(*j) != held).collect();
        let mut beta = start;
        let mut state = self.state(&beta);
        for iterations in 0..ITERATIONS {
            let (y, w) = (&self.data.y, &self.data.weights);
            let pull: Vec<f64> = (0..y.len())
                .map(|i| w[i] * (y[i] - state.risk[i]) + state.leverage[i] * (0.5 - state.risk[i]))
                .collect();
            let x = |j: usize| &self.data.columns[j];
            let gradient: Vec<f64> = free.iter().map(|&j| x(j).iter().zip(&pull).map(|(x, u)| x * u).sum()).collect();
            // Columns are scaled by their information, so that badly scaled predictors keep their digits.
            let information = |a: usize, b: usize| -> f64 {
                x(a).iter().zip(x(b)).zip(&state.risk).zip(w).map(|(((a, b), p), w)| w * a * b * p * (1.0 - p)).sum()
            };
            let scale: Vec<f64> = free.iter().map(|&j| information(j, j).sqrt()).collect();
            let m = free.len();
            let matrix: Vec<f64> =
                (0..m * m).map(|e| information(free[e / m], free[e % m]) / (scale[e / m] * scale[e % m])).collect();
            let scaled: Vec<f64> = gradient.iter().zip(&scale).map(|(g, s)| g / s).collect();
            let step = solve_symmetric(&matrix, &scaled)
                .ok_or(ModelError::NotConverged { operation: "Firth regression", iterations })?;
            if scaled.iter().zip(&step).map(|(g, s)| g * s).sum::<f64>() < 1e-20 {
                return Ok(Optimum { beta, value: state.value, iterations });
            }
            let mut length = 1.0;
            loop {
                let mut next = beta.clone();
                free.iter().zip(&step).zip(&scale).for_each(|((&j, d), s)| next[j] += length * d / s);
                let candidate = self.state(&next);
                if candidate.value >= state.value - 1e-13 * state.value.abs() || length < 1e-9 {
                    (beta, state) = (next, candidate);
                    break;
                }
                length /= 2.0;
            }
        }
        Err(ModelError::NotConverged { operation: "Firth regression", iterations: ITERATIONS })
    }

    pub(crate) fn maximise_with(&self, near: &[f64], held: usize, value: f64) -> Result<Optimum> {
        let mut start = near.to_vec();
        start[held] = value;
        // Far from the optimum the neighbours' estimates mislead; a start at 0 is the safe second choice.
        self.maximise(start, Some(held)).or_else(|_| {
            let mut start = vec![0.0; near.len()];
            start[held] = value;
            self.maximise(start, Some(held))
        })
    }

    pub(crate) fn standard_errors(&self, beta: &[f64], extra: Option<&[f64]>) -> Vec<f64> {
        let eta = self.data.likelihood().linear_predictor(beta);
        let factor = Qr::new(self.design(&self.root_weights(&eta, extra)).as_ref());
        let r = factor.thin_R();
        let k = r.ncols();
        // Rows of R⁻¹ squared and summed are the diagonal of (X'WX)⁻¹.
        let mut variance = vec![0.0; k];
        for c in 0..k {
            let mut column = vec![0.0; k];
            for i in (0..=c).rev() {
                let unit = if i == c { 1.0 } else { 0.0 };
                let known: f64 = (i + 1..=c).map(|j| r[(i, j)] * column[j]).sum();
                column[i] = (unit - known) / r[(i, i)];
                variance[i] += column[i] * column[i];
            }
        }
        variance.into_iter().map(f64::sqrt).collect()
    }

    pub(crate) fn interval(&self, optimum: &Optimum, j: usize, error: f64, level: f64) -> Result<Interval> {
        let drop = chi_squared_quantile(level, 1.0) / 2.0;
        let end = |side: f64| -> Result<f64> {
            const FURTHEST: f64 = 60.0;
            let mut near_beta = optimum.beta.clone();
            let mut excess = |value: f64| match self.maximise_with(&near_beta, j, value) {
                Ok(fit) => {
                    near_beta.clone_from(&fit.beta);
                    optimum.value - fit.value - drop
                }
                Err(_) => f64::NAN,
            };
            let mut near = optimum.beta[j];
            let mut distance = 1.0;
            while distance <= FURTHEST {
                let far = optimum.beta[j] + side * distance * error;
                if excess(far) >= 0.0 {
                    return Ok(brent(&mut excess, near, far, 1e-11 * (error + far.abs()), 200)?.location);
                }
                near = far;
                distance += 1.0;
            }
            Ok(side * f64::INFINITY)
        };
        Ok(Interval { lower: end(-1.0)?, upper: end(1.0)?, level })
    }
}
