#![doc = include_str!("../README.md")]

#[cfg(feature = "methods")]
pub mod agreement_filter;
#[cfg(feature = "methods")]
pub mod boruta;
#[cfg(feature = "methods")]
pub mod correlation_filter;
pub mod cross_fitting;
#[cfg(feature = "methods")]
pub mod cross_validation;
#[cfg(feature = "methods")]
pub mod discretise;
#[cfg(feature = "methods")]
pub mod elastic_net;
mod error;
pub mod folds;
#[cfg(feature = "methods")]
pub mod harmonisation;
#[cfg(feature = "methods")]
pub mod lasso;
#[cfg(feature = "methods")]
pub mod mrmr;
#[cfg(feature = "methods")]
pub mod pipeline;
#[cfg(feature = "methods")]
pub mod recursive_elimination;
#[cfg(feature = "serde")]
pub mod saved;
pub mod signature;
#[cfg(feature = "methods")]
pub mod stability;
mod table;
#[cfg(feature = "methods")]
pub mod univariate;
#[cfg(feature = "methods")]
pub mod variance_filter;

#[cfg(feature = "methods")]
pub use alnm_stats::correlation::Correlation;
pub use alnm_stats::{Labels, ParameterValue};
pub use error::{Result, SelectionError};
#[cfg(feature = "methods")]
pub use pipeline::{FittedPipeline, Pipeline, Step};
pub use signature::{Signature, Weight};
pub use table::FeatureTable;
