#![doc = include_str!("../README.md")]

#[cfg(feature = "learning")]
pub mod analysis;
pub mod bundle;
#[cfg(feature = "learning")]
mod bundling;
pub mod cohort;
#[cfg(feature = "learning")]
pub mod comparison;
#[cfg(feature = "learning")]
mod completion;
#[cfg(feature = "learning")]
mod cross_fit;
#[cfg(feature = "learning")]
pub mod deep;
pub mod deep_output;
pub mod drift;
pub mod external_validation;
#[cfg(feature = "learning")]
pub mod further_outcomes;
#[cfg(feature = "learning")]
pub mod images;
#[cfg(feature = "learning")]
pub mod leak_check;
#[cfg(feature = "learning")]
pub mod leave_one_centre_out;
mod measurements;
#[cfg(feature = "learning")]
pub mod missing_values;
#[cfg(feature = "clap")]
mod options;
mod patient_completion;
pub mod preparation;
pub mod progress;
#[cfg(feature = "report")]
pub mod report;
#[cfg(feature = "learning")]
pub mod robustness;
#[cfg(feature = "learning")]
pub mod scores;
pub mod scoring;
pub mod series;
pub mod store;
#[cfg(feature = "learning")]
mod study;
pub mod table;
#[cfg(feature = "learning")]
mod ten_models;
pub mod variables;
#[cfg(feature = "report")]
mod workflow;

pub use bundle::Bundle;
#[cfg(feature = "learning")]
pub use bundling::BundleSources;
#[cfg(feature = "clap")]
pub use options::StudyOptions;
pub use patient_completion::PatientCompletion;
pub use progress::{Interrupted, LogStyle, Progress, ProgressLog, StudyEvent, StudyObserver};
#[cfg(feature = "learning")]
pub use study::{BackboneSize, Study, StudySettings};
#[cfg(feature = "report")]
pub use workflow::FinishedStudy;
