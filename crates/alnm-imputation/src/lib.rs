#![doc = include_str!("../README.md")]

mod chain;
mod coding;
mod collinearity;
mod conditional;
pub mod convergence;
mod draws;
mod error;
pub mod formula;
mod imputation_model;
pub mod patient;
mod plan;
mod policy;
pub mod pooling;
pub mod selection;
pub mod single;

pub use chain::{ImputationEvent, MissingCount, MultipleImputation};
pub use conditional::ImputationEventKind;
pub use error::{ImputationError, Result};
pub use imputation_model::ImputationModel;
pub use plan::{ChainedEquations, ChainedEquationsParams, ImputationMethod, VariablePlan, VisitingSequence};
pub use policy::{CompletedTraining, MissingPolicy};
