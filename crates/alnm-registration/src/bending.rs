//! The bending energy of a cubic B-spline deformation (Rueckert et al., IEEE Trans. Med. Imaging 18:712, 1999),
//! integrated exactly.
//!
//! ```text
//! E = 1/V ∫ Σᵢ Σⱼₖ (∂²uᵢ / ∂xⱼ∂xₖ)² dx   in mm⁻²
//! ```
//!
//! The energy is a quadratic form in the coefficients: a sum of products of one matrix for each axis, whose entries are
//! the integrals of products of B-splines or their derivatives. Each has seven diagonals.

use alnm_imaging::Geometry;
use rayon::prelude::*;

use crate::transform::{SUPPORT, weight_derivatives, weight_second_derivatives, weights};

const DIAGONALS: usize = 2 * SUPPORT - 1;

/// Places and weights of the Gauss-Legendre rule of four points on [0, 1], exact up to degree seven.
const RULE: [(f64, f64); 4] = [
    (0.069_431_844_202_973_71, 0.173_927_422_568_726_93),
    (0.330_009_478_207_571_87, 0.326_072_577_431_273_07),
    (0.669_990_521_792_428_1, 0.326_072_577_431_273_07),
    (0.930_568_155_797_026_3, 0.173_927_422_568_726_93),
];

/// The orders of the derivatives along x, y and z in each term, and how often it counts.
const TERMS: [([usize; 3], f64); 6] =
    [([2, 0, 0], 1.0), ([0, 2, 0], 1.0), ([0, 0, 2], 1.0), ([1, 1, 0], 2.0), ([1, 0, 1], 2.0), ([0, 1, 1], 2.0)];

/// Integrals of products of the B-splines of an axis: row n holds those of n with n − 3 to n + 3.
type Band = Vec<[f64; DIAGONALS]>;

#[derive(Debug)]
pub(crate) struct BendingEnergy {
    points: [usize; 3],
    /// For each axis, of the B-splines, their first and their second derivatives.
    bands: [[Band; 3]; 3],
}

impl BendingEnergy {
    /// The energy on the region in which all B-splines of a grid of control points are there.
    pub(crate) fn new(control_grid: &Geometry) -> Self {
        let (points, spacing) = (control_grid.size(), control_grid.spacing());
        let functions = [weights, weight_derivatives, weight_second_derivatives];
        let bands = std::array::from_fn(|axis| {
            std::array::from_fn(|order| band(points[axis], functions[order], spacing[axis].powi(-2 * order as i32)))
        });
        Self { points, bands }
    }

    /// The energy of coefficients; adds `factor` times its derivative to `gradient`.
    pub(crate) fn evaluate(&self, coefficients: &[f64], factor: f64, gradient: &mut [f64]) -> f64 {
        let count = self.points.iter().product();
        let components = coefficients.par_chunks(count).zip(gradient.par_chunks_mut(count));
        let energies: Vec<f64> = components
            .map(|(coefficients, gradient)| {
                let mut energy = 0.0;
                for (orders, times) in TERMS {
                    let mut product = coefficients.to_vec();
                    for axis in 0..3 {
                        product = self.along(axis, orders[axis], &product);
                    }
                    for ((product, coefficient), gradient) in product.iter().zip(coefficients).zip(&mut *gradient) {
                        energy += times * product * coefficient;
                        *gradient += factor * 2.0 * times * product;
                    }
                }
                energy
            })
            .collect();
        energies.iter().sum()
    }

    /// The product of the matrix of an axis with all lines along it.
    fn along(&self, axis: usize, order: usize, values: &[f64]) -> Vec<f64> {
        let band = &self.bands[axis][order];
        let stride: usize = self.points[..axis].iter().product();
        let length = self.points[axis];
        let mut result = vec![0.0; values.len()];
        for (block, target) in values.chunks(stride * length).zip(result.chunks_mut(stride * length)) {
            for (n, row) in target.chunks_mut(stride).enumerate() {
                let (low, high) = (n.saturating_sub(SUPPORT - 1), (n + SUPPORT - 1).min(length - 1));
                for other in low..=high {
                    let weight = band[n][other + SUPPORT - 1 - n];
                    let source = &block[other * stride..][..stride];
                    row.iter_mut().zip(source).for_each(|(sum, value)| *sum += weight * value);
                }
            }
        }
        result
    }
}

/// Integrals over all spans, as shares of the axis' length.
fn band(points: usize, function: fn(f64) -> [f64; SUPPORT], factor: f64) -> Band {
    let spans = points - (SUPPORT - 1);
    let mut band = vec![[0.0; DIAGONALS]; points];
    for span in 0..spans {
        for (t, weight) in RULE {
            let values = function(t);
            for i in 0..SUPPORT {
                for j in 0..SUPPORT {
                    band[span + i][j + SUPPORT - 1 - i] += values[i] * values[j] * weight * factor / spans as f64;
                }
            }
        }
    }
    band
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Geometry {
        Geometry::axis_aligned([6, 5, 7], [4.0, 5.0, 6.0]).unwrap()
    }

    #[test]
    fn linear_motion_costs_nothing_and_a_parabola_its_second_derivative() {
        let grid = grid();
        let energy = BendingEnergy::new(&grid);
        let of = |function: fn([f64; 3]) -> f64| {
            let mut coefficients = vec![0.0; 3 * grid.voxel_count()];
            for (i, coefficient) in coefficients[..grid.voxel_count()].iter_mut().enumerate() {
                *coefficient = function(grid.index_to_point(grid.index_of(i).map(|index| index as f64)));
            }
            energy.evaluate(&coefficients, 0.0, &mut vec![0.0; coefficients.len()])
        };
        assert!(of(|[x, y, z]| 1.0 + 0.1 * x - 0.3 * y + 0.2 * z).abs() < 1e-12);
        // Coefficients of a parabola are its samples but for a constant.
        assert!((of(|[x, _, _]| 0.05 * x * x) - 0.01).abs() < 1e-12);
        assert!((of(|[_, y, z]| 0.1 * y * z) - 0.02).abs() < 1e-12);
    }

    #[test]
    fn the_gradient_is_that_of_the_energy() {
        let grid = grid();
        let energy = BendingEnergy::new(&grid);
        let mut coefficients: Vec<f64> = (0..3 * grid.voxel_count()).map(|i| ((i * 29) % 13) as f64 - 6.0).collect();
        let mut gradient = vec![1.0; coefficients.len()];
        energy.evaluate(&coefficients, 2.0, &mut gradient);
        let mut ignored = gradient.clone();
        for at in [0, 17, 300, 629] {
            let here = coefficients[at];
            let mut value = |x: f64| {
                coefficients[at] = x;
                energy.evaluate(&coefficients, 0.0, &mut ignored)
            };
            let numeric = value(here + 0.5) - value(here - 0.5);
            coefficients[at] = here;
            assert!((gradient[at] - 1.0 - 2.0 * numeric).abs() < 1e-9 * numeric.abs().max(1.0));
        }
    }
}
