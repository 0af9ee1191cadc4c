//! The second largest singular value of a sparse matrix whose largest is known.

/// Independent running sums of a product of vectors.
const LANES: usize = 8;
/// Iterations after which the value is taken as it is.
const MOST_ITERATIONS: usize = 200;
/// Iterations that there is room for at once.
const EXPECTED_ITERATIONS: usize = 24;
/// Steps after which the root of a polynomial is taken as it is.
const MOST_STEPS: usize = 1000;
/// Iterations between two looks at how far the value has come.
const BETWEEN_CHECKS: usize = 2;
/// What is left of A·Aᵀ v - λ v, relative to λ, when v is good enough; the error of λ goes with its square.
const RESIDUAL: f64 = 1e-7;
/// A length that is 0 but for rounding, next to vectors of length 1.
const NEGLIGIBLE: f64 = 1e-13;

/// A square matrix A by its cells that are not 0, row by row.
pub(crate) struct ScaledMatrix<'a> {
    /// Where the cells of each row begin, and where the last ends.
    pub(crate) rows: &'a [usize],
    pub(crate) columns: &'a [u32],
    pub(crate) values: Vec<f64>,
}

impl ScaledMatrix<'_> {
    /// The second largest eigenvalue of A·Aᵀ, by the iteration of Lanczos 1950 (doi 10.6028/jres.045.026) with complete
    /// reorthogonalisation. `first` is the eigenvector of the largest, of length 1; `start` is a guess of the one
    /// sought; `rank` bounds the number of eigenvalues other than the first and 0.
    pub(crate) fn second_squared_singular_value(&self, first: &[f64], start: Vec<f64>, rank: usize) -> f64 {
        let expected = rank.min(EXPECTED_ITERATIONS);
        let mut basis = Vec::with_capacity((expected + 1) * start.len());
        basis.extend_from_slice(first);
        let mut tridiagonal =
            Tridiagonal { diagonal: Vec::with_capacity(expected), beside: Vec::with_capacity(expected) };
        let mut vector = start;
        let length = orthogonalise(&mut vector, &basis);
        if length <= NEGLIGIBLE {
            return 0.0;
        }
        scale(&mut vector, 1.0 / length);
        let mut halfway = vec![0.0; vector.len()];
        let mut product = vec![0.0; vector.len()];
        for iteration in 1.. {
            self.multiply(&vector, &mut halfway, &mut product);
            tridiagonal.diagonal.push(dot(&vector, &product));
            basis.extend_from_slice(&vector);
            let length = orthogonalise(&mut product, &basis);
            let complete = length <= NEGLIGIBLE || iteration >= rank.min(MOST_ITERATIONS);
            if complete || iteration % BETWEEN_CHECKS == 0 {
                let value = tridiagonal.largest_eigenvalue();
                if complete || length * tridiagonal.last_component(value) <= RESIDUAL * value {
                    return value.max(0.0);
                }
            }
            tridiagonal.beside.push(length);
            scale(&mut product, 1.0 / length);
            std::mem::swap(&mut vector, &mut product);
        }
        unreachable!("the last iteration is complete")
    }

    /// `product` = A·Aᵀ x; `halfway` is room for Aᵀ x.
    fn multiply(&self, x: &[f64], halfway: &mut [f64], product: &mut [f64]) {
        halfway.fill(0.0);
        for (row, &x) in x.iter().enumerate() {
            let cells = self.rows[row]..self.rows[row + 1];
            for (&value, &column) in self.values[cells.clone()].iter().zip(&self.columns[cells]) {
                halfway[column as usize] += value * x;
            }
        }
        for (row, product) in product.iter_mut().enumerate() {
            let cells = self.rows[row]..self.rows[row + 1];
            let (values, columns) = (self.values[cells.clone()].chunks(LANES), self.columns[cells].chunks(LANES));
            let mut lanes = [0.0; LANES];
            for (values, columns) in values.zip(columns) {
                for ((lane, &value), &column) in lanes.iter_mut().zip(values).zip(columns) {
                    *lane += value * halfway[column as usize];
                }
            }
            *product = lanes.iter().sum();
        }
    }
}

/// A symmetric tridiagonal matrix T.
#[derive(Debug)]
struct Tridiagonal {
    diagonal: Vec<f64>,
    /// Beside the diagonal.
    beside: Vec<f64>,
}

impl Tridiagonal {
    /// By Newton's method on the characteristic polynomial; from above it comes down to the largest root.
    fn largest_eigenvalue(&self) -> f64 {
        let n = self.diagonal.len();
        let beside = |k: usize| self.beside.get(k).copied().unwrap_or(0.0).abs();
        let bound = |k: usize| {
            self.diagonal[k] + if k + 1 < n { beside(k) } else { 0.0 } + if k > 0 { beside(k - 1) } else { 0.0 }
        };
        let mut value = (0..n).map(bound).fold(f64::NEG_INFINITY, f64::max);
        // The descent is steady and ends where rounding does; the bound is never met.
        for _ in 0..MOST_STEPS {
            // The pivots of T - value are ratios of the polynomials of leading blocks.
            let (mut pivot, mut slope, mut logarithmic) = (1.0, 0.0, 0.0);
            for k in 0..n {
                let squared = if k > 0 { self.beside[k - 1] * self.beside[k - 1] } else { 0.0 };
                slope = -1.0 + squared * slope / (pivot * pivot);
                pivot = self.diagonal[k] - value - squared / pivot;
                if pivot >= 0.0 {
                    return value;
                }
                logarithmic += slope / pivot;
            }
            let step = 1.0 / logarithmic;
            if step <= f64::EPSILON * value.abs() {
                return value;
            }
            value -= step;
        }
        value
    }

    /// The last component of the eigenvector of length 1 of an eigenvalue.
    fn last_component(&self, value: f64) -> f64 {
        let n = self.diagonal.len();
        let (mut after, mut here) = (0.0, 1.0);
        let mut squares = 1.0;
        for k in (1..n).rev() {
            let coupling = if k < n - 1 { self.beside[k] } else { 0.0 };
            let before = ((value - self.diagonal[k]) * here - coupling * after) / self.beside[k - 1];
            squares += before * before;
            (after, here) = (here, before);
        }
        1.0 / squares.sqrt()
    }
}

/// Takes the parts along the vectors of an orthonormal basis, which lie one after the other, away, and returns the
/// length of what is left.
fn orthogonalise(vector: &mut [f64], basis: &[f64]) -> f64 {
    let mut before = dot(vector, vector).sqrt();
    // Where little is left, rounding is a part of it; the second time it is not (Daniel et al. 1976).
    for _ in 0..2 {
        for direction in basis.chunks_exact(vector.len()) {
            let along = dot(vector, direction);
            for (component, direction) in vector.iter_mut().zip(direction) {
                *component -= along * direction;
            }
        }
        let after = dot(vector, vector).sqrt();
        if after > 0.5 * before {
            return after;
        }
        before = after;
    }
    before
}

fn scale(vector: &mut [f64], factor: f64) {
    for component in vector {
        *component *= factor;
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_complete_decomposition(counts in prop::collection::vec(0u32..4, 144)) {
            // As in a co-occurrence matrix; a cell in every place of the diagonal keeps marginals from being 0.
            let n = 12;
            let count = |i: usize, j: usize| f64::from(counts[i * n + j]) + if i == j { 0.5 } else { 0.0 };
            let total: f64 = (0..n * n).map(|cell| count(cell / n, cell % n)).sum();
            let px: Vec<f64> = (0..n).map(|i| (0..n).map(|j| count(i, j) / total).sum()).collect();
            let py: Vec<f64> = (0..n).map(|j| (0..n).map(|i| count(i, j) / total).sum()).collect();
            let cell = |i: usize, j: usize| count(i, j) / total / (px[i] * py[j]).sqrt();

            let rows: Vec<usize> = (0..=n).map(|row| row * n).collect();
            let columns: Vec<u32> = (0..n * n).map(|cell| (cell % n) as u32).collect();
            let values = (0..n * n).map(|place| cell(place / n, place % n)).collect();
            let matrix = ScaledMatrix { rows: &rows, columns: &columns, values };
            let first: Vec<f64> = px.iter().map(|p| p.sqrt()).collect();
            let start = (0..n).map(|i| (i as f64).sin()).collect();
            let value = matrix.second_squared_singular_value(&first, start, n - 1);

            let expected = faer::Mat::from_fn(n, n, cell).singular_values().unwrap()[1];
            prop_assert!((value.sqrt() - expected).abs() < 1e-9, "{} {expected}", value.sqrt());
        }
    }
}
