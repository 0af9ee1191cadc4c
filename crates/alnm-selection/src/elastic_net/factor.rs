//! Cholesky factor of the Hessian over the intercept and the features with a coefficient, kept and extended along a
//! path.

use pulp::Simd;
use rayon::prelude::*;

use super::descent::Solver;
use super::kernels::{Vectorised, add_scaled, dot, dot_four, dot_two_three, padded, sum};

/// Share of a diagonal element below which a pivot counts as 0: the feature depends on those before it. A trace of
/// ridge then picks one of the equivalent steps.
const SMALLEST_PIVOT: f64 = 1e-10;
/// Rows of the data whose products are summed at once: of two columns and three they fit the nearest cache.
const ROWS_AT_ONCE: usize = 512;
/// Rows of the Hessian that a thread fills at once.
const TILE: usize = 16;
/// Rows of the factor whose entries before the first of them are found at once.
const PANEL: usize = 32;
/// Multiplications from which on threads share them. Rows are independent, so threads do not change the result.
const PARALLEL_PRODUCTS: usize = 1 << 22;

/// A feature that the next step moves, and the penalised gradient that moves it.
pub(super) type Mover = (usize, f64);

/// Hessian Xᵀ V X + ridge at the weights V of the iterate at which it was built, and its factor L Lᵀ. Row 0 is the
/// intercept.
pub(super) struct Factor {
    /// Features of the rows 1, 2, …
    pub(super) features: Vec<usize>,
    /// Whether a feature has a row, and whether it is to have one, for every feature.
    has_row: Vec<bool>,
    wanted: Vec<bool>,
    /// Weights over rows, padded.
    weight: Vec<f64>,
    /// Lower rows of Xᵀ V X, with what makes them whole blocks behind them.
    hessian: Vec<Vec<f64>>,
    /// Lower rows of the factor, padded with zeros.
    lower: Vec<Vec<f64>>,
    /// Reciprocals of the factor's diagonal.
    inverse: Vec<f64>,
    /// Squared penalty, which the factor holds on its diagonal times the penalty factors.
    ridge: f64,
    /// Rows that are no longer used, kept for their memory.
    spare: Vec<Vec<f64>>,
}

impl Factor {
    /// A factor of nothing, for a problem of `p` features.
    pub(super) fn new(p: usize) -> Self {
        Self {
            features: Vec::new(),
            has_row: vec![false; p],
            wanted: vec![false; p],
            weight: Vec::new(),
            hessian: Vec::new(),
            lower: Vec::new(),
            inverse: Vec::new(),
            ridge: 0.0,
            spare: Vec::new(),
        }
    }

    /// Forgets everything, so that the next [`Factor::fit`] starts from the current weights.
    pub(super) fn clear(&mut self) {
        self.features.clear();
        self.has_row.fill(false);
        self.spare.append(&mut self.hessian);
        self.spare.append(&mut self.lower);
    }

    /// Whether the next [`Factor::fit`] starts from the current weights.
    pub(super) fn is_clear(&self) -> bool {
        self.hessian.is_empty()
    }

    /// Multiplications of a factor of so many features, from the beginning.
    pub(super) fn work(&self, features: usize) -> f64 {
        let (n, k) = (self.weight.len() as f64, features as f64);
        n * k * k / 2.0 + k * k * k / 6.0
    }

    /// A row of so many zeros.
    fn new_row(&mut self, length: usize) -> Vec<f64> {
        let mut row = self.spare.pop().unwrap_or_default();
        row.clear();
        row.resize(length, 0.0);
        row
    }

    /// The factor over exactly the features of `movers`, with the given squared penalty. What it holds is kept, at the
    /// weights it was built at.
    #[inline(always)]
    pub(super) fn fit<S: Simd>(&mut self, solver: &Solver<'_, '_, S>, weight: &[f64], movers: &[Mover], ridge: f64) {
        let mut first_changed = self.lower.len();
        if self.hessian.is_empty() {
            self.weight.clear();
            self.weight.extend_from_slice(weight);
            let mut row = self.new_row(1);
            row[0] = sum(solver.simd, weight);
            self.hessian.push(row);
            first_changed = 0;
        }
        if ridge != self.ridge {
            self.ridge = ridge;
            first_changed = 0;
        }
        self.wanted.fill(false);
        movers.iter().for_each(|&(j, _)| self.wanted[j] = true);
        for place in (0..self.features.len()).rev() {
            if !self.wanted[self.features[place]] {
                self.remove(place);
                first_changed = first_changed.min(self.lower.len());
            }
        }
        self.append(solver, movers);
        self.factorise(solver, first_changed);
    }

    /// Takes a feature out. Rotations of neighbouring columns make the rows of the factor behind it triangular again.
    fn remove(&mut self, place: usize) {
        self.has_row[self.features.remove(place)] = false;
        let gone = place + 1;
        let row = self.hessian.remove(gone);
        self.spare.push(row);
        for row in &mut self.hessian[gone..] {
            row.remove(gone);
        }
        if gone >= self.lower.len() {
            return;
        }
        let row = self.lower.remove(gone);
        self.spare.push(row);
        let mut rotations: Vec<(f64, f64)> = Vec::with_capacity(self.lower.len() - gone);
        for (i, row) in self.lower.iter_mut().enumerate().skip(gone) {
            let mut carried = row[gone];
            for (k, (cosine, sine)) in rotations.iter().enumerate() {
                let next = row[gone + k + 1];
                row[gone + k] = cosine * carried + sine * next;
                carried = cosine * next - sine * carried;
            }
            let beyond = row[i + 1];
            let length = carried.hypot(beyond);
            rotations.push((carried / length, beyond / length));
            (row[i], row[i + 1]) = (length, 0.0);
        }
    }

    /// Rows of the features that have none yet.
    #[inline(always)]
    fn append<S: Simd>(&mut self, solver: &Solver<'_, '_, S>, movers: &[Mover]) {
        let known = self.features.len();
        for &(j, _) in movers {
            if !self.has_row[j] {
                self.has_row[j] = true;
                self.features.push(j);
                let mut row = self.new_row(1 + self.features.len().next_multiple_of(3));
                row[0] = dot(solver.simd, &self.weight, solver.column(j));
                self.hessian.push(row);
            }
        }
        let Self { features, weight, hessian, .. } = self;
        let (count, rows) = (features.len(), &mut hessian[known + 1..]);
        let fill = |(tile, rows): (usize, &mut [Vec<f64>])| {
            solver.simd.vectorize(Vectorised(
                #[inline(always)]
                || fill_rows(solver, features, weight, known + TILE * tile, rows),
            ));
        };
        if (count - known) * count * weight.len() / 2 >= PARALLEL_PRODUCTS {
            rows.par_chunks_mut(TILE).enumerate().with_max_len(1).for_each(fill);
        } else {
            rows.chunks_mut(TILE).enumerate().for_each(fill);
        }
    }

    /// Rows of the factor from `first` on.
    #[inline(always)]
    fn factorise<S: Simd>(&mut self, solver: &Solver<'_, '_, S>, first: usize) {
        let simd = solver.simd;
        let k = self.hessian.len();
        let length = padded(k);
        self.spare.extend(self.lower.drain(first..));
        for row in &mut self.lower {
            row.resize(length, 0.0);
        }
        self.inverse.clear();
        for (i, row) in self.lower.iter().enumerate() {
            self.inverse.push(1.0 / row[i]);
        }
        for start in (first..k).step_by(PANEL) {
            let end = (start + PANEL).min(k);
            let mut panel: Vec<Vec<f64>> = (start..end).map(|_| self.new_row(length)).collect();
            let Self { lower, inverse, hessian, .. } = &*self;
            // Entries before the panel need no other row of it.
            let before_panel = |(pair, sources): (&mut [Vec<f64>], &[Vec<f64>])| {
                simd.vectorize(Vectorised(
                    #[inline(always)]
                    || {
                        if let ([a, b], [of_a, of_b]) = (&mut *pair, sources) {
                            substitute_two(simd, [a, b], [of_a, of_b], lower, inverse);
                        } else {
                            // The last row, where their number is odd.
                            substitute(simd, &mut pair[0], &sources[0], lower, inverse, 0);
                        }
                    },
                ));
            };
            let sources = &hessian[start..end];
            if (end - start) * start * start / 2 >= PARALLEL_PRODUCTS {
                panel.par_chunks_mut(2).zip(sources.par_chunks(2)).for_each(before_panel);
            } else {
                panel.chunks_mut(2).zip(sources.chunks(2)).for_each(before_panel);
            }
            for mut row in panel {
                let i = self.lower.len();
                substitute(simd, &mut row, &self.hessian[i], &self.lower, &self.inverse, start);
                let mut diagonal = self.hessian[i][i];
                if i > 0 {
                    diagonal += self.ridge * solver.penalty[self.features[i - 1]];
                }
                let pivot = diagonal - dot(simd, &row, &row);
                row[i] = pivot.max(SMALLEST_PIVOT * diagonal).sqrt();
                self.inverse.push(1.0 / row[i]);
                self.lower.push(row);
            }
        }
    }

    /// Whether a feature has a row.
    pub(super) fn has(&self, j: usize) -> bool {
        self.has_row[j]
    }

    /// Solves L Lᵀ x = `pull`, the intercept first, then the features in their order; x is followed by padding.
    #[inline(always)]
    pub(super) fn solve<S: Simd>(&self, simd: S, pull: &[f64], x: &mut Vec<f64>) {
        let k = self.lower.len();
        x.clear();
        x.resize(padded(k), 0.0);
        for i in 0..k {
            // Entries from i on are still 0.
            let done = padded(i);
            x[i] = (pull[i] - dot(simd, &self.lower[i][..done], &x[..done])) * self.inverse[i];
        }
        for i in (0..k).rev() {
            let value = x[i] * self.inverse[i];
            let done = padded(i + 1);
            add_scaled(simd, &mut x[..done], -value, &self.lower[i][..done]);
            x[i] = value;
        }
    }
}

/// Lower rows of Xᵀ V X for the features from the place `first` on.
#[inline(always)]
fn fill_rows<S: Simd>(
    solver: &Solver<'_, '_, S>,
    features: &[usize],
    weight: &[f64],
    first: usize,
    rows: &mut [Vec<f64>],
) {
    let end = first + rows.len();
    let mut weighted = [[0.0; ROWS_AT_ONCE]; TILE];
    for start in (0..weight.len()).step_by(ROWS_AT_ONCE) {
        let block = start..(start + ROWS_AT_ONCE).min(weight.len());
        let length = block.len();
        for (weighted, &j) in weighted.iter_mut().zip(&features[first..end]) {
            let x = &solver.column(j)[block.clone()];
            for ((weighted, v), x) in weighted.iter_mut().zip(&weight[block.clone()]).zip(x) {
                *weighted = v * x;
            }
        }
        for three in (0..end).step_by(3) {
            // Where fewer than three are left, the last stands for those that are missing.
            let place = |k: usize| &solver.column(features[(three + k).min(end - 1)])[block.clone()];
            let columns = [place(0), place(1), place(2)];
            let mut row = three.saturating_sub(first);
            while row < rows.len() {
                let pair = [row, (row + 1).min(rows.len() - 1)].map(|row| &weighted[row][..length]);
                let products = dot_two_three(solver.simd, pair, columns);
                for (row, products) in rows[row..].iter_mut().zip(products) {
                    for (entry, product) in row[three + 1..three + 4].iter_mut().zip(products) {
                        *entry += product;
                    }
                }
                row += 2;
            }
        }
    }
}

/// Entries of a row of the factor from column `from` on, as far as the rows before it reach.
#[inline(always)]
fn substitute<S: Simd>(simd: S, row: &mut [f64], source: &[f64], lower: &[Vec<f64>], inverse: &[f64], from: usize) {
    let (fours, rest) = lower[from..].as_chunks::<4>();
    let mut start = from;
    for four in fours {
        // Products with the columns before the block, then within it. Entries from `start` on are still 0.
        let done = padded(start);
        let known = dot_four(simd, &row[..done], four.each_ref().map(|lower| &lower[..done]));
        substitute_within(row, source, known, four, inverse, start);
        start += 4;
    }
    for other in rest {
        let done = padded(start);
        row[start] = (source[start] - dot(simd, &row[..done], &other[..done])) * inverse[start];
        start += 1;
    }
}

/// Entries of a row of the factor from column `start` on, as far as `block` reaches, of whose rows the products with the
/// columns before it are `known`.
#[inline(always)]
fn substitute_within<const N: usize>(
    row: &mut [f64],
    source: &[f64],
    known: [f64; N],
    block: &[Vec<f64>; N],
    inverse: &[f64],
    start: usize,
) {
    for c in 0..N {
        let mut value = source[start + c] - known[c];
        for m in start..start + c {
            value -= row[m] * block[c][m];
        }
        row[start + c] = value * inverse[start + c];
    }
}

/// [`substitute`] from the first column on for two rows at once, which share the loads of the rows before them.
#[inline(always)]
fn substitute_two<S: Simd>(simd: S, rows: [&mut [f64]; 2], sources: [&[f64]; 2], lower: &[Vec<f64>], inverse: &[f64]) {
    let [first, second] = rows;
    let (threes, rest) = lower.as_chunks::<3>();
    let mut start = 0;
    for three in threes {
        let done = padded(start);
        let known =
            dot_two_three(simd, [&first[..done], &second[..done]], three.each_ref().map(|lower| &lower[..done]));
        for ((row, source), known) in [&mut *first, &mut *second].into_iter().zip(sources).zip(known) {
            substitute_within(row, source, known, three, inverse, start);
        }
        start += 3;
    }
    for other in rest {
        let done = padded(start);
        for (row, source) in [&mut *first, &mut *second].into_iter().zip(sources) {
            row[start] = (source[start] - dot(simd, &row[..done], &other[..done])) * inverse[start];
        }
        start += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::params::ElasticNetParams;
    use super::super::path::OutcomeFamily;
    use super::super::problem::{Data, Problem};
    use super::*;

    #[test]
    fn features_that_left_are_as_if_they_had_never_come() {
        // More rows than are summed at once, and more features than a thread takes at once.
        let (n, p) = (ROWS_AT_ONCE + 40, TILE + 9);
        let value = |i: usize, j: usize| {
            ((i * 37 + j * 101 + i * j * 7) % 83) as f64 / 83.0
                + if j.is_multiple_of(3) { 0.02 * (i % 40) as f64 } else { 0.0 }
        };
        let values = ndarray::Array2::from_shape_fn((n, p), |(i, j)| value(i, j));
        let y: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i.is_multiple_of(3)))).collect();
        let (rows, params) = ((0..n).collect::<Vec<_>>(), ElasticNetParams::default());
        let simd = pulp::Scalar::new();
        let problem = Problem::new(
            simd,
            &Data { values: values.view(), rows: &rows, y: &y, family: OutcomeFamily::Binomial },
            &params,
        )
        .unwrap();
        let solver = Solver { problem: &problem, simd };
        let mut weight = vec![0.0; problem.padded_rows()];
        (0..n).for_each(|i| weight[i] = 0.1 + 0.002 * (i % 40) as f64);
        let all: Vec<usize> = (0..p).collect();
        let movers = |features: &[usize]| features.iter().map(|&j| (j, 0.0)).collect::<Vec<Mover>>();
        for (gone, ridge) in
            [(vec![0], 0.0), (vec![24], 0.0), (vec![3, 4, 5, 17], 0.01), ((1..24).collect(), 0.0), (all.clone(), 0.0)]
        {
            let kept: Vec<usize> = all.iter().copied().filter(|j| !gone.contains(j)).collect();
            let (mut left, mut fresh) = (Factor::new(p), Factor::new(p));
            left.fit(&solver, &weight, &movers(&all), ridge);
            left.fit(&solver, &weight, &movers(&kept), ridge);
            fresh.fit(&solver, &weight, &movers(&kept), ridge);
            assert_eq!(left.features, fresh.features);
            for (left, fresh) in left.lower.iter().flatten().zip(fresh.lower.iter().flatten()) {
                assert!((left - fresh).abs() < 1e-12, "{gone:?}: {left}, not {fresh}");
            }
            // And they may come back.
            left.fit(&solver, &weight, &movers(&all), ridge);
            for (i, &a) in left.features.iter().enumerate() {
                for (j, &b) in left.features[..=i].iter().enumerate() {
                    let product: f64 =
                        (0..n).map(|row| problem.column(a)[row] * weight[row] * problem.column(b)[row]).sum();
                    assert!((left.hessian[i + 1][j + 1] - product).abs() < 1e-10, "{a}, {b}: not {product}");
                }
            }
            let pull: Vec<f64> = (0..=p).map(|k| (k as f64).sin()).collect();
            let mut step = Vec::new();
            left.solve(simd, &pull, &mut step);
            let row = |i: usize| -> f64 {
                let entry = |j: usize| left.hessian[i.max(j)][i.min(j)] + if i == j && i > 0 { ridge } else { 0.0 };
                (0..=p).map(|j| entry(j) * step[j]).sum()
            };
            (0..=p).for_each(|i| assert!((row(i) - pull[i]).abs() < 1e-9));
        }
    }
}
