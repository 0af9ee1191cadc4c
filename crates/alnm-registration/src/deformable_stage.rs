//! A B-spline deformation at one resolution.

use alnm_imaging::Geometry;
use rayon::prelude::*;

use crate::bending::BendingEnergy;
use crate::error::{RegistrationError, Result};
use crate::lattice::Lattice;
use crate::lesion::LesionEnergy;
use crate::linear_stage::IndexMap;
use crate::matrix::{self, Matrix};
use crate::measure::Measure;
use crate::optimiser::Evaluation;
use crate::pyramid::Level;
use crate::samples::{MovingImage, Places, Samples};
use crate::transform::SUPPORT;

/// Grids of control points on one region, each with half the spacing of the one before.
#[derive(Debug, Clone)]
pub(crate) struct ControlGrids {
    fixed: Geometry,
    /// Spans of the finest grid.
    spans: [usize; 3],
    levels: usize,
}

impl ControlGrids {
    /// Grids for an image, the finest of which has control points at most `spacing` mm apart.
    ///
    /// # Errors
    /// [`RegistrationError::InvalidParameter`] when there would be more of them than voxels.
    pub(crate) fn new(fixed: &Geometry, spacing: f64, levels: usize) -> Result<Self> {
        let (size, distance) = (fixed.size(), fixed.spacing());
        let wanted: [f64; 3] =
            std::array::from_fn(|axis| (size[axis] as f64 * distance[axis] / spacing).ceil().max(1.0));
        let count: f64 = wanted.iter().product();
        if count > fixed.voxel_count() as f64 {
            return Err(RegistrationError::InvalidParameter {
                parameter: "grid_spacing",
                value: format!("{spacing} mm, with {count} cells between control points"),
                requirement: "there must be at most one cell for each voxel of the fixed image; make it larger",
            });
        }
        let spans = wanted.map(|wanted| {
            let wanted = wanted as usize;
            // Each coarser grid has half the spans.
            let step = (1 << (levels - 1)).min(wanted.next_power_of_two());
            wanted.div_ceil(step) * step
        });
        Ok(Self { fixed: fixed.clone(), spans, levels })
    }

    fn spans_at(&self, level: usize) -> [usize; 3] {
        self.spans.map(|spans| {
            let halvings = (self.levels - 1 - level).min(spans.trailing_zeros() as usize);
            spans >> halvings
        })
    }

    /// The grid of a level; its valid region reaches from edge to edge of the image.
    pub(crate) fn grid(&self, level: usize) -> Result<Geometry> {
        let (size, distance) = (self.fixed.size(), self.fixed.spacing());
        let spans = self.spans_at(level);
        let extent: [f64; 3] = std::array::from_fn(|axis| size[axis] as f64 * distance[axis]);
        let spacing: [f64; 3] = std::array::from_fn(|axis| extent[axis] / spans[axis] as f64);
        let first = std::array::from_fn(|axis| -0.5 - spacing[axis] / distance[axis]);
        let points = spans.map(|spans| spans + SUPPORT - 1);
        Ok(Geometry::new(points, spacing, self.fixed.index_to_point(first), self.fixed.direction())?)
    }

    /// The same deformation on the grid of a level, from that of the level before.
    pub(crate) fn refine(&self, coefficients: &[f64], level: usize) -> Vec<f64> {
        let (old, new) = (self.spans_at(level - 1), self.spans_at(level));
        let mut size = old.map(|spans| spans + SUPPORT - 1);
        let mut values = coefficients.to_vec();
        for axis in 0..3 {
            if new[axis] != old[axis] {
                values = halve_spacing(&values, size, axis);
                size[axis] = new[axis] + SUPPORT - 1;
            }
        }
        values
    }
}

/// The coefficients of the same splines between control points half as far apart, along one axis.
fn halve_spacing(values: &[f64], size: [usize; 3], axis: usize) -> Vec<f64> {
    let stride: usize = size[..axis].iter().product();
    let (old, new) = (size[axis], 2 * (size[axis] - SUPPORT + 1) + SUPPORT - 1);
    let mut result = Vec::with_capacity(values.len() / old * new);
    for block in values.chunks(stride * old) {
        let row = |n: usize| &block[n * stride..][..stride];
        for n in 0..new {
            // Old control point i lies on new control point 2i − 1.
            if n % 2 == 0 {
                let (low, high) = (row(n / 2), row(n / 2 + 1));
                result.extend(low.iter().zip(high).map(|(low, high)| (low + high) / 2.0));
            } else {
                let i = n.div_ceil(2);
                let (low, here, high) = (row(i - 1), row(i), row(i + 1));
                let three = low.iter().zip(here).zip(high);
                result.extend(three.map(|((low, here), high)| (low + 6.0 * here + high) / 8.0));
            }
        }
    }
    result
}

/// Where a deformation, and then a linear map, take the voxels of the fixed image.
struct DeformedPlaces<'a> {
    lattice: &'a Lattice,
    coefficients: &'a [f64],
    linear: &'a IndexMap,
    /// How the index in the moving image changes with the displacement.
    by_displacement: Matrix,
}

impl Places for DeformedPlaces<'_> {
    type Slice = (usize, Vec<f64>);

    fn slice(&self, z: usize) -> Self::Slice {
        (z, self.lattice.slice(self.coefficients, z, false))
    }

    fn row(&self, (z, slice): &Self::Slice, y: usize, places: &mut [Vec<f32>; 3]) {
        self.linear.fill_row(y, *z, places);
        let [a, b, c] = self.lattice.row(slice, y, false);
        for (places, by) in places.iter_mut().zip(self.by_displacement) {
            let lines = a.iter().zip(&b).zip(&c);
            let line: Vec<f64> = lines.map(|((a, b), c)| by[0] * a + by[1] * b + by[2] * c).collect();
            self.lattice.add_row(&line, false, places);
        }
    }
}

/// A deformation between two images at one resolution.
pub(crate) struct DeformableProblem<'a> {
    pub(crate) fixed: &'a Level,
    pub(crate) moving: &'a MovingImage,
    pub(crate) linear: IndexMap,
    /// The matrix of the linear map that follows the deformation.
    pub(crate) linear_matrix: Matrix,
    pub(crate) lattice: Lattice,
    pub(crate) measure: Box<dyn Measure>,
    pub(crate) samples: Samples,
    pub(crate) derivative: Vec<f32>,
    /// Voxels that have to count.
    pub(crate) least: usize,
    pub(crate) bending: BendingEnergy,
    pub(crate) bending_weight: f64,
    pub(crate) lesion: Option<LesionEnergy>,
    pub(crate) lesion_weight: f64,
}

impl DeformableProblem<'_> {
    pub(crate) fn evaluate(&mut self, coefficients: &[f64]) -> Option<Evaluation> {
        let by_displacement = matrix::product(&self.linear.point_to_index, &self.linear_matrix);
        let places = DeformedPlaces { lattice: &self.lattice, coefficients, linear: &self.linear, by_displacement };
        let count = self.samples.fill(self.moving, self.fixed.mask.as_deref(), &places);
        if count < self.least {
            return None;
        }
        let mut value = self.measure.evaluate(&self.fixed.voxels, &self.samples, count, &mut self.derivative);
        let forces = self.forces();
        let mut gradient = to_displacements(&forces, &matrix::transpose(&by_displacement));
        if self.bending_weight > 0.0 {
            value += self.bending_weight * self.bending.evaluate(coefficients, self.bending_weight, &mut gradient);
        }
        if let Some(lesion) = &self.lesion {
            value += self.lesion_weight * lesion.evaluate(coefficients, self.lesion_weight, &mut gradient);
        }
        Some(Evaluation { value, gradient })
    }

    /// The derivative of the measure by the control points, as if these moved along the index axes of the moving image.
    fn forces(&self) -> Vec<f64> {
        let [width, height, depth] = self.fixed.grid.size();
        let plane = width * height;
        let slices: Vec<Vec<f64>> = (0..depth)
            .into_par_iter()
            .map(|z| {
                let (mut slice, mut line) = (self.lattice.empty_slice(), self.lattice.empty_line());
                for y in 0..height {
                    let row = z * plane + y * width..z * plane + (y + 1) * width;
                    for (component, slopes) in self.samples.derivatives.iter().enumerate() {
                        line.fill(0.0);
                        self.lattice.collect_row(&self.derivative[row.clone()], &slopes[row.clone()], &mut line);
                        self.lattice.collect_slice(&line, component, y, &mut slice);
                    }
                }
                slice
            })
            .collect();
        self.lattice.collect(&slices)
    }
}

/// Forces along the index axes of the moving image, turned into derivatives by the displacements.
fn to_displacements(forces: &[f64], by: &Matrix) -> Vec<f64> {
    let count = forces.len() / 3;
    let [x, y, z] = [0, 1, 2].map(|component| &forces[component * count..][..count]);
    let mut result = Vec::with_capacity(forces.len());
    for row in by {
        result.extend((0..count).map(|i| row[0] * x[i] + row[1] * y[i] + row[2] * z[i]));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::BSplineTransform;

    /// A smooth image on a grid, shifted and bent.
    fn wave(grid: &Geometry, bend: f64) -> Vec<f32> {
        let voxel = |position: usize| {
            let [x, y, z] = grid.index_to_point(grid.index_of(position).map(|index| index as f64));
            ((0.25 * (x + bend * (0.1 * y).sin())).sin() + (0.2 * y + 0.15 * z + bend * 0.1).cos()) as f32
        };
        (0..grid.voxel_count()).map(voxel).collect()
    }

    #[test]
    fn the_gradient_is_that_of_the_objective() {
        use crate::params::SimilarityMeasure;
        use crate::transform::{AffineTransform, EulerTransform};

        let grid = Geometry::axis_aligned([30, 26, 12], [1.0, 1.2, 2.0]).unwrap();
        let fixed = Level { voxels: wave(&grid, 0.0), grid: grid.clone(), mask: None };
        let moving = MovingImage::new(Level { voxels: wave(&grid, 1.5), grid: grid.clone(), mask: None });
        let affine = AffineTransform::from(EulerTransform::new([0.02, -0.01, 0.03], [0.3, -0.2, 0.4], [15.0; 3]));
        let control = ControlGrids::new(&grid, 12.0, 1).unwrap().grid(0).unwrap();
        for measure in [SimilarityMeasure::MeanSquares, SimilarityMeasure::LocalCorrelation { radius: 2 }] {
            let mut problem = DeformableProblem {
                fixed: &fixed,
                moving: &moving,
                linear: IndexMap::new(&grid, &grid, &affine),
                linear_matrix: affine.matrix(),
                lattice: Lattice::new(&control, &grid),
                measure: crate::measure::on_level(measure, &fixed, (-2.0, 2.0)),
                samples: Samples::new(grid.size()),
                derivative: vec![0.0; grid.voxel_count()],
                least: 1,
                bending: BendingEnergy::new(&control),
                bending_weight: 0.5,
                lesion: None,
                lesion_weight: 0.0,
            };
            let mut coefficients: Vec<f64> =
                (0..3 * control.voxel_count()).map(|i| 0.3 * ((i * 37) as f64).sin()).collect();
            let gradient = problem.evaluate(&coefficients).unwrap().gradient;
            let steepest = gradient.iter().fold(0.0_f64, |largest, slope| largest.max(slope.abs()));
            for at in (0..coefficients.len()).step_by(41) {
                let here = coefficients[at];
                let mut value = |by: f64| {
                    coefficients[at] = here + by;
                    problem.evaluate(&coefficients).unwrap().value
                };
                let numeric = (value(0.02) - value(-0.02)) / 0.04;
                coefficients[at] = here;
                assert!(
                    (gradient[at] - numeric).abs() < 0.03 * steepest,
                    "{measure:?} {at}: {} {numeric}",
                    gradient[at]
                );
            }
        }
    }

    #[test]
    fn refined_deformations_are_the_same() {
        let fixed = Geometry::axis_aligned([40, 31, 9], [1.0, 1.0, 2.5]).unwrap();
        let grids = ControlGrids::new(&fixed, 9.0, 3).unwrap();
        let coarse = grids.grid(0).unwrap();
        let mut coefficients: Vec<f64> =
            (0..3 * coarse.voxel_count()).map(|i| ((i * 7) % 11) as f64 / 5.0 - 1.0).collect();
        let first = BSplineTransform::new(coarse, coefficients.clone()).unwrap();
        for level in 1..3 {
            coefficients = grids.refine(&coefficients, level);
            let refined = BSplineTransform::new(grids.grid(level).unwrap(), coefficients.clone()).unwrap();
            for voxel in [[0.0, 0.0, 0.0], [39.0, 30.0, 8.0], [13.0, 7.5, 3.2], [-0.49, 30.4, 8.4]] {
                let point = fixed.index_to_point(voxel);
                let (a, b) = (first.apply(point), refined.apply(point));
                assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12), "{a:?} {b:?}");
                assert_ne!(a, point);
            }
        }
        assert!(grids.grid(2).unwrap().spacing().iter().all(|&spacing| spacing <= 9.0));
    }
}
