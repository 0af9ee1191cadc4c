//! Solutions that meet their optimality conditions: Newton steps on the features with a coefficient.
//!
//! The Hessian is that of an earlier iterate as long as its steps converge well. A step that neither lowers the objective nor the violation
//! of the conditions is taken back, and coordinate descent leads nearer to the solution first.

use super::descent::{Solver, State};
use super::factor::Factor;
use super::kernels::{dot, sum};
use super::path::Family;
use super::problem::SMALLEST_PROBABILITY;
use crate::error::{Result, SelectionError};
use pulp::Simd;

/// Newton steps at one penalty at most.
const ROUNDS: usize = 200;
/// A step that leaves more than this share of the violation calls for a Hessian at the current weights.
const SLOW: f64 = 0.7;
/// Features outside are looked at when the conditions of those inside hold to this share of λ, and again at the end.
const FIRST_LOOK: f64 = 1e-2;
/// Share of its penalty from which on a gradient is near it.
const NEAR: f64 = 0.9;
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

/// What is kept from one step to the next, and from one penalty to the next.
pub(super) struct Newton {
    factor: Factor,
    /// Whether the following belong to the coefficients as they are.
    is_current: bool,
    /// The loss, and whether no risk is so close to 0 or 1 that a deviance would hold it back.
    loss: f64,
    is_deviance: bool,
    /// Gradients of the intercept and of the features with a coefficient.
    intercept_gradient: f64,
    gradient: Vec<f64>,
    /// Features without a coefficient whose gradient was near the penalty when all were looked at last.
    near: Vec<usize>,
    /// Pulls of the movers, by feature.
    pull: Vec<f64>,
}

impl Newton {
    /// For a problem of `p` features.
    pub(super) fn new(p: usize) -> Self {
        let gradient = vec![0.0; p];
        Self {
            factor: Factor::new(p),
            is_current: false,
            loss: 0.0,
            is_deviance: false,
            intercept_gradient: 0.0,
            near: Vec::new(),
            pull: gradient.clone(),
            gradient,
        }
    }

    /// The deviance over 2n at the coefficients as they are, where it is known.
    pub(super) fn deviance(&self) -> Option<f64> {
        (self.is_current && self.is_deviance).then_some(self.loss)
    }
}

/// Coefficients to come back to when a step fails.
struct Before {
    intercept: f64,
    /// Of the features that had entered, in the order of entry.
    beta: Vec<f64>,
    merit: Merit,
}

impl Before {
    fn restore(self, s: &mut State) {
        s.intercept = self.intercept;
        for (k, &j) in s.entered.iter().enumerate() {
            s.beta[j] = self.beta.get(k).copied().unwrap_or(0.0);
        }
    }
}

impl<S: Simd> Solver<'_, '_, S> {
    /// Solution at one penalty, from that at a larger one, with conditions that hold to `tolerance` · `lambda`. False when the fit has
    /// become perfect.
    #[inline(always)]
    pub(super) fn solve_exactly(&self, s: &mut State, newton: &mut Newton, lambda: f64, tolerance: f64, max_passes: usize) -> Result<bool> {
        let (absolute, square) = (lambda * self.alpha, lambda * (1.0 - self.alpha));
        let bar = tolerance * lambda;
        let (mut looked_outside, mut last, mut help) = (false, f64::INFINITY, HELP);
        let mut before: Option<Before> = None;
        for _ in 0..ROUNDS {
            s.passes += 1;
            if !newton.is_current && !self.evaluate(s, newton) {
                return Ok(false);
            }
            let (mut movers, violation) = self.inside(s, newton, absolute, square);
            let violation = violation.max(newton.intercept_gradient.abs());
            let failed = match before.as_ref().map(|before| &before.merit) {
                Some(Merit::Violation) => violation > last,
                Some(Merit::Objective(value)) => self.objective(s, newton, absolute, square) > value + 1e-13 * value.abs(),
                None => false,
            };
            if let Some(before) = before.take().filter(|_| failed) {
                before.restore(s);
                newton.is_current = false;
                newton.factor.clear();
                self.enter_strong_set(s);
                if !self.evaluate(s, newton) || !self.solve_at(s, lambda, lambda, help, max_passes.max(s.passes + 10_000))? {
                    return Ok(false);
                }
                newton.is_current = false;
                help = (help * 1e-2).max(1e-24);
                last = f64::INFINITY;
                continue;
            }
            if violation <= bar || (!looked_outside && violation <= FIRST_LOOK * lambda) {
                looked_outside = true;
                let entering = self.entering(s, newton, absolute, bar);
                if violation <= bar && entering.is_empty() {
                    return Ok(true);
                }
                if !entering.is_empty() {
                    last = f64::INFINITY;
                    movers.extend(entering);
                }
            }
            if violation > SLOW * last {
                newton.factor.clear();
            }
            let refining = looked_outside && last.is_finite() && violation <= FIRST_LOOK * lambda;
            let merit = if refining { Merit::Violation } else { Merit::Objective(self.objective(s, newton, absolute, square)) };
            before = Some(Before { intercept: s.intercept, beta: s.entered.iter().map(|&j| s.beta[j]).collect(), merit });
            last = violation;
            self.step(s, newton, &movers, square);
        }
        Err(SelectionError::NotConverged { operation: "Newton steps of the exact LASSO", iterations: ROUNDS })
    }

    /// Linear predictor, residuals, weights, loss and gradients at the coefficients. False when the fit has become perfect.
    #[inline(always)]
    fn evaluate(&self, s: &mut State, newton: &mut Newton) -> bool {
        self.update_linear_predictor(s);
        newton.loss = match self.family {
            Family::Binomial => {
                let furthest = s.eta[..self.n].iter().fold(0.0, |furthest: f64, eta| furthest.max(eta.abs()));
                newton.is_deviance = furthest < (1.0 / SMALLEST_PROBABILITY - 1.0).ln();
                match self.reweight_with_loss(s) {
                    Some(loss) => loss,
                    None => return false,
                }
            }
            Family::Gaussian => {
                for i in 0..self.n {
                    s.residual[i] = ((self.y[i] - self.y_mean) / self.y_scale - s.eta[i]) / self.n as f64;
                }
                newton.is_deviance = true;
                self.loss(&s.eta)
            }
        };
        newton.intercept_gradient = sum(self.simd, &s.residual);
        for &j in &s.entered {
            if s.beta[j] != 0.0 {
                newton.gradient[j] = dot(self.simd, &s.residual, self.column(j));
            }
        }
        newton.is_current = true;
        true
    }

    /// As [`Solver::reweight`] of a logistic model, with its −ℓ/n from the same exponentials; `None` when the fit has become perfect.
    #[inline(always)]
    fn reweight_with_loss(&self, s: &mut State) -> Option<f64> {
        /// Numbers between 1 and 2 whose product is at most 2⁵¹²; the logarithms of many are that of their product.
        const TOGETHER: usize = 512;
        let w = 1.0 / self.n as f64;
        let (mut loss, mut product) = (0.0, 1.0);
        s.weight_sum = 0.0;
        for i in 0..self.n {
            let (eta, y) = (s.eta[i], self.y[i]);
            let smaller = (-eta.abs()).exp();
            let larger_risk = 1.0 / (1.0 + smaller);
            let (risk, other) = if eta >= 0.0 { (larger_risk, smaller * larger_risk) } else { (smaller * larger_risk, larger_risk) };
            s.weight[i] = w * risk * other;
            s.weight_sum += s.weight[i];
            s.residual[i] = w * if y == 1.0 { other } else { y - risk };
            loss += eta.max(0.0) - y * eta;
            product *= 1.0 + smaller;
            if (i + 1).is_multiple_of(TOGETHER) {
                loss += f64::ln(product);
                product = 1.0;
            }
        }
        self.has_weight(s).then(|| (loss + product.ln()) * w)
    }

    /// The penalised loss.
    fn objective(&self, s: &State, newton: &Newton, absolute: f64, square: f64) -> f64 {
        let penalty = |j: &usize| self.penalty[*j] * (absolute * s.beta[*j].abs() + square * s.beta[*j].powi(2) / 2.0);
        newton.loss + s.entered.iter().map(penalty).sum::<f64>()
    }

    /// Features with a coefficient that is free to move, and the largest violation of their conditions.
    #[inline(always)]
    fn inside(&self, s: &State, newton: &Newton, absolute: f64, square: f64) -> (Vec<Mover>, f64) {
        let mut largest = 0.0f64;
        let mut movers = Vec::with_capacity(s.entered.len());
        for &j in &s.entered {
            let b = s.beta[j];
            if b == 0.0 {
                continue;
            }
            let pull = newton.gradient[j] - self.penalty[j] * (absolute.copysign(b) + square * b);
            let held = (b == self.upper[j] && pull > 0.0) || (b == self.lower[j] && pull < 0.0);
            if !held {
                largest = largest.max(pull.abs());
                movers.push((j, pull));
            }
        }
        (movers, largest)
    }

    /// Features without a coefficient whose gradient exceeds the penalty by more than `bar`. Those that came near it when all were looked at
    /// last are looked at first, and all only if there is none among them.
    #[inline(always)]
    fn entering(&self, s: &State, newton: &mut Newton, absolute: f64, bar: f64) -> Vec<Mover> {
        // Loops, since what an iterator collects by is not always inlined, and then has no vector instructions.
        let mut found = Vec::new();
        for &j in &newton.near {
            found.extend(self.entrant(s, j, absolute, bar));
        }
        if !found.is_empty() {
            return found;
        }
        let single = self.gradients_in_single_precision(s);
        let residual_length = dot(self.simd, &s.residual, &s.residual).sqrt();
        newton.near.clear();
        for (j, single) in single.into_iter().enumerate() {
            let highest = f64::from(single.abs()) + self.single_precision_error(j, residual_length);
            let bound = self.penalty[j] * absolute;
            if highest > NEAR * bound && s.beta[j] == 0.0 && self.varies[j] {
                newton.near.push(j);
                if highest > bound {
                    found.extend(self.entrant(s, j, absolute, bar));
                }
            }
        }
        found
    }

    /// A feature without a coefficient and what pulls it, if it has to enter.
    #[inline(always)]
    fn entrant(&self, s: &State, j: usize, absolute: f64, bar: f64) -> Option<Mover> {
        if s.beta[j] != 0.0 {
            return None;
        }
        let gradient = dot(self.simd, &s.residual, self.column(j));
        let excess = gradient.abs() - self.penalty[j] * absolute;
        let held = if gradient > 0.0 { self.upper[j] == 0.0 } else { self.lower[j] == 0.0 };
        (excess > bar && !held).then(|| (j, excess.copysign(gradient)))
    }

    /// The features that have entered belong to the strong set, which coordinate descent goes through.
    #[inline(always)]
    fn enter_strong_set(&self, s: &mut State) {
        for k in 0..s.entered.len() {
            if !s.strong[s.entered[k]] {
                self.join_strong_set(s, s.entered[k]);
            }
        }
    }

    /// A Newton step of the intercept and the movers. A coefficient that would change its sign stops at 0.
    #[inline(always)]
    fn step(&self, s: &mut State, newton: &mut Newton, movers: &[Mover], square: f64) {
        let Newton { factor, pull: pull_of, .. } = newton;
        let features: Vec<usize> = movers.iter().map(|m| m.0).collect();
        factor.fit(self, &s.weight, &features, square);
        movers.iter().for_each(|&(j, pull)| pull_of[j] = pull);
        let pull: Vec<f64> = std::iter::once(newton.intercept_gradient).chain(factor.features.iter().map(|&j| pull_of[j])).collect();
        let step = factor.solve(self.simd, &pull);
        // What mostly happens to the weights since the Hessian was built is that all of them become smaller.
        let longer = factor.weight_sum() / s.weight_sum;
        s.intercept += longer * step[0];
        for ((&j, d), pull) in factor.features.iter().zip(&step[1..]).zip(&pull[1..]) {
            let sign = if s.beta[j] == 0.0 { pull.signum() } else { s.beta[j].signum() };
            let new = (s.beta[j] + longer * d).clamp(self.lower[j], self.upper[j]);
            s.beta[j] = if new * sign < 0.0 { 0.0 } else { new };
            s.enter(j);
        }
        newton.is_current = false;
    }
}
