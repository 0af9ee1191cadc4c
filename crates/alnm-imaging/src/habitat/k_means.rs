//! k-means.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

use super::params::invalid;
use crate::error::Result;

/// Points that are taken together; their sums are added in the order of the points.
pub(super) const CHUNK: usize = 4096;

/// Clusters of points by Lloyd's algorithm (IEEE Trans. Inf. Theory 28:129, 1982), as scikit-learn has it: the nearest
/// centre, the first of equally near ones; the mean of its points; until no point changes its cluster. A cluster that
/// loses its last point gets the point that is farthest from its centre.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct KMeans {
    /// Centres, (clusters, features).
    pub centres: Array2<f64>,
    /// The cluster of each point, from 0.
    pub labels: Vec<usize>,
    /// Sum of the squared distances of the points to their centres.
    pub inertia: f64,
    /// Iterations.
    pub iterations: usize,
    /// Whether no point changed its cluster in the last iteration.
    pub converged: bool,
}

impl KMeans {
    /// Clusters of points (points, features) from given centres.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`](crate::ImagingError::InvalidParameter) when there is no centre, more centres
    /// than points, another number of features, or a number that is not finite.
    ///
    /// ```
    /// use alnm_imaging::habitat::KMeans;
    ///
    /// let points = ndarray::array![[0.0], [1.0], [10.0], [11.0]];
    /// let found = KMeans::from_centres(points.view(), ndarray::array![[0.0], [1.0]], 100)?;
    /// assert_eq!(found.centres, ndarray::array![[0.5], [10.5]]);
    /// assert_eq!(found.labels, [0, 0, 1, 1]);
    /// # Ok::<(), alnm_imaging::ImagingError>(())
    /// ```
    pub fn from_centres(points: ArrayView2<'_, f64>, centres: Array2<f64>, max_iterations: usize) -> Result<Self> {
        check_points(points, centres.nrows())?;
        if centres.ncols() != points.ncols() || centres.iter().any(|value| !value.is_finite()) {
            let value = format!("{:?} of {} features", centres.dim(), points.ncols());
            return Err(invalid("centres", value, "they must have the features of the points, and be finite"));
        }
        Ok(lloyd(points, centres, max_iterations))
    }

    /// The best of several starts that k-means++ draws: the first with the lowest inertia.
    ///
    /// # Errors
    /// As [`KMeans::from_centres`].
    pub fn new(
        points: ArrayView2<'_, f64>,
        clusters: usize,
        starts: usize,
        max_iterations: usize,
        seed: u64,
    ) -> Result<Self> {
        Self::best_of_starts(points, clusters, starts, max_iterations, seed, &|| {})
    }

    /// As [`KMeans::new`], which tells of each start that came to its end.
    pub(super) fn best_of_starts(
        points: ArrayView2<'_, f64>,
        clusters: usize,
        starts: usize,
        max_iterations: usize,
        seed: u64,
        ended: &(dyn Fn() + Sync),
    ) -> Result<Self> {
        check_points(points, clusters)?;
        let of_start = |start: usize| {
            let mut generator = ChaCha8Rng::seed_from_u64(seed);
            // A stream for each start, so that none depends on the others.
            generator.set_stream(start as u64);
            let found = lloyd(points, plus_plus(points, clusters, &mut generator), max_iterations);
            ended();
            found
        };
        let found: Vec<Self> = (0..starts.max(1)).into_par_iter().map(of_start).collect();
        let best = found.into_iter().reduce(|best, next| if next.inertia < best.inertia { next } else { best });
        best.ok_or_else(|| invalid("starts", "0".to_owned(), "there must be at least one"))
    }
}

pub(super) fn check_points(points: ArrayView2<'_, f64>, clusters: usize) -> Result<()> {
    if clusters == 0 || clusters > points.nrows() || points.ncols() == 0 {
        let value = format!("{clusters} clusters of {} points with {} features", points.nrows(), points.ncols());
        return Err(invalid("count", value, "there must be at least one, and no more than points"));
    }
    match points.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(invalid("points", value.to_string(), "they must be finite")),
        None => Ok(()),
    }
}

pub(super) fn squared_distance(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// The nearest centre and the squared distance to it.
pub(super) fn nearest(point: ArrayView1<'_, f64>, centres: ArrayView2<'_, f64>) -> (usize, f64) {
    let mut found = (0, f64::INFINITY);
    for (cluster, centre) in centres.rows().into_iter().enumerate() {
        let distance = squared_distance(point, centre);
        if distance < found.1 {
            found = (cluster, distance);
        }
    }
    found
}

/// Centres by D² weighting.
fn plus_plus(points: ArrayView2<'_, f64>, clusters: usize, generator: &mut ChaCha8Rng) -> Array2<f64> {
    let count = points.nrows();
    let mut centres = Array2::zeros((clusters, points.ncols()));
    let first = ((generator.random::<f64>() * count as f64) as usize).min(count - 1);
    centres.row_mut(0).assign(&points.row(first));
    let mut distances: Vec<f64> =
        points.rows().into_iter().map(|point| squared_distance(point, points.row(first))).collect();
    for cluster in 1..clusters {
        let total: f64 = distances.iter().sum();
        let mut left = generator.random::<f64>() * total;
        // Where rounding leaves none, and where all points lie on centres, it is the last point that lies on none.
        let mut chosen = distances.iter().rposition(|&distance| distance > 0.0).unwrap_or(count - 1);
        for (place, &distance) in distances.iter().enumerate() {
            left -= distance;
            if left < 0.0 {
                chosen = place;
                break;
            }
        }
        centres.row_mut(cluster).assign(&points.row(chosen));
        for (distance, point) in distances.iter_mut().zip(points.rows()) {
            *distance = distance.min(squared_distance(point, points.row(chosen)));
        }
    }
    centres
}

fn lloyd(points: ArrayView2<'_, f64>, mut centres: Array2<f64>, max_iterations: usize) -> KMeans {
    let mut labels = Vec::new();
    let mut distances = Vec::new();
    let (mut iterations, mut converged) = (0, false);
    while iterations < max_iterations.max(1) && !converged {
        let found = assign(points, centres.view());
        iterations += 1;
        converged = found.labels == labels;
        (labels, distances) = (found.labels, found.distances);
        if !converged {
            centres = means(points, &labels, &distances, centres.nrows());
        }
    }
    if !converged {
        let found = assign(points, centres.view());
        (labels, distances) = (found.labels, found.distances);
    }
    KMeans { centres, labels, inertia: distances.iter().sum(), iterations, converged }
}

struct Assignment {
    labels: Vec<usize>,
    distances: Vec<f64>,
}

fn assign(points: ArrayView2<'_, f64>, centres: ArrayView2<'_, f64>) -> Assignment {
    let of_chunk = |chunk: ArrayView2<'_, f64>| -> Vec<(usize, f64)> {
        chunk.rows().into_iter().map(|point| nearest(point, centres)).collect()
    };
    let chunks: Vec<ArrayView2<'_, f64>> = points.axis_chunks_iter(Axis(0), CHUNK).collect();
    let found: Vec<Vec<(usize, f64)>> = chunks.into_par_iter().map(of_chunk).collect();
    let (labels, distances) = found.into_iter().flatten().unzip();
    Assignment { labels, distances }
}

/// The mean of the points of each cluster, added in their order.
fn means(points: ArrayView2<'_, f64>, labels: &[usize], distances: &[f64], clusters: usize) -> Array2<f64> {
    let mut sums = Array2::<f64>::zeros((clusters, points.ncols()));
    let mut counts = vec![0.0; clusters];
    for (point, &label) in points.rows().into_iter().zip(labels) {
        sums.row_mut(label).zip_mut_with(&point, |sum, value| *sum += value);
        counts[label] += 1.0;
    }
    let empty: Vec<usize> = (0..clusters).filter(|&cluster| counts[cluster] == 0.0).collect();
    if !empty.is_empty() {
        let mut farthest: Vec<usize> = (0..labels.len()).collect();
        farthest.sort_by(|&a, &b| distances[b].total_cmp(&distances[a]).then(a.cmp(&b)));
        for (&cluster, &place) in empty.iter().zip(&farthest) {
            let point = points.row(place);
            sums.row_mut(labels[place]).zip_mut_with(&point, |sum, value| *sum -= value);
            counts[labels[place]] -= 1.0;
            sums.row_mut(cluster).assign(&point);
            counts[cluster] = 1.0;
        }
    }
    for (mut sum, &count) in sums.rows_mut().into_iter().zip(&counts) {
        // A cluster whose only point went to an empty one keeps the place of that point.
        if count > 0.0 {
            sum.mapv_inplace(|value| value / count);
        }
    }
    sums
}
