//! Removal of predictors that a model cannot use: constant ones, copies of the predicted variable, and linear
//! combinations of others.
//!
//! The rules are those of mice's `remove.lindep`: a predictor whose correlation with the predicted variable is above
//! 0.99 goes; then, while the smallest eigenvalue of the correlation matrix is below 10⁻⁴ of the largest, the predictor
//! with the largest weight in its eigenvector goes. Two things differ. A variable is constant when its standard
//! deviation is below 10⁻⁸ of its size, whatever its unit (mice 3.15 compares the variance with 10⁻⁴ in the unit of the
//! variable), and correlations near −1 count as those near 1 do. After the first removal the eigenvalues are those of
//! the predictors that are left.

use alnm_stats::linear::{Cholesky, dot, sum, weighted_products};

/// Correlations with the predicted variable above this are taken for a copy of it.
const LARGEST_CORRELATION: f64 = 0.99;
/// Smallest share of the largest eigenvalue that the smallest may have.
const SMALLEST_EIGENVALUE: f64 = 1e-4;
/// Smallest standard deviation of a variable, relative to its root mean square.
const SMALLEST_SPREAD: f64 = 1e-8;

/// A column with mean 0 and the sum of squares 1; all zero when it is constant.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnitColumn {
    pub(crate) values: Vec<f64>,
    pub(crate) mean: f64,
    /// Root of the sum of squared distances from the mean; 0 when the column is constant.
    pub(crate) length: f64,
}

impl UnitColumn {
    pub(crate) fn new(mut values: Vec<f64>) -> Self {
        let n = values.len().max(1) as f64;
        let mean = sum(&values) / n;
        let size = dot(&values, &values);
        values.iter_mut().for_each(|value| *value -= mean);
        let mut length = dot(&values, &values).sqrt();
        if length.is_nan() || length <= SMALLEST_SPREAD * size.sqrt() {
            length = 0.0;
            values.fill(0.0);
        } else {
            values.iter_mut().for_each(|value| *value /= length);
        }
        Self { values, mean, length }
    }

    pub(crate) fn is_constant(&self) -> bool {
        self.length == 0.0
    }
}

/// The predictors that remain, with their correlations.
#[derive(Debug, Clone)]
pub(crate) struct Independent {
    /// Positions of the predictors, ascending.
    pub(crate) kept: Vec<usize>,
    /// Their correlation matrix, row by row.
    pub(crate) correlations: Vec<f64>,
    /// Their correlations with the predicted variable.
    pub(crate) with_target: Vec<f64>,
    /// The Cholesky factor of the correlation matrix.
    pub(crate) factor: Option<Cholesky>,
}

/// Chooses among the columns. A constant target leaves none.
pub(crate) fn independent(columns: &[UnitColumn], target: &UnitColumn) -> Independent {
    let with_target: Vec<f64> = columns.iter().map(|column| dot(&column.values, &target.values)).collect();
    let may_stay =
        |&j: &usize| !target.is_constant() && !columns[j].is_constant() && with_target[j].abs() < LARGEST_CORRELATION;
    let kept: Vec<usize> = (0..columns.len()).filter(may_stay).collect();
    let units: Vec<&[f64]> = kept.iter().map(|&j| columns[j].values.as_slice()).collect();
    let mut correlations = weighted_products(&units, &vec![1.0; target.values.len()]);
    (0..kept.len()).for_each(|place| correlations[place * (kept.len() + 1)] = 1.0);
    let mut found = Independent {
        factor: Cholesky::new(&correlations, kept.len()),
        with_target: kept.iter().map(|&j| with_target[j]).collect(),
        kept,
        correlations,
    };
    while !found.is_well_conditioned() {
        found.remove_one();
    }
    found
}

impl Independent {
    fn size(&self) -> usize {
        self.kept.len()
    }

    /// Whether the smallest eigenvalue is at least its share of the largest.
    fn is_well_conditioned(&self) -> bool {
        if self.size() <= 1 {
            return true;
        }
        // The trace of the inverse bounds the smallest eigenvalue, the sums of the rows the largest; most tables are
        // decided by these bounds.
        if let Some(factor) = &self.factor {
            let rows = self.correlations.chunks_exact(self.size());
            let largest = rows.map(|row| row.iter().map(|r| r.abs()).sum::<f64>()).fold(0.0, f64::max);
            if factor.inverse_trace() * largest <= 1.0 / SMALLEST_EIGENVALUE {
                return true;
            }
        }
        let spectrum = eigen(&self.correlations, self.size());
        let largest = spectrum.iter().map(|pair| pair.value).fold(0.0, f64::max);
        let smallest = spectrum.iter().map(|pair| pair.value).fold(f64::INFINITY, f64::min);
        self.factor.is_some() && smallest >= SMALLEST_EIGENVALUE * largest
    }

    /// Removes the predictor with the largest weight in the eigenvector of the smallest eigenvalue; of equal ones the
    /// last.
    fn remove_one(&mut self) {
        let spectrum = eigen(&self.correlations, self.size());
        let Some(last) = spectrum.iter().min_by(|a, b| a.value.total_cmp(&b.value)) else { return };
        let largest = last.vector.iter().map(|weight| weight.abs()).fold(0.0, f64::max);
        let gone = last.vector.iter().rposition(|weight| weight.abs() >= largest * (1.0 - 1e-6)).unwrap_or(0);
        let size = self.size();
        self.correlations = (0..size * size)
            .filter(|entry| entry / size != gone && entry % size != gone)
            .map(|entry| self.correlations[entry])
            .collect();
        self.kept.remove(gone);
        self.with_target.remove(gone);
        self.factor = Cholesky::new(&self.correlations, self.size());
    }
}

/// An eigenvalue with its eigenvector.
struct EigenPair {
    value: f64,
    vector: Vec<f64>,
}

/// Eigenvalues and eigenvectors of a symmetric matrix by Jacobi's rotations.
fn eigen(matrix: &[f64], size: usize) -> Vec<EigenPair> {
    const SWEEPS: usize = 60;
    let mut a = matrix.to_vec();
    // Row i of `vectors` becomes the eigenvector of the i-th eigenvalue.
    let mut vectors: Vec<Vec<f64>> =
        (0..size).map(|i| (0..size).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    for _ in 0..SWEEPS {
        let off: f64 = (0..size).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i * size + j].powi(2)).sum();
        if off < 1e-28 * size as f64 {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                let entry = a[p * size + q];
                if entry.abs() < 1e-300 {
                    continue;
                }
                let theta = (a[q * size + q] - a[p * size + p]) / (2.0 * entry);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..size {
                    let (x, y) = (a[k * size + p], a[k * size + q]);
                    a[k * size + p] = c * x - s * y;
                    a[k * size + q] = s * x + c * y;
                }
                for k in 0..size {
                    let (x, y) = (a[p * size + k], a[q * size + k]);
                    a[p * size + k] = c * x - s * y;
                    a[q * size + k] = s * x + c * y;
                }
                let (head, tail) = vectors.split_at_mut(q);
                for (x, y) in head[p].iter_mut().zip(tail[0].iter_mut()) {
                    (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
                }
            }
        }
    }
    vectors.into_iter().enumerate().map(|(i, vector)| EigenPair { value: a[i * size + i], vector }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(frequency: f64) -> Vec<f64> {
        (0..40).map(|row| (f64::from(row) * frequency).sin()).collect()
    }

    fn kept(columns: Vec<Vec<f64>>, target: Vec<f64>) -> Vec<usize> {
        let columns: Vec<UnitColumn> = columns.into_iter().map(UnitColumn::new).collect();
        independent(&columns, &UnitColumn::new(target)).kept
    }

    #[test]
    fn eigenpairs_satisfy_their_equation() {
        let matrix = [4.0, 1.0, 0.5, 1.0, 3.0, -0.2, 0.5, -0.2, 2.0];
        for EigenPair { value, vector } in eigen(&matrix, 3) {
            for i in 0..3 {
                let product: f64 = (0..3).map(|j| matrix[i * 3 + j] * vector[j]).sum();
                assert!((product - value * vector[i]).abs() < 1e-12);
            }
            assert!((vector.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn constant_copied_and_dependent_predictors_go() {
        let (a, b, c) = (wave(0.7), wave(1.3), wave(2.1));
        let sum: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
        assert_eq!(kept(vec![a.clone(), b.clone()], c.clone()), [0, 1]);
        // A constant, a copy of the target and its negative.
        let negative: Vec<f64> = c.iter().map(|x| 5.0 - 2.0 * x).collect();
        assert_eq!(kept(vec![vec![7.3; 40], c.clone(), negative, a.clone()], c.clone()), [3]);
        // Of two equal predictors the later goes; of three dependent ones one.
        assert_eq!(kept(vec![a.clone(), a.clone(), b.clone()], c.clone()), [0, 2]);
        assert_eq!(kept(vec![a.clone(), b.clone(), sum], c.clone()).len(), 2);
        // Units do not matter, a constant target leaves nothing.
        let tiny: Vec<f64> = a.iter().map(|x| 1e-9 * x).collect();
        assert_eq!(kept(vec![tiny, b.clone()], c.iter().map(|x| 1e-7 * x).collect()), [0, 1]);
        assert_eq!(kept(vec![a, b], vec![2.0; 40]), [0_usize; 0]);
    }

    #[test]
    fn more_predictors_than_rows_are_cut_down() {
        let columns: Vec<Vec<f64>> =
            (0..8).map(|c| (0..5).map(|r| f64::from((r * (c + 2) * 7) % 11)).collect()).collect();
        assert!(kept(columns, vec![1.0, 4.0, 2.0, 8.0, 5.0]).len() <= 4);
    }
}
