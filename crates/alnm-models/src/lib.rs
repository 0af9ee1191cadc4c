#![doc = include_str!("../README.md")]

pub mod calculator;
pub mod cross_fitting;
mod error;
pub mod explanation;
pub mod firth;
pub mod gradient_boosting;
mod irls;
pub mod logistic;
pub mod model_set;
pub mod nested_validation;
pub mod nomogram;
pub mod profile_likelihood;
pub mod ridge;
pub mod saved_model;
pub mod stepwise;
pub mod subgroup;
pub mod subset_search;
pub mod univariate_table;
pub mod variance_inflation;

pub use alnm_selection::folds;
pub use alnm_selection::{FeatureTable, Labels};
pub use error::{ModelError, Result};
pub use logistic::{LogisticModel, LogisticParams};
pub use model_set::{ModelSet, ModelSpecification};
pub use saved_model::{RiskModel, Variable};
