//! What the examples share: the cohort folder, a simulated cohort, the study's steps and its report.

pub mod cohort;
pub mod progress;
pub mod published;
pub mod report;
pub mod simulation;
pub mod store;
pub mod study;
