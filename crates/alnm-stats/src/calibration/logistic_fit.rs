//! Small logistic models of the outcome on functions of the predicted risk.

use crate::error::{Result, StatsError};
use crate::linear::solve_symmetric;
use crate::logit::expit;

/// Maximum likelihood of a logistic model with an intercept, an offset and a few covariates.
pub(super) struct LogisticFit {
    /// Intercept, then the covariates.
    pub(super) coefficients: Vec<f64>,
    /// Their covariance, row by row.
    pub(super) covariance: Vec<f64>,
    pub(super) deviance: f64,
}

impl LogisticFit {
    pub(super) fn of(operation: &'static str, y: &[f64], offset: &[f64], columns: &[&[f64]]) -> Result<Self> {
        const ITERATIONS: usize = 100;
        let k = 1 + columns.len();
        let column = |c: usize, i: usize| if c == 0 { 1.0 } else { columns[c - 1][i] };
        let mut b = vec![0.0; k];
        let linear = |b: &[f64]| -> Vec<f64> {
            (0..y.len()).map(|i| offset[i] + (0..k).map(|c| b[c] * column(c, i)).sum::<f64>()).collect()
        };
        let mut current = deviance(y, &linear(&b));
        for _ in 0..ITERATIONS {
            let eta = linear(&b);
            let mut gradient = vec![0.0; k];
            let mut information = vec![0.0; k * k];
            for i in 0..y.len() {
                let p = expit(eta[i]);
                for r in 0..k {
                    gradient[r] += column(r, i) * (y[i] - p);
                    for c in 0..k {
                        information[r * k + c] += column(r, i) * column(c, i) * p * (1.0 - p);
                    }
                }
            }
            let separated = || StatsError::Undefined {
                operation,
                requirement: "the risk must not separate the outcome, since no finite estimate exists then",
            };
            let step = solve_symmetric(&information, &gradient).ok_or_else(separated)?;
            let mut scale = 1.0;
            let mut next: Vec<f64>;
            loop {
                next = b.iter().zip(&step).map(|(b, s)| b + scale * s).collect();
                let value = deviance(y, &linear(&next));
                if value <= current + 1e-9 * current.abs() + 1e-12 || scale < 1e-6 {
                    current = value;
                    break;
                }
                scale /= 2.0;
            }
            let moved = b.iter().zip(&next).map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f64::max);
            b = next;
            if moved < 1e-13 {
                let mut covariance = vec![0.0; k * k];
                for c in 0..k {
                    let unit: Vec<f64> = (0..k).map(|r| f64::from(u8::from(r == c))).collect();
                    for (r, v) in solve_symmetric(&information, &unit).ok_or_else(separated)?.into_iter().enumerate() {
                        covariance[r * k + c] = v;
                    }
                }
                return Ok(Self { coefficients: b, covariance, deviance: current });
            }
        }
        Err(StatsError::NotConverged { operation, iterations: ITERATIONS })
    }
}

/// −2 log likelihood of linear predictors.
pub(super) fn deviance(y: &[f64], eta: &[f64]) -> f64 {
    2.0 * y.iter().zip(eta).map(|(y, e)| e.max(0.0) + (-e.abs()).exp().ln_1p() - y * e).sum::<f64>()
}
