//! Gradient boosted trees of a binary outcome, equal to LightGBM on its deterministic settings.
//!
//! Same bins, same leaf-wise growth on histograms, same gains and leaf values: gradients and Hessians of the log loss
//! are rounded to 32 bits, histograms sum them in 64 bits in row order. See Ke et al. (2017). Bagging, column sampling,
//! categorical splits and bundling are not offered.
//!
//! Ensembles are saved as LightGBM's text model, which LightGBM reads too; see [`GradientBoosting::to_lightgbm_text`]
//! and [`GradientBoosting::from_lightgbm_text`].

mod binning;
mod ensemble;
mod fit;
mod growth;
mod objective;
mod params;
mod text_model;
mod tree;
mod tree_walk;

pub use ensemble::{FeatureImportance, GradientBoosting, ImportanceKind};
pub use params::{Boosting, BoostingParams};
pub use tree::{Child, MissingSide, Tree, TreeNode};
