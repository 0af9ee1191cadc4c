//! Small dense symmetric systems, for the handful of unknowns that a local regression or a recalibration has.

/// Solves `A x = b` for a symmetric positive definite `A`, given row by row, by Cholesky factorisation. `None` when `A`
/// is not (numerically) positive definite.
///
/// ```
/// let x = alnm_stats::linear::solve_symmetric(&[4.0, 2.0, 2.0, 3.0], &[2.0, 1.0]).unwrap();
/// assert!((x[0] - 0.5).abs() < 1e-15 && x[1].abs() < 1e-15);
/// ```
///
/// # Panics
/// When `a` does not hold `b.len()` squared values.
#[must_use]
pub fn solve_symmetric(a: &[f64], b: &[f64]) -> Option<Vec<f64>> {
    let n = b.len();
    assert_eq!(a.len(), n * n, "the matrix must be square and match the right-hand side");
    let mut l = a.to_vec();
    cholesky(&mut l, n)?;
    let mut x = b.to_vec();
    for i in 0..n {
        for k in 0..i {
            x[i] -= l[i * n + k] * x[k];
        }
        x[i] /= l[i * n + i];
    }
    for i in (0..n).rev() {
        for k in i + 1..n {
            x[i] -= l[k * n + i] * x[k];
        }
        x[i] /= l[i * n + i];
    }
    Some(x)
}

/// The inverse of the symmetric positive definite matrix `a` (row-major), by Cholesky's factorisation; `None` when `a`
/// is not positive definite.
///
/// ```
/// let inverse = alnm_stats::linear::invert_symmetric(&[4.0, 2.0, 2.0, 3.0], 2).unwrap();
/// assert!((inverse[0] - 0.375).abs() < 1e-15 && (inverse[1] + 0.25).abs() < 1e-15);
/// ```
///
/// # Panics
/// When `a` does not hold `size` squared values.
#[must_use]
pub fn invert_symmetric(a: &[f64], size: usize) -> Option<Vec<f64>> {
    assert_eq!(a.len(), size * size, "the matrix must be square");
    let mut factor = a.to_vec();
    cholesky(&mut factor, size)?;
    // L⁻¹ column by column, in rows of its own; the inverse of `a` is L⁻ᵀ L⁻¹.
    let mut lower = vec![0.0; size * size];
    for c in 0..size {
        for i in c..size {
            let unit = if i == c { 1.0 } else { 0.0 };
            let known: f64 = (c..i).map(|k| factor[i * size + k] * lower[k * size + c]).sum();
            lower[i * size + c] = (unit - known) / factor[i * size + i];
        }
    }
    let mut inverse = vec![0.0; size * size];
    for i in 0..size {
        for j in 0..=i {
            let value = (i..size).map(|k| lower[k * size + i] * lower[k * size + j]).sum();
            inverse[i * size + j] = value;
            inverse[j * size + i] = value;
        }
    }
    Some(inverse)
}

/// Overwrites the lower triangle of `a` by its factor L with a = L Lᵀ; `None` when `a` is not positive definite.
fn cholesky(a: &mut [f64], n: usize) -> Option<()> {
    for j in 0..n {
        let diagonal = a[j * n + j];
        let pivot = diagonal - (0..j).map(|k| a[j * n + k] * a[j * n + k]).sum::<f64>();
        if pivot.is_nan() || pivot <= 1e-14 * diagonal.abs() {
            return None;
        }
        let root = pivot.sqrt();
        a[j * n + j] = root;
        for i in j + 1..n {
            let s = a[i * n + j] - (0..j).map(|k| a[i * n + k] * a[j * n + k]).sum::<f64>();
            a[i * n + j] = s / root;
        }
    }
    Some(())
}
