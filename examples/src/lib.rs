//! What the examples share: a simulated cohort and the published figures.

pub mod published;
pub mod simulation;
