//! Solutions that meet their optimality conditions: Newton steps on the features with a coefficient.
//!
//! The Hessian is that of an earlier iterate as long as its steps converge well. A step that neither lowers the objective nor the violation
//! of the conditions is taken back, and coordinate descent leads nearer to the solution first.

use super::descent::{Solver, State};
use super::factor::Factor;
use super::kernels::{dot, sum};
use super::path::Family;
use crate::error::{Result, SelectionError};
use pulp::Simd;

/// Newton steps at one penalty at most.
const ROUNDS: usize = 200;
/// A step that leaves more than this share of the violation calls for a Hessian at the current weights.
const SLOW: f64 = 0.5;
/// Features outside are looked at when the conditions of those inside hold to this share of λ, and again at the end.
const FIRST_LOOK: f64 = 1e-2;
/// Precision of the coordinate descent that helps where a step fails, relative to the null deviance; a hundredth of it each time.
const HELP: f64 = 1e-4;

/// A feature that the next step moves, and the penalised gradient that moves it.
type Mover = (usize, f64);

/// What a step must not make worse.
enum Merit {
    /// The objective, while features enter and signs may change.
    Objective(f64),
    /// The violation of the conditions, once the steps only refine.
    Violation,
}

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
        let (mut looked_outside, mut last, mut help) = (false, f64::INFINITY, HELP);
        let mut before: Option<(f64, Vec<f64>, Merit)> = None;
        for _ in 0..ROUNDS {
            s.passes += 1;
            let eta = self.linear_predictor(s);
            if !self.residuals_at(s, &eta) {
                return Ok(false);
            }
            let (mut movers, violation) = self.inside(s, absolute, square);
            let pull = sum(self.simd, &s.residual);
            let violation = violation.max(pull.abs());
            let failed = match &before {
                Some((_, _, Merit::Violation)) => violation > last,
                Some((_, _, Merit::Objective(value))) => self.objective(s, &eta, absolute, square) > value + 1e-13 * value.abs(),
                None => false,
            };
            if let Some((intercept, beta, _)) = before.take().filter(|_| failed) {
                (s.intercept, s.beta) = (intercept, beta);
                let eta = self.linear_predictor(s);
                if !self.residuals_at(s, &eta) || !self.solve_at(s, lambda, lambda, help, max_passes.max(s.passes + 10_000))? {
                    return Ok(false);
                }
                help = (help * 1e-2).max(1e-24);
                factor.clear();
                last = f64::INFINITY;
                continue;
            }
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
            let refining = looked_outside && last.is_finite() && violation <= FIRST_LOOK * lambda;
            let merit = if refining { Merit::Violation } else { Merit::Objective(self.objective(s, &eta, absolute, square)) };
            before = Some((s.intercept, s.beta.clone(), merit));
            last = violation;
            self.step(s, factor, pull, &movers, square);
        }
        Err(SelectionError::NotConverged { operation: "Newton steps of the exact LASSO", iterations: ROUNDS })
    }

    /// Weights and residuals at a linear predictor. False when the fit has become perfect.
    #[inline(always)]
    fn residuals_at(&self, s: &mut State, eta: &[f64]) -> bool {
        match self.family {
            Family::Binomial => self.reweight_at(s, eta),
            Family::Gaussian => {
                for i in 0..self.n {
                    s.residual[i] = ((self.y[i] - self.y_mean) / self.y_scale - eta[i]) / self.n as f64;
                }
                true
            }
        }
    }

    /// The penalised loss.
    fn objective(&self, s: &State, eta: &[f64], absolute: f64, square: f64) -> f64 {
        let loss = match self.family {
            Family::Binomial => {
                eta.iter().zip(self.y).map(|(e, y)| e.max(0.0) + (-e.abs()).exp().ln_1p() - y * e).sum::<f64>() / self.n as f64
            }
            Family::Gaussian => self.loss(eta),
        };
        let penalty = |j: &usize| self.penalty[*j] * (absolute * s.beta[*j].abs() + square * s.beta[*j].powi(2) / 2.0);
        loss + s.entered.iter().map(penalty).sum::<f64>()
    }

    /// Features with a coefficient that is free to move, and the largest violation of their conditions.
    #[inline(always)]
    fn inside(&self, s: &State, absolute: f64, square: f64) -> (Vec<Mover>, f64) {
        let mut largest = 0.0f64;
        let mut movers = Vec::with_capacity(s.entered.len());
        for &j in &s.entered {
            let b = s.beta[j];
            if b == 0.0 {
                continue;
            }
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
        let single = self.gradients_in_single_precision(s);
        let residual_length = dot(self.simd, &s.residual, &s.residual).sqrt();
        let mut found = Vec::new();
        for j in 0..self.p {
            if !self.varies[j] || s.beta[j] != 0.0 {
                continue;
            }
            let bound = self.penalty[j] * absolute;
            let gradient = self.gradient_beyond(s, j, (single[j], residual_length), bound);
            if !s.strong[j] {
                s.gradient[j] = gradient.abs();
            }
            let excess = gradient.abs() - bound;
            let held = if gradient > 0.0 { self.upper[j] == 0.0 } else { self.lower[j] == 0.0 };
            if excess > bar && !held {
                found.push((j, excess.copysign(gradient)));
                if !s.strong[j] {
                    self.join_strong_set(s, j);
                }
            }
        }
        found
    }

    /// A Newton step of the intercept and the movers. A coefficient that would change its sign stops at 0.
    #[inline(always)]
    fn step(&self, s: &mut State, factor: &mut Factor, intercept_pull: f64, movers: &[Mover], square: f64) {
        let features: Vec<usize> = movers.iter().map(|m| m.0).collect();
        factor.fit(self, &s.weight, &features, square);
        let mut pull_of = vec![0.0; self.p];
        movers.iter().for_each(|&(j, pull)| pull_of[j] = pull);
        let mut pull = vec![intercept_pull];
        pull.extend(factor.features.iter().map(|&j| pull_of[j]));
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
