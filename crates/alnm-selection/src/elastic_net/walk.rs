//! The walk along the penalties.

use pulp::Simd;

use super::descent::{Solver, State};
use super::exact::Newton;
use super::params::{ElasticNetParams, LambdaSequence, PathPrecision};
use super::path::{ElasticNetPath, OutcomeFamily, Solutions, SparseCoefficients};
use super::problem::{Data, Problem};
use crate::error::{Result, SelectionError};

/// A path ends when it explains this share of the deviance …
const LARGEST_DEVIANCE_RATIO: f64 = 0.999;
/// … or when a step gains less than this.
const SMALLEST_GAIN: f64 = 1e-5;
/// A penalty that no gradient exceeds; glmnet's.
const BEYOND_EVERY_GRADIENT: f64 = 9.9e35;
/// Threshold of the fit without penalised features where optimality conditions are asked for.
const FREE_FEATURES: f64 = 1e-20;
/// Penalties that are fitted before a path may end.
const FEWEST_PENALTIES: usize = 5;

/// The walk, compiled for the vector instructions that the processor has.
pub(super) struct Walk<'a, 'd> {
    /// Names of the features, which the path keeps.
    pub(super) names: &'a [String],
    pub(super) data: Data<'d>,
    pub(super) params: &'a ElasticNetParams,
}

impl pulp::WithSimd for Walk<'_, '_> {
    type Output = Result<ElasticNetPath>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let problem = Problem::new(simd, &self.data, self.params)?;
        Solver { problem: &problem, simd }.walk(self.names, self.params)
    }
}

impl<S: Simd> Solver<'_, '_, S> {
    /// Fits the penalties one after the other.
    #[inline(always)]
    fn walk(&self, names: &[String], params: &ElasticNetParams) -> Result<ElasticNetPath> {
        let mut state = self.start();
        let mut newton = Newton::new(self.p, self.padded_rows());
        // An automatic path may end early.
        let early = matches!(params.lambda, LambdaSequence::Automatic { .. });
        let mut largest = self.largest_penalty(&state);
        // Features without a penalty are fitted first: the largest penalty is that of what they leave over.
        let mut without_penalised = None;
        if early && self.has_free_features() {
            let threshold = match params.precision {
                PathPrecision::Threshold(threshold) => threshold,
                PathPrecision::OptimalityConditions(_) => FREE_FEATURES,
            };
            without_penalised =
                Some(self.solve_at(&mut state, BEYOND_EVERY_GRADIENT, largest, threshold, params.max_passes)?);
            largest = self.largest_penalty(&state);
        }
        let given: Vec<f64> = match &params.lambda {
            LambdaSequence::Given(lambda) => lambda.iter().map(|l| l / self.y_scale).collect(),
            LambdaSequence::Automatic { count, ratio } => {
                let ratio = ratio.unwrap_or(if self.n < self.p { 0.01 } else { 1e-4 });
                let factor = ratio.powf(1.0 / (*count as f64 - 1.0).max(1.0));
                std::iter::successors(Some(largest), |l| Some(l * factor)).take(*count).collect()
            }
        };
        let mut path = Solutions {
            family: self.family,
            names: names.to_vec(),
            lambda: Vec::new(),
            coefficients: Vec::new(),
            deviance_ratio: Vec::new(),
            null_deviance: 2.0 * self.n as f64 * self.null_loss * self.y_scale * self.y_scale,
            passes: 0,
            complete: true,
        };
        // Where a limit is 0 nothing may happen for a while, and glmnet goes on.
        let may_stand_still = [params.lower_limit, params.upper_limit].contains(&Some(0.0));
        // glmnet starts an automatic path above every penalty and given ones from 0.
        let mut previous = if early { largest } else { 0.0 };
        for (k, &lambda) in given.iter().enumerate() {
            let solved = match (params.precision, without_penalised.take()) {
                (PathPrecision::Threshold(_), Some(usable)) => Ok(usable),
                (PathPrecision::Threshold(threshold), None) => {
                    // The first penalty of an automatic path leaves every penalised feature out, whatever the last bit
                    // of a gradient says.
                    let lambda = if early && k == 0 { BEYOND_EVERY_GRADIENT } else { lambda };
                    self.solve_at(&mut state, lambda, previous, threshold, params.max_passes)
                }
                (PathPrecision::OptimalityConditions(tolerance), _) => {
                    self.solve_exactly(&mut state, &mut newton, lambda, tolerance, params.max_passes)
                }
            };
            let usable = match solved {
                // As glmnet does: a penalty too small to be solved ends the path, and what lies before it stands.
                Err(SelectionError::NotConverged { .. }) if k > 0 => {
                    path.complete = false;
                    break;
                }
                solved => solved?,
            };
            previous = lambda;
            let ratio = 1.0 - newton.deviance().unwrap_or_else(|| self.loss(&state.eta)) / self.null_loss;
            let gain = path.deviance_ratio.last().map_or(f64::INFINITY, |last| ratio - last);
            path.lambda.push(lambda * self.y_scale);
            path.coefficients.push(self.coefficients_of(&state));
            path.deviance_ratio.push(ratio);
            if !usable {
                break;
            }
            let smallest_gain =
                if self.family == OutcomeFamily::Gaussian { SMALLEST_GAIN * ratio } else { SMALLEST_GAIN };
            let gains_nothing = !may_stand_still && gain < smallest_gain;
            if early && k + 1 >= FEWEST_PENALTIES.min(given.len()) && (ratio > LARGEST_DEVIANCE_RATIO || gains_nothing)
            {
                break;
            }
        }
        path.passes = state.passes;
        Ok(ElasticNetPath::of_walk(path))
    }

    fn has_free_features(&self) -> bool {
        (0..self.p).any(|j| self.varies[j] && self.penalty[j] == 0.0)
    }

    /// Coefficients on the original scale.
    fn coefficients_of(&self, s: &State) -> SparseCoefficients {
        self.coefficients(s.intercept, s.entered.iter().map(|&j| (j, s.beta[j])).filter(|(_, b)| *b != 0.0).collect())
    }
}
