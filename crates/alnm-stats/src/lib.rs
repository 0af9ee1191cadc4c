#![doc = include_str!("../README.md")]

pub mod agreement;
pub mod anova;
pub mod bootstrap;
pub mod calibration;
mod column_products;
pub mod confusion;
pub mod contingency;
pub mod correlation;
pub mod data_table;
pub mod decision_curve;
pub mod delong;
pub mod describe;
pub mod distribution;
pub mod effect_size;
mod error;
pub mod fisher;
pub mod icc;
pub mod kolmogorov_smirnov;
mod labels;
pub mod linear;
pub mod loess;
pub mod lowess;
pub mod missing;
pub mod multiplicity;
#[cfg(feature = "serde")]
pub mod nonfinite;
pub mod normality;
pub mod optimism;
pub mod ordinal;
pub mod permutation;
pub mod precision_recall;
pub mod proportion;
pub mod rank;
pub mod rank_sum;
#[cfg(feature = "serde")]
mod reading;
pub mod reclassification;
pub mod restricted_spline;
pub mod roc;
pub mod root;
pub mod sample_size;
pub mod signed_rank;
pub mod survival;
pub mod t_test;
pub mod table_one;
mod test_result;
pub mod variance;

pub use error::{ParameterValue, Result, StatsError};
pub use labels::{ByClass, Labels};
pub use test_result::{Alternative, Interval, TestResult};
