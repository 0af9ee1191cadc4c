//! Solutions that meet their optimality conditions: Newton steps on the features with a coefficient.
//!
//! The Hessian is that of an earlier iterate until the further steps that this costs have cost as much as a Hessian at
//! the current weights; how far a step goes, and how much of the last movement goes with it, is found at the current
//! weights. A step that neither lowers the objective nor the violation of the conditions is taken back; if
//! it failed with a Hessian at its own weights, coordinate descent leads nearer to the solution first.

use alnm_stats::memory::Aligned;
use pulp::Simd;

use super::descent::{Solver, State};
use super::factor::{Factor, Mover};
use super::kernels::{add_scaled, dot, sum};
use super::movement::Movement;
use super::path::OutcomeFamily;
use super::problem::SMALLEST_PROBABILITY;
use crate::error::{Result, SelectionError};

/// Newton steps at one penalty at most.
const ROUNDS: usize = 200;
/// Steps that a penalty may take: one or two to follow λ and one for the features that enter. Further ones are due to an
/// earlier Hessian.
const EXPECTED_STEPS: usize = 3;
/// Steps of a penalty after which a Hessian is built in any case, and again after as many.
const STEPS_OF_A_HESSIAN: usize = 20;
/// Features outside are looked at when the conditions of those inside hold to this share of λ, and again at the end.
const FIRST_LOOK: f64 = 1e-2;
/// Those that were near their penalty are looked at before, when the conditions of those inside hold to this share of λ.
const FIRST_LOOK_NEAR: f64 = 2e-2;
/// Share of its penalty from which on a gradient is near it.
const NEAR: f64 = 0.9;
/// Features enter together with one that violates its condition by more than the bar, if they do by this share of it.
const WITH_OTHERS: f64 = 0.25;
/// PathPrecision of the coordinate descent that helps where a step fails, relative to the null deviance; a hundredth of
/// it each time.
const HELP: f64 = 1e-4;

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
    /// Whether the last step was taken with a Hessian at its own weights.
    was_newton_step: bool,
    /// Multiplications of the steps beyond the expected ones since the Hessian was built.
    further_work: f64,
    /// Whether the linear predictor belongs to the coefficients as they are.
    is_predicted: bool,
    /// Whether the following belong to the coefficients as they are.
    is_current: bool,
    /// The loss, and whether no risk is so close to 0 or 1 that a deviance would hold it back.
    loss: f64,
    is_deviance: bool,
    /// Gradients of the intercept and of the features with a coefficient.
    intercept_gradient: f64,
    gradient: Vec<f64>,
    /// Gradients of the features with a coefficient, in their order.
    gradients_inside: Vec<f64>,
    /// Features without a coefficient whose gradient was near the penalty when all were looked at last.
    near: Vec<usize>,
    /// Features with a coefficient.
    inside: Vec<usize>,
    /// Features that the next step moves.
    movers: Vec<Mover>,
    /// Pulls of the movers, by feature, and of the intercept and the features in the order of the factor.
    pull_of: Vec<f64>,
    pull: Vec<f64>,
    step: Vec<f64>,
    /// What the step changes in the linear predictor, by row.
    direction: Aligned<f64>,
    /// The last step, or what the last penalty has changed.
    movement: Movement,
    /// Coefficients and linear predictor where the penalty began.
    origin: Movement,
    outside: Outside,
}

/// What is known of the gradients of features without a coefficient.
struct Outside {
    /// Bounds on the gradients at a residual, by feature.
    bound: Vec<f64>,
    residual: Vec<f64>,
    /// Features whose bound is near the penalty, and their gradients in single precision.
    candidates: Vec<usize>,
    gradients: Vec<f32>,
}

impl Outside {
    /// Before anything has been looked at. Without a residual there is no gradient.
    fn new(p: usize) -> Self {
        Self { bound: vec![0.0; p], residual: Vec::new(), candidates: Vec::new(), gradients: Vec::new() }
    }
}

impl Newton {
    /// For a problem of `p` features and so many padded rows.
    pub(super) fn new(p: usize, rows: usize) -> Self {
        let gradient = vec![0.0; p];
        Self {
            factor: Factor::new(p),
            was_newton_step: false,
            further_work: 0.0,
            is_predicted: true,
            is_current: false,
            loss: 0.0,
            is_deviance: false,
            intercept_gradient: 0.0,
            gradients_inside: Vec::new(),
            near: Vec::new(),
            inside: Vec::new(),
            movers: Vec::new(),
            pull_of: gradient.clone(),
            pull: Vec::new(),
            step: Vec::new(),
            direction: Aligned::zeros(rows),
            movement: Movement::none(p, rows),
            origin: Movement::none(p, rows),
            outside: Outside::new(p),
            gradient,
        }
    }

    /// The deviance over 2n at the coefficients as they are, where it is known.
    pub(super) fn deviance(&self) -> Option<f64> {
        (self.is_current && self.is_deviance).then_some(self.loss)
    }

    /// The next step is taken with a Hessian at its own weights.
    fn clear_hessian(&mut self) {
        self.factor.clear();
        self.further_work = 0.0;
    }

    /// Whether there are movers beyond the `known` ones that enter now: where the others are settled, they stay outside
    /// unless one is pulled by more than `bar`.
    fn keep_entrants(&mut self, known: usize, bar: f64, settled: bool) -> bool {
        if settled && self.movers[known..].iter().all(|(_, pull)| pull.abs() <= bar) {
            self.movers.truncate(known);
        }
        self.movers.len() > known
    }

    /// Before one more step of a penalty that has taken so many, over n rows: once those beyond the expected ones have
    /// cost as much as a Hessian, the next is built. A step goes twice through the features inside, from the last cache,
    /// and through the factor.
    fn count_step(&mut self, steps: usize, n: usize) {
        if steps < EXPECTED_STEPS {
            return;
        }
        let k = self.inside.len();
        self.further_work += (4 * k * n + 2 * k * k) as f64;
        if self.further_work > self.factor.work(k) || steps.is_multiple_of(STEPS_OF_A_HESSIAN) {
            self.clear_hessian();
        }
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
    /// Solution at one penalty, from that at a larger one, with conditions that hold to `tolerance` · `lambda`. False
    /// when the fit has become perfect.
    #[inline(always)]
    pub(super) fn solve_exactly(
        &self,
        s: &mut State,
        newton: &mut Newton,
        lambda: f64,
        tolerance: f64,
        max_passes: usize,
    ) -> Result<bool> {
        let (absolute, square) = (lambda * self.alpha, lambda * (1.0 - self.alpha));
        let bar = tolerance * lambda;
        let (mut looked_near, mut looked_outside, mut last, mut help) = (false, false, f64::INFINITY, HELP);
        let mut before: Option<Before> = None;
        let mut steps = 0;
        newton.movement.become_change_since(&mut newton.origin, s);
        for _ in 0..ROUNDS {
            s.passes += 1;
            if !newton.is_current && !self.evaluate(s, newton) {
                return Ok(false);
            }
            let violation = self.find_movers(s, newton, absolute, square).max(newton.intercept_gradient.abs());
            let failed = match before.as_ref().map(|before| &before.merit) {
                Some(Merit::Violation) => violation > last,
                Some(Merit::Objective(value)) => {
                    self.objective(s, newton, absolute, square) > value + 1e-13 * value.abs()
                }
                None => false,
            };
            if let Some(before) = before.take().filter(|_| failed) {
                before.restore(s);
                (newton.is_predicted, newton.is_current) = (false, false);
                newton.clear_hessian();
                last = f64::INFINITY;
                if !newton.was_newton_step {
                    continue;
                }
                self.enter_strong_set(s);
                if !self.evaluate(s, newton)
                    || !self.solve_at(s, lambda, lambda, help, max_passes.max(s.passes + 10_000))?
                {
                    return Ok(false);
                }
                newton.is_current = false;
                help = (help * 1e-2).max(1e-24);
                continue;
            }
            let settled = violation <= bar;
            let look_outside = settled || (!looked_outside && violation <= FIRST_LOOK * lambda);
            if look_outside || (!looked_near && violation <= FIRST_LOOK_NEAR * lambda) {
                looked_near = true;
                looked_outside |= look_outside;
                let someone_enters = self.find_near_entrants(s, newton, absolute, bar, settled)
                    || (look_outside && self.find_entrants(s, newton, absolute, bar, settled));
                if settled && !someone_enters {
                    return Ok(true);
                }
                if someone_enters {
                    last = f64::INFINITY;
                }
            }
            newton.count_step(steps, self.n);
            let refining = looked_outside && last.is_finite() && violation <= FIRST_LOOK * lambda;
            let merit =
                if refining { Merit::Violation } else { Merit::Objective(self.objective(s, newton, absolute, square)) };
            before =
                Some(Before { intercept: s.intercept, beta: s.entered.iter().map(|&j| s.beta[j]).collect(), merit });
            last = violation;
            steps += 1;
            self.step(s, newton, square);
        }
        Err(SelectionError::NotConverged { operation: "Newton steps of the exact LASSO", iterations: ROUNDS })
    }

    /// Linear predictor, residuals, weights, loss and gradients at the coefficients. False when the fit has become
    /// perfect.
    #[inline(always)]
    fn evaluate(&self, s: &mut State, newton: &mut Newton) -> bool {
        if !newton.is_predicted {
            self.update_linear_predictor(s);
            newton.is_predicted = true;
        }
        newton.loss = match self.family {
            OutcomeFamily::Binomial => {
                let furthest = s.eta[..self.n].iter().fold(0.0, |furthest: f64, eta| furthest.max(eta.abs()));
                newton.is_deviance = furthest < (1.0 / SMALLEST_PROBABILITY - 1.0).ln();
                match self.reweight_with_loss(s) {
                    Some(loss) => loss,
                    None => return false,
                }
            }
            OutcomeFamily::Gaussian => {
                for i in 0..self.n {
                    s.residual[i] = ((self.y[i] - self.y_mean) / self.y_scale - s.eta[i]) / self.n as f64;
                }
                newton.is_deviance = true;
                self.loss(&s.eta)
            }
        };
        newton.intercept_gradient = sum(self.simd, &s.residual);
        newton.inside.clear();
        newton.inside.extend(s.entered.iter().filter(|&&j| s.beta[j] != 0.0));
        self.gradients(s, &newton.inside, &mut newton.gradients_inside);
        for (&j, gradient) in newton.inside.iter().zip(&newton.gradients_inside) {
            newton.gradient[j] = *gradient;
        }
        newton.is_current = true;
        true
    }

    /// As [`Solver::reweight`] of a logistic model, with its −ℓ/n from the same exponentials; `None` when the fit has
    /// become perfect.
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
            let (risk, other) =
                if eta >= 0.0 { (larger_risk, smaller * larger_risk) } else { (smaller * larger_risk, larger_risk) };
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

    /// Makes those features movers that have a coefficient and are free to move; returns the largest violation of their
    /// conditions.
    #[inline(always)]
    fn find_movers(&self, s: &State, newton: &mut Newton, absolute: f64, square: f64) -> f64 {
        let mut largest = 0.0f64;
        newton.movers.clear();
        for &j in &newton.inside {
            let b = s.beta[j];
            let pull = newton.gradient[j] - self.penalty[j] * (absolute.copysign(b) + square * b);
            let held = (b == self.upper[j] && pull > 0.0) || (b == self.lower[j] && pull < 0.0);
            if !held {
                largest = largest.max(pull.abs());
                newton.movers.push((j, pull));
            }
        }
        largest
    }

    /// Makes those features movers that have no coefficient and a gradient that exceeds the penalty, among those that
    /// came near it when all were looked at last; returns whether there are any. Where the conditions of the features
    /// inside are `settled`, one at least must exceed it by more than `bar`.
    #[inline(always)]
    fn find_near_entrants(&self, s: &State, newton: &mut Newton, absolute: f64, bar: f64, settled: bool) -> bool {
        let known = newton.movers.len();
        // Loops, since what an iterator collects by is not always inlined, and then has no vector instructions.
        for &j in &newton.near {
            newton.movers.extend(self.entrant(s, j, absolute, WITH_OTHERS * bar));
        }
        newton.keep_entrants(known, bar, settled)
    }

    /// As [`Solver::find_near_entrants`], among all.
    #[inline(always)]
    fn find_entrants(&self, s: &State, newton: &mut Newton, absolute: f64, bar: f64, settled: bool) -> bool {
        let known = newton.movers.len();
        self.find_candidates(s, &mut newton.outside, absolute);
        let Outside { bound, candidates, gradients, .. } = &mut newton.outside;
        self.gradients_in_single_precision(s, candidates, gradients);
        let residual_length = dot(self.simd, &s.residual, &s.residual).sqrt();
        newton.near.clear();
        for (&j, gradient) in candidates.iter().zip(gradients.iter()) {
            bound[j] = f64::from(gradient.abs()) + self.single_precision_error(j, residual_length);
            if bound[j] > NEAR * self.penalty[j] * absolute {
                newton.near.push(j);
                if bound[j] > self.penalty[j] * absolute {
                    newton.movers.extend(self.entrant(s, j, absolute, WITH_OTHERS * bar));
                }
            }
        }
        newton.keep_entrants(known, bar, settled)
    }

    /// Features without a coefficient whose gradient may be near the penalty: with the residual c·r + e, where it was r
    /// when the gradient g was bounded, the gradient is at most |c g| + ‖x‖ ‖e‖.
    #[inline(always)]
    fn find_candidates(&self, s: &State, outside: &mut Outside, absolute: f64) {
        let Outside { bound, residual, candidates, .. } = outside;
        residual.resize(s.residual.len(), 0.0);
        let square = dot(self.simd, residual, residual);
        let share = if square > 0.0 { dot(self.simd, residual, &s.residual) / square } else { 0.0 };
        let mut rest = 0.0;
        for (before, now) in residual.iter_mut().zip(s.residual.iter()) {
            rest += (now - share * *before).powi(2);
            *before = *now;
        }
        let (share, rest) = (share.abs(), rest.sqrt());
        for (bound, length) in bound.iter_mut().zip(&self.length) {
            *bound = share * *bound + rest * length;
        }
        // Every feature is written and only those to be kept are counted, since no processor can guess which they are.
        candidates.resize(self.p, 0);
        let mut count = 0;
        for ((j, bound), (penalty, beta)) in bound.iter().enumerate().zip(self.penalty.iter().zip(&s.beta)) {
            candidates[count] = j;
            count += usize::from((*bound > NEAR * absolute * penalty) & (*beta == 0.0));
        }
        candidates.truncate(count);
    }

    /// A feature without a coefficient and what pulls it, if it pulls by more than `least`.
    #[inline(always)]
    fn entrant(&self, s: &State, j: usize, absolute: f64, least: f64) -> Option<Mover> {
        if s.beta[j] != 0.0 {
            return None;
        }
        let gradient = dot(self.simd, &s.residual, self.column(j));
        let excess = gradient.abs() - self.penalty[j] * absolute;
        let held = if gradient > 0.0 { self.upper[j] == 0.0 } else { self.lower[j] == 0.0 };
        (excess > least && !held).then(|| (j, excess.copysign(gradient)))
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

    /// A step of the intercept and the movers: the best in the plane of the Newton step, whose Hessian is perhaps that of
    /// an earlier iterate, and of the last movement. A coefficient that would change its sign stops at 0.
    #[inline(always)]
    fn step(&self, s: &mut State, newton: &mut Newton, square: f64) {
        newton.was_newton_step = newton.factor.is_clear();
        let Newton { factor, movers, pull_of, pull, step, direction, movement, .. } = newton;
        factor.fit(self, &s.weight, movers, square);
        movers.iter().for_each(|&(j, pull)| pull_of[j] = pull);
        pull.clear();
        pull.push(newton.intercept_gradient);
        pull.extend(factor.features.iter().map(|&j| pull_of[j]));
        factor.solve(self.simd, pull, step);
        self.combine(step[0], &factor.features, &step[1..=factor.features.len()], direction);
        movement.keep(self, s, |j| factor.has(j));
        let plane = movement.plane(self, s, &factor.features, [pull, step], direction, square);
        movement.turn(plane, step[0], direction);
        s.intercept += movement.intercept;
        for ((&j, d), pull) in factor.features.iter().zip(&step[1..]).zip(&pull[1..]) {
            let sign = if s.beta[j] == 0.0 { pull.signum() } else { s.beta[j].signum() };
            let change = plane[0] * d + plane[1] * movement.change[j];
            let wanted = s.beta[j] + change;
            let held = wanted.clamp(self.lower[j], self.upper[j]);
            let new = if held * sign < 0.0 { 0.0 } else { held };
            movement.change[j] = new - s.beta[j];
            if new != wanted {
                add_scaled(self.simd, &mut movement.predictor, movement.change[j] - change, self.column(j));
            }
            s.beta[j] = new;
            s.enter(j);
        }
        add_scaled(self.simd, &mut s.eta, 1.0, &movement.predictor);
        // With each Hessian roundings are forgotten that add up from step to step.
        (newton.is_predicted, newton.is_current) = (!newton.was_newton_step, false);
    }
}
