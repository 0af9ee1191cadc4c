#![doc = include_str!("../README.md")]

pub mod analysis;
pub mod cohort;
pub mod comparison;
pub mod deep;
pub mod images;
pub mod leak_check;
pub mod missing_values;
pub mod progress;
#[cfg(feature = "report")]
pub mod report;
pub mod robustness;
pub mod scores;
pub mod store;
mod study;
pub mod table;
pub mod variables;

pub use progress::{Interrupted, LogStyle, Progress, ProgressLog, StudyEvent, StudyObserver};
pub use study::{BackboneSize, Study, StudySettings};
