//! The standardised problem that a path solves.

use alnm_stats::memory::Aligned;
use ndarray::parallel::prelude::*;
use ndarray::{ArrayView2, Axis};
use pulp::Simd;
use rayon::slice::ParallelSliceMut;

use super::kernels::{Vectorised, dot, padded, sum};
use super::params::ElasticNetParams;
use super::path::{OutcomeFamily, SparseCoefficients};
use crate::error::{Result, SelectionError};

/// Risks closer to 0 or 1 than this are held there.
pub(super) const SMALLEST_PROBABILITY: f64 = 1e-9;

/// Numbers to go through from which on threads share the work. Features are independent, so threads do not change the
/// result.
pub(super) const PARALLEL_WORK: usize = 1 << 20;

/// Features that are copied at once, since their values lie side by side in each row.
const TOGETHER: usize = 16;

/// What a path is fitted to.
#[derive(Clone, Copy)]
pub(crate) struct Data<'a> {
    /// Rows of features, more of them perhaps.
    pub(crate) values: ArrayView2<'a, f64>,
    /// The rows to take.
    pub(crate) rows: &'a [usize],
    /// The outcomes of these rows.
    pub(crate) y: &'a [f64],
    pub(crate) family: OutcomeFamily,
}

/// Features, outcome, penalties and bounds on the scale on which the problem is solved.
pub(super) struct Problem<'a> {
    pub(super) n: usize,
    pub(super) p: usize,
    pub(super) family: OutcomeFamily,
    pub(super) y: &'a [f64],
    /// Mean and scale of y; 0 and 1 for a binary outcome.
    pub(super) y_mean: f64,
    pub(super) y_scale: f64,
    /// Standardised features, column after column, each padded with zeros.
    x: Aligned<f64>,
    /// The same in single precision, and the length of each column.
    x_single: Aligned<f32>,
    pub(super) length: Vec<f64>,
    rows: usize,
    mean: Vec<f64>,
    scale: Vec<f64>,
    /// Whether a feature varies.
    pub(super) varies: Vec<bool>,
    pub(super) penalty: Vec<f64>,
    pub(super) lower: Vec<f64>,
    pub(super) upper: Vec<f64>,
    pub(super) alpha: f64,
    /// Null deviance over 2n, on the scale of the problem.
    pub(super) null_loss: f64,
}

/// What a column was scaled by.
struct Scaled {
    mean: f64,
    scale: f64,
    /// Length of the scaled column.
    length: f64,
    varies: bool,
}

impl Scaled {
    /// Centres the n values of a padded column and, if asked for, scales them; where they are constant, they become
    /// zeros.
    #[inline(always)]
    fn standardise<S: Simd>(simd: S, column: &mut [f64], n: usize, to_unit_variance: bool) -> Self {
        let mean = sum(simd, column) / n as f64;
        let varies = !column[..n].iter().all(|v| *v == column[0]);
        let mut scale = 1.0;
        if varies {
            column[..n].iter_mut().for_each(|x| *x -= mean);
            if to_unit_variance {
                scale = (dot(simd, column, column) / n as f64).sqrt();
                column[..n].iter_mut().for_each(|v| *v /= scale);
            }
        } else {
            column.fill(0.0);
        }
        Self { mean, scale, length: dot(simd, column, column).sqrt(), varies }
    }
}

impl<'a> Problem<'a> {
    /// The problem of the given rows of the columns, with their outcomes y.
    #[inline(always)]
    pub(super) fn new<S: Simd>(simd: S, data: &Data<'a>, params: &ElasticNetParams) -> Result<Self> {
        let Data { values, rows: chosen, y, family } = *data;
        let (n, p) = (y.len(), values.ncols());
        let rows = padded(n);
        let nf = n as f64;
        let mut x = Aligned::<f64>::zeros(rows * p);
        let mut x_single = Aligned::<f32>::zeros(rows * p);
        // Of some features whose values lie side by side.
        let fill = |((values, x), x_single): ((ArrayView2<'_, f64>, &mut [f64]), &mut [f32])| -> Vec<Scaled> {
            for (i, &row) in chosen.iter().enumerate() {
                x[i..].iter_mut().step_by(rows).zip(values.row(row)).for_each(|(x, value)| *x = *value);
            }
            let columns = x.chunks_exact_mut(rows).zip(x_single.chunks_exact_mut(rows));
            let standardise = |(column, single): (&mut [f64], &mut [f32])| {
                let scaled = simd.vectorize(Vectorised(
                    #[inline(always)]
                    || Scaled::standardise(simd, column, n, params.standardise),
                ));
                single.iter_mut().zip(column).for_each(|(single, x)| *single = *x as f32);
                scaled
            };
            columns.map(standardise).collect()
        };
        let (some, together) = (values.axis_chunks_iter(Axis(1), TOGETHER), rows * TOGETHER);
        let scaled: Vec<Scaled> = if rows * p >= PARALLEL_WORK {
            let some = some.into_par_iter().zip(x.par_chunks_mut(together)).zip(x_single.par_chunks_mut(together));
            some.flat_map_iter(fill).collect()
        } else {
            some.zip(x.chunks_mut(together)).zip(x_single.chunks_mut(together)).flat_map(fill).collect()
        };
        let (mean, scale, length): (Vec<f64>, Vec<f64>, Vec<f64>) =
            scaled.iter().map(|s| (s.mean, s.scale, s.length)).collect();
        let varies: Vec<bool> = scaled.iter().map(|s| s.varies).collect();
        if !varies.iter().any(|v| *v) {
            return Err(SelectionError::NothingLeft { step: "the LASSO on constant features" });
        }
        let factors = params.penalty_factors.clone().unwrap_or_else(|| vec![1.0; p]);
        let total: f64 = factors.iter().sum();
        let y_mean = y.iter().sum::<f64>() / nf;
        let (shift, y_scale, null_loss) = match family {
            OutcomeFamily::Binomial => (0.0, 1.0, -(y_mean * y_mean.ln() + (1.0 - y_mean) * (1.0 - y_mean).ln())),
            OutcomeFamily::Gaussian => {
                let sd = (y.iter().map(|v| (v - y_mean).powi(2)).sum::<f64>() / nf).sqrt();
                (y_mean, sd, 0.5)
            }
        };
        Ok(Self {
            n,
            p,
            family,
            y,
            y_mean: shift,
            y_scale,
            penalty: factors.iter().map(|f| f * p as f64 / total).collect(),
            lower: scale.iter().map(|s| params.lower_limit.map_or(f64::NEG_INFINITY, |l| l * s / y_scale)).collect(),
            upper: scale.iter().map(|s| params.upper_limit.map_or(f64::INFINITY, |l| l * s / y_scale)).collect(),
            x,
            x_single,
            length,
            rows,
            mean,
            scale,
            varies,
            alpha: params.alpha,
            null_loss,
        })
    }

    /// A standardised feature, padded with zeros.
    #[inline(always)]
    pub(super) fn column(&self, j: usize) -> &[f64] {
        &self.x[j * self.rows..(j + 1) * self.rows]
    }

    /// At most four standardised features; the last again where they are fewer.
    #[inline(always)]
    pub(super) fn four_columns(&self, features: &[usize]) -> [&[f64]; 4] {
        let last = features.len() - 1;
        let column = |k: usize| self.column(features[last.min(k)]);
        [column(0), column(1), column(2), column(last)]
    }

    /// The same in single precision.
    #[inline(always)]
    pub(super) fn four_columns_single(&self, features: &[usize]) -> [&[f32]; 4] {
        let last = features.len() - 1;
        let column = |k: usize| self.column_single(features[last.min(k)]);
        [column(0), column(1), column(2), column(last)]
    }

    /// A standardised feature in single precision, padded with zeros.
    #[inline(always)]
    pub(super) fn column_single(&self, j: usize) -> &[f32] {
        &self.x_single[j * self.rows..(j + 1) * self.rows]
    }

    /// Bound on the error of a gradient in single precision: roundings of both factors and of at most n/16 + 4
    /// additions a part, each 2⁻²⁴ of Σ |r x|.
    #[inline(always)]
    pub(super) fn single_precision_error(&self, j: usize, residual_length: f64) -> f64 {
        (self.n as f64 / 16.0 + 8.0) * f64::from(f32::EPSILON) * residual_length * self.length[j]
    }

    /// Rows of a padded column.
    pub(super) fn padded_rows(&self) -> usize {
        self.rows
    }

    /// Deviance over 2n of a linear predictor on the scale of the problem.
    pub(super) fn loss(&self, eta: &[f64]) -> f64 {
        let n = self.n as f64;
        let pairs = eta.iter().zip(self.y);
        match self.family {
            OutcomeFamily::Binomial => {
                /// Risks whose product is no less than 10⁻²⁸⁸.
                const TOGETHER: usize = 32;
                let held = |q: f64| q.clamp(SMALLEST_PROBABILITY, 1.0 - SMALLEST_PROBABILITY);
                // The risk of what happened; where it did not, the mirrored predictor gives it. The logarithms of
                // several are that of their product.
                let risks: Vec<f64> =
                    pairs.map(|(e, y)| held(1.0 / (1.0 + (if *y == 1.0 { -e } else { *e }).exp()))).collect();
                -risks.chunks(TOGETHER).map(|risks| risks.iter().product::<f64>().ln()).sum::<f64>() / n
            }
            OutcomeFamily::Gaussian => {
                pairs.map(|(e, y)| ((y - self.y_mean) / self.y_scale - e).powi(2)).sum::<f64>() / (2.0 * n)
            }
        }
    }

    /// Coefficients on the original scale. `nonzero` holds column and coefficient on the scale of the problem.
    pub(super) fn coefficients(&self, intercept: f64, mut nonzero: Vec<(usize, f64)>) -> SparseCoefficients {
        nonzero.sort_unstable_by_key(|(j, _)| *j);
        let columns: Vec<usize> = nonzero.iter().map(|(j, _)| *j).collect();
        let values: Vec<f64> = nonzero.iter().map(|&(j, b)| b * self.y_scale / self.scale[j]).collect();
        let shift: f64 = columns.iter().zip(&values).map(|(&j, b)| b * self.mean[j]).sum();
        SparseCoefficients::new(intercept * self.y_scale + self.y_mean - shift, columns, values)
    }
}
