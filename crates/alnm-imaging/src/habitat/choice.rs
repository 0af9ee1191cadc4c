//! How many clusters there are.

use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array2, ArrayView2, Axis};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::k_means::{KMeans, squared_distance};
use super::mixture::HabitatMixture;
use super::params::{ClusterCount, ClusterMethod, CountCriterion, HabitatParams};
use crate::error::Result;

/// Uniform samples of the gap statistic.
const REFERENCES: usize = 10;
/// Most points of a silhouette.
const SILHOUETTE_POINTS: usize = 2000;

/// The score of a number of clusters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CountScore {
    /// Number of clusters.
    pub count: usize,
    /// Its gap, BIC or mean silhouette.
    pub score: f64,
    /// Standard error of the gap; 0 for other criteria.
    pub error: f64,
}

/// Clusters with how their number was chosen.
pub(super) struct Chosen {
    pub(super) clusters: KMeans,
    pub(super) mixture: Option<HabitatMixture>,
    pub(super) scores: Vec<CountScore>,
}

/// The progress of learning habitats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusteringsFound {
    /// Runs of k-means that came to their end.
    pub found: usize,
    /// All of them: the starts of each number of clusters and, for the gap statistic, those of uniform samples.
    pub all: usize,
}

/// The clusters of points; the observer hears of each run of k-means.
pub(super) fn choose(
    params: &HabitatParams,
    points: ArrayView2<'_, f64>,
    observer: &(dyn Fn(ClusteringsFound) + Sync),
) -> Result<Chosen> {
    let (ended, all) = (AtomicUsize::new(0), clusterings(params));
    let ended = || observer(ClusteringsFound { found: ended.fetch_add(1, Ordering::Relaxed) + 1, all });
    let clustered = |count: usize| -> Result<(KMeans, Option<HabitatMixture>)> {
        let (starts, iterations) = (params.starts, params.max_iterations);
        let clusters = KMeans::best_of_starts(points, count, starts, iterations, params.seed, &ended)?;
        let mixture = match params.method {
            ClusterMethod::KMeans => None,
            ClusterMethod::GaussianMixture => {
                Some(HabitatMixture::from_clusters(points, &clusters, params.max_iterations)?)
            }
        };
        Ok((clusters, mixture))
    };
    let (fewest, most, by) = match params.count {
        ClusterCount::Fixed(count) => {
            let (clusters, mixture) = clustered(count)?;
            return Ok(Chosen { clusters, mixture, scores: Vec::new() });
        }
        ClusterCount::Best { fewest, most, by } => (fewest, most, by),
    };
    let mut found = (fewest..=most).map(clustered).collect::<Result<Vec<_>>>()?;
    let mut scores = Vec::with_capacity(found.len());
    for (count, (clusters, mixture)) in (fewest..).zip(&found) {
        let (score, error) = match by {
            CountCriterion::Gap => gap(params, points, clusters, &ended)?,
            CountCriterion::Bic => (mixture.as_ref().map_or(f64::NAN, |mixture| mixture.bic(points.nrows())), 0.0),
            CountCriterion::Silhouette => {
                let labels = match mixture {
                    Some(mixture) => mixture.labels(points)?,
                    None => clusters.labels.clone(),
                };
                (silhouette(points, &labels), 0.0)
            }
        };
        scores.push(CountScore { count, score, error });
    }
    let (clusters, mixture) = found.swap_remove(best(&scores, by));
    Ok(Chosen { clusters, mixture, scores })
}

/// Runs of k-means that learning takes.
fn clusterings(params: &HabitatParams) -> usize {
    let starts = params.starts.max(1);
    match params.count {
        ClusterCount::Fixed(_) => starts,
        ClusterCount::Best { fewest, most, by } => {
            let references = if by == CountCriterion::Gap { REFERENCES } else { 0 };
            (most + 1 - fewest) * (starts + references)
        }
    }
}

/// The place of the best number.
fn best(scores: &[CountScore], by: CountCriterion) -> usize {
    let first_best = |better: fn(f64, f64) -> bool| {
        (1..scores.len())
            .fold(0, |best, place| if better(scores[place].score, scores[best].score) { place } else { best })
    };
    match by {
        CountCriterion::Gap => {
            let enough = |pair: &[CountScore]| pair[0].score >= pair[1].score - pair[1].error;
            scores.windows(2).position(enough).unwrap_or(scores.len() - 1)
        }
        CountCriterion::Bic => first_best(|new, old| new < old),
        CountCriterion::Silhouette => first_best(|new, old| new > old),
    }
}

/// Gap and its standard error, s · √(1 + 1 / B).
fn gap(
    params: &HabitatParams,
    points: ArrayView2<'_, f64>,
    clusters: &KMeans,
    ended: &(dyn Fn() + Sync),
) -> Result<(f64, f64)> {
    let limits: Vec<[f64; 2]> = points
        .columns()
        .into_iter()
        .map(|column| {
            column.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &v| [low.min(v), high.max(v)])
        })
        .collect();
    let count = clusters.centres.nrows();
    let of_reference = |reference: usize| -> Result<f64> {
        let mut generator = ChaCha8Rng::seed_from_u64(params.seed);
        // Streams of their own, apart from those of starts.
        generator.set_stream((1 << 32) + reference as u64);
        let uniform = Array2::from_shape_fn(points.dim(), |(_, feature)| {
            let [low, high] = limits[feature];
            low + (high - low) * generator.random::<f64>()
        });
        let found = KMeans::best_of_starts(uniform.view(), count, 1, params.max_iterations, params.seed, ended)?;
        Ok(found.inertia.max(f64::MIN_POSITIVE).ln())
    };
    let logarithms = (0..REFERENCES).into_par_iter().map(of_reference).collect::<Result<Vec<f64>>>()?;
    let mean = logarithms.iter().sum::<f64>() / REFERENCES as f64;
    let variance = logarithms.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / REFERENCES as f64;
    let error = variance.sqrt() * (1.0 + 1.0 / REFERENCES as f64).sqrt();
    Ok((mean - clusters.inertia.max(f64::MIN_POSITIVE).ln(), error))
}

/// The mean silhouette of points that are taken evenly.
fn silhouette(points: ArrayView2<'_, f64>, labels: &[usize]) -> f64 {
    let step = points.nrows().div_ceil(SILHOUETTE_POINTS);
    let chosen: Vec<usize> = (0..points.nrows()).step_by(step).collect();
    let clusters = labels.iter().max().map_or(0, |&last| last + 1);
    let mut sizes = vec![0_usize; clusters];
    chosen.iter().for_each(|&point| sizes[labels[point]] += 1);
    let of_point = |&point: &usize| {
        let own = labels[point];
        if sizes[own] < 2 {
            return 0.0;
        }
        let mut sums = vec![0.0; clusters];
        for &other in &chosen {
            let rows = (points.index_axis(Axis(0), point), points.index_axis(Axis(0), other));
            sums[labels[other]] += squared_distance(rows.0, rows.1).sqrt();
        }
        let within = sums[own] / (sizes[own] - 1) as f64;
        let others = (0..clusters).filter(|&cluster| cluster != own && sizes[cluster] > 0);
        let nearest = others.map(|cluster| sums[cluster] / sizes[cluster] as f64).fold(f64::INFINITY, f64::min);
        if nearest.is_finite() && within.max(nearest) > 0.0 { (nearest - within) / within.max(nearest) } else { 0.0 }
    };
    let found: Vec<f64> = chosen.par_iter().map(of_point).collect();
    found.iter().sum::<f64>() / found.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_stops_where_more_clusters_bring_no_more() {
        let score = |count, score| CountScore { count, score, error: 0.1 };
        assert_eq!(best(&[score(1, 0.2), score(2, 0.9), score(3, 0.95)], CountCriterion::Gap), 1);
        assert_eq!(best(&[score(2, 0.2), score(3, 0.9)], CountCriterion::Gap), 1);
        assert_eq!(best(&[score(2, 5.0), score(3, 1.0), score(4, 1.0)], CountCriterion::Bic), 1);
        assert_eq!(best(&[score(2, 0.5), score(3, 0.5)], CountCriterion::Silhouette), 0);
    }
}
