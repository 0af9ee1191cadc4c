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
    pub(super) fn new() -> Self {
        Self { features: Vec::new(), weight: Vec::new(), weighted: Vec::new(), hessian: Vec::new(), lower: Vec::new(), ridge: 0.0 }
    }

    /// Forgets everything, so that the next [`Factor::fit`] starts from the current weights.
    pub(super) fn clear(&mut self) {
        *self = Self { ridge: self.ridge, ..Self::new() };
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
        let mut place = 0;
        while place < self.features.len() {
            if features.contains(&self.features[place]) {
                place += 1;
                continue;
            }
            self.features.remove(place);
            self.weighted.remove(place);
            self.hessian.remove(place + 1);
            for row in &mut self.hessian[place + 1..] {
                row.remove(place + 1);
            }
            first_changed = first_changed.min(place + 1);
        }
        let known = self.features.len();
        for &j in features {
            if !self.features[..known].contains(&j) {
                self.append(solver, j);
            }
        }
        self.factorise(solver, first_changed);
    }

    #[inline(always)]
    fn append<S: Simd>(&mut self, solver: &Solver<'_, '_, S>, j: usize) {
        let x = solver.column(j);
        self.weighted.push(x.iter().zip(&self.weight).map(|(x, v)| x * v).collect());
        self.features.push(j);
        let mut row = Vec::with_capacity(self.features.len() + 1);
        row.push(dot(solver.simd, &self.weight, x));
        let (fours, rest) = self.weighted.as_chunks::<4>();
        for four in fours {
            row.extend(dot_four(solver.simd, x, [&four[0], &four[1], &four[2], &four[3]]));
        }
        row.extend(rest.iter().map(|w| dot(solver.simd, w, x)));
        self.hessian.push(row);
    }

    /// Rows of the factor from `first` on.
    #[inline(always)]
    fn factorise<S: Simd>(&mut self, solver: &Solver<'_, '_, S>, first: usize) {
        let k = self.hessian.len();
        let length = padded(k);
        self.lower.truncate(first);
        self.lower.iter_mut().for_each(|row| row.resize(length, 0.0));
        for i in first..k {
            let source = &self.hessian[i];
            let mut row = vec![0.0; length];
            let (fours, rest) = self.lower.as_chunks::<4>();
            for (b, four) in fours.iter().enumerate() {
                // Products with the columns before the block, then within it.
                let start = 4 * b;
                let done = padded(start);
                let known = dot_four(solver.simd, &row[..done], [&four[0][..done], &four[1][..done], &four[2][..done], &four[3][..done]]);
                for c in 0..4 {
                    let within: f64 = (start..start + c).map(|m| row[m] * four[c][m]).sum();
                    row[start + c] = (source[start + c] - known[c] - within) / four[c][start + c];
                }
            }
            for (j, other) in (4 * fours.len()..).zip(rest) {
                row[j] = (source[j] - dot(solver.simd, &row, other)) / other[j];
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
            x[i] = (pull[i] - dot(simd, &self.lower[i], &x)) / self.lower[i][i];
        }
        for i in (0..k).rev() {
            let value = x[i] / self.lower[i][i];
            add_scaled(simd, &mut x, -value, &self.lower[i]);
            x[i] = value;
        }
        x.truncate(k);
        x
    }
}
