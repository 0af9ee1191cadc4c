//! The B-splines that a lattice of control points is made of, tabulated for every index of an axis.

use crate::geometry::Geometry;

pub(super) const HIGHEST_ORDER: usize = 5;

/// Most control points that a value depends on, on one axis.
pub(super) const LARGEST_SUPPORT: usize = HIGHEST_ORDER + 1;

/// Weights of the control points `cell..cell + support` for each index of an axis.
pub(super) struct AxisWeights {
    /// The first control point of each index; it never falls from one index to the next.
    cells: Vec<usize>,
    /// For each of the `support` points its weight at each index.
    weights: Vec<Vec<f32>>,
}

/// A run of indices that depend on the same control points.
pub(super) struct Segment {
    pub(super) cell: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl AxisWeights {
    fn new(
        positions: &[f64],
        order: usize,
        transform: impl Fn([f64; LARGEST_SUPPORT]) -> [f64; LARGEST_SUPPORT],
    ) -> Self {
        let mut weights = vec![Vec::with_capacity(positions.len()); order + 1];
        for &position in positions {
            let mut basis = [0.0; LARGEST_SUPPORT];
            for (k, value) in basis[..=order].iter_mut().enumerate() {
                *value = kernel(order, position - position.floor() - k as f64 + (order as f64 - 1.0) / 2.0);
            }
            for (column, weight) in weights.iter_mut().zip(transform(basis)) {
                column.push(weight as f32);
            }
        }
        Self { cells: positions.iter().map(|position| position.floor() as usize).collect(), weights }
    }

    /// Number of control points that an index depends on.
    pub(super) fn support(&self) -> usize {
        self.weights.len()
    }

    pub(super) fn cell(&self, index: usize) -> usize {
        self.cells[index]
    }

    /// The weight of the k-th point at an index.
    pub(super) fn weight(&self, k: usize, index: usize) -> f32 {
        self.weights[k][index]
    }

    /// The weights of the k-th point.
    pub(super) fn column(&self, k: usize) -> &[f32] {
        &self.weights[k]
    }

    /// The indices `start..end` cut where the cell changes.
    pub(super) fn segments(&self, start: usize, end: usize) -> impl Iterator<Item = Segment> + '_ {
        let mut next = start;
        std::iter::from_fn(move || {
            let cell = *self.cells[..end].get(next)?;
            let start = next;
            next += self.cells[start..end].partition_point(|&c| c <= cell);
            Some(Segment { cell, start, end: next })
        })
    }
}

/// The weights on all three axes: for evaluating the field, and for fitting it.
pub(super) struct Splines {
    evaluation: [AxisWeights; 3],
    fit: [AxisWeights; 3],
    squared: [AxisWeights; 3],
    lattice_size: [usize; 3],
}

impl Splines {
    /// The splines of these orders (x, y, z) with `points` control points (x, y, z) over a grid, from its first to its
    /// last voxel; directions do not matter.
    pub(super) fn new(grid: &Geometry, points: [usize; 3], orders: [usize; 3]) -> Self {
        let axis = |axis: usize| {
            let (length, spacing, origin) = (grid.size()[axis], grid.spacing()[axis], grid.origin()[axis]);
            (length, spacing, origin, orders[axis], points[axis] - orders[axis])
        };
        let evaluation = std::array::from_fn(|a| {
            let (length, _, _, order, spans) = axis(a);
            AxisWeights::new(&evaluation_positions(length, spans), order, |basis| basis)
        });
        let of_fit = |a: usize, transform: fn([f64; LARGEST_SUPPORT]) -> [f64; LARGEST_SUPPORT]| {
            let (length, spacing, origin, order, spans) = axis(a);
            AxisWeights::new(&fit_positions(length, spacing, origin, spans), order, transform)
        };
        // A voxel's residual reaches a control point with the weight t³ / Σ t² and counts there with t², where t is the
        // product of the weights on the three axes (Lee, Wolberg, Shin 1997). Both fall apart into factors for each
        // axis.
        let cubed = |basis: [f64; LARGEST_SUPPORT]| {
            let sum: f64 = basis.iter().map(|b| b * b).sum();
            basis.map(|b| b * b * b / sum)
        };
        let squared = |basis: [f64; LARGEST_SUPPORT]| basis.map(|b| b * b);
        Self {
            evaluation,
            fit: std::array::from_fn(|a| of_fit(a, cubed)),
            squared: std::array::from_fn(|a| of_fit(a, squared)),
            lattice_size: points,
        }
    }

    pub(super) fn evaluation(&self, axis: usize) -> &AxisWeights {
        &self.evaluation[axis]
    }

    /// Weights of residuals.
    pub(super) fn fit(&self) -> &[AxisWeights; 3] {
        &self.fit
    }

    /// Weights by which residuals are counted.
    pub(super) fn squared(&self) -> &[AxisWeights; 3] {
        &self.squared
    }

    pub(super) fn lattice_size(&self) -> [usize; 3] {
        self.lattice_size
    }
}

/// Spline coordinate of each voxel for evaluating, rounded to single precision as in ITK; the last voxel is moved
/// inside.
fn evaluation_positions(length: usize, spans: usize) -> Vec<f64> {
    if length == 1 {
        return vec![0.0];
    }
    let last = spans as f32;
    let epsilon = last / (length - 1) as f32 * 1e-3;
    (0..length)
        .map(|i| {
            let position = last * i as f32 / (length - 1) as f32;
            f64::from(if (position - last).abs() <= epsilon { last - epsilon } else { position })
        })
        .collect()
}

/// Spline coordinate of each voxel for fitting: from points in mm, which ITK holds in single precision.
fn fit_positions(length: usize, spacing: f64, origin: f64, spans: usize) -> Vec<f64> {
    if length == 1 {
        return vec![0.0];
    }
    let last = spans as f64;
    let per_millimetre = last / ((length - 1) as f64 * spacing);
    let epsilon = per_millimetre * spacing * 1e-3;
    (0..length)
        .map(|i| {
            let point = f64::from((origin + i as f64 * spacing) as f32);
            let position = (point - origin) * per_millimetre;
            if (position - last).abs() <= epsilon || position > last { last - epsilon } else { position.max(0.0) }
        })
        .collect()
}

/// The centred B-spline of an order: Σⱼ (−1)ʲ C(n+1, j) (x + (n+1)/2 − j)₊ⁿ / n!.
fn kernel(order: usize, x: f64) -> f64 {
    if order == 0 {
        return 1.0;
    }
    let x = x.abs();
    if order == 3 {
        return match x {
            x if x < 1.0 => (4.0 - 6.0 * x * x + 3.0 * x * x * x) / 6.0,
            x if x < 2.0 => (2.0 - x) * (2.0 - x) * (2.0 - x) / 6.0,
            _ => 0.0,
        };
    }
    let half = (order + 1) as f64 / 2.0;
    if x >= half {
        return 0.0;
    }
    let (mut sum, mut binomial, mut factorial) = (0.0, 1.0, 1.0);
    for j in 0..=order + 1 {
        let base = x + half - j as f64;
        if base > 0.0 {
            sum += binomial * base.powi(order as i32);
        }
        binomial *= -((order + 1 - j) as f64) / (j + 1) as f64;
    }
    for n in 2..=order {
        factorial *= n as f64;
    }
    sum / factorial
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    #[test]
    fn weights_of_all_orders_sum_to_one() {
        for order in 1..=HIGHEST_ORDER {
            for step in 0..20 {
                let fraction = f64::from(step) / 20.0;
                let sum: f64 =
                    (0..=order).map(|k| kernel(order, fraction - k as f64 + (order as f64 - 1.0) / 2.0)).sum();
                assert_abs_diff_eq!(sum, 1.0, epsilon = 1e-12);
            }
        }
    }

    #[test]
    fn the_cubic_is_the_general_formula() {
        let general = |x: f64| {
            let term = |c: f64, base: f64| if base > 0.0 { c * base.powi(3) } else { 0.0 };
            (term(1.0, x + 2.0) + term(-4.0, x + 1.0) + term(6.0, x) + term(-4.0, x - 1.0)) / 6.0
        };
        for step in 0..40 {
            let x = f64::from(step) / 20.0;
            assert_abs_diff_eq!(kernel(3, x), general(x), epsilon = 1e-12);
        }
    }

    #[test]
    fn segments_cover_a_run() {
        let weights = AxisWeights::new(&[0.0, 0.5, 1.0, 1.5, 1.9, 2.5], 1, |basis| basis);
        let found: Vec<[usize; 3]> = weights.segments(1, 6).map(|s| [s.cell, s.start, s.end]).collect();
        assert_eq!(found, [[0, 1, 2], [1, 2, 5], [2, 5, 6]]);
    }
}
