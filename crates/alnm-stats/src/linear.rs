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
    for j in 0..n {
        let pivot = l[j * n + j] - (0..j).map(|k| l[j * n + k] * l[j * n + k]).sum::<f64>();
        if pivot.is_nan() || pivot <= 1e-14 * a[j * n + j].abs() {
            return None;
        }
        let root = pivot.sqrt();
        l[j * n + j] = root;
        for i in j + 1..n {
            let s = l[i * n + j] - (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum::<f64>();
            l[i * n + j] = s / root;
        }
    }
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
