//! Fuzzy c-means: clusters to which every point belongs by a share.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Result, SegmentationError};

/// Points whose sums are taken together; the sums do not depend on the number of threads.
const CHUNK: usize = 1024;

/// Fuzzy c-means with Euclidean distances (Bezdek, Pattern Recognition with Fuzzy Objective Function Algorithms, 1981).
///
/// Minimises Σᵢ Σₖ uᵢₖᵐ |xᵢ − cₖ|² over the memberships u, whose sum is 1 for every point, and the centres c, by turns:
/// uᵢₖ = 1 / Σⱼ (|xᵢ − cₖ| / |xᵢ − cⱼ|)^(2 / (m − 1)) and cₖ = Σᵢ uᵢₖᵐ xᵢ / Σᵢ uᵢₖᵐ. A point on a centre belongs to it
/// alone, or in equal shares to all on which it lies.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`fuzziness`](Self::fuzziness) | 2 | the exponent m | above 1, at most 20 |
/// | [`iterations`](Self::iterations) | 200 | iterations at most | at least 1 |
/// | [`tolerance`](Self::tolerance) | 10⁻⁵ | largest change of a membership at which the iterations end | above 0 |
///
/// ```
/// use alnm_segmentation::fuzzy_c_means::FuzzyCMeansParams;
/// use ndarray::array;
///
/// let points = array![[0.0, 0.1], [0.2, 0.0], [5.0, 5.1], [5.2, 5.0]];
/// let found = FuzzyCMeansParams::default().check()?.fit(points.view(), array![[0.0, 0.0], [4.0, 4.0]].view())?;
/// assert!(found.converged && found.memberships[[0, 0]] > 0.99 && found.memberships[[3, 1]] > 0.99);
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct FuzzyCMeansParams {
    /// The exponent m of the memberships. Default 2; above 1, at most 20.
    pub fuzziness: f64,
    /// Iterations at most. Default 200; at least 1.
    pub iterations: usize,
    /// Largest change of a membership at which the iterations end. Default 10⁻⁵; above 0.
    pub tolerance: f64,
}

impl Default for FuzzyCMeansParams {
    fn default() -> Self {
        Self { fuzziness: 2.0, iterations: 200, tolerance: 1e-5 }
    }
}

impl FuzzyCMeansParams {
    /// Sets [`FuzzyCMeansParams::fuzziness`].
    pub fn with_fuzziness(self, fuzziness: f64) -> Self {
        Self { fuzziness, ..self }
    }

    /// Sets [`FuzzyCMeansParams::iterations`].
    pub fn with_iterations(self, iterations: usize) -> Self {
        Self { iterations, ..self }
    }

    /// Sets [`FuzzyCMeansParams::tolerance`].
    pub fn with_tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// The clustering with these parameters.
    ///
    /// # Errors
    /// [`SegmentationError::Parameter`] for a value outside its range.
    pub fn check(self) -> Result<FuzzyCMeans> {
        if !(self.fuzziness > 1.0 && self.fuzziness <= 20.0) {
            return Err(SegmentationError::parameter("fuzziness", self.fuzziness, "above 1 and at most 20"));
        }
        if self.iterations == 0 {
            return Err(SegmentationError::parameter("number of iterations", 0, "at least 1"));
        }
        if !(self.tolerance > 0.0 && self.tolerance.is_finite()) {
            return Err(SegmentationError::parameter("tolerance of memberships", self.tolerance, "finite and above 0"));
        }
        Ok(FuzzyCMeans { params: self })
    }
}

/// Fuzzy c-means with parameters that were checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FuzzyCMeans {
    params: FuzzyCMeansParams,
}

/// Clusters of points.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FuzzyClusters {
    /// The centres, clusters × dimensions, in the order of those that the iterations began with.
    pub centres: Array2<f64>,
    /// The share of every point in each cluster, points × clusters; the sum of a row is 1.
    pub memberships: Array2<f64>,
    /// Σᵢ Σₖ uᵢₖᵐ |xᵢ − cₖ|² by these memberships and the centres that they came from.
    pub objective: f64,
    /// Iterations that were done.
    pub iterations: usize,
    /// Whether the memberships had settled before the iterations were used up.
    pub converged: bool,
}

/// What a chunk of points adds to the centres: sums of weights, of weighted points, and the objective.
struct Share {
    memberships: Vec<f64>,
    weights: Array1<f64>,
    sums: Array2<f64>,
    objective: f64,
}

impl FuzzyCMeans {
    /// The parameters.
    pub fn params(&self) -> FuzzyCMeansParams {
        self.params
    }

    /// Clusters points (points × dimensions), beginning with these centres (clusters × dimensions).
    ///
    /// # Errors
    /// [`SegmentationError::Parameter`] when there are fewer than two centres or no points, their dimensions differ, or
    /// a coordinate is not finite.
    pub fn fit(&self, points: ArrayView2<'_, f64>, centres: ArrayView2<'_, f64>) -> Result<FuzzyClusters> {
        check(points, centres)?;
        let mut found = FuzzyClusters {
            centres: centres.to_owned(),
            memberships: Array2::zeros((points.nrows(), centres.nrows())),
            objective: f64::INFINITY,
            iterations: 0,
            converged: false,
        };
        while found.iterations < self.params.iterations && !found.converged {
            let chunks: Vec<ArrayView2<'_, f64>> = points.axis_chunks_iter(Axis(0), CHUNK).collect();
            let shares: Vec<Share> = chunks.into_par_iter().map(|chunk| self.share(chunk, &found.centres)).collect();
            let mut weights = Array1::<f64>::zeros(centres.nrows());
            let mut sums = Array2::<f64>::zeros(centres.dim());
            let (mut objective, mut change, mut place) = (0.0, 0.0_f64, 0);
            let settled = found.memberships.as_slice_mut().unwrap_or_default();
            for share in &shares {
                weights += &share.weights;
                sums += &share.sums;
                objective += share.objective;
                for &membership in &share.memberships {
                    change = change.max((membership - settled[place]).abs());
                    settled[place] = membership;
                    place += 1;
                }
            }
            found.objective = objective;
            found.iterations += 1;
            found.converged = change < self.params.tolerance;
            if !found.converged {
                for ((mut centre, sum), &weight) in found.centres.rows_mut().into_iter().zip(sums.rows()).zip(&weights)
                {
                    // A centre that no point belongs to stays where it is.
                    if weight > 0.0 {
                        centre.assign(&(&sum / weight));
                    }
                }
            }
        }
        Ok(found)
    }

    fn share(&self, points: ArrayView2<'_, f64>, centres: &Array2<f64>) -> Share {
        let clusters = centres.nrows();
        let mut share = Share {
            memberships: Vec::with_capacity(points.nrows() * clusters),
            weights: Array1::zeros(clusters),
            sums: Array2::zeros(centres.dim()),
            objective: 0.0,
        };
        let mut squared = vec![0.0; clusters];
        for point in points.rows() {
            for (distance, centre) in squared.iter_mut().zip(centres.rows()) {
                *distance = squared_distance(point, centre);
            }
            for cluster in 0..clusters {
                let membership = self.membership(&squared, cluster);
                let weight = membership.powf(self.params.fuzziness);
                share.memberships.push(membership);
                share.weights[cluster] += weight;
                share.sums.row_mut(cluster).scaled_add(weight, &point);
                share.objective += weight * squared[cluster];
            }
        }
        share
    }

    /// The share of a point in a cluster, from its squared distances to all centres.
    fn membership(&self, squared: &[f64], cluster: usize) -> f64 {
        let on_centres = squared.iter().filter(|&&distance| distance == 0.0).count();
        if on_centres > 0 {
            return if squared[cluster] == 0.0 { 1.0 / on_centres as f64 } else { 0.0 };
        }
        let exponent = 1.0 / (self.params.fuzziness - 1.0);
        1.0 / squared.iter().map(|other| (squared[cluster] / other).powf(exponent)).sum::<f64>()
    }
}

fn squared_distance(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

fn check(points: ArrayView2<'_, f64>, centres: ArrayView2<'_, f64>) -> Result<()> {
    if points.is_empty() {
        return Err(SegmentationError::parameter("number of points", points.nrows(), "at least 1"));
    }
    if centres.nrows() < 2 {
        return Err(SegmentationError::parameter("number of clusters", centres.nrows(), "at least 2"));
    }
    if points.ncols() != centres.ncols() {
        let requirement = "as many as the points have";
        return Err(SegmentationError::parameter("number of dimensions of the centres", centres.ncols(), requirement));
    }
    match points.iter().chain(&centres).find(|value| !value.is_finite()) {
        Some(value) => Err(SegmentationError::parameter("coordinate of a point or centre", value, "finite")),
        None => Ok(()),
    }
}
