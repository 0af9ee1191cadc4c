//! How habitats are found.

use serde::{Deserialize, Serialize};

use crate::error::{ImagingError, Result};

/// Most features of a voxel.
pub(super) const MOST_FEATURES: usize = 64;

pub(super) const OPERATION: &str = "habitats";

/// How voxels are clustered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClusterMethod {
    /// To the nearest centre.
    KMeans,
    /// To the most probable normal distribution of a mixture.
    GaussianMixture,
}

/// The criterion by which the number of clusters is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CountCriterion {
    /// The gap statistic against ten uniform samples of the features' box: the smallest number whose gap is at least
    /// that of the next one less its standard error (Tibshirani et al., J. R. Stat. Soc. B 63:411, 2001). Of k-means.
    Gap,
    /// The lowest Bayesian information criterion. Of mixtures.
    Bic,
    /// The highest mean silhouette (Rousseeuw, J. Comput. Appl. Math. 20:53, 1987) of at most 2000 voxels, taken
    /// evenly.
    Silhouette,
}

/// How many clusters there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClusterCount {
    /// This number.
    Fixed(usize),
    /// The best by a criterion of the numbers from `fewest` to `most`.
    Best {
        /// Smallest number, at least 2; with the gap statistic at least 1.
        fewest: usize,
        /// Largest number.
        most: usize,
        /// By what numbers are judged.
        by: CountCriterion,
    },
}

/// How habitats are learned.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`method`](Self::method) | k-means | how voxels are clustered | see [`ClusterMethod`] |
/// | [`count`](Self::count) | 3 | how many clusters | 1 to 50 |
/// | [`order_by`](Self::order_by) | 0 | feature by which clusters are numbered, ascending, from 0 | below the number of features |
/// | [`starts`](Self::starts) | 10 | starts of k-means, of which the best is taken | 1 to 1000 |
/// | [`max_iterations`](Self::max_iterations) | 300 | most iterations of a start, or of a mixture | at least 1 |
/// | [`most_voxels`](Self::most_voxels) | 100000 | voxels that are learned from, taken evenly where there are more | at least 2 |
/// | [`seed`](Self::seed) | 0 | seed of the starts | |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct HabitatParams {
    /// How voxels are clustered. Default [`ClusterMethod::KMeans`].
    pub method: ClusterMethod,
    /// How many clusters. Default 3.
    pub count: ClusterCount,
    /// Feature by which clusters are numbered, from 0. Default 0.
    pub order_by: usize,
    /// Starts of k-means (k-means++: Arthur and Vassilvitskii, SODA 2007). Default 10.
    pub starts: usize,
    /// Most iterations. Default 300.
    pub max_iterations: usize,
    /// Most voxels that are learned from. Default 100000.
    pub most_voxels: usize,
    /// Seed of the starts. Default 0.
    pub seed: u64,
}

impl Default for HabitatParams {
    fn default() -> Self {
        Self {
            method: ClusterMethod::KMeans,
            count: ClusterCount::Fixed(3),
            order_by: 0,
            starts: 10,
            max_iterations: 300,
            most_voxels: 100_000,
            seed: 0,
        }
    }
}

impl HabitatParams {
    /// Sets [`HabitatParams::method`].
    pub fn with_method(self, method: ClusterMethod) -> Self {
        Self { method, ..self }
    }

    /// Sets [`HabitatParams::count`].
    pub fn with_count(self, count: ClusterCount) -> Self {
        Self { count, ..self }
    }

    /// Sets [`HabitatParams::order_by`].
    pub fn with_order_by(self, order_by: usize) -> Self {
        Self { order_by, ..self }
    }

    /// Sets [`HabitatParams::starts`].
    pub fn with_starts(self, starts: usize) -> Self {
        Self { starts, ..self }
    }

    /// Sets [`HabitatParams::max_iterations`].
    pub fn with_max_iterations(self, max_iterations: usize) -> Self {
        Self { max_iterations, ..self }
    }

    /// Sets [`HabitatParams::most_voxels`].
    pub fn with_most_voxels(self, most_voxels: usize) -> Self {
        Self { most_voxels, ..self }
    }

    /// Sets [`HabitatParams::seed`].
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The parameters when all are in range.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] with the first that is not.
    pub fn check(self) -> Result<HabitatLearner> {
        const MOST_CLUSTERS: usize = 50;
        let (fewest, most, least, by) = match self.count {
            ClusterCount::Fixed(count) => (count, count, 1, None),
            ClusterCount::Best { fewest, most, by } => {
                (fewest, most, if by == CountCriterion::Gap { 1 } else { 2 }, Some(by))
            }
        };
        if fewest < least || most < fewest || most > MOST_CLUSTERS {
            let requirement = "it must lie from 1 (2 for a choice that is not by the gap statistic) to 50";
            return Err(invalid("count", format!("{fewest} to {most}"), requirement));
        }
        match (by, self.method) {
            (Some(CountCriterion::Gap), ClusterMethod::GaussianMixture) => {
                return Err(invalid(
                    "count",
                    "by the gap statistic".to_owned(),
                    "this judges k-means; mixtures have the BIC",
                ));
            }
            (Some(CountCriterion::Bic), ClusterMethod::KMeans) => {
                return Err(invalid(
                    "count",
                    "by the BIC".to_owned(),
                    "this judges mixtures; k-means has the gap statistic",
                ));
            }
            _ => {}
        }
        let rules = [
            ("starts", self.starts, (1..=1000).contains(&self.starts), "it must lie from 1 to 1000"),
            ("max_iterations", self.max_iterations, self.max_iterations >= 1, "it must be at least 1"),
            ("most_voxels", self.most_voxels, self.most_voxels >= 2, "it must be at least 2"),
        ];
        match rules.into_iter().find(|(_, _, holds, _)| !holds) {
            Some((parameter, value, _, requirement)) => Err(invalid(parameter, value.to_string(), requirement)),
            None => Ok(HabitatLearner { params: self }),
        }
    }
}

/// Checked parameters: see [`HabitatParams`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HabitatLearner {
    params: HabitatParams,
}

impl HabitatLearner {
    /// The parameters.
    pub fn params(&self) -> &HabitatParams {
        &self.params
    }
}

pub(super) fn invalid(parameter: &'static str, value: String, requirement: &'static str) -> ImagingError {
    ImagingError::InvalidParameter { operation: OPERATION, parameter, value, requirement }
}
