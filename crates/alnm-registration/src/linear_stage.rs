//! Rigid and affine motion at one resolution.

use alnm_imaging::{Geometry, vectorised};
use rayon::prelude::*;

use crate::matrix::{self, IDENTITY, Matrix, Vector};
use crate::measure::Measure;
use crate::optimiser::Evaluation;
use crate::pyramid::Level;
use crate::samples::{MovingImage, Places, Samples};
use crate::transform::{AffineTransform, EulerTransform};

/// Numbers that are added up side by side.
const LANES: usize = 8;

/// From the voxels of the fixed image to continuous indices of the moving image, by a linear map of points.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IndexMap {
    pub(crate) origin: Vector,
    /// Row i holds how index i changes with the voxel's x, y and z.
    pub(crate) steps: Matrix,
    /// How the index changes with the moved point.
    pub(crate) point_to_index: Matrix,
}

impl IndexMap {
    pub(crate) fn new(fixed: &Geometry, moving: &Geometry, linear: &AffineTransform) -> Self {
        let place = |voxel: Vector| moving.point_to_index(linear.apply(fixed.index_to_point(voxel)));
        let origin = place([0.0; 3]);
        let columns: Matrix = IDENTITY.map(|unit| matrix::subtract(place(unit), origin));
        let zero = moving.point_to_index([0.0; 3]);
        let by_point: Matrix = IDENTITY.map(|unit| matrix::subtract(moving.point_to_index(unit), zero));
        Self { origin, steps: matrix::transpose(&columns), point_to_index: matrix::transpose(&by_point) }
    }

    /// The place of the first voxel of a row, and how far the next one is.
    pub(crate) fn row(&self, y: usize, z: usize) -> (Vector, Vector) {
        let first = matrix::add(self.origin, matrix::apply(&self.steps, [0.0, y as f64, z as f64]));
        (first, self.steps.map(|row| row[0]))
    }

    /// Writes the places of a row.
    pub(crate) fn fill_row(&self, y: usize, z: usize, places: &mut [Vec<f32>; 3]) {
        let (first, step) = self.row(y, z);
        for ((places, first), step) in places.iter_mut().zip(first).zip(step) {
            vectorised!(pulp::Arch::new(), {
                for (x, place) in places.iter_mut().enumerate() {
                    *place = (first + f64::from(x as i32) * step) as f32;
                }
            });
        }
    }
}

impl Places for IndexMap {
    type Slice = usize;

    fn slice(&self, z: usize) -> usize {
        z
    }

    fn row(&self, z: &usize, y: usize, places: &mut [Vec<f32>; 3]) {
        self.fill_row(y, *z, places);
    }
}

/// The parameters of a linear motion: rotation angles or entries of a matrix, times a length, and a translation in mm,
/// so that a unit of each moves the voxels of the image by about a millimetre.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LinearMotion {
    Rigid { center: Vector, length: f64 },
    Affine { center: Vector, length: f64 },
}

impl LinearMotion {
    pub(crate) fn euler(center: Vector, length: f64, parameters: &[f64]) -> EulerTransform {
        let three = |from: usize| std::array::from_fn(|axis| parameters[from + axis]);
        EulerTransform::new(three(0).map(|angle: f64| angle / length), three(3), center)
    }

    /// The map of parameters.
    pub(crate) fn transform(&self, parameters: &[f64]) -> AffineTransform {
        match *self {
            Self::Rigid { center, length } => Self::euler(center, length, parameters).into(),
            Self::Affine { center, length } => {
                let matrix =
                    std::array::from_fn(|i| std::array::from_fn(|j| IDENTITY[i][j] + parameters[3 * i + j] / length));
                let translation = std::array::from_fn(|axis| parameters[9 + axis]);
                AffineTransform::new(matrix, translation, center)
            }
        }
    }

    /// From the derivatives by the matrix and the translation to those by the parameters.
    fn gradient(&self, parameters: &[f64], by_matrix: &Matrix, by_translation: Vector) -> Vec<f64> {
        match *self {
            Self::Rigid { center, length } => {
                let turned = Self::euler(center, length, parameters).matrix_derivatives().map(|derivative| {
                    let entries = derivative.as_flattened().iter().zip(by_matrix.as_flattened());
                    entries.map(|(entry, slope)| entry * slope).sum::<f64>() / length
                });
                [turned, by_translation].concat()
            }
            Self::Affine { length, .. } => {
                let entries = by_matrix.as_flattened().iter().map(|slope| slope / length);
                entries.chain(by_translation).collect()
            }
        }
    }

    fn center(&self) -> Vector {
        match *self {
            Self::Rigid { center, .. } | Self::Affine { center, .. } => center,
        }
    }
}

/// A linear motion between two images at one resolution.
pub(crate) struct LinearProblem<'a> {
    pub(crate) fixed: &'a Level,
    pub(crate) moving: &'a MovingImage,
    pub(crate) motion: LinearMotion,
    pub(crate) measure: Box<dyn Measure>,
    pub(crate) samples: Samples,
    pub(crate) derivative: Vec<f32>,
    /// Voxels that have to count.
    pub(crate) least: usize,
}

impl LinearProblem<'_> {
    pub(crate) fn evaluate(&mut self, parameters: &[f64]) -> Option<Evaluation> {
        let transform = self.motion.transform(parameters);
        let map = IndexMap::new(&self.fixed.grid, &self.moving.grid, &transform);
        let count = self.samples.fill(self.moving, self.fixed.mask.as_deref(), &map);
        if count < self.least {
            return None;
        }
        let value = self.measure.evaluate(&self.fixed.voxels, &self.samples, count, &mut self.derivative);
        let moments = self.moments();
        // Entry [i][0] is the sum of the forces along i, entry [i][1 + a] that times the voxel's index a.
        let forces: Vector = std::array::from_fn(|i| moments[i][0]);
        let to_point = matrix::transpose(&map.point_to_index);
        let grid = &self.fixed.grid;
        let origin = grid.index_to_point([0.0; 3]);
        let columns = IDENTITY.map(|unit| matrix::subtract(grid.index_to_point(unit), origin));
        let offset = matrix::subtract(origin, self.motion.center());
        let by_point: Matrix = std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                forces[i] * offset[j] + (0..3).map(|axis| moments[i][1 + axis] * columns[axis][j]).sum::<f64>()
            })
        });
        let by_matrix = matrix::product(&to_point, &by_point);
        let gradient = self.motion.gradient(parameters, &by_matrix, matrix::apply(&to_point, forces));
        Some(Evaluation { value, gradient })
    }

    /// Sums of the forces along each index axis of the moving image, and of their products with the voxel's indices.
    fn moments(&self) -> [[f64; 4]; 3] {
        let [width, height, depth] = self.fixed.grid.size();
        let plane = width * height;
        let of_slices: Vec<[[f64; 4]; 3]> = (0..depth)
            .into_par_iter()
            .map(|z| {
                let mut sums = [[0.0; 4]; 3];
                for y in 0..height {
                    let row = z * plane + y * width..z * plane + (y + 1) * width;
                    for (sums, slopes) in sums.iter_mut().zip(&self.samples.derivatives) {
                        let [sum, along] = row_moments(&self.derivative[row.clone()], &slopes[row.clone()]);
                        let terms = [sum, along, sum * y as f64, sum * z as f64];
                        sums.iter_mut().zip(terms).for_each(|(total, term)| *total += term);
                    }
                }
                sums
            })
            .collect();
        of_slices.iter().fold([[0.0; 4]; 3], |mut total, slice| {
            let entries = total.as_flattened_mut().iter_mut().zip(slice.as_flattened());
            entries.for_each(|(total, sum)| *total += sum);
            total
        })
    }
}

/// The sums of the products of two rows, and of the products times their place.
fn row_moments(values: &[f32], factors: &[f32]) -> [f64; 2] {
    let mut sums = [[0.0_f64; LANES]; 2];
    vectorised!(pulp::Arch::new(), {
        let chunks = values.chunks_exact(LANES).zip(factors.chunks_exact(LANES));
        for (chunk, (values, factors)) in chunks.enumerate() {
            for lane in 0..LANES {
                let product = f64::from(values[lane] * factors[lane]);
                sums[0][lane] += product;
                sums[1][lane] += product * f64::from((chunk * LANES + lane) as i32);
            }
        }
    });
    let done = values.len() / LANES * LANES;
    for (lane, (value, factor)) in values[done..].iter().zip(&factors[done..]).enumerate() {
        let product = f64::from(value * factor);
        sums[0][lane] += product;
        sums[1][lane] += product * (done + lane) as f64;
    }
    sums.map(|lanes| lanes.iter().sum())
}
