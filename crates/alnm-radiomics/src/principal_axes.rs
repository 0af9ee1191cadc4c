//! Principal axes of the voxels of a mask.

use std::ops::Range;

/// Eigenvalues of the covariance matrix of voxel centres, ascending, each ≥ 0 but for rounding: values between -1e-10
/// and 0 are 0, as in PyRadiomics. Voxels are indices on a grid with `spacing` mm between neighbours; their sums are
/// exact.
pub(crate) fn covariance_eigenvalues<const D: usize>(
    voxels: impl Iterator<Item = [u32; D]>,
    spacing: [f64; D],
) -> [f64; D] {
    let mut moments = Moments::default();
    for voxel in voxels {
        moments.count += 1;
        for row in 0..D {
            moments.sums[row] += u64::from(voxel[row]);
            for column in 0..=row {
                moments.products[row][column] += u64::from(voxel[row]) * u64::from(voxel[column]);
            }
        }
    }
    moments.covariance_eigenvalues(spacing)
}

/// [`covariance_eigenvalues`] of the voxels of runs along the last of three axes.
pub(crate) fn covariance_eigenvalues_of_runs(
    runs: impl Iterator<Item = ([u32; 2], Range<u32>)>,
    spacing: [f64; 3],
) -> [f64; 3] {
    let mut moments = Moments::<3>::default();
    for ([z, y], run) in runs {
        let [z, y, start, end] = [z, y, run.start, run.end].map(u64::from);
        let count = end - start;
        // Sums of the numbers below n and of their squares are n (n - 1) / 2 and n (n - 1) (2 n - 1) / 6.
        let below = |n: u64| n * n.saturating_sub(1) / 2;
        let squares_below = |n: u64| n * n.saturating_sub(1) * (2 * n).saturating_sub(1) / 6;
        let sum = below(end) - below(start);
        let squares = squares_below(end) - squares_below(start);
        moments.count += i128::from(count);
        for (total, part) in moments.sums.iter_mut().zip([z * count, y * count, sum]) {
            *total += part;
        }
        let products = [[z * z * count, 0, 0], [y * z * count, y * y * count, 0], [sum * z, sum * y, squares]];
        for (total, part) in moments.products.as_flattened_mut().iter_mut().zip(products.as_flattened()) {
            *total += part;
        }
    }
    moments.covariance_eigenvalues(spacing)
}

/// Sums over voxels of their indices and of the products of these.
struct Moments<const D: usize> {
    count: i128,
    sums: [u64; D],
    /// The lower triangle.
    products: [[u64; D]; D],
}

impl<const D: usize> Default for Moments<D> {
    fn default() -> Self {
        Self { count: 0, sums: [0; D], products: [[0; D]; D] }
    }
}

impl<const D: usize> Moments<D> {
    fn covariance_eigenvalues(&self, spacing: [f64; D]) -> [f64; D] {
        let Self { count, sums, products } = self;
        let mut covariance = [[0.0; D]; D];
        for row in 0..D {
            for column in 0..=row {
                let scatter =
                    count * i128::from(products[row][column]) - i128::from(sums[row]) * i128::from(sums[column]);
                covariance[row][column] = scatter as f64 / (count * count) as f64 * spacing[row] * spacing[column];
                covariance[column][row] = covariance[row][column];
            }
        }
        let mut eigenvalues = symmetric_eigenvalues(covariance);
        for value in &mut eigenvalues {
            if *value < 0.0 && *value > -1e-10 {
                *value = 0.0;
            }
        }
        eigenvalues
    }
}

/// Eigenvalues of a small symmetric matrix, ascending, by cyclic Jacobi rotations.
pub(crate) fn symmetric_eigenvalues<const D: usize>(mut matrix: [[f64; D]; D]) -> [f64; D] {
    // Convergence is quadratic; a handful of sweeps is enough for any small matrix.
    for _sweep in 0..32 {
        let off_diagonal: f64 = (0..D).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| matrix[i][j].abs()).sum();
        if off_diagonal == 0.0 {
            break;
        }
        for p in 0..D {
            for q in p + 1..D {
                if matrix[p][q] == 0.0 {
                    continue;
                }
                let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
                let tangent = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
                let sine = tangent * cosine;
                for k in 0..D {
                    let (kp, kq) = (matrix[k][p], matrix[k][q]);
                    matrix[k][p] = cosine * kp - sine * kq;
                    matrix[k][q] = sine * kp + cosine * kq;
                }
                for k in 0..D {
                    let (pk, qk) = (matrix[p][k], matrix[q][k]);
                    matrix[p][k] = cosine * pk - sine * qk;
                    matrix[q][k] = sine * pk + cosine * qk;
                }
            }
        }
    }
    let mut eigenvalues: [f64; D] = std::array::from_fn(|axis| matrix[axis][axis]);
    eigenvalues.sort_by(f64::total_cmp);
    eigenvalues
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_their_voxels() {
        let runs = [([0, 3], 0..1), ([0, 4], 2..7), ([2, 1], 5..9)];
        let voxels = runs.iter().flat_map(|([z, y], run)| run.clone().map(|x| [*z, *y, x]));
        let spacing = [2.0, 1.0, 0.5];
        let of_voxels = covariance_eigenvalues(voxels, spacing);
        assert_eq!(covariance_eigenvalues_of_runs(runs.iter().cloned(), spacing), of_voxels);
    }

    #[test]
    fn eigenvalues_of_a_known_matrix() {
        // The eigenvalues of this matrix are 1, 2 and 4.
        let eigenvalues = symmetric_eigenvalues([[3.0, 1.0, 0.0], [1.0, 3.0, 0.0], [0.0, 0.0, 1.0]]);
        for (value, expected) in eigenvalues.iter().zip([1.0, 2.0, 4.0]) {
            approx::assert_relative_eq!(*value, expected, max_relative = 1e-14);
        }
    }
}
