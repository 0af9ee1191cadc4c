//! What the examples share: the cohort folder, a simulated cohort, the study's steps and its report.

pub mod cohort;
pub mod progress;
pub mod simulation;
pub mod store;
pub mod study;
