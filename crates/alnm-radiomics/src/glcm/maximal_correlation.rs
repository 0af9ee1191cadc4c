//! Maximal correlations of many small symmetric matrices, computed side by side.
//!
//! Of a symmetric matrix p, Q is similar to A² with A(i, j) = p(i, j) / √(p_x(i) p_x(j)). Taking the part along √p_x
//! away, which belongs to the eigenvalue 1, leaves B = A - √p_x √p_xᵀ, and MCC is the largest magnitude of its
//! eigenvalues: those of the tridiagonal matrix that Householder's reflections make of B (Golub and Van Loan, Matrix
//! Computations, 8.3).

use alnm_imaging::vectorised;

/// Matrices that are worked on side by side.
pub(super) const LANES: usize = 8;
/// Rows of the largest matrix.
pub(super) const LARGEST: usize = 32;
/// Steps after which the root of a polynomial is taken as it is.
const MOST_STEPS: usize = 1000;
/// A step of this length relative to the eigenvalue is the last.
const LAST_STEP: f64 = 1e-11;
/// Eigenvalues below are 0 but for rounding.
const NEGLIGIBLE: f64 = 1e-12;

/// One number of each matrix.
type MatrixLanes = [f64; LANES];

const ZEROS: MatrixLanes = [0.0; LANES];

/// Matrices B side by side; smaller ones are filled up with zeros.
#[derive(Debug, Clone)]
pub(super) struct SymmetricBatch {
    /// Rows of the largest of them.
    size: usize,
    /// How many there are.
    count: usize,
    /// Row by row; only the lower triangle counts.
    entries: Vec<MatrixLanes>,
}

impl SymmetricBatch {
    pub(super) fn new() -> Self {
        Self { size: 0, count: 0, entries: vec![ZEROS; LARGEST * LARGEST] }
    }

    pub(super) fn is_full(&self) -> bool {
        self.count == LANES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a matrix of `size` rows by its lower triangle, row by row. There has to be room for it.
    pub(super) fn push(&mut self, size: usize, lower: &[f64]) {
        let mut remaining = lower;
        for i in 0..size {
            let (row, later) = remaining.split_at(i + 1);
            for (entry, &value) in self.entries[i * LARGEST..].iter_mut().zip(row) {
                entry[self.count] = value;
            }
            remaining = later;
        }
        self.size = self.size.max(size);
        self.count += 1;
    }

    /// The largest magnitude of the eigenvalues of each matrix; leaves the batch empty.
    pub(super) fn take_spectral_radii(&mut self) -> MatrixLanes {
        let size = self.size;
        let radii = vectorised!(pulp::Arch::new(), {
            let tridiagonal = TridiagonalBatch::of(&mut self.entries, size);
            let upper = tridiagonal.largest_eigenvalues(1.0, ZEROS);
            tridiagonal.largest_eigenvalues(-1.0, upper)
        });
        for row in 0..size {
            self.entries[row * LARGEST..][..size].fill(ZEROS);
        }
        (self.size, self.count) = (0, 0);
        radii
    }
}

/// Symmetric tridiagonal matrices T side by side.
struct TridiagonalBatch {
    size: usize,
    diagonal: [MatrixLanes; LARGEST],
    /// Squares of what lies beside the diagonal; the first is 0.
    squared: [MatrixLanes; LARGEST],
    /// The eigenvalues lie between -bound and bound.
    bound: MatrixLanes,
}

#[inline(always)]
fn lanes(of: impl Fn(usize) -> f64) -> MatrixLanes {
    std::array::from_fn(of)
}

impl TridiagonalBatch {
    /// By reflections, column after column, of `size` rows of `a`.
    #[inline(always)]
    fn of(a: &mut [MatrixLanes], size: usize) -> Self {
        let mut beside = [ZEROS; LARGEST];
        let (mut v, mut p) = ([ZEROS; LARGEST], [ZEROS; LARGEST]);
        for k in 0..size.saturating_sub(2) {
            let first = a[(k + 1) * LARGEST + k];
            let mut below = ZEROS;
            for i in k + 2..size {
                v[i] = a[i * LARGEST + k];
                below = lanes(|l| below[l] + v[i][l] * v[i][l]);
            }
            let norm = lanes(|l| (first[l] * first[l] + below[l]).sqrt());
            let reflected = lanes(|l| if first[l] > 0.0 { -norm[l] } else { norm[l] });
            // Where there is nothing to take away there is no reflection.
            beside[k + 1] = lanes(|l| if below[l] > 0.0 { reflected[l] } else { first[l] });
            let factor = lanes(|l| if below[l] > 0.0 { 1.0 / (norm[l] * (norm[l] + first[l].abs())) } else { 0.0 });
            v[k + 1] = lanes(|l| first[l] - reflected[l]);

            p[k + 1..size].fill(ZEROS);
            for i in k + 1..size {
                let mut sum = lanes(|l| a[i * LARGEST + i][l] * v[i][l]);
                for j in k + 1..i {
                    let entry = a[i * LARGEST + j];
                    sum = lanes(|l| sum[l] + entry[l] * v[j][l]);
                    p[j] = lanes(|l| p[j][l] + entry[l] * v[i][l]);
                }
                p[i] = lanes(|l| p[i][l] + sum[l]);
            }
            let mut along = ZEROS;
            for i in k + 1..size {
                p[i] = lanes(|l| p[i][l] * factor[l]);
                along = lanes(|l| along[l] + p[i][l] * v[i][l]);
            }
            let half = lanes(|l| 0.5 * factor[l] * along[l]);
            for i in k + 1..size {
                p[i] = lanes(|l| p[i][l] - half[l] * v[i][l]);
                for j in k + 1..=i {
                    let entry = a[i * LARGEST + j];
                    a[i * LARGEST + j] = lanes(|l| entry[l] - (v[i][l] * p[j][l] + p[i][l] * v[j][l]));
                }
            }
        }
        if size > 1 {
            beside[size - 1] = a[(size - 1) * LARGEST + size - 2];
        }
        let mut tridiagonal = Self { size, diagonal: [ZEROS; LARGEST], squared: [ZEROS; LARGEST], bound: ZEROS };
        for k in 0..size {
            let (diagonal, before) = (a[k * LARGEST + k], beside[k]);
            let after = if k + 1 < size { beside[k + 1] } else { ZEROS };
            tridiagonal.diagonal[k] = diagonal;
            tridiagonal.squared[k] = lanes(|l| before[l] * before[l]);
            // Gershgorin's circles; the eigenvalues of B have no more than 1.
            let circle = lanes(|l| diagonal[l].abs() + before[l].abs() + after[l].abs());
            tridiagonal.bound = lanes(|l| tridiagonal.bound[l].max(circle[l]).min(1.0));
        }
        tridiagonal
    }

    /// The largest eigenvalue of `sign` · T, or `floor` where that is larger: by Newton's method on the characteristic
    /// polynomial, which comes down to it from above.
    #[inline(always)]
    fn largest_eigenvalues(&self, sign: f64, floor: MatrixLanes) -> MatrixLanes {
        let mut value = self.bound;
        let mut found = lanes(|l| if value[l] <= floor[l] + NEGLIGIBLE { 1.0 } else { 0.0 });
        for _ in 0..MOST_STEPS {
            if found.iter().all(|&found| found > 0.0) {
                break;
            }
            // The pivots of T - value are ratios of the polynomials of leading blocks.
            let (mut inverse, mut slope, mut logarithmic, mut largest) =
                (ZEROS, ZEROS, ZEROS, [f64::NEG_INFINITY; LANES]);
            for (diagonal, squared) in self.diagonal[..self.size].iter().zip(&self.squared) {
                slope = lanes(|l| squared[l] * slope[l] * (inverse[l] * inverse[l]) - 1.0);
                let pivot = lanes(|l| sign * diagonal[l] - value[l] - squared[l] * inverse[l]);
                largest = lanes(|l| if pivot[l] >= largest[l] { pivot[l] } else { largest[l] });
                inverse = lanes(|l| 1.0 / pivot[l]);
                logarithmic = lanes(|l| logarithmic[l] + slope[l] * inverse[l]);
            }
            for l in 0..LANES {
                let step = 1.0 / logarithmic[l];
                // A pivot that is not negative says that rounding has led below the eigenvalue.
                let last = largest[l] >= 0.0 || step <= LAST_STEP * value[l];
                if found[l] == 0.0 && !last {
                    value[l] -= step;
                }
                if last || value[l] <= floor[l] + NEGLIGIBLE {
                    found[l] = 1.0;
                }
            }
        }
        lanes(|l| value[l].max(floor[l]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn spectral_radii_agree_with_a_complete_decomposition(sizes in prop::collection::vec(1usize..12, 1..=LANES), seed in 0u64..1000) {
            let entry = |matrix: usize, i: usize, j: usize| -> f64 {
                let place = ((matrix * 50 + i) * 50 + j) as u64;
                let mixed = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(place.wrapping_mul(0xBF58_476D_1CE4_E5B9));
                // A fifth of the entries are 0; row sums stay below 1.
                let value = ((mixed >> 40) % 1000) as f64 / 1000.0 - 0.5;
                if mixed % 5 == 0 { 0.0 } else { value / 8.0 }
            };
            let mut batch = SymmetricBatch::new();
            // Twice, since a batch that has been taken has to be empty.
            for _ in 0..2 {
                for (matrix, &size) in sizes.iter().enumerate() {
                    let lower: Vec<f64> = (0..size).flat_map(|i| (0..=i).map(move |j| entry(matrix, i, j))).collect();
                    batch.push(size, &lower);
                }
                let radii = batch.take_spectral_radii();
                for (matrix, &size) in sizes.iter().enumerate() {
                    let whole = faer::Mat::from_fn(size, size, |i, j| entry(matrix, i.max(j), i.min(j)));
                    let expected = whole.singular_values().unwrap()[0];
                    prop_assert!((radii[matrix] - expected).abs() < 1e-9, "{} {expected}", radii[matrix]);
                }
                prop_assert!(batch.is_empty());
            }
        }
    }
}
