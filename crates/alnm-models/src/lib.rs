#![doc = include_str!("../README.md")]

#[cfg(feature = "serde")]
pub mod calculator;
mod covariance;
mod design;
mod error;
pub mod explanation;
pub mod firth;
pub mod gradient_boosting;
mod invariants;
mod irls;
pub mod logistic;
pub mod model_set;
pub mod nested_validation;
pub mod nomogram;
mod penalised;
pub mod profile_likelihood;
pub mod ridge;
pub mod saved_model;
pub mod stepwise;
pub mod subgroup;
pub mod subset_search;
pub mod univariate_table;
mod variable;
pub mod variance_inflation;

pub use alnm_selection::{FeatureTable, Labels, cross_fitting, folds};
pub use covariance::CovarianceMatrix;
pub use error::{ModelError, Result};
pub use logistic::{LogisticModel, LogisticParams};
pub use model_set::{ModelSet, ModelSpecification};
pub use saved_model::RiskModel;
pub use variable::{Measurement, Variable};
