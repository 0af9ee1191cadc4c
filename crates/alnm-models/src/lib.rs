#![doc = include_str!("../README.md")]

#[cfg(feature = "serde")]
pub mod calculator;
#[cfg(feature = "classifiers")]
pub mod classifiers;
#[cfg(feature = "regression")]
pub mod count;
mod covariance;
#[cfg(feature = "regression")]
pub mod cox;
#[cfg(feature = "regression")]
mod design;
mod error;
pub mod explanation;
#[cfg(feature = "regression")]
pub mod firth;
pub mod gradient_boosting;
#[cfg(feature = "regression")]
pub mod interaction;
mod invariants;
#[cfg(feature = "regression")]
mod irls;
#[cfg(feature = "regression")]
pub mod logistic;
mod logit;
#[cfg(feature = "regression")]
pub mod model_set;
#[cfg(feature = "regression")]
pub mod model_updating;
pub mod nested_validation;
pub mod nomogram;
#[cfg(feature = "regression")]
mod penalised;
pub mod performance;
#[cfg(feature = "regression")]
pub mod profile_likelihood;
#[cfg(feature = "regression")]
pub mod proportional_odds;
#[cfg(feature = "regression")]
pub mod ridge;
pub mod saved_model;
#[cfg(feature = "regression")]
pub mod stepwise;
pub mod subgroup;
#[cfg(feature = "regression")]
pub mod subset_search;
#[cfg(feature = "regression")]
pub mod univariate_table;
mod variable;
#[cfg(feature = "regression")]
pub mod variance_inflation;

pub use alnm_selection::{FeatureTable, Labels, cross_fitting, folds};
#[cfg(feature = "regression")]
pub use alnm_stats::survival::FollowUp;
pub use covariance::CovarianceMatrix;
pub use error::{ModelError, Result};
#[cfg(feature = "regression")]
pub use logistic::{LogisticModel, LogisticParams};
#[cfg(feature = "regression")]
pub use model_set::{ModelSet, ModelSpecification};
#[cfg(feature = "regression")]
pub use proportional_odds::ProportionalOdds;
pub use saved_model::RiskModel;
pub use variable::{Measurement, Variable};
