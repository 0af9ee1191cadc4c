//! Cubic B-splines on the voxels of a grid whose axes are those of the control points.
//!
//! The weights of a voxel are products of one weight for each axis, so that displacements of a whole grid are found
//! axis by axis, and so are the derivatives by the control points.

use alnm_imaging::{Geometry, vectorised};

use crate::transform::{SUPPORT, weight_derivatives, weights};

/// Numbers that are added up side by side.
const LANES: usize = 8;

/// The control points that the voxels of one axis depend on.
#[derive(Debug)]
struct Axis {
    /// First control point of each voxel's support.
    starts: Vec<usize>,
    weights: Vec<[f64; SUPPORT]>,
    /// The derivatives of the weights by the distance along the axis in mm.
    derivatives: Vec<[f64; SUPPORT]>,
    /// Runs of voxels that share their support: first voxel, one past the last, first control point.
    spans: Vec<(usize, usize, usize)>,
    /// The weights once more, one list for each control point of the support.
    lists: [Vec<f32>; SUPPORT],
    derivative_lists: [Vec<f32>; SUPPORT],
}

impl Axis {
    /// Voxel n lies at `first + n·step` among `points` control points, which are `spacing` mm apart.
    fn new(voxels: usize, points: usize, first: f64, step: f64, spacing: f64) -> Self {
        let place = |voxel: usize| {
            let position = first + voxel as f64 * step;
            let span = position.floor().clamp(1.0, points as f64 - 3.0);
            (span as usize - 1, position - span)
        };
        let starts: Vec<usize> = (0..voxels).map(|voxel| place(voxel).0).collect();
        let of_voxels = |function: fn(f64) -> [f64; SUPPORT], factor: f64| -> Vec<[f64; SUPPORT]> {
            (0..voxels).map(|voxel| function(place(voxel).1).map(|weight| weight * factor)).collect()
        };
        let (weights, derivatives) = (of_voxels(weights, 1.0), of_voxels(weight_derivatives, 1.0 / spacing));
        let lists = |of: &[[f64; SUPPORT]]| -> [Vec<f32>; SUPPORT] {
            std::array::from_fn(|k| of.iter().map(|weights| weights[k] as f32).collect())
        };
        let mut spans: Vec<(usize, usize, usize)> = Vec::new();
        for (voxel, &start) in starts.iter().enumerate() {
            match spans.last_mut() {
                Some(span) if span.2 == start => span.1 = voxel + 1,
                _ => spans.push((voxel, voxel + 1, start)),
            }
        }
        let (lists, derivative_lists) = (lists(&weights), lists(&derivatives));
        Self { starts, weights, derivatives, spans, lists, derivative_lists }
    }

    fn of(&self, voxel: usize, derivative: bool) -> (usize, &[f64; SUPPORT]) {
        let weights = if derivative { &self.derivatives[voxel] } else { &self.weights[voxel] };
        (self.starts[voxel], weights)
    }
}

/// The B-splines of a grid of control points on the voxels of a grid with the same axes.
#[derive(Debug)]
pub(crate) struct Lattice {
    /// Control points along x, y and z.
    points: [usize; 3],
    axes: [Axis; 3],
}

impl Lattice {
    pub(crate) fn new(control_grid: &Geometry, grid: &Geometry) -> Self {
        let place = |voxel: [f64; 3]| control_grid.point_to_index(grid.index_to_point(voxel));
        let points = control_grid.size();
        let axes = std::array::from_fn(|axis| {
            let first = place([0.0; 3])[axis];
            let step = place(std::array::from_fn(|other| f64::from(u8::from(other == axis))))[axis] - first;
            Axis::new(grid.size()[axis], points[axis], first, step, control_grid.spacing()[axis])
        });
        Self { points, axes }
    }

    fn plane(&self) -> usize {
        self.points[0] * self.points[1]
    }

    /// Coefficients of the plane of slice z, component by component: those of the control points weighted along z.
    pub(crate) fn slice(&self, coefficients: &[f64], z: usize, derivative: bool) -> Vec<f64> {
        let (start, weights) = self.axes[2].of(z, derivative);
        let (plane, volume) = (self.plane(), self.plane() * self.points[2]);
        let mut result = vec![0.0; 3 * plane];
        for (component, target) in result.chunks_mut(plane).enumerate() {
            for (k, weight) in weights.iter().enumerate() {
                let source = &coefficients[component * volume + (start + k) * plane..][..plane];
                target.iter_mut().zip(source).for_each(|(sum, coefficient)| *sum += weight * coefficient);
            }
        }
        result
    }

    /// Coefficients of the line of row y, component by component.
    pub(crate) fn row(&self, slice: &[f64], y: usize, derivative: bool) -> [Vec<f64>; 3] {
        let (start, weights) = self.axes[1].of(y, derivative);
        let width = self.points[0];
        std::array::from_fn(|component| {
            let source = &slice[component * self.plane() + start * width..][..SUPPORT * width];
            (0..width).map(|x| (0..SUPPORT).map(|j| weights[j] * source[j * width + x]).sum()).collect()
        })
    }

    /// Adds the spline of a line of coefficients to the values of a row.
    pub(crate) fn add_row(&self, coefficients: &[f64], derivative: bool, values: &mut [f32]) {
        let axis = &self.axes[0];
        let lists = if derivative { &axis.derivative_lists } else { &axis.lists };
        vectorised!(pulp::Arch::new(), {
            for &(from, to, start) in &axis.spans {
                let mut c = [0.0_f32; SUPPORT];
                for (k, c) in c.iter_mut().enumerate() {
                    *c = coefficients[start + k] as f32;
                }
                let [w0, w1, w2, w3] =
                    [&lists[0][from..to], &lists[1][from..to], &lists[2][from..to], &lists[3][from..to]];
                for ((((value, w0), w1), w2), w3) in values[from..to].iter_mut().zip(w0).zip(w1).zip(w2).zip(w3) {
                    *value += c[0] * w0 + c[1] * w1 + c[2] * w2 + c[3] * w3;
                }
            }
        });
    }

    /// Adds to a line of coefficients what the values of a row, times `factors`, give them: the transpose of
    /// [`Lattice::add_row`].
    pub(crate) fn collect_row(&self, values: &[f32], factors: &[f32], coefficients: &mut [f64]) {
        let axis = &self.axes[0];
        vectorised!(pulp::Arch::new(), {
            for &(from, to, start) in &axis.spans {
                let mut sums = [[0.0_f64; LANES]; SUPPORT];
                let mut at = from;
                while at + LANES <= to {
                    let mut product = [0.0_f32; LANES];
                    for lane in 0..LANES {
                        product[lane] = values[at + lane] * factors[at + lane];
                    }
                    for (sums, list) in sums.iter_mut().zip(&axis.lists) {
                        let weights = &list[at..at + LANES];
                        for lane in 0..LANES {
                            sums[lane] += f64::from(product[lane] * weights[lane]);
                        }
                    }
                    at += LANES;
                }
                for (lane, x) in (at..to).enumerate() {
                    let product = values[x] * factors[x];
                    for (sums, list) in sums.iter_mut().zip(&axis.lists) {
                        sums[lane] += f64::from(product * list[x]);
                    }
                }
                for (k, sums) in sums.iter().enumerate() {
                    coefficients[start + k] += sums.iter().sum::<f64>();
                }
            }
        });
    }

    /// Adds a line of coefficients of row y to those of its slice: the transpose of [`Lattice::row`].
    pub(crate) fn collect_slice(&self, line: &[f64], component: usize, y: usize, slice: &mut [f64]) {
        let (start, weights) = self.axes[1].of(y, false);
        let width = self.points[0];
        let rows = slice[component * self.plane() + start * width..][..SUPPORT * width].chunks_mut(width);
        for (row, weight) in rows.zip(weights) {
            row.iter_mut().zip(line).for_each(|(sum, value)| *sum += weight * value);
        }
    }

    /// The coefficients of all slices brought together: the transpose of [`Lattice::slice`].
    pub(crate) fn collect(&self, slices: &[Vec<f64>]) -> Vec<f64> {
        let (plane, volume) = (self.plane(), self.plane() * self.points[2]);
        let mut result = vec![0.0; 3 * volume];
        for (z, slice) in slices.iter().enumerate() {
            let (start, weights) = self.axes[2].of(z, false);
            for (component, source) in slice.chunks(plane).enumerate() {
                for (k, weight) in weights.iter().enumerate() {
                    let target = &mut result[component * volume + (start + k) * plane..][..plane];
                    target.iter_mut().zip(source).for_each(|(sum, value)| *sum += weight * value);
                }
            }
        }
        result
    }

    /// An empty plane of coefficients of three components.
    pub(crate) fn empty_slice(&self) -> Vec<f64> {
        vec![0.0; 3 * self.plane()]
    }

    /// An empty line of coefficients.
    pub(crate) fn empty_line(&self) -> Vec<f64> {
        vec![0.0; self.points[0]]
    }
}
