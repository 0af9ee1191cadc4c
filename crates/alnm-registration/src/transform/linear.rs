//! Rotations and matrices about a centre.

use serde::Serialize;

use crate::matrix::{self, Matrix, Vector};

/// A rotation about a centre and a translation, ITK's `Euler3DTransform`:
///
/// ```text
/// T(x) = R_z·R_x·R_y·(x − c) + c + t
/// ```
///
/// with the angles in radians and all else in mm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EulerTransform {
    angles: [f64; 3],
    translation: [f64; 3],
    center: [f64; 3],
}

/// The order in which the rotations are multiplied.
const ORDER: [usize; 3] = [2, 0, 1];

impl EulerTransform {
    /// A rotation by `angles` about the axes x, y and z in radians, with the centre and translation in mm.
    #[must_use]
    pub fn new(angles: [f64; 3], translation: [f64; 3], center: [f64; 3]) -> Self {
        Self { angles, translation, center }
    }

    /// Angles about x, y and z in radians.
    #[must_use]
    pub fn angles(&self) -> [f64; 3] {
        self.angles
    }

    /// Translation in mm.
    #[must_use]
    pub fn translation(&self) -> [f64; 3] {
        self.translation
    }

    /// The centre of the rotation in mm.
    #[must_use]
    pub fn center(&self) -> [f64; 3] {
        self.center
    }

    /// The rotation.
    #[must_use]
    pub fn matrix(&self) -> [[f64; 3]; 3] {
        rotation_product(|axis| matrix::rotation(axis, self.angles[axis]))
    }

    /// The derivatives of the rotation by the angles about x, y and z.
    pub(crate) fn matrix_derivatives(&self) -> [Matrix; 3] {
        std::array::from_fn(|by| {
            rotation_product(|axis| {
                let turn = if axis == by { matrix::rotation_derivative } else { matrix::rotation };
                turn(axis, self.angles[axis])
            })
        })
    }

    /// Where a point goes, in mm.
    #[must_use]
    pub fn apply(&self, point: [f64; 3]) -> [f64; 3] {
        about(&self.matrix(), self.translation, self.center, point)
    }
}

fn rotation_product(factor: impl Fn(usize) -> Matrix) -> Matrix {
    let [first, second, third] = ORDER.map(factor);
    matrix::product(&matrix::product(&first, &second), &third)
}

fn about(m: &Matrix, translation: Vector, center: Vector, point: Vector) -> Vector {
    matrix::add(matrix::apply(m, matrix::subtract(point, center)), matrix::add(center, translation))
}

/// A matrix about a centre and a translation, ITK's `AffineTransform`:
///
/// ```text
/// T(x) = M·(x − c) + c + t
/// ```
///
/// with centre and translation in mm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AffineTransform {
    matrix: [[f64; 3]; 3],
    translation: [f64; 3],
    center: [f64; 3],
}

impl AffineTransform {
    /// A matrix, given by its rows, with translation and centre in mm.
    #[must_use]
    pub fn new(matrix: [[f64; 3]; 3], translation: [f64; 3], center: [f64; 3]) -> Self {
        Self { matrix, translation, center }
    }

    /// The rows of the matrix.
    #[must_use]
    pub fn matrix(&self) -> [[f64; 3]; 3] {
        self.matrix
    }

    /// Translation in mm.
    #[must_use]
    pub fn translation(&self) -> [f64; 3] {
        self.translation
    }

    /// The centre in mm.
    #[must_use]
    pub fn center(&self) -> [f64; 3] {
        self.center
    }

    /// Where a point goes, in mm.
    #[must_use]
    pub fn apply(&self, point: [f64; 3]) -> [f64; 3] {
        about(&self.matrix, self.translation, self.center, point)
    }
}

impl From<EulerTransform> for AffineTransform {
    fn from(euler: EulerTransform) -> Self {
        Self::new(euler.matrix(), euler.translation, euler.center)
    }
}
