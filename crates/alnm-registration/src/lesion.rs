//! What tissue within the lesion may do: keep its volume, or its shape.
//!
//! ```text
//! volume:  E = mean (ln det F)²          (Rohlfing et al., IEEE Trans. Med. Imaging 22:730, 2003)
//! rigid:   E = mean ‖FᵀF − I‖²           (after Staring et al., Med. Phys. 34:4098, 2007)
//! ```
//!
//! with F the derivative of the whole map at the voxels of the lesion.

use alnm_imaging::{Geometry, LabelMap};
use rayon::prelude::*;

use crate::matrix::{self, IDENTITY, Matrix};
use crate::params::LesionConstraint;
use crate::transform::{SUPPORT, weight_derivatives, weights};

/// Voxels that are looked at, spread evenly over the lesion; the motion between them is smooth.
const MOST_VOXELS: usize = 2000;

/// Below this the logarithm of a determinant goes on as its tangent, so that it has a value where tissue folds.
const LEAST_DETERMINANT: f64 = 0.1;

/// Voxels whose sums are taken together.
const BLOCK: usize = 64;

/// A voxel of the lesion: the first control point of its support, and for the value and the derivative along each axis
/// the weights of the support.
#[derive(Debug)]
struct Voxel {
    starts: [usize; 3],
    weights: [[f64; SUPPORT]; 3],
    derivatives: [[f64; SUPPORT]; 3],
}

#[derive(Debug)]
pub(crate) struct LesionEnergy {
    constraint: LesionConstraint,
    voxels: Vec<Voxel>,
    points: [usize; 3],
    /// Row a: the derivative of the place along the control points' axis a, in mm, by the point.
    axes: Matrix,
    /// The linear map that follows the deformation.
    linear: Matrix,
}

impl LesionEnergy {
    /// The energy of the voxels of a mask that are not 0, for a deformation that `linear` follows.
    pub(crate) fn new(constraint: LesionConstraint, mask: &LabelMap, control_grid: &Geometry, linear: Matrix) -> Self {
        let grid = mask.geometry();
        let lesion: Vec<usize> = mask
            .as_slice()
            .iter()
            .enumerate()
            .filter(|(_, label)| **label != 0)
            .map(|(position, _)| position)
            .collect();
        let every = lesion.len().div_ceil(MOST_VOXELS).max(1);
        let (points, spacing) = (control_grid.size(), control_grid.spacing());
        let voxel = |&position: &usize| {
            let point = grid.index_to_point(grid.index_of(position).map(|index| index as f64));
            let index = control_grid.point_to_index(point);
            let span: [f64; 3] = std::array::from_fn(|axis| index[axis].floor().clamp(1.0, points[axis] as f64 - 3.0));
            Voxel {
                starts: span.map(|span| span as usize - 1),
                weights: std::array::from_fn(|axis| weights(index[axis] - span[axis])),
                derivatives: std::array::from_fn(|axis| {
                    weight_derivatives(index[axis] - span[axis]).map(|slope| slope / spacing[axis])
                }),
            }
        };
        let voxels = lesion.iter().step_by(every).map(voxel).collect();
        let origin = control_grid.origin();
        let columns: Matrix = std::array::from_fn(|j| {
            let moved = std::array::from_fn(|axis| origin[axis] + f64::from(u8::from(axis == j)));
            control_grid.point_to_index(moved)
        });
        let axes = std::array::from_fn(|axis| std::array::from_fn(|j| columns[j][axis] * spacing[axis]));
        Self { constraint, voxels, points, axes, linear }
    }

    /// The energy of coefficients; adds `factor` times its derivative to `gradient`.
    pub(crate) fn evaluate(&self, coefficients: &[f64], factor: f64, gradient: &mut [f64]) -> f64 {
        let count: usize = self.points.iter().product();
        let blocks: Vec<Vec<(f64, Matrix)>> = self
            .voxels
            .par_chunks(BLOCK)
            .map(|voxels| voxels.iter().map(|voxel| self.of_voxel(voxel, coefficients, count)).collect())
            .collect();
        let share = factor / self.voxels.len() as f64;
        let mut total = 0.0;
        for (voxel, (energy, slope)) in self.voxels.iter().zip(blocks.iter().flatten()) {
            total += energy;
            for axis in 0..3 {
                let weights = voxel.along(axis);
                for (component, slope) in slope.iter().enumerate() {
                    let gradient = &mut gradient[component * count..][..count];
                    voxel.for_support(&weights, self.points, |at, weight| gradient[at] += share * slope[axis] * weight);
                }
            }
        }
        total / self.voxels.len() as f64
    }

    /// The energy at a voxel, and its derivative: entry \[i\]\[a\] by the change of component i along axis a.
    fn of_voxel(&self, voxel: &Voxel, coefficients: &[f64], count: usize) -> (f64, Matrix) {
        let mut along: Matrix = [[0.0; 3]; 3];
        for axis in 0..3 {
            let weights = voxel.along(axis);
            for (component, along) in along.iter_mut().enumerate() {
                let coefficients = &coefficients[component * count..][..count];
                voxel.for_support(&weights, self.points, |at, weight| along[axis] += coefficients[at] * weight);
            }
        }
        let gradient = matrix::product(&along, &self.axes);
        let inner: Matrix = std::array::from_fn(|i| std::array::from_fn(|j| IDENTITY[i][j] + gradient[i][j]));
        let derivative = matrix::product(&self.linear, &inner);
        let (energy, slope) = match self.constraint {
            LesionConstraint::Free => (0.0, [[0.0; 3]; 3]),
            LesionConstraint::Volume => volume_energy(&derivative),
            LesionConstraint::Rigid => rigid_energy(&derivative),
        };
        let by_inner = matrix::product(&matrix::transpose(&self.linear), &slope);
        (energy, matrix::product(&by_inner, &matrix::transpose(&self.axes)))
    }
}

impl Voxel {
    /// The weights of the derivative along an axis.
    fn along(&self, by: usize) -> [[f64; SUPPORT]; 3] {
        std::array::from_fn(|axis| if axis == by { self.derivatives[axis] } else { self.weights[axis] })
    }

    fn for_support(&self, weights: &[[f64; SUPPORT]; 3], points: [usize; 3], mut visit: impl FnMut(usize, f64)) {
        for (k, wz) in weights[2].iter().enumerate() {
            for (j, wy) in weights[1].iter().enumerate() {
                let first = ((self.starts[2] + k) * points[1] + self.starts[1] + j) * points[0] + self.starts[0];
                for (i, wx) in weights[0].iter().enumerate() {
                    visit(first + i, wz * wy * wx);
                }
            }
        }
    }
}

/// (ln det F)² and its derivative by F.
fn volume_energy(derivative: &Matrix) -> (f64, Matrix) {
    let determinant = matrix::determinant(derivative);
    let bounded = determinant.max(LEAST_DETERMINANT);
    let logarithm = bounded.ln() + (determinant - bounded) / LEAST_DETERMINANT;
    let slope = 2.0 * logarithm / bounded;
    (logarithm * logarithm, matrix::cofactors(derivative).map(|row| row.map(|cofactor| slope * cofactor)))
}

/// ‖FᵀF − I‖² and its derivative by F, 4 F (FᵀF − I).
fn rigid_energy(derivative: &Matrix) -> (f64, Matrix) {
    let mut strain = matrix::product(&matrix::transpose(derivative), derivative);
    for (i, row) in strain.iter_mut().enumerate() {
        row[i] -= 1.0;
    }
    let energy = strain.as_flattened().iter().map(|entry| entry * entry).sum();
    (energy, matrix::product(derivative, &strain).map(|row| row.map(|entry| 4.0 * entry)))
}

#[cfg(test)]
mod tests {
    use alnm_imaging::Volume;

    use super::*;

    #[test]
    fn gradients_are_those_of_the_energies() {
        let direction = matrix::rotation(2, 0.4);
        let control_grid = Geometry::new([6, 6, 5], [8.0, 9.0, 10.0], [-8.0, -9.0, -10.0], direction).unwrap();
        let grid = Geometry::new([20, 20, 10], [1.0, 1.0, 2.0], [0.0; 3], direction).unwrap();
        let mut mask = Volume::filled(grid, 0_u32);
        mask.as_mut_slice()[2100..2300].fill(1);
        let linear = [[1.05, 0.02, 0.0], [0.0, 0.97, 0.01], [0.0, 0.03, 1.0]];
        let mut coefficients: Vec<f64> =
            (0..3 * control_grid.voxel_count()).map(|i| ((i * 31) % 17) as f64 / 8.0 - 1.0).collect();
        for constraint in [LesionConstraint::Volume, LesionConstraint::Rigid] {
            let energy = LesionEnergy::new(constraint, &mask, &control_grid, linear);
            let mut gradient = vec![0.0; coefficients.len()];
            assert!(energy.evaluate(&coefficients, 3.0, &mut gradient) > 0.0);
            let mut ignored = gradient.clone();
            let largest = (0..gradient.len()).max_by(|&a, &b| gradient[a].total_cmp(&gradient[b])).unwrap();
            for at in [largest, largest + 1] {
                let here = coefficients[at];
                let mut value = |x: f64| {
                    coefficients[at] = x;
                    energy.evaluate(&coefficients, 0.0, &mut ignored)
                };
                let numeric = 3.0 * (value(here + 1e-5) - value(here - 1e-5)) / 2e-5;
                coefficients[at] = here;
                assert!((gradient[at] - numeric).abs() < 1e-6 * gradient[largest], "{constraint:?}");
            }
        }
    }

    #[test]
    fn a_rotation_costs_nothing() {
        assert!(rigid_energy(&matrix::rotation(1, 0.3)).0 < 1e-28);
        assert!(volume_energy(&[[2.0, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 1.0]]).0 < 1e-28);
        assert!(volume_energy(&[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]).0 > 10.0);
    }
}
