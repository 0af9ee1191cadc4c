//! The control points of the field.

use ndarray::{Array1, Array2, Array3, Axis};

use super::spline::{AxisWeights, LARGEST_SUPPORT, Splines};
use crate::geometry::Geometry;

/// Control points (z, y, x) of a spline of some order on each axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lattice {
    points: Array3<f32>,
    orders: [usize; 3],
}

/// The lattice at one z.
pub(super) struct Plane(Array2<f32>);

/// The lattice at one z and y.
pub(super) struct Line(Array1<f32>);

impl Lattice {
    /// A field of 0 with `size` points (x, y, z).
    pub(super) fn zeros(size: [usize; 3], orders: [usize; 3]) -> Self {
        Self { points: Array3::zeros([size[2], size[1], size[0]]), orders }
    }

    /// Points along x, y and z.
    pub(super) fn size(&self) -> [usize; 3] {
        let (z, y, x) = self.points.dim();
        [x, y, z]
    }

    /// The splines over a grid.
    pub(super) fn splines(&self, grid: &Geometry) -> Splines {
        Splines::new(grid, self.size(), self.orders)
    }

    pub(super) fn add(&mut self, update: &Array3<f32>) {
        self.points += update;
    }

    /// The same field with twice the spans on each axis.
    pub(super) fn refined(&self) -> Self {
        let mut points = self.points.mapv(f64::from);
        for (axis, &order) in self.orders.iter().enumerate() {
            // A constant axis has nothing to refine.
            if order > 0 {
                points = refined_along(&points, Axis(2 - axis), order);
            }
        }
        Self { points: points.mapv(|point| point as f32), orders: self.orders }
    }

    /// The lattice at the index z.
    pub(super) fn plane(&self, weights: &AxisWeights, z: usize) -> Plane {
        let mut plane = Array2::zeros([self.points.dim().1, self.points.dim().2]);
        for k in 0..weights.support() {
            plane.scaled_add(weights.weight(k, z), &self.points.index_axis(Axis(0), weights.cell(z) + k));
        }
        Plane(plane)
    }
}

impl Plane {
    /// The lattice at the index y of this plane.
    pub(super) fn line(&self, weights: &AxisWeights, y: usize) -> Line {
        let mut line = Array1::zeros(self.0.dim().1);
        for k in 0..weights.support() {
            line.scaled_add(weights.weight(k, y), &self.0.row(weights.cell(y) + k));
        }
        Line(line)
    }
}

impl Line {
    /// The field at the indices from `start` on; inlined, so that it takes the vector instructions of its caller.
    #[inline(always)]
    pub(super) fn evaluate(&self, weights: &AxisWeights, start: usize, field: &mut [f32]) {
        for segment in weights.segments(start, start + field.len()) {
            let values = &mut field[segment.start - start..segment.end - start];
            let column = |k: usize| (self.0[segment.cell + k], &weights.column(k)[segment.start..segment.end]);
            if weights.support() == 4 {
                let [(a, wa), (b, wb), (c, wc), (d, wd)] = std::array::from_fn(column);
                for ((((value, wa), wb), wc), wd) in values.iter_mut().zip(wa).zip(wb).zip(wc).zip(wd) {
                    *value = a * wa + b * wb + c * wc + d * wd;
                }
                continue;
            }
            values.fill(0.0);
            for (point, column) in (0..weights.support()).map(column) {
                values.iter_mut().zip(column).for_each(|(value, weight)| *value += point * weight);
            }
        }
    }
}

/// The two-scale relation of B-splines: a spline of order n with m points is one with 2m − n points on half the spans,
/// whose points are sums of C(n+1, k) / 2ⁿ times the old ones.
fn refined_along(points: &Array3<f64>, axis: Axis, order: usize) -> Array3<f64> {
    let old = points.len_of(axis);
    let new = 2 * old - order;
    let mut mask = [0.0; LARGEST_SUPPORT + 1];
    mask[0] = 0.5_f64.powi(order as i32);
    for k in 0..=order {
        mask[k + 1] = mask[k] * (order + 1 - k) as f64 / (k + 1) as f64;
    }
    let mut shape = points.raw_dim();
    shape[axis.0] = new;
    let mut refined = Array3::zeros(shape);
    for j in 0..new {
        let place = j + order;
        for i in 0..old {
            if let Some(k) = place.checked_sub(2 * i).filter(|&k| k <= order + 1) {
                refined.index_axis_mut(axis, j).scaled_add(mask[k], &points.index_axis(axis, i));
            }
        }
    }
    refined
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    fn values(lattice: &Lattice, grid: &Geometry) -> Vec<f32> {
        let splines = lattice.splines(grid);
        let mut row = vec![0.0; grid.size()[0]];
        let mut all = Vec::new();
        for z in 0..grid.size()[2] {
            for y in 0..grid.size()[1] {
                lattice.plane(splines.evaluation(2), z).line(splines.evaluation(1), y).evaluate(
                    splines.evaluation(0),
                    0,
                    &mut row,
                );
                all.extend_from_slice(&row);
            }
        }
        all
    }

    #[test]
    fn refining_keeps_the_field() {
        let grid = Geometry::axis_aligned([17, 13, 9], [1.0; 3]).unwrap();
        for order in 1..=5 {
            let mut lattice = Lattice::zeros([order + 1, order + 2, order + 3], [order; 3]);
            let shape = lattice.points.raw_dim();
            lattice.add(&Array3::from_shape_fn(shape, |(z, y, x)| ((7 * z + 5 * y + 3 * x) % 11) as f32));
            let refined = lattice.refined();
            assert_eq!(refined.size(), lattice.size().map(|n| 2 * n - order));
            for (a, b) in values(&lattice, &grid).iter().zip(values(&refined, &grid)) {
                assert_abs_diff_eq!(*a, b, epsilon = 2e-3);
            }
        }
    }
}
