//! Habitats: parts of lesions whose voxels are alike, by clustering of voxel features.
//!
//! The features of a voxel are the values of maps, such as those of [`crate::kinetics`]. They are standardised by mean
//! and standard deviation over all voxels of the training patients, clustered by k-means ([`KMeans`]) or a mixture of
//! normal distributions ([`HabitatMixture`]), and the clusters are numbered from 1 by the value of one feature at their
//! centres, so that the same habitat has the same number in every patient. A [`HabitatModel`] is learned on training
//! patients, saved, and applied to others: nothing of these enters it.
//!
//! Voxels with a feature that is not finite are left out of learning and get label 0.
//!
//! Seeds make starts the same in every run; sums are added in a fixed order, so that the result does not depend on the
//! number of threads.

mod choice;
mod k_means;
mod mixture;
mod model;
mod params;

pub use choice::{ClusteringsFound, CountScore};
pub use k_means::KMeans;
pub use mixture::HabitatMixture;
pub use model::{HabitatModel, voxel_features};
pub use params::{ClusterCount, ClusterMethod, CountCriterion, HabitatLearner, HabitatParams};
