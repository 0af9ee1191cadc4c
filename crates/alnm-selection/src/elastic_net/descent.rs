//! Coordinate descent at one penalty, in glmnet's order of steps.

use alnm_stats::memory::Aligned;
use pulp::Simd;
use rayon::prelude::*;

use super::kernels::{
    Vectorised, add_four_scaled, add_scaled, add_scaled_product, add_scaled_product_then_dot, add_scaled_then_dot, dot,
    dot_four, dot_four_single, sum, weighted_square,
};
use super::path::OutcomeFamily;
use super::problem::{PARALLEL_WORK, Problem, SMALLEST_PROBABILITY};
use crate::error::{Result, SelectionError};

/// Features whose gradients a thread finds at once; a multiple of four.
const FEATURES_OF_A_THREAD: usize = 128;
/// Rows whose linear predictors a thread finds at once; a multiple of the padding.
const ROWS_OF_A_THREAD: usize = 1024;

/// What is iterated along the path, on the scale of the problem. Vectors over rows are padded with zeros.
pub(super) struct State {
    pub(super) intercept: f64,
    pub(super) beta: Vec<f64>,
    /// Features that ever entered, in the order of entry.
    pub(super) entered: Vec<usize>,
    has_entered: Vec<bool>,
    /// Linear predictor.
    pub(super) eta: Aligned<f64>,
    /// Working residual w(y − μ).
    pub(super) residual: Aligned<f64>,
    /// Working weights and their sum.
    pub(super) weight: Aligned<f64>,
    pub(super) weight_sum: f64,
    /// Σ v x² of each feature.
    pub(super) curvature: Vec<f64>,
    /// |xᵀ residual| of features outside the strong set.
    pub(super) gradient: Vec<f64>,
    /// Features that passed the strong rule.
    pub(super) strong: Vec<bool>,
    pub(super) passes: usize,
}

impl State {
    /// A feature enters, if it has not before.
    #[inline(always)]
    pub(super) fn enter(&mut self, j: usize) {
        if !self.has_entered[j] {
            self.has_entered[j] = true;
            self.entered.push(j);
        }
    }
}

/// The problem with the vector instructions to solve it with.
pub(super) struct Solver<'p, 'a, S> {
    pub(super) problem: &'p Problem<'a>,
    pub(super) simd: S,
}

impl<'a, S> std::ops::Deref for Solver<'_, 'a, S> {
    type Target = Problem<'a>;

    fn deref(&self) -> &Problem<'a> {
        self.problem
    }
}

impl<S: Simd> Solver<'_, '_, S> {
    /// The state without any feature.
    #[inline(always)]
    pub(super) fn start(&self) -> State {
        let w = 1.0 / self.n as f64;
        let mut residual = Aligned::<f64>::zeros(self.padded_rows());
        let (intercept, v) = match self.family {
            OutcomeFamily::Binomial => {
                let q = self.y.iter().sum::<f64>() * w;
                residual.iter_mut().zip(self.y).for_each(|(r, y)| *r = w * (y - q));
                ((q / (1.0 - q)).ln(), q * (1.0 - q))
            }
            OutcomeFamily::Gaussian => {
                residual.iter_mut().zip(self.y).for_each(|(r, y)| *r = w * (y - self.y_mean) / self.y_scale);
                (0.0, 1.0)
            }
        };
        let mut weight = Aligned::<f64>::zeros(self.padded_rows());
        weight[..self.n].fill(v * w);
        let mut eta = Aligned::<f64>::zeros(self.padded_rows());
        eta.fill(intercept);
        let mut state = State {
            intercept,
            beta: vec![0.0; self.p],
            entered: Vec::new(),
            has_entered: vec![false; self.p],
            eta,
            residual,
            weight_sum: v,
            weight,
            curvature: vec![0.0; self.p],
            gradient: vec![0.0; self.p],
            strong: vec![false; self.p],
            passes: 0,
        };
        let State { gradient, curvature, residual, weight, .. } = &mut state;
        let of_feature = |(j, (gradient, curvature)): (usize, (&mut f64, &mut f64))| {
            if self.varies[j] {
                self.simd.vectorize(Vectorised(
                    #[inline(always)]
                    || {
                        *gradient = dot(self.simd, residual, self.column(j)).abs();
                        *curvature = weighted_square(self.simd, weight, self.column(j));
                    },
                ));
            }
        };
        if self.p * self.padded_rows() >= PARALLEL_WORK {
            gradient.par_iter_mut().zip(curvature.par_iter_mut()).enumerate().with_min_len(64).for_each(of_feature);
        } else {
            gradient.iter_mut().zip(curvature.iter_mut()).enumerate().for_each(of_feature);
        }
        state
    }

    /// Largest penalty on the scale of the problem: the smallest that leaves every penalised feature out.
    pub(super) fn largest_penalty(&self, state: &State) -> f64 {
        let largest = (0..self.p)
            .filter(|&j| self.varies[j] && self.penalty[j] > 0.0)
            .map(|j| state.gradient[j] / self.penalty[j])
            .fold(0.0, f64::max);
        largest / self.alpha.max(1e-3)
    }

    /// Updates of the features one after the other; returns the largest weighted squared change. The residual is
    /// brought up to date in the pass over the rows that finds the gradient of the next feature.
    #[inline(always)]
    fn update_all(&self, s: &mut State, features: &[usize], absolute: f64, square: f64) -> f64 {
        let mut largest = 0.0f64;
        let Some(&first) = features.first() else {
            return largest;
        };
        let mut correlation = dot(self.simd, &s.residual, self.column(first));
        for (k, &j) in features.iter().enumerate() {
            let change = self.update(s, j, correlation, absolute, square);
            let next = features.get(k + 1).map(|&next| self.column(next));
            if change == 0.0 {
                if let Some(next) = next {
                    correlation = dot(self.simd, &s.residual, next);
                }
                continue;
            }
            largest = largest.max(s.curvature[j] * change * change);
            let x = self.column(j);
            match (self.family, next) {
                (OutcomeFamily::Binomial, Some(next)) => {
                    let columns = [&*s.weight, x];
                    correlation = add_scaled_product_then_dot(self.simd, &mut s.residual, -change, columns, next);
                }
                (OutcomeFamily::Binomial, None) => {
                    add_scaled_product(self.simd, &mut s.residual, -change, &s.weight, x);
                }
                // All weights are equal.
                (OutcomeFamily::Gaussian, Some(next)) => {
                    let scale = -change * s.weight[0];
                    correlation = add_scaled_then_dot(self.simd, &mut s.residual, scale, x, next);
                }
                (OutcomeFamily::Gaussian, None) => {
                    add_scaled(self.simd, &mut s.residual, -change * s.weight[0], x);
                }
            }
        }
        largest
    }

    /// The coefficient that suits a feature whose product with the residual is `correlation`; returns its change.
    #[inline(always)]
    fn update(&self, s: &mut State, j: usize, correlation: f64, absolute: f64, square: f64) -> f64 {
        let old = s.beta[j];
        let gradient = correlation + s.curvature[j] * old;
        let excess = gradient.abs() - self.penalty[j] * absolute;
        let new = if excess <= 0.0 {
            0.0
        } else {
            (excess.copysign(gradient) / (s.curvature[j] + self.penalty[j] * square))
                .clamp(self.lower[j], self.upper[j])
        };
        if new != old {
            s.beta[j] = new;
            s.enter(j);
        }
        new - old
    }

    #[inline(always)]
    fn update_intercept(&self, s: &mut State) -> f64 {
        let change = sum(self.simd, &s.residual) / s.weight_sum;
        if change == 0.0 {
            return 0.0;
        }
        s.intercept += change;
        add_scaled(self.simd, &mut s.residual, -change, &s.weight);
        s.weight_sum * change * change
    }

    /// Coordinate descent at the current weights: full passes over the strong set, then passes over the entered
    /// features until they rest.
    #[inline(always)]
    fn descend(&self, s: &mut State, absolute: f64, square: f64, rest: f64, max_passes: usize) -> Result<()> {
        let strong: Vec<usize> = (0..self.p).filter(|&j| s.strong[j]).collect();
        let mut entered = Vec::new();
        loop {
            s.passes += 1;
            let largest = self.update_all(s, &strong, absolute, square).max(self.update_intercept(s));
            if largest < rest {
                return Ok(());
            }
            entered.clone_from(&s.entered);
            loop {
                if s.passes > max_passes {
                    return Err(SelectionError::NotConverged {
                        operation: "coordinate descent",
                        iterations: max_passes,
                    });
                }
                s.passes += 1;
                let largest = self.update_all(s, &entered, absolute, square).max(self.update_intercept(s));
                if largest < rest {
                    break;
                }
            }
        }
    }

    /// The linear predictor of the current coefficients, on the scale of the problem.
    #[inline(always)]
    pub(super) fn update_linear_predictor(&self, s: &mut State) {
        let inside: Vec<usize> = s.entered.iter().copied().filter(|&j| s.beta[j] != 0.0).collect();
        let coefficients: Vec<f64> = inside.iter().map(|&j| s.beta[j]).collect();
        self.combine(s.intercept, &inside, &coefficients, &mut s.eta);
    }

    /// The intercept and the features times their coefficients, by row.
    #[inline(always)]
    pub(super) fn combine(&self, intercept: f64, features: &[usize], coefficients: &[f64], sum: &mut [f64]) {
        let of_rows = |(start, sum): (usize, &mut [f64])| {
            let rows = start..start + sum.len();
            self.simd.vectorize(Vectorised(
                #[inline(always)]
                || {
                    sum.fill(intercept);
                    for (four, given) in features.chunks(4).zip(coefficients.chunks(4)) {
                        // The last of them are fewer than four, perhaps: the last once more, times zero.
                        let mut coefficients = [0.0; 4];
                        coefficients[..given.len()].copy_from_slice(given);
                        let [a, b, c, d] = self.four_columns(four);
                        let columns = [&a[rows.clone()], &b[rows.clone()], &c[rows.clone()], &d[rows.clone()]];
                        add_four_scaled(self.simd, sum, coefficients, columns);
                    }
                },
            ));
        };
        if features.len() * sum.len() >= PARALLEL_WORK {
            let some = sum.par_chunks_mut(ROWS_OF_A_THREAD).enumerate();
            some.for_each(|(chunk, sum)| of_rows((chunk * ROWS_OF_A_THREAD, sum)));
        } else {
            of_rows((0, sum));
        }
    }

    /// xᵀ residual of the features, in their order.
    #[inline(always)]
    pub(super) fn gradients(&self, s: &State, features: &[usize], gradients: &mut Vec<f64>) {
        self.in_fours(
            features,
            gradients,
            #[inline(always)]
            |four| dot_four(self.simd, &s.residual, self.four_columns(four)),
        );
    }

    /// A number for each of the features, in their order, of which `of_four` finds four at once.
    #[inline(always)]
    fn in_fours<T: Copy + Default + Send>(
        &self,
        features: &[usize],
        numbers: &mut Vec<T>,
        of_four: impl Fn(&[usize]) -> [T; 4] + Sync,
    ) {
        numbers.resize(features.len().next_multiple_of(4), T::default());
        let of_some = |(features, numbers): (&[usize], &mut [T])| {
            self.simd.vectorize(Vectorised(
                #[inline(always)]
                || {
                    for (four, numbers) in features.chunks(4).zip(numbers.as_chunks_mut::<4>().0) {
                        *numbers = of_four(four);
                    }
                },
            ));
        };
        if features.len() * self.padded_rows() >= PARALLEL_WORK {
            let some = features.par_chunks(FEATURES_OF_A_THREAD).zip(numbers.par_chunks_mut(FEATURES_OF_A_THREAD));
            some.for_each(of_some);
        } else {
            of_some((features, numbers));
        }
    }

    /// New weights and residuals at the linear predictor. False when the fit has become perfect.
    #[inline(always)]
    pub(super) fn reweight(&self, s: &mut State) -> bool {
        let w = 1.0 / self.n as f64;
        let limit = (1.0 / SMALLEST_PROBABILITY - 1.0).ln();
        s.weight_sum = 0.0;
        for i in 0..self.n {
            let eta = s.eta[i];
            let q = if eta < -limit {
                0.0
            } else if eta > limit {
                1.0
            } else {
                1.0 / (1.0 + (-eta).exp())
            };
            s.weight[i] = w * q * (1.0 - q);
            s.weight_sum += s.weight[i];
            s.residual[i] = w * (self.y[i] - q);
        }
        self.has_weight(s)
    }

    /// Whether the fit is not perfect yet.
    pub(super) fn has_weight(&self, s: &State) -> bool {
        s.weight_sum > (1.0 + SMALLEST_PROBABILITY) * SMALLEST_PROBABILITY * (1.0 - SMALLEST_PROBABILITY)
    }

    /// Features outside the strong set that violate their optimality condition join it.
    #[inline(always)]
    pub(super) fn add_violators(&self, s: &mut State, absolute: f64) -> bool {
        let mut found = false;
        let outside: Vec<usize> = (0..self.p).filter(|&j| self.varies[j] && !s.strong[j]).collect();
        let mut gradients = Vec::new();
        self.gradients_in_single_precision(s, &outside, &mut gradients);
        let residual_length = dot(self.simd, &s.residual, &s.residual).sqrt();
        for (&j, &gradient) in outside.iter().zip(&gradients) {
            s.gradient[j] = self.gradient_beyond(s, j, (gradient, residual_length), absolute * self.penalty[j]).abs();
            if s.gradient[j] > absolute * self.penalty[j] {
                self.join_strong_set(s, j);
                found = true;
            }
        }
        found
    }

    /// xᵀ residual of the features in single precision, in their order.
    #[inline(always)]
    pub(super) fn gradients_in_single_precision(&self, s: &State, features: &[usize], gradients: &mut Vec<f32>) {
        let mut residual = Aligned::<f32>::zeros(s.residual.len());
        for (single, r) in residual.iter_mut().zip(s.residual.iter()) {
            *single = *r as f32;
        }
        self.in_fours(
            features,
            gradients,
            #[inline(always)]
            |four| dot_four_single(self.simd, &residual, self.four_columns_single(four)),
        );
    }

    /// The gradient of a feature: as it was found in single precision if that is surely within `bound`, otherwise in
    /// double precision.
    #[inline(always)]
    pub(super) fn gradient_beyond(
        &self,
        s: &State,
        j: usize,
        (single, residual_length): (f32, f64),
        bound: f64,
    ) -> f64 {
        let single = f64::from(single);
        if single.abs() + self.single_precision_error(j, residual_length) <= bound {
            single
        } else {
            dot(self.simd, &s.residual, self.column(j))
        }
    }

    /// Features that pass the sequential strong rule join the strong set.
    #[inline(always)]
    pub(super) fn screen(&self, s: &mut State, lambda: f64, previous: f64) {
        let bound = self.alpha * (2.0 * lambda - previous);
        for j in 0..self.p {
            if !s.strong[j] && self.varies[j] && s.gradient[j] > bound * self.penalty[j] {
                self.join_strong_set(s, j);
            }
        }
    }

    #[inline(always)]
    pub(super) fn join_strong_set(&self, s: &mut State, j: usize) {
        s.strong[j] = true;
        s.curvature[j] = weighted_square(self.simd, &s.weight, self.column(j));
    }

    /// Solution at one penalty, from the previous one. False when the fit has become perfect.
    #[inline(always)]
    pub(super) fn solve_at(
        &self,
        s: &mut State,
        lambda: f64,
        previous: f64,
        threshold: f64,
        max_passes: usize,
    ) -> Result<bool> {
        let (absolute, square) = (lambda * self.alpha, lambda * (1.0 - self.alpha));
        self.screen(s, lambda, previous);
        let rest = match self.family {
            OutcomeFamily::Binomial => threshold * self.null_loss,
            OutcomeFamily::Gaussian => threshold,
        };
        loop {
            if self.family == OutcomeFamily::Binomial {
                self.refresh_curvature(s);
            }
            let before: Vec<(usize, f64)> = s.entered.iter().map(|&j| (j, s.beta[j])).collect();
            let intercept_before = s.intercept;
            self.descend(s, absolute, square, rest, max_passes)?;
            if self.family == OutcomeFamily::Gaussian {
                if self.add_violators(s, absolute) {
                    continue;
                }
                self.update_linear_predictor(s);
                return Ok(true);
            }
            self.update_linear_predictor(s);
            if !self.reweight(s) {
                return Ok(false);
            }
            // Features that entered just now moved from 0.
            let moved = |j: usize, old: f64| s.curvature[j] * (s.beta[j] - old).powi(2) >= rest;
            let still_moving = s.weight_sum * (s.intercept - intercept_before).powi(2) >= rest
                || before.iter().any(|&(j, old)| moved(j, old))
                || s.entered[before.len()..].iter().any(|&j| moved(j, 0.0));
            if !still_moving {
                if self.add_violators(s, absolute) {
                    continue;
                }
                return Ok(true);
            }
        }
    }

    /// Curvatures of the strong set at the current weights.
    #[inline(always)]
    pub(super) fn refresh_curvature(&self, s: &mut State) {
        let State { strong, curvature, weight, .. } = s;
        let (strong, weight): (&[bool], &[f64]) = (strong, weight);
        let of_feature = |(j, (curvature, strong)): (usize, (&mut f64, &bool))| {
            if *strong {
                self.simd.vectorize(Vectorised(
                    #[inline(always)]
                    || *curvature = weighted_square(self.simd, weight, self.column(j)),
                ));
            }
        };
        if strong.iter().filter(|strong| **strong).count() * weight.len() >= PARALLEL_WORK {
            curvature.par_iter_mut().zip(strong).enumerate().with_min_len(64).for_each(of_feature);
        } else {
            curvature.iter_mut().zip(strong).enumerate().for_each(of_feature);
        }
    }
}
