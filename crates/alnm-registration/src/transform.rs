//! Maps of points of the fixed image to points of the moving image, in mm and LPS as in ITK.

mod bspline;
mod itk_file;
mod linear;

use serde::Serialize;

use crate::matrix::{self, IDENTITY, Matrix, Vector};

pub use bspline::BSplineTransform;
pub(crate) use bspline::{SUPPORT, weight_derivatives, weight_second_derivatives, weights};
pub use itk_file::{read_transform, write_transform};
pub use linear::{AffineTransform, EulerTransform};

/// One map among those of a [`SpatialTransform`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub enum TransformPart {
    /// A rotation about a centre and a translation.
    Euler(EulerTransform),
    /// A matrix about a centre and a translation.
    Affine(AffineTransform),
    /// A cubic B-spline free-form deformation.
    BSpline(BSplineTransform),
}

impl TransformPart {
    /// Where a point goes, in mm.
    #[must_use]
    pub fn apply(&self, point: [f64; 3]) -> [f64; 3] {
        match self {
            Self::Euler(euler) => euler.apply(point),
            Self::Affine(affine) => affine.apply(point),
            Self::BSpline(spline) => spline.apply(point),
        }
    }

    /// The derivative of the map at a point: row i holds ∂T_i/∂x_j.
    #[must_use]
    pub fn derivative(&self, point: [f64; 3]) -> [[f64; 3]; 3] {
        match self {
            Self::Euler(euler) => euler.matrix(),
            Self::Affine(affine) => affine.matrix(),
            Self::BSpline(spline) => spline.derivative(point),
        }
    }
}

/// A map from points of the fixed image to points of the moving image.
///
/// ```text
/// T(x) = T₁(T₂(… Tₙ(x)))
/// ```
///
/// The parts stand in the order of ITK's composite transform: the last one acts first. Without parts it is the
/// identity.
///
/// ```
/// use alnm_registration::{EulerTransform, SpatialTransform};
///
/// let shift = EulerTransform::new([0.0; 3], [2.0, 0.0, -1.0], [0.0; 3]);
/// let transform = SpatialTransform::from(shift);
/// assert_eq!(transform.apply([10.0, 10.0, 10.0]), [12.0, 10.0, 9.0]);
/// assert_eq!(transform.jacobian_determinant([0.0; 3]), 1.0);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SpatialTransform {
    parts: Vec<TransformPart>,
}

impl SpatialTransform {
    /// The map that leaves every point where it is.
    #[must_use]
    pub fn identity() -> Self {
        Self::default()
    }

    /// A chain of maps of which the last acts first.
    #[must_use]
    pub fn new(parts: Vec<TransformPart>) -> Self {
        Self { parts }
    }

    /// The maps; the last acts first.
    #[must_use]
    pub fn parts(&self) -> &[TransformPart] {
        &self.parts
    }

    /// Where a point of the fixed image lies in the moving image, in mm.
    #[must_use]
    pub fn apply(&self, point: [f64; 3]) -> [f64; 3] {
        self.parts.iter().rev().fold(point, |point, part| part.apply(point))
    }

    /// How far a point moves, in mm.
    #[must_use]
    pub fn displacement(&self, point: [f64; 3]) -> [f64; 3] {
        matrix::subtract(self.apply(point), point)
    }

    /// The derivative of the map at a point: row i holds ∂T_i/∂x_j.
    #[must_use]
    pub fn derivative(&self, point: [f64; 3]) -> [[f64; 3]; 3] {
        let start: (Matrix, Vector) = (IDENTITY, point);
        let chain = |(inner, point): (Matrix, Vector), part: &TransformPart| {
            (matrix::product(&part.derivative(point), &inner), part.apply(point))
        };
        self.parts.iter().rev().fold(start, chain).0
    }

    /// The factor by which the map changes the volume of tissue at a point, det ∂T/∂x: 1 where it keeps it, 0 or less
    /// where it folds.
    #[must_use]
    pub fn jacobian_determinant(&self, point: [f64; 3]) -> f64 {
        matrix::determinant(&self.derivative(point))
    }
}

impl From<EulerTransform> for SpatialTransform {
    fn from(euler: EulerTransform) -> Self {
        Self::new(vec![TransformPart::Euler(euler)])
    }
}

impl From<AffineTransform> for SpatialTransform {
    fn from(affine: AffineTransform) -> Self {
        Self::new(vec![TransformPart::Affine(affine)])
    }
}

impl From<BSplineTransform> for SpatialTransform {
    fn from(spline: BSplineTransform) -> Self {
        Self::new(vec![TransformPart::BSpline(spline)])
    }
}
