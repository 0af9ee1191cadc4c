//! Matrices of three rows and columns.

pub(crate) type Matrix = [[f64; 3]; 3];
pub(crate) type Vector = [f64; 3];

pub(crate) const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

pub(crate) fn product(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

pub(crate) fn apply(a: &Matrix, v: Vector) -> Vector {
    a.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
}

pub(crate) fn transpose(a: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| a[j][i]))
}

pub(crate) fn add(a: Vector, b: Vector) -> Vector {
    std::array::from_fn(|axis| a[axis] + b[axis])
}

pub(crate) fn subtract(a: Vector, b: Vector) -> Vector {
    std::array::from_fn(|axis| a[axis] - b[axis])
}

/// The matrix of cofactors, the derivative of the determinant by each entry.
pub(crate) fn cofactors(m: &Matrix) -> Matrix {
    std::array::from_fn(|i| {
        std::array::from_fn(|j| {
            let (a, b, c, d) = ((i + 1) % 3, (i + 2) % 3, (j + 1) % 3, (j + 2) % 3);
            m[a][c] * m[b][d] - m[a][d] * m[b][c]
        })
    })
}

pub(crate) fn determinant(m: &Matrix) -> f64 {
    let cofactors = cofactors(m);
    (0..3).map(|j| m[0][j] * cofactors[0][j]).sum()
}

/// The rotation about one of the axes x, y and z.
pub(crate) fn rotation(axis: usize, angle: f64) -> Matrix {
    turned(axis, angle.sin_cos(), 1.0)
}

/// The derivative of [`rotation`] by its angle.
pub(crate) fn rotation_derivative(axis: usize, angle: f64) -> Matrix {
    let (sin, cos) = angle.sin_cos();
    turned(axis, (cos, -sin), 0.0)
}

fn turned(axis: usize, (sin, cos): (f64, f64), along: f64) -> Matrix {
    let (a, b) = ((axis + 1) % 3, (axis + 2) % 3);
    let mut matrix = [[0.0; 3]; 3];
    matrix[axis][axis] = along;
    (matrix[a][a], matrix[a][b], matrix[b][a], matrix[b][b]) = (cos, -sin, sin, cos);
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cofactors_and_determinants() {
        let m = [[2.0, 0.5, -1.0], [0.25, 3.0, 0.0], [1.0, -2.0, 1.5]];
        let products = product(&m, &transpose(&cofactors(&m)));
        for (i, row) in products.iter().enumerate() {
            for (j, entry) in row.iter().enumerate() {
                assert!((entry - determinant(&m) * IDENTITY[i][j]).abs() < 1e-13);
            }
        }
        assert!((determinant(&rotation(1, 0.7)) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn rotations_turn_the_second_axis_to_the_third() {
        let turned = apply(&rotation(0, std::f64::consts::FRAC_PI_2), [0.0, 1.0, 0.0]);
        assert!((turned[2] - 1.0).abs() < 1e-15 && turned[1].abs() < 1e-15);
        for axis in 0..3 {
            let (step, angle) = (1e-6, 0.4);
            let (low, high) = (rotation(axis, angle - step), rotation(axis, angle + step));
            for (i, row) in rotation_derivative(axis, angle).iter().enumerate() {
                for (j, entry) in row.iter().enumerate() {
                    assert!((entry - (high[i][j] - low[i][j]) / (2.0 * step)).abs() < 1e-9);
                }
            }
        }
    }
}
