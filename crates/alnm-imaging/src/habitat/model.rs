//! Habitats that were learned.

use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::choice::{ClusteringsFound, CountScore, choose};
use super::k_means::nearest;
use super::mixture::HabitatMixture;
use super::params::{HabitatLearner, MOST_FEATURES, invalid};
use crate::error::{ImagingError, Result};
use crate::region::Roi;
use crate::volume::{LabelMap, Volume};

/// The values of maps in the voxels of a region, (voxels in raster order, maps).
///
/// # Errors
/// [`ImagingError::GeometryMismatch`] when a map lies on another grid than the region.
pub fn voxel_features(maps: &[&Volume<f32>], region: Roi<'_>) -> Result<Array2<f64>> {
    let mut features = Array2::zeros((region.voxel_count(), maps.len()));
    for (mut column, map) in features.columns_mut().into_iter().zip(maps) {
        let values = region.values(map)?;
        column.iter_mut().zip(values).for_each(|(feature, value)| *feature = value.into());
    }
    Ok(features)
}

/// Habitats learned on training patients: see [`crate::habitat`].
///
/// ```
/// use alnm_imaging::habitat::{ClusterCount, HabitatModel, HabitatParams};
///
/// let patient = ndarray::array![[0.1, 5.0], [0.2, 5.1], [2.0, 1.0], [2.1, 1.2], [f64::NAN, 1.0]];
/// let learner = HabitatParams::default().with_count(ClusterCount::Fixed(2)).check()?;
/// let model = learner.learn(&["enhancement", "time"], &[patient.clone()])?;
/// assert_eq!(model.labels(patient.view())?, [1, 1, 2, 2, 0]);
/// let saved = serde_json::to_string(&model).unwrap();
/// assert_eq!(serde_json::from_str::<HabitatModel>(&saved).unwrap(), model);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredHabitats", into = "StoredHabitats")]
pub struct HabitatModel {
    features: Vec<String>,
    means: Vec<f64>,
    standard_deviations: Vec<f64>,
    /// Centres on the standardised scale, (habitats, features), in the order of their labels.
    centres: Array2<f64>,
    /// The distributions, where habitats are those of a mixture.
    mixture: Option<Distributions>,
    scores: Vec<CountScore>,
    learned_voxels: usize,
    left_out_voxels: usize,
}

/// What a mixture has besides its means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Distributions {
    weights: Vec<f64>,
    /// Rows of each covariance.
    covariances: Vec<Vec<Vec<f64>>>,
}

/// A model as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename = "HabitatModel", deny_unknown_fields)]
struct StoredHabitats {
    features: Vec<String>,
    means: Vec<f64>,
    standard_deviations: Vec<f64>,
    centres: Vec<Vec<f64>>,
    mixture: Option<Distributions>,
    scores: Vec<CountScore>,
    learned_voxels: usize,
    left_out_voxels: usize,
}

impl From<HabitatModel> for StoredHabitats {
    fn from(model: HabitatModel) -> Self {
        let HabitatModel { features, means, standard_deviations, centres, mixture, .. } = model;
        let HabitatModel { scores, learned_voxels, left_out_voxels, .. } = model;
        let centres = rows_of(&centres);
        Self { features, means, standard_deviations, centres, mixture, scores, learned_voxels, left_out_voxels }
    }
}

fn rows_of(array: &Array2<f64>) -> Vec<Vec<f64>> {
    array.rows().into_iter().map(|row| row.to_vec()).collect()
}

/// An array of rows of a length.
fn array_of(rows: &[Vec<f64>], length: usize) -> Result<Array2<f64>> {
    let is_sound = |row: &Vec<f64>| row.len() == length && row.iter().all(|value| value.is_finite());
    let values: Vec<f64> = rows.iter().flatten().copied().collect();
    match Array2::from_shape_vec((rows.len(), length), values) {
        Ok(array) if rows.iter().all(is_sound) => Ok(array),
        _ => Err(invalid(
            "model",
            format!("one with rows of other lengths than {length}"),
            "rows must be whole and finite",
        )),
    }
}

impl TryFrom<StoredHabitats> for HabitatModel {
    type Error = ImagingError;

    fn try_from(stored: StoredHabitats) -> Result<Self> {
        let StoredHabitats { features, means, standard_deviations, centres, mixture, .. } = stored;
        let count = features.len();
        check_features(&features)?;
        let centres = array_of(&centres, count)?;
        let scale_is_sound = means.len() == count
            && standard_deviations.len() == count
            && means.iter().all(|mean| mean.is_finite())
            && standard_deviations.iter().all(|deviation| deviation.is_finite() && *deviation > 0.0);
        if !scale_is_sound || centres.nrows() == 0 {
            let requirement =
                "there must be a finite mean and a standard deviation above 0 for each feature, and a centre";
            return Err(invalid("model", format!("{means:?} and {standard_deviations:?}"), requirement));
        }
        let model = Self {
            features,
            means,
            standard_deviations,
            centres,
            mixture,
            scores: stored.scores,
            learned_voxels: stored.learned_voxels,
            left_out_voxels: stored.left_out_voxels,
        };
        if let Some(distributions) = &model.mixture {
            let sizes = [distributions.weights.len(), distributions.covariances.len()];
            let is_share = |weight: &f64| *weight > 0.0 && *weight <= 1.0;
            if sizes != [model.habitat_count(); 2] || !distributions.weights.iter().all(is_share) {
                let value = format!("weights {:?}", distributions.weights);
                return Err(invalid("model", value, "there must be a share above 0 and a covariance for each habitat"));
            }
            // The factors exist or the model is refused here.
            model.gaussians(distributions)?.labels(model.centres.view())?;
        }
        Ok(model)
    }
}

fn check_features<T: AsRef<str>>(features: &[T]) -> Result<()> {
    let names: Vec<&str> = features.iter().map(AsRef::as_ref).collect();
    let is_twice = names.iter().enumerate().any(|(place, name)| names[..place].contains(name));
    if names.is_empty() || names.len() > MOST_FEATURES || is_twice {
        return Err(invalid("features", format!("{names:?}"), "there must be 1 to 64, each with a name of its own"));
    }
    Ok(())
}

impl HabitatLearner {
    /// Learns habitats of the voxels of training patients: an array (voxels, features) for each.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when there is no feature, one without a spread, an array with another number
    /// of them, or fewer finite voxels than clusters; when the feature that orders is none of them; and when a
    /// covariance has no inverse.
    pub fn learn<T: AsRef<str>>(&self, features: &[T], patients: &[Array2<f64>]) -> Result<HabitatModel> {
        self.learn_with(features, patients, &|_| {})
    }

    /// As [`HabitatLearner::learn`]; the observer hears of each run of k-means that came to its end, from the threads
    /// that made them.
    ///
    /// # Errors
    /// As [`HabitatLearner::learn`].
    pub fn learn_with<T: AsRef<str>>(
        &self,
        features: &[T],
        patients: &[Array2<f64>],
        observer: &(dyn Fn(ClusteringsFound) + Sync),
    ) -> Result<HabitatModel> {
        let params = self.params();
        check_features(features)?;
        let count = features.len();
        if params.order_by >= count {
            return Err(invalid("order_by", params.order_by.to_string(), "it must be below the number of features"));
        }
        if let Some(other) = patients.iter().find(|patient| patient.ncols() != count) {
            let value = format!("{} columns for {count} features", other.ncols());
            return Err(invalid("patients", value, "each must have a column for each feature"));
        }
        let rows = || patients.iter().flat_map(|patient| patient.rows());
        let is_finite = |row: &ndarray::ArrayView1<'_, f64>| row.iter().all(|value| value.is_finite());
        let finite = rows().filter(is_finite).count();
        let left_out_voxels = rows().count() - finite;
        let step = finite.div_ceil(params.most_voxels).max(1);
        let taken: Vec<f64> = rows().filter(is_finite).step_by(step).flatten().copied().collect();
        let learned_voxels = taken.len() / count;
        let mut points = Array2::from_shape_vec((learned_voxels, count), taken)
            .map_err(|error| invalid("patients", error.to_string(), "each row must have all features"))?;
        let (mut means, mut standard_deviations) = (Vec::new(), Vec::new());
        for (mut column, feature) in points.columns_mut().into_iter().zip(features) {
            let mean = column.sum() / learned_voxels as f64;
            let variance = column.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / learned_voxels as f64;
            if variance.is_nan() || variance == 0.0 {
                let value = format!("{:?} of {learned_voxels} voxels", feature.as_ref());
                return Err(invalid("features", value, "each must vary over the voxels of the training patients"));
            }
            column.mapv_inplace(|value| (value - mean) / variance.sqrt());
            means.push(mean);
            standard_deviations.push(variance.sqrt());
        }
        let chosen = choose(params, points.view(), observer)?;
        let found = chosen.mixture.as_ref().map_or(&chosen.clusters.centres, |mixture| &mixture.means);
        let mut order: Vec<usize> = (0..found.nrows()).collect();
        order.sort_by(|&a, &b| found[[a, params.order_by]].total_cmp(&found[[b, params.order_by]]));
        Ok(HabitatModel {
            features: features.iter().map(|feature| feature.as_ref().to_owned()).collect(),
            means,
            standard_deviations,
            centres: found.select(Axis(0), &order),
            mixture: chosen.mixture.as_ref().map(|mixture| Distributions {
                weights: order.iter().map(|&place| mixture.weights[place]).collect(),
                covariances: order.iter().map(|&place| rows_of(&mixture.covariances[place])).collect(),
            }),
            scores: chosen.scores,
            learned_voxels,
            left_out_voxels,
        })
    }
}

impl HabitatModel {
    /// The names of the features.
    #[must_use]
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// Number of habitats.
    #[must_use]
    pub fn habitat_count(&self) -> usize {
        self.centres.nrows()
    }

    /// The features at the centre of each habitat, (habitats, features), on their own scales.
    #[must_use]
    pub fn centres(&self) -> Array2<f64> {
        let scale =
            |(place, value): ((usize, usize), &f64)| self.means[place.1] + self.standard_deviations[place.1] * value;
        let values = self.centres.indexed_iter().map(scale).collect();
        Array2::from_shape_vec(self.centres.dim(), values).expect("as many values as centres have")
    }

    /// How the numbers of habitats were judged; empty where the number was given.
    #[must_use]
    pub fn scores(&self) -> &[CountScore] {
        &self.scores
    }

    /// Voxels that were learned from.
    #[must_use]
    pub fn learned_voxels(&self) -> usize {
        self.learned_voxels
    }

    /// Voxels of the training patients that were left out because a feature was not finite.
    #[must_use]
    pub fn left_out_voxels(&self) -> usize {
        self.left_out_voxels
    }

    /// The habitat of each voxel (voxels, features), from 1 in the order of the feature that orders; 0 where a feature
    /// is not finite.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when there is another number of features.
    pub fn labels(&self, voxels: ArrayView2<'_, f64>) -> Result<Vec<u32>> {
        let count = self.features.len();
        if voxels.ncols() != count {
            let value = format!("{} columns", voxels.ncols());
            return Err(invalid("voxels", value, "they must have the features that were learned"));
        }
        let mut points = voxels.to_owned();
        for (feature, mut column) in points.columns_mut().into_iter().enumerate() {
            column.mapv_inplace(|value| (value - self.means[feature]) / self.standard_deviations[feature]);
        }
        let labels: Vec<usize> = match &self.mixture {
            Some(distributions) => self.gaussians(distributions)?.labels(points.view())?,
            None => points.rows().into_iter().map(|point| nearest(point, self.centres.view()).0).collect(),
        };
        let label = |(row, label): (ndarray::ArrayView1<'_, f64>, usize)| {
            if row.iter().all(|value| value.is_finite()) { label as u32 + 1 } else { 0 }
        };
        Ok(voxels.rows().into_iter().zip(labels).map(label).collect())
    }

    /// The habitats of a region, on its grid; 0 outside of it and where a map is not finite.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when there is another number of maps than of features;
    /// [`ImagingError::GeometryMismatch`] when one lies on another grid than the region.
    pub fn map(&self, maps: &[&Volume<f32>], region: Roi<'_>) -> Result<LabelMap> {
        let labels = self.labels(voxel_features(maps, region)?.view())?;
        let mut map = Volume::filled(region.geometry().clone(), 0_u32);
        let inside = region.mask().as_slice().iter().map(|&voxel| voxel == region.label());
        let voxels = map.as_mut_slice().iter_mut().zip(inside).filter(|(_, inside)| *inside);
        voxels.zip(labels).for_each(|((voxel, _), label)| *voxel = label);
        Ok(map)
    }

    fn gaussians(&self, distributions: &Distributions) -> Result<HabitatMixture> {
        let size = self.features.len();
        let covariance = |rows: &Vec<Vec<f64>>| match array_of(rows, size) {
            Ok(array) if array.nrows() == size => Ok(array),
            _ => Err(invalid("model", format!("a covariance of {} rows", rows.len()), "it must be square and finite")),
        };
        Ok(HabitatMixture {
            weights: distributions.weights.clone(),
            means: self.centres.clone(),
            covariances: distributions.covariances.iter().map(covariance).collect::<Result<_>>()?,
            log_likelihood: f64::NAN,
            iterations: 0,
            converged: true,
        })
    }
}
