//! What the examples share: the cohort folder, a simulated cohort, the study's steps and its report.

pub mod cohort;
pub mod simulation;
