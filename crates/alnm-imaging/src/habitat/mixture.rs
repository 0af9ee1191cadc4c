//! Mixtures of normal distributions.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use super::k_means::{CHUNK, KMeans, check_points};
use super::params::{MOST_FEATURES, invalid};
use crate::error::Result;

/// Added to the variances, so that a cluster of few points has an inverse.
const REGULARISATION: f64 = 1e-6;
/// Change of the mean logarithm of the likelihood at which the fit ends.
const TOLERANCE: f64 = 1e-3;

/// A mixture of normal distributions with covariances of their own, by expectation and maximisation (Dempster, Laird
/// and Rubin, J. R. Stat. Soc. B 39:1, 1977), with the rules of scikit-learn: variances get 1e-6 more, and the fit ends
/// when the mean logarithm of the likelihood changes by less than 1e-3.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HabitatMixture {
    /// Share of each distribution.
    pub weights: Vec<f64>,
    /// Means, (distributions, features).
    pub means: Array2<f64>,
    /// Covariances, (features, features) each.
    pub covariances: Vec<Array2<f64>>,
    /// Mean logarithm of the likelihood of the points.
    pub log_likelihood: f64,
    /// Iterations.
    pub iterations: usize,
    /// Whether the change fell below the tolerance.
    pub converged: bool,
}

impl HabitatMixture {
    /// The mixture that begins with the clusters of k-means.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`](crate::ImagingError::InvalidParameter) when the clusters are not those of the
    /// points, or a covariance has no inverse.
    pub fn from_clusters(points: ArrayView2<'_, f64>, clusters: &KMeans, max_iterations: usize) -> Result<Self> {
        let count = clusters.centres.nrows();
        check_points(points, count)?;
        if points.ncols() > MOST_FEATURES {
            return Err(invalid("features", points.ncols().to_string(), "there must be at most 64"));
        }
        if clusters.labels.len() != points.nrows() || clusters.labels.iter().any(|&label| label >= count) {
            let value = format!("{} labels of {} points", clusters.labels.len(), points.nrows());
            return Err(invalid("clusters", value, "they must be those of the points"));
        }
        let mut shares = Array2::zeros((points.nrows(), count));
        for (mut row, &label) in shares.rows_mut().into_iter().zip(&clusters.labels) {
            row[label] = 1.0;
        }
        let mut mixture = Self::maximised(points, shares.view())?;
        let mut before = f64::NEG_INFINITY;
        while mixture.iterations < max_iterations.max(1) && !mixture.converged {
            let expected = mixture.expected(points)?;
            let iterations = mixture.iterations + 1;
            mixture = Self::maximised(points, expected.shares.view())?;
            mixture.iterations = iterations;
            mixture.converged = (expected.log_likelihood - before).abs() < TOLERANCE;
            before = expected.log_likelihood;
        }
        mixture.log_likelihood = mixture.expected(points)?.log_likelihood;
        Ok(mixture)
    }

    /// Bayesian information criterion of as many points: −2 · n · mean log-likelihood + parameters · ln n.
    #[must_use]
    pub fn bic(&self, points: usize) -> f64 {
        let (clusters, features) = (self.means.nrows() as f64, self.means.ncols() as f64);
        let parameters = clusters * features * (features + 1.0) / 2.0 + clusters * features + clusters - 1.0;
        -2.0 * points as f64 * self.log_likelihood + parameters * (points as f64).ln()
    }

    /// The most probable distribution of each point, from 0.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`](crate::ImagingError::InvalidParameter) when a covariance has no inverse.
    pub fn labels(&self, points: ArrayView2<'_, f64>) -> Result<Vec<usize>> {
        if points.ncols() != self.means.ncols() || points.ncols() > MOST_FEATURES {
            let value = format!("{} features", points.ncols());
            return Err(invalid("points", value, "they must have those of the mixture, at most 64"));
        }
        let normals = self.normals()?;
        let of_chunk = |chunk: ArrayView2<'_, f64>| -> Vec<usize> {
            let of_point = |point: ArrayView1<'_, f64>| {
                let mut best = (0, f64::NEG_INFINITY);
                for (place, normal) in normals.iter().enumerate() {
                    let density = normal.log_density(point);
                    if density > best.1 {
                        best = (place, density);
                    }
                }
                best.0
            };
            chunk.rows().into_iter().map(of_point).collect()
        };
        let chunks: Vec<ArrayView2<'_, f64>> = points.axis_chunks_iter(Axis(0), CHUNK).collect();
        let found: Vec<Vec<usize>> = chunks.into_par_iter().map(of_chunk).collect();
        Ok(found.into_iter().flatten().collect())
    }

    fn normals(&self) -> Result<Vec<Normal<'_>>> {
        let parts = self.weights.iter().zip(self.means.rows()).zip(&self.covariances);
        parts.map(|((&weight, mean), covariance)| Normal::new(weight, mean, covariance)).collect()
    }

    fn expected(&self, points: ArrayView2<'_, f64>) -> Result<Expected> {
        let normals = self.normals()?;
        let clusters = normals.len();
        let of_chunk = |chunk: ArrayView2<'_, f64>| {
            let mut shares = Array2::zeros((chunk.nrows(), clusters));
            let mut sum = 0.0;
            for (point, mut row) in chunk.rows().into_iter().zip(shares.rows_mut()) {
                for (share, normal) in row.iter_mut().zip(&normals) {
                    *share = normal.log_density(point);
                }
                let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let total = top + row.iter().map(|share| (share - top).exp()).sum::<f64>().ln();
                row.mapv_inplace(|share| (share - total).exp());
                sum += total;
            }
            (shares, sum)
        };
        let chunks: Vec<ArrayView2<'_, f64>> = points.axis_chunks_iter(Axis(0), CHUNK).collect();
        let found: Vec<(Array2<f64>, f64)> = chunks.into_par_iter().map(of_chunk).collect();
        let mut shares = Array2::zeros((points.nrows(), clusters));
        let mut sum = 0.0;
        for (mut part, (values, of_part)) in shares.axis_chunks_iter_mut(Axis(0), CHUNK).zip(found) {
            part.assign(&values);
            sum += of_part;
        }
        Ok(Expected { shares, log_likelihood: sum / points.nrows() as f64 })
    }

    /// Weights, means and covariances of shares (points, distributions).
    fn maximised(points: ArrayView2<'_, f64>, shares: ArrayView2<'_, f64>) -> Result<Self> {
        let features = points.ncols();
        let of_cluster = |cluster: usize| {
            let share = shares.column(cluster);
            let weight = share.sum() + 10.0 * f64::EPSILON;
            let mut mean = vec![0.0; features];
            for (point, share) in points.rows().into_iter().zip(share) {
                mean.iter_mut().zip(point).for_each(|(sum, value)| *sum += share * value);
            }
            mean.iter_mut().for_each(|sum| *sum /= weight);
            let mut covariance = Array2::<f64>::zeros((features, features));
            for (point, share) in points.rows().into_iter().zip(share) {
                for i in 0..features {
                    for j in 0..=i {
                        covariance[[i, j]] += share * (point[i] - mean[i]) * (point[j] - mean[j]);
                    }
                }
            }
            for i in 0..features {
                for j in 0..=i {
                    covariance[[i, j]] /= weight;
                    covariance[[j, i]] = covariance[[i, j]];
                }
                covariance[[i, i]] += REGULARISATION;
            }
            (weight, mean, covariance)
        };
        let clusters = shares.ncols();
        let found: Vec<(f64, Vec<f64>, Array2<f64>)> = (0..clusters).into_par_iter().map(of_cluster).collect();
        let total: f64 = found.iter().map(|(weight, _, _)| weight).sum();
        let means = found.iter().flat_map(|(_, mean, _)| mean.iter().copied()).collect();
        let means = Array2::from_shape_vec((clusters, features), means)
            .map_err(|error| invalid("points", error.to_string(), "each must have all features"))?;
        Ok(Self {
            weights: found.iter().map(|(weight, _, _)| weight / total).collect(),
            means,
            covariances: found.into_iter().map(|(_, _, covariance)| covariance).collect(),
            log_likelihood: f64::NAN,
            iterations: 0,
            converged: false,
        })
    }
}

struct Expected {
    /// Probability of each distribution, (points, distributions).
    shares: Array2<f64>,
    log_likelihood: f64,
}

/// A weighted normal distribution, ready to be evaluated.
struct Normal<'a> {
    mean: ArrayView1<'a, f64>,
    /// Lower triangle of the Cholesky factor of the covariance.
    factor: Array2<f64>,
    /// ln weight − ½ ln det − ½ p ln 2π.
    constant: f64,
}

impl<'a> Normal<'a> {
    fn new(weight: f64, mean: ArrayView1<'a, f64>, covariance: &Array2<f64>) -> Result<Self> {
        let size = covariance.nrows();
        let mut factor = Array2::<f64>::zeros((size, size));
        let mut half_log_determinant = 0.0;
        for i in 0..size {
            for j in 0..=i {
                let sum: f64 = (0..j).map(|k| factor[[i, k]] * factor[[j, k]]).sum();
                let rest = covariance[[i, j]] - sum;
                factor[[i, j]] = match i == j {
                    true if rest > 0.0 => rest.sqrt(),
                    true => {
                        return Err(invalid("covariance", rest.to_string(), "features must not depend on each other"));
                    }
                    false => rest / factor[[j, j]],
                };
            }
            half_log_determinant += factor[[i, i]].ln();
        }
        let constant = weight.ln() - half_log_determinant - 0.5 * size as f64 * std::f64::consts::TAU.ln();
        Ok(Self { mean, factor, constant })
    }

    fn log_density(&self, point: ArrayView1<'_, f64>) -> f64 {
        let size = self.factor.nrows();
        // Few features: what is solved for lies on the stack.
        let mut solved = [0.0; MOST_FEATURES];
        let mut squares = 0.0;
        for i in 0..size {
            let mut rest = point[i] - self.mean[i];
            for j in 0..i {
                rest -= self.factor[[i, j]] * solved[j];
            }
            solved[i] = rest / self.factor[[i, i]];
            squares += solved[i] * solved[i];
        }
        self.constant - 0.5 * squares
    }
}
