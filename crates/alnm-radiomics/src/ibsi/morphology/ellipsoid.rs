//! Ellipsoids: their area, and the smallest one around a set of points.

use std::f64::consts::PI;

use crate::principal_axes::symmetric_eigenvalues;

/// Terms of the series for the area of an ellipsoid, as the reference manual asks for.
const SERIES_TERMS: usize = 20;

/// An ellipsoid by the lengths of its semi-axes, in descending order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ellipsoid {
    pub(crate) semi_axes: [f64; 3],
}

impl Ellipsoid {
    /// 4π/3 · a b c.
    pub(crate) fn volume(self) -> f64 {
        4.0 / 3.0 * PI * self.semi_axes.iter().product::<f64>()
    }

    /// 4π a b Σ_ν (αβ)^ν / (1 - 4ν²) · P_ν((α² + β²) / 2αβ) for ν from 0 to 20, with the Legendre polynomials P_ν, α² =
    /// 1 - b²/a² and β² = 1 - c²/a², as the reference manual writes it and the reference values follow it. Maas 1994,
    /// where the series comes from, has α² = 1 - c²/a² and β² = 1 - c²/b², which gives the area itself; this one is
    /// exact for a ball and else differs by some percent.
    ///
    /// (αβ)^ν P_ν has its own recurrence without a division by αβ, which is 0 for an ellipsoid with a = b.
    pub(crate) fn area(self) -> f64 {
        let [a, b, c] = self.semi_axes;
        if a == 0.0 {
            return 0.0;
        }
        let (alpha_squared, beta_squared) = (1.0 - b * b / (a * a), 1.0 - c * c / (a * a));
        let (middle, product_squared) = ((alpha_squared + beta_squared) / 2.0, alpha_squared * beta_squared);
        let (mut before, mut term, mut sum) = (0.0, 1.0, 0.0);
        for order in 0..=SERIES_TERMS {
            let n = order as f64;
            sum += term / (1.0 - 4.0 * n * n);
            let next = ((2.0 * n + 1.0) * middle * term - n * product_squared * before) / (n + 1.0);
            (before, term) = (term, next);
        }
        4.0 * PI * a * b * sum
    }

    /// The ellipsoid of least volume around `points`, at least four that are not in one plane.
    ///
    /// Khachiyan's ascent on weights of the points, with the steps away from points that Todd and Yıldırım 2007 (doi
    /// 10.1016/j.dam.2007.02.013) added, until the volume is within 10⁻⁶ of the least; then grown until it holds every
    /// point.
    pub(crate) fn of_least_volume_around(points: &[[f64; 3]]) -> Self {
        const TOLERANCE: f64 = 1e-7;
        const MAXIMUM_STEPS: usize = 20_000;
        let dimension = 4.0;
        let centre: [f64; 3] =
            std::array::from_fn(|axis| points.iter().map(|p| p[axis]).sum::<f64>() / points.len() as f64);
        let lifted: Vec<[f64; 4]> =
            points.iter().map(|p| [p[0] - centre[0], p[1] - centre[1], p[2] - centre[2], 1.0]).collect();
        let mut weights = vec![1.0 / points.len() as f64; points.len()];
        // Every step changes the moments by one point's, and the distances with them; what rounding adds up to is
        // cleared now and then, and before the last step.
        const FRESH: usize = 32;
        let Some(mut state) = Ascent::new(&lifted, &weights) else { return Self::of_moments(&lifted, &weights) };
        let mut age = 0;
        for _step in 0..MAXIMUM_STEPS {
            let (mut farthest, mut nearest) = (0, None::<usize>);
            for (index, distance) in state.distances.iter().enumerate() {
                if *distance > state.distances[farthest] {
                    farthest = index;
                }
                if weights[index] > 0.0 && nearest.is_none_or(|nearest| *distance < state.distances[nearest]) {
                    nearest = Some(index);
                }
            }
            let Some(nearest) = nearest else { break };
            let (far, near) = (state.distances[farthest], state.distances[nearest]);
            let (outward, inward) = (far / dimension - 1.0, 1.0 - near / dimension);
            let is_reached = outward <= TOLERANCE && inward <= TOLERANCE;
            if is_reached && age == 0 {
                break;
            }
            if is_reached || age == FRESH {
                let Some(fresh) = Ascent::new(&lifted, &weights) else { break };
                (state, age) = (fresh, 0);
                continue;
            }
            let (index, step) = if outward > inward {
                (farthest, (far - dimension) / (dimension * (far - 1.0)))
            } else {
                let largest = weights[nearest] / (1.0 - weights[nearest]);
                let best = (dimension - near) / (dimension * (near - 1.0));
                (nearest, if near > 1.0 { -best.min(largest) } else { -largest })
            };
            for weight in &mut weights {
                *weight *= 1.0 - step;
            }
            weights[index] = (weights[index] + step).max(0.0);
            state.shift(&lifted, index, step);
            age += 1;
        }
        Self::of_moments(&lifted, &weights)
    }

    /// The ellipsoid with the shape of the weighted points' covariance, as large as the points need.
    fn of_moments(lifted: &[[f64; 4]], weights: &[f64]) -> Self {
        let moments = moments(lifted, weights);
        let mean: [f64; 3] = std::array::from_fn(|axis| moments[axis][3]);
        let covariance: [[f64; 3]; 3] =
            std::array::from_fn(|row| std::array::from_fn(|column| moments[row][column] - mean[row] * mean[column]));
        let Some(inverse) = inverse(covariance) else { return Self { semi_axes: [f64::NAN; 3] } };
        let reach = lifted
            .iter()
            .map(|point| quadratic(&inverse, &std::array::from_fn(|axis| point[axis] - mean[axis])))
            .fold(0.0, f64::max);
        let [c, b, a] = symmetric_eigenvalues(covariance).map(|value| (value.max(0.0) * reach).sqrt());
        Self { semi_axes: [a, b, c] }
    }
}

/// The inverse of the weighted points' moments, and the distances q_iᵀ M⁻¹ q_i of the points by it.
struct Ascent {
    inverse: [[f64; 4]; 4],
    distances: Vec<f64>,
}

impl Ascent {
    /// `None` where the moments have no inverse.
    fn new(points: &[[f64; 4]], weights: &[f64]) -> Option<Self> {
        let inverse = inverse(moments(points, weights))?;
        Some(Self { inverse, distances: points.iter().map(|point| quadratic(&inverse, point)).collect() })
    }

    /// Follows the weights when those of all points shrink by 1 - `step` and one grows by `step` (Sherman and Morrison
    /// 1950).
    fn shift(&mut self, points: &[[f64; 4]], index: usize, step: f64) {
        let kept = 1.0 - step;
        let point = &points[index];
        let turned: [f64; 4] =
            std::array::from_fn(|row| (0..4).map(|column| self.inverse[row][column] * point[column]).sum());
        let factor = step / (kept + step * self.distances[index]);
        for (row, values) in self.inverse.iter_mut().enumerate() {
            for (column, value) in values.iter_mut().enumerate() {
                *value = (*value - factor * turned[row] * turned[column]) / kept;
            }
        }
        for (distance, point) in self.distances.iter_mut().zip(points) {
            let along = turned[0] * point[0] + turned[1] * point[1] + turned[2] * point[2] + turned[3] * point[3];
            *distance = (*distance - factor * along * along) / kept;
        }
    }
}

/// Σ_i u_i q_i q_iᵀ.
fn moments(points: &[[f64; 4]], weights: &[f64]) -> [[f64; 4]; 4] {
    let mut sum = [[0.0; 4]; 4];
    for (point, &weight) in points.iter().zip(weights).filter(|(_, weight)| **weight > 0.0) {
        for row in 0..4 {
            for column in 0..4 {
                sum[row][column] += weight * point[row] * point[column];
            }
        }
    }
    sum
}

/// qᵀ M q.
fn quadratic<const D: usize>(matrix: &[[f64; D]; D], point: &[f64; D]) -> f64 {
    (0..D).map(|row| point[row] * (0..D).map(|column| matrix[row][column] * point[column]).sum::<f64>()).sum()
}

/// The inverse by elimination with pivots; `None` for a singular matrix.
fn inverse<const D: usize>(mut matrix: [[f64; D]; D]) -> Option<[[f64; D]; D]> {
    let mut inverse = [[0.0; D]; D];
    for axis in 0..D {
        inverse[axis][axis] = 1.0;
    }
    for column in 0..D {
        let pivot = (column..D).max_by(|&a, &b| matrix[a][column].abs().total_cmp(&matrix[b][column].abs()))?;
        if matrix[pivot][column].abs() < f64::MIN_POSITIVE {
            return None;
        }
        matrix.swap(column, pivot);
        inverse.swap(column, pivot);
        let scale = 1.0 / matrix[column][column];
        matrix[column] = matrix[column].map(|value| value * scale);
        inverse[column] = inverse[column].map(|value| value * scale);
        for row in (0..D).filter(|row| *row != column) {
            let factor = matrix[row][column];
            for k in 0..D {
                matrix[row][k] -= factor * matrix[column][k];
                inverse[row][k] -= factor * inverse[column][k];
            }
        }
    }
    Some(inverse)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn areas_of_known_ellipsoids() {
        let ball = Ellipsoid { semi_axes: [2.0; 3] };
        approx::assert_relative_eq!(ball.area(), 16.0 * PI, max_relative = 1e-14);
        approx::assert_relative_eq!(ball.volume(), 32.0 / 3.0 * PI, max_relative = 1e-14);
        // Python 3.11: p, q = sqrt(1 - 4/9), sqrt(1 - 1/9); P the Legendre polynomials at (p*p + q*q) / (2*p*q) by
        // their recurrence; 4 * pi * 6 * sum((p*q)**n / (1 - 4*n*n) * P[n] for n in range(21))
        approx::assert_relative_eq!(
            Ellipsoid { semi_axes: [3.0, 2.0, 1.0] }.area(),
            52.81348101202416,
            max_relative = 1e-12
        );
    }

    #[test]
    fn the_smallest_ellipsoid_around_a_box_goes_through_its_corners() {
        let corners: Vec<[f64; 3]> =
            (0..8).map(|c| [f64::from(c & 1) * 2.0, f64::from(c >> 1 & 1) * 4.0, f64::from(c >> 2) * 6.0]).collect();
        let ellipsoid = Ellipsoid::of_least_volume_around(&corners);
        for (semi_axis, half) in ellipsoid.semi_axes.into_iter().zip([3.0, 2.0, 1.0]) {
            approx::assert_relative_eq!(semi_axis, half * 3.0f64.sqrt(), max_relative = 1e-6);
        }
    }

    proptest! {
        #[test]
        fn no_smaller_ellipsoid_with_the_same_centre_holds_the_points(points in prop::collection::vec(prop::array::uniform3(-5.0f64..5.0), 8..40)) {
            let least = Ellipsoid::of_least_volume_around(&points);
            prop_assume!(least.semi_axes[2] > 0.1);
            // The covariance ellipsoid, blown up until it holds all points, is one of those it has to beat.
            let lifted: Vec<[f64; 4]> = points.iter().map(|p| [p[0], p[1], p[2], 1.0]).collect();
            let other = Ellipsoid::of_moments(&lifted, &vec![1.0 / points.len() as f64; points.len()]);
            prop_assert!(least.volume() <= other.volume() * (1.0 + 1e-6));
        }
    }
}
