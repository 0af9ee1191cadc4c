//! Cubic B-spline free-form deformations (Rueckert et al., IEEE Trans. Med. Imaging 18:712, 1999).

use alnm_imaging::Geometry;
use serde::Serialize;

use crate::error::{RegistrationError, Result};
use crate::matrix::{self, IDENTITY, Matrix};

/// Control points that a value depends on, on one axis.
pub(crate) const SUPPORT: usize = 4;

/// A cubic B-spline free-form deformation, ITK's `BSplineTransform` of order 3:
///
/// ```text
/// T(x) = x + Σᵢⱼₖ β(u − i)·β(v − j)·β(w − k)·cᵢⱼₖ
/// ```
///
/// where (u, v, w) is the continuous index of x in the grid of control points, β the cubic B-spline and c a
/// displacement in mm. Points whose 4 × 4 × 4 control points do not all exist stay where they are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BSplineTransform {
    control_grid: Geometry,
    coefficients: Vec<f64>,
}

/// The values of the four cubic B-splines at `t` in [0, 1) of their span.
pub(crate) fn weights(t: f64) -> [f64; SUPPORT] {
    let s = 1.0 - t;
    let last = t * t * t / 6.0;
    let first = s * s * s / 6.0;
    [first, 2.0 / 3.0 - t * t * (1.0 - t / 2.0), 2.0 / 3.0 - s * s * (1.0 - s / 2.0), last]
}

/// The derivatives of [`weights`] by `t`.
pub(crate) fn weight_derivatives(t: f64) -> [f64; SUPPORT] {
    let s = 1.0 - t;
    [-s * s / 2.0, t * (1.5 * t - 2.0), s * (2.0 - 1.5 * s), t * t / 2.0]
}

/// The second derivatives of [`weights`] by `t`.
pub(crate) fn weight_second_derivatives(t: f64) -> [f64; SUPPORT] {
    let s = 1.0 - t;
    [s, 3.0 * t - 2.0, 3.0 * s - 2.0, t]
}

impl BSplineTransform {
    /// A deformation by its grid of control points and their displacements in mm: first those along x of all control
    /// points (x fastest), then those along y, then those along z.
    ///
    /// # Errors
    /// [`RegistrationError::InvalidParameter`] when an axis has fewer than four control points, or the number of
    /// coefficients is not three for each control point, or one is not finite.
    pub fn new(control_grid: Geometry, coefficients: Vec<f64>) -> Result<Self> {
        let invalid =
            |parameter, value, requirement| Err(RegistrationError::InvalidParameter { parameter, value, requirement });
        if control_grid.size().iter().any(|&points| points < SUPPORT) {
            return invalid("control points", format!("{:?}", control_grid.size()), "each axis needs at least four");
        }
        if control_grid.voxel_count().checked_mul(3) != Some(coefficients.len()) {
            let value = format!("{} for {:?} control points", coefficients.len(), control_grid.size());
            return invalid("number of coefficients", value, "it must be three for each control point");
        }
        if let Some(bad) = coefficients.iter().find(|coefficient| !coefficient.is_finite()) {
            return invalid("coefficient", bad.to_string(), "every coefficient must be finite");
        }
        Ok(Self { control_grid, coefficients })
    }

    /// The grid of control points.
    #[must_use]
    pub fn control_grid(&self) -> &Geometry {
        &self.control_grid
    }

    /// Displacements of the control points in mm: those along x of all of them, x fastest, then those along y, then z.
    #[must_use]
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// Where a point goes, in mm.
    #[must_use]
    pub fn apply(&self, point: [f64; 3]) -> [f64; 3] {
        let Some(place) = self.place(point) else { return point };
        let axes = place.map(|(_, t)| weights(t));
        matrix::add(point, self.sum(place.map(|(start, _)| start), &axes))
    }

    /// The derivative of the map at a point: row i holds ∂T_i/∂x_j.
    #[must_use]
    pub fn derivative(&self, point: [f64; 3]) -> [[f64; 3]; 3] {
        let Some(place) = self.place(point) else { return IDENTITY };
        let starts = place.map(|(start, _)| start);
        // Row a: how the displacement changes with the control points' axis a.
        let along: Matrix = std::array::from_fn(|by| {
            let axes = std::array::from_fn(|axis| {
                let t = place[axis].1;
                if axis == by { weight_derivatives(t) } else { weights(t) }
            });
            self.sum(starts, &axes)
        });
        let origin = self.control_grid.origin();
        // The continuous index is linear: its derivatives are differences.
        let index_derivatives: Matrix = std::array::from_fn(|j| {
            let moved = std::array::from_fn(|axis| origin[axis] + f64::from(u8::from(axis == j)));
            self.control_grid.point_to_index(moved)
        });
        std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                IDENTITY[i][j] + (0..3).map(|axis| along[axis][i] * index_derivatives[j][axis]).sum::<f64>()
            })
        })
    }

    /// The first control point of a point's support and its place in the span, on each axis; none outside the grid's
    /// valid region.
    fn place(&self, point: [f64; 3]) -> Option<[(usize, f64); 3]> {
        let index = self.control_grid.point_to_index(point);
        let size = self.control_grid.size();
        let mut place = [(0, 0.0); 3];
        for axis in 0..3 {
            let last = size[axis] as f64 - 2.0;
            if !(index[axis] >= 1.0 && index[axis] <= last) {
                return None;
            }
            // The end of the region belongs to its last span.
            let span = index[axis].floor().min(last - 1.0);
            place[axis] = (span as usize - 1, index[axis] - span);
        }
        Some(place)
    }

    /// The sum over the support: 64 products for each of the three components.
    fn sum(&self, starts: [usize; 3], axes: &[[f64; SUPPORT]; 3]) -> [f64; 3] {
        let [width, height, _] = self.control_grid.size();
        let count = self.control_grid.voxel_count();
        std::array::from_fn(|component| {
            let coefficients = &self.coefficients[component * count..][..count];
            let mut sum = 0.0;
            for (k, wz) in axes[2].iter().enumerate() {
                for (j, wy) in axes[1].iter().enumerate() {
                    let first = ((starts[2] + k) * height + starts[1] + j) * width + starts[0];
                    let row = &coefficients[first..first + SUPPORT];
                    let along: f64 = row.iter().zip(&axes[0]).map(|(coefficient, weight)| coefficient * weight).sum();
                    sum += wz * wy * along;
                }
            }
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_sum_to_one_and_derivatives_are_theirs() {
        for step in 0..20 {
            let t = f64::from(step) / 20.0;
            assert!((weights(t).iter().sum::<f64>() - 1.0).abs() < 1e-15);
            let h = 1e-5;
            let (low, here, high) = (weights(t - h), weights(t), weights(t + h));
            for k in 0..SUPPORT {
                assert!(((high[k] - low[k]) / (2.0 * h) - weight_derivatives(t)[k]).abs() < 1e-9);
                let second = (high[k] - 2.0 * here[k] + low[k]) / (h * h);
                assert!((second - weight_second_derivatives(t)[k]).abs() < 1e-4);
            }
        }
    }

    fn wavy() -> BSplineTransform {
        let direction = matrix::product(&matrix::rotation(2, 0.3), &matrix::rotation(0, -0.2));
        let grid = Geometry::new([6, 5, 7], [9.0, 11.0, 8.0], [-20.0, 4.0, 7.0], direction).unwrap();
        let coefficients = (0..3 * grid.voxel_count()).map(|i| ((i * 37) % 19) as f64 / 10.0 - 0.9).collect();
        BSplineTransform::new(grid, coefficients).unwrap()
    }

    #[test]
    fn the_derivative_is_that_of_the_map() {
        let transform = wavy();
        let point = transform.control_grid().index_to_point([2.3, 1.9, 4.2]);
        let derivative = transform.derivative(point);
        for j in 0..3 {
            let moved = |by: f64| std::array::from_fn(|axis| point[axis] + if axis == j { by } else { 0.0 });
            let (low, high) = (transform.apply(moved(-1e-4)), transform.apply(moved(1e-4)));
            for i in 0..3 {
                assert!((derivative[i][j] - (high[i] - low[i]) / 2e-4).abs() < 1e-8);
            }
        }
    }

    #[test]
    fn points_outside_stay() {
        let transform = wavy();
        let outside = transform.control_grid().index_to_point([0.9, 2.0, 2.0]);
        assert_eq!(transform.apply(outside), outside);
        assert_eq!(transform.derivative(outside), IDENTITY);
        let end = transform.control_grid().index_to_point([3.999, 2.999, 4.999]);
        assert_ne!(transform.apply(end), end);
    }

    #[test]
    fn wrong_numbers_are_refused() {
        let grid = Geometry::axis_aligned([4, 4, 4], [1.0; 3]).unwrap();
        assert!(BSplineTransform::new(grid.clone(), vec![0.0; 191]).is_err());
        assert!(BSplineTransform::new(grid.clone(), vec![f64::NAN; 192]).is_err());
        assert!(BSplineTransform::new(grid, vec![0.0; 192]).is_ok());
        assert!(BSplineTransform::new(Geometry::axis_aligned([4, 3, 4], [1.0; 3]).unwrap(), vec![0.0; 144]).is_err());
    }
}
