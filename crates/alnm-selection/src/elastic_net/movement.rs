//! Steps in the plane of two directions.
//!
//! A step with the Hessian of an earlier iterate is too long in some directions and too short in others. Together with
//! the last movement it spans a plane, whose best point is found from sums over rows alone: the method of conjugate
//! gradients, with that Hessian as its preconditioner.

use alnm_stats::memory::Aligned;
use pulp::Simd;

use super::descent::{Solver, State};
use super::kernels::{add_scaled, weighted_dot};

/// Share of the product of two curvatures that their determinant must exceed, or the directions count as one.
const SMALLEST_DETERMINANT: f64 = 1e-8;

/// A change of the coefficients and what it changes in the linear predictor.
pub(super) struct Movement {
    pub(super) intercept: f64,
    /// By feature.
    pub(super) change: Vec<f64>,
    /// By row, padded.
    pub(super) predictor: Aligned<f64>,
}

impl Movement {
    /// No change of `p` features and so many padded rows.
    pub(super) fn none(p: usize, rows: usize) -> Self {
        Self { intercept: 0.0, change: vec![0.0; p], predictor: Aligned::zeros(rows) }
    }

    /// The change from the coefficients and the linear predictor that `origin` holds to those as they are, which it then
    /// holds.
    pub(super) fn become_change_since(&mut self, origin: &mut Self, s: &State) {
        self.intercept = s.intercept - origin.intercept;
        origin.intercept = s.intercept;
        for &j in &s.entered {
            self.change[j] = s.beta[j] - origin.change[j];
            origin.change[j] = s.beta[j];
        }
        for ((change, before), now) in self.predictor.iter_mut().zip(origin.predictor.iter_mut()).zip(s.eta.iter()) {
            *change = now - *before;
            *before = *now;
        }
    }

    /// Only the features that `moves` accepts go on moving.
    #[inline(always)]
    pub(super) fn keep<S: Simd>(&mut self, solver: &Solver<'_, '_, S>, s: &State, moves: impl Fn(usize) -> bool) {
        for &j in &s.entered {
            if self.change[j] != 0.0 && !moves(j) {
                add_scaled(solver.simd, &mut self.predictor, -self.change[j], solver.column(j));
                self.change[j] = 0.0;
            }
        }
    }

    /// How far to go along a step and along this movement, so that the penalised loss, as it is curved here, becomes
    /// smallest. `pull` and `step` are those of the intercept and the features, `direction` is what the step changes in
    /// the linear predictor.
    #[inline(always)]
    pub(super) fn plane<S: Simd>(
        &self,
        solver: &Solver<'_, '_, S>,
        s: &State,
        features: &[usize],
        [pull, step]: [&[f64]; 2],
        direction: &[f64],
        square: f64,
    ) -> [f64; 2] {
        let mut pulls = [pull[0] * step[0], pull[0] * self.intercept];
        let (mut of_step, mut mixed, mut of_movement) = (0.0, 0.0, 0.0);
        for ((&j, pull), step) in features.iter().zip(&pull[1..]).zip(&step[1..]) {
            let change = self.change[j];
            pulls[0] += pull * step;
            pulls[1] += pull * change;
            of_step += solver.penalty[j] * step * step;
            mixed += solver.penalty[j] * step * change;
            of_movement += solver.penalty[j] * change * change;
        }
        let curvature = |a, b| weighted_dot(solver.simd, &s.weight, a, b);
        of_step = square * of_step + curvature(direction, direction);
        mixed = square * mixed + curvature(direction, &self.predictor);
        of_movement = square * of_movement + curvature(&self.predictor, &self.predictor);
        let determinant = of_step * of_movement - mixed * mixed;
        if determinant > SMALLEST_DETERMINANT * of_step * of_movement {
            let along = (pulls[0] * of_movement - pulls[1] * mixed) / determinant;
            [along, (pulls[1] * of_step - pulls[0] * mixed) / determinant]
        } else if of_step > 0.0 {
            [pulls[0] / of_step, 0.0]
        } else {
            [1.0, 0.0]
        }
    }

    /// Turns into so much of a step, of which the intercept and what it changes in the linear predictor are given, and so
    /// much of this movement; the features are left to the caller.
    #[inline(always)]
    pub(super) fn turn(&mut self, [of_step, of_movement]: [f64; 2], intercept: f64, direction: &[f64]) {
        self.intercept = of_step * intercept + of_movement * self.intercept;
        for (movement, direction) in self.predictor.iter_mut().zip(direction) {
            *movement = of_step * direction + of_movement * *movement;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::params::ElasticNetParams;
    use super::super::path::OutcomeFamily;
    use super::super::problem::{Data, Problem};
    use super::*;

    #[test]
    fn the_best_point_of_the_plane_is_found_and_reached() {
        let (n, p, square) = (40, 5, 0.3);
        let value = |i: usize, j: usize| ((i * 37 + j * 101 + i * j * 7) % 83) as f64 / 83.0;
        let values = ndarray::Array2::from_shape_fn((n, p), |(i, j)| value(i, j));
        let y: Vec<f64> = (0..n).map(|i| value(i, 9)).collect();
        let (rows, params) = ((0..n).collect::<Vec<_>>(), ElasticNetParams::default());
        let data = Data { values: values.view(), rows: &rows, y: &y, family: OutcomeFamily::Gaussian };
        let simd = pulp::Scalar::new();
        let problem = Problem::new(simd, &data, &params).unwrap();
        let solver = Solver { problem: &problem, simd };
        let mut s = solver.start();
        // The last movement: to these coefficients, from none.
        s.intercept = 0.2;
        for j in 0..p {
            s.enter(j);
            s.beta[j] = 0.1 * j as f64 - 0.15;
        }
        solver.update_linear_predictor(&mut s);
        let padded = problem.padded_rows();
        let (mut movement, mut origin) = (Movement::none(p, padded), Movement::none(p, padded));
        movement.become_change_since(&mut origin, &s);
        // The second feature rests from now on.
        let features = [0, 4, 2, 3];
        movement.keep(&solver, &s, |j| features.contains(&j));
        assert_eq!(movement.change[1], 0.0);
        let (pull, step) = ([0.1, 0.4, -0.3, 0.2, 0.5], [0.3, -0.2, 0.6, 0.1, 0.4]);
        let mut direction = vec![0.0; padded];
        solver.combine(step[0], &features, &step[1..], &mut direction);
        let best = movement.plane(&solver, &s, &features, [&pull, &step], &direction, square);
        let loss = |[along, again]: [f64; 2]| {
            let change = |k: usize| {
                let last = if k == 0 { movement.intercept } else { movement.change[features[k - 1]] };
                along * step[k] + again * last
            };
            let penalised: f64 = (1..=features.len()).map(|k| square * change(k).powi(2)).sum();
            let curved = |i: usize| {
                let of_row: f64 = (1..=features.len()).map(|k| change(k) * problem.column(features[k - 1])[i]).sum();
                s.weight[i] * (change(0) + of_row).powi(2)
            };
            let pulled: f64 = (0..=features.len()).map(|k| pull[k] * change(k)).sum();
            ((0..n).map(curved).sum::<f64>() + penalised) / 2.0 - pulled
        };
        for (a, b) in [(1e-3, 0.0), (-1e-3, 0.0), (0.0, 1e-3), (0.0, -1e-3)] {
            assert!(loss([best[0] + a, best[1] + b]) > loss(best));
        }
        let last = movement.change.clone();
        movement.turn(best, step[0], &direction);
        let coefficients: Vec<f64> =
            features.iter().zip(&step[1..]).map(|(&j, d)| best[0] * d + best[1] * last[j]).collect();
        let mut expected = vec![0.0; padded];
        solver.combine(movement.intercept, &features, &coefficients, &mut expected);
        for (predictor, expected) in movement.predictor.iter().zip(&expected).take(n) {
            assert!((predictor - expected).abs() < 1e-12, "{predictor}, not {expected}");
        }
    }

    #[test]
    fn one_direction_alone_has_its_best_length() {
        let values = ndarray::array![[1.0], [2.0], [4.0]];
        let data =
            Data { values: values.view(), rows: &[0, 1, 2], y: &[0.0, 1.0, 5.0], family: OutcomeFamily::Gaussian };
        let simd = pulp::Scalar::new();
        let problem = Problem::new(simd, &data, &ElasticNetParams::default()).unwrap();
        let solver = Solver { problem: &problem, simd };
        let (s, padded) = (solver.start(), problem.padded_rows());
        let mut direction = vec![0.0; padded];
        let resting = Movement::none(1, padded);
        // Nothing moves.
        assert_eq!(resting.plane(&solver, &s, &[0], [&[0.0; 2], &[0.0; 2]], &direction, 0.0), [1.0, 0.0]);
        // Half the way: the column has unit variance, and the pull is half the step.
        solver.combine(0.0, &[0], &[2.0], &mut direction);
        let [along, again] = resting.plane(&solver, &s, &[0], [&[0.0, 1.0], &[0.0, 2.0]], &direction, 0.0);
        assert!((along - 0.5).abs() < 1e-12 && again == 0.0, "{along}, {again}");
    }
}
