//! Cholesky factor of the Hessian over the intercept and the features with a coefficient, kept and extended along a path.

use super::descent::Solver;
use super::kernels::{add_scaled, dot, dot_four, padded, sum};
use pulp::Simd;

/// Share of a diagonal element below which a pivot counts as 0: the feature depends on those before it. A trace of ridge then picks one of
/// the equivalent steps.
const SMALLEST_PIVOT: f64 = 1e-10;

/// Hessian Xᵀ V X + ridge at the weights V of the iterate at which it was built, and its factor L Lᵀ. Row 0 is the intercept.
pub(super) struct Factor {
    /// Features of the rows 1, 2, …
    pub(super) features: Vec<usize>,
    /// Whether a feature has a row, for every feature.
    has_row: Vec<bool>,
    /// Weights over rows, padded.
    weight: Vec<f64>,
    /// Weighted columns V x of the features, padded.
    weighted: Vec<Vec<f64>>,
    /// Lower rows of Xᵀ V X.
    hessian: Vec<Vec<f64>>,
    /// Lower rows of the factor, padded with zeros.
    lower: Vec<Vec<f64>>,
    /// Squared penalty, which the factor holds on its diagonal times the penalty factors.
    ridge: f64,
}

impl Factor {
    /// A factor of nothing, for a problem of `p` features.
    pub(super) fn new(p: usize) -> Self {
        Self {
            features: Vec::new(),
            has_row: vec![false; p],
            weight: Vec::new(),
            weighted: Vec::new(),
            hessian: Vec::new(),
            lower: Vec::new(),
            ridge: 0.0,
        }
    }

    /// Forgets everything, so that the next [`Factor::fit`] starts from the current weights.
    pub(super) fn clear(&mut self) {
        self.features.clear();
        self.has_row.fill(false);
        self.weighted.clear();
        self.hessian.clear();
        self.lower.clear();
    }

    /// The factor over exactly `features` with the given squared penalty. What it holds is kept, at the weights it was built at.
    #[inline(always)]
    pub(super) fn fit<S: Simd>(&mut self, solver: &Solver<'_, '_, S>, weight: &[f64], features: &[usize], ridge: f64) {
        let mut first_changed = self.lower.len();
        if self.hessian.is_empty() {
            self.weight = weight.to_vec();
            self.hessian.push(vec![sum(solver.simd, weight)]);
            first_changed = 0;
        }
        if ridge != self.ridge {
            self.ridge = ridge;
            first_changed = 0;
        }
        let mut wanted = vec![false; self.has_row.len()];
        features.iter().for_each(|&j| wanted[j] = true);
        if let Some(gone) = self.features.iter().position(|&j| !wanted[j]) {
            first_changed = first_changed.min(gone + 1);
            self.remove_unwanted(&wanted);
        }
        self.append(solver, features);
        self.factorise(solver, first_changed);
    }

    fn remove_unwanted(&mut self, wanted: &[bool]) {
        for place in (0..self.features.len()).rev() {
            if !wanted[self.features[place]] {
                self.has_row[self.features.remove(place)] = false;
                self.weighted.remove(place);
                self.hessian.remove(place + 1);
                for row in &mut self.hessian[place + 1..] {
                    row.remove(place + 1);
                }
            }
        }
    }

    /// Rows of the features that have none yet.
    #[inline(always)]
    fn append<S: Simd>(&mut self, solver: &Solver<'_, '_, S>, features: &[usize]) {
        let known = self.features.len();
        for &j in features {
            if !self.has_row[j] {
                self.has_row[j] = true;
                self.features.push(j);
                let x = solver.column(j);
                self.weighted.push(x.iter().zip(&self.weight).map(|(x, v)| x * v).collect());
                let mut row = vec![0.0; self.features.len() + 1];
                row[0] = dot(solver.simd, &self.weight, x);
                self.hessian.push(row);
            }
        }
        // Four weighted columns at a time stay in the nearest cache while the new columns stream past.
        let mut start = 0;
        let (fours, rest) = self.weighted.as_chunks::<4>();
        for four in fours {
            for i in known.max(start)..self.features.len() {
                let products = dot_four(solver.simd, solver.column(self.features[i]), [&four[0], &four[1], &four[2], &four[3]]);
                let row = &mut self.hessian[i + 1][start + 1..];
                let length = row.len().min(4);
                row[..length].copy_from_slice(&products[..length]);
            }
            start += 4;
        }
        for w in rest {
            for i in known.max(start)..self.features.len() {
                self.hessian[i + 1][start + 1] = dot(solver.simd, solver.column(self.features[i]), w);
            }
            start += 1;
        }
    }

    /// Rows of the factor from `first` on.
    #[inline(always)]
    fn factorise<S: Simd>(&mut self, solver: &Solver<'_, '_, S>, first: usize) {
        let k = self.hessian.len();
        let length = padded(k);
        self.lower.truncate(first);
        for row in &mut self.lower {
            row.resize(length, 0.0);
        }
        for i in first..k {
            let source = &self.hessian[i];
            let mut row = vec![0.0; length];
            let (fours, rest) = self.lower.as_chunks::<4>();
            let mut start = 0;
            for four in fours {
                // Products with the columns before the block, then within it.
                let done = padded(start);
                let known = dot_four(solver.simd, &row[..done], [&four[0][..done], &four[1][..done], &four[2][..done], &four[3][..done]]);
                for c in 0..4 {
                    let mut value = source[start + c] - known[c];
                    for m in start..start + c {
                        value -= row[m] * four[c][m];
                    }
                    row[start + c] = value / four[c][start + c];
                }
                start += 4;
            }
            for other in rest {
                row[start] = (source[start] - dot(solver.simd, &row, other)) / other[start];
                start += 1;
            }
            let mut diagonal = source[i];
            if i > 0 {
                diagonal += self.ridge * solver.penalty[self.features[i - 1]];
            }
            let pivot = diagonal - dot(solver.simd, &row, &row);
            row[i] = pivot.max(SMALLEST_PIVOT * diagonal).sqrt();
            self.lower.push(row);
        }
    }

    /// Solves L Lᵀ step = `pull`, the intercept first, then the features in their order.
    #[inline(always)]
    pub(super) fn solve<S: Simd>(&self, simd: S, pull: &[f64]) -> Vec<f64> {
        let k = self.lower.len();
        let mut x = vec![0.0; padded(k)];
        for i in 0..k {
            // Entries from i on are still 0.
            let done = padded(i);
            x[i] = (pull[i] - dot(simd, &self.lower[i][..done], &x[..done])) / self.lower[i][i];
        }
        for i in (0..k).rev() {
            let value = x[i] / self.lower[i][i];
            let done = padded(i + 1);
            add_scaled(simd, &mut x[..done], -value, &self.lower[i][..done]);
            x[i] = value;
        }
        x.truncate(k);
        x
    }
}
