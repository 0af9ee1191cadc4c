#![doc = include_str!("../README.md")]

pub mod agreement_filter;
pub mod boruta;
pub mod correlation_filter;
pub mod cross_fitting;
pub mod cross_validation;
pub mod discretise;
pub mod elastic_net;
mod error;
pub mod folds;
pub mod harmonisation;
pub mod lasso;
pub mod mrmr;
pub mod pipeline;
pub mod recursive_elimination;
#[cfg(feature = "serde")]
pub mod saved;
pub mod signature;
pub mod stability;
mod table;
pub mod univariate;
pub mod variance_filter;

pub use alnm_stats::correlation::Correlation;
pub use alnm_stats::{Labels, ParameterValue};
pub use error::{Result, SelectionError};
pub use pipeline::{FittedPipeline, Pipeline, Step};
pub use signature::{Signature, Weight};
pub use table::FeatureTable;
