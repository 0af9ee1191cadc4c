#![doc = include_str!("../README.md")]

#[cfg(feature = "inference")]
pub mod agreement;
#[cfg(feature = "inference")]
pub mod anova;
pub mod bootstrap;
pub mod calibration;
mod column_products;
pub mod confusion;
#[cfg(feature = "inference")]
pub mod contingency;
#[cfg(feature = "inference")]
pub mod correlation;
pub mod data_table;
pub mod decision_curve;
pub mod delong;
pub mod describe;
pub mod distribution;
#[cfg(feature = "inference")]
pub mod effect_size;
mod error;
#[cfg(feature = "inference")]
pub mod fisher;
#[cfg(feature = "inference")]
pub mod icc;
#[cfg(feature = "inference")]
pub mod kolmogorov_smirnov;
mod labels;
pub mod linear;
pub mod loess;
pub mod logit;
pub mod lowess;
pub mod memory;
pub mod missing;
pub mod multiplicity;
#[cfg(feature = "serde")]
pub mod nonfinite;
#[cfg(feature = "inference")]
pub mod normality;
pub mod optimism;
#[cfg(feature = "inference")]
pub mod ordinal;
#[cfg(feature = "inference")]
pub mod permutation;
#[cfg(feature = "inference")]
pub mod precision_recall;
pub mod proportion;
pub mod rank;
#[cfg(feature = "inference")]
pub mod rank_sum;
#[cfg(feature = "serde")]
mod reading;
#[cfg(feature = "inference")]
pub mod reclassification;
pub mod restricted_spline;
pub mod roc;
#[cfg(feature = "inference")]
pub mod root;
#[cfg(feature = "inference")]
pub mod sample_size;
#[cfg(feature = "inference")]
pub mod signed_rank;
#[cfg(feature = "inference")]
pub mod survival;
#[cfg(feature = "inference")]
pub mod t_test;
#[cfg(feature = "inference")]
pub mod table_one;
mod test_result;
#[cfg(feature = "inference")]
pub mod variance;

pub use error::{ParameterValue, Result, StatsError};
pub use labels::{ByClass, Labels};
pub use test_result::{Alternative, Interval, TestResult};
