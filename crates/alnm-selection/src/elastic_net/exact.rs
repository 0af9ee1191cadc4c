//! Solutions that meet their optimality conditions: Newton steps on the features with a coefficient.
//!
//! The Hessian is that of an earlier iterate as long as its steps converge well. A step that does not lower the objective is taken back,
//! and coordinate descent leads nearer to the solution first.

use super::descent::{Solver, State};
use super::factor::Factor;
use super::kernels::{dot, sum};
use super::path::Family;
use crate::error::{Result, SelectionError};
use pulp::Simd;

/// Newton steps at one penalty at most.
const ROUNDS: usize = 200;
/// A step that leaves more than this share of the violation calls for a Hessian at the current weights.
const SLOW: f64 = 0.2;
/// Features outside are looked at when the conditions of those inside hold to this share of λ, and again at the end.
const FIRST_LOOK: f64 = 1e-2;

/// A feature that the next step moves, and the penalised gradient that moves it.
type Mover = (usize, f64);

impl<S: Simd> Solver<'_, '_, S> {
    /// Solution at one penalty, from the previous one, with conditions that hold to `tolerance` · `lambda`. False when the fit has become
    /// perfect.
    #[inline(always)]
    pub(super) fn solve_exactly(
        &self,
        s: &mut State,
        factor: &mut Factor,
        (lambda, previous): (f64, f64),
        tolerance: f64,
        max_passes: usize,
    ) -> Result<bool> {
        let (absolute, square) = (lambda * self.alpha, lambda * (1.0 - self.alpha));
        let bar = tolerance * lambda;
        self.screen(s, lambda, previous);
        let (mut looked_outside, mut last, mut threshold) = (false, f64::INFINITY, 1e-7);
        let Some(mut objective) = self.refresh(s, absolute, square) else { return Ok(false) };
        for _ in 0..ROUNDS {
            let (mut movers, mut violation) = self.inside(s, absolute, square);
            let pull = sum(self.simd, &s.residual);
            violation = violation.max(pull.abs());
            if violation <= bar || (!looked_outside && violation <= FIRST_LOOK * lambda) {
                looked_outside = true;
                let entering = self.entering(s, absolute, bar);
                if violation <= bar && entering.is_empty() {
                    return Ok(true);
                }
                if !entering.is_empty() {
                    last = f64::INFINITY;
                    movers.extend(entering);
                }
            }
            if violation > SLOW * last {
                factor.clear();
            }
            last = violation;
            let before = (s.intercept, s.beta.clone());
            self.step(s, factor, pull, &movers, square);
            match self.refresh(s, absolute, square) {
                Some(value) if value <= objective + 1e-14 * objective.abs() => objective = value,
                _ => {
                    (s.intercept, s.beta) = before;
                    if self.refresh(s, absolute, square).is_none() {
                        return Ok(false);
                    }
                    self.refresh_curvature(s);
                    if !self.solve_at(s, lambda, lambda, threshold, max_passes.max(s.passes + 10_000))? {
                        return Ok(false);
                    }
                    threshold = (threshold * 1e-2).max(1e-24);
                    factor.clear();
                    last = f64::INFINITY;
                    match self.refresh(s, absolute, square) {
                        Some(value) => objective = value,
                        None => return Ok(false),
                    }
                }
            }
        }
        Err(SelectionError::NotConverged { operation: "Newton steps of the exact LASSO", iterations: ROUNDS })
    }

    /// Weights and residuals at the current coefficients, and the objective there. `None` when the fit has become perfect.
    #[inline(always)]
    fn refresh(&self, s: &mut State, absolute: f64, square: f64) -> Option<f64> {
        s.passes += 1;
        let eta = self.linear_predictor(s);
        let n = self.n as f64;
        let loss = match self.family {
            Family::Binomial => {
                if !self.reweight_at(s, &eta) {
                    return None;
                }
                eta.iter().zip(self.y).map(|(e, y)| e.max(0.0) + (-e.abs()).exp().ln_1p() - y * e).sum::<f64>() / n
            }
            Family::Gaussian => {
                for i in 0..self.n {
                    s.residual[i] = ((self.y[i] - self.y_mean) / self.y_scale - eta[i]) / n;
                }
                self.loss(&eta)
            }
        };
        let penalty = |j: &usize| self.penalty[*j] * (absolute * s.beta[*j].abs() + square * s.beta[*j].powi(2) / 2.0);
        Some(loss + s.entered.iter().map(penalty).sum::<f64>())
    }

    /// Features with a coefficient that is free to move, and the largest violation of their conditions.
    #[inline(always)]
    fn inside(&self, s: &State, absolute: f64, square: f64) -> (Vec<Mover>, f64) {
        let mut largest = 0.0f64;
        let mut movers = Vec::with_capacity(s.entered.len());
        for &j in s.entered.iter().filter(|&&j| s.beta[j] != 0.0) {
            let b = s.beta[j];
            let pull = dot(self.simd, &s.residual, self.column(j)) - self.penalty[j] * (absolute.copysign(b) + square * b);
            let held = (b == self.upper[j] && pull > 0.0) || (b == self.lower[j] && pull < 0.0);
            if !held {
                largest = largest.max(pull.abs());
                movers.push((j, pull));
            }
        }
        (movers, largest)
    }

    /// Features without a coefficient whose gradient exceeds the penalty by more than `bar`; those outside the strong set join it.
    #[inline(always)]
    fn entering(&self, s: &mut State, absolute: f64, bar: f64) -> Vec<Mover> {
        self.add_violators(s, absolute);
        let mut found = Vec::new();
        for j in (0..self.p).filter(|&j| s.strong[j] && s.beta[j] == 0.0) {
            let gradient = dot(self.simd, &s.residual, self.column(j));
            let excess = gradient.abs() - self.penalty[j] * absolute;
            let held = if gradient > 0.0 { self.upper[j] == 0.0 } else { self.lower[j] == 0.0 };
            if excess > bar && !held {
                found.push((j, excess.copysign(gradient)));
            }
        }
        found
    }

    /// A Newton step of the intercept and the movers. A coefficient that would change its sign stops at 0.
    #[inline(always)]
    fn step(&self, s: &mut State, factor: &mut Factor, intercept_pull: f64, movers: &[Mover], square: f64) {
        let features: Vec<usize> = movers.iter().map(|m| m.0).collect();
        factor.fit(self, &s.weight, &features, square);
        let mut pull = vec![intercept_pull; movers.len() + 1];
        for (p, j) in pull[1..].iter_mut().zip(&factor.features) {
            *p = movers.iter().find(|m| m.0 == *j).map_or(0.0, |m| m.1);
        }
        let step = factor.solve(self.simd, &pull);
        s.intercept += step[0];
        for ((&j, d), pull) in factor.features.iter().zip(&step[1..]).zip(&pull[1..]) {
            let sign = if s.beta[j] == 0.0 { pull.signum() } else { s.beta[j].signum() };
            let new = (s.beta[j] + d).clamp(self.lower[j], self.upper[j]);
            s.beta[j] = if new * sign < 0.0 { 0.0 } else { new };
            s.enter(j);
        }
    }
}
