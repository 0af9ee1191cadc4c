//! Profile-likelihood intervals of logistic coefficients.

use alnm_stats::Interval;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::distribution::{chi_squared_quantile, normal_quantile};
use alnm_stats::root::brent;
use rayon::prelude::*;

use crate::design::{Design, LogisticParams, LogisticRegression, STEP_TOLERANCE};
use crate::error::{ModelError, Result};
use crate::irls::{Likelihood, Maximum};
use crate::{FeatureTable, Labels};

/// Profile-likelihood interval of one coefficient.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ProfileInterval {
    /// Name of the term.
    pub name: String,
    /// Maximum likelihood estimate: log odds ratio per unit.
    pub estimate: f64,
    /// Interval of the coefficient: where the deviance, maximised over the other coefficients, rises by the χ²₁
    /// quantile of the level. An end that the likelihood does not bound (separation) is infinite.
    pub interval: Interval,
}

/// How the ends of a profile-likelihood interval are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ProfileMethod {
    /// The exact roots of the profile.
    #[default]
    Exact,
    /// R's `confint`: a spline through the profile at steps of a fifth of its reach, read off at 3 points per step. It
    /// differs from the roots by up to 0.3 %; an end beyond ten steps is NaN. Where the predictors separate the outcome
    /// there is no curve to put a spline through, and the roots are given.
    Spline,
}

/// Profile-likelihood intervals of all coefficients at `params.level`; checks the parameters first.
///
/// # Errors
/// As [`LogisticRegression::profile_intervals`], and [`ModelError::Parameter`] for a parameter outside its range.
///
/// ```
/// use alnm_models::profile_likelihood::{ProfileMethod, profile_intervals};
/// use alnm_models::{FeatureTable, Labels, LogisticParams};
/// use ndarray::array;
/// let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
/// let labels = Labels::new(vec![false, false, true, false, true, true]);
/// let intervals = profile_intervals(&table, &labels, ProfileMethod::Exact, &LogisticParams::default())?;
/// let size = &intervals[1];
/// assert!(size.name == "size" && size.interval.lower < size.estimate && size.estimate < size.interval.upper);
/// # Ok::<(), alnm_models::ModelError>(())
/// ```
pub fn profile_intervals(
    table: &FeatureTable,
    labels: &Labels,
    method: ProfileMethod,
    params: &LogisticParams,
) -> Result<Vec<ProfileInterval>> {
    params.clone().check()?.profile_intervals(table, labels, method)
}

impl LogisticRegression {
    /// Profile-likelihood intervals of all coefficients.
    ///
    /// # Errors
    /// As [`LogisticRegression::fit`]; [`ModelError::NotConverged`] when a constrained fit fails.
    pub fn profile_intervals(
        &self,
        table: &FeatureTable,
        labels: &Labels,
        method: ProfileMethod,
    ) -> Result<Vec<ProfileInterval>> {
        let data = Design::new(table, labels, self)?;
        let LogisticParams { level, max_iterations, .. } = *self.params();
        let likelihood = data.likelihood();
        let maximum = likelihood.maximise(&vec![0.0; data.columns.len()], max_iterations, STEP_TOLERANCE);
        let covariance = likelihood.covariance(&maximum.beta);
        let rise = chi_squared_quantile(level, 1.0);
        (0..data.names.len())
            .into_par_iter()
            .map(|j| {
                let tangent = covariance[j]
                    .iter()
                    .map(|c| c / covariance[j][j])
                    .map(|c| if c.is_finite() { c } else { 0.0 })
                    .collect();
                let profile =
                    Profile { data: &data, maximum: &maximum, rise, index: j, step: covariance[j][j].sqrt(), tangent };
                let interval = match method {
                    ProfileMethod::Spline if !maximum.separated => profile.spline_interval(level),
                    _ => Interval { lower: profile.end(-1.0)?, upper: profile.end(1.0)?, level },
                };
                Ok(ProfileInterval { name: data.names[j].clone(), estimate: maximum.beta[j], interval })
            })
            .collect()
    }
}

struct Profile<'a> {
    data: &'a Design,
    maximum: &'a Maximum,
    rise: f64,
    index: usize,
    /// Standard error of the coefficient.
    step: f64,
    /// How the coefficients that maximise the likelihood move with this one, near the maximum.
    tangent: Vec<f64>,
}

impl Profile<'_> {
    /// Deviance maximised over the other coefficients; each fit starts from the last one, moved along the tangent: a
    /// predictor far from 0 would otherwise take the linear predictor out of reach.
    fn deviance(&self) -> impl FnMut(f64) -> f64 + '_ {
        let others: Vec<Vec<f64>> =
            (0..self.data.columns.len()).filter(|&k| k != self.index).map(|k| self.data.columns[k].clone()).collect();
        let without_index =
            |all: &[f64]| -> Vec<f64> { (0..all.len()).filter(|&k| k != self.index).map(|k| all[k]).collect() };
        let tangent = without_index(&self.tangent);
        let mut last = (self.maximum.beta[self.index], without_index(&self.maximum.beta));
        move |value| {
            let start: Vec<f64> = last.1.iter().zip(&tangent).map(|(b, t)| b + t * (value - last.0)).collect();
            let offset: Vec<f64> =
                self.data.offset.iter().zip(&self.data.columns[self.index]).map(|(o, x)| o + value * x).collect();
            let constrained =
                Likelihood { columns: &others, y: &self.data.y, weights: &self.data.weights, offset: &offset };
            let fit = constrained.maximise(&start, 200, STEP_TOLERANCE);
            if fit.converged {
                last = (value, fit.beta);
            }
            fit.deviance
        }
    }

    /// Where the profile deviance reaches its bound on one side.
    fn end(&self, side: f64) -> Result<f64> {
        const FURTHEST: f64 = 40.0;
        let estimate = self.maximum.beta[self.index];
        let mut deviance = self.deviance();
        let mut excess = |value: f64| deviance(value) - self.maximum.deviance - self.rise;
        let mut near = estimate;
        let mut distance = 1.0;
        while distance <= FURTHEST {
            let far = estimate + side * distance * self.step;
            if excess(far) >= 0.0 {
                let tolerance = 1e-12 * (estimate.abs() + self.step);
                let root = brent(&mut excess, near, far, tolerance, 200).map_err(|_| ModelError::NotConverged {
                    operation: "profile likelihood interval",
                    iterations: 200,
                })?;
                return Ok(root.location);
            }
            near = far;
            distance += 1.0;
        }
        Ok(side * f64::INFINITY)
    }

    /// The interval as MASS reads it off a spline through the signed roots of the deviance.
    fn spline_interval(&self, level: f64) -> Interval {
        const STEPS: usize = 10;
        let tail = (1.0 - level) / 2.0;
        let reach = chi_squared_quantile(1.0 - tail / 2.0, 1.0).sqrt();
        let estimate = self.maximum.beta[self.index];
        let mut points = vec![(estimate, 0.0)];
        for side in [-1.0, 1.0] {
            let mut deviance = self.deviance();
            let mut z = 0.0f64;
            for step in 1..STEPS {
                if z.abs() >= reach {
                    break;
                }
                let value = estimate + side * step as f64 * reach / 5.0 * self.step;
                z = side * (deviance(value) - self.maximum.deviance).max(0.0).sqrt();
                points.push((value, z));
            }
        }
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (x, y): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
        let dense = Spline::through(&x, &y).sample(3 * x.len());
        let cut = normal_quantile(1.0 - tail);
        Interval { lower: read_off(&dense, -cut), upper: read_off(&dense, cut), level }
    }
}

/// Abscissa at which the polyline reaches a height; NaN when it does not.
fn read_off(points: &[(f64, f64)], height: f64) -> f64 {
    points
        .windows(2)
        .find(|w| (w[0].1 <= height) && (height <= w[1].1))
        .map_or(f64::NAN, |w| w[0].0 + (w[1].0 - w[0].0) * (height - w[0].1) / (w[1].1 - w[0].1))
}

/// Cubic spline whose ends follow the cubics through the four outermost points (Forsythe, Malcolm and Moler 1977; R's
/// default).
struct Spline<'a> {
    x: &'a [f64],
    y: &'a [f64],
    /// Second derivatives over 6 at the knots.
    curvature: Vec<f64>,
}

impl<'a> Spline<'a> {
    fn through(x: &'a [f64], y: &'a [f64]) -> Self {
        let n = x.len();
        if n < 4 {
            return Self { x, y, curvature: vec![0.0; n] };
        }
        let d: Vec<f64> = x.windows(2).map(|w| w[1] - w[0]).collect();
        let slope: Vec<f64> = (0..n - 1).map(|i| (y[i + 1] - y[i]) / d[i]).collect();
        let mut diagonal = vec![0.0; n];
        let mut c = vec![0.0; n];
        for i in 1..n - 1 {
            diagonal[i] = 2.0 * (d[i - 1] + d[i]);
            c[i] = slope[i] - slope[i - 1];
        }
        diagonal[0] = -d[0];
        diagonal[n - 1] = -d[n - 2];
        let low = c[2] / (x[3] - x[1]) - c[1] / (x[2] - x[0]);
        let high = c[n - 2] / (x[n - 1] - x[n - 3]) - c[n - 3] / (x[n - 2] - x[n - 4]);
        c[0] = low * d[0] * d[0] / (x[3] - x[0]);
        c[n - 1] = -high * d[n - 2] * d[n - 2] / (x[n - 1] - x[n - 4]);
        for i in 1..n {
            let t = d[i - 1] / diagonal[i - 1];
            diagonal[i] -= t * d[i - 1];
            c[i] -= t * c[i - 1];
        }
        c[n - 1] /= diagonal[n - 1];
        for i in (0..n - 1).rev() {
            c[i] = (c[i] - d[i] * c[i + 1]) / diagonal[i];
        }
        Self { x, y, curvature: c }
    }

    /// `count` points evenly along the abscissa.
    fn sample(&self, count: usize) -> Vec<(f64, f64)> {
        let n = self.x.len();
        let (low, high) = (self.x[0], self.x[n - 1]);
        (0..count)
            .map(|k| {
                let at = low + (high - low) * k as f64 / (count - 1) as f64;
                let i = self.x.partition_point(|v| *v <= at).clamp(1, n - 1) - 1;
                let (h, c) = (self.x[i + 1] - self.x[i], &self.curvature);
                let b = (self.y[i + 1] - self.y[i]) / h - h * (c[i + 1] + 2.0 * c[i]);
                let u = at - self.x[i];
                (at, self.y[i] + u * (b + u * (3.0 * c[i] + u * (c[i + 1] - c[i]) / h)))
            })
            .collect()
    }
}

impl Tabulate for ProfileInterval {
    const COLUMNS: &'static [&'static str] = &["term", "lower", "upper"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![&self.name, self.interval.lower, self.interval.upper]]
    }
}
