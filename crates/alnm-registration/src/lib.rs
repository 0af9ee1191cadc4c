#![doc = include_str!("../README.md")]

mod bending;
mod deformable_stage;
mod error;
mod jacobian;
mod lattice;
mod lesion;
mod linear_stage;
mod matrix;
mod measure;
mod optimiser;
mod params;
mod pyramid;
mod registration;
mod samples;
mod series;
mod transform;
mod warp;

pub use error::{RegistrationError, Result, TransformFileProblem};
pub use jacobian::{JacobianSummary, jacobian_map};
pub use params::{
    LesionConstraint, MotionModel, Registration, RegistrationParams, SimilarityMeasure, StartingPosition,
};
pub use registration::{RegistrationIteration, RegistrationMasks, RegistrationResult, ResolutionReport};
pub use series::RegisteredSeries;
pub use transform::{
    AffineTransform, BSplineTransform, EulerTransform, SpatialTransform, TransformPart, read_transform, write_transform,
};
pub use warp::{mask_through, resample_through};
