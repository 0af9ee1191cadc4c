//! Jacobian determinants: how a map changes the volume of tissue.

use alnm_imaging::{Geometry, LabelMap, Volume};
use rayon::prelude::*;
use serde::Serialize;

use crate::error::{RegistrationError, Result};
use crate::lattice::Lattice;
use crate::matrix::{self, IDENTITY, Matrix};
use crate::transform::{BSplineTransform, SpatialTransform, TransformPart};

/// Tolerance of axes that count as the same.
const SAME_AXES: f64 = 1e-9;

/// The Jacobian determinant of a map in a region.
///
/// A determinant of 1 keeps the volume of tissue, 0.9 means that the tissue at a voxel of the fixed image takes nine
/// tenths of its volume in the moving image, and 0 or less that tissue is folded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct JacobianSummary {
    /// Voxels of the region.
    pub voxels: usize,
    /// Voxels whose determinant is 0 or less.
    pub folded: usize,
    /// Smallest determinant.
    pub minimum: f64,
    /// Mean determinant: the volume of the region in the moving image over that in the fixed image.
    pub mean: f64,
    /// Largest determinant.
    pub maximum: f64,
    /// The mean less 1: the share by which the region is larger in the moving image.
    pub volume_change: f64,
}

/// The Jacobian determinant of a map at each voxel of a grid.
///
/// The determinant is that of the map itself, not of a displacement field sampled at the voxels.
///
/// ```
/// use alnm_imaging::Geometry;
/// use alnm_registration::{AffineTransform, SpatialTransform, jacobian_map};
///
/// let twice = AffineTransform::new([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [0.0; 3], [0.0; 3]);
/// let map = jacobian_map(&SpatialTransform::from(twice), &Geometry::axis_aligned([4, 4, 2], [1.0; 3])?);
/// assert!(map.as_slice().iter().all(|&determinant| determinant == 2.0));
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
#[must_use]
pub fn jacobian_map(transform: &SpatialTransform, grid: &Geometry) -> Volume<f32> {
    let mut map = Volume::filled(grid.clone(), 0.0_f32);
    let [width, height, _] = grid.size();
    if let Some((linear, spline)) = aligned_spline(transform, grid) {
        let lattice = Lattice::new(spline.control_grid(), grid);
        let factor = matrix::determinant(&linear);
        let axes = axis_derivatives(spline.control_grid());
        map.as_mut_slice().par_chunks_mut(width * height).enumerate().for_each(|(z, slice)| {
            let planes = [false, true].map(|derivative| lattice.slice(spline.coefficients(), z, derivative));
            let mut along = [[(); 3]; 3].map(|row| row.map(|()| vec![0.0_f32; width]));
            for (y, row) in slice.chunks_mut(width).enumerate() {
                fill_derivatives(&lattice, &planes, y, &mut along);
                for (x, voxel) in row.iter_mut().enumerate() {
                    // Entry [i][a]: how component i of the displacement changes along axis a.
                    let change: Matrix =
                        std::array::from_fn(|i| std::array::from_fn(|axis| f64::from(along[axis][i][x])));
                    let change = matrix::product(&change, &axes);
                    let derivative: Matrix =
                        std::array::from_fn(|i| std::array::from_fn(|j| IDENTITY[i][j] + change[i][j]));
                    *voxel = (factor * matrix::determinant(&derivative)) as f32;
                }
            }
        });
        return map;
    }
    map.as_mut_slice().par_chunks_mut(width).enumerate().for_each(|(line, row)| {
        for (x, voxel) in row.iter_mut().enumerate() {
            let index = [x, line % height, line / height].map(|index| index as f64);
            *voxel = transform.jacobian_determinant(grid.index_to_point(index)) as f32;
        }
    });
    map
}

/// Writes how the displacement of a row's voxels changes along each axis.
fn fill_derivatives(lattice: &Lattice, planes: &[Vec<f64>; 2], y: usize, along: &mut [[Vec<f32>; 3]; 3]) {
    for (axis, along) in along.iter_mut().enumerate() {
        let lines = lattice.row(&planes[usize::from(axis == 2)], y, axis == 1);
        for (line, values) in lines.iter().zip(along) {
            values.fill(0.0);
            lattice.add_row(line, axis == 0, values);
        }
    }
}

/// The derivative of the place along each axis of a grid in mm, row by row, by the point.
fn axis_derivatives(grid: &Geometry) -> Matrix {
    let (origin, spacing) = (grid.origin(), grid.spacing());
    let columns = IDENTITY.map(|unit| grid.point_to_index(matrix::add(origin, unit)));
    std::array::from_fn(|axis| std::array::from_fn(|j| columns[j][axis] * spacing[axis]))
}

/// The B-spline that acts first and the matrix of the linear maps that follow, where the spline's control points have
/// the axes of a grid and reach as far as it.
fn aligned_spline<'a>(transform: &'a SpatialTransform, grid: &Geometry) -> Option<(Matrix, &'a BSplineTransform)> {
    let (TransformPart::BSpline(spline), rest) = transform.parts().split_last()? else { return None };
    let mut linear = IDENTITY;
    for part in rest {
        let matrix = match part {
            TransformPart::Euler(euler) => euler.matrix(),
            TransformPart::Affine(affine) => affine.matrix(),
            TransformPart::BSpline(_) => return None,
        };
        linear = matrix::product(&linear, &matrix);
    }
    let control = spline.control_grid();
    let (a, b) = (control.direction(), grid.direction());
    let entries = a.as_flattened().iter().zip(b.as_flattened());
    if entries.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) > SAME_AXES {
        return None;
    }
    let ends = [[0.0; 3], grid.size().map(|voxels| voxels as f64 - 1.0)];
    let inside = ends.iter().all(|end| {
        let index = control.point_to_index(grid.index_to_point(*end));
        (0..3).all(|axis| index[axis] >= 1.0 && index[axis] <= control.size()[axis] as f64 - 2.0)
    });
    inside.then_some((linear, spline))
}

impl JacobianSummary {
    /// The determinants of a map in the voxels of a mask that are not 0.
    ///
    /// # Errors
    /// [`RegistrationError::EmptyMask`] when there is none.
    pub fn of(transform: &SpatialTransform, mask: &LabelMap) -> Result<Self> {
        let map = jacobian_map(transform, mask.geometry());
        Self::of_map(&map, Some(mask)).ok_or(RegistrationError::EmptyMask { mask: "region" })
    }

    /// The determinants of a map, within a mask where there is one; none of no voxel.
    pub(crate) fn of_map(map: &Volume<f32>, mask: Option<&LabelMap>) -> Option<Self> {
        let mut summary = Self {
            voxels: 0,
            folded: 0,
            minimum: f64::INFINITY,
            mean: 0.0,
            maximum: f64::NEG_INFINITY,
            volume_change: 0.0,
        };
        for (position, determinant) in map.as_slice().iter().enumerate() {
            if mask.is_none_or(|mask| mask.as_slice()[position] != 0) {
                let determinant = f64::from(*determinant);
                summary.voxels += 1;
                summary.folded += usize::from(determinant <= 0.0);
                summary.minimum = summary.minimum.min(determinant);
                summary.maximum = summary.maximum.max(determinant);
                summary.mean += determinant;
            }
        }
        if summary.voxels == 0 {
            return None;
        }
        summary.mean /= summary.voxels as f64;
        summary.volume_change = summary.mean - 1.0;
        Some(summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::{AffineTransform, EulerTransform};

    #[test]
    fn the_map_by_rows_is_the_map_point_by_point() {
        let direction = matrix::rotation(2, 0.3);
        let grid = Geometry::new([12, 10, 6], [1.0, 1.2, 2.0], [5.0, -3.0, 1.0], direction).unwrap();
        let first = grid.index_to_point([-5.5, -5.0, -4.0]);
        let control = Geometry::new([6, 6, 6], [5.0, 5.5, 6.0], first, direction).unwrap();
        let coefficients = (0..648).map(|i| ((i * 13) % 23) as f64 / 10.0 - 1.1).collect();
        let transform = SpatialTransform::new(vec![
            TransformPart::Affine(AffineTransform::new(
                [[1.1, 0.0, 0.1], [0.0, 0.9, 0.0], [0.0, 0.0, 1.0]],
                [1.0; 3],
                [2.0; 3],
            )),
            TransformPart::Euler(EulerTransform::new([0.1, 0.2, 0.3], [1.0, 2.0, 3.0], [0.0; 3])),
            TransformPart::BSpline(BSplineTransform::new(control, coefficients).unwrap()),
        ]);
        assert!(aligned_spline(&transform, &grid).is_some());
        let map = jacobian_map(&transform, &grid);
        for position in [0, 1, 57, 300, 719] {
            let point = grid.index_to_point(grid.index_of(position).map(|index| index as f64));
            let expected = transform.jacobian_determinant(point);
            assert!((f64::from(map.as_slice()[position]) - expected).abs() < 1e-5);
        }
        let turned = Geometry::axis_aligned([4, 4, 4], [1.0; 3]).unwrap();
        assert!(aligned_spline(&transform, &turned).is_none());
        let summary = JacobianSummary::of(&transform, &Volume::filled(grid, 1)).unwrap();
        assert_eq!(summary.voxels, 720);
        assert!(summary.minimum < summary.mean && summary.mean < summary.maximum);
    }
}
