//! Solvers for small dense symmetric systems, as they occur in a local regression, a recalibration or a regression of
//! one variable.

use crate::column_products;

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
    Some(Cholesky::new(a, b.len())?.solve(b))
}

/// The Cholesky factor L of a symmetric positive definite matrix A = L Lᵀ.
///
/// ```
/// use alnm_stats::linear::Cholesky;
/// let factor = Cholesky::new(&[4.0, 2.0, 2.0, 3.0], 2).unwrap();
/// assert!((factor.solve(&[2.0, 1.0])[0] - 0.5).abs() < 1e-15);
/// assert!((factor.inverse()[3] - 0.5).abs() < 1e-15);
/// assert!(Cholesky::new(&[1.0, 2.0, 2.0, 1.0], 2).is_none());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Cholesky {
    /// The lower triangle, row by row; what stands above it is that of A.
    factor: Vec<f64>,
    size: usize,
}

impl Cholesky {
    /// Factorises a matrix given row by row, of which the lower triangle is read. `None` when it is not (numerically)
    /// positive definite.
    ///
    /// # Panics
    /// When `a` does not hold `size` squared values.
    #[must_use]
    pub fn new(a: &[f64], size: usize) -> Option<Self> {
        let n = size;
        assert_eq!(a.len(), n * n, "the matrix must be square and match the right-hand side");
        let mut l = a.to_vec();
        // For each row j and each row i behind it the sum of l_ik l_jk over the columns k that are finished. A column adds
        // to all of them at once, which a processor does several at a time, and each sum keeps its order.
        let mut sums = vec![0.0; n * n];
        let mut column = vec![0.0; n];
        for j in 0..n {
            let pivot = l[j * n + j] - sums[j * n + j];
            if pivot.is_nan() || pivot <= 1e-14 * a[j * n + j].abs() {
                return None;
            }
            let root = pivot.sqrt();
            l[j * n + j] = root;
            for i in j + 1..n {
                column[i] = (l[i * n + j] - sums[j * n + i]) / root;
                l[i * n + j] = column[i];
            }
            for row in j + 1..n {
                let factor = column[row];
                let (sums, column) = (&mut sums[row * n + row..(row + 1) * n], &column[row..]);
                sums.iter_mut().zip(column).for_each(|(sum, x)| *sum += x * factor);
            }
        }
        Some(Self { factor: l, size })
    }

    /// The solution x of A x = b.
    ///
    /// # Panics
    /// When `b` has another length than the matrix has rows.
    #[must_use]
    pub fn solve(&self, b: &[f64]) -> Vec<f64> {
        self.solve_transposed(&self.solve_lower(b))
    }

    /// The solution x of L x = b.
    ///
    /// # Panics
    /// When `b` has another length than the matrix has rows.
    #[must_use]
    pub fn solve_lower(&self, b: &[f64]) -> Vec<f64> {
        let (n, l) = (self.size, &self.factor);
        assert_eq!(b.len(), n, "the right-hand side must match the matrix");
        let mut x = b.to_vec();
        for i in 0..n {
            for k in 0..i {
                x[i] -= l[i * n + k] * x[k];
            }
            x[i] /= l[i * n + i];
        }
        x
    }

    /// The solution x of Lᵀ x = b. With independent standard normal numbers in b, x has the covariance A⁻¹.
    ///
    /// # Panics
    /// When `b` has another length than the matrix has rows.
    #[must_use]
    pub fn solve_transposed(&self, b: &[f64]) -> Vec<f64> {
        let (n, l) = (self.size, &self.factor);
        assert_eq!(b.len(), n, "the right-hand side must match the matrix");
        let mut x = b.to_vec();
        for i in (0..n).rev() {
            for k in i + 1..n {
                x[i] -= l[k * n + i] * x[k];
            }
            x[i] /= l[i * n + i];
        }
        x
    }

    /// The product L z. With independent standard normal numbers in z, it has the covariance A.
    ///
    /// # Panics
    /// When `z` has another length than the matrix has rows.
    #[must_use]
    pub fn times_lower(&self, z: &[f64]) -> Vec<f64> {
        let (n, l) = (self.size, &self.factor);
        assert_eq!(z.len(), n, "the list must match the matrix");
        (0..n).map(|i| l[i * n..=i * n + i].iter().zip(z).map(|(l, z)| l * z).sum()).collect()
    }

    /// The inverse A⁻¹, row by row.
    #[must_use]
    pub fn inverse(&self) -> Vec<f64> {
        let n = self.size;
        let mut inverse = vec![0.0; n * n];
        for c in 0..n {
            let unit: Vec<f64> = (0..n).map(|r| f64::from(u8::from(r == c))).collect();
            for (r, value) in self.solve(&unit).into_iter().enumerate().skip(c) {
                inverse[r * n + c] = value;
                inverse[c * n + r] = value;
            }
        }
        inverse
    }

    /// The sum of the diagonal of A⁻¹.
    #[must_use]
    pub fn inverse_trace(&self) -> f64 {
        let n = self.size;
        // The diagonal of A⁻¹ = L⁻ᵀ L⁻¹ holds the squared lengths of the columns of L⁻¹.
        (0..n)
            .map(|c| {
                let mut column = vec![0.0; n - c];
                column[0] = 1.0 / self.factor[c * n + c];
                for i in c + 1..n {
                    let row = &self.factor[i * n + c..i * n + i];
                    let known: f64 = row.iter().zip(&column).map(|(l, x)| l * x).sum();
                    column[i - c] = -known / self.factor[i * n + i];
                }
                column.iter().map(|x| x * x).sum::<f64>()
            })
            .sum()
    }
}

/// The sum of the products of two lists, in a fixed order that a processor can take eight at a time.
///
/// # Panics
/// When the lists differ in length.
#[must_use]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "both lists must have one length");
    let (mut sums, whole) = ([0.0; 8], a.len() / 8 * 8);
    for (x, y) in a[..whole].chunks_exact(8).zip(b[..whole].chunks_exact(8)) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f64 = a[whole..].iter().zip(&b[whole..]).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f64>() + rest
}

/// The sum of a list, in a fixed order that a processor can take eight at a time.
#[must_use]
pub fn sum(values: &[f64]) -> f64 {
    let (mut sums, whole) = ([0.0; 8], values.len() / 8 * 8);
    for x in values[..whole].chunks_exact(8) {
        for lane in 0..8 {
            sums[lane] += x[lane];
        }
    }
    sums.iter().sum::<f64>() + values[whole..].iter().sum::<f64>()
}

/// The matrix Xᵀ W X of weighted products of columns, row by row, with the weights on the diagonal of W.
///
/// ```
/// let columns = [vec![1.0, 2.0], vec![0.0, 1.0]];
/// assert_eq!(alnm_stats::linear::weighted_products(&columns, &[1.0, 3.0]), [13.0, 6.0, 6.0, 3.0]);
/// ```
///
/// # Panics
/// When a column and the weights differ in length.
#[must_use]
pub fn weighted_products(columns: &[impl AsRef<[f64]>], weights: &[f64]) -> Vec<f64> {
    let columns: Vec<&[f64]> = columns.iter().map(AsRef::as_ref).collect();
    assert!(columns.iter().all(|column| column.len() == weights.len()), "a column must have a row for each weight");
    column_products::weighted(&columns, weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_inverts_and_whitens() {
        let columns: Vec<Vec<f64>> = (0..4)
            .map(|c| (0..19).map(|r| (f64::from(r * (c + 3)) * 0.7).sin() + f64::from(u8::from(c == 0))).collect())
            .collect();
        let weights: Vec<f64> = (0..19).map(|r| 1.0 + f64::from(r) / 10.0).collect();
        let a = weighted_products(&columns, &weights);
        assert!((sum(&weights) - weights.iter().sum::<f64>()).abs() < 1e-12);
        let slow: f64 = (0..19).map(|r| columns[1][r] * weights[r] * columns[3][r]).sum();
        assert!((a[4 + 3] - slow).abs() < 1e-12 && a[7] == a[13]);
        let factor = Cholesky::new(&a, 4).expect("independent columns");
        let inverse = factor.inverse();
        for i in 0..4 {
            for j in 0..4 {
                let product: f64 = (0..4).map(|k| a[i * 4 + k] * inverse[k * 4 + j]).sum();
                assert!((product - f64::from(u8::from(i == j))).abs() < 1e-12);
            }
        }
        assert!((factor.inverse_trace() - (0..4).map(|i| inverse[i * 5]).sum::<f64>()).abs() < 1e-12);
        // The squared length of Lᵀ x is xᵀ A x.
        let b = [1.0, -2.0, 0.5, 3.0];
        let x = factor.solve_transposed(&b);
        let quadratic: f64 =
            (0..4).flat_map(|i| (0..4).map(move |j| (i, j))).map(|(i, j)| x[i] * a[i * 4 + j] * x[j]).sum();
        assert!((quadratic - b.iter().map(|v| v * v).sum::<f64>()).abs() < 1e-10);
        assert!(factor.solve_lower(&factor.times_lower(&b)).iter().zip(b).all(|(x, b)| (x - b).abs() < 1e-12));
    }
}
