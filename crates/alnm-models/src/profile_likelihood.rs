//! Profile-likelihood intervals of logistic coefficients.

use crate::error::{ModelError, Result};
use crate::irls::{Likelihood, Maximum};
use crate::logistic::{LogisticParams, Prepared, STEP_TOLERANCE};
use crate::{FeatureTable, Labels};
use alnm_stats::Interval;
use alnm_stats::distribution::chi_squared_quantile;
use alnm_stats::root::brent;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Profile-likelihood interval of one coefficient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfileInterval {
    /// Name of the term.
    pub name: String,
    /// Maximum likelihood estimate.
    pub estimate: f64,
    /// Interval: where the deviance, maximised over the other coefficients, rises by the χ²₁ quantile. An end that the likelihood does not
    /// bound (separation) is infinite.
    pub interval: Interval,
}

/// Profile-likelihood intervals of all coefficients at `params.level`, the exact roots of the profile. R's `confint` interpolates the
/// profile with a spline on a coarse grid and differs from them by up to 0.3 %.
///
/// # Errors
/// As [`crate::LogisticModel::fit`]; [`ModelError::NotConverged`] when a constrained fit fails.
pub fn profile_intervals(table: &FeatureTable, labels: &Labels, params: &LogisticParams) -> Result<Vec<ProfileInterval>> {
    let data = Prepared::new(table, labels, params)?;
    let likelihood = data.likelihood();
    let maximum = likelihood.maximise(&vec![0.0; data.columns.len()], params.max_iterations, STEP_TOLERANCE);
    let covariance = likelihood.covariance(&maximum.beta);
    let rise = chi_squared_quantile(params.level, 1.0);
    (0..data.names.len())
        .into_par_iter()
        .map(|j| {
            let profile = Profile { data: &data, maximum: &maximum, rise, index: j, step: covariance[j][j].sqrt() };
            let interval = Interval { lower: profile.end(-1.0)?, upper: profile.end(1.0)?, level: params.level };
            Ok(ProfileInterval { name: data.names[j].clone(), estimate: maximum.beta[j], interval })
        })
        .collect()
}

struct Profile<'a> {
    data: &'a Prepared,
    maximum: &'a Maximum,
    rise: f64,
    index: usize,
    /// Standard error of the coefficient.
    step: f64,
}

impl Profile<'_> {
    /// Where the profile deviance reaches its bound on one side.
    fn end(&self, side: f64) -> Result<f64> {
        const FURTHEST: f64 = 40.0;
        let others: Vec<Vec<f64>> =
            (0..self.data.columns.len()).filter(|&k| k != self.index).map(|k| self.data.columns[k].clone()).collect();
        let estimate = self.maximum.beta[self.index];
        let mut start: Vec<f64> = (0..self.maximum.beta.len()).filter(|&k| k != self.index).map(|k| self.maximum.beta[k]).collect();
        // Excess of the profile deviance over its bound; each fit starts from the last one.
        let mut excess = |value: f64| {
            let offset: Vec<f64> = self.data.offset.iter().zip(&self.data.columns[self.index]).map(|(o, x)| o + value * x).collect();
            let constrained = Likelihood { columns: &others, y: &self.data.y, weights: &self.data.weights, offset: &offset };
            let fit = constrained.maximise(&start, 200, STEP_TOLERANCE);
            if fit.converged {
                start.clone_from(&fit.beta);
            }
            fit.deviance - self.maximum.deviance - self.rise
        };
        let mut near = estimate;
        let mut distance = 1.0;
        while distance <= FURTHEST {
            let far = estimate + side * distance * self.step;
            if excess(far) >= 0.0 {
                let tolerance = 1e-12 * (estimate.abs() + self.step);
                let root = brent(&mut excess, near, far, tolerance, 200)
                    .map_err(|_| ModelError::NotConverged { operation: "profile likelihood interval", iterations: 200 })?;
                return Ok(root.location);
            }
            near = far;
            distance += 1.0;
        }
        Ok(side * f64::INFINITY)
    }
}
