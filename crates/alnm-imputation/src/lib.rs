#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(any(feature = "learning", feature = "serde")),
    allow(dead_code, reason = "a model is learned or read; without either feature there is none to apply")
)]

#[cfg(feature = "learning")]
mod chain;
mod coding;
#[cfg(feature = "learning")]
mod collinearity;
mod conditional;
#[cfg(feature = "learning")]
mod conditional_fit;
#[cfg(feature = "learning")]
pub mod convergence;
mod draws;
mod error;
pub mod formula;
mod imputation_model;
pub mod patient;
#[cfg(feature = "learning")]
mod plan;
#[cfg(feature = "learning")]
mod policy;
pub mod pooling;
#[cfg(feature = "learning")]
pub mod selection;
#[cfg(feature = "learning")]
pub mod single;

#[cfg(feature = "learning")]
pub use chain::{ImputationEvent, MissingCount, MultipleImputation};
#[cfg(feature = "learning")]
pub use conditional_fit::ImputationEventKind;
pub use error::{ImputationError, Result};
pub use imputation_model::ImputationModel;
#[cfg(feature = "learning")]
pub use plan::{ChainedEquations, ChainedEquationsParams, ImputationMethod, VariablePlan, VisitingSequence};
#[cfg(feature = "learning")]
pub use policy::{CompletedTraining, MissingPolicy};
