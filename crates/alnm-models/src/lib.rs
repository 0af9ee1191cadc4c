#![doc = include_str!("../README.md")]

mod covariance;
#[cfg(feature = "fitting")]
mod design;
mod error;
pub mod explanation;
#[cfg(feature = "fitting")]
pub mod firth;
pub mod gradient_boosting;
mod invariants;
#[cfg(feature = "fitting")]
mod irls;
mod link;
#[cfg(feature = "fitting")]
pub mod logistic;
#[cfg(feature = "fitting")]
pub mod model_set;
#[cfg(feature = "fitting")]
pub mod nested_validation;
pub mod nomogram;
#[cfg(feature = "fitting")]
mod penalised;
#[cfg(feature = "fitting")]
pub mod profile_likelihood;
#[cfg(feature = "fitting")]
pub mod ridge;
pub mod saved_model;
#[cfg(feature = "fitting")]
pub mod stepwise;
pub mod subgroup;
#[cfg(feature = "fitting")]
pub mod subset_search;
#[cfg(feature = "fitting")]
pub mod univariate_table;
mod variable;
#[cfg(feature = "fitting")]
pub mod variance_inflation;

pub use alnm_selection::{FeatureTable, Labels, cross_fitting, folds};
pub use covariance::CovarianceMatrix;
pub use error::{ModelError, Result};
pub use link::INTERCEPT;
#[cfg(feature = "fitting")]
pub use logistic::{LogisticModel, LogisticParams};
#[cfg(feature = "fitting")]
pub use model_set::{ModelSet, ModelSpecification};
pub use saved_model::RiskModel;
pub use variable::{Measurement, Variable};
